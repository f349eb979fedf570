# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Own images: what they are built from for each chip, and the Dockerfiles that are rendered from it."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._vllm_build import RecipeError, recipe, soc_version

# The template is filled on the controller; the oldest Python of a node has none.
jinja2 = pytest.importorskip("jinja2")

TEMPLATES = pathlib.Path(__file__).parents[4] / "roles" / "vllm" / "templates"
VALUES = {
    "ansible_managed": "made by a test",
    "vllm_build_repository": "https://git.example/vllm-ascend.git",
    "vllm_build_vllm_repository": "https://git.example/vllm.git",
}


@pytest.mark.parametrize(
    ("chip", "soc"),
    [
        ("910B1", "ascend910b1"),
        ("910B4-1", "ascend910b4-1"),
        ("910B2C", "ascend910b2c"),
        ("Ascend910", "ascend910_9391"),
        ("Ascend910_9382", "ascend910_9382"),
        ("310P3", "ascend310p3"),
        ("Ascend950PR", "ascend950dt_9582"),
    ],
)
def test_kernels_are_compiled_for_the_chip(chip, soc):
    assert soc_version(chip) == soc


@pytest.mark.parametrize("chip", ["910A", "310B4", "H100", ""])
def test_chips_without_a_release(chip):
    with pytest.raises(RecipeError):
        recipe("v0.23.0", chip)


@pytest.mark.parametrize(
    ("release", "chip", "system", "base", "vllm", "triton"),
    [
        ("v0.23.0", "910B4", "ubuntu", "9.1.0-910b-ubuntu22.04-py3.12", "v0.23.0", "3.2.2"),
        ("v0.23.0.post1", "Ascend910", "openeuler", "9.1.0-a3-openeuler24.03-py3.12", "v0.23.0", "3.2.2"),
        ("v0.18.0", "Ascend910", "ubuntu", "8.5.1-a3-ubuntu22.04-py3.11", "v0.18.0", "3.2.0"),
        ("v0.11.0rc0", "910B4", "ubuntu", "8.2.rc1-910b-ubuntu22.04-py3.11", "v0.11.0rc3", ""),
        ("v0.23.0", "310P3", "ubuntu", "9.1.0-310p-ubuntu22.04-py3.12", "v0.23.0", ""),
    ],
)
def test_what_a_release_is_built_from(release, chip, system, base, vllm, triton):
    found = recipe(release, chip, system)
    assert found["base"] == "quay.io/ascend/cann:" + base
    assert (found["vllm"], found["triton_ascend"]) == (vllm, triton)


@pytest.mark.parametrize(
    ("release", "chip", "system", "words"),
    [
        ("v0.9.1", "910B4", "ubuntu", "from v0.11.0rc0 on"),
        ("main", "910B4", "ubuntu", "not known"),
        ("v0.26.0rc1", "910B4", "ubuntu", "not known"),
        ("v0.18.0", "Ascend950PR", "ubuntu", "no Dockerfile for 950"),
        ("v0.23.0", "910B4", "debian", "none of ubuntu, openeuler"),
    ],
)
def test_what_is_not_known(release, chip, system, words):
    with pytest.raises(RecipeError, match=words):
        recipe(release, chip, system)


def render(release, chip, system):
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((TEMPLATES / "own.Dockerfile.j2").read_text(encoding="utf-8"))
    return template.render(__vllm_recipe=recipe(release, chip, system), **VALUES)


def instructions(text):
    """[(instruction, arguments)] with lines continued, as Docker reads them."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("chip", ["910B4", "Ascend910", "310P3"])
@pytest.mark.parametrize("system", ["ubuntu", "openeuler"])
def test_the_dockerfile(chip, system):
    found = instructions(render("v0.23.0", chip, system))
    assert found[0] == ("FROM", recipe("v0.23.0", chip, system)["base"])
    assert {name for name, _rest in found} <= {"FROM", "SHELL", "ARG", "ENV", "RUN", "WORKDIR", "LABEL", "CMD"}
    runs = [rest for name, rest in found if name == "RUN"]
    text = "\n".join(runs)
    assert "VLLM_TARGET_DEVICE=empty" in text and "--branch v0.23.0 https://git.example/vllm.git" in text
    assert ("numactl-devel" if system == "openeuler" else "libnuma-dev") in text
    assert "uninstall -y triton &&" not in text and text.count("uninstall -y triton") == 2
    (env,) = (rest for name, rest in found if name == "ENV" and "SOC_VERSION" in rest)
    assert f"SOC_VERSION={soc_version(chip)} " in env and "COMPILE_CUSTOM_KERNELS=1" in env
    assert ("triton-ascend==3.2.2" in text) == (chip != "310P3")
    for script in runs:
        done = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

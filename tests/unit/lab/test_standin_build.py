# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in images are made of, and when they are made anew."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from vllm_standin.release import load_release

IMAGE = Path(__file__).resolve().parents[2] / "lab" / "images" / "vllm-ascend"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """build.py with a docker in the way that only writes down how it is called."""
    spec = importlib.util.spec_from_file_location("standin_build", IMAGE / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.calls = []
    module.images = {"npuops-lab/base": ("id-of-base", "")}

    def call(argv, _what, capture=False):
        module.calls.append(argv)
        if argv[1] == "build":
            label = argv[argv.index("--label") + 1].split("=", 1)[1]
            module.images[argv[argv.index("--tag") + 1]] = (f"id-{label}", label)
        else:
            Path(argv[argv.index("--target") + 1], "ray", "jars").mkdir(parents=True)
        return ""

    monkeypatch.setattr(module, "call", call)
    monkeypatch.setattr(
        module, "inspect", lambda image, form: module.images.get(image, ("", ""))[0 if form == "{{.Id}}" else 1]
    )
    module.run = lambda *releases: module.build_all("python", tmp_path / "cache", list(releases))
    module.built = lambda: [argv[argv.index("--tag") + 1] for argv in module.calls if argv[1] == "build"]
    return module


@pytest.mark.parametrize("file", sorted((IMAGE / "releases").glob("*.json")), ids=lambda file: file.stem)
def test_a_release_has_its_options(file):
    release = load_release(file)
    assert file.stem == release.tag == f"v{release.vllm}"
    assert json.loads(release.options_file.read_text(encoding="utf-8"))["vllm"] == release.vllm


def test_builds_once_and_only_what_changed(build, tmp_path):
    everything = ["npuops-lab/ray", "quay.io/ascend/vllm-ascend:v0.11.0", "quay.io/ascend/vllm-ascend:v0.23.0"]
    build.run("v0.11.0", "v0.23.0")
    assert build.built() == everything
    assert not list(tmp_path.glob("cache/ray/*/site-packages/ray/jars"))
    build.calls.clear()
    build.run("v0.11.0", "v0.23.0")
    assert build.calls == []
    build.images["npuops-lab/base"] = ("another-id", "")
    build.run("v0.11.0", "v0.23.0")
    assert build.built() == everything and len(build.calls) == 3  # Ray itself came from the cache


def test_hash_sees_contents_names_and_modes(build, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "HERE", tmp_path)
    file = tmp_path / "rootfs" / "vllm"
    file.parent.mkdir()
    file.write_text("one")
    seen = {build.content_hash([file.parent])}
    file.write_text("two")
    seen.add(build.content_hash([file.parent]))
    file.chmod(0o755)
    seen.add(build.content_hash([file.parent]))
    file.rename(file.with_name("other"))
    seen.add(build.content_hash([file.parent]))
    assert len(seen) == 4
    (tmp_path / "rootfs" / "__pycache__").mkdir()
    (tmp_path / "rootfs" / "__pycache__" / "x.pyc").touch()
    assert build.content_hash([file.parent]) in seen


def test_an_unknown_release_and_a_missing_base_are_named(build):
    with pytest.raises(build.BuildError, match=r"no release v9; there are v0.11.0, v0.23.0"):
        build.run("v9")
    build.images.clear()
    with pytest.raises(build.BuildError, match="image npuops-lab/base is missing"):
        build.run("v0.23.0")
    assert build.calls == []

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an own image of vLLM-Ascend is built from: base image, sources, and what they are compiled for.

Learned from the Dockerfiles at the tags of github.com/vllm-project/vllm-ascend.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

from ._compatibility import release as known_release
from ._compatibility_versions import at_least
from ._npu_model import chip_name, family

OLDEST = "v0.11.0rc0"
SYSTEMS = {"ubuntu": "ubuntu22.04", "openeuler": "openeuler24.03"}
# Family -> (in the tag of the CANN image, default of SOC_VERSION in its Dockerfile).
_FAMILIES = {
    "A2": ("910b", "ascend910b1"),
    "A3": ("a3", "ascend910_9391"),
    "310P": ("310p", "ascend310p1"),
    "950": ("950", "ascend950dt_9582"),
}
# vLLM's tag where it is not the release's own base version.
_VLLM = {"v0.11.0rc0": "v0.11.0rc3", "v0.14.0rc1": "v0.14.1"}
# (from this release on, triton-ascend); vLLM's own triton does not work on NPUs and is removed. None on 310P.
_TRITON = (("v0.23.0", "3.2.2"), ("v0.20.2rc1", "3.2.1"), ("v0.13.0rc2", "3.2.0"))
_INDEXES = {
    "ascend": "https://mirrors.huaweicloud.com/ascend/repos/pypi",
    "torch": "https://download.pytorch.org/whl/cpu/",
}


class RecipeError(ValueError):
    """There is no such image to be built."""


def soc_version(chip):
    """What the kernels are compiled for: the chip itself where it names it, else its family's default."""
    found = family(chip)
    if found is None or found.name not in _FAMILIES:
        raise RecipeError(f"vLLM-Ascend cannot be built for chip {chip!r}")
    name = chip_name(chip).lower()
    if re.fullmatch(r"(ascend)?910b\d.*|(ascend)?310p\d", name):
        return "ascend" + name.replace("ascend", "")
    return name if re.fullmatch(r"ascend910_93\d+", name) else _FAMILIES[found.name][1]


def recipe(release, chip, system="ubuntu"):
    """How to build a release for a chip.

    :arg release: tag of vLLM-Ascend, v0.23.0.
    :arg chip: its name as C(npu-smi info) prints it.
    :arg system: one of C(SYSTEMS).
    :returns: a mapping for the template own.Dockerfile.j2, with text in each key: C(base), C(release), C(vllm),
        C(soc_version), C(system), C(triton_ascend) (empty: none), C(ascend_index), C(torch_index).
    :raises RecipeError: when it is not known how.
    """
    if system not in SYSTEMS:
        raise RecipeError(f"system {system!r} is none of {', '.join(SYSTEMS)}")
    known = known_release(release)
    if known is None or known.cann is None or not at_least(release, OLDEST):
        raise RecipeError(f"it is not known what {release!r} is built from; give a release from {OLDEST} on")
    soc, kin = soc_version(chip), family(chip).name
    if kin not in known.chips:
        raise RecipeError(f"{release} has no Dockerfile for {kin} ({chip})")
    python = "py3.12" if at_least(release, "v0.21.0rc1") else "py3.11"
    triton = next((version for since, version in _TRITON if at_least(release, since)), "") if kin != "310P" else ""
    return {
        "base": f"quay.io/ascend/cann:{known.cann.lower()}-{_FAMILIES[kin][0]}-{SYSTEMS[system]}-{python}",
        "release": release,
        "vllm": _VLLM.get(release, re.match(r"v\d+\.\d+\.\d+", release)[0]),
        "soc_version": soc,
        "system": system,
        "triton_ascend": triton,
        "ascend_index": _INDEXES["ascend"],
        "torch_index": _INDEXES["torch"],
    }


__all__ = ["SYSTEMS", "RecipeError", "recipe", "soc_version"]

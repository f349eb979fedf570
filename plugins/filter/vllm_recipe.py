# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._vllm_build import RecipeError, recipe

DOCUMENTATION = r"""
name: vllm_recipe
short_description: What an own image of vLLM-Ascend is built from
version_added: 1.0.0
description:
  - Says for a release and a chip which CANN image it is based on, which vLLM goes with it, for which SoC its kernels
    are compiled, and which triton-ascend it gets.
  - The role P(npuops.ascend.vllm#role) renders its Dockerfile from it (entry point C(build)).
positional: chip, system
options:
  _input:
    description: Release of vLLM-Ascend, such as V(v0.23.0).
    type: str
    required: true
  chip:
    description: Name of the chip as C(npu-smi info) prints it.
    type: str
    required: true
  system:
    description: Distribution in the image.
    type: str
    choices: [ubuntu, openeuler]
    default: ubuntu
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Show what an image for the chips of the node would be built from
  ansible.builtin.debug:
    msg: "{{ 'v0.23.0' | npuops.ascend.vllm_recipe(ansible_facts.npu.chips[0].name) }}"
"""

RETURN = r"""
_value:
  description:
    - The keys C(base), C(release), C(vllm), C(soc_version), C(system), C(triton_ascend), C(ascend_index) and
      C(torch_index).
  type: dict
"""


def vllm_recipe(release, chip, system="ubuntu"):
    try:
        return recipe(release, chip, system)
    except RecipeError as exc:
        raise AnsibleFilterError(f"vllm_recipe: {exc}.") from exc


class FilterModule:
    """Filters about images of vLLM-Ascend."""

    def filters(self):
        return {"vllm_recipe": vllm_recipe}

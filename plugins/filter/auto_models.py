# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._sizing import models_to_read

DOCUMENTATION = r"""
name: auto_models
short_description: The models that must be read on a node before its services can be placed
version_added: 1.0.0
description:
  - Takes C(ascend_services) and picks the models of those with V(auto) in C(vnpu.memory_gb) that may run on a host, and
    those of vLLM services, for it depends on the model how it can be served.
  - Services that say otherwise, or nothing that can be understood, are passed over. They are judged by
    M(npuops.ascend.npu_placement).
positional: host
options:
  _input:
    description: The variable C(ascend_services).
    type: list
    elements: raw
    required: true
  host:
    description: Inventory name of the node.
    type: str
    required: true
  known:
    description: Models of which everything is known, by their directory, as in the host variable C(npuops_models).
    type: dict
    default: {}
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Read the models that must be known
  npuops.ascend.model_info:
    host: "{{ inventory_hostname }}"
    models: "{{ ascend_services | npuops.ascend.auto_models(inventory_hostname) }}"
    strict: false
"""

RETURN = r"""
_value:
  description: What O(npuops.ascend.model_info#module:models) takes, each directory once.
  type: list
  elements: str
"""


def auto_models(services, host, known=None):
    return models_to_read(services, host, known or {})


class FilterModule:
    """Filters about models."""

    def filters(self):
        return {"auto_models": auto_models}

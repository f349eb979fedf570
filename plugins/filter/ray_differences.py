# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._ray_versions import differences

DOCUMENTATION = r"""
name: ray_differences
short_description: Why nodes cannot be in one Ray cluster
version_added: 1.0.0
description:
  - Compares what M(npuops.ascend.ray_versions) answered on each node. Every sentence names both nodes and both values.
options:
  _input:
    description: The results by node. Nodes without a result, or whose image is not there yet, are left out.
    type: dict
    required: true
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Refuse nodes that cannot be in one cluster
  ansible.builtin.assert:
    that: versions | npuops.ascend.ray_differences == []
"""

RETURN = r"""
_value:
  description: Sentences, none when the nodes fit.
  type: list
  elements: str
"""


class FilterModule:
    def filters(self):
        return {"ray_differences": differences}

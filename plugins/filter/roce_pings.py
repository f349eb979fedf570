# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._roce_plan import PlanError, from_dict

DOCUMENTATION = r"""
name: roce_pings
short_description: The pings of one node, from the plan of the fleet
version_added: 1.0.0
description:
  - Calculates what the NPUs of one node have to ping, and in which round, from what M(npuops.ascend.roce_plan) returned
    as C(plan). The plan of a large fleet has millions of pings, so every node takes only its own.
positional: host
options:
  _input:
    description: RV(npuops.ascend.roce_plan#module:plan).
    type: dict
    required: true
  host:
    description: Inventory name of the node.
    type: str
    required: true
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Ping
  npuops.ascend.hccn_check:
    checks: []
    pings: "{{ planned.plan | npuops.ascend.roce_pings(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: What O(npuops.ascend.hccn_check#module:pings) takes. Empty for a node that has nobody to ping.
  type: list
  elements: dict
"""


def roce_pings(plan, host):
    try:
        return from_dict(plan).pings_of(host)
    except PlanError as exc:
        raise AnsibleFilterError(f"roce_pings: {exc}.") from exc


class FilterModule:
    """Filters about the NPU network."""

    def filters(self):
        return {"roce_pings": roce_pings}

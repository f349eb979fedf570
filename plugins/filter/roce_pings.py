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
  npus:
    description:
      - RV(npuops.ascend.hccn_check#module:npus) of the node. When given, pings over RoCE get a C(size) that fills the
        MTU of the NPU that sends them (MTU less 28 bytes of headers), and so show whether the network carries it. An
        NPU whose driver does not tell its MTU sends what the tool does by itself.
    type: list
    elements: dict
    default: []
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Ping
  npuops.ascend.hccn_check:
    checks: []
    pings: "{{ planned.plan | npuops.ascend.roce_pings(inventory_hostname) }}"

- name: Ping with packets as large as the NPUs send them
  npuops.ascend.hccn_check:
    checks: []
    pings: "{{ planned.plan | npuops.ascend.roce_pings(inventory_hostname, npus=roce.npus) }}"
"""

RETURN = r"""
_value:
  description: What O(npuops.ascend.hccn_check#module:pings) takes. Empty for a node that has nobody to ping.
  type: list
  elements: dict
"""


# Of IPv4 and ICMP.
HEADERS = 28


def roce_pings(plan, host, npus=()):
    try:
        pings = from_dict(plan).pings_of(host)
    except PlanError as exc:
        raise AnsibleFilterError(f"roce_pings: {exc}.") from exc
    sizes = {npu["phy_id"]: npu["mtu"] - HEADERS for npu in npus if npu.get("mtu")}
    if not sizes or plan.get("ping_tool") == "hccs_ping":
        return pings  # the MTU is that of the RoCE port
    return [{**ping, "size": sizes.get(ping["phy_id"])} for ping in pings]


class FilterModule:
    """Filters about the NPU network."""

    def filters(self):
        return {"roce_pings": roce_pings}

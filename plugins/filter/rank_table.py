# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._rank_table import RankDevice, RankServer, RankTableError, rank_table

DOCUMENTATION = r"""
name: rank_table
short_description: The rank table (hccl.json) of NPUs on one or several nodes
version_added: 1.0.0
description:
  - Takes C(hostvars) with the facts of M(npuops.ascend.hccn_check) and gives the content of a rank table as HCCL and
    MindIE read it, in version 1.0 or, for nodes of a super pod (Atlas A3), 1.2.
  - Ranks count over the nodes in the order of O(hosts), on each node in the order of its NPUs.
positional: hosts
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description: Inventory names of the nodes, that of rank 0 first.
    type: list
    elements: str
    required: true
  phy_ids:
    description: The phy ids of the NPUs of each node, in rank order. A node that is left out gives all its NPUs.
    type: dict
    default: {}
  addresses:
    description:
      - The management address of each node. For a node that is left out it is the host variable C(npuops_address), else
        C(ansible_host), else the inventory name.
    type: dict
    default: {}
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Read the RoCE ports
  npuops.ascend.hccn_check:

- name: Write the rank table of both nodes
  ansible.builtin.copy:
    content: "{{ hostvars | npuops.ascend.rank_table(groups['ascend']) | to_nice_json }}\n"
    dest: /etc/npuops/hccl.json
    mode: "0640"
"""

RETURN = r"""
_value:
  description: The rank table. All ids in it are strings.
  type: dict
"""


def rank_table_of(hostvars, hosts, phy_ids=None, addresses=None):
    try:
        return rank_table([_server(hostvars, host, phy_ids or {}, addresses or {}) for host in hosts])
    except RankTableError as exc:
        raise AnsibleFilterError(f"rank_table: {exc}") from exc


def _server(hostvars, host, phy_ids, addresses):
    variables = hostvars[host]
    roce = variables.get("ansible_facts", {}).get("roce")
    if roce is None:
        raise AnsibleFilterError(
            f"rank_table: {host} has no facts about its RoCE ports; run npuops.ascend.hccn_check on it first."
        )
    ports = {npu["phy_id"]: npu for npu in roce["npus"]}
    wanted = phy_ids.get(host, sorted(ports))
    unknown = [phy_id for phy_id in wanted if phy_id not in ports]
    if unknown:
        raise AnsibleFilterError(
            f"rank_table: {host} has no NPU with phy id {unknown[0]}; it has {', '.join(map(str, sorted(ports)))}."
        )
    if roce["node"].get("family") == "A3" and roce["node"].get("super_pod_id") is None:
        # HCCL on A3 reads version 1.2 only, and that names the super pod.
        raise AnsibleFilterError(
            f"rank_table: the super pod of {host} is not known; see `npu-smi info -t spod-info -i 0 -c 0` there, and "
            "run npuops.ascend.hccn_check with the check driver."
        )
    address = addresses.get(host) or variables.get("npuops_address") or variables.get("ansible_host") or host
    return RankServer(
        host=host,
        address=str(address),
        devices=tuple(RankDevice(phy_id, ports[phy_id]["ipaddr"], ports[phy_id].get("sdid")) for phy_id in wanted),
        super_pod_id=roce["node"].get("super_pod_id"),
    )


class FilterModule:
    """Filters about rank tables."""

    def filters(self):
        return {"rank_table": rank_table_of}

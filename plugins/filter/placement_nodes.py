# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._placement import interfaces_of

DOCUMENTATION = r"""
name: placement_nodes
short_description: What npu_placement needs to know of the nodes, from their facts
version_added: 1.0.0
description:
  - Takes C(hostvars) and picks for each host its chips (facts of M(npuops.ascend.npu_info)), the IPv4 addresses of its
    interfaces (facts, subset C(network)) and the addresses by which others may reach it.
  - Those are, best first, the host variable C(npuops_address), C(ansible_host), the inventory name, and the
    address of the default route. Texts that are no address of the node are passed over.
  - If M(npuops.ascend.npu_info) was asked for them, C(vnpus), C(templates) and C(topology) are taken along.
  - What M(npuops.ascend.model_info) read of models on the node goes to C(models) of the module's C(nodes). Where the
    host variable C(npuops_models) has the same directory, with C(config) and C(weights_bytes), that counts instead.
positional: hosts
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description: Inventory names of the nodes.
    type: list
    elements: str
    required: true
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Place the services
  npuops.ascend.npu_placement:
    services: "{{ ascend_services }}"
    nodes: "{{ hostvars | npuops.ascend.placement_nodes(groups['ascend']) }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: What O(npuops.ascend.npu_placement#module:nodes) takes.
  type: dict
"""


def placement_nodes(hostvars, hosts):
    nodes = {}
    for host in hosts:
        variables = hostvars[host]
        facts = variables.get("ansible_facts", {})
        if "npu" not in facts or "interfaces" not in facts:
            raise AnsibleFilterError(
                f"placement_nodes: {host} has no facts about its {'NPUs' if 'npu' not in facts else 'network'}; "
                "run npuops.ascend.npu_info and ansible.builtin.setup (gather_subset network) on it first."
            )
        hints = [
            variables.get("npuops_address"),
            variables.get("ansible_host"),
            host,
            facts.get("default_ipv4", {}).get("address"),
        ]
        nodes[host] = {
            "chips": facts["npu"]["chips"],
            "interfaces": interfaces_of(facts),
            "address_hints": [str(hint) for hint in hints if hint],
        }
        for key in ("vnpus", "templates", "topology"):
            if facts["npu"].get(key):
                nodes[host][key] = facts["npu"][key]
        models = {**facts.get("npu_models", {}), **(variables.get("npuops_models") or {})}
        if models:
            nodes[host]["models"] = models
    return nodes


class FilterModule:
    """Filters about placements."""

    def filters(self):
        return {"placement_nodes": placement_nodes}

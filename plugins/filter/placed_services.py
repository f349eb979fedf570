# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: placed_services
short_description: The earlier placement, as the nodes remember it
version_added: 1.0.0
description:
  - Makes what O(npuops.ascend.npu_placement#module:placed) takes, so that a new placement leaves every service where
    it is.
  - Whole NPUs are known from the records that the role P(npuops.ascend.npu_container#role) keeps in
    C(/var/lib/npuops/services), read with M(ansible.builtin.setup) (subset C(local)). A record counts for the
    NPUs all of whose chips it has; one with a chip that is no longer there is left out. A record of a slice that the
    Ascend runtime cuts (C(dynamic)) counts while its NPU is there.
  - Slices that stand are known from M(npuops.ascend.npu_vnpu). Those of somebody else, and those that no service
    has, are left out.
positional: hosts, slices
options:
  _input:
    description:
      - The variable C(hostvars), with the facts of M(npuops.ascend.npu_info).
    type: dict
    required: true
  hosts:
    description: Inventory names of the nodes.
    type: list
    elements: str
    required: true
  slices:
    description:
      - What M(npuops.ascend.npu_vnpu) returned, by inventory name of the node. Without C(slices), as from a skipped
        task, there are none.
    type: dict
    default: {}
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Read which services have NPUs
  ansible.builtin.setup:
    gather_subset: ["!all", "!min", network, local]
    fact_path: /var/lib/npuops/services

- name: Read the NPUs and the slices
  npuops.ascend.npu_info:
    gather: [chips, mapping, vnpus, templates]
  register: found

- name: Read for which services they were carved, by wishing for what is there
  npuops.ascend.npu_vnpu:
    slices: "{{ found.vnpus }}"
    state: present
  check_mode: true
  register: standing

- name: Place the services, and leave in place what is there
  npuops.ascend.npu_placement:
    services: "{{ ascend_services }}"
    nodes: "{{ hostvars | npuops.ascend.placement_nodes([inventory_hostname]) }}"
    placed: "{{ hostvars | npuops.ascend.placed_services([inventory_hostname], {inventory_hostname: standing}) }}"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: For each service its C(name), and in C(nodes) for each node its C(npu_ids), or its C(slice).
  type: list
  elements: dict
"""


def placed_services(hostvars, hosts, slices=None):
    nodes = {}
    for host in hosts:
        facts = hostvars[host].get("ansible_facts", {})
        npu_of = {chip["phy_id"]: chip["npu_id"] for chip in facts.get("npu", {}).get("chips", [])}
        for label, record in sorted((facts.get("ansible_local") or {}).items()):
            if isinstance(record, str):
                raise AnsibleFilterError(
                    f"placed_services: {host}: the record of service {label} cannot be read ({record}); "
                    "remove that file, and the service is placed anew."
                )
            npu_ids = _whole_npus(record.get("phy_ids"), npu_of)
            cut = record.get("slice") or {}
            if cut.get("dynamic") and cut["npu_id"] in npu_of.values():
                piece = {key: cut[key] for key in ("npu_id", "chip_id", "template")}
                nodes.setdefault(record["service"], {})[host] = {"npu_ids": [cut["npu_id"]], "slice": piece}
            elif npu_ids:
                nodes.setdefault(record["service"], {})[host] = {"npu_ids": npu_ids}
    placed = [{"name": name, "nodes": parts} for name, parts in nodes.items()]
    for host, result in (slices or {}).items():
        for piece in result.get("slices", []):
            if piece["owned"] and piece["service"]:
                cut = {key: piece[key] for key in ("npu_id", "chip_id", "template", "vnpu_id")}
                placed.append({"name": piece["service"], "nodes": {host: {"npu_ids": [piece["npu_id"]], "slice": cut}}})
    return placed


def _whole_npus(phy_ids, npu_of):
    """The NPUs that these chips are; [] where they are not whole NPUs of this node."""
    npu_ids = sorted({npu_of.get(phy_id, -1) for phy_id in phy_ids or ()})
    chips = {phy_id for phy_id, npu_id in npu_of.items() if npu_id in npu_ids}
    return npu_ids if chips == set(phy_ids or ()) else []


class FilterModule:
    """Filters about placements."""

    def filters(self):
        return {"placed_services": placed_services}

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: placed_slices
short_description: The earlier placement that the slices on the nodes stand for
version_added: 1.1.0
description:
  - Turns the slices that the collection carved for a service on each node into what
    O(npuops.ascend.npu_placement#module:placed) takes, so that a new placement leaves them where they are.
  - Slices of somebody else, and slices that no service has, are left out.
options:
  _input:
    description:
      - What M(npuops.ascend.npu_vnpu) returned, by inventory name of the node. Without C(slices), as from a skipped
        task, there are none.
    type: dict
    required: true
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Read the slices
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
    placed: "{{ {inventory_hostname: standing} | npuops.ascend.placed_slices }}"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: For each service its C(name) and in C(nodes) the slice on its node.
  type: list
  elements: dict
"""


def placed_slices(standing):
    placed = []
    for host, result in standing.items():
        for piece in result.get("slices", []):
            if piece["owned"] and piece["service"]:
                cut = {key: piece[key] for key in ("npu_id", "chip_id", "template", "vnpu_id")}
                placed.append({"name": piece["service"], "nodes": {host: {"npu_ids": [piece["npu_id"]], "slice": cut}}})
    return placed


class FilterModule:
    """Filters about placements."""

    def filters(self):
        return {"placed_slices": placed_slices}

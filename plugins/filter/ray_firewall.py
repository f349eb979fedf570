# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._ports import ranges

DOCUMENTATION = r"""
name: ray_firewall
short_description: The ports of a Ray node that only the other nodes of its cluster may reach, for a firewall
version_added: 1.0.0
description:
  - Neighbouring ports become one range. The dashboard is left out, it listens on the loopback only.
options:
  _input:
    description: The ports as M(npuops.ascend.npu_placement) returns them in C(ray_ports).
    type: dict
    required: true
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Say which ports are to be closed
  ansible.builtin.debug:
    msg: "{{ service.ray_ports | npuops.ascend.ray_firewall | join(', ') }}"  # 6379-6385, 6387, 10002-11001
"""

RETURN = r"""
_value:
  description: Ports and ranges.
  type: list
  elements: str
"""


def ray_firewall(ports):
    workers = (int(ports["worker_min"]), int(ports["worker_max"]))
    others = [int(port) for name, port in ports.items() if name not in ("dashboard", "worker_min", "worker_max")]
    return ranges([*others, workers])


class FilterModule:
    def filters(self):
        return {"ray_firewall": ray_firewall}

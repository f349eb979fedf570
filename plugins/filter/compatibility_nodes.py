# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._npu_model import family

DOCUMENTATION = r"""
name: compatibility_nodes
short_description: What was read on nodes, as npuops.ascend.compatibility takes it
version_added: 1.0.0
description:
  - Takes C(hostvars), and for each host what M(npuops.ascend.host_check) returned, and M(npuops.ascend.stack_info) and
    M(npuops.ascend.hccn_check) where they were called.
  - The family of the NPUs is that of the facts of M(npuops.ascend.npu_info) where these are there.
  - A node that did not answer, or on which a module failed, gets the reason instead.
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
  host:
    description: Name of the variable into which M(npuops.ascend.host_check) was registered.
    type: str
    default: host
  stack:
    description: Name of the variable into which M(npuops.ascend.stack_info) was registered.
    type: str
    default: stack
  ports:
    description: Name of the variable into which M(npuops.ascend.hccn_check) was registered.
    type: str
    default: ports
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Read what the node is like
  npuops.ascend.host_check:
    controller_time: "{{ now().timestamp() }}"
  register: host

- name: Judge the nodes
  npuops.ascend.compatibility:
    nodes: "{{ hostvars | npuops.ascend.compatibility_nodes(groups['ascend']) }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: A mapping for each host with C(host), C(stack), C(chip), C(driver), C(ports) and C(error).
  type: dict
"""


def compatibility_nodes(hostvars, hosts, host="host", stack="stack", ports="ports"):
    return {name: _node(hostvars[name], host, stack, ports) for name in hosts}


def _node(variables, host, stack, ports):
    read, installed, asked = (variables.get(name) or {} for name in (host, stack, ports))
    npu = variables.get("ansible_facts", {}).get("npu") or {}
    kinds = {kind.name for kind in map(family, (chip["name"] for chip in npu.get("chips") or [])) if kind}
    return {
        "host": read.get("host"),
        "stack": installed.get("stack"),
        "chip": next(iter(kinds)) if len(kinds) == 1 else None,
        "driver": npu.get("driver_version"),
        "ports": asked.get("problems") or [],
        "error": _error(read, "host") or _error(installed, "stack") or _error(asked, "problems"),
    }


def _error(result, key):
    """Why a result does not have what it is for; None if it has, or was not asked for."""
    if result.get("unreachable"):
        return "it does not answer"
    if result and not result.get("skipped") and key not in result:
        return str(result.get("msg") or "it could not be read").strip().splitlines()[0].rstrip(".")
    return None


class FilterModule:
    """Filters about versions that work together."""

    def filters(self):
        return {"compatibility_nodes": compatibility_nodes}

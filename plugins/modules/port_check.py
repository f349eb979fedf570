#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: port_check
short_description: Prove that nodes reach each other on the ports that a cluster will use
version_added: 1.0.0
description:
  - Before a cluster runs nobody listens on its ports, so a firewall between the nodes shows only when the start hangs.
    This module listens for a moment on every node, connects from every node to the others, and names each
    direction that does not work.
  - Three tasks. O(state=open) everywhere, O(state=probed) everywhere, O(state=closed) everywhere. The listeners end
    by themselves after O(lifetime) seconds, also when the play is interrupted.
  - Nothing on the node is changed, so it does the same in check mode.
options:
  state:
    description:
      - V(open) listens on O(ports). A port on which somebody listens already is left to its owner.
      - V(probed) connects to O(peers).
      - V(closed) ends the listeners of V(open).
    type: str
    choices: [open, probed, closed]
    required: true
  address:
    description: IPv4 address to listen on, for O(state=open).
    type: str
  ports:
    description: TCP ports to listen on, for O(state=open).
    type: list
    elements: int
    default: []
  peers:
    description: Whom to connect to, for O(state=probed).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the peer for the sentences.
        type: str
        required: true
      address:
        description: Its IPv4 address.
        type: str
        required: true
      ports:
        description: Its TCP ports.
        type: list
        elements: int
        required: true
  host:
    description: Name of this node for the sentences.
    type: str
    default: this node
  lifetime:
    description: Seconds after which the listeners end by themselves.
    type: int
    default: 60
  timeout:
    description: Seconds for one connection.
    type: int
    default: 5
  strict:
    description: Fail when a connection fails. With V(false) problems are only returned.
    type: bool
    default: true
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
attributes:
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Listen where Ray will
  npuops.ascend.port_check:
    state: open
    address: 192.0.2.11
    ports: [6379, 6380]
  register: listener

- name: Reach the other node
  npuops.ascend.port_check:
    state: probed
    host: node1
    peers:
      - name: node2
        address: 192.0.2.12
        ports: [6380, 6381]

- name: Stop listening
  npuops.ascend.port_check:
    state: closed
"""

RETURN = r"""
problems:
  description: Connections that failed, each with C(host), C(item), C(problem), C(remedy) and C(sentence).
  returned: when O(state=probed)
  type: list
  elements: dict
tried:
  description: Number of connections made.
  returned: when O(state=probed)
  type: int
taken:
  description: Ports on which somebody else listens already.
  returned: when O(state=open)
  type: list
  elements: int
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._ports import bind, connect_all, detach, end
from ..module_utils._proc import start_time
from ..module_utils._services import Problem

PID_FILE = "/run/npuops-port-check.pid"


def close():
    try:
        with open(PID_FILE, encoding="ascii") as handle:
            pid, started = map(int, handle.read().split())
        os.unlink(PID_FILE)
    except FileNotFoundError:
        return
    end(pid, started)


def probe(params):
    targets = {(peer["address"], port): peer["name"] for peer in params["peers"] for port in peer["ports"]}
    failed = {}
    for (address, port), reason in connect_all(targets, params["timeout"]).items():
        if reason is not None:
            failed.setdefault((targets[address, port], address, reason), []).append(port)
    problems = [
        Problem(
            params["host"],
            "network",
            f"it cannot reach {name} ({address}) on TCP {', '.join(map(str, sorted(ports)))}: {reason}",
            "open these ports between the nodes (firewalld, ufw, security groups), or correct the address",
        )
        for (name, address, reason), ports in sorted(failed.items())
    ]
    return len(targets), problems


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["open", "probed", "closed"], "required": True},
            "address": {"type": "str"},
            "ports": {"type": "list", "elements": "int", "default": []},
            "peers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                    "ports": {"type": "list", "elements": "int", "required": True},
                },
            },
            "host": {"type": "str", "default": "this node"},
            "lifetime": {"type": "int", "default": 60},
            "timeout": {"type": "int", "default": 5},
            "strict": {"type": "bool", "default": True},
        },
        required_if=[("state", "open", ["address", "ports"])],
        supports_check_mode=True,
    )
    params = module.params
    if params["state"] == "closed":
        close()
        module.exit_json(changed=False)
    if params["state"] == "open":
        close()  # what an interrupted run left would look like a stranger on the port
        try:
            sockets, taken = bind(params["address"], params["ports"])
        except OSError as exc:
            module.fail_json(
                msg=f"{params['host']}: cannot listen on {params['address']}: {exc}; is that address on this node?"
            )
        if sockets:
            pid = detach(sockets, params["lifetime"])
            with open(PID_FILE, "w", encoding="ascii") as handle:
                handle.write(f"{pid} {start_time(pid)}")
        module.exit_json(changed=False, taken=taken)
    tried, problems = probe(params)
    result = {"changed": False, "tried": tried, "problems": [problem.to_dict() for problem in problems]}
    if problems and params["strict"]:
        module.fail_json(msg="\n".join(problem.sentence() for problem in problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

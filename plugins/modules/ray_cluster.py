#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ray_cluster
short_description: Wait until a Ray cluster has the nodes and the NPUs that were asked for
version_added: 1.0.0
description:
  - Reads the node table of the cluster's head from inside a container on it, and waits until every expected node is
    alive and brings exactly its NPUs. Counting nodes alone lets a service start that waits for ever for NPUs.
  - Works with plain C(ray), as the vLLM-Ascend images have it. Neither the dashboard nor C(ray[default]) is needed.
  - Reads only. In check mode it looks once and does not wait.
options:
  container:
    description: Running container on this node that has Ray, usually the head's.
    type: str
    required: true
  address:
    description: Address of the head as C(host:port).
    type: str
    required: true
  nodes:
    description:
      - The nodes that must be there. Without any, the state is only read.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: IPv4 address that the node gave to C(ray start --node-ip-address).
        type: str
        required: true
      npus:
        description: How many NPUs it must bring.
        type: int
        required: true
  wait_timeout:
    description: Seconds to wait in all.
    type: int
    default: 120
  interval:
    description: Seconds between two looks.
    type: int
    default: 2
  timeout:
    description: Seconds that one look may take.
    type: int
    default: 60
  docker:
    description: Path or name of the engine's command line.
    type: str
    default: docker
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Wait for 16 NPUs on two nodes
  npuops.ascend.ray_cluster:
    container: npuops-research-ray
    address: 192.0.2.11:6379
    nodes:
      - {address: 192.0.2.11, npus: 8}
      - {address: 192.0.2.12, npus: 8}
    wait_timeout: 180

- name: Read the cluster
  npuops.ascend.ray_cluster:
    container: npuops-research-ray
    address: 192.0.2.11:6379
  register: cluster
"""

RETURN = r"""
complete:
  description: Every expected node is alive with its NPUs. Can be false in check mode only.
  returned: always
  type: bool
nodes:
  description: All nodes that the head remembers, dead ones included.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: The node's address.
      type: str
      sample: 192.0.2.11
    hostname:
      description: Its host name.
      type: str
    alive:
      description: Whether Ray counts on it.
      type: bool
    head:
      description: Whether it is the head.
      type: bool
    npus:
      description: NPUs it brings.
      type: int
    npus_free:
      description: NPUs that nobody has reserved.
      type: int
    death:
      description: Ray's reason when it is dead.
      type: str
npus:
  description: NPUs of all living nodes.
  returned: always
  type: int
missing:
  description: What is not there, as sentences.
  returned: always
  type: list
  elements: str
waited_s:
  description: Seconds until it was complete.
  returned: always
  type: float
"""

import inspect
import json
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _ray_nodes
from ..module_utils._run import VendorError, run


def look(params):
    """(nodes, None), or (None, why the head could not be asked)."""
    argv = [params["docker"], "exec", "-i", params["container"], "python3", "-", params["address"]]
    try:
        answer = run(argv, timeout=params["timeout"], stdin=inspect.getsource(_ray_nodes))
    except VendorError as exc:
        return None, str(exc)
    if answer.rc != 0:
        return None, (answer.stderr or answer.stdout).strip().rsplit("\n", 1)[-1]
    try:
        # Ray may log to stdout before; the list is the last line.
        return json.loads(answer.stdout.strip().rsplit("\n", 1)[-1]), None
    except ValueError:
        return None, f"unexpected output: {answer.stdout[-300:]!r}"


def main():
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "nodes": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"address": {"type": "str", "required": True}, "npus": {"type": "int", "required": True}},
            },
            "wait_timeout": {"type": "int", "default": 120},
            "interval": {"type": "int", "default": 2},
            "timeout": {"type": "int", "default": 60},
            "docker": {"type": "str", "default": "docker"},
        },
        supports_check_mode=True,
    )
    params = module.params
    expected = {node["address"]: node["npus"] for node in params["nodes"]}
    started = time.monotonic()
    while True:
        nodes, trouble = look(params)
        absent = [trouble] if trouble else _ray_nodes.missing(nodes, expected)
        waited = time.monotonic() - started
        if not absent or module.check_mode or waited >= params["wait_timeout"]:
            break
        time.sleep(min(params["interval"], max(0, params["wait_timeout"] - waited)))
    nodes = nodes or []
    result = {
        "changed": False,
        "complete": not absent,
        "nodes": nodes,
        "npus": sum(node["npus"] for node in nodes if node["alive"]),
        "missing": absent,
        "waited_s": round(waited, 1),
    }
    if absent and not module.check_mode:
        module.fail_json(
            msg=f"Ray cluster {params['address']} is not complete after {waited:.0f} s: {'; '.join(absent)}. "
            f"Asked inside container {params['container']}; look at `docker logs {params['container']}` "
            "on the node that is missing.",
            **result,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()

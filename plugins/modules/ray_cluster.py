#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ray_cluster
short_description: Wait until a Ray cluster has its nodes and NPUs, or until nodes of it have no work
version_added: 1.0.0
description:
  - Reads the node table of the cluster's head from inside a container on it, and waits until every expected node is
    alive and brings exactly its NPUs. Counting nodes alone lets a service start that waits for ever for NPUs.
  - Works with plain C(ray), as the vLLM-Ascend images have it. Neither the dashboard nor C(ray[default]) is needed.
  - Nodes are known by their addresses. A node that came back is a new one for Ray; its earlier lives stay listed.
  - With O(state=complete) it reads only. In check mode it looks once and does not wait.
options:
  state:
    description:
      - V(complete) waits for O(nodes).
      - V(drained) tells O(nodes) to take no new work, and waits until the server at O(url) has no requests. It stops
        nothing. A node that is not there has no work.
    type: str
    choices: [complete, drained]
    default: complete
  url:
    description: Endpoint of the server in the cluster, for O(state=drained). Without one, no requests are waited for.
    type: str
    default: ""
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
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - A node that is drained stops by itself once it has no work, and then counts as drained.
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

- name: Let the requests on a node end
  npuops.ascend.ray_cluster:
    state: drained
    container: npuops-research-ray
    address: 192.0.2.11:6379
    nodes:
      - {address: 192.0.2.12, npus: 8}
    url: http://192.0.2.11:8000
    wait_timeout: 600
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
    critical:
      description: NPU IDs that the node left out because they are Critical.
      type: list
      elements: int
    id:
      description: Ray's id of this life of the node.
      type: str
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
dead:
  description: Addresses of nodes that were in the cluster and are not any more.
  returned: always
  type: list
  elements: str
stale:
  description: Number of entries of earlier lives of nodes that are back. They do no harm.
  returned: always
  type: int
duplicates:
  description: Addresses that are alive in the cluster more than once.
  returned: always
  type: list
  elements: str
unexpected:
  description: Addresses of living nodes that nobody asked for. A server would use their NPUs, too.
  returned: always
  type: list
  elements: str
requests:
  description: Requests that the server still has, or null where that was not asked.
  returned: always
  type: int
waited_s:
  description: Seconds until it was complete, or without work.
  returned: always
  type: float
"""

import inspect
import json
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _ray_nodes
from ..module_utils._run import VendorError, run
from ..module_utils._watchdog import Http, requests


def ask(params, *words):
    """(answer, None), or (None, why the head could not be asked)."""
    argv = [params["docker"], "exec", "-i", params["container"], "python3", "-", params["address"], *words]
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


def wait(params, once, look):
    """Call C(look) until it has nothing to say, there is no time left, or C(once): (its last words, seconds)."""
    started = time.monotonic()
    while True:
        words = look()
        waited = time.monotonic() - started
        if not words or once or waited >= params["wait_timeout"]:
            return words, waited
        time.sleep(min(params["interval"], max(0, params["wait_timeout"] - waited)))


def complete(module, result):
    params = module.params
    expected = {node["address"]: node["npus"] for node in params["nodes"]}

    def look():
        nodes, trouble = ask(params)
        result["nodes"] = nodes or []
        return [trouble] if trouble else _ray_nodes.missing(nodes, expected)

    result["missing"], waited = wait(params, module.check_mode, look)
    result.update(
        _ray_nodes.census(result["nodes"], expected),
        complete=not result["missing"],
        npus=sum(node["npus"] for node in result["nodes"] if node["alive"]),
        waited_s=round(waited, 1),
    )
    for address in result["unexpected"]:
        module.warn(
            f"Ray cluster {params['address']}: node {address} is in it and nobody asked for it; stop Ray there."
        )
    if result["missing"] and not module.check_mode:
        module.fail_json(
            msg=f"Ray cluster {params['address']} is not complete after {waited:.0f} s: "
            f"{'; '.join(result['missing'])}. Asked inside container {params['container']}; "
            f"look at `docker logs {params['container']}` on the node that is missing.",
            **result,
        )


def drained(module, result):
    params = module.params
    addresses = {node["address"] for node in params["nodes"]}
    nodes, trouble = ask(params)
    if trouble:
        # Without a head there is no cluster, and nothing that could be lost.
        result["missing"] = [trouble]
        return
    result["nodes"] = nodes
    result.update(_ray_nodes.census(nodes, {}))
    result["changed"] = any(node["alive"] and node["address"] in addresses for node in nodes)
    if module.check_mode or not result["changed"]:
        return
    refused, trouble = ask(params, "drain", str(params["wait_timeout"]), *sorted(addresses))
    if trouble or refused:
        module.fail_json(msg=trouble or "; ".join(refused), **result)
    if not params["url"]:
        return
    server = Http(params["url"])

    def look():
        result["requests"] = requests(server, params["timeout"])
        return [f"{result['requests']} requests are under way"] if result["requests"] else []

    result["missing"], waited = wait(params, False, look)
    result["waited_s"] = round(waited, 1)
    if result["missing"]:
        module.fail_json(
            msg=f"{params['url']}: {result['missing'][0]} after {waited:.0f} s. Send no new ones to it, raise the "
            "time, or stop it as it is (ray_state: stopped).",
            **result,
        )


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["complete", "drained"], "default": "complete"},
            "url": {"type": "str", "default": ""},
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
    result = {"changed": False, "complete": False, "nodes": [], "npus": 0, "missing": [], "requests": None}
    result.update(dead=[], stale=0, duplicates=[], unexpected=[], waited_s=0.0)
    {"complete": complete, "drained": drained}[module.params["state"]](module, result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

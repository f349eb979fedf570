#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: roce_plan
short_description: Plan which NPU pings which other one, and compare the RoCE settings of nodes
version_added: 1.0.0
description:
  - Takes what M(npuops.ascend.hccn_check) found on each node and plans pings between NPUs of different nodes, in
    rounds. In a round every NPU has at most one peer, and both ping each other. Every pair is tried once.
  - Names what no node can see alone. These are TLS switches, MTU, speeds and drivers that differ, addresses used twice,
    netmasks that contradict each other, and cables that are in each other's place by what LLDP says. Irregular
    addresses, as clouds give them, are fine.
  - Pure arithmetic. It runs on the controller (C(delegate_to=localhost), C(run_once=true)) and touches nothing.
    The same input gives the same plan.
  - RV(plan) is no larger than the fleet. The filter P(npuops.ascend.roce_pings#filter) turns it into the pings of one
    node, for O(npuops.ascend.hccn_check#module:pings).
options:
  nodes:
    description:
      - What M(npuops.ascend.hccn_check) returned, by inventory name, with C(npus) and C(node) at least.
      - NPUs without an address are not pinged.
    type: dict
    required: true
  mode:
    description:
      - V(full) tries every pair of NPUs of different nodes. With k NPUs on each of n nodes that takes (n-1)*k rounds,
        and at most n*k when n and k are both odd.
      - V(rail) tries NPUs of the same phy id on every pair of nodes. It takes n-1 rounds, n if n is odd.
      - V(ring) tries NPUs of the same phy id on nodes next to each other by name. It takes 2 rounds, 3 if n is odd.
      - V(auto) is V(full) while that takes at most 32 rounds (5 nodes of 8 NPUs, 3 of 16), else V(rail) while that
        takes at most 64 rounds (64 nodes), else V(ring).
    type: str
    choices: [auto, full, rail, ring]
    default: auto
  groups:
    description:
      - Lists of nodes that serve together. Only their NPUs are paired and compared, and groups share the rounds. Groups
        with a node in common become one. Nodes in no group are not pinged.
      - The default is one group of all nodes.
    type: list
    elements: list
    default: []
  ping_tool:
    description:
      - V(ping) goes over RoCE. V(hccs_ping) goes to the vNIC addresses of an Atlas A3 super pod.
      - V(auto) is V(hccs_ping) when all nodes are A3 and all their NPUs have vNIC addresses that are used once, as in
        one super pod, else V(ping).
    type: str
    choices: [auto, ping, hccs_ping]
    default: auto
  bandwidth:
    description: Whether to plan bandwidth tests, too. Each NPU sends to the same NPU of the next node, over RoCE.
    type: bool
    default: false
  bandwidth_nodes:
    description:
      - How many nodes may have bandwidth tests at the same time, V(0) for any number. Both sides of a test run in one
        task, so it must not be more than Ansible has forks.
    type: int
    default: 0
  pings:
    description:
      - RV(npuops.ascend.hccn_check#module:pings) of each node, by inventory name. No bandwidth is tested between NPUs
        of which one did not reach the other.
    type: dict
    default: {}
  max_pings:
    description: A plan with more pings is refused. 512 nodes of 8 NPUs take 2.1 million with O(mode=rail).
    type: int
    default: 2500000
  strict:
    description: Fail when there is any problem of severity V(fail). With V(false) problems are only returned.
    type: bool
    default: false
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: posix
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.hccn_check
  - module: npuops.ascend.roce_report
  - plugin: npuops.ascend.roce_pings
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Look at the RoCE ports of every node
  npuops.ascend.hccn_check:
    host: "{{ inventory_hostname }}"
  register: roce

- name: Plan the pings between them
  npuops.ascend.roce_plan:
    nodes: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'roce'))) }}"
  delegate_to: localhost
  run_once: true
  register: planned

- name: Ping
  npuops.ascend.hccn_check:
    host: "{{ inventory_hostname }}"
    checks: []
    pings: "{{ planned.plan | npuops.ascend.roce_pings(inventory_hostname) }}"
    ping_tool: "{{ planned.ping_tool }}"
  register: pinged
"""

RETURN = r"""
plan:
  description: The plan, for P(npuops.ascend.roce_pings#filter) and O(npuops.ascend.roce_report#module:plan).
  returned: always
  type: dict
  contains:
    mode:
      description: As RV(mode).
      type: str
      sample: rail
    ping_tool:
      description: As RV(ping_tool).
      type: str
      sample: ping
    groups:
      description: The nodes that serve together.
      type: list
      elements: list
      sample: [[node1, node2]]
    nodes:
      description: Pairs of phy id and address of each node's NPUs.
      type: dict
      sample: {node1: [[0, 10.77.1.10]], node2: [[0, 10.77.2.10]]}
mode:
  description: The mode, never V(auto).
  returned: always
  type: str
  sample: rail
ping_tool:
  description: What to ping with, never V(auto).
  returned: always
  type: str
  sample: ping
rounds:
  description: How many rounds the plan takes.
  returned: always
  type: int
  sample: 63
bound:
  description: How many rounds any plan of these pairs takes at least.
  returned: always
  type: int
  sample: 63
pairs:
  description: How many pairs of NPUs are tried, each both ways.
  returned: always
  type: int
  sample: 16128
ping_count:
  description: How many pings that is.
  returned: always
  type: int
  sample: 32256
bandwidth:
  description:
    - Steps of bandwidth tests, one after the other, each with the tests of the nodes by name, as
      O(npuops.ascend.hccn_check#module:bandwidth) takes them. Empty without O(bandwidth).
  returned: always
  type: list
  elements: dict
  sample:
    - node1: [{phy_id: 0, role: sender, peer: node2, peer_phy_id: 0, address: 10.77.2.10}]
      node2: [{phy_id: 0, role: receiver, peer: node1, peer_phy_id: 0, address: 10.77.2.10}]
not_pinged:
  description: NPUs that are in no pair, with C(host), C(phy_id) and C(why).
  returned: always
  type: list
  elements: dict
  sample: [{host: node3, phy_id: 5, why: its address is not known}]
problems:
  description: What differs or contradicts itself between the nodes. What fails comes first.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The node.
      type: str
      sample: node2
    phy_ids:
      description: The NPUs of it, by the N of C(/dev/davinciN); empty when it is about the node.
      type: list
      elements: int
      sample: [3]
    peers:
      description: Other NPUs that have to do with it, each with C(host) and C(phy_id).
      type: list
      elements: dict
      sample: [{host: node1, phy_id: 0}]
    check:
      description: What kind of problem it is, in one word.
      type: str
      sample: tls
    severity:
      description: V(fail) or V(warn).
      type: str
      sample: fail
    item:
      description: The NPUs as words.
      type: str
      sample: phy id 3
    problem:
      description: What is wrong.
      type: str
      sample: "TLS switch is 1, but 0 on 15 of 16 NPUs (phy id 0 of node1): HCCL connects only equal ones"
    remedy:
      description: What to do.
      type: str
      sample: "set it as on the others with `hccn_tool -i 3 -tls -s enable 0`"
    sentence:
      description: All of it.
      type: str
      sample: "node2: phy id 3: TLS switch is 1, but 0 on 15 of 16 NPUs; set it as on the others."
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._roce_bandwidth import bandwidth_steps
from ..module_utils._roce_fleet import compare, ends_to_ping, ping_tool_for, pinged_by
from ..module_utils._roce_plan import MAX_PINGS, PlanError, plan


def unreached(pings):
    """Pairs of ends, as frozensets, of which one sent packets that did not come back."""
    return {
        frozenset({(host, ping["phy_id"]), (ping["peer"], ping["peer_phy_id"])})
        for host, tried in pings.items()
        for ping in tried or ()
        if not ping.get("received") and (ping.get("transmitted") or ping.get("unreachable"))
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "dict", "required": True},
            "mode": {"type": "str", "choices": ["auto", "full", "rail", "ring"], "default": "auto"},
            "groups": {"type": "list", "elements": "list", "default": []},
            "ping_tool": {"type": "str", "choices": ["auto", "ping", "hccs_ping"], "default": "auto"},
            "bandwidth": {"type": "bool", "default": False},
            "bandwidth_nodes": {"type": "int", "default": 0},
            "pings": {"type": "dict", "default": {}},
            "max_pings": {"type": "int", "default": MAX_PINGS},
            "strict": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    nodes, groups = module.params["nodes"], module.params["groups"]
    try:
        tool = module.params["ping_tool"]
        tool = ping_tool_for(nodes) if tool == "auto" else tool
        made = plan(ends_to_ping(nodes, tool), module.params["mode"], groups, module.params["max_pings"])
        found = compare(nodes, groups, pinged_by(tool))
        steps = []
        if module.params["bandwidth"]:
            dead = unreached(module.params["pings"])
            steps = list(bandwidth_steps(ends_to_ping(nodes, "ping"), groups, module.params["bandwidth_nodes"], dead))
    except PlanError as exc:
        module.fail_json(msg=f"{exc}.")
    except (AttributeError, KeyError, TypeError) as exc:
        module.fail_json(
            msg=f"nodes: every entry must be what hccn_check returned; reading them failed with {exc!r}. "
            "See whether hccn_check ran on each of these nodes."
        )
    problems = sorted((finding.to_dict() for finding in found), key=lambda problem: problem["severity"] != "fail")
    result = {
        "changed": False,
        "plan": {**made.to_dict(), "ping_tool": tool},
        "mode": made.mode,
        "ping_tool": tool,
        "rounds": made.rounds,
        "bound": made.bound,
        "pairs": made.pairs,
        "ping_count": made.pings,
        "bandwidth": steps,
        "not_pinged": [npu._asdict() for npu in made.skipped + made.alone],
        "problems": problems,
    }
    failed = [problem["sentence"] for problem in problems if problem["severity"] == "fail"]
    if failed and module.params["strict"]:
        module.fail_json(msg="\n".join(failed), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: roce_report
short_description: Judge the NPU network of a fleet from checks and pings
version_added: 1.0.0
description:
  - Puts together what M(npuops.ascend.hccn_check) found on each node and what came of the pings that
    M(npuops.ascend.roce_plan) planned, and says for each NPU and each pair whether it is well.
  - Looks for the fewest causes. An NPU that fails with all its peers has the fault itself, a single pair whose ends
    reach others has a path that has it, and so on for nodes and parts of the fleet. What a node said of an NPU decides
    where pings alone cannot.
  - A ping that came back outranks what an NPU says of its link and its net health.
  - Runs on the controller (C(delegate_to=localhost), C(run_once=true)).
options:
  nodes:
    description: What M(npuops.ascend.hccn_check) returned, by inventory name.
    type: dict
    required: true
  plan:
    description: RV(npuops.ascend.roce_plan#module:plan) that was carried out.
    type: dict
    required: true
  pings:
    description:
      - RV(npuops.ascend.hccn_check#module:pings) of each node, by inventory name.
      - A ping that was planned and has no result is a problem.
    type: dict
    default: {}
  hosts:
    description: Nodes that should be in O(nodes). For each that is not there is a problem.
    type: list
    elements: str
    default: []
  max_loss_pct:
    description: Loss of packets up to this is none. A network that carries RDMA should not lose any.
    type: float
    default: 0
  bandwidth:
    description: RV(npuops.ascend.hccn_check#module:bandwidth) of each node, by inventory name, of all steps together.
    type: dict
    default: {}
  bandwidth_least:
    description: Bandwidth as a share of the speed of the link, of which less is a warning.
    type: float
    default: 0.8
  html:
    description:
      - File for the report as a page that needs no other file. It has what to repair, a matrix of who reaches whom, and
        a table of all NPUs with their switch ports and transceivers.
      - The same report gives the same page. Left out, it is not written.
    type: path
  json:
    description: File for the report with all pairs. Left out, it is not written.
    type: path
  strict:
    description: Fail when the verdict is V(fail), after the files are written. With V(false) it is only returned.
    type: bool
    default: false
extends_documentation_fragment:
  - ansible.builtin.files
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - The summary is what a reader wants to compare.
  idempotent:
    support: full
  platform:
    platforms: posix
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.hccn_check
  - module: npuops.ascend.roce_plan
"""

EXAMPLES = r"""
---
- name: Judge what was found and pinged
  npuops.ascend.roce_report:
    nodes: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'roce'))) }}"
    plan: "{{ planned.plan }}"
    pings: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, ['pinged', 'pings']))) }}"
    hosts: "{{ ansible_play_hosts_all }}"
    html: network.html
    json: network.json
  delegate_to: localhost
  run_once: true
  register: network

- name: Show it in the terminal
  ansible.builtin.debug:
    var: network.summary
"""

RETURN = r"""
verdict:
  description: V(pass), V(warn) or V(fail), the worst of the problems.
  returned: always
  type: str
  sample: fail
summary:
  description: What was tried and every problem, as lines for a terminal.
  returned: always
  type: list
  elements: str
  sample:
    - "RoCE FAIL: 16 NPUs of 2 nodes; 64 pairs in 8 rounds (full, 16.3 s): 56 fine, 8 failed, 0 unknown"
    - "fail  node2: phy id 3: it reaches none of 8 peers (phy ids 0-7 of node1); it has its link DOWN; seat the cable."
mode:
  description: The mode of the plan.
  returned: always
  type: str
  sample: full
ping_tool:
  description: What was pinged with.
  returned: always
  type: str
  sample: ping
rounds:
  description: Rounds of the plan.
  returned: always
  type: int
  sample: 8
bound:
  description: Rounds that any plan of these pairs takes at least.
  returned: always
  type: int
  sample: 8
seconds:
  description: How long the pings took. For each round the slowest ping counts.
  returned: always
  type: float
  sample: 16.3
counts:
  description: How many there are of each.
  returned: always
  type: dict
  sample: {hosts: 2, npus: 16, pairs: 64, pairs_pass: 56, pairs_fail: 8, pairs_unknown: 0}
hosts:
  description: The nodes, by name.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The node.
      type: str
      sample: node2
    verdict:
      description: The worst of its NPUs and of what is said of the node.
      type: str
      sample: fail
    group:
      description: Number of the group in the plan, null for none.
      type: int
      sample: 0
    npus:
      description: How many NPUs were checked.
      type: int
      sample: 8
    driver_version:
      description: Its driver.
      type: str
      sample: 25.2.0
    family:
      description: Family of its chips.
      type: str
      sample: A2
    roce_ports:
      description: Whether its NPUs have RoCE ports. One without is left out.
      type: bool
      sample: true
npus:
  description:
    - The NPUs, by node and phy id.
    - C(npu_id), C(chip_id), C(ipaddr), C(netmask), C(gateway), C(netdetect), C(link), C(net_health), C(tls_switch),
      C(speed_mbps), C(mtu), C(lldp), C(optical) and C(vnic) are those of RV(npuops.ascend.hccn_check#module:npus).
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The node.
      type: str
      sample: node2
    phy_id:
      description: The N of C(/dev/davinciN).
      type: int
      sample: 3
    verdict:
      description: The worst of the problems that count for it.
      type: str
      sample: fail
    problems:
      description: Numbers of these problems in RV(problems), from 0.
      type: list
      elements: int
      sample: [0]
    switch_port:
      description: The port at the other end of its cable, in words, null when LLDP tells none.
      type: str
      sample: port 400GE1/1/9:2 of leaf1
    peers:
      description: How many NPUs were to be tried with it.
      type: int
      sample: 8
    peers_fine:
      description: With how many of them all packets came through.
      type: int
      sample: 0
    peers_lossy:
      description: With how many some were lost.
      type: int
      sample: 0
    peers_unreached:
      description: With how many none came through.
      type: int
      sample: 8
    peers_unknown:
      description: With how many nobody knows.
      type: int
      sample: 0
    avg_ms:
      description: Average round trip of its own pings.
      type: float
      sample: 0.067
    bandwidth_gbits:
      description: What it sends to the same NPU of the next node, in Gbit/s, null if that was not measured.
      type: float
      sample: 195.5
    not_pinged:
      description: Why it is in no pair, null if it is.
      type: str
      sample: its address is not known
pairs:
  description:
    - The pairs, by plan. When there are more than 20000, only those that are not fine; O(json) always has all.
  returned: always
  type: list
  elements: dict
  contains:
    round:
      description: The round, from 0.
      type: int
      sample: 0
    host:
      description: The node of one end.
      type: str
      sample: node1
    phy_id:
      description: The NPU of that end.
      type: int
      sample: 0
    peer:
      description: The node of the other end.
      type: str
      sample: node2
    peer_phy_id:
      description: The NPU of the other end.
      type: int
      sample: 3
    verdict:
      description: V(pass), V(fail), or V(unknown) without any result.
      type: str
      sample: fail
    there:
      description:
        - From the one end to the other. V(ok), V(loss), V(dead) when nothing came back, V(long) when the packets are
          too large, V(none) without result.
      type: str
      sample: dead
    back:
      description: The same from the other end.
      type: str
      sample: dead
    loss_pct:
      description: Loss both ways.
      type: float
      sample: 100.0
    avg_ms:
      description: Average round trip.
      type: float
      sample: 0.067
    max_ms:
      description: Longest round trip.
      type: float
      sample: 0.149
bandwidth:
  description: The bandwidth tests, each with both its sides.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The node that sends.
      type: str
      sample: node1
    phy_id:
      description: Its NPU.
      type: int
      sample: 0
    peer:
      description: The node that receives.
      type: str
      sample: node2
    peer_phy_id:
      description: Its NPU.
      type: int
      sample: 0
    gbits:
      description: Bandwidth in 10^9 bits a second, null without result.
      type: float
      sample: 195.5
    link_gbits:
      description: Speed of the slower one of both links, null if it is not known.
      type: float
      sample: 200.0
    verdict:
      description: V(pass), V(warn) for less than O(bandwidth_least), V(fail) without result.
      type: str
      sample: pass
    error:
      description: Why there is no result, or what is left of the test.
      type: str
      sample: no result within 60 s
    remedy:
      description: What to do about the error.
      type: str
      sample: see that a ping gets through
problems:
  description: What is wrong between the nodes and on them. What fails comes first.
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
      sample: isolated
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
      sample: it reaches none of 8 peers (phy ids 0-7 of node1); it has its link DOWN
    remedy:
      description: What to do.
      type: str
      sample: seat or change the cable and the transceiver
    sentence:
      description: All of it.
      type: str
      sample: "node2: phy id 3: it reaches none of 8 peers (phy ids 0-7 of node1); seat or change the cable."
files:
  description: The files of the report.
  returned: always
  type: list
  elements: str
  sample: [/root/network.html, /root/network.json]
written:
  description: Those of them that were written, or would be.
  returned: always
  type: list
  elements: str
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._network_page import render
from ..module_utils._roce_fleet import pinged_by, report, summary
from ..module_utils._roce_plan import PlanError, from_dict
from ..module_utils._text_file import write_text

# More than that of pairs do not belong into the result of a task.
SHOWN_PAIRS = 20000

# Option that names a file: what goes into it, as text.
FILES = {"html": render, "json": lambda found: json.dumps(found, indent=1, sort_keys=True) + "\n"}


def main():
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "dict", "required": True},
            "plan": {"type": "dict", "required": True},
            "pings": {"type": "dict", "default": {}},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "max_loss_pct": {"type": "float", "default": 0},
            "bandwidth": {"type": "dict", "default": {}},
            "bandwidth_least": {"type": "float", "default": 0.8},
            "html": {"type": "path"},
            "json": {"type": "path"},
            "strict": {"type": "bool", "default": False},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    given = module.params
    try:
        plan = from_dict(given["plan"])
        tool = given["plan"].get("ping_tool", "ping")
        found = report(
            given["nodes"],
            plan,
            given["pings"],
            given["hosts"],
            pinged_by(tool),
            given["max_loss_pct"],
            given["bandwidth"],
            given["bandwidth_least"],
        )
    except PlanError as exc:
        module.fail_json(msg=f"plan: {exc}.")
    except (AttributeError, KeyError, TypeError) as exc:
        module.fail_json(
            msg=f"nodes and pings: every entry must be what hccn_check returned; reading them failed with {exc!r}. "
            "See whether hccn_check ran on each of these nodes."
        )
    found["ping_tool"] = tool
    result = {**found, "summary": summary(found)}
    if len(found["pairs"]) > SHOWN_PAIRS:
        result["pairs"] = [pair for pair in found["pairs"] if pair["verdict"] != "pass"]
    result["files"] = [given[option] for option in FILES if given[option]]
    result["written"] = [
        given[option]
        for option, text_of in FILES.items()
        if given[option] and write_text(module, given[option], text_of(found))
    ]
    result["changed"] = bool(result["written"])
    if found["verdict"] == "fail" and given["strict"]:
        failed = [problem["sentence"] for problem in found["problems"] if problem["severity"] == "fail"]
        module.fail_json(msg="\n".join(failed), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

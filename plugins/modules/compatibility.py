#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: compatibility
short_description: Judge whether versions work together, and what the hosts of a fleet are like
version_added: 1.0.0
description:
  - Compares what is wished (O(wish), O(services), O(images)) with what nodes have (O(nodes)). Driver and firmware, HDK
    and CANN, vLLM-Ascend and HDK, image and NPU, features and HDK, Docker and its runtime, operating system,
    architecture and Python, room, tuning, firewalls, RoCE addresses.
  - Beside each other nodes are compared by versions, clocks, ids and RoCE addresses.
  - What a table rules out is an error, with rows that would work. What no table knows is a warning and never more.
  - Without O(nodes) the wish alone is judged, before any machine is there.
  - Pure arithmetic. It runs on the controller (C(delegate_to=localhost), C(run_once=true)) and touches nothing but
    O(json).
options:
  wish:
    description:
      - C(ascend_stack) of the inventory, as P(npuops.ascend.stack_versions#filter) takes it. A version in it goes
        before what is installed, because the roles will install it.
    type: raw
  nodes:
    description:
      - What was read on each node, by inventory name. The filter P(npuops.ascend.compatibility_nodes#filter) makes it.
      - C(host) is RV(npuops.ascend.host_check#module:host), C(stack) RV(npuops.ascend.stack_info#module:stack),
        C(ports) the C(problems) of M(npuops.ascend.hccn_check), C(chip) the family of the NPUs and C(driver) the
        version of the driver, both for nodes that do not tell otherwise, and C(error) why a node could not be read.
    type: dict
    default: {}
  services:
    description: The services, as in C(ascend_services). Their images and the features they use are judged.
    type: list
    elements: raw
    default: []
  images:
    description: Image for each engine.
    type: dict
    default: {}
  max_skew_s:
    description: Seconds by which the clocks of two nodes may differ.
    type: float
    default: 5.0
  image_gb:
    description: GB that must be free where the engine keeps its images.
    type: float
    default: 30.0
  json:
    description: File for the whole report. Left out, it is not written.
    type: path
  strict:
    description: Fail when there is an error, after the file is written. With V(false) it is only returned.
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
      - The table is what a reader wants to compare.
  idempotent:
    support: full
  platform:
    platforms: posix
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.host_check
  - plugin: npuops.ascend.stack_versions
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Refuse a wish that cannot work, before there is a machine
  npuops.ascend.compatibility:
    wish: {hdk: 25.0.RC1, vllm_ascend: v0.23.0}
    strict: true
  delegate_to: localhost
  run_once: true

- name: Read the nodes
  npuops.ascend.host_check:
    controller_time: "{{ now().timestamp() }}"
  register: host

- name: Judge them
  npuops.ascend.compatibility:
    wish: "25.5.0"
    nodes: "{{ hostvars | npuops.ascend.compatibility_nodes(groups['ascend'], host='host') }}"
    services: "{{ ascend_services }}"
    images: {vllm: "quay.io/ascend/vllm-ascend:v0.23.0"}
  delegate_to: localhost
  run_once: true
  register: judged

- name: Show the table
  ansible.builtin.debug:
    msg: "{{ judged.table }}"
  run_once: true
"""

RETURN = r"""
verdict:
  description: V(error) or V(warning) if there is a finding of this level, else V(ok).
  returned: always
  type: str
  sample: warning
findings:
  description: What was found, errors first. What several nodes have in common is one finding.
  returned: always
  type: list
  elements: dict
  contains:
    level:
      description: V(error), V(warning) or V(note).
      type: str
      sample: error
    subject:
      description: What it is about.
      type: str
      sample: HDK and CANN
    problem:
      description: What is so.
      type: str
      sample: CANN 9.1.0 does not run on HDK 25.0.RC1
    remedy:
      description: What to do.
      type: str
      sample: take versions that fit
    rows:
      description: Combinations that would work, each with C(hdk) (a list), C(cann) and C(vllm_ascend).
      type: list
      elements: dict
      sample: [{hdk: [25.2.X, 25.3.X, 25.5.X], cann: 9.1.0, vllm_ascend: v0.23.0}]
    hosts:
      description: The nodes, none for a finding of the wish itself.
      type: list
      elements: str
      sample: [node1]
    sentence:
      description: All of it in one sentence.
      type: str
table:
  description: Lines to read. Nodes that are alike are one line.
  returned: always
  type: list
  elements: str
errors:
  description: Lines of the errors alone, with the rows that would work.
  returned: always
  type: list
  elements: str
stack:
  description: The versions of O(wish).
  returned: always
  type: dict
nodes:
  description: For each node C(chip) and the versions found.
  returned: always
  type: dict
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._compatibility import StackError, stack_versions
from ..module_utils._compatibility_fleet import Node, judge, table
from ..module_utils._compatibility_host import Limits
from ..module_utils._text_file import write_text

NODE_KEYS = ("host", "stack", "chip", "driver", "ports", "error")


def main():
    module = AnsibleModule(
        argument_spec={
            "wish": {"type": "raw"},
            "nodes": {"type": "dict", "default": {}},
            "services": {"type": "list", "elements": "raw", "default": []},
            "images": {"type": "dict", "default": {}},
            "max_skew_s": {"type": "float", "default": 5.0},
            "image_gb": {"type": "float", "default": 30.0},
            "json": {"type": "path"},
            "strict": {"type": "bool", "default": False},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    params = module.params
    try:
        wish = stack_versions(params["wish"])
    except StackError as exc:
        module.fail_json(msg=f"wish: {exc}.")
    try:
        nodes = {name: Node(**{key: given.get(key) for key in NODE_KEYS}) for name, given in params["nodes"].items()}
        limits = Limits(params["max_skew_s"], params["image_gb"])
        found = judge(nodes, wish, params["services"], params["images"], limits)
        lines = table(nodes, found)
    except (AttributeError, KeyError, TypeError) as exc:
        module.fail_json(
            msg="nodes: every entry must have what host_check returned; reading them failed with "
            f"{exc!r}. See whether it ran on each of these nodes."
        )
    levels = [shared.finding.level for shared in found]
    report = {
        "verdict": next((level for level in ("error", "warning") if level in levels), "ok"),
        "findings": [shared.to_dict() for shared in found],
        "stack": wish,
        "nodes": {name: {"chip": node.family, **node.found()} for name, node in nodes.items()},
    }
    changed = False
    if params["json"]:
        hosts = {name: node.host for name, node in nodes.items()}
        text = json.dumps({**report, "hosts": hosts}, indent=2, sort_keys=True, ensure_ascii=False)
        changed = write_text(module, params["json"], text + "\n")
    errors = [line for shared in found if shared.finding.level == "error" for line in shared.lines()]
    result = {"changed": changed, "table": lines, "errors": errors, **report}
    if report["verdict"] == "error" and params["strict"]:
        module.fail_json(msg="\n".join(errors), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

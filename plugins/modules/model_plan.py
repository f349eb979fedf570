#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_plan
short_description: Plan which node fetches a model, and which copies it from which
version_added: 1.0.0
description:
  - Judges C(ascend_models), and spreads it over the nodes of the services that use the models.
  - With O(found) it tells who fetches a model from its source, and in which rounds the other nodes copy it. A source is
    read once. In each round every node that has a model sends it to one that has not, so N nodes take log2 N rounds.
  - Runs on the controller. Changes nothing.
options:
  models:
    description: The variable C(ascend_models), see the role P(npuops.ascend.model#role).
    type: list
    elements: raw
    required: true
  services:
    description: The variable C(ascend_services).
    type: list
    elements: raw
    default: []
  hosts:
    description: Nodes of the run, in their order.
    type: list
    elements: str
    required: true
  found:
    description: What M(npuops.ascend.model_files) tells of each node, by its name.
    type: dict
  sources:
    description: Fingerprints of the directories that models are copied from, by the models' paths.
    type: dict
    default: {}
  refresh:
    description: Fetch from hubs again what is there, so that branches are followed.
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
  - module: npuops.ascend.model_files
"""

EXAMPLES = r"""
---
- name: See which models belong where
  npuops.ascend.model_plan:
    models: "{{ ascend_models }}"
    services: "{{ ascend_services }}"
    hosts: "{{ groups['ascend'] }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
wishes:
  description: The models of each node, with all keys, and the services that use them.
  returned: always
  type: dict
work:
  description: What is to be done, when O(found) is given.
  returned: when O(found) is given
  type: dict
  contains:
    fetches:
      description: Models that a node fetches from their source, by its name.
      type: dict
    rounds:
      description: Copies that run at the same time, each with C(path), C(from), C(to) and C(source) (the
        directory on the node that gives), round by round.
      type: list
      elements: list
    shared:
      description: Models that another node writes to the same file system, with its name, by the name of the node.
      type: dict
    takes:
      description: What a node copies in each round, by its name.
      type: dict
    gives:
      description: Which models a node gives to which others, by its name.
      type: dict
    needed:
      description: Nodes that lack a model, by its path.
      type: dict
    sources:
      description: Where a model comes from, as it is recorded, by its path.
      type: dict
problems:
  description: Each with C(host), C(item), C(problem), C(remedy) and all of them as one C(sentence).
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._model_plan import moves, wishes


def main():
    module = AnsibleModule(
        argument_spec={
            "models": {"type": "list", "elements": "raw", "required": True},
            "services": {"type": "list", "elements": "raw", "default": []},
            "hosts": {"type": "list", "elements": "str", "required": True},
            "found": {"type": "dict"},
            "sources": {"type": "dict", "default": {}},
            "refresh": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted, problems = wishes(params["models"], params["services"], params["hosts"])
    result = {"changed": False, "wishes": wanted}
    if params["found"] is not None and not problems:
        result["work"], problems = moves(wanted, params["found"], params["sources"], params["refresh"])
    result["problems"] = [problem.to_dict() for problem in problems]
    if problems:
        module.fail_json(msg="\n".join(problem.sentence() for problem in problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

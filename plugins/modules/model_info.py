#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_info
short_description: Read of what size the models of a node are
version_added: 1.0.0
description:
  - Reads of each model directory what its need of memory follows from. These are the shapes in C(config.json), and the
    bytes of the weights by the headers of their files. The weights themselves are not read, so it takes milliseconds.
  - Of files with an index those that it names count, otherwise all C(*.safetensors), or where there are none all
    C(pytorch_model*.bin). Every file of the index must be there, and every safetensors file must be as long as its
    header tells.
  - What is missing, unreadable or broken is a problem that names the file. No value is guessed.
  - Runs on the node that has the models. Changes nothing.
options:
  models:
    description: Directories of models, absolute.
    type: list
    elements: str
    required: true
  host:
    description: Name of the node for the sentences.
    type: str
    default: this node
  strict:
    description:
      - Fail when there is any problem. With V(false) problems are only returned, and those of the directory are in its
        RV(models[].problem), too.
    type: bool
    default: true
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
  - module: npuops.ascend.npu_placement
  - plugin: npuops.ascend.placement_nodes
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Read the models whose need of memory is to be worked out
  npuops.ascend.model_info:
    host: "{{ inventory_hostname }}"
    models: [/data/models/bge-m3, /data/models/Qwen2.5-7B-Instruct]
    strict: false

- name: Place the services, with vnpu.memory_gb auto for those models
  npuops.ascend.npu_placement:
    services: "{{ ascend_services }}"
    nodes: "{{ hostvars | npuops.ascend.placement_nodes(groups['ascend']) }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
models:
  description: What was read, by directory as it was given.
  returned: always
  type: dict
  contains:
    config:
      description: Of C(config.json) the keys that sizing looks at, with those of the language model's part where the
        model has several. Empty after a problem.
      type: dict
      sample: {model_type: qwen2, num_hidden_layers: 28, num_key_value_heads: 4, torch_dtype: bfloat16}
    weights_bytes:
      description: Bytes of the weights as they lie in the files. Null after a problem.
      type: int
      sample: 15231233024
    weights_from:
      description: What was summed up for it. Null after a problem.
      type: str
      sample: 4 safetensors files
    quantization:
      description: Kind of quantization that the model's files name, else null.
      type: str
      sample: W8A8
    quant_model_description:
      description: Whether there is a C(quant_model_description.json), as ModelSlim writes it.
      type: bool
      sample: false
    notes:
      description: What is odd, but no obstacle, such as an index of the model from which this one was made.
      type: list
      elements: str
    problem:
      description: Why the model cannot be sized, or null.
      type: str
      sample: /data/models/bge-m3 is not there
  sample:
    /data/models/Qwen2.5-7B-Instruct:
      config: {model_type: qwen2, num_hidden_layers: 28, num_key_value_heads: 4, torch_dtype: bfloat16}
      weights_bytes: 15231233024
      weights_from: 4 safetensors files
      quantization:
      quant_model_description: false
      notes: []
      problem:
problems:
  description: Each with C(host), C(item), C(problem), C(remedy) and all of them as one C(sentence).
  returned: always
  type: list
  elements: dict
ansible_facts:
  description: The same values as facts.
  returned: always
  type: dict
  contains:
    npu_models:
      description: RV(models).
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._model_files import ModelError, read_model
from ..module_utils._services import Problem

NOTHING = {
    "config": {},
    "weights_bytes": None,
    "weights_from": None,
    "quantization": None,
    "quant_model_description": False,
    "notes": [],
}


def main():
    module = AnsibleModule(
        argument_spec={
            "models": {"type": "list", "elements": "str", "required": True},
            "host": {"type": "str", "default": "this node"},
            "strict": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    models, problems = {}, []
    for path in module.params["models"]:
        try:
            models[path] = {**read_model(path), "problem": None}
        except ModelError as exc:
            models[path] = {**NOTHING, "problem": exc.problem}
            problems.append(Problem(module.params["host"], "model", exc.problem, exc.remedy))
    result = {
        "changed": False,
        "models": models,
        "problems": [problem.to_dict() for problem in problems],
        "ansible_facts": {"npu_models": models},
    }
    if problems and module.params["strict"]:
        module.fail_json(msg="\n".join(problem.sentence() for problem in problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_check
short_description: Judge whether a node is ready for the services placed on it, or carries them
version_added: 1.0.0
description:
  - Before serving (O(expect=ready)). Every NPU of the placement is present, C(OK), without a stranger's process, and
    without HBM that nobody holds (a zombie). The model directory is complete. That is every weight file of its
    index, as long as its header tells. The ports are free.
  - After serving (O(expect=serving)). Every NPU of the placement shows a process of its service with memory, and
    no other NPU shows one.
  - What belongs to a service is told by the variable C(NPUOPS_SERVICE) in the environment of its processes, so a
    service that already runs is no obstacle to itself.
  - Reads only. One call does it for all services of the node.
options:
  parts:
    description:
      - What was placed on this node.
    type: list
    elements: dict
    required: true
    suboptions:
      service:
        description: Name of the service.
        type: str
        required: true
      npu_ids:
        description: NPU ids as C(npu-smi) prints them.
        type: list
        elements: int
        required: true
      template:
        description:
          - Template of the slice that the service has of its NPU. Left out, it has the whole NPU.
          - On a cut NPU processes and HBM of others are no obstacle.
        type: str
      ports:
        description: TCP ports that the service will listen on here.
        type: list
        elements: int
        default: []
      adapters:
        description: LoRA adapters of the service. Each must be there, and fit O(parts[].adapters[].max_rank).
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name under which it is served.
            type: str
            required: true
          path:
            description: Its directory.
            type: path
            required: true
          max_rank:
            description: The largest rank that the service takes (C(max_lora_rank)).
            type: int
            default: 16
      model:
        description: Directory of the weights. Left out, it is not checked.
        type: path
  paths:
    description: Files and directories of the host that the containers will mount. For O(expect=ready).
    type: list
    elements: path
    default: []
  awaited:
    description: Model directories that are brought later on, which are not checked yet. For O(expect=ready).
    type: list
    elements: path
    default: []
  expect:
    description: Which question to answer.
    type: str
    choices: [ready, serving]
    default: ready
  host:
    description: Name of the node for the sentences.
    type: str
    default: this node
  idle_hbm_mb:
    description:
      - HBM in MB that an idle chip may show.
      - By default a value for each chip model, taken from captured outputs of idle machines.
    type: int
  npu_smi:
    description: Path or name of C(npu-smi).
    type: str
    default: npu-smi
  timeout:
    description: Seconds that one vendor command may take.
    type: int
    default: 60
  strict:
    description: Fail when there is any problem. With V(false) problems are only returned.
    type: bool
    default: true
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.npu_placement
"""

EXAMPLES = r"""
---
- name: Refuse to serve on busy or sick NPUs
  npuops.ascend.node_check:
    host: "{{ inventory_hostname }}"
    parts:
      - service: assistant
        npu_ids: [4, 5]
        ports: [8001]
        model: /data/models/Qwen3-32B

- name: See the service on its NPUs, and on no others
  npuops.ascend.node_check:
    expect: serving
    parts:
      - service: assistant
        npu_ids: [4, 5]
"""

RETURN = r"""
problems:
  description: Each with C(host), C(item), C(problem), C(remedy) and all of them as one C(sentence).
  returned: always
  type: list
  elements: dict
npus:
  description: What C(npu-smi) shows on the NPUs of the parts, one entry for each chip.
  returned: always
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU ID.
      type: int
    chip_id:
      description: Chip ID.
      type: int
    health:
      description: Health word of the tool.
      type: str
    hbm_mb:
      description: Used and total HBM in MB, or null.
      type: list
      elements: int
    owners:
      description: Services whose processes are on the chip. Null stands for a process that is not the collection's.
      type: list
      elements: str
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._model_files import ModelError, read_model
from ..module_utils._node_check import check_model, check_npus, check_paths, check_ports, check_serving
from ..module_utils._npu_model import idle_hbm_mb
from ..module_utils._npu_smi import NpuSmi
from ..module_utils._proc import listeners, owner_of
from ..module_utils._run import VendorError
from ..module_utils._vllm_lora import check_adapter, look_at

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
INDEX = "model.safetensors.index.json"


def look_at_model(path):
    """What is in a model directory, as C(check_model) takes it; a broken index counts as a missing file."""
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    real = os.path.realpath(path) + os.sep
    seen = {
        "directory": os.path.isdir(path),
        "config": "config.json" in names,
        "weights": any(name.endswith(WEIGHTS) for name in names),
        "missing": [],
        "broken": None,
        "outside": [name for name in names if not os.path.realpath(os.path.join(path, name)).startswith(real)],
    }
    if INDEX in names:
        try:
            with open(os.path.join(path, INDEX), encoding="utf-8") as handle:
                shards = sorted(set(json.load(handle)["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, OSError):
            shards = [INDEX + " (unreadable)"]
        seen["missing"] = [shard for shard in shards if not os.path.isfile(os.path.join(path, shard))]
    if seen["config"] and not seen["missing"] and any(name.endswith(".safetensors") for name in names):
        try:
            read_model(path)
        except ModelError as exc:
            seen["broken"] = (exc.problem, exc.remedy)
    return seen


def readiness(module, found, owners):
    host = module.params["host"]
    limit = module.params["idle_hbm_mb"]
    idle = idle_hbm_mb if limit is None else lambda name: limit
    parts = module.params["parts"]
    taken = listeners({port for part in parts for port in part["ports"]})
    problems = check_paths(host, [path for path in module.params["paths"] if not os.path.exists(path)])
    for part in parts:
        problems += check_npus(host, part["service"], part["npu_ids"], found, owners, idle, part["template"])
        problems += check_ports(host, part["service"], part["ports"], taken)
        if part["model"] and part["model"] not in module.params["awaited"]:
            problems += check_model(host, part["service"], part["model"], look_at_model(part["model"]))
        for adapter in part["adapters"]:
            problems += check_adapter(host, part["service"], adapter, look_at(adapter["path"]))
    return problems


def main():
    module = AnsibleModule(
        argument_spec={
            "parts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "service": {"type": "str", "required": True},
                    "npu_ids": {"type": "list", "elements": "int", "required": True},
                    "template": {"type": "str"},
                    "ports": {"type": "list", "elements": "int", "default": []},
                    "adapters": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "name": {"type": "str", "required": True},
                            "path": {"type": "path", "required": True},
                            "max_rank": {"type": "int", "default": 16},
                        },
                    },
                    "model": {"type": "path"},
                },
            },
            "paths": {"type": "list", "elements": "path", "default": []},
            "awaited": {"type": "list", "elements": "path", "default": []},
            "expect": {"type": "str", "choices": ["ready", "serving"], "default": "ready"},
            "host": {"type": "str", "default": "this node"},
            "idle_hbm_mb": {"type": "int"},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "timeout": {"type": "int", "default": 60},
            "strict": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    parts = module.params["parts"]
    try:
        found = NpuSmi(module.params["npu_smi"], module.params["timeout"]).info().to_dict()
    except VendorError as exc:
        module.fail_json(**exc.to_fail())
    owners = {process["pid"]: owner_of(process["pid"]) for process in found["processes"]}
    if module.params["expect"] == "ready":
        problems = readiness(module, found, owners)
    else:
        problems = check_serving(module.params["host"], parts, found, owners)
    asked = {npu for part in parts for npu in part["npu_ids"]}
    npus = [
        {
            "npu_id": chip["npu_id"],
            "chip_id": chip["chip_id"],
            "health": chip["health"],
            "hbm_mb": chip["hbm_mb"],
            "owners": sorted(
                {
                    owners[p["pid"]]
                    for p in found["processes"]
                    if p["npu_id"] == chip["npu_id"] and p["chip_id"] in (chip["chip_id"], None)
                },
                key=str,
            ),
        }
        for chip in found["chips"]
        if chip["npu_id"] in asked
    ]
    result = {"changed": False, "problems": [problem.to_dict() for problem in problems], "npus": npus}
    if problems and module.params["strict"]:
        module.fail_json(msg="\n".join(problem.sentence() for problem in problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

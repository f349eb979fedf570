#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_files
short_description: Verify the files of models on a node, and keep a record of them
version_added: 1.0.0
description:
  - Tells of each directory whether it holds a whole model. That is every file of the index, headers and lengths of the
    safetensors files, a C(config.json) that can be read, a tokenizer, and the checksums of the record.
  - The record under C(/var/lib/npuops/models) has size, time and SHA-256 of each file. A file with the size and time of
    the record is not read again, so a second run takes milliseconds.
  - Runs on the node that has the models.
options:
  models:
    description: What to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The model's directory, absolute.
        type: str
        required: true
      tokenizer:
        description: Whether a tokenizer must be there. Some models of images have none.
        type: bool
        default: true
      adopt:
        description:
          - Read a model that has no record through, and make one. The collection never removes it for that.
        type: bool
        default: false
      told:
        description:
          - Record of another node that has written the model to the same file system, with C(files), C(source) and
            C(commit). What it has verified is not read here once more.
        type: dict
      used_by:
        description: Names of services that use it, for O(state=absent).
        type: list
        elements: str
        default: []
      owner:
        description: Owner of its files, by name or number.
        type: str
      group:
        description: Group of its files, by name or number.
        type: str
      directory_mode:
        description: Mode of its directories, in octal.
        type: str
      file_mode:
        description: Mode of its files, in octal.
        type: str
  state:
    description:
      - V(present) verifies, corrects owner and modes, and keeps the record.
      - V(absent) removes models which the collection has put there, and which neither a service in O(models[].used_by)
        nor a process nor a container on the node uses. Others are refused.
    type: str
    choices: [present, absent]
    default: present
  full:
    description: Read every file again and compare its SHA-256 with the record.
    type: bool
    default: false
  host:
    description: Name of the node for the sentences.
    type: str
    default: this node
  records:
    description: Directory of the records.
    type: path
    default: /var/lib/npuops/models
  strict:
    description: Fail when there is any problem. With V(false) problems are only returned.
    type: bool
    default: true
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
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.model_fetch
  - module: npuops.ascend.model_copy
"""

EXAMPLES = r"""
---
- name: See that a model is whole, and let MindIE read it
  npuops.ascend.model_files:
    models:
      - path: /data/models/Qwen3-32B
        adopt: true
        group: "1000"
        directory_mode: "0750"
        file_mode: "0640"

- name: Read every byte again
  npuops.ascend.model_files:
    models: [{path: /data/models/Qwen3-32B}]
    full: true
"""

RETURN = r"""
models:
  description: What was found, by directory as it was given.
  returned: always
  type: dict
  contains:
    complete:
      description: Whether the model is whole and its record says so.
      type: bool
    recorded:
      description: Whether there is a record.
      type: bool
    created:
      description: Whether the collection has put it there.
      type: bool
    source:
      description: Where it came from, as the record has it, or null.
      type: dict
    commit:
      description: The revision that it is, or null.
      type: str
    files:
      description: Size and SHA-256 of each file, when it is whole. Without a record SHA-256 is null.
      type: dict
    bytes:
      description: Size of all its files.
      type: int
    problem:
      description: What is wrong, or null.
      type: str
    remedy:
      description: What to do about it, or null.
      type: str
    wrong:
      description: Files that are missing, cut or other than recorded.
      type: list
      elements: str
    read_bytes:
      description: How much was read through.
      type: int
    fingerprint:
      description: Another text when any file has another name, size or time than before.
      type: str
    changed:
      description: Whether owner or modes were corrected.
      type: bool
    storage:
      description: The file system, where nodes share it, else an empty text.
      type: str
    free_bytes:
      description: Free room of the file system.
      type: int
    partial_bytes:
      description: What an unfinished run has left to go on with.
      type: int
keys_left:
  description: Whether an interrupted run has left keys here that M(npuops.ascend.model_peer) has made.
  returned: always
  type: bool
removed:
  description: Directories that are gone.
  returned: O(state=absent)
  type: list
  elements: str
problems:
  description: Each with C(host), C(item), C(problem), C(remedy) and all of them as one C(sentence).
  returned: always
  type: list
  elements: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._model_examine import examine, users
from ..module_utils._model_files import ModelError
from ..module_utils._model_options import PERMISSIONS, permissions
from ..module_utils._model_peer import RUN
from ..module_utils._model_store import RECORDS, Store
from ..module_utils._services import Problem


def absent(module, wish, store):
    """Whether the model is (or would be) removed; raises ModelError where it is not ours to remove."""
    stands = any(os.path.isdir(path) for path in (store.path, store.partial, store.old))
    record = store.read_record()
    if not stands:
        return False
    if os.path.isdir(store.path) and not (record and record["created"]):
        raise ModelError(f"{store.path} was not put there by this collection", "remove it yourself if it may go")
    if wish["used_by"]:
        raise ModelError(f"{store.path} is used by service '{wish['used_by'][0]}'", "take that service away first")
    holders = users(store.path)
    if holders:
        raise ModelError(f"{store.path} is used by {', '.join(holders[:3])}", "take that service away first")
    if not module.check_mode:
        with store.lock():
            store.remove()
    return True


def main():
    module = AnsibleModule(
        argument_spec={
            "models": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "str", "required": True},
                    "tokenizer": {"type": "bool", "default": True},
                    "adopt": {"type": "bool", "default": False},
                    "told": {"type": "dict"},
                    "used_by": {"type": "list", "elements": "str", "default": []},
                    **PERMISSIONS,
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "full": {"type": "bool", "default": False},
            "host": {"type": "str", "default": "this node"},
            "records": {"type": "path", "default": RECORDS},
            "strict": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    models, removed, problems = {}, [], []

    def tell(path, problem, remedy):
        problems.append(Problem(params["host"], f"model {os.path.basename(path)}", problem, remedy))

    for wish in params["models"]:
        path = wish["path"]
        try:
            store = Store(path, params["records"])
            if params["state"] == "absent":
                removed += [path] if absent(module, wish, store) else []
                continue
            write = not module.check_mode
            models[path] = examine(
                store, wish["tokenizer"], params["full"], wish["adopt"], permissions(wish), write, wish["told"]
            )
        except ModelError as exc:
            tell(path, exc.problem, exc.remedy)
            continue
        except OSError as exc:
            tell(path, f"{exc.filename or path}: {exc.strerror}", "mend the directory")
            continue
        if models[path]["problem"]:
            tell(path, models[path]["problem"], models[path]["remedy"])
    result = {
        "changed": bool(removed) or any(model["changed"] for model in models.values()),
        "models": models,
        "problems": [problem.to_dict() for problem in problems],
        "keys_left": os.path.isdir(RUN),
    }
    if params["state"] == "absent":
        result["removed"] = removed
    if problems and params["strict"]:
        module.fail_json(msg="\n".join(problem.sentence() for problem in problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

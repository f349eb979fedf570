#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_copy
short_description: Copy a model from another node, or from a directory, by rsync
version_added: 1.0.0
description:
  - Brings the files of a model beside its directory, verifies all of them, and renames. Files that are there and right
    are not brought again, and an interrupted copy goes on where it stopped, in the middle of a file, too.
  - Runs on the node where the model is to be. From another node it copies by SSH with the key that
    M(npuops.ascend.model_peer) has made, and checks its host key.
options:
  source_path:
    description: The directory to copy from, absolute. By default O(path).
    type: str
  files:
    description: Size and SHA-256 of every file, as M(npuops.ascend.model_files) tells them. SHA-256 may be null.
    type: dict
    required: true
  source:
    description: Where the model came from in the first place, for the record.
    type: dict
  commit:
    description: Which revision it is, for the record.
    type: str
  address:
    description: Address of the node to copy from. Left out, O(source_path) is a directory of this node.
    type: str
  port:
    description: Port of its SSH server.
    type: int
    default: 22
  user:
    description: User to log in as.
    type: str
    default: root
  host_keys:
    description: Its public host keys. No other is accepted.
    type: list
    elements: str
    default: []
  arrived:
    description: Something else has brought the files beside the directory. They are verified and renamed only.
    type: bool
    default: false
  limit_mb:
    description: MB/s at most. 0 means no limit.
    type: int
    default: 0
  attempts:
    description: How often a copy that breaks off goes on.
    type: int
    default: 3
  timeout:
    description: Seconds for one copy.
    type: int
    default: 86400
extends_documentation_fragment:
  - npuops.ascend.model
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
  - module: npuops.ascend.model_peer
"""

EXAMPLES = r"""
---
- name: Copy a model from a mounted filer
  npuops.ascend.model_copy:
    path: /data/models/Qwen3-32B
    source_path: /mnt/filer/Qwen3-32B
    files: "{{ source.models['/mnt/filer/Qwen3-32B'].files }}"
"""

RETURN = r"""
files:
  description: Size and SHA-256 of every file.
  returned: success
  type: dict
fetched:
  description: Names of the files that were (or would be) copied.
  returned: success
  type: list
  elements: str
fetched_bytes:
  description: Size of these.
  returned: success
  type: int
duration_s:
  description: Seconds that it took.
  returned: success
  type: float
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._model_examine import bring
from ..module_utils._model_files import ModelError
from ..module_utils._model_manifest import total, wrong_sizes
from ..module_utils._model_options import BRINGING, permissions
from ..module_utils._model_peer import RUN, known_hosts_text, rsync_argv
from ..module_utils._model_store import Store
from ..module_utils._run import CommandError, run
from ..module_utils._services import Problem


def from_peer(params):
    """What rsync needs to reach the other node, with its host keys in a file of their own."""
    if not params["address"]:
        return None
    known_hosts = os.path.join(RUN, f"known_hosts-{os.getpid()}")
    with open(known_hosts, "w", encoding="utf-8") as handle:
        handle.write(known_hosts_text(params["address"], params["port"], params["host_keys"]))
    keys = ("address", "port", "user")
    return {**{key: params[key] for key in keys}, "key": os.path.join(RUN, "key"), "known_hosts": known_hosts}


def by_rsync(params, target):
    """A function that brings files by rsync, going on when the line breaks."""
    where = params["source_path"] or params["path"]
    told = f"{params['address']}:{where}" if params["address"] else where

    def copy(names):
        if params["arrived"]:
            raise ModelError(f"{names[0]} of {params['path']} has not arrived", "run this again")
        argv = rsync_argv(where, target, from_peer(params), limit_mb=params["limit_mb"])
        for attempt in range(max(1, params["attempts"])):
            try:
                done = run(argv, params["timeout"], "install rsync", stdin="\0".join(names))
            except CommandError as exc:
                raise ModelError(f"rsync from {told}: {exc.reason}", exc.remedy) from exc
            if done.rc == 0:
                return
            time.sleep(min(30, 2**attempt))
        said = " | ".join(done.stderr.strip().splitlines()[:3])[-500:]
        raise ModelError(
            f"rsync from {told} ends with {done.rc}: {said}",
            "see that SSH lets this node in there and that rsync is on both; what has arrived stays, so run this again",
        )

    return copy


def main():
    module = AnsibleModule(
        argument_spec={
            "source_path": {"type": "str"},
            "files": {"type": "dict", "required": True},
            "source": {"type": "dict"},
            "commit": {"type": "str"},
            "address": {"type": "str"},
            "port": {"type": "int", "default": 22},
            "user": {"type": "str", "default": "root"},
            "host_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "arrived": {"type": "bool", "default": False},
            "limit_mb": {"type": "int", "default": 0},
            "attempts": {"type": "int", "default": 3},
            "timeout": {"type": "int", "default": 86400},
            **BRINGING,
        },
        supports_check_mode=True,
    )
    params = module.params
    started = time.monotonic()

    def fail(problem, remedy):
        item = f"model {os.path.basename(params['path'])}"
        module.fail_json(msg=Problem(params["host"], item, problem, remedy).sentence())

    try:
        store = Store(params["path"], params["records"])
        manifest = params["files"]
        if not manifest:
            raise ModelError("the source told no file", "verify it there with model_files")
        if module.check_mode:
            missing = sorted(set(wrong_sizes(store.path, manifest)) & set(wrong_sizes(store.partial, manifest)))
            size = total({name: manifest[name] for name in missing})
            store.check_space(size)
            result = {"changed": bool(missing), "files": manifest, "fetched": missing, "fetched_bytes": size}
        else:
            copy = by_rsync(params, store.partial)
            modes = permissions(params)
            result = bring(store, manifest, copy, params["source"], params["commit"], params["tokenizer"], modes)
            result.pop("reused")
    except ModelError as exc:
        fail(exc.problem, exc.remedy)
    except OSError as exc:
        fail(f"{exc.filename or params['path']}: {exc.strerror}", "mend the directory")
    module.exit_json(duration_s=round(time.monotonic() - started, 2), **result)


if __name__ == "__main__":
    main()

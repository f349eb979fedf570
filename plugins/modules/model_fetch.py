#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_fetch
short_description: Fetch a model from a hub by the hub's own client
version_added: 1.0.0
description:
  - Asks the hub which files the revision has, looks what of them is there, sees that the rest fits on the disk, has the
    hub's client fetch it beside the model's directory, verifies all of it, and renames it. A half model never stands
    under the name. What an interrupted run has fetched stays for the next one.
  - Verified are sizes, SHA-256 or Git ids as the hub tells them, headers and lengths of safetensors files, every file
    of the index, C(config.json) and the tokenizer.
  - A model whose record names the same source is not asked for again. So a branch stays what it was on the day it was
    fetched, until O(refresh).
  - Only one run writes a model at a time. Runs on the node where the model is to be.
options:
  hub:
    description: Where it comes from.
    type: str
    choices: [huggingface, modelscope, openmind]
    required: true
  repo:
    description: Name of the repository, such as C(Qwen/Qwen3-32B).
    type: str
    required: true
  revision:
    description:
      - Commit, tag or branch. A commit is the same files for ever.
      - By default C(main), of ModelScope C(master).
    type: str
  endpoint:
    description: Address of a mirror, such as C(https://hf-mirror.com). By default the hub's own.
    type: str
  token:
    description:
      - Token for the hub, from a vault. It is given to the client by its environment, and written nowhere.
    type: str
  include:
    description: Patterns of file names to fetch. Empty means all.
    type: list
    elements: str
    default: []
  exclude:
    description: Patterns of file names to leave out.
    type: list
    elements: str
    default: []
  python:
    description: Python that has the hub's client (packages C(huggingface_hub), C(modelscope) or C(openmind_hub)).
    type: path
    default: python3
  workers:
    description: Files that the client fetches side by side.
    type: int
    default: 8
  attempts:
    description: How often the client is started again after a failure. It goes on where it stopped.
    type: int
    default: 3
  timeout:
    description: Seconds for one start of the client.
    type: int
    default: 86400
  refresh:
    description: Ask the hub whether the revision has other files now.
    type: bool
    default: false
extends_documentation_fragment:
  - npuops.ascend.model
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
    details:
      - The hub is asked for its list of files, so the answer says what would be fetched and how much it is. Of openMind
        only the client itself can list.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.model_copy
  - module: npuops.ascend.model_files
"""

EXAMPLES = r"""
---
- name: Fetch a model by a mirror
  npuops.ascend.model_fetch:
    path: /data/models/Qwen3-32B
    hub: huggingface
    repo: Qwen/Qwen3-32B
    revision: 9216db5781bf21249d130ec9da846c4624c16137
    endpoint: https://hf-mirror.com
    token: "{{ model_tokens.huggingface }}"
    python: /opt/npuops/huggingface/bin/python
"""

RETURN = r"""
commit:
  description: The commit that is there. For ModelScope the revision, as it tells no commit of the whole.
  returned: success
  type: str
files:
  description: Size and SHA-256 of every file. In check mode SHA-256 is null where the hub does not tell it.
  returned: success
  type: dict
bytes:
  description: Size of the model.
  returned: success
  type: int
fetched:
  description: Names of the files that were (or would be) fetched.
  returned: success
  type: list
  elements: str
fetched_bytes:
  description: Size of these.
  returned: success
  type: int
pinned:
  description: Whether the revision is a commit.
  returned: success
  type: bool
duration_s:
  description: Seconds that it took.
  returned: success
  type: float
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url

from ..module_utils._model_examine import bring, examine
from ..module_utils._model_files import ModelError
from ..module_utils._model_hub import (
    CLIENT,
    HUBS,
    PACKAGES,
    REVISIONS,
    check_repo,
    environment,
    is_pinned,
    listing_address,
    listing_headers,
    read_client_listing,
    read_listing,
    refusal,
)
from ..module_utils._model_manifest import total, wrong_sizes
from ..module_utils._model_options import BRINGING, permissions
from ..module_utils._model_store import Store
from ..module_utils._run import CommandError, run
from ..module_utils._services import Problem


def client(module, job):
    """Run the hub's client with a job, and answer what it printed last. It goes on where it stopped."""
    params = module.params
    package = PACKAGES[params["hub"]]
    attempts = 1 if job["list"] else max(1, params["attempts"])
    missing = f"give the Python that has {package} as python, or let the role install it"
    for attempt in range(attempts):
        try:
            done = run([params["python"], "-c", CLIENT], params["timeout"], missing, stdin=json.dumps(job))
        except CommandError as exc:
            raise ModelError(f"{params['python']}: {exc.reason}", exc.remedy) from exc
        if done.rc == 0:
            return json.loads(done.stdout.strip().splitlines()[-1])
        said = [line for line in done.stderr.strip().splitlines() if line.strip()]
        if any("ModuleNotFoundError" in line for line in said[-1:]):
            raise ModelError(f"{params['python']} has no {package} ({said[-1]})", missing)
        if attempt + 1 < attempts:
            time.sleep(min(30, 2**attempt))
    raise ModelError(
        f"{package} failed {attempts} times: {' | '.join(said[-3:])[-600:]}",
        "look at the endpoint, the proxy and the token from that node; what has arrived stays, so run this again",
    )


def hub_listing(module):
    """(manifest, commit) as the hub tells them now."""
    params = module.params
    hub, revision = params["hub"], params["revision"]
    if hub == "openmind":
        job = {"hub": hub, "repo": params["repo"], "commit": revision, "files": [], "list": True}
        return read_client_listing(client(module, job), params["include"], params["exclude"])
    address = listing_address(hub, params["endpoint"], params["repo"], revision)
    response, info = fetch_url(module, address, headers=listing_headers(hub, params["token"]), timeout=60)
    if info["status"] != 200:
        raise refusal(hub, params["repo"], revision, info["status"], info["msg"])
    text = response.read().decode("utf-8", "replace")
    return read_listing(hub, text, revision, params["include"], params["exclude"])


def fetch(module):
    params = module.params
    check_repo(params["hub"], params["repo"])
    params["revision"] = params["revision"] or REVISIONS[params["hub"]]
    keys = ("repo", "revision", "include", "exclude")
    source = {"kind": params["hub"], **{key: params[key] for key in keys}}
    modes = permissions(params)
    store = Store(params["path"], params["records"])
    found = examine(store, params["tokenizer"], permissions=modes, write=not module.check_mode)
    result = {"fetched": [], "fetched_bytes": 0, "pinned": is_pinned(params["revision"]), "changed": found["changed"]}
    if found["complete"] and found["source"] == source and not params["refresh"]:
        return {**result, "commit": found["commit"], "files": found["files"], "bytes": found["bytes"]}
    os.environ.update(environment(params["hub"], params["endpoint"], params["token"]))
    manifest, commit = hub_listing(module)
    if module.check_mode:
        missing = sorted(set(wrong_sizes(store.path, manifest)) & set(wrong_sizes(store.partial, manifest)))
        size = total({name: manifest[name] for name in missing})
        result.update(fetched=missing, fetched_bytes=size, changed=bool(missing) or found["changed"])
        store.check_space(size)
        return {**result, "commit": commit, "files": manifest, "bytes": total(manifest)}

    def by_client(names):
        job = {"hub": params["hub"], "repo": params["repo"], "commit": commit, "to": store.partial, "files": names}
        client(module, {**job, "workers": params["workers"], "list": False})

    brought = bring(store, manifest, by_client, source, commit, params["tokenizer"], modes)
    brought.pop("reused")
    return {**result, **brought, "commit": commit, "bytes": total(manifest)}


def main():
    module = AnsibleModule(
        argument_spec={
            "hub": {"type": "str", "choices": list(HUBS), "required": True},
            "repo": {"type": "str", "required": True},
            "revision": {"type": "str"},
            "endpoint": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "include": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "python": {"type": "path", "default": "python3"},
            "workers": {"type": "int", "default": 8},
            "attempts": {"type": "int", "default": 3},
            "timeout": {"type": "int", "default": 86400},
            "refresh": {"type": "bool", "default": False},
            **BRINGING,
        },
        supports_check_mode=True,
    )
    started = time.monotonic()
    item = f"model {os.path.basename(module.params['path'])}"
    try:
        result = fetch(module)
    except ModelError as exc:
        module.fail_json(msg=Problem(module.params["host"], item, exc.problem, exc.remedy).sentence())
    except OSError as exc:
        said = f"{exc.filename or module.params['path']}: {exc.strerror}"
        module.fail_json(msg=Problem(module.params["host"], item, said, "mend the directory").sentence())
    module.exit_json(duration_s=round(time.monotonic() - started, 2), **result)


if __name__ == "__main__":
    main()

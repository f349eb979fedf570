#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_peer
short_description: Let a node copy models from another for the time of a run
version_added: 1.0.0
description:
  - A node that takes makes an SSH key of its own in C(/run), which is in memory. The key never leaves it.
  - A node that gives lets these keys read the directories of this run by rsync, from one address, until a time. They
    can do nothing else there.
  - Afterwards both forget the keys. Lines that an interrupted run has left in C(authorized_keys) run out by themselves,
    and the next run removes them.
options:
  state:
    description:
      - V(taking) makes a key.
      - V(giving) lets the keys of O(takers) in.
      - V(closed) removes all of it.
    type: str
    choices: [taking, giving, closed]
    required: true
  peers:
    description: Addresses of the nodes to take from, for O(state=taking).
    type: list
    elements: str
    default: []
  port:
    description: Port of their SSH server.
    type: int
    default: 22
  gives:
    description: What this node gives, for O(state=giving), as RV(npuops.ascend.model_plan#module:work.gives) has it.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Directory to give.
        type: str
        required: true
      to:
        description: Name of the node that takes it.
        type: str
        required: true
  takers:
    description: What the module returned on the nodes that take, by their names. For O(state=giving).
    type: dict
    default: {}
  address:
    description: Address of this node, as it is in O(peers) of the others. For O(state=giving).
    type: str
  user:
    description: User of this node that the others log in as. It must be able to read the models.
    type: str
    default: root
  seconds:
    description: How long the keys are good.
    type: int
    default: 86400
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run makes keys of its own. V(closed) is idempotent.
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.model_copy
"""

EXAMPLES = r"""
---
- name: Forget all keys
  npuops.ascend.model_peer:
    state: closed
"""

RETURN = r"""
public_key:
  description: The key that was made.
  returned: O(state=taking)
  type: str
addresses:
  description: This node's address towards each of O(peers).
  returned: O(state=taking)
  type: dict
host_keys:
  description: Public host keys of this node.
  returned: O(state=giving)
  type: list
  elements: str
"""

import os
import pwd

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._model_files import ModelError
from ..module_utils._model_peer import (
    RUN,
    SENDER,
    authorized_line,
    forget,
    host_keys,
    own_address,
    rewrite_keys,
    until,
)


def take(module):
    addresses = {peer: own_address(peer, module.params["port"]) for peer in module.params["peers"]}
    if module.check_mode:
        return {"changed": True, "public_key": "", "addresses": addresses}
    os.makedirs(RUN, mode=0o700, exist_ok=True)
    key = os.path.join(RUN, "key")
    for name in (key, key + ".pub"):
        if os.path.exists(name):
            os.unlink(name)
    argv = [module.get_bin_path("ssh-keygen", required=True), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key]
    module.run_command(argv, check_rc=True)
    with open(key + ".pub", encoding="ascii") as handle:
        public = " ".join(handle.read().split()[:2])
    return {"changed": True, "public_key": public, "addresses": addresses}


def keys_file(user):
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise ModelError(f"{user} is no user of this node", "give another one as model_user") from None
    return os.path.join(found.pw_dir, ".ssh", "authorized_keys"), (found.pw_uid, found.pw_gid)


def give(module):
    path, owner = keys_file(module.params["user"])
    end = until(module.params["seconds"])
    lines = []
    for name in sorted({copy["to"] for copy in module.params["gives"]}):
        taker = module.params["takers"][name]
        paths = sorted({copy["path"] for copy in module.params["gives"] if copy["to"] == name})
        address = taker["addresses"][module.params["address"]]
        lines.append(authorized_line(taker["public_key"], paths, address, end))
    if not module.check_mode:
        # The user who logs in runs it.
        os.makedirs(RUN, mode=0o755, exist_ok=True)
        os.chmod(RUN, 0o755)
        handle = os.open(os.path.join(RUN, "send"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(SENDER)
    changed = rewrite_keys(path, owner, lines, write=not module.check_mode)
    return {"changed": changed, "host_keys": host_keys()}


def close(module):
    path, owner = keys_file(module.params["user"])
    changed = rewrite_keys(path, owner, [], write=not module.check_mode)
    return {"changed": (os.path.isdir(RUN) if module.check_mode else forget()) or changed}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["taking", "giving", "closed"], "required": True},
            "peers": {"type": "list", "elements": "str", "default": []},
            "port": {"type": "int", "default": 22},
            "gives": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"path": {"type": "str", "required": True}, "to": {"type": "str", "required": True}},
            },
            "takers": {"type": "dict", "default": {}},
            "address": {"type": "str"},
            "user": {"type": "str", "default": "root"},
            "seconds": {"type": "int", "default": 86400},
        },
        required_if=[("state", "giving", ["address"])],
        supports_check_mode=True,
    )
    try:
        result = {"taking": take, "giving": give, "closed": close}[module.params["state"]](module)
    except ModelError as exc:
        module.fail_json(msg=f"{exc.problem}; {exc.remedy}.")
    except OSError as exc:
        module.fail_json(msg=f"{exc.filename}: {exc.strerror}; mend it.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()

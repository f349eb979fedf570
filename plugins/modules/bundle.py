#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: bundle
short_description: Seal or verify a directory that a site without a network installs from
version_added: 1.0.0
description:
  - Writes what is in the directory to C(bundle.json), and the checksum of every file to C(SHA256SUMS), or reads all
    files and compares them with their checksums.
  - Runs on the controller. C(playbooks/bundle.yml) fills the directory.
options:
  path:
    description: The directory.
    type: path
    required: true
  state:
    description:
      - V(sealed) brings C(bundle.json) and C(SHA256SUMS) up to date. A file with the size and time that it had the last
        time is not read again.
      - V(verified) reads every file, and fails when one is missing, changed, or not in C(SHA256SUMS).
      - V(copied) brings O(files) into the directory, and fails when one has another checksum than it should.
    type: str
    choices: [sealed, verified, copied]
    default: sealed
  contents:
    description: What is in it, for C(bundle.json). Required for O(state=sealed).
    type: dict
  files:
    description: What is copied, as P(npuops.ascend.ascend_package#lookup) returns it. Required for O(state=copied).
    type: list
    elements: dict
  keep:
    description:
      - Paths relative to O(path) that belong to the bundle, for O(state=sealed). Other files in the folders
        C(packages), C(images), C(collections), C(wheels) and C(system) are removed.
      - Left out, nothing is removed.
    type: list
    elements: str
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: posix
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Look whether the disk has brought everything
  npuops.ascend.bundle:
    path: /media/disk/bundle
    state: verified
"""

RETURN = r"""
files:
  description: How many files have a checksum.
  returned: O(state=sealed) and O(state=verified)
  type: int
copied:
  description: Names of the files that were not there yet.
  returned: O(state=copied)
  type: list
  elements: str
size_mb:
  description: Size of all files in MiB.
  returned: O(state=sealed) and O(state=verified)
  type: int
added:
  description: Files that are new since the last time.
  returned: O(state=sealed)
  type: list
  elements: str
updated:
  description: Files with other content than the last time.
  returned: O(state=sealed)
  type: list
  elements: str
removed:
  description: Files that are gone since the last time.
  returned: O(state=sealed)
  type: list
  elements: str
problems:
  description: One sentence for each file that is not as it was.
  returned: O(state=verified)
  type: list
  elements: str
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._bundle import INDEX, listing, read, seal, verify
from ..module_utils._package_files import PackageError
from ..module_utils._repository import sha256

FOLDERS = ("packages", "images", "collections", "wheels", "system")


def surplus(path, keep):
    """Files in the folders of the bundle that nobody asked for any more."""
    return [name for name in listing(path) if name.split(os.sep)[0] in FOLDERS and name not in keep]


def sealed(module):
    path, keep = module.params["path"], module.params["keep"]
    old = surplus(path, set(keep)) if keep is not None else []
    if not module.check_mode:
        for name in old:
            os.unlink(os.path.join(path, name))
    added, updated, removed = seal(path, module.params["contents"], write=not module.check_mode)
    if module.check_mode:
        added = [name for name in added if name not in old]
        removed = sorted({*removed, *old})
    updated = [name for name in updated if name != INDEX]
    lines = {"before": [*updated, *removed], "after": [*added, *updated]}
    return {
        "changed": bool(added or updated or removed),
        "added": added,
        "updated": updated,
        "removed": removed,
        "diff": {side: "".join(f"{name}\n" for name in sorted(names)) for side, names in lines.items()},
    }


def copied(module):
    path, names = module.params["path"], []
    for entry in module.params["files"]:
        target = os.path.join(path, entry["name"])
        if os.path.exists(target) and sha256(target) == entry["sha256"]:
            continue
        names.append(entry["name"])
        if module.check_mode:
            continue
        partial = os.path.join(path, f".{entry['name']}.new")
        shutil.copyfile(entry["path"], partial)
        found = sha256(partial)
        if found != entry["sha256"]:
            os.unlink(partial)
            module.fail_json(
                msg=f"{entry['path']} has SHA-256 {found}, but was published with {entry['sha256']}; get it again.",
                copied=names[:-1],
            )
        os.replace(partial, target)
    return {"changed": bool(names), "copied": names}


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["sealed", "verified", "copied"], "default": "sealed"},
            "contents": {"type": "dict"},
            "files": {"type": "list", "elements": "dict"},
            "keep": {"type": "list", "elements": "str"},
        },
        required_if=[("state", "sealed", ["contents"]), ("state", "copied", ["files"])],
        supports_check_mode=True,
    )
    path = module.params["path"]
    if not os.path.isdir(path):
        module.fail_json(msg=f"{path} is no directory; name the one that playbooks/bundle.yml fills.")
    try:
        if module.params["state"] == "copied":
            module.exit_json(**copied(module))
        if module.params["state"] == "sealed":
            result = sealed(module)
        else:
            read(path)
            problems = verify(path)
            if problems:
                shown = problems[:10] + [f"and {len(problems) - 10} more"] * (len(problems) > 10)
                module.fail_json(
                    msg=f"{path}: {'; '.join(shown)}. Copy the bundle again, or make it again.", problems=problems
                )
            result = {"changed": False, "problems": []}
    except PackageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or path}: {error.strerror}; mend the directory.")
    names = listing(path)
    size = sum(os.path.getsize(os.path.join(path, name)) for name in names)
    module.exit_json(files=len(names), size_mb=-(-size // 1048576), **result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: system_repository
short_description: Make a repository of packages of the distribution, with all they need
version_added: 1.0.0
description:
  - Downloads packages of this machine's distribution, release and architecture with everything they depend on, and
    makes a repository of them that a machine without any network can install from.
  - apt or dnf choose and fetch, from the sources of this machine, and check signatures as they always do. They choose
    as if nothing were installed, because the other machine may lack anything.
  - The repository itself is not signed. What vouches for it is the checksum of O(archive).
  - Packages that are there and still wanted are not downloaded again by apt. dnf downloads all of them each time.
options:
  path:
    description:
      - Directory of the repository, only for it. It is made, and packages that are no longer wanted are removed.
    type: path
    required: true
  archive:
    description: File for a tar of the repository, in another directory. The same packages give the same file.
    type: path
    required: true
  names:
    description: Packages, by the names that the distribution gives them.
    type: list
    elements: str
    required: true
  manager:
    description: Which tool this distribution has.
    type: str
    choices: [apt, dnf]
    required: true
  update:
    description: Refresh what is known of the sources first.
    type: bool
    default: true
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
    details: What would be in the repository is chosen by what is known of the sources now; they are not refreshed.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Take what Docker needs to machines without a network
  npuops.ascend.system_repository:
    path: /var/cache/npuops/debian-12
    archive: /srv/bundle/system/debian-12-x86_64.tar
    names: [docker.io, python3-requests]
    manager: apt
"""

RETURN = r"""
files:
  description: The packages in the repository.
  returned: success
  type: list
  elements: str
size_mb:
  description: Size of O(archive) in MiB.
  returned: success, not in check mode
  type: int
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._repository import Apt, Dnf, contents, pack
from ..module_utils._run import VendorError


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "archive": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "manager": {"type": "str", "choices": ["apt", "dnf"], "required": True},
            "update": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    if os.path.dirname(os.path.abspath(given["archive"])) == os.path.abspath(given["path"]):
        module.fail_json(msg=f"{given['archive']}: the tar cannot be in the repository; name another directory.")
    manager = {"apt": Apt, "dnf": Dnf}[given["manager"]](given["path"], sorted(set(given["names"])))
    before = contents(given["path"])
    try:
        if module.check_mode:
            files = manager.wanted()
            found = {"changed": files != before or not os.path.exists(given["archive"])}
        else:
            for directory in (given["path"], os.path.dirname(given["archive"])):
                os.makedirs(directory, exist_ok=True)
            if given["update"]:
                manager.update()
            changed = manager.collect()
            changed = pack(given["path"], given["archive"]) or changed
            files = contents(given["path"])
            found = {"changed": changed, "size_mb": -(-os.path.getsize(given["archive"]) // 1048576)}
    except VendorError as error:
        module.fail_json(**error.to_fail())
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename or given['path']}: {error.strerror}; make room or name another directory."
        )
    diff = {"before": "\n".join(before) + "\n", "after": "\n".join(files) + "\n"}
    module.exit_json(files=files, diff=diff, **found)


if __name__ == "__main__":
    main()

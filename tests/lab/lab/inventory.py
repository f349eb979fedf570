# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as an Ansible inventory (``inventories/lab/lab.py`` prints it)."""

from __future__ import annotations

import json
import os
import shlex
import sys

from lab import plan
from lab.common import LabError
from lab.plan import Lab


def host_vars(lab: Lab) -> dict[str, dict[str, str]]:
    """Connection variables by host name."""
    common = f"-o UserKnownHostsFile={shlex.quote(str(lab.known_hosts))} -o StrictHostKeyChecking=yes"
    return {
        node.name: {
            "ansible_host": node.mgmt_ip,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(lab.key),
            "ansible_ssh_common_args": common,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        for node in lab.nodes
    }


def inventory(lab: Lab | None) -> dict:
    """The ``--list`` document; group ``ascend`` is empty without a lab."""
    hosts = host_vars(lab) if lab else {}
    return {"_meta": {"hostvars": hosts}, "all": {"children": ["ascend"]}, "ascend": {"hosts": list(hosts)}}


def main(arguments: list[str]) -> int:
    """``--list`` or ``--host NAME``; the environment variable NPUOPS_LAB picks the lab."""
    name = os.environ.get("NPUOPS_LAB") or "lab"
    try:
        lab = plan.load(name)
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    if arguments[:1] == ["--host"] and len(arguments) == 2:
        print(json.dumps(host_vars(lab).get(arguments[1], {}) if lab else {}))
        return 0
    if arguments != ["--list"]:
        print("usage: lab.py --list | --host NAME", file=sys.stderr)
        return 2
    if lab is None:
        print(f"lab.py: warning: lab {name} is not up, so it has no hosts: run `make lab-up`.", file=sys.stderr)
    print(json.dumps(inventory(lab), indent=2))
    return 0

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

DOCUMENTATION = r"""
name: cann_plan
short_description: Which parts of CANN are missing, which are to go, and which version login shells get
version_added: 1.0.0
description:
  - Compares the versions that a node shall have with those that it has. What is asked for neither way stays.
  - Parts come in the order in which they can be installed (toolkit, ops, nnal) or removed.
positional: versions, parts, absent
options:
  _input:
    description: What is there, C(stack.cann) of M(npuops.ascend.stack_info).
    type: list
    elements: dict
    required: true
  versions:
    description: Versions that shall be there, in the order of their installation.
    type: list
    elements: str
    required: true
  parts:
    description: Their parts, of V(toolkit), V(ops) (called kernels before CANN 8.5) and V(nnal).
    type: list
    elements: str
    required: true
  absent:
    description: Versions that shall not be there.
    type: list
    elements: str
    default: []
  login:
    description: The version for login shells. Empty means the last of O(versions).
    type: str
    default: ""
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Look at the vendor's software
  npuops.ascend.stack_info:
  register: found

- name: Say what would be installed
  ansible.builtin.debug:
    msg: "{{ (found.stack.cann | npuops.ascend.cann_plan(['8.3.RC2', '8.5.0'], ['toolkit', 'ops'])).missing }}"
"""

RETURN = r"""
_value:
  description:
    - C(missing) and C(surplus) are lists of C(version), C(part) and, of what is there, C(component).
    - C(login) is the version for login shells. C(home) is the directory of its toolkit, null while it is not there.
    - C(own_script) says whether that version has its own C(set_env.sh), as since CANN 8.5, and C(base) is the directory
      that all of it was installed in.
  type: dict
"""

PARTS = ("toolkit", "ops", "nnal")


def cann_plan(found, versions, parts, absent=(), login=""):
    there = {(entry["version"].lower(), _part(entry["component"])): entry for entry in found}
    order = [part for part in PARTS if part in parts]
    missing = [
        {"version": version, "part": part}
        for version in versions
        for part in order
        if (version.lower(), part) not in there
    ]
    doomed = [there.get((version.lower(), part)) for version in absent for part in reversed(PARTS)]
    surplus = [
        {"version": entry["version"], "part": _part(entry["component"]), "component": entry["component"]}
        for entry in doomed
        if entry
    ]
    login = login or (versions[-1] if versions else "")
    home = (there.get((login.lower(), "toolkit")) or {}).get("path")
    # Before 8.5 <base>/ascend-toolkit/<version>, since then <base>/cann-<version>.
    base = os.path.dirname(home) if home else None
    own_script = bool(home) and os.path.basename(home).startswith("cann-")
    if base and not own_script:
        base = os.path.dirname(base)
    return {
        "missing": missing,
        "surplus": surplus,
        "login": login,
        "home": home,
        "own_script": own_script,
        "base": base,
    }


def _part(component):
    return "ops" if component == "kernels" else component


class FilterModule:
    """Filters about CANN."""

    def filters(self):
        return {"cann_plan": cann_plan}

#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hdk_plan
short_description: Tell which steps bring driver and firmware of a node to a version
version_added: 1.0.0
author:
  - npuops contributors (@npuops)
description:
  - Reads what is installed, what runs, what holds an NPU, and how far a run before has come, and returns the steps from
    there to the versions that are wished. Nothing is changed. Role P(npuops.ascend.hdk#role) goes through the steps.
  - A first installation is driver, then firmware. An upgrade is firmware, then driver. A driver whose installer was
    stopped in the middle comes first, because firmware is written through it.
  - What is installed and does not run needs a restart of the node. One that has taken place since O(note_file) was
    written is not asked for again.
  - Works without a driver.
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: linux
options:
  driver_version:
    description: Version of the driver that shall run. Left out, the driver stays as it is.
    type: str
  firmware_version:
    description: Version of the firmware that shall run. Left out, the firmware stays as it is.
    type: str
  back:
    description:
      - Go back to what was there before the run that wrote O(note_file). O(driver_version) and O(firmware_version) are
        not looked at.
    type: bool
    default: false
  drain:
    description: Whether services and vNPUs of this collection may be taken away for the time of the change.
    type: bool
    default: false
  allow_downgrade:
    description: Whether an older version may replace a later one.
    type: bool
    default: false
  reboot:
    description: Whether the node may be restarted.
    type: bool
    default: true
  host:
    description: Name of the node for the sentences.
    type: str
    default: this node
  npus:
    description: How many NPUs must answer in the end. Left out, as many as before, and every chip on the PCI bus.
    type: int
  keep_dir:
    description: Directory of the packages that were installed, for the way back.
    type: path
    default: /var/lib/npuops/packages
  note_file:
    description: File with the RV(note) of a run that has not come to its end.
    type: path
    default: /var/lib/npuops/hdk.json
  npu_smi:
    description: Path or name of C(npu-smi).
    type: str
    default: npu-smi
  docker:
    description: Path or name of C(docker), which is asked for containers that have an NPU.
    type: str
    default: docker
  timeout:
    description: Seconds that one command may take.
    type: float
    default: 60
seealso:
  - module: npuops.ascend.run_package
"""

EXAMPLES = r"""
---
- name: See what an upgrade would do
  npuops.ascend.hdk_plan:
    driver_version: 25.5.0
    firmware_version: 7.8.0.5.216
    drain: true
  register: plan

- name: Show it
  ansible.builtin.debug:
    msg: "{{ plan.changes + plan.steps }}"
"""

RETURN = r"""
kind:
  description:
    - V(unchanged), V(first_install), V(upgrade), V(downgrade), V(repair) (an installer was stopped in the middle),
      V(reboot) (installed, but it does not run yet) or V(resume) (a run before did not come to its end).
  returned: always
  type: str
steps:
  description: What is to be done, in order, of V(drain), V(driver), V(firmware), V(reboot), V(verify), V(undrain).
  returned: always
  type: list
  elements: str
installs:
  description: Those of the steps that install a package.
  returned: always
  type: list
  elements: str
changes:
  description: Versions before and after.
  returned: always
  type: list
  elements: str
  sample: [driver 25.2.0 -> 25.5.0]
problems:
  description: Why none of it may be done. Each has C(host), C(item), C(problem), C(remedy) and all as one C(sentence).
  returned: always
  type: list
  elements: dict
unready:
  description: What keeps the node from running the versions on healthy NPUs now, in the same form.
  returned: always
  type: list
  elements: dict
reboot_left:
  description: Something takes effect only at a restart, and O(reboot=false).
  returned: always
  type: bool
note:
  description: What to write to O(note_file) before the first step, or null.
  returned: always
  type: dict
  contains:
    boot:
      description: The start of the machine in which the change began.
      type: str
    before:
      description: Versions of C(driver) and C(firmware) before.
      type: dict
    wanted:
      description: Versions after.
      type: dict
    units:
      description: Units of this collection to start again, each with C(name), C(enabled) and C(active).
      type: list
      elements: dict
    slices:
      description: vNPUs of this collection to carve again.
      type: list
      elements: dict
    npus:
      description: How many NPUs there were, or null.
      type: int
    changing:
      description: Parts whose installer was started.
      type: list
      elements: str
units:
  description: Units of this collection that run now, in the order in which they are stopped.
  returned: always
  type: list
  elements: dict
slices:
  description: vNPUs of this collection that are there now.
  returned: always
  type: list
  elements: dict
driver:
  description: The driver. C(installed) is its version or null, C(running) what the NPUs report, C(complete) is false
    when its installer was stopped in the middle.
  returned: always
  type: dict
firmware:
  description: The firmware, in the same form.
  returned: always
  type: dict
wanted:
  description: Versions that this plan leads to. Null for a part that stays as it is.
  returned: always
  type: dict
npus:
  description: How many NPUs answer, or null.
  returned: always
  type: int
silent:
  description: Why npu-smi does not answer, or nothing.
  returned: always
  type: str
kept:
  description: Path of the package of C(driver) and C(firmware) in O(keep_dir) that brings the version before back.
  returned: always
  type: dict
spare:
  description: Packages of drivers and firmware in O(keep_dir) that are of neither version.
  returned: always
  type: list
  elements: str
arch:
  description: Architecture of the node, as C(uname -m) says it.
  returned: always
  type: str
chip:
  description: Word for the chips in names of packages, such as V(910b), or null when no NPU is found on the PCI bus.
  returned: always
  type: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.npuops.ascend.plugins.module_utils._hdk_machine import find, pci
from ansible_collections.npuops.ascend.plugins.module_utils._hdk_packages import kept
from ansible_collections.npuops.ascend.plugins.module_utils._hdk_plan import (
    PARTS,
    Wish,
    decide,
    standing,
    unready,
    without_package,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            "driver_version": {"type": "str"},
            "firmware_version": {"type": "str"},
            "back": {"type": "bool", "default": False},
            "drain": {"type": "bool", "default": False},
            "allow_downgrade": {"type": "bool", "default": False},
            "reboot": {"type": "bool", "default": True},
            "host": {"type": "str", "default": "this node"},
            "npus": {"type": "int"},
            "keep_dir": {"type": "path", "default": "/var/lib/npuops/packages"},
            "note_file": {"type": "path", "default": "/var/lib/npuops/hdk.json"},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "docker": {"type": "str", "default": "docker"},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    host = params["host"]
    try:
        found, answers, warnings = find(params["npu_smi"], params["timeout"], params["note_file"], params["docker"])
    except VendorError as error:
        module.fail_json(**error.to_fail())
    for warning in warnings:
        module.warn(warning)

    before = found.note.before if found.note else {name: standing(found.part(name)) for name in PARTS}
    wish = Wish(
        driver=before["driver"] if params["back"] else params["driver_version"] or None,
        firmware=before["firmware"] if params["back"] else params["firmware_version"] or None,
        drain=params["drain"] or params["back"],
        allow_downgrade=params["allow_downgrade"] or params["back"],
        reboot=params["reboot"],
    )
    plan = decide(host, wish, found)
    chip, chips = pci()
    back, spare = kept(params["keep_dir"], before, {name: wish.version(name) for name in PARTS})
    problems = list(plan.problems)
    if params["back"]:
        problems += without_package(host, plan, before, back, params["keep_dir"])
    module.exit_json(
        changed=False,
        kind=plan.kind,
        steps=list(plan.steps),
        installs=[step for step in plan.steps if step in PARTS],
        changes=list(plan.changes),
        problems=[problem.to_dict() for problem in problems],
        unready=[
            problem.to_dict()
            for problem in unready(host, wish, found, answers.health, answers.compatible, params["npus"], chips)
        ],
        reboot_left=plan.reboot_left,
        note=plan.note.to_dict() if plan.note else None,
        units=list(found.units),
        slices=list(found.slices),
        driver=found.driver.to_dict(),
        firmware=found.firmware.to_dict(),
        wanted={name: wish.version(name) for name in PARTS},
        npus=found.npus,
        silent=answers.silent,
        kept=back,
        spare=spare,
        arch=os.uname().machine,
        chip=chip,
    )


if __name__ == "__main__":
    main()

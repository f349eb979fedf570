#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: npu_vnpu
short_description: Cut the NPUs of a machine into vNPUs
version_added: 1.0.0
author:
  - npuops contributors (@npuops)
description:
  - Takes the slices that each chip shall carry, compares them with those it carries, and makes the fewest changes. A
    slice that has the right template stays, whoever created it.
  - All is checked before the first change. The task fails, and the machine stays as it is, when a set does not fit its
    chip, the machine does not know a template, a process or a container holds a chip that would be split, or a slice
    that would have to be destroyed is in use or was not created by this collection.
  - Success is read back. What counts is that C(npu-smi info -t info-vnpu) shows the slice and its device node exists.
    When a step fails, what was done before is taken back. If even that fails, the message says what each chip carries.
  - What the collection has created is noted in O(state_file), and so is each change before it is made. After an
    interrupted run, the next one finds out what had come of it and goes on.
  - Must run as root, on the machine itself and not in a container.
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
    details:
      - Everything is read and decided, so RV(ignore:changed=false) in check mode means that the wish holds.
  diff_mode:
    support: full
    details:
      - Shows the slices before and after, and the numbered steps of the plan.
  idempotent:
    support: full
  platform:
    platforms: linux
options:
  slices:
    description:
      - The slices, one entry each, as M(npuops.ascend.npu_placement) returns them for a host.
      - Or chips with their slices, as M(npuops.ascend.npu_info) returns them under C(vnpus). A chip with an empty list
        shall carry none.
    type: list
    elements: dict
    required: true
    suboptions:
      npu_id:
        description: NPU ID as C(npu-smi) prints it.
        type: int
        required: true
      chip_id:
        description: Chip ID inside the NPU. Null is taken as 0.
        type: int
        default: 0
      template:
        description:
          - Name of the template, one of those that C(npu-smi info -t template-info) prints on the machine.
          - What the machine prints counts, even where published tables say otherwise.
        type: str
      memory_gb:
        description:
          - Instead of a template, the memory that the slice must have. The smallest template that has it is taken; a
            slice of another template of that size is kept.
          - Counted is the size that C(template-info) prints. On 910B chips a slice can use one or two GB less.
        type: float
      service:
        description: Name of the service that the slice is for. It is noted in O(state_file) and shown in the plan.
        type: str
      vnpu_id:
        description:
          - Id of a slice. Among equal slices the one with this id is kept. New slices get the id that the driver
            chooses.
          - With O(state=absent), exactly this slice is destroyed if it is idle, even if it was not created by this
            collection.
        type: int
      dynamic:
        description:
          - The Ascend Docker runtime cuts this slice itself when a container starts. It is neither created nor
            destroyed here, but the chip keeps room for it.
        type: bool
        default: false
      vnpus:
        description: The slices of the chip, as M(npuops.ascend.npu_info) returns them.
        type: list
        elements: dict
        suboptions:
          vnpu_id:
            description: Id of the slice.
            type: int
            required: true
          template:
            description: Template of the slice.
            type: str
            required: true
          vgroup_id:
            description: Not used; new slices get the group that the driver chooses.
            type: int
          container_id:
            description: Not used.
            type: str
          status:
            description: Not used.
            type: int
          in_use:
            description: Not used; the machine is asked.
            type: bool
      phy_id:
        description: Not used. It is there in what M(npuops.ascend.npu_info) returns.
        type: int
      supported:
        description: Not used. It is there in what M(npuops.ascend.npu_info) returns.
        type: bool
      resources:
        description: Not used. It is there in what M(npuops.ascend.npu_info) returns.
        type: dict
      total:
        description: Not used. It is there in what M(npuops.ascend.npu_info) returns.
        type: int
  state:
    description:
      - V(present) adds the slices that are missing and destroys nothing.
      - V(exact) makes each chip that is named carry its slices and no others. From all other chips the slices that
        this collection created are removed, those of others stay.
      - V(absent) destroys every slice created by this collection that has the template, memory or service of an entry.
        An entry with nothing but its chip means all of them.
    type: str
    choices: [present, exact, absent]
    default: present
  mode:
    description:
      - V(docker) makes slices available to containers. Left out, the mode is not changed, and a machine that is in the
        mode for virtual machines is refused.
    type: str
    choices: [docker]
  cfg_recover:
    description:
      - Whether the driver makes the slices again when the machine restarts. Left out, it is not changed.
      - Slices that the Ascend Docker runtime cuts itself require V(false).
    type: bool
  npu_smi:
    description: Path of the C(npu-smi) program, or its name if it is in E(PATH).
    type: str
    default: npu-smi
  docker:
    description:
      - Path of the C(docker) program, or its name if it is in E(PATH). It is asked which containers have an NPU.
      - Where there is none, only processes are looked for.
    type: str
    default: docker
  timeout:
    description: Seconds that one vendor command may take.
    type: float
    default: 60
  device_timeout:
    description: Seconds to wait for C(/dev/vdavinciN) after its slice was created.
    type: float
    default: 30
  state_file:
    description:
      - File in which slices created by this collection and changes under way are noted. Only root can read it.
    type: path
    default: /var/lib/npuops/vnpus.json
seealso:
  - module: npuops.ascend.npu_info
  - module: npuops.ascend.npu_placement
notes:
  - Both chips of an Atlas 300I Duo must be split, or neither.
  - While a chip is split, its C(/dev/davinciN) must not be given to a container.
  - vNPU ids are unique on a machine and begin at the phy id times 16 plus 100.
"""

EXAMPLES = r"""
- name: Cut two NPUs for five services, and nothing else on this machine
  npuops.ascend.npu_vnpu:
    state: exact
    mode: docker
    cfg_recover: true
    slices:
      - {npu_id: 6, template: vir10_3c_32g, service: bge-m3}
      - {npu_id: 6, template: vir10_3c_32g, service: bge-reranker-v2-m3}
      - {npu_id: 7, memory_gb: 14, service: sensevoice}
      - {npu_id: 7, memory_gb: 14, service: cosyvoice2}
      - {npu_id: 7, memory_gb: 20, service: pp-ocrv5}

- name: Keep what is there now
  npuops.ascend.npu_info:
    gather: [vnpus]
  register: found

- name: Later, see whether it still holds
  npuops.ascend.npu_vnpu:
    slices: "{{ found.vnpus }}"
    state: exact
  check_mode: true
  register: holds
  failed_when: holds is failed or holds is changed

- name: Give NPU 7 back
  npuops.ascend.npu_vnpu:
    slices:
      - {npu_id: 7}
    state: absent
"""

RETURN = r"""
steps:
  description: The changes in the order they were made, or would be made in check mode.
  returned: when the wish was not refused
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(destroy), or V(set) for a setting of the machine.
      type: str
      sample: create
    npu_id:
      description: NPU ID.
      type: int
      sample: 6
    chip_id:
      description: Chip ID.
      type: int
      sample: 0
    template:
      description: Template of the slice.
      type: str
      sample: vir10_3c_32g
    vnpu_id:
      description: Id of a slice to be destroyed. A new slice has none yet; see RV(slices).
      type: int
      sample: 196
    service:
      description: Service of the slice, if known.
      type: str
      sample: bge-m3
    setting:
      description: V(mode) or V(cfg_recover), if RV(steps[].action) is V(set).
      type: str
      sample: mode
    before:
      description: Value of the setting so far.
      type: raw
      sample: vm
    after:
      description: Value of the setting from now on.
      type: raw
      sample: docker
    sentence:
      description: The step in words.
      type: str
      sample: create vir10_3c_32g on NPU 6 chip 0 for bge-m3
slices:
  description:
    - The slices of the chips that were looked at, as they are now. In check mode as they would be.
    - With O(state=exact) these are all chips, else those of the NPUs in O(slices).
  returned: when the wish was not refused
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU ID.
      type: int
      sample: 6
    chip_id:
      description: Chip ID.
      type: int
      sample: 0
    vnpu_id:
      description: Id of the slice. In check mode null for one that would be created.
      type: int
      sample: 196
    template:
      description: Template of the slice.
      type: str
      sample: vir10_3c_32g
    service:
      description: Service that the slice is for, if known.
      type: str
      sample: bge-m3
    device:
      description: Device node of the slice.
      type: str
      sample: /dev/vdavinci196
    in_use:
      description: Whether a container has it, also true when the tool cannot tell.
      type: bool
      sample: false
    owned:
      description: Whether it was created by this collection.
      type: bool
      sample: true
vnpus:
  description: What C(info-vnpu) shows of these chips now, in the form that O(slices) takes.
  returned: when the wish was not refused
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU ID.
      type: int
      sample: 6
    chip_id:
      description: Chip ID.
      type: int
      sample: 0
    resources:
      description: Free and total amount of each resource.
      type: dict
      sample: {aicore: [10, 20]}
    total:
      description: Number of slices.
      type: int
      sample: 1
    vnpus:
      description: The slices.
      type: list
      elements: dict
      sample: [{vnpu_id: 196, vgroup_id: 0, in_use: false, template: vir10_3c_32g}]
template_differences:
  description:
    - Sentences on how the templates that the machine prints differ from those published for its chips.
    - The machine's are used. Each is a warning of the task too.
  returned: when the wish was not refused
  type: list
  elements: str
  sample: ["910B4: template vir05_1c_8g has aicpu 2 on the machine, 1 is published"]
interrupted:
  description: What an earlier run had begun and not ended, or null.
  returned: when the wish was not refused
  type: str
refusals:
  description: Why nothing was changed, one entry for each reason; they make up the message.
  returned: when the wish was refused
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU ID, or null if it is about the machine.
      type: int
    chip_id:
      description: Chip ID, or null if it is about the machine.
      type: int
    problem:
      description: What is in the way.
      type: str
    remedy:
      description: What can be done about it.
      type: str
    sentence:
      description: All of it in words.
      type: str
restored:
  description: Whether the state before is back.
  returned: when a step failed
  type: bool
standing:
  description: What each chip that was touched carries now, if the state before is not back.
  returned: when a step failed
  type: list
  elements: str
"""

import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_apply import Failed, Setting, Work
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_machine import VnpuMachine
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_plan import reconcile
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_report import (
    plan_text,
    read_wishes,
    relabelled,
    rows,
    text,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_state import StateFile, settle
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import Refusal

DEV = "/dev"


def settings_of(params: dict, machine: VnpuMachine) -> tuple:
    """({setting: value now}, [Setting to change], [Refusal])."""
    refusals = []
    now = {"mode": machine.mode(), "cfg_recover": None}
    changes = []
    if now["mode"] == "vm":
        if params["mode"] == "docker":
            changes.append(Setting("mode", "vm", "docker"))
        else:
            refusals.append(
                Refusal(
                    None, None, "the vNPUs of this machine are in the mode for virtual machines", "Give mode: docker"
                )
            )
    if params["cfg_recover"] is not None:
        now["cfg_recover"] = machine.cfg_recover()
        if now["cfg_recover"] is None:
            refusals.append(
                Refusal(None, None, "this machine has no setting vnpu-cfg-recover", "Leave cfg_recover out")
            )
        elif now["cfg_recover"] != params["cfg_recover"]:
            changes.append(Setting("cfg_recover", now["cfg_recover"], params["cfg_recover"]))
    return now, changes, refusals


def run(module: AnsibleModule, machine: VnpuMachine, book: StateFile) -> dict:
    """Read, decide, and (outside check mode) change; the result for C(exit_json)."""
    params = module.params
    wanted = read_wishes(params["slices"])
    settings, changes, refusals = settings_of(params, machine)
    npu_ids = None
    if params["state"] != "exact":
        npu_ids = {key[0] for key in wanted} | ({book.pending["npu_id"]} if book.pending else set())
    readable = settings["mode"] != "vm"
    chips = machine.chips(npu_ids, readable)
    owned, interrupted = settle(book.owned, book.pending, chips) if readable else (book.owned, None)
    plan = reconcile(wanted, chips, owned, params["state"])
    if plan.steps:
        chips = machine.with_holders(chips)
        plan = reconcile(wanted, chips, owned, params["state"])
    refusals += plan.refusals
    if refusals:
        module.fail_json(
            msg=" ".join(["Nothing was changed.", *map(str, refusals)]),
            refusals=[refusal.to_dict() for refusal in refusals],
        )
    machine.warnings += [*plan.notes, *([interrupted] if interrupted else [])]

    labelled = relabelled(owned, plan.keeps)
    steps = [*changes, *plan.steps]
    before = rows(chips, owned)
    after = rows(chips, labelled, plan.keeps, plan.steps)
    diff = [
        {
            "before_header": "vNPUs",
            "after_header": "vNPUs",
            "before": text(before, settings),
            "after": text(after, {**settings, **{change.name: change.after for change in changes}}),
        }
    ]
    if steps:
        diff.append({"prepared": "plan:\n" + plan_text(steps)})
    if not module.check_mode:
        if (labelled, None) != (book.owned, book.pending):
            book.owned, book.pending = labelled, None
            book.write()
        work = Work(machine, book, chips, params["device_timeout"])
        work.run(changes, plan.steps)
        chips = tuple(replace(chip, slices=tuple(work.now[chip.key].values())) for chip in chips)
        after = rows(chips, book.owned, plan.keeps)
    return {
        "changed": bool(steps) or labelled != owned,
        "steps": [{**step.to_dict(), "sentence": str(step)} for step in steps],
        "slices": after,
        "vnpus": [
            {"npu_id": key[0], "chip_id": key[1], **info.to_dict()} for key, info in sorted(machine.last.items())
        ],
        "interrupted": interrupted,
        "diff": diff,
    }


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            "slices": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "npu_id": {"type": "int", "required": True},
                    "chip_id": {"type": "int", "default": 0},
                    "template": {"type": "str"},
                    "memory_gb": {"type": "float"},
                    "service": {"type": "str"},
                    "vnpu_id": {"type": "int"},
                    "dynamic": {"type": "bool", "default": False},
                    "vnpus": {
                        "type": "list",
                        "elements": "dict",
                        "options": {
                            "vnpu_id": {"type": "int", "required": True},
                            "template": {"type": "str", "required": True},
                            "vgroup_id": {"type": "int"},
                            "container_id": {"type": "str"},
                            "status": {"type": "int"},
                            "in_use": {"type": "bool"},
                        },
                    },
                    "phy_id": {"type": "int"},
                    "supported": {"type": "bool"},
                    "resources": {"type": "dict"},
                    "total": {"type": "int"},
                },
                "mutually_exclusive": [("template", "memory_gb", "vnpus"), ("vnpu_id", "vnpus"), ("service", "vnpus")],
            },
            "state": {"type": "str", "choices": ["present", "exact", "absent"], "default": "present"},
            "mode": {"type": "str", "choices": ["docker"]},
            "cfg_recover": {"type": "bool"},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "docker": {"type": "str", "default": "docker"},
            "timeout": {"type": "float", "default": 60},
            "device_timeout": {"type": "float", "default": 30},
            "state_file": {"type": "path", "default": "/var/lib/npuops/vnpus.json"},
        },
        supports_check_mode=True,
    )
    for option in ("timeout", "device_timeout"):
        if module.params[option] <= 0:
            module.fail_json(msg=f"{option} must be more than 0 seconds, it is {module.params[option]:g}")
    smi = NpuSmi(module.params["npu_smi"], module.params["timeout"])
    machine = VnpuMachine(smi, module.params["docker"], DEV)
    book = StateFile(module.params["state_file"], readonly=module.check_mode)
    try:
        with book.locked():
            result = run(module, machine, book)
    except Failed as failed:
        details = {**failed.cause.to_fail(), "msg": failed.sentence}
        module.fail_json(restored=failed.restored, standing=list(failed.standing), **details)
    except VendorError as error:
        module.fail_json(**error.to_fail())
    for warning in dict.fromkeys([*smi.complaints, *machine.warnings, *machine.differences]):
        module.warn(warning)
    module.exit_json(template_differences=list(machine.differences), **result)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting chips: what is free, what the kernel refuses, and what a new vNPU brings with it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from typing import Dict, List

from . import state, vnpu_cfg, vnpu_types
from .model import Chip, Machine, Npu, Process, Vnpu
from .render_vnpu import Resources
from .vnpu_types import Template

Usage = Dict[int, List[Process]]  # physical or vNPU id -> processes
VGROUPS = 4  # of a 310P
VGROUP_CORES = 2  # the least a 310P group takes; two vir01 share one
REPLAYS = 5  # times the boot script tries a command
# /dev/null's numbers: the only ones the device cgroup of a nested container lets through.
DEVICE_NUMBER = (1, 3)
INVALID, OCCUPIED, INNER = -9001, -9020, -9005


class Refused(Exception):
    """The driver refuses. ``code`` is the tool's error code; the tool prints no reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def resources(machine: Machine, chip: Chip) -> Resources:
    """Free and total of everything, in the units of ``info-vnpu``."""
    has = vnpu_types.capacity(machine, chip)
    cut = [_template(machine, chip, vnpu) for vnpu in chip.vnpus]
    aicpu = has.aicpu_split if cut else has.aicpu
    total_mb = vnpu_types.memory_mb(chip) - (vnpu_types.RESERVED_MB if machine.family == "910B" else 0)
    free_mb = total_mb - sum(vnpu_types.slice_mb(machine, chip, t) for t in cut)
    total_gb = total_mb // 1024
    if machine.family == "910B":  # the tool rounds the total up again
        total_gb = 32 if total_gb < 32 else 64
    media = {name: _pair(getattr(has, name), [getattr(t, name) for t in cut]) for name in vnpu_types.MEDIA}
    return Resources(
        aicore=_pair(has.aicore, [t.aicore for t in cut]),
        memory_gb=(free_mb // 1024, total_gb),
        aicpu=_pair(aicpu, [t.aicpu for t in cut]),
        pngd=(24 - int(sum(t.pngd for t in cut)), 24) if machine.family == "910" else None,
        **media,
    )


def lacking(free: Resources, wanted: Template, family: str) -> str | None:
    """The first resource, in the tool's order, of which there is too little: aicore, aicpu, dvpp. Memory: never."""
    if free.aicore is not None and wanted.aicore > free.aicore[0]:
        return "aicore"
    if free.aicpu is not None and wanted.aicpu > free.aicpu[0]:
        return "aicpu"
    pairs = [(getattr(wanted, name), getattr(free, name)) for name in vnpu_types.MEDIA]
    if family in ("310P", "910B") and any(pair is not None and need > pair[0] for need, pair in pairs):
        return "dvpp"
    return None


def create(
    machine: Machine, npu: Npu, chip: Chip, wanted: Template, vnpu_id: int | None, vgroup_id: int | None, usage: Usage
) -> Vnpu:
    """Cut a slice off and note it for the next boot. Raises ``Refused``; the machine is to be stored either way."""
    if not chip.vnpus and usage.get(chip.phy_id):
        raise Refused(OCCUPIED, "Pf device still has proc, can not set mode.")
    if chip.refuse_create:
        chip.refuse_create -= chip.refuse_create > 0
        raise Refused(INNER, "made to fail")
    taken = {vnpu.vnpu_id for vnpu in chip.vnpus}
    free_ids = [number for number in vnpu_types.id_range(machine, chip) if number not in taken]
    if not free_ids or (vnpu_id is not None and vnpu_id not in free_ids):
        raise Refused(INVALID, f"vNPU id {vnpu_id} is taken or not one of chip {chip.phy_id}")
    number = free_ids[0] if vnpu_id is None else vnpu_id
    appears = time.time() + machine.vnpu_node_delay if machine.vnpu_node_delay else 0
    made = Vnpu(number, wanted.name, _vgroup(machine, chip, wanted, vgroup_id), node_at=appears)
    chip.vnpus = sorted([*chip.vnpus, made], key=lambda vnpu: vnpu.vnpu_id)
    group = made.vgroup_id if machine.family == "310P" else None
    vnpu_cfg.add(vnpu_cfg.Entry(chip.phy_id, number, npu.npu_id, chip.chip_id, wanted.name, group))
    return made


def destroy(chip: Chip, vnpu_id: int, usage: Usage) -> None:
    """Give a slice back. Raises ``Refused`` when a container has it or a fault says so."""
    vnpu = next(v for v in chip.vnpus if v.vnpu_id == vnpu_id)
    if used(vnpu, usage):
        raise Refused(INVALID, f"vdev_id({vnpu_id}) is inused")
    if chip.refuse_destroy:
        chip.refuse_destroy -= chip.refuse_destroy > 0
        raise Refused(INNER, "made to fail")
    chip.vnpus = [v for v in chip.vnpus if v.vnpu_id != vnpu_id]
    vnpu_cfg.remove(chip.phy_id, vnpu_id)


def used(vnpu: Vnpu, usage: Usage) -> bool:
    return vnpu.held or bool(usage.get(vnpu.vnpu_id))


def power_on(machine: Machine) -> list[str]:
    """What a reboot does to vNPUs: all are gone, then those in the file are made again. Returns the boot log."""
    machine.powered = True
    machine.power_cut_after = None
    for npu in machine.npus:
        for chip in npu.chips:
            chip.vnpus = []
    if not vnpu_cfg.trusted():
        return ["check_conf_path failed. ret is 1"]
    recover, entries = vnpu_cfg.read()
    return [_replay(machine, entry) for entry in entries] if recover else []


def sync_nodes(machine: Machine) -> None:
    """Make ``/dev/vdavinci<id>`` what the state says, and see to those that appear later.

    Call it while the state is locked: another call would take away what this one makes.
    """
    directory = state.device_dir()
    if state.standalone():
        os.makedirs(directory, exist_ok=True)
    wanted = {v.vnpu_id: v for npu in machine.present() for chip in npu.chips for v in chip.vnpus}
    there = {name for name in os.listdir(directory) if name[:8] == "vdavinci" and name[8:].isdigit()}
    for name in there - {f"vdavinci{number}" for number in wanted}:
        os.unlink(os.path.join(directory, name))
    late = []
    for number, vnpu in wanted.items():
        if vnpu.node_at > time.time():
            late.append(vnpu.node_at)
        elif f"vdavinci{number}" not in there:
            make_node(os.path.join(directory, f"vdavinci{number}"))
    for moment in late:
        _later(moment)


def make_node(path: str) -> None:
    """A character device; a plain file where the machine is a directory."""
    if state.standalone():
        with open(path, "w", encoding="ascii"):
            return
    os.mknod(path, 0o660 | stat.S_IFCHR, os.makedev(*DEVICE_NUMBER))
    os.chmod(path, 0o666)  # --install-for-all


def as_chip(machine: Machine, chip: Chip, vnpu: Vnpu) -> Chip:
    """A vNPU as a container sees it: a chip with the slice's memory, named after family and template."""
    share = vnpu_types.slice_mb(machine, chip, _template(machine, chip, vnpu))
    used_mb, total_mb = chip.hbm_mb or chip.memory_mb
    pair = (used_mb * share // total_mb, share)
    return Chip(
        chip_id=0,
        phy_id=vnpu.vnpu_id,
        logic_id=0,
        name=machine.family + vnpu.template,
        bus_id=chip.bus_id,
        health=chip.health,
        power_w=None,
        temp_c=chip.temp_c,
        memory_mb=chip.memory_mb if chip.hbm_mb else pair,
        hbm_mb=pair if chip.hbm_mb else None,
    )


def _pair(total: int | None, taken: list[int]) -> tuple[int, int] | None:
    return None if total is None else (total - sum(taken), total)


def _template(machine: Machine, chip: Chip, vnpu: Vnpu) -> Template:
    found = vnpu_types.template(machine, chip, vnpu.template)
    if found is None:
        raise ValueError(f"vNPU {vnpu.vnpu_id} has template {vnpu.template}, which chip {chip.phy_id} does not take")
    return found


def _vgroup(machine: Machine, chip: Chip, wanted: Template, asked: int | None) -> int:
    """The lowest free group. On 310P two vir01 share one, and every group takes at least two cores."""
    groups: dict[int, list[Template]] = {}
    for vnpu in chip.vnpus:
        groups.setdefault(vnpu.vgroup_id, []).append(_template(machine, chip, vnpu))
    if machine.family != "310P":
        return next(number for number in range(len(groups) + 1) if number not in groups)
    shared = [n for n, found in sorted(groups.items()) if wanted.aicore == 1 and [t.aicore for t in found] == [1]]
    free = [n for n in range(VGROUPS) if n not in groups]
    choices = shared + free
    if asked is not None:
        choices = [asked] if asked in choices else []
    cores = sum(max(VGROUP_CORES, sum(t.aicore for t in found)) for found in groups.values())
    room = vnpu_types.capacity(machine, chip).aicore - cores
    for number in choices:
        if number in shared or max(VGROUP_CORES, wanted.aicore) <= room:
            return number
    raise Refused(INVALID, f"no vgroup of chip {chip.phy_id} has room for {wanted.name}")


def _replay(machine: Machine, entry: vnpu_cfg.Entry) -> str:
    chip = machine.chip_by_phy(entry.phy_id)
    npu = machine.npu_of_phy(entry.phy_id)
    wanted = None if chip is None else vnpu_types.template(machine, chip, entry.template)
    if chip is None or npu is None or npu.absent or wanted is None:
        return f"wait_device_ready /dev/davinci{entry.phy_id} failed."
    done = ""
    for attempt in range(REPLAYS):
        try:
            if machine.vnpu_mode == "docker" and not lacking(resources(machine, chip), wanted, machine.family):
                create(machine, npu, chip, wanted, entry.vnpu_id, entry.vgroup_id, {})
            return f"{attempt} times cmd {entry.text.split(':', 2)[2]} exec result is 0"
        except Refused as exc:
            done = f"{attempt} times cmd {entry.text.split(':', 2)[2]} exec result is {exc.code & 0xFF}"
    return done


def _later(moment: float) -> None:
    """Look at the nodes again at that time, from a process that outlives this one."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = (
        "import os, sys, time; os.fork() and os._exit(0); sys.path.insert(0, sys.argv[1]); "
        "from npusim import state, vnpu; "
        "time.sleep(max(0, float(sys.argv[2]) - time.time()) + 0.01)\n"
        "with state.changing() as machine: vnpu.sync_nodes(machine)"
    )
    subprocess.run(
        [sys.executable, "-c", code, root, str(moment)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        check=True,
    )  # fmt: skip

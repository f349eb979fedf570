# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that go wrong, put into the state and taken out again.

A fault is not a record of its own: it is the value the hardware would have. So ``npusim status`` and the
vendor tools can never disagree.
"""

from __future__ import annotations

import os

from . import fabric, faults_roce, faults_stack, gate, power, state, vnpu, vnpu_cfg, vnpu_types, wire
from .boot import make_devices, write_driver_version
from .faults_roce import FaultError, set_link
from .model import HEALTH, Chip, Machine, Npu, Roce, Vnpu

__all__ = ["FaultError", "KINDS", "TOOLS", "add", "apply", "clear", "faults", "set_link"]
TOOLS = ("npu-smi", "hccn_tool")
KINDS = {
    "health": f"a chip (--phy) reports --value: {', '.join(HEALTH[1:])}",
    "absent": "an NPU (--npu) falls off the bus: not listed, no device node",
    "leak": "--mb of memory of a chip (--phy) are held by no process",
    **faults_roce.KINDS,
    "busy": "--tool refuses the next --times calls; hccn_tool --phy: those for that chip's port",
    "hang": "hccn_tool waits --seconds for a chip (--phy) on every call; from 300 on it gives up then",
    "slow": "--tool takes --seconds longer",
    **faults_stack.KINDS,
    "vnpu-create": "the kernel refuses to cut a chip (--phy) the next --times times, 0 = always",
    "vnpu-destroy": "the kernel refuses to give a slice of a chip (--phy) back, --times as above",
    "vnpu-late": "the device node of a new vNPU appears --seconds later",
    "vnpu-held": "a container has a vNPU (--vnpu) without running a process",
    "vnpu-reused": "somebody destroyed a vNPU (--vnpu); its id now is a slice of --template",
    "vm-mode": "the machine cuts for VMs, not for containers",
    "smp-mode": "a server with 910 chips works in SMP mode",
    "power-cut": "the power goes while the --times'th next vNPU is created; it exists, nobody is told",
}


def add(
    kind: str,
    phy: int | None = None,
    npu: int | None = None,
    tool: str | None = None,
    value: str | None = None,
    mb: int = 0,
    times: int = 1,
    seconds: float = 5.0,
    vnpu_id: int | None = None,
    template: str | None = None,
    other: int | None = None,
) -> None:
    """Make a fault. Raises ``FaultError`` when something it needs is missing or does not exist."""
    with state.changing() as machine:
        if kind == "health":
            health = value or "Alarm"
            if health not in HEALTH:
                raise FaultError(f"health is one of {', '.join(HEALTH)}, not {health}")
            chip_of(machine, phy).health = health
        elif kind == "leak":
            if mb <= 0:
                raise FaultError("say how much leaks: --mb N")
            chip_of(machine, phy).leak_mb = mb
        elif kind == "absent":
            npu_of(machine, npu).absent = True
        elif kind in faults_roce.KINDS:
            before = _addresses(machine)
            one, two = (None if number is None else chip_of(machine, number) for number in (phy, other))
            faults_roce.add(machine, kind, one, two, value)
            _readdress(machine, before)
        elif kind in ("busy", "slow"):
            if tool not in TOOLS:
                raise FaultError(f"say which tool: --tool {' or '.join(TOOLS)}")
            if kind == "busy" and phy is not None:
                if tool != "hccn_tool":
                    raise FaultError(f"{tool} is busy for all chips or none")
                port_of(machine, phy).busy = times
            elif kind == "busy":
                machine.busy[tool] = times
            else:
                machine.slow[tool] = seconds
        elif kind == "hang":
            port_of(machine, phy).hang_s = seconds
        elif kind in faults_stack.KINDS:
            faults_stack.add(machine, kind, value)
        elif kind in KINDS:
            _add_vnpu(machine, kind, phy, times, seconds, vnpu_id, template)
        else:
            raise FaultError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
    apply(driver=kind == "driver")


def _add_vnpu(
    machine: Machine, kind: str, phy: int | None, times: int, seconds: float, vnpu_id: int | None, template: str | None
) -> None:
    if kind == "vnpu-create":
        chip_of(machine, phy).refuse_create = times or -1
    elif kind == "vnpu-destroy":
        chip_of(machine, phy).refuse_destroy = times or -1
    elif kind == "vnpu-late":
        machine.vnpu_node_delay = seconds
    elif kind == "vnpu-held":
        vnpu_of(machine, vnpu_id)[1].held = True
    elif kind == "vnpu-reused":
        _reuse(machine, vnpu_id, template)
    elif kind == "vm-mode":
        machine.vnpu_mode = "VM"
    elif kind == "smp-mode":
        if machine.family == "910B" or machine.board == "card":
            raise FaultError("this machine has no SMP mode; an atlas-800-9000 has")
        machine.work_mode = "SMP"
    else:
        try:
            power.check()
        except power.PowerError as exc:
            raise FaultError(str(exc)) from exc
        machine.power_cut_after = max(times, 1)


def _reuse(machine: Machine, vnpu_id: int | None, name: str | None) -> None:
    """Put another slice in the place of one, with the file and the device node saying so."""
    chip, old = vnpu_of(machine, vnpu_id)
    npu = machine.npu_of_phy(chip.phy_id)
    choices = [t for t in vnpu_types.templates(machine, chip) if name in (None, t.name) and t.name != old.template]
    others = [v for v in chip.vnpus if v is not old]
    chip.vnpus = others
    fitting = [t for t in choices if vnpu.lacking(vnpu.resources(machine, chip), t, machine.family) is None]
    if npu is None or not fitting:
        chip.vnpus = sorted([*others, old], key=lambda v: v.vnpu_id)
        raise FaultError(f"no {name or 'other template'} has room in the place of vNPU {old.vnpu_id}")
    vnpu_cfg.remove(chip.phy_id, old.vnpu_id)
    left, chip.refuse_create = chip.refuse_create, 0  # that fault is for the tool's user
    vnpu.create(machine, npu, chip, fitting[0], old.vnpu_id, None, {})
    chip.refuse_create = left


def clear(
    kind: str | None = None,
    phy: int | None = None,
    npu: int | None = None,
    tool: str | None = None,
    vnpu_id: int | None = None,
) -> None:
    """Take faults out: all of them, or those of a kind, chip, NPU, tool or vNPU. A reused id stays what it is."""
    if kind is not None and kind not in KINDS:
        raise FaultError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
    with state.changing() as machine:
        if vnpu_id is not None:
            vnpu_of(machine, vnpu_id)[1].held = False
            return
        before, driver = _addresses(machine), "driver" in machine.was
        if phy is None and npu is None and tool is None:
            faults_roce.heal(machine, kind)  # first hccn.conf, in which ports have lines
        for card in machine.npus:
            if kind in (None, "absent") and npu in (None, card.npu_id) and phy is None and tool is None:
                card.absent = False
            for chip in card.chips:
                if phy in (None, chip.phy_id) and npu in (None, card.npu_id) and tool in (None, "hccn_tool"):
                    _heal_port(chip, kind)
                if phy in (None, chip.phy_id) and npu in (None, card.npu_id) and tool is None:
                    _heal(chip, kind)
                    faults_roce.heal(machine, kind, chip)
        _readdress(machine, before)
        if phy is None and npu is None and tool is None:
            _heal_machine(machine, kind)
            faults_stack.heal(machine, kind)
        if phy is None and npu is None:
            for name, table in (("busy", machine.busy), ("slow", machine.slow)):
                if kind in (None, name):
                    for key in [t for t in table if tool in (None, t)]:
                        del table[key]
    apply(driver)


def faults(machine: Machine) -> list[str]:
    """One line per deviation from a healthy, idle machine of this profile."""
    lines: list[str] = []
    for npu in machine.npus:
        if npu.absent:
            lines.append(f"absent --npu {npu.npu_id}")
        for chip in npu.chips:
            if chip.health != "OK":
                lines.append(f"health --phy {chip.phy_id} --value {chip.health}")
            if chip.leak_mb:
                lines.append(f"leak --phy {chip.phy_id} --mb {chip.leak_mb}")
            lines += faults_roce.faults(machine, chip) + _port_faults(chip)
            for name, left in (("create", chip.refuse_create), ("destroy", chip.refuse_destroy)):
                if left:
                    lines.append(f"vnpu-{name} --phy {chip.phy_id} --times {max(left, 0)}")
            lines += [f"vnpu-held --vnpu {found.vnpu_id}" for found in chip.vnpus if found.held]
    lines += faults_roce.faults(machine) + faults_stack.faults(machine)
    if machine.vnpu_node_delay:
        lines.append(f"vnpu-late --seconds {machine.vnpu_node_delay:g}")
    lines += ["vm-mode"] if machine.vnpu_mode != "docker" else []
    lines += ["smp-mode"] if machine.work_mode != "AMP" else []
    if machine.power_cut_after is not None:
        lines.append(f"power-cut --times {machine.power_cut_after}")
    lines += [f"busy --tool {tool} --times {times}" for tool, times in sorted(machine.busy.items())]
    lines += [f"slow --tool {tool} --seconds {seconds:g}" for tool, seconds in sorted(machine.slow.items())]
    return lines


def apply(driver: bool = False) -> None:
    """Bring device nodes and packet filter in line with the state (on a node, as root)."""
    if not state.standalone() and os.geteuid() != 0:
        return
    with state.changing() as machine:
        vnpu.sync_nodes(machine)
    if state.standalone() or not gate.driver_loaded():
        return
    make_devices(machine)
    fabric.apply(machine)
    if driver:
        write_driver_version(machine)


def _addresses(machine: Machine) -> list[str | None]:
    return [roce.address for _chip, roce in wire.ports(machine)]


def _readdress(machine: Machine, before: list[str | None]) -> None:
    if not state.standalone() and os.geteuid() == 0 and _addresses(machine) != before:
        wire.readdress(machine, before)


def _port_faults(chip: Chip) -> list[str]:
    if chip.roce is None:
        return []
    lines = [f"busy --tool hccn_tool --phy {chip.phy_id} --times {chip.roce.busy}"] if chip.roce.busy else []
    return lines + ([f"hang --phy {chip.phy_id} --seconds {chip.roce.hang_s:g}"] if chip.roce.hang_s else [])


def chip_of(machine: Machine, phy: int | None) -> Chip:
    chip = machine.chip_by_phy(phy) if phy is not None else None
    if chip is None:
        known = [str(c.phy_id) for n in machine.npus for c in n.chips]
        raise FaultError(f"say which chip: --phy N, one of {', '.join(known)}")
    return chip


def port_of(machine: Machine, phy: int | None) -> Roce:
    chip = chip_of(machine, phy)
    if chip.roce is None:
        raise FaultError(f"chip {chip.phy_id} has no RoCE port")
    return chip.roce


def vnpu_of(machine: Machine, vnpu_id: int | None) -> tuple[Chip, Vnpu]:
    chip = None if vnpu_id is None else machine.chip_of_vnpu(vnpu_id)
    if chip is None:
        known = [str(v.vnpu_id) for n in machine.npus for c in n.chips for v in c.vnpus]
        raise FaultError(f"say which vNPU: --vnpu ID, one of {', '.join(known) or 'none'}")
    return chip, next(v for v in chip.vnpus if v.vnpu_id == vnpu_id)


def npu_of(machine: Machine, npu_id: int | None) -> Npu:
    found = next((n for n in machine.npus if n.npu_id == npu_id), None)
    if found is None:
        raise FaultError(f"say which NPU: --npu N, one of {', '.join(str(n.npu_id) for n in machine.npus)}")
    return found


def _heal_machine(machine: Machine, kind: str | None) -> None:
    if kind in (None, "vnpu-late"):
        machine.vnpu_node_delay = 0
        for npu in machine.npus:
            for chip in npu.chips:
                for found in chip.vnpus:
                    found.node_at = 0
    if kind in (None, "vm-mode"):
        machine.vnpu_mode = "docker"
    if kind in (None, "smp-mode"):
        machine.work_mode = "AMP"
    if kind in (None, "power-cut"):
        machine.power_cut_after = None


def _heal_port(chip: Chip, kind: str | None) -> None:
    """What a fault does to calls of ``hccn_tool`` for one port."""
    if chip.roce is not None and kind in (None, "busy"):
        chip.roce.busy = 0
    if chip.roce is not None and kind in (None, "hang"):
        chip.roce.hang_s = 0


def _heal(chip: Chip, kind: str | None) -> None:
    if kind in (None, "vnpu-create"):
        chip.refuse_create = 0
    if kind in (None, "vnpu-destroy"):
        chip.refuse_destroy = 0
    if kind in (None, "vnpu-held"):
        for found in chip.vnpus:
            found.held = False
    if kind in (None, "health"):
        chip.health = "OK"
    if kind in (None, "leak"):
        chip.leak_mb = 0

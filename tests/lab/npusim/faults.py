# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that go wrong, put into the state and taken out again.

A fault is not a record of its own: it is the value the hardware would have. So ``npusim status`` and the
vendor tools can never disagree.
"""

from __future__ import annotations

import contextlib
import os
import time

from . import state, wire
from .boot import make_devices
from .model import HEALTH, Chip, Machine, Npu

TOOLS = ("npu-smi", "hccn_tool")
KINDS = {
    "health": f"a chip (--phy) reports --value: {', '.join(HEALTH[1:])}",
    "absent": "an NPU (--npu) falls off the bus: not listed, no device node",
    "leak": "--mb of memory of a chip (--phy) are held by no process",
    "link-down": "the RoCE cable of a chip (--phy) is pulled: DOWN, and no packet passes",
    "busy": "--tool refuses the next --times calls",
    "slow": "--tool takes --seconds longer",
}


class FaultError(Exception):
    """The fault cannot be made as asked; the text says why."""


def add(
    kind: str,
    phy: int | None = None,
    npu: int | None = None,
    tool: str | None = None,
    value: str = "Alarm",
    mb: int = 0,
    times: int = 1,
    seconds: float = 5.0,
) -> None:
    """Make a fault. Raises ``FaultError`` when something it needs is missing or does not exist."""
    with state.changing() as machine:
        if kind == "health":
            if value not in HEALTH:
                raise FaultError(f"health is one of {', '.join(HEALTH)}, not {value}")
            chip_of(machine, phy).health = value
        elif kind == "leak":
            if mb <= 0:
                raise FaultError("say how much leaks: --mb N")
            chip_of(machine, phy).leak_mb = mb
        elif kind == "absent":
            npu_of(machine, npu).absent = True
        elif kind == "link-down":
            set_link(chip_of(machine, phy), "DOWN")
        elif kind in ("busy", "slow"):
            if tool not in TOOLS:
                raise FaultError(f"say which tool: --tool {' or '.join(TOOLS)}")
            if kind == "busy":
                machine.busy[tool] = times
            else:
                machine.slow[tool] = seconds
        else:
            raise FaultError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
    apply()


def clear(kind: str | None = None, phy: int | None = None, npu: int | None = None, tool: str | None = None) -> None:
    """Take faults out: all of them, or those of a kind, chip, NPU or tool."""
    if kind is not None and kind not in KINDS:
        raise FaultError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
    with state.changing() as machine:
        for card in machine.npus:
            if kind in (None, "absent") and npu in (None, card.npu_id) and phy is None and tool is None:
                card.absent = False
            for chip in card.chips:
                if phy in (None, chip.phy_id) and npu in (None, card.npu_id) and tool is None:
                    _heal(chip, kind)
        if phy is None and npu is None:
            for name, table in (("busy", machine.busy), ("slow", machine.slow)):
                if kind in (None, name):
                    for key in [t for t in table if tool in (None, t)]:
                        del table[key]
    apply()


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
            if chip.roce is not None and chip.roce.link != "UP":
                lines.append(f"link-down --phy {chip.phy_id}")
    lines += [f"busy --tool {tool} --times {times}" for tool, times in sorted(machine.busy.items())]
    lines += [f"slow --tool {tool} --seconds {seconds:g}" for tool, seconds in sorted(machine.slow.items())]
    return lines


def apply() -> None:
    """Bring device nodes and packet filter in line with the state (on a node, as root)."""
    if state.standalone() or os.geteuid() != 0:
        return
    machine = state.load()
    make_devices(machine)
    wire.apply_links(machine)


def set_link(chip: Chip, link: str) -> None:
    """Turn a port up or down and note when, as ``hccn_tool -link_stat`` shows it."""
    if chip.roce is None:
        raise FaultError(f"chip {chip.phy_id} has no RoCE port")
    if chip.roce.link != link:
        chip.roce.link = link
        chip.roce.link_records.append((int(time.time()), link))


def chip_of(machine: Machine, phy: int | None) -> Chip:
    chip = machine.chip_by_phy(phy) if phy is not None else None
    if chip is None:
        known = [str(c.phy_id) for n in machine.npus for c in n.chips]
        raise FaultError(f"say which chip: --phy N, one of {', '.join(known)}")
    return chip


def npu_of(machine: Machine, npu_id: int | None) -> Npu:
    found = next((n for n in machine.npus if n.npu_id == npu_id), None)
    if found is None:
        raise FaultError(f"say which NPU: --npu N, one of {', '.join(str(n.npu_id) for n in machine.npus)}")
    return found


def _heal(chip: Chip, kind: str | None) -> None:
    if kind in (None, "health"):
        chip.health = "OK"
    if kind in (None, "leak"):
        chip.leak_mb = 0
    if kind in (None, "link-down"):
        with contextlib.suppress(FaultError):  # chips without a port have no link to mend
            set_link(chip, "UP")

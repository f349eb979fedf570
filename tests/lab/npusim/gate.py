# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both vendor tools do before they answer: find the driver, wait when told to, be busy when told to."""

from __future__ import annotations

import os
import time

from . import state, vnpu
from .model import Machine


class Busy(Exception):
    """The tool is to refuse this call."""


def enter(tool: str) -> Machine:
    """The machine as this place sees it. Raises ``state.NoState`` without a driver, ``Busy`` when made to."""
    machine = state.load()
    if not machine.powered:
        raise state.NoState("the machine is switched off")
    chips = visible(machine)
    if not driver_loaded() or (machine.present() and not chips):
        raise state.NoState(f"no devices in {state.device_dir()}")
    if machine.slow.get(tool):
        time.sleep(machine.slow[tool])
    if machine.busy.get(tool, 0) > 0:
        _use_up(tool)
        raise Busy(tool)
    return restrict(machine, chips)


def driver_loaded() -> bool:
    return state.standalone() or os.path.exists(os.path.join(state.device_dir(), "davinci_manager"))


def visible(machine: Machine) -> list[int]:
    """Physical ids whose device node is here: all on a node, a selection in most containers.

    In a container also ids of vNPUs, which are devices of their own there.
    """
    chips = [chip for npu in machine.present() for chip in npu.chips]
    everything = [chip.phy_id for chip in chips]
    if state.standalone():
        return everything
    if not state.on_node():
        everything += [found.vnpu_id for chip in chips for found in chip.vnpus]
    return [number for number in everything if any(os.path.exists(path) for path in state.device_paths(number))]


def restrict(machine: Machine, phy_ids: list[int]) -> Machine:
    """Only these chips and vNPUs. Logic ids count what a process can see, so they are numbered anew."""
    logic = 0
    npus = []
    for npu in machine.present():
        slices = [
            vnpu.as_chip(machine, chip, found) for chip in npu.chips for found in chip.vnpus if found.vnpu_id in phy_ids
        ]
        npu.chips = [chip for chip in npu.chips if chip.phy_id in phy_ids] + slices
        machine.virtual = machine.virtual or bool(slices)
        for chip in npu.chips:
            chip.logic_id, logic = logic, logic + 1
        if npu.chips:
            npus.append(npu)
    machine.npus = npus
    return machine


def install_warning(machine: Machine, info: str = "/etc/ascend_install.info") -> bool:
    """Whether npu-smi complains about an incomplete driver installation (never inside a container)."""
    if not state.on_node():
        return False
    if state.standalone():
        return not machine.install_complete
    return not machine.install_complete or "Driver_Install_Status=complete" not in (_read(info) or "")


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return None


def _use_up(tool: str) -> None:
    """Count one refusal down. A container cannot write the state: there the tool stays busy until cleared."""
    if not os.access(state.state_dir(), os.W_OK):
        return
    with state.changing() as machine:
        left = machine.busy.get(tool, 0) - 1
        machine.busy = {name: n for name, n in machine.busy.items() if name != tool}
        if left > 0:
            machine.busy[tool] = left

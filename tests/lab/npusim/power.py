# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power that goes while a tool works: nothing more is printed, and the machine must be started again."""

from __future__ import annotations

import os
import signal
import time

from . import state
from .model import Machine

RC_KILLED = 137
POWER_OFF_NOW = 14  # systemd's SIGRTMIN+14: power off at once, no service is told


class PowerError(Exception):
    """The power cannot be cut from here."""


def used_up(machine: Machine) -> bool:
    """Count a created vNPU; whether it was the last before the power goes. Changes the machine, which is stored."""
    if machine.power_cut_after is None:
        return False
    machine.power_cut_after -= 1
    if machine.power_cut_after > 0:
        return False
    machine.power_cut_after = None
    if state.standalone():
        machine.powered = False
    return True


def check() -> None:
    """Raise ``PowerError`` where ``cut`` would switch off more than an emulated machine."""
    if not state.standalone() and not in_node():
        raise PowerError("power can only be cut in a lab node or with NPUSIM_STATE")


def cut() -> None:
    """Take the power away. Does not return."""
    check()
    if state.standalone():
        os._exit(RC_KILLED)
    os.kill(1, signal.SIGRTMIN + POWER_OFF_NOW)
    while True:
        time.sleep(3600)


def in_node() -> bool:
    """Whether this is a lab node, whose first process has the server model in its environment: no host is touched."""
    try:
        with open("/proc/1/environ", "rb") as handle:
            return b"NPUSIM_PROFILE=" in handle.read()
    except OSError:
        return False

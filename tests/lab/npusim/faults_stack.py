# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of installing driver and firmware, and of the restart after it."""

from __future__ import annotations

from . import power, small_disk, state
from .faults_roce import FaultError
from .model import Machine

STOPS = {"install-killed": "killed", "install-disk-full": "disk-full", "install-power-cut": "power-cut"}
KINDS = {
    "install-killed": "the next installation of driver or firmware is killed at --value percent (50)",
    "install-disk-full": "the disk is full when it is at --value percent (30)",
    "install-power-cut": "the power goes when it is at --value percent (50)",
    "reboot-hangs": "the next start does not get as far as SSH",
    "hot-reset": "not a fault: what a driver's installer achieves at once: --value works or ko-abort",
}


def add(machine: Machine, kind: str, value: str | None) -> None:
    """Raises ``FaultError`` for a value that is none, and where power or a disk cannot be had."""
    if kind == "hot-reset":
        if value not in ("works", "ko-abort"):
            raise FaultError("hot-reset needs --value works or ko-abort")
        machine.hot_reset = value
    elif kind == "reboot-hangs":
        machine.reboot_hangs = True
    else:
        percent = value or ("30" if kind == "install-disk-full" else "50")
        if not percent.isdigit() or int(percent) > 100:
            raise FaultError(f"--value is a percentage, not {percent}")
        if kind == "install-power-cut":
            try:
                power.check()
            except power.PowerError as exc:
                raise FaultError(str(exc)) from exc
        if kind == "install-disk-full" and not state.standalone():
            small_disk.make()
        machine.install_stop = f"{STOPS[kind]}@{percent}"


def heal(machine: Machine, kind: str | None) -> None:
    stop = machine.install_stop.partition("@")[0]
    if kind in (None, *STOPS) and STOPS.get(kind or "", stop) == stop:
        machine.install_stop = ""
    if kind in (None, "install-disk-full") and not state.standalone():
        small_disk.settle()
    if kind in (None, "reboot-hangs"):
        machine.reboot_hangs = False
    if kind in (None, "hot-reset"):
        machine.hot_reset = "reboot"


def faults(machine: Machine) -> list[str]:
    stop, _at, percent = machine.install_stop.partition("@")
    lines = [f"{kind} --value {percent}" for kind, name in STOPS.items() if name == stop]
    lines += ["reboot-hangs"] if machine.reboot_hangs else []
    return lines + ([f"hot-reset --value {machine.hot_reset}"] if machine.hot_reset != "reboot" else [])

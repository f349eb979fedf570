# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What of driver and firmware runs, and since when the machine does. This module util is PRIVATE to the collection.

The files name what is installed; what runs was loaded at the last start. Containers share the kernel's boot id, so the
start of process 1 is part of the identity of a start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import device_nodes
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_gather import gather
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import same_version


@dataclass(frozen=True)
class Running:
    """``firmware`` is None unless all NPUs have the same; ``firmwares`` has each one's. ``trouble``: why not read."""

    loaded: bool = False
    driver: str | None = None
    firmware: str | None = None
    firmwares: tuple = ()
    trouble: str = ""

    def version(self, kind: str) -> str | None:
        return {"driver": self.driver, "firmware": self.firmware}.get(kind)


def read_running(npu_smi: str = "npu-smi", timeout: float = 60, dev: str = "/dev") -> Running:
    """Ask the driver, if there is one: ``npu-smi info`` and the board of each NPU. Never raises for its answers."""
    if not os.path.exists(os.path.join(dev, "davinci_manager")):
        return Running(trouble="no driver is loaded: there is no /dev/davinci_manager")
    try:
        found = gather(NpuSmi(npu_smi, timeout), ["chips", "firmware"], device_nodes(dev))
    except VendorError as error:
        return Running(loaded=True, trouble=str(error))
    boards = tuple((board["npu_id"], board["firmware_version"]) for board in found["firmware"])
    return Running(True, found["driver_version"], found["firmware_version"], boards)


def boot_identity(proc: str = "/proc") -> str:
    """Something that differs after every start of the machine (or, in a container, of the container)."""
    return f"{_text(proc, 'sys/kernel/random/boot_id').strip()}:{_start_ticks(proc)}"


def boot_time(proc: str = "/proc") -> float:
    """When the machine (or the container) was started, in seconds since the epoch."""
    lines = dict(line.split(" ", 1) for line in _text(proc, "stat").splitlines() if line.startswith("btime "))
    return int(lines.get("btime", 0)) + _start_ticks(proc) / os.sysconf("SC_CLK_TCK")


def why_restart(kind: str, part, running: Running, noted: str | None, changed_at: float | None, booted: float) -> str:
    """Why the machine has to be restarted for a part to run as it is installed, or ''.

    ``noted`` is what the installer said since the last start; ``changed_at`` when its version file was written.
    """
    if noted:
        return noted
    if kind not in ("driver", "firmware") or not part.version or not part.complete:
        return ""
    found = running.version(kind)
    if found is not None:
        if same_version(part.version, found) or same_version(found, part.version):
            return ""
        return f"{kind} {part.version} is installed and {found} runs"
    # A driver that a start could not load needs help and no second start.
    if kind == "driver" and not running.loaded and changed_at is not None and changed_at > booted:
        return f"{kind} {part.version} was installed after the last start and is not loaded"
    return ""


def _text(proc: str, name: str) -> str:
    try:
        with open(os.path.join(proc, name), encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def _start_ticks(proc: str, pid: int = 1) -> int:
    """When a process was started, in clock ticks; 0 if it is not there. Its name may have blanks and brackets."""
    fields = _text(proc, f"{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def process_mark(pid: int, proc: str = "/proc") -> str | None:
    """A name for a process that no later one has; None when it is not there."""
    ticks = _start_ticks(proc, pid)
    return f"{pid}:{ticks}" if ticks else None


__all__ = ["Running", "boot_identity", "boot_time", "process_mark", "read_running", "why_restart"]

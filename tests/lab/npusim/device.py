# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a serving process loads instead of the vendor's runtime: open a chip, take memory on it.

Open chips and memory belong to the process: ``npu-smi`` finds them in /proc, the kernel takes them back.
"""

from __future__ import annotations

import fcntl
import os

from . import processes, state, vnpu
from .model import Chip, Machine

CONTEXT_MB = 110  # what an opened chip costs before any allocation (npu-smi__info__910B4-1__26_0_rc1__issue10280)


class DeviceError(RuntimeError):
    """A runtime call failed; ``code`` is the ACL error code a real process would get."""

    def __init__(self, code: int, call: str, reason: str) -> None:
        super().__init__(f"NPU function error: {call}, error code is {code}\n[Error]: {reason}")
        self.code = code


class DeviceNotFound(DeviceError):
    """No such chip here: not in this machine, fallen off the bus, or not given to this container."""


class DeviceUnhealthy(DeviceError):
    """The chip is there but cannot be set up."""


class OutOfMemory(DeviceError):
    """The chip has less memory left than asked for."""


class Allocation:
    """Memory on a chip, held until ``free`` or the end of the process."""

    def __init__(self, phy_id: int, size_mb: int) -> None:
        self.size_mb = size_mb
        self._fd: int | None = os.memfd_create(f"npusim-hbm:{phy_id}:{size_mb}")

    def free(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Device:
    """An opened chip. Use ``open_device``; also a context manager."""

    def __init__(self, phy_id: int, fd: int) -> None:
        self.phy_id = phy_id
        self._fd: int | None = fd
        self._held: list[Allocation] = []

    @property
    def hbm_total_mb(self) -> int:
        chip = self._chip()
        return (chip.hbm_mb or chip.memory_mb)[1]

    @property
    def hbm_free_mb(self) -> int:
        """What is left after the idle baseline, leaks, and the claims visible from this PID namespace."""
        return processes.free_mb(self._chip())

    def allocate(self, mb: int) -> Allocation:
        """Take ``mb`` megabytes. Raises ``OutOfMemory`` and takes nothing when there are fewer."""
        if self._fd is None:
            raise DeviceError(107002, "aclrtMalloc", "Context is null, the device was closed.")
        if mb <= 0:
            raise ValueError(f"allocate at least 1 MB, not {mb!r}")
        fcntl.flock(self._fd, fcntl.LOCK_EX)  # look and take as one step, against other processes on this chip
        try:
            free = self.hbm_free_mb
            if mb > free:
                raise OutOfMemory(
                    207001,
                    "aclrtMalloc",
                    f"NPU out of memory. Tried to allocate {mb} MiB "
                    f"(NPU {self.phy_id}; {self.hbm_total_mb} MiB total capacity; {free} MiB free)",
                )
            allocation = Allocation(self.phy_id, mb)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._held.append(allocation)
        return allocation

    def close(self) -> None:
        """Give everything back. Harmless when done twice."""
        for allocation in self._held:
            allocation.free()
        self._held = []
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _chip(self) -> Chip:
        chip = _find(state.load(), self.phy_id)
        processes.claim(chip, processes.scan())
        return chip


def open_device(phy_id: int) -> Device:
    """Open ``/dev/davinci<phy_id>``. Of a vNPU, give its id: it is that node in a container, on the host vdavinci.

    Raises ``DeviceNotFound`` without the node (or without a driver), ``DeviceUnhealthy`` when the chip's
    health is Critical or UNKNOWN or it is split into vNPUs, ``OutOfMemory`` when not even a context fits.
    """
    call = f"aclrtSetDevice({phy_id})"
    try:
        machine = state.load()
    except state.NoState as exc:
        raise DeviceNotFound(507899, call, f"The driver is not loaded: {exc}") from exc
    chip = _find(machine, phy_id)
    path = next((p for p in state.device_paths(phy_id) if os.path.exists(p)), state.device_path(phy_id))
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as exc:
        raise DeviceNotFound(107001, call, f"Invalid device ID. {path}: {exc.strerror}") from exc
    if chip.vnpus:
        os.close(fd)
        raise DeviceUnhealthy(507033, call, f"Device {phy_id} set up failed, it is split into vNPUs.")
    if chip.health in ("Critical", "UNKNOWN"):
        os.close(fd)
        raise DeviceUnhealthy(507033, call, f"Device {phy_id} set up failed, its health is {chip.health}.")
    device = Device(phy_id, fd)
    try:
        device.allocate(CONTEXT_MB)
    except OutOfMemory:
        device.close()
        raise
    return device


def _find(machine: Machine, phy_id: int) -> Chip:
    whole = machine.chip_of_vnpu(phy_id)
    if whole is not None:
        return vnpu.as_chip(machine, whole, next(v for v in whole.vnpus if v.vnpu_id == phy_id))
    npu = machine.npu_of_phy(phy_id)
    if npu is None or npu.absent:
        raise DeviceNotFound(107001, f"aclrtSetDevice({phy_id})", "Invalid device ID. There is no such device.")
    return next(chip for chip in npu.chips if chip.phy_id == phy_id)

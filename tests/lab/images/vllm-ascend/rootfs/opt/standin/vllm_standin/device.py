# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One worker's NPU: found, opened and filled as a vLLM worker on Ascend does it.

The driver's library is a directory the container gets as a mount, as with the real libascend_hal.so.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

DRIVER_LIB = os.environ.get("NPUOPS_STANDIN_DRIVER_LIB", "/usr/local/Ascend/driver/lib64")
DEVICE_DIR = os.environ.get("NPUOPS_STANDIN_DEVICE_DIR", "/dev")

# torch_npu sees less than npu-smi: logs of 64 GB chips say 60.96 to 61.27 GiB in all.
USABLE_HBM = 0.9527
MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Claim:
    """What a worker holds; sizes in MiB. `phy_id` is the N of /dev/davinciN, `logic_id` counts from 0 in here."""

    rank: int
    host: str
    logic_id: int
    phy_id: int
    usable_mb: int
    held_mb: int
    pid: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def phy_ids() -> list[int]:
    """The NPUs this container has, in ascending order; a logic id is a position in this list."""
    try:
        names = os.listdir(DEVICE_DIR)
    except OSError:
        return []
    return sorted(int(match[1]) for match in (re.fullmatch(r"davinci(\d+)", name) for name in names) if match)


def visible_logic_ids() -> list[int]:
    """The logic ids of ASCEND_RT_VISIBLE_DEVICES, or all.

    :raises RuntimeError: the variable names an NPU the container does not have (ids are relative to it)
    """
    found = phy_ids()
    text = os.environ.get("ASCEND_RT_VISIBLE_DEVICES")
    if text is None:
        return list(range(len(found)))
    wanted = [int(part) for part in text.split(",") if part.strip().isdigit()]
    for logic_id in wanted:
        _phy_id(logic_id, found)
    return wanted


def _phy_id(logic_id: int, found: list[int]) -> int:
    if not 0 <= logic_id < len(found):
        raise RuntimeError(
            "NPU function error: aclrtSetDevice, error code is 107001\n"
            f"[ERROR] Invalid device ID. Check whether the device ID is valid: set device {logic_id}, "
            f"the container has {len(found)} (ids are relative to the container)."
        )
    return found[logic_id]


def _driver() -> Any:
    if DRIVER_LIB not in sys.path:
        sys.path.insert(0, DRIVER_LIB)
    try:
        return importlib.import_module("npusim.device")
    except ImportError as error:
        raise ImportError(
            "libascend_hal.so: cannot open shared object file: No such file or directory. Please check that the "
            f"driver is installed and {DRIVER_LIB} is mounted into the container ({error})."
        ) from error


class Npu:
    """An open NPU with the share of HBM that vLLM reserves at start."""

    def __init__(self, rank: int, logic_id: int, utilization: float, exact_mb: int | None = None) -> None:
        """Open the device and take HBM.

        :param rank: the worker's rank in the whole service
        :param logic_id: the NPU as this container counts
        :param utilization: `--gpu-memory-utilization`
        :param exact_mb: take so many MiB instead, as when `--kv-cache-memory-bytes` says how much
        :raises ImportError: the driver's library is not there
        :raises RuntimeError: no such NPU, or the driver refuses it, or not even `exact_mb` is free
        :raises ValueError: less HBM is free than `utilization` asks for (vLLM's text)
        """
        driver = _driver()
        phy_id = _phy_id(logic_id, phy_ids())
        self._device = driver.open_device(phy_id)
        usable = int(self._device.hbm_total_mb * USABLE_HBM)
        free = min(self._device.hbm_free_mb, usable)
        wanted = int(usable * utilization) if exact_mb is None else exact_mb
        if exact_mb is None and free < wanted:
            self._device.close()
            raise ValueError(
                f"Free memory on device ({free / MIB_PER_GIB:.2f}/{usable / MIB_PER_GIB:.2f} GiB) on startup is less "
                f"than desired GPU memory utilization ({utilization}, {wanted / MIB_PER_GIB:.2f} GiB). Decrease GPU "
                "memory utilization or reduce GPU memory used by other processes."
            )
        try:
            self._device.allocate(wanted)
        except driver.OutOfMemory as error:
            self._device.close()
            raise RuntimeError(
                f"NPU out of memory. Tried to allocate {wanted / MIB_PER_GIB:.2f} GiB (NPU {logic_id}; "
                f"{usable / MIB_PER_GIB:.2f} GiB total capacity; {free / MIB_PER_GIB:.2f} GiB free)"
            ) from error
        self.claim = Claim(rank, socket.gethostname(), logic_id, phy_id, usable, wanted, os.getpid())

    def close(self) -> None:
        """Give the NPU back."""
        self._device.close()


def model_bytes(directory: Path) -> int:
    """Size of the weights on disk, in bytes."""
    return sum(path.stat().st_size for path in directory.glob("*.safetensors"))

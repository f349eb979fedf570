# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NPUs on a node's PCI bus, where ``lspci`` and the vendor's installers look before there is a driver."""

from __future__ import annotations

import os
import subprocess

from . import power
from .model import Machine

DEVICES = "/sys/bus/pci/devices"
VENDOR = 0x19E5
# Device ids as the vendor's packages name them (device_bdf of specific_func.inc) and npu-smi prints them.
DEVICE_IDS = {
    "310": 0xD100,
    "310B": 0xD107,
    "310P": 0xD500,
    "910": 0xD801,
    "910B": 0xD802,
    "910_93": 0xD803,
    "950": 0xD806,
}
CLASS = 0x120000  # processing accelerator


def files(machine: Machine) -> dict[str, dict[str, bytes]]:
    """``{address: {file: content}}`` of sysfs for every NPU that is on the bus."""
    device = DEVICE_IDS[machine.family]
    found = {chip.bus_id.lower(): device for npu in machine.present() for chip in npu.chips if chip.bus_id}
    return {address: _entry(device) for address, device in sorted(found.items())}


def _entry(device: int) -> dict[str, bytes]:
    config = bytearray(64)
    config[0:4] = VENDOR.to_bytes(2, "little") + device.to_bytes(2, "little")
    config[8] = 0x20  # revision
    config[9:12] = CLASS.to_bytes(3, "little")
    config[44:48] = VENDOR.to_bytes(2, "little") + (0x3003).to_bytes(2, "little")
    text = {
        "vendor": f"{VENDOR:#06x}", "device": f"{device:#06x}", "class": f"{CLASS:#08x}", "revision": "0x20",
        "subsystem_vendor": f"{VENDOR:#06x}", "subsystem_device": "0x3003", "irq": "0", "numa_node": "0",
        "resource": "\n".join(["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 7),
    }  # fmt: skip
    return {**{name: f"{value}\n".encode() for name, value in text.items()}, "config": bytes(config)}


def show(machine: Machine, target: str = DEVICES) -> None:
    """Put the machine's bus over the host's, of which a node sees nothing. Needs root; repeatable."""
    if not power.in_node() or not os.path.isdir(target):
        return  # not ours to cover, or a host without PCI: its sysfs has no place for a bus
    if not os.path.ismount(target):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "npusim-pci", target], check=True)
    write(machine, target)


def write(machine: Machine, target: str) -> None:
    for address, entry in files(machine).items():
        os.makedirs(os.path.join(target, address), exist_ok=True)
        for name, content in entry.items():
            with open(os.path.join(target, address, name), "wb") as handle:
                handle.write(content)

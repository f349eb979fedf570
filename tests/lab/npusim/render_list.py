# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npu-smi info -l`` and ``-m``."""

from __future__ import annotations

from .model import Chip, Machine, Npu

NO_CARD = "There is no NPU card on this server.\n"


def key_value(key: str, value: object) -> str:
    return f"\t{key.ljust(30)} : {value}"


def render_list(machine: Machine) -> str:
    """``-l``: cards with their chip count. Add-in cards also tell product and serial number, servers do not."""
    npus = machine.present()
    if not npus:
        return NO_CARD
    lines = [key_value("Card Count" if machine.family in ("310", "310B") else "Total Count", len(npus)), ""]
    for npu in npus:
        lines.append(key_value("NPU ID", npu.npu_id))
        if machine.board != "server" or machine.family in ("310", "310B", "310P"):
            lines += [key_value("Product Name", npu.product_name), key_value("Serial Number", npu.serial_number)]
        if machine.family != "950":
            lines.append(key_value("Chip Count", len(npu.chips)))
        lines.append("")
    return "\n".join(lines) + "\n"


def render_mapping(machine: Machine) -> str:
    """``-m``: NPU, chip, logic and physical ids. The columns differ between families.

    The last column is padded in the header and in ``Mcu`` rows, not in chip rows.
    """
    npus = machine.present()
    if not npus:
        return NO_CARD
    if machine.family == "950":
        head = ["NPU ID", "Slot ID", "Chip ID", "Chip Phy-ID", "Chip Name"]
    elif machine.family == "910_93":
        head = ["NPU ID", "Chip ID", "Chip Logic ID", "Chip Phy-ID", "Chip Name"]
    else:
        head = ["NPU ID", "Chip ID", "Chip Logic ID", "Chip Name"]
    lines = [_columns(head, pad_last=True)]
    for npu in npus:
        lines += [_chip_row(npu, chip, machine.family) for chip in npu.chips]
        if npu.mcu and machine.family != "950":
            dashes = ["-"] * (len(head) - 3)
            lines.append(_columns([npu.npu_id, len(npu.chips)] + dashes + ["Mcu"], pad_last=True))
    return "\n".join(lines) + "\n"


def _chip_row(npu: Npu, chip: Chip, family: str) -> str:
    if family == "950":
        return _columns([npu.npu_id, npu.slot_id, chip.chip_id, chip.phy_id, chip.name])
    if family == "910_93":
        return _columns([npu.npu_id, chip.chip_id, chip.logic_id, chip.phy_id, chip.name])
    if family == "310":
        return _columns([npu.npu_id, chip.chip_id, chip.logic_id, "MiniD"], pad_last=True)
    return _columns([npu.npu_id, chip.chip_id, chip.logic_id, "Ascend " + chip.name])


def _columns(values: list, pad_last: bool = False) -> str:
    cells = [str(value).ljust(30) for value in values[:-1]]
    last = str(values[-1])
    return "\t" + " ".join(cells + [last.ljust(30) if pad_last else last])

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npu-smi info``: the table, from typed values and a layout."""

from __future__ import annotations

from typing import Dict, List

from .layouts import Layout, layout_for
from .model import Chip, Machine, Npu, Process

MAX_PROCESSES = 8  # per chip; the real tool stops there
INCOMPLETE = (
    "[WARNING]The driver package may not be completely installed, which may cause function abnormal. "
    "Please reinstall it."
)
Usage = Dict[int, List[Process]]  # phy id -> processes


def render(machine: Machine, usage: Usage | None, warn: bool = False) -> str:
    """The table of an observed machine.

    ``usage`` is ``None`` where the tool prints no process table at all; ``warn`` adds the line about an
    incomplete driver installation.
    """
    layout = layout_for(machine.family, machine.tool_version)
    lines = _banner(machine, layout) + _header(layout)
    npus = machine.present()
    for npu in npus:
        lines += _npu(npu, machine, layout)
    if machine.virtual and npus:
        # In a VM or on a vNPU the table ends with a thin rule (npu-smi__info__310P3__22_0_4__in_vnpu_container).
        lines[-1] = _rule(layout, "-")
    if usage is not None and layout.processes and machine.family != "310B" and not machine.virtual:
        lines += _process_header(layout)
        for npu in npus:
            lines += _processes(npu, usage, layout)
    if warn and layout.hbm_used is not None:
        lines.append(INCOMPLETE)
    return "\n".join(lines) + "\n"


def _rule(layout: Layout, char: str, four_cells: bool = False) -> str:
    widths = [layout.first[0] + 1, layout.first[1] + 1] if four_cells else [layout.left]
    widths += [layout.middle + 2, layout.right]
    return "+" + "+".join(char * width for width in widths) + "+"


def _full(text: str, layout: Layout) -> str:
    return f"| {text.ljust(layout.width - 2)} |"


def _banner(machine: Machine, layout: Layout) -> list[str]:
    text = f"npu-smi {machine.tool_version.ljust(layout.banner)} Version: {machine.driver_version}"
    return ["+" + "-" * layout.width + "+", _full(text, layout), _rule(layout, "-", layout.four_cells)]


def _header(layout: Layout) -> list[str]:
    memory = "Memory-Usage(MB)"
    hbm = "HBM-Usage(MB)" if layout.hbm_used is not None else ""
    top = _stops(layout, "Power(W)", "Temp(C)", "Hugepages-Usage(page)" if layout.pages else "")
    bottom = _stops(layout, layout.utilisation, memory, hbm)
    if layout.four_cells:
        lefts = [_two_cells(layout, "NPU ID", "Name"), _two_cells(layout, "", "")]
    else:
        name = "NPU".ljust(layout.first[0]) + " Name"
        lefts = [" " + name.ljust(layout.left - 1), " " + layout.second.ljust(layout.left - 1)]
    return [
        f"|{lefts[0]}| {'Health'.ljust(layout.middle)} |{top}|",
        f"|{lefts[1]}| {'Bus-Id'.ljust(layout.middle)} |{bottom}|",
        _rule(layout, "=", layout.four_cells),
    ]


def _stops(layout: Layout, first: str, second: str, third: str) -> str:
    text = f" {first.ljust(layout.power)} {second.ljust(layout.temp)} {third}"
    return text.ljust(layout.right)


def _two_cells(layout: Layout, first: str, second: str) -> str:
    return f" {first.ljust(layout.first[0])}| {second.ljust(layout.first[1])}"


def _npu(npu: Npu, machine: Machine, layout: Layout) -> list[str]:
    lines: list[str] = []
    for chip in npu.chips:
        if lines:
            # HBM tables part the chips of one NPU by an unbroken rule, DDR tables by one with columns.
            lines.append(_rule(layout, "-") if layout.hbm_used is None else "+" + "-" * layout.width + "+")
        lines += _chip(npu, chip, machine, layout)
    lines.append(_rule(layout, "=", layout.four_cells and not layout.merged_rules))
    return lines


def _chip(npu: Npu, chip: Chip, machine: Machine, layout: Layout) -> list[str]:
    power = f"{chip.power_w:.1f}" if chip.power_w is not None else ("NA" if machine.family == "310P" else "-")
    pages = _pair(chip.hugepages, layout.page_used, layout.page_total) + " " if layout.pages else ""
    top = _stops(layout, power, str(chip.temp_c), pages)
    usage = _pair(chip.memory_mb, layout.memory_used, layout.memory_total)
    if layout.hbm_used is not None and chip.hbm_mb is not None:
        usage += " " + _pair(chip.hbm_mb, layout.hbm_used, layout.hbm_total)
    bottom = f" {str(chip.aicore_pct).ljust(layout.power)} {usage} "
    lefts = _lefts(npu, chip, machine, layout)
    bus = chip.bus_id if chip.bus_id is not None else "NA"
    return [
        f"|{lefts[0]}| {chip.health.ljust(layout.middle)} |{top}|",
        f"|{lefts[1]}| {bus.ljust(layout.middle)} |{bottom}|",
    ]


def _pair(pair: tuple[int, int], used: int, total: int) -> str:
    return f"{str(pair[0]).ljust(used)}/ {str(pair[1]).ljust(total)}"


def _lefts(npu: Npu, chip: Chip, machine: Machine, layout: Layout) -> tuple[str, str]:
    if layout.four_cells:
        return _two_cells(layout, str(npu.npu_id), chip.name), _two_cells(layout, "", "")
    second = ""
    if machine.family == "910_93":
        second = str(chip.phy_id)
    elif machine.family in ("310", "310B", "310P"):
        second = str(chip.logic_id)
    width = layout.first
    return (
        f" {str(npu.npu_id).ljust(width[0])} {chip.name.ljust(width[1])}",
        f" {str(chip.chip_id).ljust(width[0])} {second.ljust(width[1])}",
    )


def _process_header(layout: Layout) -> list[str]:
    left = "NPU ID" if layout.four_cells else "NPU     Chip"
    cells = [
        left.ljust(layout.left - 2),
        "Process id".ljust(layout.process_id),
        "Process name".ljust(layout.process_name),
        (f"Process memory({layout.memory_unit})").ljust(layout.process_memory),
    ]
    if layout.container_pid is not None:
        cells.append("Process id in container".ljust(layout.container_pid))
    return [_rule(layout, "-"), "| " + " | ".join(cells) + " |", _rule(layout, "=")]


def _processes(npu: Npu, usage: Usage, layout: Layout) -> list[str]:
    lines: list[str] = []
    for chip in npu.chips:
        for process in usage.get(chip.phy_id, [])[:MAX_PROCESSES]:
            lines.append(_process(npu, chip, process, layout))
    if not lines:
        lines.append(_full(f"No running processes found in NPU {npu.npu_id}", layout))
    lines.append(_rule(layout, "="))
    return lines


def _process(npu: Npu, chip: Chip, process: Process, layout: Layout) -> str:
    left = str(npu.npu_id)
    if not layout.four_cells:
        left = f"{left.ljust(7)} {chip.chip_id}"
    memory = process.memory_mb * (1024 * 1024 if layout.memory_unit == "B" else 1)
    cells = [
        left.ljust(layout.left - 2),
        str(process.pid).ljust(layout.process_id),
        process.name.ljust(layout.process_name),
        str(memory).ljust(layout.process_memory_row),
    ]
    if layout.container_pid is not None:
        inner = "NA" if process.container_pid is None else str(process.container_pid)
        cells.append(inner.ljust(layout.container_pid))
    return "| " + " | ".join(cells) + " |"

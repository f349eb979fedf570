# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``key : value`` sections of ``npu-smi info -t``.

Without ``-c`` an answer starts with the NPU and its chip count, then has a section per chip, which its chip id
closes (``common``: opens). With ``-c`` there is the section alone.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Tuple

from .model import Chip, Machine, Npu, Process
from .render_list import key_value
from .versions import version_key

Rows = List[Tuple[str, object]]
Usage = Dict[int, List[Process]]
HBM_FAMILIES = ("910", "910B", "910_93", "950")
NO_DDR = ("910B", "910_93", "950")
MAX_PROCESSES = 32


class Figures(NamedTuple):
    """What a chip model is, beyond what the state holds. 0 where no output was seen."""

    aicores: int = 0
    aicore_mhz: int = 0
    hbm_mhz: int = 0
    hbm_vendor: int = 0
    ddr_mhz: int = 0
    ddr_total_mb: int = 0
    pci_device: str = "0xD802"


# npu-smi__common__910B4__guide, __memory__910B4__guide, __memory_chip__910B3__skills, and for the 300I Duo
# npu-smi__memory__300IDuo__25_5_1__datakit; the clock of 310P3 and the figures of Ascend910 are assumed.
FIGURES: dict[str, Figures] = {
    "910B4": Figures(20, 1800, 1600, 0x57),
    "910B4-1": Figures(20, 1800, 1600, 0x56),
    "910B3": Figures(20, 1800, 1600, 0x56),
    "910B2": Figures(24, 1800, 1600, 0x56),
    "910A": Figures(30, 900, pci_device="0xD801"),  # npu-smi__common__910A__25_0_rc1_b002; memory clock not seen
    "Ascend910": Figures(20, 1800, 1600, 0x56, pci_device="0xD803"),
    "310P3": Figures(8, 1080, ddr_mhz=451, ddr_total_mb=49152, pci_device="0xD500"),
}


def render(kind: str, machine: Machine, npu: Npu, chip_id: int | None, usage: Usage) -> str:
    """One answer. ``machine`` is an observed one; ``chip_id`` is ``None`` without ``-c``."""
    section = KINDS[kind]
    if kind == "board":
        chip = next((c for c in npu.chips if c.chip_id == chip_id), None)
        return _text(_board(machine, npu) if chip is None else _board_chip(machine, npu, chip))
    if chip_id is not None:
        chip = next(c for c in npu.chips if c.chip_id == chip_id)
        return _text(_health_chip(chip) if kind == "health" else section(machine, chip, usage))
    head: Rows = [("NPU ID", npu.npu_id)]
    if machine.family == "950":
        return _text(head + section(machine, npu.chips[0], usage))
    sections = [_text([*head, ("Chip Count", len(npu.chips))])]
    for chip in npu.chips:
        rows, closing = section(machine, chip, usage), [("Chip ID", chip.chip_id)]
        sections.append(_text(closing + rows if kind == "common" else rows + closing))
    return "\n".join(sections)


def _text(rows: Rows) -> str:
    lines = [f"\t{value}" if key == "" else key_value(key, value) for key, value in rows]
    return "".join(line + "\n" for line in lines)


def _figures(chip: Chip) -> Figures:
    return FIGURES.get(chip.name, Figures())


def _percent(pair: tuple[int, int]) -> int:
    return pair[0] * 100 // pair[1] if pair[1] else 0


def _health(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    if machine.family == "950":
        codes = " ".join(chip.error_codes) or "NA"
        return [("Health", chip.health), ("Error Code", codes), ("Error Information", "NA")]
    return [("Health", chip.health)]


def _health_chip(chip: Chip) -> Rows:
    codes = " ".join(chip.error_codes) or "NA"
    return [("Health Status", chip.health), ("Error Code", codes), ("Error Information", "NA")]


def _usages(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    family, version = machine.family, version_key(machine.tool_version)
    memory = (0, 0) if family in NO_DDR else chip.memory_mb
    used, pages = chip.hugepages
    rows: Rows = [
        ("DDR Capacity(MB)", memory[1]),
        ("DDR Usage Rate(%)", _percent(memory)),
        ("DDR Hugepages Total(page)", 0 if family in NO_DDR else pages),
        ("DDR Hugepages Usage Rate(%)", 0 if family in NO_DDR else _percent((used, pages))),
    ]
    if chip.hbm_mb is not None:
        rows += [("HBM Capacity(MB)", chip.hbm_mb[1]), ("HBM Usage Rate(%)", _percent(chip.hbm_mb))]
    rows.append(("Aicore Usage Rate(%)", chip.aicore_pct))
    if family in NO_DDR:
        rows.append(("Aivector Usage Rate(%)", chip.aicore_pct))
    rows += [("Aicpu Usage Rate(%)", 0), ("Ctrlcpu Usage Rate(%)", 0)]
    if family == "310P":
        rows.append(("Vectorcore Usage Rate(%)", 0))
    rows.append(("DDR Bandwidth Usage Rate(%)", 0))
    if family == "310P":
        rows += [(f"DVPP {unit} Usage Rate(%)", 0) for unit in ("VDEC", "VPC", "VENC", "JPEGE", "JPEGD")]
    if chip.hbm_mb is not None:
        rows.append(("HBM Bandwidth Usage Rate(%)", 0))
    if family in NO_DDR and version >= version_key("25.5.rc1"):
        rows += [("NPU Utilization(%)", chip.aicore_pct), ("Aicube Usage Rate(%)", chip.aicore_pct)]
    return rows


def _processes(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    found = usage.get(chip.phy_id, [])[:MAX_PROCESSES]
    if not found:
        return [("", "No process in device.")]
    return [("", f"Process id:{p.pid:<7} Process name:{p.name:<17} Process memory(MB):{p.memory_mb}") for p in found]


def _common(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    figures = _figures(chip)
    memory = 0 if machine.family == "910B" else _percent(chip.memory_mb)
    rows: Rows = [("Memory Usage Rate(%)", memory)]
    if chip.hbm_mb is not None:
        rows.append(("HBM Usage Rate(%)", _percent(chip.hbm_mb)))
    rows += [
        ("Aicore Usage Rate(%)", chip.aicore_pct),
        ("Aicore Freq(MHZ)", figures.aicore_mhz),
        ("Aicore curFreq(MHZ)", figures.aicore_mhz),
    ]
    if machine.family in HBM_FAMILIES:
        rows.append(("Aicore Count", figures.aicores))
    rows.append(("Temperature(C)", chip.temp_c))
    if machine.family in HBM_FAMILIES:
        rows.append(("NPU Real-time Power(W)", _power(chip)))
    return rows


def _power(chip: Chip) -> str:
    return f"{chip.power_w:.1f}" if chip.power_w is not None else "NA"


def _temp(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    on_server = machine.board == "server" and machine.family != "950"
    return [("NPU Temperature (C)" if on_server else "Temperature (C)", chip.temp_c)]


def _power_rows(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    return [("NPU Real-time Power(W)", _power(chip))]


def _memory(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    figures = _figures(chip)
    rows: Rows = []
    if figures.ddr_total_mb and chip.hbm_mb is None:
        rows.append(("Total DDR Capacity(MB)", figures.ddr_total_mb))
    rows += [
        ("DDR Capacity(MB)", 0 if machine.family in NO_DDR else chip.memory_mb[1]),
        ("DDR Clock Speed(MHz)", figures.ddr_mhz),
    ]
    if chip.hbm_mb is not None:
        rows += [
            ("HBM Capacity(MB)", chip.hbm_mb[1]),
            ("HBM Clock Speed(MHz)", figures.hbm_mhz),
            ("HBM Temperature(C)", chip.temp_c),
            ("HBM Manufacturer ID", f"0x{figures.hbm_vendor:X}"),
        ]
    return rows


def _product(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    return [("Product Type", machine.product)]


def _board(machine: Machine, npu: Npu) -> Rows:
    chip = npu.chips[0]
    rows: Rows = [("NPU ID", npu.npu_id)]
    if machine.family != "910":
        rows += [
            ("Product Name", npu.product_name),
            ("Model", "NA"),
            ("Manufacturer", "Huawei"),
            ("Serial Number", npu.serial_number),
        ]
    rows += [
        ("Software Version", machine.driver_version),
        ("Firmware Version", machine.firmware_version),
        ("Compatibility", "OK" if machine.compatible else "NOK"),
        ("Board ID", "0x02"),
    ]
    if machine.family in ("910_93", "950"):
        rows.append(("Main Board ID", "0x1b"))
    return rows + [
        ("PCB ID", "A"),
        ("BOM ID", 1),
        ("PCIe Bus Info", chip.bus_id or "NA"),
        ("Slot ID", npu.slot_id),
        ("Class ID", "NA"),
        ("PCI Vendor ID", "0x19E5"),
        ("PCI Device ID", _figures(chip).pci_device),
        ("Subsystem Vendor ID", "0x19E5"),
        ("Subsystem Device ID", "0x3003"),
        ("Chip Count", len(npu.chips)),
    ]


def _board_chip(machine: Machine, npu: Npu, chip: Chip) -> Rows:
    die = f"{0x74036E64 + chip.phy_id:08X} 0100F5B0 5AF446F2 {npu.npu_id:08X} 104301E2"
    return [
        ("NPU ID", npu.npu_id),
        ("Chip ID", chip.chip_id),
        ("Chip Type", "Ascend"),
        ("Chip Name", chip.name),
        ("Chip Version", "V1"),
        ("Board ID", "0x02"),
        ("PCB ID", "NA"),
        ("BOM ID", 1),
        ("VDie ID", die),
        ("NDie ID", " ".join(["00000000"] * 5)),
        ("Chip Position ID", chip.chip_id),
        ("PCIe Bus Info", chip.bus_id or "NA"),
        ("Firmware Version", machine.firmware_version),
    ]


def _spod(machine: Machine, chip: Chip, usage: Usage) -> Rows:
    """Who a die is in its super pod: print_npu_spod_info and IP_CONVERT_SDID of the published driver."""
    phy_id, server = chip.phy_id, machine.node
    return [
        ("SDID", server << 22 | phy_id // 2 << 18 | phy_id % 2 << 16 | phy_id),
        ("Super Pod Size", 384),  # dies of the largest pod; assumed
        ("Super Pod ID", machine.super_pod),
        ("Server Index", server),
    ]


KINDS: dict[str, Callable[[Machine, Chip, Usage], Rows]] = {
    "board": _product,  # answered for the whole NPU, see render
    "health": _health,
    "usages": _usages,
    "proc-mem": _processes,
    "common": _common,
    "temp": _temp,
    "power": _power_rows,
    "memory": _memory,
    "product": _product,
    "spod-info": _spod,
}


def topology(machine: Machine) -> str:
    """``-t topo``: how chips reach each other, and the cores near each.

    Servers of the 910B kind have every chip beside every other (npu-smi__topo__910B__24_1__yuanrong); the dies of
    an A3 NPU share SIO and the NPUs a switch. Add-in cards do not answer.
    """
    if machine.board != "server" or machine.family not in ("910B", "910_93"):
        return "This device does not support querying topo.\n"
    a3 = machine.family == "910_93"
    chips = [(npu, chip) for npu in machine.present() for chip in npu.chips]
    names = [f"Phy-ID{chip.phy_id}" if a3 else f"NPU{npu.npu_id}" for npu, chip in chips]
    lines = ["\t   " + "".join(name.ljust(11) for name in names) + "CPU Affinity"]
    for name, (npu, chip) in zip(names, chips):
        cells = [_link(a3, npu is other_npu, chip is other) for other_npu, other in chips]
        lines.append(name.ljust(11) + "".join(cell.ljust(11) for cell in cells) + _cores(chip.bus_id))
    legend = [
        ("X", "Self"),
        ("SYS", "Path traversing PCIe and NUMA nodes. Nodes are connected through SMP, such as QPI, UPI."),
        ("PHB", "Path traversing PCIe and the PCIe host bridge of a CPU."),
        ("PIX", "Path traversing a single PCIe switch"),
        ("PXB", "Path traversing multipul PCIe switches"),
        ("HCCS", "Connection traversing HCCS."),
    ]
    if a3:
        legend += [("SIO", "Path traversing SIO."), ("HCCS_SW", "Path traversing HCCS switch.")]
    legend.append(("NA", "Unknown relationship."))
    width = 7 if a3 else 4
    lines += ["", "Legend:", ""] + [f"  {key.ljust(width)} = {text}" for key, text in legend]
    return "".join(line + "\n" for line in lines)


def _link(a3: bool, same_npu: bool, same_chip: bool) -> str:
    if same_chip:
        return "X"
    if not a3:
        return "HCCS"
    return "SIO" if same_npu else "HCCS_SW"


def _cores(bus_id: str | None) -> str:
    """192 cores in eight groups; the bus number tells the PCIe root and so the group."""
    group = {"C": 144, "8": 96, "0": 0, "4": 48, "9": 144}.get((bus_id or "0000:00")[5], 0)
    return f"{group}-{group + 23}"

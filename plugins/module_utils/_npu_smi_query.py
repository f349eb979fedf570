# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parsers of ``npu-smi info -t TYPE``, one for each type. This module util is PRIVATE to the collection.

Each raises ToolReportedError (``This device does not support ...``, mostly with exit status 0) or ParseError.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_sections import processes_of, read_sections
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import (
    ParseError,
    is_log,
    lines_of,
    raise_tool_error,
)

# Title -> (key, kind of value). A title without entry is text under its name in snake_case.
_TITLES = {
    "usages": {
        "DDR Capacity(MB)": ("ddr_capacity_mb", int),
        "DDR Usage Rate(%)": ("ddr_usage_pct", int),
        "DDR Hugepages Total(page)": ("ddr_hugepages_total", int),
        "DDR Hugepages Usage Rate(%)": ("ddr_hugepages_usage_pct", int),
        "DDR Bandwidth Usage Rate(%)": ("ddr_bw_pct", int),
        # 310 and 310B have these in place of DDR.
        "Memory Capacity(MB)": ("memory_capacity_mb", int),
        "Memory Usage Rate(%)": ("memory_usage_pct", int),
        "Memory Bandwidth Usage Rate(%)": ("memory_bw_pct", int),
        "Hugepages Total(page)": ("hugepages_total", int),
        "Hugepages Usage Rate(%)": ("hugepages_usage_pct", int),
        "HBM Capacity(MB)": ("hbm_capacity_mb", int),
        "HBM Usage Rate(%)": ("hbm_usage_pct", int),
        "HBM Bandwidth Usage Rate(%)": ("hbm_bw_pct", int),
        "Aicore Usage Rate(%)": ("aicore_pct", int),
        "Aivector Usage Rate(%)": ("aivector_pct", int),
        "Aicube Usage Rate(%)": ("aicube_pct", int),
        "Aicpu Usage Rate(%)": ("aicpu_pct", int),
        "Ctrlcpu Usage Rate(%)": ("ctrlcpu_pct", int),
        "Vectorcore Usage Rate(%)": ("vectorcore_pct", int),
        "NPU Utilization(%)": ("npu_util_pct", int),
        "DVPP VDEC Usage Rate(%)": ("dvpp_vdec_pct", int),
        "DVPP VPC Usage Rate(%)": ("dvpp_vpc_pct", int),
        "DVPP VENC Usage Rate(%)": ("dvpp_venc_pct", int),
        "DVPP JPEGE Usage Rate(%)": ("dvpp_jpege_pct", int),
        "DVPP JPEGD Usage Rate(%)": ("dvpp_jpegd_pct", int),
    },
    "common": {
        "Memory Usage Rate(%)": ("memory_pct", int),
        "HBM Usage Rate(%)": ("hbm_pct", int),
        "Aicore Usage Rate(%)": ("aicore_pct", int),
        "Aicore Freq(MHZ)": ("aicore_freq", int),
        "Aicore curFreq(MHZ)": ("aicore_cur_freq", int),
        "Aicore Count": ("aicore_count", int),
        "Temperature(C)": ("temp_c", int),
        "NPU Real-time Power(W)": ("power_w", float),
    },
    "memory": {
        "Total DDR Capacity(MB)": ("total_ddr_mb", int),
        "DDR Capacity(MB)": ("ddr_capacity_mb", int),
        "DDR Clock Speed(MHz)": ("ddr_clock_mhz", int),
        "HBM Capacity(MB)": ("hbm_capacity_mb", int),
        "HBM Clock Speed(MHz)": ("hbm_clock_mhz", int),
        "HBM Temperature(C)": ("hbm_temp_c", int),
        "HBM Manufacturer ID": ("hbm_manufacturer", str),
    },
    "temp": {
        "NPU Temperature (C)": ("temp_c", int),
        "Temperature (C)": ("temp_c", int),
        "LM75A_TE (C)": ("lm75a_c", int),
        "LM75B_TE (C)": ("lm75b_c", int),
    },
    "power": {"NPU Real-time Power(W)": ("power_w", float)},
    "health": {
        "Health Status": ("health", str),
        "Health": ("health", str),
        "Error Code": ("error_codes", "codes"),
        "Error Information": ("error_information", "lines"),
    },
    "flash": {"Flash Count": ("flash_count", int), "Capacity(MB)": ("capacity_mb", int)},
    "phyid-remap": {"Chip Phy-ID": ("phy_id", int), "Slot ID": ("slot_id", int)},
    # A3 and 950; print_npu_spod_info in npu_chip_info_ext.c of the published driver.
    "spod-info": {
        "SDID": ("sdid", int),
        "Super Pod Size": ("super_pod_size", int),
        "Super Pod ID": ("super_pod_id", int),
        "Server Index": ("server_index", int),
    },
}


@dataclass(frozen=True)
class Answer:
    """One ``info -t TYPE``. ``npu_id`` and ``chip_count`` are None where they are not printed (with ``-c``).

    ``chips`` are dicts of ``chip_id`` (None where not printed) and values; ``mcu`` is a dict of values or None.
    ``printed`` has the text of every value by title, or is empty if titles repeat.
    """

    npu_id: int | None
    chip_count: int | None
    chips: tuple
    mcu: dict | None
    printed: dict

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Topology:
    """``-t topo``: ``links`` maps a name to {other name: kind of path}, ``cpu_affinity`` a name to its cores.

    A path of kind NA and an affinity of NA are None.
    """

    npus: tuple
    links: dict
    cpu_affinity: dict

    def to_dict(self) -> dict:
        return {"npus": list(self.npus), "links": self.links, "cpu_affinity": self.cpu_affinity}


def parse_query(kind: str, text: str) -> Answer:
    """Parse ``info -t KIND`` with or without ``-c``.

    Typed are usages, common, memory, temp, power, health, flash, phyid-remap and spod-info; the values of board,
    product and any other type of the same form are text. For proc-mem each chip has ``processes``:
    ``[{pid, name, memory_mb}]``.
    """
    found = read_sections(text)
    titles = _TITLES.get(kind, {})

    def values(section) -> dict:
        return {"processes": processes_of(section)} if kind == "proc-mem" else section.typed(titles)

    return Answer(
        npu_id=found.npu_id,
        chip_count=found.chip_count,
        chips=tuple({"chip_id": section.chip_id, **values(section)} for section in found.chips),
        mcu=values(found.mcu) if found.mcu else None,
        printed=found.printed,
    )


def parse_topology(text: str) -> Topology:
    """Parse ``info -t topo``; names are ``NPU0`` or, on A3, ``Phy-ID0``. The legend is not read."""
    lines = lines_of(text)
    raise_tool_error(lines)
    names, links, affinity = None, {}, {}
    for number, line in lines:
        cells = re.split(r"\t+|\s{2,}", line)
        if names is None:
            if cells[-1] == "CPU Affinity" and len(cells) > 1:
                names = cells[:-1]
            continue
        if line == "Legend:":
            break
        if not line or is_log(line):
            continue
        if len(cells) != len(names) + 2:
            raise ParseError(f"{len(cells)} columns where {len(names) + 2} are expected", line, number)
        if cells[0] not in names or cells[0] in links:
            raise ParseError(f"{cells[0]!r} is no column, or there twice", line, number)
        row = dict(zip(names, cells[1:-1]))
        if row.pop(cells[0]) != "X":
            raise ParseError("the path of an NPU to itself is not X", line, number)
        links[cells[0]] = {name: None if path == "NA" else path for name, path in row.items()}
        affinity[cells[0]] = None if cells[-1] == "NA" else cells[-1]
    if names is None:
        raise ParseError("no header ends in CPU Affinity", *next(((ln, no) for no, ln in lines if ln), ("", 0)))
    if set(links) != set(names):
        raise ParseError(f"no row for {', '.join(sorted(set(names) - set(links)))}")
    return Topology(tuple(names), links, affinity)


def query(tool, kind: str, npu_id: int, chip_id: int | None = None) -> Answer:
    """``npu-smi info -t KIND -i NPU [-c CHIP]`` by a L(NpuSmi). Ascend 950 refuses ``-c``."""
    chip = () if chip_id is None else ("-c", chip_id)
    return tool.ask(lambda text: parse_query(kind, text), "info", "-t", kind, "-i", npu_id, *chip)


def topology(tool) -> Topology:
    """``npu-smi info -t topo`` by a L(NpuSmi)."""
    return tool.ask(parse_topology, "info", "-t", "topo")


__all__ = ["Answer", "Topology", "parse_query", "parse_topology", "query", "topology"]

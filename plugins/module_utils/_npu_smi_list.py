# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parsers of ``npu-smi info -l`` and ``npu-smi info -m``. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import (
    ParseError,
    absent,
    is_log,
    lines_of,
    raise_tool_error,
)

# Column titles of -m, in whatever order the header row has them.
_COLUMNS = {
    "npu id": "npu_id",
    "slot id": "slot_id",
    "chip id": "chip_id",
    "chip logic id": "logic_id",
    "chip phy-id": "phy_id",
    "chip name": "name",
}
_GAP = re.compile(r"\t+|\s{2,}")
_KEY_VALUE = re.compile(r"(?P<key>\S(?:.*?\S)?)\s*:\s*(?P<value>.*)")


@dataclass(frozen=True)
class MappingRow:
    """One chip, ``Mcu`` or ``3559`` of ``npu-smi info -m``. What has no column, or shows ``-``, is None."""

    npu_id: int
    chip_id: int | None
    name: str
    logic_id: int | None = None
    phy_id: int | None = None
    slot_id: int | None = None

    @property
    def is_mcu(self) -> bool:
        """The card's controller, or its video processor 3559: listed like a chip, but no model can run on it."""
        return self.name.lower() in ("mcu", "3559")

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Mapping:
    """``npu-smi info -m``. ``prints_phy_id``: whether there is a Chip Phy-ID column at all (A3, Ascend 950)."""

    rows: tuple
    prints_phy_id: bool

    @property
    def chips(self) -> tuple:
        return tuple(row for row in self.rows if not row.is_mcu)

    def to_dict(self) -> dict:
        return {"mapping": [row.to_dict() for row in self.rows]}


@dataclass(frozen=True)
class ListedNpu:
    """One NPU of ``npu-smi info -l``. ``other`` holds lines under keys this parser has no name for."""

    npu_id: int
    chip_count: int | None = None
    product_name: str | None = None
    serial_number: str | None = None
    other: dict = field(default_factory=dict)

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class NpuList:
    """``npu-smi info -l``. ``total_count`` is what the tool says; compare it with ``len(npus)``."""

    total_count: int
    npus: tuple

    def to_dict(self) -> dict:
        return {"total_count": self.total_count, "npus": [npu.to_dict() for npu in self.npus]}


def parse_mapping(text: str) -> Mapping:
    """Parse ``npu-smi info -m``; raises L(ToolReportedError) or L(ParseError).

    Titles and names contain single blanks (``Chip Logic ID``, ``Ascend 910B3``), so columns end at two.
    """
    lines = lines_of(text)
    raise_tool_error(lines)
    columns, rows, seen = None, [], set()
    for number, line in lines:
        words = _GAP.split(line) if line else []
        if columns is None:
            columns = _mapping_header(words, line, number)
            continue
        if not words or re.fullmatch(r"\.{3,}", line) or is_log(line):
            continue
        row = _mapping_row(columns, words, line, number)
        if (row.npu_id, row.slot_id, row.chip_id) in seen:
            raise ParseError(f"NPU {row.npu_id} chip {row.chip_id} is listed twice", line, number)
        seen.add((row.npu_id, row.slot_id, row.chip_id))
        rows.append(row)
    if columns is None:
        raise ParseError("there is no header row with NPU ID and Chip ID", *_first_text(lines))
    if not rows:
        raise ParseError("the table lists no chip")
    return Mapping(tuple(rows), "phy_id" in columns)


def _mapping_header(words, line, number):
    """Keys of the columns, or None if the line is no header (log lines may come first)."""
    titles = [word.lower() for word in words]
    if "npu id" not in titles:
        return None
    unknown = [word for word, title in zip(words, titles) if title not in _COLUMNS]
    if unknown:
        raise ParseError(f"the column title {unknown[0]!r} is not known", line, number)
    columns = [_COLUMNS[title] for title in titles]
    missing = {"npu_id", "chip_id", "name"} - set(columns)
    if missing or len(set(columns)) != len(columns):
        raise ParseError("the header misses a column or has one twice", line, number)
    return columns


def _mapping_row(columns, words, line, number) -> MappingRow:
    if len(words) != len(columns):
        raise ParseError(f"{len(words)} columns where the header has {len(columns)}", line, number)
    values: dict = dict(zip(columns, words))
    for key in set(values) - {"name"}:
        if re.fullmatch(r"\d+", values[key]):
            values[key] = int(values[key])
        elif absent(values[key]) and key != "npu_id":
            values[key] = None
        else:
            raise ParseError(f"{values[key]!r} is no {key}", line, number)
    return MappingRow(**values)


def parse_list(text: str) -> NpuList:
    """Parse ``npu-smi info -l``; raises L(ToolReportedError) or L(ParseError)."""
    lines = lines_of(text)
    raise_tool_error(lines)
    total, npus = None, []
    for number, line in lines:
        if not line or re.fullmatch(r"\.{3,}", line) or is_log(line):
            continue
        match = _KEY_VALUE.fullmatch(line)
        if not match:
            if total is None:
                continue  # log lines of preloaded libraries come first
            raise ParseError("this is no 'key : value' line", line, number)
        key, value = match.group("key"), match.group("value")
        if key in ("Total Count", "Card Count"):
            total = _count(value, line, number)
        elif total is None:
            continue
        elif key == "NPU ID":
            npus.append({"npu_id": _count(value, line, number), "other": {}})
        elif not npus:
            raise ParseError("this line belongs to no NPU", line, number)
        elif key == "Chip Count":
            npus[-1]["chip_count"] = _count(value, line, number)
        elif key in ("Product Name", "Serial Number"):
            npus[-1][key.lower().replace(" ", "_")] = None if absent(value) else value
        else:
            npus[-1]["other"][key] = value
    if total is None:
        raise ParseError("there is no line 'Total Count'", *_first_text(lines))
    if len({npu["npu_id"] for npu in npus}) != len(npus):
        raise ParseError("an NPU is listed twice")
    return NpuList(total, tuple(ListedNpu(**npu) for npu in npus))


def _count(value, line, number) -> int:
    if not re.fullmatch(r"\d+", value):
        raise ParseError(f"{value!r} is no number", line, number)
    return int(value)


def _first_text(lines) -> tuple:
    return next(((line, number) for number, line in lines if line), ("", 0))


__all__ = ["ListedNpu", "Mapping", "MappingRow", "NpuList", "parse_list", "parse_mapping"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parser of ``npu-smi info``. This module util is PRIVATE to the collection.

There are at least three layouts (HBM, DDR, Ascend 950), two of the process table, and every release moves columns.
So nothing here knows a layout or an offset: the two header rows say which values each cell of the two rows of a
chip holds, and in which order; a cell that does not hold exactly these is an error.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import (
    ParseError,
    absent,
    is_log,
    lines_of,
    raise_tool_error,
)

# Kinds of values: the pattern of one value.
_ID = r"\d+"
_INT = r"-?\d+|NA|N/A|-"
_FLOAT = r"-?\d+(?:\.\d+)?|NA|N/A|-"
_HALF = r"(?:\d+|NA|N/A|-)"
_PAIR = rf"{_HALF}\s*/\s*{_HALF}|NA|-"
_WORD = r"[0-9A-Za-z:.]+|-"
_WORDS = r"[0-9A-Za-z](?:[^|]*[^|\s])?"
_STATE = r"[A-Za-z]+(?: [A-Za-z]+)*|-"
_ANY = r".*?"
_OPTIONAL = r"\S*"

# Titles of the chip table: (title, key, kind). Longer titles first where one begins another.
_CHIP_TITLES = (
    ("NPU ID", "npu_id", _ID),
    ("NPU Util(%)", "npu_util_pct", _INT),
    ("NPU", "npu_id", _ID),
    ("Name", "name", _WORDS),
    ("Health", "health", _STATE),
    ("Power(W)", "power_w", _FLOAT),
    ("Temp(C)", "temp_c", _INT),
    ("Hugepages-Usage(page)", "hugepages", _PAIR),
    ("Chip", "chip_id", _ID),
    ("Device", "device_id", _INT),
    ("Phy-ID", "phy_id", _INT),
    ("Bus-Id", "bus_id", _WORD),
    ("AICore(%)", "aicore_pct", _INT),
    ("Memory-Usage(MB)", "memory_mb", _PAIR),
    ("HBM-Usage(MB)", "hbm_mb", _PAIR),
)
_PROCESS_TITLES = (
    ("NPU ID", "npu_id", _ID),
    ("NPU", "npu_id", _ID),
    ("Chip", "chip_id", _ID),
    ("Process id in container", "extra", _OPTIONAL),
    ("Process id", "pid", _ID),
    ("Process name", "name", _ANY),
    ("Process memory(MB)", "memory", _INT),
    ("Process memory(B)", "memory", _INT),
)

# Excerpts sometimes come without header; these are the pairs of header rows seen so far. Numbers of cells and of
# values differ between them, so at most one fits.
_KNOWN_HEADERS = (
    ("NPU Name|Health|Power(W) Temp(C) Hugepages-Usage(page)", "Chip|Bus-Id|AICore(%) Memory-Usage(MB) HBM-Usage(MB)"),
    (
        "NPU Name|Health|Power(W) Temp(C) Hugepages-Usage(page)",
        "Chip Phy-ID|Bus-Id|AICore(%) Memory-Usage(MB) HBM-Usage(MB)",
    ),
    ("NPU Name|Health|Power(W) Temp(C) Hugepages-Usage(page)", "Chip Device|Bus-Id|AICore(%) Memory-Usage(MB)"),
    (
        "NPU ID|Name|Health|Power(W) Temp(C) Hugepages-Usage(page)",
        "||Bus-Id|NPU Util(%) Memory-Usage(MB) HBM-Usage(MB)",
    ),
)

_BANNER = re.compile(r"npu-smi\s+(\S+)\s+Version:\s*(\S+)")
_RULE = re.compile(r"[+|][-=+|]*[-=]{3}[-=+|]*")
_IDLE = re.compile(r"No\s+running\s+processes\s+found\s+in\s+NPU\s+(\d+)")
# Publishers leave out rows: "..." alone or in the cells of a row.
_ELISION = re.compile(r"[|\s]*(?:\.{3,}|…)[|\s.…]*")


@dataclass(frozen=True)
class Chip:
    """One chip of one NPU; the units are in the names. A key the tool does not print, or prints as NA, is None."""

    npu_id: int
    name: str | None = None
    health: str | None = None
    power_w: float | None = None
    temp_c: int | None = None
    hugepages: tuple | None = None
    chip_id: int | None = None
    phy_id: int | None = None
    logic_id: int | None = None
    device_id: int | None = None
    bus_id: str | None = None
    aicore_pct: int | None = None
    npu_util_pct: int | None = None
    memory_mb: tuple | None = None
    hbm_mb: tuple | None = None

    def to_dict(self) -> dict:
        return _plain(asdict(self))


@dataclass(frozen=True)
class Process:
    """A process on a chip. ``memory`` is in L(Info.process_memory_unit).

    ``name`` is cut to 15 characters by the tool and empty for a process of another PID namespace; ``extra`` is the
    fifth column as printed (since 26.0 the PID in the container).
    """

    npu_id: int
    chip_id: int | None
    pid: int
    name: str
    memory: int | None
    extra: str | None = None

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Info:
    """``npu-smi info``. ``process_memory_unit`` is None when no process table was printed (nothing is known then).

    ``warning`` is what was printed after the first row of a table and belongs to none, and warnings before it.
    ``notes`` are the other lines before it, logs of preloaded libraries. The versions are None in an excerpt without
    banner.
    """

    npu_smi_version: str | None
    driver_version: str | None
    chips: tuple
    processes: tuple
    process_memory_unit: str | None
    no_process_npus: tuple
    warning: str | None
    notes: tuple = ()

    def to_dict(self) -> dict:
        return {
            "npu_smi_version": self.npu_smi_version,
            "driver_version": self.driver_version,
            "chips": [chip.to_dict() for chip in self.chips],
            "processes": [process.to_dict() for process in self.processes],
            "process_memory_unit": self.process_memory_unit,
            "no_process_npus": list(self.no_process_npus),
            "warning": self.warning,
        }


def parse_info(text: str) -> Info:
    """Parse the output of ``npu-smi info``.

    Raises L(ToolReportedError) for an error sentence of the tool and L(ParseError) for anything not understood,
    also a chip with one of its two rows. A table that simply ends early is not an error (it can't be told apart
    from a driver that prints no process table): see ``process_memory_unit`` and ``no_process_npus``.
    """
    before, table, after = _split(lines_of(text))
    raise_tool_error(before + after)
    if not table:
        raise ParseError("there is no table in it", *_first_text(before))
    reader = _Reader()
    for number, line in table:
        reader.read(number, line)
    warnings = [line for _number, line in before if line.startswith("[WARNING]")]
    warnings += [line for _number, line in after if line]
    return reader.finish(
        warning="\n".join(warnings) or None,
        notes=tuple(line for _number, line in before if line and not line.startswith("[WARNING]")),
    )


def _split(lines) -> tuple:
    """Lines before, of, and after the tables."""
    of_table = [i for i, (_number, line) in enumerate(lines) if line.startswith("|") or _RULE.fullmatch(line)]
    if not of_table:
        return lines, [], []
    before, table, after = lines[: of_table[0]], lines[of_table[0] : of_table[-1] + 1], lines[of_table[-1] + 1 :]
    after = [entry for entry in table if is_log(entry[1])] + after
    table = [entry for entry in table if not is_log(entry[1])]
    for number, line in after:
        if line.endswith("|") or line.startswith("+"):
            raise ParseError("this looks like a damaged row of a table", line, number)
    return before, table, after


def _first_text(lines) -> tuple:
    return next(((line, number) for number, line in lines if line), ("", 0))


class _Reader:
    """Reads table lines one by one; a row means what the last header said."""

    def __init__(self) -> None:
        self.versions = (None, None)
        self.header: list = []  # (title row, number) until both rows are there, then compiled into self.chip_rows
        self.chip_rows = None
        self.process_row = None
        self.unit = None
        self.pending = None  # first row of a chip: (values or cells, line, number)
        self.chips: list = []
        self.processes: list = []
        self.idle: list = []

    def read(self, number: int, line: str) -> None:
        if not line or _RULE.fullmatch(line) or _ELISION.fullmatch(line):
            if self.pending:
                raise ParseError("the second row of this chip is missing", *self.pending[1:])
            return
        if not (line.startswith("|") and line.endswith("|") and len(line) > 1):
            raise ParseError("a row of a table must start and end with '|'", line, number)
        cells = [cell.strip() for cell in line[1:-1].split("|")]
        banner, idle = _BANNER.fullmatch(cells[0]), _IDLE.fullmatch(cells[0])
        if banner and len(cells) == 1 and self.versions == (None, None) and not self.chips:
            self.versions = tuple(None if absent(version) else version for version in banner.groups())
        elif idle and len(cells) == 1 and self.process_row:
            self.idle.append(int(idle.group(1)))
        elif len(cells) < 3:
            raise ParseError("this is no row of a chip or a process", line, number)
        elif re.match(r"(NPU|Chip)\b", cells[0]) or cells[0] == "" and any("Bus-Id" in cell for cell in cells):
            self._header(cells, line, number)
        elif self.process_row:
            self.processes.append(self._process(cells, line, number))
        else:
            self._chip_row(cells, line, number)

    def _header(self, cells, line, number) -> None:
        if any(re.match(r"Process\s+id\b", cell) for cell in cells):
            if self.process_row or self.pending or not self.chips:
                raise ParseError("a process table must follow one complete chip table", line, number)
            self.process_row = _Row(cells, _PROCESS_TITLES, line, number)
            self.process_row.need(("npu_id", "pid", "name", "memory"), line, number)
            self.unit = "MB" if "(MB)" in line.upper() else "B"
            return
        if self.chips or self.pending or len(self.header) == 2:
            raise ParseError("a second chip table is not expected", line, number)
        self.header.append(_Row(cells, _CHIP_TITLES, line, number))
        if len(self.header) == 2:
            self.header[0].need(("npu_id", "name", "health"), line, number)
            self.header[1].need(("bus_id", "memory_mb"), line, number)
            self.chip_rows = tuple(self.header)

    def _chip_row(self, cells, line, number) -> None:
        if len(self.header) == 1:
            raise ParseError("the second header row is missing", line, number)
        if self.pending is None:
            first = self.chip_rows[0].values(cells, line, number) if self.chip_rows else cells
            self.pending = (first, line, number)
            return
        first, first_line, first_number = self.pending
        if not self.chip_rows:
            self.chip_rows = _rows_by_shape(first, cells, first_line, first_number)
            first = self.chip_rows[0].values(first, first_line, first_number)
        chip = Chip(**first, **self.chip_rows[1].values(cells, line, number))
        if any((chip.npu_id, chip.chip_id) == (other.npu_id, other.chip_id) for other in self.chips):
            raise ParseError(f"NPU {chip.npu_id} chip {chip.chip_id} is listed twice", line, number)
        self.chips.append(chip)
        self.pending = None

    def _process(self, cells, line, number) -> Process:
        surplus = len(cells) - len(self.process_row.titles)
        if surplus > 0:
            # A process may have '|' in its name.
            at = self.process_row.index_of("name")
            cells = cells[:at] + ["|".join(cells[at : at + surplus + 1])] + cells[at + surplus + 1 :]
        values = self.process_row.values(cells, line, number)
        return Process(
            npu_id=values["npu_id"],
            chip_id=values.get("chip_id"),
            pid=values["pid"],
            name=values["name"],
            memory=values["memory"],
            extra=values.get("extra"),
        )

    def finish(self, warning, notes) -> Info:
        if self.pending:
            raise ParseError("the second row of this chip is missing", *self.pending[1:])
        if not self.chips:
            raise ParseError("the table lists no chip")
        return Info(
            npu_smi_version=self.versions[0],
            driver_version=self.versions[1],
            chips=tuple(self.chips),
            processes=tuple(self.processes),
            process_memory_unit=self.unit,
            no_process_npus=tuple(self.idle),
            warning=warning,
            notes=notes,
        )


class _Row:
    """One header row: which values the cells of its data rows hold."""

    def __init__(self, cells, known, line: str = "", number: int = 0) -> None:
        self.titles = [self._titles(cell, known, line, number) for cell in cells]
        # Values of one cell are separated by blanks.
        self.patterns = [
            re.compile(r"\s+".join(f"(?P<{key}>{kind})" for key, kind in titles)) for titles in self.titles
        ]

    @staticmethod
    def _titles(cell, known, line, number) -> list:
        found, rest = [], " ".join(cell.split())
        while rest:
            for title, key, kind in known:
                if rest.lower().startswith(title.lower()):
                    found.append((key, kind))
                    rest = rest[len(title) :].strip()
                    break
            else:
                raise ParseError(f"the column title {rest!r} is not known", line, number)
        return found

    def need(self, keys, line, number) -> None:
        have = [key for titles in self.titles for key, _kind in titles]
        missing = sorted(set(keys) - set(have))
        if missing or len(set(have)) != len(have):
            what = f"no column for {', '.join(missing)}" if missing else "a column appears twice"
            raise ParseError(f"the header has {what}", line, number)

    def index_of(self, key: str) -> int:
        return next(i for i, titles in enumerate(self.titles) if key in [name for name, _kind in titles])

    def fits(self, cells) -> bool:
        return len(cells) == len(self.patterns) and all(
            pattern.fullmatch(cell) for pattern, cell in zip(self.patterns, cells)
        )

    def values(self, cells, line, number) -> dict:
        if len(cells) != len(self.patterns):
            raise ParseError(f"{len(cells)} cells where the header has {len(self.patterns)}", line, number)
        values: dict = {}
        for titles, pattern, cell in zip(self.titles, self.patterns, cells):
            match = pattern.fullmatch(cell)
            if not match:
                wanted = ", ".join(key for key, _kind in titles) or "nothing"
                raise ParseError(f"the cell {cell!r} should hold {wanted}", line, number)
            for key, kind in titles:
                values[key] = _value(match.group(key), kind)
        return values


def _rows_by_shape(first, second, line, number) -> tuple:
    for header in _KNOWN_HEADERS:
        rows = tuple(_Row([cell.strip() for cell in row.split("|")], _CHIP_TITLES) for row in header)
        if rows[0].fits(first) and rows[1].fits(second):
            return rows
    raise ParseError("there is no header, and the rows fit no layout known", line, number)


def _value(text: str, kind: str):
    if kind == _ANY:
        return text
    if absent(text):
        return None
    if kind in (_ID, _INT):
        return int(text)
    if kind == _FLOAT:
        return float(text)
    if kind == _PAIR:
        pair = tuple(None if absent(half) else int(half) for half in map(str.strip, text.split("/")))
        return None if pair == (None, None) else pair
    return text


def _plain(values: dict) -> dict:
    """Tuples as lists: what JSON and YAML make of them, and what tests compare with."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


__all__ = ["Chip", "Info", "Process", "parse_info"]

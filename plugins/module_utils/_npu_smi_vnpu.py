# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parsers of what ``npu-smi`` says about vNPUs. This module util is PRIVATE to the collection.

``info -t template-info``, ``info -t info-vnpu``, ``info -t vnpu-mode`` and ``info -t vnpu-cfg-recover``. Values of the
tables have no blanks in them, so a value belongs to the title with its number in the row of titles, wherever the
columns are. All raise L(ToolReportedError), L(NotSupported) among them, or L(ParseError).
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

_TITLES = {
    "name": "name",
    "aicore": "aicore",
    "memory": "memory_gb",
    "aicpu": "aicpu",
    "vpc": "vpc",
    "venc": "venc",
    "vdec": "vdec",
    "jpegd": "jpegd",
    "jpege": "jpege",
    "pngd": "pngd",
}
# Titles of the list of vNPUs: (key, pattern of a value). NA is known to all but the first.
_VNPU_TITLES = {
    "vnpu id": ("vnpu_id", r"\d+"),
    "vgroup id": ("vgroup_id", r"\d+"),
    "container id": ("container_id", r"[0-9A-Za-z]+"),
    "status": ("status", r"[01]"),
    "template name": ("template", r"[0-9A-Za-z_]+"),
}
_PER_GB = {"gb": 1, "mb": 1024}

_UNIT = re.compile(r"\(?([GM]B)\)?", re.IGNORECASE)
_TITLE_AND_UNIT = re.compile(r"([A-Za-z]+)\(([GM]B)\)", re.IGNORECASE)
_NUMBER = r"\d+(?:\.\d+)?"
_HALF = rf"(?:{_NUMBER}|NA|N/A|-)"
_PAIR = re.compile(rf"({_HALF})\s*/\s*({_HALF})")
_PAIRS = re.compile(rf"{_PAIR.pattern}(?:\s+{_PAIR.pattern})*")
_RULE = re.compile(r"[-+=|]{3,}")
_ELISION = re.compile(r"[|\s]*(?:\.{3,}|…)[|\s.…]*")
_TOTAL = re.compile(r"Total\s+number\s+of\s+vnpu\s*:\s*(\S*)", re.IGNORECASE)
_KEY_VALUE = re.compile(r"(?P<key>[^:]*[^:\s])\s*:\s*(?P<value>.*)")


@dataclass(frozen=True)
class Template:
    """What a vNPU made by this template has. Memory is in GB, the others are numbers of units or None if not printed.

    ``aicpu`` and ``pngd`` may be fractions on the first generation of Ascend 910.
    """

    name: str
    aicore: float
    memory_gb: float
    aicpu: float | None = None
    vpc: float | None = None
    venc: float | None = None
    vdec: float | None = None
    jpegd: float | None = None
    jpege: float | None = None
    pngd: float | None = None

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Vnpu:
    """One vNPU. ``in_use`` is None if neither the status nor the container id tells.

    ``status`` is 1 if a container has it, else 0: it says nothing about health. ``container_id`` is no id of Docker
    but ``000000000000`` (free) or ``ffffffffffff``. What is printed as NA is None.
    """

    vnpu_id: int
    vgroup_id: int | None
    container_id: str | None
    in_use: bool | None
    template: str | None
    status: int | None = None

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class VnpuInfo:
    """``info -t info-vnpu`` of one chip. ``resources`` maps a name to (free, total); memory is in GB.

    (None, None) is a resource that the chip does not tell. The totals are those of the machine at that moment: a
    first vNPU raises AICPU from 6 to 7. ``total`` is the number of vNPUs as printed.
    """

    resources: dict
    vnpus: tuple
    total: int | None = None

    def to_dict(self) -> dict:
        return {
            "resources": {name: list(pair) for name, pair in self.resources.items()},
            "total": len(self.vnpus) if self.total is None else self.total,
            "vnpus": [vnpu.to_dict() for vnpu in self.vnpus],
        }


def parse_templates(text: str) -> tuple:
    """Parse ``info -t template-info``: a L(Template) for each, in the order of the tool.

    A template has as many rows as there are rows of titles: two in all releases known.
    """
    rows, titles, divisor, found, pending = _table_lines(text), [], 1, [], []
    for number, line in rows:
        words = line.split()
        header = _titles(words)
        if header and not found and not pending and (titles or "name" in header[0]):
            titles.append(header[0])
            divisor = header[1] or divisor
        elif titles:
            pending.append((words, line, number))
            _template_row(titles[len(pending) - 1], words, line, number)
            if len(pending) == len(titles):
                found.append(_template(titles, pending, divisor))
                pending = []
    if not titles:
        raise ParseError("there is no row with the titles Name and AICORE", *_first_text(rows))
    if pending:
        raise ParseError("the next row of this template is missing", *pending[-1][1:])
    if not found:
        raise ParseError("the table lists no template")
    if len({template.name for template in found}) != len(found):
        raise ParseError("a template is listed twice")
    return tuple(found)


def parse_vnpus(text: str) -> VnpuInfo:
    """Parse ``info -t info-vnpu``.

    Excerpts without the table of resources have ``resources={}``; a chip without vNPU may come without the header of
    the list.
    """
    rows = _table_lines(text, keep_elision=True)
    reader = _VnpuReader()
    for number, line in rows:
        reader.read(line, number)
    if reader.total is None:
        raise ParseError("there is no line 'Total number of vnpu'", *_first_text(rows))
    return reader.finish()


def parse_vnpu_mode(text: str) -> str:
    """Parse ``info -t vnpu-mode``: "docker" or "vm"."""
    value, line, number = _only_value(text, "vnpu-mode")
    if value.lower() not in ("docker", "vm"):
        raise ParseError(f"{value!r} is neither docker nor VM", line, number)
    return value.lower()


def parse_cfg_recover(text: str) -> bool:
    """Parse ``info -t vnpu-cfg-recover``: whether vNPUs are made again when the machine starts."""
    value, line, number = _only_value(text, "vnpu config recover mode")
    if value.lower() not in ("enable", "disable"):
        raise ParseError(f"{value!r} is neither Enable nor Disable", line, number)
    return value.lower() == "enable"


class _VnpuReader:
    """Reads lines one by one; a line means what the last titles said."""

    def __init__(self) -> None:
        self.resources: dict = {}
        self.names: list = []  # titles of resources without value yet
        self.divisor = 1
        self.total = None
        self.columns = None
        self.vnpus: list = []
        self.elided = False

    def read(self, line: str, number: int) -> None:
        total, words = _TOTAL.fullmatch(line), line.split()
        header = _titles(words)
        if total:
            self._total(total.group(1), line, number)
        elif _ELISION.fullmatch(line):
            self.elided = True
        elif self.total is not None:
            self._vnpu([cell.strip() for cell in line.split("|")], line, number)
        elif header and not self.resources:
            self.names += header[0]
            self.divisor = header[1] or self.divisor
        elif self.names:
            self._resources(line, number)
        elif _PAIRS.fullmatch(line):
            raise ParseError("there are no titles for these values", line, number)
        # What comes before the titles, or instead of them, is a caption or a log line.

    def _resources(self, line, number) -> None:
        if not _PAIRS.fullmatch(line):
            raise ParseError("this is no row of free/total", line, number)
        pairs = _PAIR.findall(line)
        if len(pairs) > len(self.names):
            raise ParseError(f"{len(pairs)} values where there are {len(self.names)} titles", line, number)
        for name, pair in zip(self.names, pairs):
            if name in self.resources:
                raise ParseError(f"{name} is there twice", line, number)
            free, total = (None if absent(half) else _number(half) for half in pair)
            if name == "memory_gb":
                free, total = _in_gb(free, self.divisor), _in_gb(total, self.divisor)
            self.resources[name] = (free, total)
        del self.names[: len(pairs)]

    def _total(self, value, line, number) -> None:
        if self.names:
            raise ParseError(f"there is no value for {', '.join(self.names)} before this line", line, number)
        if self.total is not None or not re.fullmatch(r"\d+", value):
            raise ParseError(f"{value!r} is no number, or there twice", line, number)
        self.total = int(value)

    def _vnpu(self, cells, line, number) -> None:
        titles = [" ".join(cell.lower().split()) for cell in cells]
        if self.columns is None:
            unknown = [cell for cell, title in zip(cells, titles) if title not in _VNPU_TITLES]
            if unknown:
                raise ParseError(f"the column title {unknown[0]!r} is not known", line, number)
            if not {"vnpu id", "status", "template name"} <= set(titles) or len(set(titles)) != len(titles):
                raise ParseError("the header misses a column or has one twice", line, number)
            self.columns = [_VNPU_TITLES[title] for title in titles]
            return
        if len(cells) != len(self.columns):
            raise ParseError(f"{len(cells)} columns where the header has {len(self.columns)}", line, number)
        values: dict = {"vgroup_id": None, "container_id": None}
        for (key, pattern), cell in zip(self.columns, cells):
            if absent(cell) and key != "vnpu_id":
                values[key] = None
            elif re.fullmatch(pattern, cell):
                values[key] = int(cell) if key in ("vnpu_id", "vgroup_id", "status") else cell
            else:
                raise ParseError(f"{cell!r} is no {key}", line, number)
        if any(vnpu.vnpu_id == values["vnpu_id"] for vnpu in self.vnpus):
            raise ParseError(f"vNPU {values['vnpu_id']} is listed twice", line, number)
        self.vnpus.append(Vnpu(in_use=_in_use(values["status"], values["container_id"]), **values))

    def finish(self) -> VnpuInfo:
        if len(self.vnpus) > self.total or len(self.vnpus) < self.total and not self.elided:
            raise ParseError(f"{len(self.vnpus)} vNPUs are listed where the tool counts {self.total}")
        return VnpuInfo(self.resources, tuple(self.vnpus), self.total)


def _in_use(status, container_id):
    """Used if either says so: an id that is taken for free by mistake costs somebody his container."""
    says = [] if status is None else [status == 1]
    if container_id is not None:
        says.append(container_id.strip("0") != "")
    return any(says) if says else None


def _table_lines(text: str, keep_elision: bool = False) -> list:
    """``(number, line)`` of all lines with something in them: no borders, rules and logs."""
    lines = lines_of(text)
    raise_tool_error(lines)
    found = []
    for number, line in lines:
        bare = line.strip("|").strip()
        if not bare or _RULE.fullmatch(line) or is_log(line):
            continue
        if keep_elision or not _ELISION.fullmatch(line):
            found.append((number, bare))
    return found


def _titles(words):
    """(keys, divisor of the memory or None) if every word is a title or a unit of memory, else None."""
    keys, divisor = [], None
    for word in words:
        unit, both = _UNIT.fullmatch(word), _TITLE_AND_UNIT.fullmatch(word)
        if unit:
            divisor = _PER_GB[unit.group(1).lower()]
            continue
        if both:
            word, divisor = both.group(1), _PER_GB[both.group(2).lower()]
        if word.lower() not in _TITLES:
            return None
        keys.append(_TITLES[word.lower()])
    return keys, divisor


def _template_row(keys, words, line, number) -> None:
    if len(words) != len(keys):
        raise ParseError(f"{len(words)} values where there are {len(keys)} titles", line, number)
    for key, word in zip(keys, words):
        if key == "name":
            fits = re.fullmatch(r"[A-Za-z]\w*", word)
        else:
            fits = re.fullmatch(_NUMBER, word) or absent(word) and key not in ("aicore", "memory_gb")
        if not fits:
            raise ParseError(f"{word!r} is no {key}", line, number)


def _template(titles, rows, divisor) -> Template:
    values: dict = {}
    for keys, (words, line, number) in zip(titles, rows):
        for key, word in zip(keys, words):
            if key in values:
                raise ParseError(f"there are two titles for {key}", line, number)
            values[key] = word if key == "name" else None if absent(word) else _number(word)
    missing = {"aicore", "memory_gb"} - set(values)
    if missing:
        raise ParseError(f"there is no title for {', '.join(sorted(missing))}", *rows[0][1:])
    values["memory_gb"] = _in_gb(values["memory_gb"], divisor)
    return Template(**values)


def _number(text: str):
    value = float(text)
    return int(value) if value.is_integer() else value


def _in_gb(value, divisor):
    return None if value is None else _number(str(value / divisor))


def _only_value(text: str, key: str) -> tuple:
    """(value, line, number) of the line with this key; there must be exactly one."""
    lines = lines_of(text)
    raise_tool_error(lines)
    found = []
    for number, line in lines:
        match = _KEY_VALUE.fullmatch(line)
        if match and " ".join(match.group("key").lower().split()) == key:
            found.append((match.group("value"), line, number))
    if not found:
        raise ParseError(f"there is no line {key!r}", *_first_text([(no, ln) for no, ln in lines if ln]))
    if len(found) > 1:
        raise ParseError(f"{key!r} is there twice", *found[1][1:])
    return found[0]


def _first_text(rows) -> tuple:
    return (rows[0][1], rows[0][0]) if rows else ("", 0)


__all__ = [
    "Template",
    "Vnpu",
    "VnpuInfo",
    "parse_cfg_recover",
    "parse_templates",
    "parse_vnpu_mode",
    "parse_vnpus",
]

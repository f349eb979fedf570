# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Sections of ``key : value`` lines, as ``npu-smi info -t TYPE`` prints them.

This module util is PRIVATE to the collection.

Whether ``Chip ID`` opens or closes a section differs between types and releases, and with ``-c`` it is not printed at
all, so the text says it: ``Chip ID`` opens sections if no value stands before the first one. A section marked by
``Chip Name : mcu`` is that of the card's controller; it repeats titles of a chip and is kept apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import (
    ParseError,
    absent,
    is_log,
    lines_of,
    raise_tool_error,
)

# A blank stands before the colon that separates; the colons of log lines and of values have none. A line without key
# goes on with the value of the line before.
_KEY_VALUE = re.compile(r"(?:(?P<key>[^:]*[^:\s])\s+)?:\s*(?P<value>.*)")
_PROCESS = re.compile(r"Process id:\s*(\d+)\s+Process name:(.*?)\s*Process memory\(MB\):\s*(\d+)")
_NO_PROCESS = "No process in device."
_OF_NPU = ("NPU ID", "Chip Count")
_NUMBERS = {int: r"-?\d+", float: r"-?\d+(?:\.\d+)?"}


@dataclass
class Entry:
    """A line. ``value`` is text, with a line break for each continuation line."""

    key: str
    value: str
    line: str
    number: int
    opens_block: bool  # the line before is empty

    @property
    def is_chip_id(self) -> bool:
        return self.key == "Chip ID"

    @property
    def is_mcu(self) -> bool:
        return self.key == "Chip Name" and self.value.lower() == "mcu"

    def int(self) -> int:
        if not re.fullmatch(r"\d+", self.value):
            raise ParseError(f"{self.value!r} is no number", self.line, self.number)
        return int(self.value)


@dataclass
class Section:
    """The entries of one chip, or of the Mcu. ``chip_id`` is None if none is printed (with -c, on Ascend 950)."""

    chip_id: int | None = None
    is_mcu: bool = False
    entries: list = field(default_factory=list)

    def typed(self, titles: dict) -> dict:
        """Values by key: ``titles`` maps a title to (key, kind); any other is text under its title in snake_case.

        Kinds are int, float, str, "codes" (blanks between) and "lines"; what the tool does not know is None, or [].
        """
        found: dict = {}
        for entry in self.entries:
            slug = re.sub(r"[^0-9a-z]+", "_", entry.key.lower()).strip("_")
            key, kind = titles.get(entry.key, (slug, str))
            if key in found:
                raise ParseError("this value is there twice", entry.line, entry.number)
            found[key] = _value(entry, kind)
        return found


@dataclass(frozen=True)
class Sections:
    """``npu_id`` and ``chip_count`` are None where they are not printed.

    ``printed`` has every value as it stands, by title, or is empty if a title repeats.
    """

    npu_id: int | None
    chip_count: int | None
    chips: tuple
    mcu: Section | None
    printed: dict


def read_sections(text: str) -> Sections:
    """Raises L(ToolReportedError) or L(ParseError)."""
    lines = lines_of(text)
    raise_tool_error(lines)
    entries = _entries(lines)
    of_npu: dict = {}
    for entry in entries:
        if entry.key in _OF_NPU:
            if entry.key in of_npu:
                raise ParseError("this value is there twice", entry.line, entry.number)
            of_npu[entry.key] = entry.int()
    sections = _split([entry for entry in entries if entry.key not in _OF_NPU])
    chips = [section for section in sections if not section.is_mcu]
    mcus = [section for section in sections if section.is_mcu]
    ids = [section.chip_id for section in chips]
    if not sections:
        raise ParseError("there are no values", *next(((line, number) for number, line in lines if line), ("", 0)))
    if len(set(ids)) != len(ids) or len(mcus) > 1:
        raise ParseError("there are two sections of the same chip")
    titles = [entry.key for entry in entries if entry.key]
    return Sections(
        npu_id=of_npu.get("NPU ID"),
        chip_count=of_npu.get("Chip Count"),
        chips=tuple(chips),
        mcu=mcus[0] if mcus else None,
        printed={entry.key: entry.value for entry in entries if entry.key} if len(set(titles)) == len(titles) else {},
    )


def _entries(lines) -> list:
    entries: list = []
    after_blank = True
    for number, line in lines:
        if is_log(line):
            continue
        match = _KEY_VALUE.fullmatch(line)
        if line == _NO_PROCESS or _PROCESS.fullmatch(line):
            entries.append(Entry("", line, line, number, after_blank))
        elif match and match.group("key"):
            entries.append(Entry(match.group("key"), match.group("value"), line, number, after_blank))
        elif match and entries:
            entries[-1].value += "\n" + match.group("value")
        elif line and entries:  # before them a library may have said anything
            raise ParseError("this is no 'key : value' line", line, number)
        after_blank = not line
    return entries


def _split(entries) -> list:
    markers = [entry for entry in entries if entry.is_chip_id or entry.is_mcu]
    numbered = any(entry.is_chip_id for entry in markers)
    opening = bool(markers) and (markers[0] is entries[0] or not numbered and markers[0].opens_block)
    sections: list = []
    current = Section()
    for entry in entries:
        if entry not in markers:
            current.entries.append(entry)
            continue
        marked = {"chip_id": entry.int() if entry.is_chip_id else None, "is_mcu": entry.is_mcu}
        if opening:
            sections.append(current)
            current = Section(**marked)
        else:
            sections.append(Section(entries=current.entries, **marked))
            current = Section()
    if current.entries and numbered and not opening:
        last = current.entries[-1]
        raise ParseError("no 'Chip ID' closes this section", last.line, last.number)
    sections.append(current)
    # Before the first opening and after the last closing marker there is nothing.
    return [section for section in sections if section.entries]


def processes_of(section: Section) -> list:
    """Processes of a section of proc-mem: ``[{pid, name, memory_mb}]``; the name may be empty."""
    found, none = [], False
    for entry in section.entries:
        match = _PROCESS.fullmatch(entry.line)
        if match:
            found.append({"pid": int(match.group(1)), "name": match.group(2).strip(), "memory_mb": int(match.group(3))})
        elif entry.line == _NO_PROCESS:
            none = True
        else:
            raise ParseError("this is no process", entry.line, entry.number)
    if none == bool(found):
        raise ParseError("a chip has processes, or none", section.entries[0].line, section.entries[0].number)
    return found


def _value(entry: Entry, kind):
    if kind in ("codes", "lines"):
        parts = entry.value.split() if kind == "codes" else [part.strip() for part in entry.value.split("\n")]
        return [part for part in parts if not absent(part)]
    if absent(entry.value):
        return None
    if kind is str:
        return entry.value
    if not re.fullmatch(_NUMBERS[kind], entry.value):
        raise ParseError(f"{entry.value!r} is no number", entry.line, entry.number)
    return kind(entry.value)


__all__ = ["Entry", "Section", "Sections", "processes_of", "read_sections"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What diagnosing works with: texts and known failures in, findings out.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from typing import NamedTuple

# How near to the cause an entry is: lower ones are shown first.
CAUSE = 0
# Mostly the consequence of something else that is in the logs, too, perhaps on another node.
FOLLOWS = 1
# Says that something died, not why.
LATE = 2
HARMLESS = 3

RANKS = {CAUSE: "cause", FOLLOWS: "consequence", LATE: "symptom", HARMLESS: "harmless"}


class Entry(NamedTuple):
    """A known failure.

    :ivar pattern: regular expression, searched in each line.
    :ivar needles: a line that can match has one of these in it, literally: what makes big logs cheap to search.
    :ivar sources: where it is known from. C(vllm-ascend#N) are issues of vllm-project/vllm-ascend, bare file names its
        documentation and source.
    :ivar inferred: the text was seen, its cause or remedy was concluded and not read.
    """

    id: str
    pattern: str
    needles: tuple
    cause: str
    remedy: str
    sources: tuple
    rank: int = CAUSE
    inferred: bool = False


class Text(NamedTuple):
    """A piece of a log.

    :ivar kind: C(container), C(journal), C(ray), C(plog), C(dmesg), C(file) or C(message).
    :ivar name: the file or the command that gave it.
    :ivar first_line: number of its first line, or None when it begins in the middle of a big file.
    :ivar offset: bytes before it in the file, when C(first_line) is None.
    """

    kind: str
    name: str
    text: str
    first_line: int | None = 1
    offset: int | None = None


class Place(NamedTuple):
    """Where a line stands. ``line`` counts from 1; in a piece from the middle of a big file, ``offset`` is in bytes."""

    kind: str
    name: str
    line: int | None = None
    offset: int | None = None

    def shown(self) -> str:
        if self.line is not None:
            return f"{self.name}, line {self.line}"
        if self.offset is not None:
            return f"{self.name}, byte {self.offset}"
        return self.name


class Finding(NamedTuple):
    """A known failure that was seen. ``count`` lines in all, the first of them ``line`` at ``place``."""

    entry: Entry
    line: str
    place: Place
    count: int
    names: tuple

    def to_dict(self) -> dict:
        entry = self.entry
        return {
            "id": entry.id,
            "rank": RANKS[entry.rank],
            "cause": entry.cause,
            "remedy": entry.remedy,
            "sources": list(entry.sources),
            "inferred": entry.inferred,
            "count": self.count,
            "line": self.line,
            "kind": self.place.kind,
            "name": self.place.name,
            "line_number": self.place.line,
            "offset": self.place.offset,
            "names": list(self.names),
        }

    def lines(self) -> list:
        """The finding for a reader."""
        entry = self.entry
        times = "once" if self.count == 1 else f"{self.count} times, first"
        return [
            f"{entry.cause}" + (" (concluded, not documented)" if entry.inferred else ""),
            f"  remedy: {entry.remedy}",
            f"  seen {times} in {self.place.shown()}: {self.line}",
            f"  source: {', '.join(entry.sources)}",
        ]

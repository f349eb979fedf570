# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of logs in, known failures out, the likely cause first. Pure.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

from ._diagnose_field import ENTRIES as FIELD
from ._diagnose_host import ENTRIES as HOST
from ._diagnose_memory import ENTRIES as MEMORY
from ._diagnose_network import ENTRIES as NETWORK
from ._diagnose_programs import ENTRIES as PROGRAMS
from ._diagnose_types import HARMLESS, Finding, Place

ENTRIES = FIELD + PROGRAMS + HOST + MEMORY + NETWORK

# The same line often stands in several logs; the first of these is what a reader opens first.
_KINDS = ("message", "container", "journal", "ray", "plog", "dmesg", "file")
LINE_LENGTH = 400
# A log can be full of one line; counting stops there.
MOST = 10000


def diagnose(texts, entries=ENTRIES):
    """Findings of all texts, one for each entry.

    Nearest to the cause comes first; of equals, what is documented before what was concluded, then what stands in the
    log that is read first. Harmless ones are there, at the end, so that nobody takes them for the cause.

    :arg texts: iterable of L(Text); each is looked at once, and not kept.
    """
    found = {}
    order = 0
    for text in texts:
        for entry in entries:
            for start, line in _hits(entry, text.text):
                order += 1
                _note(found, entry, text, start, line, order)
    ranked = sorted(found.values(), key=lambda seen: seen["key"])
    return [Finding(s["entry"], s["line"], s["place"], s["count"], tuple(s["names"])) for s in ranked]


def healthy(findings):
    """Whether nothing but harmless lines was found."""
    return all(finding.entry.rank == HARMLESS for finding in findings)


def _hits(entry, text):
    """(offset of the line, line) of each line of ``text`` that the entry matches, in order, at most MOST."""
    pattern = None
    starts = set()
    for needle in entry.needles:
        at = text.find(needle)
        while at >= 0 and len(starts) < MOST:
            start = text.rfind("\n", 0, at) + 1
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            # Compiled when it is needed: all of them cost a module call 60 ms.
            pattern = pattern or re.compile(entry.pattern)
            if start not in starts and pattern.search(text, start, end):
                starts.add(start)
            at = text.find(needle, end)
    for start in sorted(starts):
        end = text.find("\n", start)
        yield start, text[start : len(text) if end < 0 else end]


def _note(found, entry, text, start, line, order):
    kind = _KINDS.index(text.kind) if text.kind in _KINDS else len(_KINDS)
    key = (entry.rank, entry.inferred, kind, order)
    seen = found.get(entry.id)
    if seen is None:
        seen = found[entry.id] = {"entry": entry, "key": None, "count": 0, "names": []}
    seen["count"] += 1
    if text.name not in seen["names"]:
        seen["names"].append(text.name)
    if seen["key"] is None or key < seen["key"]:
        seen.update(key=key, line=shorten(line, entry.pattern), place=_place(text, start))


def _place(text, start):
    if text.first_line is not None:
        return Place(text.kind, text.name, line=text.first_line + text.text.count("\n", 0, start))
    before = len(text.text[:start].encode("utf-8", "replace"))
    return Place(text.kind, text.name, offset=(text.offset or 0) + before)


def shorten(line, pattern):
    """At most LINE_LENGTH characters of a line, and in them what the pattern matches."""
    line = line.strip()
    if len(line) <= LINE_LENGTH:
        return line
    match = re.search(pattern, line)
    start = max(0, min((match.start() if match else 0) - 80, len(line) - LINE_LENGTH))
    return ("…" if start else "") + line[start : start + LINE_LENGTH] + ("…" if start + LINE_LENGTH < len(line) else "")

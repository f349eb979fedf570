# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""``/etc/hccn.conf``: what the driver sets again after a restart. This module util is PRIVATE to the collection.

Lines are ``KEY_N=VALUE``, N the phy id; ``#`` in the first column begins a comment. The driver takes the first line
with a key, and reads only lines without blanks around KEY and ``=`` and below 384 bytes. A few keys have several lines.
Source: reader and writer of the driver's own tool, published in hicann/driver.
"""

from __future__ import annotations

import re

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import HccnError

HCCN_CONF = "/etc/hccn.conf"
# Keys of which each line counts. Their lines are joined by line feeds in a value.
SEVERAL = frozenset(("arp", "ip_rule", "ip_route", "neigh"))
# The driver reads lines into a buffer of 384 bytes, and the file into one of 1024000.
_LONGEST_LINE, _LARGEST_FILE = 382, 1024 * 1000 - 1

_LINE = re.compile(r"\s*(?P<key>[^\s#=][^\s=]*)_(?P<phy>\d+)\s*=\s*(?P<value>.*?)\s*")
_KEY = re.compile(r"[^\s#=][^\s=]*")


class HccnConfError(HccnError):
    """What should be written into hccn.conf cannot stand there."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, f"Correct the value; {HCCN_CONF} was not touched.")


def parse_conf(text: str) -> dict:
    """``{phy id: {key: value}}`` in the order of the file. Comments and other lines are left out.

    The first line with a key counts, as for the driver. Several lines of a key in L(SEVERAL) are joined by ``\\n``.
    Lines which only the driver does not read are read here: L(oddities) names them.
    """
    found: dict = {}
    for line in text.split("\n"):
        match = _match(line)
        if match:
            values = found.setdefault(int(match.group("phy")), {})
            key, value = match.group("key"), match.group("value")
            if key not in values:
                values[key] = value
            elif key in SEVERAL:
                values[key] += "\n" + value
    return found


def oddities(text: str) -> list:
    """``(number, line, why)`` of lines which the driver reads otherwise than a human, or not at all."""
    found = []
    seen: set = set()
    for number, line in enumerate(text.split("\n"), 1):
        match = _match(line)
        if match is None:
            if line.strip() and not line.lstrip().startswith("#"):
                found.append((number, line, "this is no KEY_N=VALUE"))
            continue
        key = (match.group("key"), match.group("phy"))
        plain = f"{key[0]}_{key[1]}={match.group('value')}"
        if len(_bytes(line)) > _LONGEST_LINE:
            found.append((number, line, "the driver cuts lines of 384 bytes and more"))
        elif line != plain:
            found.append((number, line, "the driver takes blanks and carriage returns for a part of key or value"))
        elif key in seen and key[0] not in SEVERAL:
            found.append((number, line, "the driver takes the first line with this key"))
        seen.add(key)
    return found


def merge(text: str, changes: dict) -> str:
    """``text`` with the keys in ``changes``, ``{phy id: {key: value or None}}``, set, or removed where None.

    Every other line stays as it is, byte for byte and in its place. A key that has its value already is not touched.
    A changed line stays in its place, its further lines go; a new key comes after the last line of its NPU.
    Raises L(HccnConfError) if the driver could not read the result.
    """
    lines = text.split("\n")
    ended = lines[-1] == ""
    if ended:
        lines.pop()
    present = parse_conf(text)
    for phy, values in changes.items():
        for key, value in values.items():
            wanted = None if value is None else str(value)
            if wanted == present.get(phy, {}).get(key):
                continue
            _set_lines(lines, int(phy), key, [] if wanted is None else _lines_of(int(phy), key, wanted))
            ended = True
    merged = "\n".join(lines) + ("\n" if ended and lines else "")
    if len(_bytes(merged)) > _LARGEST_FILE:
        raise HccnConfError(f"{HCCN_CONF} would be larger than the {_LARGEST_FILE} bytes that the driver reads")
    return merged


def render_conf(conf: dict) -> str:
    """The text of ``{phy id: {key: value}}``, as L(parse_conf) returns it."""
    return merge("", conf)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _match(line: str):
    return None if line.startswith("#") else _LINE.fullmatch(line)


def _lines_of(phy: int, key: str, value: str) -> list:
    name = f"{key}_{phy}"
    values = value.split("\n") if key in SEVERAL else [value]
    if not _KEY.fullmatch(key) or re.search(r"_\d+$", key):
        raise HccnConfError(f"{key!r} is no key of {HCCN_CONF}")
    if phy < 0:
        raise HccnConfError(f"{phy} is no phy id")
    for each in values:
        if not each or each != each.strip() or re.search(r"[\r\n\0]", each):
            raise HccnConfError(f"{name} cannot have the value {each!r}: empty, blanks at its ends, or a line break")
        if len(_bytes(f"{name}={each}")) > _LONGEST_LINE:
            raise HccnConfError(f"{name} is longer than the {_LONGEST_LINE} bytes that the driver reads of a line")
    return [f"{name}={each}" for each in values]


def _set_lines(lines: list, phy: int, key: str, wanted: list) -> None:
    """Put ``wanted`` in the place of the lines of ``key``, or after the last line of its NPU, or at the end."""
    same_npu = same_key = None
    for at in range(len(lines) - 1, -1, -1):
        match = _match(lines[at])
        if match is None or int(match.group("phy")) != phy:
            continue
        if match.group("key") == key:
            del lines[at]
            same_key = at
            same_npu = None if same_npu is None else same_npu - 1
        elif same_npu is None:
            same_npu = at
    at = same_key if same_key is not None else len(lines) if same_npu is None else same_npu + 1
    lines[at:at] = wanted


__all__ = ["HCCN_CONF", "SEVERAL", "HccnConfError", "merge", "oddities", "parse_conf", "render_conf"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The box tables that hccn_tool prints on Ascend 950, and their parsers. This module util is PRIVATE to the collection.

On this family the verb comes first (``hccn_tool -g -speed -i NPU -u DIE -p PORT``) and ``-i`` is the NPU ID.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import (
    HccnParseError,
    answer_lines,
    one_value,
    refuse,
)


@dataclass(frozen=True)
class PortSpeed:
    """``-g -speed``: ``speed`` as printed ("400 G"), ``speed_mbps`` None if that is no number."""

    npu: int
    udie: int
    port: int
    speed: str | None
    status: str | None

    @property
    def speed_mbps(self) -> int | None:
        match = re.match(r"(\d+)\s*G", self.speed or "", re.IGNORECASE)
        return int(match.group(1)) * 1000 if match else None

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class DevInfo:
    """``-g -dev_info``: lists of dicts; an interface with several addresses has an entry for each."""

    ports: tuple
    interfaces: tuple
    eids: tuple

    def to_dict(self) -> dict:
        return {key: list(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class UbConnect:
    """``-g -ub_connect``: ``link_status`` of the NPU, ``ports`` maps a port number (text) to its state."""

    link_status: str
    ports: dict

    def to_dict(self) -> dict:
        return asdict(self)


def tables(text: str) -> tuple:
    """The box tables of ``text``: each a tuple of rows, a row a dict by column title (small letters, blanks for _).

    A table begins with the row of titles after a rule. An empty first cell continues the row above and takes its
    value; any other empty cell, and NA, is None. Raises L(HccnParseError) for a row with other columns than the titles.
    """
    found: list = []
    titles: list | None = None
    rows: list = []
    ruled = 0

    def close() -> None:
        if titles is not None:
            found.append(tuple(rows))

    lines = answer_lines(text)
    for at, (number, line) in enumerate(lines):
        if re.fullmatch(r"\+[-=+]+\+", line):
            ruled += 1
            # Two rules without a row between: one table ends, the next begins.
            if at and re.fullmatch(r"\+[-=+]+\+", lines[at - 1][1]):
                close()
                titles, rows, ruled = None, [], 1
        elif line.startswith("|") and line.endswith("|"):
            cells = [cell.strip() for cell in line[1:-1].split("|")]
            if titles is None:
                titles = [re.sub(r"[\s_]+", " ", cell.lower()) for cell in cells]
                continue
            if len(cells) != len(titles):
                raise HccnParseError(f"this row has {len(cells)} columns, the titles {len(titles)}", line, number)
            if not cells[0] and rows:
                cells[0] = rows[-1][titles[0]]
            rows.append({title: None if cell in ("", "NA", "N/A") else cell for title, cell in zip(titles, cells)})
        else:
            close()
            titles, rows, ruled = None, [], 0
    close()
    return tuple(found)


def rows_with(text: str, *titles: str) -> list:
    """The rows of all tables that have all these columns."""
    return [row for table in tables(text) for row in table if all(title in row for title in titles)]


def parse_port_speeds(text: str) -> tuple:
    """``-g -speed``, one L(PortSpeed) for each row."""
    rows = rows_with(text, "npu", "port", "speed")
    if not rows:
        refuse(text, "no table with NPU, Port and Speed")
    return tuple(
        PortSpeed(_int(row["npu"]), _int(row.get("udie")), _int(row["port"]), row["speed"], row.get("status"))
        for row in rows
    )


def parse_port_speed(text: str) -> PortSpeed:
    """``-g -speed`` of one port."""
    found = parse_port_speeds(text)
    if len(found) != 1:
        raise HccnParseError(f"{len(found)} ports; parse_port_speeds takes several")
    return found[0]


def parse_dev_info(text: str) -> DevInfo:
    """``-g -dev_info``"""
    ports = [
        {
            "udie": _int(row["udie id"]),
            "port": _int(row["port id"]),
            "speed_gbps": _int(row.get("speed ability(gbps)")),
            "type": row.get("port type"),
            "link": row.get("link status"),
            "media": row.get("media type"),
        }
        for row in rows_with(text, "udie id", "port id")
    ]
    interfaces = [
        {"name": row["interface name"], "ip": row["ip address"], "netmask": row.get("netmask")}
        for row in rows_with(text, "interface name", "ip address")
    ]
    eids = [
        {"name": row["name"], "index": _int(row["eid index"]), "eid": row["eid"]}
        for row in rows_with(text, "name", "eid index", "eid")
    ]
    if not ports and not interfaces:
        refuse(text, "no table of ports or interfaces")
    return DevInfo(tuple(ports), tuple(interfaces), tuple(eids))


def parse_ub_connect(text: str) -> UbConnect:
    """``-g -ub_connect``"""
    status = one_value(text, "link status")
    if not status:
        refuse(text, "no line with link status")
    ports = {}
    for _number, line in answer_lines(text):
        match = re.fullmatch(r"port\s+(\d+)\s*:\s*(.+)", line, re.IGNORECASE)
        if match:
            ports[match.group(1)] = match.group(2).strip().upper()
    return UbConnect(status.upper(), ports)


def _int(value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"\d+", value):
        raise HccnParseError("this is no number", value)
    return int(value)


__all__ = [
    "DevInfo",
    "PortSpeed",
    "UbConnect",
    "parse_dev_info",
    "parse_port_speed",
    "parse_port_speeds",
    "parse_ub_connect",
    "rows_with",
    "tables",
]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parsers of hccn_tool's counters, link history and routes. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_query import Answer, integer, parse_speed
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_table import tables
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import (
    HccnParseError,
    answer_lines,
    one_value,
    refuse,
    split_device,
)

_COUNTER = re.compile(r"(?P<name>[A-Za-z][\w.]*(?:\[\d+\])?)\s*[:=\uff1a]\s*(?P<value>.*)")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|-?\d+")
_RECORD = re.compile(r"(?P<time>\S.*?\d)\s+LINK[\s_]*(?P<state>UP|DOWN)", re.IGNORECASE)
_IFACE = re.compile(r"(?:net\s*dev status\s*:\s*)?settings for (?P<iface>[\w.@-]+):?", re.IGNORECASE)


@dataclass(frozen=True)
class HwStats(Answer):
    """``-hw_stats -g``: RDMA resources by the tool's own names."""

    devid: int | None
    counters: dict

    def to_dict(self) -> dict:
        return {"devid": self.devid, **self.counters}


@dataclass(frozen=True)
class LinkStat(Answer):
    """``-link_stat -g``: ``records`` newest first, ``{"time": …, "state": "UP"|"DOWN"}``, times as printed.

    ``link_down_count`` is None with old drivers, which do not print it.
    """

    devid: int | None
    current_time: str | None
    link_up_count: int
    link_down_count: int | None
    records: tuple


@dataclass(frozen=True)
class Route(Answer):
    """``-route -g``: each route ``{"destination": …, "gateway": …, "genmask": …, "flags": …, "iface": …}``."""

    default_gateway: str | None
    default_iface: str | None
    routes: tuple


@dataclass(frozen=True)
class Status(Answer):
    """``-status -g``, which is ethtool's text. None for what is not printed."""

    iface: str | None
    speed_mbps: int | None
    link_detected: bool | None = None


def parse_stat(text: str) -> dict:
    """``-stat -g``: counters by name; the set of names grows with the driver. None is not available."""
    lines = answer_lines(text)
    start = next((at for at, (_number, line) in enumerate(lines) if re.match(r"packet statistics", line, re.I)), -1)
    counters = _counters(lines[start + 1 :], strict=start >= 0)
    if not counters:
        refuse(text, "no counters after packet statistics:")
    return counters


def parse_hw_stats(text: str) -> HwStats:
    """``-hw_stats -g``"""
    devices = {split_device(line)[0] for _number, line in answer_lines(text)} - {None}
    counters = _counters(answer_lines(text), strict=False)
    if not counters:
        refuse(text, "no counters")
    return HwStats(min(devices, default=None), counters)


def _counters(lines, strict: bool) -> dict:
    counters: dict = {}
    for number, line in lines:
        match = _COUNTER.fullmatch(split_device(line)[1])
        if match is None:
            continue
        name, value = match.group("name"), match.group("value").strip()
        if _NUMBER.fullmatch(value):
            value = int(value, 0)
        elif value in ("", "NA", "N/A", "-"):
            value = None
        elif strict:
            raise HccnParseError("this is no number", line, number)
        else:
            continue
        if counters.setdefault(name, value) != value:
            raise HccnParseError("here begins a second answer; split_devices takes several NPUs", line, number)
    return counters


def parse_link_stat(text: str) -> LinkStat:
    """``-link_stat -g``, also the 950's with its table."""
    devices = {split_device(line)[0] for _number, line in answer_lines(text)} - {None}
    if len(devices) > 1:
        raise HccnParseError(f"answers of NPUs {sorted(devices)}; split_devices takes several", text.strip()[:80])
    up, down = one_value(text, "link up count"), one_value(text, "link down count")
    if up is None:
        refuse(text, "no line with link up count")
    records = []
    for _number, line in answer_lines(text):
        match = _RECORD.fullmatch(split_device(line)[1])
        if match:
            records.append({"time": match.group("time"), "state": match.group("state").upper()})
    for table in tables(text):
        for row in table:
            if "link status" in row:
                state = re.sub(r"(?i)^link[\s_]*", "", row["link status"] or "").upper()
                records.append({"time": row.get("time stamp"), "state": state})
                if (row.get("npu") or "").isdigit():
                    devices.add(int(row["npu"]))
    return LinkStat(
        min(devices, default=None),
        one_value(text, "current time"),
        integer(up),
        None if down is None else integer(down),
        tuple(records),
    )


def split_devices(text: str) -> tuple:
    """Cut a text in which ``[devid N]`` begins the lines into one for each NPU, in the order they come."""
    blocks: dict = {}
    current = None
    for _number, line in answer_lines(text):
        device = split_device(line)[0]
        current = current if device is None else device
        if current is not None:
            blocks.setdefault(current, []).append(line)
    return tuple("\n".join(lines) + "\n" for lines in blocks.values())


def parse_route(text: str) -> Route:
    """``-route -g``: the routing table of the NPU's own system. Columns are found by their title."""
    titles: list = []
    routes = []
    seen = False
    for number, line in answer_lines(text):
        words = line.split()
        if re.match(r"routing table", line, re.IGNORECASE):
            seen = True
        elif words[0].lower() == "destination" and "iface" in line.lower():
            titles = [word.lower() for word in words]
        elif titles and len(words) == len(titles):
            routes.append({key: value for key, value in zip(titles, words) if key not in ("metric", "ref", "use")})
        elif titles and re.match(r"default|\d+\.\d+\.\d+\.\d+", words[0]):
            raise HccnParseError(f"a route has {len(titles)} columns here", line, number)
    if not titles and not seen:
        refuse(text, "no Routing table")
    default = next((route for route in routes if route["destination"].lower() in ("default", "0.0.0.0")), {})
    return Route(default.get("gateway"), default.get("iface"), tuple(routes))


def parse_status(text: str) -> Status:
    """``-status -g``"""
    iface = next((match.group("iface") for match in _all(text, _IFACE)), None)
    has_speed = one_value(text, "speed") is not None
    if iface is None and not has_speed:
        refuse(text, "no Settings for ethN")
    detected = one_value(text, "link detected")
    return Status(
        iface, parse_speed(text) if has_speed else None, None if detected is None else detected.lower() == "yes"
    )


def parse_cfg_status(text: str) -> str:
    """``-cfg status``: "NONE", "START", "SUCCESS", "FAIL" or "FAULT"."""
    value = one_value(text, "config status")
    if not value:
        refuse(text, "no line with config status")
    return value.upper()


@dataclass(frozen=True)
class Recovery(Answer):
    """``-cfg recovery``: ``devices`` maps a phy id to whether its configuration was brought back."""

    ok: bool
    message: str
    devices: dict


def parse_recovery(text: str, rc: int | None = None) -> Recovery:
    """Judge ``-cfg recovery`` by its text (stdout and stderr) and exit status."""
    devices = {}
    failed = []
    for _number, line in answer_lines(text):
        match = re.match(r"dev\w*\s*[:\s]\s*(\d+)\s+recovery\s+(success|fail)", line, re.IGNORECASE)
        if match:
            good = match.group(2).lower() == "success"
            devices[int(match.group(1))] = devices.get(int(match.group(1)), True) and good
        if (match and not devices[int(match.group(1))]) or re.match(r"recovery failed", line, re.IGNORECASE):
            failed.append(line)
    if failed or not devices or rc:
        lines = answer_lines(text)
        said = "; ".join(failed) or (lines[-1][1] if lines else "it said nothing")
        return Recovery(False, said + (f" (exit status {rc})" if rc else ""), devices)
    return Recovery(True, f"{len(devices)} NPUs recovered", devices)


def _all(text: str, pattern: re.Pattern) -> list:
    return [match for match in (pattern.match(line) for _number, line in answer_lines(text)) if match]


__all__ = [
    "HwStats",
    "LinkStat",
    "Recovery",
    "Route",
    "Status",
    "parse_cfg_status",
    "parse_hw_stats",
    "parse_link_stat",
    "parse_recovery",
    "parse_route",
    "parse_stat",
    "parse_status",
    "split_devices",
]

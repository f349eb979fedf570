# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parsers of ``hccn_tool -ping``, ``-hccs_ping`` and ``-ub_ping``. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_query import Answer
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import HccnParseError, answer_lines, refuse

# Retyped captures have O for 0, l or I for 1, and - for =.
_DIGIT = "[0-9OolI]"
_OCR = str.maketrans("OolI", "0011")
_NUMBER = rf"{_DIGIT}+(?:\.{_DIGIT}+)?"

_DEVICE = re.compile(rf"device\s+(?P<device>{_DIGIT}+)\s+PING6?\s+(?P<target>\S+)", re.IGNORECASE)
_UB_DEVICE = re.compile(rf"device\s+(?P<device>{_DIGIT}+)\s+dev\b.*\bEID\s+\S+\s+to\s+(?P<target>\S+)", re.IGNORECASE)
_SUMMARY = re.compile(
    rf"(?P<sent>{_DIGIT}+)\s+packets?\s+transmitted\s*,\s*(?P<got>{_DIGIT}+)\s+(?:packets?\s+)?received\s*,.*?"
    rf"(?P<loss>{_NUMBER})\s*%\s*packets?\s+loss",
    re.IGNORECASE,
)
_TIME = re.compile(
    rf"recv\s+seq\s*[=:]?\s*{_DIGIT}+\s*,\s*time\s*[=:-]\s*(?P<time>{_NUMBER})\s*(?P<unit>ms|us)?", re.IGNORECASE
)
_TIMEOUT = re.compile(r"recv\s+time\s*out|request\s+timed?\s*out|^pkt\s+send\s+fail\s+seq", re.IGNORECASE)
_UNREACHABLE = re.compile(r"unreachable", re.IGNORECASE)
_TOO_LONG = re.compile(r"message\s+too\s+long", re.IGNORECASE)
# -hccs_ping prints such a line before each time, which is 0 for what did not come back.
_PACKET = re.compile(r"This pkt (?:ping (?P<ok>success)|.*(?:fail|not start))", re.IGNORECASE)


@dataclass(frozen=True)
class Ping(Answer):
    """One ping from an NPU. ``device`` and ``target`` are None where the line with them is missing.

    ``times_ms`` are the packets that came back. ``timeouts`` counts those that the tool says did not.
    ``too_long`` tells that the packet is larger than the MTU on the way, ``unreachable`` that a host said so.
    """

    device: int | None
    target: str | None
    transmitted: int
    received: int
    loss_pct: float
    times_ms: tuple
    timeouts: int = 0
    unreachable: bool = False
    too_long: bool = False

    def plus(self, other: Ping) -> Ping:
        """Both as one ping."""
        sent, got = self.transmitted + other.transmitted, self.received + other.received
        return replace(
            self,
            transmitted=sent,
            received=got,
            loss_pct=round(100.0 * (sent - got) / sent, 2) if sent else 0.0,
            times_ms=self.times_ms + other.times_ms,
            timeouts=self.timeouts + other.timeouts,
            unreachable=self.unreachable or other.unreachable,
            too_long=self.too_long or other.too_long,
        )

    @property
    def ok(self) -> bool:
        """Every packet came back."""
        return self.transmitted > 0 and self.received == self.transmitted

    @property
    def avg_ms(self) -> float | None:
        return round(sum(self.times_ms) / len(self.times_ms), 6) if self.times_ms else None

    @property
    def max_ms(self) -> float | None:
        return max(self.times_ms, default=None)


def parse_ping(text: str) -> Ping:
    """``-ping -g address A``, ``-hccs_ping -g address A`` and the 950's ``-ub_ping``.

    A ping with losses is an answer, though newer tools add "Cmd execute failed!" and end with a failure. Without the
    summary line, "Message too long" and "Destination Host Unreachable" are answers too: nothing came back.
    """
    device = target = summary = None
    times, attempts, timeouts = [], 0, 0
    unreachable = too_long = False
    packet_ok = True
    for number, line in answer_lines(text):
        head = _DEVICE.search(line) or _UB_DEVICE.search(line)
        total, time, packet = _SUMMARY.search(line), _TIME.search(line), _PACKET.search(line)
        if head and device is None:
            device, target = int(_plain(head.group("device"))), head.group("target")
        elif head or (total and summary):
            raise HccnParseError("here begins a second answer; parse_pings takes several", line, number)
        elif total:
            summary = total
        elif packet:
            packet_ok = packet.group("ok") is not None
            timeouts += not packet_ok
        elif time:
            attempts += 1
            if packet_ok:
                times.append(_milliseconds(time))
            packet_ok = True
        elif _TIMEOUT.search(line):
            attempts, timeouts = attempts + 1, timeouts + 1
        elif _TOO_LONG.search(line):
            attempts, too_long = attempts + 1, True
        elif _UNREACHABLE.search(line) and not line.lower().startswith("control link"):
            attempts, unreachable = attempts + 1, True
    if summary:
        sent, got = int(_plain(summary.group("sent"))), int(_plain(summary.group("got")))
        loss = float(_plain(summary.group("loss")))
    elif too_long or unreachable:
        sent, got, loss = attempts, len(times), round(100.0 * (attempts - len(times)) / attempts, 2)
    else:
        refuse(text, "no line with packets transmitted")
    return Ping(device, target, sent, got, loss, tuple(times), timeouts, unreachable, too_long)


def parse_hccs_ping(text: str) -> Ping:
    """``-hccs_ping -g address A``: as L(parse_ping); it prints microseconds and "packets loss"."""
    return parse_ping(text)


def parse_pings(text: str) -> tuple:
    """Several pings one after the other: a L(Ping) for each."""
    blocks: list = [[]]
    begun = ended = False
    for _number, line in answer_lines(text):
        opens = bool(_DEVICE.search(line) or _UB_DEVICE.search(line))
        packet = bool(_TIME.search(line) or _TIMEOUT.search(line) or _PACKET.search(line))
        total = bool(_SUMMARY.search(line))
        if begun and (opens or (ended and (packet or total))):
            blocks.append([])
            ended = False
        begun = begun or opens or packet or total
        ended = ended or total
        blocks[-1].append(line)
    return tuple(parse_ping("\n".join(block)) for block in blocks if block)


def _plain(number: str) -> str:
    return number.translate(_OCR)


def _milliseconds(match: re.Match) -> float:
    value = float(_plain(match.group("time")))
    return round(value / 1000, 6) if (match.group("unit") or "ms").lower() == "us" else value


__all__ = ["Ping", "parse_hccs_ping", "parse_ping", "parse_pings"]

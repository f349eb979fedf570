# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good the cable of an NPU is: transceiver, changes of the link, counters. Pure decisions over read values.

All of it only warns: what it costs is seen by a ping. Each function yields (check, problem, remedy).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import time

# A reboot of a switch takes a link down two or three times within a minute, and then it stays up.
FLAPS = 3
FLAP_WINDOW_S = 3600
# Counters run since the NPU started. A good link loses one packet of a hundred million.
BAD_PACKETS = 100
BAD_SHARE = 1e-5

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*(\S*)", re.IGNORECASE)
_LANE = re.compile(r"(tx|rx) power ?(\d+)", re.IGNORECASE)


def optical_fields(optical) -> dict:
    """{title in lower case: text} of the answer, whether it is the titles themselves or has them under C(fields)."""
    fields = (optical or {}).get("fields", optical) or {}
    return {str(title).lower(): value for title, value in fields.items()}


def light(optical) -> str | None:
    """What the transceiver says of a link that is down, in words."""
    fields = optical_fields(optical)
    if fields.get("present") == "not present":
        return "no transceiver is present"
    if _flag(fields.get("rx los flag")):
        return "the transceiver receives no light"
    if _flag(fields.get("tx los flag")):
        return "the transceiver gets no signal from the NPU"
    return None


def check_optical(optical, others, up: bool):
    """:arg others: answers of the other NPUs of the node. :arg up: whether the link is UP.

    Limits are those the transceiver prints. A link that is down has causes of its own: see L(light).
    """
    fields = optical_fields(optical)
    if not fields or not up:
        return
    if fields.get("present") == "not present":
        # Copper cables and backplanes have none, but then no NPU of the node has.
        present = sum(1 for other in others if optical_fields(other).get("present") == "present")
        if present * 2 > len(others):
            yield (
                "optical",
                "shows no transceiver although its link is UP, other NPUs of the node show theirs",
                "seat the transceiver again",
            )
        return
    for side in ("rx", "tx"):
        weak, limit = _weak_lanes(fields, side)
        if weak:
            lanes = ", ".join(f"lane {lane} {power:g} {unit}" for lane, power, unit in weak)
            yield (
                "optical",
                f"{'receives' if side == 'rx' else 'sends'} too little light: {lanes} (limit {limit:g} {weak[0][2]})",
                "clean the fibre and both ends, then change the "
                + ("transceiver of the other side" if side == "rx" else "transceiver")
                + " or the cable",
            )
    temperature, highest = _quantity(fields.get("temperature")), _quantity(fields.get("temp high thres"))
    if temperature and highest and temperature[1] == highest[1] and 0 < highest[0] < temperature[0]:
        yield (
            "optical",
            f"has a transceiver of {temperature[0]:g} {temperature[1]} (limit {highest[0]:g})",
            "look at the fans and the air flow of the machine",
        )
    if _flag(fields.get("rx los flag")):
        yield (
            "optical",
            "shows a loss of light on some lane although its link is UP",
            "clean the fibre and both ends, then change the cable",
        )


def check_link_stat(link_stat):
    """A link that goes down again and again. Times are those of the NPU, so its clock need not be right."""
    if not link_stat or not link_stat.get("records"):
        return
    now = _seconds(link_stat.get("current_time"))
    downs = [_seconds(record["time"]) for record in link_stat["records"] if record["state"] == "DOWN"]
    recent = [at for at in downs if now is not None and at is not None and 0 <= now - at <= FLAP_WINDOW_S]
    if len(recent) >= FLAPS:
        yield (
            "link_stat",
            f"lost its link {len(recent)} times within the last hour",
            "change the cable or the transceiver, and look at the log of the switch",
        )


def check_stat(counters):
    """Packets that arrived broken."""
    counters = (counters or {}).get("counters", counters) or {}
    bad = (counters.get("mac_rx_bad_pkt_num") or 0) + (counters.get("mac_rx_fcs_err_pkt_num") or 0)
    total = counters.get("mac_rx_total_pkt_num") or 0
    if bad > BAD_PACKETS and bad > total * BAD_SHARE:
        yield (
            "stat",
            f"got {bad} broken packets of {max(total, bad)}",
            "clean the fibre, then change the cable or the transceiver; "
            "the counters run until the NPU restarts, so look whether they still grow",
        )


def _weak_lanes(fields: dict, side: str) -> tuple:
    """([(lane, power, unit)] below the limit, limit)."""
    limit = _quantity(fields.get(f"{side}power low thres"))
    weak: list = []
    if limit is None or limit[0] <= 0:
        return weak, None
    for title, text in fields.items():
        match = _LANE.fullmatch(title)
        power = _quantity(text)
        if match and match.group(1).lower() == side and power and power[1] == limit[1] and power[0] < limit[0]:
            weak.append((int(match.group(2)), *power))
    return sorted(weak), limit[0]


def _quantity(text) -> tuple | None:
    """(number, unit) of C(0.5842 mW); None for C(NA), C(not supported), C(get failed) and nothing at all."""
    match = _NUMBER.match(str(text or ""))
    return (float(match.group(1)), match.group(2)) if match else None


def _flag(text) -> bool:
    """Whether a bit of C(0xff) is set. What is no number tells nothing."""
    try:
        return int(str(text), 0) != 0
    except ValueError:
        return False


def _seconds(text) -> float | None:
    """C(Thu Feb  6 03:18:17 2025) in seconds, only good for differences."""
    try:
        return time.mktime(time.strptime(str(text), "%a %b %d %H:%M:%S %Y"))
    except (ValueError, OverflowError):
        return None


__all__ = ["BAD_PACKETS", "BAD_SHARE", "FLAPS", "check_link_stat", "check_optical", "check_stat", "light"]

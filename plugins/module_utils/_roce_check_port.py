# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good the cable of an NPU is: transceiver, changes of the link, counters. Pure decisions over read values.

All of it only warns: what it costs is seen by a ping. Each function yields (check, problem, remedy).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import time

# A reboot of a switch takes a link down two or three times within a minute, and then it stays up.
FLAPS = 3
FLAP_WINDOW_S = 3600
# Counters run since the NPU started. A good link loses one packet of a hundred million.
BAD_PACKETS = 100
BAD_SHARE = 1e-5


def light(optical) -> str | None:
    """What the transceiver says of a link that is down, in words."""
    optical = optical or {}
    if optical.get("present") is False:
        return "no transceiver is present"
    if optical.get("rx_los"):
        return "the transceiver receives no light"
    if optical.get("tx_los"):
        return "the transceiver gets no signal from the NPU"
    return None


def check_optical(optical, others, up: bool):
    """:arg optical: as L(Optical.to_dict). :arg others: those of the other NPUs. :arg up: whether the link is UP.

    Limits are those the transceiver prints. A link that is down has causes of its own: see L(light).
    """
    if not optical or not up:
        return
    if optical.get("present") is False:
        # Copper cables and backplanes have none, but then no NPU of the node has.
        if sum(1 for other in others if (other or {}).get("present")) * 2 > len(others):
            yield (
                "optical",
                "shows no transceiver although its link is UP, other NPUs of the node show theirs",
                "seat the transceiver again",
            )
        return
    for side, verb in (("rx", "receives"), ("tx", "sends")):
        limit = optical.get(f"{side}_power_low_mw")
        powers = enumerate(optical.get(f"{side}_power_mw") or ())
        weak = [(lane, power) for lane, power in powers if limit and power is not None and power < limit]
        if weak:
            lanes = ", ".join(f"lane {lane} {power:g} mW" for lane, power in weak)
            whose = "the transceiver of the other side" if side == "rx" else "the transceiver"
            yield (
                "optical",
                f"{verb} too little light: {lanes} (limit {limit:g} mW)",
                f"clean the fibre and both ends, then change {whose} or the cable",
            )
    temperature, highest = optical.get("temperature_c"), optical.get("temperature_high_c")
    if temperature and highest and temperature > highest > 0:
        yield (
            "optical",
            f"has a transceiver of {temperature:g} C (limit {highest:g})",
            "look at the fans and the air flow of the machine",
        )
    if optical.get("rx_los"):
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
    counters = counters or {}
    bad = (counters.get("mac_rx_bad_pkt_num") or 0) + (counters.get("mac_rx_fcs_err_pkt_num") or 0)
    total = counters.get("mac_rx_total_pkt_num") or 0
    if bad > BAD_PACKETS and bad > total * BAD_SHARE:
        yield (
            "stat",
            f"got {bad} broken packets of {max(total, bad)}",
            "clean the fibre, then change the cable or the transceiver; "
            "the counters run until the NPU restarts, so look whether they still grow",
        )


def _seconds(text) -> float | None:
    """C(Thu Feb  6 03:18:17 2025) in seconds, only good for differences."""
    try:
        return time.mktime(time.strptime(str(text), "%a %b %d %H:%M:%S %Y"))
    except (ValueError, OverflowError):
        return None


__all__ = ["BAD_PACKETS", "BAD_SHARE", "FLAPS", "check_link_stat", "check_optical", "check_stat", "light"]

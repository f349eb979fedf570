# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of each pair of the ping plan, both ways put together.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ._roce_fleet_types import Finding, by_host, ends_words, plural

# From best to worst. NONE: nobody tried, or the tool gave no answer; nothing is known then.
NONE, OK, LOSS, LONG, DEAD = "none", "ok", "loss", "long", "dead"
_RANK = (NONE, OK, LOSS, LONG, DEAD)


class Way(NamedTuple):
    """One direction: what the pings from one end to the other gave. Times are in ms, None where nothing came back."""

    state: str
    sent: int
    received: int
    avg_ms: float | None
    max_ms: float | None
    error: str | None


UNTRIED = Way(NONE, 0, 0, None, None, None)


class Pair:
    """Two ends that were to reach each other. C(there) is from C(a) to C(b), C(back) the other way.

    :ivar state: the worse of the two ways that gave an answer: an answered ping proves both, a lost one needs a reason.
    """

    __slots__ = ("round", "a", "b", "there", "back", "state")

    def __init__(self, turn, a, b, there, back):
        self.round = turn
        self.a = a
        self.b = b
        self.there = there
        self.back = back
        self.state = max(there.state, back.state, key=_RANK.index)

    @property
    def verdict(self):
        """V(pass), V(fail), or V(unknown) where no way gave an answer."""
        return {OK: "pass", NONE: "unknown"}.get(self.state, "fail")

    def other(self, end):
        return self.b if end == self.a else self.a

    def way_from(self, end):
        return self.there if end == self.a else self.back

    def loss(self):
        """(sent, received) both ways together."""
        return self.there.sent + self.back.sent, self.there.received + self.back.received

    def to_dict(self):
        sent, received = self.loss()
        averages = [way.avg_ms for way in (self.there, self.back) if way.avg_ms is not None]
        longest = [way.max_ms for way in (self.there, self.back) if way.max_ms is not None]
        return {
            "round": self.round,
            "host": self.a[0],
            "phy_id": self.a[1],
            "peer": self.b[0],
            "peer_phy_id": self.b[1],
            "verdict": self.verdict,
            "there": self.there.state,
            "back": self.back.state,
            "loss_pct": round(100.0 * (sent - received) / sent, 2) if sent else None,
            "avg_ms": round(sum(averages) / len(averages), 3) if averages else None,
            "max_ms": max(longest, default=None),
        }


def pairs_of(plan, results, max_loss_pct=0.0):
    """Every pair of the plan with its results, in the order of the plan.

    :arg plan: a L(_roce_plan.Plan).
    :arg results: {host: what C(hccn_check) returned as C(pings)}; results that no plan asked for are passed over.
    :arg max_loss_pct: loss up to that share of the packets is no loss.
    """
    ways = {}
    for host, pings in results.items():
        for ping in pings or ():
            ways[host, ping["phy_id"], ping["peer"], ping["peer_phy_id"]] = _way(ping, max_loss_pct)
    return [
        Pair(
            turn,
            (host, phy_id),
            (peer, peer_phy_id),
            ways.get((host, phy_id, peer, peer_phy_id), UNTRIED),
            ways.get((peer, peer_phy_id, host, phy_id), UNTRIED),
        )
        for turn, host, phy_id, peer, peer_phy_id in plan.each_pair()
    ]


def seconds_of(results):
    """How long the rounds took: for each the slowest ping of all, together."""
    slowest = {}
    for pings in results.values():
        for ping in pings or ():
            slowest[ping["round"]] = max(slowest.get(ping["round"], 0.0), ping.get("duration_s") or 0.0)
    return round(sum(slowest.values()), 3)


def _way(ping, max_loss_pct):
    sent, received = ping.get("transmitted") or 0, ping.get("received") or 0
    error = ping.get("error")
    if error and not sent and not ping.get("unreachable") and not ping.get("too_long"):
        state = NONE
    elif ping.get("too_long"):
        state = LONG
    elif not received:
        state, error = (DEAD, error) if sent or ping.get("unreachable") else (NONE, error or "it sent no packets")
    elif 100.0 * (sent - received) > max_loss_pct * sent:
        state = LOSS
    else:
        state = OK
    return Way(state, sent, received, ping.get("avg_ms"), ping.get("max_ms"), error)


def silent(pairs):
    """Pings without an answer of the tool. Whether the pair works is then known from the other end, or not at all."""
    errors, counts, unproven = {}, Counter(), set()
    for pair in pairs:
        for end, way in ((pair.a, pair.there), (pair.b, pair.back)):
            if way.state == NONE:
                errors.setdefault(end, way.error)
                counts[end] += 1
                if pair.state == NONE:
                    unproven.add(end)
    groups = {}
    for end, error in errors.items():
        groups.setdefault((end[0], error, end in unproven), []).append(end[1])
    for (host, error, open_), phy_ids in groups.items():
        count = plural(sum(counts[host, phy_id] for phy_id in phy_ids), "ping")
        if error is None:
            text, remedy = f"{count} have no result", "see why hccn_check did not end on it, and run the check again"
        else:
            text = f"{count} could not be made: {error.rstrip('.')}"
            remedy = "look for what uses or blocks hccn_tool there, `npu-smi info -t health` and dmesg, and check again"
        text += "" if open_ else "; its peers did ping it"
        yield Finding("no_result", "fail" if open_ else "warn", host, phy_ids, text, remedy)


def too_long(pairs, said):
    """Who could not send packets of the size asked for. The sender is told, so it is his way that is too narrow.

    :arg said: whether an end's MTU is known to differ, so that a finding says this already.
    """
    senders = {}
    for pair in pairs:
        for end, way in ((pair.a, pair.there), (pair.b, pair.back)):
            if way.state == LONG:
                senders.setdefault(end, []).append(pair.other(end))
    for host, phy_ids in by_host(senders).items():
        rest = [phy_id for phy_id in phy_ids if not said((host, phy_id))]
        if rest:
            peers = {peer for phy_id in rest for peer in senders[host, phy_id]}
            yield Finding(
                "mtu",
                "fail",
                host,
                rest,
                f"packets of the size asked for are too long on the way to {ends_words(peers)}",
                "set the same MTU on all NPUs, and one at least as large on every switch between them",
                peers,
            )

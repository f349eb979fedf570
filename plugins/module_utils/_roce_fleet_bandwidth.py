# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of bandwidth tests between NPUs, both sides put together.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import Counter

from ._roce_check_bandwidth import SENDER
from ._roce_fleet_types import Finding, end_words, ends_words, plural


def tests_of(results, npus, least=0.0):
    """One row for each test: host and phy_id send to peer and peer_phy_id.

    :arg results: {host: C(bandwidth) of C(hccn_check)}. :arg npus: {end: the NPU's mapping}.
    :arg least: share of the link's speed, of the slower one of both, below which a test is too slow.
    """
    sides = {}
    for host, tests in results.items():
        for test in tests or ():
            own, other = (host, test["phy_id"]), (test["peer"], test["peer_phy_id"])
            sender, receiver = (own, other) if test["role"] == SENDER else (other, own)
            sides.setdefault((sender, receiver), {})[test["role"]] = test
    return [
        _row(sender, receiver, list(said.values()), npus, least) for (sender, receiver), said in sorted(sides.items())
    ]


def _row(sender, receiver, said, npus, least):
    # Both sides tell the same figure; the lower one where they do not.
    figures = [side["gbits"] for side in said if side["gbits"] is not None]
    errors = sorted((side["role"] != SENDER, side["error"], side["remedy"]) for side in said if side["error"])
    speeds = [(npus.get(end) or {}).get("speed_mbps") for end in (sender, receiver)]
    speed = min(speeds) / 1000 if all(speeds) else None
    gbits = min(figures, default=None)
    share = gbits / speed if gbits is not None and speed else None
    slow = share is not None and share < least
    return {
        "host": sender[0],
        "phy_id": sender[1],
        "peer": receiver[0],
        "peer_phy_id": receiver[1],
        "gbits": gbits,
        "link_gbits": speed,
        "verdict": "fail" if gbits is None else "warn" if slow or errors else "pass",
        "error": errors[0][1] if errors else None,
        "remedy": errors[0][2] if errors else None,
    }


def judge_tests(rows, least):
    """L(Finding) of tests without result, of NPUs that are slow, and of tests that are still running."""
    for row in rows:
        if row["gbits"] is None or row["error"]:
            lost = row["gbits"] is None
            what = f"bandwidth to {end_words((row['peer'], row['peer_phy_id']))} "
            what += "could not be measured: " if lost else "was measured, but "
            what += (row["error"] or "it has no result").rstrip(".")
            remedy = (row["remedy"] or "see why hccn_check did not end there, and measure again").rstrip(".")
            yield Finding("bandwidth", "fail" if lost else "warn", *_ends(row), what, remedy, [_peer(row)])
    slow = [row for row in rows if row["gbits"] is not None and row["link_gbits"] and _share(row) < least]
    while slow:
        # An NPU that is slow to the next one and from the one before is the cause, and not its neighbours.
        count = Counter(end for row in slow for end in (_end(row), _peer(row)))
        end = min(count, key=lambda end: (-count[end], end))
        mine = [row for row in slow if end in (_end(row), _peer(row))]
        slow = [row for row in slow if row not in mine]
        worst = min(mine, key=_share)
        others = [_peer(row) if _end(row) == end else _end(row) for row in mine]
        yield Finding(
            "bandwidth",
            "warn",
            end[0],
            [end[1]],
            f"only {worst['gbits']:.1f} Gbit/s pass between it and {ends_words(others)}, {100 * _share(worst):.0f} % "
            f"of the link's {worst['link_gbits']:g} Gbit/s (least is {100 * least:g} %)",
            "look whether something else uses the NPUs or the network now, then at loss, flow control (PFC) and "
            f"uplinks between the two (`hccn_tool -i {end[1]} -stat -g`)",
            others,
        )


def bandwidth_words(rows):
    """A line for a terminal."""
    known = sorted((row for row in rows if row["gbits"] is not None), key=lambda row: row["gbits"])
    text = f"bandwidth: {len(known)} of {plural(len(rows), 'test')}"
    if known:
        low = known[0]
        ends = f"{end_words(_end(low))} to {end_words(_peer(low))}"
        text += f", median {known[len(known) // 2]['gbits']:.1f} Gbit/s, least {low['gbits']:.1f} Gbit/s ({ends})"
    return text


def _end(row):
    return row["host"], row["phy_id"]


def _peer(row):
    return row["peer"], row["peer_phy_id"]


def _ends(row):
    return row["host"], [row["phy_id"]]


def _share(row):
    return row["gbits"] / row["link_gbits"]


__all__ = ["bandwidth_words", "judge_tests", "tests_of"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judges of a fleet's NPU network share: one finding, and words for lists of NPUs.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

An C(end) is a pair (host, phy id): one NPU of one node. C(nodes) is {host: what C(hccn_check) returned}.
"""

from __future__ import annotations

import re
from collections import Counter

from ._services import Problem

SEVERITIES = ("pass", "warn", "fail")


class Finding(Problem):
    """A L(Problem) about NPUs: which of one host, who else has to do with it, and how bad it is.

    :ivar check: one word for what is wrong: V(tls), V(path), V(isolated)…
    :ivar severity: V(fail) or V(warn).
    :ivar phy_ids: the NPUs of C(host) it is about, empty for the node as a whole.
    :ivar peers: other ends it has to do with.
    """

    __slots__ = ("check", "severity", "phy_ids", "peers")

    def __init__(self, check, severity, host, phy_ids, problem, remedy, peers=()):
        super().__init__(host, words(phy_ids) if phy_ids else "RoCE", problem, remedy)
        self.check = check
        self.severity = severity
        self.phy_ids = sorted(phy_ids)
        self.peers = sorted(peers)

    def to_dict(self):
        return dict(
            super().to_dict(),
            check=self.check,
            severity=self.severity,
            phy_ids=self.phy_ids,
            peers=[{"host": host, "phy_id": phy_id} for host, phy_id in self.peers],
        )


def worst(severities):
    """The worst of them; V(pass) when there is none."""
    return max(severities, key=SEVERITIES.index, default="pass")


def words(phy_ids):
    """V(phy id 3), or V(phy ids 0-3, 6)."""
    spans = []
    for phy_id in sorted(set(phy_ids)):
        if spans and phy_id == spans[-1][1] + 1:
            spans[-1][1] = phy_id
        else:
            spans.append([phy_id, phy_id])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
    return f"phy id {text}" if len(spans) == 1 and spans[0][0] == spans[0][1] else f"phy ids {text}"


def end_words(end):
    return f"phy id {end[1]} of {end[0]}"


def ends_words(ends, limit=4):
    """Ends grouped by host: V(phy ids 0-7 of node1, phy id 3 of node2 and 2 other nodes)."""
    hosts = by_host(ends)
    shown = [f"{words(phy_ids)} of {host}" for host, phy_ids in list(hosts.items())[:limit]]
    more = len(hosts) - len(shown)
    return ", ".join(shown) + (f" and {more} other node{'s' if more > 1 else ''}" if more else "")


def by_host(ends):
    """{host: [phy id, ...]}, both in order."""
    hosts = {}
    for host, phy_id in sorted(ends):
        hosts.setdefault(host, []).append(phy_id)
    return hosts


def plural(count, word):
    return f"{count} {word}{'' if count == 1 else 's'}"


def views(nodes, hosts=None):
    """{end: the NPU's mapping as C(hccn_check) returned it} of all nodes, or of C(hosts)."""
    return {
        (host, npu["phy_id"]): npu
        for host in sorted(nodes if hosts is None else hosts)
        for npu in sorted(nodes[host]["npus"], key=lambda npu: npu["phy_id"])
    }


def common(values):
    """(the most common value, how many have it); ties go to what comes first in C(values), so to the first host."""
    return Counter(values).most_common(1)[0]


def natural(text):
    """A key that sorts port 2 before port 10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text or "") if part]

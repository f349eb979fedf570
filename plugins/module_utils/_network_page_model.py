# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the network page ask of a report: who is where, what a ping gave, and how that is marked.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

An C(end) is a pair (host, phy id). A C(way) is one direction of a pair of ends.
"""

from __future__ import annotations

import os
from html import escape
from typing import NamedTuple

from ._roce_fleet_types import natural

# Of a verdict: class and mark. The mark says it to those who do not see the colour.
VERDICTS = {"pass": ("a", "✓", "fine"), "warn": ("w", "!", "warning"), "fail": ("x", "×", "failed")}
# Of a way: class, mark and words, from best to worst. Those that are fine have a shade for their latency instead.
STATES = {
    "ok": ("a", "", "fine"),
    "none": ("u", "?", "no result"),
    "loss": ("l", "~", "loses packets"),
    "long": ("m", "M", "packets of this size are too long"),
    "dead": ("x", "×", "nothing comes back"),
}
RANK = tuple(STATES)
# Shades of the round trip, as multiples of the median. What is slow only by chance stays pale.
SHADES = "abcde"
STEPS = (1.25, 1.6, 2.5, 5.0)
MAX_LABEL = 14
# Problems that lose some packets only: such an NPU is marked as its pings are.
LOSSES = ("loss", "path_loss", "node_loss")


class Way(NamedTuple):
    """One direction. C(avg_ms) and C(loss_pct) are of both directions together, as the report has them."""

    a: tuple
    b: tuple
    state: str
    avg_ms: float | None
    loss_pct: float | None


class Group(NamedTuple):
    """Nodes that serve together, C(npus) their phy ids, and the C(pairs) of the report between them."""

    hosts: list
    npus: dict
    pairs: list

    def ways(self):
        for pair in self.pairs:
            a, b = (pair["host"], pair["phy_id"]), (pair["peer"], pair["peer_phy_id"])
            yield Way(a, b, pair["there"], pair["avg_ms"], pair["loss_pct"])
            yield Way(b, a, pair["back"], pair["avg_ms"], pair["loss_pct"])

    def phy_ids(self):
        return sorted({phy_id for phy_ids in self.npus.values() for phy_id in phy_ids})

    def fine(self):
        return all(pair["verdict"] == "pass" for pair in self.pairs)


class Fleet:
    """A report with what is looked up in it over and over.

    :ivar hosts: names, in the order people count; those C(absent) from the report are among them.
    :ivar npus: {end: its row}. :ivar groups: list of Group.
    """

    def __init__(self, report):
        self.report = report
        self.rows = {row["host"]: row for row in report["hosts"]}
        self.absent = {problem["host"] for problem in report["problems"] if problem["check"] == "absent"}
        # A plan may name nodes of which there is no result, too.
        self.absent |= {pair[end] for pair in report["pairs"] for end in ("host", "peer")}
        self.absent -= set(self.rows)
        self.hosts = sorted({*self.rows, *self.absent}, key=natural)
        known = labels(self.hosts)
        self.labels = {host: escape(label) for host, label in known.items()}
        # Letters of the longest one; an ellipsis is as wide as two.
        self.letters = max((len(label) + label.count("…") for label in known.values()), default=0)
        self.number = {host: number for number, host in enumerate(self.hosts)}
        self.npus = {(row["host"], row["phy_id"]): row for row in report["npus"]}
        self.of_host = {host: [] for host in self.hosts}
        for host, phy_id in sorted(self.npus):
            self.of_host[host].append(phy_id)
        # Hosts on which phy ids are not simply the NPU ids of npu-smi.
        self.dies = {host for (host, phy_id), row in self.npus.items() if row["npu_id"] not in (None, phy_id)}
        self.groups = self._groups()
        self.times = sorted(
            pair["avg_ms"] for pair in report["pairs"] if pair["verdict"] == "pass" and pair["avg_ms"] is not None
        )
        self.median_ms = self.times[len(self.times) // 2] if self.times else None

    def _groups(self):
        hosts = {}
        for host in self.hosts:
            if host in self.rows and self.rows[host]["group"] is not None:
                hosts.setdefault(self.rows[host]["group"], []).append(host)
        # Nobody knows with whom an absent node serves, unless there is one group only or it was in the plan.
        if len(hosts) == 1 and self.absent:
            number = next(iter(hosts))
            hosts[number] = [host for host in self.hosts if host in self.absent or host in hosts[number]]
        pairs = {number: [] for number in hosts}
        for pair in self.report["pairs"]:
            known = self.rows.get(pair["host"]) or self.rows.get(pair["peer"])
            if known:
                pairs[known["group"]].append(pair)
        return [
            Group(hosts[number], {host: self.of_host[host] for host in hosts[number]}, pairs[number])
            for number in sorted(hosts)
        ]

    def verdict(self, host):
        return "fail" if host in self.absent else self.rows[host]["verdict"]

    def mark(self, end):
        """(class, mark, word) of an NPU."""
        row = self.npus[end]
        failures = [self.report["problems"][number] for number in row["problems"]]
        if row["verdict"] == "fail" and all(p["check"] in LOSSES for p in failures if p["severity"] == "fail"):
            return STATES["loss"]
        return VERDICTS[row["verdict"]]

    def why_not_pinged(self, end):
        """Words, or None for an NPU that was to be tried with a peer."""
        row = self.npus[end]
        return row["not_pinged"] or (None if row["peers"] else "not pinged")

    def anchor(self, end):
        """Id of an NPU's row in the table: no letter of it comes from a node."""
        return f"n{self.number[end[0]]}-{end[1]}"

    def shade(self, avg_ms):
        """Class of a fine way."""
        if avg_ms is None or not self.median_ms:
            return SHADES[0]
        return SHADES[sum(avg_ms > step * self.median_ms for step in STEPS)]

    def shades(self):
        """(class, what it stands for) of each shade that occurs."""
        if self.median_ms is None:
            return [(SHADES[0], "fine")]
        edges = [step * self.median_ms for step in STEPS]
        used = sorted({self.shade(avg_ms) for avg_ms in self.times})
        words = [f"up to {ms(edges[0])} ms", *(f"to {ms(edge)}" for edge in edges[1:]), f"over {ms(edges[-1])}"]
        return [(shade, words[SHADES.index(shade)]) for shade in used]


def worst(states):
    return max(states, key=RANK.index)


def marked(verdict):
    """« ×», « !», or nothing for what is fine, after a name."""
    return "" if verdict == "pass" else f" {VERDICTS[verdict][1]}"


def ms(value):
    """Milliseconds with three digits that say something."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def labels(hosts):
    """{host: what tells it from the others}: without the domain that all share, and long names without their beginning.

    For where there is little room; the whole name belongs beside it.
    """
    tails = [host[host.find(".") :] if "." in host else "" for host in hosts]
    tail = len(tails[0]) if len(hosts) > 1 and len(set(tails)) == 1 else 0
    names = {host: host[: len(host) - tail] for host in hosts}
    head = 0
    if len(hosts) > 1 and max(map(len, names.values())) > MAX_LABEL:
        # Up to the last word that all share, so that node12 does not become 2.
        head = max(os.path.commonprefix(list(names.values())).rfind(mark) + 1 for mark in "-_.")
    found = {host: ("…" if head else "") + name[head:] for host, name in names.items()}
    return {host: name if len(name) <= MAX_LABEL else "…" + name[1 - MAX_LABEL :] for host, name in found.items()}


def said(way):
    """A way in words, without its ends."""
    if way.state == "ok":
        return "fine" if way.avg_ms is None else f"{ms(way.avg_ms)} ms"
    if way.state == "loss" and way.loss_pct is not None:
        return f"{way.loss_pct:g} % of the packets lost"
    return STATES[way.state][2]

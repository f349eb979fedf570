# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which NPU pings which one when, so that every wanted pair is tried once and nobody has two peers at a time.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Every schedule is arithmetic: the peer of an NPU in a round is calculated, not looked up, so a plan of millions of
pings is a list of hosts with addresses. Both ends of a pair ping each other in the same round.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

MODES = ("full", "rail", "ring")
# Rounds, because they are what a node waits for: at 2 s a ping about a minute, and about two.
AUTO_FULL_ROUNDS = 32
AUTO_RAIL_ROUNDS = 64
# 512 nodes with 8 NPUs in rail mode are 2.1 million. Beyond this the results no longer fit into one play.
MAX_PINGS = 2_500_000


class PlanError(Exception):
    """No plan can be made as asked; the text says why and what to do."""


class Npu(NamedTuple):
    """One end of a ping. C(address) is what its peers ping, None when it has none."""

    phy_id: int
    address: str | None


class Skipped(NamedTuple):
    """An NPU that takes no part, and why."""

    host: str
    phy_id: int
    why: str


def _partner(position, turn, size):
    """Who meets whom in turn 0..size-2 of a round robin of an even C(size): the circle method.

    Those whose positions add up to the turn modulo size-1 meet. The one that would meet itself meets the last.
    """
    if position == size - 1:
        return turn * (size // 2) % (size - 1)
    other = (turn - position) % (size - 1)
    return size - 1 if other == position else other


class _Circle:
    """Every member meets every other one: n-1 rounds for an even n, n for an odd one. Fewer do not exist."""

    def __init__(self, members):
        self.members = members
        count = len(members)
        self.size = count + count % 2
        self.rounds = self.bound = self.size - 1 if count > 1 else 0
        self.pairs = count * (count - 1) // 2

    def peers(self, index):
        for turn in range(self.rounds):
            other = _partner(index, turn, self.size)
            if other < len(self.members):
                yield turn, other


class _Ring:
    """Every member meets its two neighbours: 2 rounds, 3 for an odd ring, 1 for two members."""

    def __init__(self, members):
        self.members = members
        count = len(members)
        self.pairs = count if count > 2 else max(count - 1, 0)
        self.rounds = self.bound = min(self.pairs, 2) + (count % 2 if count > 2 else 0)

    def peers(self, index):
        count = len(self.members)
        # Edge number e joins e and e+1. Neighbouring edges need different rounds; the last of an odd ring has two.
        edges = sorted({index, (index - 1) % count} & set(range(self.pairs)))
        found = []
        for edge in edges:
            turn = 2 if count % 2 and edge == count - 1 else edge % 2
            found.append((turn, (edge + 1) % count if edge == index else edge))
        return sorted(found)


class _Full:
    """Every NPU meets every NPU of the other nodes.

    Nodes meet as in C(_Circle), and while two of them meet, their k NPUs are turned against each other k times:
    (n-1)*k rounds for an even n. For an odd n one node would always wait, so there each node is cut into halves, which
    are an even number; the turn in which the halves of one node would meet is left out: (n-1)*k again, for an even k.
    """

    def __init__(self, nodes):
        self.nodes = nodes
        self.members = [member for node in nodes for member in node]
        self.spots = [(number, slot) for number, node in enumerate(nodes) for slot in range(len(node))]
        # Index of the first member of each node.
        self.first = [0, *itertools.accumulate(len(node) for node in nodes)]
        count, total = len(nodes), len(self.members)
        slots = max((len(node) for node in nodes), default=0)
        self.pairs = (total * total - sum(len(node) ** 2 for node in nodes)) // 2
        whole, halves = (count + count % 2 - 1) * slots, (count - 1) * (slots + slots % 2)
        self.halved = halves < whole
        self.width = (slots + slots % 2) // 2 if self.halved else slots
        self.size = 2 * count if self.halved else count + count % 2
        self.rounds = min(halves, whole) if self.pairs else 0
        degree = total - min((len(node) for node in nodes if node), default=0)
        self.bound = max(degree, -(-self.pairs // (total // 2))) if self.pairs else 0

    def _unit(self, number, slot):
        """(position in the round robin, slot within it)."""
        if not self.halved:
            return number, slot
        half, slot = divmod(slot, self.width)
        # So the halves of one node add up to size-1, and meet in turn 0, which is left out.
        return (self.size - 1 - number if half else number), slot

    def _member(self, position, slot):
        """Index of the member there, None where nobody is."""
        if self.halved and position >= len(self.nodes):
            position, slot = self.size - 1 - position, slot + self.width
        if position >= len(self.nodes) or slot >= len(self.nodes[position]):
            return None
        return self.first[position] + slot

    def peers(self, index):
        if not self.pairs:
            return
        position, slot = self._unit(*self.spots[index])
        skip = 1 if self.halved else 0
        for turn in range(skip, self.size - 1):
            other = _partner(position, turn, self.size)
            # One of the two turns against the other, so that both calculate the same.
            sign = 1 if position < other else -1
            for shift in range(self.width):
                member = self._member(other, (slot + sign * shift) % self.width)
                if member is not None:
                    yield (turn - skip) * self.width + shift, member


class Plan:
    """Rounds from 0. Hosts and NPUs are in the order of their names and phy ids, whatever the order of the input.

    :ivar mode: V(full), V(rail) or V(ring).
    :ivar rounds: how many rounds there are; C(bound), below which no schedule of these pairs can go.
    :ivar pairs: pairs of NPUs, each tried in both directions; C(pings) is twice that.
    :ivar skipped: L(Skipped) of NPUs without an address.
    :ivar alone: L(Skipped) of NPUs for which the mode has no peer.
    """

    def __init__(self, nodes, mode, groups=None):
        self.mode = mode
        self.nodes = {host: sorted(nodes[host]) for host in sorted(nodes)}
        self.groups = merge_groups(groups, self.nodes)
        self.skipped = [
            Skipped(host, npu.phy_id, "its address is not known")
            for host, npus in self.nodes.items()
            for npu in npus
            if not npu.address
        ]
        self.lanes = [lane for group in self.groups for lane in self._lanes(group)]
        self.rounds = max((lane.rounds for lane in self.lanes), default=0)
        self.bound = max((lane.bound for lane in self.lanes), default=0)
        self.pairs = sum(lane.pairs for lane in self.lanes)
        self.pings = 2 * self.pairs
        self._places = {}
        self.alone = []
        for lane in self.lanes:
            for index, (host, npu) in enumerate(lane.members):
                self._places.setdefault(host, []).append((lane, index))
                if not lane.pairs:
                    self.alone.append(Skipped(host, npu.phy_id, f"no other node has a peer for it in {mode} mode"))

    def _lanes(self, group):
        ends = {host: [(host, npu) for npu in self.nodes[host] if npu.address] for host in group}
        if self.mode == "full":
            return [_Full([node for node in ends.values() if node])]
        rails = {}
        for node in ends.values():
            for member in node:
                rails.setdefault(member[1].phy_id, []).append(member)
        return [(_Circle if self.mode == "rail" else _Ring)(rails[phy_id]) for phy_id in sorted(rails)]

    def pings_of(self, host):
        """What C(host) has to ping: mappings with round, phy_id, peer, peer_phy_id and address, in that order."""
        found = []
        for lane, index in self._places.get(host, ()):
            own = lane.members[index][1].phy_id
            for turn, other in lane.peers(index):
                peer, npu = lane.members[other]
                found.append((turn, own, peer, npu.phy_id, npu.address))
        found.sort()
        return [dict(zip(("round", "phy_id", "peer", "peer_phy_id", "address"), row)) for row in found]

    def each_pair(self):
        """(round, host, phy_id, peer, peer_phy_id) of every pair, once."""
        for lane in self.lanes:
            for index, (host, npu) in enumerate(lane.members):
                for turn, other in lane.peers(index):
                    if index < other:
                        peer, peer_npu = lane.members[other]
                        yield turn, host, npu.phy_id, peer, peer_npu.phy_id

    def to_dict(self):
        """The plan as plain values, no larger than the fleet; C(from_dict) reads it."""
        return {
            "mode": self.mode,
            "groups": self.groups,
            "nodes": {host: [list(npu) for npu in npus] for host, npus in self.nodes.items()},
        }


def from_dict(given):
    """The plan which C(to_dict) gave. Raises PlanError when it is not one."""
    try:
        nodes = {host: [Npu(int(phy_id), address) for phy_id, address in npus] for host, npus in given["nodes"].items()}
        if given["mode"] not in MODES:
            raise ValueError(f"mode is {given['mode']!r}")
        return Plan(nodes, given["mode"], given["groups"])
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise PlanError(f"this is not a plan of npuops.ascend.roce_plan: {exc!r}; give what it returned") from exc


def merge_groups(groups, hosts):
    """Groups that share a node become one, and every group has its hosts in order; none at all means one of all hosts.

    Hosts that are not in C(hosts) are left out, as are groups with nobody left in them.
    """
    if not groups:
        return [sorted(hosts)] if hosts else []
    owner = {}
    for group in groups:
        joined = {host for host in group if host in hosts}
        for host in list(joined):
            joined |= owner.get(host, set())
        for host in joined:
            owner[host] = joined
    return [list(group) for group in sorted({tuple(sorted(group)) for group in owner.values()})]


def plan(nodes, mode="auto", groups=None, max_pings=MAX_PINGS):
    """Make the plan of a fleet.

    :arg nodes: {host: [L(Npu), ...]}.
    :arg mode: V(full): every pair of NPUs of different nodes. V(rail): NPUs with the same phy id on every pair of
        nodes. V(ring): the same phy id on the next node, in the order of the names. V(auto): V(full) while that takes
        at most 32 rounds (5 nodes of 8 NPUs, 3 of 16), else V(rail) while that takes at most 64 rounds (64 nodes), else
        V(ring).
    :arg groups: lists of hosts that serve together; pairs are only between hosts of one group, and groups share the
        rounds. Groups with a node in common become one. None: one group of all.
    :arg max_pings: a plan of more pings is refused, whoever asked for it.
    :returns: a L(Plan).
    :raises PlanError: for an unknown mode, an NPU that is named twice, or too many pings.
    """
    for host, npus in nodes.items():
        if len({npu.phy_id for npu in npus}) != len(npus):
            raise PlanError(f"{host}: an NPU is named twice; name every phy id once")
    if mode == "auto":
        found = Plan(nodes, "full", groups)
        if found.rounds > AUTO_FULL_ROUNDS:
            found = Plan(nodes, "rail", groups)
            if found.rounds > AUTO_RAIL_ROUNDS:
                found = Plan(nodes, "ring", groups)
    elif mode in MODES:
        found = Plan(nodes, mode, groups)
    else:
        raise PlanError(f"mode {mode!r} is not known; use auto, {', '.join(MODES)}")
    if found.pings > max_pings:
        raise PlanError(
            f"{found.mode} mode takes {found.pings} pings in {found.rounds} rounds on {len(found.nodes)} nodes, more "
            f"than max_pings {max_pings}; use {'rail or ring' if found.mode == 'full' else 'ring'} mode, name the "
            "groups of nodes that serve together, or raise max_pings"
        )
    return found

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which slices compete for the same chips, and how few NPUs each such group needs.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import namedtuple

from ._placement_bound import chips_with_homes, fits, npus_at_least


class Group(namedtuple("Group", ("movable", "alone", "families"))):
    """Items that compete for the same hosts.

    :ivar movable: items with several hosts.
    :ivar alone: {host: items that have this one only}.
    :ivar families: {host: {family: {NPU ID: chip IDs}}}.
    """

    __slots__ = ()

    def members(self):
        return [*self.movable, *(item for own in self.alone.values() for item in own)]


# least: NPUs at the least; kinds, needs, weights: of the items, what they take and what they weigh in the proof;
# shares: {host: how its own items share chips, counts of each kind for each chip, or None}.
Homes = namedtuple("Homes", ("least", "kinds", "needs", "weights", "shares"))


def groups(items, slots):
    """The items by groups of hosts that no item connects.

    :returns: [Group, ...]; items whose hosts have no slot are in none.
    """
    parent = {slot.host: slot.host for slot in slots}

    def root(host):
        while parent[host] != host:
            parent[host] = parent[parent[host]]
            host = parent[host]
        return host

    for item in items:
        known = [host for host in item.hosts if host in parent]
        for host in known[1:]:
            parent[root(host)] = root(known[0])
    families = {}
    for slot in slots:
        families.setdefault(slot.host, {}).setdefault(slot.family, {}).setdefault(slot.npu, set()).add(slot.chip)
    found = {}
    for item in items:
        known = [host for host in item.hosts if host in parent]
        if known:
            group = found.setdefault(root(known[0]), Group([], {}, {}))
            group.families.update((host, families[host]) for host in known)
            if len(known) == 1:
                group.alone.setdefault(known[0], []).append(item)
            else:
                group.movable.append(item)
    return list(found.values())


def least(group):
    """How few NPUs a group needs at the least, on empty NPUs, whoever packs it: a proven lower bound.

    Items that fit no slot are not counted.
    """
    of_hosts = [group.families[host] for host in sorted(group.families)]
    apart = sum(_least_of(own, [group.families[host]]) for host, own in group.alone.items())
    together = _least_of(group.members(), of_hosts)
    homes = at_home(group)
    return max(apart, together, homes.least if homes else 0)


def _chips_of(of_hosts):
    """{family: how many chips an NPU has}, the most that any has."""
    chips = {}
    for families in of_hosts:
        for family, npus in families.items():
            chips[family] = max(chips.get(family, 0), max(len(found) for found in npus.values()))
    return chips


def _demand(items, kinds):
    demand = [0] * len(kinds)
    for item in items:
        demand[kinds.index(item.kind)] += 1
    return tuple(demand)


def at_home(group, quick=False):
    """How the slices that have one host best share chips when others may move, where all chips are alike.

    :returns: Homes, or None for a group of another form.
    """
    chips = _chips_of(group.families.values())
    if len(chips) != 1 or not group.movable or not group.alone:
        return None
    family, count = next(iter(chips.items()))
    kinds = sorted({item.kind for items in (group.movable, *group.alone.values()) for item in items})
    needs = [dict(kind).get(family) for kind in kinds]
    if any(need is None or not fits(need, family.capacity) for need in needs):
        return None
    homes = [_demand(own, kinds) for own in group.alone.values()]
    found, weights, shares = chips_with_homes(
        _demand(group.movable, kinds), homes, family.capacity, count, needs, quick
    )
    return Homes(found, kinds, needs, weights, dict(zip(group.alone, shares)))


def _least_of(items, of_hosts):
    kinds = sorted({item.kind for item in items})
    table = [
        (family.capacity, count, [dict(kind).get(family) for kind in kinds])
        for family, count in sorted(_chips_of(of_hosts).items())
    ]
    # An item that names an NPU has one host (check_shape).
    named = len({(item.hosts, item.npu) for item in items if item.npu is not None})
    return max(named, npus_at_least(_demand(items, kinds), table))


__all__ = ["Group", "Homes", "at_home", "groups", "least"]

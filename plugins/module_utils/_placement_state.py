# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packer knows: slices to place, chips that may be cut, and where everything is.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import namedtuple

from ._placement_bound import fits, minus, plus

# Chips that are alike: a name for people, and what an empty one has of each resource.
Family = namedtuple("Family", ("name", "capacity"))


class Item:
    """One slice to place.

    :ivar name: unique.
    :ivar kind: items of one kind take the same of every family.
    :ivar needs: {family: what it takes there}.
    :ivar hosts: where it may go, in the order of preference.
    :ivar npu: the NPU ID it must have, or None.
    :ivar chip: the chip ID it must have, or None.
    """

    __slots__ = ("name", "kind", "needs", "hosts", "npu", "chip")

    def __init__(self, name, needs, hosts, npu=None, chip=None):
        self.name = name
        self.needs = needs
        self.hosts = tuple(hosts)
        self.npu = npu
        self.chip = chip
        self.kind = tuple(sorted(needs.items()))

    def may_use(self, slot):
        return (
            slot.host in self.hosts
            and slot.family in self.needs
            and self.npu in (None, slot.npu)
            and self.chip in (None, slot.chip)
        )


class Slot:
    """One chip of an NPU that may be cut. C(free) is what it has left."""

    __slots__ = ("host", "npu", "chip", "family", "free")

    def __init__(self, host, npu, chip, family, free):
        self.host = host
        self.npu = npu
        self.chip = chip
        self.family = family
        self.free = free

    def key(self):
        return (self.host, self.npu, self.chip)


class State:
    """Where everything is. NPUs with anything on them are open: using more of them costs nothing."""

    def __init__(self, slots, opened):
        self.slots = slots
        self.free = {slot.key(): slot.free for slot in slots}
        self.by_npu = {}
        for slot in slots:
            self.by_npu.setdefault((slot.host, slot.npu), []).append(slot)
        self.at = {slot.key(): slot for slot in slots}
        self.by_host = {}
        for slot in slots:
            self.by_host.setdefault(slot.host, []).append(slot)
        self.closed = {}
        for host, npu in self.by_npu:
            self.closed.setdefault(host, []).append(npu)
        # What is free -> host -> slots. There are few different remainders, so one look decides for hundreds of chips.
        self.open = {}
        self.where = {}
        self.opened = set(opened)
        for host, npu in sorted(self.opened & set(self.by_npu)):
            self.open_npu(host, npu)

    def used(self):
        return len(self.opened | {key[:2] for key in self.where.values()})

    def shelve(self, slot):
        shelf = self.open.setdefault((slot.family, self.free[slot.key()]), {})
        shelf.setdefault(slot.host, []).append(slot)

    def unshelve(self, slot):
        key = (slot.family, self.free[slot.key()])
        shelf = self.open[key]
        shelf[slot.host].remove(slot)
        if not shelf[slot.host]:
            del shelf[slot.host]
        if not shelf:
            del self.open[key]

    def open_npu(self, host, npu):
        self.closed[host].remove(npu)
        for slot in self.by_npu[host, npu]:
            self.shelve(slot)

    def put(self, item, slot):
        if slot.npu in self.closed[slot.host]:
            self.open_npu(slot.host, slot.npu)
        self.unshelve(slot)
        self.free[slot.key()] = minus(self.free[slot.key()], item.needs[slot.family])
        self.shelve(slot)
        self.where[item.name] = slot.key()

    def best_open(self, item):
        """The open chip that the item fills most, on the first of its hosts that has one."""
        best = None
        for (family, free), shelf in self.open.items():
            need = item.needs.get(family)
            if need is None or not fits(need, free):
                continue
            order = (sum(minus(free, need)), free)
            if best is not None and order >= best[0]:
                continue
            host = next((h for h in item.hosts if h in shelf), None)
            if host is None:
                continue
            slots = [slot for slot in shelf[host] if item.may_use(slot)]
            if slots:
                best = (order, min(slots, key=Slot.key))
        return best and best[1]

    def best_closed(self, item):
        """A chip of an untouched NPU, on the host that has most of them left."""
        left = {host: len(self.closed.get(host, ())) for host in item.hosts}
        return self.first_closed(item, sorted(item.hosts, key=lambda host: -left[host]))

    def first_closed(self, item, hosts):
        """A chip of an untouched NPU, on the first of these hosts that has one for the item."""
        for host in hosts:
            for npu in self.closed.get(host, ()):
                for slot in self.by_npu[host, npu]:
                    if item.may_use(slot) and self.takes(item, slot):
                        return slot
        return None

    def take(self, item):
        """Take an item away from where it is."""
        slot = self.at[self.where.pop(item.name)]
        self.unshelve(slot)
        self.free[slot.key()] = plus(self.free[slot.key()], item.needs[slot.family])
        self.shelve(slot)

    def close_empty(self, host, npu):
        """Count an NPU as untouched again when nothing is on it."""
        if (
            (host, npu) in self.opened
            or npu in self.closed[host]
            or any(self.free[slot.key()] != slot.free for slot in self.by_npu[host, npu])
        ):
            return
        for slot in self.by_npu[host, npu]:
            self.unshelve(slot)
        self.closed[host].append(npu)

    def takes(self, item, slot):
        return fits(item.needs[slot.family], self.free[slot.key()])


def bulk(item):
    return max(item.needs.values())


ORDERS = (
    lambda item: tuple(-x for x in bulk(item)),
    lambda item: -sum(bulk(item)),
    lambda item: (-bulk(item)[1], -bulk(item)[0]),
)


def freedom(item):
    """Items with fewer places to go come first."""
    return (item.npu is None, len(item.hosts))


__all__ = ["ORDERS", "Family", "Item", "Slot", "State", "bulk", "freedom"]

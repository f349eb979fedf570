# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put slices onto chips so that few NPUs are cut, with a proven bound of how few it could be.

Deterministic: ties go to the order of the input. This module util is PRIVATE to the collection. It can have breaking
changes at any time.
"""

from __future__ import annotations

import itertools
from collections import namedtuple

from ._placement_bound import fits, minus, patterns, plan
from ._placement_groups import Group, at_home, groups, least

# How often the weights of a group are computed anew while its hosts are cut one after the other.
PRICES = 16
# How many slices may be asked to move before an item counts as one that has no room.
MAX_MOVES = 100
# How often an NPU is tried to be emptied into others: so often up to so many items, a fortieth beyond.
MAX_TRIALS = 200
FEW_ITEMS = 200

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


class _State:
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
        best = None
        for position, host in enumerate(item.hosts):
            left = self.closed.get(host, ())
            if best is not None and -len(left) >= best[0][0]:
                continue
            for npu in left:
                slots = [s for s in self.by_npu[host, npu] if item.may_use(s) and self.takes(item, s)]
                if slots:
                    best = ((-len(left), position), slots[0])
                    break
        return best and best[1]

    def take(self, item):
        """Take an item away from where it is."""
        slot = self.at[self.where.pop(item.name)]
        self.unshelve(slot)
        self.free[slot.key()] = _plus(self.free[slot.key()], item.needs[slot.family])
        self.shelve(slot)

    def takes(self, item, slot):
        return fits(item.needs[slot.family], self.free[slot.key()])


def pack(items, slots, kept=(), opened=()):
    """Place every item that can be placed, each group of hosts that no item connects for itself.

    :arg items: Items in the order of the input.
    :arg slots: Slots; C(free) already lessened by all that stands there.
    :arg kept: Items that stand there already, for the bound only.
    :arg opened: (host, NPU ID) of the NPUs they stand on.
    :returns: ({item name: slot key}, [items that found no room], proven lower bound of NPUs for items and kept ones,
        were all NPUs empty).
    """
    standing = {item.name for item in kept}
    where, bound = {}, 0
    for group in groups([*items, *kept], slots):
        members = group.members()
        at_least = least(group)
        bound += at_least
        here = [slot for slot in slots if slot.host in group.families]
        used = {npu for npu in opened if npu[0] in group.families}
        where.update(_pack([item for item in members if item.name not in standing], here, used, at_least))
    return where, [item for item in items if item.name not in where], bound


def _pack(items, slots, opened, at_least):
    """The best of several ways; nothing better is looked for once the bound is met."""
    best = None
    for strategy in (_by_plan, _by_price, *map(_by_size, _ORDERS)):
        state = _State(slots, opened)
        lost = [item for item in strategy(state, items) if not _make_room(state, item, items)]
        if not lost and len(items) <= FEW_ITEMS:
            state = _fewer(state, items, opened, at_least)
        if best is None or (len(lost), state.used()) < best[:2]:
            best = (len(lost), state.used(), state)
        if not lost and state.used() <= at_least:
            break
    lost, _used, state = best
    if not lost and len(items) > FEW_ITEMS:
        state = _fewer(state, items, opened, at_least)
    return state.where


def _bulk(item):
    return max(item.needs.values())


_ORDERS = (
    lambda item: tuple(-x for x in _bulk(item)),
    lambda item: -sum(_bulk(item)),
    lambda item: (-_bulk(item)[1], -_bulk(item)[0]),
)


def _freedom(item):
    """Items with fewer places to go come first."""
    return (item.npu is None, len(item.hosts))


def _fill(state, items):
    """Best fit, one after the other; returns those without a place."""
    lost = []
    for item in items:
        slot = state.best_open(item) or state.best_closed(item)
        if slot is None:
            lost.append(item)
        else:
            state.put(item, slot)
    return lost


def _by_size(order):
    def strategy(state, items):
        return _fill(state, sorted(items, key=lambda item: (_freedom(item), order(item))))

    return strategy


def _by_plan(state, items):
    """Cut new NPUs after the best plan for what does not fit into open ones: per host first, then for each pool."""
    lost = []
    pools = {}
    for item in items:
        pools.setdefault((_freedom(item), item.hosts, item.npu, item.chip), []).append(item)
    for _key, pool in sorted(pools.items(), key=lambda entry: entry[0][0]):
        left = []
        for item in sorted(pool, key=_ORDERS[0]):
            slot = state.best_open(item)
            if slot is None:
                left.append(item)
            else:
                state.put(item, slot)
        if pool[0].npu is None:
            left = _cut(state, left)
        lost += _fill(state, left)
    return lost


def _by_price(state, items):
    """Let the slices that have one host share chips as the proof of the bound has it, fill up with the heaviest others.

    Fewest chips for each host alone may leave nothing that others can use; the weights know what others need.
    """
    done = set()
    for group in groups([item for item in items if item.npu is None], state.slots):
        movable, alone = list(group.movable), dict(group.alone)
        # What is left over changes what the rest should leave free, so the price is asked again on the way.
        step = max(1, len(alone) // PRICES)
        while alone and movable:
            homes = at_home(Group(movable, alone, group.families), quick=True)
            if homes is None:
                break
            for host in list(alone)[:step]:
                _share(state, list(alone.pop(host)), homes.shares[host], movable, homes, done)
    return _by_plan(state, [item for item in items if item.name not in done])


def _share(state, own, shares, movable, homes, done):
    """Cut a host's own slices as planned, and fill each chip up."""
    for part in shares or ():
        slot = None
        for kind, count in zip(homes.kinds, part):
            for item in [item for item in own if item.kind == kind][:count]:
                if slot is None:
                    slot = state.best_closed(item)
                if slot is None or not state.takes(item, slot):
                    break
                state.put(item, slot)
                own.remove(item)
                done.add(item.name)
        if slot is not None:
            _fill_up(state, slot, movable, homes, done)


def _fill_up(state, slot, movable, homes, done):
    """Put the heaviest set of movable items into what is left of a chip."""
    here = [[item for item in movable if item.kind == kind and item.may_use(slot)] for kind in homes.kinds]
    free = state.free[slot.key()]
    sets = patterns(free, [need if there else None for need, there in zip(homes.needs, here)]) or ()
    sets = [tuple(min(count, len(there)) for count, there in zip(counts, here)) for counts in sets]
    # Of equally heavy sets the one of few large slices: small ones still find a place later.
    best = max(sets, key=lambda counts: (sum(c * w for c, w in zip(counts, homes.weights)), -sum(counts)), default=())
    for there, count in zip(here, best):
        for item in there[:count]:
            state.put(item, slot)
            movable.remove(item)
            done.add(item.name)


def _cut(state, items):
    """Open NPUs for items that may all go to the same hosts, as planned; returns what is left over."""
    families = sorted({family for item in items for family in item.needs})
    if len(families) != 1 or not items:
        return items
    kinds = sorted({item.kind for item in items})
    waiting = [[item for item in items if item.kind == kind] for kind in kinds]
    hosts = items[0].hosts
    empty = [
        s.free for s in state.slots if s.host in hosts and s.family == families[0] and s.npu in state.closed[s.host]
    ]
    if not empty:
        return items
    needs = [dict(kind)[families[0]] for kind in kinds]
    chips, _least = plan([len(group) for group in waiting], max(empty), needs)
    for chip in chips or ():
        group = [item for kind, count in enumerate(chip) for item in waiting[kind][:count]]
        slot = None
        for item in group:
            if slot is None or not state.takes(item, slot):
                slot = state.best_open(item) or state.best_closed(item)
            if slot is None:
                break
            state.put(item, slot)
            waiting[kinds.index(item.kind)].remove(item)
    return [item for queue in waiting for item in queue]


def _make_room(state, item, items):
    """Move others, one step after the other, until the item fits. Items that were kept or have a fixed NPU stay.

    :returns: whether it worked; nothing is moved when it did not.
    """
    slot = state.best_open(item)
    if slot is not None:
        state.put(item, slot)
        return True
    by_name = {other.name: other for other in items if other.npu is None}
    holds = {}
    for name, key in state.where.items():
        if name in by_name:
            holds.setdefault(key, []).append(name)
    tried = set()
    queue = [(item, ())]
    for wanting, moves in itertools.islice(queue, MAX_MOVES):
        passed = [slot for _item, slot in moves]
        for slot in (s for host in wanting.hosts for s in state.by_host.get(host, ())):
            if slot in passed or not wanting.may_use(slot):
                continue
            for name in holds.get(slot.key(), ()):
                other = by_name[name]
                if name in tried:
                    continue
                freed = _plus(state.free[slot.key()], other.needs[slot.family])
                if not fits(wanting.needs[slot.family], freed):
                    continue
                tried.add(name)
                chain = (*moves, (wanting, slot))
                home = _home(state, other, [*passed, slot])
                if home is not None:
                    _shift(state, (*chain, (other, home)))
                    return True
                queue.append((other, chain))
    return False


def _plus(free, need):
    return tuple(f + n for f, n in zip(free, need))


def _home(state, item, but):
    """A chip with room for the item that is none of these."""
    if state.best_open(item) is None and state.best_closed(item) is None:
        return None
    slots = (s for host in item.hosts for s in state.by_host.get(host, ()) if s not in but)
    return next((s for s in slots if item.may_use(s) and state.takes(item, s)), None)


def _shift(state, chain):
    """Carry out a chain of moves, the last one first, so that each finds its place free."""
    for item, slot in reversed(chain):
        if item.name in state.where:
            state.take(item)
        state.put(item, slot)


def _fewer(state, items, opened, at_least):
    """Empty one NPU after the other into the rest, as long as that works."""
    by_name = {item.name: item for item in items}
    left = MAX_TRIALS if len(items) <= FEW_ITEMS else MAX_TRIALS // 40
    while state.used() > at_least and left:
        on = {}
        for name, key in state.where.items():
            on.setdefault(key[:2], []).append(by_name[name])
        victims = [npu for npu in on if npu not in opened and all(item.npu is None for item in on[npu])]
        victims.sort(key=lambda npu: (sum(sum(_bulk(item)) for item in on[npu]), npu))
        for victim in victims:
            left -= 1
            trial = _State([s for s in state.slots if (s.host, s.npu) in on and (s.host, s.npu) != victim], opened)
            for name, key in state.where.items():
                if key[:2] != victim:
                    trial.put(by_name[name], trial.at[key])
            homeless = sorted(on[victim], key=lambda item: (_freedom(item), _ORDERS[0](item)))
            if all(_make_room(trial, item, items) for item in homeless):
                state = trial
                break
            if not left:
                return state
        else:
            return state
    return state


__all__ = ["Family", "Item", "Slot", "pack"]

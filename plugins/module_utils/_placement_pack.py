# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put slices onto chips so that few NPUs are cut, with a proven bound of how few it could be.

Deterministic: ties go to the order of the input. This module util is PRIVATE to the collection. It can have breaking
changes at any time.
"""

from __future__ import annotations

from ._placement_bound import patterns, plan
from ._placement_groups import Group, at_home, groups, least
from ._placement_improve import fewer, make_room, stir
from ._placement_prices import least_by_prices
from ._placement_state import ORDERS, Family, Item, Slot, State, freedom

# How often the weights of a group are computed anew while its hosts are cut one after the other.
PRICES = 16
# Up to so many items the better bound is worth its time for the last NPU too.
SMALL_GROUP = 100


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
        here = [slot for slot in slots if slot.host in group.families]
        used = {npu for npu in opened if npu[0] in group.families}
        found, at_least = _pack(group, [item for item in members if item.name not in standing], here, used)
        where.update(found)
        bound += at_least
    return where, [item for item in items if item.name not in where], bound


def _pack(group, items, slots, opened):
    """The best of several ways, then bettered; nothing better is looked for once the bound is met.

    :returns: ({item name: slot key}, the bound).
    """
    at_least = least(group)
    best = None
    for strategy in (_by_plan, _by_price, *map(_by_size, ORDERS)):
        state = State(slots, opened)
        lost = [item for item in strategy(state, items) if not make_room(state, item, items)]
        if best is None or (len(lost), state.used()) < best[:2]:
            best = (len(lost), state.used(), state)
        if not lost and state.used() <= at_least:
            break
    lost, _used, state = best
    return (state.where, at_least) if lost else _close_gap(group, state, items, opened, at_least)


def _close_gap(group, state, items, opened, at_least):
    """Look for fewer NPUs and for a better bound, what is likely to be quicker first."""
    large = len(group.members()) > SMALL_GROUP
    if state.used() > at_least and not large:
        at_least = max(at_least, least_by_prices(group, state.used()))
    if state.used() > at_least:
        state = stir(state, items, opened, at_least, hurry=large)
    if state.used() > at_least + 1 and large:
        at_least = max(at_least, least_by_prices(group, state.used()))
    if state.used() > at_least + 1 and large:
        state = stir(state, items, opened, at_least)
    if state.used() > at_least:
        state = fewer(state, items, opened, at_least)
    return state.where, at_least


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
        return _fill(state, sorted(items, key=lambda item: (freedom(item), order(item))))

    return strategy


def _by_plan(state, items):
    """Cut new NPUs after the best plan for what does not fit into open ones: per host first, then for each pool."""
    lost = []
    pools = {}
    for item in items:
        pools.setdefault((freedom(item), item.hosts, item.npu, item.chip), []).append(item)
    for _key, pool in sorted(pools.items(), key=lambda entry: entry[0][0]):
        left = []
        for item in sorted(pool, key=ORDERS[0]):
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


__all__ = ["Family", "Item", "Slot", "pack"]

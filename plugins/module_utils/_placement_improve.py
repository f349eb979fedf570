# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move slices that have a place, so that others find one too or an NPU is left empty.

Deterministic. This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import itertools
import random

from ._placement_bound import fits, plus
from ._placement_state import ORDERS, State, bulk, freedom

# How many slices may be asked to move before an item counts as one that has no room.
MAX_MOVES = 100
# How often an NPU is tried to be emptied into others: so often up to so many items, a fortieth beyond.
MAX_TRIALS = 200
FEW_ITEMS = 200
# How often a few NPUs are cleared and filled anew: so often for few items, and the less the more items there are.
MAX_TURNS = 2000
MAX_TURN_ITEMS = 240000
# For the last NPU of a large group.
HURRIED = 150


def make_room(state, item, items):
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
                freed = plus(state.free[slot.key()], other.needs[slot.family])
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


def fewer(state, items, opened, at_least):
    """Empty one NPU after the other into the rest, as long as that works."""
    by_name = {item.name: item for item in items}
    left = MAX_TRIALS if len(items) <= FEW_ITEMS else MAX_TRIALS // 40
    while state.used() > at_least and left:
        on = {}
        for name, key in state.where.items():
            on.setdefault(key[:2], []).append(by_name[name])
        victims = [npu for npu in on if npu not in opened and all(item.npu is None for item in on[npu])]
        victims.sort(key=lambda npu: (sum(sum(bulk(item)) for item in on[npu]), npu))
        for victim in victims:
            left -= 1
            trial = State([s for s in state.slots if (s.host, s.npu) in on and (s.host, s.npu) != victim], opened)
            for name, key in state.where.items():
                if key[:2] != victim:
                    trial.put(by_name[name], trial.at[key])
            homeless = sorted(on[victim], key=lambda item: (freedom(item), ORDERS[0](item)))
            if all(make_room(trial, item, items) for item in homeless):
                state = trial
                break
            if not left:
                return state
        else:
            return state
    return state


def stir(state, items, opened, at_least, hurry=False):
    """Clear a few NPUs that compete for the same items and fill them anew in another order, many times.

    What uses more NPUs is taken back. Of what uses as many, that is kept which leaves some emptier and others fuller.
    """
    rng = random.Random(len(items))
    by_name = {item.name: item for item in items}
    on = {}
    for name, key in state.where.items():
        on.setdefault(key[:2], {})[name] = key
    fixed = set(opened) | {key[:2] for name, key in state.where.items() if by_name[name].npu is not None}
    used = state.used()
    turns = HURRIED if hurry else min(MAX_TURNS, MAX_TURN_ITEMS // max(1, len(items)))
    for _turn in range(turns):
        loose = [npu for npu in on if npu not in fixed and on[npu]]
        if used <= at_least or not loose:
            break
        cleared = _neighbours(rng, state, on, by_name, loose)
        before = {name: key for npu in cleared for name, key in on[npu].items() if by_name[name].npu is None}
        touched = {npu: _spread(state, npu) for npu in cleared}
        for name in before:
            state.take(by_name[name])
        for npu in cleared:
            state.close_empty(*npu)
        done = []
        for name in _shuffled(rng, before, by_name):
            item = by_name[name]
            slot = state.best_open(item) or state.first_closed(item, rng.sample(item.hosts, len(item.hosts)))
            if slot is None:
                break
            touched.setdefault((slot.host, slot.npu), _spread(state, (slot.host, slot.npu)))
            state.put(item, slot)
            done.append(name)
        after = [_spread(state, npu) for npu in touched]
        gain = [sum(column) for column in zip(*touched.values())], [sum(column) for column in zip(*after)]
        opener = gain[1][0] - gain[0][0]
        if len(done) < len(before) or opener > 0 or (opener == 0 and gain[1][1] < gain[0][1] and rng.random() > 0.1):
            for name in done:
                state.take(by_name[name])
            for name, key in before.items():
                state.put(by_name[name], state.at[key])
            for npu in touched:
                state.close_empty(*npu)
            continue
        used += opener
        for name, key in before.items():
            del on[key[:2]][name]
        for name in before:
            key = state.where[name]
            on.setdefault(key[:2], {})[name] = key
    return state


def _neighbours(rng, state, on, by_name, loose):
    """A rather empty NPU, and up to five that its items, or those of one before, might use as well."""
    cleared = [min(rng.choice(loose), rng.choice(loose), key=lambda npu: len(on[npu]))]
    for _more in range(rng.randint(1, 5)):
        names = list(on[rng.choice(cleared)])
        host = rng.choice(by_name[rng.choice(names)].hosts)
        there = [npu for npu in {(slot.host, slot.npu): None for slot in state.by_host.get(host, ())} if on.get(npu)]
        more = [npu for npu in there if npu not in cleared]
        if more:
            cleared.append(rng.choice(more))
    return cleared


def _shuffled(rng, names, by_name):
    """Large ones and those with little choice rather first."""
    noise = rng.choice((0.0, 0.3, 1.0))
    size = {name: sum(x for x in bulk(by_name[name])[:2]) * (1 + noise * rng.random()) for name in names}
    return sorted(names, key=lambda name: (-size[name], len(by_name[name].hosts) if noise < 1 else 0))


def _spread(state, npu):
    """(1 for an NPU that is used, how uneven what it has left is)."""
    host, number = npu
    if number in state.closed[host]:
        return (0, 0.0)
    return (1, sum((state.free[slot.key()][0] / (slot.family.capacity[0] or 1)) ** 2 for slot in state.by_npu[npu]))


__all__ = ["fewer", "make_room", "stir"]

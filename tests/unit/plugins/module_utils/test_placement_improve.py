# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer NPUs by clearing some and filling them anew: what it finds, and that it breaks nothing."""

from __future__ import annotations

import random

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._placement_improve import stir
from ansible_collections.npuops.ascend.plugins.module_utils._placement_pack import pack
from ansible_collections.npuops.ascend.plugins.module_utils._placement_state import Family, Item, Slot, State

FAMILY = Family("a", (20, 7))
NEEDS = [{FAMILY: (10, 3)}, {FAMILY: (5, 1)}, {FAMILY: (10, 4)}]


def slots_of(hosts, npus):
    return [Slot(f"h{n}", npu, 0, FAMILY, FAMILY.capacity) for n in range(hosts) for npu in range(npus)]


def test_every_second_host_of_a_ring_is_enough():
    items = [Item(f"i{n}", NEEDS[1], [f"h{n}", f"h{(n + 1) % 10}"]) for n in range(10)]
    where, lost, bound = pack(items, slots_of(10, 2))
    assert (lost, bound, len({key[:2] for key in where.values()})) == ([], 5, 5)


@pytest.mark.parametrize("seed", range(10))
def test_it_never_uses_more_and_keeps_every_item_in_a_place_of_its_own(seed):
    rng = random.Random(seed)
    slots = slots_of(6, 4)
    state = State(slots, {("h0", 0)})
    items = []
    for n in range(30):
        npu = rng.choice((None, None, None, 1))
        hosts = rng.sample([f"h{n}" for n in range(6)], 1 if npu is not None else 2)
        item = Item(f"i{n}", rng.choice(NEEDS), hosts, npu)
        slot = state.best_closed(item) or state.best_open(item)
        if slot is not None:
            state.put(item, slot)
            items.append(item)
    before = state.used()
    after = stir(state, items, {("h0", 0)}, 0)
    assert after.used() <= before
    assert set(after.where) == {item.name for item in items}
    left = {slot.key(): list(slot.free) for slot in slots}
    for item in items:
        slot = after.at[after.where[item.name]]
        assert item.may_use(slot)
        for resource, need in enumerate(item.needs[FAMILY]):
            left[slot.key()][resource] -= need
    assert min(min(free) for free in left.values()) >= 0
    assert {key: tuple(free) for key, free in left.items()} == after.free
    taken = {key[:2] for key in after.where.values()} | {("h0", 0)}
    assert {(host, npu) for host, closed in after.closed.items() for npu in closed} == set(after.by_npu) - taken

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bound that knows hosts: never above the best placement, found here by trying every one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils import _placement_prices as prices
from ansible_collections.npuops.ascend.plugins.module_utils._placement_bound import fits, minus
from ansible_collections.npuops.ascend.plugins.module_utils._placement_groups import groups, least
from ansible_collections.npuops.ascend.plugins.module_utils._placement_state import Family, Item, Slot

BIG, SMALL = Family("big", (20, 7)), Family("small", (8, 7))
# What each kind takes of either family.
KINDS = {
    "half": {BIG: (10, 3), SMALL: (4, 4)},
    "quarter": {BIG: (5, 1), SMALL: (2, 1)},
    "cpu": {BIG: (5, 3), SMALL: (4, 3)},
    "only big": {BIG: (10, 4)},
}


def slots_of(hosts):
    """hosts: {name: (family, NPUs, chips of each)}."""
    return [
        Slot(host, npu, chip, family, family.capacity)
        for host, (family, npus, chips) in hosts.items()
        for npu in range(npus)
        for chip in range(chips)
    ]


def fewest(items, slots):
    """By trying every way; None where there is none."""
    best = None

    def extend(rest, free, used):
        nonlocal best
        if best is not None and len(used) >= best:
            return
        if not rest:
            best = len(used)
            return
        for slot in slots:
            need = rest[0].needs.get(slot.family)
            if rest[0].may_use(slot) and fits(need, free[slot.key()]):
                extend(rest[1:], {**free, slot.key(): minus(free[slot.key()], need)}, used | {(slot.host, slot.npu)})

    extend(items, {slot.key(): slot.free for slot in slots}, frozenset())
    return best


def bound_of(items, slots, target=99):
    return sum(prices.least_by_prices(group, target) for group in groups(items, slots))


@st.composite
def problems(draw):
    hosts = {
        f"h{n}": (draw(st.sampled_from((BIG, SMALL))), 2, draw(st.sampled_from((1, 1, 2))))
        for n in range(draw(st.integers(1, 3)))
    }
    items = []
    for n in range(draw(st.integers(1, 6))):
        needs = KINDS[draw(st.sampled_from(sorted(KINDS)))]
        own = draw(st.lists(st.sampled_from(sorted(hosts)), min_size=1, unique=True))
        npu = draw(st.sampled_from((None, None, None, 0, 1)))
        items.append(Item(f"i{n}", needs, own[:1] if npu is not None else own, npu))
    return items, slots_of(hosts)


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from((0, 5, 1000)))
def test_it_is_never_above_the_best_placement(problem, sets):
    items, slots = problem
    best = fewest(items, slots)
    if best is None:
        return
    before = prices.MAX_SETS
    prices.MAX_SETS = sets  # hosts are asked by sets, or by sizes and parts
    try:
        assert bound_of(items, slots, best) <= best
        assert bound_of(items, slots, best + 2) <= best
    finally:
        prices.MAX_SETS = before


@pytest.mark.parametrize("sets", [0, 1000])
def test_it_sees_that_pinned_slices_open_an_npu_each(sets, monkeypatch):
    monkeypatch.setattr(prices, "MAX_SETS", sets)
    hosts = {f"h{n}": (BIG, 4, 1) for n in range(6)}
    items = [Item(f"own{n}", KINDS["half"], [f"h{n}"]) for n in range(6)]
    items += [Item(f"free{n}", KINDS["only big"], list(hosts)) for n in range(6)]
    slots = slots_of(hosts)
    assert bound_of(items, slots) == 6
    more = [*items, Item("one more", KINDS["only big"], list(hosts))]
    assert bound_of(more, slots) == 7


def test_a_slice_that_shares_hosts_with_nobody_costs_an_npu():
    """Resources alone would have all of them on two NPUs."""
    hosts = {f"h{n}": (BIG, 2, 1) for n in range(8)}
    items = [Item(f"i{n}", KINDS["quarter"], [f"h{n}", f"h{(n + 1) % 8}"]) for n in range(8)]
    slots = slots_of(hosts)
    assert sum(least(group) for group in groups(items, slots)) == 2
    assert bound_of(items, slots, 4) == 4 == fewest(items, slots)


def test_npus_of_one_and_of_two_chips_are_told_apart():
    items = [Item(f"i{n}", KINDS["half"], ["one"]) for n in range(2)]
    items += [Item(f"j{n}", KINDS["half"], ["two"]) for n in range(2)]
    items.append(Item("both", KINDS["half"], ["one", "two"]))
    slots = slots_of({"one": (SMALL, 4, 1), "two": (SMALL, 4, 2)})
    assert bound_of(items, slots) == 4 == fewest(items, slots)


def test_slices_that_name_different_npus_use_them():
    items = [Item(f"i{npu}", KINDS["quarter"], ["h"], npu) for npu in range(3)]
    assert bound_of(items, slots_of({"h": (BIG, 4, 1)})) == 3


def test_hosts_with_chips_of_two_families_are_left_to_the_other_bounds():
    slots = [*slots_of({"h": (BIG, 1, 1)}), Slot("h", 1, 0, SMALL, SMALL.capacity)]
    assert bound_of([Item("i", KINDS["half"], ["h"])], slots) == 0


def test_the_same_is_asked_the_same_way():
    items = list(
        itertools.chain.from_iterable(
            [Item(f"{kind}{n}", KINDS[kind], [f"h{n % 3}", f"h{(n + 1) % 3}"]) for n in range(5)] for kind in KINDS
        )
    )
    slots = slots_of({f"h{n}": (BIG, 4, 1) for n in range(3)})
    assert bound_of(items, slots) == bound_of(items, slots)


@pytest.mark.parametrize("sets", [0, 1000])
def test_the_second_chip_of_an_npu_in_use_costs_nothing_more(sets, monkeypatch):
    monkeypatch.setattr(prices, "MAX_SETS", sets)
    items = [Item("own", KINDS["half"], ["one"]), Item("free", KINDS["half"], ["one", "two"])]
    slots = slots_of({"one": (SMALL, 2, 2), "two": (SMALL, 2, 2)})
    assert bound_of(items, slots, 3) == 1 == fewest(items, slots)

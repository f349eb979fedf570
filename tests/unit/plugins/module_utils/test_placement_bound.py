# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of "fewest": never more than a plan that works, and exact where all cases can be tried."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils import _placement_bound as bound
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import COMPARED, TEMPLATES

KEYS = ("310p_24g", "910b_20c_32g", "910b_20c_64g", "910_30c")


def numbers(key):
    """(capacity, needs) of a published set; what is not known is not compared."""
    table = TEMPLATES[key]
    capacity = tuple(10**6 if getattr(table.capacity, r) is None else getattr(table.capacity, r) for r in COMPARED)
    return capacity, [tuple(getattr(template, r) or 0 for r in COMPARED) for template in table.templates]


@pytest.mark.parametrize("key", KEYS)
def test_patterns_fit_and_take_nothing_more(key):
    capacity, needs = numbers(key)
    cuts = bound.patterns(capacity, needs)
    assert len(set(cuts)) == len(cuts) > 2
    for cut in cuts:
        left = [c - sum(n * need[r] for n, need in zip(cut, needs)) for r, c in enumerate(capacity)]
        assert min(left) >= 0
        assert not any(bound.fits(need, left) for need in needs)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KEYS), st.data())
def test_a_plan_is_exactly_the_demand_and_not_below_its_bounds(key, data):
    capacity, needs = numbers(key)
    demand = tuple(data.draw(st.integers(0, 6)) for _need in needs)
    chips, least = bound.plan(demand, capacity, needs)
    assert tuple(map(sum, zip(*chips))) == demand if chips else not any(demand)
    for chip in chips:
        total = tuple(sum(n * need[r] for n, need in zip(chip, needs)) for r in range(len(capacity)))
        assert bound.fits(total, capacity)
    assert bound.volume(demand, needs, capacity) <= least <= len(chips)
    cuts = bound.patterns(capacity, needs)
    assert bound.ceil(bound.linear(demand, cuts, [1] * len(cuts))[0]) <= least


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KEYS), st.data())
def test_the_bound_of_hosts_is_not_above_what_they_need_apart(key, data):
    capacity, needs = numbers(key)
    few = st.tuples(*(st.integers(0, 2) for _need in needs))
    alone = data.draw(st.lists(few, min_size=1, max_size=3))
    movable = data.draw(few)
    least, _weights, shares = bound.chips_with_homes(movable, alone, capacity, 1, needs)
    apart = sum(len(bound.plan(own, capacity, needs)[0]) for own in [movable, *alone])
    assert least <= apart
    for own, parts in zip(alone, shares):
        assert parts is None or not any(own) or tuple(map(sum, zip(*parts))) == own

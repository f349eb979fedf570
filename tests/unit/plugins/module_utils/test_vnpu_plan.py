# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision which slices to destroy and to create: one table, and what holds of any wish on any machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import TEMPLATES, Capacity, fits, vnpu_ids
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_plan import (
    ChipState,
    Owned,
    Slice,
    Wish,
    is_ours,
    reconcile,
)

BIG, SMALL = "vir10_3c_32g", "vir05_1c_16g"


def chip(npu_id=6, slices=(), key="910b_20c_64g", chip_id=0, **more):
    kind = TEMPLATES[key]
    return ChipState(npu_id, chip_id, "910B4-1", kind.family, kind.templates, kind.capacity, tuple(slices), **more)


def owning(*chips, service=None):
    """An ownership file that has all slices of these chips."""
    return {(*one.key, piece.vnpu_id): Owned(piece.template, service) for one in chips for piece in one.slices}


def wishes(*names, **more):
    return tuple(Wish(name, **more) for name in names)


IDLE_PAIR = (Slice(196, BIG), Slice(197, BIG))
MIXED = (Slice(196, BIG), Slice(197, SMALL), Slice(198, SMALL))
ONE_USED = (Slice(196, BIG, in_use=True), Slice(197, BIG))
DUO = {"key": "310p_48g", "npu_id": 5}

# name: (chips, ours or not, wished by chip, state, steps as shown, vNPUs that stay)
DECISIONS = {
    "an empty chip is cut, large slices first": (
        [chip()], True, {(6, 0): wishes(SMALL, BIG, SMALL)}, "exact",
        [f"create {BIG} on NPU 6 chip 0", *[f"create {SMALL} on NPU 6 chip 0"] * 2], [],
    ),
    "what is as wished stays": ([chip(slices=IDLE_PAIR)], True, {(6, 0): wishes(BIG, BIG)}, "exact", [], [196, 197]),
    "others' slices do": ([chip(slices=IDLE_PAIR)], False, {(6, 0): wishes(BIG, BIG)}, "exact", [], [196, 197]),
    "only what differs is changed, destroyed first": (
        [chip(slices=IDLE_PAIR)], True, {(6, 0): wishes(BIG, SMALL, SMALL)}, "exact",
        [f"destroy vNPU 197 {BIG} on NPU 6 chip 0", *[f"create {SMALL} on NPU 6 chip 0"] * 2], [196],
    ),
    "the used one of two equal slices stays": (
        [chip(slices=(IDLE_PAIR[0], replace(IDLE_PAIR[1], in_use=True)))], True, {(6, 0): wishes(BIG)}, "exact",
        [f"destroy vNPU 196 {BIG} on NPU 6 chip 0"], [197],
    ),
    "the one that is meant by its id stays": (
        [chip(slices=IDLE_PAIR)], True, {(6, 0): wishes(BIG, vnpu_id=197)}, "exact",
        [f"destroy vNPU 196 {BIG} on NPU 6 chip 0"], [197],
    ),
    "memory asks for the smallest template": (
        [chip()], True, {(6, 0): (Wish(memory_gb=9), Wish(memory_gb=23))}, "exact",
        [f"create {BIG} on NPU 6 chip 0", f"create {SMALL} on NPU 6 chip 0"], [],
    ),
    "another template of that size fulfils it too": (
        [chip(slices=[Slice(100, "vir04")], key="310p_24g")], True, {(6, 0): (Wish(memory_gb=12),)}, "exact", [], [100],
    ),
    "unless the rest would not fit beside it": (
        [chip(slices=[Slice(100, "vir04")], key="310p_24g")], True,
        {(6, 0): (Wish(memory_gb=12), Wish("vir04"))}, "exact", ["create vir04_3c on NPU 6 chip 0"], [100],
    ),
    "present only adds": (
        [chip(slices=MIXED[1:])], True, {(6, 0): wishes(BIG)}, "present", [f"create {BIG} on NPU 6 chip 0"], [],
    ),
    "present counts what is there": ([chip(slices=MIXED)], True, {(6, 0): wishes(SMALL)}, "present", [], [197]),
    "present leaves other chips alone": ([chip(slices=MIXED)], True, {}, "present", [], []),
    "exact frees our slices on chips nobody names": (
        [chip(slices=MIXED[:1]), chip(7)], True, {(7, 0): wishes(BIG)}, "exact",
        [f"destroy vNPU 196 {BIG} on NPU 6 chip 0", f"create {BIG} on NPU 7 chip 0"], [],
    ),
    "but not those of others": ([chip(slices=ONE_USED)], False, {}, "exact", [], []),
    "exact takes our slices from a chip that is named with none": (
        [chip(slices=MIXED[:1])], True, {(6, 0): ()}, "exact", [f"destroy vNPU 196 {BIG} on NPU 6 chip 0"], [],
    ),
    "absent takes all of ours that are described": (
        [chip(slices=MIXED)], True, {(6, 0): wishes(SMALL)}, "absent",
        [f"destroy vNPU {number} {SMALL} on NPU 6 chip 0" for number in (197, 198)], [],
    ),
    "absent by memory": (
        [chip(slices=MIXED)], True, {(6, 0): (Wish(memory_gb=16),)}, "absent",
        [f"destroy vNPU {number} {SMALL} on NPU 6 chip 0" for number in (197, 198)], [],
    ),
    "absent leaves what is not ours": ([chip(slices=MIXED)], False, {(6, 0): wishes(SMALL)}, "absent", [], []),
    "unless it is named by its id": (
        [chip(slices=MIXED)], False, {(6, 0): wishes(SMALL, vnpu_id=198)}, "absent",
        [f"destroy vNPU 198 {SMALL} on NPU 6 chip 0"], [],
    ),
    "absent with an id that has another template now": (
        [chip(slices=MIXED)], True, {(6, 0): wishes(SMALL, vnpu_id=196)}, "absent", [], [],
    ),
    "absent without more takes all of the chip": (
        [chip(slices=MIXED[:2])], True, {(6, 0): (Wish(),)}, "absent",
        [f"destroy vNPU 196 {BIG} on NPU 6 chip 0", f"destroy vNPU 197 {SMALL} on NPU 6 chip 0"], [],
    ),
    "a dynamic slice that runs stays and counts": (
        [chip(slices=[Slice(196, BIG, in_use=True)])], False,
        {(6, 0): (Wish(BIG, dynamic=True), Wish(SMALL))}, "exact", [f"create {SMALL} on NPU 6 chip 0"], [196],
    ),
    "a dynamic slice that does not run is not created": (
        [chip()], True, {(6, 0): (Wish(BIG, dynamic=True), Wish(BIG))}, "exact", [f"create {BIG} on NPU 6 chip 0"], [],
    ),
    "m with nm": (
        [chip(key="910b_20c_32g")], True, {(6, 0): wishes("vir10_3c_16g_nm", "vir10_4c_16g_m")}, "exact",
        ["create vir10_4c_16g_m on NPU 6 chip 0", "create vir10_3c_16g_nm on NPU 6 chip 0"], [],
    ),
    "both chips of a Duo": (
        [chip(**DUO), chip(chip_id=1, **DUO)], True, {(5, 0): wishes("vir04"), (5, 1): wishes("vir04")}, "exact",
        ["create vir04 on NPU 5 chip 0", "create vir04 on NPU 5 chip 1"], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions(name):
    chips, ours, wanted, state, steps, stay = DECISIONS[name]
    plan = reconcile(wanted, chips, owning(*chips) if ours else {}, state)
    assert not plan.refusals
    assert [str(step) for step in plan.steps] == steps
    assert sorted(keep.vnpu_id for keep in plan.keeps) == stay


# name: (chips, ours or not, wished, state, what the sentence must contain)
REFUSALS = {
    "in use": ([chip(slices=ONE_USED)], True, {(6, 0): wishes(SMALL)}, "exact", ["vNPU 196", "in use", "Stop the"]),
    "in use, even if named": (
        [chip(slices=ONE_USED)], False, {(6, 0): wishes(BIG, vnpu_id=196)}, "absent", ["vNPU 196", "in use"],
    ),
    "not ours": ([chip(slices=IDLE_PAIR)], False, {(6, 0): wishes(BIG)}, "exact", ["197", "not created by this"]),
    "too much": (
        [chip()], True, {(6, 0): wishes(BIG, BIG, SMALL)}, "exact",
        [f"{SMALL} + {BIG} + {BIG} does not fit", "aicore 25 of 20", "another chip"],
    ),
    "too much beside what is there": (
        [chip(slices=IDLE_PAIR)], False, {(6, 0): wishes(SMALL)}, "present", [f"beside {BIG} + {BIG}", "aicore 25"],
    ),
    "too much beside what is kept free": (
        [chip()], True, {(6, 0): (Wish(BIG, dynamic=True), *wishes(BIG, SMALL))}, "exact", [f"with {BIG} kept free"],
    ),
    "less is free than the list of slices tells": (
        [chip(free={"aicore": 5})], True, {(6, 0): wishes(BIG)}, "exact", ["aicore 10 of 5"],
    ),
    "two m": (
        [chip(key="910b_20c_32g")], True, {(6, 0): wishes("vir10_4c_16g_m", "vir10_3c_16g")}, "exact", ["vpc 13 of 9"],
    ),
    "unknown template": ([chip()], True, {(6, 0): wishes("vir01")}, "present", ["vir01 is unknown", BIG, SMALL]),
    "too much memory": ([chip()], True, {(6, 0): (Wish(memory_gb=33),)}, "exact", ["no template has 33 GB", "has 32"]),
    "neither template nor memory": ([chip()], True, {(6, 0): (Wish(),)}, "present", ["without template"]),
    "no such chip": ([chip()], True, {(9, 0): wishes(BIG)}, "present", ["NPU 9 chip 0", "has NPU 6 chip 0"]),
    "a process holds the chip": (
        [chip(holders=("process 4711 (python3)",))], True, {(6, 0): wishes(BIG)}, "present",
        ["NPU 6 chip 0", "held by process 4711 (python3)", "Stop that first"],
    ),
    "unsupported": (
        [replace(chip(), family=None, templates=(), unsupported="slices are not for a 310B")], True,
        {(6, 0): wishes(BIG)}, "exact", ["slices are not for a 310B", "whole NPUs"],
    ),
    "half a Duo": (
        [chip(**DUO), chip(chip_id=1, **DUO)], True, {(5, 0): wishes("vir04")}, "exact",
        ["NPU 5 chip 1", "chip 0 of the same card is split", "each of the two chips"],
    ),
    "unknown neighbour": (
        [chip(slices=[Slice(196, "vir05_2c_16g")])], True, {(6, 0): wishes(SMALL)}, "present", ["vir05_2c_16g", "196"],
    ),
    "vir01 in groups of their own": (
        [chip(key="310p_24g", slices=[Slice(100 + n, "vir01", vgroup_id=n) for n in range(4)])], True,
        {(6, 0): wishes("vir02")}, "present", ["aicore in vGroups 10 of 8"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    chips, ours, wanted, state, words = REFUSALS[name]
    plan = reconcile(wanted, chips, owning(*chips) if ours else {}, state)
    sentences = " ".join(str(refusal) for refusal in plan.refusals)
    assert sentences
    assert [word for word in words if word not in sentences] == []


def test_a_held_chip_that_needs_no_change_is_no_obstacle():
    held = chip(slices=IDLE_PAIR, holders=("process 1 (x)",))
    assert not reconcile({(6, 0): wishes(BIG, BIG)}, [held], owning(held), "exact").refusals


def test_a_new_vir01_joins_the_one_that_has_half_a_group():
    pieces = [Slice(100, "vir04_3c", vgroup_id=0), Slice(101, "vir02", vgroup_id=1), Slice(102, "vir01", vgroup_id=2)]
    assert not reconcile(
        {(6, 0): wishes("vir01", "vir01")}, [chip(slices=pieces, key="310p_24g")], {}, "present"
    ).refusals


def test_services_keep_their_slices():
    found = chip(slices=IDLE_PAIR)
    owned = {(6, 0, 196): Owned(BIG, "one"), (6, 0, 197): Owned(BIG, "two")}
    wanted = {(6, 0): (Wish(BIG, service="two"), Wish(BIG, service="three"))}
    plan = reconcile(wanted, [found], owned, "exact")
    assert {keep.vnpu_id: keep.service for keep in plan.keeps} == {197: "two", 196: "three"}


def test_what_stays_though_it_looks_like_what_shall_go_is_told():
    plan = reconcile({(6, 0): wishes(BIG)}, [chip(slices=IDLE_PAIR[:1])], {}, "absent")
    assert len(plan.notes) == 1 and "vNPU 196" in plan.notes[0]


# ---- any wish on any machine


@st.composite
def carried(draw, kind, capacity=None):
    """Names of templates that one chip of this kind can carry at the same time."""
    names: list = []
    for name in draw(st.lists(st.sampled_from(sorted(kind.by_name)), max_size=9)):
        if fits([kind.by_name[other] for other in [*names, name]], capacity or kind.capacity):
            names.append(name)
    return names


@st.composite
def worlds(draw):
    """(chips, owned, wanted that fits) of one machine; single 310P chips, whose vGroups are not printed."""
    kind = TEMPLATES[draw(st.sampled_from(sorted(TEMPLATES)))]
    chips, owned, wanted = [], {}, {}
    for npu_id in range(draw(st.integers(1, 3))):
        ids = iter(vnpu_ids(npu_id, kind.family))
        slices = [Slice(next(ids), name, draw(st.booleans())) for name in draw(carried(kind))[:8]]
        one = chip(npu_id, slices, kind.key)
        chips.append(one)
        owned.update({key: entry for key, entry in owning(one).items() if draw(st.booleans())})
        if draw(st.booleans()):
            wanted[one.key] = wishes(*draw(carried(kind)))
    return chips, owned, wanted


def after(chips, owned, steps):
    """The machine and the ownership file once the steps are done; every prefix must fit, every step make sense."""
    state = {one.key: one for one in chips}
    owned = dict(owned)
    for step in steps:
        key = (step.npu_id, step.chip_id)
        one = state[key]
        if step.action == "destroy":
            gone = next(piece for piece in one.slices if piece.vnpu_id == step.vnpu_id)
            assert not gone.in_use
            owned.pop((*key, gone.vnpu_id), None)
            slices = tuple(piece for piece in one.slices if piece != gone)
        else:
            number = next(n for n in range(100, 10**6) if n not in {piece.vnpu_id for piece in one.slices})
            owned[(*key, number)] = Owned(step.template, step.service)
            slices = (*one.slices, Slice(number, step.template))
        state[key] = replace(one, slices=slices)
        assert fits([one.template(piece.template) for piece in slices], one.capacity)
    return list(state.values()), owned


def counts(pieces):
    return Counter(piece.template for piece in pieces)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from(["present", "exact", "absent"]))
def test_a_plan_is_safe_and_done_once(world, state):
    chips, owned, wanted = world
    plan = reconcile(wanted, chips, owned, state)
    by_key = {one.key: one for one in chips}
    if plan.refusals:
        return
    for step in plan.steps:
        if step.action == "destroy":
            one = by_key[(step.npu_id, step.chip_id)]
            assert is_ours(one, next(piece for piece in one.slices if piece.vnpu_id == step.vnpu_id), owned)
    for key in by_key:
        actions = [step.action for step in plan.steps if (step.npu_id, step.chip_id) == key]
        assert actions == sorted(actions, reverse=True)  # destroy, then create
    again = reconcile(wanted, *after(chips, owned, plan.steps), state)
    assert (again.steps, again.refusals) == ((), ())


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_exact_takes_the_fewest_steps(world):
    chips, owned, wanted = world
    plan = reconcile(wanted, chips, owned, "exact")
    for one in chips:
        steps = [step for step in plan.steps if (step.npu_id, step.chip_id) == one.key]
        there = counts(one.slices)
        if one.key in wanted:
            asked = counts(wanted[one.key])
            assert len(steps) == sum((there - asked).values()) + sum((asked - there).values())
        else:
            assert len(steps) == sum(is_ours(one, piece, owned) for piece in one.slices)


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_an_export_is_a_wish_that_holds(world):
    chips, owned, _wanted = world
    export = {one.key: tuple(Wish(piece.template, vnpu_id=piece.vnpu_id) for piece in one.slices) for one in chips}
    plan = reconcile(export, chips, owned, "exact")
    assert (plan.steps, plan.refusals) == ((), ())
    assert {(keep.npu_id, keep.vnpu_id) for keep in plan.keeps} == {
        (one.npu_id, piece.vnpu_id) for one in chips for piece in one.slices
    }


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_a_wish_that_fits_is_refused_only_for_what_may_not_be_destroyed(world):
    chips, owned, wanted = world
    for refusal in reconcile(wanted, chips, owned, "exact").refusals:
        assert "would have to be destroyed" in refusal.problem


def test_a_chip_without_known_limits_is_left_to_the_tool():
    free = replace(chip(), capacity=Capacity())
    assert not reconcile({(6, 0): wishes(BIG, BIG, BIG)}, [free], {}, "exact").refusals

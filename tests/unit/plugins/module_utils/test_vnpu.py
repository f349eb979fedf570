# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of templates and the arithmetic of what fits a chip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils import _vnpu
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import TEMPLATES, Capacity

# The figure "combinations of virtual instances" of MindCluster, in its numbering.
OFFICIAL_310P = [
    {"vir04": 1, "vir04_3c": 1},
    {"vir04": 1, "vir02": 1, "vir02_1c": 1},
    {"vir04": 1, "vir02_1c": 1, "vir01": 2},
    {"vir04_3c": 1, "vir02": 2},
    {"vir04_3c": 1, "vir02": 1, "vir01": 2},
    {"vir04_3c": 1, "vir01": 4},
    {"vir02": 3, "vir02_1c": 1},
    {"vir02": 2, "vir02_1c": 1, "vir01": 2},
    {"vir02": 1, "vir02_1c": 1, "vir01": 4},
    {"vir02_1c": 1, "vir01": 6},
    {"vir04_4c_dvpp": 1, "vir04_3c_ndvpp": 1},
    {"vir04": 1, "vir04_3c_ndvpp": 1},
    {"vir04_3c_ndvpp": 1, "vir02": 2},
    {"vir04_3c_ndvpp": 1, "vir02": 1, "vir01": 2},
    {"vir04_3c_ndvpp": 1, "vir01": 4},
]
# Feasible, though not in the figure: they waste a core or an AICPU.
WASTEFUL_310P = [
    {"vir01": 7},
    {"vir04_3c": 2},
    {"vir04_3c": 1, "vir04_3c_ndvpp": 1},
    {"vir04_3c_ndvpp": 2},
    {"vir02_1c": 4},
    {"vir02": 2, "vir02_1c": 2},
    {"vir02": 3, "vir01": 1},
    {"vir04": 1, "vir02": 1, "vir01": 1},
]


def combinations(*counts):
    return {tuple(sorted(count.items())) for count in counts}


def slices(key, **counts):
    return [TEMPLATES[key].by_name[name] for name, count in counts.items() for _each in range(count)]


@pytest.mark.parametrize("key", ["310p_24g", "310p_48g"])
def test_the_official_combinations_of_a_310p_are_exactly_the_full_sets(key):
    chip = TEMPLATES[key]
    assert _vnpu.full_sets(chip.templates, chip.capacity) == combinations(*OFFICIAL_310P)
    wasteful = _vnpu.maximal_sets(chip.templates, chip.capacity) - combinations(*OFFICIAL_310P)
    assert wasteful >= combinations(*(count for count in WASTEFUL_310P))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("910b_20c_64g", [{"vir10_3c_32g": 2}, {"vir10_3c_32g": 1, "vir05_1c_16g": 2}, {"vir05_1c_16g": 4}]),
        (
            "910b_20c_32g",
            [
                {"vir10_3c_16g": 2},
                {"vir10_3c_16g": 1, "vir05_1c_8g": 2},
                {"vir05_1c_8g": 4},
                {"vir10_4c_16g_m": 1, "vir10_3c_16g_nm": 1},
                {"vir10_3c_16g": 1, "vir10_3c_16g_nm": 1},
                {"vir10_3c_16g_nm": 1, "vir05_1c_8g": 2},
                {"vir10_3c_16g_nm": 2},
            ],
        ),
        ("910b_24c_64g", [{"vir12_3c_32g": 2}, {"vir12_3c_32g": 1, "vir06_1c_16g": 2}, {"vir06_1c_16g": 4}]),
        ("a3_20c", [{"vir10_3c_32g": 2}, {"vir10_3c_32g": 1, "vir05_1c_16g": 2}, {"vir05_1c_16g": 4}]),
        ("a3_24c", [{"vir12_3c_32g": 2}, {"vir12_3c_32g": 1, "vir06_1c_16g": 2}, {"vir06_1c_16g": 4}]),
    ],
)
def test_maximal_sets(key, expected):
    assert _vnpu.maximal_sets(TEMPLATES[key].templates, TEMPLATES[key].capacity) == combinations(*expected)


@pytest.mark.parametrize(
    ("key", "counts", "lacking"),
    [
        ("910_30c", {"vir16": 1, "vir08": 1, "vir04": 1, "vir02": 1}, []),
        ("910_30c", {"vir02": 15}, []),
        ("910_30c", {"vir16": 2}, [("aicore", 32, 30)]),
        ("910_32c", {"vir16": 2}, []),
        ("910_32c", {"vir02": 16}, []),
        ("310p_24g", {"vir04": 2}, [("aicpu", 8, 7), ("venc", 4, 3)]),
        ("310p_24g", {"vir04_4c_dvpp": 1, "vir04_3c": 1}, ["vpc", "venc", "vdec", "jpegd", "jpege"]),
        ("310p_48g", {"vir04": 1, "vir04_3c": 1}, []),
        ("910b_20c_32g", {"vir10_4c_16g_m": 1, "vir10_3c_16g": 1}, ["vpc", "vdec", "jpegd", "jpege"]),
        ("910b_20c_32g", {"vir10_4c_16g_m": 2}, ["aicpu", "vpc", "vdec", "jpegd", "jpege"]),
        ("910b_20c_64g", {"vir05_1c_16g": 5}, [("aicore", 25, 20), ("vpc", 10, 9), ("jpegd", 30, 24), ("jpege", 5, 4)]),
    ],
)
def test_what_does_not_fit_is_named(key, counts, lacking):
    found = _vnpu.shortfalls(slices(key, **counts), TEMPLATES[key].capacity)
    assert [entry if isinstance(want, tuple) else entry[0] for entry, want in zip(found, lacking)] == lacking
    assert len(found) == len(lacking)
    assert _vnpu.fits(slices(key, **counts), TEMPLATES[key].capacity) is (not lacking)


@pytest.mark.parametrize(
    ("name", "memory_mb", "aicore", "key"),
    [
        ("910B4", 32768, None, "910b_20c_32g"),
        ("910B4-1", 65536, None, "910b_20c_64g"),
        ("Ascend 910B3", 65536, 20, "910b_20c_64g"),
        ("910B2C", 65536, None, "910b_24c_64g"),
        ("Ascend910B1", None, None, "910b_24c_64g"),
        ("310P3", 21527, None, "310p_24g"),
        ("310P3", 44280, 8, "310p_48g"),
        ("310P3", None, None, None),
        ("910A", 32768, 32, "910_32c"),
        ("910ProB", 32768, None, "910_30c"),
        ("910A", 15038, 32, "910_32c_16g"),
        ("Ascend910", 65536, 20, "a3_20c"),
        ("Ascend910", 65536, 24, "a3_24c"),
        ("Ascend910", 65536, None, None),
        ("310B4", 15609, None, None),
        ("310", 8192, None, None),
        ("Ascend950PR", 114688, None, None),
        ("310Pvir01", 3072, 1, None),
        ("H100", 81920, None, None),
    ],
)
def test_the_set_of_a_chip(name, memory_mb, aicore, key):
    assert _vnpu.template_set(name, memory_mb, aicore) is TEMPLATES.get(key)


@pytest.mark.parametrize(
    ("key", "memory_gb", "name"),
    [
        ("910b_20c_64g", 23, "vir10_3c_32g"),
        ("910b_20c_64g", 16, "vir05_1c_16g"),
        ("910b_20c_64g", 0.5, "vir05_1c_16g"),
        ("910b_20c_64g", 33, None),
        ("910b_20c_32g", 9, "vir10_3c_16g"),
        ("310p_24g", 4, "vir02_1c"),
        ("310p_24g", 7, "vir04_3c"),
        ("310p_48g", 6, "vir01"),
        ("910_32c_16g", 8, "vir16"),
    ],
)
def test_choose_the_smallest(key, memory_gb, name):
    chosen = _vnpu.choose(memory_gb, TEMPLATES[key].templates)
    assert (chosen.name if chosen else None) == name


@pytest.mark.parametrize(
    ("phy_id", "family", "first", "last"),
    [(0, "A2", 100, 115), (6, "A2", 196, 211), (7, "310P", 212, 219), (7, "910", 212, 227), (0, "310P", 100, 107)],
)
def test_vnpu_ids(phy_id, family, first, last):
    ids = _vnpu.vnpu_ids(phy_id, family)
    assert (ids[0], ids[-1]) == (first, last)
    assert {_vnpu.phy_id_of(number) for number in ids} == {phy_id}


@given(st.integers(0, 63), st.integers(0, 63), st.sampled_from(["910", "310P", "A2", "A3"]))
def test_ranges_of_two_chips_never_meet(one, other, family):
    assert one == other or not set(_vnpu.vnpu_ids(one, family)) & set(_vnpu.vnpu_ids(other, family))


def test_capacity_is_what_the_machine_prints():
    printed = {"aicore": (10, 20), "memory_gb": (28, 32), "aicpu": (3, 7), "vpc": (5, 9), "pngd": (None, None)}
    assert _vnpu.capacity_of(printed) == Capacity(20, 32, 7, 9)


def test_a_chip_gets_its_last_aicpu_with_the_first_slice():
    uncut = {"aicore": (20, 20), "aicpu": (6, 6), "vpc": (8, 8)}
    capacity = _vnpu.capacity_of(uncut, TEMPLATES["910b_20c_32g"].capacity)
    assert (capacity.aicore, capacity.aicpu, capacity.vpc, capacity.jpegd) == (20, 7, 8, 24)
    pair = slices("910b_20c_32g", vir10_4c_16g_m=1, vir10_3c_16g_nm=1)
    assert not _vnpu.shortfalls(pair, _vnpu.capacity_of({"aicpu": (6, 6)}, TEMPLATES["910b_20c_32g"].capacity))
    assert _vnpu.capacity_of({"aicore": (10, 20), "aicpu": (2, 6)}, TEMPLATES["910b_20c_32g"].capacity).aicpu == 6


def test_an_aicpu_count_that_cannot_be_queried_limits_nothing():
    assert _vnpu.capacity_of({"aicore": (30, 30), "aicpu": (65535, 65535)}).aicpu is None


def test_differences_between_machine_and_table():
    table = TEMPLATES["910b_20c_64g"].templates
    assert _vnpu.differences(table, table) == ()
    machine = [dict(table[0].to_dict(), aicpu=4, pngd=0), TEMPLATES["910b_20c_32g"].by_name["vir05_1c_8g"]]
    assert _vnpu.differences(machine, table) == (
        "template vir05_1c_8g is printed by the machine but not published",
        "template vir05_1c_16g is published but not printed by the machine",
        "template vir10_3c_32g has aicpu 4 on the machine, 3 is published",
    )


@given(st.data())
def test_taking_a_slice_away_never_makes_a_set_unfit(data):
    chip = data.draw(st.sampled_from(sorted(TEMPLATES.values(), key=lambda entry: entry.key)))
    chosen = data.draw(st.lists(st.sampled_from(chip.templates), max_size=8))
    if _vnpu.fits(chosen, chip.capacity):
        assert all(_vnpu.fits(chosen[:at] + chosen[at + 1 :], chip.capacity) for at in range(len(chosen)))

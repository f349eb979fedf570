# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends to whom, and what is said of the results."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _roce_fleet_bandwidth as bandwidth
from ansible_collections.npuops.ascend.plugins.module_utils._roce_bandwidth import bandwidth_steps
from ansible_collections.npuops.ascend.plugins.module_utils._roce_plan import Npu, PlanError


def fleet(count, npus=2, without=()):
    return {
        f"n{number:02}": [
            Npu(phy_id, None if (number, phy_id) in without else f"10.0.{number}.{phy_id}") for phy_id in range(npus)
        ]
        for number in range(count)
    }


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("at_once", [0, 2, 5])
def test_each_npu_sends_once_and_receives_once(count, at_once):
    steps = list(bandwidth_steps(fleet(count), None, at_once))
    sides = [(host, test["phy_id"], test["role"]) for step in steps for host, tests in step.items() for test in tests]
    assert sorted(sides) == sorted(
        (host, phy_id, role) for host in fleet(count) for phy_id in (0, 1) for role in ("receiver", "sender")
    )
    for step in steps:
        assert len(step) <= (at_once or count)
        for host, tests in step.items():
            assert len({test["phy_id"] for test in tests}) == len(tests)  # one test at a time
            for test in tests:
                other = next(t for t in step[test["peer"]] if t["phy_id"] == test["peer_phy_id"])
                assert (other["peer"], other["peer_phy_id"]) == (host, test["phy_id"])
                assert {other["role"], test["role"]} == {"sender", "receiver"}
                receiver = host if test["role"] == "receiver" else test["peer"]
                assert test["address"] == f"10.0.{int(receiver[1:])}.{test['phy_id']}" == other["address"]
    if not at_once:
        assert len(steps) == (2 if count % 2 == 0 else 3)


def test_fleets_in_which_nobody_has_a_partner():
    assert list(bandwidth_steps({}, None)) == []
    assert list(bandwidth_steps(fleet(1), None)) == []
    assert list(bandwidth_steps(fleet(2, without={(0, 0), (1, 1)}), None)) == []
    with pytest.raises(PlanError, match="2 forks"):
        bandwidth_steps(fleet(2), None, 1)


def test_groups_stay_apart_and_dead_pairs_are_left_out():
    steps = list(bandwidth_steps(fleet(4, 1), [["n00", "n01"], ["n02", "n03"]]))
    assert {(host, test["peer"]) for step in steps for host, tests in step.items() for test in tests} == {
        ("n00", "n01"),
        ("n01", "n00"),
        ("n02", "n03"),
        ("n03", "n02"),
    }
    dead = {frozenset({("n00", 1), ("n01", 1)})}
    steps = list(bandwidth_steps(fleet(2), None, 0, dead))
    assert {test["phy_id"] for step in steps for tests in step.values() for test in tests} == {0}


def results(figures, count=3):
    """Results as hccn_check gives them; figures: {(sender, phy_id): Gbit/s or an error}."""
    found = {}
    for step in bandwidth_steps(fleet(count), None):
        for host, tests in step.items():
            for test in tests:
                sender = host if test["role"] == "sender" else test["peer"]
                figure = figures.get((sender, test["phy_id"]), 195.0)
                known = isinstance(figure, float)
                result = {"gbits": figure if known else None, "error": None if known else figure, "remedy": "do it"}
                found.setdefault(host, []).append({**test, **result})
    return found


NPUS = {(host, phy_id): {"speed_mbps": 200000} for host in fleet(3) for phy_id in (0, 1)}


def test_a_fleet_that_is_fast_enough():
    rows = bandwidth.tests_of(results({}), NPUS, 0.8)
    assert [row["verdict"] for row in rows] == ["pass"] * 6
    assert list(bandwidth.judge_tests(rows, 0.8)) == []
    assert bandwidth.bandwidth_words(rows).startswith("bandwidth: 6 of 6 tests, median 195.0 Gbit/s, least 195.0")


def test_an_npu_that_is_slow_both_ways_is_named_once():
    rows = bandwidth.tests_of(results({("n00", 1): 90.0, ("n01", 1): 100.0}), NPUS, 0.8)
    [finding] = bandwidth.judge_tests(rows, 0.8)
    assert (finding.host, finding.phy_ids, finding.severity) == ("n01", [1], "warn")
    assert "only 90.0 Gbit/s pass between it and phy id 1 of n00, phy id 1 of n02, 45 %" in finding.problem
    assert "least 90.0 Gbit/s (phy id 1 of n00 to phy id 1 of n01)" in bandwidth.bandwidth_words(rows)


def test_a_slow_port_is_measured_against_its_own_speed():
    npus = {**NPUS, ("n01", 1): {"speed_mbps": 100000}}
    rows = bandwidth.tests_of(results({("n00", 1): 97.0, ("n01", 1): 97.0}), npus, 0.8)
    assert list(bandwidth.judge_tests(rows, 0.8)) == []


def test_a_test_without_result_is_named_once_with_both_ends():
    rows = bandwidth.tests_of(results({("n02", 0): "no result within 60 s"}), NPUS, 0.8)
    [finding] = bandwidth.judge_tests(rows, 0.8)
    assert (finding.host, finding.phy_ids, finding.severity) == ("n02", [0], "fail")
    assert finding.peers == [("n00", 0)]
    assert finding.sentence() == (
        "n02: phy id 0: bandwidth to phy id 0 of n00 could not be measured: no result within 60 s; do it."
    )

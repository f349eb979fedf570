# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ping plan: what every schedule must keep, on any fleet, and how many rounds it may take."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils import _roce_plan
from ansible_collections.npuops.ascend.plugins.module_utils._roce_plan import Npu, PlanError, from_dict, plan


def fleet(count, npus=8):
    return {f"node{n:03}": [Npu(p, f"10.{n // 256}.{n % 256}.{10 + p}") for p in range(npus)] for n in range(count)}


@st.composite
def fleets(draw):
    """Nodes with any set of phy ids, of which some have no address."""
    nodes = {}
    for n in range(draw(st.integers(0, 9))):
        ids = draw(st.sets(st.integers(0, 7), max_size=8))
        nodes[f"n{n}"] = [Npu(p, None if draw(st.integers(0, 9)) == 0 else f"10.0.{n}.{p + 1}") for p in sorted(ids)]
    return nodes


def groups_of(nodes):
    return st.one_of(st.none(), st.lists(st.lists(st.sampled_from(sorted(nodes)), max_size=5), max_size=4))


def wanted(nodes, mode, groups):
    """Every pair that the mode means, written down from its definition."""
    pairs = set()
    for group in _roce_plan.merge_groups(groups, nodes):
        ends = [(host, npu.phy_id) for host in group for npu in nodes[host] if npu.address]
        for a, b in itertools.combinations(ends, 2):
            if a[0] != b[0] and (mode == "full" or a[1] == b[1]):
                pairs.add(frozenset((a, b)))
    if mode != "ring":
        return pairs
    pairs = set()
    for group in _roce_plan.merge_groups(groups, nodes):
        for phy_id in range(8):
            ring = [host for host in group if any(npu.address and npu.phy_id == phy_id for npu in nodes[host])]
            for a, b in zip(ring, ring[1:] + ring[:1]):
                if a != b:
                    pairs.add(frozenset(((a, phy_id), (b, phy_id))))
    return pairs


@given(data=st.data(), nodes=fleets(), mode=st.sampled_from(_roce_plan.MODES))
@settings(max_examples=200, deadline=None)
def test_every_pair_once_and_one_peer_at_a_time(data, nodes, mode):
    groups = data.draw(groups_of(nodes)) if nodes else None
    made = plan(nodes, mode, groups)
    pings = {}
    tried = Counter()
    for host in nodes:
        for ping in made.pings_of(host):
            end, peer = (host, ping["phy_id"]), (ping["peer"], ping["peer_phy_id"])
            assert (end, ping["round"]) not in pings, "two peers in one round"
            pings[end, ping["round"]] = peer
            tried[frozenset((end, peer))] += 1
            assert 0 <= ping["round"] < made.rounds
            assert Npu(ping["peer_phy_id"], ping["address"]) in nodes[ping["peer"]], "not the peer's address"
    assert all(pings[peer, turn] == end for (end, turn), peer in pings.items()), "the peer talks to another one"
    assert set(tried) == wanted(nodes, mode, groups) and set(tried.values()) <= {2}
    assert made.pairs == len(tried) and made.pings == len(pings)
    each = [(turn, frozenset(((a, i), (b, j)))) for turn, a, i, b, j in made.each_pair()]
    assert len(each) == made.pairs
    assert all(pings[tuple(pair)[0], turn] == tuple(pair)[1] for turn, pair in each)
    assert made.bound <= made.rounds or not made.pairs
    silent = {(npu.host, npu.phy_id) for npu in made.skipped}
    assert silent == {(host, npu.phy_id) for host, npus in nodes.items() for npu in npus if not npu.address}


@given(nodes=fleets(), mode=st.sampled_from(_roce_plan.MODES))
@settings(max_examples=50, deadline=None)
def test_a_plan_survives_json_and_any_order(nodes, mode):
    made = plan(nodes, mode)
    read = from_dict(json.loads(json.dumps(made.to_dict())))
    turned = plan({host: nodes[host][::-1] for host in reversed(list(nodes))}, mode)
    for host in nodes:
        assert made.pings_of(host) == read.pings_of(host) == turned.pings_of(host)


@given(count=st.integers(2, 20), npus=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_rounds_are_at_the_bound(count, npus):
    nodes = fleet(count, npus)
    odd = count % 2
    rail, ring, full = (plan(nodes, mode) for mode in ("rail", "ring", "full"))
    assert rail.rounds == rail.bound == (count if odd else count - 1)
    assert ring.rounds == (1 if count == 2 else 3 if odd else 2)
    # An odd number of nodes costs nothing more when their NPUs can be halved.
    assert full.rounds <= (count if odd else count - 1) * npus
    if not odd or npus % 2 == 0:
        assert full.rounds == full.bound == (count - 1) * npus


def test_groups_share_the_rounds():
    nodes = fleet(8, 2)
    names = sorted(nodes)
    two = plan(nodes, "rail", [names[:4], names[4:]])
    assert (two.rounds, two.pairs) == (3, 2 * 6 * 2)
    joined = plan(nodes, "rail", [names[:4], names[3:], ["not-there"]])
    assert joined.groups == [names] and joined.rounds == 7


def test_who_has_no_peer_is_named():
    nodes = dict(fleet(2, 2), lone=[Npu(5, "10.9.9.9")])
    made = plan(nodes, "rail")
    assert [(npu.host, npu.phy_id) for npu in made.alone] == [("lone", 5)]
    assert "rail" in made.alone[0].why
    assert plan(nodes, "full").alone == []
    assert plan({}, "full").rounds == 0 and plan(fleet(1), "auto").pairs == 0


@pytest.mark.parametrize(
    ("count", "npus", "mode"),
    [
        (2, 8, "full"),
        (4, 8, "full"),
        (3, 16, "full"),
        (5, 8, "full"),
        (6, 8, "rail"),
        (4, 16, "rail"),
        (64, 8, "rail"),
        (65, 8, "ring"),
    ],
)
def test_auto_goes_by_rounds(count, npus, mode):
    assert plan(fleet(count, npus), "auto").mode == mode


def test_refusals_say_what_to_do():
    with pytest.raises(PlanError, match="takes 16744448 pings in 4088 rounds.*use rail or ring"):
        plan(fleet(512), "full")
    with pytest.raises(PlanError, match="use auto, full, rail, ring"):
        plan(fleet(2), "all")
    with pytest.raises(PlanError, match="node000: an NPU is named twice"):
        plan({"node000": [Npu(0, "10.0.0.1"), Npu(0, "10.0.0.2")]})
    for wrong in ({}, {"mode": "full", "groups": [], "nodes": 3}, {"mode": "star", "groups": [], "nodes": {}}):
        with pytest.raises(PlanError, match="not a plan"):
            from_dict(wrong)


def test_512_nodes_take_no_time_to_plan():
    started = time.process_time()
    made = plan(fleet(512), "rail")
    assert (made.rounds, made.bound, made.pings) == (511, 511, 2 * 8 * 512 * 511 // 2)
    assert len(made.pings_of("node300")) == 511 * 8
    assert time.process_time() - started < 1

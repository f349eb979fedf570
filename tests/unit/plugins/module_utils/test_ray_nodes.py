# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._ray_nodes import census, missing


def node(address, npus=8, alive=True, free=None):
    return {"address": address, "npus": npus, "npus_free": npus if free is None else free, "alive": alive}


@pytest.mark.parametrize(
    ("nodes", "expected", "words"),
    [
        ([], {}, []),
        ([node("a"), node("b")], {"a": 8, "b": 8}, []),
        ([node("a")], {"a": 8, "b": 8}, ["node b has not joined"]),
        ([node("a"), node("b", alive=False)], {"a": 8, "b": 8}, ["node b has not joined"]),
        # A node that came back has a new entry beside the dead one.
        ([node("a"), node("b", alive=False), node("b")], {"a": 8, "b": 8}, []),
        ([node("a"), node("b", npus=7)], {"a": 8, "b": 8}, ["node b brings 7 NPUs instead of 8"]),
        ([node("a", npus=16)], {"a": 8}, ["node a brings 16 NPUs instead of 8"]),
        ([node("a"), node("stranger")], {"a": 8}, []),
    ],
)
def test_what_is_missing(nodes, expected, words):
    assert missing(nodes, expected) == words


def test_before_a_server_starts_the_npus_must_be_free():
    nodes = [node("a"), node("b", free=2)]
    assert missing(nodes, {"a": 8, "b": 8}) == []
    assert missing(nodes, {"a": 8, "b": 8}, idle=True) == ["node b has 6 NPUs reserved by another server"]


def test_a_node_says_which_npu_it_joins_without():
    sick = {**node("b", npus=7), "critical": [3]}
    assert missing([node("a"), sick], {"a": 8, "b": 8}, idle=True) == [
        "node b brings 7 NPUs instead of 8: NPU 3 of it is Critical"
    ]


def test_a_node_that_is_there_twice_is_not_a_node_with_all_its_npus():
    assert missing([node("a", npus=4), node("a", npus=4)], {"a": 8}) == ["node a is in the cluster 2 times"]


@pytest.mark.parametrize(
    ("nodes", "expected", "found"),
    [
        ([node("a")], {"a": 8}, {}),
        ([node("a"), node("b", alive=False)], {"a": 8, "b": 8}, {"dead": ["b"]}),
        # Ray keeps the entry of a life that ended; the node itself is back.
        ([node("a"), node("b", alive=False), node("b")], {"a": 8, "b": 8}, {"stale": 1}),
        ([node("a"), node("b"), node("b")], {"a": 8, "b": 8}, {"duplicates": ["b"]}),
        ([node("a"), node("c")], {"a": 8}, {"unexpected": ["c"]}),
        ([node("a"), node("c")], {}, {}),
    ],
)
def test_the_census(nodes, expected, found):
    assert census(nodes, expected) == {"dead": [], "stale": 0, "duplicates": [], "unexpected": [], **found}

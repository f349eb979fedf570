# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.filter.ray_firewall import ray_firewall
from ansible_collections.npuops.ascend.plugins.module_utils._placement_ports import ray_ports
from ansible_collections.npuops.ascend.plugins.module_utils._ports import ranges
from ansible_collections.npuops.ascend.plugins.module_utils._ray_versions import differences, has_tokens


def image(ray="2.48.0", python="3.11.13", image_id="sha256:aa"):
    return {"image": "vllm:1", "image_id": image_id, "ray": ray, "python": python}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({}, []),
        ({"a": image(), "b": image(image_id="sha256:bb")}, []),
        ({"a": image(), "b": image(ray="2.60.0", image_id="sha256:bb")}, ["b has Ray 2.60.0 and a has 2.48.0"]),
        ({"a": image(), "b": image(python="3.12.1")}, ["b has Python 3.12.1 and a has 3.11.13"]),
        ({"a": image(), "b": image("2.60.0", "3.12.1")}, ["b has Ray 2.60.0", "b has Python 3.12.1"]),
        ({"a": image(), "b": image(ray=None)}, ["b: there is no Ray in image vllm:1"]),
        # In check mode an image may only be about to be pulled.
        ({"a": image(), "b": {"ray": None, "python": None}, "c": {}}, []),
    ],
)
def test_nodes_that_cannot_be_in_one_cluster(nodes, words):
    found = differences(nodes)
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found))


def test_both_images_are_named():
    (sentence,) = differences({"a": image(), "b": image(ray="2.60.0", image_id="sha256:bb")})
    assert "sha256:aa" in sentence and "sha256:bb" in sentence


@pytest.mark.parametrize(
    ("version", "known"), [("2.48.0", False), ("2.52.0", True), ("2.52.0rc1", True), ("3.0", True), (None, False)]
)
def test_which_ray_asks_for_a_token(version, known):
    assert has_tokens(version) is known


def test_ports_as_firewalls_take_them():
    assert ranges([5, 1, 2, (10, 20), 3, 21]) == ["1-3", "5", "10-21"]


def test_the_dashboard_is_not_among_the_ports_to_be_closed():
    assert ray_firewall(ray_ports(0)) == ["6379-6385", "6387", "10002-11001"]

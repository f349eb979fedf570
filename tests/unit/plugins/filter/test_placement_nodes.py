# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a node's models: read on the node, or told by a host variable, which has the last word."""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.filter.auto_models import auto_models
from ansible_collections.npuops.ascend.plugins.filter.placement_nodes import placement_nodes


def models_of(facts=None, told=None):
    variables = {"ansible_facts": {"npu": {"chips": []}, "interfaces": [], **({"npu_models": facts} if facts else {})}}
    if told:
        variables["npuops_models"] = told
    return placement_nodes({"node1": variables}, ["node1"])["node1"].get("models")


def test_models_of_a_node():
    read = {"/m/a": {"weights_bytes": 1}, "/m/b": {"problem": "/m/b is not there"}}
    assert models_of() is None
    assert models_of(read) == read
    assert models_of(None, {"/m/b": {"weights_bytes": 9}}) == {"/m/b": {"weights_bytes": 9}}
    assert models_of(read, {"/m/b": {"weights_bytes": 9}}) == {
        "/m/a": {"weights_bytes": 1},
        "/m/b": {"weights_bytes": 9},
    }


def test_models_that_were_told_are_not_read():
    services = [{"model": f"/m/{name}", "hosts": ["node1"], "vnpu": {"memory_gb": "auto"}} for name in "ab"]
    assert auto_models(services, "node1") == ["/m/a", "/m/b"]
    assert auto_models(services, "node1", {"/m/b": {}}) == ["/m/a"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""roce_pings: what one node pings, and how large its packets are."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.npuops.ascend.plugins.filter.roce_pings import FilterModule

roce_pings = FilterModule().filters()["roce_pings"]
PLAN = {
    "mode": "rail",
    "groups": [["a", "b"]],
    "nodes": {"a": [[0, "10.0.0.1"], [1, "10.0.1.1"]], "b": [[0, "10.0.0.2"], [1, "10.0.1.2"]]},
    "ping_tool": "ping",
}


def test_each_npu_fills_its_own_mtu():
    pings = roce_pings(PLAN, "a", npus=[{"phy_id": 0, "mtu": 4200}, {"phy_id": 1, "mtu": None}])
    assert [(ping["phy_id"], ping["address"], ping["size"]) for ping in pings] == [
        (0, "10.0.0.2", 4172),
        (1, "10.0.1.2", None),
    ]


def test_nothing_is_said_of_sizes_otherwise():
    assert all("size" not in ping for ping in roce_pings(PLAN, "a"))
    over_hccs = {**PLAN, "ping_tool": "hccs_ping"}
    assert all("size" not in ping for ping in roce_pings(over_hccs, "a", npus=[{"phy_id": 0, "mtu": 4200}]))


def test_what_is_no_plan():
    with pytest.raises(AnsibleFilterError, match="not a plan"):
        roce_pings({"mode": "rail"}, "a")

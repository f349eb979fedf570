# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rank_table: the files of the HCCL user guide, from facts; and what must not become a file."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.npuops.ascend.plugins.filter.rank_table import FilterModule

rank_table = FilterModule().filters()["rank_table"]


def node(number, count=2, pod=None, **variables):
    npus = []
    for phy_id in range(count):
        npus.append({"phy_id": phy_id, "ipaddr": f"10.77.{number}.{10 + phy_id}"})
        if pod is not None:
            npus[-1]["sdid"] = (number << 22) + phy_id
    facts = {"roce": {"npus": npus, "node": {"super_pod_id": pod}}}
    return {"ansible_host": f"192.0.2.{number}", "ansible_facts": facts, **variables}


def test_two_a2_nodes_give_version_1_0():
    assert rank_table({"a": node(1), "b": node(2)}, ["b", "a"]) == {
        "version": "1.0",
        "server_count": "2",
        "server_list": [
            {
                "server_id": "192.0.2.2",
                "container_ip": "192.0.2.2",
                "device": [
                    {"device_id": "0", "device_ip": "10.77.2.10", "rank_id": "0"},
                    {"device_id": "1", "device_ip": "10.77.2.11", "rank_id": "1"},
                ],
                "host_nic_ip": "reserve",
            },
            {
                "server_id": "192.0.2.1",
                "container_ip": "192.0.2.1",
                "device": [
                    {"device_id": "0", "device_ip": "10.77.1.10", "rank_id": "2"},
                    {"device_id": "1", "device_ip": "10.77.1.11", "rank_id": "3"},
                ],
                "host_nic_ip": "reserve",
            },
        ],
        "status": "completed",
    }


def test_nodes_of_two_super_pods_give_version_1_2():
    table = rank_table({"a": node(1, 1, pod=0), "b": node(2, 1, pod=3), "c": node(3, 1, pod=0)}, ["a", "b", "c"])
    assert table["version"] == "1.2"
    assert [server["device"][0]["super_device_id"] for server in table["server_list"]] == [
        str(number << 22) for number in (1, 2, 3)
    ]
    assert [server["host_ip"] for server in table["server_list"]] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert table["super_pod_list"] == [
        {"super_pod_id": "0", "server_list": [{"server_id": "192.0.2.1"}, {"server_id": "192.0.2.3"}]},
        {"super_pod_id": "3", "server_list": [{"server_id": "192.0.2.2"}]},
    ]


def test_some_npus_in_the_order_given():
    table = rank_table({"a": node(1, 8)}, ["a"], phy_ids={"a": [5, 4]})
    assert [(d["device_id"], d["rank_id"]) for d in table["server_list"][0]["device"]] == [("5", "0"), ("4", "1")]


@pytest.mark.parametrize(
    ("variables", "addresses", "expected"),
    [
        ({}, {"a": "198.51.100.1"}, "198.51.100.1"),
        ({"npuops_address": "198.51.100.2"}, {}, "198.51.100.2"),
        ({}, {}, "192.0.2.1"),
        ({"ansible_host": None}, {}, "a"),
    ],
)
def test_address_of_a_node(variables, addresses, expected):
    table = rank_table({"a": node(1, **variables)}, ["a"], addresses=addresses)
    assert table["server_list"][0]["server_id"] == expected


def without_address():
    bad = node(1)
    bad["ansible_facts"]["roce"]["npus"][1]["ipaddr"] = None
    return bad


def without_sdid():
    bad = node(1, pod=0)
    del bad["ansible_facts"]["roce"]["npus"][0]["sdid"]
    return bad


@pytest.mark.parametrize(
    ("hostvars", "options", "says"),
    [
        ({}, {}, "at least one node"),
        ({"a": {"ansible_facts": {}}}, {}, "a has no facts about its RoCE ports"),
        ({"a": node(1)}, {"phy_ids": {"a": [7]}}, "a has no NPU with phy id 7; it has 0, 1"),
        ({"a": node(1)}, {"phy_ids": {"a": []}}, "a: no NPU is to be in the rank table"),
        ({"a": without_address()}, {}, "a: the NPU with phy id 1 has no RoCE address"),
        ({"a": without_sdid()}, {}, "a: the NPU with phy id 0 has no SDID"),
        ({"a": node(1, pod=1), "b": node(2)}, {}, "b is not in a super pod, a is"),
        ({"a": node(1), "b": {**node(2), "ansible_host": "192.0.2.1"}}, {}, "address 192.0.2.1 is that of a and of b"),
        (
            {"a": node(1), "b": {**node(1), "ansible_host": "192.0.2.9"}},
            {},
            "RoCE address 10.77.1.10 is that of a phy id 0 and of b phy id 0",
        ),
    ],
)
def test_what_is_refused(hostvars, options, says):
    with pytest.raises(AnsibleFilterError, match=says):
        rank_table(hostvars, list(hostvars), **options)


def test_an_a3_node_of_an_unknown_super_pod_is_refused():
    alone = node(1, 1)
    alone["ansible_facts"]["roce"]["node"]["family"] = "A3"
    with pytest.raises(AnsibleFilterError, match="super pod of a is not known"):
        rank_table({"a": alone}, ["a"])

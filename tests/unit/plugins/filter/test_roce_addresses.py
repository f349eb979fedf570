# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""roce_addresses: stable, without doubles, and never what the NPUs use inside."""

from __future__ import annotations

import ipaddress

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.filter import roce_addresses as plugin

roce_addresses = plugin.FilterModule().filters()["roce_addresses"]


def flat(result: dict) -> dict:
    return {(host, row["phy_id"]): row["address"] for host, rows in result.items() for row in rows}


def test_addresses_are_handed_out_from_the_lowest():
    result = roce_addresses("10.20.0.0/16", ["a", "b"], npus=2, gateway="10.20.0.1", netdetect="10.20.0.1")
    common = {"netmask": "255.255.0.0", "gateway": "10.20.0.1", "netdetect": "10.20.0.1"}
    assert result == {
        "a": [{"phy_id": 0, "address": "10.20.0.2", **common}, {"phy_id": 1, "address": "10.20.0.3", **common}],
        "b": [{"phy_id": 0, "address": "10.20.0.4", **common}, {"phy_id": 1, "address": "10.20.0.5", **common}],
    }


def test_a_part_of_a_network_keeps_the_netmask_of_the_network():
    result = roce_addresses("10.20.4.10-10.20.4.13/16", ["a"], npus=[4, 6, 7], exclude=["10.20.4.11"])
    assert flat(result) == {("a", 4): "10.20.4.10", ("a", 6): "10.20.4.12", ("a", 7): "10.20.4.13"}
    assert {row["netmask"] for row in result["a"]} == {"255.255.0.0"}


def test_several_ranges_take_turns():
    ranges = ["10.1.0.0/24", "10.2.0.0/24"]
    result = roce_addresses(ranges, ["a", "b"], npus=4, gateway=["10.1.0.1", "10.2.0.1"])
    assert [row["address"] for row in result["b"]] == ["10.1.0.4", "10.2.0.4", "10.1.0.5", "10.2.0.5"]
    assert [row["gateway"] for row in result["a"]] == ["10.1.0.1", "10.2.0.1"] * 2


def test_what_is_there_stays_also_outside_the_range():
    found = {
        "a": [{"phy_id": 0, "address": None}, {"phy_id": 1, "ipaddr": "10.20.0.1", "netmask": "255.255.255.0"}],
        "b": [{"phy_id": 0, "address": "29.1.7.8", "netmask": "255.255.128.0"}, {"phy_id": 1, "address": None}],
        "gone": [{"phy_id": 0, "address": "10.20.0.2"}],
    }
    result = roce_addresses("10.20.0.0/16", ["a", "b"], found=found, gateway="10.20.255.254")
    assert flat(result) == {
        ("a", 0): "10.20.0.3",
        ("a", 1): "10.20.0.1",
        ("b", 0): "29.1.7.8",
        ("b", 1): "10.20.0.4",
    }
    # The netmask of the range counts inside it; what another network planned is left alone.
    assert result["a"][1]["netmask"] == "255.255.0.0"
    assert result["b"][0] == {"phy_id": 0, "address": "29.1.7.8", "netmask": "255.255.128.0"}


def test_a_named_npu_moves_once():
    found = {"a": [{"phy_id": 0, "address": "29.1.7.8"}, {"phy_id": 1, "address": "10.20.0.9"}]}
    moved = roce_addresses("10.20.0.0/16", ["a"], found=found, reassign=["a"])
    assert flat(moved) == {("a", 0): "10.20.0.1", ("a", 1): "10.20.0.9"}
    assert roce_addresses("10.20.0.0/16", ["a"], found=moved, reassign=["a"]) == moved
    assert flat(roce_addresses("10.20.0.0/16", ["a"], found=found, reassign={"a": [1]}))[("a", 0)] == "29.1.7.8"


def test_two_with_one_address():
    found = {"a": [{"phy_id": 3, "address": "10.20.0.9"}], "b": [{"phy_id": 5, "address": "10.20.0.9"}]}
    with pytest.raises(AnsibleFilterError, match=r"b: NPU 5: has the address 10.20.0.9, as has NPU 3 of a"):
        roce_addresses("10.20.0.0/16", ["a", "b"], found=found)
    result = roce_addresses("10.20.0.0/16", ["a", "b"], found=found, reassign={"b": [5]})
    assert flat(result) == {("a", 3): "10.20.0.9", ("b", 5): "10.20.0.1"}


def test_a_host_of_which_nothing_is_known_stops_it():
    with pytest.raises(AnsibleFilterError, match=r"does not say what b has"):
        roce_addresses("10.20.0.0/16", ["a", "b"], npus=1, found={"a": []})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ranges": "192.168.1.0/24"}, "touches 192.168.0.0/21"),
        ({"ranges": "192.168.0.0/16"}, "touches 192.168.0.0/21"),
        ({"ranges": "192.168.7.200-192.168.8.20/16"}, "touches 192.168.0.0/21"),
        ({"ranges": "192.100.0.0/16", "super_pod": True}, "touches 192.0.0.0/8"),
        (
            {"ranges": "10.20.0.0/29"},
            r"has 6 addresses to hand out, of which none is left for 2 more NPUs \(a NPU 6, a",
        ),
        ({"ranges": "10.20.0.0/31"}, "no room"),
        ({"ranges": "10.20.0.0"}, "no room"),
        ({"ranges": "10.20.0.1/16"}, "is an address and no network; write 10.20.0.0/16"),
        ({"ranges": "10.20.0.10-10.20.0.99"}, "needs the length of its prefix"),
        ({"ranges": "10.20.0.10-10.21.0.99/16"}, "goes beyond the network 10.20.0.0/16"),
        ({"ranges": "fd00::/64"}, "is not IPv4"),
        ({"ranges": "224.1.0.0/16"}, "is not for hosts"),
        ({"ranges": "ten"}, "is no range"),
        ({"ranges": []}, "at least one range"),
        ({"ranges": "10.20.0.0/16", "gateway": "10.21.0.1"}, "gateway 10.21.0.1 is not in this network"),
        ({"ranges": "10.20.0.0/16", "gateway": "first"}, "gateway: 'first' is no IPv4 address"),
        ({"ranges": "10.20.0.0/16", "gateway": ["10.20.0.1"] * 2}, "2 are given for 1 ranges"),
        ({"ranges": "10.20.0.0/16", "exclude": ["x"]}, "exclude: 'x' is no address"),
        ({"ranges": "10.20.0.0/16", "npus": None}, "a: has no NPUs"),
        ({"ranges": "10.20.0.0/16", "reassign": ["b"]}, "reassign: b is not among hosts"),
        ({"ranges": "10.20.0.0/16", "reassign": {"a": [9]}}, "reassign: a is not among hosts, or has no such NPU"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(AnsibleFilterError, match=message):
        roce_addresses(**{"hosts": ["a"], "npus": 8, **arguments})


def test_a_range_beyond_the_internal_ones_is_fine():
    assert roce_addresses("192.168.8.0/24", ["a"], npus=1)["a"][0]["address"] == "192.168.8.1"


def test_without_netaddr(monkeypatch):
    monkeypatch.setattr(plugin, "netaddr", None)
    with pytest.raises(AnsibleFilterError, match="pip install netaddr"):
        roce_addresses("10.20.0.0/16", ["a"], npus=1)


RANGES = st.sampled_from(["10.20.0.0/16", "10.20.7.40-10.20.9.250/16", ["10.1.0.0/23", "10.2.0.0/23"]])
NAMES = st.lists(st.sampled_from([f"node{n}" for n in range(12)]), min_size=1, max_size=9, unique=True)
FIRST = int(ipaddress.IPv4Address("10.20.0.1"))


@st.composite
def fleets(draw):
    """(ranges, hosts, NPUs of each, what some of them have: inside, outside, at the edge of the range)."""
    hosts = draw(NAMES)
    npus = {host: draw(st.sampled_from([[0], [0, 1, 2, 3], [1, 4, 7], list(range(8))])) for host in hosts}
    slots = [(host, phy_id) for host in hosts for phy_id in npus[host]]
    numbers = draw(
        st.lists(
            st.one_of(st.integers(FIRST, FIRST + 90), st.integers(FIRST - 9, FIRST + 5000)),
            max_size=len(slots),
            unique=True,
        )
    )
    addresses = dict(zip(draw(st.permutations(slots)), map(ipaddress.IPv4Address, numbers)))
    found = {
        host: [
            {"phy_id": p, "address": str(addresses[host, p]) if (host, p) in addresses else None} for p in npus[host]
        ]
        for host in hosts
    }
    return draw(RANGES), hosts, npus, found


@settings(max_examples=150, deadline=None)
@given(fleets(), st.data())
def test_a_new_node_changes_nothing(fleet, data):
    ranges, hosts, npus, found = fleet
    before = roce_addresses(ranges, hosts, npus=npus, found=found)
    grown = list(hosts)
    grown.insert(data.draw(st.integers(0, len(hosts))), "new")
    after = roce_addresses(ranges, grown, npus={**npus, "new": [0, 1, 2, 3]}, found={**before, "new": []})
    assert {host: after[host] for host in hosts} == before
    addresses = list(flat(after).values())
    assert len(addresses) == len(set(addresses)) == sum(map(len, npus.values())) + 4
    had = {(host, row["phy_id"]): row["address"] for host, rows in found.items() for row in rows if row["address"]}
    assert {key: flat(after)[key] for key in had} == had


@settings(max_examples=60, deadline=None)
@given(RANGES, NAMES, st.integers(1, 16))
def test_a_node_at_the_end_changes_nothing_even_on_paper(ranges, hosts, count):
    before = roce_addresses(ranges, hosts, npus=count)
    after = roce_addresses(ranges, [*hosts, "new"], npus=count)
    assert {host: after[host] for host in hosts} == before
    addresses = list(flat(after).values())
    assert len(addresses) == len(set(addresses))
    for row in (row for rows in after.values() for row in rows):
        network = ipaddress.IPv4Interface(f"{row['address']}/{row['netmask']}").network
        assert ipaddress.IPv4Address(row["address"]) not in (network.network_address, network.broadcast_address)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 30), st.booleans())
def test_nothing_internal_is_ever_handed_out(number, prefix, super_pod):
    network = ipaddress.ip_network((number, prefix), strict=False)
    try:
        result = roce_addresses(str(network), ["a"], npus=2, super_pod=super_pod)
    except AnsibleFilterError:
        return
    internal = ipaddress.ip_network("192.0.0.0/8" if super_pod else "192.168.0.0/21")
    assert not network.overlaps(internal)
    assert all(ipaddress.ip_address(row["address"]) in network for row in result["a"])

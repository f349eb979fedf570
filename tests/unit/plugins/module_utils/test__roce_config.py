# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a wish and what is there to a plan: what is done, what is refused, what is only told."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._roce_config import declared, plan, to_read
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_types import Found, Port, conf_values, ipv4

MASK = "255.255.0.0"
HAS = Port("10.77.2.10", MASK, "10.77.0.1", "10.77.0.1")
FILE = {"address": "10.77.2.10", "netmask": MASK, "gateway": "10.77.0.1", "netdetect": "10.77.0.1"}


def node(*ports) -> dict:
    return {phy_id: port if isinstance(port, Found) else Found(port) for phy_id, port in enumerate(ports)}


def steps(decided) -> list:
    return [(step.phy_id, step.setting, step.after) for step in decided.steps]


def problems(decided) -> list:
    return [f"{entry.item}: {entry.problem}" for entry in decided.problems]


def test_only_what_differs_is_set_and_in_the_order_the_tool_needs():
    wanted = {0: {"tls": True, "netdetect": None, "gateway": "10.78.0.1", "address": "10.78.0.9", "mtu": 4096}}
    wanted[0]["netmask"] = MASK
    seen = node(Port(None, None, None, "10.77.0.1", False, 1500))
    decided = plan(wanted, seen, {0: {}})
    assert steps(decided) == [
        (0, "mtu", 4096),
        (0, "address", f"10.78.0.9/{MASK}"),
        (0, "gateway", "10.78.0.1"),
        (0, "netdetect", None),
        (0, "tls", True),
    ]
    assert decided.conf == {
        0: {
            "address": "10.78.0.9",
            "netmask": MASK,
            "gateway": "10.78.0.1",
            "netdetect": "0.0.0.0",
            "tls_enable": "1",
            "mtu": "4096",
        }
    }


def test_nothing_declared_is_nothing_done():
    decided = plan({}, node(HAS), {0: FILE})
    assert (decided.refusals, decided.steps, decided.problems, decided.conf) == ((), (), (), {})


def test_what_is_read_on_demand():
    names = to_read([0, 1, 2], {0: {"tls": True}}, {1: {"mtu": "4096", "tls_enable": "0"}})
    assert [set(names[phy_id]) & {"tls", "mtu"} for phy_id in (0, 1, 2)] == [{"tls"}, {"tls", "mtu"}, set()]


def test_an_entry_declares_what_is_not_null():
    row = {"phy_id": 3, "address": "10.0.0.1", "netmask": None, "gateway": None, "netdetect": "0.0.0.0", "tls": False}
    assert declared(row) == {"address": "10.0.0.1", "netdetect": None, "tls": False}


@pytest.mark.parametrize(
    ("entries", "now", "netmask"),
    [
        ({}, HAS, MASK),  # in the network it is in
        ({"address": "10.99.0.9", "netmask": "255.255.255.0"}, Port(), "255.255.255.0"),  # as the file has it
    ],
)
def test_a_netmask_that_is_plain(entries, now, netmask):
    address = entries.get("address", "10.77.2.99")
    decided = plan({0: {"address": address}}, node(now), {0: entries}, reassign=[0])
    assert decided.expected[0].netmask == netmask and not decided.refusals


REFUSED = [
    ({"address": "10.77.2.11"}, HAS, "has the address 10.77.2.10, declared is 10.77.2.11"),
    ({"address": "10.99.2.11"}, Port(), "address 10.99.2.11 comes without a netmask"),
    ({"netmask": MASK}, Port(), "has no address that the netmask could belong to"),
    ({"gateway": "10.77.0.1"}, Port(), "has no address that the gateway could belong to"),
    ({"gateway": "10.76.0.1"}, HAS, "gateway 10.76.0.1 is not in 10.77.0.0/16"),
    ({"gateway": "10.77.2.10"}, HAS, "gateway 10.77.2.10 is its own address"),
    ({"netmask": "255.255.255.0"}, HAS, "gateway 10.77.0.1 is not in 10.77.2.0/24"),
    ({"netmask": "255.0.255.0"}, HAS, "netmask 255.0.255.0 is none for a network of NPUs"),
    ({"netmask": "0.0.255.255"}, HAS, "netmask 0.0.255.255 is none for a network of NPUs"),
    ({"netmask": "0.0.0.0"}, HAS, "netmask 0.0.0.0 is none for a network of NPUs"),
    ({"netmask": "255.255.255.255"}, HAS, "netmask 255.255.255.255 is none for a network of NPUs"),
    ({"netdetect": "host"}, HAS, "netdetect 'host' is no IPv4 address"),
    ({"address": "10.77.2", "netmask": MASK}, Port(), "address '10.77.2' is no IPv4 address"),
    ({"address": "10.77.0.0", "netmask": MASK}, Port(), "address 10.77.0.0 is the first or the last of 10.77.0.0/16"),
    ({"address": "10.77.255.255", "netmask": MASK}, Port(), "address 10.77.255.255 is the first or the last"),
    ({"address": "224.0.0.9", "netmask": MASK}, Port(), "address 224.0.0.9 is not for hosts"),
    ({"address": "192.168.1.77", "netmask": MASK}, Port(), "address 192.168.1.77 is in 192.168.1.0/24, which NPUs use"),
    ({"address": "192.168.2.77", "netmask": MASK}, Port(), "address 192.168.2.77 is in 192.168.2.0/24, which NPUs use"),
    ({"mtu": 1000}, HAS, "mtu 1000 is not between 1280 and 9702"),
]


@pytest.mark.parametrize(("values", "now", "sentence"), REFUSED)
def test_what_is_refused(values, now, sentence):
    decided = plan({0: values}, node(now), {0: FILE if now is HAS else {}}, host="n1", family="A2")
    assert [entry.problem.startswith(sentence) for entry in decided.refusals] == [True], decided.refusals
    assert decided.refusals[0].host == "n1" and decided.refusals[0].item == "phy id 0"
    assert decided.steps == () and decided.waves == ()


@pytest.mark.parametrize(
    ("address", "family", "vnic", "refused"),
    [
        ("192.168.7.9", "A3", "192.168.2.199", "192.168.0.0/21"),
        ("192.168.9.9", "A3", "192.168.2.199", None),
        ("192.168.9.9", "A3", "192.3.1.199", "192.0.0.0/8"),
        ("192.168.9.9", "A3", None, "192.0.0.0/8"),
        ("192.168.7.9", "A2", None, None),
        ("10.20.0.9", "A3", None, None),
    ],
)
def test_internal_networks(address, family, vnic, refused):
    wanted = {0: {"address": address, "netmask": "255.255.255.0"}}
    decided = plan(wanted, node(Port()), {}, family=family, vnic=vnic and ipv4(vnic))
    assert [f"is in {refused}, which" in entry.problem for entry in decided.refusals] == ([True] if refused else [])


def test_a_provider_may_have_given_an_internal_address():
    """It is told and not touched; declaring what is there is no reason to fail either."""
    now = Port("192.168.1.77", "255.255.255.0")
    entries = {0: {"address": "192.168.1.77", "netmask": "255.255.255.0"}}
    decided = plan({0: {"address": "192.168.1.77"}}, node(now), entries, family="A2")
    assert not decided.refusals and not decided.steps
    assert problems(decided) == ["phy id 0: has the address 192.168.1.77 in 192.168.1.0/24, which NPUs use inside"]


def test_double_addresses():
    two = node(HAS, HAS)
    entries = {0: FILE, 1: FILE}
    assert problems(plan({}, two, entries)) == [
        "phy id 0: has the same address as phy id 1",
        "phy id 1: has the same address as phy id 0",
    ]
    refused = plan({1: {"address": "10.77.2.10", "netmask": MASK}}, node(HAS, Port()), {0: FILE})
    assert [entry.problem for entry in refused.refusals] == ["address 10.77.2.10 is also that of phy id 0"]
    mended = plan({1: {"address": "10.77.2.11"}}, two, entries, reassign=[1])
    assert steps(mended) == [(1, "address", f"10.77.2.11/{MASK}")] and mended.problems == ()


def test_dhcp():
    decided = plan({0: {"address": "10.77.2.10"}}, node(HAS), {0: {"udhcpc_enable": "1"}})
    assert decided.refusals[0].problem == "gets its address by DHCP (udhcpc_enable_0 in hccn.conf)"
    # Then the file does not have the address, and old lines of it do not count.
    adopted = plan(
        {0: {"tls": False}}, node(Port(*list(HAS.to_dict().values())[:4], tls=False)), {0: {"udhcpc_enable": "1"}}
    )
    assert not adopted.refusals and adopted.problems == ()


def test_what_an_old_driver_does_not_have():
    old = Found(HAS, without=(("mtu", "hccn_tool answered: 'Get unknown option!'"),))
    refused = plan({0: {"mtu": 4096}}, {0: old}, {0: FILE})
    assert refused.refusals[0].problem.startswith("has no mtu to set: hccn_tool answered")
    assert plan({}, {0: old}, {0: {**FILE, "mtu": "4096"}}).problems == ()


def test_an_npu_that_does_not_answer():
    seen = node(HAS, Found(None, "did not end within 60 s"))
    decided = plan({0: {"netdetect": None}}, seen, {0: FILE})
    assert steps(decided) == [(0, "netdetect", None)]
    assert problems(decided) == ["phy id 1: cannot be read: did not end within 60 s"]
    assert plan({1: {"tls": False}}, seen, {0: FILE}).refusals[0].item == "phy id 1"
    assert plan({}, seen, {0: {**FILE, "netdetect": "10.77.0.9"}}, recover=True).refusals[0].item == "phy id 1"


def test_addresses_get_free_before_they_are_given_again():
    ports = [Port(f"10.77.2.{last}", MASK) for last in (10, 11, 12)]
    wanted = {p: {"address": f"10.77.2.{last}"} for p, last in enumerate((11, 12, 13))}
    decided = plan(wanted, node(*ports), {}, reassign=[0, 1, 2])
    assert decided.waves == ((2,), (1,), (0,))
    circle = plan({0: {"address": "10.77.2.11"}, 1: {"address": "10.77.2.10"}}, node(*ports), {}, reassign=[0, 1])
    assert "gets free in a circle only (phy ids 0, 1)" in circle.refusals[0].problem


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({**FILE, "address": "10.77.2.99"}, "hccn.conf says address 10.77.2.99, the machine has 10.77.2.10"),
        ({**FILE, "netdetect": "0.0.0.0"}, "hccn.conf says netdetect none, the machine has 10.77.0.1"),
        ({**FILE, "tls_enable": "2"}, "hccn.conf says tls 2, the machine has off"),
        ({"netdetect": "10.77.0.1"}, "has address, netmask, gateway that hccn.conf lacks, and loses it with the next"),
    ],
)
def test_drift_is_told(entries, told):
    seen = node(Port(HAS.address, HAS.netmask, HAS.gateway, HAS.netdetect, tls=False))
    decided = plan({}, seen, {0: entries})
    assert len(decided.problems) == 1 and told in decided.problems[0].problem and not decided.steps


def test_drift_of_what_is_declared_is_set_right():
    wrong = {**FILE, "address": "10.77.2.99", "netmask": "255.255.255.0"}
    decided = plan({0: {"address": "10.77.2.10"}}, node(HAS), {0: wrong})
    assert steps(decided) == [(None, "hccn_conf", "address_0, netmask_0")] and decided.problems == ()
    # Also when something else is recovered: the file is corrected first.
    drifted = {**wrong, "netdetect": "10.77.0.9"}
    decided = plan({0: {"address": "10.77.2.10"}}, node(HAS), {0: drifted}, recover=True)
    assert [step.setting for step in decided.steps] == ["hccn_conf", "recovery"] and decided.conf_first
    assert decided.expected[0].ip == HAS.ip and decided.expected[0].netdetect == "10.77.0.9"


def test_a3_chips_of_one_npu_in_one_network():
    seen = node(Port("10.1.0.2", "255.255.255.0"), Port())
    wanted = {1: {"address": "10.1.0.3", "netmask": "255.255.255.0"}}
    told = problems(plan(wanted, seen, {0: {"address": "10.1.0.2", "netmask": "255.255.255.0"}}, family="A3"))
    assert told == ["phy id 1: gets an address in the network of phy id 0, the other chip of the same NPU"]
    # With an ARP entry for it the site knows what it does; and what is there already is not criticised.
    assert plan(wanted, seen, {0: FILE, 1: {"arp": "-i eth1 -s 10.1.0.2 00:11"}}, family="A3").refusals == ()
    both = node(Port("10.1.0.2", "255.255.255.0"), Port("10.1.0.3", "255.255.255.0"))
    conf = {p: {"address": f"10.1.0.{p + 2}", "netmask": "255.255.255.0"} for p in (0, 1)}
    assert plan({}, both, conf, family="A3").problems == ()


def test_values_of_the_file():
    entries = {**FILE, "tls_enable": "1", "mtu": "x", "arp": "-i eth0 ..."}
    assert conf_values(entries) == {**HAS.to_dict(), "tls": True, "mtu": "x"}

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on the RoCE ports of a node: tables of what was read, and what is to be said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._roce_check import judge
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_types import (
    FAIL,
    WARN,
    Cause,
    NoAnswer,
    Port,
    verdict,
)

UP = {
    "link": "UP",
    "net_health": "Success",
    "netdetect": "10.77.0.1",
    "gateway": {"default_gateway": "10.77.0.1", "iface": "eth0"},
    "tls": {"tls_switch": 0},
    "speed": 200000,
    "mtu": 4096,
    "lldp": {"port_ifname": "400GE1/1/5:1"},
    "vnic": {"link": "UP", "ipaddr": "192.168.2.199", "netmask": "255.255.255.0"},
    "stat": {"mac_rx_total_pkt_num": 1602684344683, "mac_rx_bad_pkt_num": 0},
    "optical": {
        "present": True,
        "temperature_c": 50.0,
        "temperature_high_c": 70.0,
        "rx_power_mw": [0.5842, 0.7547],
        "tx_power_mw": [0.9585, None],
        "rx_power_low_mw": 0.0933,
        "tx_power_low_mw": 0.1445,
        "tx_los": 0,
        "rx_los": 0,
    },
    # A boot: three changes within a minute, long ago.
    "link_stat": {
        "current_time": "Thu Feb  6 16:11:10 2025",
        "link_up_count": 4,
        "link_down_count": 3,
        "records": [
            {"time": "Sat Jan 18 11:52:46 2025", "state": "UP"},
            {"time": "Sat Jan 18 11:52:42 2025", "state": "DOWN"},
            {"time": "Sat Jan 18 11:52:41 2025", "state": "DOWN"},
            {"time": "Sat Jan 18 11:52:41 2025", "state": "DOWN"},
        ],
    },
}


def node(count=8, only=None, **changes):
    """``count`` healthy ports; ``changes`` go into the values of phy id 3, or of the ids in ``only``."""
    ports = []
    for phy_id in range(count):
        values = {**UP, "ip": {"ipaddr": f"10.77.1.{10 + phy_id}", "netmask": "255.255.0.0"}}
        if phy_id in (only or [3]):
            values.update(changes)
        ports.append(Port(phy_id, npu_id=phy_id, chip_id=0, values=values))
    return ports


def conf_of(ports):
    return {
        port.phy_id: {
            "address": port.get("ip", "ipaddr"),
            "netmask": port.get("ip", "netmask"),
            "gateway": "10.77.0.1",
            "netdetect": "10.77.0.1",
            "tls_enable": "0",
            "mtu": "4096",
            "arp": "-i eth0 -s 10.0.0.1 bc:1e:85:d8:ca:dd",
        }
        for port in ports
    }


def found(ports, **how):
    """{phy_id: [(check, severity)]} of the NPUs that have any."""
    return {
        phy_id: [(cause.check, cause.severity) for cause in causes]
        for phy_id, causes in judge(ports, **how).items()
        if causes
    }


def only_cause(ports, phy_id=3, **how) -> Cause:
    causes = judge(ports, **how)[phy_id]
    assert len(causes) == 1, causes
    return causes[0]


@pytest.mark.parametrize("family", ["A2", "A3", "910", None])
@pytest.mark.parametrize("count", [1, 2, 8, 16])
def test_a_healthy_node_has_no_causes(count, family):
    ports = node(count)
    assert found(ports, conf=conf_of(ports), family=family) == {}


# What providers do: each NPU in a network of its own, no gateway, no LLDP, copper cables, old drivers.
@pytest.mark.parametrize(
    "changes",
    [
        {"gateway": None},
        {"lldp": None},
        {"optical": None},
        {"optical": {"present": False, "temperature_c": None, "rx_power_mw": [None]}},
        {"link_stat": None},
        {"stat": None},
        {"netdetect": None},  # with net health Success, whatever it probes
        {"mtu": None, "vnic": None},
        {"tls": {"tls_switch": 1}},  # everywhere alike
        {"speed": 100000},
        {"link_stat": {"current_time": None, "records": [{"time": "now", "state": "DOWN"}]}},
        {"optical": {**UP["optical"], "rx_power_low_mw": None, "temperature_high_c": 0.0}},
        {"stat": {"mac_rx_total_pkt_num": 1602684344683, "mac_rx_bad_pkt_num": 5000}},
        {"stat": {"mac_rx_total_pkt_num": 1000, "mac_rx_bad_pkt_num": 7}},
    ],
)
def test_a_healthy_cloud_node_has_no_causes(changes):
    assert found(node(only=range(8), **changes), family="A2") == {}


def test_irregular_addresses_are_no_fault():
    ports = [
        replace(port, values={**port.values, "ip": {"ipaddr": address, "netmask": netmask}, "gateway": None})
        for port, (address, netmask) in zip(
            node(4),
            [
                ("29.1.137.205", "255.255.0.0"),
                ("29.7.3.9", "255.255.0.0"),
                ("26.3.0.17", "255.255.255.240"),
                ("100.64.1.1", "255.255.255.254"),
            ],
        )
    ]
    assert found(ports) == {}


def test_what_was_not_asked_is_not_judged():
    ports = [Port(0, values={"link": "UP"}), Port(1, values={})]
    assert found(ports) == {}


# One value of phy id 3 is wrong: check, severity, words of the problem, words of the remedy.
WRONG = [
    ({"link": "DOWN"}, "link", FAIL, "has its link DOWN", "cable"),
    (
        {"link": "DOWN", "optical": {**UP["optical"], "rx_los": 0xFF}},
        "link",
        FAIL,
        "receives no light",
        "transceiver",
    ),
    ({"link": "DOWN", "optical": {"present": False}}, "link", FAIL, "no transceiver is present", "seat"),
    (
        {"link": "DOWN", "net_health": "Fault", "speed": None, "lldp": None},
        "link",
        FAIL,
        "has its link DOWN",
        "port of the switch",
    ),
    (
        {"link": "DOWN", "link_stat": {"records": [{"time": "Thu Feb  6 03:18:17 2025", "state": "DOWN"}]}},
        "link",
        FAIL,
        "since Thu Feb  6 03:18:17 2025",
        "cable",
    ),
    ({"ip": None}, "ip", FAIL, "has no RoCE address", "hccn_config"),
    (
        {"ip": {"ipaddr": "192.168.1.5", "netmask": "255.255.255.0"}, "gateway": None},
        "ip",
        FAIL,
        "192.168.1.0/24 is used inside",
        "hccn_config",
    ),
    (
        {"ip": {"ipaddr": "10.78.0.0", "netmask": "255.255.0.0"}, "gateway": None},
        "ip",
        FAIL,
        "no host of its network",
        "netmask",
    ),
    ({"ip": {"ipaddr": "10.77.1.13", "netmask": "255.0.255.0"}}, "ip", FAIL, "an address that is none", "hccn_config"),
    (
        {"ip": {"ipaddr": "10.77.1.13", "netmask": "255.255.255.0"}},
        "ip",
        FAIL,
        "has the netmask 255.255.255.0, but the other NPUs have 255.255.0.0, so its gateway 10.77.0.1",
        "-ip -s address 10.77.1.13 netmask 255.255.0.0",
    ),
    (
        {"ip": {"ipaddr": "10.77.1.13", "netmask": "255.255.255.0"}, "gateway": None},
        "ip",
        WARN,
        "so peers may be out of reach",
        "netmask 255.255.0.0",
    ),
    (
        {"gateway": {"default_gateway": "10.99.0.1", "iface": "eth3"}},
        "gateway",
        FAIL,
        "has the gateway 10.99.0.1, which is not in its network 10.77.0.0/16",
        "hccn_config",
    ),
    ({"net_health": "Init", "netdetect": None}, "netdetect", WARN, "no address to detect", "gateway"),
    ({"net_health": "Init"}, "net_health", WARN, "no result yet", "again"),
    ({"net_health": "Detect ip set"}, "net_health", WARN, "just set", "again"),
    ({"net_health": "Receive timeout"}, "net_health", FAIL, "10.77.0.1 does not answer", "ping"),
    ({"net_health": "Unreachable"}, "net_health", FAIL, "10.77.0.1 does not answer", "VLAN"),
    ({"net_health": "Time exceeded"}, "net_health", FAIL, "10.77.0.1 does not answer", "vNIC"),
    ({"net_health": "Fault"}, "net_health", FAIL, "has net health Fault", "link_stat"),
    ({"net_health": "Socket fail"}, "net_health", FAIL, "has net health Socket fail", "health"),
    ({"net_health": "Socket failed"}, "net_health", FAIL, "has net health Socket failed", "health"),
    ({"net_health": "Thread error"}, "net_health", FAIL, "has net health Thread error", "health"),
    ({"net_health": "Unknown"}, "net_health", FAIL, "has net health Unknown", "health"),
    ({"tls": {"tls_switch": 1}}, "tls", FAIL, "has TLS on, other NPUs of the node have it off", "-tls -s enable 0"),
    ({"speed": 100000}, "speed", WARN, "runs at 100000 Mb/s, other NPUs of the node at 200000", "switch"),
    ({"speed": None}, "speed", WARN, "does not tell its speed", "switch"),
    ({"mtu": 1500}, "mtu", FAIL, "has MTU 1500, other NPUs of the node 4096", "-mtu -s"),
    ({"lldp": None}, "lldp", WARN, "hears no LLDP", "cable"),
    ({"lldp": {"port_ifname": None}}, "lldp", WARN, "hears no LLDP", "LLDP"),
    ({"optical": {"present": False}}, "optical", WARN, "no transceiver although its link is UP", "seat"),
    (
        {"optical": {**UP["optical"], "rx_power_mw": [0.5842, 0.0054]}},
        "optical",
        WARN,
        "receives too little light: lane 1 0.0054 mW (limit 0.0933 mW)",
        "other side",
    ),
    (
        {"optical": {**UP["optical"], "tx_power_mw": [0.1]}},
        "optical",
        WARN,
        "sends too little light: lane 0 0.1 mW (limit 0.1445 mW)",
        "clean",
    ),
    ({"optical": {**UP["optical"], "temperature_c": 71.0}}, "optical", WARN, "transceiver of 71 C (limit 70)", "fans"),
    ({"optical": {**UP["optical"], "rx_los": 2}}, "optical", WARN, "a loss of light on some lane", "cable"),
    (
        {"stat": {"mac_rx_total_pkt_num": 1000000, "mac_rx_bad_pkt_num": 400, "mac_rx_fcs_err_pkt_num": 12}},
        "stat",
        WARN,
        "got 412 broken packets of 1000000",
        "still grow",
    ),
]


@pytest.mark.parametrize(("changes", "check", "severity", "problem", "remedy"), WRONG)
def test_one_wrong_value(changes, check, severity, problem, remedy):
    ports = node(**changes)
    assert set(found(ports, family="A2")) == {3}
    cause = only_cause(ports, family="A2")
    assert (cause.check, cause.severity) == (check, severity)
    assert problem in cause.problem
    assert remedy in cause.remedy


def test_flapping():
    def records(*times):
        return [{"time": f"Thu Feb  6 {at}:00 2025", "state": state} for at in times for state in ("UP", "DOWN")]

    def with_records(*times):
        return node(link_stat={"current_time": "Thu Feb  6 16:11:10 2025", "records": records(*times)})

    cause = only_cause(with_records("16:10", "15:40", "15:12"))
    assert (cause.check, cause.severity) == ("link_stat", WARN)
    assert "3 times within the last hour" in cause.problem
    assert found(with_records("16:10", "15:40", "15:10")) == {}
    assert found(with_records("16:10", "15:40")) == {}


def test_two_npus_with_one_address_both_say_so():
    causes = judge(node(ip={"ipaddr": "10.77.1.11", "netmask": "255.255.0.0"}))
    assert "same address 10.77.1.11 as phy id 1" in causes[3][0].problem
    assert "same address 10.77.1.11 as phy id 3" in causes[1][0].problem
    assert verdict(causes[3]) == verdict(causes[1]) == FAIL
    assert [phy_id for phy_id, of_npu in causes.items() if of_npu] == [1, 3]


def test_every_cause_has_a_remedy_and_continues_a_sentence():
    for changes, *_expected in WRONG:
        for cause in judge(node(**changes))[3]:
            assert cause.remedy and cause.remedy[-1] not in ".;"
            assert cause.problem[0].islower() and cause.problem[-1] not in ".;"


def test_half_and_half_tls_blames_those_that_have_it_on():
    assert found(node(only=[0, 1, 2, 3], tls={"tls_switch": 1})) == {n: [("tls", FAIL)] for n in range(4)}
    assert found(node(only=[0, 1, 2, 3, 4, 5], tls={"tls_switch": 1})) == {6: [("tls", FAIL)], 7: [("tls", FAIL)]}


def test_two_npus_that_disagree_blame_the_slower():
    assert found(node(2, only=[1], speed=100000)) == {1: [("speed", WARN)]}
    assert found(node(2, only=[1], mtu=1500)) == {1: [("mtu", FAIL)]}


def test_one_port_of_a_kind_is_not_odd():
    assert found(node(1, only=[0], tls={"tls_switch": 1}, speed=100000, mtu=1500, lldp=None)) == {}


def test_an_a3_without_roce_address_is_bearable_as_long_as_its_vnic_is_up():
    assert found(node(ip=None), family="A3") == {3: [("ip", WARN)]}
    down = {"link": "DOWN", "ipaddr": "192.168.2.199"}
    assert found(node(ip=None, vnic=down), family="A3") == {3: [("ip", FAIL), ("vnic", FAIL)]}
    assert found(node(ip=None), family="A2") == {3: [("ip", FAIL)]}


def test_a_broken_vnic_matters_on_a3_only():
    for vnic in ({"link": "DOWN", "ipaddr": "192.168.2.199"}, {"link": "UP", "ipaddr": None}):
        assert found(node(vnic=vnic), family="A3") == {3: [("vnic", FAIL)]}
        assert found(node(vnic=vnic), family="A2") == {}


def test_a_silent_npu_fails_and_the_others_do_not():
    silent = NoAnswer("link", "gave no answer within 30 s", "look at its health", silent=True)
    ports = node()
    ports[3] = Port(3, npu_id=3, chip_id=0, no_answers=(silent,))
    assert found(ports, conf=conf_of(node())) == {3: [("link", FAIL)]}


@pytest.mark.parametrize(
    ("check", "severity"), [("link", FAIL), ("ip", FAIL), ("tls", FAIL), ("optical", WARN), ("stat", WARN)]
)
def test_a_refused_question_weighs_what_its_answer_weighs(check, severity):
    ports = node()
    values = {name: value for name, value in ports[3].values.items() if name != check}
    ports[3] = replace(ports[3], values=values, no_answers=(NoAnswer(check, "did not answer", "try again"),))
    assert found(ports) == {3: [(check, severity)]}


def test_what_a_driver_does_not_know_is_no_cause():
    ports = node()
    values = {name: value for name, value in ports[3].values.items() if name not in ("net_health", "mtu")}
    ports[3] = replace(ports[3], values={**values, "netdetect": None}, unsupported=("net_health", "mtu"))
    assert found(ports) == {}


class TestConf:
    def test_not_compared_without_one(self):
        assert found(node(), conf=None) == {}

    def test_an_address_that_is_not_in_it(self):
        ports = node()
        conf = conf_of(ports)
        del conf[3]
        cause = only_cause(ports, conf=conf)
        assert (cause.check, cause.severity) == ("hccn_conf", WARN)
        assert "a restart loses it" in cause.problem

    @pytest.mark.parametrize(
        ("key", "value", "words"),
        [
            ("address", "10.77.1.99", "address 10.77.1.99 (the NPU has 10.77.1.13)"),
            ("netmask", "255.255.255.0", "netmask 255.255.255.0 (the NPU has 255.255.0.0)"),
            ("gateway", "10.77.0.2", "gateway 10.77.0.2 (the NPU has 10.77.0.1)"),
            ("netdetect", "10.77.0.2", "netdetect 10.77.0.2 (the NPU has 10.77.0.1)"),
            ("tls_enable", "1", "tls_enable 1 (the NPU has 0)"),
            ("mtu", "1500", "mtu 1500 (the NPU has 4096)"),
        ],
    )
    def test_other_settings_than_in_it(self, key, value, words):
        ports = node()
        conf = conf_of(ports)
        conf[3][key] = value
        cause = only_cause(ports, conf=conf)
        assert (cause.check, cause.severity) == ("hccn_conf", WARN)
        assert words in cause.problem

    def test_it_brings_a_lost_address_back(self):
        cause = only_cause(node(ip=None), conf=conf_of(node()))
        assert cause.check == "ip"
        assert "-cfg recovery" in cause.remedy and "10.77.1.13" in cause.remedy


@pytest.mark.parametrize(("severities", "word"), [([], "pass"), ([WARN], WARN), ([WARN, FAIL], FAIL), ([FAIL], FAIL)])
def test_verdict(severities, word):
    assert verdict(Cause("link", severity, "is", "do") for severity in severities) == word
    assert verdict({"severity": severity} for severity in severities) == word


@pytest.mark.parametrize(
    ("port", "item"),
    [
        (Port(3), "phy id 3"),
        (Port(3, 3, 0), "phy id 3"),
        (Port(3, 1, 1), "phy id 3 (NPU 1, chip 1)"),
        (Port(0, 0, 0), "phy id 0"),
        (Port(1, 4, None), "phy id 1 (NPU 4)"),
        (Port(1, 2, 0), "phy id 1 (NPU 2, chip 0)"),
    ],
)
def test_how_an_npu_is_named(port, item):
    assert port.item == item

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of a fleet: each fault alone is named once, with its NPU, its peers and a remedy; no fault, no word."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._roce_fleet import compare, ping_tool_for, report, summary
from ansible_collections.npuops.ascend.plugins.module_utils._roce_plan import Npu, plan


def npu(node, phy_id, **more):
    return {
        "phy_id": phy_id,
        "npu_id": phy_id,
        "chip_id": 0,
        "ipaddr": f"10.77.{node}.{10 + phy_id}",
        "netmask": "255.255.0.0",
        "gateway": None,
        "netdetect": "10.77.0.1",
        "link": "UP",
        "net_health": "Success",
        "tls_switch": 0,
        "speed_mbps": 200000,
        "mtu": 1500,
        "lldp": {"port_ifname": f"400GE1/1/{node * 4 + phy_id // 2}:{1 + phy_id % 2}", "system_name": "leaf1"},
        "optical": None,
        "vnic": {"link": "UP", "ipaddr": f"192.168.2.{199 - phy_id}", "netmask": "255.255.255.0"},
        "verdict": "pass",
        "causes": [],
        **more,
    }


def fleet(count, npus=8):
    """Nodes from node1 on, as hccn_check returns them when all is well."""
    return {
        f"node{n}": {
            "npus": [npu(n, p) for p in range(npus)],
            "node": {"driver_version": "25.2.0", "family": "A2", "hccn_conf": {}},
            "problems": [],
        }
        for n in range(1, count + 1)
    }


def cause(check, severity, problem, remedy="do this"):
    return {"check": check, "severity": severity, "sentence": problem, "problem": problem, "remedy": remedy}


def answer(ping, received=3, **more):
    return {
        **ping,
        "transmitted": 3,
        "received": received,
        "loss_pct": round(100 * (3 - received) / 3, 2),
        "avg_ms": 0.1 if received else None,
        "max_ms": 0.2 if received else None,
        "unreachable": False,
        "too_long": False,
        "error": None,
        "duration_s": 2.0,
        **more,
    }


def judged(nodes, mode="auto", received=lambda a, b: 3, groups=None, hosts=None, edit=None):
    made = plan({h: [Npu(n["phy_id"], n["ipaddr"]) for n in v["npus"]] for h, v in nodes.items()}, mode, groups)
    results = {
        host: [answer(p, received((host, p["phy_id"]), (p["peer"], p["peer_phy_id"]))) for p in made.pings_of(host)]
        for host in nodes
    }
    if edit:
        edit(results)
    return report(nodes, made, results, hosts=hosts)


def cut(*ends):
    """Nothing comes through to these ends or from them."""
    return lambda a, b: 0 if {a, b} & set(ends) else 3


def only(found):
    assert len(found["problems"]) == 1, summary(found)
    problem = found["problems"][0]
    assert problem["remedy"] and problem["sentence"].startswith(f"{problem['host']}: ")
    return problem


def place(problem):
    return problem["check"], problem["severity"], problem["host"], problem["phy_ids"]


@pytest.mark.parametrize(
    ("count", "mode"), [(1, "auto"), (2, "auto"), (3, "rail"), (4, "ring"), (5, "full"), (16, "rail")]
)
def test_a_healthy_fleet_gives_no_word(count, mode):
    found = judged(fleet(count), mode)
    assert found["verdict"] == "pass" and found["problems"] == []
    assert {row["verdict"] for row in found["npus"] + found["hosts"]} == {"pass"}
    assert found["counts"]["pairs"] == found["counts"]["pairs_pass"] == len(found["pairs"])
    assert summary(found)[0].startswith(f"RoCE PASS: {8 * count} NPUs of {count} node")


@given(seed=st.integers(0, 10**6), count=st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_irregular_addresses_are_no_fault(seed, count):
    """As clouds give them: any segment, any netmask, gateways, netdetect and switches; only never contradictory."""
    rng = random.Random(seed)
    nodes = fleet(count)
    used = set()
    for node in nodes.values():
        for entry in node["npus"]:
            segment = rng.choice([n for n in range(400) if n not in used])
            used.add(segment)
            length, mask = rng.choice([(24, "255.255.255.0"), (27, "255.255.255.224"), (20, "255.255.240.0")])
            entry["ipaddr"] = f"{rng.choice([29, 100])}.{segment // 16}.{segment % 16 * 16}.{rng.randint(2, 28)}"
            entry["netmask"] = mask
            entry["gateway"] = entry["netdetect"] = entry["ipaddr"].rsplit(".", 1)[0] + ".1"
            entry["lldp"] = rng.choice(
                [None, {"port_ifname": f"25GE1/0/{rng.randint(1, 48)}", "system_name": f"tor{rng.randint(1, 9)}"}]
            )
            assert length
    if count == 2:  # two nodes have no majority, so one in the order of its phy ids is all there is to go by
        nodes["node1"]["npus"][0]["lldp"] = None
        nodes["node2"]["npus"][0]["lldp"] = None
    assert judged(nodes)["problems"] == []


@pytest.mark.parametrize(("count", "mode"), [(2, "full"), (3, "rail"), (4, "ring"), (5, "rail"), (3, "full")])
def test_an_npu_that_nobody_reaches(count, mode):
    found = judged(fleet(count), mode, cut(("node2", 3)))
    problem = only(found)
    assert place(problem) == ("isolated", "fail", "node2", [3])
    assert "reaches none of" in problem["problem"] and "port 400GE1/1/9:2 of leaf1" in problem["remedy"]
    assert {(peer["host"], peer["phy_id"]) for peer in problem["peers"]} == {
        (pair["host"], pair["phy_id"]) if pair["peer"] == "node2" else (pair["peer"], pair["peer_phy_id"])
        for pair in found["pairs"]
        if pair["verdict"] == "fail"
    }
    assert [(r["host"], r["phy_id"]) for r in found["npus"] if r["verdict"] == "fail"] == [("node2", 3)]
    assert {r["host"]: r["verdict"] for r in found["hosts"]}["node1"] == "pass"


def test_with_one_peer_alone_both_ends_are_named_unless_a_node_knows():
    nodes = fleet(2)
    problem = only(judged(nodes, "rail", cut(("node2", 3))))
    assert place(problem) == ("path", "fail", "node1", [3]) and problem["peers"] == [{"host": "node2", "phy_id": 3}]
    assert "cannot be told" in problem["problem"]
    nodes["node2"]["npus"][3].update(
        link="DOWN",
        causes=[cause("link", "fail", "has its link DOWN", "seat the cable."), cause("net_health", "fail", "x")],
    )
    problem = only(judged(nodes, "rail", cut(("node2", 3))))
    assert place(problem) == ("isolated", "fail", "node2", [3])
    assert "it has its link DOWN" in problem["problem"] and problem["remedy"] == "seat the cable"


def test_machines_without_ports_are_left_out_and_named():
    nodes = fleet(2)
    nodes["card"] = {"npus": [], "node": {"family": "310P", "roce_ports": False}, "problems": []}
    found = judged(nodes, "rail")
    assert (found["verdict"], found["problems"]) == ("pass", [])
    assert "16 NPUs of 2 nodes" in summary(found)[0]
    assert "left out, because their NPUs have no RoCE ports: card (310P)" in summary(found)


def test_one_node_alone_proves_nothing_between_nodes():
    assert any("nothing is proven between nodes: there is one node only" in line for line in summary(judged(fleet(1))))
    assert not any("nothing is proven" in line for line in summary(judged(fleet(2))))


def test_npus_without_a_partner_are_told():
    nodes = fleet(3)
    nodes["node1"]["npus"] = nodes["node1"]["npus"][:4]
    nodes["node2"]["npus"] = nodes["node2"]["npus"][:6]
    found = judged(nodes, "rail")
    assert found["verdict"] == "pass"
    assert "not pinged: phy ids 6-7 of node3: no other node has a peer for it in rail mode" in summary(found)


def routed(count):
    """Every node in a network of its own, behind routers."""
    nodes = fleet(count)
    for number, node in enumerate(nodes.values(), 1):
        for entry in node["npus"]:
            entry.update(netmask="255.255.255.0", gateway=f"10.77.{number}.1", netdetect=f"10.77.{number}.1")
    return nodes


@pytest.mark.parametrize(("count", "mode"), [(2, "rail"), (3, "full"), (4, "ring")])
def test_an_npu_without_gateway_behind_routers(count, mode):
    nodes = routed(count)
    assert judged(nodes, mode)["problems"] == []
    nodes["node2"]["npus"][5]["gateway"] = None
    problem = only(judged(nodes, mode, cut(("node2", 5))))
    assert place(problem) == ("isolated", "fail", "node2", [5])
    assert "it has no gateway, and they are in other networks" in problem["problem"]
    assert "-i 5 -gateway -s gateway" in problem["remedy"]


def test_between_super_pods_there_is_roce_only():
    nodes = fleet(2, 2)
    for number, node in enumerate(nodes.values()):
        node["node"].update(family="A3", super_pod_id=0)
        for entry in node["npus"]:
            entry["vnic"] = {"link": "UP", "ipaddr": f"192.{number}.2.{199 - entry['phy_id']}"}
    assert ping_tool_for(nodes) == "hccs_ping"
    nodes["node2"]["node"]["super_pod_id"] = None
    assert ping_tool_for(nodes) == "hccs_ping"
    nodes["node2"]["node"]["super_pod_id"] = 1
    assert ping_tool_for(nodes) == "ping"


def test_an_npu_that_stopped_answering_is_not_well_because_it_is_reached():
    """What was not asked any more, say its TLS switch, may be wrong."""
    nodes = fleet(3)
    silent = cause("net_health", "fail", "gave no answer within 30 s")
    nodes["node2"]["npus"][3]["causes"] = [{**silent, "silent": True}]
    assert only(judged(nodes, "rail"))["severity"] == "fail"
    nodes["node2"]["npus"][3]["causes"] = [silent]
    assert only(judged(nodes, "rail"))["severity"] == "warn"


def test_a_ping_outranks_what_the_port_says():
    nodes = fleet(2)
    nodes["node1"]["npus"][2].update(net_health="Fault", causes=[cause("net_health", "fail", "has net health Fault")])
    problem = only(judged(nodes))
    assert place(problem) == ("net_health", "warn", "node1", [2]) and "pings come back" in problem["problem"]


def test_several_faults_are_told_apart():
    nodes = fleet(4)
    found = judged(nodes, "rail", cut(("node1", 1), ("node2", 3), ("node3", 3)))
    assert sorted(place(p)[2:] for p in found["problems"]) == [("node1", [1]), ("node2", [3]), ("node3", [3])]
    assert {p["check"] for p in found["problems"]} == {"isolated"}


def test_many_links_down_are_one_sentence():
    nodes = fleet(2)
    for entry in nodes["node2"]["npus"]:
        entry["causes"] = [
            cause("link", "fail", "has its link DOWN", f"run `hccn_tool -i {entry['phy_id']} -link -s up`")
        ]
    problem = only(judged(nodes, "full", lambda a, b: 0))
    assert place(problem) == ("isolated", "fail", "node2", list(range(8)))
    assert "-i N -link" in problem["remedy"]


def test_a_node_apart():
    found = only(judged(fleet(4), "rail", lambda a, b: 0 if "node3" in (a[0], b[0]) else 3))
    assert place(found) == ("node_isolated", "fail", "node3", list(range(8)))
    both = only(judged(fleet(2), "full", lambda a, b: 0))
    assert both["check"] == "node_isolated" and {peer["host"] for peer in both["peers"]} == {"node2"}


def test_one_path():
    ends = {("node1", 2), ("node4", 2)}
    problem = only(judged(fleet(4), "rail", lambda a, b: 0 if {a, b} == ends else 3))
    assert place(problem) == ("path", "fail", "node1", [2]) and problem["peers"] == [{"host": "node4", "phy_id": 2}]
    assert "from port 400GE1/1/5:1 of leaf1 to port 400GE1/1/17:1 of leaf1" in problem["remedy"]
    problem = only(judged(fleet(4), "rail", lambda a, b: 0 if (a, b) == (("node4", 2), ("node1", 2)) else 3))
    assert "(only from node4)" in problem["problem"]


def test_an_npu_that_gets_no_answers_but_is_reached():
    problem = only(judged(fleet(4), "rail", lambda a, b: 0 if a == ("node2", 5) else 3))
    assert place(problem) == ("isolated", "fail", "node2", [5]) and "though they reach it" in problem["problem"]


def test_a_split_fabric_is_one_problem():
    halves = {"node1": 0, "node2": 0, "node3": 1, "node4": 1}
    problem = only(judged(fleet(4), "rail", lambda a, b: 3 if halves[a[0]] == halves[b[0]] else 0))
    assert place(problem) == ("split", "fail", "node1", list(range(8)))
    assert "32 pairs" in problem["problem"]
    rails = only(judged(fleet(4), "full", lambda a, b: 3 if a[1] == b[1] else 0))
    assert rails["check"] == "split" and rails["severity"] == "warn" and "rail mode" in rails["remedy"]


@pytest.mark.parametrize(("count", "mode"), [(2, "full"), (4, "rail"), (8, "rail")])
@pytest.mark.parametrize("seed", range(5))
def test_loss_of_one_npu(count, mode, seed):
    rng = random.Random(seed)
    lossy = ("node1", 5)

    def received(a, b):
        return sum(rng.random() > 0.3 for _packet in range(3)) if lossy in (a, b) else 3

    found = judged(fleet(count), mode, received)
    problem = only(found)
    assert place(problem) == ("loss", "fail", "node1", [5]) and "%" in problem["problem"]


def test_loss_of_a_node():
    rng = random.Random(3)
    found = judged(
        fleet(4), "rail", lambda a, b: sum(rng.random() > 0.3 for _packet in range(3)) if "node2" in (a[0], b[0]) else 3
    )
    assert place(only(found)) == ("node_loss", "fail", "node2", list(range(8)))


def test_loss_may_be_allowed():
    nodes = fleet(2)
    made = plan({h: [Npu(n["phy_id"], n["ipaddr"]) for n in v["npus"]] for h, v in nodes.items()})
    results = {host: [answer(p, 2) for p in made.pings_of(host)] for host in nodes}
    assert report(nodes, made, results)["verdict"] == "fail"
    assert report(nodes, made, results, max_loss_pct=34)["verdict"] == "pass"


def test_tls_mtu_and_speed_differ():
    for key, value, check, severity in (
        ("tls_switch", 1, "tls", "fail"),
        ("mtu", 9000, "mtu", "fail"),
        ("speed_mbps", 100000, "speed", "warn"),
    ):
        nodes = fleet(2)
        nodes["node2"]["npus"][3].update({key: value, "causes": [cause(check, "fail", "differs on the node")]})
        problem = only(judged(nodes))
        assert place(problem) == (check, severity, "node2", [3]) and str(value) in problem["problem"]
        nodes["node1"]["npus"][0][key] = None
        assert only(judged(nodes))["phy_ids"] == [3]


def test_only_nodes_that_serve_together_need_the_same():
    nodes = fleet(4)
    for host in ("node3", "node4"):
        nodes[host]["node"]["driver_version"] = "24.1.0"
        for entry in nodes[host]["npus"]:
            entry["tls_switch"] = 1
    pairs = [["node1", "node2"], ["node3", "node4"]]
    assert judged(nodes, groups=pairs)["problems"] == []
    assert {p["check"] for p in judged(nodes)["problems"]} == {"tls", "driver"}


def test_drivers_differ_within_a_family():
    nodes = fleet(3)
    nodes["node2"]["node"]["driver_version"] = "24.1.0"
    assert place(only(judged(nodes))) == ("driver", "warn", "node2", [])
    nodes["node2"]["node"]["family"] = "A3"
    assert judged(nodes)["problems"] == []


def test_an_address_used_twice():
    nodes = fleet(3)
    nodes["node2"]["npus"][3].update(ipaddr="10.77.1.13")
    problem = only(judged(nodes, "rail"))
    assert place(problem) == ("duplicate", "fail", "node2", [3]) and problem["peers"] == [
        {"host": "node1", "phy_id": 3}
    ]
    lost = only(judged(nodes, "rail", lambda a, b: 0 if a == ("node2", 3) and b[0] == "node3" else 3))
    assert place(lost)[:3] == ("duplicate", "fail", "node2") and "does not reach" in lost["problem"]
    apart = judged(nodes, groups=[["node1", "node3"], ["node2"]])
    assert [p["severity"] for p in apart["problems"]] == ["warn"]


def test_vnic_addresses_count_only_where_they_are_pinged():
    nodes = fleet(2)
    assert compare(nodes) == []
    assert {finding.check for finding in compare(nodes, pinged="vnic")} == {"duplicate"}


def test_a_wrong_netmask_is_the_cause_once_pings_fail():
    nodes = fleet(3)
    nodes["node2"]["npus"][3]["netmask"] = "255.255.255.0"
    problem = only(judged(nodes, "rail"))
    assert place(problem) == ("netmask", "warn", "node2", [3]) and "10.77.0.0/16" in problem["problem"]
    problem = only(judged(nodes, "rail", cut(("node2", 3))))
    assert place(problem) == ("netmask", "fail", "node2", [3]) and "none of 2 peers" in problem["problem"]
    assert "255.255.0.0" in problem["remedy"]
    wide = fleet(3)
    wide["node1"]["npus"][0]["netmask"] = "255.0.0.0"
    assert place(only(judged(wide))) == ("netmask", "warn", "node1", [0])


def test_a_wrong_netmask_on_a_whole_node_is_one_problem():
    nodes = fleet(2)
    for entry in nodes["node2"]["npus"]:
        entry["netmask"] = "255.255.255.0"
    problem = only(judged(nodes, "full", lambda a, b: 0))
    assert place(problem) == ("netmask", "fail", "node2", list(range(8))) and len(problem["sentence"]) < 500


def swap(nodes, host, one, other):
    first, second = nodes[host]["npus"][one], nodes[host]["npus"][other]
    first["lldp"], second["lldp"] = second["lldp"], first["lldp"]


@pytest.mark.parametrize("count", [2, 3, 6])
def test_swapped_cables(count):
    nodes = fleet(count)
    swap(nodes, "node2", 2, 5)
    problem = only(judged(nodes))
    assert place(problem) == ("swapped", "warn", "node2", [2, 5])
    assert "phy id 2 is on port 400GE1/1/10:2 of leaf1" in problem["problem"]
    problem = only(judged(nodes, "rail", cut(("node2", 2), ("node2", 5))))
    assert place(problem) == ("swapped", "fail", "node2", [2, 5])


def test_another_cabling_is_no_fault():
    """A switch for each rail; all nodes in one odd order; and each in its own."""
    rails, odd, own = fleet(4), fleet(4), fleet(4)
    for n, node in enumerate(rails.values()):
        for entry in node["npus"]:
            entry["lldp"] = {"port_ifname": f"400GE1/0/{n + 1}", "system_name": f"leaf{entry['phy_id'] + 1}"}
    for host in odd:
        swap(odd, host, 0, 7)
    for n, host in enumerate(own):
        swap(own, host, n, n + 1)
    for nodes in (rails, odd, own):
        assert judged(nodes)["problems"] == []
    swap(rails, "node4", 6, 7)
    assert place(only(judged(rails))) == ("swapped", "warn", "node4", [6, 7])


def test_netdetect():
    nodes = fleet(2)
    nodes["node1"]["npus"][0]["netdetect"] = "10.77.0.9"
    assert place(only(judged(nodes))) == ("netdetect", "warn", "node1", [0])
    nodes["node1"]["npus"][0]["netdetect"] = "10.77.1.10"
    problem = only(judged(nodes))
    assert place(problem) == ("netdetect", "warn", "node1", [0]) and "is its own" in problem["problem"]
    for n, node in enumerate(nodes.values()):
        for entry in node["npus"]:  # each looks at its peer, as many sites do
            entry["netdetect"] = f"10.77.{2 - n}.{10 + entry['phy_id']}"
    assert judged(nodes)["problems"] == []


def test_who_is_silent_is_named_and_proves_nothing():
    nodes = fleet(3)

    def host_lost(results):
        del results["node2"]

    # The others reached it, so only its own pings are missing.
    problem = only(judged(nodes, "rail", edit=host_lost))
    assert place(problem) == ("no_result", "warn", "node2", list(range(8)))

    def busy(results):
        results["node1"] = [
            answer(p, 0, transmitted=0, error="hccn_tool was busy for 20 s") if p["phy_id"] == 4 else p
            for p in results["node1"]
        ]

    problem = only(judged(nodes, "rail", edit=busy))
    assert place(problem) == ("no_result", "warn", "node1", [4]) and "busy for 20 s" in problem["problem"]
    found = judged(nodes, "rail", edit=lambda results: results.clear())
    assert found["verdict"] == "fail" and found["counts"]["pairs_unknown"] == 24
    assert [place(p)[2] for p in found["problems"]] == ["node1", "node2", "node3"]
    problem = only(judged(nodes, "rail", hosts=["node1", "node2", "node3", "node9"]))
    assert place(problem) == ("absent", "fail", "node9", [])


def test_packets_that_are_too_long():
    nodes = fleet(2)

    def long(results):
        results["node1"] = [
            answer(p, 0, transmitted=0, too_long=True) if p["phy_id"] == 4 else p for p in results["node1"]
        ]

    problem = only(judged(nodes, edit=long))
    assert place(problem) == ("mtu", "fail", "node1", [4])
    nodes["node1"]["npus"][4]["mtu"] = 1400
    assert place(only(judged(nodes, edit=long))) == ("mtu", "fail", "node1", [4])


def test_a_lossy_npu_is_named_once_though_all_packets_of_a_pair_were_lost():
    nodes = fleet(2)
    nodes["node2"]["npus"][3]["causes"] = [cause("net_health", "warn", "has net health Receive timeout")]
    lost = {0: 0, 5: 0}  # peers from which nothing came through, of node1

    def received(a, b):
        pair = dict((a, b))
        return lost.get(pair["node1"], 2) if pair["node2"] == 3 else 3

    problem = only(judged(nodes, "full", received))
    assert place(problem) == ("loss", "fail", "node2", [3])
    assert "it loses packets (" in problem["problem"] and "with 8 of 8 peers" in problem["problem"]


def test_of_two_nodes_apart_the_one_that_notices_it_is_named():
    nodes = fleet(2)
    for row in nodes["node2"]["npus"]:
        row["causes"] = [cause("net_health", "warn", "has net health Receive timeout")]
    problem = only(judged(nodes, "full", lambda a, b: 0))
    assert place(problem) == ("node_isolated", "fail", "node2", list(range(8)))


@pytest.mark.parametrize("mode", ["rail", "full"])
def test_an_npu_that_drops_large_packets_is_named_once_by_its_mtu(mode):
    nodes = fleet(2)
    nodes["node2"]["npus"][4]["mtu"] = 1280
    problem = only(judged(nodes, mode, cut(("node2", 4))))
    assert place(problem) == ("mtu", "fail", "node2", [4])
    assert "MTU is 1280, but 1500" in problem["problem"] and "reach" in problem["problem"]


def test_an_npu_without_address_is_judged_by_its_node():
    nodes = fleet(2)
    nodes["node1"]["npus"][6].update(ipaddr=None, causes=[cause("ip", "fail", "has no RoCE address")])
    found = judged(nodes)
    assert place(only(found)) == ("ip", "fail", "node1", [6])
    row = next(row for row in found["npus"] if (row["host"], row["phy_id"]) == ("node1", 6))
    assert row["not_pinged"] == "its address is not known" and row["verdict"] == "fail" and row["peers"] == 0


def test_problems_of_a_node_are_kept():
    nodes = fleet(2)
    conf = {"host": "node2", "item": "hccn_conf", "problem": "there is none", "remedy": "write it", "phy_ids": []}
    nodes["node2"]["problems"] = [{**conf, "check": "hccn_conf", "severity": "fail", "sentence": "node2: x; y."}]
    found = judged(nodes)
    assert place(only(found)) == ("hccn_conf", "fail", "node2", [])
    assert {row["host"]: row["verdict"] for row in found["hosts"]} == {"node1": "pass", "node2": "fail"}


@given(data=st.data(), count=st.integers(3, 9), mode=st.sampled_from(["rail", "full"]))
@settings(max_examples=60, deadline=None)
def test_any_few_dead_npus_are_exactly_the_ones_named(data, count, mode):
    """As long as every NPU keeps two peers that work, the dead ones can be told from their peers."""
    ends = [(f"node{n}", p) for n in range(1, count + 1) for p in range(4)]
    most = (count - 1) // 2 - (mode == "rail" and count < 5)
    rails = {p: [e for e in ends if e[1] == p] for p in range(4)}
    dead = set()
    for members in rails.values():
        dead |= data.draw(st.sets(st.sampled_from(members), max_size=max(most, 0)))
    dead = {end for end in dead if sum(other[0] == end[0] for other in dead) < 4}
    found = judged(fleet(count, 4), mode, cut(*dead))
    named = {(p["host"], phy_id) for p in found["problems"] for phy_id in p["phy_ids"]}
    assert named == dead


@given(
    seed=st.integers(0, 10**6),
    count=st.integers(2, 6),
    mode=st.sampled_from(["rail", "full", "ring"]),
    share=st.sampled_from([0.02, 0.2, 0.6, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_whatever_fails_is_said(seed, count, mode, share):
    """Any mess: each pair that fails, and each without a result, is named by a failure or by a split."""
    rng = random.Random(seed)
    nodes = fleet(count, 4)

    def mess(results):
        for host in results:
            results[host] = [p if rng.random() > share else rng.choice(mess_of(p)) for p in results[host]]
            results[host] = [p for p in results[host] if p]

    def mess_of(ping):
        return [answer(ping, 0), answer(ping, 1), answer(ping, 0, transmitted=0, error="busy"), None] + [
            answer(ping, 0, too_long=True)
        ]

    for node in nodes.values():
        for entry in node["npus"]:
            if rng.random() < share / 3:
                entry["causes"] = [cause(rng.choice(["link", "net_health", "optical", "ip"]), "fail", "is odd")]
    found = judged(nodes, mode, edit=mess)
    named = set()
    for problem in found["problems"]:
        if problem["severity"] == "fail" or problem["check"] == "split":
            named |= {(problem["host"], phy_id) for phy_id in problem["phy_ids"]}
    for pair in found["pairs"]:
        if pair["verdict"] != "pass":
            assert named & {(pair["host"], pair["phy_id"]), (pair["peer"], pair["peer_phy_id"])}, pair
    assert (found["verdict"] == "pass") == (not found["problems"])
    assert summary(found)


def test_over_hccs_the_roce_port_is_no_reason():
    nodes = fleet(2)
    for number, host in enumerate(nodes):
        for entry in nodes[host]["npus"]:
            entry["vnic"]["ipaddr"] = f"192.168.{number}.{199 - entry['phy_id']}"
    nodes["node1"]["npus"][3]["causes"] = [cause("link", "fail", "has its link DOWN")]
    nodes["node2"]["npus"][3]["causes"] = [cause("vnic", "fail", "has its vNIC DOWN")]
    made = plan({h: [Npu(n["phy_id"], n["vnic"]["ipaddr"]) for n in v["npus"]] for h, v in nodes.items()}, "rail")
    results = {host: [answer(p, 0 if p["phy_id"] == 3 else 3) for p in made.pings_of(host)] for host in nodes}
    problems = report(nodes, made, results, pinged="vnic")["problems"]
    assert [place(p) for p in problems] == [("isolated", "fail", "node2", [3]), ("link", "fail", "node1", [3])]


def test_64_nodes_are_judged_at_once():
    nodes = fleet(64)
    made = plan({h: [Npu(n["phy_id"], n["ipaddr"]) for n in v["npus"]] for h, v in nodes.items()}, "rail")
    results = {
        host: [
            answer(p, 0 if ("node40", 2) in ((host, p["phy_id"]), (p["peer"], p["peer_phy_id"])) else 3)
            for p in made.pings_of(host)
        ]
        for host in nodes
    }
    started = time.process_time()
    assert place(only(report(nodes, made, results))) == ("isolated", "fail", "node40", [2])
    assert time.process_time() - started < 4

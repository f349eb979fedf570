# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""roce_plan, the filter roce_pings and roce_report called one after the other, as a play does."""

from __future__ import annotations

import json
import stat

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.npuops.ascend.plugins.filter.roce_pings import roce_pings
from ansible_collections.npuops.ascend.plugins.module_utils import _roce_fleet_types
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check import Port
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_report import npu_result
from ansible_collections.npuops.ascend.plugins.modules import roce_plan, roce_report


def node(number, family="A2", npus=8):
    """What hccn_check returns for a node that is well."""
    ports = [
        Port(
            phy_id,
            phy_id,
            0,
            {
                "ip": {"ipaddr": f"10.77.{number}.{10 + phy_id}", "netmask": "255.255.0.0"},
                "link": "UP",
                "tls": {"tls_switch": 0},
                "vnic": {"link": "UP", "ipaddr": f"192.168.{number}.{199 - phy_id}", "netmask": "255.255.0.0"},
            },
        )
        for phy_id in range(npus)
    ]
    return {
        "npus": [npu_result(port, ()) for port in ports],
        "node": {"driver_version": "25.2.0", "family": family, "hccn_conf": {}},
        "problems": [],
        "pings": [],
    }


def pinged(plan, host, dead=()):
    return [
        {
            **ping,
            "transmitted": 3,
            "received": 0 if {(host, ping["phy_id"]), (ping["peer"], ping["peer_phy_id"])} & set(dead) else 3,
            "avg_ms": 0.067,
            "max_ms": 0.1,
            "unreachable": False,
            "too_long": False,
            "error": None,
            "duration_s": 2.0,
        }
        for ping in roce_pings(plan, host)
    ]


@pytest.fixture
def call(call_module, tmp_path):
    def run(module, **arguments):
        return call_module(module, _ansible_remote_tmp=str(tmp_path), **arguments)

    return run


def nodes_of(count, **more):
    return {f"node{n}": node(n, **more) for n in range(1, count + 1)}


def documented(module):
    return yaml.safe_load(module.RETURN)


def test_a_play(call, tmp_path):
    nodes = nodes_of(2)
    planned = call(roce_plan, nodes=nodes)
    assert (planned["mode"], planned["ping_tool"]) == ("full", "ping")
    assert planned["rounds"] == planned["bound"] == 8 and planned["ping_count"] == 128 and planned["problems"] == []
    path, page = tmp_path / "network.json", tmp_path / "network.html"
    given = {
        "nodes": nodes,
        "plan": planned["plan"],
        "hosts": list(nodes),
        "json": str(path),
        "html": str(page),
        "mode": "0640",
        "pings": {host: pinged(planned["plan"], host, {("node2", 3)}) for host in nodes},
    }
    dry = call(roce_report, **given, _ansible_check_mode=True)
    assert dry["changed"] and not path.exists() and not page.exists()
    found = call(roce_report, **given)
    assert found["changed"] and found["written"] == found["files"] == [str(page), str(path)]
    assert found["verdict"] == "fail" and len(found["problems"]) == 1
    assert found["summary"][-1].startswith("fail  node2: phy id 3: it reaches none of 8 peers")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and "It reaches none of 8 peers" in text
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["pairs"] == found["pairs"] and len(written["pairs"]) == 64
    assert not call(roce_report, **given)["changed"]
    failed = call(roce_report, **given, strict=True)
    assert failed["failed"] and "node2: phy id 3" in failed["msg"] and failed["npus"]
    for module, result in ((roce_plan, planned), (roce_report, found)):
        returned = documented(module)
        assert set(result) - {"changed", "invocation"} == set(returned)
        for key in ("pairs", "hosts", "problems"):
            if result.get(key) and "contains" in returned[key]:
                assert set(result[key][0]) == set(returned[key]["contains"])
    # The values of hccn_check are documented there.
    told = set(documented(roce_report)["npus"]["contains"]) | set(roce_report.report.__globals__["VALUES"])
    assert set(found["npus"][0]) == told


def test_many_pairs_stay_out_of_the_result(call, tmp_path, monkeypatch):
    monkeypatch.setattr(roce_report, "SHOWN_PAIRS", 10)
    nodes = nodes_of(2)
    plan = call(roce_plan, nodes=nodes)["plan"]
    path = tmp_path / "network.json"
    pings = {host: pinged(plan, host, {("node2", 3)}) for host in nodes}
    found = call(roce_report, nodes=nodes, plan=plan, pings=pings, json=str(path))
    assert len(found["pairs"]) == 8 and len(json.loads(path.read_text(encoding="utf-8"))["pairs"]) == 64


def test_super_pods_are_pinged_over_hccs(call):
    planned = call(roce_plan, nodes=nodes_of(2, family="A3"))
    assert planned["ping_tool"] == planned["plan"]["ping_tool"] == "hccs_ping"
    assert roce_pings(planned["plan"], "node1")[0]["address"] == "192.168.2.199"
    assert call(roce_plan, nodes=nodes_of(2, family="A3"), ping_tool="ping")["ping_tool"] == "ping"
    same = nodes_of(2, family="A3")
    for entry in same["node2"]["npus"]:
        entry["vnic"] = {**entry["vnic"], "ipaddr": f"192.168.1.{199 - entry['phy_id']}"}
    assert call(roce_plan, nodes=same)["ping_tool"] == "ping", "two super pods"
    assert call(roce_plan, nodes=same, ping_tool="hccs_ping")["problems"][0]["check"] == "duplicate"


def test_problems_between_nodes(call):
    nodes = nodes_of(2)
    nodes["node2"]["npus"][3]["tls_switch"] = 1
    nodes["node1"]["npus"][6]["ipaddr"] = None
    planned = call(roce_plan, nodes=nodes, mode="rail")
    assert [problem["phy_ids"] for problem in planned["problems"]] == [[3]]
    assert {(npu["host"], npu["phy_id"]) for npu in planned["not_pinged"]} == {("node1", 6), ("node2", 6)}
    assert set(planned["problems"][0]) == set(documented(roce_plan)["problems"]["contains"])
    failed = call(roce_plan, nodes=nodes, strict=True)
    assert failed["failed"] and "TLS switch is 1" in failed["msg"] and failed["plan"]


def test_groups(call):
    planned = call(roce_plan, nodes=nodes_of(4), groups=[["node1", "node2"], ["node3", "node4"]])
    assert planned["rounds"] == 8 and planned["pairs"] == 128


def test_refusals(call, tmp_path):
    failed = call(roce_plan, nodes={"node1": {"msg": "unreachable"}})
    assert failed["failed"] and "hccn_check" in failed["msg"]
    failed = call(roce_plan, nodes=nodes_of(4), mode="full", max_pings=100)
    assert failed["failed"] and "use rail or ring" in failed["msg"]
    assert call(roce_report, nodes=nodes_of(2), plan={"mode": "full"})["msg"].startswith("plan: this is not a plan")
    plan = call(roce_plan, nodes=nodes_of(2))["plan"]
    failed = call(roce_report, nodes=nodes_of(2), plan=plan, pings={"node1": [{"round": 0}]})
    assert failed["failed"] and "hccn_check" in failed["msg"]
    failed = call(roce_report, nodes=nodes_of(2), plan=plan, json=str(tmp_path / "no" / "network.json"))
    assert failed["failed"] and "directory" in failed["msg"]
    with pytest.raises(AnsibleFilterError, match="roce_pings: this is not a plan"):
        roce_pings({}, "node1")
    assert roce_pings(plan, "node7") == []


def test_severities_are_those_of_the_check():
    from ansible_collections.npuops.ascend.plugins.module_utils import _roce_check

    assert {_roce_check.WARN, _roce_check.FAIL, "pass"} == set(_roce_fleet_types.SEVERITIES)

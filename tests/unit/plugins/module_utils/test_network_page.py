# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network page: every fault is marked where it is, whatever the size of the fleet, in one file."""

from __future__ import annotations

import random

from ansible_collections.npuops.ascend.plugins.module_utils._roce_check import judge
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_report import npu_result
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_types import Port
from ansible_collections.npuops.ascend.plugins.module_utils._roce_fleet import (
    ends_to_ping,
    ping_tool_for,
    pinged_by,
    report,
)
from ansible_collections.npuops.ascend.plugins.module_utils._roce_plan import plan

LIMITS = {"rx_power_low_mw": 0.0912, "rx_power_high_mw": 3.4673, "tx_power_low_mw": 0.1513, "tx_power_high_mw": 3.1623}


def port(node, phy_id, a3, rng, **more):
    """What a healthy NPU answers; node and phy id give its address and, each phy id on a leaf, its switch port."""
    values = {
        "ip": {"ipaddr": f"10.{77 + node // 250}.{node % 250}.{10 + phy_id}", "netmask": "255.0.0.0"},
        "gateway": None,
        "netdetect": "10.0.0.1",
        "link": "UP",
        "net_health": "Success",
        "tls": {"tls_switch": 0},
        "speed": 200000,
        "mtu": 4096,
        "lldp": {"port_ifname": f"400GE1/{node // 40}/{node % 40}", "system_name": f"leaf{phy_id + 1}"},
        "optical": {
            "present": True,
            "vendor_name": "HUAWEI",
            "part_number": "02314EHQ",
            "serial_number": f"SN{node:03}{phy_id:02}",
            "temperature_c": round(rng.uniform(41, 55), 1),
            "temperature_high_c": 75.0,
            "rx_power_mw": [round(rng.uniform(0.55, 1.1), 4) for _lane in range(4)],
            "tx_power_mw": [round(rng.uniform(0.8, 1.2), 4) for _lane in range(4)],
            "rx_los": 0,
            "tx_los": 0,
            **LIMITS,
        },
        "vnic": {"link": "UP", "ipaddr": f"192.168.{node + 1}.{199 - phy_id}", "netmask": "255.255.0.0"},
    }
    if not a3:
        del values["vnic"]
    values.update(more)
    return Port(phy_id, phy_id // 2 if a3 else phy_id, phy_id % 2 if a3 else 0, values)


def fleet(count, npus=8, edits=None, a3=False, name="node{}", seed=1):
    """What hccn_check returns for each of these nodes. C(edits): {(node number, phy id): {check: answer}}."""
    rng, width = random.Random(seed), len(str(count))
    found = {}
    for node in range(1, count + 1):
        ports = [port(node, i, a3, rng, **(edits or {}).get((node, i), {})) for i in range(npus)]
        causes = judge(ports, None, "A3" if a3 else "A2")
        found[name.format(f"{node:0{width}}")] = {
            "npus": [npu_result(one, causes[one.phy_id]) for one in ports],
            "node": {"driver_version": "25.2.0", "family": "A3" if a3 else "A2", "hccn_conf": {}},
            "problems": [],
        }
    return found


def answer(ping, received, rng):
    average = round(rng.gauss(0.06, 0.004), 3)
    return {
        **ping,
        "transmitted": 3,
        "received": received,
        "loss_pct": round(100 * (3 - received) / 3, 2),
        "avg_ms": average if received else None,
        "max_ms": round(average * 1.6, 3) if received else None,
        "unreachable": False,
        "too_long": False,
        "error": None,
        "duration_s": 2.0,
    }


def judged(nodes, mode="auto", received=lambda a, b: 3, hosts=None, groups=None, seed=2):
    """The report, by the real planner and the real judge. C(received): packets of three that come from a to b."""
    rng, tool = random.Random(seed), ping_tool_for(nodes)
    made = plan(ends_to_ping(nodes, tool), mode, groups)
    results = {
        host: [
            answer(ping, received((host, ping["phy_id"]), (ping["peer"], ping["peer_phy_id"])), rng)
            for ping in made.pings_of(host)
        ]
        for host in nodes
    }
    return {**report(nodes, made, results, hosts, pinged_by(tool)), "ping_tool": tool}


def cut(*ends):
    return lambda a, b: 0 if {a, b} & set(ends) else 3


def down():
    """A link without light; the NPU still has what LLDP told last."""
    dark = {"present": True, "rx_power_mw": [0.0] * 4, "tx_power_mw": [0.9] * 4, "rx_los": 15, "tx_los": 0, **LIMITS}
    return {"link": "DOWN", "net_health": "Fault", "speed": None, "optical": dark}


def leaf(number, port_number):
    return {"lldp": {"port_ifname": f"400GE1/0/{port_number}", "system_name": f"leaf{number}"}}


def healthy():
    return judged(fleet(2), "full")


def faulty():
    """A link down, a pair that loses packets, and two cables in each other's place."""
    nodes = fleet(2, edits={(2, 3): down(), (1, 5): leaf(7, 1), (1, 6): leaf(6, 1)})

    def received(a, b):
        if ("node2", 3) in (a, b):
            return 0
        return 2 if {a, b} == {("node1", 1), ("node2", 6)} else 3

    return judged(nodes, "full", received)


def large(mode="rail", count=64):
    """A dead NPU, a dead node, a lossy path, weak light, and a node that was not checked."""
    weak = port(30, 2, False, random.Random(5)).values["optical"]
    nodes = fleet(count, edits={(17, 3): down(), (30, 2): {"optical": {**weak, "rx_power_mw": [0.6, 0.07, 0.7, 0.8]}}})
    lossy = {("node05", 6), ("node44", 6)}

    def received(a, b):
        if ("node17", 3) in (a, b) or "node41" in (a[0], b[0]):
            return 0
        return 1 if {a, b} == lossy else 3

    hosts = list(nodes)
    del nodes["node23"]
    return judged(nodes, mode, received, hosts)


def super_pod():
    return judged(fleet(2, 16, a3=True), "full", cut(("node2", 11)))


def ring():
    nodes = fleet(512, edits={(100, 4): down(), (300, 0): {"tls": {"tls_switch": 1}}})
    return judged(nodes, "ring", cut(("node100", 4)))

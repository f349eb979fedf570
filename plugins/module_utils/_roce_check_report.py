# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of the RoCE ports of a node returns: values, causes and problems as plain data.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._roce_check_bandwidth import bandwidth_problem
from ._roce_check_types import FAIL, WARN, verdict
from ._services import Problem

# What a ping from NPU to NPU that came back refutes.
OUTRANKED = ("link", "net_health", "netdetect")


def npu_result(port, causes, pod=None) -> dict:
    """One entry of C(npus): what was read, None for what is not known, with verdict and causes.

    :arg pod: mapping with the C(sdid) of the NPU in its super pod, None if it is in none or that was not asked.
    """
    optical = port.get("optical")
    return {
        "phy_id": port.phy_id,
        "npu_id": port.npu_id,
        "chip_id": port.chip_id,
        "ipaddr": port.get("ip", "ipaddr"),
        "netmask": port.get("ip", "netmask"),
        "gateway": port.get("gateway", "default_gateway"),
        "netdetect": port.get("netdetect"),
        "link": port.get("link"),
        "net_health": port.get("net_health"),
        "tls_switch": port.get("tls", "tls_switch"),
        "speed_mbps": port.get("speed"),
        "mtu": port.get("mtu"),
        "lldp": port.get("lldp"),
        # Its printed fields say the same twice over, for every NPU of the fleet.
        "optical": optical and {key: value for key, value in optical.items() if key != "fields"},
        "link_stat": port.get("link_stat"),
        "stat": port.get("stat"),
        "vnic": port.get("vnic"),
        "sdid": (pod or {}).get("sdid"),
        "not_supported": list(port.unsupported),
        "verdict": verdict(causes),
        "causes": [cause_result(cause, port) for cause in causes],
    }


def cause_result(cause, port) -> dict:
    return {
        "check": cause.check,
        "severity": cause.severity,
        "sentence": f"{port.item} {_filled(cause.problem, port.phy_id)}",
        "problem": _filled(cause.problem, port.phy_id),
        "remedy": _filled(cause.remedy, port.phy_id),
        "silent": cause.silent,
    }


def outrank(npu: dict, pings) -> dict:
    """An entry of C(npus) after its pings: whom others could reach is not down, whatever link and net health say.

    :arg pings: results of pings from this NPU. One packet that came back is proof enough for the port; whether all
        peers can be reached is another question. An NPU that stopped answering may have any fault it was not asked for.
    """
    if not any((ping.get("received") or 0) > 0 for ping in pings):
        return npu
    causes = [
        {
            **cause,
            "severity": WARN,
            "sentence": f"{cause['sentence']} (but its pings come back)",
            "problem": f"{cause['problem']} (but its pings come back)",
        }
        if cause["check"] in OUTRANKED and cause["severity"] == FAIL and not cause.get("silent")
        else cause
        for cause in npu["causes"]
    ]
    return {**npu, "causes": causes, "verdict": verdict(causes)}


def problems_of(host: str, npus, items: dict, pings=(), tests=(), node=()) -> list:
    """All causes of a node as problems, equal ones of several NPUs as one; what fails before what only warns.

    :arg npus: entries of C(npus). :arg items: {phy_id: how sentences name that NPU}.
    :arg pings: results of pings. :arg tests: of bandwidth tests. :arg node: L(Cause) of the node itself.
    """
    found = [_problem(host, [], c.check, c.check, c.severity, c.problem, c.remedy) for c in node]
    groups: dict = {}
    for npu in npus:
        for cause in npu["causes"]:
            # What differs only in the id is the same trouble; an address in it makes it one of its own.
            words = [cause[key].replace(f"-i {npu['phy_id']} ", "-i N ") for key in ("problem", "remedy")]
            groups.setdefault((cause["check"], cause["severity"], *words), []).append((npu["phy_id"], cause))
    for (check, severity, problem, remedy), members in groups.items():
        ids = [phy_id for phy_id, _cause in members]
        if len(ids) == 1:
            problem, remedy, item = members[0][1]["problem"], members[0][1]["remedy"], items[ids[0]]
        else:
            item = f"phy ids {ranges(ids)}"
        found.append(_problem(host, ids, check, item, severity, problem, remedy))
    tried = [("ping", ping["phy_id"], ping_problem(ping)) for ping in pings]
    tried += [("bandwidth", test["phy_id"], bandwidth_problem(test)) for test in tests]
    for check, phy_id, problem in tried:
        if problem is not None:
            item = items.get(phy_id, f"phy id {phy_id}")
            found.append(_problem(host, [phy_id], check, item, FAIL, *problem))
    return sorted(found, key=lambda problem: problem["severity"] != FAIL)


def ping_problem(ping: dict) -> tuple | None:
    """(problem, remedy) of a ping that did not go as it should, else None."""
    peer = f"phy id {ping['peer_phy_id']} of {ping['peer']} ({ping['address']})"
    if ping["error"] is not None:
        return f"could not ping {peer}: {ping['error']}", ping["remedy"]
    sent, received = ping["transmitted"], ping["received"]
    if ping["too_long"]:
        return (
            f"cannot send packets of this size to {peer}: they are longer than the MTU on the way",
            "set the same MTU on both NPUs and a larger one on the switches",
        )
    if sent and received == sent:
        return None
    if received:
        return (
            f"loses packets to {peer}: {received} of {sent} came back",
            "clean or change the cables and transceivers of both, look at their counters and at those of the switch",
        )
    return (
        f"does not reach {peer}: " + ("unreachable" if ping["unreachable"] else f"none of {sent} packets came back"),
        "look whether one of the two fails with all its peers: then it is that one's cable, port or address; "
        "else compare netmask, gateway and VLAN of both",
    )


def ranges(ids) -> str:
    """C(0-3, 6) of numbers."""
    spans: list = []
    for number in sorted(set(ids)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _problem(host, phy_ids, check, item, severity, problem, remedy) -> dict:
    return {
        **Problem(host, item, problem, remedy.rstrip(".")).to_dict(),
        "check": check,
        "severity": severity,
        "phy_ids": phy_ids,
    }


def _filled(text: str, phy_id: int) -> str:
    return text.replace("{i}", str(phy_id))


__all__ = ["OUTRANKED", "cause_result", "npu_result", "outrank", "ping_problem", "problems_of", "ranges"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a fleet's NPU network, from what each node found of itself and what came of the ping plan.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import Counter

from ._roce_check_report import outrank, problems_of
from ._roce_fleet_bandwidth import bandwidth_words, judge_tests, tests_of
from ._roce_fleet_cables import port_words, swapped
from ._roce_fleet_compare import address_of
from ._roce_fleet_compare import compare as compare_settings
from ._roce_fleet_judge import judge
from ._roce_fleet_pairs import LOSS, NONE, OK, pairs_of, seconds_of
from ._roce_fleet_types import Finding, ends_words, plural, views, words, worst
from ._roce_plan import Npu

# What of an NPU goes into the report besides what came of its pings.
VALUES = (
    "npu_id",
    "chip_id",
    "ipaddr",
    "netmask",
    "gateway",
    "netdetect",
    "link",
    "net_health",
    "tls_switch",
    "speed_mbps",
    "mtu",
    "lldp",
    "optical",
    "vnic",
)
# A fault that is in the path, or in one of two NPUs, counts for both ends.
_SHARED = ("path", "path_loss", "duplicate")
# What hccn_check calls what is called otherwise here.
_CHECK_OF = {"duplicate": "ip", "netmask": "ip"}
SHOWN = 40


def pinged_by(tool):
    """Which addresses a ping tool goes to: V(vnic) or V(ipaddr)."""
    return "vnic" if tool == "hccs_ping" else "ipaddr"


def ping_tool_for(nodes):
    """V(hccs_ping) for the nodes of one A3 super pod, where every NPU has a vNIC address of its own; else V(ping).

    Between super pods there is RoCE only. A node that does not tell its super pod is taken to be in that of the others.
    """
    nodes = {host: node for host, node in nodes.items() if node["npus"]}
    pods = {(node.get("node") or {}).get("super_pod_id") for node in nodes.values()} - {None}
    npus = views(nodes)
    addresses = {address_of(npu, "vnic") for npu in npus.values()}
    pod = all((node.get("node") or {}).get("family") == "A3" for node in nodes.values())
    return (
        "hccs_ping"
        if pod and len(pods) < 2 and npus and None not in addresses and len(addresses) == len(npus)
        else "ping"
    )


def ends_to_ping(nodes, tool):
    """{host: L(_roce_plan.Npu) of each NPU} with the addresses that the tool goes to."""
    ends = {host: [] for host in nodes}
    for (host, phy_id), npu in views(nodes).items():
        ends[host].append(Npu(phy_id, address_of(npu, pinged_by(tool))))
    return ends


def compare(nodes, groups=None, pinged="ipaddr"):
    """Findings between nodes before anybody pinged: settings, addresses, cables. Arguments as for the parts."""
    return compare_settings(nodes, groups, pinged) + list(swapped(nodes))


def report(nodes, plan, results, hosts=None, pinged="ipaddr", max_loss_pct=0.0, tests=None, least=0.0):
    """All that is known of the network, as plain values.

    :arg nodes: {host: what C(hccn_check) returned}. :arg plan: the L(_roce_plan.Plan) that was carried out.
    :arg results: {host: C(pings) of C(hccn_check)}.
    :arg hosts: who should have been checked; those without a result are a problem. None: those in C(nodes).
    :arg pinged: V(ipaddr) or V(vnic): which addresses were pinged. :arg max_loss_pct: loss that is no fault.
    :arg tests: {host: C(bandwidth) of C(hccn_check)}. :arg least: bandwidth that is well, as a share of the speed.
    :returns: hosts, npus, pairs, bandwidth, problems, rounds, bound, mode, seconds, verdict, counts.
    """
    npus = views(nodes)
    found = compare(nodes, plan.groups, pinged)
    pairs = pairs_of(plan, results, max_loss_pct)
    judged, explained = judge(pairs, npus, found, pinged)
    measured = tests_of(tests or {}, npus, least)
    found = _absent(nodes, hosts) + _joined([*judged, *judge_tests(measured, least)]) + found
    ends = _ends(pairs)
    for finding in found:
        for phy_id in finding.phy_ids:
            said = explained.setdefault((finding.host, phy_id), set())
            said.add(_CHECK_OF.get(finding.check, finding.check))
    npus = {end: _after_pings(npu, ends.get(end, []), explained.get(end, ())) for end, npu in npus.items()}
    problems = [finding.to_dict() for finding in found] + _own_problems(nodes, npus)
    problems.sort(key=lambda problem: problem["severity"] != "fail")
    alone = {(npu.host, npu.phy_id): npu.why for npu in [*plan.alone, *plan.skipped]}
    named = _named(problems)
    rows = [
        _npu_row(end, npu, ends.get(end, []), sorted(named.get(end, ())), problems, alone.get(end))
        for end, npu in npus.items()
    ]
    sent = {(row["host"], row["phy_id"]): row["gbits"] for row in measured}
    for row in rows:
        row["bandwidth_gbits"] = sent.get((row["host"], row["phy_id"]))
    counts = Counter(pair.verdict for pair in pairs)
    return {
        "verdict": worst(problem["severity"] for problem in problems),
        "mode": plan.mode,
        "rounds": plan.rounds,
        "bound": plan.bound,
        "seconds": seconds_of(results),
        "counts": {
            "hosts": len(nodes),
            "npus": len(npus),
            "pairs": len(pairs),
            "pairs_pass": counts["pass"],
            "pairs_fail": counts["fail"],
            "pairs_unknown": counts["unknown"],
        },
        "hosts": _host_rows(nodes, plan, rows, problems),
        "npus": rows,
        "pairs": [pair.to_dict() for pair in pairs],
        "bandwidth": measured,
        "problems": problems,
    }


def summary(found):
    """A report in lines for a terminal: what was tried, then every problem with its remedy."""
    counts = found["counts"]
    bare = [row for row in found["hosts"] if not row["roce_ports"]]
    lines = [
        f"RoCE {found['verdict'].upper()}: {plural(counts['npus'], 'NPU')} of "
        f"{plural(counts['hosts'] - len(bare), 'node')}; "
        f"{plural(counts['pairs'], 'pair')} in {plural(found['rounds'], 'round')} ({found['mode']}, "
        f"{found['seconds']:.1f} s): {counts['pairs_pass']} fine, {counts['pairs_fail']} failed, "
        f"{counts['pairs_unknown']} unknown"
    ]
    times = sorted(
        pair["avg_ms"] for pair in found["pairs"] if pair["verdict"] == "pass" and pair["avg_ms"] is not None
    )
    if times:
        lines.append(
            f"round trip of the fine pairs: median {times[len(times) // 2]:.3f} ms, longest {times[-1]:.3f} ms"
        )
    if not counts["pairs"]:
        why = "there is one node only" if counts["hosts"] - len(bare) == 1 else "no NPU has an address and a peer"
        lines.append(f"nothing was pinged, so nothing is proven between nodes: {why}")
    left = {}
    for row in found["npus"] if counts["pairs"] else ():
        if row["not_pinged"]:
            left.setdefault(row["not_pinged"], []).append((row["host"], row["phy_id"]))
    lines += [f"not pinged: {ends_words(ends)}: {why}" for why, ends in sorted(left.items())]
    if bare:
        named = ", ".join(f"{row['host']} ({row['family']})" for row in bare[:SHOWN])
        named += f" and {len(bare) - SHOWN} more" if len(bare) > SHOWN else ""
        lines.append(f"left out, because their NPUs have no RoCE ports: {named}")
    if found["bandwidth"]:
        lines.append(bandwidth_words(found["bandwidth"]))
    lines += [f"{problem['severity']:4}  {problem['sentence']}" for problem in found["problems"][:SHOWN]]
    more = len(found["problems"]) - SHOWN
    return lines + ([f"and {plural(more, 'more problem')}"] if more > 0 else [])


def _absent(nodes, hosts):
    return [
        Finding(
            "absent",
            "fail",
            host,
            [],
            "there is no result of it, so nothing is known of its NPUs",
            "see why the check did not run there, or leave the node out of the run",
        )
        for host in sorted(hosts or ())
        if host not in nodes
    ]


def _joined(findings):
    """NPUs of one node with the same fault in one sentence."""
    groups = {}
    for finding in findings:
        remedy = finding.remedy
        for phy_id in finding.phy_ids:
            remedy = remedy.replace(f"-i {phy_id} ", "-i N ")
        key = (finding.check, finding.severity, finding.host, finding.problem, remedy)
        groups.setdefault(key, []).append(finding)
    joined = []
    for (check, severity, host, problem, remedy), members in groups.items():
        if len(members) == 1:
            joined += members
            continue
        phy_ids = {phy_id for finding in members for phy_id in finding.phy_ids}
        peers = {peer for finding in members for peer in finding.peers}
        joined.append(Finding(check, severity, host, phy_ids, problem, remedy, peers))
    return joined


def _ends(pairs):
    """{end: its pairs}."""
    ends = {}
    for pair in pairs:
        ends.setdefault(pair.a, []).append(pair)
        ends.setdefault(pair.b, []).append(pair)
    return ends


def _after_pings(npu, pairs, said):
    """The NPU without causes that a finding says better, and with those softened which its pings refute."""
    npu = {**npu, "causes": [cause for cause in npu["causes"] if cause["check"] not in said]}
    return outrank(npu, [{"received": pair.loss()[1]} for pair in pairs])


def _own_problems(nodes, npus):
    """What the nodes say of themselves and is not said yet, in the words of hccn_check."""
    own = {}
    for (host, _phy_id), npu in npus.items():
        own.setdefault(host, []).append(npu)
    found = []
    for host in sorted(nodes):
        items = {npu["phy_id"]: words([npu["phy_id"]]) for npu in own.get(host, ())}
        of_node = [problem for problem in nodes[host].get("problems") or () if not problem.get("phy_ids")]
        found += [{**problem, "peers": []} for problem in of_node + problems_of(host, own.get(host, ()), items)]
    return found


def _named(problems):
    """{end: numbers of the problems that count for it}."""
    named = {}
    for number, problem in enumerate(problems):
        ends = [(problem["host"], phy_id) for phy_id in problem["phy_ids"]]
        if problem["check"] in _SHARED:
            ends += [(peer["host"], peer["phy_id"]) for peer in problem["peers"]]
        for end in ends:
            named.setdefault(end, set()).add(number)
    return named


def _npu_row(end, npu, pairs, numbers, problems, alone):
    times = [way.avg_ms for pair in pairs for way in (pair.way_from(end),) if way.avg_ms is not None]
    states = Counter(pair.state for pair in pairs)
    return {
        "host": end[0],
        "phy_id": end[1],
        "verdict": worst(problems[number]["severity"] for number in numbers),
        **{key: npu.get(key) for key in VALUES},
        "switch_port": port_words(npu),
        "peers": len(pairs),
        "peers_fine": states[OK],
        "peers_lossy": states[LOSS],
        "peers_unreached": len(pairs) - states[OK] - states[LOSS] - states[NONE],
        "peers_unknown": states[NONE],
        "avg_ms": round(sum(times) / len(times), 3) if times else None,
        "not_pinged": alone,
        "problems": numbers,
    }


def _host_rows(nodes, plan, rows, problems):
    of_host = {}
    for row in rows:
        of_host.setdefault(row["host"], []).append(row)
    of_node = {}
    for problem in problems:
        of_node.setdefault(problem["host"], []).append(problem["severity"])
    group_of = {host: number for number, hosts in enumerate(plan.groups) for host in hosts}
    return [
        {
            "host": host,
            "verdict": worst([row["verdict"] for row in of_host.get(host, ())] + of_node.get(host, [])),
            "group": group_of.get(host),
            "npus": len(of_host.get(host, ())),
            "driver_version": (nodes[host].get("node") or {}).get("driver_version"),
            "family": (nodes[host].get("node") or {}).get("family"),
            "roce_ports": (nodes[host].get("node") or {}).get("roce_ports", True),
        }
        for host in sorted(nodes)
    ]

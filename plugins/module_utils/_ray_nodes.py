# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a Ray cluster as its head knows them; runs *inside* a serving container, where Ray is.

C(ray status) leaves out dead nodes, counts reserved NPUs in one number and lags by five seconds; the official images
carry Ray without its dashboard, so C(ray list nodes) does not work. The head's node table is right at once, and needs
no driver and no raylet on this host. It is a private interface of Ray: seen to work with Ray 2.48 and 2.60.

    python3 _ray_nodes.py ADDRESS                      prints a JSON list of nodes
    python3 _ray_nodes.py ADDRESS IP=NPUS [IP=NPUS …]  exits with 1 and a line of text unless all are there and free
    python3 _ray_nodes.py ADDRESS drain SECONDS IP …   tells these nodes to take no new work; prints a list of refusals

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import sys
import time

CRITICAL = "npuops_critical_npu_"


def missing(nodes, expected, idle=False):
    """What is not yet there, as sentences.

    :arg nodes: [{"address", "alive", "npus", "npus_free", "critical"}, ...]
    :arg expected: {address: number of NPUs}
    :arg idle: the NPUs must be free as well, as they have to be before a server is started.
    """
    there = {}
    for node in nodes:
        if node["alive"]:
            there.setdefault(node["address"], []).append(node)
    words = []
    for address, wanted in sorted(expected.items()):
        found = there.get(address, [])
        npus, free = sum(node["npus"] for node in found), sum(node["npus_free"] for node in found)
        critical = sorted({npu for node in found for npu in node.get("critical", ())})
        if not found:
            words.append(f"node {address} has not joined")
        elif len(found) > 1:
            words.append(f"node {address} is in the cluster {len(found)} times")
        elif critical:
            sick = f"NPU {', '.join(map(str, critical))} of it is Critical"
            words.append(f"node {address} brings {npus} NPUs instead of {wanted}: {sick}")
        elif npus != wanted:
            words.append(f"node {address} brings {npus} NPUs instead of {wanted}")
        elif idle and free != wanted:
            words.append(f"node {address} has {wanted - free} NPUs reserved by another server")
    return words


def census(nodes, expected):
    """Who is in the table that should not be, or is not any more.

    :returns: {"dead": addresses that were there and are gone, "stale": entries of earlier lives of nodes that are back
        (Ray keeps them until its head starts anew, they do no harm), "duplicates": addresses alive more than once,
        "unexpected": living addresses that nobody asked for, which would take part in serving}
    """
    alive = [node["address"] for node in nodes if node["alive"]]
    gone = [node["address"] for node in nodes if not node["alive"]]
    return {
        "dead": sorted(set(gone) - set(alive)),
        "stale": sum(address in alive for address in gone),
        "duplicates": sorted({address for address in alive if alive.count(address) > 1}),
        "unexpected": sorted(set(alive) - set(expected)) if expected else [],
    }


def read(address):
    """Ask the head at C(host:port); ConnectionError and the like when it does not answer."""
    from ray._private.state import GlobalState
    from ray._raylet import GcsClientOptions

    state = GlobalState()
    state._initialize_global_state(
        GcsClientOptions.create(address, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    )
    # A node whose NPUs are all taken has no NPU key here.
    free = state.available_resources_per_node()
    return [
        {
            "address": node["NodeManagerAddress"],
            "hostname": node["NodeManagerHostname"],
            "alive": bool(node["Alive"]),
            "npus": int(node["Resources"].get("NPU", 0)),
            "npus_free": int(free.get(node["NodeID"], {}).get("NPU", 0)),
            "head": "node:__internal_head__" in node["Resources"],
            "death": node.get("DeathReasonMessage") or None,
            "id": node["NodeID"],
            # Resources of one that role ray gives a node for each NPU it leaves out.
            "critical": sorted(int(name[len(CRITICAL) :]) for name in node["Resources"] if name.startswith(CRITICAL)),
        }
        for node in state.node_table()
    ]


def drain(address, nodes, addresses, seconds):
    """Have living nodes take no new actors and tasks; what runs on them goes on. Sentences on those that refuse.

    As the hidden C(ray drain-node) does it; the reason is one that a node which is at work does not refuse.
    """
    from ray._raylet import GcsClient
    from ray.core.generated import autoscaler_pb2

    client = GcsClient(address=address)
    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    refused = []
    for node in nodes:
        if node["alive"] and node["address"] in addresses:
            until_ms = int((time.time() + seconds) * 1000)
            taken, why = client.drain_node(node["id"], reason, "npuops: ray_state drained", until_ms)
            if not taken:
                refused.append(f"node {node['address']} does not take the wish to be drained: {why}")
    return refused


def main(argv):
    try:
        nodes = read(argv[0])
        if argv[1:2] == ["drain"]:
            sys.stdout.write(json.dumps(drain(argv[0], nodes, argv[3:], float(argv[2]))) + "\n")
            return 0
    except Exception as exc:  # Ray raises a different type in each release; all mean "the head did not answer"
        sys.stderr.write(f"Ray head {argv[0]} does not answer: {type(exc).__name__}: {exc}\n")
        return 2
    if len(argv) == 1:
        sys.stdout.write(json.dumps(nodes) + "\n")
        return 0
    expected = {address: int(npus) for address, npus in (word.split("=") for word in argv[1:])}
    absent = missing(nodes, expected, idle=True)
    if absent:
        sys.stderr.write(f"waiting for Ray: {'; '.join(absent)}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

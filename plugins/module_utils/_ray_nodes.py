# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a Ray cluster as its head knows them; runs *inside* a serving container, where Ray is.

C(ray status) leaves out dead nodes, counts reserved NPUs in one number and lags by five seconds; the official images
carry Ray without its dashboard, so C(ray list nodes) does not work. The head's node table is right at once, and needs
no driver and no raylet on this host. It is a private interface of Ray: seen to work with Ray 2.48 and 2.60.

    python3 _ray_nodes.py ADDRESS                      prints a JSON list of nodes
    python3 _ray_nodes.py ADDRESS IP=NPUS [IP=NPUS …]  exits with 1 and a line of text unless all are there and free

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import sys


def missing(nodes, expected, idle=False):
    """What is not yet there, as sentences.

    :arg nodes: [{"address", "alive", "npus", "npus_free"}, ...]
    :arg expected: {address: number of NPUs}
    :arg idle: the NPUs must be free as well, as they have to be before a server is started.
    """
    there = {}
    for node in nodes:
        if node["alive"]:
            npus, free = there.get(node["address"], (0, 0))
            there[node["address"]] = (npus + node["npus"], free + node["npus_free"])
    words = []
    for address, wanted in sorted(expected.items()):
        npus, free = there.get(address, (None, None))
        if npus is None:
            words.append(f"node {address} has not joined")
        elif npus != wanted:
            words.append(f"node {address} brings {npus} NPUs instead of {wanted}")
        elif idle and free != wanted:
            words.append(f"node {address} has {wanted - free} NPUs reserved by another server")
    return words


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
        }
        for node in state.node_table()
    ]


def main(argv):
    try:
        nodes = read(argv[0])
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

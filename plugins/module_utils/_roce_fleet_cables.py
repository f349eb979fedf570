# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cables in each other's place: what LLDP says of the switch ports, by the pattern of the other nodes.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Cablings differ from site to site, but within one the nodes are cabled alike: sorted by switch and port, their NPUs
stand in the same order, be it one switch for all, a switch for each rail, or anything between.
"""

from __future__ import annotations

from collections import Counter

from ._roce_fleet_types import Finding, by_host, natural, plural, views

# So many nodes must agree before the order of another one is a mistake and not a habit.
AGREEING = 2 / 3
# Beyond that many NPUs in another place, the node was cabled by another plan.
MOVED_MOST = 4


def port_words(npu):
    """V(port 400GE1/1/5:1 of leaf1), or None where LLDP gives no port."""
    lldp = npu.get("lldp") or {}
    port = lldp.get("port_ifname") or lldp.get("port_id")
    if not port:
        return None
    switch = lldp.get("system_name") or lldp.get("mgmt_ipv4") or lldp.get("chassis_id")
    return f"port {port}" + (f" of {switch}" if switch else "")


def swapped(nodes):
    """Findings about NPUs that are in each other's place at the switches; they name both.

    Of two nodes alone the one is right whose ports are in the order of its phy ids; if neither is, nobody can know.
    """
    orders = {}
    for host in sorted(nodes):
        npus = views(nodes, [host])
        places = {end[1]: _place(npu) for end, npu in npus.items()}
        # Ports without a name, or one name for two of them, have no order.
        known = {phy_id: place for phy_id, place in places.items() if place is not None}
        if len(known) == len(places) > 1 and len({repr(place) for place in known.values()}) == len(known):
            orders.setdefault(tuple(sorted(known)), {})[host] = tuple(sorted(known, key=known.get))
    for phy_ids, hosts in orders.items():
        usual, count = Counter(hosts.values()).most_common(1)[0]
        if len(hosts) == 2 and count == 1 and phy_ids in hosts.values():
            usual = phy_ids
        elif count < max(2, AGREEING * len(hosts)):
            continue
        for host, order in hosts.items():
            if order != usual:
                yield from _moved(nodes, host, order, usual, f"{plural(count, 'other node')}")


def _place(npu):
    lldp = npu.get("lldp") or {}
    port = lldp.get("port_ifname") or lldp.get("port_id")
    switch = lldp.get("system_name") or lldp.get("mgmt_ipv4") or lldp.get("chassis_id")
    return (natural(switch), natural(port)) if port else None


def _moved(nodes, host, order, usual, who):
    """One finding for each closed chain of NPUs that changed places."""
    takes = dict(zip(usual, order))
    away = {phy_id for phy_id in usual if takes[phy_id] != phy_id}
    if len(away) > MOVED_MOST:
        return
    npus = views(nodes, [host])
    while away:
        chain = [min(away)]
        while takes[chain[-1]] != chain[0]:
            chain.append(takes[chain[-1]])
        away -= set(chain)
        ports = ", ".join(f"phy id {phy_id} is on {port_words(npus[host, phy_id])}" for phy_id in sorted(chain))
        phy_ids = by_host((host, phy_id) for phy_id in chain)[host]
        yield Finding(
            "swapped",
            "warn",
            host,
            phy_ids,
            f"by the order of {who} their cables are swapped: {ports}",
            "put each cable where the other nodes have it, and check again",
        )

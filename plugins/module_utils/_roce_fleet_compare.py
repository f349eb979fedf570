# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no node can see alone: settings that differ between nodes that serve together, and addresses used twice.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Addresses may be as irregular as they like (a cloud gives them as it does): only what contradicts itself is named.
"""

from __future__ import annotations

import ipaddress

from ._roce_fleet_types import Finding, by_host, common, end_words, ends_words, plural, views
from ._roce_plan import merge_groups

# (check, key of an NPU, what it is, severity, what follows, remedy for phy id {i} and value {value})
SETTINGS = (
    (
        "tls",
        "tls_switch",
        "TLS switch is {}",
        "fail",
        "HCCL connects NPUs only where all switches are the same",
        "set it as on the others with `hccn_tool -i {i} -tls -s enable {value}`",
    ),
    (
        "mtu",
        "mtu",
        "MTU is {}",
        "fail",
        "large packets to it or from it are lost",
        "set it as on the others with `hccn_tool -i {i} -mtu -s size {value}`",
    ),
    (
        "speed",
        "speed_mbps",
        "speed is {} Mb/s",
        "warn",
        "everybody waits for the slowest",
        "look at the optical module, the cable and the speed of the switch port of phy id {i}",
    ),
)
# An NPU may look at another netdetect address than its neighbours; where nearly all agree, that is an oversight.
NETDETECT_SHARE = 0.75
NETDETECT_LEAST = 4


def compare(nodes, groups=None, pinged="ipaddr"):
    """Findings between nodes; values that a node did not give are no difference.

    :arg nodes: {host: what C(hccn_check) returned}.
    :arg groups: lists of hosts that serve together, as for the ping plan. Only addresses are compared beyond a group.
    :arg pinged: V(ipaddr), or V(vnic) when the vNIC addresses are those the nodes reach each other by.
    """
    found = []
    merged = merge_groups(groups, nodes)
    for hosts in merged:
        npus = views(nodes, hosts)
        for setting in SETTINGS:
            found.extend(_differing(npus, *setting))
        found.extend(_drivers({host: nodes[host].get("node") or {} for host in hosts}))
        found.extend(_netdetect(npus))
        found.extend(_masks(npus))
    found.extend(_twice(views(nodes), "ipaddr", merged))
    if pinged == "vnic":
        found.extend(_twice(views(nodes), "vnic", merged))
    return found


def address_of(npu, kind):
    """The address of an NPU's mapping: of its RoCE port (V(ipaddr)) or of its vNIC (V(vnic)); None without one."""
    return (npu.get("vnic") or {}).get("ipaddr") if kind == "vnic" else npu.get("ipaddr")


def network_of(npu):
    """The network that the NPU believes it can reach without a gateway, or None."""
    try:
        return ipaddress.IPv4Interface(f"{npu['ipaddr']}/{npu['netmask']}").network
    except (KeyError, ValueError):
        return None


def lacks_gateway(npu, peers):
    """Whether an NPU has no gateway, though one of these peers is in another network."""
    network = network_of(npu)
    if network is None or npu.get("gateway"):
        return False
    others = (network_of({**peer, "netmask": "255.255.255.255"}) for peer in peers)
    return any(other is not None and not other.subnet_of(network) for other in others)


def _differing(npus, check, key, what, severity, follows, remedy):
    have = {end: npu[key] for end, npu in npus.items() if npu.get(key) is not None}
    if len(set(have.values())) < 2:
        return
    usual, count = common(have.values())
    example = [end for end, value in have.items() if value == usual][0]
    for host, phy_ids in by_host(end for end, value in have.items() if value != usual).items():
        for value in sorted({have[host, phy_id] for phy_id in phy_ids}):
            odd = [phy_id for phy_id in phy_ids if have[host, phy_id] == value]
            text = f"{what.format(value)}, but {usual} on {count} of {plural(len(have), 'NPU')} ({end_words(example)})"
            then = remedy.format(i=odd[0] if len(odd) == 1 else "N", value=usual)
            yield Finding(check, severity, host, odd, f"{text}: {follows}", then, [example])


def _drivers(facts):
    """Drivers may differ between families of chips, which have packages of their own."""
    for family in sorted({node.get("family") or "" for node in facts.values()}):
        have = {
            host: node["driver_version"]
            for host, node in facts.items()
            if (node.get("family") or "") == family and node.get("driver_version")
        }
        if len(set(have.values())) < 2:
            continue
        usual, count = common(have.values())
        example = [host for host, version in have.items() if version == usual][0]
        for host, version in have.items():
            if version != usual:
                yield Finding(
                    "driver",
                    "warn",
                    host,
                    [],
                    f"its driver is {version}, but {usual} on {count} of {plural(len(have), 'node')} ({example})",
                    "install one driver version on all nodes that serve together",
                )


def _netdetect(npus):
    for end, npu in npus.items():
        if npu.get("netdetect") and npu["netdetect"] == npu.get("ipaddr"):
            yield Finding(
                "netdetect",
                "warn",
                end[0],
                [end[1]],
                f"its netdetect address {npu['netdetect']} is its own: net_health then says nothing about the network",
                "give it the address of the gateway or of an NPU of another node",
            )
    segments = {}
    for end, npu in npus.items():
        network = network_of(npu)
        if network is not None and npu.get("netdetect"):
            segments.setdefault(network, {})[end] = npu["netdetect"]
    for network, have in segments.items():
        usual, count = common(have.values())
        if len(have) < NETDETECT_LEAST or count == len(have) or count < NETDETECT_SHARE * len(have):
            continue
        for end, address in have.items():
            # The one that is detected by the others has to look at somebody else.
            if address != usual and npus[end]["ipaddr"] not in (usual, address):
                yield Finding(
                    "netdetect",
                    "warn",
                    end[0],
                    [end[1]],
                    f"its netdetect address is {address}, but {usual} on {count} of {len(have)} NPUs of {network}",
                    f"set it as on the others with `hccn_tool -i {end[1]} -netdetect -s address {usual}`",
                )


def _masks(npus):
    """NPUs that disagree who is on their segment: one network lies within another, though the other has more NPUs.

    Different segments are fine, and so are different netmasks on different segments.
    """
    members = {}
    for end, npu in npus.items():
        network = network_of(npu)
        if network is not None:
            members.setdefault(network, []).append(end)
    lengths = sorted({network.prefixlen for network in members})
    for inner in sorted(members):
        for length in lengths:
            outer = inner.supernet(new_prefix=length) if length < inner.prefixlen else None
            if outer not in members:
                continue
            # Who is alone is wrong; with as many on both sides, the narrower one, since it cuts itself off.
            wrong, right = (inner, outer) if len(members[inner]) <= len(members[outer]) else (outer, inner)
            example = members[right][0]
            seen = f"while {end_words(example)} counts it to {right}"
            if wrong is outer:
                seen = f"which takes in {right} of {end_words(example)}"
            for host, phy_ids in by_host(members[wrong]).items():
                yield Finding(
                    "netmask",
                    "warn",
                    host,
                    phy_ids,
                    f"netmask is {wrong.netmask}, so the segment is {wrong}, {seen}",
                    f"give it the netmask {right.netmask}, and the same in /etc/hccn.conf",
                    [example],
                )
            break


def _twice(npus, kind, groups):
    owners = {}
    for end, npu in npus.items():
        address = address_of(npu, kind)
        if address:
            owners.setdefault(address, []).append(end)
    group_of = {host: number for number, hosts in enumerate(groups) for host in hosts}
    name = "vNIC address" if kind == "vnic" else "address"
    for address, ends in owners.items():
        if len(ends) < 2:
            continue
        # Named is the one that fits its node worst; nobody can know which of them was there first.
        ends = sorted(ends, key=lambda end: (-_distance(npus, end, kind), end))
        odd, others = ends[0], ends[1:]
        # Nodes that do not serve together may be on fabrics that have nothing to do with each other.
        together = any(group_of.get(odd[0], -1) == group_of.get(host, -2) for host, _phy_id in others)
        yield Finding(
            "duplicate",
            "fail" if together else "warn",
            odd[0],
            [odd[1]],
            f"its {name} {address} is also that of {ends_words(others)}, so packets go to one or the other",
            "give each its own address, here and in /etc/hccn.conf",
            others,
        )


def _distance(npus, end, kind):
    """How far the address is from the nearest one of another NPU of the node."""
    try:
        own = int(ipaddress.IPv4Address(address_of(npus[end], kind)))
        others = [
            int(ipaddress.IPv4Address(address_of(npu, kind)))
            for (host, phy_id), npu in npus.items()
            if host == end[0] and phy_id != end[1] and address_of(npu, kind)
        ]
    except ValueError:
        return 1 << 32
    return min((abs(own - other) for other in others), default=0)

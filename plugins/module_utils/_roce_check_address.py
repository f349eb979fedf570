# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Are the addresses of a RoCE port right, alone and beside the others of its node? Pure decisions.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress

from ._roce_check_types import FAIL, WARN, Cause, Port, usual

# Where the NPUs of one machine talk to each other and to the host.
_INTERNAL = ipaddress.IPv4Network("192.168.1.0/24")


def check_address(port: Port, ports, conf, family):
    if "ip" not in port.values:
        return
    if port.get("ip") is None:
        yield _no_address(port, conf, family)
        return
    address, netmask = port.get("ip", "ipaddr"), port.get("ip", "netmask")
    own = network(address, netmask)
    if own is None:
        yield Cause(
            "ip", FAIL, f"has an address that is none: {address}, netmask {netmask}", _assign("another address")
        )
        return
    ip = ipaddress.IPv4Address(address)
    if ip in _INTERNAL:
        yield Cause(
            "ip", FAIL, f"has the address {address}, but {_INTERNAL} is used inside the machine", _assign("another one")
        )
    elif own.prefixlen < 31 and ip in (own.network_address, own.broadcast_address):
        yield Cause(
            "ip",
            FAIL,
            f"has the address {address}, which with netmask {netmask} is no host of its network {own}",
            _assign("the right netmask"),
        )
    twins = sorted(
        other.phy_id for other in ports if other.phy_id != port.phy_id and other.get("ip", "ipaddr") == address
    )
    if twins:
        yield Cause(
            "ip",
            FAIL,
            f"has the same address {address} as phy id {', '.join(map(str, twins))}",
            _assign("an address of its own"),
        )
    yield from _odd_netmask(port, ports, own)


def _no_address(port: Port, conf, family) -> Cause:
    # On A3 the nodes of a super pod talk over HCCS, whose addresses are those of the vNICs.
    bearable = family == "A3" and port.get("vnic", "link") == "UP" and port.get("vnic", "ipaddr")
    kept = (conf or {}).get(port.phy_id, {}).get("address")
    restore = f"hccn.conf has {kept} for it: bring it back with `hccn_tool -a -cfg recovery`"
    remedy = restore if kept else _assign("one")
    if bearable:
        return Cause("ip", WARN, "has no RoCE address, so that only its super pod can reach it", remedy)
    return Cause("ip", FAIL, "has no RoCE address", remedy)


def _odd_netmask(port: Port, ports, own):
    common = usual(ports, lambda other: other.get("ip", "netmask"))
    address, netmask = port.get("ip", "ipaddr"), port.get("ip", "netmask")
    if common is None or netmask == common:
        return
    wanted = network(address, common)
    gateway = port.get("gateway", "default_gateway")
    cut_off = gateway is not None and _is_in(gateway, wanted) and not _is_in(gateway, own)
    # Providers may give each NPU a network of its own; only neighbours of one network must agree on its size.
    neighbours = any(
        other is not port and other.get("ip", "netmask") == common and _is_in(other.get("ip", "ipaddr"), wanted)
        for other in ports
    )
    if cut_off or neighbours:
        effect = f"so its gateway {gateway} is out of reach" if cut_off else "so peers may be out of reach"
        yield Cause(
            "ip",
            FAIL if cut_off else WARN,
            f"has the netmask {netmask}, but the other NPUs have {common}, {effect}",
            f"set it right with hccn_config, or `hccn_tool -i {{i}} -ip -s address {address} netmask {common}`",
        )


def check_gateway(port: Port, ports):
    gateway = port.get("gateway", "default_gateway")
    own = network(port.get("ip", "ipaddr"), port.get("ip", "netmask"))
    if gateway is None or own is None or _is_in(gateway, own):
        return
    common = usual(ports, lambda other: other.get("ip", "netmask"))
    if common != port.get("ip", "netmask") and _is_in(gateway, network(port.get("ip", "ipaddr"), common)):
        return  # the netmask is what is wrong, and said to be
    yield Cause(
        "gateway",
        FAIL,
        f"has the gateway {gateway}, which is not in its network {own}",
        "correct the netmask or the gateway with hccn_config, or `hccn_tool -i {i} -gateway -s gateway ADDRESS`",
    )


def check_conf(port: Port, conf):
    if conf is None:
        return
    kept = conf.get(port.phy_id, {})
    if port.get("ip") is not None and not kept.get("address"):
        yield Cause(
            "hccn_conf",
            WARN,
            f"has the address {port.get('ip', 'ipaddr')}, which is not in hccn.conf: a restart loses it, "
            "and programs in containers do not find it",
            "write it with hccn_config",
        )
        return
    switch, mtu = port.get("tls", "tls_switch"), port.get("mtu")
    found = {
        "address": port.get("ip", "ipaddr"),
        "netmask": port.get("ip", "netmask"),
        "gateway": port.get("gateway", "default_gateway"),
        "netdetect": port.get("netdetect"),
        "tls_enable": None if switch is None else str(switch),
        "mtu": None if mtu is None else str(mtu),
    }
    differs = [
        f"{key} {kept[key]} (the NPU has {value})"
        for key, value in found.items()
        if value is not None and kept.get(key) not in (None, "", value)
    ]
    if differs:
        yield Cause(
            "hccn_conf",
            WARN,
            f"has other settings than hccn.conf, which a restart brings back: {', '.join(differs)}",
            "let hccn_config set both alike, or take those of the file with `hccn_tool -a -cfg recovery`",
        )


def network(address: str | None, netmask: str | None):
    """The network of an address, or None if either is not there or no such thing."""
    if not address or not netmask:
        return None
    try:
        return ipaddress.IPv4Interface(f"{address}/{netmask}").network
    except ValueError:
        return None


def _is_in(address, net) -> bool:
    try:
        return net is not None and ipaddress.IPv4Address(address) in net
    except ValueError:
        return False


def _assign(what: str) -> str:
    return f"give it {what} with hccn_config, or `hccn_tool -i {{i}} -ip -s address ADDRESS netmask NETMASK`"


__all__ = ["check_address", "check_conf", "check_gateway", "network"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the RoCE port of each NPU of a node well? Pure decisions over what C(hccn_tool) answered.

What one node cannot know (do the nodes agree, do they reach each other) is decided elsewhere. A cause is a V(fail) if
traffic to other nodes cannot work, or was not proven to work, and a V(warn) if it works but not as it should.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field

from ._roce_check_port import check_link_stat, check_optical, check_stat, light

FAIL = "fail"
WARN = "warn"

# In the order they are asked. What tells most comes first, for an NPU that stops answering half-way.
PORT_CHECKS = (
    "link",
    "ip",
    "gateway",
    "netdetect",
    "net_health",
    "tls",
    "lldp",
    "speed",
    "mtu",
    "optical",
    "link_stat",
    "stat",
    "vnic",
)
NODE_CHECKS = ("hccn_conf", "driver")
CHECKS = PORT_CHECKS + NODE_CHECKS

# Without these nothing is known of the port; the others only tell more about it.
_ESSENTIAL = ("link", "ip", "gateway", "net_health", "tls", "vnic")

# Where the NPUs of one machine talk to each other and to the host.
_INTERNAL = ipaddress.IPv4Network("192.168.1.0/24")

_NOBODY_ANSWERS = ("receive timeout", "unreachable", "time exceeded")


@dataclass(frozen=True)
class Cause:
    """Why an NPU is not simply well. ``problem`` continues a sentence that begins with the NPU.

    C({i}) in ``problem`` and ``remedy`` stands for the phy id.
    """

    check: str
    severity: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class NoAnswer:
    """A question without an answer. ``silent``: the NPU did not answer in time, so it was not asked any further."""

    check: str
    reason: str
    remedy: str
    silent: bool = False


@dataclass(frozen=True)
class Port:
    """What is known of the port of one NPU.

    ``values``: {check: answer as plain values, None where the tool says that there is none}; what was not asked, or
    not answered, is not in it. ``unsupported`` are the checks that the driver does not know.
    """

    phy_id: int
    npu_id: int | None = None
    chip_id: int | None = None
    values: dict = field(default_factory=dict)
    no_answers: tuple = ()
    unsupported: tuple = ()

    def get(self, check: str, key: str | None = None):
        """An answer, or one value of it; None if there is none."""
        value = self.values.get(check)
        return value if key is None else (value or {}).get(key)

    @property
    def item(self) -> str:
        """The NPU for sentences: phy id, and NPU and chip where these are other numbers."""
        if self.npu_id is None or (self.npu_id == self.phy_id and not self.chip_id):
            return f"phy id {self.phy_id}"
        chip = f", chip {self.chip_id}" if self.chip_id is not None else ""
        return f"phy id {self.phy_id} (NPU {self.npu_id}{chip})"


def judge(ports, conf: dict | None = None, family: str | None = None) -> dict:
    """{phy_id: tuple of L(Cause)} for the ports of one node.

    :arg conf: {phy_id: {key: value}} of hccn.conf, or None if it is not to be compared.
    :arg family: of the chips, as L(_npu_model.family) names them.
    """
    ports = tuple(ports)
    return {port.phy_id: tuple(_causes(port, ports, conf, family)) for port in ports}


def verdict(causes) -> str:
    """V(pass), V(warn) or V(fail) of causes, or of dicts with a severity."""
    severities = {cause["severity"] if isinstance(cause, dict) else cause.severity for cause in causes}
    return next((word for word in (FAIL, WARN) if word in severities), "pass")


def _causes(port: Port, ports, conf, family):
    yield from _unanswered(port)
    yield from _link(port)
    yield from _address(port, ports, conf, family)
    yield from _gateway(port, ports)
    yield from _net_health(port)
    yield from _tls(port, ports)
    yield from _speed(port, ports)
    yield from _mtu(port, ports)
    yield from _lldp(port, ports)
    up = port.get("link") == "UP"
    others = [other.get("optical") for other in ports if other is not port]
    for check, problem, remedy in (
        *check_optical(port.get("optical"), others, up),
        *check_link_stat(port.get("link_stat")),
        *check_stat(port.get("stat")),
    ):
        yield Cause(check, WARN, problem, remedy)
    yield from _vnic(port, family)
    yield from _conf(port, conf)


def _unanswered(port: Port):
    if "link" in port.unsupported:
        yield Cause(
            "link",
            FAIL,
            "has no RoCE port that hccn_tool knows",
            "leave it out (phy_ids): nothing on it can talk to other nodes",
        )
    reasons: dict = {}
    for missing in port.no_answers:
        if missing.silent:
            yield Cause(missing.check, FAIL, missing.reason, missing.remedy)
        else:
            reasons.setdefault((missing.reason, missing.remedy), []).append(missing.check)
    for (reason, remedy), checks in reasons.items():
        severity = FAIL if set(checks) & set(_ESSENTIAL) else WARN
        yield Cause(checks[0], severity, f"could not be asked for {', '.join(checks)}: {reason}", remedy)


def _link(port: Port):
    link = port.get("link")
    if link in (None, "UP"):
        return
    records = port.get("link_stat", "records") or []
    since = f" since {records[0]['time']}" if records and records[0].get("state") == "DOWN" else ""
    seen = light(port.get("optical"))
    yield Cause(
        "link",
        FAIL,
        f"has its link {link}{since}" + (f"; {seen}" if seen else ""),
        "seat or change the cable and the transceiver, and see that the port of the switch is enabled; "
        "if it was switched off by hand, `hccn_tool -i {i} -link -s up`",
    )


def _address(port: Port, ports, conf, family):
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
    usual = _usual(ports, lambda other: other.get("ip", "netmask"))
    address, netmask = port.get("ip", "ipaddr"), port.get("ip", "netmask")
    if usual is None or netmask == usual:
        return
    wanted = network(address, usual)
    gateway = port.get("gateway", "default_gateway")
    cut_off = gateway is not None and _is_in(gateway, wanted) and not _is_in(gateway, own)
    # Providers may give each NPU a network of its own; only neighbours of one network must agree on its size.
    neighbours = any(
        other is not port and other.get("ip", "netmask") == usual and _is_in(other.get("ip", "ipaddr"), wanted)
        for other in ports
    )
    if cut_off or neighbours:
        effect = f"so its gateway {gateway} is out of reach" if cut_off else "so peers may be out of reach"
        yield Cause(
            "ip",
            FAIL if cut_off else WARN,
            f"has the netmask {netmask}, but the other NPUs have {usual}, {effect}",
            f"set it right with hccn_config, or `hccn_tool -i {{i}} -ip -s address {address} netmask {usual}`",
        )


def _gateway(port: Port, ports):
    gateway = port.get("gateway", "default_gateway")
    own = network(port.get("ip", "ipaddr"), port.get("ip", "netmask"))
    if gateway is None or own is None or _is_in(gateway, own):
        return
    usual = _usual(ports, lambda other: other.get("ip", "netmask"))
    if usual != port.get("ip", "netmask") and _is_in(gateway, network(port.get("ip", "ipaddr"), usual)):
        return  # the netmask is what is wrong, and said to be
    yield Cause(
        "gateway",
        FAIL,
        f"has the gateway {gateway}, which is not in its network {own}",
        "correct the netmask or the gateway with hccn_config, or `hccn_tool -i {i} -gateway -s gateway ADDRESS`",
    )


def _net_health(port: Port):
    health, netdetect = port.get("net_health"), port.get("netdetect")
    asked = "netdetect" in port.values
    word = (health or "").lower()
    if word == "init" or (health is None and asked and netdetect is None and "net_health" not in port.unsupported):
        if asked and netdetect is None:
            # No fault: the NPU has nobody to probe.
            yield Cause(
                "netdetect",
                WARN,
                "has no address to detect its network with, so its net health stays Init",
                "give it one that answers, say the gateway, with hccn_config, "
                "or `hccn_tool -i {i} -netdetect -s address ADDRESS`",
            )
        elif health is not None:
            yield Cause(
                "net_health", WARN, "has net health Init: it has no result yet", "run the check again in a minute"
            )
    elif word in ("", "success") or port.get("link") not in (None, "UP"):
        return  # a broken link explains any word
    elif word in _NOBODY_ANSWERS:
        target = f" {netdetect}" if netdetect else ""
        yield Cause(
            "net_health",
            FAIL,
            f"has net health {health}: its detection address{target} does not answer",
            "see that it answers pings and is no vNIC address, and that the port of the switch is in the right VLAN; "
            "a ping from NPU to NPU decides",
        )
    elif word == "detect ip set":
        yield Cause(
            "net_health",
            WARN,
            f"has net health {health}: its detection address was just set",
            "run the check again in a minute",
        )
    else:
        yield Cause(
            "net_health",
            FAIL,
            f"has net health {health}",
            "look at `hccn_tool -i {i} -link_stat -g` and `npu-smi info -t health`; a ping from NPU to NPU decides",
        )


def _tls(port: Port, ports):
    switch = port.get("tls", "tls_switch")
    usual = _usual(ports, lambda other: other.get("tls", "tls_switch"))
    usual = 0 if usual is None else usual  # half and half: off is the common state
    if switch is None or switch == usual:
        return
    if all(other.get("tls", "tls_switch") in (None, switch) for other in ports):
        return  # all alike; whether the other nodes agree is seen elsewhere
    words = {0: "off", 1: "on"}
    yield Cause(
        "tls",
        FAIL,
        f"has TLS {words.get(switch, switch)}, other NPUs of the node have it {words.get(usual, usual)}",
        f"set it alike everywhere with hccn_config, or `hccn_tool -i {{i}} -tls -s enable {usual}`",
    )


def _speed(port: Port, ports):
    if "speed" not in port.values or port.get("link") not in (None, "UP"):
        return
    speed = port.get("speed")
    if speed is None:
        yield Cause("speed", WARN, "does not tell its speed although its link is UP", "look at the port of the switch")
        return
    usual = _usual(ports, lambda other: other.get("speed")) or max(other.get("speed") or 0 for other in ports)
    if speed != usual:
        yield Cause(
            "speed",
            WARN,
            f"runs at {speed} Mb/s, other NPUs of the node at {usual} Mb/s",
            "compare cable, transceiver and the settings of the port of the switch with those of the other NPUs",
        )


def _mtu(port: Port, ports):
    mtu = port.get("mtu")
    usual = _usual(ports, lambda other: other.get("mtu")) or max(other.get("mtu") or 0 for other in ports)
    if mtu is not None and mtu != usual:
        yield Cause(
            "mtu",
            FAIL,
            f"has MTU {mtu}, other NPUs of the node {usual}: large packets between them are lost",
            f"set it alike everywhere with hccn_config, or `hccn_tool -i {{i}} -mtu -s size {usual}`",
        )


def _lldp(port: Port, ports):
    # Many switches, above all those of providers, do not speak LLDP: one NPU alone without it is odd.
    if "lldp" not in port.values or port.get("lldp", "port_ifname") or port.get("link") not in (None, "UP"):
        return
    telling = sum(1 for other in ports if other.get("lldp", "port_ifname"))
    if telling * 2 > len(ports):
        yield Cause(
            "lldp",
            WARN,
            "hears no LLDP from its switch, while most other NPUs of the node do",
            "see which port its cable goes to, and that LLDP is on there",
        )


def _vnic(port: Port, family):
    if family != "A3" or port.get("vnic") is None:
        return
    link, address = port.get("vnic", "link"), port.get("vnic", "ipaddr")
    if link != "UP" or not address:
        yield Cause(
            "vnic",
            FAIL,
            f"has its vNIC {link}, address {address or 'none'}: HCCS between the nodes does not work",
            "look at `npu-smi info -t spod-info` and the HCCS cables of the super pod; restart the node",
        )


def _conf(port: Port, conf):
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
    switch = port.get("tls", "tls_switch")
    found = {
        "address": port.get("ip", "ipaddr"),
        "netmask": port.get("ip", "netmask"),
        "gateway": port.get("gateway", "default_gateway"),
        "netdetect": port.get("netdetect"),
        "tls_enable": None if switch is None else str(switch),
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


def _usual(ports, read):
    """The value that more than half of the ports have, or None. One port alone has no usual value."""
    seen = [value for value in map(read, ports) if value is not None]
    if len(seen) < 2:
        return None
    value, count = Counter(seen).most_common(1)[0]
    return value if count * 2 > len(seen) else None


def _assign(what: str) -> str:
    return f"give it {what} with hccn_config, or `hccn_tool -i {{i}} -ip -s address ADDRESS netmask NETMASK`"


__all__ = [
    "CHECKS",
    "FAIL",
    "NODE_CHECKS",
    "PORT_CHECKS",
    "WARN",
    "Cause",
    "NoAnswer",
    "Port",
    "judge",
    "network",
    "verdict",
]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the RoCE port of each NPU of a node well? Pure decisions over what C(hccn_tool) answered.

What one node cannot know (do the nodes agree, do they reach each other) is decided elsewhere. A cause is a V(fail) if
traffic to other nodes cannot work, or was not proven to work, and a V(warn) if it works but not as it should.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._roce_check_address import check_address, check_conf, check_gateway
from ._roce_check_port import check_link_stat, check_optical, check_stat, light
from ._roce_check_types import FAIL, WARN, Cause, Port, usual

# Without these nothing is known of the port; the others only tell more about it.
_ESSENTIAL = ("link", "ip", "gateway", "net_health", "tls", "vnic")

_NOBODY_ANSWERS = ("receive timeout", "unreachable", "time exceeded")


def judge(ports, conf: dict | None = None, family: str | None = None) -> dict:
    """{phy_id: tuple of L(Cause)} for the ports of one node.

    :arg conf: {phy_id: {key: value}} of hccn.conf, or None if it is not to be compared.
    :arg family: of the chips, as L(_npu_model.family) names them.
    """
    ports = tuple(ports)
    return {port.phy_id: tuple(_causes(port, ports, conf, family)) for port in ports}


def _causes(port: Port, ports, conf, family):
    yield from _unanswered(port)
    yield from _link(port)
    yield from check_address(port, ports, conf, family)
    yield from check_gateway(port, ports)
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
    yield from check_conf(port, conf)


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
            yield Cause(missing.check, FAIL, missing.reason, missing.remedy, silent=True)
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
    common = usual(ports, lambda other: other.get("tls", "tls_switch"))
    common = 0 if common is None else common  # half and half: off is the common state
    if switch is None or switch == common:
        return
    if all(other.get("tls", "tls_switch") in (None, switch) for other in ports):
        return  # all alike; whether the other nodes agree is seen elsewhere
    words = {0: "off", 1: "on"}
    yield Cause(
        "tls",
        FAIL,
        f"has TLS {words.get(switch, switch)}, other NPUs of the node have it {words.get(common, common)}",
        f"set it alike everywhere with hccn_config, or `hccn_tool -i {{i}} -tls -s enable {common}`",
    )


def _speed(port: Port, ports):
    if "speed" not in port.values or port.get("link") not in (None, "UP"):
        return
    speed = port.get("speed")
    if speed is None:
        yield Cause("speed", WARN, "does not tell its speed although its link is UP", "look at the port of the switch")
        return
    common = usual(ports, lambda other: other.get("speed")) or max(other.get("speed") or 0 for other in ports)
    if speed != common:
        yield Cause(
            "speed",
            WARN,
            f"runs at {speed} Mb/s, other NPUs of the node at {common} Mb/s",
            "compare cable, transceiver and the settings of the port of the switch with those of the other NPUs",
        )


def _mtu(port: Port, ports):
    mtu = port.get("mtu")
    common = usual(ports, lambda other: other.get("mtu")) or max(other.get("mtu") or 0 for other in ports)
    if mtu is not None and mtu != common:
        yield Cause(
            "mtu",
            FAIL,
            f"has MTU {mtu}, other NPUs of the node {common}: large packets between them are lost",
            f"set it alike everywhere with hccn_config, or `hccn_tool -i {{i}} -mtu -s size {common}`",
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


__all__ = ["Port", "judge"]

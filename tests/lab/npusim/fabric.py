# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cables of a lab node let through: packet filter and routes, always derived from the whole state."""

from __future__ import annotations

import ipaddress

from . import vnic, wire
from .model import Chip, Machine, Roce

CHAINS = {"INPUT": "NPUSIM-IN", "OUTPUT": "NPUSIM-OUT"}
LINE_MTU = 1500  # of the lab's network; a port with another one cannot show more
FIRST_TABLE = 2000  # routing table, and preference of the rule to it: 2000 + phy id


def apply(machine: Machine) -> None:
    """Bring packet filter and routes in line with the state. Raises ``wire.WireError``."""
    _filter(rules(machine))
    _routes(routes(machine))


def rules(machine: Machine) -> list[str]:
    """Lines for ``iptables-restore``: nothing for a machine without faults."""
    lines: list[str] = []
    for chip, roce in wire.ports(machine):
        if roce.address is not None:
            lines += _port_rules(chip, roce)
        carrier = vnic.carrier(machine, machine.node, chip.phy_id) if vnic.in_pod(machine) else None
        if carrier is not None and roce.vnic_link != "UP":
            lines += _cut(carrier)
        elif carrier is not None and roce.loss_pct:
            lines.append(_loss(carrier, roce.loss_pct))
    return lines


def routes(machine: Machine) -> dict[int, tuple[str, list[str]]]:
    """Address and routes of ports by phy id, of those whose network or MTU is not that of the node's interface."""
    found: dict[int, tuple[str, list[str]]] = {}
    if machine.roce_network is None:
        return found
    node = ipaddress.IPv4Network(machine.roce_network)
    for chip, roce in wire.ports(machine):
        if roce.address is None:
            continue
        network = ipaddress.IPv4Interface(f"{roce.address}/{roce.netmask or node.netmask}").network
        if network == node and roce.mtu >= LINE_MTU:
            continue
        mtu = f" mtu {roce.mtu}" if roce.mtu < LINE_MTU else ""
        lines = [f"{network} dev {wire.ROCE_INTERFACE} scope link{mtu}"]
        if roce.gateway is not None and ipaddress.IPv4Address(roce.gateway) in network:
            lines.append(f"default via {roce.gateway} dev {wire.ROCE_INTERFACE}{mtu}")
        else:
            lines.append("unreachable default")
        found[chip.phy_id] = (roce.address, lines)
    return found


def _port_rules(chip: Chip, roce: Roce) -> list[str]:
    if roce.link != "UP":
        return _cut(roce.address)
    lines: list[str] = []
    to_port = f"-A {CHAINS['INPUT']} -d {roce.address}/32"
    if roce.rail is not None:  # on the other cable only ports of that rail answer, and the router
        for router in sorted({roce.gateway, roce.netdetect} - {None}):
            lines.append(f"{to_port} -s {router}/32 -j RETURN")
        lines.append(f"{to_port} ! -s 0.0.0.{wire.FIRST_HOST + roce.rail}/0.0.0.255 -j DROP")
    if roce.mtu < LINE_MTU:
        lines.append(f"{to_port} -i {wire.ROCE_INTERFACE} -m length --length {roce.mtu + 1}:65535 -j DROP")
    return lines + ([_loss(roce.address, roce.loss_pct)] if roce.loss_pct else [])


def _cut(address: str | None) -> list[str]:
    return [f"-A {CHAINS['INPUT']} -d {address}/32 -j DROP", f"-A {CHAINS['OUTPUT']} -s {address}/32 -j DROP"]


def _loss(address: str | None, percent: float) -> str:
    return (
        f"-A {CHAINS['INPUT']} -d {address}/32 -i {wire.ROCE_INTERFACE} "
        f"-m statistic --mode random --probability {percent / 100:.4f} -j DROP"
    )


def _filter(lines: list[str]) -> None:
    """Replace the rules in chains of our own, at one go."""
    present = wire.call(["iptables", "-w", "-S"]).stdout.splitlines()
    if not lines and not any(f"-N {chain}" in present for chain in CHAINS.values()):
        return
    if not lines:
        for hook, chain in CHAINS.items():
            for command in (["-D", hook, "-j", chain], ["-F", chain], ["-X", chain]):
                wire.must(["iptables", "-w", *command])
        return
    text = ["*filter", *[f":{chain} - [0:0]" for chain in CHAINS.values()], *lines, "COMMIT", ""]
    wire.must(["iptables-restore", "-w", "--noflush"], "\n".join(text))
    for hook, chain in CHAINS.items():
        if f"-A {hook} -j {chain}" not in present:
            wire.must(["iptables", "-w", "-I", hook, "-j", chain])


def _routes(wanted: dict[int, tuple[str, list[str]]]) -> None:
    """A port's own rule and table; those of other ports are taken away."""
    for line in wire.call(["ip", "-4", "rule", "list"]).stdout.splitlines():
        preference = line.partition(":")[0]
        if preference.isdigit() and FIRST_TABLE <= int(preference) < FIRST_TABLE + 100:
            wire.must(["ip", "-4", "rule", "del", "pref", preference])
            wire.call(["ip", "-4", "route", "flush", "table", preference])
    for phy_id, (address, lines) in wanted.items():
        table = str(FIRST_TABLE + phy_id)
        for line in lines:
            wire.must(["ip", "-4", "route", "add", *line.split(), "table", table])
        wire.must(["ip", "-4", "rule", "add", "pref", table, "from", address, "lookup", table])

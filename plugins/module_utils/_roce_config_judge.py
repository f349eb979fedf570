# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What speaks against a wish for the RoCE ports of a node, and what is wrong with what is there.

Pure. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils._roce_addresses import reserved
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_types import (
    DHCP,
    KEYS,
    ON_DEMAND,
    Port,
    conf_values,
    ipv4,
    shown,
)
from ansible_collections.npuops.ascend.plugins.module_utils._services import Problem

# Below 1280 bytes the tool asks back, because IPv6 ends there; 9702 is its own upper limit.
MTU = (1280, 9702)


def drift_of(port: Port, entries: dict, ours: set) -> dict:
    """``{setting: (in hccn.conf, on the machine)}`` where these differ, without the settings in ``ours``."""
    found = {}
    for setting, value in conf_values(entries).items():
        now = getattr(port, setting)
        skipped = (
            setting in ours or (setting in ON_DEMAND and now is None) or (DHCP in entries and setting not in ON_DEMAND)
        )
        if not skipped and value != now:
            found[setting] = (value, now)
    return found


class Judge:
    """Collects ``refusals`` (L(Problem)). ``found`` and ``entries`` (of hccn.conf) are by phy id."""

    def __init__(
        self, host: str, found: dict, entries: dict, has_conf: bool, family, vnic, reassign: frozenset
    ) -> None:
        self.host = host
        self.found = found
        self.entries = entries
        self.has_conf = has_conf
        self.family = family
        self.vnic = vnic
        self.reassign = reassign
        self.refusals: list = []

    def refuse(self, phy_id, problem: str, remedy: str) -> None:
        self.refusals.append(self._problem(phy_id, problem, remedy))

    def named(self, wanted: dict) -> None:
        """NPUs that are named must be there and answer."""
        known = ", ".join(map(str, sorted(self.found))) or "none"
        for phy_id in sorted(set(wanted) | self.reassign):
            seen = self.found.get(phy_id)
            if seen is None:
                what = "npus" if phy_id in wanted else "reassign"
                self.refuse(phy_id, f"is not on this machine, which has {known}", f"correct {what}")
            elif seen.port is None:
                self.refuse(phy_id, f"cannot be read: {seen.error}", f"{seen.remedy}; or leave it out")

    def wish(self, phy_id: int, values: dict) -> Port:
        """The settings of the NPU with ``values`` in force; what is wrong with the values themselves is refused."""
        now = self.found[phy_id].port
        good = {}
        for setting, value in values.items():
            lacking = self.found[phy_id].lacks(setting)
            if lacking:
                self.refuse(phy_id, f"has no {setting} to set: {lacking}", f"leave {setting} out")
            elif (
                setting in ("address", "netmask", "gateway", "netdetect") and value is not None and ipv4(value) is None
            ):
                self.refuse(phy_id, f"{setting} {value!r} is no IPv4 address", "write such as 10.20.0.5")
            elif setting == "mtu" and not MTU[0] <= value <= MTU[1]:
                self.refuse(phy_id, f"mtu {value} is not between {MTU[0]} and {MTU[1]}", "take a value between them")
            else:
                good[setting] = value
        port = replace(now, **good)
        if "address" in good and "netmask" not in good:
            port = replace(port, netmask=self._netmask(phy_id, good["address"]))
        elif "netmask" in good and "address" not in values and port.address is None:
            self.refuse(phy_id, "has no address that the netmask could belong to", "give its address too")
        return port

    def _netmask(self, phy_id: int, address: str) -> str | None:
        """The netmask for an address that was declared without one, where it is plain what it must be."""
        now = self.found[phy_id].port
        if now.network is not None and ipv4(address) in now.network:
            return now.netmask
        entries = self.entries.get(phy_id, {})
        if entries.get("address") == address and entries.get("netmask"):
            return entries["netmask"]
        self.refuse(phy_id, f"address {address} comes without a netmask", "give netmask too")
        return None

    def changes(self, wanted: dict, expected: dict) -> None:
        """What must not be changed, or not to that."""
        for phy_id, port in sorted(expected.items()):
            now = self.found[phy_id].port
            if now is None:
                continue
            values = wanted.get(phy_id, {})
            dhcp = DHCP in self.entries.get(phy_id, {}) and {"address", "netmask", "gateway"} & set(values)
            if dhcp:
                self.refuse(
                    phy_id,
                    f"gets its address by DHCP ({DHCP}_{phy_id} in hccn.conf)",
                    f"leave out {', '.join(sorted(dhcp))}, or end DHCP on this NPU first",
                )
            if port.ip != now.ip:
                self._new_address(phy_id, port, now, "address" in values)
            if (port.ip, port.gateway) != (now.ip, now.gateway):
                self._new_gateway(phy_id, port, "gateway" in values)
        self._doubles(wanted, expected)

    def _new_address(self, phy_id: int, port: Port, now: Port, ours: bool) -> None:
        if now.address is not None and port.address != now.address and phy_id not in self.reassign:
            source = "declared is" if ours else "hccn.conf has"
            self.refuse(
                phy_id,
                f"has the address {now.address}, {source} {shown(port.address)}",
                f"declare what it has, or name {phy_id} in reassign to change it",
            )
        address, network = ipv4(port.address), port.network
        if address is None or port.netmask is None:
            return
        if network is None:
            self.refuse(phy_id, f"netmask {port.netmask} is none for a network of NPUs", "write such as 255.255.0.0")
            return
        if port.address == now.address:
            return
        internal = reserved(address, self.family, self.vnic)
        if internal is not None:
            self.refuse(phy_id, f"address {address} is in {internal}, which NPUs use inside", "take another network")
        elif address.is_multicast or address.is_loopback or address.is_reserved or address.is_unspecified:
            self.refuse(phy_id, f"address {address} is not for hosts", "take another")
        elif address in (network.network_address, network.broadcast_address):
            self.refuse(phy_id, f"address {address} is the first or the last of {network}", "take one between them")

    def _new_gateway(self, phy_id: int, port: Port, ours: bool) -> None:
        gateway, network = ipv4(port.gateway), port.network
        if gateway is None:
            return
        if port.address is None:
            self.refuse(phy_id, "has no address that the gateway could belong to", "give its address and netmask too")
        elif network is not None and gateway not in network:
            remedy = "correct gateway" if ours else "declare gateway too"
            self.refuse(phy_id, f"gateway {gateway} is not in {network}, the network of its address", remedy)
        elif port.gateway == port.address:
            self.refuse(phy_id, f"gateway {gateway} is its own address", "correct gateway")

    def _doubles(self, wanted: dict, expected: dict) -> None:
        for address, phy_ids in _by_address(expected).items():
            ours = [phy_id for phy_id in phy_ids if expected[phy_id].address != self.found[phy_id].port.address]
            ours = ours or [phy_id for phy_id in phy_ids if "address" in wanted.get(phy_id, {})]
            if len(phy_ids) > 1 and ours:
                others = ", ".join(str(phy_id) for phy_id in phy_ids if phy_id != ours[0])
                self.refuse(ours[0], f"address {address} is also that of phy id {others}", "give each its own")

    def node(self, expected: dict, recovers: bool) -> None:
        if recovers:
            for phy_id, seen in sorted(self.found.items()):
                if seen.port is None:
                    self.refuse(phy_id, f"cannot be read: {seen.error}", f"{seen.remedy}; or leave recover out")

    def waves(self, expected: dict, phy_ids: list) -> tuple:
        """The order in which addresses get free: NPUs of one wave wait for none of the same or a later one."""
        waits = {}
        for phy_id in phy_ids:
            target = expected[phy_id].address
            waits[phy_id] = {
                other
                for other in phy_ids
                if other != phy_id and target is not None and self.found[other].port.address == target
            }
        waves = []
        while waits:
            ready = tuple(phy_id for phy_id, before in waits.items() if not before & set(waits))
            if not ready:
                circle = sorted(waits)
                self.refuse(
                    circle[0],
                    f"wants an address that gets free in a circle only (phy ids {', '.join(map(str, circle))})",
                    f"give phy id {circle[0]} a free address first, and its own in a second run",
                )
                return ()
            waves.append(ready)
            waits = {phy_id: before for phy_id, before in waits.items() if phy_id not in ready}
        return tuple(waves)

    def problems(self, expected: dict, must_have: dict, drifts: dict) -> list:
        """What is left to be told when all is as ``expected``; no reason to stop."""
        found = []
        if not self.has_conf and not must_have:
            found.append(
                Problem(
                    self.host,
                    "hccn.conf",
                    "is missing, so the NPUs lose their settings with the next restart",
                    "declare in npus what they have (this module returns it as npus)",
                )
            )
        doubles = {phy_id: ids for ids in _by_address(expected).values() if len(ids) > 1 for phy_id in ids}
        for phy_id, port in sorted(expected.items()):
            seen = self.found[phy_id]
            if seen.port is None:
                found.append(self._problem(phy_id, f"cannot be read: {seen.error}", seen.remedy))
                continue
            found += [self._problem(phy_id, *entry) for entry in self._of_port(phy_id, port)]
            if phy_id in doubles:
                others = ", ".join(str(other) for other in doubles[phy_id] if other != phy_id)
                found.append(self._problem(phy_id, f"has the same address as phy id {others}", "name one in reassign"))
            found += [self._problem(phy_id, *entry) for entry in self._of_file(phy_id, port, must_have, drifts)]
        return found

    def _of_port(self, phy_id: int, port: Port):
        if port.address is None:
            yield "has no address", "declare one in npus, or let the filter roce_addresses choose it"
            return
        if port.network is None:
            yield f"has the netmask {shown(port.netmask)}, which is none", "declare netmask"
            return
        internal = reserved(ipv4(port.address), self.family, self.vnic)
        if internal is not None:
            yield f"has the address {port.address} in {internal}, which NPUs use inside", "give it another (reassign)"
        if port.gateway is not None and ipv4(port.gateway) not in port.network:
            yield f"has the gateway {port.gateway}, which is not in its network {port.network}", "declare gateway"
        sibling = self.found.get(phy_id ^ 1)
        changed = port.ip != self.found[phy_id].port.ip
        if self.family == "A3" and changed and sibling is not None and sibling.port is not None:
            other = sibling.port.network
            if other is not None and other.overlaps(port.network) and "arp" not in self.entries.get(phy_id, {}):
                yield (
                    f"gets an address in the network of phy id {phy_id ^ 1}, the other chip of the same NPU",
                    "give the two chips different networks, as the vendor asks for",
                )

    def _of_file(self, phy_id: int, port: Port, must_have: dict, drifts: dict):
        entries = self.entries.get(phy_id, {})
        for setting, (in_file, on_machine) in drifts.get(phy_id, {}).items():
            yield (
                f"hccn.conf says {setting} {shown(in_file)}, the machine has {shown(on_machine)}",
                f"declare {setting}, or bring back what the file says with recover: true",
            )
        if not self.has_conf or DHCP in entries:
            return
        missing = [
            setting
            for setting in ("address", "netmask", "gateway")
            if getattr(port, setting) is not None
            and KEYS[setting] not in entries
            and KEYS[setting] not in must_have.get(phy_id, {})
        ]
        if missing:
            names = ", ".join(missing)
            yield f"has {names} that hccn.conf lacks, and loses it with the next restart", f"declare {names}"

    def _problem(self, phy_id, problem: str, remedy: str) -> Problem:
        return Problem(self.host, f"phy id {phy_id}", problem, remedy.rstrip("."))


def _by_address(expected: dict) -> dict:
    """``{address: [phy ids]}``"""
    users: dict = {}
    for phy_id, port in sorted(expected.items()):
        if port.address is not None:
            users.setdefault(port.address, []).append(phy_id)
    return users


__all__ = ["MTU", "Judge", "drift_of"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which IPv4 addresses NPUs may have, and who gets which. This module util is PRIVATE to the collection.

An address that an NPU has stays, wherever it is; the others get the lowest free ones in the order of hosts and phy
ids. So a host that comes later changes nothing, whatever its place in the inventory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

# What hccn_tool refuses because the NPUs' internal ports (vNIC) use it: tool_ops.c and tool_ops_ext.c of the driver.
EVERYWHERE = IPv4Network("192.168.1.0/24")
NOT_A3 = IPv4Network("192.168.2.0/24")
A3_ALONE = IPv4Network("192.168.0.0/21")
A3_SUPER_POD = IPv4Network("192.0.0.0/8")


def reserved(address: IPv4Address, family: str | None, vnic: IPv4Address | None = None) -> IPv4Network | None:
    """The network of internal ports that ``address`` lies in, or None.

    ``family`` is that of C(_npu_model). An A3 machine uses other networks inside a super pod than alone; its own
    ``vnic`` address tells which, and without one the larger network counts.
    """
    if address in EVERYWHERE:
        return EVERYWHERE
    network = NOT_A3
    if family == "A3":
        network = A3_ALONE if vnic is not None and vnic in A3_ALONE else A3_SUPER_POD
    return network if address in network else None


def refused_ranges(super_pod: bool) -> tuple:
    """Networks of internal ports that a range for machines of any family must not touch."""
    return (A3_SUPER_POD,) if super_pod else (A3_ALONE,)


@dataclass(frozen=True)
class Segment:
    """A network and the part of it that may be handed out: ``spans`` of (first, last), ascending, as numbers."""

    name: str
    network: IPv4Network
    spans: tuple
    gateway: str | None = None
    netdetect: str | None = None

    @property
    def size(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    def may_hand_out(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.spans)


class AllocationError(Exception):
    """No allocation is possible. ``sentences`` says why, each with its remedy."""

    def __init__(self, sentences) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(sentences)


@dataclass
class _Desk:
    """Hands out the addresses of one segment, lowest first."""

    segment: Segment
    taken: set
    missing: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free = (n for first, last in self.segment.spans for n in range(first, last + 1) if n not in self.taken)

    def next(self, host: str, phy_id: int) -> int | None:
        number = next(self._free, None)
        if number is None:
            self.missing.append(f"{host} NPU {phy_id}")
        return number


def allocate(wanted: dict, segments, found: dict, reassign=frozenset()) -> dict:
    """An address for every NPU: ``{host: [{phy_id, address, netmask, ...}]}``, in the order of ``wanted``.

    ``wanted`` maps hosts to phy ids; NPU p belongs to segment p modulo their number. ``found`` maps hosts (also
    others than those of ``wanted``) to ``{phy id: (IPv4Address or None, netmask or None)}``. ``reassign`` holds the
    ``(host, phy id)`` whose address may change; it does so only if it is outside its segment or taken.
    Raises L(AllocationError).
    """
    held = _held(found)
    keeps, doubles = _keepers(wanted, segments, held, reassign)
    if doubles:
        raise AllocationError(doubles)
    taken = set(keeps.values()) | {number for key, number in held.items() if key not in reassign}
    desks = [_Desk(segment, taken) for segment in segments]
    result: dict = {}
    for host, phy_ids in wanted.items():
        result[host] = []
        for phy_id in sorted(phy_ids):
            desk = desks[phy_id % len(desks)]
            number = keeps.get((host, phy_id))
            if number is None:
                number = desk.next(host, phy_id)
            if number is not None:
                result[host].append(_row(phy_id, number, desk.segment, found.get(host, {}).get(phy_id)))
    short = [_short(desk) for desk in desks if desk.missing]
    if short:
        raise AllocationError(short)
    return result


def _held(found: dict) -> dict:
    """``{(host, phy id): number}`` of all NPUs that have an address."""
    return {
        (host, phy_id): int(address)
        for host, ports in found.items()
        for phy_id, (address, _netmask) in ports.items()
        if address is not None
    }


def _keepers(wanted: dict, segments, held: dict, reassign) -> tuple:
    """(``{(host, phy id): number}`` of the wanted NPUs that keep their address, sentences about double addresses)."""
    first_with: dict = {}
    doubles = []
    for key, number in held.items():
        if key in reassign:
            continue
        if number in first_with:
            other = first_with[number]
            doubles.append(
                f"{key[0]}: NPU {key[1]}: has the address {IPv4Address(number)}, as has NPU {other[1]} of {other[0]}; "
                f"name one of the two in reassign."
            )
        first_with.setdefault(number, key)
    keeps = {}
    for host, phy_ids in wanted.items():
        for phy_id in sorted(phy_ids):
            key = (host, phy_id)
            number = held.get(key)
            if number is None:
                continue
            segment = segments[phy_id % len(segments)]
            if key not in reassign:
                keeps[key] = number
            elif segment.may_hand_out(number) and number not in first_with:
                # What was reassigned by an earlier run stays from then on.
                keeps[key] = number
                first_with[number] = key
    return keeps, doubles


def _row(phy_id: int, number: int, segment: Segment, before: tuple | None) -> dict:
    address = IPv4Address(number)
    if address in segment.network:
        further = {"gateway": segment.gateway, "netdetect": segment.netdetect}
        return {
            "phy_id": phy_id,
            "address": str(address),
            "netmask": str(segment.network.netmask),
            **{name: value for name, value in further.items() if value is not None},
        }
    # The address of another network that somebody else has planned: all about it stays.
    netmask = before[1] if before else None
    return {"phy_id": phy_id, "address": str(address), **({"netmask": netmask} if netmask else {})}


def _short(desk: _Desk) -> str:
    segment = desk.segment
    first = ", ".join(desk.missing[:4]) + (", ..." if len(desk.missing) > 4 else "")
    return (
        f"{segment.name}: has {segment.size} addresses to hand out, of which none is left for {len(desk.missing)} more "
        f"NPUs ({first}); take a larger range."
    )


__all__ = ["AllocationError", "Segment", "allocate", "refused_ranges", "reserved"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress

from ansible.errors import AnsibleFilterError

from ..module_utils._roce_addresses import AllocationError, Segment, allocate, refused_ranges

try:
    import netaddr
except ImportError:
    netaddr = None

DOCUMENTATION = r"""
name: roce_addresses
short_description: Addresses for the NPUs of all nodes, from a range
version_added: 1.0.0
description:
  - Gives each NPU an address of a range, for O(npuops.ascend.hccn_config#module:npus). What an NPU has already stays,
    also outside the range. The others get the lowest free addresses in the order of the nodes and of their phy ids.
  - A node that is added later changes no address, wherever it stands in the inventory, as long as O(found) says what
    the others have.
  - Refuses ranges that touch what the NPUs use inside, two NPUs with the same address, and ranges that are too small.
  - Where a provider gave the addresses, do not use this filter. M(npuops.ascend.hccn_config) without O(ignore:npus)
    leaves them as they are and checks them.
requirements:
  - netaddr (Python library on the controller)
positional: hosts
options:
  _input:
    description:
      - A network such as V(10.20.0.0/16), or a part of one such as V(10.20.4.10-10.20.4.250/16).
      - If it is a list, NPUs take turns. The NPU with phy id 5 gets an address of the second of four. Atlas A3 wants
        the two chips of an NPU in different networks, and the first generation four networks.
    type: raw
    required: true
  hosts:
    description: Inventory names of the nodes.
    type: list
    elements: str
    required: true
  npus:
    description:
      - The phy ids of each node as a list, or their number. If nodes differ, a dictionary by node.
      - Left out, O(found) tells.
    type: raw
  found:
    description:
      - What the NPUs of each node have, by inventory name, as C(npus) of M(npuops.ascend.hccn_config) or
        M(npuops.ascend.hccn_check) has it. Nodes that are not in O(hosts) may be there too. Their addresses are taken.
      - If it is given, each of O(hosts) must be in it. What is not known of one could be given to another.
    type: dict
  gateway:
    description: Gateway of the network, or a list as long as that of ranges. It is not handed out.
    type: raw
  netdetect:
    description: Address for the NPUs' own health check, or a list as long as that of ranges. It is not handed out.
    type: raw
  exclude:
    description: Addresses, networks and parts (V(10.20.4.10-10.20.4.20)) that are not handed out.
    type: list
    elements: str
    default: []
  reassign:
    description:
      - Nodes whose NPUs may get another address, or a dictionary of nodes and phy ids. An address changes only if it
        is not in the range or another NPU has it.
      - M(npuops.ascend.hccn_config) must be told by O(npuops.ascend.hccn_config#module:reassign) too.
    type: raw
  super_pod:
    description: Whether the nodes are part of an Atlas A3 super pod. These use V(192.0.0.0/8) inside.
    type: bool
    default: false
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: See what the NPUs have
  npuops.ascend.hccn_config:
  register: found

- name: Give an address to those that have none
  npuops.ascend.hccn_config:
    npus: "{{ addresses[inventory_hostname] }}"
  vars:
    names: "{{ groups['ascend'] }}"
    addresses: >-
      {{ '10.20.0.0/16' | npuops.ascend.roce_addresses(names, gateway='10.20.0.1', netdetect='10.20.0.1',
         found=dict(names | zip(names | map('extract', hostvars, ['found', 'npus'])))) }}
"""

RETURN = r"""
_value:
  description: For each node what O(npuops.ascend.hccn_config#module:npus) takes.
  type: dict
  sample: {node1: [{phy_id: 0, address: 10.20.0.2, netmask: 255.255.0.0, gateway: 10.20.0.1}]}
"""


def roce_addresses(
    ranges,
    hosts,
    npus=None,
    found=None,
    gateway=None,
    netdetect=None,
    exclude=(),
    reassign=(),
    super_pod=False,
):
    if netaddr is None:
        raise _error("the Python library netaddr is missing on the controller; pip install netaddr.")
    names = [ranges] if isinstance(ranges, str) else list(ranges)
    hosts = list(dict.fromkeys(hosts))
    if not names or not hosts:
        raise _error("give at least one range and one host.")
    if found is not None:
        unknown = [host for host in hosts if host not in found]
        if unknown:
            raise _error(
                f"found does not say what {', '.join(unknown)} has; run npuops.ascend.hccn_config there first, because "
                "its addresses could be given to others."
            )
    known = {host: _ports(host, rows) for host, rows in (found or {}).items()}
    wanted = {host: _phy_ids(host, npus, known) for host in hosts}
    gateways, detects = _one_each("gateway", gateway, names), _one_each("netdetect", netdetect, names)
    skip = _excluded(exclude) | netaddr.IPSet(address for address in gateways + detects if address)
    segments = [_segment(*entry, skip, super_pod) for entry in zip(names, gateways, detects)]
    try:
        return allocate(wanted, segments, known, _reassigned(reassign, wanted))
    except AllocationError as error:
        raise _error(str(error)) from error


def _segment(name, gateway, netdetect, skip, super_pod):
    span, slash, prefix = str(name).partition("/")
    try:
        if "-" in span:
            if not slash:
                raise _error(f"{name}: a part of a network needs the length of its prefix, such as {name}/16.")
            part = netaddr.IPSet(netaddr.IPRange(*(piece.strip() for piece in span.split("-", 1))))
            network = netaddr.IPNetwork(f"{span.split('-', 1)[0].strip()}/{prefix}").cidr
        else:
            network = netaddr.IPNetwork(str(name))
            if network.ip != network.network:
                raise _error(f"{name}: is an address and no network; write {network.cidr}.")
            part = netaddr.IPSet(network)
    except (netaddr.AddrFormatError, ValueError, TypeError) as error:
        raise _error(f"{name}: is no range of IPv4 addresses ({error}); write such as 10.20.0.0/16.") from error
    if network.version != 4:
        raise _error(f"{name}: is not IPv4; hccn_config sets IPv4 addresses.")
    if not slash or network.prefixlen > 30:
        raise _error(f"{name}: has no room for two NPUs and their network; take a larger range.")
    if not part.issubset(netaddr.IPSet(network)):
        raise _error(f"{name}: goes beyond the network {network}.")
    for internal in refused_ranges(super_pod):
        if part & netaddr.IPSet([str(internal)]):
            raise _error(
                f"{name}: touches {internal}, which NPUs use inside; take another range, such as 10.20.0.0/16."
            )
    if network.is_multicast() or network.is_loopback() or network.is_reserved():
        raise _error(f"{name}: is not for hosts; take a range such as 10.20.0.0/16.")
    for what, address in (("gateway", gateway), ("netdetect", netdetect)):
        if what == "gateway" and address and netaddr.IPAddress(address) not in network:
            raise _error(f"{name}: the {what} {address} is not in this network.")
    ends = netaddr.IPSet([network.network, network.broadcast])
    spans = tuple((int(span.first), int(span.last)) for span in (part - skip - ends).iter_ipranges())
    return Segment(str(name), ipaddress.IPv4Network(str(network)), spans, gateway, netdetect)


def _excluded(exclude):
    blocked = netaddr.IPSet()
    for entry in [exclude] if isinstance(exclude, str) else exclude:
        try:
            if "-" in str(entry):
                blocked.update(netaddr.IPRange(*(piece.strip() for piece in str(entry).split("-", 1))))
            else:
                blocked.add(netaddr.IPNetwork(str(entry)))
        except (netaddr.AddrFormatError, ValueError, TypeError) as error:
            raise _error(f"exclude: {entry!r} is no address, network or range ({error}).") from error
    return blocked


def _one_each(what, given, names):
    entries = [given] * len(names) if given is None or isinstance(given, str) else list(given)
    if len(entries) != len(names):
        raise _error(f"{what}: {len(entries)} are given for {len(names)} ranges; give one for each.")
    return [_address(what, entry) for entry in entries]


def _address(what, text):
    if not text:
        return None
    try:
        return str(ipaddress.IPv4Address(str(text)))
    except ValueError as error:
        raise _error(f"{what}: {text!r} is no IPv4 address.") from error


def _ports(host, rows):
    """``{phy id: (address or None, netmask or None)}`` of what hccn_config or hccn_check returned."""
    ports = {}
    for row in rows or []:
        text = _address(f"found of {host}", row.get("address") or row.get("ipaddr"))
        ports[int(row["phy_id"])] = (ipaddress.IPv4Address(text) if text else None, row.get("netmask"))
    return ports


def _phy_ids(host, npus, known):
    given = npus.get(host) if isinstance(npus, dict) else npus
    if given is None:
        given = list(known.get(host, {}))
    phy_ids = list(range(given)) if isinstance(given, int) else [int(phy_id) for phy_id in given]
    if not phy_ids:
        raise _error(f"{host}: has no NPUs; give npus, or what was found on the node.")
    return phy_ids


def _reassigned(reassign, wanted):
    if isinstance(reassign, dict):
        named = {(host, int(phy_id)) for host, phy_ids in reassign.items() for phy_id in phy_ids}
    else:
        hosts = [reassign] if isinstance(reassign, str) else reassign
        named = {(host, phy_id) for host in hosts for phy_id in wanted.get(host, [None])}
    strangers = sorted({host for host, phy_id in named if phy_id not in wanted.get(host, ())})
    if strangers:
        raise _error(f"reassign: {', '.join(strangers)} is not among hosts, or has no such NPU.")
    return named


def _error(sentence):
    return AnsibleFilterError(f"roce_addresses: {sentence}")


class FilterModule:
    """Filters about addresses."""

    def filters(self):
        return {"roce_addresses": roce_addresses}

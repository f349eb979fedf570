# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a placement knows of a node: its chips, its address, how its NPUs are linked.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

# From near to far, as the legend of `npu-smi info -t topo` explains them; what it does not know is farthest.
_PATHS = ("X", "SIO", "HCCS", "UB", "HCCS_SW", "PIX", "PXB", "PHB", "SYS")


class Node:
    """What a node has, as far as a placement needs it.

    :ivar chips: {NPU ID: [chip of an npu_info result, ...]}
    :ivar address: IPv4 address of the management interface, or None
    :ivar interface: name of that interface, or None
    :ivar vnpus: C(vnpus) of npu_info: what info-vnpu says of each chip
    :ivar templates: C(templates) of npu_info
    :ivar topology: C(topology) of npu_info, or None
    :ivar models: {directory: {"config": config.json, "index": the safetensors index, "weights_bytes": N}}
    """

    def __init__(self, chips, address, interface, vnpus=(), templates=(), topology=None, models=None):
        self.chips = chips
        self.address = address
        self.interface = interface
        self.vnpus = vnpus or ()
        self.templates = templates or ()
        self.topology = topology or {}
        self.models = models or {}

    def devices(self, npu_ids):
        """The phy ids (N of /dev/davinciN) of these NPUs, chip by chip."""
        return [chip["phy_id"] for npu in npu_ids for chip in self.chips[npu]]

    def cut(self):
        """{(NPU ID, chip ID): [slices that exist there]}, chips without slices left out."""
        found = {}
        for entry in self.vnpus:
            rows = list(entry.get("vnpus") or ())
            if rows:
                found[entry["npu_id"], entry.get("chip_id") or 0] = rows
        return found

    def near(self, npu_ids, count):
        """So many of these NPUs that lie close to each other; the first ones where nothing is known of their links."""
        free = sorted(npu_ids)
        distance = self._distances()
        if not distance or count < 2 or count >= len(free):
            return free[:count]
        best = None
        for seed in free:
            group, total = [seed], 0
            left = [npu for npu in free if npu != seed]
            while len(group) < count:
                cost, npu = min((sum(distance(npu, other) for other in group), npu) for npu in left)
                total += cost
                group.append(npu)
                left.remove(npu)
            if best is None or (total, sorted(group)) < best:
                best = (total, sorted(group))
        return best[1]

    def _distances(self):
        """A function (NPU ID, NPU ID) -> number, or None without a topology."""
        links = self.topology.get("links") or {}
        cores = self.topology.get("cpu_affinity") or {}
        names = self._names(links)
        if not names:
            return None

        def distance(one, other):
            here, there = names[one], names[other]
            paths = [links.get(a, {}).get(b) for a in here for b in there]
            far = max(_PATHS.index(path) if path in _PATHS else len(_PATHS) for path in paths)
            # A path through one NUMA node is the shorter one among equal paths.
            return 2 * far + ({cores.get(a) for a in here} != {cores.get(b) for b in there})

        return distance

    def _names(self, links):
        """{NPU ID: names of its chips in the topology}; empty where they can't be told apart."""
        numbers = {}
        for name in links:
            match = re.search(r"(\d+)$", name)
            if match:
                numbers[int(match.group(1))] = name
        if any(name.startswith("Phy") for name in links):
            wanted = {npu: [chip["phy_id"] for chip in chips] for npu, chips in self.chips.items()}
        elif set(self.chips) <= set(numbers):
            wanted = {npu: [npu] for npu in self.chips}
        else:
            wanted = {npu: [position] for position, npu in enumerate(sorted(self.chips))}
        if not all(number in numbers for of_npu in wanted.values() for number in of_npu):
            return {}
        return {npu: [numbers[number] for number in of_npu] for npu, of_npu in wanted.items()}


def management_address(interfaces, hints):
    """The address by which the other nodes reach this one, and its interface.

    :arg interfaces: [{"name": "eth0", "addresses": ["172.30.0.11", ...]}, ...]
    :arg hints: addresses to look for, best first: what the user said, C(ansible_host), the default route's.
    :returns: (address, interface), both None when no hint is an address of this node.
    """
    for hint in hints:
        for interface in interfaces:
            if hint and hint in interface["addresses"]:
                return hint, interface["name"]
    return None, None


def interfaces_of(facts):
    """[{"name", "addresses"}] from the C(network) subset of Ansible's facts."""
    found = []
    for name in facts.get("interfaces", []):
        # Facts spell eth0:1 and br-1 with underscores in their keys.
        entry = facts.get(name) or facts.get(name.replace("-", "_").replace(":", "_")) or {}
        blocks = [entry.get("ipv4") or {}] + list(entry.get("ipv4_secondaries") or [])
        found.append({"name": entry.get("device", name), "addresses": [b["address"] for b in blocks if "address" in b]})
    return found


def chips_by_npu(chips):
    """Group the C(chips) of an C(npu_info) result by NPU ID, chips in order."""
    grouped = {}
    for chip in sorted(chips, key=lambda c: (c["npu_id"], c["chip_id"] or 0)):
        grouped.setdefault(chip["npu_id"], []).append(chip)
    return grouped


def memory_total_mb(chip):
    """MB of HBM of a chip, or of DDR where there is no HBM (310P); None when the tool did not print it."""
    for key in ("hbm_mb", "memory_mb"):
        if chip.get(key) and chip[key][1]:
            return chip[key][1]
    return None


__all__ = ["Node", "chips_by_npu", "interfaces_of", "management_address", "memory_total_mb"]

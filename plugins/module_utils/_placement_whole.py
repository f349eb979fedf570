# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole NPUs, their time shares, and ports: who gets which, and why somebody cannot.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import math

from ._placement_nodes import memory_total_mb
from ._services import Problem

# Flex:ai hands out tenths of an NPU's AICore time (its default quota, flexnpud.conf).
SHARE_AICORE_QUOTA = 10


class WholePlanner:
    """Gives out whole NPUs and ports, and collects every problem on the way.

    :arg nodes: {inventory name: Node}.
    :arg left_out: names of nodes that take no part in this run.
    :arg earlier: {(service, host): NPU IDs of an earlier placement}, empty to place everything anew.
    """

    def __init__(self, nodes, left_out, earlier):
        self.nodes = nodes
        self.left_out = left_out
        self.earlier = earlier
        self.stands = {}  # service -> host of the slice it has from an earlier placement
        self.cut = {}  # (host, npu_id) -> why the NPU can't be given out whole
        self.problems = []
        self.owner = {}  # (host, npu_id) -> [service, ...]
        self.ports = {}  # (host, port) -> what listens there

    def refuse(self, host, item, problem, remedy):
        self.problems.append(Problem(host, item, problem, remedy))

    def claim_port(self, host, port, service, use):
        holder = self.ports.setdefault((host, port), (service, use))
        if holder != (service, use):
            self.refuse(
                host,
                f"service '{service}'",
                f"port {port} ({use}) is also {holder[1]} of service '{holder[0]}'",
                "give one of them another port",
            )

    def keep_off_workers(self, host, service, ports):
        """The range of Ray's workers belongs to them alone."""
        for (holder_host, port), (holder, use) in self.ports.items():
            if holder_host == host and ports["worker_min"] <= port <= ports["worker_max"]:
                self.refuse(
                    host,
                    f"service '{holder}'",
                    f"port {port} ({use}) lies in the range of the Ray workers of service '{service}' "
                    f"({ports['worker_min']}-{ports['worker_max']})",
                    "give it another port",
                )

    def claim_npus(self, host, service, npu_ids):
        item = f"service '{service['name']}'"
        for npu in npu_ids:
            others = self.owner.setdefault((host, npu), [])
            strangers = [o["name"] for o in others if not ("share" in o and "share" in service)]
            if strangers:
                self.refuse(
                    host,
                    item,
                    f"NPU {npu} is also wanted by service '{strangers[0]}'",
                    "give them different NPUs, or a share each",
                )
            others.append(service)
            self.check_share(host, npu, others)

    def check_share(self, host, npu, services):
        shares = [s["share"] for s in services if "share" in s]
        if not shares or len(shares) != len(services):
            return
        item = f"service '{services[-1]['name']}'"
        aicore = sum(s["aicore"] for s in shares)
        if aicore > SHARE_AICORE_QUOTA:
            self.refuse(
                host,
                item,
                f"the shares of NPU {npu} add up to {aicore} of {SHARE_AICORE_QUOTA} parts of AICore",
                "lower share.aicore",
            )
        total = memory_total_mb(self.nodes[host].chips[npu][0])
        wanted = sum(s["memory_gb"] for s in shares) * 1024
        if total and wanted > total:
            self.refuse(
                host,
                item,
                f"the shares of NPU {npu} add up to {wanted} MB of its {total} MB",
                "lower share.memory_gb",
            )

    def check_devices(self, host, service, npu_ids):
        """Without the N of /dev/davinciN a container cannot be given its NPU."""
        for npu in npu_ids:
            if None in self.nodes[host].devices([npu]):
                self.refuse(
                    host,
                    f"service '{service['name']}'",
                    f"the phy id of NPU {npu} is not known",
                    "compare `npu-smi info -m` with ls /dev/davinci*, and repair the driver",
                )

    def exact_ids(self, host, service):
        """The NPUs that it names; None for a service that names none, [] where it cannot have them."""
        if not isinstance(service["npus"], dict):
            return None
        node = self.nodes[host]
        ids = service["npus"]["ids"]
        absent = [i for i in ids if i not in node.chips]
        for npu in absent:
            self.refuse(
                host,
                f"service '{service['name']}'",
                f"NPU {npu} is absent, the node has {', '.join(map(str, sorted(node.chips))) or 'none'}",
                "name NPUs that `npu-smi info -l` lists",
            )
        for npu in ids:
            if (host, npu) in self.cut:
                self.refuse(
                    host,
                    f"service '{service['name']}'",
                    f"NPU {npu} {self.cut[host, npu]}, a split NPU is never given out whole",
                    "destroy the slices or name another NPU",
                )
                return []
        return [] if absent else ids

    def kept_ids(self, host, service):
        """The NPUs that it has from an earlier placement; None where they do not suit its wish any more."""
        kept = self.earlier.get((service["name"], host), [])
        suits = len(kept) == service["npus"] and all(self.has_room(host, npu, service) for npu in kept)
        return kept if suits else None

    def counted_ids(self, host, service):
        """Free NPUs close to each other; exact wishes, and what stays, were claimed before."""
        count = service["npus"]
        node = self.nodes[host]
        if "share" in service:
            # An NPU whose time is shared already is used before another one.
            joined = [npu for npu in sorted(node.chips) if self.owner.get((host, npu))]
            joined = [npu for npu in joined if self.has_room(host, npu, service)][:count]
        else:
            joined = []
        free = [npu for npu in sorted(node.chips) if not self.owner.get((host, npu)) and (host, npu) not in self.cut]
        if len(joined) + len(free) < count:
            self.refuse(
                host,
                f"service '{service['name']}'",
                f"it asks for {count} NPUs, {len(free)} of {len(node.chips)} are free",
                self.room_elsewhere(host, count, len(free)),
            )
            return []
        return sorted(joined + node.near(free, count - len(joined)))

    def room_elsewhere(self, host, count, free):
        """The nearest change with which a count could be met."""
        for other, node in self.nodes.items():
            left = [npu for npu in node.chips if not self.owner.get((other, npu)) and (other, npu) not in self.cut]
            if other != host and len(left) >= count:
                return f"{other} has {len(left)} free; or lower npus" + (f" to {free}" if free else "")
        return f"lower npus to {free}, or move a service to another node" if free else "move a service to another node"

    def has_room(self, host, npu, service):
        """Whether the NPU is there and free, or shared with enough left for this service."""
        if npu not in self.nodes[host].chips or (host, npu) in self.cut:
            return False
        others = self.owner.get((host, npu), [])
        if not others:
            return True
        if "share" not in service or not all("share" in other for other in others):
            return False
        shares = [other["share"] for other in others] + [service["share"]]
        total = memory_total_mb(self.nodes[host].chips[npu][0])
        return sum(s["aicore"] for s in shares) <= SHARE_AICORE_QUOTA and (
            not total or sum(s["memory_gb"] for s in shares) * 1024 <= total
        )

    def least(self, chosen, services):
        """A proven lower bound of NPUs for the services with C(npus) that were placed, had they all been free to share.

        :arg chosen: {(service, host): NPU IDs}.
        """
        hosts = {}
        for service in services:
            for host in service["hosts"]:
                if chosen.get((service["name"], host)):
                    hosts.setdefault(host, []).append((service, chosen[service["name"], host]))
        total = 0
        for host, members in hosts.items():
            alone = sum(len(ids) for service, ids in members if "share" not in service)
            shared = [(service, ids) for service, ids in members if "share" in service]
            named = {npu for service, ids in shared if isinstance(service["npus"], dict) for npu in ids}
            parts = sum(service["share"]["aicore"] * len(ids) for service, ids in shared)
            memory = sum(service["share"]["memory_gb"] * len(ids) for service, ids in shared) * 1024
            sizes = [memory_total_mb(self.nodes[host].chips[npu][0]) for _service, ids in shared for npu in ids]
            bounds = [len(named), max((len(ids) for _service, ids in shared), default=0)]
            bounds.append(math.ceil(parts / SHARE_AICORE_QUOTA - 1e-9))
            if sizes and all(sizes):
                bounds.append(math.ceil(memory / max(sizes) - 1e-9))
            total += alone + max(bounds)
        return total

    def is_left_out(self, service):
        """Nothing of the service is in this run: its hosts are known, and --limit names none of them."""
        if self.stands.get(service["name"]) in self.left_out:
            # Its one slice is on a node outside this run, where it stays.
            return True
        return all(host in self.left_out for host in service["hosts"])

    def hosts(self, service):
        """The hosts of a service that can be planned for; the others are problems."""
        item = f"service '{service['name']}'"
        usable = []
        if self.is_left_out(service):
            return usable
        for host in service["hosts"]:
            node = self.nodes.get(host)
            if host in self.left_out and service.get("replicas"):
                continue
            if host in self.left_out:
                self.refuse(
                    host, item, "the host is left out of this run, others of the service are not", "widen --limit"
                )
            elif node is None:
                self.refuse(
                    host,
                    item,
                    "the host is not in group ascend of the inventory",
                    "add it, or correct the name",
                )
            elif not node.chips:
                self.refuse(host, item, "npu-smi shows no NPU there", "install the driver, or move the service")
            elif node.address is None:
                self.refuse(
                    host,
                    item,
                    "no management address was found on it",
                    "set npuops_address to an IPv4 address of the node",
                )
            else:
                usable.append(host)
        return usable

    def parallel(self, service, parts):
        """Tensor, pipeline and data sizes; their product must be the devices that were placed."""
        counts = [len(part["phy_ids"]) for part in parts.values()]
        item = f"service '{service['name']}'"
        chips = sorted({self.nodes[host].chips[part["npu_ids"][0]][0]["name"] for host, part in parts.items()})
        if len(chips) > 1:
            self.refuse(
                service["hosts"][0], item, f"its hosts have {' and '.join(chips)} chips", "use hosts of one kind"
            )
            return None
        if len(set(counts)) > 1:
            self.refuse(
                service["hosts"][0],
                item,
                f"its hosts would give {' and '.join(map(str, counts))} devices",
                "use hosts of one kind",
            )
            return None
        copies = 1 if service.get("replicas") else len(counts)
        wanted = service.get("parallel")
        if wanted is None:
            across = "data" if service.get("executor") == "dp" else "pipeline"
            return {"tensor": counts[0], "pipeline": 1, "data": 1, across: copies}
        sizes = {key: wanted.get(key, 1) for key in ("tensor", "pipeline", "data")}
        product = sizes["tensor"] * sizes["pipeline"] * sizes["data"]
        devices = counts[0] * copies
        if product != devices:
            there = f"{len(counts)} hosts × {counts[0]} devices are {devices}"
            if service.get("replicas"):
                there = f"each of its replicas has {devices} devices"
            self.refuse(
                service["hosts"][0],
                item,
                f"parallel tensor {sizes['tensor']} × pipeline {sizes['pipeline']} × data {sizes['data']} is {product}"
                f", but {there}",
                f"make the product {devices}",
            )
            return None
        return sizes


__all__ = ["SHARE_AICORE_QUOTA", "WholePlanner"]

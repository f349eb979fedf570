# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From C(ascend_services) and what the nodes have to a placement: who runs where, on which NPUs and ports.

Pure: the same input gives the same placement, so a second run finds nothing to change.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._services import Problem, check_shape

# A Ray cluster takes ten ports from here and a thousand for its workers; the second cluster of a fleet takes the next.
# 6379 and 10002 are Ray's own defaults.
RAY_PORT = 6379
RAY_PORT_STEP = 10
RAY_WORKER_PORT = 10002
RAY_WORKER_PORT_STEP = 1000
HCCL_PORT = 60000
RAY_PORT_NAMES = (
    "gcs",
    "node_manager",
    "object_manager",
    "runtime_env_agent",
    "dashboard_agent_grpc",
    "dashboard_agent_listen",
    "metrics_export",
)

# Flex:ai hands out tenths of an NPU's AICore time (its default quota, flexnpud.conf).
SHARE_AICORE_QUOTA = 10


class Node:
    """What a node has, as far as a placement needs it.

    :ivar chips: {NPU ID: [chip of an npu_info result, ...]}
    :ivar address: IPv4 address of the management interface, or None
    :ivar interface: name of that interface, or None
    """

    def __init__(self, chips, address, interface):
        self.chips = chips
        self.address = address
        self.interface = interface

    def devices(self, npu_ids):
        """The phy ids (N of /dev/davinciN) of these NPUs, chip by chip."""
        return [chip["phy_id"] for npu in npu_ids for chip in self.chips[npu]]


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


def ray_ports(index, port=RAY_PORT, worker_port=RAY_WORKER_PORT):
    """The fixed ports of the fleet's Ray cluster number C(index), from 0."""
    base = port + RAY_PORT_STEP * index
    ports = {name: base + offset for offset, name in enumerate(RAY_PORT_NAMES)}
    first = worker_port + RAY_WORKER_PORT_STEP * index
    ports["worker_min"] = first
    ports["worker_max"] = first + RAY_WORKER_PORT_STEP - 1
    return ports


class _Planner:
    def __init__(self, nodes, left_out):
        self.nodes = nodes
        self.left_out = left_out
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
        return [] if absent else ids

    def free_ids(self, host, service):
        """The first free NPUs, by NPU ID; exact wishes of the whole list were claimed before."""
        count = service["npus"]
        free = [npu for npu in sorted(self.nodes[host].chips) if not self.owner.get((host, npu))]
        if len(free) < count:
            self.refuse(
                host,
                f"service '{service['name']}'",
                f"it asks for {count} NPUs, {len(free)} of {len(self.nodes[host].chips)} are free",
                "lower npus, or move a service to another node",
            )
            return []
        return free[:count]

    def is_left_out(self, service):
        """Nothing of the service is in this run: its hosts are known, and --limit names none of them."""
        return all(host in self.left_out for host in service["hosts"])

    def hosts(self, service):
        """The hosts of a service that can be planned for; the others are problems."""
        item = f"service '{service['name']}'"
        usable = []
        if self.is_left_out(service):
            return usable
        for host in service["hosts"]:
            node = self.nodes.get(host)
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
        wanted = service.get("parallel")
        if wanted is None:
            return {"tensor": counts[0], "pipeline": len(counts), "data": 1}
        sizes = {key: wanted.get(key, 1) for key in ("tensor", "pipeline", "data")}
        product = sizes["tensor"] * sizes["pipeline"] * sizes["data"]
        if product != sum(counts):
            self.refuse(
                service["hosts"][0],
                item,
                f"parallel tensor {sizes['tensor']} × pipeline {sizes['pipeline']} × data {sizes['data']}"
                + f" is {product}, but {len(counts)} hosts × {counts[0]} devices are {sum(counts)}",
                f"make the product {sum(counts)}",
            )
            return None
        return sizes


def place(services, nodes, left_out=(), ray_port=RAY_PORT, ray_worker_port=RAY_WORKER_PORT):
    """Decide where every service runs.

    :arg services: C(ascend_services).
    :arg nodes: {inventory name: Node}.
    :arg left_out: names of nodes that exist but take no part in this run; services on these alone are passed over.
    :arg ray_port: first port of the first Ray cluster.
    :arg ray_worker_port: first port of its workers.
    :returns: (placed, problems). C(placed) is a list of dictionaries, one for each service that could be placed, with
        C(name), C(engine), C(model), C(executor), C(head), C(hosts), C(port), C(url), C(args), C(env), C(share),
        C(parallel) {tensor, pipeline, data}, C(devices) (their number over all hosts), C(chip) (its name on the head),
        C(nodes) {host: {address, interface, npu_ids, phy_ids}} and, for executor ray, C(ray_ports).
        C(problems) is a list of Problem; with any of them nothing should be changed.
    """
    problems = check_shape(services)
    if problems:
        return [], problems
    planner = _Planner(nodes, left_out)
    chosen = {}
    usable = {s["name"]: planner.hosts(s) for s in services}
    whole = [s for s in services if "npus" in s]
    # Exact ids first, over the whole list: a count must never take what a later service names.
    for service in sorted(whole, key=lambda s: not isinstance(s["npus"], dict)):
        for host in usable[service["name"]]:
            pick = planner.exact_ids if isinstance(service["npus"], dict) else planner.free_ids
            ids = pick(host, service)
            planner.claim_npus(host, service, ids)
            planner.check_devices(host, service, ids)
            chosen[service["name"], host] = ids

    placed = []
    clusters = 0
    for service in services:
        name = service["name"]
        executor = service.get("executor") or ("ray" if len(service["hosts"]) > 1 else "mp")
        ports = None
        if executor == "ray":
            ports = ray_ports(clusters, ray_port, ray_worker_port)
            clusters += 1
            if planner.is_left_out(service):
                continue
        parts = {}
        for host in usable[name]:
            node = nodes[host]
            npu_ids = chosen.get((name, host), [])
            parts[host] = {
                "address": node.address,
                "interface": node.interface,
                "npu_ids": npu_ids,
                "phy_ids": node.devices(npu_ids),
            }
            for use in RAY_PORT_NAMES if ports else ():
                planner.claim_port(host, ports[use], name, "ray " + use)
        head = service["hosts"][0]
        if head in nodes:
            planner.claim_port(head, service["port"], name, "endpoint")
        if "vnpu" in service and not planner.is_left_out(service):
            planner.refuse(
                head,
                f"service '{name}'",
                "vNPU placements cannot be planned by this release",
                "give whole NPUs with npus",
            )
        if "vnpu" in service or len(parts) != len(service["hosts"]) or not all(p["npu_ids"] for p in parts.values()):
            continue
        sizes = planner.parallel(service, parts)
        placed.append(
            {
                "name": name,
                "engine": service["engine"],
                "model": service["model"],
                "executor": executor,
                "head": head,
                "hosts": service["hosts"],
                "port": service["port"],
                "url": f"http://{parts[head]['address']}:{service['port']}",
                "args": service.get("args", {}),
                "env": {key: str(value) for key, value in service.get("env", {}).items()},
                "share": service.get("share"),
                "parallel": sizes,
                "chip": nodes[head].chips[parts[head]["npu_ids"][0]][0]["name"],
                "devices": sum(len(part["phy_ids"]) for part in parts.values()),
                "nodes": parts,
                "ray_ports": ports,
            }
        )
    for service in placed:
        for host in service["nodes"] if service["ray_ports"] else ():
            planner.keep_off_workers(host, service["name"], service["ray_ports"])
    return placed, planner.problems


def host_views(placed):
    """The placement seen from each host: what it must be checked for.

    :returns: {host: {"parts": what M(node_check) takes, "images": [...], "address", "listen": [ports of its Ray nodes],
        "peers": what M(port_check) takes}}
    """
    views = {}
    for service in placed:
        ports = service["ray_ports"]
        for host, part in service["nodes"].items():
            view = views.setdefault(host, {"parts": [], "images": [], "listen": [], "peers": []})
            view["address"] = part["address"]
            listen = _ray_listen(ports, host == service["head"]) if ports else []
            endpoint = [service["port"]] if host == service["head"] else []
            own = [ports[name] for name in RAY_PORT_NAMES if name != "gcs" or endpoint] if ports else []
            view["parts"].append(
                {
                    "service": service["name"],
                    "npu_ids": part["npu_ids"],
                    "ports": endpoint + own,
                    "model": service["model"],
                }
            )
            if service["image"] and service["image"] not in view["images"]:
                view["images"].append(service["image"])
            view["listen"] += [port for port in listen if port not in view["listen"]]
            for peer, other in service["nodes"].items():
                if ports and peer != host:
                    view["peers"].append(
                        {
                            "name": peer,
                            "address": other["address"],
                            "ports": _ray_listen(ports, peer == service["head"]),
                        }
                    )
    return views


def _ray_listen(ports, head):
    """The ports on which other nodes call a Ray node: first and last stand for the range of its workers.

    HCCL's own first port is called as well, once the engine starts (default of HCCL_IF_BASE_PORT).
    """
    names = ("node_manager", "object_manager", "worker_min", "worker_max") + (("gcs",) if head else ())
    return [ports[name] for name in names] + [HCCL_PORT]

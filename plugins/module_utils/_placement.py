# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From C(ascend_services) and what the nodes have to a placement: who runs where, on which NPUs, slices and ports.

Pure: the same input gives the same placement, so a second run finds nothing to change. The parts are
C(_placement_nodes) (what a node has), C(_placement_whole) (whole NPUs), C(_placement_slices) (vNPUs),
C(_placement_pack) and C(_placement_bound) (fewest NPUs, and the proof), C(_placement_ports) (ports, views of hosts).
C(_placement_strategy) judges how a placed model is spread.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import namedtuple

from ._placement_nodes import Node, chips_by_npu, interfaces_of, management_address, memory_total_mb
from ._placement_ports import RAY_PORT, RAY_PORT_NAMES, RAY_WORKER_PORT, host_views, join_port, ray_ports
from ._placement_slices import SlicePlanner, earlier_slices
from ._placement_transfer import pair
from ._placement_whole import WholePlanner
from ._services import check_shape

# slices: {host: [{npu_id, chip_id, template, service}, ...]} to be cut, reserved: the same for those that the Ascend
# runtime cuts at the start of a container. sizes: {service: what sizing found}.
Placement = namedtuple(
    "Placement", ("services", "problems", "slices", "reserved", "npus_used", "lower_bound", "optimal", "sizes")
)


def place(services, nodes, left_out=(), ray_port=RAY_PORT, ray_worker_port=RAY_WORKER_PORT):
    """Decide where every service runs; of C(place_all), the services and the problems.

    :returns: (placed, problems). C(placed) is a list of dictionaries, one for each service that could be placed, with
        C(name), C(engine), C(model), C(executor), C(head), C(hosts), C(port), C(url), C(args), C(env), C(share),
        C(parallel) {tensor, pipeline, data}, C(devices) (their number over all hosts), C(chip) (its name on the head),
        C(nodes) {host: {address, interface, npu_ids, phy_ids}} and, for executor ray, C(ray_ports); for mp and dp over
        several hosts C(join_port), where they meet. With C(replicas) each host has a whole copy, and C(hosts) are
        those in this run. A service on a slice has an empty C(phy_ids), and C(slice) {npu_id, chip_id, phy_id,
        template, dynamic} beside it.
        C(problems) is a list of Problem; with any of them nothing should be changed.
    """
    found = place_all(services, nodes, left_out, ray_port, ray_worker_port)
    return found.services, found.problems


def place_all(
    services, nodes, left_out=(), ray_port=RAY_PORT, ray_worker_port=RAY_WORKER_PORT, earlier=(), repack=False
):
    """Decide where every service runs, with as few NPUs as can be.

    :arg services: C(ascend_services).
    :arg nodes: {inventory name: Node}.
    :arg left_out: names of nodes that exist but take no part in this run; services on these alone are passed over.
    :arg ray_port: first port of the first Ray cluster.
    :arg ray_worker_port: first port of its workers.
    :arg earlier: C(services) of an earlier placement. What can stay where it is does.
    :arg repack: place everything anew, as if nothing of C(earlier) were there.
    :returns: a Placement. C(lower_bound) counts what no placement of the same services could do without, were every
        NPU empty; C(optimal) says that this one does not need more.
    """
    problems = check_shape(services)
    if problems:
        return Placement([], problems, {}, {}, 0, 0, False, {})
    cutting = earlier_slices(earlier)
    planner = WholePlanner(nodes, left_out, {} if repack else _earlier_ids(earlier))
    planner.stands = {} if repack else {name: host for name, (host, *_rest) in cutting.items()}
    usable = {s["name"]: planner.hosts(s) for s in services}
    whole = [s for s in services if "npus" in s]
    sliced = [s for s in services if "vnpu" in s and not planner.is_left_out(s)]
    planner.cut = _cut_npus(sliced, usable, nodes, cutting, repack)
    chosen = _whole_npus(planner, whole, usable)

    taken = {(host, npu) for (_name, host), npu_ids in chosen.items() for npu in npu_ids}
    slicer = SlicePlanner(nodes, taken, cutting, repack, planner.refuse)
    slicer.run(sliced, usable)

    placed = []
    numbers = {"ray": 0, "mp": 0, "dp": 0}
    for service in services:
        ports = meeting = None
        replicas = service.get("replicas", False)
        spread = "npus" in service and len(service["hosts"]) > 1 and not replicas
        executor = service.get("executor") or ("ray" if spread else "mp")
        if executor == "ray" and "npus" in service:
            ports = ray_ports(numbers["ray"], ray_port, ray_worker_port)
        elif spread:
            meeting = join_port(executor, numbers[executor])
        numbers[executor] += bool(ports or meeting)
        if planner.is_left_out(service):
            continue
        if "npus" in service:
            parts = {
                host: _whole_part(nodes[host], chosen.get((service["name"], host), []))
                for host in usable[service["name"]]
            }
            complete = bool(parts) and (replicas or len(parts) == len(service["hosts"]))
            complete = complete and all(part["npu_ids"] for part in parts.values())
            head = next(iter(parts), service["hosts"][0]) if replicas else service["hosts"][0]
        else:
            found = slicer.chosen.get(service["name"])
            parts = {found[0]: _slice_part(nodes[found[0]], found, service["vnpu"])} if found else {}
            complete = bool(found)
            head = found[0] if found else service["hosts"][0]
        for host in parts if ports else ():
            for use in RAY_PORT_NAMES:
                planner.claim_port(host, ports[use], service["name"], "ray " + use)
        if head in nodes and (complete or "npus" in service):
            for host in parts if replicas else [head]:
                planner.claim_port(host, service["port"], service["name"], "endpoint")
            if meeting:
                planner.claim_port(head, meeting, service["name"], executor)
        if complete:
            placed.append(_placed(planner, service, executor, head, parts, ports, meeting))
    pair(services, placed, planner)
    for service in placed:
        for host in service["nodes"] if service["ray_ports"] else ():
            planner.keep_off_workers(host, service["name"], service["ray_ports"])

    used = len(taken | {found[:2] for found in slicer.chosen.values()})
    bound = planner.least(chosen, whole) + slicer.bound
    slices, reserved = _slices(sliced, slicer.chosen)
    optimal = not planner.problems and used == bound
    return Placement(placed, planner.problems, slices, reserved, used, bound, optimal, slicer.sizes)


def _earlier_ids(earlier):
    found = {}
    for service in earlier:
        for host, part in (service.get("nodes") or {}).items():
            if not part.get("slice"):
                found[service["name"], host] = list(part["npu_ids"])
    return found


def _cut_npus(sliced, usable, nodes, earlier, repack):
    """{(host, NPU ID): why it can't be given out whole}: NPUs with slices of others, with slices that may stay, or
    named by a wish.
    """
    found = {}
    ours = set(earlier.values())
    for host, node in nodes.items():
        for (npu, chip_id), rows in node.cut().items():
            strange = [row["template"] for row in rows if (host, npu, chip_id, row["template"]) not in ours]
            if strange:
                found[host, npu] = f"is cut ({', '.join(sorted(strange))} on chip {chip_id})"
    for service in sliced:
        name, wish = service["name"], service["vnpu"]
        if name in earlier and not repack and earlier[name][0] in usable[name]:
            found[earlier[name][:2]] = f"is cut for service '{name}'"
        if "npu_id" in wish:
            for host in usable[name]:
                found[host, wish["npu_id"]] = f"is to be cut for service '{name}'"
    return found


def _whole_npus(planner, whole, usable):
    """{(service, host): NPU IDs}: exact ids first, then all that stays, then counts.

    Only when everything that can stay has its NPUs may others take some: a service that was added, or that wants more
    than before, moves nobody.
    """
    wishes = [(service, host) for service in whole for host in usable[service["name"]]]
    chosen = {}
    for pick in (planner.exact_ids, planner.kept_ids, planner.counted_ids):
        for service, host in wishes:
            if (service["name"], host) in chosen:
                continue
            ids = pick(host, service)
            if ids is not None:
                planner.claim_npus(host, service, ids)
                planner.check_devices(host, service, ids)
                chosen[service["name"], host] = ids
    return chosen


def _whole_part(node, npu_ids):
    return {
        "address": node.address,
        "interface": node.interface,
        "npu_ids": npu_ids,
        "phy_ids": node.devices(npu_ids),
    }


def _slice_part(node, found, wish):
    _host, npu, chip_id, template = found
    chip = next(chip for chip in node.chips[npu] if (chip["chip_id"] or 0) == chip_id)
    return {
        "address": node.address,
        "interface": node.interface,
        "npu_ids": [npu],
        "phy_ids": [],
        "slice": {
            "npu_id": npu,
            "chip_id": chip_id,
            "phy_id": chip["phy_id"],
            "template": template.name,
            "dynamic": bool(wish.get("dynamic")),
        },
    }


def _slices(sliced, chosen):
    """Slices to cut and slices to keep free for the runtime, by host, in the order of NPU, chip and service."""
    slices, reserved = {}, {}
    for service in sliced:
        if service["name"] in chosen:
            host, npu, chip_id, template = chosen[service["name"]]
            entry = {"npu_id": npu, "chip_id": chip_id, "template": template.name, "service": service["name"]}
            (reserved if service["vnpu"].get("dynamic") else slices).setdefault(host, []).append(entry)
    for by_host in (slices, reserved):
        for entries in by_host.values():
            entries.sort(key=lambda entry: (entry["npu_id"], entry["chip_id"]))
    return slices, reserved


def _placed(planner, service, executor, head, parts, ports, meeting):
    chips = planner.nodes[head].chips[parts[head]["npu_ids"][0]]
    one = {"tensor": 1, "pipeline": 1, "data": 1}
    return {
        "name": service["name"],
        "engine": service["engine"],
        "model": service["model"],
        "executor": executor,
        "head": head,
        "hosts": list(parts) if service.get("replicas") or "npus" not in service else service["hosts"],
        "replicas": service.get("replicas", False),
        "allow": service.get("allow", []),
        "port": service["port"],
        "url": f"http://{parts[head]['address']}:{service['port']}",
        "args": service.get("args", {}),
        "env": {key: str(value) for key, value in service.get("env", {}).items()},
        "share": service.get("share"),
        "parallel": planner.parallel(service, parts) if "npus" in service else one,
        "chip": chips[0]["name"],
        "devices": sum(len(part["phy_ids"]) for part in parts.values()) if "npus" in service else 1,
        "nodes": parts,
        "ray_ports": ports,
        "join_port": meeting,
        # Whose NPUs call each other over the NPU network; one host where nobody does.
        "network_hosts": [head] if service.get("replicas") or "npus" not in service else service["hosts"],
        "transfer": None,
    }


__all__ = [
    "Node",
    "Placement",
    "chips_by_npu",
    "host_views",
    "interfaces_of",
    "management_address",
    "memory_total_mb",
    "place",
    "place_all",
    "ray_ports",
]

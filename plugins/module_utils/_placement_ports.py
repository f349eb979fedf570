# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports a placement takes, and how it looks from each host.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

# A Ray cluster takes ten ports from here and a thousand for its workers; the second cluster of a fleet takes the next.
# 6379 and 10002 are Ray's own defaults.
RAY_PORT = 6379
RAY_PORT_STEP = 10
RAY_WORKER_PORT = 10002
RAY_WORKER_PORT_STEP = 1000
HCCL_PORT = 60000
# Where the nodes of one engine (mp) or its engines (dp) meet: vLLM's defaults, and ten further for each next service.
JOIN_PORTS = {"mp": 29501, "dp": 29550}
JOIN_PORT_STEP = 10
RAY_PORT_NAMES = (
    "gcs",
    "node_manager",
    "object_manager",
    "runtime_env_agent",
    "dashboard_agent_grpc",
    "dashboard_agent_listen",
    "metrics_export",
    "dashboard",
    "client",
)
RAY_HEAD_PORTS = ("gcs", "dashboard", "client")


def ray_ports(index, port=RAY_PORT, worker_port=RAY_WORKER_PORT):
    """The fixed ports of the fleet's Ray cluster number C(index), from 0."""
    base = port + RAY_PORT_STEP * index
    ports = {name: base + offset for offset, name in enumerate(RAY_PORT_NAMES)}
    first = worker_port + RAY_WORKER_PORT_STEP * index
    ports["worker_min"] = first
    ports["worker_max"] = first + RAY_WORKER_PORT_STEP - 1
    return ports


def join_port(executor, index):
    """The port on its head where the parts of the fleet's service number C(index) of an executor meet, from 0."""
    return JOIN_PORTS[executor] + JOIN_PORT_STEP * index


def host_views(placed):
    """The placement seen from each host: what it must be checked for.

    :returns: {host: {"parts": what M(node_check) takes, "images": [...], "address", "listen": [ports of its Ray nodes],
        "peers": what M(port_check) takes}}
    """
    views = {}
    for service in placed:
        for host, part in service["nodes"].items():
            view = views.setdefault(host, {"parts": [], "images": [], "listen": [], "peers": []})
            view["address"] = part["address"]
            view["parts"].append(
                {
                    "service": service["name"],
                    "npu_ids": part["npu_ids"],
                    "ports": _own_ports(service, host),
                    "model": service["model"],
                    **({"template": part["slice"]["template"]} if part.get("slice") else {}),
                    **({"adapters": service["adapters"]} if service.get("adapters") else {}),
                }
            )
            if service["image"] and service["image"] not in view["images"]:
                view["images"].append(service["image"])
            view["listen"] += [port for port in _listen(service, host) if port not in view["listen"]]
            for peer, other in service["nodes"].items():
                called = _listen(service, peer)
                if called and peer != host:
                    view["peers"].append({"name": peer, "address": other["address"], "ports": called})
    _add_transfers(views, placed)
    return views


def _add_transfers(views, placed):
    """Hosts of a producer and of its consumer call each other at their first KV port; clients call the proxy."""
    by_name = {service["name"]: service for service in placed}
    for service in placed:
        transfer = service["transfer"] or {}
        if transfer.get("proxy"):
            # A container of its own, with a name of its own.
            proxy = {"service": f"{service['name']}-proxy", "npu_ids": [], "ports": [transfer["proxy"]["port"]]}
            views[transfer["proxy"]["host"]]["parts"].append(proxy)
        both = {transfer.get("producer"), transfer.get("consumer")}
        for other in [by_name[name] for name in sorted(both & set(by_name)) if name != service["name"]]:
            for host in service["nodes"]:
                if transfer["kv_port"] not in views[host]["listen"]:
                    views[host]["listen"].append(transfer["kv_port"])
                for peer, part in other["nodes"].items():
                    if peer != host:
                        ports = [other["transfer"]["kv_port"]]
                        views[host]["peers"].append({"name": peer, "address": part["address"], "ports": ports})


def _own_ports(service, host):
    """The ports on which the service itself will listen on a host."""
    head, ports = host == service["head"], service["ray_ports"]
    own = [service["port"]] if head or service["replicas"] else []
    own += [ports[name] for name in RAY_PORT_NAMES if head or name not in RAY_HEAD_PORTS] if ports else []
    own += [service["transfer"]["kv_port"]] if service["transfer"] else []
    return own + ([service["join_port"]] if head and service["join_port"] else [])


def _listen(service, host):
    """The ports on which other nodes call a node: first and last stand for the range of Ray's workers.

    HCCL's own first port is called as well, once the engine starts (default of HCCL_IF_BASE_PORT).
    """
    head, ports = host == service["head"], service["ray_ports"]
    if ports:
        names = ("node_manager", "object_manager", "worker_min", "worker_max") + (("gcs",) if head else ())
        return [ports[name] for name in names] + [HCCL_PORT]
    if service["join_port"]:
        return ([service["join_port"]] if head else []) + [HCCL_PORT]
    return []


__all__ = ["RAY_PORT", "RAY_PORT_NAMES", "RAY_WORKER_PORT", "host_views", "join_port", "ray_ports"]

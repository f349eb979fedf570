# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefill on one placed service and decode on another: ports, sizes, flags, and the proxy before both.

The sources are pages and connector of github.com/vllm-project/vllm-ascend: pd_disaggregation_mooncake_multi_node.md,
pipeline_parallel.md, mooncake_connector.py. With C(MooncakeConnectorV1) a request goes to the producer first, then
to the consumer, through the proxy of C(examples/disaggregated_prefill_v1).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

CONNECTOR = "MooncakeConnectorV1"
PROXY = "/vllm-workspace/vllm-ascend/examples/disaggregated_prefill_v1/load_balance_proxy_server_example.py"
PROXY_PORT = 8000
# AscendDirectTransport takes ports at random from [20000, 20000 + 1000 for each device of the node).
_RANDOM_FROM = 20000
_RANDOM_EACH = 1000
_STEP = 100


def least_kv_port(devices):
    """The first port behind those that the transport takes at random on a node with so many devices."""
    return _RANDOM_FROM + _RANDOM_EACH * devices


def pair(services, placed, planner):
    """Judge and complete every transfer; problems go to the planner.

    :arg services: C(ascend_services), well formed.
    :arg placed: the placed services; those with a transfer get C(transfer) {role, kv_port, producer, consumer, proxy},
        C(network_hosts) and C(args.kv_transfer_config).
    """
    wishes = {service["name"]: service["transfer"] for service in services if "transfer" in service}
    found = {service["name"]: service for service in placed}
    users = {}
    for name, wish in wishes.items():
        if wish["role"] == "producer":
            users.setdefault(wish["to"], []).append(name)
    for name, wish in wishes.items():
        service = found.get(name)
        if service is None:
            continue  # not in this run, or not placed, which was said
        if wish["role"] == "consumer":
            if name not in users:
                _refuse(planner, service, "no producer sends its KV cache to it", f"add transfer.to: {name} to one")
            continue
        consumer = _consumer(planner, service, wish, wishes, found, users)
        if consumer:
            _join(planner, service, consumer, wish, wishes[consumer["name"]])


def _refuse(planner, service, problem, remedy):
    planner.refuse(service["head"], f"service '{service['name']}'", problem, remedy)


def _consumer(planner, producer, wish, wishes, found, users):
    """The placed service to which a producer sends, if the two can work together."""
    name = wish["to"]
    if name not in wishes or wishes[name]["role"] != "consumer":
        _refuse(
            planner,
            producer,
            f"transfer.to names '{name}', which is no service with role consumer",
            "correct the name, or give that service transfer: {role: consumer}",
        )
        return None
    if len(users[name]) > 1:
        if users[name][0] == producer["name"]:
            others = " and ".join(users[name])
            _refuse(planner, producer, f"{others} both send to '{name}'", "give each producer a consumer of its own")
        return None
    consumer = found.get(name)
    if consumer is None:
        if not planner.problems:
            _refuse(planner, producer, f"its consumer '{name}' is not part of this run", "widen --limit")
        return None
    if not (producer["parallel"] and consumer["parallel"]):
        return None  # said already
    return consumer if _sizes_fit(planner, producer, consumer) else None


def _sizes_fit(planner, producer, consumer):
    before = len(planner.problems)
    more, less = producer["parallel"]["tensor"], consumer["parallel"]["tensor"]
    if producer["model"] != consumer["model"]:
        _refuse(
            planner,
            producer,
            f"it serves {producer['model']}, its consumer {consumer['model']}",
            "give both the same model",
        )
    if more < less and "prefill_tensor" not in producer["allow"]:
        _refuse(
            planner,
            producer,
            f"parallel.tensor {more} of the producer is less than {less} of its consumer '{consumer['name']}' "
            "(vllm-ascend, mooncake_connector.py)",
            f"use {less} or more; or try it with allow: [prefill_tensor]",
        )
    elif more >= less and more % less and "prefill_tensor" not in producer["allow"]:
        _refuse(
            planner,
            producer,
            f"parallel.tensor {more} of the producer is no multiple of {less} of its consumer '{consumer['name']}' "
            "(vllm-ascend, mooncake_connector.py)",
            f"use a multiple of {less}; or try it with allow: [prefill_tensor]",
        )
    if consumer["parallel"]["pipeline"] > 1:
        _refuse(
            planner,
            consumer,
            f"parallel.pipeline of a consumer must be 1 for {CONNECTOR} (vllm-ascend, pipeline_parallel.md)",
            "use tensor or data",
        )
    return len(planner.problems) == before


def _join(planner, producer, consumer, wish, wished_there):
    proxy_port = wish.get("proxy_port", PROXY_PORT)
    planner.claim_port(producer["head"], proxy_port, producer["name"], "proxy")
    hosts = list(dict.fromkeys([*producer["nodes"], *consumer["nodes"]]))
    sizes = {
        "prefill": {"dp_size": producer["parallel"]["data"], "tp_size": producer["parallel"]["tensor"]},
        "decode": {"dp_size": consumer["parallel"]["data"], "tp_size": consumer["parallel"]["tensor"]},
    }
    for service, role, told in ((producer, "producer", wish), (consumer, "consumer", wished_there)):
        port = _kv_port(planner, service, told)
        config = {
            "kv_connector": CONNECTOR,
            "kv_role": f"kv_{role}",
            "kv_port": str(port),
            "engine_id": service["name"],
            "kv_connector_extra_config": sizes,
        }
        # A producer makes one token of each request: graphs are of no use to it, and what it has computed goes away.
        defaults = {"enforce_eager": True, "enable_prefix_caching": False} if role == "producer" else {}
        service["args"] = {**defaults, **service["args"], "kv_transfer_config": config}
        service["network_hosts"] = hosts
        service["transfer"] = {
            "role": role,
            "kv_port": port,
            "producer": producer["name"],
            "consumer": consumer["name"],
            "proxy": _proxy(producer, consumer, proxy_port) if role == "producer" else None,
        }


def _kv_port(planner, service, told):
    """The first of the ports on which a service's devices listen for each other, the same on all its hosts."""
    least = max(
        least_kv_port(sum(len(chips) for chips in planner.nodes[host].chips.values())) for host in service["nodes"]
    )
    width = max(len(part["phy_ids"]) for part in service["nodes"].values())
    port = told.get("kv_port")
    if port is None:
        port = least
        while any((host, port + n) in planner.ports for host in service["nodes"] for n in range(width)):
            port += _STEP
    elif port < least:
        _refuse(
            planner,
            service,
            f"transfer.kv_port {port} lies in the ports that the transport takes at random ({_RANDOM_FROM}-{least - 1} "
            "by vllm-ascend's pd_disaggregation_mooncake_multi_node.md)",
            f"give {least} or more, or leave it out",
        )
    for host in service["nodes"]:
        for number in range(width):
            planner.claim_port(host, port + number, service["name"], "KV cache")
    return port


def _proxy(producer, consumer, port):
    """What clients talk to: it runs on the producer's head."""
    address, there = producer["nodes"][producer["head"]]["address"], consumer["nodes"][consumer["head"]]["address"]
    return {
        "host": producer["head"],
        "port": port,
        "url": f"http://{address}:{port}",
        "command": [
            *("python3", PROXY, "--host", address, "--port", str(port)),
            *("--prefiller-hosts", address, "--prefiller-ports", str(producer["port"])),
            *("--decoder-hosts", there, "--decoder-ports", str(consumer["port"])),
        ],
    }


__all__ = ["CONNECTOR", "PROXY_PORT", "least_kv_port", "pair"]

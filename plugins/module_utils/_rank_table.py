# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rank table (hccl.json) that HCCL and MindIE read. This module util is PRIVATE to the collection.

Version 1.0 for 910, A2 and Duo, 1.2 with super pods for A3 (HCCL user guide, "ranktable file", CANN 8.0 and 8.2.RC1;
MindIE adds C(container_ip) to each server). All ids are strings, and ranks count from 0 over the servers in order.
"""

from __future__ import annotations

from dataclasses import dataclass


class RankTableError(Exception):
    """A rank table cannot be made of this; the text says of which node, what is missing and what to do."""


@dataclass(frozen=True)
class RankDevice:
    """An NPU: ``phy_id``, the address of its RoCE port, on A3 its SDID (C(npu-smi info -t spod-info))."""

    phy_id: int
    address: str | None
    super_device_id: int | None = None


@dataclass(frozen=True)
class RankServer:
    """A node: its management address (HCCL wants any unique text, MindIE the address) and its NPUs in rank order."""

    host: str
    address: str
    devices: tuple
    super_pod_id: int | None = None


def rank_table(servers) -> dict:
    """The table as it is to be written as JSON. Raises L(RankTableError).

    Nodes of a super pod give version 1.2, the others 1.0; a table has nodes of one kind only.
    """
    servers = tuple(servers)
    _refuse(servers)
    pods = any(server.super_pod_id is not None for server in servers)
    ranks = iter(range(sum(len(server.devices) for server in servers)))
    table: dict = {
        "version": "1.2" if pods else "1.0",
        "server_count": str(len(servers)),
        "server_list": [_server(server, ranks, pods) for server in servers],
        "status": "completed",
    }
    if pods:
        ids = sorted({server.super_pod_id for server in servers})
        table["super_pod_list"] = [
            {
                "super_pod_id": str(pod),
                "server_list": [{"server_id": server.address} for server in servers if server.super_pod_id == pod],
            }
            for pod in ids
        ]
    return table


def _server(server: RankServer, ranks, pods: bool) -> dict:
    devices = []
    for device in server.devices:
        entry = {"device_id": str(device.phy_id), "device_ip": device.address, "rank_id": str(next(ranks))}
        if pods:
            entry["super_device_id"] = str(device.super_device_id)
        devices.append(entry)
    shown = {"server_id": server.address, "container_ip": server.address, "device": devices}
    if pods:
        shown["host_ip"] = server.address
    else:
        shown["host_nic_ip"] = "reserve"
    return shown


def _refuse(servers) -> None:
    if not servers:
        raise RankTableError("a rank table needs at least one node.")
    for server in servers:
        if not server.devices:
            raise RankTableError(f"{server.host}: no NPU is to be in the rank table; name at least one.")
        for device in server.devices:
            if not device.address:
                raise RankTableError(
                    f"{server.host}: the NPU with phy id {device.phy_id} has no RoCE address; give it one "
                    "(role roce, roce_npus or roce_ranges), then write the rank table."
                )
    pods = [server.super_pod_id is not None for server in servers]
    if any(pods) and not all(pods):
        raise RankTableError(
            f"{servers[pods.index(False)].host} is not in a super pod, {servers[pods.index(True)].host} is; "
            "a rank table has nodes of one kind."
        )
    for server in servers:
        for device in server.devices:
            if server.super_pod_id is not None and device.super_device_id is None:
                raise RankTableError(
                    f"{server.host}: the NPU with phy id {device.phy_id} has no SDID; see npu-smi info -t spod-info."
                )
    _once([(f"address {server.address}", server.host) for server in servers])
    _once([(f"RoCE address {d.address}", f"{s.host} phy id {d.phy_id}") for s in servers for d in s.devices])


def _once(named) -> None:
    seen: dict = {}
    for what, whose in named:
        if what in seen:
            raise RankTableError(f"{what} is that of {seen[what]} and of {whose}; it must be unique in a rank table.")
        seen[what] = whose

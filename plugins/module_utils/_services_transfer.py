# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(transfer) of a service may say: prefill on one service, decode on another (P/D disaggregation).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

ROLES = ("producer", "consumer")
KEYS = ("role", "to", "kv_port", "proxy_port")


def _is_port(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1024 <= value <= 65535


def check_transfer(service):
    """Pairs (problem, remedy) of one service's C(transfer)."""
    transfer = service["transfer"]
    if not isinstance(transfer, dict):
        yield f"transfer is {transfer!r}", "give it as {role: producer, to: decode} or {role: consumer}"
        return
    for key in transfer:
        if key not in KEYS:
            yield f"key '{key}' is not known in transfer", f"the known keys are {', '.join(KEYS)}"
    role = transfer.get("role")
    if role not in ROLES:
        yield f"transfer.role is {role!r}", f"use one of {', '.join(ROLES)}"
    for key in ("kv_port", "proxy_port"):
        if key in transfer and not _is_port(transfer[key]):
            yield f"transfer.{key} is {transfer[key]!r}", "give a number from 1024 to 65535"
    if role == "producer" and (not isinstance(transfer.get("to"), str) or not transfer["to"]):
        yield "a producer does not say to which service its KV cache goes", "add transfer.to with that service's name"
    if role == "consumer":
        for key in ("to", "proxy_port"):
            if key in transfer:
                yield f"transfer.{key} belongs to the producer", "move it there"
    if service.get("engine") not in (None, "vllm"):
        yield f"engine '{service['engine']}' has no transfer here", "use vllm, or leave transfer out"
    if "npus" not in service:
        yield "a transfer needs whole NPUs", "give npus"
    if service.get("replicas"):
        yield "replicas have no transfer here", "write one service for each"
    args = service.get("args")
    if isinstance(args, dict) and "kv_transfer_config" in args:
        yield "args.kv_transfer_config is set by the collection where there is a transfer", "leave one of the two out"


__all__ = ["check_transfer"]

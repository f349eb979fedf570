# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefill here, decoding there: what `--kv-transfer-config` makes of a server.

A producer answers one token and says where its KV cache can be fetched; a consumer fetches it before it goes on. In
vLLM-Ascend that is Mooncake over RoCE with a handshake on `kv_port`; here it is a line of text over TCP on that port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from .log import logger

CONNECTORS = ("MooncakeConnectorV1",)
ROLES = ("kv_producer", "kv_consumer", "kv_both")
FETCH_SECONDS = 10
_KEPT = 1000


@dataclass(frozen=True)
class TransferConfig:
    """One side of a pair."""

    role: str
    port: int
    engine: str

    @property
    def produces(self) -> bool:
        return self.role in ("kv_producer", "kv_both")

    @classmethod
    def read(cls, text: Any) -> TransferConfig | None:
        """From the option's JSON text, or mapping.

        :raises ValueError: with the connector's text, where it has one
        """
        if not text:
            return None
        told = json.loads(text) if isinstance(text, str) else dict(text)
        connector, role = told.get("kv_connector"), told.get("kv_role")
        if connector not in CONNECTORS:
            raise ValueError(f"Unsupported connector type: {connector}")
        if role not in ROLES:
            raise ValueError(f"Unsupported kv_role: {role}. Supported roles are {ROLES}")
        sizes = told.get("kv_connector_extra_config") or {}
        prefill, decode = (int((sizes.get(side) or {})["tp_size"]) for side in ("prefill", "decode"))
        if prefill < decode:
            raise ValueError(
                f"prefill_tp_size: {prefill} must be greater than or equal to the decode_tp_size: {decode}"
            )
        return cls(role, int(told["kv_port"]), str(told.get("engine_id") or uuid.uuid4()))


class FetchFailed(Exception):
    """The producer's KV cache cannot be had."""


class Transfer:
    """The running side."""

    def __init__(self, config: TransferConfig) -> None:
        self.config = config
        self._host = os.environ.get("VLLM_HOST_IP", "127.0.0.1")
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """A producer's port.

        :raises RuntimeError: it is taken
        """
        if not self.config.produces:
            return
        try:
            self._server = await asyncio.start_server(self._give, self._host, self.config.port)
        except OSError as error:
            raise RuntimeError(
                f"zmq.error.ZMQError: Address already in use (addr='tcp://{self._host}:{self.config.port}')"
            ) from error
        logger.info("KV cache of engine %s can be fetched at %s:%d", self.config.engine, self._host, self.config.port)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _give(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            asked = (await reader.readline()).decode().strip()
            count = self._kept.pop(asked, None)
            writer.write(b"unknown\n" if count is None else b"%d\n" % count)
            await writer.drain()
        writer.close()

    def keep(self, tokens: int) -> dict[str, Any]:
        """What a producer answers beside its token: how the other side finds the cache of this request."""
        name = uuid.uuid4().hex
        self._kept[name] = tokens
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return {
            "do_remote_prefill": True,
            "do_remote_decode": False,
            "remote_engine_id": self.config.engine,
            "remote_request_id": name,
            "remote_host": self._host,
            "remote_port": self.config.port,
        }

    @staticmethod
    async def fetch(params: dict[str, Any]) -> int:
        """How many tokens' cache was fetched from a producer.

        :raises FetchFailed: it does not answer, or does not know the request
        """
        host, port, name = params.get("remote_host"), params.get("remote_port"), params.get("remote_request_id")
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(f"{name}\n".encode())
                    return int(await reader.readline())
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError) as error:
            logger.error("Mooncake transfer failed for request %s from %s:%s (%s)", name, host, port, error)
            raise FetchFailed(f"KV cache of request {name} could not be fetched from {host}:{port}") from error

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy before producers and consumers, with the command line and the routes of vLLM-Ascend's example.

A request goes to a producer for one token, and what that says of its KV cache goes to a consumer with the request.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any

from .log import logger, set_up, web_logger
from .web import Request, Response, Server, bind

CONNECT_SECONDS = 5


class UpstreamFailed(Exception):
    """A producer or consumer cannot be asked."""


async def ask(host: str, port: int, request: Request, body: bytes) -> tuple[int, str, AsyncIterator[bytes]]:
    """(status, content type, body) of one request to a server.

    :raises UpstreamFailed: it does not answer
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise UpstreamFailed(f"{host}:{port} does not answer ({error or 'timeout'})") from error
    head = [f"{request.method} {request.path} HTTP/1.1", f"host: {host}:{port}", f"content-length: {len(body)}"]
    kept = ("authorization", "content-type")
    head += [f"{name}: {request.headers[name]}" for name in kept if name in request.headers]
    writer.write("\r\n".join([*head, "connection: close", "", ""]).encode("latin-1") + body)
    try:
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(answer[0].split(" ")[1])
    except (OSError, ValueError, IndexError, asyncio.IncompleteReadError) as error:
        writer.close()
        raise UpstreamFailed(f"{host}:{port} broke off") from error
    headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in answer[1:])}
    chunked = "chunked" in headers.get("transfer-encoding", "")
    return status, headers.get("content-type", "application/json"), _body(reader, writer, chunked)


async def _body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chunked: bool) -> AsyncIterator[bytes]:
    """The parts of a body; the other side closes behind it."""
    with contextlib.closing(writer):
        if not chunked:
            while part := await reader.read(65536):
                yield part
            return
        while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
            yield (await reader.readexactly(size + 2))[:-2]


class Proxy:
    """Takes producers and consumers in turn."""

    def __init__(self, prefillers: list[tuple[str, int]], decoders: list[tuple[str, int]]) -> None:
        self._counts = {"prefill_instances": len(prefillers), "decode_instances": len(decoders)}
        self._prefillers, self._decoders = itertools.cycle(prefillers), itertools.cycle(decoders)

    async def __call__(self, request: Request) -> Response:
        try:
            if request.path == "/healthcheck":
                return Response.of({"status": "ok", **self._counts})
            if request.path == "/v1/models":
                return await self._whole(next(self._prefillers), request, b"")
            if request.path in ("/v1/chat/completions", "/v1/completions") and request.method == "POST":
                return await self._complete(request)
        except UpstreamFailed as error:
            logger.error("%s", error)
            return Response.of({"detail": str(error)}, 502)
        return Response.of({"detail": "Not Found"}, 404)

    @staticmethod
    async def _whole(server: tuple[str, int], request: Request, body: bytes) -> Response:
        status, kind, parts = await ask(*server, request, body)
        return Response(status, b"".join([part async for part in parts]), kind)

    async def _complete(self, request: Request) -> Response:
        try:
            body = json.loads(request.body)
        except ValueError:
            return Response.of({"detail": "JSON decode error"}, 400)
        first: dict[str, Any] = {**body, "stream": False, "max_tokens": 1}
        first.pop("max_completion_tokens", None)
        first.pop("stream_options", None)
        first["kv_transfer_params"] = {"do_remote_decode": True, "do_remote_prefill": False}
        prefilled = await self._whole(next(self._prefillers), request, json.dumps(first).encode())
        if prefilled.status != 200:
            return prefilled
        params = json.loads(prefilled.body).get("kv_transfer_params")
        if params:
            body["kv_transfer_params"] = params
        status, kind, parts = await ask(*next(self._decoders), request, json.dumps(body).encode())
        return Response(status, content_type=kind, stream=parts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Proxy before servers for prefill and for decoding")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="localhost")
    for side, port in (("prefiller", 8001), ("decoder", 8002)):
        parser.add_argument(f"--{side}-hosts", nargs="+", default=["localhost"])
        parser.add_argument(f"--{side}-ports", type=int, nargs="+", default=[port])
    return parser


async def _run(args: argparse.Namespace) -> None:
    proxy = Proxy(
        list(zip(args.prefiller_hosts, args.prefiller_ports, strict=True)),
        list(zip(args.decoder_hosts, args.decoder_ports, strict=True)),
    )
    server = Server(proxy, lambda request, status: web_logger.info('"%s" %d', request.path, status))
    bound = bind(args.host, args.port)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await server.listen(bound)
    web_logger.info("Uvicorn running on http://%s:%d (Press CTRL+C to quit)", *bound.getsockname()[:2])
    await stopped.wait()
    await server.close(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of load_balance_proxy_server_example.py."""
    parser = _parser()
    args = parser.parse_args(argv)
    for side in ("prefiller", "decoder"):
        if len(getattr(args, f"{side}_hosts")) != len(getattr(args, f"{side}_ports")):
            parser.error(f"Number of {side} hosts must match number of {side} ports")
    set_up("Proxy")
    asyncio.run(_run(args))
    return 0

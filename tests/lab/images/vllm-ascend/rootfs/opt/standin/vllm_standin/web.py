# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP/1.1 server on asyncio: bodies by length or chunked, keep-alive, streamed replies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MAX_HEADER = 64 * 1024
MAX_BODY = 32 * 1024 * 1024


class BadHttp(Exception):
    """The peer does not speak HTTP/1.1 as it should; the connection is closed with 400."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: str


@dataclass
class Response:
    """A whole reply in `body`, or a streamed one in `stream`."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Response:
        return cls(status, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def bind(host: str | None, port: int) -> socket.socket:
    """A bound socket that does not listen yet: clients are refused, and so is a second server, at once.

    :raises OSError: the port is taken, or the address is not this machine's
    """
    bound = socket.socket(socket.AF_INET6 if host and ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host or "", port))
    except OSError:
        bound.close()
        raise
    return bound


Handler = Callable[[Request], Awaitable[Response]]


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """One request, or None when the peer has closed the connection between requests.

    :raises BadHttp: for what cannot be understood
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadHttp("connection closed inside a header") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadHttp("header too long") from error
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadHttp("no HTTP/1 request line")
    headers = {}
    for line in filter(None, rest):
        name, colon, value = line.partition(":")
        if not colon:
            raise BadHttp("header line without a colon")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers)
    peer = writer.get_extra_info("peername") or ("local", 0)
    return Request(words[0], words[1].split("?")[0], headers, body, f"{peer[0]}:{peer[1]}")


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    try:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await _read_chunks(reader)
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= MAX_BODY:
            raise BadHttp("body too long")
        return await reader.readexactly(length)
    except (ValueError, asyncio.IncompleteReadError) as error:
        raise BadHttp("broken body") from error


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = bytearray()
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        if size == 0:
            while (await reader.readline()).strip():
                continue
            return bytes(parts)
        if len(parts) + size > MAX_BODY:
            raise BadHttp("body too long")
        parts += (await reader.readexactly(size + 2))[:-2]


async def _write(writer: asyncio.StreamWriter, request: Request, response: Response, keep: bool) -> None:
    phrase = HTTPStatus(response.status).phrase
    head = [f"HTTP/1.1 {response.status} {phrase}", "server: uvicorn"]
    if response.stream is not None:
        head.append("transfer-encoding: chunked")
    else:
        head.append(f"content-length: {len(response.body)}")
    if response.body or response.stream is not None:
        head.append(f"content-type: {response.content_type}")
    head += [f"{name}: {value}" for name, value in response.headers.items()]
    head.append(f"connection: {'keep-alive' if keep else 'close'}")
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    if response.stream is None:
        writer.write(b"" if request.method == "HEAD" else response.body)
        await writer.drain()
        return
    # Closing the iterator here, and not by garbage collection, is what tells the engine of a lost client.
    async with contextlib.aclosing(response.stream) as stream:
        async for part in stream:
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


class Server:
    """Listens, and calls `handler` for each request and `log` with each answered one."""

    def __init__(self, handler: Handler, log: Callable[[Request, int], None]) -> None:
        self._handler, self._log = handler, log
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()

    async def listen(self, bound: socket.socket) -> None:
        """Start listening on a bound socket."""
        self._server = await asyncio.start_server(self._serve, sock=bound, limit=MAX_HEADER)

    async def close(self, grace: float) -> None:
        """Stop listening, give requests under way `grace` seconds, then cut them off."""
        if self._server is None:
            return
        self._server.close()
        if self._busy:
            await asyncio.wait(self._busy, timeout=grace)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._connections.add(task)
        try:
            while await self._one(reader, writer):
                continue
        except BadHttp as error:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n" + str(error).encode())
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # the client went away, or the server is closing: nobody is left to be told
        finally:
            self._connections.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader, writer)
        if request is None:
            return False
        task = asyncio.current_task()
        self._busy.add(task)
        try:
            response = await self._handler(request)
            self._log(request, response.status)
            keep = request.headers.get("connection", "").lower() != "close" and self._server.is_serving()
            await _write(writer, request, response, keep)
        finally:
            self._busy.discard(task)
        return keep

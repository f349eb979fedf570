# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the nodes of one service meet without Ray: the head listens, the others come, and losing one ends all.

In vLLM that is torch.distributed's store for `mp` and the handshake of the engines for `dp`. Here it is one TCP
connection for each node beside the head, with a line of JSON: what the node is, and which NPUs it holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from .device import Claim

JOIN_SECONDS = float(os.environ.get("NPUOPS_STANDIN_JOIN_SECONDS", "600"))
RETRY_SECONDS = 1.0
_LONGEST_LINE = 1 << 20


class NotMet(RuntimeError):
    """The nodes did not find each other; the text is vLLM's or torch's."""


@dataclass(frozen=True)
class Meeting:
    """How the nodes of a service meet: `kind` is mp or dp, `nodes` how many, `part` what all must agree on."""

    kind: str
    host: str
    port: int
    nodes: int
    part: dict[str, Any]


def _beat(sock: socket.socket) -> None:
    """A dead link is noticed in some seconds, not in two hours."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3)):
        sock.setsockopt(socket.IPPROTO_TCP, option, seconds)


def _read_line(sock: socket.socket, deadline: float) -> dict[str, Any]:
    text = b""
    while not text.endswith(b"\n"):
        sock.settimeout(max(0.1, deadline - time.monotonic()))
        more = sock.recv(4096)
        if not more or len(text) > _LONGEST_LINE:
            raise ConnectionError("the other side went away")
        text += more
    return json.loads(text)


def _write_line(sock: socket.socket, what: dict[str, Any]) -> None:
    sock.sendall(json.dumps(what).encode() + b"\n")


class Head:
    """The listening side."""

    def __init__(self, meeting: Meeting) -> None:
        """Bind at once: a port that is taken must be known before an NPU is.

        :raises NotMet: it is taken, or the address is not this node's
        """
        self._meeting = meeting
        self._guests: dict[int, socket.socket] = {}
        try:
            self._listener = socket.create_server((meeting.host, meeting.port))
        except OSError as error:
            raise NotMet(
                "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network "
                f"address. port: {meeting.port}, useIpv6: false, code: -{error.errno}, name: "
                f"{'EADDRINUSE' if error.errno == 98 else 'EADDRNOTAVAIL'}, message: {(error.strerror or '').lower()}"
            ) from error

    def wait(self) -> list[Claim]:
        """Wait for every other node.

        :returns: what they hold
        :raises NotMet: not all came in time, or one came with other sizes
        """
        claims: list[Claim] = []
        deadline = time.monotonic() + JOIN_SECONDS
        while len(self._guests) < self._meeting.nodes - 1:
            if self.lost():
                raise NotMet(self.lost() or "")
            readable, _w, _x = select.select([self._listener], [], [], min(1.0, max(0.0, deadline - time.monotonic())))
            if readable:
                claims += self._welcome(deadline)
            elif time.monotonic() >= deadline:
                raise NotMet(self._too_late())
        for guest in self._guests.values():
            _write_line(guest, {"welcome": True})
        return claims

    def _welcome(self, deadline: float) -> list[Claim]:
        guest, (address, _port) = self._listener.accept()
        _beat(guest)
        try:
            told = _read_line(guest, min(deadline, time.monotonic() + 5))
            number, part, held = int(told["node"]), told["part"], told["claims"]
        except (OSError, ValueError, KeyError, TypeError):
            guest.close()  # a port scan, or somebody else's program
            return []
        if part != self._meeting.part or not 0 < number < self._meeting.nodes or number in self._guests:
            wrong = f"node {number} at {address} has {part}, this one {self._meeting.part}"
            with contextlib.suppress(OSError):
                _write_line(guest, {"refused": wrong})
            guest.close()
            raise NotMet(f"RuntimeError: Configuration mismatch between nodes: {wrong}")
        self._guests[number] = guest
        return [Claim(**claim) for claim in held]

    def _too_late(self) -> str:
        here, nodes = len(self._guests) + 1, self._meeting.nodes
        if self._meeting.kind == "dp":
            return (
                "TimeoutError: Timed out waiting for engines to send initial message on input socket. "
                f"({here}/{nodes} nodes are there)"
            )
        return (
            f"torch.distributed.DistStoreError: Timed out after {JOIN_SECONDS + 1:.0f} seconds waiting for clients. "
            f"{here}/{nodes} clients joined."
        )

    def lost(self) -> str | None:
        """Which node is gone, or None."""
        guests = {guest: number for number, guest in self._guests.items()}
        readable, _w, _x = select.select(list(guests), [], [], 0)
        for guest in readable:
            with contextlib.suppress(OSError):
                if guest.recv(1):
                    continue
            return f"the node of rank {guests[guest]} is gone"
        return None

    def close(self) -> None:
        self._listener.close()
        for guest in self._guests.values():
            guest.close()
        self._guests = {}


class Guest:
    """A node beside the head."""

    def __init__(self, meeting: Meeting, node: int, claims: list[Claim]) -> None:
        """Come to the head, waiting for it, and until all are there.

        :raises NotMet: the head did not answer in time, refused this node, or is gone
        """
        deadline = time.monotonic() + JOIN_SECONDS
        self._sock = self._reach(meeting, deadline)
        try:
            _beat(self._sock)
            _write_line(
                self._sock,
                {"node": node, "part": meeting.part, "claims": [claim.as_dict() for claim in claims]},
            )
            answer = _read_line(self._sock, deadline)
        except OSError as error:
            self._sock.close()
            raise NotMet(
                "torch.distributed.DistNetworkError: failed to recv, got 0 bytes. Connection was likely closed. Did "
                "the remote server shutdown or crash?"
            ) from error
        if "refused" in answer:
            self._sock.close()
            raise NotMet(f"RuntimeError: Configuration mismatch between nodes: {answer['refused']}")
        self._sock.settimeout(None)

    @staticmethod
    def _reach(meeting: Meeting, deadline: float) -> socket.socket:
        while True:
            try:
                return socket.create_connection((meeting.host, meeting.port), timeout=5)
            except OSError as error:
                if time.monotonic() + RETRY_SECONDS >= deadline:
                    raise NotMet(
                        "torch.distributed.DistNetworkError: The client socket has timed out after "
                        f"{JOIN_SECONDS * 1000:.0f}ms while trying to connect to ({meeting.host}, {meeting.port})."
                    ) from error
                time.sleep(RETRY_SECONDS)

    def lost(self) -> bool:
        """Whether the head is gone. Blocks for half a second at most."""
        readable, _w, _x = select.select([self._sock], [], [], 0.5)
        if not readable:
            return False
        try:
            return not self._sock.recv(1)
        except OSError:
            return True

    def close(self) -> None:
        self._sock.close()

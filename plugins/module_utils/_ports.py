# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens on ports for a short time and connects to them, to see whether a network lets them through.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from ._proc import start_time


def bind(address, ports):
    """Listening sockets on these ports.

    :returns: (sockets, taken): ports on which somebody listens already can be connected to all the same.
    """
    sockets, taken = [], []
    for port in ports:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
            sock.listen(16)
        except OSError as exc:
            sock.close()
            if exc.errno != errno.EADDRINUSE:
                raise
            taken.append(port)
        else:
            sockets.append(sock)
    return sockets, taken


def _serve(sockets, lifetime):
    deadline = time.monotonic() + lifetime
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return
        for sock in select.select(sockets, [], [], left)[0]:
            sock.accept()[0].close()


def detach(sockets, lifetime):
    """Answer on the sockets from a process of its own, for C(lifetime) seconds at most.

    :returns: its pid. It ends by itself, so a play that dies leaves nothing listening.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        os.waitpid(child, 0)
        pid = int(os.read(reader, 32))
        os.close(reader)
        for sock in sockets:
            sock.close()
        return pid
    os.setsid()
    grandchild = os.fork()
    if grandchild:
        os.write(writer, str(grandchild).encode())
        os._exit(0)
    keep = {sock.fileno() for sock in sockets}
    # The caller's pipes must close, or whoever reads them waits for this process.
    for descriptor in range(1024):
        if descriptor not in keep:
            try:
                os.close(descriptor)
            except OSError:
                continue
    try:
        _serve(sockets, lifetime)
    finally:
        os._exit(0)


def end(pid, started):
    """End a process made by C(detach), unless its pid has gone to another one (C(started): see C(_proc.start_time))."""
    if start_time(pid) != started:
        return
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _connect(address, port, timeout):
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError as exc:
        return str(exc) or exc.__class__.__name__
    return None


def connect_all(targets, timeout):
    """Connect to every (address, port), side by side.

    :returns: {(address, port): None, or why it failed}.
    """
    targets = list(targets)
    if not targets:
        return {}
    with ThreadPoolExecutor(max_workers=min(32, len(targets))) as pool:
        return dict(zip(targets, pool.map(lambda t: _connect(t[0], t[1], timeout), targets)))


def ranges(ports):
    """Ports and ranges, as C(6379) or C(6379-6385), in order and with neighbours joined; the way firewalls take them.

    :arg ports: integers, and C((first, last)) for ranges.
    """
    spans = sorted((port, port) if isinstance(port, int) else tuple(port) for port in ports)
    joined = []
    for first, last in spans:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return [str(first) if first == last else f"{first}-{last}" for first, last in joined]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against this machine's own kernel: real sockets, real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _ports, _proc


@pytest.fixture
def listening():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_who_listens(listening):
    holders = _proc.listeners({listening, 1})
    assert holders == {listening: [{"pid": os.getpid(), "name": _proc.name_of(os.getpid()), "owner": None}]}


def test_nobody_listens():
    assert _proc.listeners({free_port()}) == {}


def test_only_listening_sockets_count():
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   0: 0100007F:1F40 00000000:0000 %s 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100\n"
    assert _proc.listening_inodes(header + line % "0A" + line % "01") == {8000: {"4711"}}


@pytest.mark.parametrize(("environment", "owner"), [({"NPUOPS_SERVICE": "chat"}, "chat"), ({}, None)])
def test_whose_a_process_is(environment, owner):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment)
    try:
        deadline = time.monotonic() + 10
        while _proc.name_of(child.pid) == _proc.name_of(os.getpid()) and time.monotonic() < deadline:
            if _proc.owner_of(child.pid) == owner:
                break
        assert _proc.owner_of(child.pid) == owner
    finally:
        child.communicate(b"\n")


def fake_process(proc, pid, parent, environ):
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "environ").write_bytes(environ)
    (folder / "stat").write_text(f"{pid} (VLLM (x) y) S {parent} 1 1 0")


def test_a_process_that_has_overwritten_its_environment_belongs_to_its_parents(tmp_path):
    fake_process(tmp_path, 10, 1, b"PATH=/bin\0NPUOPS_SERVICE=chat\0")
    fake_process(tmp_path, 11, 10, b"VLLM::Worker_TP0\0")
    fake_process(tmp_path, 12, 11, b"")
    fake_process(tmp_path, 20, 1, b"PATH=/bin\0")
    assert [_proc.owner_of(pid, str(tmp_path)) for pid in (10, 11, 12, 20, 99)] == ["chat", "chat", "chat", None, None]


def test_a_process_that_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert (_proc.owner_of(child.pid), _proc.name_of(child.pid), _proc.start_time(child.pid)) == (None, None, None)


def test_listening_for_a_while_and_then_not():
    first, second = free_port(), free_port()
    sockets, taken = _ports.bind("127.0.0.1", [first, second])
    assert taken == []
    pid = _ports.detach(sockets, lifetime=30)
    started = _proc.start_time(pid)
    both = [("127.0.0.1", first), ("127.0.0.1", second)]
    assert set(_ports.connect_all(both, 2).values()) == {None}
    assert _ports.bind("127.0.0.1", [first]) == ([], [first])
    _ports.end(pid, started + 1)  # another process's identity: must not be ended
    assert set(_ports.connect_all(both, 2).values()) == {None}
    _ports.end(pid, started)
    deadline = time.monotonic() + 10
    while None in _ports.connect_all(both, 2).values() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all("refused" in reason for reason in _ports.connect_all(both, 2).values())


def test_listeners_end_by_themselves():
    port = free_port()
    _ports.detach(_ports.bind("127.0.0.1", [port])[0], lifetime=0.2)
    deadline = time.monotonic() + 10
    while _ports.connect_all([("127.0.0.1", port)], 2)[("127.0.0.1", port)] is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "refused" in _ports.connect_all([("127.0.0.1", port)], 2)[("127.0.0.1", port)]


def test_an_address_that_is_not_here():
    with pytest.raises(OSError):
        _ports.bind("192.0.2.77", [free_port()])

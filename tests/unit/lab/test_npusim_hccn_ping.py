# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The echo behind ``hccn_tool -ping``: what is sent, and what becomes of ping's own words."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from npusim import cli_hccn_tool, hccn_ping, icmp, profiles, state, wire


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A standalone machine with addresses; returns its state directory."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    built = profiles.build("atlas-800i-a2-64g", node=2)
    wire.assign(built, "10.77.0.0/16")
    state.save(built)
    return tmp_path


def call(capfd: pytest.CaptureFixture, *args: str) -> tuple[int, str, str]:
    status = cli_hccn_tool.main(list(args))
    return (status, *capfd.readouterr())


PING_OK = """PING 10.77.2.13 (10.77.2.13) from 10.77.1.10 : 64(92) bytes of data.
72 bytes from 10.77.2.13: icmp_seq=1 ttl=64 time=0.609 ms
72 bytes from 10.77.2.13: icmp_seq=3 ttl=64 time=0.072 ms

--- 10.77.2.13 ping statistics ---
3 packets transmitted, 2 received, 33.3333% packet loss, time 402ms
"""
PING_UNREACHABLE = """PING 10.77.3.13 (10.77.3.13) from 10.77.1.10 : 64(92) bytes of data.
From 10.77.1.10 icmp_seq=1 Destination Host Unreachable
"""


def test_echo_is_read_from_pings_own_words() -> None:
    assert icmp.parse(PING_OK, 3) == icmp.Echo([0.609, None, 0.072])
    assert icmp.parse(PING_UNREACHABLE, 3) == icmp.Echo([None] * 3, unreachable=True)
    assert icmp.parse("ping: local error: message too long, mtu=1500\n", 3).too_long
    assert icmp.parse("ping: bind: Cannot assign requested address\n", 3) == icmp.Echo([None] * 3)


def on_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine, which is a directory, ping as a node does."""
    monkeypatch.setattr(hccn_ping, "state", SimpleNamespace(standalone=lambda: False))


def fake_ping(directory: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a ``ping`` on PATH that notes its arguments and says ``text``."""
    (directory / "said").write_text(text, "utf-8")
    script = directory / "ping"
    script.write_text(f'#!/bin/sh\necho ping "$@" >>{directory}/args\ncat {directory}/said\n', "utf-8")
    script.chmod(0o755)
    on_wire(monkeypatch)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory / "args"


def test_ping_is_sent_from_the_ports_own_address(machine: Path, capfd, monkeypatch) -> None:
    args = fake_ping(machine, PING_OK, monkeypatch)
    status, out, _err = call(capfd, "-i", "0", "-ping", "-g", "address", "10.77.2.13", "pkt", "64")
    assert (status, out.splitlines()) == (
        0,
        [
            "device 0 PING 10.77.2.13",
            "recv seq=0,time=0.609000ms",
            "recv time out seq=1",
            "recv seq=2,time=0.072000ms",
            "3 packets transmitted, 2 received, 33.33% packet loss",
        ],
    )
    assert args.read_text("utf-8") == "ping -n -c 3 -i 0.2 -W 1 -s 64 -I 10.77.2.10 10.77.2.13\n"


def test_newer_tools_fail_after_a_loss(machine: Path, capfd, monkeypatch) -> None:
    with state.changing() as stored:
        stored.tool_version = stored.driver_version = "26.0.rc1"
    fake_ping(machine, PING_UNREACHABLE, monkeypatch)
    status, out, err = call(capfd, "-i", "0", "-ping", "-g", "address", "10.77.3.13")
    assert (status, err) == (1, "Command execute failed!\n")
    assert "Destination Host Unreachable" in out
    assert out.endswith("3 packets transmitted, 0 received, 100.00% packet loss\n")


def test_without_a_ping_program_the_reason_is_said(machine: Path, capfd, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(machine))
    on_wire(monkeypatch)
    status, _out, err = call(capfd, "-i", "0", "-ping", "-g", "address", "10.77.3.13")
    assert status == 1
    assert err == "npusim: ping: No such file or directory\nCommand execute failed!\n"

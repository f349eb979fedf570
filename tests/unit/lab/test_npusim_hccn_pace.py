# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long calls of ``hccn_tool`` last, and ports that are busy or do not get ready."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from npusim import __main__ as npusim_cli
from npusim import cli_hccn_tool, faults, hccn_pace, profiles, state, wire

LAB = Path(__file__).resolve().parents[2] / "lab"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    built = profiles.build("atlas-800i-a2-64g", node=2)
    wire.assign(built, "10.77.0.0/16")
    state.save(built)
    return tmp_path


def start(*args: str) -> subprocess.Popen:
    """The tool as a program of its own."""
    argv = [sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, {str(LAB)!r}); "
            "from npusim.cli_hccn_tool import main; sys.exit(main(sys.argv[1:]))"]  # fmt: skip
    return subprocess.Popen([*argv, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)


def finish(process: subprocess.Popen) -> tuple[int, str]:
    text = process.communicate()[0]
    return process.returncode, text


def call(capfd: pytest.CaptureFixture, *args: str) -> tuple[int, str, str]:
    status = cli_hccn_tool.main(list(args))
    return (status, *capfd.readouterr())


def test_a_query_lasts_as_told_and_ports_do_not_wait_for_each_other(machine: Path) -> None:
    assert npusim_cli.main(["set", "query_s=0.8", "ping_s=1.2"]) == 0
    begin = time.monotonic()
    calls = [start("-i", str(phy), "-link", "-g") for phy in range(4)]
    assert [finish(done)[0] for done in calls] == [0] * 4
    assert 0.75 <= time.monotonic() - begin < 1.6
    begin = time.monotonic()
    ping = start("-i", "0", "-ping", "-g", "address", "10.77.1.10")
    assert "3 received" in finish(ping)[1]
    assert 1.15 <= time.monotonic() - begin < 2


def test_refusals_last_as_long_as_answers(machine: Path) -> None:
    npusim_cli.main(["set", "query_s=0.6"])
    begin = time.monotonic()
    done = start("-i", "0", "-ip", "-inet6", "-g")
    assert (finish(done)[0], time.monotonic() - begin >= 0.55) == (13, True)


def test_a_latency_is_taken_back(machine: Path) -> None:
    npusim_cli.main(["set", "query_s=30", "ping_s=30"])
    npusim_cli.main(["set", "query_s=", "ping_s=0"])
    assert (state.load().query_s, state.load().ping_s) == (0, 0)


def test_a_second_call_meets_a_slow_one(machine: Path, capfd: pytest.CaptureFixture) -> None:
    npusim_cli.main(["set", "query_s=3"])
    slow = start("-i", "3", "-link", "-g")
    while not (machine / "hccn.3.lock").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    npusim_cli.main(["set", "query_s=0"])  # for the calls from here
    assert call(capfd, "-i", "3", "-link", "-g")[0] == 11
    assert call(capfd, "-i", "4", "-link", "-g")[0] == 0
    assert finish(slow) == (0, "link status: UP\n")


def test_one_port_is_busy(machine: Path, capfd: pytest.CaptureFixture) -> None:
    npusim_cli.main(["fault", "add", "busy", "--tool", "hccn_tool", "--phy", "3", "--times", "2"])
    assert faults.faults(state.load()) == ["busy --tool hccn_tool --phy 3 --times 2"]
    assert call(capfd, "-i", "2", "-link", "-g")[0] == 0
    for _again in range(2):
        assert call(capfd, "-i", "3", "-link", "-g") == (11, "hccn_tool is busy, please try again.\n", "")
    assert call(capfd, "-i", "3", "-link", "-g")[0] == 0
    assert faults.faults(state.load()) == []


@pytest.mark.parametrize("clear", [["busy"], ["busy", "--tool", "hccn_tool"], ["busy", "--phy", "3"], []])
def test_busy_is_mended(machine: Path, clear: list[str]) -> None:
    faults.add("busy", tool="hccn_tool", phy=3, times=9)
    npusim_cli.main(["fault", "clear", *clear])
    assert faults.faults(state.load()) == []


def test_npu_smi_is_not_busy_for_one_chip(machine: Path) -> None:
    with pytest.raises(faults.FaultError, match="npu-smi is busy for all chips"):
        faults.add("busy", tool="npu-smi", phy=3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only in sleeps; returns them."""
    slept: list[float] = []
    monkeypatch.setattr(hccn_pace.time, "sleep", slept.append)
    monkeypatch.setattr(hccn_pace.time, "monotonic", lambda: sum(slept))
    return slept


def test_a_sick_npu_blocks_and_then_answers(machine: Path, capfd: pytest.CaptureFixture, clock: list[float]) -> None:
    faults.add("hang", phy=5, seconds=20.5)
    assert call(capfd, "-i", "4", "-link", "-g")[0] == 0
    assert clock == []
    assert call(capfd, "-i", "5", "-link", "-g") == (0, "link status: UP\n", "")
    assert sum(clock) == 20.5


def test_after_300_seconds_the_tool_gives_up(machine: Path, capfd: pytest.CaptureFixture, clock: list[float]) -> None:
    faults.add("hang", phy=5, seconds=900)
    assert call(capfd, "-i", "5", "-ip", "-g") == (3, "", "Get device health status failed!\n")
    assert sum(clock) == 300


def test_a_mended_npu_answers_the_call_that_waits(machine: Path, capfd: pytest.CaptureFixture) -> None:
    npusim_cli.main(["fault", "add", "hang", "--phy", "5", "--seconds", "300"])
    assert faults.faults(state.load()) == ["hang --phy 5 --seconds 300"]
    threading.Timer(0.3, lambda: faults.clear("hang", phy=5)).start()
    begin = time.monotonic()
    assert call(capfd, "-i", "5", "-link", "-g")[0] == 0
    assert time.monotonic() - begin < 10

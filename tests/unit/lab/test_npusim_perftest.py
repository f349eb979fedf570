# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hccn_tool -roce_test``: receiver and sender, a test that is left behind, and reset."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npusim import __main__ as npusim_cli
from npusim import cli_hccn_tool

LAB = Path(__file__).resolve().parents[2] / "lab"
CORPUS = Path(__file__).resolve().parents[2] / "fixtures" / "corpus" / "captures"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    assert npusim_cli.main(["new", "atlas-800i-a2-64g", "--node", "2", "--roce", "10.77.0.0/16"]) == 0
    return tmp_path


@pytest.fixture
def port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def start(*args: str) -> subprocess.Popen:
    argv = [sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, {str(LAB)!r}); "
            "from npusim.cli_hccn_tool import main; sys.exit(main(sys.argv[1:]))"]  # fmt: skip
    return subprocess.Popen([*argv, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)


def receiver(machine: Path, phy: int, port: str) -> subprocess.Popen:
    """A receiver that is waiting."""
    process = start("-i", str(phy), "-roce_test", "ib_send_bw", "-s", "65536", "-n", "1000", "-tcp", "-p", port)
    while not (machine / f"hccn.{phy}.receiver.test").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    return process


def finish(process: subprocess.Popen) -> tuple[int, str]:
    text = process.communicate()[0]
    return process.returncode, text


def call(capfd: pytest.CaptureFixture, *args: str) -> tuple[int, str]:
    status = cli_hccn_tool.main(list(args))
    out, err = capfd.readouterr()
    return status, out + err


def test_a_receiver_waits_and_both_report(machine: Path, port: str) -> None:
    npusim_cli.main(["fault", "add", "speed", "--phy", "4"])
    waiting = receiver(machine, 3, port)
    assert waiting.poll() is None
    sender = start("-i", "4", "-roce_test", "ib_send_bw", "-s", "65536", "-n", "1000", "-tcp", "-p", port,
                   "address", "10.77.2.13", "-report_gbits")  # fmt: skip
    status, text = finish(sender)
    assert status == 0
    assert text.startswith("Dsmi get perftest status end. (status=0)\nroce_report:\nSend BW Test\n")
    assert "65536        1000              97.70 " in text, "the slower end counts"
    status, text = finish(waiting)
    assert (status, "11646.75" in text) == (0, True), text
    assert not list(machine.glob("*.test"))


def test_the_table_is_that_of_the_capture(machine: Path, port: str) -> None:
    waiting = receiver(machine, 3, port)
    text = finish(start("-i", "4", "-roce_test", "ib_read_bw", "-tcp", "-p", port, "address", "10.77.2.13"))[1]
    finish(waiting)
    real = (CORPUS / "hccn_tool__roce_test__ib_read_bw__910B.txt").read_text("utf-8").splitlines()
    ours = text.splitlines()[2:]
    assert [line for line in ours[:-1] if "Mtu" not in line] == [line for line in real[:-1] if "Mtu" not in line]
    assert [len(word) > 0 for word in ours[-1].split()] == [True] * len(real[-1].split())


def test_without_a_receiver_a_sender_fails(machine: Path, port: str, capfd) -> None:
    status, text = call(capfd, "-i", "4", "-roce_test", "ib_send_bw", "-tcp", "-p", port, "address", "10.77.2.13")
    assert (status, f"Couldn't connect to 10.77.2.13:{port}" in text) == (255, True)


def test_other_calls_are_served_meanwhile_a_second_test_is_not(machine: Path, port: str, capfd) -> None:
    waiting = receiver(machine, 3, port)
    assert call(capfd, "-i", "3", "-link", "-g")[0] == 0
    status, text = call(capfd, "-i", "3", "-roce_test", "ib_send_bw", "-tcp", "-p", port)
    assert (status, text) == (
        2, "Dsmi get perftest status end. (status=2)\nRoce perftest is doing, please try later.\n",
    )  # fmt: skip
    assert call(capfd, "-i", "3", "-roce_test", "reset") == (0, "Cmd executed successfully!\n")
    assert finish(waiting)[0] == 255


def test_a_killed_tool_leaves_a_test_that_only_a_reset_ends(machine: Path, port: str, capfd) -> None:
    waiting = receiver(machine, 3, port)
    waiting.kill()
    finish(waiting)
    assert call(capfd, "-i", "3", "-roce_test", "ib_send_bw", "-tcp", "-p", port)[0] == 2
    call(capfd, "-i", "3", "-roce_test", "reset")
    assert not list(machine.glob("*.test"))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["ib_send_bw", "-s", "65536"], 0, 'Please add "-tcp"'),
        (["ib_send_bw", "-tcp", "-n", "4"], 1, "Get invalid parameters!"),
        (["ib_send_bw", "-tcp", "-y", "4"], 3, "Get unknown option!"),
        (["ib_fly_bw", "-tcp"], 3, "Get unknown option!"),
        (["reset", "now"], 2, "Get invalid major cmd number."),
    ],
)
def test_refusals(machine: Path, capfd, words: list[str], status: int, said: str) -> None:
    got, text = call(capfd, "-i", "3", "-roce_test", *words)
    assert (got, said in text) == (status, True), text


def test_a_port_without_link_tests_nothing(machine: Path, capfd) -> None:
    npusim_cli.main(["fault", "add", "link-down", "--phy", "3"])
    assert call(capfd, "-i", "3", "-roce_test", "ib_send_bw", "-tcp")[0] == 255

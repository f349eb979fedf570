# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hccn_config against the lab's emulator: what it makes of a machine, and what a fault half-way leaves behind."""

from __future__ import annotations

import functools
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _hccn_tool, _npu_smi
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed
from ansible_collections.npuops.ascend.plugins.modules import hccn_config
from npusim import cli_hccn_tool, profiles, state, wire
from npusim.hccn_errors import HccnError

LAB = Path(__file__).parents[4] / "tests" / "lab"
SAYS_DONE = (0, "Cmd executed successfully!\n", "")
FAILS = (1, "", "Command execute failed!\n")


class Machine:
    """A standalone machine whose NPUs have 10.77.2.10 and following, and the module on it."""

    def __init__(self, root: Path, call_module) -> None:
        self.root, self.call_module = root, call_module
        self.conf = root / "hccn.conf"
        self.log: list = []
        self.answers: dict = {}

    def call(self, npus=None, check=False, **arguments) -> dict:
        self.log.clear()
        (self.root / "log").write_text("")
        given = {
            "npus": npus or [],
            "host": "node2",
            "npu_smi": str(self.root / "npu-smi"),
            "hccn_tool": str(self.root / "hccn_tool"),
            "hccn_conf": str(self.conf),
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **arguments,
        }
        return self.call_module(hccn_config, **given)

    def instead(self, words: str, answer) -> None:
        """Let the tool answer so (exit status, stdout, stderr) to a call, or run a function that says it."""
        self.answers[words] = answer

    def run(self, argv, timeout, **_more) -> Completed:
        """The emulated hccn_tool in this process: a process for each of some hundred calls takes minutes."""
        words = " ".join(map(str, argv[1:]))
        self.log.append(words)
        answer = self.answers.get(words)
        if answer is None:
            try:
                answer = (0, cli_hccn_tool.run([str(word) for word in argv[1:]]), "")
            except HccnError as refusal:
                answer = (refusal.refusal.code & 0xFF, "", f"{refusal}\n")
        elif callable(answer):
            answer = answer()
        return Completed(tuple(map(str, argv)), *answer, duration=0.0)

    def changes(self) -> list:
        """The changing commands of the last call, NPU by NPU."""
        calls = self.log + (self.root / "log").read_text().splitlines()
        lines = [line for line in calls if line.startswith("-") and (" -s " in line or "recovery" in line)]
        return sorted(lines, key=lambda line: line.split()[1])

    def port(self, phy_id: int):
        return state.load(str(self.root)).chip_by_phy(phy_id).roce

    def set(self, phy_id: int, **values) -> None:
        with state.changing() as machine:
            for name, value in values.items():
                setattr(machine.chip_by_phy(phy_id).roce, name, value)

    def drop(self, phy_id: int) -> None:
        """Forget the addresses of an NPU, on the machine and in hccn.conf."""
        self.set(phy_id, address=None, netmask=None, gateway=None, netdetect=None)
        lines = self.conf.read_text().splitlines(keepends=True)
        self.conf.write_text("".join(line for line in lines if f"_{phy_id}=" not in line))

    def lines(self) -> dict:
        return dict(line.split("=", 1) for line in self.conf.read_text().splitlines() if "=" in line)

    def everything(self) -> tuple:
        """The machine and the file."""
        return [self.port(phy_id) for phy_id in range(8)], self.conf.read_text()


@functools.lru_cache(maxsize=None)
def npu_smi(*arguments: str) -> str:
    """What npu-smi says, which is the same for all machines here."""
    command = [sys.executable, "-S", "-m", "npusim", "npu-smi", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture
def real(tmp_path, monkeypatch, call_module):
    """A machine whose tools are processes."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    monkeypatch.setenv("NPUSIM_DEV", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(LAB))
    monkeypatch.setattr(hccn_config, "device_nodes", lambda: frozenset(range(16)))
    made = profiles.build("atlas-800i-a2-64g", node=2)
    wire.assign(made, "10.77.0.0/16")
    state.save(made, str(tmp_path))
    wire.write_conf(made, str(tmp_path / "hccn.conf"))
    for name in ("npu-smi", "hccn_tool"):
        tool = tmp_path / name
        tool.write_text(
            f'#!/bin/sh\necho "$@" >> {tmp_path}/log\n[ "$*" = "$SICK" ] && sleep 60\n'
            f'exec "{sys.executable}" -S -m npusim {name} "$@"\n'
        )
        tool.chmod(0o755)
    return Machine(tmp_path, call_module)


@pytest.fixture
def machine(real, monkeypatch):
    """A machine whose tools run in this process."""

    def smi(argv, timeout, **_more) -> Completed:
        return Completed(tuple(map(str, argv)), 0, npu_smi(*map(str, argv[1:])), "", 0.0)

    monkeypatch.setattr(_hccn_tool, "run", real.run)
    monkeypatch.setattr(_npu_smi, "run", smi)
    return real


def wish(phy_id: int, last: int, **more) -> dict:
    return {"phy_id": phy_id, "address": f"10.77.2.{last}", "netmask": "255.255.0.0", **more}


def test_without_a_wish_all_is_checked_and_nothing_changed(machine):
    before = machine.everything()
    result = machine.call()
    assert not result["changed"] and result["problems"] == [] and machine.changes() == []
    assert machine.everything() == before
    assert result["npus"][3] == {
        "phy_id": 3,
        "address": "10.77.2.13",
        "netmask": "255.255.0.0",
        "gateway": "10.77.0.1",
        "netdetect": "10.77.0.1",
        "tls": None,
        "mtu": None,
    }
    # What it returns is a wish that holds.
    assert not machine.call(result["npus"], check=True)["changed"]


def test_configuring_twice_changes_nothing(real):
    real.drop(3)
    real.conf.write_text("# of the site\n\nudp_port_mode_5=nslb_dp\n" + real.conf.read_text())
    wishes = [wish(3, 33, gateway="10.77.0.1", netdetect="10.77.0.9", tls=True, mtu=4096), wish(4, 14)]
    planned = real.call(wishes, check=True)
    assert planned["changed"] and real.changes() == [] and real.port(3).address is None
    assert [row["address"] for row in planned["npus"]][3] == "10.77.2.33"
    assert not list(real.root.glob("hccn.conf.*"))

    text = real.conf.read_text()
    made = real.call(wishes)
    assert "failed" not in made and made["changed"] and made["steps"] == planned["steps"]
    assert made["npus"] == planned["npus"]
    assert {line.split()[1] for line in real.changes()} == {"3"} and len(real.changes()) == 5
    port = real.port(3)
    assert (port.address, port.netmask, port.gateway, port.netdetect) == (
        "10.77.2.33",
        "255.255.0.0",
        "10.77.0.1",
        "10.77.0.9",
    )
    assert port.tls_switch == 1 and real.lines()["mtu_3"] == "4096" and real.lines()["tls_enable_3"] == "1"
    assert real.conf.read_text().startswith("# of the site\n\nudp_port_mode_5=nslb_dp\n")
    assert Path(made["backup_file"]).read_text() == text
    assert stat.S_IMODE(os.stat(made["backup_file"]).st_mode) == stat.S_IMODE(os.stat(real.conf).st_mode)

    after = real.everything()
    again = real.call(wishes)
    assert not again["changed"] and again["steps"] == [] and real.changes() == [] and "backup_file" not in again
    assert real.everything() == after


def test_the_diff_shows_npus_and_file(machine):
    machine.drop(3)
    diff = machine.call([wish(3, 33)], check=True)["diff"]
    assert "phy id 3: address" not in diff[0]["before"]
    assert "phy id 3: address 10.77.2.33\nphy id 3: netmask 255.255.0.0\n" in diff[0]["after"]
    assert diff[0]["before"].count("\n") + 2 == diff[0]["after"].count("\n")
    assert "address_3=10.77.2.33\n" in diff[1]["after"] and "address_3" not in diff[1]["before"]
    unchanged = machine.call([wish(4, 14)], check=True)["diff"]
    assert all(part["before"] == part["after"] for part in unchanged)


def test_an_address_that_is_there_changes_only_by_name(machine):
    before = machine.everything()
    refused = machine.call([wish(2, 33)])
    assert refused["failed"] and machine.changes() == [] and machine.everything() == before
    assert refused["msg"] == (
        "node2: phy id 2: has the address 10.77.2.12, declared is 10.77.2.33; declare what it has, or name 2 in "
        "reassign to change it."
    )
    assert machine.call([wish(2, 33)], reassign=[3])["failed"]
    made = machine.call([wish(2, 33)], reassign=[2])
    assert made["changed"] and machine.port(2).address == "10.77.2.33" and machine.port(2).gateway == "10.77.0.1"
    assert not machine.call([wish(2, 33)], reassign=[2])["changed"]


def test_a_wrong_netmask_is_no_new_address(machine):
    machine.set(1, netmask="255.255.255.0")
    result = machine.call([{"phy_id": 1, "netmask": "255.255.0.0"}])
    assert result["changed"] and [step["sentence"] for step in result["steps"]] == [
        "set address of phy id 1 from 10.77.2.11/255.255.255.0 to 10.77.2.11/255.255.0.0"
    ]
    assert machine.port(1).netmask == "255.255.0.0" and machine.port(1).gateway == "10.77.0.1"


def test_npus_pass_addresses_on(machine):
    machine.drop(7)
    wishes = [wish(5, 16), wish(6, 17), wish(7, 18)]
    assert machine.call(wishes, reassign=[5, 6])["changed"]
    assert [machine.port(phy_id).address for phy_id in (5, 6, 7)] == ["10.77.2.16", "10.77.2.17", "10.77.2.18"]
    circle = machine.call([wish(5, 17), wish(6, 16)], reassign=[5, 6])
    assert circle["failed"] and "gets free in a circle only (phy ids 5, 6)" in circle["msg"]


def test_all_reasons_are_told_at_once(machine):
    refused = machine.call([wish(2, 14), {"phy_id": 9}, {"phy_id": 3, "gateway": "10.78.0.1"}], reassign=[2])
    assert [(entry["item"], entry["problem"]) for entry in refused["refusals"]] == [
        ("phy id 9", "is not on this machine, which has 0, 1, 2, 3, 4, 5, 6, 7"),
        ("phy id 3", "gateway 10.78.0.1 is not in 10.77.0.0/16, the network of its address"),
        ("phy id 2", "address 10.77.2.14 is also that of phy id 4"),
    ]
    assert machine.changes() == []


@pytest.mark.parametrize("answer", [FAILS, SAYS_DONE])
def test_a_failure_half_way_is_taken_back(machine, answer):
    """NPU 5 and 6 are done when 7 fails, or when the tool says that 7 is done and it is not."""
    before = machine.everything()
    machine.instead("-i 7 -netdetect -s address 10.77.0.9", answer)
    wishes = [wish(p, p + 30, netdetect="10.77.0.9", tls=True) for p in (5, 6, 7)]
    failed = machine.call(wishes, reassign=[5, 6, 7])
    assert failed["failed"] and failed["restored"] and not failed["changed"]
    assert "taken back, the state before stands" in failed["msg"] and "phy id 7" in failed["msg"]
    assert machine.everything() == before
    assert [row["address"] for row in failed["npus"]] == [f"10.77.2.{10 + p}" for p in range(8)]


def test_what_cannot_be_taken_back_is_said(machine):
    machine.drop(5)
    text = machine.conf.read_text()
    machine.instead("-i 7 -ip -s address 10.77.2.37 netmask 255.255.0.0", FAILS)
    failed = machine.call([wish(5, 35), wish(7, 37)], reassign=[7])
    assert failed["failed"] and not failed["restored"] and failed["changed"]
    assert "phy id 5 shows address 10.77.2.35 instead of none" in failed["msg"]
    assert "hccn_tool cannot take an address away; it goes with the next restart" in failed["msg"]
    assert failed["standing"][0].startswith("phy id 5 has address 10.77.2.35, netmask 255.255.0.0, gateway none")
    assert machine.conf.read_text() == text

    machine.answers.clear()
    assert machine.call([wish(5, 35), wish(7, 37)], reassign=[7])["changed"]
    assert machine.lines()["address_5"] == "10.77.2.35" and machine.lines()["address_7"] == "10.77.2.37"


def test_a_tool_that_ruins_the_file(machine):
    """As after a power cut between the tool's truncating and its writing."""
    machine.conf.write_text("# of the site\n" + machine.conf.read_text())
    text = machine.conf.read_text()

    def ruin() -> tuple:
        cli_hccn_tool.run(["-i", "7", "-tls", "-s", "enable", "1"])
        machine.conf.write_text("")
        return SAYS_DONE

    machine.instead("-i 7 -tls -s enable 1", ruin)
    made = machine.call([{"phy_id": 7, "tls": True}])
    assert "failed" not in made, made
    assert machine.conf.read_text() == text + "tls_enable_7=1\n"


def test_the_file_keeps_its_inode_for_containers(machine):
    inode = os.stat(machine.conf).st_ino
    machine.conf.write_text(machine.conf.read_text().replace("gateway_3=10.77.0.1\n", ""))
    told = machine.call()
    assert [entry["problem"] for entry in told["problems"]] == [
        "has gateway that hccn.conf lacks, and loses it with the next restart"
    ]
    result = machine.call([{"phy_id": 3, "gateway": "10.77.0.1"}])
    assert [step["sentence"] for step in result["steps"]] == ["write gateway_3 into hccn.conf"]
    assert machine.changes() == [] and machine.lines()["gateway_3"] == "10.77.0.1"
    assert os.stat(machine.conf).st_ino == inode


def test_a_missing_file(machine):
    machine.conf.unlink()
    told = machine.call()
    assert not told["changed"] and told["problems"][0]["item"] == "hccn.conf"
    made = machine.call(told["npus"])
    assert made["changed"] and machine.changes() == [] and "backup_file" not in made and made["problems"] == []
    assert stat.S_IMODE(os.stat(machine.conf).st_mode) == 0o640
    assert machine.lines()["address_7"] == "10.77.2.17" and machine.lines()["netdetect_7"] == "10.77.0.1"
    assert not machine.call(told["npus"])["changed"]

    machine.conf.unlink()
    machine.instead("-i 7 -ip -s address 10.77.2.37 netmask 255.255.0.0", FAILS)
    assert machine.call([wish(7, 37)], reassign=[7])["restored"]
    assert not machine.conf.exists()


def test_recovery_only_on_drift(machine):
    assert not machine.call(recover=True)["changed"] and machine.changes() == []
    machine.set(3, address=None, netmask=None, gateway=None, netdetect=None)
    told = machine.call()
    assert not told["changed"] and "hccn.conf says address 10.77.2.13, the machine has none" in str(told["problems"])
    planned = machine.call(recover=True, check=True)
    assert planned["changed"] and machine.changes() == [] and planned["npus"][3]["address"] == "10.77.2.13"

    # What is declared goes into the file first, so that the recovery does not undo it.
    made = machine.call([{"phy_id": 5, "netdetect": "10.77.0.9"}], recover=True)
    assert made["changed"] and machine.changes() == ["-a -cfg recovery"]
    assert machine.port(3).address == "10.77.2.13" and machine.port(5).netdetect == "10.77.0.9"
    assert made["problems"] == [] and not machine.call(recover=True)["changed"]


def test_recovery_does_not_change_an_address_unasked(machine):
    machine.set(3, address="10.77.9.9")
    refused = machine.call(recover=True)
    assert "has the address 10.77.9.9, hccn.conf has 10.77.2.13" in refused["msg"] and machine.changes() == []
    assert machine.call(recover=True, reassign=[3])["changed"] and machine.port(3).address == "10.77.2.13"


def test_a_failing_recovery_is_taken_back(machine):
    machine.set(3, netdetect="10.77.0.9")
    before = machine.everything()
    machine.instead("-a -cfg recovery", (1, "dev:0 recovery success\n", "dev:3 recovery fail\n"))
    failed = machine.call([{"phy_id": 5, "tls": True}], recover=True)
    assert failed["failed"] and failed["restored"] and "dev:3 recovery fail" in failed["msg"]
    assert machine.everything() == before


def test_a_sick_npu_stops_only_what_is_about_it(real, monkeypatch):
    monkeypatch.setenv("SICK", "-i 6 -ip -g")
    result = real.call([{"phy_id": 5, "tls": True}], timeout=6)
    assert result["changed"] and real.port(5).tls_switch == 1
    assert [entry["item"] for entry in result["problems"]] == ["phy id 6"]
    assert "did not end within 6 s" in result["problems"][0]["problem"]
    assert result["npus"][6]["address"] is None
    refused = real.call([{"phy_id": 6, "tls": True}], timeout=6)
    assert refused["failed"] and "phy id 6: cannot be read" in refused["msg"]

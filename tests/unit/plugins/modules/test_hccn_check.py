# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hccn_check against the lab's emulator: healthy machines, every fault of a port, and an NPU that hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_types import CHECKS
from ansible_collections.npuops.ascend.plugins.modules import hccn_check
from npusim import profiles, state

LAB = Path(__file__).parents[4] / "tests" / "lab"
WITH_ROCE = [name for name in sorted(profiles.PROFILES) if profiles.PROFILES[name]["roce"]]


@pytest.fixture
def npusim(tmp_path, monkeypatch):
    """A function that runs npusim on a machine of its own, and programs hccn_tool and npu-smi that show it."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    monkeypatch.setenv("NPUSIM_DEV", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(LAB))
    for tool in ("npu-smi", "hccn_tool"):
        program = tmp_path / tool
        # What was called, and when: commands of one NPU must not overlap.
        log = f'echo "$$ begin $*" >> "{tmp_path}/{tool}.log"'
        program.write_text(f'#!/bin/sh\n{log}\nexec "{sys.executable}" -m npusim {tool} "$@"\n')
        program.chmod(0o755)

    def run(*arguments: str):
        subprocess.run([sys.executable, "-m", "npusim", *arguments], check=True, stdout=subprocess.DEVNULL)
        machine = state.load(str(tmp_path))
        nodes = frozenset(chip.phy_id for npu in machine.present() for chip in npu.chips)
        monkeypatch.setattr(hccn_check, "device_nodes", lambda: nodes)
        return machine

    return run


@pytest.fixture
def check(tmp_path, call_module):
    """Run the module on that machine; answers its result."""

    def run(**arguments) -> dict:
        paths = {name: str(tmp_path / name) for name in ("hccn_tool", "hccn.conf", "npu-smi")}
        given = {
            "hccn_tool": paths["hccn_tool"],
            "hccn_conf": paths["hccn.conf"],
            "npu_smi": paths["npu-smi"],
            "host": "node1",
            **arguments,
        }
        return call_module(hccn_check, **given)

    return run


def new(npusim, profile="atlas-800i-a2-64g", node="1"):
    return npusim("new", profile, "--node", node, "--roce", "10.77.0.0/16")


def causes(result) -> dict:
    """{phy_id: [(check, severity)]} of the NPUs that have any."""
    return {
        npu["phy_id"]: [(cause["check"], cause["severity"]) for cause in npu["causes"]]
        for npu in result["npus"]
        if npu["causes"]
    }


def calls(tmp_path, tool="hccn_tool") -> list:
    log = tmp_path / f"{tool}.log"
    return [line.split(" begin ", 1)[1] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("profile", [name for name in WITH_ROCE if "950" not in name])
def test_a_healthy_machine_has_no_problems(npusim, check, profile):
    truth = new(npusim, profile)
    chips = [(npu, chip) for npu in truth.npus for chip in npu.chips]
    if profile not in ("atlas-800i-a2-64g", "atlas-300i-a2-64g"):
        chips = chips[:4]  # each call costs CPU time; two machines are looked at as a whole
        result = check(phy_ids=[chip.phy_id for _npu, chip in chips])
    else:
        result = check()
    assert "failed" not in result, result.get("msg")
    assert result["problems"] == []
    assert result["verdict"] == "pass"
    assert len(result["npus"]) == len(chips)
    for found, (npu, chip) in zip(result["npus"], sorted(chips, key=lambda pair: pair[1].phy_id)):
        roce = chip.roce
        assert (found["phy_id"], found["npu_id"], found["chip_id"]) == (chip.phy_id, npu.npu_id, chip.chip_id)
        assert (found["ipaddr"], found["netmask"], found["gateway"]) == (roce.address, roce.netmask, roce.gateway)
        assert (found["link"], found["net_health"], found["netdetect"]) == ("UP", "Success", roce.netdetect)
        assert (found["tls_switch"], found["speed_mbps"], found["mtu"]) == (roce.tls_switch, roce.speed_mbps, roce.mtu)
        assert found["lldp"]["port_ifname"] == roce.switch_port
        assert found["optical"]["present"] is True and "fields" not in found["optical"]
        assert found["link_stat"]["link_up_count"] >= 0
        assert found["stat"]["mac_rx_bad_pkt_num"] == 0
        assert found["verdict"] == "pass"
        assert (found["vnic"] is not None) == (result["node"]["family"] == "A3")
    assert result["node"]["driver_version"] == truth.driver_version
    assert result["node"]["hccn_conf"]["0"]["address"] == result["npus"][0]["ipaddr"]
    assert result["ansible_facts"]["roce"]["npus"] == result["npus"]


def test_machine_without_roce_ports_fails_with_the_reason(npusim, check):
    npusim("new", next(name for name in sorted(profiles.PROFILES) if not profiles.PROFILES[name]["roce"]))
    result = check(phy_ids=[0, 1], checks=["link", "ip"])
    assert {npu["verdict"] for npu in result["npus"]} == {"fail"}
    assert "no RoCE port" in result["problems"][0]["sentence"]
    assert result["npus"][0]["not_supported"] == ["link", "ip"]


# Arguments of `npusim fault add`, and the causes that follow, for phy id 3 and no other.
FAULTS = [
    (["link-down", "--phy", "3"], [("link", "fail")], "cable"),
    (["netmask", "--phy", "3"], [("ip", "fail")], "netmask 255.255.0.0"),
    (["tls", "--phy", "3"], [("tls", "fail")], "-i 3 -tls -s enable 0"),
    (["netdetect-unset", "--phy", "3"], [("netdetect", "warn")], "gateway"),
    (["mtu", "--phy", "3"], [("mtu", "fail")], "-i 3 -mtu -s size"),
    (["speed", "--phy", "3"], [("speed", "warn")], "switch"),
    (["optics", "--phy", "3", "--value", "dim"], [("optical", "warn")], "clean the fibre"),
    (["optics", "--phy", "3"], [("link", "fail")], "transceiver"),
]


@pytest.mark.parametrize(
    ("fault", "expected", "remedy"), FAULTS, ids=["-".join(fault[::3]) for fault, *_rest in FAULTS]
)
def test_a_fault_is_named_with_its_npu_and_remedy(npusim, check, fault, expected, remedy):
    new(npusim)
    npusim("fault", "add", *fault)
    result = check(phy_ids=[2, 3, 4], checks=[name for name in CHECKS if name != "hccn_conf"])
    assert causes(result) == {3: expected}, result["problems"]
    assert len(result["problems"]) == 1, result["problems"]
    problem = result["problems"][0]
    assert (problem["host"], problem["item"], problem["phy_ids"]) == ("node1", "phy id 3", [3])
    assert remedy in problem["remedy"]
    assert problem["sentence"].startswith("node1: phy id 3: ")
    assert result["verdict"] == expected[0][1]


def test_faults_of_the_super_pod(npusim, check):
    new(npusim, "atlas-800i-a3")
    npusim("fault", "add", "hccs-down", "--phy", "3")
    result = check(phy_ids=[2, 3], checks=["link", "vnic"])
    assert causes(result) == {3: [("vnic", "fail")]}
    assert result["problems"][0]["item"] == "phy id 3 (NPU 1, chip 1)"
    assert "HCCS" in result["problems"][0]["sentence"]

    peer = result["npus"][0]["vnic"]["ipaddr"]
    wanted = [{"phy_id": phy_id, "peer": "node2", "peer_phy_id": phy_id, "address": peer} for phy_id in (0, 3)]
    result = check(checks=[], pings=wanted, ping_tool="hccs_ping", ping_packets=5)
    assert [(ping["transmitted"], ping["received"]) for ping in result["pings"]] == [(5, 5), (5, 0)]
    assert [problem["phy_ids"] for problem in result["problems"]] == [[3]]


def test_two_npus_with_one_address(npusim, check, tmp_path):
    new(npusim)
    with state.changing(str(tmp_path)) as machine:
        machine.npus[5].chips[0].roce.address = machine.npus[2].chips[0].roce.address
    result = check(checks=["ip"])
    assert causes(result) == {2: [("ip", "fail")], 5: [("ip", "fail")]}


def test_no_address_at_all(npusim, check, tmp_path):
    new(npusim)
    with state.changing(str(tmp_path)) as machine:
        roce = machine.npus[6].chips[0].roce
        roce.address = roce.netmask = roce.gateway = None
    result = check(checks=["ip", "gateway", "hccn_conf"])
    assert causes(result) == {6: [("ip", "fail")]}
    assert "hccn.conf has 10.77.1.16 for it" in result["problems"][0]["remedy"]
    assert (result["npus"][6]["ipaddr"], result["npus"][6]["gateway"]) == (None, None)


def test_missing_hccn_conf(npusim, check, tmp_path):
    new(npusim)
    os.unlink(tmp_path / "hccn.conf")
    result = check(checks=["ip", "hccn_conf"])
    (problem,) = result["problems"]
    assert (problem["check"], problem["severity"], problem["phy_ids"]) == ("hccn_conf", "fail", [])
    assert "is missing" in problem["problem"] and "hccn_config" in problem["remedy"]
    assert result["node"]["hccn_conf"] is None
    assert {npu["verdict"] for npu in result["npus"]} == {"pass"}

    (tmp_path / "hccn.conf").write_text("# nothing\n")
    assert "has no address of any NPU" in check(checks=["ip", "hccn_conf"])["problems"][0]["problem"]


def test_hccn_conf_that_says_something_else(npusim, check, tmp_path):
    new(npusim)
    conf = tmp_path / "hccn.conf"
    conf.write_text(conf.read_text().replace("address_4=10.77.1.14", "address_4=10.77.9.14") + "tls_enable_0 = 0\n")
    result = check(checks=["ip", "tls", "hccn_conf"])
    assert causes(result) == {4: [("hccn_conf", "warn")]}
    assert [problem["severity"] for problem in result["problems"]] == ["warn", "warn"]
    assert "address 10.77.9.14 (the NPU has 10.77.1.14)" in result["problems"][1]["problem"]
    assert "tls_enable_0 = 0" in result["problems"][0]["problem"]


def test_the_same_cause_on_several_npus_is_one_problem(npusim, check):
    new(npusim)
    for phy_id in "0125":
        npusim("fault", "add", "netdetect-unset", "--phy", phy_id)
    (problem,) = check(checks=["netdetect", "net_health"])["problems"]
    assert problem["item"] == "phy ids 0-2, 5"
    assert "`hccn_tool -i N -netdetect" in problem["remedy"]
    assert problem["phy_ids"] == [0, 1, 2, 5]


def test_strict_fails_on_faults_and_not_on_warnings(npusim, check):
    new(npusim)
    npusim("fault", "add", "netdetect-unset", "--phy", "3")
    assert "failed" not in check(checks=["netdetect", "net_health"], strict=True)
    npusim("fault", "add", "link-down", "--phy", "3")
    result = check(checks=["link", "netdetect"], strict=True)
    assert result["failed"] is True
    assert result["msg"].startswith("node1: phy id 3: has its link DOWN")
    assert len(result["npus"]) == 8


class TestHangingNpu:
    def test_it_costs_its_own_result_only(self, npusim, check, tmp_path):
        new(npusim)
        npusim("fault", "add", "hang", "--phy", "3", "--seconds", "300")
        began = time.monotonic()
        result = check(timeout=3, checks=["link", "ip", "gateway", "tls"])
        assert time.monotonic() - began < 30
        assert causes(result) == {3: [("link", "fail")]}
        (cause,) = result["npus"][3]["causes"]
        assert "gave no answer within 3 s to `hccn_tool -i 3 -link -g`" in cause["sentence"]
        assert "300 s" in cause["remedy"]
        assert [npu["ipaddr"] for npu in result["npus"] if npu["phy_id"] != 3] == [
            f"10.77.1.{10 + phy_id}" for phy_id in range(8) if phy_id != 3
        ]
        # It was asked once: every further question would have taken as long.
        assert sum(1 for call in calls(tmp_path) if call.startswith("-i 3 ")) == 1

    def test_its_pings_are_not_tried_and_say_why(self, npusim, check):
        new(npusim)
        npusim("fault", "add", "hang", "--phy", "3", "--seconds", "300")
        wanted = [
            {"round": turn, "phy_id": phy_id, "peer": "node2", "peer_phy_id": phy_id, "address": f"10.77.2.1{phy_id}"}
            for turn in (0, 1)
            for phy_id in (2, 3)
        ]
        result = check(checks=[], pings=wanted, timeout=3)
        assert [ping["received"] for ping in result["pings"]] == [3, None, 3, None]
        assert "gave no answer within 3 s" in result["pings"][1]["error"]
        assert result["pings"][3]["error"].startswith("not tried")
        assert all(ping["remedy"] for ping in result["pings"] if ping["error"])

    def test_the_deadline_ends_it(self, npusim, check):
        new(npusim)
        npusim("set", "query_s=0.5")
        result = check(phy_ids=[0, 1], checks=["link", "ip", "gateway", "netdetect", "tls"], deadline=1.2)
        assert result["duration_s"] < 5
        assert result["npus"][0]["link"] == "UP"
        assert {npu["verdict"] for npu in result["npus"]} == {"fail"}
        assert all("(deadline)" in npu["causes"][-1]["sentence"] or "within" in npu["causes"][-1]["sentence"]
                   for npu in result["npus"])  # fmt: skip


def test_a_busy_npu_is_asked_again_and_the_others_do_not_wait(npusim, check, tmp_path):
    new(npusim)
    npusim("fault", "add", "busy", "--tool", "hccn_tool", "--phy", "3", "--times", "2")
    result = check(checks=["link", "ip"])
    assert result["problems"] == []
    assert sum(1 for call in calls(tmp_path) if call == "-i 3 -link -g") == 3
    assert sum(1 for call in calls(tmp_path) if call == "-i 4 -link -g") == 1


def test_no_more_commands_than_checks(npusim, check, tmp_path):
    new(npusim)
    check(phy_ids=[1, 6], checks=["lldp", "link", "net_health", "netdetect", "gateway", "ip", "hccn_conf"])
    made = calls(tmp_path)
    assert len(made) == 12 and len(set(made)) == 12
    assert {call.split()[1] for call in made} == {"1", "6"}
    assert calls(tmp_path, "npu-smi") == []


def test_vnic_is_asked_on_a3_only(npusim, check, tmp_path):
    new(npusim)
    check(phy_ids=[0], checks=["link", "vnic"])
    assert calls(tmp_path) == ["-i 0 -link -g"]


class TestPings:
    WANTED = [
        {"round": 1, "phy_id": 0, "peer": "node3", "peer_phy_id": 0, "address": "10.77.3.10"},
        {"round": 0, "phy_id": 0, "peer": "node2", "peer_phy_id": 0, "address": "10.77.2.10"},
        {"round": 0, "phy_id": 5, "peer": "node2", "peer_phy_id": 5, "address": "10.77.2.15"},
    ]

    def test_results_in_the_order_given(self, npusim, check, tmp_path):
        new(npusim)
        result = check(checks=[], pings=self.WANTED)
        assert result["npus"] == [] and "ansible_facts" not in result
        assert [(ping["peer"], ping["phy_id"]) for ping in result["pings"]] == [
            ("node3", 0), ("node2", 0), ("node2", 5),
        ]  # fmt: skip
        for ping in result["pings"]:
            assert (ping["transmitted"], ping["received"], ping["loss_pct"]) == (3, 3, 0.0)
            assert ping["avg_ms"] > 0 and ping["max_ms"] >= ping["avg_ms"]
            assert (ping["unreachable"], ping["too_long"], ping["error"]) == (False, False, None)
            assert ping["duration_s"] > 0
        assert result["problems"] == []
        # Rounds in their order; nothing else is asked.
        assert [call for call in calls(tmp_path) if call.startswith("-i 0")] == [
            "-i 0 -ping -g address 10.77.2.10",
            "-i 0 -ping -g address 10.77.3.10",
        ]
        assert calls(tmp_path, "npu-smi") == []

    def test_a_round_does_not_begin_before_its_slot(self, npusim, check):
        new(npusim)
        began = time.monotonic()
        check(checks=[], pings=self.WANTED, round_seconds=2)
        assert time.monotonic() - began >= 2

    def test_a_size_is_handed_over(self, npusim, check, tmp_path):
        new(npusim)
        check(checks=[], pings=self.WANTED[:1], ping_size=1472, ping_packets=6)
        assert calls(tmp_path) == ["-i 0 -ping -g address 10.77.3.10 pkt 1472"] * 2

    def test_a_pulled_cable_loses_all(self, npusim, check):
        new(npusim)
        npusim("fault", "add", "link-down", "--phy", "0")
        result = check(checks=[], pings=self.WANTED)
        assert [ping["received"] for ping in result["pings"]] == [0, 0, 3]
        assert [problem["check"] for problem in result["problems"]] == ["ping", "ping"]
        assert "phy id 0 of node3 (10.77.3.10)" in result["problems"][0]["sentence"]
        assert check(checks=[], pings=self.WANTED, strict=True)["failed"] is True

    def test_a_ping_that_comes_back_outranks_net_health(self, npusim, check):
        new(npusim)
        npusim("set", "net_health=Fault", "--phy", "0")
        assert causes(check(checks=["link", "net_health"])) == {0: [("net_health", "fail")]}
        result = check(checks=["link", "net_health"], pings=self.WANTED)
        assert causes(result) == {0: [("net_health", "warn")]}
        assert "its pings come back" in result["npus"][0]["causes"][0]["sentence"]
        assert result["verdict"] == "warn"


class TestNpuSmi:
    def test_that_fails_is_a_warning_when_the_npus_are_given(self, npusim, check, tmp_path):
        new(npusim)
        (tmp_path / "npu-smi").write_text("#!/bin/sh\nexit 1\n")
        result = check(phy_ids=[0, 1], checks=["link", "driver"])
        assert [(problem["check"], problem["severity"]) for problem in result["problems"]] == [("driver", "warn")]
        assert result["node"]["driver_version"] is None
        assert [npu["link"] for npu in result["npus"]] == ["UP", "UP"]

    def test_that_fails_leaves_the_device_nodes(self, npusim, check, tmp_path, monkeypatch):
        new(npusim)
        (tmp_path / "npu-smi").write_text("#!/bin/sh\nexit 1\n")
        monkeypatch.setattr(hccn_check, "device_nodes", lambda: frozenset({0, 1, 2}))
        assert [npu["phy_id"] for npu in check(checks=["link"])["npus"]] == [0, 1, 2]

    def test_that_fails_where_nothing_tells_the_npus_is_an_error(self, npusim, check, tmp_path, monkeypatch):
        new(npusim)
        (tmp_path / "npu-smi").write_text("#!/bin/sh\nexit 1\n")
        monkeypatch.setattr(hccn_check, "device_nodes", frozenset)
        result = check(checks=["link"])
        assert result["failed"] is True
        assert result["msg"].startswith("node1: ") and "npu-smi" in result["msg"]

    def test_that_does_not_tell_the_phy_ids_leaves_the_device_nodes(self, npusim, check, monkeypatch):
        # Cards are numbered by slot, so neither reading of the ids is sure without the device nodes.
        new(npusim, "atlas-300i-a2-64g")
        assert [npu["npu_id"] for npu in check(checks=["link"])["npus"]] == [1, 2, 4, 5]
        monkeypatch.setattr(hccn_check, "device_nodes", frozenset)
        result = check(checks=["link"])
        assert result["failed"] is True and "phy_ids" in result["remedy"]


def test_a_missing_tool_is_an_error_with_a_remedy(npusim, check, tmp_path):
    new(npusim)
    result = check(hccn_tool=str(tmp_path / "nothing"), phy_ids=[0])
    assert result["failed"] is True
    assert "Install the Ascend driver" in result["msg"]


def test_an_npu_that_is_not_there(npusim, check):
    new(npusim)
    result = check(phy_ids=[0, 99], checks=["link", "ip"])
    assert [npu["verdict"] for npu in result["npus"]] == ["pass", "fail"]
    assert "No NPU has this phy id here" in result["problems"][0]["remedy"]


@pytest.mark.parametrize("name", ["timeout", "deadline", "bandwidth_seconds"])
def test_times_must_be_positive(npusim, check, name):
    new(npusim)
    assert check(**{name: 0})["msg"] == f"{name} must be more than 0 seconds, it is 0"


class TestBandwidth:
    def side(self, phy_id, role, peer):
        return {"phy_id": phy_id, "role": role, "peer": "node1", "peer_phy_id": peer, "address": "10.77.1.10"}

    def test_a_receiver_and_its_sender(self, npusim, check, tmp_path):
        new(npusim)
        result = check(checks=[], bandwidth=[self.side(1, "sender", 0), self.side(0, "receiver", 1)])
        assert [test["role"] for test in result["bandwidth"]] == ["sender", "receiver"]
        for test in result["bandwidth"]:
            assert test["error"] is None
            assert 150 < test["gbits"] < 200
        assert result["problems"] == [] and "ansible_facts" not in result
        # Whatever came out, both are free for the next test.
        assert {call for call in calls(tmp_path) if call.endswith("reset")} == {
            "-i 0 -roce_test reset",
            "-i 1 -roce_test reset",
        }

    def test_a_side_whose_other_does_not_come_gives_up_and_is_free_again(self, npusim, check):
        new(npusim)
        result = check(checks=[], bandwidth=[self.side(0, "receiver", 1)], bandwidth_seconds=3)
        (problem,) = result["problems"]
        assert "phy id 0: has no bandwidth from phy id 1 of node1: no sender came within 3 s" in problem["sentence"]
        result = check(checks=[], bandwidth=[self.side(1, "sender", 0), self.side(0, "receiver", 1)])
        assert [test["error"] for test in result["bandwidth"]] == [None, None]


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker whose one container, serving, runs commands as they are; its files lie in ``inside``."""
    inside = tmp_path / "inside"
    inside.mkdir()
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$1 $2" = "exec serving" ] || { echo "Error: No such container: $2" >&2; exit 1; }\n'
        f'shift 2; [ "$1" != cat ] || exec cat "{inside}/hccn.conf"\n'
        '[ -x "$1" ] || { echo "OCI runtime exec failed: $1: no such file or directory" >&2; exit 127; }\nexec "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return inside


def test_what_a_container_sees(npusim, check, docker, tmp_path):
    new(npusim)
    wish = {"container": "serving", "phy_ids": [2, 3], "checks": ["ip", "hccn_conf"]}
    missing = check(**wish)
    assert missing["verdict"] == "fail"
    (problem,) = missing["problems"]
    assert "in container serving is missing: services start there and answer garbage" in problem["sentence"]
    assert "mount it into the container" in problem["remedy"]

    (docker / "hccn.conf").write_text((tmp_path / "hccn.conf").read_text())
    assert check(**wish)["verdict"] == "pass"
    (docker / "hccn.conf").write_text((tmp_path / "hccn.conf").read_text().replace("10.77.1.13", "10.77.9.13"))
    assert causes(check(**wish)) == {3: [("hccn_conf", "warn")]}


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"container": "gone", "checks": ["hccn_conf"], "phy_ids": [0]}, "No such container: gone"),
        (
            {"container": "serving", "checks": ["ip"], "phy_ids": [0], "hccn_tool": "/none/hccn_tool"},
            "container serving cannot run /none/hccn_tool",
        ),
        ({"container": "serving", "checks": ["driver", "ip"], "phy_ids": [0]}, "driver: npu-smi tells it of the node"),
        ({"container": "serving", "checks": ["ip"]}, "phy_ids"),
    ],
)
def test_a_container_that_cannot_be_asked(npusim, check, docker, wish, says):
    new(npusim)
    result = check(**wish)
    assert result["failed"] and says in result["msg"]


def test_a_machine_without_roce_ports_is_no_fault_unless_named(npusim, check, tmp_path):
    npusim("new", "atlas-300i-duo-48g")
    result = check(npu_smi=str(tmp_path / "npu-smi"))
    assert (result["npus"], result["problems"], result["verdict"]) == ([], [], "pass")
    assert (result["node"]["roce_ports"], result["node"]["family"]) == (False, "310P")
    assert calls(tmp_path) == []  # nor is hccn_tool needed there
    named = check(phy_ids=[0], checks=["link", "driver"])
    assert named["verdict"] == "fail" and "has no RoCE port" in named["problems"][0]["sentence"]


def test_a_ping_may_have_a_size_of_its_own(npusim, check, tmp_path):
    new(npusim)
    ping = {"phy_id": 0, "peer": "node2", "peer_phy_id": 0, "address": "10.77.2.10"}
    check(checks=[], pings=[{**ping, "round": 0, "size": 1472}, {**ping, "round": 1}], ping_size=100)
    sizes = [call.split(" pkt ")[1] for call in calls(tmp_path) if " pkt " in call]
    assert sizes == ["1472", "100"]


def test_a_super_pod_says_who_its_npus_are(npusim, check, tmp_path):
    new(npusim, "atlas-800i-a3", node="3")
    result = check(phy_ids=[4, 5], checks=["ip", "driver"])
    # server << 22 | chip << 18 | die << 16 | phy id
    assert [npu["sdid"] for npu in result["npus"]] == [3 << 22 | 2 << 18 | 4, 3 << 22 | 2 << 18 | 1 << 16 | 5]
    assert result["node"]["super_pod_id"] == 0
    asked = [call for call in calls(tmp_path, "npu-smi") if "spod-info" in call]
    assert asked == ["info -t spod-info -i 2 -c 0", "info -t spod-info -i 2 -c 1"]
    result = check(phy_ids=[4, 5], checks=["ip"])
    assert [npu["sdid"] for npu in result["npus"]] == [None, None]
    assert len([call for call in calls(tmp_path, "npu-smi") if "spod-info" in call]) == 2


def test_other_families_are_not_asked_for_a_super_pod(npusim, check, tmp_path):
    new(npusim)
    result = check(phy_ids=[0], checks=["ip", "driver"])
    assert (result["node"]["super_pod_id"], result["npus"][0]["sdid"]) == (None, None)
    assert not [call for call in calls(tmp_path, "npu-smi") if "spod-info" in call]


def test_a_driver_that_does_not_tell_the_super_pod_is_no_fault(npusim, check, tmp_path, monkeypatch):
    new(npusim, "atlas-800i-a3")
    warned = []
    monkeypatch.setattr(hccn_check.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    program = tmp_path / "npu-smi"
    refusal = 'echo "This device does not support querying spod-info."; exit 0'
    lines = program.read_text().splitlines()
    program.write_text("\n".join([lines[0], f'case "$*" in *spod-info*) {refusal};; esac', *lines[1:]]) + "\n")
    result = check(phy_ids=[0, 1], checks=["ip", "driver"])
    assert (result["verdict"], result["node"]["super_pod_id"]) == ("pass", None)
    assert [text.split(": npu-smi")[0] for text in warned] == ["phy ids 0-1: SDID and super pod are not known"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of an NPU network, injected into a running lab: C(network.yml) names it, and stops where it must.

Needs a lab of two nodes (C(make lab-up)); NPUOPS_LAB names it. Every case runs the whole C(network.yml). It must say
which NPU of which node, its peer where there is one, and what to do; nothing else may be said, no task may change
anything, and what is mended must be well again.

NPUOPS_HEALTHY_RUNS is how often the healthy lab is looked at, three times by default.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABCTL = ROOT / "tests/lab/labctl"
LAB = os.environ.get("NPUOPS_LAB", "lab")
ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
}
HEALTHY_RUNS = int(os.environ.get("NPUOPS_HEALTHY_RUNS", "3"))

# A fault and its values, put into node2: mode, verdict, and each problem that must be named: its check, severity, NPU
# (phy id, None for the node) and words of its sentence.
CASES = {
    "link-down 3": ("full", "fail", [("isolated", "fail", 3, ["link DOWN", "cable"])]),
    "packet-loss 3 30": ("full", "fail", [(("loss", "partial"), "fail", 3, ["lose", "switch port"])]),
    "wrong-netmask 2": ("rail", "fail", [("netmask", "fail", 2, ["255.255.255.0", "255.255.0.0"])]),
    "duplicate-address 4": (
        "rail",
        "fail",
        [
            ("duplicate", "fail", 4, ["{roce}.1.14", "phy id 4 of node1", "its own address"]),
            # Its own address is gone, so nobody answers it; that much is not known to have the same reason.
            ("net_health", "warn", 4, ["Receive timeout"]),
        ],
    ),
    "tls-on 5": ("rail", "fail", [("tls", "fail", 5, ["TLS switch is 1", "-tls -s enable 0"])]),
    "swapped-cables 1 2": ("rail", "fail", [("swapped", "fail", 1, ["phy id 2", "put each cable"])]),
    "tool-busy hccn_tool 4 1": ("rail", "pass", []),
    "tool-hang 6 300": (
        "rail",
        "fail",
        [("link", "fail", 6, ["no answer within 10 s", "npu-smi info -t health"])],
    ),
    "netdetect-unset 0": ("rail", "warn", [("netdetect", "warn", 0, ["Init", "-netdetect -s address"])]),
    "no-hccn-conf": (
        "rail",
        "fail",
        [("hccn_conf", "fail", None, ["/etc/hccn.conf is missing", "hccn_config"])],
    ),
    "wrong-mtu 4": ("full", "fail", [("mtu", "fail", 4, ["1280", "-mtu -s size"])]),
    "wrong-speed 7": ("rail", "warn", [("speed", "warn", 7, ["100000", "optical module"])]),
    "optics 1 missing": ("full", "fail", [("isolated", "fail", 1, ["no transceiver", "cable"])]),
    "driver-version": ("rail", "warn", [("driver", "warn", None, ["25.0.rc1", "one driver version"])]),
    "roce-down": (
        "rail",
        "fail",
        [("node_isolated", "fail", 0, ["none of its NPUs reaches node1", "switch"])],
    ),
}


def roce():
    """The first two numbers of the lab's RoCE addresses; a second lab has others."""
    lab = json.loads((ROOT / ".lab" / LAB / "lab.json").read_text(encoding="utf-8"))
    return ".".join(lab["roce"].split(".")[:2])


def labctl(*words):
    subprocess.run([str(LABCTL), *words], check=True, capture_output=True, text=True, timeout=120)


def network(path, mode, lab=LAB, **variables):
    """The exit status, what C(network.yml) printed, and the report it wrote."""
    report = path / "network.json"
    page = path / "network.html"
    given = {"roce_mode": mode, "roce_json": str(report), "network_html": str(page), "roce_timeout": 10, **variables}
    done = subprocess.run(
        ["ansible-playbook", "--inventory", str(ROOT / "inventories/lab"), "--extra-vars", json.dumps(given)]
        + [str(ROOT / "playbooks/network.yml")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**ENVIRONMENT, "NPUOPS_LAB": lab},
    )
    printed = done.stdout + done.stderr
    assert report.exists() and page.exists(), printed
    return done.returncode, printed, json.loads(report.read_text())


@pytest.mark.parametrize("run", range(HEALTHY_RUNS))
def test_a_healthy_lab_gives_no_alarm(tmp_path, run):
    status, printed, report = network(tmp_path, "full" if run == 0 else "rail")
    assert (status, report["verdict"], report["problems"]) == (0, "pass", []), printed
    assert report["counts"]["pairs_pass"] == report["counts"]["pairs"] == (64 if run == 0 else 8)
    assert "changed=1" not in printed


@pytest.mark.parametrize("fault", CASES)
def test_a_fault_is_named(tmp_path, fault):
    mode, verdict, expected = CASES[fault]
    labctl("break", "--lab", LAB, "node2", *fault.split())
    try:
        status, printed, report = network(tmp_path, mode)
    finally:
        labctl("mend", "--lab", LAB, "node2")
    # The lab remembers how often its cables were pulled within the last hour.
    problems = [problem for problem in report["problems"] if problem["check"] != "link_stat"]
    assert verdict == min((problem["severity"] for problem in problems), default="pass"), printed
    assert status == (2 if verdict == "fail" else 0), printed
    assert len(problems) == len(expected), [problem["sentence"] for problem in problems]
    for problem, (check, severity, phy_id, words) in zip(problems, expected):
        assert problem["check"] in ([check] if isinstance(check, str) else check), problem
        assert (problem["severity"], problem["host"]) == (severity, "node2"), problem
        assert phy_id is None or phy_id in problem["phy_ids"], problem
        words = [word.format(roce=roce()) for word in words]
        assert [word for word in words if word not in problem["sentence"]] == [], problem["sentence"]
        if severity == "fail":
            assert problem["sentence"] in " ".join(printed.split()), printed
    assert "changed=1" not in printed


def test_a_gate_that_warns_goes_on(tmp_path):
    labctl("break", "--lab", LAB, "node2", "tls-on", "5")
    try:
        status, printed, report = network(tmp_path, "rail", roce_gate="warn")
    finally:
        labctl("mend", "--lab", LAB, "node2")
    assert (status, report["verdict"]) == (0, "fail"), printed
    assert "TLS switch is 1" in printed


@pytest.mark.parametrize("gate", ["enforce", "warn"])
def test_only_the_node_that_does_not_answer_is_named(tmp_path, gate):
    """Not the first of the play, so the others have been reached by then."""
    labctl("exec", "--lab", LAB, "node2", "--", "systemctl", "stop", "ssh.service")
    try:
        given = {"roce_gate": gate, "roce_phy_ids": [0, 1]}
        if gate == "enforce":
            with pytest.raises(AssertionError) as stopped:
                network(tmp_path, "rail", **given)
            printed = str(stopped.value)
        else:
            status, printed, report = network(tmp_path, "rail", **given)
            assert (status, [problem["check"] for problem in report["problems"]]) == (0, ["absent"]), printed
    finally:
        labctl("exec", "--lab", LAB, "node2", "--", "systemctl", "start", "ssh.service")
    assert "node2: SSH: " in printed and "node1: SSH: " not in printed, printed


@pytest.mark.parametrize("tool", ["hccn_tool"])
def test_a_node_without_the_tool_is_no_node_that_is_well(tmp_path, tool):
    path = f"/usr/local/Ascend/driver/tools/{tool}"
    labctl("exec", "--lab", LAB, "node2", "--", "mv", path, f"{path}.away")
    try:
        status, printed, report = network(tmp_path, "rail", roce_gate="warn", roce_phy_ids=[0, 1])
    finally:
        labctl("exec", "--lab", LAB, "node2", "--", "mv", f"{path}.away", path)
    assert [(p["check"], p["host"]) for p in report["problems"]] == [("absent", "node2")], printed
    assert f"node2: {path} -i 0 -link -g: cannot be run" in " ".join(printed.split()), printed


def test_bandwidth_and_packets_as_large_as_the_mtu(tmp_path):
    status, printed, report = network(tmp_path, "rail", roce_phy_ids=[0, 1], roce_bandwidth=True, roce_ping_size="mtu")
    assert (status, report["verdict"]) == (0, "pass"), printed
    nodes = {row["host"] for row in report["hosts"]}
    assert {(row["host"], row["phy_id"]) for row in report["bandwidth"]} == {(n, p) for n in nodes for p in (0, 1)}
    assert all(row["gbits"] > 0.9 * row["link_gbits"] for row in report["bandwidth"]), report["bandwidth"]
    status, printed, report = network(
        tmp_path, "rail", roce_phy_ids=[0, 1], roce_bandwidth=True, roce_bandwidth_least=1.0
    )
    assert (status, report["verdict"]) == (0, "warn"), printed
    assert {problem["check"] for problem in report["problems"]} == {"bandwidth"}, printed
    assert "changed=1" not in printed


def test_nothing_is_served_over_a_broken_network(tmp_path):
    """The gate in site.yml: a fault of an NPU that serves stops it, and no container is made."""
    services = [
        {
            "name": "gated",
            "engine": "vllm",
            "model": "/data/models/Qwen3-0.6B-lab",
            "hosts": ["node1", "node2"],
            "npus": {"ids": [0, 1]},
            "port": 8000,
        }
    ]
    labctl("break", "--lab", LAB, "node2", "link-down", "1")
    labctl("break", "--lab", LAB, "node2", "tls-on", "7")  # no NPU of the service
    try:
        done = subprocess.run(
            ["ansible-playbook", "--inventory", str(ROOT / "inventories/lab"), str(ROOT / "site.yml")]
            + ["--extra-vars", json.dumps({"ascend_services": services}), "--skip-tags", "host"],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=ENVIRONMENT,
        )
    finally:
        labctl("mend", "--lab", LAB, "node2")
    printed = done.stdout + done.stderr
    assert done.returncode == 2, printed
    assert "phy id 1" in printed and "link DOWN" in printed, printed
    assert "phy id 7" not in printed, printed
    assert "changed=0" in printed and "changed=1" not in printed, printed


def test_configured_twice_nothing_changes(tmp_path):
    """Addresses of a range are adopted where there are some, switches are set once, and the drift is seen."""
    wish = {
        "roce_settings": {"tls": False, "mtu": 1500},
        "roce_ranges": [f"{roce()}.0.0/16"],
        "roce_gateway": [f"{roce()}.0.1"],
    }
    labctl("break", "--lab", LAB, "node2", "tls-on", "2")
    try:
        status, printed, report = network(tmp_path, "rail", **wish)
        assert status == 0 and "TLS" not in printed, printed
        assert "changed=1" in printed
        status, printed, report = network(tmp_path, "rail", **wish)
        assert status == 0 and "TLS" not in printed, printed
        assert "changed=1" not in printed, printed
    finally:
        labctl("mend", "--lab", LAB, "node2")


@pytest.fixture(scope="module")
def super_pod():
    """A lab of two A3 nodes in one super pod."""
    name = f"{LAB}-a3"
    labctl("up", "--lab", name, "--nodes", "2", "--profile", "atlas-800i-a3")
    yield name
    labctl("down", "--lab", name, "--keep-engine")


def test_a3_nodes_ping_over_hccs(tmp_path, super_pod):
    status, printed, report = network(tmp_path, "rail", super_pod)
    assert (status, report["verdict"], report["ping_tool"]) == (0, "pass", "hccs_ping"), printed

    wish = {"roce_phy_ids": [0, 9], "roce_rank_tables": [{"path": "/run/hccl.json", "hosts": ["node2", "node1"]}]}
    status, printed, report = network(tmp_path, "rail", super_pod, **wish)
    assert status == 0, printed
    shown = subprocess.run(
        [str(LABCTL), "exec", "--lab", super_pod, "node1", "--", "cat", "/run/hccl.json"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    table = json.loads(shown)
    assert (table["version"], table["super_pod_list"][0]["super_pod_id"]) == ("1.2", "0")
    # server << 22 | chip << 18 | die << 16 | phy id
    assert [device["super_device_id"] for server in table["server_list"] for device in server["device"]] == [
        str(server << 22 | chip << 18 | die << 16 | phy_id)
        for server in (2, 1)
        for chip, die, phy_id in ((0, 0, 0), (4, 1, 9))
    ]
    labctl("break", "--lab", super_pod, "node2", "hccs-down", "9")
    try:
        status, printed, report = network(tmp_path, "full", super_pod)
    finally:
        labctl("mend", "--lab", super_pod, "node2")
    assert (status, report["verdict"]) == (2, "fail"), printed
    assert [(problem["host"], problem["phy_ids"]) for problem in report["problems"]] == [("node2", [9])], printed

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _node_check as check


def chip(npu_id, health="OK", used=3000, chip_id=0):
    return {"npu_id": npu_id, "chip_id": chip_id, "health": health, "name": "910B3", "hbm_mb": [used, 65536]}


def process(npu_id, pid, memory=50000, chip_id=0):
    return {"npu_id": npu_id, "chip_id": chip_id, "pid": pid, "name": "python3", "memory": memory}


def idle(name):
    assert name == "910B3"
    return 4000


READY = [
    ("idle", [chip(0)], [], {}, []),
    ("our own process from an earlier run", [chip(0, used=60000)], [process(0, 7)], {7: "chat"}, []),
    ("absent", [chip(1)], [], {}, ["NPU 0 is absent"]),
    ("warning", [chip(0, health="Warning")], [], {}, ["NPU 0 has health Warning"]),
    ("alarm on the second die", [chip(0), chip(0, health="Alarm", chip_id=1)], [], {}, ["NPU 0 has health Alarm"]),
    ("a stranger", [chip(0)], [process(0, 9)], {9: None}, ["NPU 0 is used by process 9 (python3)"]),
    ("another service of ours", [chip(0)], [process(0, 9)], {9: "other"}, ["process 9 (python3) of service 'other'"]),
    ("a zombie", [chip(0, used=4001)], [], {}, ["4001 MB of HBM in use (idle: up to 4000 MB) and lists no process"]),
    (
        "a zombie beside a process on the other die",
        [chip(0), chip(0, used=9000, chip_id=1)],
        [process(0, 7)],
        {7: "chat"},
        ["NPU 0 chip 1 has 9000 MB of HBM in use"],
    ),
    ("at the idle limit", [chip(0, used=4000)], [], {}, []),
    ("HBM not printed", [dict(chip(0), hbm_mb=None)], [], {}, []),
    (
        "sick and busy",
        [chip(0, health="Critical")],
        [process(0, 9)],
        {9: None},
        ["health Critical", "used by process 9"],
    ),
]


@pytest.mark.parametrize(("_case", "chips", "processes", "owners", "expected"), READY)
def test_the_npus_of_a_placement(_case, chips, processes, owners, expected):
    found = check.check_npus("node1", "chat", [0], {"chips": chips, "processes": processes}, owners, idle)
    assert len(found) == len(expected), found
    assert all(words in p.problem for words, p in zip(expected, found))
    assert all(p.host == "node1" and p.item == "service 'chat'" and p.remedy for p in found)


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        ({"pid": 5, "name": "nginx", "owner": None}, "port 8000 is taken by process 5 (nginx)"),
        ({"pid": 5, "name": "vllm", "owner": "other"}, "of service 'other'"),
        ({"pid": None, "name": None, "owner": None}, "another container"),
    ],
)
def test_a_port_in_use(holder, words):
    found = check.check_ports("node1", "chat", [8000, 8001], {8000: [holder]})
    assert [words in p.problem for p in found] == [True]


def test_a_port_that_the_service_itself_holds():
    assert check.check_ports("node1", "chat", [8000], {8000: [{"pid": 5, "name": "vllm", "owner": "chat"}]}) == []


def seen(**changes):
    found = {"directory": True, "config": True, "weights": True, "missing": [], "outside": []}
    found.update(changes)
    return found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"directory": False, "config": False}, "does not exist"),
        ({"config": False}, "no config.json"),
        ({"weights": False}, "holds no weights"),
        ({"missing": ["model-00002.safetensors"]}, "first model-00002.safetensors"),
        ({"outside": ["config.json"]}, "config.json in /data/m is a link out of that directory"),
    ],
)
def test_a_model_that_is_not_there(changes, words):
    assert [words in p.problem for p in check.check_model("node1", "chat", "/data/m", seen(**changes))] == [True]


def test_a_complete_model():
    assert check.check_model("node1", "chat", "/m", seen()) == []


def test_missing_driver_files():
    assert [p.problem for p in check.check_paths("node1", ["/etc/hccn.conf"])] == ["/etc/hccn.conf is missing"]


PARTS = [{"service": "chat", "npu_ids": [0, 1]}]
SERVING = [
    ("all there", [process(0, 7), process(1, 8)], {7: "chat", 8: "chat"}, []),
    ("one missing", [process(0, 7)], {7: "chat"}, ["NPU 1 chip 0 shows no process of it"]),
    (
        "a stranger's instead",
        [process(0, 7), process(1, 8)],
        {7: "chat", 8: None},
        ["NPU 1 chip 0 shows no process of it"],
    ),
    (
        "without memory",
        [process(0, 7), process(1, 8, memory=0)],
        {7: "chat", 8: "chat"},
        ["NPU 1 chip 0 holds no memory"],
    ),
    ("on another NPU as well", [process(0, 7), process(1, 8), process(2, 8)], {7: "chat", 8: "chat"}, ["is on NPU 2"]),
    ("a stranger elsewhere", [process(0, 7), process(1, 8), process(2, 9)], {7: "chat", 8: "chat", 9: None}, []),
]


@pytest.mark.parametrize(("_case", "processes", "owners", "expected"), SERVING)
def test_a_service_on_its_npus(_case, processes, owners, expected):
    found = check.check_serving("node1", PARTS, {"chips": [chip(0), chip(1), chip(2)], "processes": processes}, owners)
    assert len(found) == len(expected), found
    assert all(words in p.problem for words, p in zip(expected, found))


def test_others_on_a_cut_npu_are_no_obstacle():
    found = {"chips": [chip(6, used=40000)], "processes": [process(6, 9)]}
    assert check.check_npus("node1", "embed", [6], found, {9: "rerank"}, idle, "vir10_3c_32g") == []
    (problem,) = check.check_npus("node1", "embed", [6], {**found, "chips": [chip(6, "Alarm")]}, {}, idle, "vir04")
    assert "health Alarm" in problem.problem


def test_two_services_on_slices_of_one_npu_each_have_their_process():
    found = {"chips": [chip(6)], "processes": [process(6, 7), process(6, 8)]}
    parts = [{"service": name, "npu_ids": [6]} for name in ("embed", "rerank")]
    assert check.check_serving("node1", parts, found, {7: "embed", 8: "rerank"}) == []
    (problem,) = check.check_serving("node1", parts, found, {7: "embed", 8: None})
    assert "rerank" in problem.item

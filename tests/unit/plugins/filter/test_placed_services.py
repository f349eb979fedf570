# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""placed_services: records of containers and our slices become the earlier placement, those of others do not."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes

from ansible_collections.npuops.ascend.plugins.filter.placed_services import FilterModule
from ansible_collections.npuops.ascend.plugins.filter.placement_nodes import placement_nodes
from ansible_collections.npuops.ascend.plugins.modules import npu_placement

placed_services = FilterModule().filters()["placed_services"]


def row(npu_id, service, owned=True, vnpu_id=196):
    return {
        "npu_id": npu_id,
        "chip_id": 0,
        "vnpu_id": vnpu_id,
        "template": "vir05_1c_16g",
        "service": service,
        "in_use": False,
        "owned": owned,
    }


def record(service, *phy_ids):
    return {"service": service, "container": f"npuops-{service}", "phy_ids": list(phy_ids)}


def machine(*records, npus=8, chips=1, first=0, address="192.0.2.11"):
    """The variables of a host, as setup and npu_info leave them."""
    return {
        "ansible_host": address,
        "ansible_facts": {
            "interfaces": ["eth0"],
            "eth0": {"device": "eth0", "ipv4": {"address": address}},
            "ansible_local": {entry["service"]: entry for entry in records},
            "npu": {
                "chips": [
                    {
                        "npu_id": first + n,
                        "chip_id": c,
                        "phy_id": n * chips + c,
                        "name": "910B3",
                        "hbm_mb": [3000, 65536],
                        "memory_mb": [0, 0],
                    }
                    for n in range(npus)
                    for c in range(chips)
                ]
            },
        },
    }


def service(name, port, **changes):
    base = {"name": name, "engine": "vllm", "model": "/data/models/m", "hosts": ["a"], "npus": 2, "port": port}
    base.update(changes)
    return base


def test_what_is_ours_and_a_services_was_placed():
    slices = [row(6, "embedding"), row(6, None), row(7, "ocr", owned=False)]
    standing = {"a": {"slices": slices}, "b": {"skipped": True}}
    assert placed_services({}, [], standing) == [
        {
            "name": "embedding",
            "nodes": {
                "a": {
                    "npu_ids": [6],
                    "slice": {"npu_id": 6, "chip_id": 0, "template": "vir05_1c_16g", "vnpu_id": 196},
                }
            },
        }
    ]


def test_records_of_two_nodes_are_one_service():
    hosts = {"a": machine(record("chat", 4, 5), first=1536), "b": machine(record("chat", 0, 1)), "c": machine()}
    assert placed_services(hosts, ["a", "b", "c"]) == [
        {"name": "chat", "nodes": {"a": {"npu_ids": [1540, 1541]}, "b": {"npu_ids": [0, 1]}}}
    ]
    assert placed_services(hosts, ["c"]) == []


def test_both_chips_of_an_npu_are_one_npu():
    assert placed_services({"a": machine(record("chat", 2, 3), chips=2)}, ["a"])[0]["nodes"]["a"] == {"npu_ids": [1]}


@pytest.mark.parametrize(
    "phy_ids, chips",
    [([], 1), ([8], 1), ([7, 8], 1), ([2], 2)],
    ids=["no NPU", "an NPU that is gone", "one of two that is gone", "half an NPU"],
)
def test_a_record_that_is_not_of_whole_npus_of_this_node_is_left_out(phy_ids, chips):
    assert placed_services({"a": machine(record("chat", *phy_ids), chips=chips)}, ["a"]) == []


def test_a_record_that_cannot_be_read_is_named():
    host = machine()
    host["ansible_facts"]["ansible_local"]["chat"] = (
        "error loading facts as JSON or ini - please check content: /var/lib/npuops/services/chat.fact"
    )
    with pytest.raises(AnsibleFilterError, match=r"a: the record of service chat .*services/chat\.fact.*remove"):
        placed_services({"a": host}, ["a"])


def run_module(monkeypatch, capsys, args):
    """The module as Ansible runs it: JSON in, JSON out."""
    given = {"ANSIBLE_MODULE_ARGS": {**args, "_ansible_remote_tmp": "/tmp", "_ansible_keep_remote_files": False}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(given)))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit):
        npu_placement.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def next_run(monkeypatch, capsys):
    """A run that finds the NPUs which the run before recorded: {service: {host: NPU IDs}}."""

    def run(services, before, repack=False, slices=None):
        records = {}
        for name, nodes in before.items():
            for host, npu_ids in nodes.items():
                records.setdefault(host, []).append(record(name, *npu_ids))
        hosts = {
            host: machine(*records.get(host, []), address=address)
            for host, address in (("a", "192.0.2.11"), ("b", "192.0.2.12"))
        }
        result = run_module(
            monkeypatch,
            capsys,
            {
                "services": services,
                "nodes": placement_nodes(hosts, list(hosts)),
                "placed": placed_services(hosts, list(hosts), slices),
                "repack": repack,
            },
        )
        assert result["problems"] == []
        return {
            placed["name"]: {host: part["npu_ids"] for host, part in placed["nodes"].items()}
            for placed in result["services"]
        }

    return run


CHAT = service("chat", 8000)
BATCH = service("batch", 8001, hosts=["a", "b"], npus=4)


def test_a_service_added_before_others_moves_none_of_them(next_run):
    first = next_run([CHAT, BATCH], {})
    assert first == {"chat": {"a": [0, 1]}, "batch": {"a": [2, 3, 4, 5], "b": [0, 1, 2, 3]}}
    new = service("new", 8002, npus=1)
    second = next_run([new, BATCH, CHAT], first)
    assert second == {**first, "new": {"a": [6]}}
    assert next_run([new, BATCH, CHAT], second) == second
    assert next_run([new, BATCH, CHAT], second, repack=True) != second


def test_a_service_that_goes_leaves_a_hole_and_moves_nobody(next_run):
    first = next_run([CHAT, BATCH], {})
    assert next_run([BATCH], first) == {"batch": first["batch"]}
    assert next_run([service("new", 8002), BATCH], first) == {"new": {"a": [0, 1]}, "batch": first["batch"]}


@pytest.mark.parametrize("count, expected", [(1, [0]), (4, [0, 1, 6, 7])])
def test_a_service_with_another_count_is_placed_anew_and_pushes_nobody_out(next_run, count, expected):
    """It comes before the one that stands next to it, and would take the NPUs of that one."""
    first = next_run([CHAT, BATCH], {})
    assert next_run([service("chat", 8000, npus=count), BATCH], first) == {
        "chat": {"a": expected},
        **{"batch": first["batch"]},
    }


def test_a_service_on_another_host_stays_where_a_host_stayed(next_run):
    first = next_run([CHAT, service("wide", 8001, hosts=["a"], npus=4)], {})
    after = next_run([service("first", 8002), service("wide", 8001, hosts=["a", "b"], npus=4), CHAT], first)
    assert after["wide"] == {"a": first["wide"]["a"], "b": [0, 1, 2, 3]}
    assert after["chat"] == first["chat"]


def test_exact_ids_outrank_what_stands(next_run):
    first = next_run([CHAT], {})
    after = next_run([CHAT, service("new", 8001, npus={"ids": [1]})], first)
    assert after == {"chat": {"a": [0, 2]}, "new": {"a": [1]}}


def test_slices_and_whole_npus_are_remembered_together(next_run):
    small = {"name": "embedding", "engine": "tei", "model": "/m", "port": 8003, "hosts": ["a"]}
    slices = {"a": {"slices": [dict(row(5, "embedding"), template="vir10_3c_32g")]}}
    before = {"chat": {"a": [6, 7]}}
    wishes = [BATCH, {**small, "vnpu": {"template": "vir10_3c_32g"}}, CHAT]
    after = next_run(wishes, before, slices=slices)
    assert (after["chat"], after["embedding"]) == ({"a": [6, 7]}, {"a": [5]})
    assert after["batch"]["a"] == [0, 1, 2, 3]


def test_a_slice_that_the_runtime_cuts_is_known_from_its_record():
    cut = {"npu_id": 3, "chip_id": 0, "phy_id": 3, "template": "vir05_1c_16g", "dynamic": True}
    dynamic = {**record("embed"), "slice": cut}
    standing = {**record("rerank"), "slice": {**cut, "dynamic": False, "vnpu_id": 148}}
    found = placed_services({"node1": machine(dynamic, standing)}, ["node1"])
    assert found == [
        {
            "name": "embed",
            "nodes": {
                "node1": {"npu_ids": [3], "slice": {"npu_id": 3, "chip_id": 0, "template": "vir05_1c_16g"}},
            },
        }
    ]
    assert placed_services({"node1": machine(dynamic, npus=2)}, ["node1"]) == []

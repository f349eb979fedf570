# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices: which chip they come from, what stays, what is refused and why, and properties of every placement."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils import _placement as placement
from ansible_collections.npuops.ascend.plugins.module_utils import _placement_slices as slices
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import fits, template_set

A2 = ("910B4-1", 65536, 1)
SMALL = ("910B4", 32768, 1)
PRO = ("310P3", 21527, 1)
DUO = ("310P3", 44280, 2)


def node(kind=A2, npus=8, vnpus=(), **more):
    name, memory, chips = kind
    column = "memory_mb" if name.startswith("310P") else "hbm_mb"
    found = [
        {"npu_id": n, "chip_id": c, "phy_id": n * chips + c, "name": name, "hbm_mb": None, "memory_mb": None}
        for n in range(npus)
        for c in range(chips)
    ]
    for chip in found:
        chip[column] = [100, memory]
    return placement.Node(placement.chips_by_npu(found), "192.0.2.1", "eth0", vnpus=vnpus, **more)


def service(name, hosts=("node1",), port=8000, **changes):
    base = {"name": name, "engine": "tei", "model": "/data/models/m", "hosts": list(hosts), "port": port}
    base.update(changes)
    return base


def slice_of(name, hosts=("node1",), port=8000, **vnpu):
    return service(name, hosts, port, vnpu=vnpu)


def many(count, hosts=("node1",), **vnpu):
    return [slice_of(f"s{n}", hosts, 8000 + n, **vnpu) for n in range(count)]


def standing(*templates, npu=0, chip=0, **more):
    rows = [dict({"vnpu_id": 100 + n, "in_use": False, "template": t}, **more) for n, t in enumerate(templates)]
    return {"npu_id": npu, "chip_id": chip, "supported": True, "resources": {}, "vnpus": rows}


def where(found):
    return {
        s["name"]: (host, part["slice"]["npu_id"], part["slice"]["chip_id"], part["slice"]["template"])
        for s in found.services
        for host, part in s["nodes"].items()
        if "slice" in part
    }


def appliance(exact):
    """Seven models on one Atlas 800I A2 with 64 GB: by exact ids, or by what they need."""
    wishes = [
        ("bge-m3", {"template": "vir10_3c_32g", "npu_id": 6}, {"memory_gb": 23}),
        ("bge-reranker", {"template": "vir10_3c_32g", "npu_id": 6}, {"memory_gb": 23}),
        ("sensevoice", {"template": "vir05_1c_16g", "npu_id": 7}, {"memory_gb": 10}),
        ("cosyvoice", {"template": "vir05_1c_16g", "npu_id": 7}, {"memory_gb": 12}),
        ("ocr", {"template": "vir10_3c_32g", "npu_id": 7}, {"memory_gb": 20}),
    ]
    found = [
        service("llama", npus={"ids": [0, 1, 2, 3]} if exact else 4, port=8001),
        service("qwen", npus={"ids": [4, 5]} if exact else 2, port=8002),
    ]
    return found + [
        slice_of(name, port=8003 + n, **(by_id if exact else by_need))
        for n, (name, by_id, by_need) in enumerate(wishes)
    ]


@pytest.mark.parametrize("exact", [True, False])
def test_seven_models_on_one_machine(exact):
    found = placement.place_all(appliance(exact), {"node1": node()})
    assert found.problems == []
    assert (found.npus_used, found.lower_bound, found.optimal) == (8, 8, True)
    by_npu = {}
    for entry in found.slices["node1"]:
        by_npu.setdefault(entry["npu_id"], []).append(entry["template"])
    halves = ["vir10_3c_32g", "vir10_3c_32g"]
    assert sorted(sorted(names) for names in by_npu.values()) == [["vir05_1c_16g", "vir05_1c_16g", halves[0]], halves]
    if exact:
        assert where(found)["ocr"][1] == 7 and where(found)["bge-m3"][1] == 6


def test_what_a_service_on_a_slice_looks_like():
    found = placement.place_all([slice_of("embed", memory_gb=23)], {"node1": node()})
    (embed,) = found.services
    assert embed["nodes"] == {
        "node1": {
            "address": "192.0.2.1",
            "interface": "eth0",
            "npu_ids": [0],
            "phy_ids": [],
            "slice": {"npu_id": 0, "chip_id": 0, "phy_id": 0, "template": "vir10_3c_32g", "dynamic": False},
        }
    }
    assert (embed["devices"], embed["executor"], embed["ray_ports"], embed["hosts"]) == (1, "mp", None, ["node1"])
    assert embed["parallel"] == {"tensor": 1, "pipeline": 1, "data": 1}
    assert found.slices == {
        "node1": [{"npu_id": 0, "chip_id": 0, "template": "vir10_3c_32g", "service": "embed"}],
    }


def test_a_service_runs_on_one_of_its_hosts():
    nodes = {"node1": node(npus=1), "node2": node(npus=1)}
    found = placement.place_all(many(4, ("node1", "node2"), template="vir10_3c_32g"), nodes)
    assert found.problems == []
    assert Counter(place[0] for place in where(found).values()) == {"node1": 2, "node2": 2}
    assert all(s["hosts"] == [s["head"]] for s in found.services)


def test_both_chips_of_a_card_are_used_before_another_card():
    found = placement.place_all(many(3, template="vir04_3c"), {"node1": node(DUO, npus=4)})
    assert found.npus_used == found.lower_bound == 1
    assert Counter(place[1:3] for place in where(found).values()) == {(0, 0): 2, (0, 1): 1}


def test_media_units_keep_slices_apart():
    found = placement.place_all(many(2, template="vir04_4c_dvpp"), {"node1": node(PRO, npus=2)})
    assert (found.npus_used, found.optimal) == (2, True)


def test_the_templates_of_the_machine_outrank_the_table():
    printed = [{"name": "vir10_3c_16g", "aicore": 10, "memory_gb": 16, "aicpu": 3}]
    found = placement.place_all([slice_of("a", memory_gb=12)], {"node1": node(templates=printed)})
    assert where(found)["a"][3] == "vir10_3c_16g"


def test_whole_npus_leave_out_what_is_cut():
    nodes = {"node1": node(npus=3, vnpus=[standing("vir10_3c_32g", npu=0, in_use=True)])}
    found = placement.place_all([service("a", npus=2)], nodes)
    assert found.services[0]["nodes"]["node1"]["npu_ids"] == [1, 2]
    found = placement.place_all([service("a", npus={"ids": [0]})], nodes)
    assert ["NPU 0 is cut (vir10_3c_32g on chip 0)" in p.problem for p in found.problems] == [True]


def test_a_count_leaves_the_npu_that_a_slice_names():
    found = placement.place_all(
        [service("a", npus=1), slice_of("b", port=8001, template="vir10_3c_32g", npu_id=0)], {"node1": node(npus=2)}
    )
    assert found.problems == []
    assert found.services[0]["nodes"]["node1"]["npu_ids"] == [1]


def test_a_slice_that_stands_idle_is_taken_over_and_one_in_use_is_not():
    idle = {"node1": node(npus=2, vnpus=[standing("vir10_3c_32g", npu=1)])}
    assert where(placement.place_all(many(1, memory_gb=23), idle))["s0"][1] == 1
    busy = {"node1": node(npus=2, vnpus=[standing("vir10_3c_32g", "vir10_3c_32g", npu=1, in_use=True)])}
    assert where(placement.place_all(many(1, memory_gb=23), busy))["s0"][1] == 0


def test_a_slice_that_says_whose_it_is_stays_with_its_service():
    rows = standing("vir10_3c_32g", npu=1, in_use=True, service="s0")
    found = placement.place_all(many(2, memory_gb=23), {"node1": node(npus=2, vnpus=[rows])})
    assert where(found)["s0"] == ("node1", 1, 0, "vir10_3c_32g")
    assert found.npus_used == 1


def test_what_was_placed_stays_until_repack():
    nodes = {"node1": node(npus=3)}
    before = placement.place_all(many(6, template="vir10_3c_32g"), nodes)
    left = [s for s in many(6, template="vir10_3c_32g") if s["name"] in ("s0", "s2", "s4")]
    after = placement.place_all(left, nodes, earlier=before.services)
    assert where(after) == {name: place for name, place in where(before).items() if name in ("s0", "s2", "s4")}
    assert (after.npus_used > after.lower_bound, after.optimal) == (True, False)
    packed = placement.place_all(left, nodes, earlier=before.services, repack=True)
    assert (packed.npus_used, packed.lower_bound, packed.optimal) == (2, 2, True)


def test_slices_of_services_that_are_gone_count_as_free():
    rows = [standing("vir10_3c_32g", "vir10_3c_32g", npu=0, in_use=True)]
    before = placement.place_all(many(2, template="vir10_3c_32g"), {"node1": node(npus=1)})
    after = placement.place_all(
        [slice_of("new", template="vir05_1c_16g")], {"node1": node(npus=1, vnpus=rows)}, earlier=before.services
    )
    assert after.problems == []


def test_a_larger_slice_than_needed_stays():
    before = placement.place_all([slice_of("a", memory_gb=23)], {"node1": node()})
    after = placement.place_all([slice_of("a", memory_gb=12)], {"node1": node()}, earlier=before.services)
    assert where(after) == where(before)


def test_whole_npus_stay_too():
    nodes = {"node1": node()}
    before = placement.place_all([service("a", npus=2), service("b", npus=2, port=8001)], nodes)
    after = placement.place_all([service("b", npus=2, port=8001)], nodes, earlier=before.services)
    assert after.services[0]["nodes"]["node1"]["npu_ids"] == [2, 3]
    anew = placement.place_all([service("b", npus=2, port=8001)], nodes, earlier=before.services, repack=True)
    assert anew.services[0]["nodes"]["node1"]["npu_ids"] == [0, 1]


def test_dynamic_slices_are_reserved_and_share_no_npu_with_standing_ones():
    found = placement.place_all(
        [slice_of("a", template="vir10_3c_32g"), slice_of("b", port=8001, template="vir10_3c_32g", dynamic=True)],
        {"node1": node(npus=2)},
    )
    assert found.problems == []
    assert [e["service"] for e in found.slices["node1"]] == ["a"]
    assert [e["service"] for e in found.reserved["node1"]] == ["b"]
    assert (found.npus_used, found.optimal) == (2, True)


def test_a_service_whose_slice_is_outside_this_run_is_passed_over():
    wish = [slice_of("a", ("node1", "node2"), template="vir10_3c_32g")]
    before = placement.place_all(wish, {"node1": node(), "node2": node()})
    (host,) = {place[0] for place in where(before).values()}
    other = {"node1": "node2", "node2": "node1"}[host]
    after = placement.place_all(wish, {other: node()}, left_out=[host], earlier=before.services)
    assert (after.services, after.problems) == ([], [])


def test_shares_by_count_join_one_npu():
    shares = [service(f"s{n}", npus=1, port=8000 + n, share={"aicore": 4, "memory_gb": 20}) for n in range(4)]
    found = placement.place_all(shares, {"node1": node()})
    assert [s["nodes"]["node1"]["npu_ids"] for s in found.services] == [[0], [0], [1], [1]]
    assert (found.npus_used, found.lower_bound, found.optimal) == (2, 2, True)


MESH = {f"NPU{a}": {f"NPU{b}": "HCCS" if a // 4 == b // 4 else "SYS" for b in range(8) if b != a} for a in range(8)}


def test_npus_of_a_service_are_close_to_each_other():
    nodes = {"node1": node(topology={"links": MESH, "cpu_affinity": {}})}
    found = placement.place_all([service("a", npus={"ids": [1]}), service("b", npus=4, port=8001)], nodes)
    assert found.services[1]["nodes"]["node1"]["npu_ids"] == [4, 5, 6, 7]


def test_npus_at_the_same_cores_come_before_others():
    links = {f"NPU{a}": {f"NPU{b}": "HCCS" for b in range(8) if b != a} for a in range(8)}
    cores = {f"NPU{a}": f"{a % 2}" for a in range(8)}
    nodes = {"node1": node(topology={"links": links, "cpu_affinity": cores})}
    found = placement.place_all([service("a", npus=3)], nodes)
    assert found.services[0]["nodes"]["node1"]["npu_ids"] == [0, 2, 4]


QWEN = {
    "config": {
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "hidden_size": 3584,
        "max_position_embeddings": 32768,
        "torch_dtype": "bfloat16",
    },
    "index": {"metadata": {"total_size": 15231233024}},
}


def test_memory_from_the_model():
    found = placement.place_all([slice_of("a", memory_gb="auto")], {"node1": node(models={"/data/models/m": QWEN})})
    assert where(found)["a"][3] == "vir10_3c_32g"
    assert found.sizes["a"]["weights_gb"] == pytest.approx(14.19)
    assert found.sizes["a"]["assumed"]


REFUSED = [
    (
        many(5, template="vir10_3c_32g"),
        node(npus=2),
        "lacks 10 AICore (0 free) and 3 AICPU (1 free)",
        "add a node",
    ),
    (
        [*many(3, template="vir05_1c_16g"), slice_of("big", port=9000, template="vir10_3c_32g", npu_id=0)],
        node(npus=1),
        "vir05_1c_16g has no room",
        "add a node",
    ),
    ([slice_of("a", memory_gb=40)], node(), "the largest template has 32 GB", "npus: 1"),
    ([slice_of("a", template="vir04")], node(), "template vir04 is not known there", "vir05_1c_16g"),
    ([slice_of("a", template="vir10_3c_32g", npu_id=9)], node(), "NPU 9 is not there", "NPU"),
    ([slice_of("a", memory_gb="auto")], node(), "nothing was read of /data/models/m", "or a number"),
    ([slice_of("a", memory_gb=3, dynamic=True)], node(DUO), "no dynamic slices", "leave dynamic out"),
    (
        [service("w", npus=8), slice_of("a", port=8001, memory_gb=3)],
        node(),
        "no NPU is left",
        "take an NPU from another",
    ),
    ([slice_of("a", memory_gb=3)], node(("310B1", 16384, 1)), "its chips cannot be cut", "npus"),
]


@pytest.mark.parametrize(("services", "machine", "problem", "remedy"), REFUSED)
def test_what_cannot_be_is_said_with_the_nearest_change(services, machine, problem, remedy):
    found = placement.place_all(services, {"node1": machine})
    assert len(found.problems) == 1, found.problems
    assert problem in found.problems[0].problem, found.problems
    assert remedy in found.problems[0].remedy, found.problems
    assert found.optimal is False


def test_another_host_with_room_is_named():
    nodes = {"node1": node(npus=1), "node2": node(npus=1)}
    found = placement.place_all(many(3, template="vir10_3c_32g"), nodes)
    assert [p.remedy for p in found.problems] == ["NPU 0 of node2 has room: set its hosts to [node2]"]
    found = placement.place_all([service("a", npus=1), service("b", npus=1, port=8001)], nodes)
    assert "node2 has 1 free" in found.problems[0].remedy


def test_a_smaller_template_is_named():
    nodes = {"node1": node(npus=1)}
    wishes = [slice_of("a", template="vir10_3c_32g"), slice_of("b", port=8001, template="vir05_1c_16g")]
    found = placement.place_all([*wishes, slice_of("c", port=8002, template="vir10_3c_32g")], nodes)
    assert "vir05_1c_16g (16 GB) would fit node1" in found.problems[0].remedy


def test_one_card_size_for_each_server():
    mixed = node(npus=2)
    mixed.chips[1][0]["hbm_mb"] = [100, 32768]
    found = placement.place_all([slice_of("a", memory_gb=3)], {"node1": mixed})
    assert "cards of 32 and 64 GB" in found.problems[0].problem


def test_the_two_chips_of_a_duo_are_of_one_size():
    duo = node(DUO, npus=1)
    duo.chips[0][1]["memory_mb"] = [100, 43693]
    assert slices.cuttable(duo)[1] is None


# ---- properties

KINDS = {A2: "vir05_1c_16g vir10_3c_32g", SMALL: "vir05_1c_8g vir10_3c_16g vir10_4c_16g_m vir10_3c_16g_nm"}
KINDS[PRO] = KINDS[DUO] = "vir01 vir02 vir02_1c vir04 vir04_3c vir04_3c_ndvpp vir04_4c_dvpp"


@st.composite
def fleets(draw):
    kind = draw(st.sampled_from(list(KINDS)))
    hosts = [f"node{n}" for n in range(1, draw(st.integers(1, 3)) + 1)]
    wishes = []
    for n in range(draw(st.integers(0, 12))):
        own = draw(st.lists(st.sampled_from(hosts), min_size=1, unique=True))
        if draw(st.integers(0, 3)) == 0:
            wishes.append(service(f"s{n}", own[:1], 8000 + n, npus=draw(st.integers(1, 2))))
        else:
            wish = {"template": draw(st.sampled_from(KINDS[kind].split()))}
            if draw(st.integers(0, 5)) == 0:
                wish["npu_id"] = draw(st.integers(0, 2))
                own = own[:1]
            if kind != DUO and draw(st.integers(0, 5)) == 0:
                wish["dynamic"] = True
            wishes.append(service(f"s{n}", own, 8000 + n, vnpu=wish))
    npus = draw(st.integers(1, 4))
    return kind, wishes, {host: node(kind, npus) for host in hosts}


def check(kind, found):
    """No NPU whole and cut or whole twice, no chip over its capacity, standing and dynamic apart."""
    table = template_set(kind[0], kind[1])
    whole = Counter()
    chips = {}
    for placed in found.services:
        for host, part in placed["nodes"].items():
            if "slice" in part:
                piece = part["slice"]
                chips.setdefault((host, piece["npu_id"], piece["chip_id"]), []).append(table.by_name[piece["template"]])
            else:
                whole.update((host, npu) for npu in part["npu_ids"])
    assert not whole or max(whole.values()) == 1
    assert not set(whole) & {key[:2] for key in chips}
    assert all(fits(templates, table.capacity) for templates in chips.values())
    standing_on = {(host, e["npu_id"]) for host, entries in found.slices.items() for e in entries}
    reserved_on = {(host, e["npu_id"]) for host, entries in found.reserved.items() for e in entries}
    assert not standing_on & reserved_on
    assert found.npus_used == len(set(whole) | {key[:2] for key in chips})


@settings(max_examples=150, deadline=None)
@given(fleets())
def test_every_placement_is_right_and_no_better_than_the_bound(fleet):
    kind, wishes, nodes = fleet
    found = placement.place_all(wishes, nodes)
    check(kind, found)
    assert placement.place_all(wishes, nodes) == found
    assert found.problems or len(found.services) == len(wishes)
    if not found.problems:
        assert found.lower_bound <= found.npus_used
        assert found.optimal == (found.lower_bound == found.npus_used)


@settings(max_examples=100, deadline=None)
@given(fleets(), st.data())
def test_what_stays_wanted_stays_where_it_is(fleet, data):
    kind, wishes, nodes = fleet
    before = placement.place_all(wishes, nodes)
    if before.problems:
        return
    again = placement.place_all(wishes, nodes, earlier=before.services)
    assert [s["nodes"] for s in again.services] == [s["nodes"] for s in before.services]
    left = [wish for wish in wishes if data.draw(st.booleans())]
    fewer = placement.place_all(left, nodes, earlier=before.services)
    places = {s["name"]: s["nodes"] for s in before.services}
    assert not fewer.problems
    assert all(s["nodes"] == places[s["name"]] for s in fewer.services)
    packed = placement.place_all(left, nodes, earlier=before.services, repack=True)
    check(kind, packed)
    assert packed.problems or packed.npus_used <= fewer.npus_used

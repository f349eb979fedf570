# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan page: what lies where, drawn to scale, in files that stand alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._plan_page import (
    page,
    picture,
    read_plan,
    table,
    template_gb,
)
from ansible_collections.npuops.ascend.plugins.module_utils._plan_svg import _fit, _width, gigabytes, ids_text

SVG = "{http://www.w3.org/2000/svg}"


def chips(count=8, name="910B4-1", memory_mb=65536, dies=1, health="OK"):
    return [
        {"npu_id": npu, "chip_id": die, "name": name, "health": health, "hbm_mb": [3000, memory_mb]}
        for npu in range(count)
        for die in range(dies)
    ]


def service(name, hosts, npu_ids=None, cut=None, share=None, engine="vllm", model="/data/models/Qwen3-32B"):
    part = {"address": "192.0.2.10", "npu_ids": npu_ids or [cut["npu_id"]]}
    part.update({"slice": cut} if cut else {})
    return {
        "name": name,
        "engine": engine,
        "model": model,
        "url": "http://192.0.2.10:8000",
        "share": share,
        "nodes": {host: part for host in hosts},
    }


def cut(npu_id, template, chip_id=0):
    return {"npu_id": npu_id, "chip_id": chip_id, "template": template}


APPLIANCE = [
    service("reasoning", ["node0"], [0, 1, 2, 3], engine="mindie"),
    service("assistant", ["node0"], [4, 5], engine="mindie"),
    service("embedding", ["node0"], cut=cut(6, "vir10_3c_32g"), engine="tei"),
    service("reranker", ["node0"], cut=cut(6, "vir10_3c_32g"), engine="tei"),
    service("speech", ["node0"], cut=cut(7, "vir05_1c_16g")),
]


def boxes(text, title):
    """The rectangles under a tooltip that contains C(title), as (width, height)."""
    root = ET.fromstring(text)
    found = []
    for group in root.iter(SVG + "g"):
        if title in group.find(SVG + "title").text:
            found += [(float(box.get("width")), float(box.get("height"))) for box in group.findall(SVG + "rect")]
    return found


def test_what_is_used_and_what_is_free():
    plan = read_plan({"services": APPLIANCE, "lower_bound": 8, "optimal": True}, {"node0": {"chips": chips()}})
    assert plan.summary() == [
        "8 of 8 NPUs used (no placement needs fewer)",
        "48 GB of 512 GB memory free, 0 NPUs idle",
        "3 slices to carve",
    ]
    assert [shown.memory_gb for shown in plan.services] == [256, 128, 32, 32, 16]
    assert [part.service.name for part in plan.nodes[0].npus[6].chips[0].parts] == ["embedding", "reranker"]


def test_a_bound_that_is_not_met_is_said():
    plan = read_plan({"services": APPLIANCE, "lower_bound": 7, "optimal": False}, {"node0": {"chips": chips()}})
    assert plan.summary()[0] == "8 of 8 NPUs used (at least 7 are needed)"


def test_a_slice_that_is_there_is_not_carved_again_and_a_strangers_is_shown():
    found = [{"npu_id": 6, "vnpus": [{"vnpu_id": 196, "template": "vir10_3c_32g"}]}]
    found += [{"npu_id": 7, "chip_id": 0, "vnpus": [{"vnpu_id": 212, "template": "vir10_3c_32g"}]}]
    plan = read_plan({"services": APPLIANCE}, {"node0": {"chips": chips(), "vnpus": found}})
    npus = plan.nodes[0].npus
    assert [part.vnpu_id for part in npus[6].chips[0].parts] == [196, None]
    assert [(part.kind, part.vnpu_id) for part in npus[7].chips[0].parts] == [("slice", None), ("stranger", 212)]
    assert plan.summary()[-1] == "2 slices to carve"
    assert "vNPU 212, of no service in this plan" in picture(plan)


def test_of_equal_slices_a_service_has_the_one_that_was_carved_for_it():
    rows = [{"vnpu_id": number, "template": "vir10_3c_32g"} for number in (196, 197)]
    carved = [service("reranker", ["node0"], cut={**cut(6, "vir10_3c_32g"), "vnpu_id": 196})]
    carved += [service("embedding", ["node0"], cut={**cut(6, "vir10_3c_32g"), "vnpu_id": 197})]
    nodes = {"node0": {"chips": chips(), "vnpus": [{"npu_id": 6, "chip_id": 0, "vnpus": rows}]}}
    plan = read_plan({"services": APPLIANCE, "placed": carved}, nodes)
    parts = plan.nodes[0].npus[6].chips[0].parts
    assert {part.service.name: part.vnpu_id for part in parts} == {"embedding": 197, "reranker": 196}


def test_a_slice_of_ours_that_no_service_gets_is_to_be_taken_away():
    rows = [{"vnpu_id": 212 + number, "template": "vir05_1c_16g"} for number in range(3)]
    found = [{"npu_id": 7, "chip_id": 0, "vnpus": rows}]
    carved = [service(name, ["node0"], cut=cut(7, "vir05_1c_16g")) for name in ("speech", "gone")]
    placement = {"services": APPLIANCE, "placed": carved}
    plan = read_plan(placement, {"node0": {"chips": chips(), "vnpus": found}})
    parts = plan.nodes[0].npus[7].chips[0].parts
    assert [(part.kind, part.vnpu_id) for part in parts] == [("slice", 212), ("stranger", 214)]
    assert plan.summary()[-1] == "1 slice to take away"


def test_a_slice_that_the_runtime_cuts_is_not_counted_as_work():
    placement = {"services": APPLIANCE, "reserved": {"node0": [{"service": "speech", **cut(7, "vir05_1c_16g")}]}}
    plan = read_plan(placement, {"node0": {"chips": chips()}})
    assert plan.nodes[0].npus[7].chips[0].parts[0].kind == "dynamic"
    assert plan.summary()[-1] == "2 slices to carve"


SIZING = {
    "speech": {
        "memory_gb": 12.85,
        "weights_gb": 5.62,
        "kv_cache_gb": 3.38,
        "overhead_gb": 2.0,
        "tokens": 40960,
        "sequences": 1,
        "kv_dtype": "bfloat16",
        "utilization": 0.9,
        "assumed": ["1 request of 40960 tokens at once", "a device shows <0.95> of its size"],
    },
    "embedding": {
        "memory_gb": 4.81,
        "weights_gb": 2.12,
        "kv_cache_gb": 0.0,
        "overhead_gb": 2.0,
        "tokens": 0,
        "sequences": 0,
        "kv_dtype": None,
        "utilization": 0.5,
        "assumed": ["2 GiB for activations and the runtime"],
    },
}


def test_what_was_assumed_of_a_sized_service_is_shown():
    plan = read_plan({"services": APPLIANCE, "sizing": SIZING}, {"node0": {"chips": chips()}})
    lines = table(plan)
    first = next(number for number, line in enumerate(lines) if line.startswith("SIZED SERVICE"))
    assert [line.split("  ")[0] for line in lines[first + 1 : first + 3]] == ["speech", "embedding"]
    assert "12.85 GB  5.62 GiB  3.38 GiB (1 × 40960 tokens, bfloat16)  2 GiB     90 %" in lines[first + 1]
    assert "4.81 GB   2.12 GiB  none" in lines[first + 2]
    assert lines[first + 3 : first + 6] == [
        "speech assumes:",
        "  1 request of 40960 tokens at once",
        "  a device shows <0.95> of its size",
    ]
    text = page(plan)
    assert "<h2>Sized by the model</h2>" in text
    assert "3.38 GiB (1 × 40960 tokens, bfloat16)" in text
    assert "1 request of 40960 tokens at once<br>a device shows &lt;0.95&gt; of its size" in text


def test_without_sized_services_there_is_no_word_of_it():
    plan = read_plan({"services": APPLIANCE, "sizing": {}}, {"node0": {"chips": chips()}})
    assert "Sized" not in page(plan) and "SIZED" not in "\n".join(table(plan))


def test_boxes_are_to_the_scale_of_memory():
    plan = read_plan({"services": APPLIANCE}, {"node0": {"chips": chips()}})
    text = picture(plan)
    [(_width_, half)] = boxes(text, "embedding")
    [(_width_, quarter)] = boxes(text, "speech")
    [(_first, whole), *others] = boxes(text, "reasoning")
    assert len(others) == 3
    assert half == pytest.approx(whole / 2) and quarter == pytest.approx(whole / 4)


def test_nodes_of_different_memory_have_one_scale():
    small = service("small", ["b"], [0])
    plan = read_plan(
        {"services": [service("big", ["a"], [0]), small]},
        {"a": {"chips": chips()}, "b": {"chips": chips(8, "910B4", 32768)}},
    )
    assert boxes(picture(plan), "small")[0][1] == pytest.approx(boxes(picture(plan), "big")[0][1] / 2)


def test_two_chips_of_an_npu():
    wished = [service("speech", ["a"], cut=cut(2, "vir05_1c_16g", 1)), service("big", ["a"], [0, 1])]
    plan = read_plan({"services": wished}, {"a": {"chips": chips(8, "Ascend910", 65536, 2)}})
    assert [len(chip.parts) for chip in plan.nodes[0].npus[2].chips] == [0, 1]
    assert plan.services[1].memory_gb == 256
    assert "vir05_1c_16g of NPU 2 chip 1" in plan.services[0].where[0]
    assert "2 × 128 GB" in picture(plan)


def test_shares_of_an_npu():
    wished = [service(name, ["a"], [3], share={"aicore": 5, "memory_gb": 20}) for name in ("day", "night")]
    plan = read_plan({"services": wished}, {"a": {"chips": chips()}})
    assert plan.nodes[0].npus[3].chips[0].free_gb == 24
    assert plan.used == 1


def test_sick_npus_and_problems_are_seen():
    placement = {"services": [], "problems": [{"sentence": "a: service 'x' & more: it does not fit; take less."}]}
    plan = read_plan(placement, {"a": {"chips": chips(1, health="Alarm")}})
    assert "NPU 0 Alarm" in picture(plan)
    assert "service &#x27;x&#x27; &amp; more" in page(plan)
    assert table(plan)[-1].startswith("PROBLEM: a: service 'x' & more")


def test_the_table_has_a_line_for_each_host():
    plan = read_plan(
        {"services": [service("research", ["a", "b"], list(range(8)))]}, {host: {"chips": chips()} for host in "ab"}
    )
    assert table(plan)[:3] == [
        "#  SERVICE   ENGINE  MODEL      PLACE       MEMORY   ENDPOINT",
        "1  research  vllm    Qwen3-32B  a: NPU 0-7  1024 GB  http://192.0.2.10:8000",
        "                                b: NPU 0-7",
    ]


@pytest.mark.parametrize("count", [1, 3, 4, 16, 40])
def test_files_stand_alone_and_are_well_formed(count):
    nodes = {f"npu-{number:02d}": {"chips": chips()} for number in range(count)}
    wished = [service(f"chat-{number}", [host], [0, 1]) for number, host in enumerate(nodes)]
    plan = read_plan({"services": wished}, nodes, 'Fleet <1> & "more"')
    drawn = picture(plan)
    for text in (drawn, page(plan)):
        # The only address is the name of the SVG language; nothing is loaded.
        assert set(re.findall(r"(?:https?://|//|src=|@import)[^\s\"<]*", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://192.0.2.10:8000",
        }
        assert "<script" not in text
        assert "Fleet &lt;1&gt; &amp; &quot;more&quot;" in text
    root = ET.fromstring(drawn)
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter(SVG + "rect"):
        if "%" not in box.get("width") and box.get("x"):
            assert float(box.get("x")) + float(box.get("width")) <= width
            assert float(box.get("y")) + float(box.get("height")) <= height
    assert {text.text for text in root.iter(SVG + "text")} >= {str(tag) for tag in range(1, count + 1)}


def test_the_same_plan_is_the_same_page():
    def render():
        plan = read_plan({"services": APPLIANCE}, {"node0": {"chips": chips()}})
        return page(plan) + picture(plan)

    assert render() == render()


def test_a_placement_of_another_fleet_is_an_error():
    with pytest.raises(KeyError):
        read_plan({"services": APPLIANCE}, {"node9": {"chips": chips()}})


@pytest.mark.parametrize(
    ("template", "printed", "chip", "memory_gb", "expected"),
    [
        ("vir10_3c_32g", [{"name": "vir10_3c_32g", "memory_gb": 30}], "910B3", 64, 30),
        ("vir10_3c_32g", [], "910B3", 64, 32),
        ("vir04", [], "310P3", 21, 12),
        ("vir99_1c_9g", [], "910Z", 64, 9),
        ("vir99", [], "910Z", 64, 0),
    ],
)
def test_the_memory_of_a_slice(template, printed, chip, memory_gb, expected):
    assert template_gb(template, printed, chip, memory_gb) == expected


def test_texts():
    assert ids_text([6, 0, 1, 2, 3]) == "0-3, 6"
    assert ids_text([]) == ""
    assert (gigabytes(64.0), gigabytes(21.5), gigabytes(20480)) == ("64 GB", "21.5 GB", "20.0 TB")
    assert _fit("embedding", 200, 10) == "embedding"
    cut_short = _fit("DeepSeek-R1-Distill-Llama-70B", 60, 10)
    assert cut_short.endswith("…") and _width(cut_short, 10) <= 60
    assert _fit("embedding", 5, 10) == ""

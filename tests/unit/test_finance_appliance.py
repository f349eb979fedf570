# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seven-model appliance: its inventory gives exactly its layout, and the planner finds one no larger by itself."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from ansible_collections.npuops.ascend.plugins.module_utils._placement import Node, chips_by_npu, place_all

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "inventories/finance_appliance/group_vars/ascend.yml").read_text(encoding="utf-8"))[
    "ascend_services"
]
TEMPLATES = [
    {"name": "vir10_3c_32g", "aicore": 10, "memory_gb": 32, "aicpu": 3, "vpc": 4, "jpegd": 12, "vdec": 1, "jpege": 2},
    {"name": "vir05_1c_16g", "aicore": 5, "memory_gb": 16, "aicpu": 1, "vpc": 2, "jpegd": 6, "vdec": 0, "jpege": 1},
]


def appliance(npus=8):
    chips = [
        {"npu_id": npu, "chip_id": 0, "phy_id": npu, "name": "910B4-1", "hbm_mb": [3413, 65536], "memory_mb": [0, 0]}
        for npu in range(npus)
    ]
    return {"node1": Node(chips_by_npu(chips), "192.0.2.10", "eth0", templates=TEMPLATES)}


def by_need(services):
    """The same services, told only how many NPUs or how much memory they need."""
    needs = {"vir10_3c_32g": 20, "vir05_1c_16g": 14}
    for service in services:
        service = dict(service)
        if "npus" in service:
            service["npus"] = len(service["npus"]["ids"])
        else:
            service["vnpu"] = {"memory_gb": needs[service["vnpu"]["template"]]}
        yield service


def test_exact_ids_give_the_layout():
    placement = place_all(SERVICES, appliance())
    assert placement.problems == []
    whole = {
        s["name"]: s["nodes"]["node1"]["npu_ids"] for s in placement.services if "slice" not in s["nodes"]["node1"]
    }
    assert whole == {"reasoning": [0, 1, 2, 3], "assistant": [4, 5]}
    assert {piece["service"]: (piece["npu_id"], piece["template"]) for piece in placement.slices["node1"]} == {
        "embedding": (6, "vir10_3c_32g"),
        "reranker": (6, "vir10_3c_32g"),
        "speech_to_text": (7, "vir05_1c_16g"),
        "text_to_speech": (7, "vir05_1c_16g"),
        "ocr": (7, "vir10_3c_32g"),
    }
    assert placement.npus_used == 8


@pytest.mark.parametrize("backwards", [False, True])
def test_needs_alone_take_no_more_npus(backwards):
    services = list(by_need(SERVICES))
    placement = place_all(services[::-1] if backwards else services, appliance())
    assert placement.problems == []
    assert placement.npus_used == placement.lower_bound == 8 and placement.optimal
    assert sorted(piece["template"] for piece in placement.slices["node1"]) == [
        "vir05_1c_16g",
        "vir05_1c_16g",
        "vir10_3c_32g",
        "vir10_3c_32g",
        "vir10_3c_32g",
    ]


def test_seven_npus_are_too_few():
    placement = place_all(list(by_need(SERVICES)), appliance(7))
    assert placement.problems and not placement.optimal

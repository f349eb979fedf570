# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server models as data. Where a figure was seen on a real machine the comment names the capture
(file under ``tests/fixtures/corpus/captures``); the rest is marked "assumed".
"""

from __future__ import annotations

from typing import Any

from .model import Chip, Machine, Npu, Roce

# Order in which an eight-chip A2 server enumerates its chips; two kinds of base board exist.
_A2_PAIRED = ["C1", "C2", "81", "82", "01", "02", "41", "42"]  # npu-smi__info__910B4-1__26_0_rc1__issue10280
_A2_SPREAD = ["C1", "01", "C2", "02", "81", "41", "82", "42"]  # npu-smi__info__910B4__25_5_1__issue10724
_A3_DIES = ["9D", "9F", "99", "9B", "95", "97", "91", "93", "8D", "8F", "89", "8B", "85", "87", "81", "83"]

PROFILES: dict[str, dict[str, Any]] = {
    "atlas-800i-a2-64g": {
        "product": "Atlas 800I A2",
        "family": "910B",
        "board": "server",
        "chip": "910B4-1",  # 64 GB, 20 AI cores; npu-smi__info__910B4-1__25_2_0__hami_webui_47
        "npu_ids": list(range(8)),
        "chips_per_npu": 1,
        "bus": _A2_PAIRED,
        "hbm_mb": 65536,
        "hbm_idle_mb": [3417, 3413, 3413, 3413, 3413, 3412, 3413, 3412],  # issue10280, chips without a process
        "power_w": [96.6, 91.5, 91.6, 91.4, 89.3, 92.7, 87.5, 92.1],  # same capture
        "temp_c": [35, 33, 34, 33, 40, 39, 39, 41],
        "driver": "25.5.1",
        "firmware": "7.8.0.6.201",  # npu-smi__board__910B__25_5_1__telegraf
        "roce": True,
    },
    "atlas-800i-a2-32g": {
        "product": "Atlas 800I A2",
        "family": "910B",
        "board": "server",
        "chip": "910B4",
        "npu_ids": list(range(8)),
        "chips_per_npu": 1,
        "bus": _A2_SPREAD,
        "hbm_mb": 32768,
        "hbm_idle_mb": [2818, 2819, 2818, 2819, 2829, 2829, 2830, 2829],  # npu-smi__info__910B4__24_1_rc3__yuanrong
        "power_w": [92.8, 85.3, 92.1, 89.9, 83.6, 88.9, 85.7, 91.3],  # issue10724
        "temp_c": [41, 43, 41, 43, 40, 44, 40, 43],
        "driver": "25.5.1",
        "firmware": "7.8.0.6.201",
        "roce": True,
    },
    "atlas-800t-a2": {
        "product": "Atlas 800T A2",
        "family": "910B",
        "board": "server",
        "chip": "910B2",  # the 24-core training chip; 910B3 machines of this name exist too
        "npu_ids": list(range(8)),
        "chips_per_npu": 1,
        "bus": _A2_SPREAD,  # a published 25.0.rc1.1 table of eight 910B2
        "hbm_mb": 65536,
        "hbm_idle_mb": [3414] * 8,  # same table, NPU 0
        "power_w": [95.5, 95.7, 97.9, 95.0, 96.1, 94.8, 97.2, 95.9],  # first three seen there, the rest assumed
        "temp_c": [43, 44, 44, 43, 45, 44, 43, 44],
        "driver": "25.5.1",
        "firmware": "7.8.0.6.201",
        "roce": True,
    },
    "atlas-300i-a2-64g": {
        "product": "Atlas 300I A2",
        "family": "910B",
        "board": "card",
        "chip": "910B4-1",
        "npu_ids": [1, 2, 4, 5],  # cards are numbered by slot; assumed
        "chips_per_npu": 1,
        "bus": ["01", "41", "81", "C1"],  # assumed
        "hbm_mb": 65536,
        "hbm_idle_mb": [3197, 3197, 3197, 3197],  # npu-smi__info__910B4-1__25_2_0__hami_webui_47
        "power_w": [91.3, 88.1, 89.6, 90.2],
        "temp_c": [33, 32, 34, 33],
        "driver": "25.5.1",
        "firmware": "7.8.0.6.201",
        "roce": True,
    },
    "atlas-300i-a2-32g": {
        "product": "Atlas 300I A2",
        "family": "910B",
        "board": "card",
        "chip": "910B4",
        "npu_ids": [1, 2, 4, 5],  # assumed, as above
        "chips_per_npu": 1,
        "bus": ["01", "41", "81", "C1"],
        "hbm_mb": 32768,
        "hbm_idle_mb": [2654, 2654, 2654, 2653],  # npu-smi__info__910B4__25_0_rc1_1__jekyll
        "power_w": [87.2, 82.7, 84.5, 81.6],
        "temp_c": [33, 33, 39, 37],
        "driver": "25.5.1",
        "firmware": "7.8.0.6.201",
        "roce": True,
    },
    "atlas-300i-duo-48g": {
        "product": "Atlas 300I Duo",
        "family": "310P",
        "board": "card",
        "chip": "310P3",
        "npu_ids": [3, 6],  # arbitrary; npu-smi__info__310P3__25_3_rc1 has a lone NPU 6
        "chips_per_npu": 2,
        "bus": ["83", "84"],  # both chips of a card share one bus id
        "memory_mb": [21527, 21525],  # 24 GB per chip: npu-smi__info__310P3__25_3_rc1 and __22_0_4__hami_vm
        "memory_idle_mb": [1805, 1839],
        "power_w": None,  # 310P prints NA
        "temp_c": [50, 49],
        "driver": "25.5.1",
        "firmware": "7.8.0.6.201",
        "roce": False,
    },
    "atlas-300i-duo-96g": {
        "product": "Atlas 300I Duo",
        "family": "310P",
        "board": "card",
        "chip": "310P3",
        "npu_ids": [1536, 1792, 2048, 2304],  # npu-smi__info__310P3_300IDuo__24_1_0_1__yuanrong
        "chips_per_npu": 2,
        "bus": ["06", "07", "08", "09"],
        "memory_mb": [44280, 43693],  # the second chip of a card has less
        "memory_idle_mb": [1596, 1325, 1452, 1444, 1353, 1529, 1656, 1278],
        "power_w": None,
        "temp_c": [51, 50, 51, 51, 50, 49, 52, 50],
        "driver": "25.5.1",  # npu-smi__memory__300IDuo__25_5_1__datakit
        "firmware": "7.8.0.6.201",
        "roce": False,
    },
    "atlas-800i-a3": {
        "product": "Atlas 800I A3",
        "family": "910_93",
        "board": "server",
        "chip": "Ascend910",
        "npu_ids": list(range(8)),
        "chips_per_npu": 2,
        "bus": _A3_DIES,  # npu-smi__info__910C_A3__25_3_rc1_2__issue9503
        "hbm_mb": 65536,
        "hbm_idle_mb": [
            3122,
            2872,
            3123,
            2878,
            3122,
            2874,
            3121,
            2873,
            3110,
            2890,
            3121,
            2877,
            3123,
            2878,
            3107,
            2889,
        ],  # fmt: skip
        "power_w": [159.6, 162.9, 165.9, 161.9, 171.1, 165.5, 171.7, 175.2],  # per NPU; the second die prints "-"
        "temp_c": [41, 41, 41, 40, 42, 42, 43, 43, 40, 41, 41, 42, 42, 41, 43, 43],
        "driver": "25.5.1",
        "firmware": "7.8.0.6.201",
        "roce": True,
    },
}

# Machines that no serving image is made for: not offered by the lab, there to try what only they do (SMP mode).
TRAINING: dict[str, dict[str, Any]] = {
    "atlas-800-9000": {  # npu-smi__info__910A__25_0_rc1_b002__1
        "product": "Atlas 800 9000",
        "family": "910",
        "board": "server",
        "chip": "910A",
        "npu_ids": list(range(8)),
        "chips_per_npu": 1,
        "bus": ["61", "DB", "B2", "3E", "60", "DA", "B1", "3D"],
        "hbm_mb": 32768,
        "hbm_idle_mb": [0, 0, 0, 0, 0, 0, 1, 0],
        "memory_mb": [13553, 15665, 15665, 15567, 13553, 15665, 15665, 15567],
        "memory_idle_mb": [1192, 2405, 2780, 2008, 1182, 1759, 3421, 2023],
        "power_w": [71.5, 69.0, 70.6, 68.0, 73.1, 69.6, 70.0, 71.0],
        "temp_c": [43, 36, 37, 42, 42, 38, 37, 45],
        "driver": "25.0.rc1.b002",
        "firmware": "7.1.0.7.220",  # of another 910A: npu-smi__board__910A__23_0_5
        "roce": True,
    },
}


def known() -> list[str]:
    """Every name ``build`` takes."""
    return [*PROFILES, *TRAINING]


def build(name: str, node: int = 1) -> Machine:
    """The machine a profile describes, idle and healthy. Raises ``KeyError`` for an unknown profile."""
    spec = PROFILES[name] if name in PROFILES else TRAINING[name]
    npus: list[Npu] = []
    per = spec["chips_per_npu"]
    for index, npu_id in enumerate(spec["npu_ids"]):
        chips = [_chip(spec, index * per + chip_id, chip_id, index, node) for chip_id in range(per)]
        npus.append(
            Npu(
                npu_id=npu_id,
                chips=chips,
                slot_id=index,
                product_name=spec["product"],
                serial_number=f"2102{len(spec['npu_ids']):02}{node:06}{npu_id:04}",
            )
        )
    return Machine(
        family=spec["family"],
        board=spec["board"],
        profile=name,
        product=spec["product"],
        node=node,
        tool_version=spec["driver"],
        driver_version=spec["driver"],
        firmware_version=spec["firmware"],
        npus=npus,
    )


def _chip(spec: dict[str, Any], phy_id: int, chip_id: int, npu_index: int, node: int) -> Chip:
    bus = spec["bus"][phy_id] if len(spec["bus"]) > npu_index and _one_bus_per_chip(spec) else spec["bus"][npu_index]
    chip = Chip(
        chip_id=chip_id,
        phy_id=phy_id,
        logic_id=phy_id,
        name=spec["chip"],
        bus_id=f"0000:{bus}:00.0",
        temp_c=_pick(spec["temp_c"], phy_id),
    )
    if spec["power_w"] is not None and chip_id == 0:
        chip.power_w = spec["power_w"][npu_index]
    if "hbm_mb" in spec:
        chip.hbm_mb = (_pick(spec["hbm_idle_mb"], phy_id), spec["hbm_mb"])
    if "memory_mb" in spec:
        memory_index = chip_id if spec["chips_per_npu"] > 1 else phy_id
        chip.memory_mb = (_pick(spec["memory_idle_mb"], phy_id), _pick(spec["memory_mb"], memory_index))
    if spec["roce"]:
        chip.roce = Roce(
            mac=f"78:dd:33:{node & 0xFF:02x}:{npu_index:02x}:{phy_id:02x}",
            switch_mac=f"d8:76:ae:00:{npu_index // 2:02x}:{phy_id & 0xFF:02x}",
            switch_port=f"400GE1/{1 + phy_id // 8}/{node * 4 + phy_id % 8 // 2}:{1 + phy_id % 2}",
        )
    return chip


def _one_bus_per_chip(spec: dict[str, Any]) -> bool:
    return len(spec["bus"]) == len(spec["npu_ids"]) * spec["chips_per_npu"]


def _pick(values: list[Any], index: int) -> Any:
    return values[index % len(values)]

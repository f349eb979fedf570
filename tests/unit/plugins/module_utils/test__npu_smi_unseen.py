# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs that no capture shows: made by hand from the rules, with what releases and libraries put around them."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import (
    ParseError,
    parse_cfg_recover,
    parse_info,
    parse_list,
    parse_mapping,
    parse_query,
    parse_set,
    parse_templates,
    parse_topology,
    parse_vnpu_mode,
    parse_vnpus,
)

# 26.x: wide columns, NPU ids of two digits, two dies each, one of them ailing, five columns of processes.
INFO_A3 = """\
+------------------------------------------------------------------------------------------------------------------+
| npu-smi 26.1.0                    Version: 26.1.0.1                                                              |
+-----------------------+---------------------+--------------------------------------------------------------------+
| NPU   Name            | Health              | Power(W)             Temp(C)              Hugepages-Usage(page)    |
| Chip  Phy-ID          | Bus-Id              | AICore(%)            Memory-Usage(MB)     HBM-Usage(MB)            |
+=======================+=====================+====================================================================+
| 10    Ascend910       | OK                  | 171.2                36                   0     / 0                |
| 0     20              | 0000:9D:00.0        | 0                    0     / 0            3133  / 65536            |
+------------------------------------------------------------------------------------------------------------------+
| 10    Ascend910       | Critical            | -                    36                   0     / 0                |
| 1     21              | 0000:9F:00.0        | 100                  0     / 0            65535 / 65536            |
+==================================================================================================================+
| 11    Ascend910       | UNKNOWN             | NA                   NA                   NA    / NA               |
| 0     22              | NA                  | NA                   NA    / NA           -     / -                |
+------------------------------------------------------------------------------------------------------------------+
| 11    Ascend910       | OK                  | -                    -                    0     / 0                |
| 1     23              | 0001:9F:00.0        | -                    0     / 0            2886  / 65536            |
+==================================================================================================================+
+-----------------------+---------------------+----------------------+----------------------+----------------------+
| NPU     Chip          | Process id          | Process name         | Process memory(MB)   | Process id in container|
+=======================+=====================+======================+======================+======================+
| 10      0             | 4032911             | VLLMWorker_TP0_E     | 61422                | 245                  |
| 10      1             | 4032912             |                      | 61422                | NA                   |
+=======================+=====================+======================+======================+======================+
| No running processes found in NPU 11                                                                             |
+=======================+=====================+======================+======================+======================+
"""
LIST = """\
\tTotal Count                    : 2

\tNPU ID                         : 10
\tChip Count                     : 2

\tNPU ID                         : 11
\tChip Count                     : 2

"""
MAPPING = """\
\tNPU ID                         Chip ID                        Chip Logic ID                  Chip Name
\t32                             0                              10                             Ascend 310P3
\t32                             1                              11                             Ascend 310P3
\t32                             2                              -                              Mcu
\t32                             3                              -                              3559
"""
COMMON = """\
\tNPU ID                         : 32
\tChip Count                     : 2

\tChip ID                        : 0
\tMemory Usage Rate(%)           : 4
\tAicore Usage Rate(%)           : -
\tTemperature(C)                 : 49

\tChip ID                        : 1
\tMemory Usage Rate(%)           : NA
\tAicore Usage Rate(%)           : 100
\tTemperature(C)                 : 50

\tChip Name                      : mcu
\tTemperature(C)                 : 43
\tNPU Real-time Power(W)         : 23.6
"""
TOPOLOGY = (
    "\t   Phy-ID20   Phy-ID21   CPU Affinity\n"
    "Phy-ID20   X          SIO        0-39,80-119\n"
    "Phy-ID21   SIO        X          NA\n\nLegend:\n"
)
TEMPLATES = """\
+------------------------------------------------------------------------------------------+
|NPU instance template info is:                                                            |
|Name                AICORE    Memory    AICPU     VPC            VENC           JPEGD     |
|                               GB                 PNGD           VDEC           JPEGE     |
|==========================================================================================|
|vir10_3c_32g        10        32        3         4              -              12        |
|                                                  NA             1              2         |
+------------------------------------------------------------------------------------------+
|vir05_1c_16g        5         16        1         2              0              6         |
|                                                  0              0              1         |
+------------------------------------------------------------------------------------------+
"""
VNPUS = """\
+-------------------------------------------------------------------------------+
| NPU resource static info as follow:                                           |
| Format:Free/Total                   NA: Currently, query is not supported.    |
| AICORE    Memory    AICPU    VPC    VENC    VDEC    JPEGD    JPEGE    PNGD    |
|            GB                                                                 |
|===============================================================================|
| 5/20      12/64     3/7      3/9    0/0     1/2     6/24     1/4      NA/NA   |
+-------------------------------------------------------------------------------+
| Total number of vnpu: 2                                                       |
+-------------------------------------------------------------------------------+
|  Vnpu ID  |  Vgroup ID     |  Container ID  |  Status  |  Template Name       |
+-------------------------------------------------------------------------------+
|  260      |  0             |  000000000000  |  0       |  vir10_3c_32g        |
+-------------------------------------------------------------------------------+
|  261      |  NA            |  3f2a91bc77de  |  NA      |  vir05_1c_16g        |
+-------------------------------------------------------------------------------+
"""
ALL = {
    "info": (parse_info, INFO_A3),
    "list": (parse_list, LIST),
    "mapping": (parse_mapping, MAPPING),
    "common": (lambda text: parse_query("common", text), COMMON),
    "topology": (parse_topology, TOPOLOGY),
    "templates": (parse_templates, TEMPLATES),
    "vnpus": (parse_vnpus, VNPUS),
    "vnpu-mode": (parse_vnpu_mode, "\tvnpu-mode                      : docker\n"),
    "recover": (parse_cfg_recover, "\tVNPU config recover mode       : Disable\n"),
}
LOGS = (
    "[HAMI-core Msg(1:140:libvnpu.c:836)]: Initializing.....",
    "[WARNING]The driver package may not be completely installed, which may cause function abnormal.",
    "[ERROR] DRV(77,npu-smi):2026-01-02-10:11:12.003 state : 3",
    "DrvMngGetConsoleLogLevel failed. (ret=4)",
    "WARNING: Logging before InitGoogle() is written to STDERR",
    "2026-01-02 10:11:12,003 - INFO : device : 3",
)


def values(found):
    if isinstance(found, tuple):
        return [one.to_dict() for one in found]
    return (
        {key: value for key, value in found.to_dict().items() if key != "warning"}
        if hasattr(found, "to_dict")
        else found
    )


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("kind", ALL)
def test_a_log_line_may_stand_before_every_line_and_after_the_last(kind, log):
    parse, text = ALL[kind]
    expected = values(parse(text))
    lines = text.splitlines()
    for at in range(len(lines) + 1):
        assert values(parse("\n".join([*lines[:at], log, *lines[at:]]))) == expected, at


def test_dies_of_a_wide_table():
    info = parse_info(INFO_A3)
    assert (info.npu_smi_version, info.driver_version) == ("26.1.0", "26.1.0.1")
    assert [(chip.npu_id, chip.chip_id, chip.phy_id, chip.health) for chip in info.chips] == [
        (10, 0, 20, "OK"),
        (10, 1, 21, "Critical"),
        (11, 0, 22, "UNKNOWN"),
        (11, 1, 23, "OK"),
    ]
    assert [chip.power_w for chip in info.chips] == [171.2, None, None, None]
    ailing = info.chips[2]
    assert (ailing.temp_c, ailing.hugepages, ailing.bus_id, ailing.aicore_pct, ailing.hbm_mb) == (None,) * 5
    assert [(p.chip_id, p.name, p.extra) for p in info.processes] == [(0, "VLLMWorker_TP0_E", "245"), (1, "", None)]
    assert info.no_process_npus == (11,)


def test_a_video_processor_is_no_chip():
    assert [(row.npu_id, row.chip_id, row.logic_id) for row in parse_mapping(MAPPING).chips] == [
        (32, 0, 10),
        (32, 1, 11),
    ]


def test_sections_of_a_card_of_two_chips():
    found = parse_query("common", COMMON)
    assert found.chips == (
        {"chip_id": 0, "memory_pct": 4, "aicore_pct": None, "temp_c": 49},
        {"chip_id": 1, "memory_pct": None, "aicore_pct": 100, "temp_c": 50},
    )
    assert found.mcu == {"temp_c": 43, "power_w": 23.6}


def test_usages_of_a_310():
    text = "".join(
        f"\t{key:<30} : {value}\n"
        for key, value in (
            ("NPU ID", 2),
            ("Chip Count", 1),
            ("Memory Capacity(MB)", 7759),
            ("Memory Usage Rate(%)", 34),
            ("Hugepages Total(page)", "NA"),
            ("Hugepages Usage Rate(%)", 0),
            ("Memory Bandwidth Usage Rate(%)", 1),
            ("Chip ID", 0),
        )
    )
    assert parse_query("usages", text).chips == (
        {
            "chip_id": 0,
            "memory_capacity_mb": 7759,
            "memory_usage_pct": 34,
            "hugepages_total": None,
            "hugepages_usage_pct": 0,
            "memory_bw_pct": 1,
        },
    )


def test_slices_of_a_phy_id_of_two_digits():
    first, second = parse_vnpus(VNPUS).vnpus
    assert (first.vnpu_id, first.in_use, second.vnpu_id, second.vgroup_id, second.status) == (
        260,
        False,
        261,
        None,
        None,
    )
    assert second.in_use is True, "an id of a container is there, whatever the status"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("create vnpu failed.\n", "create vnpu failed."),
        ("Insufficient number of AICPU available, unallocated AICPU number:1.\n", "Insufficient number of AICPU"),
    ],
)
@pytest.mark.parametrize("log", LOGS)
def test_the_answer_to_set_comes_before_what_was_logged(text, first, log):
    for whole in (f"{log}\n{text}", f"{text}{log}\n"):
        found = parse_set(whole)
        assert not found.ok and found.message.startswith(first)
    assert parse_set(f"{log}\n\tStatus : OK\n{log}\n\tMessage : Create vnpu success\n").message == "Create vnpu success"


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("vnpus", "|  NA      |", "|  Running |"),
        ("vnpus", "Status  |", "Health  |"),
        ("vnpus", "PNGD    |\n", "PNGD DVPP |\n"),
        ("templates", "10        32 ", "ten       32 "),
        ("info", "| 171.2 ", "| 171,2 "),
        ("list", ": 10", ": ten"),
        ("topology", "SIO        0-39,80-119", "SIO"),
    ],
)
def test_what_is_new_is_an_error_that_shows_its_line(kind, old, new):
    parse, text = ALL[kind]
    assert old in text
    damaged = text.replace(old, new, 1)
    with pytest.raises(ParseError) as raised:
        parse(damaged)
    assert raised.value.line and raised.value.line.split()[0] in damaged

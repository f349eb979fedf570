# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import (
    NotSupported,
    NpuSmiError,
    ParseError,
    ToolReportedError,
    parse_cfg_recover,
    parse_templates,
    parse_vnpu_mode,
    parse_vnpus,
)


def test_every_template_capture(templates_capture):
    assert [found.to_dict() for found in parse_templates(templates_capture.text)] == templates_capture.expect[
        "templates"
    ]


def test_every_vnpu_capture(vnpus_capture):
    found = parse_vnpus(vnpus_capture.text)
    assert {name: list(pair) for name, pair in found.resources.items()} == vnpus_capture.expect["resources"]
    assert found.to_dict()["total"] == vnpus_capture.expect["total"]
    wanted = vnpus_capture.expect["vnpus"]
    assert [{key: vnpu[key] for key in wanted[0]} for vnpu in found.to_dict()["vnpus"]] == wanted
    assert [vnpu.in_use for vnpu in found.vnpus] == [vnpu["status"] == 1 for vnpu in wanted]


def test_every_mode_capture(vnpu_mode_capture):
    assert parse_vnpu_mode(vnpu_mode_capture.text) == vnpu_mode_capture.expect["mode"]


def test_every_cfg_recover_capture(cfg_recover_capture):
    assert parse_cfg_recover(cfg_recover_capture.text) is (cfg_recover_capture.expect["recover"] == "Enable")


@pytest.mark.parametrize("text", ["VM", "vm"])
def test_mode_vm(text):
    assert parse_vnpu_mode(f"[INFO lib] up\n\tvnpu-mode                      : {text}\n") == "vm"


def test_cfg_recover_disabled():
    assert parse_cfg_recover("\tVNPU config recover mode       : Disable\n") is False


@pytest.mark.parametrize(
    ("parse", "text", "why"),
    [
        (parse_vnpu_mode, "\tvnpu-mode : both\n", "'both' is neither docker nor VM"),
        (parse_vnpu_mode, "\tmode : docker\n", "no line 'vnpu-mode'"),
        (parse_vnpu_mode, "", "no line 'vnpu-mode'"),
        (parse_vnpu_mode, "vnpu-mode : docker\nvnpu-mode : VM\n", "there twice"),
        (parse_cfg_recover, "VNPU config recover mode : NA\n", "'NA' is neither Enable nor Disable"),
    ],
)
def test_single_value_not_understood(parse, text, why):
    with pytest.raises(ParseError, match=re.escape(why)):
        parse(text)


TEMPLATES = """\
+------------------------------------------------------------------------------------------+
|NPU instance template info is:                                                            |
|Name                AICORE    Memory    AICPU     VPC            VENC           JPEGD     |
|                               GB                 PNGD           VDEC           JPEGE     |
|==========================================================================================|
|vir02               2         2         1         1              NA             1         |
|                                                  1.5            1              0         |
+------------------------------------------------------------------------------------------+
|vir04               4         4         1         2              0              2         |
|                                                  3              2              1         |
+------------------------------------------------------------------------------------------+
"""


def test_fractions_and_values_the_tool_does_not_know():
    first, second = parse_templates(TEMPLATES)
    assert (first.name, first.pngd, first.venc) == ("vir02", 1.5, None)
    assert (second.pngd, second.venc, second.jpege) == (3, 0, 1)


def test_columns_are_found_by_title():
    text = TEMPLATES.replace("Name                AICORE    Memory", "AICORE Memory(MB) Name ").replace(" GB ", "    ")
    text = text.replace("|vir02               2         2 ", "|2 2048 vir02").replace(
        "|vir04               4         4 ", "|4 4608 vir04"
    )
    assert [(found.name, found.aicore, found.memory_gb) for found in parse_templates(text)] == [
        ("vir02", 2, 2),
        ("vir04", 4, 4.5),
    ]


def test_one_row_of_titles():
    text = "Name AICORE Memory AICPU PNGD\nvir02 2 2 1 1.5\nvir04 4 4 1 3\n"
    assert [(found.name, found.pngd, found.vdec) for found in parse_templates(text)] == [
        ("vir02", 1.5, None),
        ("vir04", 3, None),
    ]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("|Name  ", "|Colour", "no row with the titles"),
        ("AICPU", "     ", "7 values where there are 6 titles"),
        ("JPEGE", "JPEGD", "two titles for jpegd"),
        ("|vir02 ", "|      ", "6 values where there are 7 titles"),
        ("|vir04 ", "|vir02 ", "listed twice"),
        ("|vir02               2", "|vir02               x", "'x' is no aicore"),
        ("|vir02               2", "|vir02               NA", "'NA' is no aicore"),
        (
            "|                                                  3              2              1         |\n",
            "",
            "next row",
        ),
        (TEMPLATES[TEMPLATES.index("|vir02") :], "", "lists no template"),
    ],
)
def test_templates_not_understood(old, new, why):
    assert old in TEMPLATES
    with pytest.raises(ParseError, match=re.escape(why)):
        parse_templates(TEMPLATES.replace(old, new, 1))


VNPUS = """\
+-------------------------------------------------------------------------------+
| NPU resource static info as follow:                                           |
| Format:Free/Total                   NA: Currently, query is not supported.    |
| AICORE    Memory    AICPU    VPC    VENC    VDEC    JPEGD    JPEGE    PNGD    |
|            GB                                                                 |
|===============================================================================|
| 0/20      0/64      1/7      1/9    0/0     0/2     0/24     0/4      NA/NA   |
+-------------------------------------------------------------------------------+
| Total number of vnpu: 2                                                       |
+-------------------------------------------------------------------------------+
|  Vnpu ID  |  Vgroup ID     |  Container ID  |  Status  |  Template Name       |
+-------------------------------------------------------------------------------+
|  212      |  0             |  000000000000  |  NA      |  vir10_3c_32g        |
+-------------------------------------------------------------------------------+
|  213      |  NA            |  NA            |  NA      |  NA                  |
+-------------------------------------------------------------------------------+
"""
EMPTY = VNPUS[: VNPUS.index("|  Vnpu ID")].replace("vnpu: 2", "vnpu: 0")


def test_no_vnpu_and_no_header():
    found = parse_vnpus(EMPTY)
    assert (found.vnpus, found.total, found.resources["aicpu"]) == ((), 0, (1, 7))


@pytest.mark.parametrize(
    ("status", "container", "in_use"),
    [
        ("0", "000000000000", False),
        ("1", "000000000000", True),
        ("0", "ffffffffffff", True),
        ("NA", "000000000000", False),
        ("NA", "ffffffffffff", True),
        ("1", "NA", True),
        ("0", "NA", False),
        ("NA", "NA", None),
    ],
)
def test_used_if_either_says_so(status, container, in_use):
    text = VNPUS.replace("  000000000000  |  NA ", f"  {container}  |  {status} ", 1)
    assert parse_vnpus(text).vnpus[0].in_use is in_use


def test_values_of_vnpus_the_tool_does_not_know():
    assert parse_vnpus(VNPUS).vnpus[1].to_dict() == {
        "vnpu_id": 213, "vgroup_id": None, "container_id": None, "in_use": None, "template": None, "status": None,
    }  # fmt: skip


def test_resources_in_two_rows():
    text = "AICORE Memory\n MB\nAICPU\n4/8 2048/ 4096\n3 /7\nTotal number of vnpu: 0\n"
    assert parse_vnpus(text).resources == {"aicore": (4, 8), "memory_gb": (2, 4), "aicpu": (3, 7)}


def test_rows_left_out_by_a_publisher():
    text = VNPUS.replace("vnpu: 2", "vnpu: 7") + "| ...   |\n"
    found = parse_vnpus(text)
    assert (found.total, len(found.vnpus)) == (7, 2)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("| Total number of vnpu: 2 ", "| ", "no line 'Total number of vnpu'"),
        ("vnpu: 2", "vnpu: two", "'two' is no number"),
        ("vnpu: 2", "vnpu: 3", "2 vNPUs are listed where the tool counts 3"),
        ("vnpu: 2", "vnpu: 1", "2 vNPUs are listed where the tool counts 1"),
        ("|  213 ", "|  212 ", "listed twice"),
        ("|  213 ", "|  NA  ", "'NA' is no vnpu_id"),
        ("000000000000  |  NA ", "000000000000  |  OK ", "'OK' is no status"),
        ("|  NA      |  vir10", "|  vir10", "4 columns where the header has 5"),
        ("Vgroup ID ", "Colour    ", "'Colour' is not known"),
        ("Vgroup ID ", "Status    ", "has one twice"),
        ("  Status  |", "", "misses a column"),
        ("NA/NA   ", "        ", "no value for pngd"),
        ("NA/NA   ", "1/1 2/2 ", "10 values where there are 9 titles"),
        ("0/64 ", "0:64 ", "no row of free/total"),
        ("| AICORE    Memory", "| AICORE    Colour", "no titles for these values"),
        (VNPUS[VNPUS.index("|  Vnpu ID") : VNPUS.index("|  212")], "", "'212' is not known"),
    ],
)
def test_vnpus_not_understood(old, new, why):
    assert old in VNPUS
    with pytest.raises(ParseError, match=re.escape(why)):
        parse_vnpus(VNPUS.replace(old, new, 1))


def test_error_shows_the_line():
    with pytest.raises(ParseError) as error:
        parse_vnpus(VNPUS.replace("0/64", "0:64"))
    assert error.value.number == 7 and "0:64" in error.value.line and "line 7" in str(error.value)


@pytest.mark.parametrize("parse", [parse_templates, parse_vnpus, parse_vnpu_mode, parse_cfg_recover])
@pytest.mark.parametrize(
    "text",
    [
        "This device does not support querying info-vnpu.\n",
        "The vnpu is not in docker mode, does not support querying info-vnpu.\n",
        "NPU is working in SMP mode, does not support vnpu query.\n",
    ],
)
def test_what_a_product_or_its_mode_does_not_have(parse, text):
    with pytest.raises(NotSupported, match=re.escape(text.strip())):
        parse(text)


@pytest.mark.parametrize("parse", [parse_templates, parse_vnpus, parse_vnpu_mode, parse_cfg_recover])
def test_faults_are_not_taken_for_missing_support(parse):
    for text in (
        "dcmi module initialize failed. ret is -8005",
        "Failed to get vnpu mode.",
        "Invalid chip id.",
        "Must input parameter of chip id.",
        "This command must input card id.",
        "This command cannot be executed on a VM or container.",
    ):
        with pytest.raises(ToolReportedError) as error:
            parse(f"\n{text}\n")
        assert not isinstance(error.value, NotSupported)
        assert error.value.error == text


COUNT = st.integers(0, 10**6)
TEMPLATE = st.tuples(st.from_regex(r"vir[0-9]{2}(_[0-9]c)?(_[0-9]{1,2}g)?", fullmatch=True), *[COUNT] * 9)


@settings(deadline=None)
@given(st.lists(TEMPLATE, min_size=1, max_size=8, unique_by=lambda row: row[0]), st.integers(1, 6), st.booleans())
def test_templates_of_any_width(rows, gap, bordered):
    edge, blank = ("|" if bordered else ""), " " * gap
    order = ("name", "aicore", "memory_gb", "aicpu", "vpc", "venc", "jpegd", "pngd", "vdec", "jpege")
    titles = ["Name", "AICORE", "Memory", "AICPU", "VPC", "VENC", "JPEGD", "PNGD", "VDEC", "JPEGE"]
    lines = [blank.join(titles[:7]), blank.join(["", "GB", *titles[7:]])]
    for row in rows:
        words = [str(value) for value in row]
        lines += [blank.join(words[:7]), blank.join(["", *words[7:]])]
    found = parse_templates("".join(f"{edge}{line}{blank}{edge}\n" for line in lines))
    assert [tuple(template.to_dict()[key] for key in order) for template in found] == rows


VNPU = st.tuples(COUNT, st.integers(0, 31), st.sampled_from(["0" * 12, "f" * 12]), st.integers(0, 1))


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.tuples(COUNT, COUNT)), min_size=9, max_size=9),
    st.lists(VNPU, max_size=8, unique_by=lambda row: row[0]),
    st.integers(0, 6),
)
def test_vnpus_of_any_width(pairs, rows, gap):
    blank = " " * gap
    shown = [f"{pair[0]}{blank}/{blank}{pair[1]}" if pair else "NA/NA" for pair in pairs]
    text = EMPTY.replace(EMPTY.splitlines()[6], "| " + "  ".join(shown) + " |").replace("vnpu: 0", f"vnpu: {len(rows)}")
    text += "|Vnpu ID|Vgroup ID|Container ID|Status|Template Name|\n"
    text += "".join("|" + "|".join(f"{blank}{value}{blank}" for value in (*row, "vir01")) + "|\n" for row in rows)
    found = parse_vnpus(text)
    assert list(found.resources.values()) == [pair or (None, None) for pair in pairs]
    assert [(vnpu.vnpu_id, vnpu.vgroup_id, vnpu.container_id, vnpu.status) for vnpu in found.vnpus] == rows


@pytest.mark.parametrize(("parse", "whole"), [(parse_templates, TEMPLATES), (parse_vnpus, VNPUS)])
def test_cut_output_loses_no_row_in_silence(parse, whole):
    lines = whole.splitlines(keepends=True)
    complete = parse(whole)
    for cut in range(len(lines)):
        try:
            found = parse("".join(lines[:cut]))
        except ParseError:
            continue
        # The tool does not count templates, so whole ones can be missing. vNPUs it counts.
        assert found == complete if parse is parse_vnpus else found == complete[: len(found)]


@pytest.mark.parametrize("parse", [parse_templates, parse_vnpus, parse_vnpu_mode, parse_cfg_recover])
@settings(deadline=None)
@given(
    text=st.text()
    | st.lists(st.sampled_from([*TEMPLATES.splitlines(), *VNPUS.splitlines(), "vnpu-mode : VM", "..."])).map("\n".join)
)
def test_any_text_raises_nothing_else(parse, text):
    try:
        parse(text)
    except NpuSmiError as error:
        assert str(error)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import (
    ParseError,
    ToolReportedError,
    parse_list,
    parse_mapping,
)

TITLES = {
    "NPU ID": "npu_id",
    "Slot ID": "slot_id",
    "Chip ID": "chip_id",
    "Chip Logic ID": "logic_id",
    "Chip Phy-ID": "phy_id",
    "Chip Name": "name",
}


def table(*rows, width: int = 31) -> str:
    return "".join("\t" + "".join(str(cell).ljust(width) for cell in row) + "\n" for row in rows)


def test_every_mapping_capture(mapping_capture):
    found = [row.to_dict() for row in parse_mapping(mapping_capture.text).rows]
    expect = mapping_capture.expect["rows"]
    assert len(found) == len(expect)
    for row, wanted in zip(found, expect):
        values = {TITLES[title]: None if value == "-" else value for title, value in wanted.items()}
        assert {key: row[key] for key in values} == values
        assert all(row[key] is None for key in set(row) - set(values))


def test_every_list_capture(list_capture):
    found = parse_list(list_capture.text).to_dict()
    assert found["total_count"] == list_capture.expect["total_count"]
    assert len(found["npus"]) == len(list_capture.expect["npus"])
    for npu, wanted in zip(found["npus"], list_capture.expect["npus"]):
        assert {key: npu[key] for key in wanted} == wanted


def test_mapping_with_slot_ids():
    text = table(("NPU ID", "Slot ID", "Chip ID", "Chip Phy-ID", "Chip Name"), (0, 3, 0, 7, "Ascend950PR"))
    mapping = parse_mapping(text)
    assert mapping.prints_phy_id
    assert mapping.rows[0].to_dict() == {
        "npu_id": 0, "slot_id": 3, "chip_id": 0, "phy_id": 7, "logic_id": None, "name": "Ascend950PR",
    }  # fmt: skip


def test_mcu_is_no_chip():
    text = table(
        ("NPU ID", "Chip ID", "Chip Logic ID", "Chip Name"), (5, 0, 0, "Ascend 910B3"), (5, 1, "-", "Mcu"),
    )  # fmt: skip
    mapping = parse_mapping("open global registry\n" + text)
    assert [row.name for row in mapping.chips] == ["Ascend 910B3"]
    assert [row.is_mcu for row in mapping.rows] == [False, True]
    assert not mapping.prints_phy_id


def test_chip_that_shows_no_ids_is_still_listed():
    row = parse_mapping(table(HEADER, (3, "-", "NA", "Ascend 910B3"))).rows[0]
    assert (row.npu_id, row.chip_id, row.logic_id, row.is_mcu) == (3, None, None, False)


HEADER = ("NPU ID", "Chip ID", "Chip Logic ID", "Chip Name")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no header row"),
        (table(HEADER), "lists no chip"),
        (table(("NPU ID", "Chip ID", "Colour", "Chip Name"), (0, 0, 0, "Ascend910")), "'Colour' is not known"),
        (table(("NPU ID", "Chip ID", "Chip Logic ID")), "misses a column"),
        (table(HEADER, (0, 0, 0)), "3 columns where the header has 4"),
        (table(HEADER, (0, 0, "x", "Ascend910")), "'x' is no logic_id"),
        (table(HEADER, ("-", 0, 0, "Ascend910")), "'-' is no npu_id"),
        (table(HEADER, (0, 0, 0, "Ascend910"), (0, 0, 1, "Ascend910")), "listed twice"),
    ],
)
def test_mapping_not_understood(text, why):
    with pytest.raises(ParseError, match=re.escape(why)):
        parse_mapping(text)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 3)), min_size=1, max_size=20, unique=True),
    st.integers(min_value=17, max_value=60),
)
def test_mapping_of_any_width(ids, width):
    rows = [(npu, chip, logic, "Ascend 910B3") for logic, (npu, chip) in enumerate(ids)]
    found = parse_mapping(table(HEADER, *rows, width=width)).rows
    assert [(row.npu_id, row.chip_id, row.logic_id, row.name) for row in found] == rows


@pytest.mark.parametrize("parse", [parse_list, parse_mapping])
@settings(deadline=None)
@given(text=st.text())
def test_any_text_is_an_error(parse, text):
    with pytest.raises((ParseError, ToolReportedError)):
        parse(text)


@pytest.mark.parametrize("parse", [parse_list, parse_mapping])
def test_error_sentence(parse):
    with pytest.raises(ToolReportedError, match="-8005"):
        parse("DrvMngGetConsoleLogLevel failed. (ret=4)\ndcmi module initialize failed. ret is -8005\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NPU ID : 0\n", "no line 'Total Count'"),
        ("Total Count : many\n", "'many' is no number"),
        ("Total Count : 1\nNPU ID : x\n", "'x' is no number"),
        ("Total Count : 1\nChip Count : 1\n", "belongs to no NPU"),
        ("Total Count : 2\nNPU ID : 0\nNPU ID : 0\n", "listed twice"),
        ("Total Count : 1\nNPU ID : 0\nChip Cou", "no 'key : value' line"),
    ],
)
def test_list_not_understood(text, why):
    with pytest.raises(ParseError, match=re.escape(why)):
        parse_list(text)


def test_list_of_cards_and_unknown_keys():
    npus = parse_list(
        "Card Count : 1\n\n\tNPU ID  : 224\n\tSerial Number : NA\n\tColour : 10:20\n\tChip Count : 2\n"
    ).npus
    assert [npu.to_dict() for npu in npus] == [
        {"npu_id": 224, "chip_count": 2, "product_name": None, "serial_number": None, "other": {"Colour": "10:20"}}
    ]

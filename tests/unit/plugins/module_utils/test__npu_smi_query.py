# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import (
    NpuSmi,
    NpuSmiError,
    ParseError,
    ToolReportedError,
)
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_query import (
    parse_query,
    parse_topology,
    query,
    topology,
)

# The index calls these otherwise in a few places.
ALIASES = {"ddr_mb": "ddr_capacity_mb"}


def kind_of(capture) -> str:
    return re.sub("_chip$", "", capture.name.split("__")[1])


def test_every_capture(query_capture):
    answer = parse_query(kind_of(query_capture), query_capture.text)
    expect = query_capture.expect
    if all(key[0].isupper() for key in expect):
        assert answer.printed == expect  # the index has the titles as printed
        return
    expect = dict(expect)
    chips = expect.pop("chips", None)
    for key in ("npu_id", "chip_count", "mcu"):
        if key in expect:
            assert getattr(answer, key) == expect.pop(key)
    if chips is None:
        chips = [expect]  # the only chip
    else:
        assert expect == {}
    assert len(answer.chips) == len(chips)
    for found, wanted in zip(answer.chips, chips):
        wanted = {ALIASES.get(key, key): value for key, value in wanted.items()}
        assert {key: found[key] for key in wanted} == wanted


def test_every_topology(topology_capture):
    found = parse_topology(topology_capture.text)
    expect = topology_capture.expect
    assert list(found.npus) == expect["npus"]
    assert [found.cpu_affinity[npu] for npu in found.npus] == expect["cpu_affinity"]
    for npu in found.npus:
        assert set(found.links[npu]) == set(found.npus) - {npu}
        assert set(found.links[npu].values()) == {expect.get("links_all", "HCCS")}


OPENING = """\
NPU ID : 4
Chip Count : 2

Chip ID : 0
Aicore Usage Rate(%) : 3
Temperature(C) : 41

Chip ID : 1
Aicore Usage Rate(%) : NA
Temperature(C) : 42

Chip Name : mcu
Temperature(C) : 39
"""
CLOSING = """\
NPU ID : 4
Chip Count : 2

Aicore Usage Rate(%) : 3
Temperature(C) : 41
Chip ID : 0

Aicore Usage Rate(%) : NA
Temperature(C) : 42
Chip ID : 1

Temperature(C) : 39
Chip Name : MCU
"""


@pytest.mark.parametrize("text", [OPENING, CLOSING], ids=["opening", "closing"])
def test_chip_id_opens_or_closes_a_section(text):
    assert parse_query("common", text).to_dict() == {
        "npu_id": 4,
        "chip_count": 2,
        "chips": ({"chip_id": 0, "aicore_pct": 3, "temp_c": 41}, {"chip_id": 1, "aicore_pct": None, "temp_c": 42}),
        "mcu": {"temp_c": 39},
        "printed": {},
    }


def test_mcu_beside_a_chip_without_id():
    answer = parse_query("common", "Temperature(C) : 53\n\nChip Name : mcu\nTemperature(C) : 40\n")
    assert (answer.chips, answer.mcu) == (({"chip_id": None, "temp_c": 53},), {"temp_c": 40})


def test_chip_and_mcu_that_nothing_separates():
    with pytest.raises(ParseError, match="there twice"):
        parse_query("common", "Temperature(C) : 53\n\nTemperature(C) : 40\nChip Name : mcu\n")


def test_value_may_have_colons_and_name_may_be_a_chip():
    chip = parse_query("board", "\tPCIe Bus Info  : 0000:C1:00.0\n\tChip Name : 910B3\n\tModel   : NA\n").chips[0]
    assert chip == {"chip_id": None, "pcie_bus_info": "0000:C1:00.0", "chip_name": "910B3", "model": None}


def test_log_lines_come_first():
    text = "[INFO limiter::supervisor] [PID:10] won\nopen registry\nNPU Real-time Power(W) : 9.5\n"
    assert parse_query("power", text).chips == ({"chip_id": None, "power_w": 9.5},)


def test_health_of_an_ailing_chip():
    text = "Health Status : Alarm\nError Code : A1 B2\nError Information : one\n\n  : two: three\n\n  : four\n"
    assert parse_query("health", text).chips == (
        {"chip_id": None, "health": "Alarm", "error_codes": ["A1", "B2"],
         "error_information": ["one", "two: three", "four"]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("usages", "", "there are no values"),
        ("usages", "NPU ID : 0\nChip Count : 1\n", "there are no values"),
        ("usages", "NPU ID : x\n", "'x' is no number"),
        ("usages", "Aicore Usage Rate(%) : 3%\nChip ID : 0\n", "'3%' is no number"),
        ("usages", "Aicore Usage Rate(%) : 3\nChip ID : 0\nAicore Usage Rate(%) : 4\n", "no 'Chip ID' closes"),
        ("usages", "Aicore Usage Rate(%) : 3\nChip ID : 0\nAicore Usage Rate(%) : 4\nChip ID : 0\n", "same chip"),
        ("usages", "Aicore Usage Rate(%) : 3\nAicore Usage Rate(%) : 4\n", "there twice"),
        ("usages", "Aicore Usage Rate(%) : 3\nAicore Usa", "no 'key : value' line"),
        ("proc-mem", "Process id:1 Process name:a\n", "there are no values"),
        (
            "proc-mem",
            "No process in device.\nProcess id:1 Process name:a Process memory(MB):2\nChip ID : 0\n",
            "or none",
        ),
        ("proc-mem", "No process in device.\nColour : red\nChip ID : 0\n", "this is no process"),
    ],
)
def test_not_understood(kind, text, why):
    with pytest.raises(ParseError, match=re.escape(why)):
        parse_query(kind, text)


TOPO = """\
\t   Phy-ID0    Phy-ID1    Phy-ID2    CPU Affinity
Phy-ID0    X          SIO        HCCS_SW    0-23,48-71
Phy-ID1    SIO        X          NA         0-23
Phy-ID2    HCCS_SW    NA         X          NA

Legend:

  X    = Self
"""


def test_topology_of_dies():
    found = parse_topology(TOPO)
    assert found.npus == ("Phy-ID0", "Phy-ID1", "Phy-ID2")
    assert found.links["Phy-ID1"] == {"Phy-ID0": "SIO", "Phy-ID2": None}
    assert found.cpu_affinity == {"Phy-ID0": "0-23,48-71", "Phy-ID1": "0-23", "Phy-ID2": None}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("CPU Affinity", "", "no header ends in CPU Affinity"),
        ("SIO        X ", "X        SIO ", "to itself is not X"),
        ("Phy-ID2    HCCS_SW", "Phy-ID1    HCCS_SW", "there twice"),
        ("HCCS_SW    0-23,48-71", "HCCS_SW", "4 columns where 5"),
        ("Phy-ID2    HCCS_SW    NA         X          NA\n", "", "no row for Phy-ID2"),
    ],
)
def test_topology_not_understood(old, new, why):
    assert old in TOPO
    with pytest.raises(ParseError, match=re.escape(why)):
        parse_topology(TOPO.replace(old, new, 1))


@pytest.mark.parametrize("parse", [parse_topology, lambda text: parse_query("usages", text)])
def test_what_a_product_does_not_have(parse):
    with pytest.raises(ToolReportedError, match="does not support querying topo"):
        parse("This device does not support querying topo.\n")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(CLOSING)))
def test_cut_output_is_an_error_or_whole_chips(cut):
    """A cut in the last line can't be seen, unless the line ends: lines are the unit here."""
    text = "".join(CLOSING[:cut].splitlines(keepends=True)[:-1])
    whole = parse_query("common", CLOSING).chips
    try:
        found = parse_query("common", text).chips
    except ParseError:
        return
    if found[0]["chip_id"] is not None:
        assert found == whole[: len(found)]


@pytest.mark.parametrize("kind", ["usages", "health", "proc-mem", "board"])
@settings(deadline=None)
@given(text=st.text() | st.lists(st.sampled_from([*OPENING.splitlines(), ": x", "Chip Name : mcu", ""])).map("\n".join))
def test_any_text_raises_nothing_else(kind, text):
    try:
        parse_query(kind, text)
    except NpuSmiError as error:
        assert str(error)


def test_commands(tmp_path):
    tool = tmp_path / "npu-smi"
    tool.write_text('#!/bin/sh\necho "Arguments : $*"\n')
    tool.chmod(0o755)
    smi = NpuSmi(str(tool), 10)
    assert query(smi, "board", 4).printed == {"Arguments": "info -t board -i 4"}
    assert query(smi, "health", 4, 0).printed == {"Arguments": "info -t health -i 4 -c 0"}
    with pytest.raises(ParseError) as error:
        topology(smi)
    assert error.value.command.shown == f"{tool} info -t topo"

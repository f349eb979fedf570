# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils import _npu_smi
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import ParseError, ToolReportedError, parse_info

NUMBER = st.integers(0, 10**6)
several = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

HBM = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 25.2.0                   Version: 25.2.1                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 4     910B4               | OK            | 84.7        38                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          2894 / 32768         |
+===========================+===============+====================================================+
| 5     910B4               | Alarm         | NA          -                 NA / NA              |
| 0                         | NA            | NA          0    / 0          -                    |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| 4       0                 | 472206        | a|b                      | 113                     |
+===========================+===============+====================================================+
| No running processes found in NPU 5                                                            |
+===========================+===============+====================================================+
"""


def printed(value):
    """What the index shows as it is printed; the result has null for what the tool does not know."""
    return None if value == "NA" else value


def assert_holds(found: dict, expect: dict) -> None:
    for key, value in expect.items():
        if key in ("chips", "processes"):
            assert len(found[key]) == len(value), key
            for row, wanted in zip(found[key], value):
                assert {name: row[name] for name in wanted} == {name: printed(v) for name, v in wanted.items()}
        else:
            assert found[key] == value, key


def test_every_capture(info_capture):
    assert_holds(parse_info(info_capture.text).to_dict(), info_capture.expect)


def test_chip_has_all_keys(info_capture):
    keys = set(parse_info(HBM).to_dict()["chips"][0])
    assert len(keys) == 15
    assert all(set(chip) == keys for chip in parse_info(info_capture.text).to_dict()["chips"])


def test_values_the_tool_does_not_know_are_none():
    chip = parse_info(HBM).chips[1]
    unknown = ("power_w", "temp_c", "hugepages", "bus_id", "aicore_pct", "hbm_mb", "phy_id", "device_id")
    assert [getattr(chip, key) for key in unknown] == [None] * len(unknown)
    assert chip.memory_mb == (0, 0)


def test_versions_of_tool_and_driver_are_told_apart():
    info = parse_info(HBM)
    assert (info.npu_smi_version, info.driver_version) == ("25.2.0", "25.2.1")


def test_control_characters_that_count_as_blanks():
    assert parse_info(HBM.replace("2894 / 32768", "2894\x1f/ 32768")).chips[0].hbm_mb == (2894, 32768)


def test_process_name_may_contain_the_column_separator():
    process = parse_info(HBM).processes[0]
    assert (process.name, process.memory, process.extra) == ("a|b", 113, None)


@pytest.mark.parametrize("unit", ["MB", "B"])
def test_unit_of_process_memory(unit):
    assert parse_info(HBM.replace("memory(MB)", f"memory({unit})")).process_memory_unit == unit


def test_no_process_table_is_not_no_process():
    info = parse_info(HBM[: HBM.index("| NPU     Chip")])
    assert (info.processes, info.process_memory_unit, info.no_process_npus) == ((), None, ())


def test_lines_around_the_table():
    warning = "[WARNING]The driver package may not be completely installed, please check."
    info = parse_info("[INFO limiter] election won\nopen | registry\n" + HBM + "\n" + warning + "\n")
    assert info.warning == warning
    assert info.notes == ("[INFO limiter] election won", "open | registry")
    assert info.chips == parse_info(HBM).chips


def test_log_lines_inside_the_table_cost_nothing():
    lines = HBM.splitlines()
    lines.insert(7, "[WARN limiter] slow")
    assert parse_info("\n".join(lines)).chips == parse_info(HBM).chips
    assert parse_info("\n".join(lines)).warning == "[WARN limiter] slow"


@pytest.mark.parametrize("dots", ["...", "......", "…", "| ...   | ...  | ...   |"])
def test_rows_left_out_by_a_publisher(dots):
    lines = HBM.splitlines()
    lines.insert(9, dots)
    assert parse_info("\n".join(lines)).chips == parse_info(HBM).chips


@pytest.mark.parametrize(("cell", "extra"), [("233937", "233937"), ("NA", None), ("-", None), ("", None)])
def test_process_id_in_container(cell, extra):
    text = HBM.replace("Process memory(MB)      |", "Process memory(MB)  | Process id in container |")
    text = text.replace("113                     |", f"113  | {cell} |")
    assert parse_info(text).processes[0].extra == extra


def test_carriage_returns_colours_and_indents_do_not_matter():
    dressed = "".join(f"\x1b[0m\t{line}  \r\n" for line in HBM.splitlines())
    assert parse_info(dressed) == parse_info(HBM)


def test_column_order_is_taken_from_the_header():
    swapped = HBM.replace("Memory-Usage(MB)  HBM-Usage(MB)", "HBM-Usage(MB)  Memory-Usage(MB)")
    chip = parse_info(swapped).chips[0]
    assert (chip.hbm_mb, chip.memory_mb) == ((0, 0), (2894, 32768))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("AICore(%)", "Tensor(%)", "the column title 'Tensor(%)"),
        ("| Chip                      | Bus-Id", "| 7                         | Bus-Id", "second header row"),
        ("84.7        38", "84.7", "should hold power_w, temp_c, hugepages"),
        ("84.7", "84.7W", "should hold power_w"),
        ("2894 / 32768", "28x4 / 32768", "should hold aicore_pct, memory_mb, hbm_mb"),
        ("| 4     910B4               ", "|       910B4               ", "should hold npu_id"),
        ("| 5     910B4 ", "| 4     910B4 ", "listed twice"),
        ("0000:C1:00.0  |", "0000:C1:00.0   ", "no row of a chip"),
        ("472206 ", "NA     ", "should hold pid"),
        ("| No running processes found in NPU 5", "| No running dwarfs found in NPU 5", "no row of a chip"),
        ("0          2894 / 32768         |", "0          2894 / 32768", "start and end with"),
    ],
)
def test_damage_is_an_error_that_shows_the_line(old, new, why):
    damaged = HBM.replace(old, new, 1)
    assert damaged != HBM
    with pytest.raises(ParseError, match=re.escape(why)) as caught:
        parse_info(damaged)
    assert caught.value.line in damaged.splitlines()
    assert damaged.splitlines()[caught.value.number - 1] == caught.value.line
    assert repr(caught.value.line) in str(caught.value)


@pytest.mark.parametrize("row", [7, 8, 10, 11])
def test_half_a_chip_is_an_error(row):
    lines = HBM.splitlines()
    del lines[row - 1]
    with pytest.raises(ParseError):
        parse_info("\n".join(lines))


@pytest.mark.parametrize("text", ["", "\n\n", "bash: npu-smi: command not found\n", HBM[: HBM.index("| 4 ")]])
def test_no_chip_is_an_error(text):
    with pytest.raises(ParseError):
        parse_info(text)


def test_rows_without_header_that_fit_nothing():
    with pytest.raises(ParseError, match="no header"):
        parse_info("| 0  910B | OK | 1.0 2 0/0 |\n| 0 | 0000:C1:00.0 | 0 |\n")


def test_driver_not_answering(error_capture):
    with pytest.raises(ToolReportedError, match=error_capture.expect["error"]) as caught:
        parse_info(error_capture.text)
    assert caught.value.ret == error_capture.expect["dcmi_ret"]
    assert "driver" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("dcmi model initialized failed, because the device is used. ret is -8020", "Another container"),
        ("npu get board type failed. ret = -8008", "driver"),
        ("There is no NPU card on this server.", "lspci"),
        ("This command can be executed only by the root user.", "become"),
    ],
)
def test_error_sentences_of_the_tool(line, remedy):
    for text in (line, "\t" + line + "\r\n", HBM + line + "\n"):
        with pytest.raises(ToolReportedError, match=remedy) as caught:
            parse_info(text)
        assert caught.value.error == line


@several
@given(number=NUMBER, gaps=st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=12))
def test_widths_do_not_matter(info_capture_by_number, number, gaps):
    """Every run of blanks in a row may have any other length."""
    info_capture = info_capture_by_number(number)
    widths = itertools.cycle(gaps)
    lines = [
        re.sub(" +", lambda _: " " * next(widths), line) if line.startswith("|") else line
        for line in info_capture.text.splitlines()
    ]
    assert parse_info("\n".join(lines)) == parse_info(info_capture.text)


@several
@given(data=st.data())
def test_cut_output_is_an_error_or_a_beginning(info_capture_by_number, data):
    """Cut anywhere, the values that do come out are those of the whole."""
    info_capture = info_capture_by_number(data.draw(NUMBER))
    whole = parse_info(info_capture.text)
    cut = data.draw(st.integers(min_value=0, max_value=len(info_capture.text)))
    try:
        part = parse_info(info_capture.text[:cut])
    except ParseError:
        return
    for key in ("chips", "processes", "no_process_npus"):
        found = getattr(part, key)
        assert found == getattr(whole, key)[: len(found)]


@several
@given(data=st.data())
def test_cut_line_is_an_error_or_changes_nothing(info_capture_by_number, data):
    info_capture = info_capture_by_number(data.draw(NUMBER))
    whole = parse_info(info_capture.text)
    lines = info_capture.text.splitlines()
    at = data.draw(st.sampled_from([i for i, line in enumerate(lines) if line.strip().startswith("|")]))
    lines[at] = lines[at].rstrip()[: data.draw(st.integers(min_value=1, max_value=len(lines[at].rstrip()) - 1))]
    try:
        found = parse_info("\n".join(lines))
    except ParseError:
        return
    assert found == whole


@several
@given(data=st.data())
def test_garbled_output_raises_nothing_else(info_capture_by_number, data):
    info_capture = info_capture_by_number(data.draw(NUMBER))
    text = list(info_capture.text)
    for _change in range(data.draw(st.integers(min_value=1, max_value=5))):
        at = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
        text[at] = data.draw(st.sampled_from("|+-=/ :.0A9\n\t\x00é") | st.characters())
    try:
        parse_info("".join(text))
    except _npu_smi.NpuSmiError as error:
        assert str(error)


@several
@given(st.text())
def test_any_text_raises_nothing_else(text):
    with pytest.raises(_npu_smi.NpuSmiError):
        parse_info(text)

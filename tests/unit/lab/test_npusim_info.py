# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the ``npu-smi`` tables: one value is one cell, lines are equally long, layouts follow versions."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npusim import layouts, profiles, render_info, render_list
from npusim.model import Chip, Machine, Npu, Process

# family and tool version of every layout
KINDS = [
    ("910", "21.0.2"), ("310", "21.0.3.1"),
    ("910", "22.0.4.1"), ("910", "23.0.rc3"), ("910B", "25.5.1"), ("910B", "26.0.rc1"), ("910_93", "25.2.1"),
    ("910_93", "26.0"), ("310P", "22.0.0"), ("310P", "22.0.4"), ("310P", "25.5.1"), ("310B", "23.0.0"),
    ("950", "25.6.rc1"), ("950", "25.7.rc1.1"),
]  # fmt: skip


def machine(family: str, version: str) -> Machine:
    dies = 2 if family in ("310P", "910_93") else 1
    npus = []
    for index in range(3):
        chips = []
        for chip_id in range(dies):
            phy = index * dies + chip_id
            hbm = None if family.startswith("310") else (1000 + phy, 65536)
            chips.append(Chip(chip_id, phy, phy, f"N{family}", f"0000:C{phy:X}:00.0", power_w=50.0 + phy,
                              memory_mb=(7000 + phy, 9000), hbm_mb=hbm))  # fmt: skip
        npus.append(Npu(npu_id=index * 3 + 1, chips=chips))
    return Machine(family, version, version, npus)


def usage(family: str) -> dict[int, list[Process]]:
    return {0: [Process(4321, "python", 2222, 11)], 2: [Process(99, "vllm", 3333, 12), Process(98, "ray", 1, None)]}


def changed(old: str, new: str, before: str, after: str) -> tuple[int, int]:
    """Where exactly one cell turned from ``before`` to ``after``; fails when anything else did."""
    olds, news = old.splitlines(), new.splitlines()
    assert len(olds) == len(news)
    rows = [i for i, (a, b) in enumerate(zip(olds, news)) if a != b]
    assert len(rows) == 1, rows
    a, b = olds[rows[0]], news[rows[0]]
    width = max(len(before), len(after))
    a, b = a.ljust(len(b)), b.ljust(len(a))  # the last value of a line may be unpadded
    for at in range(len(a)):
        if a[:at] + after.ljust(width) + a[at + width :] == b and a[at : at + width] == before.ljust(width):
            return rows[0], at
    pytest.fail(f"more than one cell changed:\n{a}\n{b}")


# field -> value written, text before and after; None where a layout does not print the field
def mutations(family: str, version: str, chip: Chip) -> list[tuple[str, object, str, str]]:
    found = [
        ("health", "Critical", "OK", "Critical"),
        ("temp_c", 88, str(chip.temp_c), "88"),
        ("aicore_pct", 97, "0", "97"),
        ("power_w", 299.5, f"{chip.power_w:.1f}", "299.5"),
        ("bus_id", "0000:FE:00.0", str(chip.bus_id), "0000:FE:00.0"),
        ("name", "Other", chip.name, "Other"),
        ("memory_mb", (1, 9000), str(chip.memory_mb[0]), "1"),
        ("memory_mb", (chip.memory_mb[0], 12345), "9000", "12345"),
    ]
    if layouts.layout_for(family, version).pages:
        found += [("hugepages", (15, 0), "0", "15"), ("hugepages", (0, 1234), "0", "1234")]
    if chip.hbm_mb is not None:
        found.append(("hbm_mb", (64000, 65536), str(chip.hbm_mb[0]), "64000"))
        found.append(("hbm_mb", (chip.hbm_mb[0], 32768), "65536", "32768"))
    if family == "910_93":
        found.append(("phy_id", 77, str(chip.phy_id), "77"))
    elif family.startswith("310"):
        found.append(("logic_id", 77, str(chip.logic_id), "77"))
    return found


@pytest.mark.parametrize(("family", "version"), KINDS)
def test_a_value_of_a_chip_is_one_cell(family: str, version: str) -> None:
    base = machine(family, version)
    old = render_info.render(base, {})
    places = set()
    for field, value, before, after in mutations(family, version, base.npus[1].chips[0]):
        other = deepcopy(base)
        setattr(other.npus[1].chips[0], field, value)
        places.add(changed(old, render_info.render(other, {}), before, after))
    assert len(places) == len(mutations(family, version, base.npus[1].chips[0])), "two values share a cell"


@pytest.mark.parametrize(("family", "version"), [kind for kind in KINDS if kind[0] != "310B" and kind[1] > "22"])
def test_a_value_of_a_process_is_one_cell(family: str, version: str) -> None:
    base = machine(family, version)
    old = render_info.render(base, usage(family))
    layout = layouts.layout_for(family, version)
    unit = 1024 * 1024 if layout.memory_unit == "B" else 1
    cells = [("pid", 1234567, "99", "1234567"), ("name", "VLLMWorker_TP", "vllm", "VLLMWorker_TP")]
    cells.append(("memory_mb", 45678, str(3333 * unit), str(45678 * unit)))
    if layout.container_pid is not None:
        cells.append(("container_pid", None, "12", "NA"))
    places = set()
    for field, value, before, after in cells:
        other = usage(family)
        setattr(other[2][0], field, value)
        places.add(changed(old, render_info.render(base, other), before, after))
    assert len(places) == len(cells)


@pytest.mark.parametrize("key", ["tool_version", "driver_version"])
@pytest.mark.parametrize(("family", "version"), KINDS)
def test_a_version_is_one_cell(family: str, version: str, key: str) -> None:
    base, other = machine(family, version), machine(family, version)
    base.driver_version = other.driver_version = "20.1"
    setattr(other, key, getattr(base, key) + ".b7")  # the same layout
    row, _at = changed(render_info.render(base, {}), render_info.render(other, {}), getattr(base, key),
                       getattr(base, key) + ".b7")  # fmt: skip
    assert row == 1


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    used=st.integers(0, 65536),
    power=st.floats(0, 999),
    health=st.sampled_from(["OK", "Warning", "Alarm", "Critical", "UNKNOWN"]),
    pid=st.integers(1, 4194304),
    name=st.text("abcXYZ019._-", max_size=15),
)
def test_lines_of_a_table_are_equally_long(kind, used, power, health, pid, name) -> None:
    family, version = kind
    built = machine(family, version)
    chip = built.npus[0].chips[0]
    chip.health, chip.power_w = health, power
    if chip.hbm_mb is not None:
        chip.hbm_mb = (used, 65536)
    text = render_info.render(built, {chip.phy_id: [Process(pid, name, used, pid)]})
    widths = {len(line) for line in text.splitlines()}
    width = layouts.layout_for(family, version).width + 2
    # 950 tables of 25.7: process rows are one short, as published
    assert widths <= ({width, width - 1} if (family, version) == ("950", "25.7.rc1.1") else {width})


@pytest.mark.parametrize(
    ("family", "version", "name", "width"),
    [
        ("910", "21.0.2", "hbm-21", 86), ("310", "21.0.3.1", "ddr-21", 80),
        ("910", "21.0.4", "hbm-old", 93), ("910", "23.0.rc1.b070", "hbm-old", 93), ("910B", "23.0.rc2", "hbm", 98),
        ("910B", "25.5.2", "hbm", 98), ("910B", "26.0.rc1", "hbm-26", 116), ("910_93", "26.1.0", "hbm-26", 116),
        ("310P", "22.0.2", "ddr-old", 94), ("310P", "22.0.4", "ddr-22", 106), ("310P", "23.0.0", "ddr", 106),
        ("310B", "23.0.rc1.b060", "ddr", 106), ("950", "25.6.rc1.b169", "950-25.6", 116), ("950", "26.0", "950", 99),
    ],
)  # fmt: skip
def test_layout_follows_family_and_version(family: str, version: str, name: str, width: int) -> None:
    layout = layouts.layout_for(family, version)
    assert (layout.name, layout.width + 2) == (name, width)


def test_versions_sort() -> None:
    ordered = ["22.0.4.1", "23.0.rc1.b070", "23.0.rc2", "23.0.rc3", "23.0", "23.0.5", "25.5.1", "26.0.rc1"]
    assert sorted(reversed(ordered), key=layouts.version_key) == ordered


def test_tables_seen_elsewhere_come_out_too() -> None:
    """Lines published outside the corpus (a 910B of 22.0.4.1, a 950DT of 25.6.rc1)."""
    old = Machine("910", "22.0.4.1", "22.0.4.1", [
        Npu(0, [Chip(0, 0, 0, "910B", "0000:81:00.0", power_w=79.4, temp_c=82,
                     memory_mb=(1979, 15039), hbm_mb=(0, 32768))])
    ])  # fmt: skip
    assert render_info.render(old, None).splitlines() == [
        "+-------------------------------------------------------------------------------------------+",
        "| npu-smi 22.0.4.1                 Version: 22.0.4.1                                        |",
        "+----------------------+---------------+----------------------------------------------------+",
        "| NPU   Name           | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|",
        "| Chip                 | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |",
        "+======================+===============+====================================================+",
        "| 0     910B           | OK            | 79.4        82                0    / 0             |",
        "| 0                    | 0000:81:00.0  | 0           1979 / 15039      0    / 32768         |",
        "+======================+===============+====================================================+",
    ]
    new = Machine("950", "25.6.rc1.b169", "25.6.rc1.b169", [
        Npu(6, [Chip(0, 6, 6, "Ascend950DT", None, power_w=381.1, temp_c=50, hbm_mb=(66466, 86016))])
    ])  # fmt: skip
    table = render_info.render(new, {6: [Process(3621066, "python", 40000)]}).splitlines()
    version = "25.6.rc1.b169".ljust(40) + " Version: 25.6.rc1.b169"
    head = "| NPU ID | Name             | Health        | "
    assert table[1] == f"| npu-smi {version.ljust(104)} |"
    assert table[3:9] == [
        head + "Power(W)              Temp(C)                  Hugepages-Usage(page) |",
        "|        |                  | Bus-Id        | "
        "NPU Util(%)           Memory-Usage(MB)         HBM-Usage(MB)         |",
        "+========+==================+===============+" + "=" * 70 + "+",
        "| 6      | Ascend950DT      | OK            | "
        "381.1                 50                       0     / 0             |",
        "|        |                  | NA            | "
        "0                     0     / 0                66466 / 86016         |",
        "+===========================+===============+" + "=" * 70 + "+",
    ]
    process = "| NPU ID                    | Process id    | "
    assert table[10] == process + "Process name       | Process memory(MB)    | Process id in container |"
    assert table[12].endswith("| 40000                 | NA                      |")


def test_tables_before_huge_pages() -> None:
    """A 910A of 21.0.2 and a 310 of 21.0.3.1, published outside the corpus."""
    chip = Chip(0, 0, 0, "910A", "0000:3B:00.0", power_w=64.3, temp_c=56, memory_mb=(1809, 15079), hbm_mb=(0, 32768))
    assert render_info.render(Machine("910", "21.0.2", "21.0.2", [Npu(1, [chip])]), None).splitlines() == [
        "+------------------------------------------------------------------------------------+",
        "| npu-smi 21.0.2                   Version: 21.0.2                                   |",
        "+----------------------+---------------+---------------------------------------------+",
        "| NPU   Name           | Health        | Power(W)   Temp(C)                          |",
        "| Chip                 | Bus-Id        | AICore(%)  Memory-Usage(MB)  HBM-Usage(MB)  |",
        "+======================+===============+=============================================+",
        "| 1     910A           | OK            | 64.3       56                               |",
        "| 0                    | 0000:3B:00.0  | 0          1809 / 15079      0    / 32768   |",
        "+======================+===============+=============================================+",
    ]
    chip = Chip(0, 0, 0, "310", None, power_w=12.8, temp_c=58, memory_mb=(5324, 8192))
    assert render_info.render(Machine("310", "21.0.3.1", "21.0.3.1", [Npu(0, [chip])]), None).splitlines() == [
        "+------------------------------------------------------------------------------+",
        "| npu-smi 21.0.3.1                     Version: 21.0.3.1                       |",
        "+-------------------+-----------------+----------------------------------------+",
        "| NPU     Name      | Health          | Power(W)          Temp(C)              |",
        "| Chip    Device    | Bus-Id          | AICore(%)         Memory-Usage(MB)     |",
        "+===================+=================+========================================+",
        "| 0       310       | OK              | 12.8              58                   |",
        "| 0       0         | NA              | 0                 5324 / 8192          |",
        "+===================+=================+========================================+",
    ]


def test_power_of_a_die_without_a_reading() -> None:
    a3 = render_info.render(profiles.build("atlas-800i-a3"), {})
    assert "| 0     Ascend910           | OK            | -           41 " in a3
    duo = render_info.render(profiles.build("atlas-300i-duo-96g"), {})
    assert "| 1536    310P3                 | OK              | NA           51 " in duo


def test_at_most_eight_processes_of_a_chip_are_shown() -> None:
    text = render_info.render(machine("910B", "25.5.1"), {0: [Process(100 + i, "python", 1) for i in range(9)]})
    pids = [line.split("|")[2].strip() for line in text.splitlines() if "python" in line]
    assert pids == [str(100 + i) for i in range(8)]


def test_a_card_with_two_chips_is_idle_as_one() -> None:
    text = render_info.render(profiles.build("atlas-300i-duo-48g"), {})
    assert text.count("No running processes found in NPU 3 ") == 1
    busy = render_info.render(profiles.build("atlas-300i-duo-48g"), {1: [Process(5, "x", 1)]})
    assert "found in NPU 3 " not in busy
    assert "| 3       1                     | 5               | x " in busy


def test_an_absent_npu_is_not_listed() -> None:
    built = profiles.build("atlas-800i-a2-64g")
    built.npus[5].absent = True
    text = render_info.render(built, {})
    assert "| 5     910B4-1" not in text and "in NPU 5 " not in text
    assert "\tTotal Count                    : 7\n" in render_list.render_list(built)
    for npu in built.npus:
        npu.absent = True
    assert render_list.render_mapping(built) == "There is no NPU card on this server.\n"


def test_incomplete_installation_is_said_after_the_table() -> None:
    built = machine("910B", "25.5.1")
    assert render_info.render(built, {}, warn=True) == render_info.render(built, {}) + (
        "[WARNING]The driver package may not be completely installed, which may cause function abnormal. "
        "Please reinstall it.\n"
    )
    assert "[WARNING]" not in render_info.render(machine("310P", "25.5.1"), {}, warn=True)


def test_cards_tell_product_and_serial_number() -> None:
    text = render_list.render_list(profiles.build("atlas-300i-duo-96g"))
    assert "\tNPU ID                         : 1536\n\tProduct Name                   : Atlas 300I Duo\n" in text
    assert "Product Name" not in render_list.render_list(profiles.build("atlas-800i-a2-64g"))
    assert "\tCard Count                     : 3\n" in render_list.render_list(machine("310B", "23.0.0"))


def test_mapping_of_a_950_has_slots_and_no_logic_ids() -> None:
    lines = render_list.render_mapping(machine("950", "25.7.rc1")).splitlines()
    assert lines[0].split("  ")[0] == "\tNPU ID" and "Slot ID" in lines[0] and "Logic" not in lines[0]
    assert lines[2].split() == ["4", "0", "0", "1", "N950"]


@pytest.mark.parametrize("family", ["310", "310P", "910", "910B", "910_93", "950"])
def test_an_id_in_the_mapping_is_one_cell(family: str) -> None:
    base = machine(family, "25.7.rc1")
    base.npus[1].mcu = False  # its id would follow the NPU's
    old = render_list.render_mapping(base)
    chip = base.npus[1].chips[0]
    cells = [("chip_id", str(chip.chip_id))]
    cells += [("logic_id", str(chip.logic_id))] if family != "950" else []
    cells += [("phy_id", str(chip.phy_id))] if family in ("910_93", "950") else []
    for field, before in cells:
        other = deepcopy(base)
        setattr(other.npus[1].chips[0], field, 77)
        changed(old, render_list.render_mapping(other), before, "77")


@pytest.mark.parametrize("family", ["310B", "310P", "910B", "950"])
def test_a_value_of_the_list_is_one_cell(family: str) -> None:
    base = machine(family, "25.7.rc1")
    base.board = "card"
    old = render_list.render_list(base)
    for field, before, after in (
        ("npu_id", "4", "1792"),
        ("product_name", "NA", "Card"),
        ("serial_number", "NA", "S1"),
    ):
        other = deepcopy(base)
        setattr(other.npus[1], field, 1792 if field == "npu_id" else after)
        changed(old, render_list.render_list(other), before, after)

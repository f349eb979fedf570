# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published output of ``npu-smi info``, ``-l`` and ``-m`` is rendered again from typed values.

The values come from the ``expect`` blocks of the corpus index, which were written from the captures by hand;
the text of a capture is only compared with.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from npusim import render_info, render_list
from npusim.model import Chip, Machine, Npu, Process

CORPUS = Path(__file__).resolve().parents[2] / "fixtures" / "corpus"
INDEX = {entry["file"].split("/")[-1]: entry for entry in yaml.safe_load((CORPUS / "index.yaml").read_text("utf-8"))}
INFO = sorted(name for name in INDEX if name.startswith("npu-smi__info__"))

# What publishers did to captures. Everything else must match to the byte.
TRUNCATED = {  # the end is missing
    "npu-smi__info__910B2C__26_0_rc1__issue10363.txt",
    "npu-smi__info__910B3__25_3_rc1__issue10401.txt",
    "npu-smi__info__910B4-1__25_2_0__hami_webui_47.txt",
}
EXCERPTS = {  # single rows, or "..." for what was left out: every line must be printed, in this order
    "npu-smi__info__310B4__23_0_0__rows_alarm.txt",
    "npu-smi__info__910B1__23_0_rc2__elided.txt",
    "npu-smi__info__910C_A3__26_0__rows_warning.txt",
    "npu-smi__info__910__23_0_5__mindcluster_doc_warning.txt",
}
RETYPED = {  # lines that no tool printed: pattern, and why it is not the tool's
    "npu-smi__info__910A__23_0_rc3__mindcluster_doc_procs.txt": (
        r"^\| npu-smi 23\.0\.rc3 |^\| \d     xxx  ",
        "documentation; tool version and chip name replaced by shorter text without adding the blanks back",
    ),
    "npu-smi__info__910__23_0_5__mindcluster_doc_warning.txt": (
        r"\| Warning  ",
        "documentation; Warning typed over OK without taking four blanks away, the line is longer than its table",
    ),
    "npu-smi__info__310P3__22_0_4__hami_vm.txt": (
        r"Power\(W\)",
        "retyped; this header has other gaps than the rows below it",
    ),
    "npu-smi__info__310P3__22_0_0_nospace__modelzoo.txt": (
        r"Version:22|^\+-+[+|]-*",
        "retyped; no blank after Version:, bars for plus signs, the first rule cut into columns",
    ),
}
# Values that a capture shows and its expect block, written for parsers, leaves out.
MORE: dict[str, list[dict]] = {
    "npu-smi__info__310B4__23_0_0__rows_alarm.txt": [{"hugepages": [15, 15], "bus_id": "NA"}],
    "npu-smi__info__910C_A3__26_0__rows_warning.txt": [
        {"name": "Ascend910", "temp_c": 32, "bus_id": "0000:9D:00.0", "hbm_mb": [3101, 65536]},
        {"name": "Ascend910", "temp_c": 32, "bus_id": "0000:9F:00.0", "hbm_mb": [2887, 65536]},
        {"name": "Ascend910", "temp_c": 32, "bus_id": "0000:99:00.0", "hbm_mb": [3101, 65536]},
        {"name": "Ascend910", "temp_c": 32, "bus_id": "0000:9B:00.0", "hbm_mb": [2887, 65536]},
    ],
}


def family_of(model: str, name: str) -> str:
    for family, pattern in (
        ("310B", "310B"), ("310P", "310P"), ("950", "950"), ("910_93", "Ascend910$"), ("910B", "910B"),
    ):  # fmt: skip
        if re.search(pattern, name):
            return family
    return "910_93" if "A3" in model else "910"


def machine_of(entry: dict) -> Machine:
    """The typed values of one capture."""
    expect = entry["expect"]
    more = MORE.get(entry["file"].split("/")[-1], [{}] * len(expect["chips"]))
    npus: list[Npu] = []
    for index, (values, extra) in enumerate(zip(expect["chips"], more)):
        values = {**values, **extra}
        bus_id = values["bus_id"]
        chip = Chip(
            chip_id=values.get("chip_id", 0),
            phy_id=values.get("phy_id", index),
            logic_id=values.get("device_id", index),
            name=values["name"],
            bus_id=None if bus_id == "NA" else bus_id,
            health=values["health"],
            power_w=values["power_w"],
            temp_c=values["temp_c"],
            hugepages=tuple(values.get("hugepages", (0, 0))),
            aicore_pct=values.get("aicore_pct", values.get("npu_util_pct", 0)),
            memory_mb=tuple(values.get("memory_mb", (0, 0))),
            hbm_mb=tuple(values["hbm_mb"]) if "hbm_mb" in values else None,
        )
        if npus and npus[-1].npu_id == values["npu_id"]:
            npus[-1].chips.append(chip)
        else:
            npus.append(Npu(npu_id=values["npu_id"], chips=[chip]))
    version = str(entry["version"])
    return Machine(
        family=family_of(entry["model"], npus[0].chips[0].name),
        tool_version=expect.get("npu_smi_version", version),
        driver_version=expect.get("driver_version", version),
        npus=npus,
        virtual="vNPU vir" in entry["model"] or "to a VM" in entry["model"],
    )


def usage_of(entry: dict, machine: Machine) -> dict[int, list[Process]] | None:
    """Processes by physical id; ``None`` where the capture has no process table."""
    expect = entry["expect"]
    if not expect.get("processes") and not expect.get("no_process_npus"):
        return None
    usage: dict[int, list[Process]] = {}
    for values in expect["processes"]:
        npu = next(n for n in machine.npus if n.npu_id == values["npu_id"])
        chip = next(c for c in npu.chips if c.chip_id == values.get("chip_id", 0))
        inner = int(values["extra"]) if "extra" in values else None
        usage.setdefault(chip.phy_id, []).append(Process(values["pid"], values["name"], values["memory"], inner))
    return usage


def read(name: str) -> str:
    return (CORPUS / "captures" / name).read_text("utf-8")


def published(name: str) -> list[str]:
    """The lines of a capture that are the tool's own."""
    lines = read(name).splitlines()
    if name == "npu-smi__info__310P3__25_5_1__hami_container_noise.txt":
        lines = lines[5:]  # log of a preloaded library
    if name == "npu-smi__info__310B4__23_0_0__nputop_alarm.txt":
        assert all(line.endswith(" ") for line in lines)
        lines = [line[:-1] for line in lines]  # the test it was published in adds one blank to every line
    # "..." stands for rows and the rule below them
    return [line for i, line in enumerate(lines) if line != "..." and (i == 0 or lines[i - 1] != "...")]


def rendered(name: str) -> list[str]:
    machine = machine_of(INDEX[name])
    usage = usage_of(INDEX[name], machine)
    if name == "npu-smi__info__910B2C__26_0_rc1__issue10363.txt":
        usage = {}  # cut off just below the header of its process table
    return render_info.render(machine, usage).splitlines()


@pytest.mark.parametrize("name", INFO)
def test_info_is_reproduced(name: str) -> None:
    want, got = published(name), rendered(name)
    pattern = RETYPED.get(name, ("(?!)", ""))[0]
    if name in EXCERPTS:
        rest = iter(got)
        missing = [line for line in want if not re.search(pattern, line) and line not in rest]
        assert missing == []
        return
    if name in TRUNCATED:
        got = got[: len(want)]
    assert len(got) == len(want)
    differing = [(w, g) for w, g in zip(want, got) if w != g]
    assert [pair for pair in differing if not re.search(pattern, pair[0])] == []
    if name in RETYPED:
        assert differing, "the capture is reproduced: take it out of RETYPED"


def test_every_exception_is_a_capture() -> None:
    assert set(INFO) >= TRUNCATED | EXCERPTS | set(RETYPED) | set(MORE)


# --- -l and -m


def mapping(name: str, family: str) -> list[str]:
    npus: dict[int, Npu] = {}
    for row in INDEX[name]["expect"]["rows"]:
        npu = npus.setdefault(row["NPU ID"], Npu(npu_id=row["NPU ID"], chips=[], mcu=False))
        if row["Chip Name"] == "Mcu":
            npu.mcu = True
        else:
            chip_name = row["Chip Name"].replace("Ascend ", "")
            npu.chips.append(Chip(row["Chip ID"], row.get("Chip Phy-ID", 0), row["Chip Logic ID"], chip_name, None))
    return render_list.render_mapping(Machine(family, "25.5.1", "25.5.1", list(npus.values()))).splitlines()


def test_mapping_910a() -> None:
    name = "npu-smi__info_m__910A__25_0_rc1_b002__1.txt"
    assert mapping(name, "910") == read(name).splitlines()


@pytest.mark.parametrize(
    ("name", "family", "undo"),
    [
        # blanks at line ends taken away
        ("npu-smi__info_m__910A__23_0_5__1.txt", "910", lambda line: line.rstrip()),
        # TAB and blanks at line ends taken away
        ("npu-smi__info_m__910B__gpustack.txt", "910B", lambda line: line.strip()),
        # TAB turned into eight blanks
        ("npu-smi__info_m__910B4__25_0_rc1_1__jekyll.txt", "910B", lambda line: line.expandtabs(8)),
        # TAB turned into four blanks, blanks at line ends taken away
        ("npu-smi__info_m__910C_A3__xllm.txt", "910_93", lambda line: line.expandtabs(4).rstrip()),
    ],
)
def test_mapping_after_the_publishers_edits(name: str, family: str, undo) -> None:
    assert [undo(line) for line in mapping(name, family)] == read(name).splitlines()


def test_list_of_a_server() -> None:
    name = "npu-smi__info_l__910B4__25_0_rc1_1__jekyll.txt"
    expect = INDEX[name]["expect"]
    npus = [Npu(n["npu_id"], [Chip(c, 0, 0, "910B4", None) for c in range(n["chip_count"])]) for n in expect["npus"]]
    text = render_list.render_list(Machine("910B", "25.0.rc1.1", "25.0.rc1.1", npus))
    assert len(npus) == expect["total_count"]
    # the publisher turned TABs into eight blanks and dropped the last, empty line
    assert text.expandtabs(8) == read(name) + "\n"


def test_list_of_a_950_card() -> None:
    name = "npu-smi__info_l__950__doc.txt"
    npus = [
        Npu(n["npu_id"], [Chip(0, 0, 0, "Ascend950PR", None)], product_name=n["product_name"],
            serial_number=n["serial_number"])
        for n in INDEX[name]["expect"]["npus"]
    ]  # fmt: skip
    text = render_list.render_list(Machine("950", "25.7.rc1", "25.7.rc1", npus, board="card"))
    # the documentation leaves out TABs and the last, empty line
    assert text.replace("\t", "") == read(name) + "\n"

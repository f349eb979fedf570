# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published output of the vNPU commands is printed again, from a machine with these values.

Templates, capacities and ids are the emulator's own: only what a publisher chose to make (which slices, on which
chip) is taken from the corpus index.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
import yaml

from npusim import cli_npu_smi, render_info, state
from npusim.model import Chip, Machine, Npu, Vnpu

CORPUS = Path(__file__).resolve().parents[2] / "fixtures" / "corpus"
INDEX = {entry["file"].split("/")[-1]: entry for entry in yaml.safe_load((CORPUS / "index.yaml").read_text("utf-8"))}
SUBJECTS = ("create-vnpu", "destroy-vnpu", "info-vnpu", "template-info", "vnpu-mode", "vnpu-cfg-recover")
NAMES = sorted(name for name in INDEX if name.startswith(tuple(f"npu-smi__{subject}__" for subject in SUBJECTS)))


def same(text: str) -> str:
    return text


def squeezed(text: str) -> str:
    """Words only: blanks, TABs and line ends are the publisher's."""
    return " ".join(text.split())


def cells(text: str) -> str:
    """Cells of the rows that have any, without borders and with single blanks."""
    return "\n".join(
        row for row in (" ".join(line.strip("|").split()) for line in text.splitlines()) if not set(row) <= set("+-=|")
    )


# What publishers did to captures; the same is done to the printed text. Everything else must match to the byte.
EDITED: dict[str, tuple[Callable[[str], str], str]] = {
    "npu-smi__create-vnpu__mindcluster_doc_oneline.txt": (squeezed, "documentation; both lines typed into one"),
    "npu-smi__destroy-vnpu__910B4__ok.txt": (
        lambda text: text.replace("\t", "  "), "TAB turned into two blanks",
    ),
    "npu-smi__destroy-vnpu__mindcluster_doc.txt": (
        lambda text: "".join(f"       {squeezed(line)}\n" for line in text.splitlines()), "documentation; retyped",
    ),
    "npu-smi__vnpu-cfg-recover__get_enable.txt": (
        lambda text: squeezed(text) + "\n", "documentation; TAB and padding left out",
    ),
    "npu-smi__vnpu-cfg-recover__set_ok.txt": (
        lambda text: text.replace("\t", "    "), "TAB turned into four blanks",
    ),
    "npu-smi__vnpu-mode__910B4__docker.txt": (
        lambda text: text.replace("\t", "    "), "TAB turned into four blanks",
    ),
    "npu-smi__vnpu-mode__mindcluster_doc.txt": (
        lambda text: "{:22} : {}\n".format(*(part.strip() for part in text.split(" : "))),
        "documentation; TAB left out, eight blanks of padding taken away",
    ),
    "npu-smi__info-vnpu__310P3__22_0_4__three_in_use.txt": (
        lambda text: "".join(text.splitlines(keepends=True)[8:]), "published without the resource table",
    ),
    "npu-smi__info-vnpu__310P3_300IDuo__edited_borders.txt": (
        lambda text: "\n".join(cells(text).splitlines()[1:]), "title, rules and left borders taken away",
    ),
}  # fmt: skip


def read(name: str) -> str:
    return (CORPUS / "captures" / name).read_text("utf-8")


def machine_of(name: str) -> tuple[Machine, list[str]]:
    """The machine before the command of a capture, and that command."""
    entry = INDEX[name]
    args = entry["command"].split()[1:]
    options = dict(zip(args[1::2], args[2::2]))
    model = entry["model"]
    family = "310P" if "310P" in model or "300I Duo" in model else "910B"
    if family == "310P" and "910/" not in model:
        phy = {"5": 7, "7": 0}[options.get("-i", "7")]  # card 5 chip 1 is phy 7; a lone NPU 7 is phy 0
        chip = Chip(int(options.get("-c", 0)), phy, 0, "310P3", None, memory_mb=(0, 43693 if "Duo" in model else 21527))
    elif "910/" in model:  # documentation of 910 and 310P
        family = "910"
        chip = Chip(0, 0, 0, "910A", None, hbm_mb=(0, 32768))
    else:
        total = 65536 if "910B4-1" in model else 32768
        chip = Chip(0, int(options.get("-i", 0)), 0, "910B4", None, hbm_mb=(0, total))
    version = entry["version"].split(" ")[0]
    version = version if version[0].isdigit() else "24.1"
    if version == "24.x":
        version = "24.1"
    machine = Machine(family, version, version, [Npu(int(options.get("-i", chip.phy_id)), [chip])])
    if "destroy-vnpu" in name:
        chip.vnpus = [Vnpu(int(options["-v"]), "vir02" if family == "910" else "vir10_3c_16g", 0)]
    for values in entry["expect"].get("vnpus", []):
        chip.vnpus.append(
            Vnpu(values["vnpu_id"], values["template"], values["vgroup_id"], held=values["status"] == 1)
        )  # fmt: skip
    return machine, args


@pytest.mark.parametrize("name", NAMES)
def test_capture_is_printed_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    machine, args = machine_of(name)
    state.save(machine)
    assert cli_npu_smi.main(args) == 0
    printed = capfd.readouterr().out
    edit = EDITED.get(name, (same, ""))[0]
    want = read(name)
    if edit is squeezed:
        want = squeezed(want)
    elif name == "npu-smi__info-vnpu__310P3_300IDuo__edited_borders.txt":
        want = cells(want)
    assert edit(printed) == want
    assert (printed != read(name)) == (name in EDITED), "the capture is printed as it is: take it out of EDITED"


def test_every_edit_is_of_a_capture() -> None:
    assert set(EDITED) <= set(NAMES)
    assert len(NAMES) == 16


def test_what_a_container_on_a_slice_prints() -> None:
    """The slice of a virtual machine's only chip, as it is in the published container."""
    from npusim import vnpu

    name = "npu-smi__info__310P3__22_0_4__in_vnpu_container.txt"
    chip = Chip(0, 0, 0, "310P3", "0000:00:07.0", temp_c=28, memory_mb=(1992, 21527), vnpus=[Vnpu(100, "vir01", 0)])
    machine = Machine("310P", "22.0.4", "22.0.4", [Npu(7, [chip])])
    machine.npus[0].chips = [vnpu.as_chip(machine, chip, chip.vnpus[0])]
    machine.virtual = True
    text = render_info.render(machine, {})
    # 249 MB used were measured there; the emulator takes a share of the chip's idle memory, here 248
    assert text.replace("248  / 2690", "249  / 2690") == read(name)
    assert "248  / 2690" in text

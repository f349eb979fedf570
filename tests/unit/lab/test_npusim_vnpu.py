# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting chips with ``npu-smi``: texts, exit status, capacity, ids, files and device nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from npusim import cli_npu_smi, processes, profiles, state, vnpu, vnpu_cfg, vnpu_types

LAB = Path(__file__).resolve().parents[2] / "lab"
OK = 0
CREATED = (OK, f"\t{'Status':30} : OK\n\t{'Message':30} : Create vnpu success\n")
# Opens what it is told and stays until its input ends.
HOLDER = "import sys; held = [open(path) for path in sys.argv[1:]]; print('ready', flush=True); sys.stdin.read()"


class Tool:
    """npu-smi on one standalone machine."""

    def __init__(self, directory: Path, capfd: pytest.CaptureFixture) -> None:
        self.directory, self.capfd = directory, capfd

    def __call__(self, line: str) -> tuple[int, str]:
        status = cli_npu_smi.main(line.split())
        out, err = self.capfd.readouterr()
        assert err == ""
        return status, out

    def create(self, npu: int, template: str, chip: int = 0, more: str = "") -> tuple[int, str]:
        return self(f"set -t create-vnpu -i {npu} -c {chip} -f {template} {more}")

    def destroy(self, npu: int, number: int, chip: int = 0) -> tuple[int, str]:
        return self(f"set -t destroy-vnpu -i {npu} -c {chip} -v {number}")

    def table(self, npu: int, chip: int = 0) -> tuple[list[str], list[tuple[int, int, str, str, str]]]:
        """Resources and vNPUs (id, group, container, status, template) of a chip."""
        status, out = self(f"info -t info-vnpu -i {npu} -c {chip}")
        assert status == OK
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines()]
        found = [(int(r[0]), int(r[1]), r[2], r[3], r[4]) for r in rows if len(r) == 5 and r[0].isdigit()]
        assert f"Total number of vnpu: {len(found)} " in out
        return out.splitlines()[6].strip("| ").split(), found

    def nodes(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "dev").glob("vdavinci*"))


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    """Makes the machine of a profile and returns its npu-smi."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    (tmp_path / "dev").mkdir()

    def make(profile: str = "atlas-800i-a2-64g") -> Tool:
        state.save(profiles.build(profile))
        return Tool(tmp_path, capfd)

    return make


def test_two_slices_fill_a_chip_and_a_third_is_refused(tool) -> None:
    smi = tool()
    assert smi.table(6) == (["20/20", "60/64", "6/6", "9/9", "0/0", "2/2", "24/24", "4/4", "NA/NA"], [])
    assert smi.create(6, "vir10_3c_32g") == CREATED
    # SR-IOV adds an AI CPU as soon as there is a vNPU
    assert smi.table(6)[0] == ["10/20", "30/64", "4/7", "5/9", "0/0", "1/2", "12/24", "2/4", "NA/NA"]
    assert smi.create(6, "vir10_3c_32g") == CREATED
    free, rows = smi.table(6)
    assert free == ["0/20", "0/64", "1/7", "1/9", "0/0", "0/2", "0/24", "0/4", "NA/NA"]
    assert rows == [(196, 0, "0" * 12, "0", "vir10_3c_32g"), (197, 1, "0" * 12, "0", "vir10_3c_32g")]
    assert smi.create(6, "vir05_1c_16g") == (
        217,
        "Insufficient number of cores available, unallocated cores number:0.000000.\n",
    )
    assert smi.nodes() == ["vdavinci196", "vdavinci197"]
    assert smi.table(5)[1] == []


def test_destroy_frees_and_the_id_is_given_again(tool) -> None:
    smi = tool()
    for _turn in range(3):
        assert smi.create(1, "vir05_1c_16g") == CREATED
    assert smi.destroy(1, 117) == (OK, f"\t{'Status':30} : OK\n\t{'Message':30} : Destroy vnpu 117 success\n")
    assert [row[0] for row in smi.table(1)[1]] == [116, 118]
    assert smi.nodes() == ["vdavinci116", "vdavinci118"]
    assert smi.create(1, "vir10_3c_32g") == CREATED
    assert [(row[0], row[1], row[4]) for row in smi.table(1)[1]][1] == (117, 1, "vir10_3c_32g")
    for number in (116, 117, 118):
        assert smi.destroy(1, number)[0] == OK
    assert smi.table(1)[0][:3] == ["20/20", "60/64", "6/6"]
    status, out = smi.destroy(1, 116)
    assert (status, out.splitlines()[0]) == (215, "Error parameter of -v.")
    assert smi.nodes() == []


def test_an_id_can_be_chosen(tool) -> None:
    smi = tool()
    assert smi.create(2, "vir05_1c_16g", more="-v 147") == CREATED
    assert smi.create(2, "vir05_1c_16g", more="-v 4294967295") == CREATED
    assert [row[0] for row in smi.table(2)[1]] == [132, 147]
    for number in (147, 148, 100):  # taken, beyond the chip's sixteen, another chip's
        status, out = smi.create(2, "vir05_1c_16g", more=f"-v {number}")
        assert (status, out.splitlines()[0]) == (215, "create vnpu failed.")
    assert len(smi.table(2)[1]) == 2


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("atlas-800i-a2-64g", "vir10_3c_32g vir05_1c_16g"),
        ("atlas-300i-a2-64g", "vir10_3c_32g vir05_1c_16g"),
        ("atlas-800i-a2-32g", "vir10_3c_16g vir10_4c_16g_m vir10_3c_16g_nm vir05_1c_8g"),
        ("atlas-300i-a2-32g", "vir10_3c_16g vir10_4c_16g_m vir10_3c_16g_nm vir05_1c_8g"),
        ("atlas-800t-a2", "vir12_3c_32g vir06_1c_16g"),
        ("atlas-300i-duo-48g", "vir01 vir02 vir02_1c vir04 vir04_3c vir04_3c_ndvpp vir04_4c_dvpp"),
        ("atlas-300i-duo-96g", "vir01 vir02 vir02_1c vir04 vir04_3c vir04_3c_ndvpp vir04_4c_dvpp"),
    ],
)
def test_templates_by_machine(tool, profile: str, names: str) -> None:
    smi = tool(profile)
    status, out = smi("info -t template-info")
    assert status == OK
    assert [line.split()[0].strip("|") for line in out.splitlines() if line.startswith("|vir")] == names.split()
    npu = profiles.build(profile).npus[-1].npu_id
    assert smi(f"info -t template-info -i {npu}") == (OK, out)


def test_media_units_limit_a2(tool) -> None:
    smi = tool("atlas-800i-a2-32g")
    assert smi.create(0, "vir10_4c_16g_m") == CREATED
    assert smi.create(0, "vir10_3c_16g") == (
        217,
        "Insufficient number of DVPP available, unallocated DVPP number:\n"
        "VPC:0.000000, VENC:0.000000, VDEC:0.000000, JPEGD:0.000000, JPEGE:0.000000.\n",
    )
    assert smi.create(0, "vir10_3c_16g_nm") == CREATED
    assert smi.table(0)[0] == ["0/20", "0/32", "0/7", "0/9", "0/0", "0/2", "0/24", "0/4", "NA/NA"]


def test_ai_cpus_limit_310p(tool) -> None:
    smi = tool("atlas-300i-duo-96g")
    assert smi.create(1792, "vir04", chip=1) == CREATED
    free, rows = smi.table(1792, chip=1)
    assert (free[0], free[1], free[2]) == ("4/8", "21/42", "3/7")
    assert rows == [(148, 0, "0" * 12, "0", "vir04")]
    assert smi.create(1792, "vir04", chip=1) == (
        217,
        "Insufficient number of AICPU available, unallocated AICPU number:3.\n",
    )
    assert smi.create(1792, "vir04_3c", chip=1) == CREATED
    assert smi.table(1792, chip=0)[1] == []


def test_vgroups_of_310p(tool) -> None:
    smi = tool("atlas-300i-duo-48g")
    for template in ("vir01", "vir02", "vir01", "vir01"):
        assert smi.create(3, template) == CREATED
    assert [(row[1], row[4]) for row in smi.table(3)[1]] == [(0, "vir01"), (1, "vir02"), (0, "vir01"), (2, "vir01")]
    assert smi.create(3, "vir01", more="-g 1")[1].startswith("create vnpu failed.")  # held by a vir02
    assert smi.create(3, "vir01", more="-g 3") == CREATED
    status, out = smi.create(3, "vir01", more="-g 4")
    assert (status, out.splitlines()[0]) == (215, "Error parameter of -g")
    assert tool().create(0, "vir05_1c_16g", more="-g 0") == (
        OK,
        "This device does not support setting create-vnpu with -g.\n",
    )


# The fifteen official sets for 310P, and the ones that only the arithmetic allows.
SETS_310P = [
    "vir04 vir04_3c", "vir04 vir02 vir02_1c", "vir04 vir02_1c vir01 vir01", "vir04_3c vir02 vir02",
    "vir04_3c vir02 vir01 vir01", "vir04_3c vir01 vir01 vir01 vir01", "vir02 vir02 vir02 vir02_1c",
    "vir02 vir02 vir02_1c vir01 vir01", "vir02 vir02_1c vir01 vir01 vir01 vir01",
    "vir02_1c vir01 vir01 vir01 vir01 vir01 vir01", "vir04_4c_dvpp vir04_3c_ndvpp", "vir04 vir04_3c_ndvpp",
    "vir04_3c_ndvpp vir02 vir02", "vir04_3c_ndvpp vir02 vir01 vir01", "vir04_3c_ndvpp vir01 vir01 vir01 vir01",
]  # fmt: skip
MORE_310P = ["vir01 vir01 vir01 vir01 vir01 vir01 vir01", "vir02_1c vir02_1c vir02_1c vir02_1c", "vir04_3c vir04_3c"]


@pytest.mark.parametrize("templates", SETS_310P + MORE_310P)
@pytest.mark.parametrize("backwards", [False, True])
def test_sets_of_310p(tool, templates: str, backwards: bool) -> None:
    smi = tool("atlas-300i-duo-48g")
    names = sorted(templates.split(), reverse=backwards)
    assert [smi.create(6, name) for name in names] == [CREATED] * len(names)
    free, rows = smi.table(6)
    assert [row[4] for row in rows] == names
    assert {row[0] for row in rows} <= set(range(132, 140))
    if templates in SETS_310P:
        assert (free[0], free[2]) == ("0/8", "0/7")  # what makes a set official: nothing is left over


@pytest.mark.parametrize("kind", ["template-info", "info-vnpu -i 0 -c 0", "vnpu-mode", "vnpu-cfg-recover"])
def test_a3_has_none_of_it(tool, kind: str) -> None:
    smi = tool("atlas-800i-a3")
    assert smi(f"info -t {kind}") == (OK, f"This device does not support querying {kind.split()[0]}.\n")
    assert smi.create(0, "vir10_3c_32g") == (OK, "This device does not support setting create-vnpu.\n")
    assert smi.destroy(0, 100) == (OK, "This device does not support setting destroy-vnpu.\n")
    assert smi("set -t vnpu-mode -d 0") == (217, "This device does not support setting vnpu-mode.\n")


@pytest.mark.parametrize(
    ("line", "status", "first"),
    [
        ("set", 199, ""),
        ("set -t create-vnpu -i 9 -c 0 -f vir05_1c_16g", 215, "Invalid card id."),
        ("set -t create-vnpu -i 0 -c 1 -f vir05_1c_16g", 215, "Invalid chip id."),
        ("set -t create-vnpu -i 0 -c 0 -f vir04", 215, "Error parameter of -f"),
        ("set -t create-vnpu -i 0 -c 0", 215, "Must input parameter of -f."),
        ("set -t create-vnpu -i 0 -f vir05_1c_16g", 215, "This command must input card id and chip id."),
        ("set -t create-vnpu -i 0 -c 0 -f vir05_1c_16g -v x", 215, "Error parameter of -v"),
        ("set -t destroy-vnpu -i 0 -c 0 -v 100", 215, "Error parameter of -v."),
        ("set -t vnpu-mode", 215, "Must input parameter of -d."),
        ("set -t vnpu-mode -d 2", 215, "Error parameter of -d"),
        ("set -t vnpu-cfg-recover", 215, "Must input parameter of -d."),
        ("set -t reset -i 0 -c 0", 0, "This device does not support setting reset."),
        ("info -t info-vnpu -i 0", 215, "Must input parameter of chip id."),
        ("info -t info-vnpu -i 0 -c 3", 215, "Invalid chip id."),
    ],
)
def test_wrong_calls_change_nothing(tool, line: str, status: int, first: str) -> None:
    smi = tool()
    before = state.load()
    got, out = smi(line)
    assert (got, out.splitlines()[0]) == (status, first)
    assert state.load() == before


def test_not_in_docker_mode_is_status_0_without_effect(tool) -> None:
    smi = tool()
    assert smi("info -t vnpu-mode") == (OK, f"\t{'vnpu-mode':30} : docker\n")
    assert smi("set -t vnpu-mode -d 1") == (
        OK, f"\t{'Status':30} : OK\n\t{'Message':30} : Set vnpu vm mode success\n",
    )  # fmt: skip
    assert smi("info -t vnpu-mode") == (OK, f"\t{'vnpu-mode':30} : VM\n")
    text = "The vnpu is not in docker mode, does not support {}.\n"
    assert smi.create(0, "vir10_3c_32g") == (OK, text.format("setting create-vnpu"))
    assert smi.destroy(0, 100) == (OK, text.format("setting destroy-vnpu"))
    assert smi("info -t info-vnpu -i 0 -c 0") == (OK, text.format("querying info-vnpu"))
    assert smi("set -t vnpu-mode -d 0")[1].endswith("Set vnpu docker mode success\n")
    assert smi.create(0, "vir10_3c_32g") == CREATED
    status, out = smi("set -t vnpu-mode -d 1")
    assert status == 196
    assert out.splitlines()[0] == f"\t{'Status':30} : Fail"
    assert smi("info -t vnpu-mode")[1].endswith("docker\n")


def hold(*paths: str) -> subprocess.Popen:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True
    )
    assert holder.stdout.readline() == "ready\n"
    return holder


def test_a_process_keeps_a_whole_chip_whole(tool, tmp_path: Path) -> None:
    smi = tool()
    (tmp_path / "dev" / "davinci3").touch()
    holder = hold(state.device_path(3))
    try:
        assert smi.create(3, "vir10_3c_32g") == (196, "create vnpu failed.\n")
        assert smi.create(2, "vir10_3c_32g") == CREATED
    finally:
        holder.communicate()
    assert (smi.table(3)[1], smi.nodes()) == ([], ["vdavinci132"])
    assert smi.create(3, "vir10_3c_32g") == CREATED


@pytest.mark.parametrize("name", ["vdavinci100", "davinci100"])  # on the host, and as containers see it
def test_a_slice_in_use_shows_and_stays(tool, tmp_path: Path, name: str) -> None:
    smi = tool()
    assert [smi.create(0, "vir10_3c_32g") for _turn in range(2)] == [CREATED] * 2
    (tmp_path / "dev" / name).touch()
    holder = hold(os.path.join(state.device_dir(), name))
    try:
        assert smi.table(0)[1] == [(100, 0, "f" * 12, "1", "vir10_3c_32g"), (101, 1, "0" * 12, "0", "vir10_3c_32g")]
        status, out = smi.destroy(0, 100)
        assert (status, out.splitlines()[0]) == (215, "destroy vnpu 100 failed.")
        assert smi.destroy(0, 101)[0] == OK
        assert smi.create(0, "vir05_1c_16g") == CREATED  # only a whole chip is refused
        # the host's table counts the process to the chip
        assert f"| {holder.pid} " in smi("info")[1]
        assert processes.by_chip(state.load(), processes.scan())[0][0].pid == holder.pid
    finally:
        holder.communicate()
    assert smi.destroy(0, 100)[0] == OK


def test_the_file_names_what_the_next_boot_makes(tool, tmp_path: Path) -> None:
    smi = tool("atlas-300i-duo-96g")
    smi.create(1536, "vir02", chip=1)
    smi.create(1536, "vir04")
    smi.create(1536, "vir01", more="-v 105")
    path = tmp_path / "vnpu.cfg"
    assert path.read_text("utf-8").splitlines() == [
        "vnpu_config_recover:enable",
        "[vnpu-config start]",
        "0:100:npu-smi set -t create-vnpu -i 1536 -c 0 -f vir04 -v 100 -g 0",
        "0:105:npu-smi set -t create-vnpu -i 1536 -c 0 -f vir01 -v 105 -g 1",
        "1:116:npu-smi set -t create-vnpu -i 1536 -c 1 -f vir02 -v 116 -g 0",
        "[vnpu-config end]",
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    smi.destroy(1536, 100)
    assert [entry.vnpu_id for entry in vnpu_cfg.read()[1]] == [105, 116]
    with state.changing() as machine:
        log = vnpu.power_on(machine)
    assert [row[0] for row in smi.table(1536)[1]] == [105]
    assert smi.table(1536, chip=1)[1] == [(116, 0, "0" * 12, "0", "vir02")]
    assert log[0] == "0 times cmd npu-smi set -t create-vnpu -i 1536 -c 0 -f vir01 -v 105 -g 1 exec result is 0"


def test_without_recovery_a_boot_leaves_nothing(tool) -> None:
    smi = tool()
    smi.create(0, "vir10_3c_32g")
    assert smi("info -t vnpu-cfg-recover") == (OK, f"\t{'VNPU config recover mode':30} : Enable\n")
    assert smi("set -t vnpu-cfg-recover -d 0") == (
        OK,
        f"\t{'Status':30} : OK\n\t{'Message':30} : The VNPU config recover mode Disable is set successfully.\n",
    )
    assert smi("info -t vnpu-cfg-recover")[1].endswith(": Disable\n")
    smi.create(0, "vir10_3c_32g")
    assert vnpu_cfg.read() == (False, [])
    with state.changing() as machine:
        vnpu.power_on(machine)
    assert smi.table(0)[1] == []
    assert smi("set -t vnpu-cfg-recover -d 1")[0] == OK
    smi.create(0, "vir10_3c_32g")
    assert [entry.vnpu_id for entry in vnpu_cfg.read()[1]] == [100]


def test_template_memory_fits_every_profile(tool) -> None:
    """A chip holds as many of its smallest slices as the cores allow, and their memory is there."""
    for name in profiles.PROFILES:
        machine = profiles.build(name)
        if machine.family not in vnpu_types.SPLIT_FAMILIES:
            continue
        for chip in machine.npus[0].chips:
            for template in vnpu_types.templates(machine, chip):
                count = vnpu_types.capacity(machine, chip).aicore // template.aicore
                assert vnpu_types.slice_mb(machine, chip, template) * count <= vnpu_types.memory_mb(chip)

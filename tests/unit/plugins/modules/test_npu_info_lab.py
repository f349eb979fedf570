# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""npu_info against the lab's emulator: every machine it knows, and what happens to NPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _npu_model
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi
from ansible_collections.npuops.ascend.plugins.modules import npu_info
from npusim import profiles, state

LAB = Path(__file__).parents[4] / "tests" / "lab"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make the state of a profile, and a program npu-smi that shows it. Answers a function that runs npusim."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    # Its users are looked for in /proc: a lab that runs on this host must not be seen.
    monkeypatch.setenv("NPUSIM_DEV", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(LAB))
    tool = tmp_path / "npu-smi"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m npusim npu-smi "$@"\n')
    tool.chmod(0o755)

    def npusim(*arguments: str):
        subprocess.run([sys.executable, "-m", "npusim", *arguments], check=True)
        present = (chip for npu in state.load(str(tmp_path)).npus if not npu.absent for chip in npu.chips)
        monkeypatch.setattr(npu_info, "device_nodes", lambda found=frozenset(c.phy_id for c in present): found)
        return state.load(str(tmp_path))

    return npusim


@pytest.fixture
def read(tmp_path, call_module):
    def run(**arguments) -> dict:
        return call_module(npu_info, npu_smi=str(tmp_path / "npu-smi"), **arguments)

    return run


@pytest.mark.parametrize("profile", sorted(profiles.PROFILES))
def test_every_machine(machine, read, profile):
    truth = machine("new", profile)
    result = read()
    assert "failed" not in result
    chips = [(npu, chip) for npu in truth.npus for chip in npu.chips]
    assert len(result["chips"]) == len(chips)
    for found, (npu, chip) in zip(result["chips"], chips):
        assert (found["npu_id"], found["chip_id"], found["phy_id"]) == (npu.npu_id, chip.chip_id, chip.phy_id)
        assert (found["name"], found["health"], found["temp_c"]) == (chip.name, chip.health, chip.temp_c)
        # Every product of the lab has an image but the first generation, for which none is published.
        assert (_npu_model.image_suffix(found["name"]) is None) == (_npu_model.family(found["name"]).name == "910")
        if chip.hbm_mb:
            assert found["hbm_mb"] == list(chip.hbm_mb)
            assert found["hbm_mb"][0] <= _npu_model.idle_hbm_mb(found["name"])
        else:
            assert found["hbm_mb"] is None
            assert found["memory_mb"] == list(chip.memory_mb)
    assert result["driver_version"] == truth.driver_version
    assert result["no_process_npus"] == [npu.npu_id for npu in truth.npus]
    assert result["processes"] == []
    assert sorted(chip["logic_id"] for chip in result["chips"]) == list(range(len(chips)))


ALL = ["chips", "processes", "mapping", "boards", "firmware", "vnpus", "templates", "health", "topology"]


@pytest.mark.parametrize("profile", sorted(profiles.PROFILES))
def test_everything_of_every_machine(machine, read, profile):
    truth = machine("new", profile)
    result = read(gather=ALL)
    assert "failed" not in result, result.get("msg")
    chips = [(npu.npu_id, chip.phy_id) for npu in truth.npus for chip in npu.chips]
    assert [(row["npu_id"], row["phy_id"]) for row in result["health"]] == chips
    assert [(row["npu_id"], row["phy_id"]) for row in result["vnpus"]] == chips
    assert {row["health"] for row in result["health"]} == {"OK"}
    assert [board["npu_id"] for board in result["boards"]] == [npu.npu_id for npu in truth.npus]
    assert [board["chip_count"] for board in result["boards"]] == [len(npu.chips) for npu in truth.npus]
    assert result["firmware_version"] == truth.firmware_version
    refused = {row["subset"] for row in result["not_supported"]}
    assert refused <= {"vnpus", "templates", "topology"}
    assert ("vnpus" in refused) == (not any(row["supported"] for row in result["vnpus"]))
    assert ("templates" in refused) == (result["templates"] == [])
    assert ("topology" in refused) == (result["topology"] is None)
    if result["topology"]:
        assert len(result["topology"]["npus"]) == len(chips)
    for row in result["vnpus"]:
        assert row["vnpus"] == []
        assert all(free <= total for free, total in row["resources"].values() if total is not None)


def test_fault_codes(machine, read, tmp_path):
    machine("new", "atlas-800i-a2-64g")
    with state.changing(str(tmp_path)) as changed:
        chip = changed.npus[2].chips[0]
        chip.health, chip.error_codes = "Alarm", ["A4025021", "8C03A000"]
    rows = {row["phy_id"]: row for row in read(gather=["health"])["health"]}
    assert [phy for phy, row in rows.items() if row["health"] != "OK"] == [2]
    assert rows[2]["error_codes"] == ["A4025021", "8C03A000"]
    assert rows[3]["error_codes"] == rows[3]["error_information"] == []


def test_slices_are_seen(machine, read, tmp_path):
    machine("new", "atlas-800i-a2-64g")
    smi = NpuSmi(str(tmp_path / "npu-smi"))
    names = {template["name"] for template in read(gather=["templates"])["templates"]}
    assert {"vir10_3c_32g", "vir05_1c_16g"} <= names
    assert (smi.vnpu_mode(), smi.cfg_recover()) == ("docker", True)
    for template in ("vir10_3c_32g", "vir05_1c_16g"):
        created = smi.create_vnpu(6, 0, template)
        assert (created.ok, created.message) == (True, "Create vnpu success")

    result = read(gather=["vnpus"])
    assert [row["npu_id"] for row in result["vnpus"] if row["vnpus"]] == [6]
    split = result["vnpus"][6]
    assert [(vnpu["vnpu_id"], vnpu["template"], vnpu["in_use"]) for vnpu in split["vnpus"]] == [
        (196, "vir10_3c_32g", False),
        (197, "vir05_1c_16g", False),
    ]
    assert split["resources"]["aicore"] == [5, 20]
    assert split["resources"]["aicpu"][1] == 7

    assert smi.destroy_vnpu(6, 0, 196).message == "Destroy vnpu 196 success"
    assert [vnpu["vnpu_id"] for vnpu in read(gather=["vnpus"])["vnpus"][6]["vnpus"]] == [197]


def test_refusals_that_end_with_exit_status_0(machine, read, tmp_path):
    machine("new", "atlas-800i-a2-64g")
    smi = NpuSmi(str(tmp_path / "npu-smi"))
    assert smi.set_cfg_recover(False).ok and smi.cfg_recover() is False
    assert smi.set_vnpu_mode(docker=False).ok and smi.vnpu_mode() == "vm"
    refused = smi.create_vnpu(6, 0, "vir10_3c_32g")
    assert (refused.ok, refused.status, refused.command.rc) == (False, None, 0)
    assert "not in docker mode" in refused.message
    result = read(gather=["vnpus"])
    assert {row["supported"] for row in result["vnpus"]} == {False}
    assert all("not in docker mode" in row["answer"] for row in result["not_supported"])


def test_resources_that_do_not_suffice(machine, tmp_path):
    machine("new", "atlas-800i-a2-64g")
    smi = NpuSmi(str(tmp_path / "npu-smi"))
    assert [smi.create_vnpu(0, 0, "vir10_3c_32g").ok for _turn in range(3)] == [True, True, False]
    assert "unallocated cores number" in smi.create_vnpu(0, 0, "vir05_1c_16g").message
    assert not smi.destroy_vnpu(0, 0, 115).ok


def test_faults_are_seen(machine, read):
    machine("new", "atlas-800i-a2-64g")
    machine("fault", "add", "health", "--phy", "2", "--value", "Critical")
    machine("fault", "add", "leak", "--phy", "5", "--mb", "30000")
    machine("fault", "add", "absent", "--npu", "3")
    chips = {chip["phy_id"]: chip for chip in read()["chips"]}
    assert sorted(chips) == [0, 1, 2, 4, 5, 6, 7]
    assert [phy for phy, chip in chips.items() if chip["health"] != "OK"] == [2]
    assert [phy for phy, chip in chips.items() if chip["hbm_mb"][0] > _npu_model.idle_hbm_mb(chip["name"])] == [5]


def test_incomplete_driver_is_a_warning(machine, read):
    machine("new", "atlas-800i-a3")
    machine("set", "install_complete=false")
    result = read()
    assert "may not be completely installed" in result["warning"]
    assert any("may not be completely installed" in str(warning) for warning in result["warnings"])


def test_slow_tool(machine, read):
    machine("new", "atlas-800i-a3")
    machine("fault", "add", "slow", "--tool", "npu-smi", "--seconds", "20")
    assert "did not end within 1 s" in read(timeout=1)["msg"]


def test_machine_without_driver(machine, read, tmp_path):
    machine("new", "atlas-800i-a3")
    os.unlink(tmp_path / "state.json")
    result = read()
    assert result["failed"] is True
    assert "info -m" in result["msg"]

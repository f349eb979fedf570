# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driver and firmware of an emulated node: installed and running, the bus without a driver, what stops an installer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npusim import __main__ as npusim_cli
from npusim import boot, cli_upgrade_tool, faults, install, pci, power, profiles, small_disk, stack, state

A2 = "atlas-800i-a2-64g"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    state.save(profiles.build(A2), str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("spans", "version", "expected"),
    [
        ("[7.0.0,7.8.99]", "7.7.0.6.236", True),
        ("[7.0.0,7.8.99]", "7.8.0.5.216", True),
        ("[7.0.0,7.8.99]", "9.0.0.0.205", False),
        ("[7.8.0,9.9.99]", "7.7.0.6.236", False),
        ("[24.1,24.1.],[25.5,25.5.]", "25.5.0", True),
        ("[24.1,24.1.],[25.5,25.5.]", "25.2.0", False),
        ("[26.0,26.0.]", "26.0.rc1", True),
        ("", "1", False),
    ],
)
def test_spans(spans: str, version: str, expected: bool) -> None:
    assert stack.accepts(spans, version) is expected


def test_hardware_and_driver_are_apart(tmp_path: Path) -> None:
    root = str(tmp_path)
    install.hardware(root)
    assert not (tmp_path / "usr/local/Ascend").exists() and not (tmp_path / install.NPU_SMI).exists()
    assert (tmp_path / "usr/lib/npusim/npusim/stack.py").exists()
    install.driver(root)
    for path in (install.NPU_SMI, install.HCCN_LINK, "usr/local/Ascend/driver/tools/upgrade-tool"):
        assert os.path.lexists(tmp_path / path)
    install.remove_driver(root)
    left = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if not p.is_dir() and ".py" not in p.name]
    assert sorted(left) == [
        "etc/systemd/system/multi-user.target.wants/npusim-boot.service",
        "etc/systemd/system/npusim-boot.service",
        "usr/local/sbin/npusim",
    ]


def test_the_driver_can_be_elsewhere(tmp_path: Path) -> None:
    install.driver(str(tmp_path), "/opt/ascend")
    assert os.readlink(tmp_path / install.HCCN_LINK) == "/opt/ascend/driver/tools/hccn_tool"
    assert "/opt/ascend/driver/lib64" in (tmp_path / install.NPU_SMI).read_text("utf-8")


def test_a_bare_machine_has_no_addresses_and_old_firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path / "new"))
    environ = {"NPUSIM_PROFILE": A2, "NPUSIM_NODE": "2", "NPUSIM_ROCE": "10.77.0.0/16", "NPUSIM_BARE": "1"}
    made = boot.ensure_state(environ)
    ports = [chip.roce for npu in made.npus for chip in npu.chips]
    assert {(port.address, port.netmask, port.gateway, port.netdetect) for port in ports} == {(None,) * 4}
    assert made.roce_network == "10.77.0.0/16"
    assert made.firmware_version == stack.FACTORY_FIRMWARE


def test_what_is_installed_runs_from_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "ascend_install.info"
    monkeypatch.setattr(stack.ascend_path, "__defaults__", ("Driver", str(info)))
    made = profiles.build(A2)
    info.write_text(f"Driver_Install_Path_Param={tmp_path}\nFirmware_Install_Path_Param={tmp_path}\n")
    assert stack.installed() is None, "an entry without version.info: left half-way"
    for part, text in (
        ("driver", "Version=25.2.0\ncompatible_version_fw=[7.0.0,7.8.99]\n"),
        ("firmware", "Version=7.7.0.6.236\n"),
    ):
        (tmp_path / part).mkdir()
        (tmp_path / part / "version.info").write_text(text)
    stack.take_versions(made)
    assert (made.driver_version, made.tool_version, made.firmware_version) == ("25.2.0", "25.2.0", "7.7.0.6.236")
    assert made.compatible
    (tmp_path / "firmware/version.info").write_text("Version=9.0.0.0.205\n")
    stack.take_versions(made)
    assert not made.compatible
    (tmp_path / "firmware/version.info").unlink()
    stack.take_versions(made)
    assert made.firmware_version == "9.0.0.0.205", "chips keep what was written to them"


def test_a_firmware_outside_the_span_shows(machine: Path, capsys: pytest.CaptureFixture) -> None:
    assert npusim_cli.main(["npu-smi", "info", "-t", "board", "-i", "0"]) == 0
    assert "Compatibility                  : OK" in capsys.readouterr().out
    with state.changing() as made:
        made.compatible = False
    npusim_cli.main(["npu-smi", "info", "-t", "board", "-i", "0"])
    assert "Compatibility                  : NOK" in capsys.readouterr().out


@pytest.mark.parametrize("profile", ["atlas-800i-a2-64g", "atlas-800i-a3", "atlas-300i-duo-48g", "atlas-800-9000"])
def test_the_bus(profile: str, tmp_path: Path) -> None:
    made = profiles.build(profile)
    pci.write(made, str(tmp_path))
    device = {"910B": "d802", "910_93": "d803", "310P": "d500", "910": "d801"}[made.family]
    assert sorted(os.listdir(tmp_path)) == sorted({c.bus_id.lower() for n in made.npus for c in n.chips})
    for entry in tmp_path.iterdir():
        assert (entry / "vendor").read_text("utf-8") == "0x19e5\n"
        assert (entry / "device").read_text("utf-8") == f"0x{device}\n"
        config = (entry / "config").read_bytes()
        assert (len(config), config[0:4].hex()) == (64, "e519" + device[2:] + device[:2])
        assert len((entry / "resource").read_text("utf-8").splitlines()) == 7


def test_an_absent_npu_is_not_on_the_bus() -> None:
    made = profiles.build(A2)
    made.npus[3].absent = True
    assert len(pci.files(made)) == 7


def test_outside_a_node_nothing_of_the_host_is_touched(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "in_node", lambda: False)
    assert not stack.first_start({"NPUSIM_BARE": "1"})
    pci.show(state.load(), str(machine / "bus"))
    monkeypatch.delenv("NPUSIM_STATE")
    for call in (lambda: stack.place("/usr/local/Ascend", "1"), stack.hot_reset):
        with pytest.raises(power.PowerError):
            call()


def test_faults_of_installing(machine: Path) -> None:
    faults.add("install-killed", value="70")
    faults.add("reboot-hangs")
    faults.add("hot-reset", value="ko-abort")
    assert faults.faults(state.load()) == ["install-killed --value 70", "reboot-hangs", "hot-reset --value ko-abort"]
    faults.clear("install-disk-full")
    assert "install-killed --value 70" in faults.faults(state.load()), "another kind"
    faults.add("install-power-cut")  # one at a time
    assert faults.faults(state.load())[0] == "install-power-cut --value 50"
    faults.clear("install-power-cut")
    faults.clear("hot-reset")
    assert faults.faults(state.load()) == ["reboot-hangs"]
    faults.clear()
    assert faults.faults(state.load()) == []
    for kind, value in (("install-killed", "half"), ("install-killed", "101"), ("hot-reset", "perhaps")):
        with pytest.raises(faults.FaultError):
            faults.add(kind, value=value)


def test_a_node_hangs_until_it_is_mended(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults.add("reboot-hangs")
    turns = []

    def sleep(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 3:
            faults.clear("reboot-hangs")

    monkeypatch.setattr(time, "sleep", sleep)
    stack.hang_while_told()
    assert len(turns) == 3


def test_an_installer_is_killed_where_told_and_its_caller_is_not(machine: Path, tmp_path: Path) -> None:
    faults.add("install-killed", value="40")
    lab = str(Path(install.__file__).parents[1])
    shell = f"PYTHONPATH={lab} {sys.executable} -m npusim stack step"
    (tmp_path / "install.sh").write_text(f"for at in 10 40 90; do echo $at; {shell} $at /x; done\necho end\n")
    (tmp_path / "x.run").write_text(f"bash {tmp_path}/install.sh\necho cleaned\n")
    done = subprocess.run(
        ["bash", "-c", f"bash {tmp_path}/x.run; echo status $?"], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.split("\n") == ["10", "40", "status 137", ""]
    assert faults.faults(state.load()) == [], "once"


def test_only_a_disk_of_its_own_is_filled(tmp_path: Path) -> None:
    with pytest.raises(small_disk.DiskError, match="no file system of its own"):
        small_disk.fill(str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_upgrade_tool(machine: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli_upgrade_tool.main(["--device_index", "-1", "--boot_status"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"device_id:{chip}, boot status:16" for chip in range(8)]
    assert cli_upgrade_tool.main(["--device_index", "-1", "--component", "-1", "--version"]) == 0
    assert '{"device_id":7, "component":nve, "version":7.8.0.6.201}' in capsys.readouterr().out
    assert cli_upgrade_tool.main([]) == 1

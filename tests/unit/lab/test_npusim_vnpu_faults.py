# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while chips are cut, and what a process on a slice sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npusim import __main__ as npusim_cli
from npusim import boot, cli_npu_smi, device, gate, power, profiles, stack, state, vnpu, vnpu_cfg

LAB = Path(__file__).resolve().parents[2] / "lab"
A2 = "atlas-800i-a2-64g"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    """npu-smi of a standalone Atlas 800I A2: returns exit status and output."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    (tmp_path / "dev").mkdir()
    state.save(profiles.build(A2))

    def call(*args: str) -> tuple[int, str]:
        status = cli_npu_smi.main(list(args))
        return status, capfd.readouterr().out

    return call


def cut(npu: int) -> list[str]:
    """Arguments of npu-smi that cut half a chip off."""
    return ["set", "-t", "create-vnpu", "-i", str(npu), "-c", "0", "-f", "vir10_3c_32g"]


def npusim(line: str) -> None:
    assert npusim_cli.main(line.split()) == 0


def ids() -> list[int]:
    return [v.vnpu_id for npu in state.load().npus for chip in npu.chips for v in chip.vnpus]


def nodes(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "dev").glob("vdavinci*"))


def first(answer: tuple[int, str]) -> tuple[int, str]:
    return answer[0], answer[1].splitlines()[0].strip()


DONE = (0, f"{'Status':30} : OK")


def test_create_fails_as_often_as_told(smi) -> None:
    npusim("fault add vnpu-create --phy 2 --times 2")
    assert [first(smi(*cut(2))) for _turn in range(3)] == [(211, "create vnpu failed.")] * 2 + [DONE]
    assert first(smi(*cut(1))) == DONE
    assert ids() == [116, 132]


def test_create_fails_until_mended(smi, capfd: pytest.CaptureFixture) -> None:
    npusim("fault add vnpu-create --phy 2 --times 0")
    assert [first(smi(*cut(2)))[0] for _turn in range(4)] == [211] * 4
    assert vnpu_cfg.read() == (True, [])
    npusim("fault list")
    assert capfd.readouterr().out == "vnpu-create --phy 2 --times 0\n"
    npusim("fault clear vnpu-create --phy 2")
    assert first(smi(*cut(2))) == DONE


def test_destroy_fails(smi, tmp_path: Path) -> None:
    smi(*cut(0))
    npusim("fault add vnpu-destroy --phy 0 --times 1")
    destroy = ("set", "-t", "destroy-vnpu", "-i", "0", "-c", "0", "-v", "100")
    assert smi(*destroy) == (211, "destroy vnpu 100 failed.\n")
    assert (ids(), nodes(tmp_path), len(vnpu_cfg.read()[1])) == ([100], ["vdavinci100"], 1)
    assert first(smi(*destroy)) == DONE
    assert (ids(), nodes(tmp_path), vnpu_cfg.read()[1]) == ([], [], [])


def test_a_container_without_a_process_holds_a_slice(smi) -> None:
    smi(*cut(0))
    npusim("fault add vnpu-held --vnpu 100")
    assert (
        "|  100      |  0             |  ffffffffffff  |  1 " in smi("info", "-t", "info-vnpu", "-i", "0", "-c", "0")[1]
    )
    destroy = ("set", "-t", "destroy-vnpu", "-i", "0", "-c", "0", "-v", "100")
    assert first(smi(*destroy)) == (215, "destroy vnpu 100 failed.")
    npusim("fault clear vnpu-held --vnpu 100")
    assert first(smi(*destroy)) == DONE


def test_a_late_node(smi, tmp_path: Path) -> None:
    npusim("fault add vnpu-late --seconds 1")
    begin = time.time()
    assert first(smi(*cut(0))) == DONE
    assert (ids(), nodes(tmp_path)) == ([100], [])
    while not nodes(tmp_path):
        assert time.time() < begin + 20
        time.sleep(0.05)
    assert time.time() >= begin + 1
    assert nodes(tmp_path) == ["vdavinci100"]


def test_clearing_brings_late_nodes_now(smi, tmp_path: Path) -> None:
    npusim("fault add vnpu-late --seconds 2")
    smi(*cut(0))
    npusim("fault clear vnpu-late")
    assert nodes(tmp_path) == ["vdavinci100"]


def test_a_late_node_of_a_destroyed_slice_never_comes(smi, tmp_path: Path) -> None:
    npusim("fault add vnpu-late --seconds 0.5")
    smi(*cut(0))
    smi("set", "-t", "destroy-vnpu", "-i", "0", "-c", "0", "-v", "100")
    time.sleep(1.5)
    assert nodes(tmp_path) == []


def test_a_reused_id(smi, tmp_path: Path) -> None:
    smi(*cut(0))
    smi(*cut(0))
    npusim("fault add vnpu-reused --vnpu 100")
    chip = state.load().npus[0].chips[0]
    assert [(v.vnpu_id, v.template) for v in chip.vnpus] == [(100, "vir05_1c_16g"), (101, "vir10_3c_32g")]
    assert [entry.template for entry in vnpu_cfg.read()[1]] == ["vir05_1c_16g", "vir10_3c_32g"]
    assert nodes(tmp_path) == ["vdavinci100", "vdavinci101"]


def test_a_reused_id_needs_room(smi, capfd: pytest.CaptureFixture) -> None:
    for _turn in range(4):
        smi("set", "-t", "create-vnpu", "-i", "0", "-c", "0", "-f", "vir05_1c_16g")
    before = state.load()
    assert npusim_cli.main(["fault", "add", "vnpu-reused", "--vnpu", "103", "--template", "vir10_3c_32g"]) == 1
    assert npusim_cli.main(["fault", "add", "vnpu-reused", "--vnpu", "104"]) == 1
    errors = capfd.readouterr().err
    assert "no vir10_3c_32g has room in the place of vNPU 103" in errors
    assert "one of 100, 101, 102, 103" in errors
    assert state.load() == before


def run(line: str) -> subprocess.CompletedProcess:
    """npu-smi as a program: a power cut takes the process with it."""
    argv = [sys.executable, "-m", "npusim", "npu-smi", *line.split()]
    return subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(LAB)}, capture_output=True, text=True, check=False)


def test_power_goes_between_two_creates(smi, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    npusim("fault add power-cut --times 2")
    line = "set -t create-vnpu -i 6 -c 0 -f vir05_1c_16g"
    assert run(line).returncode == 0
    done = run(line)
    assert (done.returncode, done.stdout) == (power.RC_KILLED, "")
    assert smi("info")[0] == 187  # nothing answers
    assert nodes(tmp_path) == ["vdavinci196"]
    npusim("power-on")
    assert (ids(), nodes(tmp_path)) == ([196, 197], ["vdavinci196", "vdavinci197"])
    assert smi("info")[0] == 0
    assert run(line).returncode == 0
    assert ids() == [196, 197, 198]


def test_power_cut_without_recovery(smi) -> None:
    smi("set", "-t", "vnpu-cfg-recover", "-d", "0")
    npusim("fault add power-cut")
    assert run("set -t create-vnpu -i 6 -c 0 -f vir05_1c_16g").returncode == power.RC_KILLED
    npusim("power-on")
    assert ids() == []


def test_power_is_cut_nowhere_else(smi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPUSIM_STATE")
    killed = []
    monkeypatch.setattr(os, "kill", lambda *args: killed.append(args))
    monkeypatch.setattr(power, "in_node", lambda: False)
    with pytest.raises(power.PowerError):
        power.cut()
    assert killed == []


def test_a_chip_that_refuses_at_boot_stays_whole(smi) -> None:
    smi(*cut(0))
    smi(*cut(1))
    npusim("fault add vnpu-create --phy 0 --times 0")
    npusim("fault add vnpu-create --phy 1 --times 4")
    npusim("power-on")
    assert ids() == [116]  # the boot script tries five times
    assert [entry.vnpu_id for entry in vnpu_cfg.read()[1]] == [100, 116]
    npusim("fault clear")
    npusim("power-on")
    assert ids() == [100, 116]


def test_vm_mode(smi) -> None:
    npusim("fault add vm-mode")
    assert smi(*cut(0)) == (0, "The vnpu is not in docker mode, does not support setting create-vnpu.\n")
    assert ids() == []
    npusim("fault clear vm-mode")
    assert first(smi(*cut(0))) == DONE


def test_smp_mode(smi, capfd: pytest.CaptureFixture) -> None:
    assert npusim_cli.main(["fault", "add", "smp-mode"]) == 1
    assert "has no SMP mode" in capfd.readouterr().err
    state.save(profiles.build("atlas-800-9000"))
    npusim("fault add smp-mode")
    create = ("set", "-t", "create-vnpu", "-i", "0", "-c", "0", "-f", "vir16")
    assert smi(*create) == (217, "NPU is working in SMP mode, does not support vnpu creation.\n")
    query = "NPU is working in SMP mode, does not support querying {}\n"
    assert smi("info", "-t", "template-info") == (0, query.format("template-info"))
    assert smi("info", "-t", "vnpu-cfg-recover") == (0, query.format("vnpu-cfg-recover"))
    assert smi("info", "-t", "info-vnpu", "-i", "0", "-c", "0") == (
        0, "NPU is working in SMP mode, does not support vnpu query.\n",
    )  # fmt: skip
    npusim("fault clear smp-mode")
    assert first(smi(*create)) == DONE


def test_910a_counts_cores_alone(smi) -> None:
    state.save(profiles.build("atlas-800-9000"))
    for name in ("vir16", "vir08", "vir04", "vir02"):
        assert first(smi("set", "-t", "create-vnpu", "-i", "0", "-c", "0", "-f", name)) == DONE
    row = smi("info", "-t", "info-vnpu", "-i", "0", "-c", "0")[1].splitlines()[6]
    assert row.strip("| ").split()[:3] == ["0/30", "0/32", "NA/NA"]
    assert first(smi("set", "-t", "create-vnpu", "-i", "0", "-c", "0", "-f", "vir02")) == (
        217, "Insufficient number of cores available, unallocated cores number:0.000000.",
    )  # fmt: skip


# --- a restart of a node, and what a container sees


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A lab node whose directories are below ``tmp_path``; plain files stand for device nodes."""
    monkeypatch.delenv("NPUSIM_STATE", raising=False)
    monkeypatch.setenv("NPUSIM_DEV", str(tmp_path / "dev"))
    monkeypatch.setattr(state, "DEFAULT_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(state, "MOUNTED_DIR", str(tmp_path / "mounted"))
    monkeypatch.setattr(vnpu_cfg, "PATH", str(tmp_path / "vnpu.cfg"))
    monkeypatch.setattr(vnpu_cfg, "trusted", lambda: True)
    monkeypatch.setattr(boot, "VNPU_LOG", str(tmp_path / "boot.log"))
    monkeypatch.setattr(stack, "installed", lambda _part="driver": None if _part == "firmware" else "25.5.1")
    for name in ("write_files", "mount_state"):
        monkeypatch.setattr(boot, name, lambda *_args: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(vnpu, "make_node", lambda path: Path(path).touch())
    (tmp_path / "dev").mkdir()
    boot.boot({"NPUSIM_PROFILE": A2, "NPUSIM_NODE": "1"})
    return tmp_path


def restart(directory: Path) -> None:
    shutil.rmtree(directory / "dev")
    (directory / "dev").mkdir()
    boot.boot({"NPUSIM_PROFILE": A2, "NPUSIM_NODE": "1"})


def test_a_node_makes_its_slices_again(node: Path) -> None:
    assert [cli_npu_smi.main(cut(6)) for _turn in range(2)] == [0, 0]
    assert nodes(node) == ["vdavinci196", "vdavinci197"]
    boot.boot({"NPUSIM_PROFILE": A2, "NPUSIM_NODE": "1"})  # repeated while it runs: nothing happens
    assert not (node / "boot.log").exists()
    restart(node)
    assert (ids(), nodes(node)) == ([196, 197], ["vdavinci196", "vdavinci197"])
    assert (node / "boot.log").read_text("utf-8").count("exec result is 0") == 2
    cli_npu_smi.main(["set", "-t", "vnpu-cfg-recover", "-d", "0"])
    restart(node)
    assert (ids(), nodes(node)) == ([], [])


def test_a_file_of_somebody_else_is_not_replayed(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli_npu_smi.main(cut(6))
    monkeypatch.setattr(vnpu_cfg, "trusted", lambda: False)
    restart(node)
    assert ids() == []


def test_a_slice_is_a_chip_in_its_container(
    node: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    cli_npu_smi.main(cut(6))
    os.rename(node / "state", node / "mounted")  # a container has the state with the driver's directory
    shutil.rmtree(node / "dev")
    (node / "dev").mkdir()
    for name in ("davinci_manager", "davinci196"):
        (node / "dev" / name).touch()
    capfd.readouterr()
    assert cli_npu_smi.main(["info"]) == 0
    out = capfd.readouterr().out
    assert "| 6     910Bvir10_3c_32g " in out
    assert "/ 30720 " in out
    assert "Process id" not in out
    assert [c.phy_id for n in gate.enter("npu-smi").npus for c in n.chips] == [196]
    assert cli_npu_smi.main(cut(6)) == 214
    assert capfd.readouterr().out == "This command cannot be executed on a VM or container.\n"


def test_memory_of_a_slice_is_its_own(smi, tmp_path: Path) -> None:
    for name in ("davinci6", "davinci7"):
        (tmp_path / "dev" / name).touch()
    smi(*cut(6))
    smi(*cut(6))
    with pytest.raises(device.DeviceUnhealthy, match="split into vNPUs"):
        device.open_device(6)
    with device.open_device(196) as one, device.open_device(197) as other:
        assert one.hbm_total_mb == other.hbm_total_mb == 30720
        before = other.hbm_free_mb
        one.allocate(20000)
        assert other.hbm_free_mb == before
        with pytest.raises(device.OutOfMemory):
            one.allocate(20000)
        idle = profiles.build(A2).npus[6].chips[0].hbm_mb[0]
        used = idle + 20000 + 2 * device.CONTEXT_MB
        assert f"{used}/ 65536" in smi("info")[1].replace(" ", "").replace("/", "/ ")
        assert first(smi("set", "-t", "destroy-vnpu", "-i", "6", "-c", "0", "-v", "196"))[0] == 215
    with pytest.raises(device.DeviceNotFound):
        device.open_device(198)


# --- the lab's names for these faults


@pytest.mark.skipif(sys.version_info < (3, 10), reason="labctl runs on the developer's machine")
@pytest.mark.parametrize(
    ("name", "values", "listed"),
    [
        ("vnpu-create-fails", ["3", "2"], "vnpu-create --phy 3 --times 2"),
        ("vnpu-create-fails", ["3"], "vnpu-create --phy 3 --times 0"),
        ("vnpu-destroy-fails", ["4"], "vnpu-destroy --phy 4 --times 0"),
        ("vnpu-late", ["7"], "vnpu-late --seconds 7"),
        ("vnpu-held", ["100"], "vnpu-held --vnpu 100"),
        ("vm-mode", [], "vm-mode"),
        ("power-cut-vnpu", ["2"], "power-cut --times 2"),
    ],
)
def test_labctl_makes_and_mends_them(
    smi, capfd: pytest.CaptureFixture, name: str, values: list[str], listed: str
) -> None:
    from lab import faults as lab_faults

    smi(*cut(0))
    fault = lab_faults.FAULTS[name]
    full = fault.values(values)
    for words, expected in ((fault.make(*full), listed + "\n"), (fault.clear(*full), "")):
        for command in words:
            npusim(" ".join(command[1:]))
        npusim("fault list")
        assert capfd.readouterr().out == expected
    assert ids() == [100]

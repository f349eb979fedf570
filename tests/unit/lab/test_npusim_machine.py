# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State, profiles, processes on chips, faults, and the tools as programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from npusim import __main__ as npusim_cli
from npusim import boot, cli_npu_smi, device, faults, gate, info_types, install, processes, profiles, state, wire

LAB = Path(__file__).resolve().parents[2] / "lab"
CORPUS = Path(__file__).resolve().parents[2] / "fixtures" / "corpus" / "captures"

# Holds a chip, takes memory, says so, and stays until its input ends.
HOLDER = """
import sys
from npusim import device
phy, mb, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
opened = device.open_device(phy)
opened.allocate(mb)
open('/proc/self/comm', 'w').write(name)
print('ready', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A standalone Atlas 800I A2 whose device nodes are files; returns its state directory."""
    devices = tmp_path / "dev"
    devices.mkdir()
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    monkeypatch.setenv("NPUSIM_DEV", str(devices))
    built = profiles.build("atlas-800i-a2-64g")
    wire.assign(built, "10.77.0.0/16")
    state.save(built)
    for chip in range(8):
        (devices / f"davinci{chip}").touch()
    return tmp_path


class Holder:
    def __init__(self, phy: int, mb: int, name: str) -> None:
        environ = {**os.environ, "PYTHONPATH": str(LAB)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(phy), str(mb), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True, env=environ,
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        self.process.communicate()


def smi(capfd: pytest.CaptureFixture, *args: str) -> tuple[int, str]:
    status = cli_npu_smi.main(list(args))
    out, err = capfd.readouterr()
    assert err == ""
    return status, out


# --- profiles


@pytest.mark.parametrize(
    ("name", "npus", "chips", "hbm", "memory"),
    [
        ("atlas-800i-a2-64g", 8, 1, 65536, 0),
        ("atlas-800i-a2-32g", 8, 1, 32768, 0),
        ("atlas-800t-a2", 8, 1, 65536, 0),
        ("atlas-300i-a2-64g", 4, 1, 65536, 0),
        ("atlas-300i-a2-32g", 4, 1, 32768, 0),
        ("atlas-800-9000", 8, 1, 32768, 13553),
        ("atlas-300i-duo-48g", 2, 2, None, 21527),
        ("atlas-300i-duo-96g", 4, 2, None, 44280),
        ("atlas-800i-a3", 8, 2, 65536, 0),
    ],
)
def test_profiles(name: str, npus: int, chips: int, hbm: int | None, memory: int) -> None:
    built = profiles.build(name, node=3)
    assert [len(npu.chips) for npu in built.npus] == [chips] * npus
    everything = [chip for npu in built.npus for chip in npu.chips]
    assert [chip.phy_id for chip in everything] == list(range(npus * chips))
    first = everything[0]
    assert (first.hbm_mb[1] if first.hbm_mb else None, first.memory_mb[1]) == (hbm, memory)
    buses = [chip.bus_id for chip in everything]
    # the two chips of a 300I Duo sit behind one bus address, everything else has its own
    assert len(set(buses)) == (npus if "duo" in name else npus * chips)
    assert all(used < total for used, total in (chip.hbm_mb or chip.memory_mb for chip in everything))


def test_all_profiles_are_tested() -> None:
    assert len(profiles.known()) == 9


def test_addresses_follow_node_and_physical_id() -> None:
    built = profiles.build("atlas-800i-a3", node=2)
    wire.assign(built, "10.78.0.0/16")
    assert [roce.address for _chip, roce in wire.ports(built)] == [f"10.78.2.{10 + phy}" for phy in range(16)]
    assert wire.conf_values(built)["netmask_15"] == "255.255.0.0"
    with pytest.raises(ValueError, match="smaller than a /16"):
        wire.assign(built, "10.78.0.0/24")


# --- state


def test_state_survives_unchanged(machine: Path) -> None:
    before = state.load()
    state.save(before)
    assert state.load() == before


def test_a_failed_change_writes_nothing(machine: Path) -> None:
    before = (machine / "state.json").read_text("utf-8")
    with pytest.raises(KeyError), state.changing() as stored:
        stored.npus[0].chips[0].health = "Alarm"
        raise KeyError
    assert (machine / "state.json").read_text("utf-8") == before
    assert [path.name for path in machine.glob("*.tmp")] == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("npus", 0, "chips", 0, "health"), "Sick", "health is one of"),
        (("npus", 0, "chips", 0, "text"), "| 0 |", "Chip has no field text"),
        (("family",), "H100", "unknown chip family"),
    ],
)
def test_a_damaged_state_is_refused(machine: Path, path: tuple, value: str, message: str) -> None:
    data = json.loads((machine / "state.json").read_text("utf-8"))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (machine / "state.json").write_text(json.dumps(data), "utf-8")
    with pytest.raises(ValueError, match=message):
        state.load()


# --- processes


def test_a_process_shows_up_and_goes_with_its_memory(machine: Path, capfd: pytest.CaptureFixture) -> None:
    idle = smi(capfd, "info")[1]
    assert "| No running processes found in NPU 3 " in idle
    holder = Holder(3, 58000, "VLLM::Worker_TP0")
    pid = str(holder.process.pid)
    busy = smi(capfd, "info")[1]
    used = 58000 + device.CONTEXT_MB
    # the kernel keeps 15 characters of a name, the tool takes the colons out
    assert f"| 3       0                 | {pid:13} | VLLMWorker_TP            | {used:<23} |\n" in busy
    assert f"| 0                         | 0000:82:00.0  | 0           0    / 0          {3413 + used}/ 65536 " in busy
    assert "in NPU 3 " not in busy and "in NPU 2 " in busy
    holder.stop()
    assert smi(capfd, "info")[1] == idle


def test_chips_are_counted_apart(machine: Path) -> None:
    holders = [Holder(1, 100, "a"), Holder(1, 200, "b"), Holder(2, 300, "c")]
    usage = processes.scan()
    seen = processes.observe(state.load(), usage)
    for holder in holders:
        holder.stop()
    assert sorted(process.memory_mb for process in usage[1]) == [210, 310]
    assert [process.memory_mb for process in usage[2]] == [410]
    assert set(usage) == {1, 2}
    assert seen.chip_by_phy(1).hbm_mb == (3413 + 520, 65536)
    assert state.load().chip_by_phy(1).hbm_mb == (3413, 65536)


def test_processes_of_a_ddr_card_use_huge_pages() -> None:
    seen = processes.observe(profiles.build("atlas-300i-duo-96g"), {0: [processes.Process(1, "x", 14420)]})
    assert seen.npus[0].chips[0].memory_mb == (1596 + 14420, 44280)
    assert seen.npus[0].chips[0].hugepages == (7210, 7210)
    assert seen.npus[0].chips[1].hugepages == (0, 0)


def test_memory_runs_out(machine: Path) -> None:
    with device.open_device(0) as chip:
        free = chip.hbm_free_mb
        assert free == 65536 - 3417 - device.CONTEXT_MB
        first = chip.allocate(free - 10)
        with pytest.raises(
            device.OutOfMemory, match=r"Tried to allocate 11 MiB \(NPU 0; 65536 MiB total .* 10 MiB free"
        ):
            chip.allocate(11)
        assert chip.hbm_free_mb == 10
        first.free()
        assert chip.hbm_free_mb == free
    assert processes.scan() == {}


def test_other_processes_take_from_the_same_memory(machine: Path) -> None:
    holder = Holder(0, 60000, "other")
    with device.open_device(0) as chip, pytest.raises(device.OutOfMemory):
        chip.allocate(3000)
    holder.stop()


def test_a_closed_device_gives_nothing(machine: Path) -> None:
    chip = device.open_device(0)
    chip.close()
    chip.close()
    with pytest.raises(device.DeviceError, match="closed"):
        chip.allocate(1)


def test_devices_that_cannot_be_opened(machine: Path) -> None:
    with pytest.raises(device.DeviceNotFound) as caught:
        device.open_device(8)
    assert caught.value.code == 107001
    (machine / "dev" / "davinci2").unlink()
    with pytest.raises(device.DeviceNotFound, match="davinci2: No such file"):
        device.open_device(2)
    faults.add("health", phy=1, value="Critical")
    with pytest.raises(device.DeviceUnhealthy, match="health is Critical"):
        device.open_device(1)
    faults.add("absent", npu=4)
    with pytest.raises(device.DeviceNotFound):
        device.open_device(4)
    faults.add("health", phy=5, value="Warning")
    device.open_device(5).close()


# --- npu-smi


def test_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    expected = (CORPUS / "npu-smi__error__dcmi_8005_container.txt").read_text("utf-8")
    assert smi(capfd, "info") == (187, expected)


def test_a_container_without_chips_has_no_driver(machine: Path, monkeypatch, capfd: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(state, "standalone", lambda: False)
    for node in (machine / "dev").iterdir():
        node.unlink()
    (machine / "dev" / "davinci_manager").touch()
    assert smi(capfd, "info", "-l")[0] == 187
    (machine / "dev" / "davinci6").touch()
    assert smi(capfd, "info", "-l")[1].splitlines()[2] == "\tNPU ID                         : 6"


def test_all_chips_gone(machine: Path, capfd: pytest.CaptureFixture) -> None:
    for npu in range(8):
        faults.add("absent", npu=npu)
    assert smi(capfd, "info", "-l") == (0, "There is no NPU card on this server.\n")
    assert smi(capfd, "info") == smi(capfd, "info", "-h")


def test_usage_is_the_published_one(machine: Path, capfd: pytest.CaptureFixture) -> None:
    expected = (CORPUS / "npu-smi__error__param_t__24_1__yuanrong.txt").read_text("utf-8")
    assert smi(capfd, "info", "-t", "nonsense") == (215, expected)
    assert smi(capfd, "info", "-h")[1] == expected.split("\n", 1)[1] == info_types.usage(state.load())


def test_bad_calls(machine: Path, capfd: pytest.CaptureFixture) -> None:
    assert smi(capfd, "infos")[0] == 211
    assert smi(capfd, "infos")[1].startswith("Command or option is not found.\nUsage: npu-smi <Command|-h|-v> ")
    assert smi(capfd)[0] == 215
    assert smi(capfd, "info", "-x")[1].startswith("Error parameter of -x\n")
    assert smi(capfd, "-v") == (0, "npu-smi version: 25.5.1\n")


def test_busy_tool(machine: Path, capfd: pytest.CaptureFixture) -> None:
    faults.add("busy", tool="npu-smi", times=2)
    refusal = "dcmi model initialized failed, because the device is used. ret is -8020\n"
    assert [smi(capfd, "info", "-l") for _call in range(2)] == [(172, refusal)] * 2
    assert smi(capfd, "info", "-l")[0] == 0


def test_slow_tool(machine: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(gate.time, "sleep", slept.append)
    faults.add("slow", tool="npu-smi", seconds=7.5)
    smi(capfd, "info", "-l")
    assert slept == [7.5]


def test_a_container_sees_its_chips_only() -> None:
    inside = gate.restrict(profiles.build("atlas-800i-a3"), [6, 7, 9])
    assert [(npu.npu_id, [(c.phy_id, c.logic_id) for c in npu.chips]) for npu in inside.npus] == [
        (3, [(6, 0), (7, 1)]),
        (4, [(9, 2)]),
    ]


# --- faults


def table(capfd: pytest.CaptureFixture) -> str:
    return smi(capfd, "info")[1]


def test_faults_show_and_go(machine: Path, capfd: pytest.CaptureFixture) -> None:
    healthy = table(capfd)
    faults.add("health", phy=1, value="Alarm")
    faults.add("leak", phy=0, mb=20000)
    faults.add("absent", npu=5)
    faults.add("link-down", phy=2)
    assert faults.faults(state.load()) == [
        "leak --phy 0 --mb 20000",
        "health --phy 1 --value Alarm",
        "link-down --phy 2",
        "absent --npu 5",
    ]
    broken = table(capfd)
    assert "| 1     910B4-1             | Alarm         |" in broken
    assert "| 23417/ 65536" not in healthy and " 23417/ 65536 " in broken
    assert "| No running processes found in NPU 0 " in broken
    assert "in NPU 5 " not in broken
    faults.clear("health", phy=1)
    faults.clear(npu=0)
    assert faults.faults(state.load()) == ["link-down --phy 2", "absent --npu 5"]
    faults.clear()
    assert faults.faults(state.load()) == []
    assert table(capfd) == healthy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "health"}, "say which chip: --phy N, one of 0, 1"),
        ({"kind": "health", "phy": 9}, "say which chip"),
        ({"kind": "absent", "npu": 8}, "say which NPU"),
        ({"kind": "leak", "phy": 0}, "say how much leaks"),
        ({"kind": "busy"}, "say which tool"),
        ({"kind": "fire"}, "no fault 'fire'"),
    ],
)
def test_impossible_faults(machine: Path, arguments: dict, message: str) -> None:
    before = state.load()
    with pytest.raises(faults.FaultError, match=message):
        faults.add(**arguments)
    assert state.load() == before


# --- the npusim command


def test_set_changes_what_is_named(machine: Path, capfd: pytest.CaptureFixture) -> None:
    assert npusim_cli.main(["set", "temp_c=91", "hbm_mb=5000/65536", "--phy", "6"]) == 0
    assert npusim_cli.main(["set", "driver_version=26.0.rc1", "tool_version=26.0.rc1", "power_w=75"]) == 0
    text = table(capfd)
    assert "| 6     910B4-1             | OK            | 75.0                 91 " in text
    assert " 5000 / 65536 " in text
    assert text.startswith("+" + "-" * 114 + "+\n")


@pytest.mark.parametrize("value", ["health=Sick", "temp_c=warm", "hbm_mb=5", "color=red", "health", "link=HALF"])
def test_set_refuses_nonsense(machine: Path, value: str, capfd: pytest.CaptureFixture) -> None:
    before = state.load()
    assert npusim_cli.main(["set", value]) == 1
    assert capfd.readouterr().err.startswith("npusim: ")
    assert state.load() == before


def test_status_names_processes_and_faults(machine: Path, capfd: pytest.CaptureFixture) -> None:
    npusim_cli.main(["fault", "add", "health", "--phy", "7", "--value", "Warning"])
    holder = Holder(3, 1000, "python")
    assert npusim_cli.main(["status"]) == 0
    text = capfd.readouterr().out
    npusim_cli.main(["status", "--json"])
    data = json.loads(capfd.readouterr().out)
    holder.stop()
    assert f"pids {holder.process.pid}\n" in text
    assert "fault: health --phy 7 --value Warning\n" in text
    assert data["processes"]["3"][0]["memory_mb"] == 1110


def test_what_was_seen_can_be_printed_again(machine: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    holder = Holder(2, 700, "python")
    table_then = table(capfd)
    npusim_cli.main(["status", "--json"])
    (tmp_path / "seen.json").write_text(capfd.readouterr().out, "utf-8")
    holder.stop()
    assert npusim_cli.main(["render", "info", str(tmp_path / "seen.json")]) == 0
    assert capfd.readouterr().out == table_then != table(capfd)
    npusim_cli.main(["render", "mapping", str(tmp_path / "seen.json")])
    assert capfd.readouterr().out == smi(capfd, "info", "-m")[1]


# --- boot and install


def test_boot_state_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path / "new"))
    environ = {"NPUSIM_PROFILE": "atlas-800i-a3", "NPUSIM_NODE": "4", "NPUSIM_ROCE": "10.77.0.0/16"}
    made = boot.ensure_state(environ)
    assert made.chip_by_phy(15).roce.address == "10.77.4.25"
    # what is there stays, whatever the environment says later
    assert boot.ensure_state({"NPUSIM_PROFILE": "atlas-800t-a2", "NPUSIM_NODE": "5"}) == made


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "NPUSIM_PROFILE is ''; use one of atlas-300i-a2-32g"),
        ({"NPUSIM_PROFILE": "dgx"}, "NPUSIM_PROFILE is 'dgx'"),
        ({"NPUSIM_PROFILE": "atlas-800t-a2", "NPUSIM_NODE": "one"}, "NPUSIM_NODE is 'one'"),
    ],
)
def test_boot_says_what_is_missing(tmp_path: Path, monkeypatch, environ: dict, message: str) -> None:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    with pytest.raises(boot.BootError, match=message):
        boot.ensure_state(environ)


def test_installed_front_ends_run(machine: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for _time in range(2):
        install.install(str(root))
    assert os.readlink(root / "usr/bin/hccn_tool") == "/usr/local/Ascend/driver/tools/hccn_tool"
    assert os.readlink(root / "etc/systemd/system/multi-user.target.wants/npusim-boot.service").startswith("/etc/")
    assert "Before=docker.service" in (root / "etc/systemd/system/npusim-boot.service").read_text("utf-8")
    for command, text in (
        (["usr/local/bin/npu-smi", "info", "-l"], "\tTotal Count                    : 8"),
        (["usr/local/Ascend/driver/tools/hccn_tool", "-i", "7", "-ip", "-g"], "ipaddr:10.77.1.17"),
        (["usr/local/sbin/npusim", "fault", "list"], ""),
    ):
        done = subprocess.run([str(root / command[0]), *command[1:]], stdout=subprocess.PIPE, text=True, check=True)
        assert done.stdout.startswith(text)


def test_output_may_be_cut_off(machine: Path) -> None:
    """`npu-smi info | head -1` must not end in a traceback."""
    script = f"{sys.executable} -m npusim npu-smi info | head -1"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(LAB)}, check=True,
    )  # fmt: skip
    assert (done.stdout.count("\n"), done.stderr) == (1, "")

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""npu_vnpu against the lab's emulator: what it makes of a machine, and what a fault half-way leaves behind."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_machine import VnpuMachine
from ansible_collections.npuops.ascend.plugins.modules import npu_info, npu_vnpu
from npusim import faults, state, vnpu_cfg

LAB = Path(__file__).parents[4] / "tests" / "lab"
BIG, SMALL = "vir10_3c_32g", "vir05_1c_16g"
APPLIANCE = [
    {"npu_id": 6, "template": BIG, "service": "bge-m3"},
    {"npu_id": 6, "template": BIG, "service": "bge-reranker"},
    {"npu_id": 7, "template": SMALL, "service": "sensevoice"},
    {"npu_id": 7, "template": SMALL, "service": "cosyvoice2"},
    {"npu_id": 7, "template": BIG, "service": "pp-ocrv5"},
]
# Opens what it is told and stays until its input ends.
HOLDER = "import sys; held = [open(path) for path in sys.argv[1:]]; print('ready', flush=True); sys.stdin.read()"


class Machine:
    """A standalone machine, the module on it, and what the machine really carries."""

    def __init__(self, root: Path, call_module) -> None:
        self.root, self.call_module = root, call_module
        self.file = root / "ours" / "vnpus.json"
        self.log = root / "log"

    def npusim(self, *arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "npusim", *arguments], check=True, stdout=subprocess.DEVNULL)

    def call(self, slices, check=False, module=npu_vnpu, **arguments) -> dict:
        self.log.write_text("")
        given = {"npu_smi": str(self.root / "npu-smi"), **arguments}
        if module is npu_vnpu:
            given = {
                "slices": slices,
                "state_file": str(self.file),
                "docker": str(self.root / "docker"),
                "device_timeout": 10,
                "_ansible_check_mode": check,
                "_ansible_diff": True,
                **given,
            }
        return self.call_module(module, **given)

    def changes(self) -> list:
        """The changing commands of the last call, as the tool got them."""
        return [line for line in self.log.read_text().splitlines() if line.startswith("set ")]

    def carries(self) -> dict:
        """{(npu id, chip id): {vnpu id: template}} of what is split."""
        chips = ((npu.npu_id, chip) for npu in state.load(str(self.root)).npus for chip in npu.chips)
        return {
            (npu_id, chip.chip_id): {v.vnpu_id: v.template for v in chip.vnpus} for npu_id, chip in chips if chip.vnpus
        }

    def nodes(self) -> set:
        return {path.name for path in (self.root / "dev").glob("vdavinci*")}

    def owned(self) -> dict:
        rows = json.loads(self.file.read_text())["slices"]
        return {row["vnpu_id"]: (row["template"], row["service"]) for row in rows}

    def docker(self, *containers: dict) -> None:
        """A docker that has these containers."""
        (self.root / "containers.json").write_text(json.dumps(containers))
        tool = self.root / "docker"
        tool.write_text(
            f'#!/bin/sh\ncase "$1" in\n  ps) echo {" ".join(str(n) for n in range(len(containers)))} ;;\n'
            f"  inspect) cat {self.root}/containers.json ;;\nesac\n"
        )
        tool.chmod(0o755)


@pytest.fixture
def machine(tmp_path, monkeypatch, call_module):
    """Answers a function that makes the machine of a profile."""

    def make(profile="atlas-800i-a2-64g") -> Machine:
        monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
        monkeypatch.delenv("NPUSIM_DEV", raising=False)
        monkeypatch.setenv("PYTHONPATH", str(LAB))
        (tmp_path / "dev").mkdir()
        for module in (npu_vnpu, npu_info):
            monkeypatch.setattr(module, "DEV", str(tmp_path / "dev"), raising=module is npu_vnpu)
        tool = tmp_path / "npu-smi"
        tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\nexec "{sys.executable}" -S -m npusim npu-smi "$@"\n')
        tool.chmod(0o755)
        found = Machine(tmp_path, call_module)
        found.npusim("new", profile)
        return found

    return make


def shape(carries: dict) -> dict:
    return {key: sorted(slices.values()) for key, slices in carries.items()}


def test_the_appliance_is_cut_once(machine):
    node = machine()
    planned = node.call(APPLIANCE, check=True, state="exact", mode="docker", cfg_recover=True)
    assert planned["changed"] and node.changes() == [] and node.carries() == {} and not node.file.exists()
    assert [row["vnpu_id"] for row in planned["slices"]] == [None] * 5

    made = node.call(APPLIANCE, state="exact", mode="docker", cfg_recover=True)
    assert made["changed"] and made["steps"] == planned["steps"]
    assert node.carries() == {(6, 0): {196: BIG, 197: BIG}, (7, 0): {212: BIG, 213: SMALL, 214: SMALL}}
    assert node.nodes() == {f"vdavinci{number}" for number in (196, 197, 212, 213, 214)}
    assert {row["device"]: row["service"] for row in made["slices"]}["/dev/vdavinci212"] == "pp-ocrv5"
    assert node.owned()[196] == (BIG, "bge-m3")
    assert stat.S_IMODE(os.stat(node.file).st_mode) == 0o600
    assert vnpu_cfg.read()[0] is True

    again = node.call(APPLIANCE, state="exact", mode="docker", cfg_recover=True)
    assert not again["changed"] and node.changes() == [] and again["steps"] == []
    assert again["slices"] == made["slices"]
    assert not node.call(APPLIANCE, check=True, state="exact")["changed"]


def test_the_diff_shows_the_plan(machine):
    node = machine()
    node.call(APPLIANCE[:2])
    change = [APPLIANCE[0], {"npu_id": 6, "memory_gb": 12, "service": "small"}]
    diff = node.call(change, check=True, state="exact", cfg_recover=False)["diff"]
    assert diff[0]["before"].splitlines() == [
        "mode: docker",
        "cfg_recover: true",
        f"NPU 6 chip 0: vNPU 196 {BIG}, for bge-m3",
        f"NPU 6 chip 0: vNPU 197 {BIG}, for bge-reranker",
    ]
    assert diff[0]["after"].splitlines() == [
        "mode: docker",
        "cfg_recover: false",
        f"NPU 6 chip 0: vNPU 196 {BIG}, for bge-m3",
        f"NPU 6 chip 0: vNPU new {SMALL}, for small",
    ]
    assert diff[1]["prepared"].splitlines() == [
        "plan:",
        "1. set cfg_recover to false",
        f"2. destroy vNPU 197 {BIG} on NPU 6 chip 0 for bge-reranker",
        f"3. create {SMALL} on NPU 6 chip 0 for small",
    ]


def test_only_what_differs_is_changed(machine):
    node = machine()
    node.call(APPLIANCE, state="exact")
    node.call([*APPLIANCE[:4], {"npu_id": 7, "template": SMALL}, {"npu_id": 7, "template": SMALL}], state="exact")
    assert node.changes() == [
        "set -t destroy-vnpu -i 7 -c 0 -v 212",
        *[f"set -t create-vnpu -i 7 -c 0 -f {SMALL}"] * 2,
    ]
    # The freed id is taken again: it must be told from the slice that had it.
    assert node.carries()[(7, 0)] == {212: SMALL, 213: SMALL, 214: SMALL, 215: SMALL}
    assert node.owned()[212] == (SMALL, None)


@pytest.mark.parametrize(
    ("profile", "slices"),
    [
        ("atlas-800i-a2-64g", APPLIANCE),
        ("atlas-800i-a2-32g", [{"npu_id": 3, "template": name} for name in ("vir10_3c_16g_nm", "vir10_4c_16g_m")]),
        ("atlas-300i-duo-96g", None),
    ],
)
def test_an_export_is_a_wish_that_holds(machine, profile, slices):
    node = machine(profile)
    if slices is None:
        npu_id = state.load(str(node.root)).npus[0].npu_id
        slices = [
            {"npu_id": npu_id, "chip_id": chip_id, "template": name}
            for chip_id in (0, 1)
            for name in ("vir04", "vir02_1c", "vir01", "vir01")
        ]
    made = node.call(slices, state="exact")
    assert "failed" not in made, made["msg"]
    export = node.call(None, module=npu_info, gather=["vnpus"])["vnpus"]
    for exported in (export, made["vnpus"]):
        assert not node.call(exported, state="exact")["changed"]
        assert not node.call(exported, check=True, state="present")["changed"]
    carried = shape(node.carries())
    node.call([], state="exact")
    assert node.carries() == {} and node.nodes() == set() and node.owned() == {}
    node.call(export, state="exact")
    assert shape(node.carries()) == carried


@pytest.mark.parametrize(("nth", "npu_id"), [(1, 6), (2, 6), (3, 7)])
@pytest.mark.parametrize("answer", ["create vnpu failed.", "Status : OK"])
def test_a_create_that_fails_is_taken_back(machine, nth, npu_id, answer):
    """The tool refuses one create, or lies: the state before is back, ids, owners and settings too."""
    node = machine()
    node.call([*APPLIANCE[2:4], {"npu_id": 6, "template": SMALL, "service": "old"}], state="exact")
    before, owned = node.carries(), node.owned()
    tool = node.root / "npu-smi"
    right = tool.read_text()
    count = f'[ "$3" = create-vnpu ] && [ "$(grep -c create-vnpu {node.log})" = {nth} ] && echo "{answer}" && exit 0'
    tool.write_text(right.replace("exec ", f"{count}\nexec "))
    failed = node.call(APPLIANCE, state="exact", cfg_recover=False)
    assert failed["failed"] and failed["restored"] and failed["standing"] == []
    assert f"create {BIG} on NPU {npu_id} chip 0" in failed["msg"] and answer in failed["msg"]
    assert "the state before stands" in failed["msg"]
    assert (node.carries(), node.owned()) == (before, owned)
    assert vnpu_cfg.read()[0] is True
    tool.write_text(right)
    assert node.call(APPLIANCE, state="exact", cfg_recover=False)["changed"]
    assert shape(node.carries()) == {(6, 0): [BIG, BIG], (7, 0): sorted([SMALL, SMALL, BIG])}


def test_a_first_create_that_fails_changes_nothing(machine):
    node = machine()
    node.npusim("fault", "add", "vnpu-create", "--phy", "6", "--times", "1")
    failed = node.call(APPLIANCE)
    assert failed["restored"] and "Nothing was changed." in failed["msg"]
    assert node.carries() == {} and node.owned() == {}


def test_what_stands_is_told_when_the_way_back_fails_too(machine):
    node = machine()
    node.npusim("fault", "add", "vnpu-create", "--phy", "7", "--times", "0")
    node.npusim("fault", "add", "vnpu-destroy", "--phy", "6", "--times", "0")
    failed = node.call(APPLIANCE, state="exact")
    assert not failed["restored"]
    assert failed["standing"] == [
        f"NPU 6 chip 0 carries vNPU 196 ({BIG}), vNPU 197 ({BIG})",
        "NPU 7 chip 0 carries no vNPU",
    ]
    assert all(sentence in failed["msg"] for sentence in failed["standing"])
    assert set(node.owned()) == {196, 197}
    node.npusim("fault", "clear")
    assert node.call(APPLIANCE, state="exact")["changed"]
    assert len(node.changes()) == 3


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_power_cut_is_continued(machine, times):
    """The slice exists and nobody was told. After the restart it is known as ours, and only the rest is made."""
    node = machine()
    node.npusim("fault", "add", "power-cut", "--times", str(times))
    failed = node.call(APPLIANCE, state="exact", timeout=20)
    assert failed["failed"] and not failed["restored"]
    node.npusim("power-on")
    there = node.carries()
    assert sum(map(len, there.values())) == times
    planned = node.call(APPLIANCE, check=True, state="exact")
    assert "failed" not in planned and len(planned["steps"]) == 5 - times
    made = node.call(APPLIANCE, state="exact")
    assert made["changed"] is True or times == 5
    assert "interrupted while it created" in made["interrupted"] and "has come of it" in made["interrupted"]
    assert len(node.changes()) == 5 - times
    assert set(node.owned()) == {196, 197, 212, 213, 214}
    again = node.call(APPLIANCE, state="exact")
    assert not again["changed"] and again["interrupted"] is None


def test_a_late_device_node_is_waited_for(machine):
    node = machine()
    node.npusim("fault", "add", "vnpu-late", "--seconds", "0.6")
    assert node.call(APPLIANCE[:1])["changed"]
    assert node.nodes() == {"vdavinci196"}


def test_a_device_node_that_does_not_come_is_a_failure(machine):
    node = machine()
    node.npusim("fault", "add", "vnpu-late", "--seconds", "60")
    failed = node.call(APPLIANCE[:1], device_timeout=0.3)
    assert "vdavinci196 did not appear within 0.3 s" in failed["msg"] and "was taken back" in failed["msg"]
    assert node.carries() == {} and node.owned() == {}


def test_a_busy_tool_is_asked_again(machine, monkeypatch):
    node = machine()
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    node.npusim("fault", "add", "busy", "--tool", "npu-smi", "--times", "2")
    assert node.call(APPLIANCE[:1])["changed"]


@pytest.mark.parametrize("state_name", ["present", "exact"])
def test_a_process_on_the_chip_is_named(machine, state_name):
    node = machine()
    path = node.root / "dev" / "davinci6"
    path.touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        refused = node.call(APPLIANCE, state=state_name)
        holder.communicate()
    assert f"NPU 6 chip 0: it can be split only when idle, and is held by process {holder.pid}" in refused["msg"]
    assert refused["msg"].startswith("Nothing was changed.") and node.changes() == []
    assert [entry["npu_id"] for entry in refused["refusals"]] == [6]


@pytest.mark.parametrize(
    "container",
    [
        {"Name": "/assistant", "HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci6"}]}},
        {"Name": "/assistant", "Config": {"Env": ["ASCEND_VISIBLE_DEVICES=0,4-6"]}},
    ],
)
def test_a_container_on_the_chip_is_named(machine, container):
    node = machine()
    node.docker(container)
    assert "held by container assistant" in node.call(APPLIANCE)["msg"]
    assert node.changes() == []
    node.docker()
    assert node.call(APPLIANCE)["changed"]


def test_a_slice_in_use_stays(machine):
    node = machine()
    node.call(APPLIANCE, state="exact")
    node.npusim("fault", "add", "vnpu-held", "--vnpu", "212")
    refused = node.call(APPLIANCE[:4], state="exact")
    assert "vNPU 212 (vir10_3c_32g) would have to be destroyed but is in use" in refused["msg"]
    assert "service pp-ocrv5" in refused["msg"] and node.changes() == []
    node.npusim("fault", "clear")
    node.docker({"Name": "/ocr", "HostConfig": {"Devices": [{"PathOnHost": "/dev/vdavinci212"}]}})
    assert "in use" in node.call(APPLIANCE[:4], state="exact")["msg"]
    node.docker()
    assert node.call(APPLIANCE[:4], state="exact")["changed"]


@pytest.mark.parametrize("options", [[], ["ASCEND_RUNTIME_OPTIONS=NODRV,VIRTUAL"]])
def test_a_slice_that_a_container_has_by_its_number_stays(machine, options):
    """With or without the option for slices: no NPU has a number that high."""
    node = machine()
    node.call(APPLIANCE, state="exact")
    node.docker({"Name": "/ocr", "Config": {"Env": ["ASCEND_VISIBLE_DEVICES=212", *options]}})
    assert "vNPU 212 (vir10_3c_32g)" in node.call(APPLIANCE[:4], state="exact")["msg"] and node.changes() == []


def test_a_process_on_a_split_chip_keeps_all_its_slices(machine):
    """Which slice it runs in is not known where the tool calls none of them used."""
    node = machine()
    node.call(APPLIANCE, state="exact")
    path = node.root / "dev" / "davinci7"
    path.touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        refused = node.call(APPLIANCE[:4], state="exact")
        kept = node.call(APPLIANCE, state="exact")
        holder.communicate()
    assert "vNPU 212 (vir10_3c_32g) would have to be destroyed but is in use, as far as can be told" in refused["msg"]
    assert not kept["changed"]
    assert node.call(APPLIANCE[:4], state="exact")["changed"]


def test_a_chip_whose_device_node_is_not_known_is_told(machine, monkeypatch):
    node = machine()
    node.docker({"Name": "/assistant", "HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci6"}]}})
    monkeypatch.setattr(VnpuMachine, "_phy_ids", lambda _self: {})
    made = node.call(APPLIANCE[:1])
    assert "belongs to NPU 6 chip 0 cannot be told" in json.dumps(made["warnings"])
    assert "assistant" in json.dumps(made["warnings"])


def test_slices_of_others_stay(machine):
    node = machine()
    node.npusim("npu-smi", "set", "-t", "create-vnpu", "-i", "6", "-c", "0", "-f", SMALL)
    node.npusim("npu-smi", "set", "-t", "create-vnpu", "-i", "5", "-c", "0", "-f", SMALL)
    assert "vNPU 196" in node.call(APPLIANCE[:1], state="exact")["msg"]
    both = [{"npu_id": 6, "template": SMALL}, APPLIANCE[0]]
    assert node.call(both, state="exact")["changed"]
    assert node.carries() == {(5, 0): {180: SMALL}, (6, 0): {196: SMALL, 197: BIG}}
    kept = node.call([{"npu_id": 6}], state="absent")
    assert node.carries() == {(5, 0): {180: SMALL}, (6, 0): {196: SMALL}}
    assert "vNPU 196 (vir05_1c_16g) was not created by this collection and stays" in json.dumps(kept["warnings"])
    assert not node.call([{"npu_id": 6}], state="absent")["changed"]
    assert node.call([{"npu_id": 6, "vnpu_id": 196}], state="absent")["changed"]
    assert node.carries() == {(5, 0): {180: SMALL}}


def test_an_id_that_has_come_back_as_something_else_is_not_ours(machine):
    node = machine()
    node.call(APPLIANCE[:1])
    node.npusim("fault", "add", "vnpu-reused", "--vnpu", "196", "--template", SMALL)
    assert not node.call([], state="exact")["changed"]
    assert node.carries() == {(6, 0): {196: SMALL}}


@pytest.mark.parametrize(
    ("profile", "fault", "slices", "words"),
    [
        ("atlas-800i-a2-64g", ["vm-mode"], APPLIANCE, ["mode for virtual machines", "mode: docker"]),
        ("atlas-800-9000", ["smp-mode"], [{"npu_id": 0, "template": "vir16"}], ["SMP mode", "AMP"]),
        ("atlas-800i-a3", None, [{"npu_id": 0, "template": BIG}], ["does not support"]),
        ("atlas-300i-duo-96g", None, "half a card", ["chip 1", "both must be in one mode"]),
        ("atlas-800i-a2-64g", None, [{"npu_id": 6, "template": "vir10_3c_16g"}], ["unknown to this 910B", BIG]),
        ("atlas-800i-a2-64g", None, [{"npu_id": 9, "template": BIG}], ["no such chip", "NPU 7 chip 0"]),
        ("atlas-800i-a2-64g", None, [{"npu_id": 6, "template": BIG}] * 3, ["does not fit", "aicore 30 of 20"]),
    ],
)
def test_refusals_before_the_first_change(machine, profile, fault, slices, words):
    node = machine(profile)
    if fault:
        node.npusim("fault", "add", *fault)
    npus = state.load(str(node.root)).npus
    if slices == "half a card":
        slices = [{"npu_id": npus[0].npu_id, "template": "vir04"}]
    refused = node.call(slices, state="exact")
    assert refused.get("failed"), refused
    assert [word for word in words if word not in refused["msg"]] == []
    assert refused["msg"].startswith("Nothing was changed.") and node.changes() == []


def test_the_mode_is_changed_where_asked(machine):
    node = machine()
    node.npusim("fault", "add", "vm-mode")
    made = node.call(APPLIANCE[:1], mode="docker")
    assert made["changed"] and made["steps"][0]["setting"] == "mode"
    assert node.changes()[0] == "set -t vnpu-mode -d 0" and node.carries() == {(6, 0): {196: BIG}}


def test_the_mode_is_changed_back_when_a_create_fails(machine):
    node = machine()
    node.npusim("fault", "add", "vm-mode")
    node.npusim("fault", "add", "vnpu-create", "--phy", "6", "--times", "1")
    failed = node.call(APPLIANCE[:1], mode="docker")
    assert failed["restored"] and state.load(str(node.root)).vnpu_mode == "VM"


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 2, "slices": [], "pending": null}'])
def test_a_damaged_ownership_file_is_not_guessed_at(machine, content):
    node = machine()
    node.file.parent.mkdir()
    node.file.write_text(content)
    failed = node.call(APPLIANCE)
    assert str(node.file) in failed["msg"] and "move it away" in failed["msg"]
    assert node.file.read_text() == content and node.carries() == {}


@pytest.mark.parametrize("check", [False, True])
def test_who_may_not_use_the_ownership_file_is_told_so(machine, monkeypatch, check):
    def deny(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    node = machine()
    monkeypatch.setattr("os.makedirs", deny)
    if check:
        monkeypatch.setattr("builtins.open", deny)
    failed = node.call(APPLIANCE, check=check)
    assert "(Permission denied)" in failed["msg"] and failed["msg"].endswith("run the task with become: true.")


def test_two_runs_at_a_time(machine):
    import fcntl

    node = machine()
    node.file.parent.mkdir()
    with open(str(node.file) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another run" in node.call(APPLIANCE)["msg"]
    assert node.call(APPLIANCE)["changed"]


def test_the_machine_outranks_the_table(machine):
    node = machine()
    tool = node.root / "npu-smi"
    tool.write_text(
        tool.read_text().replace("exec ", f'[ "$3" = template-info ] && exec cat {node.root}/printed\nexec ')
    )
    real = subprocess.run(
        [sys.executable, "-m", "npusim", "npu-smi", "info", "-t", "template-info"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (node.root / "printed").write_text(real.replace(SMALL, "vir05_9c_16g"))
    refused = node.call(APPLIANCE)
    assert f"template {SMALL} is unknown" in refused["msg"] and "vir05_9c_16g" in refused["msg"]
    planned = node.call([{"npu_id": 7, "template": "vir05_9c_16g"}], check=True)
    assert any(
        "vir05_9c_16g is printed by the machine but not published" in one for one in planned["template_differences"]
    )
    assert all(one in json.dumps(planned["warnings"]) for one in planned["template_differences"])


def test_a_service_gets_its_slice_back_by_name(machine):
    node = machine()
    node.call(APPLIANCE[:2], state="exact")
    renamed = [APPLIANCE[1], {**APPLIANCE[0], "service": "other"}]
    assert node.call(renamed, state="exact")["changed"] and node.changes() == []
    assert node.owned() == {196: (BIG, "other"), 197: (BIG, "bge-reranker")}
    assert not node.call(renamed, state="exact")["changed"]


def test_faults_are_there():
    assert {"vnpu-create", "vnpu-destroy", "vnpu-late", "vnpu-held", "vnpu-reused", "power-cut"} <= set(faults.KINDS)

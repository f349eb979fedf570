# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds NPUs, which units are ours, the note of a run, and which packages bring a version back."""

from __future__ import annotations

import json
import zipfile

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._hdk_machine import read_note, strangers, unit_names
from ansible_collections.npuops.ascend.plugins.module_utils._hdk_packages import inside, kept, wanted
from ansible_collections.npuops.ascend.plugins.module_utils._hdk_plan import Note
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError

DRIVER = "Ascend-hdk-910b-npu-driver_{}_linux-x86-64.run"
FIRMWARE = "Ascend-hdk-910b-npu-firmware_{}.run"
ZIP = "Ascend-hdk-910b-npu_{}_linux-x86-64.zip"


def container(name, devices=(), label=None):
    return {
        "Name": "/" + name,
        "HostConfig": {"Devices": [{"PathOnHost": device} for device in devices]},
        "Config": {"Labels": {"npuops.service": label} if label else {}, "Env": []},
    }


def held(processes=(), containers=(), slices=(), ours=(), owners=None):
    owners = owners or {}
    return list(strangers(processes, containers, slices, ours, owners.get))


def test_a_process_of_nobody_is_a_stranger_and_one_of_a_service_is_not():
    processes = [{"npu_id": 1, "pid": 7, "name": "python3"}, {"npu_id": 2, "pid": 8, "name": ""}]
    assert held(processes, owners={8: "chat"}) == ["NPU 1 is used by process 7 (python3)"]
    assert held(processes[1:]) == ["NPU 2 is used by process 8 (name hidden)"]


def test_a_container_that_only_has_devices_holds_them_all_the_same():
    containers = [
        container("notebook", ["/dev/davinci3", "/dev/davinci4", "/dev/davinci_manager"]),
        container("sliced", ["/dev/vdavinci196"]),
        container("npuops-chat", ["/dev/davinci0"], label="chat"),
        container("web"),
    ]
    assert held(containers=containers) == [
        "container notebook has /dev/davinci3, /dev/davinci4",
        "container sliced has /dev/vdavinci196",
    ]


def test_a_slice_of_somebody_else_is_a_stranger():
    (sentence,) = held(slices=[196, 212], ours=[{"vnpu_id": 196}])
    assert sentence.startswith("vNPU 212 was not carved by this collection")


def test_servers_are_stopped_before_the_ray_nodes_they_run_in(tmp_path):
    services, units = tmp_path / "services", tmp_path / "units"
    services.mkdir()
    units.mkdir()
    for name in ("chat", "batch", "gone"):
        (services / f"{name}.fact").touch()
    for name in (
        "npuops-chat-ray",
        "npuops-chat",
        "npuops-chat-watchdog",
        "npuops-batch",
        "npuops-lab-process-3",
        "npuops-other",
    ):
        (units / f"{name}.service").touch()
    assert unit_names(str(services), str(units)) == [
        "npuops-chat-watchdog.service",
        "npuops-batch.service",
        "npuops-chat.service",
        "npuops-chat-ray.service",
    ]
    assert unit_names(str(tmp_path / "nowhere"), str(units)) == []


def test_a_note_is_read_as_it_was_written(tmp_path):
    note = Note("A", {"driver": "25.2.0", "firmware": None}, {"driver": "25.5.0"}, ({"name": "u"},), (), 8, ("driver",))
    path = tmp_path / "hdk.json"
    assert read_note(str(path)) is None
    path.write_text(json.dumps(note.to_dict()))
    assert read_note(str(path)) == note


@pytest.mark.parametrize("text", ["", "[]", '{"boot": "A"}', "{"])
def test_a_note_that_cannot_be_understood_is_an_error_and_no_clean_slate(tmp_path, text):
    path = tmp_path / "hdk.json"
    path.write_text(text)
    with pytest.raises(VendorError, match="cannot be read"):
        read_note(str(path))


def make_zip(path, version, firmware):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(DRIVER.format(version), "")
        archive.writestr(FIRMWARE.format(firmware), "")


def test_what_packages_have_inside(tmp_path):
    path = tmp_path / ZIP.format("25.5.0")
    make_zip(path, "25.5.0", "7.8.0.5.216")
    assert inside(str(path)) == {"driver": "25.5.0", "firmware": "7.8.0.5.216"}
    assert inside(FIRMWARE.format("7.7.0.6.236")) == {"firmware": "7.7.0.6.236"}
    assert inside("Ascend-docker-runtime_26.0.1_linux-aarch64.run") == {}
    path.write_text("no zip")
    with pytest.raises(VendorError, match="cannot be opened"):
        inside(str(path))


def test_the_package_before_is_kept_and_others_of_driver_and_firmware_are_spare(tmp_path):
    names = [
        DRIVER.format("25.2.0"),
        DRIVER.format("25.5.0"),
        DRIVER.format("24.1.0.3"),
        FIRMWARE.format("7.5.0.7.220"),
    ]
    names += ["Ascend-docker-runtime_26.0.1_linux-x86_64.run", "notes.txt"]
    for name in names:
        (tmp_path / name).touch()
    make_zip(tmp_path / ZIP.format("25.2.0"), "25.2.0", "7.7.0.6.236")
    (tmp_path / ZIP.format("25.0.0")).write_text("cut off while it was copied")
    before, after = {"driver": "25.2.0", "firmware": "7.7.0.6.236"}, {"driver": "25.5.0", "firmware": "7.8.0.5.216"}
    back, spare = kept(str(tmp_path), before, after)
    assert back == {
        "driver": str(tmp_path / DRIVER.format("25.2.0")),
        "firmware": str(tmp_path / ZIP.format("25.2.0")),
    }
    assert spare == [str(tmp_path / DRIVER.format("24.1.0.3")), str(tmp_path / FIRMWARE.format("7.5.0.7.220"))]
    assert kept(str(tmp_path / "nowhere"), before, after) == ({"driver": None, "firmware": None}, [])


WANTED = {
    "versions": ({"version": "25.5.0", "firmware_version": "7.8.0.5.216"}, ("25.5.0", "7.8.0.5.216")),
    "nothing": ({"version": "", "package": ""}, (None, None)),
    "files": (
        {"driver_package": "/srv/" + DRIVER.format("25.5.0"), "firmware_package": FIRMWARE.format("7.8.0.5.216")},
        ("25.5.0", "7.8.0.5.216"),
    ),
    "a zip elsewhere": (
        {"package": "https://site/" + ZIP.format("25.5.0"), "firmware_version": "7.8.0.5.216"},
        ("25.5.0", "7.8.0.5.216"),
    ),
    "both, the same": ({"version": "25.3.RC1", "driver_package": DRIVER.format("25.3.rc1")}, ("25.3.rc1", None)),
}


@pytest.mark.parametrize("name", WANTED)
def test_versions_that_are_asked_for(name):
    said, (driver, firmware) = WANTED[name]
    assert wanted(said) == {"driver": driver, "firmware": firmware}


def test_a_zip_says_its_firmware(tmp_path):
    make_zip(tmp_path / ZIP.format("25.5.0"), "25.5.0", "7.8.0.5.216")
    assert wanted({"package": str(tmp_path / ZIP.format("25.5.0"))})["firmware"] == "7.8.0.5.216"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"version": "25.2.0", "driver_package": DRIVER.format("25.5.0")}, "hdk_version is 25.2.0"),
        ({"driver_package": FIRMWARE.format("7.8.0.5.216")}, "a package of the firmware"),
        ({"package": DRIVER.format("25.5.0")}, "a package of the driver"),
        ({"package": "https://site/" + ZIP.format("25.5.0")}, "which firmware"),
        ({"driver_package": "driver.run"}, "not named like a package"),
    ],
)
def test_contradictions_are_told(said, text):
    with pytest.raises(VendorError, match=text):
        wanted(said)

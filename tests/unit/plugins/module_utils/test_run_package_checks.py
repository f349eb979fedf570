# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found before an installer is started, what is noted about it, and when a restart is due."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _run_package_checks as checks
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._run_package import parse_file_name, read_installed
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_journal import Journal
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import Part
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_running import (
    Running,
    boot_identity,
    boot_time,
    process_mark,
    read_running,
    why_restart,
)

DRIVER = parse_file_name("Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run")


class Machine(checks.Machine):
    """A machine with these tools, users and bytes free."""

    def __init__(self, tools=(), users=(), free=1 << 40, headers=True) -> None:
        super().__init__()
        self.tools, self.users, self.bytes_free, self.with_headers = tools, users, free, headers

    def has(self, tool):
        return tool in self.tools

    def user(self, name):
        return name in self.users

    def free(self, path):
        return self.bytes_free

    def headers(self):
        return self.with_headers


@pytest.mark.parametrize(
    "file,arch,families,words",
    [
        ("Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run", "x86_64", ["A2"], []),
        ("Ascend-hdk-910b-npu-driver_25.5.0_linux-aarch64.run", "x86_64", ["A2"], ["is for aarch64"]),
        ("Ascend-hdk-310p-npu-driver_25.5.0_linux-x86-64.run", "x86_64", ["A2"], ["chips of 310P"]),
        ("Atlas-A3-hdk-npu-driver_25.5.0_linux-aarch64.run", "x86_64", ["A2"], ["is for aarch64", "chips of A3"]),
        ("Ascend-hdk-910b-npu-firmware_7.7.0.6.236.run", "x86_64", [], []),
        ("Ascend-hdk-910b-npu-firmware_7.7.0.6.236.run", "x86_64", ["310P", "A2"], []),
        ("Ascend-cann-kernels-910b_8.0.RC1_linux.run", "aarch64", ["910"], ["chips of A2"]),
    ],
)
def test_the_file_name_must_fit_the_machine(file, arch, families, words):
    package = parse_file_name(file)
    found = checks.check_arch(package, arch) + checks.check_family(package, families)
    assert len(found) == len(words)
    assert all(word in entry.reason and entry.lasting for word, entry in zip(words, found))


def test_the_chip_family_is_read_from_the_bus(tmp_path):
    for address, vendor, device in (
        ("0000:01", "0x19e5", "0xd802"),
        ("0000:02", "0x19e5", "0x0222"),
        ("0", "0x8086", "0xd802"),
    ):
        place = tmp_path / "bus/pci/devices" / address
        place.mkdir(parents=True)
        (place / "vendor").write_text(vendor + "\n")
        (place / "device").write_text(device + "\n")
    assert checks.Machine(sys=str(tmp_path)).families() == ["A2"]
    assert checks.Machine(sys=str(tmp_path / "none")).families() == []


@pytest.mark.parametrize(
    "file,accepted,asks",
    [
        ("Ascend-docker-runtime_7.1.RC1_linux-x86_64.run", False, False),
        ("Ascend-docker-runtime_26.0.1_linux-x86_64.run", False, False),
        ("Ascend-docker-runtime_26.1.0_linux-x86_64.run", False, True),
        ("Ascend-docker-runtime_v26.1.0.beta.1_linux-x86_64.run", False, True),
        ("Ascend-docker-runtime_26.1.0_linux-x86_64.run", True, False),
        ("Ascend-hdk-910b-npu-driver_26.1.0_linux-x86-64.run", False, False),
    ],
)
def test_a_licence_must_be_accepted_by_the_user(file, accepted, asks):
    assert bool(checks.check_eula(parse_file_name(file), accepted)) is asks


def test_all_that_is_missing_is_in_one_message():
    tools = ["chattr", "ps", "systemctl", "modinfo", "awk", "which"]
    machine = Machine(tools=tools)
    found = checks.check_tools("driver", machine) + checks.check_user("driver", "HwHiAiUser", machine)
    with pytest.raises(VendorError) as failure:
        checks.complain(found)
    text = str(failure.value)
    assert "lspci, ifconfig" in text and "pciutils, net-tools" in text and "HwHiAiUser" in text and "groupadd" in text
    assert checks.check_tools("driver", Machine(tools=[*tools, "lspci", "ifconfig"])) == []
    assert checks.check_tools("docker_runtime", machine) == []
    assert checks.check_user("cann", "HwHiAiUser", machine) == []
    checks.complain([])


def test_tools_to_build_modules():
    assert checks.check_build_tools("driver", Machine(tools=["gcc", "make", "dkms"])) == []
    (found,) = checks.check_build_tools("driver", Machine(tools=["make"], headers=False))
    assert "gcc, dkms, the headers of kernel" in found.reason
    assert checks.check_build_tools("firmware", Machine()) == []


def test_user_and_group_are_looked_up(tmp_path):
    (tmp_path / "passwd").write_text("root:x:0:0::/:/bin/sh\nHwHiAiUser:x:1000:1000::/:/bin/sh\n")
    (tmp_path / "group").write_text("root:x:0:\n")
    machine = checks.Machine(etc=str(tmp_path))
    assert not machine.user("HwHiAiUser")
    (tmp_path / "group").write_text("root:x:0:\nHwHiAiUser:x:1000:\n")
    assert machine.user("HwHiAiUser") and not machine.user("HwHi")


@pytest.mark.parametrize(
    "kind,free_mb,places",
    [
        ("driver", 300, ["/usr/local/Ascend"]),
        ("driver", 301, []),
        ("driver", 2, ["/usr/local/Ascend", "/tmp"]),
        ("firmware", 32, ["/usr/local/Ascend"]),
        ("firmware", 33, []),
        ("cann", 9, []),
        ("cann", 3, ["/usr/local/Ascend", "/tmp"]),
    ],
)
def test_space_is_looked_for_where_it_is_needed(tmp_path, kind, free_mb, places):
    package = tmp_path / "x.run"
    package.write_bytes(b"\0" * (1 << 20))
    found = checks.check_space(kind, str(package), "/usr/local/Ascend", "/tmp", Machine(free=free_mb << 20))
    assert [entry.reason.split()[0] for entry in found] == places


def test_the_size_unpacked_is_in_the_head_of_the_archive(tmp_path):
    package = tmp_path / "x.run"
    package.write_bytes(b'if test "$leftspace" -lt 81234; then\n  exit 1\nfi\nexit $res\n' + os.urandom(100))
    assert checks.unpacked_size(str(package)) == 81234 * 1024
    package.write_bytes(b"\0" * 100)
    assert checks.unpacked_size(str(package)) == 300


def test_the_checksum_of_the_package(tmp_path):
    package = tmp_path / "x.run"
    package.write_bytes(b"abc")
    good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    checks.check_sum(str(package), good.upper() + " ")
    with pytest.raises(VendorError, match=f"has sha256 {good}, not {'0' * 64}"):
        checks.check_sum(str(package), "0" * 64)


TOOLKIT = {"/usr/local/Ascend/cann-8.5.0/x86_64-linux/ascend_toolkit_install.info": "version=8.5.0\n"}


@pytest.mark.parametrize(
    "file,files,words",
    [
        ("Ascend-cann-910b-ops_8.5.0_linux-x86_64.run", TOOLKIT, None),
        ("Ascend-cann-910b-ops_9.0.0_linux-x86_64.run", TOOLKIT, "there are 8.5.0"),
        ("Ascend-cann-nnal_8.5.0_linux-x86_64.run", {}, "there is none"),
        ("Ascend-cann-toolkit_8.5.0_linux-x86_64.run", {}, None),
    ],
)
def test_operators_need_their_toolkit(file, files, words):
    found = checks.check_toolkit(parse_file_name(file), read_installed(files))
    assert [words in entry.reason for entry in found] == ([True] if words else [])


def test_driver_and_firmware_say_what_they_do_not_go_with():
    files = {
        "/etc/ascend_install.info": "Driver_Install_Path_Param=/a\nFirmware_Install_Path_Param=/a\n",
        "/a/driver/version.info": "Version=26.0.rc1\ncompatible_version_fw=[7.8.0,9.9.99]\n",
        "/a/firmware/version.info": "Version=7.5.0.1\ncompatible_version_drv=[24.1,24.1.]\n",
    }
    assert checks.misfits(read_installed(files)) == [
        "driver 26.0.rc1 accepts firmware [7.8.0,9.9.99], and 7.5.0.1 is installed",
        "firmware 7.5.0.1 accepts driver [24.1,24.1.], and 26.0.rc1 is installed",
    ]
    files["/a/firmware/version.info"] = "Version=7.8.0.5.216\n"
    assert checks.misfits(read_installed(files)) == []


def proc(root: Path, boot: str, ticks: int, btime: int = 1000) -> str:
    """A /proc whose process 1 has an awkward name."""
    (root / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (root / "sys/kernel/random/boot_id").write_text(boot + "\n")
    (root / "stat").write_text(f"cpu 1 2\nbtime {btime}\n")
    (root / "1").mkdir(exist_ok=True)
    (root / "1/stat").write_text(f"1 (a) (b) S {' '.join(['0'] * 18)} {ticks} 0\n")
    return str(root)


def test_a_start_of_the_machine_or_of_its_container_is_another_one(tmp_path):
    first = boot_identity(proc(tmp_path, "aaa", 5))
    assert first == "aaa:5" == boot_identity(proc(tmp_path, "aaa", 5))
    assert boot_identity(proc(tmp_path, "aaa", 9)) != first != boot_identity(proc(tmp_path, "bbb", 5))
    assert boot_time(proc(tmp_path, "aaa", 5 * os.sysconf("SC_CLK_TCK"))) == 1005
    assert process_mark(os.getpid()) and process_mark(0) is None


def test_the_journal_knows_what_was_cut_and_which_restart_is_due(tmp_path):
    state, here = tmp_path / "state", proc(tmp_path / "proc", "aaa", 5)

    def journal() -> Journal:
        fresh = Journal(str(state), proc=here)
        fresh.read()
        return fresh

    one = Journal(str(state), proc=here)
    with one.locked():
        one.begin("driver", version="25.5.0", action="upgrade")
        assert journal().unfinished("driver") == "its upgrade of 25.5.0 was cut"
        with pytest.raises(VendorError, match="another run installs"), Journal(str(state), proc=here).locked():
            pass
        one.end("driver", "Reboot needed")
    assert journal().unfinished("driver") == "" and journal().reboot("driver") == "Reboot needed"
    assert journal().unfinished("firmware") == "" and journal().reboot("firmware") is None
    # A second run of the same start that asks for nothing does not undo it; a start does.
    with one.locked():
        one.begin("driver", version="25.5.0", action="reinstall")
        one.end("driver")
    assert journal().reboot("driver") == "Reboot needed"
    proc(tmp_path / "proc", "bbb", 5)
    assert journal().reboot("driver") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"driver": 5}'])
def test_a_damaged_journal_is_an_empty_one(tmp_path, text):
    (tmp_path / "packages.json").write_text(text)
    journal = Journal(str(tmp_path))
    journal.read()
    assert journal.entries == {}


def test_an_installer_of_an_earlier_run_is_recognized(tmp_path):
    journal = Journal(str(tmp_path))
    journal.begin("driver", version="1")
    journal.started("driver", os.getpid())
    assert journal.runs("driver") == os.getpid()
    journal.entries["driver"]["process"] = f"{os.getpid()}:1"
    assert journal.runs("driver") is None


def test_check_mode_notes_nothing(tmp_path):
    journal = Journal(str(tmp_path / "state"), readonly=True)
    with journal.locked():
        journal.begin("driver", version="1")
    assert not (tmp_path / "state").exists()


def test_a_journal_that_cannot_be_written_stops_before_the_installer(tmp_path):
    (tmp_path / "state").write_text("")
    with pytest.raises(VendorError, match="cannot be written"), Journal(str(tmp_path / "state")).locked():
        pass


THERE = Part("25.5.0", "/usr/local/Ascend")


@pytest.mark.parametrize(
    "kind,part,running,noted,changed,words",
    [
        ("driver", THERE, Running(True, "25.5.0"), None, 0, ""),
        ("driver", THERE, Running(True, "25.5.0"), "Reboot needed", 0, "Reboot needed"),
        ("driver", THERE, Running(True, "25.2.0"), None, 0, "driver 25.5.0 is installed and 25.2.0 runs"),
        ("driver", Part("25.0.rc1", "/a"), Running(True, "25.0.RC1.b002"), None, 0, ""),
        ("driver", THERE, Running(), None, 200, "driver 25.5.0 was installed after the last start and is not loaded"),
        # It was there at the last start, and that did not load it.
        ("driver", THERE, Running(), None, 50, ""),
        ("driver", THERE, Running(), None, None, ""),
        ("driver", THERE, Running(True, trouble="npu-smi hangs"), None, 200, ""),
        ("driver", Part(), Running(), None, None, ""),
        (
            "driver",
            Part(),
            Running(True, "25.2.0"),
            "Reboot needed for uninstallation",
            None,
            "Reboot needed for unins",
        ),
        (
            "firmware",
            Part("7.8", "/a"),
            Running(True, "25.5.0", "7.7"),
            None,
            0,
            "firmware 7.8 is installed and 7.7 runs",
        ),
        ("firmware", Part("7.8", "/a"), Running(True, "25.5.0", None), None, 0, ""),
        ("docker_runtime", Part("7.1.RC1", "/a"), Running(), None, None, ""),
    ],
)
def test_when_a_restart_is_due(kind, part, running, noted, changed, words):
    reason = why_restart(kind, part, running, noted, changed, booted=100)
    assert reason.startswith(words) and bool(reason) == bool(words)


def test_without_a_driver_nothing_is_asked(tmp_path):
    running = read_running(str(tmp_path / "no-npu-smi"), 5, dev=str(tmp_path))
    assert (running.loaded, running.driver) == (False, None) and "no driver is loaded" in running.trouble
    (tmp_path / "davinci_manager").touch()
    running = read_running(str(tmp_path / "no-npu-smi"), 5, dev=str(tmp_path))
    assert (running.loaded, running.driver) == (True, None) and "no-npu-smi" in running.trouble


def test_a_file_of_the_journal_is_readable_by_people(tmp_path):
    journal = Journal(str(tmp_path))
    journal.begin("driver", version="25.5.0", package="x.run", sha256=None, action="install")
    entry = json.loads((tmp_path / "packages.json").read_text())["driver"]
    assert (entry["version"], entry["package"], entry["unfinished"]) == ("25.5.0", "x.run", True)

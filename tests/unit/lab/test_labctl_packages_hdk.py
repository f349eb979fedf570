# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated installers of driver and firmware: options, questions, exit codes, texts, files."""

from __future__ import annotations

import fcntl
import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("package_machine", Path(__file__).with_name("package_machine.py"))
package_machine = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(package_machine)

pytestmark = pytest.mark.skipif(not package_machine.may_install(), reason="the installers run as root")
HDK = "Ascend-hdk-910b-npu-"
INFO = "etc/ascend_install.info"
DRIVER_VERSION = "usr/local/Ascend/driver/version.info"
FIRMWARE_VERSION = "usr/local/Ascend/firmware/version.info"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package_machine.build(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def machine(tmp_path: Path):
    return package_machine.PackageMachine(tmp_path)


def driver(shop: Path, version: str = "25.2.0", arch: str = "x86-64") -> Path:
    return shop / f"{HDK}driver_{version}_linux-{arch}.run"


def firmware(shop: Path, version: str = "7.7.0.6.236") -> Path:
    return shop / f"{HDK}firmware_{version}.run"


def installed(machine, shop: Path, version: str = "25.2.0"):
    status, text = machine.run(driver(shop, version), "--full", "--install-for-all", "--quiet")
    assert status == 2, text
    return machine


def test_first_installation(machine, shop: Path) -> None:
    status, text = machine.run(driver(shop), "--full", "--install-for-all", "--quiet")
    lines = text.splitlines()
    assert status == 2
    assert "Verifying archive integrity...  100%   SHA256 checksums are OK. All good." in text
    assert "[Driver] [INFO]LogFile: /var/log/ascend_seclog/ascend_install.log" in lines
    assert "[Driver] [WARNING]Do not power off or restart the system during the installation/upgrade" in lines
    assert "[Driver] [INFO]set username and usergroup, HwHiAiUser:HwHiAiUser" in lines
    assert [line for line in lines if "Percentage" in line] == [
        f"[Driver] [INFO]upgradePercentage:{percent}%" for percent in (10, 30, 40, 50, 90, 100)
    ]
    assert lines[-2].rstrip() == (
        "[Driver] [INFO]Driver package installed successfully! Reboot needed for installation/upgrade to take effect!"
    )
    assert lines[-1].startswith("[Driver] [INFO]End time: ")
    assert machine.read(INFO).splitlines() == [
        "UserName=HwHiAiUser",
        "UserGroup=HwHiAiUser",
        "Driver_Install_Type=full",
        "Driver_Install_Path_Param=/usr/local/Ascend",
        "Driver_Install_For_All=yes",
        "Driver_Install_Mode=normal",
        "Driver_Install_Status=complete",
    ]
    assert machine.read(DRIVER_VERSION).startswith("Version=25.2.0\n")
    assert machine.read("lib/davinci.conf") == "DAVINCI_HOME_PATH=/usr/local/Ascend\n"
    assert machine.read("etc/vnpu.cfg").startswith("vnpu_config_recover:enable\n")
    assert machine.read("etc/hccn.conf") == ""
    assert "Install SUGGESTION root" in machine.read("var/log/ascend_seclog/operation.log")
    assert not list(machine.home.iterdir()), "the archive's directory is left"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "ERR_NO:0x0004;ERR_DES: Unrecognized parameters. Try './xxx.run --help'"),
        (("--full", "--bogus"), "ERR_NO:0x0004;ERR_DES: Unrecognized parameters: --bogus. Try './xxx.run --help'"),
        (("--full", "--run"), "only support one type: full/debug/run/docker/devel, operation failed!"),
        (("--full", "--upgrade"), "The parameter needs to be used with full/debug/run/docker/upgrade/devel."),
        (("--quiet",), "The parameter needs to be used with full/debug/run/docker/upgrade/devel."),
        (("--version", "--quiet"), "version/check can't use with other parameters."),
        (("--upgrade", "--install-for-all"), "install-for-all param need used with full/debug/run/devel."),
        (("--upgrade", "--install-path=/opt/a"), "install-path param need used with full/debug/run/docker/devel."),
        (("--full", "--install-path="), "ERR_NO:0x0003;ERR_DES:install path is null, install failed"),
        (("--full", "--install-path=a/b"), "ERR_NO:0x0003;ERR_DES:install-path input error, install failed"),
        (("--full", "--install-path=/no/where"), "ERR_NO:0x0003;ERR_DES:install path /no not exists,runpackage only"),
        (("--full", "--install-username=x"), "Username and usergroup are not specified at the same time."),
        (("--uninstall", "--quiet"), "uninstall can't use with other parameters except force."),
        (("--uninstall",), "ERR_NO:0x0080;ERR_DES:Driver package is not installed on this device, uninstall failed"),
        (("--upgrade", "--vnpu_guest"), "vnpu_host/vnpu_guest/vnpu_docker_host param need used with full/run."),
    ],
)
def test_what_the_driver_refuses(machine, shop: Path, words: tuple, expected: str) -> None:
    status, text = machine.run(driver(shop), *words)
    assert (status, expected in text) == (1, True), text
    assert not (machine.root / INFO).exists() and not (machine.root / "usr").exists()


def test_version_and_check(machine, shop: Path) -> None:
    status, text = machine.run(driver(shop, "25.5.0"), "--version")
    assert (status, text.splitlines()[-1]) == (0, "[Driver] [INFO]driver version :25.5.0")
    assert machine.run(driver(shop, "25.5.0"), "--check")[0] == 0
    assert machine.run(firmware(shop), "--version")[1].splitlines()[-1].endswith("firmware version :7.7.0.6.236")


@pytest.mark.parametrize(
    ("passwd", "group", "expected"),
    [
        ("", "HwHiAiUser:x:1000:\n", "ERR_NO:0x0091;ERR_DES:HwHiAiUser not exists! Please add HwHiAiUser"),
        ("HwHiAiUser:x:1000:1000::/:/bin/sh\n", "", "HwHiAiUser group not exists! Please add HwHiAiUser group"),
        ("HwHiAiUser:x:1000:7::/:/bin/sh\n", "HwHiAiUser:x:1000:\n", "ERR_NO:0x0096;ERR_DES:HwHiAiUser not right!"),
    ],
)
def test_the_user_must_be_there(machine, shop: Path, passwd: str, group: str, expected: str) -> None:
    (machine.root / "etc/passwd").write_text(passwd)
    (machine.root / "etc/group").write_text(group)
    status, text = machine.run(driver(shop), "--full", "--quiet")
    assert (status, expected in text) == (1, True), text


def test_what_the_host_must_have(machine, shop: Path) -> None:
    machine.tool("lspci", None)
    machine.tool("ifconfig", None)
    status, text = machine.run(driver(shop), "--full", "--quiet")
    assert status == 1
    assert "[Driver] [ERROR]The list of missing tools: lspci,ifconfig," in text


def test_not_root(machine, shop: Path) -> None:
    machine.tool("id", 'case $1 in -u) echo 1000 ;; *) echo "uid=1000(me)" ;; esac')
    status, text = machine.run(driver(shop), "--full")
    assert (status, "ERR_NO:0x0093;ERR_DES:do not have root permission" in text) == (1, True), text


@pytest.mark.parametrize(
    ("name", "env", "expected"),
    [
        (f"{HDK}driver_25.5.0_linux-aarch64.run", {}, "Arch mismatch, src package is aarch64, cur os is x86_64"),
        ("Ascend-hdk-310p-npu-driver_25.5.0_linux-x86-64.run", {}, "package and environment is not match"),
        (f"{HDK}driver_25.5.0_linux-x86-64.run", {"CHIP": "d803"}, "package and environment is not match"),
        ("Ascend-hdk-310p-npu-firmware_7.8.0.5.216.run", {}, "package and environment is not match"),
    ],
)
def test_another_architecture_or_chip(machine, shop: Path, name: str, env: dict, expected: str) -> None:
    status, text = machine.run(shop / name, "--full", "--quiet", **env)
    assert (status, expected in text) == (1, True), text


def test_too_little_space(machine, shop: Path) -> None:
    df = (machine.bin / "df").resolve()
    machine.tool("df", f'case $1 in -BM) echo "x 500M 300M 200M 60% /" ;; *) {df} "$@" ;; esac')
    status, text = machine.run(driver(shop), "--full", "--quiet")
    assert status == 1
    assert "free space only 200M, cannot install driver package (greater than 300M), please make sure" in text


def test_one_at_a_time(machine, shop: Path) -> None:
    with open(machine.root / "var/lock/npupkg-driver", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, text = machine.run(driver(shop), "--full", "--quiet")
    assert (status, "ERR_NO:0x0094;ERR_DES:There is already a process being executed" in text) == (1, True), text


@pytest.mark.parametrize(
    ("answer", "status", "expected", "version"),
    [
        ("n\n", 0, "[Driver] [INFO]installation Stoped!", "25.2.0"),
        ("maybe\ny\n", 2, "[ERROR]ERR_NO:0x0002;ERR_DES:input error, please input again!", "25.5.0"),
    ],
)
def test_an_overwrite_asks(machine, shop: Path, answer: str, status: int, expected: str, version: str) -> None:
    installed(machine, shop)
    found, text = machine.run(driver(shop, "25.5.0"), "--full", stdin=answer)
    assert (found, expected in text) == (status, True), text
    assert "the version is 25.2.0, and the version of this package is 25.5.0,do you want to continue?  [y/n]" in text
    assert machine.read(DRIVER_VERSION).startswith(f"Version={version}\n")


def test_an_overwrite_that_nobody_answers_asks_for_ever(machine, shop: Path) -> None:
    installed(machine, shop)
    status, text = machine.run(driver(shop, "25.5.0"), "--full", timeout=1)
    assert status == 124
    assert text.count("input error, please input again!") > 10


@pytest.mark.parametrize(
    ("result", "status", "expected"),
    [
        ("success", 0, "Driver package upgraded successfully! The new version takes effect immediately."),
        ("unknown", 2, "upgraded successfully! Reboot needed for installation/upgrade to take effect!"),
        ("ko_abort", 2, "[Driver] [INFO]Driver package upgraded finished!"),
    ],
)
def test_upgrade_and_what_a_hot_reset_makes_of_it(machine, shop: Path, result: str, status: int, expected: str) -> None:
    installed(machine, shop)
    found, text = machine.run(driver(shop, "25.5.0"), "--upgrade", "--quiet", HOT_RESET=result)
    assert (found, expected in text) == (status, True), text
    assert "[Driver] [INFO]base version is 25.2.0." in text
    assert ("Kernel modules can not be removed, reboot needed" in text) == (result == "ko_abort")
    assert machine.read(DRIVER_VERSION).startswith("Version=25.5.0\n")
    assert machine.read(INFO).count("Driver_Install_Status=complete") == 1
    assert "Driver_Install_For_All=yes" in machine.read(INFO), "an upgrade keeps it"


def test_npus_in_use(machine, shop: Path) -> None:
    installed(machine, shop)
    for words in (("--upgrade", "--quiet"), ("--full", "--quiet"), ("--uninstall",)):
        status, text = machine.run(driver(shop, "25.5.0"), *words, OCCUPIED="y")
        assert (status, "The davinci nodes are occupied by some processes" in text) == (1, True), text
        assert machine.read(DRIVER_VERSION).startswith("Version=25.2.0\n")
    status, text = machine.run(driver(shop, "25.5.0"), "--upgrade", "--quiet", "--force", OCCUPIED="y")
    assert (status, "Reboot needed" in text) == (2, True), text


def test_killed_half_way_it_is_incomplete_and_the_next_run_recovers(machine, shop: Path) -> None:
    installed(machine, shop)
    status, text = machine.run(driver(shop, "25.5.0"), "--upgrade", "--quiet", STOP="40")
    assert status not in (0, 2) and "successfully" not in text
    assert not (machine.root / DRIVER_VERSION).exists()
    assert "Driver_Install_Status" not in machine.read(INFO)
    assert "Driver_Install_Path_Param=/usr/local/Ascend" in machine.read(INFO)
    status, text = machine.run(driver(shop, "25.5.0"), "--full")
    assert (status, "do you want to continue" in text) == (2, False), "there is no version to ask about"
    assert machine.read(DRIVER_VERSION).startswith("Version=25.5.0\n")


def test_a_firmware_too_old_is_found_after_the_old_driver_is_gone(machine, shop: Path) -> None:
    installed(machine, shop)
    assert machine.run(firmware(shop), "--full", "--quiet")[0] == 0
    status, text = machine.run(driver(shop, "26.0.rc1"), "--upgrade", "--quiet")
    assert status == 1
    assert "firmware is installed, current version: 7.7.0.6.236, required version is [7.8.0,9.9.99]" in text
    assert not (machine.root / DRIVER_VERSION).exists()
    assert machine.run(driver(shop), "--full", "--quiet")[0] == 2, "the old one goes on again"


def test_uninstall(machine, shop: Path) -> None:
    installed(machine, shop)
    status, text = machine.run(driver(shop), "--uninstall")
    assert status == 0
    assert "Driver package uninstalled successfully! Reboot needed for uninstallation to take effect!" in text
    assert not [name for name in machine.files() if name.startswith("usr/")]
    assert not (machine.root / INFO).exists()


def test_the_scripts_left_behind_uninstall_too(machine, shop: Path) -> None:
    installed(machine, shop)
    assert machine.run(firmware(shop), "--full", "--quiet")[0] == 0
    for part, end in (("firmware", "Uninstallation takes effect immediately."), ("driver", "to take effect!")):
        script = machine.root / f"usr/local/Ascend/{part}/script/uninstall.sh"
        status, text = machine.run(script, "--bogus")
        assert (status, "Only support '--quiet' and '--force'." in text) == (1, True), text
        status, text = machine.run(script, "--quiet")
        assert status == 0
        assert text.splitlines()[-1].rstrip().endswith(end), text
    assert not (machine.root / INFO).exists()


def test_firmware(machine, shop: Path) -> None:
    status, text = machine.run(firmware(shop), "--full", "--quiet")
    assert (status, "ERR_NO:0x0080" in text) == (1, True), "it writes chips with the driver's tool"
    installed(machine, shop)
    status, text = machine.run(firmware(shop), "--full", "--quiet")
    assert status == 0
    assert "[Firmware] [INFO]The firmware of [8] chips are successfully upgraded." in text
    assert "Firmware package installed successfully! Reboot now or after driver installation for the" in text
    assert machine.read(FIRMWARE_VERSION).splitlines()[0] == "Version=7.7.0.6.236"
    assert "package_version=25.2.0" in machine.read(FIRMWARE_VERSION)
    status, text = machine.run(firmware(shop, "7.8.0.5.216"), "--upgrade", "--quiet")
    assert (status, "Firmware package upgraded successfully!" in text) == (0, True), text
    status, text = machine.run(firmware(shop, "7.8.0.5.216"), "--full", stdin="n\n")
    assert (status, "installation Stoped!" in text) == (0, True), text
    status, text = machine.run(firmware(shop, "7.8.0.5.216"), "--uninstall")
    assert (status, "Firmware package uninstalled successfully!" in text) == (0, True), text
    assert not (machine.root / FIRMWARE_VERSION).exists()
    assert "Firmware" not in machine.read(INFO)


def test_a_firmware_that_the_driver_is_too_old_for(machine, shop: Path) -> None:
    installed(machine, shop)
    status, text = machine.run(firmware(shop, "9.0.0.0.205"), "--upgrade", "--quiet")
    assert status == 1
    assert "driver is installed, current version: 25.2.0, required version is [25.5,25.5.],[26.0,26.0.]" in text
    assert not (machine.root / FIRMWARE_VERSION).exists()

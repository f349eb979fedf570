# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_package and stack_info with small packages that write what the vendor's installers write, below a directory."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _run_package_checks, _run_package_work
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_running import Running
from ansible_collections.npuops.ascend.plugins.modules import run_package, stack_info

DRIVER = "Ascend-hdk-910b-npu-driver_{}_linux-x86-64.run"
FIRMWARE = "Ascend-hdk-910b-npu-firmware_{}.run"
RUNTIME = "Ascend-docker-runtime_{}_linux-x86_64.run"
TOOLKIT = "Ascend-cann-toolkit_{}_linux-x86_64.run"
NNAL = "Ascend-cann-nnal_{}_linux-x86_64.run"
NEEDED = "Reboot needed for installation/upgrade to take effect"

# Each script notes how it was called. @ROOT@ is the machine, @V@ the version.
HEAD = """ROOT=@ROOT@
echo "$(basename "$0") $*" >>$ROOT/calls
for word in "$@"; do [ "$word" != --uninstall ] || off=y; done
"""
HDK = """
A=$ROOT/usr/local/Ascend; I=$ROOT/etc/ascend_install.info
mkdir -p $A/@part@/script $ROOT/etc
@before@
rm -f $A/@part@/version.info
grep -qs "^@Part@_Install_Path_Param" $I || echo "@Part@_Install_Path_Param=/usr/local/Ascend" >>$I
echo "[INFO]upgradePercentage:50%"
@half@
printf 'Version=@V@\\npackage_version=@H@\\n@spans@\\n' >$A/@part@/version.info
cat >$A/@part@/script/uninstall.sh <<END
echo "uninstall.sh @part@" >>$ROOT/calls
rm -rf $A/@part@; sed -i "/^@Part@_/d" $I
echo "[INFO]@Part@ package uninstalled successfully! Uninstallation takes effect immediately."
END
@after@
"""
DONE = f'echo "[INFO]Driver package installed successfully! {NEEDED}!"; exit 2\n'
IMMEDIATE = 'echo "[INFO]Driver package installed successfully! The new version takes effect immediately."; exit 0\n'
FLASHED = (
    'echo "[INFO]Firmware package installed successfully! Reboot now or after driver installation for the '
    'installation/upgrade to take effect."\n'
)
DOCKER = """
P=$ROOT/usr/local/Ascend/Ascend-Docker-Runtime
@before@
mkdir -p $P/script
printf 'version=v@V@\\ninstall-scene=docker\\nconfig-file-path=\\n' >$P/ascend_docker_runtime_install.info
cat >$P/script/uninstall.sh <<END
echo "uninstall.sh \\$*" >>$ROOT/calls
rm -rf $P
echo "[INFO] uninstall.sh exec success"
END
case "$*" in *--upgrade*) w=upgrade;; *) w=install;; esac
echo "[INFO] ascend-docker-runtime $w success"
"""
EULA = """
echo 'Do you accept the EULA to install Ascend-docker-runtime?[Y/N]'
while true; do
  read -r yn
  case "$yn" in
    [Yy]) break ;;
    [Nn]) echo "[INFO] install cancelled, user declined EULA"; exit 0 ;;
    *) echo 'Do you accept the EULA to install Ascend-docker-runtime?[Y/N]' ;;
  esac
done
"""
CANN = """
H=$ROOT/usr/local/Ascend/cann-@V@
if [ -n "$off" ]; then rm -rf $H; echo "[INFO] Ascend-cann-toolkit uninstall success"; exit 0; fi
mkdir -p $H/x86_64-linux
printf 'package_name=Ascend-cann-toolkit\\nversion=@V@\\n' >$H/x86_64-linux/ascend_toolkit_install.info
echo "export FROM_SET_ENV=@V@" >$H/set_env.sh
echo "[INFO] Ascend-cann-toolkit install success"
"""
ATB = """
echo "env $FROM_SET_ENV $ASCEND_HOME_PATH" >>$ROOT/calls
D=$ROOT/usr/local/Ascend/nnal/atb/@V@; mkdir -p $D; echo "  Ascend-cann-atb : @V@" >$D/version.info
echo "[INFO] Ascend-cann-nnal install success"
"""


class Bench:
    """A machine that is a directory, packages beside it, and the modules on it."""

    def __init__(self, root: Path, call_module) -> None:
        self.root, self.call_module = root / "machine", call_module
        self.packages = root / "packages"
        self.root.mkdir()
        self.packages.mkdir()
        self.running = Running()

    def script(self, name: str, text: str, **values) -> Path:
        for key, value in {
            "ROOT": str(self.root),
            "before": "",
            "half": "",
            "spans": "",
            "after": DONE,
            **values,
        }.items():
            text = text.replace(f"@{key}@", value)
        path = self.packages / name
        path.write_text(HEAD.replace("@ROOT@", str(self.root)) + text)
        return path

    def driver(self, version: str, **values) -> Path:
        values = {"part": "driver", "Part": "Driver", "V": version, "H": version, **values}
        return self.script(DRIVER.format(version), HDK, **values)

    def firmware(self, version: str, hdk: str, **values) -> Path:
        values = {"part": "firmware", "Part": "Firmware", "V": version, "H": hdk, "after": FLASHED, **values}
        return self.script(FIRMWARE.format(version), HDK, **values)

    def zip(self, version: str, *members: Path) -> Path:
        path = self.packages / f"Ascend-hdk-910b-npu_{version}_linux-x86-64.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for member in members:
                archive.write(member, member.name)
                member.unlink()
        return path

    def call(self, path=None, check=False, module=run_package, **options) -> dict:
        given = {"state_dir": str(self.root / "state"), **options}
        if module is run_package:
            given["path"] = None if path is None else str(path)
            if "sha256" not in given and path is not None and Path(path).exists():
                given["sha256"] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            elif "sha256" not in given:
                given["checksum_waived"] = True
        given.update(_ansible_check_mode=check, _ansible_diff=True)
        return self.call_module(module, **given)

    def calls(self) -> list:
        """How installers were called since the last question."""
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def journal(self) -> dict:
        return json.loads((self.root / "state/packages.json").read_text())


@pytest.fixture
def bench(tmp_path, monkeypatch, call_module):
    made = Bench(tmp_path, call_module)
    monkeypatch.setattr(run_package, "ROOT", str(made.root))
    monkeypatch.setattr(stack_info, "ROOT", str(made.root))
    monkeypatch.setattr(_run_package_work, "read_running", lambda *_arguments: made.running)
    monkeypatch.setattr(stack_info, "read_running", lambda *_arguments: made.running)
    machine = _run_package_checks.Machine
    monkeypatch.setattr(machine, "has", lambda self, tool: True)
    monkeypatch.setattr(machine, "user", lambda self, name: True)
    monkeypatch.setattr(machine, "headers", lambda self: True)
    monkeypatch.setattr(machine, "families", lambda self: ["A2"])
    monkeypatch.setattr(machine, "free", lambda self, path: 1 << 40)
    monkeypatch.setattr(machine, "arch", property(lambda self: "x86_64"))
    return made


def test_a_first_installation_a_second_run_and_a_restart(bench):
    package = bench.driver("25.5.0")
    planned = bench.call(package, check=True)
    assert planned["changed"] and (planned["version_before"], planned["version_after"]) == (None, "25.5.0")
    assert planned["diff"] == {"before": "", "after": "driver 25.5.0\n"}
    assert planned["cmd"].endswith(f"{package} --full --install-for-all --quiet")
    assert bench.calls() == [] and not (bench.root / "state").exists()

    done = bench.call(package)
    assert done["changed"] and (done["action"], done["version_after"], done["exit_status"]) == ("install", "25.5.0", 2)
    assert "rc" not in done  # which would be a failure to Ansible
    assert (done["reboot_required"], done["reboot_reason"]) == (True, NEEDED)
    assert done["kind"] == "driver" and done["name"] == "Ascend-hdk-910b-npu-driver"
    assert done["log"] == "/var/log/ascend_seclog/ascend_install.log"
    assert bench.calls() == [f"{package.name} --full --install-for-all --quiet"]

    again = bench.call(package)
    assert not again["changed"] and again["action"] == "none" and again["cmd"] is None
    assert again["reboot_required"] and bench.calls() == []
    # The package need not be there any more.
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    package.unlink()
    assert not bench.call(package, sha256=digest)["changed"]


def test_after_a_restart_no_further_one_is_asked_for(bench, monkeypatch):
    package = bench.driver("25.5.0")
    bench.call(package)
    journal = bench.journal()
    journal["driver"]["boot"] = "an earlier one"
    (bench.root / "state/packages.json").write_text(json.dumps(journal))
    bench.running = Running(True, "25.5.0")
    again = bench.call(package)
    assert (again["changed"], again["reboot_required"], again["running_version"]) == (False, False, "25.5.0")
    bench.running = Running(True, "25.2.0")
    assert bench.call(package)["reboot_reason"] == "driver 25.5.0 is installed and 25.2.0 runs"


def test_a_hot_reset_needs_no_restart(bench):
    bench.running = Running(True, "25.5.0")
    done = bench.call(bench.driver("25.5.0", after=IMMEDIATE))
    assert (done["changed"], done["reboot_required"], done["reboot_reason"]) == (True, False, "")


def test_upgrade_downgrade_and_latest(bench):
    old, new = bench.driver("25.2.0"), bench.driver("25.5.0")
    bench.call(old)
    bench.calls()
    up = bench.call(new)
    assert (up["action"], up["version_before"], up["version_after"]) == ("upgrade", "25.2.0", "25.5.0")
    assert bench.calls() == [f"{new.name} --upgrade --quiet"]
    refused = bench.call(old)
    assert refused["failed"] and "later than 25.2.0" in refused["msg"] and "allow_downgrade" in refused["remedy"]
    kept = bench.call(old, state="latest")
    assert not kept["changed"] and kept["version_after"] == "25.5.0"
    assert bench.calls() == []
    down = bench.call(old, allow_downgrade=True)
    assert (down["action"], down["version_after"]) == ("downgrade", "25.2.0")
    assert bench.call(old, allow_reinstall=True)["action"] == "reinstall"


def test_driver_and_firmware_from_one_zip(bench):
    archive = bench.zip("25.5.0", bench.driver("25.5.0"), bench.firmware("7.8.0.5.216", "25.5.0"))
    confused = bench.call(archive)
    assert confused["failed"] and "Say in kind" in confused["msg"]
    for kind, version in (("driver", "25.5.0"), ("firmware", "7.8.0.5.216")):
        planned = bench.call(archive, kind=kind, check=True)
        assert planned["changed"] and planned["version_after"] == version
        done = bench.call(archive, kind=kind, version="25.5.0")
        assert done["version_after"] == version and done["reboot_required"]
        assert not bench.call(archive, kind=kind)["changed"]
    assert [line.split()[0] for line in bench.calls()] == [DRIVER.format("25.5.0"), FIRMWARE.format("7.8.0.5.216")]
    found = bench.call(module=stack_info)["stack"]
    assert (found["hdk"], found["firmware"]["installed"]) == ("25.5.0", "7.8.0.5.216")
    # On a node that does not have the zip, its name is enough to see that nothing is to be done, or what.
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.unlink()
    for kind in ("driver", "firmware"):
        assert not bench.call(archive, kind=kind, sha256=digest)["changed"]
    later = str(archive).replace("25.5.0", "26.0.rc1")
    assert bench.call(later, kind="firmware", check=True)["steps"] == ["upgrade firmware from 25.5.0 to 26.0.rc1"]
    missing = bench.call(later, kind="firmware")
    assert missing["failed"] and "is not there" in missing["msg"]


def test_the_docker_runtime_and_its_licence(bench):
    old = bench.script(RUNTIME.format("7.1.RC1"), DOCKER, V="7.1.RC1")
    new = bench.script(RUNTIME.format("26.1.0"), DOCKER, V="26.1.0", before=EULA)
    done = bench.call(old)
    assert done["changed"] and not done["reboot_required"] and bench.calls() == [f"{old.name} --install"]
    assert not bench.call(old)["changed"]
    refused = bench.call(new)
    assert refused["failed"] and "accept_eula" in refused["remedy"] and bench.calls() == []
    assert bench.call(new, check=True)["failed"]
    done = bench.call(new, accept_eula=True)
    assert (done["action"], done["version_after"]) == ("upgrade", "26.1.0") and bench.calls() == [
        f"{new.name} --upgrade"
    ]
    gone = bench.call(kind="docker_runtime", state="absent")
    assert gone["changed"] and gone["version_after"] is None and bench.calls() == ["uninstall.sh none docker"]
    assert not bench.call(kind="docker_runtime", state="absent")["changed"]


def test_a_licence_that_the_name_does_not_tell_of_is_declined(bench):
    package = bench.script(RUNTIME.format("7.1.RC1"), DOCKER, V="7.1.RC1", before=EULA)
    failed = bench.call(package)
    assert failed["failed"] and "the answer was no" in failed["msg"] and not failed["changed"]
    assert failed["standing"] == "Ascend Docker Runtime is as it was: not installed"


def test_versions_of_cann_beside_each_other(bench):
    old, new = (bench.script(TOOLKIT.format(v), CANN, V=v) for v in ("8.5.0", "9.0.0"))
    nnal = bench.script(NNAL.format("8.5.0"), ATB, V="8.5.0")
    early = bench.call(nnal)
    assert early["failed"] and "needs the CANN toolkit of the same version" in early["msg"]
    assert bench.call(nnal, check=True)["warnings"]
    for package in (old, new):
        done = bench.call(package)
        assert done["version_before"] is None and done["log"] == "/var/log/ascend_seclog/ascend_toolkit_install.log"
        assert not bench.call(package)["changed"]
    assert [entry["version"] for entry in bench.call(module=stack_info)["stack"]["cann"]] == ["8.5.0", "9.0.0"]
    bench.calls()
    assert bench.call(nnal)["version_after"] == "8.5.0"
    assert bench.calls()[1] == "env 8.5.0 /usr/local/Ascend/cann-8.5.0"
    several = bench.call(kind="cann", component="toolkit", state="absent")
    assert several["failed"] and "several versions: 8.5.0, 9.0.0" in several["msg"]
    no_script = bench.call(kind="cann", component="toolkit", state="absent", version="9.0.0")
    assert no_script["failed"] and "Give the package" in no_script["remedy"]
    bench.calls()
    gone = bench.call(new, state="absent")
    assert (gone["action"], gone["version_before"], gone["version_after"]) == ("uninstall", "9.0.0", None)
    assert bench.calls() == [f"{new.name} --uninstall --quiet"]
    assert [entry["version"] for entry in bench.call(module=stack_info)["stack"]["cann"]] == ["8.5.0", "8.5.0"]


def test_removing_driver_and_firmware_with_their_own_scripts(bench):
    bench.call(bench.driver("25.5.0"))
    bench.calls()
    other = bench.call(kind="driver", state="absent", version="25.2.0")
    assert not other["changed"]
    planned = bench.call(kind="driver", state="absent", check=True)
    assert planned["changed"] and "script/uninstall.sh" in planned["cmd"] and bench.calls() == []
    gone = bench.call(kind="driver", state="absent")
    assert gone["changed"] and gone["version_after"] is None and bench.calls() == ["uninstall.sh driver"]
    assert not bench.call(kind="driver", state="absent")["changed"]


FAULTS = [
    # what happens in the middle, words of the message, words of what is left
    ('echo "[ERROR]Drv_file_copy failed"; exit 1', "Drv_file_copy failed", "was left half-way"),
    ("kill -KILL $$", "by signal 9", "was left half-way"),
    ("echo 'No space left on device'; exit 1", "a file system was full", "was left half-way"),
    ("sleep 100", "did not end within 1 s", "was left half-way"),
    ("while true; do echo 'go on? [y/n]'; read -r a; done", "keeps asking", "was left half-way"),
]


@pytest.mark.parametrize("half,words,left", FAULTS, ids=[words for _half, words, _left in FAULTS])
def test_an_installation_that_is_cut_is_done_again_by_the_next_run(bench, half, words, left):
    bench.call(bench.driver("25.2.0"))
    failed = bench.call(bench.driver("25.5.0", half=half), timeout=1 if "sleep" in half else 60)
    assert failed["failed"] and words in failed["msg"] and left in failed["standing"] and failed["changed"]
    assert "/var/log/ascend_seclog/ascend_install.log" in failed["msg"] and "--upgrade" in failed["cmd"]
    assert not bench.call(module=stack_info)["stack"]["driver"]["complete"]
    bench.calls()
    package = bench.driver("25.5.0")
    mended = bench.call(package)
    assert (mended["action"], mended["version_after"], mended["changed"]) == ("reinstall", "25.5.0", True)
    assert bench.calls() == [f"{package.name} --full --install-for-all --quiet"]
    assert not bench.call(package)["changed"]


def test_a_cut_after_the_version_file_is_known_from_the_note(bench):
    package = bench.driver("25.5.0", after="kill -KILL $$")
    failed = bench.call(package)
    assert "by signal 9" in failed["msg"] and failed["version_after"] == "25.5.0"
    found = bench.call(module=stack_info)["stack"]["driver"]
    assert (found["installed"], found["complete"]) == ("25.5.0", False)
    assert bench.call(bench.driver("25.5.0"), check=True)["steps"] == [
        "install driver 25.5.0 again: its install of 25.5.0 was cut"
    ]
    assert bench.call(bench.driver("25.5.0"))["action"] == "reinstall"


def test_a_cut_module_is_known_from_the_note(bench):
    bench.call(bench.driver("25.2.0"))
    journal = bench.journal()
    journal["driver"].update(unfinished=True, version="25.5.0", action="upgrade")
    (bench.root / "state/packages.json").write_text(json.dumps(journal))
    assert bench.call(bench.driver("25.2.0"))["action"] == "reinstall"


def test_the_old_version_after_a_failed_installation_can_be_put_back(bench):
    old = bench.driver("25.2.0")
    bench.call(old)
    bench.call(bench.driver("25.5.0", half="exit 1"))
    back = bench.call(old)
    assert (back["action"], back["version_after"]) == ("reinstall", "25.2.0")


REFUSALS = [
    ('echo "[ERROR]The davinci nodes are occupied by some processes, please stop"; exit 1', "hold the NPUs"),
    ('echo "Error in SHA256 checksums: a is different from b" >&2; exit 2', "the package is damaged"),
    ('echo "[ERROR]ERR_NO:0x0091;ERR_DES:HwHiAiUser not exists!"; exit 1', "its user is missing"),
]


@pytest.mark.parametrize("before,words", REFUSALS, ids=[words for _before, words in REFUSALS])
def test_a_refusal_leaves_the_old_version_and_says_so(bench, before, words):
    bench.call(bench.driver("25.2.0"))
    failed = bench.call(bench.driver("25.5.0", before=before))
    assert failed["failed"] and words in failed["msg"] and not failed["changed"]
    assert failed["standing"] == "driver is as it was: 25.2.0" and failed["version_after"] == "25.2.0"
    bench.calls()
    # The next run upgrades as usual: nothing is taken for damaged.
    assert bench.call(bench.driver("25.5.0"))["action"] == "upgrade"


def test_a_full_disk_is_named_even_if_the_installer_does_not(bench, monkeypatch):
    bench.call(bench.driver("25.2.0"))
    package = bench.driver("25.5.0", half=f'touch {bench.root}/full; echo "[ERROR]Drv_file_copy failed"; exit 1')

    def free(_machine, path):
        return 0 if (bench.root / "full").exists() and path.startswith("/usr") else 1 << 40

    monkeypatch.setattr(_run_package_checks.Machine, "free", free)
    failed = bench.call(package)
    assert "/usr/local/Ascend has no space left (it says: [ERROR]Drv_file_copy failed)" in failed["msg"]
    refused = bench.call(bench.driver("25.5.0"))
    assert "/usr/local/Ascend has 0 MB free, and 301 MB are needed" in refused["msg"] and not refused["changed"]


def test_an_installer_that_lies_is_caught(bench):
    failed = bench.call(bench.driver("25.5.0", V="25.4.0"))
    assert failed["failed"] and "25.5.0 is wanted and its files say 25.4.0" in failed["msg"] and failed["changed"]


def test_new_words_for_success_are_accepted_when_it_is_there(bench):
    done = bench.call(bench.driver("25.5.0", after="echo All fine.; exit 0"))
    assert done["changed"] and done["reboot_required"] and "nothing that is known for success" in str(done["warnings"])


def test_a_wrong_package_is_refused_before_it_is_run(bench, monkeypatch):
    package = bench.driver("25.5.0")
    for options, words in (
        ({"sha256": "0" * 64}, "has sha256"),
        ({"sha256": None}, "sha256 of the package is not given"),
        ({"version": "25.2.0"}, "is version 25.5.0, and 25.2.0 is wanted"),
        ({"kind": "firmware"}, "is driver, not firmware"),
        ({"arch": "aarch64"}, "is for x86_64, this machine is aarch64"),
        ({"chip": "310P"}, "this machine has 310P"),
    ):
        for check in (False, True):
            refused = bench.call(package, check=check, **options)
            assert refused["failed"] and words in refused["msg"], refused["msg"]
    assert bench.calls() == [] and bench.call(package, sha256=None, checksum_waived=True)["changed"]
    # Also when the same version of the right package is there.
    assert "is for x86_64" in bench.call(package, arch="aarch64")["msg"]
    assert "this machine has 310P" in bench.call(package, chip="310P")["msg"]


def test_what_an_earlier_task_may_prepare_is_a_warning_in_check_mode(bench, monkeypatch):
    monkeypatch.setattr(_run_package_checks.Machine, "has", lambda self, tool: tool != "lspci")
    monkeypatch.setattr(_run_package_checks.Machine, "user", lambda self, name: False)
    package = bench.driver("25.5.0")
    planned = bench.call(package, check=True)
    assert planned["changed"] and len(planned["warnings"]) == 2
    refused = bench.call(package)
    assert refused["failed"] and "lspci" in refused["msg"] and "HwHiAiUser" in refused["msg"] and bench.calls() == []


def test_missing_build_tools_warn_or_refuse(bench, monkeypatch):
    monkeypatch.setattr(_run_package_checks.Machine, "headers", lambda self: False)
    package = bench.driver("25.5.0")
    assert "headers" in bench.call(package, build_tools="require")["msg"]
    assert bench.calls() == []
    assert "headers" in str(bench.call(package)["warnings"])


def test_an_installer_of_an_earlier_run_that_still_works_is_left_alone(bench, monkeypatch):
    monkeypatch.setattr(_run_package_work.Journal, "runs", lambda self, key: 4711)
    refused = bench.call(bench.driver("25.5.0"))
    assert refused["failed"] and "process 4711" in refused["msg"] and bench.calls() == []


def test_driver_and_firmware_that_do_not_fit_warn(bench):
    bench.call(bench.firmware("7.5.0", "24.1.0"))
    done = bench.call(bench.driver("26.0.rc1", spans="compatible_version_fw=[7.8.0,9.9.99]"))
    assert "accepts firmware [7.8.0,9.9.99]" in str(done["warnings"])


def test_stack_info_is_a_fact_and_changes_nothing(bench):
    bench.call(bench.driver("25.5.0"))
    bench.running = Running(True, "25.2.0", "7.7.0", ((0, "7.7.0"), (1, "7.7.0")))
    found = bench.call(module=stack_info)
    assert not found["changed"] and found["ansible_facts"] == {"ascend_installed": found["stack"]}
    stack = found["stack"]
    assert (stack["driver"]["installed"], stack["driver"]["running"]) == ("25.5.0", "25.2.0")
    assert stack["reboot_required"] and stack["reboot_reasons"] == [NEEDED]
    assert stack["firmware"]["npus"][1] == {"npu_id": 1, "running": "7.7.0"}
    assert (stack["docker_runtime"], stack["cann"], stack["hdk"]) == (None, [], None)

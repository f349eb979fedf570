# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an installer's words and exit status mean, and what is decided from what is there."""

from __future__ import annotations

import re

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._run_package import There, Wish, arguments, interpret, plan

STAMP = "[Driver] [2026-11-22 10:00:00] "
FIRMWARE = "[Firmware] [2023-07-10 22:27:57] [INFO]"
GREEN, RED, YELLOW, END = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
NEEDED = "Reboot needed for installation/upgrade to take effect"
KO = "Kernel modules can not be removed, reboot needed for installation/upgrade to take effect"
LATER = "Reboot now or after driver installation for the installation/upgrade to take effect"

GOOD = [
    # kind, exit status, output, done, sentence about a restart
    (
        "driver",
        0,
        f"{STAMP}[INFO]{GREEN}Driver package installed successfully! The new version takes effect immediately. {END}\n",
        "installed",
        None,
    ),
    (
        "driver",
        2,
        f"{STAMP}[INFO]{GREEN}Driver package installed successfully! {END}{RED}{NEEDED}! {END}\n",
        "installed",
        NEEDED,
    ),
    ("driver", 0, f"{STAMP}[INFO]Driver package upgraded successfully! {NEEDED}! \n", "upgraded", NEEDED),
    (
        "driver",
        2,
        f"{STAMP}[INFO]{GREEN}Driver package upgraded finished! {END}\n{STAMP}[WARNING]{YELLOW}{KO}! {END}\n",
        "upgraded",
        KO,
    ),
    (
        "driver",
        2,
        f"{STAMP}[INFO]Driver package installed successfully! The new version takes effect immediately.\n",
        "installed",
        "Exit status 2: installed, but the hot reset failed",
    ),
    (
        "driver",
        0,
        "Driver package installed successfully!\n",
        "installed",
        "The installer does not say that the new version takes effect immediately",
    ),
    (
        "driver",
        2,
        f"{STAMP}[WARNING]There are some chips not ready, please check after reboot\n"
        f"{STAMP}[INFO]Driver package installed successfully! {NEEDED}!\n",
        "installed",
        NEEDED,
    ),
    (
        "driver",
        0,
        "[INFO]Driver package uninstalled successfully! Uninstallation takes effect immediately. \n",
        "uninstalled",
        None,
    ),
    (
        "driver",
        0,
        "[INFO]Driver package uninstalled successfully! Reboot needed for uninstallation to take effect! \n",
        "uninstalled",
        "Reboot needed for uninstallation to take effect",
    ),
    (
        "firmware",
        0,
        f"{FIRMWARE}The firmware of [8] chips are successfully upgraded.\n"
        f"{FIRMWARE}Firmware package installed successfully! {LATER}.\n",
        "installed",
        LATER,
    ),
    ("firmware", 0, "Firmware package upgraded successfully! Reboot needed for installation/upgrade to take effect!\n",
     "upgraded", NEEDED),
    ("cann", 0, "[Toolkit] [20261122-10:00:00] [INFO] Ascend-cann-toolkit install success\n", "installed", None),
    ("cann", 0, "[INFO]: Ascend-cann-kernels-910b install success\n", "installed", None),
    ("cann", 0, "[INFO] Ascend-cann-nnal uninstall success\n", "uninstalled", None),
    ("docker_runtime", 0, "[INFO] ascend-docker-runtime install success\n", "installed", None),
    ("docker_runtime", 0, "[INFO] upgrade x\n[INFO] ascend-docker-runtime upgrade success\n", "upgraded", None),
    ("docker_runtime", 0, "[INFO] ascend-docker-runtime uninstall success\n", "uninstalled", None),
    (
        "docker_runtime",
        0,
        "[WARNING] uninstall skipping, the specified install path does not exist\n",
        "nothing",
        None,
    ),
]  # fmt: skip


@pytest.mark.parametrize("kind,rc,text,done,sentence", GOOD)
def test_success_is_in_the_words_and_the_status(kind, rc, text, done, sentence):
    outcome = interpret(kind, rc, text)
    assert (outcome.ok, outcome.done) == (True, done)
    assert (outcome.reboot, outcome.reboot_reason) == (sentence is not None, sentence)


BAD = [
    ("driver", 2, "Verifying archive integrity...Error in SHA256 checksums: a is different from b\n", "damaged"),
    ("driver", 2, "", "exit status 2"),
    ("driver", 0, "[INFO]upgradePercentage:10%\n", "does not say that it is done"),
    ("driver", 1, "Driver package installed successfully! takes effect immediately\n", "exit status 1"),
    ("driver", -9, "[INFO]upgradePercentage:50%\n", "by signal 9"),
    ("driver", None, "[INFO]upgradePercentage:50%\n", "ended before it was done"),
    ("driver", 1, "[ERROR]ERR_NO:0x0093;ERR_DES:do not have root permission, operation failed\n", "as root"),
    ("driver", 1, "[ERROR]ERR_NO:0x0091;ERR_DES:HwHiAiUser not exists! Please add HwHiAiUser\n", "HwHiAiUser not"),
    ("driver", 1, "[ERROR]ERR_NO:0x0096;ERR_DES:HwHiAiUser not right! Please check\n", "not in its group"),
    ("driver", 1, "[ERROR]ERR_NO:0x0095;ERR_DES:The user and group are not same with last\n", "the user differs"),
    ("driver", 1, "[ERROR]ERR_NO:0x0094;ERR_DES:There is already a process being executed\n", "another installer"),
    ("driver", 1, "[ERROR]ERR_NO:0x0003;ERR_DES:install-path input error, install failed\n", "path input error"),
    ("driver", 1, "[ERROR]ERR_NO:0x0004;ERR_DES:version/check can't use with other\n", "does not accept how"),
    ("driver", 1, "[ERROR]ERR_NO:0x0080;ERR_DES:Driver package is not installed on this device\n", "not installed"),
    ("driver", 1, f"[ERROR]{RED}Arch mismatch, src package is x86-64, cur os is aarch64 {END}\n", "is for x86-64"),
    ("driver", 1, "[ERROR]The current installation package and environment is not match, please\n", "chip family"),
    ("driver", 1, f"{STAMP}[ERROR]The list of missing tools: lspci,ifconfig,\n", "these tools: lspci,ifconfig$"),
    ("driver", 1, "[ERROR]The davinci nodes are occupied by some processes, please stop\n", "hold the NPUs"),
    ("driver", 1, "[ERROR]Drv_dkms_env_check failed, details in : /var/log\n", "kernel module could not be built"),
    ("driver", 1, "[ERROR]Dkms install failed, details in : /var/log\n", "kernel module could not be built"),
    ("driver", 1, "[ERROR]Device_images_crl_check failed, details in : /var/log\n", "signature"),
    ("driver", 1, "[ERROR]free space only 120M, cannot install driver package (greater than 300M)\n", "only 120M"),
    ("driver", 1, "Uncompressing x ... Extraction failed.\n", "could not be unpacked"),
    ("driver", 1, "cp: error writing 'x': No space left on device\n[ERROR]Drv_file_copy failed\n", "full"),
    ("driver", 1, "[ERROR]Set boot-items failed\n[INFO]Failed to install driver package, please retry after uninstall "
     "and reboot!\n", "half-way"),
    ("driver", 1, "[ERROR]firmware is installed, current version: 6.4.0, required version is [7.0.0,7.8.99], version "
     "check failed.\n", "firmware 6.4.0 is outside what this package accepts, .7.0.0,7.8.99.$"),
    ("firmware", 1, "ERR_DES:driver package is not installed on this device, please install the driver package first\n",
     "none is installed"),
    ("driver", 1, "Not enough space left in /tmp (1000 KB) to decompress x.run (90000 KB)\n", "no space left in /tmp"),
    ("driver", 1, f"{STAMP}[ERROR]Something nobody has seen\n", r"it says: \[ERROR\]Something nobody has seen"),
    ("firmware", 1, "[ERROR]The firmware upgrade failed\n", "it says"),
    ("cann", 1, "[ERROR] the user is wrong\n", "it says"),
    ("docker_runtime", 1, "[ERROR] platform(aarch64) mismatch for x.run, please check it\n", "not for aarch64"),
    ("docker_runtime", 1, "[ERROR] /usr/local is soft link\n", "is a link"),
    ("docker_runtime", 1, "[ERROR] group or other of /opt/x has write permission\n", "not root's alone"),
    ("docker_runtime", 2, "[INFO] ascend-docker-runtime install success\n", "exit status 2"),
]  # fmt: skip


@pytest.mark.parametrize("kind,rc,text,words", BAD)
def test_a_failure_is_named_and_has_a_remedy(kind, rc, text, words):
    outcome = interpret(kind, rc, text)
    assert not outcome.ok and outcome.done is None and not outcome.reboot and not outcome.declined
    assert re.search(words, outcome.reason), outcome.reason
    assert outcome.remedy.endswith(".")
    assert "{}" not in outcome.reason


@pytest.mark.parametrize(
    "kind,text",
    [
        ("docker_runtime", "Do you accept the EULA?[Y/N]\n[INFO] install cancelled, user declined EULA\n"),
        ("driver", "[INFO]installation Stoped!\n"),
    ],
)
def test_status_0_after_a_no_is_no_success(kind, text):
    outcome = interpret(kind, 0, text)
    assert not outcome.ok and outcome.declined


PLANS = [
    # kind, state, wanted, there, damaged, options, action, before, after
    ("driver", "present", "25.5.0", [], "", {}, "install", None, "25.5.0"),
    ("driver", "present", "25.5.0", ["25.5.0"], "", {}, "none", "25.5.0", "25.5.0"),
    ("driver", "present", "25.3.rc1", ["25.3.RC1"], "", {}, "none", "25.3.RC1", "25.3.RC1"),
    ("driver", "present", "25.5.0", ["25.2.0"], "", {}, "upgrade", "25.2.0", "25.5.0"),
    ("driver", "latest", "25.5.0", ["25.2.0"], "", {}, "upgrade", "25.2.0", "25.5.0"),
    ("driver", "latest", "25.2.0", ["25.5.0"], "", {}, "none", "25.5.0", "25.5.0"),
    ("driver", "present", "25.2.0", ["25.5.0"], "", {}, "refused", "25.5.0", "25.5.0"),
    ("driver", "present", "25.2.0", ["25.5.0"], "", {"allow_downgrade": True}, "downgrade", "25.5.0", "25.2.0"),
    ("driver", "latest", "25.2.0", ["25.5.0"], "", {"allow_downgrade": True}, "none", "25.5.0", "25.5.0"),
    ("driver", "present", "25.5.0", ["25.5.0"], "", {"allow_reinstall": True}, "reinstall", "25.5.0", "25.5.0"),
    ("driver", "present", "25.5.0", ["25.5.0"], "cut", {}, "reinstall", "25.5.0", "25.5.0"),
    ("driver", "present", "25.5.0", [], "half", {}, "reinstall", None, "25.5.0"),
    ("driver", "present", "25.2.0", ["25.5.0"], "half", {}, "reinstall", "25.5.0", "25.2.0"),
    ("driver", "absent", None, ["25.5.0"], "", {}, "uninstall", "25.5.0", None),
    ("driver", "absent", None, [], "half", {}, "uninstall", None, None),
    ("driver", "absent", None, [], "", {}, "none", None, None),
    ("driver", "absent", "25.2.0", ["25.5.0"], "", {}, "none", "25.5.0", "25.5.0"),
    ("firmware", "present", "7.7.0.6.236", ["7.5.0.1.129"], "", {}, "upgrade", "7.5.0.1.129", "7.7.0.6.236"),
    ("docker_runtime", "present", "26.1.0", ["7.1.RC1"], "", {}, "upgrade", "7.1.RC1", "26.1.0"),
    ("cann", "present", "8.3.RC2", [], "", {}, "install", None, "8.3.RC2"),
    ("cann", "present", "8.3.RC2", ["8.5.0"], "", {}, "install", None, "8.3.RC2"),
    ("cann", "present", "8.3.RC2", ["8.5.0", "8.3.RC2"], "", {}, "none", "8.3.RC2", "8.3.RC2"),
    ("cann", "latest", "8.3.RC2", ["8.5.0"], "", {}, "none", "8.5.0", "8.5.0"),
    ("cann", "present", "8.3.RC2", ["8.3.RC2"], "cut", {}, "reinstall", "8.3.RC2", "8.3.RC2"),
    ("cann", "absent", "8.3.RC2", ["8.3.RC2", "8.5.0"], "", {}, "uninstall", "8.3.RC2", None),
    ("cann", "absent", None, ["8.3.RC2", "8.5.0"], "", {}, "refused", "8.5.0", "8.5.0"),
    ("cann", "absent", None, ["8.5.0"], "", {}, "uninstall", "8.5.0", None),
    ("cann", "absent", "8.1.RC1", ["8.5.0"], "", {}, "none", None, None),
]


@pytest.mark.parametrize("kind,state,wanted,versions,damaged,options,action,before,after", PLANS)
def test_the_plan(kind, state, wanted, versions, damaged, options, action, before, after):
    component = "toolkit" if kind == "cann" else None
    decided = plan(Wish(kind, state, wanted, component, **options), There(tuple(versions), damaged))
    assert ("refused" if decided.refusal else decided.action, decided.before, decided.after) == (action, before, after)
    assert decided.changes is (action not in ("none", "refused"))
    assert decided.sentence and bool(decided.refusal) == bool(decided.remedy)


@pytest.mark.parametrize(
    "action,kind,more,words",
    [
        ("install", "driver", {"for_all": True}, "--full --install-for-all --quiet"),
        ("install", "driver", {"install_path": "/opt/a"}, "--full --quiet --install-path=/opt/a"),
        # The installer refuses these options with --upgrade.
        ("upgrade", "driver", {"for_all": True, "install_path": "/opt/a"}, "--upgrade --quiet"),
        ("downgrade", "driver", {"for_all": True}, "--upgrade --quiet"),
        ("reinstall", "driver", {"for_all": True}, "--full --install-for-all --quiet"),
        ("install", "driver", {"extra": ["--force"]}, "--full --quiet --force"),
        ("uninstall", "driver", {"for_all": True}, "--uninstall"),
        ("install", "firmware", {"for_all": True}, "--full --quiet"),
        ("upgrade", "firmware", {"for_all": True}, "--upgrade --quiet"),
        ("install", "cann", {"for_all": True}, "--install --quiet --install-for-all"),
        ("install", "cann", {"install_path": "/opt/a"}, "--install --quiet --install-path=/opt/a"),
        ("uninstall", "cann", {"install_path": "/opt/a"}, "--uninstall --install-path=/opt/a --quiet"),
        # This one rejects all it does not know, --quiet as well.
        ("install", "docker_runtime", {"for_all": True}, "--install"),
        ("upgrade", "docker_runtime", {}, "--upgrade"),
        ("reinstall", "docker_runtime", {"install_path": "/opt/a"}, "--install --install-path=/opt/a"),
        ("uninstall", "docker_runtime", {}, "--uninstall"),
    ],
)
def test_the_options_of_the_installer(action, kind, more, words):
    assert " ".join(arguments(action, kind, **more)) == words

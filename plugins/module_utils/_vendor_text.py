# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What an installer's output and exit status mean. This module util is PRIVATE to the collection.

Neither is enough alone: the driver ends with 2 when it is installed and the hot reset did not work, a damaged archive
ends with 2 as well, and whoever declines a question ends with 0. Texts: hicann/driver (install.sh, driver_install.sh,
env_check.sh, args_parse.sh), mind-cluster (run_main.sh), published logs for the firmware, CANN's guides, makeself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SECLOG = "/var/log/ascend_seclog/ascend_install.log"
LOGS = {
    "driver": SECLOG,
    "firmware": SECLOG,
    "cann": "/var/log/ascend_seclog/ascend_{}_install.log",  # of the toolkit; the other parts' are taken to be alike
    "docker_runtime": "/var/log/ascend-docker-runtime/installer.log",
}
NNAL_LOG = "/var/log/cann_atb_seclog/cann_atb_install.log"

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STAMP = re.compile(r"^\[(?:Driver|Firmware|[A-Za-z_-]+)\]\s*\[[\d: .-]+\]\s*", re.IGNORECASE)

_SUCCESS = {
    "driver": r"driver package (?P<done>\w+) (?:successfully|finished)",
    "firmware": r"firmware package (?P<done>\w+) (?:successfully|finished)",
    "cann": r"(?P<done>(?:un)?install|upgrade)(?:ed|d)? success",
    "docker_runtime": r"(?:ascend-docker-runtime )?(?P<done>(?:un)?install|upgrade)(?:\.sh exec)? success",
}
_NOTHING = {"docker_runtime": r"uninstall skipping, the specified install path does not exist"}
_DECLINED = r"user declined EULA|installation Stoped|Stop installation|(?:install|upgrade)\w* (?:is )?cancell?ed"
_NO_REBOOT = r"takes effect immediately"
# The vendor's sentences; the first one that is there is shown.
_REBOOTS = (
    r"Kernel modules can not be removed, reboot needed for \w+(?:/\w+)? to take effect",
    r"Reboot needed for \w+(?:/\w+)? to take effect",
    r"Reboot now or after driver installation for the installation/upgrade to take effect",
    r"There are some chips not ready, please check after reboot",
    r"reboot needed[^!.\n]*",
)

# (what the output has, what is wrong, what to do). The first that fits names the failure; {} is the first group.
_FAILURES = (
    (
        r"Error in (?:\w+ )?checksums?:|Unexpected archive size|checksums? (?:does not|doesn't|is different)",
        "the package is damaged: its own checksum does not fit",
        "Fetch it again and compare its sha256 with the one its source gives.",
    ),
    (
        r"Not enough space left in (\S+) \((\d+) KB\)",
        "there is no space left in {} to unpack the package",
        "Make space there, or give another directory in unpack_dir.",
    ),
    (
        r"free space only (\S+), cannot install",
        "there is only {} of space left where it is installed",
        "Make space there; the driver needs more than 300 MB, firmware more than 32 MB.",
    ),
    (
        r"Extraction failed",
        "the package could not be unpacked: it is damaged, or there is no space",
        "Compare its sha256 with the one its source gives, and the space in the directory for temporary files.",
    ),
    (
        r"No space left on device",
        "a file system was full while the package was unpacked or copied",
        "Make space where it is installed and in the directory for temporary files, then run again: it starts anew.",
    ),
    (
        r"Arch mismatch, src package is (\S+?),",
        "the package is for {}, the machine is not",
        "Take the package for this architecture.",
    ),
    (
        r"platform\((\S+?)\) mismatch",
        "the package is not for {} (its installer reads that from the file name)",
        "Take the package for this architecture, and keep its file name.",
    ),
    (
        r"installation package and environment is not match|NPU chips? (?:is|are) not match",
        "the package is for another chip family",
        "Take the package for the chips of this machine.",
    ),
    (
        r"list of missing tools: ([^\n]*?),?\s*$",
        "the installer misses these tools: {}",
        "Install them: lspci is in pciutils, ifconfig in net-tools.",
    ),
    (
        r"davinci nodes are occupied",
        "processes or containers hold the NPUs",
        "Stop them; npu-smi info lists the processes, hdk_drain of the role hdk stops services of this collection.",
    ),
    (
        r"(\w+) is installed, current version: (\S+?),? required version is (.+?),? version check failed",
        "the installed {} {} is outside what this package accepts, {}",
        "Use driver and firmware of one HDK release: firmware first, then the driver, unless there is none yet.",
    ),
    (
        r"version check failed|Version check does not match, please use ([^\n]+?)\.",
        "the package does not go with what is installed",
        "Use driver and firmware of one HDK release; the log names the versions it accepts.",
    ),
    (r"0x0093", "the installer must run as root", "Set become: true."),
    (
        r"0x0091;ERR_DES:\s*([^\n]+?)\s*$",
        "its user is missing: {}",
        "Create user and group HwHiAiUser (1000:1000) first; the role hdk does.",
    ),
    (
        r"0x0096;ERR_DES:\s*([^\n]+?)\s*$",
        "its user is not in its group: {}",
        "Make HwHiAiUser a member of the group HwHiAiUser.",
    ),
    (
        r"0x0095",
        "the user differs from that of the last installation",
        "Take the user of /etc/ascend_install.info, or uninstall first.",
    ),
    (
        r"0x0094",
        "another installer is running, or an all-in-one package is installed",
        "Let it end, or uninstall what /etc/HiAI_install.info is about, then run again.",
    ),
    (
        r"0x0003;ERR_DES:\s*([^\n]+?)\s*$",
        "the installation path is not accepted: {}",
        "It must be absolute, of letters, digits, - and _, owned by root, and its parent must be there.",
    ),
    (
        r"install the driver package first",
        "firmware is written through the driver, and none is installed",
        "Install the driver first.",
    ),
    (r"0x0080", "it is not installed, or could not be restored", "Compare the log; a restart may be needed."),
    (
        r"0x000[24];ERR_DES:\s*([^\n]+?)\s*$",
        "the installer does not accept how it was called: {}",
        "This release knows other options; see its --help, and extra_options.",
    ),
    (
        r"(is soft link|(?:user or group|group or other) of \S+ (?:is not root|has write permission))",
        "a directory of the installation path is a link, or not root's alone",
        "Make the path and its parents root:root, without write permission for others, and no link.",
    ),
    (
        r"should belong to root|permission is too small|permission is invalid",
        "the installation path or a parent of it does not belong to root, or cannot be entered",
        "Make it root:root with mode 755.",
    ),
    (
        r"Drv_dkms_env_check failed|Dkms install failed|rebuild ko has something wrong",
        "the kernel module could not be built",
        "Install gcc, make, dkms and the headers of the running kernel (kernel-devel or linux-headers).",
    ),
    (
        r"Device_images_crl_check failed|signature verification failed",
        "the signature of the images was refused",
        "See /etc/pss.cfg; the package may be for another signature mode.",
    ),
    (
        r"(?:0x0090|uninstall driver failed)",
        "the old version could not be removed",
        "Restart the machine and run again.",
    ),
    (
        r"please retry after uninstall and reboot",
        "the installation failed half-way",
        "Restart the machine and run again; if that fails too, run it with state absent first.",
    ),
)
_ERROR_LINE = re.compile(r"\[ERROR\]|ERR_NO:|^Error\b", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What an installer said. ``done`` is "installed", "upgraded", "uninstalled", "nothing" or None.

    ``ok`` says that it claims success; whether that holds is to be read back. ``reason`` and ``remedy`` are set
    when it does not, ``reboot_reason`` is the vendor's sentence.
    """

    ok: bool
    done: str | None = None
    reboot: bool = False
    reboot_reason: str | None = None
    declined: bool = False
    reason: str = ""
    remedy: str = ""
    errors: tuple = ()


def plain(text: str) -> str:
    """The text without colours and carriage returns."""
    return _COLOUR.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def interpret(kind: str, rc: int | None, text: str) -> Outcome:
    """Judge a run of an installer of ``kind`` by its exit status (None: killed, negative: by a signal) and output."""
    text = plain(text)
    errors = tuple(_STAMP.sub("", line.strip()) for line in text.splitlines() if _ERROR_LINE.search(line))
    if re.search(_DECLINED, text, re.IGNORECASE):
        return Outcome(
            False,
            declined=True,
            reason="the installation was declined",
            remedy="Read the licence, and set accept_eula if you accept it.",
            errors=errors,
        )
    match = re.search(_SUCCESS[kind], text, re.IGNORECASE)
    good = (0, 2) if kind in ("driver", "firmware") else (0,)
    if rc in good and match:
        done = {"install": "installed", "upgrade": "upgraded", "uninstall": "uninstalled"}
        word = match.group("done").lower()
        sentence = _reboot_sentence(kind, rc, text)
        return Outcome(True, done.get(word, word), sentence is not None, sentence, errors=errors)
    if rc == 0 and kind in _NOTHING and re.search(_NOTHING[kind], text, re.IGNORECASE):
        return Outcome(True, "nothing")
    reason, remedy = _failure(rc, text, errors)
    return Outcome(False, reason=reason, remedy=remedy, errors=errors)


def _reboot_sentence(kind: str, rc: int, text: str) -> str | None:
    """Why a restart is needed, or None. Said or not, 2 means it, and so does silence about taking effect."""
    for pattern in _REBOOTS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return found.group(0)[0].upper() + found.group(0)[1:]
    if rc == 2:
        return "Exit status 2: installed, but the hot reset failed"
    if kind in ("driver", "firmware") and not re.search(_NO_REBOOT, text, re.IGNORECASE):
        return "The installer does not say that the new version takes effect immediately"
    return None


def _failure(rc: int | None, text: str, errors: tuple) -> tuple:
    for pattern, reason, remedy in _FAILURES:
        found = re.search(pattern, text, re.IGNORECASE | re.MULTILINE)
        if found:
            return reason.format(*(group or "" for group in found.groups())), remedy
    if rc is None or rc < 0:
        signal = "" if rc is None else f" by signal {-rc}"
        return f"the installer was ended{signal} before it was done", "Run again: it starts anew."
    if errors:
        return f"it says: {errors[0]}", "See the log."
    if rc == 0:
        return "it ended with exit status 0 and does not say that it is done", "See its output and the log."
    return f"it ended with exit status {rc}", "See its output and the log."


__all__ = ["LOGS", "NNAL_LOG", "Outcome", "interpret", "plain"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What would stop an installer, found before it is started. This module util is PRIVATE to the collection.

Each check gives sentences; all of them make up one message, so that one run tells all that is missing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import Installed
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import (
    PCI_FAMILIES,
    PCI_VENDOR,
    Package,
    machine_arch,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_run import environment
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import in_spans, same_version, version_key

MB = 1024 * 1024
# What the installers themselves ask for at least, in bytes (hicann/driver, env_check.sh).
_NEEDED = {"driver": 300 * MB, "firmware": 32 * MB}
# Of the vendor's check_tools.conf those that a server may well lack, with their packages. The installer names others.
_TOOLS = (
    ("lspci", "pciutils"),
    ("ifconfig", "net-tools"),
    ("chattr", "e2fsprogs"),
    ("ps", "procps"),
    ("systemctl", "systemd"),
    ("modinfo", "kmod"),
    ("awk", "gawk"),
    ("which", "which"),
)
_BUILD_TOOLS = (("gcc", "gcc"), ("make", "make"), ("dkms", "dkms"))
_EULA_SINCE = "26.1.0.beta.1"  # mind-cluster run_main.sh: not in v26.0.1, in v26.1.0.beta.1
_UNPACKED = re.compile(rb"-lt[ \"]+(\d{2,})")  # makeself: leaves when there are fewer KB where it unpacks


@dataclass(frozen=True)
class Found:
    """Something that stops an installer. ``lasting`` things no other task of the play can be about to change."""

    reason: str
    remedy: str
    lasting: bool = False


class Machine:
    """What the checks look at; a test gives other answers."""

    def __init__(self, sys: str = "/sys", etc: str = "/etc", lib_modules: str = "/lib/modules") -> None:
        self.sys, self.etc, self.lib_modules = sys, etc, lib_modules

    @property
    def arch(self) -> str | None:
        return machine_arch(os.uname().machine)

    @property
    def kernel(self) -> str:
        return os.uname().release

    def families(self) -> list:
        """Chip families on the PCI bus. Empty in a VM that hides it, and where there is no NPU."""
        bus = os.path.join(self.sys, "bus/pci/devices")
        found = set()
        for name in sorted(os.listdir(bus)) if os.path.isdir(bus) else ():
            if _word(os.path.join(bus, name, "vendor")) == PCI_VENDOR:
                found.add(PCI_FAMILIES.get(_word(os.path.join(bus, name, "device"))))
        return sorted(found - {None})

    def has(self, tool: str) -> bool:
        return shutil.which(tool, path=environment()["PATH"]) is not None

    def free(self, path: str) -> int:
        """Bytes free where ``path`` is or would be made."""
        while not os.path.exists(path):
            path = os.path.dirname(path) or "/"
        state = os.statvfs(path)
        return state.f_bavail * state.f_frsize

    def user(self, name: str) -> bool:
        return self._names("passwd", name) and self._names("group", name)

    def headers(self) -> bool:
        return os.path.isdir(os.path.join(self.lib_modules, self.kernel, "build"))

    def _names(self, file: str, name: str) -> bool:
        try:
            with open(os.path.join(self.etc, file), encoding="utf-8", errors="replace") as handle:
                return any(line.startswith(f"{name}:") for line in handle)
        except OSError:
            return False


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def check_sum(path: str, wanted: str) -> None:
    """Raises L(VendorError) when the file is not the one that was meant."""
    found = sha256_of(path)
    if found != wanted.strip().lower():
        raise VendorError(
            f"{path} has sha256 {found}, not {wanted.strip().lower()}",
            "Fetch the package again, or correct sha256 from its source's list.",
        )


def check_arch(package: Package, arch: str | None) -> list:
    if package.arch is None or arch is None or package.arch == arch:
        return []
    return [
        Found(
            f"{package.file} is for {package.arch}, this machine is {arch}",
            "Take the package for this architecture.",
            True,
        )
    ]


def check_family(package: Package, families: list) -> list:
    if package.family is None or not families or package.family in families:
        return []
    return [
        Found(
            f"{package.file} is for chips of {package.family}, this machine has {', '.join(families)}",
            "Take the package for these chips; with chip you can say what the machine has.",
            True,
        )
    ]


def check_eula(package: Package, accepted: bool) -> list:
    asks = package.kind == "docker_runtime" and version_key(package.version) >= version_key(_EULA_SINCE)
    if accepted or not asks:
        return []
    return [
        Found(
            f"{package.shown} {package.version} has a licence (EULA) that has to be accepted",
            "Read it (the package shows it), and set accept_eula: true if you accept it.",
            True,
        )
    ]


def check_tools(kind: str, machine: Machine) -> list:
    if kind != "driver":
        return []
    missing = [(tool, package) for tool, package in _TOOLS if not machine.has(tool)]
    if not missing:
        return []
    return [
        Found(
            f"the installer needs {', '.join(tool for tool, _package in missing)}",
            f"Install {', '.join(dict.fromkeys(package for _tool, package in missing))}.",
        )
    ]


def check_build_tools(kind: str, machine: Machine) -> list:
    """What is needed when the package brings no module for this kernel, which its name does not tell."""
    if kind != "driver":
        return []
    missing = [tool for tool, _package in _BUILD_TOOLS if not machine.has(tool)]
    missing += [] if machine.headers() else [f"the headers of kernel {machine.kernel}"]
    if not missing:
        return []
    return [
        Found(
            f"to build its kernel modules the driver needs {', '.join(missing)}",
            "Install them (kernel-devel or linux-headers for the headers), unless the package has modules for this "
            "kernel.",
        )
    ]


def check_user(kind: str, user: str, machine: Machine) -> list:
    if kind not in ("driver", "firmware") or machine.user(user):
        return []
    return [
        Found(
            f"the user or the group {user} is missing, as which the driver's services run",
            f"Create both with the same id on all nodes: groupadd -g 1000 {user}; useradd -u 1000 -g {user} -m {user}.",
        )
    ]


def check_space(kind: str, package_path: str, install_path: str, unpack_dir: str, machine: Machine) -> list:
    size = os.path.getsize(package_path)
    unpacked = unpacked_size(package_path)
    places: dict = {}
    for path, needed in (
        (install_path, max(_NEEDED.get(kind, 0), 0 if kind in _NEEDED else unpacked)),
        (unpack_dir, unpacked),
    ):
        places.setdefault(path, []).append(needed)
    found = []
    for path, needs in places.items():
        free = machine.free(path)
        # Not more: the driver's installer refuses when just so much is free.
        if free <= max(needs):
            what = "unpack" if path == unpack_dir else "install"
            found.append(
                Found(
                    f"{path} has {free // MB} MB free, and {max(needs) // MB + 1} MB are needed to {what} "
                    f"{os.path.basename(package_path)} ({size // MB} MB)",
                    "Make space there, or name another directory (unpack_dir, install_path).",
                )
            )
    return found


def unpacked_size(path: str) -> int:
    """Bytes that the archive needs, as its first lines say; else three times its size."""
    with open(path, "rb") as handle:
        head = handle.read(32768)
    script = head[: head.rfind(b"\nexit")] if b"\nexit" in head else head
    sizes = [int(number) * 1024 for number in _UNPACKED.findall(script)]
    return max([size for size in sizes if size < 1 << 40], default=3 * os.path.getsize(path))


def check_toolkit(package: Package, installed: Installed) -> list:
    """Operators and libraries of CANN go into the toolkit of the same version."""
    if package.component not in ("kernels", "ops", "nnal"):
        return []
    versions = [entry.version for entry in installed.cann if entry.component in ("toolkit", "nnae", "nnrt")]
    if any(same_version(package.version, version) for version in versions):
        return []
    there = f"there are {', '.join(versions)}" if versions else "there is none"
    return [
        Found(
            f"{package.shown} {package.version} needs the CANN toolkit of the same version, and {there}",
            f"Install Ascend-cann-toolkit_{package.version} first.",
        )
    ]


def misfits(installed: Installed) -> list:
    """What driver and firmware say about each other, as sentences; empty when they fit or do not tell."""
    driver, firmware = installed.driver, installed.firmware
    found = []
    for one, other, name, counterpart in (
        (driver, firmware, "driver", "firmware"),
        (firmware, driver, "firmware", "driver"),
    ):
        if one.version and other.version and one.accepts and not in_spans(other.version, one.accepts):
            accepted = ",".join(f"[{low},{high}]" for low, high in one.accepts)
            found.append(f"{name} {one.version} accepts {counterpart} {accepted}, and {other.version} is installed")
    return found


def complain(found) -> None:
    """Raises L(VendorError) for what was found, all in one message."""
    found = list(found)
    if found:
        reasons = "; ".join(entry.reason for entry in found)
        raise VendorError(reasons, " ".join(dict.fromkeys(entry.remedy for entry in found)))


def _word(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as handle:
            return handle.read().strip().lower()
    except OSError:
        return ""


__all__ = [
    "MB",
    "Found",
    "Machine",
    "check_arch",
    "check_build_tools",
    "check_eula",
    "check_family",
    "check_space",
    "check_sum",
    "check_toolkit",
    "check_tools",
    "check_user",
    "complain",
    "misfits",
    "sha256_of",
    "unpacked_size",
]

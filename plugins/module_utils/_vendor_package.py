# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the file name of a vendor package says. This module util is PRIVATE to the collection.

Names as ascend-deployer's download lists and the vendor's guides have them: ``Ascend-hdk-910b-npu-driver_25.5.0_linux-
x86-64.run``, ``Ascend-hdk-910b-npu-firmware_7.7.0.6.236.run``, ``Ascend-hdk-910b-npu_25.5.0_linux-aarch64.zip``,
``Atlas-A3-hdk-npu-driver_25.2.1_linux-aarch64.run``, ``Ascend-cann-kernels-910b_8.3.RC2_linux-x86_64.run``,
``Ascend-cann-910b-ops_8.5.0_linux-aarch64.run``, ``Ascend-docker-runtime_7.1.RC1_linux-x86_64.run``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError

KINDS = ("driver", "firmware", "cann", "docker_runtime")
HDK = "hdk"  # a zip with driver and firmware

# Families by the word of the file name; values are those of _npu_model.family().
_FAMILIES = {
    "910": "910",
    "910b": "A2",
    "910_93": "A3",
    "a3": "A3",
    "a5": "950",
    "950": "950",
    "310p": "310P",
    "310b": "310B",
    "310": "310",
}
# PCI device ids of vendor 0x19e5 (reference of npu-smi's board output, and lspci).
PCI_VENDOR = "0x19e5"
PCI_FAMILIES = {
    "0xd100": "310",
    "0xd107": "310B",
    "0xd500": "310P",
    "0xd801": "910",
    "0xd802": "A2",
    "0xd803": "A3",
    "0xd806": "950",
}
_ARCHITECTURES = {
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "x86_64": "x86_64",
    "x86-64": "x86_64",
    "amd64": "x86_64",
}
_ARCH = "|".join(_ARCHITECTURES)
_NAME = re.compile(
    r"(?P<product>[A-Za-z][A-Za-z0-9-]*(?:910_93[A-Za-z0-9-]*)?)"
    r"_(?P<version>v?\d+(?:[.-](?:rc|t|b|alpha|beta|spc|post)?[.-]?\d+)*)"
    r"(?:_(?P<patch>sph\d+))?"
    r"(?:_[a-z]+[\d.]*(?:[-_](?P<arch>" + _ARCH + r"))?)?"
    r"(?:_abi\d)?(?:-custom)?"
    r"\.(?P<form>run|zip)",
    re.IGNORECASE,
)
_CHIP = r"(?P<chip>" + "|".join(sorted(map(re.escape, _FAMILIES), key=len, reverse=True)) + ")"
_PRODUCTS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"ascend-hdk-" + _CHIP + r"(-npu)?-(?P<part>driver|firmware)(-soc)?", None),
        (r"atlas-" + _CHIP + r"-hdk-npu-(?P<part>driver|firmware)", None),
        (r"ascend-hdk-" + _CHIP + r"-npu(-soc)?", HDK),
        (r"atlas-" + _CHIP + r"-hdk-npu", HDK),
        (r"ascend-?" + _CHIP + r"(-hdk)?(-npu)?-(?P<part>driver|firmware)", None),
        (r"(a\d+i?-\d+|atlas-200[a-z0-9-]*)-npu-(?P<part>driver|firmware)", None),
        (r"ascend-cann-(?P<component>kernels|ops)-" + _CHIP, "cann"),
        (r"ascend-cann-" + _CHIP + r"-(?P<component>kernels|ops)", "cann"),
        (r"atlas-" + _CHIP + r"-cann-(?P<component>kernels|ops)", "cann"),
        (r"ascend-cann-(?P<component>toolkit|nnal|nnae|nnrt|tfplugin|amct)", "cann"),
        (r"ascend-docker-runtime", "docker_runtime"),
    )
)


@dataclass(frozen=True)
class Package:
    """A vendor package by its name. ``component`` and ``chip`` (family) are None where the name has none."""

    file: str
    kind: str
    name: str
    version: str
    component: str | None = None
    family: str | None = None
    arch: str | None = None
    form: str = "run"
    patch: str | None = None

    @property
    def shown(self) -> str:
        """What it is, for sentences."""
        return shown(self.kind, self.component, self.family)

    def to_dict(self) -> dict:
        return {
            "file": self.file,
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "component": self.component,
            "family": self.family,
            "arch": self.arch,
            "form": self.form,
        }


def shown(kind: str, component: str | None = None, family: str | None = None) -> str:
    """A package in words: "driver", "CANN kernels for A2", "Ascend Docker Runtime"."""
    words = {"cann": f"CANN {component or ''}".rstrip(), "docker_runtime": "Ascend Docker Runtime"}.get(kind, kind)
    return f"{words} for {family}" if kind == "cann" and family else words


def parse_file_name(path: str) -> Package:
    """The package a file name stands for; raises L(VendorError) when it stands for none that can be installed."""
    file = os.path.basename(path)
    found = _NAME.fullmatch(file)
    product = found.group("product").lower() if found else ""
    for pattern, kind in _PRODUCTS if found else ():
        match = pattern.fullmatch(product)
        if match:
            words = match.groupdict()
            arch = found.group("arch")
            return Package(
                file=file,
                kind=kind or words["part"],
                name=found.group("product"),
                version=found.group("version"),
                component=words.get("component"),
                family=_FAMILIES.get(words.get("chip") or ""),
                arch=_ARCHITECTURES[arch.lower()] if arch else None,
                form=found.group("form").lower(),
                patch=found.group("patch"),
            )
    if "-mcu" in file.lower():
        raise VendorError(
            f"{file} is MCU firmware, which has no installer", "Use npu-smi upgrade -t mcu, as its guide says."
        )
    raise VendorError(
        f"{file} is not named like a package of the driver, firmware, CANN or Ascend Docker Runtime",
        "Give the file the name it had when it was downloaded; its installer and this check read it.",
    )


def machine_arch(word: str) -> str | None:
    """``uname -m`` in the spelling of L(Package.arch)."""
    return _ARCHITECTURES.get(word.strip().lower())


def choose(names, kind: str) -> str:
    """Of the names in a zip, the package of ``kind``; raises L(VendorError) when there is not exactly one."""
    fitting, others = [], []
    for name in names:
        try:
            package = parse_file_name(name)
        except VendorError:
            continue
        (fitting if package.kind == kind and package.form == "run" else others).append(name)
    if len(fitting) == 1:
        return fitting[0]
    what = f"{len(fitting)} packages of kind {kind} ({', '.join(fitting)})" if fitting else f"no package of kind {kind}"
    raise VendorError(
        f"the zip has {what}; besides {', '.join(others) or 'nothing'}", "Give the path of the .run file itself."
    )


__all__ = [
    "HDK",
    "KINDS",
    "PCI_FAMILIES",
    "PCI_VENDOR",
    "Package",
    "choose",
    "machine_arch",
    "parse_file_name",
    "shown",
]

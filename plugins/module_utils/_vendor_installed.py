# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the vendor's installers left on a machine: from the files they write. This module util is PRIVATE to it.

Facts: /etc/ascend_install.info has KEY=value for installed parts only; driver/version.info is removed first and written
last, so that a driver with an entry there and without that file was left half-way; the docker runtime and CANN write an
``*_install.info`` each, CANN kernels and nnal a ``version.info``.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass, field

from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import same_version, spans, version_key

INSTALL_INFO = "/etc/ascend_install.info"
ASCEND = "/usr/local/Ascend"

# Below an installation path. CANN before 8.5 has ascend-toolkit/<version>, since then cann-<version>.
_PATTERNS = (
    "driver/version.info",
    "firmware/version.info",
    "Ascend-Docker-Runtime/ascend_docker_runtime_install.info",
    "ascend-toolkit/*/*-linux/ascend_toolkit_install.info",
    "ascend-toolkit/*/ascend_toolkit_install.info",
    "ascend-toolkit/*/opp_kernel/version.info",
    "cann-*/*-linux/ascend_*_install.info",
    "cann-*/ascend_*_install.info",
    "cann-*/opp_kernel/version.info",
    "nnae/*/*_install.info",
    "nnae/*/*-linux/*_install.info",
    "nnrt/*/*_install.info",
    "nnrt/*/*-linux/*_install.info",
    "nnal/atb/*/version.info",
)
_FAMILIES = {"910b": "A2", "a3": "A3", "910": "910", "310p": "310P", "310b": "310B", "910_93": "A3", "950": "950"}


@dataclass(frozen=True)
class Part:
    """Something that can be installed once.

    ``version`` is None when it is not installed, or was left half-way (then ``complete`` is False). ``accepts`` are the
    versions of its counterpart (firmware of a driver, driver of a firmware), ``hdk`` the release it came with.
    """

    version: str | None = None
    path: str | None = None
    complete: bool = True
    hdk: str | None = None
    accepts: tuple = ()

    def to_dict(self) -> dict:
        return {"installed": self.version, "path": self.path, "complete": self.complete}


@dataclass(frozen=True)
class Cann:
    """One installed part of CANN. ``path`` is the directory of its version."""

    component: str
    version: str
    path: str
    family: str | None = None

    def to_dict(self) -> dict:
        return {"component": self.component, "version": self.version, "path": self.path, "family": self.family}


@dataclass(frozen=True)
class Installed:
    """All of a machine's vendor software."""

    driver: Part = field(default_factory=Part)
    firmware: Part = field(default_factory=Part)
    docker_runtime: Part = field(default_factory=Part)
    cann: tuple = ()

    @property
    def hdk(self) -> str | None:
        """The HDK release, when driver and firmware say the same."""
        driver, firmware = self.driver.hdk, self.firmware.hdk
        return driver if driver and firmware and same_version(driver, firmware) else None


def parse_values(text: str) -> dict:
    """``KEY=value`` lines; of a key that is there twice the last one, as the installers append."""
    values = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not key.lstrip().startswith("#"):
            values[key.strip()] = value.strip()
    return values


def collect(install_path: str | None = None, install_info: str = INSTALL_INFO, root: str = "/") -> dict:
    """The files L(read_installed) needs, {path: text}: those there are. Links (``latest``) are not followed twice.

    ``root`` stands before all paths and is not part of the names.
    """
    texts: dict = {}
    _take(texts, root, install_info)
    values = parse_values(texts.get(install_info, ""))
    paths = [install_path, ASCEND]
    paths += [value for key, value in sorted(values.items()) if key.endswith("_Install_Path_Param")]
    real = set()
    for base in dict.fromkeys(os.path.normpath(path) for path in paths if path):
        for pattern in _PATTERNS:
            for found in sorted(glob.glob(below(root, os.path.join(base, pattern)))):
                # Real directories sort before links of this name ("8.3.RC2" and "latest", "cann-8.5.0" and "cann").
                if os.path.realpath(found) not in real:
                    real.add(os.path.realpath(found))
                    shown = "/" + os.path.relpath(os.path.realpath(found), os.path.realpath(root))
                    _take(texts, root, shown)
    return texts


def read_installed(files: dict, install_info: str = INSTALL_INFO) -> Installed:
    """What is installed, from {path: text} of the vendor's files."""
    info = parse_values(files.get(install_info, ""))
    cann = [entry for path, text in sorted(files.items()) for entry in _cann(path, text)]
    return Installed(
        driver=_hdk_part("driver", info, files),
        firmware=_hdk_part("firmware", info, files),
        docker_runtime=_docker_runtime(files),
        cann=tuple(sorted(cann, key=lambda entry: (entry.component, version_key(entry.version), entry.path))),
    )


def below(root: str, path: str) -> str:
    """An absolute path of the machine whose root directory is ``root``."""
    return os.path.join(root, path.lstrip("/"))


def _take(texts: dict, root: str, path: str) -> None:
    try:
        with open(below(root, path), encoding="utf-8", errors="replace") as handle:
            texts[path] = handle.read()
    except OSError:
        return  # not there, or a directory of that name: not installed


def _hdk_part(part: str, info: dict, files: dict) -> Part:
    word = part.capitalize()
    path = info.get(f"{word}_Install_Path_Param")
    base = os.path.normpath(path) if path else ASCEND
    text = files.get(f"{base}/{part}/version.info")
    values = parse_values(text or "")
    version = values.get("Version") or None
    other = "compatible_version_fw" if part == "driver" else "compatible_version_drv"
    if version is None and path is None:
        return Part()
    return Part(
        version=version,
        path=base,
        complete=version is not None and path is not None,
        hdk=values.get("package_version") or (version if part == "driver" else None),
        accepts=spans(values.get(other)),
    )


def _docker_runtime(files: dict) -> Part:
    for path, text in sorted(files.items()):
        if path.endswith("/Ascend-Docker-Runtime/ascend_docker_runtime_install.info"):
            version = parse_values(text).get("version", "")
            base = os.path.dirname(os.path.dirname(path))
            return Part(version=re.sub(r"^v(?=\d)", "", version) or None, path=base, complete=bool(version))
    return Part()


def _cann(path: str, text: str) -> list:
    values = parse_values(text)
    found = re.search(r"/ascend_(toolkit|ops|kernels|nnae|nnrt|nnal|tfplugin|amct)_install\.info$", path)
    if found and values.get("version"):
        component = found.group(1)
        return [Cann(component, values["version"], _version_dir(path), _family(values.get("package_name", "")))]
    if path.endswith("/opp_kernel/version.info"):
        version = values.get("version_dir") or values.get("Version")
        return [Cann("kernels", version, _version_dir(path))] if version else []
    if re.search(r"/nnal/atb/[^/]+/version\.info$", path):
        version = re.search(r"^\s*Ascend-cann-atb\s*:\s*(\S+)\s*$", text, re.MULTILINE)
        return [Cann("nnal", version.group(1), os.path.dirname(path))] if version else []
    return []


def _version_dir(path: str) -> str:
    """The directory of the version that a file of CANN belongs to."""
    folder = os.path.dirname(path)
    return os.path.dirname(folder) if re.search(r"(-linux|/opp_kernel)$", folder) else folder


def _family(package_name: str) -> str | None:
    found = re.search(r"(910_93|910b|310p|310b|910|950|\ba3)", package_name.lower())
    return _FAMILIES[found.group(1)] if found else None


__all__ = ["ASCEND", "INSTALL_INFO", "Cann", "Installed", "Part", "below", "collect", "parse_values", "read_installed"]

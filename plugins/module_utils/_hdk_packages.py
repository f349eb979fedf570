# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which versions of driver and firmware package files have. This module util is PRIVATE to the collection."""

from __future__ import annotations

import os
import zipfile

from ansible_collections.npuops.ascend.plugins.module_utils._hdk_plan import PARTS
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import HDK, choose, parse_file_name
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import same_version


def inside(path: str) -> dict:
    """{part: version} of a package file: one of a .run, two of a zip, none of a package of anything else.

    Raises L(VendorError) for a name that is none of a package, and for a zip that cannot be opened.
    """
    package = parse_file_name(path)
    if package.kind != HDK:
        return {package.kind: package.version} if package.kind in PARTS else {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise VendorError(f"{path} cannot be opened ({error})", "Get it again, or give the .run files.") from error
    return {part: parse_file_name(choose(names, part)).version for part in PARTS}


def wanted(said: dict) -> dict:
    """{part: version or None} that packages and versions ask for.

    ``said`` has C(package) (a zip), C(driver_package), C(firmware_package), C(version) and C(firmware_version), each
    a path, a URL, a version, or empty. Raises L(VendorError) when they contradict each other.
    """
    versions = {"driver": said.get("version") or None, "firmware": said.get("firmware_version") or None}
    names = {"driver": "hdk_version", "firmware": "hdk_firmware_version"}
    for part, path in (("driver", said.get("driver_package")), ("firmware", said.get("firmware_package"))):
        if path:
            kind = parse_file_name(path).kind
            if kind != part:
                raise VendorError(f"hdk_{part}_package is {path}, a package of the {kind}", f"Give that of the {part}.")
            _agree(versions, names, part, parse_file_name(path).version, path)
    path = said.get("package")
    if path:
        package = parse_file_name(path)
        if package.kind != HDK:
            raise VendorError(
                f"hdk_package is {path}, a package of the {package.kind}", "Give the zip with driver and firmware."
            )
        _agree(versions, names, "driver", package.version, path)
        # The zip is called after the driver; which firmware it has is only told inside.
        if os.path.exists(path):
            _agree(versions, names, "firmware", inside(path)["firmware"], path)
        elif versions["firmware"] is None:
            raise VendorError(
                f"which firmware {path} has is not seen from here",
                "Set hdk_firmware_version to that on the file in it.",
            )
    return versions


def _agree(versions: dict, names: dict, part: str, version: str, path: str) -> None:
    said = versions[part]
    if said is not None and not same_version(said, version):
        raise VendorError(
            f"{names[part]} is {said}, and {path} has {part} {version}",
            "Let both say the same; hdk_version and hdk_firmware_version follow from ascend_stack unless they are set.",
        )
    versions[part] = version


def kept(folder: str, before: dict, after: dict) -> tuple:
    """({part: path or None} of the packages in ``folder`` that bring ``before`` back, [paths nobody needs]).

    A package is needed while it has a version of ``before`` or ``after``.
    """
    back: dict = dict.fromkeys(before)
    spare = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        try:
            versions = inside(path)
        except VendorError:
            continue  # whatever it is, it is not ours to use or to remove
        for part, version in versions.items():
            if same_version(before.get(part), version):
                back[part] = back[part] or path
        needed = any(
            same_version(one.get(part), version) for one in (before, after) for part, version in versions.items()
        )
        if versions and not needed:
            spare.append(path)
    return back, spare


__all__ = ["inside", "kept", "wanted"]

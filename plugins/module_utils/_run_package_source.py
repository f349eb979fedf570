# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where a package is: a file, or a name in a zip. This module util is PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, replace

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import (
    HDK,
    Package,
    choose,
    parse_file_name,
    shown,
)


@dataclass(frozen=True)
class Source:
    """The package that was named: ``package`` is the .run, ``inside`` its name in the zip ``path``.

    ``guessed``: the zip is not here, so that its name stands for what is in it (a firmware's version is unknown).
    """

    path: str
    package: Package
    inside: str | None = None
    guessed: bool = False


def find_source(path: str, kind: str | None) -> Source:
    """What is at ``path``, or would be by its name; raises L(VendorError)."""
    package = parse_file_name(path)
    if package.kind == HDK and kind is None:
        raise VendorError(f"{package.file} has driver and firmware", "Say in kind which of them is meant.")
    kind = kind or package.kind
    if kind != package.kind and not (package.kind == HDK and kind in ("driver", "firmware")):
        raise VendorError(f"{package.file} is {package.shown}, not {shown(kind)}", "Correct kind or path.")
    if package.form != "zip":
        return Source(path, package)
    if not os.path.exists(path):
        return Source(path, replace(package, kind=kind), guessed=True)
    try:
        with zipfile.ZipFile(path) as archive:
            inside = choose(archive.namelist(), kind)
    except (zipfile.BadZipFile, OSError) as error:
        raise VendorError(f"{path} cannot be read as a zip ({error})", "Fetch the package again.") from error
    return Source(path, parse_file_name(inside), inside)


@contextlib.contextmanager
def unpacked(source: Source, unpack_dir: str | None):
    """The path of the package, for as long as it is needed; one in a zip is unpacked into ``unpack_dir``."""
    if not source.inside:
        yield source.path
        return
    place = tempfile.mkdtemp(prefix="npuops-", dir=unpack_dir)
    try:
        path = os.path.join(place, source.package.file)
        try:
            with zipfile.ZipFile(source.path) as archive, archive.open(source.inside) as member, open(
                path, "wb"
            ) as file:
                shutil.copyfileobj(member, file, 1 << 20)
        except (zipfile.BadZipFile, OSError) as error:
            raise VendorError(
                f"{source.inside} cannot be unpacked from {source.path} ({error})",
                "Fetch the package again, or make space in unpack_dir.",
            ) from error
        yield path
    finally:
        shutil.rmtree(place, ignore_errors=True)


__all__ = ["Source", "find_source", "unpacked"]

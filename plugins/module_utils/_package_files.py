# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vendor packages in a directory: which there are, and the one that a version, a chip and an architecture ask for.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Runs on the controller. Names are those of the vendor's download pages; nothing is opened but C(SHA256SUMS) and,
where no C(.run) fits, the list of contents of a C(.zip).
"""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass, replace

from ._run import VendorError
from ._vendor_package import HDK, PCI_FAMILIES, Package, machine_arch, parse_file_name

SUMS = "SHA256SUMS"
KINDS = (HDK, "driver", "firmware", "docker_runtime", "toolkit", "ops", "nnal")


class PackageError(Exception):
    """Sentences that say what was looked for, what is there, and what to do."""


@dataclass(frozen=True)
class PackageFile:
    """A file of the directory, the package that its name says, and the file inside where that is the package meant."""

    name: str
    package: Package
    member: str | None = None

    @property
    def kind(self):
        if self.package.kind != "cann":
            return self.package.kind
        # "kernels" until CANN 8.3, "ops" from 8.5 on.
        return "ops" if self.package.component == "kernels" else self.package.component

    def fits(self, kind, version, family, arch):
        return (
            self.kind == kind
            and (kind == HDK) == (self.package.form == "zip")
            and (version is None or self.package.version.lower() == str(version).lower())
            and (family is None or self.package.family in (None, family))
            and (arch is None or self.package.arch in (None, arch))
        )


def parse(name):
    """The package that a file name says, or None."""
    try:
        return PackageFile(name, parse_file_name(name))
    except VendorError:
        return None


def family_of(chip):
    """The family of a chip, written as in file names (C(910b)) or as M(npuops.ascend.npu_info) has it (C(A2))."""
    named = parse(f"Ascend-hdk-{chip}-npu_1.0_linux-x86-64.zip")
    found = (
        named.package.family if named else {known.lower(): known for known in PCI_FAMILIES.values()}.get(chip.lower())
    )
    if not found:
        raise PackageError(f"chip {chip!r} is not known; write it as in the file names, such as 910b, 310p or A3.")
    return found


def read_sums(path):
    """C({file name: sha256}) of a file that C(sha256sum) wrote. Names have no leading C(./)."""
    sums = {}
    try:
        with open(path, encoding="utf-8") as handle:
            lines = handle.read().splitlines()
    except FileNotFoundError:
        folder = os.path.dirname(path)
        raise PackageError(
            f"{path} is not there; get the checksums from where the packages came from, or, if you trust the files as "
            f"they are: cd {folder} && find . -type f ! -name {SUMS} -printf '%P\\0' | xargs -0 sha256sum > {SUMS}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{path} cannot be read ({error}); mend it.") from error
    for number, line in enumerate(lines, 1):
        match = re.match(r"^([0-9A-Fa-f]{64}) [ *](?:\./)?(.+)$", line)
        if match:
            sums[match.group(2)] = match.group(1).lower()
        elif line.strip() and not line.startswith("#"):
            raise PackageError(f"{path}: line {number} is no checksum of sha256sum: {line[:80]!r}; mend it.")
    return sums


def find(directory, kind, version=None, chip=None, arch=None, sums=None, prefix=""):
    """The one package of C(directory) that fits, as C({path, sha256, name, member, kind, version}).

    C(sums) is the file of checksums (default: C(SHA256SUMS) in the directory), which names files with C(prefix) before
    them. C(member) is the file inside where a C(.zip) has the package that no C(.run) is.
    """
    if kind not in KINDS:
        raise PackageError(f"kind {kind!r} is not known; there are: {', '.join(KINDS)}.")
    known = _packages(directory)
    wish = (kind, version, family_of(chip) if chip else None, _arch(arch) if arch else None)
    fitting = [package for package in known if package.fits(*wish)]
    if not fitting and kind in ("driver", "firmware"):
        fitting = _inside(directory, known, *wish)
    if not fitting:
        raise PackageError(f"{directory} has no {_words(*wish)}. It has {_listing(known, kind)}.")
    if len(fitting) > 1:
        raise PackageError(
            f"{directory} has several that are {_words(*wish)}: {', '.join(package.name for package in fitting)}. "
            "Say version, chip and architecture."
        )
    return _answer(directory, fitting[0], sums, prefix)


def every(directory, sums=None, prefix=""):
    """All packages of C(directory), each as L(find) answers."""
    return [_answer(directory, package, sums, prefix) for package in _packages(directory)]


def _packages(directory):
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if entry.is_file())
    except OSError as error:
        raise PackageError(f"{directory}: {error.strerror}; name the directory with the vendor's packages.") from error
    return [package for package in map(parse, names) if package]


def _answer(directory, found, sums, prefix):
    sums = sums or os.path.join(directory, SUMS)
    checksum = read_sums(sums).get(prefix + found.name)
    if checksum is None:
        raise PackageError(
            f"{sums} has no checksum of {prefix}{found.name}; add the one that was published with the package."
        )
    return {
        "path": os.path.join(directory, found.name),
        "sha256": checksum,
        "name": found.name,
        "member": found.member,
        "kind": found.kind,
        "version": found.package.version,
    }


def _inside(directory, known, kind, version, family, arch):
    """Packages in the zips. A driver's zip has its version; that of a firmware is only on the file inside."""
    found = []
    for outer in known:
        if not outer.fits(HDK, None, family, arch):
            continue
        try:
            with zipfile.ZipFile(os.path.join(directory, outer.name)) as archive:
                members = archive.namelist()
        except (OSError, zipfile.BadZipFile) as error:
            raise PackageError(f"{directory}/{outer.name} cannot be opened ({error}); get it again.") from error
        inside = [parse(member.rsplit("/", 1)[-1]) for member in members]
        found += [
            replace(package, name=outer.name, member=member)
            for member, package in zip(members, inside)
            if package and package.fits(kind, version, family, arch)
        ]
    return found


def _arch(arch):
    found = machine_arch(arch)
    if not found:
        raise PackageError(f"arch {arch!r} is not known; there are aarch64 and x86_64.")
    return found


def _words(kind, version, family, arch):
    words = [kind, str(version or ""), f"for {family}" if family else "", f"on {arch}" if arch else ""]
    return " ".join(word for word in words if word)


def _listing(known, kind):
    same = [package.name for package in known if package.kind == kind]
    if same:
        return "of this kind: " + ", ".join(same)
    if known:
        return "none of this kind, only: " + ", ".join(package.name for package in known)
    return "no package of the vendor at all"

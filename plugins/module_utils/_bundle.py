# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory with all that a site without a network installs from: its contents, checksums and what is wrong with it.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

C(bundle.json) says what is in it, C(SHA256SUMS) has the checksum of every file but its own, in the form that
C(sha256sum --check) reads. Files whose name begins with a dot do not belong to the bundle.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform

from ._package_files import SUMS, PackageError, read_sums
from ._repository import sha256

INDEX = "bundle.json"
FORMAT = 1
# Sizes and times of the files whose checksums are known, so that an unchanged image is not read again.
_SEEN = ".seen.json"


class BundleError(PackageError):
    """The directory is no bundle that this release can use."""


def listing(directory):
    """Paths of all files relative to the directory, sorted; neither hidden ones nor the checksums."""
    found = []
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(folder, directory)
        found += [os.path.normpath(os.path.join(inside, name)) for name in files if not name.startswith(".")]
    return sorted(set(found) - {SUMS})


def seal(directory, contents, write=True):
    """Bring C(bundle.json) and C(SHA256SUMS) up to date; C((added, changed, removed)) paths since the last time."""
    sums = os.path.join(directory, SUMS)
    before = read_sums(sums) if os.path.exists(sums) else {}
    index = json.dumps({"format": FORMAT, **contents}, indent=2, sort_keys=True) + "\n"
    if write and _text(os.path.join(directory, INDEX)) != index:
        _write(os.path.join(directory, INDEX), index)
    try:
        seen = json.loads(_text(os.path.join(directory, _SEEN)) or "{}")
    except ValueError:
        seen = {}
    known, after = {}, {}
    for path in listing(directory):
        status = os.stat(os.path.join(directory, path))
        mark = [status.st_size, status.st_mtime_ns, status.st_ino]
        same = seen.get(path, [])[:3] == mark and path in before
        after[path] = before[path] if same else sha256(os.path.join(directory, path))
        known[path] = mark
    if write:
        _write(os.path.join(directory, _SEEN), json.dumps(known))
        if before != after:
            _write(sums, "".join(f"{after[path]}  {path}\n" for path in sorted(after)))
    changed = [path for path in after if path in before and before[path] != after[path]]
    return sorted(set(after) - set(before)), changed, sorted(set(before) - set(after))


def read(directory):
    """The contents of a bundle; raises L(BundleError) when it is none."""
    text = _text(os.path.join(directory, INDEX))
    if text is None:
        raise BundleError(f"{directory} has no {INDEX}; name the directory that playbooks/bundle.yml filled.")
    try:
        contents = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{directory}/{INDEX} is damaged ({error}); copy the bundle again.") from None
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise BundleError(f"{directory}/{INDEX} is of another release; make the bundle with this one.")
    return contents


def verify(directory):
    """Sentences about files that are missing, changed or not of the bundle; every file is read."""
    sums = read_sums(os.path.join(directory, SUMS))
    found = set(listing(directory))
    problems = [f"{path} is missing" for path in sorted(set(sums) - found)]
    problems += [f"{path} is not of the bundle" for path in sorted(found - set(sums))]
    problems += [
        f"{path} is not what it was when the bundle was made"
        for path in sorted(found & set(sums))
        if sha256(os.path.join(directory, path)) != sums[path]
    ]
    return problems


def images(directory, names=None):
    """Archives of a bundle as C([{path, names, sha256}]): all, or those with any of the images C(names)."""
    sums = read_sums(os.path.join(directory, SUMS))
    found = []
    for image in read(directory).get("images", []):
        path = f"images/{image['file']}"
        if names is not None and not set(image["names"]) & set(names):
            continue
        if path not in sums:
            raise BundleError(f"{directory}/{SUMS} has no checksum of {path}; make the bundle again.")
        found.append({"path": os.path.join(directory, path), "names": image["names"], "sha256": sums[path]})
    return found


def system(directory, name):
    """The repository for a distribution, C({path, sha256, names, manager}); C(name) is such as C(debian-12-x86_64)."""
    known = read(directory).get("system", {})
    if name not in known:
        raise BundleError(
            f"{directory} has no packages for {name}, only for: {', '.join(sorted(known)) or 'none'}. Make the bundle "
            "with a machine of this distribution in bundle_twins."
        )
    path = f"system/{name}.tar"
    checksum = read_sums(os.path.join(directory, SUMS)).get(path)
    if checksum is None:
        raise BundleError(f"{directory}/{SUMS} has no checksum of {path}; make the bundle again.")
    return {"path": os.path.join(directory, path), "sha256": checksum, **known[name]}


def requirements(names):
    """A pip requirements file with the versions that this Python has of some packages, without those it has not."""
    lines = []
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            lines.append(f"{name}=={importlib.metadata.version(name)}")
    release = ".".join(platform.python_version_tuple()[:2])
    return "\n".join([*lines, f"# for Python {release} on {platform.machine()}", ""])


def _text(path):
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def _write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as handle:
        handle.write(text)
    os.replace(path + ".new", path)

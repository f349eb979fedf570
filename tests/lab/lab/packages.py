# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated vendor packages: self-extracting ``.run`` files and ``.zip`` files under the vendor's names.

What is in which package is ``catalog.py``; this packs it. The same input makes the same bytes, so checksums stay.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import shlex
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from lab import catalog
from lab.common import CACHE_DIR, LAB_DIR, LabError

SOURCES = LAB_DIR / "packages"
DEFAULT_DIR = CACHE_DIR / "packages"
SUMS = "SHA256SUMS"
EPOCH = 1735689600  # of every file inside: 2025-01-01


def archive(files: dict[str, bytes]) -> bytes:
    """A gzipped tar of ``files``; scripts are executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), EPOCH
            entry.mode = 0o755 if name.endswith(".sh") or content.startswith(b"#!") else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=EPOCH)


def run_file(package: catalog.Package) -> bytes:
    """The ``.run`` of a package: header, then the archive its last line ends before."""
    files = contents(package)
    body = archive(files)
    text = (SOURCES / "header.sh").read_text()
    values = {
        "LABEL": package.label,
        "SCRIPT": "install.sh",
        "SCRATCH": package.scratch,
        "KNOWN": package.known_options,
        "SHA256": hashlib.sha256(body).hexdigest(),
        "SIZE": str(len(body)),
        "UNPACKED_KB": str(sum(len(content) for content in files.values()) // 1024 + 1),
        "HELP": (SOURCES / package.help_file).read_text().rstrip("\n"),
    }
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text.replace("@SKIP@", str(text.count("\n"))).encode() + body


def contents(package: catalog.Package) -> dict[str, bytes]:
    """Files inside: the installer and what it sources, ``package.conf`` (shell) and texts such as version.info."""
    files = {"guard.sh": (SOURCES / "guard.sh").read_bytes()}
    for source, name in package.sources.items():
        path = SOURCES / source
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
            files |= {f"{name}/{file.relative_to(path)}": file.read_bytes() for file in inside}
        else:
            files[name] = path.read_bytes()
    files["package.conf"] = "".join(f"{key}={shlex.quote(value)}\n" for key, value in package.settings.items()).encode()
    return files | {name: text.encode() for name, text in package.texts.items()}


def zip_file(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(2025, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, content)
    return buffer.getvalue()


def all_files() -> dict[str, bytes]:
    """Every package by file name."""
    runs = {package.name: run_file(package) for package in catalog.packages()}
    zips = {name: zip_file({member: runs[member] for member in members}) for name, members in catalog.zips().items()}
    return {**runs, **zips}


def build(directory: Path = DEFAULT_DIR) -> Iterable[tuple[str, bool]]:
    """Bring ``directory`` up to date, with ``SHA256SUMS``; yields each name and whether the file was written.

    Other files of the directory stay, and are not in the list of checksums.
    """
    directory.mkdir(parents=True, exist_ok=True)
    sums = []
    for name, content in sorted(all_files().items()):
        target = directory / name
        try:
            same = target.read_bytes() == content
        except FileNotFoundError:
            same = False
        except OSError as error:
            raise LabError(f"cannot write {target}: {error}") from None
        if not same:
            partial = directory / f".{name}.new"
            partial.write_bytes(content)
            partial.chmod(0o755)
            partial.replace(target)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        yield name, not same
    (directory / SUMS).write_text("".join(sums))


def corrupt(name: str, directory: Path = DEFAULT_DIR) -> Path:
    """Damage a package in the middle of its archive; ``SHA256SUMS`` keeps the right sum, and ``build`` mends it."""
    target = directory / name
    try:
        content = bytearray(target.read_bytes())
    except OSError as error:
        raise LabError(f"no package to corrupt: {error}") from None
    place = len(content) - len(content) // 8
    content[place : place + 64] = bytes(byte ^ 0xFF for byte in content[place : place + 64])
    target.write_bytes(content)
    return target

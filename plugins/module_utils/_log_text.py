# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read logs, however big, rotated or packed they are, without holding more than a bounded part of them.

Of a big log the beginning and the end are kept: the first error is the cause, the last lines are what is wrong now.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import tarfile
import zlib
from typing import NamedTuple

from ._diagnose_types import Text

# Of a packed log this many times the limit is unpacked at most: a few kB can hold gigabytes.
_UNPACK = 64
_PIECE = 1 << 16
# Also rotated: x.log.1, x.log.2.gz, x.1.log, plog-1234_20260101.log, raylet.out.1
_NAME = re.compile(r"\.(?:log|err|out|txt)(?:[.-][\w-]+)*$", re.IGNORECASE)


class Ends(NamedTuple):
    """The beginning and the end of a stream: bytes, and how many stand before ``tail`` (None: nothing was left out)."""

    head: bytes
    tail: bytes
    offset: int | None


def ends(stream, limit, most=None) -> Ends:
    """At most ``limit`` bytes of a stream that cannot seek; it is read to its end, or to ``most`` bytes."""
    keep = limit // 4
    head = b""
    while len(head) < keep:
        piece = stream.read(min(_PIECE, keep - len(head)))
        if not piece:
            return Ends(head, b"", None)
        head += piece
    tail = bytearray()
    seen = len(head)
    while most is None or seen < most:
        piece = stream.read(_PIECE)
        if not piece:
            break
        seen += len(piece)
        tail += piece
        if len(tail) > 2 * (limit - keep) + _PIECE:
            del tail[: len(tail) - (limit - keep)]
    del tail[: max(0, len(tail) - (limit - keep))]
    if len(head) + len(tail) == seen:
        return Ends(head + bytes(tail), b"", None)
    return Ends(head, bytes(tail), seen - len(tail))


def pieces(kind, name, found: Ends) -> list:
    """L(Text) of both ends; cut lines at the gap are left out."""
    if found.offset is None:
        return [Text(kind, name, _text(found.head))] if found.head else []
    head = found.head[: found.head.rfind(b"\n") + 1] or found.head
    cut = found.tail.find(b"\n") + 1
    return [
        Text(kind, name, _text(head)),
        Text(kind, name, _text(found.tail[cut:]), None, found.offset + cut),
    ]


def read_file(kind, path, limit, name=None) -> list:
    """L(Text) of a regular file, packed or not; OSError when it cannot be read. A link is not followed."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(0, "is not a regular file", path)
        if path.endswith(".gz"):
            return unpack(kind, name or path, stream, limit)
        keep = limit // 4
        if state.st_size <= limit:
            return pieces(kind, name or path, Ends(stream.read(limit), b"", None))
        head = stream.read(keep)
        offset = stream.seek(state.st_size - (limit - keep))
        return pieces(kind, name or path, Ends(head, stream.read(limit - keep), offset))


def unpack(kind, name, stream, limit) -> list:
    """L(Text) of a gzip stream; OSError when it is none."""
    try:
        with gzip.GzipFile(fileobj=stream) as packed:
            return pieces(kind, name, ends(packed, limit, _UNPACK * limit))
    except (EOFError, zlib.error) as error:
        raise OSError(0, f"is packed and damaged ({error})", name) from error


def is_log(name) -> bool:
    return bool(_NAME.search(name))


def log_files(folder, since=0.0, most=50) -> list:
    """Paths of the logs under a folder (or the file itself), changed after ``since`` (epoch), newest first."""
    if os.path.isfile(folder):
        return [folder]
    found = []
    for place, _folders, names in os.walk(folder):
        for name in filter(is_log, names):
            path = os.path.join(place, name)
            try:
                state = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode) and state.st_mtime >= since:
                found.append((-state.st_mtime, path))
    return [path for _age, path in sorted(found)[:most]]


def read_tar(kind, prefix, stream, limit, since=0.0, most=50) -> list:
    """L(Text) of the logs in a tar stream (as ``docker cp`` gives it), newest first, ``most`` files at most.

    Files are read one by one, what is no log is skipped, links are not followed.
    """
    found = []
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if not member.isreg() or not is_log(member.name) or member.mtime < since:
                continue
            content = archive.extractfile(member)
            name = prefix + "/" + member.name
            try:
                texts = (
                    unpack(kind, name, content, limit)
                    if name.endswith(".gz")
                    else pieces(kind, name, ends(content, limit))
                )
            except OSError:
                # One damaged file takes nothing from the others.
                continue
            found.append((-member.mtime, name, texts))
            found.sort(key=lambda item: item[:2])
            del found[most:]
    return [text for _age, _name, texts in found for text in texts]


def _text(raw) -> str:
    return raw.decode("utf-8", "replace")

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Read and write ``/etc/hccn.conf`` beside hccn_tool. This module util is PRIVATE to the collection.

The tool locks the file with flock while it works on it, and containers have it mounted as a file: it must keep its
inode, so it is not replaced but written over. It is cut to its new length only after that, and is never empty.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError

# One byte is one character and back, whatever a comment was written in.
_ENCODING = "latin-1"
_MODE = 0o640


class ConfFileError(VendorError):
    """The file can't be read or written."""


class ConfFile:
    """One hccn.conf. ``timeout`` is how many seconds to wait while the tool has it."""

    def __init__(self, path: str, timeout: float = 60.0, sleep=time.sleep, clock=time.monotonic) -> None:
        self.path = path
        self.timeout = timeout
        self._sleep = sleep
        self._clock = clock

    def read(self) -> str | None:
        """Its text, None if there is no such file."""
        with self._errors("read"):
            try:
                with self._locked(os.O_RDONLY, fcntl.LOCK_SH) as handle:
                    return _read(handle)
            except FileNotFoundError:
                return None

    def change(self, function) -> bool:
        """Write what ``function`` makes of the text (an empty one without a file); whether that was anything new.

        Reading and writing are one for everybody who locks the file. Nothing is written if ``function`` raises.
        """
        with self._errors("written"):
            created = False
            try:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE)
                created = True
                os.fchmod(handle, _MODE)
                os.close(handle)
            except FileExistsError:
                pass
            with self._locked(os.O_RDWR, fcntl.LOCK_EX) as handle:
                before = _read(handle)
                after = function(before)
                if after != before:
                    _write(handle, after.encode(_ENCODING))
                return created or after != before

    def remove(self) -> None:
        """Take away a file that was not there before."""
        with self._errors("removed"), contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    @contextlib.contextmanager
    def _locked(self, flags: int, how: int):
        handle = os.open(self.path, flags)
        try:
            deadline = self._clock() + self.timeout
            while True:
                try:
                    fcntl.flock(handle, how | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if self._clock() >= deadline:
                        raise ConfFileError(
                            f"{self.path} was locked for {self.timeout:g} s",
                            "Look who holds it (fuser -v FILE); a hung hccn_tool does",
                        ) from error
                    self._sleep(0.05)
            yield handle
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _errors(self, what: str):
        try:
            yield
        except OSError as error:
            raise ConfFileError(
                f"{self.path} cannot be {what} ({error.strerror or error})",
                "It must be a file that root can write; run the module as root (become: true)",
            ) from error


def readable(text: str) -> str:
    """The text for people to read."""
    return text.encode(_ENCODING).decode("utf-8", "replace")


def _read(handle: int) -> str:
    pieces = []
    while True:
        piece = os.pread(handle, 1 << 20, sum(map(len, pieces)))
        if not piece:
            return b"".join(pieces).decode(_ENCODING)
        pieces.append(piece)


def _write(handle: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(handle, data[written:], written)
    os.ftruncate(handle, len(data))
    os.fsync(handle)


__all__ = ["ConfFile", "ConfFileError", "readable"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the collection notes about installers it runs: one small file. This module util is PRIVATE to the collection.

A run is noted before it starts, so that the one after a power cut knows that what it finds was left half-way, and a
restart that is still due is known until it has happened. Without the file nothing is lost but this.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_running import boot_identity, process_mark

FILE = "packages.json"


class Journal:
    """``DIRECTORY/packages.json``: {key: {package, version, sha256, action, unfinished, process, boot, reboot}}."""

    def __init__(self, directory: str, readonly: bool = False, proc: str = "/proc") -> None:
        self.path = os.path.join(directory, FILE)
        self.readonly, self.proc = readonly, proc
        self.entries: dict = {}

    @contextlib.contextmanager
    def locked(self):
        """Hold off other runs on this machine, then read. Raises L(VendorError)."""
        if self.readonly:
            self.read()
            yield self
            return
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise VendorError(f"{self.path} cannot be written: {error.strerror}", "Set become: true.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise VendorError(
                f"another run installs a package here (it holds {self.path}.lock)", "Let it end, then run again."
            ) from error
        try:
            self.read()
            yield self
        finally:
            os.close(lock)

    def read(self) -> None:
        """A missing or damaged file is an empty one: the vendor's files say what is installed."""
        try:
            with open(self.path, encoding="utf-8") as handle:
                entries = json.load(handle)
        except (OSError, ValueError):
            entries = {}
        good = isinstance(entries, dict) and all(isinstance(entry, dict) for entry in entries.values())
        self.entries = entries if good else {}

    def unfinished(self, key: str) -> str:
        """Why what is there of ``key`` cannot be trusted, or ''."""
        entry = self.entries.get(key, {})
        if not entry.get("unfinished"):
            return ""
        return f"its {entry.get('action') or 'installation'} of {entry.get('version') or 'an unknown version'} was cut"

    def runs(self, key: str) -> int | None:
        """The process of an installer that an earlier run has started and that still works."""
        mark = self.entries.get(key, {}).get("process")
        if not mark or not self.entries[key].get("unfinished"):
            return None
        pid = int(str(mark).partition(":")[0])
        return pid if process_mark(pid, self.proc) == mark else None

    def reboot(self, key: str) -> str | None:
        """The sentence that asked for a restart which has not been yet."""
        entry = self.entries.get(key, {})
        return entry.get("reboot") if entry.get("boot") == boot_identity(self.proc) else None

    def begin(self, key: str, **what) -> None:
        """Note a run that is about to start; a restart that was due stays so."""
        due = self.reboot(key)
        self.entries[key] = {**what, "unfinished": True, "boot": boot_identity(self.proc), "reboot": due}
        self.write()

    def started(self, key: str, pid: int) -> None:
        self.entries[key]["process"] = process_mark(pid, self.proc)
        self.write()

    def end(self, key: str, reboot: str | None = None) -> None:
        """The run has done what it was for."""
        entry = self.entries[key]
        entry.update(unfinished=False, process=None, reboot=reboot or entry.get("reboot"))
        self.write()

    def put_back(self, key: str, entry: dict | None) -> None:
        """The run has changed nothing."""
        if entry is None:
            self.entries.pop(key, None)
        else:
            self.entries[key] = entry
        self.write()

    def write(self) -> None:
        """Replace the file. Raises L(VendorError)."""
        if self.readonly:
            return
        directory = os.path.dirname(self.path)
        try:
            handle, partial = tempfile.mkstemp(dir=directory, prefix=f".{FILE}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump(self.entries, stream, indent=1, sort_keys=True)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(partial, self.path)
            except OSError:
                os.unlink(partial)
                raise
        except OSError as error:
            raise VendorError(
                f"{self.path} cannot be written: {error.strerror}", "Make space in its file system, or name another."
            ) from error


__all__ = ["FILE", "Journal"]

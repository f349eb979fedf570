# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which slices are ours, and which change is under way: one small file. This module util is PRIVATE to the collection.

The change that is about to be made is noted before it is made, so that the run after an interrupted one knows whose
the slice is that it finds. The file is replaced atomically and readable by root only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import Owned, Step, where

_VERSION = 1


class StateFileError(VendorError):
    """The file is there and can't be used."""


class StateFile:
    """The file at ``path``. With ``readonly`` (check mode) what is noted is forgotten.

    ``owned`` maps (npu_id, chip_id, vnpu_id) to Owned; ``pending`` is None or the change that was begun and not
    ended: the fields of a Step, ``ids`` (those on the chip before it) and ``ours`` (whether a new slice is ours).
    """

    def __init__(self, path: str, readonly: bool = False) -> None:
        self.path = path
        self.readonly = readonly
        self.owned: dict = {}
        self.pending: dict | None = None

    @contextlib.contextmanager
    def locked(self):
        """Hold off other runs on this machine, then read. Raises L(StateFileError)."""
        if self.readonly:
            self.read()
            yield self
            return
        try:
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o755, exist_ok=True)
            lock = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable("cannot be written", error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StateFileError(
                f"another run changes vNPUs of this machine (it holds {self.path}.lock)", "Let it end, then run again."
            ) from error
        try:
            self.read()
            yield self
        finally:
            os.close(lock)

    def read(self) -> None:
        """Read the file; a missing one is an empty one. Raises L(StateFileError)."""
        try:
            with open(self.path, encoding="utf-8") as handle:
                data = json.load(handle)
            if data["version"] != _VERSION:
                raise self._unusable(f"has version {data['version']!r}, this collection knows {_VERSION}")
            self.owned = {
                (int(row["npu_id"]), int(row["chip_id"]), int(row["vnpu_id"])): Owned(row["template"], row["service"])
                for row in data["slices"]
            }
            self.pending = data["pending"]
        except FileNotFoundError:
            self.owned, self.pending = {}, None
        except OSError as error:
            raise self._unusable("cannot be read", error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._unusable(f"is damaged ({error})") from error

    def begin(self, step: Step, ids, ours: bool = True) -> None:
        """Note a change that is about to be made; ``ids`` are those of the chip now."""
        before, self.pending = self.pending, {**step.to_dict(), "ids": sorted(ids), "ours": ours}
        try:
            self.write()
        except StateFileError:
            self.pending = before
            raise

    def created(self, key: tuple, vnpu_id: int, template: str, service) -> None:
        """A slice of ours is there: the change has ended."""
        self.owned[(*key, vnpu_id)] = Owned(template, service)
        self.pending = None
        self.write()

    def destroyed(self, key: tuple, vnpu_id: int) -> None:
        self.owned.pop((*key, vnpu_id), None)
        self.pending = None
        self.write()

    def ended(self) -> None:
        """The change has ended, and no slice of ours has come or gone."""
        self.pending = None
        self.write()

    def write(self) -> None:
        """Replace the file. Raises L(StateFileError): without it a slice would later count as someone else's."""
        if self.readonly:
            return
        rows = [
            {"npu_id": npu_id, "chip_id": chip_id, "vnpu_id": vnpu_id, "template": one.template, "service": one.service}
            for (npu_id, chip_id, vnpu_id), one in sorted(self.owned.items())
        ]
        text = json.dumps({"version": _VERSION, "slices": rows, "pending": self.pending}, indent=1) + "\n"
        folder = os.path.dirname(self.path) or "."
        temporary = None
        try:
            # mkstemp makes it 0600 and new, whatever lies there.
            handle, temporary = tempfile.mkstemp(prefix=os.path.basename(self.path) + ".", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            temporary = None
            folder_fd = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(folder_fd)
            finally:
                os.close(folder_fd)
        except OSError as error:
            raise self._unusable("cannot be written", error) from error
        finally:
            if temporary is not None:
                os.unlink(temporary)

    def _unusable(self, why: str, error: OSError | None = None) -> StateFileError:
        remedy = "Repair it, or move it away; the slices that are there then count as not created by this collection."
        if isinstance(error, PermissionError):
            remedy = "Only root can: run the task with become: true."
        elif error is not None:
            remedy = "Make room for it and see that its file system is writable; slices are not changed without it."
        reason = f" ({error.strerror})" if error is not None else ""
        return StateFileError(f"the file of the slices created here, {self.path}, {why}{reason}", remedy)


def settle(owned: dict, pending, chips) -> tuple:
    """(ownership as it is, sentence or None) after a run that ended in the middle of a change. Pure.

    ``chips`` are ChipStates as found now. A slice that has come since the change was noted, with its template, is the
    one that run was creating. Entries of slices that no longer exist are dropped, those of chips not found stay.
    """
    there = {chip.key: {piece.vnpu_id: piece.template for piece in chip.slices} for chip in chips}
    owned = {
        key: entry
        for key, entry in owned.items()
        if key[:2] not in there or there[key[:2]].get(key[2]) == entry.template
    }
    if pending is None:
        return owned, None
    key = (pending["npu_id"], pending["chip_id"])
    place = where(*key)
    if pending["action"] == "destroy":
        gone = pending["vnpu_id"] not in there.get(key, {})
        return owned, (
            f"A run before was interrupted while it destroyed vNPU {pending['vnpu_id']} on {place}; "
            f"the slice is {'gone' if gone else 'still there'}. This run goes on from there."
        )
    new = [
        number
        for number, template in there.get(key, {}).items()
        if number not in pending["ids"] and template == pending["template"]
    ]
    sentence = f"A run before was interrupted while it created {pending['template']} on {place}; "
    if len(new) > 1:
        return owned, sentence + f"vNPUs {new} have come since, which of them is ours cannot be told, so none is."
    if not new:
        return owned, sentence + "no slice has come of it. This run goes on from there."
    if pending["ours"]:
        owned[(*key, new[0])] = Owned(pending["template"], pending["service"])
    return owned, sentence + f"vNPU {new[0]} has come of it. This run goes on from there."


__all__ = ["StateFile", "StateFileError", "settle"]

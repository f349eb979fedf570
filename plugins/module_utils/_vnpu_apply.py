# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Carry out a plan step by step, and take it back when a step fails. This module util is PRIVATE to the collection.

Each step is noted in the state file before it is made and read back after; what the tool says is only the reason
that is given when the machine does not show the change.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import lines_of, raise_tool_error
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import Step, where

_DMESG = "Look at dmesg on the node for the driver's reason"


class StepFailed(VendorError):
    """A change that the machine does not show."""


@dataclass(frozen=True)
class Setting:
    """A setting of the whole machine to change: ``name`` is mode or cfg_recover."""

    name: str
    before: object
    after: object

    def __str__(self) -> str:
        return f"set {self.name} to {_shown(self.after)}"

    def to_dict(self) -> dict:
        return {"action": "set", "setting": self.name, "before": self.before, "after": self.after}


class Failed(Exception):
    """A plan that was not carried out. ``cause`` is the VendorError, ``undone`` whether there was something to undo.

    ``restored``: the state before is back. Otherwise ``standing`` says what each touched chip carries now, and
    ``problems`` why it could not be taken back.
    """

    def __init__(self, cause: VendorError, undone: bool, problems, standing) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.undone = undone
        self.problems = tuple(problems)
        self.standing = tuple(standing)

    @property
    def restored(self) -> bool:
        return not self.problems

    @property
    def sentence(self) -> str:
        first = str(self.cause)
        first += "" if first.endswith(".") else "."
        if self.restored:
            what = (
                "What had been done was taken back, the state before stands" if self.undone else "Nothing was changed"
            )
            return f"{first} {what}."
        return (
            f"{first} Taking back what had been done failed as well: {' '.join(self.problems)} Now stands: "
            f"{'; '.join(self.standing)}. The next run goes on from there."
        )


class Work:
    """One run. ``chips`` are the ChipStates the plan was made from, ``book`` is the locked state file."""

    def __init__(self, machine, book, chips, device_timeout: float) -> None:
        self.machine = machine
        self.book = book
        self.device_timeout = device_timeout
        self.chips = {chip.key: chip for chip in chips}
        self.now = {chip.key: {piece.vnpu_id: piece for piece in chip.slices} for chip in chips}
        self.owned_before = dict(book.owned)
        self.new: set = set()  # (chip key, vnpu id) that have come of our steps
        self.begun: list = []  # what a failure takes back, in order
        self.undone = False
        self.open: tuple | None = None  # what _arrived takes, of a create whose outcome was not read yet

    def run(self, settings, steps) -> None:
        """Make all changes, or raise L(Failed) with the state before (or an account of what stands)."""
        try:
            for setting in settings:
                self.begun.append(setting)
                self._set(setting, setting.after)
            for step in steps:
                self.begun.append(step)
                self._destroy(step) if step.action == "destroy" else self._create(step)
        except VendorError as error:
            problems, standing = self._take_back()
            raise Failed(error, self.undone, problems, standing) from error

    def _create(self, step: Step, vnpu_id=None, vgroup_id=None, ours: bool = True) -> None:
        key = (step.npu_id, step.chip_id)
        known = self.now[key]
        self.book.begin(step, known, ours)
        self.open = (step, known, ours, vnpu_id)
        result = self.machine.create(key, step.template, vnpu_id, vgroup_id)
        right = self._arrived(step, known, ours, vnpu_id)
        if not right or not result.ok:
            raise _failed(step, result)
        if len(right) > 1:
            raise StepFailed(
                f"{step}: vNPUs {right} have come at once, which of them is ours cannot be told",
                "See that nobody else splits this chip meanwhile",
            )
        if not self.machine.wait_device(right[0], True, self.device_timeout):
            raise StepFailed(
                f"{step}: {self.machine.device(right[0])} did not appear within {self.device_timeout:g} s",
                f"{_DMESG}, or raise device_timeout",
            )

    def _arrived(self, step: Step, known, ours: bool, vnpu_id=None) -> list:
        """Read the chip, and note what has come since ``known`` as new; its ids."""
        key = (step.npu_id, step.chip_id)
        self.now[key] = self.machine.look(key)
        right = [
            number
            for number, piece in sorted(self.now[key].items())
            if number not in known and piece.template == step.template and vnpu_id in (None, number)
        ]
        self.open = None
        self.new |= {(key, number) for number in right}
        if len(right) == 1 and ours:
            self.book.created(key, right[0], step.template, step.service)
        else:
            self.book.ended()
        return right

    def _destroy(self, step: Step) -> None:
        key = (step.npu_id, step.chip_id)
        self.book.begin(step, self.now[key])
        result = self.machine.destroy(key, step.vnpu_id)
        self.now[key] = self.machine.look(key)
        if step.vnpu_id in self.now[key]:
            self.book.ended()
            raise _failed(step, result)
        self.new.discard((key, step.vnpu_id))
        self.book.destroyed(key, step.vnpu_id)
        if not self.machine.wait_device(step.vnpu_id, False, self.device_timeout):
            self.machine.warnings.append(f"{self.machine.device(step.vnpu_id)} is still there though its slice is gone")

    def _set(self, setting: Setting, value) -> None:
        change = {"mode": self.machine.set_mode, "cfg_recover": self.machine.set_cfg_recover}[setting.name]
        read = {"mode": self.machine.mode, "cfg_recover": self.machine.cfg_recover}[setting.name]
        result = change(value)
        if read() != value:
            raise _failed(f"set {setting.name} to {_shown(value)}", result)

    def _take_back(self) -> tuple:
        """(problems, what stands): undo every step begun, the last chip first; one chip's failure stops no other."""
        problems: list = []
        keys = [(step.npu_id, step.chip_id) for step in self.begun if isinstance(step, Step)]
        touched = list(dict.fromkeys(reversed(keys)))
        for key in touched:
            try:
                self._restore(key)
            except VendorError as error:
                problems.append(_ended(str(error)))
                unread = self._unread()
                if unread:
                    # The state file holds one change under way; a second one would wipe out what is known of this.
                    problems.append(unread)
                    break
        for setting in reversed([entry for entry in self.begun if isinstance(entry, Setting)]):
            try:
                self.undone = True
                self._set(setting, setting.before)
            except VendorError as error:
                problems.append(_ended(str(error)))
        return problems, [self._standing(key) for key in reversed(touched)] if problems else []

    def _unread(self) -> str:
        """Read what came of a create that was cut short; why that cannot be told, or nothing."""
        if self.open is None:
            return ""
        step = self.open[0]
        try:
            self._arrived(*self.open)
        except VendorError as error:
            return (
                f"{where(step.npu_id, step.chip_id)} cannot be read ({error.reason}), so nothing more was taken back; "
                "the next run finds out."
            )
        return ""

    def _restore(self, key: tuple) -> None:
        if self.open is not None and (self.open[0].npu_id, self.open[0].chip_id) == key:
            self._arrived(*self.open)
        else:
            self.now[key] = self.machine.look(key)
        for number, piece in sorted(self.now[key].items()):
            if (key, number) in self.new:
                self.undone = True
                self._destroy(Step("destroy", *key, piece.template, number))
        chip = self.chips[key]
        for piece in chip.slices:
            if piece.vnpu_id in self.now[key]:
                continue
            entry = self.owned_before.get((*key, piece.vnpu_id))
            step = Step("create", *key, piece.template, None, entry.service if entry else None)
            group = piece.vgroup_id if chip.family == "310P" else None
            self.undone = True
            self._create(step, piece.vnpu_id, group, ours=entry is not None)
        if self.book.pending is not None:
            self.book.ended()

    def _standing(self, key: tuple) -> str:
        try:
            self.now[key] = self.machine.look(key)
        except VendorError as error:
            return f"{where(*key)} cannot be read ({error.reason})"
        pieces = [f"vNPU {number} ({piece.template})" for number, piece in sorted(self.now[key].items())]
        return f"{where(*key)} carries {', '.join(pieces) or 'no vNPU'}"


def _failed(step, result) -> StepFailed:
    """What to say of a change that is not there, or is there though the tool called it failed."""
    said = f"npu-smi answered {result.message!r}"
    if result.ok:
        said += ", but the machine does not show it"
    return StepFailed(f"{step} failed: {said}", _remedy(result.message), result.command)


def _remedy(message: str) -> str:
    try:
        raise_tool_error(lines_of(message))
    except VendorError as error:
        return error.remedy.rstrip(".")
    if message.startswith("Insufficient number of"):
        return "Something is taken that info-vnpu does not list; restart the node or choose another chip"
    return f"{_DMESG}; a process that is still ending keeps a chip from being split"


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(".") else sentence + "."


def _shown(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


__all__ = ["Failed", "Setting", "StepFailed", "Work"]

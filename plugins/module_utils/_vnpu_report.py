# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user writes of slices, and what is shown to him. Pure. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import Wish, is_ours, where

NEW = "new"


def read_wishes(entries) -> dict:
    """{(npu_id, chip_id): (Wish, ...)} from the option ``slices``.

    An entry is one slice, or a chip as npu_info returns it, with a list ``vnpus``; an empty one names a chip that shall
    carry none.
    """
    wanted: dict = {}
    for entry in entries:
        wishes = wanted.setdefault((entry["npu_id"], entry.get("chip_id") or 0), [])
        if entry.get("vnpus") is not None:
            wishes += [Wish(template=piece["template"], vnpu_id=piece["vnpu_id"]) for piece in entry["vnpus"]]
        else:
            wishes.append(
                Wish(
                    entry.get("template"),
                    entry.get("memory_gb"),
                    entry.get("service"),
                    entry.get("vnpu_id"),
                    bool(entry.get("dynamic")),
                )
            )
    return {key: tuple(wishes) for key, wishes in wanted.items()}


def relabelled(owned: dict, keeps) -> dict:
    """Ownership in which slices of ours that stay carry the service they are wished for."""
    owned = dict(owned)
    for keep in keeps:
        key = (keep.npu_id, keep.chip_id, keep.vnpu_id)
        if key in owned and keep.service is not None:
            owned[key] = type(owned[key])(owned[key].template, keep.service)
    return owned


def rows(chips, owned, keeps=(), steps=()) -> list:
    """Slices of the chips, one dict each, as they are or (with ``steps``) as they will be; new ones have no id yet."""
    services = {(keep.npu_id, keep.chip_id, keep.vnpu_id): keep.service for keep in keeps}
    gone = {(step.npu_id, step.chip_id, step.vnpu_id) for step in steps if step.action == "destroy"}
    found = []
    for chip in chips:
        for piece in chip.slices:
            key = (*chip.key, piece.vnpu_id)
            if key in gone:
                continue
            ours = is_ours(chip, piece, owned)
            service = services.get(key) or (owned[key].service if ours else None)
            found.append(_row(*key, piece.template, service, piece.in_use, ours))
        for step in steps:
            if step.action == "create" and (step.npu_id, step.chip_id) == chip.key:
                found.append(_row(*chip.key, None, step.template, step.service, False, True))
    return sorted(found, key=lambda row: (row["npu_id"], row["chip_id"], row["vnpu_id"] is None, row["vnpu_id"] or 0))


def _row(npu_id, chip_id, vnpu_id, template, service, in_use, owned) -> dict:
    return {
        "npu_id": npu_id,
        "chip_id": chip_id,
        "vnpu_id": vnpu_id,
        "template": template,
        "service": service,
        "device": None if vnpu_id is None else f"/dev/vdavinci{vnpu_id}",
        "in_use": in_use,
        "owned": owned,
    }


def text(slices, settings) -> str:
    """The lines of a diff: settings, then a line for each slice."""
    lines = [f"{name}: {_word(value)}" for name, value in settings.items() if value is not None]
    for row in slices:
        number = NEW if row["vnpu_id"] is None else row["vnpu_id"]
        notes = [row["service"] and f"for {row['service']}", row["in_use"] and "in use"]
        notes.append(None if row["owned"] else "not created here")
        tail = "".join(f", {note}" for note in notes if note)
        lines.append(f"{where(row['npu_id'], row['chip_id'])}: vNPU {number} {row['template']}{tail}")
    return "".join(line + "\n" for line in lines)


def plan_text(changes) -> str:
    """The steps in order, numbered."""
    return "".join(f"{number}. {change}\n" for number, change in enumerate(changes, 1))


def _word(value) -> str:
    return {True: "true", False: "false"}.get(value, value)


__all__ = ["plan_text", "read_wishes", "relabelled", "rows", "text"]

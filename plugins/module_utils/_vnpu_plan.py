# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From wished and found slices to the fewest steps, or to why not. This module util is PRIVATE to the collection.

A pure decision: nothing is read or run here.
"""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import COMPARED, choose, shortfalls
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_match import accepted, match
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import (
    ChipState,
    Keep,
    Owned,
    Plan,
    Refusal,
    Slice,
    Step,
    Wish,
    is_ours,
    where,
)


def reconcile(wanted: dict, found, owned: dict, state: str) -> Plan:
    """The fewest steps from ``found`` to ``wanted``.

    ``wanted`` maps (npu_id, chip_id) to wishes; an empty tuple names a chip that shall carry none. ``found`` are
    ChipStates, ``owned`` maps (npu_id, chip_id, vnpu_id) to Owned. With ``state`` present slices are only added; with
    exact the named chips carry the wishes and nothing else, and of all other chips our own slices go; with absent
    every slice of ours that fits a wish goes, and any idle slice that is named by its vnpu_id.

    Slices are destroyed before others are created, chip by chip, large ones are created first, so each prefix of the
    steps fits the chips. A plan with refusals must not be carried out in part.
    """
    found = tuple(found)
    chips = {chip.key: chip for chip in found}
    refusals = [
        Refusal(*key, "there is no such chip", f"The machine has {_listed(chips)}")
        for key in wanted
        if key not in chips
    ]
    steps: list = []
    keeps: list = []
    notes: list = []
    for chip in sorted(found, key=lambda chip: chip.key):
        if state != "exact" and chip.key not in wanted:
            continue
        plan = _plan_chip(chip, wanted.get(chip.key), owned, state)
        steps += plan.steps
        keeps += plan.keeps
        notes += plan.notes
        refusals += plan.refusals
    refusals += _uneven_cards(found, steps)
    return Plan(tuple(steps), tuple(keeps), tuple(refusals), tuple(notes))


def _plan_chip(chip, wishes, owned, state) -> Plan:
    named = wishes is not None
    wishes = wishes or ()
    if state == "absent":
        doomed, notes = _to_vanish(chip, wishes, owned)
        explicit = {wish.vnpu_id for wish in wishes}
        return Plan(
            tuple(_destroy(chip, piece, owned) for piece in doomed),
            refusals=tuple(_cannot_destroy(chip, doomed, owned, explicit)),
            notes=tuple(notes),
        )
    unknown = list(_unknown(chip, wishes))
    if unknown:
        return Plan(refusals=tuple(unknown))
    matched, missing, reserved = match(chip, wishes, owned, lenient=True)
    extras = _extras(chip, matched, owned, state, named)
    if _lacking(chip, extras, missing, reserved):
        strict = match(chip, wishes, owned, lenient=False)
        strict_extras = _extras(chip, strict[0], owned, state, named)
        if not _lacking(chip, strict_extras, *strict[1:]):
            (matched, missing, reserved), extras = strict, strict_extras
    creates = sorted(missing, key=lambda pair: _largest_first(pair[1]))
    steps = [_destroy(chip, piece, owned) for piece in extras]
    steps += [Step("create", *chip.key, template.name, None, wish.service) for wish, template in creates]
    refusals = list(_cannot_destroy(chip, extras, owned, ()))
    if creates:
        refusals += _cannot_create(chip, extras, missing, reserved)
    keeps = tuple(Keep(*chip.key, piece.vnpu_id, piece.template, wish.service) for wish, piece in matched)
    return Plan(tuple(steps), keeps, tuple(refusals))


def _largest_first(template) -> tuple:
    return (-template.aicore, -(template.aicpu or 0), template.name)


def _unknown(chip, wishes):
    """Refusals for wishes that no template of this chip can stand for."""
    if wishes and chip.unsupported:
        yield Refusal(*chip.key, chip.unsupported, chip.unsupported_remedy or "Give the service whole NPUs instead")
        return
    names = ", ".join(template.name for template in chip.templates)
    for wish in wishes:
        if wish.template is None and wish.memory_gb is None:
            yield Refusal(*chip.key, "a slice is wished without template and without memory_gb", "Give one of them")
        elif wish.template is not None and chip.template(wish.template) is None:
            yield Refusal(
                *chip.key, f"template {wish.template} is unknown to this {chip.name}", f"Take one of {names or 'none'}"
            )
        elif wish.template is None and choose(wish.memory_gb, chip.templates) is None:
            largest = max((template.memory_gb for template in chip.templates), default=0)
            yield Refusal(
                *chip.key,
                f"no template has {wish.memory_gb:g} GB, the largest has {largest}",
                "Give the service whole NPUs or less memory",
            )


def _extras(chip, matched, owned, state, named) -> list:
    """Slices that must go."""
    if state != "exact":
        return []
    kept = [piece for _wish, piece in matched]
    extras = [piece for piece in chip.slices if piece not in kept]
    return extras if named else [piece for piece in extras if is_ours(chip, piece, owned)]


def _to_vanish(chip, wishes, owned) -> tuple:
    """(slices that a wish to be absent means, sentences on slices that look like it and stay)."""
    doomed: list = []
    notes: list = []
    for piece in chip.slices:
        for wish in wishes:
            if not _describes(chip, wish, piece, owned):
                continue
            if wish.vnpu_id is not None or is_ours(chip, piece, owned):
                doomed.append(piece)
                break
            notes.append(
                f"{where(*chip.key)}: vNPU {piece.vnpu_id} ({piece.template}) was not created by this collection and"
                " stays. Name its vnpu_id to have it destroyed."
            )
            break
    return doomed, notes


def _describes(chip, wish, piece, owned) -> bool:
    if wish.vnpu_id is not None and wish.vnpu_id != piece.vnpu_id:
        return False
    if wish.template is not None or wish.memory_gb is not None:
        return piece.template in ({wish.template} if wish.template else accepted(chip, wish, True)[1])
    if wish.service is not None and wish.vnpu_id is None:
        entry = owned.get((*chip.key, piece.vnpu_id))
        return entry is not None and entry.service == wish.service
    return True


def _destroy(chip, piece, owned) -> Step:
    entry = owned.get((*chip.key, piece.vnpu_id))
    return Step("destroy", *chip.key, piece.template, piece.vnpu_id, entry.service if entry else None)


def _cannot_destroy(chip, doomed, owned, explicit):
    for piece in doomed:
        entry = owned.get((*chip.key, piece.vnpu_id))
        what = f"vNPU {piece.vnpu_id} ({piece.template})"
        if piece.in_use:
            who = f" of service {entry.service}" if entry is not None and entry.service else ""
            yield Refusal(
                *chip.key,
                f"{what} would have to be destroyed but is in use, as far as can be told",
                f"Stop the container{who} that has it first, or wish for this slice too",
            )
        elif not is_ours(chip, piece, owned) and piece.vnpu_id not in explicit:
            yield Refusal(
                *chip.key,
                f"{what} would have to be destroyed but was not created by this collection",
                "Wish for it too, or name its vnpu_id with state absent",
            )


def _lacking(chip, extras, missing, reserved) -> tuple:
    """(resource, needed, there) of what the chip is short of once the extras are gone; without creates, of nothing."""
    if not missing:
        return ()
    gone = [chip.template(piece.template) for piece in extras]
    stay = [chip.template(piece.template) for piece in chip.slices if piece not in extras]
    new = [template for _wish, template in missing]
    short = shortfalls([template for template in (*stay, *new, *reserved) if template], chip.capacity)
    if not short and chip.family == "310P":
        short = tuple(_short_of_groups(chip, [piece for piece in chip.slices if piece not in extras], new))
    if short or None in gone:
        return short
    # A sum that fits the chip may still not fit what is free, if something is taken that info-vnpu does not list.
    return tuple(_beyond_free(chip, gone, new))


def _short_of_groups(chip, stay, new):
    """A vGroup of a 310P takes at least two AICores; two vir01 can share one, those of two groups cannot move together.

    Source: MindCluster, "creating a vNPU", on -g. Only where the groups of all slices that stay are printed.
    """
    groups: dict = {}
    for piece in stay:
        template = chip.template(piece.template)
        if piece.vgroup_id is None or template is None:
            return
        groups[piece.vgroup_id] = groups.get(piece.vgroup_id, 0) + template.aicore
    halves = sum(cores == 1 for cores in groups.values())
    single = max(0, sum(template.aicore == 1 for template in new) - halves)
    needed = sum(max(2, cores) for cores in groups.values())
    needed += sum(template.aicore for template in new if template.aicore > 1) + 2 * ((single + 1) // 2)
    there = chip.capacity.aicore
    if there is not None and needed > there:
        yield ("aicore in vGroups", needed, there)


def _beyond_free(chip, gone, new):
    for resource in COMPARED:
        free = chip.free.get(resource)
        # The first slice of a 910B brings an AICPU more, and there an uncut chip has all it ever prints.
        if free is None or getattr(chip.capacity, resource) is None or (resource == "aicpu" and not chip.slices):
            continue
        needed = sum(getattr(template, resource) or 0 for template in new)
        there = free + sum(getattr(template, resource) or 0 for template in gone)
        if needed > there:
            yield (resource, needed, there)


def _cannot_create(chip, extras, missing, reserved):
    for piece in chip.slices:
        if chip.template(piece.template) is None and piece not in extras:
            yield Refusal(
                *chip.key,
                f"nobody can tell what fits beside vNPU {piece.vnpu_id}, its template {piece.template} is not printed"
                " by this machine",
                "Destroy that slice, or choose another chip",
            )
    short = _lacking(chip, extras, missing, reserved)
    if short:
        lacks = ", ".join(f"{resource} {needed} of {there}" for resource, needed, there in short)
        names = " + ".join(sorted(template.name for _wish, template in missing))
        stay = " + ".join(sorted(piece.template for piece in chip.slices if piece not in extras))
        kept = " + ".join(sorted(template.name for template in reserved))
        beside = f" beside {stay}" if stay else ""
        beside += f" with {kept} kept free" if kept else ""
        yield Refusal(
            *chip.key,
            f"{names} does not fit{beside}: it needs {lacks}",
            "Move a slice to another chip or wish for less",
        )
    if chip.holders and not chip.slices:
        yield Refusal(
            *chip.key,
            f"it can be split only when idle, and is held by {' and '.join(chip.holders)}",
            "Stop that first, or choose another chip",
        )


def _uneven_cards(found, steps):
    """Refusals for cards of two 310P chips (300I Duo) of which only one would be split."""
    change = {}
    for step in steps:
        change[(step.npu_id, step.chip_id)] = change.get((step.npu_id, step.chip_id), 0) + (
            1 if step.action == "create" else -1
        )
    cards: dict = {}
    for chip in found:
        if chip.family == "310P":
            cards.setdefault(chip.npu_id, []).append(chip)
    for npu_id, chips in sorted(cards.items()):
        split = {chip.chip_id for chip in chips if len(chip.slices) + change.get(chip.key, 0) > 0}
        whole = sorted({chip.chip_id for chip in chips} - split)
        if split and whole and any(chip.key in change for chip in chips):
            yield Refusal(
                npu_id,
                whole[0],
                f"it would stay whole while chip {min(split)} of the same card is split; both must be in one mode",
                "Wish for a slice on each of the two chips, or on none",
            )


def _listed(chips) -> str:
    return ", ".join(where(*key) for key in sorted(chips)) or "none"


__all__ = [
    "ChipState",
    "Keep",
    "Owned",
    "Plan",
    "Refusal",
    "Slice",
    "Step",
    "Wish",
    "is_ours",
    "reconcile",
    "where",
]

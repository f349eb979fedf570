# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which found slice fulfils which wish. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import choose
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import is_ours


def accepted(chip, wish, lenient) -> tuple:
    """(template to create, names that fulfil the wish). Any template of the chosen size fulfils a memory wish."""
    if wish.template is not None:
        return chip.template(wish.template), {wish.template}
    chosen = choose(wish.memory_gb, chip.templates)
    if chosen is None or not lenient:
        return chosen, {chosen.name} if chosen else set()
    return chosen, {template.name for template in chip.templates if template.memory_gb == chosen.memory_gb}


def match(chip, wishes, owned, lenient) -> tuple:
    """([(wish, slice)], [(wish, template to create)], [template kept free]) with as many slices staying as can be."""
    left = list(chip.slices)
    matched: list = []
    missing: list = []
    reserved: list = []
    for wish in (wish for wish in wishes if wish.dynamic):
        template, names = accepted(chip, wish, lenient)
        mine = [piece for piece in left if piece.template in names and not is_ours(chip, piece, owned)]
        if mine:
            piece = max(mine, key=lambda piece: (piece.in_use, -piece.vnpu_id))
            left.remove(piece)
            matched.append((wish, piece))
        else:
            reserved.append(template)
    groups: dict = {}
    for wish in (wish for wish in wishes if not wish.dynamic):
        template, names = accepted(chip, wish, lenient)
        groups.setdefault((template, frozenset(names)), []).append(wish)
    # The pickiest first: what fulfils a template wish would also fulfil one for memory, not the other way round.
    for (template, names), group in sorted(groups.items(), key=lambda item: (len(item[0][1]), item[0][0].name)):
        staying = _staying(chip, [piece for piece in left if piece.template in names], group, owned)
        left = [piece for piece in left if piece not in staying]
        pairs, rest = _pair(chip, group, staying, owned)
        matched += pairs
        missing += [(wish, template) for wish in rest]
    return matched, missing, reserved


def _staying(chip, candidates, group, owned) -> list:
    """Which of equal slices stay: those that can't be destroyed, then the ones meant by id or service."""
    ids = {wish.vnpu_id for wish in group}
    services = {wish.service for wish in group if wish.service}

    def rank(piece):
        entry = owned.get((*chip.key, piece.vnpu_id))
        meant = entry is not None and entry.service in services
        return (not piece.in_use, is_ours(chip, piece, owned), piece.vnpu_id not in ids, not meant, piece.vnpu_id)

    return sorted(candidates, key=rank)[: len(group)]


def _pair(chip, group, staying, owned) -> tuple:
    """([(wish, slice)], [wish without a slice]); a wish gets its own id, else its own service, else any."""
    left = list(staying)
    rest = list(group)
    pairs = []

    def service_of(piece):
        entry = owned.get((*chip.key, piece.vnpu_id))
        return entry.service if entry is not None else None

    tests = (
        lambda wish, piece: wish.vnpu_id == piece.vnpu_id,
        lambda wish, piece: wish.service is not None and wish.service == service_of(piece),
        lambda wish, piece: True,
    )
    for test in tests:
        for wish in list(rest):
            piece = next((piece for piece in left if test(wish, piece)), None)
            if piece is not None:
                pairs.append((wish, piece))
                rest.remove(wish)
                left.remove(piece)
    return pairs, rest


__all__ = ["accepted", "match"]

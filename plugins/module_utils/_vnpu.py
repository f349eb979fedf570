# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which slices a chip can carry. Pure arithmetic. This module util is PRIVATE to the collection.

The rule is that of ``npu-smi set -t create-vnpu`` (cann/driver, npu_chip_set.c, check_create_vnpu_param): what a
template takes of AICore, AICPU and the units of DVPP must be free. Memory and PNGD are not compared: templates are
fractions of the chip, and two halves of 24 GB do fit a 300I Duo that prints 43.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_templates import (
    TEMPLATES,
    Capacity,
    Template,
    TemplateSet,
    template_set,
)

DVPP = ("vpc", "venc", "vdec", "jpegd", "jpege")
COMPARED = ("aicore", "aicpu", *DVPP)
AUTOMATIC_ID = 4294967295
_NOT_QUERYABLE = 65535
_DVPP_FAMILIES = ("310P", "A2")
# MindCluster, "creating a vNPU": the range starts at phy id * 16 + 100 and has 8 ids on inference products.
_FIRST_ID, _ID_STEP = 100, 16
_IDS_OF = {"310P": 8}


def shortfalls(templates, capacity: Capacity) -> tuple:
    """(resource, needed, there) for each resource of which these templates together need more than the chip has."""
    templates = tuple(templates)
    found = []
    for resource in COMPARED:
        there = getattr(capacity, resource)
        needed = sum(getattr(template, resource) or 0 for template in templates)
        if there is not None and needed > there:
            found.append((resource, needed, there))
    return tuple(found)


def fits(templates, capacity: Capacity) -> bool:
    """Whether one chip carries all these templates (Template objects, one for each slice) at the same time."""
    return not shortfalls(templates, capacity)


def choose(memory_gb: float, templates) -> Template | None:
    """The smallest template that has this much memory, or None when only a whole NPU would do.

    Among templates of one size: the fewest AICore, then AICPU (four vir02_1c fit a 310P, four vir02 do not), then the
    one with some of the media units rather than none, then the one with fewest of them.
    """
    enough = [template for template in templates if template.memory_gb >= memory_gb]
    return min(enough, key=_size, default=None)


def _size(template: Template) -> tuple:
    units = sum(getattr(template, unit) or 0 for unit in DVPP)
    return (template.memory_gb, template.aicore, template.aicpu or 0, units == 0, units, template.name)


def capacity_of(resources: dict, published: Capacity | None = None, family: str | None = None) -> Capacity:
    """Capacity of a chip from ``resources`` of info-vnpu ({name: (free, total)}), else from the published one.

    What is printed outranks the table, but for the AICPU of an uncut chip: a 910B prints 6 until its first slice
    turns SR-IOV on, and 7 from then on, so there the larger number is right. DVPP units are compared on 310P and A2
    only; with another ``family`` the printed ones limit nothing.
    """
    published = published or Capacity()
    totals = {}
    for resource, (_free, total) in resources.items():
        compared = resource not in DVPP or family in (None, *_DVPP_FAMILIES)
        if compared and (resource in COMPARED or resource == "memory_gb"):
            totals[resource] = total
    printed = {name: total for name, total in totals.items() if total is not None and total != _NOT_QUERYABLE}
    if published.aicpu and "aicpu" in printed and _uncut(resources):
        printed["aicpu"] = max(published.aicpu, printed["aicpu"])
    return replace(published, **printed)


def _uncut(resources: dict) -> bool:
    free, total = resources.get("aicore", (None, None))
    return free == total


def maximal_sets(templates, capacity: Capacity) -> frozenset:
    """Every multiset of templates that fits and to which no further slice can be added.

    Each is a sorted tuple of (name, count). Small by nature: at most 16 slices from at most 7 templates.
    """
    templates = tuple(templates)
    found = set()

    def extend(chosen: tuple, start: int) -> None:
        bigger = [at for at, template in enumerate(templates) if fits((*chosen, template), capacity)]
        if not bigger and chosen:
            found.add(tuple(sorted(Counter(template.name for template in chosen).items())))
        for at in bigger:
            if at >= start:
                extend((*chosen, templates[at]), at)

    extend((), 0)
    return frozenset(found)


def full_sets(templates, capacity: Capacity) -> frozenset:
    """The maximal sets that waste neither AICore nor AICPU; on a 310P these are the 15 official combinations."""
    by_name = {template.name: template for template in templates}

    def used(combination, resource) -> int:
        return sum(getattr(by_name[name], resource) * count for name, count in combination)

    return frozenset(
        combination
        for combination in maximal_sets(templates, capacity)
        if all(used(combination, resource) == getattr(capacity, resource) for resource in ("aicore", "aicpu"))
    )


def vnpu_ids(phy_id: int, family: str) -> range:
    """The ids that vNPUs of a chip can have; ``family`` is the name from L(_npu_model.family), such as 310P or A2."""
    first = phy_id * _ID_STEP + _FIRST_ID
    return range(first, first + _IDS_OF.get(family, _ID_STEP))


def phy_id_of(vnpu_id: int) -> int:
    """The phy id of the chip that a vNPU id belongs to."""
    return (vnpu_id - _FIRST_ID) // _ID_STEP


def differences(printed, published) -> tuple:
    """Sentences on how the templates a machine prints differ from the published table; the printed ones are right."""
    printed = {template.name: template for template in map(Template.of, printed)}
    published = {template.name: template for template in map(Template.of, published)}
    found = [
        f"template {name} is printed by the machine but not published" for name in printed if name not in published
    ]
    found += [
        f"template {name} is published but not printed by the machine" for name in published if name not in printed
    ]
    for name in (name for name in printed if name in published):
        here, table = printed[name].to_dict(), published[name].to_dict()
        apart = [key for key in here if table[key] is not None and here[key] is not None and here[key] != table[key]]
        found += [f"template {name} has {key} {here[key]} on the machine, {table[key]} is published" for key in apart]
    return tuple(found)


__all__ = [
    "AUTOMATIC_ID",
    "COMPARED",
    "DVPP",
    "TEMPLATES",
    "Capacity",
    "Template",
    "TemplateSet",
    "capacity_of",
    "choose",
    "differences",
    "fits",
    "full_sets",
    "maximal_sets",
    "phy_id_of",
    "shortfalls",
    "template_set",
    "vnpu_ids",
]

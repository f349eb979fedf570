# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is wished of vNPUs, found and planned, as values. This module util is PRIVATE to the collection.

Chips are addressed by the pair (npu_id, chip_id).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_templates import Capacity


@dataclass(frozen=True)
class Wish:
    """One wished slice. With neither template nor memory (only when it shall be absent) it stands for all of a chip.

    ``vnpu_id`` comes from an export: it says which of several equal slices is meant, new slices get any id.
    ``dynamic``: the Ascend runtime cuts it when a container starts; here it only takes its share of the chip.
    """

    template: str | None = None
    memory_gb: float | None = None
    service: str | None = None
    vnpu_id: int | None = None
    dynamic: bool = False


@dataclass(frozen=True)
class Slice:
    """A slice on the machine. ``in_use``: a container has it, or nobody can tell."""

    vnpu_id: int
    template: str
    in_use: bool = False
    vgroup_id: int | None = None


@dataclass(frozen=True)
class Owned:
    """What the ownership file says of a slice."""

    template: str
    service: str | None = None


@dataclass(frozen=True)
class ChipState:
    """What is known of one chip before anything is changed.

    ``family`` is None and ``templates`` is empty where slices are not supported; ``unsupported`` says why.
    ``free`` is what info-vnpu prints as free ({} if it prints none); ``holders`` are sentences' subjects, such as
    "process 4711 (python3)", of whoever has the whole chip.
    """

    npu_id: int
    chip_id: int
    name: str
    family: str | None
    templates: tuple
    capacity: Capacity
    slices: tuple = ()
    holders: tuple = ()
    free: dict = field(default_factory=dict)
    phy_id: int | None = None
    unsupported: str | None = None
    unsupported_remedy: str | None = None

    @property
    def key(self) -> tuple:
        return (self.npu_id, self.chip_id)

    def template(self, name):
        return next((template for template in self.templates if template.name == name), None)


@dataclass(frozen=True)
class Step:
    """One change: ``action`` is create or destroy. ``vnpu_id`` is None for a slice still to be created."""

    action: str
    npu_id: int
    chip_id: int
    template: str
    vnpu_id: int | None = None
    service: str | None = None

    def __str__(self) -> str:
        number = "" if self.vnpu_id is None else f" vNPU {self.vnpu_id}"
        service = f" for {self.service}" if self.service else ""
        return f"{self.action}{number} {self.template} on {where(self.npu_id, self.chip_id)}{service}"

    def to_dict(self) -> dict:
        return dict(vars(self))


@dataclass(frozen=True)
class Keep:
    """A found slice that fulfils a wish."""

    npu_id: int
    chip_id: int
    vnpu_id: int
    template: str
    service: str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why nothing is changed at all, and what to do about it."""

    npu_id: int | None
    chip_id: int | None
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = "" if self.npu_id is None else f"{where(self.npu_id, self.chip_id)}: "
        return f"{place}{self.problem}. {self.remedy}."

    def to_dict(self) -> dict:
        return {**vars(self), "sentence": str(self)}


@dataclass(frozen=True)
class Plan:
    """``steps`` in the order of work, ``keeps``, ``notes`` (sentences that hinder nothing) and ``refusals``."""

    steps: tuple = ()
    keeps: tuple = ()
    refusals: tuple = ()
    notes: tuple = ()


def where(npu_id, chip_id) -> str:
    return f"NPU {npu_id} chip {chip_id}"


def is_ours(chip: ChipState, piece: Slice, owned: dict) -> bool:
    """Whether the ownership file has this slice. An id that came back with another template is somebody else's."""
    entry = owned.get((*chip.key, piece.vnpu_id))
    return entry is not None and entry.template == piece.template


__all__ = ["ChipState", "Keep", "Owned", "Plan", "Refusal", "Slice", "Step", "Wish", "is_ours", "where"]

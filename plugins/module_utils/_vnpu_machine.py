# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The vNPUs of this machine, read and changed through the vendor's tool. This module util is PRIVATE to the collection.

Only input and output: what is to be done is decided in ``_vnpu_plan``, in which order and back again in
``_vnpu_apply``.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import device_nodes, with_ids
from ansible_collections.npuops.ascend.plugins.module_utils._npu_model import family
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NotSupported, NpuSmi, ToolReportedError
from ansible_collections.npuops.ascend.plugins.module_utils._run import CommandError, ToolNotFound, run, side_by_side
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import (
    Template,
    capacity_of,
    differences,
    template_set,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_containers import mounts
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import ChipState, Slice, where

_BUSY_TRIES = 5
_BUSY_PAUSE = 1.0
_POLL = 0.1


class VnpuMachine:
    """This machine. ``warnings`` collects what is odd but hinders nothing; ``last`` has the VnpuInfo of each chip."""

    def __init__(self, smi: NpuSmi, docker: str = "docker", dev: str = "/dev") -> None:
        self.smi = smi
        self.docker = docker
        self.dev = dev
        self.warnings: list = []
        self.differences: list = []
        self.last: dict = {}
        self._info = None

    def mode(self):
        """ "docker", "vm", or None where the product has no such mode (and no vNPUs)."""
        try:
            return self._patiently(self.smi.vnpu_mode)
        except NotSupported:
            return None

    def cfg_recover(self):
        """Whether slices come back after a restart, or None where the product can't say."""
        try:
            return self._patiently(self.smi.cfg_recover)
        except NotSupported:
            return None

    def chips(self, npu_ids=None, readable: bool = True) -> tuple:
        """ChipState of every chip of these NPUs (all if None), without holders.

        ``readable`` False: slices can't be read in the mode the machine is in; the chips count as empty.
        """
        self._info = self._patiently(self.smi.info)
        if self._info.warning:
            self.warnings.append(self._info.warning)
        if npu_ids is not None and not set(npu_ids) <= {chip.npu_id for chip in self._info.chips}:
            npu_ids = None  # somebody is wrong about this machine, and wants to see all of it
        chosen = [chip for chip in self._info.chips if npu_ids is None or chip.npu_id in npu_ids]
        templates = self._templates(chosen)
        reasons: dict = {}

        def look(chip):
            key = _key(chip)
            if not readable or isinstance(templates[_kind(chip)], NotSupported):
                return
            try:
                self.look(key)
            except NotSupported as error:
                reasons[key] = error

        by_npu: dict = {}
        for chip in chosen:
            by_npu.setdefault(chip.npu_id, []).append(lambda chip=chip: look(chip))
        side_by_side(by_npu)
        return tuple(self._state(chip, templates[_kind(chip)], reasons.get(_key(chip))) for chip in chosen)

    def look(self, key: tuple) -> dict:
        """{vnpu_id: Slice} of a chip, as info-vnpu shows them now."""
        self.last[key] = self._patiently(lambda: self.smi.vnpus(*key))
        return {piece.vnpu_id: piece for piece in _slices(self.last[key])}

    def with_holders(self, chips) -> tuple:
        """The chips with processes and containers that have them, and slices that a container has as in use.

        A process on a split chip runs in one of its slices. If the tool calls none of them used, in doubt all are.
        """
        chips = tuple(chips)
        whole, sliced = self._containers()
        phy_ids = self._phy_ids() if whole else {}
        unknown = [where(*chip.key) for chip in chips if whole and chip.key not in phy_ids]
        if unknown:
            names = ", ".join(sorted({name for names in whole.values() for name in names}))
            self.warnings.append(
                f"which /dev/davinciN belongs to {', '.join(unknown)} cannot be told, so see yourself that none of"
                f" these containers has it: {names}"
            )
        found = []
        for chip in chips:
            holders = [
                f"process {process.pid}" + (f" ({process.name})" if process.name else "")
                for process in self._info.processes
                if (process.npu_id, process.chip_id or 0) == chip.key
            ]
            slices = tuple(replace(piece, in_use=piece.in_use or piece.vnpu_id in sliced) for piece in chip.slices)
            if holders and not any(piece.in_use for piece in slices):
                slices = tuple(replace(piece, in_use=True) for piece in slices)
            phy_id = phy_ids.get(chip.key)
            holders += [f"container {name}" for name in whole.get(phy_id, ())]
            found.append(replace(chip, holders=tuple(holders), slices=slices, phy_id=phy_id))
        return tuple(found)

    def create(self, key: tuple, template: str, vnpu_id=None, vgroup_id=None):
        """What the tool said; nothing is believed."""
        return self._set(lambda: self.smi.create_vnpu(*key, template, vnpu_id, vgroup_id))

    def destroy(self, key: tuple, vnpu_id: int):
        return self._set(lambda: self.smi.destroy_vnpu(*key, vnpu_id))

    def set_mode(self, mode: str):
        return self._set(lambda: self.smi.set_vnpu_mode(mode == "docker"))

    def set_cfg_recover(self, enable: bool):
        return self._set(lambda: self.smi.set_cfg_recover(enable))

    def device(self, vnpu_id: int) -> str:
        return os.path.join(self.dev, f"vdavinci{vnpu_id}")

    def wait_device(self, vnpu_id: int, there: bool, timeout: float) -> bool:
        """Wait until the device node of a slice exists (or is gone); False when the time is over."""
        end = time.monotonic() + timeout
        while os.path.exists(self.device(vnpu_id)) != there:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL)
        return True

    def _state(self, chip, templates, reason) -> ChipState:
        kind = family(chip.name)
        error = templates if isinstance(templates, NotSupported) else reason
        info = self.last.get(_key(chip))
        resources = info.resources if info is not None and error is None else {}
        published = template_set(chip.name, _memory_mb(chip), (resources.get("aicore") or (None, None))[1])
        name = kind.name if kind else None
        return ChipState(
            *_key(chip),
            chip.name,
            name,
            () if error else templates,
            capacity_of(resources, published.capacity if published else None, name),
            _slices(info) if info is not None and error is None else (),
            free={resource: free for resource, (free, _total) in resources.items()},
            unsupported=error.error.rstrip(".") if error else None,
            unsupported_remedy=error.remedy.rstrip(".") if error else None,
        )

    def _templates(self, chips) -> dict:
        """Templates (or NotSupported) by kind of chip: all chips of a kind have the same, so one is asked for each."""
        found: dict = {}
        for chip in chips:
            kind = _kind(chip)
            if kind in found:
                continue
            try:
                rows = self._patiently(lambda chip=chip: self.smi.templates(chip.npu_id))
            except NotSupported as error:
                found[kind] = error
                continue
            found[kind] = tuple(Template.of(row) for row in rows)
            published = template_set(chip.name, _memory_mb(chip))
            if published is not None:
                self.differences += [f"{chip.name}: {one}" for one in differences(found[kind], published.templates)]
        return found

    def _phy_ids(self) -> dict:
        chips = with_ids(self._info.chips, self._patiently(self.smi.mapping), device_nodes(self.dev))
        return {_key(chip): chip.phy_id for chip in chips if chip.phy_id is not None}

    def _containers(self) -> tuple:
        """({phy id: names}, {vnpu id: names}) of what running containers have, or nothing where there is no Docker."""
        try:
            listed = run((self.docker, "ps", "--quiet", "--no-trunc"), self.smi.timeout)
            if listed.rc != 0:
                self.warnings.append(f"containers were not looked at: {listed.shown} said {listed.stderr.strip()!r}")
                return {}, {}
            ids = listed.stdout.split()
            if not ids:
                return {}, {}
            shown = run((self.docker, "inspect", *ids), self.smi.timeout)
            # Its status is 1 when a container has ended meanwhile; the others are printed all the same.
            return mounts(json.loads(shown.stdout))
        except ToolNotFound:
            return {}, {}
        except (CommandError, ValueError) as error:
            self.warnings.append(f"containers were not looked at: {error}")
            return {}, {}

    def _patiently(self, call):
        """An answer, asked again a few times while another program has the driver's interface."""
        for left in reversed(range(_BUSY_TRIES)):
            try:
                return call()
            except ToolReportedError as error:
                if not left or not _is_busy(error.error):
                    raise
            time.sleep(_BUSY_PAUSE)
        raise AssertionError("unreachable")

    def _set(self, call):
        result = call()
        for _try in range(_BUSY_TRIES - 1):
            if result.ok or not _is_busy(result.message):
                break
            time.sleep(_BUSY_PAUSE)
            result = call()
        return result


def _is_busy(said: str) -> bool:
    """The driver's "resource occupied" at the start of the tool, before it has looked at the command."""
    return "dcmi mod" in said and "the device is used" in said


def _key(chip) -> tuple:
    return (chip.npu_id, chip.chip_id or 0)


def _kind(chip) -> tuple:
    return (chip.name, _memory_mb(chip))


def _memory_mb(chip):
    pair = chip.hbm_mb or chip.memory_mb
    return pair[1] if pair else None


def _slices(info) -> tuple:
    # In doubt a slice is in use: destroying it could cost somebody a container.
    return tuple(
        Slice(vnpu.vnpu_id, vnpu.template or "(unknown)", vnpu.in_use is not False, vnpu.vgroup_id)
        for vnpu in info.vnpus
    )


__all__ = ["VnpuMachine"]

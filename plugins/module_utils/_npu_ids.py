# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which ids a chip has besides the printed ones. This module util is PRIVATE to the collection."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_info import Chip
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_list import Mapping


def device_nodes(directory: str = "/dev") -> frozenset:
    """The N of every ``/dev/davinciN``: the phy ids this machine (or container) can open."""
    numbers = (re.fullmatch(r"davinci(\d+)", name) for name in os.listdir(directory))
    return frozenset(int(match.group(1)) for match in numbers if match)


def with_ids(chips, mapping: Mapping | None, nodes: frozenset = frozenset()) -> tuple:
    """The chips with ``logic_id`` and ``phy_id`` filled in as far as they are known, else None.

    The logic id is that of the mapping, or the Device column of the DDR layout, which shows the same. The phy id is
    the printed one where a Phy-ID column exists (A3, Ascend 950). Elsewhere the tool does not print it, and two
    readings are in use: it equals the logic id (always so on cards of two chips), or, for NPUs of one chip, the NPU
    id (in containers logic ids start from 0, NPU ids do not). On a whole server both agree; where they do not,
    ``nodes``, the numbers of the device nodes, decide, and if these can't, the phy id stays None.
    """
    rows = _rows_by_chip(chips, mapping)
    chips = [_from_row(chip, row) for chip, row in zip(chips, rows)]
    if mapping is None or mapping.prints_phy_id or any(chip.phy_id is not None for chip in chips):
        return tuple(chips)

    readings = [[chip.logic_id for chip in chips]]
    if len({chip.npu_id for chip in chips}) == len(chips):
        readings.append([chip.npu_id for chip in chips])
    readings = [ids for ids in readings if None not in ids and (not nodes or nodes.issuperset(ids))]
    return tuple(
        replace(chip, phy_id=candidates[0]) if candidates and len(set(candidates)) == 1 else chip
        for chip, *candidates in zip(chips, *readings)
    )


def _rows_by_chip(chips, mapping) -> list:
    """The mapping row of each chip, or None. Without a chip column (Ascend 950) an NPU is its only chip."""
    if mapping is None:
        return [None] * len(chips)
    by_npu: dict = {}
    for row in mapping.chips:
        by_npu.setdefault(row.npu_id, []).append(row)

    def row_of(chip):
        rows = by_npu.get(chip.npu_id, [])
        if chip.chip_id is None:
            return rows[0] if len(rows) == 1 else None
        return next((row for row in rows if row.chip_id == chip.chip_id), None)

    return [row_of(chip) for chip in chips]


def _from_row(chip: Chip, row) -> Chip:
    logic_id = row.logic_id if row is not None else None
    phy_id = row.phy_id if row is not None else None
    return replace(
        chip,
        logic_id=chip.device_id if logic_id is None else logic_id,
        phy_id=phy_id if chip.phy_id is None else chip.phy_id,
    )


__all__ = ["device_nodes", "with_ids"]

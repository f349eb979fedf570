# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What npu_info returns, with the fewest runs of ``npu-smi``. This module util is PRIVATE to the collection.

Cost: chips and processes are one command, mapping, templates and topology one each, boards and firmware together one
for each NPU, health and vnpus one for each chip. What is asked for each NPU or chip needs their ids, so without
chips, processes or mapping there is one more, ``info -m``.
"""

from __future__ import annotations

import functools

from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import with_ids
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import Chip, Mapping, NotSupported, NpuSmi
from ansible_collections.npuops.ascend.plugins.module_utils._run import side_by_side

SUBSETS = ("chips", "processes", "mapping", "boards", "firmware", "vnpus", "templates", "health", "topology")

_OF_PROCESSES = ("processes", "process_memory_unit", "no_process_npus")
_OF_INFO = {"chips", "processes"}
_BY_NPU = {"boards", "firmware", "health", "vnpus"}
_BY_QUERY = _BY_NPU | {"templates", "topology"}
# Always there, None where a product does not print them. More are added under their titles.
_OF_BOARD = (
    "product_name",
    "model",
    "manufacturer",
    "serial_number",
    "software_version",
    "firmware_version",
    "compatibility",
    "board_id",
    "pcb_id",
    "bom_id",
    "pcie_bus_info",
    "slot_id",
    "pci_vendor_id",
    "pci_device_id",
)
_OF_FIRMWARE = ("firmware_version", "software_version", "compatibility")


def gather(tool: NpuSmi, subsets, nodes: frozenset) -> dict:
    """Run the commands the subsets need and return the result keys they stand for.

    ``nodes`` are the numbers of the device nodes, for L(with_ids). What a product does not support is no error: it is
    listed under ``not_supported``. Raises what L(NpuSmi) raises.
    """
    subsets = set(subsets)
    found: dict = {}
    chips: tuple = ()
    mapping = None
    if "mapping" in subsets or subsets & _BY_NPU and not subsets & _OF_INFO:
        mapping = tool.mapping()
        chips = with_ids(_chips_of(mapping), mapping, nodes)
    if subsets & _OF_INFO:
        info = tool.info()
        chips = with_ids(info.chips, mapping, nodes)
        found = info.to_dict()
        found["chips"] = [chip.to_dict() for chip in chips]
        if "chips" not in subsets:
            del found["chips"]
        if "processes" not in subsets:
            for key in _OF_PROCESSES:
                del found[key]
    if "mapping" in subsets:
        found.update(mapping.to_dict())
    if subsets & _BY_QUERY:
        found.update(_queries(tool, subsets, chips))
    return found


def _queries(tool: NpuSmi, subsets: set, chips) -> dict:
    """Whole-machine queries and those of each NPU, all side by side; on one NPU one after the other."""
    jobs: dict = {}
    if "templates" in subsets:
        jobs["templates"] = [functools.partial(_ask, "templates", None, tool.templates)]
    if "topology" in subsets:
        jobs["topology"] = [functools.partial(_ask, "topology", None, tool.topology)]
    for chip in chips if subsets & _BY_NPU else ():
        if chip.npu_id not in jobs and subsets & {"boards", "firmware"}:
            query = functools.partial(tool.query, "board", chip.npu_id)
            jobs[chip.npu_id] = [functools.partial(_ask, "boards", chip, query)]
        of_npu = jobs.setdefault(chip.npu_id, [])
        if "health" in subsets:
            query = functools.partial(tool.query, "health", chip.npu_id, chip.chip_id)
            of_npu.append(functools.partial(_ask, "health", chip, query))
        if "vnpus" in subsets:
            query = functools.partial(tool.vnpus, chip.npu_id, chip.chip_id)
            of_npu.append(functools.partial(_ask, "vnpus", chip, query))

    answers: dict = {"boards": [], "health": [], "vnpus": [], "templates": [], "topology": []}
    refused: list = []
    for results in side_by_side(jobs).values():
        for subset, chip, answer in results:
            answers[subset].append((chip, answer))
            if isinstance(answer, NotSupported):
                refused += _refusals(subsets, subset, chip, answer)
    return {**_results(subsets, answers), "not_supported": refused}


def _ask(subset: str, chip, query) -> tuple:
    try:
        return subset, chip, query()
    except NotSupported as error:
        return subset, chip, error


def _refusals(subsets: set, subset: str, chip, error: NotSupported) -> list:
    asked = [name for name in ("boards", "firmware") if name in subsets] if subset == "boards" else [subset]
    ids = {
        "npu_id": None if chip is None else chip.npu_id,
        "chip_id": None if chip is None or subset == "boards" else chip.chip_id,
    }
    return [{"subset": name, **ids, "answer": error.error} for name in asked]


def _results(subsets: set, answers: dict) -> dict:
    """Result keys from ``answers``: {subset: [(chip, answer or NotSupported)]}."""
    given = {
        subset: [(chip, answer) for chip, answer in pairs if not isinstance(answer, NotSupported)]
        for subset, pairs in answers.items()
    }
    boards = [_board(chip, answer) for chip, answer in given["boards"]]
    found: dict = {}
    if "boards" in subsets:
        found["boards"] = boards
    if "firmware" in subsets:
        versions = {board["firmware_version"] for board in boards}
        found["firmware"] = [{key: board[key] for key in ("npu_id", *_OF_FIRMWARE)} for board in boards]
        found["firmware_version"] = versions.pop() if len(versions) == 1 else None
    if "health" in subsets:
        found["health"] = [_health(chip, answer) for chip, answer in given["health"]]
    if "vnpus" in subsets:
        # All chips: one without vNPUs can be split, one that does not support them can't.
        found["vnpus"] = [_vnpus(chip, answer) for chip, answer in answers["vnpus"]]
    if "templates" in subsets:
        found["templates"] = [template.to_dict() for _chip, answer in given["templates"] for template in answer]
    if "topology" in subsets:
        found["topology"] = next((answer.to_dict() for _chip, answer in given["topology"]), None)
    return found


def _chips_of(mapping: Mapping) -> tuple:
    """The chips of ``info -m``. Where there is a slot column (Ascend 950), the tool refuses -c and info has no chip."""
    return tuple(
        Chip(npu_id=row.npu_id, name=row.name, chip_id=row.chip_id if row.slot_id is None else None)
        for row in mapping.chips
    )


def _board(chip: Chip, answer) -> dict:
    values: dict = dict.fromkeys(_OF_BOARD)
    for printed in answer.chips:
        values.update(printed)
    values.pop("chip_id", None)
    return {"npu_id": chip.npu_id, "chip_count": answer.chip_count, **values}


def _health(chip: Chip, answer) -> dict:
    values: dict = {"health": None, "error_codes": [], "error_information": []}
    values.update(answer.chips[0] if answer.chips else {})
    return {**values, **_ids(chip)}


def _vnpus(chip: Chip, answer) -> dict:
    if isinstance(answer, NotSupported):
        return {**_ids(chip), "supported": False, "resources": {}, "total": None, "vnpus": []}
    return {**_ids(chip), "supported": True, **answer.to_dict()}


def _ids(chip: Chip) -> dict:
    return {"npu_id": chip.npu_id, "chip_id": chip.chip_id, "phy_id": chip.phy_id}


__all__ = ["SUBSETS", "gather"]

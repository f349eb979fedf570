# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine read for one query: the stored values as attributes, without building and checking the model.

A benchmark starts hundreds of calls, side by side on few cores; this halves what each costs. Whatever is not an
ordinary query of a whole machine goes the long way (``gate.enter``), and tests compare the two.
"""

from __future__ import annotations

import os

from . import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Unusual(Exception):
    """This call needs the model."""


class Values:
    """Stored values as attributes. What is missing, in a state of another version, is ``Unusual``."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.__dict__.update(data)

    def __getattr__(self, name: str) -> Any:
        raise Unusual(name)


class View(Values):
    """A machine as far as queries look at it."""

    def chip_by_phy(self, phy_id: int) -> Any:
        for npu in self.npus:
            for chip in npu["chips"]:
                if chip["phy_id"] == phy_id:
                    return _chip(chip)
        return None


def view(tool: str) -> Any:
    """The machine. Raises ``Unusual`` when a fault or a container makes the call more than reading values."""
    try:
        data = state.raw()
    except (state.NoState, ValueError):
        raise Unusual from None
    machine = View(data)
    if not machine.powered or machine.slow.get(tool) or machine.busy.get(tool) or not state.on_node():
        raise Unusual
    chips = [chip for npu in machine.npus for chip in npu["chips"] if not npu["absent"]]
    if len(chips) != sum(len(npu["chips"]) for npu in machine.npus):
        raise Unusual
    if not state.standalone() and not all(os.path.exists(state.device_path(chip["phy_id"])) for chip in chips):
        raise Unusual
    return machine


def _chip(data: dict[str, Any]) -> Any:
    chip = Values(data)
    if data.get("roce") is not None:
        roce = Values(data["roce"])
        roce.optical = Values(data["roce"]["optical"])
        chip.roce = roce
    return chip

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's management library as these programs use it: the emulated driver, loaded from where it is installed."""

from __future__ import annotations

import os
import re
import sys

from .common import RuntimeFailure

LIB64 = "driver/lib64"
INSTALL_INFO = "/etc/ascend_install.info"
BAD_PARAMETER, INNER, OCCUPIED, NOT_SUPPORTED = -8001, -8005, -8020, -8255
# npu-smi's codes to those of the library.
CODES = {-9001: BAD_PARAMETER, -9005: INNER, -9020: OCCUPIED}
A200_SOC, A200 = "Atlas 200I SoC A1", "Atlas 200 Model 3000"


class LibraryFailure(RuntimeFailure):
    """A call failed; ``code`` is the library's."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what}, error code: {code}")
        self.code = code


def library_path(info: str = INSTALL_INFO) -> str:
    """Where the driver's libraries are, by the driver's own note."""
    base = "/usr/local/Ascend"
    if os.path.exists(info):
        with open(info, encoding="utf-8", errors="replace") as handle:
            found = re.search(r"(?m)^Driver_Install_Path_Param=(.+)$", handle.read())
        base = found.group(1).strip() if found else base
    return os.path.join(base, LIB64)


class Library:
    """An opened library. Raises ``RuntimeFailure`` without a driver, or with one that is not loaded."""

    def __init__(self) -> None:
        path = library_path()
        if path not in sys.path:
            sys.path.append(path)
        try:
            from npusim import gate, state
        except ImportError:
            raise LibraryFailure("dcmi lib load failed", -1) from None
        try:
            self._machine = state.load()
        except (state.NoState, ValueError):
            raise LibraryFailure("dcmi init failed", INNER) from None
        if not gate.driver_loaded() or not self._machine.powered:
            raise LibraryFailure("dcmi init failed", INNER)

    @property
    def chip_type(self) -> str:
        """Ascend910, Ascend310P, Ascend310B, Ascend310."""
        name = self._machine.family
        return next(("Ascend" + part for part in ("310B", "310P", "310", "910") if part in name), "")

    @property
    def product(self) -> str:
        return self._machine.product

    def create(self, phy_id: int, template: str) -> tuple[int, int, int]:
        """Cut a vNPU off a chip: card, device and vNPU id. Raises ``LibraryFailure``."""
        from npusim import power, processes, state, vnpu, vnpu_types

        what = "create virtual device failed"
        cut = False
        with state.changing() as machine:
            npu, chip = machine.npu_of_phy(phy_id), machine.chip_by_phy(phy_id)
            if npu is None or chip is None or npu.absent:
                raise RuntimeFailure(f"cannot convert phy id to logic id, err: phy id {phy_id} can not be converted")
            kind = vnpu_types.template(machine, chip, template)
            if kind is None:
                raise LibraryFailure(what, BAD_PARAMETER)
            if machine.vnpu_mode != "docker":
                raise LibraryFailure(what, NOT_SUPPORTED)
            refused = 0
            if vnpu.lacking(vnpu.resources(machine, chip), kind, machine.family):
                refused = BAD_PARAMETER
            else:
                try:
                    made = vnpu.create(machine, npu, chip, kind, None, None, processes.scan())
                    cut = power.used_up(machine)
                except vnpu.Refused as exc:
                    refused = CODES.get(exc.code, INNER)
            if not cut:
                vnpu.sync_nodes(machine)
        if cut:
            power.cut()
        if refused:
            raise LibraryFailure(what, refused)
        return npu.npu_id, chip.chip_id, made.vnpu_id

    def destroy(self, card: int, device: int, vnpu_id: int) -> None:
        """Give a vNPU back. Raises ``LibraryFailure`` when it is not there or somebody has it."""
        from npusim import processes, state, vnpu

        refused = 0
        with state.changing() as machine:
            npu = next((found for found in machine.present() if found.npu_id == card), None)
            chip = next((found for found in npu.chips if found.chip_id == device), None) if npu else None
            if chip is None or vnpu_id not in [found.vnpu_id for found in chip.vnpus]:
                raise LibraryFailure("dcmiSetDestroyVdevice failed", BAD_PARAMETER)
            try:
                vnpu.destroy(chip, vnpu_id, processes.scan())
                vnpu.sync_nodes(machine)
            except vnpu.Refused as exc:
                refused = CODES.get(exc.code, INNER)
        if refused:
            raise LibraryFailure("dcmiSetDestroyVdevice failed", refused)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layouts of ``npu-smi info``: widths and column names as data, chosen by chip family and tool version.

Every value is left-aligned and padded to its column, never cut: a value that is too long pushes the rest of
its line to the right, as the real tool does. Widths come from the captures named beside each layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .versions import version_key


@dataclass(frozen=True)
class Layout:
    """One table. Widths count characters between the blanks that separate them."""

    name: str
    first: tuple[int, int]  # width of the NPU column, and of the name after it
    middle: int  # health and bus id
    power: int
    temp: int
    page_used: int  # "used" of huge pages, before the slash
    page_total: int
    memory_used: int
    memory_total: int
    hbm_used: int | None  # None: no HBM column
    hbm_total: int
    banner: int  # tool version
    process_id: int
    process_name: int
    process_memory: int
    process_memory_row: int  # rows of one layout are a blank shorter than its rule
    container_pid: int | None = None
    utilisation: str = "AICore(%)"
    second: str = "Chip"  # names of the first column's second line
    four_cells: bool = False  # NPU and name are cells of their own, and no chip column
    pages: bool = True  # huge pages are shown
    processes: bool = True  # a process table follows
    merged_rules: bool = False  # rules between NPUs do not part those two cells
    memory_unit: str = "MB"

    @property
    def right(self) -> int:
        """Width of the last cell."""
        hbm = 0 if self.hbm_used is None else 1 + self.hbm_used + 2 + self.hbm_total
        return 1 + self.power + 1 + self.memory_used + 2 + self.memory_total + hbm + 1

    @property
    def left(self) -> int:
        """Width of the first cell (both of them with their border in a four-cell layout)."""
        return sum(self.first) + (3 if self.four_cells else 2)

    @property
    def width(self) -> int:
        return self.left + 1 + self.middle + 2 + 1 + self.right


# npu-smi__info__910B3__23_0_7__1 and eleven more, 23.0.rc2 to 25.5.x
HBM = Layout(
    "hbm", first=(5, 20), middle=13, power=11, temp=17, page_used=5, page_total=13, memory_used=5, memory_total=10,
    hbm_used=5, hbm_total=13, banner=24, process_id=13, process_name=24, process_memory=23, process_memory_row=23,
)  # fmt: skip
# Published 910A tables of 21.0.4, 22.0.4.1 and 23.0.rc1.b070: shorter names, process memory in bytes.
HBM_OLD = replace(HBM, name="hbm-old", first=(5, 15), memory_unit="B")
# A published 910A table of 21.0.2: no huge pages, no processes, narrower
HBM_21 = replace(HBM_OLD, name="hbm-21", power=10, hbm_total=7, pages=False, processes=False)
# npu-smi__info__910B4-1__26_0_rc1__issue10280: wider numbers, fifth process column
HBM_26 = replace(
    HBM, name="hbm-26", power=20, temp=23, page_total=16, memory_total=16, hbm_total=16, banner=35,
    process_name=18, process_memory=21, process_memory_row=21, container_pid=23,
)  # fmt: skip
# npu-smi__info__310P3_300IDuo__24_1_0_1__yuanrong and others, 23.0 to 25.5.x
DDR = Layout(
    "ddr", first=(7, 22), middle=15, power=12, temp=17, page_used=6, page_total=13, memory_used=5, memory_total=32,
    hbm_used=None, hbm_total=0, banner=40, process_id=15, process_name=24, process_memory=25, process_memory_row=25,
    second="Chip    Device",
)  # fmt: skip
# npu-smi__info__310P3__22_0_4__in_vnpu_container
DDR_22 = replace(DDR, name="ddr-22", page_used=5, page_total=14)
# npu-smi__info__310P3__22_0_0__modelzoo
DDR_OLD = replace(DDR_22, name="ddr-old", first=(7, 10), banner=28)
# Published 310 tables of 21.0.3.1
DDR_21 = replace(DDR_OLD, name="ddr-21", power=17, memory_total=13, pages=False, processes=False)
# npu-smi__info__950PR__25_7_rc1_1__issue10001; its process rows end one blank early
UB = Layout(
    "950", first=(7, 17), middle=13, power=11, temp=17, page_used=6, page_total=13, memory_used=5, memory_total=10,
    hbm_used=6, hbm_total=13, banner=40, process_id=13, process_name=24, process_memory=24, process_memory_row=23,
    utilisation="NPU Util(%)", four_cells=True,
)  # fmt: skip
# Published 950DT tables of 25.6.rc1
UB_25_6 = replace(
    UB, name="950-25.6", power=21, temp=24, memory_used=6, memory_total=16, process_name=18, process_memory=21,
    process_memory_row=21, container_pid=23, merged_rules=True,
)  # fmt: skip


def layout_for(family: str, tool_version: str) -> Layout:
    """The layout the tool of this version prints for this family."""
    version = version_key(tool_version)
    if family in ("310", "310B", "310P"):
        # 310B tables have six characters for huge pages from 23.0.rc1 on, 310P from 23.0.
        if version < version_key("22.0.4"):
            return DDR_21 if version < version_key("21.0.4") else DDR_OLD
        return DDR_22 if version < version_key("23.0.rc1") else DDR
    if family == "950":
        return UB_25_6 if version < version_key("25.7.rc1") else UB
    if version < version_key("23.0.rc2"):
        return HBM_21 if version < version_key("21.0.4") else HBM_OLD
    layout = HBM if version < version_key("26.0.rc1") else HBM_26
    return replace(layout, second="Chip  Phy-ID") if family == "910_93" else layout

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chip can be cut into: templates and capacities by chip model, as data.

Numbers are those of the template table compiled into the vendor's tool and of the captures named beside them.
Memory of a template is what ``template-info`` prints; what a slice really gets is ``slice_mb``.
"""

from __future__ import annotations

from typing import NamedTuple

from .model import Chip, Machine

MEDIA = ("vpc", "venc", "vdec", "jpegd", "jpege")
SPLIT_FAMILIES = ("310P", "910", "910B")  # the families the tool lists for these commands; 910_93 is not among them
RESERVED_MB = 4096  # of a 910B chip, before it is cut: 28/32 and 60/64 GB free


class Template(NamedTuple):
    """One row pair of ``template-info``. ``memory_mb``: what a 910B slice really gets; 0 = its share of the chip."""

    name: str
    aicore: int
    memory_gb: int
    aicpu: int
    vpc: int
    venc: int
    vdec: int
    jpegd: int
    jpege: int
    pngd: float = 0
    memory_mb: int = 0


class Capacity(NamedTuple):
    """What a chip has. ``aicpu_split``: once the first vNPU exists. ``None``: the tool prints NA."""

    aicore: int
    aicpu: int | None
    aicpu_split: int | None
    vpc: int | None
    venc: int | None
    vdec: int | None
    jpegd: int | None
    jpege: int | None


def _templates_310p(per_core_gb: int) -> tuple[Template, ...]:
    gb = per_core_gb
    return (
        Template("vir01", 1, gb, 1, 1, 0, 1, 2, 1),
        Template("vir02", 2, 2 * gb, 2, 3, 1, 3, 4, 2),
        Template("vir02_1c", 2, 2 * gb, 1, 3, 0, 3, 4, 2),
        Template("vir04", 4, 4 * gb, 4, 6, 2, 6, 8, 4),
        Template("vir04_3c", 4, 4 * gb, 3, 6, 1, 6, 8, 4),
        Template("vir04_3c_ndvpp", 4, 4 * gb, 3, 0, 0, 0, 0, 0),
        Template("vir04_4c_dvpp", 4, 4 * gb, 4, 12, 3, 12, 16, 8),
    )


T310P_24G = _templates_310p(3)  # npu-smi__template-info__310P3__22_0_4
T310P_48G = _templates_310p(6)
T910 = (
    Template("vir02", 2, 2, 1, 1, 0, 1, 1, 0, 1.5),
    Template("vir04", 4, 4, 1, 2, 0, 2, 2, 1, 3),
    Template("vir08", 8, 8, 3, 4, 0, 4, 4, 2, 6),
    Template("vir16", 16, 16, 7, 8, 0, 8, 8, 4, 12),
)
A2_20C_32G = (  # npu-smi__template-info__910B4_32G__24_1
    Template("vir10_3c_16g", 10, 16, 3, 4, 0, 1, 12, 2, memory_mb=14336),
    Template("vir10_4c_16g_m", 10, 16, 4, 9, 0, 2, 24, 4, memory_mb=14336),
    Template("vir10_3c_16g_nm", 10, 16, 3, 0, 0, 0, 0, 0, memory_mb=14336),
    Template("vir05_1c_8g", 5, 8, 1, 2, 0, 0, 6, 1, memory_mb=7168),
)
A2_20C_64G = (  # a published template-info of eight 910B4-1 with tool 26.0.rc1
    Template("vir10_3c_32g", 10, 32, 3, 4, 0, 1, 12, 2, memory_mb=30720),
    Template("vir05_1c_16g", 5, 16, 1, 2, 0, 0, 6, 1, memory_mb=15360),
)
A2_24C_64G = (
    Template("vir12_3c_32g", 12, 32, 3, 5, 0, 1, 14, 2, memory_mb=30720),
    Template("vir06_1c_16g", 6, 16, 1, 2, 0, 0, 7, 1, memory_mb=15360),
)

C310P = Capacity(8, 7, 7, 12, 3, 12, 16, 8)
# npu-smi__info-vnpu__910B4__24_1__*: SR-IOV, on from the first vNPU to the last, adds an AI CPU.
C910B_20C = Capacity(20, 6, 7, 9, 0, 2, 24, 4)
# No capture: 6 AI CPUs by another project's device table, DVPP as much as two vir12_3c_32g take.
C910B_24C = Capacity(24, 6, 6, 10, 0, 2, 28, 4)
# Training chips do not report AI CPUs; the coder units by the vendor's product documentation.
C910 = Capacity(30, None, None, 16, None, 16, 16, 8)
CORES_24 = ("910B1", "910B2", "910B2C")


def memory_mb(chip: Chip) -> int:
    """Memory that can be cut, in MB."""
    return (chip.hbm_mb or chip.memory_mb)[1]


def templates(machine: Machine, chip: Chip) -> tuple[Template, ...]:
    """Templates this chip takes, in the tool's order; none for a family that cannot be cut."""
    if machine.family == "310P":
        return T310P_24G if memory_mb(chip) < 32 * 1024 else T310P_48G
    if machine.family == "910":
        return T910
    if machine.family != "910B":
        return ()
    if chip.name in CORES_24:
        return A2_24C_64G
    return A2_20C_32G if memory_mb(chip) <= 32 * 1024 else A2_20C_64G


def template(machine: Machine, chip: Chip, name: str) -> Template | None:
    return next((found for found in templates(machine, chip) if found.name == name), None)


def capacity(machine: Machine, chip: Chip) -> Capacity:
    """What the whole chip has. Raises ``ValueError`` for a family that cannot be cut."""
    if machine.family == "310P":
        return C310P
    if machine.family == "910":
        return C910
    if machine.family != "910B":
        raise ValueError(f"chips of family {machine.family} cannot be cut")
    return C910B_24C if chip.name in CORES_24 else C910B_20C


def slice_mb(machine: Machine, chip: Chip, wanted: Template) -> int:
    """Memory of one slice. A vir01 of a 24 GB 310P has 2690 MB (npu-smi__info__310P3__22_0_4__in_vnpu_container)."""
    return wanted.memory_mb or memory_mb(chip) * wanted.aicore // capacity(machine, chip).aicore


def id_range(machine: Machine, chip: Chip) -> range:
    """vNPU ids of a chip: 8 on 310P, 16 on the others, from 100 + 16 x physical id."""
    first = 100 + 16 * chip.phy_id
    return range(first, first + (8 if machine.family == "310P" else 16))

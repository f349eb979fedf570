# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Templates of vNPUs and what a chip has to give, as published. This module util is PRIVATE to the collection.

The tables serve to plan without a machine. On a machine ``npu-smi info -t template-info`` outranks them: a release
chooses its names by board id, so two 64 GB machines may print different ones.

Sources: template rows are those compiled into the published driver (cann/driver, dcmi_inner_info_get.c) and in
MindCluster's "virtualization templates"; chip totals from MindCluster (910, 310P), from the reference practice on
hiascend (910B with 20 cores, 300I Duo), from HAMi's device configuration (AICPU of 24 cores, A3).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from ansible_collections.npuops.ascend.plugins.module_utils._npu_model import chip_name, family


@dataclass(frozen=True)
class Template:
    """One row of ``template-info``: what a vNPU of that name takes. None where no source gives the number.

    ``memory_gb`` is the printed size; what the slice can really use is one or two GB less on 910B.
    """

    name: str
    aicore: int
    memory_gb: int
    aicpu: int | None = None
    vpc: int | None = None
    venc: int | None = None
    vdec: int | None = None
    jpegd: int | None = None
    jpege: int | None = None

    @classmethod
    def of(cls, row) -> Template:
        """From a dict with these keys (others are left out), or from any object that has ``to_dict``."""
        if isinstance(row, cls):
            return row
        values = row if isinstance(row, dict) else row.to_dict()
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Capacity:
    """What a chip can give to all its vNPUs together. None: not known, or not compared by the tool."""

    aicore: int | None = None
    memory_gb: int | None = None
    aicpu: int | None = None
    vpc: int | None = None
    venc: int | None = None
    vdec: int | None = None
    jpegd: int | None = None
    jpege: int | None = None

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class TemplateSet:
    """What is published of one kind of chip. ``templates`` are in descending size."""

    key: str
    family: str
    capacity: Capacity
    templates: tuple

    @property
    def by_name(self) -> dict:
        return {template.name: template for template in self.templates}


def _rows(text: str) -> tuple:
    """Templates from lines in the order of the columns of Template; a short line leaves the rest unknown."""
    return tuple(Template(name, *map(int, numbers)) for name, *numbers in (line.split() for line in text.splitlines()))


def _resized(templates: tuple, percent: int) -> tuple:
    return tuple(replace(template, memory_gb=template.memory_gb * percent // 100) for template in templates)


# Columns: name, AICore, GB, AICPU, VPC, VENC, VDEC, JPEGD, JPEGE.
_T910 = _rows("""\
vir16 16 16 7 8 0 8 8 4
vir08 8 8 3 4 0 4 4 2
vir04 4 4 1 2 0 2 2 1
vir02 2 2 1 1 0 1 1 0""")
_T310P = _rows("""\
vir04_4c_dvpp 4 12 4 12 3 12 16 8
vir04 4 12 4 6 2 6 8 4
vir04_3c 4 12 3 6 1 6 8 4
vir04_3c_ndvpp 4 12 3 0 0 0 0 0
vir02 2 6 2 3 1 3 4 2
vir02_1c 2 6 1 3 0 3 4 2
vir01 1 3 1 1 0 1 2 1""")
_T20C_64G = _rows("""\
vir10_3c_32g 10 32 3 4 0 1 12 2
vir05_1c_16g 5 16 1 2 0 0 6 1""")
_T20C_32G = _rows("""\
vir10_4c_16g_m 10 16 4 9 0 2 24 4
vir10_3c_16g 10 16 3 4 0 1 12 2
vir10_3c_16g_nm 10 16 3 0 0 0 0 0
vir05_1c_8g 5 8 1 2 0 0 6 1""")
_T24C_64G = _rows("""\
vir12_3c_32g 12 32 3 5 0 1 14 2
vir06_1c_16g 6 16 1 2 0 0 7 1""")
_TA3_20C = _rows("""\
vir10_3c_32g 10 32 3
vir05_1c_16g 5 16 1""")
_TA3_24C = _rows("""\
vir12_3c_32g 12 32 3
vir06_1c_16g 6 16 1""")

# The tool does not compare the DVPP units of a first generation 910, nor (65535: can't be queried) its AICPU.
_SETS = (
    TemplateSet("910_30c", "910", Capacity(30, 32), _T910),
    TemplateSet("910_32c", "910", Capacity(32, 32), _T910),
    TemplateSet("910_30c_16g", "910", Capacity(30, 16), _resized(_T910, 50)),
    TemplateSet("910_32c_16g", "910", Capacity(32, 16), _resized(_T910, 50)),
    TemplateSet("310p_24g", "310P", Capacity(8, 24, 7, 12, 3, 12, 16, 8), _T310P),
    TemplateSet("310p_48g", "310P", Capacity(8, 43, 7, 12, 3, 12, 16, 8), _resized(_T310P, 200)),
    TemplateSet("910b_20c_64g", "A2", Capacity(20, 64, 7, 9, 0, 2, 24, 4), _T20C_64G),
    TemplateSet("910b_20c_32g", "A2", Capacity(20, 32, 7, 9, 0, 2, 24, 4), _T20C_32G),
    TemplateSet("910b_24c_64g", "A2", Capacity(24, 64, 6), _T24C_64G),
    TemplateSet("a3_20c", "A3", Capacity(20, 64, 7), _TA3_20C),
    TemplateSet("a3_24c", "A3", Capacity(24, 64), _TA3_24C),
)
TEMPLATES = {entry.key: entry for entry in _SETS}

# AICores by chip name, where the name alone tells.
_CORES = {"910B1": 24, "910B2": 24, "910B2C": 24, "910B3": 20, "910B4": 20, "910B4-1": 20}
_MEMORY_GB = {"910B1": 64, "910B2": 64, "910B2C": 64, "910B3": 64, "910B4": 32, "910B4-1": 64}


def template_set(name: str, memory_mb: int | None = None, aicore: int | None = None) -> TemplateSet | None:
    """The published set of a chip, or None where there is none or name, memory and cores do not tell which.

    ``name`` as npu_info gives it (``910B4-1``), ``memory_mb`` the total of hbm_mb, of memory_mb on a 310P, ``aicore``
    the total printed by info-vnpu. A 910 whose cores are not known counts as one of 30; an A3 die stays unknown.
    """
    name = chip_name(name).replace("Ascend", "", 1) if name.startswith("Ascend910B") else chip_name(name)
    kind = family(name)
    cores = aicore or _CORES.get(name)
    gigabytes = memory_mb / 1024 if memory_mb else _MEMORY_GB.get(name)
    if kind is None or "vir" in name:
        return None
    key = None
    if kind.name == "910":
        key = f"910_{32 if cores == 32 else 30}c" + ("_16g" if gigabytes and gigabytes < 24 else "")
    elif kind.name == "310P" and gigabytes:
        key = "310p_24g" if gigabytes < 32 else "310p_48g"
    elif kind.name == "A2" and cores and gigabytes:
        key = f"910b_{cores}c_{32 if gigabytes < 48 else 64}g"
    elif kind.name == "A3" and cores:
        key = f"a3_{cores}c"
    return TEMPLATES.get(key)


__all__ = ["TEMPLATES", "Capacity", "Template", "TemplateSet", "template_set"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npu-smi info -t template-info`` and ``info-vnpu``: the tables, from typed values."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from .model import Vnpu
from .versions import version_key
from .vnpu_types import Template

# The order of the resource line and the width of each value.
COLUMNS = (
    ("aicore", 9), ("memory_gb", 9), ("aicpu", 8), ("vpc", 6), ("venc", 7), ("vdec", 7), ("jpegd", 8), ("jpege", 8),
    ("pngd", 8),
)  # fmt: skip
NEWER = "23.0.rc1"  # 22.0.4 has no rules between rows and another rule below a header; 24.1 is the next one seen
NO_HEADER = "26.0.rc1"  # a published table of this version ends after "Total number of vnpu: 0"


class Resources(NamedTuple):
    """Free and total of each resource of a chip; ``None`` is printed NA. ``memory_gb`` as the tool rounds it."""

    aicore: tuple[int, int] | None
    memory_gb: tuple[int, int] | None
    aicpu: tuple[int, int] | None
    vpc: tuple[int, int] | None
    venc: tuple[int, int] | None
    vdec: tuple[int, int] | None
    jpegd: tuple[int, int] | None
    jpege: tuple[int, int] | None
    pngd: tuple[int, int] | None = None


def render_templates(templates: Sequence[Template], tool_version: str) -> str:
    """``template-info``: two rows per template, coders that did not fit the first in the second."""
    rule = "+" + "-" * 90 + "+"
    edge = "|" if version_key(tool_version) >= version_key(NEWER) else "+"
    lines = [
        rule,
        _box("NPU instance template info is:", 90),
        _box("Name                AICORE    Memory    AICPU     VPC            VENC           JPEGD", 90),
        _box("                               GB                 PNGD           VDEC           JPEGE", 90),
        edge + "=" * 90 + edge,
    ]
    for t in templates:
        lines += [
            f"|{t.name:<19} {t.aicore:<9} {t.memory_gb:<9} {t.aicpu:<9} {t.vpc:<14} {t.venc:<14} {t.jpegd:<10}|",
            f"|{'':49} {t.pngd:<14g} {t.vdec:<14} {t.jpege:<10}|",
            rule,
        ]
    return "\n".join(lines) + "\n"


def render_vnpus(resources: Resources, vnpus: Sequence[tuple[Vnpu, bool]], tool_version: str) -> str:
    """``info-vnpu`` of one chip; each vNPU with whether a container uses it."""
    rule = "+" + "-" * 79 + "+"
    lines = [
        rule,
        _box(" NPU resource static info as follow:", 79),
        _box(" Format:Free/Total                   NA: Currently, query is not supported.", 79),
        _box(" AICORE    Memory    AICPU    VPC    VENC    VDEC    JPEGD    JPEGE    PNGD", 79),
        _box("            GB", 79),
        "|" + "=" * 79 + "|",
        "| " + " ".join(_pair(getattr(resources, name)).ljust(width) for name, width in COLUMNS) + "|",
        rule,
        f"| Total number of vnpu: {len(vnpus):<2}                                                      |",
        rule,
    ]
    if not vnpus and version_key(tool_version) >= version_key(NO_HEADER):
        return "\n".join(lines) + "\n"
    lines.append("|  Vnpu ID  |  Vgroup ID     |  Container ID  |  Status  |  Template Name       |")
    rows = [_row(vnpu, used) for vnpu, used in vnpus]
    if version_key(tool_version) >= version_key(NEWER):
        for row in rows:
            lines += [rule, row]
    else:
        lines += [rule, *rows] if rows else []
    return "\n".join([*lines, rule]) + "\n"


def _row(vnpu: Vnpu, used: bool) -> str:
    # Not the id a container engine shows: all ones is all the driver knows.
    container = ("f" if used else "0") * 12
    return (
        f"|  {vnpu.vnpu_id:<4}     |  {vnpu.vgroup_id:<12}  |  {container}  |  {int(used):<2}      "
        f"|  {vnpu.template:<15}     |"
    )


def _pair(pair: tuple[int, int] | None) -> str:
    return "NA/NA" if pair is None else f"{pair[0]}/{pair[1]}"


def _box(text: str, width: int) -> str:
    return f"|{text.ljust(width)}|"

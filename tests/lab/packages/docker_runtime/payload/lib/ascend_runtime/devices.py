# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices a container asks for: ASCEND_VISIBLE_DEVICES and ASCEND_VNPU_SPECS."""

from __future__ import annotations

import re
from typing import Callable

from .common import RuntimeFailure, value

VISIBLE = "ASCEND_VISIBLE_DEVICES"
OPTIONS = "ASCEND_RUNTIME_OPTIONS"
SPECS = "ASCEND_VNPU_SPECS"
VOID = "void"
MAX_RANGE = 128  # ends of ranges only: single numbers may be larger
MAX_CHIPS = 256
NAMED = re.compile(r"(?:(Ascend(?:910|310B|310P|310))|npu)-(\d+)")
NUMBER = re.compile(r"[+-]?[0-9]+")
TEMPLATES = frozenset(
    (
        "vir01", "vir02", "vir04", "vir08", "vir16", "vir02_1c", "vir03_1c_8g", "vir04_3c", "vir04_4c_dvpp",
        "vir04_3c_ndvpp", "vir05_1c_8g", "vir05_1c_16g", "vir06_1c_16g", "vir10_3c_16g", "vir10_3c_16g_nm",
        "vir10_3c_32g", "vir10_4c_16g_m", "vir12_3c_32g",
    )
)  # fmt: skip


def wanted(env: list[str], chip_type: Callable[[], str] | None = None) -> list[int]:
    """Numbers asked for, ascending, each once; empty when the variable is absent, empty or ``void``.

    ``chip_type`` is given by releases before 26.0: they know no ``npu-N``, and of ``Ascend910-N`` the chips' own name.
    """
    text = value(env, VISIBLE, last=True)
    if text in ("", VOID):
        return []
    named = "Ascend" in text or (chip_type is None and "npu" in text)
    try:
        found = _named(text.split(","), chip_type) if named else sum(map(_plain, text.split(",")), [])
    except RuntimeFailure as failure:
        kind = "ascend device" if named else "device"
        raise RuntimeFailure(f"failed to parse {kind} : {failure}") from None
    return sorted(set(found))


def _named(parts: list[str], chip_type: Callable[[], str] | None) -> list[int]:
    found = []
    for part in parts:
        match = NAMED.fullmatch(part.strip())
        if match is None or (chip_type is not None and match.group(1) is None):
            raise RuntimeFailure(f"invalid device format: {part}")
        found.append(match)
        if chip_type is not None and match.group(1) != found[0].group(1):
            raise RuntimeFailure(f"invalid device chip type: {part}")
    if chip_type is not None and chip_type() != found[0].group(1):
        raise RuntimeFailure(f"chip type not match really: {found[0].group(1)[len('Ascend') :]}")
    return [int(match.group(2)) for match in found]


def _plain(part: str) -> list[int]:
    part = part.strip()
    if "-" not in part:
        if not NUMBER.fullmatch(part):
            raise RuntimeFailure(f"invalid single device parameter: {part}")
        return [int(part)]
    borders = [border.strip() for border in part.split("-")]
    if len(borders) != 2:
        raise RuntimeFailure(f"invalid device range: {part}")
    left, right = borders
    if not NUMBER.fullmatch(left):
        raise RuntimeFailure(f"invalid left boarder range parameter: {left}")
    if not NUMBER.fullmatch(right) or int(right) > MAX_RANGE:
        raise RuntimeFailure(f"invalid right boarder range parameter: {right}")
    if int(left) > int(right):
        raise RuntimeFailure(f"left boarder ({int(left)}) should not be larger than the right one({int(right)})")
    return list(range(int(left), int(right) + 1))


def virtual(env: list[str]) -> bool:
    """Whether the numbers are those of vNPUs that exist."""
    return "VIRTUAL" in value(env, OPTIONS)


def template(env: list[str]) -> str:
    """The vNPU to cut for the container; empty when none is asked for. Raises when it is not in the list."""
    for entry in env:
        words = entry.split("=")
        if len(words) == 2 and words[0].strip() == SPECS:
            if words[1] not in TEMPLATES:
                raise RuntimeFailure(f"cannot parse param : {words[1]}")
            return words[1]
    return ""


def one(numbers: list[int]) -> int:
    """The only device; a vNPU is cut from exactly one."""
    if len(numbers) != 1 or not 0 <= numbers[0] < MAX_CHIPS:
        raise RuntimeFailure(f"invalid devices: [{' '.join(map(str, numbers))}]")
    return numbers[0]

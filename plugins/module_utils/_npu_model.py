# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is known of a chip by the name ``npu-smi`` gives it. This module util is PRIVATE to the collection.

Names come as ``910B4-1`` or ``Ascend910`` (info), ``Ascend 910B4`` (info -m), ``310Pvir01`` (in a vNPU container).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Chips that share images. ``image_suffix`` is None where vllm-ascend publishes no image (its FAQ, question 1).

    ``chips_per_npu`` is None where it depends on the card: a 300I Pro has one 310P3, a 300I Duo two.
    """

    name: str
    pattern: str
    image_suffix: str | None
    chips_per_npu: int | None


# The first pattern that fits wins. A3 dies are named Ascend910 in one word (or by their SoC, Ascend910_9382), the
# first generation "Ascend 910A" in two. Suffixes: tags of quay.io/ascend/vllm-ascend v0.23.0; "-a3" since v0.10.0rc1.
_FAMILIES = (
    Family("A3", r"Ascend910(_93\d+)?|910_93\d*", "-a3", 2),
    Family("A2", r"(Ascend)?910B\d.*", "", 1),
    Family("310P", r"(Ascend)?310P.*", "-310p", None),
    Family("950", r"(Ascend)?950.*", "-a5", 1),
    Family("910", r"(Ascend)?910((Pro|Premium)?[A-Z])?", None, 1),
    Family("310B", r"(Ascend)?310B.*", None, 1),
    Family("310", r"(Ascend)?310", None, None),
)

# Chip name -> HBM in MB that an idle chip was seen with at most, and where. "idle" are chips of NPUs for which the tool
# says that no process runs; "rest" is HBM in use less what the listed processes hold, where no idle chip was captured.
_IDLE_HBM_SEEN = {
    "910A": (1, "25.0.rc1.b002, 8 chips idle: npu-smi__info__910A__25_0_rc1_b002__1"),
    "910B1": (4175, "23.0.rc2, 3 chips, excerpt without processes: npu-smi__info__910B1__23_0_rc2__elided"),
    "910B2C": (3401, "26.0.rc1, 12 chips, no process listed: npu-smi__info__910B2C__26_0_rc1__issue10363"),
    "910B3": (3365, "23.0.7, 8 chips, rest: npu-smi__info__910B3__23_0_7__1; 24.1.rc3 and 25.5.1 have 3334 and 3364"),
    "910B4": (2842, "25.2.0, 7 chips idle: npu-smi__info__910B4__25_2_0__yuanrong; four other releases have less"),
    "910B4-1": (3417, "26.0.rc1, 4 chips idle: npu-smi__info__910B4-1__26_0_rc1__issue10280"),
    "Ascend910": (3402, "24.1.rc3.3, 8 dies idle: npu-smi__info__910C_A3__24_1_rc3_3__yuanrong"),
    "Ascend950PR": (4806, "25.7.rc1.1, 4 chips idle: npu-smi__info__950PR__25_7_rc1_1__issue10001"),
}

# Releases differ by up to 300 MB on the same chip. A process that died with a model leaves gigabytes.
IDLE_MARGIN_MB = 512


def chip_name(name: str) -> str:
    """The name as ``npu-smi info`` prints it, from that or from the one of ``info -m``."""
    return re.sub(r"^Ascend\s+", "", name.strip())


def family(name: str) -> Family | None:
    """The family of a chip, or None for a name that fits none."""
    return next((entry for entry in _FAMILIES if re.fullmatch(entry.pattern, chip_name(name))), None)


def image_suffix(name: str) -> str | None:
    """What vllm-ascend appends to the tags of its images for this chip: "", "-a3", "-310p", "-a5"; None: no image."""
    found = family(name)
    return found.image_suffix if found else None


def chips_per_npu(name: str) -> int | None:
    """Chips of one NPU, or None where the chip does not tell."""
    found = family(name)
    return found.chips_per_npu if found else None


def idle_hbm_mb(name: str) -> int:
    """HBM in MB above which a chip without a listed process is not idle: the most ever seen, and a margin.

    For a chip that was never captured it is the highest of its family, and for an unknown family the highest of all,
    so that a machine nobody has seen is not refused for its idle use.
    """
    seen = _IDLE_HBM_SEEN.get(chip_name(name))
    if seen:
        return seen[0] + IDLE_MARGIN_MB
    kin = [mb for known, (mb, _source) in _IDLE_HBM_SEEN.items() if family(known) == family(name)]
    return max(kin or [mb for mb, _source in _IDLE_HBM_SEEN.values()]) + IDLE_MARGIN_MB


__all__ = ["IDLE_MARGIN_MB", "Family", "chip_name", "chips_per_npu", "family", "idle_hbm_mb", "image_suffix"]

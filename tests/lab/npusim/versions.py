# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing versions of driver and tools."""

from __future__ import annotations


def version_key(version: str) -> tuple[tuple[int, int], ...]:
    """Sortable first three parts of a version: 23.0.rc1.b070 < 23.0.rc2 < 23.0 < 23.0.7 < 25.5.1."""
    key: list[tuple[int, int]] = []
    for part in version.lower().split(".")[:3]:
        stage, digits = (-1, part[2:]) if part.startswith("rc") else (0, part)
        key.append((stage, int(digits) if digits.isdigit() else 0))
    while len(key) < 3:
        key.append((0, 0))
    return tuple(key)

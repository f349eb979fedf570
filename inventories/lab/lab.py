#!/usr/bin/env python3
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory of the running lab: group ``ascend`` with its nodes. NPUOPS_LAB picks the lab (default: lab)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "lab"))

from lab.inventory import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of ``python3 tests/lab/lab``, which is how ``tests/lab/labctl`` starts this package."""

from __future__ import annotations

import sys
from pathlib import Path

# Started as a directory, sys.path[0] is the package itself: its parent makes `import lab` work.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from lab.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys

# Not an installed package, so its path has to be known before it is imported.
sys.path.insert(0, "/opt/standin")

from vllm_standin.proxy import main  # noqa: E402

sys.exit(main())

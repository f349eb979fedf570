# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated Ascend hardware: a typed model of a server, and the vendor tools that read it.

Everything here runs on lab nodes and inside serving containers: Python 3.8+, standard library only.
"""

from __future__ import annotations

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's stand-in for vLLM on Ascend.

It has the command line, the HTTP interface, the metrics and the way of taking NPUs of a vLLM release;
it has no model: replies say so. NPUs are opened through the (emulated) driver, Ray is the real one.
"""

from __future__ import annotations

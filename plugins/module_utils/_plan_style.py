# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks of the plan's page, beside those of every page.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

STYLE = """
figure { margin: 0; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; display: block; }
span.tag { display: inline-block; min-width: 1.5em; padding: 0 .3em; border: 1px solid #7a8694; border-radius: .8em;
  text-align: center; font-size: .85em; font-weight: bold; }
ul.problems { background: var(--alarm-bg); border-left: 4px solid var(--alarm); padding: .8rem 1rem .8rem 2rem; }
"""

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks of the plan's page.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 1320px; background: #fff; color: #1c2430;
  font: 15px/1.5 Arial, Helvetica, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.summary { margin: 0 0 1rem; color: #46505e; }
figure { margin: 0; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: .8rem; color: #46505e; border-bottom: 2px solid #c9d0d9; }
th, td { padding: .35rem .8rem .35rem 0; vertical-align: top; }
td { border-bottom: 1px solid #e4e8ed; }
th.number, td.number { text-align: right; padding-right: 1.6rem; white-space: nowrap; }
code { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: .9em; }
span.tag { display: inline-block; min-width: 1.5em; padding: 0 .3em; border: 1px solid #7a8694; border-radius: .8em;
  text-align: center; font-size: .85em; font-weight: bold; }
ul.problems { background: #fdeaea; border-left: 4px solid #b3261e; padding: .8rem 1rem .8rem 2rem; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""

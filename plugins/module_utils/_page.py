# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTML pages share: a frame that needs no other file, and the looks of text and tables.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from html import escape

STYLE = """
:root { color-scheme: light; --bg: #fff; --ink: #1c2430; --soft: #46505e; --line: #c9d0d9; --faint: #e4e8ed;
  --alarm: #b3261e; --alarm-bg: #fdeaea; }
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 1320px; background: var(--bg); color: var(--ink);
  font: 15px/1.5 Arial, Helvetica, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.summary { margin: 0 0 1rem; color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: .8rem; color: var(--soft); border-bottom: 2px solid var(--line); }
th, td { padding: .35rem .8rem .35rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--faint); }
th.number, td.number { text-align: right; padding-right: 1.6rem; white-space: nowrap; }
code { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: .9em; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def document(title, style, parts, script=""):
    """One HTML file of a title, its own style beside the common one, and the parts of its body.

    :arg title: plain text. :arg style: CSS. :arg parts: HTML; empty ones are left out. :arg script: JavaScript.
    """
    return "\n".join(
        part
        for part in (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>",
            *parts,
            f"<script>{script}</script>" if script else "",
            "</body>\n</html>\n",
        )
        if part
    )

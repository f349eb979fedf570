# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the services with C(memory_gb: auto) were sized, as a table for a terminal and for the page.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from html import escape

COLUMNS = ("SIZED SERVICE", "NEEDS", "WEIGHTS", "KV CACHE", "OVERHEAD", "OF THE DEVICE")


def _cells(name, size):
    if size["tokens"]:
        what = f"{size['sequences']} × {size['tokens']} tokens, {size['kv_dtype'] or '2 bytes a value'}"
        cache = f"{size['kv_cache_gb']:g} GiB ({what})"
    else:
        cache = "none"
    of_device = f"{100 * size['utilization']:g} %"
    return (
        name,
        f"{size['memory_gb']:g} GB",
        f"{size['weights_gb']:g} GiB",
        cache,
        f"{size['overhead_gb']:g} GiB",
        of_device,
    )


def table(sizing):
    """Lines for a terminal; none when no service was sized. C(sizing) is that of M(npu_placement)."""
    if not sizing:
        return []
    lines = [COLUMNS, *(_cells(name, size) for name, size in sizing.items())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    for name, size in sizing.items():
        text += [f"{name} assumes:", *("  " + sentence for sentence in size["assumed"])]
    return [*text, ""]


def html(sizing):
    """The lines of a section of the page; none when no service was sized."""
    if not sizing:
        return
    yield "<h2>Sized by the model</h2>\n<table>\n<thead><tr><th>Service</th>"
    yield '<th class="number">Needs</th><th class="number">Weights</th><th>KV cache</th>'
    yield '<th class="number">Overhead</th><th class="number">Of the device</th><th>Assumed</th></tr></thead>\n<tbody>'
    for name, size in sizing.items():
        name, needs, weights, cache, overhead, of_device = map(escape, _cells(name, size))
        assumed = "<br>".join(map(escape, size["assumed"]))
        yield (
            f'<tr><td><b>{name}</b></td><td class="number">{needs}</td><td class="number">{weights}</td>'
            f'<td>{cache}</td><td class="number">{overhead}</td><td class="number">{of_device}</td>'
            f"<td>{assumed}</td></tr>"
        )
    yield "</tbody>\n</table>"


__all__ = ["html", "table"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Matrices of nodes as small pictures: one for each phy id, and one of all for a fleet that is too large for letters.

A cell is a unit of the drawing. What is fine is drawn in runs, which takes six bytes a cell; what is not has a box of
its own with a mark, and tells on hover.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import Counter
from html import escape

from ._network_page_model import STATES, VERDICTS, said, worst

# Beyond that many nodes what is fine is the ground, without the shades of its latency.
SHADED_MOST = 96
# Boxes with words of their own in one picture; the rest are drawn in runs, too.
BOXES_MOST = 2500
NAMED = 6
# Nodes from which a cell that fails alone has a ring, and how many failing ways of its node are still alone.
RINGED_FROM = 24
RINGED_MOST = 8
# Of a state: where its mark begins in the cell, and how it goes on.
_MARK = {
    "dead": (0.25, 0.25, "l.5.5m0-.5l-.5.5"),
    "loss": (0.2, 0.5, "h.6"),
    "long": (0.2, 0.75, "v-.5l.3.3.3-.3v.5"),
    "none": (0.4, 0.5, "h.2"),
}


def rails(fleet, group):
    """For each phy id a matrix of the nodes, and below it the nodes whose NPU of that id is not fine."""
    of_rail = {phy_id: [] for phy_id in group.phy_ids()}
    for way in group.ways():
        of_rail[way.a[1]].append(way)
    out = [f'<h3>The same for each phy id</h3>\n<div class=rails style="--n:{len(group.hosts)}">']
    for phy_id, ways in of_rail.items():
        ends = [(host, phy_id) for host in group.hosts if phy_id in group.npus[host]]
        bad = sorted((end for end in ends if fleet.npus[end]["verdict"] != "pass"), key=lambda end: _rank(fleet, end))
        told = [f"<a href=#{fleet.anchor(end)}>{fleet.mark(end)[1]} {fleet.labels[end[0]]}</a>" for end in bad[:NAMED]]
        more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        note = ", ".join(told) + more if told else "✓ fine"
        out.append(
            f"<figure>{_picture(fleet, group, ways)}<figcaption><b>phy id {phy_id}</b> {note}</figcaption></figure>"
        )
    out.append("</div>")
    return "\n".join(out)


def _rank(fleet, end):
    return fleet.npus[end]["verdict"] != "fail"


def small(fleet, group):
    """All NPUs of two nodes in one cell, the worst of them counts."""
    between = {}
    for way in group.ways():
        key = (way.a[0], way.b[0])
        known = between.get(key)
        if known is None or worst([known.state, way.state]) != known.state:
            between[key] = way
    note = f"rows ping columns; {escape(group.hosts[0])} is first, {escape(group.hosts[-1])} last"
    return (
        f"<figure class=whole>{_picture(fleet, group, between.values(), named=True)}"
        f"<figcaption>The worst of all NPUs of two nodes: {note}.</figcaption></figure>"
    )


def _picture(fleet, group, ways, named=False):
    count = len(group.hosts)
    at = {host: number for number, host in enumerate(group.hosts)}
    shaded = count <= SHADED_MOST
    ways = list(ways)
    bad = Counter(host for way in ways if way.state != "ok" for host in (way.a[0], way.b[0]))
    runs, boxes, marks, rings = {}, [], {}, []
    for way in ways:
        x, y = at[way.b[0]], at[way.a[0]]
        if way.state == "ok":
            if shaded:
                runs.setdefault(fleet.shade(way.avg_ms), []).append((y, x))
        elif len(boxes) < BOXES_MOST:
            tip = f"{way.a[0]} → {way.b[0]}, phy id {way.a[1]}: {said(way)}"
            css = STATES[way.state][0]
            boxes.append(f'<rect class={css} x="{x}" y="{y}" width="1" height="1"><title>{escape(tip)}</title></rect>')
            # Where rows are narrow, one cell alone is easily overlooked.
            if count > RINGED_FROM and max(bad[way.a[0]], bad[way.b[0]]) <= RINGED_MOST:
                rings.append(f'<circle cx="{x + 0.5:g}" cy="{y + 0.5:g}" r="{count / 40:.2f}"/>')
            right, down, path = _MARK[way.state]
            marks.setdefault(css, []).append(f"M{x + right:g} {y + down:g}{path}")
        else:
            runs.setdefault(STATES[way.state][0], []).append((y, x))
    ground = "o" if shaded else "a"
    wide = round(count * 1.15) if named else count
    out = [f'<svg viewBox="0 0 {wide} {count}" role="img"><rect class={ground} width="{count}" height="{count}"/>']
    gone = [number for host, number in at.items() if host in fleet.absent]
    for number in gone:
        out.append(f'<path class=u d="M{number + 0.5} 0v{count}M0 {number + 0.5}h{count}"/>')
    for css in sorted(runs):
        out.append(f'<path class={css} d="{_lines(sorted(runs[css]))}"/>')
    out += boxes
    for css in sorted(marks):
        out.append(f'<path class="k {css}" d="{"".join(marks[css])}"/>')
    out.append(f'<path class=self d="M0 0L{count} {count}"/>')
    out += rings
    if named:
        out += _names(fleet, group, count)
    out.append("</svg>")
    return "".join(out)


def _names(fleet, group, count):
    """The nodes with a fault beside their rows, as far as there is room."""
    size, last = count / 55, -count
    for number, host in enumerate(group.hosts):
        verdict = fleet.verdict(host)
        if verdict != "pass" and number - last >= size:
            last = number
            place = f'x="{count + size / 3:.1f}" y="{number + 0.5 + size / 3:.1f}" font-size="{size:.2f}"'
            yield f"<text {place}>{VERDICTS[verdict][1]} {fleet.labels[host]}</text>"


def _lines(cells):
    """Cells (y, x) in order, as horizontal strokes through their middle."""
    path, index = [], 0
    while index < len(cells):
        y, x = cells[index]
        end = index + 1
        while end < len(cells) and cells[end] == (y, x + end - index):
            end += 1
        path.append(f"M{x} {y}.5h{end - index}")
        index = end
    return "".join(path)

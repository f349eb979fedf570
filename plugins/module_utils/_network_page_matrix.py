# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrices of the network page: who reaches whom.

Three ways to draw them, by what was pinged and how many there are: every NPU against every NPU; every node against
every node, with one small matrix for each phy id; and for a ring, the links from node to node.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import Counter
from html import escape

from ._network_page_model import STATES, Group, marked, ms, said, worst
from ._network_page_rails import rails, small
from ._roce_fleet_types import plural, words

# NPUs that still have room for a cell each, and nodes, before cells become a picture without letters.
NPUS_MOST = 56
NODES_MOST = 96
# Nodes of which all links in rail mode fit into a list.
LINKS_OF = 4
# Rows of links with letters in their cells, and without but not folded.
LINKS_TOLD = 24
LINKS_SHOWN = 160
# A cell as wide as that has room for its milliseconds.
TOLD_MOST = 34
# Cells of all groups together. Groups beyond that, those that are fine first, are told in a line.
CELLS_MOST = 24000


def matrices(fleet):
    """HTML of the matrix of each group, those with faults first when there are several."""
    groups = sorted(fleet.groups, key=Group.fine) if len(fleet.groups) > 1 else fleet.groups
    room, untold = CELLS_MOST, []
    for group in groups:
        if not group.pairs:
            continue
        cells = len(group.hosts) ** 2 if kind(fleet, group) in ("nodes", "small") else 2 * len(group.pairs)
        if room < cells and group is not groups[0] and group.fine():
            untold.append(group)
            continue
        room -= cells
        if len(fleet.groups) > 1:
            yield f"<h3>{escape(_group_words(group))}</h3>"
        yield from _matrix(fleet, group)
    if untold:
        yield f'<p class="summary">{len(untold)} more groups, all of them fine: '
        yield escape("; ".join(_group_words(group) for group in untold[:200])) + ".</p>"


def _group_words(group):
    if len(group.hosts) <= 4:
        return ", ".join(group.hosts)
    return f"{group.hosts[0]} to {group.hosts[-1]}, {len(group.hosts)} nodes"


def kind(fleet, group):
    """How the group is drawn: V(links), V(npus), V(nodes) or, when they are too many for letters, V(small)."""
    mode = fleet.report["mode"]
    if mode == "ring" or (mode == "rail" and len(group.hosts) <= LINKS_OF):
        return "links"
    if mode == "full" and sum(map(len, group.npus.values())) <= NPUS_MOST:
        return "npus"
    return "nodes" if len(group.hosts) <= NODES_MOST else "small"


def _matrix(fleet, group):
    drawn = kind(fleet, group)
    yield {"links": links, "npus": npu_matrix, "nodes": node_matrix, "small": small}[drawn](fleet, group)
    if drawn in ("nodes", "small") and fleet.report["mode"] == "rail":
        yield rails(fleet, group)


def _cell(fleet, way, tip, told):
    """One cell: its class, its mark, and all of it on hover."""
    css, mark, _words = STATES[way.state]
    if way.state == "ok":
        css = fleet.shade(way.avg_ms)
        mark = ms(way.avg_ms).lstrip("0") if told and way.avg_ms is not None else ""
    elif way.state == "loss" and told and way.loss_pct is not None:
        mark = f"~{way.loss_pct:.0f}%"
    return f'class={css} title="{escape(tip)}">{mark}'


def npu_matrix(fleet, group):
    """Every NPU (from, rows) against every NPU (to, columns), grouped by node."""
    ends = [(host, phy_id) for host in group.hosts for phy_id in group.npus[host]]
    ways = {(way.a, way.b): way for way in group.ways()}
    told = len(ends) <= TOLD_MOST
    heads = [host for host in group.hosts if group.npus[host]]
    out = [f'<table class="m{" told" if told else ""}" style="--n:{len(ends)}"><thead><tr>']
    out.append("<td rowspan=2 colspan=2 class=corner>from ↓ &nbsp; to →")
    for host in heads:
        name = f"{escape(host)}{marked(fleet.verdict(host))}"
        out.append(f'<th colspan={len(group.npus[host])} class="g h" title="{escape(host)}">{name}')
    out.append("<tr>")
    out += [f"<th class={_edge(group, end)}>{_npu_head(fleet, end)}" for end in ends]
    out.append("</thead><tbody>")
    for a in ends:
        first = a[1] == group.npus[a[0]][0]
        count = len(group.npus[a[0]])
        out.append("<tr class=g>" if first else "<tr>")
        if first:
            name = f"{fleet.labels[a[0]]}{marked(fleet.verdict(a[0]))}"
            out.append(f'<th rowspan={count} class=h title="{escape(a[0])}">{name}')
        out.append(f"<th>{_npu_head(fleet, a)}")
        for b in ends:
            if a[0] == b[0]:
                if first and b == (a[0], group.npus[a[0]][0]):
                    out.append(f'<td rowspan={count} colspan={count} class="g self">same node')
                continue
            way = ways.get((a, b))
            edge = " style=border-left-width:3px" if b[1] == group.npus[b[0]][0] else ""
            if way is None:
                out.append(f"<td{edge} class=o>")
            else:
                tip = f"{a[0]} phy id {a[1]} → {b[0]} phy id {b[1]}: {said(way)}"
                out.append(f"<td{edge} {_cell(fleet, way, tip, told)}")
    out.append("</tbody></table>")
    return '<div class="wide">' + "\n".join(out) + "</div>"


def _edge(group, end):
    return "g" if end[1] == group.npus[end[0]][0] else "k"


def _npu_head(fleet, end):
    css, mark, _word = fleet.mark(end)
    css, mark = ("", "") if css == "a" else (f" class={css}", mark)
    return f"<a href=#{fleet.anchor(end)}{css}>{end[1]}{mark}</a>"


def _between(group):
    """{(host, host): [way, ...]}."""
    between = {}
    for way in group.ways():
        between.setdefault((way.a[0], way.b[0]), []).append(way)
    return between


def summed(fleet, ways):
    """(class, mark, words) of all ways from one node to another."""
    states = Counter(way.state for way in ways)
    times = [way.avg_ms for way in ways if way.avg_ms is not None]
    average = sum(times) / len(times) if times else None
    at = f", {ms(average)} ms" if average is not None else ""
    state = worst(states)
    if state == "ok":
        return fleet.shade(average), "", f"{len(ways)} fine{at}"
    css, mark, _words = STATES[state]
    if state == "dead" and states["dead"] < len(ways):
        css, mark = "p", str(states["dead"])
    told = [f"{states['ok']} of {len(ways)} fine{at}"]
    for kind, (_css, _mark, what) in STATES.items():
        if kind != "ok" and states[kind]:
            ends = {way.a[1] for way in ways if way.state == kind}
            told.append(f"{words(ends)}: {what}")
    return css, mark, "; ".join(told)


def node_matrix(fleet, group):
    """Every node against every node; a cell sums up their NPUs."""
    between = _between(group)
    out = [f'<table class="m nodes" style="--n:{len(group.hosts)};--c:{fleet.letters + 2}"><thead><tr>']
    out.append("<td class=corner colspan=2>from ↓ to →")
    for host in group.hosts:
        out.append(f'<th title="{escape(host)}"><span>{fleet.labels[host]}{marked(fleet.verdict(host))}</span>')
    out.append("</thead><tbody>")
    for a in group.hosts:
        verdict = fleet.verdict(a)
        css = {"fail": "h x", "warn": "h w"}.get(verdict, "h")
        out.append(
            f'<tr><th class="{css}" title="{escape(a)}">{fleet.labels[a]}{marked(verdict)}<th class=s>{strip(fleet, a)}'
        )
        for b in group.hosts:
            if a == b:
                out.append("<td class=self>")
            elif a in fleet.absent or b in fleet.absent:
                out.append("<td class=u>")
            elif (a, b) not in between:
                out.append("<td class=o>")
            else:
                css, mark, tip = summed(fleet, between[a, b])
                out.append(f'<td class={css} title="{escape(a)} → {escape(b)}: {escape(tip)}">{mark}')
    out.append("</tbody></table>")
    return '<div class="wide">' + "\n".join(out) + "</div>"


def strip(fleet, host):
    """The NPUs of a node as little boxes, those with a fault with their phy id."""
    boxes = []
    for phy_id in fleet.of_host[host]:
        css = fleet.mark((host, phy_id))[0]
        boxes.append("<i></i>" if css == "a" else f"<i class={css}>{phy_id}</i>")
    return "".join(boxes) or "no result"


def links(fleet, group):
    """A row for each two nodes that were pinged, a cell for each phy id, both ways in one; of many, those with faults
    first and the others folded."""
    between = {}
    for pair in group.pairs:
        between.setdefault((pair["host"], pair["peer"]), {}).setdefault(pair["phy_id"], []).append(pair)
    if fleet.report["mode"] != "ring":
        between = dict(sorted(between.items(), key=lambda one: [fleet.number[host] for host in one[0]]))
    bad = {hosts for hosts, pairs in between.items() if not all(map(_all_fine, pairs.values()))}
    if len(between) <= LINKS_TOLD:
        return _links(fleet, group, between, True)
    first = {hosts: pairs for hosts, pairs in between.items() if hosts in bad}
    others = {hosts: pairs for hosts, pairs in between.items() if hosts not in bad}
    out = [_links(fleet, group, first, len(first) <= LINKS_TOLD)] if first else []
    fold = "<details>" if len(others) > LINKS_SHOWN else "<details open>"
    out.append(f"{fold}<summary>{plural(len(others), 'link')} between nodes, fine on all phy ids</summary>")
    out.append(_links(fleet, group, others, False) + "</details>")
    return "\n".join(out)


def _all_fine(pairs):
    return all(pair["verdict"] == "pass" for pair in pairs)


def _links(fleet, group, between, told):
    phy_ids = group.phy_ids()
    out = [f'<div class="links{" large" if told else ""}" style="--c:{2 * fleet.letters + 4};--n:{len(phy_ids)}">']
    if told:
        out.append(f"<div class=r><b>phy id</b>{''.join(f'<i>{phy_id}</i>' for phy_id in phy_ids)}</div>")
    for (a, b), pairs in between.items():
        bad = [phy_id for phy_id in phy_ids if not _all_fine(pairs.get(phy_id, ()))]
        cells = "".join(_link(fleet, a, b, phy_id, pairs.get(phy_id, ()), told) for phy_id in phy_ids)
        note = f"<em>{words(bad)}</em>" if bad else ""
        name = f'<b title="{escape(a)} – {escape(b)}">{fleet.labels[a]} – {fleet.labels[b]}</b>'
        out.append(f"<div class={'rx' if bad else 'r'}>{name}{cells}{note}</div>")
    out.append("</div>")
    return "\n".join(out)


def _link(fleet, a, b, phy_id, pairs, told):
    """A cell; with an arrow when only one way fails."""
    if not pairs:
        return "<i class=o>–</i>" if told else "<i class=o></i>"
    pair = max(pairs, key=lambda pair: pair["verdict"] != "pass")
    there, back = pair["there"], pair["back"]
    if pair["verdict"] == "pass":
        css = fleet.shade(pair["avg_ms"])
        if not told or pair["avg_ms"] is None:
            return f"<i class={css}></i>"
        mark, tip = ms(pair["avg_ms"]).lstrip("0"), f"{ms(pair['avg_ms'])} ms"
    else:
        state = worst([there, back])
        css, mark, tip = STATES[state]
        if there != back and "ok" in (there, back):
            mark, tip = ("→", f"{tip} from {a}") if back == "ok" else ("←", f"{tip} from {b}")
        if state == "loss" and pair["loss_pct"] is not None:
            tip += f", {pair['loss_pct']:g} %"
            mark = f"{mark}{pair['loss_pct']:.0f}%" if told else mark
    return f'<i class={css} title="{escape(a)} – {escape(b)}, phy id {phy_id}: {escape(tip)}">{mark}</i>'

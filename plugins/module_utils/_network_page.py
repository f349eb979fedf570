# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a fleet's NPU network as one HTML page: what is broken and what to do, who reaches whom, every port.

Pure, and without dates or random names: the same report gives the same text, so writing it again changes nothing.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
from html import escape

from ._network_page_matrix import kind, matrices
from ._network_page_model import STATES, VERDICTS, Fleet, ms
from ._network_page_npus import fleet_map, tables
from ._network_page_style import SCRIPT, STYLE
from ._page import document
from ._roce_fleet_types import plural

# Problems that are shown at once, and at all; pairs in the list of those that are not fine.
OPEN_MOST = 24
PROBLEMS_MOST = 2000
PAIRS_MOST = 400
NAMED_PEERS = 6
_WORDS = {"pass": "All is well", "warn": "It works, with warnings", "fail": "It does not work everywhere"}


def render(report, title="NPU network"):
    """The report of L(_roce_fleet.report) as one HTML file that needs no other.

    :arg report: as M(roce_report) documents it, with all pairs. What is said in it is escaped.
    """
    fleet = Fleet(report)
    return document(title, STYLE, list(_parts(fleet, title)), SCRIPT)


def _parts(fleet, title):
    report = fleet.report
    css, mark, _word = VERDICTS[report["verdict"]]
    yield f"<header><h1>{escape(title)}</h1><mark class={css}>{mark} {_WORDS[report['verdict']]}</mark></header>"
    yield _figures(fleet)
    yield from _problems(fleet)
    yield f"<h2>Nodes and their NPUs</h2>\n{fleet_map(fleet)}"
    yield "<h2>Who reaches whom</h2>"
    if report["pairs"]:
        yield _legend(fleet)
        yield from matrices(fleet)
        yield from _bad_pairs(fleet)
    else:
        yield "<p>Nothing was pinged: there is one node only, or no NPU with an address and a peer.</p>"
    yield "<h2>NPUs</h2>\n<div id=filter hidden><label>Show only what contains <input type=search></label>"
    yield "<label><input type=checkbox> only what is not fine</label></div>"
    yield from tables(fleet)


def _figures(fleet):
    report, counts = fleet.report, fleet.report["counts"]
    severities = [problem["severity"] for problem in report["problems"]]
    bad_hosts = sum(fleet.verdict(host) == "fail" for host in fleet.hosts)
    bad_npus = sum(row["verdict"] == "fail" for row in report["npus"])
    tool = report.get("ping_tool", "ping")
    trip = f"longest {ms(fleet.times[-1])} ms" if fleet.times else ""
    tiles = [
        (str(severities.count("fail")), "to repair", f"and {plural(severities.count('warn'), 'warning')}"),
        (str(len(fleet.hosts)), "nodes", f"{bad_hosts} failed" if bad_hosts else "none failed"),
        (str(counts["npus"]), "NPUs", f"{bad_npus} failed" if bad_npus else "none failed"),
        (
            f"{counts['pairs_pass']}/{counts['pairs']}",
            "pairs fine",
            f"{counts['pairs_fail']} failed, {counts['pairs_unknown']} unknown",
        ),
        (f"{ms(fleet.median_ms)} ms" if fleet.times else "–", "median round trip", trip),
        *_bandwidth_tile(report),
        (str(report["rounds"]), f"rounds, {report['mode']}", f"{tool}, {report['seconds']:.0f} s"),
    ]
    cells = "".join(
        f"<div><b>{escape(value)}</b><span>{escape(what)}</span><small>{escape(more)}</small></div>"
        for value, what, more in tiles
    )
    return f"<div class=tiles>{cells}</div>"


def _bandwidth_tile(report):
    tests = report.get("bandwidth") or ()
    known = sorted(test["gbits"] for test in tests if test["gbits"] is not None)
    if tests:
        value = f"{known[len(known) // 2]:.0f} Gb/s" if known else "–"
        low = f"least {known[0]:.0f}, " if known else ""
        yield value, "median bandwidth", f"{low}{len(known)} of {plural(len(tests), 'test')}"


def _problems(fleet):
    problems = fleet.report["problems"]
    if not problems:
        yield "<p class=well>✓ Nothing to repair.</p>"
        return
    yield "<h2>What to repair</h2>\n<ol class=problems>"
    for number, problem in enumerate(problems[:PROBLEMS_MOST]):
        if number == OPEN_MOST:
            more = plural(len(problems) - OPEN_MOST, "more problem")
            yield f"</ol>\n<details><summary>{more}</summary>\n<ol class=problems start={OPEN_MOST + 1}>"
        yield _problem(fleet, number, problem)
    yield "</ol>" + ("\n</details>" if len(problems) > OPEN_MOST else "")
    if len(problems) > PROBLEMS_MOST:
        yield f"<p>{plural(len(problems) - PROBLEMS_MOST, 'more problem')}: the report as JSON has all.</p>"


def _problem(fleet, number, problem):
    css, mark, word = VERDICTS[problem["severity"]]
    host, ends = problem["host"], [(problem["host"], phy_id) for phy_id in problem["phy_ids"]]
    what = escape(problem["item"]) if problem["item"] != "RoCE" else ""
    if ends and ends[0] in fleet.npus:
        what = f"<a href=#{fleet.anchor(ends[0])}>{what}</a>"
    return (
        f"<li id=p{number + 1} class={css}><i>{number + 1}</i><mark class={css}>{mark} {word}</mark> "
        f"<b>{escape(host)}{': ' if what else ''}{what}</b><p>{code(_sentence(problem['problem']))}</p>"
        f"<p class=do>{code(_sentence(problem['remedy']))}</p></li>"
    )


def _sentence(text):
    text = text.rstrip(".")
    return text[:1].upper() + text[1:] + "."


def code(text):
    """Escaped, with what stands between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _legend(fleet):
    seen = {state for pair in fleet.report["pairs"] for state in (pair["there"], pair["back"])}
    kinds = {kind(fleet, group) for group in fleet.groups}
    keys = [(css, "", words) for css, words in fleet.shades()]
    if "dead" in seen:
        keys.append(("x", "×", "nothing comes back"))
        if "nodes" in kinds:
            keys.append(("p", "1", "nothing comes back from so many NPUs of two nodes"))
    keys += [(css, mark, words) for state, (css, mark, words) in STATES.items() if state in seen - {"ok", "dead"}]
    if fleet.absent or fleet.report["counts"]["pairs_unknown"]:
        keys += [("u", "", "not checked")] if "none" not in seen else []
    cells = "".join(f"<span><i class={css}>{mark}</i> {escape(words)}</span>" for css, mark, words in keys)
    return f"<div class=legend>{cells}</div>"


def _bad_pairs(fleet):
    bad = [pair for pair in fleet.report["pairs"] if pair["verdict"] != "pass"]
    if not bad:
        return
    yield f"<details><summary>{plural(len(bad), 'pair')} not fine, as a list</summary>\n<table class=pairs>"
    yield "<thead><tr><th>Round<th>From<th>To<th>There<th>Back<th>Lost<th>ms</thead><tbody>"
    for pair in bad[:PAIRS_MOST]:
        cells = [
            str(pair["round"]),
            f"{pair['host']}, phy id {pair['phy_id']}",
            f"{pair['peer']}, phy id {pair['peer_phy_id']}",
            *(_state(pair[way]) for way in ("there", "back")),
            "–" if pair["loss_pct"] is None else f"{pair['loss_pct']:g} %",
            "–" if pair["avg_ms"] is None else ms(pair["avg_ms"]),
        ]
        yield "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells)
    yield "</tbody></table>"
    if len(bad) > PAIRS_MOST:
        yield f"<p>{plural(len(bad) - PAIRS_MOST, 'more pair')}: the report as JSON has all.</p>"
    yield "</details>"


def _state(state):
    return f"{STATES[state][1]} {STATES[state][2]}".strip()

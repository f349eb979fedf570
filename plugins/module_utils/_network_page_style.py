# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks of the network page, beside those of every page, and what it does on hover and while one types.

Nothing on the page needs the script: what it shows on hover is there as tooltip, and what it filters stands in the
order of need.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

# a-e: fine, the slower the stronger. x: failed. p: some failed. l: loss. m: too long. w: warning. u: unknown. o: none.
STYLE = """
:root { color-scheme: light dark; --panel: #f4f6f8; --a: #d3ecdf; --b: #a9dbc8; --c: #7fc3ae; --d: #3f9681;
  --e: #1a5d50; --on-d: #fff; --x: #cf2a1c; --on-x: #fff; --p: #fbd3cd; --on-p: #8f1409; --l: #f5b335; --on-l: #2a1c00;
  --m: #c79be0; --w: #f9dc8c; --on-w: #3b2a00; --u1: #e4e8ed; --u2: #c3cad3; --bar: #8fc9b8; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --bg: #12161b; --ink: #e4e9ef; --soft: #a6b0bc; --line: #414b57;
  --faint: #262d36; --alarm: #ff6a56; --alarm-bg: #341917; --panel: #1a2027; --a: #1c4039; --b: #25604f; --c: #2f8a70;
  --d: #5cbf9f; --e: #b3efda; --on-d: #06120e; --x: #f0503f; --on-x: #160200; --p: #5b211b; --on-p: #ffc4bb;
  --l: #f2b544; --on-l: #241700; --m: #a779c4; --w: #6b5313; --on-w: #ffe9ad; --u1: #262d36; --u2: #3c4651;
  --bar: #2f6e5c; --link: #8cc2ff; } }
body { max-width: 1760px; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1rem; margin-bottom: .8rem; }
header h1 { margin: 0; } header mark { font-size: 1.05rem; padding: .15em .8em; }
h3 { font-size: .95rem; margin: 1.4rem 0 .4rem; }
mark { background: var(--a); color: var(--ink); border-radius: .8em; padding: .05em .55em; font-weight: bold;
  white-space: nowrap; }
mark.x { background: var(--x); color: var(--on-x); } mark.w { background: var(--w); color: var(--on-w); }
mark.l { background: var(--l); color: var(--on-l); }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; }
.tiles div { flex: 1 1 9.5rem; background: var(--panel); border-radius: 6px; padding: .5rem .9rem; }
.tiles b { display: block; font-size: 1.35rem; line-height: 1.3; white-space: nowrap; }
.tiles small { display: block; color: var(--soft); }
p.well { background: var(--a); border-radius: 6px; padding: .7rem 1rem; font-weight: bold; }
ol.problems { margin: 0; padding: 0; list-style: none; counter-reset: none; display: grid; gap: .5rem; }
ol.problems li { border-left: 5px solid var(--x); background: var(--alarm-bg); border-radius: 0 6px 6px 0;
  padding: .55rem 1rem; }
ol.problems li.w { border-left-color: var(--l); background: var(--panel); }
ol.problems i { font-style: normal; font-weight: bold; margin-right: .7rem; }
ol.problems p { margin: .25rem 0 0; max-width: 110ch; }
ol.problems p.do::before { content: "→ "; font-weight: bold; }
li:target, tr:target td { outline: 2px solid var(--link); outline-offset: -2px; }
.map { display: grid; gap: .35rem .6rem;
  grid-template-columns: repeat(auto-fill, calc(var(--c) * .46rem + var(--n) * (1.5rem + 2px) + 1.2rem)); }
.map .n { display: flex; align-items: center; gap: .4rem; padding: .2rem .3rem .2rem .5rem; border-radius: 5px;
  background: var(--panel); }
.map .n.x { outline: 2px solid var(--x); } .map .n.w { outline: 2px solid var(--l); }
.map b { font-size: .8rem; flex: 0 0 calc(var(--c) * .46rem); overflow: hidden; text-overflow: ellipsis; white-space:
  nowrap; }
.map span { display: flex; gap: 2px; } .map em { font-size: .8rem; color: var(--soft); }
.map a { width: 1.5rem; text-align: center; font-size: .75rem; line-height: 1.35rem;
  border-radius: 3px; color: var(--ink); background: var(--a); }
.map.many { gap: .2rem .3rem;
  grid-template-columns: repeat(auto-fill, calc(var(--c) * .42rem + var(--n) * (.55rem + 1px) + .5rem)); }
.map.many .n { padding: .05rem .15rem; gap: .1rem; }
.map.many b { font-size: .7rem; flex-basis: calc(var(--c) * .42rem); }
.map.many a { width: .55rem; height: .9rem; line-height: .9rem; border-radius: 1px; }
.map.many span { gap: 1px; }
.a { background: var(--a); fill: var(--a); stroke: var(--a); } .b { background: var(--b); stroke: var(--b); }
.c { background: var(--c); stroke: var(--c); }
.d { background: var(--d); color: var(--on-d); stroke: var(--d); }
.e { background: var(--e); color: var(--bg); stroke: var(--e); }
td.x, i.x, .map a.x, th a.x { background: var(--x); color: var(--on-x); font-weight: bold; }
td.p, i.p { background: var(--p); color: var(--on-p); font-weight: bold; box-shadow: inset 0 0 0 1px var(--x); }
td.l, i.l, .map a.l, th a.l { background: var(--l); color: var(--on-l); font-weight: bold; }
td.m, i.m { background: var(--m); color: #1c0b28; font-weight: bold; }
td.w, i.w, .map a.w, th a.w { background: var(--w); color: var(--on-w); font-weight: bold; }
td.u, i.u, .map a.u { background: repeating-linear-gradient(45deg, var(--u1) 0 4px, var(--u2) 4px 7px); }
td.o, i.o { background: var(--panel); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: 0 0 .7rem; font-size: .85rem; color: var(--soft); }
.legend i { display: inline-block; width: 1.5em; height: 1.5em; line-height: 1.5em; text-align: center;
  font-style: normal; vertical-align: middle; border-radius: 3px; }
.wide { overflow-x: auto; }
table.m { table-layout: fixed; width: 100%; max-width: calc(13rem + var(--n) * 3.4rem);
  min-width: calc(9rem + var(--n) * 1.15rem); border-collapse: separate; border-spacing: 0; font-size: .75rem; }
table.m td, table.m th { padding: 0; border: solid var(--bg); border-width: 1px 0 0 1px; text-align: center;
  height: 1.7rem; vertical-align: middle; overflow: hidden; }
table.m.told td { height: 2rem; }
table.m th { color: var(--ink); font-weight: normal; font-size: .75rem; }
table.m th a { color: inherit; display: block; }
table.m th a.x { color: var(--on-x); } table.m th a.w { color: var(--on-w); } table.m th a.l { color: var(--on-l); }
table.m th a[class] { border-radius: 3px; }
table.m th.h { font-weight: bold; } table.m .g, table.m tr.g > * { border-top-width: 3px; }
table.m th.g, table.m td.g { border-left-width: 3px; border-top-width: 1px; }
table.m tr.g > td { border-top-width: 3px; }
table.m td.corner { width: 9rem; color: var(--soft); font-size: .75rem; border: 0; text-align: left; }
table.m td.self { color: var(--soft); background: var(--panel); }
table.m th.h { text-overflow: ellipsis; white-space: nowrap; }
table.m.nodes { max-width: calc(20rem + var(--n) * 1.5rem); min-width: calc(12rem + var(--n) * .8rem); }
table.m.nodes td, table.m.nodes tbody th { height: 1.05rem; font-size: .7rem; line-height: 1; }
table.m.nodes td.corner { width: 15rem; vertical-align: bottom; }
table.m.nodes thead th { height: calc(var(--c) * .45rem + .4rem); vertical-align: bottom; }
table.m.nodes thead th span { writing-mode: vertical-rl; transform: rotate(180deg);
  line-height: 1rem; white-space: nowrap; }
table.m.nodes th.h { text-align: right; padding-right: .4rem; white-space: nowrap; font-weight: normal; width: 6.5rem; }
table.m.nodes th.h.x, table.m.nodes th.h.w { font-weight: bold; }
table.m.nodes th.s { text-align: left; width: 8.5rem; white-space: nowrap; line-height: 1; }
th.s i { display: inline-block; min-width: .6rem; height: .8rem; line-height: .8rem; margin-right: 1px;
  font-style: normal; font-size: .65rem; text-align: center; background: var(--a); vertical-align: top; margin-top:
  .12rem; }
th.s i.x { background: var(--x); color: var(--on-x); } th.s i.l { background: var(--l); color: var(--on-l); }
th.s i.w { background: var(--w); color: var(--on-w); } th.s i:not(:empty) { font-weight: bold; }
.rails { display: grid; grid-template-columns: repeat(auto-fill, minmax(max(8rem, min(24%, var(--n) * .5rem)), 1fr));
  gap: 1rem; }
figure { margin: 0; } figure svg { display: block; width: 100%; height: auto; }
figure.whole { max-width: 60rem; } figcaption { font-size: .85rem; color: var(--soft); margin-top: .2rem; }
svg circle { fill: none; stroke: var(--ink); stroke-width: .5; } svg path { fill: none; stroke-width: .9; }
svg text { fill: var(--ink); }
svg path.k { stroke: #fff; stroke-width: .14; }
svg path.k.l, svg path.k.u { stroke: #000; } svg path.self { stroke: var(--line); stroke-width: .2; }
svg path.u { stroke: var(--u2); }
rect.x { fill: var(--x); } path.x { stroke: var(--x); } rect.l { fill: var(--l); } path.l { stroke: var(--l); }
rect.m { fill: var(--m); } rect.u { fill: var(--u2); } rect.o { fill: var(--panel); stroke: none; }
rect.a { stroke: none; }
.links { columns: calc(var(--c) * .43rem + var(--n) * .82rem + 1rem); column-gap: 1.5rem; }
.links .r, .links .rx { display: flex; gap: 1px; align-items: center;
  break-inside: avoid; height: 1.05rem; font-size: .72rem; }
.links b { font-weight: normal; flex: 0 0 calc(var(--c) * .6em); overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.links i { flex: 0 0 .75rem; height: .9rem; line-height: .9rem; font-style: normal; text-align: center; }
.links em { font-style: normal; font-weight: bold; color: var(--alarm); margin-left: .3rem; white-space: nowrap; }
.links .rx b { font-weight: bold; } .links.large { columns: auto; }
.links.large .r, .links.large .rx { height: 2rem; font-size: .8rem; }
.links.large i { flex: 0 1 3.6rem; height: 1.9rem; line-height: 1.9rem; }
details { border-top: 1px solid var(--line); padding: .25rem 0; } summary { cursor: pointer; padding: .15rem 0; }
details[open] { padding-bottom: 1rem; } table.pairs { max-width: 70rem; font-size: .85rem; }
table.npus { font-size: .85rem; white-space: nowrap; }
table.npus th, table.npus td { padding: .25rem .7rem .25rem .3rem; }
table.npus tr.host th { font-size: .95rem; color: var(--ink); padding-top: 1rem; font-weight: normal; }
table.npus u { text-decoration: none; font-weight: bold; } table.npus small { color: var(--soft); }
table.npus td.x small, table.npus td.w small { color: inherit; }
table.npus td { height: 1.2rem; vertical-align: middle; }
td s { display: inline-block; position: relative; width: 4.5rem; height: .5rem; margin: 0 .4rem; border-radius: 2px;
  background: linear-gradient(90deg, var(--p) 0 var(--l), var(--bar) var(--l) 100%); }
td s::after { content: ""; position: absolute; left: calc(var(--v) - 2px); top: -.2rem; width: 4px; height: .9rem;
  background: var(--ink); border-radius: 1px; }
#filter label { margin-right: 1.5rem; } #filter input[type=search] { font: inherit; width: 18rem; max-width: 60vw; }
#tip { position: absolute; z-index: 2; max-width: 34rem; padding: .3rem .6rem; border-radius: 4px; pointer-events: none;
  background: var(--ink); color: var(--bg); font-size: .85rem; }
table.m .on { outline: 2px solid var(--ink); outline-offset: -2px; }
@media print {
.map, .legend, mark, td, i, s { print-color-adjust: exact; } }
"""

SCRIPT = r"""
(() => {
  const tip = document.createElement("div");
  tip.id = "tip"; tip.hidden = true; document.body.append(tip);
  let marked = [];
  document.addEventListener("mouseover", event => {
    for (const head of marked) head.classList.remove("on");
    marked = [];
    const at = event.target.closest("table.m td, .map a, .links i");
    tip.hidden = true;
    if (!at) return;
    if (at.title) { at.dataset.t = at.title; at.removeAttribute("title"); }
    const box = at.getBoundingClientRect();
    if (at.dataset.t) {
      tip.textContent = at.dataset.t; tip.hidden = false;
      const right = document.documentElement.clientWidth - tip.offsetWidth - 8;
      tip.style.left = scrollX + Math.max(8, Math.min(box.left, right)) + "px";
      tip.style.top = scrollY + box.bottom + 6 + "px";
    }
    const table = at.closest("table.m");
    if (!table || !at.dataset.t) return;
    const middle = box.left + box.width / 2;
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells].filter(head => {
      const own = head.getBoundingClientRect(); return own.left <= middle && middle < own.right;
    });
    marked = [...heads, ...at.parentNode.querySelectorAll("th:not([rowspan])")];
    for (const head of marked) head.classList.add("on");
  });
  const filter = document.getElementById("filter");
  const [words, bad] = filter.querySelectorAll("input");
  const nodes = [...document.querySelectorAll("table.npus tbody")].map(node => {
    const name = node.querySelector("b").textContent;
    return [node, [...node.querySelectorAll("tr[id]")].map(row => [row, (name + " " + row.textContent).toLowerCase()])];
  });
  const folds = [...document.querySelectorAll("details")].filter(fold => fold.querySelector("table.npus"));
  filter.hidden = false;
  let later;
  filter.addEventListener("input", () => { clearTimeout(later); later = setTimeout(() => {
    const wanted = words.value.trim().toLowerCase(), any = wanted || bad.checked;
    let seen = 0;
    for (const [node, rows] of nodes) {
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !text.includes(wanted) || (bad.checked && !row.className);
        shown += !row.hidden;
      }
      node.hidden = any && !shown;
      if (shown && node.closest("details")) seen += shown;
    }
    for (const fold of folds) fold.open = any && seen && seen < 2000;
  }, 150); });
})();
"""

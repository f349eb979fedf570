# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A placement as something to look at: what lies on which chip, as values, as a table and as an HTML page.

Pure, and without dates or random names: the same plan gives the same text, so writing it again changes nothing.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html import escape

from . import _plan_sizing
from ._page import document
from ._plan_style import STYLE
from ._plan_svg import draw, fill_of, gigabytes, ids_text
from ._vnpu_templates import template_set

WHOLE, SLICE, DYNAMIC, SHARE, STRANGER = "whole", "slice", "dynamic", "share", "stranger"


@dataclass(frozen=True)
class Service:
    """A service of the plan. ``tag`` is its number in the picture, from 1; ``where`` one text for each host."""

    tag: int
    name: str
    engine: str
    model: str
    url: str
    where: tuple
    memory_gb: float


@dataclass(frozen=True)
class Part:
    """What lies on a chip: a service, or (STRANGER) a vNPU that is there and belongs to no service of the plan.

    ``vnpu_id`` is the id of a slice that exists already; None for one that is still to be carved, and for one that the
    Ascend runtime cuts when its container starts (DYNAMIC).
    """

    kind: str
    memory_gb: float
    service: Service | None = None
    template: str | None = None
    vnpu_id: int | None = None
    note: str = ""


@dataclass
class Chip:
    chip_id: int | None
    name: str
    memory_gb: float
    parts: list = field(default_factory=list)

    @property
    def free_gb(self):
        return max(0.0, self.memory_gb - sum(part.memory_gb for part in self.parts))


@dataclass
class Npu:
    npu_id: int
    name: str
    health: str
    chips: list

    @property
    def used(self):
        return any(chip.parts for chip in self.chips)


@dataclass
class Node:
    name: str
    address: str | None
    npus: list

    @property
    def memory_gb(self):
        return sum(chip.memory_gb for npu in self.npus for chip in npu.chips)

    @property
    def free_gb(self):
        return sum(chip.free_gb for npu in self.npus for chip in npu.chips)

    @property
    def idle(self):
        """NPUs on which nothing lies."""
        return [npu for npu in self.npus if not npu.used]


@dataclass
class Plan:
    """``bound`` is the number of NPUs below which no placement can go, or None where nobody worked it out.

    ``superfluous`` counts slices that were carved for a service and that no service gets any more. ``sizing`` is what
    was worked out for services that did not say how much they need.
    """

    title: str
    nodes: list
    services: list
    problems: list
    used: int
    bound: int | None
    optimal: bool
    superfluous: int = 0
    sizing: dict = field(default_factory=dict)

    @property
    def memory_gb(self):
        return sum(node.memory_gb for node in self.nodes)

    @property
    def free_gb(self):
        return sum(node.free_gb for node in self.nodes)

    def summary(self):
        """One sentence for each thing that one asks first."""
        npus = sum(len(node.npus) for node in self.nodes)
        said = [f"{self.used} of {npus} NPUs used"]
        if self.bound is not None:
            least = "no placement needs fewer" if self.optimal else f"at least {self.bound} are needed"
            said[0] += f" ({least})"
        idle = sum(len(node.idle) for node in self.nodes)
        said.append(f"{gigabytes(self.free_gb)} of {gigabytes(self.memory_gb)} memory free, {idle} NPUs idle")
        carve = sum(
            part.kind == SLICE and part.vnpu_id is None
            for node in self.nodes
            for npu in node.npus
            for chip in npu.chips
            for part in chip.parts
        )
        if carve:
            said.append(f"{carve} slice{'s' if carve > 1 else ''} to carve")
        if self.superfluous:
            said.append(f"{self.superfluous} slice{'s' if self.superfluous > 1 else ''} to take away")
        return said


def _memory_gb(chip):
    """GB of HBM, or of DDR where there is none; 0 when the tool printed neither."""
    for key in ("hbm_mb", "memory_mb"):
        if chip.get(key) and chip[key][1]:
            return round(chip[key][1] / 1024, 1)
    return 0.0


def template_gb(template, templates, chip_name, chip_gb):
    """GB of a slice: what the machine's own list says, else the published table, else the name of the template."""
    for entry in templates:
        if entry["name"] == template and entry.get("memory_gb"):
            return float(entry["memory_gb"])
    published = template_set(chip_name, int(chip_gb * 1024))
    if published and template in published.by_name:
        return float(published.by_name[template].memory_gb)
    in_name = re.search(r"_(\d+)g", template)
    return float(in_name.group(1)) if in_name else 0.0


def _carved(found):
    """{(npu, chip): [vNPU, ...]} from the C(vnpus) of an C(npu_info) result."""
    return {(entry["npu_id"], entry.get("chip_id") or 0): list(entry.get("vnpus") or []) for entry in found or []}


def _read_node(name, given, address):
    npus = {}
    for chip in sorted(given["chips"], key=lambda c: (c["npu_id"], c.get("chip_id") or 0)):
        npu = npus.setdefault(chip["npu_id"], Npu(chip["npu_id"], chip.get("name") or "", chip.get("health") or "", []))
        npu.chips.append(Chip(chip.get("chip_id"), npu.name, _memory_gb(chip)))
    return Node(name, address, list(npus.values()))


def _lay(node, given, service, placed, host):
    """Put one service on its chips of one node."""
    here = placed["nodes"][host]
    chips = {(npu.npu_id, chip.chip_id or 0): chip for npu in node.npus for chip in npu.chips}
    cut = here.get("slice")
    if cut:
        chip = chips[cut["npu_id"], cut.get("chip_id") or 0]
        found = given["carved"].get((cut["npu_id"], cut.get("chip_id") or 0), [])
        # Of equal slices the one that was carved for this service.
        own = given["ids"].get(service.name)
        right = sorted(
            (vnpu for vnpu in found if vnpu["template"] == cut["template"]), key=lambda v: v["vnpu_id"] != own
        )
        there = right[0] if right else None
        if there:
            found.remove(there)
        memory = template_gb(cut["template"], given["templates"], chip.name, chip.memory_gb)
        kind = DYNAMIC if service.name in given["reserved"] else SLICE
        note = "cut at start" if kind == DYNAMIC else ""
        chip.parts.append(Part(kind, memory, service, cut["template"], there and there.get("vnpu_id"), note))
        return
    share = placed.get("share")
    for (npu_id, _chip_id), chip in chips.items():
        if npu_id not in here["npu_ids"]:
            continue
        if share:
            chip.parts.append(Part(SHARE, share["memory_gb"], service, note=f"{share['aicore']}/10 of AICore"))
        else:
            chip.parts.append(Part(WHOLE, chip.memory_gb, service))


def _earlier(placed):
    """How many slices of each (host, NPU, chip, template) were carved for services."""
    return Counter(
        (host, part["slice"]["npu_id"], part["slice"].get("chip_id") or 0, part["slice"]["template"])
        for service in placed
        for host, part in service["nodes"].items()
        if part.get("slice")
    )


def _where(placed, host):
    here = placed["nodes"][host]
    if here.get("slice"):
        cut = here["slice"]
        chip = f" chip {cut['chip_id']}" if cut.get("chip_id") else ""
        return f"{host}: {cut['template']} of NPU {cut['npu_id']}{chip}"
    return f"{host}: NPU {ids_text(here['npu_ids'])}"


def _service_gb(placed, nodes):
    total = 0.0
    for host, here in placed["nodes"].items():
        chips = {(n.npu_id, c.chip_id or 0): c for n in nodes[host].npus for c in n.chips}
        cut = here.get("slice")
        if cut:
            at = (cut["npu_id"], cut.get("chip_id") or 0)
            total += sum(p.memory_gb for p in chips[at].parts if p.service and p.service.name == placed["name"])
        elif placed.get("share"):
            total += placed["share"]["memory_gb"] * len(here["npu_ids"])
        else:
            total += sum(chip.memory_gb for (npu, _chip), chip in chips.items() if npu in here["npu_ids"])
    return total


def read_plan(placement, nodes, title="NPU plan"):
    """Lay a placement over the chips of the nodes.

    :arg placement: what M(npu_placement) returns; of it C(services), C(reserved), C(problems),
        C(lower_bound), C(optimal) and C(sizing); beside them C(placed) as M(npu_placement) was given it.
    :arg nodes: {host: {"chips": [...], "vnpus": [...], "templates": [...]}} as returned by M(npu_info); the last two
        may be missing.
    :returns: a Plan.
    :raises KeyError: when the placement names a host or an NPU that C(nodes) does not have.
    """
    services = placement.get("services") or []
    addresses = {host: part.get("address") for placed in services for host, part in placed["nodes"].items()}
    drawn = {name: _read_node(name, given, addresses.get(name)) for name, given in nodes.items()}
    reserved = placement.get("reserved") or {}
    known = {
        name: {
            "carved": _carved(given.get("vnpus")),
            "templates": given.get("templates") or [],
            "ids": {
                service["name"]: service["nodes"][name]["slice"].get("vnpu_id")
                for service in placement.get("placed") or []
                if "slice" in service["nodes"].get(name, {})
            },
            "reserved": {piece["service"] for piece in reserved.get(name, [])},
        }
        for name, given in nodes.items()
    }
    shown = []
    for tag, placed in enumerate(services, 1):
        where = tuple(_where(placed, host) for host in placed["nodes"])
        label = Service(tag, placed["name"], placed["engine"], placed["model"], placed.get("url") or "", where, 0.0)
        for host in placed["nodes"]:
            _lay(drawn[host], known[host], label, placed, host)
        shown.append(Service(*[*label.__dict__.values()][:-1], memory_gb=_service_gb(placed, drawn)))
    superfluous = 0
    ours = _earlier(placement.get("placed") or [])
    for name, node in drawn.items():
        for npu in node.npus:
            for chip in npu.chips:
                place = (npu.npu_id, chip.chip_id or 0)
                staying = Counter(part.template for part in chip.parts if part.vnpu_id is not None)
                for vnpu in known[name]["carved"].get(place, []):
                    template = vnpu["template"]
                    if ours[(name, *place, template)] > staying[template]:
                        ours[(name, *place, template)] -= 1
                        superfluous += 1
                        continue
                    memory = template_gb(template, known[name]["templates"], chip.name, chip.memory_gb)
                    chip.parts.append(Part(STRANGER, memory, None, template, vnpu.get("vnpu_id")))
    used = {(host, npu) for placed in services for host, part in placed["nodes"].items() for npu in part["npu_ids"]}
    bound = placement.get("lower_bound")
    problems = [problem["sentence"] for problem in placement.get("problems") or []]
    optimal = bool(placement.get("optimal", bound is not None and len(used) <= bound))
    return Plan(
        title,
        list(drawn.values()),
        shown,
        problems,
        len(used),
        bound,
        optimal,
        superfluous,
        placement.get("sizing") or {},
    )


COLUMNS = ("#", "SERVICE", "ENGINE", "MODEL", "PLACE", "MEMORY", "ENDPOINT")


def rows(plan):
    """The services as rows of text, one for each host of a service, in the order of C(COLUMNS)."""
    for service in plan.services:
        model = service.model.rstrip("/").rsplit("/", 1)[-1]
        first = (str(service.tag), service.name, service.engine, model)
        for index, where in enumerate(service.where):
            lead = first if index == 0 else ("",) * len(first)
            yield (*lead, where, *((gigabytes(service.memory_gb), service.url) if index == 0 else ("", "")))


def table(plan):
    """The plan as lines for a terminal."""
    lines = [COLUMNS, *rows(plan)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    sized = _plan_sizing.table(plan.sizing)
    return [
        *text,
        "",
        *sized,
        *(said + "." for said in plan.summary()),
        *("PROBLEM: " + problem for problem in plan.problems),
    ]


def _services_html(plan):
    yield "<h2>Services</h2>\n<table>\n<thead><tr><th></th><th>Service</th><th>Engine</th><th>Model</th><th>Place</th>"
    yield '<th class="number">Memory</th><th>Endpoint</th></tr></thead>\n<tbody>'
    for service in plan.services:
        yield (
            f'<tr><td><span class="tag" style="background:{fill_of(service.tag)}">{service.tag}</span></td>'
            f"<td><b>{escape(service.name)}</b></td><td>{escape(service.engine)}</td>"
            f"<td><code>{escape(service.model)}</code></td><td>{'<br>'.join(map(escape, service.where))}</td>"
            f'<td class="number">{gigabytes(service.memory_gb)}</td><td><code>{escape(service.url)}</code></td></tr>'
        )
    yield "</tbody>\n</table>"


def _nodes_html(plan):
    yield "<h2>Capacity</h2>\n<table>\n<thead><tr><th>Node</th><th>Address</th><th>NPUs</th>"
    yield '<th class="number">Memory</th><th class="number">Free</th><th>Idle NPUs</th></tr></thead>\n<tbody>'
    for node in plan.nodes:
        names = " and ".join(sorted({npu.name for npu in node.npus if npu.name}))
        idle = ids_text([npu.npu_id for npu in node.idle]) or "none"
        yield (
            f"<tr><td><b>{escape(node.name)}</b></td><td>{escape(node.address or '')}</td>"
            f"<td>{len(node.npus)} × {escape(names or 'NPU')}</td>"
            f'<td class="number">{gigabytes(node.memory_gb)}</td><td class="number">{gigabytes(node.free_gb)}</td>'
            f"<td>{idle}</td></tr>"
        )
    yield "</tbody>\n</table>"


def page(plan):
    """The plan as one HTML file that needs no other."""
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in plan.problems)
    parts = [
        f'<h1>{escape(plan.title)}</h1>\n<p class="summary">{escape(". ".join(plan.summary()))}.</p>',
        f'<ul class="problems">{problems}</ul>' if problems else "",
        f"<figure>\n{draw(plan, header=False)}</figure>",
        *_services_html(plan),
        *_plan_sizing.html(plan.sizing),
        *_nodes_html(plan),
    ]
    return document(plan.title, STYLE, parts)


def picture(plan):
    """The plan as one SVG file, with title and summary."""
    return draw(plan, header=True)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a Plan of C(_plan_page) as SVG: nodes, their NPUs to the scale of their memory, and what lies in them.

Every service has a colour and a number, since colours repeat in a large fleet and not everybody sees them.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

INK, SOFT, LINE, FREE = "#1c2430", "#46505e", "#7a8694", "#f4f6f8"
FONT = 'Arial, Helvetica, "DejaVu Sans", sans-serif'
# Light enough for dark text, and apart from each other in hue and in lightness.
_FILLS = (
    "#9ecbf5",
    "#f9cf8f",
    "#a9dcb0",
    "#e3b5e8",
    "#f4a7a1",
    "#a5e0e0",
    "#d9d67f",
    "#c3bdf2",
    "#f3bcd3",
    "#c9b59b",
    "#8fc4b4",
    "#d3e8a8",
)
NPUS_IN_A_ROW = 8


def fill_of(tag):
    """Colour of the service with this number."""
    return _FILLS[(tag - 1) % len(_FILLS)]


def gigabytes(value):
    """«32 GB», without a fraction that says nothing."""
    return f"{round(value, 1):g} GB" if value < 10000 else f"{value / 1024:.1f} TB"


def ids_text(ids):
    """NPU ids in short: [0, 1, 2, 3, 6] is «0-3, 6»."""
    runs = []
    for number in sorted(ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


@dataclass(frozen=True)
class _Size:
    """Pixels: of an NPU, of its chips' full height, of letters; and how many nodes stand side by side."""

    npu: int
    gap: int
    height: int
    letter: float
    columns: int


def _size(nodes):
    if nodes <= 3:
        return _Size(134, 10, 190, 12, 1)
    if nodes <= 24:
        return _Size(70, 5, 92, 10, 2)
    return _Size(34, 4, 56, 9, 4)


# Widths of Arial's letters in parts of their size, rounded up; what is not named is 0.56.
_WIDTHS = {
    letter: wide
    for letters, wide in (("ijl.,:;'|!", 0.28), ("frt-()I/ ", 0.34), ("mMW", 0.9), ("w·…", 0.75))
    for letter in letters
}


def _width(text, letter, bold=False):
    """Pixels that a text takes in Arial, within a few percent."""
    em = sum(_WIDTHS.get(char, 0.7 if char.isupper() else 0.56) for char in text)
    return em * letter * (1.07 if bold else 1)


def _fit(text, width, letter, bold=False):
    """The text, cut to the width with an ellipsis; empty when not even three letters have room."""
    if _width(text, letter, bold) <= width:
        return text
    for keep in range(len(text) - 1, 2, -1):
        short = text[:keep].rstrip("-_. ·") + "…"
        if _width(short, letter, bold) <= width:
            return short
    return ""


def _text(x, y, text, letter, bold=False, ink=INK, anchor="start", halo=None):
    if not text:
        return ""
    weight = ' font-weight="bold"' if bold else ""
    # A rim in the colour behind keeps letters readable where they cross the border of an NPU.
    rim = f' stroke="{halo}" stroke-width="4" paint-order="stroke" stroke-linejoin="round"' if halo else ""
    at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{letter:g}" fill="{ink}"{weight}{at}{rim}>{escape(text)}</text>\n'


def _box(x, y, width, height, fill, stroke=LINE, extra=""):
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" '
        f'stroke="{stroke}"{extra}/>\n'
    )


def _badge(x, y, tag, letter):
    """The number of a service in a white disc; x, y is its middle."""
    radius = letter * 0.78 if tag < 100 else letter
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#fff" stroke="{LINE}"/>\n' + _text(
        x, y + letter * 0.34, str(tag), letter * 0.92, bold=True, anchor="middle"
    )


def _model(service):
    return service.model.rstrip("/").rsplit("/", 1)[-1]


def _tooltip(part, place):
    if part.service is None:
        return f"{place}: {part.template}, vNPU {part.vnpu_id}, of no service in this plan"
    lines = [place, f"{part.service.name} ({part.service.engine}), {_model(part.service)}"]
    if part.template:
        state = f"vNPU {part.vnpu_id}" if part.vnpu_id is not None else part.note or "to be carved"
        lines.append(f"{part.template}, {gigabytes(part.memory_gb)}, {state}")
    else:
        lines.append(f"{gigabytes(part.memory_gb)} {part.note}".rstrip())
    return "\n".join(lines)


def _label(x, y, width, height, part, letter, npus=1, npu_gb=None):
    """Number, name and details of a part, as many lines as have room."""
    fill = fill_of(part.service.tag)
    inner = width - letter
    line = letter * 1.35
    badge_room = letter * 1.9
    if height < letter * 1.5:
        return _badge(x + letter * 0.95, y + height / 2, part.service.tag, min(letter, height * 0.6))
    details = [part.template] if part.template else []
    if not part.template:
        size = gigabytes(npu_gb or part.memory_gb)
        details += [
            f"{part.service.engine} · {_model(part.service)}",
            f"{npus} × {size}" if npus > 1 else size,
            part.note,
        ]
    elif part.vnpu_id is not None:
        details.append(f"vNPU {part.vnpu_id}")
    else:
        details.append(gigabytes(part.memory_gb) + (f" · {part.note}" if part.note else ""))
    name = _fit(part.service.name, inner - badge_room, letter, bold=True)
    top = y + letter * 1.45
    drawn = _badge(x + letter * 1.15, top - letter * 0.34, part.service.tag, letter)
    drawn += _text(x + letter * 0.6 + badge_room, top, name, letter, bold=True, halo=fill)
    small = letter * 0.9
    for detail in details:
        top += line
        shown = _fit(detail, inner - 2, small) if detail else ""
        if top > y + height - letter * 0.3 or not shown:
            continue
        drawn += _text(x + letter * 0.6, top, shown, small, ink=INK, halo=fill)
    return drawn


class _Drawing:
    def __init__(self, plan):
        self.plan = plan
        self.size = _size(len(plan.nodes))
        most = max((chip.memory_gb for n in plan.nodes for npu in n.npus for chip in npu.chips), default=0)
        self.pixels_per_gb = self.size.height / most if most else 0
        self.head = self.size.letter * 2.7
        self.title_row = self.size.letter * 1.7

    def chip_height(self, chip):
        return chip.memory_gb * self.pixels_per_gb or self.size.height

    def rows_of(self, node):
        return [node.npus[i : i + NPUS_IN_A_ROW] for i in range(0, len(node.npus), NPUS_IN_A_ROW)]

    def node_size(self, node):
        width = min(NPUS_IN_A_ROW, max(1, len(node.npus))) * (self.size.npu + self.size.gap) + self.size.gap * 2
        heights = [max(self.chip_height(c) for npu in row for c in npu.chips) for row in self.rows_of(node)]
        return width, self.head + sum(height + self.title_row + self.size.gap for height in heights) + self.size.gap

    def node(self, node, x, y):
        size = self.size
        width, height = self.node_size(node)
        out = _box(x, y, width, height, "#fff", "#b4bdc8", ' rx="8"')
        out += _text(x + size.gap * 1.6, y + size.letter * 1.75, node.name, size.letter * 1.2, bold=True)
        kinds = " and ".join(sorted({npu.name for npu in node.npus if npu.name}))
        sizes = " and ".join(
            gigabytes(total) for total in sorted({sum(c.memory_gb for c in npu.chips) for npu in node.npus})
        )
        dies = max((len(npu.chips) for npu in node.npus), default=1)
        about = f"{len(node.npus)} × {kinds or 'NPU'}, {sizes} each" + (f" in {dies} chips" if dies > 1 else "")
        taken = gigabytes(node.free_gb) + " free"
        right = x + width - size.gap * 1.6
        out += _text(right, y + size.letter * 1.75, taken, size.letter, ink=SOFT, anchor="end")
        start = x + size.gap * 1.6 + _width(node.name, size.letter * 1.2, bold=True) + size.letter
        out += _text(
            start,
            y + size.letter * 1.75,
            _fit(about, right - _width(taken, size.letter) - start - size.letter, size.letter),
            size.letter,
            ink=SOFT,
        )
        top = y + self.head
        for row in self.rows_of(node):
            out += self.row(node, row, x + size.gap * 1.5, top)
            top += max(self.chip_height(c) for npu in row for c in npu.chips) + self.title_row + size.gap
        return out

    def row(self, node, npus, x, y):
        """NPUs side by side. A service on neighbouring whole NPUs is one field of colour with one label."""
        size = self.size
        step = size.npu + size.gap
        top = y + self.title_row
        out, borders, labels = "", "", ""
        run = []
        for index, npu in enumerate(npus):
            left = x + index * step
            well = npu.health in ("OK", "")
            title = f"NPU {npu.npu_id}" if size.npu > 40 else str(npu.npu_id)
            if not well:
                title += f" {npu.health}"
            out += _text(
                left + size.npu / 2,
                y + self.title_row - size.letter * 0.45,
                title,
                size.letter,
                bold=not well,
                ink=SOFT if well else "#a01c15",
                anchor="middle",
            )
            owner = self.whole_owner(npu)
            height = max(self.chip_height(chip) for chip in npu.chips)
            if owner is None:
                out += self.chips(node, npu, left, top)
            else:
                neighbour = run and run[-1][0].service == owner.service and run[-1][1] == left - step
                joined = neighbour and run[-1][2] == height
                # One pixel more, or a seam would show.
                from_x = left - size.gap - 1 if joined else left
                place = f"{node.name}, NPU {npu.npu_id}"
                out += f"<g><title>{escape(_tooltip(owner, place))}</title>"
                out += (
                    _box(from_x, top, left + size.npu - from_x, height, fill_of(owner.service.tag), "none") + "</g>\n"
                )
                if not joined:
                    run = []
                run.append((owner, left, height))
                after = npus[index + 1] if index + 1 < len(npus) else None
                goes_on = after is not None and self.whole_owner(after) is not None
                if not (goes_on and self.whole_owner(after).service == owner.service):
                    first = run[0][1]
                    across = left + size.npu - first
                    frame = _box(first, top, across, height, "none", LINE, ' rx="3"')
                    borders += frame + "".join(self.space_between(x, top, height) for _o, x, _h in run[1:])
                    memory = sum(chip.memory_gb for chip in npu.chips)
                    labels += _label(first, top, across, height, owner, size.letter, len(run), memory)
                    run = []
            if not well:
                borders += _box(left, top, size.npu, height, "none", "#a01c15", ' rx="3" stroke-width="2"')
        return out + borders + labels

    def space_between(self, x, top, height):
        """What parts two NPUs of one service, below its label, which may run over both."""
        start = top + min(self.size.letter * 4.6, height * 0.85)
        path = f"M{x - self.size.gap:.1f} {top + height + 1:.1f}V{start:.1f}H{x:.1f}V{top + height + 1:.1f}"
        return f'<path d="{path}" fill="#fff" stroke="{LINE}"/>\n'

    @staticmethod
    def whole_owner(npu):
        """The part that has the NPU for itself, or None."""
        parts = [part for chip in npu.chips for part in chip.parts]
        alone = len(parts) == len(npu.chips) and all(part.kind == "whole" for part in parts)
        return parts[0] if alone and len({part.service.name for part in parts}) == 1 else None

    def chips(self, node, npu, x, y):
        """The chips of an NPU side by side, each with its parts from the bottom up, and what is free above them."""
        size = self.size
        width = size.npu / len(npu.chips)
        out = ""
        for index, chip in enumerate(npu.chips):
            left = x + index * width
            full = self.chip_height(chip)
            place = f"{node.name}, NPU {npu.npu_id}" + (f" chip {chip.chip_id}" if len(npu.chips) > 1 else "")
            out += _box(left, y, width, full, FREE, LINE)
            bottom = y + full
            for part in sorted(chip.parts, key=lambda p: (-p.memory_gb, -p.service.tag if p.service else 0)):
                height = min(part.memory_gb * self.pixels_per_gb or size.letter * 2, bottom - y)
                bottom -= height
                out += f"<g><title>{escape(_tooltip(part, place))}</title>"
                if part.service is None:
                    out += _box(left, bottom, width, height, "url(#stranger)")
                    label = _fit(part.template, width - size.letter, size.letter * 0.9)
                    if height >= size.letter * 1.5:
                        out += _text(left + 6, bottom + size.letter * 1.4, label, size.letter * 0.9, halo="#eceff2")
                else:
                    dashes = ' stroke-dasharray="4 3"' if part.kind == "share" else ""
                    out += _box(left, bottom, width, height, fill_of(part.service.tag), LINE, dashes)
                    out += _label(left, bottom, width, height, part, size.letter)
                out += "</g>\n"
            free = bottom - y
            if free >= size.letter * 1.5 and chip.free_gb:
                words = ("free", gigabytes(chip.free_gb)) if free > size.letter * 3.2 else (gigabytes(chip.free_gb),)
                at = y + free / 2 + size.letter * 0.35 - (len(words) - 1) * size.letter * 0.65
                for word in words:
                    shown = word if _width(word, size.letter * 0.9) <= width else ""
                    out += _text(left + width / 2, at, shown, size.letter * 0.9, ink=SOFT, anchor="middle")
                    at += size.letter * 1.3
        return out

    def legend(self, x, y, width):
        """Every service with its colour and number, in columns; then what the other fillings mean."""
        letter = 12
        columns = max(1, int((width + 16) // 300))
        column = (width + 16) / columns
        row = letter * 3.3
        out = ""
        for index, service in enumerate(self.plan.services):
            left, top = x + index % columns * column, y + index // columns * row
            out += _box(left, top, 30, 26, fill_of(service.tag), LINE, ' rx="4"')
            out += _badge(left + 15, top + 13, service.tag, letter)
            room = column - 16 - 38
            name = _fit(service.name, room, letter, bold=True)
            engine = _fit(f"{service.engine} · {_model(service)}", room - _width(name, letter, bold=True) - 8, 11)
            out += (
                f'<text x="{left + 38:.1f}" y="{top + 10:.1f}" font-size="{letter}" fill="{INK}">'
                f'<tspan font-weight="bold">{escape(name)}</tspan>'
                f'<tspan dx="8" font-size="11" fill="{SOFT}">{escape(engine)}</tspan></text>\n'
            )
            where = service.where[0].split(": ", 1)[-1] if len(self.plan.nodes) == 1 else "; ".join(service.where)
            if len(service.where) > 1 and _width(where, 11) > room:
                hosts = [text.split(": ", 1) for text in service.where]
                same = len({place for _host, place in hosts}) == 1
                where = f"{len(hosts)} nodes from {hosts[0][0]}" + (f": {hosts[0][1]}" if same else "")
            out += _text(left + 38, top + 25, _fit(where, room, 11), 11, ink=SOFT)
        below = y + -(-len(self.plan.services) // columns) * row
        kinds = {part.kind for n in self.plan.nodes for npu in n.npus for chip in npu.chips for part in chip.parts}
        keys = [(FREE, "", "free")] if self.plan.free_gb else []
        if "stranger" in kinds:
            keys.append(("url(#stranger)", "", "vNPU that is there now, of no service in this plan"))
        if "share" in kinds:
            keys.append(("#fff", ' stroke-dasharray="4 3"', "time share of an NPU"))
        for fill, extra, words in keys:
            out += _box(x, below, 30, 16, fill, LINE, extra) + _text(x + 38, below + 12, words, 11, ink=SOFT)
            x += 38 + _width(words, 11) + 24
        return out, below + (24 if keys else 0)


_PATTERN = (
    '<defs><pattern id="stranger" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="8" height="8" fill="#eceff2"/><rect width="3" height="8" fill="#c6ced7"/></pattern></defs>\n'
)


def draw(plan, header):
    """The plan as an SVG document that needs no other file.

    :arg plan: a Plan of C(_plan_page).
    :arg header: whether title and summary are part of the picture.
    """
    drawing = _Drawing(plan)
    gap = 16
    # A page has a margin of its own.
    margin = 20 if header else 1
    columns = min(drawing.size.columns, max(1, len(plan.nodes)))
    sizes = [drawing.node_size(node) for node in plan.nodes]
    column_width = max((width for width, _height in sizes), default=400)
    width = max(column_width * columns + gap * (columns - 1) + margin * 2, 640)
    y, body = margin, ""
    if header:
        body += _text(margin, y + 18, _fit(plan.title, width - 2 * margin, 20), 20, bold=True)
        body += _text(margin, y + 40, ". ".join(plan.summary()) + ".", 13, ink=SOFT)
        y += 58
        for problem in plan.problems:
            body += _text(margin, y + 8, _fit(problem, width - 2 * margin, 12), 12, bold=True, ink="#a01c15")
            y += 20
    for start in range(0, len(plan.nodes), columns):
        line = plan.nodes[start : start + columns]
        for index, node in enumerate(line):
            body += drawing.node(node, margin + index * (column_width + gap), y)
        y += max(height for _width_, height in sizes[start : start + columns]) + gap
    key, bottom = drawing.legend(margin, y + 4, width - 2 * margin)
    height = bottom + margin
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{escape(FONT)}" role="img">\n'
        f"<title>{escape(plan.title)}</title>\n{_PATTERN}"
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}{key}</svg>\n'
    )

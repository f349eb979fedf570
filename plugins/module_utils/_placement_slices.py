# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which chip each service with C(vnpu) gets its slice from.

A service holds one slice and so one host, the one chosen of its C(hosts). An NPU is either cut or whole. Slices that
stand on a machine and are nobody's in this placement keep their room. Slices that the Ascend runtime cuts at the start
of a container (C(dynamic)) never share an NPU with standing ones (MindCluster, "mounting vNPUs").

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import Counter

from ._npu_model import family as chip_family
from ._placement_bound import fits, minus
from ._placement_nodes import memory_total_mb
from ._placement_pack import Family, Item, Slot, pack
from ._sizing import estimate
from ._vnpu import COMPARED, Capacity, Template, capacity_of, choose, template_set

# For a resource that is not known, and so not compared.
_UNLIMITED = 10**6
# Sizes that cards are sold with, in GB. What is printed is less by what the driver keeps: 43 of 48, 21 of 24.
_CARD_SIZES = (8, 16, 24, 32, 48, 64, 96, 112, 128, 144, 192, 256)
_WORDS = {"aicore": "AICore", "aicpu": "AICPU"}


def card_size_gb(chip):
    """The size the card is sold with; None when the tool did not print its memory."""
    total = memory_total_mb(chip)
    return total and next((size for size in _CARD_SIZES if size * 1024 >= total), total // 1024)


class Chip:
    """One chip that can be cut: its family for the packer and its templates by name."""

    __slots__ = ("family", "templates", "rows")

    def __init__(self, family, templates, rows):
        self.family = family
        self.templates = templates
        self.rows = rows


def cuttable(node):
    """The chips of a node that can be cut, and why others cannot.

    :returns: ({(NPU ID, chip ID): Chip}, reason or None). What the machine prints outranks the published tables.
    """
    told = {(entry["npu_id"], entry.get("chip_id") or 0): entry for entry in node.vnpus}
    sizes = sorted({card_size_gb(chip) or 0 for chips in node.chips.values() for chip in chips})
    if len(sizes) > 1:
        return {}, f"it has cards of {' and '.join(map(str, sizes))} GB, a server with slices must have one size"
    found = {}
    for npu, chips in node.chips.items():
        for chip in chips:
            key = (npu, chip["chip_id"] or 0)
            entry = told.get(key, {})
            if entry.get("supported") is False:
                continue
            resources = {name: tuple(pair) for name, pair in (entry.get("resources") or {}).items()}
            aicore = resources.get("aicore", (None, None))[1]
            published = template_set(chip["name"], memory_total_mb(chip), aicore)
            capacity = capacity_of(resources, published.capacity if published else Capacity())
            rows = node.templates or (published.templates if published else ())
            templates = {template.name: template for template in map(Template.of, rows)}
            if not templates or not capacity.aicore:
                continue
            vector = tuple(_UNLIMITED if getattr(capacity, r) is None else getattr(capacity, r) for r in COMPARED)
            # Machines may print different templates for one chip; then they are two families.
            family = Family(" ".join((chip["name"], *sorted(templates))), vector)
            found[key] = Chip(family, templates, list(entry.get("vnpus") or ()))
    return found, None if found else "its chips cannot be cut, or it is not known into what"


def need_of(template):
    return tuple(getattr(template, resource) or 0 for resource in COMPARED)


def earlier_slices(placed):
    """{service: (host, NPU ID, chip ID, template)} from the C(services) of an earlier placement."""
    found = {}
    for service in placed:
        for host, part in (service.get("nodes") or {}).items():
            piece = part.get("slice")
            if piece:
                found[service["name"]] = (host, piece["npu_id"], piece.get("chip_id") or 0, piece["template"])
    return found


class SlicePlanner:
    """Places the services with C(vnpu).

    :arg nodes: {inventory name: Node}.
    :arg whole: {(host, NPU ID): name of the service that has it whole}.
    :arg earlier: as of C(earlier_slices).
    :arg repack: whether slices of this placement may move.
    :arg refuse: called with (host, item, problem, remedy).
    """

    def __init__(self, nodes, whole, earlier, repack, refuse):
        self.nodes = nodes
        self.whole = whole
        self.earlier = earlier
        self.repack = repack
        self.refuse = refuse
        self.chips = {}
        self.why_not = {}
        self.kinds = {}  # host -> one chip of each family there
        self.choices = {}  # (family, wish) -> Template
        for host, node in nodes.items():
            self.chips[host], self.why_not[host] = cuttable(node)
            self.kinds[host] = list({chip.family: chip for chip in self.chips[host].values()}.values())
        self.wanted = {}  # service -> {host: {family: Template}}
        self.sizes = {}  # service -> what sizing found
        self.bound = 0
        self.chosen = {}  # service -> (host, NPU ID, chip ID, Template)
        self.slots = {}  # (host, NPU ID, chip ID) -> what is free
        self.mode = {}  # (host, NPU ID) -> whether its slices are dynamic
        self.strange = set()  # (host, NPU ID) with slices that are nobody's in this placement

    def run(self, services, usable):
        """Place them; C(usable) is {service: its hosts that take part}."""
        entries = {}
        for service in services:
            item = self.item(service, usable[service["name"]])
            if item is not None:
                entries[service["name"]] = (service, item)
        self.settle(entries)
        for dynamic in (False, True):
            self.place([entry for entry in entries.values() if _is_dynamic(entry[0]) == dynamic], dynamic)

    def item(self, service, hosts):
        """What the service needs of each kind of chip on its hosts; a problem where no chip can give it."""
        name, wish = service["name"], service["vnpu"]
        by_host = {}
        reasons = []
        for host in hosts:
            memory = self.memory(service, host) if "memory_gb" in wish else None
            if "memory_gb" in wish and memory is None:
                return None
            found = {}
            for chip in self.kinds[host]:
                template = self.choice(chip, wish.get("template", memory))
                if template is not None:
                    found[chip.family] = template
            if found and not (wish.get("dynamic") and self.static_only(host)):
                by_host[host] = found
            else:
                reasons.append((host, self.reason(host, wish, memory)))
        if not by_host:
            for host, (problem, remedy) in reasons:
                self.refuse(host, f"service '{name}'", problem, remedy)
            return None
        self.wanted[name] = by_host
        needs = {family: need_of(template) for found in by_host.values() for family, template in found.items()}
        return Item(name, needs, by_host, wish.get("npu_id"), wish.get("chip_id"))

    def choice(self, chip, wish):
        """The template for a name, or for a number of GB; None where the chip has none. Hundreds ask the same."""
        key = (chip.family, wish)
        if key not in self.choices:
            by_name = isinstance(wish, str)
            template = chip.templates.get(wish) if by_name else choose(wish, chip.templates.values())
            possible = template is not None and fits(need_of(template), chip.family.capacity)
            self.choices[key] = template if possible else None
        return self.choices[key]

    def memory(self, service, host):
        wish = service["vnpu"]["memory_gb"]
        if wish != "auto":
            return wish
        model = self.nodes[host].models.get(service["model"])
        item = f"service '{service['name']}'"
        if model is None:
            self.refuse(
                host,
                item,
                f"vnpu.memory_gb is auto, and nothing was read of {service['model']}",
                "give the model's config and weights in nodes, or a number",
            )
            return None
        try:
            found = estimate(model, service.get("args"))
        except ValueError as exc:
            self.refuse(host, item, f"vnpu.memory_gb is auto, and {exc}", "complete the model, or give a number")
            return None
        self.sizes[service["name"]] = found.to_dict()
        return found.memory_gb

    def static_only(self, host):
        """Chips without dynamic slices: the first 910 and cards of two 310P (MindCluster, "virtual instances")."""
        for chips in self.nodes[host].chips.values():
            kind = chip_family(chips[0]["name"])
            if kind and (kind.name == "910" or (kind.name == "310P" and len(chips) > 1)):
                return True
        return False

    def reason(self, host, wish, memory):
        """(problem, remedy) for a host none of whose chips has such a slice."""
        if self.why_not[host]:
            return f"no slice can be cut there: {self.why_not[host]}", "give whole NPUs with npus, or another host"
        names = sorted({name for chip in self.chips[host].values() for name in chip.templates})
        most = max(t.memory_gb for chip in self.chips[host].values() for t in chip.templates.values())
        if wish.get("dynamic") and self.static_only(host):
            return "its chips have no dynamic slices", "leave dynamic out"
        if "template" in wish:
            return f"template {wish['template']} is not known there", f"use one of {', '.join(names)}"
        return (
            f"it asks for a slice of {memory:g} GB, the largest template has {most} GB",
            f"lower vnpu.memory_gb to {most}, or give it a whole NPU with npus: 1",
        )

    def settle(self, entries):
        """Take the slices that stand out of what is free; let services keep, or take over, those that suit them."""
        self.slots = {
            (host, *key): chip.family.capacity for host, chips in self.chips.items() for key, chip in chips.items()
        }
        rows = [
            ((host, *key), row)
            for host, chips in sorted(self.chips.items())
            for key, chip in sorted(chips.items())
            for row in chip.rows
        ]
        before = dict(self.earlier)
        for key, row in rows:
            if row.get("service"):
                before.setdefault(row["service"], (*key, row["template"]))
        waiting = dict(entries)
        if not self.repack:
            for name, (*key, template) in sorted(before.items()):
                if name in waiting and self.keep(waiting[name], tuple(key), template):
                    del waiting[name]
        ours = Counter(before.values())
        for key, row in rows:
            template = row["template"]
            if ours[(*key, template)]:
                ours[(*key, template)] -= 1
                continue
            free_for = {} if row.get("in_use") else waiting
            heir = next((n for n in free_for if self.keep(waiting[n], key, template, heir=True)), None)
            if heir is not None:
                del waiting[heir]
                continue
            known = self.chips[key[0]][key[1:]].templates.get(template)
            # A template that nobody knows leaves nothing to be counted on.
            self.slots[key] = minus(self.slots[key], need_of(known)) if known else (0,) * len(COMPARED)
            self.strange.add(key[:2])

    def keep(self, entry, key, template, heir=False):
        """Let a service stay at a slice, or take one over that stands idle and is what it would get (C(heir))."""
        service, item = entry
        host, npu, chip_id = key
        chip = self.chips.get(host, {}).get((npu, chip_id))
        dynamic = _is_dynamic(service)
        if chip is None or (host, npu) in self.whole or (heir and dynamic):
            return False
        best = self.wanted[item.name].get(host, {}).get(chip.family)
        standing = chip.templates.get(template)
        if best is None or standing is None or item.npu not in (None, npu) or item.chip not in (None, chip_id):
            return False
        larger = "memory_gb" in service["vnpu"] and standing.memory_gb >= best.memory_gb and not heir
        if template != best.name and not larger:
            return False
        if self.mode.get((host, npu), dynamic) != dynamic or not fits(need_of(standing), self.slots[key]):
            return False
        self.slots[key] = minus(self.slots[key], need_of(standing))
        self.mode[host, npu] = dynamic
        self.chosen[item.name] = (*key, standing)
        return True

    def place(self, entries, dynamic):
        """Pack one kind of slices on the NPUs that are neither whole nor cut for the other kind."""
        slots = [
            Slot(*key, self.chips[key[0]][key[1:]].family, free)
            # NPUs that are cut already come first, so that others stay whole.
            for key, free in sorted(self.slots.items(), key=lambda entry: (entry[0][:2] not in self.strange, entry[0]))
            if key[:2] not in self.whole
            and self.mode.get(key[:2], dynamic) == dynamic
            and not (dynamic and key[:2] in self.strange)
        ]
        items = [item for _service, item in entries]
        kept = [item for item in items if item.name in self.chosen]
        rest = [item for item in items if item.name not in self.chosen]
        where, lost, bound = pack(rest, slots, kept, {self.chosen[item.name][:2] for item in kept})
        self.bound += bound
        for item in rest:
            if item.name in where:
                host, npu, chip_id = where[item.name]
                template = self.wanted[item.name][host][self.chips[host][npu, chip_id].family]
                self.chosen[item.name] = (host, npu, chip_id, template)
                self.slots[host, npu, chip_id] = minus(self.slots[host, npu, chip_id], need_of(template))
                self.mode[host, npu] = dynamic
        for service, item in entries:
            if item in lost:
                self.explain(service, item, [slot.key() for slot in slots])

    def explain(self, service, item, keys):
        """Say what is missing where it is least, and the nearest change with which the service would have room."""
        wanted = self.wanted[item.name]
        best = None
        for key in keys:
            template = wanted.get(key[0], {}).get(self.chips[key[0]][key[1:]].family)
            if template is None or item.npu not in (None, key[1]) or item.chip not in (None, key[2]):
                continue
            lacking = [(r, n, f) for r, n, f in zip(COMPARED, need_of(template), self.slots[key]) if n > f]
            score = sum((n - f) / n for _r, n, f in lacking)
            if best is None or score < best[0]:
                best = (score, key, template, lacking)
        host = item.hosts[0]
        if best is None:
            lack = (
                f"NPU {item.npu} is not there or is given out whole"
                if item.npu is not None
                else "no NPU is left to be cut"
            )
        else:
            _score, (host, npu, chip_id), template, lacking = best
            parts = " and ".join(f"{n:g} {_WORDS.get(r, r.upper())} ({max(f, 0):g} free)" for r, n, f in lacking)
            lack = f"a slice {template.name} has no room: NPU {npu} chip {chip_id}, the nearest, lacks {parts}"
        self.refuse(host, f"service '{service['name']}'", lack, self.remedy(service, item, keys))

    def remedy(self, service, item, keys):
        dynamic = _is_dynamic(service)
        smaller = []
        for host, npu, chip_id in keys:
            if host in item.hosts and item.npu in (None, npu) and item.chip in (None, chip_id):
                chip = self.chips[host][npu, chip_id]
                smaller += [
                    (template.memory_gb, template.aicore, template.name, host)
                    for template in chip.templates.values()
                    if fits(need_of(template), self.slots[host, npu, chip_id])
                ]
        for host, chips in sorted(self.chips.items()):
            if host in item.hosts and item.npu is None:
                continue
            for (npu, chip_id), chip in sorted(chips.items()):
                if (host, npu) in self.whole or self.mode.get((host, npu), dynamic) != dynamic:
                    continue
                need = item.needs.get(chip.family)
                if need is not None and fits(need, self.slots[host, npu, chip_id]):
                    return f"NPU {npu} of {host} has room: set its hosts to [{host}]" + (
                        f" and npu_id to {npu}" if item.npu is not None else ""
                    )
        if smaller:
            memory, _cores, name, host = max(smaller)
            return f"{name} ({memory} GB) would fit {host}; or take an NPU from another service"
        return "add a node, or take an NPU from another service"


def _is_dynamic(service):
    return bool(service["vnpu"].get("dynamic"))

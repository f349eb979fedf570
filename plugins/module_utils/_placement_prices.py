# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lower bound that knows which slice may use which hosts, and that every host uses whole NPUs.

Each movable slice gets a price. A host, asked for itself, uses so many NPUs that what it pays for them, less the prices
of the slices it takes, is least; what all hosts pay together plus the prices of all slices is a proven bound, whatever
the prices are (Lagrangian relaxation). A slice that many hosts want gets cheaper, one that nobody wants dearer.

Prices are whole numbers of a small unit, so that the proof is exact. Deterministic. This module util is PRIVATE to the
collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import itertools

from ._placement_bound import fits, linear, minus, patterns

# Of how many parts of an NPU the prices are multiples.
UNIT = 5040
# How often the prices are changed, at most; the less the more there is to ask.
MAX_ROUNDS = 150
MAX_ASKED = 12000
# A host with more possible sets of slices than this is only asked for what their resources add up to.
MAX_SETS = 1000
MAX_STATES = 6000
# Its own slices are shared out to chips one by one where they are so few sets at the most.
MAX_OWN_SETS = 100


class _Chips:
    """Chips of one family, and how many of them a set of slices takes at the least."""

    def __init__(self, family, chips, demand):
        self.chips = chips
        self.needs = sorted(demand)
        self.capacity = family.capacity
        self.cuts = patterns(self.capacity, self.needs)
        self.known = {(0,) * len(self.needs): 0}
        self.fillings = {}
        counts = [demand[need] for need in self.needs]
        # Sizes of the slices of which no chip can hold more than UNIT.
        sizes = [[need[r] * UNIT // cap for need in self.needs] for r, cap in enumerate(self.capacity) if cap]
        if self.cuts:
            sizes.append([int(w * UNIT) for w in linear(counts, self.cuts, [1] * len(self.cuts))[1]])
        sizes.sort(key=lambda size: -sum(s * c for s, c in zip(size, counts)))
        self.sizes = sizes[:3]

    def least(self, wanted):
        """The fewest chips for so many slices of each need."""
        if wanted not in self.known:
            first = next(k for k, count in enumerate(wanted) if count)
            self.known[wanted] = 1 + min(
                self.least(tuple(max(0, w - c) for w, c in zip(wanted, cut))) for cut in self.cuts if cut[first]
            )
        return self.known[wanted]

    def filling(self, free):
        """The largest sets of slices for what is left of a chip."""
        if free not in self.fillings:
            self.fillings[free] = patterns(free, self.needs) or []
        return self.fillings[free]


class _Place:
    """A host, or one NPU of it that somebody named: what must be there, and which classes of slices may be."""

    def __init__(self, chips, single):
        self.chips = chips
        self.single = single
        self.own = [0] * len(chips.needs)
        self.open = []  # (class, index of its need, how many of them there are)
        self.lines = None
        self.parts = None

    def prepare(self):
        """The largest sets that fit each number of NPUs, where they are few enough to be looked at."""
        limits = [0] * len(self.own)
        for _name, index, count in self.open:
            limits[index] += count
        sets = states = 1
        for limit, own in zip(limits, self.own):
            sets *= limit + 1
            states *= limit + own + 1
        if not self.chips.cuts or sets > MAX_SETS or states > MAX_STATES:
            self._share()
            return
        found = {}
        todo = [(0,) * len(limits)]
        for counts in todo:
            chips = self.chips.least(tuple(o + c for o, c in zip(self.own, counts)))
            npus = max(-(-chips // self.chips.chips), int(self.single))
            if counts in found or (self.single and npus > 1):
                continue
            found[counts] = npus
            todo += [_one_more(counts, k) for k, limit in enumerate(limits) if counts[k] < limit]
        self.lines = [
            (npus, counts)
            for counts, npus in found.items()
            if all(found.get(_one_more(counts, k), npus + 1) > npus for k in range(len(limits)))
        ]

    def _share(self):
        """{own slices: [(what a first chip with some of them has left, the others), ...]}, small sets first."""
        sets = 1
        for own in self.own:
            sets *= own + 1
        if self.single or not self.chips.cuts or not 1 < sets <= MAX_OWN_SETS:
            return
        parts = {}
        for own in itertools.product(*(range(count + 1) for count in self.own)):
            ways = {}
            for part in itertools.product(*(range(count + 1) for count in own)) if any(own) else ():
                if part[next(k for k, count in enumerate(own) if count)]:
                    left = self.chips.capacity
                    for count, need in zip(part, self.chips.needs):
                        left = minus(left, [count * n for n in need])
                    if fits((0,) * len(left), left):
                        ways[left, minus(own, part)] = None
            parts[own] = list(ways)
        self.parts = parts

    def ask(self, prices):
        """(what it pays at the least, {class: how many it takes})."""
        offers = [[] for _need in self.own]
        for name, index, count in self.open:
            offers[index].append((-prices[name], name, count))
        for offer in offers:
            offer.sort()
        if self.lines is not None:
            return self._ask_sets(offers)
        by_sizes = self._ask_sizes(offers, self.own, self.chips.chips)
        return max(by_sizes, self._ask_parts(offers), key=lambda found: found[0]) if self.parts else by_sizes

    def _ask_sets(self, offers):
        worth = _worth(offers)
        pays, counts = min(
            (npus * UNIT - sum(sums[count] for sums, count in zip(worth, counts)), counts)
            for npus, counts in self.lines
        )
        return pays, _taken(offers, counts)

    def _ask_parts(self, offers):
        """Chips with own slices are filled up, one apart from the other; all other chips are asked by sizes.

        Both by the chip: a chip of an NPU may have own slices, and the other chip of the NPU none.
        """
        worth, saved, best = _worth(offers), {}, {(0,) * len(self.own): (0, ())}

        def save(free):
            if free not in saved:
                saved[free] = max(
                    (
                        (sum(w[min(c, len(w) - 1)] for w, c in zip(worth, counts)), counts)
                        for counts in self.chips.filling(free)
                    ),
                    default=(0, ()),
                )
            return saved[free]

        for own, ways in self.parts.items():
            if ways:
                best[own] = min(
                    (UNIT // self.chips.chips - save(left)[0] + best[rest][0], (save(left)[1], rest))
                    for left, rest in ways
                )
        own = tuple(self.own)
        pays, taken = self._ask_sizes(offers, [0] * len(own), 1)
        pays, taken = pays + best[own][0], dict(taken)
        while any(own):
            counts, own = best[own][1]
            for name, count in _taken(offers, counts).items():
                taken[name] = taken.get(name, 0) + count
        return pays, taken

    def _ask_sizes(self, offers, own, step):
        """By the sizes only, the last slice in parts; so many chips (C(step)) are taken at once."""
        return max((self._ask_size(size, offers, own, step) for size in self.chips.sizes), key=lambda found: found[0])

    def _ask_size(self, size, offers, own, step):
        own = sum(s * count for s, count in zip(size, own))
        ranked = sorted(
            (
                (price / size[k] if size[k] else float("-inf"), price, name, count, size[k])
                for k, offer in enumerate(offers)
                for price, name, count in offer
                if price
            )
        )
        cost = UNIT * step // self.chips.chips
        steps = max(-(-own // (UNIT * step)), int(self.single))
        best = None
        while True:
            room, pays, taken = steps * UNIT * step - own, steps * cost, {}
            for _ratio, price, name, count, needed in ranked:
                if needed * count <= room:
                    room -= needed * count
                    pays += price * count
                    taken[name] = count
                else:
                    pays += price * room // needed
                    taken[name] = room / needed
                    break
            if best is None or pays < best[0]:
                best = (pays, taken)
            if self.single or len(taken) == len(ranked) and all(isinstance(t, int) for t in taken.values()):
                return best
            if pays > best[0]:
                # What one more can hold is worth less and less.
                return best
            steps += 1


def _worth(offers):
    """For each need what the dearest 0, 1, 2, ... slices on offer are worth together."""
    worth = []
    for offer in offers:
        sums = [0]
        for price, _name, count in offer:
            for _one in range(count):
                sums.append(sums[-1] - price)
        worth.append(sums)
    return worth


def _taken(offers, counts):
    taken = {}
    for offer, left in zip(offers, counts):
        for _price, name, count in offer:
            taken[name] = min(left, count)
            left -= taken[name]
    return taken


def _one_more(counts, k):
    return (*counts[:k], counts[k] + 1, *counts[k + 1 :])


def _places(group):
    """([_Place, ...], {class: how many slices it has}); None where a host has chips of several families."""
    if any(len(families) != 1 for families in group.families.values()):
        return None
    family_of = {host: next(iter(families)) for host, families in group.families.items()}
    named = {}
    for host, own in group.alone.items():
        for item in own:
            if item.npu is not None:
                named.setdefault(host, {}).setdefault(item.npu, []).append(item)
    demand = {}
    for item in group.members():
        for family in {family_of[host] for host in item.hosts if host in family_of}:
            if family in item.needs:
                of_family = demand.setdefault(family, {})
                of_family[item.needs[family]] = of_family.get(item.needs[family], 0) + 1
    tables, places = {}, {}
    for host, family in sorted(family_of.items()):
        if family in demand:
            # One family may be on NPUs of one chip here and of two chips there.
            chips = max(len(found) for found in group.families[host][family].values())
            if (family, chips) not in tables:
                tables[family, chips] = _Chips(family, chips, demand[family])
            table = tables[family, chips]
            for npu in (None, *sorted(named.get(host, ()))):
                places[host, npu] = _Place(table, npu is not None)
    classes = {}
    for item in group.members():
        hosts = [host for host in item.hosts if (host, None) in places and family_of[host] in item.needs]
        if len(hosts) == 1 and (item.npu is not None or hosts[0] not in named):
            place = places[hosts[0], item.npu]
            place.own[place.chips.needs.index(item.needs[family_of[hosts[0]]])] += 1
            continue
        key = (item.kind, tuple(sorted(hosts)))
        classes[key] = classes.get(key, 0) + 1
    numbers = {}
    for number, (key, count) in enumerate(sorted(classes.items(), key=lambda entry: entry[0][1:] + entry[0][:1])):
        numbers[number] = count
        needs = dict(key[0])
        for host in key[1]:
            for npu in (None, *named.get(host, ())):
                place = places[host, npu]
                place.open.append((number, place.chips.needs.index(needs[family_of[host]]), count))
    return [place for place in places.values() if place.open or any(place.own)], numbers


def least_by_prices(group, target):
    """A proven lower bound of NPUs for a group all of whose items have room.

    :arg target: NPUs that a placement uses; nothing more is looked for once this is met.
    """
    found = _places(group)
    if found is None or not found[0]:
        return 0
    places, classes = found
    for place in places:
        place.prepare()
    prices = _first_prices(places, classes)
    best, step, stale, last = None, 1.0, 0, {}
    for _round in range(max(10, min(MAX_ROUNDS, MAX_ASKED // len(places)))):
        total = sum(price * classes[name] for name, price in prices.items())
        missing = dict(classes)
        for place in places:
            pays, taken = place.ask(prices)
            total += pays
            for name, count in taken.items():
                missing[name] -= count
        if best is None or total > best:
            best, stale = total, 0
        else:
            stale += 1
        if -(-best // UNIT) >= target:
            break
        if stale > 8:
            step, stale = step / 2, 0
        last = {name: missing[name] + 0.6 * last.get(name, 0.0) for name in missing}
        length = sum(way * way for way in last.values())
        if not length:
            break
        factor = step * (target * UNIT - total) / length
        prices = {name: max(0, int(prices[name] + factor * last[name])) for name in prices}
    return -(-best // UNIT)


def _first_prices(places, classes):
    """For each class the smallest share of an NPU that one of its places would ask for."""
    prices = {}
    for place in places:
        size = place.chips.sizes[0]
        for name, index, _count in place.open:
            price = size[index] // place.chips.chips
            prices[name] = min(price, prices.get(name, price))
    return {name: prices[name] for name in classes}


__all__ = ["least_by_prices"]

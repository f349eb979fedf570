# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How few chips a set of slices can do with: the arithmetic behind "fewest NPUs", and its proof.

A chip is a vector of resources, a slice is a smaller one, and a I(pattern) is a multiset of slices that fits a chip to
which none can be added. Weights for which no pattern weighs more than the chip costs prove a lower bound: all slices
together weigh no more than the chips that hold them. The best such weights are a linear programme with as many
variables as there are kinds of slices. It is solved in floating point, and what it says is checked in fractions.

Pure. This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd

# Beyond these the answer is still a proven bound, only perhaps a weaker one.
MAX_PATTERNS = 3000
MAX_STATES = 4000
MAX_HOST_STATES = 200
MAX_PIVOTS = 2000
MAX_DENOMINATOR = 5000
# What counts as nothing in floating point.
TINY = 1e-9


def fits(need, free):
    """Whether a slice fits what is free. Both are equally long tuples of numbers."""
    return all(n <= f for n, f in zip(need, free))


def minus(free, need):
    return tuple(f - n for f, n in zip(free, need))


def plus(free, need):
    return tuple(f + n for f, n in zip(free, need))


def patterns(capacity, needs):
    """Every multiset of slices that fits a chip and to which no other slice of C(needs) can be added.

    :arg capacity: what the chip has.
    :arg needs: what each kind of slice takes; None for a kind that cannot be cut there.
    :returns: a list of tuples, how many of each kind; or None when there are more than C(MAX_PATTERNS).
    """
    found = []
    kinds = [k for k, need in enumerate(needs) if need is not None and fits(need, capacity)]

    def extend(position, free, counts):
        if len(found) > MAX_PATTERNS:
            return
        if position == len(kinds):
            if any(counts) and not any(fits(needs[k], free) for k in kinds):
                found.append(tuple(counts))
            return
        kind = kinds[position]
        most = []
        while fits(needs[kind], free):
            most.append(free)
            free = minus(free, needs[kind])
        most.append(free)
        for count in range(len(most) - 1, -1, -1):
            counts[kind] = count
            extend(position + 1, most[count], counts)
        counts[kind] = 0

    extend(0, capacity, [0] * len(needs))
    return None if len(found) > MAX_PATTERNS else found


def linear(demand, rows, costs):
    """Maximise demand·w under rows·w <= costs and w >= 0 (costs > 0).

    Solved by the simplex method in floating point. The weights are then rounded, and lowered until they hold every
    row exactly, so that the value is proven although the arithmetic was not exact.

    :returns: (best value, the weights w, both in fractions; how often each row is used in the dual, about: the chips
        cut by each pattern).
    """
    found, used = _simplex(demand, rows, costs)
    weights = [Fraction(x).limit_denominator(MAX_DENOMINATOR) if x > TINY else Fraction(0) for x in found]
    common = 1
    for weight in weights:
        common = common * weight.denominator // gcd(common, weight.denominator)
    whole = [int(weight * common) for weight in weights]
    heaviest = {}
    for row, cost in zip(rows, costs):
        heaviest[cost] = max(heaviest.get(cost, 0), sum(x * w for x, w in zip(row, whole)))
    excess = max([Fraction(1), *(Fraction(heavy, common) / cost for cost, heavy in heaviest.items())])
    weights = [weight / excess for weight in weights]
    return sum((d * weight for d, weight in zip(demand, weights)), Fraction(0)), weights, used


def _simplex(demand, rows, costs):
    """(weights, how often each row is used), in floating point. The steepest column first; Bland's rule where that
    takes long.
    """
    width = len(demand)
    table = [[*map(float, row), float(cost)] for row, cost in zip(rows, costs)]
    goal = [*(-float(x) for x in demand), 0.0]
    outside = list(range(width))
    inside = list(range(width, width + len(rows)))
    for turn in range(MAX_PIVOTS):
        better = [c for c in range(width) if goal[c] < -TINY]
        if not better:
            break
        col = min(better, key=lambda c: (goal[c], outside[c]) if turn < MAX_PIVOTS // 2 else (outside[c],))
        ratios = [(row[-1] / row[col], inside[r], r) for r, row in enumerate(table) if row[col] > TINY]
        if not ratios:
            break
        _ratio, _label, pivot = min(ratios)
        factor = table[pivot][col]
        table[pivot] = [x / factor for x in table[pivot]]
        table[pivot][col] = 1 / factor
        filled = [(c, x) for c, x in enumerate(table[pivot]) if x]
        for row in [*table[:pivot], *table[pivot + 1 :], goal]:
            times = row[col]
            if times:
                row[col] = 0.0
                for c, x in filled:
                    row[c] -= times * x
        outside[col], inside[pivot] = inside[pivot], outside[col]
    used = [0.0] * len(rows)
    for c, label in enumerate(outside):
        if label >= width:
            used[label - width] = goal[c]
    weights = [0.0] * width
    for row, label in zip(table, inside):
        if label < width:
            weights[label] = row[-1]
    return weights, used


def ceil(fraction):
    return -((-fraction.numerator) // fraction.denominator)


def _covering(demand, cuts):
    """The fewest patterns that cover the demand, exactly; None when there are too many cases."""
    states = 1
    for count in demand:
        states *= count + 1
    if states > MAX_STATES:
        return None
    # The fewest for every smaller demand, met breadth first: the first time a demand is reached is the shortest.
    came = {demand: None}
    level = [demand]
    while level:
        following = []
        for state in level:
            if not any(state):
                return _walk_back(came, state)
            first = next(k for k, count in enumerate(state) if count)
            for cut in cuts:
                if cut[first]:
                    rest = tuple(max(0, s - c) for s, c in zip(state, cut))
                    if rest not in came:
                        came[rest] = (state, cut)
                        following.append(rest)
        level = following
    return None


def _walk_back(came, state):
    taken = []
    while came[state] is not None:
        before, cut = came[state]
        taken.append(tuple(min(b, c) for b, c in zip(before, cut)))
        state = before
    return taken[::-1]


def plan(demand, capacity, needs):
    """Few chips of one kind for a demand, and how few it could be at all.

    :arg demand: how many slices of each kind.
    :returns: (patterns, one for each chip, together exactly the demand; proven lower bound in chips), or (None, bound)
        where a kind does not fit an empty chip or the cases are too many.
    """
    demand = tuple(demand)
    if not any(demand):
        return [], 0
    kinds = [k for k, count in enumerate(demand) if count]
    if any(needs[k] is None or not fits(needs[k], capacity) for k in kinds):
        return None, 0
    cuts = patterns(capacity, [needs[k] for k in kinds])
    wanted = tuple(demand[k] for k in kinds)
    if cuts is None:
        return None, volume(wanted, [needs[k] for k in kinds], capacity)
    chips = _covering(wanted, cuts)
    if chips is not None:
        return [_spread(chip, kinds, len(demand)) for chip in chips], len(chips)
    value, _weights, used = linear(wanted, cuts, [1] * len(cuts))
    chips, rest = [], wanted
    for cut, times in zip(cuts, used):
        for _chip in range(int(times + TINY)):
            chips.append(tuple(min(r, c) for r, c in zip(rest, cut)))
            rest = minus(rest, chips[-1])
    tail = _covering(rest, cuts)
    if tail is None:
        return None, ceil(value)
    return [_spread(chip, kinds, len(demand)) for chip in chips + tail if any(chip)], ceil(value)


def _spread(chip, kinds, width):
    counts = [0] * width
    for kind, count in zip(kinds, chip):
        counts[kind] = count
    return tuple(counts)


def volume(demand, needs, capacity):
    """The bound that only sums: the scarcest resource over all slices."""
    sums = [sum(d * need[r] for d, need in zip(demand, needs)) for r in range(len(capacity))]
    return max((-(-total // cap) for total, cap in zip(sums, capacity) if cap), default=0)


def npus_at_least(demand, families):
    """A proven lower bound of NPUs for slices that may be cut from NPUs of several families.

    :arg demand: how many slices of each kind.
    :arg families: [(capacity of a chip, chips of an NPU, needs of each kind or None where it cannot be cut), ...]
    :returns: NPUs; kinds that fit nowhere are not counted.
    """
    rows, costs = [], []
    for capacity, chips, needs in families:
        cuts = patterns(capacity, needs)
        if cuts is None:
            return _weakest(demand, families)
        rows += cuts
        costs += [Fraction(1, chips)] * len(cuts)
    counted = [d if any(row[k] for row in rows) else 0 for k, d in enumerate(demand)]
    if not any(counted):
        return 0
    if len(families) == 1:
        _chips, least = plan(counted, families[0][0], families[0][2])
        return -(-least // families[0][1])
    return ceil(linear(counted, rows, costs)[0])


def _weakest(demand, families):
    """With too many patterns: what the AICore alone prove (first resource), slice by slice at its cheapest."""
    total = Fraction(0)
    for kind, count in enumerate(demand):
        prices = [
            Fraction(needs[kind][0], capacity[0] * chips)
            for capacity, chips, needs in families
            if needs[kind] is not None
        ]
        if prices:
            total += count * min(prices)
    return ceil(total)


def chips_with_homes(movable, alone, capacity, chips, needs, quick=False):
    """A lower bound that knows that some slices must be cut on one host, and that hosts use whole chips.

    Whatever weights the movable slices have, as long as no chip holds more than it costs: a host pays for the chips
    that its own slices open, less the most that movable ones can weigh in what those leave free, and all movable ones
    weigh what they weigh. (Chips with movable slices alone only add to it.)

    :arg movable: how many slices of each kind may be cut on several hosts.
    :arg alone: for each host, how many of each kind must be cut there.
    :arg quick: try the weights of all slices together only, not also those of the movable ones.
    :returns: (NPUs of C(chips) chips each, the weights that prove it, for each host how its own slices share chips so
        that it pays least: a list of counts, one for each chip; None where there are too many cases).
    """
    cuts = patterns(capacity, needs)
    if not cuts:
        return 0, [], [None] * len(alone)
    price = Fraction(1, chips)
    costs = [price] * len(cuts)
    everything = [m + sum(own) for m, own in zip(movable, zip(*alone))]
    sets = [linear(everything, cuts, costs)[1]]
    if not quick:
        sets.append(linear(movable, cuts, costs)[1])
        sets.append([(a + b) / 2 for a, b in zip(*sets)])
    tries = [_weighed(movable, alone, capacity, price, needs, weights) for weights in sets]
    total, weights, shares = max(tries, key=lambda found: found[0])
    return ceil(total), weights, shares


def _weighed(movable, alone, capacity, price, needs, weights):
    heaviest = {}
    paid = {(0,) * len(needs): (Fraction(0), 0, None)}

    def weight(counts):
        return sum((count * w for count, w in zip(counts, weights) if count), Fraction(0))

    def saved(free):
        """The most that movable slices can weigh in what is left of a chip."""
        if free not in heaviest:
            heaviest[free] = max(map(weight, patterns(free, needs) or ()), default=Fraction(0))
        return heaviest[free]

    def parts(own, free, kind):
        """Every multiset of a host's own slices that fits a chip, from this kind on, with what it leaves free."""
        if kind == len(own):
            yield (), free
            return
        for count in range(own[kind] + 1):
            for rest, left in parts(own, free, kind + 1):
                yield (count, *rest), left
            if needs[kind] is None or not fits(needs[kind], free):
                return
            free = minus(free, needs[kind])

    def pays(own):
        """(price, chips, first chip) of the cheapest way to share chips, by as few of them as that allows."""
        if own not in paid:
            first = next(kind for kind, count in enumerate(own) if count)
            ways = []
            for part, left in parts(own, capacity, 0):
                if part[first]:
                    rest = pays(minus(own, part))
                    ways.append((price - saved(left) + rest[0], 1 + rest[1], part))
            paid[own] = min(ways)
        return paid[own]

    total, shares = weight(movable), []
    for own in map(tuple, alone):
        states = 1
        for count in own:
            states *= count + 1
        if states > MAX_HOST_STATES:
            total += weight(own)
            shares.append(None)
            continue
        total += pays(own)[0]
        shares.append([])
        while any(own):
            part = pays(own)[2]
            shares[-1].append(part)
            own = minus(own, part)
    return total, weights, shares

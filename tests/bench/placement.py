# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the placement of a large fleet takes, and how far it is from the fewest NPUs.

    python3 tests/bench/placement.py [--services 1000] [--nodes 256] [--seeds 3] [--random 300] [--small 40]

Each workload is placed once for warmth and then timed. "bound" is the proven lower bound of the placement itself; the
gap of each family of nodes is printed. Random instances of many shapes follow, with the distribution of their gaps;
one is allowed for each family of nodes. With ortools installed (requirements-bench.txt), small instances are solved by
CP-SAT as well, which knows nothing of patterns: one variable for each slice and chip.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from ansible_collections.npuops.ascend.plugins.module_utils._placement import Node, chips_by_npu, place_all
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import COMPARED, template_set

# Name, memory of a chip, chips of an NPU.
FAMILIES = {
    "A2 64G": ("910B4-1", 65536, 1),
    "A2 32G": ("910B4", 32768, 1),
    "300I Pro": ("310P3", 21527, 1),
    "300I Duo": ("310P3", 44280, 2),
}
# (share of services on whole NPUs, share of the slices that name one host; the others may use any node of their family)
WORKLOADS = {"one host each": (0.2, 1.0), "half and half": (0.2, 0.5), "pools": (0.2, 0.0), "only slices": (0.0, 0.3)}


def node(kind, npus=8):
    name, memory, chips = kind
    found = [
        {
            "npu_id": npu,
            "chip_id": chip,
            "phy_id": npu * chips + chip,
            "name": name,
            "hbm_mb": None if name.startswith("310P") else [0, memory],
            "memory_mb": [0, memory],
        }
        for npu in range(npus)
        for chip in range(chips)
    ]
    return Node(chips_by_npu(found), "192.0.2.1", "eth0")


def fleet(count):
    """{host: (family, Node)}, the families in equal parts."""
    names = list(FAMILIES)
    return {f"node{n}": (names[n % len(names)], node(FAMILIES[names[n % len(names)]])) for n in range(count)}


def services(rng, machines, count, whole, single):
    hosts_of = {}
    for host, (family, _node) in machines.items():
        hosts_of.setdefault(family, []).append(host)
    room = dict.fromkeys(machines, 2)
    found = []
    for n in range(count):
        family = rng.choice(list(hosts_of))
        hosts = hosts_of[family]
        service = {"name": f"s{n}", "engine": "tei", "model": "/data/models/m", "port": 10000 + n}
        host = rng.choice(hosts)
        if rng.random() < whole and room[host]:
            room[host] -= 1
            service.update(hosts=[host], npus=rng.choice((1, 1, 2)))
        else:
            kind = FAMILIES[family]
            templates = template_set(kind[0], kind[1]).templates
            wish = {"template": rng.choice(templates).name}
            if rng.random() < 0.5:
                wish = {"memory_gb": rng.choice(templates).memory_gb - rng.random()}
            service.update(hosts=[host] if rng.random() < single else hosts, vnpu=wish)
        found.append(service)
    return found


def timed(wishes, nodes):
    """(placement, seconds, seconds of CPU): on a busy machine the second says more."""
    started, cpu = time.perf_counter(), time.process_time()
    found = place_all(wishes, nodes)
    return found, time.perf_counter() - started, time.process_time() - cpu


def large(args):
    machines = fleet(args.nodes)
    nodes = {host: entry[1] for host, entry in machines.items()}
    print(
        f"{args.services} services on {args.nodes} nodes of 8 NPUs, {args.seeds} seeds; target < 2 s, gap <= 1 a family"
    )
    for title, (whole, single) in WORKLOADS.items():
        seconds, cpus, gaps, lost, used, bound = [], [], dict.fromkeys(FAMILIES, 0), 0, 0, 0
        for seed in range(args.seeds):
            wishes = services(random.Random(seed), machines, args.services, whole, single)
            place_all(wishes, nodes)
            found, took, cpu = timed(wishes, nodes)
            seconds.append(took)
            cpus.append(cpu)
            lost += len(wishes) - len(found.services)
            used += found.npus_used
            bound += found.lower_bound
            for family in FAMILIES:
                own = [w for w in wishes if machines[w["hosts"][0]][0] == family]
                alone = place_all(own, {host: nodes[host] for host in nodes if machines[host][0] == family})
                gaps[family] = max(gaps[family], alone.npus_used - alone.lower_bound)
        again = timed(wishes, nodes)
        started = time.perf_counter()
        moved = place_all(wishes, nodes, earlier=again[0].services)
        stay = time.perf_counter() - started
        assert [s["nodes"] for s in moved.services] == [s["nodes"] for s in again[0].services], "not stable"
        print(
            f"  {title:14} {max(seconds):5.2f} s, CPU {max(cpus):4.2f} s ({max(cpus) / 2:4.0%} of 2 s), "
            f"again {stay:4.2f} s; not placed {lost}; NPUs / bound {used / max(bound, 1):.4f}; worst gap "
            + ", ".join(f"{family} {gap}" for family, gap in gaps.items())
        )


def shape(rng):
    """A random fleet, and wishes for it: ({host: Node}, services, number of families)."""
    families = rng.sample(sorted(FAMILIES), rng.choice((1, 1, 1, 2, 3, 4)))
    count = max(len(families), rng.choice((1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)))
    npus = rng.choice((2, 4, 8, 8, 8, 16))
    machines = {f"node{n}": families[n % len(families)] for n in range(count)}
    hosts_of = {family: [host for host in machines if machines[host] == family] for family in families}
    chance = {
        "single": rng.choice((0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)),
        "whole": rng.choice((0, 0, 0, 0.1, 0.2)),
        "named": rng.choice((0, 0, 0, 0.1, 0.3)),
        "dynamic": rng.choice((0, 0, 0, 0.2)),
        "share": rng.choice((0, 0, 0.3)),
        "memory": rng.choice((0, 0, 0.5)),
    }
    hosts_each = rng.choice((2, 3, count))
    templates = {}
    for family in families:
        found = template_set(*FAMILIES[family][:2]).templates
        templates[family] = rng.sample(found, rng.randint(2, len(found)))
    wishes = []
    for n in range(min(260, max(2, int(count * npus * rng.choice((0.5, 1, 2)) * rng.uniform(0.3, 0.8))))):
        family = rng.choice(families)
        host = rng.choice(hosts_of[family])
        wish = {"name": f"s{n}", "engine": "tei", "model": "/m", "port": 10000 + n, "hosts": [host]}
        if rng.random() < chance["whole"]:
            wish["npus"] = rng.choice((1, 1, 2))
            if rng.random() < chance["share"]:
                wish.update(npus=1, share={"aicore": rng.randint(1, 6), "memory_gb": rng.randint(2, 8)})
        else:
            template = rng.choice(templates[family])
            pool, wish["vnpu"] = hosts_of[family], {"template": template.name}
            if rng.random() < chance["memory"]:
                pool, wish["vnpu"] = list(machines), {"memory_gb": template.memory_gb - rng.random()}
            if rng.random() < chance["dynamic"]:
                wish["vnpu"]["dynamic"] = True
            if rng.random() >= chance["single"]:
                wish["hosts"] = rng.sample(pool, min(len(pool), hosts_each))
            elif rng.random() < chance["named"]:
                wish["vnpu"]["npu_id"] = rng.randrange(npus)
        wishes.append(wish)
    return {host: node(FAMILIES[family], npus) for host, family in machines.items()}, wishes, len(families)


def varied(args):
    gaps, over, refused, cpus = {}, [], 0, []
    for seed in range(args.first, args.first + args.random):
        nodes, wishes, families = shape(random.Random(seed))
        found, _took, cpu = timed(wishes, nodes)
        cpus.append(cpu)
        if found.problems:
            refused += 1
            continue
        gap = found.npus_used - found.lower_bound
        assert gap >= 0, f"seed {seed}: bound {found.lower_bound}, used {found.npus_used}"
        gaps[gap] = gaps.get(gap, 0) + 1
        if gap > families:
            over.append((seed, gap, families))
    print(
        f"{args.random} random instances of up to 260 services and 64 nodes: gap: how many "
        + ", ".join(f"{gap}: {count}" for gap, count in sorted(gaps.items()))
        + f"; no room {refused}; more than 1 a family {len(over)} (seed, gap, families: {over}); "
        f"CPU median {sorted(cpus)[len(cpus) // 2]:.2f} s, most {max(cpus):.2f} s"
    )


def exact(wishes, nodes, limit):
    """The fewest NPUs by CP-SAT: (NPUs or None when infeasible, proven, seconds)."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    used, load = {}, {}
    for wish in wishes:
        choices = []
        for host in wish["hosts"]:
            for npu, chips in nodes[host].chips.items():
                for chip in chips:
                    table = template_set(chip["name"], (chip["hbm_mb"] or chip["memory_mb"])[1])
                    take = model.new_bool_var("")
                    npu_used = used.setdefault((host, npu), model.new_bool_var(""))
                    model.add_implication(take, npu_used)
                    load.setdefault((host, npu, chip["chip_id"], table.key), []).append(
                        (take, table.by_name[wish["vnpu"]["template"]])
                    )
                    choices.append(take)
        model.add_exactly_one(choices)
    for (host, npu, _chip, key), pairs in load.items():
        table = template_set_by_key(key)
        for resource in COMPARED:
            there = getattr(table.capacity, resource)
            if there is not None:
                total = sum(take * (getattr(template, resource) or 0) for take, template in pairs)
                model.add(total <= there * used[host, npu])
    model.minimize(sum(used.values()))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = limit
    solver.parameters.num_workers = 2
    started = time.perf_counter()
    status = solver.solve(model)
    took = time.perf_counter() - started
    if status == cp_model.INFEASIBLE:
        return None, True, took
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, False, took
    return int(solver.objective_value), status == cp_model.OPTIMAL, took


def template_set_by_key(key):
    from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import TEMPLATES

    return TEMPLATES[key]


def small(args):
    try:
        import ortools
    except ImportError:
        print("ortools is not installed (requirements-bench.txt): small instances are not compared")
        return
    print(
        f"{args.small} small instances of each kind against CP-SAT of OR-tools {ortools.__version__}, "
        f"{args.limit:g} s each"
    )
    for family, kind in FAMILIES.items():
        for hosts_count, pooled in ((1, False), (3, False), (3, True)):
            rng = random.Random(f"{family} {hosts_count} {pooled}")
            same = more = missed = unproven = bounds = 0
            ours = theirs = 0.0
            for _instance in range(args.small):
                nodes = {f"node{n}": node(kind, 4) for n in range(hosts_count)}
                wishes = []
                for n in range(rng.randint(4, 7 * hosts_count)):
                    hosts = rng.sample(sorted(nodes), rng.randint(1, hosts_count) if pooled else 1)
                    wish = {"template": rng.choice(template_set(kind[0], kind[1]).templates).name}
                    wishes.append(dict(name=f"s{n}", engine="tei", model="/m", port=10000 + n, hosts=hosts, vnpu=wish))
                found, took, _cpu = timed(wishes, nodes)
                best, proven, other = exact(wishes, nodes, args.limit)
                ours += took
                theirs += other
                if not proven:
                    unproven += 1
                elif best is None:
                    assert found.problems, "CP-SAT says infeasible"
                elif found.problems:
                    missed += 1
                else:
                    assert found.lower_bound <= best <= found.npus_used, (found.lower_bound, best, found.npus_used)
                    same += found.npus_used == best
                    more += found.npus_used - best
                    bounds += found.lower_bound == best
            kinds = "pools" if pooled else "one host each"
            total = args.small - unproven
            print(
                f"  {family:9} {hosts_count} node(s), {kinds:13}: as few NPUs {same}, {more} NPUs too many in all, "
                f"bound tight {bounds}, feasible but not placed {missed}, of {total} proven; "
                f"CP-SAT takes {theirs / ours:.0f} times as long"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--random", type=int, default=300, help="how many random instances")
    parser.add_argument("--first", type=int, default=0, help="seed of the first of them")
    parser.add_argument("--small", type=int, default=40)
    parser.add_argument("--limit", type=float, default=10, help="seconds for CP-SAT on one instance")
    args = parser.parse_args()
    if args.seeds:
        large(args)
    if args.random:
        varied(args)
    if args.small:
        small(args)


if __name__ == "__main__":
    main()

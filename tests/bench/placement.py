# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the placement of a large fleet takes, and how far it is from the fewest NPUs.

    python3 tests/bench/placement.py [--services 1000] [--nodes 256] [--seeds 3] [--small 40]

Each workload is placed once for warmth and then timed. "bound" is the proven lower bound of the placement itself; the
gap of each family of nodes is printed. With ortools installed (requirements-bench.txt), small instances are solved by
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
    parser.add_argument("--small", type=int, default=40)
    parser.add_argument("--limit", type=float, default=10, help="seconds for CP-SAT on one instance")
    args = parser.parse_args()
    large(args)
    if args.small:
        small(args)


if __name__ == "__main__":
    main()

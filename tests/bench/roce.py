# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the check of a node's NPU network takes beside the loops of the guide and its floor; and a fleet's plan.

    .venv/bin/python tests/bench/roce.py [--query 0.3] [--ping 2] [--runs 3] [--npus 8] [--tool replay|npusim]

"loops" are those which the vLLM-Ascend guide to serving over several nodes has the operator type and read; its last one
pings one NPU of another node. "hccn_check" is the module as a process of its own, first for the checks, then for the
pings of a rail plan of two nodes, as the play calls it. "floor" is the same commands for one NPU alone, one after the
other, by a shell: an NPU serves one command at a time, so nothing can be faster.

Every command takes the emulated latency. Under V(replay) it then prints what the emulator printed for it before the
measurement, and refuses a second call for the same NPU as the tool does. With V(npusim) the emulator itself runs each
time; its 0.1 s of CPU a call are then measured too, eight at a time on however few cores this machine has.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from ansible_collections.npuops.ascend.plugins.module_utils import _roce_fleet as fleet_judge
from ansible_collections.npuops.ascend.plugins.module_utils._roce_plan import Npu, plan

ROOT = Path(__file__).resolve().parents[2]
# The guide's checks of one node, in its order; `cat /etc/hccn.conf` stands between gateway and ip.
LOOPS = (
    "for i in $npus; do hccn_tool -i $i -lldp -g | grep Ifname; done",
    "for i in $npus; do hccn_tool -i $i -link -g ; done",
    "for i in $npus; do hccn_tool -i $i -net_health -g ; done",
    "for i in $npus; do hccn_tool -i $i -netdetect -g ; done",
    "for i in $npus; do hccn_tool -i $i -gateway -g ; done",
    "cat $conf",
    "for i in $npus; do hccn_tool -i $i -ip -g; done",
    "for i in $npus; do hccn_tool -i $i -ping -g address $peer; done",
    "for i in $npus; do hccn_tool -i $i -tls -g ; done | grep switch",
)
SAME_CHECKS = ("lldp", "link", "net_health", "netdetect", "gateway", "ip", "tls", "hccn_conf")
ALL_CHECKS = (
    *("lldp", "link", "net_health", "netdetect", "gateway", "ip", "tls", "speed", "mtu"),
    *("optical", "link_stat", "stat", "hccn_conf", "driver"),
)
# A tool that takes its time, serves one call for an NPU at a time, and repeats what the emulator said.
REPLAY = """#!/bin/sh
cd '{home}' || exit 1
name={name}
[ "$1" != -i ] || {{ exec 9>"lock.$2"; flock -n 9 || {{ echo 'hccn_tool is busy, please try again.'; exit 11; }}; }}
seconds={query}
for word; do [ "$word" != -ping ] || seconds={ping}; done
IFS=_
said="said/$name$*"
if [ ! -e "$said" ]; then
  IFS=' '
  '{python}' -m npusim {name} "$@" >"$said" 2>&1
  echo $? >"$said.rc"
else
  sleep "$seconds"
fi
cat "$said"
read -r status <"$said.rc"
exit "$status"
"""
DIRECT = """#!/bin/sh
exec '{python}' -m npusim {name} "$@"
"""
# The module as the node runs it: a process that imports, checks, and prints JSON.
MODULE = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.npuops.ascend.plugins.modules import hccn_check
with patch_module_args(json.loads(sys.argv[1])):
    hccn_check.main()
"""


class Bench:
    def __init__(self, home, args):
        self.home = Path(home)
        self.args = args
        self.peer = "10.77.2.10"
        self.env = dict(
            os.environ,
            LC_ALL="C.UTF-8",
            NPUSIM_STATE=str(self.home / "machine"),
            PYTHONPATH=os.pathsep.join((str(ROOT / "tests" / "lab"), str(ROOT / ".collections"))),
            PATH=f"{self.home}{os.pathsep}{os.environ['PATH']}",
            npus=" ".join(map(str, range(args.npus))),
            conf=str(self.home / "machine" / "hccn.conf"),
            peer=self.peer,
        )
        (self.home / "said").mkdir()
        (self.home / "machine").mkdir()
        direct = args.tool == "npusim"
        self._npusim("new", "atlas-800i-a2-64g", "--node", "1", "--roce", "10.77.0.0/16")
        self._npusim(
            "set", *([f"query_s={args.query}", f"ping_s={args.ping}"] if direct else ["query_s=0", "ping_s=0"])
        )
        for name in ("hccn_tool", "npu-smi"):
            path = self.home / name
            words = {"home": self.home, "name": name, "query": args.query, "ping": args.ping, "python": sys.executable}
            path.write_text((DIRECT if direct else REPLAY).format(**words), encoding="utf-8")
            path.chmod(0o755)

    def _npusim(self, *words):
        subprocess.run([sys.executable, "-m", "npusim", *words], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def loops(self):
        return self._shell("\n".join(LOOPS))

    def floor(self, checks):
        commands = [f"hccn_tool -i 0 -{check} -g" for check in checks if check not in ("hccn_conf", "driver")]
        return self._shell("\n".join([*commands, f"hccn_tool -i 0 -ping -g address {self.peer}"]))

    def check(self, checks, phy_ids):
        made = plan(
            {f"node{n}": [Npu(p, f"10.77.{n}.{10 + p}") for p in range(self.args.npus)] for n in (1, 2)}, "rail"
        )
        found, first = self._module({"checks": list(checks), **({"phy_ids": phy_ids} if phy_ids else {})})
        assert len(found["npus"]) == self.args.npus and found["verdict"] == "pass", found["problems"]
        pinged, second = self._module({"checks": [], "pings": made.pings_of("node1")})
        assert len(pinged["pings"]) == self.args.npus and pinged["verdict"] == "pass", pinged["problems"]
        return first + second

    def _shell(self, script):
        started = time.perf_counter()
        done = subprocess.run(["bash", "-c", script], env=self.env, stdout=subprocess.PIPE, text=True, check=False)
        assert "busy" not in done.stdout, done.stdout
        return time.perf_counter() - started

    def _module(self, options):
        given = {
            "hccn_tool": str(self.home / "hccn_tool"),
            "npu_smi": str(self.home / "npu-smi"),
            "hccn_conf": self.env["conf"],
            **options,
        }
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", MODULE, json.dumps(given)],
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        took = time.perf_counter() - started
        found = json.loads(done.stdout)
        assert not found.get("failed"), found.get("msg")
        return found, took


def node(args):
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(home, args)
        phy_ids = list(range(args.npus))
        jobs = {
            "loops": bench.loops,
            "hccn_check, the guide's checks": lambda: bench.check(SAME_CHECKS, phy_ids),
            "floor of these": lambda: bench.floor(SAME_CHECKS),
            "hccn_check, all its checks": lambda: bench.check(ALL_CHECKS, phy_ids),
            "the same, NPUs not named": lambda: bench.check(ALL_CHECKS, None),
            "floor of these two": lambda: bench.floor(ALL_CHECKS),
        }
        for job in jobs.values():  # so that everything is recorded and every file is in the page cache
            if args.tool == "replay":
                job()
        print(
            f"one node of {args.npus} NPUs, {args.query:g} s a query, {args.ping:g} s a ping, {args.tool}, "
            f"median of {args.runs}; targets: loops / hccn_check >= 6, hccn_check / floor <= 1.3"
        )
        took = {title: statistics.median(job() for _run in range(args.runs)) for title, job in jobs.items()}
    print(f"  load of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    loops, same, floor, every, unnamed, high = took.values()
    for title, seconds in took.items():
        print(f"  {title:32} {seconds:6.2f} s")
    print(f"  loops / hccn_check {loops / same:.2f}; with all its checks {loops / every:.2f} ({loops / unnamed:.2f})")
    print(f"  hccn_check / floor {same / floor:.2f}; with all its checks {every / high:.2f} ({unnamed / high:.2f})")


def ends(count, npus):
    return {
        f"node{n:03}": [Npu(p, f"10.{64 + n // 256}.{n % 256}.{10 + p}") for p in range(npus)] for n in range(count)
    }


def checked(nodes):
    """What hccn_check returns for healthy nodes, as far as the judge reads it."""
    return {
        host: {
            "npus": [
                {
                    "phy_id": npu.phy_id,
                    "ipaddr": npu.address,
                    "netmask": "255.0.0.0",
                    "tls_switch": 0,
                    "speed_mbps": 200000,
                    "mtu": 4096,
                    "lldp": {"port_ifname": f"400GE1/0/{number}", "system_name": f"leaf{npu.phy_id}"},
                    "causes": [],
                }
                for npu in npus
            ],
            "node": {"driver_version": "25.2.0", "family": "A2"},
            "problems": [],
        }
        for number, (host, npus) in enumerate(nodes.items())
    }


def results(made, dead):
    """Answers to all pings, but for those of one NPU."""
    return {
        host: [
            {
                **ping,
                "transmitted": 3,
                "received": 0 if dead in ((host, ping["phy_id"]), (ping["peer"], ping["peer_phy_id"])) else 3,
                "avg_ms": 0.067,
                "max_ms": 0.1,
                "duration_s": 2.0,
            }
            for ping in made.pings_of(host)
        ]
        for host in made.nodes
    }


def carried(made):
    """Work out every host's pings, one host after the other as the play does; answers how many."""
    return sum(len(made.pings_of(host)) for host in made.nodes)


def timed(call):
    started, cpu = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - started, time.process_time() - cpu


def peak_mb(call):
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def fleets(args):
    print(f"the plan of a fleet of {args.npus} NPUs a node; all hosts' pings are worked out")
    for count, mode in ((64, "full"), (64, "rail"), (64, "ring"), (512, "rail"), (512, "ring"), (512, "auto")):
        nodes = ends(count, args.npus)
        made, seconds, cpu = timed(lambda nodes=nodes, mode=mode: plan(nodes, mode))
        pings, worked, worked_cpu = timed(lambda made=made: carried(made))
        assert pings == made.pings
        memory = peak_mb(lambda nodes=nodes, mode=mode: plan(nodes, mode).pings_of("node000"))
        size = len(json.dumps(made.to_dict())) / 1e6
        print(
            f"  {count:4} nodes {mode:4} -> {made.mode:4} {made.rounds:4} rounds (bound {made.bound:4}), {pings:8} "
            f"pings: plan {seconds:5.2f} s, all pings {worked:5.2f} s (CPU {cpu + worked_cpu:5.2f} s), one host "
            f"{worked / count * 1000:5.1f} ms; peak {memory:5.1f} MB, plan as JSON {size:.2f} MB; "
            f"about {made.rounds * args.ping:.0f} s of pings"
        )
    print("the judgement, with one NPU that nobody reaches")
    for count, mode in ((64, "rail"), (512, "ring")):
        nodes = ends(count, args.npus)
        made = plan(nodes, mode)
        found, given = checked(nodes), results(made, ("node040", 2))
        judged, seconds, cpu = timed(lambda found=found, made=made, given=given: fleet_judge.report(found, made, given))
        named = [(problem["host"], problem["phy_ids"]) for problem in judged["problems"]]
        assert named == [("node040", [2])], named
        memory = peak_mb(lambda found=found, made=made, given=given: fleet_judge.report(found, made, given))
        pairs = len(judged["pairs"])
        print(f"  {count:4} nodes {mode}: {pairs} pairs in {seconds:.2f} s (CPU {cpu:.2f} s), {memory:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--query", type=float, default=0.3, help="seconds of a query")
    parser.add_argument("--ping", type=float, default=2.0, help="seconds of a ping")
    parser.add_argument("--npus", type=int, default=8, choices=range(1, 9), metavar="1..8")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tool", choices=("replay", "npusim"), default="replay")
    parser.add_argument("--only", choices=("node", "fleets"))
    args = parser.parse_args()
    if args.only != "fleets":
        node(args)
    if args.only != "node":
        fleets(args)


if __name__ == "__main__":
    main()

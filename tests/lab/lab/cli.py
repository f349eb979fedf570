# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of labctl."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time

from lab import cluster, engine, faults, images, images_real, packages, plan
from lab.common import ROOT, STATE_DIR, LabError, exclusive, plural, say

PROFILE_HELP = f"server model of the nodes (default: that of the lab as it is, else {plan.DEFAULT_PROFILE})"


def parser() -> argparse.ArgumentParser:
    """The argument parser; every subcommand sets ``action``."""
    top = argparse.ArgumentParser(prog="labctl", description="A lab of emulated Ascend nodes in containers.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, action, text: str, lab: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(action=action)
        if lab:
            sub.add_argument("--lab", default=os.environ.get("NPUOPS_LAB") or "lab", help="name of the lab (lab)")
        return sub

    sub = command("up", _up, "create the lab, or make it what is asked for")
    sub.add_argument("--nodes", type=int, help="number of nodes (default: those it has, else 2)")
    sub.add_argument("--profile", help=PROFILE_HELP)
    sub.add_argument("--bare", action=argparse.BooleanOptionalAction, help="hardware without a driver, as delivered")
    sub.add_argument("--isolated", action=argparse.BooleanOptionalAction, help="no way to the outside, no registry")
    sub.add_argument("--os", help=f"what nodes say they are, in turn: {', '.join(plan.SYSTEMS)}, or debian,openeuler")
    sub = command("down", _down, "remove the lab, and the engine if it was started from here and is not used")
    sub.add_argument("--all", action="store_true", help="every lab of this checkout")
    sub.add_argument("--keep-engine", action="store_true", help="leave the engine running")
    command("status", _status, "show engine, labs and nodes", lab=False)
    sub = command("images", _images, "build the lab's images and fill its registry", lab=False)
    sub.add_argument("--real", action="store_true", help="the one with real vLLM too (2 GB)")
    sub = command("packages", _packages, "make the emulated vendor packages", lab=False)
    sub.add_argument("--dir", help=f"where (default: {packages.DEFAULT_DIR.relative_to(ROOT)})")
    sub.add_argument("--corrupt", action="append", default=[], metavar="NAME", help="damage this one afterwards")
    sub = command("engine", _engine, "the Docker engine of this machine", lab=False)
    sub.add_argument("what", choices=("ensure", "stop"))
    for name, action, text in (
        ("ssh", _ssh, "log in on a node, or run a command there, over SSH"),
        ("exec", _exec, "run a command on a node without SSH"),
    ):
        sub = command(name, action, text)
        sub.add_argument("node")
        sub.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    sub = command("break", _break, "put a fault into a node: " + ", ".join(sorted(faults.FAULTS)))
    sub.add_argument("node")
    sub.add_argument("fault", choices=sorted(faults.FAULTS))
    sub.add_argument("values", nargs="*", help="values of the fault: see `labctl faults`")
    sub = command("mend", _mend, "take a fault, or all faults, off a node")
    sub.add_argument("node")
    sub.add_argument("fault", nargs="?", choices=sorted(faults.FAULTS))
    sub.add_argument("values", nargs="*")
    for name, action, text in (
        ("power-cut", _power_cut, "take the power off a node: nothing on it is told"),
        ("power-on", _power_on, "switch a node on and wait until it has booted"),
    ):
        sub = command(name, action, text)
        sub.add_argument("node")
    command("faults", _faults, "list the faults", lab=False)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return options.action(options) or 0
    except LabError as error:
        print(f"labctl: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"labctl: {error.filename} is not writable for this user: run it as the owner.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("labctl: interrupted; run the command again to go on.", file=sys.stderr)
        return 130


def _profile(name: str | None) -> str | None:
    from npusim.profiles import PROFILES

    if name is not None and name not in PROFILES:
        raise LabError(f"no profile is named {name!r}; there are: {', '.join(sorted(PROFILES))}.")
    return name


def _up(options: argparse.Namespace) -> int:
    start = time.monotonic()
    plan.check_name(options.lab)
    plan.check_nodes(options.nodes if options.nodes is not None else 1)
    profile = _profile(options.profile)
    plan.check_systems(options.os or plan.SYSTEMS[0])
    with exclusive():
        engine.ensure()
        cluster.check_foreign(options.lab)
        wanted = cluster.wanted_lab(options.lab, options.nodes, profile, options.bare, options.os, options.isolated)
        lab = cluster.up(wanted, images.ensure(map(wanted.system, wanted.nodes)))
    what = lab.profile + (" (bare)" if lab.bare else "") + (" (isolated)" if lab.isolated else "")
    say(f"lab {lab.name}: {plural(len(lab.nodes), 'node')} {what} up ({time.monotonic() - start:.1f} s)")
    for node in lab.nodes:
        say(f"    {node.name:8} {node.mgmt_ip:14} RoCE {node.roce_ip}")
    return 0


def _down(options: argparse.Namespace) -> int:
    plan.check_name(options.lab)
    with exclusive():
        running = bool(engine.answer()[0])
        if not running and (plan.names() if options.all else (STATE_DIR / options.lab).exists()):
            engine.ensure()  # its containers come back with it, so it must run for them to be removed
            running = True
        if running:
            names = cluster.all_names() if options.all else [options.lab]
            removed = [name for name in names if cluster.down(name)]
            if not removed:
                say("nothing to remove" if options.all else f"lab {options.lab} is not up")
        if not options.keep_engine and engine.RECORD.exists():
            say(engine.stop())
    return 0


def _status(_options: argparse.Namespace) -> int:
    engine.report()
    if not engine.answer()[0]:
        return 0
    names = plan.names()
    rows = [["LAB", "NODE", "PROFILE", "CONTAINER", "SYSTEMD", "MANAGEMENT", "ROCE", "ENGINE"]]
    rows += [[name, *row] for name in names for row in cluster.status(name)]
    if len(rows) == 1:
        say("no lab is up (make lab-up)")
        return 0
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _images(options: argparse.Namespace) -> int:
    with exclusive():
        engine.ensure()
        ids = images.ensure()
        images.show(ids | (images_real.ensure(ids) if options.real else {}))
    return 0


def _packages(options: argparse.Namespace) -> int:
    directory = pathlib.Path(options.dir).absolute() if options.dir else packages.DEFAULT_DIR
    made = list(packages.build(directory))
    say(f"{plural(len(made), 'package')} in {directory}, {sum(written for _name, written in made)} written")
    for name in options.corrupt:
        say(f"damaged: {packages.corrupt(name, directory)}")
    return 0


def _engine(options: argparse.Namespace) -> int:
    with exclusive():
        if options.what == "stop":
            say(engine.stop())
        else:
            say(f"Docker engine {engine.ensure()} answers")
    return 0


def _lab_node(options: argparse.Namespace) -> tuple[plan.Lab, plan.Node]:
    lab = plan.load(options.lab)
    if lab is None:
        raise LabError(f"lab {options.lab} is not up: run `make lab-up`.")
    return lab, lab.node(options.node)


def _ssh(options: argparse.Namespace) -> int:
    lab, node = _lab_node(options)
    command = cluster.ssh_command(lab, node)
    if options.words:
        command.append(cluster.shell_join(options.words))
    os.execvp(command[0], command)


def _exec(options: argparse.Namespace) -> int:
    lab, node = _lab_node(options)
    tty = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    words = options.words or ["bash"]
    os.execvp("docker", ["docker", "exec", *tty, lab.container(node), *words])


def _break(options: argparse.Namespace) -> int:
    lab, node = _lab_node(options)
    say(faults.apply(lab, node, options.fault, options.values))
    return 0


def _mend(options: argparse.Namespace) -> int:
    lab, node = _lab_node(options)
    say(faults.mend(lab, node, options.fault, options.values))
    return 0


def _power_cut(options: argparse.Namespace) -> int:
    say(faults.power_cut(*_lab_node(options)))
    return 0


def _power_on(options: argparse.Namespace) -> int:
    say(faults.power_on(*_lab_node(options)))
    return 0


def _faults(_options: argparse.Namespace) -> int:
    for name, fault in sorted(faults.FAULTS.items()):
        say(f"{(name + ' ' + fault.usage).strip():34} {fault.text}")
    return 0

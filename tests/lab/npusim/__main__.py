# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npusim``: what a lab does to the emulated hardware. The vendor tools only look at it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

if __package__ in (None, ""):  # run as a file from a checkout: python3 tests/lab/npusim/__main__.py
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from npusim import faults, state
from npusim.model import Machine

# What `npusim set` may change: name -> type.
MACHINE_KEYS: dict[str, type] = {
    "tool_version": str, "driver_version": str, "firmware_version": str, "install_complete": bool, "virtual": bool,
    "query_s": float, "ping_s": float, "hot_reset": str,
}  # fmt: skip
CHIP_KEYS: dict[str, type] = {
    "name": str, "bus_id": str, "health": str, "power_w": float, "temp_c": int, "aicore_pct": int, "leak_mb": int,
    "hugepages": tuple, "memory_mb": tuple, "hbm_mb": tuple,
}  # fmt: skip
ROCE_KEYS: dict[str, type] = {
    "net_health": str, "speed_mbps": int, "fec": str, "mac": str, "switch_port": str, "switch_mac": str,
    "switch_address": str,
    "mtu": int, "loss_pct": float, "vnic_link": str, "tls_switch": int, "tls_preconfigured": int, "tls_alarm_days": int,
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    args = sys.argv[1:] if argv is None else argv
    if args and args[0] == "npu-smi":  # the vendor tools from a checkout, without installing
        from npusim import cli_npu_smi

        return cli_npu_smi.main(args[1:])
    if args and args[0] == "hccn_tool":
        from npusim import cli_hccn_tool

        return cli_hccn_tool.main(args[1:])
    options = _parser().parse_args(args)
    try:
        return options.run(options)
    except (faults.FaultError, state.NoState, ValueError, OSError) as exc:
        print(f"npusim: {exc}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npusim",
        description=f"Emulated Ascend hardware. State: {state.DEFAULT_DIR}, or the directory in NPUSIM_STATE.",
        epilog="From a checkout, 'npusim npu-smi ...' and 'npusim hccn_tool ...' run the vendor tools.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("boot", help="make device nodes, addresses and files; NPUSIM_PROFILE, _NODE, _ROCE")
    command.set_defaults(run=_boot)

    command = commands.add_parser("stop", help="what an orderly end of a node leaves on its disk")
    command.set_defaults(run=_stop)

    command = commands.add_parser("new", help="write the state of a profile and nothing else (light hosts)")
    command.add_argument("profile")
    command.add_argument("--node", type=int, default=1)
    command.add_argument("--roce", metavar="NETWORK", help="RoCE network, such as 10.77.0.0/16")
    command.set_defaults(run=_new)

    command = commands.add_parser("power-on", help="what a restart does to a machine that is a directory")
    command.set_defaults(run=_power_on)

    command = commands.add_parser("install", help="lay package, tools and boot unit into an image root")
    command.add_argument("--root", required=True, metavar="DIR")
    command.add_argument("--hardware", action="store_true", help="without the driver: a bare machine")
    command.set_defaults(run=_install)

    command = commands.add_parser("stack", help="what the emulated vendor packages have done to driver and chips")
    command.add_argument("what", choices=("place", "release", "hot-reset", "occupied", "chips", "step"))
    command.add_argument("values", nargs="*", help="place PATH VERSION, release PATH, step PERCENT PATH")
    command.set_defaults(run=_stack)

    command = commands.add_parser("profiles", help="list the machines that can be emulated")
    command.set_defaults(run=_profiles)

    command = commands.add_parser("status", help="chips, processes and faults")
    command.add_argument("--json", action="store_true", help="the observed machine as JSON")
    command.set_defaults(run=_status)

    command = commands.add_parser("render", help="print a table from JSON as 'status --json' writes it")
    command.add_argument("what", choices=("info", "list", "mapping"))
    command.add_argument("file", help="a file name, or - for standard input")
    command.set_defaults(run=_render)

    command = commands.add_parser(
        "set",
        help="change values: KEY=VALUE ... [--phy N | --npu N]",
        description=f"Of the machine: {', '.join(MACHINE_KEYS)}. Of a chip: {', '.join(CHIP_KEYS)}. "
        f"Of its RoCE port: {', '.join(ROCE_KEYS)}, link. Pairs are written USED/TOTAL; an empty value unsets. "
        "Without --phy or --npu, chip keys change every chip. query_s and ping_s are what a call of hccn_tool lasts.",
    )
    command.add_argument("values", nargs="+", metavar="KEY=VALUE")
    command.add_argument("--phy", type=int, metavar="N", help="only the chip with this physical id")
    command.add_argument("--npu", type=int, metavar="N", help="only the chips of this NPU")
    command.set_defaults(run=_set)

    command = commands.add_parser(
        "fault",
        help="make a fault, or take it away",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Kinds:\n" + "\n".join(f"  {name:12} {text}" for name, text in faults.KINDS.items()),
    )
    actions = command.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser("add", help="make a fault")
    action.add_argument("kind", choices=list(faults.KINDS))
    _selectors(action)
    action.add_argument("--value", help="health to report (Alarm), or what the fault is about; see above")
    action.add_argument("--other", type=int, metavar="N", help="physical id of the chip whose cable is swapped")
    action.add_argument("--mb", type=int, default=0, help="size of a leak")
    action.add_argument("--times", type=int, default=1, help="calls that are refused; vNPUs until a power cut")
    action.add_argument("--seconds", type=float, default=5.0, help="delay of a slow tool, sick NPU or late node")
    action.add_argument("--template", help="template of the slice that took a reused id")
    action.set_defaults(run=_fault_add)
    action = actions.add_parser("clear", help="take faults away: all, or the selected ones")
    action.add_argument("kind", nargs="?", choices=list(faults.KINDS))
    _selectors(action)
    action.set_defaults(run=_fault_clear)
    action = actions.add_parser("list", help="the faults there are")
    action.set_defaults(run=_fault_list)
    return parser


def _selectors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--phy", type=int, metavar="N", help="physical id of a chip")
    parser.add_argument("--npu", type=int, metavar="N", help="NPU id")
    parser.add_argument("--tool", choices=faults.TOOLS)
    parser.add_argument("--vnpu", type=int, metavar="ID", help="vNPU id")


def _boot(options: argparse.Namespace) -> int:
    from npusim import boot

    return boot.main()


def _stop(options: argparse.Namespace) -> int:
    from npusim import small_disk

    small_disk.settle()
    return 0


def _new(options: argparse.Namespace) -> int:
    from npusim import profiles, wire

    if options.profile not in profiles.known():
        raise ValueError(f"no profile {options.profile}; there are {', '.join(profiles.known())}")
    machine = profiles.build(options.profile, options.node)
    if options.roce:
        wire.assign(machine, options.roce)
    directory = os.environ.get("NPUSIM_STATE") or state.DEFAULT_DIR
    os.makedirs(directory, exist_ok=True)
    state.save(machine, directory)
    if options.roce and state.standalone():
        wire.write_conf(machine, wire.conf_path())
    return 0


def _power_on(options: argparse.Namespace) -> int:
    from npusim import vnpu

    if not state.standalone():
        raise ValueError("a node is started by starting its container; power-on is for NPUSIM_STATE")
    with state.changing() as machine:
        lines = vnpu.power_on(machine)
        vnpu.sync_nodes(machine)
    print("".join(line + "\n" for line in lines), end="")
    return 0


def _install(options: argparse.Namespace) -> int:
    from npusim import install

    (install.hardware if options.hardware else install.install)(options.root)
    return 0


def _stack(options: argparse.Namespace) -> int:
    from npusim import stack

    if options.what == "place":
        stack.place(*options.values)
    elif options.what == "release":
        stack.release(*options.values)
    elif options.what == "step":
        stack.step(int(options.values[0]), options.values[1])
    elif options.what == "hot-reset":
        print(stack.hot_reset())
    elif options.what == "chips":
        print(sum(len(npu.chips) for npu in state.load().present()))
    else:
        return 0 if stack.occupied() else 1
    return 0


def _profiles(options: argparse.Namespace) -> int:
    from npusim import profiles

    for name, spec in {**profiles.PROFILES, **profiles.TRAINING}.items():
        print(f"{name:20} {len(spec['npu_ids'])} x {spec['chip']}, driver {spec['driver']}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from npusim import processes

    usage = processes.scan()
    machine = processes.observe(state.load(), usage)
    if options.json:
        import json

        data: dict[str, Any] = machine.to_dict()
        data["processes"] = {str(phy): [vars(p) for p in found] for phy, found in usage.items()}
        json.dump(data, sys.stdout, indent=1)
        print()
        return 0
    print(f"{machine.product} ({machine.profile}), node {machine.node}, driver {machine.driver_version}")
    for npu in machine.npus:
        for chip in npu.chips:
            used, total = chip.hbm_mb or chip.memory_mb
            link = f"{chip.roce.address} {chip.roce.link}" if chip.roce is not None else "-"
            pids = ",".join(str(p.pid) for p in usage.get(chip.phy_id, [])) or "-"
            health = "absent" if npu.absent else chip.health
            print(
                f"npu {npu.npu_id:<5} chip {chip.chip_id}  phy {chip.phy_id:<3} {health:9} "
                f"{used:6}/{total:6} MB  {link:20} pids {pids}"
            )
            for vnpu in chip.vnpus:
                pids = ",".join(str(p.pid) for p in usage.get(vnpu.vnpu_id, [])) or "-"
                print(f"  vnpu {vnpu.vnpu_id} {vnpu.template} vgroup {vnpu.vgroup_id}  pids {pids}")
    for line in faults.faults(machine):
        print("fault: " + line)
    return 0


def _render(options: argparse.Namespace) -> int:
    import json

    from npusim import render_info, render_list
    from npusim.model import Process

    if options.file == "-":
        data = json.load(sys.stdin)
    else:
        with open(options.file, encoding="utf-8") as handle:
            data = json.load(handle)
    found = data.pop("processes", None)
    machine = Machine.from_dict(data)
    usage = None if found is None else {int(phy): [Process(**p) for p in rows] for phy, rows in found.items()}
    if options.what == "info":
        sys.stdout.write(render_info.render(machine, usage, warn=not machine.install_complete))
    else:
        sys.stdout.write(
            {"list": render_list.render_list, "mapping": render_list.render_mapping}[options.what](machine)
        )
    return 0


def _set(options: argparse.Namespace) -> int:
    with state.changing() as machine:
        for text in options.values:
            key, sep, value = text.partition("=")
            if not sep:
                raise ValueError(f"{text!r} is not KEY=VALUE")
            _assign(machine, key, value, options)
        Machine.from_dict(machine.to_dict())  # the same checks as on reading
    faults.apply()
    return 0


def _assign(machine: Machine, key: str, value: str, options: argparse.Namespace) -> None:
    if key in MACHINE_KEYS:
        typed = _typed(MACHINE_KEYS[key], value, key)
        setattr(machine, key, 0.0 if typed is None and MACHINE_KEYS[key] is float else typed)
        return
    chips = [
        chip
        for npu in machine.npus
        for chip in npu.chips
        if options.npu in (None, npu.npu_id) and options.phy in (None, chip.phy_id)
    ]
    if not chips:
        raise ValueError(f"no chip with --npu {options.npu} --phy {options.phy}")
    for chip in chips:
        if key == "link":
            if value not in ("UP", "DOWN"):
                raise ValueError(f"link is UP or DOWN, not {value!r}")
            faults.set_link(chip, value)
        elif key in CHIP_KEYS:
            setattr(chip, key, _typed(CHIP_KEYS[key], value, key))
        elif key in ROCE_KEYS:
            if chip.roce is None:
                raise ValueError(f"chip {chip.phy_id} has no RoCE port")
            setattr(chip.roce, key, _typed(ROCE_KEYS[key], value, key))
        else:
            raise ValueError(f"no key {key!r}; see npusim set --help")


def _typed(kind: type, value: str, key: str) -> Any:
    if value == "":
        return None
    if kind is bool:
        if value not in ("true", "false"):
            raise ValueError(f"{key} is true or false, not {value!r}")
        return value == "true"
    if kind is tuple:
        return _pair(value, key)
    return kind(value)


def _pair(value: str, key: str) -> tuple[int, int]:
    used, sep, total = value.partition("/")
    if not sep:
        raise ValueError(f"{key} is USED/TOTAL, not {value!r}")
    return int(used), int(total)


def _fault_add(options: argparse.Namespace) -> int:
    faults.add(
        options.kind, phy=options.phy, npu=options.npu, tool=options.tool, value=options.value, mb=options.mb,
        times=options.times, seconds=options.seconds, vnpu_id=options.vnpu, template=options.template,
        other=options.other,
    )  # fmt: skip
    return 0


def _fault_clear(options: argparse.Namespace) -> int:
    faults.clear(options.kind, options.phy, options.npu, options.tool, options.vnpu)
    return 0


def _fault_list(options: argparse.Namespace) -> int:
    for line in faults.faults(state.load()):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())

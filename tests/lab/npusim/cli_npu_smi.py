# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npu-smi``: arguments, answers on stdout, exit status (low byte of the vendor's error code)."""

from __future__ import annotations

import os
import sys
from typing import Callable

from . import gate, state
from .model import Machine

TOOL = "npu-smi"
RC_INVALID_PARAMETER = -9001 & 0xFF
RC_INNER = -9005 & 0xFF
RC_NOT_EXIST = -9008 & 0xFF
RC_NOT_SUPPORTED = -9255 & 0xFF
RC_NO_DRIVER = -8005 & 0xFF
RC_OCCUPIED = -8020 & 0xFF

HELP = (
    ("-h", "This command's help information"),
    ("--help", "This command's help information"),
    ("-v", "Show npu-smi version information"),
    ("info", "Show hardware details"),
    ("set", "Modify device configuration properties"),
    ("clear", "Clear device information"),
    ("upgrade", "Upgrade MCU firmware"),
)


def main(argv: list[str] | None = None) -> int:
    args = sys.argv[1:] if argv is None else argv
    try:
        status = _main(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader went away, as `npu-smi info | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _main(args: list[str]) -> int:
    if not args:
        _help()
        return RC_INVALID_PARAMETER
    if args[0] not in dict(HELP):
        print("Command or option is not found.")
        _help()
        return RC_INNER
    try:
        machine = gate.enter(TOOL)
    except state.NoState:
        print("DrvMngGetConsoleLogLevel failed. (ret=4)")
        print("dcmi module initialize failed. ret is -8005")
        return RC_NO_DRIVER
    except gate.Busy:
        print("dcmi model initialized failed, because the device is used. ret is -8020")
        return RC_OCCUPIED
    if args[0] in ("-h", "--help"):
        _help()
        return 0
    if args[0] == "-v":
        print(f"npu-smi version: {machine.tool_version}")
        return 0
    if args[0] == "info":
        return _info(machine, args[1:])
    if args[0] == "set":
        from .cli_vnpu import main as set_main

        return set_main(machine, args[1:])
    print("This device does not support {}.".format({"clear": "clearing"}.get(args[0], "upgrading")))
    return RC_NOT_SUPPORTED


def _info(machine: Machine, args: list[str]) -> int:
    if not args:
        sys.stdout.write(_table(machine))
        return 0
    simple: dict[str, Callable[[Machine], str]] = {"-l": _list, "-m": _mapping, "-h": _usage, "--help": _usage}
    if args[0] in simple:
        if len(args) > 1:
            return _bad(machine, args[1])
        sys.stdout.write(simple[args[0]](machine))
        return 0
    if args[0] in ("-t", "-i", "-c"):
        from .info_types import answer

        return answer(machine, args, _bad)
    return _bad(machine, args[0])


def _table(machine: Machine) -> str:
    if not machine.npus:
        return _usage(machine)  # what the real tool says when every chip is gone
    from . import processes, render_info

    usage = processes.by_chip(machine, processes.scan())
    return render_info.render(processes.observe(machine, usage), usage, gate.install_warning(machine))


def _list(machine: Machine) -> str:
    from .render_list import render_list

    return render_list(machine)


def _mapping(machine: Machine) -> str:
    from .render_list import render_mapping

    return render_mapping(machine)


def _usage(machine: Machine) -> str:
    from .info_types import usage

    return usage(machine)


def _bad(machine: Machine, option: str) -> int:
    print(f"Error parameter of {option}")
    sys.stdout.write(_usage(machine))
    return RC_INVALID_PARAMETER


def _help() -> None:
    print("Usage: npu-smi <Command|-h|-v> [Options...]\n")
    print("npu-smi Command:")
    for name, text in HELP:
        print(f"\t{name:12}  {text}")


if __name__ == "__main__":
    sys.exit(main())

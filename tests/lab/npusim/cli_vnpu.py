# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vNPU subjects of ``npu-smi info -t`` and ``npu-smi set -t``: checks in the tool's order, its texts and status.

Several refusals end with status 0 and no effect, as with the real tool.
"""

from __future__ import annotations

import os
import sys
from typing import Callable

from . import power, processes, state, vnpu, vnpu_cfg, vnpu_types
from .model import Chip, Machine, Npu
from .render_list import key_value
from .render_vnpu import render_templates, render_vnpus

RC_INVALID_PARAMETER = -9001 & 0xFF
RC_NOT_PERMITTED = -9002 & 0xFF
RC_SHOW_HELP = -9017 & 0xFF
RC_OCCUPIED = -9020 & 0xFF
RC_NOT_SUPPORTED = -9255 & 0xFF

INFO = ("template-info", "info-vnpu", "vnpu-mode", "vnpu-cfg-recover")
SET = ("create-vnpu", "destroy-vnpu", "vnpu-mode", "vnpu-cfg-recover")
AUTOMATIC = 4294967295  # -v: choose an id
IN_CONTAINER = "This command cannot be executed on a VM or container."


# --- info


def info(machine: Machine, kind: str, values: dict[str, str], bad: Callable[[Machine, str], int]) -> int:
    """One of ``INFO``; ``values`` are the options given."""
    if machine.family not in vnpu_types.SPLIT_FAMILIES:
        print(f"This device does not support querying {kind}.")
        return 0
    if kind == "vnpu-mode":
        if not state.on_node() or machine.virtual:
            print(IN_CONTAINER)
            return 0
        print(key_value("vnpu-mode", machine.vnpu_mode))
        return 0
    npu = next((n for n in machine.present() if str(n.npu_id) == values.get("-i")), None)
    if "-i" in values and npu is None:
        print("Invalid card id.")
        return bad(machine, "-i")
    if kind == "info-vnpu":
        if npu is None:
            print("\nThis command must input card id.\n")
            return RC_INVALID_PARAMETER
        chip = next((c for c in npu.chips if str(c.chip_id) == values.get("-c")), None)
        if "-c" not in values:
            print("Must input parameter of chip id.")
            return RC_INVALID_PARAMETER
        if chip is None:
            print("Invalid chip id.")
            return bad(machine, "-c")
        return _info_vnpu(machine, chip)
    if not _may_look(machine, kind):
        return 0
    if kind == "vnpu-cfg-recover":
        print(key_value("VNPU config recover mode", "Enable" if vnpu_cfg.read()[0] else "Disable"))
        return 0
    chip = (npu or machine.present()[0]).chips[0]
    sys.stdout.write(render_templates(vnpu_types.templates(machine, chip), machine.tool_version))
    return 0


def _info_vnpu(machine: Machine, chip: Chip) -> int:
    if not state.on_node() and machine.family != "910B":
        print("This command cannot be executed on a container.")
        return RC_NOT_SUPPORTED
    if not state.on_node() or (machine.virtual and machine.family != "310P"):
        print(IN_CONTAINER)
        return 0
    if machine.vnpu_mode != "docker":
        print("The vnpu is not in docker mode, does not support querying info-vnpu.")
        return 0
    if smp(machine):
        print("NPU is working in SMP mode, does not support vnpu query.")
        return 0
    usage = processes.scan()
    rows = [(found, vnpu.used(found, usage)) for found in chip.vnpus]
    sys.stdout.write(render_vnpus(vnpu.resources(machine, chip), rows, machine.tool_version))
    return 0


def _may_look(machine: Machine, kind: str) -> bool:
    if not state.on_node() or (machine.virtual and machine.family != "310P"):
        print(IN_CONTAINER)
    elif smp(machine):
        print(f"NPU is working in SMP mode, does not support querying {kind}")
    else:
        return True
    return False


def smp(machine: Machine) -> bool:
    """Whether the tool minds the work mode: not on 910B nor on add-in cards."""
    return machine.work_mode == "SMP" and machine.family != "910B" and machine.board != "card"


# --- set


def main(machine: Machine, args: list[str]) -> int:
    """``npu-smi set``. Only the vNPU subjects are there; others are not supported."""
    if not state.standalone() and os.geteuid() != 0:
        print("This command can be executed only by the root user.")
        return RC_NOT_PERMITTED
    if len(args) < 1:
        print("\nThere has no options.\n")
        _help(machine, None)
        return RC_SHOW_HELP
    if not state.on_node():
        both = machine.family in ("910B", "910_93")
        print(IN_CONTAINER if both else "This command cannot be executed on a container.")
        return RC_NOT_PERMITTED
    options: dict[str, str] = {}
    status = _parse(machine, args, options)
    if status is not None:
        return status
    kind = options["-t"]
    runs = {"create-vnpu": _create, "destroy-vnpu": _destroy, "vnpu-mode": _mode, "vnpu-cfg-recover": _recover}
    status = runs[kind](machine, options)
    if status == RC_INVALID_PARAMETER:
        _help(machine, kind)
    return status


def _parse(machine: Machine, args: list[str], options: dict[str, str]) -> int | None:
    """Fill ``options``, checking each as the tool does while it reads them. A status when it stops there."""
    kind = None
    for position in range(0, len(args), 2):
        name = args[position]
        value = args[position + 1] if position + 1 < len(args) else None
        if name in ("-h", "--help"):
            _help(machine, kind)
            return 0
        if name == "-t" and value is not None:
            kind = value
            family = machine.family
            known = kind in SET and (family in vnpu_types.SPLIT_FAMILIES or (kind, family) == ("vnpu-mode", "910_93"))
            if not known:
                print(f"This device does not support setting {kind}.")
                return 0
        elif name == "-g" and not (kind == "create-vnpu" and machine.family == "310P"):
            print(f"This device does not support setting {kind} with -g.")
            return 0
        elif value is None or not _valid(machine, kind, name, value, options):
            print(f"Error parameter of {name}")
            _help(machine, kind)
            return RC_INVALID_PARAMETER
        options[name] = value
    if kind is None:
        _help(machine, None)
        return RC_INVALID_PARAMETER
    return None


def _valid(machine: Machine, kind: str | None, name: str, value: str, options: dict[str, str]) -> bool:
    if kind is None or name not in ("-i", "-c", "-d", "-v", "-f", "-g"):
        return False
    whole_machine = kind in ("vnpu-mode", "vnpu-cfg-recover")
    if whole_machine != (name == "-d") or (name in ("-f", "-g") and kind != "create-vnpu"):
        return False
    if name == "-d":
        return value in ("0", "1")
    if name == "-g":
        return value in ("0", "1", "2", "3")
    if name == "-v":
        return value.isdigit() and int(value) <= AUTOMATIC
    card = value if name == "-i" else options.get("-i")
    npu = next((n for n in machine.present() if str(n.npu_id) == card), None)
    if name == "-i":
        if npu is None:
            print("Invalid card id.")
        return npu is not None
    if name == "-c":
        found = npu is not None and value in [str(chip.chip_id) for chip in npu.chips]
        if not found:
            print("Invalid chip id.")
        return found
    # All chips of a machine are of one model.
    return vnpu_types.template(machine, machine.present()[0].chips[0], value) is not None


def _stop(machine: Machine, kind: str, options: dict[str, str]) -> int | None:
    """The checks that create and destroy share; a status when one of them ends the call."""
    if "-i" not in options or "-c" not in options:
        print("This command must input card id and chip id.")
        return RC_INVALID_PARAMETER
    if machine.virtual and machine.family != "310P":
        print(IN_CONTAINER)
        return 0
    if any("vir" in chip.name for npu in machine.npus for chip in npu.chips):
        print(f"This device does not support setting {kind}.")
        return 0
    if kind == "create-vnpu" and "-f" not in options:
        print("Must input parameter of -f.")
        return RC_INVALID_PARAMETER
    if machine.vnpu_mode != "docker":
        print(f"The vnpu is not in docker mode, does not support setting {kind}.")
        return 0
    if smp(machine):
        print("NPU is working in SMP mode, does not support vnpu creation.")
        return RC_NOT_SUPPORTED
    return None


def _create(machine: Machine, options: dict[str, str]) -> int:
    status = _stop(machine, "create-vnpu", options)
    if status is not None:
        return status
    number = int(options.get("-v", AUTOMATIC))
    group = int(options["-g"]) if "-g" in options else None
    refused: vnpu.Refused | None = None
    cut = False
    with state.changing() as stored:
        npu, chip = _chip(stored, options)
        wanted = vnpu_types.template(stored, chip, options["-f"])
        assert wanted is not None  # checked while reading the options
        if not _enough(stored, chip, wanted):
            return RC_NOT_SUPPORTED
        usage = processes.scan()
        try:
            vnpu.create(stored, npu, chip, wanted, None if number == AUTOMATIC else number, group, usage)
        except vnpu.Refused as exc:
            refused = exc
        else:
            cut = power.used_up(stored)
        if not cut:
            vnpu.sync_nodes(stored)
    if cut:
        power.cut()
    if refused is not None:
        print("create vnpu failed.")
        return refused.code & 0xFF
    print(key_value("Status", "OK"))
    print(key_value("Message", "Create vnpu success"))
    return 0


def _enough(machine: Machine, chip: Chip, wanted: vnpu_types.Template) -> bool:
    free = vnpu.resources(machine, chip)
    short = vnpu.lacking(free, wanted, machine.family)
    if short == "aicore":
        print(f"Insufficient number of cores available, unallocated cores number:{_first(free.aicore):f}.")
    elif short == "aicpu":
        print(f"Insufficient number of AICPU available, unallocated AICPU number:{int(_first(free.aicpu))}.")
    elif short == "dvpp":
        print("Insufficient number of DVPP available, unallocated DVPP number:")
        print(", ".join(f"{name.upper()}:{_first(getattr(free, name)):f}" for name in vnpu_types.MEDIA) + ".")
    return short is None


def _destroy(machine: Machine, options: dict[str, str]) -> int:
    status = _stop(machine, "destroy-vnpu", options)
    if status is not None:
        return status
    refused: vnpu.Refused | None = None
    number = int(options.get("-v", -1))
    with state.changing() as stored:
        _npu, chip = _chip(stored, options)
        if number not in [found.vnpu_id for found in chip.vnpus]:
            print("Error parameter of -v.")
            return RC_INVALID_PARAMETER
        try:
            vnpu.destroy(chip, number, processes.scan())
        except vnpu.Refused as exc:
            refused = exc
        else:
            vnpu.sync_nodes(stored)
    if refused is not None:
        print(f"destroy vnpu {number} failed.")
        return refused.code & 0xFF
    print(key_value("Status", "OK"))
    print(key_value("Message", f"Destroy vnpu {number} success"))
    return 0


def _mode(machine: Machine, options: dict[str, str]) -> int:
    if "-d" not in options:
        print("Must input parameter of -d.")
        return RC_INVALID_PARAMETER
    mode = ("docker", "VM")[int(options["-d"])]
    no_vm = machine.board != "server" and not (machine.family == "310P" and machine.board == "card")
    if machine.family == "910_93" or (mode == "VM" and (no_vm or smp(machine))):
        print("This device does not support setting vnpu-mode.")
        return RC_NOT_SUPPORTED
    with state.changing() as stored:
        occupied = stored.vnpu_mode != mode and any(chip.vnpus for npu in stored.npus for chip in npu.chips)
        if not occupied:
            stored.vnpu_mode = mode
    if occupied:
        print(key_value("Status", "Fail"))
        message = "The vNPU(s) in another mode already exist. Destroy them before switching the mode"
        print(key_value("Message", message))
        return RC_OCCUPIED
    print(key_value("Status", "OK"))
    print(key_value("Message", f"Set vnpu {mode.lower()} mode success"))
    return 0


def _recover(machine: Machine, options: dict[str, str]) -> int:
    if "-d" not in options:
        print("Must input parameter of -d.")
        return RC_INVALID_PARAMETER
    if machine.virtual and machine.family != "310P":
        print(IN_CONTAINER)
        return 0
    if smp(machine):
        print("NPU is working in SMP mode, does not support setting vnpu-cfg-recover")
        return 0
    enable = options["-d"] == "1"
    with state.changing():  # its lock also guards the file
        vnpu_cfg.set_recover(enable)
    word = "Enable" if enable else "Disable"
    print(key_value("Status", "OK"))
    print(key_value("Message", f"The VNPU config recover mode {word} is set successfully."))
    return 0


def _chip(machine: Machine, options: dict[str, str]) -> tuple[Npu, Chip]:
    npu = next(n for n in machine.present() if str(n.npu_id) == options["-i"])
    return npu, next(c for c in npu.chips if str(c.chip_id) == options["-c"])


def _first(pair: tuple[int, int] | None) -> float:
    return -1.0 if pair is None else float(pair[0])


def _help(machine: Machine, kind: str | None) -> None:
    rows = [("-i %d", "Card ID"), ("-c %d", "Chip ID")]
    width = 18
    if kind == "create-vnpu":
        names = [t.name for t in vnpu_types.templates(machine, machine.present()[0].chips[0])]
        rows += [("-f %s", "Template Name"), ("", f" ({', '.join(names)})")]
        rows += [("-g %d", "VGroup ID."), ("", " (0, 1, 2, 3)")] if machine.family == "310P" else []
        rows.append(("-v %d", "Vnpu ID"))
    elif kind == "destroy-vnpu":
        rows.append(("-v %d", "Vnpu ID"))
    elif kind == "vnpu-mode":
        width, rows = 14, [("-d %d", "Vnpu mode, only can input 0 or 1"), ("", " (0: docker, 1: VM)")]
    elif kind == "vnpu-cfg-recover":
        width = 14
        rows = [("-d %d", "Persistence config recover mode, only can input 0 or 1")]
        rows.append(("", " (0: Disable, 1: Enable)"))
    else:
        print("Usage: npu-smi set <-h|-t type> [Options...]\n\nCommands:")
        print("       -h, --help     Show this help text and exit")
        print("       -t type        The set type for device")
        print(f"                      type: {', '.join(SET)}.")
        return
    print(f"Usage: npu-smi set -t {kind} [Options...]\n\nOptions:")
    for option, text in rows:
        print(f"       {option.ljust(width)} {text}")

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npu-smi info -t TYPE``: one subject, as ``key : value`` lines."""

from __future__ import annotations

import sys
from typing import Callable

from . import cli_vnpu, info_sections, processes
from .model import Machine

RC_INVALID_PARAMETER = -9001 & 0xFF

# Types the real tool lists in its help (npu-smi__error__param_t__24_1__yuanrong); unsupported ones say so.
TYPES = (
    ("board", "flash", "memory", "usages", "sensors", "temp", "power", "volt", "mac-addr"),
    ("common", "health", "product", "ecc", "ip", "sys-time", "i2c_check", "work-mode"),
    ("ecc-enable", "p2p-enable", "ssh-enable", "license", "customized-info"),
    ("device-share", "nve-level", "aicpu-config", "pcie-err", "mcu-monitor"),
    ("err-count", "boot-area", "vnpu-mode", "info-vnpu", "vnpu-svm", "cpu-num-cfg"),
    ("first-power-on-date", "proc-mem", "phyid-remap", "vnpu-cfg-recover", "key-manage"),
    ("template-info", "pkcs-enable", "p2p-mem-cfg", "pwm-mode", "pwm-duty-ratio"),
    ("boot-select", "topo", "hccs", "sio-info", "spod-info", "tls-csr-get", "tls-cert"),
    ("tls-cert-period", "rootkey", "hccs-bw"),
)


def usage(machine: Machine) -> str:
    """Help of ``npu-smi info``. The same text follows every complaint about its options."""
    lines = ["Usage: npu-smi info <watch|proc|-h|-m|-l|-t type> [Options...]", "", "Commands:"]
    for name, text in (
        ("watch", "Show all device's status in scrolling format"),
        ("proc", "Show device's matrix process status in scrolling format"),
        ("-h, --help", "Show this help text and exit"),
        ("-m", "Show all device's mapping information"),
        ("-l", "Show all device's topology information"),
        ("-t type", "Show information for type"),
    ):
        lines.append(f"       {name:14} {text}")
    rows = [", ".join(row) for row in TYPES]
    indent = " " * 22
    lines += [indent + ("type: " if i == 0 else "      ") + row for i, row in enumerate(rows[:-1])]
    lines = [line + "," if line.startswith(indent) else line for line in lines]
    lines.append(indent + "      " + rows[-1] + ".")
    return "\n".join(lines) + "\n"


def answer(machine: Machine, args: list[str], bad: Callable[[Machine, str], int]) -> int:
    """``-t TYPE [-i NPU] [-c CHIP]`` in any order; prints and returns the exit status."""
    values: dict[str, str] = {}
    for option, value in zip(args[::2], args[1::2]):
        if option not in ("-t", "-i", "-c") or option in values:
            return bad(machine, option)
        values[option] = value
    if len(args) % 2 or "-t" not in values or not any(values["-t"] in row for row in TYPES):
        return bad(machine, args[-1] if len(args) % 2 and len(values) else "-t")
    kind = values["-t"]
    if kind == "topo":
        sys.stdout.write(info_sections.topology(machine))
        return 0
    if kind in cli_vnpu.INFO:
        return cli_vnpu.info(machine, kind, values, bad)
    if kind not in info_sections.KINDS or kind == "spod-info" and machine.family != "910_93":
        print(f"This device does not support querying {kind}.")
        return 0
    npu = next((n for n in machine.present() if str(n.npu_id) == values.get("-i")), None)
    if "-i" not in values:
        print("\nThis command must input card id.\n")
        return bad_silently(machine)
    if npu is None:
        return bad(machine, "-i")
    if "-c" in values and machine.family == "950":
        print("This device does not support input parameter of -c.")
        return RC_INVALID_PARAMETER
    chip = next((c for c in npu.chips if str(c.chip_id) == values.get("-c")), None)
    if "-c" in values and chip is None:
        return bad(machine, "-c")
    used = processes.by_chip(machine, processes.scan())
    seen = processes.observe(machine, used)
    npu = next(n for n in seen.npus if n.npu_id == npu.npu_id)
    sys.stdout.write(info_sections.render(kind, seen, npu, None if chip is None else chip.chip_id, used))
    return 0


def bad_silently(machine: Machine) -> int:
    sys.stdout.write(usage(machine))
    return RC_INVALID_PARAMETER

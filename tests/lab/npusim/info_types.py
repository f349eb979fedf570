# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npu-smi info -t TYPE``: one subject, as ``key : value`` lines."""

from __future__ import annotations

from typing import Callable

from .model import Machine

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
    """``-t TYPE [-i NPU] [-c CHIP]``; prints and returns the exit status."""
    if len(args) < 2 or not any(args[1] in row for row in TYPES):
        return bad(machine, "-t")
    print(f"This device does not support querying {args[1]}.")
    return 0

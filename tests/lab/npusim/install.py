# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npusim install --root DIR``: lay the emulator down where the vendor's installer puts the real thing."""

from __future__ import annotations

import os
import shutil

LIB = "usr/local/Ascend/driver/lib64"
UNIT_DIR = "etc/systemd/system"
UNIT_NAME = "npusim-boot.service"

# -I and -S: no user site, no environment, no site-packages. Only the vendor directory matters.
FRONT_END = """#!/usr/bin/env -S python3 -IS
import os
import sys

# Beside this script as installed; the absolute path serves a front end mounted elsewhere.
sys.path.insert(0, "/usr/local/Ascend/driver/lib64")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), %(relative)r))

from %(module)s import main

sys.exit(main())
"""

UNIT = """[Unit]
Description=Emulated Ascend hardware (device nodes, RoCE addresses, driver files)
Before=docker.service docker.socket ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
PassEnvironment=NPUSIM_PROFILE NPUSIM_NODE NPUSIM_ROCE
ExecStart=/usr/local/sbin/npusim boot

[Install]
WantedBy=multi-user.target
"""

FRONT_ENDS: dict[str, dict[str, str]] = {
    "usr/local/bin/npu-smi": {"module": "npusim.cli_npu_smi", "relative": "../Ascend/driver/lib64"},
    "usr/local/Ascend/driver/tools/hccn_tool": {"module": "npusim.cli_hccn_tool", "relative": "../lib64"},
    "usr/local/sbin/npusim": {"module": "npusim.__main__", "relative": "../Ascend/driver/lib64"},
}


def install(root: str) -> None:
    """Put package, front ends and boot unit under ``root`` (``/`` or the tree of an image). Repeatable."""
    source = os.path.dirname(os.path.abspath(__file__))
    target = os.path.join(root, LIB, "npusim")
    if os.path.realpath(target) != os.path.realpath(source):
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        for name in sorted(os.listdir(source)):
            if name.endswith(".py"):
                shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    for path, values in FRONT_ENDS.items():
        _write(os.path.join(root, path), FRONT_END % values, 0o755)
    _link(os.path.join(root, "usr/bin/hccn_tool"), "/usr/local/Ascend/driver/tools/hccn_tool")
    _write(os.path.join(root, UNIT_DIR, UNIT_NAME), UNIT, 0o644)
    _link(os.path.join(root, UNIT_DIR, "multi-user.target.wants", UNIT_NAME), f"/{UNIT_DIR}/{UNIT_NAME}")


def _write(path: str, text: str, mode: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
    os.chmod(path, mode)


def _link(path: str, target: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)

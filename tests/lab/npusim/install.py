# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npusim install --root DIR``: lay the emulator down.

Two parts: the *hardware* (package, ``npusim`` and boot unit, outside ``/usr/local/Ascend``: a bare machine has it), and
what of it stands for the vendor's *driver* (``lib64`` and tools, where the vendor's installer puts the real thing).
"""

from __future__ import annotations

import os
import shutil

HOME = "usr/lib/npusim"  # the hardware
ASCEND = "/usr/local/Ascend"
UNIT_DIR = "etc/systemd/system"
UNIT_NAME = "npusim-boot.service"

# -I and -S: no user site, no environment, no site-packages. Only the vendor directory matters.
FRONT_END = """#!/usr/bin/env -S python3 -IS
import os
import sys

# Beside this script as installed; the absolute path serves a front end mounted elsewhere.
sys.path.insert(0, %(library)r)
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
PassEnvironment=NPUSIM_PROFILE NPUSIM_NODE NPUSIM_ROCE NPUSIM_BARE
TimeoutStartSec=infinity
ExecStart=/usr/local/sbin/npusim boot
ExecStop=/usr/local/sbin/npusim stop

[Install]
WantedBy=multi-user.target
"""

NPUSIM = "usr/local/sbin/npusim"
NPU_SMI = "usr/local/bin/npu-smi"
HCCN_LINK = "usr/bin/hccn_tool"


def install(root: str) -> None:
    """Put hardware and driver under ``root`` (``/`` or the tree of an image). Repeatable."""
    hardware(root)
    driver(root)


def hardware(root: str) -> None:
    """What a machine has before anything is installed: the package, ``npusim`` and its boot unit."""
    _package(os.path.join(root, HOME))
    _front_end(root, NPUSIM, "npusim.__main__", "/" + HOME)
    _write(os.path.join(root, UNIT_DIR, UNIT_NAME), UNIT, 0o644)
    _link(os.path.join(root, UNIT_DIR, "multi-user.target.wants", UNIT_NAME), f"/{UNIT_DIR}/{UNIT_NAME}")


def driver(root: str, ascend: str = ASCEND) -> None:
    """What the vendor's driver package lays down below ``ascend`` and in ``/usr``."""
    lib64, tools = f"{ascend}/driver/lib64", f"{ascend}/driver/tools"
    _package(os.path.join(root, lib64.lstrip("/")))
    _front_end(root, NPU_SMI, "npusim.cli_npu_smi", lib64)
    _front_end(root, f"{tools}/hccn_tool".lstrip("/"), "npusim.cli_hccn_tool", lib64)
    _front_end(root, f"{tools}/upgrade-tool".lstrip("/"), "npusim.cli_upgrade_tool", lib64)
    _link(os.path.join(root, HCCN_LINK), f"{tools}/hccn_tool")


def remove_driver(root: str, ascend: str = ASCEND) -> None:
    """Take the driver's files away again; a state that is mounted there must be unmounted before."""
    shutil.rmtree(os.path.join(root, ascend.lstrip("/"), "driver"), ignore_errors=True)
    for path in (NPU_SMI, HCCN_LINK):
        if os.path.lexists(os.path.join(root, path)):
            os.unlink(os.path.join(root, path))


def _package(directory: str) -> None:
    source = os.path.dirname(os.path.abspath(__file__))
    target = os.path.join(directory, "npusim")
    if os.path.realpath(target) == os.path.realpath(source):
        return
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    for name in sorted(os.listdir(source)):
        if name.endswith(".py"):
            shutil.copyfile(os.path.join(source, name), os.path.join(target, name))


def _front_end(root: str, path: str, module: str, library: str) -> None:
    relative = os.path.relpath(library.lstrip("/"), os.path.dirname(path))
    _write(os.path.join(root, path), FRONT_END % {"module": module, "relative": relative, "library": library}, 0o755)


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

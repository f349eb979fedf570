# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system of its own for ``/usr/local/Ascend``, small enough to be filled up, and its way back to the node's."""

from __future__ import annotations

import os
import subprocess

ASCEND = "/usr/local/Ascend"
STATE_MOUNT = f"{ASCEND}/driver/lib64/npusim-hw"
ROOM_MB = 400  # the vendor's installers ask for 300
DOWNLOAD = ".somebody-elses-download"


class DiskError(Exception):
    """The file system is not one that may be filled."""


def mounted(path: str) -> bool:
    """Whether something is mounted at ``path``; os.path.ismount does not see a bind mount of the same file system."""
    with open("/proc/self/mountinfo", encoding="utf-8") as handle:
        return any(line.split()[4] == path for line in handle)


def make() -> None:
    """Move what is installed into a small file system; it holds until ``settle`` or an orderly restart."""
    if mounted(ASCEND):
        return
    os.makedirs(ASCEND, exist_ok=True)
    shown = _let_go()
    size = int(_run(["du", "-sm", ASCEND]).split()[0]) + ROOM_MB
    holding = "/run/npusim-small-disk"
    os.makedirs(holding, exist_ok=True)
    _run(["mount", "-t", "tmpfs", "-o", f"mode=755,size={size}m", "npusim-small-disk", holding])
    _run(["cp", "-a", f"{ASCEND}/.", holding])
    _run(["mount", "--move", holding, ASCEND])
    _take(shown)


def settle() -> None:
    """What is on the small file system goes to the node's own, and there is room again. Harmless without one."""
    if not mounted(ASCEND):
        return
    shown = _let_go()
    below = "/run/npusim-below"
    os.makedirs(below, exist_ok=True)
    _run(["mount", "--bind", "/", below])  # not recursive: what the mount hides
    try:
        _run(["sh", "-c", f"rm -rf {below}{ASCEND}/* && rm -f {ASCEND}/{DOWNLOAD} && cp -a {ASCEND}/. {below}{ASCEND}"])
    finally:
        _run(["umount", below])
    _run(["umount", "-l", ASCEND])
    _take(shown)


def fill(path: str) -> None:
    """Use up the file system of ``path``: only where ``make`` has given it one of its own."""
    if not mounted(path):
        raise DiskError(f"{path} is no file system of its own, it is not filled")
    free = os.statvfs(path)
    with open(os.path.join(path, DOWNLOAD), "wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, max(free.f_bavail * free.f_frsize, 1))


def _let_go() -> bool:
    """Unmount the state inside, which must not be copied; whether it was mounted."""
    found = False
    while mounted(STATE_MOUNT):
        _run(["umount", "-l", STATE_MOUNT])
        found = True
    return found


def _take(shown: bool) -> None:
    if shown:
        from . import boot

        boot.mount_state()


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise DiskError(f"{' '.join(argv)} failed with {done.returncode}: {done.stdout.strip()}")
    return done.stdout

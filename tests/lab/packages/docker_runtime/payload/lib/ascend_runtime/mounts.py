# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ascend-docker-cli``: mounts files and folders of the host into a container that is being made, read-only."""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import stat

from .common import Log, RuntimeFailure

LOG = "hook-run.log"
CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 32, 4096, 16384
FILE_LIMIT = 150 << 20  # of a file in a folder
NAME = re.compile(r"[A-Za-z0-9._/~-]+")


def check(path: str, allow_link: bool) -> None:
    """Refuse what others may write, and names with other characters, in the path or below it; links pass."""
    if os.path.islink(path):  # whatever it leads to is mounted in its place
        return
    if not NAME.fullmatch(path):
        raise RuntimeFailure("filePath has an illegal character!")
    part = path
    while True:
        found = os.lstat(part)
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise RuntimeFailure(f"Please check the write permission! {part}")
        if stat.S_ISLNK(found.st_mode):
            raise RuntimeFailure(f"resolvedPath is symbolic link! {part}")
        if part == "/":
            break
        part = os.path.dirname(part)
    for folder, _folders, files in os.walk(path):
        for name in files:
            _check_below(os.path.join(folder, name), allow_link)


def _check_below(path: str, allow_link: bool) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        target = os.stat(path) if os.path.exists(path) else None
        if not allow_link and (found.st_uid != 0 or target is None or target.st_uid != 0):
            raise RuntimeFailure(f"symlink or its target is not owned by root! {path}")
    elif stat.S_ISREG(found.st_mode):
        if not NAME.fullmatch(path):
            raise RuntimeFailure(f"filePath has an illegal character! {path}")
        if found.st_size >= FILE_LIMIT:
            raise RuntimeFailure(f"fileSize out of bounds! {path}")


class Kernel:
    """The calls that Python has no names for (setns only from 3.12 on)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def enter(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._check(self._libc.setns(fd, CLONE_NEWNS), "setns", path)
        finally:
            os.close(fd)

    def bind(self, source: str, target: str) -> None:
        """Read-only. Recursive, other than the real one: the emulated hardware's state is a mount below lib64."""
        self._mount(source.encode(), target.encode(), MS_BIND | MS_REC)
        self._mount(None, target.encode(), MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)

    def _mount(self, source: bytes | None, target: bytes, flags: int) -> None:
        self._check(self._libc.mount(source, target, None, ctypes.c_ulong(flags), None), "mount", target.decode())

    def _check(self, status: int, call: str, path: str) -> None:
        if status != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{call}: {os.strerror(number)}", path)


def inside(rootfs: str, path: str) -> str:
    """Where a path of the host is in the container's root, made if it is not there; a link may not lead out of it."""
    target = rootfs + path
    folder = target if os.path.isdir(path) else os.path.dirname(target)
    os.makedirs(folder, 0o755, exist_ok=True)
    if not os.path.isdir(path):
        os.close(os.open(os.path.realpath(target), os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, os.stat(path).st_mode))
    return target


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ascend-docker-cli")
    parser.add_argument("--allow-link", choices=("True", "False"), required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--rootfs", required=True)
    parser.add_argument("--mount-file", action="append", default=[])
    parser.add_argument("--mount-dir", action="append", default=[])
    parser.add_argument("--options", default="")
    return parser.parse_args(argv[1:])


def main(argv: list[str]) -> int:
    log = Log(LOG)
    options = parse(argv)
    if "NODRV" in options.options.split(","):
        log.info("prestart-hook setup container successful.")
        return 0
    log.info("do mounting")
    try:
        kernel = Kernel()
        kernel.enter(f"/proc/{options.pid}/ns/mnt")
        for path in [*options.mount_file, *options.mount_dir]:
            check(path, options.allow_link == "True")
            kernel.bind(path, inside(options.rootfs, path))
    except (RuntimeFailure, OSError) as failure:
        log.error(f"failed to do mounting. {failure}")
        print(f"{failure}\nfailed to do mounting.")
        return 255
    log.info("prestart-hook setup container successful.")
    return 0

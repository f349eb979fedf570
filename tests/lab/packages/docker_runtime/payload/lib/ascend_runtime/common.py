# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all programs share: their log, the checks of files they trust, the environment of a container, the version."""

from __future__ import annotations

import os
import re
import stat
import sys
import time

LOG_DIR = "/var/log/ascend-docker-runtime"
LIST_DIR = "/etc/ascend-docker-runtime.d"
INFO = "ascend_docker_runtime_install.info"
MAX_LENGTH = 65535
WORDS = re.compile(r"[A-Za-z0-9_./~=: -]+")


class RuntimeFailure(Exception):
    """The program gives up; the text is what it prints."""


class Log:
    """``<LOG_DIR>/<name>``; a log that cannot be written is no reason to stop a container."""

    def __init__(self, name: str, directory: str = LOG_DIR) -> None:
        self._path = os.path.join(directory, name)

    def write(self, level: str, text: str) -> None:
        stamp = time.strftime("%Y/%m/%d %H:%M:%S")
        try:
            os.makedirs(os.path.dirname(self._path), 0o750, exist_ok=True)
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError:
            return
        with os.fdopen(fd, "a", encoding="utf-8") as handle:
            handle.write(f"[{level}]     {stamp}.000000 1       {os.path.basename(sys.argv[0])}    {text}\n")

    def info(self, text: str) -> None:
        self.write("INFO", text)

    def warn(self, text: str) -> None:
        self.write("WARN", text)

    def error(self, text: str) -> None:
        self.write("ERROR", text)


def fatal(log: Log, text: str) -> int:
    """Say why the program ends, where the container engine reads it; returns the exit status."""
    log.error(f"uid: {os.geteuid()} tty: unknown  {text}")
    print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} {text}", file=sys.stderr)
    return 1


def value(env: list[str], name: str, last: bool = False) -> str:
    """The first (or last) value of a variable; empty when absent, or when an entry before it has no '='."""
    for entry in reversed(env) if last else env:
        key, sep, found = entry.partition("=")
        if not sep:
            return ""
        if key == name:
            return found
    return ""


def own_folder() -> str:
    """Where these programs are installed."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def version(folder: str | None = None) -> tuple[int, ...]:
    """Of the installation: (7, 1) of ``version=v7.1.RC1``. Newest when nobody wrote it down."""
    try:
        with open(os.path.join(folder or own_folder(), INFO), encoding="utf-8") as handle:
            found = re.search(r"(?m)^version=v?(\d+)\.(\d+)", handle.read())
    except OSError:
        found = None
    return (int(found.group(1)), int(found.group(2))) if found else (99, 0)


def trusted(path: str, parents: bool = True) -> str:
    """A plain file that root or this user owns and nobody else may write, like all folders above it; its path.

    Links anywhere in the path are refused.
    """
    if not WORDS.fullmatch(path) or ".." in path or "./" in path:
        raise RuntimeFailure("invalid path")
    path = os.path.abspath(path)
    if os.path.realpath(path) != path or not os.path.exists(path):
        raise RuntimeFailure(f"symlinks or not existed, failed {path}, <nil>")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise RuntimeFailure("invalid regular file")
    part = path
    while True:
        found = os.stat(part)
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise RuntimeFailure(f"permission not right {part} {stat.filemode(found.st_mode)}")
        if found.st_uid not in (0, os.getuid()):
            raise RuntimeFailure(f"owner not right {part} {found.st_uid}")
        if part == "/" or not parents:
            return path
        part = os.path.dirname(part)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ascend-docker-hook``: the prestart hook. Reads which files and folders of the driver belong into the container."""

from __future__ import annotations

import json
import os
import stat
import sys

from . import devices
from .common import LIST_DIR, Log, RuntimeFailure, fatal, own_folder, trusted, value, version

LOG = "hook-run.log"
MOUNTS, ALLOW_LINK = "ASCEND_RUNTIME_MOUNTS", "ASCEND_ALLOW_LINK"
CLI = "ascend-docker-cli"
VALID_OPTIONS = ("NODRV", "VIRTUAL")
MAX_ENTRIES = MAX_VALUE = 128
EXTRA_SINCE = (26, 0)
EXTRA = ("/etc/hccl_rootinfo.json", "/usr/local/Ascend/driver/topo")


def lists(text: str) -> list[str]:
    """Names of the mount lists: ``base`` unless the variable names others (which then stand alone)."""
    if not text or len(text) > MAX_VALUE:
        return ["base"]
    return [name.strip().lower() for name in text.split(",")]


def options(text: str) -> list[str]:
    """ASCEND_RUNTIME_OPTIONS, each a known one."""
    if not text:
        return []
    if len(text) > MAX_VALUE:
        raise RuntimeFailure("invalid runtime option, the length exceeds 128 characters")
    found = [option.strip() for option in text.split(",")]
    if not set(found) <= set(VALID_OPTIONS):
        raise RuntimeFailure("invalid runtime option of invalid input value")
    return found


def read_list(name: str, directory: str = LIST_DIR) -> list[str]:
    """Existing files and folders a mount list names. Lines are made absolute, so an empty one is the working folder."""
    path = os.path.join(directory, f"{name}.list")
    try:
        with open(trusted(path), encoding="utf-8") as handle:
            lines = handle.read().splitlines()
    except RuntimeFailure as failure:
        raise RuntimeFailure(f"failed to process config {name}: {failure}") from None
    if len(lines) > MAX_ENTRIES:
        raise RuntimeFailure(f"failed to process config {name}: mount list too long")
    return [path for path in map(os.path.abspath, lines) if os.path.exists(path)]


def command(state: dict, folder: str, found: tuple[int, ...], directory: str = LIST_DIR) -> list[str]:
    """The call of ``ascend-docker-cli`` for a container in OCI ``state``; empty when it asks for no device."""
    with open(os.path.join(state["bundle"], "config.json"), encoding="utf-8") as handle:
        spec = json.load(handle)
    env = spec["process"]["env"]
    if not value(env, devices.VISIBLE):
        return []
    paths = [path for name in lists(value(env, MOUNTS)) for path in read_list(name, directory)]
    if found >= EXTRA_SINCE:
        paths += [path for path in EXTRA if os.path.exists(path)]
    chosen = options(value(env, devices.OPTIONS))
    allow = value(env, ALLOW_LINK) or "False"
    if allow not in ("True", "False"):
        raise RuntimeFailure("failed to parse soft link mode: invalid soft link option")
    argv = [os.path.join(folder, CLI), "--allow-link", allow, "--pid", str(state["pid"])]
    argv += ["--rootfs", os.path.join(state["bundle"], spec["root"]["path"])]
    for flag, test in (("--mount-file", stat.S_ISREG), ("--mount-dir", stat.S_ISDIR)):
        argv += [word for path in paths if test(os.stat(path).st_mode) for word in (flag, path)]
    return argv + (["--options", ",".join(chosen)] if chosen else [])


def main(_argv: list[str]) -> int:
    log = Log(LOG)
    try:
        argv = command(json.load(sys.stdin), own_folder(), version())
    except (RuntimeFailure, OSError, ValueError, KeyError) as failure:
        return fatal(log, f"failed in runtime.doProcess: {failure}")
    if argv:
        log.info("docker hook success, will start cli")
        os.execv(argv[0], argv)
    return 0

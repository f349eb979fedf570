# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ascend-docker-runtime``: what the container engine starts instead of runc, and what then becomes runc."""

from __future__ import annotations

import json
import os
import shutil

from . import dcmi
from .common import MAX_LENGTH, WORDS, Log, RuntimeFailure, fatal, own_folder, trusted, version
from .spec import Editor

LOG = "runtime-run.log"
NAMES = ("docker-runc", "runc")


def bundle(argv: list[str]) -> str | None:
    """The bundle of a ``create`` call (by default the working directory); None for any other call."""
    found, creates = "", False
    for index, word in enumerate(argv):
        if word in ("--bundle", "-b"):
            if index + 1 == len(argv):
                raise RuntimeFailure("failed to get args: bundle option needs an argument")
            found = argv[index + 1]
        elif word == "create":
            creates = True
    return (found or os.getcwd()) if creates else None


def modify(path: str, log: Log) -> None:
    """Rewrite the file in place, as its owner and mode are the engine's business."""
    try:
        with open(path, encoding="utf-8") as handle:
            spec = json.load(handle)
    except FileNotFoundError as exc:
        raise RuntimeFailure(f"spec file does not exist {path}: {exc.strerror}") from None
    except ValueError as exc:
        raise RuntimeFailure(f"failed to unmarshal oci spec file {path}: {exc}") from None
    Editor(spec, own_folder(), dcmi.Library, version(), log).edit()
    with open(path, "r+", encoding="utf-8") as handle:
        handle.truncate(0)
        json.dump(spec, handle, separators=(",", ":"))


def exec_runc(argv: list[str]) -> None:
    """Become runc, with the same arguments. Raises when there is none that root alone may change."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        raise RuntimeFailure('failed to find the path of runc: exec: "runc": executable file not found in $PATH')
    path = trusted(os.path.realpath(found))
    os.execv(path, [path, *argv[1:]])


def main(argv: list[str]) -> int:
    log = Log(LOG)
    text = " ".join(argv)
    if not WORDS.fullmatch(text) or len(text) >= MAX_LENGTH:
        return fatal(log, "command error")
    try:
        folder = bundle(argv)
        if folder is not None:
            path = os.path.join(folder, "config.json")
            try:
                modify(path, log)
            except RuntimeFailure as failure:
                raise RuntimeFailure(f"failed to modify spec file {path}: {failure}") from None
        exec_runc(argv)
    except RuntimeFailure as failure:
        return fatal(log, str(failure))
    return 0

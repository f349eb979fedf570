# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``/etc/vnpu.cfg``: the vNPUs to make again at boot, as the driver keeps them.

The file names commands, one per vNPU, by ascending physical and vNPU id, and whether they are replayed. Turning
replay off takes the commands out; nothing is added while it is off.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from . import state

PATH = "/etc/vnpu.cfg"
RECOVER = "vnpu_config_recover:"
START, END = "[vnpu-config start]", "[vnpu-config end]"
LINE = re.compile(
    r"(?P<phy_id>\d+):(?P<vnpu_id>\d+):npu-smi set -t create-vnpu -i (?P<npu_id>\d+) -c (?P<chip_id>\d+)"
    r" -f (?P<template>\S+) -v \d+(?: -g (?P<vgroup_id>\d+))?"
)


class Entry(NamedTuple):
    """One command. ``vgroup_id`` only on 310P."""

    phy_id: int
    vnpu_id: int
    npu_id: int
    chip_id: int
    template: str
    vgroup_id: int | None = None

    @property
    def text(self) -> str:
        group = "" if self.vgroup_id is None else f" -g {self.vgroup_id}"
        command = f"npu-smi set -t create-vnpu -i {self.npu_id} -c {self.chip_id} -f {self.template} -v {self.vnpu_id}"
        return f"{self.phy_id}:{self.vnpu_id}:{command}{group}"


def path() -> str:
    return os.path.join(state.state_dir(), "vnpu.cfg") if state.standalone() else PATH


def read() -> tuple[bool, list[Entry]]:
    """Whether commands are replayed, and which. Without a file: yes, none. Other lines are not commands."""
    try:
        with open(path(), encoding="utf-8") as handle:
            lines = handle.read().splitlines()
    except FileNotFoundError:
        return True, []
    recover = next((line[len(RECOVER) :] == "enable" for line in lines if line.startswith(RECOVER)), True)
    found = [LINE.fullmatch(line) for line in lines]
    entries = [
        Entry(**{key: value if key == "template" else int(value) for key, value in match.groupdict().items() if value})
        for match in found
        if match is not None
    ]
    return recover, entries


def trusted() -> bool:
    """Whether the boot script takes the file: a plain file of root."""
    if state.standalone():
        return True
    try:
        found = os.lstat(PATH)
    except FileNotFoundError:
        return True
    return not os.path.islink(PATH) and found.st_uid == 0 and found.st_gid == 0


def add(entry: Entry) -> None:
    """Note a vNPU; nothing when replay is off or it is noted."""
    recover, entries = read()
    if recover and entry not in entries:
        write(recover, [*[e for e in entries if (e.phy_id, e.vnpu_id) != (entry.phy_id, entry.vnpu_id)], entry])


def remove(phy_id: int, vnpu_id: int) -> None:
    recover, entries = read()
    kept = [e for e in entries if (e.phy_id, e.vnpu_id) != (phy_id, vnpu_id)]
    if kept != entries:
        write(recover, kept)


def set_recover(recover: bool) -> None:
    write(recover, read()[1] if recover else [])


def write(recover: bool, entries: list[Entry]) -> None:
    lines = [RECOVER + ("enable" if recover else "disable"), START, *[e.text for e in sorted(entries)], END]
    state.replace_file(path(), "".join(line + "\n" for line in lines), 0o600)

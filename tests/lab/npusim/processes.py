# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses the chips: found in /proc, never stored, so that it ends with the process.

A process is an NPU process when it holds ``/dev/davinci<phy>`` open. The memory it claims is the sum of
the memory files it holds named ``npusim-hbm:<phy>:<MB>``. vNPU ids begin where physical ids end, so
``/dev/davinci<vnpu>`` (its name in a container) and ``/dev/vdavinci<vnpu>`` are as plain.
"""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Dict, Iterable, List

from .model import Chip, Machine, Process
from .state import device_dir

CLAIM_PREFIX = "/memfd:npusim-hbm:"
NAME_LENGTH = 15  # npu-smi takes /proc/PID/comm, which the kernel cuts at 15
Usage = Dict[int, List[Process]]  # physical or vNPU id -> processes


def scan(proc: str = "/proc") -> Usage:
    """Processes on each chip and vNPU, by ascending PID, as seen from this PID namespace."""
    prefixes = (device_dir() + "/davinci", device_dir() + "/vdavinci")
    found: Usage = {}
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdigit()):
        held = _held(os.path.join(proc, str(pid), "fd"), prefixes)
        for phy_id in sorted(held):
            process = Process(pid, _name(proc, pid), held[phy_id], _container_pid(proc, pid))
            found.setdefault(phy_id, []).append(process)
    return found


def observe(machine: Machine, usage: Usage) -> Machine:
    """The machine with claims and leaks added to the idle baselines of its chips."""
    seen = deepcopy(machine)
    for npu in seen.npus:
        for chip in npu.chips:
            claim(chip, usage)
    return seen


def claim(chip: Chip, usage: Usage) -> None:
    """Add to one chip what processes on it and on its slices hold."""
    claimed = sum(p.memory_mb for p in usage.get(chip.phy_id, ())) + chip.leak_mb
    claimed += sum(p.memory_mb for v in chip.vnpus for p in usage.get(v.vnpu_id, ()))
    if chip.hbm_mb is not None:
        chip.hbm_mb = _more(chip.hbm_mb, claimed)
    elif claimed:
        chip.memory_mb = _more(chip.memory_mb, claimed)
        # DDR chips serve processes from 2 MB huge pages, all of them in use
        # (npu-smi__info__310P3_300IDuo__24_1_0_1__procs: 7210 pages for 14513 MB).
        chip.hugepages = (claimed // 2, claimed // 2)


def by_chip(machine: Machine, usage: Usage) -> Usage:
    """Processes on vNPUs counted to the chips they are slices of, as the tool lists them on the host."""
    found = dict(usage)
    for npu in machine.npus:
        for chip in npu.chips:
            on_slices = [p for v in chip.vnpus for p in found.pop(v.vnpu_id, [])]
            if on_slices:
                found[chip.phy_id] = sorted([*found.get(chip.phy_id, []), *on_slices], key=lambda p: p.pid)
    return found


def free_mb(chip: Chip) -> int:
    """Memory left on an observed chip, in MB."""
    used, total = chip.hbm_mb if chip.hbm_mb is not None else chip.memory_mb
    return total - used


def _more(pair: tuple[int, int], extra: int) -> tuple[int, int]:
    return (min(pair[0] + extra, pair[1]), pair[1])


def _held(directory: str, prefixes: tuple[str, str]) -> dict[int, int]:
    """phy id -> MB for the process with these descriptors; empty when it uses no chip or is gone."""
    links = list(_links(directory, (*prefixes, CLAIM_PREFIX)))
    held = {phy: 0 for phy in (_device(link, prefix) for link in links for prefix in prefixes) if phy is not None}
    for link in links:
        claim = _claim(link)
        if claim is not None and claim[0] in held:
            held[claim[0]] += claim[1]
    return held


def _links(directory: str, prefixes: tuple[str, ...]) -> Iterable[str]:
    try:
        names = os.listdir(directory)
    except OSError:  # ended meanwhile, or not ours to look at
        return
    for name in names:
        try:
            link = os.readlink(directory + "/" + name)
        except OSError:
            continue
        if link.startswith(prefixes):
            yield link


def _device(link: str, prefix: str) -> int | None:
    number = link[len(prefix) :]
    return int(number) if link.startswith(prefix) and number.isdigit() else None


def _claim(link: str) -> tuple[int, int] | None:
    if not link.startswith(CLAIM_PREFIX):
        return None
    parts = link[len(CLAIM_PREFIX) :].split(" ")[0].split(":")
    if len(parts) != 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        return None
    return int(parts[0]), int(parts[1])


def _name(proc: str, pid: int) -> str:
    try:
        with open(os.path.join(proc, str(pid), "comm"), encoding="utf-8", errors="replace") as handle:
            return handle.read().rstrip("\n").replace(":", "")[:NAME_LENGTH]
    except OSError:
        return ""


def _container_pid(proc: str, pid: int) -> int | None:
    """PID in the innermost namespace; ``None`` for a process that is in no other than ours."""
    try:
        with open(os.path.join(proc, str(pid), "status"), encoding="utf-8", errors="replace") as handle:
            for line in handle:
                if line.startswith("NSpid:"):
                    pids = line.split()[1:]
                    return int(pids[-1]) if len(pids) > 1 else None
    except OSError:
        pass
    return None

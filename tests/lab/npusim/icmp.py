# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real ICMP echo from the address of an NPU's port."""

from __future__ import annotations

import re
from typing import NamedTuple

PACKETS = 3  # hccn_tool always sends three
INTERVAL = "0.2"  # seconds, the shortest ping grants without privileges
WAIT = "1"
STANDALONE_MS = 0.067  # a machine that is a directory has no network: every peer answers, in this time


class Echo(NamedTuple):
    """Times in ms by packet (``None``: no answer), and what else ``ping`` reported."""

    times_ms: list[float | None]
    unreachable: bool = False
    too_long: bool = False


class NoPing(Exception):
    """There is no ``ping`` on this machine."""


def echo(source: str, target: str, size: int, packets: int = PACKETS) -> Echo:
    """Send and wait. A source address that is not on this machine counts as no answer. Raises ``NoPing``."""
    import subprocess

    argv = ["ping", "-n", "-c", str(packets), "-i", INTERVAL, "-W", WAIT, "-s", str(size), "-I", source, target]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except OSError as exc:
        raise NoPing(f"ping: {exc.strerror}") from exc
    return parse(done.stdout, packets)


def parse(text: str, packets: int) -> Echo:
    """Read the output of iputils ``ping`` (its packets count from 1)."""
    times: list[float | None] = [None] * packets
    for found in re.finditer(r"bytes from .*icmp_seq=(\d+) .*time=([\d.]+) ms", text):
        if 1 <= int(found.group(1)) <= packets and times[int(found.group(1)) - 1] is None:
            times[int(found.group(1)) - 1] = float(found.group(2))
    unreachable = re.search(r"Destination Host Unreachable|connect: (No route to host|Network is unreachable)", text)
    return Echo(times, unreachable is not None, "essage too long" in text)

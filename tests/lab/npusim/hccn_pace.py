# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a call of ``hccn_tool`` takes, and which port does not answer now: one call at a time, busy, or hanging."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from . import state
from .hccn_errors import BUSY, HEALTH_TIMEOUT, HccnError

TYPE_CHECKING = False  # not from typing: importing that costs a call of hccn_tool more than answering
if TYPE_CHECKING:
    from typing import Any, Iterator

    from .model import Machine

LOCK_DIR = "/run/npusim"
HEALTH_WAIT = 300.0  # seconds the tool waits for an NPU that is not ready; it asks once a second


def wait_ready(machine: Machine, phy_id: int) -> None:
    """What every ``-i`` call does first: wait for the NPU. Raises ``HccnError`` when it does not get ready in time.

    A hang of that time or more never ends by itself; clearing the fault ends every hang at the next look.
    """
    begin = time.monotonic()
    wanted = _port(machine, phy_id).hang_s
    while True:
        left = min(wanted, HEALTH_WAIT) - (time.monotonic() - begin)
        if wanted <= 0:
            return
        if left <= 0:
            break
        time.sleep(min(left, 1.0))
        wanted = _port(state.load(), phy_id).hang_s
    if wanted >= HEALTH_WAIT:
        raise HccnError(HEALTH_TIMEOUT)


def directory() -> str:
    """Where what goes on in the ports is noted; empty after every start of a node."""
    return state.state_dir() if state.standalone() else LOCK_DIR


@contextlib.contextmanager
def alone(machine: Machine, phy_id: int) -> Iterator[None]:
    """The port serves one call at a time; the second, or one that a fault refuses, is told to come back."""
    if _port(machine, phy_id).busy > 0:
        _use_up(phy_id)
        raise HccnError(BUSY)
    try:
        os.makedirs(directory(), exist_ok=True)
        lock = os.open(os.path.join(directory(), f"hccn.{phy_id}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # a container without a writable /run: nothing to meet there
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise HccnError(BUSY) from None
    finally:
        os.close(lock)


@contextlib.contextmanager
def lasting(seconds: float) -> Iterator[None]:
    """Let the whole call last that long, counted from the start of this process; at once when it is older."""
    try:
        yield
    finally:
        if seconds > 0:
            left = seconds - _age()
            if left > 0:
                time.sleep(left)


def _age() -> float:
    """Seconds since this process was started: the emulator's own start must not add to a latency."""
    with open("/proc/self/stat", encoding="utf-8") as handle:
        ticks = int(handle.read().rpartition(")")[2].split()[19])  # field 22; the name before it may hold blanks
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def _port(machine: Machine, phy_id: int) -> Any:
    """The chip's port; callers have made sure that there is one."""
    chip = machine.chip_by_phy(phy_id)
    assert chip is not None
    return chip.roce


def _use_up(phy_id: int) -> None:
    """Count one refusal down. A container cannot write the state: there the port stays busy until cleared."""
    if not os.access(state.state_dir(), os.W_OK):
        return
    with state.changing() as machine:
        roce = _port(machine, phy_id)
        roce.busy = max(roce.busy - 1, 0)

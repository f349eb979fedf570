# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a machine's state lives, and how it is read and changed.

One JSON file of typed values, written atomically under a lock. Containers see it read-only through the
driver's ``lib64`` mount.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os

TYPE_CHECKING = False  # not from typing: importing that costs a call of hccn_tool more than answering
if TYPE_CHECKING:
    from typing import Any, Iterator

    from .model import Machine

DEFAULT_DIR = "/var/lib/npusim"
MOUNTED_DIR = "/usr/local/Ascend/driver/lib64/npusim-hw"
STATE_FILE = "state.json"
DEFAULT_DEV = "/dev"


class NoState(Exception):
    """There is no state to read: the machine was never booted, or the directory is not mounted here."""


def state_dir() -> str:
    """``NPUSIM_STATE`` if set, else the node's directory, else (in a container) the mounted one."""
    chosen = os.environ.get("NPUSIM_STATE") or DEFAULT_DIR
    return chosen if os.path.isdir(chosen) else MOUNTED_DIR


def standalone() -> bool:
    """A state directory given by ``NPUSIM_STATE`` stands for a whole machine: no device nodes, no network."""
    return bool(os.environ.get("NPUSIM_STATE"))


def on_node() -> bool:
    """On the machine itself, as opposed to inside a container that mounts its driver."""
    return standalone() or os.path.isdir(DEFAULT_DIR)


def device_dir() -> str:
    """Where ``davinci<phy>`` nodes are: ``/dev``, or ``NPUSIM_DEV``.

    A standalone machine has its own directory: what runs on this host's chips is not running on its.
    """
    if os.environ.get("NPUSIM_DEV"):
        return os.environ["NPUSIM_DEV"]
    return os.path.join(state_dir(), "dev") if standalone() else DEFAULT_DEV


def device_path(phy_id: int) -> str:
    return os.path.join(device_dir(), f"davinci{phy_id}")


def device_paths(number: int) -> tuple[str, str]:
    """Names a chip or vNPU may have: a container is given ``/dev/vdavinci<id>`` as ``/dev/davinci<id>``."""
    return device_path(number), os.path.join(device_dir(), f"vdavinci{number}")


def load(directory: str | None = None) -> Machine:
    """Read the machine. Raises ``NoState`` when there is none, ``ValueError`` when it is damaged."""
    from .model import Machine

    return Machine.from_dict(raw(directory))


def raw(directory: str | None = None) -> dict[str, Any]:
    """The stored values as they are. Raises ``NoState``."""
    path = os.path.join(directory or state_dir(), STATE_FILE)
    try:
        with open(path, encoding="utf-8") as handle:
            return json.load(handle)
    except OSError as exc:
        raise NoState(f"cannot read {path}: {exc.strerror}") from exc


def save(machine: Machine, directory: str | None = None) -> None:
    """Write the machine atomically; readers see the old or the new state, never half of one."""
    path = os.path.join(directory or state_dir(), STATE_FILE)
    replace_file(path, json.dumps(machine.to_dict(), indent=1) + "\n", 0o644)


def replace_file(path: str, text: str, mode: int) -> None:
    """Write a file so that nobody ever reads half of it, and a power cut leaves the old or the new one."""
    temporary = f"{path}.{os.getpid()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def changing(directory: str | None = None) -> Iterator[Machine]:
    """Read, let the caller change, and write back, alone: nothing is written when the body raises."""
    directory = directory or state_dir()
    lock = os.open(os.path.join(directory, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        machine = load(directory)
        yield machine
        save(machine, directory)
    finally:
        os.close(lock)

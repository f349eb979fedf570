# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driver and firmware of a node: what is installed (files), and what of it runs (the state, since the last start).

The vendor's packages write the files; loading is the hardware's part: a start of the node, or a hot reset that works.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from typing import Mapping

from . import gate, install, power, processes, small_disk, state
from .model import Machine

INSTALL_INFO = "/etc/ascend_install.info"
MARKER = "made"  # in the state directory: the node is as it left the factory
FACTORY_FIRMWARE = "7.5.0.5.220"  # what the chips of a bare machine come with; any older than the packages of the lab
HANG_POLL = 0.3


def ascend_path(part: str = "Driver", info: str = INSTALL_INFO) -> str:
    """Where driver or firmware is installed; the vendor's default when the file does not say."""
    return read_values(info).get(f"{part}_Install_Path_Param") or install.ASCEND


def read_values(path: str) -> dict[str, str]:
    """``KEY=value`` lines of a file, the last of each key; empty when there is no file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            pairs = [line.strip().partition("=") for line in handle]
    except OSError:
        return {}
    return {key: value for key, sep, value in pairs if sep}


def installed(part: str = "driver") -> str | None:
    """Version of the installed driver or firmware; None when it is absent or was left half-way."""
    path = os.path.join(ascend_path(part.capitalize()), part, "version.info")
    return read_values(path).get("Version") or None


def first_start(environ: Mapping[str, str]) -> bool:
    """Whether the node has just been made. A bare one loses what the image brought of the driver."""
    if not power.in_node():
        return False
    marker = os.path.join(state.DEFAULT_DIR, MARKER)
    if os.path.exists(marker):
        return False
    bare = bool(environ.get("NPUSIM_BARE"))
    if bare:
        install.remove_driver("/")
        for path in ("/usr/local/Ascend", "/usr/local/dcmi", "/etc/hccn.conf", INSTALL_INFO):
            subprocess.run(["rm", "-rf", path], check=True)
    elif not os.path.isdir(os.path.join(install.ASCEND, "driver", "lib64", "npusim")):
        install.driver("/")
    with open(marker, "w", encoding="utf-8") as handle:
        handle.write("bare\n" if bare else "driver\n")
    return True


def take_versions(machine: Machine) -> None:
    """What is installed runs from now on. Chips keep their firmware when its package is removed."""
    version, path = installed(), os.path.join(ascend_path(), "driver", "version.info")
    if version is not None:
        machine.driver_version = machine.tool_version = version
    machine.firmware_version = installed("firmware") or machine.firmware_version
    spans = read_values(path).get("compatible_version_fw", "")
    machine.compatible = not spans or accepts(spans, machine.firmware_version)


def accepts(spans: str, version: str) -> bool:
    """Whether ``version`` is in one of ``[low,high]``; a limit that ends in a dot means all of that prefix."""
    for low, high in re.findall(r"\[([^,\]]+),([^,\]]+)\]", spans):
        if high.endswith(".") and version.startswith(high):
            return True
        if _key(low) <= _key(version) <= _key(high):
            return True
    return False


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def occupied() -> bool:
    """Whether a process has a chip open, or a chip is cut: then there is no hot reset."""
    machine = state.load()
    cut = any(chip.vnpus for npu in machine.npus for chip in npu.chips)
    return cut or any(processes.scan().values())


def hot_reset() -> str:
    """Try to load what was just installed; the word the vendor's scripts keep for the result."""
    from . import boot

    power.check()
    machine = state.load()
    if machine.hot_reset == "ko-abort":
        return "ko_abort"
    if machine.hot_reset != "works" or occupied():
        return "unknown"
    boot.load_driver(fresh=not gate.driver_loaded(), anew=True)
    return "success"


def place(path: str, version: str) -> None:
    """Files of a driver package; its tools are the new ones at once. A state mounted in the old ones is let go."""
    power.check()
    release(path)
    install.driver("/", path)
    with state.changing() as machine:
        machine.tool_version = version
    if gate.driver_loaded():  # the old one still runs, and containers started now mount the new files
        from . import boot

        boot.mount_state(os.path.join(path, "driver", "lib64", "npusim-hw"))


def release(path: str) -> None:
    mounted = os.path.join(path, "driver", "lib64", "npusim-hw")
    while small_disk.mounted(mounted):
        subprocess.run(["umount", "-l", mounted], check=True)


def step(percent: int, path: str) -> None:
    """An installer has come so far: the place where a fault stops it. ``path`` is where it writes."""
    machine = state.load()
    kind, _sep, at = machine.install_stop.partition("@")
    if not kind or percent < int(at):
        return
    with state.changing() as machine:
        machine.install_stop = ""
    if kind == "power-cut":
        power.cut()
    elif kind == "disk-full":
        small_disk.fill(path)
    else:
        for pid in installer(os.getppid()):
            os.kill(pid, signal.SIGKILL)


def installer(pid: int) -> list[int]:
    """The installer that ``pid`` is, and the archive that started it; whoever called that is not among them."""
    found: list[int] = []
    while True:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as handle:
                script = (handle.read().split(b"\0") + [b"", b""])[1]
            with open(f"/proc/{pid}/stat", encoding="utf-8") as handle:
                parent = int(handle.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            return found
        if not script.endswith((b"/install.sh", b".run")):
            return found
        found.insert(0, pid)  # the archive first, so that it does not clean up behind its installer
        pid = parent


def hang_while_told() -> None:
    """A node that never comes back from its restart waits here, before SSH, until it is mended."""
    while state.load().reboot_hangs:
        time.sleep(HANG_POLL)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npusim boot``: make a freshly started node look like a machine whose driver has just loaded.

Safe to repeat. Device nodes, addresses and mounts vanish with every restart of a node; the state stays.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import re
import subprocess
import sys
import time
from typing import Mapping

from . import fabric, gate, pci, profiles, small_disk, stack, state, vnpu, wire
from .model import Machine

DRIVER = "/usr/local/Ascend/driver"
FIRMWARE = "/usr/local/Ascend/firmware"
INSTALL_INFO = "/etc/ascend_install.info"
INTERFACE_WAIT = 20.0  # seconds; the second network of a lab node may be connected after it has started
COMMON_DEVICES = ("davinci_manager", "devmm_svm", "hisi_hdc")
VNPU_LOG = "/var/log/device_boot_init.log"


class BootError(Exception):
    """The node cannot be brought up; the text says what is missing."""


def boot(environ: Mapping[str, str] = os.environ) -> Machine:
    """Create the state if there is none, then everything that depends on it. Needs root."""
    machine = ensure_state(environ)
    stack.hang_while_told()
    if stack.first_start(environ) and not environ.get("NPUSIM_BARE"):
        write_files(machine)
    pci.show(machine)
    if stack.installed() is None:
        return machine
    fresh = not gate.driver_loaded()  # /dev is new after every start of a node
    if environ.get("NPUSIM_ROCE"):
        wait_for_interface(wire.ROCE_INTERFACE)
    machine = load_driver(fresh)
    compileall.compile_dir(os.path.dirname(os.path.abspath(__file__)), quiet=1)
    return machine


def load_driver(fresh: bool, anew: bool = False) -> Machine:
    """The installed driver takes the hardware: devices, vNPUs, addresses, what containers see of the state.

    ``fresh``: none had it since the start; ``anew``: it takes the place of another one.
    """
    if fresh or anew:
        with state.changing() as machine:
            stack.take_versions(machine)
    make_devices(state.load())
    machine = recover_vnpus(fresh)
    if wire.addresses(wire.ROCE_INTERFACE):
        wire.add_addresses(machine)
        fabric.apply(machine)
    mount_state()
    return machine


def ensure_state(environ: Mapping[str, str]) -> Machine:
    """The stored machine, or a new one from ``NPUSIM_PROFILE``, ``NPUSIM_NODE`` and ``NPUSIM_ROCE``."""
    os.makedirs(os.environ.get("NPUSIM_STATE") or state.DEFAULT_DIR, exist_ok=True)
    with contextlib.suppress(state.NoState):
        return state.load()
    name = environ.get("NPUSIM_PROFILE", "")
    if name not in profiles.known():
        raise BootError(f"NPUSIM_PROFILE is {name!r}; use one of {', '.join(sorted(profiles.known()))}")
    node = environ.get("NPUSIM_NODE", "1")
    if not node.isdigit() or not 1 <= int(node) <= 250:
        raise BootError(f"NPUSIM_NODE is {node!r}; use a number from 1 to 250")
    machine = profiles.build(name, int(node))
    now = int(time.time())
    for npu in machine.npus:
        for chip in npu.chips:
            if chip.roce is not None:
                chip.roce.link_records = [(now, "UP")]
    if environ.get("NPUSIM_ROCE"):
        wire.assign(machine, environ["NPUSIM_ROCE"])
    if environ.get("NPUSIM_BARE"):
        machine.firmware_version = stack.FACTORY_FIRMWARE
        for _chip, roce in wire.ports(machine):
            roce.address = roce.netmask = roce.gateway = roce.netdetect = None
    state.save(machine)
    return machine


def write_files(machine: Machine) -> None:
    """What the driver's installer leaves behind; files that are there are kept."""
    major = ".".join(machine.driver_version.split(".")[:2])
    _write_once(
        os.path.join(DRIVER, "version.info"),
        {
            "Version": machine.driver_version,
            "ascendhal_version": "7.35.23",
            "aicpu_version": "1.0",
            "tdt_version": "1.0",
            "log_version": "1.0",
            "prof_version": "2.0",
            "dvppkernels_version": "1.1",
            "tsfw_version": "1.0",
            "Innerversion": "V100R001C23SPC005B219",
            "compatible_version": "[V100R001C30],[V100R001C18],[V100R001C20],[V100R001C21],[V100R001C23]",
            "compatible_version_fw": "[7.0.0,7.8.99]",
            "package_version": machine.driver_version,
        },
        0o444,
    )
    _write_once(
        os.path.join(FIRMWARE, "version.info"),
        {
            "Version": machine.firmware_version,
            "firmware_version": "1.0",
            "package_version": machine.driver_version,
            "compatible_version_drv": f"[24.1,24.1.],[25.0,25.0.],[{major},{major}.]",
        },
        0o444,
    )
    _write_once(
        INSTALL_INFO,
        {
            "UserName": "HwHiAiUser",
            "UserGroup": "HwHiAiUser",
            "Driver_Install_Type": "full",
            "Driver_Install_Path_Param": "/usr/local/Ascend",
            "Driver_Install_For_All": "yes",
            "Driver_Install_Mode": "normal",
            "Driver_Install_Status": "complete",
            "Firmware_Install_Type": "full",
            "Firmware_Install_Path_Param": "/usr/local/Ascend",
        },
        0o644,
    )
    os.makedirs("/usr/local/dcmi", exist_ok=True)
    if not os.path.exists(wire.HCCN_CONF) and not os.path.exists(wire.lost_conf_path()):
        wire.write_conf(machine, wire.HCCN_CONF)


def write_driver_version(machine: Machine) -> None:
    """Let the driver's file name the version the tools name; nothing else in it changes."""
    path = os.path.join(DRIVER, "version.info")
    try:
        with open(path, encoding="utf-8") as handle:
            text = handle.read()
    except FileNotFoundError:
        return
    changed = re.sub(r"(?m)^(Version|package_version)=.*$", rf"\1={machine.driver_version}", text)
    if changed != text:
        state.replace_file(path, changed, 0o444)


def make_devices(machine: Machine) -> None:
    """One node per chip that is present, and the driver's common ones."""
    wanted = [f"davinci{chip.phy_id}" for npu in machine.present() for chip in npu.chips]
    for name in wanted + list(COMMON_DEVICES):
        path = os.path.join(state.device_dir(), name)
        if not os.path.exists(path):
            vnpu.make_node(path)
    for npu in machine.npus:
        for chip in npu.chips:
            if npu.absent and os.path.exists(state.device_path(chip.phy_id)):
                os.unlink(state.device_path(chip.phy_id))


def recover_vnpus(fresh: bool) -> Machine:
    """After a start, make the vNPUs of ``/etc/vnpu.cfg`` again, as the driver's boot script does, and log it."""
    with state.changing() as machine:
        lines = vnpu.power_on(machine) if fresh else []
        vnpu.sync_nodes(machine)
    if lines:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with open(VNPU_LOG, "a", encoding="utf-8") as handle:
            handle.write("".join(f"[aicpu] [{stamp}] {line}\n" for line in lines))
        os.chmod(VNPU_LOG, 0o600)
    return machine


def wait_for_interface(name: str, timeout: float = INTERFACE_WAIT) -> None:
    """Wait until the interface has an address of its own: the NPUs' addresses must come second."""
    deadline = time.monotonic() + timeout
    while not wire.addresses(name):
        if time.monotonic() > deadline:
            raise BootError(f"interface {name} has no address after {timeout:.0f} s; is the node on the RoCE network?")
        time.sleep(0.2)


def mount_state(target: str | None = None) -> None:
    """Show the state, read-only, inside the driver directory that serving containers mount."""
    target = target or os.path.join(stack.ascend_path(), "driver", "lib64", os.path.basename(state.MOUNTED_DIR))
    os.makedirs(target, exist_ok=True)
    if small_disk.mounted(target):
        return
    _run(["mount", "--bind", state.DEFAULT_DIR, target])
    _run(["mount", "-o", "remount,bind,ro", target])


def _write_once(path: str, values: dict[str, str], mode: int) -> None:
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("".join("{}={}\n".format(*item) for item in values.items()))
    os.chmod(path, mode)


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise BootError(f"{' '.join(argv)} failed with {done.returncode}: {done.stdout.strip()}")


def main() -> int:
    try:
        machine = boot()
    except (BootError, wire.WireError, ValueError, OSError, subprocess.CalledProcessError) as exc:
        print(f"npusim boot: {exc}", file=sys.stderr)
        return 1
    chips = sum(len(npu.chips) for npu in machine.present())
    print(f"npusim: {machine.product}, node {machine.node}, {chips} chips")
    return 0

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a node has of driver and firmware, and what holds its NPUs: read, not judged.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import glob
import json
import os
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._hdk_plan import PARTS, Found, Note, Part
from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import device_nodes
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_gather import gather
from ansible_collections.npuops.ascend.plugins.module_utils._proc import owner_of
from ansible_collections.npuops.ascend.plugins.module_utils._run import CommandError, VendorError, run
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_journal import Journal
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import collect, read_installed
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import PCI_FAMILIES, PCI_VENDOR
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_running import boot_identity, boot_time
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_containers import mounts
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_state import StateFile

UNITS = "/etc/systemd/system"
STATE = "/var/lib/npuops"
SERVICES = f"{STATE}/services"
VNPUS = f"{STATE}/vnpus.json"
MANAGER = "/dev/davinci_manager"
MARK = "npuops.service"  # label of our containers, role npu_container
# Words of package names by family.
_CHIPS = {"910": "910", "A2": "910b", "A3": "A3", "310P": "310p", "310B": "310b", "310": "310", "950": "950"}


@dataclass(frozen=True)
class Answers:
    """What npu-smi tells; all empty, with ``silent`` as the reason, when it does not answer.

    ``health`` maps (npu_id, chip_id) to its word, ``processes`` are those of C(npu_info).
    """

    health: dict
    driver: tuple = ()
    firmware: tuple = ()
    compatible: tuple = ()
    processes: tuple = ()
    silent: str = ""


def ask(npu_smi: str, timeout: float) -> Answers:
    """Every NPU's health, versions and processes."""
    try:
        found = gather(NpuSmi(npu_smi, timeout), ["chips", "processes", "boards"], device_nodes())
    except VendorError as error:
        return Answers({}, silent=str(error))

    def told(key: str) -> tuple:
        return tuple(sorted({board[key] for board in found["boards"] if board[key] is not None}))

    return Answers(
        health={(chip["npu_id"], chip["chip_id"] or 0): chip["health"] for chip in found["chips"]},
        driver=told("software_version"),
        firmware=told("firmware_version"),
        compatible=told("compatibility"),
        processes=tuple(found["processes"]),
    )


def read_note(path: str) -> Note | None:
    """The note of a run that has not come to its end. Raises L(VendorError) when it cannot be understood."""
    try:
        with open(path, encoding="utf-8") as handle:
            data = json.load(handle)
        return Note(
            boot=data["boot"],
            before=data["before"],
            wanted=data["wanted"],
            units=tuple(data["units"]),
            slices=tuple(data["slices"]),
            npus=data["npus"],
            changing=tuple(data["changing"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VendorError(
            f"{path}, which says how far a run before has come, cannot be read ({error})",
            "Look at it, start the services named in it yourself, and move it away.",
        ) from error


def pci() -> tuple:
    """(word for the chips in names of packages or None, number of chips) as the PCI bus shows them, driver or not."""
    families = []
    for vendor in glob.glob("/sys/bus/pci/devices/*/vendor"):
        device = os.path.dirname(vendor)
        # What an NPU that is cut shows of its slices is no chip of its own.
        if _line(vendor) == PCI_VENDOR and not os.path.exists(os.path.join(device, "physfn")):
            families.append(PCI_FAMILIES.get(_line(os.path.join(device, "device"))))
    known = [family for family in families if family]
    return (_CHIPS.get(known[0]) if known else None), len(known)


def _line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as handle:
            return handle.read().strip().lower()
    except OSError:
        return ""


def find(npu_smi: str, timeout: float, note_file: str, docker: str) -> tuple:
    """Found and Answers of this node, and sentences about what could not be looked at."""
    parts = read_installed(collect())
    journal = Journal(STATE, readonly=True)
    journal.read()
    answers = ask(npu_smi, timeout)
    note = read_note(note_file)
    warnings: list = []
    containers = _containers(docker, timeout, warnings)
    slices = sorted(int(path.rpartition("davinci")[2]) for path in glob.glob("/dev/vdavinci[0-9]*"))
    ours = _our_slices(slices)

    def part(name: str, running: tuple) -> Part:
        there = getattr(parts, name)
        complete = there.complete and not journal.unfinished(name)
        return Part(there.version, complete, running, journal.reboot(name) or "")

    workers = [
        f"its installer of an earlier run still works (process {journal.runs(name)})"
        for name in PARTS
        if journal.runs(name)
    ]
    found = Found(
        driver=part("driver", answers.driver),
        firmware=part("firmware", answers.firmware),
        loaded=os.path.exists(MANAGER),
        boot=boot_identity(),
        fresh=_written(parts.driver.path) > boot_time(),
        busy=workers[0] if workers else "",
        note=note,
        units=_our_units(timeout),
        slices=tuple(ours),
        strangers=tuple(strangers(answers.processes, containers, slices, ours)),
        npus=len({npu for npu, _chip in answers.health}) or None,
    )
    return found, answers, warnings


def strangers(processes, containers, slices, ours, owner=owner_of):
    """Sentences about what holds an NPU and is not of this collection.

    ``processes`` are those of C(npu_info), ``containers`` what C(docker inspect) prints of the running ones,
    ``slices`` all ids of vNPUs, ``ours`` the ones we carved.
    """
    for process in processes:
        if owner(process["pid"]) is None:
            yield f"NPU {process['npu_id']} is used by process {process['pid']} ({process['name'] or 'name hidden'})"
    foreign = [one for one in containers if MARK not in ((one.get("Config") or {}).get("Labels") or {})]
    whole, sliced = mounts(foreign)
    for what, table in (("/dev/davinci", whole), ("/dev/vdavinci", sliced)):
        holders: dict = {}
        for number, names in table.items():
            for name in names:
                holders.setdefault(name, []).append(f"{what}{number}")
        for name, devices in sorted(holders.items()):
            yield f"container {name} has {', '.join(devices)}"
    known = {piece["vnpu_id"] for piece in ours}
    for number in slices:
        if number not in known:
            yield f"vNPU {number} was not carved by this collection (npu-smi set -t destroy-vnpu removes it)"


def _written(path) -> float:
    """When the driver below an installation path was installed, in seconds since the epoch; 0 when it is not there."""
    try:
        return os.path.getmtime(os.path.join(path or "/", "driver/version.info"))
    except OSError:
        return 0


def _our_slices(there):
    """Those of the slices that are there which we carved, as module npu_vnpu takes them."""
    if not there:
        return []
    notes = StateFile(VNPUS, readonly=True)
    notes.read()
    return [
        {"npu_id": npu, "chip_id": chip, "vnpu_id": number, "template": one.template, "service": one.service}
        for (npu, chip, number), one in sorted(notes.owned.items())
        if number in there
    ]


def unit_names(services: str = SERVICES, units: str = UNITS) -> list:
    """Our units on this node, as they are stopped: the watchdog, the server, the Ray node it runs in."""
    names = [os.path.splitext(name)[0] for name in os.listdir(services)] if os.path.isdir(services) else []
    wanted = [f"npuops-{name}{suffix}.service" for suffix in ("-watchdog", "", "-ray") for name in sorted(names)]
    return [name for name in wanted if os.path.exists(os.path.join(units, name))]


def _our_units(timeout: float) -> tuple:
    """[{"name", "enabled", "active"}] of our units that run, or would at the next start of the machine."""
    names = unit_names()
    if not names:
        return ()
    shown = run(("systemctl", "show", "--property=Id,ActiveState,UnitFileState", *names), timeout)
    states = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.stdout.strip().split("\n\n")]
    found = (
        {
            "name": state["Id"],
            "enabled": state.get("UnitFileState") == "enabled",
            "active": state.get("ActiveState") not in ("inactive", "failed"),
        }
        for state in states
    )
    return tuple(unit for unit in found if unit["enabled"] or unit["active"])


def _containers(docker: str, timeout: float, warnings: list) -> list:
    """What ``docker inspect`` prints of the running containers; none where there is no engine."""
    if not os.path.exists("/run/docker.sock"):
        return []
    try:
        listed = run((docker, "ps", "--quiet", "--no-trunc"), timeout)
        if listed.rc != 0:
            warnings.append(f"containers were not looked at: {listed.shown} said {listed.stderr.strip()!r}")
            return []
        ids = listed.stdout.split()
        # Its status is 1 when a container has ended meanwhile; the others are printed all the same.
        return json.loads(run((docker, "inspect", *ids), timeout).stdout) if ids else []
    except (CommandError, ValueError) as error:
        warnings.append(f"containers were not looked at: {error}")
        return []


__all__ = ["Answers", "ask", "find", "pci", "read_note", "strangers", "unit_names"]

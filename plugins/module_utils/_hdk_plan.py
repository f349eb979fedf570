# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which steps bring driver and firmware of a node from what is found to what is wished. Pure.

This module util is PRIVATE to the collection.

Order (vendor's guide): a first installation is driver, then firmware; an upgrade is firmware, then driver. Firmware is
written through the driver's tool, so a driver that was left half-way comes first, too. A run that ended in the middle
left a note: what was there before it, which services it stopped, and at which start of the machine that was.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.npuops.ascend.plugins.module_utils._services import Problem
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import newer, same_version

PARTS = ("driver", "firmware")
CHANGING = ("driver", "firmware", "reboot")


@dataclass(frozen=True)
class Part:
    """Driver or firmware as found. ``running`` has the versions that NPUs report: one, several, or none is known.

    ``complete`` False: its installer was stopped in the middle, whatever version it has left.
    ``restart`` says why a restart is due that has not been yet, in the words of its installer.
    """

    installed: str | None = None
    complete: bool = True
    running: tuple = ()
    restart: str = ""

    @property
    def broken(self) -> bool:
        return not self.complete

    @property
    def missing(self) -> bool:
        return self.complete and self.installed is None

    def to_dict(self) -> dict:
        return {"installed": self.installed, "complete": self.complete, "running": list(self.running)}

    def shown(self) -> str:
        return "half-way" if self.broken else self.installed or "none"


@dataclass(frozen=True)
class Note:
    """What a run writes before it changes anything, and removes when all is done. ``before`` is {part: version}.

    ``units`` and ``slices`` are ours that it takes away meanwhile, ``npus`` how many NPUs there were (None: unknown),
    ``changing`` the parts whose installers were started.
    """

    boot: str
    before: dict = field(default_factory=dict)
    wanted: dict = field(default_factory=dict)
    units: tuple = ()
    slices: tuple = ()
    npus: int | None = None
    changing: tuple = ()

    def to_dict(self) -> dict:
        return {
            "boot": self.boot,
            "before": self.before,
            "wanted": self.wanted,
            "units": list(self.units),
            "slices": list(self.slices),
            "npus": self.npus,
            "changing": list(self.changing),
        }


@dataclass(frozen=True)
class Found:
    """A node. ``loaded``: a driver runs (its device nodes are there). ``boot`` tells one start from another.

    ``fresh``: the driver's files were written after that start. ``busy``: an installer still works, says this sentence.
    ``units`` are our services that run or would at the next start, ``slices`` vNPUs that we carved, ``strangers``
    sentences about what else holds an NPU, ``npus`` the number of NPUs that answer (None: none does).
    """

    driver: Part
    firmware: Part
    loaded: bool
    boot: str
    fresh: bool = False
    busy: str = ""
    note: Note | None = None
    units: tuple = ()
    slices: tuple = ()
    strangers: tuple = ()
    npus: int | None = None

    def part(self, name: str) -> Part:
        return self.driver if name == "driver" else self.firmware


@dataclass(frozen=True)
class Wish:
    """Versions, None for a part that shall stay as it is, and what may be done for them."""

    driver: str | None = None
    firmware: str | None = None
    drain: bool = False
    allow_downgrade: bool = False
    reboot: bool = True

    def version(self, name: str) -> str | None:
        return self.driver if name == "driver" else self.firmware


@dataclass(frozen=True)
class Plan:
    """``steps`` of drain, driver, firmware, reboot, verify, undrain, in order; none when ``kind`` is unchanged.

    ``problems`` forbid all of them. ``reboot_left``: it takes effect only after a reboot that was left to others.
    ``note`` is what to write first; None for nothing.
    """

    kind: str
    steps: tuple
    changes: tuple
    problems: tuple = ()
    reboot_left: bool = False
    note: Note | None = None


def decide(host: str, wish: Wish, found: Found) -> Plan:
    """The plan for one node; ``host`` is its name for the sentences."""
    installs = _order(found, [name for name in PARTS if _outdated(wish.version(name), found.part(name))])
    waiting = _waits_for_reboot(found)
    steps: list = list(installs)
    reboot_left = False
    if installs or waiting:
        if wish.reboot:
            steps.append("reboot")
        else:
            reboot_left = True
    # What is loaded now, is proven: after our own changes, and when a run before ended without having done so.
    if (steps or found.note) and not reboot_left:
        steps.append("verify")
    units, slices = _to_drain(found)
    if any(step in CHANGING for step in steps) and (found.units or found.slices):
        steps.insert(0, "drain")
    if (units or slices) and (steps or found.note) and not reboot_left:
        steps.append("undrain")
    problems = _problems(host, wish, found, steps, installs)
    kind = _kind(wish, found, installs, waiting)
    note = _note(wish, found, steps, units, slices) if steps else None
    return Plan(
        kind=kind,
        steps=tuple(steps),
        changes=tuple(_changes(wish, found, installs)),
        problems=tuple(problems),
        reboot_left=reboot_left,
        note=note,
    )


def _outdated(wanted: str | None, part: Part) -> bool:
    return wanted is not None and (part.broken or not same_version(wanted, part.installed))


def _order(found: Found, installs) -> list:
    intact = found.driver.installed is not None and found.driver.complete
    order = ("firmware", "driver") if intact else ("driver", "firmware")
    return [name for name in order if name in installs]


def _restarted_since(found: Found) -> bool:
    """The node has been started again since a run noted what it was about to do."""
    return found.note is not None and found.note.boot != found.boot


def _waits_for_reboot(found: Found) -> bool:
    """What is installed does not run, and no restart has been tried for it yet."""
    if any(part.restart for part in (found.driver, found.firmware)):
        return True
    if _restarted_since(found):
        return False  # whatever is wrong now, another restart is no answer: the verification will say so
    if found.note is not None and found.note.changing:
        return True
    if found.driver.installed is None:
        return False
    if not found.loaded:
        return found.fresh or found.note is not None  # else this start could not load it, nor will another
    return any(
        part.installed is not None and any(not same_version(part.installed, version) for version in part.running)
        for part in (found.driver, found.firmware)
    )


def _to_drain(found: Found) -> tuple:
    """What of ours is to come back in the end: what runs now, and what a run before has taken away."""
    noted = found.note or Note(boot="")
    names = {unit["name"] for unit in found.units}
    units = (*(unit for unit in noted.units if unit["name"] not in names), *found.units)
    keys = {_slice_key(piece) for piece in found.slices}
    slices = (*(piece for piece in noted.slices if _slice_key(piece) not in keys), *found.slices)
    return units, slices


def _slice_key(piece: dict) -> tuple:
    return piece["npu_id"], piece["chip_id"], piece["vnpu_id"]


def _kind(wish: Wish, found: Found, installs, waiting: bool) -> str:
    if not installs:
        if waiting:
            return "reboot"
        return "resume" if found.note else "unchanged"
    if any(found.part(name).broken for name in PARTS):
        return "repair"
    if found.driver.missing:
        return "first_install"
    older = [name for name in installs if _is_downgrade(wish, found, name)]
    return "downgrade" if older else "upgrade"


def _is_downgrade(wish: Wish, found: Found, name: str) -> bool:
    installed, wanted = found.part(name).installed, wish.version(name)
    return installed is not None and wanted is not None and newer(installed, wanted)


def _changes(wish: Wish, found: Found, installs):
    for name in PARTS:
        part = found.part(name)
        if name in installs:
            yield f"{name} {part.shown()} -> {wish.version(name)}"
        elif part.installed and any(not same_version(part.installed, version) for version in part.running):
            yield f"{name} {', '.join(part.running)} (running) -> {part.installed}"


def _problems(host: str, wish: Wish, found: Found, steps, installs):
    if found.busy:
        yield Problem(host, "driver and firmware", found.busy, "let it end, then run this again")
    if found.driver.broken and wish.driver is None:
        yield Problem(
            host,
            "driver",
            "an installer was stopped in the middle of it",
            "name the driver's package, and this run repairs it",
        )
    if "firmware" in installs and found.driver.missing and wish.driver is None:
        yield Problem(
            host,
            "firmware",
            "it is written through the driver, and there is none",
            "name the driver's package, too",
        )
    for name in installs:
        if _is_downgrade(wish, found, name) and not wish.allow_downgrade:
            yield Problem(
                host,
                name,
                f"{found.part(name).installed} is installed, which is newer than the wanted {wish.version(name)}",
                "set hdk_allow_downgrade: true if an older one is really wanted",
            )
    silent = found.driver.installed is not None and not found.driver.running
    if silent and not any(step in CHANGING for step in steps) and found.note is None and not _waits_for_reboot(found):
        yield Problem(
            host,
            "driver",
            "it is loaded, but npu-smi tells no version of it" if found.loaded else "this start could not load it",
            "run `npu-smi info` there and read dmesg; a node is not restarted for that",
        )
    if not any(step in CHANGING for step in steps):
        return
    for sentence in found.strangers:
        yield Problem(
            host, "NPUs", sentence, "end it, then run this again: a driver cannot be changed under what uses it"
        )
    if (found.units or found.slices) and not wish.drain:
        what = [unit["name"] for unit in found.units]
        what += [f"vNPU {piece['vnpu_id']} of NPU {piece['npu_id']}" for piece in found.slices]
        yield Problem(
            host,
            "NPUs",
            f"{', '.join(what)} of this collection would have to be interrupted",
            "set hdk_drain: true (they are taken away, and come back afterwards), or run playbooks/upgrade.yml",
        )


def _note(wish: Wish, found: Found, steps, units, slices) -> Note:
    """What to write before the first step. A note that is there keeps what it knew of the time before it."""
    old = found.note
    now = {name: standing(found.part(name)) for name in PARTS}
    begun = any(step in CHANGING for step in steps)
    return Note(
        # Without a change to come, the restart that the old note waits for must stay recognizable.
        boot=found.boot if begun or old is None else old.boot,
        before={name: (old.before.get(name) if old else None) or now[name] for name in PARTS},
        wanted={name: wish.version(name) or now[name] for name in PARTS},
        units=units,
        slices=slices,
        npus=found.npus if found.npus is not None else (old.npus if old else None),
        # What is about to be installed is added when its installer is started; a restart has settled what was.
        changing=() if old is None or (begun and _restarted_since(found)) else old.changing,
    )


def without_package(host: str, plan: Plan, before: dict, back: dict, folder: str) -> list:
    """Problems of a way back for which packages are missing. ``back`` has those that ``folder`` keeps, by part."""
    problems = []
    for name in PARTS:
        if name not in plan.steps or back.get(name):
            continue
        problems.append(
            Problem(
                host,
                name,
                f"{before[name]} was there before, and {folder} keeps no package of it",
                "put its .run or .zip there, or mend what is said above, and run this again: it goes on from here",
            )
        )
    return problems


def standing(part: Part) -> str | None:
    """The version there is; of a part that was left half-way the one that still runs."""
    if part.broken:
        return part.running[0] if len(part.running) == 1 else None
    return part.installed


def unready(host: str, wish: Wish, found: Found, health: dict, compatible, npus: int | None, chips: int) -> tuple:
    """Problems that keep a node from being called done; () when it is.

    ``health`` maps (npu_id, chip_id) to the health word, ``compatible`` has the words of the boards (OK or NOK).
    ``npus`` must answer (None: as many as the note says), and ``chips`` (0: unknown).
    """
    problems = []
    for name in PARTS:
        part, wanted = found.part(name), wish.version(name)
        if wanted is not None and not same_version(wanted, part.installed):
            problems.append(
                Problem(host, name, f"{part.shown()} is installed instead of {wanted}", "run this again; it repairs it")
            )
            continue
        for version in part.running:
            if part.installed is not None and not same_version(part.installed, version):
                problems.append(
                    Problem(
                        host,
                        name,
                        f"{version} runs although {part.installed} is installed",
                        "look into dmesg and /var/log/ascend_seclog/ascend_install.log",
                    )
                )
    if found.driver.installed is not None and not found.driver.running:
        problems.append(Problem(host, "driver", "npu-smi does not answer", "look into dmesg"))
    sick = [f"NPU {npu} chip {chip}: {word}" for (npu, chip), word in sorted(health.items()) if word != "OK"]
    if sick:
        problems.append(
            Problem(host, "NPUs", f"not healthy: {', '.join(sick)}", "ask `npu-smi info -t health -i <NPU>`")
        )
    expected = npus if npus is not None else found.note.npus if found.note else None
    if len(health) < chips:
        problems.append(
            Problem(host, "NPUs", f"{len(health)} of {chips} chips on the PCI bus answer", "look into dmesg")
        )
    elif expected is not None and (found.npus or 0) < expected:
        problems.append(
            Problem(host, "NPUs", f"{found.npus or 0} of {expected} answer", "look into dmesg and `lspci | grep d80`")
        )
    if any(word not in (None, "OK") for word in compatible):
        problems.append(
            Problem(
                host, "firmware", "npu-smi says it is not compatible with the driver", "install the pair of one release"
            )
        )
    return tuple(problems)


__all__ = [
    "CHANGING",
    "PARTS",
    "Found",
    "Note",
    "Part",
    "Plan",
    "Wish",
    "decide",
    "standing",
    "unready",
    "without_package",
]

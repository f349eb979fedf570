# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What to do about a package: one pure function. This module util is PRIVATE to the collection.

Driver, firmware and Docker runtime are there once; versions of CANN stand side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import shown
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import newer, same_version, version_key

NONE, INSTALL, UPGRADE, DOWNGRADE, REINSTALL, UNINSTALL = (
    "none",
    "install",
    "upgrade",
    "downgrade",
    "reinstall",
    "uninstall",
)


@dataclass(frozen=True)
class Wish:
    """What the task asks for. ``version`` is that of the package, or None where only the kind is named (absent)."""

    kind: str
    state: str = "present"
    version: str | None = None
    component: str | None = None
    family: str | None = None
    allow_downgrade: bool = False
    allow_reinstall: bool = False


@dataclass(frozen=True)
class There:
    """What is there of it: ``versions`` (CANN may have several), and ``damaged``: why it cannot be trusted, or ''."""

    versions: tuple = ()
    damaged: str = ""

    @property
    def version(self) -> str | None:
        return max(self.versions, key=version_key) if self.versions else None


@dataclass(frozen=True)
class Plan:
    """``action`` is one of the words above; ``before`` and ``after`` are versions or None; ``refusal`` ends it."""

    action: str
    before: str | None
    after: str | None
    sentence: str
    refusal: str = ""
    remedy: str = ""

    @property
    def changes(self) -> bool:
        return self.action != NONE


def plan(wish: Wish, there: There) -> Plan:
    """Decide. present: exactly this version; latest: this or a later one; absent: none (of CANN: not this version)."""
    what = shown(wish.kind, wish.component, wish.family)
    if wish.state == "absent":
        return _absent(wish, there, what)
    if wish.kind == "cann":
        return _beside(wish, there, what)
    before, wanted = there.version, wish.version
    if there.damaged:
        return Plan(REINSTALL, before, wanted, f"install {what} {wanted} again: {there.damaged}")
    if before is None:
        return Plan(INSTALL, None, wanted, f"install {what} {wanted}")
    if same_version(wanted, before):
        if wish.allow_reinstall:
            return Plan(REINSTALL, before, wanted, f"install {what} {wanted} again, as asked")
        return Plan(NONE, before, before, f"{what} {before} is installed")
    if newer(wanted, before):
        return Plan(UPGRADE, before, wanted, f"upgrade {what} from {before} to {wanted}")
    if wish.state == "latest":
        return Plan(NONE, before, before, f"{what} {before} is installed, which is later than {wanted}")
    if wish.allow_downgrade:
        return Plan(DOWNGRADE, before, wanted, f"downgrade {what} from {before} to {wanted}")
    return Plan(
        NONE,
        before,
        before,
        f"{what} stays at {before}",
        f"{what} {before} is installed, which is later than {wanted}",
        "Set allow_downgrade: true to go back, or state: latest to accept a later one.",
    )


def _absent(wish: Wish, there: There, what: str) -> Plan:
    gone = [version for version in there.versions if wish.version is None or same_version(wish.version, version)]
    if wish.kind == "cann":
        if not gone:
            return Plan(NONE, None, None, f"{what} {wish.version or ''}".rstrip() + " is not installed")
        if len(gone) > 1:
            return Plan(
                NONE,
                there.version,
                there.version,
                f"{what} stays",
                f"{what} is there in several versions: {', '.join(gone)}",
                "Say which one in version.",
            )
        return Plan(UNINSTALL, gone[0], None, f"remove {what} {gone[0]}")
    if there.version is None and not there.damaged:
        return Plan(NONE, None, None, f"{what} is not installed")
    if there.version is not None and not gone:
        return Plan(NONE, there.version, there.version, f"{what} {wish.version} is not installed")
    return Plan(UNINSTALL, there.version, None, f"remove {what} {there.version or '(left half-way)'}")


def _beside(wish: Wish, there: There, what: str) -> Plan:
    wanted = wish.version
    same = next((version for version in there.versions if same_version(wanted, version)), None)
    if there.damaged:
        return Plan(REINSTALL, same, wanted, f"install {what} {wanted} again: {there.damaged}")
    if same is not None:
        if wish.allow_reinstall:
            return Plan(REINSTALL, same, wanted, f"install {what} {wanted} again, as asked")
        return Plan(NONE, same, same, f"{what} {same} is installed")
    latest = there.version
    if wish.state == "latest" and latest is not None and newer(latest, wanted):
        return Plan(NONE, latest, latest, f"{what} {latest} is installed, which is later than {wanted}")
    besides = f" beside {', '.join(there.versions)}" if there.versions else ""
    return Plan(INSTALL, None, wanted, f"install {what} {wanted}{besides}")


def arguments(action: str, kind: str, install_path: str | None = None, for_all: bool = False, extra=()) -> list:
    """The installer's options for an action."""
    path = [f"--install-path={install_path}"] if install_path else []
    if kind == "docker_runtime":  # it rejects --quiet and all else it does not know
        return [_RUNTIME_WORDS.get(action, "--install"), *path, *extra]
    if action == UNINSTALL:
        return ["--uninstall", *(path if kind == "cann" else []), *(["--quiet"] if kind == "cann" else []), *extra]
    if kind == "cann":
        return ["--install", "--quiet", *(["--install-for-all"] if for_all else []), *path, *extra]
    if action in (
        UPGRADE,
        DOWNGRADE,
    ):  # takes path, user and permissions from the installed one, and no option for them
        return ["--upgrade", "--quiet", *extra]
    everybody = ["--install-for-all"] if for_all and kind == "driver" else []
    return ["--full", *everybody, "--quiet", *path, *extra]


_RUNTIME_WORDS = {UPGRADE: "--upgrade", DOWNGRADE: "--upgrade", UNINSTALL: "--uninstall"}


__all__ = [
    "DOWNGRADE",
    "INSTALL",
    "NONE",
    "REINSTALL",
    "UNINSTALL",
    "UPGRADE",
    "Plan",
    "There",
    "Wish",
    "arguments",
    "plan",
]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One package, one machine: read, decide, check, run, read back. This module util is PRIVATE to the collection.

What is decided and what is read is in the modules it imports; here is the order of things, and what is left when one
of them fails.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils import _run_package_checks as checks
from ansible_collections.npuops.ascend.plugins.module_utils import _run_package_scripts as scripts
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed, VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_journal import Journal
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_plan import (
    REINSTALL,
    UNINSTALL,
    Plan,
    There,
    Wish,
    arguments,
    plan,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_source import find_source, unpacked
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import (
    ASCEND,
    INSTALL_INFO,
    Installed,
    Part,
    below,
    collect,
    parse_values,
    read_installed,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import parse_file_name, shown
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_run import watch
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_running import (
    Running,
    boot_time,
    read_running,
    why_restart,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_text import LOGS, NNAL_LOG, Outcome, interpret
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import same_version


class Failed(VendorError):
    """An installer ran and what was wanted is not there. ``standing`` says what is."""

    standing = ""
    changed = False


class Work:
    """``params`` are those of the module run_package; ``machine`` answers the checks, ``root`` is its file system."""

    def __init__(
        self, params: dict, journal: Journal, machine=None, check_mode: bool = False, warn=None, root: str = "/"
    ) -> None:
        self.params, self.journal, self.check_mode, self.root = params, journal, check_mode, root
        self.machine = machine or checks.Machine()
        self.warn = warn or (lambda text: None)
        self.source = find_source(params["path"], params["kind"]) if params["path"] else None
        package = self.source.package if self.source else None
        self.kind = package.kind if package else params["kind"]
        self.component = package.component if package else params["component"]
        self.family = package.family if package else None
        self.version = package.version if package else params["version"]
        self._expected_version()
        self.files: dict = {}
        self.installed: Installed = Installed()
        self.read()

    def _expected_version(self) -> None:
        wanted, source = self.params["version"], self.source
        if not wanted or source is None:
            return
        outer = parse_file_name(source.path).version
        if not same_version(wanted, self.version) and not same_version(wanted, outer):
            raise VendorError(
                f"{source.package.file} is version {self.version}, and {wanted} is wanted", "Correct version or path."
            )

    @property
    def what(self) -> str:
        return shown(self.kind, self.component, self.family if self.kind == "cann" else None)

    @property
    def key(self) -> str:
        if self.kind != "cann":
            return self.kind
        return "/".join(["cann", self.component or "", self.family or "", (self.version or "").lower()])

    @property
    def log(self) -> str:
        return NNAL_LOG if self.component == "nnal" else LOGS[self.kind].format(self.component)

    def read(self) -> None:
        """Read the vendor's files anew."""
        self.files = collect(self.params["install_path"], root=self.root)
        self.installed = read_installed(self.files)

    def part(self) -> Part:
        """Driver, firmware or Docker runtime."""
        return getattr(self.installed, self.kind)

    def of_cann(self) -> list:
        path = self.params["install_path"]
        return [
            entry
            for entry in self.installed.cann
            if entry.component == self.component
            and self.family in (None, entry.family or self.family)
            and (not path or entry.path.startswith(os.path.join(os.path.normpath(path), "")))
        ]

    def there(self) -> There:
        damaged = self.journal.unfinished(self.key)
        if self.kind == "cann":
            return There(tuple(entry.version for entry in self.of_cann()), damaged)
        part = self.part()
        version = part.version
        if self.source and self.source.guessed and self.kind == "firmware":
            version = part.hdk or version  # the zip's name has the release of the HDK only
        if not part.complete:
            damaged = damaged or "what is there was left half-way"
        return There((version,) if version else (), damaged)

    def decide(self) -> Plan:
        options = {name: self.params[name] for name in ("state", "allow_downgrade", "allow_reinstall")}
        decided = plan(
            Wish(self.kind, version=self.version, component=self.component, family=self.family, **options), self.there()
        )
        if decided.refusal:
            raise VendorError(decided.refusal, decided.remedy)
        return decided

    def running(self) -> Running:
        if self.kind not in ("driver", "firmware"):
            return Running()
        return read_running(self.params["npu_smi"], self.params["query_timeout"])

    def restart(self, running: Running) -> str:
        """Why a restart is due, or ''."""
        if self.kind not in ("driver", "firmware"):
            return self.journal.reboot(self.key) or ""
        part = self.part()
        return why_restart(
            self.kind,
            part,
            running,
            self.journal.reboot(self.key),
            written_at(part, self.kind, self.root),
            boot_time(),
        )

    def command(self, decided: Plan) -> list:
        """What would be run. For a package in a zip with its name inside."""
        options = {"install_path": self.params["install_path"], "for_all": self.params["install_for_all"]}
        if decided.action == UNINSTALL and (self.source is None or self.kind != "cann"):
            script = self._uninstaller()
            if script:
                return ["bash", *script, *self.params["extra_options"]]
            if self.source is None:
                raise VendorError(
                    f"{self.what} has no uninstall script where it was looked for",
                    "Give the package it was installed from in path; it can remove it as well.",
                )
        file = self.source.package.file if self.source.inside else self.source.path
        words = [file, *arguments(decided.action, self.kind, extra=self.params["extra_options"], **options)]
        in_toolkit = self.component == "nnal" and decided.action != UNINSTALL
        return [*(scripts.in_toolkit(self.version, self.installed, self.root) if in_toolkit else ["bash"]), *words]

    def _uninstaller(self) -> list:
        """The script that the installer left, and its words; [] if it is not there."""
        if self.kind == "cann":
            entry = next(
                entry for entry in self.of_cann() if same_version(self.version or entry.version, entry.version)
            )
            return scripts.of_cann(entry, self.root)
        return scripts.of_part(self.kind, self.part(), self.files, self.root)

    def check_name(self) -> None:
        """Raises L(VendorError) for a package of another machine, also when its version is there."""
        if self.source is None or self.params["state"] == "absent":
            return
        package, params = self.source.package, self.params
        found = checks.check_arch(package, params["arch"] or self.machine.arch)
        found += checks.check_family(package, [params["chip"]] if params["chip"] else self.machine.families())
        checks.complain(found)

    def check(self, decided: Plan) -> None:
        """Raises L(VendorError) for all that would stop the installer.

        In check mode what earlier tasks of a play may be about to prepare is a warning: tools, users, space, the
        toolkit.
        """
        if decided.action == UNINSTALL:
            return
        package, params, machine = self.source.package, self.params, self.machine
        found = checks.check_eula(package, params["accept_eula"])
        found += checks.check_tools(self.kind, machine)
        found += checks.check_user(self.kind, self._user(), machine)
        found += checks.check_toolkit(package, self.installed)
        build = checks.check_build_tools(self.kind, machine) if params["build_tools"] != "ignore" else []
        if params["build_tools"] == "require":
            found += build
        else:
            self._warn(build)
        here = os.path.exists(self.source.path)
        if not here and not self.check_mode:
            found.append(checks.Found(f"{self.source.path} is not there", "Copy the package to the node first.", True))
        if here:
            if params["sha256"]:
                checks.check_sum(self.source.path, params["sha256"])
            found += checks.check_space(self.kind, self.source.path, *self.places(), machine)
        if self.check_mode:
            self._warn(entry for entry in found if not entry.lasting)
            found = [entry for entry in found if entry.lasting]
        checks.complain(found)

    def places(self) -> tuple:
        """Where it is installed, and where it is unpacked."""
        found = None if self.kind == "cann" else self.part().path
        return self.params["install_path"] or found or ASCEND, self.params["unpack_dir"] or tempfile.gettempdir()

    def _user(self) -> str:
        for option in self.params["extra_options"]:
            if option.startswith("--install-username="):
                return option.partition("=")[2]
        return parse_values(self.files.get(INSTALL_INFO, "")).get("UserName") or "HwHiAiUser"

    def _warn(self, found) -> None:
        for entry in found:
            self.warn(f"{entry.reason}. {entry.remedy}")

    def apply(self, decided: Plan) -> Completed:
        """Run the installer and read back what is there. Raises L(Failed)."""
        pid = self.journal.runs(self.key)
        if pid is not None:
            raise VendorError(
                f"the installer of an earlier run still works (process {pid})", "Let it end, then run again."
            )
        before_entry, before = self.journal.entries.get(self.key), self.there()
        with self._runnable(decided) as argv:
            self.journal.begin(
                self.key,
                package=self.source.package.file if self.source else None,
                version=decided.after or decided.before,
                sha256=self.params["sha256"],
                action=decided.action,
            )
            try:
                ran = watch(
                    argv,
                    self.params["timeout"],
                    self.params["accept_eula"],
                    self.params["unpack_dir"],
                    started=lambda pid: self.journal.started(self.key, pid),
                )
            except VendorError:
                self.journal.put_back(self.key, before_entry)
                raise
        outcome = interpret(self.kind, ran.completed.rc, ran.completed.stdout)
        self.read()
        outcome = self._judged(decided, before, ran, outcome)
        if outcome.ok:
            self.journal.end(self.key, outcome.reboot_reason)
            return ran.completed
        raise self._failure(decided, before, before_entry, ran, outcome)

    @contextlib.contextmanager
    def _runnable(self, decided: Plan):
        """The command, with the package unpacked from its zip as long as it runs."""
        argv = self.command(decided)
        if self.source is None or self.source.package.file not in argv:
            yield argv
            return
        with unpacked(self.source, self.params["unpack_dir"]) as path:
            yield [path if word == self.source.package.file else word for word in argv]

    def found_after(self, decided: Plan) -> str | None:
        """The version that is there after a plan that was carried out."""
        wanted = decided.after
        if wanted is None:
            return None
        return next((version for version in self._files_say() if same_version(wanted, version)), self.there().version)

    def _holds(self, decided: Plan) -> bool:
        """Whether the vendor's files now say what was wanted."""
        there = self._files_say()
        if decided.action == UNINSTALL:
            gone = decided.before is None or not any(same_version(decided.before, version) for version in there)
            return gone and (self.kind == "cann" or not there)
        wanted = self.source.package.version
        return any(same_version(wanted, version) for version in there) and (self.kind == "cann" or self.part().complete)

    def _files_say(self) -> tuple:
        if self.kind == "cann":
            return tuple(entry.version for entry in self.of_cann())
        return (self.part().version,) if self.part().version else ()

    def _judged(self, decided: Plan, before: There, ran, outcome: Outcome) -> Outcome:
        holds = self._holds(decided)
        rc = ran.completed.rc
        if outcome.ok and not holds:
            found = ", ".join(self._files_say()) or "none"
            wanted = decided.after or "none"
            return replace(
                outcome,
                ok=False,
                reason=f"it says that it is done, but {wanted} is wanted and its files say {found}",
                remedy="See the log; the file system may have been full.",
            )
        new_words = holds and not outcome.ok and not outcome.declined and not outcome.errors
        if new_words and rc in (0, 2) and (decided.action == UNINSTALL or decided.after not in before.versions):
            self.warn(
                f"the installer of {self.what} said nothing that is known for success, but what it was for is there"
            )
            sentence = "The installer does not say whether a restart is needed"
            due = self.kind in ("driver", "firmware")
            return Outcome(True, reboot=due, reboot_reason=sentence if due else None)
        return outcome

    def _failure(self, decided: Plan, before: There, before_entry, ran, outcome: Outcome) -> Failed:
        there = self._files_say()
        reason, remedy = outcome.reason, outcome.remedy
        if ran.why:
            reason, remedy = ran.why, ran.remedy
        elif outcome.declined and ran.questions:
            reason = f"it asked {ran.questions[-1]!r}, and the answer was no"
        else:
            full = [path for path in self.places() if self.machine.free(path) < checks.MB]
            if full:  # the installers keep that in their log
                reason = f"{', '.join(full)} has no space left ({reason})"
                remedy = "Make space there and run again: it starts anew."
        untouched = there == before.versions and (self.kind == "cann" or self.part().complete or bool(before.damaged))
        cut = bool(ran.why) or ran.completed.rc is None or ran.completed.rc < 0
        if untouched and not cut and decided.action != REINSTALL:
            self.journal.put_back(self.key, before_entry)
            standing = f"{self.what} is as it was: {', '.join(there) or 'not installed'}"
        elif there and not cut and untouched:
            standing = f"{self.what} {', '.join(there)} is there, and the next run installs it again"
        else:
            standing = (
                f"{self.what} was left half-way ({', '.join(there) or 'no version'} in its files), and the next run "
                "installs it again"
            )
        error = Failed(f"{reason}. {standing}. Log: {self.log}", remedy, ran.completed)
        error.standing, error.changed = standing, not untouched or cut
        return error


def written_at(part: Part, kind: str, root: str = "/") -> float | None:
    """When the version file of driver or firmware was last written (it cannot be set back)."""
    try:
        return os.stat(below(root, os.path.join(part.path or "", kind, "version.info"))).st_ctime
    except OSError:
        return None


__all__ = ["Failed", "Work", "written_at"]

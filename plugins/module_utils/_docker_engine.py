# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask and steer the Docker engine of this machine. This module util is PRIVATE to the collection.

Through systemd and the engine's socket, with nothing but the standard library: on a bare node there is no C(docker)
command and no C(requests) yet.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import socket
import time
from dataclasses import dataclass, field

from ._docker_config import changed_keys, flags, needs_restart, not_in_effect
from ._run import Completed, VendorError, run

# In /run: after a reboot the engine has read everything anyway.
RECORD = "/run/npuops/docker.json"

_PROPERTIES = (
    "LoadState,ActiveState,MainPID,FragmentPath,DropInPaths,EnvironmentFiles,Environment,ExecStart,NeedDaemonReload"
)
_ARGV = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_COMPLAINT = re.compile(r"level=(?:error|fatal)|failed to|unable to|invalid", re.IGNORECASE)
_NO_COMPLAINT = re.compile(r"level=(?:info|warning|debug)|Failed to start")


class EngineError(VendorError):
    """The engine does not do what it was told; reason and remedy."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass
class State:
    """What is known of the engine. ``files`` are those that it reads at its start."""

    installed: bool
    active: bool = False
    pid: int = 0
    argv: tuple = ()
    environment: dict = field(default_factory=dict)
    files: tuple = ()
    info: dict = field(default_factory=dict)

    @property
    def flags(self) -> dict:
        return flags(self.argv, self.environment)


class Engine:
    """The engine of one systemd unit. Times in seconds."""

    def __init__(self, unit: str, path: str, config: str, timeout: float, record: str = RECORD) -> None:
        self.unit = unit
        self.socket = path
        self.config = config
        self.timeout = timeout
        self.record = record

    def read(self) -> State:
        """What systemd and, if it runs, the engine tell; an engine that sleeps behind its socket is not woken up."""
        told = parse_show(self._systemctl("show", self.unit, f"--property={_PROPERTIES}").stdout)
        if told.get("LoadState") != "loaded":
            return State(installed=False)
        environment_files = [line.rsplit(" (", 1)[0] for line in told.get("EnvironmentFiles", "").splitlines()]
        fragments = [told.get("FragmentPath", ""), *shlex.split(told.get("DropInPaths", ""))]
        environment = _assignments(shlex.split(told.get("Environment", "")))
        for path in environment_files:
            environment.update(_environment_file(path))
        words = _ARGV.findall(told.get("ExecStart", ""))
        state = State(
            installed=True,
            active=told.get("ActiveState") == "active",
            pid=int(told.get("MainPID") or 0),
            argv=tuple(words[-1].split()) if words else (),
            environment=environment,
            files=tuple(path for path in [*fragments, *environment_files] if path),
        )
        if state.active:
            state.info = self.wait_for_info()
        return state

    def info(self) -> dict:
        """The engine's answer to C(/info). Raises OSError or ValueError while there is none."""
        connection = _UnixConnection(self.socket, self.timeout)
        try:
            connection.request("GET", "/info")
            answer = connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as error:
            raise ValueError(f"no HTTP at {self.socket}: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{answer.status} {answer.reason}: {body[:200].decode('utf-8', 'replace')}")
        return json.loads(body.decode("utf-8"))

    def wait_for_info(self) -> dict:
        """The first answer within the timeout."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return self.info()
            except (OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise EngineError(
                        f"the engine does not answer at {self.socket} within {self.timeout:g} s ({error})",
                        f"Look at journalctl --unit {self.unit}.",
                    ) from error
            time.sleep(0.2)

    def pending(self, state: State, config: dict) -> str | None:
        """What an earlier change still needs to take effect: restart, reload or None.

        Somebody wrote the file and went away: a run that was cut short, or an installer that leaves this to its user.
        """
        if not state.active:
            return None
        seen = self._stamps(state)
        recorded = self._recorded(state)
        if recorded is None:
            started = _started_at(state.pid)
            late = [path for path, (mtime, _size) in seen.items() if started < mtime / 1e9 <= time.time()]
            return "restart" if late else None
        differing = {path for path in {*seen, *recorded["files"]} if seen.get(path) != recorded["files"].get(path)}
        if not differing:
            return None
        if differing != {self.config}:
            return "restart"
        keys = changed_keys(recorded["config"], config)
        if not keys:
            return None
        return "restart" if needs_restart(recorded["config"], config) else "reload"

    def remember(self, config: dict) -> None:
        """Record that the running engine follows ``config`` and its other files as they are now."""
        state = self.read()
        if not state.active:
            return
        os.makedirs(os.path.dirname(self.record), mode=0o755, exist_ok=True)
        record = {
            "pid": state.pid,
            "ticks": _start_ticks(state.pid),
            "files": {path: list(stamp) for path, stamp in self._stamps(state).items()},
            "config": config,
        }
        draft = f"{self.record}.new"
        # The configuration may have passwords of proxies in it.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.replace(draft, self.record)

    def restart(self) -> dict:
        """Start the engine, anew if it runs; its answer."""
        self._systemctl("daemon-reload")
        # systemd gives up on a unit that was started too often, and would refuse the first good start after bad ones.
        self._systemctl("reset-failed", self.unit)
        done = self._systemctl("restart", self.unit, timeout=max(self.timeout, 180))
        if done.rc:
            raise EngineError(
                f"the engine does not start: {self._complaints(done)}",
                f"Look at journalctl --unit {self.unit}.",
                done,
            )
        return self.wait_for_info()

    def reload(self) -> None:
        """Have the engine read its file anew."""
        done = self._systemctl("reload", self.unit)
        if done.rc:
            raise EngineError("the engine cannot be told to read its file", f"Restart {self.unit}.", done)

    def follows(self, config: dict, seconds: float) -> tuple:
        """Keys that the engine does not follow after at most ``seconds``: what SIGHUP asks for is done later."""
        deadline = time.monotonic() + seconds
        while True:
            behind = not_in_effect(config, self.wait_for_info())
            if not behind or time.monotonic() > deadline:
                return behind
            time.sleep(0.2)

    def _systemctl(self, *words: str, timeout: float | None = None) -> Completed:
        return run(("systemctl", *words), timeout or self.timeout, missing="The role needs a system with systemd.")

    def _complaints(self, done: Completed) -> str:
        journal = run(
            ("journalctl", "--unit", self.unit, "--no-pager", "--lines=40", "--output=cat"),
            self.timeout,
            missing="Install systemd.",
        )
        lines = [line.strip().rstrip(".") for line in journal.stdout.splitlines()]
        lines = [line for line in lines if _COMPLAINT.search(line) and not _NO_COMPLAINT.search(line)]
        return " / ".join(dict.fromkeys(lines[-3:])) or done.stderr.strip() or f"systemctl returned {done.rc}"

    def _stamps(self, state: State) -> dict:
        stamps = {}
        for path in (self.config, *state.files):
            try:
                status = os.stat(path)
            except OSError:
                continue
            stamps[path] = (status.st_mtime_ns, status.st_size)
        return stamps

    def _recorded(self, state: State) -> dict | None:
        """What was recorded of this very process, else None."""
        try:
            with open(self.record, encoding="utf-8") as file:
                record = json.load(file)
            if record["pid"] != state.pid or record["ticks"] != _start_ticks(state.pid):
                return None
            return {**record, "files": {path: tuple(stamp) for path, stamp in record["files"].items()}}
        except (OSError, ValueError, KeyError, TypeError):
            # Not there, or not from here: then the times of the files tell.
            return None


def parse_show(text: str) -> dict:
    """The properties of C(systemctl show); one that is printed several times has its values on lines."""
    found: dict = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name] = f"{found[name]}\n{value}" if found.get(name) else value
    return found


def _assignments(words) -> dict:
    return {name: value for name, equals, value in (word.partition("=") for word in words) if equals}


def _environment_file(path: str) -> dict:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return {}
    words = []
    for line in lines:
        if line and line[0] not in "#;":
            name, _equals, value = line.partition("=")
            words.append(f"{name.strip()}={_unquoted(value.strip())}")
    return _assignments(words)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _start_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        # The name in brackets may hold blanks.
        return int(file.read().rpartition(")")[2].split()[19])


def _started_at(pid: int) -> float:
    """Seconds since the epoch, by the clock as it is now."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - _start_ticks(pid) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


__all__ = ["Engine", "EngineError", "RECORD", "State", "parse_show"]

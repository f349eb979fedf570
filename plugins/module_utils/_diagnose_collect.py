# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get the logs of a node: journal, containers and what lies in them, plog, kernel. Reads only.

What cannot be read is said, and never stops the rest: a node that is looked at here is one that has trouble.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import threading
import time
from dataclasses import dataclass, field

from ._diagnose_types import Text
from ._log_text import Ends, log_files, pieces, read_file, read_tar
from ._redact import secrets_of_docker_config, secrets_of_environment
from ._run import Completed, VendorError, run

# In a container: Ray's logs, and the NPU's where nothing else is said.
RAY_LOGS = "/tmp/ray/session_latest/logs"
PLOG = "/root/ascend/log"
PLOG_VARIABLE = "ASCEND_PROCESS_LOG_PATH"
# Files of the node with a secret in them and nothing else.
SECRET_FILES = ("/root/.ray/auth_token", "/root/.cache/huggingface/token", "/root/.huggingface/token")
DOCKER_CONFIG = "/root/.docker/config.json"
SERVICE_FILES = "/etc/npuops"
# Before each path of the node; tests have another node.
ROOT = ""


@dataclass
class Collector:
    """What is read, and what could not be: C(unread) has sentences. Sizes in bytes, times in seconds.

    :ivar services: names; empty means all of the collection's.
    """

    services: tuple = ()
    containers: tuple = ()
    since: float = 86400
    limit: int = 4 << 20
    lines: int = 20000
    timeout: float = 30
    docker: str = "docker"
    unread: list = field(default_factory=list)

    def ask(self, *argv) -> Completed | None:
        """A command that ended well, or None and a sentence in C(unread)."""
        try:
            done = run(argv, self.timeout)
        except VendorError as error:
            self.unread.append(str(error))
            return None
        if done.rc != 0:
            words = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            self.unread.append(f"{done.shown}: exit status {done.rc}: {words}")
            return None
        return done

    def units(self) -> list:
        """Names of the units of the services."""
        done = self.ask("systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service", "npuops-*")
        names = [line.split()[0] for line in (done.stdout.splitlines() if done else ()) if line.split()]
        return [name for name in names if self._wanted(name[len("npuops-") : -len(".service")])]

    def described(self) -> list:
        """``docker inspect`` of the containers: those of the services, and those named."""
        done = self.ask(self.docker, "ps", "--all", "--filter", "name=^npuops-", "--format", "{{.Names}}")
        names = [name for name in (done.stdout.split() if done else ()) if self._wanted(name[len("npuops-") :])]
        names += [name for name in self.containers if name not in names]
        found = []
        for name in names:
            done = self.ask(self.docker, "inspect", "--type=container", name)
            try:
                found += json.loads(done.stdout) if done else []
            except ValueError:
                self.unread.append(f"{self.docker} inspect {name} answered no JSON")
        return found

    def texts(self, units, described, paths=()):
        """Yields L(Text), the logs that say most first."""
        seconds = int(self.since)
        for item in described:
            name = item.get("Name", "").lstrip("/")
            argv = (self.docker, "logs", f"--since={seconds}s", f"--tail={self.lines}", name)
            done = self.ask(*argv)
            if done:
                yield from self._bounded("container", f"docker logs {name}", done.stdout + done.stderr)
        for unit in (*units, "docker.service"):
            argv = ("journalctl", "--no-pager", "--output=short-iso", f"--since=-{seconds}s", f"--lines={self.lines}")
            done = self.ask(*argv, f"--unit={unit}")
            if done:
                yield from self._bounded("journal", f"journalctl -u {unit}", done.stdout)
        for item in described:
            name = item.get("Name", "").lstrip("/")
            yield from self._copied("ray", name, RAY_LOGS)
            for folder in sorted({PLOG, *environment(item).get(PLOG_VARIABLE, "").split()}):
                yield from self._copied("plog", name, folder)
        for kind, folder in (("plog", ROOT + PLOG), *(("file", path) for path in paths)):
            yield from self._files(kind, folder)
        done = self.ask("dmesg", "-T")
        if done:
            yield from self._bounded("dmesg", "dmesg", done.stdout)

    def secrets(self, described) -> set:
        """Values that are secret on this node whatever they look like, as far as files and containers tell."""
        found = set()
        folder = ROOT + SERVICE_FILES
        services = os.listdir(folder) if os.path.isdir(folder) else []
        files = [os.path.join(folder, service, "api_key") for service in services]
        for path in files + [ROOT + name for name in SECRET_FILES]:
            found.add(_content(path).strip())
        try:
            found |= secrets_of_docker_config(json.loads(_content(ROOT + DOCKER_CONFIG) or "{}"))
        except ValueError:
            self.unread.append(f"{DOCKER_CONFIG} is no JSON")
        for item in described:
            config = item.get("Config") or {}
            found |= secrets_of_environment(config.get("Env") or [])
            words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
            # --api-key=VALUE, and --api-key VALUE.
            found |= secrets_of_environment(word.lstrip("-") for word in words if word.startswith("--"))
            found |= secrets_of_environment(
                f"{word.lstrip('-')}={value}" for word, value in zip(words, words[1:]) if word.startswith("--")
            )
        return found - {""}

    def _wanted(self, name):
        return not self.services or any(name == service or name.startswith(service + "-") for service in self.services)

    def _bounded(self, kind, name, text):
        raw = text.encode("utf-8", "replace")
        if len(raw) <= self.limit:
            return [Text(kind, name, text)] if text else []
        keep = self.limit // 4
        return pieces(kind, name, Ends(raw[:keep], raw[keep - self.limit :], len(raw) - self.limit + keep))

    def _files(self, kind, folder):
        if not os.path.exists(folder):
            if kind == "file":
                self.unread.append(f"{folder}: there is no such file or directory")
            return
        for path in log_files(folder, time.time() - self.since):
            try:
                yield from read_file(kind, path, self.limit)
            except OSError as error:
                self.unread.append(f"{path}: {error.strerror or error}")

    def _copied(self, kind, container, folder):
        """Logs in a container, which may have ended: the engine gives them as a tar stream."""
        argv = (self.docker, "cp", f"{container}:{folder}", "-")
        try:
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        except OSError:
            # The engine's command is missing; the first call of it has said so.
            return []
        timer = threading.Timer(self.timeout, process.kill)
        timer.start()
        try:
            with process.stdout as stream:
                return read_tar(
                    kind, f"{container}:{os.path.dirname(folder)}", stream, self.limit, time.time() - self.since
                )
        except (tarfile.TarError, OSError):
            # Most containers have only one of these directories; an empty answer is none.
            return []
        finally:
            process.kill()
            process.wait()
            timer.cancel()


def environment(described) -> dict:
    """The variables of a container, as ``docker inspect`` tells them."""
    pairs = (described.get("Config") or {}).get("Env") or []
    return dict(pair.partition("=")[::2] for pair in pairs)


def _content(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read(1 << 20)
    except OSError:
        return ""

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sees what no exit status and no C(/health) tells: a server that answers nothing, and an NPU that is Critical.

Runs on the node of a service as C(npuops-<name>-watchdog.service), with nothing but Python; so it stands alone.

    python3 watchdog.py CONFIG.json

A server is judged once it was seen ready, and by what it does: an engine lives as long as its counters of tokens and
steps go on, however busy it is. Only one that holds requests and makes no step for C(stall) seconds is hung, and one
that is idle and does not give a single token within C(probe_timeout). It is restarted, C(restarts) times an hour.

An NPU that is Critical makes every start of a server fail. Its number is put into a file that the container reads: a
Ray node then joins without it, so that the head knows which one is missing, and a container of its own waits. Once the
NPU is well the file is emptied and the container started again.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from typing import NamedTuple
from urllib.parse import urlsplit

# What only an engine that works can move: steps, tokens, and requests that it has brought to their end. Not the tokens
# of prompts and the use of the cache: a request that has just come may move those and then hang.
PROGRESS = ("vllm:generation_tokens_total", "vllm:iteration_tokens_total_count", "vllm:request_success_total")
LOAD = ("vllm:num_requests_running", "vllm:num_requests_waiting")
ERROR, WARNING, INFO = "<3>", "<4>", "<6>"
HOUR = 3600.0

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)")
_ABORTED = 'finished_reason="abort"'
_ENGINE = re.compile(r'(?:^|,)\s*engine="([^"]*)"')
_NPU = re.compile(r"/dev/v?davinci\d+$")
_HEALTH = re.compile(r"^\s*Health(?: Status)?\s*:\s*(\S+)\s*$", re.MULTILINE)


class Limits(NamedTuple):
    """All in seconds but C(restarts)."""

    interval: float = 10
    probe_interval: float = 60
    probe_timeout: float = 60
    stall: float = 180
    restarts: int = 3
    health_interval: float = 30


class Engine(NamedTuple):
    """What the metrics say of one engine: requests it has, and a value that changes with every step it makes."""

    load: float
    progress: tuple


class State(NamedTuple):
    """:ivar life: the start of the server that is judged; :ivar since: {engine: (its last L(Engine), since when)}."""

    life: str = ""
    ready: bool = False
    alive_at: float = 0.0
    probed_at: float = 0.0
    since: dict = {}


def engines(text: str) -> dict:
    """{engine: L(Engine)} of a server's metrics; without engines in the labels there is one, named ''."""
    load: dict = {}
    progress: dict = {}
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.match(line)
        if not match or match.group(1) not in PROGRESS + LOAD or _ABORTED in (match.group(2) or ""):
            continue
        label = _ENGINE.search(match.group(2) or "")
        engine = label.group(1) if label else ""
        try:
            value = float(match.group(3))
        except ValueError:
            continue
        progress.setdefault(engine, {})
        if match.group(1) in LOAD:
            load[engine] = load.get(engine, 0.0) + value
        else:
            values = progress[engine]
            values[match.group(1)] = values.get(match.group(1), 0.0) + value
    return {name: Engine(load.get(name, 0.0), tuple(sorted(values.items()))) for name, values in progress.items()}


def judge(state: State, at: float, life: str, found: dict | None, limits: Limits) -> tuple:
    """One look at a server.

    :arg life: what tells one start of the server from the next; empty while it does not run.
    :arg found: what L(engines) gave, or None when the server did not answer.
    :returns: (state, verdict, why): C(starting), C(alive), C(probe) (nobody asks it anything: ask it) or C(hung).
    """
    if not life or life != state.life:
        return State(life=life, alive_at=at, probed_at=at), "starting", ""
    if found is None:
        silent = at - state.alive_at
        if state.ready and silent >= limits.stall:
            return state, "hung", f"it has answered nothing for {silent:.0f} s"
        return state, "alive" if state.ready else "starting", ""
    since = {}
    for name, engine in found.items():
        before, began = state.since.get(name, (None, at))
        moved = before is None or engine.progress != before.progress or not engine.load
        since[name] = (engine, at if moved else began)
    # The probe of a server that has just become ready comes at once: it proves that replies are made at all.
    probed_at = state.probed_at if state.ready else at - limits.probe_interval
    state = state._replace(ready=True, alive_at=at, since=since, probed_at=probed_at)
    for name, (engine, began) in sorted(since.items()):
        if at - began >= limits.stall:
            which = f"engine {name} of it" if len(since) > 1 else "its engine"
            why = f"{which} has {engine.load:.0f} requests and has made no step for {at - began:.0f} s"
            return state, "hung", why
    idle = not any(engine.load for engine in found.values())
    if idle and at - state.probed_at >= limits.probe_interval:
        return state, "probe", ""
    return state, "alive", ""


def healths(text: str) -> list:
    """What C(npu-smi info -t health) says of the chips of an NPU."""
    return _HEALTH.findall(text)


class Http:
    """The server of a service.

    :arg key: sent as a bearer token when not empty.
    """

    def __init__(self, url, key=""):
        parts = urlsplit(url)
        self._place = (parts.hostname, parts.port or 80)
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = "Bearer " + key

    def ask(self, path, timeout, body=None):
        """(status, text); OSError or HTTPException when there is no answer in time."""
        connection = http.client.HTTPConnection(*self._place, timeout=timeout)
        try:
            data = json.dumps(body).encode("utf-8") if body is not None else None
            connection.request("GET" if body is None else "POST", path, body=data, headers=self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()


def requests(server, timeout):
    """How many requests a server (L(Http)) has; none where it does not answer."""
    try:
        status, text = server.ask("/metrics", timeout)
    except (OSError, http.client.HTTPException):
        return 0
    return round(sum(engine.load for engine in engines(text).values())) if status == 200 else 0


class Watchdog:
    """Looks, judges and acts.

    :arg config: C(service), C(server) (unit to restart when its server hangs) and C(url), both empty where no server
        runs; C(model), C(probe) (whether it may be asked for a token), C(container) (its unit), C(npu_ids), C(npu_smi),
        C(marker) (file of the NPUs that are Critical), C(limits).
    :arg run: (argv, timeout) -> (exit status or None, output); :arg http: L(Http) or None; :arg say: takes a line;
        :arg held: (service) -> whether a process of it has an NPU open.
    """

    def __init__(self, config, run, http_client, say, now=time.monotonic, held=None):
        self.config, self.run, self.http, self.say, self.now = config, run, http_client, say, now
        self.held = held or holds_npus
        self.limits = Limits(**config["limits"])
        self.state = State()
        self.restarted: list = []
        self.given_up = False
        self.told = ""
        self.seen: set | None = None
        self.looked_at = -HOUR
        self.hurry = False

    def step(self):
        """One round; called every C(interval) seconds."""
        if self.hurry and not self.held(self.config["service"]):
            self._go_on(self.seen)
        elif self.now() - self.looked_at >= self.limits.health_interval:
            self.looked_at = self.now()
            self._npus()
        if self.http is not None:
            self._server()

    def _server(self):
        life = self._life()
        found = self._metrics() if life else None
        self.state, verdict, why = judge(self.state, self.now(), life, found, self.limits)
        if verdict == "probe" and self.config["probe"]:
            why = self._probe(found)
            self.state = self.state._replace(probed_at=self.now())
            verdict = "hung" if why else "alive"
        if verdict == "hung":
            self._restart(why)

    def _life(self):
        rc, text = self.run(["systemctl", "show", "--property=ActiveState,InvocationID", self.config["server"]], 20)
        values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        return values.get("InvocationID", "") if rc == 0 and values.get("ActiveState") == "active" else ""

    def _metrics(self):
        try:
            status, text = self.http.ask("/metrics", max(5.0, self.limits.interval))
        except (OSError, http.client.HTTPException):
            return None
        return engines(text) or None if status == 200 else None

    def _probe(self, before):
        """Ask for one token; answers why the server hangs, or ''."""
        body = {"model": self.config["model"], "prompt": "1", "max_tokens": 1, "temperature": 0}
        began = self.now()
        try:
            status, text = self.http.ask("/v1/completions", self.limits.probe_timeout, body)
        except TimeoutError:
            status, text = None, ""
        except (OSError, http.client.HTTPException) as exc:
            # What refuses or drops a connection is about to end, and its unit knows.
            self._tell(INFO, f"the server did not take a question: {exc}")
            return ""
        if status is not None:
            if status >= 400:
                self._tell(
                    WARNING, f"the server answered {status} to a question, so it is not proven: {text[:200].strip()}"
                )
            return ""
        after = self._metrics()
        moved = after is not None and any(
            engine.progress != before[name].progress for name, engine in after.items() if name in before
        )
        if moved:
            return ""
        return f"asked for one token while it was idle, it gave none in {self.now() - began:.0f} s"

    def _restart(self, why):
        now = self.now()
        self.restarted = [at for at in self.restarted if now - at < HOUR]
        server = self.config["server"]
        if len(self.restarted) >= self.limits.restarts:
            if not self.given_up:
                self.say(
                    f"{ERROR}npuops: service '{self.config['service']}' hangs: {why}. It was restarted "
                    f"{len(self.restarted)} times within an hour, so it is left as it is: read "
                    f"journalctl -u {server} and the logs of its NPUs, then restart it."
                )
            self.given_up = True
            return
        self.given_up = False
        self.restarted.append(now)
        self.say(f"{ERROR}npuops: service '{self.config['service']}' hangs: {why}. Restarting {server}.")
        rc, text = self.run(["systemctl", "restart", server], 300)
        if rc != 0:
            self.say(f"{ERROR}npuops: {server} could not be restarted: {text.strip()[-300:]}")
        self.state = State()

    def _npus(self):
        critical = set()
        for npu in self.config["npu_ids"]:
            _rc, text = self.run([self.config["npu_smi"], "info", "-t", "health", "-i", str(npu)], 30)
            found = healths(text)
            if not found:
                # A tool that is busy or an NPU that is silent says nothing of its health; nothing is concluded.
                return
            if "Critical" in found:
                critical.add(npu)
        confirmed, self.seen = critical == self.seen, critical
        if critical == self._marked():
            self.hurry = False
            return
        if not confirmed:
            self.looked_at = -HOUR  # look again in the next round
            return
        if critical:
            ids = ", ".join(map(str, sorted(critical)))
            self._tell(
                ERROR,
                f"NPU {ids} of this node is Critical. The service cannot be started on it. Read its codes with "
                f"`npu-smi info -t health -i {min(critical)}`, reset or replace it, or give the service others. It is "
                "started by itself once the NPU is OK.",
            )
        # What still computes is left alone; once it fails it must not be started on that NPU again.
        self.hurry = bool(critical) and self.held(self.config["service"])
        if not self.hurry:
            self._go_on(critical)

    def _go_on(self, critical):
        """Start the container anew, without these NPUs."""
        self.hurry = False
        self._mark(critical)
        service, container = self.config["service"], self.config["container"]
        if not critical:
            self._tell(WARNING, "its NPUs are OK again.")
        _rc, text = self.run(["systemctl", "is-active", container], 20)
        # A service that was stopped on purpose stays so.
        if text.strip() in ("active", "activating", "reloading"):
            rc, text = self.run(["systemctl", "restart", container], 300)
            if rc != 0:
                why = text.strip()[-300:]
                self.say(f"{ERROR}npuops: service '{service}': {container} could not be restarted: {why}")

    def _marked(self):
        try:
            with open(self.config["marker"], encoding="ascii") as handle:
                return {int(word) for word in handle.read().split()}
        except (OSError, ValueError):
            return set()

    def _mark(self, critical):
        # In place: the directory is mounted into the container, and where a disk is full an empty file still can be.
        with open(self.config["marker"], "w", encoding="ascii") as handle:
            handle.write("".join(f"{npu}\n" for npu in sorted(critical)))

    def _tell(self, level, text):
        """Once, until something else is to be told."""
        if text != self.told:
            self.told = text
            self.say(f"{level}npuops: service '{self.config['service']}': {text}")


def holds_npus(service, proc="/proc"):
    """Whether a process of the service has an NPU open."""
    mark = f"NPUOPS_SERVICE={service}".encode()
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(f"{proc}/{pid}/environ", "rb") as handle:
                if mark not in handle.read().split(b"\0"):
                    continue
            files = os.listdir(f"{proc}/{pid}/fd")
        except OSError:
            continue  # it has ended
        for file in files:
            try:
                if _NPU.match(os.readlink(f"{proc}/{pid}/fd/{file}")):
                    return True
            except OSError:
                continue
    return False


def run(argv, timeout):
    """(exit status, output and errors); None when it could not be run or did not end in time."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            env=dict(os.environ, LC_ALL="C"),
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return None, str(exc)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def say(line):
    """A line of the journal; systemd reads the level in front of it."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main(argv):
    with open(argv[0], encoding="utf-8") as handle:
        config = json.load(handle)
    key = ""
    if config.get("key_file") and os.path.exists(config["key_file"]):
        with open(config["key_file"], encoding="utf-8") as handle:
            key = handle.read().strip()
    watchdog = Watchdog(config, run, Http(config["url"], key) if config["url"] else None, say)
    while True:
        watchdog.step()
        # A server whose NPU is Critical ends any moment, and its unit starts it again after three seconds.
        time.sleep(1 if watchdog.hurry else watchdog.limits.interval)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a running service happens here: after each loss it answers again by itself, within a limit.

Needs a lab of two nodes that serves C(chat) over both (C(make demo)); NPUOPS_LAB names it. The proof is a new reply
after the loss, from a server that has started since where it must have, with all NPUs of both nodes in the cluster.
What is not the service's is still there afterwards.

NPUOPS_RECOVERY_REPORT is a file for the measured seconds; docs/recovery.md shows those of one run.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABCTL = ROOT / "tests/lab/labctl"
LAB = os.environ.get("NPUOPS_LAB", "lab")
REPORT = os.environ.get("NPUOPS_RECOVERY_REPORT")
HEAD, WORKER = "node1", "node2"
SERVICE, PORT = "chat", 8000
SERVER, RAY, WATCHDOG = f"npuops-{SERVICE}", f"npuops-{SERVICE}-ray", f"npuops-{SERVICE}-watchdog"
CUE = f"/var/lib/npuops/cache/{SERVICE}/standin-cue"
STRANGER = "npuops-lab-process-0.service"

# Seconds from the loss (or from its end, where it lasts) to a new reply.
LIMITS = {
    "worker container killed": 60,
    "raylet of the worker killed": 60,
    "head container killed": 90,
    "Docker restarted on the worker": 60,
    "Docker restarted on the head": 60,
    "worker rebooted": 120,
    "network cut for 30 s": 90,
    "network cut for 5 min": 90,
    "server hangs, health is 200": 200,
    "NPU Critical": 90,
    "log disk full": 10,
}


def labctl(*words, timeout=180):
    done = subprocess.run([str(LABCTL), *words], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def on(node, *words, timeout=60):
    return labctl("exec", "--lab", LAB, node, "--", *words, timeout=timeout)


def break_(node, *fault):
    labctl("break", "--lab", LAB, node, *fault)


def mend(node, *fault):
    labctl("mend", "--lab", LAB, node, *fault)


def address(node):
    listed = subprocess.run(
        ["ansible-inventory", "--inventory", str(ROOT / "inventories/lab"), "--host", node],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NPUOPS_LAB": LAB},
    )
    return json.loads(listed.stdout)["ansible_host"]


@pytest.fixture(scope="session")
def url():
    return f"http://{address(HEAD)}:{PORT}"


def get(url, path, body=None, timeout=5):
    """The parsed answer, or None when there is none or another status than 200."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read()
            return json.loads(text) if text.startswith(b"{") else {"text": text.decode()}
    except (urllib.error.URLError, OSError, ValueError):
        return None


def chat(url, timeout=5):
    """The id of a new reply, or None."""
    body = {"model": SERVICE, "messages": [{"role": "user", "content": "Still there?"}], "max_tokens": 16}
    reply = get(url, "/v1/chat/completions", body, timeout)
    return reply["id"] if reply and reply["choices"][0]["message"]["content"] else None


def show(node, unit, key):
    return on(node, "systemctl", "show", f"--property={key}", "--value", unit).strip()


def until(deadline, what, condition, pause=1.0):
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within its limit: {what}"
        time.sleep(pause)


def journal(node, unit, since):
    return on(node, "journalctl", "--no-pager", "--output=cat", f"--since=@{since:.0f}", "--unit", unit)


def whole(url):
    """Both nodes are in the cluster with all their NPUs, and the server has them."""
    ask = ["docker", "exec", RAY, "python3", "/opt/npuops/ray_nodes.py", f"{address(HEAD)}:6379"]
    done = subprocess.run(
        [str(LABCTL), "exec", "--lab", LAB, HEAD, "--", *ask], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        return False
    alive = [node for node in json.loads(done.stdout.strip().splitlines()[-1]) if node["alive"]]
    return [(node["npus"], node["npus_free"]) for node in alive] == [(8, 0), (8, 0)]


class Loss:
    """One case: when it began, and how long until the service was back."""

    def __init__(self, url, case):
        self.url, self.case, self.limit = url, case, LIMITS[case]
        self.server_was = show(HEAD, SERVER, "InvocationID")
        self.began = self.since = time.monotonic()
        self.clock = time.time()

    def over(self):
        """The loss is over now; the time counts from here."""
        self.since = time.monotonic()

    def back(self, restarted=True, **more):
        """Wait for a reply; with ``restarted`` from a server that has started since the loss. ``more`` is recorded."""

        def answered():
            if restarted and show(HEAD, SERVER, "InvocationID") in ("", self.server_was):
                return None
            return chat(self.url)

        until(self.since + self.limit, f"{self.case}: a new reply", answered)
        seconds = round(time.monotonic() - self.since, 1)
        until(self.since + self.limit + 15, f"{self.case}: all NPUs of both nodes", lambda: whole(self.url))
        self.record(seconds, **more)

    def record(self, seconds, **more):
        print(f"{self.case}: {seconds} s (limit {self.limit} s)")
        if REPORT:
            path = pathlib.Path(REPORT)
            known = json.loads(path.read_text()) if path.exists() else {}
            known[self.case] = {"seconds": seconds, "limit": self.limit, **more}
            path.write_text(json.dumps(known, indent=1) + "\n")


@pytest.fixture(scope="session", autouse=True)
def served(url):
    """A service that is well, beside a process of somebody else on one of its NPUs, which no recovery may touch."""
    until(time.monotonic() + 60, "a reply before anything is broken", lambda: chat(url))
    break_(HEAD, "process", "0", "300")
    stranger = show(HEAD, STRANGER, "MainPID")
    yield
    assert show(HEAD, STRANGER, "MainPID") == stranger != "0", "a process of somebody else was ended"
    mend(HEAD, "process", "0")


@pytest.fixture
def lose(url):
    """Begin a case on a service that is well."""

    def begin(case):
        until(time.monotonic() + 90, "the service well before the case", lambda: chat(url) and whole(url))
        return Loss(url, case)

    yield begin
    for node in (HEAD, WORKER):
        mend(node, "network-cut")


def test_the_workers_container_is_killed(lose):
    loss = lose("worker container killed")
    break_(WORKER, "worker-lost", RAY)
    loss.back()


def test_the_workers_raylet_is_killed(lose):
    loss = lose("raylet of the worker killed")
    on(WORKER, "docker", "exec", RAY, "pkill", "-9", "raylet")
    loss.back()


def test_the_heads_container_is_killed(lose):
    loss = lose("head container killed")
    break_(HEAD, "worker-lost", RAY)
    loss.back()


@pytest.mark.parametrize(("node", "name"), [(WORKER, "worker"), (HEAD, "head")])
def test_docker_restarts(lose, node, name):
    """Containers live on (live-restore); the server on the head is attached to by its unit, and starts anew."""
    loss = lose(f"Docker restarted on the {name}")
    break_(node, "docker-restart")
    loss.back(restarted=node == HEAD)


def test_the_worker_is_rebooted(lose):
    """As a power cut does it: nothing is told to anybody."""
    loss = lose("worker rebooted")
    labctl("power-cut", "--lab", LAB, WORKER)
    labctl("power-on", "--lab", LAB, WORKER)
    loss.over()
    loss.back()


@pytest.mark.parametrize(("seconds", "name"), [(30, "30 s"), (300, "5 min")])
def test_the_network_is_cut(lose, seconds, name):
    loss = lose(f"network cut for {name}")
    break_(WORKER, "network-cut")
    try:
        until(loss.began + 20, "the loss is noticed", lambda: chat(loss.url) is None)
        time.sleep(max(0, loss.began + seconds - time.monotonic()))
    finally:
        mend(WORKER, "network-cut")
    loss.over()
    loss.back()


def test_the_server_hangs_and_its_health_is_200(lose):
    loss = lose("server hangs, health is 200")
    on(HEAD, "sh", "-c", f"echo hang > {CUE}")

    def noticed():
        # No request of ours: with one under way the watchdog waits for 180 s before it calls that a hang.
        well = get(loss.url, "/health") is not None
        said = "hangs:" in journal(HEAD, WATCHDOG, loss.clock)
        assert well or said, "/health is not 200 although nobody has noticed the hang"
        return said

    try:
        until(loss.began + loss.limit, "the watchdog notices", noticed)
    finally:
        on(HEAD, "rm", "-f", CUE)
    loss.back()


def test_a_busy_server_is_left_alone(lose, url):
    """Requests without a pause, for longer than the watchdog waits between two questions."""
    server = show(HEAD, SERVER, "InvocationID")
    until_ = time.monotonic() + 90
    while time.monotonic() < until_:
        assert chat(url)
    assert show(HEAD, SERVER, "InvocationID") == server


def test_an_npu_turns_critical(lose):
    loss = lose("NPU Critical")
    break_(WORKER, "npu-alarm", "3", "Critical")
    try:
        until(
            loss.began + 60,
            "the watchdog says so",
            lambda: "NPU 3 of this node is Critical" in journal(WORKER, WATCHDOG, loss.clock),
        )
        noticed = round(time.monotonic() - loss.began, 1)
        assert chat(loss.url), "a server that still computes is left alone"
        # As the engine would end on such an NPU.
        on(WORKER, "docker", "exec", RAY, "pkill", "-9", "-f", "ray::RayWorkerProc")
        failed = time.monotonic()
        until(
            failed + 60, "the head says which", lambda: "NPU 3 of it is Critical" in journal(HEAD, SERVER, loss.clock)
        )
        told = round(time.monotonic() - failed, 1)
        restarts = show(HEAD, SERVER, "NRestarts")
        time.sleep(20)
        assert show(HEAD, SERVER, "NRestarts") == restarts, "the server is started again and again"
        assert chat(loss.url) is None
    finally:
        mend(WORKER, "npu-alarm", "3")
    loss.over()
    loss.back(noticed=noticed, told=told)


def test_the_disk_with_the_logs_is_full(lose):
    """Replies go on; logs are lost until somebody makes room."""
    before = lose("log disk full")
    # Its making restarts Docker, which starts the server anew: the old one may answer for a moment.
    break_(HEAD, "log-disk", "16")
    until(
        time.monotonic() + 90,
        "the server on the small disk",
        lambda: show(HEAD, SERVER, "InvocationID") not in ("", before.server_was),
    )
    loss = lose("log disk full")
    break_(HEAD, "disk-full")
    try:
        for _again in range(20):
            assert chat(loss.url)
            time.sleep(0.5)
        assert show(HEAD, SERVER, "InvocationID") == loss.server_was
    finally:
        mend(HEAD, "disk-full")
    loss.over()
    loss.back(restarted=False)
    mend(HEAD, "log-disk")

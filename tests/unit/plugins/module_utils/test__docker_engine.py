# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _docker_engine
from ansible_collections.npuops.ascend.plugins.module_utils._docker_engine import Engine, EngineError, parse_show
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed

INFO = {"ServerVersion": "20.10.24", "LiveRestoreEnabled": True, "DefaultRuntime": "runc", "Runtimes": {"runc": {}}}

# As systemd 252 prints it for Debian's package with a drop-in; the engine's process is this one.
SHOW = """\
EnvironmentFiles={directory}/default (ignore_errors=yes)
EnvironmentFiles={directory}/gone (ignore_errors=yes)
ExecStart={{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS $MORE ; ignore_errors=no ; \
start_time=[n/a] ; stop_time=[n/a] ; pid={pid} ; code=(null) ; status=0/0 }}
MainPID={pid}
Environment=container=docker MORE=--icc=false
LoadState=loaded
ActiveState={active}
FragmentPath={directory}/docker.service
DropInPaths={directory}/10.conf {directory}/20.conf
"""


class Machine:
    """A directory with the engine's files, what systemd says, and an engine behind a socket."""

    def __init__(self, directory):
        self.directory = directory
        self.active = "active"
        self.pid = os.getpid()
        self.calls = []
        self.restart_rc = 0
        self.journal = ""
        self.info = dict(INFO)
        for name in ("docker.service", "10.conf", "20.conf"):
            self.write(name, "")
        self.write("default", '# DOCKER_OPTS=no\n\nDOCKER_OPTS="--live-restore --label a=b"\n')
        self.write("daemon.json", "{}")

    def write(self, name, text, age=None):
        path = self.directory / name
        path.write_text(text)
        # Older than any process, unless said otherwise.
        stamp = 1_000_000_000 if age is None else time.time() - age
        os.utime(path, (stamp, stamp))

    def run(self, argv, timeout, missing="", stdin=None):
        self.calls.append(argv[1])
        out, rc = "", 0
        if argv[0] == "journalctl":
            out = self.journal
        elif argv[1] == "show":
            out = SHOW.format(directory=self.directory, pid=self.pid, active=self.active)
        elif argv[1] == "restart":
            rc = self.restart_rc
        return Completed(tuple(argv), rc, out, "Job for docker.service failed.\n" if rc else "", 0.0)

    def engine(self, timeout=5):
        return Engine(
            "docker.service",
            str(self.directory / "docker.sock"),
            str(self.directory / "daemon.json"),
            timeout,
            str(self.directory / "run/record.json"),
        )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = Machine(tmp_path)
    monkeypatch.setattr(_docker_engine, "run", made.run)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(made.info).encode()
            self.send_response(200 if made.info else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

        def address_string(self):
            return "socket"

    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "docker.sock"), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def test_what_is_read(machine):
    state = machine.engine().read()
    assert (state.installed, state.active, state.pid) == (True, True, os.getpid())
    assert state.flags == {"hosts": ["fd://"], "live-restore": True, "labels": ["a=b"], "icc": False}
    assert [os.path.basename(path) for path in state.files] == [
        "docker.service",
        "10.conf",
        "20.conf",
        "default",
        "gone",
    ]
    assert state.info["ServerVersion"] == "20.10.24"


def test_an_engine_that_sleeps_behind_its_socket_is_not_woken(machine):
    machine.active = "inactive"
    machine.info = None
    assert machine.engine().read().info == {}


def test_no_engine():
    assert parse_show("LoadState=not-found\nActiveState=inactive\n")["LoadState"] == "not-found"


def test_an_engine_that_does_not_answer_is_told_with_its_socket(machine):
    machine.info = None
    with pytest.raises(EngineError, match="does not answer at .*docker.sock within 0.5 s"):
        machine.engine(timeout=0.5).read()


def test_nothing_is_pending_for_files_older_than_the_engine(machine):
    engine = machine.engine()
    assert engine.pending(engine.read(), {}) is None


@pytest.mark.parametrize("name", ["daemon.json", "20.conf", "default"])
def test_files_younger_than_an_engine_of_which_nothing_is_known(machine, name):
    machine.write(name, "{}", age=0)
    engine = machine.engine()
    assert engine.pending(engine.read(), {}) == "restart"


def test_a_file_from_the_future_is_a_wrong_clock(machine):
    machine.write("daemon.json", "{}", age=-3600)
    engine = machine.engine()
    assert engine.pending(engine.read(), {}) is None


@pytest.mark.parametrize(
    ("config", "pending"),
    [
        ({"debug": True}, None),
        ({"debug": True, "default-runtime": "ascend"}, "reload"),
        ({"debug": True, "data-root": "/data"}, "restart"),
    ],
)
def test_what_somebody_wrote_after_the_engine_was_left_in_order(machine, config, pending):
    engine = machine.engine()
    machine.write("daemon.json", json.dumps({"debug": True}), age=0)
    engine.remember({"debug": True})
    assert engine.pending(engine.read(), {"debug": True}) is None
    machine.write("daemon.json", json.dumps(config) + "\n", age=0)
    assert engine.pending(engine.read(), config) == pending


def test_what_is_not_in_daemon_json_asks_for_a_restart(machine):
    engine = machine.engine()
    engine.remember({})
    machine.write("10.conf", "[Service]\n", age=0)
    assert engine.pending(engine.read(), {}) == "restart"


def test_a_record_of_another_process_counts_for_nothing(machine):
    engine = machine.engine()
    machine.write("daemon.json", "{}", age=0)
    engine.remember({})
    record = json.loads((machine.directory / "run/record.json").read_text())
    record["ticks"] += 1
    (machine.directory / "run/record.json").write_text(json.dumps(record))
    assert engine.pending(engine.read(), {}) == "restart"


def test_the_record_is_for_root_only(machine):
    machine.engine().remember({"proxies": {"http-proxy": "http://a:b@c"}})
    assert os.stat(machine.directory / "run/record.json").st_mode & 0o777 == 0o600


def test_an_engine_that_does_not_start_is_told_by_its_own_words(machine):
    machine.restart_rc = 1
    machine.journal = (
        'time="x" level=info msg="failed to be interesting"\n'
        "unable to configure the Docker daemon: no-such-key.\n"
        "docker.service: Failed with result 'exit-code'.\n"
        "Failed to start docker.service - Docker.\n"
    )
    with pytest.raises(EngineError) as caught:
        machine.engine().restart()
    assert "does not start: unable to configure the Docker daemon: no-such-key" in caught.value.reason
    assert "interesting" not in caught.value.reason
    # systemd would refuse the first good start after several bad ones.
    assert machine.calls[:3] == ["daemon-reload", "reset-failed", "restart"]


def test_waiting_for_what_sighup_asked_for(machine):
    engine = machine.engine()
    assert engine.follows({"default-runtime": "ascend"}, 0.3) == ("default-runtime",)
    threading.Timer(0.3, lambda: machine.info.update(DefaultRuntime="ascend")).start()
    assert engine.follows({"default-runtime": "ascend"}, 5) == ()

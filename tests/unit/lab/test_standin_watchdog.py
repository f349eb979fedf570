# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchdog beside a server with the metrics of vLLM: idle, busy and hung, with seconds instead of minutes."""

from __future__ import annotations

import importlib.util
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._watchdog import Http, Limits, Watchdog

_spec = importlib.util.spec_from_file_location("standin_machine", Path(__file__).with_name("standin_machine.py"))
standin_machine = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(standin_machine)
LIMITS = Limits(interval=0.2, probe_interval=1, probe_timeout=2, stall=3, health_interval=3600)


class Watched:
    """A server under a watchdog that only writes down what it would restart."""

    def __init__(self, tmp_path, release):
        self.cue = tmp_path / "cue"
        machine = standin_machine.Machine(tmp_path, release)
        self.server = standin_machine.Server(
            machine, "--served-model-name", "tiny", NPUOPS_STANDIN_CUE_FILE=str(self.cue), VLLM_API_KEY="k"
        )
        self.restarted, self.said = [], []
        config = {"service": "tiny", "server": "npuops-tiny.service", "model": "tiny", "probe": True, "npu_ids": []}
        config.update(container="c", npu_smi="", marker=str(tmp_path / "marker"), limits=LIMITS._asdict())
        http = Http(f"http://127.0.0.1:{self.server.port}", "k")
        self.dog = Watchdog(config, self.run, http, self.said.append)

    def run(self, argv, _timeout):
        if argv[1] == "show":
            return 0, "ActiveState=active\nInvocationID=one\n"
        self.restarted.append(time.monotonic())
        return 0, ""

    def watch(self, seconds):
        """Until something was restarted, or for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.restarted:
            self.dog.step()
            time.sleep(LIMITS.interval)

    def chat(self, **more):
        body = {"messages": [{"role": "user", "content": "Go on"}], "ignore_eos": True, **more}
        return self.server.post("/v1/chat/completions", body, Authorization="Bearer k")[0]


@pytest.fixture(params=["v0.23.0", "v0.11.0"])
def watched(request, tmp_path):
    found = Watched(tmp_path, request.param)
    yield found
    found.cue.unlink(missing_ok=True)
    found.server.end()


def test_an_idle_server_and_a_busy_one_are_left_alone(watched):
    watched.watch(3)
    busy = threading.Thread(target=lambda: [watched.chat(max_tokens=100) for _again in range(25)])
    busy.start()
    watched.watch(4)
    busy.join()
    assert (watched.restarted, watched.said) == ([], [])


def test_a_server_that_hangs_while_nobody_asks_is_restarted(watched):
    watched.watch(1)
    watched.cue.write_text("hang\n")
    watched.watch(10)
    assert len(watched.restarted) == 1 and "asked for one token while it was idle" in watched.said[0]
    assert watched.server.ask("GET", "/health")[0] == 200


def test_a_server_that_hangs_with_requests_is_restarted(watched):
    watched.watch(1)
    watched.cue.write_text("hang\n")
    asking = threading.Thread(target=lambda: watched.chat(max_tokens=5))
    asking.start()
    time.sleep(0.3)
    watched.watch(10)
    watched.cue.unlink()
    asking.join()
    assert len(watched.restarted) == 1 and "has 1 requests and has made no step for 3 s" in watched.said[0]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in over several nodes without Ray, and its failures on cue: two folders with NPUs, met on loopback."""

from __future__ import annotations

import importlib.util
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from vllm_standin import cues

from ansible_collections.npuops.ascend.plugins.module_utils._diagnose import ENTRIES

_spec = importlib.util.spec_from_file_location("standin_machine", Path(__file__).with_name("standin_machine.py"))
standin_machine = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(standin_machine)
Machine, Server = standin_machine.Machine, standin_machine.Server

SHARE = int(int(65536 * 0.9527) * 0.92)


def free_port():
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def machines(tmp_path):
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        found.append(Machine(tmp_path / name, "v0.23.0"))
    found[1].model = found[0].model
    return found


class Guest:
    """A node beside the head: `vllm serve --headless`."""

    def __init__(self, machine, *words, **env):
        self.process = subprocess.Popen(
            machine.command("serve", str(machine.model), "--headless", *words), env={**machine.env, **env},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def end(self, number=None):
        """`(exit code, log)`, after a signal, or when it ends by itself."""
        if number is not None:
            self.process.send_signal(number)
        text = self.process.communicate(timeout=30)[0]
        return self.process.returncode, text


def eventually(true, seconds=15):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


def mp(port, rank, *sizes):
    return ["--nnodes", "2", "--node-rank", str(rank), "--master-addr", "127.0.0.1", "--master-port", str(port), *sizes]


def dp(port, *sizes):
    return ["--data-parallel-address", "127.0.0.1", "--data-parallel-rpc-port", str(port), *sizes]


@pytest.fixture(params=["mp", "dp"])
def pair(request, machines):
    """(head, guest) of four NPUs on each node."""
    port = free_port()
    if request.param == "mp":
        sizes = ["-tp", "4", "-pp", "2"]
        guest = Guest(machines[1], *mp(port, 1, *sizes))
        head = Server(machines[0], *mp(port, 0, *sizes))
    else:
        sizes = ["-tp", "2", "-dp", "4", "--data-parallel-size-local", "2"]
        guest = Guest(machines[1], *dp(port, *sizes, "--data-parallel-start-rank", "2"))
        head = Server(machines[0], *dp(port, *sizes))
    yield head, guest
    for process in (head.process, guest.process):
        if process.poll() is None:
            process.kill()
        if not process.stdout.closed:
            process.communicate(timeout=20)


def test_both_nodes_hold_their_npus_and_the_head_answers(pair, machines):
    head, _guest = pair
    assert [machine.held() for machine in machines] == [dict.fromkeys(range(4), SHARE)] * 2
    assert [f"rank {rank}: NPU {rank % 4}" in head.log for rank in range(8)] == [True] * 8
    assert head.chat()[0] == 200


def test_when_the_head_ends_the_other_gives_its_npus_back(pair, machines):
    head, guest = pair
    assert head.end()[0] == 0
    code, text = guest.end()
    assert (code, "the head node is gone" in text) == (1, True)
    assert [machine.held() for machine in machines] == [{}, {}]


def test_when_another_node_is_lost_the_head_says_so_and_ends(pair, machines):
    head, guest = pair
    guest.end(signal.SIGTERM)
    eventually(lambda: head.process.poll() is not None)
    code, text = head.end()
    assert (code, "the node of rank 1 is gone" in text, "EngineDeadError" in text) == (1, True, True)
    assert machines[0].held() == {}


def test_the_head_waits_for_all_nodes(machines):
    words = mp(free_port(), 0, "-tp", "8")
    found = machines[0].run("serve", str(machines[0].model), "--port", "0", *words, NPUOPS_STANDIN_JOIN_SECONDS="2")
    assert found.returncode == 1
    assert "Timed out after 3 seconds waiting for clients. 1/2 clients joined." in found.stdout
    assert "Uvicorn running" not in found.stdout
    assert machines[0].held() == {}


def test_engines_wait_for_all_engines(machines):
    words = dp(free_port(), "-dp", "2", "--data-parallel-size-local", "1")
    found = machines[0].run("serve", str(machines[0].model), "--port", "0", *words, NPUOPS_STANDIN_JOIN_SECONDS="1")
    assert "Timed out waiting for engines to send initial message on input socket." in found.stdout
    assert machines[0].held() == {}


def test_a_node_that_finds_no_head_says_whom_it_called(machines):
    port = free_port()
    guest = Guest(machines[1], *mp(port, 1, "-tp", "2"), NPUOPS_STANDIN_JOIN_SECONDS="2")
    code, text = guest.end()
    assert code == 1
    assert f"The client socket has timed out after 2000ms while trying to connect to (127.0.0.1, {port})." in text
    assert machines[1].held() == {}


def test_a_port_that_is_taken_is_found_out_before_an_npu_is_taken(machines):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        words = mp(other.getsockname()[1], 0, "-tp", "2")
        found = machines[0].run("serve", str(machines[0].model), "--port", "0", *words)
    assert found.returncode == 1 and "EADDRINUSE" in found.stdout
    assert "davinci" not in found.stdout


def test_nodes_with_different_sizes_do_not_go_on(machines):
    port = free_port()
    results = []

    def run_head():
        results.append(machines[0].run("serve", str(machines[0].model), "--port", "0", *mp(port, 0, "-tp", "8")))

    head = threading.Thread(target=run_head)
    head.start()
    code, text = Guest(machines[1], *mp(port, 1, "-tp", "4", "-pp", "2")).end()
    head.join(timeout=30)
    assert (code, results[0].returncode) == (1, 1)
    assert "Configuration mismatch between nodes" in text and "Configuration mismatch" in results[0].stdout


def test_somebody_elses_connection_is_not_counted(machines):
    port = free_port()
    timer = threading.Timer(2, lambda: socket.create_connection(("127.0.0.1", port)).close())
    timer.start()
    words = mp(port, 0, "-tp", "2")
    found = machines[0].run("serve", str(machines[0].model), "--port", "0", *words, NPUOPS_STANDIN_JOIN_SECONDS="4")
    timer.join()
    assert "1/2 clients joined." in found.stdout


def test_experts_are_accepted_for_a_model_that_has_some(machines):
    machines[0].describe(num_experts=8)
    server = Server(machines[0], "-tp", "2", "--enable-expert-parallel")
    try:
        assert server.chat()[0] == 200
    finally:
        assert server.end()[0] == 0


TEXTS = {**cues.BEFORE, **cues.STARTING}
KNOWN = {
    "libascendcl": "libascendcl",
    "aclinit": "acl-init",
    "port-in-use": "port-in-use",
    "oom": "npu-oom",
    "ei0006": "hccl-ei0006",
    "ej0001": "hccl-ej0001",
}


def test_every_cue_has_its_diagnosis():
    assert sorted(KNOWN) == sorted(TEXTS)


@pytest.mark.parametrize("word", sorted(TEXTS))
def test_a_start_fails_on_cue_with_the_text_that_is_diagnosed(machines, word):
    env = {"NPUOPS_STANDIN_CUE": word, "NPUOPS_STANDIN_HCCL_SECONDS": "0"}
    found = machines[0].run("serve", str(machines[0].model), "--port", "0", "-tp", "2", **env)
    assert found.returncode == 1 and machines[0].held() == {}
    entry = next(entry for entry in ENTRIES if entry.id == KNOWN[word])
    lines = [line for line in found.stdout.splitlines() if any(needle in line for needle in entry.needles)]
    assert any(re.search(entry.pattern, line) for line in lines)


def test_a_word_that_is_no_cue_is_told(machines):
    found = machines[0].run("serve", str(machines[0].model), NPUOPS_STANDIN_CUE="omm")
    assert found.returncode == 1 and "there is no cue 'omm'" in found.stdout


def test_a_server_hangs_on_cue_while_its_health_is_well(machines, tmp_path):
    cue = tmp_path / "cue"
    server = Server(machines[0], "-tp", "2", NPUOPS_STANDIN_CUE_FILE=str(cue))
    try:
        assert server.chat()[0] == 200
        cue.write_text("hang\n")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(server.chat()[0]))
        asking.start()
        asking.join(timeout=2)
        assert answers == [] and server.ask("GET", "/health")[0] == 200
        assert server.ask("GET", "/v1/models")[0] == 200
        cue.unlink()
        asking.join(timeout=10)
        assert answers == [200]
    finally:
        assert server.end()[0] == 0


def test_warming_up_takes_its_time(machines):
    began = time.monotonic()
    server = Server(machines[0], NPUOPS_STANDIN_WARMUP_SECONDS="2")
    assert time.monotonic() - began >= 2
    assert "Graph capturing finished in 2 secs" in server.log
    assert server.end()[0] == 0

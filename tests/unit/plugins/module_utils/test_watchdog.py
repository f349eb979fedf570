# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who hangs and who is only busy; and what is done about a Critical NPU."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._watchdog import (
    Engine,
    Limits,
    State,
    Watchdog,
    engines,
    healths,
    holds_npus,
    judge,
)

CAPTURES = pathlib.Path(__file__).parents[3] / "fixtures" / "corpus" / "captures"
LIMITS = Limits()
STUCK, IDLE = "hung", Engine(0, ("a",))


def metrics(tokens, running=0, waiting=0, engine="0"):
    labels = f'{{engine="{engine}",model_name="m"}}'
    return (
        f"# HELP vllm:generation_tokens_total Number of generation tokens processed.\n"
        f"vllm:num_requests_running{labels} {running}.0\nvllm:num_requests_waiting{labels} {waiting}.0\n"
        f"vllm:generation_tokens_total{labels} {tokens}.0\nother_total 5\n"
    )


def test_engines_are_told_apart():
    found = engines(metrics(7, running=2, waiting=1) + metrics(9, engine="1"))
    assert {name: engine.load for name, engine in found.items()} == {"0": 3.0, "1": 0.0}
    assert found["0"].progress != found["1"].progress


def test_a_request_that_comes_and_is_given_up_is_no_progress():
    """Its client goes away after a while; the prompt was counted, and the cache used."""
    came = (
        'vllm:prompt_tokens_total{engine="0"} 90.0\nvllm:kv_cache_usage_perc{engine="0"} 0.5\n'
        'vllm:request_success_total{engine="0",finished_reason="abort"} 3.0\n'
    )
    assert engines(metrics(7) + came)["0"].progress == engines(metrics(7))["0"].progress
    done = 'vllm:request_success_total{engine="0",finished_reason="stop"} 3.0\n'
    assert engines(metrics(7) + done)["0"].progress != engines(metrics(7))["0"].progress


def test_no_metrics_of_vllm_are_no_engines():
    assert engines("python_gc_objects_collected_total 3\nnonsense") == {}


def course(looks, state=None):
    """The verdicts of (at, life, found), one look after the other."""
    state, verdicts = state or State(), []
    for at, life, found in looks:
        state, verdict, _why = judge(state, at, life, found, LIMITS)
        verdicts.append(verdict)
    return verdicts


def busy(*progress):
    return {str(number): Engine(3, (value,)) for number, value in enumerate(progress)}


@pytest.mark.parametrize(
    ("looks", "verdicts"),
    [
        # Loading takes as long as it takes: nothing has answered yet.
        ([(0, "a", None), (3000, "a", None)], ["starting", "starting"]),
        ([(0, "", None), (500, "", None)], ["starting", "starting"]),
        # Busy for an hour without a pause, and every look finds another number.
        ([(0, "a", None)] + [(600 * n, "a", busy(n)) for n in range(1, 7)], ["starting"] + ["alive"] * 6),
        # The same number, but not for long enough.
        ([(0, "a", None), (10, "a", busy(1)), (180, "a", busy(1)), (185, "a", busy(2))], ["starting"] + ["alive"] * 3),
        ([(0, "a", None), (10, "a", busy(1)), (190, "a", busy(1))], ["starting", "alive", STUCK]),
        # One engine of two hangs; the other one's work does not hide it.
        ([(0, "a", None), (10, "a", busy(1, 1)), (190, "a", busy(1, 2))], ["starting", "alive", STUCK]),
        # It answered once, and then nothing, not even its metrics.
        (
            [(0, "a", None), (10, "a", {"": IDLE}), (189, "a", None), (191, "a", None)],
            ["starting", "probe", "alive", STUCK],
        ),
        # A new life of the server: what the last one did does not count.
        (
            [(0, "a", None), (10, "a", busy(1)), (190, "b", busy(1)), (370, "b", busy(1))],
            ["starting", "alive", "starting", "alive"],
        ),
        # Nobody asks it anything for a day.
        ([(0, "a", None)] + [(60 * n, "a", {"": IDLE}) for n in range(1, 4)], ["starting", "probe", "probe", "probe"]),
    ],
)
def test_who_hangs(looks, verdicts):
    assert course(looks) == verdicts


def test_an_idle_server_is_asked_once_a_minute():
    state, verdict, _why = judge(State(life="a", alive_at=0, probed_at=0, ready=True), 50, "a", {"": IDLE}, LIMITS)
    assert verdict == "alive"
    assert judge(state, 61, "a", {"": IDLE}, LIMITS)[1] == "probe"


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("npu-smi__health__910A__25_0_rc1_b002__1.txt", ["OK"]),
        ("npu-smi__health__910A__23_0_5__alarm.txt", ["Alarm"]),
        ("npu-smi__health__950__doc.txt", ["OK"]),
    ],
)
def test_health_as_the_tool_prints_it(file, found):
    assert healths((CAPTURES / file).read_text(encoding="utf-8")) == found


class World:
    """A node: its units, its NPUs, its server, and a clock that only moves when told."""

    def __init__(self, tmp_path, url="http://192.0.2.1:8000"):
        self.health = {0: "OK", 1: "OK"}
        self.units = {"npuops-chat.service": "active", "npuops-chat-ray.service": "active"}
        self.metrics, self.reply = metrics(1), 200
        self.ran, self.said, self.time, self.holds = [], [], 1000.0, False
        config = {
            "service": "chat",
            "server": "npuops-chat.service" if url else "",
            "url": url,
            "model": "chat",
            "probe": True,
            "container": "npuops-chat-ray.service",
            "npu_ids": [0, 1],
            "npu_smi": "npu-smi",
            "marker": str(tmp_path / "critical_npus"),
            "limits": LIMITS._asdict(),
        }
        self.marker = pathlib.Path(config["marker"])
        self.dog = Watchdog(config, self.run, self if url else None, self.said.append, lambda: self.time, self.held)

    def held(self, service):
        assert service == "chat"
        return self.holds

    def run(self, argv, timeout):
        if argv[0] == "npu-smi":
            health = self.health[int(argv[-1])]
            return 0, f"\tHealth Status                  : {health}\n" if health else "busy"
        if argv[1] == "show":
            return 0, f"ActiveState={self.units[argv[-1]]}\nInvocationID=a\n"
        if argv[1] == "is-active":
            return 0, self.units[argv[-1]] + "\n"
        self.ran.append(" ".join(argv))
        return 0, ""

    def ask(self, path, timeout, body=None):
        if path == "/metrics":
            return 200, self.metrics
        if self.reply is None:
            self.time += timeout
            raise TimeoutError
        return self.reply, "{}"

    def pass_(self, seconds):
        until = self.time + seconds
        while self.time < until:
            self.time += LIMITS.interval
            self.dog.step()


def test_a_server_that_gives_its_tokens_is_left_alone(tmp_path):
    world = World(tmp_path)
    world.pass_(3600)
    assert (world.ran, world.said) == ([], [])


def test_a_server_that_gives_no_token_is_restarted_and_not_for_ever(tmp_path):
    world = World(tmp_path)
    world.pass_(30)
    world.reply = None
    world.pass_(70)
    assert world.ran == ["systemctl restart npuops-chat.service"]
    assert "asked for one token while it was idle, it gave none in 60 s" in world.said[0]
    world.pass_(2500)
    assert len(world.ran) == LIMITS.restarts
    assert "restarted 3 times within an hour, so it is left as it is" in world.said[-1]
    assert len(world.said) == LIMITS.restarts + 1


def test_the_probe_that_hangs_does_not_look_like_work(tmp_path):
    """The server counts its prompt, and that it was given up."""
    world = World(tmp_path)
    world.pass_(30)
    world.reply = None
    ask, prompts = world.ask, iter(range(10_000))

    def counting(path, timeout, body=None):
        n = next(prompts)
        given_up = f'vllm:request_success_total{{engine="0",finished_reason="abort"}} {n}.0'
        world.metrics = metrics(1) + f'vllm:prompt_tokens_total{{engine="0"}} {n}.0\n{given_up}\n'
        return ask(path, timeout, body)

    world.dog.http.ask = counting
    world.pass_(70)
    assert world.ran == ["systemctl restart npuops-chat.service"]


def test_a_probe_that_only_waits_its_turn_restarts_nothing(tmp_path):
    """Requests came while it was asked, and get their tokens."""
    world = World(tmp_path)
    world.pass_(30)
    world.reply = None
    tokens = iter(range(2, 10_000))
    ask = world.ask

    def growing(path, timeout, body=None):
        world.metrics = metrics(next(tokens))
        return ask(path, timeout, body)

    world.dog.http.ask = growing
    world.pass_(600)
    assert world.ran == []


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_server_that_refuses_the_question_is_left_alone_and_that_is_said_once(tmp_path, status):
    world = World(tmp_path)
    world.reply = status
    world.pass_(600)
    assert world.ran == []
    assert len(world.said) == 1 and str(status) in world.said[0]


def test_a_critical_npu_in_use_is_told_and_left_out_once_its_server_has_failed(tmp_path):
    world = World(tmp_path, url="")
    world.pass_(40)
    world.health[1], world.holds = "Critical", True
    world.pass_(60)
    assert len(world.said) == 1 and "NPU 1 of this node is Critical" in world.said[0]
    assert world.ran == [] and world.dog.hurry
    world.holds = False
    world.dog.step()
    assert world.marker.read_text() == "1\n"
    assert world.ran == ["systemctl restart npuops-chat-ray.service"]
    world.pass_(600)
    assert len(world.ran) == 1 and len(world.said) == 1
    world.health[1] = "OK"
    world.pass_(60)
    assert world.marker.read_text() == ""
    assert world.ran == ["systemctl restart npuops-chat-ray.service"] * 2
    assert "its NPUs are OK again" in world.said[-1]


def test_one_look_at_an_npu_or_a_tool_that_does_not_answer_concludes_nothing(tmp_path):
    world = World(tmp_path, url="")
    world.health[0] = "Critical"
    world.pass_(10)
    world.health[0] = "OK"
    world.pass_(60)
    world.health[0] = ""
    world.pass_(60)
    assert (world.ran, world.said) == ([], []) and not world.marker.exists()


def test_a_service_that_was_stopped_on_purpose_is_not_started(tmp_path):
    world = World(tmp_path, url="")
    world.units["npuops-chat-ray.service"] = "inactive"
    world.health[0] = "Critical"
    world.pass_(60)
    world.health[0] = "OK"
    world.pass_(60)
    assert world.ran == []


def test_processes_of_the_service_are_known_by_their_mark(tmp_path):
    def process(pid, environ, *files):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "environ").write_bytes(environ)
        for number, target in enumerate(files):
            os.symlink(target, tmp_path / pid / "fd" / str(number))

    process("10", b"A=1\0NPUOPS_SERVICE=chat\0", "/dev/null", "/dev/davinci_manager")
    process("11", b"NPUOPS_SERVICE=other\0", "/dev/davinci3")
    process("12", b"", "/dev/davinci3")
    assert not holds_npus("chat", str(tmp_path))
    process("13", b"NPUOPS_SERVICE=chat\0", "/dev/davinci3")
    assert holds_npus("chat", str(tmp_path)) and not holds_npus("ch", str(tmp_path))

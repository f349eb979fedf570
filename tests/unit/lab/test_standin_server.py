# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as a process: a real server on loopback, with a driver library that lives in a folder."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("standin_machine", Path(__file__).with_name("standin_machine.py"))
standin_machine = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(standin_machine)
Machine, Server, MODEL_LEN = standin_machine.Machine, standin_machine.Server, standin_machine.MODEL_LEN


@pytest.fixture(scope="module", params=["v0.23.0", "v0.11.0"])
def server(request, tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine"), request.param)
    running = Server(machine, "--served-model-name", "tiny", "alias", "-tp", "2", "-pp", "2")
    running.old = request.param == "v0.11.0"
    running.machine = machine
    yield running
    code, _log = running.end()
    assert code == 0
    assert machine.held() == {}


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path, "v0.23.0")


def test_holds_the_share_of_each_npu(server):
    usable = int(65536 * 0.9527)
    share = 0.9 if server.old else 0.92
    assert server.machine.held() == dict.fromkeys(range(4), int(usable * share))
    assert "Application startup complete." in server.log


def test_small_routes(server):
    assert server.ask("GET", "/health")[::2] == (200, "")
    assert server.ask("GET", "/ping")[0] == 200
    version = json.loads(server.ask("GET", "/version")[2])["version"]
    assert version == ("0.11.0+empty" if server.old else "0.23.0+empty")
    models = json.loads(server.ask("GET", "/v1/models")[2])["data"]
    assert [model["id"] for model in models] == ["tiny", "alias"]
    assert models[0]["root"] == server.model and models[0]["max_model_len"] == MODEL_LEN
    assert server.ask("GET", "/nowhere")[::2] == (404, '{"detail":"Not Found"}')
    assert server.ask("GET", "/v1/chat/completions")[0] == 405


def test_chat_says_what_it_is_and_the_same_every_time(server):
    status, first = server.chat("Who are you?", model="tiny")
    assert status == 200
    text = first["choices"][0]["message"]["content"]
    assert "4 NPUs on 1 node" in text and "tensor 2 × pipeline 2" in text
    assert "stand-in" in text and "not a language model" in text and "tiny" in text
    assert first["choices"][0]["finish_reason"] == "stop"
    assert first["usage"]["total_tokens"] == first["usage"]["prompt_tokens"] + first["usage"]["completion_tokens"]
    assert server.chat("Who are you?", model="alias")[1]["choices"] == first["choices"]
    assert server.chat("Who is he?")[1]["choices"] != first["choices"]


def test_stream_is_the_same_reply_in_pieces(server):
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "stream": True}
    _status, headers, text = server.ask(
        "POST", "/v1/chat/completions", {**body, "stream_options": {"include_usage": True}}
    )
    assert headers["content-type"].startswith("text/event-stream")
    *events, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(event[len("data: ") :]) for event in events]
    whole = server.chat("Hi")[1]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    pieces = [chunk["choices"][0]["delta"]["content"] for chunk in chunks[:-1]]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]][-2:] == [None, "stop"]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"] == whole["usage"]
    plain = server.ask("POST", "/v1/chat/completions", body)[2]
    assert "usage" not in plain and plain.endswith("data: [DONE]\n\n")


def test_completions(server):
    status, reply = server.post("/v1/completions", {"prompt": ["one", "two three"], "n": 2, "echo": True})
    assert status == 200 and reply["object"] == "text_completion"
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2, 3]
    assert [choice["text"][:3] for choice in reply["choices"]] == ["one", "one", "two", "two"]
    assert {choice["finish_reason"] for choice in reply["choices"]} == {"length"}
    assert reply["usage"] == {"prompt_tokens": 3, "completion_tokens": 64, "total_tokens": 67}
    assert server.post("/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 1})[1]["usage"]["prompt_tokens"] == 3


def test_limits(server):
    reply = server.chat(max_tokens=5)[1]
    assert reply["usage"]["completion_tokens"] == 5 and reply["choices"][0]["finish_reason"] == "length"
    stopped = server.chat(stop=["stand-in"])[1]["choices"][0]
    assert stopped["message"]["content"].endswith("the lab's ") and stopped["finish_reason"] == "stop"
    endless = server.chat(max_tokens=200, ignore_eos=True)[1]
    assert endless["usage"]["completion_tokens"] == 200 and endless["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("change", "status", "kind", "text"),
    [
        ({"model": "other"}, 404, "NotFoundError", "The model `other` does not exist."),
        ({"max_tokens": 300}, 400, "BadRequestError", "maximum context length is 256 tokens"),
        ({"max_tokens": 0}, 400, "BadRequestError", "max_tokens must be at least 1, got 0."),
        ({"max_tokens": "many"}, 400, "BadRequestError", "valid integer"),
        ({"temperature": -1}, 400, "BadRequestError", "temperature must be non-negative, got -1."),
        ({"top_p": 2}, 400, "BadRequestError", "top_p must be in (0, 1], got 2."),
        ({"messages": "Hello"}, 400, "BadRequestError", "valid list"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "BadRequestError", "text parts"),
        ({"messages": [{"role": "user", "content": "word " * 300}]}, 400, "BadRequestError",
         "your request has 307 input tokens"),
    ],
)  # fmt: skip
def test_refusals(server, change, status, kind, text):
    found, body = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], **change})
    assert (found, body["error"]["code"], body["error"]["type"]) == (status, status, kind)
    assert text in body["error"]["message"]


def test_malformed_bodies(server):
    for body, kind in (("{", "application/json"), ('{"model": "tiny"}', "application/json"), ("{}", "text/plain")):
        status, _headers, text = server.ask("POST", "/v1/chat/completions", body, **{"Content-Type": kind})
        error = json.loads(text)["error"]
        assert status == error["code"] == 400
        assert error["type"] == ("Bad Request" if server.old else "BadRequestError")


def test_prefix_cache_hits_are_whole_blocks(server):
    before = [server.metric(f"vllm:prefix_cache_{what}_total") for what in ("queries", "hits")]
    prompt = "again " * 200
    for _unused in range(2):
        assert server.post("/v1/completions", {"prompt": prompt, "max_tokens": 1})[0] == 200
    queries, hits = (server.metric(f"vllm:prefix_cache_{what}_total") for what in ("queries", "hits"))
    assert (queries - before[0], hits - before[1]) == (402, 128)


def test_http_forms(server):
    body = b'{"prompt": "x", "max_tokens": 1}'
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        for _unused in range(2):  # both on one connection
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/completions", iter([body[:5], body[5:]]), headers, encode_chunked=True)
            assert json.loads(connection.getresponse().read())["usage"]["completion_tokens"] == 1
    head = b"POST /v1/completions HTTP/1.1\r\ncontent-type: application/json\r\nconnection: close\r\n"
    length = b"content-length: %d\r\n" % len(body)
    assert raw(server, head + length + b"expect: 100-continue\r\n\r\n" + body).startswith("HTTP/1.1 100 Continue")
    for broken in (b"GARBAGE\r\n\r\n", head + b"content-length: x\r\n\r\n", head + b"no colon\r\n\r\n", head):
        assert raw(server, broken).startswith("HTTP/1.1 400 ")


def raw(server, data):
    """What the server answers to these bytes, after which we send no more."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read().decode()


def test_metrics_count_what_happened(server):
    names = (
        "prompt_tokens_total",
        "generation_tokens_total",
        "request_success_total",
        "e2e_request_latency_seconds_count",
        "time_to_first_token_seconds_count",
        "inter_token_latency_seconds_count",
    )
    before = {name: server.metric(f"vllm:{name}") for name in names}
    with ThreadPoolExecutor(4) as pool:
        replies = [reply for _status, reply in pool.map(lambda count: server.chat(max_tokens=count), (3, 5, 7, 9))]
    made = sum(reply["usage"]["completion_tokens"] for reply in replies)
    prompts = sum(reply["usage"]["prompt_tokens"] for reply in replies)
    after = {name: server.metric(f"vllm:{name}") - before[name] for name in names}
    assert after == dict(zip(names, (prompts, made, 4, 4, 4, made - 4)))
    assert made == 24
    assert server.metric("vllm:num_requests_running") == server.metric("vllm:num_requests_waiting") == 0
    assert server.metric("vllm:kv_cache_usage_perc") == 0
    buckets = server.metrics()
    ends = [value for key, value in buckets.items() if key.startswith("vllm:time_to_first_token_seconds_bucket")]
    assert ends == sorted(ends) and ends[-1] == server.metric("vllm:time_to_first_token_seconds_count")


def test_a_lost_client_is_an_aborted_request(server):
    before = server.metric("vllm:request_success_total", finished_reason="abort")
    body = json.dumps({"prompt": "x", "stream": True, "ignore_eos": True, "max_tokens": 250})
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        assert connection.getresponse().read(20)
        assert server.metric("vllm:num_requests_running") == 1
        assert server.metric("vllm:kv_cache_usage_perc") > 0
    deadline = time.monotonic() + 5
    while server.metric("vllm:num_requests_running") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.metric("vllm:request_success_total", finished_reason="abort") == before + 1
    assert server.metric("vllm:kv_cache_usage_perc") == 0


def test_waiting_requests_and_api_key(machine):
    running = Server(machine, "--max-num-seqs", "1", "--api-key", "one", "two", NPUOPS_STANDIN_TOKEN_SECONDS="0.02")
    key = {"Authorization": "Bearer two"}
    body = {"prompt": "x", "max_tokens": 25, "ignore_eos": True}
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(running.post, "/v1/completions", body, **key) for _unused in range(3)]
        deadline = time.monotonic() + 5
        while running.metric("vllm:num_requests_waiting") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert running.metric("vllm:num_requests_running") == 1
        assert running.metric("vllm:num_requests_waiting") == 2
        assert [job.result()[0] for job in jobs] == [200, 200, 200]
    assert running.ask("GET", "/v1/models")[::2] == (401, '{"error":"Unauthorized"}')
    assert running.ask("GET", "/v1/models", Authorization="Bearer three")[0] == 401
    assert running.ask("GET", "/health")[0] == 200
    assert running.end()[0] == 0


@pytest.mark.parametrize(
    ("words", "env", "good", "bad"),
    [
        ([], {"VLLM_API_KEY": "from-env"}, "from-env", "other"),
        (["--api-key", "given"], {"VLLM_API_KEY": "from-env"}, "given", "from-env"),
    ],
)
def test_an_api_key_guards_v1_and_nothing_else(machine, words, env, good, bad):
    running = Server(machine, *words, **env)
    for path, method in (("/v1/models", "GET"), ("/v1/chat/completions", "POST"), ("/v1/nowhere", "GET")):
        assert running.ask(method, path)[::2] == (401, '{"error":"Unauthorized"}')
        assert running.ask(method, path, Authorization=f"Bearer {bad}")[0] == 401
        assert running.ask(method, path, Authorization=f"Basic {good}")[0] == 401
    assert running.ask("GET", "/v1/models", Authorization=f"Bearer {good}")[0] == 200
    assert [running.ask("GET", path)[0] for path in ("/health", "/ping", "/metrics", "/version")] == [200] * 4
    assert running.end()[0] == 0


def test_an_empty_api_key_is_none(machine):
    running = Server(machine, VLLM_API_KEY="")
    assert running.ask("GET", "/v1/models")[0] == 200
    assert running.end()[0] == 0


def test_workers_of_a_killed_server_end(machine):
    running = Server(machine, "-tp", "4")
    pids = [int(pid) for pid in re.findall(r"taken, pid (\d+)", running.log)]
    assert len(pids) == 4 and len(machine.held()) == 4
    running.process.kill()
    deadline = time.monotonic() + 10
    while machine.held() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert machine.held() == {}
    # Their stdout, which they share with the server, closes with the last of them.
    assert running.end()[0] == -signal.SIGKILL


def test_a_killed_worker_ends_the_server(machine):
    running = Server(machine, "-tp", "2")
    pids = [int(pid) for pid in re.findall(r"taken, pid (\d+)", running.log)]
    assert len(pids) == 2
    os.kill(pids[1], signal.SIGKILL)
    deadline = time.monotonic() + 5
    while running.ask("GET", "/health")[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running.ask("GET", "/health")[0] == 503
    assert running.chat()[0] == 500
    code, log = running.process.wait(10), running.process.stdout.read()
    running.process.stdout.close()
    assert code == 1
    assert "died unexpectedly" in log
    assert 0 not in machine.held()  # the survivor gave its NPU back in order


def test_sigterm_lets_a_request_end(machine):
    running = Server(machine, NPUOPS_STANDIN_TOKEN_SECONDS="0.01")
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(running.post, "/v1/completions", {"prompt": "x", "max_tokens": 60, "ignore_eos": True})
        while not running.metric("vllm:num_requests_running"):
            time.sleep(0.01)
        began = time.monotonic()
        assert running.end()[0] == 0
        assert time.monotonic() - began < 5
        status, reply = job.result()
    assert status == 200 and reply["usage"]["completion_tokens"] == 60
    assert machine.held() == {}


def test_visible_devices_are_counted_in_the_container(machine):
    for number in (0, 1, 2):
        (machine.used.parents[2] / "dev" / f"davinci{number}").unlink()
    running = Server(machine, "-tp", "2", ASCEND_RT_VISIBLE_DEVICES="1,0")
    assert sorted(machine.held()) == [3, 4]
    assert "rank 0: NPU 1 (davinci4)" in running.log
    assert running.end()[0] == 0


@pytest.mark.parametrize(
    ("words", "env", "code", "text"),
    [
        (["-tp", "16"], {}, 1, "local_world_size (16) must be less than or equal to the number of visible devices (8)"),
        (["-tp", "3"], {}, 1, "Total number of attention heads (16) must be divisible by tensor parallel size (3)."),
        (["--max-model-len", "512"], {}, 1, "User-specified max_model_len (512) is greater than the derived"),
        (["--gpu-memory-utilization", "1.0"], {}, 1,
         "Free memory on device (60.55/60.97 GiB) on startup is less than desired GPU memory utilization (1.0"),
        (["--gpu-memory-utilization", "0.02"], {}, 1, "No available memory for the cache blocks."),
        (["-tp", "8"], {}, 1, "device 7 is not ready"),
        ([], {"ASCEND_RT_VISIBLE_DEVICES": "9"}, 1, "error code is 107001"),
        ([], {"NPUOPS_STANDIN_DRIVER_LIB": "/nowhere"}, 1, "ImportError: libascend_hal.so: cannot open shared object"),
        (["--nnodes", "2"], {}, 1, "world_size (1) must be divisible by nnodes (2)"),
        (["--nnodes", "2", "--distributed-executor-backend", "ray"], {}, 1,
         "nnodes > 1 can only be set when distributed executor backend is mp, uni or external_launcher."),
        (["--nnodes", "2", "-tp", "2", "-dp", "2"], {}, 1, "does not have: --nnodes together with"),
        (["--enable-expert-parallel"], {}, 1,
         "Number of experts in the model must be greater than 0 when expert parallelism is enabled."),
        (["-dp", "3", "-dpl", "2", "-dpa", "127.0.0.1"], {}, 1, "nodes with different numbers of data parallel"),
        (["--headless", "--api-server-count", "2", "-dp", "2", "-dpl", "1", "-dpr", "1"], {}, 1,
         "--api-server-count=2 cannot be used with --headless"),
        (["--distributed-executor-backend", "magic"], {}, 1, "Unrecognized distributed executor backend magic"),
        (["--no-such-option"], {}, 2, "vllm: error: unrecognized arguments: --no-such-option"),
    ],
)  # fmt: skip
def test_starts_that_fail(machine, words, env, code, text):
    found = machine.run("serve", str(machine.model), "--port", "0", *words, **env)
    assert found.returncode == code
    assert text in found.stdout
    assert machine.held() == {}


def test_a_missing_model(machine):
    found = machine.run("serve", "/models/none")
    assert found.returncode == 1
    assert "ValueError: Invalid repository ID or local directory specified: '/models/none'." in found.stdout


def test_a_taken_port_is_found_before_the_npus_are(machine):
    running = Server(machine)
    found = machine.run("serve", str(machine.model), "--host", "127.0.0.1", "--port", str(running.port))
    assert found.returncode == 1
    assert "Address already in use" in found.stdout
    assert "EngineCore" not in found.stdout
    assert running.end()[0] == 0


def test_version_and_other_commands(machine):
    assert machine.run("--version").stdout == "0.23.0+empty\n"
    assert "--tensor-parallel-size" in machine.run("serve", "--help").stdout
    found = machine.run("bench", "serve", "--model", "x")
    assert found.returncode == 1 and "`vllm serve` and `vllm --version` only" in found.stdout

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Producer, consumer and proxy of the stand-in: a request is prefilled on the one and decoded on the other."""

from __future__ import annotations

import http.client
import importlib.util
import json
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from vllm_standin.transfer import TransferConfig

_spec = importlib.util.spec_from_file_location("standin_machine", Path(__file__).with_name("standin_machine.py"))
standin_machine = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(standin_machine)
Machine, Server = standin_machine.Machine, standin_machine.Server


def free_port():
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def told(role, port, prefill=2, decode=1):
    sizes = {"prefill": {"dp_size": 1, "tp_size": prefill}, "decode": {"dp_size": 1, "tp_size": decode}}
    return json.dumps(
        {
            "kv_connector": "MooncakeConnectorV1",
            "kv_role": role,
            "kv_port": str(port),
            "engine_id": role,
            "kv_connector_extra_config": sizes,
        }
    )


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """(producer, consumer, port of the proxy)."""
    machines = [Machine(tmp_path_factory.mktemp(name), "v0.23.0") for name in ("p", "d")]
    machines[1].model = machines[0].model
    env = {"VLLM_HOST_IP": "127.0.0.1"}
    config = ["--kv-transfer-config", told("kv_producer", free_port())]
    producer = Server(machines[0], "--served-model-name", "m", "-tp", "2", *config, **env)
    config = ["--kv-transfer-config", told("kv_consumer", free_port())]
    consumer = Server(machines[1], "--served-model-name", "m", *config, **env)
    start = "import sys; from vllm_standin.proxy import main; sys.exit(main())"
    words = ["--host", "127.0.0.1", "--port", "0", "--prefiller-hosts", "127.0.0.1", "--decoder-hosts", "127.0.0.1"]
    words += ["--prefiller-ports", str(producer.port), "--decoder-ports", str(consumer.port)]
    proxy = subprocess.Popen(
        [sys.executable, "-c", start, *words], env=machines[0].env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    port = int(re.search(r"running on http://127.0.0.1:(\d+)", proxy.stdout.readline())[1])
    yield producer, consumer, port
    proxy.terminate()
    proxy.communicate(timeout=20)
    assert [producer.end()[0], consumer.end()[0], proxy.returncode] == [0, 0, 0]


def ask(port, path, body=None):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello there"}], "max_tokens": 12}


def counters(*servers):
    names = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total")
    return [[server.metric(name) for name in names] for server in servers]


def test_a_request_is_prefilled_there_and_decoded_here(three):
    producer, consumer, port = three
    before = counters(producer, consumer)
    status, text = ask(port, "/v1/chat/completions", CHAT)
    assert status == 200 and json.loads(text)["usage"]["completion_tokens"] == 12
    (prompt_p, made_p), (_prompt_d, made_d) = (
        [after - was for after, was in zip(now, then, strict=True)]
        for now, then in zip(counters(producer, consumer), before, strict=True)
    )
    assert prompt_p > 0 and made_p == 1
    assert made_d == 12


def test_a_streamed_reply(three):
    status, text = ask(three[2], "/v1/chat/completions", {**CHAT, "stream": True})
    assert status == 200 and text.rstrip().endswith("data: [DONE]")
    assert len(text.split("data: ")) > 12


def test_its_other_routes(three):
    _producer, _consumer, port = three
    assert json.loads(ask(port, "/healthcheck")[1]) == {"status": "ok", "prefill_instances": 1, "decode_instances": 1}
    assert json.loads(ask(port, "/v1/models")[1])["data"][0]["id"] == "m"
    assert ask(port, "/nowhere")[0] == 404
    assert ask(port, "/v1/chat/completions", {**CHAT, "model": "other"})[0] == 404


def test_a_cache_that_nobody_has(three):
    _producer, consumer, _port = three
    params = {
        "do_remote_prefill": True,
        "remote_host": "127.0.0.1",
        "remote_port": free_port(),
        "remote_request_id": "x",
    }
    status, answer = consumer.post("/v1/chat/completions", {**CHAT, "kv_transfer_params": params})
    assert status == 500 and "could not be fetched" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (told("kv_producer", 28000, prefill=1, decode=2), "prefill_tp_size: 1 must be greater than or equal to"),
        (told("kv_prefill", 28000), "Unsupported kv_role: kv_prefill"),
        ('{"kv_connector": "LLMDataDistCMgrConnector"}', "Unsupported connector type: LLMDataDistCMgrConnector"),
    ],
)
def test_what_the_connector_refuses(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        TransferConfig.read(text)


def test_a_kv_port_that_is_taken(tmp_path):
    machine = Machine(tmp_path, "v0.23.0")
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        config = told("kv_producer", other.getsockname()[1])
        found = machine.run("serve", str(machine.model), "--port", "0", "--kv-transfer-config", config)
    assert found.returncode == 1 and "zmq.error.ZMQError: Address already in use" in found.stdout
    assert machine.held() == {}

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that judge, called as Ansible calls them: what they return, and how they fail."""

from __future__ import annotations

import json
import stat
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.modules import (
    image_check,
    llm_endpoint,
    node_check,
    npu_placement,
    port_check,
    ray_cluster,
)
from lab.files import safetensors

CAPTURES = Path(__file__).parents[3] / "fixtures" / "corpus" / "captures"


@pytest.fixture
def program(tmp_path):
    """Write an executable shell script; answers its path."""

    def write(text, name="tool"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


@pytest.fixture
def web():
    """A server whose answers are a mapping from path to (code, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.headers.get("Content-Length"):
                self.rfile.read(int(self.headers["Content-Length"]))
            code, body = self.server.answers.get(self.path, (404, ""))
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_HEAD = do_POST = do_GET

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers = {}
    server.name = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


# ---- node_check


def eight_910b4(program):
    capture = CAPTURES / "npu-smi__info__910B4__25_0_rc1_1__jekyll.txt"
    return program(f"cat {capture}", "npu-smi")


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(safetensors({"w": [8]}))
    return folder


def test_a_node_that_is_ready(call_module, program, model):
    part = {"service": "chat", "npu_ids": [0, 1], "ports": [], "model": str(model)}
    result = call_module(node_check, npu_smi=eight_910b4(program), parts=[part], paths=[str(model)], idle_hbm_mb=65536)
    assert not result.get("failed"), result
    assert result["problems"] == []
    assert [npu["npu_id"] for npu in result["npus"]] == [0, 1]


def test_a_node_with_several_faults_names_them_all(call_module, program, model, tmp_path):
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}')
    part = {"service": "chat", "npu_ids": [77], "ports": [], "model": str(model)}
    arguments = {"npu_smi": eight_910b4(program), "parts": [part], "paths": [str(tmp_path / "hccn.conf")]}
    result = call_module(node_check, host="node1", **arguments)
    assert result["failed"]
    sentences = result["msg"].split("\n")
    assert len(sentences) == 3
    assert "hccn.conf is missing" in sentences[0]
    assert "NPU 77 is absent" in sentences[1]
    assert "lacks 1 weight files of its index, first model-2.safetensors" in sentences[2]
    assert not call_module(node_check, host="node1", strict=False, **arguments).get("failed")


def test_a_model_of_links_out_of_its_directory(call_module, program, model, tmp_path):
    (tmp_path / "blob").write_bytes(b"")
    (model / "model.safetensors").unlink()
    (model / "model.safetensors").symlink_to(tmp_path / "blob")
    part = {"service": "chat", "npu_ids": [], "ports": [], "model": str(model)}
    result = call_module(node_check, npu_smi=eight_910b4(program), parts=[part])
    assert "model.safetensors in" in result["msg"]
    assert "is a link out of that directory" in result["msg"]


def test_weights_that_end_too_early(call_module, program, model):
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[:-1])
    part = {"service": "chat", "npu_ids": [], "model": str(model)}
    result = call_module(node_check, npu_smi=eight_910b4(program), parts=[part])
    assert f"{model}/model.safetensors has {len(whole) - 1} bytes where its header tells {len(whole)}" in result["msg"]


def test_a_model_that_is_brought_later_is_not_checked(call_module, program, tmp_path):
    part = {"service": "chat", "npu_ids": [], "model": str(tmp_path / "awaited")}
    result = call_module(node_check, npu_smi=eight_910b4(program), parts=[part], awaited=[str(tmp_path / "awaited")])
    assert not result.get("failed") and result["problems"] == []


def test_a_service_that_is_not_on_its_npus(call_module, program):
    part = {"service": "chat", "npu_ids": [0]}
    result = call_module(node_check, npu_smi=eight_910b4(program), parts=[part], expect="serving", host="node1")
    assert "node1: service 'chat': NPU 0 chip 0 shows no process of it" in result["msg"]


def test_a_tool_that_fails_is_told_with_what_it_said(call_module, program):
    tool = program("echo 'dcmi module initialize failed. ret is -8005'; exit 187", "npu-smi")
    result = call_module(node_check, npu_smi=tool, parts=[])
    assert result["failed"]
    assert "-8005" in result["msg"]
    assert result["rc"] == 187


# ---- image_check


def test_an_image_in_the_engine_is_not_asked_for(call_module, program):
    docker = program('[ "$1 $2" = "image inspect" ] && echo sha256:77')
    result = call_module(image_check, images=["127.0.0.1:1/a:v1"], docker=docker)
    assert result["images"] == [
        {"name": "127.0.0.1:1/a:v1", "local": True, "registry": "unasked", "detail": "sha256:77"}
    ]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/v2/a/manifests/v1", 200, None),
        ("/v2/a/manifests/v2", 200, "does not have it"),
        ("/v2/a/manifests/v1", 503, "503"),
    ],
)
def test_an_image_of_a_registry_on_a_bare_node(call_module, web, path, code, words):
    web.answers[path] = (code, "")
    result = call_module(
        image_check, images=[f"{web.name}/a:v1"], insecure_registries=[web.name], docker="/no/docker", host="n1"
    )
    assert bool(result.get("failed")) == bool(words), result
    assert words is None or (words in result["msg"] and result["msg"].startswith(f"n1: image {web.name}/a:v1: "))


def test_a_registry_that_only_the_engine_may_reach(call_module, program):
    docker = program("exit 1")
    result = call_module(image_check, images=["127.0.0.1:1/a:v1"], insecure_registries=["127.0.0.1:1"], docker=docker)
    assert not result.get("failed")
    assert "the pull will tell" in json.dumps(result["warnings"])


def test_no_image_name(call_module):
    assert "is not an image name" in call_module(image_check, images=["Quay/A"])["msg"]


# ---- port_check


def test_a_port_that_nobody_answers_on(call_module):
    peers = [{"name": "node2", "address": "127.0.0.1", "ports": [1, 2]}]
    result = call_module(port_check, state="probed", host="node1", peers=peers, timeout=2)
    assert "node1: network: it cannot reach node2 (127.0.0.1) on TCP 1, 2: " in result["msg"]
    assert "refused" in result["msg"]


def test_listening_on_an_address_of_somebody_else(call_module):
    result = call_module(port_check, state="open", host="node1", address="192.0.2.77", ports=[45999])
    assert "node1: cannot listen on 192.0.2.77" in result["msg"]


# ---- ray_cluster

NODES = [
    {"address": "192.0.2.1", "hostname": "a", "alive": True, "head": True, "npus": 8, "npus_free": 8, "death": None},
    {"address": "192.0.2.2", "hostname": "b", "alive": True, "head": False, "npus": 7, "npus_free": 7, "death": None},
]
ASK = {"container": "npuops-chat-ray", "address": "192.0.2.1:6379", "wait_timeout": 1, "interval": 1}


def ray_of(program, nodes):
    """A docker that runs nothing, takes the probe on stdin as `docker exec -i` would, and prints this node table."""
    return program(f"grep -q 'def missing' || exit 9\necho 'a line that Ray logged'\necho '{json.dumps(nodes)}'")


def test_a_complete_cluster(call_module, program):
    wanted = [{"address": "192.0.2.1", "npus": 8}, {"address": "192.0.2.2", "npus": 7}]
    result = call_module(ray_cluster, docker=ray_of(program, NODES), nodes=wanted, **ASK)
    assert (result["complete"], result["npus"], result["missing"]) == (True, 15, [])


def test_nodes_are_there_but_not_their_npus(call_module, program):
    wanted = [{"address": "192.0.2.1", "npus": 8}, {"address": "192.0.2.2", "npus": 8}]
    result = call_module(ray_cluster, docker=ray_of(program, NODES), nodes=wanted, **ASK)
    assert result["failed"]
    assert "node 192.0.2.2 brings 7 NPUs instead of 8" in result["msg"]
    assert "npuops-chat-ray" in result["msg"]


def test_check_mode_looks_once_and_does_not_fail(call_module, program):
    wanted = [{"address": "192.0.2.9", "npus": 8}]
    result = call_module(ray_cluster, docker=ray_of(program, NODES), nodes=wanted, _ansible_check_mode=True, **ASK)
    assert (result.get("failed"), result["complete"]) == (None, False)


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo 'No such container: x' >&2; exit 1", "No such container: x"), ("echo nonsense", "unexpected output")],
)
def test_a_head_that_cannot_be_asked(call_module, program, script, words):
    assert words in call_module(ray_cluster, docker=program(script), **ASK)["msg"]


# ---- llm_endpoint


def served(web, name="chat"):
    web.answers.update({"/health": (200, ""), "/v1/models": (200, {"data": [{"id": name}]})})
    reply = {"choices": [{"message": {"content": "Hello."}}], "usage": {"completion_tokens": 2}}
    web.answers["/v1/chat/completions"] = (200, reply)
    return f"http://{web.name}"


def test_an_endpoint_that_answers(call_module, web):
    result = call_module(llm_endpoint, url=served(web), model="chat", prompt="Hello?")
    assert (result["ready"], result["models"], result["reply"], result["completion_tokens"]) == (
        True,
        ["chat"],
        "Hello.",
        2,
    )


def test_an_endpoint_of_another_model(call_module, web):
    result = call_module(llm_endpoint, url=served(web, "other"), model="chat", wait_timeout=0)
    assert "it serves other, not chat" in result["msg"]


def test_an_endpoint_that_is_healthy_but_cannot_chat(call_module, web):
    url = served(web)
    web.answers["/v1/chat/completions"] = (500, "engine is dead")
    result = call_module(llm_endpoint, url=url, prompt="Hello?")
    assert result["failed"]
    assert "500: engine is dead" in result["msg"]


def test_an_endpoint_that_answers_nonsense(call_module, web):
    url = served(web)
    web.answers["/v1/chat/completions"][1]["choices"][0]["message"]["content"] = "!" * 64
    result = call_module(llm_endpoint, url=url, prompt="Hello?")
    assert "no language (one character 64 times in a row)" in result["msg"]
    assert "hccn.conf" in result["msg"]
    assert call_module(llm_endpoint, url=url, prompt="Hello?", check_reply=False)["reply"] == "!" * 64


def test_an_endpoint_that_answers_something_else(call_module, web):
    url = served(web)
    assert call_module(llm_endpoint, url=url, prompt="Hello?", expect="(?i)hello")["reply"] == "Hello."
    assert (
        "does not match 'Paris': 'Hello.'" in call_module(llm_endpoint, url=url, prompt="Hello?", expect="Paris")["msg"]
    )
    assert "no regular expression" in call_module(llm_endpoint, url=url, prompt="Hello?", expect="(")["msg"]


def test_a_failure_comes_with_what_is_known_about_it(call_module, program, tmp_path, monkeypatch):
    program("echo NRestarts=0", "systemctl")
    program(
        "echo 'RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 0; 60.97 GiB total capacity)'",
        "journalctl",
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    result = call_module(llm_endpoint, url="http://127.0.0.1:1", unit="npuops-chat.service", wait_timeout=0)
    assert result["findings"][0]["line"].startswith("RuntimeError: NPU out of memory")
    assert result["findings"][0]["remedy"] in result["msg"]


def test_no_secret_of_the_log_is_told(call_module, program, tmp_path, monkeypatch):
    program("echo NRestarts=0", "systemctl")
    program("echo 'Authorization: Bearer q1w2e3r4t5'; echo 'key sk-of-the-inventory was refused'", "journalctl")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    arguments = {"unit": "npuops-chat.service", "wait_timeout": 0, "api_key": "sk-of-the-inventory"}
    result = call_module(llm_endpoint, url="http://127.0.0.1:1", **arguments)
    assert "was refused" in result["msg"]
    assert "q1w2e3r4t5" not in str(result) and "sk-of-the-inventory" not in str(result)


def test_the_wait_ends_when_the_unit_keeps_failing(call_module, program, tmp_path, monkeypatch):
    program(
        f'n=$(cat {tmp_path}/n 2>/dev/null || echo 0); echo $((n+1)) > {tmp_path}/n; echo "NRestarts=$n"', "systemctl"
    )
    program("echo 'vllm: error: unrecognized arguments: --nonsense'", "journalctl")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    arguments = {"unit": "npuops-chat.service", "wait_timeout": 600, "interval": 0, "max_restarts": 3}
    result = call_module(llm_endpoint, url="http://127.0.0.1:1", **arguments)
    assert "npuops-chat.service failed 3 times in a row" in result["msg"]
    assert "unrecognized arguments: --nonsense" in result["msg"]


def test_check_mode_does_not_wait_for_an_endpoint(call_module):
    result = call_module(llm_endpoint, url="http://127.0.0.1:1", wait_timeout=600, _ansible_check_mode=True)
    assert (result.get("failed"), result["ready"]) == (None, False)


# ---- npu_placement


def placement_input(**changes):
    chips = [
        {"npu_id": n, "chip_id": 0, "phy_id": n, "name": "910B3", "hbm_mb": [3000, 65536], "memory_mb": [0, 0]}
        for n in range(8)
    ]
    interfaces = [{"name": "eth0", "addresses": ["192.0.2.11"]}]
    nodes = {"node1": {"chips": chips, "interfaces": interfaces, "address_hints": ["node1", "192.0.2.11"]}}
    service = {"name": "chat", "engine": "vllm", "model": "/data/m", "hosts": ["node1"], "npus": 8, "port": 8000}
    service.update(changes)
    return {"services": [service], "nodes": nodes, "images": {"vllm": "quay.io/ascend/vllm-ascend:v0.23.0"}}


def test_a_placement(call_module):
    result = call_module(npu_placement, **placement_input())
    (chat,) = result["services"]
    assert chat["image"] == "quay.io/ascend/vllm-ascend:v0.23.0"
    assert chat["command"][:3] == ["vllm", "serve", "/data/m"]
    assert result["hosts"]["node1"]["parts"][0]["npu_ids"] == list(range(8))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"engine": "tei"}, "engine 'tei' is not served by this release"),
        ({"npus": 9}, "it asks for 9 NPUs"),
        ({"colour": "red"}, "key 'colour' is not known"),
    ],
)
def test_a_placement_that_cannot_be(call_module, changes, words):
    arguments = placement_input(**changes)
    failed = call_module(npu_placement, served_only=True, **arguments)
    assert failed["failed"]
    assert words in failed["msg"]
    told = call_module(npu_placement, served_only=True, strict=False, **arguments)
    assert not told.get("failed")
    assert [words in problem["sentence"] for problem in told["problems"]] == [True]


def over_two_nodes(**changes):
    arguments = placement_input(hosts=["node1", "node2"], **changes)
    other = {**arguments["nodes"]["node1"], "address_hints": ["192.0.2.12"]}
    other["interfaces"] = [{"name": "eth0", "addresses": ["192.0.2.12"]}]
    arguments["nodes"] = {**arguments["nodes"], "node2": other}
    return arguments


def of_nodes(service, key):
    return {host: part[key] for host, part in service["nodes"].items()}


def test_each_node_has_its_command(call_module):
    (chat,) = call_module(npu_placement, served_only=True, **over_two_nodes(executor="mp"))["services"]
    assert chat["command"] == chat["nodes"]["node1"]["command"]
    assert "--headless" in chat["nodes"]["node2"]["command"]
    assert of_nodes(chat, "head") == {"node1": "node1", "node2": "node1"}
    assert of_nodes(chat, "url") == {"node1": "http://192.0.2.11:8000", "node2": None}
    assert chat["urls"] == ["http://192.0.2.11:8000"]


def test_each_replica_has_its_endpoint(call_module):
    (chat,) = call_module(npu_placement, served_only=True, **over_two_nodes(replicas=True))["services"]
    assert chat["urls"] == ["http://192.0.2.11:8000", "http://192.0.2.12:8000"] == list(of_nodes(chat, "url").values())
    assert of_nodes(chat, "head") == {"node1": "node1", "node2": "node2"}
    assert chat["network_hosts"] == ["node1"]


def test_what_is_known_to_fail_is_a_problem_unless_it_is_allowed(call_module):
    arguments = over_two_nodes(executor="mp")
    arguments["images"] = {"vllm": "quay.io/ascend/vllm-ascend:v0.11.0"}
    assert "--nnodes" in call_module(npu_placement, **arguments)["msg"]
    arguments["services"][0]["allow"] = ["mp_over_nodes"]
    result = call_module(npu_placement, **arguments)
    assert not result.get("failed")
    assert ["--nnodes" in doubt["sentence"] for doubt in result["doubts"]].count(True) == 1


def test_arguments_of_vllm_are_judged_and_completed(call_module):
    (chat,) = call_module(npu_placement, **placement_input(args={"max_model_len": 4096}))["services"]
    assert chat["command"][-6:] == [
        "--max-model-len",
        "4096",
        "--block-size",
        "128",
        "--gpu-memory-utilization",
        "0.9",
    ]
    assert chat["env"]["HCCL_BUFFSIZE"] == "256"

    arguments = placement_input(args={"disable_log_requests": True, "max_model_len": 4096})
    failed = call_module(npu_placement, **arguments)
    assert failed["failed"]
    assert failed["msg"] == (
        "inventory: service 'chat': args.disable_log_requests is gone in vLLM 0.23.0; leave it out: requests are only "
        "logged with enable_log_requests: true, which replaced it."
    )
    assert not failed.get("warnings")
    told = call_module(npu_placement, check_args=False, **arguments)
    assert not told.get("failed")
    assert told["problems"] == []
    assert [warning["event"]["msg"] for warning in told["warnings"]] == [failed["msg"]]
    assert [doubt["sentence"] for doubt in told["doubts"]] == [failed["msg"]]


def test_an_image_without_a_list_is_a_warning(call_module):
    arguments = placement_input(args={"max_model_len": 4096, "any_thing": 1})
    arguments["images"] = {"vllm": "quay.io/ascend/vllm-ascend:v0.8.5rc1"}
    result = call_module(npu_placement, **arguments)
    assert not result.get("failed")
    (warning,) = result["warnings"]
    assert "v0.8.5rc1 is older than 0.11.0" in warning["event"]["msg"]
    assert result["services"][0]["env"]["VLLM_USE_V1"] == "1"


def test_nodes_in_a_form_that_is_not_understood(call_module):
    arguments = dict(placement_input(), nodes={"node1": {"chips": []}})
    assert "every entry needs chips" in call_module(npu_placement, **arguments)["msg"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _vllm


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, []),
        ({"max_model_len": 32768}, ["--max-model-len", "32768"]),
        ({"enable_expert_parallel": True}, ["--enable-expert-parallel"]),
        ({"enable_prefix_caching": False}, ["--no-enable-prefix-caching"]),
        ({"quantization": None}, []),
        ({"disable_log_stats": True}, ["--disable-log-stats"]),
        ({"disable_log_stats": False}, []),
        ({"allowed_origins": ["a", "b"]}, ["--allowed-origins", '["a","b"]']),
        ({"logits_processors": ["a", "b"]}, ["--logits-processors", "a", "b"]),
        ({"logits_processors": []}, []),
        ({"middleware": ["a.b", "c.d"]}, ["--middleware", "a.b", "--middleware", "c.d"]),
        ({"lora_modules": [{"name": "x", "path": "/x"}]}, ["--lora-modules", '{"name":"x","path":"/x"}']),
        ({"max_model_len": -1}, ["--max-model-len=-1"]),
        ({"guided_decoding_disable_fallback": True}, ["--guided-decoding-disable-fallback", "True"]),
        ({"guided_decoding_disable_fallback": False}, []),
        ({"not_known": False, "also_not": ["a", "b"]}, ["--no-not-known", "--also-not", "a", "b"]),
        ({"gpu_memory_utilization": 0.9}, ["--gpu-memory-utilization", "0.9"]),
        ({"chat_template": "/x y/z"}, ["--chat-template", "/x y/z"]),
    ],
)
def test_flags(args, words):
    assert _vllm.flags(args) == words


def test_a_mapping_is_one_json_text():
    words = _vllm.flags({"additional_config": {"b": {"c": True}, "a": 1}})
    assert words[0] == "--additional-config"
    assert json.loads(words[1]) == {"a": 1, "b": {"c": True}}
    assert words == _vllm.flags({"additional_config": {"a": 1, "b": {"c": True}}})


def placed(**changes):
    base = {
        "name": "chat",
        "model": "/data/models/Qwen3-32B/",
        "port": 8000,
        "executor": "ray",
        "devices": 16,
        "parallel": {"tensor": 8, "pipeline": 2, "data": 1},
        "args": {"max_model_len": 4096},
    }
    base.update(changes)
    return base


def test_over_two_nodes():
    assert _vllm.serve_command(placed()) == [
        "vllm",
        "serve",
        "/data/models/Qwen3-32B/",
        "--served-model-name",
        "chat",
        "Qwen3-32B",
        "--port",
        "8000",
        "--tensor-parallel-size",
        "8",
        "--pipeline-parallel-size",
        "2",
        "--distributed-executor-backend",
        "ray",
        "--max-model-len",
        "4096",
    ]


def test_on_one_device_there_is_nothing_to_distribute():
    words = _vllm.serve_command(placed(executor="mp", devices=1, parallel={"tensor": 1, "pipeline": 1, "data": 1}))
    assert "--distributed-executor-backend" not in words
    assert "--pipeline-parallel-size" not in words


@pytest.mark.parametrize(("given", "expected"), [("qwen", ["chat", "qwen"]), (["a", "chat"], ["chat", "a"])])
def test_the_services_own_name_comes_first(given, expected):
    words = _vllm.serve_command(placed(args={"served_model_name": given}))
    start = words.index("--served-model-name") + 1
    assert words[start : words.index("--port")] == expected
    assert words.count("--served-model-name") == 1


@pytest.mark.parametrize(
    ("image", "suffix", "expected"),
    [
        ("quay.io/ascend/vllm-ascend:v0.23.0", "", "quay.io/ascend/vllm-ascend:v0.23.0"),
        ("quay.io/ascend/vllm-ascend:v0.23.0", "-a3", "quay.io/ascend/vllm-ascend:v0.23.0-a3"),
        (
            "mirror.example:5000/ascend/vllm-ascend:v0.23.0.post1",
            "-310p",
            "mirror.example:5000/ascend/vllm-ascend:v0.23.0.post1-310p",
        ),
        ("quay.io/ascend/vllm-ascend:v0.11.0rc0", "-a3", "quay.io/ascend/vllm-ascend:v0.11.0rc0-a3"),
        ("quay.io/ascend/vllm-ascend:v0.23.0-openeuler", "-a3", "quay.io/ascend/vllm-ascend:v0.23.0-a3-openeuler"),
        ("quay.io/ascend/vllm-ascend:v0.23.0@sha256:0a", "-a3", "quay.io/ascend/vllm-ascend:v0.23.0@sha256:0a"),
        ("quay.io/ascend/vllm-ascend:main", "-a3", "quay.io/ascend/vllm-ascend:main"),
        ("registry.example/mine:v0.23.0", None, "registry.example/mine:v0.23.0"),
        ("quay.io/ascend/vllm-ascend:v0.23.0", None, None),
    ],
)
def test_the_image_of_a_chip_family(image, suffix, expected):
    assert _vllm.image_for(image, suffix) == expected


def spread(executor, **sizes):
    nodes = {"npu-a": {"address": "192.0.2.11"}, "npu-b": {"address": "192.0.2.12"}}
    parallel = {"tensor": 8, "pipeline": 1, "data": 1, **sizes}
    return placed(
        executor=executor, parallel=parallel, nodes=nodes, head="npu-a", replicas=False, join_port=29501,
        args={"max_model_len": 4096, "api_server_count": 2},
    )  # fmt: skip


def words(text):
    return text.split()


def test_ray_starts_a_server_on_its_head_alone():
    commands = _vllm.node_commands(spread("ray", pipeline=2))
    assert commands["npu-a"][-4:] == ["--max-model-len", "4096", "--api-server-count", "2"]
    assert "--nnodes" not in commands["npu-a"]
    assert commands["npu-b"] is None


def test_mp_over_two_nodes():
    """As in vllm-ascend's pipeline_parallel.md, two nodes with multiprocessing."""
    commands = _vllm.node_commands(spread("mp", pipeline=2))
    begin = words("vllm serve /data/models/Qwen3-32B/ --served-model-name chat Qwen3-32B")
    sizes = words("--tensor-parallel-size 8 --pipeline-parallel-size 2 --distributed-executor-backend mp --nnodes 2")
    master = words("--master-addr 192.0.2.11 --master-port 29501")
    assert commands["npu-a"] == [
        *begin, "--port", "8000", *sizes, "--node-rank", "0", *master, "--max-model-len", "4096",
        "--api-server-count", "2",
    ]  # fmt: skip
    # A headless node refuses to be told of API servers.
    assert commands["npu-b"] == [
        *begin, *sizes, "--node-rank", "1", *master, "--headless", "--max-model-len", "4096"
    ]  # fmt: skip


def test_dp_over_two_nodes():
    """As in vllm-ascend's DeepSeek-V3.1.md, two nodes."""
    commands = _vllm.node_commands(spread("dp", tensor=4, data=4))
    sizes = words("--tensor-parallel-size 4 --data-parallel-size 4 --distributed-executor-backend mp")
    local = ["--data-parallel-size-local", "2"]
    there = words("--data-parallel-address 192.0.2.11 --data-parallel-rpc-port 29501")
    head = commands["npu-a"]
    assert head[head.index("--tensor-parallel-size") :][:11] == [*sizes, *local, *there][:11]
    assert "--headless" not in head and "--data-parallel-start-rank" not in head
    other = commands["npu-b"]
    assert other[other.index("--tensor-parallel-size") :] == [
        *sizes, *local, "--data-parallel-start-rank", "2", *there, "--headless", "--max-model-len", "4096"
    ]  # fmt: skip


def test_an_engine_on_one_device_needs_no_executor():
    assert "--distributed-executor-backend" not in _vllm.serve_command(spread("dp", tensor=1, data=4))


def test_replicas_are_all_alike():
    commands = _vllm.node_commands({**spread("mp"), "replicas": True, "join_port": None})
    assert commands["npu-a"] == commands["npu-b"]
    assert "--headless" not in commands["npu-b"] and "--nnodes" not in commands["npu-b"]

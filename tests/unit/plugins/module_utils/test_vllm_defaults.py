# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _vllm_check, _vllm_defaults
from ansible_collections.npuops.ascend.plugins.module_utils._compatibility_versions import is_version

IMAGE = "quay.io/ascend/vllm-ascend:v0.23.0"


def placed(**changes):
    base = {"model": "/data/models/Qwen3-32B", "devices": 8, "chip": "910B3", "args": {}, "env": {}}
    return {**base, **changes}


def args(image=IMAGE, **changes):
    return _vllm_defaults.with_defaults(placed(**changes), image)[0]


def env(image=IMAGE, **changes):
    return _vllm_defaults.with_defaults(placed(**changes), image)[1]


def test_arguments():
    assert args() == {"block_size": 128, "gpu_memory_utilization": 0.9}
    assert args(args={"block_size": 64, "gpu_memory_utilization": None}) == {
        "block_size": 64,
        "gpu_memory_utilization": None,
    }
    assert args(args={"device_memory_utilization": 0.8}) == {"device_memory_utilization": 0.8, "block_size": 128}
    assert args(args={"config": "/m/serve.yml"}) == {"config": "/m/serve.yml"}
    service = placed(args={"dtype": "auto"})
    _vllm_defaults.with_defaults(service, IMAGE)
    assert service["args"] == {"dtype": "auto"}


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, "256"),
        ({"devices": 1}, None),
        ({"model": "/data/Qwen2.5-72B-Instruct/"}, "1024"),
        ({"model": "/data/Qwen3-235B-A22B-W8A8"}, "1024"),
        ({"model": "/data/DeepSeek-V3.1"}, "1024"),
        ({"model": "/data/DeepSeek-R1-Distill-Qwen-7B"}, "256"),
        ({"model": "/data/70B/Qwen3-8B"}, "256"),
        ({"args": {"enable_expert_parallel": True}}, "512"),
        ({"model": "/data/DeepSeek-V3.1", "env": {"HCCL_BUFFSIZE": "600"}}, "600"),
    ],
)
def test_hccl_buffer(changes, size):
    assert env(**changes).get("HCCL_BUFFSIZE") == size


def test_the_task_queue_of_level_2_is_for_eager_mode():
    assert "TASK_QUEUE_ENABLE" not in env()
    assert env(args={"enforce_eager": True})["TASK_QUEUE_ENABLE"] == "2"


def test_expandable_segments():
    assert env()["PYTORCH_NPU_ALLOC_CONF"] == "expandable_segments:True"
    assert "PYTORCH_NPU_ALLOC_CONF" not in env(args={"enable_sleep_mode": True})
    assert "PYTORCH_NPU_ALLOC_CONF" not in env(chip="310P3")


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("v0.7.3", None),
        ("v0.8.5rc1", "1"),
        ("v0.9.1", "1"),
        ("v0.9.2rc1", None),
        ("v0.10.0rc1", None),
        ("v0.23.0", None),
        ("main", None),
    ],
)
def test_the_engine_v1_is_asked_for_where_it_must_be(tag, value):
    assert env(image=f"quay.io/ascend/vllm-ascend:{tag}").get("VLLM_USE_V1") == value


def doubts(image=IMAGE, **changes):
    return [problem for problem, _remedy in _vllm_defaults.doubts({"args": {"max_model_len": 1}, **changes}, image)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"args": {}}, "args.max_model_len is not set"),
        ({"args": None}, "args.max_model_len is not set"),
        ({"args": {"runner": "pooling"}}, None),
        ({"args": {"max_model_len": 1, "gpu_memory_utilization": 0.95}}, "args.gpu_memory_utilization is 0.95"),
        ({"args": {"max_model_len": 1, "gpu_memory_utilization": 0.94}}, None),
        ({"args": {"max_model_len": 1, "gpu_memory_utilization": "x"}}, None),
        ({"env": {"VLLM_USE_V1": "1"}}, "env.VLLM_USE_V1 has no effect from v0.10.0rc1 on, the image is v0.23.0"),
        ({"env": {"HCCL_BUFFSIZE": "512"}}, None),
        ({"env": {"HCCL_BUFFSIZE": 512}}, None),
        ({"env": {"HCCL_BUFFSIZE": "1G"}}, "env.HCCL_BUFFSIZE is '1G'"),
        ({"env": {"HCCL_BUFFSIZE": "8192"}}, "twice that of HBM"),
        (
            {"args": {"max_model_len": 1, "enable_expert_parallel": True}, "env": {"HCCL_BUFFSIZE": "100"}},
            "too little for the experts",
        ),
        ({"env": {"TASK_QUEUE_ENABLE": "1"}}, None),
        ({"env": {"TASK_QUEUE_ENABLE": "3"}}, "env.TASK_QUEUE_ENABLE is '3'"),
        ({"env": {"TASK_QUEUE_ENABLE": "2"}}, "torch_npu refuses to capture graphs"),
        ({"env": {"TASK_QUEUE_ENABLE": "2"}, "args": {"max_model_len": 1, "enforce_eager": True}}, None),
        ({"env": {"ASCEND_LAUNCH_BLOCKING": "1"}}, "with which graphs are refused"),
        ({"env": {"PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True"}}, None),
        ({"env": {"PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True,max_split_size_mb:250"}}, "max_split_size_mb"),
        (
            {
                "args": {"max_model_len": 1, "enable_sleep_mode": True},
                "env": {"PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True"},
            },
            "memory pool of sleep mode",
        ),
        ({"env": {"LD_LIBRARY_PATH": "/x"}}, "takes the place of the image's"),
    ],
)
def test_doubts(changes, words):
    found = doubts(**changes)
    assert len(found) == (words is not None), found
    assert all(words in text for text in found)


def test_doubts_depend_on_the_release():
    old = "quay.io/ascend/vllm-ascend:v0.9.1"
    assert doubts(image=old, env={"VLLM_USE_V1": "1"}) == []
    assert "only the engine V1" in doubts(image=old, env={"VLLM_USE_V1": "0"})[0]
    assert doubts(image="registry.example/mine:1", env={"VLLM_USE_V1": "1"}) == []


def test_the_defaults_themselves_are_beyond_doubt():
    for changes in ({}, {"args": {"enforce_eager": True}}, {"args": {"enable_expert_parallel": True}}):
        filled_args, filled_env = _vllm_defaults.with_defaults(placed(**changes), IMAGE)
        assert doubts(args={**filled_args, "max_model_len": 1}, env=filled_env) == []


def test_releases_in_the_tables_are_releases():
    rows = (*_vllm_defaults.ARGS, *_vllm_defaults.ENV)
    named = [row.since for row in rows] + [row.before for row in rows]
    named += [without for without, _remedy in _vllm_defaults.GONE_ENV.values()]
    assert all(is_version(name) for name in named if name)


def service(**changes):
    base = {"name": "chat", "engine": "vllm", "hosts": ["node1"], "args": {"max_model_len": 1}}
    return {**base, **changes}


def test_the_services_of_an_inventory():
    wanted = [
        service(args={"max_model_len": 1, "max_num_seq": 4}),
        service(name="away", hosts=["node9"], args={"max_num_seq": 4}),
        service(name="other", engine="mindie", args={"maxSeqLen": 4}),
        service(name="own", args={"max_model_len": 1, "port": 1, "api_key": "x", "max-num-seqs": 1}),
        service(name="odd", args=7),
        "text",
    ]
    problems, found = _vllm_check.check_services(wanted, IMAGE, ["node9"])
    assert [problem.sentence() for problem in problems] == [
        "inventory: service 'chat': args.max_num_seq is not an option of vLLM 0.23.0; write 'max_num_seqs'."
    ]
    assert found == []


def test_without_an_image_only_the_defaults_are_judged():
    problems, found = _vllm_check.check_services([service(args={"max_num_seq": 1})], None)
    assert problems == []
    assert ["max_model_len is not set" in doubt.problem for doubt in found] == [True]

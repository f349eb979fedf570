# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table: what a service may say, and the sentence for what it may not."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._services import check_served, check_shape


def service(**changes):
    base = {"name": "chat", "engine": "vllm", "model": "/data/models/m", "hosts": ["node1"], "npus": 8, "port": 8000}
    base.update(changes)
    return {key: value for key, value in base.items() if value is not ...}


GOOD = [
    {},
    {"npus": {"ids": [4, 5]}},
    {"npus": ..., "vnpu": {"memory_gb": 23}},
    {"npus": ..., "vnpu": {"template": "vir10_3c_32g", "dynamic": True}},
    {"npus": {"ids": [3]}, "share": {"aicore": 7, "memory_gb": 30}},
    {"hosts": ["node1", "node2"], "executor": "ray", "parallel": {"tensor": 8, "pipeline": 2}},
    {"args": {"max_model_len": 32768, "enable_expert_parallel": True}, "env": {"HCCL_BUFFSIZE": "512", "N": 1}},
    {"engine": "mindie", "args": {"maxSeqLen": 32768}},
    {"hosts": ["node1", "node2"], "executor": "mp", "parallel": {"tensor": 8, "pipeline": 2}},
    {"hosts": ["node1", "node2"], "executor": "dp", "parallel": {"tensor": 4, "data": 4}},
    {"hosts": ["node1", "node2"], "executor": "dp"},
    {"hosts": ["node1", "node2"], "replicas": True},
    {"hosts": ["node1", "node2"], "replicas": True, "executor": "mp", "parallel": {"tensor": 4, "data": 2}},
    {"allow": ["pp_with_ep", "tensor_heads"]},
]


@pytest.mark.parametrize("changes", GOOD)
def test_the_contracts_examples_are_accepted(changes):
    assert check_shape([service(**changes)]) == []


BAD = [
    ({"modle": "/x"}, "key 'modle' is not known", "model"),
    ({"hosts": ...}, "'hosts' is missing", ""),
    ({"name": "Chat Bot"}, "cannot name a container", ""),
    ({"engine": "vlm"}, "engine 'vlm' is not known", "vllm"),
    ({"model": "models/m"}, "not an absolute path", ""),
    ({"hosts": ["node1", "node1"]}, "names a node twice", ""),
    ({"hosts": "node1"}, "hosts is 'node1'", ""),
    ({"port": 80}, "port is 80", "1024"),
    ({"port": True}, "port is True", ""),
    ({"port": "8000"}, "port is '8000'", ""),
    ({"npus": ...}, "either npus or vnpu", ""),
    ({"vnpu": {"memory_gb": 8}}, "either npus or vnpu", ""),
    ({"npus": 0}, "npus is 0", ""),
    ({"npus": True}, "npus is True", ""),
    ({"npus": {"ids": []}}, "npus.ids is []", ""),
    ({"npus": {"ids": [1, 1]}}, "names an NPU twice", ""),
    ({"npus": {"id": [1]}}, "key 'id' is not known in npus", "ids"),
    ({"npus": ..., "vnpu": {"memory_gb": 8, "template": "vir02"}}, "vnpu is", "either"),
    (
        {"npus": ..., "hosts": ["node1", "node2"], "vnpu": {"template": "vir02", "npu_id": 3}},
        "vnpu.npu_id names an NPU, and 2 hosts may take the service",
        "name the one host",
    ),
    ({"share": {"aicore": 0, "memory_gb": 3}}, "share.aicore is 0", ""),
    ({"share": 5}, "share is 5", ""),
    ({"parallel": {"tensor": 8, "pipelines": 2}}, "key 'pipelines' is not known in parallel", "pipeline"),
    ({"parallel": {"tensor": 0}}, "parallel.tensor is 0", ""),
    ({"executor": "slurm"}, "executor 'slurm' is not known", "ray"),
    (
        {"executor": "mp", "hosts": ["node1", "node2"], "parallel": {"tensor": 8, "data": 2}},
        "over 2 hosts has one engine",
        "dp",
    ),
    (
        {"executor": "dp", "hosts": ["node1", "node2"], "parallel": {"tensor": 16}},
        "2 cannot share parallel.data 1 evenly",
        "a multiple of 2",
    ),
    ({"replicas": 2}, "replicas is 2", "give true"),
    ({"replicas": True, "executor": "dp"}, "nothing for executor 'dp'", "leave executor out"),
    ({"npus": ..., "vnpu": {"template": "vir02"}, "replicas": True}, "has one slice", "for each slice"),
    ({"npus": ..., "vnpu": {"template": "vir02"}, "executor": "dp"}, "needs no dp", ""),
    ({"allow": "pp_with_ep"}, "allow is 'pp_with_ep'", "list"),
    ({"allow": ["pp_with_eb"]}, "allow has 'pp_with_eb'", "write 'pp_with_ep'"),
    ({"allow": [3]}, "allow has '3'", "use one of"),
    ({"args": {"master_addr": "192.0.2.1"}}, "args.master_addr is not accepted", "first host"),
    ({"args": {"data_parallel_rpc_port": 1}}, "args.data_parallel_rpc_port is not accepted", "a port of its own"),
    ({"args": {"max-model-len": 5}}, "not snake_case", "max_model_len"),
    ({"args": {"tensor_parallel_size": 4}}, "set by the collection", "parallel.tensor"),
    ({"args": {"api_key": "x"}}, "args.api_key is not accepted", "serve_api_keys"),
    ({"args": {"ssl_certfile": "x"}}, "args.ssl_certfile is not accepted", ""),
    ({"args": {"served_model_name": []}}, "args.served_model_name is []", "a list of names"),
    ({"args": {"served_model_name": None}}, "args.served_model_name is None", ""),
    ({"env": {"HCCL_IF_IP": "192.0.2.1"}}, "env.HCCL_IF_IP is set by the collection", "leave it out"),
    ({"env": {"NPUOPS_SERVICE": "x"}}, "env.NPUOPS_SERVICE is set by the collection", ""),
    ({"name": ["x"]}, "cannot name a container", ""),
    ({"args": ["--x"]}, "args is ['--x']", ""),
    ({"env": {"A": None}}, "env.A is None", ""),
    ({"env": {"A": True}}, "boolean true", "quote"),
    ({"env": {"1A": "x"}}, "not a variable name", ""),
]


@pytest.mark.parametrize(("changes", "problem", "remedy"), BAD)
def test_a_fault_is_named_with_its_remedy(changes, problem, remedy):
    found = check_shape([service(**changes)])
    assert len(found) == 1, found
    assert problem in found[0].problem
    assert remedy in found[0].remedy
    assert found[0].sentence().startswith("inventory: service '")


@pytest.mark.parametrize("services", ["chat", {"name": "chat"}, None])
def test_no_list(services):
    assert "not a list" in check_shape(services)[0].problem


def test_an_entry_that_is_no_mapping():
    assert check_shape(["chat"])[0].item == "ascend_services[0]"


def test_a_name_used_twice():
    assert [p.problem for p in check_shape([service(), service(port=8001)])] == ["the name is used twice"]


@pytest.mark.parametrize("name", ["chat-ray", "chat-watchdog", "chat-proxy"])
def test_a_name_that_another_service_uses_for_its_units(name):
    told = check_shape([service(name=name), service(port=8001)])
    assert [p.problem for p in told] == [f"service 'chat' has a unit npuops-{name}, too"]
    assert check_shape([service(name=name)]) == []


def test_all_faults_are_told_at_once():
    assert len(check_shape([service(port=1, npus=0), service(name="b", engine="x")])) == 3


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"engine": "tei"}, "engine 'tei'"),
        ({"hosts": ["node1", "node2"], "parallel": {"data": 2, "tensor": 8}}, "Ray does not do data parallelism"),
        ({"share": {"aicore": 5, "memory_gb": 8}}, "time sharing"),
    ],
)
def test_what_this_release_cannot_start(changes, word):
    asked = [service(**changes)]
    assert check_shape(asked) == []
    assert [word in p.problem for p in check_served(asked)] == [True]


def test_it_can_start_services_on_slices():
    assert check_served([service(npus=..., vnpu={"template": "vir04", "dynamic": True})]) == []


def test_what_it_can_start():
    over = {"hosts": ["node1", "node2"], "parallel": {"data": 2, "tensor": 8}}
    asked = [service(), service(executor="ray"), service(executor="mp"), service(executor="dp", **over)]
    assert check_served([*asked, service(replicas=True, **over)]) == []


@pytest.mark.parametrize(
    "env",
    [
        {"HF_TOKEN": "x"},
        {"MODELSCOPE_API_TOKEN": "x"},
        {"AWS_SECRET_ACCESS_KEY": "x"},
        {"https_proxy": "http://me:pw@p:1"},
    ],
)
def test_secrets_do_not_go_into_a_containers_environment(env):
    (problem,) = check_shape([service(env=env)])
    assert next(iter(env)) in problem.problem and "serve_secrets" in problem.remedy
    assert not any(value in problem.sentence() for value in env.values() if value != "x")


def test_what_only_sounds_like_a_secret():
    env = {
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_MAX_TOKENS": "1",
        "HTTP_PROXY": "http://proxy:3128",
        "KEY_TYPE": "a",
    }
    assert check_shape([service(env=env)]) == []

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRA adapters: every way to write them, what vLLM is told, and which of them it could not load."""

from __future__ import annotations

import json

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _vllm_lora as lora
from ansible_collections.npuops.ascend.plugins.module_utils._vllm import flags
from ansible_collections.npuops.ascend.plugins.module_utils._vllm_check import check_services

SQL = {"name": "sql", "path": "/data/lora/sql"}


@pytest.mark.parametrize(
    "value",
    [{"sql": "/data/lora/sql"}, SQL, "sql=/data/lora/sql", ["sql=/data/lora/sql"], [SQL], [json.dumps(SQL)]],
)
def test_every_way_to_write_one_adapter(value):
    assert lora.modules(value) == [SQL]
    assert lora.adapters({"lora_modules": value}) == [{**SQL, "max_rank": 16}]
    words = flags(lora.with_modules({"lora_modules": value}), "quay.io/ascend/vllm-ascend:v0.23.0")
    assert words[0] == "--lora-modules" and words[-1] == "--enable-lora"
    assert words[1:-1] in (["sql=/data/lora/sql"], [json.dumps(SQL, separators=(",", ":"))], [json.dumps(SQL)])


def test_a_service_without_adapters_stays_as_it_is():
    args = {"max_model_len": 4096}
    assert lora.with_modules(args) is args
    assert lora.adapters(args) == []


def test_the_rank_is_that_of_the_service():
    assert lora.adapters({"lora_modules": {"a": "/a"}, "max_lora_rank": "64"})[0]["max_rank"] == 64


def service(**args):
    return {"name": "chat", "engine": "vllm", "model": "/m", "hosts": ["n"], "port": 8000, "npus": 1, "args": args}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"lora_modules": {"a": "lora/a"}}, "the adapter 'a' is at 'lora/a'"),
        ({"lora_modules": {"chat": "/lora/a"}}, "the adapter 'chat' has the name of another model"),
        ({"lora_modules": ["a=/x", "a=/y"]}, "the adapter 'a' has the name of another model"),
        ({"lora_modules": {"big": "/x"}, "served_model_name": ["big"]}, "the adapter 'big' has the name"),
        ({"lora_modules": {"a": "/x"}, "enable_lora": False}, "enable_lora is false"),
    ],
)
def test_what_cannot_be_meant(args, words):
    faults, _doubts = check_services([service(max_model_len=4096, **args)], "quay.io/ascend/vllm-ascend:v0.23.0")
    assert [words in fault.problem for fault in faults] == [True], faults


def test_a_mapping_of_names_is_no_wrong_argument():
    adapters = {"a": "/x", "b": "/y"}
    assert check_services([service(max_model_len=4096, lora_modules=adapters)], "x/vllm-ascend:v0.23.0")[0] == []


def write(path, config=None, weights="adapter_model.safetensors"):
    path.mkdir()
    if config is not None:
        (path / "adapter_config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if weights:
        (path / weights).write_bytes(b"")
    return {"name": "sql", "path": str(path), "max_rank": 16}


@pytest.mark.parametrize(
    ("config", "weights", "problem", "remedy"),
    [
        ({"peft_type": "LORA", "r": 16}, "adapter_model.bin", None, None),
        (None, "adapter_model.bin", "holds no adapter_config.json", "point it"),
        ("{", "adapter_model.bin", "is no mapping in JSON", "copy"),
        ({"r": 8}, None, "holds no adapter_model.safetensors", "copy"),
        ({"r": 64}, "adapter_model.bin", "rank 64, the service takes up to 16", "max_lora_rank: 64"),
        ({"r": 20}, "adapter_model.bin", "rank 20, the service takes up to 16", "max_lora_rank: 32"),
        ({"r": 1024}, "adapter_model.bin", "rank 1024", "ranks up to 512"),
        ({"r": "8"}, "adapter_model.bin", "has the rank '8'", "copy"),
        ({"r": 8, "peft_type": "IA3"}, "adapter_model.bin", "a IA3 adapter", "LoRA adapters only"),
        ({"r": 8, "use_dora": True}, "adapter_model.bin", "trained with DoRA", "without"),
    ],
)
def test_what_vllm_could_not_load(tmp_path, config, weights, problem, remedy):
    adapter = write(tmp_path / "sql", config, weights)
    found = lora.check_adapter("node1", "chat", adapter, lora.look_at(adapter["path"]))
    if problem is None:
        assert found == []
    else:
        (one,) = found
        assert problem in one.problem and remedy in one.remedy and "'sql'" in one.problem


def test_a_directory_that_is_not_there(tmp_path):
    adapter = {"name": "sql", "path": str(tmp_path / "none"), "max_rank": 16}
    (one,) = lora.check_adapter("node1", "chat", adapter, lora.look_at(adapter["path"]))
    assert "does not exist" in one.problem

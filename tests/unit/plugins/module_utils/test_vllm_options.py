# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of services against the option lists of C(vllm serve), which are copied as fixtures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _vllm_options as options
from ansible_collections.npuops.ascend.plugins.module_utils._vllm_replaced import REPLACED

ROOT = Path(__file__).resolve().parents[4]
FOLDERS = (ROOT / "tests/fixtures/vllm_cli", ROOT / "tests/lab/images/vllm-ascend/rootfs/opt/standin/cli")
LISTS = sorted(path for folder in FOLDERS for path in folder.glob("serve-*.json"))


def image(tag):
    return f"quay.io/ascend/vllm-ascend:{tag}"


def check(tag, **args):
    return options.check(args, image(tag))


def test_the_data_is_what_the_generator_makes_of_the_lists():
    spec = importlib.util.spec_from_file_location("vllm_options_generator", ROOT / "tests/tools/vllm_options.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    written = (ROOT / "plugins/module_utils/_vllm_options_data.py").read_text(encoding="utf-8")
    assert generator.module() == written


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_option_of_a_list_is_known_with_its_default(path):
    given = json.loads(path.read_text(encoding="utf-8"))
    index = options.data.RELEASES.index(given["vllm"])
    known = options.options(index)
    assert len(LISTS) == len(options.data.RELEASES)
    wanted = {entry["dest"] for entry in given["options"]} - {"help", "model_tag"}
    assert wanted <= set(known)
    assert set(known) - wanted <= {"device_memory_utilization"}
    switches = {e["dest"] for e in given["options"] if e["kind"] in ("BooleanOptionalAction", "_StoreTrueAction")}
    assert {name for name in wanted if known[name].kind in ("flag", "on")} == switches
    assert options.check(dict.fromkeys(switches, True), image("v" + given["vllm"])) == ([], [])
    chosen = {e["dest"]: choice for e in given["options"] if e["choices"] for choice in e["choices"][:1]}
    assert options.check(chosen, image("v" + given["vllm"])) == ([], [])


@pytest.mark.parametrize(
    ("tag", "low", "high"),
    [
        ("v0.11.0rc0", "0.11.0", None),
        ("v0.11.0", "0.11.0", None),
        ("v0.12.0rc1-openeuler", "0.11.0", "0.13.0"),
        ("v0.13.0-a3", "0.13.0", None),
        ("v0.18.0", "0.13.0", "0.18.1"),
        ("v0.20.2rc1-310p-openeuler", "0.18.1", "0.23.0"),
        ("v0.23.0.post1", "0.23.0", None),
        ("v0.23.0.post1-a3-openeuler", "0.23.0", None),
        ("v0.23.0@sha256:" + "0" * 64, "0.23.0", None),
        ("v0.26.0rc1", "0.23.0", "0.32.0"),
        ("v0.33.0", "0.32.0", None),
        ("v0.8.5rc1", None, "0.11.0"),
    ],
)
def test_which_lists_speak_for_a_release(tag, low, high):
    found = options.lists_for(image(tag))
    names = [None if index is None else options.data.RELEASES[index] for index in (found.low, found.high)]
    assert names == [low, high]


@pytest.mark.parametrize(
    "name",
    [
        image("v0.8.5rc1"),
        image("main"),
        image("v0.23.0-mine"),
        "registry.example/llm:v0.23.0",
        "quay.io/ascend/vllm-ascend",
    ],
)
def test_without_a_list_there_is_a_doubt_and_never_a_problem(name):
    problems, doubts = options.check({"no_such_thing": 1, "max_model_len": "many"}, name)
    assert problems == []
    assert len(doubts) == 1 and name in doubts[0][0] and "v0.11.0" in doubts[0][1]


@pytest.mark.parametrize(
    ("tag", "args", "problem", "remedy"),
    [
        (
            "v0.23.0",
            {"max_modle_len": 1},
            "args.max_modle_len is not an option of vLLM 0.23.0",
            "write 'max_model_len'",
        ),
        ("v0.23.0", {"lora_enable": True}, "is not an option of vLLM 0.23.0", "write 'enable_lora'"),
        ("v0.23.0", {"qqqq": 1}, "is not an option of vLLM 0.23.0", "see `vllm serve --help`"),
        (
            "v0.23.0",
            {"disable_log_requests": True},
            "is gone in vLLM 0.23.0",
            "enable_log_requests: true, which replaced",
        ),
        ("v0.33.0", {"disable_log_requests": True}, "is gone in vLLM 0.33.0 (list of 0.32.0)", "enable_log_requests"),
        ("v0.13.0", {"task": "embed"}, "is gone in vLLM 0.13.0", "write runner"),
        ("v0.32.0", {"override_attention_dtype": "x"}, "gone in vLLM 0.32.0, 0.23.0 still had it", "leave it out"),
        ("v0.11.0", {"moe_backend": "auto"}, "comes with 0.18.1 at the latest", "take an image of v0.18.1"),
        ("v0.14.0rc1", {"qqqq": 1}, "is not an option of vLLM 0.14.0 (list of 0.13.0)", "vllm serve --help"),
        ("v0.23.0", {"no_enable_prefix_caching": True}, "is not an option", "write enable_prefix_caching: false"),
        ("v0.23.0", {"dtype": "bf16"}, "args.dtype is 'bf16', which is none of auto, bfloat16", "write 'bfloat16'"),
        ("v0.11.0", {"block_size": 256}, "args.block_size is '256', which is none of 1, 128", "use one of"),
        ("v0.23.0", {"enforce_eager": "true"}, 'args.enforce_eager is "true"', "give true or false, without quotes"),
        ("v0.23.0", {"max_num_seqs": "lots"}, 'args.max_num_seqs is "lots"', "give a whole number"),
        ("v0.23.0", {"max_num_seqs": 1.5}, "args.max_num_seqs is 1.5", "give a whole number"),
        ("v0.23.0", {"max_num_seqs": True}, "args.max_num_seqs is true", "give a whole number"),
        ("v0.23.0", {"max_num_seqs": [1]}, "args.max_num_seqs is [1]", "give a whole number"),
        ("v0.23.0", {"gpu_memory_utilization": "90%"}, 'is "90%"', "give a number"),
        ("v0.23.0", {"max_model_len": "1.5K"}, 'is "1.5K"', "or auto"),
        ("v0.11.0", {"max_model_len": "auto"}, 'is "auto"', "a text such as 32k"),
        ("v0.23.0", {"quantization": True}, "is true", "give a text"),
        ("v0.23.0", {"quantization": ["ascend"]}, 'is ["ascend"]', "give a text"),
        ("v0.23.0", {"compilation_config": "{'a': 1}"}, "args.compilation_config is", "give a mapping"),
        ("v0.23.0", {"additional_config": "{a"}, None, None),
        ("v0.23.0", {"additional_config": "{a}"}, "args.additional_config is", "a mapping or a text"),
        ("v0.23.0", {"cudagraph_capture_sizes": [1, "x"]}, 'is "x"', "a whole number, or a list of such"),
        ("v0.23.0", {"lora_modules": ["a"]}, 'is "a"', "give name=path, or a mapping"),
        ("v0.23.0", {"moe_backend": "deep"}, "which is none of", "write 'deep_gemm'"),
    ],
)
def test_a_problem_says_what_to_write(tag, args, problem, remedy):
    problems, doubts = check(tag, **args)
    assert doubts == []
    if problem is None:
        assert problems == []
        return
    assert len(problems) == 1
    assert problem in problems[0][0] and f"args.{next(iter(args))}" in problems[0][0]
    assert remedy in problems[0][1]


@pytest.mark.parametrize(
    ("tag", "args"),
    [
        ("v0.23.0", {"max_model_len": "32k"}),
        ("v0.23.0", {"max_model_len": "auto"}),
        ("v0.23.0", {"max_model_len": -1}),
        ("v0.23.0", {"max_num_batched_tokens": "25.6k"}),
        ("v0.23.0", {"block_size": 128}),
        ("v0.11.0", {"block_size": 128}),
        ("v0.11.0", {"disable_log_requests": True}),
        ("v0.13.0", {"disable_log_requests": True}),
        ("v0.23.0", {"quantization": "ascend"}),
        ("v0.23.0", {"enable_prefix_caching": False}),
        ("v0.23.0", {"nonsense": None}),
        ("v0.23.0", {"moe_backend": "Deep-GEMM"}),
        ("v0.23.0", {"gpu_memory_utilization": 0.9}),
        ("v0.23.0", {"compilation_config": {"cudagraph_mode": "FULL_DECODE_ONLY"}}),
        ("v0.23.0", {"compilation_config": '{"cudagraph_mode": "NONE"}'}),
        ("v0.23.0", {"allowed_origins": ["*"]}),
        ("v0.23.0", {"limit_mm_per_prompt": {"image": 2}}),
        ("v0.23.0", {"lora_modules": [{"name": "a", "path": "/a"}]}),
        ("v0.23.0", {"middleware": ["a.b", "c.d"]}),
        ("v0.23.0", {"hf_overrides": {"rope_parameters": {}}}),
        ("v0.32.0", {"device_memory_utilization": 0.9}),
        ("v0.11.0", {"guided_decoding_disable_fallback": True}),
    ],
)
def test_what_vllm_takes_is_taken(tag, args):
    assert check(tag, **args) == ([], [])


@pytest.mark.parametrize(
    ("tag", "args", "words", "remedy"),
    [
        ("v0.18.0", {"disable_log_requests": True}, "went between vLLM 0.13.0 and 0.18.1", "enable_log_requests"),
        ("v0.18.0", {"moe_backend": "auto"}, "came between vLLM 0.13.0 and 0.18.1", "see whether 0.18.0 has it"),
        ("v0.33.0", {"brand_new": 1}, "not an option of vLLM 0.33.0 (list of 0.32.0)", "vllm serve --help"),
    ],
)
def test_between_two_lists_and_after_the_last_one_doubts(tag, args, words, remedy):
    problems, doubts = check(tag, **args)
    assert problems == []
    assert len(doubts) == 1 and words in doubts[0][0] and remedy in doubts[0][1]


def test_a_value_between_two_lists_is_a_problem_only_for_both():
    assert check("v0.12.0rc1", block_size=256) == ([], [])
    assert len(check("v0.12.0rc1", block_size=7)[0]) == 1


def test_what_others_judge_is_passed_over():
    assert options.check({"port": "x", "api_key": True}, image("v0.23.0"), ("port", "api_key")) == ([], [])


def test_what_is_replaced_is_gone_from_the_newest_list_and_has_a_source():
    newest = options.options(len(options.data.RELEASES) - 1)
    assert not set(REPLACED) & set(newest)
    for entry in REPLACED.values():
        assert entry.source == "lists" or entry.source[1:].isdigit()

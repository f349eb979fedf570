# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused about spreading a model, what is let through, and what only gives a hint."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _placement as placement
from ansible_collections.npuops.ascend.plugins.module_utils._placement_strategy import is_moe, judge
from ansible_collections.npuops.ascend.plugins.module_utils._services import ALLOW

MODEL = "/data/models/m"
GIB = 1024**3
# Shapes of Qwen3-VL-30B-A3B-Instruct, whose language model has 48 layers and 128 experts.
EXPERTS = {
    "text_config": {
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "num_hidden_layers": 48,
        "head_dim": 128,
        "num_experts": 128,
        "dtype": "bfloat16",
    }
}
DENSE = {
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "num_hidden_layers": 64,
    "head_dim": 128,
    "dtype": "bfloat16",
}


def image(release):
    return f"quay.io/ascend/vllm-ascend:{release}"


def judged(release="v0.23.0", config=None, weights_gb=200, chip="910B4", hbm=32768, npus=8, **wish):
    """(problems, doubts) of a service on two nodes, as sentences."""
    chips = [
        {"npu_id": n, "chip_id": 0, "phy_id": n, "name": chip, "hbm_mb": [3000, hbm], "memory_mb": [0, 0]}
        for n in range(npus)
    ]
    models = {MODEL: {"config": config, "weights_bytes": weights_gb * GIB}} if config else {}
    nodes = {
        f"node{n}": placement.Node(placement.chips_by_npu(chips), f"192.0.2.1{n}", "eth0", models=models)
        for n in (1, 2)
    }
    service = {
        "name": "chat",
        "engine": "vllm",
        "model": MODEL,
        "hosts": ["node1", "node2"],
        "npus": npus,
        "port": 8000,
        "args": {"max_model_len": 32768},
        **wish,
    }
    placed, problems = placement.place([service], nodes)
    assert problems == []
    wrong, odd = judge(placed[0], image(release), nodes)
    return [p.sentence() for p in wrong], [p.sentence() for p in odd]


EP = {"max_model_len": 32768, "enable_expert_parallel": True}
TP16, TP8PP2 = {"tensor": 16}, {"tensor": 8, "pipeline": 2}
PP2DP2 = {"tensor": 4, "pipeline": 2, "data": 2}

# What is known to fail, what it must say, and the nearest that is let through.
REFUSED = [
    (
        "tensor_heads",
        {"config": {**DENSE, "num_attention_heads": 40}, "parallel": TP16},
        ["40 attention heads", "tensor 16", "use tensor 10"],
        [{"config": {**DENSE, "num_attention_heads": 40}, "parallel": TP8PP2}, {"config": DENSE, "parallel": TP16}],
    ),
    (
        "ep_without_experts",
        {"config": DENSE, "args": EP, "parallel": TP16},
        ["no experts", "enable_expert_parallel"],
        [{"config": EXPERTS, "args": EP, "parallel": TP16}, {"args": EP, "parallel": TP16}],
    ),
    (
        "mp_over_nodes",
        {"executor": "mp", "release": "v0.11.0"},
        ["--nnodes", "0.13", "v0.11.0", "ray"],
        [{"executor": "mp", "release": "v0.13.0rc1"}, {"executor": "mp", "release": "v0.23.0"}, {"release": "v0.11.0"}],
    ),
    (
        "pp_with_ep",
        {"executor": "ray", "parallel": TP8PP2, "args": EP, "release": "v0.11.0rc0"},
        ["507014", "#3529", "v0.11.0rc0", "v0.11.0rc3"],
        [
            {"executor": "ray", "parallel": TP8PP2, "args": EP, "release": "v0.11.0rc3"},
            {"executor": "ray", "parallel": TP8PP2, "release": "v0.11.0rc0"},
            {"executor": "ray", "parallel": TP16, "args": EP, "release": "v0.11.0rc0"},
            {"executor": "mp", "parallel": TP8PP2, "args": EP},
        ],
    ),
    (
        "ep_over_nodes",
        {"executor": "ray", "parallel": TP16, "args": EP, "release": "v0.11.0rc1"},
        ["#4123", "v0.11.0rc1"],
        [
            {"executor": "ray", "parallel": TP16, "args": EP, "release": "v0.11.0rc0"},
            {"executor": "ray", "parallel": TP16, "release": "v0.11.0rc1"},
            {"executor": "ray", "parallel": TP16, "args": EP, "release": "v0.11.0"},
        ],
    ),
    (
        "pp_with_dp",
        {"executor": "dp", "parallel": PP2DP2, "args": EP},
        ["RoCE", "pipeline_parallel.md", "parallel.data 1"],
        [
            {"executor": "dp", "parallel": PP2DP2, "config": DENSE},
            {"executor": "dp", "parallel": PP2DP2, "args": EP, "chip": "Ascend910"},
            {"executor": "dp", "parallel": {"tensor": 4, "data": 4}, "args": EP},
            {"executor": "mp", "parallel": {"tensor": 4, "pipeline": 2}, "replicas": True, "args": EP},
        ],
    ),
]


@pytest.mark.parametrize(("name", "wish", "said", "_near"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_known_to_fail_is_refused(name, wish, said, _near):
    problems, _doubts = judged(**wish)
    assert len(problems) == 1, problems
    assert problems[0].startswith("node1: service 'chat': ")
    assert [word for word in (*said, f"allow: [{name}]") if word not in problems[0]] == []


@pytest.mark.parametrize(("name", "wish", "said", "_near"), REFUSED, ids=[row[0] for row in REFUSED])
def test_it_may_be_tried_all_the_same(name, wish, said, _near):
    problems, doubts = judged(**wish, allow=[name])
    assert problems == []
    assert [said[0] in doubt for doubt in doubts].count(True) == 1
    others = [other for other in ALLOW if other != name]
    assert len(judged(**wish, allow=others)[0]) == 1


@pytest.mark.parametrize(
    ("name", "wish"), [(row[0], near) for row in REFUSED for near in row[3]], ids=lambda value: str(value)[:60]
)
def test_what_is_near_it_is_let_through(name, wish):
    assert judged(**wish)[0] == []


def test_every_name_of_an_override_has_its_refusal():
    # That one is a matter between two services, see test_placement_transfer.py.
    assert sorted(row[0] for row in REFUSED) == sorted(set(ALLOW) - {"prefill_tensor"})


def test_an_image_of_ones_own_is_not_judged_by_its_release():
    assert judged(release="mine", executor="mp", args=EP, parallel=TP8PP2)[0] == []


def test_an_unknown_model_is_taken_for_one_with_experts():
    assert len(judged(executor="dp", parallel=PP2DP2)[0]) == 1


@pytest.mark.parametrize(
    ("config", "args", "expected"),
    [
        (None, {}, None),
        (None, EP, True),
        (EXPERTS, {}, True),
        (DENSE, {}, False),
        ({**DENSE, "n_routed_experts": 256}, {}, True),
    ],
)
def test_experts(config, args, expected):
    assert is_moe({"args": args}, {"config": config}) is expected


def test_a_model_that_fits_on_one_node_gives_a_hint():
    # The published deployment: 61 GiB over 2 × 8 × 32 GB.
    problems, doubts = judged(config=EXPERTS, weights_gb=58, parallel=TP16)
    assert problems == []
    assert len(doubts) == 1
    assert "would fit on one host (58 GiB" in doubts[0] and "12 to 28 %" in doubts[0] and "replicas: true" in doubts[0]


@pytest.mark.parametrize(
    "wish",
    [
        {"config": EXPERTS, "weights_gb": 220},
        {"config": EXPERTS, "weights_gb": 58, "replicas": True},
        {"config": EXPERTS, "weights_gb": 58, "executor": "dp"},
        {"config": EXPERTS, "weights_gb": 58, "npus": 2},
        {"config": None},
        {"config": {"num_attention_heads": 32}, "weights_gb": 58},
    ],
)
def test_no_hint_where_it_would_not_help_or_nothing_is_known(wish):
    assert judged(**wish)[1] == []


def test_what_was_seen_to_fail_on_a3_is_a_doubt():
    problems, doubts = judged(chip="Ascend910", release="v0.19.1rc1", parallel=TP8PP2)
    assert problems == []
    assert len(doubts) == 1 and "#10910" in doubts[0]
    assert judged(chip="Ascend910", release="v0.18.0", parallel=TP8PP2)[1] == []


def test_other_engines_are_not_judged():
    assert judge({"engine": "mindie", "parallel": None}, None, {}) == ([], [])

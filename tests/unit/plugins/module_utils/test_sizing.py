# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of well-known models, checked against numbers computed from their public architectures."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _sizing as sizing

QWEN25_7B = {
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "hidden_size": 3584,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
}
QWEN3_32B = {
    "model_type": "qwen3",
    "num_hidden_layers": 64,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 5120,
}
LLAMA_70B = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}
BGE_M3 = {"model_type": "xlm-roberta", "num_hidden_layers": 24, "num_attention_heads": 16, "hidden_size": 1024}
DEEPSEEK = {"num_hidden_layers": 61, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "num_attention_heads": 128}


@pytest.mark.parametrize(
    ("config", "kib"),
    [(QWEN25_7B, 56), (QWEN3_32B, 256), (LLAMA_70B, 320), (BGE_M3, 0), (DEEPSEEK, 61 * 576 * 2 / 1024)],
)
def test_kv_cache_of_a_token(config, kib):
    assert sizing.kv_bytes_per_token(config, 2) == kib * 1024
    assert sizing.kv_bytes_per_token({"text_config": config}, 2) == kib * 1024


def test_a_7b_model_with_all_its_context():
    found = sizing.estimate({"config": QWEN25_7B, "index": {"metadata": {"total_size": 15231233024}}})
    assert found.weights == pytest.approx(14.19, abs=0.01)
    assert found.kv_cache == pytest.approx(56 * 32768 / 1024**2)
    assert found.memory_gb == pytest.approx((14.19 + 1.75 + 2) / 0.9, abs=0.02)
    assert any("32768 tokens, the model's longest" in sentence for sentence in found.assumed)


def test_what_the_flags_say_is_not_assumed():
    args = {"max_model_len": 4096, "gpu_memory_utilization": 0.5, "kv_cache_dtype": "fp8_e4m3"}
    found = sizing.estimate({"config": QWEN25_7B, "weights_bytes": 2 * sizing.GIB}, args, requests=4)
    assert found.kv_cache == pytest.approx(4 * 4096 * 28 / 1024**2)
    assert found.memory_gb == pytest.approx((2 + found.kv_cache + 2) / 0.5)
    assert found.assumed == ["4 requests of 4096 tokens at once", "2 GiB for activations and the runtime"]


def test_an_encoder_has_weights_only():
    found = sizing.estimate({"config": BGE_M3, "weights_bytes": 2271071232})
    assert found.to_dict()["kv_cache_gb"] == 0
    assert found.memory_gb < 5


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"config": QWEN25_7B}, "weights' size"),
        ({"config": {}, "weights_bytes": 5}, "config.json has no num_hidden_layers"),
        ({"config": QWEN3_32B, "weights_bytes": 5}, "longest request"),
    ],
)
def test_files_that_do_not_tell(model, words):
    with pytest.raises(ValueError, match=words):
        sizing.estimate(model)

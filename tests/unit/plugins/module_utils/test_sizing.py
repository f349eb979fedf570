# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of well-known models, checked against numbers computed from their published config.json.

Each expected number has its derivation beside it. Parameters are counted matrix by matrix, and compared with what the
models' authors publish, so that neither side of a test is the code under test.
"""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _sizing as sizing

KIB = 1024

# ---- published configs, the keys that matter

QWEN25_7B = {
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "hidden_size": 3584,
    "max_position_embeddings": 32768,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "torch_dtype": "bfloat16",
}
QWEN3_8B = {
    "model_type": "qwen3",
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 4096,
    "max_position_embeddings": 40960,
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
LLAMA_70B = {
    "model_type": "llama",
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "hidden_size": 8192,
    "max_position_embeddings": 131072,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
    "torch_dtype": "bfloat16",
}
LLAMA2_7B = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "hidden_size": 4096,
    "max_position_embeddings": 4096,
    "torch_dtype": "float16",
}
QWEN3_30B_A3B = {
    "model_type": "qwen3_moe",
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "hidden_size": 2048,
    "max_position_embeddings": 40960,
    "torch_dtype": "bfloat16",
}
QWEN3_235B = {
    "model_type": "qwen3_moe",
    "num_hidden_layers": 94,
    "num_attention_heads": 64,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "hidden_size": 4096,
    "max_position_embeddings": 40960,
    "torch_dtype": "bfloat16",
}
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "hidden_size": 7168,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "max_position_embeddings": 163840,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
    "quantization_config": {"quant_method": "fp8"},
    "torch_dtype": "bfloat16",
}
DEEPSEEK_V2_LITE = {**DEEPSEEK_V3, "model_type": "deepseek_v2", "num_hidden_layers": 27, "num_attention_heads": 16}
DEEPSEEK_V32 = {**DEEPSEEK_V3, "model_type": "deepseek_v32", "index_head_dim": 128}
BGE_M3 = {
    "model_type": "xlm-roberta",
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "hidden_size": 1024,
    "max_position_embeddings": 8194,
    "torch_dtype": "float32",
}
QWEN3_NEXT = {
    "model_type": "qwen3_next",
    "num_hidden_layers": 48,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "hidden_size": 2048,
    "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 12,
    "max_position_embeddings": 262144,
}
GEMMA3_4B = {
    "model_type": "gemma3",
    "torch_dtype": "bfloat16",
    "text_config": {
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "hidden_size": 2560,
        "sliding_window": 1024,
        "max_position_embeddings": 131072,
    },
}


# ---- parameters of dense and mixture models, matrix by matrix


def attention(hidden, heads, kv_heads, size, bias=False, norms=False):
    """q, o: hidden × heads·size, k, v: hidden × kv_heads·size; Qwen2 adds biases to q, k, v, Qwen3 two norms."""
    weights = 2 * hidden * heads * size + 2 * hidden * kv_heads * size
    return weights + (heads + 2 * kv_heads) * size * bias + 2 * size * norms


def decoder(vocab, hidden, layers, layer, tied=False):
    """Embedding and head (one if tied), each layer with two norms, the last norm."""
    return (1 if tied else 2) * vocab * hidden + layers * (layer + 2 * hidden) + hidden


PARAMETERS = [
    # Qwen2.5-7B-Instruct; its index tells total_size 15231233024 = 2 × 7615616512
    (decoder(152064, 3584, 28, attention(3584, 28, 4, 128, bias=True) + 3 * 3584 * 18944), 7615616512),
    # Qwen3-8B
    (decoder(151936, 4096, 36, attention(4096, 32, 8, 128, norms=True) + 3 * 4096 * 12288), 8190735360),
    # Qwen3-32B
    (decoder(151936, 5120, 64, attention(5120, 64, 8, 128, norms=True) + 3 * 5120 * 25600), 32762123264),
    # DeepSeek-R1-Distill-Llama-70B
    (decoder(128256, 8192, 80, attention(8192, 64, 8, 128) + 3 * 8192 * 28672), 70553706496),
    # Qwen3-30B-A3B: 128 experts of 768 and a router in each layer, all of them in memory
    (
        decoder(151936, 2048, 48, attention(2048, 32, 4, 128, norms=True) + 128 * 3 * 2048 * 768 + 128 * 2048),
        30532122624,
    ),
    # Qwen3-235B-A22B: 128 experts of 1536
    (
        decoder(151936, 4096, 94, attention(4096, 64, 4, 128, norms=True) + 128 * 3 * 4096 * 1536 + 128 * 4096),
        235093634560,
    ),
    # bge-m3: XLM-R large. Embeddings of 250002 words, 8194 positions, 1 type and a norm; a layer is four projections
    # and two of the feed-forward net with biases and two norms; a pooler.
    (
        (250002 + 8194 + 1 + 2) * 1024
        + 24 * (4 * (1024 * 1024 + 1024) + 2 * 1024 * 4096 + 4096 + 1024 + 4 * 1024)
        + 1024 * 1024
        + 1024,
        567754752,
    ),
]


@pytest.mark.parametrize(("counted", "published"), PARAMETERS)
def test_the_derivations_give_the_published_numbers_of_parameters(counted, published):
    assert counted == published


# ---- a token of KV cache

TOKENS = [
    # grouped queries: 2 (keys, values) × layers × KV heads × head size × 2 bytes
    (QWEN25_7B, 2 * 28 * 4 * (3584 // 28) * 2, 56),
    (QWEN3_8B, 2 * 36 * 8 * 128 * 2, 144),
    (QWEN3_32B, 2 * 64 * 8 * 128 * 2, 256),
    (LLAMA_70B, 2 * 80 * 8 * (8192 // 64) * 2, 320),
    # every head has its own keys and values
    (LLAMA2_7B, 2 * 32 * 32 * 128 * 2, 512),
    # experts change nothing in the cache
    (QWEN3_30B_A3B, 2 * 48 * 4 * 128 * 2, 96),
    (QWEN3_235B, 2 * 94 * 4 * 128 * 2, 188),
    # latent attention: layers × (512 + 64) × 2 bytes, once for all 128 heads, not doubled
    (DEEPSEEK_V3, 61 * (512 + 64) * 2, 68.625),
    (DEEPSEEK_V2_LITE, 27 * (512 + 64) * 2, 30.375),
    # and a key of 128 for the indexer
    (DEEPSEEK_V32, 61 * (512 + 64 + 128) * 2, 83.875),
    # an encoder keeps nothing
    (BGE_M3, 0, 0),
    # of 48 layers 12 have full attention
    (QWEN3_NEXT, 2 * 12 * 2 * 256 * 2, 24),
    # the language model of a model of several
    (GEMMA3_4B, 2 * 34 * 4 * 256 * 2, 136),
    ({"thinker_config": {"text_config": QWEN25_7B}}, 2 * 28 * 4 * 128 * 2, 56),
    # without num_key_value_heads every head has its own
    ({"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096}, 2 * 32 * 32 * 128 * 2, 512),
]


@pytest.mark.parametrize(("config", "bytes_per_token", "kib"), TOKENS)
def test_kv_cache_of_a_token(config, bytes_per_token, kib):
    assert bytes_per_token == kib * KIB
    assert sizing.kv_bytes_per_token(config, 2) == bytes_per_token
    assert sizing.kv_bytes_per_token({"text_config": config}, 2) == bytes_per_token
    assert sizing.kv_bytes_per_token(config, 1) == bytes_per_token / 2


# ---- whole models: GiB of weights and of one request, and (weights + cache + 2) / (0.9 × 0.95)

SIZES = [
    # 15231233024 / 2^30; 32768 × 56 KiB
    ("Qwen2.5-7B", {"config": QWEN25_7B, "weights_bytes": 2 * 7615616512}, {}, 14.19, 1.75, 20.98),
    # 2 × 8190735360 / 2^30; 40960 × 144 KiB
    ("Qwen3-8B", {"config": QWEN3_8B, "weights_bytes": 2 * 8190735360}, {}, 15.26, 5.625, 26.76),
    # 2 × 70553706496 / 2^30; 131072 × 320 KiB (llama3 scaling is in max_position_embeddings already)
    ("Llama-70B", {"config": LLAMA_70B, "weights_bytes": 2 * 70553706496}, {}, 131.42, 40.0, 202.83),
    # 2 × 30532122624 / 2^30, all experts; 8192 × 96 KiB
    (
        "Qwen3-30B-A3B",
        {"config": QWEN3_30B_A3B, "weights_bytes": 2 * 30532122624},
        {"max_model_len": 8192},
        56.87,
        0.75,
        69.73,
    ),
    # 2 × 15706484224 / 2^30; 163840 × 30.375 KiB (yarn: 40 × 4096, not 40 × 163840)
    (
        "DeepSeek-V2-Lite",
        {"config": DEEPSEEK_V2_LITE, "weights_bytes": 2 * 15706484224},
        {},
        29.26,
        4.746,
        42.11,
    ),
    # W8A8: layers' matrices 1 byte (36 × (attention 41943040 + 3 × 4096 × 12288) = 6945767424), the rest 2 bytes
    # (8190735360 - 6945767424 = 1244967936), as ModelSlim leaves embedding and head; the cache is not quantized
    (
        "Qwen3-8B-W8A8",
        {"config": QWEN3_8B, "weights_bytes": 6945767424 + 2 * 1244967936, "quantization": "W8A8"},
        {},
        8.79,
        5.625,
        19.20,
    ),
    # 4 × 567754752 / 2^30 as stored in float32, and no cache
    ("bge-m3", {"config": BGE_M3, "weights_bytes": 4 * 567754752}, {}, 2.115, 0, 4.81),
    # the same loaded as float16
    ("bge-m3 half", {"config": BGE_M3, "weights_bytes": 4 * 567754752}, {"dtype": "half"}, 1.058, 0, 3.58),
]


@pytest.mark.parametrize(
    ("model", "args", "weights", "cache", "memory"), [row[1:] for row in SIZES], ids=[r[0] for r in SIZES]
)
def test_a_whole_model(model, args, weights, cache, memory):
    found = sizing.estimate(model, args)
    assert found.weights == pytest.approx(weights, abs=0.006)
    assert found.kv_cache == pytest.approx(cache, abs=0.001)
    assert found.memory_gb == pytest.approx(memory, abs=0.01)
    assert found.memory_gb == pytest.approx((found.weights + found.kv_cache + 2) / 0.9 / 0.95)


def test_quantized_weights_do_not_change_with_the_dtype():
    model = {"config": QWEN3_8B, "weights_bytes": 9 * sizing.GIB, "quantization": "W8A8"}
    assert sizing.estimate(model, {"dtype": "float32"}).weights == 9
    assert sizing.estimate({**model, "quantization": None}, {"dtype": "float32"}).weights == 18
    assert sizing.estimate({"config": DEEPSEEK_V3, "weights_bytes": 9}, {"dtype": "float32"}).weights * sizing.GIB == 9


def test_the_files_are_believed_before_an_index():
    model = {"config": QWEN25_7B, "index": {"metadata": {"total_size": 4 * sizing.GIB}}}
    assert sizing.estimate(model).weights == 4
    assert sizing.estimate({**model, "weights_bytes": sizing.GIB}).weights == 1


# ---- what was assumed is said


def test_everything_assumed_is_said():
    found = sizing.estimate({"config": QWEN25_7B, "weights_bytes": sizing.GIB})
    assert found.assumed == [
        "requests of up to 32768 tokens, the model's longest; args.max_model_len would say less",
        "1 request of 32768 tokens at once",
        "the KV cache is bfloat16, the model's dtype",
        "the engine uses 0.9 of the device's memory",
        "a device shows 0.95 of its size",
        "2 GiB for activations and the runtime",
    ]
    told = found.to_dict()
    assert (told["tokens"], told["sequences"], told["kv_dtype"], told["overhead_gb"]) == (32768, 1, "bfloat16", 2)


def test_what_is_odd_about_the_files_is_said():
    found = sizing.estimate({"config": BGE_M3, "weights_bytes": 5, "notes": ["the index tells 9 bytes"]})
    assert found.assumed[-1] == "the index tells 9 bytes"


def test_what_the_flags_say_is_not_assumed():
    args = {"max_model_len": 4096, "gpu_memory_utilization": 0.5, "kv_cache_dtype": "fp8_e4m3"}
    found = sizing.estimate({"config": QWEN25_7B, "weights_bytes": 2 * sizing.GIB}, args, requests=4)
    assert found.kv_cache == pytest.approx(4 * 4096 * 28 / 1024**2)
    assert found.memory_gb == pytest.approx((2 + found.kv_cache + 2) / 0.5 / 0.95)
    assert found.assumed == [
        "4 requests of 4096 tokens at once",
        "a device shows 0.95 of its size",
        "2 GiB for activations and the runtime",
    ]


def test_an_encoder_has_weights_only():
    found = sizing.estimate({"config": BGE_M3, "weights_bytes": 4 * 567754752}).to_dict()
    assert (found["kv_cache_gb"], found["tokens"], found["sequences"], found["kv_dtype"]) == (0, 0, 0, None)
    assert found["assumed"][0].startswith("the weights stay float32")


@pytest.mark.parametrize(
    ("config", "args", "dtype", "kib", "sentence"),
    [
        ({"torch_dtype": "bfloat16"}, {}, "bfloat16", 56, "the KV cache is bfloat16, the model's dtype"),
        ({"torch_dtype": None, "dtype": "torch.float16"}, {}, "float16", 56, "the KV cache is float16"),
        # vLLM's auto takes float16 for models in float32
        ({"torch_dtype": "float32"}, {}, "float16", 56, "as the engine's dtype auto makes of float32"),
        ({"torch_dtype": "float32"}, {"dtype": "float32"}, "float32", 112, None),
        ({"torch_dtype": "bfloat16"}, {"kv_cache_dtype": "int8"}, "int8", 28, None),
        ({"torch_dtype": "bfloat16"}, {"kv_cache_dtype": "nvfp4"}, "nvfp4", 56, "has 2 bytes (kv_cache_dtype nvfp4)"),
        ({"torch_dtype": None}, {}, None, 56, "the model's dtype is not given"),
    ],
)
def test_the_type_of_the_cache(config, args, dtype, kib, sentence):
    model = {"config": {**QWEN25_7B, **config}, "weights_bytes": 5}
    found = sizing.estimate(model, {"max_model_len": 1024, **args})
    assert found.kv_dtype == dtype
    assert found.kv_cache == pytest.approx(1024 * kib / 1024**2)
    said = [text for text in found.assumed if "KV cache" in text]
    assert (sentence in said[0]) if sentence else not said


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (QWEN3_NEXT, "the state of 36 layers without keys and values is not counted"),
        (GEMMA3_4B, "layers with a sliding window are counted as if they kept all tokens"),
        ({**QWEN25_7B, "layer_types": ["sliding_attention"] * 28}, "28 layers with a sliding window"),
    ],
)
def test_layers_of_other_kinds_are_said(config, words):
    found = sizing.estimate({"config": config, "weights_bytes": 5})
    assert [text for text in found.assumed if words in text]


def test_a_window_that_is_not_used_is_not_said():
    assert not [text for text in sizing.estimate({"config": QWEN25_7B, "weights_bytes": 5}).assumed if "window" in text]


# ---- the longest request


@pytest.mark.parametrize(
    ("given", "tokens"),
    [(4096, 4096), ("4096", 4096), ("32k", 32000), ("32K", 32768), ("1.5K", 1536), ("auto", 32768), (-1, 32768)],
)
def test_max_model_len_as_vllm_reads_it(given, tokens):
    assert sizing.estimate({"config": QWEN25_7B, "weights_bytes": 5}, {"max_model_len": given}).tokens == tokens


def test_the_cache_is_made_of_whole_pages():
    model = {"config": QWEN25_7B, "weights_bytes": 5}
    assert sizing.estimate(model, {"max_model_len": 1}).kv_cache == pytest.approx(128 * 56 / 1024**2)
    assert sizing.estimate(model, {"max_model_len": 129}).kv_cache == pytest.approx(256 * 56 / 1024**2)
    assert sizing.estimate(model, {"max_model_len": 17, "block_size": 16}).kv_cache == pytest.approx(32 * 56 / 1024**2)


@pytest.mark.parametrize(
    ("rope", "tokens"),
    [
        # Qwen3's recipe for 128K: 4 × 32768, whatever max_position_embeddings says
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"type": "linear", "factor": 2}, 65536),
        ({"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}, 32768),
        ({"type": "mrope", "mrope_section": [16, 24, 24]}, 32768),
    ],
)
def test_a_stretched_model(rope, tokens):
    for key in ("rope_scaling", "rope_parameters"):
        assert sizing.longest_request({**QWEN25_7B, key: rope}) == tokens


# ---- files that do not tell, flags that cannot be


@pytest.mark.parametrize(
    ("model", "args", "words"),
    [
        ({"config": QWEN25_7B}, {}, "weights' size"),
        ({"config": {}, "weights_bytes": 5}, {}, "config.json has no num_hidden_layers"),
        ({"config": QWEN3_32B, "weights_bytes": 5}, {}, "longest request"),
        (
            {"config": {**QWEN25_7B, "num_hidden_layers": "28"}, "weights_bytes": 5},
            {},
            "num_hidden_layers of config.json",
        ),
        ({"config": {**QWEN25_7B, "num_key_value_heads": [4, 8]}, "weights_bytes": 5}, {}, "num_key_value_heads of"),
        ({"config": {**DEEPSEEK_V3, "qk_rope_head_dim": None}, "weights_bytes": 5}, {}, "has no qk_rope_head_dim"),
        ({"config": {**QWEN25_7B, "is_encoder_decoder": True}, "weights_bytes": 5}, {}, "an encoder with a decoder"),
        ({"config": {}, "problem": "/data/models/m is not there"}, {}, "^/data/models/m is not there$"),
        ({"config": QWEN25_7B, "weights_bytes": 5}, {"max_model_len": "long"}, "args.max_model_len is 'long'"),
        ({"config": QWEN25_7B, "weights_bytes": 5}, {"max_model_len": 0}, "args.max_model_len is 0"),
        ({"config": QWEN25_7B, "weights_bytes": 5}, {"gpu_memory_utilization": "most"}, "utilization is 'most'"),
        ({"config": QWEN25_7B, "weights_bytes": 5}, {"gpu_memory_utilization": 1.5}, "utilization is 1.5"),
    ],
)
def test_what_cannot_be_sized_is_said(model, args, words):
    with pytest.raises(ValueError, match=words):
        sizing.estimate(model, args)


# ---- which models are to be read


def test_only_the_models_of_services_that_say_auto_on_that_host():
    def service(model, hosts=("node1",), **vnpu):
        return {"name": "a", "model": model, "hosts": list(hosts), "vnpu": vnpu}

    services = [
        service("/m/a", memory_gb="auto"),
        service("/m/b", memory_gb=20),
        service("/m/c", template="vir05_1c_16g"),
        {"name": "whole", "model": "/m/d", "hosts": ["node1"], "npus": 2},
        service("/m/e", ["node2"], memory_gb="auto"),
        service("/m/f", ["node2", "node1"], memory_gb="auto"),
        service("/m/a", memory_gb="auto"),
        service("/m/g", memory_gb="auto"),
        # what is wrong with these is said by the placement
        "text",
        {"vnpu": {"memory_gb": "auto"}},
        {"vnpu": {"memory_gb": "auto"}, "hosts": "node1", "model": "/m/h"},
        {"vnpu": "auto", "hosts": ["node1"], "model": "/m/i"},
        service("relative", memory_gb="auto"),
    ]
    assert sizing.models_to_read(services, "node1", {"/m/g": {}}) == ["/m/a", "/m/f"]
    assert sizing.models_to_read("no list", "node1") == []


@pytest.mark.parametrize(
    ("service", "read"),
    [
        ({"npus": 2}, True),
        ({"npus": 1, "hosts": ["node1", "node2"]}, True),
        ({"vnpu": {"template": "vir05_1c_16g"}}, True),
        ({"npus": 2, "engine": "mindie"}, False),
        ({"npus": 2, "hosts": ["node2"]}, False),
    ],
)
def test_models_of_vllm_services_are_read(service, read):
    service = {"engine": "vllm", "model": "/m/a", "hosts": ["node1"], **service}
    assert sizing.models_to_read([service], "node1") == (["/m/a"] if read else [])

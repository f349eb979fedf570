# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a model needs on one device, estimated from its config.json and the index of its weights.

vLLM takes C(gpu_memory_utilization) of the device; weights, KV cache, activations and what the runtime itself holds
must lie within (vllm-ascend, worker.py). A KV page holds keys and values: 2 × KV heads × head size × bytes for each
layer and token. An engine starts when at least one request of the full length fits.

Pure. This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

GIB = 1024**3
# Default of vLLM's --gpu-memory-utilization.
UTILIZATION = 0.9
# Activations of a profile run and what CANN and HCCL hold; assumed, it differs between models and releases.
OVERHEAD_GIB = 2.0

_BYTES = {"float32": 4, "float": 4, "float16": 2, "half": 2, "bfloat16": 2, "int8": 1, "fp8": 1}
# Encoders keep no KV cache.
_ENCODERS = ("bert", "roberta", "xlm-roberta", "nomic_bert", "modernbert", "deberta-v2", "gte", "new")


class Estimate:
    """What was found. Sizes in GiB; C(assumed) are sentences, one for each number that no file gave."""

    def __init__(self, weights, kv_cache, overhead, utilization, assumed):
        self.weights = weights
        self.kv_cache = kv_cache
        self.overhead = overhead
        self.memory_gb = (weights + kv_cache + overhead) / utilization
        self.assumed = assumed

    def to_dict(self):
        return {
            "memory_gb": round(self.memory_gb, 2),
            "weights_gb": round(self.weights, 2),
            "kv_cache_gb": round(self.kv_cache, 2),
            "overhead_gb": round(self.overhead, 2),
            "assumed": self.assumed,
        }


def kv_bytes_per_token(config, bytes_per_value):
    """Bytes of KV cache that one token takes over all layers; 0 for an encoder.

    :raises KeyError: with the name of what config.json lacks.
    """
    text = config.get("text_config") or config
    if str(text.get("model_type", "")) in _ENCODERS:
        return 0
    layers = text["num_hidden_layers"]
    if text.get("kv_lora_rank"):
        # Multi-head latent attention stores one compressed vector and the rotary part of the key.
        return layers * (text["kv_lora_rank"] + text["qk_rope_head_dim"]) * bytes_per_value
    heads = text["num_attention_heads"]
    size = text.get("head_dim") or text["hidden_size"] // heads
    return 2 * layers * (text.get("num_key_value_heads") or heads) * size * bytes_per_value


def weights_bytes(model):
    """Bytes of the weights: the index's C(metadata.total_size), else the sum of the files as given; None if neither."""
    total = ((model.get("index") or {}).get("metadata") or {}).get("total_size")
    return total or model.get("weights_bytes")


def estimate(model, args=None, requests=1):
    """Estimate one device's need for a model served whole on it (tensor and pipeline size 1).

    :arg model: {"config": config.json as a mapping, "index": model.safetensors.index.json as a mapping (optional),
        "weights_bytes": sum of the weight files in bytes (used without an index)}.
    :arg args: flags of vLLM in snake_case; C(max_model_len), C(gpu_memory_utilization), C(dtype) and
        C(kv_cache_dtype) are looked at.
    :arg requests: how many requests of the full length must fit at once.
    :returns: an Estimate.
    :raises ValueError: with a sentence, when the files do not tell enough.
    """
    args = args or {}
    config = model.get("config") or {}
    weights = weights_bytes(model)
    if not weights:
        raise ValueError(
            "neither the safetensors index (metadata.total_size) nor weights_bytes tells the weights' size"
        )
    assumed = []
    text = config.get("text_config") or config
    name = args.get("kv_cache_dtype", "auto")
    if name == "auto":
        name = args.get("dtype", "auto")
    if name == "auto":
        name = str(text.get("torch_dtype") or text.get("dtype") or config.get("torch_dtype") or "")
    name = name.replace("torch.", "").split("_")[0]
    if name not in _BYTES:
        assumed.append(f"the KV cache has 2 bytes a value (dtype {name or 'not given'})")
    try:
        per_token = kv_bytes_per_token(config, _BYTES.get(name, 2))
    except KeyError as exc:
        raise ValueError(f"config.json has no {exc.args[0]}") from exc
    length = args.get("max_model_len") or text.get("max_position_embeddings")
    if per_token and not length:
        raise ValueError(
            "neither args.max_model_len nor max_position_embeddings of config.json tells the longest request"
        )
    if per_token and not args.get("max_model_len"):
        assumed.append(f"requests of up to {length} tokens, the model's longest; args.max_model_len would say less")
    if per_token:
        assumed.append(f"{requests} request{'s' if requests > 1 else ''} of {length} tokens at once")
    utilization = args.get("gpu_memory_utilization", UTILIZATION)
    if "gpu_memory_utilization" not in args:
        assumed.append(f"the engine uses {UTILIZATION:g} of the device's memory")
    assumed.append(f"{OVERHEAD_GIB:g} GiB for activations and the runtime")
    return Estimate(weights / GIB, per_token * (length or 0) * requests / GIB, OVERHEAD_GIB, utilization, assumed)


__all__ = ["Estimate", "estimate", "kv_bytes_per_token", "weights_bytes"]

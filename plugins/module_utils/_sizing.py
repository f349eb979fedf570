# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a model needs on one device, estimated from its config.json and the size of its weights.

vLLM takes C(gpu_memory_utilization) of what the device shows; weights, KV cache, activations and what the runtime
itself holds must lie within (vllm-ascend, worker.py). The cache is made of pages of C(block_size) tokens; a page holds
keys and values, 2 × KV heads × head size × bytes, for each layer and token. An engine starts when at least one request
of the full length fits. All experts of a mixture lie in memory, so only the files' size counts there.

Pure. This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

GIB = 1024**3
# --gpu-memory-utilization of vLLM up to 0.18; it is 0.92 in 0.23, so this is the safer one for all.
UTILIZATION = 0.9
# What a device shows of the memory it is sold with: 60.96 to 61.27 GiB of 64 GB (start-up logs of vLLM-Ascend).
SHOWN = 0.95
# Activations of a profile run and what CANN and HCCL hold; assumed, it differs between models and releases.
OVERHEAD_GIB = 2.0
# vLLM-Ascend's page of KV cache, in tokens.
BLOCK = 128

# Where configs of several models (vision, audio) keep the language model's.
TEXT_KEYS = ("text_config", "llm_config", "language_config", "thinker_config")
# All that is looked at in config.json.
CONFIG_KEYS = (
    "dtype",
    "head_dim",
    "hidden_size",
    "index_head_dim",
    "is_encoder_decoder",
    "kv_lora_rank",
    "layer_types",
    "max_position_embeddings",
    "model_type",
    "moe_num_experts",
    "n_routed_experts",
    "num_attention_heads",
    "num_experts",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_local_experts",
    "qk_rope_head_dim",
    "quantization_config",
    "rope_parameters",
    "rope_scaling",
    "sliding_window",
    "torch_dtype",
    "use_sliding_window",
)

_BYTES = {"float32": 4, "float": 4, "float16": 2, "half": 2, "bfloat16": 2, "int8": 1, "fp8": 1}
# Encoders keep no KV cache.
_ENCODERS = (
    "albert",
    "bert",
    "camembert",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "ernie",
    "gte",
    "modernbert",
    "mpnet",
    "new",
    "nomic_bert",
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
)
_LENGTH = re.compile(r"^(\d+(?:\.\d+)?)([kKmMgG]?)$")
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}


class Estimate:
    """What was found. Sizes in GiB.

    C(tokens) is how long a request may be and C(sequences) how many of them fit at once, both 0 without a KV cache.
    C(kv_dtype) is None then, and where nothing tells it. C(assumed) are sentences, one for each number that neither
    files nor flags gave.
    """

    def __init__(self, weights, kv_cache, tokens, sequences, kv_dtype, utilization, assumed):
        self.weights = weights
        self.kv_cache = kv_cache
        self.tokens = tokens
        self.sequences = sequences
        self.kv_dtype = kv_dtype
        self.utilization = utilization
        self.overhead = OVERHEAD_GIB
        self.memory_gb = (weights + kv_cache + OVERHEAD_GIB) / (utilization * SHOWN)
        self.assumed = assumed

    def to_dict(self):
        return {
            "memory_gb": round(self.memory_gb, 2),
            "weights_gb": round(self.weights, 2),
            "kv_cache_gb": round(self.kv_cache, 2),
            "overhead_gb": round(self.overhead, 2),
            "tokens": self.tokens,
            "sequences": self.sequences,
            "kv_dtype": self.kv_dtype,
            "utilization": self.utilization,
            "assumed": self.assumed,
        }


def text_config(config):
    """The language model's part of a config.json."""
    for key in TEXT_KEYS:
        if isinstance(config.get(key), dict):
            return text_config(config[key])
    return config


def _whole(config, key):
    """A whole number above 0 of config.json; ValueError with a sentence."""
    if config.get(key) is None:
        raise ValueError(f"config.json has no {key}")
    value = config[key]
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{key} of config.json is {value!r}, where a whole number above 0 is expected")
    return value


def is_encoder(config):
    return str(text_config(config).get("model_type", "")) in _ENCODERS


def _keeps_state(kind):
    """Whether a layer of this kind has a state of fixed size instead of keys and values."""
    return any(word in str(kind) for word in ("linear", "mamba", "recurrent", "conv"))


def _attention_layers(text):
    """How many layers keep keys and values."""
    layers = _whole(text, "num_hidden_layers")
    types = text.get("layer_types")
    if isinstance(types, list) and len(types) == layers:
        return sum(not _keeps_state(kind) for kind in types)
    return layers


def kv_bytes_per_token(config, bytes_per_value):
    """Bytes of KV cache that one token takes over all layers; 0 for an encoder.

    :raises ValueError: with a sentence about what config.json lacks.
    """
    if is_encoder(config):
        return 0
    text = text_config(config)
    if text.get("is_encoder_decoder"):
        raise ValueError("config.json is of an encoder with a decoder, which this arithmetic does not know")
    layers = _attention_layers(text)
    if text.get("kv_lora_rank"):
        # Multi-head latent attention stores one compressed vector and the rotary part of the key, for all heads
        # together; sparse attention (DeepSeek-V3.2) a key of its indexer beside them.
        index = _whole(text, "index_head_dim") if text.get("index_head_dim") else 0
        return layers * (_whole(text, "kv_lora_rank") + _whole(text, "qk_rope_head_dim") + index) * bytes_per_value
    heads = _whole(text, "num_attention_heads")
    size = _whole(text, "head_dim") if text.get("head_dim") else _whole(text, "hidden_size") // heads
    kv_heads = _whole(text, "num_key_value_heads") if text.get("num_key_value_heads") else heads
    return 2 * layers * kv_heads * size * bytes_per_value


def weights_bytes(model):
    """Bytes of the weights: as counted in the files, else the C(metadata.total_size) of an index; None if neither."""
    return model.get("weights_bytes") or ((model.get("index") or {}).get("metadata") or {}).get("total_size")


def longest_request(config):
    """The length that vLLM takes without C(max_model_len): the model's, stretched where its rotary scaling says so."""
    text = text_config(config)
    if text.get("max_position_embeddings") is None:
        raise ValueError(
            "neither args.max_model_len nor max_position_embeddings of config.json tells the longest request"
        )
    length = _whole(text, "max_position_embeddings")
    rope = text.get("rope_scaling") or text.get("rope_parameters")
    rope = rope if isinstance(rope, dict) else {}
    kind, factor = rope.get("rope_type") or rope.get("type"), rope.get("factor")
    # These three give their length in max_position_embeddings already.
    if not factor or kind in ("su", "longrope", "llama3", "mrope"):
        return length
    if kind == "yarn" and rope.get("original_max_position_embeddings"):
        length = _whole(rope, "original_max_position_embeddings")
    return int(length * factor)


def _length(args):
    """C(args.max_model_len) in tokens, as vLLM reads it (32k is 32000, 32K is 32768); None when it is left to vLLM."""
    value = args.get("max_model_len")
    if value in (None, -1, "-1", "auto"):
        return None
    found = _LENGTH.match(str(value))
    length = int(float(found.group(1)) * _FACTORS[found.group(2)]) if found else 0
    if length <= 0 or isinstance(value, bool):
        raise ValueError(f"args.max_model_len is {value!r}, where a number of tokens is expected")
    return length


def _share(args):
    value = args.get("gpu_memory_utilization", UTILIZATION)
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"args.gpu_memory_utilization is {value!r}, where a number above 0 and up to 1 is expected")
    return share


def _dtype(name):
    return str(name or "").replace("torch.", "")


def _stored_dtype(config):
    text = text_config(config)
    return _dtype(text.get("torch_dtype") or text.get("dtype") or config.get("torch_dtype") or config.get("dtype"))


def _kv_dtype(config, args):
    """(name, bytes, sentence or None) of a value in the KV cache."""
    for key in ("kv_cache_dtype", "dtype"):
        name = _dtype(args.get(key, "auto"))
        if name == "auto":
            continue
        size = _BYTES.get(name.split("_", maxsplit=1)[0])
        return name, size or 2, None if size else f"a value of the KV cache has 2 bytes ({key} {name})"
    name = _stored_dtype(config)
    if name in ("float32", "float"):
        # vLLM's auto never calculates in float32.
        return "float16", 2, "the KV cache is float16, as the engine's dtype auto makes of float32"
    if name in _BYTES:
        return name, _BYTES[name], f"the KV cache is {name}, the model's dtype"
    return name or None, 2, f"a value of the KV cache has 2 bytes (the model's dtype is {name or 'not given'})"


def _loaded(weights, config, args, quantized):
    """(bytes of the weights in memory, sentence or None): as they are stored, unless C(args.dtype) says otherwise."""
    stored, wanted = _stored_dtype(config), _dtype(args.get("dtype", "auto"))
    if wanted in _BYTES and stored in _BYTES and not quantized:
        return weights * _BYTES[wanted] // _BYTES[stored], None
    if stored in ("float32", "float"):
        return weights, "the weights stay float32, as they are stored; an engine that loads them as float16 needs half"
    return weights, None


def estimate(model, args=None, requests=1):
    """Estimate one device's need for a model served whole on it (tensor and pipeline size 1).

    :arg model: {"config": config.json as a mapping, "weights_bytes": bytes of the weight files, "index":
        model.safetensors.index.json as a mapping (used without weights_bytes), "quantization": its kind or None,
        "notes": what is odd about the files, "problem": why nothing could be read, or None}, all but the first
        optional. M(npuops.ascend.model_info) has it.
    :arg args: flags of vLLM in snake_case; C(max_model_len), C(gpu_memory_utilization), C(dtype), C(block_size) and
        C(kv_cache_dtype) are looked at.
    :arg requests: how many requests of the full length must fit at once.
    :returns: an Estimate.
    :raises ValueError: with a sentence, when the files do not tell enough.
    """
    args = args or {}
    if model.get("problem"):
        raise ValueError(model["problem"])
    config = model.get("config") or {}
    weights = weights_bytes(model)
    if not weights:
        raise ValueError(
            "neither the safetensors index (metadata.total_size) nor weights_bytes tells the weights' size"
        )
    assumed = []
    quantized = model.get("quantization") or config.get("quantization_config")
    kv_dtype, size, about_dtype = _kv_dtype(config, args)
    weights, about_weights = _loaded(weights, config, args, quantized)
    per_token = kv_bytes_per_token(config, size)
    length, kv_cache = 0, 0
    if per_token:
        length = _length(args)
        if length is None:
            length = longest_request(config)
            assumed.append(f"requests of up to {length} tokens, the model's longest; args.max_model_len would say less")
        assumed.append(f"{requests} request{'s' if requests > 1 else ''} of {length} tokens at once")
        block = args.get("block_size") or BLOCK
        block = block if isinstance(block, int) else BLOCK
        kv_cache = -(-length // block) * block * requests * per_token / GIB
        assumed += [about_dtype, *_about_layers(text_config(config))]
    else:
        kv_dtype = None
    assumed.append(about_weights)
    if "gpu_memory_utilization" not in args:
        assumed.append(f"the engine uses {UTILIZATION:g} of the device's memory")
    assumed.append(f"a device shows {SHOWN:g} of its size")
    assumed.append(f"{OVERHEAD_GIB:g} GiB for activations and the runtime")
    assumed = [sentence for sentence in [*assumed, *model.get("notes", ())] if sentence]
    return Estimate(weights / GIB, kv_cache, length, requests if per_token else 0, kv_dtype, _share(args), assumed)


def _about_layers(text):
    types = text.get("layer_types")
    types = [str(kind) for kind in types] if isinstance(types, list) else []
    others = sum(map(_keeps_state, types))
    if others:
        yield f"the state of {others} layers without keys and values is not counted"
    sliding = sum("sliding" in kind for kind in types)
    if sliding or (not types and text.get("sliding_window") and text.get("use_sliding_window", True)):
        yield f"{f'{sliding} ' if sliding else ''}layers with a sliding window are counted as if they kept all tokens"


def _leaves_memory(service):
    wish = service.get("vnpu")
    return isinstance(wish, dict) and wish.get("memory_gb") == "auto"


def models_to_read(services, host, known=()):
    """The models that must be known on a host, each once, in the order of the services.

    C(memory_gb: auto) needs them, and for a vLLM service they tell what will not work, and what weights these are.

    :arg services: C(ascend_services), whatever is wrong with it: that is judged elsewhere.
    :arg known: models of which nothing is to be read.
    """
    found = []
    for service in services if isinstance(services, list) else ():
        if not isinstance(service, dict) or not (_leaves_memory(service) or service.get("engine") == "vllm"):
            continue
        model, hosts = service.get("model"), service.get("hosts")
        right = isinstance(hosts, list) and host in hosts and isinstance(model, str) and model.startswith("/")
        if right and model not in known and model not in found:
            found.append(model)
    return found


__all__ = ["CONFIG_KEYS", "TEXT_KEYS", "Estimate", "estimate", "kv_bytes_per_token", "models_to_read", "weights_bytes"]

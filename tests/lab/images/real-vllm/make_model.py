#!/usr/bin/env python3
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a tiny Qwen3 with random weights: make_model.py DIRECTORY. Needs nothing but Python 3.8.

Equal on every machine (fixed seed), float32 and greedy, so one prompt has one answer however the model is split (with
``--dtype float32``): 16 heads and 4 layers take tensor parallel sizes up to 16 and up to 4 pipeline stages. All it
says is words.
"""

from __future__ import annotations

import array
import json
import math
import pathlib
import random
import struct
import sys

HIDDEN, HEADS, HEAD_DIM, INNER, LAYERS, VOCABULARY = 128, 16, 32, 256, 4, 512
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unk>"]
CHARACTERS = [chr(code) for code in [10, *range(32, 127)]]
SYLLABLES = [first + last for first in "bdfgklmnprstvz" for last in ("a", "e", "i", "o", "u")]

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "head_dim": HEAD_DIM,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-06,
    "rope_theta": 10000,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "tie_word_embeddings": False,
    "use_cache": True,
    "torch_dtype": "float32",
    "eos_token_id": SPECIAL.index("<|im_end|>"),
    "pad_token_id": SPECIAL.index("<|endoftext|>"),
}
# `temperature: 0` is no value of Transformers' own; without sampling vLLM still takes the number from here.
GENERATION = {"eos_token_id": CONFIG["eos_token_id"], "do_sample": False, "temperature": 0.0}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def vocabulary() -> list[str]:
    """Special tokens, the characters that a prompt is read by, and words of two syllables to answer with."""
    words = [f" {first}{last}" for first in SYLLABLES for last in SYLLABLES[:7]]
    return (SPECIAL + CHARACTERS + words)[:VOCABULARY]


def tokenizer() -> dict:
    """A ``tokenizer.json`` that reads a text letter by letter."""
    special = [
        {"id": index, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True}
        for index, text in enumerate(SPECIAL)
    ]  # fmt: skip
    vocab = {text: index for index, text in enumerate(vocabulary())}
    model = {"type": "BPE", "vocab": vocab, "merges": [], "unk_token": "<unk>", "fuse_unk": False}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": {"type": "Fuse"}, "model": model}  # fmt: skip


def shapes() -> dict:
    """``{name: shape}`` of all tensors."""
    wide = HEADS * HEAD_DIM
    layer = {
        "input_layernorm.weight": [HIDDEN],
        "post_attention_layernorm.weight": [HIDDEN],
        "self_attn.q_norm.weight": [HEAD_DIM],
        "self_attn.k_norm.weight": [HEAD_DIM],
        "self_attn.q_proj.weight": [wide, HIDDEN],
        "self_attn.k_proj.weight": [wide, HIDDEN],
        "self_attn.v_proj.weight": [wide, HIDDEN],
        "self_attn.o_proj.weight": [HIDDEN, wide],
        "mlp.gate_proj.weight": [INNER, HIDDEN],
        "mlp.up_proj.weight": [INNER, HIDDEN],
        "mlp.down_proj.weight": [HIDDEN, INNER],
    }
    found = {f"model.layers.{number}.{name}": shape for number in range(LAYERS) for name, shape in layer.items()}
    found["model.embed_tokens.weight"] = found["lm_head.weight"] = [VOCABULARY, HIDDEN]
    found["model.norm.weight"] = [HIDDEN]
    return found


def tensor(name: str, shape: list, dice: random.Random) -> array.array:
    """Ones for norms, else evenly spread numbers whose sums stay about one."""
    if len(shape) == 1:
        return array.array("f", [1.0]) * shape[0]
    reach = math.sqrt(3 / shape[1])
    values = array.array("f", [dice.uniform(-reach, reach) for _number in range(shape[0] * shape[1])])
    if name == "lm_head.weight":
        # The greatest of the others is above nothing: the model never ends early, and says no character of a prompt.
        silent = (len(SPECIAL) + len(CHARACTERS)) * shape[1]
        values[:silent] = array.array("f", bytes(4 * silent))
    return values


def safetensors() -> bytes:
    dice = random.Random(3)
    header, data = {"__metadata__": {"format": "pt"}}, bytearray()
    for name, shape in sorted(shapes().items()):
        values = tensor(name, shape, dice)
        if sys.byteorder == "big":
            values.byteswap()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * len(values)]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(data)


def write(directory: pathlib.Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    tokens = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": TEMPLATE, "model_max_length": 4096,
              "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": "<unk>"}  # fmt: skip
    # As ModelSlim writes it, with nothing quantized: it is what makes the role serve with `--quantization ascend`.
    description = {"model_quant_type": "FLOAT", **dict.fromkeys(sorted(shapes()), "FLOAT")}
    texts = {"config.json": CONFIG, "generation_config.json": GENERATION, "tokenizer.json": tokenizer(),
             "tokenizer_config.json": tokens, "quant_model_description.json": description}  # fmt: skip
    for name, value in texts.items():
        (directory / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    # Last, so that a directory with weights is a whole one.
    unfinished = directory / "model.safetensors.part"
    unfinished.write_bytes(safetensors())
    unfinished.rename(directory / "model.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_model.py DIRECTORY")
    write(pathlib.Path(sys.argv[1]))

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put into a node before its first start: the SSH key and a small model directory, as a tar stream."""

from __future__ import annotations

import io
import json
import struct
import tarfile

MODEL_DIR = "data/models/Qwen3-0.6B-lab"
# Shapes of Qwen/Qwen3-0.6B's config.json; the lab's weights file holds only a few small tensors under its names.
MODEL_CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 1024,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "max_position_embeddings": 40960,
    "max_window_layers": 28,
    "model_type": "qwen3",
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
}
TOKENIZER_CONFIG = {
    "add_bos_token": False,
    "bos_token": None,
    "chat_template": "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "eos_token": "<|im_end|>",
    "model_max_length": 131072,
    "pad_token": "<|endoftext|>",
    "tokenizer_class": "Qwen2Tokenizer",
    "unk_token": None,
}
TENSORS = {
    "model.norm.weight": [1024],
    "model.layers.0.input_layernorm.weight": [1024],
    "model.layers.0.self_attn.q_norm.weight": [128],
    "model.layers.0.self_attn.k_norm.weight": [128],
}


def safetensors(tensors: dict[str, list[int]]) -> bytes:
    """A safetensors file of BF16 ones: 8 bytes header length (little endian), JSON header, data."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, shape in tensors.items():
        count = 1
        for size in shape:
            count *= size
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [len(data), len(data) + 2 * count]}
        data += struct.pack("<H", 0x3F80) * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def model_files() -> dict[str, bytes]:
    """Files of the model directory, by name."""
    weights = safetensors(TENSORS)
    size = sum(2 * shape[0] for shape in TENSORS.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict.fromkeys(TENSORS, "model.safetensors")}
    return {
        "config.json": json.dumps(MODEL_CONFIG, indent=2).encode() + b"\n",
        "tokenizer_config.json": json.dumps(TOKENIZER_CONFIG, indent=2).encode() + b"\n",
        "model.safetensors": weights,
        "model.safetensors.index.json": json.dumps(index, indent=2).encode() + b"\n",
    }


def node_tar(public_key: str) -> bytes:
    """A tar to unpack at a node's root: root's authorized_keys and the model directory, all owned by root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:

        def add(name: str, mode: int, content: bytes | None = None) -> None:
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            if content is None:
                entry.type = tarfile.DIRTYPE
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content or b""))

        add("root/.ssh", 0o700)
        add("root/.ssh/authorized_keys", 0o600, public_key.encode())
        for folder in ("data", "data/models", MODEL_DIR):
            add(folder, 0o755)
        for name, content in model_files().items():
            add(f"{MODEL_DIR}/{name}", 0o644, content)
    return buffer.getvalue()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories for hub.py, or a model directory: python3 make.py DIRECTORY [--shards 2] [--mb 12] [--seed 1]

Weights are bytes of a seed, so that two runs make the same, and no two shards are alike. Stdlib only, Python 3.8.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import struct

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
}


def noise(seed, size):
    """Bytes that do not compress, the same for the same seed."""
    block = b"".join(hashlib.sha256(f"{seed}/{n}".encode()).digest() for n in range(2048))
    return (block * (size // len(block) + 1))[:size]


def write_model(folder, shards=2, size=12_000_000, seed="1"):
    """A model directory of several shards with an index, configuration and tokenizer."""
    os.makedirs(folder, exist_ok=True)
    weight_map = {}
    for number in range(1, shards + 1):
        name = f"model-{number:05d}-of-{shards:05d}.safetensors"
        tensor = f"model.layers.{number}.weight"
        weight_map[tensor] = name
        header = json.dumps({tensor: {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}).encode()
        header += b" " * (-len(header) % 8)
        with open(os.path.join(folder, name), "wb") as handle:
            handle.write(struct.pack("<Q", len(header)) + header + noise(f"{seed}/{number}", size))
    index = {"metadata": {"total_size": size * shards}, "weight_map": weight_map}
    texts = {
        "config.json": json.dumps({**CONFIG, "seed": str(seed)}, indent=1),
        "tokenizer.json": "{}",
        "tokenizer_config.json": "{}",
        "model.safetensors.index.json": json.dumps(index, indent=1),
    }
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as handle:
            handle.write(text + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--mb", type=int, default=12)
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    write_model(asked.folder, asked.shards, asked.mb * 1_000_000, asked.seed)


if __name__ == "__main__":
    main()

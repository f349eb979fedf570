# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options and the model's config.json say about the engine, checked as vLLM checks it."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .device import MIB_PER_GIB, Claim, model_bytes

BLOCK_SIZE = 128  # tokens in a KV block on Ascend when --block-size is not given
DEFAULT_CONTEXT = 4096
OVERHEAD_MB = 1536  # activations and graphs, besides weights and KV cache


class NotHere(Exception):
    """A thing the real vLLM can do and the stand-in cannot; the text says which."""


@dataclass(frozen=True)
class EngineConfig:
    """Everything the executors and the server need; parallel sizes count NPUs."""

    model: Path
    names: tuple[str, ...]
    tensor: int
    pipeline: int
    context: int
    data: int
    expert_parallel: bool
    executor: str
    utilization: float
    kv_cache_bytes: int | None
    max_model_len: int
    max_num_seqs: int
    block_size: int
    kv_bytes_per_token: int

    @property
    def world_size(self) -> int:
        """Workers of one engine."""
        return self.tensor * self.pipeline * self.context

    @property
    def npus(self) -> int:
        """NPUs of the whole service."""
        return self.world_size * self.data

    @property
    def weights_mb(self) -> float:
        """One worker's part of the weights on disk."""
        return model_bytes(self.model) / self.world_size / 2**20

    @property
    def exact_mb(self) -> int | None:
        """MiB a worker takes when `--kv-cache-memory-bytes` is given; None when the utilization decides."""
        if self.kv_cache_bytes is None:
            return None
        return int(self.weights_mb + OVERHEAD_MB + self.kv_cache_bytes / 2**20)

    def kv_tokens(self, claims: list[Claim]) -> int:
        """Tokens the KV cache holds, over all data-parallel engines.

        :raises ValueError: nothing is left for the cache, or less than one request of max_model_len needs
        """
        free_mb = min(claim.held_mb for claim in claims) - self.weights_mb - OVERHEAD_MB
        if free_mb <= 0:
            raise ValueError(
                "No available memory for the cache blocks. "
                "Try increasing `gpu_memory_utilization` when initializing the engine."
            )
        tokens = int(free_mb * 2**20 / self.kv_bytes_per_token) // self.block_size * self.block_size
        if tokens < self.max_model_len:
            needed = self.max_model_len * self.kv_bytes_per_token / 2**30
            raise ValueError(
                f"To serve at least one request with the models's max seq len ({self.max_model_len}), "
                f"({needed:.2f} GiB KV cache is needed, which is larger than the available KV cache memory "
                f"({free_mb / MIB_PER_GIB:.2f} GiB). Based on the available memory, the estimated maximum model "
                f"length is {tokens}. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when "
                "initializing the engine."
            )
        return tokens * self.data


def engine_config(args: argparse.Namespace) -> EngineConfig:
    """Check options against each other and against the model.

    :raises ValueError: with vLLM's text
    :raises NotHere: for modes the stand-in does not have
    """
    _refuse_missing_modes(args)
    model = Path(args.model)
    described = _read_model(model)
    tensor, pipeline = args.tensor_parallel_size, args.pipeline_parallel_size
    heads = described.get("num_attention_heads")
    if heads and heads % tensor:
        raise ValueError(
            f"Total number of attention heads ({heads}) must be divisible by tensor parallel size ({tensor})."
        )
    if not 0 < args.gpu_memory_utilization <= 1:
        raise ValueError(f"GPU memory utilization must be less than 1.0. Got {args.gpu_memory_utilization}.")
    context = getattr(args, "prefill_context_parallel_size", 1)
    executor = args.distributed_executor_backend or ("mp" if tensor * pipeline * context > 1 else "uni")
    if executor not in ("ray", "mp", "uni", "external_launcher"):
        raise ValueError(f"Unrecognized distributed executor backend {executor}. Supported values are 'ray', 'mp'.")
    if executor == "external_launcher":
        raise NotHere("--distributed-executor-backend external_launcher")
    return EngineConfig(
        model=model,
        names=tuple(args.served_model_name or [str(args.model)]),
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        data=args.data_parallel_size,
        expert_parallel=bool(args.enable_expert_parallel),
        executor=executor,
        utilization=args.gpu_memory_utilization,
        kv_cache_bytes=args.kv_cache_memory_bytes,
        max_model_len=_max_model_len(args.max_model_len, described),
        max_num_seqs=args.max_num_seqs or 256,
        block_size=args.block_size or BLOCK_SIZE,
        kv_bytes_per_token=_kv_bytes_per_token(described, tensor, pipeline),
    )


def _refuse_missing_modes(args: argparse.Namespace) -> None:
    local = args.data_parallel_size_local
    missing = {
        "--headless": args.headless,
        "--grpc": getattr(args, "grpc", False),
        "--nnodes above 1": getattr(args, "nnodes", 1) > 1,
        "data parallel engines on other nodes": local not in (None, args.data_parallel_size),
        "--data-parallel-rank": args.data_parallel_rank is not None,
        "--uds": args.uds is not None,
        "TLS (--ssl-keyfile)": args.ssl_keyfile is not None,
    }
    for mode, wanted in missing.items():
        if wanted:
            raise NotHere(mode)


def _read_model(directory: Path) -> dict[str, Any]:
    try:
        described = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"Invalid repository ID or local directory specified: '{directory}'.\n"
            "Please verify the following requirements:\n"
            "1. Provide a valid Hugging Face repository ID.\n"
            "2. Specify a local directory that contains a recognized configuration file.\n"
            "   - For Hugging Face models: ensure the presence of a 'config.json'."
        ) from error
    except ValueError as error:
        raise ValueError(f"It looks like the config file at '{directory}/config.json' is not a valid JSON file.") from (
            error
        )
    return described.get("text_config", described)


def _max_model_len(asked: int | None, described: dict[str, Any]) -> int:
    limit = described.get("max_position_embeddings")
    if asked is None or asked == -1:
        return limit or DEFAULT_CONTEXT
    if limit and asked > limit and os.environ.get("VLLM_ALLOW_LONG_MAX_MODEL_LEN") != "1":
        raise ValueError(
            f"User-specified max_model_len ({asked}) is greater than the derived max_model_len "
            f"(max_position_embeddings={limit} or model_max_length=None in model's config.json). To allow overriding "
            "this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1."
        )
    return asked


def _kv_bytes_per_token(described: dict[str, Any], tensor: int, pipeline: int) -> int:
    """Keys and values of one token on one worker, in bytes, at two bytes a number."""
    heads = described.get("num_attention_heads", 1)
    head_dim = described.get("head_dim") or described.get("hidden_size", 128) // heads
    kv_heads = max(described.get("num_key_value_heads", heads) // tensor, 1)
    layers = -(-described.get("num_hidden_layers", 1) // pipeline)
    return 2 * 2 * layers * kv_heads * head_dim

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
from .rendezvous import Meeting
from .transfer import TransferConfig

BLOCK_SIZE = 128  # tokens in a KV block on Ascend when --block-size is not given
DEFAULT_CONTEXT = 4096
OVERHEAD_MB = 1536  # activations and graphs, besides weights and KV cache
# In the order in which vLLM looks for a model's experts.
EXPERT_KEYS = ("num_experts", "moe_num_experts", "n_routed_experts", "num_local_experts")


class NotHere(Exception):
    """A thing the real vLLM can do and the stand-in cannot; the text says which."""


@dataclass(frozen=True)
class EngineConfig:
    """Everything the executors and the server need; parallel sizes count NPUs.

    `node` counts the service's nodes from 0, which is the head; `meeting` is None on a single one and with Ray.
    """

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
    node: int = 0
    local_engines: int = 1
    first_engine: int = 0
    meeting: Meeting | None = None
    transfer: TransferConfig | None = None

    @property
    def local_ranks(self) -> range:
        """The ranks whose NPUs are this node's."""
        if self.meeting is None:
            return range(self.npus)
        if self.meeting.kind == "mp":
            local = self.world_size // self.meeting.nodes
            return range(self.node * local, (self.node + 1) * local)
        return range(self.first_engine * self.world_size, (self.first_engine + self.local_engines) * self.world_size)

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
    if args.enable_expert_parallel and not any(described.get(key) for key in EXPERT_KEYS):
        raise ValueError("Number of experts in the model must be greater than 0 when expert parallelism is enabled.")
    nodes = getattr(args, "nnodes", 1)
    if nodes > 1 and executor == "ray":
        raise ValueError(
            "nnodes > 1 can only be set when distributed executor backend is mp, uni or external_launcher."
        )
    meeting, node, local, first = _meeting(args, nodes, tensor * pipeline * context)
    if args.headless and (args.api_server_count or 0) > 0:
        raise ValueError(
            f"--api-server-count={args.api_server_count} cannot be used with --headless (no API servers are started in "
            "headless mode)."
        )
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
        node=node,
        local_engines=local,
        first_engine=first,
        meeting=meeting,
        transfer=TransferConfig.read(args.kv_transfer_config),
    )


def _meeting(args: argparse.Namespace, nodes: int, world: int) -> tuple[Meeting | None, int, int, int]:
    """`(meeting, number of this node, engines of this node, its first engine)`.

    :raises ValueError: the sizes cannot be shared by the nodes
    """
    data, local = args.data_parallel_size, args.data_parallel_size_local
    part = {"tensor": args.tensor_parallel_size, "pipeline": args.pipeline_parallel_size, "data": data, "nodes": nodes}
    part["expert_parallel"] = bool(args.enable_expert_parallel)
    if nodes > 1:
        if data > 1:
            raise NotHere("--nnodes together with --data-parallel-size")
        if world % nodes or not 0 <= args.node_rank < nodes:
            raise ValueError(
                f"world_size ({world}) must be divisible by nnodes ({nodes}), and node_rank ({args.node_rank}) be less"
            )
        if bool(args.headless) != (args.node_rank > 0):
            raise NotHere(f"--node-rank {args.node_rank} {'with' if args.headless else 'without'} --headless")
        return Meeting("mp", args.master_addr, args.master_port, nodes, part), args.node_rank, 1, 0
    if local is not None and local > data:
        raise ValueError(f"data_parallel_size_local ({local}) must be <= data_parallel_size ({data})")
    if local in (None, data) and not args.headless:
        return None, 0, data, 0
    if not local:
        raise ValueError("data_parallel_size_local must be > 0 in headless mode")
    first = args.data_parallel_start_rank or 0
    if data % local or first % local or first + local > data:
        raise NotHere("nodes with different numbers of data parallel engines")
    if bool(args.headless) != (first > 0):
        raise NotHere("--data-parallel-start-rank without --headless (an endpoint on each node), or the reverse")
    address, port = args.data_parallel_address or "127.0.0.1", args.data_parallel_rpc_port or 29550
    return Meeting("dp", address, port, data // local, part), first // local, local, first


def _refuse_missing_modes(args: argparse.Namespace) -> None:
    missing = {
        "--grpc": getattr(args, "grpc", False),
        "--data-parallel-rank": args.data_parallel_rank is not None,
        "--data-parallel-hybrid-lb": bool(args.data_parallel_hybrid_lb),
        "--data-parallel-backend ray": args.data_parallel_backend == "ray",
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

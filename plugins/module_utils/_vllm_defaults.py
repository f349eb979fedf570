# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vLLM service on NPUs gets when it does not say, and what is known to go wrong with what it says.

The tables are data: a row holds from a release on (or always) and before another. What a service says itself goes
before every default; C(null) as an argument leaves a default out.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ._compatibility import image as image_of
from ._compatibility import told_graph_mode
from ._compatibility_versions import at_least
from ._npu_model import family


class Default(NamedTuple):
    """``when`` names a condition of L(_conditions), None is always; ``since`` and ``before`` are releases."""

    name: str
    value: object
    when: str | None = None
    since: str | None = None
    before: str | None = None


# vLLM-Ascend takes blocks of 128 itself (vllm_ascend/platform.py); 0.9 was vLLM's own until 0.23.0 made it 0.92.
ARGS = (
    Default("block_size", 128),
    Default("gpu_memory_utilization", 0.9),
)

# Optimization and Tuning guide of vLLM-Ascend. HCCL_BUFFSIZE is in MB, and each communicator takes twice that
# (hiascend.com, envref_07_0080). Level 2 of the task queue is for eager mode alone, NPUGraph::capture_begin of
# torch_npu refuses it. expandable_segments is what vllm-ascend #5855 sets, not in sleep mode; on Atlas 300I the image
# decides.
ENV = (
    Default("HCCL_BUFFSIZE", "1024", when="large"),
    Default("HCCL_BUFFSIZE", "512", when="experts"),
    Default("HCCL_BUFFSIZE", "256", when="several"),
    Default("TASK_QUEUE_ENABLE", "2", when="eager"),
    Default("PYTORCH_NPU_ALLOC_CONF", "expandable_segments:True", when="expandable"),
    Default("OMP_PROC_BIND", "false"),
    Default("VLLM_USE_V1", "1", since="v0.8.4rc2", before="v0.9.2rc1"),
    # Experts of data parallel engines on Atlas A2 nodes (multi-node pages of the DeepSeek models): with these dispatch
    # and combine take the way over HCCS within a node, and RoCE between nodes only (vllm_ascend/utils.py).
    Default("HCCL_INTRA_PCIE_ENABLE", "1", when="dp experts A2"),
    Default("HCCL_INTRA_ROCE_ENABLE", "0", when="dp experts A2"),
)

# Release notes and envs.py of vLLM-Ascend: the release without it, and what to do.
GONE_ENV = {
    "VLLM_USE_V1": ("v0.10.0rc1", "leave it out: there is no other engine"),
    "VLLM_ENABLE_MC2": ("v0.9.1rc1", "leave it out"),
    "VLLM_ASCEND_MLA_PA": ("v0.12.0rc1", "leave it out"),
    "VLLM_ASCEND_ENABLE_DBO": ("v0.12.0rc1", "leave it out"),
    "VLLM_ASCEND_ENABLE_DENSE_OPTIMIZE": ("v0.13.0rc1", "leave it out"),
    "VLLM_TORCH_PROFILER_DIR": ("v0.14.0rc1", "write profiler_config into args"),
    "USE_OPTIMIZED_MODEL": ("v0.15.0rc1", "leave it out"),
    "VLLM_ASCEND_ENABLE_PREFETCH_MLP": ("v0.18.0rc1", "leave it out"),
    "VLLM_ASCEND_ENABLE_CONTEXT_PARALLEL": (
        "v0.21.0rc1",
        "use args.prefill_context_parallel_size",
    ),
    "ASCEND_BUFFER_POOL": ("v0.23.0", "leave it out"),
}

UTILIZATION_LIMIT = 0.95
_LARGE_B = 70
_MOST_OF_HCCL_MB = 2048

_BILLIONS = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])")


def is_large(model):
    """Whether a model is of 70 billion parameters or more by the name of its directory; DeepSeek is, unless it says."""
    name = model.rstrip("/").rsplit("/", 1)[-1].lower()
    sizes = [float(size) for size in _BILLIONS.findall(name)]
    return max(sizes) >= _LARGE_B if sizes else "deepseek" in name


def _conditions(service):
    """The words of L(Default.when) that hold for a placed service."""
    args, copies = service["args"], len(service["nodes"]) if service.get("replicas") else 1
    several = service["devices"] > copies
    experts = several and args.get("enable_expert_parallel") is True
    chips = family(service["chip"])
    spread_a2 = bool(service.get("join_port")) and chips is not None and chips.name == "A2"
    tests = {
        "several": several,
        "experts": experts,
        "dp experts A2": experts and spread_a2 and service["executor"] == "dp",
        "large": several and is_large(service["model"]),
        "eager": told_graph_mode(args) == "NONE",
        "expandable": args.get("enable_sleep_mode") is not True and not service["chip"].lower().startswith("310p"),
    }
    return {word for word, holds in tests.items() if holds}


def _holds(row, release, words):
    if row.when is not None and row.when not in words:
        return False
    if row.since and not at_least(release, row.since):
        return False
    return not row.before or (release is not None and not at_least(release, row.before))


def with_defaults(service, image):
    """(args, env) of a placed service (see C(_placement.place)) with what it does not say itself.

    An args.config names a file inside the image or the model, which what is on a command line would overrule: with
    one, no argument is added.
    """
    release = _release(image)
    words = _conditions(service)
    args, env = dict(service["args"]), dict(service["env"])
    for row in () if args.get("config") else ARGS:
        if row.name not in args and _holds(row, release, words) and not _same_told(row.name, args):
            args[row.name] = row.value
    for row in ENV:
        if row.name not in env and _holds(row, release, words):
            env[row.name] = row.value
    return args, env


def _same_told(name, args):
    return name == "gpu_memory_utilization" and "device_memory_utilization" in args


def _release(image):
    return image_of((image or "").split("@", 1)[0]).release


def doubts(service, image):
    """What is known to go wrong with a service as the inventory has it: pairs of what it is and what to do.

    :arg service: an entry of C(ascend_services) with mappings (or nothing) as C(args) and C(env).
    """
    args, env = service.get("args") or {}, service.get("env") or {}
    yield from _args(args)
    yield from _environment(args, {key: str(value) for key, value in env.items()}, _release(image))


def _args(args):
    if args.get("config"):
        return
    if args.get("max_model_len") is None and args.get("runner") != "pooling":
        yield (
            "args.max_model_len is not set, so the KV cache must hold the longest context of the model",
            "set it to the longest prompt with its answer that is to be served",
        )
    for name in ("gpu_memory_utilization", "device_memory_utilization"):
        try:
            share = float(args.get(name, 0))
        except (TypeError, ValueError):
            continue  # not a number: that is a problem by the list of options
        if share >= UTILIZATION_LIMIT:
            yield (
                f"args.{name} is {args[name]}, which leaves too little for HCCL's buffers and graphs",
                f"give less than {UTILIZATION_LIMIT}",
            )


def _environment(args, env, release):
    for name, (without, remedy) in GONE_ENV.items():
        if name in env and at_least(release, without):
            yield f"env.{name} has no effect from {without} on, the image is {release}", remedy
    if env.get("VLLM_USE_V1") == "0" and release and not at_least(release, "v0.9.2rc1"):
        yield "env.VLLM_USE_V1 is 0, and up to v0.9.1 only the engine V1 is maintained", "leave it out"
    yield from _hccl(args, env)
    yield from _queue(args, env)
    yield from _allocator(args, env)
    if "LD_LIBRARY_PATH" in env:
        yield (
            "env.LD_LIBRARY_PATH takes the place of the image's, in which CANN's libraries are",
            "leave it out, or give the whole path, /usr/local/lib and CANN's directories with it",
        )


def _hccl(args, env):
    size = env.get("HCCL_BUFFSIZE")
    if size is None:
        return
    if not size.isdigit() or int(size) < 1:
        yield f"env.HCCL_BUFFSIZE is '{size}'", "give a whole number of MB above 0"
    elif int(size) > _MOST_OF_HCCL_MB:
        yield f"env.HCCL_BUFFSIZE is {size} MB, and each communicator takes twice that of HBM", "give 256 to 1024"
    elif int(size) < 200 and args.get("enable_expert_parallel") is True:
        yield (
            f"env.HCCL_BUFFSIZE is {size} MB, too little for the experts' dispatch and combine",
            "give 512 or more",
        )


def _queue(args, env):
    level = env.get("TASK_QUEUE_ENABLE")
    graphs = told_graph_mode(args) != "NONE"
    if level is not None and level not in ("0", "1", "2"):
        yield f"env.TASK_QUEUE_ENABLE is '{level}'", "give 0, 1 or 2"
    elif level == "2" and graphs:
        yield (
            "env.TASK_QUEUE_ENABLE is 2, with which torch_npu refuses to capture graphs",
            "leave it out, or serve with enforce_eager: true",
        )
    if env.get("ASCEND_LAUNCH_BLOCKING") == "1" and graphs:
        yield (
            "env.ASCEND_LAUNCH_BLOCKING is 1, with which graphs are refused",
            "leave it out, or serve with enforce_eager: true",
        )


def _allocator(args, env):
    settings = env.get("PYTORCH_NPU_ALLOC_CONF", "").replace(" ", "").lower()
    if "expandable_segments:true" not in settings:
        return
    if args.get("enable_sleep_mode") is True:
        yield (
            "env.PYTORCH_NPU_ALLOC_CONF asks for expandable_segments, which the memory pool of sleep mode refuses",
            "leave it out, or leave enable_sleep_mode out",
        )
    for other in ("max_split_size_mb", "garbage_collection_threshold"):
        if other in settings:
            yield f"env.PYTORCH_NPU_ALLOC_CONF has expandable_segments and {other}", "give one of the two"


__all__ = ["ARGS", "ENV", "GONE_ENV", "doubts", "is_large", "with_defaults"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to fail, or to be slow, about the way in which a placed vLLM service is spread.

Each refusal has a name of C(_services.ALLOW); with the name in the service's C(allow) it is only a doubt. The sources
are github.com/vllm-project/vllm-ascend (#N) and its page pipeline_parallel.md.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._compatibility import image as image_of
from ._compatibility_versions import at_least
from ._npu_model import family
from ._placement_nodes import memory_total_mb
from ._services import Problem
from ._sizing import OVERHEAD_GIB, SHOWN, estimate, text_config

# So many requests of the full length must find room before a model is said to fit.
_REQUESTS = 4
_EXPERT_KEYS = ("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts")


def judge(service, image, nodes):
    """Judge one service of C(_placement.place_all).

    :arg image: what it is served with, or None.
    :arg nodes: {inventory name: Node}; what their C(models) tell of the model is used.
    :returns: (problems, doubts), two lists of Problem.
    """
    if service["engine"] != "vllm" or not service["parallel"]:
        return [], []
    model = (nodes[service["head"]].models or {}).get(service["model"]) or {}
    release = image_of((image or "").split("@", 1)[0]).release
    problems, doubts = [], []
    for name, problem, remedy in _refusals(service, release, model):
        allowed = name in service["allow"]
        remedy = remedy if allowed else f"{remedy}; or try it with allow: [{name}]"
        (doubts if allowed else problems).append(_problem(service, problem, remedy))
    doubts += [_problem(service, *found) for found in _doubts(service, release, model, nodes)]
    return problems, doubts


def _problem(service, problem, remedy):
    return Problem(service["head"], f"service '{service['name']}'", problem, remedy)


def _several(service):
    return len(service["nodes"]) > 1 and not service["replicas"]


def _experts(service):
    return service["args"].get("enable_expert_parallel") is True


def is_moe(service, model):
    """Whether the model has experts: by its config.json, else by the flags; None where neither tells."""
    config = text_config(model.get("config") or {})
    if config:
        return any(config.get(key) for key in _EXPERT_KEYS)
    return True if _experts(service) else None


def _between(release, first, fixed):
    """Whether an image is known to be of a release from C(first) on (None: any) and before C(fixed)."""
    return release is not None and not at_least(release, fixed) and (first is None or at_least(release, first))


def _refusals(service, release, model):
    """(name, problem, remedy) of what is known to fail."""
    sizes = service["parallel"]
    heads = text_config(model.get("config") or {}).get("num_attention_heads")
    if isinstance(heads, int) and heads > 0 and heads % sizes["tensor"]:
        fitting = [size for size in range(1, sizes["tensor"]) if heads % size == 0]
        yield (
            "tensor_heads",
            f"the model has {heads} attention heads, which parallel.tensor {sizes['tensor']} does not divide "
            "(vLLM's own check)",
            f"use tensor {max(fitting)}",
        )
    if _experts(service) and is_moe(service, model) is False:
        yield (
            "ep_without_experts",
            "enable_expert_parallel is set, and config.json of the model tells of no experts (vLLM's own check)",
            "leave out args.enable_expert_parallel",
        )
    if _several(service):
        yield from _over_nodes(service, release, model)


def _over_nodes(service, release, model):
    sizes, executor = service["parallel"], service["executor"]
    if executor == "mp" and _between(release, None, "v0.13.0rc1"):
        yield (
            "mp_over_nodes",
            f"executor mp over {len(service['nodes'])} hosts needs --nnodes, which vLLM has from 0.13 on, and "
            f"the image is {release}",
            "use executor ray, or a newer image",
        )
    if executor == "ray" and _experts(service):
        if sizes["pipeline"] > 1 and _between(release, None, "v0.11.0rc3"):
            yield (
                "pp_with_ep",
                f"pipeline and expert parallelism together end with error 507014 on Ray in {release} "
                "(vllm-ascend #3529, before v0.11.0rc3)",
                "leave out enable_expert_parallel, use tensor alone, or take a newer image",
            )
        elif _between(release, "v0.11.0rc1", "v0.11.0rc3"):
            yield (
                "ep_over_nodes",
                f"expert parallelism over several nodes is broken on Ray in {release} (vllm-ascend #4123)",
                "leave out enable_expert_parallel, or take v0.11.0rc3 or newer",
            )
    if sizes["pipeline"] > 1 and sizes["data"] > 1 and is_moe(service, model) is not False and _is_roce(service):
        yield (
            "pp_with_dp",
            "pipeline and data parallelism together fail or hang for models with experts over RoCE (vllm-ascend, "
            "pipeline_parallel.md: MoeDistributeDispatch)",
            "make parallel.pipeline or parallel.data 1",
        )


def _is_roce(service):
    """Nodes of Atlas A3 may have one super-pod's HCCS between them; all others meet over RoCE."""
    found = family(service["chip"])
    return found is None or found.name != "A3"


def _doubts(service, release, model, nodes):
    if not _several(service):
        return
    sizes = service["parallel"]
    staged = service["executor"] == "ray" and sizes["pipeline"] > 1
    if staged and not _is_roce(service) and at_least(release, "v0.19.0"):
        yield (
            "pipeline parallelism over A3 nodes was seen to fail on Ray from v0.19.1 on (vllm-ascend #10910, open), "
            f"and the image is {release}",
            "use executor mp, or tensor alone",
        )
    if service["executor"] != "dp":
        yield from _fits(service, model, nodes)


def _fits(service, model, nodes):
    """A hint when one host would do."""
    args, head = service["args"], service["head"]
    part = service["nodes"][head]
    sizes_mb = [memory_total_mb(chip) for npu in part["npu_ids"] for chip in nodes[head].chips[npu]]
    try:
        found = estimate(model, args, _REQUESTS)
    except ValueError:
        return  # what is not known fits nowhere
    if not all(sizes_mb):
        return
    room = sum(mb / 1024 * found.utilization * SHOWN - OVERHEAD_GIB for mb in sizes_mb)
    if found.weights + found.kv_cache <= room:
        yield (
            f"the model would fit on one host ({found.weights:.0f} GiB of weights and {found.kv_cache:.0f} GiB for "
            f"{_REQUESTS} requests of the full length, of {room:.0f} GiB), and spreading it cost 12 to 28 % of the "
            "throughput in public measurements",
            f"name one host, or write replicas: true for a copy on each of the {len(service['nodes'])}",
        )


__all__ = ["is_moe", "judge"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that vLLM gives its processes, set as vLLM sets them: with the package setproctitle.

That package writes the title over the process's arguments *and its environment*: `/proc/PID/environ` is lost unless
SPT_NOENV is set. Whoever looks for a service's processes by their environment has to know that.
"""

from __future__ import annotations

import os

from .config import EngineConfig


def worker_title(config: EngineConfig, rank: int) -> str:
    """The title of a local worker: `VLLM::Worker_PP0_TP1`, naming only the ways in which the service is split.

    A single NPU needs no worker process in vLLM; there the engine core itself holds it.

    :param rank: over the whole service; data parallel counts slowest, then pipeline, context and tensor
    """
    prefix = os.environ.get("VLLM_PROCESS_NAME_PREFIX", "VLLM")
    engine, place = divmod(rank, config.world_size)
    if config.executor == "uni":
        return f"{prefix}::EngineCore" + (f"_DP{engine}" if config.data > 1 else "")
    stage, place = divmod(place, config.context * config.tensor)
    context, tensor = divmod(place, config.tensor)
    sizes = {
        "DP": (config.data, engine),
        "PP": (config.pipeline, stage),
        "PCP": (config.context, context),
        "TP": (config.tensor, tensor),
    }
    parts = [f"_{name}{number}" for name, (size, number) in sizes.items() if size > 1]
    if config.expert_parallel:
        parts.append(f"_EP{(engine * config.context + context) * config.tensor + tensor}")
    return f"{prefix}::Worker{''.join(parts)}"


def set_process_title(title: str) -> None:
    """Show `title` in process lists; /proc/PID/comm has the first 15 characters.

    As in vLLM, a process keeps its name where the package is not installed. It is, in the images.
    """
    try:
        import setproctitle
    except ImportError:
        return
    setproctitle.setproctitle(title)

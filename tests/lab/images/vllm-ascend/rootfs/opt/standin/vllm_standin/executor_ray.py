# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `ray` executor: one actor for each NPU, in one placement group of the running cluster.

Order, waiting and wording follow vLLM, so that an operator sees here what the real one would show: too few NPUs
mean a warning and a long wait with doubling pauses, not a refusal.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from typing import Any

import ray
from ray.util import placement_group_table
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from .config import EngineConfig
from .device import Claim, Npu
from .executor import EngineFailed, Executor
from .log import logger

DEVICE_KEY = "NPU"
PG_WAIT_TIMEOUT = int(os.environ.get("NPUOPS_STANDIN_PG_WAIT_SECONDS", "1800"))


class _Worker:
    """Runs in a Ray actor on the NPU's node; two threads, because `run` never returns."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._npu: Npu | None = None

    def claim(self, rank: int, utilization: float, exact_mb: int | None) -> dict[str, Any]:
        """Open the NPU that Ray gave this actor."""
        logic_id = int(ray.get_runtime_context().get_accelerator_ids()[DEVICE_KEY][0])
        self._npu = Npu(rank, logic_id, utilization, exact_mb)
        return self._npu.claim.as_dict()

    def run(self) -> None:
        """The sentinel: its reference becomes ready only when the worker is gone."""
        self._ended.wait()

    def close(self) -> None:
        if self._npu is not None:
            self._npu.close()
        self._ended.set()


class RayWorkerWrapper(_Worker):
    """The worker's name in vLLM before RayExecutorV2 (process lists show `ray::RayWorkerWrapper`)."""


class RayWorkerProc(_Worker):
    """The worker's name in vLLM's RayExecutorV2."""


def host_ip() -> str:
    """The address vLLM takes for this node: VLLM_HOST_IP, else the one that routes outwards."""
    given = os.environ.get("VLLM_HOST_IP")
    if given:
        return given
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("8.8.8.8", 80))
            return probe.getsockname()[0]
        except OSError:
            logger.warning("Failed to get the IP address, using 0.0.0.0 by default. Set VLLM_HOST_IP.")
            return "0.0.0.0"


class RayExecutor(Executor):
    """NPUs of the whole cluster."""

    def __init__(self, config: EngineConfig, second_version: bool) -> None:
        """:param second_version: RayExecutorV2, whose driver needs no NPU on its own node."""
        self._config = config
        self._v2 = second_version
        self._group: Any = None
        self._actors: list[Any] = []
        self._sentinels: list[Any] = []

    def start(self) -> list[Claim]:
        if not ray.is_initialized():
            # As in vLLM no address is given: Ray takes RAY_ADDRESS, else the cluster this container is part of.
            try:
                ray.init(logging_level="INFO")
            except (ConnectionError, RuntimeError, OSError) as error:
                raise EngineFailed(f"{type(error).__name__}: {error}") from error
        try:
            self._reserve()
            return self._start_workers()
        except (ray.exceptions.RayError, ValueError, RuntimeError) as error:
            raise EngineFailed(f"{type(error).__name__}: {error}") from error

    def _reserve(self) -> None:
        """Get the placement group.

        :raises ValueError: the driver's node has no free NPU (first executor version), or the group cannot be made
        """
        wanted = self._config.npus
        logger.info("No current placement group found. Creating a new placement group.")
        if wanted > ray.cluster_resources().get(DEVICE_KEY, 0):
            logger.warning(
                "The number of required %ss exceeds the total number of available %ss in the placement group.",
                DEVICE_KEY,
                DEVICE_KEY,
            )
        bundles: list[dict[str, float]] = [{DEVICE_KEY: 1.0} for _unused in range(wanted)]
        if not self._v2:
            self._pin_first(bundles[0])
        self._group = ray.util.placement_group(bundles, strategy="PACK")
        self._wait_for_group()

    @staticmethod
    def _pin_first(bundle: dict[str, float]) -> None:
        current_ip = host_ip()
        current_node_id = ray.get_runtime_context().get_node_id()
        current_node_resource = ray._private.state.available_resources_per_node().get(current_node_id, {})
        if current_node_resource.get(DEVICE_KEY, 0) < 1:
            raise ValueError(
                f"Current node has no {DEVICE_KEY} available. {current_node_resource=}. vLLM engine cannot start "
                f"without {DEVICE_KEY}. Make sure you have at least 1 {DEVICE_KEY} available in a node "
                f"{current_node_id=} {current_ip=}."
            )
        bundle[f"node:{current_ip}"] = 0.001

    def _wait_for_group(self) -> None:
        began = time.monotonic()
        ready = self._group.ready()
        pause = 10.0
        while True:
            left = PG_WAIT_TIMEOUT - (time.monotonic() - began)
            if left <= 0:
                raise ValueError(
                    f"Cannot provide a placement group of placement_group_specs={self._group.bundle_specs} within "
                    f"{PG_WAIT_TIMEOUT} seconds. See `ray status` and `ray list nodes` to make sure the cluster has "
                    "enough resources."
                )
            if ray.wait([ready], timeout=min(pause, left))[0]:
                return
            pause *= 2
            logger.info(
                "Waiting for creating a placement group of specs for %d seconds. specs=%s. Check `ray status` and "
                "`ray list nodes` to see if you have enough resources, and make sure the IP addresses used by ray "
                "cluster are the same as VLLM_HOST_IP environment variable specified in each node if you are "
                "running on a multi-node.",
                time.monotonic() - began,
                self._group.bundle_specs,
            )

    def _bundles_by_node(self) -> list[int]:
        """Bundle numbers in the order of ranks: the driver's node first, then node by node."""
        node_of = placement_group_table(self._group)["bundles_to_node_id"]
        driver = ray.get_runtime_context().get_node_id()
        if driver not in node_of.values() and not self._v2:
            raise RuntimeError(f"driver node id {driver} is not included in a placement group {self._group.id}.")
        for node, count in Counter(node_of.values()).items():
            if count < self._config.tensor:
                logger.warning(
                    "tensor_parallel_size=%d is bigger than a reserved number of %ss (%d %ss) in a node %s. Tensor "
                    "parallel workers can be spread out to 2+ nodes which can degrade the performance unless you "
                    "have fast interconnect across nodes, like Infiniband.",
                    self._config.tensor,
                    DEVICE_KEY,
                    count,
                    DEVICE_KEY,
                    node,
                )
        return sorted(node_of, key=lambda index: (node_of[index] != driver, node_of[index], index))

    def _start_workers(self) -> list[Claim]:
        worker_class = ray.remote(RayWorkerProc if self._v2 else RayWorkerWrapper)
        for index in self._bundles_by_node():
            placement = PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=index)
            self._actors.append(
                worker_class.options(
                    num_cpus=0, resources={DEVICE_KEY: 1}, max_concurrency=2, scheduling_strategy=placement
                ).remote()
            )
        config = self._config
        answers = [
            actor.claim.remote(rank, config.utilization, config.exact_mb) for rank, actor in enumerate(self._actors)
        ]
        try:
            claims = [Claim(**answer) for answer in ray.get(answers)]
        except ray.exceptions.RayTaskError as error:
            logger.error("RayWorkerProc failed to start: %s", error)
            raise EngineFailed(f"{type(error.cause).__name__}: {error.cause}") from error
        self._sentinels = [actor.run.remote() for actor in self._actors]
        return claims

    def lost(self) -> str | None:
        done, _rest = ray.wait(self._sentinels, timeout=1)
        if not done:
            return None
        rank = self._sentinels.index(done[0])
        try:
            ray.get(done[0], timeout=1)
        except ray.exceptions.RayError as error:
            return f"RayWorkerProc rank={rank} died unexpectedly: {error}"
        return f"RayWorkerProc rank={rank} ended"

    def stop(self) -> None:
        if not ray.is_initialized():
            return
        closing = [actor.close.remote() for actor in self._actors]
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=1)
        for actor in self._actors:
            ray.kill(actor)
        if self._group is not None:
            ray.util.remove_placement_group(self._group)
        self._actors, self._sentinels, self._group = [], [], None
        ray.shutdown()

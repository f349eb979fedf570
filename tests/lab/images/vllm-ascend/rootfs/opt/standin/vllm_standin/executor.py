# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executors: who holds the NPUs. `mp` has one child process for each NPU of this container."""

from __future__ import annotations

import abc
import contextlib
import json
import subprocess
import sys
from pathlib import Path

from .config import EngineConfig
from .device import Claim, visible_logic_ids
from .log import logger
from .title import worker_title


class EngineFailed(Exception):
    """The engine could not start; the cause is in the text."""


class Executor(abc.ABC):
    """Holds the NPUs of a service from `start` to `stop`."""

    @abc.abstractmethod
    def start(self) -> list[Claim]:
        """Take all NPUs, blocking.

        :raises EngineFailed: when one of them cannot be had; the others are then given back by `stop`
        """

    @abc.abstractmethod
    def lost(self) -> str | None:
        """Why the service is dead, or None. Blocks for a second at most."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Give everything back; may be called at any time and more than once."""


class LocalExecutor(Executor):
    """`mp`, and `uni` for a single NPU."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._workers: list[subprocess.Popen[str]] = []

    def start(self) -> list[Claim]:
        config = self._config
        try:
            visible = visible_logic_ids()
        except RuntimeError as error:
            raise EngineFailed(f"RuntimeError: {error}") from error
        ranks = config.local_ranks
        if len(ranks) > len(visible):
            raise EngineFailed(
                f"AssertionError: local_world_size ({len(ranks)}) must be less than or equal to the number of "
                f"visible devices ({len(visible)})."
            )
        for index, rank in enumerate(ranks):
            worker = subprocess.Popen(
                [sys.executable, "-m", "vllm_standin.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parent.parent,
            )
            self._workers.append(worker)
            order = {
                "rank": rank,
                "logic_id": visible[index],
                "utilization": config.utilization,
                "exact_mb": config.exact_mb,
                "title": worker_title(config, rank),
            }
            with contextlib.suppress(BrokenPipeError):  # it ended already; its answer says why
                print(json.dumps(order), file=worker.stdin, flush=True)
        return [self._answer(rank, worker) for rank, worker in zip(ranks, self._workers, strict=True)]

    @staticmethod
    def _answer(rank: int, worker: subprocess.Popen[str]) -> Claim:
        line = worker.stdout.readline()
        answer = json.loads(line) if line else {"error": f"worker ended with code {worker.wait()}"}
        if "error" in answer:
            logger.error("WorkerProc failed to start. (rank %d) %s", rank, answer["error"])
            raise EngineFailed(answer["error"])
        return Claim(**answer["claim"])

    def lost(self) -> str | None:
        for rank, worker in enumerate(self._workers):
            try:
                # Waiting on the first one paces the caller; a second is short enough for the others.
                code = worker.wait(timeout=0.5) if rank == 0 else worker.poll()
            except subprocess.TimeoutExpired:
                continue
            if code is not None:
                return f"Worker proc VllmWorker-{rank} died unexpectedly (exit code {code})"
        return None

    def stop(self) -> None:
        for worker in self._workers:
            with contextlib.suppress(BrokenPipeError):
                worker.stdin.close()
        for worker in self._workers:
            try:
                worker.wait(timeout=2)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            worker.stdout.close()
        self._workers = []

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through the "engine": admission, token pace, and the numbers /metrics shows."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

from .config import EngineConfig
from .cues import hang_while_cued
from .metrics import Metrics
from .speech import Speaker

TOKEN_SECONDS = float(os.environ.get("NPUOPS_STANDIN_TOKEN_SECONDS", "0.004"))
PREFIX_BLOCKS = 10_000


@dataclass(frozen=True)
class Job:
    """One reply to make: the prompt's tokens, what the user said, and where to end."""

    prompt: tuple[str, ...]
    said: str
    limit: int
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False


class EngineDead(Exception):
    """A worker is gone; nothing can be generated any more."""


class Engine:
    """Runs at most `max_num_seqs` jobs at a time, the others wait."""

    def __init__(self, config: EngineConfig, speaker: Speaker, metrics: Metrics, kv_tokens: int, prefix: bool) -> None:
        """:param kv_tokens: size of the KV cache; :param prefix: whether equal beginnings are cached"""
        self.config, self.speaker, self.metrics = config, speaker, metrics
        self.dead = False
        self._slots = asyncio.Semaphore(config.max_num_seqs * config.data)
        self._kv_tokens, self._kv_held = kv_tokens, 0
        self._prefix: OrderedDict[int, None] | None = OrderedDict() if prefix else None

    async def generate(self, job: Job) -> AsyncIterator[tuple[str, str | None]]:
        """Yield `(text, finish_reason)`; the reason is None but for the last one.

        :raises EngineDead: a worker is gone
        """
        metrics, began = self.metrics, time.monotonic()
        metrics.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            metrics.waiting -= 1
        metrics.running += 1
        started = time.monotonic()
        made, reason = 0, "abort"
        self._hold(len(job.prompt))
        try:
            metrics.queue.observe(started - began)
            metrics.prompt_tokens += len(job.prompt)
            self._count_prefix(job.prompt)
            pieces, end = self._plan(job)
            last = started
            for piece in pieces:
                await asyncio.sleep(TOKEN_SECONDS)
                await hang_while_cued()
                if self.dead:
                    raise EngineDead
                now = time.monotonic()
                (metrics.token_gap if made else metrics.ttft).observe(now - (last if made else began))
                last, made = now, made + 1
                metrics.generation_tokens += 1
                self._hold(1)
                yield piece, end if made == len(pieces) else None
            reason = end
        finally:
            metrics.running -= 1
            self._hold(-len(job.prompt) - made)
            self._slots.release()
            metrics.success[reason] += 1
            if reason != "abort":
                self._observe(job, made, time.monotonic() - began, time.monotonic() - started)

    def _plan(self, job: Job) -> tuple[list[str], str]:
        """All pieces of the reply, cut at the limit and before the first stop text, and why it ends there."""
        pieces = list(itertools.islice(self.speaker.pieces(job.said, job.ignore_eos), job.limit + 1))
        reason = "length" if len(pieces) > job.limit else "stop"
        pieces = pieces[: job.limit]
        text = "".join(pieces)
        found = [position for position in (text.find(stop) for stop in job.stop if stop) if position >= 0]
        if not found:
            return pieces, reason
        left, kept = min(found), []
        for piece in pieces:
            kept.append(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
        return kept, "stop"

    def _hold(self, count: int) -> None:
        self._kv_held += count
        self.metrics.kv_cache_usage = min(self._kv_held / self._kv_tokens, 1.0)

    def _count_prefix(self, prompt: tuple[str, ...]) -> None:
        if self._prefix is None:
            return
        size, hits, hitting, block = self.config.block_size, 0, True, 0
        for end in range(size, len(prompt) + 1, size):
            block = hash((block, prompt[end - size : end]))
            hitting = hitting and block in self._prefix
            hits += size if hitting else 0
            self._prefix[block] = None
            self._prefix.move_to_end(block)
        while len(self._prefix) > PREFIX_BLOCKS:
            self._prefix.popitem(last=False)
        self.metrics.prefix_queries += len(prompt)
        self.metrics.prefix_hits += hits

    def _observe(self, job: Job, made: int, whole: float, running: float) -> None:
        metrics = self.metrics
        metrics.e2e.observe(whole)
        metrics.prompt_length.observe(len(job.prompt))
        metrics.reply_length.observe(made)
        if made > 1:
            metrics.per_token.observe(running / (made - 1))

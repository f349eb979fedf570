# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's metrics say when no log says anything: slow, jittering, idle. Pure.

The three rules are the field guide's; where they begin is a convention of this collection, written here as numbers.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ._diagnose_types import Entry, Finding, Place

# Seconds: a first token is quick below, a further token slow above.
QUICK_FIRST_TOKEN = 1.0
SLOW_TOKEN = 0.1
# Fewer replies say nothing of the mean.
LEAST_REPLIES = 5
# Requests at once that are concurrency, intervals that show a course, and deviation / mean that is jitter.
CONCURRENCY = 4
LEAST_INTERVALS = 4
JITTER = 0.3
# Percent of AICore, the mean of the service's NPUs, below which they are idle while requests run.
LOW_USE = 30.0
BLOCK_SIZE = "128"

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# The names of vLLM 0.11 and of later ones.
_PER_TOKEN = (
    "vllm:request_time_per_output_token_seconds",
    "vllm:time_per_output_token_seconds",
    "vllm:inter_token_latency_seconds",
)

BLOCK = Entry(
    "block-size",
    "",
    (),
    "The first token is quick and the following ones are slow: the block size of the KV cache does not fit the NPU.",
    "Serve with block_size 128 (`--block-size 128`).",
    ("field guide",),
)
BUFFER = Entry(
    "hccl-buffer-jitter",
    "",
    (),
    "Throughput jitters under concurrency: the buffer between NPUs is too small.",
    "Raise HCCL_BUFFSIZE on every node (1024 for 70B and DeepSeek models) and restart; with Ray it must be set before "
    "`ray start`.",
    ("field guide",),
)
IDLE = Entry(
    "low-npu-use",
    "",
    (),
    "The NPUs are hardly used although requests run, and no log shows an error: work is handed to them too slowly.",
    "Set TASK_QUEUE_ENABLE=2, and source set_env.sh of CANN and of nnal/atb in the shell that starts the server.",
    ("field guide",),
)


class Sample(NamedTuple):
    """One look at a server: seconds of a steady clock, and its metrics as L(parse) gives them."""

    at: float
    metrics: dict


def parse(text: str) -> dict:
    """{name: [(labels, value), ...]} of Prometheus' text format; lines that are none are left out."""
    found: dict = {}
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.match(line)
        if match:
            try:
                value = float(match.group(3))
            except ValueError:
                continue
            found.setdefault(match.group(1), []).append((dict(_LABEL.findall(match.group(2) or "")), value))
    return found


def total(metrics: dict, name: str) -> float | None:
    """Sum over engines and models, or None when there is no such metric."""
    return sum(value for _labels, value in metrics[name]) if name in metrics else None


def mean(metrics: dict, name: str) -> tuple:
    """(mean in seconds or None, count) of a histogram."""
    count = total(metrics, name + "_count") or 0
    seconds = total(metrics, name + "_sum")
    return (seconds / count if count and seconds is not None else None), int(count)


def summary(samples: list, aicore: list) -> dict:
    """The numbers that are judged, null where the server does not tell."""
    last = samples[-1].metrics
    first_token, replies = mean(last, "vllm:time_to_first_token_seconds")
    per_token = next((found for found in (mean(last, name)[0] for name in _PER_TOKEN) if found is not None), None)
    block = [labels.get("block_size") for labels, _value in last.get("vllm:cache_config_info", [])]
    rates = _rates(samples)
    used = [value for value in aicore if value is not None]
    running = [total(sample.metrics, "vllm:num_requests_running") or 0 for sample in samples]
    return {
        "replies": replies,
        "first_token_s": _rounded(first_token),
        "per_token_s": _rounded(per_token),
        "block_size": next(filter(None, block), None),
        "running": min(running),
        "tokens_per_s": [round(rate, 1) for rate in rates],
        "jitter": _rounded(_jitter(rates)),
        "aicore_pct": _rounded(sum(used) / len(used)) if used else None,
    }


def judge(name: str, seen: dict, errors: bool) -> list:
    """Findings of one server's L(summary). ``errors``: a log shows an error, so that idle NPUs have another cause."""
    found = []

    def note(entry, line):
        found.append(Finding(entry, line, Place("metrics", name), 1, (name,)))

    quick = seen["first_token_s"] is not None and seen["first_token_s"] < QUICK_FIRST_TOKEN
    slow = seen["per_token_s"] is not None and seen["per_token_s"] > SLOW_TOKEN
    if quick and slow and seen["replies"] >= LEAST_REPLIES and seen["block_size"] != BLOCK_SIZE:
        note(
            BLOCK,
            f"first token after {seen['first_token_s']} s, each further one {seen['per_token_s']} s, block size "
            f"{seen['block_size'] or 'unknown'}, {seen['replies']} replies",
        )
    if seen["jitter"] is not None and seen["jitter"] > JITTER and seen["running"] >= CONCURRENCY:
        rates = ", ".join(f"{rate:g}" for rate in seen["tokens_per_s"])
        note(BUFFER, f"{rates} tokens/s one after the other with {seen['running']:g} or more requests at once")
    low = seen["aicore_pct"] is not None and seen["aicore_pct"] < LOW_USE
    if low and seen["running"] >= 1 and not errors:
        note(IDLE, f"AICore {seen['aicore_pct']:g} % on the mean while {seen['running']:g} or more requests run")
    return found


def in_order(findings) -> list:
    """Findings of logs and metrics together: what follows from something else after what may be the cause."""
    return sorted(findings, key=lambda finding: finding.entry.rank)


def _rates(samples):
    rates = []
    for before, after in zip(samples, samples[1:]):
        tokens = [total(sample.metrics, "vllm:generation_tokens_total") for sample in (before, after)]
        # A server that was restarted counts from 0 again.
        if None not in tokens and after.at > before.at and tokens[1] >= tokens[0]:
            rates.append((tokens[1] - tokens[0]) / (after.at - before.at))
    return rates


def _jitter(rates):
    average = sum(rates) / len(rates) if rates else 0
    if len(rates) < LEAST_INTERVALS or average <= 0:
        return None
    return (sum((rate - average) ** 2 for rate in rates) / len(rates)) ** 0.5 / average


def _rounded(value):
    return None if value is None else round(value, 3)

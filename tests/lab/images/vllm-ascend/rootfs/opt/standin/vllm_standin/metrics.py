# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus text of vLLM's metrics: counters, gauges and histograms with one label set."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

TTFT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
        160.0, 640.0, 2560.0)  # fmt: skip
TOKEN_GAP = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
REQUEST = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0,
           960.0, 1920.0, 7680.0)  # fmt: skip
FINISH_REASONS = ("stop", "length", "abort")


def one_two_five(limit: int) -> tuple[float, ...]:
    """Buckets 1, 2, 5, 10, 20, 50, … up to `limit`."""
    steps = (factor * 10**power for power in range(12) for factor in (1, 2, 5))
    return tuple(float(step) for step in steps if step <= limit)


def _number(value: float) -> str:
    return repr(float(value))


class Histogram:
    """Cumulative buckets with sum and count."""

    def __init__(self, name: str, text: str, buckets: Sequence[float]) -> None:
        self.name, self.text, self._bounds = name, text, tuple(buckets)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, labels: str) -> list[str]:
        total = 0
        result = [f"# HELP {self.name} {self.text}", f"# TYPE {self.name} histogram"]
        for bound, count in zip((*self._bounds, float("inf")), self._counts):
            total += count
            edge = "+Inf" if bound == float("inf") else _number(bound)
            result.append(f'{self.name}_bucket{{{labels},le="{edge}"}} {_number(total)}')
        result.append(f"{self.name}_count{{{labels}}} {_number(total)}")
        result.append(f"{self.name}_sum{{{labels}}} {_number(self._sum)}")
        return result


class Metrics:
    """All values of one server; the server changes the attributes, `render` prints them."""

    def __init__(self, model_name: str, max_model_len: int, release: str, cache: dict[str, str]) -> None:
        """:param cache: labels of vllm:cache_config_info"""
        escaped = model_name.replace("\\", r"\\").replace('"', r"\"")
        self._model = f'model_name="{escaped}"'
        self._labels = f'engine="0",{self._model}'
        self._cache = cache
        self._old = release.startswith("0.11.")
        self.running = 0
        self.waiting = 0
        self.kv_cache_usage = 0.0
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.prefix_queries = 0
        self.prefix_hits = 0
        self.success = dict.fromkeys(FINISH_REASONS, 0)
        lengths = one_two_five(max_model_len)
        gap = "vllm:time_per_output_token_seconds" if self._old else "vllm:request_time_per_output_token_seconds"
        self.ttft = Histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", TTFT)
        self.token_gap = Histogram(
            "vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", TOKEN_GAP
        )
        self.per_token = Histogram(gap, "Histogram of time per output token in seconds.", TOKEN_GAP)
        self.e2e = Histogram("vllm:e2e_request_latency_seconds", "Histogram of E2E request latency.", REQUEST)
        self.queue = Histogram(
            "vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", REQUEST
        )
        self.prompt_length = Histogram("vllm:request_prompt_tokens", "Number of prefill tokens processed.", lengths)
        self.reply_length = Histogram(
            "vllm:request_generation_tokens", "Number of generation tokens processed.", lengths
        )

    def _gauges(self) -> list[tuple[str, str, float]]:
        rows: list[tuple[str, str, float]] = [
            ("vllm:num_requests_running", "Number of requests in model execution batches.", self.running),
            ("vllm:num_requests_waiting", "Number of requests waiting to be processed.", self.waiting),
            ("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", self.kv_cache_usage),
        ]
        if self._old:
            rows.append(("vllm:gpu_cache_usage_perc", "DEPRECATED: Use vllm:kv_cache_usage_perc", self.kv_cache_usage))
        return rows

    def _counters(self) -> list[tuple[str, str, float]]:
        return [
            ("vllm:prefix_cache_queries", "Prefix cache queries, in terms of number of queried tokens.",
             self.prefix_queries),
            ("vllm:prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.", self.prefix_hits),
            ("vllm:num_preemptions", "Cumulative number of preemption from the engine.", 0),
            ("vllm:prompt_tokens", "Number of prefill tokens processed.", self.prompt_tokens),
            ("vllm:generation_tokens", "Number of generation tokens processed.", self.generation_tokens),
        ]  # fmt: skip

    def render(self) -> str:
        """The whole page, in Prometheus' text format 0.0.4."""
        lines: list[str] = []
        for name, text, value in self._gauges():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{{{self._labels}}} {_number(value)}"]
        for name, text, value in self._counters():
            lines += [f"# HELP {name}_total {text}", f"# TYPE {name}_total counter"]
            lines.append(f"{name}_total{{{self._labels}}} {_number(value)}")
        name = "vllm:request_success_total"
        lines += [f"# HELP {name} Count of successfully processed requests.", f"# TYPE {name} counter"]
        for reason, count in self.success.items():
            lines.append(f'{name}{{engine="0",finished_reason="{reason}",{self._model}}} {_number(count)}')
        name = "vllm:cache_config_info"
        info = ",".join(f'{key}="{value}"' for key, value in sorted({**self._cache, "engine": "0"}.items()))
        lines += [f"# HELP {name} Information of the LLMEngine CacheConfig", f"# TYPE {name} gauge"]
        lines.append(f"{name}{{{info}}} 1.0")
        for histogram in (
            self.ttft, self.token_gap, self.per_token, self.e2e, self.queue, self.prompt_length, self.reply_length,
        ):  # fmt: skip
            lines += histogram.lines(self._labels)
        return "\n".join(lines) + "\n"

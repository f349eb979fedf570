# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Value types of vLLM's options, by the names the option list uses for them."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

# What is inside an `X | None` option. The option list names only the wrapper (`_optional_type`), so the
# options whose inner type is not text are written down here; names are those of vLLM's config classes.
OPTIONAL_INNER: dict[str, str] = {
    "seed": "int",
    "rope_theta": "float",
    "max_log_len": "int",
    "kv_cache_memory_bytes": "human_readable_int",
    "num_gpu_blocks_override": "int",
    "max_parallel_loading_workers": "int",
    "max_cpu_loras": "int",
    "mamba_block_size": "int",
    "kv_offloading_size": "float",
    "video_pruning_rate": "float",
    "distributed_timeout_seconds": "int",
    "cpu_distributed_timeout_seconds": "int",
    "numa_bind_nodes": "int",
    "pooler_config": "json",
    "override_pooler_config": "json",
    "mm_processor_kwargs": "json",
    "default_mm_loras": "json",
    "speculative_config": "json",
    "diffusion_config": "json",
    "quantization_config": "json",
    "kv_transfer_config": "json",
    "kv_events_config": "json",
    "ec_transfer_config": "json",
    "reasoning_config": "json",
    "weight_transfer_config": "json",
}

_SUFFIX = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def human_readable_int(text: str) -> int:
    """`1k` is 1000, `1K` is 1024, `25.6k` is 25600; binary suffixes take whole numbers only."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgGtT])", text.strip())
    if not match:
        return int(text)
    number, suffix = match.groups()
    if suffix.isupper() and "." in number:
        raise ArgumentTypeError(
            f"Decimals are not allowed with binary suffixes like {suffix}. "
            f"Did you mean to use {number}{suffix.lower()} instead?"
        )
    return int(float(number) * _SUFFIX[suffix])


def human_readable_int_or_auto(text: str) -> int:
    """As human_readable_int; `auto` and `-1` mean "find out"."""
    return -1 if text.strip().lower() in ("-1", "auto") else human_readable_int(text)


def json_object(text: str) -> Any:
    """A JSON value; anything else is refused."""
    return json.loads(text)


def config_object(text: str) -> dict[str, Any]:
    """A JSON object, or a bare number (the short form of the compilation level)."""
    value = json.loads(text)
    if not isinstance(value, (dict, int)) or isinstance(value, bool):
        raise ArgumentTypeError(f"Value {text} cannot be converted to <class 'dict'>.")
    return value if isinstance(value, dict) else {"level": value}


def union_dict_and_str(text: str) -> Any:
    """Text in braces is JSON, all other text stands for itself."""
    return _convert(json.loads, text) if re.fullmatch(r"(?s)\s*{.*}\s*", text) else text


def lenient_name(text: str) -> str:
    """Backend names: upper case and dashes are the same as lower case and underscores."""
    return text.strip().lower().replace("-", "_")


def _convert(inner: Callable[[str], Any], text: str) -> Any:
    try:
        return inner(text)
    except ValueError as error:
        raise ArgumentTypeError(f"Value {text} cannot be converted to {inner}.") from error


def optional(inner: Callable[[str], Any]) -> Callable[[str], Any]:
    """`None` and the empty text are None, everything else goes through `inner`."""

    def parse(text: str) -> Any:
        return None if text in ("", "None") else _convert(inner, text)

    parse.__name__ = "optional_type"
    return parse


def parsed(inner: Callable[[str], Any]) -> Callable[[str], Any]:
    """Like `inner`, with vLLM's wording when the text cannot be converted."""

    def parse(text: str) -> Any:
        return _convert(inner, text)

    parse.__name__ = "parse_type"
    return parse


_BY_NAME: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "json": json_object,
    "loads": json.loads,
    "_parse_type": parsed(json.loads),
    "parse_dataclass": config_object,
    "union_dict_and_str": union_dict_and_str,
    "human_readable_int": human_readable_int,
    "human_readable_int_or_auto": human_readable_int_or_auto,
    "<lambda>": lenient_name,
}


def value_type(name: str | None, dest: str) -> Callable[[str], Any] | None:
    """The function that turns an option's text into its value.

    :param name: the option list's `type`, None for plain text
    :param dest: the option's destination (the inner type of optional values depends on it)
    :raises KeyError: for a type this module does not know; a new release's list then needs a new entry
    """
    if name is None:
        return None
    if name == "_optional_type":
        return optional(_BY_NAME[OPTIONAL_INNER.get(dest, "str")])
    return _BY_NAME[name]

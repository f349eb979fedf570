# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came in the place of options that vLLM dropped. In which release they went is said by its option lists.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from typing import NamedTuple


class Replaced(NamedTuple):
    """``remedy`` is what to do; ``source`` a change of github.com/vllm-project/vllm, or ``lists``: the successor
    stands in the option lists from the release on in which this one is gone, under the name that says the same."""

    remedy: str
    source: str


_EPLB = "write it into eplb_config, as {{{}: …}}"
_STRUCTURED = "write it into structured_outputs_config, as {{{}: …}}"
_NO_SWAP = "leave it out: the engine has no swap space any more, and preempted requests are computed anew"
_PREFILLS = "leave it out: it never had an effect; long_prefill_token_threshold bounds what a prompt takes of a step"

REPLACED = {
    "disable_log_requests": Replaced(
        "leave it out: requests are only logged with enable_log_requests: true, which replaced it", "#21739"
    ),
    "task": Replaced("write runner (generate, pooling) and, for adapted models, convert instead", "#21470"),
    "enable_reasoning": Replaced("leave it out: reasoning_parser alone turns it on", "#17452"),
    "guided_decoding_backend": Replaced(_STRUCTURED.format("backend"), "#22772"),
    "guided_decoding_disable_fallback": Replaced(_STRUCTURED.format("disable_fallback"), "#22772"),
    "guided_decoding_disable_any_whitespace": Replaced(_STRUCTURED.format("disable_any_whitespace"), "#22772"),
    "guided_decoding_disable_additional_properties": Replaced(
        _STRUCTURED.format("disable_additional_properties"), "#22772"
    ),
    "num_redundant_experts": Replaced(_EPLB.format("num_redundant_experts"), "#20562"),
    "eplb_window_size": Replaced(_EPLB.format("window_size"), "#20562"),
    "eplb_step_interval": Replaced(_EPLB.format("step_interval"), "#20562"),
    "eplb_log_balancedness": Replaced(_EPLB.format("log_balancedness"), "#20562"),
    "rope_scaling": Replaced("write it into hf_overrides, as {rope_parameters: {…}}", "#28006"),
    "rope_theta": Replaced("write it into hf_overrides, as {rope_parameters: {rope_theta: …}}", "#28006"),
    "cuda_graph_sizes": Replaced(
        "write cudagraph_capture_sizes for a list, or max_cudagraph_capture_size for one number", "#26016"
    ),
    "override_pooler_config": Replaced("write pooler_config", "lists"),
    "disable_mm_preprocessor_cache": Replaced("write mm_processor_cache_gb: 0", "lists"),
    "enable_multimodal_encoder_data_parallel": Replaced("write mm_encoder_tp_mode: data", "lists"),
    "num_lookahead_slots": Replaced("write num_speculative_tokens into speculative_config", "#29000"),
    "swap_space": Replaced(_NO_SWAP, "#36216"),
    "logits_processor_pattern": Replaced("leave it out: requests bring no logits processors any more", "#34400"),
    "disable_frontend_multiprocessing": Replaced("leave it out: the engine always has its own process", "#37612"),
    "calculate_kv_scales": Replaced("leave it out: scales come from the checkpoint, or are 1.0", "#49389"),
    "max_num_partial_prefills": Replaced(_PREFILLS, "#49075"),
    "max_long_partial_prefills": Replaced(_PREFILLS, "#49075"),
    "lora_extra_vocab_size": Replaced("leave it out: adapters share the vocabulary of the model", "#23540"),
}

__all__ = ["REPLACED", "Replaced"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known failures: HBM, graphs and the engine itself. Data only, see L(Entry).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._diagnose_types import HARMLESS, LATE, Entry

ENTRIES = (
    Entry(
        "free-mem",
        r"Free memory on device \([\d.]+/[\d.]+ GiB\) on startup is less than desired GPU memory utilization",
        (" GiB) on startup is less than desired GPU memory utilization",),
        "Other processes (left-over workers, other containers) hold HBM.",
        "Stop leftovers (`npu-smi info -t proc-mem`, VLLM::Worker/EngineCore), or lower --gpu-memory-utilization.",
        (
            "vllm-ascend#8621",
            "vllm-ascend#4404",
            "vllm_ascend/worker/worker.py _init_device",
        ),
    ),
    Entry(
        "npu-oom",
        r"NPU out of memory\. Tried to allocate",
        ("NPU out of memory. Tried to allocate",),
        "Model+activations+fragmentation exceed HBM.",
        "Lower --max-model-len/--max-num-seqs/--gpu-memory-utilization, more TP, W8A8; keep "
        "PYTORCH_NPU_ALLOC_CONF=expandable_segments:True (set by the plugin by default).",
        (
            "vllm-ascend#1127",
            "vllm-ascend#1987",
            "vllm-ascend#5020",
            "faqs.md Q12",
        ),
    ),
    Entry(
        "neg-kv",
        r"Available KV cache memory: -[\d.]+ GiB|No available memory for the cache blocks",
        (
            "Available KV cache memory: -",
            "No available memory for the cache blocks",
        ),
        "Weights take all of gpu_memory_utilization * HBM.",
        "Raise --gpu-memory-utilization, more TP/PP, quantise, or smaller model.",
        (
            "vllm-ascend#9372",
            "vllm/v1/core/kv_cache_utils.py:720 (0.23.0)",
        ),
    ),
    Entry(
        "kv-too-small",
        r"To serve at least one request with the model's max seq len \(\d+\), \([\d.]+ GiB KV",
        ("To serve at least one request with the model's max seq len (",),
        "max_model_len does not fit the KV budget.",
        "Lower --max-model-len to the estimated maximum printed in the message, or raise gpu-memory-utilization.",
        ("vllm/v1/core/kv_cache_utils.py:740 (0.23.0)",),
    ),
    Entry(
        "mem-profile-race",
        r"Error in memory profiling\. Initial free memory",
        ("Error in memory profiling. Initial free memory",),
        "Another process freed/allocated HBM during profiling (parallel instance starts on the same chip).",
        "Start instances one at a time; isolate chips.",
        ("vllm_ascend/worker/worker.py determine_available_memory",),
    ),
    Entry(
        "graph-streams",
        (
            r"error code is 20700[58]|Stream resources are "
            r"insufficient|Insufficient_Stream_Resources\(EL0009\)|Alloc sq cq fail|stream wait event failed, "
            r"runtime result = 207005"
        ),
        (
            "error code is 20700",
            "Stream resources are insufficient",
            "Insufficient_Stream_Resources(EL0009)",
            "Alloc sq cq fail",
            "stream wait event failed, runtime result = 207005",
        ),
        "ACL graph capture ran out of streams (old HDK/CANN stream budget, many capture sizes).",
        "HDK >= 25.5.1 and CANN >= 8.5.0; fewer --cudagraph-capture-sizes / max_cudagraph_capture_size; "
        "cudagraph_mode FULL_DECODE_ONLY; --enforce-eager to confirm.",
        (
            "faqs.md Q17",
            "vllm-ascend#9691",
            "vllm-ascend#9564",
            "vllm-ascend#9596",
            "vllm-ascend#8393",
            "vllm-ascend#3869",
            "vllm-ascend#2629",
        ),
    ),
    Entry(
        "mla-heads",
        r"MLA only support \{32, 64, 128\}",
        ("MLA only support {32, 64, 128}",),
        "TP splits DeepSeek MLA heads to an unsupported number in graph mode.",
        "Choose TP so that num_heads/TP is 32/64/128, or eager mode.",
        ("faqs.md Q13",),
    ),
    Entry(
        "alloc-conf-sleep",
        r"FRACTAL_NZ mode is enabled\.",
        ("FRACTAL_NZ mode is enabled.",),
        "Sleep/wake or weight transfer with NZ weights.",
        '--additional-config \'{"rl_config": {"enabled": true}}\' or weight_nz_mode=0; no '
        "expandable_segments with sleep mode.",
        (
            "vllm_ascend/worker/worker.py wake_up",
            "sleep_mode.md",
        ),
    ),
    Entry(
        "exit-noise",
        r"Engine core proc EngineCore died unexpectedly, shutting down client",
        ("Engine core proc EngineCore died unexpectedly, shutting down client",),
        "Printed at normal exit of offline inference; at run time it means the engine died (look above it).",
        "Ignore after 'Shutdown complete'; otherwise read the first ERROR of the EngineCore/Worker.",
        ("installation.md 'Verify installation'",),
        rank=LATE,
    ),
    Entry(
        "rtmemcpy-107030",
        r"rtMemcpy.{0,40}107030",
        ("rtMemcpy",),
        "Harmless plog noise of mla_preprocess/batch_matmul_transpose in graph mode.",
        "Ignore.",
        (
            "vllm-ascend#14347",
            "release_notes v0.23.0",
        ),
        rank=HARMLESS,
    ),
)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM's CPU platform under the name of an NPU: what vllm-ascend is to the real image, for the lab's emulated chips.

Ray is asked for ``NPU``, every worker opens its chip through the driver's library, and ranks on different nodes talk
through gloo. The computing is vLLM's own, on the CPU.
"""

from __future__ import annotations

import os
import socket

from vllm.platforms.cpu import CpuPlatform

KV_CACHE_BYTES = 64 << 20  # a thousand times what the tiny model needs; vLLM's own choice is most of the machine


def register() -> str:
    """Entry point of the group ``vllm.platform_plugins``: the platform's class, by name."""
    return f"{__name__}.LabNpuPlatform"


class LabNpuPlatform(CpuPlatform):
    """An NPU to Ray and to the operator, a CPU to torch."""

    device_name = "npu"
    ray_device_key = "NPU"
    device_control_env_var = "ASCEND_RT_VISIBLE_DEVICES"
    simple_compile_backend = "eager"  # inductor would need a C++ compiler
    ray_noset_device_env_vars = ("RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES",)

    @classmethod
    def pre_register_and_update(cls, parser=None) -> None:
        """Let ``--quantization ascend`` in, before the command line is read."""
        from npuops_lab_npu_worker import register_quantization

        register_quantization()
        action = (parser._option_string_actions if parser else {}).get("--quantization")
        if action is not None and action.choices and "ascend" not in action.choices:
            action.choices = [*action.choices, "ascend"]

    @classmethod
    def check_and_update_config(cls, vllm_config) -> None:
        if vllm_config.parallel_config.worker_cls == "auto":
            vllm_config.parallel_config.worker_cls = "npuops_lab_npu_worker.LabNpuWorker"
        cache = vllm_config.cache_config
        if cache.kv_cache_memory_bytes is None and not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
            cache.kv_cache_memory_bytes = KV_CACHE_BYTES
        super().check_and_update_config(vllm_config)

    @classmethod
    def get_device_communicator_cls(cls) -> str:
        return "npuops_lab_npu_worker.LabNpuCommunicator"

    @classmethod
    def get_device_name(cls, device_id: int = 0) -> str:
        return f"{cls.device_name} of {socket.gethostname()}"

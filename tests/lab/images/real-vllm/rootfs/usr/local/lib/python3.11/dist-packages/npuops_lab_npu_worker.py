# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker, the communicator and the quantization of the lab's platform; see npuops_lab_npu."""

from __future__ import annotations

import os
import re
import socket
import sys

from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator
from vllm.model_executor.layers.linear import LinearBase, UnquantizedLinearMethod
from vllm.model_executor.layers.quantization import register_quantization_config
from vllm.model_executor.layers.quantization.base_config import QuantizationConfig
from vllm.v1.worker.cpu_worker import CPUWorker

DRIVER_LIB = "/usr/local/Ascend/driver/lib64"
USABLE_HBM = 0.9527  # torch_npu sees less than npu-smi: logs of 64 GB chips say 60.96 to 61.27 GiB in all


def open_npu(logic_id: int, utilization: float):
    """Open a chip and take its share of HBM. A logic id is a place among the /dev/davinciN this container has.

    The driver's library is a directory mounted from the node, as with the real libascend_hal.so.
    """
    if DRIVER_LIB not in sys.path:
        sys.path.insert(0, DRIVER_LIB)
    from npusim.device import open_device

    names = (re.fullmatch(r"davinci(\d+)", name) for name in os.listdir("/dev"))
    found = sorted(int(name[1]) for name in names if name)
    if logic_id >= len(found):
        raise RuntimeError(f"aclrtSetDevice({logic_id}), error code is 107001: the container has {len(found)} NPUs")
    device = open_device(found[logic_id])
    usable = int(device.hbm_total_mb * USABLE_HBM)
    free, wanted = min(device.hbm_free_mb, usable), int(usable * utilization)
    if free < wanted:
        device.close()
        raise ValueError(
            f"Free memory on device ({free / 1024:.2f}/{usable / 1024:.2f} GiB) on startup is less than desired GPU "
            f"memory utilization ({utilization}, {wanted / 1024:.2f} GiB). Decrease GPU memory utilization or reduce "
            "GPU memory used by other processes."
        )
    device.allocate(wanted)
    return device


class LabNpuWorker(CPUWorker):
    """vLLM's CPU worker, which holds a chip for as long as its process lives."""

    def init_device(self) -> None:
        assigned = self.parallel_config.assigned_physical_gpu_ids  # set where Ray has chosen; else the ranks count
        visible = os.environ.get("ASCEND_RT_VISIBLE_DEVICES", "")
        ids = assigned or [int(word) for word in visible.split(",") if word] or range(self.local_rank + 1)
        self.npu = open_npu(ids[self.local_rank], self.cache_config.gpu_memory_utilization)
        super().init_device()

    def determine_available_memory(self) -> int:
        # Later stages of a pipeline get the tensors they receive into in this pass, left out with --enforce-eager.
        if self.parallel_config.pipeline_parallel_size > 1:
            self.model_runner.profile_run()
        return super().determine_available_memory()


class LabNpuCommunicator(CpuCommunicator):
    """Shared memory within a node, gloo between nodes: vLLM tells them by a port number, which is the same on all."""

    def _all_group_ranks_share_shm_group_name(self) -> bool:
        import torch.distributed

        hosts = [None] * self.world_size
        torch.distributed.all_gather_object(hosts, socket.gethostname(), group=self.device_group)
        return len(set(hosts)) == 1 and super()._all_group_ranks_share_shm_group_name()


class AscendConfig(QuantizationConfig):
    """``--quantization ascend``: read from ModelSlim's description as vllm-ascend does; all layers must be FLOAT."""

    def get_name(self) -> str:
        return "ascend"

    def get_supported_act_dtypes(self) -> list:
        import torch

        return [torch.bfloat16, torch.float16, torch.float32]

    @classmethod
    def get_min_capability(cls) -> int:
        return 0

    @staticmethod
    def get_config_filenames() -> list[str]:
        return ["quant_model_description.json"]

    @classmethod
    def from_config(cls, config: dict) -> AscendConfig:
        kinds = {value for value in config.values() if isinstance(value, str)}
        if kinds - {"FLOAT"}:
            raise ValueError(f"the lab's NPU computes FLOAT, not {', '.join(sorted(kinds - {'FLOAT'}))}")
        return cls()

    def get_quant_method(self, layer, prefix: str):
        return UnquantizedLinearMethod() if isinstance(layer, LinearBase) else None


def register_quantization() -> None:
    register_quantization_config("ascend")(AscendConfig)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What quantized weights mean for the arguments of a vLLM service.

vLLM-Ascend takes weights of ModelSlim (C(quant_model_description.json)) with C(--quantization ascend), and those of
llm-compressor without a flag (supported_quantization in its platform.py; user guide, quantization). What was quantized
for CUDA's kernels it does not load; FP8 needs Ascend 950 (github.com/vllm-project/vllm-ascend #1526).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._npu_model import family

ASCEND = "ascend"
# Methods of which not a kernel exists on NPUs. A method that is in neither list is vLLM-Ascend's to judge.
OF_CUDA = (
    "aqlm",
    "auto-round",
    "awq",
    "awq_marlin",
    "bitblas",
    "bitsandbytes",
    "deepspeedfp",
    "eetq",
    "exl2",
    "experts_int8",
    "fbgemm_fp8",
    "fp8",
    "fp_quant",
    "gptq",
    "gptq_bitblas",
    "gptq_marlin",
    "gptq_marlin_24",
    "higgs",
    "hqq",
    "marlin",
    "modelopt",
    "modelopt_fp4",
    "moe_wna16",
    "mxfp4",
    "nvfp4",
    "petit_nvfp4",
    "ptpc_fp8",
    "qqq",
    "quip",
    "rtn",
    "squeezellm",
    "torchao",
    "vptq",
)
_OF_950 = ("fp8", "mxfp4")
_REMEDY = "take the model in BF16, or as W8A8 of ModelSlim (vllm-ascend/… and Eco-Tech/… on ModelScope)"


def told_by_weights(service, model):
    """The arguments of a placed service with what its weights ask for.

    :arg model: what M(model_info) read of it, or an empty mapping.
    :returns: (args, (problem, remedy) or None).
    """
    args, said = service["args"], service["args"].get("quantization")
    if model.get("quant_model_description"):
        if "quantization" not in args:
            return {**args, "quantization": ASCEND}, None
        if said not in (None, ASCEND):
            return args, (
                f"args.quantization is {said}, and the weights are quantized by ModelSlim "
                f"({model.get('quantization') or 'quant_model_description.json'})",
                "leave it out",
            )
        return args, None
    method = model.get("quantization") or said
    name = str(method).lower() if method else None
    if name in OF_CUDA and not (name in _OF_950 and _is_950(service)):
        where = "config.json of the model says" if model.get("quantization") else "args.quantization is"
        return args, (f"{where} {method}, which is quantized for CUDA and cannot be loaded on NPUs", _REMEDY)
    if said == ASCEND and model.get("quantization") is None and model.get("weights_bytes"):
        return args, (
            "args.quantization is ascend, and the model has no quant_model_description.json",
            "leave it out, or take the weights that ModelSlim has quantized",
        )
    return args, None


def _is_950(service):
    found = family(service["chip"])
    return found is not None and found.name == "950"


__all__ = ["ASCEND", "OF_CUDA", "told_by_weights"]

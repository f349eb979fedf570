# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known failures: versions, libraries, packages, model files and their formats. Data only, see L(Entry).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._diagnose_types import FOLLOWS, Entry

ENTRIES = (
    Entry(
        "soc-mismatch",
        r"Current device type: .* does not match the installed version's device type",
        (" does not match the installed version's device type",),
        "The wheel or image was built for another SoC family. PyPI wheels carry __device_type__='A2'.",
        "Use the image suffix of the SoC (A2 none, A3 -a3, 310P -310p, 950 -a5/-950dt) or the huaweicloud "
        "'variant' pip index or a source build with SOC_VERSION.",
        (
            "vllm-ascend#11160",
            "vllm-ascend#6206",
            "vllm-ascend#9799",
            "vllm_ascend/device/device_config.py:74",
        ),
    ),
    Entry(
        "soc-bin-mismatch",
        r"the socversion \S+ of bin package does not match the current device socverison \S+",
        (" of bin package does not match the current device socverison ",),
        "CANN ops/custom-op package built for another SoC (A2 image or wheel on 310P).",
        "Use the -310p image (or install the 310p ops package and build with SOC_VERSION=ascend310p1).",
        (
            "vllm-ascend#6676",
            "vllm-ascend#2725",
            "vllm-ascend#5599",
        ),
    ),
    Entry(
        "soc-unknown",
        r"(Cannot support runtime soc_version|Can not support soc_version): \d+",
        (
            "not support runtime soc_version",
            " not support soc_version",
        ),
        "SoC not supported by this release (e.g. 910A, 310B, or 950 on an old release).",
        "Use a release that lists the SoC.",
        (
            "vllm_ascend/device/hardware.py:75",
            "vllm-ascend#13086",
            "faqs.md Q1",
        ),
    ),
    Entry(
        "soc-build-env",
        (
            r"Please set the 'SOC_VERSION' environment variable|Unable to recognize chip name: .*manually set "
            r"env SOC_VERSION"
        ),
        (
            "Please set the 'SOC_VERSION' environment variable",
            "Unable to recognize chip name: ",
        ),
        "Source build without a visible NPU.",
        "export SOC_VERSION=ascend910b1 (A2) / ascend910_9391 (A3) / ascend310p1 (310P) / ascend950... "
        "(950) before pip install.",
        (
            "setup.py:125,141-151 @182b75ea84",
            "faqs.md Q21",
        ),
    ),
    Entry(
        "infer-device",
        r"Failed to infer device type",
        ("Failed to infer device type",),
        "The ascend platform plugin failed to import (usually torch_npu cannot load: CANN/NNAL env not "
        "sourced, or version mismatch).",
        "source ascend-toolkit/set_env.sh and nnal/atb/set_env.sh, check `npu-smi info`, then `python -c "
        "'import torch, torch_npu, vllm'` and read the first error.",
        (
            "faqs.md Q6",
            "vllm-ascend#130",
            "vllm-ascend#262",
            "vllm-ascend#540",
        ),
        rank=FOLLOWS,
    ),
    Entry(
        "libatb",
        r"libatb\.so: cannot open shared object file",
        ("libatb.so: cannot open shared object file",),
        "NNAL (ATB) not installed or its set_env.sh not sourced (typical for `docker exec` with a "
        "non-login shell or a hand-built env).",
        "Install Ascend-cann-nnal of the same CANN version; source /usr/local/Ascend/nnal/atb/set_env.sh; "
        "run services with `bash -lc`.",
        (
            "faqs.md Q6",
            "vllm-ascend#152",
            "vllm-ascend#10525",
        ),
    ),
    Entry(
        "libhccl",
        r"libhccl\.so: cannot open shared object file",
        ("libhccl.so: cannot open shared object file",),
        "CANN toolkit env not sourced.",
        "source /usr/local/Ascend/ascend-toolkit/set_env.sh.",
        ("vllm-ascend#262",),
    ),
    Entry(
        "ascend-hal",
        r"libascend_hal\.so: cannot open shared object file|Can't get ascend_hal device count",
        (
            "libascend_hal.so: cannot open shared object file",
            "Can't get ascend_hal device count",
        ),
        "Driver libs not mounted into the container, or the device files are not readable (user/capabilities).",
        "Mount /usr/local/Ascend/driver/lib64 (+ version.info); run as root or a user in the group that "
        "owns /dev/davinci*; with cap-drop ALL add DAC_OVERRIDE.",
        (
            "Project-HAMi/ascend-device-plugin#139 (same driver behaviour)",
            "Dockerfile comment 'Append libascend_hal.so path (devlib) to LD_LIBRARY_PATH'",
        ),
    ),
    Entry(
        "torch-npu-symbol",
        r"undefined symbol: _ZN3atb|libtorch_npu\.so: undefined symbol",
        (
            "undefined symbol: _ZN3atb",
            "libtorch_npu.so: undefined symbol",
        ),
        "torch_npu does not match the installed CANN/NNAL.",
        "Use one row of the release table of vllm-ascend (CANN, torch, torch_npu, triton-ascend together).",
        (
            "vllm-ascend#117",
            "versioning_policy.md",
        ),
    ),
    Entry(
        "torch-npu-missing-attr",
        r"module 'torch_npu' has no attribute 'npu_\w+'",
        ("module 'torch_npu' has no attribute 'npu_",),
        "torch_npu older than this vllm-ascend needs.",
        "Install the torch_npu of the matrix row (some post versions only exist on "
        "mirrors.huaweicloud.com/ascend/repos/pypi).",
        (
            "vllm-ascend#130",
            "vllm-ascend#143",
        ),
    ),
    Entry(
        "torch-npu-dist",
        r"No matching distribution found for torch-npu==",
        ("No matching distribution found for torch-npu==",),
        "Dev/post torch_npu is not on PyPI.",
        "Add --extra-index-url https://mirrors.huaweicloud.com/ascend/repos/pypi (and "
        "download.pytorch.org/whl/cpu on x86).",
        (
            "vllm-ascend#1901",
            "vllm-ascend#1796",
            "vllm-ascend#2624",
            "installation.md",
        ),
    ),
    Entry(
        "torch-cpu-conflict",
        r"depends on torch==\S+\+cpu",
        ("depends on torch==",),
        "x86 host: torch and torch+cpu treated as different versions.",
        "x86: pip config global.extra-index-url https://download.pytorch.org/whl/cpu/.",
        (
            "vllm-ascend#7089",
            "vllm-ascend#1411",
            "vllm-ascend#5710",
        ),
    ),
    Entry(
        "invalid-version",
        r"InvalidVersion: ",
        ("InvalidVersion: ",),
        "vLLM installed from source/editable has a dev version string.",
        "export VLLM_VERSION=X.Y.Z matching the installed vLLM.",
        ("faqs.md Q11",),
    ),
    Entry(
        "triton-target-info",
        r"No module named 'triton\.language\.target_info'",
        ("No module named 'triton.language.target_info'",),
        "Upstream triton and triton-ascend share a directory; one overwrote the other (x86 pulls triton "
        "through vllm/xgrammar), or triton-ascend too old.",
        "pip uninstall -y triton triton-ascend && pip install triton-ascend==<matrix row>; on 310P "
        "uninstall both and do not reinstall.",
        (
            "vllm-ascend#6394",
            "vllm-ascend#11681",
            "vllm-ascend#7359",
            "vllm-ascend#7497",
            "vllm-ascend#7790",
            "triton-lang/triton-ascend#306",
        ),
    ),
    Entry(
        "wheel-glibc",
        r"is not a supported wheel on this platform",
        ("is not a supported wheel on this platform",),
        "PyPI wheels from v0.23.0rc1 are manylinux_2_34 (glibc>=2.34); 0.23.0.post1 is sdist only.",
        "Use the container image, or a host with glibc >= 2.34.",
        ("PyPI resolution observed 2026-11-22",),
        inferred=True,
    ),
    Entry(
        "trust-remote",
        r"Could not locate the configuration_\w+\.py",
        ("Could not locate the configuration_",),
        "Quantised directory misses the model's python files.",
        "Copy configuration_*.py from the original repo.",
        ("vllm-ascend#619",),
    ),
    Entry(
        "hf-connect",
        r"We couldn't connect to 'https://huggingface\.co'",
        ("We couldn't connect to 'https://huggingface.co'",),
        "No access to HF.",
        "VLLM_USE_MODELSCOPE=True + pip install modelscope, or local path with HF_HUB_OFFLINE=1.",
        ("installation.md 'Verify installation'",),
    ),
    Entry(
        "audio-dep",
        r"Please install vllm\[audio\] for audio support|No module named 'librosa'",
        (
            "Please install vllm[audio] for audio support",
            "No module named 'librosa'",
        ),
        "Missing audio deps.",
        "pip install qwen-omni-utils (images install vllm[audio]).",
        ("faqs.md Q16",),
    ),
    Entry(
        "safetensors-trunc",
        r"Error while deserializing header: (MetadataIncompleteBuffer|HeaderTooLarge|InvalidHeader)",
        ("Error while deserializing header: ",),
        "A shard is truncated (partial download or copy).",
        "Re-download; verify sizes against model.safetensors.index.json and sha256 from the hub.",
        (
            "vllm-project/vllm#15445",
            "QwenLM/Qwen3-VL#264",
            "gpustack#815",
        ),
    ),
    Entry(
        "quant-keyerror",
        r"KeyError: '(model|visual|language_model)\.\S+\.weight'",
        ("KeyError: '",),
        "--quantization ascend with a checkpoint whose quant_model_description.json lacks the layer (or "
        "FP8/other checkpoint treated as ascend).",
        "Use weights made by msmodelslim for this architecture; do not pass --quantization ascend for "
        "llm-compressor or BF16 weights.",
        (
            "vllm-ascend#619",
            "vllm-ascend#580",
            "vllm-ascend#4313",
        ),
    ),
    Entry(
        "quant-none",
        r"There is no available ascend quantizer",
        ("There is no available ascend quantizer",),
        "w8a8 on a release without the quantizer (old 0.7/0.8 + missing mindie-turbo).",
        "Use >= v0.8.4rc2/0.9.x or install mindie-turbo for 0.7.3.",
        (
            "vllm-ascend#633",
            "vllm-ascend#1329",
        ),
    ),
    Entry(
        "quant-fp16",
        r"aclnnQuantMatmulWeightNz failed, error code is 161002|Tensor scale not implemented for DT_FLOAT16",
        (
            "aclnnQuantMatmulWeightNz failed, error code is 161002",
            "Tensor scale not implemented for DT_FLOAT16",
        ),
        "W8A8 weights run with --dtype float16 on A2/A3.",
        "--dtype bfloat16 (A2/A3).",
        ("vllm-ascend#12907",),
    ),
    Entry(
        "bf16-310p",
        r"not implemented for DT_BFLOAT16|Io input dtype or format is not supported.*DT_BFLOAT16",
        (
            "not implemented for DT_BFLOAT16",
            "Io input dtype or format is not supported",
        ),
        "310P (and 910A) have no BF16.",
        "--dtype float16 (310P).",
        (
            "vllm-ascend#9294",
            "vllm-ascend#6490",
            "Qwen3-Dense.md 310P",
        ),
    ),
    Entry(
        "mooncake-so",
        r"ascend_transport\.so: cannot open shared object file",
        ("ascend_transport.so: cannot open shared object file",),
        "Mooncake libs not on the path.",
        "export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/usr/local/lib (image ~/.bashrc does it; non-login shells do not).",
        ("vllm-ascend#6949",),
    ),
    Entry(
        "mooncake-missing",
        r"Please install mooncake by following the instructions",
        ("Please install mooncake by following the instructions",),
        "Mooncake not installed.",
        "Images include it since v0.23 line (0.3.11.post1); otherwise pip install mooncake-transfer-engine-npu.",
        (
            "vllm_ascend/distributed/kv_transfer/utils/mooncake_transfer_engine.py:19",
            "Dockerfile",
        ),
    ),
)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known failures: devices, driver, containers and the node under them. Data only, see L(Entry).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._diagnose_types import FOLLOWS, Entry

ENTRIES = (
    Entry(
        "dcmi-8005",
        r"dcmi module initialize failed\. ret is -8005",
        ("dcmi module initialize failed. ret is -8005",),
        "Device occupied by another container, or device files not accessible in this container (user/capabilities).",
        "Free the card (one container per chip unless privileged/vNPU); check device nodes & permissions; "
        "some users needed --privileged.",
        (
            "vllm-ascend#2698",
            "Project-HAMi/ascend-device-plugin#139",
            "vllm-ascend#23",
        ),
    ),
    Entry(
        "dcmi-8020",
        r"dcmi model initialized failed, because the device is used\. ret is -8020",
        ("dcmi model initialized failed, because the device is used. ret is -8020",),
        "The card is already used by another container (first container owns it).",
        "Stop the other container or choose another card.",
        (
            "vllm-ascend#632",
            "Ascend/cann-container-image#46",
        ),
    ),
    Entry(
        "set-device",
        (
            r"(?:SetPrecisionMode|[sS]etDevice).*(?:error code is (?!0\b)|ret=(?!0\b))|rtSetDevice:ErrCode=|"
            r"open device \d+ failed, runtime result = "
        ),
        ("SetPrecisionMode", "etDevice", "failed, runtime result = "),
        "NPU runtime could not be initialised: driver/CANN mismatch, wrong device id, or device busy.",
        "Run npu-smi in the container; compare the HDK with the CANN of the image (module compatibility); "
        "check ASCEND_RT_VISIBLE_DEVICES indexes are container-relative.",
        (
            "vllm-ascend#564",
            "vllm-ascend#302",
        ),
        rank=FOLLOWS,
        inferred=True,
    ),
    Entry(
        "hdk-cann",
        r"driver version.{0,40}(mismatch|not match|inconsisten)",
        ("driver version",),
        "HDK outside the CANN compatibility list (e.g. CANN 9.1.X does not support HDK 25.0.X).",
        "Upgrade the HDK, or choose the release whose CANN accepts the installed HDK.",
        (
            "hiascend CANN 9.1.0 release notes",
            "vllm-ascend#3190",
        ),
        inferred=True,
    ),
    Entry(
        "hook-write-perm",
        r"failed to do file mounting|Please check the write permission!",
        (
            "failed to do file mounting",
            "Please check the write permission!",
        ),
        "Ascend Docker Runtime prestart hook fails to mount driver files into the container (e.g. path "
        "exists read-only in the image or was mounted twice).",
        "Do not mix -v driver mounts with ascend runtime auto mounts; check runtime log.",
        ("google-deepmind/alphafold#1073 (verbatim OCI error on Ascend runtime)",),
        inferred=True,
    ),
    Entry(
        "shm-perm",
        r"(?:docker: |OCI runtime |runc |shm).*operation not permitted",
        ("operation not permitted",),
        "docker run --shm-size on some hosts.",
        "docs suggest --privileged=true (security risk); first check runtime/SELinux.",
        ("faqs.md Q20",),
        rank=FOLLOWS,
    ),
    Entry(
        "new-thread",
        r"can't start new thread|pthread_create failed.*Operation not permitted",
        (
            "can't start new thread",
            "pthread_create failed",
        ),
        "Old docker/libseccomp blocks clone3 used by the image's glibc; or pids limit.",
        "Upgrade docker (>= 20.10.10) / libseccomp, raise --pids-limit; last resort --security-opt seccomp=unconfined.",
        (
            "vllm-ascend#10912 (symptom)",
            "docker-library/python#835 (docker 20.10.7)",
        ),
        inferred=True,
    ),
    Entry(
        "tar-header",
        r"archive/tar: invalid tar header",
        ("archive/tar: invalid tar header",),
        "docker pull on Kylin and similar.",
        "Pull+save on another host with `--platform linux/arm64`, then docker load.",
        ("faqs.md Q19",),
    ),
    Entry(
        "no-space-shm",
        (
            r"No space left on device: '/dev/shm|OSError: \[Errno 28\].*psm_|\bbus error\b|Bus error \(core "
            r"dumped\)|killed by signal: Bus error|Fatal Python error: Bus error"
        ),
        (
            "No space left on device: '/dev/shm",
            "OSError: [Errno 28]",
            "bus error",
            "Bus error (core dumped)",
            "killed by signal: Bus error",
            "Fatal Python error: Bus error",
        ),
        "/dev/shm too small (docker default 64M; docs use --shm-size=1g..512g).",
        "--shm-size >= 1g (docs), larger for multimodal/Ray object store.",
        (
            "installation.md (1g)",
            "Qwen3-VL-30B-A3B-Instruct.md (512g)",
        ),
        inferred=True,
    ),
    Entry(
        "jemalloc",
        r"object '.*libjemalloc\.so\.2' from LD_PRELOAD cannot be preloaded",
        ("libjemalloc.so.2' from LD_PRELOAD cannot be preloaded",),
        "Ubuntu and openEuler have different jemalloc paths.",
        "Ubuntu /usr/lib/<arch>-linux-gnu/libjemalloc.so.2, openEuler /usr/lib64/libjemalloc.so.2; test -f first.",
        (
            "Dockerfile vs Dockerfile.openEuler @182b75ea84",
            "Dots3-Note.md 4.3",
        ),
    ),
    Entry(
        "cpu-bind",
        (
            r"Can not get running npu info\.|Insufficient CPUs for binding with CPU role reservations|CPUs "
            r"available in 'Cpus_allowed_list' conflict with NUMA affinity"
        ),
        (
            "Can not get running npu info.",
            "Insufficient CPUs for binding with CPU role reservations",
            "CPUs available in 'Cpus_allowed_list' conflict with NUMA affinity",
        ),
        "CPU binding (default on since v0.18.0rc1 on ARM) needs npu-smi, lscpu, >= 5 CPUs per NPU in the cpuset.",
        "Mount npu-smi; widen --cpuset-cpus; or --additional-config '{\"enable_cpu_binding\": false}'.",
        (
            "vllm-ascend#6966 (troubleshooting)",
            "vllm_ascend/cpu_binding.py:180,498,578",
            "cpu_binding.md",
        ),
    ),
    Entry(
        "launch-blocking",
        r"ACL graph is incompatible with ASCEND_LAUNCH_BLOCKING=1",
        ("ACL graph is incompatible with ASCEND_LAUNCH_BLOCKING=1",),
        "Debug env var left set.",
        "unset ASCEND_LAUNCH_BLOCKING.",
        ("vllm_ascend/platform.py:1111",),
    ),
)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known failures: from the field guide, and of the operating system. Data only, see L(Entry).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._diagnose_types import LATE, Entry

ENTRIES = (
    Entry(
        "acl-init",
        r"\baclInit\b.{0,120}(?:failed|error code is [1-9]|ERROR: [1-9])|\bacl\.init\b.{0,40}failed|[Aa]cl init failed",
        ("aclInit", "acl.init", "cl init failed"),
        "The program cannot reach the driver: its path is not mounted into the container, or the driver is too old for "
        "the CANN of the image.",
        "Mount /usr/local/Ascend/driver/lib64, /usr/local/Ascend/driver/version.info and /usr/local/dcmi; run `npu-smi "
        "info` in the container; compare the driver with the CANN of the image (module compatibility).",
        ("field guide",),
    ),
    Entry(
        "libascendcl",
        r"libascendcl\.so: cannot open shared object file",
        ("libascendcl.so: cannot open shared object file",),
        "The environment of CANN is missing: set_env.sh was not sourced.",
        "Source /usr/local/Ascend/ascend-toolkit/set_env.sh and nnal/atb/set_env.sh before the program starts; run "
        "services with `bash -lc`.",
        ("field guide", "faqs.md Q6"),
    ),
    Entry(
        "hccl-ej0001",
        r"EJ0001.*Failed to initialize the HCCP process|\(EJ0001\)",
        ("EJ0001",),
        "The HCCP process of the NPU could not start: a process that had the NPU before still runs, or ended just now.",
        "End what is left of the last run (`npu-smi info -t proc-mem`), wait 10 s, start again; restart no faster than "
        "that.",
        ("hiyouga/LlamaFactory#3839", "verl-project/verl#332"),
    ),
    Entry(
        "port-in-use",
        r"\[Errno 98\].*(?:[Aa]ddress already in use|attempting to bind on address)|EADDRINUSE",
        ("[Errno 98]", "EADDRINUSE"),
        "The port that the server wants is taken, by another service or by what is left of its last run.",
        "See who listens with `ss -ltnp`; give the service another port, or end the other program.",
        ("Linux errno 98 (EADDRINUSE)",),
    ),
    Entry(
        "disk-full",
        r"No space left on device(?!: '/(?:dev/shm|psm_))",
        ("No space left on device",),
        "A file system is full.",
        "Look at `df -h` and `df -i`; make room where the line says, first in the log directories and in "
        "/var/lib/docker; then restart the service.",
        ("Linux errno 28 (ENOSPC)",),
    ),
    Entry(
        "host-oom",
        r"Out of memory: Killed process \d+|oom-kill:constraint=|Memory cgroup out of memory",
        ("Out of memory: Killed process", "oom-kill:constraint=", "Memory cgroup out of memory"),
        "The kernel killed a process, because the node or the container ran out of memory of the host (not HBM).",
        "Give the container more memory, or start fewer services at once (weights pass through the host's memory).",
        ("Linux mm/oom_kill.c",),
    ),
    Entry(
        "vnpu-process",
        r"Pf device still has proc, can not set mode",
        ("Pf device still has proc",),
        "A chip could not be cut into vNPUs, because a process still uses it.",
        "End the processes on that chip (`npu-smi info -t proc-mem -i NPU -c CHIP`), then carve again.",
        ("Ascend driver virtmnghost_ctrl.c", "Ascend driver trs_host.c"),
    ),
    Entry(
        "engine-dead",
        r"EngineDeadError|EngineCore failed to start",
        ("EngineDeadError", "EngineCore failed to start"),
        "The engine died, and the API server with it.",
        "Read the first ERROR of the EngineCore or of a worker above this line, on every node of the service.",
        ("vllm/v1/engine/exceptions.py",),
        rank=LATE,
    ),
)

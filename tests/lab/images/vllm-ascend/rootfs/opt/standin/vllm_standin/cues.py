# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures on cue, with the texts of the real programs, so that what reads logs meets here what it will meet there.

A cue is one word, from the environment or from a file that can be written while the server runs. The texts are those
of public issue logs of vllm-ascend, and of CANN's error codes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from .log import logger

# The collection mounts a service's own directory of the node at /root/.cache, or at the home of another user, so a cue
# can be given from outside.
CUE_FILES = tuple(
    map(Path, os.environ.get("NPUOPS_STANDIN_CUE_FILE", "/root/.cache/standin-cue:/home/npuops/standin-cue").split(":"))
)
POLL_SECONDS = 0.5
HCCL_SECONDS = float(os.environ.get("NPUOPS_STANDIN_HCCL_SECONDS", "2"))

_STAMP = "{date}-{time}.335.888"
_ERROR = "[ERROR] {date}-{time} (PID:{pid}, Device:0, RankID:-1)"

# At the beginning, before an NPU is opened.
BEFORE = {
    "libascendcl": (
        "ImportError: libascendcl.so: cannot open shared object file: No such file or directory. Please check that the "
        "cann package is installed. Please run 'source set_env.sh' in the CANN installation path."
    ),
    "aclinit": (
        "RuntimeError: Initialize:torch_npu/csrc/core/npu/sys_ctrl/npu_sys_ctrl.cpp:141 NPU function error: aclInit "
        "failed, error code is 500000\n" + _ERROR + " ERR00100 PTA call acl api failed\n"
        "[Error]: Unknown internal error."
    ),
    "port-in-use": "OSError: [Errno 98] Address already in use",
}
# While the workers meet, or take their memory.
STARTING = {
    "oom": (
        "torch.OutOfMemoryError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 0; 60.97 GiB total capacity; 57.30 "
        "GiB already allocated; 57.30 GiB current active; 1.36 GiB free; 58.20 GiB reserved in total by PyTorch) If "
        "reserved memory is >> allocated memory try setting max_split_size_mb to avoid fragmentation."
    ),
    "ei0006": (
        "RuntimeError: InnerRunOpApi:torch_npu/csrc/framework/OpParamMaker.cpp:281 OPS function error: HcclAllreduce, "
        "error code is 6\n" + _ERROR + " ERR01100 OPS call acl api failed.\n"
        "EI0006: [PID: {pid}] " + _STAMP + " Getting socket times out. Reason: Remote Rank did not send the data in "
        "time. Please check the reason for the rank being stuck\n"
        "        Solution: 1. Check the rank service processes with other errors or no errors in the cluster.2. If "
        "this error is reported for all NPUs, check whether the time difference between the earliest and latest errors "
        "is greater than the connect timeout interval (120s by default). If so, adjust the timeout interval by using "
        "the HCCL_CONNECT_TIMEOUT environment variable.3. Check the connectivity of the communication link between "
        "nodes. (For details, see the TLS command and HCCN connectivity check examples.)"
    ),
    "ej0001": (
        "RuntimeError: createHCCLCommOrigin:torch_npu/csrc/distributed/ProcessGroupHCCL.cpp:1953 HCCL function error: "
        "HcclCommInitRootInfoConfig, error code is 7\n" + _ERROR + " ERR02200 DIST call hccl api failed.\n"
        "EJ0001: [PID: {pid}] " + _STAMP + " Failed to initialize the HCCP process. Reason: Maybe the last training "
        "process is running.\n"
        "        Solution: Wait for 10s after killing the last training process and try again."
    ),
}
# While it serves: nothing ends, and nothing is answered.
HANG = "hang"
CUES = (*BEFORE, *STARTING, HANG)


class Cued(RuntimeError):
    """A failure on cue; the text is the real program's."""


def cue() -> str | None:
    """The cue that holds now: the file's first word, else NPUOPS_STANDIN_CUE.

    :raises ValueError: there is no such cue
    """
    word = ""
    for file in CUE_FILES:
        with contextlib.suppress(OSError):
            word = word or file.read_text(encoding="utf-8").strip()
    word = word or os.environ.get("NPUOPS_STANDIN_CUE", "")
    if word and word not in CUES:
        raise ValueError(f"there is no cue '{word}'; there are {', '.join(CUES)}")
    return word or None


def fail_if_cued(texts: dict[str, str]) -> None:
    """Fail as the cue says, if it is one of these.

    :raises Cued: it is; the text may have several lines
    """
    word = cue()
    if word not in texts:
        return
    if word == "ei0006":
        logger.info("Waiting for the ranks of the communicator")
        time.sleep(HCCL_SECONDS)
    now = time.localtime()
    raise Cued(
        texts[word].format(date=time.strftime("%Y-%m-%d", now), time=time.strftime("%H:%M:%S", now), pid=os.getpid())
    )


async def hang_while_cued() -> None:
    """Return when the cue is another one, or gone. The engine does no step before, and /health knows nothing of it."""
    while cue() == HANG:
        await asyncio.sleep(POLL_SECONDS)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker process of the `mp` executor: `python3 -m vllm_standin.worker`.

Reads one JSON object on stdin (rank, logic_id, utilization, exact_mb, title), answers with one JSON line on
stdout (`claim` or `error`) and then holds the NPU until stdin closes, which also happens when the parent dies.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from .device import Npu
from .title import set_process_title

ORPHAN_SECONDS = 5  # for giving back the NPU once the parent is gone


def _watch_parent(gone: threading.Event) -> None:
    """Say when the parent has closed our stdin or died, and end the process if that is not enough."""
    # Not sys.stdin: an interpreter that ends while a thread is in there aborts.
    while os.read(0, 1):
        pass
    gone.set()
    time.sleep(ORPHAN_SECONDS)
    os._exit(1)  # the driver did not return; nobody else is left to end us


def main() -> int:
    line = sys.stdin.readline()
    if not line:
        return 1  # the parent was gone before it could say what to do
    order = json.loads(line)
    set_process_title(order.pop("title"))
    # The parent decides when a worker ends; a Ctrl-C reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent_gone = threading.Event()
    threading.Thread(target=_watch_parent, args=(parent_gone,), daemon=True).start()
    try:
        npu = Npu(**order)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return 1
    print(json.dumps({"claim": npu.claim.as_dict()}), flush=True)
    parent_gone.wait()
    npu.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

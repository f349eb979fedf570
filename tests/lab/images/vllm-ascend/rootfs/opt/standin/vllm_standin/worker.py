# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker process of the `mp` executor: `python3 -m vllm_standin.worker`.

Reads one JSON object on stdin (rank, logic_id, utilization, exact_mb, name), answers with one JSON line on
stdout (`claim` or `error`) and then holds the NPU until stdin closes, which also happens when the parent dies.
"""

from __future__ import annotations

import json
import signal
import sys

from .device import Npu, set_process_name


def main() -> int:
    order = json.loads(sys.stdin.readline())
    set_process_name(order.pop("name"))
    # The parent decides when a worker ends; a Ctrl-C reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        npu = Npu(**order)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return 1
    print(json.dumps({"claim": npu.claim.as_dict()}), flush=True)
    sys.stdin.read()
    npu.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines in vLLM's form: `(Process pid=1) INFO 11-22 07:00:00 [file.py:12] text`."""

from __future__ import annotations

import logging
import os
import sys


class _Formatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__(
            f"({process} pid={os.getpid()}) %(levelname)s %(asctime)s [%(filename)s:%(lineno)d] %(message)s",
            datefmt="%m-%d %H:%M:%S",
        )


class _UvicornFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._prefix = f"({process} pid={os.getpid()}) "

    def format(self, record: logging.LogRecord) -> str:
        return f"{self._prefix}{record.levelname + ':':<9} {record.getMessage()}"


logger = logging.getLogger("vllm")
web_logger = logging.getLogger("uvicorn")


def set_up(process: str) -> None:
    """Log to stdout; `process` is the name vLLM gives this process (APIServer, Worker_TP0, …)."""
    for name, formatter in ((logger, _Formatter(process)), (web_logger, _UvicornFormatter(process))):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(formatter)
        name.handlers = [handler]
        name.propagate = False
        name.setLevel(os.environ.get("VLLM_LOGGING_LEVEL", "INFO").upper())

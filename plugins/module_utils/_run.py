# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Run a vendor command and say exactly what happened. This module util is PRIVATE to the collection.

No Ansible, no parsing: argv in, L(Completed) out. Exit status is reported, not judged, because npu-smi and
hccn_tool return 0 on failures and non-zero on success; whoever reads the text decides.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass


class VendorError(Exception):
    """A vendor tool did not give what was asked for.

    ``reason`` is one sentence, ``remedy`` what the operator can do. ``command`` is the L(Completed) run the error is
    about, or None while only text was parsed; the layer that ran the command sets it.
    """

    def __init__(self, reason: str, remedy: str, command: Completed | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.command = command

    def __str__(self) -> str:
        ran = f"{self.command.shown}: " if self.command is not None else ""
        return f"{ran}{self.reason.rstrip('.')}. {self.remedy}"

    def to_fail(self) -> dict:
        """Keyword arguments for ``fail_json``: msg, and what is known of the run."""
        failure: dict = {"msg": str(self), "remedy": self.remedy}
        if self.command is not None:
            failure.update(
                cmd=self.command.shown, rc=self.command.rc, stdout=self.command.stdout, stderr=self.command.stderr
            )
        return failure


class CommandError(VendorError):
    """The command gave no answer at all."""


class ToolNotFound(CommandError):
    """The executable is missing or may not be executed."""


class ToolTimeout(CommandError):
    """The command was killed because it did not end in time."""


@dataclass(frozen=True)
class Completed:
    """A command that ran. ``rc`` is None if it never started or was killed; ``duration`` is in seconds."""

    argv: tuple
    rc: int | None
    stdout: str
    stderr: str
    duration: float

    @property
    def shown(self) -> str:
        """The command as one would type it."""
        return " ".join(shlex.quote(word) for word in self.argv)


def run(
    argv, timeout: float, missing: str = "Install the tool or give its path.", stdin: str | None = None
) -> Completed:
    """Run ``argv`` with ``LC_ALL=C`` and ``stdin`` (text, or none at all); at most ``timeout`` seconds.

    Raises L(ToolNotFound) (with ``missing`` as its remedy) or L(ToolTimeout). Bytes that are not UTF-8 are replaced.
    """
    argv = tuple(str(word) for word in argv)
    started = time.monotonic()

    def completed(rc: int | None, out: bytes, err: bytes) -> Completed:
        return Completed(argv, rc, _text(out), _text(err), round(time.monotonic() - started, 3))

    try:
        process = _start(argv, subprocess.DEVNULL if stdin is None else subprocess.PIPE)
    except OSError as error:
        why = error.strerror or str(error)
        raise ToolNotFound(f"cannot be run ({why})", missing, completed(None, b"", b"")) from error
    try:
        out, err = process.communicate(None if stdin is None else stdin.encode("utf-8"), timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _kill_group(process.pid)
        out, err = _last_words(process)
        raise ToolTimeout(
            f"did not end within {timeout:g} s and was stopped",
            "Raise the timeout, or look for a hung device with dmesg.",
            completed(None, out, err),
        ) from error
    return completed(process.returncode, out, err)


def side_by_side(jobs: dict, workers: int = 8) -> dict:
    """Run lists of callables, lists side by side, the callables of one list one after the other.

    ``jobs`` maps a key (say an NPU id) to callables without arguments; the answer maps it to their results. A list
    stops at its first exception, the other lists still finish, then the first exception in key order is raised.
    """
    # Imported late: it costs each module call 10 ms, and few modules need it.
    from concurrent.futures import ThreadPoolExecutor

    def one_after_another(callables) -> list:
        return [call() for call in callables]

    if not jobs:
        return {}
    with ThreadPoolExecutor(max_workers=min(workers, len(jobs))) as pool:
        futures = {key: pool.submit(one_after_another, callables) for key, callables in jobs.items()}
    return {key: future.result() for key, future in futures.items()}


def _start(argv, stdin) -> subprocess.Popen:
    # Its own process group, so that a timeout also ends what the tool (often a script) has started.
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, LC_ALL="C"),
        start_new_session=True,
    )


def _last_words(process) -> tuple:
    """What a killed command had printed. One that hangs in the driver cannot be killed, and is left behind."""
    try:
        return process.communicate(timeout=5)
    except subprocess.TimeoutExpired as error:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return error.output or b"", error.stderr or b""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _kill_group(pid: int) -> None:
    # It may have ended by itself in the meantime.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


__all__ = ["CommandError", "Completed", "ToolNotFound", "ToolTimeout", "VendorError", "run", "side_by_side"]

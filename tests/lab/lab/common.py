# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of labctl uses: paths, one error type, a command runner and timed steps."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LAB_DIR = ROOT / "tests" / "lab"
STATE_DIR = ROOT / ".lab"
CACHE_DIR = STATE_DIR / "cache"
LOG_DIR = STATE_DIR / "log"


class LabError(Exception):
    """Something the user can act on; the text is one sentence or a few, without a traceback."""


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log, indented, or an empty string when there is no such file."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def run(
    argv: Sequence[str],
    *,
    timeout: float = 120,
    check: bool = True,
    log: str | None = None,
    stdin: bytes | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command and return it with its output as text.

    With ``log`` the output goes to ``.lab/log/<log>`` instead (stdout and stderr of the result are then empty).
    ``env`` is added to the environment. Raises LabError when the command is absent, fails (``check``) or takes
    longer than ``timeout`` seconds.
    """
    full_env = {**os.environ, **env} if env else None
    shown = " ".join(argv[:6]) + (" …" if len(argv) > 6 else "")
    try:
        if log is None:
            raw = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, env=full_env)
            where = ""
        else:
            LOG_DIR.mkdir(parents=True, exist_ok=True)
            with open(LOG_DIR / log, "ab") as sink:
                sink.write(f"\n### {time.strftime('%H:%M:%S')} {' '.join(argv)}\n".encode())
                sink.flush()
                raw = subprocess.run(
                    argv, input=stdin, stdout=sink, stderr=subprocess.STDOUT, timeout=timeout, env=full_env
                )
            where = f", see {LOG_DIR / log}:\n{tail(LOG_DIR / log)}"
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed (needed for: {shown}).") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{shown}` did not end within {timeout:.0f} s.") from None
    out, err = ((part or b"").decode(errors="replace") for part in (raw.stdout, raw.stderr))
    if check and raw.returncode != 0:
        said = where or f": {(err or out).strip()[-600:]}"
        raise LabError(f"`{shown}` failed with exit code {raw.returncode}{said}")
    return subprocess.CompletedProcess(list(argv), raw.returncode, out, err)


def docker(*args: str, **options) -> subprocess.CompletedProcess[str]:
    """``run`` with the Docker command line tool."""
    return run(["docker", *args], **options)


def plural(count: int, noun: str) -> str:
    """``2 nodes``, ``1 node``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def say(text: str) -> None:
    print(text, flush=True)


def warn(text: str) -> None:
    print(f"labctl: warning: {text}", file=sys.stderr, flush=True)


class Step:
    """``with Step("title") as step:`` prints ``==> title … (1.2 s)``; ``step.note`` is added before the time."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.note = ""

    def __enter__(self) -> Step:
        self._start = time.monotonic()
        if sys.stdout.isatty():
            print(f"==> {self.title} …", end="", flush=True)
        return self

    def __exit__(self, kind, error, trace) -> None:
        spent = f"({time.monotonic() - self._start:.1f} s)"
        note = "failed " if kind else f"{self.note} " if self.note else ""
        back = "\r" if sys.stdout.isatty() else ""
        say(f"{back}==> {self.title} … {note}{spent}")


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Hold the user's lab lock, so that two labctl never build or change labs at the same time.

    Of all checkouts: they share the engine, and two labs that are made at once would choose the same addresses.
    """
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    with open(Path(tempfile.gettempdir()) / f"npuops-lab-{os.getuid()}.lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("==> waiting for another labctl …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def wait_for(what: str, probe, *, seconds: float, interval: float = 0.3):
    """Call ``probe`` until it returns something true and return that.

    ``probe`` may raise LabError to end the wait at once. After ``seconds`` raises LabError naming ``what`` was
    waited for, with the last text ``probe`` left in its ``why`` attribute, if it has one.
    """
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            why = getattr(probe, "why", "")
            raise LabError(f"waited {seconds:.0f} s for {what}{': ' + why if why else ''}.")
        time.sleep(interval)

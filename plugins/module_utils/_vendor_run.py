# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Run an installer that may ask, hang or talk for ever. This module util is PRIVATE to the collection.

The vendor's questions are ``while true; read`` loops: with a closed stdin they print for ever, with an open one they
wait for ever. So what is printed is watched: a question gets one answer, and there is an end to answers, output and
time. The installer outlives a lost connection: it is in a session of its own and takes no hang-up.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed, ToolNotFound
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_text import plain

MAX_OUTPUT = 4 * 1024 * 1024  # bytes; a driver installation prints some ten thousand
MAX_ANSWERS = 3  # to one question
GRACE = 10.0  # seconds between asking the installer to end and killing it
DRAIN = 0.5  # seconds to read on after it has ended: services it started may keep its output open

_QUESTION = re.compile(r"[\[(]\s*y(?:es)?\s*/\s*n(?:o)?\s*[\])]\s*[:?]?$|please input again!?$", re.IGNORECASE)
_EULA = re.compile(r"EULA|licen[cs]e|agreement", re.IGNORECASE)
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Watched:
    """A run that has ended. ``completed.rc`` is None if it was ended from here; ``why`` says then why."""

    completed: Completed
    why: str = ""
    remedy: str = ""
    questions: tuple = ()


def environment(unpack_dir: str | None = None) -> dict:
    """What the installer finds in its environment: no display (it would start a terminal), and the way to lspci."""
    env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "LANG", "LANGUAGE")}
    path = env.get("PATH", "/usr/bin:/bin").split(":")
    env.update(LC_ALL="C", PATH=":".join(path + [place for place in _SBIN if place not in path]))
    if unpack_dir:
        env["TMPDIR"] = unpack_dir
    return env


def watch(argv, timeout: float, accept_eula: bool = False, unpack_dir: str | None = None, started=None) -> Watched:
    """Run ``argv`` for at most ``timeout`` seconds; ``started(pid)`` is called once it runs.

    A licence is answered with Y if it is accepted, every other question with n, which the vendor's scripts take as the
    end of it. Output and errors come in one text, in order. Raises L(ToolNotFound).
    """
    argv = tuple(str(word) for word in argv)
    begun = time.monotonic()
    with _no_hang_up():
        process = _start(argv, environment(unpack_dir))
        try:
            if started is not None:
                started(process.pid)
            talk = _Talk(process, begun + timeout, accept_eula)
            talk.run()
        except BaseException:
            _end(process)  # nobody would watch it any more
            raise
    why, remedy = talk.verdict(timeout)
    rc = None if why else process.returncode
    text = plain(talk.text())
    done = Completed(argv, rc, text, "", round(time.monotonic() - begun, 3))
    return Watched(done, why, remedy, tuple(talk.questions))


class _Talk:
    """One conversation with an installer."""

    def __init__(self, process, deadline: float, accept_eula: bool) -> None:
        self.process, self.deadline, self.accept_eula = process, deadline, accept_eula
        self.output = bytearray()
        self.questions: list = []
        self.ended_for = ""
        self._answered_to = 0  # as far as the output was when the last answer was given

    def text(self) -> str:
        return bytes(self.output[:MAX_OUTPUT]).decode("utf-8", "replace")

    def run(self) -> None:
        pipe = self.process.stdout
        os.set_blocking(pipe.fileno(), False)
        over = None
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                now = time.monotonic()
                if over is None and self.process.poll() is not None:
                    over = now + DRAIN
                if now >= (self.deadline if over is None else over):
                    break
                if not selector.select(0.1):
                    continue
                chunk = pipe.read(65536)
                if chunk == b"":  # nobody has it open: it may still run, quietly
                    selector.unregister(pipe)
                    self._wait()
                    break
                self.output += chunk or b""
                if not self._go_on():
                    break
        if self.process.poll() is None:
            self.ended_for = self.ended_for or "time"
            _end(self.process)
        for stream in (pipe, self.process.stdin):
            with contextlib.suppress(OSError):
                stream.close()

    def _wait(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, self.deadline - time.monotonic()))

    def _go_on(self) -> bool:
        if len(self.output) > MAX_OUTPUT:
            self.ended_for = "output"
            return False
        tail = plain(bytes(self.output[self._answered_to :])[-2000:].decode("utf-8", "replace")).rstrip()
        if not _QUESTION.search(tail):
            return True
        question = tail.splitlines()[-1].strip()
        if self.questions.count(question) >= MAX_ANSWERS:
            self.ended_for = "question"
            return False
        self.questions.append(question)
        self._answered_to = len(self.output)
        answer = b"n\n"
        if _EULA.search(question):
            answer = b"Y\n" if self.accept_eula else b"N\n"
        with contextlib.suppress(OSError):  # it may have gone without waiting for an answer
            self.process.stdin.write(answer)
            self.process.stdin.flush()
        return True

    def verdict(self, timeout: float) -> tuple:
        if self.ended_for == "time":
            return (
                f"did not end within {timeout:g} s and was stopped",
                "Raise the timeout; the log says how far it came.",
            )
        if self.ended_for == "output":
            return "printed without end and was stopped", "Run it by hand; it may be asking something in a loop."
        if self.ended_for == "question":
            return (
                f"keeps asking {self.questions[-1]!r} and was stopped",
                "Answer it by hand once, or give the option for it in extra_options.",
            )
        return "", ""


def _start(argv, env):
    mask = os.umask(0o022)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        done = Completed(argv, None, "", "", 0.0)
        raise ToolNotFound(f"cannot be run ({error.strerror})", "Install bash.", done) from error
    finally:
        os.umask(mask)


@contextlib.contextmanager
def _no_hang_up():
    """Whoever is started meanwhile ignores the end of the connection, and so does this process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _end(process) -> None:
    """Ask the installer and what it has started to end (it notes that in its log), then kill them."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind in its group


__all__ = ["MAX_ANSWERS", "MAX_OUTPUT", "Watched", "environment", "watch"]

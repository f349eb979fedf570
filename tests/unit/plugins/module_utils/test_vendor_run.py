# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installers that ask, hang, talk for ever, or leave something behind: none of them holds a run up."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _vendor_run
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_run import environment, watch

EULA = "Do you accept the EULA to install Ascend-docker-runtime?[Y/N]"
LOOP = """
echo '{question}'
while true; do
  read -r answer
  case "$answer" in
    [{yes}]) echo accepted; break ;;
    [{no}]) echo declined; exit 0 ;;
    *) echo '{again}' ;;
  esac
done
"""


@pytest.fixture
def script(tmp_path):
    def make(text: str) -> list:
        path = tmp_path / "installer.run"
        path.write_text(text)
        return ["bash", str(path)]

    return make


@pytest.mark.parametrize("accept,said", [(True, "accepted"), (False, "declined")])
def test_a_licence_is_answered_as_it_was_told(script, accept, said):
    ran = watch(script(LOOP.format(question=EULA, yes="Yy", no="Nn", again=EULA)), 20, accept_eula=accept)
    assert said in ran.completed.stdout
    assert (ran.completed.rc, ran.why, ran.questions) == (0, "", (EULA,))


def test_another_question_is_answered_with_no_even_if_the_licence_is_accepted(script):
    question = "[INFO]Driver package has been installed, do you want to continue?  [y/n] "
    ran = watch(script(LOOP.format(question=question, yes="y", no="n", again="input error")), 20, accept_eula=True)
    assert "declined" in ran.completed.stdout and "accepted" not in ran.completed.stdout


@pytest.mark.parametrize("again", ["really? [yes/no]", "[ERROR]ERR_NO:0x0002;ERR_DES:input error, please input again!"])
def test_an_installer_that_keeps_asking_is_ended(script, again):
    started = time.monotonic()
    ran = watch(script(LOOP.format(question="go on? [yes/no]", yes="j", no="q", again=again)), 60)
    assert "keeps asking" in ran.why and ran.completed.rc is None
    assert ran.questions.count(ran.questions[-1]) == _vendor_run.MAX_ANSWERS
    assert time.monotonic() - started < 15


def test_a_question_in_the_middle_of_a_line_is_seen(script):
    ran = watch(script("printf 'continue? (y/n): '; read -r a; echo got=$a\n"), 20)
    assert "got=n" in ran.completed.stdout


def test_endless_output_is_ended(script, monkeypatch):
    monkeypatch.setattr(_vendor_run, "MAX_OUTPUT", 100_000)
    ran = watch(script("while true; do echo input error; done\n"), 60)
    assert ran.why == "printed without end and was stopped" and ran.completed.rc is None
    assert len(ran.completed.stdout) <= 100_000


def test_a_loop_on_a_closed_input_is_ended_too(script, monkeypatch):
    # The vendor's loop when nobody is there: read fails at once, for ever.
    monkeypatch.setattr(_vendor_run, "MAX_OUTPUT", 100_000)
    ran = watch(script(f"exec </dev/null\nwhile true; do read -r yn; echo '{EULA}'; done\n"), 60)
    assert ran.why and ran.completed.rc is None


def test_a_hanging_installer_is_ended_with_all_it_started(script, tmp_path, monkeypatch):
    monkeypatch.setattr(_vendor_run, "GRACE", 0.3)
    ran = watch(script(f"sleep 1000 & echo $! >{tmp_path}/child; trap '' TERM; echo 50%; sleep 1000\n"), 1)
    assert ran.why == "did not end within 1 s and was stopped"
    assert "50%" in ran.completed.stdout
    child = int((tmp_path / "child").read_text())
    time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split(")")[1]


def test_it_may_write_down_that_it_was_ended(script, tmp_path):
    watch(script(f"trap 'echo failed >{tmp_path}/log; exit 1' TERM; sleep 1000 & wait\n"), 1)
    assert (tmp_path / "log").read_text() == "failed\n"


def test_a_service_that_keeps_the_output_open_does_not_hold_it_up(script):
    started = time.monotonic()
    ran = watch(script("setsid sleep 5 & echo done; exit 2\n"), 60)
    assert (ran.completed.rc, ran.completed.stdout, ran.why) == (2, "done\n", "")
    assert time.monotonic() - started < 4


def test_an_installer_that_closes_its_output_is_waited_for(script):
    ran = watch(script("echo begin; exec >/dev/null 2>&1 </dev/null; sleep 1; exit 3\n"), 60)
    assert (ran.completed.rc, ran.completed.stdout) == (3, "begin\n")


def test_a_killed_installer_has_the_signal_as_status(script):
    ran = watch(script("echo 50%; kill -KILL $$\n"), 20)
    assert ran.completed.rc == -signal.SIGKILL and ran.why == ""


def test_output_and_errors_come_in_order_and_without_colours(script):
    ran = watch(script("echo one; echo two >&2; printf '\\033[32mthree\\033[0m\\r\\n'\n"), 20)
    assert ran.completed.stdout == "one\ntwo\nthree\n"


def test_a_lost_connection_does_not_reach_it(script):
    # As an SSH session has it, whatever started these tests (nohup ignores the signal).
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        ran = watch(script("kill -HUP $$; kill -HUP $PPID; echo alive\n"), 20)
        assert ran.completed.stdout == "alive\n"
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_who_is_told_of_the_process_gets_its_number(script):
    seen = []
    ran = watch(script("echo $$\n"), 20, started=seen.append)
    assert ran.completed.stdout == f"{seen[0]}\n"


def test_the_environment_has_no_display_and_the_way_to_the_tools(script, monkeypatch, tmp_path):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    env = environment(str(tmp_path))
    assert "DISPLAY" not in env and env["TMPDIR"] == str(tmp_path) and "/usr/sbin" in env["PATH"].split(":")
    before = os.umask(0o077)
    try:
        ran = watch(script(f"umask; touch {tmp_path}/made; echo ${{DISPLAY-none}}\n"), 20)
    finally:
        os.umask(before)
    assert ran.completed.stdout.split() == ["0022", "none"]
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o644

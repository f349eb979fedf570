# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._run import (
    CommandError,
    ToolNotFound,
    ToolTimeout,
    run,
    side_by_side,
)


def test_what_ran_and_what_came_back():
    done = run(["sh", "-c", "echo out; echo err >&2; exit 7"], 10)
    assert (done.rc, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert done.argv == ("sh", "-c", "echo out; echo err >&2; exit 7")
    assert done.shown == "sh -c 'echo out; echo err >&2; exit 7'"
    assert 0 <= done.duration < 10


def test_locale_and_stdin(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("KEPT", "1")
    assert run(["sh", "-c", "echo $LC_ALL $KEPT; cat"], 10).stdout == "C 1\n"


def test_bytes_that_are_no_text():
    assert run(["printf", r"a\377b"], 10).stdout == "a�b"


def test_missing_tool():
    with pytest.raises(
        ToolNotFound, match=r"^/no/tool -x: cannot be run \(No such file or directory\)\. Get one\.$"
    ) as error:
        run(["/no/tool", "-x"], 10, missing="Get one.")
    assert error.value.command.argv == ("/no/tool", "-x")
    assert error.value.to_fail()["cmd"] == "/no/tool -x"


def test_timeout_ends_children_too(tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(ToolTimeout, match="did not end within 0.2 s") as error:
        run(["sh", "-c", f"echo begun; (sleep 1; touch {mark}) & wait"], 0.2)
    assert isinstance(error.value, CommandError)
    assert error.value.command.stdout == "begun\n"
    assert error.value.command.rc is None
    time.sleep(1.2)
    assert not mark.exists()


def test_lists_run_side_by_side_and_each_in_order():
    together = threading.Barrier(2, timeout=10)
    seen = []

    def call(key, step):
        def inner():
            if step == 0:
                together.wait()  # passes only if both lists run at the same time
            seen.append((key, step))
            return step * 10

        return inner

    assert side_by_side({key: [call(key, step) for step in range(3)] for key in "ab"}) == {
        "a": [0, 10, 20],
        "b": [0, 10, 20],
    }
    for key in "ab":
        assert [step for name, step in seen if name == key] == [0, 1, 2]


def test_first_failure_is_raised_when_the_others_are_done():
    done = []

    def fail():
        raise ToolNotFound("gone", "look")

    with pytest.raises(ToolNotFound, match="gone"):
        side_by_side({1: [fail, lambda: done.append("never")], 2: [lambda: done.append("two")]})
    assert done == ["two"]


def test_nothing_to_do():
    assert side_by_side({}) == {}

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that installs further packages into an image: what it pins, from where it installs, what it refuses."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess

import pytest

PROGRAM = pathlib.Path(__file__).parents[2] / "roles" / "vllm" / "files" / "derive.py"
BEFORE = {"torch": "2.10.0", "torch-npu": "2.10.0.post4"}


@pytest.fixture
def derive(tmp_path, monkeypatch):
    """The program in a directory of its own; ``ran`` lists pip's commands, ``after`` is what is installed then."""
    spec = importlib.util.spec_from_file_location("derive", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ran, module.after, module.status = [], BEFORE, 0
    answers = iter([BEFORE])
    monkeypatch.setattr(module, "HERE", str(tmp_path))
    monkeypatch.setattr(module, "versions", lambda: next(answers, None) or module.after)

    def run(command, check):
        module.ran.append(command)
        return subprocess.CompletedProcess(command, module.status)

    monkeypatch.setattr(module.subprocess, "run", run)
    return module


def test_the_engine_is_pinned(derive, tmp_path):
    assert derive.main(["transformers==4.57.0"]) == 0
    assert (tmp_path / "constraints.txt").read_text() == "torch==2.10.0\ntorch-npu==2.10.0.post4\n"
    (command,) = derive.ran
    assert command[command.index("--constraint") + 1] == str(tmp_path / "constraints.txt")
    assert command[-1] == "transformers==4.57.0" and "--no-index" not in command


def test_wheels_are_asked_instead_of_an_index(derive, tmp_path):
    (tmp_path / "wheels").mkdir()
    assert derive.main(["a"]) == 0
    assert derive.ran[0][-4:] == ["--no-index", "--find-links", str(tmp_path / "wheels"), "a"]


def test_what_pip_refuses_is_refused(derive):
    derive.status = 1
    assert derive.main(["a"]) == 1


@pytest.mark.parametrize("after", [{**BEFORE, "torch": "2.11.0"}, {"torch": "2.10.0"}])
def test_an_engine_that_was_changed_all_the_same(derive, after, capsys):
    derive.after = after
    assert derive.main(["a"]) == 1
    assert "in spite of the constraints" in capsys.readouterr().err

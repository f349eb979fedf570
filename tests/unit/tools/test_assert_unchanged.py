# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate for check mode on a converged lab, run with a real ansible-playbook on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: A line
      ansible.builtin.copy:
        dest: "{{ playbook_dir }}/file"
        content: "wanted"
        mode: "0644"
"""
BROKEN = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: It fails
      ansible.builtin.assert: {that: 1 == 2}
"""


@pytest.fixture
def gate(tmp_path):
    """Run the gate on a play and return the finished process."""

    def run(play: str, inventory: str = "one,") -> subprocess.CompletedProcess:
        playbook = tmp_path / "play.yml"
        playbook.write_text(play, encoding="utf-8")
        command = [sys.executable, str(ROOT / "tests/tools/assert_unchanged.py"), str(playbook), "-i", inventory]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    return run


def test_passes_when_nothing_would_change(gate, tmp_path):
    (tmp_path / "file").write_text("wanted", encoding="utf-8")
    (tmp_path / "file").chmod(0o644)
    done = gate(PLAY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one: ok=1 changed=0 unreachable=0 failures=0" in done.stdout


def test_names_the_task_that_would_change_and_its_diff(gate, tmp_path):
    (tmp_path / "file").write_text("found", encoding="utf-8")
    done = gate(PLAY)
    assert done.returncode == 1
    assert "would change on one: A line" in done.stdout
    assert "wanted" in done.stdout
    assert (tmp_path / "file").read_text(encoding="utf-8") == "found"


def test_fails_when_a_task_fails(gate):
    done = gate(BROKEN)
    assert done.returncode == 1
    assert "one: failures=1" in done.stdout


def test_fails_when_no_host_took_part(gate, tmp_path):
    (tmp_path / "empty.yml").write_text("all: {hosts: {}}\n", encoding="utf-8")
    done = gate(PLAY, str(tmp_path / "empty.yml"))
    assert done.returncode == 1
    assert "no host took part" in done.stdout


def test_says_so_when_there_is_no_report(gate):
    done = gate("- no: play")
    assert done.returncode == 2
    assert "no report" in done.stderr

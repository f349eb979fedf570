# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's inventory script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import inventory, plan
from lab.plan import Lab

SCRIPT = Path(__file__).resolve().parents[3] / "inventories" / "lab" / "lab.py"
LAB = Lab("lab", "atlas-800i-a2-64g", "172.30.0.0/24", "10.77.0.0/16").with_nodes(2)


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "STATE_DIR", tmp_path)
    monkeypatch.delenv("NPUOPS_LAB", raising=False)
    return tmp_path


def test_hosts_are_in_group_ascend_with_a_checked_host_key(state, capsys):
    plan.save(LAB)
    assert inventory.main(["--list"]) == 0
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert output.err == ""
    assert document["ascend"]["hosts"] == ["node1", "node2"]
    variables = document["_meta"]["hostvars"]["node2"]
    assert variables["ansible_host"] == "172.30.0.12"
    assert variables["ansible_user"] == "root"
    assert variables["ansible_ssh_private_key_file"] == str(state / "lab" / "id_ed25519")
    assert "StrictHostKeyChecking=yes" in variables["ansible_ssh_common_args"]
    assert f"UserKnownHostsFile={state}/lab/known_hosts" in variables["ansible_ssh_common_args"]


def test_a_path_with_a_space_stays_one_argument(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "STATE_DIR", tmp_path / "my lab")
    common = inventory.host_vars(LAB)["node1"]["ansible_ssh_common_args"]
    assert f"'{tmp_path}/my lab/lab/known_hosts'" in common


def test_without_a_lab_the_group_is_empty_and_a_warning_says_what_to_do(state, capsys):
    assert inventory.main(["--list"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["ascend"] == {"hosts": []}
    assert "make lab-up" in output.err


def test_the_environment_picks_the_lab(state, monkeypatch, capsys):
    plan.save(Lab("other", "atlas-800i-a3", "172.30.1.0/24", "10.78.0.0/16").with_nodes(1))
    monkeypatch.setenv("NPUOPS_LAB", "other")
    assert inventory.main(["--host", "node1"]) == 0
    assert json.loads(capsys.readouterr().out)["ansible_host"] == "172.30.1.11"


def test_an_impossible_lab_name_is_an_error(state, monkeypatch, capsys):
    monkeypatch.setenv("NPUOPS_LAB", "../etc")
    assert inventory.main(["--list"]) == 1
    assert "cannot name a lab" in capsys.readouterr().err


def test_wrong_arguments_are_refused(state, capsys):
    assert inventory.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_script_runs_by_itself():
    environment = {**os.environ, "NPUOPS_LAB": "surely-not-there"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--list"], capture_output=True, text=True, env=environment, check=True
    )
    assert json.loads(done.stdout)["ascend"] == {"hosts": []}

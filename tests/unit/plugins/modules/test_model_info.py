# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""model_info as Ansible calls it: what it returns of good models and of bad ones, and how it fails."""

from __future__ import annotations

import os

import pytest

from ansible_collections.npuops.ascend.plugins.modules import model_info
from lab.files import model_files


@pytest.fixture
def call(call_module):
    def run(*models, **arguments):
        return call_module(model_info, models=[str(m) for m in models], **arguments)

    return run


@pytest.fixture
def model(tmp_path):
    """The lab's."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in model_files().items():
        (folder / name).write_bytes(content)
    return folder


def test_what_was_read_is_returned_and_a_fact(call, model):
    result = call(model, model)
    assert not result.get("failed") and not result["changed"]
    found = result["models"][str(model)]
    assert found["weights_bytes"] == 2 * (1024 + 1024 + 128 + 128)
    assert found["config"]["head_dim"] == 128
    assert found["problem"] is None
    assert result["problems"] == []
    assert result["ansible_facts"] == {"npu_models": result["models"]}


def test_nothing_is_written(call, model):
    before = {path.name: os.stat(path).st_mtime_ns for path in [model, *model.iterdir()]}
    call(model, _ansible_check_mode=True)
    call(model)
    assert {path.name: os.stat(path).st_mtime_ns for path in [model, *model.iterdir()]} == before


def test_what_is_wrong_with_one_model_takes_nothing_from_the_others(call, model, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    result = call(tmp_path / "gone", model, broken, host="node1")
    assert result["failed"]
    assert result["msg"].split("\n") == [
        f"node1: model: {tmp_path}/gone is not there; put the model there, or correct the path.",
        f"node1: model: {broken} has no config.json; copy the whole model directory.",
    ]
    told = call(tmp_path / "gone", model, broken, host="node1", strict=False)
    assert not told.get("failed")
    assert [problem["sentence"] for problem in told["problems"]] == result["msg"].split("\n")
    assert told["models"][str(broken)]["problem"] == f"{broken} has no config.json"
    assert told["models"][str(broken)]["weights_bytes"] is None
    assert told["models"][str(model)]["problem"] is None
    assert set(told["models"][str(broken)]) == set(told["models"][str(model)])

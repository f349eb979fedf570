# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""plan_page called as Ansible calls it: files once, none in check mode, and errors that say what to do."""

from __future__ import annotations

import stat

import pytest

from ansible_collections.npuops.ascend.plugins.modules import plan_page

NODES = {"a": {"chips": [{"npu_id": 0, "chip_id": 0, "name": "910B3", "health": "OK", "hbm_mb": [3000, 65536]}]}}
SERVICE = {
    "name": "chat",
    "engine": "vllm",
    "model": "/data/models/Qwen3-32B",
    "url": "http://192.0.2.10:8000",
    "nodes": {"a": {"address": "192.0.2.10", "npu_ids": [0]}},
}


@pytest.fixture
def call(call_module, tmp_path):
    def run(**arguments):
        given = {
            "placement": {"services": [SERVICE]},
            "nodes": NODES,
            "_ansible_remote_tmp": str(tmp_path),
            **arguments,
        }
        return call_module(plan_page, **given)

    return run


def test_files_are_written_once(call, tmp_path):
    html, svg = tmp_path / "plan.html", tmp_path / "plan.svg"
    first = call(html=str(html), svg=str(svg), mode="0644")
    assert first["changed"] and first["written"] == first["files"] == [str(html), str(svg)]
    assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert svg.read_text(encoding="utf-8").startswith("<svg ")
    assert stat.S_IMODE(svg.stat().st_mode) == 0o644
    again = call(html=str(html), svg=str(svg), mode="0644")
    assert not again["changed"] and again["written"] == []
    assert again["table"] == first["table"] and again["summary"][0] == "1 of 1 NPUs used"


def test_check_mode_writes_nothing(call, tmp_path):
    html = tmp_path / "plan.html"
    assert call(html=str(html), _ansible_check_mode=True)["changed"]
    assert not html.exists()


def test_without_a_file_it_is_a_table(call):
    result = call()
    assert not result["changed"] and "a: NPU 0" in result["table"][1]


def test_a_file_that_cannot_be_written(call, tmp_path):
    result = call(svg=str(tmp_path / "absent" / "plan.svg"))
    assert result["failed"] and "its directory" in result["msg"]


def test_nodes_of_another_fleet(call):
    result = call(nodes={"b": NODES["a"]})
    assert result["failed"] and "do not belong together" in result["msg"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "tools/demo.py"
ENDPOINT = {
    "service": "chat",
    "model": "Qwen3-0.6B-lab",
    "url": "http://192.0.2.11:8000",
    "nodes": ["node1", "node2"],
    "npus": 16,
    "reply": "Paris.",
    "seconds": 0.25,
}


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("npuops_demo", SOURCE)
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_endpoints_are_a_table(demo):
    assert demo.endpoint_table([ENDPOINT]).splitlines() == [
        "  SERVICE  MODEL           NODES         NPUS  ENDPOINT                REPLY AFTER",
        "  -------  --------------  ------------  ----  ----------------------  -----------",
        "  chat     Qwen3-0.6B-lab  node1, node2    16  http://192.0.2.11:8000       0.25 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (119.6, "2 min 00 s"), (605, "10 min 05 s")],
)
def test_durations(demo, seconds, text):
    assert demo.duration(seconds) == text


def test_a_stage_is_logged(demo, tmp_path, capfdbinary):
    stage = demo.Stage("x", "Say it", (sys.executable, "-c", "print('said')"))
    assert demo.run_stage(stage, tmp_path / "x.log", {}) > 0
    assert (tmp_path / "x.log").read_bytes() == b"said\n"
    assert b"=== Say it\nsaid\n" in capfdbinary.readouterr().out


def test_a_failed_stage_is_one_sentence_with_its_code(demo, tmp_path):
    stage = demo.Stage("x", "Boot", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(demo.StageFailed, match=r"Boot: '.*' ended with 3; its output is in .*x\.log") as failed:
        demo.run_stage(stage, tmp_path / "x.log", {})
    assert failed.value.code == 3


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_no_endpoint_is_a_failure(demo, tmp_path, content):
    report = tmp_path / "endpoints.json"
    if content is not None:
        report.write_text(content, encoding="utf-8")
    with pytest.raises(demo.StageFailed, match=r"endpoints\.json"):
        demo.read_endpoints(report)


def test_endpoints_are_read(demo, tmp_path):
    (tmp_path / "endpoints.json").write_text(json.dumps([ENDPOINT]), encoding="utf-8")
    assert demo.read_endpoints(tmp_path / "endpoints.json") == [ENDPOINT]


def test_next_steps_name_the_lab_only_when_it_is_not_the_default(demo):
    assert "NPUOPS_LAB" not in demo.next_steps("lab", ENDPOINT["url"])
    other = demo.next_steps("two", ENDPOINT["url"])
    assert "NPUOPS_LAB=two ansible-playbook site.yml" in other
    assert "curl -s http://192.0.2.11:8000/v1/models" in other

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's counters say: the three rules of the field guide, and nothing on a server that is well."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._diagnose_metrics import Sample, judge, parse, summary

FIXTURES = Path(__file__).parents[3] / "fixtures" / "diagnose"
WELL = {
    "replies": 50,
    "first_token_s": 0.3,
    "per_token_s": 0.03,
    "block_size": "128",
    "running": 8,
    "tokens_per_s": [400.0, 410.0, 395.0, 405.0],
    "jitter": 0.02,
    "aicore_pct": 70,
}


def found(errors=False, **changed):
    return [finding.entry.id for finding in judge("http://x", {**WELL, **changed}, errors)]


@pytest.mark.parametrize("release", ["v0.11.0", "v0.23.0"])
def test_metrics_of_both_releases_are_read(release):
    metrics = parse((FIXTURES / f"metrics-{release}.txt").read_text(encoding="utf-8"))
    seen = summary([Sample(0.0, metrics)], [])
    assert (seen["replies"], seen["running"], seen["block_size"]) == (2, 0, "128")
    assert seen["first_token_s"] is not None and seen["per_token_s"] is not None
    assert judge("http://x", seen, False) == []


def test_a_server_that_is_well():
    assert found() == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"per_token_s": 0.4, "block_size": "16"}, ["block-size"]),
        ({"per_token_s": 0.4, "block_size": None}, ["block-size"]),
        ({"per_token_s": 0.4}, []),
        ({"per_token_s": 0.4, "block_size": "16", "first_token_s": 5}, []),
        ({"per_token_s": 0.4, "block_size": "16", "replies": 4}, []),
        ({"per_token_s": None, "block_size": "16"}, []),
        ({"jitter": 0.5}, ["hccl-buffer-jitter"]),
        ({"jitter": 0.5, "running": 1}, []),
        ({"jitter": None}, []),
        ({"aicore_pct": 5}, ["low-npu-use"]),
        ({"aicore_pct": 5, "running": 0}, []),
        ({"aicore_pct": None}, []),
    ],
)
def test_a_rule(changed, expected):
    assert found(**changed) == expected


def test_idle_npus_with_an_error_have_another_cause():
    assert found(errors=True, aicore_pct=5) == []


def test_a_course_of_samples():
    samples = [
        Sample(at, {"vllm:generation_tokens_total": [({}, tokens)], "vllm:num_requests_running": [({}, 9.0)]})
        for at, tokens in enumerate([0.0, 100.0, 110.0, 210.0, 220.0])
    ]
    seen = summary(samples, [10, None, 20])
    assert seen["tokens_per_s"] == [100.0, 10.0, 100.0, 10.0]
    assert seen["jitter"] == 0.818
    assert seen["aicore_pct"] == 15
    assert [finding.entry.id for finding in judge("x", seen, True)] == ["hccl-buffer-jitter"]


def test_a_restart_between_samples_is_no_jitter():
    samples = [Sample(at, {"vllm:generation_tokens_total": [({}, t)]}) for at, t in enumerate([500.0, 0.0, 100.0])]
    assert summary(samples, [])["tokens_per_s"] == [100.0]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known failures are found by their real texts, where they stand, the cause first; healthy logs show none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._diagnose import (
    ENTRIES,
    LINE_LENGTH,
    MOST,
    diagnose,
    healthy,
)
from ansible_collections.npuops.ascend.plugins.module_utils._diagnose_types import HARMLESS, RANKS, Text

FIXTURES = Path(__file__).parents[3] / "fixtures" / "diagnose"
LINES = [
    tuple(line.split("\t", 1))
    for line in (FIXTURES / "known.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
HEALTHY = sorted((FIXTURES / "healthy").iterdir())
BY_ID = {entry.id: entry for entry in ENTRIES}


def ids(*texts):
    return [finding.entry.id for finding in diagnose(texts)]


@pytest.mark.parametrize(("name", "line"), LINES)
def test_a_known_line_is_found(name, line):
    found = diagnose([Text("container", "log", f"INFO all well\n{line}\nINFO the end")])
    seen = {finding.entry.id: finding for finding in found}
    assert name in seen
    assert (seen[name].line, seen[name].place.line, seen[name].count) == (line.strip(), 2, 1)


def test_every_entry_has_a_line_and_every_line_an_entry():
    assert {name for name, _line in LINES} == set(BY_ID)
    assert len(BY_ID) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_every_needle_is_met_by_a_line(entry):
    """A needle with a slip of the pen would hide the failure for ever."""
    lines = [line for name, line in LINES if name == entry.id and re.search(entry.pattern, line)]
    assert all(any(needle in line for line in lines) for needle in entry.needles)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_an_entry_says_cause_remedy_and_source(entry):
    assert entry.cause.endswith(".")
    assert entry.remedy.endswith(".")
    assert entry.sources
    assert entry.rank in RANKS


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.name)
def test_healthy_logs_show_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) > 20
    assert ids(Text("container", path.name, text)) == []


def test_words_in_passing_are_no_failure():
    text = """
INFO Available KV cache memory: 21.35 GiB
INFO environment HCCL_BUFFSIZE=512 TASK_QUEUE_ENABLE=1
[EVENT] RUNTIME(1,python3): rtSetDevice: device 0 ret=0
INFO Waiting for creating a placement group of specs for 10 seconds. specs=[{'NPU': 1.0}].
[    1.2] pcieport 0000:00:1c.0: PCIe Bus Error: severity=Corrected
mount: /proc: Operation not permitted
aclInit success
"""
    assert ids(Text("container", "log", text)) == []


def test_the_cause_comes_before_what_follows_from_it():
    text = "\n".join(dict(LINES)[name] for name in ("exit-noise", "rtmemcpy-107030", "hccl-ei0006", "npu-oom"))
    assert ids(Text("container", "log", text)) == ["npu-oom", "hccl-ei0006", "exit-noise", "rtmemcpy-107030"]


def test_of_equals_what_is_documented_and_what_is_read_first_comes_first():
    lines = dict(LINES)
    found = ids(
        Text("dmesg", "dmesg", lines["vnpu-process"]),
        Text("plog", "plog", lines["hccl-listen"]),
        Text("container", "log", lines["libatb"]),
    )
    assert found == ["libatb", "vnpu-process", "hccl-listen"]
    assert BY_ID["hccl-listen"].inferred


def test_one_finding_for_all_logs_with_the_nearest_place():
    line = dict(LINES)["libatb"]
    (finding,) = diagnose([Text("plog", "b.log", f"x\n{line}"), Text("container", "a.log", f"x\ny\n{line}\n{line}")])
    assert (finding.count, finding.place.name, finding.place.line, finding.names) == (3, "a.log", 3, ("b.log", "a.log"))


def test_a_place_after_a_gap_is_an_offset():
    (finding,) = diagnose([Text("plog", "p.log", "é\n" + dict(LINES)["libatb"], None, 1000)])
    assert (finding.place.line, finding.place.offset) == (None, 1003)
    assert finding.place.shown() == "p.log, byte 1003"


def test_a_long_line_is_cut_around_the_failure():
    line = "a" * 5000 + " libatb.so: cannot open shared object file " + "b" * 5000
    (finding,) = diagnose([Text("plog", "p", line)])
    assert len(finding.line) <= LINE_LENGTH + 2
    assert "libatb.so: cannot open" in finding.line


def test_counting_stops():
    (finding,) = diagnose([Text("plog", "p", (dict(LINES)["libatb"] + "\n") * (MOST + 50))])
    assert finding.count == MOST


def test_only_harmless_lines_are_health():
    noise = diagnose([Text("plog", "p", dict(LINES)["rtmemcpy-107030"])])
    assert [finding.entry.rank for finding in noise] == [HARMLESS]
    assert healthy(noise)
    assert healthy([])
    assert not healthy(diagnose([Text("plog", "p", dict(LINES)["libatb"])]))


def test_a_finding_for_a_reader():
    (finding,) = diagnose([Text("container", "docker logs x", dict(LINES)["libascendcl"])])
    first, remedy, seen, source = finding.lines()
    assert "set_env.sh" in first
    assert remedy.startswith("  remedy: Source /usr/local/Ascend/ascend-toolkit/set_env.sh")
    assert seen.startswith("  seen once in docker logs x, line 1: ImportError: libascendcl.so")
    assert source == "  source: field guide, faqs.md Q6"
    assert finding.to_dict()["line_number"] == 1

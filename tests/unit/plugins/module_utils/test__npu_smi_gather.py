# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import (
    Mapping,
    MappingRow,
    NpuSmi,
    ToolReportedError,
    VnpuInfo,
    parse_query,
)
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_gather import gather

ROWS = tuple(MappingRow(npu, chip, "Ascend 310P3", logic_id=2 * npu + chip) for npu in (0, 1) for chip in (0, 1))


class Meeting(NpuSmi):
    """Answers a query only while the other NPU is being asked as well, and notes who is asked."""

    def __init__(self) -> None:
        super().__init__("none")
        self.barrier = threading.Barrier(2)
        self.asked: list = []

    def mapping(self) -> Mapping:
        return Mapping(ROWS, prints_phy_id=False)

    def query(self, kind, npu_id, chip_id=None):
        self.asked.append((npu_id, kind, chip_id))
        self.barrier.wait(10)
        return parse_query(kind, "Health Status : OK\n" if kind == "health" else "Firmware Version : 7.1\n")

    def vnpus(self, npu_id, chip_id):
        self.asked.append((npu_id, "vnpus", chip_id))
        self.barrier.wait(10)
        return VnpuInfo({}, (), 0)


def test_npus_side_by_side_and_one_after_the_other_on_one():
    tool = Meeting()
    # One NPU after the other would never meet; two commands on one NPU would leave the order.
    found = gather(tool, {"vnpus", "health", "boards"}, frozenset())
    for npu in (0, 1):
        assert [call[1:] for call in tool.asked if call[0] == npu] == [
            ("board", None),
            ("health", 0),
            ("vnpus", 0),
            ("health", 1),
            ("vnpus", 1),
        ]
    assert [(row["npu_id"], row["chip_id"], row["phy_id"]) for row in found["vnpus"]] == [
        (0, 0, 0),
        (0, 1, 1),
        (1, 0, 2),
        (1, 1, 3),
    ]


def test_a_fault_is_no_missing_support():
    class Broken(Meeting):
        def vnpus(self, npu_id, chip_id):
            raise ToolReportedError("create vnpu failed.", "Look.", None)

    with pytest.raises(ToolReportedError):
        gather(Broken(), {"vnpus"}, frozenset())


def test_nothing_asked_runs_nothing():
    assert gather(NpuSmi("/nonexistent"), [], frozenset()) == {}

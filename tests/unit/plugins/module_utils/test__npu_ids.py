# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import device_nodes, with_ids
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import Chip, Mapping, MappingRow


def duo(*npu_ids):
    return [(npu, chip, 2 * i + chip) for i, npu in enumerate(npu_ids) for chip in (0, 1)]


@pytest.mark.parametrize(
    ("ids", "nodes", "phy"),
    [
        # (NPU id, chip id, logic id) of each chip, numbers of /dev/davinciN -> phy ids
        pytest.param([(0, 0, 0), (1, 0, 1)], {0, 1}, [0, 1], id="server"),
        pytest.param([(0, 0, 0), (1, 0, 1)], set(), [0, 1], id="server-without-nodes"),
        pytest.param([(4, 0, 0), (5, 0, 1)], {4, 5}, [4, 5], id="container-with-npus-4-and-5"),
        pytest.param([(224, 0, 0)], {0}, [0], id="card-with-bus-number"),
        pytest.param([(1, 0, 0), (2, 0, 1), (4, 0, 2)], {0, 1, 2}, [0, 1, 2], id="cards-numbered-by-slot"),
        pytest.param([(224, 0, 0)], set(), [None], id="nothing-decides"),
        pytest.param([(1, 0, 0), (0, 0, 1)], {0, 1}, [None, None], id="nodes-do-not-decide"),
        pytest.param([(7, 0, 0)], {3}, [None], id="nodes-fit-neither"),
        pytest.param(duo(1, 2), {0, 1, 2, 3}, [0, 1, 2, 3], id="two-chips-on-a-card"),
        pytest.param(duo(1536, 1792), set(), [0, 1, 2, 3], id="two-chips-without-nodes"),
    ],
)
def test_phy_id_that_is_not_printed(ids, nodes, phy):
    chips = [Chip(npu_id=npu, chip_id=chip) for npu, chip, _logic in ids]
    rows = tuple(MappingRow(npu, chip, "310P3", logic_id=logic) for npu, chip, logic in ids)
    mcu = tuple(MappingRow(npu, 9, "Mcu") for npu, _chip, _logic in ids)
    found = with_ids(chips, Mapping(rows + mcu, prints_phy_id=False), frozenset(nodes))
    assert [chip.phy_id for chip in found] == phy
    assert [chip.logic_id for chip in found] == [logic for _npu, _chip, logic in ids]


def test_printed_phy_id_is_taken():
    chips = [Chip(npu_id=0, chip_id=0), Chip(npu_id=0, chip_id=1)]
    rows = (MappingRow(0, 0, "Ascend910", 0, 6), MappingRow(0, 1, "Ascend910", 1, 7), MappingRow(0, 2, "Mcu"))
    found = with_ids(chips, Mapping(rows, prints_phy_id=True), frozenset({0, 1}))
    assert [(chip.logic_id, chip.phy_id) for chip in found] == [(0, 6), (1, 7)]


def test_phy_id_of_the_table_is_kept():
    chips = (Chip(npu_id=0, chip_id=0, phy_id=6), Chip(npu_id=0, chip_id=1, phy_id=7))
    assert with_ids(chips, None) == chips
    rows = (MappingRow(0, 0, "Ascend910", 0), MappingRow(0, 1, "Ascend910", 1))
    assert [c.phy_id for c in with_ids(chips, Mapping(rows, prints_phy_id=False))] == [6, 7]


def test_chip_without_chip_id_is_the_only_one_of_its_npu():
    mapping = Mapping((MappingRow(3, 0, "Ascend950PR", phy_id=5, slot_id=1),), prints_phy_id=True)
    assert with_ids([Chip(npu_id=3)], mapping)[0].phy_id == 5


def test_chip_missing_in_the_mapping_is_not_guessed():
    chips = [Chip(npu_id=0, chip_id=0), Chip(npu_id=1, chip_id=0)]
    mapping = Mapping((MappingRow(0, 0, "Ascend910", 0, 0),), prints_phy_id=True)
    assert [chip.phy_id for chip in with_ids(chips, mapping)] == [0, None]


def test_device_column_is_the_logic_id():
    assert with_ids([Chip(npu_id=5, chip_id=1, device_id=7)], None)[0].logic_id == 7


def test_device_nodes(tmp_path):
    for name in ("davinci0", "davinci12", "davinci_manager", "vdavinci100", "davinci", "null"):
        (tmp_path / name).touch()
    assert device_nodes(str(tmp_path)) == {0, 12}

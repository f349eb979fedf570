# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _npu_model
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import parse_info


@pytest.mark.parametrize(
    ("name", "family", "suffix", "chips"),
    [
        ("910B3", "A2", "", 1),
        ("Ascend 910B4", "A2", "", 1),
        ("910B4-1", "A2", "", 1),
        ("910B2C", "A2", "", 1),
        ("Ascend910", "A3", "-a3", 2),
        ("Ascend910_9382", "A3", "-a3", 2),
        ("310P3", "310P", "-310p", None),
        ("310Pvir01", "310P", "-310p", None),
        ("Ascend950PR", "950", "-a5", 1),
        ("910A", "910", None, 1),
        ("Ascend 910A", "910", None, 1),
        ("910ProB", "910", None, 1),
        ("910B", "910", None, 1),
        ("310B4", "310B", None, 1),
    ],
)
def test_family(name, family, suffix, chips):
    assert _npu_model.family(name).name == family
    assert _npu_model.image_suffix(name) == suffix
    assert _npu_model.chips_per_npu(name) == chips


@pytest.mark.parametrize("name", ["", "xxx", "H100", "Mcu"])
def test_unknown_chip(name):
    assert _npu_model.family(name) is None
    assert _npu_model.image_suffix(name) is None
    assert _npu_model.chips_per_npu(name) is None
    assert _npu_model.idle_hbm_mb(name) == 4806 + _npu_model.IDLE_MARGIN_MB


@pytest.mark.parametrize(
    ("name", "seen"),
    [("910B4", 2842), ("Ascend 910B4", 2842), ("Ascend910", 3402), ("910A", 1), ("910B2", 4175), ("Ascend950DT", 4806)],
)
def test_idle_use(name, seen):
    assert _npu_model.idle_hbm_mb(name) == seen + _npu_model.IDLE_MARGIN_MB


def test_no_capture_contradicts_idle_use(info_capture):
    """Idle chips stay below; chips that hold a model are above, even if their processes were not listed."""
    info = parse_info(info_capture.text)
    for chip in info.chips:
        if chip.hbm_mb is None:
            continue
        limit = _npu_model.idle_hbm_mb(chip.name)
        if chip.npu_id in info.no_process_npus:
            assert chip.hbm_mb[0] <= limit - _npu_model.IDLE_MARGIN_MB
        held = sum(p.memory for p in info.processes if (p.npu_id, p.chip_id) == (chip.npu_id, chip.chip_id))
        if held > 1000 and info.process_memory_unit == "MB":
            assert chip.hbm_mb[0] > limit


def test_source_of_each_number_is_a_capture():
    from pathlib import Path

    captures = Path(__file__).parents[3] / "fixtures" / "corpus" / "captures"
    for _mb, source in _npu_model._IDLE_HBM_SEEN.values():
        name = source.split(": ")[1].split(";")[0]
        assert (captures / f"{name}.txt").is_file(), name

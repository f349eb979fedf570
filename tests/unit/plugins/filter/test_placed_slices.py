# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""placed_slices: our slices become the earlier placement, those of others do not."""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.filter.placed_slices import FilterModule


def row(npu_id, service, owned=True, vnpu_id=196):
    return {
        "npu_id": npu_id,
        "chip_id": 0,
        "vnpu_id": vnpu_id,
        "template": "vir05_1c_16g",
        "service": service,
        "in_use": False,
        "owned": owned,
    }


def test_what_is_ours_and_a_services_was_placed():
    placed_slices = FilterModule().filters()["placed_slices"]
    slices = [row(6, "embedding"), row(6, None), row(7, "ocr", owned=False)]
    standing = {"a": {"slices": slices}, "b": {"skipped": True}}
    assert placed_slices(standing) == [
        {
            "name": "embedding",
            "nodes": {
                "a": {
                    "npu_ids": [6],
                    "slice": {"npu_id": 6, "chip_id": 0, "template": "vir05_1c_16g", "vnpu_id": 196},
                }
            },
        }
    ]

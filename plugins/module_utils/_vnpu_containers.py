# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which NPUs and slices running containers have. This module util is PRIVATE to the collection.

Two ways lead a device into a container: ``--device /dev/davinciN`` (or vdavinciN), and the variable
ASCEND_VISIBLE_DEVICES, from which the Ascend runtime makes the devices when the container starts.
"""

from __future__ import annotations

import re

_DEVICE = re.compile(r"/dev/(v?)davinci(\d+)")
# Ids of vNPUs begin here, far beyond every phy id: what a container has by such a number is a slice, VIRTUAL or not.
_FIRST_SLICE = 100
_RANGE = re.compile(r"(?:[A-Za-z]\w*-)?(\d+)(?:-(\d+))?")


def mounts(inspected) -> tuple:
    """({phy id: [container name]}, {vnpu id: [container name]}) from the list that ``docker inspect`` prints."""
    whole: dict = {}
    sliced: dict = {}
    for container in inspected:
        name = (container.get("Name") or container.get("Id") or "?").lstrip("/")
        for target, number in sorted(_devices(container) | _visible(container)):
            names = (sliced if target == "slice" else whole).setdefault(number, [])
            names.append(name)
    return whole, sliced


def _devices(container) -> set:
    rows = (container.get("HostConfig") or {}).get("Devices") or []
    matches = (_DEVICE.fullmatch(row.get("PathOnHost") or "") for row in rows)
    return {("slice" if match.group(1) else "whole", int(match.group(2))) for match in matches if match}


def _visible(container) -> set:
    """Devices by ASCEND_VISIBLE_DEVICES: "0,2-4", "npu-1" or "Ascend910-0", of slices with VIRTUAL as an option."""
    rows = (container.get("Config") or {}).get("Env") or []
    env = dict(row.split("=", 1) for row in rows if "=" in row)
    if env.get("ASCEND_VNPU_SPECS"):
        # The runtime cuts a slice of its own there: info-vnpu lists it.
        return set()
    virtual = "VIRTUAL" in env.get("ASCEND_RUNTIME_OPTIONS", "").split(",")
    found = set()
    for entry in env.get("ASCEND_VISIBLE_DEVICES", "").split(","):
        match = _RANGE.fullmatch(entry.strip())
        if match:
            first, last = int(match.group(1)), int(match.group(2) or match.group(1))
            for number in range(first, min(last, first + 1024) + 1):
                found.add(("slice" if virtual or number >= _FIRST_SLICE else "whole", number))
    return found


__all__ = ["mounts"]

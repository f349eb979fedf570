# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ascend-docker-destroy CARD DEVICE VNPU``: the poststop hook that takes back the vNPU cut for a container."""

from __future__ import annotations

from . import dcmi
from .common import Log, RuntimeFailure

LOG = "hook-run.log"
LARGEST = 65535


def main(argv: list[str]) -> int:
    log = Log(LOG)
    words = argv[1:]
    if len(words) != 3 or not all(word.isdigit() and int(word) <= LARGEST for word in words):
        log.error("destroy params value error.")
        return 255
    card, device, number = map(int, words)
    log.info(f"start to destroy v-device {number} start...")
    try:
        dcmi.Library().destroy(card, device, number)
    except RuntimeFailure as failure:
        log.error(str(failure))
        print(failure)
        return 255
    log.info(f"destroy v-device {number} successfully")
    return 0

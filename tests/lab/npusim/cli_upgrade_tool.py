# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``upgrade-tool`` of the driver: versions and start of the chips, all at once. Wording of the vendor's guides.

Writing chips with it is the firmware package's business and is not emulated here.
"""

from __future__ import annotations

import sys

from . import gate, state

TOOL = "upgrade-tool"
COMPONENTS = ("nve", "xloader", "m3fw", "uefi", "tee", "kernel", "dtb", "rootfs", "hsm")


def main(argv: list[str] | None = None) -> int:
    args = sys.argv[1:] if argv is None else argv
    if args[:2] != ["--device_index", "-1"] or args[2:] not in (
        ["--component", "-1", "--version"],
        ["--boot_status"],
    ):
        print("Usage: upgrade-tool --device_index -1 --component -1 --version")
        print("       upgrade-tool --device_index -1 --boot_status")
        return 1
    try:
        machine = gate.enter(TOOL)
    except state.NoState:
        print("get device count fail")
        return 1
    for npu in machine.npus:
        for chip in npu.chips:
            if args[2:] == ["--boot_status"]:
                print(f"device_id:{chip.logic_id}, boot status:16")
                continue
            for component in COMPONENTS:
                values = f'"component":{component}, "version":{machine.firmware_version}'
                print(f'{{"device_id":{chip.logic_id}, {values}}}')
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Scripts that installers leave on a machine: to remove what they installed, to set up CANN's environment.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import glob
import os

from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import (
    Cann,
    Installed,
    Part,
    below,
    parse_values,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import same_version

# Below the directory of a version. Only the script of that very part: the toolkit's would take the rest along.
_OF_CANN = {
    "toolkit": ("*-linux/script/uninstall.sh", "script/uninstall.sh"),
    "ops": ("*-linux/script/ops_uninstall.sh", "script/ops_uninstall.sh"),
    "kernels": ("opp_kernel/script/uninstall.sh", "opp_kernel/script/opp_kernel_uninstall.sh"),
    "nnal": ("scripts/uninstall.sh", "script/uninstall.sh"),
}
# set_env.sh of before 8.5 names "latest"; what is installed into is the version that fits.
_IN_TOOLKIT = '. "$0" && export ASCEND_TOOLKIT_HOME="$1" ASCEND_HOME_PATH="$1" && shift && exec bash "$@"'


def of_cann(entry: Cann, root: str = "/") -> list:
    """The script that removes a part of CANN; [] if it left none."""
    patterns = _OF_CANN.get(entry.component, _OF_CANN["toolkit"])
    found = [name for pattern in patterns for name in sorted(glob.glob(below(root, os.path.join(entry.path, pattern))))]
    return found[:1]


def of_part(kind: str, part: Part, files: dict, root: str = "/") -> list:
    """The script that removes driver, firmware or Docker runtime, with its words; [] if it is not there."""
    runtime = kind == "docker_runtime"
    folder = "Ascend-Docker-Runtime" if runtime else kind
    script = below(root, os.path.join(part.path or "", folder, "script/uninstall.sh"))
    if not os.path.exists(script):
        return []
    return [script, *(_runtime_scene(files) if runtime else [])]


def in_toolkit(version: str, installed: Installed, root: str = "/") -> list:
    """What starts a package in the environment of its toolkit, which nnal asks for; the script's words follow."""
    for entry in installed.cann:
        if entry.component in ("toolkit", "nnae") and same_version(version, entry.version):
            for place in (entry.path, os.path.dirname(entry.path)):
                script = below(root, os.path.join(place, "set_env.sh"))
                if os.path.exists(script):
                    return ["bash", "-c", _IN_TOOLKIT, script, entry.path]
    return ["bash"]


def _runtime_scene(files: dict) -> list:
    """Words of the Docker runtime's uninstall script: nothing for iSula's old option, the scene, its file."""
    for path, text in files.items():
        if path.endswith("/ascend_docker_runtime_install.info"):
            values = parse_values(text)
            config = values.get("config-file-path", "")
            return ["none", values.get("install-scene") or "docker", *([config] if config else [])]
    return ["none", "docker"]


__all__ = ["in_toolkit", "of_cann", "of_part"]

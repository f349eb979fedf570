# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""All of a machine's vendor software as one dict. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.module_utils._run_package_checks import misfits
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_journal import Journal
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_work import written_at
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import Installed, Part
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_running import Running, boot_time, why_restart


def stack(installed: Installed, running: Running, journal: Journal, root: str = "/") -> dict:
    """What the module stack_info returns; its RETURN documents the keys."""
    booted = boot_time()
    reasons = []

    def row(kind: str, part: Part) -> dict:
        cut = journal.unfinished(kind)
        changed = written_at(part, kind, root)
        reason = why_restart(kind, part, running, journal.reboot(kind), changed, booted)
        if reason and reason not in reasons:
            reasons.append(reason)
        return {
            "installed": part.version,
            "running": running.version(kind),
            "path": part.path,
            "complete": part.complete and not cut,
            "hdk": part.hdk if part.version else None,
            "reboot_required": bool(reason),
        }

    driver, firmware = row("driver", installed.driver), row("firmware", installed.firmware)
    runtime = installed.docker_runtime
    return {
        "driver": {**driver, "loaded": running.loaded},
        "firmware": {**firmware, "npus": [{"npu_id": npu, "running": version} for npu, version in running.firmwares]},
        "docker_runtime": runtime.version,
        "docker_runtime_path": runtime.path,
        "cann": [entry.to_dict() for entry in installed.cann],
        "hdk": installed.hdk,
        "misfits": misfits(installed),
        "reboot_required": bool(reasons),
        "reboot_reasons": reasons,
        "trouble": running.trouble,
    }


__all__ = ["stack"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a node ready for what was placed on it, and does it serve it afterwards? Pure decisions over what was read.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._services import Problem


def _holders(found, npu_id):
    return [p for p in found["processes"] if p["npu_id"] == npu_id]


def _who(process, owner):
    text = f"process {process['pid']} ({process['name'] or 'name hidden'})"
    return text + (f" of service '{owner}'" if owner else "")


def check_npus(host, service, npu_ids, found, owners, idle_mb, template=None):
    """Faults of the NPUs that a service is to get.

    :arg found: an C(npu_info) result with chips and processes.
    :arg owners: {pid: service name or None} of the processes on the NPUs.
    Chips without HBM (310P) are not searched for memory that nobody holds: their DDR serves the system too.

    :arg template: that of the service's slice, if it has one. Then others may well be on the chip, on slices of theirs.
    :arg idle_mb: function from a chip name to the HBM (MB) that an idle chip of it shows at most.
    """
    problems = []
    item = f"service '{service}'"
    for npu in npu_ids:
        chips = [c for c in found["chips"] if c["npu_id"] == npu]
        if not chips:
            problems.append(
                Problem(host, item, f"NPU {npu} is absent", "look at `npu-smi info -l` and the driver's log (dmesg)")
            )
            continue
        sick = sorted({c["health"] for c in chips if c["health"] != "OK"}, key=str)
        if sick:
            problems.append(
                Problem(
                    host,
                    item,
                    f"NPU {npu} has health {', '.join(map(str, sick))}",
                    f"read the codes with `npu-smi info -t health -i {npu}`, repair it, "
                    "or place the service on other NPUs",
                )
            )
        if template is not None:
            continue
        processes = _holders(found, npu)
        strangers = [p for p in processes if owners.get(p["pid"]) != service]
        for process in strangers:
            owner = owners.get(process["pid"])
            problems.append(
                Problem(
                    host,
                    item,
                    f"NPU {npu} is used by {_who(process, owner)}",
                    "take that service away first" if owner else "stop it, or place the service on other NPUs",
                )
            )
        for chip in chips:
            if any(p["chip_id"] in (chip["chip_id"], None) for p in processes):
                continue
            used = (chip["hbm_mb"] or [None])[0]
            if used is not None and used > idle_mb(chip["name"]):
                problems.append(
                    Problem(
                        host,
                        item,
                        f"NPU {npu} chip {chip['chip_id']} has {used} MB of HBM in use "
                        f"(idle: up to {idle_mb(chip['name'])} MB) and lists no process",
                        "a dead process left it behind: reset the chip with "
                        f"`npu-smi set -t reset -i {npu} -c {chip['chip_id']}`, or reboot",
                    )
                )
    return problems


def check_ports(host, service, ports, listening):
    """Ports of a service that somebody else listens on. C(listening) is what C(_proc.listeners) returns."""
    problems = []
    for port in ports:
        for holder in listening.get(port, []):
            if holder["owner"] == service:
                continue
            who = f"process {holder['pid']} ({holder['name']})" if holder["pid"] else "a process of another container"
            if holder["owner"]:
                who += f" of service '{holder['owner']}'"
            problems.append(
                Problem(
                    host,
                    f"service '{service}'",
                    f"port {port} is taken by {who}",
                    "stop it, or take another port (port of the service, preflight_ray_port for Ray)",
                )
            )
    return problems


def check_paths(host, missing):
    """Host paths that the containers mount and that are not there; the engine would make empty directories of them."""
    return [
        Problem(host, "driver", f"{path} is missing", "install or repair the driver (HDK) of this node")
        for path in missing
    ]


def check_model(host, service, path, seen):
    """Is the model there?

    :arg seen: {"directory": bool, "config": bool, "weights": bool, "missing": [weight files of the index],
        "outside": [files that are links out of the directory], "broken": (problem, remedy) of a file that was read}
    """
    item = f"service '{service}'"
    if not seen["directory"]:
        return [
            Problem(
                host,
                item,
                f"the model directory {path} does not exist",
                "copy the weights there, on every host of the service",
            )
        ]
    if not seen["config"]:
        return [Problem(host, item, f"{path} holds no config.json", "point model at the directory with the weights")]
    if seen["outside"]:
        return [
            Problem(
                host,
                item,
                f"{seen['outside'][0]} in {path} is a link out of that directory, and only the directory is mounted",
                "copy the files themselves, as `cp -rL` does",
            )
        ]
    if not seen["weights"]:
        return [Problem(host, item, f"{path} holds no weights", "copy the model again")]
    if seen["missing"]:
        return [
            Problem(
                host,
                item,
                f"{path} lacks {len(seen['missing'])} weight files of its index, first {seen['missing'][0]}",
                "copy the model again",
            )
        ]
    if seen.get("broken"):
        return [Problem(host, item, *seen["broken"])]
    return []


def check_serving(host, parts, found, owners):
    """Does every NPU of a placement carry its service, and no other NPU one of these services?

    :arg parts: [{"service", "npu_ids"}, ...] of this host.
    """
    problems = []
    wanted = {}
    for part in parts:
        for npu in part["npu_ids"]:
            wanted.setdefault(npu, set()).add(part["service"])
    for part in parts:
        item = f"service '{part['service']}'"
        for npu in part["npu_ids"]:
            for chip in (c for c in found["chips"] if c["npu_id"] == npu):
                mine = [
                    p
                    for p in _holders(found, npu)
                    if p["chip_id"] in (chip["chip_id"], None) and owners.get(p["pid"]) == part["service"]
                ]
                if not mine:
                    problems.append(
                        Problem(
                            host,
                            item,
                            f"NPU {npu} chip {chip['chip_id']} shows no process of it",
                            f"read `journalctl -u npuops-{part['service']}` on the head",
                        )
                    )
                elif not any(p["memory"] for p in mine):
                    problems.append(
                        Problem(
                            host,
                            item,
                            f"its process on NPU {npu} chip {chip['chip_id']} holds no memory",
                            f"read `journalctl -u npuops-{part['service']}` on the head",
                        )
                    )
    ours = {part["service"] for part in parts}
    for process in found["processes"]:
        owner = owners.get(process["pid"])
        if owner in ours and owner not in wanted.get(process["npu_id"], ()):
            problems.append(
                Problem(
                    host,
                    f"service '{owner}'",
                    f"{_who(process, None)} is on NPU {process['npu_id']}, which was not placed for it",
                    "restart its units; then run this again",
                )
            )
    return problems

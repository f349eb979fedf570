# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is like, judged: C(host_check) of one node, and of all beside each other.

Settings that cost speed are notes; what makes services fail, or will, is a warning. Nothing here is an error but what
cannot work at all.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from . import _compatibility_data as data
from ._compatibility import Finding
from ._compatibility_versions import at_least

# The oldest Python that runs the modules of the collection.
PYTHON_OLDEST = "3.8"
# vLLM's own guide starts its containers with that much.
SHM_GB = 1.0
# ascend-deployer refuses a file system of images that is fuller.
DISK_FULL_PCT = 85.0
# Reserved pages that nobody uses are memory that nobody has.
HUGEPAGES_IDLE_SHARE = 0.5
_GUIDE = "the tuning guide of vLLM-Ascend sets"


class Limits(NamedTuple):
    """``skew_s`` is how far clocks may be apart, ``image_gb`` the room that an image of an engine takes unpacked."""

    skew_s: float = 5.0
    image_gb: float = 30.0


def check_host(host, chip, limits, several):
    """Findings of one node.

    :arg host: what C(_host_check.look) read. :arg chip: family of its NPUs, or None.
    :arg several: whether other nodes belong to it, so that its network matters.
    """
    for rule in (_system, _speed, _network, _room):
        yield from rule(host, chip, limits, several)


def _system(host, chip, _limits, _several):
    if host["arch"] not in data.ARCHITECTURES:
        known = " and ".join(data.ARCHITECTURES)
        yield Finding("error", "architecture", f"it is {host['arch']}", f"there are drivers for {known} only")
    if not at_least(host["python"], PYTHON_OLDEST):
        yield Finding(
            "error",
            "Python",
            f"modules run with {host['python']}",
            f"set ansible_python_interpreter to {PYTHON_OLDEST} or newer",
        )
    known = data.SYSTEMS.get(chip)
    if known and not _known_system(host["os"], known):
        yield Finding(
            "warning",
            "operating system",
            f"no list of the vendor names {host['os']['name'] or 'this system'} for {chip} servers",
            "expect that the driver is built against the kernel here",
        )
    if not host["ids"]["machine_id"]:
        yield Finding("note", "ids", "/etc/machine-id is empty", "run systemd-machine-id-setup")


def _known_system(found, known):
    version = found["version"] or ""
    return any(
        found["id"] == name
        and any(version == begin or version.startswith((f"{begin}.", f"{begin} ")) for begin in begins)
        for name, begins in known
    )


def _speed(host, _chip, _limits, _several):
    memory = host["memory"]
    if memory["swap_mb"] and (host["swappiness"] or 0) > 0:
        yield Finding("note", "swap", f"vm.swappiness is {host['swappiness']} and there is swap", f"{_GUIDE} 0")
    if (host["numa_nodes"] or 1) > 1 and host["numa_balancing"]:
        yield Finding("note", "NUMA", "kernel.numa_balancing is on", f"{_GUIDE} 0")
    slow = [governor for governor in host["governors"] if governor != "performance"]
    if slow:
        yield Finding("note", "CPU", f"CPUs are governed by {', '.join(slow)}", f"{_GUIDE} performance")
    pages = memory["hugepages"]
    idle_mb = (pages["free"] or 0) * (pages["size_kb"] or 0) // 1024
    if memory["total_mb"] and idle_mb > HUGEPAGES_IDLE_SHARE * memory["total_mb"]:
        yield Finding(
            "warning",
            "huge pages",
            f"{pages['free']} huge pages that nobody uses hold more than half of the memory",
            "lower vm.nr_hugepages",
        )
    if not host["container"] and host["shm"]["total_gb"] < SHM_GB:
        yield Finding(
            "note",
            "/dev/shm",
            f"it has {host['shm']['total_gb']} GB",
            "engines that run outside of containers want more",
        )


def _network(host, chip, _limits, several):
    npus, roce = host["npus"], host["roce"]
    level = "warning" if several else "note"
    if host["firewalls"]:
        yield Finding(
            level,
            "firewall",
            f"{' and '.join(host['firewalls'])} is active",
            "open the ports of Ray and HCCL between the nodes, or stop it",
        )
    if host["selinux"] == "enforcing":
        yield Finding("note", "SELinux", "it is enforcing", "label the directories that containers mount")
    if not npus["phy_ids"] or chip not in ("A2", "A3", "910", "950"):
        return
    if roce is None:
        yield Finding(level, "RoCE", "there is no /etc/hccn.conf", "give the NPUs addresses with hccn_config")
        return
    bare = [phy_id for phy_id in npus["phy_ids"] if str(phy_id) not in roce]
    if bare:
        yield Finding(
            level,
            "RoCE",
            f"phy ids {', '.join(map(str, bare))} have no address in hccn.conf",
            "give them one with hccn_config",
        )


def _room(host, _chip, limits, _several):
    for disk in host["disks"]:
        if disk["use"] == "images" and disk["used_pct"] >= DISK_FULL_PCT:
            problem = f"{disk['path']} is full to {disk['used_pct']:.0f} %"
        elif disk["use"] == "images" and disk["free_gb"] < limits.image_gb:
            problem = f"{disk['path']} has {disk['free_gb']:.0f} GB free"
        elif disk["use"] == "models" and disk["free_gb"] < 1:
            problem = f"{disk['path']} is full"
        else:
            continue
        what = f"an image takes up to {limits.image_gb:.0f} GB" if disk["use"] == "images" else "no model fits there"
        yield Finding("warning", "disk", problem, f"make room, {what}")


def compare_hosts(hosts, limits):
    """What shows only beside the other nodes: pairs of a L(Finding) and the hosts it is about.

    :arg hosts: {inventory name: what C(_host_check.look) read}.
    """
    words = {"machine_id": "/etc/machine-id", "product_uuid": "product UUID", "hostname": "host name"}
    remedies = {
        "machine_id": "empty the file and run systemd-machine-id-setup on all but one: they were cloned",
        "product_uuid": "see whether two names of the inventory are one machine",
        "hostname": "give each node a name of its own",
    }
    for key, word in words.items():
        for value, names in _same(hosts, lambda host, key=key: [host["ids"][key]]):
            yield Finding("warning", "ids", f"they share the {word} {value}", remedies[key]), names
    for address, names in _same(hosts, lambda host: set((host["roce"] or {}).values())):
        problem = f"RoCE address {address} is in the hccn.conf of all of them"
        yield Finding("warning", "RoCE", problem, "give each NPU an address of its own with hccn_config"), names
    yield from _clocks(hosts, limits)


def _same(hosts, values_of):
    """(value, hosts) of what several have."""
    seen = {}
    for name, host in hosts.items():
        for value in values_of(host):
            if value:
                seen.setdefault(value, []).append(name)
    return [(value, names) for value, names in seen.items() if len(names) > 1]


def _clocks(hosts, limits):
    ahead = {name: host["clock"]["ahead_s"] for name, host in hosts.items() if host["clock"]["ahead_s"] is not None}
    if not ahead:
        return
    usual = median(ahead.values())
    if max(ahead.values()) - min(ahead.values()) > limits.skew_s:
        # Of two nodes nobody can say which one is right: both are half-way from the middle.
        far = {name: value - usual for name, value in ahead.items() if abs(value - usual) > limits.skew_s / 2}
        shown = ", ".join(f"{name} {value:+.0f} s" for name, value in sorted(far.items())[:4])
        problem = (
            f"clocks are apart by up to {max(ahead.values()) - min(ahead.values()):.0f} s ({shown} from the middle)"
        )
        yield Finding("warning", "clock", problem, "keep time with chronyd against one server"), list(far)
    elif abs(usual) > max(60.0, limits.skew_s):
        problem = f"the clocks of all nodes are {usual:+.0f} s from that of the controller"
        yield Finding("note", "clock", problem, "see which of them is right"), list(ahead)
    unkept = [name for name, host in hosts.items() if not host["clock"]["kept_by"] and not host["container"]]
    if unkept:
        yield Finding("note", "clock", "no service keeps the time", "run chronyd"), unkept


__all__ = ["Limits", "check_host", "compare_hosts"]

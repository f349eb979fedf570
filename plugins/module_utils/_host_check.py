# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is like: system, memory, clock, ids, disks, NPUs, vendor software. Read from files, nothing is started.

Whatever cannot be read is None: a container has no governor, a virtual machine no NUMA. Judging is another matter
(C(_compatibility_host)), for much of it shows only beside the other nodes.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import glob
import json
import os
import platform
import re
import socket
import time

from ._vendor_installed import collect, read_installed

# Huawei's vendor id, and families by device id: device_bdf of the driver's installer, and `lspci` of machines.
PCI_VENDOR = "0x19e5"
PCI_FAMILIES = {
    "0xd100": "310",
    "0xd107": "310B",
    "0xd500": "310P",
    "0xd801": "910",
    "0xd802": "A2",
    "0xd803": "A3",
    "0xd806": "950",
}
TIME_SERVICES = ("chronyd", "chrony", "systemd-timesyncd", "ntpd", "ntp", "ntpsec")


class Files:
    """The files of a node, below C(root)."""

    def __init__(self, root="/"):
        self.root = root

    def path(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def text(self, path):
        """The text without blanks around it, or None."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as handle:
                return handle.read().strip()
        except OSError:
            return None

    def number(self, path):
        text = self.text(path)
        return int(text) if text is not None and re.fullmatch(r"-?\d+", text) else None

    def glob(self, pattern):
        return sorted(glob.glob(self.path(pattern)))

    def there(self, path):
        return os.path.lexists(self.path(path))


def parse_os_release(text):
    """{id, version, name}: C(ID) in lower case, C(VERSION_ID), C(PRETTY_NAME)."""
    values = {}
    for line in (text or "").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            values[key.strip()] = value.strip().strip("\"'")
    return {
        "id": values.get("ID", "").lower() or None,
        "version": values.get("VERSION_ID") or None,
        "name": values.get("PRETTY_NAME") or None,
    }


def parse_meminfo(text):
    """MB of memory and swap, and the pages of the default huge page size."""
    found = dict(re.findall(r"^(\w+):\s+(\d+)", text or "", re.MULTILINE))

    def mb(key):
        return int(found[key]) // 1024 if key in found else None

    pages = {"total": "HugePages_Total", "free": "HugePages_Free", "size_kb": "Hugepagesize"}
    return {
        "total_mb": mb("MemTotal"),
        "swap_mb": mb("SwapTotal"),
        "hugepages": {name: int(found[key]) if key in found else None for name, key in pages.items()},
    }


def parse_chosen(text):
    """The word in brackets, as C(always [madvise] never) has it; None without one."""
    found = re.search(r"\[(\w+)\]", text or "")
    return found.group(1) if found else None


def count_ids(text):
    """How many ids a list as C(0-3,7) names; None for none."""
    spans = re.findall(r"(\d+)(?:-(\d+))?", text or "")
    return sum(int(last or first) - int(first) + 1 for first, last in spans) or None


def system(files):
    release = files.text("/etc/os-release") or files.text("/usr/lib/os-release")
    kernel = files.text("/proc/sys/kernel/osrelease") or platform.release()
    return {
        "os": parse_os_release(release),
        "kernel": kernel,
        # What drivers are built against, where the vendor has no binaries for the kernel.
        "kernel_headers": os.path.exists(files.path(f"/lib/modules/{kernel}/build")),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "container": _container(files),
    }


def _container(files):
    """What kind of container the node is, as systemd or Docker mark it; None for a machine."""
    marked = files.text("/run/systemd/container")
    return marked or ("docker" if files.there("/.dockerenv") else None)


def tuning(files):
    policies = files.glob("/sys/devices/system/cpu/cpufreq/policy*/scaling_governor")
    governors = {_text_of(path) for path in policies}
    return {
        "memory": parse_meminfo(files.text("/proc/meminfo")),
        "transparent_hugepages": parse_chosen(files.text("/sys/kernel/mm/transparent_hugepage/enabled")),
        "swappiness": files.number("/proc/sys/vm/swappiness"),
        "numa_nodes": count_ids(files.text("/sys/devices/system/node/online")),
        "numa_balancing": files.number("/proc/sys/kernel/numa_balancing"),
        "governors": sorted(governor for governor in governors if governor),
    }


def _text_of(path):
    return Files("/").text(path)


def security(files):
    """Firewalls that are active, and how SELinux is: C(enforcing), C(permissive) or C(disabled)."""
    enforce = files.number("/sys/fs/selinux/enforce")
    active = ["firewalld"] if _unit_active(files, "firewalld") else []
    if re.search(r"^ENABLED=yes", files.text("/etc/ufw/ufw.conf") or "", re.MULTILINE | re.IGNORECASE):
        active.append("ufw")
    return {
        "firewalls": active,
        "selinux": "disabled" if enforce is None else "enforcing" if enforce else "permissive",
    }


def _unit_active(files, unit):
    """systemd keeps a link for each unit while it is active (since 235; older ones have the cgroup)."""
    groups = ("/sys/fs/cgroup/systemd/system.slice", "/sys/fs/cgroup/system.slice")
    return files.there(f"/run/systemd/units/invocation:{unit}.service") or any(
        os.path.isdir(files.path(f"{group}/{unit}.service")) for group in groups
    )


def space(path, files):
    """GB of the file system that a path is on, or would be; used_pct as C(df) counts it."""
    there = path
    while not os.path.exists(files.path(there)) and there not in ("/", ""):
        there = os.path.dirname(there)
    found = os.statvfs(files.path(there))
    total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    return {
        "path": path,
        "total_gb": round(total / 1e9, 1),
        "free_gb": round(free / 1e9, 1),
        "used_pct": round(100 * used / (used + free), 1) if used + free else 0.0,
    }


def docker(files, path="/var/run/docker.sock", timeout=5.0):
    """The engine that answers at its socket, and where it keeps images; version None when none answers."""
    try:
        options = json.loads(files.text("/etc/docker/daemon.json") or "{}")
        root = options.get("data-root") or options.get("graph")
    except (ValueError, AttributeError):
        root = None  # the docker role says what is wrong with that file
    found = {"version": None, "data_root": root or "/var/lib/docker"}
    if not files.there(path):
        return found
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            talk.settimeout(timeout)
            talk.connect(files.path(path))
            talk.sendall(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n")
            answer = b"".join(iter(lambda: talk.recv(65536), b""))
        found["version"] = json.loads(answer.partition(b"\r\n\r\n")[2])["Version"]
    except (OSError, ValueError, KeyError):
        pass  # stopped, or no engine: there is no version to compare
    return found


def clock(files, controller_time=None):
    """Seconds since the epoch, what keeps them right, and how far they are after the controller's.

    C(ahead_s) includes the time that the call took to get here.
    """
    now = time.time()
    running = [name for name in TIME_SERVICES if _unit_active(files, name)]
    return {
        "time": round(now, 3),
        "ahead_s": None if controller_time is None else round(now - controller_time, 3),
        "kept_by": running[0] if running else None,
    }


def ids(files):
    """What must differ from node to node. The product's id is that of the host in a container, so it is None there."""
    product = None if _container(files) else files.text("/sys/class/dmi/id/product_uuid")
    return {
        "machine_id": files.text("/etc/machine-id") or None,
        "product_uuid": product.lower() if product else None,
        "hostname": files.text("/proc/sys/kernel/hostname") or platform.node(),
    }


def npus(files):
    """NPUs on the bus, the family of all of them (None if none or several), and phy ids that have a device node."""
    counts = {}
    for path in files.glob("/sys/bus/pci/devices/*/vendor"):
        if _text_of(path) == PCI_VENDOR:
            family = PCI_FAMILIES.get(_text_of(os.path.join(os.path.dirname(path), "device")))
            counts[family] = counts.get(family, 0) + 1
    counts.pop(None, None)
    found = (re.fullmatch(r"davinci(\d+)", os.path.basename(path)) for path in files.glob("/dev/davinci*"))
    return {
        "on_bus": sum(counts.values()),
        "family": next(iter(counts)) if len(counts) == 1 else None,
        "phy_ids": sorted(int(match.group(1)) for match in found if match),
    }


def roce(files, path="/etc/hccn.conf"):
    """Addresses in C(hccn.conf) by phy id (text), None when there is no such file."""
    text = files.text(path)
    if text is None:
        return None
    # The driver takes the first line with a key. The rest is for _hccn_conf, whose import would cost each call 5 ms.
    found = {}
    for phy_id, address in re.findall(r"^address_(\d+)=(\S+)", text, re.MULTILINE):
        found.setdefault(phy_id, address)
    return found


def installed(files):
    """Versions of driver, firmware, CANN and Ascend Docker Runtime, with the keys of C(stack_info).

    C(accepts) are the versions of its counterpart that driver and firmware name, as pairs of limits.
    """
    found = read_installed(collect(root=files.root))
    parts = {"driver": found.driver, "firmware": found.firmware}
    return {
        **{name: {**part.to_dict(), "accepts": [list(span) for span in part.accepts]} for name, part in parts.items()},
        "cann": [entry.to_dict() for entry in found.cann],
        "docker_runtime": found.docker_runtime.version,
        "hdk": found.hdk,
    }


def look(
    root="/", model_dirs=(), controller_time=None, docker_socket="/var/run/docker.sock", hccn_conf="/etc/hccn.conf"
):
    """Everything, as one mapping that JSON can carry."""
    files = Files(root)
    engine = docker(files, docker_socket)
    return {
        **system(files),
        **tuning(files),
        **security(files),
        "shm": space("/dev/shm", files),
        "disks": [{"use": "images", **space(engine["data_root"], files)}]
        + [{"use": "models", **space(path, files)} for path in model_dirs],
        "docker": engine,
        "clock": clock(files, controller_time),
        "ids": ids(files),
        "npus": npus(files),
        "roce": roce(files, hccn_conf),
        "installed": installed(files),
    }


__all__ = ["Files", "look"]

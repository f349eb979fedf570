# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NPUs' RoCE ports on a lab node: secondary addresses of one interface, dropped packets for a pulled
cable, and ``/etc/hccn.conf``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import subprocess
from typing import Iterator

from .model import Chip, Machine, Roce
from .state import replace_file

ROCE_INTERFACE = "eth1"
FIRST_HOST = 10  # address of phy id p on node n: third octet n, fourth 10 + p


class WireError(Exception):
    """The network could not be changed; the text has the command and its answer."""


def assign(machine: Machine, network: str) -> None:
    """Give every port an address in ``network`` (a /16, such as 10.77.0.0/16). Raises ``ValueError``."""
    net = ipaddress.IPv4Network(network)
    if net.prefixlen > 16:
        raise ValueError(f"RoCE network {network} is smaller than a /16")
    router = str(net.network_address + 1)
    for chip, roce in ports(machine):
        roce.address = str(net.network_address + machine.node * 256 + FIRST_HOST + chip.phy_id)
        roce.netmask = str(net.netmask)
        roce.gateway = router
        roce.netdetect = router
        roce.switch_address = router


def ports(machine: Machine) -> Iterator[tuple[Chip, Roce]]:
    for npu in machine.present():
        for chip in npu.chips:
            if chip.roce is not None:
                yield chip, chip.roce


def addresses(interface: str = ROCE_INTERFACE) -> list[str]:
    """IPv4 addresses of an interface, the node's own first; empty when there is no such interface."""
    done = _call(["ip", "-4", "-o", "addr", "show", "dev", interface])
    if done.returncode != 0:
        return []
    return [line.split()[3].split("/")[0] for line in done.stdout.splitlines() if len(line.split()) > 3]


def add_addresses(machine: Machine, interface: str = ROCE_INTERFACE) -> None:
    """Make the node answer to the addresses of its ports."""
    have = addresses(interface)
    for _chip, roce in ports(machine):
        if roce.address is not None and roce.address not in have:
            add_address(roce, interface)


def add_address(roce: Roce, interface: str = ROCE_INTERFACE) -> None:
    prefix = ipaddress.IPv4Network("0.0.0.0/%s" % (roce.netmask or "255.255.0.0")).prefixlen
    _must(["ip", "addr", "add", f"{roce.address}/{prefix}", "dev", interface])


def remove_address(address: str, interface: str = ROCE_INTERFACE) -> None:
    """Raises ``WireError`` unless the address is gone afterwards."""
    prefix = next((entry for entry in _with_prefix(interface) if entry.split("/")[0] == address), None)
    if prefix is not None:
        _must(["ip", "addr", "del", prefix, "dev", interface])


def apply_links(machine: Machine) -> None:
    """Drop what comes from and goes to the ports whose link is down, and nothing else."""
    rules = _call(["iptables", "-w", "-S"]).stdout.splitlines()
    for _chip, roce in ports(machine):
        for chain, side in (("INPUT", "-d"), ("OUTPUT", "-s")):
            rule = [chain, side, f"{roce.address}/32", "-j", "DROP"]
            present = " ".join(["-A"] + rule) in rules
            if roce.address is not None and present != (roce.link != "UP"):
                _must(["iptables", "-w", "-D" if present else "-I"] + rule)


def conf_values(machine: Machine) -> dict[str, str]:
    """``/etc/hccn.conf``: settings by key; the number at the end of a key is the physical id."""
    values: dict[str, str] = {}
    for chip, roce in ports(machine):
        for key, value in (
            ("address", roce.address),
            ("netmask", roce.netmask),
            ("netdetect", roce.netdetect),
            ("gateway", roce.gateway),
        ):
            if value is not None:
                values[f"{key}_{chip.phy_id}"] = value
        if roce.address is not None:
            values[f"send_arp_status_{chip.phy_id}"] = "1"
        if roce.tls_switch:
            values[f"tls_enable_{chip.phy_id}"] = str(roce.tls_switch)
    return values


def read_conf(path: str) -> dict[str, str]:
    """Settings of ``hccn.conf``; empty when there is no file."""
    values: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as handle:
        for line in handle:
            key, sep, value = line.partition("=")
            if sep and not line.lstrip().startswith("#"):
                values[key.strip()] = value.strip()
    return values


def write_conf(machine: Machine, path: str) -> None:
    """Write ``hccn.conf`` whole, mode 640."""
    update_conf(conf_values(machine), path)


def update_conf(values: dict[str, str | None], path: str) -> None:
    """Set (or with ``None`` remove) keys; every other line stays as it is."""
    lines: list[str] = []
    left = dict(values)
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as handle:
        for line in handle.read().splitlines():
            key = line.split("=", 1)[0].strip()
            if line.lstrip().startswith("#") or key not in values:
                lines.append(line)
            elif left.get(key) is not None:
                lines.append(f"{key}={left.pop(key)}")
    lines += [f"{key}={value}" for key, value in left.items() if value is not None]
    replace_file(path, "".join(line + "\n" for line in lines), 0o640)


def _with_prefix(interface: str) -> list[str]:
    done = _call(["ip", "-4", "-o", "addr", "show", "dev", interface])
    return [line.split()[3] for line in done.stdout.splitlines() if len(line.split()) > 3]


def _call(argv: list[str]) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except OSError as exc:
        return subprocess.CompletedProcess(argv, 127, stdout=str(exc))


def _must(argv: list[str]) -> None:
    done = _call(argv)
    if done.returncode != 0:
        raise WireError(f"{' '.join(argv)} failed with {done.returncode}: {done.stdout.strip()}")

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NPUs' RoCE ports on a lab node: secondary addresses of one interface, and ``/etc/hccn.conf``."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import subprocess
from typing import Iterable, Iterator

from . import vnic
from .model import Chip, Machine, Roce
from .state import replace_file, standalone, state_dir

ROCE_INTERFACE = "eth1"
HCCN_CONF = "/etc/hccn.conf"
FIRST_HOST = 10  # address of phy id p on node n: third octet n, fourth 10 + p


class WireError(Exception):
    """The network could not be changed; the text has the command and its answer."""


def assign(machine: Machine, network: str) -> None:
    """Give every port an address in ``network`` (a /16, such as 10.77.0.0/16). Raises ``ValueError``."""
    net = ipaddress.IPv4Network(network)
    if net.prefixlen > 16:
        raise ValueError(f"RoCE network {network} is smaller than a /16")
    router = str(net.network_address + 1)
    machine.roce_network = str(net)
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
    done = call(["ip", "-4", "-o", "addr", "show", "dev", interface])
    if done.returncode != 0:
        return []
    return [line.split()[3].split("/")[0] for line in done.stdout.splitlines() if len(line.split()) > 3]


def add_addresses(machine: Machine, interface: str = ROCE_INTERFACE) -> None:
    """Make the node answer to the addresses of its ports."""
    have = addresses(interface)
    for chip, roce in ports(machine):
        if roce.address is not None and roce.address not in have:
            add_address(roce, interface)
        carrier = vnic.carrier(machine, machine.node, chip.phy_id) if vnic.in_pod(machine) else None
        if carrier is not None and carrier not in have:
            must(["ip", "addr", "add", f"{carrier}/32", "dev", interface])


def add_address(roce: Roce, interface: str = ROCE_INTERFACE) -> None:
    """The netmask only shows in routes (``fabric``): an address of its own network would change the node's."""
    must(["ip", "addr", "add", f"{roce.address}/32", "dev", interface])


def remove_address(address: str, interface: str = ROCE_INTERFACE) -> None:
    """Raises ``WireError`` unless the address is gone afterwards."""
    prefix = next((entry for entry in _with_prefix(interface) if entry.split("/")[0] == address), None)
    if prefix is not None:
        must(["ip", "addr", "del", prefix, "dev", interface])


def readdress(machine: Machine, before: Iterable[str | None]) -> None:
    """Take addresses away that no port has any more, and add those that are new."""
    kept = {roce.address for _chip, roce in ports(machine)}
    for address in before:
        if address is not None and address not in kept:
            remove_address(address)
    add_addresses(machine)


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
        if roce.mtu != Roce().mtu:
            values[f"mtu_{chip.phy_id}"] = str(roce.mtu)
    return values


def conf_path() -> str:
    return os.path.join(state_dir(), "hccn.conf") if standalone() else HCCN_CONF


def lost_conf_path() -> str:
    """Where ``hccn.conf`` is while a fault has taken it away."""
    return os.path.join(state_dir(), "hccn.conf.lost")


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


def update_conf(values: dict[str, str | None], path: str, before: str | None = None) -> None:
    """Set (or with ``None`` remove) keys; every other line stays as it is. New ones go last, or ``before`` a key."""
    lines: list[str] = []
    left = dict(values)
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as handle:
        for line in handle.read().splitlines():
            key = line.split("=", 1)[0].strip()
            if line.lstrip().startswith("#") or key not in values:
                lines.append(line)
            elif left.get(key) is not None:
                lines.append(f"{key}={left.pop(key)}")
    place = next((at for at, line in enumerate(lines) if line.split("=", 1)[0].strip() == before), len(lines))
    lines[place:place] = [f"{key}={value}" for key, value in left.items() if value is not None]
    replace_file(path, "".join(line + "\n" for line in lines), 0o640)


def _with_prefix(interface: str) -> list[str]:
    done = call(["ip", "-4", "-o", "addr", "show", "dev", interface])
    return [line.split()[3] for line in done.stdout.splitlines() if len(line.split()) > 3]


def call(argv: list[str], text: str | None = None) -> subprocess.CompletedProcess:
    """Run a command with ``text`` as its input; 127 when there is no such program."""
    try:
        return subprocess.run(
            argv, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as exc:
        return subprocess.CompletedProcess(argv, 127, stdout=str(exc))


def must(argv: list[str], text: str | None = None) -> None:
    """Raises ``WireError`` when it fails."""
    done = call(argv, text)
    if done.returncode != 0:
        raise WireError(f"{' '.join(argv)} failed with {done.returncode}: {done.stdout.strip()}")

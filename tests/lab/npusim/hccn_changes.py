# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``-s`` commands of ``hccn_tool``: the port, the node's addresses, and ``/etc/hccn.conf``."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import sys
from typing import Callable, Iterator

from . import fabric, faults, render_hccn, state, wire
from .hccn_call import Call, address_of
from .hccn_errors import (
    FAILED,
    NO_IP_FOR_GATEWAY,
    NOT_ALLOWED,
    PARAM_CONFLICT,
    PARAM_COUNT,
    PARAM_INVALID,
    PARAM_MTU,
    PARAM_OPTION,
    PARAM_SEGMENT,
    WRITE_FAILED,
    HccnError,
)
from .model import Machine, Roce

MIN_MTU, MAX_MTU = 68, 9702  # of an Ethernet port


def set_ip(call: Call) -> str:
    values = call.pairs("address", "netmask")
    if set(values) != {"address", "netmask"}:
        raise HccnError(PARAM_COUNT)
    address = address_of(values["address"])
    try:
        network = ipaddress.IPv4Interface(f"{address}/{values['netmask']}").network
    except ValueError:
        raise HccnError(PARAM_INVALID) from None
    if address.startswith("192.168.1.") or address in (str(network.network_address), str(network.broadcast_address)):
        raise HccnError(PARAM_CONFLICT)  # 192.168.1.0/24 belongs to the internal ports
    for other in (c for n in call.machine.npus for c in n.chips):
        if other.phy_id != call.phy_id and other.roce is not None and other.roce.address == address:
            raise HccnError(PARAM_CONFLICT)

    def change(roce: Roce) -> None:
        roce.address, roce.netmask = address, str(network.netmask)

    return _change(call, change, {"address": address, "netmask": str(network.netmask)})


def set_gateway(call: Call) -> str:
    values = call.pairs("gateway")
    if "gateway" not in values:
        raise HccnError(PARAM_COUNT)
    gateway = address_of(values["gateway"])
    if call.roce.address is None:
        raise HccnError(NO_IP_FOR_GATEWAY)
    network = ipaddress.IPv4Interface(f"{call.roce.address}/{call.roce.netmask}").network
    if ipaddress.IPv4Address(gateway) not in network:
        raise HccnError(PARAM_SEGMENT)
    return _change(call, lambda roce: setattr(roce, "gateway", gateway), {"gateway": gateway})


def set_netdetect(call: Call) -> str:
    values = call.pairs("address")
    if "address" not in values:
        raise HccnError(PARAM_COUNT)
    address = address_of(values["address"])
    wanted = None if address == "0.0.0.0" else address
    return _change(call, lambda roce: setattr(roce, "netdetect", wanted), {"netdetect": address})


def set_tls(call: Call) -> str:
    values = call.pairs("enable")
    if values.get("enable") not in ("0", "1"):
        raise HccnError(PARAM_INVALID if values else PARAM_COUNT)
    switch = int(values["enable"])
    return _change(call, lambda roce: setattr(roce, "tls_switch", switch), {"tls_enable": str(switch)})


def set_mtu(call: Call) -> str:
    values = call.pairs("size")
    if "size" not in values or not values["size"].isdigit():
        raise HccnError(PARAM_INVALID if values else PARAM_COUNT)
    size = int(values["size"])
    if not MIN_MTU <= size <= MAX_MTU:
        raise HccnError(PARAM_MTU)
    return _change(call, lambda roce: setattr(roce, "mtu", size), {"mtu": str(size)})


def set_link(call: Call) -> str:
    if call.args[1:] not in (["up"], ["down"]):
        raise HccnError(PARAM_COUNT if len(call.args) != 2 else PARAM_OPTION)
    _need_root()
    with _writable(), state.changing() as machine:
        faults.set_link(faults.chip_of(machine, call.phy_id), call.args[1].upper())
    faults.apply()
    return render_hccn.EXECUTED + "\n"


def _change(call: Call, change: Callable[[Roce], None], conf: dict[str, str]) -> str:
    """Change the port, the node's addresses, and ``/etc/hccn.conf``, where the real tool keeps it too."""
    _need_root()
    with _writable(), state.changing() as machine:
        chip = machine.chip_by_phy(call.phy_id)
        assert chip is not None and chip.roce is not None
        before = chip.roce.address
        change(chip.roce)
        if not state.standalone() and chip.roce.address != before:
            wire.add_address(chip.roce)  # first: when this fails, nothing has changed
            if before is not None:
                wire.remove_address(before)
        if not state.standalone():
            fabric.apply(machine)
        wire.update_conf({f"{k}_{call.phy_id}": v for k, v in conf.items()}, wire.conf_path())
    return render_hccn.EXECUTED + "\n"


def recover(machine: Machine) -> str:
    """``-a -cfg recovery``: bring every port to what ``/etc/hccn.conf`` says; what it does not say stays."""
    _need_root()
    values = wire.read_conf(wire.conf_path())
    done: list[str] = []
    with _writable(), state.changing() as stored:
        before = [roce.address for _chip, roce in wire.ports(stored)]
        for chip, roce in wire.ports(stored):
            for key in ("address", "netmask", "gateway", "netdetect"):
                setattr(roce, key, values.get(f"{key}_{chip.phy_id}", getattr(roce, key)))
            if roce.netdetect == "0.0.0.0":
                roce.netdetect = None
            roce.mtu = int(values.get(f"mtu_{chip.phy_id}", roce.mtu))
            roce.tls_switch = int(values.get(f"tls_enable_{chip.phy_id}", str(roce.tls_switch)) == "1")
            done.append(f"dev:{chip.phy_id} recovery success")
        if not state.standalone():
            wire.readdress(stored, before)
            fabric.apply(stored)
    return "".join(line + "\n" for line in done)


@contextlib.contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise HccnError(WRITE_FAILED) from None
    except wire.WireError as exc:
        print(f"npusim: {exc}", file=sys.stderr)
        raise HccnError(FAILED) from None


def _need_root() -> None:
    if os.geteuid() != 0 and not state.standalone():
        raise HccnError(NOT_ALLOWED)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal ports (vNICs), which carry traffic between chips over HCCS instead of the RoCE cable.

In a super pod (A3) their addresses say who they are: 192.<server>.<2 + die>.<199 - phy id>. On a lab node they are
carried by addresses of the RoCE network, since the network between nodes lets no other pass.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing: importing that costs a call of hccn_tool more than answering
if TYPE_CHECKING:
    from .model import Machine

SERVERS = 48  # of a super pod; servers beyond it, and those of other families, have private addresses
LAST = 199  # fourth octet of phy id 0
FIRST_CARRIER = 100  # carrier of phy id p on node n: third octet n, fourth 100 + p


def in_pod(machine: Machine) -> bool:
    return machine.family == "910_93" and machine.node < SERVERS


def address(machine: Machine, phy_id: int) -> str:
    """The vNIC's own address (hccn_tool__vnic__910C__hcomm_doc for a server alone)."""
    if not in_pod(machine):
        return f"192.168.2.{LAST - phy_id}"
    return f"192.{machine.node}.{2 + phy_id % 2}.{LAST - phy_id}"


def netmask(machine: Machine) -> str:
    """255.0.0.0 in a super pod is assumed: its servers differ in the second octet."""
    return "255.0.0.0" if in_pod(machine) else "255.255.255.0"


def owner(target: str) -> tuple[int, int] | None:
    """Server and phy id of a super pod's address; ``None`` when the address cannot be one."""
    first, server, third, fourth = (int(octet) for octet in target.split("."))
    device = LAST - fourth
    if first != 192 or server >= SERVERS or device < 0 or third != 2 + device % 2:
        return None
    return server, device


def carrier(machine: Machine, server: int, phy_id: int) -> str | None:
    """The address that stands for a vNIC on the lab's network; ``None`` without one."""
    if machine.roce_network is None:
        return None
    import ipaddress

    return str(ipaddress.IPv4Network(machine.roce_network).network_address + server * 256 + FIRST_CARRIER + phy_id)

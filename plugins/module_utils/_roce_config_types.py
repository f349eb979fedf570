# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is said about the settings of an NPU's RoCE port. This module util is PRIVATE to the collection."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network

SETTINGS = ("address", "netmask", "gateway", "netdetect", "tls", "mtu")
# Reading these costs a command each, and old drivers do not have them: only where somebody says something about them.
ON_DEMAND = ("tls", "mtu")
# Their names in hccn.conf, where the phy id follows.
KEYS = {
    "address": "address",
    "netmask": "netmask",
    "gateway": "gateway",
    "netdetect": "netdetect",
    "tls": "tls_enable",
    "mtu": "mtu",
}
DHCP = "udhcpc_enable"
NONE = "0.0.0.0"


@dataclass(frozen=True)
class Port:
    """The settings of one NPU. None: not set, or (tls and mtu) not read."""

    address: str | None = None
    netmask: str | None = None
    gateway: str | None = None
    netdetect: str | None = None
    tls: bool | None = None
    mtu: int | None = None

    @property
    def network(self) -> IPv4Network | None:
        """The network the address lies in; None without an address, or with a netmask that NPUs cannot have."""
        if self.address is None or self.netmask is None:
            return None
        try:
            network = IPv4Network(f"{self.address}/{self.netmask}", strict=False)
        except ValueError:
            return None
        # Python also takes prefix lengths and inverted masks for netmasks; the tool does not.
        return network if str(network.netmask) == self.netmask and 8 <= network.prefixlen <= 30 else None

    @property
    def ip(self) -> str | None:
        """Address and netmask as one: the tool sets them together."""
        return None if self.address is None else f"{self.address}/{self.netmask}"

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """What was read of one NPU: ``port``, or None with ``error`` and ``remedy``.

    ``without`` holds pairs of a setting that it does not have and why.
    """

    port: Port | None
    error: str | None = None
    remedy: str = "see npu-smi info -t health and dmesg"
    without: tuple = ()

    def lacks(self, setting: str) -> str | None:
        return dict(self.without).get(setting)


@dataclass(frozen=True)
class Step:
    """One change. ``setting`` is a setting of an NPU, or recovery or hccn_conf, which are about the node.

    The address goes with its netmask.
    """

    phy_id: int | None
    setting: str
    before: object
    after: object

    def __str__(self) -> str:
        if self.setting == "recovery":
            return "bring the NPUs back to what hccn.conf says"
        if self.setting == "hccn_conf":
            return f"write {self.after} into hccn.conf"
        return f"set {self.setting} of phy id {self.phy_id} from {shown(self.before)} to {shown(self.after)}"

    def to_dict(self) -> dict:
        return {
            "phy_id": self.phy_id,
            "setting": self.setting,
            "before": self.before,
            "after": self.after,
            "sentence": str(self),
        }


@dataclass(frozen=True)
class Plan:
    """What is to be done. ``refusals`` (L(Problem)) forbid it; ``problems`` are what remains to be told after it.

    ``expected`` maps phy ids to the L(Port) at the end. ``waves`` are tuples of phy ids: those of one wave may be
    changed side by side. ``conf`` maps phy ids to the ``{key: value}`` that hccn.conf must have at the end, and
    ``conf_first`` says that it must have them before anything else.
    """

    refusals: tuple
    problems: tuple
    steps: tuple
    expected: dict
    waves: tuple = ()
    conf: dict = None
    conf_first: bool = False

    @property
    def recovers(self) -> bool:
        return any(step.setting == "recovery" for step in self.steps)

    def of_npu(self, phy_id: int) -> list:
        return [step for step in self.steps if step.phy_id == phy_id]


def shown(value) -> str:
    """A value as sentences have it."""
    if value is None:
        return "none"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def conf_values(entries: dict) -> dict:
    """``{setting: value}`` of what hccn.conf has for one NPU; a value that is none of its kind stays text."""
    values: dict = {}
    for setting, key in KEYS.items():
        text = entries.get(key)
        if text is None:
            continue
        if setting == "tls":
            values[setting] = {"0": False, "1": True}.get(text, text)
        elif setting == "mtu":
            values[setting] = int(text) if text.isdigit() else text
        else:
            values[setting] = None if text == NONE else text
    return values


def conf_text(setting: str, value) -> str:
    """A value as hccn.conf has it."""
    if value is None:
        return NONE
    return str(int(value)) if isinstance(value, bool) else str(value)


def ipv4(text) -> IPv4Address | None:
    """The address, or None if ``text`` is none."""
    try:
        return IPv4Address(str(text))
    except ValueError:
        return None


__all__ = [
    "DHCP",
    "KEYS",
    "NONE",
    "ON_DEMAND",
    "SETTINGS",
    "Found",
    "Plan",
    "Port",
    "Step",
    "conf_text",
    "conf_values",
    "ipv4",
    "shown",
]

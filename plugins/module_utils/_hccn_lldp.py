# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parser of ``hccn_tool -lldp -g``: the switch port of an NPU. This module util is PRIVATE to the collection.

The text is that of lldptool: a title ``... TLV``, then its values on the following lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_query import Answer
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import (
    HccnParseError,
    answer_lines,
    key_line,
    refuse,
    reported,
)

_TITLE = re.compile(r"(?:\[[^\]]*\]\s*)?(?P<title>\S.*?)\s+TLV:?", re.IGNORECASE)
_IFNAME = key_line("if name")


@dataclass(frozen=True)
class Lldp(Answer):
    """What the neighbour says of itself; None for what it does not say. ``tlvs`` maps each title to its lines."""

    port_ifname: str | None = None
    system_name: str | None = None
    mgmt_ipv4: str | None = None
    chassis_id: str | None = None
    port_id: str | None = None
    port_description: str | None = None
    system_description: str | None = None
    vlan: int | None = None
    max_frame: int | None = None

    @property
    def port(self) -> str | None:
        """The switch port in the best words there are."""
        return self.port_ifname or self.port_id or self.port_description


def parse_lldp(text: str) -> Lldp | None:
    """``-lldp -g``, also with ``| grep Ifname``. None if no neighbour speaks LLDP: then nothing is printed."""
    names = lldp_ifnames(text)
    tlvs: dict = {}
    lines: list | None = None
    for number, line in answer_lines(text):
        title = _TITLE.fullmatch(line)
        if title:
            name = title.group("title").lower()
            # Each neighbour has exactly one of these.
            if name in tlvs and name in ("chassis id", "port id"):
                raise HccnParseError("here begins a second answer or neighbour", line, number)
            lines = tlvs.setdefault(name, [])
        elif lines is not None and line != "...":
            lines.append(line)
    if not tlvs:
        if names:
            return Lldp(port_ifname=names[0], port_id=names[0])
        if not text.strip() or (reported(text) is None and not answer_lines(text)):
            return None
        refuse(text, "no TLV")

    def first(title: str, *keys: str) -> str | None:
        """The value of the first line under ``title`` with one of ``keys``, or of its first line."""
        found = tlvs.get(title, [])
        for key in keys:
            for line in found:
                match = key_line(key).fullmatch(line)
                if match:
                    return match.group("value").strip() or None
        return found[0] if found and not keys else None

    def digits(value: str | None) -> int | None:
        match = re.match(r"\d+", value or "")
        return int(match.group()) if match else None

    port = first("port id", "if name")
    return Lldp(
        port_ifname=port,
        system_name=first("system name"),
        mgmt_ipv4=first("management address", "ipv4"),
        chassis_id=_masked(first("chassis id", "mac", "ipv4", "local", "if name") or first("chassis id")),
        port_id=port or _masked(first("port id", "mac", "local", "ipv4", "alias") or first("port id")),
        port_description=first("port description"),
        system_description=" ".join(tlvs["system description"]) if tlvs.get("system description") else None,
        vlan=digits(first("port vlan id", "pvid") or first("port vlan id")),
        max_frame=digits(first("maximum frame size")),
    )


def lldp_ifnames(text: str) -> tuple:
    """The ``Ifname:`` lines of any text, as ``for i in ...; do hccn_tool -i $i -lldp -g | grep Ifname; done``."""
    found = []
    for _number, line in answer_lines(text):
        match = _IFNAME.fullmatch(line)
        if match and match.group("value"):
            found.append(match.group("value").strip())
    return tuple(found)


def _masked(value: str | None) -> str | None:
    """None for what a publisher has left out."""
    return None if value is None or not value.strip(". ") else value


__all__ = ["Lldp", "lldp_ifnames", "parse_lldp"]

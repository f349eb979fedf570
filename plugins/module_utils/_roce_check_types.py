# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judges of RoCE ports share: causes, and what is known of a port.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

FAIL = "fail"
WARN = "warn"

# In the order they are asked. What tells most comes first, for an NPU that stops answering half-way.
PORT_CHECKS = (
    "link",
    "ip",
    "gateway",
    "netdetect",
    "net_health",
    "tls",
    "lldp",
    "speed",
    "mtu",
    "optical",
    "link_stat",
    "stat",
    "vnic",
)
NODE_CHECKS = ("hccn_conf", "driver")
CHECKS = PORT_CHECKS + NODE_CHECKS
# Families of chips, as L(_npu_model.family) names them, that are on no card with a RoCE port.
WITHOUT_PORTS = ("310P", "310B", "310")


@dataclass(frozen=True)
class Cause:
    """Why an NPU is not simply well. ``problem`` continues a sentence that begins with the NPU.

    C({i}) in ``problem`` and ``remedy`` stands for the phy id. ``silent``: the NPU left a question unanswered, so what
    comes after it is not known.
    """

    check: str
    severity: str
    problem: str
    remedy: str
    silent: bool = False


@dataclass(frozen=True)
class NoAnswer:
    """A question without an answer. ``silent``: the NPU did not answer in time, so it was not asked any further."""

    check: str
    reason: str
    remedy: str
    silent: bool = False


@dataclass(frozen=True)
class Port:
    """What is known of the port of one NPU.

    ``values``: {check: answer as plain values, None where the tool says that there is none}; what was not asked, or
    not answered, is not in it. ``unsupported`` are the checks that the driver does not know.
    """

    phy_id: int
    npu_id: int | None = None
    chip_id: int | None = None
    values: dict = field(default_factory=dict)
    no_answers: tuple = ()
    unsupported: tuple = ()

    def get(self, check: str, key: str | None = None):
        """An answer, or one value of it; None if there is none."""
        value = self.values.get(check)
        return value if key is None else (value or {}).get(key)

    @property
    def item(self) -> str:
        """The NPU for sentences: phy id, and NPU and chip where these are other numbers."""
        if self.npu_id is None or (self.npu_id == self.phy_id and not self.chip_id):
            return f"phy id {self.phy_id}"
        chip = f", chip {self.chip_id}" if self.chip_id is not None else ""
        return f"phy id {self.phy_id} (NPU {self.npu_id}{chip})"


def verdict(causes) -> str:
    """V(pass), V(warn) or V(fail) of causes, or of dicts with a severity."""
    severities = {cause["severity"] if isinstance(cause, dict) else cause.severity for cause in causes}
    return next((word for word in (FAIL, WARN) if word in severities), "pass")


def usual(ports, read):
    """The value that more than half of the ports have, or None. One port alone has no usual value."""
    seen = [value for value in map(read, ports) if value is not None]
    if len(seen) < 2:
        return None
    value, count = Counter(seen).most_common(1)[0]
    return value if count * 2 > len(seen) else None


__all__ = [
    "CHECKS",
    "FAIL",
    "NODE_CHECKS",
    "PORT_CHECKS",
    "WARN",
    "WITHOUT_PORTS",
    "Cause",
    "NoAnswer",
    "Port",
    "usual",
    "verdict",
]

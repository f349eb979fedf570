# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of ``hccn_tool`` on one port, and reading its arguments."""

from __future__ import annotations

from .hccn_errors import PARAM_COUNT, PARAM_IP, PARAM_OPTION, HccnError

TYPE_CHECKING = False  # not from typing: importing that costs a call of hccn_tool more than answering
if TYPE_CHECKING:
    from .model import Chip, Machine, Roce


class Call:
    """One call on one port."""

    def __init__(self, machine: Machine, chip: Chip, roce: Roce, args: list[str]) -> None:
        self.machine = machine
        self.chip = chip
        self.roce = roce
        self.inet6 = "-inet6" in args[:1]
        self.args = args[1:] if self.inet6 else args

    @property
    def phy_id(self) -> int:
        return self.chip.phy_id

    def pairs(self, *names: str) -> dict[str, str]:
        """``name value`` arguments after the verb; raises for odd counts and unknown names."""
        rest = self.args[1:]
        if len(rest) % 2:
            raise HccnError(PARAM_COUNT)
        found = dict(zip(rest[::2], rest[1::2]))
        if set(found) - set(names):
            raise HccnError(PARAM_OPTION)
        return found


def address_of(text: str) -> str:
    """An IPv4 address argument. Raises ``HccnError``."""
    import ipaddress

    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise HccnError(PARAM_IP) from None

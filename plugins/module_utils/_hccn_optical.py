# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parser of ``hccn_tool -optical -g``. This module util is PRIVATE to the collection.

``fields`` keep titles and values as printed. The properties read the ones that matter, in any case of the titles; a
value that is ``NA``, ``not supported`` or ``get failed`` is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import (
    HccnParseError,
    answer_lines,
    refuse,
    reported,
    split_device,
)

_HEAD = re.compile(r"optical info\s*:?", re.IGNORECASE)
_FIELD = re.compile(r"(?P<title>[A-Za-z][\w ./()%-]{0,39}?)\s*[:\uff1a]\s*(?P<value>.*)")
_VALUE = re.compile(r"(?P<number>0x[0-9a-fA-F]+|-?\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z%]*)")


@dataclass(frozen=True)
class Optical:
    """An optical module; ``fields`` as printed. ``present`` is False too if only the tool's sentence says so."""

    fields: dict

    def text(self, title: str) -> str | None:
        """The printed value of ``title``, None if there is none."""
        wanted = title.lower()
        return next((value or None for key, value in self.fields.items() if key.lower() == wanted), None)

    def number(self, title: str) -> float | None:
        """The number of ``title``, without its unit; powers in dBm become mW."""
        match = _VALUE.match(self.text(title) or "")
        if match is None:
            return None
        if match.group("number").startswith("0x"):
            return float(int(match.group("number"), 16))
        value = float(match.group("number"))
        return round(10 ** (value / 10), 4) if match.group("unit").lower() == "dbm" else value

    def lanes(self, title: str) -> tuple:
        """The numbers of ``title``0, ``title``1 …"""
        count = sum(1 for key in self.fields if re.fullmatch(rf"{re.escape(title)}\s*\d+", key, re.IGNORECASE))
        return tuple(self.number(f"{title}{lane}") for lane in range(count))

    def flag(self, title: str) -> int | None:
        """A register such as ``Rx Los Flag``: one bit for each lane that has lost its signal."""
        value = self.number(title)
        return None if value is None else int(value)

    @property
    def present(self) -> bool | None:
        value = self.text("present")
        return None if value is None or value == "NA" else not re.match(r"no|absent", value, re.IGNORECASE)

    @property
    def temperature_c(self) -> float | None:
        return self.number("temperature")

    @property
    def tx_power_mw(self) -> tuple:
        return self.lanes("Tx Power")

    @property
    def rx_power_mw(self) -> tuple:
        return self.lanes("Rx Power")

    def to_dict(self) -> dict:
        return {
            "present": self.present,
            "vendor_name": self.text("vendor name"),
            "part_number": self.text("vendor part number"),
            "serial_number": self.text("vendor serial number"),
            "temperature_c": self.temperature_c,
            "temperature_high_c": self.number("Temp High Thres"),
            "temperature_low_c": self.number("Temp Low Thres"),
            "vcc_mv": self.number("Vcc"),
            "vcc_high_mv": self.number("Vcc High Thres"),
            "vcc_low_mv": self.number("Vcc Low Thres"),
            "tx_power_mw": list(self.tx_power_mw),
            "rx_power_mw": list(self.rx_power_mw),
            "tx_power_high_mw": self.number("TxPower High Thres"),
            "tx_power_low_mw": self.number("TxPower Low Thres"),
            "rx_power_high_mw": self.number("RxPower High Thres"),
            "rx_power_low_mw": self.number("RxPower Low Thres"),
            "tx_los": self.flag("Tx Los Flag"),
            "rx_los": self.flag("Rx Los Flag"),
            "tx_lol": self.flag("Tx LoL Flag"),
            "rx_lol": self.flag("Rx LoL Flag"),
            "fields": dict(self.fields),
        }


def parse_optical(text: str) -> Optical:
    """``-optical -g``. Without a module some tools print only a sentence: then ``present`` is False."""
    lines = [(number, split_device(line)[1]) for number, line in answer_lines(text)]
    heads = [at + 1 for at, (_number, line) in enumerate(lines) if _HEAD.fullmatch(line)]
    if not heads:
        heads = [at for at, (_number, line) in enumerate(lines) if re.match(r"present\s*:", line, re.IGNORECASE)]
    fields: dict = {}
    for number, line in lines[heads[0] if heads else len(lines) :]:
        match = _FIELD.fullmatch(line)
        if match is None:
            continue
        title, value = re.sub(r"\s+", " ", match.group("title")), match.group("value").strip()
        if fields.setdefault(title, value) != value:
            raise HccnParseError("here begins a second answer; parse_opticals takes several NPUs", line, number)
    if not fields:
        error = reported(text)
        if error is not None and re.search(r"not present", error.error, re.IGNORECASE):
            return Optical({"present": "not present"})
        refuse(text, "no optical info:")
    return Optical(fields)


def parse_opticals(text: str) -> tuple:
    """``for i in ...; do hccn_tool -i $i -optical -g; done``: a L(Optical) for each ``optical info:``."""
    starts = [number for number, line in answer_lines(text) if _HEAD.fullmatch(line)]
    lines = text.split("\n")
    ends = [*starts[1:], len(lines) + 1]
    return tuple(parse_optical("\n".join(lines[start - 1 : end - 1])) for start, end in zip(starts, ends))


__all__ = ["Optical", "parse_optical", "parse_opticals"]

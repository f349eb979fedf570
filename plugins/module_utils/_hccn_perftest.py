# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parser of ``hccn_tool -roce_test``, which prints perftest's table. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_query import Answer
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import HccnParseError, answer_lines, refuse

# A title has its unit in brackets; only the first two have none, and only one blank between them.
_TITLE = re.compile(r"#\w+|[\w.%]+(?: [A-Za-z]+)?\s?\[[^\]]*\]")
_NAMES = {
    "#bytes": "bytes",
    "#iterations": "iterations",
    "bw peak": "bw_peak",
    "bw average": "bw_avg",
    "msgrate": "msg_rate",
    "t_min": "t_min_us",
    "t_max": "t_max_us",
    "t_typical": "t_typical_us",
    "t_avg": "t_avg_us",
    "t_stdev": "t_stdev_us",
    "99% percentile": "p99_us",
    "99.9% percentile": "p999_us",
}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_HEAD = {
    "test": re.compile(r"(?:RDMA[_ ])?(?P<value>Read|Write|Send|Atomic)\b.*\bTest", re.IGNORECASE),
    "mtu": re.compile(r".*\bMtu\s*:\s*(?P<value>\d+)", re.IGNORECASE),
    "qps": re.compile(r".*\bNumber of qps\s*:\s*(?P<value>\d+)", re.IGNORECASE),
}


@dataclass(frozen=True)
class RoceTest(Answer):
    """The result for the largest message; ``rows`` has all sizes. Latency tests have ``t_*_us`` in the rows only.

    ``bw_unit`` is as printed: "MB/sec" means MiB/s, "Gb/sec" 10^9 bit/s (``-report_gbits``).
    """

    bytes: int
    iterations: int
    bw_avg: float | None
    bw_unit: str | None
    msg_rate: float | None
    bw_peak: float | None = None
    test: str | None = None
    mtu: int | None = None
    qps: int | None = None
    rows: tuple = ()

    @property
    def gbits(self) -> float | None:
        """Average bandwidth in 10^9 bit/s."""
        if self.bw_avg is None or self.bw_unit is None:
            return None
        factor = 1.0 if self.bw_unit.lower().startswith("gb") else 8 * 2**20 / 1e9
        return round(self.bw_avg * factor, 3)


def parse_roce_test(text: str) -> RoceTest:
    """``-roce_test ib_…``, of the receiver or the sender. Columns are found by their title."""
    columns: list = []
    unit = None
    rows: list = []
    head: dict = {}
    for number, line in answer_lines(text):
        if line.lower().startswith("#bytes"):
            columns, unit = _columns(line, number)
            continue
        words = line.split()
        if columns and all(_NUMBER.fullmatch(word) for word in words):
            if len(words) != len(columns):
                raise HccnParseError(f"{len(words)} values for {len(columns)} titles", line, number)
            row = {key: float(word) for key, word in zip(columns, words)}
            rows.append({**row, "bytes": int(row["bytes"]), "iterations": int(row["iterations"])})
        else:
            for key, pattern in _HEAD.items():
                match = pattern.match(line)
                if match:
                    head.setdefault(key, match.group("value"))
    if not rows:
        refuse(text, "no values under #bytes #iterations" if columns else "no line with #bytes #iterations")
    best = max(rows, key=lambda row: row["bytes"])
    return RoceTest(
        best["bytes"],
        best["iterations"],
        best.get("bw_avg"),
        unit,
        best.get("msg_rate"),
        best.get("bw_peak"),
        head.get("test", "").lower() or None,
        int(head["mtu"]) if "mtu" in head else None,
        int(head["qps"]) if "qps" in head else None,
        tuple(rows),
    )


def _columns(line: str, number: int) -> tuple:
    columns, unit = [], None
    for title in _TITLE.findall(line):
        name, _bracket, rest = title.partition("[")
        name = name.strip().lower()
        columns.append(_NAMES.get(name, name))
        if columns[-1] == "bw_avg":
            unit = rest.rstrip("]")
    if columns[:2] != ["bytes", "iterations"]:
        raise HccnParseError("these titles are not known", line, number)
    return columns, unit


__all__ = ["RoceTest", "parse_roce_test"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions an entry of a vendor's table means, and which are not older than another.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

from ._vendor_version import version_key

_BEGINS = re.compile(r"v?\d", re.IGNORECASE)


def is_version(text):
    """Whether C(text) begins as a version does."""
    return isinstance(text, str) and bool(_BEGINS.match(text.strip()))


def at_least(version, limit):
    """Whether C(version) is C(limit) or newer; False for what is no version."""
    return is_version(version) and version_key(version) >= version_key(limit)


def covers(entry, version):
    """Whether an entry of a vendor's table means C(version).

    C(25.5.X) is every 25.5, C(26.0.RC1/25.7.RC1) either of them, and anything else is that version with its patches:
    24.1.0 means 24.1.0.3 too, 25.0.RC1 means 25.0.RC1.1.
    """
    if not is_version(version):
        return False
    if "/" in entry:
        return any(covers(one, version) for one in entry.split("/"))
    told = _tokens(entry)
    if told[-1] == "x":
        told.pop()
    found = _tokens(version)
    # 25.5 is 25.5.0, but nothing that was left out of a version stands for more than that.
    found += [0] * (len(told) - len(found))
    return found[: len(told)] == told


def _tokens(text):
    words = re.findall(r"\d+|[a-z]+", re.sub(r"^v(?=\d)", "", text.strip().lower()))
    return [int(word) if word.isdigit() else word for word in words]


__all__ = ["at_least", "covers", "is_version"]

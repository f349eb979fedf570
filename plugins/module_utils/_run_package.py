# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Vendor packages without running one: names, files, versions, texts, decisions. This module util is PRIVATE to it.

A doorway: the parts are ``_vendor_package`` (file names), ``_vendor_version``, ``_vendor_installed`` (the vendor's
files), ``_vendor_text`` (output and exit status) and ``_run_package_plan``.
"""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.module_utils._run_package_plan import Plan, There, Wish, arguments, plan
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import (
    Cann,
    Installed,
    Part,
    collect,
    read_installed,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import (
    HDK,
    KINDS,
    Package,
    choose,
    machine_arch,
    parse_file_name,
    shown,
)
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_text import Outcome, interpret
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_version import (
    in_spans,
    newer,
    same_version,
    spans,
    version_key,
)

__all__ = [
    "HDK",
    "KINDS",
    "Cann",
    "Installed",
    "Outcome",
    "Package",
    "Part",
    "Plan",
    "There",
    "Wish",
    "arguments",
    "choose",
    "collect",
    "in_spans",
    "interpret",
    "machine_arch",
    "newer",
    "parse_file_name",
    "plan",
    "read_installed",
    "same_version",
    "shown",
    "spans",
    "version_key",
]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the modules for models share. This module util is PRIVATE to the collection.

It can have breaking changes at any time.
"""

from __future__ import annotations

from ._model_files import ModelError
from ._model_store import RECORDS

PERMISSIONS = {
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "directory_mode": {"type": "str"},
    "file_mode": {"type": "str"},
}
# Of the modules that bring a model to a node: the fragment `model` of the documentation says what they mean.
BRINGING = {
    "path": {"type": "str", "required": True},
    "tokenizer": {"type": "bool", "default": True},
    **PERMISSIONS,
    "directory_mode": {"type": "str", "default": "0755"},
    "file_mode": {"type": "str", "default": "0644"},
    "host": {"type": "str", "default": "this node"},
    "records": {"type": "path", "default": RECORDS},
}


def permissions(options):
    """The options as arguments of L(_model_store.set_permissions); modes are octal texts."""
    found = {name: options[name] for name in ("owner", "group") if options[name]}
    for name in ("directory_mode", "file_mode"):
        if not options[name]:
            continue
        try:
            found[name] = int(options[name], 8)
        except ValueError:
            raise ModelError(f"{name} is {options[name]!r}", 'give it in octal, such as "0640"') from None
    return found


__all__ = ["BRINGING", "PERMISSIONS", "permissions"]

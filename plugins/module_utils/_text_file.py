# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A text that a module puts into a file of the controller. This module util is PRIVATE to the collection.

It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import tempfile


def read_text(path):
    """The text of a file, or None where it is not there."""
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def write_text(module, path, text):
    """Put a text into a file in one step, with the module's common file arguments; answers whether that changes it.

    Fails the module when the directory is not there or cannot be written. In check mode it only answers.
    """
    if not os.access(os.path.dirname(path) or ".", os.W_OK | os.X_OK):
        module.fail_json(msg=f"{path}: its directory is not there or cannot be written; name another one.")
    changed = read_text(path) != text
    if changed and not module.check_mode:
        handle, partial = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        module.atomic_move(partial, path)
    if not module.check_mode or os.path.exists(path):
        common = module.load_file_common_arguments(module.params, path=path)
        changed = module.set_fs_attributes_if_different(common, changed)
    return changed

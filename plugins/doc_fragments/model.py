# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the modules that bring a model's directory to a node."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment C(npuops.ascend.model); the options themselves are C(BRINGING) in C(module_utils/_model_options.py)."""

    DOCUMENTATION = r"""
options:
  path:
    description: The model's directory, absolute.
    type: str
    required: true
  tokenizer:
    description: Whether a tokenizer must be there.
    type: bool
    default: true
  owner:
    description: Owner of its files, by name or number.
    type: str
  group:
    description: Group of its files, by name or number.
    type: str
  directory_mode:
    description: Mode of its directories, in octal.
    type: str
    default: "0755"
  file_mode:
    description: Mode of its files, in octal.
    type: str
    default: "0644"
  host:
    description: Name of the node for the sentences.
    type: str
    default: this node
  records:
    description: Directory of the records.
    type: path
    default: /var/lib/npuops/models
"""

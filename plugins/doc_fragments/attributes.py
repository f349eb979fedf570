# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of this collection says about itself in its C(attributes) section."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(npuops.ascend.attributes) and C(npuops.ascend.attributes.<name>).

    The plain one only describes the attributes; the module states its own C(support) for each of them.
    The named ones also set C(support), for modules that share the answer.
    """

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
  platform:
    description: Operating systems the module runs on.
    platforms: linux
    support: full
"""

    # For modules that only read: nothing changes, so check mode is the same run and there is nothing to compare.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - This module does not modify state.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: N/A
    details:
      - This module does not modify state.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
    support: full
    details:
      - This module does not modify state.
"""

    # For modules of the action group `npu` in meta/runtime.yml.
    ACTION_GROUP_NPU = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/npuops.ascend.npu) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - npuops.ascend.npu
"""

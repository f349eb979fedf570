# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._compatibility import StackError, stack_versions

DOCUMENTATION = r"""
name: stack_versions
short_description: The versions that ascend_stack stands for
version_added: 1.0.0
description:
  - Takes what the inventory says as C(ascend_stack) and gives the version of each part of the host's software.
  - A name such as V(25.5.0) or V(flexai) picks a row of versions that were tested, or are shipped, together. Any other
    version of the HDK stands for that HDK alone.
options:
  _input:
    description:
      - The name of a row, or a mapping. In a mapping C(stack) names the row, and C(hdk), C(firmware), C(cann),
        C(docker_runtime), C(docker), C(mindie), C(mis_tei), C(vllm_ascend) and C(os) go before what the row says.
      - Empty means that nothing is wished.
    type: raw
    required: true
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.compatibility
"""

EXAMPLES = r"""
---
# group_vars: ascend_stack: "25.5.0"
- name: Install the CANN of the stack
  ansible.builtin.include_role:
    name: npuops.ascend.cann
  vars:
    cann_version: "{{ (ascend_stack | npuops.ascend.stack_versions).cann }}"

- name: Show a row with another CANN
  ansible.builtin.debug:
    msg: "{{ {'stack': '25.5.0', 'cann': '8.5.0'} | npuops.ascend.stack_versions }}"
"""

RETURN = r"""
_value:
  description:
    - C(hdk), C(firmware), C(cann), C(docker_runtime), C(docker) (the oldest engine), C(mindie), C(mis_tei),
      C(vllm_ascend) and C(os). What is not said is null.
    - C(name) is that of the row. C(evidence) is V(tested), V(vendor) or V(unknown), and C(told) lists the keys which
      the input itself names.
  type: dict
"""


def stack_versions_of(wish):
    try:
        return stack_versions(wish)
    except StackError as exc:
        raise AnsibleFilterError(f"stack_versions: {exc}.") from exc


class FilterModule:
    """Filters about stacks of versions."""

    def filters(self):
        return {"stack_versions": stack_versions_of}

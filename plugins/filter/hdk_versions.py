# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._hdk_packages import wanted
from ..module_utils._run import VendorError

DOCUMENTATION = r"""
name: hdk_versions
short_description: The versions of driver and firmware that packages and wishes ask for
version_added: 1.0.0
description:
  - Takes what was said of packages and versions, and gives the version of the driver and of the firmware.
  - Versions come from the names of the packages; the firmware in a C(.zip) is looked up in it, if it is on the
    controller. Fails when a package is not of the version that is wished.
options:
  _input:
    description:
      - C(package) (a C(.zip)), C(driver_package), C(firmware_package) as paths or URLs, C(version) and
        C(firmware_version). Each may be empty.
    type: dict
    required: true
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Show what a package would install
  ansible.builtin.debug:
    msg: "{{ {'package': '/srv/Ascend-hdk-910b-npu_25.5.0_linux-aarch64.zip'} | npuops.ascend.hdk_versions }}"
"""

RETURN = r"""
_value:
  description: C(driver) and C(firmware), each a version or null.
  type: dict
"""


def hdk_versions(said):
    try:
        return wanted(said)
    except VendorError as error:
        raise AnsibleFilterError(f"hdk_versions: {error}") from error


class FilterModule:
    """Filters about driver and firmware."""

    def filters(self):
        return {"hdk_versions": hdk_versions}

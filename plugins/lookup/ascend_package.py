# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ascend_package
short_description: The vendor package that a version, a chip and an architecture ask for
version_added: 1.0.0
description:
  - Finds one package of Huawei among those in a directory of the controller, by its file name as published, and its
    checksum in the file C(SHA256SUMS).
  - The directory is O(directory), or C(packages/) of O(bundle). The checksums of a bundle are in its own C(SHA256SUMS).
  - Fails, and says what is there, when nothing fits, when more than one does, and when the checksum is missing.
options:
  _terms:
    description:
      - What is looked for. V(hdk) is the C(.zip) with driver and firmware, V(driver) and V(firmware) are C(.run) files.
      - Where there is no such C(.run), the C(.zip) that has it inside is the answer, and RV(_raw[].member) names it.
      - V(docker_runtime) is Ascend Docker Runtime. V(toolkit), V(ops) and V(nnal) are of CANN. Before CANN 8.5
        the files of V(ops) are named C(kernels).
      - V(all) on its own are all packages in the directory, whatever the other options say.
    type: list
    elements: str
    choices: [all, hdk, driver, firmware, docker_runtime, toolkit, ops, nnal]
    required: true
  version:
    description: Version in the file name, in upper or lower case. A firmware has its own, not that of the HDK.
    type: str
  chip:
    description:
      - Chip family as file names have it, such as V(910b), V(310p) or V(A3), or as C(family) of
        M(npuops.ascend.npu_info), such as V(A2). Packages for all chips fit any.
    type: str
  arch:
    description: Architecture of the node, V(x86_64) or V(aarch64). A firmware fits any.
    type: str
  directory:
    description: Directory with packages and C(SHA256SUMS).
    type: path
    vars:
      - name: ascend_packages
  bundle:
    description: Directory that C(playbooks/bundle.yml) made. O(directory) goes before it.
    type: path
    vars:
      - name: ascend_bundle
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Show the driver that this node would get
  ansible.builtin.debug:
    msg: "{{ lookup('npuops.ascend.ascend_package', 'driver', version='25.5.0', chip='910b', arch='x86_64').path }}"
  vars:
    ascend_packages: /srv/ascend/packages
"""

RETURN = r"""
_raw:
  description: For each term the package.
  type: list
  elements: dict
  contains:
    path:
      description: The file on the controller.
      type: path
    sha256:
      description: What its SHA-256 must be.
      type: str
    name:
      description: The file's name.
      type: str
      sample: Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run
    member:
      description: File inside a C(.zip), V(null) for a C(.run).
      type: str
    kind:
      description: The term.
      type: str
    version:
      description: Version in the file name.
      type: str
"""

import os

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils._package_files import SUMS, PackageError, every, find


class LookupModule(LookupBase):
    """One dictionary for each kind of package."""

    def run(self, terms, variables=None, **kwargs):
        # Options that come from variables are not resolved by Ansible where they are templates themselves.
        given = dict(variables or {})
        for name in ("ascend_packages", "ascend_bundle"):
            if name in given:
                given[name] = self._templar.template(given[name])
        self.set_options(var_options=given, direct=kwargs)
        directory, bundle = self.get_option("directory"), self.get_option("bundle")
        sums, prefix = None, ""
        if not directory and bundle:
            directory, sums, prefix = os.path.join(bundle, "packages"), os.path.join(bundle, SUMS), "packages/"
        if not directory:
            raise AnsibleError(
                "ascend_package: no directory is named; set ascend_packages (a directory with the vendor's packages "
                f"and {SUMS}) or ascend_bundle (one that playbooks/bundle.yml made)."
            )
        wish = {name: self.get_option(name) or None for name in ("version", "chip", "arch")}
        try:
            if list(terms) == ["all"]:
                return every(directory, sums, prefix)
            return [find(directory, kind, sums=sums, prefix=prefix, **wish) for kind in terms]
        except PackageError as error:
            raise AnsibleError(f"ascend_package: {error}") from None

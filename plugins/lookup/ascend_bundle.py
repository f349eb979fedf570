# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ascend_bundle
short_description: Container images and packages of a bundle
version_added: 1.0.0
description:
  - What C(playbooks/bundle.yml) put into a directory of the controller, with the checksums of its C(SHA256SUMS).
  - Vendor packages are found by P(npuops.ascend.ascend_package#lookup).
options:
  _terms:
    description:
      - V(images) for the archives of container images.
      - V(system) for the repository of a distribution's packages, named by O(name).
      - V(requirements) for what the other controller installs with pip to be like this one; O(names) are the packages.
    type: list
    elements: str
    choices: [images, system, requirements]
    required: true
  names:
    description: Only archives with any of these images (left out, all), or the Python packages to look at.
    type: list
    elements: str
  name:
    description: Distribution, version and architecture, such as V(debian-12-x86_64).
    type: str
  bundle:
    description: The directory.
    type: path
    required: true
    vars:
      - name: ascend_bundle
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Load the images of the bundle
  ansible.builtin.import_role:
    name: npuops.ascend.docker
  vars:
    ascend_bundle: /media/disk/bundle
    docker_archives: "{{ query('npuops.ascend.ascend_bundle', 'images') | first }}"
"""

RETURN = r"""
_raw:
  description:
    - For V(images) a list of dictionaries with C(path), C(names) and C(sha256).
    - For V(system) a dictionary with C(path), C(sha256), C(names) of the packages asked for, and C(manager).
    - For V(requirements) the text of a pip requirements file with exact versions, without what is not here.
  type: list
  elements: raw
"""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils._bundle import images, requirements, system
from ..module_utils._package_files import PackageError


class LookupModule(LookupBase):
    """One answer for each term."""

    def run(self, terms, variables=None, **kwargs):
        # Options that come from variables are not resolved by Ansible where they are templates themselves.
        given = dict(variables or {})
        for name in ("ascend_bundle",):
            if name in given:
                given[name] = self._templar.template(given[name])
        self.set_options(var_options=given, direct=kwargs)
        bundle = self.get_option("bundle")
        answers = {
            "images": lambda: images(bundle, self.get_option("names")),
            "system": lambda: system(bundle, self.get_option("name")),
            "requirements": lambda: requirements(self.get_option("names") or []),
        }
        unknown = [term for term in terms if term not in answers]
        if unknown:
            raise AnsibleError(f"ascend_bundle: {unknown[0]!r} is not known; there are: {', '.join(answers)}.")
        try:
            return [answers[term]() for term in terms]
        except PackageError as error:
            raise AnsibleError(f"ascend_bundle: {error}") from None

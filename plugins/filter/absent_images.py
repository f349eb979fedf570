# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._image_archive import absent

DOCUMENTATION = r"""
name: absent_images
short_description: Container images that a node does not have yet
version_added: 1.0.0
description:
  - Tells which images are still to be loaded from an archive.
  - An image with the right name and another id counts as absent. Its archive is of another build.
positional: asked, there
options:
  _input:
    description: RV(npuops.ascend.image_archive_info#module:images). If it is empty, names alone are compared.
    type: list
    elements: dict
    required: true
  asked:
    description: Names, and ids of images without a name.
    type: list
    elements: str
    required: true
  there:
    description: Images of the node, RV(community.docker.docker_image_info#module:images).
    type: list
    elements: dict
    required: true
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.image_archive_info
"""

EXAMPLES = r"""
---
- name: See what the node lacks
  ansible.builtin.debug:
    msg: "{{ archive.images | npuops.ascend.absent_images(names, node.images) }}"
"""

RETURN = r"""
_value:
  description: Those of O(asked) that are not there.
  type: list
  elements: str
"""


class FilterModule:
    def filters(self):
        return {"absent_images": absent}

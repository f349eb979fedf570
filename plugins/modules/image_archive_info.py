#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_archive_info
short_description: Read which container images are in a file
version_added: 1.0.0
description:
  - Reads names and ids of the images in an archive that C(docker save) wrote, without loading it and without an engine.
  - In a plain C(.tar) the data of the images is skipped. One that is compressed must be unpacked to be read. That takes
    minutes for large images.
  - Runs where the file is, a node or the controller. Changes nothing.
options:
  path:
    description: The archive, plain or compressed with gzip, bzip2 or xz.
    type: path
    required: true
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: posix
author:
  - npuops contributors (@npuops)
seealso:
  - module: community.docker.docker_image_load
  - plugin: npuops.ascend.absent_images
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Read what the file would bring
  npuops.ascend.image_archive_info:
    path: /srv/ascend/images/vllm-ascend.tar
  register: archive
"""

RETURN = r"""
images:
  description: The images.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Digest of the image's configuration.
      type: str
      sample: sha256:4ab4c602aa5eed5528a6620ff18a1dc4faef0e1ab3a5eddeddb410714478c67f
    ids:
      description: The same, and the digest of its manifest if the archive tells it. Engines show one or the other.
      type: list
      elements: str
    names:
      description: Names with tags. Empty if it has none.
      type: list
      elements: str
      sample: ["quay.io/ascend/vllm-ascend:v0.23.0"]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._image_archive import ArchiveError, read_archive


def main():
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    try:
        images = read_archive(module.params["path"])
    except ArchiveError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, images=images)


if __name__ == "__main__":
    main()

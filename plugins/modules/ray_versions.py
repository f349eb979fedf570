#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ray_versions
short_description: Which Ray and which Python an image of this node has
version_added: 1.0.0
description:
  - Nodes of a Ray cluster need the same Ray and the same Python. The tag of an image does not tell, it may have been
    pulled on different days. So the image itself is asked, in a container without a network that ends at once.
  - Filter P(npuops.ascend.ray_differences#filter) compares what the nodes answered.
  - Reads only. An image that is not on the node is not pulled; then O(image) is not found and nothing is known of it.
options:
  image:
    description: Image on this node.
    type: str
    required: true
  timeout:
    description: Seconds for one command of the engine.
    type: int
    default: 120
  docker:
    description: Path or name of the engine's command line.
    type: str
    default: docker
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Ask the image
  npuops.ascend.ray_versions:
    image: quay.io/ascend/vllm-ascend:v0.23.0
  register: versions
"""

RETURN = r"""
found:
  description: The image is on the node.
  returned: always
  type: bool
image:
  description: Its name as given.
  returned: always
  type: str
image_id:
  description: Its id, equal for equal content. Null when it is not there.
  returned: always
  type: str
  sample: sha256:4f1e0c…
digests:
  description: The digests by which registries know it.
  returned: always
  type: list
  elements: str
ray:
  description: Version of Ray in it. Null when there is none.
  returned: always
  type: str
  sample: 2.48.0
python:
  description: Version of its python3.
  returned: always
  type: str
  sample: 3.11.13
tokens:
  description: This Ray can ask its peers for a token (2.52 and later).
  returned: always
  type: bool
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._ray_versions import PROBE, has_tokens
from ..module_utils._run import VendorError, run


def ask(module, argv):
    try:
        return run([module.params["docker"], *argv], timeout=module.params["timeout"])
    except VendorError as exc:
        module.fail_json(**exc.to_fail())


def main():
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 120},
            "docker": {"type": "str", "default": "docker"},
        },
        supports_check_mode=True,
    )
    image = module.params["image"]
    result = {"changed": False, "found": False, "image": image, "image_id": None, "digests": []}
    result.update(ray=None, python=None, tokens=False)
    seen = ask(module, ["image", "inspect", image])
    if seen.rc != 0:
        if "no such image" in seen.stderr.lower():
            module.exit_json(**result)
        module.fail_json(msg=f"{seen.shown}: {seen.stderr.strip()}", **result)
    told = ask(module, ["run", "--rm", "--network", "none", "--entrypoint", "python3", image, "-c", PROBE])
    try:
        described = json.loads(seen.stdout)[0]
        versions = json.loads(told.stdout.strip().rsplit("\n", 1)[-1])
        result.update(found=True, image_id=described["Id"], digests=described.get("RepoDigests") or [], **versions)
    except (ValueError, KeyError, IndexError):
        module.fail_json(msg=f"{told.shown}: {(told.stderr or told.stdout).strip()[-500:]}", **result)
    result["tokens"] = has_tokens(result["ray"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()

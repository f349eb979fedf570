#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_info
short_description: Tell whether a node has an image or can pull it, before anything is installed
version_added: 1.0.0
description:
  - Looks in the node's container engine first, if there is one, and then asks the registry for the manifest.
  - Needs neither an engine nor its Python library, so it answers on a bare node. It uses the proxy variables of the
    environment as any Python program does.
options:
  name:
    description: Image with tag or digest, as C(docker pull) takes it.
    type: str
    required: true
  insecure_registries:
    description: Registries that are asked by plain HTTP, as in the engine's C(insecure-registries).
    type: list
    elements: str
    default: []
  docker:
    description: Path or name of the engine's command line.
    type: str
    default: docker
  timeout:
    description: Seconds for one question.
    type: int
    default: 20
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
attributes:
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Can this node get the serving image?
  npuops.ascend.image_info:
    name: quay.io/ascend/vllm-ascend:v0.23.0
  register: image

- name: Stop before anything is changed
  ansible.builtin.assert:
    that: image.local or image.registry == 'present'
    fail_msg: "{{ image.detail }}"
"""

RETURN = r"""
local:
  description: The engine has the image.
  returned: always
  type: bool
registry:
  description:
    - What the registry says. V(present), V(absent), V(denied) (it wants credentials) or V(unreachable).
    - V(unasked) when the image is local.
  returned: always
  type: str
  sample: present
detail:
  description: Digest of the image, or what the registry answered.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._registry import Reference, ask


def in_engine(module, docker, name):
    path = module.get_bin_path(docker)
    if path is None:
        return None
    rc, out, _err = module.run_command([path, "image", "inspect", "--format", "{{.Id}}", name],
                                       environ_update={"LC_ALL": "C"})
    return out.strip() if rc == 0 else None


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "insecure_registries": {"type": "list", "elements": "str", "default": []},
            "docker": {"type": "str", "default": "docker"},
            "timeout": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    name = module.params["name"]
    try:
        reference = Reference.parse(name)
    except ValueError as exc:
        module.fail_json(msg="%s; write it as registry/repository:tag." % exc)
    digest = in_engine(module, module.params["docker"], name)
    if digest:
        module.exit_json(changed=False, local=True, registry="unasked", detail=digest)
    scheme = "http" if reference.registry in module.params["insecure_registries"] else "https"
    state, detail = ask(reference, scheme, module.params["timeout"])
    module.exit_json(changed=False, local=False, registry=state, detail=detail or "")


if __name__ == "__main__":
    main()

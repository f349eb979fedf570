#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_check
short_description: Judge whether a node has its container images or can pull them, before anything is installed
version_added: 1.0.0
description:
  - Looks in the node's container engine first, if there is one, and then asks the registry for the manifest.
  - Needs neither an engine nor its Python library, so it answers on a bare node. It uses the proxy variables of the
    environment as any Python program does.
  - A registry that wants credentials is no problem yet. The module warns, for only the pull itself can tell. The same
    holds for a registry that this module cannot reach from a node with an engine, which may have a proxy or a mirror.
options:
  images:
    description: Images with tag or digest, as C(docker pull) takes them.
    type: list
    elements: str
    required: true
  insecure_registries:
    description: Registries that are asked by plain HTTP, as in the engine's C(insecure-registries).
    type: list
    elements: str
    default: []
  host:
    description: Name of this node for the sentences.
    type: str
    default: this node
  docker:
    description: Path or name of the engine's command line.
    type: str
    default: docker
  timeout:
    description: Seconds for one question.
    type: int
    default: 20
  strict:
    description: Fail when an image cannot be had. With V(false) problems are only returned.
    type: bool
    default: true
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
- name: Stop before anything is changed when the serving image cannot be had
  npuops.ascend.image_check:
    images:
      - quay.io/ascend/vllm-ascend:v0.23.0
"""

RETURN = r"""
images:
  description: What was found, in the order of O(images).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The image.
      type: str
    local:
      description: The engine has it.
      type: bool
    registry:
      description:
        - What the registry says. V(present), V(absent), V(denied) (it wants credentials) or V(unreachable).
        - V(unasked) when the image is local.
      type: str
      sample: present
    detail:
      description: Digest of the image, or what the registry answered.
      type: str
problems:
  description: Images that cannot be had, each with C(host), C(item), C(problem), C(remedy) and C(sentence).
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._registry import Reference, ask
from ..module_utils._run import VendorError, run
from ..module_utils._services import Problem

REMEDIES = {
    "absent": "correct the name or the tag, or push the image there",
    "unreachable": "mend the way to the registry (DNS, proxy, insecure_registries), "
    "or load the image with `docker load`",
}


def in_engine(docker, name, timeout):
    """Id of the image in the node's engine, or None without an engine or an image."""
    try:
        done = run([docker, "image", "inspect", "--format", "{{.Id}}", name], timeout)
    except VendorError:
        return None
    return done.stdout.strip() if done.rc == 0 else None


def find(module, name, reference):
    digest = in_engine(module.params["docker"], name, module.params["timeout"])
    if digest:
        return {"name": name, "local": True, "registry": "unasked", "detail": digest}
    scheme = "http" if reference.registry in module.params["insecure_registries"] else "https"
    state, detail = ask(reference, scheme, module.params["timeout"])
    return {"name": name, "local": False, "registry": state, "detail": detail or ""}


def main():
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "str", "required": True},
            "insecure_registries": {"type": "list", "elements": "str", "default": []},
            "host": {"type": "str", "default": "this node"},
            "docker": {"type": "str", "default": "docker"},
            "timeout": {"type": "int", "default": 20},
            "strict": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        references = [(name, Reference.parse(name)) for name in module.params["images"]]
    except ValueError as exc:
        module.fail_json(msg=f"{exc}; write it as registry/repository:tag.")
    images = [find(module, name, reference) for name, reference in references]
    problems = []
    for image in images:
        state = image["registry"]
        if state == "unreachable" and module.get_bin_path(module.params["docker"]):
            module.warn(
                f"{image['name']}: {image['detail']}; whether the engine reaches a registry, the pull will tell."
            )
        elif state in REMEDIES:
            answer = "does not have it" if state == "absent" else "does not answer"
            text = f"it is not in the engine, and the registry {answer} ({image['detail']})"
            problems.append(Problem(module.params["host"], "image " + image["name"], text, REMEDIES[state]))
        elif state == "denied":
            module.warn(f"{image['name']}: {image['detail']}; the pull needs credentials (docker login).")
    result = {"changed": False, "images": images, "problems": [problem.to_dict() for problem in problems]}
    if problems and module.params["strict"]:
        module.fail_json(msg="\n".join(problem.sentence() for problem in problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._compatibility import StackError, fit_args, image, stack_versions
from ..module_utils._vendor_version import version_key

DOCUMENTATION = r"""
name: fitted_services
short_description: Services with a graph mode that the drivers of their nodes have
version_added: 1.0.0
description:
  - From v0.21.0rc1 on vLLM-Ascend uses a graph mode by itself that needs HDK 25.5.1. A service with such an image on an
    older HDK gets V(FULL_DECODE_ONLY) in C(args.compilation_config), unless its arguments choose a mode, or none.
  - The oldest driver of its nodes decides, or the HDK of O(stack), which the roles install.
  - Everything else stays as it is, also what cannot be understood. That is judged by M(npuops.ascend.npu_placement).
positional: hostvars, images
options:
  _input:
    description: The variable C(ascend_services).
    type: list
    elements: raw
    required: true
  hostvars:
    description: The variable C(hostvars), with the facts of M(npuops.ascend.npu_info).
    type: dict
    required: true
  images:
    description: Image for each engine.
    type: dict
    required: true
  stack:
    description: What is wished, as P(npuops.ascend.stack_versions#filter) takes it.
    type: raw
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Read the drivers
  npuops.ascend.npu_info:

- name: Place services as the drivers can serve them
  npuops.ascend.npu_placement:
    services: "{{ ascend_services | npuops.ascend.fitted_services(hostvars, {'vllm': vllm_image}) }}"
    nodes: "{{ hostvars | npuops.ascend.placement_nodes(groups['ascend']) }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The services.
  type: list
  elements: raw
"""


def fitted_services(services, hostvars, images, stack=None):
    try:
        wished = stack_versions(stack)["hdk"]
    except StackError as exc:
        raise AnsibleFilterError(f"fitted_services: stack: {exc}.") from exc
    release = image(images.get("vllm")).release
    if release is None or not isinstance(services, list):
        return services
    return [_fitted(service, hostvars, release, wished) for service in services]


def _fitted(service, hostvars, release, wished):
    if not isinstance(service, dict) or service.get("engine") != "vllm":
        return service
    args, hosts = service.get("args", {}), service.get("hosts")
    if not isinstance(args, dict) or not isinstance(hosts, list):
        return service
    drivers = [_driver(hostvars[host]) for host in hosts if isinstance(host, str) and host in hostvars]
    oldest = wished or min(filter(None, drivers), key=version_key, default=None)
    fitted = fit_args(args, release, oldest)
    return service if fitted is args else {**service, "args": fitted}


def _driver(variables):
    return (variables.get("ansible_facts", {}).get("npu") or {}).get("driver_version")


class FilterModule:
    """Filters about services and the drivers they run on."""

    def filters(self):
        return {"fitted_services": fitted_services}

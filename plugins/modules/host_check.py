#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_check
short_description: Read what a node is like, from its files and in one call
version_added: 1.0.0
description:
  - Reads operating system, kernel, architecture, Python, huge pages, C(vm.swappiness), NUMA balancing, CPU governors,
    firewalls, SELinux, C(/dev/shm), disk space for images and models, clock, ids of the host, NPUs on the PCI bus, the
    RoCE addresses in C(hccn.conf), and the versions that the vendor's installers left.
  - No tool is started and nothing is judged. M(npuops.ascend.compatibility) judges, because clocks and ids say
    something only beside those of the other nodes.
  - Needs neither driver nor Docker.
options:
  model_dirs:
    description: Directories of models whose file systems are measured. One that does not exist stands for its parent.
    type: list
    elements: path
    default: []
  controller_time:
    description:
      - Seconds since the epoch when the call began, as C(now().timestamp()) gives them. The clock of the node is
        compared with it.
      - The answer includes the time that the call took to reach the node, so it may be some tenths of a second high.
    type: float
  docker_socket:
    description: Where the engine answers.
    type: path
    default: /var/run/docker.sock
  hccn_conf:
    description: The file with the RoCE addresses of the NPUs.
    type: path
    default: /etc/hccn.conf
  root:
    description: Directory that stands for the root of the node, for an image that is mounted, or for tests.
    type: path
    default: /
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.compatibility
  - module: npuops.ascend.stack_info
"""

EXAMPLES = r"""
---
- name: Read what the node is like
  npuops.ascend.host_check:
    model_dirs: [/data/models]
    controller_time: "{{ now().timestamp() }}"
  register: found

- name: Refuse a node without room for an image
  ansible.builtin.assert:
    that: (found.host.disks | selectattr('use', 'eq', 'images') | first).free_gb > 30
"""

RETURN = r"""
host:
  description: What was read. A value that the node does not have is null.
  returned: always
  type: dict
  contains:
    os:
      description: C(id), C(version) and C(name) of C(/etc/os-release).
      type: dict
      sample: {id: openeuler, version: "22.03", name: openEuler 22.03 (LTS-SP4)}
    kernel:
      description: Release of the kernel.
      type: str
      sample: 5.10.0-216.0.0.115.oe2203sp4.aarch64
    kernel_headers:
      description: Whether a driver can be built against this kernel.
      type: bool
    arch:
      description: Architecture.
      type: str
      sample: aarch64
    python:
      description: Version of the Python that ran the module.
      type: str
      sample: 3.9.9
    container:
      description: The kind of container that the node is, null for a machine.
      type: str
      sample: docker
    memory:
      description: C(total_mb), C(swap_mb), and C(hugepages) with C(total), C(free) and C(size_kb).
      type: dict
      sample: {total_mb: 1031044, swap_mb: 4095, hugepages: {total: 0, free: 0, size_kb: 2048}}
    transparent_hugepages:
      description: What the kernel does with them.
      type: str
      sample: always
    swappiness:
      description: C(vm.swappiness).
      type: int
      sample: 60
    numa_nodes:
      description: How many NUMA nodes there are.
      type: int
      sample: 4
    numa_balancing:
      description: C(kernel.numa_balancing).
      type: int
      sample: 1
    governors:
      description: The frequency governors of all CPUs.
      type: list
      elements: str
      sample: [performance]
    firewalls:
      description: Those of C(firewalld) and C(ufw) that are active.
      type: list
      elements: str
      sample: [firewalld]
    selinux:
      description: C(enforcing), C(permissive) or C(disabled).
      type: str
      sample: disabled
    shm:
      description: The file system of C(/dev/shm), with the keys of RV(host.disks).
      type: dict
    disks:
      description:
        - File systems for images and models, each with C(use) (C(images) or C(models)), C(path), C(total_gb),
          C(free_gb) and C(used_pct).
      type: list
      elements: dict
    docker:
      description: C(version) of the engine, null when none answers, and C(data_root).
      type: dict
      sample: {version: 20.10.24, data_root: /var/lib/docker}
    clock:
      description:
        - C(time) in seconds since the epoch, C(ahead_s) of O(controller_time), and C(kept_by), the service that keeps
          the clock right.
      type: dict
      sample: {time: 1795341296.123, ahead_s: 0.412, kept_by: chronyd}
    ids:
      description: C(machine_id), C(product_uuid) (null in a container, which has that of its host) and C(hostname).
      type: dict
    npus:
      description:
        - C(on_bus), how many chips are on the PCI bus, C(family), as A2, null for none or several, and C(phy_ids) of
          the device nodes.
      type: dict
      sample: {on_bus: 8, family: A2, phy_ids: [0, 1, 2, 3, 4, 5, 6, 7]}
    roce:
      description: RoCE addresses in C(hccn.conf) by phy id, null without that file.
      type: dict
      sample: {"0": 10.77.1.10}
    installed:
      description:
        - C(driver) and C(firmware) (each with C(installed), C(path), C(complete) and C(accepts), the versions of the
          other one that it names), C(cann), C(docker_runtime) and C(hdk), as in M(npuops.ascend.stack_info), which also
          tells what runs.
      type: dict
      sample: {driver: {installed: 25.5.1, path: /usr/local/Ascend, complete: true, accepts: [["7.0.0", "7.8.99"]]}}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host_check import look


def main():
    module = AnsibleModule(
        argument_spec={
            "model_dirs": {"type": "list", "elements": "path", "default": []},
            "controller_time": {"type": "float"},
            "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
            "hccn_conf": {"type": "path", "default": "/etc/hccn.conf"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, host=look(**module.params))


if __name__ == "__main__":
    main()

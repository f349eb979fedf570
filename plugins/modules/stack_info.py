#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stack_info
short_description: Versions of driver, firmware, CANN and Ascend Docker Runtime
version_added: 1.0.0
author:
  - npuops contributors (@npuops)
description:
  - Reads which vendor software is installed, from the files that the installers write, and what of driver and firmware
    runs, from C(npu-smi). On a machine without a driver it answers that there is none.
  - Says whether the machine has to be restarted for the installed versions to run.
  - Returns all of it as RV(stack), and as the fact C(ascend_installed). The name differs from the variable
    C(ascend_stack), which says what a site wants.
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
attributes:
  platform:
    platforms: linux
options:
  install_path:
    description: A directory besides C(/usr/local/Ascend) and those in C(/etc/ascend_install.info) to look for CANN in.
    type: path
  running:
    description: Whether to ask the driver what runs. Without it the values for that are null.
    type: bool
    default: true
  npu_smi:
    description: Path of the C(npu-smi) program, or its name if it is in E(PATH).
    type: str
    default: npu-smi
  timeout:
    description: Seconds that one call of C(npu-smi) may take.
    type: float
    default: 60
  state_dir:
    description: Where M(npuops.ascend.run_package) notes what it does.
    type: path
    default: /var/lib/npuops
seealso:
  - module: npuops.ascend.run_package
  - module: npuops.ascend.npu_info
"""

EXAMPLES = r"""
---
- name: Look at the vendor software
  npuops.ascend.stack_info:
  register: found

- name: Show it
  ansible.builtin.debug:
    msg: "driver {{ found.stack.driver.installed }}, HDK {{ found.stack.hdk }}, CANN {{ found.stack.cann }}"
"""

RETURN = r"""
stack:
  description: What is there. The fact C(ascend_installed) is the same.
  returned: always
  type: dict
  contains:
    driver:
      description:
        - C(installed) (version, null if there is none), C(running) (version, null if none is loaded), C(loaded),
          C(path), C(complete) (false if an installation was left half-way), C(hdk) (the release it is of) and
          C(reboot_required).
      type: dict
      sample:
        {installed: 25.5.0, running: 25.2.0, loaded: true, path: /usr/local/Ascend, complete: true, hdk: 25.5.0,
         reboot_required: true}
    firmware:
      description:
        - As C(driver), but without C(loaded). C(running) is null if the NPUs differ. C(npus) has each NPU's.
      type: dict
      sample:
        {installed: 7.8.0.5.100, running: 7.7.0.6.236, npus: [{npu_id: 0, running: 7.7.0.6.236}], hdk: 25.5.0,
         path: /usr/local/Ascend, complete: true, reboot_required: true}
    docker_runtime:
      description: Version of Ascend Docker Runtime, null if it is not installed.
      type: str
      sample: 7.1.RC1
    docker_runtime_path:
      description: The directory that its directory C(Ascend-Docker-Runtime) is in.
      type: str
      sample: /usr/local/Ascend
    cann:
      description: Installed parts of CANN, each with C(component), C(version), C(path) and C(family) of chips or null.
      type: list
      elements: dict
      sample: [{component: toolkit, version: 8.3.RC2, path: /usr/local/Ascend/ascend-toolkit/8.3.RC2, family: null}]
    hdk:
      description: The HDK release, if driver and firmware are of the same one.
      type: str
      sample: 25.5.0
    misfits:
      description: What driver and firmware say against each other, as sentences.
      type: list
      elements: str
    reboot_required:
      description: Whether a restart is due.
      type: bool
    reboot_reasons:
      description: Why, as sentences.
      type: list
      elements: str
    trouble:
      description: Why it could not be read what runs; empty if it could.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.npuops.ascend.plugins.module_utils._run_package_journal import Journal
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_installed import collect, read_installed
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_running import Running, read_running
from ansible_collections.npuops.ascend.plugins.module_utils._vendor_stack import stack

ROOT = "/"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "install_path": {"type": "path"},
            "running": {"type": "bool", "default": True},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "timeout": {"type": "float", "default": 60},
            "state_dir": {"type": "path", "default": "/var/lib/npuops"},
        },
        supports_check_mode=True,
    )
    params = module.params
    journal = Journal(params["state_dir"], readonly=True)
    journal.read()
    installed = read_installed(collect(params["install_path"], root=ROOT))
    running = read_running(params["npu_smi"], params["timeout"]) if params["running"] else Running()
    found = stack(installed, running, journal, ROOT)
    module.exit_json(changed=False, stack=found, ansible_facts={"ascend_installed": found})


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: run_package
short_description: Install, upgrade or remove a vendor package of the Ascend stack
version_added: 1.0.0
author:
  - npuops contributors (@npuops)
description:
  - Brings driver, firmware, a part of CANN or Ascend Docker Runtime to the version of a C(.run) or C(.zip) package.
    What is installed is read from the vendor's files, so that a package that is there already is not run again.
  - What would stop the installer is found before it is started. That is a wrong checksum, architecture or chip family,
    a missing tool, user or toolkit, a full file system, a licence that was not accepted.
  - The installer is watched. A question is answered (n, or for a licence what O(accept_eula) says), and an installer
    that keeps asking, prints without end or takes too long is ended. Losing the connection does not stop it.
  - Success is read back from the vendor's files. The exit status and the words of the installer say whether a restart
    is needed.
  - A run that was cut, by a loss of power say, is noted under O(state_dir). The next one installs the package again.
  - It never restarts the machine or a service. Role P(npuops.ascend.hdk#role) does.
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
    details:
      - Says what would be done, and starts no installer. The package need not be on the node yet.
      - What an earlier task may be about to prepare (tools, users, space, the CANN toolkit) is a warning there.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Not with O(allow_reinstall=true), which runs the installer each time.
  platform:
    platforms: linux
options:
  path:
    description:
      - The package on the node, under the name it was published with, which is read and which installers read too.
      - Of a zip with driver and firmware, O(kind) chooses.
    type: path
  kind:
    description: What the package is. By default its name says so; needed for a zip of the HDK, and without O(path).
    type: str
    choices: [driver, firmware, cann, docker_runtime]
  component:
    description: Which part of CANN is meant. For O(kind=cann) without O(path).
    type: str
    choices: [toolkit, kernels, ops, nnal, nnae, nnrt, tfplugin, amct]
  state:
    description:
      - V(present) means exactly the version of the package, V(latest) this or a later one.
      - V(absent) removes it, with the script that the installer left on the machine if it did. Versions of CANN stand
        side by side, and only that of O(path) or O(version) is removed.
    type: str
    choices: [present, latest, absent]
    default: present
  version:
    description:
      - The version that is expected in O(path); a package of another one is refused. For a zip that of its name counts
        as well.
      - With O(state=absent), the version to remove. Another one stays.
    type: str
  sha256:
    description: Checksum of O(path), of the zip if it is one. It is compared whenever the package is about to be run.
    type: str
  checksum_waived:
    description: Whether to run a package without O(sha256).
    type: bool
    default: false
  install_path:
    description: Where to install, if not in the vendor's default C(/usr/local/Ascend). An upgrade stays where it was.
    type: path
  install_for_all:
    description: Whether users besides C(HwHiAiUser)'s group may use driver and CANN.
    type: bool
    default: true
  accept_eula:
    description: Whether you accept the licence that the package shows. Ascend Docker Runtime has one since 26.1.0.
    type: bool
    default: false
  allow_downgrade:
    description: Whether to replace a later version (O(state=present)).
    type: bool
    default: false
  allow_reinstall:
    description: Whether to run the package again though its version is there.
    type: bool
    default: false
  build_tools:
    description:
      - What to do if gcc, make, dkms or the kernel's headers are missing for a driver. It needs them if it has no
        modules for this kernel, which only its installer knows.
    type: str
    choices: [require, warn, ignore]
    default: warn
  chip:
    description: Chip family of the machine, if its PCI bus does not show it (in a virtual machine).
    type: str
    choices: ['310', 310B, 310P, '910', A2, A3, '950']
  arch:
    description: Architecture that the package must be for, if not that of the running kernel.
    type: str
    choices: [aarch64, x86_64]
  extra_options:
    description: Further options of the installer, such as V(--force).
    type: list
    elements: str
    default: []
  unpack_dir:
    description: Where the package is unpacked; by default E(TMPDIR) or C(/tmp). It must allow programs to be run.
    type: path
  state_dir:
    description: Where runs are noted.
    type: path
    default: /var/lib/npuops
  npu_smi:
    description: Path of the C(npu-smi) program, or its name if it is in E(PATH). It is asked which versions run.
    type: str
    default: npu-smi
  query_timeout:
    description: Seconds that one call of C(npu-smi) may take.
    type: float
    default: 60
  timeout:
    description: Seconds that the installer may take.
    type: float
    default: 1800
notes:
  - Must run as root, on the machine itself and not in a container.
seealso:
  - module: npuops.ascend.stack_info
"""

EXAMPLES = r"""
---
- name: Install or upgrade the driver
  npuops.ascend.run_package:
    path: /var/lib/npuops/packages/Ascend-hdk-910b-npu-driver_25.5.0_linux-aarch64.run
    sha256: "{{ driver_sha256 }}"
  register: driver

- name: The firmware of a zip that has both
  npuops.ascend.run_package:
    path: /var/lib/npuops/packages/Ascend-hdk-910b-npu_25.5.0_linux-aarch64.zip
    kind: firmware
    sha256: "{{ hdk_sha256 }}"
  register: firmware

- name: Restart if one of them asks for it
  ansible.builtin.reboot:
  when: driver.reboot_required or firmware.reboot_required

- name: Ascend Docker Runtime, whose licence I have read
  npuops.ascend.run_package:
    path: /var/lib/npuops/packages/Ascend-docker-runtime_26.1.0_linux-aarch64.run
    sha256: "{{ runtime_sha256 }}"
    accept_eula: true

- name: Remove an old CANN toolkit
  npuops.ascend.run_package:
    kind: cann
    component: toolkit
    version: 8.1.RC1
    state: absent
"""

RETURN = r"""
kind:
  description: What the package is.
  returned: always, when it could be told
  type: str
  sample: driver
component:
  description: The part of CANN, else null.
  returned: always, when it could be told
  type: str
  sample: toolkit
name:
  description: What the package is called, null without O(path).
  returned: always, when it could be told
  type: str
  sample: Ascend-hdk-910b-npu-driver
action:
  description: V(none), V(install), V(upgrade), V(downgrade), V(reinstall) or V(uninstall).
  returned: always, when it was decided
  type: str
  sample: upgrade
version_before:
  description: The version that was installed, or null.
  returned: always, when it was decided
  type: str
  sample: 25.2.0
version_after:
  description: The version that is installed, or null. In check mode the one that would be.
  returned: always, when it was decided
  type: str
  sample: 25.5.0
running_version:
  description: The version of driver or firmware that runs; null if none does, or NPUs differ.
  returned: always, when it was decided
  type: str
  sample: 25.2.0
reboot_required:
  description:
    - Whether a restart is due for what is installed to run, also one that an earlier run asked for. In check mode
      what is known before the change.
  returned: success
  type: bool
reboot_reason:
  description: Why, mostly in the installer's words; empty if none is due.
  returned: success
  type: str
  sample: Reboot needed for installation/upgrade to take effect
steps:
  description: What was done, or would be, in words.
  returned: always, when it was decided
  type: list
  elements: str
  sample: [upgrade driver from 25.2.0 to 25.5.0]
cmd:
  description: The installer's command, null if none is needed.
  returned: always, when it was decided
  type: str
  sample: bash /var/lib/npuops/packages/Ascend-hdk-910b-npu-driver_25.5.0_linux-aarch64.run --upgrade --quiet
stdout:
  description: What the installer printed.
  returned: when it ran
  type: str
exit_status:
  description: Its exit status. C(2) is a driver that is installed and needs a restart.
  returned: when it succeeded
  type: int
log:
  description: The installer's log on the node.
  returned: always, when it could be told
  type: str
  sample: /var/log/ascend_seclog/ascend_install.log
rc:
  description: Its exit status; null if it was ended.
  returned: when it failed
  type: int
standing:
  description: What is left, in words.
  returned: when the installer failed
  type: str
  sample: "driver is as it was: 25.2.0"
remedy:
  description: What can be done about a failure.
  returned: failure
  type: str
"""

import shlex

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_checks import misfits
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_journal import Journal
from ansible_collections.npuops.ascend.plugins.module_utils._run_package_work import Failed, Work

ARGUMENTS = {
    "path": {"type": "path"},
    "kind": {"type": "str", "choices": ["driver", "firmware", "cann", "docker_runtime"]},
    "component": {
        "type": "str",
        "choices": ["toolkit", "kernels", "ops", "nnal", "nnae", "nnrt", "tfplugin", "amct"],
    },
    "state": {"type": "str", "choices": ["present", "latest", "absent"], "default": "present"},
    "version": {"type": "str"},
    "sha256": {"type": "str"},
    "checksum_waived": {"type": "bool", "default": False},
    "install_path": {"type": "path"},
    "install_for_all": {"type": "bool", "default": True},
    "accept_eula": {"type": "bool", "default": False},
    "allow_downgrade": {"type": "bool", "default": False},
    "allow_reinstall": {"type": "bool", "default": False},
    "build_tools": {"type": "str", "choices": ["require", "warn", "ignore"], "default": "warn"},
    "chip": {"type": "str", "choices": ["310", "310B", "310P", "910", "A2", "A3", "950"]},
    "arch": {"type": "str", "choices": ["aarch64", "x86_64"]},
    "extra_options": {"type": "list", "elements": "str", "default": []},
    "unpack_dir": {"type": "path"},
    "state_dir": {"type": "path", "default": "/var/lib/npuops"},
    "npu_smi": {"type": "str", "default": "npu-smi"},
    "query_timeout": {"type": "float", "default": 60},
    "timeout": {"type": "float", "default": 1800},
}
ROOT = "/"


def check_options(params: dict) -> None:
    """Raises VendorError for options that do not go together."""
    if params["state"] != "absent" and not params["sha256"] and not params["checksum_waived"]:
        raise VendorError(
            "sha256 of the package is not given",
            "Take it from where the package is published, or set checksum_waived: true to run it unseen.",
        )
    if params["kind"] == "cann" and not params["path"] and not params["component"]:
        raise VendorError("CANN has several parts", "Say in component which one is meant, or give a package in path.")


def run(module: AnsibleModule, result: dict) -> None:
    """Fill ``result``; raises VendorError, with what is known so far in it."""
    params = module.params
    check_options(params)
    journal = Journal(params["state_dir"], readonly=module.check_mode)
    with journal.locked():
        work = Work(params, journal, check_mode=module.check_mode, warn=module.warn, root=ROOT)
        package = work.source.package if work.source else None
        result.update(
            kind=work.kind,
            component=work.component,
            name=package.name if package else None,
            log=work.log,
            changed=False,
        )
        work.check_name()
        decided = work.decide()
        argv = work.command(decided) if decided.changes else None
        result.update(
            action=decided.action,
            version_before=decided.before,
            version_after=decided.after if module.check_mode else decided.before,
            steps=[decided.sentence],
            cmd=None if argv is None else shlex.join(argv),
            diff={"before": line(work, decided.before), "after": line(work, decided.after)},
        )
        if decided.changes:
            work.check(decided)
            if not module.check_mode:
                install(work, decided, result)
        result["changed"] = decided.changes
        running = work.running()
        reason = work.restart(running)
        result.update(running_version=running.version(work.kind), reboot_required=bool(reason), reboot_reason=reason)
        if work.kind in ("driver", "firmware"):
            for sentence in misfits(work.installed):
                module.warn(sentence)


def install(work: Work, decided, result: dict) -> None:
    """Run the installer, and note in ``result`` what is there then.

    Its exit status is not called rc: to Ansible a result with another rc than 0 has failed.
    """
    try:
        ran = work.apply(decided)
    except Failed as failure:
        result.update(standing=failure.standing, changed=failure.changed)
        result["version_after"] = work.there().version
        raise
    result.update(version_after=work.found_after(decided), stdout=ran.stdout, exit_status=ran.rc)


def line(work: Work, version) -> str:
    return f"{work.what} {version}\n" if version else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ["path"]), ("state", "latest", ["path"])],
        required_one_of=[("path", "kind")],
        supports_check_mode=True,
    )
    result: dict = {}
    try:
        run(module, result)
    except VendorError as error:
        module.fail_json(**{**result, **error.to_fail()})
    module.exit_json(**result)


if __name__ == "__main__":
    main()

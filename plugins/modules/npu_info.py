#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: npu_info
short_description: Read the Ascend NPUs of a machine
version_added: 1.0.0
author:
  - npuops contributors (@npuops)
description:
  - Reads what C(npu-smi) says about the NPUs of a machine, whatever the model and the driver release, and returns it as
    values; nothing is changed.
  - Runs at most two commands, C(npu-smi info) for chips and processes and C(npu-smi info -m) for the mapping.
  - Output that is not understood is an error that shows the line; a value the tool does not print, or prints as C(NA)
    or C(-), is C(null), never C(0).
  - Must run as a user who may use the NPUs, normally root.
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
  - npuops.ascend.attributes.action_group_npu
options:
  gather:
    description:
      - What to read.
      - V(chips) and V(processes) come from the same command, so one costs as much as both.
      - With V(chips) and V(mapping) together the ids of the mapping are filled into the chips as well.
    type: list
    elements: str
    choices:
      - chips
      - processes
      - mapping
    default:
      - chips
      - processes
      - mapping
  npu_smi:
    description: Path of the C(npu-smi) program, or its name if it is in E(PATH).
    type: str
    default: npu-smi
  timeout:
    description: How many seconds each vendor command may take before it is stopped.
    type: float
    default: 60
notes:
  - C(npu-smi) numbers NPUs by slot or bus, so an NPU id is neither contiguous nor does it begin at 0. Take
    RV(chips[].phy_id) for C(/dev/davinciN), C(hccn_tool -i N) and C(/etc/hccn.conf).
  - Only Atlas A3 and Ascend 950 print a phy id. Elsewhere RV(chips[].phy_id) is derived when V(mapping) is gathered.
    On cards of two chips it is the logic id. For NPUs of one chip logic id and NPU id normally agree; where they do
    not, that one is taken which fits the numbers of the C(/dev/davinciN) device nodes, and if that does not decide,
    it is C(null).
"""

EXAMPLES = r"""
- name: Read the NPUs
  npuops.ascend.npu_info:
  register: npus

- name: Stop if one of them is not well
  ansible.builtin.assert:
    that: npus.chips | rejectattr('health', 'equalto', 'OK') | length == 0
    fail_msg: >-
      {{ inventory_hostname }} has NPUs that are not OK:
      {{ npus.chips | rejectattr('health', 'equalto', 'OK') | map(attribute='npu_id') | join(', ') }}

- name: Show who uses the NPUs, with a program that is not in PATH and a short timeout
  npuops.ascend.npu_info:
    gather: [processes]
    npu_smi: /usr/local/sbin/npu-smi
    timeout: 20
"""

RETURN = r"""
npu_smi_version:
  description: Release of the tool, or C(null) if it prints no banner.
  returned: when O(gather) has V(chips) or V(processes)
  type: str
  sample: 25.2.0
driver_version:
  description: Release of the driver, which can differ from the tool's. In a container it is the driver of the host.
  returned: when O(gather) has V(chips) or V(processes)
  type: str
  sample: 25.2.0
chips:
  description: Every chip, in the order of the tool. All keys are always there.
  returned: when O(gather) has V(chips)
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU id, the C(-i) of C(npu-smi).
      type: int
      sample: 0
    name:
      description: Chip name.
      type: str
      sample: 910B3
    health:
      description: V(OK), V(Warning), V(Alarm), V(Critical) or V(UNKNOWN), as printed.
      type: str
      sample: OK
    power_w:
      description: Power in watts. On dual-die NPUs only the first chip has it.
      type: float
      sample: 92.3
    temp_c:
      description: Temperature in degrees Celsius.
      type: int
      sample: 33
    hugepages:
      description: Huge pages used and total.
      type: list
      elements: int
      sample: [0, 0]
    chip_id:
      description: Chip id inside the NPU, the C(-c) of C(npu-smi). Ascend 950 has none.
      type: int
      sample: 0
    phy_id:
      description: The N of C(/dev/davinciN). See the notes.
      type: int
      sample: 0
    logic_id:
      description: Number of the chip as a process on this machine sees it. Known when V(mapping) is gathered as well.
      type: int
      sample: 0
    device_id:
      description: The C(Device) column, which only chips without HBM have.
      type: int
      sample: 0
    bus_id:
      description: PCI address.
      type: str
      sample: "0000:C1:00.0"
    aicore_pct:
      description: Use of the AI cores in percent.
      type: int
      sample: 0
    npu_util_pct:
      description: Use of the NPU in percent, printed for Ascend 950 instead of RV(chips[].aicore_pct).
      type: int
      sample: 0
    memory_mb:
      description: DDR used and total in MB. Both are 0 on chips that have none.
      type: list
      elements: int
      sample: [0, 0]
    hbm_mb:
      description: HBM used and total in MB, or C(null) on chips without HBM.
      type: list
      elements: int
      sample: [3122, 65536]
processes:
  description:
    - Processes on the chips; at most eight of each chip are listed by the tool.
    - Do not read an empty list as idle. Idle are the NPUs in RV(no_process_npus).
  returned: when O(gather) has V(processes)
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU id.
      type: int
      sample: 4
    chip_id:
      description: Chip id, or C(null) on Ascend 950.
      type: int
      sample: 0
    pid:
      description: Process id on the host.
      type: int
      sample: 2643474
    name:
      description: Name of the process, cut to 15 characters; empty for a process of another PID namespace.
      type: str
      sample: VLLMWorker_TP
    memory:
      description: Device memory of the process, in RV(process_memory_unit).
      type: int
      sample: 59299
    extra:
      description: Fifth column as printed, since release 26.0 the process id in its container; C(null) before.
      type: str
      sample: "233937"
process_memory_unit:
  description: Unit of RV(processes[].memory), V(MB) or V(B). C(null) if the tool printed no list of processes.
  returned: when O(gather) has V(processes)
  type: str
  sample: MB
no_process_npus:
  description: Ids of the NPUs of which the tool says that no process runs there.
  returned: when O(gather) has V(processes)
  type: list
  elements: int
  sample: [0, 1, 2, 3]
warning:
  description: What the tool printed besides its tables, or C(null). It is shown as a warning of the task, too.
  returned: when O(gather) has V(chips) or V(processes)
  type: str
  sample: "[WARNING]The driver package may not be completely installed"
mapping:
  description: Rows of C(npu-smi info -m). The controller of a card is listed like a chip, with RV(mapping[].name=Mcu).
  returned: when O(gather) has V(mapping)
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU id.
      type: int
      sample: 0
    chip_id:
      description: Chip id inside the NPU.
      type: int
      sample: 0
    logic_id:
      description: Logic id, or C(null) if none is printed.
      type: int
      sample: 0
    phy_id:
      description: Phy id, or C(null) if none is printed.
      type: int
      sample: 0
    slot_id:
      description: Slot id, printed for Ascend 950.
      type: int
      sample: 0
    name:
      description: Name of the chip, with the word Ascend where the tool prints it.
      type: str
      sample: Ascend 910B3
ansible_facts:
  description: The same values as facts.
  returned: success
  type: dict
  contains:
    npu:
      description: All return values above under one key.
      type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import device_nodes, with_ids
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi, VendorError

_OF_PROCESSES = ("processes", "process_memory_unit", "no_process_npus")


def gather(tool: NpuSmi, subsets: set, nodes: frozenset) -> dict:
    """Run the commands the subsets need and return the result keys they stand for."""
    found: dict = {}
    mapping = tool.mapping() if "mapping" in subsets else None
    if subsets & {"chips", "processes"}:
        info = tool.info()
        found = info.to_dict()
        found["chips"] = [chip.to_dict() for chip in with_ids(info.chips, mapping, nodes)]
        if "chips" not in subsets:
            del found["chips"]
        if "processes" not in subsets:
            for key in _OF_PROCESSES:
                del found[key]
    if mapping is not None:
        found.update(mapping.to_dict())
    return found


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            "gather": {
                "type": "list",
                "elements": "str",
                "choices": ["chips", "processes", "mapping"],
                "default": ["chips", "processes", "mapping"],
            },
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.params["timeout"] <= 0:
        module.fail_json(msg=f"timeout must be more than 0 seconds, it is {module.params['timeout']:g}")
    tool = NpuSmi(module.params["npu_smi"], module.params["timeout"])
    try:
        found = gather(tool, set(module.params["gather"]), device_nodes())
    except VendorError as error:
        module.fail_json(**error.to_fail())
    for warning in [*tool.complaints, found.get("warning")]:
        if warning:
            module.warn(warning)
    module.exit_json(changed=False, ansible_facts={"npu": found}, **found)


if __name__ == "__main__":
    main()

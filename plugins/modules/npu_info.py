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
  - Runs no more commands than what is asked for needs, by default two. Those of different NPUs run side by side, those
    of one NPU one after the other.
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
      - V(boards) and V(firmware) come from the same command, which is run for each NPU. V(health) and V(vnpus) are one
        command for each chip. V(templates) and V(topology) are one each.
      - Where the ids of the NPUs are needed but none of V(chips), V(processes) and V(mapping) is asked for,
        C(npu-smi info -m) is run, too.
      - What the product does not support is no failure. It is listed in RV(not_supported).
    type: list
    elements: str
    choices:
      - chips
      - processes
      - mapping
      - boards
      - firmware
      - vnpus
      - templates
      - health
      - topology
    default:
      - chips
      - processes
      - mapping
  container:
    description:
      - Name of a running container. The NPUs are read in there, as its processes see them, by its own C(npu-smi).
      - Then there are no RV(ansible_facts), and no phy id is derived from device nodes.
    type: str
  npu_smi:
    description: Path of the C(npu-smi) program, or its name if it is in E(PATH).
    type: str
    default: npu-smi
  timeout:
    description: How many seconds each vendor command may take before it is stopped.
    type: float
    default: 60
seealso:
  - module: npuops.ascend.npu_vnpu
  - module: npuops.ascend.npu_placement
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

- name: Read how the NPUs are split, and into what they can be
  npuops.ascend.npu_info:
    gather: [vnpus, templates]
  register: slices

- name: Show the vNPUs that no container uses
  ansible.builtin.debug:
    msg: "{{ slices.vnpus | map(attribute='vnpus') | flatten | rejectattr('in_use') | map(attribute='vnpu_id') }}"

- name: Stop if the NPUs of a machine have different firmware
  npuops.ascend.npu_info:
    gather: [firmware]
  register: boards
  failed_when: boards is failed or boards.firmware_version is none
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
boards:
  description:
    - The board of every NPU, as text. Keys not listed here are the titles of the tool in snake case.
    - A title the tool does not print, or prints as C(NA), is C(null).
  returned: when O(gather) has V(boards)
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU id.
      type: int
      sample: 0
    chip_count:
      description: Number of chips of the NPU, or C(null) if it is not printed.
      type: int
      sample: 1
    product_name:
      description: Product name.
      type: str
      sample: IT21HMDC_Bin5
    model:
      description: Model.
      type: str
      sample: null
    manufacturer:
      description: Manufacturer.
      type: str
      sample: Huawei
    serial_number:
      description: Serial number.
      type: str
      sample: 1025C9048791
    software_version:
      description: Release of the driver.
      type: str
      sample: 25.5.1
    firmware_version:
      description: Release of the firmware.
      type: str
      sample: 7.8.0.6.201
    compatibility:
      description: Whether driver and firmware go together, V(OK) or V(NOK).
      type: str
      sample: OK
    board_id:
      description: Board id.
      type: str
      sample: "0x60"
    pcb_id:
      description: PCB id.
      type: str
      sample: A
    bom_id:
      description: BOM id.
      type: str
      sample: "1"
    pcie_bus_info:
      description: PCI address.
      type: str
      sample: "0000:C1:00.0"
    slot_id:
      description: Slot id.
      type: str
      sample: "0"
    pci_vendor_id:
      description: PCI vendor.
      type: str
      sample: "0x19E5"
    pci_device_id:
      description: PCI device.
      type: str
      sample: "0xD802"
firmware:
  description: Releases of every NPU.
  returned: when O(gather) has V(firmware)
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU id.
      type: int
      sample: 0
    firmware_version:
      description: Release of the firmware.
      type: str
      sample: 7.8.0.6.201
    software_version:
      description: Release of the driver.
      type: str
      sample: 25.5.1
    compatibility:
      description: Whether driver and firmware go together, V(OK) or V(NOK).
      type: str
      sample: OK
firmware_version:
  description: Release of the firmware if all NPUs have the same one, else C(null).
  returned: when O(gather) has V(firmware)
  type: str
  sample: 7.8.0.6.201
health:
  description: Health of every chip with its fault codes.
  returned: when O(gather) has V(health)
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU id.
      type: int
      sample: 0
    chip_id:
      description: Chip id, or C(null) on Ascend 950.
      type: int
      sample: 0
    phy_id:
      description: The N of C(/dev/davinciN). Known under the conditions of RV(chips[].phy_id).
      type: int
      sample: 0
    health:
      description: V(OK), V(Warning), V(Alarm), V(Critical) or V(UNKNOWN), as printed.
      type: str
      sample: Alarm
    error_codes:
      description: Codes of the faults, an empty list if there are none.
      type: list
      elements: str
      sample: [A4025021, 8C03A000]
    error_information:
      description: What the codes mean, as printed.
      type: list
      elements: str
      sample: [ascend_monitor adda heart beat lost error]
vnpus:
  description:
    - Every chip with its vNPUs, and what is left of it.
    - It can be given to M(npuops.ascend.npu_vnpu) as O(npuops.ascend.npu_vnpu#module:slices).
  returned: when O(gather) has V(vnpus)
  type: list
  elements: dict
  contains:
    npu_id:
      description: NPU id.
      type: int
      sample: 6
    chip_id:
      description: Chip id, or C(null) on Ascend 950.
      type: int
      sample: 0
    phy_id:
      description: The N of C(/dev/davinciN). Known under the conditions of RV(chips[].phy_id).
      type: int
      sample: 6
    supported:
      description:
        - Whether the tool has an answer for this chip.
        - If not, the reason is in RV(not_supported), and the empty list in RV(vnpus[].vnpus) says nothing.
      type: bool
      sample: true
    resources:
      description:
        - Free and total amount of each resource by name, C([null, null]) for one the chip does not tell.
        - Names are V(aicore), V(memory_gb), V(aicpu), V(vpc), V(venc), V(vdec), V(jpegd), V(jpege) and V(pngd).
      type: dict
      sample: {aicore: [10, 20], memory_gb: [32, 64], aicpu: [4, 7]}
    total:
      description: Number of vNPUs as the tool counts them, or C(null) where it has no answer.
      type: int
      sample: 1
    vnpus:
      description: The vNPUs.
      type: list
      elements: dict
      contains:
        vnpu_id:
          description: The N of C(/dev/vdavinciN).
          type: int
          sample: 196
        vgroup_id:
          description: Id of the group, or C(null) if there is none.
          type: int
          sample: 0
        container_id:
          description: V(000000000000) for none, V(ffffffffffff) for any; it is no id of Docker.
          type: str
          sample: "000000000000"
        status:
          description: V(1) if a container has it, V(0) if not, C(null) if the tool does not know. It is not its health.
          type: int
          sample: 0
        in_use:
          description: Whether the status or the container id says that it is used, C(null) if neither is known.
          type: bool
          sample: false
        template:
          description: Name of its template.
          type: str
          sample: vir10_3c_32g
templates:
  description: The templates the machine has, an empty list if it does not support vNPUs.
  returned: when O(gather) has V(templates)
  type: list
  elements: dict
  contains:
    name:
      description: Name.
      type: str
      sample: vir10_3c_32g
    aicore:
      description: AI cores.
      type: int
      sample: 10
    memory_gb:
      description: Memory in GB.
      type: int
      sample: 32
    aicpu:
      description: AI CPUs, or C(null) if not printed; it can be a fraction, as the units below.
      type: float
      sample: 3
    vpc:
      description: VPC units of image processing.
      type: float
      sample: 4
    venc:
      description: Video encoders.
      type: float
      sample: 0
    vdec:
      description: Video decoders.
      type: float
      sample: 1
    jpegd:
      description: JPEG decoders.
      type: float
      sample: 12
    jpege:
      description: JPEG encoders.
      type: float
      sample: 2
    pngd:
      description: PNG decoders.
      type: float
      sample: 0
topology:
  description: How the NPUs are connected, or C(null) if the product does not tell.
  returned: when O(gather) has V(topology)
  type: dict
  contains:
    npus:
      description: Names of the NPUs, in the order of the tool. On Atlas A3 these are phy ids.
      type: list
      elements: str
      sample: [NPU0, NPU1]
    links:
      description: For each name the kind of path to each other name, C(null) where there is none.
      type: dict
      sample: {NPU0: {NPU1: HCCS}, NPU1: {NPU0: HCCS}}
    cpu_affinity:
      description: For each name the CPUs near to it.
      type: dict
      sample: {NPU0: 144-167, NPU1: 0-23}
not_supported:
  description: What was asked for but the product does not have, with the answer of the tool.
  returned: when O(gather) has V(boards), V(firmware), V(vnpus), V(templates), V(health) or V(topology)
  type: list
  elements: dict
  contains:
    subset:
      description: The value of O(gather).
      type: str
      sample: vnpus
    npu_id:
      description: NPU id, or C(null) for what was asked of the whole machine.
      type: int
      sample: 0
    chip_id:
      description: Chip id, or C(null) for what was asked of the whole NPU or machine.
      type: int
      sample: 0
    answer:
      description: What the tool said.
      type: str
      sample: This device does not support querying info-vnpu.
ansible_facts:
  description: The same values as facts.
  returned: without O(container)
  type: dict
  contains:
    npu:
      description: All return values above under one key.
      type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import device_nodes
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi, VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_gather import gather


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            "gather": {
                "type": "list",
                "elements": "str",
                "choices": [
                    "chips",
                    "processes",
                    "mapping",
                    "boards",
                    "firmware",
                    "vnpus",
                    "templates",
                    "health",
                    "topology",
                ],
                "default": ["chips", "processes", "mapping"],
            },
            "container": {"type": "str"},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.params["timeout"] <= 0:
        module.fail_json(msg=f"timeout must be more than 0 seconds, it is {module.params['timeout']:g}")
    container = module.params["container"]
    tool = NpuSmi(module.params["npu_smi"], module.params["timeout"], container)
    try:
        found = gather(tool, module.params["gather"], frozenset() if container else device_nodes())
    except VendorError as error:
        module.fail_json(**error.to_fail())
    for warning in [*tool.complaints, found.get("warning")]:
        if warning:
            module.warn(warning)
    # What a container sees of a node is no fact of that node.
    facts = {} if container else {"ansible_facts": {"npu": found}}
    module.exit_json(changed=False, **facts, **found)


if __name__ == "__main__":
    main()

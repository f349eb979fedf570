#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hccn_config
short_description: Addresses and switches of the NPUs' RoCE ports
version_added: 1.0.0
author:
  - npuops contributors (@npuops)
description:
  - Takes what each NPU's RoCE port shall have, compares it with what it has, and sets only what differs, with
    C(hccn_tool). What is not declared stays. With no O(npus) at all nothing is changed, and what is there is checked.
  - An address that an NPU has is never changed unless its phy id is named in O(reassign).
  - All is checked before the first change. The task fails, and the machine stays as it is, when an address is double,
    not for hosts, or in a network that NPUs use inside, a gateway is not in the network of its address, an NPU does not
    answer or gets its address by DHCP.
  - Success is read back. When a step fails, what was done before is taken back. What cannot be taken back is said.
  - The file C(hccn.conf), from which the driver restores the ports after a restart, gets the declared values in their
    places. All its other lines stay. It is written over and not replaced, because containers have it mounted.
  - Must run as root, on the machine itself and not in a container.
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
    details:
      - Everything is read and decided, so RV(ignore:changed=false) in check mode means that the wish holds.
  diff_mode:
    support: full
    details:
      - Shows each NPU's settings, and C(hccn.conf), before and after.
  idempotent:
    support: full
  platform:
    platforms: linux
options:
  npus:
    description:
      - What the NPUs shall have, one entry each, as this module returns it. Without any, they keep what they have.
      - The filter P(npuops.ascend.roce_addresses#filter) makes it from a range.
    type: list
    elements: dict
    default: []
    suboptions:
      phy_id:
        description: The N of C(/dev/davinciN), which C(hccn_tool -i) takes.
        type: int
        required: true
      address:
        description: IPv4 address.
        type: str
      netmask:
        description:
          - Netmask, such as V(255.255.0.0).
          - Can be left out if the NPU is in that network already.
        type: str
      gateway:
        description: Default gateway, in the network of the address.
        type: str
      netdetect:
        description: Address that the NPU pings for its own health check. V(0.0.0.0) means none.
        type: str
      tls:
        description:
          - Whether NPUs talk to each other by TLS. It must be the same on all NPUs that work together.
        type: bool
      mtu:
        description: Largest packet in bytes, V(1280) to V(9702).
        type: int
  reassign:
    description: Phy ids of NPUs whose address may be changed though they have one.
    type: list
    elements: int
    default: []
  recover:
    description:
      - Whether to run C(hccn_tool -a -cfg recovery) when C(hccn.conf) says something else than the machine about a
        setting that is not declared. It sets all that is in the file, on all NPUs.
      - Without it, such differences are among RV(problems).
    type: bool
    default: false
  host:
    description: How messages name this node. Usually V({{ inventory_hostname }}).
    type: str
    default: this node
  hccn_conf:
    description: Path of C(hccn.conf). The tool itself knows only the default.
    type: path
    default: /etc/hccn.conf
  backup:
    description: Whether to keep a copy of C(hccn.conf) beside it before it is changed.
    type: bool
    default: true
  hccn_tool:
    description: Path of the C(hccn_tool) program.
    type: path
    default: /usr/local/Ascend/driver/tools/hccn_tool
  npu_smi:
    description: Path of the C(npu-smi) program, or its name if it is in E(PATH). It is asked which NPUs there are.
    type: str
    default: npu-smi
  timeout:
    description: Seconds that one vendor command may take.
    type: float
    default: 60
seealso:
  - module: npuops.ascend.hccn_check
  - plugin: npuops.ascend.roce_addresses
    plugin_type: filter
notes:
  - The tool can set an address and a gateway but not take them away. An NPU that had none keeps what it got when a
    later step fails. C(hccn.conf) does not have it then, it goes with the next restart, and the message says so.
  - Refused are addresses in 192.168.1.0/24 and 192.168.2.0/24. On Atlas A3 these are 192.168.0.0/21 or, in a super pod,
    192.0.0.0/8.
"""

EXAMPLES = r"""
- name: Look at the addresses that the provider gave, and change nothing
  npuops.ascend.hccn_config:
    host: "{{ inventory_hostname }}"
  register: roce

- name: Keep them over a restart, and switch TLS off
  npuops.ascend.hccn_config:
    npus: "{{ roce.npus | map('combine', {'tls': false}) }}"

- name: Give addresses to a new node
  npuops.ascend.hccn_config:
    npus:
      - {phy_id: 0, address: 10.20.0.2, netmask: 255.255.0.0, gateway: 10.20.0.1, netdetect: 10.20.0.1}
      - {phy_id: 1, address: 10.20.0.3, netmask: 255.255.0.0, gateway: 10.20.0.1, netdetect: 10.20.0.1}

- name: Move one NPU to another address
  npuops.ascend.hccn_config:
    npus:
      - {phy_id: 1, address: 10.20.0.9}
    reassign: [1]
"""

RETURN = r"""
npus:
  description: What the NPUs have now, in the form that O(npus) takes. In check mode what they would have.
  returned: always, when the NPUs could be listed
  type: list
  elements: dict
  contains:
    phy_id:
      description: The N of C(/dev/davinciN).
      type: int
      sample: 0
    address:
      description: IPv4 address, null if there is none.
      type: str
      sample: 10.20.0.2
    netmask:
      description: Netmask.
      type: str
      sample: 255.255.0.0
    gateway:
      description: Default gateway, null if there is none.
      type: str
      sample: 10.20.0.1
    netdetect:
      description: Address for the health check, null if there is none.
      type: str
      sample: 10.20.0.1
    tls:
      description: The TLS switch; null where neither O(npus) nor C(hccn.conf) has it, so that it was not read.
      type: bool
      sample: false
    mtu:
      description: Largest packet; null where neither O(npus) nor C(hccn.conf) has it, so that it was not read.
      type: int
      sample: 4096
steps:
  description: The changes, NPU by NPU. In check mode those that would be made.
  returned: when the wish was not refused
  type: list
  elements: dict
  contains:
    phy_id:
      description: The NPU, or null if it is about the node.
      type: int
      sample: 0
    setting:
      description:
        - V(address) (with its netmask), V(gateway), V(netdetect), V(tls) or V(mtu) of the NPU.
        - V(recovery), or V(hccn_conf) if only the file is written.
      type: str
      sample: address
    before:
      description: Value so far.
      type: raw
      sample: null
    after:
      description: Value from now on. For V(hccn_conf) the keys that are written.
      type: raw
      sample: 10.20.0.2/255.255.0.0
    sentence:
      description: The step in words.
      type: str
      sample: set address of phy id 0 from none to 10.20.0.2/255.255.0.0
problems:
  description: What is wrong besides, though it does not stop the task.
  returned: when the wish was not refused
  type: list
  elements: dict
  contains:
    host:
      description: The node, as O(host) has it.
      type: str
    item:
      description: The NPU, or the file.
      type: str
      sample: phy id 3
    problem:
      description: What is wrong.
      type: str
      sample: has no address
    remedy:
      description: What can be done about it.
      type: str
    sentence:
      description: All of it in words.
      type: str
refusals:
  description: Why nothing was changed; they make up the message. Entries are those of RV(problems).
  returned: when the wish was refused
  type: list
  elements: dict
backup_file:
  description: The copy of C(hccn.conf) from before.
  returned: when it was changed and there was one
  type: str
  sample: /etc/hccn.conf.4711.2026-11-22@09:30:00~
restored:
  description: Whether the state before is back.
  returned: when a step failed
  type: bool
standing:
  description: What each NPU that was touched has now, if the state before is not back.
  returned: when a step failed
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_conf import merge, oddities, parse_conf
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_tool import HCCN_TOOL, HccnTool
from ansible_collections.npuops.ascend.plugins.module_utils._npu_ids import device_nodes
from ansible_collections.npuops.ascend.plugins.module_utils._npu_model import family
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_gather import gather
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_types import WITHOUT_PORTS
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config import declared, plan, to_read
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_apply import Failed, Work, read_ports
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_file import ConfFile, readable
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_types import Plan, Port, ipv4, shown
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._services import Problem


def chips_of(params: dict) -> tuple:
    """(phy ids, family) of the NPUs of this machine."""
    chips = gather(NpuSmi(params["npu_smi"], params["timeout"]), ["chips", "mapping"], device_nodes())["chips"]
    phy_ids = sorted(chip["phy_id"] for chip in chips if chip["phy_id"] is not None)
    if len(phy_ids) < len(chips) or not phy_ids:
        raise VendorError(
            f"npu-smi does not tell the phy ids of {len(chips) - len(phy_ids)} of {len(chips)} chips",
            "Compare npu-smi info -m with /dev/davinci*; run it on the machine itself and not in a container.",
        )
    families = {found.name for found in (family(chip["name"]) for chip in chips) if found is not None}
    return phy_ids, families.pop() if len(families) == 1 else None


def vnic_of(tool: HccnTool, wanted: dict, found: dict, chip_family: str | None):
    """An internal address of an A3 machine, if an address is to be judged by it."""
    for phy_id, seen in sorted(found.items()):
        if chip_family == "A3" and seen.port is not None and "address" in wanted.get(phy_id, {}):
            try:
                return ipv4(tool.get_vnic(phy_id).ipaddr)
            except VendorError:
                return None
    return None


def wishes_of(rows: list, host: str) -> tuple:
    """({phy id: {setting: value}}, refusals) of the option npus."""
    wanted: dict = {}
    refusals = []
    for row in rows:
        if row["phy_id"] in wanted:
            refusals.append(Problem(host, f"phy id {row['phy_id']}", "is in npus twice", "keep one entry"))
        wanted[row["phy_id"]] = declared(row)
    return wanted, refusals


def odd_lines(text: str | None, params: dict) -> list:
    return [
        Problem(params["host"], params["hccn_conf"], f"line {number} is {line!r}: {why}", "correct this line")
        for number, line, why in oddities(text or "")
    ]


def table(ports: dict) -> str:
    """One line for each setting that is there, for the diff."""
    return "".join(
        f"phy id {phy_id}: {setting} {shown(value)}\n"
        for phy_id, port in sorted(ports.items())
        for setting, value in (port or Port()).to_dict().items()
        if value is not None
    )


def diffs(path: str, before: dict, after: dict, text: str | None, text_after: str | None) -> list:
    return [
        {"before_header": "NPUs", "after_header": "NPUs", "before": table(before), "after": table(after)},
        {
            "before_header": path,
            "after_header": path,
            "before": readable(text or ""),
            "after": readable(text_after or ""),
        },
    ]


def rows_of(ports: dict) -> list:
    return [{"phy_id": phy_id, **(port or Port()).to_dict()} for phy_id, port in sorted(ports.items())]


def text_after(decided: Plan, text: str | None) -> str | None:
    """What hccn.conf will have; raises VendorError if the driver could not read it."""
    return merge(text or "", decided.conf) if decided.steps else text


def run(module: AnsibleModule, tool: HccnTool, conf: ConfFile) -> dict:
    """Read, decide, and (outside check mode) change; the result for C(exit_json)."""
    params = module.params
    phy_ids, chip_family = chips_of(params)
    wanted, refusals = wishes_of(params["npus"], params["host"])
    if chip_family in WITHOUT_PORTS and not wanted and not refusals:
        return {"changed": False, "steps": [], "problems": [], "npus": [], "diff": []}
    text = conf.read()
    entries = None if text is None else parse_conf(text)
    names = to_read(phy_ids, wanted, entries or {})
    found = read_ports(tool, names)
    decided = plan(
        wanted,
        found,
        entries,
        host=params["host"],
        family=chip_family,
        vnic=vnic_of(tool, wanted, found, chip_family),
        reassign=params["reassign"],
        recover=params["recover"],
    )
    before = {phy_id: seen.port for phy_id, seen in found.items()}
    refusals += decided.refusals
    if refusals:
        module.fail_json(
            msg="\n".join(refusal.sentence() for refusal in refusals),
            refusals=[refusal.to_dict() for refusal in refusals],
            npus=rows_of(before),
        )
    after = {phy_id: decided.expected[phy_id] if port is not None else None for phy_id, port in before.items()}
    result = {
        "changed": bool(decided.steps),
        "steps": [step.to_dict() for step in decided.steps],
        "problems": [problem.to_dict() for problem in [*decided.problems, *odd_lines(text, params)]],
    }
    expected_text = text_after(decided, text)
    if decided.steps and not module.check_mode:
        if params["backup"] and text is not None:
            result["backup_file"] = module.backup_local(params["hccn_conf"])
        work = Work(tool, conf, decided, found, names, text)
        try:
            work.run()
        except Failed as failure:
            result.update(failure.cause.to_fail(), msg=failure.sentence, changed=not failure.restored)
            module.fail_json(
                npus=rows_of(work.ports), restored=failure.restored, standing=list(failure.standing), **result
            )
        after, expected_text = work.ports, conf.read()
    return {**result, "npus": rows_of(after), "diff": diffs(params["hccn_conf"], before, after, text, expected_text)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "npus": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "phy_id": {"type": "int", "required": True},
                    "address": {"type": "str"},
                    "netmask": {"type": "str"},
                    "gateway": {"type": "str"},
                    "netdetect": {"type": "str"},
                    "tls": {"type": "bool"},
                    "mtu": {"type": "int"},
                },
            },
            "reassign": {"type": "list", "elements": "int", "default": []},
            "recover": {"type": "bool", "default": False},
            "host": {"type": "str", "default": "this node"},
            "hccn_conf": {"type": "path", "default": "/etc/hccn.conf"},
            "backup": {"type": "bool", "default": True},
            "hccn_tool": {"type": "path", "default": HCCN_TOOL},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        result = run(
            module,
            HccnTool(params["hccn_tool"], params["timeout"]),
            ConfFile(params["hccn_conf"], params["timeout"]),
        )
    except VendorError as error:
        module.fail_json(**error.to_fail())
    module.exit_json(**result)


if __name__ == "__main__":
    main()

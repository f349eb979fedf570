#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hccn_check
short_description: Judge the RoCE ports of a node's NPUs, and ping the NPUs of other nodes
version_added: 1.0.0
description:
  - Asks the C(hccn_tool) of the driver about the RoCE port of every NPU and says for each V(pass), V(warn) or V(fail),
    with causes and remedies.
  - NPUs are asked side by side, one NPU gets one question after the other, as the tool needs it. A busy tool is asked
    again, for that NPU alone.
  - An NPU that does not answer within O(timeout) is a V(fail) of that NPU and is not asked any further. The others
    are not delayed by it, and their results are not lost.
  - V(fail) means that traffic to other nodes does not work, or that nobody can say so. V(warn) means that it works, but
    not as it should. A net health of C(Init) only says that no address to detect with is set, so it warns.
  - Where many machines differ and work all the same (no gateway, no LLDP, copper cables, each NPU in a network of its
    own, TLS on everywhere), NPUs are compared with the others of their node, and only the odd one is reported.
  - A machine whose NPUs have no RoCE port (310P and other 310 chips, as on Atlas 300I Duo) is no fault. Unless
    O(phy_ids) names them, RV(npus) is empty then, and RV(node.roce_ports) tells why.
  - With O(pings) it pings other NPUs from the NPUs of this node. A ping that comes back outranks what the tool says
    of link and net health.
  - What concerns several nodes (which pings, do the nodes agree) is planned by M(npuops.ascend.roce_plan) and
    judged by M(npuops.ascend.roce_report).
  - Reads only. Needs root.
options:
  phy_ids:
    description:
      - The NPUs to check, by the N of C(/dev/davinciN). The default is all NPUs of the node, as C(npu-smi) lists them.
      - When they are given, C(npu-smi) runs beside the checks instead of before them.
    type: list
    elements: int
  host:
    description: Name of the node for the sentences.
    type: str
    default: this node
  checks:
    description:
      - What to look at. Each is one command for each NPU, but V(hccn_conf), which is a file, and V(driver), which
        asks C(npu-smi) for driver, family and ids, and on Atlas A3 for the super pod.
      - V(vnic) is asked on Atlas A3 only.
      - V(stat) and V(link_stat) are counters and changes of the link, V(optical) is the transceiver. They tell
        why a link is bad, and that it will be.
      - An empty list runs only the O(pings).
    type: list
    elements: str
    choices:
      - link
      - ip
      - gateway
      - netdetect
      - net_health
      - tls
      - lldp
      - speed
      - mtu
      - optical
      - link_stat
      - stat
      - vnic
      - hccn_conf
      - driver
    default:
      - link
      - ip
      - gateway
      - netdetect
      - net_health
      - tls
      - lldp
      - speed
      - mtu
      - optical
      - link_stat
      - stat
      - vnic
      - hccn_conf
      - driver
  pings:
    description: What to ping, as M(npuops.ascend.roce_plan) plans it. They come after the checks of the same NPU.
    type: list
    elements: dict
    default: []
    suboptions:
      round:
        description: Number of the round, from 0. An NPU has at most one ping in a round, and makes them in this order.
        type: int
        default: 0
      phy_id:
        description: The NPU of this node that pings.
        type: int
        required: true
      peer:
        description: Name of the other node.
        type: str
        default: ''
      peer_phy_id:
        description: The NPU of the other node.
        type: int
      address:
        description: What is pinged. With O(ping_tool=hccs_ping) it is the address of a vNIC.
        type: str
        required: true
      size:
        description: Payload in bytes of this ping, instead of O(ping_size).
        type: int
  ping_tool:
    description: V(ping) goes over RoCE. V(hccs_ping) is for Atlas A3 and goes over HCCS, the network of the super pod.
    type: str
    choices: [ping, hccs_ping]
    default: ping
  ping_packets:
    description: How many packets at least. The tool sends three by default; V(ping) is run again if that is too few.
    type: int
  ping_size:
    description:
      - Payload in bytes. The default is that of the tool.
      - A payload of the MTU less 28 bytes shows whether the network carries packets as large as the NPUs send them.
    type: int
  round_seconds:
    description:
      - No ping begins before O(pings[].round) times this many seconds have passed, so that nodes stay in step.
      - With V(0) each NPU takes its next ping when the one before has ended.
    type: float
    default: 0
  bandwidth:
    description:
      - Sides of bandwidth tests that this node takes. The other sides must run on their nodes at the same time, so in
        the same task with enough C(forks). A receiver waits for its sender, a sender tries until its receiver is there.
      - They come after the pings of the same NPU. Afterwards the tool is reset on the NPU, whatever came out.
      - An NPU that serves at the same time is slowed down, and slows the test down.
    type: list
    elements: dict
    default: []
    suboptions:
      phy_id:
        description: The NPU of this node.
        type: int
        required: true
      role:
        description: What it does.
        type: str
        choices: [receiver, sender]
        required: true
      address:
        description: RoCE address of the receiver, which the sender needs.
        type: str
      peer:
        description: Name of the other node.
        type: str
        default: ''
      peer_phy_id:
        description: The NPU of the other node.
        type: int
      test:
        description: Which test.
        type: str
        choices: [ib_send_bw, ib_write_bw, ib_read_bw]
        default: ib_send_bw
      size:
        description: Bytes of a message.
        type: int
        default: 65536
      iterations:
        description: How many messages.
        type: int
        default: 1000
  bandwidth_seconds:
    description: Seconds after which a bandwidth test is given up whose other side has not come.
    type: float
    default: 60
  container:
    description:
      - Name of a running Docker container. Then C(hccn_tool) and C(hccn.conf) are those that its processes see, and
        O(phy_ids) must be given. A service that does not see them starts, and answers garbage.
      - O(checks) must leave out V(driver) and V(vnic), which C(npu-smi) tells of the node.
    type: str
  hccn_conf:
    description: The file with the settings that the driver brings back after a restart.
    type: path
    default: /etc/hccn.conf
  hccn_tool:
    description: Path of C(hccn_tool).
    type: path
    default: /usr/local/Ascend/driver/tools/hccn_tool
  npu_smi:
    description: Path or name of C(npu-smi).
    type: str
    default: npu-smi
  timeout:
    description:
      - Seconds that one vendor command may take. An NPU that is not ready blocks the tool for up to 300 s, and this
        is how long it holds up the result.
    type: float
    default: 30
  deadline:
    description: Seconds after which nothing more is asked. The default is no limit.
    type: float
  strict:
    description: Fail when there is any problem of severity V(fail). With V(false) problems are only returned.
    type: bool
    default: false
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
  - module: npuops.ascend.hccn_config
  - module: npuops.ascend.roce_plan
  - module: npuops.ascend.roce_report
  - module: npuops.ascend.npu_info
"""

EXAMPLES = r"""
---
- name: Look at the RoCE ports of all NPUs
  npuops.ascend.hccn_check:
    host: "{{ inventory_hostname }}"
  register: roce

- name: Show what is wrong, and what to do about it
  ansible.builtin.debug:
    msg: "{{ roce.problems | map(attribute='sentence') }}"

- name: Ask what the guide to serving over several nodes asks, and stop if it is not well
  npuops.ascend.hccn_check:
    phy_ids: [0, 1, 2, 3, 4, 5, 6, 7]
    checks: [lldp, link, net_health, netdetect, gateway, ip, hccn_conf]
    strict: true

- name: See that the container of a service has what it needs
  npuops.ascend.hccn_check:
    container: npuops-chat-ray
    phy_ids: [0, 1, 2, 3]
    checks: [ip, hccn_conf]
    strict: true

- name: Ping two NPUs of another node from two of this one, at the same time
  npuops.ascend.hccn_check:
    checks: []
    pings:
      - {round: 0, phy_id: 0, peer: node2, peer_phy_id: 0, address: 10.77.2.10}
      - {round: 0, phy_id: 1, peer: node2, peer_phy_id: 1, address: 10.77.2.11}

- name: Measure the bandwidth from one NPU of node1 to one of node2 (both hosts must be in the play)
  npuops.ascend.hccn_check:
    checks: []
    bandwidth:
      - phy_id: 0
        role: "{{ 'sender' if inventory_hostname == 'node1' else 'receiver' }}"
        peer: "{{ 'node2' if inventory_hostname == 'node1' else 'node1' }}"
        peer_phy_id: 0
        address: 10.77.2.10
"""

RETURN = r"""
npus:
  description:
    - The checked NPUs, by phy id. A value that was not asked for, not answered or not set is null; causes tell which.
  returned: always
  type: list
  elements: dict
  contains:
    phy_id:
      description: The N of C(/dev/davinciN).
      type: int
      sample: 3
    npu_id:
      description: NPU ID as C(npu-smi) prints it. Null if C(npu-smi) was not asked, or did not answer.
      type: int
      sample: 3
    chip_id:
      description: Chip ID, null as RV(npus[].npu_id).
      type: int
      sample: 0
    ipaddr:
      description: RoCE address.
      type: str
      sample: 10.77.1.13
    netmask:
      description: Its netmask.
      type: str
      sample: 255.255.0.0
    gateway:
      description: Gateway.
      type: str
      sample: 10.77.0.1
    netdetect:
      description: The address that the NPU probes by itself.
      type: str
      sample: 10.77.0.1
    link:
      description: V(UP) or V(DOWN).
      type: str
      sample: UP
    net_health:
      description: What the NPU says of that address.
      type: str
      sample: Success
    tls_switch:
      description: V(1) if connections between NPUs use TLS.
      type: int
      sample: 0
    speed_mbps:
      description: Speed of the link in Mb/s.
      type: int
      sample: 200000
    mtu:
      description: MTU in bytes. Old drivers do not tell it.
      type: int
      sample: 4096
    lldp:
      description: The port of the switch at the other end of the cable, as the switch names itself.
      type: dict
      sample: {port_ifname: "400GE1/1/5:1", system_name: null, mgmt_ipv4: 10.77.0.1, chassis_id: "00:00:5e:00:01:05"}
    optical:
      description: The transceiver. Powers of each lane in mW, and the limits it prints.
      type: dict
      sample: {present: true, temperature_c: 50.0, rx_power_mw: [0.58, 0.75], rx_power_low_mw: 0.09, rx_los: 0}
    link_stat:
      description: How often the link went up and down, and when, newest first.
      type: dict
      sample: {link_up_count: 1, link_down_count: 0, records: [{time: "Sat Jan 18 11:52:27 2025", state: UP}]}
    stat:
      description: Counters of packets.
      type: dict
      sample: {mac_rx_total_pkt_num: 1602684344683, mac_rx_bad_pkt_num: 0}
    vnic:
      description: The address of the NPU in its super pod. Atlas A3 only.
      type: dict
      sample: {link: UP, ipaddr: 192.168.2.199, netmask: 255.255.255.0}
    sdid:
      description:
        - Who the NPU is in its super pod, which rank tables call C(super_device_id). Atlas A3 only, and if V(driver) is
          among O(checks).
      type: int
      sample: 4521985
    not_supported:
      description: Checks that the driver does not know.
      type: list
      elements: str
      sample: [mtu]
    verdict:
      description: V(pass), V(warn) or V(fail), the worst of the causes.
      type: str
      sample: fail
    causes:
      description: Why it is not simply a pass.
      type: list
      elements: dict
      contains:
        check:
          description: The check that found it.
          type: str
          sample: link
        severity:
          description: V(warn) or V(fail).
          type: str
          sample: fail
        sentence:
          description: What is wrong, with the NPU.
          type: str
          sample: phy id 3 has its link DOWN; the transceiver receives no light
        problem:
          description: The same without the NPU.
          type: str
          sample: has its link DOWN; the transceiver receives no light
        remedy:
          description: What to do.
          type: str
          sample: seat or change the cable and the transceiver, and see that the port of the switch is enabled
        silent:
          description: Whether the NPU left this question unanswered in time, and was not asked any further.
          type: bool
          sample: false
pings:
  description: The pings with their results, in the order of O(pings).
  returned: always
  type: list
  elements: dict
  contains:
    round:
      description: As given.
      type: int
      sample: 0
    phy_id:
      description: As given.
      type: int
      sample: 0
    peer:
      description: As given.
      type: str
      sample: node2
    peer_phy_id:
      description: As given.
      type: int
      sample: 0
    address:
      description: As given.
      type: str
      sample: 10.77.2.10
    size:
      description: As given.
      type: int
      sample: 1472
    transmitted:
      description: Packets sent, null if none could be.
      type: int
      sample: 3
    received:
      description: Packets that came back.
      type: int
      sample: 3
    loss_pct:
      description: Share of those that did not, in percent.
      type: float
      sample: 0.0
    avg_ms:
      description: Mean time of the packets that came back, in milliseconds.
      type: float
      sample: 0.064
    max_ms:
      description: Longest of these times.
      type: float
      sample: 0.149
    unreachable:
      description: Whether some host on the way said that it cannot reach the peer.
      type: bool
      sample: false
    too_long:
      description: Whether the packets were longer than the MTU on the way.
      type: bool
      sample: false
    error:
      description: Why there is no result, null if there is one.
      type: str
      sample: the NPU gave no answer within 30 s
    remedy:
      description: What to do about the error, null if there is none.
      type: str
      sample: look at its health
    duration_s:
      description: Seconds it took.
      type: float
      sample: 2.012
bandwidth:
  description: The bandwidth tests with their results, in the order of O(bandwidth).
  returned: always
  type: list
  elements: dict
  contains:
    phy_id:
      description: As given.
      type: int
      sample: 0
    role:
      description: As given.
      type: str
      sample: sender
    peer:
      description: As given.
      type: str
      sample: node2
    peer_phy_id:
      description: As given.
      type: int
      sample: 0
    address:
      description: As given.
      type: str
      sample: 10.77.2.10
    test:
      description: As given.
      type: str
      sample: ib_send_bw
    size:
      description: As given.
      type: int
      sample: 65536
    iterations:
      description: As given.
      type: int
      sample: 1000
    gbits:
      description: Bandwidth in 10^9 bits a second, null without result.
      type: float
      sample: 195.474
    bw_avg:
      description: The same as the tool prints it.
      type: float
      sample: 23302.26
    bw_unit:
      description: The unit the tool prints. Its C(MB/sec) are 2^20 bytes.
      type: str
      sample: MB/sec
    error:
      description: Why there is no result, or what is left of the test.
      type: str
      sample: no sender came within 60 s
    remedy:
      description: What to do about the error, null if there is none.
      type: str
      sample: run both sides in the same task
    duration_s:
      description: Seconds it took.
      type: float
      sample: 5.2
node:
  description: What concerns the node as a whole.
  returned: always
  type: dict
  contains:
    driver_version:
      description: Release of the driver, null if C(npu-smi) was not asked, or did not answer.
      type: str
      sample: 25.2.0
    family:
      description: Family of the chips, such as V(A2) or V(A3), null as the driver's release.
      type: str
      sample: A2
    roce_ports:
      description: Whether the NPUs have RoCE ports at all, as far as their family tells.
      type: bool
      sample: true
    super_pod_id:
      description: Number of the super pod that the node is in. Atlas A3 only, null as the driver's release.
      type: int
      sample: 0
    hccn_conf:
      description: Values of the file by phy id and key, null if it was not looked at or is not there.
      type: dict
      sample: {"0": {address: 10.77.1.10, netmask: 255.255.0.0, gateway: 10.77.0.1, netdetect: 10.77.0.1}}
verdict:
  description: The worst of all problems, V(pass) if there is none.
  returned: always
  type: str
  sample: fail
problems:
  description:
    - Everything that is wrong. The same cause on several NPUs is one problem. Those that fail come first.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The node, as in O(host).
      type: str
      sample: node1
    item:
      description: The NPUs, or the check where it is about the node.
      type: str
      sample: phy id 3
    problem:
      description: What is wrong with it.
      type: str
      sample: has its link DOWN
    remedy:
      description: What to do.
      type: str
      sample: seat or change the cable and the transceiver
    sentence:
      description: All of these in one sentence.
      type: str
      sample: "node1: phy id 3: has its link DOWN; seat or change the cable and the transceiver."
    check:
      description: The check that found it, V(ping) or V(bandwidth).
      type: str
      sample: link
    severity:
      description: V(warn) or V(fail).
      type: str
      sample: fail
    phy_ids:
      description: The NPUs it is about, none if it is the node.
      type: list
      elements: int
      sample: [3]
duration_s:
  description: Seconds that all of it took on the node.
  returned: always
  type: float
  sample: 4.1
ansible_facts:
  description: The same values as facts.
  returned: when O(checks) is not empty, and O(pings) and O(bandwidth) are
  type: dict
  contains:
    roce:
      description: All return values above under one key.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._hccn_conf import HCCN_CONF, oddities, parse_conf
from ..module_utils._hccn_tool import HCCN_TOOL
from ..module_utils._inside import read_text
from ..module_utils._npu_ids import device_nodes
from ..module_utils._npu_model import family
from ..module_utils._npu_smi import NpuSmi
from ..module_utils._npu_smi_gather import gather
from ..module_utils._roce_check import judge
from ..module_utils._roce_check_clock import Clock
from ..module_utils._roce_check_report import npu_result, outrank, problems_of, ranges
from ..module_utils._roce_check_run import Machine, examine
from ..module_utils._roce_check_types import CHECKS, FAIL, WARN, WITHOUT_PORTS, Cause, verdict
from ..module_utils._run import VendorError


def read_machine(npu_smi):
    """What L(Machine) wants of npu-smi."""
    found = gather(npu_smi, ["chips", "mapping"], device_nodes())
    families = {known.name for known in map(family, (chip["name"] for chip in found["chips"])) if known}
    return {**found, "family": families.pop() if len(families) == 1 else None}


def read_pod(npu_smi, chip):
    """Who a chip is in its super pod."""
    values = npu_smi.query("spod-info", chip["npu_id"], chip["chip_id"]).chips[0]
    return {key: values.get(key) for key in ("sdid", "super_pod_id")}


def all_npus(machine):
    """Phy ids of the node: of npu-smi, and of the device nodes where it does not tell them all.

    Raises VendorError if neither does: a node of which nothing is checked must not look well.
    """
    found = set(machine.read().chips)
    if machine.error is not None or machine.nameless or not found:
        found |= device_nodes()
    if not found:
        raise machine.error or VendorError(
            "the phy ids of the NPUs are not known: npu-smi does not tell them, and there is no /dev/davinciN",
            "See that the driver is loaded, or give the NPUs in phy_ids.",
        )
    return sorted(found)


def read_conf(path, container, timeout):
    """({phy_id: {key: value}} or None, causes) of hccn.conf."""
    where = f"{path} in container {container}" if container else path
    remedy = f"mount it into the container, read-only ({path})" if container else "write it with hccn_config"
    try:
        text = read_text(path, container, timeout)
    except OSError as exc:
        why = f"{path} cannot be read ({exc.strerror})"
        return None, [Cause("hccn_conf", FAIL, why, "run as root (become: true)")]
    if text is None:
        harm = "services start there and answer garbage" if container else "a restart loses the addresses"
        why = f"{where} is missing: {harm}" + ("" if container else ", and containers need the file")
        return None, [Cause("hccn_conf", FAIL, why, remedy)]
    conf = parse_conf(text)
    if not any(values.get("address") for values in conf.values()):
        why = f"{where} has no address of any NPU: a restart loses them, and containers need the file"
        return None, [Cause("hccn_conf", FAIL, why, "write it with hccn_config")]
    return conf, [
        Cause("hccn_conf", WARN, f"line {number} of {where} is {line!r}: {why}", "correct the line")
        for number, line, why in oddities(text)
        if why.startswith("the driver")
    ]


def check(params):
    """The result of the module, and what to warn of. Raises VendorError."""
    checks, pings = params["checks"], params["pings"]
    clock = Clock(params["deadline"])
    smi = NpuSmi(params["npu_smi"], min(params["timeout"], params["deadline"] or params["timeout"]))
    phy_ids = params["phy_ids"]
    if phy_ids is None and not checks:
        phy_ids = []
    asks_smi = phy_ids is None or "driver" in checks or "vnic" in checks
    pod = (lambda chip: read_pod(smi, chip)) if "driver" in checks else None
    machine = Machine((lambda: read_machine(smi)) if asks_smi else None, pod)
    if phy_ids is None:
        phy_ids = [] if machine.read().family in WITHOUT_PORTS else all_npus(machine)
    options = {"packets": params["ping_packets"], "size": params["ping_size"]}
    found = examine(
        set(phy_ids),
        checks,
        pings,
        params["bandwidth"],
        machine,
        clock,
        {"path": params["hccn_tool"], "timeout": params["timeout"], "container": params["container"]},
        {
            "tool": params["ping_tool"],
            "options": options,
            "round_s": params["round_seconds"],
            "test_s": params["bandwidth_seconds"],
        },
    )
    conf, of_node = None, []
    if "hccn_conf" in checks and (phy_ids or machine.family not in WITHOUT_PORTS):
        conf, of_node = read_conf(params["hccn_conf"], params["container"], params["timeout"])
    if machine.error is not None:
        of_node.append(Cause("driver", WARN, str(machine.error).rstrip("."), "see that npu-smi works on the node"))
    causes = judge(found.ports, conf, machine.family)
    npus = [npu_result(port, causes[port.phy_id], machine.pods.get(port.phy_id)) for port in found.ports]
    npus = [outrank(npu, [ping for ping in found.pings if ping["phy_id"] == npu["phy_id"]]) for npu in npus]
    items = {port.phy_id: port.item for port in found.ports}
    problems = problems_of(params["host"], npus, items, found.pings, found.tests, of_node)
    result = {
        "npus": npus,
        "pings": found.pings,
        "bandwidth": found.tests,
        "node": {
            "driver_version": machine.driver_version,
            "family": machine.family,
            "roce_ports": machine.family not in WITHOUT_PORTS,
            "super_pod_id": machine.super_pod_id,
            "hccn_conf": None if conf is None else {str(phy_id): values for phy_id, values in conf.items()},
        },
        "verdict": verdict(problems),
        "problems": problems,
        "duration_s": round(clock.elapsed(), 3),
    }
    return result, [*smi.complaints, *found.complaints, *pod_complaints(machine)]


def pod_complaints(machine):
    """What keeps a rank table from being written, and nothing else."""
    reasons = {}
    for phy_id, error in sorted(machine.pod_errors.items()):
        reasons.setdefault(error.reason, []).append(phy_id)
    for reason, phy_ids in reasons.items():
        yield f"phy ids {ranges(phy_ids)}: SDID and super pod are not known: {reason}"
    pods = {pod["super_pod_id"] for pod in machine.pods.values()}
    if len(pods) > 1:
        yield f"the NPUs say that they are in several super pods: {', '.join(map(str, sorted(pods)))}"


def main():
    module = AnsibleModule(
        argument_spec={
            "phy_ids": {"type": "list", "elements": "int"},
            "host": {"type": "str", "default": "this node"},
            "checks": {"type": "list", "elements": "str", "choices": list(CHECKS), "default": list(CHECKS)},
            "pings": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "round": {"type": "int", "default": 0},
                    "phy_id": {"type": "int", "required": True},
                    "peer": {"type": "str", "default": ""},
                    "peer_phy_id": {"type": "int"},
                    "address": {"type": "str", "required": True},
                    "size": {"type": "int"},
                },
            },
            "ping_tool": {"type": "str", "choices": ["ping", "hccs_ping"], "default": "ping"},
            "ping_packets": {"type": "int"},
            "ping_size": {"type": "int"},
            "round_seconds": {"type": "float", "default": 0},
            "bandwidth": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "phy_id": {"type": "int", "required": True},
                    "role": {"type": "str", "choices": ["receiver", "sender"], "required": True},
                    "address": {"type": "str"},
                    "peer": {"type": "str", "default": ""},
                    "peer_phy_id": {"type": "int"},
                    "test": {
                        "type": "str",
                        "choices": ["ib_send_bw", "ib_write_bw", "ib_read_bw"],
                        "default": "ib_send_bw",
                    },
                    "size": {"type": "int", "default": 65536},
                    "iterations": {"type": "int", "default": 1000},
                },
                "required_if": [("role", "sender", ["address"])],
            },
            "bandwidth_seconds": {"type": "float", "default": 60},
            "container": {"type": "str"},
            "hccn_conf": {"type": "path", "default": HCCN_CONF},
            "hccn_tool": {"type": "path", "default": HCCN_TOOL},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "timeout": {"type": "float", "default": 30},
            "deadline": {"type": "float"},
            "strict": {"type": "bool", "default": False},
        },
        required_by={"container": ["phy_ids"]},
        supports_check_mode=True,
    )
    of_host = {"driver", "vnic"}.intersection(module.params["checks"])
    if module.params["container"] and of_host:
        module.fail_json(msg=f"{', '.join(sorted(of_host))}: npu-smi tells it of the node, not of a container")
    for name in ("timeout", "deadline", "bandwidth_seconds"):
        if module.params[name] is not None and module.params[name] <= 0:
            module.fail_json(msg=f"{name} must be more than 0 seconds, it is {module.params[name]:g}")
    try:
        result, warnings = check(module.params)
    except VendorError as exc:
        failure = exc.to_fail()
        module.fail_json(**{**failure, "msg": f"{module.params['host']}: {failure['msg']}"})
    for warning in warnings:
        module.warn(warning)
    if module.params["checks"] and not module.params["pings"] and not module.params["bandwidth"]:
        result["ansible_facts"] = {"roce": dict(result)}
    failed = [problem["sentence"] for problem in result["problems"] if problem["severity"] == FAIL]
    if failed and module.params["strict"]:
        module.fail_json(msg="\n".join(failed), changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()

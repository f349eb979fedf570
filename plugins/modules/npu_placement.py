#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: npu_placement
short_description: Decide which service runs on which NPUs of which nodes
version_added: 1.0.0
description:
  - Turns C(ascend_services) and what the nodes have into a placement. It names the hosts, addresses, NPUs and ports of
    every service and the command that serves it.
  - Pure arithmetic. It runs on the controller (C(delegate_to=localhost), C(run_once=true)) and touches nothing.
    The same input gives the same placement.
  - Exact NPU ids are given out first, over the whole list of services. Counts then take free NPUs that are close to
    each other by the topology of the node, or in the order of their NPU ID where none is given.
  - A service with C(vnpu) gets one slice on one of its C(hosts). Slices are packed onto as few NPUs as can be. An
    NPU is either whole or cut. A service with C(share) joins an NPU whose time is shared already, while there is room.
  - What was placed before stays where it is, if it is still right.
  - The C(args) of vLLM services are judged by the options of the image's release. A service that does not say otherwise
    gets C(block_size) 128 and C(gpu_memory_utilization) 0.9, and the environment of vLLM-Ascend's tuning guide.
options:
  services:
    description:
      - The services, as in C(ascend_services).
      - Known keys are C(name), C(engine), C(model), C(hosts), C(port), C(npus) or C(vnpu), C(share), C(parallel),
        C(executor), C(replicas), C(transfer), C(allow), C(args), C(env). Any other key is a problem.
      - The C(executor) over several hosts is C(ray) unless it says C(mp) (C(--nnodes), from vLLM 0.13 on) or C(dp)
        (data parallel engines, each whole on its host). With C(replicas) true each host has a whole copy with an
        endpoint of its own. There C(parallel) is that of one host.
      - The product of C(parallel) is the number of devices. Left out, C(tensor) is the devices of one host, and
        C(pipeline) the number of hosts (C(dp), C(data)).
      - What is known to fail is refused, unless its name is in C(allow). The names are C(tensor_heads) (C(tensor) does
        not divide the attention heads of the model), C(ep_without_experts) (expert parallelism for a model that has
        none), C(mp_over_nodes) (before vLLM 0.13), C(pp_with_ep) (pipeline and
        expert parallelism on Ray before v0.11.0rc3, vllm-ascend issue 3529), C(ep_over_nodes) (expert parallelism on
        Ray in v0.11.0rc1 and rc2, issue 4123) and C(pp_with_dp) (pipeline and data parallelism over RoCE nodes for a
        model with experts, page pipeline_parallel.md).
      - With C(transfer) one service makes the prefill and another one the decoding. The producer says
        C(role) C(producer) and in C(to) the name of the consumer, which says C(role) C(consumer). Both may say a
        C(kv_port), which must lie behind the ports that the transport takes at random (28000 on a node of 8 devices,
        36000 on one of 16). The producer may say a C(proxy_port) (8000). A producer with less C(tensor) than its
        consumer is refused (C(prefill_tensor)).
      - Where C(models) of O(nodes) tells of the model, one that would fit on one host gives a warning.
    type: list
    elements: raw
    required: true
  nodes:
    description:
      - What each node has, by inventory name. A mapping with C(chips) as returned by M(npuops.ascend.npu_info),
        C(interfaces), a list of mappings with C(name) and C(addresses), and C(address_hints), a list of addresses of
        which the first one that the node really has is the one other nodes use.
      - The filter P(npuops.ascend.placement_nodes#filter) makes it from the facts of the nodes.
    type: dict
    required: true
  left_out:
    description:
      - Names of nodes that exist but take no part in this run, as with C(--limit). A service on these alone is passed
        over. A service of which some hosts are left out and others are not is a problem.
    type: list
    elements: str
    default: []
  ray_port:
    description: First TCP port of the first Ray cluster. Each cluster takes ten.
    type: int
    default: 6379
  ray_worker_port:
    description: First TCP port of the workers of the first Ray cluster. Each cluster takes a thousand.
    type: int
    default: 10002
  placed:
    description:
      - RV(services) of an earlier placement. What can stay where it is does, and slices which services in it had and no
        longer want count as free.
    type: list
    elements: dict
    default: []
  repack:
    description:
      - Place everything anew, as if nothing of O(placed) were there. Slices that stand and are not in O(placed) keep
        their room.
    type: bool
    default: false
  images:
    description:
      - Image for each engine. An upstream vLLM-Ascend release tag such as V(v0.23.0) gets the suffix of the chip family
        on which the service is placed (none for A2, C(-a3), C(-310p)). Any other name is taken as it is.
    type: dict
    default: {}
  check_args:
    description:
      - Refuse C(args) of vLLM services which C(vllm serve) of the image's release does not take. With V(false), for an
        image with options of its own, they are only warned about.
      - The options of vLLM 0.11.0, 0.13.0, 0.18.1, 0.23.0 and 0.32.0 are known. For a release in between, what only one
        of its two neighbours has is warned about. For an older release, or an image whose tag is no release, nothing is
        checked, with a warning.
    type: bool
    default: true
  served_only:
    description:
      - Also refuse what the roles of this release cannot start, such as engines that are planned but not served yet.
    type: bool
    default: false
  strict:
    description:
      - Fail when there is any problem. With V(false) problems are only returned.
    type: bool
    default: true
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
attributes:
  platform:
    platforms: posix
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.npu_info
"""

EXAMPLES = r"""
---
- name: Read the NPUs of every node
  npuops.ascend.npu_info:
  register: found

- name: Place one model over two nodes
  npuops.ascend.npu_placement:
    services:
      - name: research
        engine: vllm
        model: /data/models/Qwen3-235B-A22B-W8A8
        hosts: [node1, node2]
        npus: 8
        parallel: {tensor: 8, pipeline: 2}
        port: 8000
    nodes:
      node1:
        chips: "{{ hostvars['node1'].found.chips }}"
        interfaces: [{name: eth0, addresses: [192.0.2.11]}]
        address_hints: [192.0.2.11]
      node2:
        chips: "{{ hostvars['node2'].found.chips }}"
        interfaces: [{name: eth0, addresses: [192.0.2.12]}]
        address_hints: [192.0.2.12]
  delegate_to: localhost
  run_once: true
  register: placement

- name: Read what is cut
  npuops.ascend.npu_info:
    gather: [chips, mapping, vnpus, templates]
  register: found

- name: Place two small models on slices of one NPU
  npuops.ascend.npu_placement:
    services:
      - name: embedding
        engine: tei
        model: /data/models/bge-m3
        hosts: [node1, node2]
        vnpu: {memory_gb: 23}
        port: 8003
      - name: rerank
        engine: tei
        model: /data/models/bge-reranker-v2-m3
        hosts: [node1]
        vnpu: {template: vir10_3c_32g, npu_id: 6}
        port: 8004
    nodes: "{{ hostvars | npuops.ascend.placement_nodes(groups['ascend']) }}"
  delegate_to: localhost
  run_once: true
  register: placement
"""

RETURN = r"""
services:
  description: The services that could be placed, in the order of the input.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the service.
      type: str
      sample: research
    head:
      description: The first host. It runs the endpoint, and the Ray head.
      type: str
      sample: node1
    url:
      description: Where the endpoint will answer.
      type: str
      sample: http://192.0.2.11:8000
    urls:
      description: The same for every endpoint. Those of C(replicas) are several.
      type: list
      elements: str
      sample: [http://192.0.2.11:8000]
    replicas:
      description: Whether each host has a whole copy.
      type: bool
    executor:
      description: C(ray), C(mp) or C(dp).
      type: str
      sample: ray
    devices:
      description: Number of devices (chips) over all hosts.
      type: int
      sample: 16
    parallel:
      description: Sizes C(tensor), C(pipeline) and C(data). Their product is RV(services[].devices), or those of one
        of the C(replicas).
      type: dict
      sample: {tensor: 8, pipeline: 2, data: 1}
    nodes:
      description:
        - For each host C(address), C(interface), C(npu_ids) (as C(npu-smi) counts) and C(phy_ids) (the N of
          C(/dev/davinciN)).
        - C(head) is the host on which its endpoint is, C(url) that endpoint, or null on the other hosts. C(command) is
          the argv that the host starts, or null where it has nothing but its Ray node.
        - For a service on a slice C(phy_ids) is empty and C(slice) has C(npu_id), C(chip_id), C(phy_id) of that chip,
          C(template) and C(dynamic).
      type: dict
    ray_ports:
      description: Fixed ports of the service's Ray cluster, or null without Ray.
      type: dict
    network_hosts:
      description: The hosts whose NPUs call each other for this service, with those of its producer or consumer.
      type: list
      elements: str
    transfer:
      description:
        - For a producer or consumer its C(role), C(kv_port), and the names C(producer) and C(consumer), else null.
        - C(proxy) of a producer has C(host), C(port), C(url) and C(command) of what clients talk to.
      type: dict
    join_port:
      description: The port on the head where hosts of C(mp) and C(dp) meet, or null.
      type: int
      sample: 29501
    image:
      description: The image to serve with. Null when O(images) has none for the engine.
      type: str
      sample: quay.io/ascend/vllm-ascend:v0.23.0
    env:
      description: Variables of the container, those of the service and defaults for NPUs.
      type: dict
      sample: {HCCL_BUFFSIZE: "512"}
    adapters:
      description: LoRA adapters of the service (C(args.lora_modules)), as M(npuops.ascend.node_check) takes them.
      type: list
      elements: dict
    command:
      description: The argv which serves it on its head. Null for engines other than C(vllm).
      type: list
      elements: str
hosts:
  description:
    - The placement seen from each host. C(parts) is what M(npuops.ascend.node_check) takes, C(address), C(listen)
      and C(peers) what M(npuops.ascend.port_check) takes, C(images) what M(npuops.ascend.image_check) takes.
  returned: always
  type: dict
slices:
  description:
    - The slices to be cut on each host, as M(npuops.ascend.npu_vnpu) takes them.
  returned: always
  type: dict
  sample: {node1: [{npu_id: 6, chip_id: 0, template: vir10_3c_32g, service: embedding}]}
reserved:
  description:
    - The same for slices with C(dynamic). The Ascend runtime cuts them at the start of the container, so nothing is to
      be done but to leave them their room.
  returned: always
  type: dict
  sample: {}
npus_used:
  description: How many NPUs the placement uses, whole or cut.
  returned: always
  type: int
  sample: 8
lower_bound:
  description:
    - A proven number of NPUs below which no placement of these services can go, even if nothing stood anywhere yet.
  returned: always
  type: int
  sample: 8
optimal:
  description: Whether everything is placed and no placement can use fewer NPUs than this one.
  returned: always
  type: bool
  sample: true
sizing:
  description:
    - For each service with V(auto) in C(vnpu.memory_gb) the estimate in GiB, of what it consists, and what was assumed.
  returned: always
  type: dict
  sample:
    small:
      memory_gb: 20.98
      weights_gb: 14.19
      kv_cache_gb: 1.75
      overhead_gb: 2.0
      tokens: 32768
      sequences: 1
      kv_dtype: bfloat16
      utilization: 0.9
      assumed: [the engine uses 0.9 of the device's memory]
doubts:
  description:
    - What is likely not meant, or known to go wrong, and does not stop anything. In the form of RV(problems), and shown
      as warnings.
  returned: always
  type: list
  elements: dict
problems:
  description:
    - Why it must not be done, each with C(host), C(item), C(problem), C(remedy) and all of them as one C(sentence).
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._npu_model import image_suffix
from ..module_utils._placement import Node, chips_by_npu, host_views, management_address, place_all
from ..module_utils._placement_strategy import judge
from ..module_utils._services import Problem, check_served
from ..module_utils._vllm import image_for, node_commands
from ..module_utils._vllm_check import check_services
from ..module_utils._vllm_defaults import with_defaults
from ..module_utils._vllm_lora import adapters, with_modules
from ..module_utils._vllm_weights import told_by_weights


def read_node(given):
    address, interface = management_address(given["interfaces"], given["address_hints"])
    more = {key: given.get(key) for key in ("vnpus", "templates", "topology", "models")}
    return Node(chips_by_npu(given["chips"]), address, interface, **more)


def main():
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "raw", "required": True},
            "nodes": {"type": "dict", "required": True},
            "left_out": {"type": "list", "elements": "str", "default": []},
            "ray_port": {"type": "int", "default": 6379},
            "ray_worker_port": {"type": "int", "default": 10002},
            "placed": {"type": "list", "elements": "dict", "default": []},
            "repack": {"type": "bool", "default": False},
            "images": {"type": "dict", "default": {}},
            "check_args": {"type": "bool", "default": True},
            "served_only": {"type": "bool", "default": False},
            "strict": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    services = module.params["services"]
    try:
        nodes = {name: read_node(given) for name, given in module.params["nodes"].items()}
    except (KeyError, TypeError) as exc:
        module.fail_json(
            msg="nodes: every entry needs chips (as npu_info returns them), interfaces and address_hints; "
            f"reading them failed with {exc!r}."
        )
    found = place_all(
        services,
        nodes,
        left_out=module.params["left_out"],
        ray_port=module.params["ray_port"],
        ray_worker_port=module.params["ray_worker_port"],
        earlier=module.params["placed"],
        repack=module.params["repack"],
    )
    placed, problems = found.services, found.problems
    if placed and module.params["served_only"]:
        problems = problems + check_served(services)
    faults, doubts = check_services(services, module.params["images"].get("vllm"), module.params["left_out"])
    if module.params["check_args"]:
        problems = problems + faults
    else:
        doubts = faults + doubts
    for service in placed:
        image = module.params["images"].get(service["engine"])
        service["image"] = image_for(image, image_suffix(service["chip"])) if image else None
        if image and service["image"] is None:
            problems.append(
                Problem(
                    service["head"],
                    f"service '{service['name']}'",
                    f"upstream has no vLLM-Ascend image for chip {service['chip']}",
                    "name an image of your own with vllm_image",
                )
            )
        wrong, odd = judge(service, image, nodes)
        problems, doubts = problems + wrong, doubts + odd
        if service["engine"] == "vllm":
            model = (nodes[service["head"]].models or {}).get(service["model"]) or {}
            service["args"], unfit = told_by_weights({**service, "args": with_modules(service["args"])}, model)
            service["adapters"] = adapters(service["args"])
            if unfit:
                problems = problems + [Problem(service["head"], f"service '{service['name']}'", *unfit)]
            service["args"], service["env"] = with_defaults(service, image)
        complete = service["engine"] == "vllm" and service["parallel"]
        commands = node_commands(service) if complete else {}
        service["command"] = commands.get(service["head"])
        service["urls"] = []
        for host, part in service["nodes"].items():
            answers = service["replicas"] or host == service["head"]
            part["command"] = commands.get(host)
            part["head"] = host if service["replicas"] else service["head"]
            part["url"] = f"http://{part['address']}:{service['port']}" if answers else None
            service["urls"] += [part["url"]] if answers else []
    result = {
        "changed": False,
        "services": placed,
        "hosts": host_views(placed),
        "slices": found.slices,
        "reserved": found.reserved,
        "npus_used": found.npus_used,
        "lower_bound": found.lower_bound,
        "optimal": found.optimal,
        "sizing": found.sizes,
        "doubts": [doubt.to_dict() for doubt in doubts],
        "problems": [problem.to_dict() for problem in problems],
    }
    for doubt in doubts:
        module.warn(doubt.sentence())
    if problems and module.params["strict"]:
        module.fail_json(msg="\n".join(problem.sentence() for problem in problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published deployment that inventory two_node_ray reproduces: its command lines, flag by flag.

The line of TP8×PP2 is the one of vllm-project/vllm-ascend issue 3529 (comment of 2025-10-18); those of TP16 and TP16+EP
are the same with the other sizes. Both sides go through the parser of vLLM 0.11.0's own option list.
"""

from __future__ import annotations

import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from vllm_standin import options as standin

from ansible_collections.npuops.ascend.plugins.module_utils import _placement as placement
from ansible_collections.npuops.ascend.plugins.module_utils._placement_strategy import judge
from ansible_collections.npuops.ascend.plugins.module_utils._services import check_served
from ansible_collections.npuops.ascend.plugins.module_utils._vllm import node_commands
from ansible_collections.npuops.ascend.plugins.module_utils._vllm_check import check_services
from ansible_collections.npuops.ascend.plugins.module_utils._vllm_defaults import with_defaults

ROOT = pathlib.Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "two_node_ray"
PARSER = standin.build_parser(ROOT / "tests/lab/images/vllm-ascend/rootfs/opt/standin/cli/serve-0.11.0.json", "0.11.0")
LINE = (
    "vllm serve /data/Qwen3-VL-30B-A3B-Instruct --served-model-name qwen3-vl --disable-uvicorn-access-log "
    "--disable-log-requests --distributed-executor-backend ray {} --max-model-len 32768 --gpu-memory-utilization 0.9"
)
PUBLISHED = {
    "tp16": LINE.format("--tensor-parallel-size 16"),
    "tp8_pp2": LINE.format("--pipeline-parallel-size 2 --tensor-parallel-size 8"),
    "tp16_ep": LINE.format("--tensor-parallel-size 16 --enable-expert-parallel"),
}
# What stands on our line besides, and is what the release takes by itself: the port, and vLLM-Ascend's block size.
BESIDE = {"block_size": (None, 128)}


def variables(**extra):
    found = DataLoader().load_from_file(str(INVENTORY / "group_vars" / "ascend.yml"), trusted_as_template=True)
    return {**found, **extra}


def planned(**extra):
    """(services, image, nodes, placed) of the inventory, on 910B4 of 32 GB."""
    told = variables(**extra)
    templar = Templar(loader=DataLoader(), variables=told)
    services = templar.template(told["ascend_services"])
    chips = [
        {"npu_id": n, "chip_id": 0, "phy_id": n, "name": "910B4", "hbm_mb": [2700, 32768], "memory_mb": [0, 0]}
        for n in range(8)
    ]
    # Of the model's config.json, and the size of its files.
    text = {"num_attention_heads": 32, "num_key_value_heads": 4, "num_hidden_layers": 48, "head_dim": 128}
    model = {"config": {"text_config": {**text, "num_experts": 128, "dtype": "bfloat16"}}, "weights_bytes": 62 * 10**9}
    hosts = DataLoader().load_from_file(str(INVENTORY / "hosts.yml"))["ascend"]["hosts"]
    nodes = {
        host: placement.Node(
            placement.chips_by_npu(chips), told["ansible_host"], "eth0", models={services[0]["model"]: model}
        )
        for host, told in hosts.items()
    }
    placed, problems = placement.place(services, nodes)
    assert problems == []
    return services, told["vllm_image"], nodes, placed


def parsed(words):
    found = vars(standin.parse(PARSER, words[1:], "0.11.0"))
    return {key: value for key, value in found.items() if key != "given"}


@pytest.mark.parametrize("layout", sorted(PUBLISHED))
def test_the_command_line_is_the_published_one(layout):
    _services, image, _nodes, placed = planned(layout=layout)
    service = placed[0]
    service["image"] = image
    service["args"], service["env"] = with_defaults(service, image)
    commands = node_commands(service)
    assert commands["npu-b"] is None
    ours, published = parsed(commands["npu-a"]), parsed(PUBLISHED[layout].split())
    different = {key: (published[key], ours[key]) for key in published if published[key] != ours[key]}
    assert different == BESIDE
    assert ours["port"] == 8000


@pytest.mark.parametrize("layout", sorted(PUBLISHED))
def test_the_plan_lets_it_through_and_says_what_it_costs(layout):
    services, image, nodes, placed = planned(layout=layout)
    assert check_served(services) == []
    assert check_services(services, image)[0] == []
    problems, doubts = judge(placed[0], image, nodes)
    assert problems == []
    assert ["would fit on one host" in doubt.problem for doubt in doubts] == [True]


def test_the_way_that_failed_there_is_refused():
    both = {"parallel": {"tensor": 8, "pipeline": 2}, "args": {"enable_expert_parallel": True}}
    _services, image, nodes, placed = planned(layout="tp8_pp2_ep", layouts={"tp8_pp2_ep": both})
    problems, _doubts = judge(placed[0], image, nodes)
    assert ["#3529" in problem.problem for problem in problems] == [True]


def test_the_image_and_the_packages_are_those_of_the_deployment():
    told = variables()
    assert told["vllm_image"].endswith(":v0.11.0rc0")
    assert told["vllm_extra_packages"] == ["transformers==4.57.0"]
    assert sorted(told["layouts"]) == sorted(PUBLISHED)

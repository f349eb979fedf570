# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefill on one service, decode on another: what is refused, and what the two and their proxy are told."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _placement as placement
from ansible_collections.npuops.ascend.plugins.module_utils._placement_transfer import least_kv_port
from ansible_collections.npuops.ascend.plugins.module_utils._services import check_shape
from ansible_collections.npuops.ascend.plugins.module_utils._vllm import serve_command


def node(address, npus=8, chips=1):
    found = [
        {"npu_id": n, "chip_id": c, "phy_id": n * chips + c, "name": "910B3", "hbm_mb": [3000, 65536]}
        for n in range(npus)
        for c in range(chips)
    ]
    return placement.Node(placement.chips_by_npu(found), address, "eth0")


def wish(producer=None, consumer=None, **transfer):
    base = {"engine": "vllm", "model": "/data/models/m", "npus": 4}
    return [
        {
            **base,
            "name": "prefill",
            "hosts": ["node1"],
            "port": 8100,
            "transfer": {"role": "producer", "to": "decode", **transfer},
            **(producer or {}),
        },
        {
            **base,
            "name": "decode",
            "hosts": ["node2"],
            "port": 8200,
            "transfer": {"role": "consumer"},
            **(consumer or {}),
        },
    ]


def planned(services, chips=1, **more):
    nodes = {"node1": node("192.0.2.11", chips=chips), "node2": node("192.0.2.12", chips=chips)}
    return placement.place(services, nodes, **more)


def test_both_are_told_of_each_other():
    placed, problems = planned(wish(consumer={"npus": 2}))
    assert problems == []
    prefill, decode = placed
    sizes = {"prefill": {"dp_size": 1, "tp_size": 4}, "decode": {"dp_size": 1, "tp_size": 2}}
    assert prefill["args"]["kv_transfer_config"] == {
        "kv_connector": "MooncakeConnectorV1",
        "kv_role": "kv_producer",
        "kv_port": "28000",
        "engine_id": "prefill",
        "kv_connector_extra_config": sizes,
    }
    assert decode["args"]["kv_transfer_config"]["kv_role"] == "kv_consumer"
    assert decode["args"]["kv_transfer_config"]["kv_connector_extra_config"] == sizes
    assert prefill["args"]["enforce_eager"] is True and "enforce_eager" not in decode["args"]
    assert prefill["network_hosts"] == decode["network_hosts"] == ["node1", "node2"]
    words = serve_command({**prefill, "image": None})
    assert (
        "--no-enable-prefix-caching" in words
        and '"kv_role":"kv_producer"' in words[words.index("--kv-transfer-config") + 1]
    )


def test_the_proxy_stands_on_the_producers_head():
    proxy = planned(wish())[0][0]["transfer"]["proxy"]
    assert (proxy["host"], proxy["url"]) == ("node1", "http://192.0.2.11:8000")
    assert proxy["command"][0] == "python3" and proxy["command"][1].endswith("/load_balance_proxy_server_example.py")
    assert " ".join(proxy["command"][2:]) == (
        "--host 192.0.2.11 --port 8000 --prefiller-hosts 192.0.2.11 --prefiller-ports 8100 "
        "--decoder-hosts 192.0.2.12 --decoder-ports 8200"
    )


def test_what_they_say_themselves_goes_before():
    placed, _problems = planned(wish({"args": {"enforce_eager": False}}, kv_port=30000, proxy_port=9000))
    assert placed[0]["args"]["enforce_eager"] is False
    assert placed[0]["transfer"]["kv_port"] == 30000
    assert placed[0]["transfer"]["proxy"]["port"] == 9000


@pytest.mark.parametrize(("chips", "least"), [(1, 28000), (2, 36000)])
def test_a_kv_port_behind_those_taken_at_random(chips, least):
    """28000 on a node of eight devices, 36000 on one of sixteen."""
    assert least_kv_port(8 * chips) == least
    _placed, problems = planned(wish(kv_port=least - 1), chips=chips)
    assert len(problems) == 1
    assert f"kv_port {least - 1} lies in the ports" in problems[0].problem and f"{least} or more" in problems[0].remedy
    placed, problems = planned(wish(kv_port=least), chips=chips)
    assert problems == [] and placed[0]["transfer"]["kv_port"] == least
    assert planned(wish(), chips=chips)[0][1]["transfer"]["kv_port"] == least


def test_on_one_node_their_ports_are_apart():
    placed, problems = planned(wish(consumer={"hosts": ["node1"]}))
    assert problems == []
    assert [service["transfer"]["kv_port"] for service in placed] == [28000, 28100]


def test_kv_ports_that_overlap():
    consumer = {"hosts": ["node1"], "transfer": {"role": "consumer", "kv_port": 28003}}
    _placed, problems = planned(wish(consumer=consumer, kv_port=28000))
    assert ["port 28003 (KV cache)" in problem.problem for problem in problems] == [True]


REFUSED = [
    ({"npus": 2}, {"npus": 4}, "parallel.tensor 2 of the producer is less than 4"),
    ({"npus": 6}, {"npus": 4}, "parallel.tensor 6 of the producer is no multiple of 4"),
    ({"model": "/data/models/n"}, {}, "it serves /data/models/n, its consumer /data/models/m"),
    ({}, {"npus": 4, "parallel": {"tensor": 2, "pipeline": 2}}, "parallel.pipeline of a consumer must be 1"),
    ({"transfer": {"role": "producer", "to": "decoder"}}, {}, "'decoder', which is no service with role consumer"),
    ({}, {"port": 8000, "hosts": ["node1"]}, "port 8000 (proxy) is also endpoint"),
]


@pytest.mark.parametrize(("producer", "consumer", "words"), REFUSED, ids=[row[2][:40] for row in REFUSED])
def test_what_cannot_work_is_refused(producer, consumer, words):
    _placed, problems = planned(wish(producer, consumer))
    assert [words in problem.problem for problem in problems].count(True) == 1


@pytest.mark.parametrize("npus", [2, 6])
def test_the_sizes_may_be_tried_all_the_same(npus):
    assert planned(wish({"npus": npus, "allow": ["prefill_tensor"]}))[1] == []


def test_a_consumer_of_nobody():
    _placed, problems = planned(wish()[1:])
    assert ["no producer sends" in problem.problem for problem in problems] == [True]


def test_two_producers_of_one_consumer():
    services = wish({"npus": 2}, {"npus": 2})
    services.append({**services[0], "name": "another", "port": 8300, "transfer": {**services[0]["transfer"]}})
    _placed, problems = planned(services)
    assert ["prefill and another both send to 'decode'" in problem.problem for problem in problems] == [True]


def test_half_of_a_pair_is_not_served():
    nodes = {"node1": node("192.0.2.11")}
    _placed, problems = placement.place(wish(), nodes, left_out=["node2"])
    assert ["is not part of this run" in problem.problem for problem in problems] == [True]


def test_their_nodes_must_reach_each_other():
    placed, _problems = planned(wish())
    for service in placed:
        service["image"] = None
    views = placement.host_views(placed)
    assert 28000 in views["node1"]["listen"] and 28000 in views["node2"]["listen"]
    assert views["node1"]["parts"][0]["ports"] == [8100, 28000]
    assert views["node1"]["peers"] == [{"name": "node2", "address": "192.0.2.12", "ports": [28000]}]


def test_the_port_of_the_proxy_is_looked_at_where_it_will_run():
    placed, _problems = planned(wish())
    for service in placed:
        service["image"] = None
    views = placement.host_views(placed)
    [proxy] = [part for part in views["node1"]["parts"] if part["npu_ids"] == []]
    assert proxy == {"service": f"{placed[0]['name']}-proxy", "npu_ids": [], "ports": [8000]}
    assert all(part["npu_ids"] for part in views["node2"]["parts"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transfer": "decode"}, "transfer is 'decode'"),
        ({"transfer": {"role": "prefill"}}, "transfer.role is 'prefill'"),
        ({"transfer": {"role": "producer"}}, "does not say to which service"),
        ({"transfer": {"role": "consumer", "to": "x"}}, "transfer.to belongs to the producer"),
        ({"transfer": {"role": "consumer", "kv_prot": 1}}, "key 'kv_prot' is not known in transfer"),
        ({"transfer": {"role": "consumer", "kv_port": "28000"}}, "transfer.kv_port is '28000'"),
        ({"args": {"kv_transfer_config": {}}}, "args.kv_transfer_config is set by the collection"),
        ({"replicas": True}, "replicas have no transfer"),
    ],
)
def test_shape(change, words):
    services = wish({**change})[:1]
    assert [words in problem.problem for problem in check_shape(services)] == [True]

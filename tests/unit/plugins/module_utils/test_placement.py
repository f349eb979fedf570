# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs where: one table of wishes, and properties that hold for every wish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils import _placement as placement


def node(npus=8, chips=1, address="192.0.2.1", hbm=65536, first=0):
    found = [
        {
            "npu_id": first + n,
            "chip_id": c,
            "phy_id": n * chips + c,
            "name": "910B3",
            "hbm_mb": [3000, hbm],
            "memory_mb": [0, 0],
        }
        for n in range(npus)
        for c in range(chips)
    ]
    return placement.Node(placement.chips_by_npu(found), address, "eth0" if address else None)


def service(name="chat", **changes):
    base = {"name": name, "engine": "vllm", "model": "/data/models/m", "hosts": ["node1"], "npus": 8, "port": 8000}
    base.update(changes)
    return base


def two():
    return {"node1": node(address="192.0.2.11"), "node2": node(address="192.0.2.12")}


def test_one_model_over_two_nodes():
    placed, problems = placement.place(
        [service(hosts=["node1", "node2"], parallel={"tensor": 8, "pipeline": 2}, env={"A": 1})], two()
    )
    assert problems == []
    chat = placed[0]
    assert (chat["executor"], chat["head"], chat["url"], chat["devices"]) == (
        "ray",
        "node1",
        "http://192.0.2.11:8000",
        16,
    )
    assert chat["nodes"]["node2"] == {
        "address": "192.0.2.12",
        "interface": "eth0",
        "npu_ids": list(range(8)),
        "phy_ids": list(range(8)),
    }
    assert chat["parallel"] == {"tensor": 8, "pipeline": 2, "data": 1}
    assert chat["ray_ports"]["gcs"] == 6379
    assert chat["env"] == {"A": "1"}


def test_without_parallel_the_tensor_spans_a_node_and_the_pipeline_the_nodes():
    placed, _problems = placement.place([service(hosts=["node1", "node2"], npus=4)], two())
    assert placed[0]["parallel"] == {"tensor": 4, "pipeline": 2, "data": 1}


def test_two_chips_of_an_npu_are_two_devices():
    placed, problems = placement.place([service(npus={"ids": [1, 3]})], {"node1": node(chips=2)})
    assert problems == []
    assert placed[0]["nodes"]["node1"]["phy_ids"] == [2, 3, 6, 7]
    assert placed[0]["devices"] == 4


def test_a_count_never_takes_what_a_later_service_names():
    placed, problems = placement.place(
        [service("a", npus=2), service("b", npus={"ids": [0, 1]}, port=8001)], {"node1": node()}
    )
    assert problems == []
    assert [s["nodes"]["node1"]["npu_ids"] for s in placed] == [[2, 3], [0, 1]]


def test_ids_that_do_not_begin_at_zero():
    placed, _problems = placement.place([service(npus=2)], {"node1": node(npus=4, first=1536)})
    assert placed[0]["nodes"]["node1"] == {
        "address": "192.0.2.1",
        "interface": "eth0",
        "npu_ids": [1536, 1537],
        "phy_ids": [0, 1],
    }


def test_ray_clusters_of_two_services_share_no_port():
    placed, problems = placement.place(
        [service("a", hosts=["node1", "node2"], npus=4), service("b", hosts=["node1", "node2"], npus=4, port=8001)],
        two(),
    )
    assert problems == []
    a, b = (s["ray_ports"] for s in placed)
    assert not set(a.values()) & set(b.values())
    assert a["worker_max"] < b["worker_min"]


def test_ports_of_the_users_own():
    placed, _problems = placement.place(
        [service(executor="ray")], {"node1": node()}, ray_port=7000, ray_worker_port=30000
    )
    assert (placed[0]["ray_ports"]["gcs"], placed[0]["ray_ports"]["worker_max"]) == (7000, 30999)


def test_a_service_on_nodes_that_are_left_out_is_passed_over():
    services = [service("a", hosts=["node7"], executor="ray"), service("b", executor="ray", port=8001)]
    placed, problems = placement.place(services, {"node1": node()}, left_out=["node7"])
    assert problems == []
    assert [s["name"] for s in placed] == ["b"]
    # It keeps the ports that it has when all nodes take part.
    assert placed[0]["ray_ports"]["gcs"] == 6389


def test_a_service_of_which_a_node_is_left_out():
    _placed, problems = placement.place([service(hosts=["node1", "node7"])], {"node1": node()}, left_out=["node7"])
    assert [(p.host, "left out of this run" in p.problem) for p in problems] == [("node7", True)]


def test_hosts_with_different_chips():
    other = node(address="192.0.2.12")
    for chips in other.chips.values():
        chips[0]["name"] = "910B4"
    _placed, problems = placement.place([service(hosts=["node1", "node2"])], {"node1": node(), "node2": other})
    assert [p.problem for p in problems] == ["its hosts have 910B3 and 910B4 chips"]


def shared(first, second):
    return [service("a", npus={"ids": [0]}, share=first), service("b", npus={"ids": [0]}, share=second, port=8001)]


PROBLEMS = [
    ([service(hosts=["node9"])], "node9", "not in group ascend"),
    ([service(npus={"ids": [8]})], "node1", "NPU 8 is absent, the node has 0, 1, 2, 3, 4, 5, 6, 7"),
    ([service(npus=9)], "node1", "asks for 9 NPUs, 8 of 8 are free"),
    ([service("a", npus=6), service("b", npus=4, port=8001)], "node1", "asks for 4 NPUs, 2 of 8 are free"),
    (
        [service("a", npus={"ids": [0, 1]}), service("b", npus={"ids": [1]}, port=8001)],
        "node1",
        "NPU 1 is also wanted by service 'a'",
    ),
    (
        [
            service("a", npus={"ids": [0]}),
            service("b", npus={"ids": [0]}, port=8001, share={"aicore": 3, "memory_gb": 8}),
        ],
        "node1",
        "NPU 0 is also wanted by service 'a'",
    ),
    (shared({"aicore": 7, "memory_gb": 30}, {"aicore": 4, "memory_gb": 30}), "node1", "add up to 11 of 10"),
    (
        shared({"aicore": 5, "memory_gb": 40}, {"aicore": 5, "memory_gb": 30}),
        "node1",
        "add up to 71680 MB of its 65536",
    ),
    ([service(parallel={"tensor": 4})], "node1", "is 4, but 1 hosts × 8 devices are 8"),
    ([service(hosts=["node1", "node2"], parallel={"tensor": 8, "pipeline": 2, "data": 2})], "node1", "is 32"),
    ([service("a", npus=1), service("b", npus=1)], "node1", "port 8000 (endpoint) is also endpoint of service 'a'"),
    (
        [service("a", npus=1, executor="ray"), service("b", npus=1, port=6380)],
        "node1",
        "ray node_manager of service 'a'",
    ),
]


@pytest.mark.parametrize(("services", "host", "words"), PROBLEMS)
def test_a_wish_that_cannot_be_met(services, host, words):
    _placed, problems = placement.place(services, two())
    assert [(p.host, words in p.problem) for p in problems] == [(host, True)], problems


def test_a_declared_time_share_may_use_one_npu():
    placed, problems = placement.place(shared({"aicore": 7, "memory_gb": 30}, {"aicore": 3, "memory_gb": 34}), two())
    assert problems == []
    assert [s["nodes"]["node1"]["npu_ids"] for s in placed] == [[0], [0]]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (placement.Node({}, "192.0.2.1", "eth0"), "shows no NPU"),
        (node(address=None), "no management address"),
    ],
)
def test_a_node_that_cannot_be_used(broken, words):
    placed, problems = placement.place([service()], {"node1": broken})
    assert placed == []
    assert words in problems[0].problem


def test_an_npu_whose_device_is_not_known():
    lost = node()
    lost.chips[3][0]["phy_id"] = None
    _placed, problems = placement.place([service()], {"node1": lost})
    assert ["NPU 3" in p.problem for p in problems] == [True]


def test_the_view_of_each_host():
    placed, _problems = placement.place([service(hosts=["node1", "node2"], parallel={"tensor": 16})], two())
    placed[0]["image"] = "quay.io/ascend/vllm-ascend:v0.23.0"
    views = placement.host_views(placed)
    head, worker = views["node1"], views["node2"]
    assert 8000 in head["parts"][0]["ports"] and 8000 not in worker["parts"][0]["ports"]
    assert 6379 in head["parts"][0]["ports"] and 6379 not in worker["parts"][0]["ports"]
    assert head["listen"] == worker["peers"][0]["ports"]
    assert worker["peers"] == [
        {"name": "node1", "address": "192.0.2.11", "ports": [6380, 6381, 10002, 11001, 6379, 60000]}
    ]
    assert head["images"] == ["quay.io/ascend/vllm-ascend:v0.23.0"]


OVER = ["node1", "node2"]


def test_without_parallel_dp_has_an_engine_on_each_node():
    placed, problems = placement.place([service(hosts=OVER, executor="dp")], two())
    assert problems == []
    assert placed[0]["parallel"] == {"tensor": 8, "pipeline": 1, "data": 2}
    assert (placed[0]["ray_ports"], placed[0]["join_port"]) == (None, 29550)


def test_each_service_over_nodes_meets_at_a_port_of_its_own():
    wishes = [
        service(name, npus=2, hosts=OVER, port=8000 + number, executor=executor)
        for number, (name, executor) in enumerate([("a", "mp"), ("b", "dp"), ("c", "mp"), ("d", "ray")])
    ]
    placed, problems = placement.place(wishes, two())
    assert problems == []
    assert [s["join_port"] for s in placed] == [29501, 29550, 29511, None]


def test_a_port_at_which_nodes_meet_is_nobody_elses():
    _placed, problems = placement.place([service(hosts=OVER, executor="mp", port=29501)], two())
    assert ["29501 (mp)" in p.problem for p in problems] == [True]


def test_on_one_node_nobody_meets():
    placed, _problems = placement.place([service(executor="mp"), service("b", executor="dp", hosts=["node2"])], two())
    assert [s["join_port"] for s in placed] == [None, None]


def test_replicas_are_whole_on_each_node():
    placed, problems = placement.place([service(hosts=OVER, replicas=True, npus=4)], two())
    assert problems == []
    chat = placed[0]
    assert (chat["executor"], chat["ray_ports"], chat["join_port"], chat["devices"]) == ("mp", None, None, 8)
    assert chat["parallel"] == {"tensor": 4, "pipeline": 1, "data": 1}


def test_the_sizes_of_a_replica_are_those_of_one_node():
    wish = service(hosts=OVER, replicas=True, npus=4, parallel={"tensor": 8})
    _placed, problems = placement.place([wish], two())
    assert [("each of its replicas has 4 devices" in p.problem, p.remedy) for p in problems] == [
        (True, "make the product 4")
    ]


def test_each_replica_needs_its_port():
    wishes = [service(hosts=OVER, replicas=True, npus=4), service("b", hosts=["node2"], npus=4)]
    _placed, problems = placement.place(wishes, two())
    assert [(p.host, "port 8000" in p.problem) for p in problems] == [("node2", True)]


def test_replicas_on_some_of_their_nodes():
    nodes = {"node2": two()["node2"]}
    placed, problems = placement.place([service(hosts=OVER, replicas=True)], nodes, left_out=["node1"])
    assert problems == []
    assert (placed[0]["hosts"], placed[0]["head"], placed[0]["url"]) == (["node2"], "node2", "http://192.0.2.12:8000")


def test_the_view_of_hosts_that_meet_without_ray():
    placed, _problems = placement.place([service(hosts=OVER, executor="mp")], two())
    placed[0]["image"] = None
    views = placement.host_views(placed)
    assert views["node1"]["parts"][0]["ports"] == [8000, 29501]
    assert views["node2"]["parts"][0]["ports"] == []
    assert (views["node1"]["listen"], views["node2"]["listen"]) == ([29501, 60000], [60000])
    assert views["node2"]["peers"] == [{"name": "node1", "address": "192.0.2.11", "ports": [29501, 60000]}]


def test_the_view_of_hosts_with_replicas():
    placed, _problems = placement.place([service(hosts=OVER, replicas=True)], two())
    placed[0]["image"] = None
    views = placement.host_views(placed)
    assert [views[host]["parts"][0]["ports"] for host in OVER] == [[8000], [8000]]
    assert [views[host]["peers"] for host in OVER] == [[], []]


FACTS = {
    "interfaces": ["lo", "eth0", "br-lan"],
    "lo": {"device": "lo", "ipv4": {"address": "127.0.0.1"}},
    "eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.5"}, "ipv4_secondaries": [{"address": "192.0.2.6"}]},
    "br_lan": {"device": "br-lan"},
}


def test_interfaces_from_facts():
    assert placement.interfaces_of(FACTS) == [
        {"name": "lo", "addresses": ["127.0.0.1"]},
        {"name": "eth0", "addresses": ["192.0.2.5", "192.0.2.6"]},
        {"name": "br-lan", "addresses": []},
    ]


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (["192.0.2.6", "192.0.2.5"], ("192.0.2.6", "eth0")),
        (["node1.example", None, "192.0.2.5"], ("192.0.2.5", "eth0")),
        (["198.51.100.1"], (None, None)),
    ],
)
def test_the_first_address_the_node_really_has(hints, expected):
    assert placement.management_address(placement.interfaces_of(FACTS), hints) == expected


wishes = st.lists(
    st.one_of(st.integers(1, 8), st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True)), max_size=4
)


@given(wishes)
def test_no_npu_is_ever_given_twice(wanted):
    services = [
        service(f"s{i}", npus={"ids": w} if isinstance(w, list) else w, port=8000 + i) for i, w in enumerate(wanted)
    ]
    placed, problems = placement.place(services, {"node1": node()})
    given_out = [npu for s in placed for npu in s["nodes"]["node1"]["npu_ids"]]
    assert problems or (len(placed) == len(services) and len(set(given_out)) == len(given_out))
    assert placement.place(services, {"node1": node()})[0] == placed

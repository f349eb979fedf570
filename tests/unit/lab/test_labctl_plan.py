# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, names, container arguments and the state file of a lab."""

from __future__ import annotations

import json

import pytest

from lab import files, plan
from lab.common import LabError
from lab.plan import Lab


def make(nodes: int = 2, **fields) -> Lab:
    values = {"name": "lab", "profile": "atlas-800i-a2-64g", "mgmt": "172.30.0.0/24", "roce": "10.77.0.0/16", **fields}
    return Lab(**values).with_nodes(nodes)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], ("172.30.0.0/24", "10.77.0.0/16")),
        (["192.168.1.0/24", "172.17.0.0/16"], ("172.30.0.0/24", "10.77.0.0/16")),
        (["172.30.0.0/24"], ("172.30.1.0/24", "10.78.0.0/16")),
        (["10.77.3.9"], ("172.30.1.0/24", "10.78.0.0/16")),
        (["172.30.0.0/24", "10.78.0.0/15"], ("172.30.3.0/24", "10.80.0.0/16")),
        (["fe80::/64", "unreachable"], ("172.30.0.0/24", "10.77.0.0/16")),
    ],
)
def test_subnets_avoid_what_is_routed(taken, expected):
    assert plan.choose_subnets(taken) == expected


def test_no_subnet_left_is_an_error_that_names_the_ranges():
    with pytest.raises(LabError, match=r"172\.30\.0-63\.0/24"):
        plan.choose_subnets(["10.0.0.0/8"])


def test_nodes_have_the_addresses_of_their_number():
    lab = make(3)
    assert [(node.name, node.mgmt_ip, node.roce_ip) for node in lab.nodes] == [
        ("node1", "172.30.0.11", "10.77.1.1"),
        ("node2", "172.30.0.12", "10.77.2.1"),
        ("node3", "172.30.0.13", "10.77.3.1"),
    ]
    assert lab.registry_ip == "172.30.0.2"
    largest = make(plan.MAX_NODES).nodes[-1]
    assert (largest.mgmt_ip, largest.roce_ip) == ("172.30.0.74", "10.77.64.1")


def test_fewer_nodes_keep_their_addresses():
    assert make(4).with_nodes(2).nodes == make(2).nodes


@pytest.mark.parametrize(
    ("os", "expected"),
    [
        ("debian", ["debian"] * 3),
        ("openeuler", ["openeuler"] * 3),
        ("debian,openeuler", ["debian", "openeuler", "debian"]),
    ],
)
def test_systems_go_to_the_nodes_in_turn(os, expected):
    lab = make(3, os=plan.check_systems(os))
    assert [lab.system(node) for node in lab.nodes] == expected


@pytest.mark.parametrize("os", ["centos", "", "debian,", "openEuler"])
def test_a_system_without_an_image_is_refused(os):
    with pytest.raises(LabError, match="there are: debian, openeuler"):
        plan.check_systems(os)


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "a_b", "log", "cache", "engine", "x" * 21, "../x"])
def test_names_that_cannot_be_a_folder_or_a_container_are_refused(name):
    with pytest.raises(LabError, match="cannot name a lab"):
        plan.check_name(name)


@pytest.mark.parametrize("count", [0, -1, 65])
def test_node_counts_out_of_range_are_refused(count):
    with pytest.raises(LabError, match="1 to 64 nodes"):
        plan.check_nodes(count)


def test_unknown_node_names_those_there_are():
    with pytest.raises(LabError, match="no node node9 .*node1, node2"):
        make().node("node9")


def options(arguments: list[str], name: str) -> list[str]:
    return [value for option, value in zip(arguments, arguments[1:]) if option == name]


def test_node_container_is_never_privileged_and_names_its_capabilities():
    lab = make()
    arguments = plan.node_arguments(lab, lab.nodes[1], "sha256:abc", 1)
    assert "--privileged" not in arguments
    assert "SYS_RESOURCE" not in options(arguments, "--cap-add")
    assert {"SYS_ADMIN", "NET_ADMIN", "MKNOD"} <= set(options(arguments, "--cap-add"))
    assert options(arguments, "--ip") == ["172.30.0.12"]
    assert options(arguments, "--add-host") == ["quay.io:172.30.0.2"]
    assert "NPUSIM_NODE=2" in options(arguments, "--env")
    assert "NPUSIM_ROCE=10.77.0.0/16" in options(arguments, "--env")
    assert arguments[-1] == "sha256:abc"


def test_cgroup_v1_shares_the_hosts_tree_and_v2_does_not():
    lab = make()
    first, second = (plan.node_arguments(lab, lab.nodes[0], "image", version) for version in (1, 2))
    assert "--cgroupns=host" in first
    assert "/sys/fs/cgroup:/sys/fs/cgroup:rw" in options(first, "--volume")
    assert "--cgroupns=private" in second
    assert options(second, "--volume") == ["npuops-lab-node1-docker:/var/lib/docker"]


def test_roce_network_is_internal_and_both_have_the_uplinks_mtu():
    lab = make()
    mgmt, roce = (plan.network_arguments(lab, kind, 1400) for kind in ("mgmt", "roce"))
    assert "--internal" in roce
    assert "--internal" not in mgmt
    assert (options(mgmt, "--subnet"), options(roce, "--subnet")) == (["172.30.0.0/24"], ["10.77.0.0/16"])
    for arguments in (mgmt, roce):
        assert options(arguments, "--opt") == ["com.docker.network.driver.mtu=1400"]


def test_an_isolated_lab_has_no_way_out_and_no_registry():
    lab = make(1, isolated=True)
    assert "--internal" in plan.network_arguments(lab, "mgmt", 1400)
    assert not [word for word in plan.node_arguments(lab, lab.nodes[0], "image", 1) if "quay.io" in word]


def test_fingerprint_changes_with_the_profile_and_only_then():
    lab = make()
    same = plan.fingerprint(plan.node_arguments(make(), lab.nodes[0], "image", 1))
    other = plan.fingerprint(plan.node_arguments(make(profile="atlas-800i-a3"), lab.nodes[0], "image", 1))
    assert plan.fingerprint(plan.node_arguments(lab, lab.nodes[0], "image", 1)) == same
    assert other != same


def test_state_file_round_trip(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "STATE_DIR", tmp_path)
    lab = make(name="other", mgmt="172.30.1.0/24", roce="10.78.0.0/16")
    assert plan.load("other") is None
    plan.save(lab)
    assert plan.load("other") == lab
    assert plan.names() == ["other"]
    assert json.loads((tmp_path / "other" / "lab.json").read_text())["nodes"][0]["roce_ip"] == "10.78.1.1"


@pytest.mark.parametrize("text", ["", "{}", '{"name": "lab"}', '{"name": "lab", "nodes": [{"color": 1}]}'])
def test_damaged_state_file_is_named(tmp_path, monkeypatch, text):
    monkeypatch.setattr(plan, "STATE_DIR", tmp_path)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "lab.json").write_text(text)
    with pytest.raises(LabError, match=r"lab\.json is damaged"):
        plan.load("lab")


def test_safetensors_header_describes_the_data():
    content = files.safetensors({"a": [2, 3], "b": [4]})
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header["a"] == {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}
    assert header["b"]["data_offsets"] == [12, 20]
    assert len(content) == 8 + length + 20
    assert length % 8 == 0


def test_model_index_names_every_tensor_of_the_weights():
    model = files.model_files()
    weights = model["model.safetensors"]
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + length])
    index = json.loads(model["model.safetensors.index.json"])
    assert set(index["weight_map"]) == set(header) - {"__metadata__"}
    assert index["metadata"]["total_size"] == len(weights) - 8 - length


def test_a_bare_lab_is_known_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "STATE_DIR", tmp_path)
    lab = make(bare=True)
    assert "NPUSIM_BARE=1" in plan.node_arguments(lab, lab.nodes[0], "image", 1)
    assert "NPUSIM_BARE=1" not in plan.node_arguments(make(), lab.nodes[0], "image", 1)
    plan.save(lab)
    assert plan.load("lab") == lab

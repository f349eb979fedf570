# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts judged alone and beside each other, and the table that a reader gets."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._compatibility import stack_versions
from ansible_collections.npuops.ascend.plugins.module_utils._compatibility_fleet import (
    COLUMNS,
    Node,
    judge,
    show_hosts,
    table,
)
from ansible_collections.npuops.ascend.plugins.module_utils._compatibility_host import Limits

IMAGES = {"vllm": "quay.io/ascend/vllm-ascend:v0.23.0"}


def host(number=1, **changes):
    """A machine with nothing to say against it; a key such as os__id reaches into a mapping."""
    found = {
        "os": {"id": "openeuler", "version": "22.03", "name": "openEuler 22.03 (LTS-SP4)"},
        "kernel": "5.10.0-216",
        "kernel_headers": True,
        "arch": "aarch64",
        "python": "3.9.9",
        "container": None,
        "memory": {"total_mb": 1031044, "swap_mb": 0, "hugepages": {"total": 0, "free": 0, "size_kb": 2048}},
        "transparent_hugepages": "always",
        "swappiness": 60,
        "numa_nodes": 4,
        "numa_balancing": 0,
        "governors": ["performance"],
        "firewalls": [],
        "selinux": "disabled",
        "shm": {"path": "/dev/shm", "total_gb": 500.0, "free_gb": 500.0, "used_pct": 0.0},
        "disks": [{"use": "images", "path": "/var/lib/docker", "total_gb": 900.0, "free_gb": 700.0, "used_pct": 22.0}],
        "docker": {"version": "20.10.24", "data_root": "/var/lib/docker"},
        "clock": {"time": 1.0, "ahead_s": 0.4, "kept_by": "chronyd"},
        "ids": {"machine_id": f"{number:032x}", "product_uuid": f"0000-{number}", "hostname": f"npu{number}"},
        "npus": {"on_bus": 8, "family": "A2", "phy_ids": list(range(8))},
        "roce": {str(phy_id): f"10.77.{number}.{10 + phy_id}" for phy_id in range(8)},
    }
    found = copy.deepcopy(found)
    for key, value in changes.items():
        *ways, last = key.split("__")
        place = found
        for way in ways:
            place = place[int(way) if way.isdigit() else way]
        place[last] = value
    return found


def stack(driver="25.5.1", firmware="7.8.0.6.201"):
    return {
        "driver": {"installed": driver, "running": driver},
        "firmware": {"installed": firmware},
        "cann": [],
        "docker_runtime": None,
        "hdk": driver,
    }


def said(nodes, wish=None, services=(), limits=None):
    found = judge(nodes, stack_versions(wish), services, IMAGES, limits)
    return [(shared.finding.level, shared.sentence()) for shared in found]


def alone(**changes):
    return {"n1": Node(host(**changes), stack())}


SERVICE = {"name": "chat", "engine": "vllm", "hosts": ["n1"], "args": {}}


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"arch": "riscv64"}, "error", "architecture: it is riscv64"),
        ({"python": "3.7.9"}, "error", "Python: modules run with 3.7.9"),
        (
            {"os": {"id": "fedora", "version": "42", "name": "Fedora 42"}},
            "warning",
            "no list of the vendor names Fedora 42",
        ),
        ({"memory__swap_mb": 4096}, "note", "vm.swappiness is 60 and there is swap"),
        ({"numa_balancing": 1}, "note", "kernel.numa_balancing is on"),
        ({"governors": ["ondemand", "performance"]}, "note", "CPUs are governed by ondemand"),
        ({"firewalls": ["firewalld"]}, "note", "firewalld is active"),
        ({"selinux": "enforcing"}, "note", "SELinux: it is enforcing"),
        ({"shm__total_gb": 0.1}, "note", "/dev/shm: it has 0.1 GB"),
        ({"disks__0__free_gb": 12.0}, "warning", "/var/lib/docker has 12 GB free"),
        ({"disks__0__used_pct": 91.0}, "warning", "/var/lib/docker is full to 91 %"),
        ({"memory__hugepages": {"total": 300000, "free": 300000, "size_kb": 2048}}, "warning", "300000 huge pages"),
        ({"roce": None}, "note", "there is no /etc/hccn.conf"),
        ({"roce": {"0": "10.77.1.10"}}, "note", "phy ids 1, 2, 3, 4, 5, 6, 7 have no address"),
        ({"ids__machine_id": None}, "note", "/etc/machine-id is empty"),
        ({"clock__kept_by": None}, "note", "no service keeps the time"),
    ],
)
def test_a_host_alone(changes, level, words):
    found = said(alone(**changes))
    assert len(found) == 1, found
    assert found[0][0] == level and words in found[0][1] and found[0][1].startswith("n1: ")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"swappiness": 0, "memory__swap_mb": 4096},
        {"numa_nodes": 1, "numa_balancing": 1},
        {"governors": []},
        {"container": "docker", "shm__total_gb": 0.06, "clock__kept_by": None},
        {"npus": {"on_bus": 0, "family": None, "phy_ids": []}, "roce": None},
        {"npus": {"on_bus": 8, "family": "310P", "phy_ids": [0, 1]}, "roce": None, "os__version": "24.03"},
        {"os": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"}},
        {"os": {"id": "euleros", "version": "2.0 (SP10)", "name": "EulerOS 2.0 (SP10)"}},
        {"memory__hugepages": {"total": 300000, "free": 0, "size_kb": 2048}},
        {"roce": None, "npus__phy_ids": []},
    ],
)
def test_hosts_with_nothing_to_say(changes):
    assert said(alone(**changes), services=[SERVICE]) == []


def fleet(count, **changes):
    nodes = {f"n{number}": Node(host(number), stack()) for number in range(1, count + 1)}
    for name, change in changes.items():
        nodes[name] = Node(host(int(name[1:]), **change), stack())
    return nodes


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (fleet(3, n2={"ids__machine_id": f"{1:032x}"}), "n1, n2: ids: they share the /etc/machine-id 0"),
        (fleet(3, n3={"ids__product_uuid": "0000-1"}), "n1, n3: ids: they share the product UUID 0000-1"),
        (fleet(3, n3={"ids__hostname": "npu2"}), "n2, n3: ids: they share the host name npu2"),
        (fleet(3, n2={"roce__3": "10.77.1.13"}), "n1, n2: RoCE: RoCE address 10.77.1.13 is in the hccn.conf"),
        (fleet(3, n2={"clock__ahead_s": 61.0}), "n2: clock: clocks are apart by up to 61 s (n2 +61 s from the middle)"),
        (fleet(2, n2={"clock__ahead_s": -19.6}), "n1, n2: clock: clocks are apart by up to 20 s (n1 +10 s, n2 -10 s"),
        (fleet(3, n1={"firewalls": ["firewalld", "ufw"]}), "n1: firewall: firewalld and ufw is active"),
        (fleet(3, n1={"roce": None}), "n1: RoCE: there is no /etc/hccn.conf"),
    ],
)
def test_hosts_beside_each_other(nodes, words):
    found = said(nodes)
    assert [level for level, _sentence in found] == ["warning"], found
    assert found[0][1].startswith(words)


def test_clocks_within_the_limit_are_well():
    assert said(fleet(3, n2={"clock__ahead_s": 4.9})) == []
    assert said(fleet(3, n2={"clock__ahead_s": 4.9}), limits=Limits(skew_s=2.0)) != []


def test_drivers_that_differ_are_told_once_and_not_beside_a_wish():
    nodes = {**fleet(3), "n4": Node(host(4), stack("25.2.0"))}
    assert said(nodes) == [
        ("warning", "n4: drivers: nodes differ: 25.2.0 on n4; 25.5.1 on n1, n2, n3; bring them to one version.")
    ]
    assert [sentence for _level, sentence in said(nodes, "26.1.0")] == [
        f"{where}: HDK: {version} is installed, 26.1.0 is wished; "
        "install it with the role for it, or correct ascend_stack."
        for where, version in (("n1, n2, n3", "25.5.1"), ("n4", "25.2.0"))
    ]


def test_a_wish_is_judged_without_nodes():
    found = judge({}, stack_versions({"hdk": "25.0.RC1"}), [{**SERVICE, "args": {"enforce_eager": True}}], IMAGES)
    assert [(shared.finding.level, shared.hosts) for shared in found] == [("error", ())]
    assert "would work: HDK 25.2.X" in "\n".join(table({}, found))


def test_images_of_engines_that_nobody_serves_say_nothing():
    old = {"n1": Node(host(), stack("24.1.0.3"))}
    assert said(old) == []
    assert "does not run on HDK 24.1.0.3" in said(old, services=[SERVICE])[0][1]


def test_a_node_that_does_not_answer_is_an_error_of_its_own():
    nodes = {**fleet(2), "n3": Node(error="it does not answer")}
    assert said(nodes) == [("error", "n3: node: it does not answer; see that it is up, its address, user and key.")]


def test_the_host_tells_its_versions_where_stack_info_was_not_called():
    installed = {
        "driver": {"installed": "24.1.0", "complete": True, "accepts": [["7.0.0", "7.1.99"]]},
        "firmware": {"installed": "7.7.0.6.236", "complete": True, "accepts": []},
        "cann": [{"component": "toolkit", "version": "8.3.RC2"}, {"component": "toolkit", "version": "8.2.RC1"}],
        "docker_runtime": "7.1.RC1",
    }
    node = Node(host(installed=installed))
    found = node.found()
    assert (found["hdk"], found["firmware"], found["cann"]) == ("24.1.0", "7.7.0.6.236", "8.3.RC2")
    assert [sentence for level, sentence in said({"n1": node}) if level == "error"] == [
        "n1: driver and firmware: driver 24.1.0 takes firmware 7.0.0 to 7.1.99, and 7.7.0.6.236 is installed; "
        "install driver and firmware of one HDK release, firmware first."
    ]
    installed["driver"]["complete"] = False
    assert "n1: driver: its installation was left half-way" in said({"n1": node})[1][1]


def test_problems_of_ports_are_warnings():
    problem = {"item": "phy id 3", "problem": "has its link DOWN", "remedy": "change the cable"}
    assert said({"n1": Node(host(), stack(), ports=(problem,))}) == [
        ("warning", "n1: RoCE port: phy id 3 has its link DOWN; change the cable.")
    ]


def test_a_bare_node_has_nothing_against_it():
    bare = {"n1": Node(host(npus={"on_bus": 8, "family": "A2", "phy_ids": []}, roce=None), stack(None, None))}
    assert said(bare, "25.5.0") == []


def test_the_table_has_a_line_for_nodes_that_are_alike():
    nodes = {**fleet(300), "odd": Node(host(999), stack("25.2.0"))}
    found = judge(nodes, stack_versions(None))
    lines = table(nodes, found)
    assert len(lines) == 5
    assert lines[0].split() == list(COLUMNS)
    assert lines[1].startswith(
        "n1 … n300 (300 nodes)  A2    8     openEuler 22.03 (LTS-SP4)  5.10.0-216 aarch64  25.5.1"
    )
    assert lines[2].startswith("odd ")
    assert lines[4] == "301 nodes: 0 errors, 1 warning, 0 notes."


def test_a_driver_that_waits_shows_both_versions():
    waiting = {**stack(), "driver": {"installed": "25.5.1", "running": "25.2.0"}}
    nodes = {"n1": Node(host(), waiting)}
    assert "25.5.1 (25.2.0 runs)" in table(nodes, judge(nodes, stack_versions(None)))[1]


def test_names_of_many_hosts():
    assert show_hosts(["a", "b"]) == "a, b"
    assert show_hosts([f"n{n}" for n in range(9)]) == "n0 … n8 (9 nodes)"

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_check, the filters and compatibility called one after the other, as a play does."""

from __future__ import annotations

import json
import time

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.npuops.ascend.plugins.filter.compatibility_nodes import compatibility_nodes
from ansible_collections.npuops.ascend.plugins.filter.stack_versions import stack_versions_of
from ansible_collections.npuops.ascend.plugins.modules import compatibility, host_check

SERVICE = {"name": "chat", "engine": "vllm", "hosts": ["n1"], "args": {}}
IMAGES = {"vllm": "quay.io/ascend/vllm-ascend:v0.23.0"}


@pytest.fixture
def call(call_module, tmp_path):
    def run(module, **arguments):
        given = {"_ansible_remote_tmp": str(tmp_path), **arguments}
        return call_module(module, **given)

    return run


@pytest.fixture
def variables(call, tmp_path):
    """hostvars of a node that is a directory, with an answer as stack_info gives it."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n')
    (root / "etc/machine-id").write_text("1" * 32)
    (root / "run/systemd").mkdir(parents=True)
    (root / "run/systemd/container").write_text("docker")
    (root / "sys/bus/pci/devices/0").mkdir(parents=True)
    (root / "sys/bus/pci/devices/0/vendor").write_text("0x19e5")
    (root / "sys/bus/pci/devices/0/device").write_text("0xd802")
    host = call(host_check, root=str(root), controller_time=time.time())
    assert host["changed"] is False
    stack = {"driver": {"installed": "25.5.0", "running": "25.5.0"}, "firmware": {}, "cann": [], "docker_runtime": None}
    return {"n1": {"host": host, "stack": {"changed": False, "stack": stack}}}


def test_a_play(call, variables, tmp_path):
    nodes = compatibility_nodes(variables, ["n1"])
    report = tmp_path / "report.json"
    given = {"nodes": nodes, "services": [SERVICE], "images": IMAGES, "image_gb": 0, "json": str(report)}
    found = call(compatibility, wish="25.5.0", **given)
    assert [finding["subject"] for finding in found["findings"]] == ["graph mode"]
    assert found["findings"][0]["hosts"] == ["n1"] and found["verdict"] == "warning"
    assert found["nodes"]["n1"]["chip"] == "A2" and found["nodes"]["n1"]["hdk"] == "25.5.0"
    assert found["stack"]["cann"] == "8.3.RC2"
    written = json.loads(report.read_text())
    assert written["findings"] == found["findings"] and written["hosts"]["n1"]["os"]["id"] == "ubuntu"
    assert found["changed"] is True
    assert call(compatibility, wish="25.5.0", **given)["changed"] is False


def test_check_mode_writes_nothing(call, tmp_path):
    found = call(compatibility, json=str(tmp_path / "report.json"), _ansible_check_mode=True)
    assert found["changed"] is True and not (tmp_path / "report.json").exists()


def test_an_inconsistent_wish_fails_with_the_rows_that_would_work(call):
    found = call(compatibility, wish={"hdk": "25.0.RC1", "cann": "9.1.0"}, strict=True)
    assert found["failed"] is True and found["verdict"] == "error"
    assert "CANN 9.1.0 does not run on HDK 25.0.RC1" in found["msg"]
    assert found["msg"].splitlines() == found["errors"] and len(found["errors"]) == 4
    assert "would work: HDK 25.2.X, 25.3.X, 25.5.X, 26.0.RC1/25.7.RC1, 26.1.0 + CANN 9.1.0" in found["msg"]


def test_without_strict_it_is_only_told(call):
    found = call(compatibility, wish={"hdk": "25.0.RC1", "cann": "9.1.0"})
    assert "failed" not in found and found["verdict"] == "error"


def test_warnings_never_fail(call):
    found = call(compatibility, wish={"hdk": "77.0", "cann": "66.0"}, strict=True)
    assert "failed" not in found and found["verdict"] == "warning"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"wish": "newest"}, "wish: 'newest' is no version of the HDK"),
        ({"nodes": {"n1": {"host": {"arch": "x86_64"}}}}, "nodes: every entry must have what host_check returned"),
        ({"nodes": {"n1": 7}}, "nodes: every entry must have what host_check returned"),
    ],
)
def test_input_that_cannot_be_understood(call, given, words):
    found = call(compatibility, **given)
    assert found["failed"] is True and words in found["msg"]


@pytest.mark.parametrize(
    ("host", "stack", "error"),
    [
        ({"unreachable": True, "msg": "x"}, {}, "it does not answer"),
        ({"failed": True, "msg": "no python\nat all"}, {}, "no python"),
        ({"host": {}}, {"failed": True, "msg": "It broke."}, "It broke"),
        ({"skipped": True}, {"unreachable": True}, "it does not answer"),
        ({"host": {}}, {"stack": {"driver": {"installed": None}}}, None),
        ({}, {}, None),
    ],
)
def test_nodes_that_were_not_read(host, stack, error):
    assert compatibility_nodes({"n1": {"host": host, "stack": stack}}, ["n1"])["n1"]["error"] == error


def test_facts_of_npu_info_tell_the_chip(variables):
    variables["n1"]["ansible_facts"] = {"npu": {"chips": [{"name": "910B4"}], "driver_version": "25.5.1"}}
    found = compatibility_nodes(variables, ["n1"])["n1"]
    assert (found["chip"], found["driver"]) == ("A2", "25.5.1")


def test_the_filter_names_the_rows():
    assert stack_versions_of("25.5.0")["mindie"] == "2.2.RC2"
    with pytest.raises(AnsibleFilterError, match=r"stack_versions: .* the rows are 25\.5\.0"):
        stack_versions_of("newest")

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that ask Ray and images, called as Ansible calls them, with a docker that is a script."""

from __future__ import annotations

import json
import os
import stat

import pytest

from ansible_collections.npuops.ascend.plugins.modules import ray_cluster, ray_versions

HEAD = {"address": "192.0.2.1", "hostname": "a", "alive": True, "head": True, "npus": 8, "npus_free": 0, "critical": []}
WORKER = {**HEAD, "address": "192.0.2.2", "hostname": "b", "head": False}
ASK = {"container": "npuops-chat-ray", "address": "192.0.2.1:6379", "wait_timeout": 1, "interval": 1}
VERSIONS = '{"ray": "2.60.0", "python": "3.12.11"}'


@pytest.fixture
def docker(tmp_path):
    """Write a docker that is this script; C($LOG) is a file it may write to."""

    def write(script):
        path = tmp_path / "docker"
        path.write_text(f"#!/bin/sh\nLOG={tmp_path}/log\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


def of(nodes, drained="[]"):
    """It prints the node table, or, asked to drain, the refusals."""
    return (
        f'cat > /dev/null; echo "$*" >> $LOG; case "$*" in *drain*) echo \'{drained}\';; '
        f"*) echo '{json.dumps(nodes)}';; esac"
    )


def test_who_is_dead_there_twice_and_not_asked_for(call_module, docker):
    nodes = [HEAD, {**WORKER, "alive": False}, {**HEAD, "address": "192.0.2.9", "head": False}]
    wanted = [{"address": "192.0.2.1", "npus": 8}, {"address": "192.0.2.2", "npus": 8}]
    result = call_module(ray_cluster, docker=docker(of(nodes)), nodes=wanted, **ASK)
    assert result["failed"] and "node 192.0.2.2 has not joined" in result["msg"]
    assert (result["dead"], result["unexpected"], result["duplicates"]) == (["192.0.2.2"], ["192.0.2.9"], [])
    assert "192.0.2.9 is in it and nobody asked for it" in str(result["warnings"])


def test_a_node_is_drained(call_module, docker, tmp_path):
    result = call_module(
        ray_cluster,
        docker=docker(of([HEAD, WORKER])),
        state="drained",
        nodes=[{"address": "192.0.2.2", "npus": 8}],
        **ASK,
    )
    assert (result["changed"], result["requests"]) == (True, None)
    assert "192.0.2.1:6379 drain 1 192.0.2.2" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("nodes", [[HEAD], [HEAD, {**WORKER, "alive": False}]])
def test_a_node_that_is_not_there_has_no_work(call_module, docker, tmp_path, nodes):
    wanted = [{"address": "192.0.2.2", "npus": 8}]
    assert not call_module(ray_cluster, docker=docker(of(nodes)), state="drained", nodes=wanted, **ASK)["changed"]
    assert "drain" not in (tmp_path / "log").read_text()


def test_check_mode_drains_nothing(call_module, docker, tmp_path):
    wanted = [{"address": "192.0.2.2", "npus": 8}]
    result = call_module(
        ray_cluster, docker=docker(of([HEAD, WORKER])), state="drained", nodes=wanted, _ansible_check_mode=True, **ASK
    )
    assert result["changed"] and "drain" not in (tmp_path / "log").read_text()


def test_a_node_that_refuses_to_be_drained(call_module, docker):
    wanted = [{"address": "192.0.2.2", "npus": 8}]
    refuses = docker(of([HEAD, WORKER], '["node 192.0.2.2 does not take the wish: no"]'))
    assert (
        "does not take the wish"
        in call_module(ray_cluster, docker=refuses, state="drained", nodes=wanted, **ASK)["msg"]
    )


@pytest.mark.parametrize(("load", "failed"), [(0, None), (2, True)])
def test_requests_under_way_are_waited_for(call_module, docker, monkeypatch, load, failed):
    text = f'vllm:num_requests_running{{engine="0"}} {load}.0\nvllm:generation_tokens_total{{engine="0"}} 5.0\n'
    monkeypatch.setattr(
        "ansible_collections.npuops.ascend.plugins.module_utils._watchdog.Http.ask", lambda *_: (200, text)
    )
    wanted = [{"address": "192.0.2.2", "npus": 8}]
    result = call_module(
        ray_cluster,
        docker=docker(of([HEAD, WORKER])),
        state="drained",
        nodes=wanted,
        url="http://192.0.2.1:8000",
        **ASK,
    )
    assert (result.get("failed"), result["requests"]) == (failed, load)


def image(inspect="exit 0", run="exit 0"):
    return f'case "$1" in image) {inspect};; run) echo "$*" >> $LOG; {run};; esac'


def test_an_image_tells_its_versions(call_module, docker, tmp_path):
    inspect = 'echo \'[{"Id": "sha256:aa", "RepoDigests": ["v@sha256:bb"]}]\''
    result = call_module(
        ray_versions, docker=docker(image(inspect, f"echo a log line; echo '{VERSIONS}'")), image="v:1"
    )
    assert (result["found"], result["image_id"], result["digests"]) == (True, "sha256:aa", ["v@sha256:bb"])
    assert (result["ray"], result["python"], result["tokens"]) == ("2.60.0", "3.12.11", True)
    assert "--network none" in (tmp_path / "log").read_text()


def test_of_an_image_that_is_not_there_nothing_is_known(call_module, docker):
    result = call_module(
        ray_versions, docker=docker(image("echo 'Error: No such image: v:1' >&2; exit 1")), image="v:1"
    )
    assert (result.get("failed"), result["found"], result["ray"], result["tokens"]) == (None, False, None, False)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (image("echo 'Cannot connect to the Docker daemon' >&2; exit 1"), "Cannot connect to the Docker daemon"),
        (image('echo \'[{"Id": "x"}]\'', "echo 'python3: not found' >&2; exit 127"), "python3: not found"),
    ],
)
def test_an_engine_or_an_image_that_does_not_answer(call_module, docker, script, words):
    result = call_module(ray_versions, docker=docker(script), image="v:1")
    assert result["failed"] and words in result["msg"]


def test_without_an_engine(call_module):
    assert "cannot be run" in call_module(ray_versions, docker=os.devnull, image="v:1")["msg"]

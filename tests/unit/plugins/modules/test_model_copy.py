# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""model_copy, model_plan and model_peer as Ansible calls them. Copies are rsync's, from one directory to another."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._model_manifest import digests, sizes
from ansible_collections.npuops.ascend.plugins.modules import model_copy, model_files, model_peer, model_plan
from hub.make import write_model

SHARD = "model-00002-of-00002.safetensors"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "archive" / "moved"
    write_model(str(folder), size=1_000_000)
    return folder


@pytest.fixture
def copy(call_module, source, tmp_path):
    if not shutil.which("rsync"):
        pytest.skip("no rsync here")
    found = sizes(str(source))
    sums = digests(str(source), found)
    files = {name: {**entry, "sha256": sums[name]} for name, entry in found.items()}

    def run(**arguments):
        told = {"path": str(tmp_path / "models" / "tiny"), "source_path": str(source), "files": files, "attempts": 1}
        told.update(records=str(tmp_path / "records"), source={"kind": "directory"}, host="node2")
        return call_module(model_copy, **{**told, **arguments})

    return run


def test_a_copy_and_nothing_the_second_time(copy, call_module, tmp_path):
    told = copy(_ansible_check_mode=True)
    assert told["changed"] and len(told["fetched"]) == 6 and not (tmp_path / "models").exists()
    result = copy(file_mode="0640", directory_mode="0750")
    assert result["changed"] and result["fetched"] == told["fetched"]
    model = tmp_path / "models" / "tiny"
    assert stat.S_IMODE(os.stat(model).st_mode) == 0o750 and stat.S_IMODE(os.stat(model / SHARD).st_mode) == 0o640
    assert not copy(file_mode="0640", directory_mode="0750")["changed"]
    found = call_module(model_files, models=[{"path": str(model)}], records=str(tmp_path / "records"), full=True)
    assert found["models"][str(model)]["complete"] and found["models"][str(model)]["source"] == {"kind": "directory"}


def test_a_copy_goes_on_in_the_middle_of_a_file(copy, source, tmp_path):
    partial = tmp_path / "models" / ".tiny.npuops-partial"
    partial.mkdir(parents=True)
    (partial / SHARD).write_bytes((source / SHARD).read_bytes()[:600_000])
    shutil.copy2(source / "config.json", partial)
    result = copy()
    assert result["changed"] and SHARD in result["fetched"] and "config.json" not in result["fetched"]
    assert (tmp_path / "models" / "tiny" / SHARD).read_bytes() == (source / SHARD).read_bytes()


def test_only_what_is_damaged_is_copied(copy, tmp_path):
    copy()
    os.truncate(tmp_path / "models" / "tiny" / SHARD, 1000)
    assert copy()["fetched"] == [SHARD]


def test_a_source_that_is_not_what_it_was(copy, source, tmp_path):
    (source / SHARD).write_bytes(b"?" * (source / SHARD).stat().st_size)
    result = copy()
    assert result["failed"] and "node2: model tiny: " in result["msg"] and f"twice, {SHARD} has sha256" in result["msg"]
    assert not (tmp_path / "models" / "tiny").exists()


def test_a_source_that_is_gone(copy, tmp_path):
    result = copy(source_path=str(tmp_path / "gone"))
    assert result["failed"] and f"rsync from {tmp_path}/gone ends with" in result["msg"]


def test_what_was_sent_is_verified_only(copy, source, tmp_path):
    partial = tmp_path / "models" / ".tiny.npuops-partial"
    shutil.copytree(source, partial)
    (partial / SHARD).unlink()
    assert f"{SHARD} of {tmp_path}/models/tiny has not arrived" in copy(arrived=True)["msg"]
    shutil.copy(source / SHARD, partial)
    assert copy(arrived=True)["changed"]


def test_the_plan_fails_with_all_that_is_wrong(call_module):
    models = [{"path": "/data/models/a", "source": "github"}, {"path": "b"}]
    result = call_module(model_plan, models=models, hosts=["node1"])
    assert result["failed"] and len(result["problems"]) == 2 and result["msg"].count("inventory: ") == 2


def test_the_plan_with_what_was_found(call_module):
    models = [{"path": "/data/models/a", "source": "huggingface", "repo": "x/y", "hosts": ["node1", "node2"]}]
    result = call_module(model_plan, models=models, hosts=["node1", "node2"], found={"node1": {}, "node2": {}})
    assert list(result["work"]["fetches"]) == ["node1"] and result["work"]["gives"]["node1"][0]["to"] == "node2"


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen here")
def test_keys_are_made_let_in_and_forgotten(call_module, monkeypatch, tmp_path):
    monkeypatch.setattr(model_peer, "RUN", str(tmp_path / "run"))
    monkeypatch.setattr(model_peer, "forget", lambda: shutil.rmtree(tmp_path / "run"))
    keys = tmp_path / ".ssh" / "authorized_keys"
    monkeypatch.setattr(model_peer, "keys_file", lambda user: (str(keys), (os.getuid(), os.getgid())))
    taker = call_module(model_peer, state="taking", peers=["127.0.0.1"])
    assert taker["public_key"].startswith("ssh-ed25519 ") and taker["addresses"] == {"127.0.0.1": "127.0.0.1"}
    assert stat.S_IMODE((tmp_path / "run" / "key").stat().st_mode) == 0o600
    arguments = {"gives": [{"path": "/m/tiny", "to": "node2"}], "takers": {"node2": taker}, "address": "127.0.0.1"}
    assert (
        call_module(model_peer, state="giving", **arguments, _ansible_check_mode=True)["changed"] and not keys.exists()
    )
    assert call_module(model_peer, state="giving", **arguments)["changed"]
    assert taker["public_key"] in keys.read_text() and (tmp_path / "run" / "send").exists()
    assert call_module(model_peer, state="closed", _ansible_check_mode=True)["changed"] and keys.read_text()
    assert call_module(model_peer, state="closed")["changed"]
    assert keys.read_text() == "" and not (tmp_path / "run").exists()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Model directories whole and damaged, half brought, and with two writers."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _model_store
from ansible_collections.npuops.ascend.plugins.module_utils._model_examine import bring, examine, users
from ansible_collections.npuops.ascend.plugins.module_utils._model_files import ModelError
from ansible_collections.npuops.ascend.plugins.module_utils._model_manifest import check_structure, git_blob, listing
from ansible_collections.npuops.ascend.plugins.module_utils._model_store import Store, set_permissions, storage
from lab.files import safetensors

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def contents(seed=1):
    """Files of a small model of two shards, by name."""
    index = {"metadata": {}, "weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}
    return {
        "config.json": json.dumps({"model_type": "qwen3", "num_hidden_layers": seed}).encode(),
        "tokenizer.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        SHARDS[0]: safetensors({"a": [1000 + seed]}),
        SHARDS[1]: safetensors({"b": [2000]}),
        "assets/page.md": b"read me",
    }


def manifest(files):
    return {n: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()}


def lay(folder, files):
    for name, content in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as handle:
            handle.write(content)


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "models" / "tiny"), str(tmp_path / "records"))


class Source:
    """Brings files into the partial directory, and counts what it was asked for."""

    def __init__(self, store, files):
        self.store, self.files, self.asked = store, dict(files), []

    def __call__(self, names):
        self.asked.append(names)
        lay(self.store.partial, {name: self.files[name] for name in names})


def brought(store, files=None, commit="c1"):
    files = files or contents()
    source = Source(store, files)
    return bring(store, manifest(files), source, {"kind": "test"}, commit), source


def test_a_model_gets_its_name_when_it_is_whole(store):
    result, source = brought(store)
    assert result["changed"] and result["fetched"] == sorted(contents())
    assert source.asked == [sorted(contents())]
    assert listing(store.path) == sorted(contents())
    assert os.listdir(store.parent) == ["tiny"]
    found = examine(store)
    assert found["complete"] and found["created"] and found["commit"] == "c1" and found["read_bytes"] == 0


def test_the_second_time_nothing_is_fetched_or_changed(store):
    brought(store)
    before = {name: os.stat(os.path.join(store.path, name)).st_mtime_ns for name in listing(store.path)}
    result, source = brought(store)
    assert not result["changed"] and not source.asked
    assert {name: os.stat(os.path.join(store.path, name)).st_mtime_ns for name in listing(store.path)} == before


def test_what_has_arrived_stays_for_the_next_run(store):
    files = contents()

    def cut(names):
        lay(store.partial, {name: files[name] for name in names if name != SHARDS[1]})
        raise ModelError("the line is cut", "try again")

    with pytest.raises(ModelError, match="cut"):
        bring(store, manifest(files), cut, {}, "c1")
    assert not os.path.exists(store.path), "a half model has no name"
    assert examine(store)["partial_bytes"] == sum(len(c) for n, c in files.items() if n != SHARDS[1])
    result, source = brought(store)
    assert source.asked == [[SHARDS[1]]]
    assert result["changed"] and examine(store)["created"]


def test_half_files_of_modelscope_and_hidden_notes_stay_too_but_never_in_the_model(store):
    files = contents()

    def cut(names):
        lay(store.partial, {SHARDS[0] + ".incomplete": b"half", ".cache/x/y": b"note", "stranger.bin": b"of another"})
        raise ModelError("the line is cut", "try again")

    with pytest.raises(ModelError):
        bring(store, manifest(files), cut, {}, "c1")
    seen = []

    class Looking(Source):
        def __call__(self, names):
            seen.extend(listing(store.partial))
            assert os.path.exists(os.path.join(store.partial, ".cache/x/y"))
            super().__call__(names)

    bring(store, manifest(files), Looking(store, files), {}, "c1")
    assert seen == [SHARDS[0] + ".incomplete"]
    assert listing(store.path) == sorted(files) and not os.path.exists(os.path.join(store.path, ".cache"))


def test_a_file_that_arrives_wrong_is_fetched_once_more(store):
    files = contents()

    class Flaky(Source):
        def __call__(self, names):
            super().__call__(names)
            if len(self.asked) == 1:
                lay(store.partial, {SHARDS[1]: files[SHARDS[1]][:-1] + b"\x00"})

    source = Flaky(store, files)
    assert bring(store, manifest(files), source, {}, "c1")["changed"]
    assert source.asked == [sorted(files), [SHARDS[1]]]


def test_a_file_that_stays_wrong_is_refused_and_nothing_gets_the_name(store):
    files = contents()
    source = Source(store, {**files, SHARDS[1]: b"?" * len(files[SHARDS[1]])})
    with pytest.raises(ModelError, match="twice") as caught:
        bring(store, manifest(files), source, {}, "c1")
    assert SHARDS[1] in caught.value.problem and not os.path.exists(store.path)


def test_right_checksums_of_something_that_is_no_model_are_refused(store):
    files = contents()
    files[SHARDS[0]] = files[SHARDS[0]][:-10]
    with pytest.raises(ModelError, match="bytes where its header tells"):
        brought(store, files)
    assert not os.path.exists(store.path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "bytes where"),
        (lambda path: path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:]), "sha256"),
        (lambda path: path.write_bytes(path.read_bytes() + b"more"), "bytes where"),
    ],
    ids=["missing", "truncated", "header", "longer"],
)
def test_damage_is_found_by_the_record_and_repaired_by_the_damaged_file_alone(store, damage, words):
    brought(store)
    damage(pathlib.Path(store.path, SHARDS[1]))
    found = examine(store)
    assert not found["complete"] and found["wrong"] == [SHARDS[1]] and words in found["problem"]
    result, source = brought(store)
    assert source.asked == [[SHARDS[1]]] and result["fetched"] == [SHARDS[1]]
    assert result["changed"] and examine(store, full=True)["complete"] and examine(store)["created"]


def test_rot_that_touches_neither_size_nor_time_is_found_on_request(store):
    brought(store)
    path = os.path.join(store.path, SHARDS[1])
    times = os.stat(path)
    with open(path, "r+b") as handle:
        handle.seek(-1, os.SEEK_END)
        handle.write(b"\x01")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert examine(store)["complete"]
    found = examine(store, full=True)
    assert not found["complete"] and found["wrong"] == [SHARDS[1]]


def test_a_touched_file_is_read_once_and_then_no_more(store):
    brought(store)
    os.utime(os.path.join(store.path, SHARDS[0]), (1, 1))
    assert examine(store, write=False)["read_bytes"] == len(contents()[SHARDS[0]])
    assert examine(store)["read_bytes"] == len(contents()[SHARDS[0]])
    assert examine(store)["read_bytes"] == 0


def test_another_revision_brings_what_differs_and_takes_what_is_gone(store):
    brought(store)
    new = contents(seed=2)
    del new["assets/page.md"]
    result, source = brought(store, new, "c2")
    assert source.asked == [["config.json", SHARDS[0]]]
    assert listing(store.path) == sorted(new) and result["changed"]
    assert examine(store)["commit"] == "c2" and os.listdir(store.parent) == ["tiny"]


def test_a_model_that_was_there_is_adopted_and_never_ours(store):
    lay(store.path, contents())
    assert not examine(store)["complete"] and examine(store)["problem"] is None
    found = examine(store, adopt=True)
    assert found["complete"] and not found["created"] and found["read_bytes"] == sum(map(len, contents().values()))
    assert examine(store)["complete"] and examine(store, adopt=True)["read_bytes"] == 0


def test_what_was_there_and_is_the_hubs_is_not_fetched(store):
    lay(store.path, contents())
    told = manifest(contents())
    told["config.json"] = {**told["config.json"], "sha256": None, "blob": git_blob(store.path + "/config.json")}
    source = Source(store, {})
    result = bring(store, told, source, {"kind": "test"}, "c1")
    assert not result["changed"] and not source.asked
    assert not examine(store)["created"] and examine(store)["files"]["config.json"]["sha256"]


def test_two_writers(store):
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]);"
        "from ansible_collections.npuops.ascend.plugins.module_utils._model_store import Store;"
        "store = Store(sys.argv[2])\n"
        "with store.lock(): print('held', flush=True); time.sleep(60)"
    )
    path = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../../..", ".collections"))
    with subprocess.Popen([sys.executable, "-c", code, path, store.path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ModelError, match=rf"is being written by process {other.pid} on "):
            brought(store)
        other.kill()
    # The other one's end is enough: nobody must remove its file.
    assert brought(store)[0]["changed"] and os.listdir(store.parent) == ["tiny"]


def test_an_end_between_the_two_renames_is_mended(store):
    brought(store)
    os.rename(store.path, store.old)
    store.recover()
    assert examine(store)["complete"]
    os.makedirs(store.old)
    store.recover()
    assert os.listdir(store.parent) == ["tiny"]


def test_what_does_not_fit_is_refused_before_anything_is_fetched(store, monkeypatch):
    monkeypatch.setattr(_model_store, "RESERVE", 1 << 60)
    source = Source(store, contents())
    with pytest.raises(ModelError, match="GB free, and 0.0 GB of tiny are still to come"):
        bring(store, manifest(contents()), source, {}, "c1")
    assert not source.asked


def test_a_tokenizer_is_asked_for_unless_the_model_needs_none(store):
    files = contents()
    del files["tokenizer.json"]
    lay(store.path, files)
    with pytest.raises(ModelError, match="no tokenizer"):
        check_structure(store.path)
    assert check_structure(store.path, tokenizer=False) == 2 * 1001 + 2 * 2000


def test_modes_for_mindie(store):
    brought(store)
    wanted = {"directory_mode": 0o750, "file_mode": 0o640}
    assert examine(store, permissions=wanted, write=False)["changed"]
    assert examine(store, permissions=wanted)["changed"]
    assert not examine(store, permissions=wanted)["changed"]
    assert os.stat(store.path).st_mode & 0o777 == os.stat(store.path + "/assets").st_mode & 0o777 == 0o750
    assert os.stat(store.path + "/assets/page.md").st_mode & 0o777 == 0o640
    # Modes are no content: nothing was read for it.
    assert examine(store)["read_bytes"] == 0


def test_an_owner_that_is_not_there(store):
    brought(store)
    with pytest.raises(ModelError, match="no user or group"):
        set_permissions(store.path, owner="no-such-user")


@pytest.mark.parametrize("path", ["models/x", "/x", "/"])
def test_paths_that_cannot_be_meant(path):
    with pytest.raises(ModelError):
        Store(path)


def test_a_record_that_is_broken_counts_as_none(store):
    brought(store)
    with open(store.record_file, "w", encoding="utf-8") as handle:
        handle.write("{")
    assert examine(store)["problem"] is None and not examine(store)["complete"]


def test_a_process_with_an_open_file_is_a_user(store):
    brought(store)
    assert users(store.path) == []
    with open(os.path.join(store.path, SHARDS[0]), "rb"):
        assert users(store.path)[0].startswith(f"process {os.getpid()} (")


def test_a_container_that_does_not_run_is_a_user(store, tmp_path):
    brought(store)
    config = tmp_path / "config.v2.json"
    config.write_text(json.dumps({"MountPoints": {store.path: {"Source": store.path}}}))
    assert users(store.path, service_files=[str(config)]) == [str(config)]
    config.write_text(json.dumps({"MountPoints": {store.path: {"Source": store.path + "-32B"}}}).replace(":", ""))
    assert users(store.path + "-7B", service_files=[str(config)]) == []


def test_a_local_file_system_is_no_shared_one(tmp_path):
    assert storage(str(tmp_path)) == ""

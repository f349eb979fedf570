# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""model_files and model_fetch as Ansible calls them, against the hub's stand-in.

With NPUOPS_HUB_PYTHON naming a Python that has huggingface_hub and modelscope, these real clients fetch. Without it a
small program speaks for them, which asks for the same addresses; all else is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import time
import urllib.request

import pytest

from ansible_collections.npuops.ascend.plugins.modules import model_fetch, model_files
from hub.hub import commit_of, serve
from lab.files import safetensors

REAL = os.environ.get("NPUOPS_HUB_PYTHON", "")
# huggingface_hub writes 10 MB at a time, so less than that is lost with it.
SIZE = 30_000_000 if REAL else 3_000_000
# Takes the job as the real client's program does, one file after the other, going on with what is there.
CLIENT = r"""#!{python}
import json, os, sys, urllib.request, urllib.parse
job = json.load(sys.stdin)
hub, repo = job["hub"], job["repo"]
env = {{"huggingface": "HF_ENDPOINT", "modelscope": "MODELSCOPE_ENDPOINT"}}[hub]
token = os.environ.get({{"huggingface": "HF_TOKEN", "modelscope": "MODELSCOPE_API_TOKEN"}}[hub], "")
for name in job["files"]:
    if hub == "huggingface":
        url = f"{{os.environ[env]}}/{{repo}}/resolve/{{job['commit']}}/{{urllib.parse.quote(name)}}"
    else:
        query = urllib.parse.urlencode({{"Revision": job["commit"], "FilePath": name}})
        url = f"{{os.environ[env]}}/api/v1/models/{{repo}}/repo?{{query}}"
    target = os.path.join(job["to"], name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.exists(target):
        continue
    with open(target + ".incomplete", "ab") as handle:
        headers = {{"Authorization": f"Bearer {{token}}"}}
        if handle.tell():
            headers["Range"] = f"bytes={{handle.tell()}}-"
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers))
        while True:
            block = answer.read(65536)
            if not block:
                break
            handle.write(block)
            handle.flush()
    if answer.length:
        sys.exit("the connection was closed")
    os.rename(target + ".incomplete", target)
print("{{}}")
"""
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
HUBS = ("huggingface", "modelscope")
BRANCH = {"huggingface": "main", "modelscope": "master"}


def lay(folder, seed=1):
    folder.mkdir(parents=True)
    index = {"metadata": {}, "weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3", "num_hidden_layers": seed}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / SHARDS[0]).write_bytes(safetensors({"a": [SIZE // 2 + seed]}))
    (folder / SHARDS[1]).write_bytes(safetensors({"b": [1000]}))
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs\n")


@pytest.fixture
def hub(tmp_path):
    for branch in BRANCH.values():
        lay(tmp_path / "hub" / "acme" / "tiny" / branch)
    server = serve(str(tmp_path / "hub"), token="sesame-42")
    yield server.hub
    server.shutdown()
    server.server_close()


@pytest.fixture
def python(tmp_path):
    if REAL:
        return REAL
    path = tmp_path / "client"
    path.write_text(CLIENT.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def call(call_module, monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HF_ENDPOINT", "MODELSCOPE_API_TOKEN", "MODELSCOPE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(module, **arguments):
        return call_module(module, records=str(tmp_path / "records"), **arguments)

    return run


@pytest.fixture
def fetch(call, hub, python, tmp_path):
    """model_fetch with what all tests say."""

    def run(name, **arguments):
        endpoint = f"http://127.0.0.1:{hub.port}"
        told = {
            "path": str(model(tmp_path)),
            "repo": "acme/tiny",
            "token": "sesame-42",
            "attempts": 1,
            "python": python,
        }
        return call(model_fetch, hub=name, endpoint=endpoint, **{**told, **arguments})

    return run


def model(tmp_path):
    return tmp_path / "models" / "tiny"


def weights_asked(hub):
    return [line for line in hub.log if "safetensors" in line["path"] and line["method"] == "GET" and line["bytes"]]


@pytest.mark.parametrize("name", HUBS)
def test_a_model_is_fetched_once(fetch, hub, tmp_path, name):
    told = fetch(name, _ansible_check_mode=True)
    assert told["changed"] and not model(tmp_path).exists() and not weights_asked(hub)
    result = fetch(name)
    assert not result.get("failed"), result
    assert (
        result["changed"] and result["fetched"] == told["fetched"] and result["fetched_bytes"] == told["fetched_bytes"]
    )
    assert told["bytes"] == sum(path.stat().st_size for path in model(tmp_path).iterdir())
    assert sorted(path.name for path in model(tmp_path).iterdir()) == sorted(result["files"])
    assert ".gitattributes" not in result["files"]
    assert result["commit"] == (commit_of("main") if name == "huggingface" else "master") and not result["pinned"]
    assert all(len(entry["sha256"]) == 64 for entry in result["files"].values())
    hub.log.clear()
    again = fetch(name)
    assert not again["changed"] and hub.log == [] and again["files"] == result["files"]
    assert not fetch(name, _ansible_check_mode=True)["changed"]
    # Asked again, the hub tells the same, so nothing changes either.
    assert not fetch(name, refresh=True)["changed"] and not weights_asked(hub)


@pytest.mark.parametrize("name", HUBS)
def test_a_lost_shard_is_all_that_is_fetched(fetch, hub, tmp_path, name):
    fetch(name)
    hub.log.clear()
    (model(tmp_path) / SHARDS[1]).unlink()
    result = fetch(name)
    assert result["fetched"] == [SHARDS[1]] and result["changed"]
    assert all(SHARDS[1] in line["path"] for line in weights_asked(hub))


@pytest.mark.parametrize("name", HUBS)
def test_a_download_that_is_killed_goes_on_where_it_was(fetch, call, hub, python, tmp_path, name):
    hub.rate = SIZE / 1.5e6
    arguments = {
        "path": str(model(tmp_path)),
        "repo": "acme/tiny",
        "hub": name,
        "endpoint": f"http://127.0.0.1:{hub.port}",
        "token": "sesame-42",
        "python": python,
        "records": str(tmp_path / "records"),
    }
    payload = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    code = (
        "import json, sys, runpy; sys.path[:0] = sys.argv[2:]\n"
        "from ansible.module_utils.testing import patch_module_args\n"
        "from ansible_collections.npuops.ascend.plugins.modules import model_fetch\n"
        "with patch_module_args(json.loads(sys.argv[1])['ANSIBLE_MODULE_ARGS']): model_fetch.main()"
    )
    root = pathlib.Path(__file__).parents[4]
    argv = [sys.executable, "-c", code, payload, str(root / ".collections")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        partial = tmp_path / "models" / ".tiny.npuops-partial"
        while half(partial) < SIZE / 6 and time.monotonic() < deadline and process.poll() is None:
            subprocess.run(["sleep", "0.02"], check=True)
        assert half(partial) >= SIZE / 6, process.communicate()
        # It must not see its client end: it would start another one, which nobody ends.
        process.send_signal(signal.SIGSTOP)
        for pid in children(process.pid):
            os.kill(pid, 9)
        process.kill()
        process.communicate()
    assert not model(tmp_path).exists()
    hub.rate = 0.0
    hub.log.clear()
    result = fetch(name)
    assert result["changed"], result
    first = [line for line in weights_asked(hub) if SHARDS[0] in line["path"]]
    assert first[0]["from"] >= SIZE / 6 and first[0]["status"] == 206


def children(pid):
    text = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in text.splitlines()[1:] if int(line.split()[1]) == pid]


def half(partial):
    paths = [path for path in partial.rglob("*") if path.is_file()] if partial.exists() else []
    found = 0
    for path in paths:
        try:
            found = max(found, path.stat().st_size)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("name", HUBS)
def test_a_cut_line_is_a_second_start_of_the_client(fetch, hub, name):
    hub.cuts[SHARDS[0]] = (SIZE // 2, 1)
    result = fetch(name, attempts=3)
    assert result["changed"], result
    assert [line["from"] for line in weights_asked(hub) if SHARDS[0] in line["path"]][1] > 0


def test_bytes_that_turned_on_the_way_are_found(fetch, hub, tmp_path):
    hub.lies.add(SHARDS[1])
    result = fetch("huggingface")
    assert result["failed"] and SHARDS[1] in result["msg"] and "twice" in result["msg"]
    assert not model(tmp_path).exists()
    hub.reset()
    assert fetch("huggingface")["fetched"] == [SHARDS[1]]


@pytest.mark.parametrize("name", HUBS)
def test_a_wrong_token_is_said_and_never_shown(fetch, hub, name):
    result = fetch(name, token="wrong-token-7")
    assert result["failed"] and "answers 401" in result["msg"] and f"model_tokens.{name}" in result["msg"]
    assert "wrong-token-7" not in json.dumps(result)


@pytest.mark.parametrize("name", HUBS)
def test_a_revision_that_is_not_there(fetch, name):
    result = fetch(name, revision="v9")
    assert result["failed"] and "answers 404" in result["msg"]


def test_a_pinned_revision_and_then_another(fetch, hub, tmp_path):
    lay(tmp_path / "hub" / "acme" / "tiny" / "v2", seed=2)
    result = fetch("huggingface", revision=commit_of("main"))
    assert result["pinned"] and result["commit"] == commit_of("main")
    hub.log.clear()
    result = fetch("huggingface", revision=commit_of("v2"))
    assert result["fetched"] == ["config.json", SHARDS[0]] and result["commit"] == commit_of("v2")
    assert json.loads((model(tmp_path) / "config.json").read_text())["num_hidden_layers"] == 2


def test_only_what_is_asked_for(fetch, hub, tmp_path):
    (tmp_path / "hub" / "acme" / "tiny" / "main" / "consolidated.pth").write_bytes(b"the same once more")
    result = fetch("huggingface", exclude=["*.pth"])
    assert "consolidated.pth" not in result["files"] and result["changed"]


def test_a_client_that_is_not_there(fetch, tmp_path):
    result = fetch("huggingface", python=str(tmp_path / "no-python"))
    assert result["failed"] and "huggingface_hub" in result["msg"]


def test_absence_is_for_what_was_fetched_and_is_not_used(fetch, call, tmp_path):
    fetch("huggingface")
    path = str(model(tmp_path))
    wish = {"path": path, "used_by": ["chat"]}
    assert "used by service 'chat'" in call(model_files, models=[wish], state="absent")["msg"]
    with open(model(tmp_path) / "config.json", encoding="utf-8"):
        assert "is used by process" in call(model_files, models=[{"path": path}], state="absent")["msg"]
    assert call(model_files, models=[{"path": path}], state="absent", _ansible_check_mode=True)["removed"] == [path]
    assert model(tmp_path).exists()
    assert call(model_files, models=[{"path": path}], state="absent")["changed"]
    assert list((tmp_path / "models").iterdir()) == list((tmp_path / "records").iterdir()) == []
    assert not call(model_files, models=[{"path": path}], state="absent")["changed"]


def test_a_model_of_somebody_else_is_not_removed(call, tmp_path):
    lay(model(tmp_path))
    path = str(model(tmp_path))
    call(model_files, models=[{"path": path, "adopt": True}])
    result = call(model_files, models=[{"path": path}], state="absent", host="node1")
    assert result["failed"] and "was not put there by this collection" in result["msg"] and model(tmp_path).exists()
    assert result["msg"].startswith("node1: model tiny: ")


def test_verifying_says_what_is_wrong_and_where(call, tmp_path):
    lay(model(tmp_path))
    path = str(model(tmp_path))
    result = call(model_files, models=[{"path": path, "adopt": True, "file_mode": "0640", "directory_mode": "0750"}])
    assert result["changed"] and result["models"][path]["complete"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o750
    (model(tmp_path) / SHARDS[0]).unlink()
    result = call(model_files, models=[{"path": path}], strict=False)
    assert not result.get("failed") and result["models"][path]["wrong"] == [SHARDS[0]]
    assert f"{SHARDS[0]} is missing" in result["problems"][0]["sentence"]


# As openmind_hub 1.3 has it. It speaks only HTTPS and only to its own hosts, so no stand-in can answer it.
OPENMIND = """
import os, shutil
class Thing:
    def __init__(self, **values): self.__dict__.update(values)
class OmApi:
    def __init__(self, endpoint=None, token=None): assert token == "sesame-42"
    def list_repo_tree(self, repo_id, path_in_repo=None, *, recursive=False, revision=None, token=None):
        assert recursive and repo_id == "acme/tiny" and revision == "main"
        yield Thing(path="assets")
        for name in sorted(os.listdir(os.environ["SOURCE"])):
            size = os.path.getsize(os.path.join(os.environ["SOURCE"], name))
            yield Thing(path=name, size=size, lfs=Thing(sha256=os.environ["SUM"]) if "00001" in name else None)
    def get_repo_last_commit(self, repo_id, path_in_repo=None, *, revision=None, token=None):
        return Thing(oid="c" * 40)
def snapshot_download(repo_id, *, revision=None, cache_dir=None, local_dir=None, local_dir_use_symlinks="auto",
                      token=None, allow_patterns=None, max_workers=8):
    assert (token, revision, local_dir_use_symlinks) == ("sesame-42", "c" * 40, False)
    assert cache_dir.startswith(local_dir)
    for name in allow_patterns:
        shutil.copy(os.path.join(os.environ["SOURCE"], name), local_dir)
"""


def test_openmind_lists_and_fetches_by_its_client(call, tmp_path, monkeypatch):
    source = tmp_path / "hub"
    lay(source)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "openmind_hub.py").write_text(OPENMIND)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.setenv("SOURCE", str(source))
    monkeypatch.setenv("SUM", hashlib.sha256((source / SHARDS[0]).read_bytes()).hexdigest())
    told = {"hub": "openmind", "repo": "acme/tiny", "path": str(model(tmp_path)), "python": sys.executable}
    planned = call(model_fetch, token="sesame-42", **told, _ansible_check_mode=True)
    assert planned["changed"] and planned["commit"] == "c" * 40 and SHARDS[0] in planned["fetched"]
    result = call(model_fetch, token="sesame-42", **told)
    assert result["changed"] and result["fetched"] == planned["fetched"], result
    monkeypatch.setenv("SUM", "0" * 64)
    (model(tmp_path) / SHARDS[0]).unlink()
    assert f"twice, {SHARDS[0]} has sha256" in call(model_fetch, token="sesame-42", attempts=1, **told)["msg"]


def test_the_stand_in_shows_its_log(hub):
    request = urllib.request.Request(f"http://127.0.0.1:{hub.port}/lab/log")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200

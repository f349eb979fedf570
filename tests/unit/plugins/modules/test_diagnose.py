# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on a node made of scripts: what it finds, what it cannot read, and that no secret leaves."""

from __future__ import annotations

import io
import json
import stat
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _diagnose_collect as collect
from ansible_collections.npuops.ascend.plugins.modules import diagnose

KEY = "Pl4nted-Key-0001"
SECRETS = [KEY, "hf_" + "Q" * 20, "Pl4ntedRegistryAuth==", "Pl4ntedUrlPassword", "Pl4ntedBearer", "Pl4ntedExtra"]
LIBATB = "ImportError: libatb.so: cannot open shared object file"

DOCKER = r"""
case "$1 $2" in
"ps --all") case "$*" in *Names*) echo npuops-chat-ray; echo npuops-chat; echo npuops-other;; *) echo ID;; esac ;;
"inspect --type=container") cat "@here@/$3.json" ;;
"logs "*) for last; do :; done; echo "log of $last"; cat "@here@/$last.log" 2>/dev/null; echo "on stderr" >&2 ;;
"cp "*) case "$2" in *session_latest/logs) cat "@here@/ray.tar" ;; *) exit 1 ;; esac ;;
version*|info*|images*) echo "some $1" ;;
*) exit 9 ;;
esac
"""
SYSTEMCTL = """
case "$*" in
*--no-legend*) echo "npuops-chat.service loaded active running x"; echo "npuops-other.service loaded";;
*) echo units;;
esac
"""


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node with two services, of which "chat" has trouble, and with secrets everywhere."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def program(name, text):
        path = programs / name
        path.write_text("#!/bin/sh\n" + text.replace("@here@", str(tmp_path)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    program("docker", DOCKER)
    program("systemctl", SYSTEMCTL)
    program("journalctl", f"echo journal; echo 'curl -H \"Authorization: Bearer {SECRETS[4]}\"'")
    program("dmesg", "echo 'dmesg: read kernel buffer failed: Operation not permitted' >&2; exit 1")
    program("npu-smi", "echo broken; exit 1")
    program("hccn_tool", "echo 'link status: UP'")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    for name in ("npuops-chat", "npuops-chat-ray", "npuops-other"):
        env = [f"HF_TOKEN={SECRETS[1]}", f"PROXY=http://u:{SECRETS[3]}@proxy:1", "ASCEND_PROCESS_LOG_PATH=/plog"]
        command = ["vllm", "serve", "--api-key", KEY]
        described = [{"Name": "/" + name, "Config": {"Env": env, "Cmd": command}, "auth": SECRETS[2]}]
        (tmp_path / f"{name}.json").write_text(json.dumps(described))
    (tmp_path / "npuops-chat.log").write_text(f"INFO args: {{'api_key': ['{KEY}']}}\n{KEY} {LIBATB}\n{SECRETS[5]}\n")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        content = b"Some Ray subprocesses exited unexpectedly:\n"
        member = tarfile.TarInfo("logs/raylet.out")
        member.size, member.mtime = len(content), time.time()
        archive.addfile(member, io.BytesIO(content))
    (tmp_path / "ray.tar").write_bytes(stream.getvalue())
    (tmp_path / "root/etc/npuops/chat").mkdir(parents=True)
    (tmp_path / "root/etc/npuops/chat/api_key").write_text(KEY + "\n")
    monkeypatch.setattr(collect, "ROOT", str(tmp_path / "root"))
    monkeypatch.setattr(diagnose.support, "devices", lambda: ["davinci0", "davinci3", "davinci_manager"])
    return tmp_path


@pytest.fixture
def call(call_module):
    def run(**arguments):
        return call_module(diagnose, hccn_tool="hccn_tool", **arguments)

    return run


def test_what_is_wrong_is_said_with_where_it_stands(node, call):
    result = call(services=["chat"])
    assert not result["changed"] and not result["healthy"]
    found = [(finding["id"], finding["rank"], finding["name"]) for finding in result["findings"]]
    assert found == [
        ("libatb", "cause", "docker logs npuops-chat"),
        ("ray-raylet-exit", "consequence", "npuops-chat-ray:/tmp/ray/session_latest/logs/raylet.out"),
    ]
    assert result["findings"][0]["line"] == f"[redacted] {LIBATB}"
    assert result["summary"][0].startswith("1. NNAL (ATB) not installed")
    assert not any("npuops-other" in name for name in result["looked_at"])
    assert any("dmesg" in sentence for sentence in result["unread"])


def test_a_service_takes_no_other_with_a_longer_name():
    collector = collect.Collector(services=("chat",))
    wanted = [collector._wanted(name) for name in ("chat", "chat-ray", "chatter", "other")]
    assert wanted == [True, True, False, False]


def test_a_node_without_anything_is_no_failure(node, call, monkeypatch):
    monkeypatch.setenv("PATH", str(node / "nowhere"))
    result = call()
    assert not result.get("failed") and result["findings"] == []
    assert result["summary"] == ["No known failure was found."]
    assert any(sentence.startswith("docker ps") for sentence in result["unread"])


def test_the_message_of_a_failed_task_is_looked_at(node, call):
    result = call(services=["none"], messages=["fatal: NPU out of memory. Tried to allocate 2.00 GiB"])
    assert [(f["id"], f["kind"]) for f in result["findings"]] == [("npu-oom", "message")]


def test_further_files(node, call):
    (node / "serve.log").write_text(f"a\n{LIBATB}\n")
    result = call(services=["none"], paths=[str(node / "serve.log"), str(node / "missing")])
    assert [(f["name"], f["line_number"]) for f in result["findings"]] == [(str(node / "serve.log"), 2)]
    assert any("missing" in sentence for sentence in result["unread"])


def test_no_secret_is_in_the_archive_or_in_the_result(node, call):
    path = node / "out" / "support.tar.gz"
    (node / "root" / "root/ascend/log").mkdir(parents=True)
    (node / "root" / "root/ascend/log/plog-1.log").write_text(f"https://x:{SECRETS[3]}@r.example/{SECRETS[5]}\n")
    result = call(bundle=str(path), host="node1", secrets=[SECRETS[5]])
    assert result["changed"] and result["bundle"] == str(path) and result["bundle_bytes"] == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member).read().decode() for member in archive}
    assert {
        "node1/report.txt",
        "node1/report.json",
        "node1/docker/inspect.json",
        "node1/units/status",
        "node1/npu-smi/info",
        "node1/hccn_tool/3",
        "node1/logs/container/docker_logs_npuops-chat",
        "node1/system/uname",
    } <= set(files)
    assert LIBATB in files["node1/logs/container/docker_logs_npuops-chat"]
    everything = "".join([*files, *files.values(), json.dumps({k: v for k, v in result.items() if k != "invocation"})])
    for secret in SECRETS:
        assert secret not in everything
    assert "link status: UP" in files["node1/hccn_tool/0"]
    assert json.loads(files["node1/docker/inspect.json"])[0]["Name"] == "/npuops-chat-ray"
    assert json.loads(files["node1/report.json"])["findings"][0]["id"] == "libatb"
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_check_mode_writes_nothing(node, call):
    result = call(bundle=str(node / "out" / "x.tar.gz"), _ansible_check_mode=True)
    assert not result["changed"] and result["bundle"] is None and not (node / "out").exists()


def test_a_place_that_cannot_be_written_is_said(node, call):
    (node / "file").write_text("")
    result = call(bundle=str(node / "file" / "x.tar.gz"))
    assert result["failed"] and "cannot be written" in result["msg"]


def test_logs_that_find_no_room_are_named(node, call):
    (node / "npuops-chat.log").write_text("x" * (2 << 20))
    result = call(bundle=str(node / "x.tar.gz"), bundle_limit_mb=1)
    assert result["left_out"] == ["docker logs npuops-chat"]


@pytest.mark.parametrize("option", ["samples", "since", "limit_mb", "timeout", "interval"])
def test_numbers_that_make_no_sense(call, option):
    result = call(**{option: 0})
    assert result["failed"] and option in result["msg"]


def test_a_slow_server_without_an_error(node, call):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = (
                b'vllm:time_to_first_token_seconds_count{e="0"} 20\nvllm:time_to_first_token_seconds_sum{e="0"} 4\n'
                b'vllm:inter_token_latency_seconds_count{e="0"} 100\nvllm:inter_token_latency_seconds_sum{e="0"} 30\n'
                b'vllm:cache_config_info{block_size="16"} 1.0\n'
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        result = call(services=["none"], metrics=[url, "http://127.0.0.1:1"], samples=2, interval=0.01)
    finally:
        server.shutdown()
        server.server_close()
    assert [(f["id"], f["kind"], f["name"]) for f in result["findings"]] == [("block-size", "metrics", url)]
    assert result["metrics"][url]["first_token_s"] == 0.2
    assert any("http://127.0.0.1:1/metrics" in sentence for sentence in result["unread"])

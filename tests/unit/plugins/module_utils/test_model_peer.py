# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that live for one run: what they may do, how they come into authorized_keys, and how they go."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _model_peer as peer
from ansible_collections.npuops.ascend.plugins.module_utils._model_files import ModelError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6J"
OWNER = (os.getuid(), os.getgid())


def test_a_key_reads_the_directories_of_a_run_from_one_address_until_a_time():
    line = peer.authorized_line(KEY, ["/data/models/tiny", "/srv/a"], "10.0.0.2", "202611221500")
    assert line == (
        'restrict,from="10.0.0.2",expiry-time="202611221500",'
        'command="/bin/sh /run/npuops/model/send /data/models/tiny /srv/a" '
        f"{KEY} npuops-model-copy"
    )


@pytest.mark.parametrize("key", ["", "ssh-rsa AAAA", KEY + "\nssh-ed25519 AAAA", KEY + ' command="x"'])
def test_what_is_no_key(key):
    with pytest.raises(ModelError):
        peer.authorized_line(key, ["/data/models/tiny"], "10.0.0.2", "202611221500")


def test_lines_come_and_go_and_the_others_stay(tmp_path):
    path = tmp_path / ".ssh" / "authorized_keys"
    line = peer.authorized_line(KEY, ["/m/tiny"], "10.0.0.2", "202611221500")
    assert not peer.rewrite_keys(str(path), OWNER, []) and not path.parent.exists()
    assert peer.rewrite_keys(str(path), OWNER, [line])
    assert path.read_text() == line + "\n" and path.stat().st_mode & 0o777 == 0o600
    path.write_text("ssh-rsa AAAA admin\n# without an end")
    path.chmod(0o640)
    assert peer.rewrite_keys(str(path), OWNER, [line])
    assert path.read_text() == f"ssh-rsa AAAA admin\n# without an end\n{line}\n"
    assert peer.rewrite_keys(str(path), OWNER, [line.replace("10.0.0.2", "10.0.0.3")])
    assert path.read_text().count("npuops-model-copy") == 1
    assert peer.rewrite_keys(str(path), OWNER, [])
    assert path.read_text() == "ssh-rsa AAAA admin\n# without an end\n" and path.stat().st_mode & 0o777 == 0o640
    assert not peer.rewrite_keys(str(path), OWNER, [])
    assert os.listdir(path.parent) == ["authorized_keys"]


def sent(tmp_path, command, path="/m/tiny"):
    """What the forced command runs for a command that was asked for: its words, or what it says instead."""
    program = tmp_path / "send"
    program.write_text(peer.SENDER)
    rsync = tmp_path / "rsync"
    rsync.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    rsync.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SSH_ORIGINAL_COMMAND": command}
    done = subprocess.run(
        ["sh", str(program), "/m/first", path], env=env, capture_output=True, text=True, check=False, cwd="/"
    )
    assert (done.returncode == 0) == bool(done.stdout)
    return done.stdout or done.stderr


def test_rsync_as_it_asks(tmp_path):
    ask = "rsync --server --sender -LtrRe.iLsfxCIvu --timeout=120 --bwlimit=5120 --files-from=- --from0 . /m/tiny/"
    assert sent(tmp_path, ask).endswith("<--from0><.></m/tiny/>")
    assert sent(tmp_path, ask.replace("tiny", "t+i.n-y"), "/m/t+i.n-y").endswith("</m/t+i.n-y/>")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "sh",
        "rsync --server --sender -Ltr . /m/other/",
        "rsync --server --sender -Ltr . /m/tiny/../../etc/",
        "rsync --server --sender -Ltr --remove-source-files . /m/tiny/",
        "rsync --server -Ltr . /m/tiny/",
        "rsync --server --sender -Ltr . /etc/ . /m/tiny/",
        "rsync --server --sender -Ltr . /m/tiny/\nrsync --server --sender -Ltr . /etc/",
        "rsync --server --sender -Ltr\n--remove-source-files . /m/tiny/",
        "rsync --server --sender -Ltr $(id) . /m/tiny/",
        "rsync --server --sender -Ltr --log-file=/etc/passwd . /m/tiny/",
        ". /m/tiny/",
        " . /m/tiny/",
    ],
)
def test_all_else_is_refused(tmp_path, command):
    assert sent(tmp_path, command) == "npuops: this key only lets rsync read /m/first /m/tiny\n"


@pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync here")
def test_that_is_what_rsync_asks(tmp_path):
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\nshift 3\necho "$*" >"$0.said"\nexit 1\n')
    shell.chmod(0o755)
    ssh = {"address": "h", "port": 22, "user": "root", "key": "/k", "known_hosts": "/h"}
    argv = peer.rsync_argv("/m/tiny", str(tmp_path / "to"), ssh, limit_mb=5)
    argv[argv.index("-e") + 1] = str(shell)
    subprocess.run(argv, input=b"a", capture_output=True, check=False)
    assert sent(tmp_path, (tmp_path / "shell.said").read_text().strip()).startswith("<--server><--sender>")


def test_a_node_checks_the_others_host_key():
    ssh = {"address": "10.0.0.1", "port": 2222, "user": "root", "key": "/k", "known_hosts": "/run/h"}
    words = " ".join(peer.rsync_argv("/m/tiny", "/m/.tiny", ssh))
    for option in ("StrictHostKeyChecking=yes", "UserKnownHostsFile=/run/h", "IdentitiesOnly=yes", "-p 2222"):
        assert option in words
    assert peer.known_hosts_text("10.0.0.1", 2222, ["ssh-ed25519 AAAA"]) == "[10.0.0.1]:2222 ssh-ed25519 AAAA\n"
    assert peer.known_hosts_text("10.0.0.1", 22, ["ssh-ed25519 AAAA"]) == "10.0.0.1 ssh-ed25519 AAAA\n"


def test_the_address_towards_another():
    assert peer.own_address("127.0.0.1", 22) == "127.0.0.1"
    with pytest.raises(ModelError):
        peer.own_address("no-such-host.invalid", 22)


def test_what_was_made_is_forgotten(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "key").write_text("secret")
    assert peer.forget(str(run)) and not run.exists()
    assert not peer.forget(str(run))

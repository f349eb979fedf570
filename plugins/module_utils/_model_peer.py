# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of models between nodes by rsync over SSH: keys that live for one run, and the command that brings files.

A node that takes makes a key of its own in C(/run) (a file system in memory), so no private key is ever sent. The node
that gives lets that key do one thing, to send the directories of this run, to one address, until a time; then both
forget it.

rsync and not BitTorrent (aria2): it is in every distribution and on most nodes, goes on with a half file, asks for no
port but SSH's, and what it sends nobody else can read. tests/bench/model_fanout.py has the figures.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import socket
import time

from ._model_files import ModelError

RUN = "/run/npuops/model"
MARK = "npuops-model-copy"
HOST_KEYS = "/etc/ssh/ssh_host_*_key.pub"
_KEY = re.compile(r"^ssh-ed25519 [A-Za-z0-9+/=]+$")
# What rsync's other end starts here, and nothing else. Names of files come over the line, and rsync keeps them inside.
SENDER = r"""#!/bin/sh
# Sends one of the directories that are its arguments, by rsync.
asked=${SSH_ORIGINAL_COMMAND:-}
words='rsync --server --sender -[A-Za-z.]+( --(files-from=-|from0|inplace|(timeout|bwlimit)=[0-9]+))*'
case $asked in
  *[!A-Za-z0-9/._+@=,\ -]*) ;;
  *)
    for path in "$@"; do
      rest=${asked%" . $path/"}
      if [ "$rest" != "$asked" ] && printf '%s\n' "$rest" | grep -Eqx -- "$words"; then
        # Split at blanks, and nothing in it is expanded.
        set -f
        exec $asked
      fi
    done
    ;;
esac
echo "npuops: this key only lets rsync read $*" >&2
exit 1
"""


def authorized_line(public_key, paths, address, until, run=RUN):
    """A line of C(authorized_keys): one key, one address, some directories, until a time (C(YYYYmmddHHMM)).

    sshd takes the first line of a key, so all that it may read is in one.
    """
    if not _KEY.match(public_key):
        raise ModelError(f"{public_key[:40]!r} is no ed25519 key", "run the role again")
    # By its interpreter: Debian mounts /run so that nothing in it is executed.
    command = " ".join(["/bin/sh", f"{run}/send", *paths])
    options = f'restrict,from="{address}",expiry-time="{until}",command="{command}"'
    return f"{options} {public_key} {MARK}"


def until(seconds, now=None):
    """A time from now as sshd reads it, in the node's own zone."""
    return time.strftime("%Y%m%d%H%M", time.localtime((now or time.time()) + seconds + 60))


def own_address(peer, port):
    """The address by which this node speaks to another; nothing is sent for it."""
    try:
        family, kind, _proto, _name, target = socket.getaddrinfo(peer, port, type=socket.SOCK_DGRAM)[0]
        with contextlib.closing(socket.socket(family, kind)) as probe:
            probe.connect(target)
            return probe.getsockname()[0]
    except OSError as exc:
        raise ModelError(f"no way to {peer} ({exc})", "give its address in the fleet as model_address") from exc


def host_keys(pattern=HOST_KEYS):
    """This node's public host keys, as C(type key)."""
    found = []
    for name in sorted(glob.glob(pattern)):
        with open(name, encoding="ascii", errors="replace") as handle:
            found.append(" ".join(handle.read().split()[:2]))
    return found


def without_marked(text):
    """C(authorized_keys) without the lines that this collection put there."""
    return "".join(line for line in text.splitlines(True) if not line.rstrip().endswith(" " + MARK))


def rewrite_keys(path, owner, lines, write=True):
    """Put C(lines) into C(authorized_keys) in place of earlier ones of this collection; answers whether it changes.

    Without lines, and without the file, nothing is made.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            before = handle.read()
            mode = os.fstat(handle.fileno()).st_mode & 0o777
    except FileNotFoundError:
        before, mode = "", 0o600
    after = without_marked(before)
    if after and not after.endswith("\n") and lines:
        after += "\n"
    after += "".join(line + "\n" for line in lines)
    if after == before or not write:
        return after != before
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700)
        os.chown(folder, *owner)
    # Beside it and renamed: nobody must be locked out by half a file.
    partial = os.path.join(folder, ".authorized_keys.npuops")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(after)
    os.chmod(partial, mode)
    os.chown(partial, *owner)
    os.replace(partial, os.path.realpath(path))
    return True


def forget(run=RUN):
    """Remove keys and the sender's program; answers whether anything was there."""
    if not os.path.isdir(run):
        return False
    shutil.rmtree(run)
    return True


def rsync_argv(source, target, ssh=None, timeout=120, limit_mb=0):
    """rsync that brings the files which it reads from its standard input.

    :arg ssh: None for a directory of this node, else C({"address", "port", "user", "key", "known_hosts"}).
    :arg limit_mb: MB/s at most, 0 for no limit.
    """
    # In place, so that a half file is gone on with even after a power cut; nothing there is read by anybody yet.
    argv = ["rsync", "-rtL", "--files-from=-", "--from0", "--inplace", f"--timeout={timeout}"]
    if limit_mb:
        argv.append(f"--bwlimit={limit_mb}m")
    if not ssh:
        return [*argv, source + "/", target + "/"]
    shell = [
        "ssh", "-F", "/dev/null", "-i", ssh["key"], "-p", str(ssh["port"]),
        "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
        "-o", f"UserKnownHostsFile={ssh['known_hosts']}", "-o", "GlobalKnownHostsFile=/dev/null",
        "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15", "-o", "Compression=no",
        # Several times as fast as what OpenSSH takes by itself, on processors that have AES.
        "-o", "Ciphers=^aes128-gcm@openssh.com",
    ]  # fmt: skip
    address = f"[{ssh['address']}]" if ":" in ssh["address"] else ssh["address"]
    return [*argv, "-e", " ".join(shell), f"{ssh['user']}@{address}:{source}/", target + "/"]


def known_hosts_text(address, port, keys):
    """Lines of C(known_hosts) for one node."""
    name = address if int(port) == 22 else f"[{address}]:{port}"
    return "".join(f"{name} {key}\n" for key in keys)


__all__ = [
    "MARK",
    "RUN",
    "SENDER",
    "authorized_line",
    "forget",
    "host_keys",
    "known_hosts_text",
    "own_address",
    "rewrite_keys",
    "rsync_argv",
    "until",
    "without_marked",
]

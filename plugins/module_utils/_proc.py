# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(/proc) says about processes and listening ports.

Every container of the collection carries C(NPUOPS_SERVICE=<name>), which all its processes inherit: that mark says
whose a process is, whatever engine runs in it. vLLM's processes overwrite their environment with their title (package
setproctitle; SPT_NOENV=1 keeps it), so a process without the mark is asked for its parents.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os

OWNER_VARIABLE = "NPUOPS_SERVICE"
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp (Linux include/net/tcp_states.h)


def _read(path):
    """The bytes of a file of /proc, or None when the process has ended or is not ours to look at."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError:
        return None


def owner_of(pid, proc="/proc"):
    """Name of the service that a process belongs to, or None when it is not the collection's (or is gone).

    The process itself is asked first, then its parents: in a container the first one is the engine's init, which keeps
    the environment it was given.
    """
    seen = set()
    while pid and pid not in seen:
        seen.add(pid)
        owner = _mark_of(pid, proc)
        if owner is not None:
            return owner
        fields = _stat_fields(pid, proc)
        pid = int(fields[1]) if fields else 0
    return None


def _mark_of(pid, proc):
    environ = _read(os.path.join(proc, str(pid), "environ"))
    prefix = (OWNER_VARIABLE + "=").encode()
    for entry in (environ or b"").split(b"\0"):
        if entry.startswith(prefix):
            return entry[len(prefix) :].decode("utf-8", "replace")
    return None


def _stat_fields(pid, proc):
    """Fields of C(/proc/PID/stat) from the state (field 3 of proc(5)) on; the name before may hold blanks and ")"."""
    stat = _read(os.path.join(proc, str(pid), "stat"))
    return stat.rsplit(b")", 1)[1].split() if stat else None


def name_of(pid, proc="/proc"):
    """The kernel's name of a process (15 characters at most), or None when it is gone."""
    comm = _read(os.path.join(proc, str(pid), "comm"))
    return comm.decode("utf-8", "replace").strip() if comm is not None else None


def start_time(pid, proc="/proc"):
    """Clock ticks since boot at which a process started (with the pid, its identity), or None when it is gone."""
    fields = _stat_fields(pid, proc)
    return int(fields[19]) if fields else None  # field 22 of proc(5)


def listening_inodes(text):
    """{port: {socket inode, ...}} of the listening sockets in the text of C(/proc/net/tcp) or C(tcp6)."""
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            found.setdefault(int(fields[1].rsplit(":", 1)[1], 16), set()).add(fields[9])
    return found


def listeners(ports, proc="/proc"):
    """Who listens on these TCP ports, in this network namespace.

    :returns: {port: [{"pid", "name", "owner"}, ...]} with the ports that are taken only; a listener whose process
        cannot be found (another PID namespace) has pid None.
    """
    wanted = {}
    for table in ("net/tcp", "net/tcp6"):
        text = _read(os.path.join(proc, table))
        for port, inodes in listening_inodes((text or b"").decode("ascii", "replace")).items():
            if port in ports:
                for inode in inodes:
                    wanted[f"socket:[{inode}]"] = port
    if not wanted:
        return {}
    holders = {}
    for pid in filter(str.isdigit, os.listdir(proc)):
        folder = os.path.join(proc, pid, "fd")
        try:
            descriptors = os.listdir(folder)
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                target = os.readlink(os.path.join(folder, descriptor))
            except OSError:
                continue
            if target in wanted:
                holders.setdefault(wanted[target], set()).add(int(pid))
    result = {}
    for port in sorted(set(wanted.values())):
        pids = sorted(holders.get(port, [])) or [None]
        result[port] = [
            {"pid": pid, "name": name_of(pid, proc) if pid else None, "owner": owner_of(pid, proc) if pid else None}
            for pid in pids
        ]
    return result

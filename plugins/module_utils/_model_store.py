# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One model directory on a node: who may write it, where it grows, how it gets its name, and the record of it.

Beside C(/data/models/NAME) there may be C(.NAME.npuops-partial) (what has arrived so far), C(.NAME.npuops-old) (while
the names are exchanged) and C(.NAME.npuops-lock). Nothing is written under the name itself, so what stands there is
whole. All of them are on one file system, as renaming and hard links need it. Where that is shared by several nodes
(NFS), the lock holds between these, too.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import hashlib
import json
import os
import pwd
import shutil
import socket
import stat
import time

from ._model_files import ModelError
from ._model_manifest import digests, listing, wrong_blobs, wrong_digests, wrong_sizes

RECORDS = "/var/lib/npuops/models"
FORMAT = 1
# Left free beside the model: logs and the like must go on.
RESERVE = 1 << 30


class Store:
    """A model directory. C(path) is absolute and ends in the model's name."""

    def __init__(self, path, records=RECORDS):
        path = os.path.normpath(path)
        if not os.path.isabs(path) or os.path.dirname(path) == "/":
            raise ModelError(f"{path} is not a directory for models", "give an absolute path such as /data/models/NAME")
        self.path = path
        self.parent, self.name = os.path.split(path)
        self.partial = os.path.join(self.parent, f".{self.name}.npuops-partial")
        self.old = os.path.join(self.parent, f".{self.name}.npuops-old")
        self.lock_file = os.path.join(self.parent, f".{self.name}.npuops-lock")
        short = hashlib.sha256(path.encode()).hexdigest()[:8]
        self.record_file = os.path.join(records, f"{self.name}-{short}.json")

    # ---- who writes

    @contextlib.contextmanager
    def lock(self):
        """Be the only writer, on this node and on those that share the file system."""
        os.makedirs(self.parent, exist_ok=True)
        handle = self._locked()
        try:
            handle.seek(0)
            handle.truncate()
            handle.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
            handle.flush()
            yield
        finally:
            # While it is held: whoever waits for this file sees that it has no name any more.
            with contextlib.suppress(OSError):
                os.unlink(self.lock_file)
            handle.close()

    def _locked(self):
        while True:
            handle = open(self.lock_file, "a+", encoding="utf-8")  # noqa: SIM115 (closed by lock)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                handle.seek(0)
                holder = handle.read(200) or "another process"
                handle.close()
                if exc.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                raise ModelError(
                    f"{self.path} is being written by {holder}", "wait for it to end; then run this again"
                ) from exc
            try:
                same = os.fstat(handle.fileno()).st_ino == os.stat(self.lock_file).st_ino
            except FileNotFoundError:
                same = False
            if same:
                return handle
            handle.close()

    # ---- where it grows

    def recover(self):
        """After an end between two renames: give the old directory its name back, or forget it."""
        if os.path.isdir(self.old):
            if os.path.isdir(self.path):
                shutil.rmtree(self.old)
            else:
                os.rename(self.old, self.path)

    def begin(self, manifest):
        """Make the partial directory, with hard links to what is already right under the name.

        What an earlier run left in it stays, but for files that no longer belong there.

        :returns: names that are still to be brought, sorted.
        """
        os.makedirs(self.partial, mode=0o700, exist_ok=True)
        for name in set(listing(self.partial)) - set(manifest):
            # So modelscope calls what it goes on with.
            if not (name.endswith(".incomplete") and name[: -len(".incomplete")] in manifest):
                os.unlink(os.path.join(self.partial, name))
        missing = wrong_sizes(self.partial, manifest)
        reusable = set(missing) - set(wrong_sizes(self.path, manifest))
        known = (self.read_record() or {}).get("files", {})
        judged = {name for name in reusable if self._as_recorded(name, known.get(name))}
        found = {name: known[name]["sha256"] for name in judged}
        # Without anything to compare with, a file of the right length may be of another revision.
        comparable = {name for name in reusable if manifest[name]["sha256"] or manifest[name].get("blob")}
        found.update(digests(self.path, {name for name in comparable - judged if manifest[name]["sha256"]}))
        wrong = {**wrong_digests(manifest, found), **wrong_blobs(self.path, manifest, comparable)}
        for name in comparable - set(wrong):
            target = os.path.join(self.partial, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)
            os.link(os.path.realpath(os.path.join(self.path, name)), target)
            del missing[name]
        return sorted(missing)

    def drop(self, names):
        """Take files out of the partial directory that turned out wrong, so that they are brought again."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.partial, name))

    def arrived(self):
        """Bytes in the partial directory, those of half files included."""
        found = 0
        for folder, _folders, names in os.walk(self.partial):
            for name in names:
                with contextlib.suppress(OSError):
                    found += os.lstat(os.path.join(folder, name)).st_size
        return found

    def check_space(self, needed):
        """Refuse what does not fit beside what is there; C(needed) in bytes."""
        place = self.parent
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        room = os.statvfs(place)
        free = room.f_bavail * room.f_frsize
        if needed + RESERVE > free:
            raise ModelError(
                f"{self.parent} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB of {self.name} are "
                "still to come (1 GB stays free besides)",
                "make room, or give the model another path",
            )

    # ---- how it gets its name

    def publish(self, manifest):
        """Give the partial directory the model's name; what else was in it (notes of clients) goes before."""
        for name in os.listdir(self.partial):
            if name.startswith("."):
                inside = os.path.join(self.partial, name)
                shutil.rmtree(inside) if os.path.isdir(inside) and not os.path.islink(inside) else os.unlink(inside)
        for name in set(listing(self.partial)) - set(manifest):
            os.unlink(os.path.join(self.partial, name))
        for folder, _folders, names in os.walk(self.partial):
            for name in [*names, "."]:
                handle = os.open(os.path.join(folder, name), os.O_RDONLY)
                os.fsync(handle)
                os.close(handle)
        if os.path.lexists(self.path):
            os.rename(self.path, self.old)
        os.rename(self.partial, self.path)
        handle = os.open(self.parent, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        if os.path.islink(self.old):
            os.unlink(self.old)
        elif os.path.isdir(self.old):
            shutil.rmtree(self.old)

    # ---- the record

    def read_record(self):
        """What was verified here the last time, or None. A record that cannot be read counts as none."""
        try:
            with open(self.record_file, encoding="utf-8") as handle:
                found = json.load(handle)
        except (OSError, ValueError):
            return None
        good = isinstance(found, dict) and found.get("format") == FORMAT and found.get("path") == self.path
        return found if good and isinstance(found.get("files"), dict) else None

    def write_record(self, manifest, source, commit, created):
        """Note what was verified. C(created) says that the collection put it there, and may take it away."""
        files = {
            name: {**manifest[name], "mtime_ns": os.stat(os.path.join(self.path, name)).st_mtime_ns}
            for name in sorted(manifest)
        }
        record = {
            "format": FORMAT,
            "path": self.path,
            "source": source,
            "commit": commit,
            "created": created,
            "verified": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "files": files,
        }
        os.makedirs(os.path.dirname(self.record_file), mode=0o755, exist_ok=True)
        with open(self.record_file + ".new", "w", encoding="utf-8") as handle:
            json.dump(record, handle, indent=1, sort_keys=True)
        os.replace(self.record_file + ".new", self.record_file)
        return record

    def _as_recorded(self, name, entry):
        """Whether a file has the size and time that it had when its checksum was taken."""
        try:
            found = os.stat(os.path.join(self.path, name))
        except OSError:
            return False
        return bool(entry) and (found.st_size, found.st_mtime_ns) == (entry["size"], entry["mtime_ns"])

    def touched(self, record):
        """Names of the record whose size or time is another now; what is missing is among them."""
        return sorted(name for name, entry in record["files"].items() if not self._as_recorded(name, entry))

    def remove(self):
        """Take the model away, and everything beside it. The record goes last."""
        for path in (self.path, self.partial, self.old):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.record_file)


def set_permissions(path, owner=None, group=None, directory_mode=None, file_mode=None, write=True):
    """Give a tree its owner and modes, the directory itself included; returns the names that were (or are) other."""
    uid = _id(owner, lambda: pwd.getpwnam(owner).pw_uid)
    gid = _id(group, lambda: grp.getgrnam(group).gr_gid)
    other = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name, mode in [(".", directory_mode), *((name, file_mode) for name in names)]:
            inside = os.path.normpath(os.path.join(folder, name))
            found = os.lstat(inside)
            if stat.S_ISLNK(found.st_mode):
                continue
            owned = uid in (-1, found.st_uid) and gid in (-1, found.st_gid)
            moded = mode is None or stat.S_IMODE(found.st_mode) == mode
            if owned and moded:
                continue
            other.append(os.path.relpath(inside, path))
            if write and not owned:
                os.chown(inside, uid, gid)
            if write and not moded:
                os.chmod(inside, mode)
    return sorted(other)


def _id(name, look_up):
    if not name:
        return -1
    try:
        return int(name) if name.isdigit() else look_up()
    except KeyError:
        raise ModelError(f"{name} is no user or group of this node", "create it, or give its number") from None


def storage(path):
    """Which file system a path is on, as C(nfs:server:/export/models) where nodes share it, else an empty text."""
    place = os.path.realpath(path)
    best, found = "", ""
    with open("/proc/self/mounts", encoding="utf-8") as handle:
        for line in handle:
            device, point, kind = line.split(" ")[:3]
            point = point.replace("\\040", " ")
            if (place + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
                shared = kind.startswith("nfs") or kind in ("ceph", "lustre", "beegfs", "glusterfs", "fuse.glusterfs")
                best, found = point, f"{kind[:3]}:{device}{place[len(point.rstrip('/')) :]}" if shared else ""
    return found


__all__ = ["RECORDS", "Store", "set_permissions", "storage"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands under a model's name: read cheaply by its record, or through and through; and who uses it.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import shutil

from ._model_files import ModelError
from ._model_manifest import (
    AGAIN,
    check_structure,
    complete,
    digests,
    listing,
    sizes,
    total,
    wrong_digests,
    wrong_sizes,
)
from ._model_store import set_permissions, storage

# Containers that do not run now, and scripts and units of services, name the directory that they would mount.
SERVICE_FILES = (
    "/etc/systemd/system/npuops-*.service",
    "/etc/npuops/*/*",
    "/var/lib/docker/containers/*/config.v2.json",
)


def examine(store, tokenizer=True, full=False, adopt=False, permissions=None, write=True, told=None):
    """Look at a model directory, and bring its record up to date where that takes nothing from anybody.

    With a record, files are compared by size and time, and only those that differ are read; C(full) reads all. Without
    one, C(adopt) reads all and makes one; otherwise only the structure is looked at. C(told) is the record of a node
    that has written the model to the same file system (files, source, commit): it has read it, so this one need not.

    :returns: C({"complete", "recorded", "created", "source", "commit", "files", "bytes", "problem", "remedy", "wrong",
        "read_bytes", "fingerprint", "changed", "storage", "free_bytes", "partial_bytes"}), see
        M(npuops.ascend.model_files).
    """
    record = store.read_record()
    if told and os.path.isdir(store.path) and not wrong_sizes(store.path, told["files"]) and write:
        record = store.write_record(told["files"], told["source"], told["commit"], False)
    found = {
        "complete": False,
        "recorded": bool(record),
        "created": bool(record and record["created"]),
        "source": record["source"] if record else None,
        "commit": record["commit"] if record else None,
        "files": {},
        "bytes": 0,
        "problem": None,
        "remedy": None,
        "wrong": [],
        "read_bytes": 0,
        "fingerprint": "",
        "changed": False,
        "storage": storage(store.path),
        "free_bytes": _free(store.parent),
        "partial_bytes": store.arrived(),
    }
    try:
        if not os.path.isdir(store.path):
            raise ModelError(f"{store.path} is not there", "give it a source in ascend_models, or copy the model there")
        manifest = _manifest(record) if record else sizes(store.path)
        found["fingerprint"] = fingerprint(store.path)
        read = set(manifest) if full or (adopt and not record) else set(store.touched(record)) if record else set()
        wrong = wrong_sizes(store.path, manifest)
        read -= set(wrong)
        found["read_bytes"] = total({name: manifest[name] for name in read})
        seen = digests(store.path, read)
        wrong.update(wrong_digests(manifest, seen))
        if wrong:
            found["wrong"] = sorted(wrong)
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise ModelError(f"{store.path}: {wrong[sorted(wrong)[0]]}{more}", AGAIN)
        check_structure(store.path, tokenizer)
        manifest = {name: {**entry, "sha256": entry["sha256"] or seen.get(name)} for name, entry in manifest.items()}
        if permissions:
            found["changed"] = bool(set_permissions(store.path, write=write, **permissions))
        if read and write:
            # Neither a model that was taken as it is nor one whose times were touched is another one now.
            store.write_record(manifest, found["source"], found["commit"], found["created"])
        found.update(complete=bool(record) or adopt, recorded=bool(record) or adopt, files=manifest)
        found["bytes"] = total(manifest)
    except ModelError as exc:
        found.update(problem=exc.problem, remedy=exc.remedy)
    return found


def fingerprint(path):
    """A short text that is another when a file of the directory has come, gone, or has another size or time."""
    digest = hashlib.sha256()
    for name in listing(path):
        found = os.stat(os.path.join(path, name))
        digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _manifest(record):
    return {name: {"size": entry["size"], "sha256": entry["sha256"]} for name, entry in record["files"].items()}


def _free(place):
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    return shutil.disk_usage(place).free


def bring(store, manifest, fetch, source, commit, tokenizer=True, permissions=None):
    """Make a model stand under its name: take what is there, fetch the rest, verify all of it, rename.

    :arg fetch: function of the names that are missing, which brings them into C(store.partial).
    :returns: C({"changed", "files", "fetched", "fetched_bytes", "reused"}).
    :raises ModelError: what has arrived so far then stays for the next run.
    """
    with store.lock():
        store.recover()
        missing = store.begin(manifest)
        before, stood = store.read_record(), os.path.isdir(store.path)
        fetched, reused = missing, sorted(set(manifest) - set(missing))
        if not missing and stood and sorted(sizes(store.path)) == sorted(manifest):
            whole, wrong = complete(store.path, manifest, tokenizer)
            if not wrong:
                shutil.rmtree(store.partial)
                changed = bool(set_permissions(store.path, **(permissions or {})))
                store.write_record(whole, source, commit, bool(before and before["created"]))
                return {"changed": changed, "files": whole, "fetched": [], "fetched_bytes": 0, "reused": reused}
        rest = total({name: manifest[name] for name in missing})
        store.check_space(max(0, rest - _halves(store, missing)))
        # Twice: what an earlier run or a broken line has left may be wrong in its middle.
        for last in (False, True):
            if missing:
                fetch(missing)
            whole, wrong = complete(store.partial, manifest, tokenizer)
            if not wrong:
                break
            store.drop(wrong)
            missing = sorted(wrong)
            if last:
                raise ModelError(
                    f"{store.path}: after fetching it twice, {wrong[missing[0]]}",
                    "the source itself is damaged, or a proxy on the way: compare with the hub's page",
                )
        set_permissions(store.partial, **(permissions or {}))
        store.publish(whole)
        store.write_record(whole, source, commit, before["created"] if before else not stood)
        amount = total({name: whole[name] for name in fetched})
        return {"changed": True, "files": whole, "fetched": fetched, "fetched_bytes": amount, "reused": reused}


def _halves(store, missing):
    """Bytes in the partial directory that belong to files which are still to come."""
    done = 0
    for name in missing:
        for half in (name, name + ".incomplete"):
            path = os.path.join(store.partial, half)
            done += os.path.getsize(path) if os.path.isfile(path) else 0
    return done


def users(path, proc="/proc", service_files=SERVICE_FILES):
    """Who uses a directory: processes with it among their mounts or open files, and services of the collection.

    A container's mount of C(/data/models/NAME) shows in its C(mountinfo) as the root of that mount.
    """
    found = []
    real = os.path.realpath(path)
    inside = re.compile(re.escape(real) + r"(/|$)")
    place, point = _place(real, proc)
    for entry in glob.glob(os.path.join(proc, "[0-9]*")):
        pid = os.path.basename(entry)
        try:
            with open(os.path.join(entry, "mountinfo"), encoding="utf-8", errors="replace") as handle:
                mounted = any(_mounts(line, place, point) for line in handle)
            if mounted or any(inside.match(link) for link in _links(os.path.join(entry, "fd"))):
                with open(os.path.join(entry, "comm"), encoding="utf-8", errors="replace") as handle:
                    found.append(f"process {pid} ({handle.read().strip()})")
        except OSError:
            continue
    word = re.compile(re.escape(path) + r"(?![\w./-]*\w)")
    for pattern in service_files:
        for name in sorted(glob.glob(pattern)):
            try:
                with open(name, encoding="utf-8", errors="replace") as handle:
                    if os.path.isfile(name) and word.search(handle.read(1 << 20)):
                        found.append(name)
            except OSError:
                continue
    return found


def _links(folder):
    for name in os.listdir(folder):
        # A file may be closed in between, and the listing's own is.
        with contextlib.suppress(OSError):
            yield os.readlink(os.path.join(folder, name))


def _place(real, proc):
    """(device of the file system, path in it) of a directory."""
    best, place, inside = "", "", real
    with open(os.path.join(proc, "self", "mountinfo"), encoding="utf-8", errors="replace") as handle:
        for line in handle:
            _id, _parent, device, root, point = line.split(" ")[:5]
            if (real + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
                best, place = point, device
                inside = os.path.normpath(root + "/" + real[len(point.rstrip("/")) :])
    return place, inside


def _mounts(line, place, inside):
    words = line.split(" ")
    return len(words) > 4 and words[2] == place and (words[3] + "/").startswith(inside + "/")


__all__ = ["bring", "examine", "users"]

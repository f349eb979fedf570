# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in an archive that C(docker save) wrote. This module util is PRIVATE to the collection.

Formats: C(manifest.json) at the top (Docker image specification 1.2), and OCI image layouts with C(index.json) whose
images carry their names as annotations. C(docker save) of 25.0 and later writes both into one archive.
"""

from __future__ import annotations

import json
import tarfile

_TOP = ("manifest.json", "index.json")
# Descriptions are small; an archive in which they are not was not written by Docker.
_LARGEST = 4 * 1024 * 1024
_NAMED = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class ArchiveError(Exception):
    """``problem`` is what is wrong with the archive, ``remedy`` what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}.")


def read_archive(path: str) -> list:
    """The images of an archive: C([{id, ids, names}]).

    ``id`` is what C(docker image ls) shows in engines that keep images themselves. An engine that leaves them to
    containerd shows the digest of the manifest, so ``ids`` has that too, where the archive tells it.
    """
    try:
        with tarfile.open(path) as archive:
            found = _top_files(archive)
            digests = _manifests(archive, found.get("index.json"))
        if "manifest.json" in found:
            images = [_from_manifest(entry, digests) for entry in found["manifest.json"]]
        else:
            images = [{"id": of, "ids": [of, digest], "names": names} for digest, (of, names) in digests.items()]
    except FileNotFoundError as error:
        raise ArchiveError(f"there is no file {path}", "correct docker_archives") from error
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArchiveError(
            f"{path} cannot be read as an archive of images ({error})",
            "write it anew with docker save; of one that is compressed with zstd, give names in docker_archives",
        ) from error
    if not images:
        raise ArchiveError(f"{path} has no images in it", "write it with docker save, not with docker export")
    return images


def absent(archived: list, asked: list, there: list) -> list:
    """Which of the names and ids ``asked`` for are not ``there`` (as C(docker image inspect) tells), in order.

    A name that another image has is absent: the archive is of another build. What is not in ``archived`` is compared by
    its name alone.
    """
    meant = {full_name(name): image["ids"] for image in archived for name in image["names"]}
    has: dict = {}
    for image in there:
        for name in image.get("RepoTags") or []:
            has[full_name(name)] = image["Id"]
    known = {image["Id"] for image in there}
    missing = []
    for wish in asked:
        if wish.startswith("sha256:"):
            present = wish in known
        else:
            name = full_name(wish)
            present = name in has and has[name] in meant.get(name, [has[name]])
        if not present:
            missing.append(wish)
    return missing


def full_name(name: str) -> str:
    """A name with its registry and tag, as C(docker.io/library/busybox:latest) for C(busybox)."""
    last = name.rpartition("/")[2]
    if ":" not in last and "@" not in last:
        name += ":latest"
    first, slash, rest = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    if "." not in first and ":" not in first and first != "localhost":
        return f"docker.io/{name}"
    if first == "docker.io" and "/" not in rest:
        return f"docker.io/library/{rest}"
    return name


def _top_files(archive: tarfile.TarFile) -> dict:
    found = {}
    for member in archive:
        name = member.name[2:] if member.name.startswith("./") else member.name
        if name in _TOP and member.isfile():
            found[name] = _json(archive, member)
        if len(found) == len(_TOP):
            break
    return found


def _json(archive: tarfile.TarFile, member) -> dict:
    if member.size > _LARGEST:
        raise ValueError(f"{member.name} has {member.size} bytes")
    with archive.extractfile(member) as file:
        return json.loads(file.read().decode("utf-8"))


def _blob(archive: tarfile.TarFile, digest: str) -> dict:
    path = "blobs/" + digest.replace(":", "/", 1)
    try:
        return _json(archive, archive.getmember(path))
    except KeyError:
        return _json(archive, archive.getmember("./" + path))


def _manifests(archive: tarfile.TarFile, index) -> dict:
    """Digest of each manifest in an OCI layout -> (digest of its configuration, names)."""
    found: dict = {}
    for entry in (index or {}).get("manifests", []):
        notes = entry.get("annotations") or {}
        names = [notes[key] for key in _NAMED if "/" in notes.get(key, "") or ":" in notes.get(key, "")][:1]
        config = _blob(archive, entry["digest"]).get("config")
        if config is None:
            continue  # an index of several platforms: manifest.json tells which image was saved
        _config, before = found.get(entry["digest"], (None, []))
        found[entry["digest"]] = (config["digest"], before + names)
    return found


def _from_manifest(entry: dict, digests: dict) -> dict:
    config = entry["Config"].rpartition("/")[2]
    identity = "sha256:" + (config[: -len(".json")] if config.endswith(".json") else config)
    also = [digest for digest, (of, _names) in digests.items() if of == identity]
    return {"id": identity, "ids": [identity, *also], "names": entry.get("RepoTags") or []}


__all__ = ["ArchiveError", "absent", "full_name", "read_archive"]

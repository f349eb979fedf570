# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a model has, and whether they are what they should be.

A manifest is C({path inside the directory: {"size": bytes, "sha256": hex or None}}). Hidden files and folders are no
part of a model: the hubs' clients keep their own notes there. An entry may also have C("blob"), the id that Git gives a
file, where a hub tells only that.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os

from ._model_files import ModelError, read_model

# One of these makes a tokenizer; tokenizer_config.json alone only says which class reads them.
VOCABULARIES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece*.model", "vocab.*", "*.tiktoken")
VOCABULARIES += ("tokenizer.model.v*", "tekken.json", "tokenization_*.py")
_CHUNK = 4 * 1024 * 1024
AGAIN = "bring it again: playbooks/model.yml does, where ascend_models gives it a source"


def listing(path):
    """The files of a directory, sorted, without hidden ones; links count as what they point to."""
    found = []
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(folder, path)
        found += [os.path.normpath(os.path.join(inside, name)) for name in names if not name.startswith(".")]
    return sorted(found)


def sizes(path):
    """A manifest of what lies in a directory, without checksums."""
    try:
        return {name: {"size": os.path.getsize(os.path.join(path, name)), "sha256": None} for name in listing(path)}
    except OSError as exc:
        raise ModelError(f"{exc.filename} cannot be read ({exc.strerror})", "correct its mode and owner") from exc


def total(manifest):
    """Bytes of all files of a manifest."""
    return sum(entry["size"] for entry in manifest.values())


def chosen(manifest, include, exclude):
    """The part of a manifest that the patterns ask for; no C(include) means all. Hidden files never count."""

    def fits(name, patterns):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    return {
        name: entry
        for name, entry in manifest.items()
        if not any(part.startswith(".") for part in name.split("/"))
        and (not include or fits(name, include))
        and not fits(name, exclude)
    }


def sha256(path):
    """Hex digest of a file, read once from its beginning to its end."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as handle:
        while True:
            block = handle.read(_CHUNK)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def git_blob(path):
    """The id that Git gives the content of a file; hubs tell it of small files."""
    digest = hashlib.sha1(b"blob %d\0" % os.path.getsize(path))
    with open(path, "rb") as handle:
        digest.update(handle.read())
    return digest.hexdigest()


def wrong_blobs(path, manifest, names):
    """C({name: sentence}) of C(names) with another Git id than the manifest tells, where it tells no checksum."""
    told = {name: manifest[name].get("blob") for name in names if not manifest[name]["sha256"]}
    return {
        name: f"{name} is not the file of this revision"
        for name, blob in sorted(told.items())
        if blob and git_blob(os.path.join(path, name)) != blob
    }


def digests(path, names, workers=4):
    """C({name: hex digest}), several files side by side: hashing leaves the interpreter's lock."""
    from concurrent.futures import ThreadPoolExecutor  # only where something must be read through

    names = sorted(names)
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(names)))) as pool:
        return dict(zip(names, pool.map(lambda name: sha256(os.path.join(path, name)), names)))


def wrong_sizes(path, manifest):
    """C({name: sentence}) of files that are not there or have another length than the manifest tells."""
    found = {}
    for name, entry in manifest.items():
        try:
            size = os.path.getsize(os.path.join(path, name))
        except OSError:
            found[name] = f"{name} is missing"
            continue
        if size != entry["size"]:
            found[name] = f"{name} has {size} bytes where {entry['size']} are expected"
    return found


def wrong_digests(manifest, found):
    """C({name: sentence}) of files with another checksum than the manifest tells. C(found) is of L(digests)."""
    return {
        name: f"{name} has sha256 {digest[:16]}… where {manifest[name]['sha256'][:16]}… is expected"
        for name, digest in sorted(found.items())
        if manifest[name]["sha256"] and manifest[name]["sha256"] != digest
    }


def check_structure(path, tokenizer=True):
    """Is it a model that an engine can load? Reads config.json, indexes and the headers of the weights only.

    :returns: bytes of the weights.
    :raises ModelError: with the file that is missing or broken.
    """
    weights = read_model(path)["weights_bytes"]
    if tokenizer:
        names = os.listdir(path)
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in VOCABULARIES):
            raise ModelError(
                f"{path} has no tokenizer (tokenizer.json, tokenizer.model, vocab.json …)",
                "copy the whole model directory, or set tokenizer to false for a model that needs none",
            )
    return weights


def complete(path, manifest, tokenizer=True, workers=4):
    """Read a directory through and compare it with its manifest.

    :returns: (manifest with the checksum of every file, {name: sentence} of what is wrong). When files are wrong, those
        that are right have their checksums too.
    :raises ModelError: when all files are as told, but make no model.
    """
    wrong = wrong_sizes(path, manifest)
    found = digests(path, set(manifest) - set(wrong), workers)
    wrong.update(wrong_digests(manifest, found))
    wrong.update(wrong_blobs(path, manifest, found))
    whole = {name: {"size": entry["size"], "sha256": found.get(name)} for name, entry in manifest.items()}
    if not wrong:
        check_structure(path, tokenizer)
    return whole, wrong


__all__ = [
    "AGAIN",
    "check_structure",
    "chosen",
    "complete",
    "digests",
    "git_blob",
    "listing",
    "sha256",
    "sizes",
    "total",
    "wrong_blobs",
    "wrong_digests",
    "wrong_sizes",
]

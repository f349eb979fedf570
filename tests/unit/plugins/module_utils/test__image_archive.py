# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import tarfile

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._image_archive import (
    ArchiveError,
    absent,
    full_name,
    read_archive,
)

ONE, TWO, MANIFEST = "a" * 64, "b" * 64, "c" * 64


def write(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return str(path)


def saved(names, config=f"{ONE}.json"):
    return {"layer/layer.tar": b"x" * 4096, "manifest.json": [{"Config": config, "RepoTags": names, "Layers": []}]}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_an_archive_of_docker_before_25(tmp_path, mode):
    path = write(tmp_path / "a.tar", saved(["a:1", "b/c:2"]), mode)
    assert read_archive(path) == [{"id": f"sha256:{ONE}", "ids": [f"sha256:{ONE}"], "names": ["a:1", "b/c:2"]}]


def test_an_archive_of_docker_25_has_both_descriptions(tmp_path):
    files = {
        f"blobs/sha256/{MANIFEST}": {"config": {"digest": f"sha256:{ONE}"}},
        "index.json": {
            "manifests": [
                {"digest": f"sha256:{MANIFEST}", "annotations": {"io.containerd.image.name": "docker.io/library/a:1"}}
            ]
        },
        **saved(["a:1"], f"blobs/sha256/{ONE}"),
    }
    (image,) = read_archive(write(tmp_path / "a.tar", files))
    assert image == {"id": f"sha256:{ONE}", "ids": [f"sha256:{ONE}", f"sha256:{MANIFEST}"], "names": ["a:1"]}


def test_a_plain_oci_layout(tmp_path):
    files = {
        f"./blobs/sha256/{MANIFEST}": {"config": {"digest": f"sha256:{ONE}"}},
        "./index.json": {
            "manifests": [
                {"digest": f"sha256:{MANIFEST}", "annotations": {"org.opencontainers.image.ref.name": "quay.io/a:1"}},
                {"digest": f"sha256:{MANIFEST}", "annotations": {"org.opencontainers.image.ref.name": "quay.io/a:2"}},
            ]
        },
    }
    (image,) = read_archive(write(tmp_path / "a.tar", files))
    assert image["names"] == ["quay.io/a:1", "quay.io/a:2"]
    assert image["id"] == f"sha256:{ONE}"


def test_an_image_without_a_name(tmp_path):
    (image,) = read_archive(write(tmp_path / "a.tar", saved(None)))
    assert image["names"] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no file"),
        (b"not a tar", "cannot be read as an archive"),
        ({"etc/passwd": b"x"}, "no images in it; write it with docker save"),
        ({"manifest.json": b"{"}, "cannot be read as an archive"),
        ({"manifest.json": [{"RepoTags": []}]}, "Config"),
    ],
)
def test_what_is_no_archive_of_images(tmp_path, content, words):
    path = tmp_path / "a.tar"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        write(path, content)
    with pytest.raises(ArchiveError, match=words):
        read_archive(str(path))


def test_half_an_archive(tmp_path):
    whole = write(tmp_path / "a.tar", {"layer.tar": b"x" * 1000000, **saved(["a:1"])})
    half = tmp_path / "half.tar"
    with open(whole, "rb") as file:
        half.write_bytes(file.read(600000))
    with pytest.raises(ArchiveError):
        read_archive(str(half))


ARCHIVED = [{"id": f"sha256:{ONE}", "ids": [f"sha256:{ONE}", f"sha256:{MANIFEST}"], "names": ["busybox:1"]}]


@pytest.mark.parametrize(
    ("archived", "there", "missing"),
    [
        (ARCHIVED, [], ["busybox:1"]),
        (ARCHIVED, [{"Id": f"sha256:{ONE}", "RepoTags": ["busybox:1"]}], []),
        (ARCHIVED, [{"Id": f"sha256:{MANIFEST}", "RepoTags": ["docker.io/library/busybox:1"]}], []),
        # The name is there, but of another build.
        (ARCHIVED, [{"Id": f"sha256:{TWO}", "RepoTags": ["busybox:1"]}], ["busybox:1"]),
        ([], [{"Id": f"sha256:{TWO}", "RepoTags": ["busybox:1"]}], []),
        ([], [{"Id": f"sha256:{TWO}", "RepoTags": None}], ["busybox:1"]),
    ],
)
def test_what_a_node_lacks(archived, there, missing):
    assert absent(archived, ["busybox:1"], there) == missing


def test_an_image_without_a_name_is_known_by_its_id():
    there = [{"Id": f"sha256:{ONE}", "RepoTags": []}]
    assert absent([], [f"sha256:{ONE}", f"sha256:{TWO}"], there) == [f"sha256:{TWO}"]


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("a/b:1", "docker.io/a/b:1"),
        ("docker.io/busybox:1", "docker.io/library/busybox:1"),
        ("docker.io/a/b:1", "docker.io/a/b:1"),
        ("quay.io/a/b", "quay.io/a/b:latest"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        ("localhost/a", "localhost/a:latest"),
    ],
)
def test_full_names(name, full):
    assert full_name(name) == full

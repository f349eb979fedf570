# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import os
import sys

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _bundle as bundle

CONTENTS = {
    "images": [{"file": "a.tar", "names": ["quay.io/a:1"], "id": "x"}, {"file": "b.tar", "names": ["b:2"], "id": "y"}],
    "system": {"debian-12-x86_64": {"name": "debian-12-x86_64", "manager": "apt", "names": ["docker.io"]}},
}


@pytest.fixture
def directory(tmp_path):
    for path, text in {
        "images/a.tar": "image a",
        "images/b.tar": "image b",
        "system/debian-12-x86_64.tar": "debs",
        "packages/driver.run": "driver",
        ".cache/ignored": "",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    bundle.seal(str(tmp_path), CONTENTS)
    return tmp_path


def test_every_file_has_its_checksum_in_the_form_of_sha256sum(directory):
    lines = (directory / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "bundle.json", "images/a.tar", "images/b.tar", "packages/driver.run", "system/debian-12-x86_64.tar",
    ]  # fmt: skip
    assert f"{hashlib.sha256(b'driver').hexdigest()}  packages/driver.run" in lines
    assert bundle.verify(str(directory)) == []


def test_a_second_seal_finds_nothing_and_reads_nothing_again(directory, monkeypatch):
    read = []
    monkeypatch.setattr(bundle, "sha256", read.append)
    assert bundle.seal(str(directory), CONTENTS) == ([], [], [])
    assert read == []


def test_a_seal_says_what_came_changed_and_went(directory):
    (directory / "packages/firmware.run").write_text("firmware")
    (directory / "images/a.tar").write_text("another image a")
    (directory / "images/b.tar").unlink()
    assert bundle.seal(str(directory), CONTENTS) == (["packages/firmware.run"], ["images/a.tar"], ["images/b.tar"])
    assert bundle.verify(str(directory)) == []


def test_without_writing_it_only_answers(directory):
    before = (directory / "SHA256SUMS").read_text()
    (directory / "packages/firmware.run").write_text("firmware")
    assert bundle.seal(str(directory), CONTENTS, write=False)[0] == ["packages/firmware.run"]
    assert (directory / "SHA256SUMS").read_text() == before


def test_damage_is_found_also_where_size_and_time_are_the_same(directory):
    path = directory / "images/a.tar"
    times = path.stat()
    path.write_text("imagE a")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (directory / "packages/driver.run").unlink()
    (directory / "packages/stray").write_text("")
    assert bundle.verify(str(directory)) == [
        "packages/driver.run is missing",
        "packages/stray is not of the bundle",
        "images/a.tar is not what it was when the bundle was made",
    ]


def test_images_and_packages_of_a_distribution(directory):
    first, second = bundle.images(str(directory))
    assert first == {
        "path": str(directory / "images/a.tar"),
        "names": ["quay.io/a:1"],
        "sha256": hashlib.sha256(b"image a").hexdigest(),
    }
    assert bundle.images(str(directory), ["b:2"]) == [second]
    assert bundle.system(str(directory), "debian-12-x86_64")["names"] == ["docker.io"]
    with pytest.raises(bundle.BundleError, match="no packages for debian-13-x86_64, only for: debian-12-x86_64"):
        bundle.system(str(directory), "debian-13-x86_64")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(None, "has no bundle.json"), ("{", "is damaged"), (json.dumps({"format": 99}), "is of another release")],
)
def test_no_bundle(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(bundle.BundleError, match=sentence):
        bundle.read(str(tmp_path))


def test_the_versions_that_this_controller_has():
    first, last, end = bundle.requirements(["pytest", "not-there-at-all"]).split("\n")
    assert first == f"pytest=={pytest.__version__}"
    assert last.startswith(f"# for Python {sys.version_info[0]}.{sys.version_info[1]} on ") and end == ""

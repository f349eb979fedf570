# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module bundle called as Ansible calls it."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.npuops.ascend.plugins.modules import bundle


@pytest.fixture
def call(call_module, tmp_path):
    def run(**arguments):
        given = {"path": str(tmp_path / "bundle"), "_ansible_remote_tmp": str(tmp_path), **arguments}
        return call_module(bundle, **given)

    return run


@pytest.fixture
def directory(tmp_path):
    packages = tmp_path / "bundle" / "packages"
    packages.mkdir(parents=True)
    (packages / "old.run").write_text("old")
    return tmp_path / "bundle"


def entry(tmp_path, name, text, checksum=None):
    source = tmp_path / name
    source.write_text(text)
    return {"name": name, "path": str(source), "sha256": checksum or hashlib.sha256(text.encode()).hexdigest()}


def test_copy_seal_and_verify(call, directory, tmp_path):
    files = [entry(tmp_path, "new.run", "new")]
    where = str(directory / "packages")
    assert call(path=where, state="copied", files=files, _ansible_check_mode=True)["copied"] == ["new.run"]
    assert not (directory / "packages" / "new.run").exists()
    assert call(path=where, state="copied", files=files)["changed"]
    assert not call(path=where, state="copied", files=files)["changed"]
    sealed = call(contents={"packages": ["new.run"]}, keep=["packages/new.run"])
    assert sealed["changed"] and sealed["added"] == ["bundle.json", "packages/new.run"]
    assert not (directory / "packages" / "old.run").exists()
    assert not call(contents={"packages": ["new.run"]}, keep=["packages/new.run"])["changed"]
    assert call(state="verified") == {"changed": False, "problems": [], "files": 2, "size_mb": 1} | {
        key: value for key, value in call(state="verified").items() if key == "invocation"
    }


def test_check_mode_tells_what_would_go_and_leaves_it(call, directory):
    call(contents={})
    answer = call(contents={}, keep=[], _ansible_check_mode=True)
    assert answer["changed"] and answer["removed"] == ["packages/old.run"]
    assert (directory / "packages" / "old.run").exists()


def test_a_package_with_another_checksum_does_not_get_in(call, directory, tmp_path):
    answer = call(
        path=str(directory / "packages"), state="copied", files=[entry(tmp_path, "new.run", "new", checksum="0" * 64)]
    )
    assert answer["failed"] and "was published with 0000" in answer["msg"] and "get it again" in answer["msg"]
    assert [path.name for path in (directory / "packages").iterdir()] == ["old.run"]


def test_damage_fails_with_a_sentence(call, directory):
    call(contents={})
    (directory / "packages" / "old.run").write_text("0ld")
    answer = call(state="verified")
    assert answer["failed"] and answer["problems"] == ["packages/old.run is not what it was when the bundle was made"]
    assert "Copy the bundle again" in answer["msg"]


def test_a_directory_that_is_none(call):
    assert "is no directory" in call(state="verified")["msg"]

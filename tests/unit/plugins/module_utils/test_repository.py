# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import tarfile

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _repository as repository

# A name with an epoch, which apt writes into the names of its cache and pools do not.
POOL = {"git_1%3a2.39-1_amd64.deb": b"git", "runc_1.1.5_amd64.deb": b"runc", "adduser_3.134_all.deb": b"adduser"}


class FakeApt:
    """Answers as apt-get and apt-cache do, and puts files into the directory of archives."""

    def __init__(self, pool):
        self.pool = dict(pool)
        self.fetched = []
        self.shown = []

    def __call__(self, argv, remedy, declined=None):
        if argv[:2] == ["apt-cache", "show"]:
            self.shown = argv[2:]
            return "".join(self.stanza(name) for name in self.pool)
        archives = next(word for word in argv if word.startswith("Dir::Cache::Archives=")).split("=", 1)[1]
        if "--print-uris" in argv:
            return "".join(f"'http://mirror/{name}' {name} {len(body)} MD5Sum:0\n" for name, body in self.pool.items())
        for name, body in self.pool.items():
            if not os.path.exists(archives + name):
                self.fetched.append(name)
                with open(archives + name, "wb") as handle:
                    handle.write(body)
        return ""

    def stanza(self, name):
        body, plain = self.pool[name], repository.plain_name(name)
        package, version, _arch = name.replace("%3a", ":").split("_")
        return (
            f"Package: {package}\nVersion: {version}\nFilename: pool/main/{plain}\nSize: {len(body)}\n"
            f"SHA256: {hashlib.sha256(body).hexdigest()}\nDescription: a\n b\n\n"
        )


@pytest.fixture
def apt(tmp_path):
    return repository.Apt(str(tmp_path), ["docker.io"], FakeApt(POOL))


def test_a_repository_is_what_apt_asked_for(apt, tmp_path):
    assert apt.collect()
    assert sorted(path.name for path in tmp_path.glob("*.deb")) == [
        "adduser_3.134_all.deb", "git_2.39-1_amd64.deb", "runc_1.1.5_amd64.deb",
    ]  # fmt: skip
    assert sorted(apt.command.shown) == ["adduser=3.134", "git:amd64=1:2.39-1", "runc:amd64=1.1.5"]
    packages = (tmp_path / "Packages").read_text()
    assert "Filename: ./git_2.39-1_amd64.deb\n" in packages
    assert hashlib.sha256(packages.encode()).hexdigest() in (tmp_path / "Release").read_text()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_same_again_changes_and_fetches_nothing(apt, tmp_path):
    apt.collect()
    release = (tmp_path / "Release").read_text()
    apt.command.fetched.clear()
    assert not apt.collect()
    assert apt.command.fetched == []
    assert (tmp_path / "Release").read_text() == release


def test_a_new_version_is_fetched_alone_and_the_old_one_goes(apt, tmp_path):
    apt.collect()
    apt.command.fetched.clear()
    del apt.command.pool["runc_1.1.5_amd64.deb"]
    apt.command.pool["runc_1.1.6_amd64.deb"] = b"new runc"
    assert apt.collect()
    assert apt.command.fetched == ["runc_1.1.6_amd64.deb"]
    assert not (tmp_path / "runc_1.1.5_amd64.deb").exists()


def test_a_damaged_file_is_fetched_again(apt, tmp_path):
    apt.collect()
    apt.command.fetched.clear()
    (tmp_path / "runc_1.1.5_amd64.deb").write_bytes(b"rUnc")
    assert apt.collect()
    assert apt.command.fetched == ["runc_1.1.5_amd64.deb"]
    assert (tmp_path / "runc_1.1.5_amd64.deb").read_bytes() == b"runc"


def test_what_a_mirror_sends_wrong_is_refused(apt, monkeypatch):
    monkeypatch.setattr(repository, "checksums", lambda packages: dict.fromkeys(map(repository.plain_name, POOL), "0"))
    with pytest.raises(repository.RepositoryError, match="is not what the index of its source says"):
        apt.collect()


def test_what_would_be_there_is_told_without_a_download(apt, tmp_path):
    files = ["adduser_3.134_all.deb", "git_2.39-1_amd64.deb", "runc_1.1.5_amd64.deb"]
    assert apt.wanted() == files
    assert list(tmp_path.iterdir()) == [] and apt.command.fetched == []
    apt.collect()
    assert repository.contents(str(tmp_path)) == files == apt.wanted()


# What dnf 4.14 of openEuler 22.03 printed; the second package has an epoch, and a name too long for its column.
DNF = """\
Last metadata expiration check: 0:00:01 ago on Sun Nov 22 16:00:00 2026.
Dependencies resolved.
================================================================================
 Package                 Architecture   Version                Repository  Size
================================================================================
Installing:
 npuops-lab-base         noarch         1-1.oe2203sp4          OS         6.0 k
Installing dependencies:
 python3-a-name-that-does-not-fit-at-all
                         x86_64         2:1.19.1-7.oe2203sp4   update     1.2 M

Transaction Summary
================================================================================
Install  2 Packages

Operation aborted.
"""


def test_the_table_of_dnf():
    assert repository.transaction(DNF) == [
        "npuops-lab-base-1-1.oe2203sp4.noarch.rpm",
        "python3-a-name-that-does-not-fit-at-all-1.19.1-7.oe2203sp4.x86_64.rpm",
    ]


@pytest.mark.parametrize("text", ["", "Nothing to do.\n", DNF.replace("6.0 k", "6.0")])
def test_a_table_that_cannot_be_read_is_an_error(text):
    with pytest.raises(repository.RepositoryError, match="cannot be read"):
        repository.transaction(text)


def test_dnf_is_told_no_and_that_is_no_failure():
    asked = []

    def command(argv, remedy, declined=None):
        asked.append((argv, declined))
        return DNF

    files = repository.Dnf("/nowhere", ["which"], command).wanted()
    assert len(files) == 2
    [(argv, declined)] = asked
    assert "--assumeno" in argv and "-y" not in argv and declined == "Operation aborted"


def test_a_command_that_was_not_to_go_on():
    script = ["sh", "-c", "echo table; echo Operation aborted. >&2; exit 1"]
    assert repository.must(script, "Mend.", declined="Operation aborted") == "table\n"
    with pytest.raises(repository.RepositoryError, match="No match"):
        repository.must(["sh", "-c", "echo No match >&2; exit 1"], "Mend.", declined="Operation aborted")


def test_a_package_that_apt_does_not_show(apt):
    apt.command.stanza = lambda name: ""
    with pytest.raises(repository.RepositoryError, match="apt-cache does not show adduser"):
        apt.collect()


def test_a_failing_command_says_what_it_said():
    with pytest.raises(repository.RepositoryError, match="Unable to locate package"):
        repository.must(["sh", "-c", "echo E: Unable to locate package x >&2; exit 100"], "Mend the names.")


def test_the_same_content_packs_to_the_same_bytes(tmp_path):
    folder = tmp_path / "repository"
    (folder / "repodata").mkdir(parents=True)
    (folder / "repodata/repomd.xml").write_text("index")
    (folder / "a.rpm").write_text("a")
    archive = str(tmp_path / "it.tar")
    assert repository.pack(str(folder), archive)
    os.utime(folder / "a.rpm", (1, 1))
    assert not repository.pack(str(folder), archive)
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["a.rpm", "repodata/repomd.xml"]
    (folder / "a.rpm").write_text("b")
    assert repository.pack(str(folder), archive)

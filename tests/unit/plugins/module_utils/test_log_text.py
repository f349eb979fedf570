# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are read whole or by both ends, packed or not, and never more than the limit is kept."""

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._diagnose import diagnose
from ansible_collections.npuops.ascend.plugins.module_utils._log_text import (
    ends,
    is_log,
    log_files,
    read_file,
    read_tar,
)

LIMIT = 4000
FAILURE = "ImportError: libatb.so: cannot open shared object file: No such file or directory"
BIG = "".join(f"line {number}\n" for number in range(20000))


def test_a_small_file_is_read_whole(tmp_path):
    (tmp_path / "a.log").write_text("one\ntwo\n")
    (text,) = read_file("plog", str(tmp_path / "a.log"), LIMIT)
    assert (text.kind, text.text, text.first_line) == ("plog", "one\ntwo\n", 1)


def test_of_a_big_file_both_ends_are_read(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(BIG + FAILURE + "\n")
    head, tail = read_file("plog", str(path), LIMIT)
    assert head.text.startswith("line 0\n") and head.text.endswith("\n")
    assert tail.text.endswith(FAILURE + "\n")
    assert len(head.text) + len(tail.text) <= LIMIT
    assert path.read_bytes()[tail.offset :].decode() == tail.text
    (finding,) = diagnose([head, tail])
    assert finding.place.offset == len(BIG)


@pytest.mark.parametrize("text", [BIG, "short\n", ""])
def test_a_packed_file_is_read_like_a_plain_one(tmp_path, text):
    (tmp_path / "a.log").write_text(text)
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(text.encode()))
    plain = read_file("plog", str(tmp_path / "a.log"), LIMIT, "x")
    assert read_file("plog", str(tmp_path / "a.log.1.gz"), LIMIT, "x") == plain


def test_a_file_that_unpacks_to_gigabytes_is_left_early():
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            self.given += size
            return b"x" * size

    stream = Endless()
    found = ends(stream, LIMIT, 64 * LIMIT)
    assert stream.given <= 64 * LIMIT + (1 << 16)
    assert len(found.head) + len(found.tail) <= LIMIT


def test_a_damaged_file_is_an_error(tmp_path):
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(BIG.encode())[:-20])
    with pytest.raises(OSError, match="damaged"):
        read_file("plog", str(tmp_path / "a.log.gz"), LIMIT)


def test_links_and_pipes_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "a.log").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "b.log")
    with pytest.raises(OSError):
        read_file("plog", str(tmp_path / "a.log"), LIMIT)
    with pytest.raises(OSError, match="regular"):
        read_file("plog", str(tmp_path / "b.log"), LIMIT)
    assert log_files(str(tmp_path)) == []


def test_bytes_that_are_no_text_are_replaced(tmp_path):
    (tmp_path / "a.log").write_bytes(b"\xff\xfe " + FAILURE.encode())
    assert [finding.entry.id for finding in diagnose(read_file("plog", str(tmp_path / "a.log"), LIMIT))] == ["libatb"]


def test_newest_logs_first(tmp_path):
    (tmp_path / "debug" / "plog").mkdir(parents=True)
    for age, name in enumerate(["plog-12_2026.log", "plog-11_2026.log.1", "raylet.err", "old.log", "core", "x.gz"]):
        path = tmp_path / "debug" / "plog" / name
        path.write_text("x")
        os.utime(path, (1000 - age, 1000 - age))
    found = [os.path.basename(path) for path in log_files(str(tmp_path), since=998)]
    assert found == ["plog-12_2026.log", "plog-11_2026.log.1", "raylet.err"]
    assert len(log_files(str(tmp_path), most=2)) == 2


@pytest.mark.parametrize(
    "name", ["a.log", "a.log.3", "a.log.2.gz", "raylet.out.1", "gcs_server.err", "serve.log-20261116.gz"]
)
def test_a_log_by_its_name(name):
    assert is_log(name)


@pytest.mark.parametrize("name", ["a.py", "core.1234", "logs", "x.json"])
def test_no_log_by_its_name(name):
    assert not is_log(name)


def test_logs_of_a_container_come_as_a_tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content, mtime in (
            ("logs/raylet.out", BIG + FAILURE, 100),
            ("logs/old.log", FAILURE, 1),
            ("logs/b.log.1.gz", gzip.compress(b"two\n"), 200),
            ("logs/broken.log.gz", b"no gzip", 200),
            ("logs/core", "x", 200),
        ):
            member = tarfile.TarInfo(name)
            content = content if isinstance(content, bytes) else content.encode()
            member.size, member.mtime = len(content), mtime
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("logs/link.log")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    stream.seek(0)
    texts = read_tar("ray", "npuops-chat:/tmp/ray", stream, LIMIT, since=50)
    assert [text.name.rsplit("/", 1)[1] for text in texts] == ["b.log.1.gz", "raylet.out", "raylet.out"]
    assert [finding.place.name for finding in diagnose(texts)] == ["npuops-chat:/tmp/ray/logs/raylet.out"]

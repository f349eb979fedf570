# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hccn.conf is written over beside others who work on it, and is never empty meanwhile."""

from __future__ import annotations

import fcntl
import os
import stat

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _roce_config_file
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_file import ConfFile, ConfFileError, readable


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hccn.conf"


def test_a_file_that_is_not_there(path):
    file = ConfFile(str(path))
    assert file.read() is None and not path.exists()
    assert file.change(lambda text: text + "address_0=10.0.0.1\n")
    assert path.read_text() == "address_0=10.0.0.1\n" and stat.S_IMODE(path.stat().st_mode) == 0o640
    file.remove()
    file.remove()
    assert not path.exists()


def test_what_is_the_same_is_not_written(path):
    path.write_text("address_0=10.0.0.1\n")
    os.utime(path, (1, 1))
    assert not ConfFile(str(path)).change(lambda text: text)
    assert path.stat().st_mtime == 1


@pytest.mark.parametrize("after", ["x_0=1\n", "x_0=1\n" * 500])
def test_it_keeps_inode_and_mode_and_is_never_empty(path, monkeypatch, after):
    path.write_text("y_0=1\n" * 100)
    path.chmod(0o600)
    inode, sizes = path.stat().st_ino, []
    for name in ("pwrite", "ftruncate", "fsync"):
        call = getattr(os, name)

        def watched(*arguments, call=call):
            sizes.append(path.stat().st_size)
            return call(*arguments)

        monkeypatch.setattr(_roce_config_file.os, name, watched)
    assert ConfFile(str(path)).change(lambda text: after)
    assert path.read_text() == after and min(sizes) > 0
    assert path.stat().st_ino == inode and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_written_when_the_change_fails(path):
    path.write_text("y_0=1\n")
    with pytest.raises(ZeroDivisionError):
        ConfFile(str(path)).change(lambda text: 1 / 0)
    assert path.read_text() == "y_0=1\n"


def test_bytes_of_any_kind_stay(path):
    raw = "# 站点\n".encode("gbk") + b"address_0=10.0.0.1\r\n\xff\n"
    path.write_bytes(raw)
    file = ConfFile(str(path))
    file.change(lambda text: text + "tls_enable_0=0\n")
    assert path.read_bytes() == raw + b"tls_enable_0=0\n"
    path.write_text("# 站点\n", encoding="utf-8")
    assert readable(file.read()) == "# 站点\n"


def test_it_waits_for_the_tool(path):
    path.write_text("y_0=1\n")
    waits = []
    with open(path) as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def sleep(seconds):
            waits.append(seconds)
            if len(waits) == 3:
                fcntl.flock(held, fcntl.LOCK_UN)

        file = ConfFile(str(path), timeout=5, sleep=sleep)
        assert file.read() == "y_0=1\n" and len(waits) == 3
        fcntl.flock(held, fcntl.LOCK_EX)
        now = iter(range(100))
        file = ConfFile(str(path), timeout=5, sleep=lambda seconds: None, clock=lambda: next(now))
        with pytest.raises(ConfFileError, match=r"hccn.conf was locked for 5 s\. Look who holds it"):
            file.change(lambda text: "")
    assert path.read_text() == "y_0=1\n"


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(ConfFileError, match="cannot be read .Is a directory"):
        ConfFile(str(tmp_path)).read()
    with pytest.raises(ConfFileError, match="cannot be written .No such file or directory"):
        ConfFile(str(tmp_path / "no" / "hccn.conf")).change(lambda text: "x_0=1\n")

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated vendor packages as files: names, archives, checksums."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._vendor_package import parse_file_name
from lab import catalog, packages
from lab.common import LabError

FILES = packages.all_files()
DRIVER = "Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run"


@pytest.mark.parametrize(
    ("name", "kind", "version", "arch", "family"),
    [
        (DRIVER, "driver", "25.5.0", "x86_64", "A2"),
        ("Ascend-hdk-910b-npu-driver_24.1.0.3_linux-aarch64.run", "driver", "24.1.0.3", "aarch64", "A2"),
        ("Ascend-hdk-910b-npu-firmware_7.7.0.6.236.run", "firmware", "7.7.0.6.236", None, "A2"),
        ("Atlas-A3-hdk-npu-driver_25.5.0_linux-aarch64.run", "driver", "25.5.0", "aarch64", "A3"),
        ("Ascend-hdk-310p-npu_25.5.0_linux-x86-64.zip", "hdk", "25.5.0", "x86_64", "310P"),
        ("Ascend-docker-runtime_7.1.RC1_linux-x86_64.run", "docker_runtime", "7.1.RC1", "x86_64", None),
        ("Ascend-cann-toolkit_8.3.RC2_linux-x86_64.run", "cann", "8.3.RC2", "x86_64", None),
        ("Ascend-cann-kernels-910b_8.3.RC2_linux-x86_64.run", "cann", "8.3.RC2", "x86_64", "A2"),
        ("Ascend-cann-910b-ops_8.5.0_linux-x86_64.run", "cann", "8.5.0", "x86_64", "A2"),
        ("Ascend-cann-nnal_8.3.RC2_linux-aarch64.run", "cann", "8.3.RC2", "aarch64", None),
    ],
)
def test_real_names(name: str, kind: str, version: str, arch: str | None, family: str | None) -> None:
    assert name in FILES
    found = parse_file_name(name)
    assert (found.kind, found.version, found.arch, found.family) == (kind, version, arch, family)


def test_every_name_is_one_the_collection_knows() -> None:
    assert len(FILES) > 60
    assert all(parse_file_name(name).version for name in FILES)


def test_a_zip_has_driver_and_firmware_of_one_release() -> None:
    with zipfile.ZipFile(io.BytesIO(FILES["Ascend-hdk-910b-npu_25.2.0_linux-aarch64.zip"])) as bundle:
        assert bundle.namelist() == [
            "Ascend-hdk-910b-npu-driver_25.2.0_linux-aarch64.run",
            "Ascend-hdk-910b-npu-firmware_7.7.0.6.236.run",
        ]
        for name in bundle.namelist():
            assert bundle.read(name) == FILES[name]


def test_a_second_build_writes_nothing_and_the_sums_are_right(tmp_path: Path) -> None:
    assert all(written for _name, written in packages.build(tmp_path))
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.run")}
    assert not any(written for _name, written in packages.build(tmp_path))
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.run")} == before
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", packages.SUMS], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert set(FILES) == {line.split()[1] for line in (tmp_path / packages.SUMS).read_text().splitlines()}


def test_a_corrupt_package_keeps_its_sum_and_size_and_the_next_build_mends_it(tmp_path: Path) -> None:
    list(packages.build(tmp_path))
    sums = (tmp_path / packages.SUMS).read_text()
    damaged = packages.corrupt(DRIVER, tmp_path)
    assert damaged.stat().st_size == len(FILES[DRIVER])
    assert f"{hashlib.sha256(damaged.read_bytes()).hexdigest()}  {DRIVER}" not in sums
    done = subprocess.run(["bash", str(damaged), "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Error in SHA256 checksums: " in done.stderr and "All good" not in done.stdout
    assert [name for name, written in packages.build(tmp_path) if written] == [DRIVER]
    with pytest.raises(LabError, match="no package to corrupt"):
        packages.corrupt("none.run", tmp_path)


def test_the_archive_alone(tmp_path: Path) -> None:
    file = tmp_path / DRIVER
    file.write_bytes(FILES[DRIVER])
    out = tmp_path / "out"
    argv = ["bash", str(file), "--noexec", f"--extract={out}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "All good." in done.stdout and "Uncompressing ASCEND DRIVER RUN PACKAGE" in done.stderr
    assert (out / "version.info").read_text().startswith("Version=25.5.0\n")
    assert (out / "install.sh").exists()
    shown = subprocess.run(["bash", str(file), "--help"], capture_output=True, text=True, check=True).stderr
    assert "--install-for-all" in shown and "All good" not in shown


def test_no_space_to_unpack(tmp_path: Path) -> None:
    file = tmp_path / DRIVER
    file.write_bytes(FILES[DRIVER])
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "df").write_text("#!/bin/sh\necho 'Filesystem 1 1 1 1% /'\n")
    (shim / "df").chmod(0o755)
    env = {"PATH": f"{shim}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    done = subprocess.run(["bash", str(file), "--full"], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    assert f"Not enough space left in {tmp_path}" in done.stderr
    assert not list(tmp_path.glob("selfgz*"))


def test_outside_a_lab_node_nothing_happens(tmp_path: Path) -> None:
    for name in (
        DRIVER,
        "Ascend-cann-toolkit_8.5.0_linux-x86_64.run",
        "Ascend-docker-runtime_7.1.RC1_linux-x86_64.run",
    ):
        file = tmp_path / name
        file.write_bytes(FILES[name])
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(["bash", str(file), "--install"], capture_output=True, text=True, env=env, check=False)
        assert done.returncode == 1
        assert "installs nothing outside the nodes of the lab" in done.stderr


def test_the_releases_accept_each_other() -> None:
    """An upgrade step by step must be possible: firmware first, then the driver."""
    from npusim.stack import accepts

    table = {hdk.version: hdk for hdk in catalog.RELEASES}
    for before, after in (("24.1.0.3", "25.2.0"), ("25.2.0", "25.5.0"), ("25.5.0", "26.0.rc1")):
        old, new = table[before], table[after]
        assert accepts(new.accepts_driver, old.version), (before, after)
        assert accepts(new.accepts_firmware, new.firmware) and accepts(old.accepts_driver, old.version)
    assert not accepts(table["26.0.rc1"].accepts_firmware, table["25.2.0"].firmware)
    assert not accepts(table["24.1.0.3"].accepts_firmware, table["25.5.0"].firmware)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import zipfile

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.npuops.ascend.plugins.lookup import ascend_package
from ansible_collections.npuops.ascend.plugins.module_utils import _package_files as files

NAME = "npuops.ascend.ascend_package"
NAMES = {
    "Ascend-hdk-910b-npu_25.5.0_linux-x86-64.zip": ("hdk", "25.5.0", "A2", "x86_64"),
    "Ascend-hdk-910b-npu-driver_25.2.0_linux-aarch64.run": ("driver", "25.2.0", "A2", "aarch64"),
    "Atlas-A3-hdk-npu-driver_25.2.1_linux-aarch64.run": ("driver", "25.2.1", "A3", "aarch64"),
    "Ascend-hdk-910b-npu-driver_24.1.0.3_linux-x86-64.run": ("driver", "24.1.0.3", "A2", "x86_64"),
    "Ascend-hdk-310p-npu-firmware_7.8.0.5.216.run": ("firmware", "7.8.0.5.216", "310P", None),
    "Atlas-A3-hdk-npu-firmware_7.7.0.9.220.run": ("firmware", "7.7.0.9.220", "A3", None),
    "Ascend-docker-runtime_7.1.RC1_linux-x86_64.run": ("docker_runtime", "7.1.RC1", None, "x86_64"),
    "Ascend-cann-toolkit_8.3.RC2_linux-aarch64.run": ("toolkit", "8.3.RC2", None, "aarch64"),
    "Ascend-cann-kernels-910b_8.3.RC2_linux-x86_64.run": ("ops", "8.3.RC2", "A2", "x86_64"),
    "Ascend-cann-A3-ops_8.5.0_linux-aarch64.run": ("ops", "8.5.0", "A3", "aarch64"),
    "Ascend-cann-nnal_8.5.0_linux-x86_64.run": ("nnal", "8.5.0", None, "x86_64"),
}


@pytest.fixture(scope="module", autouse=True)
def options():
    """As the plugin loader registers them, without Ansible's import hooks."""
    definitions = yaml.safe_load(ascend_package.DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", NAME, definitions)


@pytest.fixture
def directory(tmp_path):
    return fill(tmp_path, NAMES)


def fill(directory, names, prefix=""):
    lines = []
    for name in names:
        path = directory / prefix / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_text(name)
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {prefix}{name}\n")
    (directory / "SHA256SUMS").write_text("".join(lines))
    return directory


def look(*terms, variables=None, **options):
    plugin = ascend_package.LookupModule(templar=Templar(loader=DataLoader()))
    plugin._load_name = NAME
    return plugin.run(list(terms), variables or {}, **options)


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_names(name, expected):
    package = files.parse(name)
    assert (package.kind, package.package.version, package.package.family, package.package.arch) == expected


@pytest.mark.parametrize("name", ["SHA256SUMS", "notes.txt", "Ascend-hdk-910b-npu-driver_25.5.0_linux-riscv.run"])
def test_other_names(name):
    assert files.parse(name) is None


@pytest.mark.parametrize(
    ("kind", "wish", "expected"),
    [
        (
            "driver",
            {"version": "25.2.0", "chip": "A2", "arch": "arm64"},
            "Ascend-hdk-910b-npu-driver_25.2.0_linux-aarch64.run",
        ),
        ("driver", {"chip": "A3"}, "Atlas-A3-hdk-npu-driver_25.2.1_linux-aarch64.run"),
        ("firmware", {"chip": "310p", "arch": "x86_64"}, "Ascend-hdk-310p-npu-firmware_7.8.0.5.216.run"),
        ("toolkit", {"version": "8.3.rc2", "chip": "910b"}, "Ascend-cann-toolkit_8.3.RC2_linux-aarch64.run"),
        (
            "ops",
            {"version": "8.3.RC2", "chip": "910b", "arch": "x86-64"},
            "Ascend-cann-kernels-910b_8.3.RC2_linux-x86_64.run",
        ),
        ("hdk", {"version": "25.5.0", "arch": "amd64"}, "Ascend-hdk-910b-npu_25.5.0_linux-x86-64.zip"),
    ],
)
def test_found(directory, kind, wish, expected):
    (found,) = look(kind, directory=str(directory), **wish)
    assert found["name"] == expected
    assert found["path"] == str(directory / expected)
    assert found["sha256"] == hashlib.sha256(expected.encode()).hexdigest()
    assert found["member"] is None


def test_several_kinds_and_variables(directory):
    found = look("toolkit", "nnal", variables={"ascend_packages": str(directory)})
    assert [package["kind"] for package in found] == ["toolkit", "nnal"]


def test_a_variable_may_be_a_template(directory):
    text = trust_as_template(str(directory.parent) + "/{{ '" + directory.name + "' }}")
    (found,) = look("nnal", variables={"ascend_packages": text})
    assert found["path"].startswith(str(directory))


def test_bundle_has_its_checksums_at_the_top(tmp_path):
    fill(tmp_path, NAMES, "packages/")
    (found,) = look("nnal", variables={"ascend_bundle": str(tmp_path)})
    assert found["path"] == str(tmp_path / "packages" / "Ascend-cann-nnal_8.5.0_linux-x86_64.run")


def test_zip_answers_where_there_is_no_run(tmp_path):
    outer = "Ascend-hdk-910b-npu_25.5.0_linux-x86-64.zip"
    with zipfile.ZipFile(tmp_path / outer, "w") as archive:
        archive.writestr("Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run", "")
        archive.writestr("Ascend-hdk-910b-npu-firmware_7.8.0.5.216.run", "")
    fill(tmp_path, [outer])
    driver, firmware = look("driver", "firmware", directory=str(tmp_path), arch="x86_64")
    assert driver["name"] == firmware["name"] == outer
    assert (driver["version"], firmware["version"]) == ("25.5.0", "7.8.0.5.216")
    assert firmware["member"] == "Ascend-hdk-910b-npu-firmware_7.8.0.5.216.run"


@pytest.mark.parametrize(
    ("kind", "wish", "sentences"),
    [
        (
            "driver",
            {"version": "25.5.0", "chip": "A3"},
            ["has no driver 25.5.0 for A3", "driver_25.2.0_linux-aarch64.run"],
        ),
        ("driver", {}, ["several", "Say version, chip and architecture"]),
        ("tookit", {}, ["'tookit' is not known", "toolkit"]),
        ("nnal", {"arch": "sparc"}, ["'sparc' is not known"]),
        ("ops", {"chip": "920c"}, ["'920c' is not known", "910b"]),
        ("nnal", {"arch": "aarch64"}, ["has no nnal on aarch64", "Ascend-cann-nnal_8.5.0_linux-x86_64.run"]),
    ],
)
def test_not_found(directory, kind, wish, sentences):
    with pytest.raises(AnsibleError) as failure:
        look(kind, directory=str(directory), **wish)
    for sentence in sentences:
        assert sentence in str(failure.value)


def test_nothing_of_the_vendor(tmp_path):
    fill(tmp_path, ["notes.txt"])
    with pytest.raises(AnsibleError, match="no package of the vendor at all"):
        look("driver", directory=str(tmp_path))


def test_no_directory_is_named():
    with pytest.raises(AnsibleError, match="set ascend_packages"):
        look("driver")


def test_directory_is_not_there(tmp_path):
    with pytest.raises(AnsibleError, match="No such file"):
        look("driver", directory=str(tmp_path / "nowhere"))


def test_checksum_is_not_there(directory):
    (directory / "SHA256SUMS").write_text(f"{'0' * 64} *./other\n")
    with pytest.raises(AnsibleError, match="no checksum of Ascend-cann-nnal"):
        look("nnal", directory=str(directory))
    (directory / "SHA256SUMS").unlink()
    with pytest.raises(AnsibleError, match="sha256sum > SHA256SUMS"):
        look("nnal", directory=str(directory))


def test_sums_are_no_sums(directory):
    (directory / "SHA256SUMS").write_text("<html>Not found</html>\n")
    with pytest.raises(AnsibleError, match="line 1 is no checksum"):
        look("nnal", directory=str(directory))


def test_broken_zip(tmp_path):
    fill(tmp_path, ["Ascend-hdk-910b-npu_25.5.0_linux-x86-64.zip"])
    with pytest.raises(AnsibleError, match="cannot be opened"):
        look("driver", directory=str(tmp_path))

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File names and versions of vendor packages, and what the vendor's files say is installed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._run_package import (
    choose,
    collect,
    in_spans,
    machine_arch,
    newer,
    parse_file_name,
    read_installed,
    same_version,
    spans,
    version_key,
)

NAMES = [
    # file, kind, component, family, version, arch
    ("Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run", "driver", None, "A2", "25.5.0", "x86_64"),
    ("Ascend-hdk-910b-npu-driver_24.1.rc3_linux-aarch64.run", "driver", None, "A2", "24.1.rc3", "aarch64"),
    ("Ascend-hdk-910b-npu-driver_24.1.0.3_linux-aarch64.run", "driver", None, "A2", "24.1.0.3", "aarch64"),
    ("Ascend-hdk-310p-npu-driver_25.0.rc1.1_linux-x86_64.run", "driver", None, "310P", "25.0.rc1.1", "x86_64"),
    ("Ascend-hdk-310p-npu-driver_23.0.1_linux-aarch64-custom.run", "driver", None, "310P", "23.0.1", "aarch64"),
    ("Ascend-hdk-910b-npu-driver_25.0.rc1_sph001_linux.run", "driver", None, "A2", "25.0.rc1", None),
    ("Ascend-hdk-910-npu-driver_25.2.0_linux-aarch64.run", "driver", None, "910", "25.2.0", "aarch64"),
    ("Ascend-hdk-310b-npu-driver_23.0.0_linux-aarch64.run", "driver", None, "310B", "23.0.0", "aarch64"),
    ("Atlas-A3-hdk-npu-driver_25.2.1_linux-aarch64.run", "driver", None, "A3", "25.2.1", "aarch64"),
    ("Atlas-A5-hdk-npu-driver_26.0.rc1_linux-aarch64.run", "driver", None, "950", "26.0.rc1", "aarch64"),
    ("A300-3010-npu-driver_20.2.2_centos7.6-x86_64.run", "driver", None, None, "20.2.2", "x86_64"),
    ("Ascend-hdk-910b-npu-firmware_7.7.0.6.236.run", "firmware", None, "A2", "7.7.0.6.236", None),
    ("Ascend-hdk-910b-firmware_7.5.0.1.129.run", "firmware", None, "A2", "7.5.0.1.129", None),
    ("Atlas-A3-hdk-npu-firmware_7.7.0.9.220.run", "firmware", None, "A3", "7.7.0.9.220", None),
    ("/packages/Ascend-hdk-910b-npu_25.5.0_linux-x86-64.zip", "hdk", None, "A2", "25.5.0", "x86_64"),
    ("Ascend-hdk-310p-npu_25.3.rc1_linux-aarch64.zip", "hdk", None, "310P", "25.3.rc1", "aarch64"),
    ("Atlas-A3-hdk-npu_25.5.0_linux-aarch64.zip", "hdk", None, "A3", "25.5.0", "aarch64"),
    ("Ascend-cann-toolkit_8.3.RC2_linux-x86_64.run", "cann", "toolkit", None, "8.3.RC2", "x86_64"),
    ("Ascend-cann-toolkit_8.0.RC2.alpha002_linux_aarch64.run", "cann", "toolkit", None, "8.0.RC2.alpha002", "aarch64"),
    ("Ascend-cann-toolkit_9.1.0-beta.1_linux-aarch64.run", "cann", "toolkit", None, "9.1.0-beta.1", "aarch64"),
    ("Ascend-cann-toolkit_8.5.0_linux-aarch64.zip", "cann", "toolkit", None, "8.5.0", "aarch64"),
    ("Ascend-cann-kernels-910b_8.3.RC2_linux-x86_64.run", "cann", "kernels", "A2", "8.3.RC2", "x86_64"),
    ("Ascend-cann-kernels-910b_8.0.RC1_linux.run", "cann", "kernels", "A2", "8.0.RC1", None),
    ("Ascend-cann-910b-ops_8.5.0_linux-aarch64.run", "cann", "ops", "A2", "8.5.0", "aarch64"),
    ("Ascend-cann-A3-ops_9.0.0_linux-aarch64.run", "cann", "ops", "A3", "9.0.0", "aarch64"),
    ("Atlas-A3-cann-kernels_8.3.RC1_linux-aarch64.run", "cann", "kernels", "A3", "8.3.RC1", "aarch64"),
    ("Ascend-cann-nnal_8.3.RC2_linux-aarch64.run", "cann", "nnal", None, "8.3.RC2", "aarch64"),
    ("Ascend-docker-runtime_7.1.RC1_linux-x86_64.run", "docker_runtime", None, None, "7.1.RC1", "x86_64"),
    ("Ascend-docker-runtime_26.1.0_linux-aarch64.run", "docker_runtime", None, None, "26.1.0", "aarch64"),
    ("Ascend-docker-runtime_v7.3.0.SPC1_linux-aarch64.run", "docker_runtime", None, None, "v7.3.0.SPC1", "aarch64"),
]


@pytest.mark.parametrize("file,kind,component,family,version,arch", NAMES)
def test_a_file_name_says_what_the_package_is(file, kind, component, family, version, arch):
    package = parse_file_name(file)
    found = (package.kind, package.component, package.family, package.version, package.arch)
    assert found == (kind, component, family, version, arch)
    assert package.file == file.rsplit("/", 1)[-1]
    assert package.form == file[-3:]


@pytest.mark.parametrize(
    "file,words",
    [
        ("driver.run", "named like a package"),
        ("Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run.part", "named like a package"),
        ("Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64 (1).run", "named like a package"),
        ("Ascend-mindie_2.2.RC1_linux-aarch64_abi0.run", "named like a package"),
        ("Ascend-hdk-910b-mcu_25.55.35.zip", "MCU firmware"),
    ],
)
def test_other_files_are_refused(file, words):
    with pytest.raises(VendorError, match=words):
        parse_file_name(file)


@pytest.mark.parametrize(
    "word,arch", [("x86_64", "x86_64"), ("aarch64", "aarch64"), ("arm64", "aarch64"), ("i686", None)]
)
def test_the_architecture_of_the_machine(word, arch):
    assert machine_arch(word) == arch


def test_a_zip_gives_the_wanted_package():
    names = [
        "Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run",
        "sub/Ascend-hdk-910b-npu-firmware_7.8.0.5.100.run",
        "Ascend-hdk-910b-npu-driver_25.5.0_linux-x86-64.run.p7s",
        "version.xml",
    ]
    assert choose(names, "driver") == names[0]
    assert choose(names, "firmware") == names[1]
    with pytest.raises(VendorError, match="no package of kind cann"):
        choose(names, "cann")
    with pytest.raises(VendorError, match="2 packages of kind driver"):
        choose([*names, "Ascend-hdk-910b-npu-driver_25.5.0_linux-aarch64.run"], "driver")


# Of each release, tests come before candidates; an alpha of 8.0.0 itself comes after the candidates of 8.0.
ORDER = [
    "8.0.T63.B020",
    "8.0.RC1",
    "8.0.RC2.alpha002",
    "8.0.RC2.beta1",
    "8.0.RC2",
    "8.0.RC2.1",
    "8.0.0.alpha001",
    "8.0.0",
    "8.0.0.SPC3",
    "8.0.1",
    "8.3.RC1",
    "8.3.RC2",
    "8.5.0",
    "9.1.0-beta.1",
    "9.1.0",
    "23.0.rc1.b070",
    "23.0.rc2",
    "23.0",
    "23.0.7",
    "24.1.rc2.2",
    "24.1.0",
    "24.1.0.3",
    "25.0.RC1",
    "25.0.rc1.1",
    "25.2.0",
    "25.5.0",
    "25.10.0",
    "v26.1.0.beta.2",
    "26.1.0",
]


def test_versions_are_in_order():
    for earlier, later in itertools.combinations(ORDER, 2):
        assert version_key(earlier) < version_key(later), (earlier, later)
        assert newer(later, earlier) and not newer(earlier, later)
    assert sorted(reversed(ORDER), key=version_key) == ORDER


@pytest.mark.parametrize(
    "wanted,found,same",
    [
        ("25.5.0", "25.5.0", True),
        ("25.3.rc1", "25.3.RC1", True),
        ("7.1.RC1", "v7.1.RC1", True),
        ("25.5", "25.5.0", True),
        ("8.0.T63", "8.0.T63.B020", True),
        ("25.0.rc1", "25.0.rc1.b002", True),
        ("25.0.rc1.b001", "25.0.rc1.b002", False),
        ("25.0.rc1.b002", "25.0.rc1", False),
        ("25.0.rc1", "25.0.rc1.1", False),
        ("8.3.RC1", "8.3.0", False),
        ("24.1.0", "24.1.0.3", False),
        ("25.5.0", None, False),
    ],
)
def test_one_version_has_several_spellings(wanted, found, same):
    assert same_version(wanted, found) is same
    if found and same:
        assert not newer(found, wanted) and not newer(wanted, found)


@pytest.mark.parametrize(
    "text,version,accepted",
    [
        ("[7.0.0,7.1.99]", "7.1.0.6.220", True),
        ("[7.0.0,7.1.99]", "7.2.0.1.231", False),
        ("[6.4.0,6.4.99],[7.0.0,8.9.9]", "6.4.12", True),
        ("[6.4.0,6.4.99],[7.0.0,8.9.9]", "6.5.0", False),
        ("[23.0.rc3,23.0.rc3.],[24.1,24.1.]", "23.0.rc3.b070", True),
        ("[23.0.rc3,23.0.rc3.],[24.1,24.1.]", "24.1.rc2", True),
        ("[23.0.rc3,23.0.rc3.],[24.1,24.1.]", "24.1", True),
        ("[23.0.rc3,23.0.rc3.],[24.1,24.1.]", "24.10.0", False),
        ("[23.0.rc3,23.0.rc3.],[24.1,24.1.]", "25.0.rc1", False),
    ],
)
def test_a_part_accepts_spans_of_its_counterpart(text, version, accepted):
    assert in_spans(version, spans(text)) is accepted


# As published: driver/version.info of 24.1.rc3, firmware/version.info of 7.5.0.1.129, /etc/ascend_install.info.
DRIVER = (
    "Version=24.1.rc3\nascendhal_version=7.35.23\nInnerversion=V100R001C19SPC001B124\n"
    "compatible_version=[V100R001C13],[V100R001C15]\ncompatible_version_fw=[7.0.0,7.5.99]\npackage_version=24.1.rc3\n"
)
FIRMWARE = (
    "Version=7.5.0.1.129\nfirmware_version=1.0\npackage_version=24.1.rc3\n"
    "compatible_version_drv=[23.0.0,23.0.0.],[24.0,24.0.],[24.1,24.1.]\n"
)
INFO = (
    "UserName=HwHiAiUser\nUserGroup=HwHiAiUser\nFirmware_Install_Type=full\n"
    "Firmware_Install_Path_Param=/usr/local/Ascend\nDriver_Install_Type=full\n"
    "Driver_Install_Path_Param=/usr/local/Ascend\nDriver_Install_For_All=yes\n"
)
TOOLKIT = "package_name=Ascend-cann-toolkit\nversion={0}\ninnerversion=V100\narch=aarch64\nos=linux\npath=/x\n"
ATB = "    Ascend-cann-atb : 8.2.RC2\n    Ascend-cann-atb Version : 8.2.RC2.B030\n    Platform : aarch64\n"
KERNELS = "Version=8.3.T5.0.B028\nversion_dir=8.3.RC1.alpha001\ntimestamp=20250807_092944934\n"


def machine(root: Path, files: dict) -> Path:
    for path, text in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return root


def found_on(root: Path, install_path: str | None = None):
    return read_installed(collect(install_path, root=str(root)))


def test_a_bare_machine_has_nothing(tmp_path):
    found = found_on(tmp_path)
    assert (found.driver.version, found.firmware.version, found.docker_runtime.version, found.cann) == (None,) * 3 + (
        (),
    )
    assert found.driver.complete and found.hdk is None


def test_driver_and_firmware_are_read_from_their_files(tmp_path):
    files = {
        "/etc/ascend_install.info": INFO,
        "/usr/local/Ascend/driver/version.info": DRIVER,
        "/usr/local/Ascend/firmware/version.info": FIRMWARE,
    }
    found = found_on(machine(tmp_path, files))
    assert (found.driver.version, found.driver.path, found.driver.complete) == ("24.1.rc3", "/usr/local/Ascend", True)
    assert found.firmware.version == "7.5.0.1.129"
    assert found.hdk == "24.1.rc3"
    assert in_spans(found.firmware.version, found.driver.accepts)
    assert in_spans(found.driver.version, found.firmware.accepts)


def test_the_path_in_the_install_file_counts(tmp_path):
    files = {
        "/etc/ascend_install.info": "Driver_Install_Path_Param=/opt/Ascend\nDriver_Install_Path_Param=/data/Ascend/\n",
        "/usr/local/Ascend/driver/version.info": "Version=1.0\n",
        "/data/Ascend/driver/version.info": DRIVER,
    }
    found = found_on(machine(tmp_path, files))
    assert (found.driver.version, found.driver.path) == ("24.1.rc3", "/data/Ascend")


@pytest.mark.parametrize(
    "files",
    [
        {"/etc/ascend_install.info": INFO},
        {"/etc/ascend_install.info": INFO, "/usr/local/Ascend/driver/version.info": ""},
        {"/etc/ascend_install.info": INFO, "/usr/local/Ascend/driver/version.info": "Vers"},
    ],
    ids=["no version file", "an empty one", "half of one"],
)
def test_a_driver_left_half_way_is_seen(tmp_path, files):
    driver = found_on(machine(tmp_path, files)).driver
    assert (driver.version, driver.complete) == (None, False)


def test_a_driver_without_its_entry_is_not_complete(tmp_path):
    driver = found_on(machine(tmp_path, {"/usr/local/Ascend/driver/version.info": DRIVER})).driver
    assert (driver.version, driver.complete) == ("24.1.rc3", False)


@pytest.mark.parametrize("text,version", [("version=v7.1.RC1\narch=x\n", "7.1.RC1"), ("version=26.1.0\n", "26.1.0")])
def test_the_docker_runtime_is_read(tmp_path, text, version):
    path = "/usr/local/Ascend/Ascend-Docker-Runtime/ascend_docker_runtime_install.info"
    found = found_on(machine(tmp_path, {path: text}))
    assert (found.docker_runtime.version, found.docker_runtime.path) == (version, "/usr/local/Ascend")


def test_versions_of_cann_stand_side_by_side_and_links_do_not_count_twice(tmp_path):
    old = "/usr/local/Ascend/ascend-toolkit/8.3.RC1.alpha001"
    new = "/usr/local/Ascend/cann-8.5.0"
    files = {
        f"{old}/aarch64-linux/ascend_toolkit_install.info": TOOLKIT.format("8.3.RC1.alpha001"),
        f"{old}/opp_kernel/version.info": KERNELS,
        f"{new}/aarch64-linux/ascend_toolkit_install.info": TOOLKIT.format("8.5.0"),
        f"{new}/aarch64-linux/ascend_ops_install.info": "package_name=Ascend-cann-910b-ops\nversion=8.5.0\n",
        "/usr/local/Ascend/nnal/atb/8.2.RC2/version.info": ATB,
        "/data/cann/cann-9.0.0/x86_64-linux/ascend_toolkit_install.info": TOOLKIT.format("9.0.0"),
    }
    machine(tmp_path, files)
    ascend = tmp_path / "usr/local/Ascend"
    (ascend / "ascend-toolkit/latest").symlink_to("8.3.RC1.alpha001")
    (ascend / "cann").symlink_to("cann-8.5.0")
    (ascend / "nnal/atb/latest").symlink_to("8.2.RC2")
    found = [
        (entry.component, entry.version, entry.path, entry.family) for entry in found_on(tmp_path, "/data/cann").cann
    ]
    assert found == [
        ("kernels", "8.3.RC1.alpha001", old, None),
        ("nnal", "8.2.RC2", "/usr/local/Ascend/nnal/atb/8.2.RC2", None),
        ("ops", "8.5.0", new, "A2"),
        ("toolkit", "8.3.RC1.alpha001", old, None),
        ("toolkit", "8.5.0", new, None),
        ("toolkit", "9.0.0", "/data/cann/cann-9.0.0", None),
    ]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vendor packages there are, under which names, with which versions in them."""

from __future__ import annotations

import dataclasses

# PCI ids of the chips a package serves, as the vendor's installer looks for them with lspci.
CHIP_IDS = {"910": "19e5:d801", "910b": "19e5:d802", "A3": "19e5:d803", "310p": "19e5:d500"}
ARCHES = ("x86-64", "aarch64")


@dataclasses.dataclass(frozen=True)
class Hdk:
    """One release of driver and firmware. The spans say which versions of the other one each accepts."""

    version: str
    firmware: str
    accepts_firmware: str
    accepts_driver: str
    chips: tuple[str, ...]


# Pairs of names: published lists of packages (25.2.0, 25.5.0, 24.1.0.3), vLLM-Ascend's table (26.0.rc1). The spans of
# 25.x are those of published version.info files; those of 26.0.rc1 are assumed, so that something is too old for it.
RELEASES = (
    Hdk("24.1.0.3", "7.5.0.7.220", "[6.4.0,7.5.99]", "[23.0,23.0.],[24.0,24.0.],[24.1,24.1.],[25.2,25.2.]", ("910b",)),
    Hdk("25.2.0", "7.7.0.6.236", "[7.0.0,7.8.99]", "[24.1,24.1.],[25.0,25.0.],[25.2,25.2.],[25.5,25.5.]", ("910b",)),
    Hdk(
        "25.5.0", "7.8.0.5.216", "[7.0.0,7.8.99]", "[24.1,24.1.],[25.0,25.0.],[25.2,25.2.],[25.5,25.5.]",
        ("910b", "910", "310p", "A3"),
    ),
    Hdk("26.0.rc1", "9.0.0.0.205", "[7.8.0,9.9.99]", "[25.5,25.5.],[26.0,26.0.]", ("910b",)),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Package:
    """A ``.run``. ``sources`` maps files or folders of ``tests/lab/packages`` to names inside."""

    name: str
    label: str
    sources: dict[str, str]
    settings: dict[str, str]
    texts: dict[str, str]
    help_file: str
    scratch: str = "${TMPDIR:-/tmp}"
    known_options: str = ""


# Ascend Docker Runtime: version -> (how it calls itself, whether it asks for the EULA, whether it knows old options).
# 7.1.RC1, 26.0.1 and 26.1.0 of the vendor's published scripts differ in exactly these.
RUNTIMES = {
    "7.1.RC1": ("Ascend Docker Runtime", False, True),
    "26.0.1": ("ascend-docker-runtime", False, True),
    "26.1.0": ("ascend-docker-runtime", True, False),
}
RUNTIME_OPTIONS = (
    "--help --install --install-path --uninstall --upgrade --install-type --version --install-scene --config-file-path"
)
RUNTIME_OLD_OPTIONS = "--ce --check --info --list --quiet --tar"
CANN = ("8.1.RC1", "8.3.RC2", "8.5.0")
CANN_CHIPS = ("910b", "310p", "A3")
MACHINES = ("x86_64", "aarch64")


def packages() -> list[Package]:
    found = [package for hdk in RELEASES for chip in hdk.chips for package in _hdk(hdk, chip)]
    found += [_runtime(version, machine) for version in RUNTIMES for machine in MACHINES]
    return found + [package for version in CANN for machine in MACHINES for package in _cann(version, machine)]


def zips() -> dict[str, list[str]]:
    """``{zip name: names inside}``: the vendor's zip has driver and firmware of one chip and architecture."""
    return {
        f"Ascend-hdk-{chip}-npu_{hdk.version}_linux-{arch}.zip": [
            driver_name(hdk, chip, arch),
            firmware_name(hdk, chip),
        ]
        for hdk in RELEASES
        for chip in hdk.chips
        if chip != "A3"
        for arch in ARCHES
    }


def driver_name(hdk: Hdk, chip: str, arch: str) -> str:
    family = "Atlas-A3-hdk" if chip == "A3" else f"Ascend-hdk-{chip}"
    return f"{family}-npu-driver_{hdk.version}_linux-{arch}.run"


def firmware_name(hdk: Hdk, chip: str) -> str:
    family = "Atlas-A3-hdk" if chip == "A3" else f"Ascend-hdk-{chip}"
    return f"{family}-npu-firmware_{hdk.firmware}.run"


def _hdk(hdk: Hdk, chip: str) -> list[Package]:
    shared = {"hdk/common.sh": "common.sh", "hdk/uninstall.sh": "uninstall.sh"}
    drivers = [
        Package(
            driver_name(hdk, chip, arch),
            "ASCEND DRIVER RUN PACKAGE",
            {**shared, "hdk/driver.sh": "install.sh"},
            {"package_arch": arch, "chip_ids": CHIP_IDS[chip], "chip": chip.lower()},
            {"version.info": driver_info(hdk)},
            "hdk/driver.help",
        )
        for arch in ARCHES
    ]
    firmware = Package(
        firmware_name(hdk, chip),
        f"ASCEND-HDK-{chip.upper()}-NPU FIRMWARE RUN PACKAGE",
        {**shared, "hdk/firmware.sh": "install.sh"},
        {"chip_ids": CHIP_IDS[chip], "chip": chip.lower()},
        {"version.info": firmware_info(hdk)},
        "hdk/firmware.help",
    )
    return [*drivers, firmware]


def _runtime(version: str, machine: str) -> Package:
    title, eula, old = RUNTIMES[version]
    return Package(
        f"Ascend-docker-runtime_{version}_linux-{machine}.run",
        "ASCEND-DOCKER-RUNTIME RUN PACKAGE",
        {
            "runtime_installer/install.sh": "install.sh",
            "runtime_installer/common.sh": "common.sh",
            "runtime_installer/uninstall.sh": "uninstall.sh",
            "runtime_installer/agreement.txt": "agreement.txt",
            "runtime_installer/ascend-docker-plugin-install-helper": "ascend-docker-plugin-install-helper",
            "runtime_installer/base.list": "base.list",
            "docker_runtime/payload": "payload",
        },
        {
            "version": version,
            "title": title,
            "title_plain": title.lower(),
            "title_version": "Ascend-docker-runtime" if " " in title else title,
            "eula": "y" if eula else "n",
            "old_words": "y" if old else "n",
        },
        {},
        "runtime_installer/options_7.help" if old else "runtime_installer/options.help",
        scratch="${TMPDIR:-$HOME}",
        known_options=f"{RUNTIME_OPTIONS} {RUNTIME_OLD_OPTIONS}" if old else RUNTIME_OPTIONS,
    )


def _cann(version: str, machine: str) -> list[Package]:
    """Toolkit, what it needs for each chip, and nnal. Before 8.5 the operators are called kernels."""
    new = tuple(int(part) for part in version.split(".")[:2]) >= (8, 5)
    arch = f"linux-{machine}"
    found = [("toolkit", f"Ascend-cann-toolkit_{version}_{arch}", "", "Toolkit")]
    for chip in CANN_CHIPS:
        if new:
            found.append(("ops", f"Ascend-cann-{chip}-ops_{version}_{arch}", chip, "Ops"))
        elif chip != "A3":
            found.append(("kernels", f"Ascend-cann-kernels-{chip}_{version}_{arch}", chip, f"kernels_{chip}"))
    found.append(("nnal", f"Ascend-cann-nnal_{version}_{arch}", "", "Nnal"))
    return [
        Package(
            f"{name}.run",
            "ASCEND_RUN_PACKAGE",
            {"cann/install.sh": "install.sh", "cann/agreement.txt": "agreement.txt"},
            {
                "component": component,
                "tag": tag,
                "version": version,
                "innerversion": "V100R001C23SPC001B235",
                "package_arch": machine,
                "package_name": name,
                "chip": chip,
                "layout": "new" if new else "old",
            },
            {},
            "cann/options.help",
        )
        for component, name, chip, tag in found
    ]


def driver_info(hdk: Hdk) -> str:
    """Keys and order of a published ``driver/version.info``."""
    return _lines(
        Version=hdk.version,
        ascendhal_version="7.35.23",
        aicpu_version="1.0",
        tdt_version="1.0",
        log_version="1.0",
        prof_version="2.0",
        dvppkernels_version="1.1",
        tsfw_version="1.0",
        Innerversion="V100R001C23SPC005B219",
        compatible_version="[V100R001C30],[V100R001C18],[V100R001C20],[V100R001C21],[V100R001C23]",
        compatible_version_fw=hdk.accepts_firmware,
        package_version=hdk.version,
    )


def firmware_info(hdk: Hdk) -> str:
    return _lines(
        Version=hdk.firmware,
        firmware_version="1.0",
        package_version=hdk.version,
        compatible_version_drv=hdk.accepts_driver,
    )


def _lines(**values: str) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the lab's openEuler repository: real programs of Debian in RPMs with openEuler's names.

Runs at image build, on the system that will be the node: what is installed there is no dependency. A Debian package
becomes one RPM and requires the RPMs of those it brought with it; the container engine's parts become one RPM, as
openEuler packs them.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIST = "oe2203sp4"
RELEASEVER = "22.03LTS_SP4"
# RPM: Debian's package. Everything else that comes along keeps its name.
PACKAGES = {
    "createrepo_c": "createrepo-c",
    "gcc": "gcc",
    "make": "make",
    "net-tools": "net-tools",
    "pciutils": "pciutils",
    "python3-requests": "python3-requests",
    "systemd-udev": "udev",
    "unzip": "unzip",
}
ENGINE = "docker-engine"
ENGINE_PARTS = ("containerd", "docker.io", "runc", "tini")
# Packages of a minimal openEuler that the system underneath already answers for.
BASE = (
    "bash", "ca-certificates", "coreutils", "dbus", "dnf", "e2fsprogs", "findutils", "gawk", "gnupg2", "grep",
    "gzip", "hostname", "iproute", "iptables", "iputils", "kmod", "less", "openssh", "openssh-clients",
    "openssh-server", "passwd", "procps-ng", "python3", "python3-dnf", "python3-rpm", "rpm", "sed", "shadow",
    "sudo", "systemd", "tar", "util-linux", "which", "yum", "/bin/sh",
)  # fmt: skip
# Not part of a server image: node images leave them out as well.
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian")


@dataclasses.dataclass
class Rpm:
    """One RPM to build; ``root`` is the tree it installs, ``scripts`` are bodies of scriptlets by section."""

    name: str
    version: str
    summary: str
    release: str = f"1.{DIST}"
    noarch: bool = False
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    root: Path | None = None
    scripts: dict[str, str] = dataclasses.field(default_factory=dict)
    config: tuple[str, ...] = ()
    repository: str = "OS"

    def spec(self) -> str:
        lines = [
            "%global __os_install_post %{nil}",
            "%global debug_package %{nil}",
            "%global _build_id_links none",
            "%global _binary_payload w3.zstdio",
            f"Name: {self.name}",
            f"Version: {self.version}",
            f"Release: {self.release}",
            f"Summary: {self.summary}",
            "License: see the Debian package",
            "Vendor: npuops lab",
            "AutoReqProv: no",
            *(["BuildArch: noarch"] if self.noarch else []),
            *[f"Requires: {name}" for name in self.requires],
            *[f"Provides: {name}" for name in self.provides],
            "%description",
            self.summary,
            "%install",
            f"cp -a {self.root}/. %{{buildroot}}/" if self.root else "true",
        ]
        for section, body in self.scripts.items():
            lines += [f"%{section}", body]
        return "\n".join([*lines, "%files", *self._files()]) + "\n"

    def _files(self) -> list[str]:
        if self.root is None:
            return []
        found = [path for path in sorted(self.root.rglob("*")) if path.is_symlink() or not path.is_dir()]
        names = ["/" + str(path.relative_to(self.root)) for path in found]
        return [("%config(noreplace) " if name in self.config else "") + f'"{name}"' for name in names]


def run(*argv: str, cwd: Path | None = None) -> str:
    """Output of a command; its errors end the build."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout


def brought(package: str) -> list[str]:
    """Debian packages that installing one brings, itself among them."""
    simulated = run("apt-get", "install", "--simulate", "--no-install-recommends", package)
    return sorted(re.findall(r"^Inst (\S+)", simulated, re.MULTILINE))


def rpm_version(text: str) -> str:
    """Upstream version of a Debian one: no epoch, no revision, only what RPM allows.

    >>> rpm_version("4:12.2.0-14+deb12u1")
    '12.2.0'
    """
    upstream = text.split(":", 1)[-1].rsplit("-", 1)[0]
    return re.sub(r"[^A-Za-z0-9._+~^]", ".", re.sub(r"\+(dfsg|really|ds).*", "", upstream))


def extract(package: str, scratch: Path) -> tuple[Path, str, bool]:
    """Download and unpack a Debian package: its tree, version, and whether it is for any architecture."""
    folder = scratch / "debs" / package
    folder.mkdir(parents=True)
    run("apt-get", "--option", "APT::Sandbox::User=root", "download", package, cwd=folder)
    deb = next(folder.glob("*.deb"))
    version, arch = (run("dpkg-deb", "--field", str(deb), field).strip() for field in ("Version", "Architecture"))
    root = folder / "root"
    run("dpkg-deb", "--extract", str(deb), str(root))
    for name in ("bin", "lib", "lib64", "sbin"):  # merged into /usr, as they are on the node
        if (root / name).is_dir():
            shutil.copytree(root / name, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(root / name)
    for name in LEFT_OUT:
        shutil.rmtree(root / name, ignore_errors=True)
    return root, rpm_version(version), arch == "all"


def converted(scratch: Path) -> list[Rpm]:
    """Everything of ``PACKAGES`` with what it brings, and the engine."""
    renamed = {debian: name for name, debian in PACKAGES.items()}
    closures = {package: brought(package) for package in [*PACKAGES.values(), "docker.io"]}
    rpms = {}
    for package in sorted({name for closure in closures.values() for name in closure} - set(ENGINE_PARTS)):
        root, version, noarch = extract(package, scratch)
        requires = tuple(renamed.get(n, n) for n in closures.get(package, []) if n != package)
        name = renamed.get(package, package)
        rpms[name] = Rpm(name, version, f"{package} of Debian", noarch=noarch, requires=requires, root=root)
    others = tuple(renamed.get(name, name) for name in closures["docker.io"] if name not in ENGINE_PARTS)
    return [*rpms.values(), engine(scratch, others)]


def engine(scratch: Path, requires: tuple[str, ...]) -> Rpm:
    """openEuler's ``docker-engine``: client, daemon, containerd and runc in one, one unit, no socket unit."""
    root = scratch / ENGINE
    for part in ENGINE_PARTS:
        tree = extract(part, scratch)[0]
        shutil.copytree(tree / "usr", root / "usr", symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(root / "usr/lib/systemd", ignore_errors=True)
    for name in ("dockerd", "docker-proxy", "runc"):
        (root / "usr/sbin" / name).replace(root / "usr/bin" / name)
    shutil.rmtree(root / "usr/sbin")
    init = root / "usr/bin/docker-init"
    init.unlink()
    shutil.copy2(root / "usr/bin/tini-static", init)
    units, settings = root / "usr/lib/systemd/system", root / "etc/sysconfig"
    units.mkdir(parents=True)
    settings.mkdir(parents=True)
    shutil.copy(HERE / ENGINE / "docker.service", units)
    shutil.copy(HERE / ENGINE / "docker.sysconfig", settings / "docker")
    for name in ("DOCKER_STORAGE_OPTIONS", "DOCKER_NETWORK_OPTIONS"):
        (settings / name.rpartition("_")[0].lower().replace("_", "-")).write_text(f"{name}=\n")
    return Rpm(
        ENGINE,
        "18.09.0",
        "The open-source application container engine",
        release=f"343.{DIST}",
        requires=("iptables", *requires),
        provides=("docker = 18.09.0", "docker-ce = 18.09.0"),
        root=root,
        config=("/etc/sysconfig/docker", "/etc/sysconfig/docker-storage", "/etc/sysconfig/docker-network"),
        scripts={
            "pre": "getent group docker >/dev/null || groupadd --system docker",
            "post": "systemctl daemon-reload >/dev/null 2>&1 || :",
            "preun": 'if [ "$1" -eq 0 ]; then systemctl disable --now docker.service >/dev/null 2>&1 || :; fi',
            "postun": "systemctl daemon-reload >/dev/null 2>&1 || :",
        },
    )


def own(scratch: Path) -> list[Rpm]:
    """RPMs without a Debian package to take, and dkms, whose Debian dependencies are Debian's build tools."""
    release = scratch / "openEuler-release"
    (release / "etc").mkdir(parents=True)
    (release / "usr/lib").mkdir(parents=True)
    (release / "etc/openEuler-release").write_text("openEuler release 22.03 (LTS-SP4)\n")
    (release / "etc/system-release").symlink_to("openEuler-release")
    (release / "usr/lib/os-release").write_text(
        'NAME="openEuler"\nVERSION="22.03 (LTS-SP4)"\nID="openEuler"\nVERSION_ID="22.03"\n'
        'PRETTY_NAME="openEuler 22.03 (LTS-SP4)"\nANSI_COLOR="0;31"\n'
    )
    (release / "etc/os-release").symlink_to("../usr/lib/os-release")
    dkms_root, dkms_version, noarch = extract("dkms", scratch)
    link = "mkdir -p /lib/modules/$(uname -r) && ln -sfn /usr/src/kernels/lab /lib/modules/$(uname -r)/build"
    headers = scratch / "kernel-devel"
    (headers / "usr/src/kernels/lab").mkdir(parents=True)
    (headers / "usr/src/kernels/lab/Makefile").write_text("# The kernel is the host's: nothing is built against it.\n")
    return [
        Rpm("npuops-lab-base", "1", "What the node has without a package", noarch=True, provides=tuple(BASE)),
        Rpm(
            "openEuler-release", RELEASEVER, "openEuler release files", noarch=True, root=release, release=f"58.{DIST}",
            provides=("system-release", f"system-release(releasever) = {RELEASEVER}"),
        ),
        Rpm(
            "dkms", dkms_version, "Dynamic Kernel Module Support Framework", noarch=noarch, root=dkms_root,
            requires=("gcc", "kernel-devel", "make"), repository="EPOL",
        ),
        Rpm(
            "kernel-devel", "5.10.0", "Files to build kernel modules", release=f"216.0.0.115.{DIST}", root=headers,
            provides=("kernel-devel-uname-r", "kernel-headers = 5.10.0"), scripts={"post": link},
        ),
    ]  # fmt: skip


def build(rpms: list[Rpm], target: Path, scratch: Path) -> None:
    """Build the RPMs into ``target/<repository>/<arch>`` and make repositories of them."""
    arch = os.uname().machine
    for rpm in rpms:
        folder = target / rpm.repository / arch
        folder.mkdir(parents=True, exist_ok=True)
        spec = scratch / f"{rpm.name}.spec"
        spec.write_text(rpm.spec())
        run(
            "rpmbuild", "-bb", "--quiet", "--define", f"_topdir {scratch / 'rpmbuild'}",
            "--define", f"_rpmdir {folder}", "--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            str(spec),
        )  # fmt: skip
    for folder in sorted(target.glob(f"*/{arch}")):
        run("createrepo_c", "--quiet", "--no-database", str(folder))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("target", type=Path, help="folder of the repositories")
    target = options.parse_args().target.resolve()
    scratch = Path("/var/tmp/rpms")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    build([*own(scratch), *converted(scratch)], target, scratch)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()

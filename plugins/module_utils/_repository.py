# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A distribution's packages with all they need, as a repository in a directory and as one file.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

apt and dnf choose and fetch the packages, as if for a machine on which nothing is installed, because what the later
machine lacks is not known here. They check signatures as this machine is configured to.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import os
import re
import tarfile
import tempfile

from ._run import VendorError, run

# Of one command of a package manager: some download hundreds of megabytes.
TIMEOUT = 3600.0
_URI = re.compile(r"^'[^']+' (\S+\.deb) \d+", re.MULTILINE)


class RepositoryError(VendorError):
    """A package manager did not give the packages."""


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def must(argv, remedy, declined=None):
    """Standard output of a command that succeeds, or that was told not to go on and says so: C(declined)."""
    done = run(argv, TIMEOUT, missing=remedy)
    if done.rc != 0 and not (declined and declined in done.stdout + done.stderr):
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise RepositoryError("; ".join(said[-3:]) or f"it ended with {done.rc}", remedy, done)
    return done.stdout


class Apt:
    """A flat repository for ``deb [trusted=yes] file:DIRECTORY ./``."""

    remedy = "Mend apt's sources on this machine (apt-get update must pass), or the names of the packages."

    def __init__(self, directory, names, command=must):
        self.directory = directory
        self.names = list(names)
        self.command = command

    def update(self):
        self.command(["apt-get", "-qq", "update"], self.remedy)

    def wanted(self):
        """Files that the repository would have by what apt knows now, without a download; sorted."""
        return sorted(self._wanted())

    def collect(self):
        """Bring the directory to what apt answers now; whether that changed it."""
        wanted = self._wanted()
        packages = stanzas(self._show(wanted), wanted)
        sums = checksums(packages)
        before = set(contents(self.directory))
        sound = {name for name in before & set(wanted) if sha256(os.path.join(self.directory, name)) == sums[name]}
        for name in before - sound:
            os.unlink(os.path.join(self.directory, name))
        if set(wanted) - sound:
            self._fetch(wanted, sound)
            for name in set(wanted) - sound:
                if sha256(os.path.join(self.directory, name)) != sums[name]:
                    raise RepositoryError(f"{name} is not what the index of its source says", self.remedy)
        index = os.path.join(self.directory, "Packages")
        if before == sound == set(wanted) and _read(index) == packages:
            return False
        _write(index, packages)
        _write(os.path.join(self.directory, "Release"), release(packages))
        return True

    def _apt_get(self, archives, *words):
        os.mkdir(os.path.join(archives, "partial"))
        options = {
            "Dir::State::Status": "/dev/null",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Cache::Archives": archives + "/",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "true",
        }
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return self.command(["apt-get", *flags, "-qq", "-y", *words, "install", *self.names], self.remedy)

    def _wanted(self):
        """``{file of the repository: its name in apt's cache}``."""
        with tempfile.TemporaryDirectory() as empty:
            text = self._apt_get(empty, "--print-uris")
        return {plain_name(cached): cached for cached in _URI.findall(text)}

    def _show(self, wanted):
        return self.command(["apt-cache", "show", *map(package_of, wanted.values())], self.remedy)

    def _fetch(self, wanted, sound):
        with tempfile.TemporaryDirectory(dir=self.directory, prefix=".archives-") as archives:
            for name in sound:
                os.link(os.path.join(self.directory, name), os.path.join(archives, wanted[name]))
            self._apt_get(archives, "--download-only")
            for name, cached in wanted.items():
                os.replace(os.path.join(archives, cached), os.path.join(self.directory, name))


def plain_name(cached):
    """A file name without the epoch, as Debian's pools have it: the ``%3a`` of apt's cache would need quoting."""
    return re.sub(r"_\d+%3a", "_", cached)


def package_of(cached):
    """``name:architecture=version`` of a file in apt's cache."""
    name, version, arch = cached[: -len(".deb")].split("_")
    return f"{name}{'' if arch == 'all' else ':' + arch}={version.replace('%3a', ':')}"


def stanzas(text, names):
    """The ``Packages`` file: what ``apt-cache show`` says of these files, with their names in the repository."""
    kept = {}
    for stanza in text.strip().split("\n\n"):
        match = re.search(r"^Filename: (\S+)$", stanza, re.MULTILINE)
        name = match and match.group(1).rsplit("/", 1)[-1]
        if name in names and name not in kept:
            kept[name] = stanza.replace(match.group(0), f"Filename: ./{name}")
    missing = sorted(set(names) - set(kept))
    if missing:
        raise RepositoryError(f"apt-cache does not show {', '.join(missing)}", "Run apt-get update, and this again.")
    return "".join(kept[name] + "\n\n" for name in sorted(kept))


def checksums(packages):
    """``{file: sha256}`` of a ``Packages`` file."""
    fields = (dict(re.findall(r"^(Filename|SHA256): (\S+)$", text, re.MULTILINE)) for text in packages.split("\n\n"))
    return {field["Filename"][2:]: field["SHA256"] for field in fields if field}


def release(packages):
    """The ``Release`` file over a ``Packages`` file, so that apt notices damage. It is not signed."""
    body = packages.encode()
    return (
        f"Origin: npuops\nSuite: bundle\nDate: {email.utils.formatdate(usegmt=True).replace('GMT', 'UTC')}\n"
        f"SHA256:\n {hashlib.sha256(body).hexdigest()} {len(body)} Packages\n"
    )


class Dnf:
    """A repository that createrepo_c indexed."""

    remedy = "Mend dnf's repositories on this machine (dnf makecache must pass), or the names of the packages."

    def __init__(self, directory, names, command=must):
        self.directory = directory
        self.names = list(names)
        self.command = command

    def update(self):
        """Nothing to do: an empty root has no metadata yet."""

    def wanted(self):
        """Files that the repository would have by what dnf's repositories offer now, without a download; sorted."""
        with tempfile.TemporaryDirectory(prefix="npuops-") as root:
            return transaction(self._dnf(root, "--assumeno", "install", declined="Operation aborted"))

    def collect(self):
        """Bring the directory to what dnf answers now; whether that changed it. All is downloaded again."""
        with tempfile.TemporaryDirectory(dir=self.directory, prefix=".root-") as root:
            fetched = os.path.join(root, "fetched")
            os.mkdir(fetched)
            self._dnf(root, "-y", "-q", "install", "--downloadonly", f"--downloaddir={fetched}")
            if checksums_of(fetched) == checksums_of(self.directory) and os.path.isdir(
                os.path.join(self.directory, "repodata")
            ):
                return False
            for name in contents(self.directory):
                os.unlink(os.path.join(self.directory, name))
            for name in contents(fetched):
                os.replace(os.path.join(fetched, name), os.path.join(self.directory, name))
        self.command(
            ["createrepo_c", "--quiet", "--no-database", "--excludes=.root-*", self.directory],
            "Install createrepo_c on this machine.",
        )
        return True

    def _dnf(self, root, *words, declined=None):
        release_words = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', _read("/etc/os-release"), re.MULTILINE))
        options = [
            f"--installroot={root}", f"--releasever={release_words.get('VERSION_ID', '')}",
            "--setopt=reposdir=/etc/yum.repos.d", "--setopt=install_weak_deps=False",
        ]  # fmt: skip
        return self.command(["dnf", *options, *words, *self.names], self.remedy, declined)


def transaction(text):
    """Files of the packages in the table that dnf shows before it asks. It breaks rows that are longer than 80 columns.

    A row is name, architecture, version, repository, size and its unit; headings end with a colon.
    """
    table = re.search(r"^=+\n[^=]+\n=+\n(.*?)^Transaction Summary", text, re.DOTALL | re.MULTILINE)
    rows = [line for line in (table.group(1) if table else "").splitlines() if line.startswith(" ")]
    cells = " ".join(rows).split()
    if not cells or len(cells) % 6:
        raise RepositoryError(f"dnf's table of packages cannot be read: {text[-300:]!r}", "Report this with the text.")
    packages = (cells[at : at + 3] for at in range(0, len(cells), 6))
    return sorted(f"{name}-{version.rsplit(':', 1)[-1]}.{arch}.rpm" for name, arch, version in packages)


def contents(directory):
    """The packages in a directory, sorted; none where there is no such directory."""
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith((".deb", ".rpm")))
    except FileNotFoundError:
        return []


def checksums_of(directory):
    """``{file: sha256}`` of the packages in a directory."""
    return {name: sha256(os.path.join(directory, name)) for name in contents(directory)}


def pack(directory, path):
    """One tar of a directory, the same bytes for the same content; whether the file was written."""
    partial = path + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial)
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
        for folder, folders, files in os.walk(directory):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                source = os.path.join(folder, name)
                entry = tarfile.TarInfo(os.path.relpath(source, directory))
                entry.size = os.path.getsize(source)
                entry.mode = 0o644
                with open(source, "rb") as handle:
                    tar.addfile(entry, handle)
    if os.path.exists(path) and sha256(path) == sha256(partial):
        os.unlink(partial)
        return False
    os.replace(partial, path)
    return True


def _read(path):
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return ""


def _write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as handle:
        handle.write(text)
    os.replace(path + ".new", path)

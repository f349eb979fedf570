# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the lab: built when their inputs change, and the serving images filled into the lab registry's storage.

Each image carries the label ``npuops.lab.hash``, a hash of everything it is made of; equal hash, no build.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from lab import engine, host
from lab.common import CACHE_DIR, LAB_DIR, ROOT, LabError, Step, docker, run, say, wait_for

BASE = "npuops-lab/base"
NODES = {"debian": "npuops-lab/node", "openeuler": "npuops-lab/node-openeuler"}
OPENEULER = "npuops-lab/openeuler"  # below its node image, which changes with the emulator
REGISTRY = "npuops-lab/registry"
HASH_LABEL = "npuops.lab.hash"
UPSTREAM_BASE = "debian:bookworm-slim"
BOOTSTRAP = "npuops-lab/bootstrap"
PACKAGES = "bash,ca-certificates,iproute2,iputils-ping,procps,python3"
RELEASES = ("v0.11.0", "v0.23.0")
# Upstream builds an image for each chip family; the stand-in is the same for all, so they differ in the tag only.
SUFFIXES = ("", "-a3", "-310p")
SERVING = "ascend/vllm-ascend"
IMAGES_DIR = LAB_DIR / "images"
REGISTRY_STORAGE = CACHE_DIR / "registry"


def content_hash(paths: list[Path], *extra: str) -> str:
    """Hash of files and folders (names below the given path, modes, contents) and further strings."""
    digest = hashlib.sha256()
    for top in paths:
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        for file in files:
            if "__pycache__" in file.parts:
                continue
            digest.update(f"{file.relative_to(top.parent)}\0{os.access(file, os.X_OK)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    for text in extra:
        digest.update(f"\0{text}".encode())
    return digest.hexdigest()[:16]


def labels(*names: str) -> dict[str, tuple[str, str]]:
    """``{image: (id, content hash)}`` of those of ``names`` that exist."""
    form = '{{.Id}}|{{index .Config.Labels "' + HASH_LABEL + '"}}'
    found = {}
    for name in names:
        done = docker("image", "inspect", "--format", form, name, check=False)
        if done.returncode == 0:
            image_id, value = done.stdout.strip().split("|")
            found[name] = (image_id, value)
    return found


def build(name: str, wanted: str, context: Path, *arguments: str) -> None:
    """``docker build``; on the host's network, whose MTU and name servers are right by definition."""
    docker(
        "build", "--network", "host", "--label", f"{HASH_LABEL}={wanted}", "--tag", name,
        *host.proxy_arguments(), *arguments, str(context),
        log="images.log", timeout=1200,
    )  # fmt: skip


def ensure(systems: Iterable[str] = ("debian",)) -> dict[str, str]:
    """Build what is missing or out of date; returns ``{image: id}`` of base, registry and nodes of these systems."""
    nodes = [NODES[system] for system in sorted(set(systems))]
    found = labels(BASE, *nodes, OPENEULER, REGISTRY)
    ids = {BASE: _ensure_base(found)}
    for name in (REGISTRY, *nodes):
        folder = IMAGES_DIR / name.rpartition("/")[2]
        sources = [folder] + ([LAB_DIR / "npusim"] if name in nodes else [])
        below = ids[BASE]
        if name == NODES["openeuler"]:
            below = _ensure_derived(OPENEULER, found, [IMAGES_DIR / "openeuler"], below)
            sources.append(IMAGES_DIR / "node")  # nodes share their root file system's own files
        ids[name] = _ensure_derived(name, found, sources, below)
    _ensure_serving(ids[REGISTRY])
    return ids


def _ensure_base(found: dict[str, tuple[str, str]]) -> str:
    folder = IMAGES_DIR / "base"
    certificates = host.certificates()
    sources, options = host.sources_list(), host.host_apt_options()
    wanted = content_hash([folder, *certificates], sources, options)
    if found.get(BASE, ("", ""))[1] == wanted:
        return found[BASE][0]
    start = _bootstrap_image(sources)
    with Step(f"build {BASE}"), tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(folder, context)
        (context / "host" / "certificates").mkdir(parents=True)
        (context / "host" / "sources.list").write_text(sources)
        (context / "host" / "apt.conf").write_text(options)
        for number, file in enumerate(certificates):
            shutil.copyfile(file, context / "host" / "certificates" / f"{number:02}-{file.stem}.crt")
        build(BASE, wanted, context, "--build-arg", f"BOOTSTRAP={start}")
    return labels(BASE)[BASE][0]


def _bootstrap_image(sources: str) -> str:
    """An image of a minimal bookworm: pulled, or made from Debian's archive and imported."""
    for name in (UPSTREAM_BASE, BOOTSTRAP):
        if docker("image", "inspect", name, check=False).returncode == 0:
            return name
    with Step(f"pull {UPSTREAM_BASE}") as step:
        try:
            if docker("pull", "--quiet", UPSTREAM_BASE, check=False, timeout=60, log="images.log").returncode == 0:
                return UPSTREAM_BASE
        except LabError:
            step.note = "too slow; "
        step.note += "not reachable, a root file system is made from Debian's archive instead"
    if not shutil.which("debootstrap"):
        engine.need("mmdebstrap", "mmdebstrap")
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    tarball = CACHE_DIR / "bookworm.tar"
    with Step("bootstrap Debian bookworm"):
        _bootstrap(tarball, sources)
        docker("import", str(tarball), BOOTSTRAP, timeout=300)
        tarball.unlink()
    return BOOTSTRAP


def _bootstrap(tarball: Path, sources: str) -> None:
    """Write a bookworm root file system to ``tarball`` with mmdebstrap, or debootstrap where there is none."""
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keyring.exists() and os.geteuid() == 0:  # Ubuntu has its own
        engine.install("debian-archive-keyring")
    if shutil.which("mmdebstrap"):
        options = [f"--aptopt={line.rstrip(';')}" for line in host.host_apt_options().splitlines()]
        run(
            ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", f"--keyring={keyring}", *options,
             f"--dpkgopt={IMAGES_DIR / 'base' / 'dpkg.cfg'}", "bookworm", str(tarball), *sources.splitlines()],
            log="images.log", timeout=900,
        )  # fmt: skip
        return
    if os.geteuid() != 0:
        raise LabError("debootstrap needs root: install mmdebstrap, which does not, or run as root.")
    with tempfile.TemporaryDirectory(dir=CACHE_DIR) as root:
        mirror = sources.split()[1]
        run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", f"--keyring={keyring}", "bookworm", root,
             mirror],
            log="images.log", timeout=1200,
        )  # fmt: skip
        run(["tar", "-C", root, "--numeric-owner", "-cf", str(tarball), "."], timeout=300)


def _ensure_derived(name: str, found: dict[str, tuple[str, str]], sources: list[Path], base_id: str) -> str:
    wanted = content_hash(sources, base_id)
    if found.get(name, ("", ""))[1] == wanted:
        return found[name][0]
    with Step(f"build {name}"), tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(sources[0], context)
        for extra in sources[1:]:
            shutil.copytree(extra, context / extra.name, ignore=shutil.ignore_patterns("__pycache__"))
        build(name, wanted, context)
    return labels(name)[name][0]


def build_python() -> str:
    """The interpreter with pip that the serving images' builder uses: the checkout's environment, else this one."""
    venv = ROOT / ".venv" / "bin" / "python"
    return str(venv) if venv.exists() else sys.executable


def _ensure_serving(registry_id: str) -> None:
    """Build the serving images and push those whose storage in the registry is not of the same image."""
    builder = IMAGES_DIR / "vllm-ascend" / "build.py"
    releases = [word for release in RELEASES for word in ("--release", release)]
    python = build_python()
    with Step("serving images"):
        run(
            [python, str(builder), "--python", python, "--cache", str(CACHE_DIR), *releases],
            log="images.log", timeout=1800,
        )  # fmt: skip
    built = {release: f"quay.io/{SERVING}:{release}" for release in RELEASES}
    found = labels(*built.values())
    missing = sorted(set(built.values()) - set(found))
    if missing:
        raise LabError(f"{builder} did not make {', '.join(missing)}.")
    wanted = {
        reference + suffix: (release + suffix, found[reference][0])
        for release, reference in built.items()
        for suffix in SUFFIXES
    }
    push_stale(registry_id, SERVING, wanted)


def push_stale(registry_id: str, repository: str, wanted: dict[str, tuple[str, str]]) -> None:
    """Push those of ``{reference: (tag, image id)}`` whose storage in the registry is not of the same image."""
    pushed = _read_pushed()
    stale = {
        reference: (tag, image_id)
        for reference, (tag, image_id) in wanted.items()
        if not is_pushed(REGISTRY_STORAGE, pushed, reference, tag, image_id, repository)
    }
    if stale:
        _push(registry_id, repository, stale, pushed)


def _read_pushed() -> dict[str, dict[str, str]]:
    try:
        return json.loads((CACHE_DIR / "pushed.json").read_text())
    except (OSError, ValueError):
        return {}


def is_pushed(
    storage: Path,
    pushed: dict[str, dict[str, str]],
    reference: str,
    tag: str,
    image_id: str,
    repository: str = SERVING,
) -> bool:
    """Whether ``storage`` (a registry's root folder) holds ``image_id`` as ``reference``.

    ``pushed`` maps a reference to the image id and manifest digest of the last push; the tag's link must still name
    that digest.
    """
    last = pushed.get(reference, {})
    link = storage / "docker/registry/v2/repositories" / repository / "_manifests/tags" / tag / "current/link"
    try:
        return last.get("image") == image_id and link.read_text().strip() == last.get("digest")
    except OSError:
        return False


def _push(
    registry_id: str, repository: str, wanted: dict[str, tuple[str, str]], pushed: dict[str, dict[str, str]]
) -> None:
    """Push ``{reference: (tag, image id)}`` through a registry that lives only for it, on a loopback port.

    Engines take plain HTTP from loopback addresses without configuration.
    """
    name = f"npuops-push-{os.getpid()}"
    docker(
        "run", "-d", "--rm", "--name", name, "--label", f"{engine.LABEL}=push", "-p", "127.0.0.1::80",
        *registry_arguments(), registry_id,
    )  # fmt: skip
    try:
        address = docker("port", name, "80/tcp").stdout.split()[0]
        wait_registry(address)
        for reference, (tag, image_id) in wanted.items():
            with Step(f"push {reference} to the lab registry"):
                target = f"{address}/{repository}:{tag}"
                docker("tag", image_id, target)
                try:
                    text = docker("push", target, timeout=1200).stdout
                finally:
                    docker("rmi", target, check=False)
                digest = re.search(r"digest: (sha256:[0-9a-f]{64})", text)
                if not digest:
                    raise LabError(f"docker push {target} printed no digest: {text.strip()[-300:]}")
                pushed[reference] = {"image": image_id, "digest": digest.group(1)}
                (CACHE_DIR / "pushed.json").write_text(json.dumps(pushed, indent=2) + "\n")
    finally:
        docker("rm", "-f", name, check=False)


def registry_arguments() -> list[str]:
    """``docker run`` options of every registry container: its storage, written as the calling user."""
    REGISTRY_STORAGE.mkdir(parents=True, exist_ok=True)
    return [
        "--user", f"{os.getuid()}:{os.getgid()}", "--sysctl", "net.ipv4.ip_unprivileged_port_start=0",
        "--volume", f"{REGISTRY_STORAGE}:/var/lib/registry",
    ]  # fmt: skip


def wait_registry(address: str) -> None:
    """Wait until a registry answers its API at ``address`` (host or host:port)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answers() -> bool:
        try:
            with opener.open(f"http://{address}/v2/", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError) as error:
            answers.why = str(error)
            return False

    wait_for(f"the registry at {address}", answers, seconds=20, interval=0.1)


def prune() -> None:
    """Remove images of ours that a newer build has replaced and no container uses."""
    docker("image", "prune", "--force", "--filter", f"label={HASH_LABEL}", check=False)


def show(ids: dict[str, str]) -> None:
    for name, image_id in ids.items():
        say(f"    {name:20} {image_id.removeprefix('sha256:')[:12]}")

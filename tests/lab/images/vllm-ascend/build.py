#!/usr/bin/env python3
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the lab's stand-ins for the vLLM-Ascend images with the docker command line.

Ray is installed by the host's pip (with its index settings) for the image's Python, into a cache. Each image carries
a hash of what it was made from; an equal hash means nothing to do.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASE = "npuops-lab/base"
RAY_IMAGE = "npuops-lab/ray"
NAME = "quay.io/ascend/vllm-ascend"
HASH_LABEL = "npuops.lab.hash"
IMAGE_PYTHON = "3.11"

# What `ray start`, the command line and Python actors do without; 90 MB of 220.
UNUSED = (
    "bin", "ray/jars", "ray/rllib", "ray/dashboard/client", "ray/data", "ray/tune", "ray/serve", "ray/train", "ray/llm",
    "ray/air", "ray/cpp", "ray/java",
)  # fmt: skip


class BuildError(Exception):
    """Told to the user in one line."""


def call(argv: list[str], what: str, capture: bool = False) -> str:
    """Run a command; its output goes to ours, or is returned.

    :raises BuildError: it failed
    """
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE if capture else None, text=True, check=False)
    except OSError as error:
        raise BuildError(f"{what}: {argv[0]}: {error.strerror}") from error
    if done.returncode:
        raise BuildError(f"{what} failed ({' '.join(argv[:3])} … ended with code {done.returncode})")
    return (done.stdout or "").strip()


def inspect(image: str, form: str) -> str:
    """One value of a local image; empty when there is no such image."""
    argv = ["docker", "image", "inspect", "--format", form, image]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip()


def image_id(image: str) -> str:
    """The id of a local image, empty when it is missing."""
    return inspect(image, "{{.Id}}")


def content_hash(paths: list[Path], *extra: str) -> str:
    """Hash of names, modes and contents of files and folders, and of further words."""
    digest = hashlib.sha256("\0".join(extra).encode())
    for top in paths:
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(HERE)}\0{path.stat().st_mode & 0o111:o}\0".encode())
                digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def build(image: str, dockerfile: Path, context: Path, wanted: str, *arguments: str) -> None:
    """Build `image` unless it was made from the same things."""
    if inspect(image, f'{{{{index .Config.Labels "{HASH_LABEL}"}}}}') == wanted:
        print(f"{image}: up to date", flush=True)
        return
    print(f"{image}: building", flush=True)
    words = [word for argument in arguments for word in ("--build-arg", argument)]
    command = ["docker", "build", "--quiet", "--tag", image, "--label", f"{HASH_LABEL}={wanted}"]
    call([*command, *words, "--file", str(dockerfile), str(context)], f"building {image}")


def install_ray(python: str, cache: Path) -> Path:
    """A folder with Ray and its requirements for the image's Python; kept in the cache by what it holds."""
    requirements = HERE / "ray-requirements.txt"
    place = cache / "ray" / content_hash([requirements], *UNUSED)
    if place.exists():
        return place
    unfinished = place.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    target = unfinished / "site-packages"
    print("installing Ray for the serving images", flush=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    platform = ["--python-version", IMAGE_PYTHON, "--implementation", "cp", "--only-binary=:all:"]
    call([*pip, *platform, "--target", str(target), "--requirement", str(requirements)], "installing Ray with pip")
    for name in UNUSED:
        shutil.rmtree(target / name, ignore_errors=True)
    unfinished.rename(place)
    return place


def build_all(python: str, cache: Path, releases: list[str]) -> None:
    """Ray's layer, then a small one for each release.

    :raises BuildError: with one line that says what is missing or failed
    """
    known = sorted(path.stem for path in (HERE / "releases").glob("*.json"))
    for release in releases:
        if release not in known:
            raise BuildError(f"no release {release}; there are {', '.join(known)}")
    base = image_id(BASE)
    if not base:
        raise BuildError(f"image {BASE} is missing (or no Docker engine answers): labctl builds it")
    context = install_ray(python, cache)
    dockerfile = HERE / "Dockerfile.ray"
    build(RAY_IMAGE, dockerfile, context, content_hash([dockerfile], base, context.name))
    dockerfile = HERE / "Dockerfile"
    for release in releases:
        parts = [dockerfile, HERE / "rootfs", HERE / "releases" / f"{release}.json"]
        wanted = content_hash(parts, image_id(RAY_IMAGE))
        build(f"{NAME}:{release}", dockerfile, HERE, wanted, f"RAY_IMAGE={RAY_IMAGE}", f"RELEASE={release}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="an interpreter with pip (default: this one)")
    parser.add_argument("--cache", type=Path, required=True, help="where Ray's installation is kept between builds")
    parser.add_argument("--release", action="append", required=True, help="image tag, such as v0.23.0; repeatable")
    args = parser.parse_args()
    try:
        build_all(args.python, args.cache.resolve(), args.release)
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

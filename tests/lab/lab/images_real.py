# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image with real vLLM: 2 GB, so it is built and pushed only on demand (``labctl images --real``)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab import images
from lab.common import CACHE_DIR, LabError, Step, run

# A name of its own where the nodes look for images; the tag is vLLM's release, by which its flags are checked.
REPOSITORY = "npuops/vllm-ascend"
TAG = "v0.32.0"
IMAGE = f"quay.io/{REPOSITORY}:{TAG}"
BASE = "npuops-lab/real-vllm"
FOLDER = images.IMAGES_DIR / "real-vllm"
IMAGE_PYTHON = "3.11"
# PyTorch's own index of its CPU builds; pip's configuration may know them from elsewhere.
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
# What serving on a CPU does without.
UNUSED = (
    "bin", "torch/test", "torch/include", "torch/bin/protoc", "torch/bin/protoc-3.13.0.0", "pycountry/locales",
    "ray/jars", "ray/rllib", "ray/dashboard/client", "ray/data", "ray/tune", "ray/serve", "ray/train", "ray/llm",
    "ray/air", "ray/cpp", "ray/java",
)  # fmt: skip


def ensure(ids: dict[str, str]) -> dict[str, str]:
    """Install, build and push what is missing or out of date; returns ``{image: id}`` of the two.

    ``ids`` is what ``images.ensure`` returned.
    """
    site = _install()
    dockerfile = FOLDER / "Dockerfile.vllm"
    base = _build(BASE, images.content_hash([dockerfile], ids[images.BASE], site.name), site, dockerfile)
    sources = [FOLDER / "Dockerfile", FOLDER / "rootfs"]
    image = _build(IMAGE, images.content_hash(sources, base), FOLDER, FOLDER / "Dockerfile")
    images.push_stale(ids[images.REGISTRY], REPOSITORY, {IMAGE: (TAG, image)})
    return {BASE: base, IMAGE: image}


def _build(name: str, wanted: str, context: Path, dockerfile: Path) -> str:
    found = images.labels(name)
    if found.get(name, ("", ""))[1] != wanted:
        with Step(f"build {name}"):
            images.build(name, wanted, context, "--file", str(dockerfile))
    return images.labels(name)[name][0]


def _install() -> Path:
    """A folder with vLLM and its requirements for the image's Python; kept in the cache by what it holds."""
    requirements = FOLDER / "requirements.txt"
    place = CACHE_DIR / "real-vllm" / images.content_hash([requirements], *UNUSED)
    if place.exists():
        return place
    unfinished = place.with_suffix(".part")
    shutil.rmtree(place.parent, ignore_errors=True)  # of an older release
    target = unfinished / "site-packages"
    python = images.build_python()
    command = [
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps",
        "--python-version", IMAGE_PYTHON, "--implementation", "cp", "--only-binary=:all:", "--target", str(target),
        "--requirement", str(requirements),
    ]  # fmt: skip
    with Step("install vLLM for the lab's image") as step:
        try:
            run(command, log="images.log", timeout=1800)
        except LabError:
            if "PIP_EXTRA_INDEX_URL" in os.environ:
                raise
            step.note = "(torch from PyTorch's index)"
            shutil.rmtree(unfinished, ignore_errors=True)
            run([*command, "--extra-index-url", TORCH_INDEX], log="images.log", timeout=1800)
        for name in UNUSED:
            path = target / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        unfinished.rename(place)
    return place

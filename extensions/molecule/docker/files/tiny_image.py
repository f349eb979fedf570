# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive with one small image, as `docker save` writes it: tiny_image.py FILE NAME."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import sys
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def main(path: str, name: str) -> None:
    layer = tar({"etc/tiny": name.encode()})
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    text = json.dumps(config).encode()
    identity = hashlib.sha256(text).hexdigest()
    manifest = [{"Config": f"{identity}.json", "RepoTags": [name], "Layers": ["layer/layer.tar"]}]
    files = {f"{identity}.json": text, "layer/layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    with open(path, "wb") as file:
        file.write(tar(files))


if __name__ == "__main__":
    main(*sys.argv[1:])

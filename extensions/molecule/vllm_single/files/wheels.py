# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wheels.py DIRECTORY: tiny wheels, and the pip that Python brings.

DIRECTORY has what is installed further, DIRECTORY/base what a published image has already. Made beside and renamed, so
that the directory is there when it is complete.
"""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import os
import pathlib
import shutil
import sys
import zipfile

BASE = {"torch": "2.10.0", "torch_npu": "2.10.0.post4", "transformers": "4.56.0"}
# The last two go on to ask for what an image of this release must not get.
FURTHER = (
    ("transformers", "4.57.0", []),
    ("npuops_lab_extra", "1.0", ["transformers>=4.57"]),
    ("npuops_lab_breaks", "1.0", ["torch>=2.11"]),
    ("torch", "2.11.0", []),
)


def wheel(folder, name, version, requires=()):
    """Write a pure wheel with one module, which knows its version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {one}\n" for one in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: npuops\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD"
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text.encode())}")
    files[record] = "\n".join([*rows, f"{record},,"]) + "\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)


def main(target):
    part = pathlib.Path(f"{target}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "base").mkdir(parents=True)
    for name, version in BASE.items():
        wheel(part / "base", name, version)
    for name, version, requires in FURTHER:
        wheel(part, name, version, requires)
    bundled = pathlib.Path(ensurepip.__file__).parent / "_bundled"
    (found,) = bundled.glob("pip-*.whl")
    shutil.copy(found, part / "base")
    os.rename(part, target)


if __name__ == "__main__":
    main(sys.argv[1])

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install further packages into a serving image, while what its engine was built for stays as it is.

Runs in the build of the image: derive.py PACKAGE... A package that needs another torch than the image's is refused by
pip; that nothing else has replaced it is looked at afterwards, for an engine on a wrong torch ends in a core dump.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata

# Compiled against each other; the rest of an image may change.
PINNED = ("torch", "torch-npu", "torchvision", "torchaudio", "triton-ascend", "vllm", "vllm-ascend")
HERE = os.path.dirname(os.path.abspath(__file__))


def versions():
    """{name: version} of those that are installed; asked in a process of its own, for this one remembers."""
    code = (
        "import sys; from importlib import metadata\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, metadata.version(name))\n"
        "    except metadata.PackageNotFoundError: pass"
    )
    done = subprocess.run([sys.executable, "-c", code, *PINNED], stdout=subprocess.PIPE, text=True, check=True)
    return dict(line.split() for line in done.stdout.splitlines())


def main(packages):
    try:
        metadata.version("pip")
    except metadata.PackageNotFoundError:
        print("npuops: the image has no pip", file=sys.stderr)
        return 1
    before = versions()
    constraints = os.path.join(HERE, "constraints.txt")
    with open(constraints, "w", encoding="utf-8") as handle:
        handle.writelines(f"{name}=={version}\n" for name, version in before.items())
    print("npuops: kept as they are:", ", ".join(f"{name} {version}" for name, version in before.items()), flush=True)
    wheels = os.path.join(HERE, "wheels")
    source = ["--no-index", "--find-links", wheels] if os.path.isdir(wheels) else []
    command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    command += ["--root-user-action", "ignore", "--constraint", constraints, *source, *packages]
    status = subprocess.run(command, check=False).returncode
    if status:
        return status
    after = versions()
    changed = [
        f"{name} {before[name]} -> {after.get(name, 'gone')}" for name in before if before[name] != after.get(name)
    ]
    if changed:
        print("npuops: changed in spite of the constraints:", ", ".join(changed), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One archive with what somebody far away needs to see of a node; every byte of text passes L(redact) on the way in.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import tempfile
import time

from ._redact import redact
from ._run import VendorError, run, side_by_side

FILES = (
    "/etc/docker/daemon.json",
    "/etc/hccn.conf",
    "/etc/ascend_install.info",
    "/etc/os-release",
    "/etc/vnpu.cfg",
    "/usr/local/Ascend/driver/version.info",
    "/usr/local/Ascend/firmware/version.info",
)
# File in the archive -> command.
COMMANDS = {
    "system/uname": ("uname", "-a"),
    "system/disk": ("df", "-h"),
    "system/inodes": ("df", "-i"),
    "system/memory": ("free", "-m"),
    "system/addresses": ("ip", "-brief", "address"),
    "system/listeners": ("ss", "-ltnp"),
    "system/python": ("python3", "--version"),
    "units/list": ("systemctl", "list-units", "--all", "--no-pager", "npuops-*", "docker.service"),
    "units/status": ("systemctl", "status", "--no-pager", "--lines=0", "npuops-*", "docker.service"),
    "units/files": ("systemctl", "cat", "--no-pager", "npuops-*", "docker.service"),
}
PHY_ID = re.compile(r"^davinci(\d+)$", re.MULTILINE)
HCCN_QUESTIONS = ("ip", "link", "net_health", "netdetect", "gateway", "tls", "mtu", "stat", "optical", "lldp")


def commands(npu_smi, docker) -> dict:
    """COMMANDS and those of the tools that have a path."""
    return {
        **COMMANDS,
        "docker/version": (docker, "version"),
        "docker/info": (docker, "info"),
        "docker/containers": (docker, "ps", "--all", "--no-trunc"),
        "docker/images": (docker, "images", "--digests"),
        "npu-smi/info": (npu_smi, "info"),
        "npu-smi/list": (npu_smi, "info", "-l"),
        "npu-smi/mapping": (npu_smi, "info", "-m"),
    }


def answers(asked, timeout) -> dict:
    """{name: text} of what the commands print, side by side; one that fails says how."""
    found = side_by_side({name: [lambda argv=argv: answer(argv, timeout)] for name, argv in asked.items()})
    return {name: texts[0] for name, texts in found.items()}


def answer(argv, timeout) -> str:
    """Command, exit status and output of one command, or why there is none."""
    try:
        done = run(argv, timeout)
    except VendorError as error:
        return f"{error}\n"
    return f"$ {done.shown}\n{done.stdout}{done.stderr}\n# exit status {done.rc}\n"


def hccn_answers(tool, phy_ids, timeout) -> dict:
    """What the ports of the NPUs say: NPUs side by side, the commands of one one after the other."""
    jobs = {
        phy_id: [
            lambda argv=(tool, "-i", str(phy_id), "-" + question, "-g"): answer(argv, timeout)
            for question in HCCN_QUESTIONS
        ]
        for phy_id in phy_ids
    }
    return {f"hccn_tool/{phy_id}": "\n".join(texts) for phy_id, texts in side_by_side(jobs, 16).items()}


def devices(root="") -> list:
    """Names in C(/dev); the NPUs are davinciN, by their phy ids. Asked here, since npu-smi may be what is broken."""
    return sorted(os.listdir(root + "/dev"))


def files(root="") -> dict:
    """{name: text} of the configuration files that are there."""
    found = {}
    for path in FILES:
        try:
            with open(root + path, encoding="utf-8", errors="replace") as handle:
                found["files" + path] = handle.read(1 << 20)
        except OSError:
            # What is not there is not in the archive, and a reader sees that.
            continue
    return found


class Logs:
    """L(Text)s for the archive, the first ones until ``limit`` characters are full; ``left`` names the others.

    Chosen as they come, since the logs of a node together can be larger than its memory should be used for.
    """

    def __init__(self, limit: int) -> None:
        self.parts: dict = {}
        self.left: list = []
        self._room = limit

    def add(self, text) -> None:
        if len(text.text) > self._room:
            self.left.append(text.name)
            return
        self._room -= len(text.text)
        name = f"logs/{text.kind}/" + re.sub(r"[^\w.-]+", "_", text.name.strip("/"))
        gap = f"\n[… up to byte {text.offset} left out …]\n" if text.first_line is None else ""
        self.parts[name] = self.parts.get(name, "") + gap + text.text


def write(path, prefix, parts, known) -> int:
    """Write ``parts`` ({name: text}) to a tar.gz that only its owner can read, redacted; answers its size in bytes.

    Names are redacted, too. The archive appears as a whole or not at all.
    """
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name in sorted(parts):
                content = redact(parts[name], known).encode("utf-8", "replace")
                member = tarfile.TarInfo(f"{prefix}/{redact(name, known)}")
                member.size = len(content)
                member.mtime = int(time.time())
                member.mode = 0o600
                archive.addfile(member, io.BytesIO(content))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return os.path.getsize(path)

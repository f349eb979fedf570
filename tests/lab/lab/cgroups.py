# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups that removed nodes leave behind.

On cgroup v1 a node's systemd works in the host's trees. It also mounts, in its own view, controllers the host has not
mounted, and makes their mount points in the host's /sys/fs/cgroup. None of that goes with the container.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.common import run

ROOT = Path("/sys/fs/cgroup")
# Where engines put a container: cgroupfs driver and systemd driver.
CONTAINER = re.compile(r"docker/([0-9a-f]{64})|system\.slice/docker-([0-9a-f]{64})\.scope")


def unmounted(groups: str, mounts: str) -> list[str]:
    """Controllers in use that are mounted nowhere, one word for each v1 hierarchy, such as ``net_cls,net_prio``.

    ``groups`` is the text of /proc/self/cgroup (``id:controllers:path``), ``mounts`` of /proc/self/mountinfo.
    """
    mounted: set[str] = set()
    for line in mounts.splitlines():
        kind, _source, options = line.partition(" - ")[2].split()
        if kind == "cgroup":
            mounted |= set(options.split(","))
    found = []
    for line in groups.splitlines():
        controllers = line.split(":")[1]
        if controllers and not controllers.startswith("name=") and not set(controllers.split(",")) & mounted:
            found.append(controllers)
    return found


@contextlib.contextmanager
def _hierarchies() -> Iterator[list[Path]]:
    """Roots of all hierarchies: the one of v2, or those of v1, of which the unmounted are mounted for the while."""
    if (ROOT / "cgroup.controllers").exists():
        yield [ROOT]
        return
    with contextlib.ExitStack() as stack:
        roots = [child for child in ROOT.iterdir() if child.is_dir() and os.path.ismount(child)]
        if os.geteuid() == 0:
            groups, mounts = Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()
            for controllers in unmounted(groups, mounts):
                place = stack.enter_context(tempfile.TemporaryDirectory(prefix="npuops-cgroup-"))
                if run(["mount", "-t", "cgroup", "-o", controllers, "none", place], check=False).returncode == 0:
                    stack.callback(run, ["umount", place], check=False)
                    roots.append(Path(place))
        yield roots


def remove_tree(top: Path) -> None:
    """rmdir a cgroup and all below it, innermost first; those with processes stay."""
    for folder, _names, _files in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def containers_below(root: Path) -> list[tuple[Path, str]]:
    """``(cgroup, container id)`` of every container's cgroup in a hierarchy."""
    found = []
    for path in [*root.glob("docker/*"), *root.glob("system.slice/docker-*.scope")]:
        match = CONTAINER.fullmatch(str(path.relative_to(root)))
        if match and path.is_dir():
            found.append((path, match.group(1) or match.group(2)))
    return found


def sweep(existing: Callable[[], set[str]]) -> None:
    """Remove the cgroups of containers that are no more.

    ``existing`` returns the full ids of all containers. It is called after the cgroups were listed, so that a container
    made meanwhile is never taken for a dead one.
    """
    with _hierarchies() as roots:
        found = [item for root in roots for item in containers_below(root)]
        alive = existing()
        for path, container in found:
            if container not in alive:
                remove_tree(path)


def remove_engine() -> None:
    """After the engine has ended: remove what it made in every hierarchy, and mount points nodes have left."""
    with _hierarchies() as roots:
        for root in roots:
            remove_tree(root / "docker")
    tidy(ROOT)


def tidy(root: Path) -> None:
    """Remove empty folders of a v1 /sys/fs/cgroup on which nothing is mounted, and links to them."""
    if (root / "cgroup.controllers").exists():
        return
    for child in root.iterdir():
        if child.is_dir() and not child.is_symlink() and not os.path.ismount(child):
            with contextlib.suppress(OSError):
                child.rmdir()
    for child in root.iterdir():
        if child.is_symlink() and not child.exists():
            child.unlink()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a process in a running container would see. This module util is PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError, run

# What docker exec ends with when the container has no such command, or may not run it.
NO_COMMAND = (126, 127)
_MISSING = "Install the Docker engine, or see that docker is in PATH."


def prefix_of(container: str | None) -> tuple:
    """What goes before a command so that it runs in the container; nothing for None, the node itself."""
    return ("docker", "exec", container) if container else ()


def read_text(path: str, container: str | None = None, timeout: float = 30.0) -> str | None:
    """The text of a file of the node or of a running container; None if it is not there.

    Raises OSError for a file of the node that cannot be read, L(VendorError) when the container cannot be asked.
    """
    if container is None:
        try:
            with open(path, encoding="utf-8", errors="replace") as handle:
                return handle.read()
        except FileNotFoundError:
            return None
    done = run((*prefix_of(container), "cat", path), timeout, missing=_MISSING)
    if done.rc == 0:
        return done.stdout
    if "No such file" in done.stderr or "Is a directory" in done.stderr:
        return None
    said = done.stderr.strip() or f"exit status {done.rc}"
    reason = f"{path} of container {container} cannot be read ({said})"
    raise VendorError(reason, "See docker ps; the container must be running.", done)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether nodes can be in one Ray cluster, and what their Ray can do.

Ray refuses another Python at once, but another Ray with an obscure error, or only after 41 s. So this is found out
before anything is started.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

# Run inside the image. Importing Ray takes a second, asking for its version does not.
PROBE = """
import json, platform
from importlib import metadata
try:
    ray = metadata.version("ray")
except metadata.PackageNotFoundError:
    ray = None
print(json.dumps({"ray": ray, "python": platform.python_version()}))
"""
# The first release with RAY_AUTH_MODE=token.
TOKENS_SINCE = (2, 52)


def differences(nodes):
    """Why these nodes cannot be in one cluster, as sentences; each names both values.

    :arg nodes: {host: {"ray", "python", "image", "image_id"}}; hosts of which nothing is known are left out.
    """
    known = [(host, found) for host, found in nodes.items() if found and found.get("python")]
    words = [f"{host}: there is no Ray in image {found['image']}" for host, found in known if not found["ray"]]
    known = [(host, found) for host, found in known if found["ray"]]
    for first, reference in known[:1]:
        for host, found in known[1:]:
            for key, title in (("ray", "Ray"), ("python", "Python")):
                if found[key] != reference[key]:
                    words.append(
                        f"{host} has {title} {found[key]} and {first} has {reference[key]} "
                        f"({host}: {_image(found)}, {first}: {_image(reference)})"
                    )
    return words


def _image(found):
    return f"{found['image']}, {str(found.get('image_id'))[:19]}"


def has_tokens(version):
    """Whether this release of Ray asks its peers for a token when told to."""
    match = re.match(r"(\d+)\.(\d+)", version or "")
    return bool(match) and (int(match.group(1)), int(match.group(2))) >= TOKENS_SINCE


__all__ = ["PROBE", "differences", "has_tokens"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a registry whether an image exists, without a container engine (OCI distribution specification 1.1, "pull").

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, build_opener

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DEFAULT_REGISTRY = "registry-1.docker.io"

# Unlike an endpoint of the cluster, a registry may well be behind the proxy of the environment.
_OPENER = build_opener()
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Reference:
    """An image name in its parts: C(registry), C(repository), C(reference) (a tag or a digest)."""

    def __init__(self, registry, repository, reference):
        self.registry = registry
        self.repository = repository
        self.reference = reference

    @classmethod
    def parse(cls, text):
        """Read C([registry/]repository[:tag][@digest]) as the engine reads it; ValueError when it is no image name."""
        name, _at, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        # Without a dot, a port or "localhost" the first word is part of the repository (docker's own rule).
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry, path = (DEFAULT_REGISTRY if first == "docker.io" else first), rest
        else:
            registry, path = DEFAULT_REGISTRY, name
        path, _colon, tag = path.partition(":")
        if registry == DEFAULT_REGISTRY and "/" not in path:
            path = "library/" + path
        if not re.match(r"^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$", path) or (
            tag and not re.match(r"^[\w][\w.-]{0,127}$", tag)
        ):
            raise ValueError(f"'{text}' is not an image name")
        return cls(registry, path, digest or tag or "latest")


def _token(challenge, repository, timeout):
    """An anonymous pull token, as a registry with a token service hands out; None when it gives none."""
    fields = dict(_CHALLENGE.findall(challenge or ""))
    if "realm" not in fields:
        return None
    query = {"scope": fields.get("scope", f"repository:{repository}:pull")}
    if "service" in fields:
        query["service"] = fields["service"]
    try:
        with _OPENER.open(fields["realm"] + "?" + urlencode(query), timeout=timeout) as answer:
            body = json.loads(answer.read().decode("utf-8"))
    except (HTTPError, URLError, ValueError, OSError):
        return None
    return body.get("token") or body.get("access_token")


def ask(reference, scheme, timeout):
    """Is there a manifest?

    :arg reference: a Reference.
    :arg scheme: C(https), or C(http) for registries that the engine calls insecure.
    :returns: (state, detail): state C(present) with the digest (or None), C(absent), C(denied) or C(unreachable) with
        what came back.
    """
    path = f"{quote(reference.repository)}/manifests/{quote(reference.reference, safe=':')}"
    url = f"{scheme}://{reference.registry}/v2/{path}"
    headers = {"Accept": ", ".join(MANIFEST_TYPES)}
    for last in (False, True):
        try:
            with _OPENER.open(Request(url, headers=headers, method="HEAD"), timeout=timeout) as answer:
                return "present", answer.headers.get("Docker-Content-Digest")
        except HTTPError as exc:
            if exc.code == 404:
                return "absent", f"{url} answered 404"
            if exc.code != 401 or last:
                return ("denied" if exc.code in (401, 403) else "unreachable"), f"{url} answered {exc.code}"
            token = _token(exc.headers.get("WWW-Authenticate"), reference.repository, timeout)
            if token is None:
                return "denied", f"{url} answered 401"
            headers["Authorization"] = "Bearer " + token
        except (URLError, OSError) as exc:
            return "unreachable", f"{url}: {getattr(exc, 'reason', exc)}"
    return "unreachable", url

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a small registry on the loopback that answers as the specification says."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._registry import Reference, ask


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("quay.io/ascend/vllm-ascend:v0.23.0", ("quay.io", "ascend/vllm-ascend", "v0.23.0")),
        ("debian", ("registry-1.docker.io", "library/debian", "latest")),
        ("ascend/cann:8.5", ("registry-1.docker.io", "ascend/cann", "8.5")),
        ("localhost/x", ("localhost", "x", "latest")),
        ("mirror:5000/a/b", ("mirror:5000", "a/b", "latest")),
        ("q.io/a@sha256:0011", ("q.io", "a", "sha256:0011")),
        ("q.io/a:t@sha256:0011", ("q.io", "a", "sha256:0011")),
    ],
)
def test_the_parts_of_a_name(text, parts):
    found = Reference.parse(text)
    assert (found.registry, found.repository, found.reference) == parts


@pytest.mark.parametrize("text", ["", "Quay/Ascend", "q.io/", "q.io/a:b c", "q.io/a b"])
def test_no_image_name(text):
    with pytest.raises(ValueError, match="not an image name"):
        Reference.parse(text)


class Registry(BaseHTTPRequestHandler):
    token = None

    def _answer(self, code, headers=(), body=b""):
        self.send_response(code)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        assert self.path == "/token?scope=repository%3Aa%2Fb%3Apull&service=here"
        self._answer(200, body=json.dumps({"token": "let-me-in"}).encode())

    def do_HEAD(self):
        if self.path.startswith("/v2/secret/"):
            return self._answer(401, [("WWW-Authenticate", 'Basic realm="here"')])
        if self.server.wants_token and self.headers.get("Authorization") != "Bearer let-me-in":
            realm = f"http://127.0.0.1:{self.server.server_port}/token"
            challenge = f'Bearer realm="{realm}",service="here",scope="repository:a/b:pull"'
            return self._answer(401, [("WWW-Authenticate", challenge)])
        if self.path == "/v2/a/b/manifests/v1" and "manifest" in self.headers["Accept"]:
            return self._answer(200, [("Docker-Content-Digest", "sha256:77")])
        return self._answer(503 if self.path.startswith("/v2/ill/") else 404)

    def log_message(self, *_args):
        pass


@pytest.fixture(params=[False, True], ids=["open", "with a token service"])
def registry(request):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.wants_token = request.param
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "state", "detail"),
    [
        ("a/b:v1", "present", "sha256:77"),
        ("a/b:v2", "absent", "answered 404"),
        ("secret/x:v1", "denied", "answered 401"),
        ("ill/x:v1", "unreachable", "answered 503"),
    ],
)
def test_what_the_registry_says(registry, name, state, detail):
    found = ask(Reference.parse(f"{registry}/{name}"), "http", 5)
    assert found[0] == state
    assert detail in found[1]


def test_no_registry():
    state, detail = ask(Reference("127.0.0.1:1", "a", "b"), "http", 5)
    assert state == "unreachable"
    assert "refused" in detail

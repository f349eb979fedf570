# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a server on the loopback that answers well, badly, or not at all."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._openai import Endpoint, EndpointError

CHAT = {"choices": [{"message": {"content": "Paris."}}], "usage": {"completion_tokens": 2}}


class Server(BaseHTTPRequestHandler):
    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        asked = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.path, asked, self.headers.get("Authorization")))
        code, body = self.server.answers[self.path]
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _answer

    def log_message(self, *_args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.asked = []
    server.answers = {
        "/health": (200, b""),
        "/v1/models": (200, {"data": [{"id": "chat"}]}),
        "/v1/chat/completions": (200, CHAT),
    }
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_ready_endpoint(server):
    endpoint = Endpoint(server.url + "/", api_key="s3cret")
    endpoint.health(5)
    assert endpoint.models(5) == ["chat"]
    assert endpoint.chat("chat", "Capital of France?", 16, 5) == ("Paris.", 2)
    path, asked, authorization = server.asked[-1]
    assert (path, asked["model"], asked["max_tokens"], authorization) == (
        "/v1/chat/completions",
        "chat",
        16,
        "Bearer s3cret",
    )


def test_a_proxy_of_the_environment_is_not_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert Endpoint(server.url).models(5) == ["chat"]


def test_the_thoughts_of_a_model_that_ran_out_of_tokens(server):
    message = {"content": None, "reasoning_content": "Hm."}
    server.answers["/v1/chat/completions"] = (
        200,
        {"choices": [{"message": message}], "usage": {"completion_tokens": 1}},
    )
    assert Endpoint(server.url).chat("chat", "?", 1, 5) == ("Hm.", 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, b"engine is dead"), "answered 503: engine is dead"),
        ((200, b"<html>"), "answered no JSON"),
        ((200, {"choices": []}), "unknown form"),
        ((200, {"choices": [{"message": {"content": " "}}], "usage": {"completion_tokens": 0}}), "empty text"),
    ],
)
def test_a_bad_reply(server, answer, words):
    server.answers["/v1/chat/completions"] = answer
    with pytest.raises(EndpointError, match=words):
        Endpoint(server.url).chat("chat", "?", 1, 5)


def test_models_in_an_unknown_form(server):
    server.answers["/v1/models"] = (200, ["chat"])
    with pytest.raises(EndpointError, match="without models"):
        Endpoint(server.url).models(5)


def test_nobody_there():
    with pytest.raises(EndpointError, match="refused"):
        Endpoint("http://127.0.0.1:1").health(5)

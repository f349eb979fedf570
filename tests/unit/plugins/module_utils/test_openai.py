# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a server on the loopback that answers well, badly, or not at all."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._openai import Endpoint, EndpointError, nonsense

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
        kind = "text/event-stream; charset=utf-8" if text.startswith(b"data:") else "application/json"
        self.send_header("Content-Type", kind)
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
    assert endpoint.chat("chat", "Capital of France?", 16, 5)[:3] == ("Paris.", 2, False)
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
    assert Endpoint(server.url).chat("chat", "?", 1, 5)[:3] == ("Hm.", 1, True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, b"engine is dead"), "answered 503: engine is dead"),
        ((200, b"<html>"), "unknown form: .<html>"),
        ((200, {"choices": []}), "unknown form"),
        ((200, {"choices": [{"message": {"content": " "}}], "usage": {"completion_tokens": 0}}), "empty text"),
    ],
)
def test_a_bad_reply(server, answer, words):
    server.answers["/v1/chat/completions"] = answer
    with pytest.raises(EndpointError, match=words):
        Endpoint(server.url).chat("chat", "?", 1, 5)


def events(*deltas, usage=7, end=True):
    """What a server streams: a chunk for each delta, the count, the end."""
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": {"completion_tokens": usage}}] if usage else []
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return (200, (text + ("data: [DONE]\n\n" if end else "")).encode())


def test_a_streamed_reply(server):
    server.answers["/v1/chat/completions"] = events(
        {"role": "assistant", "content": ""}, {"content": "Pa"}, {"content": "ris."}
    )
    reply = Endpoint(server.url).chat("chat", "?", 16, 5)
    assert reply[:4] == ("Paris.", 7, False, "stop")
    assert 0 <= reply.first_token_s < 5
    assert server.asked[-1][1]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_a_streamed_thought_is_an_answer(server, key):
    server.answers["/v1/chat/completions"] = events({"content": None, key: "Hm."}, {key: " Well."})
    assert Endpoint(server.url).chat("chat", "?", 2, 5)[:3] == ("Hm. Well.", 7, True)
    server.answers["/v1/chat/completions"] = events({key: "Hm."}, {"content": "Paris."})
    assert Endpoint(server.url).chat("chat", "?", 2, 5)[:3] == ("Paris.", 7, True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (events({"content": "Pa"}, end=False), "broke off before the end"),
        ((200, b'data: {"error": {"message": "EngineCore encountered an issue"}}\n\n'), "broke off: .*EngineCore"),
        ((200, b"data: what\n\n"), "unknown event: 'what'"),
        (events({"content": ""}), "empty text"),
    ],
)
def test_a_stream_that_ends_badly(server, answer, words):
    server.answers["/v1/chat/completions"] = answer
    with pytest.raises(EndpointError, match=words):
        Endpoint(server.url).chat("chat", "?", 1, 5)


def test_a_reply_in_one_piece_when_asked_for(server):
    assert Endpoint(server.url).chat("chat", "?", 16, 5, stream=False).first_token_s is None
    assert "stream" not in server.asked[-1][1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!" * 128, "one character 128 times"),
        ("Hi" + "! " * 60, "one character 60 times"),
        ("\ufffd \u00e9" * 40, "none of any script"),
        ("系统" * 40, "nothing but '系统' again"),
        ("word word " * 20, "nothing but 'word' again"),
        ("  ", "empty"),
    ],
)
def test_what_is_no_language(text, why):
    assert why in nonsense(text)


@pytest.mark.parametrize(
    "text",
    [
        "Paris.",
        "你好！我是一个语言模型。",
        "A table:\n|----------------|-------|\n| one | two |\n and what it means: names, then values.",
        "Ha ha ha ha ha, that is a good one.",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20",
        "Hm... " * 3 + "let me think.",
    ],
)
def test_what_is_language(text):
    assert nonsense(text) is None


def test_models_in_an_unknown_form(server):
    server.answers["/v1/models"] = (200, ["chat"])
    with pytest.raises(EndpointError, match="without models"):
        Endpoint(server.url).models(5)


def test_nobody_there():
    with pytest.raises(EndpointError, match="refused"):
        Endpoint("http://127.0.0.1:1").health(5)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the OpenAI-compatible API, as far as an operator's check needs it.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re
import time
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

# The endpoint is this cluster's own: a proxy of the environment is never on the way to it.
_OPENER = build_opener(ProxyHandler({}))


class EndpointError(Exception):
    """The endpoint did not answer as it should; the text says what was asked and what came back."""


class Reply(NamedTuple):
    """What a model said.

    :ivar text: the answer; of a reasoning model that came to no answer, its thoughts.
    :ivar tokens: as the server counts them, or None.
    :ivar reasoning: whether it thought before it said something.
    :ivar first_token_s: seconds to the first token, or None when the reply came in one piece.
    """

    text: str
    tokens: int
    reasoning: bool
    finish_reason: str
    first_token_s: float


class Endpoint:
    """One server.

    :arg url: C(http://host:port)
    :arg api_key: sent as a bearer token when not None.
    """

    def __init__(self, url, api_key=None):
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = "Bearer " + api_key

    def _open(self, path, timeout, body=None):
        url = self.url + path
        data = json.dumps(body).encode("utf-8") if body is not None else None
        try:
            return _OPENER.open(Request(url, data=data, headers=self._headers), timeout=timeout)
        except HTTPError as exc:
            raise EndpointError(
                f"{url} answered {exc.code}: {exc.read(300).decode('utf-8', 'replace').strip()}"
            ) from exc
        except (URLError, HTTPException, OSError) as exc:
            raise EndpointError(f"{url}: {getattr(exc, 'reason', None) or exc}") from exc

    def _ask(self, path, timeout, body=None):
        with self._open(path, timeout, body) as answer:
            try:
                return answer.read().decode("utf-8", "replace")
            except (HTTPException, OSError) as exc:
                raise EndpointError(f"{self.url}{path}: {exc}") from exc

    def _json(self, path, timeout, body=None):
        text = self._ask(path, timeout, body)
        try:
            return json.loads(text)
        except ValueError as exc:
            raise EndpointError(f"{self.url}{path} answered no JSON: {text[:300]!r}") from exc

    def health(self, timeout):
        """None when C(/health) answers 200; EndpointError otherwise."""
        self._ask("/health", timeout)

    def models(self, timeout):
        """Ids of the served models."""
        answer = self._json("/v1/models", timeout)
        try:
            return [model["id"] for model in answer["data"]]
        except (KeyError, TypeError) as exc:
            raise EndpointError(f"{self.url}/v1/models answered without models: {answer!r}") from exc

    def chat(self, model, prompt, max_tokens, timeout, stream=True):
        """The Reply to one question; EndpointError when there is none, or an empty one.

        :arg stream: ask for the tokens as they come, which tells when the first one did. A server that answers in one
            piece nevertheless is understood.
        :arg timeout: seconds of silence that are borne.
        """
        body = {
            "model": model,
            "max_tokens": max_tokens,
            "temperature": 0,
            "messages": [{"role": "user", "content": prompt}],
        }
        if stream:
            body.update(stream=True, stream_options={"include_usage": True})
        started = time.monotonic()
        with self._open("/v1/chat/completions", timeout, body) as answer:
            try:
                if answer.headers.get_content_type() == "text/event-stream":
                    reply = self._streamed(answer, started)
                else:
                    reply = self._whole(answer.read().decode("utf-8", "replace"))
            except (HTTPException, OSError) as exc:
                raise EndpointError(f"{self.url}/v1/chat/completions broke off: {exc!r}") from exc
        if not reply.text.strip():
            raise EndpointError(f"{self.url}/v1/chat/completions answered with an empty text")
        return reply

    def _whole(self, text):
        try:
            answer = json.loads(text)
            choice = answer["choices"][0]
            said, thought = _words(choice["message"])
            tokens = answer["usage"]["completion_tokens"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as exc:
            raise EndpointError(f"{self.url}/v1/chat/completions answered in an unknown form: {text[:300]!r}") from exc
        return Reply(said or thought, tokens, bool(thought), choice.get("finish_reason"), None)

    def _streamed(self, answer, started):
        said, thought, tokens, reason, first = [], [], None, None, None
        for line in answer:
            line = line.decode("utf-8", "replace").strip()
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                return Reply("".join(said) or "".join(thought), tokens, any(thought), reason, first)
            try:
                event = json.loads(data)
                if "error" in event:
                    raise EndpointError(f"{self.url}/v1/chat/completions broke off: {event['error']}")
                for choice in event["choices"]:
                    words = _words(choice["delta"])
                    if first is None and any(words):
                        first = time.monotonic() - started
                    said.append(words[0])
                    thought.append(words[1])
                    reason = choice.get("finish_reason") or reason
                tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise EndpointError(f"{self.url}/v1/chat/completions sent an unknown event: {data[:300]!r}") from exc
        raise EndpointError(f"{self.url}/v1/chat/completions broke off before the end of the reply")


def _words(message):
    """(answer, thoughts) of a message or of a piece of one. Newer vLLM says C(reasoning) for C(reasoning_content)."""
    return message.get("content") or "", message.get("reasoning_content") or message.get("reasoning") or ""


def nonsense(text):
    """Why a text is no language, or None.

    An NPU network that is set up wrongly, or a broken operator, does not end a server: it answers one token again and
    again, mostly C(!), whose id is 0.
    """
    words = "".join(text.split())
    if not words:
        return "it is empty"
    longest = max(len(match.group(0)) for match in re.finditer(r"(.)\1*", words))
    if longest >= 16 and longest * 2 > len(words):
        return f"one character {longest} times in a row"
    lost = words.count("\ufffd")
    if lost >= 8 and lost * 2 >= len(words):
        return f"{lost} of {len(words)} characters are none of any script"
    repeated = re.match(r"(.{1,40}?)\1{15,}", words)
    if repeated and len(repeated.group(0)) * 10 > len(words) * 9:
        return f"nothing but {repeated.group(1)!r} again and again"
    return None

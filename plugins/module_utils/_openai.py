# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the OpenAI-compatible API, as far as an operator's check needs it.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

# The endpoint is this cluster's own: a proxy of the environment is never on the way to it.
_OPENER = build_opener(ProxyHandler({}))


class EndpointError(Exception):
    """The endpoint did not answer as it should; the text says what was asked and what came back."""


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

    def _ask(self, path, timeout, body=None):
        url = self.url + path
        data = json.dumps(body).encode("utf-8") if body is not None else None
        try:
            with _OPENER.open(Request(url, data=data, headers=self._headers), timeout=timeout) as answer:
                return answer.read().decode("utf-8", "replace")
        except HTTPError as exc:
            raise EndpointError(
                f"{url} answered {exc.code}: {exc.read(300).decode('utf-8', 'replace').strip()}"
            ) from exc
        except (URLError, HTTPException, OSError) as exc:
            raise EndpointError(f"{url}: {getattr(exc, 'reason', None) or exc}") from exc

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

    def chat(self, model, prompt, max_tokens, timeout):
        """(reply text, completion tokens) of one question."""
        body = {
            "model": model,
            "max_tokens": max_tokens,
            "temperature": 0,
            "messages": [{"role": "user", "content": prompt}],
        }
        answer = self._json("/v1/chat/completions", timeout, body)
        try:
            message = answer["choices"][0]["message"]
            # A reasoning model that ran out of tokens has thought, and said nothing yet.
            text = message.get("content") or message.get("reasoning_content") or ""
            tokens = answer["usage"]["completion_tokens"]
        except (KeyError, TypeError, IndexError) as exc:
            raise EndpointError(f"{self.url}/v1/chat/completions answered in an unknown form: {answer!r}") from exc
        if not text.strip():
            raise EndpointError(f"{self.url}/v1/chat/completions answered with an empty text")
        return text, tokens

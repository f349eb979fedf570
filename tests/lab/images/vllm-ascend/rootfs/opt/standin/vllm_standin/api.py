# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAI-compatible interface: requests checked, replies and errors in vLLM's form."""

from __future__ import annotations

import abc
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from .engine import Engine, EngineDead, Job
from .speech import chat_prompt, content_text, tokens
from .transfer import FetchFailed, Transfer
from .web import Request, Response

COMPLETION_TOKENS = 16  # what /v1/completions makes when max_tokens is not given


class ApiError(Exception):
    """Answered as OpenAI's error object."""

    def __init__(
        self, message: str, status: int = 400, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


@dataclass(frozen=True)
class Settings:
    """What the routes need besides the engine."""

    version: str
    release: str
    api_keys: tuple[str, ...]
    force_usage: bool

    @property
    def old(self) -> bool:
        """Texts of 0.11 where they differ."""
        return self.release.startswith("0.11.")


class Api:
    """Routes of one server."""

    def __init__(self, engine: Engine, settings: Settings, transfer: Transfer | None = None) -> None:
        self._engine, self._settings, self._transfer = engine, settings, transfer
        self._created = int(time.time())
        self._routes = {
            "/health": ("GET", self._health),
            "/ping": ("GET", self._health),
            "/load": ("GET", self._load),
            "/version": ("GET", self._version),
            "/metrics": ("GET", self._metrics),
            "/v1/models": ("GET", self._models),
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/completions": ("POST", self._completion),
        }

    async def __call__(self, request: Request) -> Response:
        if request.path.startswith("/v1") and not self._allowed(request):
            return Response.of({"error": "Unauthorized"}, 401)
        if request.path not in self._routes:
            return Response.of({"detail": "Not Found"}, 404)
        method, route = self._routes[request.path]
        if request.method not in (method, "HEAD" if method == "GET" else method) and request.path != "/ping":
            return Response.of({"detail": "Method Not Allowed"}, 405)
        try:
            return await route(request)
        except ApiError as error:
            return Response.of(error.body, error.status)
        except EngineDead:
            return Response.of(self._dead().body, 500)

    def _allowed(self, request: Request) -> bool:
        if not self._settings.api_keys:
            return True
        scheme, _space, key = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and key in self._settings.api_keys

    @staticmethod
    def _dead() -> ApiError:
        text = "EngineCore encountered an issue. See stack trace (above) for the root cause."
        return ApiError(text, 500, "InternalServerError")

    async def _health(self, _request: Request) -> Response:
        return Response(503 if self._engine.dead else 200)

    async def _load(self, _request: Request) -> Response:
        return Response.of({"server_load": self._engine.metrics.running})

    async def _version(self, _request: Request) -> Response:
        return Response.of({"version": self._settings.version})

    async def _metrics(self, _request: Request) -> Response:
        text = self._engine.metrics.render().encode()
        return Response(200, text, "text/plain; version=0.0.4; charset=utf-8")

    async def _models(self, _request: Request) -> Response:
        config = self._engine.config
        data = [
            {
                "id": name,
                "object": "model",
                "created": self._created,
                "owned_by": "vllm",
                "root": str(config.model),
                "parent": None,
                "max_model_len": config.max_model_len,
            }
            for name in config.names
        ]
        return Response.of({"object": "list", "data": data})

    async def _chat(self, request: Request) -> Response:
        body = self._body(request, "messages")
        messages = body["messages"]
        well_formed = isinstance(messages, list) and messages
        if not well_formed or not all(isinstance(item, dict) and "role" in item for item in messages):
            raise _invalid("list_type", "messages", "Input should be a valid list")
        try:
            prompt = tuple(tokens(chat_prompt(messages)))
            asked = [content_text(item.get("content")) for item in messages if item["role"] == "user"]
        except ValueError as error:
            raise ApiError(str(error)) from error
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        job = self._job(body, prompt, asked[-1] if asked else "", limit, None)
        return await self._answer(body, [job], _Chat())

    async def _completion(self, request: Request) -> Response:
        body = self._body(request, "prompt")
        given = body["prompt"]
        texts = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
        jobs = []
        for text in texts:
            if isinstance(text, list) and all(isinstance(item, int) for item in text):
                prompt, said = tuple(map(str, text)), ""
            elif isinstance(text, str):
                prompt, said = tuple(tokens(text)), text
            else:
                raise _invalid("string_type", "prompt", "Input should be a valid string")
            jobs.append(self._job(body, prompt, said, body.get("max_tokens", COMPLETION_TOKENS), COMPLETION_TOKENS))
        return await self._answer(body, jobs, _Completion(body.get("echo") is True))

    def _body(self, request: Request, needed: str) -> dict[str, Any]:
        """The JSON object of a request, its model known and the needed key in it."""
        kind = HTTPStatus.BAD_REQUEST.phrase if self._settings.old else "BadRequestError"
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise ApiError("[\"Unsupported Media Type: Only 'application/json' is allowed\"]", kind=kind)
        try:
            body = json.loads(request.body)
        except ValueError as error:
            position = getattr(error, "pos", 0)
            raise ApiError(
                f"[{{'type': 'json_invalid', 'loc': ('body', {position}), 'msg': 'JSON decode error', "
                f"'input': {{}}, 'ctx': {{'error': '{getattr(error, 'msg', error)}'}}}}]",
                kind=kind,
            ) from error
        if not isinstance(body, dict) or needed not in body:
            raise ApiError(f"[{{'type': 'missing', 'loc': ('body', '{needed}'), 'msg': 'Field required'}}]", kind=kind)
        model = body.get("model")
        if model is not None and model not in self._engine.config.names:
            param = None if self._settings.old else "model"
            raise ApiError(f"The model `{model}` does not exist.", 404, "NotFoundError", param)
        if self._engine.dead:
            raise self._dead()
        return body

    def _job(self, body: dict[str, Any], prompt: tuple[str, ...], said: str, limit: Any, default: int | None) -> Job:
        most, used = self._engine.config.max_model_len, len(prompt)
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
            raise _invalid("int_parsing", "max_tokens", "Input should be a valid integer")
        if used >= most:
            raise ApiError(
                f"This model's maximum context length is {most} tokens. However, your request has {used} input tokens. "
                "Please reduce the length of the input messages.",
                param=None if self._settings.old else "input_tokens",
            )
        if limit is not None and limit < 1:
            param = None if self._settings.old else "max_tokens"
            raise ApiError(f"max_tokens must be at least 1, got {limit}.", param=param)
        if limit is not None and used + limit > most:
            raise ApiError(*self._too_many(limit, most, used))
        _check_sampling(body)
        stop = body.get("stop") or ()
        return Job(
            prompt=prompt,
            said=said,
            limit=limit or default or most - used,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            ignore_eos=body.get("ignore_eos") is True,
        )

    def _too_many(self, limit: int, most: int, used: int) -> tuple[str, int, str, str | None]:
        if self._settings.old:
            text = (
                f"'max_tokens' or 'max_completion_tokens' is too large: {limit}. This model's maximum context length "
                f"is {most} tokens and your request has {used} input tokens ({limit} > {most} - {used})."
            )
            return text, 400, "BadRequestError", None
        text = (
            f"This model's maximum context length is {most} tokens. However, you requested {limit} output tokens and "
            f"your prompt contains at least {used} input tokens, for a total of at least {used + limit} tokens. Please "
            "reduce the length of the input prompt or the number of requested output tokens."
        )
        return text, 400, "BadRequestError", "input_tokens"

    async def _answer(self, body: dict[str, Any], jobs: list[Job], form: _Form) -> Response:
        told = body.get("kv_transfer_params") or {}
        await self._fetch(told)
        copies = body.get("n") or 1
        jobs = [job for job in jobs for _copy in range(copies)]
        head = form.head(body.get("model") or self._engine.config.names[0])
        if body.get("stream"):
            options = body.get("stream_options") or {}
            usage = options.get("include_usage", False) or self._settings.force_usage
            return Response(
                content_type="text/event-stream; charset=utf-8", stream=self._events(jobs, form, head, usage)
            )
        choices, made = [], 0
        for index, job in enumerate(jobs):
            pieces = [item async for item in self._engine.generate(job)]
            made += len(pieces)
            choices.append(form.choice(index, job, "".join(text for text, _reason in pieces), pieces[-1][1]))
        if self._transfer and self._transfer.config.produces and told.get("do_remote_decode"):
            head["kv_transfer_params"] = self._transfer.keep(sum(len(job.prompt) for job in jobs))
        return Response.of({**head, "choices": choices, "usage": _usage(jobs, copies, made)})

    async def _fetch(self, told: dict[str, Any]) -> None:
        """A consumer gets the KV cache that a producer made of the prompt."""
        if not self._transfer or not told.get("do_remote_prefill"):
            return
        try:
            await self._transfer.fetch(told)
        except FetchFailed as error:
            raise ApiError(str(error), 500, "InternalServerError") from error

    async def _events(self, jobs: list[Job], form: _Form, head: dict[str, Any], usage: bool) -> AsyncIterator[bytes]:
        head = {**head, "object": form.chunk_object}
        made = 0
        try:
            for index, job in enumerate(jobs):
                for first in form.opening(index, job):
                    yield _event({**head, "choices": [first]})
                # Closed at once when the client goes away, so that the job counts as aborted and frees its place.
                async with contextlib.aclosing(self._engine.generate(job)) as pieces:
                    async for piece, reason in pieces:
                        made += 1
                        yield _event({**head, "choices": [form.chunk(index, piece, reason)]})
            if usage:
                yield _event({**head, "choices": [], "usage": _usage(jobs, 1, made)})
        except EngineDead:
            yield _event(self._dead().body)
        yield b"data: [DONE]\n\n"


class _Form(abc.ABC):
    """How a reply is written down; one class for each of the two routes."""

    object, chunk_object, prefix = "", "", ""

    def head(self, model: str) -> dict[str, Any]:
        name = f"{self.prefix}-{uuid.uuid4().hex}"
        return {"id": name, "object": self.object, "created": int(time.time()), "model": model}

    @abc.abstractmethod
    def opening(self, index: int, job: Job) -> list[dict[str, Any]]:
        """Chunks before the first token."""

    @abc.abstractmethod
    def chunk(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        """A chunk with a piece of the text."""

    @abc.abstractmethod
    def choice(self, index: int, job: Job, text: str, reason: str | None) -> dict[str, Any]:
        """The whole reply, not streamed."""


class _Chat(_Form):
    object, chunk_object, prefix = "chat.completion", "chat.completion.chunk", "chatcmpl"

    def opening(self, index: int, job: Job) -> list[dict[str, Any]]:
        delta = {"role": "assistant", "content": ""}
        return [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}]

    def chunk(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        return {"index": index, "delta": {"content": text}, "logprobs": None, "finish_reason": reason}

    def choice(self, index: int, job: Job, text: str, reason: str | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None, "tool_calls": []}
        return {"index": index, "message": message, "logprobs": None, "finish_reason": reason, "stop_reason": None}


class _Completion(_Form):
    object, chunk_object, prefix = "text_completion", "text_completion", "cmpl"

    def __init__(self, echo: bool) -> None:
        """:param echo: put the prompt before the reply"""
        self._echo = echo

    def opening(self, index: int, job: Job) -> list[dict[str, Any]]:
        return [self.chunk(index, job.said, None)] if self._echo else []

    def chunk(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": reason, "stop_reason": None}

    def choice(self, index: int, job: Job, text: str, reason: str | None) -> dict[str, Any]:
        return self.chunk(index, (job.said if self._echo else "") + text, reason)


def _invalid(kind: str, key: str, text: str) -> ApiError:
    """A refusal in the form of the request model's validation."""
    return ApiError(f"[{{'type': '{kind}', 'loc': ('body', '{key}'), 'msg': '{text}'}}]")


def _check_sampling(body: dict[str, Any]) -> None:
    ranges = {
        "temperature": (lambda value: value >= 0, "temperature must be non-negative, got {}."),
        "top_p": (lambda value: 0 < value <= 1, "top_p must be in (0, 1], got {}."),
        "n": (lambda value: value >= 1, "n must be at least 1, got {}."),
    }
    for name, (fits, text) in ranges.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _invalid("float_parsing", name, "Input should be a valid number")
        if not fits(value):
            raise ApiError(text.format(value))


def _usage(jobs: list[Job], copies: int, made: int) -> dict[str, Any]:
    """Token counts; the copies of one prompt count once."""
    prompt = sum(len(job.prompt) for job in jobs[::copies])
    return {"prompt_tokens": prompt, "total_tokens": prompt + made, "completion_tokens": made}


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"

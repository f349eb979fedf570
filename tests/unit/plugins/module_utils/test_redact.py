# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are taken out in every form that logs and configurations have, and ordinary lines stay as they are."""

from __future__ import annotations

import base64
import json
import time

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._redact import (
    MASK,
    redact,
    secrets_of_docker_config,
    secrets_of_environment,
)

S = "S3cr3tValue"

SECRET = [
    f"HF_TOKEN={S}",
    f'export VLLM_API_KEY="{S} with blanks {S}"',
    f'"auth": "{S}=="',
    f"{{'api_key': ['{S}', '{S}2'], 'port': 8000}}",
    f"Namespace(api_key=['{S}'], model='x')",
    f"--api-key {S} {S}2 --port 8000",
    f"--api-key={S} --port 1",
    f'"Cmd": ["serve", "--api-key", "{S}", "--port"]',
    f'"--api-key",\n          "{S}",',
    f"['--hf-token', '{S}']",
    f"https://user:{S}@registry.example/x",
    f"https://{S}@github.example/x",
    f"http://user:p@{S}@proxy:3128",
    f"http://user:pa/{S}@proxy:3128/",
    f"redis://:{S}@host:1",
    f'"http-proxy": "http://u:{S}@proxy:3128"',
    f"Authorization: Bearer {S}",
    f'{{"Authorization": "Bearer {S}"}}',
    f"Authorization: Basic {S}",
    f"Proxy-Authorization: Basic {S}",
    f'curl -H "Authorization: Bearer {S}" http://node:8000',
    f"refused bearer {S}",
    f"X-Api-Key: {S}",
    f"X-Registry-Auth: {S}",
    f"Set-Cookie: {S}",
    f"password: {S}",
    f"  password = '{S}'",
    f"db_password:{S}",
    f"PASSWD={S}",
    f"docker login -u me -p {S} registry",
    f"docker login --password {S} registry",
    f"--redis-password={S}",
    f"RAY_AUTH_TOKEN={S}",
    f"AWS_SECRET_ACCESS_KEY={S}",
    f"GET /x?access_token={S}&y=1",
    f"https://bucket.example/x?X-Amz-Signature={S}",
    f'{{\\"token\\": \\"{S}\\"}}',
    f"MODELSCOPE_API_TOKEN: {S}",
    f'"identitytoken": "{S}"',
    f'"OPENAI_API_KEY={S}",',
    f"clientSecret={S}",
    f"api_keys:\n  - {S}\n  - {S}\nport: 1",
    f'"api_keys": [\n  "{S}",\n  "{S}"\n]',
    f'"api_key":\n  "{S}"',
    f"accessToken={S}",
    f"apiKey: {S}",
    f"-----BEGIN RSA PRIVATE KEY-----\nMII{S}\n{S}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{S}\nand no end",
]

ORDINARY = [
    "Avg prompt throughput: 1.0 tokens/s, max_num_batched_tokens=8192",
    "GPU KV cache size: 1,200 tokens",
    "max_tokens: 128",
    "prompt_token_ids: [1, 2]",
    "INFO basic information follows here",
    "tokenizer='/data/models/x', tokenizer_mode=auto, skip_tokenizer_init=False",
    "--max-num-batched-tokens 8192 --tokenizer-mode auto",
    "api_key=None, port=1",
    "num_speculative_tokens: 2",
    "Authentication is disabled",
    'vllm:prompt_tokens_total{engine="0"} 12.0',
    '(APIServer pid=1) INFO:     10.0.0.1:5 - "POST /v1/chat/completions HTTP/1.1" 200',
    "The author: me, authority = 3",
    "http://10.0.0.1:8000/v1/models a@b",
    "KeyError: 'model.layers.0.self_attn.q_proj.weight'",
]


@pytest.mark.parametrize("text", SECRET)
def test_a_secret_is_taken_out(text):
    result = redact(text)
    assert S not in result
    assert MASK in result
    assert redact(result) == result


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_line_stays(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "value",
    [
        "hf_" + "aB3" * 11,
        "sk-proj-" + "x9" * 10,
        "ghp_" + "a1B2" * 9,
        "glpat-" + "x9" * 10,
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF",
        "ms-01234567-89ab-cdef-0123-456789abcdef",
    ],
)
def test_a_secret_is_known_by_its_form(value):
    assert redact(f"got {value} from somewhere") == f"got {MASK} from somewhere"


def test_a_known_value_goes_whatever_stands_before_it():
    known = "Tr1cky/value+x"
    encoded = base64.b64encode(known.encode()).decode()
    text = f"it said {known}, %54; Tr1cky%2Fvalue%2Bx, {encoded}"
    assert redact(text, [known, "ab"]) == f"it said {MASK}, %54; {MASK}, {MASK}"


def test_a_known_value_that_is_short_takes_no_words_out():
    assert redact("the end of the log", ["the"]) == "the end of the log"


def test_json_stays_json():
    document = {"auths": {"r": {"auth": S}}, "Env": ["HF_TOKEN=" + S, "A=1"], "api_key": [S], "port": 8000}
    read = json.loads(redact(json.dumps(document, indent=2)))
    assert read == {
        "auths": {"r": {"auth": MASK}},
        "Env": ["HF_TOKEN=" + MASK, "A=1"],
        "api_key": [MASK],
        "port": 8000,
    }


def test_environment():
    pairs = ["HF_TOKEN=abcdefgh", "PATH=/usr/bin:/bin", "TOKENIZERS_PARALLELISM=false", "MY_SECRET_X=12345678", "X"]
    assert secrets_of_environment(pairs) == {"abcdefgh", "12345678"}


def test_docker_config():
    auth = base64.b64encode(b"user:passwordOfRegistry").decode()
    config = {"auths": {"r": {"auth": auth}, "s": {"identitytoken": "0123456789"}, "t": {}, "u": None}}
    assert secrets_of_docker_config(config) == {auth, "passwordOfRegistry", "0123456789"}
    assert secrets_of_docker_config({"auths": []}) == set()
    assert secrets_of_docker_config([]) == set()


@pytest.mark.parametrize(
    "piece",
    ["key-", "x://a:", "login ", "token.", "--token-a", "--token a ", 'token="', "token=[", "bearer ", "eyJabc"],
)
def test_no_line_makes_it_slow(piece):
    """Rules that look back and forth would take minutes on a line of this length."""
    started = time.monotonic()
    redact(piece * 20000)
    assert time.monotonic() - started < 20

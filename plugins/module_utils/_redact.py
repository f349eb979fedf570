# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take secrets out of text before it leaves a node. Pure.

Two ways at once: values that are known to be secret are replaced wherever they stand, also encoded; and whatever looks
like a secret, by its own form or by the name before it, is replaced, too. Where in doubt it is taken out: a support
bundle with a word less is better than one with a key. Host names and addresses stay, they are what a network is
diagnosed by.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
# A shorter "secret" would take ordinary words out of every line.
LEAST = 6

# What makes a name secret. Plurals are not: max_num_batched_tokens, tokens/s. Nor is what begins with it: tokenizer.
_NAME = (
    r"(?:(?<![A-Za-z0-9])(?:api[_-]?keys?|access[_-]?keys?|private[_-]?key|signature|passphrase|pwd|credentials?|"
    r"auth(?:orization)?|cookie|jwt)(?:[_-](?:key|id|value|string|header|hash|b64))?(?![A-Za-z0-9_-])|"
    # Written together: clientSecret, accessToken, APIKEY, AWS_SECRET_ACCESS_KEY.
    r"(?:secret|passw|apikey|authkey|token(?!i[zs]|s(?![A-Za-z])|s?_(?!key|id\b|value|secret)))[A-Za-z0-9_.-]{0,60})"
)
_EMPTY = r"(?:None|null|true|false|\"\"|''|\[\]|\{\}|-)"
_LIST = r"\[[^\][]{0,4000}\]"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_ESCAPED = r"\\\"[^\"\\\n]*\\\""
_BARE = r"[^\s,;&\"'})\]|]+"
_SCHEME = r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://"
_OPTION = rf"(?<![\w-])--(?=[A-Za-z])[\w.-]{{0,60}}?{_NAME}"

_RULES = (
    # user:password@ of a URL, also with the forbidden characters that people type.
    (rf"({_SCHEME}[^\s/:@\"'<>]{{1,200}}:)(?!\d+[/\s\"'])[^\s\"'<>@]{{0,400}}@", rf"\1{MASK}@"),
    (rf"({_SCHEME})[^\s/\"'<>@]{{0,400}}@(?:[^\s/\"'<>@]{{0,400}}@)?", rf"\1{MASK}@"),
    # Authorization: Basic …, "Authorization": "Bearer …", and a scheme without its header.
    (r"(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"',}]+", rf"\1{MASK}"),
    (r"\b(bearer|basic)(\s+|%20)(?=[^\s\"']{0,200}[\d._~+/=-]|[A-Za-z]{16})[A-Za-z0-9._~+/=-]{6,}", rf"\1\2{MASK}"),
    # --api-key VALUE VALUE, also as a list of arguments: ["--api-key", "VALUE"].
    (rf"({_OPTION})([\"'],?\s*[\"'])[^\"'\n]*", rf"\1\2{MASK}"),
    (rf"({_OPTION})[ \t]+(?!-)(?:{_QUOTED}|[^\s\"']+)(?:[ \t]+(?![-&|;])(?:{_QUOTED}|[^\s\"']+))*", rf"\1 {MASK}"),
    (r"(\blogin\b[^\n]{0,200}?\s-p[ =]*)\S+", rf"\1{MASK}"),
)  # fmt: skip

# NAME=value, "name": "value", name: value, 'name': ['value', 'value'].
_NAMED = re.compile(
    rf"({_NAME}\\?[\"']?[ \t]*(?:=>|[:=])(?:\s*(?=[\"'\[])|[ \t]*))"
    rf"(?!{_EMPTY}(?:[\s,;&}})\]]|$)|\[?[\"']?{re.escape(MASK)})({_LIST}|{_QUOTED}|{_ESCAPED}|{_BARE})",
    re.IGNORECASE,
)

# A list of YAML under such a name.
_LISTED = re.compile(rf"({_NAME}[\"']?:[ \t]*\n)((?:[ \t]*-[ \t]+\S[^\n]*\n?)+)", re.IGNORECASE)
_ITEM = re.compile(r"^([ \t]*-[ \t]+)[^\n]*", re.MULTILINE)

# What is a secret by its own form: Hugging Face, OpenAI-like, GitHub, GitLab, Slack, AWS, JSON web tokens, ModelScope.
_FORMS = (
    r"\b(?:hf_[A-Za-z0-9]{16,}|api_org_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{12,}|gh[pousr]_[A-Za-z0-9]{20,}|"
    r"github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|"
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?|"
    r"ms-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)
# A private key, also one whose end is not in the text.
_PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"

# Only lines with one of these are looked at, with the line after (an option's value may stand there): the rules are
# slow, and logs are long.
_TRIGGERS = (
    "key", "token", "secret", "passw", "pwd", "passphrase", "credential", "auth", "cookie", "jwt", "signature",
    "bearer", "basic", "://", "login", "hf_", "api_org_", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xox", "akia", "asia", "eyj", "ms-",
)  # fmt: skip


def redact(text: str, known=()) -> str:
    """``text`` without secrets. ``known`` are values that are secret whatever they look like, see L(forms)."""
    for value in sorted(forms(known), key=len, reverse=True):
        text = text.replace(value, MASK)
    if "PRIVATE KEY-----" in text:
        text = re.sub(_PRIVATE_KEY, MASK, text, flags=re.DOTALL)
    result: list = []
    window: list = []
    opened = False
    for line in text.splitlines(keepends=True):
        low = line.lower()
        hit = any(trigger in low for trigger in _TRIGGERS)
        if not hit and not window:
            result.append(line)
            continue
        window.append(line)
        # A value that stands in the lines after: of a list in brackets, or with dashes.
        opened = (opened or hit and line.rstrip().endswith("[")) and "]" not in line
        if not hit and not (opened or line.lstrip().startswith("- ")):
            result.append(_apply("".join(window)))
            window = []
    return "".join(result) + _apply("".join(window))


def _apply(text):
    for pattern, instead in _RULES:
        text = re.sub(pattern, instead, text, flags=re.IGNORECASE)
    text = _LISTED.sub(lambda match: match.group(1) + _ITEM.sub(rf"\1{MASK}", match.group(2)), text)
    text = _NAMED.sub(_masked, text)
    return re.sub(_FORMS, MASK, text)


def _masked(match):
    """The mask with the quotes of the value, so that JSON stays JSON."""
    name, value = match.groups()
    if value[0] == "[":
        return f'{name}["{MASK}"]'
    quotes = '\\"' if value.startswith("\\") else value[0] if value[0] in "\"'" else ""
    return name + quotes + MASK + quotes


def forms(known) -> set:
    """The values and how they look in URLs, in base64 and with quotes escaped; too short ones are left out."""
    found = set()
    for value in known:
        value = value.strip()
        if len(value) < LEAST:
            continue
        raw = value.encode("utf-8", "replace")
        found |= {value, quote(value, safe=""), quote_plus(value), value.replace('"', '\\"')}
        found |= {base64.b64encode(raw).decode("ascii"), base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")}
    return found


def secrets_of_environment(pairs) -> set:
    """Values of C(NAME=value) strings whose name says that they are secret."""
    secret = re.compile(_NAME, re.IGNORECASE)
    found = set()
    for pair in pairs:
        name, _sep, value = pair.partition("=")
        if secret.search(name) and len(value.strip()) >= LEAST:
            found.add(value.strip())
    return found


def secrets_of_docker_config(config) -> set:
    """What a C(config.json) of Docker keeps: tokens, and user:password in base64, whole and the password alone."""
    found = set()
    auths = config.get("auths") if isinstance(config, dict) else None
    for entry in (auths or {}).values() if isinstance(auths, dict) else ():
        if not isinstance(entry, dict):
            continue
        found |= {str(entry[key]) for key in ("auth", "password", "identitytoken", "registrytoken") if entry.get(key)}
        try:
            plain = base64.b64decode(str(entry.get("auth") or "")).decode("utf-8")
        except ValueError:
            continue
        found.add(plain.partition(":")[2])
    return {value for value in found if len(value) >= LEAST}

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's "model": a tokenizer that counts, and a reply that says what it is."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .config import EngineConfig
from .device import Claim

_TOKEN = re.compile(r"\s*(?:<\|[a-z_]+\|>|\w{1,8}|[^\w\s])|\s+$", re.ASCII)
QUOTE_WORDS = 12


def tokens(text: str) -> list[str]:
    """Cut text into pieces of which it is the concatenation: words (long ones in parts) and single signs."""
    return _TOKEN.findall(text)


def chat_prompt(messages: list[dict[str, Any]]) -> str:
    """Messages in the ChatML form which Qwen models use, with the start of the reply."""
    turns = [f"<|im_start|>{item['role']}\n{content_text(item.get('content'))}<|im_end|>\n" for item in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def content_text(content: Any) -> str:
    """The text of a message: a string, or the text parts of a list.

    :raises ValueError: for parts that are not text (the stand-in sees no pictures)
    """
    if content is None or isinstance(content, str):
        return content or ""
    parts = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise ValueError("The lab's stand-in takes text parts only.")
        parts.append(str(part.get("text", "")))
    return "\n".join(parts)


@dataclass(frozen=True)
class Speaker:
    """Makes replies; the same prompt gives the same reply."""

    version: str
    model: str
    where: str

    @classmethod
    def of(cls, version: str, config: EngineConfig, claims: list[Claim]) -> Speaker:
        """Describe the placement from what the workers hold."""
        hosts = Counter(claim.host for claim in claims)
        nodes = "1 node" if len(hosts) == 1 else f"{len(hosts)} nodes"
        npus = "1 NPU" if len(claims) == 1 else f"{len(claims)} NPUs"
        each = ", ".join(f"{host}: {count}" for host, count in sorted(hosts.items()))
        sizes = (("tensor", config.tensor), ("pipeline", config.pipeline), ("data", config.data))
        shape = " × ".join(f"{word} {size}" for word, size in sizes if size > 1) or "no parallelism"
        return cls(version, config.names[0], f"{npus} on {nodes} ({each}; {shape})")

    def reply(self, said: str) -> str:
        """The whole text, before any limit on its length."""
        words = said.split()
        quote = " ".join(words[:QUOTE_WORDS]) + (" …" if len(words) > QUOTE_WORDS else "")
        return (
            f"Hello from {self.where}. I am the lab's stand-in for vLLM {self.version}, not a language model: "
            f"{self.model} is only a name here, but the cluster that holds it is real. "
            f'You wrote {len(words)} word{"" if len(words) == 1 else "s"}: "{quote}"'
        )

    def pieces(self, said: str, ignore_eos: bool) -> Iterator[str]:
        """The reply token by token; without end when the end is to be ignored (load tests ask for that)."""
        once = tokens(self.reply(said))
        return itertools.chain(once, itertools.cycle([" And", " so", " on", "."])) if ignore_eos else iter(once)

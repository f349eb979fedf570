# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does C(vllm serve) of a release take these C(args)? Judged by the option lists of its releases.

For an image the list of the nearest release at or below it counts. Where that is not the image's own release, the next
newer list is asked, too: what only one of the two knows came or went in between, and is a doubt and no fault.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import NamedTuple

from . import _vllm_options_data as data
from ._compatibility import chip_of_suffix
from ._compatibility import image as image_of
from ._vllm_replaced import REPLACED

KINDS = {
    "flag": "true or false",
    "on": "true or false",
    "word": "true or false",
    "int": "a whole number",
    "float": "a number",
    "size": "a whole number, or a text such as 32k or 32K",
    "size_auto": "a whole number, a text such as 32k or 32K, or auto",
    "json": "a list or a mapping",
    "config": "a mapping",
    "mixed": "a mapping or a text",
    "text": "a text",
    "name": "a text",
    "each": "a list of texts",
    "lora": "name=path, or a mapping with name and path",
    "any": "a text, a number, a list or a mapping",
}
_SWITCHES = ("flag", "on", "word")
_SIZE = re.compile(r"\d+([kKmMgGtT]?|\.\d+[kmgt])")


class Option(NamedTuple):
    """An option of one release. ``kind`` is one of KINDS, ``several`` whether it takes several words."""

    kind: str
    several: bool = False
    choices: tuple = ()


class Lists(NamedTuple):
    """What is known of an image: ``low`` and ``high`` are indexes into RELEASES (or None), ``exact`` whether the image
    has the very release of ``low``."""

    release: str | None
    low: int | None
    high: int | None
    exact: bool


@lru_cache(maxsize=None)
def options(index):
    """{name: Option} of RELEASES[index]."""
    found = {}
    for row in _rows(data.PLAIN):
        kind, mask, *names = row
        if mask[index] == "1":
            found.update(dict.fromkeys(names, Option(kind.rstrip("+"), kind.endswith("+"))))
    for kind, mask, name, *choices in _rows(data.CHOICES):
        if mask[index] == "1":
            found[name] = Option(kind.rstrip("+"), kind.endswith("+"), tuple(choices))
    return found


def _rows(text):
    return [row.split() for row in re.sub(r"\n +", " ", text).strip().splitlines()]


def release_of(image):
    """The release of an image of vLLM-Ascend by its tag, as (0, 23, 0); None for any other image."""
    found = image_of((image or "").split("@", 1)[0])
    if found.release is None or chip_of_suffix(found.suffix) is None:
        return None
    return _numbers(found.release)


def _numbers(version):
    """The base release: rc and post do not change the options of vLLM."""
    return tuple(int(part) for part in re.match(r"v?(\d+)\.(\d+)\.(\d+)", version).groups())


def lists_for(image):
    """Which lists speak for an image."""
    base = release_of(image)
    if base is None:
        return Lists(None, None, None, False)
    known = [_numbers(version) for version in data.RELEASES]
    low = max((index for index, version in enumerate(known) if version <= base), default=None)
    exact = low is not None and known[low] == base
    high = min((index for index, version in enumerate(known) if version > base), default=None)
    return Lists(".".join(map(str, base)), low, None if exact else high, exact)


def option_of(name, image=None):
    """The L(Option) by which a value is to be written; of any release when the image's is not known."""
    lists = lists_for(image)
    first = [index for index in (lists.low, lists.high) if index is not None]
    for index in [*first, *reversed(range(len(data.RELEASES)))]:
        if name in options(index):
            return options(index)[name]
    return None


def check(args, image, passed_over=()):
    """What is wrong, or doubtful, about C(args) with C(image).

    :arg args: flags in snake_case; null leaves one out.
    :arg passed_over: names that somebody else judges.
    :returns: (problems, doubts), pairs of what it is and what to do.
    """
    lists = lists_for(image)
    if lists.low is None:
        known = f"{image} is older than {data.RELEASES[0]}" if lists.release else f"{image} is no tag of a release"
        doubt = f"args are not checked: no list of options is known for the image, {known}"
        return [], [(doubt, f"read `vllm serve --help` of the image, or take one from v{data.RELEASES[0]} on")]
    problems, doubts = [], []
    for name, value in args.items():
        if value is None or name in passed_over:
            continue
        low = options(lists.low).get(name)
        high = low if lists.exact else options(lists.high).get(name) if lists.high is not None else None
        if low is None and high is None:
            # Newer than every list, it may have come since.
            newer = not lists.exact and lists.high is None and not _ever(name)
            (doubts if newer else problems).append(_unknown(name, value, lists))
        elif low is None:
            doubt = f"args.{name} came between vLLM {data.RELEASES[lists.low]} and {data.RELEASES[lists.high]}"
            doubts.append((doubt, f"see whether {lists.release} has it"))
        elif high is None and lists.high is not None:
            doubt = f"args.{name} went between vLLM {data.RELEASES[lists.low]} and {data.RELEASES[lists.high]}"
            doubts.append((doubt, _instead(name) or f"see whether {lists.release} still has it"))
        faults = [_fault(name, value, option) for option in (low, high) if option]
        if faults and all(faults):
            problems.append(faults[0])
    return problems, doubts


def _ever(name):
    return name in REPLACED or any(name in options(index) for index in range(len(data.RELEASES)))


def _instead(name):
    return REPLACED[name].remedy if name in REPLACED else None


def _unknown(name, value, lists):
    """Why nothing knows this option, and what to write."""
    release = lists.release if lists.exact else f"{lists.release} (list of {data.RELEASES[lists.low]})"
    has = [version for index, version in enumerate(data.RELEASES) if name in options(index)]
    known = options(lists.low)
    if name in REPLACED:
        return f"args.{name} is gone in vLLM {release}", REPLACED[name].remedy
    if has and _numbers(has[0]) > _numbers(lists.release):
        return (
            f"args.{name} is not in vLLM {release}, it comes with {has[0]} at the latest",
            f"leave it out, or take an image of v{has[0]}",
        )
    if has:
        return f"args.{name} is gone in vLLM {release}, {has[-1]} still had it", "leave it out"
    if name.startswith("no_") and name[3:] in known and isinstance(value, bool):
        return f"args.{name} is not an option of vLLM {release}", f"write {name[3:]}: {str(not value).lower()}"
    near = _nearest(name, known)
    remedy = f"write '{near}'" if near else "see `vllm serve --help` of the image for its options"
    return f"args.{name} is not an option of vLLM {release}", remedy


def _nearest(name, known):
    import difflib  # only needed to word an error

    words = set(name.split("_"))
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    # Of those that are about as close, the one with the same words: enable_lora for lora_enable.
    same = [option for option in known if set(option.split("_")) == words]
    return (same + close + [None])[0]


def _fault(name, value, option):
    """(problem, remedy) when a value cannot be one of this option, else None."""
    values = [value]
    if isinstance(value, (list, tuple)) and (option.several or option.kind == "each"):
        values = value
    for one in values:
        if not _fits(one, option.kind):
            said = json.dumps(one, ensure_ascii=False, default=str)
            wish = KINDS[option.kind] + (", or a list of such" if option.several else "")
            quoted = option.kind in _SWITCHES and str(one).lower() in ("true", "false", "yes", "no")
            return f"args.{name} is {said}", f"give {wish}" + (", without quotes" if quoted else "")
        if option.choices and not _chosen(one, option):
            near = _nearest(str(one), option.choices)
            hint = f"write '{near}'" if near else "use one of " + ", ".join(option.choices)
            return f"args.{name} is '{one}', which is none of {', '.join(option.choices)}", hint
    return None


def _chosen(value, option):
    text = str(value)
    if option.kind == "name":
        text = text.strip().lower().replace("-", "_")
    return text in option.choices or ("None" in option.choices and text == "")


def _fits(value, kind):
    if kind in _SWITCHES:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return kind == "json"
    if kind == "any":
        return True
    if kind == "lora":
        return _is_lora(value)
    if kind in ("text", "name", "each"):
        return isinstance(value, (str, int, float))
    if kind == "mixed":
        return isinstance(value, (dict, str)) and (not _braced(value) or _json(value) is not None)
    if kind in ("json", "config"):
        found = _json(value) if isinstance(value, str) else value
        # A bare number is the short form of a compilation level.
        return isinstance(found, (dict, int) if kind == "config" else (dict, list, int, float, str))
    if kind in ("size", "size_auto"):
        text = str(value).strip()
        return bool(_SIZE.fullmatch(text)) or (kind == "size_auto" and text.lower() in ("auto", "-1"))
    try:
        (int if kind == "int" else float)(str(value))
    except ValueError:
        return False
    return isinstance(value, (int, float, str))


def _is_lora(value):
    """As vLLM's LoRAParserAction takes it."""
    if isinstance(value, str) and "=" in value and "," not in value:
        return True
    found = _json(value) if isinstance(value, str) else value
    return isinstance(found, dict) and {"name", "path"} <= set(found)


def _braced(value):
    return isinstance(value, str) and value.strip().startswith("{") and value.strip().endswith("}")


def _json(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


__all__ = ["KINDS", "Lists", "Option", "check", "lists_for", "option_of", "options", "release_of"]

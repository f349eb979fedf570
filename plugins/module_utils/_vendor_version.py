# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Versions as Ascend packages, files and tools spell them. This module util is PRIVATE to the collection.

Seen: ``25.5.0``, ``25.3.rc1``, ``25.0.RC1.1``, ``24.1.rc2.2``, ``24.1.0.3``, ``8.3.RC1.alpha001``, ``8.0.T63.B020``,
``v26.1.0.beta.2``, ``9.1.0-beta.1``, ``7.3.0.SPC1``, ``23.0.rc1.b070``, firmware ``7.7.0.6.236``. Case differs between
file name and version file of one package.
"""

from __future__ import annotations

import re

# What stands for the stages of a release, from early to late. A number, or the end of the version, is the release.
_STAGES = {"alpha": -4, "beta": -3, "t": -2, "rc": -1}
_RELEASE = 0
_BUILD = 1  # "b070" says which build of the same release it is
_PATCH = 2  # "spc1", "post1", "sph001", and words nobody has seen yet

_PART = re.compile(r"\d+|[a-z]+")


def version_key(version: str) -> tuple:
    """Something to sort versions by: 8.3.RC1.alpha001 < 8.3.RC1 < 8.3.RC2 < 8.3 = 8.3.0 < 8.3.0.SPC1 < 8.3.1."""
    key: list = []
    parts = _PART.findall(_plain(version))
    position = 0
    while position < len(parts):
        part = parts[position]
        position += 1
        if part.isdigit():
            key.append((_RELEASE, int(part)))
            continue
        number = 0
        if position < len(parts) and parts[position].isdigit():
            number = int(parts[position])
            position += 1
        key.append((_stage(part), number))
    while key and key[-1] == (_RELEASE, 0):  # 25.5 and 25.5.0 are one version
        key.pop()
    return _Key(key)


class _Key(tuple):
    """A tuple that is compared as if both had ever more zeros at the end."""

    def __lt__(self, other) -> bool:
        longest = max(len(self), len(other))
        return _padded(self, longest) < _padded(other, longest)

    def __gt__(self, other) -> bool:
        return _Key(other) < self

    def __le__(self, other) -> bool:
        return not self > other

    def __ge__(self, other) -> bool:
        return not self < other

    __hash__ = tuple.__hash__


def same_version(wanted: str | None, found: str | None) -> bool:
    """Whether ``found`` is the version ``wanted``. A wish without a build (``.b002``) takes any build of it."""
    if not wanted or not found:
        return False
    wish, there = version_key(wanted), version_key(found)
    if wish == there:
        return True
    builds = [part for part in there if part[0] == _BUILD]
    return bool(builds) and not any(part[0] == _BUILD for part in wish) and wish == version_key(_without_build(found))


def newer(one: str, other: str) -> bool:
    """Whether ``one`` is later than ``other``; a build of the same release is not."""
    if same_version(one, other) or same_version(other, one):
        return False
    return version_key(one) > version_key(other)


def spans(text: str | None) -> tuple:
    """``[7.0.0,7.1.99],[8.0,8.9]`` of a version.info as ((low, high), ...); () for none."""
    return tuple((low.strip(), high.strip()) for low, high in re.findall(r"\[([^,\]]+),([^,\]]+)\]", text or ""))


def in_spans(version: str, accepted) -> bool:
    """Whether ``version`` is in one of ``accepted``, L(spans). A limit that ends in a dot takes all that begins so."""
    for low, high in accepted:
        if high.endswith(".") and (_plain(version) + ".").startswith(_plain(high)):
            return True
        if version_key(low) <= version_key(version) <= version_key(high):
            return True
    return False


def _plain(version: str) -> str:
    return re.sub(r"^v(?=\d)", "", version.strip().lower())


def _stage(word: str) -> int:
    return _BUILD if word == "b" else _STAGES.get(word, _PATCH)


def _without_build(version: str) -> str:
    return re.sub(r"[.-]?b\d+", "", _plain(version))


def _padded(key, length: int) -> tuple:
    return tuple(key) + ((_RELEASE, 0),) * (length - len(key))


__all__ = ["in_spans", "newer", "same_version", "spans", "version_key"]

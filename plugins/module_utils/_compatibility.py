# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do these versions work together? A wish, and what a node has, against the tables of C(_compatibility_data).

A combination that a table rules out is an error, and comes with rows that would work. One that no table knows is a
warning and never more, for machines are ahead of documents.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from . import _compatibility_data as data
from ._compatibility_versions import at_least, covers, is_version
from ._vendor_version import in_spans, same_version

LEVELS = ("error", "warning", "note")
# What a wish may name, besides C(stack).
WISH_KEYS = ("hdk", "firmware", "cann", "docker_runtime", "docker", "mindie", "mis_tei", "vllm_ascend", "os")


class StackError(ValueError):
    """What C(ascend_stack) says cannot be understood; the text says what can."""


class Finding(NamedTuple):
    """One thing that a reader should know. ``rows`` are combinations that would work, for errors between versions."""

    level: str
    subject: str
    problem: str
    remedy: str
    rows: tuple = ()

    def sentence(self):
        return f"{self.problem}; {self.remedy}."

    def to_dict(self):
        return {**self._asdict(), "rows": [dict(row) for row in self.rows], "sentence": self.sentence()}


class Image(NamedTuple):
    """An image of vLLM-Ascend by its tag. ``suffix`` is that of a chip family, as C(-a3)."""

    name: str
    release: str | None
    suffix: str


_TAG = re.compile(r"vllm-ascend:(?P<release>v?\d+\.\d+\.\d+(?:\.post\d+|rc\d+)?)(?P<suffix>-[a-z0-9-]+)?$")
_SUFFIXES = {"-a3": "A3", "-310p": "310P", "-a5": "950", "-950dt": "950"}


def stack(name):
    """The row called C(name); for any other version the HDK alone, with C(evidence) V(unknown)."""
    for row in data.STACKS:
        if row.name == name or (row.hdk and is_version(str(name)) and same_version(str(name), row.hdk)):
            return row
    if not is_version(str(name)):
        known = ", ".join(row.name for row in data.STACKS)
        raise StackError(f"'{name}' is no version of the HDK, and no row is called so; the rows are {known}")
    return data.Stack(str(name), hdk=str(name))


def stack_versions(wish):
    """C(ascend_stack) as a mapping of all C(WISH_KEYS); what is not said is None.

    C(name) is that of the row, C(evidence) how well it is known, C(told) lists the keys which the wish itself names.

    :arg wish: a name, or a mapping with versions that go before those of the row it names as C(stack).
    """
    if not wish:
        return {**dict.fromkeys(("name", *WISH_KEYS)), "evidence": "unknown", "told": []}
    if isinstance(wish, (str, int, float)):
        wish = {"stack": str(wish)}
    if not isinstance(wish, dict):
        raise StackError(f"{wish!r} is neither the name of a row nor a mapping")
    strange = [key for key in wish if key not in ("stack", *WISH_KEYS)]
    if strange:
        raise StackError(f"key '{strange[0]}' is not known; use stack, {', '.join(WISH_KEYS)}")
    told = {key: str(value) for key, value in wish.items() if key != "stack" and value not in (None, "")}
    row = stack(wish["stack"]) if wish.get("stack") else data.Stack("")
    found = {key: told.get(key, getattr(row, key)) for key in WISH_KEYS}
    return {"name": row.name or None, **found, "evidence": "unknown" if told else row.evidence, "told": sorted(told)}


def image(name):
    """The release and the suffix of an image of vLLM-Ascend; the release is None for any other image."""
    found = _TAG.search(name or "")
    if not found:
        return Image(name, None, "")
    release = found["release"] if found["release"].startswith("v") else "v" + found["release"]
    return Image(name, release, (found["suffix"] or "").replace("-openeuler", ""))


def release(version):
    """The L(Release) of a version of vLLM-Ascend, or None."""
    return next((row for row in data.RELEASES if is_version(version) and same_version(row.version, version)), None)


def cann_accepts(cann, hdk):
    """Whether a CANN runs on an HDK: True, False, or None when no table says.

    An HDK older than one that is ruled out is ruled out, too (inferred).
    """
    if any(row.cann and row.hdk and covers(row.cann, cann) and covers(row.hdk, hdk) for row in data.STACKS):
        return True
    for row in data.CANN_HDK:
        if covers(row.version, cann):
            if any(covers(entry, hdk) for entry in row.compatible):
                return True
            limits = [entry.rsplit(".X", 1)[0] for entry in row.incompatible]
            refused = any(covers(entry, hdk) for entry in row.incompatible)
            return False if refused or any(not at_least(hdk, limit) for limit in limits) else None
    return None


def release_runs_on(version, hdk):
    """Whether a release of vLLM-Ascend runs on an HDK, as its CANN does; a tested row goes before."""
    if any(
        r.vllm_ascend and r.hdk and same_version(r.vllm_ascend, version) and covers(r.hdk, hdk) for r in data.STACKS
    ):
        return True
    row = release(version)
    return cann_accepts(row.cann, hdk) if row and row.cann else None


def rows_that_work(hdk=None, version=None, cann=None, chip=None):
    """Combinations that the tables allow, keeping first what is asked to run and then what is installed.

    :returns: tuple of mappings with C(hdk) (a list of entries), C(cann) and C(vllm_ascend); at most four.
    """
    rows = []
    asked = release(version)
    wanted = cann or (asked.cann if asked else None)
    for row in data.CANN_HDK:
        if wanted and covers(row.version, wanted):
            rows.append({"hdk": list(row.compatible), "cann": wanted, "vllm_ascend": version})
    if hdk:
        fit = [r for r in data.RELEASES if release_runs_on(r.version, hdk) and (chip is None or chip in r.chips)]
        finals = [r for r in fit if "rc" not in r.version]
        rows += [{"hdk": [hdk], "cann": r.cann, "vllm_ascend": r.version} for r in (finals[:2] or fit[:2])]
        if not fit:
            others = (row.version for row in data.CANN_HDK if cann_accepts(row.version, hdk))
            rows += [{"hdk": [hdk], "cann": other, "vllm_ascend": None} for other in others]
    return tuple(rows[:4])


def show_row(row):
    """A row in one line: HDK 25.2.X, 25.3.X + CANN 9.1.0 + vLLM-Ascend v0.23.0."""
    names = (("HDK", row.get("hdk")), ("CANN", row.get("cann")), ("vLLM-Ascend", row.get("vllm_ascend")))
    shown = [(name, ", ".join(value) if isinstance(value, list) else value) for name, value in names if value]
    return " + ".join(f"{name} {value}" for name, value in shown)


def graph_mode(version, hdk):
    """The graph mode to ask of a release on an HDK: None leaves the release its own.

    From v0.21.0rc1 on the default needs HDK 25.5.1; older drivers lack the streams it takes.
    """
    if is_version(hdk) and at_least(version, data.FULL_GRAPH_SINCE) and not at_least(hdk, data.FULL_GRAPH_HDK):
        return data.SMALL_GRAPH
    return None


def told_graph_mode(args):
    """The graph mode that the arguments of a service ask for; V(NONE) when it runs without graphs, None if not said."""
    args = args if isinstance(args, dict) else {}
    if args.get("enforce_eager") in (True, "true", "True"):
        return "NONE"
    config = args.get("compilation_config")
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except ValueError:
            return None
    return config.get("cudagraph_mode") if isinstance(config, dict) else None


def fit_args(args, version, hdk):
    """C(args) of a service, with a graph mode that the driver has when they say none; else the same object."""
    mode = graph_mode(version, hdk)
    config = (args or {}).get("compilation_config", {})
    if mode is None or told_graph_mode(args) is not None or not isinstance(config, dict):
        return args
    return {**(args or {}), "compilation_config": {**config, "cudagraph_mode": mode}}


def accepted(spans, version):
    """Whether a version is in the spans of a C(version.info); None when there are none, or no version."""
    if not spans or not is_version(version):
        return None
    return in_spans(version, tuple(tuple(span) for span in spans))


def chip_of_suffix(suffix):
    """The chip family of an image's suffix: "" is A2; None for one that is not known."""
    return _SUFFIXES.get(suffix) if suffix else "A2"

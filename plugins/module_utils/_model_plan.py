# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models C(ascend_models) wants on which nodes, who fetches each of them, and who copies it from whom when.

A source is read once. In each round every node that has the model sends it to one that has not, so a fleet of N nodes
takes ceil(log2 N) rounds. Nodes that share a file system (NFS) count as one.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re

from ._model_files import ModelError
from ._model_hub import HUBS, REVISIONS, check_repo
from ._services import Problem, _nearest

KINDS = HUBS + ("directory", "nfs")
KEYS = ("path", "source", "repo", "revision", "endpoint", "from", "from_host", "include", "exclude", "hosts", "writer")
KEYS += ("state", "tokenizer", "permissions", "owner", "group", "directory_mode", "file_mode")
# MindIE refuses files that others may read, and directories that others may list.
PERMISSIONS = {"mindie": {"directory_mode": "0750", "file_mode": "0640"}}
_PATH = re.compile(r"^(/[A-Za-z0-9_][\w.+@-]*){2,}$", re.ASCII)
_EXPORT = re.compile(r"^[\w.\[\]:-]+:/[\w./+@-]*$", re.ASCII)


def wishes(models, services, hosts):
    """Judge C(ascend_models) and spread it over the nodes.

    :arg services: C(ascend_services); what of it is wrong is said by the placement.
    :arg hosts: the nodes of the run.
    :returns: ({host: [wish]}, [Problem]). A wish has all keys of L(KEYS) but C(hosts) and C(permissions), and C(source)
        as it is recorded, C(kind), C(nodes) (all that want it), C(used_by).
    """
    problems, found, seen = [], {host: [] for host in hosts}, {}
    users = _users(services)
    for number, model in enumerate(models):
        path = model.get("path") if isinstance(model, dict) else None
        item = f"model {path}" if path else f"entry {number + 1} of ascend_models"
        said = list(_faults(model)) if isinstance(model, dict) else [(f"it is {model!r}", "give a mapping with path")]
        if not said and path in seen:
            said = [(f"{path} is there twice", "name every directory once")]
        if said:
            problems += [Problem("inventory", item, *fault) for fault in said]
            continue
        seen[path] = True
        mine = {name: where for name, (used, where) in users.items() if used == path}
        nodes = model.get("hosts") or sorted({host for where in mine.values() for host in where}, key=str)
        unknown = [host for host in model.get("hosts") or [] if host not in hosts]
        nodes = [host for host in hosts if host in nodes]
        wish = _wish(model, nodes)
        if not nodes and not unknown and model.get("state", "present") == "present":
            problems.append(
                Problem(
                    "inventory", item, "no service uses it", "name its nodes as hosts, or take it out of ascend_models"
                )
            )
        elif wish["from_host"] and wish["from_host"] not in hosts:
            problems.append(
                Problem("inventory", item, f"from_host {wish['from_host']} is no node of this run", "run with it, too")
            )
        # Absent without hosts: wherever it is.
        for host in nodes if nodes or wish["state"] == "present" else hosts:
            found[host].append({**wish, "used_by": sorted(name for name, where in mine.items() if host in where)})
    return found, problems


def _users(services):
    """{service: (directory, hosts)} of services that can be understood."""
    found = {}
    for service in services or []:
        if isinstance(service, dict) and isinstance(service.get("model"), str):
            where = service.get("hosts")
            found[service.get("name")] = (os.path.normpath(service["model"]), where if isinstance(where, list) else [])
    return found


def _faults(model):
    """(what is wrong, what to do) of one entry."""
    for key in model:
        if key not in KEYS:
            near = _nearest(key, KEYS)
            yield f"key '{key}' is not known", f"write '{near}'" if near else f"the known keys are {', '.join(KEYS)}"
    path = model.get("path")
    if not isinstance(path, str) or not _PATH.match(path):
        yield f"path is {path!r}", "give an absolute directory such as /data/models/NAME, without spaces"
    state, kind = model.get("state", "present"), model.get("source")
    if state not in ("present", "absent"):
        yield f"state is {state!r}", "give present or absent"
    if kind is not None and kind not in KINDS:
        yield f"source is {kind!r}", f"give {', '.join(KINDS)}, or leave it out for a model that is there already"
    if kind in HUBS:
        try:
            check_repo(kind, model.get("repo"))
        except ModelError as exc:
            yield exc.problem, exc.remedy
    elif "repo" in model:
        yield f"repo says nothing with source {kind}", f"take it out, or give {', '.join(HUBS)} as source"
    if kind == "directory" and not str(model.get("from", "")).startswith("/"):
        yield f"from is {model.get('from')!r}", "give the absolute directory on the controller, or on from_host"
    if model.get("from_host") and not _PATH.match(str(model.get("from"))):
        yield f"from is {model.get('from')!r}", "give a directory without spaces, so that a key can be limited to it"
    if kind == "nfs" and not _EXPORT.match(str(model.get("from", ""))):
        yield f"from is {model.get('from')!r}", "give it as filer:/export/models/NAME"
    permissions = model.get("permissions")
    if permissions is not None and permissions not in PERMISSIONS:
        yield f"permissions is {permissions!r}", f"give {', '.join(PERMISSIONS)}, or directory_mode and file_mode"
    for key in ("directory_mode", "file_mode"):
        if key in model and not (isinstance(model[key], str) and re.match(r"^0?[0-7]{3}$", model[key])):
            yield f"{key} is {model[key]!r}", 'give it in octal and in quotes, such as "0640"'


def _wish(model, nodes):
    kind = model.get("source")
    modes = {"directory_mode": "0755", "file_mode": "0644", **PERMISSIONS.get(model.get("permissions"), {})}
    revision = str(model.get("revision") or REVISIONS.get(kind, ""))
    include, exclude = list(model.get("include") or []), list(model.get("exclude") or [])
    if kind in HUBS:
        source = {"kind": kind, "repo": model["repo"], "revision": revision, "include": include, "exclude": exclude}
    elif kind:
        source = {"kind": kind, "from": model["from"], "host": model.get("from_host") or ""}
    else:
        source = None
    return {
        "path": model["path"],
        "kind": kind or "",
        "source": source,
        "repo": model.get("repo") or "",
        "revision": revision,
        "endpoint": model.get("endpoint") or "",
        "from": model.get("from") or "",
        "from_host": model.get("from_host") or "",
        "include": include,
        "exclude": exclude,
        "writer": model.get("writer") or "",
        "state": model.get("state", "present"),
        "tokenizer": model.get("tokenizer", True),
        "owner": model.get("owner") or "",
        "group": model.get("group") or "",
        "directory_mode": str(model.get("directory_mode") or modes["directory_mode"]),
        "file_mode": str(model.get("file_mode") or modes["file_mode"]),
        "nodes": nodes,
    }


def moves(wanted, found, sources=None, refresh=False):
    """Who fetches what, and who copies it from whom.

    :arg wanted: {host: [wish]} of L(wishes).
    :arg found: {host: {path: what M(npuops.ascend.model_files) tells}}.
    :arg sources: {path: fingerprint of the directory that it is copied from}, so that its changes are followed.
    :arg refresh: fetch again although it is there, so that branches are followed.
    :returns: ({"fetches": {host: [wish]}, "rounds": [[{"path", "from", "to", "source"}]],
        "shared": {host: {path: writer}}, "needed": {path: [host]}, "sources": {path: source as it is recorded},
        "takes": {host: [its part of each round]}, "gives": {host: [{"path": its directory there, "to"}]}}, [Problem])
    """
    work = {"fetches": {}, "rounds": [], "shared": {}, "needed": {}, "sources": {}}
    problems, models = [], {}
    for host, mine in wanted.items():
        for wish in mine:
            if wish["state"] == "present":
                models.setdefault(wish["path"], (wish, []))[1].append(host)
    for path, (plain, hosts) in models.items():
        wish = _with_fingerprint(plain, (sources or {}).get(path))
        seen = {host: found.get(host, {}).get(path) or {} for host in hosts}
        have = [host for host in hosts if seen[host].get("complete") and _same(wish, seen[host])]
        if refresh and wish["kind"] in HUBS:
            have = []
        if not wish["kind"]:
            for host in hosts:
                if not seen[host].get("complete"):
                    said = seen[host].get("problem") or f"{path} was not looked at"
                    remedy = seen[host].get("remedy") or "run the role model there"
                    problems.append(Problem(host, f"model {os.path.basename(path)}", said, remedy))
            continue
        lead = _leads(hosts, seen, have, wish)
        for host in hosts:
            if lead[host] != host and host not in have:
                work["shared"].setdefault(host, {})[path] = lead[host]
        want = [host for host in hosts if lead[host] == host and host not in have]
        if want:
            work["needed"][path] = want
        if want or any(host not in have for host in hosts):
            work["sources"][path] = wish["source"]
        outside = None
        if want and not have and wish["from_host"] and wish["from_host"] not in want:
            # Another node has the directory under another name, or does not serve the model: the first one to give it.
            outside = wish["from_host"]
            have = [outside]
        elif want and not have:
            writer = wish["writer"] if wish["writer"] in want else want[0]
            # A directory of a node is nearest on that node.
            writer = wish["from_host"] or writer
            work["fetches"].setdefault(writer, []).append(wish)
            have, want = [writer], [host for host in want if host != writer]
        givers = [host for host in have if host == outside or lead[host] == host] or have[:1]
        for number, pairs in enumerate(fan_out(givers, want)):
            while len(work["rounds"]) <= number:
                work["rounds"].append([])
            work["rounds"][number] += [
                {"path": path, "from": sender, "to": taker, "source": wish["from"] if sender == outside else path}
                for sender, taker in pairs
            ]
    everything = [copy for copies in work["rounds"] for copy in copies]
    work["takes"] = {
        host: [[copy for copy in copies if copy["to"] == host] for copies in work["rounds"]]
        for host in sorted({copy["to"] for copy in everything})
    }
    work["gives"] = {
        host: [{"path": copy["source"], "to": copy["to"]} for copy in everything if copy["from"] == host]
        for host in sorted({copy["from"] for copy in everything})
    }
    return work, problems


def _with_fingerprint(wish, fingerprint):
    return {**wish, "source": {**wish["source"], "fingerprint": fingerprint}} if fingerprint else wish


def _same(wish, seen):
    """Whether a record is of the source that is wanted."""
    return wish["source"] is None or seen.get("source") == wish["source"]


def _leads(hosts, seen, have, wish):
    """{host: the one that writes for all that share its file system}."""
    found, first = {}, {}
    order = sorted(hosts, key=lambda host: (host not in have, host != wish["writer"], hosts.index(host)))
    for host in order:
        place = seen[host].get("storage")
        found[host] = first.setdefault(place, host) if place else host
    return found


def fan_out(have, want):
    """Rounds of (sender, taker): every node that has it sends it to one that has not."""
    rounds, have, want = [], list(have), list(want)
    while want and have:
        pairs = list(zip(have, want))
        rounds.append(pairs)
        have += [taker for _sender, taker in pairs]
        want = want[len(pairs) :]
    return rounds


__all__ = ["KINDS", "fan_out", "moves", "wishes"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet: every node's case and host, findings that nodes share told once, and one table to read.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from typing import NamedTuple

from ._compatibility import LEVELS, Finding, image, show_row
from ._compatibility_host import Limits, check_host, compare_hosts
from ._compatibility_rules import Case, check
from ._vendor_version import version_key

COLUMNS = ("node", "chip", "NPUs", "system", "kernel", "driver", "firmware", "CANN", "runtime", "Docker")
_SHOWN_HOSTS = 4


class Node(NamedTuple):
    """What was read on a node.

    :ivar host: what C(_host_check.look) read, or None. :ivar stack: what C(stack_info) returned, which goes before
        what the host says of itself. :ivar chip: family of its NPUs, where the PCI bus does not tell.
    :ivar driver: version that npu-smi shows. :ivar ports: problems that C(hccn_check) returned.
    :ivar error: why the node could not be read, in one sentence.
    """

    host: dict | None = None
    stack: dict | None = None
    chip: str | None = None
    driver: str | None = None
    ports: tuple = ()
    error: str | None = None

    @property
    def family(self):
        return self.chip or (self.host or {}).get("npus", {}).get("family")

    def found(self):
        """Versions as a L(Case) takes them."""
        files = (self.host or {}).get("installed") or {}
        stack = {**files, **(self.stack or {})}
        driver, firmware = _part(stack.get("driver")), _part(stack.get("firmware"))
        toolkits = [entry for entry in stack.get("cann") or [] if entry.get("component", "toolkit") == "toolkit"]
        versions = sorted((entry["version"] for entry in toolkits if entry.get("version")), key=version_key)
        running = driver.get("running") or self.driver
        return {
            "hdk": driver.get("installed") or running,
            "running": running,
            "firmware": firmware.get("installed"),
            "cann": versions[-1] if versions else None,
            "docker_runtime": _part(stack.get("docker_runtime")).get("installed"),
            "docker": (self.host or {}).get("docker", {}).get("version"),
            "driver_accepts": _part(files.get("driver")).get("accepts"),
            "firmware_accepts": _part(files.get("firmware")).get("accepts"),
        }


class Shared(NamedTuple):
    """A finding and the nodes that have it; no node for one of the wish itself."""

    finding: Finding
    hosts: tuple

    def to_dict(self):
        return {**self.finding.to_dict(), "hosts": list(self.hosts), "sentence": self.sentence()}

    def sentence(self):
        where = f"{show_hosts(self.hosts)}: " if self.hosts else ""
        return f"{where}{self.finding.subject}: {self.finding.sentence()}"

    def lines(self):
        """The sentence, and a line for each row that would work."""
        return [self.sentence(), *(f"would work: {show_row(row)}" for row in self.finding.rows)]


def _part(value):
    return value if isinstance(value, dict) else {"installed": value} if value else {}


def judge(nodes, wish, services=(), images=None, limits=None):
    """All findings, errors first.

    :arg nodes: {inventory name: L(Node)}; none judges the wish alone. :arg wish: what C(stack_versions) gives.
    :arg services: C(ascend_services); what is wrong with their shape is said when they are placed.
    :arg images: {engine: image}.
    """
    limits = limits or Limits()
    services = [service for service in services if isinstance(service, dict)]
    seen = {}

    def add(finding, *hosts):
        # Rows are mappings, which cannot be keys; the same words have the same rows.
        entry = seen.setdefault(finding[:4], (finding, {}))
        entry[1].update(dict.fromkeys(hosts))

    for finding in check(_case(Node(), wish, services, images)):
        add(finding)
    for name, node in nodes.items():
        if node.error:
            add(Finding("error", "node", node.error, "see that it is up, its address, user and key"), name)
            continue
        own = [service for service in services if name in (service.get("hosts") or [])]
        for finding in check(_case(node, wish, own, images)):
            add(finding, name)
        if node.host:
            for finding in check_host(node.host, node.family, limits, len(nodes) > 1):
                add(finding, name)
        for finding in _left_half_way(node):
            add(finding, name)
        for problem in node.ports or ():
            add(Finding("warning", "RoCE port", f"{problem['item']} {problem['problem']}", problem["remedy"]), name)
    hosts = {name: node.host for name, node in nodes.items() if node.host}
    for finding, names in [*compare_hosts(hosts, limits), *_versions_apart(nodes, wish)]:
        add(finding, *names)
    found = [Shared(finding, tuple(hosts)) for finding, hosts in seen.values()]
    return sorted(found, key=lambda shared: LEVELS.index(shared.finding.level))


def _case(node, wish, services, images):
    engines = {service.get("engine") for service in services}
    mine = tuple(name for engine, name in (images or {}).items() if engine in engines and image(name).release)
    vllm = tuple(service for service in services if service.get("engine") == "vllm")
    return Case(wish, node.found(), node.family, mine, vllm)


def _left_half_way(node):
    for word in ("driver", "firmware"):
        part = _part({**((node.host or {}).get("installed") or {}), **(node.stack or {})}.get(word))
        if part.get("complete") is False:
            yield Finding("error", word, "its installation was left half-way", "install it again with role hdk")


def _versions_apart(nodes, wish):
    """Nodes of a fleet that differ, where no wish says what is right."""
    for key, word in (("hdk", "drivers"), ("firmware", "firmware")):
        versions = {}
        for name, node in nodes.items():
            version = None if node.error else node.found()[key]
            if version:
                versions.setdefault((node.family, version), []).append(name)
        families = {family for family, _version in versions}
        for family in sorted(families, key=str):
            kin = {version: names for (other, version), names in versions.items() if other == family}
            if len(kin) > 1 and not wish.get(key):
                shown = "; ".join(f"{version} on {show_hosts(names)}" for version, names in sorted(kin.items()))
                usual = max(kin.values(), key=len)
                odd = [name for names in kin.values() if names is not usual for name in names]
                yield Finding("warning", word, f"nodes differ: {shown}", "bring them to one version"), odd


def show_hosts(names):
    """Up to four names, else the first, the last and how many."""
    names = list(names)
    if len(names) <= _SHOWN_HOSTS:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)} nodes)"


def table(nodes, findings):
    """Lines to read: nodes that are alike in one line, then what was found, then how much of it."""
    alike = {}
    for name, node in nodes.items():
        alike.setdefault(_cells(node), []).append(name)
    rows = [COLUMNS, *((show_hosts(names), *cells) for cells, names in alike.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows] if nodes else []
    for shared in findings:
        first, *more = shared.lines()
        lines += [f"{shared.finding.level.upper():7}  {first}", *(f"{'':9}{line}" for line in more)]
    counts = {level: sum(shared.finding.level == level for shared in findings) for level in LEVELS}
    told = ", ".join(f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items())
    return [*lines, f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}: {told}."]


def _cells(node):
    host, found = node.host or {}, node.found()
    driver = found["hdk"]
    if driver and found["running"] and found["running"] != driver:
        driver = f"{driver} ({found['running']} runs)"
    npus = host.get("npus", {})
    cells = (
        node.family,
        str(len(npus.get("phy_ids") or []) or npus.get("on_bus") or "") or None,
        (host.get("os") or {}).get("name"),
        f"{host['kernel']} {host['arch']}" if host else None,
        driver,
        found["firmware"],
        found["cann"],
        found["docker_runtime"],
        found["docker"],
    )
    return tuple(cell or "-" for cell in cells)


__all__ = ["COLUMNS", "Node", "Shared", "judge", "show_hosts", "table"]

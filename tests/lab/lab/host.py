# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of the machine the lab runs on which containers need: uplink MTU, distribution, apt options, proxies, CAs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from lab.common import LabError, run, warn

DEBIAN_MIRROR = "http://deb.debian.org/debian"
DEBIAN_SECURITY_MIRROR = "http://deb.debian.org/debian-security"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
# Options of the host's apt without which its archives cannot be used: the way out, and clocks that disagree.
_APT_OPTION = re.compile(r'^(Acquire::(?:(?:http|https)::(?:[^ ]*::)?Proxy|Check-Valid-Until|Check-Date)) "([^"]*)";$')


def os_release(text: str | None = None) -> tuple[str, set[str]]:
    """``(pretty name, ids)`` of a distribution, where ids holds ID and every word of ID_LIKE."""
    if text is None:
        try:
            text = Path("/etc/os-release").read_text()
        except OSError:
            return "this system", set()
    fields = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))
    ids = {fields.get("ID", "")} | set(fields.get("ID_LIKE", "").split())
    return fields.get("PRETTY_NAME", fields.get("ID", "this system")), ids - {""}


def systemd_runs() -> bool:
    """Whether systemd is PID 1 (the test of sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def mtu_of(routes: list[dict], mtus: dict[str, int]) -> int:
    """MTU for the lab's networks: that of the default route's interface, 1500 at most (and when there is none)."""
    found = [mtus.get(route.get("dev", ""), 1500) for route in routes if route.get("dst") == "default"]
    return min([1500, *found[:1]])


def uplink_mtu() -> int:
    """``mtu_of`` this machine. Docker's bridges default to 1500, which black-holes large packets on smaller uplinks."""
    routes = json.loads(run(["ip", "-j", "route", "show", "default"]).stdout or "[]")
    links = json.loads(run(["ip", "-j", "link", "show"]).stdout or "[]")
    mtus = {link["ifname"]: link["mtu"] for link in links if "mtu" in link}
    return mtu_of(routes, mtus)


def routed_networks() -> list[str]:
    """CIDRs this machine already routes (``ip route``), apart from the default route."""
    routes = json.loads(run(["ip", "-j", "route"]).stdout or "[]")
    return [route["dst"] for route in routes if route.get("dst") not in (None, "default")]


def apt_options(dump: str, environment: dict[str, str]) -> str:
    """Text of an apt.conf for containers, from ``apt-config dump`` of the host and its proxy variables.

    A proxy on a loopback address cannot be reached from a container and is left out (with a warning).
    """
    options = {}
    for line in dump.splitlines():
        match = _APT_OPTION.match(line.strip())
        if match and match.group(2):
            options[match.group(1)] = match.group(2)
    for scheme in ("http", "https"):
        proxy = environment.get(f"{scheme}_proxy") or environment.get(f"{scheme}_proxy".upper())
        if proxy:
            options.setdefault(f"Acquire::{scheme}::Proxy", proxy)
    lines = []
    for name, value in sorted(options.items()):
        if name.endswith("Proxy") and re.match(r"\w+://(127\.|localhost|\[::1\])", value):
            warn(f"apt's proxy {value} is on this machine's loopback, which containers cannot reach: left out.")
            continue
        lines.append(f'{name} "{value}";\n')
    return "".join(lines)


def host_apt_options() -> str:
    """``apt_options`` of this machine; without apt only the proxy variables count."""
    try:
        dump = run(["apt-config", "dump"]).stdout
    except LabError:
        dump = ""
    return apt_options(dump, dict(os.environ))


def sources_list() -> str:
    """apt sources of the lab's images. NPUOPS_DEBIAN_MIRROR and NPUOPS_DEBIAN_SECURITY_MIRROR name other archives."""
    mirror = os.environ.get("NPUOPS_DEBIAN_MIRROR", DEBIAN_MIRROR)
    security = os.environ.get("NPUOPS_DEBIAN_SECURITY_MIRROR", DEBIAN_SECURITY_MIRROR)
    return f"deb {mirror} bookworm main\ndeb {mirror} bookworm-updates main\ndeb {security} bookworm-security main\n"


def certificates() -> list[Path]:
    """Additional certificate authorities of this machine (Debian's and Red Hat's places), as files."""
    places = (("/usr/local/share/ca-certificates", "**/*.crt"), ("/etc/pki/ca-trust/source/anchors", "*"))
    return [file for place, pattern in places for file in sorted(Path(place).glob(pattern)) if file.is_file()]


def proxy_arguments() -> list[str]:
    """``--build-arg`` options that pass this machine's proxy variables to ``docker build``."""
    return [word for name in PROXY_VARIABLES if name in os.environ for word in ("--build-arg", name)]

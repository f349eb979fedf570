# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab is made of, as values and pure functions: addresses, names, container arguments, the state file."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import json
import re
from pathlib import Path

from lab.common import ROOT, STATE_DIR, LabError

DEFAULT_PROFILE = "atlas-800i-a2-64g"
MAX_NODES = 64
SYSTEMS = ("debian", "openeuler")  # what a node says it is
SUBNET_CHOICES = 64
RESERVED = ("cache", "engine", "log", "push")
# Named one by one: some hosts refuse --privileged because they lack a capability of it (SYS_RESOURCE).
CAPABILITIES = (
    "SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "MKNOD", "SYS_CHROOT", "SYS_NICE", "SYSLOG", "IPC_LOCK",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Node:
    """A lab node: name ``node<number>``, its management address (eth0) and its host address on RoCE (eth1)."""

    name: str
    number: int
    mgmt_ip: str
    roce_ip: str


@dataclasses.dataclass(frozen=True)
class Lab:
    """One lab; ``mgmt`` and ``roce`` are CIDRs, ``profile`` a server model npusim knows."""

    name: str
    profile: str
    mgmt: str
    roce: str
    nodes: tuple[Node, ...] = ()
    bare: bool = False  # nodes have hardware and no driver
    isolated: bool = False  # nodes reach this machine and each other, nothing else; there is no registry
    os: str = SYSTEMS[0]  # of the nodes, in turn: "openeuler", "debian,openeuler"

    @property
    def folder(self) -> Path:
        return STATE_DIR / self.name

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def registry_ip(self) -> str:
        return str(ipaddress.ip_network(self.mgmt)[2])

    @property
    def registry_container(self) -> str:
        return f"npuops-{self.name}-registry"

    def network(self, kind: str) -> str:
        """Docker's name of the ``mgmt`` or ``roce`` network."""
        return f"npuops-{self.name}-{kind}"

    def container(self, node: Node) -> str:
        return f"npuops-{self.name}-{node.name}"

    def volume(self, node: Node) -> str:
        """The volume of the node's own container engine (an overlay file system cannot hold another)."""
        return f"npuops-{self.name}-{node.name}-docker"

    def node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes) or "none"
        raise LabError(f"lab {self.name} has no node {name} (it has: {known}).")

    def system(self, node: Node) -> str:
        """One of ``SYSTEMS``: the distribution of the node."""
        names = self.os.split(",")
        return names[(node.number - 1) % len(names)]

    def with_nodes(self, count: int) -> Lab:
        """The same lab with ``node1`` to ``node<count>``; node n is .10+n of mgmt and <roce>.n.1."""
        mgmt, roce = ipaddress.ip_network(self.mgmt), ipaddress.ip_network(self.roce)
        nodes = tuple(
            Node(f"node{number}", number, str(mgmt[10 + number]), str(roce[256 * number + 1]))
            for number in range(1, count + 1)
        )
        return dataclasses.replace(self, nodes=nodes)


def check_name(name: str) -> str:
    """Return ``name`` when it can name a lab, else raise LabError."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", name) or name in RESERVED:
        raise LabError(
            f"{name!r} cannot name a lab: use 1 to 20 of a-z, 0-9 and -, beginning with a letter, "
            f"and none of {', '.join(RESERVED)}."
        )
    return name


def check_nodes(count: int) -> int:
    """Return ``count`` when a lab can have so many nodes, else raise LabError."""
    if not 1 <= count <= MAX_NODES:
        raise LabError(f"a lab has 1 to {MAX_NODES} nodes, not {count}.")
    return count


def check_systems(text: str) -> str:
    """Return ``text`` when it is a list of ``SYSTEMS`` with commas, else raise LabError."""
    unknown = [name for name in text.split(",") if name not in SYSTEMS]
    if unknown:
        raise LabError(f"no system is named {unknown[0]!r}; there are: {', '.join(SYSTEMS)}, or a list with commas.")
    return text


def choose_subnets(taken: list[str]) -> tuple[str, str]:
    """The first free pair ``(management /24, RoCE /16)``: 172.30.0.0/24 with 10.77.0.0/16, then the next of both.

    ``taken`` are CIDRs or addresses already routed on this machine; what is no IPv4 network is ignored.
    """
    busy = []
    for text in taken:
        try:
            busy.append(ipaddress.IPv4Network(text, strict=False))
        except ValueError:
            continue
    for index in range(SUBNET_CHOICES):
        pair = (ipaddress.IPv4Network(f"172.30.{index}.0/24"), ipaddress.IPv4Network(f"10.{77 + index}.0.0/16"))
        if not any(wanted.overlaps(other) for wanted in pair for other in busy):
            return str(pair[0]), str(pair[1])
    raise LabError(
        f"no free pair of networks: each of 172.30.0-{SUBNET_CHOICES - 1}.0/24 or 10.77-{76 + SUBNET_CHOICES}.0.0/16 "
        "overlaps a route of this machine."
    )


def object_labels(lab: str) -> list[str]:
    """``--label`` options that say which lab of which checkout a Docker object belongs to."""
    return ["--label", f"npuops.lab={lab}", "--label", f"npuops.root={ROOT}"]


def network_arguments(lab: Lab, kind: str, mtu: int) -> list[str]:
    """``docker network create`` arguments. RoCE is internal: it never becomes a node's way out.

    In an isolated lab management is internal as well: no route to the outside, and no names of it.
    """
    subnet = lab.mgmt if kind == "mgmt" else lab.roce
    internal = ["--internal"] if kind == "roce" or lab.isolated else []
    return [
        "network", "create", *object_labels(lab.name), *internal, "--subnet", subnet,
        "--gateway", str(ipaddress.ip_network(subnet)[1]),
        "--opt", f"com.docker.network.driver.mtu={mtu}", lab.network(kind),
    ]  # fmt: skip


def node_arguments(lab: Lab, node: Node, image: str, cgroup_version: int) -> list[str]:
    """``docker create`` arguments of a node, without its labels.

    cgroup v1 needs the host's tree, writable (a private view breaks the node's own containers); on v2 a node has its
    own tree, which its init makes writable.
    """
    cgroup = (
        ["--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
        if cgroup_version == 1
        else ["--cgroupns=private"]
    )
    return [
        "--name", lab.container(node), "--hostname", node.name, "--network-alias", node.name,
        "--network", lab.network("mgmt"), "--ip", node.mgmt_ip,
        *([] if lab.isolated else ["--add-host", f"quay.io:{lab.registry_ip}"]),
        "--restart", "always", "--stop-signal", "SIGRTMIN+3", "--shm-size", "8g",
        *[word for name in CAPABILITIES for word in ("--cap-add", name)],
        "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
        *cgroup,
        "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec",
        "--volume", f"{lab.volume(node)}:/var/lib/docker",
        "--env", "container=docker", "--env", f"NPUSIM_PROFILE={lab.profile}",
        "--env", f"NPUSIM_NODE={node.number}", "--env", f"NPUSIM_ROCE={lab.roce}",
        *(["--env", "NPUSIM_BARE=1"] if lab.bare else []),
        image,
    ]  # fmt: skip


def fingerprint(*parts: object) -> str:
    """A short hash of values that JSON can hold: equal parts, equal hash."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def save(lab: Lab) -> None:
    """Write ``.lab/<name>/lab.json``."""
    lab.folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(lab), indent=2) + "\n"
    partial = lab.folder / "lab.json.new"
    partial.write_text(text)
    partial.replace(lab.folder / "lab.json")


def load(name: str) -> Lab | None:
    """The lab of that name, or None when it is not up."""
    file = STATE_DIR / check_name(name) / "lab.json"
    try:
        fields = json.loads(file.read_text())
        nodes = tuple(Node(**node) for node in fields.pop("nodes"))
        return Lab(**fields, nodes=nodes)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise LabError(f"{file} is damaged ({error}): remove it with `tests/lab/labctl down --lab {name}`.") from None


def names() -> list[str]:
    """Names of the labs of this checkout, from their state folders."""
    return sorted(file.parent.name for file in STATE_DIR.glob("*/lab.json"))

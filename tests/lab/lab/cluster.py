# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a lab to what was asked for, and take it away: networks, registry, nodes, volumes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import cgroups, engine, files, host, images, plan
from lab.common import ROOT, STATE_DIR, LabError, Step, docker, plural, run, wait_for, warn
from lab.plan import Lab, Node

BOOT_SECONDS = 120
SSH_SECONDS = 30
# One round trip: systemd's state, the emulator's unit, the host key, the RoCE interface's addresses.
PROBE = (
    "systemctl is-system-running; systemctl is-active npusim-boot.service; "
    "cat /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null || echo; "
    "ip -4 -o addr show dev eth1 2>/dev/null"
)


def each(action: Callable, items: Iterable) -> list:
    """Run ``action`` on all items at once; the first error is raised after all have ended."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        futures = [pool.submit(action, item) for item in items]
    return [future.result() for future in futures]


def inspect(kind: str, *names: str) -> dict[str, dict]:
    """``docker <kind> inspect`` of those of ``names`` that exist, by name without a leading slash."""
    if not names:
        return {}
    done = docker(kind, "inspect", *names, check=False)
    return {item["Name"].lstrip("/"): item for item in json.loads(done.stdout or "[]")}


def objects(kind: str, lab: str | None = None, root: Path | str = ROOT) -> list[str]:
    """Names of a checkout's containers, networks or volumes, of one lab or of all."""
    labels = ["--filter", f"label=npuops.root={root}"] + (["--filter", f"label=npuops.lab={lab}"] if lab else [])
    everything = ["-a"] if kind == "container" else []
    form = "{{.Names}}" if kind == "container" else "{{.Name}}"
    return sorted(docker(kind, "ls", *everything, *labels, "--format", form).stdout.split())


def check_foreign(name: str) -> None:
    """Refuse when another checkout has a lab of that name: names of containers are the engine's, not ours.

    What a checkout that is gone has left (a test run that was killed, say) belongs to nobody, and is removed.
    """
    form = '{{.Label "npuops.root"}}'
    roots: set[str] = set()
    for kind in ("container", "network", "volume"):
        everything = ["-a"] if kind == "container" else []
        listing = docker(kind, "ls", *everything, "--filter", f"label=npuops.lab={name}", "--format", form).stdout
        roots |= {line for line in listing.splitlines() if line}
    for root in sorted(roots - {str(ROOT)}):
        if Path(root).is_dir():
            raise LabError(
                f"lab {name} already runs from {root}: run `make lab-down` there, or use another name (LAB=…)."
            )
        with Step(f"remove lab {name} of a checkout that is gone"):
            _remove_objects(name, root)


def _remove_objects(name: str, root: Path | str = ROOT) -> None:
    each(_remove_node, objects("container", name, root))
    each(lambda network: docker("network", "rm", network), objects("network", name, root))
    for volume in objects("volume", name, root):
        docker("volume", "rm", "-f", volume)


def wanted_lab(
    name: str,
    nodes: int | None,
    profile: str | None,
    bare: bool | None = None,
    system: str | None = None,
    isolated: bool | None = None,
) -> Lab:
    """The lab asked for: nodes and profile default to those it has, then to 2 and an Atlas 800I A2.

    While its networks exist it keeps their addresses; without them free ones are chosen.
    """
    old = plan.load(name)
    count = plan.check_nodes(nodes or (len(old.nodes) if old else 2))
    profile = profile or (old.profile if old else plan.DEFAULT_PROFILE)
    bare = bare if bare is not None else bool(old and old.bare)
    isolated = isolated if isolated is not None else bool(old and old.isolated)
    system = system or (old.os if old else plan.SYSTEMS[0])
    if old and objects("network", name):
        return dataclasses.replace(old, profile=profile, bare=bare, isolated=isolated, os=system).with_nodes(count)
    networks = inspect("network", *docker("network", "ls", "-q").stdout.split())
    ours = {f"npuops-{name}-mgmt", f"npuops-{name}-roce"}
    taken = [
        pool["Subnet"]
        for network in networks.values()
        for pool in network["IPAM"]["Config"] or []
        if network["Name"] not in ours
    ]
    # Routes of networks this lab left behind are no obstacle: they are made anew.
    left = [pool["Subnet"] for kind in ours & set(networks) for pool in networks[kind]["IPAM"]["Config"] or []]
    taken += [route for route in host.routed_networks() if route not in left]
    mgmt, roce = plan.choose_subnets(taken)
    return Lab(name, profile, mgmt, roce, bare=bare, isolated=isolated, os=system).with_nodes(count)


def up(lab: Lab, image_ids: dict[str, str]) -> Lab:
    """Make the lab exist as asked for; nodes whose making has changed are made anew, others stay untouched."""
    plan.save(lab)
    _ensure_key(lab)
    networks = _ensure_networks(lab)
    if lab.isolated:
        docker("rm", "-f", lab.registry_container, check=False)
    else:
        _ensure_registry(lab, image_ids[images.REGISTRY], networks["mgmt"])
    fresh = _ensure_nodes(lab, image_ids, networks)
    with Step(f"wait for systemd and SSH on {plural(len(lab.nodes), 'node')}"):
        keys = dict(each(lambda node: (node.mgmt_ip, _wait_booted(lab, node, node in fresh)), lab.nodes))
        lab.known_hosts.write_text("".join(f"{address} {key}\n" for address, key in keys.items()))
        each(lambda node: _wait_ssh(lab, node), lab.nodes)
    images.prune()
    return lab


def _ensure_key(lab: Lab) -> None:
    engine.need("ssh-keygen", "openssh-client")
    if not lab.key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"npuops-{lab.name}", "-f", str(lab.key)])


def _ensure_networks(lab: Lab) -> dict[str, str]:
    """Ids of the two networks by kind. One of other addresses (a lost state file) or another kind is made anew."""
    ids = {}
    for kind, subnet in (("mgmt", lab.mgmt), ("roce", lab.roce)):
        name = lab.network(kind)
        found = inspect("network", name).get(name)
        internal = "--internal" in plan.network_arguments(lab, kind, 0)
        if found and (found["IPAM"]["Config"][0]["Subnet"], found["Internal"]) != (subnet, internal):
            for container in found["Containers"].values():
                docker("rm", "-f", "-v", container["Name"])
            docker("network", "rm", name)
            found = None
        if not found:
            with Step(f"network {name} {subnet}"):
                docker(*plan.network_arguments(lab, kind, host.uplink_mtu()))
            found = inspect("network", name)[name]
        ids[kind] = found["Id"]
    return ids


def _current(name: str, spec: str) -> str:
    """``running``, ``stopped`` or, when absent or made from another spec, an empty string."""
    found = inspect("container", name).get(name)
    if not found or found["Config"]["Labels"].get("npuops.spec") != spec:
        return ""
    return "running" if found["State"]["Running"] else "stopped"


def _ensure_registry(lab: Lab, image: str, network: str) -> None:
    name = lab.registry_container
    arguments = [
        "--name", name, "--network", lab.network("mgmt"), "--ip", lab.registry_ip, "--restart", "always",
        *images.registry_arguments(), image,
    ]  # fmt: skip
    spec = plan.fingerprint(arguments, network)
    state = _current(name, spec)
    if state == "running":
        return
    with Step(f"registry {lab.registry_ip}"):
        if state == "stopped":
            docker("start", name)
        else:
            docker("rm", "-f", name, check=False)
            docker("run", "-d", *plan.object_labels(lab.name), "--label", f"npuops.spec={spec}", *arguments)
        images.wait_registry(lab.registry_ip)


def _ensure_nodes(lab: Lab, image_ids: dict[str, str], networks: dict[str, str]) -> set[Node]:
    """Remove, make and start nodes; returns those that were made."""
    version = 2 if docker("info", "--format", "{{.CgroupVersion}}").stdout.strip() == "2" else 1
    payload = files.node_tar(lab.key.with_suffix(".pub").read_text())
    image = {node: image_ids[images.NODES[lab.system(node)]] for node in lab.nodes}
    specs = {
        node: plan.fingerprint(
            plan.node_arguments(lab, node, image[node], version), networks, plan.CAPABILITIES, payload.hex()
        )
        for node in lab.nodes
    }
    states = {node: _current(lab.container(node), specs[node]) for node in lab.nodes}
    names = {lab.container(node) for node in lab.nodes}
    surplus = [name for name in objects("container", lab.name) if name not in {*names, lab.registry_container}]
    changed = {node for node, state in states.items() if not state}
    existing = {name for name in objects("container", lab.name) if name in {lab.container(node) for node in changed}}
    if surplus or existing:
        with Step(f"remove {', '.join(sorted({*surplus, *existing}))}") as step:
            step.note = "(no longer wanted or made from other parts)"
            each(_remove_node, sorted({*surplus, *existing}))
            cgroups.sweep(_container_ids)
    if changed:
        with Step(f"create {', '.join(sorted(node.name for node in changed))}"):
            each(lambda node: _create(lab, node, image[node], version, specs[node], payload), changed)
    stopped = [node for node, state in states.items() if state == "stopped"]
    if stopped:
        with Step(f"start {', '.join(node.name for node in stopped)}"):
            each(lambda node: docker("start", lab.container(node)), stopped)
    return changed


def _create(lab: Lab, node: Node, image: str, version: int, spec: str, payload: bytes) -> None:
    name = lab.container(node)
    labels = [*plan.object_labels(lab.name), "--label", f"npuops.node={node.number}"]
    docker("volume", "rm", "-f", lab.volume(node), check=False)
    docker("volume", "create", *labels, lab.volume(node))
    docker("create", *labels, "--label", f"npuops.spec={spec}", *plan.node_arguments(lab, node, image, version))
    docker("cp", "-", f"{name}:/", stdin=payload)
    # Connected before the start, so that eth1 is there when the emulator's boot unit gives it addresses.
    docker("network", "connect", "--ip", node.roce_ip, lab.network("roce"), name)
    docker("start", name)


def _remove_node(name: str) -> None:
    """Remove a node's container and the volume of its engine."""
    docker("rm", "-f", "-v", name, timeout=60)
    docker("volume", "rm", "-f", f"{name}-docker", check=False)


def _container_ids() -> set[str]:
    return set(docker("ps", "-aq", "--no-trunc").stdout.split())


def _wait_booted(lab: Lab, node: Node, fresh: bool) -> str:
    """Wait until systemd is up, the emulator has booted and eth1 has its address; returns the SSH host key."""
    name = lab.container(node)

    def booted() -> str:
        done = docker("exec", name, "sh", "-c", PROBE, check=False, timeout=30)
        state, emulator, key, *addresses = [*done.stdout.splitlines(), "", "", ""]
        booted.why = f"systemd says {state or 'nothing'} ({done.stderr.strip()})"
        if state == "degraded" and fresh:
            failed = docker("exec", name, "systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")
            raise LabError(f"{node.name}: units failed at boot: {failed.stdout.strip()}")
        if state not in ("running", "degraded") or not key:
            return ""
        if emulator != "active":
            booted.why = f"npusim-boot.service is {emulator}"
            return ""
        if not any(f" {node.roce_ip}/" in line for line in addresses):
            booted.why = f"eth1 does not have {node.roce_ip}"
            return ""
        if state == "degraded":
            warn(f"{node.name}: systemd is degraded (`tests/lab/labctl ssh {node.name} systemctl --failed`)")
        return " ".join(key.split()[:2])

    return wait_for(f"{node.name} to boot", booted, seconds=BOOT_SECONDS)


def ssh_command(lab: Lab, node: Node, *options: str) -> list[str]:
    """argv of an ssh call to a node as root, with its host key checked."""
    return [
        "ssh", "-F", "/dev/null", "-i", str(lab.key), "-o", "IdentitiesOnly=yes",
        "-o", f'UserKnownHostsFile="{lab.known_hosts}"', "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
        *options, f"root@{node.mgmt_ip}",
    ]  # fmt: skip


def wait_node(lab: Lab, node: Node) -> None:
    """Wait until a node that was started again has booted and takes SSH connections."""
    _wait_booted(lab, node, fresh=False)
    _wait_ssh(lab, node)


def _wait_ssh(lab: Lab, node: Node) -> None:
    command = [*ssh_command(lab, node, "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"), "true"]

    def reachable() -> bool:
        done = run(command, check=False, timeout=20)
        reachable.why = done.stderr.strip()
        return done.returncode == 0

    wait_for(f"SSH on {node.name} ({node.mgmt_ip})", reachable, seconds=SSH_SECONDS)


def down(name: str) -> bool:
    """Remove everything of one lab; whether there was anything."""
    containers, networks = objects("container", name), objects("network", name)
    volumes, folder = objects("volume", name), STATE_DIR / plan.check_name(name)
    if not (containers or networks or volumes or folder.exists()):
        return False
    with Step(f"remove lab {name}") as step:
        counts = ((containers, "container"), (networks, "network"), (volumes, "volume"))
        step.note = f"({', '.join(plural(len(found), noun) for found, noun in counts)})"
        _remove_objects(name)
        cgroups.sweep(_container_ids)
        if not docker("ps", "-aq", "--filter", f"label={engine.LABEL}").stdout:
            cgroups.tidy(cgroups.ROOT)
        shutil.rmtree(folder, ignore_errors=True)
        images.prune()
    return True


def all_names() -> list[str]:
    """Labs of this checkout: from state folders and, where the engine answers, from Docker's labels."""
    found = set(plan.names())
    form = '{{.Label "npuops.lab"}}'
    for kind in ("container", "network", "volume"):
        with contextlib.suppress(LabError):
            everything = ["-a"] if kind == "container" else []
            listing = docker(kind, "ls", *everything, "--filter", f"label=npuops.root={ROOT}", "--format", form).stdout
            found |= set(listing.split())
    return sorted(found)


def status(name: str) -> list[list[str]]:
    """Rows of a table: node, profile, container, systemd, addresses, engine inside."""
    lab = plan.load(name)
    if lab is None:
        return []
    found = inspect("container", *[lab.container(node) for node in lab.nodes])

    def row(node: Node) -> list[str]:
        container = found.get(lab.container(node))
        if not container:
            return [node.name, lab.profile, "absent", "-", node.mgmt_ip, node.roce_ip, "-"]
        state, systemd, inner = container["State"]["Status"], "-", "-"
        if container["State"]["Running"]:
            script = "systemctl is-system-running; docker ps -q 2>/dev/null | wc -l; command -v docker || echo"
            done = docker("exec", lab.container(node), "sh", "-c", script, check=False, timeout=30)
            systemd, count, path = [*done.stdout.splitlines(), "", "", ""][:3]
            inner = plural(int(count or 0), "container") if path else "no engine"
        return [node.name, lab.profile, state, systemd, node.mgmt_ip, node.roce_ip, inner]

    return each(row, lab.nodes)


def shell_join(words: list[str]) -> str:
    """One remote command line of what the user typed; a single word may itself be a command line."""
    return words[0] if len(words) == 1 else shlex.join(words)

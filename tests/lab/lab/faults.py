# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults labctl can put into a node: of emulated hardware (through npusim), network, containers and power."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from lab import cluster
from lab.common import LabError, docker
from lab.plan import Lab, Node

# Holds a chip open with memory on it, as a process that nobody started through the collection.
HOLDER = (
    "import sys, time; sys.path.insert(0, '/usr/local/Ascend/driver/lib64'); "
    "from npusim.device import open_device; device = open_device({phy}); device.allocate({mb}); time.sleep(10**9)"
)
HOLDER_UNIT = "npuops-lab-process-{phy}.service"
ANY = "any"  # where a value may be left to npusim


@dataclasses.dataclass(frozen=True)
class Fault:
    """What a fault does.

    ``defaults`` are the values it takes, in order, with what they are when not given. ``make`` and ``clear`` turn the
    values into commands to run on the node, one after the other.
    """

    text: str
    defaults: Sequence[tuple[str, str]]
    make: Callable[..., list[list[str]]]
    clear: Callable[..., list[list[str]]]

    @property
    def usage(self) -> str:
        return " ".join(f"[{name}={value}]" for name, value in self.defaults)

    def values(self, given: Sequence[str]) -> list[str]:
        """``given`` completed by defaults; LabError when they are too many or of another kind."""
        if len(given) > len(self.defaults):
            raise LabError(f"too many values; this fault takes: {self.usage or 'none'}.")
        full = [*given, *[value for _name, value in self.defaults[len(given) :]]]
        for (name, default), value in zip(self.defaults, full, strict=True):
            pattern = r"\d+" if default.isdigit() else r"[\w.-]+"
            if not re.fullmatch(pattern, value):
                raise LabError(f"{name} cannot be {value!r}{': a number is needed' if default.isdigit() else ''}.")
        return full


def _npusim(kind: str, *options: str, selects: int = 1) -> tuple[Callable, Callable]:
    """A fault of the hardware; ``options`` name the values, the first of which selects what has it (or none does)."""

    def words(values: Sequence[str], count: int) -> list[str]:
        pairs = list(zip(options, values, strict=True))[:count]
        return [word for name, value in pairs if value != ANY for word in (name, value)]

    return (
        lambda *values: [["npusim", "fault", "add", kind, *words(values, len(options))]],
        lambda *values: [["npusim", "fault", "clear", kind, *words(values, selects)]],
    )


def _kill(name: str) -> list[list[str]]:
    script = f'ids=$(docker ps -q --filter name={name}); [ -n "$ids" ] || {{ echo "none runs" >&2; exit 1; }}; '
    return [["sh", "-c", f"{script} docker kill $ids"]]


def _start(name: str) -> list[list[str]]:
    return [["sh", "-c", f"docker ps -aq --filter name={name} --filter status=exited | xargs -r docker start"]]


def _holder(phy: str, mb: str) -> list[list[str]]:
    code = HOLDER.format(phy=phy, mb=mb)
    return [["systemd-run", "--quiet", "--unit", HOLDER_UNIT.format(phy=phy), "python3", "-c", code]]


def _cut(way: str) -> list[list[str]]:
    """Rules that swallow what comes and goes by the node's interfaces; taken away as often as they were put there."""
    on = "iptables -I {0} -{1} eth+ -j DROP"
    off = "while iptables -D {0} -{1} eth+ -j DROP 2>/dev/null; do :; done"
    chains = (("INPUT", "i"), ("OUTPUT", "o"))
    return [["sh", "-c", (on if way == "on" else off).format(*chain)] for chain in chains]


# Docker keeps a container's log there, and what it writes to start it.
CONTAINERS = "/var/lib/docker/containers"
LOG_DISK = f"""set -e
if mountpoint -q {CONTAINERS}; then exit 0; fi
systemctl stop docker.socket docker.service
mkdir -p /run/npuops-lab-log
mount -t tmpfs -o size=$1m npuops-lab-log /run/npuops-lab-log
cp -a {CONTAINERS}/. /run/npuops-lab-log/
mount --bind /run/npuops-lab-log {CONTAINERS}
systemctl start docker.service
"""
NO_LOG_DISK = f"""set -e
if ! mountpoint -q {CONTAINERS}; then exit 0; fi
systemctl stop docker.socket docker.service
umount -l {CONTAINERS}
rm -f /run/npuops-lab-log/npuops-lab-filler
rm -rf {CONTAINERS}/*
cp -a /run/npuops-lab-log/. {CONTAINERS}/
umount -l /run/npuops-lab-log
systemctl start docker.service
"""
FILLER = f"{CONTAINERS}/npuops-lab-filler"

PHY = ("PHY", "0")
FAULTS: dict[str, Fault] = {
    "npu-alarm": Fault(
        "a chip reports HEALTH: Warning, Alarm, Critical or UNKNOWN",
        [PHY, ("HEALTH", "Alarm")],
        *_npusim("health", "--phy", "--value"),
    ),
    "npu-absent": Fault("an NPU falls off the bus", [("NPU", "0")], *_npusim("absent", "--npu")),
    "hbm-leak": Fault(
        "MB of a chip's HBM are held by no process", [PHY, ("MB", "20000")], *_npusim("leak", "--phy", "--mb")
    ),
    "link-down": Fault("the RoCE cable of a chip is pulled", [PHY], *_npusim("link-down", "--phy")),
    "hccs-down": Fault("the internal port (vNIC) of a chip is down; A3 only", [PHY], *_npusim("hccs-down", "--phy")),
    "wrong-netmask": Fault(
        "a chip has another netmask: far peers are out of reach",
        [PHY, ("NETMASK", "255.255.255.0")],
        *_npusim("netmask", "--phy", "--value"),
    ),
    "duplicate-address": Fault(
        "a chip has the address of another node's; any = of its namesake on the node before or after",
        [PHY, ("ADDRESS", ANY)],
        *_npusim("duplicate-address", "--phy", "--value"),
    ),
    "tls-on": Fault("the TLS switch of a chip is on", [PHY], *_npusim("tls", "--phy")),
    "swapped-cables": Fault(
        "the cables of two chips are swapped; in a FABRIC of rails they do not reach their own rail any more, "
        "in a flat one only LLDP shows it",
        [PHY, ("OTHER", "1"), ("FABRIC", "rails")],
        *_npusim("swapped-cables", "--phy", "--other", "--value"),
    ),
    "netdetect-unset": Fault(
        "a chip has no netdetect address: net health is Init", [PHY], *_npusim("netdetect-unset", "--phy")
    ),
    "no-hccn-conf": Fault("/etc/hccn.conf is gone", [], *_npusim("no-hccn-conf")),
    "wrong-mtu": Fault("a chip has another MTU", [PHY, ("MTU", "1280")], *_npusim("mtu", "--phy", "--value")),
    "wrong-speed": Fault("a chip has another speed", [PHY, ("MBPS", "100000")], *_npusim("speed", "--phy", "--value")),
    "optics": Fault(
        "the transceiver of a chip is missing, or dim",
        [PHY, ("STATE", "missing")],
        *_npusim("optics", "--phy", "--value"),
    ),
    "driver-version": Fault(
        "the node has another driver", [("VERSION", "25.0.rc1")], *_npusim("driver", "--value", selects=0)
    ),
    "tool-hang": Fault(
        "hccn_tool waits SECONDS for a chip on every call, and gives up after 300",
        [PHY, ("SECONDS", "300")],
        *_npusim("hang", "--phy", "--seconds"),
    ),
    "tool-busy": Fault(
        "npu-smi or hccn_tool refuses the next TIMES calls; with PHY, hccn_tool for that chip's port",
        [("TOOL", "npu-smi"), ("TIMES", "3"), ("PHY", ANY)],
        *_npusim("busy", "--tool", "--times", "--phy"),
    ),
    "tool-slow": Fault(
        "npu-smi or hccn_tool takes SECONDS longer",
        [("TOOL", "npu-smi"), ("SECONDS", "5")],
        *_npusim("slow", "--tool", "--seconds"),
    ),
    "vnpu-create-fails": Fault(
        "the kernel refuses to cut a chip TIMES times, 0 = always",
        [PHY, ("TIMES", "0")],
        *_npusim("vnpu-create", "--phy", "--times"),
    ),
    "vnpu-destroy-fails": Fault(
        "the kernel refuses to give a slice of a chip back TIMES times, 0 = always",
        [PHY, ("TIMES", "0")],
        *_npusim("vnpu-destroy", "--phy", "--times"),
    ),
    "vnpu-late": Fault(
        "the device node of a new vNPU appears SECONDS later",
        [("SECONDS", "5")],
        *_npusim("vnpu-late", "--seconds", selects=0),
    ),
    "vnpu-held": Fault("a container has a vNPU", [("VNPU", "100")], *_npusim("vnpu-held", "--vnpu")),
    "vnpu-reused": Fault(
        "somebody destroyed a vNPU, its id now is a slice of TEMPLATE (mending leaves it)",
        [("VNPU", "100"), ("TEMPLATE", "vir05_1c_16g")],
        _npusim("vnpu-reused", "--vnpu", "--template")[0],
        lambda *_values: [],
    ),
    "vm-mode": Fault("the node cuts for VMs, not for containers", [], *_npusim("vm-mode")),
    "smp-mode": Fault("a server with 910A chips works in SMP mode", [], *_npusim("smp-mode")),
    "power-cut-vnpu": Fault(
        "the power goes while the TIMES'th next vNPU is made; the node starts again",
        [("TIMES", "1")],
        *_npusim("power-cut", "--times", selects=0),
    ),
    "install-killed": Fault(
        "the next installation of driver or firmware is killed at PERCENT",
        [("PERCENT", "50")],
        *_npusim("install-killed", "--value", selects=0),
    ),
    "install-disk-full": Fault(
        "the disk under /usr/local/Ascend is full when the next installation is at PERCENT",
        [("PERCENT", "30")],
        *_npusim("install-disk-full", "--value", selects=0),
    ),
    "install-power-cut": Fault(
        "the power goes at PERCENT of the next installation; the node starts again",
        [("PERCENT", "50")],
        *_npusim("install-power-cut", "--value", selects=0),
    ),
    "reboot-hangs": Fault("the next start of the node never gets as far as SSH", [], *_npusim("reboot-hangs")),
    "hot-reset": Fault(
        "no fault: a driver's installer loads it at once (works) or says ko-abort; mended, it needs a restart",
        [("RESULT", "works")],
        *_npusim("hot-reset", "--value", selects=0),
    ),
    "roce-down": Fault(
        "the RoCE interface is down: no chip of the node is reached",
        [],
        lambda: [["ip", "link", "set", "eth1", "down"]],
        # Addresses of a downed interface stay, so up is enough.
        lambda: [["ip", "link", "set", "eth1", "up"]],
    ),
    "packet-loss": Fault(
        "PERCENT of the packets to a chip are lost", [PHY, ("PERCENT", "30")], *_npusim("loss", "--phy", "--value")
    ),
    "process": Fault(
        "a process of someone else holds MB on a chip",
        [PHY, ("MB", "8000")],
        _holder,
        lambda phy, _mb: [["systemctl", "stop", HOLDER_UNIT.format(phy=phy)]],
    ),
    "docker-restart": Fault(
        "the node's Docker engine restarts", [], lambda: [["systemctl", "restart", "docker"]], lambda: []
    ),
    "network-cut": Fault(
        "the node's interfaces swallow what comes and goes; nobody is told",
        [],
        lambda: _cut("on"),
        lambda: _cut("off"),
    ),
    "log-disk": Fault(
        "no fault: the logs of the node's containers lie on a disk of their own of MB; Docker restarts for that",
        [("MB", "16")],
        lambda mb: [["bash", "-c", LOG_DISK, "log-disk", mb]],
        lambda _mb: [["bash", "-c", NO_LOG_DISK]],
    ),
    "disk-full": Fault(
        "the disk with the logs of the node's containers is full; needs log-disk",
        [],
        lambda: [["sh", "-c", f"mountpoint -q {CONTAINERS} && {{ cat /dev/zero > {FILLER} 2>/dev/null || true; }}"]],
        lambda: [["rm", "-f", FILLER]],
    ),
    "worker-lost": Fault(
        "the node's running containers whose name holds NAME are killed",
        [("NAME", "ray")],
        _kill,
        _start,
    ),
}


def _run(lab: Lab, node: Node, commands: list[list[str]]) -> None:
    for command in commands:
        done = docker("exec", lab.container(node), *command, check=False, timeout=120)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
            raise LabError(f"{node.name}: {' '.join(command)[:120]}: {said}")


def apply(lab: Lab, node: Node, name: str, given: Sequence[str]) -> str:
    """Put a fault into a node; returns a sentence on it. Raises LabError when the node refuses it."""
    fault = FAULTS[name]
    values = fault.values(given)
    _run(lab, node, fault.make(*values))
    return f"{node.name}: {name} {' '.join(values)}".rstrip() + f" (mend: labctl mend {node.name} {name})"


def mend(lab: Lab, node: Node, name: str | None, given: Sequence[str]) -> str:
    """Take a fault off a node, or, without a name, everything labctl may have put there; starts it if it is off."""
    power_on(lab, node)
    if name:
        fault = FAULTS[name]
        _run(lab, node, fault.clear(*fault.values(given)))
        return f"{node.name}: {name} is mended"
    everything = [
        ["npusim", "fault", "clear"],
        *FAULTS["roce-down"].clear(),
        *FAULTS["network-cut"].clear(),
        *FAULTS["disk-full"].clear(),
        ["systemctl", "stop", HOLDER_UNIT.format(phy="*")],
    ]
    _run(lab, node, everything)
    return f"{node.name}: hardware, links and processes are as they should be; containers are left as they are"


def power_cut(lab: Lab, node: Node) -> str:
    """Everything on the node ends at once, nothing is told; it stays off until ``power_on``."""
    docker("kill", lab.container(node))
    return f"{node.name} has no power (labctl power-on {node.name})"


def power_on(lab: Lab, node: Node) -> str:
    """Start a node that is off and wait for its boot; a running one is left alone."""
    state = docker("container", "inspect", "--format", "{{.State.Running}}", lab.container(node)).stdout.strip()
    if state == "true":
        return f"{node.name} is on"
    docker("start", lab.container(node))
    cluster.wait_node(lab, node)
    return f"{node.name} is on again"

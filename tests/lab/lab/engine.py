# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine of the controller: find it, else install and start it, and take back what was started."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import cgroups, host
from lab.common import LOG_DIR, STATE_DIR, LabError, Step, docker, run, say, tail, wait_for, warn

ENGINE_DIR = STATE_DIR / "engine"
RECORD = ENGINE_DIR / "engine.json"
DOCKERD_LOG = "dockerd.log"
LABEL = "npuops.lab"
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
BY_HAND = (
    "run `sudo tests/lab/labctl engine ensure`, or install Docker Engine 20.10 or newer and let this user reach it"
)


def answer() -> tuple[str, str]:
    """``(version, error)`` of the engine the docker command reaches; one of the two is empty."""
    if not shutil.which("docker"):
        return "", "the docker command is not installed"
    try:
        done = docker("version", "--format", "{{.Server.Version}}", timeout=20, check=False)
    except LabError as error:
        return "", str(error)
    if done.returncode == 0:
        return done.stdout.strip(), ""
    return "", (done.stderr or done.stdout).strip()


def refusal(error: str, *, uid: int, platform: str, distribution: str, ids: set[str], docker_host: str) -> str:
    """Why labctl must not install or start an engine here and what to do instead, or '' when it may.

    ``error`` is what the docker command said, ``ids`` the ID and ID_LIKE words of /etc/os-release.
    """
    if not platform.startswith("linux"):
        return f"The lab needs a Linux machine with root or a Docker engine; this is {platform}."
    if docker_host and not docker_host.startswith("unix://"):
        return (
            f"DOCKER_HOST={docker_host} is an engine elsewhere; the lab needs one on this machine: unset DOCKER_HOST."
        )
    if docker_host:
        return f"No Docker engine answers at DOCKER_HOST={docker_host}: start it or unset DOCKER_HOST ({error})."
    if "permission denied" in error.lower():
        return (
            "A Docker engine runs but this user may not use it: run `sudo usermod -aG docker $USER` and log in again, "
            "or run make as root."
        )
    if uid != 0:
        return f"No Docker engine answers and this user is not root: {BY_HAND}."
    if not ids & {"debian", "ubuntu"}:
        return (
            f"No Docker engine answers, and labctl installs one only on Debian and Ubuntu, not on {distribution}: "
            "install Docker Engine 20.10 or newer from your distribution and start it."
        )
    return ""


def ensure() -> str:
    """Make sure an engine answers; returns its version. Raises LabError, with nothing changed, where it may not act."""
    docker_host = os.environ.get("DOCKER_HOST", "")
    version, error = answer()
    if version and (not docker_host or docker_host.startswith("unix://")):
        return version
    distribution, ids = host.os_release()
    reason = refusal(
        error, uid=os.geteuid(), platform=sys.platform, distribution=distribution, ids=ids, docker_host=docker_host
    )
    if reason:
        raise LabError(reason)
    if not shutil.which("dockerd") or not shutil.which("docker"):
        before = _kernel_settings()
        with Step("install docker.io"):
            install("docker.io")
        if answer()[0]:  # where systemd runs, the package starts it
            _record("systemd", before)
    version, _error = answer()
    if not version:
        with Step("start the Docker engine"):
            _start()
        version, error = answer()
    if not version:
        raise LabError(f"the Docker engine was started but does not answer: {error}")
    return version


def install(*packages: str) -> None:
    """``apt-get install`` as root; the lists are refreshed only when the first try fails.

    A third-party source that cannot be refreshed is no reason to stop: the second install decides.
    """
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    if run(command, log="apt.log", timeout=900, check=False, env=env).returncode == 0:
        return
    if run(["apt-get", "update"], log="apt.log", timeout=600, check=False, env=env).returncode != 0:
        warn(f"apt-get update reported errors (see {LOG_DIR / 'apt.log'}); trying to install all the same.")
    run(command, log="apt.log", timeout=900, env=env)


def need(command: str, package: str) -> None:
    """Make sure ``command`` exists: install its Debian package as root, else say how."""
    if shutil.which(command):
        return
    _name, ids = host.os_release()
    if os.geteuid() != 0 or not ids & {"debian", "ubuntu"}:
        raise LabError(f"{command} is not installed: install it (Debian package {package}) and try again.")
    with Step(f"install {package}"):
        install(package)


def _start() -> None:
    """Start the engine and record that we did, with the kernel settings it will change."""
    before = _kernel_settings()
    if host.systemd_runs():
        _record("systemd", before)
        run(["systemctl", "start", "docker.service"], timeout=120)
        return
    ENGINE_DIR.mkdir(parents=True, exist_ok=True)
    LOG_DIR.mkdir(parents=True, exist_ok=True)
    with open(LOG_DIR / DOCKERD_LOG, "ab") as sink:
        daemon = subprocess.Popen(
            ["dockerd", "--mtu", str(host.uplink_mtu()), "--pidfile", str(ENGINE_DIR / "dockerd.pid")],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    _record("process", before, pid=daemon.pid, ticks=_ticks(daemon.pid))

    def answers() -> bool:
        if daemon.poll() is not None:
            RECORD.unlink()
            raise LabError(f"dockerd ended at once, {LOG_DIR / DOCKERD_LOG}:\n{tail(LOG_DIR / DOCKERD_LOG)}")
        return bool(answer()[0])

    wait_for(f"dockerd to answer (log: {LOG_DIR / DOCKERD_LOG})", answers, seconds=60)


def _record(mode: str, before: dict[str, str], **process: int) -> None:
    """Remember that the engine runs because of us, as a ``process`` or a unit of ``systemd``, and what to restore."""
    ENGINE_DIR.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps({"mode": mode, **process, **before}) + "\n")


def _kernel_settings() -> dict[str, str]:
    """What an engine changes when it starts."""
    return {"ip_forward": IP_FORWARD.read_text().strip(), "forward_policy": _forward_policy()}


def _ticks(pid: int) -> int:
    """Start of a process in clock ticks since boot (proc(5), field 22), 0 without one: with the pid it names one."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _forward_policy() -> str:
    """Policy of the FORWARD chain (ACCEPT or DROP), or '' without iptables. The engine sets it to DROP."""
    try:
        listing = run(["iptables", "-S", "FORWARD"], check=False).stdout
    except LabError:
        return ""
    match = re.search(r"^-P FORWARD (\w+)", listing, re.MULTILINE)
    return match.group(1) if match else ""


def stop() -> str:
    """Stop the engine if this checkout started it and nothing uses it; returns a sentence on what was done."""
    if not RECORD.exists():
        return "no Docker engine was started from here"
    record = json.loads(RECORD.read_text())
    if not answer()[0]:
        _forget(record)
        return "the Docker engine has already ended"
    users = docker("ps", "--format", "{{.Names}}").stdout.split()
    labs = docker("ps", "-a", "--filter", f"label={LABEL}", "--format", "{{.Names}}").stdout.split()
    if users or labs:
        return f"the Docker engine stays: {', '.join(sorted({*users, *labs}))} use it"
    with Step("stop the Docker engine"):
        if record["mode"] == "systemd":
            run(["systemctl", "stop", "docker.socket", "docker.service"], timeout=120)
        elif _ticks(record["pid"]) == record["ticks"] != 0:
            os.kill(record["pid"], signal.SIGTERM)
            end = time.monotonic() + 60
            while _ticks(record["pid"]) == record["ticks"] and time.monotonic() < end:
                _reap(record["pid"])
                time.sleep(0.1)
            if _ticks(record["pid"]) == record["ticks"]:
                raise LabError(f"dockerd (pid {record['pid']}) did not end within 60 s of SIGTERM.")
        else:
            RECORD.unlink()
            return "the Docker engine that answers is not the one started from here; it stays"
        _forget(record)
    return "the Docker engine is stopped"


def _reap(pid: int) -> None:
    """Collect the process if it is our own child, else it stays a zombie and looks alive."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def cleanup_commands(saved: str, forward_policy: str, tool: str = "iptables") -> list[list[str]]:
    """Commands that take the engine's own rules out of what ``iptables-save`` printed.

    Removed are rules of other chains that jump to a DOCKER chain or name docker0, then every DOCKER chain.
    ``forward_policy`` is the FORWARD policy before the engine started; '' leaves it.
    """
    deletions, chains = [], []
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":DOCKER"):
            chains.append((table, line[1:].split()[0]))
        elif line.startswith("-A ") and not line.startswith("-A DOCKER") and re.search(r"-j DOCKER|\bdocker0\b", line):
            deletions.append([tool, "-w", "-t", table, "-D", *line.split()[1:]])
    commands = deletions
    commands += [[tool, "-w", "-t", where, "-F", chain] for where, chain in chains]
    commands += [[tool, "-w", "-t", where, "-X", chain] for where, chain in chains]
    if forward_policy and ":FORWARD " in saved:
        commands.append([tool, "-w", "-P", "FORWARD", forward_policy])
    return commands


def _forget(record: dict) -> None:
    """Take back what the engine changed: docker0, its rules, ip_forward, empty cgroups; then drop the record."""
    if os.geteuid() == 0:
        run(["ip", "link", "delete", "docker0"], check=False)
        for tool in ("iptables", "ip6tables"):
            if not shutil.which(f"{tool}-save"):
                continue
            saved = run([f"{tool}-save"], check=False).stdout
            policy = record["forward_policy"] if tool == "iptables" else ""
            for command in cleanup_commands(saved, policy, tool):
                run(command, check=False)
        if record["ip_forward"] == "0":
            IP_FORWARD.write_text("0")
        if record["mode"] == "process":
            _remove_runtime_folder()
        cgroups.remove_engine()
    RECORD.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        ENGINE_DIR.rmdir()


def _remove_runtime_folder(folder: Path = Path("/run/docker")) -> None:
    """Unmount what a dead engine left mounted below its runtime folder (network namespaces), then remove the folder."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True):
        if os.path.ismount(mount) and run(["umount", mount], check=False).returncode != 0:
            warn(f"{mount} cannot be unmounted; {folder} stays")
            return
    shutil.rmtree(folder, ignore_errors=True)


def report() -> None:
    """Print how the engine came to run (for ``status``)."""
    version, error = answer()
    ours = "started from here" if RECORD.exists() else "not started from here"
    say(f"engine: Docker {version}, {ours}" if version else f"engine: none ({error})")

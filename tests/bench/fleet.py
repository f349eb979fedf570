# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks/preflight.yml costs on a fleet beside its floor, and how much memory the controller takes.

    .venv/bin/python tests/bench/fleet.py [--hosts 16,64,256] [--forks 20] [--runs 1]

Hosts are light: C(connection: local), each with an emulated machine in a directory of its own, which also stands for
the root of its file system. Nothing is served, so all of them are read and judged (system, versions, ids, clocks, RoCE
addresses), with one module call each and one on the controller.

"floor" is a play that calls a module which does nothing (ansible.builtin.ping) as often on each host, run in turn with
the playbook. How often that is is counted, on the smallest fleet, by a Python that notes each start of a module. Three
calls a host is the most that the playbook may make. CPU seconds say more than seconds where the machine has other work.
Memory is the high-water mark of the controlling process, its growth that between the smallest and the largest fleet.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "lab"))

from npusim import profiles, state, wire

ROOT = Path(__file__).resolve().parents[2]
PROFILE = "atlas-800i-a2-64g"
MOST_CALLS = 3
TARGET = 1.2
# Files of the emulated machine's host, besides those which follow from its state.
FILES = {
    "etc/os-release": 'ID="openEuler"\nVERSION_ID="22.03"\nPRETTY_NAME="openEuler 22.03 (LTS-SP4)"\n',
    "etc/ascend_install.info": "UserName=HwHiAiUser\nDriver_Install_Path_Param=/usr/local/Ascend\n"
    "Firmware_Install_Path_Param=/usr/local/Ascend\nDriver_Install_Status=complete\n",
    "proc/sys/kernel/osrelease": "5.10.0-216.0.0.115.oe2203sp4.x86_64\n",
    "proc/sys/vm/swappiness": "0\n",
    "proc/sys/kernel/numa_balancing": "0\n",
    "proc/meminfo": "MemTotal: 1055789056 kB\nSwapTotal: 0 kB\n"
    "HugePages_Total: 0\nHugePages_Free: 0\nHugepagesize: 2048 kB\n",
    "sys/devices/system/node/online": "0-3\n",
    "run/systemd/container": "light\n",
}
FLOOR = """---
- name: Floor
  hosts: ascend
  gather_facts: false
  tasks:
"""
CALL = """
    - name: Do nothing
      ansible.builtin.ping:
"""


def light_host(home: Path, number: int) -> None:
    """The state of a machine, as C(npusim new) makes it, and what its host's files say of it."""
    machine = profiles.build(PROFILE, number % 250 + 1)
    wire.assign(machine, f"10.{64 + number // 250}.0.0/16")
    home.mkdir(parents=True)
    state.save(machine, str(home))
    wire.write_conf(machine, str(home / "hccn.conf"))
    texts = {
        **FILES,
        "etc/machine-id": f"{number + 1:032x}\n",
        "proc/sys/kernel/hostname": f"npu{number:03}\n",
        "etc/hccn.conf": (home / "hccn.conf").read_text(),
        "usr/local/Ascend/driver/version.info": f"Version={machine.driver_version}\n"
        f"package_version={machine.driver_version}\ncompatible_version_fw=[7.0.0,7.8.99]\n",
        "usr/local/Ascend/firmware/version.info": f"Version={machine.firmware_version}\n"
        f"package_version={machine.driver_version}\n",
    }
    for phy_id in range(8):
        texts[f"dev/davinci{phy_id}"] = ""
        texts[f"sys/bus/pci/devices/0000:{phy_id:02x}:00.0/vendor"] = "0x19e5\n"
        texts[f"sys/bus/pci/devices/0000:{phy_id:02x}:00.0/device"] = "0xd802\n"
    for name, text in texts.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def inventory(home: Path, count: int, python: str) -> Path:
    hosts = {f"npu{number:03}": {"preflight_root": str(home / f"npu{number:03}")} for number in range(count)}
    shared = {"ansible_connection": "local", "ansible_python_interpreter": python, "ascend_services": []}
    path = home / f"fleet{count}.json"
    path.write_text(json.dumps({"ascend": {"hosts": hosts, "vars": shared}}))
    return path


class Run:
    """One run of a playbook: seconds, CPU seconds of all its processes, MB of the controller at most."""

    def __init__(self, playbook: Path, hosts: Path, forks: int):
        argv = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(hosts),
            "-f",
            str(forks),
            str(playbook),
        ]
        env = dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), LC_ALL="C.UTF-8")
        started = time.perf_counter()
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
            self.peak_mb = 0.0
            while True:
                pid, status, used = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                self.peak_mb = max(self.peak_mb, high_water(process.pid))
                time.sleep(0.1)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.seconds = time.perf_counter() - started
            self.cpu = used.ru_utime + used.ru_stime
            out.seek(0)
            self.text = out.read().decode()
        if process.returncode:
            raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}:\n{self.text[-4000:]}")


def high_water(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmHWM")), 0.0)


def calls_a_host(home: Path, preflight: Path, count: int, forks: int) -> float:
    """Module calls that the playbook makes on each host: starts of the hosts' Python."""
    noted = home / "calls"
    noted.write_text("")
    python = home / "python"
    python.write_text(f'#!/bin/sh\necho >>"{noted}"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    Run(preflight, inventory(home, count, str(python)), forks)
    return noted.read_text().count("\n") / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", default="16,64,256", help="sizes of the fleet")
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    args = parser.parse_args()
    sizes = sorted(int(size) for size in args.hosts.split(","))
    preflight = ROOT / "playbooks" / "preflight.yml"
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        for number in range(sizes[-1]):
            light_host(home / f"npu{number:03}", number)
        calls = calls_a_host(home, preflight, sizes[0], args.forks)
        assert calls == int(calls) and 1 <= calls <= MOST_CALLS, f"{calls} module calls a host"
        floor = home / "floor.yml"
        floor.write_text(FLOOR + int(calls) * CALL)
        print(f"{calls:g} module call(s) a host, at most {MOST_CALLS}; target: preflight / floor <= {TARGET}")
        print(f"load of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {args.forks} forks")
        peaks = {}
        for size in sizes:
            hosts = inventory(home, size, sys.executable)
            pairs = [(Run(floor, hosts, args.forks), Run(preflight, hosts, args.forks)) for _run in range(args.runs)]
            text = pairs[-1][1].text
            assert f"{size} nodes: 0 errors" in text, text[-4000:]
            low, own = ([pair[side] for pair in pairs] for side in (0, 1))
            peaks[size] = [max(run.peak_mb for run in side) for side in (low, own)]
            shown = []
            for what in ("seconds", "cpu"):
                first, second = (statistics.median(getattr(run, what) for run in side) for side in (low, own))
                word = "CPU " if what == "cpu" else ""
                shown.append(f"{word}floor {first:6.1f} s, preflight {second:6.1f} s, ratio {second / first:.2f}")
            shown.append(f"controller {peaks[size][0]:.0f} MB, {peaks[size][1]:.0f} MB")
            print(f"  {size:4} hosts: " + "; ".join(shown), flush=True)
        if len(sizes) > 1:
            grown = [
                (peaks[sizes[-1]][side] - peaks[sizes[0]][side]) * 1024 / (sizes[-1] - sizes[0]) for side in (0, 1)
            ]
            print(f"  the controller grows by {grown[1]:.0f} KB a host, {grown[0]:.0f} KB in the floor")
        print("  " + "\n  ".join(line for line in text.splitlines() if "nodes" in line)[:600])


if __name__ == "__main__":
    main()

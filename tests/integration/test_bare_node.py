# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driver and firmware packages on a bare lab node: devices after a restart, upgrades, and installers that end half-way.

Needs a lab of bare nodes: C(tests/lab/labctl up --lab NAME --nodes 1 --bare). NPUOPS_LAB names it, NPUOPS_NODE the
node (node1). What is installed there is removed first, and the node is restarted several times.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABCTL = str(ROOT / "tests/lab/labctl")
LAB = os.environ.get("NPUOPS_LAB", "lab")
NODE = os.environ.get("NPUOPS_NODE", "node1")
CONTAINER = f"npuops-{LAB}-{NODE}"
HDK = "Ascend-hdk-910b-npu-"
TOOLS = (
    "command -v lspci ifconfig >/dev/null || apt-get update -q && apt-get install -qy pciutils net-tools"
    " || dnf install -qy pciutils net-tools; id HwHiAiUser || useradd -m -U -s /bin/bash HwHiAiUser"
)


def call(*argv: str, timeout: float = 300, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0 or not check, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}"
    return done


def node(script: str, check: bool = True) -> str:
    return call("docker", "exec", CONTAINER, "bash", "-c", script, check=check).stdout


def labctl(*words: str) -> str:
    return call(LABCTL, *words[:1], "--lab", LAB, *words[1:]).stdout


def start() -> str:
    return node("stat -c %Y /proc/1 && systemctl is-system-running", check=False)


def restarted(before: str, seconds: float = 60) -> None:
    """Wait until the node has started anew and is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = start().split()
        if len(found) == 2 and found[0] != before.split()[0] and found[1] in ("running", "degraded"):
            assert found[1] == "running", node("systemctl --failed", check=False)
            return
        time.sleep(0.3)
    raise AssertionError(f"the node did not come back: {start()!r}")


def restart() -> None:
    before = start()
    call("docker", "exec", CONTAINER, "systemctl", "reboot", check=False)
    restarted(before)


def install(package: str, *words: str) -> tuple[int, str]:
    call("docker", "cp", "-q", str(ROOT / ".lab/cache/packages" / package), f"{CONTAINER}:/root/")
    command = ["docker", "exec", CONTAINER, "bash", f"/root/{package}", *words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False
    )
    return done.returncode, re.sub(r"\x1b\[\d+m", "", done.stdout)


def driver(version: str, *words: str) -> tuple[int, str]:
    return install(f"{HDK}driver_{version}_linux-x86-64.run", *words)


def firmware(version: str, *words: str) -> tuple[int, str]:
    return install(f"{HDK}firmware_{version}.run", *words)


def installed() -> tuple[str, ...]:
    """Versions of the files of driver and firmware; empty for none."""
    text = node(
        "for p in driver firmware; do echo \"$p=$(sed -n 's/^Version=//p' /usr/local/Ascend/$p/version.info)\"; done"
    )
    return tuple(line.split("=")[1] for line in text.splitlines() if "=" in line)


def running() -> tuple[str, ...]:
    """Software, Firmware and Compatibility as npu-smi reads them from the chips; empty without a driver."""
    text = node("npu-smi info -t board -i 0", check=False)
    return tuple(re.findall(r"(?:Software Version|Firmware Version|Compatibility)\s+: (\S+)", text))


@pytest.fixture(scope="module", autouse=True)
def bare():
    """The node as delivered, but for the tools and the user that the installers ask for."""
    assert node("cat /var/lib/npusim/made") == "bare\n", f"{NODE} of lab {LAB} is not bare (labctl up --bare)"
    call(LABCTL, "packages")
    labctl("mend", NODE)
    node("for p in firmware driver; do s=/usr/local/Ascend/$p/script/uninstall.sh; [ ! -e $s ] || $s --quiet; done")
    node("rm -rf /usr/local/Ascend /etc/ascend_install.info")
    node(TOOLS)
    restart()
    yield
    labctl("mend", NODE)


@pytest.fixture
def ready():
    """Driver 25.2.0 and its firmware installed and running."""
    if running() != ("25.2.0", "7.7.0.6.236", "OK") or installed() != ("25.2.0", "7.7.0.6.236"):
        if not installed()[0]:
            assert driver("25.2.0", "--full", "--install-for-all", "--quiet")[0] == 2
        assert firmware("7.7.0.6.236", "--full", "--quiet")[0] == 0
        assert driver("25.2.0", "--full", "--install-for-all", "--quiet")[0] == 2
        restart()
    assert running() == ("25.2.0", "7.7.0.6.236", "OK")


def test_a_bare_node_has_its_npus_on_the_bus_and_nothing_else() -> None:
    assert node("lspci -nn | grep -c '19e5:d802'") == "8\n"
    assert (
        node("ls /dev/davinci* /usr/local/Ascend /etc/hccn.conf; command -v npu-smi", check=False).count("No such") == 3
    )


def test_the_first_installation_needs_one_restart_for_driver_and_firmware() -> None:
    status, text = driver("25.2.0", "--full", "--install-for-all", "--quiet")
    assert (status, "Reboot needed for installation/upgrade to take effect!" in text) == (2, True), text
    assert running() == ()
    assert "ret is -8005" in node("npu-smi info", check=False)
    status, text = firmware("7.7.0.6.236", "--full", "--quiet")
    assert (status, "The firmware of [8] chips are successfully upgraded." in text) == (0, True), text
    restart()
    assert running() == ("25.2.0", "7.7.0.6.236", "OK")
    assert node("ls /dev | grep -c '^davinci[0-9]'") == "8\n"
    assert "no ip was preset" in node("hccn_tool -i 0 -ip -g", check=False)


def test_an_upgrade_runs_from_the_next_start(ready) -> None:
    assert firmware("7.8.0.5.216", "--upgrade", "--quiet")[0] == 0
    status, text = driver("25.5.0", "--upgrade", "--quiet")
    assert (status, "Driver package upgraded successfully!" in text) == (2, True), text
    assert installed() == ("25.5.0", "7.8.0.5.216")
    assert running() == ("25.2.0", "7.7.0.6.236", "OK")
    restart()
    assert running() == ("25.5.0", "7.8.0.5.216", "OK")


def test_killed_half_way(ready) -> None:
    labctl("break", NODE, "install-killed", "50")
    status, text = driver("25.5.0", "--upgrade", "--quiet")
    assert (status, "upgradePercentage:50%" in text, "successfully" in text) == (137, True, False), text
    assert installed()[0] == "" and running()[0] == "25.2.0"
    assert driver("25.5.0", "--upgrade", "--quiet")[0] == 2
    assert installed()[0] == "25.5.0"


def test_power_cut_half_way(ready) -> None:
    before = start()
    labctl("break", NODE, "install-power-cut", "90")
    status, text = driver("25.5.0", "--upgrade", "--quiet")
    assert (status == 0, "successfully" in text) == (False, False), text
    restarted(before)
    assert installed()[0] == "" and running() == ()
    assert node("ls /dev/davinci*", check=False).count("No such file") == 1
    assert driver("25.2.0", "--full", "--install-for-all", "--quiet")[0] == 2
    restart()
    assert running()[0] == "25.2.0"


def test_the_disk_is_full_half_way(ready) -> None:
    labctl("break", NODE, "install-disk-full", "30")
    status, text = driver("25.5.0", "--upgrade", "--quiet")
    assert (status, "Drv_file_copy failed, details in : /var/log/ascend_seclog/ascend_install.log" in text) == (1, True)
    status, text = driver("25.5.0", "--upgrade", "--quiet")
    assert (status, "free space only 0M, cannot install driver package" in text) == (1, True), text
    restart()  # what was written is on the node's disk afterwards, and the download is gone
    assert installed() == ("", "7.7.0.6.236") and running() == ()
    assert driver("25.2.0", "--full", "--install-for-all", "--quiet")[0] == 2


def test_a_restart_that_hangs(ready) -> None:
    labctl("break", NODE, "reboot-hangs")
    before = start()
    call("docker", "exec", CONTAINER, "systemctl", "reboot", check=False)
    with pytest.raises(AssertionError, match="did not come back"):
        restarted(before, seconds=8)
    assert call(LABCTL, "ssh", "--lab", LAB, NODE, "true", check=False).returncode == 255
    labctl("mend", NODE, "reboot-hangs")
    restarted(before)
    assert running()[0] == "25.2.0"


def test_a_hot_reset_that_works_and_one_that_is_in_the_way(ready) -> None:
    labctl("break", NODE, "hot-reset")
    labctl("break", NODE, "process", "3", "1000")
    status, text = driver("25.5.0", "--upgrade", "--quiet")
    assert (status, "The davinci nodes are occupied by some processes" in text) == (1, True), text
    assert installed()[0] == "25.2.0"
    labctl("mend", NODE, "process", "3")
    status, text = driver("25.5.0", "--upgrade", "--quiet")
    assert (status, "The new version takes effect immediately." in text) == (0, True), text
    assert running()[0] == "25.5.0"
    labctl("mend", NODE, "hot-reset")


def test_uninstalled_it_runs_until_the_next_start(ready) -> None:
    status, text = driver("25.2.0", "--uninstall")
    assert (status, "Driver package uninstalled successfully!" in text) == (0, True), text
    assert node("ls /usr/local/Ascend") == "firmware\n"
    assert node("ls /dev | grep -c '^davinci[0-9]'") == "8\n"
    restart()
    assert node("ls /dev | grep -c '^davinci' || true") == "0\n"

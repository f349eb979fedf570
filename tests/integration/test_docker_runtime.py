# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated Ascend Docker Runtime on a node of a running lab: what containers really get, through runc.

Needs a lab with a Docker engine on NPUOPS_NODE (node1): C(make lab-up), then role C(docker). NPUOPS_LAB names it.
The package is installed, and removed again, where the node has none. NPUs 2, 3, 6 and 7 must be free.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ.get("NPUOPS_LAB", "lab")
NODE = os.environ.get("NPUOPS_NODE", "node1")
VERSION = "7.1.RC1"
IMAGE = "quay.io/ascend/vllm-ascend:v0.23.0"
MANAGERS = ["davinci_manager", "devmm_svm", "hisi_hdc"]
HOME = "/usr/local/Ascend/Ascend-Docker-Runtime"
LIST = "/etc/ascend-docker-runtime.d/base.list"
LOG = "/var/log/ascend-docker-runtime/runtime-run.log"
# Opens the only chip of its container and holds it.
HOLDER = """
import os, sys, time
sys.path.insert(0, "/usr/local/Ascend/driver/lib64")
from npusim.device import open_device
[number] = [int(name[7:]) for name in os.listdir("/dev") if name.startswith("davinci") and name[7:].isdigit()]
chip = open_device(number)
chip.allocate(500)
print(number, chip.hbm_total_mb, flush=True)
time.sleep(600)
"""


def node(*words: str, check: bool = True, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command on the node."""
    argv = [str(ROOT / "tests/lab/labctl"), "exec", "--lab", LAB, NODE, *words]
    done = subprocess.run(argv, input=stdin or b"", capture_output=True, timeout=120, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.returncode}\n{out}{err}"
    return subprocess.CompletedProcess(argv, done.returncode, out, err)


def container(*options: str, command: str = "true", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a shell command in a container with the Ascend runtime."""
    words = ["docker", "run", "--rm", "--runtime", "ascend", "--entrypoint", "sh", *options, IMAGE, "-c", command]
    return node(*words, check=check)


def environment(**values: str) -> list[str]:
    return [word for name, value in values.items() for word in ("-e", f"ASCEND_{name}={value}")]


def devices(found: str) -> list[str]:
    return [line for line in found.splitlines() if line.startswith(("davinci", "devmm", "hisi"))]


def vnpus() -> list[str]:
    return node("sh", "-c", "ls /dev | grep vdavinci || true").stdout.split()


def reason() -> str:
    """The last line of the runtime's log: the engine does not show it."""
    return node("tail", "-n", "1", LOG).stdout


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory):
    """The package of the lab on the node; configuration and engine as before afterwards."""
    if node("docker", "version", check=False).returncode != 0:
        pytest.fail(f"{NODE} of lab {LAB} has no Docker engine: apply role npuops.ascend.docker first")
    mine = node("test", "-d", HOME, check=False).returncode != 0
    if mine:
        folder = tmp_path_factory.mktemp("packages")
        subprocess.run([ROOT / "tests/lab/labctl", "packages", "--dir", folder], check=True, capture_output=True)
        name = f"Ascend-docker-runtime_{VERSION}_linux-{os.uname().machine}.run"
        node("sh", "-c", f"cat > /root/{name} && chmod 755 /root/{name}", stdin=(folder / name).read_bytes())
        node("sh", "-c", "cp -p /etc/docker/daemon.json /root/daemon.json.before 2>/dev/null || true")
        done = node(f"/root/{name}", "--install")
        assert "install success" in done.stdout
        node("systemctl", "restart", "docker")
    node("docker", "pull", "--quiet", IMAGE)
    before = node("cat", LIST).stdout
    yield
    node("sh", "-c", f"cat > {LIST}", stdin=before.encode())
    if mine:
        node(f"/root/{name}", "--uninstall")
        node(
            "sh", "-c",
            "rm -f /root/Ascend-docker-runtime_*; cd /root && if [ -e daemon.json.before ]; "
            "then mv daemon.json.before /etc/docker/daemon.json; else rm -f /etc/docker/daemon.json; fi",
        )  # fmt: skip
        node("systemctl", "restart", "docker")


@pytest.mark.parametrize(("asked", "chips"), [("2", [2]), ("2-3,6", [2, 3, 6]), ("Ascend910-7", [7])])
def test_a_container_sees_the_chips_it_asked_for_and_no_others(asked, chips):
    found = container(*environment(VISIBLE_DEVICES=asked), command="ls /dev; npu-smi info -l | grep 'NPU ID'").stdout
    assert sorted(devices(found)) == sorted([*(f"davinci{chip}" for chip in chips), *MANAGERS])
    assert [int(line.split(":")[1]) for line in found.splitlines() if "NPU ID" in line] == chips


def test_without_the_variable_there_is_nothing_of_the_driver():
    found = container(command="ls /dev; ls -d /usr/local/Ascend/driver 2>&1; env").stdout
    assert devices(found) == []
    assert "No such file" in found
    assert "ASCEND_DOCKER_RUNTIME=True" in found


def test_the_driver_is_read_only_and_left_out_with_nodrv():
    options = environment(VISIBLE_DEVICES="2")
    assert "Read-only" in container(*options, command="touch /usr/local/Ascend/driver/lib64/x", check=False).stderr
    found = container(
        *options, *environment(RUNTIME_OPTIONS="NODRV"), command="ls /dev; ls /usr/local/Ascend 2>&1 || true"
    )
    assert "davinci2" in devices(found.stdout)
    assert "No such file" in found.stdout


def test_the_network_tool_is_there_once_the_list_names_it():
    options = environment(VISIBLE_DEVICES="2")
    tool = "/usr/local/Ascend/driver/tools/hccn_tool -i 2 -link -g"
    assert container(*options, command=tool, check=False).returncode == 127
    more = "\\n/etc/hccn.conf\\n/usr/local/Ascend/driver/tools\\n"
    node("sh", "-c", f"printf '{more}' >> {LIST}")
    assert "link status:" in container(*options, command=tool).stdout
    there = node("test", "-e", "/etc/hccn.conf", check=False).returncode
    assert container(*options, command="test -e /etc/hccn.conf", check=False).returncode == there


def test_a_vnpu_that_exists_is_the_only_chip_of_its_container():
    node("npu-smi", *["set", "-t", "create-vnpu", "-i", "6", "-c", "0", "-f", "vir10_3c_32g"])
    [name] = vnpus()
    number = name[len("vdavinci") :]
    try:
        options = environment(VISIBLE_DEVICES=number, RUNTIME_OPTIONS="VIRTUAL")
        found = container(*options, command="ls /dev; npu-smi info").stdout
    finally:
        node("npu-smi", *f"set -t destroy-vnpu -i 6 -c 0 -v {number}".split())
    assert sorted(devices(found)) == sorted([f"davinci{number}", *MANAGERS])
    assert "vir10_3c_32g" in found


def test_a_dynamic_vnpu_lives_as_long_as_its_container():
    name = "npuops-test-dynamic"
    options = environment(VISIBLE_DEVICES="7", VNPU_SPECS="vir10_3c_32g")
    node("docker", "run", "-d", "--init", "--name", name, "--runtime", "ascend", *options, "--entrypoint", "python3",
         IMAGE, "-c", HOLDER)  # fmt: skip
    try:
        for _start in range(2):
            deadline = time.monotonic() + 20
            while not node("docker", "logs", name).stdout and time.monotonic() < deadline:
                time.sleep(0.2)
            assert vnpus() == ["vdavinci212"]
            assert node("docker", "logs", "--tail", "1", name).stdout == "212 30720\n"
            refused = node("npu-smi", *["set", "-t", "destroy-vnpu", "-i", "7", "-c", "0", "-v", "212"], check=False)
            assert "destroy vnpu 212 failed." in refused.stdout
            node("docker", "kill", name)
            node("docker", "wait", name)
            deadline = time.monotonic() + 10
            while vnpus() and time.monotonic() < deadline:
                time.sleep(0.2)
            assert vnpus() == []
            node("docker", "start", name)
    finally:
        node("docker", "rm", "-f", name)
    assert vnpus() == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"VISIBLE_DEVICES": "63"}, "failed to get /dev/davinci63 info : no such file or directory"),
        ({"VISIBLE_DEVICES": "2-129"}, "invalid right boarder range parameter: 129"),
        ({"VISIBLE_DEVICES": "2,3", "VNPU_SPECS": "vir10_3c_32g"}, "invalid devices: [2 3]"),
        ({"VISIBLE_DEVICES": "2", "VNPU_SPECS": "vir99"}, "cannot parse param : vir99"),
    ],
)
def test_what_cannot_be_had_starts_no_container_and_is_in_the_log(values, sentence):
    done = container(*environment(**values), check=False)
    assert done.returncode != 0
    assert "did not terminate successfully: exit status 1" in done.stderr
    assert sentence in reason()
    assert vnpus() == []


def test_a_chip_in_use_is_not_cut():
    name = "npuops-test-whole"
    node("docker", "run", "-d", "--init", "--name", name, "--runtime", "ascend", *environment(VISIBLE_DEVICES="3"),
         "--entrypoint", "python3", IMAGE, "-c", HOLDER)  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not node("docker", "logs", name).stdout and time.monotonic() < deadline:
            time.sleep(0.2)
        container(*environment(VISIBLE_DEVICES="3", VNPU_SPECS="vir10_3c_32g"), check=False)
        assert "create virtual device failed, error code: -8020" in reason()
    finally:
        node("docker", "rm", "-f", name)
    assert vnpus() == []


def test_another_runtime_is_left_alone():
    words = ["docker", "run", "--rm", "--runtime", "runc", *environment(VISIBLE_DEVICES="2"), "--entrypoint", "sh"]
    assert devices(node(*words, IMAGE, "-c", "ls /dev").stdout) == []

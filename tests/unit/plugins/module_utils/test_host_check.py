# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that is a directory: what is read from its files, and that nothing is made up where there are none."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._host_check import (
    Files,
    count_ids,
    docker,
    look,
    parse_chosen,
    parse_meminfo,
    parse_os_release,
)

FILES = {
    "etc/os-release": 'NAME="openEuler"\nVERSION_ID="22.03"\nPRETTY_NAME="openEuler 22.03 (LTS-SP4)"\nID="openEuler"\n',
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/ufw/ufw.conf": "# x\nENABLED=yes\n",
    "etc/hccn.conf": "address_0=10.77.1.10\nnetmask_0=255.255.0.0\n"
    "address_1=10.77.1.11\naddress_1=10.77.1.99\n#address_2=10.77.1.12\n",
    "etc/docker/daemon.json": '{"data-root": "/data/docker"}',
    "proc/meminfo": "MemTotal: 2048 kB\nSwapTotal: 1024 kB\n"
    "HugePages_Total: 7\nHugePages_Free: 3\nHugepagesize: 2048 kB\n",
    "proc/sys/vm/swappiness": "60\n",
    "proc/sys/kernel/numa_balancing": "1\n",
    "proc/sys/kernel/osrelease": "5.10.0-216\n",
    "proc/sys/kernel/hostname": "npu1\n",
    "sys/devices/system/node/online": "0-3,6\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "ondemand\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/fs/selinux/enforce": "1",
    "sys/class/dmi/id/product_uuid": "ABCD-1\n",
    "sys/bus/pci/devices/0000:c1:00.0/vendor": "0x19e5\n",
    "sys/bus/pci/devices/0000:c1:00.0/device": "0xd802\n",
    "sys/bus/pci/devices/0000:c2:00.0/vendor": "0x19e5\n",
    "sys/bus/pci/devices/0000:c2:00.0/device": "0xd802\n",
    "sys/bus/pci/devices/0000:03:00.0/vendor": "0x19e5\n",
    "sys/bus/pci/devices/0000:03:00.0/device": "0x0222\n",
    "sys/bus/pci/devices/0000:04:00.0/vendor": "0x8086\n",
    "dev/davinci0": "",
    "dev/davinci10": "",
    "dev/davinci_manager": "",
    "run/systemd/units/invocation:firewalld.service": "",
    "run/systemd/units/invocation:chronyd.service": "",
    "lib/modules/5.10.0-216/build/Makefile": "",
    "etc/ascend_install.info": "Driver_Install_Path_Param=/usr/local/Ascend\n"
    "Firmware_Install_Path_Param=/usr/local/Ascend\n",
    "usr/local/Ascend/driver/version.info": "Version=25.5.1\ncompatible_version_fw=[7.0.0,7.8.99]\n",
}


@pytest.fixture
def node(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_all_of_a_node(node):
    found = look(str(node), model_dirs=["/data/models/none"], controller_time=1.0)
    assert json.loads(json.dumps(found)) == found
    expected = {
        "os": {"id": "openeuler", "version": "22.03", "name": "openEuler 22.03 (LTS-SP4)"},
        "kernel": "5.10.0-216",
        "kernel_headers": True,
        "container": None,
        "memory": {"total_mb": 2, "swap_mb": 1, "hugepages": {"total": 7, "free": 3, "size_kb": 2048}},
        "transparent_hugepages": "madvise",
        "swappiness": 60,
        "numa_nodes": 5,
        "numa_balancing": 1,
        "governors": ["ondemand", "performance"],
        "firewalls": ["firewalld", "ufw"],
        "selinux": "enforcing",
        "docker": {"version": None, "data_root": "/data/docker"},
        "ids": {"machine_id": "0123456789abcdef0123456789abcdef", "product_uuid": "abcd-1", "hostname": "npu1"},
        "npus": {"on_bus": 2, "family": "A2", "phy_ids": [0, 10]},
        "roce": {"0": "10.77.1.10", "1": "10.77.1.11"},
    }
    assert {key: found[key] for key in expected} == expected
    driver = {"installed": "25.5.1", "path": "/usr/local/Ascend", "complete": True, "accepts": [["7.0.0", "7.8.99"]]}
    assert found["installed"]["driver"] == driver
    assert found["installed"]["firmware"]["complete"] is False
    assert found["clock"]["kept_by"] == "chronyd" and found["clock"]["ahead_s"] > 1e9
    assert [disk["use"] for disk in found["disks"]] == ["images", "models"]
    assert found["disks"][0]["path"] == "/data/docker" and found["disks"][0]["total_gb"] > 0


def test_a_node_without_any_file(tmp_path):
    found = look(str(tmp_path))
    for key in ("swappiness", "numa_nodes", "numa_balancing", "transparent_hugepages", "roce"):
        assert found[key] is None, key
    assert found["os"] == {"id": None, "version": None, "name": None}
    assert found["memory"]["total_mb"] is None and found["governors"] == [] and found["firewalls"] == []
    assert found["npus"] == {"on_bus": 0, "family": None, "phy_ids": []}
    assert found["installed"]["driver"]["installed"] is None and found["installed"]["docker_runtime"] is None
    assert found["ids"]["machine_id"] is None and found["clock"]["ahead_s"] is None


def test_a_container_does_not_show_the_id_of_its_host(node):
    (node / "run/systemd/container").write_text("docker\n")
    found = look(str(node))
    assert found["container"] == "docker" and found["ids"]["product_uuid"] is None


def test_npus_of_two_families_are_none(node):
    (node / "sys/bus/pci/devices/0000:c2:00.0/device").write_text("0xd500\n")
    assert look(str(node))["npus"]["family"] is None


def test_a_broken_daemon_json_is_left_to_the_docker_role(node):
    (node / "etc/docker/daemon.json").write_text("{")
    assert look(str(node))["docker"]["data_root"] == "/var/lib/docker"


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (b'HTTP/1.0 200 OK\r\n\r\n{"Version": "26.1.3"}', "26.1.3"),
        (b"HTTP/1.0 500 Oops\r\n\r\nno", None),
        (b"", None),
    ],
)
def test_the_engine_answers_at_its_socket(tmp_path, answer, version):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
        listener.listen()

        def serve():
            talk, _peer = listener.accept()
            with talk:
                assert talk.recv(4096).startswith(b"GET /version HTTP/1.0")
                talk.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert docker(Files(str(tmp_path)), "/d.sock")["version"] == version
        thread.join()


def test_parts():
    assert parse_os_release("ID=debian\n") == {"id": "debian", "version": None, "name": None}
    assert parse_meminfo("")["hugepages"] == {"total": None, "free": None, "size_kb": None}
    assert parse_chosen("always madvise") is None
    assert [count_ids(text) for text in ("0", "0-1", "0-3,7", "", None)] == [1, 2, 5, None, None]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that containers run, with a C(ray) that only writes down what it was told."""

from __future__ import annotations

import pathlib
import signal
import socket
import stat
import subprocess
import time

import jinja2
import pytest
import yaml

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
DEFAULTS = yaml.safe_load((ROLES / "ray/defaults/main.yml").read_text(encoding="utf-8"))


def rendered(tmp_path, role, name, **values):
    """A program of a role, with C(/opt/npuops) in a directory of the test."""
    template = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
    text = template.from_string((ROLES / role / "templates" / name).read_text(encoding="utf-8")).render(**values)
    return program(tmp_path / name, text.replace("/opt/npuops", str(tmp_path / "opt")))


def program(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Node:
    def __init__(self, tmp_path, head, gcs):
        (tmp_path / "opt").mkdir()
        (tmp_path / "bin").mkdir()
        self.told, self.said, self.path = tmp_path / "told", tmp_path / "said", tmp_path
        program(
            tmp_path / "bin" / "ray",
            f"#!/bin/bash\nprintf '%s\\n' \"$@\" > {self.told}\ntrap 'echo ended >> {self.told}; exit 0' TERM\n"
            "for _ in $(seq 600); do sleep 0.1; done\n",
        )
        ports = {**DEFAULTS["ray_ports"], "gcs": gcs}
        node = {"address": "127.0.0.2", "phy_ids": [4, 5, 6, 7]}
        self.script = rendered(
            tmp_path, "ray", "ray.sh.j2",
            ansible_managed="", ray_ports=ports, ray_object_store_mb=128, ray_reconnect_timeout=2, __ray_tokens=False,
            __ray_node=node, __ray_is_head=head, __ray_head_address="127.0.0.1", __ray_gcs=f"127.0.0.1:{gcs}",
        )  # fmt: skip

    def start(self):
        # A file, since what Ray leaves behind would keep a pipe open.
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                ["bash", str(self.script)],
                env={"PATH": f"{self.path}/bin:/usr/bin:/bin"},
                stderr=said,
                start_new_session=True,
            )
        end = time.monotonic() + 20
        while not self.told.exists() or not self.told.read_text():
            assert time.monotonic() < end and self.process.poll() is None, self.said.read_text()
            time.sleep(0.05)
        return self.told.read_text().splitlines()


@pytest.fixture
def gcs():
    """A port that answers as the head's does, by its kernel alone."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener


@pytest.fixture
def start(tmp_path):
    nodes = []

    def begin(head, port, critical=None):
        node = Node(tmp_path, head, port)
        if critical is not None:
            (tmp_path / "opt" / "critical_npus").write_text(critical)
        node.words = node.start()
        nodes.append(node)
        return node

    yield begin
    for node in nodes:
        subprocess.run(["pkill", "-KILL", "-s", str(node.process.pid)], check=False)
        node.process.wait(timeout=10)


def test_the_head_keeps_its_dashboard_to_itself(start):
    words = start(True, 6379).words
    assert words[:3] == ["start", "--head", "--port=6379"]
    assert {"--dashboard-host=127.0.0.1", "--dashboard-port=6386", "--node-ip-address=127.0.0.2"} <= set(words)
    assert '--resources={"NPU": 4}' in words


@pytest.mark.parametrize(
    ("critical", "resources"),
    [("", '{"NPU": 4}'), ("6\n", '{"NPU": 3, "npuops_critical_npu_6": 1}')],
)
def test_a_node_joins_without_an_npu_that_is_critical_and_says_which(start, gcs, critical, resources):
    words = start(False, gcs.getsockname()[1], critical).words
    assert words[:2] == ["start", f"--address=127.0.0.1:{gcs.getsockname()[1]}"]
    assert f"--resources={resources}" in words


def test_a_node_that_has_lost_its_head_ends(start, gcs):
    node = start(False, gcs.getsockname()[1])
    time.sleep(3)
    assert node.process.poll() is None, "the head answered all the time"
    gcs.close()
    began = time.monotonic()
    assert node.process.wait(timeout=15) == 1
    assert time.monotonic() - began < 8
    assert "has not answered for" in node.said.read_text()


def test_a_node_that_is_told_to_stop_lets_ray_end(start, gcs):
    node = start(False, gcs.getsockname()[1])
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(timeout=10) == 0
    assert node.told.read_text().splitlines()[-1] == "ended"


def test_a_container_of_its_own_waits_while_an_npu_is_critical(tmp_path):
    (tmp_path / "opt").mkdir()
    marker = tmp_path / "opt" / "critical_npus"
    marker.write_text("3\n")
    script = rendered(tmp_path, "npu_container", "run.sh.j2", ansible_managed="")
    # Five seconds between two looks are long for a test.
    program(script, script.read_text().replace("sleep 5", "sleep 0.2"))
    process = subprocess.Popen(["bash", str(script), "echo", "served"], stdout=-1, stderr=-1, text=True)
    time.sleep(1)
    assert process.poll() is None
    marker.write_text("")
    out, err = process.communicate(timeout=10)
    assert (out, err) == ("served\n", "npuops: not started: NPU 3 of this node is Critical\n")


def test_ray_itself_does_not_wait(tmp_path):
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "critical_npus").write_text("3\n")
    ray = program(tmp_path / "opt" / "ray", "#!/bin/sh\necho joins\n")
    script = rendered(tmp_path, "npu_container", "run.sh.j2", ansible_managed="")
    done = subprocess.run(["bash", str(script), str(ray)], capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout == "joins\n"

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input and broken machines, injected into a running lab: C(site.yml) stops before anything is changed.

Needs a lab of two nodes on which nothing is served (C(make lab-up)); NPUOPS_LAB names it. Every case runs the whole
C(site.yml), expects one sentence with host, item and remedy, and that no task of any host reported a change.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
from contextlib import contextmanager

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABCTL = ROOT / "tests/lab/labctl"
LAB = os.environ.get("NPUOPS_LAB", "lab")
MODEL = "/data/models/Qwen3-0.6B-lab"


def labctl(*words):
    subprocess.run([str(LABCTL), *words], check=True, capture_output=True, text=True, timeout=120)


def on_node(node, *command):
    labctl("exec", "--lab", LAB, node, *command)


@contextmanager
def nothing():
    yield


@contextmanager
def fault(node, *words):
    labctl("break", "--lab", LAB, node, *words)
    try:
        yield
    finally:
        labctl("mend", "--lab", LAB, node)


@contextmanager
def done(node, command, undo):
    on_node(node, "sh", "-c", command)
    try:
        yield
    finally:
        on_node(node, "sh", "-c", undo)


@contextmanager
def powerless(node):
    labctl("power-cut", "--lab", LAB, node)
    try:
        yield
    finally:
        labctl("power-on", "--lab", LAB, node)


def chat(**changes):
    service = {"name": "chat", "engine": "vllm", "model": MODEL, "hosts": ["node1", "node2"], "npus": 8, "port": 8000}
    service.update(changes)
    return service


def services(*wanted):
    return {"ascend_services": list(wanted)}


# What the play must say, in one sentence: (name, fault, extra variables, words).
CASES = [
    (
        "unknown service key",
        nothing(),
        services(chat(tensor=8)),
        "inventory: service 'chat': key 'tensor' is not known",
    ),
    (
        "parallel is not the number of NPUs",
        nothing(),
        services(chat(parallel={"tensor": 8})),
        "node1: service 'chat': parallel tensor 8 × pipeline 1 × data 1 is 8, but 2 hosts × 8 devices are 16; "
        "make the product 16.",
    ),
    (
        "host not in the inventory",
        nothing(),
        services(chat(hosts=["node1", "node7"])),
        "node7: service 'chat': the host is not in group ascend",
    ),
    (
        "two services on one NPU",
        nothing(),
        services(
            chat(hosts=["node1"], npus={"ids": [3, 4]}),
            chat(name="other", hosts=["node1"], npus={"ids": [4]}, port=8001),
        ),
        "node1: service 'other': NPU 4 is also wanted by service 'chat'; give them different NPUs, or a share each.",
    ),
    (
        "more NPUs than there are",
        nothing(),
        services(chat(npus=9)),
        "node1: service 'chat': it asks for 9 NPUs, 8 of 8 are free",
    ),
    (
        "engine that is not served yet",
        nothing(),
        services(chat(engine="mindie", hosts=["node1"])),
        "engine 'mindie' is not served by this release; use one of vllm.",
    ),
    (
        "flag that vLLM does not have",
        nothing(),
        services(chat(args={"max_modle_len": 4096})),
        "inventory: service 'chat': args.max_modle_len is not an option of vLLM 0.23.0; write 'max_model_len'.",
    ),
    (
        "flag that vLLM has no more",
        nothing(),
        services(chat(args={"disable_log_requests": True})),
        "inventory: service 'chat': args.disable_log_requests is gone in vLLM 0.23.0; leave it out",
    ),
    (
        "value that a flag does not take",
        nothing(),
        services(chat(args={"dtype": "bf16"})),
        "inventory: service 'chat': args.dtype is 'bf16', which is none of auto, bfloat16, float, float16, float32, "
        "half; write 'bfloat16'.",
    ),
    (
        "model path absent on a node",
        done("node2", f"mv {MODEL} {MODEL}.away", f"mv {MODEL}.away {MODEL}"),
        {},
        f"node2: service 'chat': the model directory {MODEL} does not exist; copy the weights there",
    ),
    (
        "image missing",
        nothing(),
        {"vllm_image": "quay.io/ascend/vllm-ascend:v9.9.9"},
        "node1: image quay.io/ascend/vllm-ascend:v9.9.9: it is not in the engine, and the registry does not have it",
    ),
    (
        "port taken",
        done("node1", "systemd-run --unit squatter python3 -m http.server 8000; sleep 1", "systemctl stop squatter"),
        {},
        r"node1: service 'chat': port 8000 is taken by process \d+ (python3); stop it",
    ),
    (
        "Ray port taken",
        done("node2", "systemd-run --unit squatter python3 -m http.server 6381; sleep 1", "systemctl stop squatter"),
        {},
        r"node2: service 'chat': port 6381 is taken by process \d+ (python3); stop it",
    ),
    (
        "port closed by a firewall",
        done("node2", "iptables -A INPUT -p tcp --dport 6380 -j DROP", "iptables -D INPUT -p tcp --dport 6380 -j DROP"),
        {},
        r"node1: network: it cannot reach node2 (\S+) on TCP 6380: timed out; open these ports",
    ),
    (
        "driver file missing",
        done("node2", "mv /etc/hccn.conf /etc/hccn.away", "mv /etc/hccn.away /etc/hccn.conf"),
        {},
        "node2: driver: /etc/hccn.conf is missing; install or repair the driver",
    ),
    (
        "NPU absent",
        fault("node2", "npu-absent", "5"),
        services(chat(npus={"ids": [4, 5]})),
        "node2: service 'chat': NPU 5 is absent, the node has 0, 1, 2, 3, 4, 6, 7; name NPUs",
    ),
    (
        "NPU with a warning",
        fault("node1", "npu-alarm", "2", "Warning"),
        {},
        "node1: service 'chat': NPU 2 has health Warning; read the codes with `npu-smi info -t health -i 2`",
    ),
    (
        "NPU with an alarm",
        fault("node2", "npu-alarm", "7", "Critical"),
        {},
        "node2: service 'chat': NPU 7 has health Critical",
    ),
    (
        "zombie",
        fault("node2", "hbm-leak", "6", "20000"),
        {},
        r"node2: service 'chat': NPU 6 chip 0 has \d+ MB of HBM in use (idle: up to \d+ MB) and lists no process",
    ),
    (
        "stranger on an NPU",
        fault("node1", "process", "1", "8000"),
        {},
        r"node1: service 'chat': NPU 1 is used by process \d+ (\S+); stop it, or place the service on other NPUs.",
    ),
    (
        "not root",
        nothing(),
        {"ansible_become": True, "ansible_become_user": "nobody"},
        "node1: user nobody: it is not root, so neither NPUs nor other processes can be seen rightly; connect as root",
    ),
    (
        "unreachable node",
        powerless("node2"),
        {"preflight_connect_timeout": 8},
        r"node2: SSH: \S+ does not answer within 8 s; check",
    ),
]


def pattern(words):
    """The sentence as the callback may have folded it: any white space for a blank; only \\d+ and \\S+ are patterns."""
    escaped = re.escape(words).replace(r"\\d\+", r"\d+").replace(r"\\S\+", r"\S+")
    return re.compile(escaped.replace(r"\ ", r"\s+"))


def unfold(output):
    return output.replace("''", "'")


@pytest.mark.parametrize(
    ("trouble", "variables", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_site_stops_before_anything_is_changed(trouble, variables, words):
    with trouble:
        play = subprocess.run(
            ["ansible-playbook", "site.yml", "--extra-vars", json.dumps(variables)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    output = unfold(play.stdout)
    assert play.returncode == 2, output + play.stderr
    assert pattern(words).search(output), output
    recap = re.findall(r"changed=(\d+)", output)
    assert recap and set(recap) == {"0"}, output

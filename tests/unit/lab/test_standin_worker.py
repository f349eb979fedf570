# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker of the stand-in by itself: its title, what that does to its environment, and how it ends."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from vllm_standin.config import EngineConfig
from vllm_standin.title import worker_title

STANDIN = Path(__file__).resolve().parents[2] / "lab" / "images" / "vllm-ascend" / "rootfs" / "opt" / "standin"

# A driver whose NPU 1 never opens.
DRIVER = """
import time
class OutOfMemory(Exception):
    pass
class Device:
    hbm_total_mb, hbm_free_mb = 65536, 62000
    def allocate(self, mb):
        pass
    def close(self):
        print("NPU closed", flush=True)
def open_device(phy_id):
    while phy_id == 1:
        time.sleep(60)
    return Device()
"""


def config(executor="mp", data=1, pipeline=1, context=1, tensor=1, expert_parallel=False):
    return EngineConfig(
        model=Path("/models/x"), names=("x",), tensor=tensor, pipeline=pipeline, context=context, data=data,
        expert_parallel=expert_parallel, executor=executor, utilization=0.9, kv_cache_bytes=None, max_model_len=256,
        max_num_seqs=1, block_size=128, kv_bytes_per_token=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "titles"),
    [
        ({"tensor": 2}, ["Worker_TP0", "Worker_TP1"]),
        ({"pipeline": 2}, ["Worker_PP0", "Worker_PP1"]),
        ({"pipeline": 2, "tensor": 2}, ["Worker_PP0_TP0", "Worker_PP0_TP1", "Worker_PP1_TP0", "Worker_PP1_TP1"]),
        ({"data": 2, "tensor": 2}, ["Worker_DP0_TP0", "Worker_DP0_TP1", "Worker_DP1_TP0", "Worker_DP1_TP1"]),
        ({"context": 2, "tensor": 2}, ["Worker_PCP0_TP0", "Worker_PCP0_TP1", "Worker_PCP1_TP0", "Worker_PCP1_TP1"]),
        (
            {"data": 2, "pipeline": 2, "expert_parallel": True},
            ["Worker_DP0_PP0_EP0", "Worker_DP0_PP1_EP0", "Worker_DP1_PP0_EP1", "Worker_DP1_PP1_EP1"],
        ),
        ({}, ["Worker"]),  # mp was asked for, for one NPU
        ({"executor": "uni"}, ["EngineCore"]),
        ({"executor": "uni", "data": 2}, ["EngineCore_DP0", "EngineCore_DP1"]),
    ],
)
def test_titles_name_the_ways_in_which_the_service_is_split(monkeypatch, sizes, titles):
    monkeypatch.delenv("VLLM_PROCESS_NAME_PREFIX", raising=False)
    ways = config(**sizes)
    assert [worker_title(ways, rank) for rank in range(ways.npus)] == [f"VLLM::{title}" for title in titles]


def test_the_prefix_of_titles_can_be_set(monkeypatch):
    monkeypatch.setenv("VLLM_PROCESS_NAME_PREFIX", "MINE")
    assert worker_title(config(tensor=2), 1) == "MINE::Worker_TP1"


@pytest.fixture
def start(tmp_path):
    """Start a worker on NPU 0 or 1; what is left of it is killed."""
    (tmp_path / "lib64" / "npusim").mkdir(parents=True)
    (tmp_path / "lib64" / "npusim" / "__init__.py").touch()
    (tmp_path / "lib64" / "npusim" / "device.py").write_text(DRIVER)
    (tmp_path / "dev").mkdir()
    for number in (0, 1):
        (tmp_path / "dev" / f"davinci{number}").touch()
    started = []

    def start(logic_id=0, **env):
        environ = {key: value for key, value in os.environ.items() if key != "SPT_NOENV"}
        more = [path for path in (os.environ.get("PYTHONPATH"), env.pop("PYTHONPATH", None)) if path]
        environ.update(
            PYTHONPATH=":".join([*reversed(more), str(STANDIN)]), NPUOPS_SERVICE="mine",
            NPUOPS_STANDIN_DRIVER_LIB=str(tmp_path / "lib64"), NPUOPS_STANDIN_DEVICE_DIR=str(tmp_path / "dev"), **env,
        )  # fmt: skip
        worker = subprocess.Popen(
            [sys.executable, "-m", "vllm_standin.worker"], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        started.append(worker)
        order = {"rank": 0, "logic_id": logic_id, "utilization": 0.9, "exact_mb": None, "title": "VLLM::Worker_TP0"}
        print(json.dumps(order), file=worker.stdin, flush=True)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.communicate()


def test_a_worker_takes_its_title_before_the_npu(start, tmp_path):
    module = (
        "from pathlib import Path\ndef setproctitle(title):\n    Path(__file__).with_name('title').write_text(title)"
    )
    (tmp_path / "setproctitle.py").write_text(module)
    worker = start(PYTHONPATH=str(tmp_path))
    assert json.loads(worker.stdout.readline())["claim"]["pid"] == worker.pid
    assert (tmp_path / "title").read_text() == "VLLM::Worker_TP0"


@pytest.mark.skipif(not importlib.util.find_spec("setproctitle"), reason="the package setproctitle is not installed")
def test_the_title_costs_the_environment_unless_spt_noenv(start):
    for env in ({}, {"SPT_NOENV": "1"}):
        worker = start(**env)
        assert "claim" in worker.stdout.readline()
        process = Path("/proc", str(worker.pid))
        assert (process / "comm").read_text() == "VLLM::Worker_TP\n"
        assert (process / "cmdline").read_bytes().rstrip(b"\0") == b"VLLM::Worker_TP0"
        assert (b"NPUOPS_SERVICE=mine\0" in (process / "environ").read_bytes()) == bool(env)


def test_a_worker_ends_in_order_when_its_parent_is_gone(start):
    worker = start()
    assert "claim" in worker.stdout.readline()
    time.sleep(0.2)
    assert worker.poll() is None
    worker.stdin.close()  # as the kernel does for a parent that was killed
    assert worker.stdout.readline() == "NPU closed\n"
    assert worker.wait(5) == 0
    worker.stdin = None


def test_a_worker_stuck_in_the_driver_outlives_its_parent_for_seconds_only(start):
    worker = start(logic_id=1)
    worker.stdin.close()
    assert worker.wait(10) == 1
    worker.stdin = None


def test_a_worker_nobody_gave_an_order():
    worker = subprocess.Popen(
        [sys.executable, "-m", "vllm_standin.worker"], env={**os.environ, "PYTHONPATH": str(STANDIN)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.communicate(timeout=10) == ("", "")
    assert worker.returncode == 1

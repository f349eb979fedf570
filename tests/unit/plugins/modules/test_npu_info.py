# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.npuops.ascend.plugins.modules import npu_info

CAPTURES = Path(__file__).parents[3] / "fixtures" / "corpus" / "captures"
B4 = "910B4__25_0_rc1_1__jekyll"


@pytest.fixture
def run_module(capsys, monkeypatch):
    """Run the module with the arguments given; answers what it printed. ``/dev`` shows no NPU."""
    monkeypatch.setattr(npu_info, "device_nodes", frozenset)

    def run(**arguments) -> dict:
        with patch_module_args(arguments), pytest.raises(SystemExit):
            npu_info.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def npu_smi(tmp_path):
    """Write an npu-smi which answers ``info ARGUMENTS`` with the texts given and notes each call."""

    def write(code: int = 0, sleep: float = 0, stderr: str = "", **answers) -> str:
        script = tmp_path / "npu-smi"
        cases = ""
        for key, text in answers.items():
            (tmp_path / key).write_text(text)
            cases += f'"{key.replace("_", " -")}") cat "{tmp_path / key}";;\n'
        script.write_text(
            f'#!/bin/sh\necho "$* LC_ALL=$LC_ALL" >> "{tmp_path}/calls"\nsleep {sleep}\necho "{stderr}" >&2\n'
            f'case "$*" in\n{cases}esac\nexit {code}\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    return write


def capture(name: str) -> str:
    return (CAPTURES / f"npu-smi__{name}.txt").read_text()


def calls(script: str) -> list:
    return Path(script).with_name("calls").read_text().splitlines()


def test_everything_in_two_commands(run_module, npu_smi):
    script = npu_smi(info=capture(f"info__{B4}"), info_m=capture(f"info_m__{B4}"))
    result = run_module(npu_smi=script)
    assert calls(script) == ["info -m LC_ALL=C", "info LC_ALL=C"]
    assert result["changed"] is False
    assert [chip["phy_id"] for chip in result["chips"]] == list(range(8))
    assert [chip["logic_id"] for chip in result["chips"]] == list(range(8))
    assert result["driver_version"] == "25.0.rc1.1"
    assert result["chips"][0]["hbm_mb"] == [2654, 32768]
    assert result["no_process_npus"] == list(range(8))
    assert len(result["mapping"]) == 16
    facts = result["ansible_facts"]["npu"]
    assert facts == {key: result[key] for key in facts}
    assert {"chips", "processes", "mapping", "npu_smi_version", "process_memory_unit", "warning"} < set(facts)
    assert "warnings" not in result


@pytest.mark.parametrize(
    ("gather", "ran", "keys"),
    [
        (["chips"], ["info LC_ALL=C"], {"chips", "npu_smi_version", "driver_version", "warning"}),
        (
            ["processes"],
            ["info LC_ALL=C"],
            {"processes", "process_memory_unit", "no_process_npus", "npu_smi_version", "driver_version", "warning"},
        ),
        (["mapping"], ["info -m LC_ALL=C"], {"mapping"}),
    ],
)
def test_only_what_is_asked_for(run_module, npu_smi, gather, ran, keys):
    script = npu_smi(info=capture(f"info__{B4}"), info_m=capture(f"info_m__{B4}"))
    result = run_module(npu_smi=script, gather=gather)
    assert calls(script) == ran
    assert set(result["ansible_facts"]["npu"]) == keys
    assert keys < set(result)


def test_check_mode_reads_as_well(run_module, npu_smi):
    script = npu_smi(info=capture(f"info__{B4}"), info_m=capture(f"info_m__{B4}"))
    assert run_module(npu_smi=script, _ansible_check_mode=True) == run_module(npu_smi=script)


def test_tool_missing(run_module, tmp_path):
    result = run_module(npu_smi=str(tmp_path / "none"))
    assert result["failed"] is True
    assert f"{tmp_path}/none info -m: cannot be run (No such file or directory)" in result["msg"]
    assert "Install the Ascend driver" in result["msg"]


def test_tool_not_executable(run_module, tmp_path):
    (tmp_path / "npu-smi").write_text("")
    assert "Permission denied" in run_module(npu_smi=str(tmp_path / "npu-smi"))["msg"]


def test_tool_hangs(run_module, npu_smi):
    script = npu_smi(sleep=30)
    result = run_module(npu_smi=script, timeout=0.3)
    assert "did not end within 0.3 s" in result["msg"]
    assert result["cmd"] == f"{script} info -m"


@pytest.mark.parametrize("timeout", [0, -1])
def test_timeout_must_be_positive(run_module, timeout):
    assert "timeout must be more than 0" in run_module(timeout=timeout)["msg"]


def test_driver_does_not_answer_with_exit_status_0(run_module, npu_smi):
    text = capture("error__dcmi_8005_container")
    result = run_module(npu_smi=npu_smi(info=text, info_m=text))
    assert result["failed"] is True
    assert "ret is -8005" in result["msg"] and "reboot" in result["msg"]
    assert (result["rc"], result["stdout"]) == (0, text)


def test_output_not_understood_shows_the_line(run_module, npu_smi):
    damaged = capture(f"info__{B4}").replace("2653 / 32768", "2653 % 32768")
    result = run_module(npu_smi=npu_smi(info=damaged), gather=["chips"])
    assert "2653 % 32768" in result["msg"]
    assert "chips" not in result


def test_nothing_printed_shows_stderr(run_module, npu_smi):
    result = run_module(npu_smi=npu_smi(code=127, stderr="libdrvdsmi_host.so: cannot open shared object file"))
    assert "exit status 127" in result["msg"] and "libdrvdsmi_host.so" in result["msg"]


def test_good_answer_with_exit_status_is_a_warning(run_module, npu_smi):
    text = capture(f"info__{B4}") + "[WARNING]The driver package may not be completely installed.\n"
    result = run_module(npu_smi=npu_smi(code=3, info=text), gather=["chips"])
    assert len(result["chips"]) == 8
    assert result["warning"] == "[WARNING]The driver package may not be completely installed."
    assert any("exit status 3" in str(warning) for warning in result["warnings"])
    assert any("not be completely installed" in str(warning) for warning in result["warnings"])


def test_found_in_path(run_module, npu_smi, monkeypatch):
    script = npu_smi(info=capture(f"info__{B4}"))
    monkeypatch.setenv("PATH", f"{Path(script).parent}:{os.environ['PATH']}")
    assert len(run_module(gather=["chips"])["chips"]) == 8


def test_any_capture_through_the_module(run_module, npu_smi, info_capture):
    result = run_module(npu_smi=npu_smi(info=info_capture.text), gather=["chips", "processes"])
    assert len(result["chips"]) == len(info_capture.expect["chips"])
    assert len(result["processes"]) == len(info_capture.expect.get("processes", []))

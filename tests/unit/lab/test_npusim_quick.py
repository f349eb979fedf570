# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A query that reads values straight from the state says what the model would say, and costs less."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from npusim import __main__ as npusim_cli
from npusim import cli_hccn_tool, faults, profiles, quick, state

LAB = Path(__file__).resolve().parents[2] / "lab"


@pytest.fixture(params=["atlas-800i-a2-64g", "atlas-800i-a3", "atlas-800-9000", "atlas-300i-duo-96g"])
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    if request.param == "atlas-300i-duo-96g":
        state.save(profiles.build(request.param))
    else:
        assert npusim_cli.main(["new", request.param, "--roce", "10.77.0.0/16"]) == 0
    return tmp_path


def everything(capfd: pytest.CaptureFixture) -> list[tuple]:
    told = []
    for name, verbs in cli_hccn_tool.COMMANDS.items():
        for phy in ("1", "7", "99") if "-g" in verbs else ():
            told.append((name, phy, cli_hccn_tool.main(["-i", phy, name, "-g"]), *capfd.readouterr()))
    return told


def unusual(_tool: str) -> None:
    raise quick.Unusual


@pytest.mark.parametrize("fault", [None, "link-down", "optics", "netdetect-unset", "driver", "mtu", "tls"])
def test_both_ways_give_the_same_answers(machine, capfd, monkeypatch, fault) -> None:
    monkeypatch.setattr(cli_hccn_tool.time, "time", lambda: 1_000_000_000)
    if fault and (fault == "driver" or state.load().chip_by_phy(1).roce is not None):
        faults.add(fault, phy=1)
    taken = []
    monkeypatch.setattr(cli_hccn_tool, "view", lambda tool: taken.append(quick.view(tool)) or taken[-1])
    short = everything(capfd)
    monkeypatch.setattr(cli_hccn_tool, "view", unusual)
    assert short == everything(capfd)
    assert taken


@pytest.mark.parametrize("fault", [{"kind": "absent", "npu": 3}, {"kind": "slow", "tool": "hccn_tool", "seconds": 0.1},
                                   {"kind": "busy", "tool": "hccn_tool"}])  # fmt: skip
def test_the_long_way_is_taken_where_a_call_does_more_than_read(machine: Path, fault: dict) -> None:
    if fault["kind"] == "absent":
        fault = {**fault, "npu": state.load().npus[0].npu_id}
    faults.add(**fault)
    with pytest.raises(quick.Unusual):
        quick.view("hccn_tool")


def test_a_state_of_another_version_takes_the_long_way(tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    npusim_cli.main(["new", "atlas-800i-a2-64g", "--roce", "10.77.0.0/16"])
    data = json.loads((tmp_path / "state.json").read_text("utf-8"))
    del data["npus"][1]["chips"][0]["roce"]["mtu"]
    (tmp_path / "state.json").write_text(json.dumps(data), "utf-8")
    assert cli_hccn_tool.main(["-i", "1", "-mtu", "-g"]) == 0
    assert capfd.readouterr().out == "mtu:1500\n"


def test_a_query_loads_little(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    npusim_cli.main(["new", "atlas-800i-a2-64g", "--roce", "10.77.0.0/16"])
    code = "\n".join([
        f"import sys; sys.path.insert(0, {str(LAB)!r})",
        "from npusim.cli_hccn_tool import main; main(sys.argv[1:])",
        "print(sorted({'dataclasses', 'typing', 'subprocess', 'inspect', 'ipaddress'} & set(sys.modules)))",
    ])  # fmt: skip
    for name in ("-link", "-ip", "-lldp", "-optical", "-tls", "-stat", "-vnic"):
        argv = [sys.executable, "-IS", "-c", code, "-i", "0", name, "-g"]
        assert subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.endswith("\n[]\n"), name

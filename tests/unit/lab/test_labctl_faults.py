# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of faults and the commands they become; the command line."""

from __future__ import annotations

import pytest

from lab import cli, cluster
from lab.common import LabError
from lab.faults import FAULTS


def test_values_are_completed_by_defaults():
    assert FAULTS["npu-alarm"].values([]) == ["0", "Alarm"]
    assert FAULTS["npu-alarm"].values(["3"]) == ["3", "Alarm"]
    assert FAULTS["npu-alarm"].usage == "[PHY=0] [HEALTH=Alarm]"


@pytest.mark.parametrize(
    ("fault", "given", "said"),
    [
        ("npu-alarm", ["x"], "PHY cannot be 'x': a number is needed"),
        ("npu-alarm", ["1", "Alarm", "2"], "too many values"),
        ("worker-lost", ["ray; reboot"], "NAME cannot be"),
        ("roce-down", ["1"], "this fault takes: none"),
    ],
)
def test_values_that_do_not_fit_are_refused(fault, given, said):
    with pytest.raises(LabError, match=said):
        FAULTS[fault].values(given)


@pytest.mark.parametrize(
    ("fault", "given", "make", "clear"),
    [
        ("npu-alarm", ["3"], "npusim fault add health --phy 3 --value Alarm", "npusim fault clear health --phy 3"),
        ("hbm-leak", ["2", "99"], "npusim fault add leak --phy 2 --mb 99", "npusim fault clear leak --phy 2"),
        ("npu-absent", ["7"], "npusim fault add absent --npu 7", "npusim fault clear absent --npu 7"),
        ("tool-busy", [], "npusim fault add busy --tool npu-smi --times 3", "npusim fault clear busy --tool npu-smi"),
        (
            "tool-busy",
            ["hccn_tool", "9", "4"],
            "npusim fault add busy --tool hccn_tool --times 9 --phy 4",
            "npusim fault clear busy --tool hccn_tool",
        ),
        ("tool-hang", ["4"], "npusim fault add hang --phy 4 --seconds 300", "npusim fault clear hang --phy 4"),
        ("packet-loss", ["4"], "npusim fault add loss --phy 4 --value 30", "npusim fault clear loss --phy 4"),
        (
            "swapped-cables",
            ["2", "5"],
            "npusim fault add swapped-cables --phy 2 --other 5 --value rails",
            "npusim fault clear swapped-cables --phy 2",
        ),
        (
            "duplicate-address",
            ["1"],
            "npusim fault add duplicate-address --phy 1",
            "npusim fault clear duplicate-address --phy 1",
        ),
        ("driver-version", [], "npusim fault add driver --value 25.0.rc1", "npusim fault clear driver"),
        ("no-hccn-conf", [], "npusim fault add no-hccn-conf", "npusim fault clear no-hccn-conf"),
        ("roce-down", [], "ip link set eth1 down", "ip link set eth1 up"),
    ],
)
def test_commands_on_the_node(fault, given, make, clear):
    values = FAULTS[fault].values(given)
    assert [" ".join(command) for command in FAULTS[fault].make(*values)] == [make]
    assert [" ".join(command) for command in FAULTS[fault].clear(*values)] == [clear]


def test_every_fault_can_be_made_and_cleared_with_its_defaults():
    for fault in FAULTS.values():
        values = fault.values([])
        for command in [*fault.make(*values), *fault.clear(*values)]:
            assert all(isinstance(word, str) and word for word in command)


def test_up_takes_what_make_passes():
    options = cli.parser().parse_args(["up", "--lab", "x", "--nodes", "4", "--profile", "atlas-800i-a3"])
    assert (options.lab, options.nodes, options.profile) == ("x", 4, "atlas-800i-a3")
    rest = cli.parser().parse_args(["ssh", "node1", "ls", "-l"])
    assert (rest.node, rest.words) == ("node1", ["ls", "-l"])


def test_the_environment_names_the_default_lab(monkeypatch):
    monkeypatch.setenv("NPUOPS_LAB", "other")
    assert cli.parser().parse_args(["down"]).lab == "other"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--nodes", "0"], "1 to 64 nodes, not 0"),
        (["up", "--profile", "atlas-9"], "no profile is named 'atlas-9'; there are: .*atlas-800i-a3"),
        (["up", "--lab", "log"], "cannot name a lab"),
        (["ssh", "node1", "--lab"], "not up"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(arguments, said, monkeypatch, capsys):
    monkeypatch.setenv("NPUOPS_LAB", "surely-not-there")
    monkeypatch.setattr(cluster, "docker", lambda *_args, **_options: pytest.fail("Docker was called"))
    assert cli.main(arguments) == 1
    import re

    assert re.search(said, capsys.readouterr().err)


def test_one_word_is_a_command_line_and_several_are_quoted():
    assert cluster.shell_join(["ls /dev/davinci*"]) == "ls /dev/davinci*"
    assert cluster.shell_join(["echo", "a b"]) == "echo 'a b'"

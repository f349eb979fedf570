# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``npu-smi info -t``: keys in the published order, values from the state."""

from __future__ import annotations

from pathlib import Path

import pytest

from npusim import cli_npu_smi, profiles, state
from npusim.model import Chip, Machine, Npu

CAPTURES = Path(__file__).resolve().parents[2] / "fixtures" / "corpus" / "captures"


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    """Call ``npu-smi info`` on a machine; returns (exit status, output)."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))

    def call(machine: Machine, *args: str) -> tuple[int, str]:
        state.save(machine)
        status = cli_npu_smi.main(["info", *args])
        return status, capfd.readouterr().out

    return call


def server(family: str, name: str, version: str, **chip) -> Machine:
    chips = [Chip(0, 0, 0, name, "0000:61:00.0", power_w=103.5, temp_c=39, **chip)]
    return Machine(family, version, version, [Npu(0, chips)], product="Atlas", firmware_version="7.1.0.7.220")


def keys(text: str) -> list[str]:
    return [line.split(" : ")[0].strip() for line in text.splitlines()]


# capture, chip, arguments, lines of the capture that belong to the MCU (the lab's servers have none to ask)
@pytest.mark.parametrize(
    ("capture", "machine", "args", "last"),
    [
        ("board__910A__23_0_5__1", server("910", "910A", "23.0.5", hbm_mb=(0, 32768)), "-i 0 -t board", None),
        ("board__910B__25_5_1__telegraf", server("910B", "910B3", "25.5.1", hbm_mb=(1, 65536)), "-t board -i 0", None),
        ("board_chip__910B3__23_0_7__1", server("910B", "910B3", "23.0.7", hbm_mb=(1, 2)), "-i 0 -c 0 -t board", None),
        ("usages__910A__23_0_5__1", server("910", "910A", "23.0.5", hbm_mb=(0, 31129)), "-i 0 -t usages", None),
        ("usages__910B__25_5_1__telegraf", server("910B", "910B3", "25.5.1", hbm_mb=(1, 2)), "-t usages -i 0", None),
        (
            "usages_chip__910B3__23_0_7__1",
            server("910B", "910B3", "23.0.7", hbm_mb=(1, 2)),
            "-i 0 -c 0 -t usages",
            None,
        ),
        ("health__910A__25_0_rc1_b002__1", server("910", "910A", "25.0.rc1"), "-i 0 -c 0 -t health", None),
        ("health__950__doc", server("950", "Ascend950PR", "25.7.rc1"), "-t health -i 0", None),
        ("temp__910B__25_5_1__telegraf", server("910B", "910B3", "25.5.1", hbm_mb=(1, 2)), "-t temp -i 0", 5),
        ("temp__950__doc", server("950", "Ascend950PR", "25.7.rc1"), "-t temp -i 0", None),
        ("power__910B__25_5_1__telegraf", server("910B", "910B3", "25.5.1", hbm_mb=(1, 2)), "-t power -i 0", None),
        ("power__950__doc", server("950", "Ascend950PR", "25.7.rc1"), "-t power -i 0", None),
        ("memory_chip__910B3__skills", server("910B", "910B3", "25.5.1", hbm_mb=(1, 2)), "-t memory -i 0 -c 0", None),
        ("common__910B__gpustack", server("910", "910A", "25.5.1", hbm_mb=(1, 2)), "-t common -i 0", 12),
    ],
)
def test_keys_are_the_published_ones(ask, capture: str, machine: Machine, args: str, last: int | None) -> None:
    want = (CAPTURES / f"npu-smi__{capture}.txt").read_text("utf-8").splitlines()[:last]
    status, text = ask(machine, *args.split())
    assert status == 0
    assert keys(text) == keys("\n".join(want))
    assert all(line == "" or (line.startswith("\t") and line.index(" : ") == 31) for line in text.splitlines())


def test_both_chips_of_a_card(ask) -> None:
    machine = profiles.build("atlas-300i-duo-96g")
    want = (CAPTURES / "npu-smi__usages__310P_300IDuo__gpustack.txt").read_text("utf-8").splitlines()
    text = ask(machine, "-t", "usages", "-i", "1536")[1]
    assert keys(text) == keys("\n".join(want))
    got = [line.strip() for line in text.splitlines()]
    assert [line for line in got if "DDR Capacity" in line or "Chip ID" in line or "DDR Usage" in line] == [
        line for line in want if "DDR Capacity" in line or "Chip ID" in line or "DDR Usage" in line
    ]
    memory = (CAPTURES / "npu-smi__memory__300IDuo__25_5_1__datakit.txt").read_text("utf-8")
    got_memory = ask(machine, "-t", "memory", "-i", "1536")[1]
    assert got_memory.replace("\t", "") == memory.replace("2944", "1536").replace("44278", "44280")
    product = (CAPTURES / "npu-smi__product__300IDuo__25_5_1__datakit.txt").read_text("utf-8")
    assert ask(machine, "-t", "product", "-i", "1536")[1].replace("\t", "") == product.replace("2944", "1536")


def test_values_come_from_the_state(ask) -> None:
    machine = profiles.build("atlas-800i-a2-64g")
    chip = machine.npus[4].chips[0]
    chip.health, chip.temp_c, chip.hbm_mb, chip.aicore_pct = "Alarm", 81, (61604, 65536), 46
    chip.error_codes = ["A4025021", "8C03A000"]
    assert "\tHealth                         : Alarm\n" in ask(machine, "-t", "health", "-i", "4")[1]
    health = ask(machine, "-t", "health", "-i", "4", "-c", "0")[1]
    assert health.splitlines()[:2] == [
        "\tHealth Status                  : Alarm",
        "\tError Code                     : A4025021 8C03A000",
    ]
    assert "\tNPU Temperature (C)            : 81\n" in ask(machine, "-t", "temp", "-i", "4")[1]
    usages = ask(machine, "-t", "usages", "-i", "4")[1]
    assert "\tHBM Usage Rate(%)              : 94\n" in usages
    assert "\tAicore Usage Rate(%)           : 46\n" in usages
    assert (
        "\tNo process in device.\n\tChip ID                        : 0\n"
        in ask(machine, "-t", "proc-mem", "-i", "4")[1]
    )
    assert (
        "\tSerial Number                  : " + machine.npus[4].serial_number
        in ask(machine, "-t", "board", "-i", "4")[1]
    )


def test_topology_of_an_eight_chip_server(ask) -> None:
    want = (CAPTURES / "npu-smi__topo__910B__24_1__yuanrong.txt").read_text("utf-8")
    assert ask(profiles.build("atlas-800i-a2-32g"), "-t", "topo") == (0, want)
    # the other published machine has its chips in the other order; its publisher corrected a spelling
    other = (CAPTURES / "npu-smi__topo__910B3__24_1_rc1_b030__msswift.txt").read_text("utf-8")
    assert ask(profiles.build("atlas-800i-a2-64g"), "-t", "topo")[1] == other.replace("multiple ", "multipul ")


def test_topology_elsewhere(ask) -> None:
    want = (CAPTURES / "npu-smi__topo__error__not_supported.txt").read_text("utf-8")
    assert ask(profiles.build("atlas-300i-duo-96g"), "-t", "topo") == (0, want)
    lines = ask(profiles.build("atlas-800i-a3"), "-t", "topo")[1].splitlines()
    assert lines[2].split()[:5] == ["Phy-ID1", "SIO", "X", "HCCS_SW", "HCCS_SW"]


@pytest.mark.parametrize(
    ("args", "status", "first"),
    [
        ("-t sensors -i 0", 0, "This device does not support querying sensors."),
        ("-t board -i 9", 215, "Error parameter of -i"),
        ("-t usages -i 0 -c 1", 215, "Error parameter of -c"),
        ("-t", 215, "Error parameter of -t"),
        ("-t board -x 1", 215, "Error parameter of -x"),
        ("-i 0", 215, "Error parameter of -t"),
    ],
)
def test_refusals(ask, args: str, status: int, first: str) -> None:
    got, text = ask(profiles.build("atlas-800i-a2-64g"), *args.split())
    assert (got, text.splitlines()[0]) == (status, first)


def test_a_missing_npu_id_is_asked_for(ask) -> None:
    status, text = ask(profiles.build("atlas-800i-a2-64g"), "-t", "board")
    assert status == 215
    assert text.startswith("\nThis command must input card id.\n\nUsage: npu-smi info ")


def test_dies_of_a_super_pod_tell_who_they_are(ask) -> None:
    """print_npu_spod_info of the published driver; the SDID is that of IP_CONVERT_SDID."""
    status, text = ask(profiles.build("atlas-800i-a3", node=1), "-t", "spod-info", "-i", "1", "-c", "1")
    assert status == 0
    assert keys(text) == ["SDID", "Super Pod Size", "Super Pod ID", "Server Index"]
    assert [line.split(" : ")[1] for line in text.splitlines()] == ["4521987", "384", "0", "1"]
    status, text = ask(profiles.build("atlas-800i-a2-64g"), "-t", "spod-info", "-i", "1", "-c", "0")
    assert text == "This device does not support querying spod-info.\n"

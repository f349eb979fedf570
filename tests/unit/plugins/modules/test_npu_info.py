# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_gather import SUBSETS
from ansible_collections.npuops.ascend.plugins.modules import npu_info

CAPTURES = Path(__file__).parents[3] / "fixtures" / "corpus" / "captures"
B4 = "910B4__25_0_rc1_1__jekyll"


@pytest.fixture
def run_module(call_module, monkeypatch):
    """Run the module with the arguments given; answers what it printed. ``/dev`` shows no NPU."""
    monkeypatch.setattr(npu_info, "device_nodes", frozenset)

    def run(**arguments) -> dict:
        return call_module(npu_info, **arguments)

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


BOARD = "\tNPU ID : {}\n\tFirmware Version : {}\n\tSoftware Version : 25.0\n\tModel : NA\n\tChip Count : {}\n"
HEALTH = "\tHealth Status : {}\n\tError Code : {}\n\tError Information : NA\n"
NOT = "This device does not support querying {}.\n"
TOPO = "topo__910B__24_1__yuanrong"
MAPPING = """\
\tNPU ID                         Chip ID                        Chip Logic ID                  Chip Name
\t5                              0                              0                              Ascend 910B3
\t5                              1                              1                              Ascend 910B3
\t5                              2                              -                              Mcu
\t9                              0                              2                              Ascend 910B3
"""


def machine(**other) -> dict:
    """Answers of two NPUs of two chips and one, ids 5 and 9."""
    answers = {
        "info_m": MAPPING,
        "info_t template-info": capture("template-info__910B4_32G__24_1"),
        "info_t topo": capture(TOPO),
        "info_t board_i 5": BOARD.format(5, "7.1", 2),
        "info_t board_i 9": BOARD.format(9, "7.1", 1),
    }
    for ids in ("i 5_c 0", "i 5_c 1", "i 9_c 0"):
        answers[f"info_t health_{ids}"] = HEALTH.format("OK", "NA")
        answers[f"info_t info-vnpu_{ids}"] = capture("info-vnpu__910B4__24_1__empty")
    return {**answers, **other}


def commands(script: str) -> list:
    return sorted(line.replace(" LC_ALL=C", "") for line in calls(script))


@pytest.mark.parametrize(
    ("gather", "ran", "keys"),
    [
        (["templates"], ["info -t template-info"], {"templates"}),
        (["topology"], ["info -t topo"], {"topology"}),
        (["boards"], ["info -m", "info -t board -i 5", "info -t board -i 9"], {"boards"}),
        (["firmware"], ["info -m", "info -t board -i 5", "info -t board -i 9"], {"firmware", "firmware_version"}),
        (
            ["boards", "firmware", "mapping"],
            ["info -m", "info -t board -i 5", "info -t board -i 9"],
            {"boards", "firmware", "firmware_version", "mapping"},
        ),
        (
            ["health"],
            ["info -m", "info -t health -i 5 -c 0", "info -t health -i 5 -c 1", "info -t health -i 9 -c 0"],
            {"health"},
        ),
        (
            ["vnpus", "templates"],
            [
                "info -m",
                "info -t info-vnpu -i 5 -c 0",
                "info -t info-vnpu -i 5 -c 1",
                "info -t info-vnpu -i 9 -c 0",
                "info -t template-info",
            ],
            {"vnpus", "templates"},
        ),
    ],
)
def test_fewest_commands(run_module, npu_smi, gather, ran, keys):
    script = npu_smi(**machine())
    result = run_module(npu_smi=script, gather=gather)
    assert commands(script) == ran
    assert set(result["ansible_facts"]["npu"]) == {*keys, "not_supported"}
    assert result["not_supported"] == []


def test_chips_make_the_mapping_unnecessary(run_module, npu_smi):
    boards = {f"info_t board_i {npu}": BOARD.format(npu, "7.1", 1) for npu in range(8)}
    script = npu_smi(info=capture(f"info__{B4}"), **boards)
    assert len(run_module(npu_smi=script, gather=["chips", "boards"])["boards"]) == 8
    assert commands(script) == ["info", *(f"info -t board -i {npu}" for npu in range(8))]


def test_everything_at_once(run_module, npu_smi):
    info = capture(f"info__{B4}")
    answers = {"info": info, "info_m": capture(f"info_m__{B4}"), "info_t topo": capture(TOPO)}
    answers["info_t template-info"] = capture("template-info__910B4_32G__24_1")
    for npu in range(8):
        answers[f"info_t board_i {npu}"] = BOARD.format(npu, "7.1", 1)
        answers[f"info_t health_i {npu}_c 0"] = HEALTH.format("Alarm" if npu == 3 else "OK", "A1 B2")
        answers[f"info_t info-vnpu_i {npu}_c 0"] = capture("info-vnpu__910B4__24_1__one_in_use")
    script = npu_smi(**answers)
    result = run_module(npu_smi=script, gather=npu_info_choices())
    assert len(calls(script)) == 4 + 3 * 8
    assert [row["npu_id"] for row in result["health"] if row["health"] != "OK"] == [3]
    assert result["health"][3]["error_codes"] == ["A1", "B2"]
    assert [row["phy_id"] for row in result["vnpus"]] == list(range(8))
    assert result["vnpus"][0] == {
        "npu_id": 0,
        "chip_id": 0,
        "phy_id": 0,
        "supported": True,
        "resources": {
            "aicore": [0, 20], "memory_gb": [0, 32], "aicpu": [1, 7], "vpc": [1, 9], "venc": [0, 0],
            "vdec": [0, 2], "jpegd": [0, 24], "jpege": [0, 4], "pngd": [None, None],
        },
        "total": 2,
        "vnpus": [
            {"vnpu_id": 100, "vgroup_id": 0, "container_id": "f" * 12, "status": 1, "in_use": True,
             "template": "vir10_3c_16g"},
            {"vnpu_id": 101, "vgroup_id": 1, "container_id": "0" * 12, "status": 0, "in_use": False,
             "template": "vir10_3c_16g"},
        ],
    }  # fmt: skip
    assert [template["name"] for template in result["templates"]][0] == "vir10_3c_16g"
    assert result["topology"]["links"]["NPU0"]["NPU7"] == "HCCS"
    assert result["boards"][7]["npu_id"] == 7
    assert result["firmware_version"] == "7.1"


def npu_info_choices() -> list:
    return yaml.safe_load(npu_info.DOCUMENTATION)["options"]["gather"]["choices"]


def test_subsets_are_those_of_the_code():
    assert tuple(npu_info_choices()) == SUBSETS


def test_returned_keys_are_documented(run_module, npu_smi):
    documented = yaml.safe_load(npu_info.RETURN)
    result = run_module(npu_smi=npu_smi(**machine()), gather=sorted(set(SUBSETS) - {"chips", "processes"}))
    assert set(result["ansible_facts"]["npu"]) < set(documented)
    for key in ("boards", "firmware", "health", "vnpus", "templates"):
        assert set(result[key][0]) <= set(documented[key]["contains"]), key
    assert set(result["topology"]) == set(documented["topology"]["contains"])


def test_board_values(run_module, npu_smi):
    found = run_module(npu_smi=npu_smi(**machine()), gather=["boards"])["boards"]
    assert [(board["npu_id"], board["chip_count"]) for board in found] == [(5, 2), (9, 1)]
    assert (found[0]["model"], found[0]["firmware_version"], found[0]["serial_number"]) == (None, "7.1", None)


def test_firmware_that_differs(run_module, npu_smi):
    script = npu_smi(**machine(**{"info_t board_i 9": BOARD.format(9, "7.0", 1)}))
    result = run_module(npu_smi=script, gather=["firmware"])
    assert result["firmware_version"] is None
    assert [(board["npu_id"], board["firmware_version"]) for board in result["firmware"]] == [(5, "7.1"), (9, "7.0")]
    assert "boards" not in result


def test_what_the_product_does_not_support_is_no_failure(run_module, npu_smi):
    answers = {key: NOT.format(key.split()[1].split("_")[0]) for key in machine() if key != "info_m"}
    result = run_module(
        npu_smi=npu_smi(**machine(**answers)), gather=["firmware", "health", "vnpus", "templates", "topology"]
    )
    assert "failed" not in result
    assert [(row["subset"], row["npu_id"], row["chip_id"]) for row in result["not_supported"]] == [
        ("templates", None, None),
        ("topology", None, None),
        ("firmware", 5, None),
        ("health", 5, 0),
        ("vnpus", 5, 0),
        ("health", 5, 1),
        ("vnpus", 5, 1),
        ("firmware", 9, None),
        ("health", 9, 0),
        ("vnpus", 9, 0),
    ]
    assert result["not_supported"][0]["answer"] == "This device does not support querying template-info."
    assert (result["templates"], result["topology"], result["health"], result["firmware"]) == ([], None, [], [])
    assert [(row["npu_id"], row["supported"], row["total"], row["vnpus"]) for row in result["vnpus"]] == [
        (5, False, None, []),
        (5, False, None, []),
        (9, False, None, []),
    ]


def test_fault_of_one_npu_fails_and_names_the_command(run_module, npu_smi):
    broken = {"info_t health_i 9_c 0": "dcmi module initialize failed. ret is -8005\n"}
    result = run_module(npu_smi=npu_smi(**machine(**broken)), gather=["health"])
    assert result["failed"] is True
    assert "info -t health -i 9 -c 0" in result["cmd"] and "-8005" in result["msg"]


def test_vnpus_not_understood_shows_the_line(run_module, npu_smi):
    damaged = capture("info-vnpu__910B4__24_1__empty").replace("28/32", "28;32")
    result = run_module(npu_smi=npu_smi(**machine(**{"info_t info-vnpu_i 9_c 0": damaged})), gather=["vnpus"])
    assert "28;32" in result["msg"] and "info-vnpu -i 9 -c 0" in result["cmd"]
    assert "vnpus" not in result


def test_ascend_950_takes_no_chip_id(run_module, npu_smi):
    # As wide as the tool prints it, hence the exception below.
    mapping = """\
\tNPU ID                         Slot ID                        Chip ID                        Chip Phy-ID                    Chip Name
\t3                              3                              0                              1                              Ascend950PR
"""  # noqa: E501
    script = npu_smi(info_m=mapping, **{"info_t health_i 3": capture("health__950__doc")})
    assert run_module(npu_smi=script, gather=["health"])["health"] == [
        {"npu_id": 3, "chip_id": None, "phy_id": 1, "health": "OK", "error_codes": [], "error_information": []}
    ]


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


def test_what_a_container_sees_is_no_fact_of_the_node(run_module, tmp_path, monkeypatch):
    text = capture("info__310P3__22_0_4__in_vnpu_container")
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$*" = "exec npuops-embed npu-smi info" ] && cat <<EOF\n{text}\nEOF\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    result = run_module(gather=["chips"], container="npuops-embed")
    assert [chip["name"] for chip in result["chips"]] == ["310Pvir01"]
    assert "ansible_facts" not in result

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi import NpuSmi, ParseError, VendorError, parse_set


def test_every_capture(set_capture):
    found = parse_set(set_capture.text)
    assert found.to_dict() == {"ok": True, **set_capture.expect}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("create vnpu failed.\n", "create vnpu failed."),
        ("destroy vnpu 100 failed.\n", "destroy vnpu 100 failed."),
        (
            "The vnpu is not in docker mode, does not support setting create-vnpu.\n",
            "The vnpu is not in docker mode, does not support setting create-vnpu.",
        ),
        ("dcmi module initialize failed. ret is -8005\n", "dcmi module initialize failed. ret is -8005"),
        (
            "[INFO lib] up\nInsufficient number of DVPP available, unallocated DVPP number:\nVPC:1, VENC:0\n",
            "Insufficient number of DVPP available, unallocated DVPP number: VPC:1, VENC:0",
        ),
        (
            "Error parameter of -v.\nUsage: npu-smi set -t destroy-vnpu [Options...]\n\n  -i %d  Card ID\n",
            "Error parameter of -v.",
        ),
        ("Usage: npu-smi set -t create-vnpu\n", "Usage: npu-smi set -t create-vnpu"),
    ],
)
def test_refusals_have_no_status(text, message):
    found = parse_set(text)
    assert (found.ok, found.status, found.message) == (False, None, message)


def test_status_fail():
    found = parse_set("\tStatus   : Fail\n\tMessage  : The vNPU(s) in another mode already exist.\n")
    assert (found.ok, found.status) == (False, "Fail")
    assert found.message == "The vNPU(s) in another mode already exist."


@pytest.mark.parametrize("order", [("OK", "Fail"), ("Fail", "OK")])
def test_one_failure_among_several(order):
    assert not parse_set("".join(f"Status : {status}\nMessage : one\n" for status in order)).ok


def test_word_status_in_a_sentence_is_no_status():
    assert not parse_set("Failed to get Status: OK is not known\n").ok


def test_nothing_said():
    with pytest.raises(ParseError, match="said nothing"):
        parse_set(" \n")


@given(st.text().filter(lambda text: "OK" not in text and text.strip()))
def test_nothing_but_ok_is_success(text):
    assert not parse_set(text).ok


@pytest.fixture
def tool(tmp_path):
    def write(body: str) -> NpuSmi:
        script = tmp_path / "npu-smi"
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        return NpuSmi(str(script), 10)

    return write


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (lambda smi: smi.create_vnpu(6, 0, "vir10_3c_32g"), "create-vnpu -i 6 -c 0 -f vir10_3c_32g"),
        (lambda smi: smi.create_vnpu(5, 1, "vir01", 213, 0), "create-vnpu -i 5 -c 1 -f vir01 -v 213 -g 0"),
        (lambda smi: smi.destroy_vnpu(6, 0, 196), "destroy-vnpu -i 6 -c 0 -v 196"),
        (lambda smi: smi.set_vnpu_mode(docker=True), "vnpu-mode -d 0"),
        (lambda smi: smi.set_vnpu_mode(docker=False), "vnpu-mode -d 1"),
        (lambda smi: smi.set_cfg_recover(True), "vnpu-cfg-recover -d 1"),
        (lambda smi: smi.set_cfg_recover(False), "vnpu-cfg-recover -d 0"),
    ],
)
def test_commands(tool, call, arguments):
    result = call(tool('echo "Status : OK"; echo "Message : $*"'))
    assert (result.ok, result.message) == (True, f"set -t {arguments}")
    assert result.command.argv[1:] == tuple(["set", "-t", *arguments.split()])


def test_queries(tool):
    echo = 'echo "vnpu-mode : docker"; echo "VNPU config recover mode : Disable"'
    smi = tool(echo)
    assert (smi.vnpu_mode(), smi.cfg_recover()) == ("docker", False)
    for call, shown in (
        (smi.templates, "template-info"),
        (lambda: smi.templates(4), "template-info -i 4"),
        (lambda: smi.vnpus(4, 1), "info-vnpu -i 4 -c 1"),
    ):
        with pytest.raises(ParseError) as error:
            call()
        assert error.value.command.shown == f"{smi.path} info -t {shown}"


@pytest.mark.parametrize("code", [0, 217])
def test_text_decides_not_the_exit_status(tool, code):
    assert tool(f'echo "Status : OK"; exit {code}').destroy_vnpu(0, 0, 100).ok
    refused = tool(f'echo "create vnpu failed."; exit {code}').create_vnpu(0, 0, "vir01")
    assert (refused.ok, refused.message, refused.command.rc) == (False, "create vnpu failed.", code)


def test_silence_is_no_success(tool):
    result = tool("echo oops >&2; exit 3").create_vnpu(0, 0, "vir01")
    assert not result.ok
    assert "exit status 3" in result.message and "oops" in result.message


def test_tool_cannot_be_run(tmp_path):
    with pytest.raises(VendorError, match="cannot be run"):
        NpuSmi(str(tmp_path / "none")).destroy_vnpu(0, 0, 100)

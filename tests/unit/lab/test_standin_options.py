# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's command line against the option lists of the real releases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vllm_standin import options, values

IMAGE = Path(__file__).resolve().parents[2] / "lab" / "images" / "vllm-ascend"
STANDIN = IMAGE / "rootfs" / "opt" / "standin"

RELEASES = ("0.11.0", "0.23.0")
VALID = {
    "int": "8",
    "float": "0.5",
    "bool": "1",
    "loads": '["a"]',
    "_parse_type": '{"image": 1}',
    "parse_dataclass": '{"a": 1}',
    "union_dict_and_str": '{"a": 1}',
    "human_readable_int": "1k",
    "human_readable_int_or_auto": "auto",
}
# Kinds of text every option of a type must refuse.
INVALID = {"int": "eight", "float": "half", "loads": "{", "_parse_type": "{", "parse_dataclass": "{",
           "human_readable_int": "1.5K", "human_readable_int_or_auto": "1.5K"}  # fmt: skip


def listed(release):
    return json.loads((STANDIN / "cli" / f"serve-{release}.json").read_text(encoding="utf-8"))["options"]


def settable(release):
    """Options with a value of their own; --config and --model are rewritten before parsing and tested apart."""
    for option in listed(release):
        if option["flags"][0].startswith("-") and option["dest"] not in ("help", "config", "model"):
            yield option


@pytest.fixture(scope="module")
def serve():
    parsers = {
        release: options.build_parser(STANDIN / "cli" / f"serve-{release}.json", release) for release in RELEASES
    }

    def parse(release, *words, model=("/models/m",)):
        return options.parse(parsers[release], ["serve", *model, *words], release)

    return parse


def refused(capsys, parse, *words):
    """The message of a refusal; argparse's exit code is part of the contract."""
    with pytest.raises(SystemExit) as end:
        parse(*words)
    assert end.value.code == 2
    return capsys.readouterr().err


def valid_value(option):
    if option["choices"]:
        return option["choices"][0]
    if option["kind"] == "LoRAParserAction":
        return "adapter=/models/lora"
    if option["type"] == "_optional_type":
        return '{"a": 1}' if values.OPTIONAL_INNER.get(option["dest"]) == "json" else "8"
    return VALID.get(option["type"], "text")


def words_for(option, flag):
    return [flag] if option["nargs"] == 0 else [flag, valid_value(option)]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("spelling", [0, -1])
def test_every_listed_spelling_is_accepted(serve, release, spelling):
    every = list(settable(release))
    words = [word for option in every for word in words_for(option, option["flags"][spelling])]
    found = vars(serve(release, *words))
    for option in every:
        value, flag = found[option["dest"]], option["flags"][spelling]
        if option["nargs"] == 0:
            assert value is not flag.startswith("--no-"), flag
        else:
            assert value is not None or valid_value(option) == "None", flag


@pytest.mark.parametrize("release", RELEASES)
def test_no_abbreviation_is_accepted(serve, capsys, release):
    spellings = {flag for option in listed(release) for flag in option["flags"]}
    short = {flag[:-1]: option for option in settable(release) for flag in option["flags"] if flag.startswith("--")}
    words = {flag: words_for(option, flag) for flag, option in short.items() if flag not in spellings}
    message = refused(capsys, serve, release, *(word for form in words.values() for word in form))
    assert "vllm: error: unrecognized arguments: " in message
    unknown = message.split("unrecognized arguments: ")[1].split()
    assert [flag for flag in words if flag not in unknown] == []


@pytest.mark.parametrize("release", RELEASES)
def test_malformed_values_are_refused(serve, capsys, release):
    for option in settable(release):
        flag = max(option["flags"], key=len)
        if option["choices"]:
            message = refused(capsys, serve, release, flag, "no-such-choice")
        elif option["type"] in INVALID:
            message = refused(capsys, serve, release, flag, INVALID[option["type"]])
        elif option["nargs"] is None:
            message = refused(capsys, serve, release, flag)
            assert "expected one argument" in message
        else:
            continue
        assert f"vllm serve: error: argument {'/'.join(option['flags'])}: " in message


def test_model_as_an_option(serve, capsys):
    assert serve("0.23.0", "--model", "/models/other", "--port", "9", model=()).model == "/models/other"
    assert serve("0.11.0", "--port", "9", "--model=/models/other", model=()).model == "/models/other"
    assert "unrecognized arguments: /models/m" in refused(capsys, serve, "0.23.0", "--model", "/models/other")


def test_release_lists_differ_where_the_releases_do(serve, capsys):
    assert serve("0.11.0", "--swap-space", "8").swap_space == 8
    assert "unrecognized arguments: --swap-space 8" in refused(capsys, serve, "0.23.0", "--swap-space", "8")
    assert serve("0.23.0", "--max-model-len", "auto").max_model_len == -1
    assert "--max-model-len" in refused(capsys, serve, "0.11.0", "--max-model-len", "auto")


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("words", "dest", "value"),
    [
        (["--tensor_parallel_size=8"], "tensor_parallel_size", 8),
        (["-tp", "8"], "tensor_parallel_size", 8),
        (["--max-model-len", "4K"], "max_model_len", 4096),
        (["--max-model-len", "2.5k"], "max_model_len", 2500),
        (["--additional-config", '{"weight_nz_mode": 0}'], "additional_config", {"weight_nz_mode": 0}),
        (["--additional_config.scheduler_config.enabled", "true", "--additional-config.list+", "a,b",
          "--additional-config.list+=c"], "additional_config",
         {"scheduler_config": {"enabled": True}, "list": ["a", "b", "c"]}),
        (["--kv-transfer-config.kv_port", "28k"], "kv_transfer_config", {"kv_port": 28000}),
        (["--speculative-config", "None"], "speculative_config", None),
        (["--served-model-name", "a", "b"], "served_model_name", ["a", "b"]),
        (["--lora-modules", "x=/x", '{"name": "y", "path": "/y"}'], "lora_modules",
         [{"name": "x", "path": "/x"}, {"name": "y", "path": "/y"}]),
        (["--middleware", "a", "--middleware", "b"], "middleware", ["a", "b"]),
        (["--no-enable-prefix-caching"], "enable_prefix_caching", False),
    ],
)  # fmt: skip
def test_forms_vllm_reads(serve, release, words, dest, value):
    found = serve(release, *words)
    assert getattr(found, dest) == value
    assert found.model == "/models/m"


def test_optimization_level_moved(serve):
    assert serve("0.11.0", "-O3").compilation_config == {"level": 3}
    assert serve("0.23.0", "-O3").optimization_level == "3"
    assert serve("0.23.0", "-O=1").optimization_level == "1"


def test_config_file_gives_way_to_the_command_line(serve, tmp_path):
    pytest.importorskip("yaml")
    file = tmp_path / "serve.yaml"
    file.write_text("port: 9000\ntensor-parallel-size: 4\nenforce-eager: true\nadditional-config: {a: 1}\n")
    found = serve("0.23.0", "--config", str(file), "--port", "9001")
    assert (found.port, found.tensor_parallel_size, found.enforce_eager) == (9001, 4, True)
    assert found.additional_config == {"a": 1}
    assert found.given.keys() >= {"port", "tensor_parallel_size", "enforce_eager"}


@pytest.mark.parametrize("words", [["--model"], ["--additional-config.a"], ["--config"], ["--lora-modules", "{"]])
def test_incomplete_forms_are_refused(serve, capsys, words):
    assert "error:" in refused(capsys, serve, "0.23.0", *words)


def test_other_subcommands_say_what_there_is():
    with pytest.raises(SystemExit, match="`vllm serve` and `vllm --version` only"):
        options.not_here("bench")

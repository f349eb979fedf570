# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of a model directory say of its size: shapes from config.json, bytes from the weights' headers.

Only headers are read, never weights. A safetensors file is 8 bytes with the length of its header (little endian), the
header (JSON: tensor name → dtype, shape, data_offsets) and the data; a file that ends before the last offset is cut
short. The bytes that are there count, not the index's C(total_size): conversions often leave an index of the original
behind, or write one without a size.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import fnmatch
import json
import os
import struct

from ._sizing import CONFIG_KEYS, TEXT_KEYS, text_config

CONFIG = "config.json"
INDEX = ".index.json"
# ModelSlim writes it beside the weights; older releases put the kind of quantization into the name.
DESCRIPTION = "quant_model_description*.json"
# As the safetensors library has it: a longer header is damage.
_LONGEST_HEADER = 100_000_000
_LONGEST_JSON = 256_000_000


class ModelError(Exception):
    """A file that cannot be used: C(problem) says which and why, C(remedy) what to do."""

    def __init__(self, problem, remedy):
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def read_model(path):
    """Read what sizing needs of a model directory.

    :returns: {"config", "weights_bytes", "weights_from", "quantization", "quant_model_description", "notes"}, see the
        return values of M(npuops.ascend.model_info).
    :raises ModelError: when the directory or a file that is needed is missing, unreadable or broken.
    """
    if not os.path.isabs(path):
        raise ModelError(f"{path} is not an absolute path", "give the directory of the weights on the node")
    try:
        names = sorted(os.listdir(path))
    except OSError as exc:
        words = {"FileNotFoundError": "is not there", "NotADirectoryError": "is not a directory"}
        said = words.get(type(exc).__name__, f"cannot be read ({exc.strerror})")
        raise ModelError(f"{path} {said}", "put the model there, or correct the path") from exc
    if CONFIG not in names:
        raise ModelError(f"{path} has no {CONFIG}", "copy the whole model directory")
    config = _sizing_part(_json(os.path.join(path, CONFIG)))
    weights, source, notes = _weights(path, names)
    description = next((name for name in names if fnmatch.fnmatch(name, DESCRIPTION)), None)
    kind = _json(os.path.join(path, description)).get("model_quant_type") if description else None
    return {
        "config": config,
        "weights_bytes": weights,
        "weights_from": source,
        "quantization": kind or _method(config),
        "quant_model_description": bool(description),
        "notes": notes,
    }


def _json(path):
    """A JSON file whose top is a mapping."""
    broken = "it is damaged or half copied: copy it again"
    try:
        if os.path.getsize(path) > _LONGEST_JSON:
            raise ModelError(f"{path} is larger than {_LONGEST_JSON // 1000000} MB", broken)
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    # A text that is no UTF-8 and one that is no JSON are both ValueErrors; one nested without end is the last.
    except (ValueError, RecursionError) as exc:
        raise ModelError(f"{path} is not JSON ({exc})", broken) from exc
    if not isinstance(found, dict):
        raise ModelError(f"{path} is {type(found).__name__} where a mapping is expected", broken)
    return found


def _unreadable(path, exc):
    if isinstance(exc, FileNotFoundError):
        return ModelError(f"{path} is missing", "copy the whole model directory")
    return ModelError(f"{path} cannot be read ({exc.strerror})", "correct its mode and owner, or copy it again")


def _sizing_part(config):
    """The keys that sizing looks at, at the top and in the part of the language model."""
    found = {key: config[key] for key in CONFIG_KEYS if key in config}
    for key in TEXT_KEYS:
        if isinstance(config.get(key), dict):
            found[key] = _sizing_part(config[key])
    if isinstance(found.get("quantization_config"), dict):
        # Beside the method it may list thousands of layers.
        found["quantization_config"] = {"quant_method": found["quantization_config"].get("quant_method")}
    return found


def _method(config):
    """The method of quantization that config.json names, here or in the language model's part."""
    found = text_config(config).get("quantization_config") or config.get("quantization_config")
    return found.get("quant_method") if isinstance(found, dict) else None


def _weights(path, names):
    """(bytes, from what, notes) of the weights that an engine would load."""
    safetensors = [name for name in names if name.endswith(".safetensors")]
    # Mistral's own format lies beside the usual one in its repositories; it is the same weights once more.
    usual = [name for name in safetensors if not name.startswith("consolidated")]
    checked, size_of, word = usual or safetensors, _tensor_bytes, "safetensors"
    if not checked:
        checked = [name for name in names if fnmatch.fnmatch(name, "pytorch_model*.bin")]
        size_of, word = _file_bytes, "PyTorch"
    indexes = [name for name in names if name.endswith((".safetensors", ".bin")[word == "PyTorch"] + INDEX)]
    if not checked and not indexes:
        raise ModelError(
            f"{path} has neither *.safetensors nor pytorch_model*.bin", "copy the weights, or correct the path"
        )
    told = None
    if indexes:
        parts, told = _index(os.path.join(path, indexes[0]))
        missing = [name for name in parts if name not in names]
        if missing:
            raise ModelError(
                f"{path} lacks {len(missing)} of the {len(parts)} weight files of {indexes[0]}, first {missing[0]}",
                "copy the whole model directory",
            )
        checked = parts
    total = sum(size_of(os.path.join(path, name)) for name in checked)
    notes = []
    if told and abs(told - total) > total / 100:
        notes.append(f"{indexes[0]} tells {told} bytes, its files hold {total}; the files count")
    return total, f"{len(checked)} {word} file{'s' if len(checked) > 1 else ''}", notes


def _index(path):
    """(weight files, total_size or None) of an index."""
    found = _json(path)
    weight_map, meta = found.get("weight_map"), found.get("metadata") or {}
    if not isinstance(weight_map, dict) or not weight_map or not isinstance(meta, dict):
        raise ModelError(f"{path} has no weight_map", "it is damaged or half copied: copy it again")
    # Some indexes have a floating number here.
    size = meta.get("total_size")
    return sorted({str(name) for name in weight_map.values()}), int(size) if isinstance(size, (int, float)) else None


def _file_bytes(path):
    try:
        return os.path.getsize(path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _tensor_bytes(path):
    """Bytes of the tensors of a safetensors file, checked against its length."""
    again = "it is damaged or half copied: copy it again"
    size = _file_bytes(path)
    try:
        with open(path, "rb") as handle:
            head = handle.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else None
            if length is None or length > min(_LONGEST_HEADER, size - 8):
                start = head[:7].decode("ascii", "replace") if length is not None else ""
                hint = (
                    "a Git LFS pointer, not the weights" if start == "version" else "cut short, or no safetensors file"
                )
                raise ModelError(f"{path} ({size} bytes) is {hint}", again)
            header = json.loads(handle.read(length).decode("utf-8"))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            end = max(ends, default=0)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as exc:
        raise ModelError(f"{path} has a header that is not understood ({exc!r})", again) from exc
    if size != 8 + length + end:
        raise ModelError(f"{path} has {size} bytes where its header tells {8 + length + end}", again)
    return end


__all__ = ["ModelError", "read_model"]

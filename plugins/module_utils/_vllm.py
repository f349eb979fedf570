# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a placed service to the command line of C(vllm serve).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re

# Tags of upstream releases name the A2 image when they carry no suffix (Dockerfiles of vllm-ascend since v0.10.0rc1).
_RELEASE_IMAGE = re.compile(r".*/vllm-ascend:v\d+\.\d+\.\d+(\.post\d+|rc\d+)?$")


def image_for(image, suffix):
    """The image for a chip family: an upstream release tag gets the family's suffix, any other name stays as it is.

    :arg suffix: see C(_npu_model.image_suffix); None when upstream builds no image for the chip.
    :returns: the image, or None when there is no upstream image.
    """
    if not _RELEASE_IMAGE.match(image):
        return image
    return None if suffix is None else image + suffix


# Flags that only exist in their positive form (parsers of vLLM 0.11 to 0.32); all other booleans also have --no-….
_POSITIVE_ONLY = (
    "aggregate_engine_logging",
    "data_parallel_multi_port_external_lb",
    "disable_log_stats",
    "disable_mm_preprocessor_cache",
    "enable_multimodal_encoder_data_parallel",
)


def flags(args):
    """Engine flags in snake_case as command line words.

    true gives C(--flag), false C(--no-flag) (or nothing, where vLLM has no such form), null leaves the flag out, a
    list gives one flag with several words, a mapping one JSON text; everything else is its text.

    :arg args: {"max_model_len": 32768, "enable_expert_parallel": True}
    :returns: a list of words, in the order of C(args).
    """
    words = []
    for key, value in args.items():
        flag = key.replace("_", "-")
        if value is None or (value is False and key in _POSITIVE_ONLY):
            continue
        if value is True:
            words.append("--" + flag)
        elif value is False:
            words.append("--no-" + flag)
        elif isinstance(value, dict):
            words.extend(["--" + flag, json.dumps(value, sort_keys=True, separators=(",", ":"))])
        elif isinstance(value, (list, tuple)):
            words.append("--" + flag)
            words.extend(str(item) for item in value)
        else:
            words.extend(["--" + flag, str(value)])
    return words


def serve_command(service):
    """The argv that serves a placed service (see C(_placement.place)) on its head.

    The service's own name is always the first served model name: it is what metrics carry and what the collection asks
    for. The user's names come after it, or else the name of the directory.
    """
    args = dict(service["args"])
    names = args.pop("served_model_name", service["model"].rstrip("/").rsplit("/", 1)[-1])
    names = names if isinstance(names, list) else [names]
    words = ["vllm", "serve", service["model"], "--served-model-name", service["name"]]
    words += [name for name in names if name != service["name"]]
    words += ["--port", str(service["port"])]
    sizes = service["parallel"]
    words += ["--tensor-parallel-size", str(sizes["tensor"])]
    if sizes["pipeline"] > 1:
        words += ["--pipeline-parallel-size", str(sizes["pipeline"])]
    if sizes["data"] > 1:
        words += ["--data-parallel-size", str(sizes["data"])]
    if service["devices"] > 1 or service["executor"] == "ray":
        words += ["--distributed-executor-backend", service["executor"]]
    return words + flags(args)

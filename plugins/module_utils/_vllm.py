# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a placed service to the command line of C(vllm serve).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re

from ._vllm_options import option_of

# Tags of upstream releases name the A2 image when they carry no suffix (Dockerfiles of vllm-ascend since v0.10.0rc1).
_RELEASE_IMAGE = re.compile(r"(.*/vllm-ascend:v\d+\.\d+\.\d+(?:\.post\d+|rc\d+)?)(-openeuler)?")


def image_for(image, suffix):
    """The image for a chip family: an upstream release tag gets the family's suffix, any other name stays as it is.

    With openEuler in it the suffix comes before that (v0.23.0-a3-openeuler). A digest names one image, of one family.

    :arg suffix: see C(_npu_model.image_suffix); None when upstream builds no image for the chip.
    :returns: the image, or None when there is no upstream image.
    """
    release = _RELEASE_IMAGE.fullmatch(image)
    if not release:
        return image
    return None if suffix is None else release[1] + suffix + (release[2] or "")


def flags(args, image=None):
    """Engine flags in snake_case as command line words, each as its kind in C(_vllm_options) wants it.

    true gives C(--flag), false C(--no-flag) (or nothing, where vLLM has no such form), null leaves the flag out. A
    list gives one flag with several words, one JSON text where vLLM reads JSON, or a flag for each; a mapping is one
    JSON text; everything else is its text.

    :arg args: {"max_model_len": 32768, "enable_expert_parallel": True}
    :arg image: of the release whose options they are; the newest known, when it says none.
    :returns: a list of words, in the order of C(args).
    """
    words = []
    for key, value in args.items():
        option = option_of(key, image)
        kind = option.kind if option else None
        flag = "--" + key.replace("_", "-")
        if value is None or (value is False and kind in ("on", "word")):
            continue
        if isinstance(value, bool) and kind not in ("word", "json"):
            words.append(flag if value else "--no-" + flag[2:])
        elif isinstance(value, (list, tuple)) and kind == "each":
            words.extend(word for item in value for word in (flag, _text(item)))
        elif isinstance(value, (list, tuple)) and (option is None or option.several):
            words.extend([flag, *map(_text, value)] if value else [])
        else:
            text = "True" if kind == "word" else _text(value, kind)
            # A word that begins with a dash would be taken for a flag.
            words.extend([f"{flag}={text}"] if text.startswith("-") else [flag, text])
    return words


def _text(value, kind=None):
    if isinstance(value, (dict, list, tuple)) or (isinstance(value, bool) and kind == "json"):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return str(value)


def node_commands(service):
    """{host: argv or None}: what each node of a placed service starts; None where it has nothing but its Ray node.

    A replica is a head of its own. Nodes of mp and dp beside the head run the engine without an endpoint.
    """
    if service["executor"] == "ray":
        return {host: serve_command(service) if host == service["head"] else None for host in service["nodes"]}
    if service["replicas"]:
        return dict.fromkeys(service["nodes"], serve_command(service))
    return {host: serve_command(service, rank) for rank, host in enumerate(service["nodes"])}


def serve_command(service, rank=0):
    """The argv that serves a placed service (see C(_placement.place)) on its node number C(rank), 0 being the head.

    The service's own name is always the first served model name: it is what metrics carry and what the collection asks
    for. The user's names come after it, or else the name of the directory.
    """
    args = dict(service["args"])
    names = args.pop("served_model_name", service["model"].rstrip("/").rsplit("/", 1)[-1])
    names = names if isinstance(names, list) else [names]
    words = ["vllm", "serve", service["model"], "--served-model-name", service["name"]]
    words += [name for name in names if name != service["name"]]
    if rank:
        args.pop("api_server_count", None)  # refused together with --headless
    else:
        words += ["--port", str(service["port"])]
    sizes = service["parallel"]
    words += ["--tensor-parallel-size", str(sizes["tensor"])]
    if sizes["pipeline"] > 1:
        words += ["--pipeline-parallel-size", str(sizes["pipeline"])]
    if sizes["data"] > 1:
        words += ["--data-parallel-size", str(sizes["data"])]
    words += _executor(service)
    return words + _joining(service, rank) + flags(args, service.get("image"))


def _executor(service):
    """dp is how engines meet; within an engine it is mp that holds the devices."""
    sizes = service["parallel"]
    if service["executor"] == "ray":
        return ["--distributed-executor-backend", "ray"]
    several = sizes["tensor"] * sizes["pipeline"] > 1 or (sizes["data"] > 1 and service["executor"] == "mp")
    return ["--distributed-executor-backend", "mp"] if several else []


def _joining(service, rank):
    """How the node number C(rank) meets the others; nothing on one node."""
    if not service.get("join_port"):
        return []
    hosts = list(service["nodes"])
    address, port = service["nodes"][hosts[0]]["address"], str(service["join_port"])
    headless = ["--headless"] if rank else []
    if service["executor"] == "mp":
        words = ["--nnodes", str(len(hosts)), "--node-rank", str(rank), "--master-addr", address, "--master-port", port]
        return words + headless
    local = service["parallel"]["data"] // len(hosts)
    words = ["--data-parallel-size-local", str(local)]
    words += ["--data-parallel-start-rank", str(local * rank)] if rank else []
    return words + ["--data-parallel-address", address, "--data-parallel-rpc-port", port, *headless]

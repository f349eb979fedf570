# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRA adapters of a vLLM service: what C(args.lora_modules) says, and whether the adapters are fit to be loaded.

vLLM takes adapters of a rank up to C(max_lora_rank), 16 by itself, and ends at start with a larger one (LoRAConfig,
PEFTHelper.validate_legal).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os

from ._services import Problem

DEFAULT_RANK = 16
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin", "adapter_model.pt")


def modules(value):
    """[{"name", "path", ...}] from any way to write C(lora_modules); what is none of them is left out.

    Those are a mapping of names to directories, and vLLM's own: name=path, a mapping with name and path (as JSON too),
    or a list of these.
    """
    if isinstance(value, dict) and not {"name", "path"} <= set(value):
        return [{"name": str(name), "path": path} for name, path in value.items() if isinstance(path, str)]
    found = []
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, str) and entry.strip().startswith("{"):
            entry = _json(entry)
        elif isinstance(entry, str) and "=" in entry:
            name, _equals, path = entry.partition("=")
            entry = {"name": name.strip(), "path": path.strip()}
        if isinstance(entry, dict) and {"name", "path"} <= set(entry):
            found.append(entry)
    return found


def _json(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def with_modules(args):
    """C(args) as vLLM takes them: a mapping of names to directories written out, and C(enable_lora) beside it."""
    value = args.get("lora_modules")
    if not value:
        return args
    told = dict(args)
    if isinstance(value, dict) and not {"name", "path"} <= set(value):
        told["lora_modules"] = [f"{name}={path}" for name, path in value.items()]
    told.setdefault("enable_lora", True)
    return told


def judge(service):
    """What is wrong with the adapters of a service as the inventory has it: pairs of what it is and what to do."""
    args = service.get("args") or {}
    found = modules(args.get("lora_modules")) if args.get("lora_modules") else []
    if found and args.get("enable_lora") is False:
        yield "args.lora_modules names adapters, and args.enable_lora is false", "leave enable_lora out"
    taken = {service.get("name")} | set(_served(args.get("served_model_name")))
    for one in found:
        name, path = str(one["name"]), str(one["path"])
        if not path.startswith("/"):
            yield f"the adapter '{name}' is at '{path}'", "give the absolute path of its directory on the node"
        if name in taken:
            yield f"the adapter '{name}' has the name of another model of the service", "give it one of its own"
        taken.add(name)


def _served(names):
    return names if isinstance(names, list) else [names] if names else []


def adapters(args):
    """[{"name", "path", "max_rank"}] of a placed service, to be looked at on its nodes."""
    rank = args.get("max_lora_rank") or DEFAULT_RANK
    rank = int(rank) if str(rank).isdigit() else DEFAULT_RANK
    found = modules(args["lora_modules"]) if args.get("lora_modules") else []
    return [{"name": str(one["name"]), "path": str(one["path"]), "max_rank": rank} for one in found]


def look_at(path):
    """What is in the directory of an adapter, as C(check_adapter) takes it."""
    try:
        names = os.listdir(path)
    except OSError:
        names = None
    config = None
    if names is not None and CONFIG in names:
        try:
            with open(os.path.join(path, CONFIG), encoding="utf-8") as handle:
                config = json.load(handle)
        except (OSError, ValueError):
            config = "unreadable"
    return {"names": names, "config": config}


def check_adapter(host, service, adapter, seen):
    """Can vLLM load this adapter?

    :arg adapter: one of C(adapters).
    :arg seen: {"names": file names or None, "config": what adapter_config.json holds, "unreadable", or None}
    """
    item, path = f"service '{service}'", adapter["path"]
    what = f"the adapter '{adapter['name']}'"
    again = "copy the adapter again, on every host of the service"
    names, config = seen["names"], seen["config"]
    if names is None:
        return [Problem(host, item, f"{what}: the directory {path} does not exist", again)]
    if config is None:
        return [Problem(host, item, f"{what}: {path} holds no {CONFIG}", "point it at the directory of the adapter")]
    if not isinstance(config, dict):
        return [Problem(host, item, f"{what}: {path}/{CONFIG} is no mapping in JSON", again)]
    found = []
    if not any(name in names for name in WEIGHTS):
        found.append((f"{path} holds no {WEIGHTS[0]}", again))
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        found.append((f"it is a {kind} adapter", "vLLM loads LoRA adapters only"))
    if config.get("use_dora"):
        found.append(("it was trained with DoRA, which vLLM does not load", "train it without"))
    rank = config.get("r")
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        found.append((f"{path}/{CONFIG} has the rank {rank!r}", again))
    elif rank > adapter["max_rank"]:
        fitting = next((size for size in RANKS if size >= rank), None)
        remedy = f"set args.max_lora_rank: {fitting}" if fitting else f"vLLM takes ranks up to {RANKS[-1]}"
        found.append((f"it has rank {rank}, the service takes up to {adapter['max_rank']}", remedy))
    return [Problem(host, item, f"{what}: {problem}", remedy) for problem, remedy in found]


__all__ = ["adapters", "check_adapter", "judge", "look_at", "modules", "with_modules"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`vllm serve`'s command line, built from the option list of the real release.

Refusals are argparse's own (exit code 2). Two things argparse does not do and vLLM does: underscores in option
names count as dashes, and `--config.key value` is a way to write one key of a JSON option.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .values import human_readable_int, value_type

SUBCOMMANDS = {
    "chat": "Generate chat completions via the running API server.",
    "complete": "Generate text completions based on the given prompt via the running API server.",
    "serve": "Launch a local OpenAI-compatible API server to serve LLM completions via HTTP.",
    "bench": "vLLM bench subcommand.",
    "collect-env": "Start collecting environment information.",
    "run-batch": "Run batch prompts and write results to file.",
}


class LoraAction(argparse.Action):
    """`name=path` or a JSON object with `name` and `path`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        modules = []
        for item in filter(None, values):
            if "=" in item and "," not in item:
                name, path = item.split("=", 1)
                modules.append({"name": name, "path": path})
                continue
            try:
                module = json.loads(item)
            except json.JSONDecodeError:
                parser.error(f"Invalid JSON format for --lora-modules: {item}")
            if not isinstance(module, dict) or not {"name", "path"} <= module.keys():
                parser.error(f"Invalid fields for --lora-modules: {item}")
            modules.append(module)
        setattr(namespace, self.dest, modules)


def default_value(text: str) -> Any:
    """The list holds defaults as Python prints them; for what is no literal (enums, config objects) None stands in."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return None


def add_option(parser: argparse.ArgumentParser, option: dict[str, Any]) -> None:
    """Add one entry of an option list (keys: flags, dest, nargs, kind, type, choices, default).

    :raises ValueError: for a `kind` this module does not know
    """
    kind = option["kind"]
    flags = option["flags"]
    default = default_value(option["default"])
    if kind == "_HelpAction":
        return
    if kind == "BooleanOptionalAction":
        positive = [flag for flag in flags if not flag.startswith("--no-") or f"--{flag[5:]}" not in flags]
        parser.add_argument(*positive, dest=option["dest"], action=argparse.BooleanOptionalAction, default=default)
        return
    if kind == "_StoreTrueAction":
        parser.add_argument(*flags, dest=option["dest"], action="store_true", default=default)
        return
    convert = value_type(option["type"], option["dest"])
    settings: dict[str, Any] = {"nargs": option["nargs"], "default": default}
    if convert is not None:
        settings["type"] = convert
    if option["choices"] is not None:
        # The list holds choices as sorted text; `None` is a value of its own for optional types.
        settings["choices"] = [convert(choice) if convert else choice for choice in option["choices"]]
    if kind == "_AppendAction":
        settings["action"] = "append"
        settings.pop("nargs")
    elif kind == "LoRAParserAction":
        settings["action"] = LoraAction
    elif kind != "_StoreAction":
        raise ValueError(f"option {flags}: unknown kind {kind}")
    if flags[0].startswith("-"):
        settings["dest"] = option["dest"]
    parser.add_argument(*flags, **settings)


class Parser(argparse.ArgumentParser):
    """An argparse parser without abbreviations."""

    def __init__(self, **settings: Any) -> None:
        settings["allow_abbrev"] = False
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings)


def build_parser(options_file: Path, version: str) -> Parser:
    """The parser of `vllm`, with `serve` from the given option list."""
    parser = Parser(prog="vllm", description="vLLM CLI (the lab's stand-in: no model is behind it)")
    parser.add_argument("-v", "--version", action="version", version=version)
    commands = parser.add_subparsers(required=False, dest="subparser")
    for name, text in SUBCOMMANDS.items():
        if name != "serve":
            commands.add_parser(name, help=text, add_help=False)
            continue
        serve = commands.add_parser(name, help=text, description=text, usage="vllm serve [model_tag] [options]")
        for option in json.loads(options_file.read_text(encoding="utf-8"))["options"]:
            add_option(serve, option)
    return parser


def parse(parser: Parser, argv: Sequence[str], release: str) -> argparse.Namespace:
    """Parse as vLLM does; `given` of the result holds what differs from the defaults.

    :param release: vLLM's version; the meaning of `-O3` changed between releases
    :raises SystemExit: 2 for what the option list does not hold, with argparse's message on stderr
    """
    args = list(argv)
    if args[:1] == ["serve"]:
        args = _config_file_first(parser, _model_first(parser, args))
        args = _fold_dotted(parser, [word for arg in args for word in _normalise(arg, release)])
    namespace = parser.parse_args(args)
    if namespace.subparser == "serve":
        defaults = vars(parser.parse_args(["serve"]))
        namespace.model = namespace.model_tag or namespace.model
        namespace.given = {key: value for key, value in vars(namespace).items() if value != defaults[key]}
    return namespace


def _model_first(parser: Parser, args: list[str]) -> list[str]:
    """`vllm serve --model X` is `vllm serve X`."""
    for index, arg in enumerate(args):
        if arg == "--model":
            if index + 1 >= len(args) or args[index + 1].startswith("-"):
                parser.error("argument --model: expected one argument")
            return ["serve", args[index + 1], *args[1:index], *args[index + 2 :]]
        if arg.startswith("--model="):
            return ["serve", arg.split("=", 1)[1], *args[1:index], *args[index + 1 :]]
    return args


def _config_file_first(parser: Parser, args: list[str]) -> list[str]:
    """Options of `--config FILE.yaml` go before those of the command line, which so win."""
    if "--config" not in args:
        return args
    index = args.index("--config")
    if index + 1 >= len(args):
        parser.error("No config file specified! Please check your command-line arguments.")
    path = Path(args[index + 1])
    if path.suffix not in (".yaml", ".yml"):
        parser.error(f"Config file must be of a yaml/yml type. {path.suffix.lstrip('.')} supplied")
    import yaml  # comes with Ray; only this option needs it

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        parser.error(f"Unable to read the config file at {path}. Check path correctness: {error}")
    words: list[str] = []
    model: list[str] = []
    for key, value in entries.items():
        if key == "model":
            model = [str(value)]
        elif isinstance(value, bool):
            words += [f"--{key}"] if value else [f"--no-{key}"]
        elif isinstance(value, list):
            words += [f"--{key}", *map(str, value)] if value else []
        else:
            words += [f"--{key}", json.dumps(value) if isinstance(value, dict) else str(value)]
    rest = args[1:index] + args[index + 2 :]
    if rest and not rest[0].startswith("-"):
        model = [rest.pop(0)]
    return ["serve", *model, *words, *rest]


def _normalise(arg: str, release: str) -> list[str]:
    """Dashes for underscores in the option's name (not in dotted keys), and the joined forms of -O."""
    if arg.startswith("--"):
        name, equals, value = arg.partition("=")
        head, dot, keys = name.partition(".")
        return [head.replace("_", "-") + dot + keys + equals + value]
    level = re.fullmatch(r"-O=?(.+)", arg)
    if level and not arg.startswith("-O."):
        old = release.startswith("0.11.")
        return ["-O", json.dumps({"level": int(level[1])})] if old else ["--optimization-level", level[1]]
    return [arg]


def _fold_dotted(parser: Parser, args: list[str]) -> list[str]:
    """`--x.a.b 1 --x.c+ 2` becomes `--x '{"a": {"b": 1}, "c": ["2"]}'`."""
    kept: list[str] = []
    objects: dict[str, dict[str, Any]] = {}
    words = iter(args)
    for arg in words:
        name, equals, value = arg.partition("=")
        if not (re.match(r"--?[A-Za-z]", name) and "." in name):
            kept.append(arg)
            continue
        if not equals:
            value = next(words, None)
            if value is None:
                parser.error(f"argument {name}: expected one argument")
        flag, *keys = name.rstrip("+").split(".")
        _merge(objects.setdefault(flag, {}), keys, value.split(",") if name.endswith("+") else _dotted_value(value))
    for flag, value in objects.items():
        kept += [flag, json.dumps(value)]
    return kept


def _merge(target: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        if not isinstance(target.get(key), dict):
            target[key] = {}
        target = target[key]
    last = keys[-1]
    if isinstance(value, list) and isinstance(target.get(last), list):
        value = target[last] + value
    target[last] = value


def _dotted_value(text: str) -> Any:
    for convert in (json.loads, human_readable_int):
        try:
            return convert(text)
        except (ValueError, argparse.ArgumentTypeError):
            continue
    return text


def not_here(command: str) -> NoReturn:
    """The other subcommands exist in vLLM and not in the stand-in."""
    raise SystemExit(f"vllm {command}: the lab's stand-in image has `vllm serve` and `vllm --version` only")

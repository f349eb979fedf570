# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what C(daemon.json) of a Docker engine becomes. This module util is PRIVATE to the collection.

Pure: texts and dictionaries in, L(Decision) out. Facts: the reference of C(dockerd) (options, C(Configuration reload
behavior)); a key that is given both as a flag and in the file keeps the engine from starting.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

# SIGHUP makes the engine read these anew; for any other it must be started again.
RELOADABLE = frozenset(
    (
        "authorization-plugins",
        "debug",
        "default-runtime",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    )
)

# An engine logs to one place: options for one driver keep it from starting with another.
TOGETHER = (("log-driver", "log-opts"),)

# Keys whose flag is called otherwise, short flags, and flags whose value is not text.
FLAG_KEYS = {
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "default-ulimit": "default-ulimits",
    "exec-opt": "exec-opts",
    "g": "data-root",
    "graph": "data-root",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
    "D": "debug",
    "G": "group",
    "H": "hosts",
    "l": "log-level",
    "p": "pidfile",
    "s": "storage-driver",
}
LISTS = frozenset(
    (
        "authorization-plugins",
        "dns",
        "dns-opts",
        "dns-search",
        "exec-opts",
        "hosts",
        "insecure-registries",
        "labels",
        "registry-mirrors",
        "storage-opts",
    )
)
BOOLS = frozenset(
    (
        "debug",
        "experimental",
        "icc",
        "ip-forward",
        "ip-masq",
        "iptables",
        "ip6tables",
        "ipv6",
        "live-restore",
        "no-new-privileges",
        "raw-logs",
        "selinux-enabled",
        "tls",
        "tlsverify",
        "userland-proxy",
    )
)
TEXTS = frozenset(
    (
        "bridge",
        "cgroup-parent",
        "containerd",
        "data-root",
        "default-runtime",
        "exec-root",
        "group",
        "log-driver",
        "log-level",
        "pidfile",
        "storage-driver",
        "userns-remap",
    )
)
DICTS = frozenset(("default-ulimits", "log-opts", "runtimes", "proxies", "features"))

_KINDS = (
    (LISTS, list, "a list"),
    (BOOLS, bool, "true or false"),
    (TEXTS, str, "text"),
    (DICTS, dict, "a dictionary"),
)
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_CREDENTIALS = re.compile(r"(://)[^/@\s\"]+@")


class ConfigError(Exception):
    """The file cannot be read as what it should be; the message is one sentence."""


@dataclass(frozen=True)
class Decision:
    """What the file becomes. ``changed`` names the keys, ``skipped`` those that a flag sets to the wanted value."""

    before: dict
    after: dict
    changed: tuple = ()
    skipped: tuple = ()
    # (key, sentence, remedy)
    problems: tuple = field(default=())


def parse(text: str, path: str) -> dict:
    """The object in the file, empty for an empty file. Raises L(ConfigError) with the place."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds a {type(found).__name__} instead of an object")
    return found


def render(config: dict) -> str:
    """The file's text for ``config``."""
    return json.dumps(config, indent=4, ensure_ascii=False) + "\n" if config else "{}\n"


def masked(text: str) -> str:
    """``text`` without the names and passwords in its URLs."""
    return _CREDENTIALS.sub(r"\1***@", text)


def merge(found: dict, wanted: dict) -> dict:
    """``found`` with ``wanted`` laid over it: dictionaries merged, lists joined, a value of None takes a key away."""
    merged = dict(found)
    for key, value in wanted.items():
        there = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merge(there if isinstance(there, dict) else {}, value)
            if inner or not value:
                merged[key] = inner
            else:
                merged.pop(key, None)  # nothing is left of it
        elif isinstance(value, list) and isinstance(there, list):
            merged[key] = there + [item for item in value if item not in there]
        else:
            merged[key] = value
    return merged


def flags(argv, environment: dict) -> dict:
    """What the command line of the engine sets, by the key it would have in the file.

    ``argv`` are the words of C(ExecStart) with variables, ``environment`` gives their values.
    """
    words: list = []
    for word in argv:
        variable = _VARIABLE.fullmatch(word)
        if variable:
            # systemd splits a variable that stands alone into words.
            words += shlex.split(environment.get(variable.group(1), ""))
        else:
            words.append(_VARIABLE.sub(lambda match: environment.get(match.group(1), ""), word))
    found: dict = {}
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            continue
        name, has_value, value = word.lstrip("-").partition("=")
        key = FLAG_KEYS.get(name, name)
        if key in BOOLS:
            found[key] = value.lower() != "false" if has_value else True
            continue
        if not has_value:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else ""
        if key in LISTS:
            found.setdefault(key, []).append(value)
        elif key in DICTS:
            name, _equals, value = value.partition("=")
            found.setdefault(key, {})[name] = value
        else:
            found[key] = value
    return found


def decide(found: dict, options: dict, defaults: dict, flagged: dict, absent: dict | None = None) -> Decision:
    """What the file becomes, and what stands against it.

    ``options`` go before what is found, ``defaults`` behind it; ``absent`` names keys to take away if they have that
    value. ``flagged`` is what L(flags) returned.
    """
    problems = []
    unwanted = {key: None for key, value in (absent or {}).items() if found.get(key) == value}
    wanted = {**_fitting(defaults, {**found, **flagged}), **unwanted, **options}
    after = merge(found, wanted)
    skipped = []
    for key in sorted(set(wanted) & set(flagged)):
        if wanted[key] is None or key not in after:
            continue
        if key in found:
            continue  # as it was: the engine has started with it or has not
        if _same(flagged[key], after[key]):
            del after[key]
            skipped.append(key)
            continue
        problems.append(
            (
                key,
                f"is {json.dumps(flagged[key])} on the engine's command line, {json.dumps(after[key])} is wanted, and"
                " it does not start when both the command line and the file set a key",
                "take the flag out of the unit or of its environment file, or the key out of docker_daemon_options",
            )
        )
    problems += _wrong_kinds(after, wanted)
    return Decision(
        before=found,
        after=after,
        changed=changed_keys(found, after),
        skipped=tuple(skipped),
        problems=tuple(problems),
    )


def changed_keys(before: dict, after: dict) -> tuple:
    """Names of the keys with another value, sorted."""
    return tuple(sorted(key for key in set(before) | set(after) if before.get(key) != after.get(key)))


def needs_restart(before: dict, after: dict) -> bool:
    """Whether SIGHUP is not enough: for keys that are not read anew, and for what is taken away, which it leaves."""

    def lost(key) -> bool:
        was, now = before.get(key), after.get(key)
        return key in before and (key not in after or (isinstance(was, dict) and not set(was) <= set(now)))

    return any(key not in RELOADABLE or lost(key) for key in changed_keys(before, after))


def not_in_effect(config: dict, info: dict) -> tuple:
    """Keys of ``config`` that an engine with this answer to C(/info) does not follow, as far as it tells."""
    registries = info.get("RegistryConfig") or {}
    known = {str(entry) for entry in registries.get("InsecureRegistryCIDRs") or []} | {
        name for name, entry in (registries.get("IndexConfigs") or {}).items() if not entry.get("Secure", True)
    }
    mirrors = {mirror.rstrip("/") for mirror in registries.get("Mirrors") or []}
    behind = {
        "live-restore": info.get("LiveRestoreEnabled") != config.get("live-restore"),
        "default-runtime": info.get("DefaultRuntime") != config.get("default-runtime"),
        "runtimes": not set(config.get("runtimes") or {}) <= set(info.get("Runtimes") or {}),
        "registry-mirrors": not {mirror.rstrip("/") for mirror in config.get("registry-mirrors") or []} <= mirrors,
        "insecure-registries": not {_without_scheme(name) for name in config.get("insecure-registries") or []} <= known,
        "data-root": info.get("DockerRootDir") != config.get("data-root"),
        "log-driver": info.get("LoggingDriver") != config.get("log-driver"),
    }
    return tuple(key for key, wrong in sorted(behind.items()) if wrong and key in config)


def _without_scheme(name: str) -> str:
    return re.sub(r"^https?://", "", name)


def _fitting(defaults: dict, found: dict) -> dict:
    """The defaults for which nothing is found."""
    taken = set(found)
    for group in TOGETHER:
        if taken & set(group):
            taken |= set(group)
    return {key: value for key, value in defaults.items() if key not in taken}


def _same(flag, value) -> bool:
    if isinstance(flag, list) and isinstance(value, list):
        return set(value) <= set(flag)
    if isinstance(flag, dict) and isinstance(value, dict):
        return all(flag.get(name) == entry for name, entry in value.items())
    return flag == value or str(flag) == str(value)


def _wrong_kinds(config: dict, wanted: dict) -> list:
    """Values that no engine would take; what is not known of a key is left to the engine."""
    wrong = []
    for key, value in sorted(config.items()):
        if key not in wanted:
            continue
        for keys, kind, words in _KINDS:
            if key in keys and not isinstance(value, kind):
                wrong.append((key, f"{key} is {json.dumps(value)} instead of {words}", "correct docker_daemon_options"))
    for name, runtime in sorted(
        (config.get("runtimes") or {}).items() if isinstance(config.get("runtimes"), dict) else ()
    ):
        if not isinstance(runtime, dict) or not (runtime.get("path") or runtime.get("runtimeType")):
            wrong.append(("runtimes", f"runtime {name} has no path", "give it path, or take it away with null"))
    return wrong


__all__ = [
    "ConfigError",
    "Decision",
    "RELOADABLE",
    "changed_keys",
    "decide",
    "flags",
    "masked",
    "merge",
    "needs_restart",
    "not_in_effect",
    "parse",
    "render",
]

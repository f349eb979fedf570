#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_daemon
short_description: Configuration of the Docker engine, merged, validated and in effect
version_added: 1.0.0
description:
  - Merges keys into C(daemon.json). Keys of others stay, dictionaries are merged, lists are joined, and a key whose
    value is null is taken away.
  - Judges before anything is written. A key that the engine's command line sets already would keep the engine from
    starting, and so would a value of the wrong kind. Where C(dockerd) has C(--validate) (23.0 and later), it is asked.
  - Then makes the running engine follow. It reads most keys anew on C(SIGHUP), which no container notices. Only for
    the others is it restarted. If it does not start, the file becomes what it was, and the engine runs as before.
  - What somebody else wrote since the engine started, such as the installer of Ascend Docker Runtime, or a run that
    was cut short, is brought into effect as well.
  - Needs no Docker SDK, no C(requests) and no C(docker) command. Without O(options) and O(defaults) in check mode it
    only tells what is there.
options:
  options:
    description: Keys that C(daemon.json) must have. A null takes a key away.
    type: dict
    default: {}
  defaults:
    description:
      - Keys for a file that says nothing of them. C(log-driver) and C(log-opts) are one in this.
    type: dict
    default: {}
  absent:
    description: Keys to take away if they have this value. With another value they are somebody else's, and stay.
    type: dict
    default: {}
  path:
    description: The file.
    type: path
    default: /etc/docker/daemon.json
  minimum_version:
    description: Refuse an older engine.
    type: str
    default: "18.09"
  allow_data_root_change:
    description:
      - Let C(data-root) change although the engine has containers or images. They stay where they are, and the engine
        does not see them any more.
    type: bool
    default: false
  start:
    description: Start an engine that does not run.
    type: bool
    default: true
  restart:
    description: Restart the engine even if nothing that it reads has changed, such as after an update of its packages.
    type: bool
    default: false
  backup:
    description: Keep a copy of the file beside it when it changes.
    type: bool
    default: true
  unit:
    description: The engine's unit.
    type: str
    default: docker.service
  socket:
    description: The engine's socket.
    type: path
    default: /run/docker.sock
  dockerd:
    description: Path or name of C(dockerd).
    type: str
    default: dockerd
  host:
    description: Name of the node for the sentences.
    type: str
    default: this node
  timeout:
    description: Seconds that the engine may take to answer.
    type: int
    default: 60
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Names and passwords in URLs are not shown.
  idempotent:
    support: full
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
seealso:
  - name: dockerd
    description: Reference of the daemon's configuration file.
    link: https://docs.docker.com/reference/cli/dockerd/
"""

EXAMPLES = r"""
---
- name: Use a mirror, and rotate logs where nobody decided otherwise
  npuops.ascend.docker_daemon:
    options:
      registry-mirrors: [https://mirror.example.com]
      live-restore: true
    defaults:
      log-driver: json-file
      log-opts: {max-size: 100m, max-file: "3"}

- name: Keep a runtime, but not as the default
  npuops.ascend.docker_daemon:
    absent:
      default-runtime: ascend

- name: See what there is
  npuops.ascend.docker_daemon:
  check_mode: true
  register: docker
"""

RETURN = r"""
action:
  description: What was done to the engine, or would be. V(none), V(start), V(reload) or V(restart).
  returned: always
  type: str
  sample: reload
reasons:
  description: Why, in words.
  returned: always
  type: list
  elements: str
  sample: ["registry-mirrors changes"]
keys:
  description: Keys of the file that change.
  returned: always
  type: list
  elements: str
  sample: [registry-mirrors]
left_to_flags:
  description: Wanted keys that are not written because the engine's command line sets them to the same value.
  returned: always
  type: list
  elements: str
  sample: [live-restore]
problems:
  description: What stands against it, each with C(host), C(item), C(problem), C(remedy), and all as one C(sentence).
  returned: failure, if it was judged
  type: list
  elements: dict
backup_file:
  description: Copy of the file as it was.
  returned: when the file changed and there was one
  type: str
engine:
  description: The engine, after a change as it is then.
  returned: always
  type: dict
  contains:
    installed:
      description: Whether there is a unit, from whatever source.
      type: bool
    active:
      description: Whether it runs.
      type: bool
    version:
      description: Its version. Null unless it runs, like all that follows.
      type: str
      sample: 20.10.24
    data_root:
      description: Where it keeps images and containers.
      type: str
    containers:
      description: Number of its containers.
      type: int
    images:
      description: Number of its images.
      type: int
    swarm:
      description: Whether it is part of a swarm.
      type: bool
    live_restore:
      description: Whether containers go on when it stops.
      type: bool
    default_runtime:
      description: Runtime of containers that name none.
      type: str
      sample: runc
    runtimes:
      description: Names of the runtimes that it knows.
      type: list
      elements: str
has_requests:
  description: Whether the Python of this module has the library C(requests). C(community.docker) needs it.
  returned: always
  type: bool
"""

import importlib.util
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._docker_config import ConfigError, decide, masked, needs_restart, parse, render
from ..module_utils._docker_engine import Engine, EngineError, State
from ..module_utils._run import ToolNotFound, VendorError, run
from ..module_utils._services import Problem
from ..module_utils._vendor_version import version_key

# What SIGHUP asks for is done in well under a second.
RELOAD_SECONDS = 15.0


def told(state: State) -> dict:
    info = state.info
    return {
        "installed": state.installed,
        "active": state.active,
        "version": info.get("ServerVersion"),
        "data_root": info.get("DockerRootDir"),
        "containers": info.get("Containers"),
        "images": info.get("Images"),
        "swarm": (info.get("Swarm") or {}).get("LocalNodeState") == "active" if info else None,
        "live_restore": info.get("LiveRestoreEnabled"),
        "default_runtime": info.get("DefaultRuntime"),
        "runtimes": sorted(info.get("Runtimes") or {}) if info else None,
    }


def objections(params: dict, state: State, decision) -> list:
    """(item, sentence, remedy) of all that stands against the change."""
    found = list(decision.problems)
    engine = told(state)
    if engine["version"] and version_key(engine["version"]) < version_key(params["minimum_version"]):
        found.append(
            (
                "engine",
                f"is {engine['version']}, older than {params['minimum_version']}",
                "update it (docker_state: latest), or remove it and run again",
            )
        )
    root = decision.after.get("data-root")
    if root and engine["data_root"] and os.path.realpath(root) != os.path.realpath(engine["data_root"]):
        held = f"{engine['containers']} containers and {engine['images']} images"
        if (engine["containers"] or engine["images"]) and not params["allow_data_root_change"]:
            found.append(
                (
                    "data-root",
                    f"would become {root}, and {held} in {engine['data_root']} would be out of the engine's sight",
                    "move them, or say docker_allow_data_root_change: true",
                )
            )
    if engine["swarm"] and decision.after.get("live-restore"):
        found.append(
            ("live-restore", "does not go with the swarm that this engine is part of", "say docker_live_restore: false")
        )
    return found


def validate(params: dict, text: str) -> None:
    """Ask dockerd itself, if it can be asked; raises EngineError with its words."""
    try:
        if "--validate" not in run((params["dockerd"], "--help"), params["timeout"]).stdout:
            return
    except ToolNotFound:
        return
    handle, draft = tempfile.mkstemp(prefix="npuops-docker-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        done = run((params["dockerd"], "--validate", "--config-file", draft), params["timeout"])
    finally:
        os.unlink(draft)
    if done.rc:
        words = masked((done.stderr or done.stdout).strip())
        raise EngineError(f"dockerd does not accept the configuration: {words}", "Correct docker_daemon_options.")


def write(module: AnsibleModule, text: str | None) -> None:
    """Make the file ``text``, or take it away; mode and owner stay."""
    path = module.params["path"]
    if text is None:
        os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    new = not os.path.exists(path)
    module.atomic_move(draft, path)
    if new:
        os.chmod(path, 0o644)


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def make_it_follow(engine: Engine, state: State, action: str, config: dict) -> str:
    """Start, reload or restart; what was needed in the end."""
    if action == "reload":
        engine.reload()
        if not engine.follows(config, RELOAD_SECONDS):
            return action
        action = "restart"
    if action == "restart" and config.get("live-restore") and not state.info.get("LiveRestoreEnabled"):
        # Read before the engine stops, it keeps the containers running meanwhile.
        engine.reload()
        engine.follows({"live-restore": True}, RELOAD_SECONDS)
    engine.restart()
    behind = engine.follows(config, RELOAD_SECONDS)
    if behind:
        raise EngineError(
            f"the engine runs, but does not follow its file in {', '.join(behind)}",
            f"Compare docker info with {engine.config}, and look for flags in the unit {engine.unit}.",
        )
    return action


def plan(params: dict, engine: Engine, state: State, decision) -> tuple:
    """(action, reasons)"""
    if not state.installed:
        return "none", []
    if not state.active:
        return ("start", ["it does not run"]) if params["start"] else ("none", [])
    reasons = [f"{key} changes" for key in decision.changed]
    pending = engine.pending(state, decision.before)
    if pending:
        reasons.append("what it reads at its start has changed since")
    if params["restart"]:
        reasons.append("the role asks for it")
    if params["restart"] or pending == "restart" or needs_restart(decision.before, decision.after):
        return "restart", reasons
    return ("reload", reasons) if reasons else ("none", [])


def work(module: AnsibleModule, engine: Engine) -> dict:
    params = module.params
    state = engine.read()
    text = read(params["path"])
    found = parse(text or "", params["path"])
    decision = decide(found, params["options"], params["defaults"], state.flags, params["absent"])
    problems = [
        Problem(params["host"], f"Docker: {item}", *rest) for item, *rest in objections(params, state, decision)
    ]
    if problems:
        module.fail_json(
            msg="\n".join(problem.sentence() for problem in problems),
            problems=[problem.to_dict() for problem in problems],
            engine=told(state),
        )
    action, reasons = plan(params, engine, state, decision)
    after = render(decision.after)
    writes = bool(decision.changed)
    result = {
        "changed": writes or action != "none",
        "action": action,
        "reasons": reasons,
        "keys": list(decision.changed),
        "left_to_flags": list(decision.skipped),
        "engine": told(state),
        "has_requests": importlib.util.find_spec("requests") is not None,
    }
    if writes:
        result["diff"] = {
            "before_header": params["path"],
            "after_header": params["path"],
            "before": masked(text or ""),
            "after": masked(after),
        }
    if module.check_mode:
        return result
    if writes:
        validate(params, after)
        if text is not None and params["backup"]:
            result["backup_file"] = module.backup_local(params["path"])
        write(module, after)
    if action == "none":
        if state.active:
            engine.remember(decision.after)
        return result
    try:
        result["action"] = make_it_follow(engine, state, action, decision.after)
    except EngineError as error:
        if not writes:
            raise
        write(module, text)
        engine.restart()
        engine.remember(decision.before)
        raise EngineError(
            f"{error.reason}. {params['path']} is again what it was, and the engine runs with it",
            "Correct docker_daemon_options.",
        ) from error
    engine.remember(decision.after)
    result["engine"] = told(engine.read())
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "options": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "absent": {"type": "dict", "default": {}},
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "minimum_version": {"type": "str", "default": "18.09"},
            "allow_data_root_change": {"type": "bool", "default": False},
            "start": {"type": "bool", "default": True},
            "restart": {"type": "bool", "default": False},
            "backup": {"type": "bool", "default": True},
            "unit": {"type": "str", "default": "docker.service"},
            "socket": {"type": "path", "default": "/run/docker.sock"},
            "dockerd": {"type": "str", "default": "dockerd"},
            "host": {"type": "str", "default": "this node"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    engine = Engine(params["unit"], params["socket"], params["path"], params["timeout"])
    try:
        module.exit_json(**work(module, engine))
    except ConfigError as error:
        module.fail_json(msg=f"{params['host']}: Docker: {error}; correct the file by hand.")
    except VendorError as error:
        failure = error.to_fail()
        failure["msg"] = f"{params['host']}: Docker: {failure['msg']}"
        module.fail_json(**failure)


if __name__ == "__main__":
    main()

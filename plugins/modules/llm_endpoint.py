#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: llm_endpoint
short_description: Wait until an OpenAI-compatible endpoint is ready, and ask it a question
version_added: 1.0.0
description:
  - Ready means that C(/health) answers 200 and C(/v1/models) lists the model.
  - A server that fails at once, for example on a wrong flag, is restarted by systemd again and again. With O(unit) the
    wait ends as soon as the unit has failed O(max_restarts) times since the module was called, with the last lines
    of its log.
  - A reply that is no language fails, too. A broken NPU network does not end a server, it makes it answer one token
    again and again. The thoughts of a reasoning model count where it came to no answer within O(max_tokens).
  - A failure comes with the last lines of the log of O(unit), and with what is known about them
    (see M(npuops.ascend.diagnose), which looks at all logs).
  - Reads only. In check mode it looks once and does not wait.
options:
  url:
    description: The endpoint, such as V(http://192.0.2.11:8000).
    type: str
    required: true
  model:
    description: Model that must be listed, and that is asked. By default the first one listed.
    type: str
  prompt:
    description: A question. Without one, only readiness is judged.
    type: str
  max_tokens:
    description: Length limit of the reply.
    type: int
    default: 128
  expect:
    description: Regular expression that the reply must match somewhere.
    type: str
  check_reply:
    description: Whether a reply that is no language is a failure. A model with random weights says nothing else.
    type: bool
    default: true
  stream:
    description: Ask for the reply token by token, which tells how long the first one took.
    type: bool
    default: true
  api_key:
    description: Key that the endpoint wants.
    type: str
  unit:
    description: Systemd unit on this node that runs the server.
    type: str
  max_restarts:
    description: How often O(unit) may fail while waiting.
    type: int
    default: 3
  wait_timeout:
    description: Seconds to wait for readiness. A 70B model loads for minutes.
    type: int
    default: 1800
  interval:
    description: Seconds between two looks.
    type: int
    default: 2
  timeout:
    description: Seconds for one request. The reply to O(prompt) gets ten times that.
    type: int
    default: 15
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.info_module
attributes:
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
"""

EXAMPLES = r"""
---
- name: Wait for the service and ask it something
  npuops.ascend.llm_endpoint:
    url: http://192.0.2.11:8000
    model: assistant
    unit: npuops-assistant.service
    prompt: What can you do?
  register: answer
"""

RETURN = r"""
ready:
  description: The endpoint is ready. Can be false in check mode only.
  returned: always
  type: bool
models:
  description: Ids of the served models.
  returned: always
  type: list
  elements: str
reply:
  description: The reply to O(prompt), or null.
  returned: always
  type: str
completion_tokens:
  description: Tokens of the reply, as the server counts them, or null.
  returned: always
  type: int
waited_s:
  description: Seconds until it was ready.
  returned: always
  type: float
reply_s:
  description: Seconds that the reply took, or null.
  returned: always
  type: float
first_token_s:
  description: Seconds until the first token, or null when the reply came in one piece.
  returned: always
  type: float
reasoning:
  description: Whether the model thought before it answered, or null.
  returned: always
  type: bool
finish_reason:
  description: Why the reply ended, such as V(stop) or V(length), or null.
  returned: always
  type: str
findings:
  description: Known failures in the log of O(unit), as M(npuops.ascend.diagnose) returns them.
  returned: on failure, with O(unit)
  type: list
  elements: dict
"""

import re
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._diagnose import diagnose
from ..module_utils._diagnose_types import HARMLESS, Text
from ..module_utils._openai import Endpoint, EndpointError, nonsense
from ..module_utils._redact import redact

# Of the log, what is shown and what is searched.
SHOWN_LINES = 25
SEARCHED_LINES = 2000


def restarts(module, unit):
    """How often systemd has restarted the unit by itself, 0 where it cannot say (before systemd 235)."""
    _rc, out, _err = module.run_command(["systemctl", "show", "--property=NRestarts", unit])
    value = out.strip().partition("=")[2]
    return int(value) if value.isdigit() else 0


def fail(module, message, result):
    """Ends the module, with the last lines of the unit's log and what is known about them."""
    unit = module.params["unit"]
    if not unit:
        module.fail_json(msg=message, **result)
    argv = ["journalctl", "--no-pager", f"--lines={SEARCHED_LINES}", "--output=cat", "--unit", unit]
    _rc, out, _err = module.run_command(argv)
    out = redact(out, {module.params["api_key"]} - {None})
    findings = [found for found in diagnose([Text("journal", unit, out)]) if found.entry.rank != HARMLESS]
    for found in findings[:3]:
        message += f"\n{found.entry.cause} {found.entry.remedy} ({', '.join(found.entry.sources)}: {found.line!r})"
    tail = "\n".join(out.strip().splitlines()[-SHOWN_LINES:])
    message += f"\nLast lines of `journalctl -u {unit}`:\n{tail}"
    module.fail_json(msg=message, findings=[found.to_dict() for found in findings], **result)


def judge(reply, params):
    """What is wrong with a reply, or None."""
    why = nonsense(reply.text) if params["check_reply"] else None
    expect = params["expect"]
    if why:
        return (
            f"its reply is no language ({why}): {reply.text[:80]!r}. Look whether /etc/hccn.conf and hccn_tool are in "
            "the container, whether the weights fit the engine's release, and at the NPUs' health"
        )
    if expect and not re.search(expect, reply.text):
        return f"its reply does not match {expect!r}: {reply.text[:200]!r}"
    return None


def look(endpoint, params):
    """(models, None) when ready, or (None, why not)."""
    try:
        endpoint.health(params["timeout"])
        models = endpoint.models(params["timeout"])
    except EndpointError as exc:
        return None, str(exc)
    if params["model"] and params["model"] not in models:
        return None, f"it serves {', '.join(models) or 'nothing'}, not {params['model']}"
    if not models:
        return None, "it lists no model"
    return models, None


def wait(module, endpoint):
    """(models, trouble, seconds): polls until ready, out of time, or the unit keeps failing."""
    params = module.params
    unit = params["unit"]
    before = restarts(module, unit) if unit else 0
    started = time.monotonic()
    while True:
        models, trouble = look(endpoint, params)
        waited = time.monotonic() - started
        if not trouble or module.check_mode:
            return models, trouble, waited
        failures = restarts(module, unit) - before if unit else 0
        if failures >= params["max_restarts"]:
            return None, f"{unit} failed {failures} times in a row", waited
        if waited >= params["wait_timeout"]:
            return None, trouble, waited
        time.sleep(min(params["interval"], max(0, params["wait_timeout"] - waited)))


def main():
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "model": {"type": "str"},
            "prompt": {"type": "str"},
            "max_tokens": {"type": "int", "default": 128, "no_log": False},
            "expect": {"type": "str"},
            "check_reply": {"type": "bool", "default": True},
            "stream": {"type": "bool", "default": True},
            "api_key": {"type": "str", "no_log": True},
            "unit": {"type": "str"},
            "max_restarts": {"type": "int", "default": 3},
            "wait_timeout": {"type": "int", "default": 1800},
            "interval": {"type": "int", "default": 2},
            "timeout": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        re.compile(params["expect"] or "")
    except re.error as exc:
        module.fail_json(msg=f"expect: {params['expect']!r} is no regular expression: {exc}.")
    endpoint = Endpoint(params["url"], params["api_key"])
    models, trouble, waited = wait(module, endpoint)
    result = {
        "changed": False,
        "ready": not trouble,
        "models": models or [],
        "reply": None,
        "completion_tokens": None,
        "waited_s": round(waited, 1),
        "reply_s": None,
        "first_token_s": None,
        "reasoning": None,
        "finish_reason": None,
    }
    if trouble and not module.check_mode:
        fail(module, f"{params['url']} is not ready after {int(waited)} s: {trouble}.", result)
    if params["prompt"] and models:
        name = params["model"] or models[0]
        started = time.monotonic()
        try:
            reply = endpoint.chat(
                name, params["prompt"], params["max_tokens"], params["timeout"] * 10, stream=params["stream"]
            )
        except EndpointError as exc:
            fail(module, f"The endpoint is ready, but does not answer a question: {exc}.", result)
        result.update(
            reply=reply.text,
            completion_tokens=reply.tokens,
            reply_s=round(time.monotonic() - started, 2),
            first_token_s=None if reply.first_token_s is None else round(reply.first_token_s, 3),
            reasoning=reply.reasoning,
            finish_reason=reply.finish_reason,
        )
        trouble = judge(reply, params)
        if trouble:
            fail(module, f"The endpoint is ready, but {trouble}.", result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

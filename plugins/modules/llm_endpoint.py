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
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._openai import Endpoint, EndpointError


def restarts(module, unit):
    """How often systemd has restarted the unit by itself, 0 where it cannot say (before systemd 235)."""
    _rc, out, _err = module.run_command(["systemctl", "show", "--property=NRestarts", unit])
    value = out.strip().partition("=")[2]
    return int(value) if value.isdigit() else 0


def log_tail(module, unit):
    _rc, out, _err = module.run_command(["journalctl", "--no-pager", "--lines=25", "--output=cat", "--unit", unit])
    return out.strip()


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
    }
    if trouble and not module.check_mode:
        message = f"{params['url']} is not ready after {int(waited)} s: {trouble}."
        if params["unit"]:
            message += f" Last lines of `journalctl -u {params['unit']}`:\n{log_tail(module, params['unit'])}"
        module.fail_json(msg=message, **result)
    if params["prompt"] and models:
        started = time.monotonic()
        try:
            result["reply"], result["completion_tokens"] = endpoint.chat(
                params["model"] or models[0], params["prompt"], params["max_tokens"], params["timeout"] * 10
            )
        except EndpointError as exc:
            module.fail_json(msg=f"The endpoint is ready, but does not answer a question: {exc}.", **result)
        result["reply_s"] = round(time.monotonic() - started, 2)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

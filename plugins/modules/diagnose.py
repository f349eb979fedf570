#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: diagnose
short_description: Say what is wrong with the services of a node, from its logs
version_added: 1.0.0
description:
  - Looks for known failures in the logs of the containers, the journal of their units, Ray's logs and the NPUs' logs
    (plog, C(ASCEND_PROCESS_LOG_PATH) too) in the containers, plog of the node, and the kernel's messages. Each one
    found comes with its cause, the remedy, and where this is known from, the likely cause first.
  - With O(metrics) also looks at what a running server counts, for what no log shows.
  - Of a big log the beginning and the end are read. Rotated and packed logs are read.
  - What cannot be read is named in RV(unread) and fails nothing.
  - With O(bundle) everything is also written to one archive, for somebody who cannot log in. API keys, tokens,
    passwords and private keys are taken out on the node before; names of hosts and addresses stay in it.
options:
  services:
    description: Names of services. Empty means all of the collection's.
    type: list
    elements: str
    default: []
  containers:
    description: Further containers to look at, by name.
    type: list
    elements: str
    default: []
  paths:
    description: Further log files or directories of the node.
    type: list
    elements: path
    default: []
  messages:
    description: Texts to look at beside the logs, such as the message of the task that failed.
    type: list
    elements: str
    default: []
  metrics:
    description: Addresses of servers, such as V(http://127.0.0.1:8000). They are asked for C(/metrics).
    type: list
    elements: str
    default: []
  samples:
    description: How often each server is asked. Five or more show a course.
    type: int
    default: 6
  interval:
    description: Seconds between two samples.
    type: float
    default: 1.0
  since:
    description: Seconds to look back.
    type: int
    default: 86400
  limit_mb:
    description: MB of one log that are read at most.
    type: int
    default: 4
  bundle:
    description:
      - File on the node to write the archive to, a C(tar.gz) that only its owner can read.
      - Nothing is written in check mode.
    type: path
  bundle_limit_mb:
    description: MB of logs in the archive at most, before it is packed.
    type: int
    default: 64
  secrets:
    description: Values that must not be in the result or in the archive, beside those that are recognised.
    type: list
    elements: str
    default: []
  host:
    description: Name of the node in the archive.
    type: str
    default: node
  docker:
    description: Path or name of C(docker).
    type: str
    default: docker
  npu_smi:
    description: Path or name of C(npu-smi).
    type: str
    default: npu-smi
  hccn_tool:
    description: Path of C(hccn_tool).
    type: str
    default: /usr/local/Ascend/driver/tools/hccn_tool
  timeout:
    description: Seconds that one command may take.
    type: int
    default: 30
extends_documentation_fragment:
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - The archive is a picture of a moment.
  idempotent:
    support: partial
    details:
      - Without O(bundle) nothing is changed. The archive is written anew each time.
  platform:
    platforms: linux
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.llm_endpoint
  - module: npuops.ascend.node_check
"""

EXAMPLES = r"""
---
- name: Say what is wrong with a service
  npuops.ascend.diagnose:
    services: [research]
  register: diagnosis

- name: Look at a server that is slow
  npuops.ascend.diagnose:
    metrics: ["http://127.0.0.1:8000"]
    samples: 20

- name: Write everything to an archive
  npuops.ascend.diagnose:
    bundle: /var/lib/npuops/support/support.tar.gz
    host: "{{ inventory_hostname }}"
"""

RETURN = r"""
findings:
  description: Known failures that were seen, the likely cause first.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: Name of the failure.
      type: str
    rank:
      description:
        - V(cause) is what to look at. V(consequence) often follows from another failure, perhaps of another node.
        - V(symptom) says that something died, not why. V(harmless) can be ignored.
      type: str
    cause:
      description: What it comes from.
      type: str
    remedy:
      description: What to do.
      type: str
    sources:
      description: Where this is known from. C(vllm-ascend#N) is an issue of vllm-project/vllm-ascend.
      type: list
      elements: str
    inferred:
      description: Whether cause or remedy were concluded, not read in the sources.
      type: bool
    count:
      description: How many lines show it, in all logs together.
      type: int
    line:
      description: The first of these lines, without secrets, cut when it is long.
      type: str
    kind:
      description:
        - Kind of log, one of V(message), V(container), V(journal), V(ray), V(plog), V(dmesg), V(file), V(metrics).
      type: str
    name:
      description: The file, the command or the address that shows it.
      type: str
    line_number:
      description: Number of the line in what was read, or null.
      type: int
    offset:
      description: Bytes before the line, when it stands after the part of a big file that was left out.
      type: int
    names:
      description: All logs that show it.
      type: list
      elements: str
healthy:
  description: Whether nothing was found but harmless lines. An unread log is no sign of health.
  returned: always
  type: bool
summary:
  description: The findings as lines for a reader.
  returned: always
  type: list
  elements: str
metrics:
  description:
    - What each server of O(metrics) counts, by its address. The keys are C(replies), C(first_token_s), C(per_token_s),
      C(block_size), C(running), C(tokens_per_s), C(jitter) and C(aicore_pct), null where it does not tell.
  returned: always
  type: dict
looked_at:
  description: Names of the logs that were read.
  returned: always
  type: list
  elements: str
unread:
  description: What could not be read, and why.
  returned: always
  type: list
  elements: str
bundle:
  description: The archive, or null.
  returned: always
  type: str
bundle_bytes:
  description: Its size.
  returned: when the archive was written
  type: int
left_out:
  description: Logs that found no room in the archive.
  returned: always
  type: list
  elements: str
"""

import http.client
import json
import time
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _support_bundle as support
from ..module_utils._diagnose import diagnose, healthy
from ..module_utils._diagnose_collect import Collector
from ..module_utils._diagnose_metrics import Sample, in_order, judge, parse, summary
from ..module_utils._diagnose_types import HARMLESS, Text
from ..module_utils._npu_smi import NpuSmi
from ..module_utils._redact import redact
from ..module_utils._run import VendorError


def npus_of(params, unread):
    """What C(npu-smi info) says, or None with a sentence in ``unread``."""
    try:
        return NpuSmi(params["npu_smi"], params["timeout"]).info()
    except VendorError as error:
        unread.append(str(error))
        return None


def use_of(info):
    """AICore of the chips that a process is on, in percent; null where the tool does not tell."""
    if info is None:
        return []
    held = {(process.npu_id, process.chip_id) for process in info.processes}
    return [chip.aicore_pct for chip in info.chips if held & {(chip.npu_id, chip.chip_id), (chip.npu_id, None)}]


def ask_metrics(url, timeout):
    """The text of a server's metrics; OSError or HTTPException when it gives none."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path.rstrip("/") + "/metrics")
        answer = connection.getresponse()
        text = answer.read(1 << 24).decode("utf-8", "replace")
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(0, f"answered {answer.status}")
    return text


def look(params, unread):
    """{address: numbers} of the servers, all of them asked at the same moments."""
    samples = {url: [] for url in params["metrics"]}
    used = []
    for number in range(params["samples"]):
        if number:
            time.sleep(params["interval"])
        for url in list(samples):
            try:
                text = ask_metrics(url, params["timeout"])
            except (OSError, http.client.HTTPException) as error:
                unread.append(f"{url}/metrics: {getattr(error, 'strerror', None) or error}")
                del samples[url]
                continue
            samples[url].append(Sample(time.monotonic(), parse(text)))
        if not samples:
            return {}
        # While requests run, not after.
        if number == params["samples"] // 2:
            used = use_of(npus_of(params, unread))
    return {url: summary(found, used) for url, found in samples.items()}


def bundle(params, collector, units, described, parts, result, known):
    """Write the archive: the logs in ``parts``, and what the node's tools and files say."""
    parts.update(support.answers(support.commands(params["npu_smi"], params["docker"]), params["timeout"]))
    phy_ids = [int(match) for match in support.PHY_ID.findall("\n".join(support.devices()))]
    parts.update(support.hccn_answers(params["hccn_tool"], sorted(phy_ids), params["timeout"]))
    parts.update(support.files())
    parts["docker/inspect.json"] = json.dumps(clean(described, known), indent=2)
    parts["report.txt"] = "\n".join([*result["summary"], "", "Not read:", *collector.unread, ""])
    parts["report.json"] = json.dumps(clean({**result, "units": units}, known), indent=2)
    result["bundle_bytes"] = support.write(params["bundle"], params["host"], parts, known)


def lines_of(findings):
    if not findings:
        return ["No known failure was found."]
    shown = []
    for number, finding in enumerate(findings, 1):
        first, *rest = finding.lines()
        shown += [f"{number}. {first}", *(" " + line for line in rest)]
    return shown


def main():
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "str", "default": []},
            "containers": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "path", "default": []},
            "messages": {"type": "list", "elements": "str", "default": []},
            "metrics": {"type": "list", "elements": "str", "default": []},
            "samples": {"type": "int", "default": 6},
            "interval": {"type": "float", "default": 1.0},
            "since": {"type": "int", "default": 86400},
            "limit_mb": {"type": "int", "default": 4},
            "bundle": {"type": "path"},
            "bundle_limit_mb": {"type": "int", "default": 64},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "host": {"type": "str", "default": "node"},
            "docker": {"type": "str", "default": "docker"},
            "npu_smi": {"type": "str", "default": "npu-smi"},
            "hccn_tool": {"type": "str", "default": "/usr/local/Ascend/driver/tools/hccn_tool"},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params
    for name in ("samples", "since", "limit_mb", "bundle_limit_mb", "timeout"):
        if params[name] < 1:
            module.fail_json(msg=f"{name} is {params[name]}. Give a number of at least 1.")
    if params["interval"] <= 0:
        module.fail_json(msg=f"interval is {params['interval']}. Give a number of seconds above 0.")
    collector = Collector(
        services=tuple(params["services"]),
        containers=tuple(params["containers"]),
        since=params["since"],
        limit=params["limit_mb"] << 20,
        timeout=params["timeout"],
        docker=params["docker"],
    )
    units, described = collector.units(), collector.described()
    known = collector.secrets(described) | set(params["secrets"])
    kept = support.Logs(params["bundle_limit_mb"] << 20)
    names = []

    def texts():
        for number, message in enumerate(params["messages"], 1):
            yield Text("message", f"message {number}", message)
        for text in collector.texts(units, described, params["paths"]):
            if text.name not in names:
                names.append(text.name)
            if params["bundle"] and not module.check_mode:
                kept.add(text)
            yield text

    findings = diagnose(texts())
    errors = any(finding.entry.rank != HARMLESS for finding in findings)
    seen = look(params, collector.unread) if params["metrics"] else {}
    for url, numbers in seen.items():
        findings += judge(url, numbers, errors)
    findings = in_order(findings)
    result = {
        "changed": False,
        "findings": [finding.to_dict() for finding in findings],
        "healthy": healthy(findings),
        "summary": lines_of(findings),
        "metrics": seen,
        "looked_at": names,
        "unread": collector.unread,
        "bundle": None,
        "left_out": kept.left,
    }
    if params["bundle"] and not module.check_mode:
        result["bundle"] = params["bundle"]
        result["changed"] = True
        try:
            bundle(params, collector, units, described, kept.parts, result, known)
        except OSError as error:
            module.fail_json(
                msg=f"The archive {params['bundle']} cannot be written: {error.strerror or error}. Give another path.",
                **clean(dict(result, changed=False, bundle=None), known),
            )
    module.exit_json(**clean(result, known))


def clean(value, known):
    """The result without secrets, in all its texts."""
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, list):
        return [clean(item, known) for item in value]
    if isinstance(value, dict):
        return {key: clean(item, known) for key, item in value.items()}
    return value


if __name__ == "__main__":
    main()

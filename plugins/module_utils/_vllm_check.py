# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(args) and C(env) of the vLLM services of an inventory, judged for the release of their image.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._services import DERIVED_ARGS, REFUSED_ARGS, Problem
from ._vllm_defaults import doubts
from ._vllm_lora import judge as judge_adapters
from ._vllm_lora import with_modules
from ._vllm_options import check


def check_services(services, image, left_out=()):
    """Judge what C(_services.check_shape) cannot, for it depends on the image.

    What is not even a service is passed over, for C(check_shape) says so.

    :arg services: C(ascend_services).
    :arg image: what vLLM services are served with; None leaves the options unchecked.
    :arg left_out: names of nodes; services on these alone are not judged.
    :returns: (problems, doubts), two lists of Problem.
    """
    faults, warnings = [], []
    for service in services:
        if not _is_judged(service, left_out):
            continue
        item = f"service '{service.get('name')}'"
        # Names of another form are a matter of the service's shape.
        args = {key: value for key, value in (service.get("args") or {}).items() if str(key).isidentifier()}
        args = with_modules(args)
        wrong, odd = check(args, image, (*DERIVED_ARGS, *REFUSED_ARGS)) if image and args else ([], [])
        wrong = [*wrong, *judge_adapters({**service, "args": args})]
        odd = [*odd, *doubts({**service, "args": args}, image)]
        faults.extend(Problem("inventory", item, text, remedy) for text, remedy in wrong)
        warnings.extend(Problem("inventory", item, text, remedy) for text, remedy in odd)
    return faults, warnings


def _is_judged(service, left_out):
    if not isinstance(service, dict) or service.get("engine") != "vllm":
        return False
    if not all(isinstance(service.get(key) or {}, dict) for key in ("args", "env")):
        return False
    hosts = service.get("hosts")
    return not (isinstance(hosts, list) and hosts and all(host in left_out for host in hosts))

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service gets a graph mode that the oldest driver of its nodes has, and nothing else is touched."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.npuops.ascend.plugins.filter.fitted_services import fitted_services

IMAGES = {"vllm": "quay.io/ascend/vllm-ascend:v0.23.0"}
SMALL = {"compilation_config": {"cudagraph_mode": "FULL_DECODE_ONLY"}}
HOSTVARS = {
    "new": {"ansible_facts": {"npu": {"driver_version": "25.5.1"}}},
    "old": {"ansible_facts": {"npu": {"driver_version": "25.5.0"}}},
    "unread": {},
}


def args_of(service, images=None, stack=None):
    return fitted_services([service], HOSTVARS, images or IMAGES, stack=stack)[0].get("args")


def service(*hosts, **more):
    return {"name": "chat", "engine": "vllm", "hosts": list(hosts), **more}


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        (service("new"), {}, None),
        (service("old"), {}, SMALL),
        (service("new", "old"), {}, SMALL),
        (service("unread"), {}, None),
        (service("unknown", "old"), {}, SMALL),
        (service("old", args={"max_model_len": 4096}), {}, {"max_model_len": 4096, **SMALL}),
        (service("old", args={"enforce_eager": True}), {}, {"enforce_eager": True}),
        (service("old"), {"stack": "26.1.0"}, None),
        (service("new"), {"stack": "25.5.0"}, SMALL),
        (service("old"), {"images": {"vllm": "quay.io/ascend/vllm-ascend:v0.18.0"}}, None),
        (service("old"), {"images": {"vllm": "registry.example/own:1"}}, None),
        (service("old", engine="mindie"), {}, None),
    ],
)
def test_arguments(given, options, expected):
    before = repr(given)
    assert args_of(given, **options) == expected
    assert repr(given) == before


@pytest.mark.parametrize(
    "services", [None, "chat", [None, 7, {"engine": "vllm", "hosts": "old"}, service("old", args=[])]]
)
def test_what_cannot_be_understood_stays_as_it_is(services):
    assert fitted_services(services, HOSTVARS, IMAGES) == services


def test_a_stack_that_is_none():
    with pytest.raises(AnsibleFilterError, match="fitted_services: stack: 'newest' is no version"):
        fitted_services([], HOSTVARS, IMAGES, stack="newest")

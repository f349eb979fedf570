# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role says of its variables is what it does: argument specs against defaults, prefixes, and playbooks."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(role, path):
    file = ROOT / "roles" / role / path
    return yaml.safe_load(file.read_text(encoding="utf-8")) or {} if file.exists() else {}


def test_there_are_roles():
    assert {"docker", "preflight", "ray", "vllm"} <= set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_the_argument_spec_has_the_defaults(role):
    options = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    told = {name: option.get("default") for name, option in options.items() if not option.get("required")}
    assert told == load(role, "defaults/main.yml")


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_mapping_may_be_given_where_it_is_the_default(role):
    """What a mapping must hold is checked as soon as it is given, and a playbook may give what is the default."""
    options = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    for name, option in options.items():
        if option.get("type") == "dict" and option.get("default") == {}:
            assert [key for key, value in (option.get("options") or {}).items() if value.get("required")] == [], name


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_has_a_spec(role):
    """An entry point is a task file that another role or a playbook includes by name."""
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    included = set()
    for file in [*ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]:
        text = file.read_text(encoding="utf-8")
        included |= set(re.findall(rf"name: npuops\.ascend\.{role}\n\s+tasks_from: (\w+)", text))
    assert included <= set(specs), included


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_roles_prefix(role):
    assert all(name.startswith(role + "_") for name in load(role, "defaults/main.yml"))
    assert all(name.startswith(f"__{role}_") for name in load(role, "vars/main.yml"))

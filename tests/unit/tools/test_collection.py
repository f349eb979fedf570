# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises between files of the collection, which no single linter sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/tasks/main.yml"))
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))


def load(path: Path) -> Any:
    """The YAML of a file; an empty file is an empty mapping."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def test_there_is_something_to_check():
    assert ROLES
    assert MODULES


def test_every_module_is_in_the_action_group():
    assert load(ROOT / "meta/runtime.yml")["action_groups"]["npu"] == MODULES


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_equal_the_argument_specs(role: Path):
    """Every argument stands in defaults, every default is documented, and where both state a value, they agree."""
    specs = load(role / "meta/argument_specs.yml")["argument_specs"]
    options = {name: option for entry in specs.values() for name, option in entry.get("options", {}).items()}
    defaults = load(role / "defaults/main.yml")
    assert sorted(defaults) == sorted(options)
    stated = {name: option["default"] for name, option in options.items() if "default" in option}
    assert stated == {name: defaults[name] for name in stated}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_arguments_carry_the_role_s_name(role: Path):
    for entry in load(role / "meta/argument_specs.yml")["argument_specs"].values():
        own = {name for name in entry.get("options", {}) if not name.startswith("ascend_")}
        assert {name for name in own if not name.startswith(f"{role.name}_")} == set()

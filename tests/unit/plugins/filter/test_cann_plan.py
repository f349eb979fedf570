# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.filter.cann_plan import cann_plan

ALL = ["nnal", "toolkit", "ops"]
OLD = "/usr/local/Ascend/ascend-toolkit/8.3.RC2"
FOUND = [
    {"component": "kernels", "version": "8.3.RC2", "path": OLD, "family": "A2"},
    {"component": "nnal", "version": "8.3.RC2", "path": "/usr/local/Ascend/nnal/atb/8.3.RC2", "family": None},
    {"component": "toolkit", "version": "8.3.RC2", "path": OLD, "family": None},
    {"component": "toolkit", "version": "8.5.0", "path": "/usr/local/Ascend/cann-8.5.0", "family": None},
]


def words(rows, *keys):
    return [" ".join(row[key] for key in keys) for row in rows]


def test_a_bare_node_gets_all_in_order():
    plan = cann_plan([], ["8.3.RC2", "8.5.0"], ALL)
    parts = ("toolkit", "ops", "nnal")
    assert words(plan["missing"], "version", "part") == [f"{version} {part}" for version in ("8.3.RC2", "8.5.0") for part in parts]  # fmt: skip  # noqa: E501
    assert (plan["home"], plan["login"]) == (None, "8.5.0")


def test_what_is_there_is_not_missing_in_whatever_case_and_under_the_old_word():
    plan = cann_plan(FOUND, ["8.3.rc2", "8.5.0"], ALL)
    assert words(plan["missing"], "version", "part") == ["8.5.0 ops", "8.5.0 nnal"]
    assert plan["surplus"] == []


def test_a_version_leaves_from_its_end():
    plan = cann_plan(FOUND, ["8.5.0"], ["toolkit"], ["8.3.rc2", "8.1.RC1"])
    assert words(plan["surplus"], "version", "component") == ["8.3.RC2 nnal", "8.3.RC2 kernels", "8.3.RC2 toolkit"]
    assert plan["missing"] == []


def test_where_the_environment_of_a_version_is():
    new = cann_plan(FOUND, ["8.3.RC2", "8.5.0"], ALL)
    assert (new["home"], new["own_script"], new["base"]) == ("/usr/local/Ascend/cann-8.5.0", True, "/usr/local/Ascend")
    old = cann_plan(FOUND, ["8.3.RC2", "8.5.0"], ALL, login="8.3.RC2")
    assert (old["home"], old["own_script"], old["base"]) == (OLD, False, "/usr/local/Ascend")


def test_nothing_wanted():
    assert cann_plan(FOUND, [], ALL) == {
        "missing": [], "surplus": [], "login": "", "home": None, "own_script": False, "base": None,
    }  # fmt: skip

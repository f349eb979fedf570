# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From what is wished of the RoCE ports of a node and what is there to a plan, or to refusals.

Pure. What is not declared stays. An address that is there changes only for NPUs that are named in ``reassign``.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_judge import Judge, drift_of
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_types import (
    DHCP,
    KEYS,
    NONE,
    ON_DEMAND,
    SETTINGS,
    Plan,
    Port,
    Step,
    conf_text,
    conf_values,
)

# The order in which the tool is asked: a gateway must lie in the network of the address that the NPU has then.
_ORDER = ("mtu", "ip", "gateway", "netdetect", "tls")


def declared(row: dict) -> dict:
    """``{setting: value}`` of an entry of the module's ``npus``. 0.0.0.0 as netdetect is None: none."""
    values = {setting: row[setting] for setting in SETTINGS if row.get(setting) is not None}
    if values.get("netdetect") == NONE:
        values["netdetect"] = None
    return values


def to_read(phy_ids, wanted: dict, conf: dict) -> dict:
    """``{phy id: settings}`` that must be asked for: tls and mtu only where they are declared or in hccn.conf."""
    return {
        phy_id: [
            setting
            for setting in SETTINGS
            if setting not in ON_DEMAND or setting in wanted.get(phy_id, ()) or KEYS[setting] in conf.get(phy_id, ())
        ]
        for phy_id in phy_ids
    }


def plan(
    wanted: dict,
    found: dict,
    conf: dict | None,
    host: str = "this node",
    family: str | None = None,
    vnic=None,
    reassign=(),
    recover: bool = False,
) -> Plan:
    """What to do for ``wanted`` ({phy id: {setting: value}}) on a node with ``found`` ({phy id: L(Found)}).

    ``conf`` is what hccn.conf has ({phy id: {key: value}}), None without such a file. ``vnic`` is an address of an
    internal port, as L(reserved) takes it.
    """
    entries = conf or {}
    judge = Judge(host, found, entries, conf is not None, family, vnic, frozenset(reassign))
    judge.named(wanted)
    expected = {
        phy_id: judge.wish(phy_id, wanted.get(phy_id, {})) if seen.port is not None else Port()
        for phy_id, seen in found.items()
    }
    wanted = {
        phy_id: values for phy_id, values in wanted.items() if found.get(phy_id) and found[phy_id].port is not None
    }
    drifts = {
        phy_id: drift_of(seen.port, entries.get(phy_id, {}), set(_with_netmask(wanted.get(phy_id, {}))))
        for phy_id, seen in found.items()
        if seen.port is not None
    }
    recovers = recover and any(drifts.values())
    if recovers:
        expected = {
            phy_id: _recovered(port, entries.get(phy_id, {}), set(_with_netmask(wanted.get(phy_id, {}))), found[phy_id])
            for phy_id, port in expected.items()
        }
    judge.changes(wanted, expected)
    judge.node(expected, recovers)

    must_have = {
        phy_id: {
            KEYS[setting]: conf_text(setting, getattr(expected[phy_id], setting)) for setting in _with_netmask(values)
        }
        for phy_id, values in wanted.items()
        if values
    }
    steps, waves = _steps(expected, found), ()
    if recovers:
        steps = _lines_step(_missing(must_have, entries)) + [Step(None, "recovery", None, None)]
    else:
        waves = judge.waves(expected, sorted({step.phy_id for step in steps}))
        # What the tool sets it writes into the file itself.
        by_tool = {(step.phy_id, key) for step in steps for key in _keys_of(step)}
        steps += _lines_step([line for line in _missing(must_have, entries) if line not in by_tool])
    refusals = tuple(judge.refusals)
    if refusals:
        return Plan(refusals, (), (), expected, conf=must_have)
    problems = judge.problems(expected, must_have, {} if recovers else drifts)
    return Plan(
        (),
        tuple(problems),
        tuple(steps),
        expected,
        waves,
        must_have,
        conf_first=recovers or (conf is None and bool(steps)),
    )


def _recovered(port: Port, entries: dict, ours: set, seen) -> Port:
    """``port`` after the tool has applied hccn.conf, into which all that is declared has been written before."""
    if seen.port is None:
        return port
    values = {
        setting: value
        for setting, value in conf_values(entries).items()
        if setting not in ours and not seen.lacks(setting) and not (DHCP in entries and setting not in ON_DEMAND)
    }
    return replace(port, **values)


def _steps(expected: dict, found: dict) -> list:
    """What the tool must be asked to set, NPU by NPU."""
    steps = []
    for phy_id, port in sorted(expected.items()):
        before = found[phy_id].port
        if before is None:
            continue
        for setting in _ORDER:
            if getattr(port, setting) != getattr(before, setting):
                name = "address" if setting == "ip" else setting
                steps.append(Step(phy_id, name, getattr(before, setting), getattr(port, setting)))
    return steps


def _with_netmask(values: dict) -> list:
    """The settings of ``values``; address and netmask only together."""
    both = {"address", "netmask"} if "address" in values or "netmask" in values else set()
    return [setting for setting in SETTINGS if setting in values or setting in both]


def _keys_of(step: Step) -> tuple:
    return ("address", "netmask") if step.setting == "address" else (KEYS[step.setting],)


def _missing(must_have: dict, entries: dict) -> list:
    """(phy id, key) of what hccn.conf does not say yet."""
    return [
        (phy_id, key)
        for phy_id, values in sorted(must_have.items())
        for key, value in values.items()
        if entries.get(phy_id, {}).get(key) != value
    ]


def _lines_step(lines: list) -> list:
    return [Step(None, "hccn_conf", None, ", ".join(f"{key}_{phy_id}" for phy_id, key in lines))] if lines else []


__all__ = ["declared", "plan", "to_read"]

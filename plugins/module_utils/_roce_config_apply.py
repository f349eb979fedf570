# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Carry out a plan for the RoCE ports of a node, and take it back when a step fails.

What counts is what the machine shows after the steps of an NPU; what the tool says is only the reason that is given
when it does not show the change. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from functools import partial

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_conf import merge, parse_conf
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_tool import HccnUnsupported
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_types import (
    SETTINGS,
    Found,
    Plan,
    Port,
    shown,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run import ToolNotFound, VendorError, side_by_side

# Keys that the tool removes by itself when an address moves to another network, because they would not work there.
_GO_WITH_THE_ADDRESS = ("gateway", "route", "ip_route", "ip_rule")

# The tool brings NPUs back one after the other; seconds for each.
_RECOVERY_OF_ONE = 20.0


class StepFailed(VendorError):
    """A change that the machine does not show."""


class Failed(Exception):
    """A plan that was not carried out. ``cause`` is the L(VendorError).

    ``restored``: the state before is back. Otherwise ``problems`` say why not, and ``standing`` what there is now.
    """

    def __init__(self, cause: VendorError, undone: bool, problems, standing) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.undone = undone
        self.problems = tuple(problems)
        self.standing = tuple(standing)

    @property
    def restored(self) -> bool:
        return not self.problems

    @property
    def sentence(self) -> str:
        first = _ended(str(self.cause))
        if self.restored:
            done = (
                "What had been done was taken back, the state before stands" if self.undone else "Nothing was changed"
            )
            return f"{first} {done}."
        return (
            f"{first} Not all that had been done could be taken back: {' '.join(map(_ended, self.problems))} "
            f"Now stands: {'; '.join(self.standing)}. The next run goes on from there."
        )


def read_ports(tool, settings: dict) -> dict:
    """``{phy id: L(Found)}`` for ``{phy id: settings to ask for}``, side by side. One that fails stops no other."""
    jobs = {phy_id: [partial(_read, tool, phy_id, names)] for phy_id, names in settings.items()}
    return {phy_id: found for phy_id, (found,) in side_by_side(jobs, workers=max(1, len(jobs))).items()}


def _read(tool, phy_id: int, names) -> Found:
    try:
        ip = tool.get_ip(phy_id)
        gateway = tool.get_gateway(phy_id)
        values = {
            "address": ip and ip.ipaddr,
            "netmask": ip and ip.netmask,
            "gateway": gateway and gateway.default_gateway,
            "netdetect": tool.get_netdetect(phy_id),
        }
        without = []
        for setting, ask in (
            ("tls", lambda: bool(tool.get_tls(phy_id).tls_switch)),
            ("mtu", lambda: tool.get_mtu(phy_id)),
        ):
            if setting not in names:
                continue
            try:
                values[setting] = ask()
            except HccnUnsupported as error:
                without.append((setting, error.reason))
    except ToolNotFound:
        raise  # then no NPU answers, and it is none's fault
    except VendorError as error:
        ran = f"{error.command.shown}: " if error.command is not None else ""
        return Found(None, ran + error.reason.rstrip("."), error.remedy.rstrip("."))
    return Found(Port(**values), without=tuple(without))


class Work:
    """One run. ``found`` is what the plan was made from, ``names`` the settings to read again ({phy id: settings}).

    ``before`` is the text of hccn.conf, None without the file. ``ports`` is what the NPUs have, as far as it was read.
    """

    def __init__(self, tool, conf, plan: Plan, found: dict, names: dict, before: str | None) -> None:
        self.tool = tool
        self.conf = conf
        self.plan = plan
        self.found = found
        self.names = names
        self.before = before
        self.ports = {phy_id: seen.port for phy_id, seen in found.items()}
        self.touched: list = []  # waves of NPUs, in the order in which they were begun
        self.file_touched = False

    def run(self) -> None:
        """Make all changes, or raise L(Failed) with the state before (or an account of what stands)."""
        try:
            if self.plan.conf_first:
                self.file_touched = True
                self.conf.change(lambda text: merge(text, self.plan.conf))
            if self.plan.recovers:
                self._recover()
            for wave in self.plan.waves:
                self.touched.append(wave)
                self.file_touched = True
                self._wave(wave)
            self._settle_file()
        except VendorError as error:
            undone, problems = self._take_back()
            raise Failed(error, undone, problems, self._standing() if problems else ()) from error

    def _recover(self) -> None:
        self.touched.append(tuple(sorted(self.found)))
        answer = self.tool.recovery(timeout=max(self.tool.timeout, _RECOVERY_OF_ONE * len(self.found)))
        if not answer.ok:
            raise StepFailed(
                f"hccn_tool -a -cfg recovery failed: {answer.message}",
                "See /var/log/hccn_tool/hccn_config.log for the line of hccn.conf that cannot be set",
            )
        self._look(self.found)
        for phy_id in sorted(self.found):
            self._compare(phy_id, "hccn_tool -a -cfg recovery succeeded")

    def _wave(self, wave) -> None:
        """Change the NPUs of a wave side by side. All of them end before the first failure is raised."""
        jobs = {phy_id: [partial(self._change, phy_id)] for phy_id in wave}
        outcomes = side_by_side(jobs, workers=max(1, len(jobs)))
        failures = [error for (error,) in outcomes.values() if error is not None]
        if failures:
            raise failures[0]

    def _change(self, phy_id: int):
        """Make the steps of one NPU and read it again; the L(VendorError) if that went wrong."""
        port = self.plan.expected[phy_id]
        try:
            for step in self.plan.of_npu(phy_id):
                result = self._set(phy_id, step.setting, port)
                if not result.ok:
                    raise StepFailed(
                        f"{step} failed: hccn_tool answered {result.message!r}", _remedy(phy_id), result.command
                    )
                if step.setting == "address" and port.gateway is not None:
                    self._keep_gateway(phy_id, port)
            self._look([phy_id])
            self._compare(phy_id, "hccn_tool said that it was done")
        except VendorError as error:
            return error
        return None

    def _keep_gateway(self, phy_id: int, port: Port) -> None:
        """A new address can cost the gateway, also one that need not change."""
        if any(step.setting == "gateway" for step in self.plan.of_npu(phy_id)):
            return
        now = self.tool.get_gateway(phy_id)
        if now is None or now.default_gateway != port.gateway:
            self.tool.set_gateway(phy_id, port.gateway)

    def _set(self, phy_id: int, setting: str, port: Port):
        if setting == "address":
            return self.tool.set_ip(phy_id, port.address, port.netmask)
        return getattr(self.tool, f"set_{setting}")(phy_id, getattr(port, setting))

    def _look(self, phy_ids) -> None:
        for phy_id, seen in read_ports(self.tool, {phy_id: self.names[phy_id] for phy_id in phy_ids}).items():
            self.ports[phy_id] = seen.port
            if seen.port is None:
                raise StepFailed(f"phy id {phy_id} cannot be read any more: {seen.error}", _remedy(phy_id))

    def _compare(self, phy_id: int, said: str) -> None:
        wrong = _differences(self.ports[phy_id], self.plan.expected[phy_id])
        if wrong:
            raise StepFailed(f"phy id {phy_id} shows {wrong} after the change, though {said}", _remedy(phy_id))

    def _settle_file(self) -> None:
        """See that hccn.conf says what it must, and that the tool has lost nothing else of it."""

        def settled(text: str) -> str:
            if self.before is not None and self._lost(text):
                text = self.before
            return merge(text, self.plan.conf)

        if self.plan.steps:
            self.file_touched = True
            self.conf.change(settled)

    def _lost(self, text: str) -> bool:
        """Whether settings have gone from the file that nobody meant to remove."""
        now = parse_conf(text)
        for phy_id, values in parse_conf(self.before).items():
            seen = self.found.get(phy_id)
            moved = seen is not None and seen.port is not None and seen.port.ip != self.plan.expected[phy_id].ip
            for key in values:
                if key not in now.get(phy_id, {}) and not (moved and key.startswith(_GO_WITH_THE_ADDRESS)):
                    return True
        return False

    def _take_back(self) -> tuple:
        """(whether there was anything to undo, problems). The last wave first; one NPU's failure stops no other."""
        problems: list = []
        undone = False
        for wave in reversed(self.touched):
            jobs = {phy_id: [partial(self._restore, phy_id)] for phy_id in wave if self.found[phy_id].port is not None}
            for ((did, trouble),) in side_by_side(jobs, workers=max(1, len(jobs))).values():
                undone = undone or did
                problems += trouble
        try:
            undone = self._restore_file() or undone
        except VendorError as error:
            problems.append(str(error))
        return undone, problems

    def _restore(self, phy_id: int) -> tuple:
        """(whether something had to be undone, problems) of one NPU."""
        before = self.found[phy_id].port
        seen = read_ports(self.tool, {phy_id: self.names[phy_id]})[phy_id]
        self.ports[phy_id] = seen.port
        if seen.port is None:
            return True, [f"phy id {phy_id} cannot be read: {seen.error}"]
        if seen.port == before:
            return False, []
        try:
            for setting in ("mtu", "address", "gateway", "netdetect", "tls"):
                now = self.ports[phy_id]
                name = "ip" if setting == "address" else setting
                wanted = getattr(before, name)
                if getattr(now, name) == wanted or (wanted is None and setting != "netdetect"):
                    continue
                self._set(phy_id, setting, before)
                if setting == "address":
                    self._look([phy_id])
            self._look([phy_id])
        except VendorError as error:
            return True, [str(error)]
        wrong = _differences(self.ports[phy_id], before)
        return True, [f"phy id {phy_id} shows {wrong}{_cannot_unset(before, self.ports[phy_id])}"] if wrong else []

    def _restore_file(self) -> bool:
        if not self.file_touched:
            return False
        if self.before is None:
            there = self.conf.read() is not None
            if there:
                self.conf.remove()
            return there
        return self.conf.change(lambda text: self.before)

    def _standing(self) -> list:
        phy_ids = sorted({phy_id for wave in self.touched for phy_id in wave})
        return [f"phy id {phy_id} {_carries(self.ports[phy_id])}" for phy_id in phy_ids] or [
            "hccn.conf was being written"
        ]


def _differences(now: Port, wanted: Port) -> str:
    pairs = [(setting, getattr(now, setting), getattr(wanted, setting)) for setting in SETTINGS]
    return ", ".join(f"{name} {shown(have)} instead of {shown(want)}" for name, have, want in pairs if have != want)


def _cannot_unset(before: Port, now: Port) -> str:
    kept = [name for name in ("address", "gateway") if getattr(before, name) is None and getattr(now, name) is not None]
    if not kept:
        return ""
    return f" (hccn_tool cannot take an {' or '.join(kept)} away; it goes with the next restart)".replace(
        "an gateway", "a gateway"
    )


def _carries(port: Port | None) -> str:
    if port is None:
        return "cannot be read"
    return "has " + ", ".join(
        f"{name} {shown(getattr(port, name))}" for name in ("address", "netmask", "gateway", "netdetect")
    )


def _remedy(phy_id: int) -> str:
    return f"Try it by hand (hccn_tool -i {phy_id} ...), and see /var/log/hccn_tool/hccn_config.log and dmesg"


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(".") else sentence + "."


__all__ = ["Failed", "StepFailed", "Work", "read_ports"]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the RoCE ports of a node: NPUs side by side, on one NPU one question after the other, then its pings.

An NPU that does not answer costs its own results only. After the first question that it left unanswered in time it is
not asked again, because every further one would wait as long.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import functools
import threading
from typing import NamedTuple

from ._hccn_tool import HccnBusy, HccnTool, HccnUnsupported
from ._roce_check_bandwidth import measure
from ._roce_check_clock import Clock, Over
from ._roce_check_types import PORT_CHECKS, NoAnswer, Port
from ._run import ToolNotFound, ToolTimeout, VendorError, side_by_side

_SICK = (
    "look at its health with `npu-smi info -t health` and at dmesg; one that is starting answers within 300 s, "
    "any other needs a reset or a restart of the node"
)
_PING_VALUES = ("transmitted", "received", "loss_pct", "avg_ms", "max_ms", "unreachable", "too_long")


class Machine:
    """What npu-smi tells of the node. It is read while the ports are asked, or before that for the ids of the NPUs.

    :ivar chips: {phy_id: chip as in npu_info}. :ivar nameless: how many chips there are whose phy id is not known.
    :ivar driver_version: None if unknown, as C(family) is.
    :ivar error: L(VendorError) of npu-smi, None if it answered or was not asked.
    :ivar pods: {phy_id: its C(sdid) and C(super_pod_id)}, on Atlas A3 only.
    :ivar pod_errors: {phy_id: L(VendorError)} where that could not be read.
    """

    def __init__(self, read=None, read_pod=None) -> None:
        self._read = read
        self._read_pod = read_pod
        self._done = threading.Event()
        self.chips: dict = {}
        self.nameless = 0
        self.driver_version = None
        self.family = None
        self.error: VendorError | None = None
        self.pods: dict = {}
        self.pod_errors: dict = {}
        if read is None:
            self._done.set()

    @property
    def pending(self) -> bool:
        return not self._done.is_set()

    def read(self) -> Machine:
        if self.pending:
            try:
                found = self._read()
                self.driver_version = found["driver_version"]
                self.chips = {chip["phy_id"]: chip for chip in found["chips"] if chip["phy_id"] is not None}
                self.nameless = len(found["chips"]) - len(self.chips)
                self.family = found["family"]
            except VendorError as error:
                self.error = error
            finally:
                self._done.set()
        return self

    def read_pods(self, phy_ids) -> None:
        """Who these NPUs are in their super pod: a command for each, those of different cards side by side."""
        self.read()
        if self._read_pod is None or self.family != "A3":
            return
        jobs: dict = {}
        for phy_id in sorted(set(phy_ids) & set(self.chips)):
            card = jobs.setdefault(self.chips[phy_id]["npu_id"], [])
            card.append(functools.partial(self._ask_pod, phy_id))
        side_by_side(jobs, workers=len(jobs))

    def _ask_pod(self, phy_id: int) -> None:
        try:
            self.pods[phy_id] = self._read_pod(self.chips[phy_id])
        except VendorError as error:
            self.pod_errors[phy_id] = error

    @property
    def super_pod_id(self) -> int | None:
        """That of all NPUs; None if there is none, or they do not agree."""
        ids = {pod["super_pod_id"] for pod in self.pods.values()}
        return ids.pop() if len(ids) == 1 else None

    def family_known(self, seconds: float) -> str | None:
        """The family of the chips, as soon as npu-smi has answered; None if it does not within ``seconds``."""
        self._done.wait(min(seconds, threading.TIMEOUT_MAX))
        return self.family


class Conversation:
    """All that is asked of one NPU. ``tool`` is its own L(HccnTool), so that its timeout can follow the clock."""

    def __init__(self, phy_id: int, tool: HccnTool, clock: Clock, timeout: float) -> None:
        self.phy_id = phy_id
        self.tool = tool
        self.clock = clock
        self.timeout = timeout
        self.values: dict = {}
        self.no_answers: list = []
        self.unsupported: list = []
        self.pings: dict = {}
        self.tests: dict = {}
        self.ended: NoAnswer | None = None

    def ask(self, check: str, machine: Machine) -> None:
        if self.ended is not None:
            return
        if check == "vnic" and machine.family_known(min(self.timeout, self.clock.left())) not in ("A3", None):
            return
        try:
            answer = self._within_time(getattr(self.tool, f"get_{check}"))
        except HccnUnsupported:
            self.unsupported.append(check)
        except ToolNotFound:
            raise
        except (VendorError, Over) as error:
            self.no_answers.append(self._no_answer(check, error))
        else:
            self.values[check] = answer.to_dict() if hasattr(answer, "to_dict") else answer

    def ping(self, index: int, wish: dict, how: dict, slot: float) -> None:
        """Try one ping, not before ``slot`` seconds after the beginning; the result goes into C(pings).

        :arg wish: mapping with round, phy_id, peer, peer_phy_id and address, and maybe a size of its own.
        :arg how: the method of the tool as C(tool), and its keyword arguments as C(options).
        """
        result = {**wish, **dict.fromkeys(_PING_VALUES), "error": None, "remedy": None, "duration_s": 0.0}
        result.update(unreachable=False, too_long=False)
        self.pings[index] = result
        if self.ended is not None:
            result.update(error=f"not tried: the NPU {self.ended.reason}", remedy=self.ended.remedy)
            return
        began = None
        try:
            self.clock.sleep(slot - self.clock.elapsed())
            began = self.clock.elapsed()
            options = how["options"] if wish.get("size") is None else {**how["options"], "size": wish["size"]}
            answer = self._within_time(getattr(self.tool, how["tool"]), wish["address"], **options)
            result.update((key, getattr(answer, key)) for key in _PING_VALUES)
        except ToolNotFound:
            raise
        except (VendorError, Over) as error:
            missing = self._no_answer("ping", error)
            result.update(
                error=f"the NPU {missing.reason}" if missing.silent else missing.reason, remedy=missing.remedy
            )
        if began is not None:
            result["duration_s"] = round(self.clock.elapsed() - began, 3)

    def measure(self, index: int, wish: dict, seconds: float) -> None:
        """One side of a bandwidth test; the result goes into C(tests)."""
        self.tests[index] = measure(self, wish, seconds)

    def _within_time(self, method, *arguments, **options):
        left = self.clock.left()
        if left <= 0:
            raise Over
        self.tool.timeout = min(self.timeout, left)
        return method(self.phy_id, *arguments, **options)

    def _no_answer(self, check: str, error: Exception) -> NoAnswer:
        """The error as a missing answer; after those that took long already, the NPU is not asked again."""
        if isinstance(error, Over):
            why = f"was not asked for {check} and what comes after it: {self.clock.deadline:g} s were over (deadline)"
            self.ended = NoAnswer(check, why, "see which NPU or tool is slow, or raise the deadline", True)
        elif isinstance(error, ToolTimeout):
            why = f"gave no answer within {self.tool.timeout:g} s to `{_typed(error)}`, and was not asked further"
            self.ended = NoAnswer(check, why, _SICK, True)
        elif isinstance(error, HccnBusy):
            why = f"did not answer `{_typed(error)}`: {error.reason}"
            self.ended = NoAnswer(check, why, error.remedy.rstrip("."), True)
        else:
            return NoAnswer(check, error.reason, error.remedy.rstrip("."))
        return self.ended

    def port(self, machine: Machine) -> Port:
        chip = machine.chips.get(self.phy_id, {})
        return Port(
            self.phy_id,
            chip.get("npu_id"),
            chip.get("chip_id"),
            dict(self.values),
            tuple(self.no_answers),
            tuple(self.unsupported),
        )


class Examined(NamedTuple):
    """``ports`` are L(Port), ``pings`` and ``tests`` in the order given, ``complaints`` what is odd but no failure."""

    ports: tuple
    pings: list
    tests: list
    complaints: list


def examine(phy_ids, checks, pings, tests, machine: Machine, clock: Clock, tool: dict, how: dict) -> Examined:
    """Ask all NPUs, run their pings, and then their bandwidth tests.

    :arg checks: of L(PORT_CHECKS), in any order. :arg pings: mappings as for L(Conversation.ping).
    :arg tests: mappings as for L(measure). :arg tool: C(path), C(timeout) and C(container) of L(HccnTool).
    :arg how: of the pings; C(round_s) is the length of a round, C(test_s) the time a bandwidth test has.
    Raises L(ToolNotFound) if there is no hccn_tool; whatever else goes wrong is in the answer.
    """
    checks = [check for check in PORT_CHECKS if check in checks]
    talks = {
        phy_id: Conversation(phy_id, HccnTool(**tool, sleep=clock.sleep), clock, tool["timeout"])
        for phy_id in sorted({*phy_ids, *(wish["phy_id"] for wish in (*pings, *tests))})
    }
    jobs: dict = {"machine": [functools.partial(machine.read_pods, phy_ids)]}
    for phy_id, talk in talks.items():
        asked = checks if phy_id in phy_ids else ()
        jobs[phy_id] = [functools.partial(talk.ask, check, machine) for check in asked]
        mine = sorted((ping["round"], index) for index, ping in enumerate(pings) if ping["phy_id"] == phy_id)
        jobs[phy_id] += [
            functools.partial(talk.ping, index, pings[index], how, turn * how["round_s"]) for turn, index in mine
        ]
        jobs[phy_id] += [
            functools.partial(talk.measure, index, wish, how["test_s"])
            for index, wish in enumerate(tests)
            if wish["phy_id"] == phy_id
        ]
    side_by_side(jobs, workers=len(jobs))
    pinged = {index: result for talk in talks.values() for index, result in talk.pings.items()}
    tested = {index: result for talk in talks.values() for index, result in talk.tests.items()}
    return Examined(
        tuple(talks[phy_id].port(machine) for phy_id in sorted(phy_ids)),
        [pinged[index] for index in range(len(pings))],
        [tested[index] for index in range(len(tests))],
        [complaint for talk in talks.values() for complaint in talk.tool.complaints if "ping -g" not in complaint],
    )


def _typed(error: VendorError) -> str:
    """The command as one would type it, without the folder of the tool."""
    words = error.command.argv if error.command is not None else ()
    return " ".join(("hccn_tool", *words[1:]))


__all__ = ["Conversation", "Examined", "Machine", "examine"]

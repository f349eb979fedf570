# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to one NPU: what ends a conversation, and what a deadline does; no time passes."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _roce_check_bandwidth as bandwidth
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_perftest import RoceTest
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_tool import (
    HccnBusy,
    HccnReported,
    HccnUnsupported,
    Ping,
    SetResult,
)
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_clock import Clock
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_run import Conversation, Machine
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed, ToolNotFound, ToolTimeout


class Time:
    """A clock that goes on when something sleeps."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Tool:
    """Answers of hccn_tool by method, in their order; each takes a second. An exception is raised."""

    def __init__(self, time, **answers):
        self.time = time
        self.answers = {name: list(given) for name, given in answers.items()}
        self.calls = []
        self.timeout = None
        self.complaints = []

    def __getattr__(self, name):
        def call(phy_id, *arguments, **options):
            self.calls.append((name, *arguments))
            self.time.now += 1
            given = self.answers[name]
            answer = given.pop(0) if len(given) > 1 else given[0]
            if isinstance(answer, Exception):
                answer.command = Completed(("/x/hccn_tool", "-i", str(phy_id), "-link", "-g"), 0, "", "", 1.0)
                raise answer
            return answer

        return call


GOOD = Ping(3, "10.77.2.13", 3, 3, 0.0, (0.1, 0.2, 0.3))
WISH = {"round": 0, "phy_id": 3, "peer": "node2", "peer_phy_id": 3, "address": "10.77.2.13"}
HOW = {"tool": "ping", "options": {"packets": None, "size": None}}


@pytest.fixture
def time():
    return Time()


def talk_to(time, deadline=None, timeout=30, **answers):
    return Conversation(3, Tool(time, **answers), Clock(deadline, time, time.sleep), timeout)


def test_answers_become_plain_values(time):
    talk = talk_to(time, get_link=["UP"], get_ip=[None])
    talk.ask("link", Machine())
    talk.ask("ip", Machine())
    assert talk.port(Machine()).values == {"link": "UP", "ip": None}


@pytest.mark.parametrize("error", [ToolTimeout("did not end", "raise it"), HccnBusy("busy", "wait.")])
def test_what_took_long_ends_the_conversation(time, error):
    talk = talk_to(time, get_link=[error], get_ip=[None], ping=[GOOD])
    talk.ask("link", Machine())
    talk.ask("ip", Machine())
    talk.ping(0, WISH, HOW, 0)
    assert [call[0] for call in talk.tool.calls] == ["get_link"]
    (missing,) = talk.port(Machine()).no_answers
    assert missing.silent and "`hccn_tool -i 3 -link -g`" in missing.reason
    assert talk.pings[0]["error"].startswith("not tried") and talk.pings[0]["transmitted"] is None


def test_a_refusal_does_not_end_it(time):
    talk = talk_to(time, get_link=[HccnReported("failed", "look.")], get_ip=[HccnUnsupported("no", "do without")])
    talk.ask("link", Machine())
    talk.ask("ip", Machine())
    port = talk.port(Machine())
    assert [(missing.check, missing.silent) for missing in port.no_answers] == [("link", False)]
    assert port.unsupported == ("ip",)


def test_a_missing_tool_is_no_matter_of_one_npu(time):
    talk = talk_to(time, get_link=[ToolNotFound("cannot be run", "install it")], ping=[ToolNotFound("gone", "install")])
    with pytest.raises(ToolNotFound):
        talk.ask("link", Machine())
    with pytest.raises(ToolNotFound):
        talk.ping(0, WISH, HOW, 0)


def test_the_last_command_gets_what_is_left_until_the_deadline(time):
    talk = talk_to(time, deadline=2.5, timeout=30, get_link=["UP"], get_ip=[None], get_tls=[None], get_speed=[1])
    for check in ("link", "ip", "tls", "speed"):
        talk.ask(check, Machine())
    assert talk.tool.timeout == 0.5
    (missing,) = talk.port(Machine()).no_answers
    assert missing.check == "speed" and "2.5 s were over" in missing.reason


def test_a_round_that_begins_after_the_deadline_is_not_waited_for(time):
    talk = talk_to(time, deadline=10, ping=[GOOD])
    talk.ping(0, WISH, HOW, 60)
    assert time.now == 100
    assert "(deadline)" in talk.pings[0]["error"]


def test_a_ping_waits_for_its_slot(time):
    talk = talk_to(time, ping=[GOOD])
    talk.ping(0, WISH, HOW, 4)
    assert time.now == 105
    assert talk.pings[0] == {
        **WISH, "transmitted": 3, "received": 3, "loss_pct": 0.0, "avg_ms": 0.2, "max_ms": 0.3,
        "unreachable": False, "too_long": False, "error": None, "remedy": None, "duration_s": 1.0,
    }  # fmt: skip


def test_vnics_are_not_asked_of_other_families(time):
    machine = Machine(lambda: {"driver_version": "25.2.0", "family": "A2", "chips": []}).read()
    talk = talk_to(time, get_vnic=[None])
    talk.ask("vnic", machine)
    assert talk.tool.calls == []
    talk.ask("vnic", Machine())  # nobody knows the family: the tool will tell
    assert talk.tool.calls == [("get_vnic",)]


class TestBandwidth:
    FAST = RoceTest(65536, 1000, 23302.26, "MB/sec", 0.37)
    REFUSED = HccnReported("Couldn't connect", "start the receiver.")

    def wish(self, role):
        return {
            "phy_id": 3, "role": role, "peer": "node2", "peer_phy_id": 3, "address": "10.77.2.13",
            "test": "ib_send_bw", "size": 65536, "iterations": 1000,
        }  # fmt: skip

    def test_a_receiver_begins_at_once_and_is_reset(self, time):
        talk = talk_to(time, roce_test=[self.FAST], roce_test_reset=[SetResult(True, "ok")])
        result = bandwidth.measure(talk, self.wish("receiver"), 60)
        assert talk.tool.calls == [("roce_test", "ib_send_bw", None), ("roce_test_reset",)]
        assert (result["gbits"], result["error"], result["duration_s"]) == (195.474, None, 2.0)
        assert bandwidth.bandwidth_problem(result) is None

    def test_a_sender_waits_and_tries_until_its_receiver_is_there(self, time):
        talk = talk_to(time, roce_test=[self.REFUSED, self.REFUSED, self.FAST], roce_test_reset=[SetResult(True, "ok")])
        result = bandwidth.measure(talk, self.wish("sender"), 60)
        assert [call[0] for call in talk.tool.calls] == ["roce_test"] * 3 + ["roce_test_reset"]
        assert talk.tool.calls[0] == ("roce_test", "ib_send_bw", "10.77.2.13")
        assert result["gbits"] == 195.474
        assert result["duration_s"] == bandwidth.HEAD_START_S + 2 * bandwidth.RETRY_S + 4

    def test_a_sender_without_receiver_gives_up_and_is_reset(self, time):
        talk = talk_to(time, roce_test=[self.REFUSED], roce_test_reset=[SetResult(True, "ok")])
        result = bandwidth.measure(talk, self.wish("sender"), 20)
        assert "Couldn't connect" in result["error"] and result["duration_s"] <= 22
        assert talk.tool.calls[-1] == ("roce_test_reset",)
        assert bandwidth.bandwidth_problem(result)[0].startswith("has no bandwidth to phy id 3 of node2: ")

    def test_a_receiver_without_sender_is_not_sick(self, time):
        talk = talk_to(time, roce_test=[ToolTimeout("long", "x")], roce_test_reset=[SetResult(True, "ok")])
        result = bandwidth.measure(talk, self.wish("receiver"), 20)
        assert result["error"] == "no sender came within 20 s"
        assert talk.ended is None
        assert talk.tool.calls[-1] == ("roce_test_reset",)

    def test_a_reset_that_fails_is_said(self, time):
        talk = talk_to(time, roce_test=[self.FAST], roce_test_reset=[SetResult(False, "Cmd execute failed!")])
        result = bandwidth.measure(talk, self.wish("receiver"), 20)
        assert result["gbits"] == 195.474
        assert result["error"] == "the test was not reset: Cmd execute failed!"
        assert "-roce_test reset" in result["remedy"]

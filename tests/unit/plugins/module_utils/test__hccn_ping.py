# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_ping import (
    Ping,
    parse_hccs_ping,
    parse_ping,
    parse_pings,
)
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import HccnParseError, HccnReported

HCCS = """\
device 3 PING 192.168.8.12

This pkt ping success!
recv seq 0, time = 12.345us, L1 plane check result = 0x0

This pkt check recv msg fail!
recv seq 1, time = 0.000us, L1 plane check result = 0x0

This pkt ping success!
recv seq 2, time = 20.000us, L1 plane check result = 0x0

3 packets transmitted, 2 received, 33.33% packets loss
max time 20.000us
min time 12.345us
average time 16.172us
TP95 time 20.000us
"""


def test_hccs_ping_counts_only_what_came_back():
    found = parse_hccs_ping(HCCS)
    assert found == Ping(3, "192.168.8.12", 3, 2, 33.33, (0.012345, 0.02), timeouts=1)
    assert not found.ok
    assert found.max_ms == 0.02
    assert found.avg_ms == 0.016172


@pytest.mark.parametrize("word", ["This pkt send fail!", "This pkt ping not start to send!"])
def test_hccs_ping_that_was_not_sent(word):
    text = f"device 0 PING 192.168.8.1\n\n{word}\nrecv seq 0, time = 0.000us, L1 plane check result = 0x0\n"
    found = parse_hccs_ping(text + "1 packets transmitted, 0 received, 100.00% packets loss\nmax time 0.000us\n")
    assert (found.received, found.timeouts, found.times_ms, found.avg_ms, found.max_ms) == (0, 1, (), None, None)


def test_loss_is_an_answer_although_the_tool_fails():
    text = "device 1 PING 10.0.0.9\n" + "".join(f"recv time out seq={seq}\n" for seq in range(3))
    found = parse_ping(text + "3 packets transmitted, 0 received, 100.00% packet loss\nCmd execute failed!\n")
    assert found == Ping(1, "10.0.0.9", 3, 0, 100.0, (), timeouts=3)


def test_unreachable_and_too_long():
    host = parse_ping(
        "device 1 PING 10.0.0.9\nDestination Host Unreachable seq=0\nDestination Host Unreachable seq=1\n"
    )
    assert (host.transmitted, host.received, host.loss_pct, host.unreachable, host.too_long) == (
        2,
        0,
        100.0,
        True,
        False,
    )
    long = parse_ping("device 1 PING 10.0.0.9\nMessage too long\nCommand execute failed!\n")
    assert (long.transmitted, long.received, long.loss_pct, long.too_long, long.ok) == (1, 0, 100.0, True, False)
    mixed = parse_ping("From 10.0.0.1 icmp_seq=0 Destination Host Unreachable\n"
                       "3 packets transmitted, 0 received, 100% packet loss\n")  # fmt: skip
    assert (mixed.transmitted, mixed.unreachable) == (3, True)


def test_without_a_reason_there_is_no_ping():
    with pytest.raises(HccnReported, match="Command execute failed"):
        parse_ping("Command execute failed!\n")
    with pytest.raises(HccnReported, match="Control link unreachable"):
        parse_ping("Control link unreachable.\n")
    with pytest.raises(HccnParseError, match="packets transmitted"):
        parse_ping("device 1 PING 10.0.0.9\n")


def test_retyped_digits():
    found = parse_ping("Device O PING 10.0.0.9\nrecv seq=O, time=O.l49000 ms\nl packets transmitted, l received, O.OO% packet loss\n")  # fmt: skip # noqa: E501
    assert found == Ping(0, "10.0.0.9", 1, 1, 0.0, (0.149,))


def test_a_terminal_with_prompts():
    found = parse_ping(
        "root@huawei:~# hccn_tool -i 0 -ping -g address 10.10.100.10\ndevice 0 PING 10.10.100.10\n"
        "recv seq=0,time=0.067000ms\nrecv seq=1,time-0.049000ms\nrecv seq=2,time=0.047000ms\n"
        "3 packets transmitted, 3 received, 0.00% packet loss\nroot@huawei: #\n"
    )
    assert found == Ping(0, "10.10.100.10", 3, 3, 0.0, (0.067, 0.049, 0.047))


def test_ub_ping_that_was_not_sent():
    found = parse_ping(
        "device 0 dev  EID ::40 to ::60\npkt send fail seq:0\nrecv time out seq:1\nrecv seq:2,time:0.278000ms\n"
        "3 packets transmitted, 1 received, 66.67% packet loss\n"
    )
    assert (found.target, found.timeouts, found.times_ms) == ("::60", 2, (0.278,))


def test_pings_of_a_loop():
    summary = "1 packets transmitted, 1 received, 0.00% packet loss\n"
    headed = "".join(f"device {npu} PING 10.0.0.9\nrecv seq=0,time=1.000000ms\n{summary}" for npu in range(3))
    assert [ping.device for ping in parse_pings("a log line\n" + headed)][-3:] == [0, 1, 2]
    bare = f"recv seq=0,time=1.000000ms\n{summary}recv seq=0,time=2.000000ms\n{summary}"
    assert [ping.times_ms for ping in parse_pings(bare)] == [(1.0,), (2.0,)]
    for several in (headed, bare):
        with pytest.raises(HccnParseError, match="second answer"):
            parse_ping(several)
    assert [ping.received for ping in parse_pings(HCCS + HCCS)] == [2, 2]


@given(st.lists(st.none() | st.integers(1, 10**9), min_size=1, max_size=40), st.integers(0, 15))
def test_any_ping_reads_as_it_was(nanoseconds, device):
    lines = [f"device {device} PING 10.0.0.9"]
    for seq, time in enumerate(nanoseconds):
        lines.append(f"recv time out seq={seq}" if time is None else f"recv seq={seq},time={time / 1e6:.6f}ms")
    times = [round(time / 1e6, 6) for time in nanoseconds if time is not None]
    sent, got = len(nanoseconds), len(times)
    lines.append(f"{sent} packets transmitted, {got} received, {100 * (sent - got) / sent:.2f}% packet loss")
    found = parse_ping("\n".join(lines) + "\n")
    assert (found.device, found.transmitted, found.received) == (device, sent, got)
    assert list(found.times_ms) == times
    assert found.timeouts == sent - got
    both = found.plus(found)
    assert (both.transmitted, both.received, both.ok) == (2 * sent, 2 * got, found.ok)
    assert abs(both.loss_pct - found.loss_pct) <= 0.01

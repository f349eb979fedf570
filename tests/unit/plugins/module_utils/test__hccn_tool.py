# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runner against a small script in the tool's place: what is typed, what is retried, what is told."""

from __future__ import annotations

import shlex

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_tool import (
    HccnBusy,
    HccnError,
    HccnParseError,
    HccnReported,
    HccnTool,
    HccnUnsupported,
    Ip,
    parse_link,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run import (
    ToolNotFound,
    ToolTimeout,
    VendorError,
    side_by_side,
)

BUSY = "echo 'hccn_tool is busy, please try again.'; exit 11"


@pytest.fixture
def tool(tmp_path):
    """A function from the body of a shell script to the L(HccnTool) which runs it. Its calls are written down."""

    def make(body: str, **options) -> HccnTool:
        script = tmp_path / "hccn_tool"
        script.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(tmp_path / "calls"))}\n{body}\n')
        script.chmod(0o755)
        options.setdefault("sleep", lambda seconds: None)
        return HccnTool(str(script), **options)

    make.calls = lambda: (tmp_path / "calls").read_text().splitlines()
    make.mark = tmp_path / "mark"
    return make


@pytest.mark.parametrize(
    "ask, typed, said, wanted",
    [
        (lambda t: t.get_ip(3), "-i 3 -ip -g", "ipaddr:10.0.0.3\\nnetmask:255.0.0.0", Ip("10.0.0.3", "255.0.0.0")),
        (lambda t: t.get_ip6(3).prefix_length, "-i 3 -ip -inet6 -g", "ipv6_address:::1\\nprefix_length:64", 64),
        (lambda t: t.get_link(15), "-i 15 -link -g", "link status: UP", "UP"),
        (lambda t: t.get_net_health(0), "-i 0 -net_health -g", "net health status: Init", "Init"),
        (lambda t: t.get_netdetect(0), "-i 0 -netdetect -g", "netdetect addr: 0.0.0.0", None),
        (lambda t: t.get_gateway(0).iface, "-i 0 -gateway -g", "default gateway:10.0.0.1, Iface:eth0", "eth0"),
        (lambda t: t.get_tls(0).tls_switch, "-i 0 -tls -g", "dev_id:0, tls switch[1](0:disable, 1:enable)", 1),
        (lambda t: t.get_speed(0), "-i 0 -speed -g", "Speed: 200000 Mb/s", 200000),
        (lambda t: t.get_mtu(0), "-i 0 -mtu -g", "mtu:4096", 4096),
        (lambda t: t.get_mac(0), "-i 0 -mac -g", "mac addr: 00:01:02:03:04:05", "00:01:02:03:04:05"),
        (lambda t: t.get_fec(0), "-i 0 -fec -g", "fec mode: rs FEC mode", "rs FEC mode"),
        (lambda t: t.get_vnic(0).link, "-i 0 -vnic -g", "vnic link status: UP", "UP"),
        (lambda t: t.get_lldp(0).port, "-i 0 -lldp -g", "Port ID TLV\\n\\tIfname: 400GE1/1/5:1", "400GE1/1/5:1"),
        (lambda t: t.get_link_stat(0).link_up_count, "-i 0 -link_stat -g", "[devid 0]link up count : 3", 3),
        (lambda t: t.get_stat(0), "-i 0 -stat -g", "packet statistics:\\na:1", {"a": 1}),
        (lambda t: t.get_hw_stats(2).to_dict(), "-i 2 -hw_stats -g", "[devid 2] a: 1", {"devid": 2, "a": 1}),
        (lambda t: t.get_optical(0).present, "-i 0 -optical -g", "optical info:\\npresent : present", True),
        (lambda t: len(t.get_route(0).routes), "-i 0 -route -g", "Routing table:", 0),
        (lambda t: t.get_status(0).iface, "-i 0 -status -g", "Netdev status:Settings for eth0:", "eth0"),
        (
            lambda t: t.get_bandwidth(0)["rx_mb_s"],
            "-i 0 -bandwidth -g",
            "Bandwidth TX: 0\\nBandwidth RX: 2.5 MB",
            2.5,
        ),
        (lambda t: t.get_version(0)["driver"], "-i 0 -version -g", "Network Driver Version: 25.2", "25.2"),
        (lambda t: t.get_cfg_status(0), "-i 0 -cfg status", "config status:NONE", "NONE"),
        (lambda t: t.set_ip(0, "10.0.0.3", "255.0.0.0").ok, "-i 0 -ip -s address 10.0.0.3 netmask 255.0.0.0", "", None),
        (lambda t: t.set_gateway(0, "10.0.0.1").ok, "-i 0 -gateway -s gateway 10.0.0.1", "", None),
        (lambda t: t.set_netdetect(0, "10.0.0.1").ok, "-i 0 -netdetect -s address 10.0.0.1", "", None),
        (lambda t: t.set_netdetect(0, None).ok, "-i 0 -netdetect -s address 0.0.0.0", "", None),
        (lambda t: t.set_tls(0, False).ok, "-i 0 -tls -s enable 0", "", None),
        (lambda t: t.set_mtu(0, 4096).ok, "-i 0 -mtu -s size 4096", "", None),
        (lambda t: t.set_link(0, True).ok, "-i 0 -link -s up", "", None),
        (lambda t: t.roce_test_reset(0).ok, "-i 0 -roce_test reset", "", None),
        (lambda t: t.recovery().devices, "-a -cfg recovery", "dev:0 recovery success", {0: True}),
        (lambda t: t.recovery(4).ok, "-i 4 -cfg recovery", "dev:4 recovery success", True),
        (
            lambda t: t.roce_test_receive(0, "ib_send_bw").bw_avg,
            "-i 0 -roce_test ib_send_bw -s 65536 -n 1000 -tcp",
            "#bytes #iterations BW average[MB/sec]\\n65536 1000 23000.5",
            23000.5,
        ),
        (
            lambda t: t.roce_test_send(1, "ib_write_bw", "10.0.0.3", size=2, iterations=5, tcp=False).bytes,
            "-i 1 -roce_test ib_write_bw -s 2 -n 5 address 10.0.0.3",
            "#bytes #iterations BW average[MB/sec]\\n2 5 1.5",
            2,
        ),
    ],
)
def test_what_is_typed(tool, ask, typed, said, wanted):
    if wanted is None and " -s " in typed or "reset" in typed:
        said, wanted = "Cmd executed successfully!", True
    assert ask(tool(f"printf '{said}\\n'")) == wanted
    assert tool.calls() == [typed]


PONG = "printf 'device 0 PING 10.0.0.9\\n3 packets transmitted, 1 received, 66.67%% packet loss\\n'"


def test_pings(tool):
    mine = tool(PONG)
    assert mine.ping(0, "10.0.0.9").received == 1
    assert mine.ping(0, "10.0.0.9", packets=7, size=8972).transmitted == 9
    assert mine.hccs_ping(0, "10.0.0.9", packets=5, size=2000, interval_ms=1, timeout_ms=100).loss_pct == 66.67
    assert tool.calls() == [
        "-i 0 -ping -g address 10.0.0.9",
        *["-i 0 -ping -g address 10.0.0.9 pkt 8972"] * 3,
        "-i 0 -hccs_ping -g address 10.0.0.9 pkt 2000 cnt 5 interval 1 timeout 100",
    ]


def test_an_answer_with_a_bad_exit_status_is_an_answer_and_a_complaint(tool):
    mine = tool(f"{PONG}; echo 'Cmd execute failed!' >&2; exit 1")
    assert mine.ping(0, "10.0.0.9").loss_pct == 66.67
    (complaint,) = mine.complaints
    assert complaint.endswith("-ping -g address 10.0.0.9 printed its answer but ended with exit status 1")


def test_nothing_set_comes_on_stderr(tool):
    mine = tool("echo 'Get ipconf failed, because no ip was preset there!' >&2; exit 13")
    assert mine.get_ip(0) is None
    assert mine.complaints == []


def test_busy_is_retried_with_growing_waits_for_that_npu(tool):
    slept = []
    mine = tool(
        f'[ "$2" = 1 ] && {{ echo "link status: UP"; exit; }}\n'
        f'[ "$(grep -c "i 0" {tool.mark.parent}/calls)" -le 7 ] && {{ {BUSY}; }}\necho "link status: DOWN"',
        sleep=slept.append,
    )
    assert mine.get_link(1) == "UP"
    assert (mine.waited, slept) == ({}, [])
    assert mine.get_link(0) == "DOWN"
    assert slept == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert mine.waited == {0: sum(slept)}


def test_busy_for_ever_says_how_long_was_waited(tool):
    time = [100.0]
    mine = tool(BUSY, sleep=lambda seconds: time.append(time[-1] + seconds), clock=lambda: time[-1])
    with pytest.raises(HccnBusy, match=r"-i 2 -ip -g: .*'hccn_tool is busy.*\(asked 9 times in 19.75 s\)") as error:
        mine.get_ip(2)
    assert error.value.waited == 19.75
    assert error.value.command.rc == 11
    assert len(tool.calls()) == 9
    with pytest.raises(HccnBusy, match=r"\(asked once\)"):
        tool(BUSY, busy_retries=0).set_tls(2, True)


def test_a_busy_set_command_is_retried_too(tool):
    mine = tool(f"[ -e {tool.mark} ] && {{ echo 'Cmd executed successfully!'; exit; }}; touch {tool.mark}; {BUSY}")
    assert mine.set_tls(0, True).ok
    assert mine.waited == {0: 0.25}
    tool.mark.unlink()
    mine = tool(f"[ -e {tool.mark} ] && {{ echo 'dev:0 recovery success'; exit; }}; touch {tool.mark}; {BUSY}")
    assert mine.recovery().ok
    assert mine.waited == {None: 0.25}


def test_a_refused_set_command_is_an_answer(tool):
    result = tool("echo 'The ip address configured is conflicted!' >&2; exit 7").set_ip(0, "192.168.1.5", "255.0.0.0")
    assert (result.ok, result.message) == (False, "The ip address configured is conflicted!")
    assert result.command.rc == 7
    assert result.to_dict() == {"ok": False, "message": "The ip address configured is conflicted!"}
    assert not tool("true").set_mtu(0, 4096).ok
    assert not tool("echo 'Cmd executed successfully!'; exit 4").set_mtu(0, 4096).ok


def test_typed_errors_show_the_command(tool):
    with pytest.raises(HccnUnsupported) as error:
        tool("echo 'Get invalid major cmd.' >&2; echo 'Enter [ hccn_tool -h ] for more details.' >&2; exit 3").get_mtu(
            0
        )
    assert error.value.to_fail()["cmd"].endswith("hccn_tool -i 0 -mtu -g")
    with pytest.raises(HccnReported, match="npu-smi info -t health"):
        tool("echo 'Get device health status failed!' >&2; exit 3").get_link(0)
    with pytest.raises(HccnParseError, match="link status"):
        tool("echo hello").get_link(0)
    with pytest.raises(HccnError, match="printed nothing and ended with exit status 0"):
        tool("true").get_link(0)
    with pytest.raises(HccnError, match="printed nothing and ended with exit status 4"):
        tool("exit 4").get_lldp(0)
    assert tool("true").get_lldp(0) is None


def test_time_and_absence(tool, tmp_path):
    with pytest.raises(ToolTimeout, match="did not end within 0.2 s"):
        tool("sleep 30", timeout=0.2).get_link(0)
    with pytest.raises(ToolTimeout, match="did not end within 0.1 s"):
        tool("sleep 30").ask(parse_link, "-i", 0, "-link", "-g", timeout=0.1)
    with pytest.raises(ToolNotFound, match="Install the Ascend driver"):
        HccnTool(str(tmp_path / "none")).get_link(0)


def test_a_hanging_npu_leaves_the_others_their_answers(tool):
    mine = tool('[ "$2" = 3 ] && exec sleep 30; echo "link status: UP"', timeout=1)

    def link(phy_id):
        try:
            return mine.get_link(phy_id)
        except VendorError as error:
            return type(error).__name__

    found = side_by_side({phy: [lambda phy=phy: link(phy)] for phy in range(16)}, workers=16)
    assert found.pop(3) == ["ToolTimeout"]
    assert set(map(tuple, found.values())) == {("UP",)}

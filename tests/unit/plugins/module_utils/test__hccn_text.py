# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hccn_tool's texts beyond the published captures: variants, errors, several NPUs, and what no parser may accept."""

from __future__ import annotations

import re

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_lldp import Lldp, lldp_ifnames, parse_lldp
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_optical import parse_optical, parse_opticals
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_perftest import parse_roce_test
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_query import (
    Gateway,
    Ip,
    Ip6,
    SetResult,
    Vnic,
    parse_bandwidth,
    parse_fec,
    parse_gateway,
    parse_ip,
    parse_ip6,
    parse_ips,
    parse_link,
    parse_mac,
    parse_mtu,
    parse_net_health,
    parse_netdetect,
    parse_set,
    parse_several,
    parse_speed,
    parse_tls,
    parse_tls_all,
    parse_version,
    parse_vnic,
)
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_stats import (
    parse_cfg_status,
    parse_hw_stats,
    parse_link_stat,
    parse_recovery,
    parse_route,
    parse_stat,
    parse_status,
    split_devices,
)
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_table import (
    parse_dev_info,
    parse_port_speed,
    parse_port_speeds,
    parse_ub_connect,
    tables,
)
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import (
    HccnBusy,
    HccnError,
    HccnParseError,
    HccnReported,
    HccnUnsupported,
    reported,
)

NO_IP = "Get ipconf failed, because no ip was preset there!\n"
NO_GATEWAY = "Get gateway failed, because no gateway was preset there!\n"
BUSY = "hccn_tool is busy, please try again.\n"
EXECUTED = "Cmd executed successfully!\n"
# Every parser of one answer that needs a value; parse_lldp is not among them: nothing is its answer too.
PARSERS = [
    parse_bandwidth, parse_cfg_status, parse_dev_info, parse_fec, parse_gateway, parse_hw_stats, parse_ip, parse_ip6,
    parse_link, parse_link_stat, parse_mac, parse_mtu, parse_net_health, parse_netdetect, parse_optical,
    parse_port_speeds, parse_roce_test, parse_route, parse_speed, parse_stat, parse_status, parse_tls, parse_ub_connect,
    parse_version, parse_vnic,
]  # fmt: skip


@pytest.mark.parametrize(
    "parse, text, wanted",
    [
        (parse_ip, "IPADDR : 10.0.0.7\nNetMask= 255.255.0.0\n", Ip("10.0.0.7", "255.255.0.0")),
        (parse_ip, "ip_address:10.0.0.7\nnetmask:255.255.0.0\n", Ip("10.0.0.7", "255.255.0.0")),
        (parse_ip, "netmask:255.255.0.0\nipaddr:10.xx.xx.7\n", Ip("10.xx.xx.7", "255.255.0.0")),
        (parse_ip, NO_IP, None),
        (parse_ip6, "ipv6_address:fe80::1\nprefix_length:64\n", Ip6("fe80::1", 64)),
        (parse_ip6, NO_IP, None),
        (parse_link, "Link Status : up\n", "UP"),
        (parse_net_health, "net health status: receive timeout\n", "Receive timeout"),
        (parse_net_health, "net health status: Init\n", "Init"),
        (parse_netdetect, "netdetect addr: 10.0.0.1\n", "10.0.0.1"),
        (parse_netdetect, "netdetect address: 0.0.0.0\n", None),
        (parse_netdetect, "netdetect addr: fe80::1\n", "fe80::1"),
        (parse_gateway, "default gateway: 10.0.0.1 , iface: eth7\n", Gateway("10.0.0.1", "eth7")),
        (parse_gateway, "default gateway:10.0.0.1\n", Gateway("10.0.0.1", None)),
        (parse_gateway, "gateway:fe80::1\n", Gateway("fe80::1", None)),
        (parse_gateway, NO_GATEWAY, None),
        (parse_vnic, "vnic link status: DOWN\nvnic ipaddr: 0.0.0.0\nvnic netmask: NA\n", Vnic("DOWN", None, None)),
        (parse_speed, "Speed: Unknown!\n", None),
        (parse_speed, "Speed: 100000Mb/s\n", 100000),
        (parse_speed, "Speed: 400 Gb/s\n", 400000),
        (parse_mtu, "mtu:4096\n", 4096),
        (parse_mac, "mac addr: BC:1E:85:D8:CA:DD\n", "bc:1e:85:d8:ca:dd"),
        (parse_fec, "fec mode: auto FEC mode\n", "auto FEC mode"),
        (parse_cfg_status, "config status:SUCCESS\n", "SUCCESS"),
    ],
)
def test_variants(parse, text, wanted):
    assert parse(text) == wanted
    assert parse(text.replace("\n", "\r\n")) == wanted


def test_bandwidth():
    text = "Bandwidth TX:     0.00 MB/sec\nBandwidth RX:   266.84 MB/sec\n"
    assert parse_bandwidth(text) == {"tx_mb_s": 0.0, "rx_mb_s": 266.84}


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("text", ["", "\n", "Usage: something else\n", EXECUTED, "foo: bar\n"])
def test_no_answer_is_made_up(parse, text):
    with pytest.raises(HccnError):
        if parse in (parse_stat, parse_hw_stats) and text == "foo: bar\n":
            text = "foo bar\n"
        parse(text)


@pytest.mark.parametrize("parse", [*PARSERS, parse_lldp])
def test_the_tools_own_words_explain_a_missing_value(parse):
    with pytest.raises(HccnBusy, match="hccn_tool is busy, please try again"):
        parse(BUSY)
    with pytest.raises(HccnUnsupported):
        parse("The command is not supported on this product.\n")
    with pytest.raises(HccnUnsupported, match="Get invalid major cmd"):
        parse("Get invalid major cmd.\nEnter [ hccn_tool -h ] for more details.\n")
    with pytest.raises(HccnReported, match="The device is not exist") as error:
        parse("Cmd execute failed!\nThe device is not exist!\n")
    assert "npu-smi info -m" in error.value.remedy
    assert not isinstance(error.value, (HccnBusy, HccnUnsupported))


@pytest.mark.parametrize(
    "line, kind, remedy",
    [
        ("I2c is busy. Please try again.", HccnBusy, "pgrep"),
        ("The device is occupied. Please try again later.", HccnBusy, "pgrep"),
        ("Roce perftest is doing, please try later.", HccnBusy, "pgrep"),
        ("The system is in optical module initializing, please try again later.", HccnBusy, "minute"),
        ("This device does not support IPV6!", HccnUnsupported, "Do not ask"),
        ("Command unsupported on this optical module.", HccnUnsupported, "Do not ask"),
        ("The command is not supported on this optical media.", HccnUnsupported, "Do not ask"),
        ("This device does not support switching fec mode.", HccnUnsupported, "Do not ask"),
        ("Get unknown option!", HccnUnsupported, "update"),
        ("permission denied: pls check this cmd run permission.", HccnReported, "root"),
        ("Get device health status failed!", HccnReported, "npu-smi info -t health"),
        ("Get invalid device id.", HccnReported, "npu-smi info -m"),
        ("Get invalid parameters!", HccnReported, "hccn_tool -h"),
        ("The ip address configured is conflicted!", HccnReported, "192.168.1.0/24"),
        ("The hccn.conf can't access, cmd execute failed! pls check the conf file", HccnReported, "/etc/hccn.conf"),
        ("Read file failed, cmd execute failed! pls check cmd run permission.", HccnReported, "/etc/hccn.conf"),
        ("The cmd line execute timeout!", HccnReported, "health"),
        ("Couldn't connect to 10.0.0.7:18515", HccnReported, "receiver first"),
        ("Cmd execute failed!", HccnReported, "/var/log/hccn_tool"),
    ],
)
def test_sentences(line, kind, remedy):
    error = reported(f"some log line\n  {line}\r\n")
    assert error.__class__ is kind
    assert error.error == line
    assert remedy in error.remedy
    assert line in str(error)


def test_a_good_answer_is_no_error():
    assert reported("link status: UP\n") is None
    assert parse_link("Cmd execute failed!\nlink status: DOWN\n") == "DOWN"


@pytest.mark.parametrize(
    "parse, text, line",
    [
        (parse_ip, "ipaddr:10.0.0.300\nnetmask:255.0.0.0\n", "10.0.0.300"),
        (parse_ip, "ipaddr:10.0.0.3\n", "netmask"),
        (parse_ip6, "ipv6_address:fe80::1\nprefix_length:long\n", "long"),
        (parse_netdetect, "netdetect addr: nowhere\n", "nowhere"),
        (parse_speed, "Speed: fast\n", "Speed: fast"),
        (parse_mtu, "mtu:many\n", "many"),
        (parse_stat, "packet statistics:\nmac_tx_total_pkt_num:lots\n", "mac_tx_total_pkt_num:lots"),
        (parse_link_stat, "link up count : often\n", "often"),
        (parse_route, "Routing table:\nDestination Gateway Iface\ndefault 10.0.0.1\n", "default 10.0.0.1"),
    ],
)
def test_values_that_are_none_are_shown(parse, text, line):
    with pytest.raises(HccnParseError, match=re.escape(line)):
        parse(text)


@pytest.mark.parametrize(
    "parse, text",
    [
        (parse_ip, "ipaddr:10.0.0.3\nnetmask:255.0.0.0\nipaddr:10.0.0.4\nnetmask:255.0.0.0\n"),
        (parse_link, "link status: UP\nlink status: DOWN\n"),
        (parse_tls, "dev_id:0, tls switch[0]\ndev_id:1, tls switch[0]\n"),
        (parse_stat, "packet statistics:\na:1\npacket statistics:\na:2\n"),
        (parse_hw_stats, "[devid 0] a: 1\n[devid 1] a: 2\n"),
        (parse_link_stat, "[devid 0]link up count : 1\n[devid 1]link up count : 1\n"),
        (parse_optical, "optical info:\npresent : present\noptical info:\npresent : not present\n"),
    ],
)
def test_one_answer_is_not_taken_for_that_of_several_npus(parse, text):
    with pytest.raises(HccnParseError, match=r"second answer|answers of|several"):
        parse(text)


def test_several_npus():
    loop = f"ipaddr:10.0.0.3\nnetmask:255.0.0.0\n{NO_IP}a log line\nipaddr:10.0.0.4\nnetmask:255.0.0.0\n{NO_IP}{NO_IP}"
    assert parse_ips(loop) == (Ip("10.0.0.3", "255.0.0.0"), None, Ip("10.0.0.4", "255.0.0.0"), None, None)
    assert parse_several(parse_link, "link status: UP\nlink status: UP\nlink status: DOWN\n") == ("UP", "UP", "DOWN")
    assert parse_several(parse_netdetect, "netdetect address: 10.0.0.1\nnetdetect address: 0.0.0.0\n") == (
        "10.0.0.1",
        None,
    )
    both = parse_tls_all("dev_id : 0, TLS switch [1] (0:disable, 1:enable)\r\ndev_id:7, tls switch[0]\r\n")
    assert [(each.dev_id, each.tls_switch, each.tls_alarm_days) for each in both] == [(0, 1, None), (7, 0, None)]
    assert parse_tls("dev_id:3, tls switch: 1\n").tls_switch == 1
    elided = "$ for i in {0..7}; do hccn_tool -i $i -net_health -g ; done\nnet health status: Success\n...\n"
    assert parse_several(parse_net_health, elided + "net health status: Fault\n") == ("Success", "Fault")
    stats = split_devices("[devid 0] a: 1\n[devid 0] b: 2\n[device 5] a: 3\n")
    assert [parse_hw_stats(text).to_dict() for text in stats] == [{"devid": 0, "a": 1, "b": 2}, {"devid": 5, "a": 3}]
    modules = parse_opticals("optical info:\npresent : present\noptical info:\npresent : not present\n")
    assert [module.present for module in modules] == [True, False]


@pytest.mark.parametrize(
    "text, rc, ok, message",
    [
        (EXECUTED, 0, True, "Cmd executed successfully!"),
        ("cmd executed successfully\r\n", None, True, "Cmd executed successfully!"),
        (EXECUTED, 4, False, "it said 'Cmd executed successfully!' but ended with exit status 4"),
        ("The ip address configured is conflicted!\n", 7, False, "The ip address configured is conflicted!"),
        # An exit status of 0 is no success: the bare family codes have a low byte of 0.
        ("Cmd execute failed!\n", 0, False, "Cmd execute failed!"),
        ("", 0, False, "it said nothing and ended with exit status 0"),
        ("[Warning] something\n", 0, False, "[Warning] something"),
    ],
)
def test_what_a_set_command_answers(text, rc, ok, message):
    assert parse_set(text, rc) == SetResult(ok, message)


def test_recovery():
    good = parse_recovery("dev:0 recovery success\ndev:1 recovery success\n" + EXECUTED, 0)
    assert (good.ok, good.devices) == (True, {0: True, 1: True})
    assert parse_recovery("device 0 recovery success\n", 0).ok
    bad = parse_recovery("dev:0 recovery success\ndev:1 recovery fail\nRecovery failed. Check 'x' for details.\n", 0)
    assert (bad.ok, bad.devices) == (False, {0: True, 1: False})
    assert bad.message == "dev:1 recovery fail; Recovery failed. Check 'x' for details."
    assert not parse_recovery("dev:0 recovery success\n", 4).ok
    assert not parse_recovery("", 0).ok
    assert not parse_recovery("Cmd execute failed!\n", 0).ok


LLDP = """\
Chassis ID TLV
\tMAC: 00:25:9e:01:02:03
Port ID TLV
\tIfname: 400GE1/1/5:1
Time to Live TLV
\t120
Port Description TLV
\tto server 12
System Name TLV
\tleaf-03
System Description TLV
\tVRP (R) software
Version 8.2
Management Address TLV
\tIPv4: 10.1.1.3
\tIfindex: 7
Port VLAN ID TLV
\tPVID: 100
Maximum Frame Size TLV
\t9216
End of LLDPDU TLV
"""


def test_lldp():
    assert parse_lldp(LLDP) == Lldp(
        port_ifname="400GE1/1/5:1",
        system_name="leaf-03",
        mgmt_ipv4="10.1.1.3",
        chassis_id="00:25:9e:01:02:03",
        port_id="400GE1/1/5:1",
        port_description="to server 12",
        system_description="VRP (R) software Version 8.2",
        vlan=100,
        max_frame=9216,
    )
    assert parse_lldp("") is None
    assert parse_lldp("\tIfname: 400GE1/1/5:1\n").port == "400GE1/1/5:1"
    other = parse_lldp("Port ID TLV\n\tLocal: 17\nSystem Name TLV\nEnd of LLDPDU TLV\n")
    assert (other.port_ifname, other.port_id, other.system_name, other.port) == (None, "17", None, "17")
    with pytest.raises(HccnParseError):
        parse_lldp("something else\n")


def test_lldp_of_several_npus_is_no_single_answer():
    with pytest.raises(HccnParseError, match="second answer"):
        parse_lldp(LLDP + LLDP.replace("5:1", "5:2"))
    assert lldp_ifnames(LLDP + LLDP.replace("5:1", "5:2")) == ("400GE1/1/5:1", "400GE1/1/5:2")


def test_optical():
    module = parse_optical(
        "optical info:\npresent : present\ntemperature : get failed\nVcc : NA\n"
        "Tx Power0 : 0.9585 mW\nTx Power1 : NA\nRx Power0 : -3.01 dBm\nRx Los Flag : 0x3\n"
    )
    assert module.present is True
    assert module.temperature_c is None
    assert module.tx_power_mw == (0.9585, None)
    assert module.rx_power_mw == (0.5,)
    shown = module.to_dict()
    assert (shown["vcc_mv"], shown["rx_los"], shown["tx_los"], shown["vendor_name"]) == (None, 3, None, None)
    assert parse_optical("Optical module is not present.\n").present is False
    assert parse_optical("present : not present\ntemperature : NA\n").present is False


def test_link_stat_without_changes():
    found = parse_link_stat(
        "[device 3]current time        : Thu Feb  6 03:18:17 2025\n[device 3]link up count       : 0\n"
        "[device 3]link down count     : 0\n[device 3]link change records : NA\n"
    )
    assert (found.devid, found.link_up_count, found.link_down_count, found.records) == (3, 0, 0, ())


def test_stat_values():
    text = (
        "log pid:77\npacket statistics:\nmac_rx_total_oct_num: 18446744073709551615\ntc_rx_pkt_num[0]:1\nnew_one:NA\n"
    )
    assert parse_stat(text) == {"mac_rx_total_oct_num": 2**64 - 1, "tc_rx_pkt_num[0]": 1, "new_one": None}


def test_roce_test():
    peak = parse_roce_test(
        "Dsmi get perftest status end. (status=1)\nroce_report:\n                    RDMA_Write BW Test\n"
        " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]\n"
        " 2          1000             0.01               0.01               0.9\n"
        " 65536      1000             196.01             195.50             0.372887\n"
    )
    assert (peak.bytes, peak.bw_peak, peak.bw_avg, peak.bw_unit, peak.gbits) == (65536, 196.01, 195.5, "Gb/sec", 195.5)
    assert (peak.test, len(peak.rows)) == ("write", 2)
    slow = parse_roce_test(
        " #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    t_stdev[usec]"
        "   99% percentile[usec]   99.9% percentile[usec]\n"
        " 2       1000          2.00           9.00         2.10               2.20           0.10"
        "            2.50                    9.00\n"
    )
    assert slow.bw_avg is None and slow.gbits is None
    assert slow.rows[0]["t_avg_us"] == 2.2 and slow.rows[0]["p999_us"] == 9.0
    mib = parse_roce_test("#bytes #iterations BW average[MB/sec] MsgRate[Mpps]\n65536 1000 23302.26 0.02\n")
    assert mib.gbits == 195.474
    with pytest.raises(HccnParseError, match="3 values for 4 titles"):
        parse_roce_test("#bytes #iterations BW average[MB/sec] MsgRate[Mpps]\n65536 1000 23302.26\n")
    with pytest.raises(HccnReported, match="Couldn't connect to 10.0.0.7:18515"):
        parse_roce_test("roce_report:\nCouldn't connect to 10.0.0.7:18515\nCmd execute failed!\n")


def test_tables():
    one, two = tables(
        "+---+------+\n| A | B_C  |\n+---+------+\n| x | 1    |\n|   | 2    |\n+---+------+\n"
        "+---+\n| D |\n+===+\n| NA|\n+---+\n"
    )
    assert one == ({"a": "x", "b c": "1"}, {"a": "x", "b c": "2"})
    assert two == ({"d": None},)
    with pytest.raises(HccnParseError, match="2 columns, the titles 1"):
        tables("+---+\n| D |\n+---+\n| 1 | 2 |\n+---+\n")


def test_port_speeds():
    head = "+-----+------+------+-------+--------+\n| NPU | UDie | Port | Speed | Status |\n"
    rule = "+-----+------+------+-------+--------+\n"
    both = head + rule + "| 0 | 0 | 4 | 400 G | normal |\n| 0 | 0 | 5 | NA | down |\n" + rule
    assert [each.speed_mbps for each in parse_port_speeds(both)] == [400000, None]
    with pytest.raises(HccnParseError, match="2 ports"):
        parse_port_speed(both)

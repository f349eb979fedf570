# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``hccn_tool`` prints, from typed values. Formats differ between versions where a function takes one."""

from __future__ import annotations

import ipaddress
import time
from typing import Dict, List, Optional

from .layouts import version_key
from .model import Roce

EXECUTED = "Cmd executed successfully!"
NET_HEALTH = (
    "Success", "Socket fail", "Receive timeout", "Unreachable", "Time exceeded", "Fault", "Init", "Thread error",
    "Detect ip set", "Unknown",
)  # fmt: skip
FEC = {"rs": "rs FEC mode", "no": "no FEC mode", "auto": "auto FEC mode"}


def _lines(*lines: str) -> str:
    return "".join(line + "\n" for line in lines)


def ip(roce: Roce) -> str:
    return _lines("ipaddr:%s" % roce.address, "netmask:%s" % roce.netmask)


def ip6(roce: Roce) -> str:
    return _lines("ipv6_address:%s" % roce.address6, "prefix_length:%s" % roce.prefix6)


def link(roce: Roce) -> str:
    return _lines("link status: %s" % roce.link)


def net_health(status: str) -> str:
    return _lines("net health status: %s" % status)


def netdetect(roce: Roce, version: str) -> str:
    """The key became shorter with 26.0; an unset address is printed as 0.0.0.0."""
    key = "addr" if version_key(version) >= version_key("26.0.rc1") else "address"
    return _lines("netdetect %s: %s" % (key, roce.netdetect or "0.0.0.0"))


def gateway(roce: Roce, phy_id: int) -> str:
    return _lines("default gateway:%s, Iface:eth%d" % (roce.gateway, phy_id))


def mac(roce: Roce) -> str:
    return _lines("mac addr: %s" % roce.mac)


def speed(roce: Roce) -> str:
    known = roce.link == "UP" and roce.speed_mbps > 0
    return _lines("Speed: %d Mb/s" % roce.speed_mbps if known else "Speed: Unknown!")


def fec(roce: Roce) -> str:
    return _lines("fec mode: %s" % FEC[roce.fec])


def vnic(phy_id: int) -> str:
    """The internal port: its address counts down from .199 (hccn_tool__vnic__910C__hcomm_doc)."""
    return _lines(
        "vnic link status: UP", "vnic ipaddr: 192.168.2.%d" % (199 - phy_id), "vnic netmask: 255.255.255.0"
    )


def tls(roce: Roce, phy_id: int) -> str:
    return _lines(
        "dev_id:%d, tls switch[%d](0:disable, 1:enable), tls preconfigured[%d](0:non-preset, 1:preset), "
        "tls alarm time threshold[%d]days" % (phy_id, roce.tls_switch, roce.tls_preconfigured, roce.tls_alarm_days)
    )


def lldp(roce: Roce) -> str:
    """The switch on the other side; nothing without one or without a link."""
    if roce.switch_port is None or roce.link != "UP":
        return ""
    tlvs = [
        ("Chassis ID", ["\tMAC: %s" % roce.switch_mac]),
        ("Port ID", ["\tIfname: %s" % roce.switch_port]),
        ("Time to Live", ["\t121"]),
        ("System Capabilities", ["\tSystem capabilities:  Bridge, Router", "\tEnabled capabilities: Bridge, Router"]),
    ]
    if roce.switch_address is not None:
        tlvs.append(("Management Address", ["\tIPv4: %s" % roce.switch_address]))
    tlvs += [("Maximum Frame Size", ["\t9216"]), ("End of LLDPDU", [])]
    return _lines(*[line for title, values in tlvs for line in ["%s TLV" % title] + values])


def link_stat(roce: Roce, phy_id: int, now: int, version: str) -> str:
    """Times in the local zone, newest record first. Drivers before 23.0.6 do not count downs."""
    ups = sum(1 for _at, state in roce.link_records if state == "UP")
    lines = ["current time        : %s" % _asctime(now), "link up count       : %d" % ups]
    if version_key(version) >= version_key("23.0.6"):
        lines.append("link down count     : %d" % (len(roce.link_records) - ups))
    lines.append("link change records :%s" % ("" if roce.link_records else " NA"))
    lines += ["    %s    LINK %s" % (_asctime(at), state) for at, state in reversed(roce.link_records)]
    return _lines(*["[devid %d]%s" % (phy_id, line) for line in lines])


def ping(phy_id: int, target: str, times_ms: List[Optional[float]], unreachable: bool = False) -> str:
    """``times_ms``: one entry per packet, ``None`` for a lost one. ``unreachable``: the host before it said so."""
    lines = ["device %d PING %s" % (phy_id, target)]
    for seq, taken in enumerate(times_ms):
        if taken is not None:
            lines.append("recv seq=%d,time=%.6fms" % (seq, taken))
        elif unreachable:
            lines.append("Destination Host Unreachable seq=%d" % seq)
        else:
            lines.append("recv time out seq=%d" % seq)
    received = sum(1 for taken in times_ms if taken is not None)
    loss = 100.0 * (len(times_ms) - received) / len(times_ms)
    lines.append(
        "%d packets transmitted, %d received, %.2f%% packet loss" % (len(times_ms), received, loss)
    )
    return _lines(*lines)


def too_long(phy_id: int, target: str) -> str:
    return _lines("device %d PING %s" % (phy_id, target), "Message too long")


def route(roce: Roce, phy_id: int) -> str:
    """The routing table of the device's own busybox."""
    port = "eth%d" % phy_id
    rows = []
    if roce.gateway is not None:
        rows.append(("default", roce.gateway, "0.0.0.0", "UG", port))
    if roce.address is not None:
        net = ipaddress.IPv4Interface("%s/%s" % (roce.address, roce.netmask)).network
        rows.append((str(net.network_address), "*", str(net.netmask), "U", port))
    rows.append(("127.0.0.1", "*", "255.255.255.255", "UH", "lo"))
    for internal in ("192.168.1.0", "192.168.2.0"):
        rows.append((internal, "*", "255.255.255.0", "U", "end%dv0" % phy_id))
    lines = ["Routing table:", "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface"]
    for to, via, mask, flags, iface in rows:
        lines.append("%-15s %-15s %-15s %-5s %-6d %-6d %3d %s" % (to, via, mask, flags, 0, 0, 0, iface))
    return _lines(*lines)


def stat(roce: Roce, family: str) -> str:
    return _lines("packet statistics:", *["%s:%d" % item for item in counters(roce, family).items()])


def counters(roce: Roce, family: str) -> Dict[str, int]:
    """All counters a family has, in the order they are printed."""
    names: List[str] = []
    for side in ("tx", "rx"):
        names.append("mac_%s_mac_pause_num" % side)
    for side in ("tx", "rx"):
        names.append("mac_%s_pfc_pkt_num" % side)
        names += ["mac_%s_pfc_pri%d_pkt_num" % (side, priority) for priority in range(8)]
    for side in ("tx", "rx"):
        names += ["mac_%s_%s_%s_num" % (side, kind, unit) for kind in ("total", "bad") for unit in ("pkt", "oct")]
    if family != "910":
        names.append("mac_rx_fcs_err_pkt_num")
    for side in ("rx", "tx"):
        names += ["roce_%s_%s_pkt_num" % (side, kind) for kind in ("rc", "all", "err")]
    names += ["roce_cqe_num", "roce_rx_cnp_pkt_num", "roce_tx_cnp_pkt_num", "roce_unexpected_ack_num"]
    names += ["roce_out_of_order_num", "roce_verification_err_num", "roce_qp_status_err_num", "roce_new_pkt_rty_num"]
    if family != "910":
        names.append("roce_ecn_db_num")
    names += ["nic_%s_all_%s_num" % (side, unit) for side in ("tx", "rx") for unit in ("pkg", "oct")]
    return {name: roce.counters.get(name, 0) for name in names}


def _asctime(seconds: int) -> str:
    return time.asctime(time.localtime(seconds))

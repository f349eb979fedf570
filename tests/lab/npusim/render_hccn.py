# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``hccn_tool`` prints, from typed values. Formats differ between versions where a function takes one."""

from __future__ import annotations

import time

from .versions import version_key

TYPE_CHECKING = False  # not from typing: importing that costs a call of hccn_tool more than answering
if TYPE_CHECKING:
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
    return _lines(f"ipaddr:{roce.address}", f"netmask:{roce.netmask}")


def ip6(roce: Roce) -> str:
    return _lines(f"ipv6_address:{roce.address6}", f"prefix_length:{roce.prefix6}")


def link(roce: Roce) -> str:
    return _lines(f"link status: {roce.link}")


def net_health(status: str) -> str:
    return _lines(f"net health status: {status}")


def netdetect(roce: Roce, version: str) -> str:
    """The key became shorter with 26.0; an unset address is printed as 0.0.0.0."""
    key = "addr" if version_key(version) >= version_key("26.0.rc1") else "address"
    return _lines(f"netdetect {key}: {roce.netdetect or '0.0.0.0'}")


def gateway(roce: Roce, phy_id: int) -> str:
    return _lines(f"default gateway:{roce.gateway}, Iface:eth{phy_id}")


def mac(roce: Roce) -> str:
    return _lines(f"mac addr: {roce.mac}")


def speed(roce: Roce) -> str:
    known = roce.link == "UP" and roce.speed_mbps > 0
    return _lines(f"Speed: {roce.speed_mbps} Mb/s" if known else "Speed: Unknown!")


def fec(roce: Roce) -> str:
    return _lines(f"fec mode: {FEC[roce.fec]}")


def vnic(link: str, address: str, netmask: str) -> str:
    return _lines(f"vnic link status: {link}", f"vnic ipaddr: {address}", f"vnic netmask: {netmask}")


def mtu(roce: Roce) -> str:
    return _lines(f"mtu:{roce.mtu}")


def bandwidth(roce: Roce) -> str:
    """What passes just now: nothing but what a fault or a test has put there."""
    return _lines(*[f"Bandwidth {side}: {value:8.2f} MB/sec" for side, value in zip(("TX", "RX"), roce.bandwidth_mb)])


def tls(roce: Roce, phy_id: int) -> str:
    return _lines(
        f"dev_id:{phy_id}, tls switch[{roce.tls_switch}](0:disable, 1:enable), "
        f"tls preconfigured[{roce.tls_preconfigured}](0:non-preset, 1:preset), "
        f"tls alarm time threshold[{roce.tls_alarm_days}]days"
    )


def lldp(roce: Roce) -> str:
    """The switch on the other side; nothing without one or without a link."""
    if roce.switch_port is None or roce.link != "UP":
        return ""
    tlvs = [
        ("Chassis ID", [f"\tMAC: {roce.switch_mac}"]),
        ("Port ID", [f"\tIfname: {roce.switch_port}"]),
        ("Time to Live", ["\t121"]),
        ("System Capabilities", ["\tSystem capabilities:  Bridge, Router", "\tEnabled capabilities: Bridge, Router"]),
    ]
    if roce.switch_address is not None:
        tlvs.append(("Management Address", [f"\tIPv4: {roce.switch_address}"]))
    tlvs += [("Maximum Frame Size", ["\t9216"]), ("End of LLDPDU", [])]
    return _lines(*[line for title, values in tlvs for line in [f"{title} TLV"] + values])


def link_stat(roce: Roce, phy_id: int, now: int, version: str) -> str:
    """Times in the local zone, newest record first. Drivers before 23.0.6 do not count downs."""
    ups = sum(1 for _at, state in roce.link_records if state == "UP")
    lines = [f"current time        : {_asctime(now)}", f"link up count       : {ups}"]
    if version_key(version) >= version_key("23.0.6"):
        lines.append(f"link down count     : {len(roce.link_records) - ups}")
    lines.append(f"link change records :{'' if roce.link_records else ' NA'}")
    lines += [f"    {_asctime(at)}    LINK {state}" for at, state in reversed(roce.link_records)]
    return _lines(*[f"[devid {phy_id}]{line}" for line in lines])


def ping(phy_id: int, target: str, times_ms: list[float | None], unreachable: bool = False) -> str:
    """``times_ms``: one entry per packet, ``None`` for a lost one. ``unreachable``: the host before it said so."""
    lines = [f"device {phy_id} PING {target}"]
    for seq, taken in enumerate(times_ms):
        if taken is not None:
            lines.append(f"recv seq={seq},time={taken:.6f}ms")
        elif unreachable:
            lines.append(f"Destination Host Unreachable seq={seq}")
        else:
            lines.append(f"recv time out seq={seq}")
    received = sum(1 for taken in times_ms if taken is not None)
    loss = 100.0 * (len(times_ms) - received) / len(times_ms)
    lines.append(f"{len(times_ms)} packets transmitted, {received} received, {loss:.2f}% packet loss")
    return _lines(*lines)


def hccs_ping(phy_id: int, target: str, times_ms: list[float | None]) -> str:
    """Times in us; a packet that did not come back has none. The plural "packets loss" is the tool's."""
    lines = [f"device {phy_id} PING {target}", ""]
    for seq, taken in enumerate(times_ms):
        lines.append("This pkt ping success!" if taken is not None else "This pkt check recv msg fail!")
        lines.append(f"recv seq {seq}, time = {(taken or 0) * 1000:.3f}us, L1 plane check result = 0x0")
    got = sorted(taken * 1000 for taken in times_ms if taken is not None)
    loss = 100.0 * (len(times_ms) - len(got)) / len(times_ms)
    lines.append(f"{len(times_ms)} packets transmitted, {len(got)} received, {loss:.2f}% packets loss")
    figures = (max(got), min(got), sum(got) / len(got), got[int(0.95 * len(got))]) if got else (0.0,) * 4
    lines += [f"{name} time {value:.3f}us" for name, value in zip(("max", "min", "average", "TP95"), figures)]
    return _lines(*lines)


def too_long(phy_id: int, target: str) -> str:
    return _lines(f"device {phy_id} PING {target}", "Message too long")


def route(roce: Roce, phy_id: int) -> str:
    """The routing table of the device's own busybox."""
    import ipaddress

    port = f"eth{phy_id}"
    rows = []
    if roce.gateway is not None:
        rows.append(("default", roce.gateway, "0.0.0.0", "UG", port))
    if roce.address is not None:
        net = ipaddress.IPv4Interface(f"{roce.address}/{roce.netmask}").network
        rows.append((str(net.network_address), "*", str(net.netmask), "U", port))
    rows.append(("127.0.0.1", "*", "255.255.255.255", "UH", "lo"))
    for internal in ("192.168.1.0", "192.168.2.0"):
        rows.append((internal, "*", "255.255.255.0", "U", f"end{phy_id}v0"))
    lines = ["Routing table:", "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface"]
    for to, via, mask, flags, iface in rows:
        lines.append(f"{to:15} {via:15} {mask:15} {flags:5} 0      0        0 {iface}")
    return _lines(*lines)


def stat(roce: Roce, family: str) -> str:
    return _lines("packet statistics:", *[f"{name}:{value}" for name, value in counters(roce, family).items()])


def counters(roce: Roce, family: str) -> dict[str, int]:
    """All counters a family has, in the order they are printed."""
    names: list[str] = []
    for side in ("tx", "rx"):
        names.append(f"mac_{side}_mac_pause_num")
    for side in ("tx", "rx"):
        names.append(f"mac_{side}_pfc_pkt_num")
        names += [f"mac_{side}_pfc_pri{priority}_pkt_num" for priority in range(8)]
    for side in ("tx", "rx"):
        names += [f"mac_{side}_{kind}_{unit}_num" for kind in ("total", "bad") for unit in ("pkt", "oct")]
    if family != "910":
        names.append("mac_rx_fcs_err_pkt_num")
    for side in ("rx", "tx"):
        names += [f"roce_{side}_{kind}_pkt_num" for kind in ("rc", "all", "err")]
    names += ["roce_cqe_num", "roce_rx_cnp_pkt_num", "roce_tx_cnp_pkt_num", "roce_unexpected_ack_num"]
    names += ["roce_out_of_order_num", "roce_verification_err_num", "roce_qp_status_err_num", "roce_new_pkt_rty_num"]
    if family != "910":
        names.append("roce_ecn_db_num")
    names += [f"nic_{side}_all_{unit}_num" for side in ("tx", "rx") for unit in ("pkg", "oct")]
    return {name: roce.counters.get(name, 0) for name in names}


HW_STATS = ("pd_alloc", "pd_dealloc", "mr_alloc", "mr_dealloc", "cq_alloc", "cq_dealloc", "qp_alloc", "qp_dealloc",
            "pd_active", "mr_active", "cq_active", "qp_active", "aeqe", "ceqe")  # fmt: skip


def hw_stats(roce: Roce, phy_id: int) -> str:
    return _lines(*[f"[devid {phy_id}] {name}: {roce.counters.get(name, 0)}" for name in HW_STATS])


def optical(roce: Roce) -> str:
    """The transceiver. A pulled cable shows as light that does not arrive."""
    module = roce.optical
    dark = roce.link != "UP"
    rows: list[tuple[str, str]] = [
        ("present", "present" if module.present else "not present"),
        ("temperature", f"{module.temp_c} C"),
        ("high power enable reg", "enabled" if module.high_power else "disabled"),
        ("vendor name", module.vendor.ljust(16)),  # fixed fields of the module's memory
        ("vendor part number", module.part_number.ljust(16)),
        ("vendor serial number", module.serial_number.ljust(16)),
        ("vendor org unique id", " ".join(f"0x{byte:x}" for byte in module.org_id)),
        ("xsfp identifier", module.identifier),
        ("xsfp wave length", f"{module.wave_nm} nm"),
        ("manufact date code", module.date),
        ("Vcc", f"{module.vcc_mv:.2f} mV"),
    ]
    for lane, (sent, received) in enumerate(zip(module.tx_power, module.rx_power)):
        rows.append((f"Tx Power{lane}", f"{sent:.4f} mW"))
        rows.append((f"Rx Power{lane}", f"{0.0 if dark else received:.4f} mW"))
    for name, limits, unit in (
        ("Vcc", [f"{v:.2f}" for v in module.vcc_limits_mv], "mV"),
        ("Temp", [str(v) for v in module.temp_limits_c], "C"),
        ("TxPower", [f"{v:.4f}" for v in module.tx_limits], "mW"),
        ("RxPower", [f"{v:.4f}" for v in module.rx_limits], "mW"),
    ):
        rows += [(f"{name} {end} Thres", f"{value} {unit}") for end, value in zip(("High", "Low"), limits)]
    rows += [(f"Tx Bias{lane}", f"{value:.4f} mA") for lane, value in enumerate(module.tx_bias)]
    rows += [("Tx Los Flag", f"0x{module.tx_los:x}"), ("Rx Los Flag", f"0x{0xFF if dark else module.rx_los:x}")]
    rows += [(f"{side} LoL Flag", f"0x{flag:x}") for side, flag in (("Tx", module.tx_lol), ("Rx", module.rx_lol))
             if flag is not None]  # fmt: skip
    for side, lanes in (("Host", module.host_snr_db), ("Media", module.media_snr_db)):
        for lane, value in enumerate(lanes or []):
            rows.append((f"{side} SNR Lane{lane}", "not supported" if value is None else f"{value:.4f} dB"))
    return _lines("optical info:", *[f"{key:21}: {value}" for key, value in rows])


def _asctime(seconds: int) -> str:
    return time.asctime(time.localtime(seconds))

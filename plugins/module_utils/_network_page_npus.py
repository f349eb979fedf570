# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NPUs of the network page: as a map of the fleet, and as tables with all that is known of each port.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import math
from html import escape

from ._network_page_model import LOSSES, STATES, VERDICTS, marked, ms
from ._roce_fleet_types import plural

# Nodes that have one table together; with more, only those with a fault are open, and of these not all.
TOGETHER_MOST = 8
UNFOLDED_MOST = 40
# Nodes whose boxes have room for phy ids.
NUMBERED_MOST = 64
# In which column of the table a problem is seen. What is in none is seen in the verdict alone.
COLUMN_OF = {
    **dict.fromkeys(("ip", "netmask", "duplicate", "hccn_conf", "gateway", "vnic"), "address"),
    **dict.fromkeys(("link", "link_stat"), "link"),
    **dict.fromkeys(("net_health", "netdetect"), "health"),
    **dict.fromkeys(("lldp", "swapped"), "port"),
    "stat": "received",
    "bandwidth": "speed",
    **dict.fromkeys(("isolated", "partial", "path", "node_isolated", "split", "no_result", "ping", *LOSSES), "pings"),
}
HEADS = (
    ("NPU", "phy id, and the NPU and chip of npu-smi where they are other numbers"),
    ("State", "with the numbers of the problems above"),
    ("Address", "RoCE address and the length of its netmask"),
    ("Link", ""),
    ("Speed", "Gb/s, and what it sent to the same NPU of the next node, if that was measured"),
    ("TLS", ""),
    ("MTU", ""),
    ("Health", "net health, what the NPU says of its detection address"),
    ("Switch port", "by LLDP"),
    ("Light received", "weakest lane in mW, against the limit of the transceiver"),
    ("Light sent", "weakest lane in mW, against the limit of the transceiver"),
    ("°C", "temperature of the transceiver"),
    ("Peers", "with how many of its peers all packets came through"),
    ("ms", "average round trip"),
)
_NOTHING = "–"


def fleet_map(fleet):
    """Every node with a box for each NPU; what is not fine has a mark."""
    many = len(fleet.hosts) > NUMBERED_MOST
    # All nodes are as wide as the one with the longest name and the most NPUs, so that they stand in columns.
    boxes = max((len(phy_ids) for phy_ids in fleet.of_host.values()), default=0)
    out = [f'<div class="map{" many" if many else ""}" style="--c:{fleet.letters + 2};--n:{max(boxes, 4)}">']
    for host in fleet.hosts:
        verdict = fleet.verdict(host)
        name = f'<b title="{escape(host)}">{fleet.labels[host]}{marked(verdict)}</b>'
        shown = "".join(_box(fleet, (host, phy_id), many) for phy_id in fleet.of_host[host])
        if not shown:
            why = "no NPUs" if fleet.rows.get(host, {}).get("roce_ports", True) else "no RoCE ports"
            shown = "<em>no result</em>" if host in fleet.absent else f"<em>{why}</em>"
        out.append(f'<div class="n {VERDICTS[verdict][0]}">{name}<span>{shown}</span></div>')
    out.append("</div>")
    return "\n".join(out)


def _box(fleet, end, many):
    row = fleet.npus[end]
    css, mark, word = fleet.mark(end)
    if row["verdict"] == "pass":
        why = fleet.why_not_pinged(end)
        css, mark, word = ("u", "", why) if why else ("a", "", "")
    tip = f' title="{escape(end[0])} phy id {end[1]}: {escape(word)}{_numbers(row)}"' if word else ""
    return f"<a class={css} href=#{fleet.anchor(end)}{tip}>{'' if many else end[1]}{mark}</a>"


def _numbers(row):
    return ", problem " + ", ".join(str(number + 1) for number in row["problems"]) if row["problems"] else ""


def tables(fleet):
    """All that is known of each NPU. In a larger fleet the nodes without a fault are folded, below the others."""
    if len(fleet.hosts) <= TOGETHER_MOST:
        yield from _table(fleet, fleet.hosts)
        return
    bad = [host for host in fleet.hosts if fleet.verdict(host) != "pass"]
    # Failures before warnings; the order of each stays.
    bad.sort(key=lambda host: fleet.verdict(host) != "fail")
    fine = [host for host in fleet.hosts if fleet.verdict(host) == "pass"]
    yield from _table(fleet, bad[:UNFOLDED_MOST])
    for hosts, what in ((bad[UNFOLDED_MOST:], "more with a fault or a warning"), (fine, "without a fault")):
        if hosts:
            yield f"<details><summary>{plural(len(hosts), 'node')} {what}</summary>"
            yield from _table(fleet, hosts)
            yield "</details>"


def _table(fleet, hosts):
    if not hosts:
        return
    head = "".join(f'<th title="{escape(tip)}">{name}' if tip else f"<th>{name}" for name, tip in HEADS)
    yield f"<div class=wide><table class=npus><thead><tr>{head}</thead>"
    for host in hosts:
        yield f"<tbody><tr class=host><th colspan={len(HEADS)}>{_host_words(fleet, host)}"
        yield from (_row(fleet, (host, phy_id)) for phy_id in fleet.of_host[host])
        yield "</tbody>"
    yield "</table></div>"


def _host_words(fleet, host):
    css, mark, _word = VERDICTS[fleet.verdict(host)]
    if host in fleet.absent:
        return f"<b>{escape(host)}</b> <mark class=x>× no result</mark>"
    row = fleet.rows[host]
    told = [plural(row["npus"], "NPU") if row.get("roce_ports", True) else "no RoCE ports"]
    told += [f"driver {row['driver_version']}"] if row["driver_version"] else []
    told += [row["family"]] if row["family"] else []
    bad = sum(fleet.npus[host, phy_id]["verdict"] == "fail" for phy_id in fleet.of_host[host])
    told += [f"{bad} failed"] if bad else []
    return f"<b>{escape(host)}</b> <mark class={css}>{mark}</mark> {escape(', '.join(told))}"


def _row(fleet, end):
    npu = fleet.npus[end]
    bad = _marked_columns(fleet, npu)
    received, low_received = _light(npu["optical"], "rx")
    sent, low_sent = _light(npu["optical"], "tx")
    dark = [column for column, low in (("received", low_received), ("sent", low_sent)) if low]
    if dark or "optical" in bad:
        seen = bad.pop("optical", VERDICTS["warn"])
        bad.update(dict.fromkeys(dark or ["received"], seen))
    css, mark, word = fleet.mark(end)
    optical = npu["optical"] or {}
    cells = [
        ("", f"<b>{end[1]}</b>{_chip(npu) if end[0] in fleet.dies else ''}"),
        ("", f"<mark class={css}>{mark}</mark> {word}{_links(npu)}"),
        ("address", _address(npu, fleet.report.get("ping_tool"))),
        ("link", _text(npu["link"])),
        ("speed", _speed(npu)),
        ("tls", {0: "off", 1: "on"}.get(npu["tls_switch"], _text(npu["tls_switch"]))),
        ("mtu", _text(npu["mtu"])),
        ("health", _text(npu["net_health"])),
        ("port", _port(npu)),
        ("received", received),
        ("sent", sent),
        ("", _NOTHING if optical.get("temperature_c") is None else f"{optical['temperature_c']:.0f}"),
        ("pings", _pings(npu, fleet.why_not_pinged(end))),
        ("", _NOTHING if npu["avg_ms"] is None else ms(npu["avg_ms"])),
    ]
    out = [f"<tr id={fleet.anchor(end)}{'' if npu['verdict'] == 'pass' else ' class=' + css}>"]
    for column, text in cells:
        if column in bad:
            css, mark, _word = bad[column]
            out.append(f"<td class={css}><u>{mark}</u> {text}")
        else:
            out.append(f"<td>{text}")
    return "".join(out)


def _marked_columns(fleet, npu):
    """{column: (class, mark, word)} of the columns in which its problems are seen; a failure goes before a warning."""
    bad = {}
    for number in sorted(npu["problems"], reverse=True):
        check, severity = fleet.report["problems"][number]["check"], fleet.report["problems"][number]["severity"]
        bad[COLUMN_OF.get(check, check)] = STATES["loss"] if check in LOSSES else VERDICTS[severity]
    if npu["link"] not in (None, "UP"):
        bad["link"] = VERDICTS["fail"]
    return bad


def _links(npu):
    return "".join(f" <a href=#p{number + 1}>{number + 1}</a>" for number in npu["problems"])


def _text(value):
    return _NOTHING if value is None else escape(str(value))


def _speed(npu):
    told = _NOTHING if npu["speed_mbps"] is None else f"{npu['speed_mbps'] / 1000:g}"
    sent = npu.get("bandwidth_gbits")
    return told if sent is None else f"{told}<small> sends {sent:.1f}</small>"


def _chip(npu):
    return "" if npu["npu_id"] is None else f" <small>NPU {npu['npu_id']}.{npu['chip_id']}</small>"


def _address(npu, tool):
    out = _text(npu["ipaddr"])
    try:
        bits = sum(bin(int(part)).count("1") for part in npu["netmask"].split("."))
        out += f"<small>/{bits}</small>"
    except (AttributeError, ValueError):
        pass
    if npu["gateway"]:
        out += f"<small> via {escape(npu['gateway'])}</small>"
    if tool == "hccs_ping" and npu["vnic"]:
        out += f"<br><small>vNIC {_text(npu['vnic'].get('ipaddr'))}</small>"
    return out


def _port(npu):
    if not npu["switch_port"]:
        return _NOTHING
    lldp = npu["lldp"] or {}
    port = lldp.get("port_ifname") or lldp.get("port_id")
    switch = lldp.get("system_name") or lldp.get("mgmt_ipv4") or lldp.get("chassis_id")
    return f"{escape(port)}<small> {escape(switch)}</small>" if switch else escape(port)


def _pings(npu, why_not):
    if why_not:
        return f"<small>{escape(why_not)}</small>"
    told = [f"{npu['peers_fine']}/{npu['peers']}"]
    told += [f"{npu['peers_lossy']} lossy"] if npu["peers_lossy"] else []
    told += [f"{npu['peers_unknown']} unknown"] if npu["peers_unknown"] else []
    return ", ".join(told)


def _light(optical, side):
    """(HTML of the weakest lane against its limit, whether it is below)."""
    optical = optical or {}
    if optical.get("present") is False:
        return "none present", False
    lanes = optical.get(f"{side}_power_mw") or ()
    known = [power for power in lanes if power is not None]
    if not known:
        return _NOTHING, False
    power, limit, high = min(known), optical.get(f"{side}_power_low_mw"), optical.get(f"{side}_power_high_mw")
    tip = ", ".join(_NOTHING if lane is None else f"{lane:g}" for lane in lanes)
    told = f'<span title="{tip} mW">{power:.2f}</span>'
    if not limit or limit <= 0:
        return told, False
    return f"{told}{_bar(power, limit, high)}<small>{limit:.2f}</small>", power < limit


def _bar(power, limit, high):
    """On a scale of decibels: 6 below the limit on the left, the upper limit on the right, the limit as a line."""
    top = math.log10(high / limit) if high and high > limit else 1.6
    # No light at all is at the left end.
    at = math.log10(max(power / limit, 0.01)) + 0.6
    position = round(100 * min(1.0, max(0.0, at / (top + 0.6))))
    return f"<s style=--v:{position}%;--l:{round(60 / (top + 0.6))}%></s>"

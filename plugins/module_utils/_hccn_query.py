# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parsers of hccn_tool's short answers: addresses, link, TLS and so on. This module util is PRIVATE to the collection.

Each takes the text of one NPU's answer and returns plain values or a small frozen class with ``to_dict()``; "nothing
is set" is None. The plural functions take the text of a shell loop over NPUs.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import (
    HccnParseError,
    answer_lines,
    key_line,
    one_value,
    refuse,
    reported,
    split_answers,
    values_of,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed

IP_KEY = "ip addr(?:ess)?"
GATEWAY_KEY = "(?:default|ipv6)? gateway"
NETDETECT_KEY = "netdetect addr(?:ess)?"
EXECUTED = "Cmd executed successfully!"
NET_HEALTH = (
    "Success", "Socket fail", "Receive timeout", "Unreachable", "Time exceeded", "Fault", "Init", "Thread error",
    "Detect ip set", "Unknown",
)  # fmt: skip


class Answer:
    """Base of the frozen dataclasses below."""

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Ip(Answer):
    """``-ip -g``"""

    ipaddr: str
    netmask: str


@dataclass(frozen=True)
class Ip6(Answer):
    """``-ip -inet6 -g``"""

    ipv6_address: str
    prefix_length: int


@dataclass(frozen=True)
class Gateway(Answer):
    """``-gateway -g``; ``iface`` is the port as the NPU's own system calls it."""

    default_gateway: str
    iface: str | None = None


@dataclass(frozen=True)
class Vnic(Answer):
    """``-vnic -g``: the NPU's internal port, on A3 its address in the super pod."""

    link: str
    ipaddr: str | None
    netmask: str | None


@dataclass(frozen=True)
class Tls(Answer):
    """``-tls -g``; None for what an old driver does not print.

    ``certificates`` in the order printed, each with name, issuer, start_time, end_time, and from newer drivers subject
    and expiration_status (0 normal, 1 near its end, 2 expired).
    """

    dev_id: int
    tls_switch: int
    tls_preconfigured: int | None = None
    tls_alarm_days: int | None = None
    certificates: tuple = ()

    @property
    def crl_status(self) -> int | None:
        """The expiration status of the revocation list; None if there is none."""
        return next(
            (each.get("expiration_status") for each in self.certificates if each["name"].lower() == "crl"), None
        )


@dataclass(frozen=True)
class SetResult:
    """Answer of a set command. ``ok`` only if the tool said so and did not end with a failure. Read back anyway."""

    ok: bool
    message: str
    command: Completed | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict:
        return {"ok": self.ok, "message": self.message}


def parse_ip(text: str) -> Ip | None:
    """``-ip -g``. None if the NPU has no address."""
    address, mask = one_value(text, IP_KEY), one_value(text, "netmask")
    if address is None and _not_preset(text):
        return None
    if address is None or mask is None:
        refuse(text, "no line with ipaddr" if address is None else "no line with netmask")
    return Ip(ipv4(address), ipv4(mask))


def parse_ips(text: str) -> tuple:
    """``for i in ...; do hccn_tool -i $i -ip -g; done``"""
    return parse_several(parse_ip, text)


def parse_ip6(text: str) -> Ip6 | None:
    """``-ip -inet6 -g``. None if the NPU has no such address."""
    address, prefix = one_value(text, "ipv6 address"), one_value(text, "prefix length")
    if address is None and _not_preset(text):
        return None
    if address is None or prefix is None:
        refuse(text, "no line with ipv6_address" if address is None else "no line with prefix_length")
    return Ip6(address, integer(prefix))


def parse_link(text: str) -> str:
    """``-link -g``: "UP" or "DOWN"."""
    value = one_value(text, "link status")
    if not value:
        refuse(text, "no line with link status")
    return value.upper()


def parse_net_health(text: str) -> str:
    """``-net_health -g`` as printed. "Success" is good, "Init" says that no netdetect address is set."""
    value = one_value(text, "net health status")
    if not value:
        refuse(text, "no line with net health status")
    return next((known for known in NET_HEALTH if known.lower() == value.lower()), value)


def parse_netdetect(text: str) -> str | None:
    """``-netdetect -g``: the address that the NPU pings by itself; None if none is set (0.0.0.0)."""
    value = one_value(text, NETDETECT_KEY)
    if value is None:
        if _not_preset(text):
            return None
        refuse(text, "no line with netdetect address")
    return None if value in ("", "0.0.0.0", "::", "NA") else address_of(value)


def parse_gateway(text: str) -> Gateway | None:
    """``-gateway -g``. None if none is set."""
    value = one_value(text, GATEWAY_KEY)
    if value is None:
        if _not_preset(text):
            return None
        refuse(text, "no line with default gateway")
    address, _comma, rest = value.partition(",")
    iface = key_line("iface").fullmatch(rest.strip())
    return Gateway(address_of(address.strip()), iface.group("value").strip() if iface else None)


def parse_gateways(text: str) -> tuple:
    """``for i in ...; do hccn_tool -i $i -gateway -g; done``"""
    return parse_several(parse_gateway, text)


def parse_vnic(text: str) -> Vnic:
    """``-vnic -g``"""
    link = one_value(text, "vnic link status")
    if not link:
        refuse(text, "no line with vnic link status")
    address, mask = one_value(text, f"vnic {IP_KEY}"), one_value(text, "vnic netmask")
    return Vnic(link.upper(), _ipv4_or_none(address), _ipv4_or_none(mask))


def parse_vnics(text: str) -> tuple:
    """``for i in ...; do hccn_tool -i $i -vnic -g; done``"""
    return parse_several(parse_vnic, text)


def parse_speed(text: str) -> int | None:
    """``-speed -g`` (and the line of ``-status -g``) in Mb/s; None if it is unknown, as on a port without link."""
    value = one_value(text, "speed")
    if value is None:
        refuse(text, "no line with Speed")
    match = re.match(r"(\d+)\s*(?P<giga>G)?(?:M)?(?:b/s|bps|bit/s)?", value, re.IGNORECASE)
    if match:
        return int(match.group(1)) * (1000 if match.group("giga") else 1)
    if re.match(r"unknown|NA\b", value, re.IGNORECASE):
        return None
    raise HccnParseError("this is no speed", f"Speed: {value}", values_of(text, key_line("speed"))[0][0])


def parse_mtu(text: str) -> int:
    """``-mtu -g`` in bytes."""
    return integer(_needed(text, "mtu"))


def parse_mac(text: str) -> str:
    """``-mac -g``, in small letters."""
    return _needed(text, "mac addr(?:ess)?").lower()


def parse_fec(text: str) -> str:
    """``-fec -g``: "rs FEC mode", "no FEC mode" or "auto FEC mode"."""
    return _needed(text, "fec mode")


def parse_bandwidth(text: str) -> dict:
    """``-bandwidth -g``: ``{"tx_mb_s": …, "rx_mb_s": …}``"""
    return {f"{way}_mb_s": float(_needed(text, f"bandwidth {way}").split()[0]) for way in ("tx", "rx")}


def parse_version(text: str) -> dict:
    """``-version -g``: ``{"driver": …, "firmware": …}``, None for what is not printed."""
    driver, firmware = one_value(text, "network driver version"), one_value(text, "network firmware version")
    if not driver and not firmware:
        refuse(text, "no line with Network Driver Version")
    return {"driver": driver or None, "firmware": firmware or None}


_TLS = re.compile(
    r"dev\w*\s*[:=]\s*(?P<dev>\d+)\s*[,\uff0c]\s*tls[\s_]*switch\s*[\[:=]\s*(?P<switch>\d+)(?P<rest>.*)", re.I
)
_TLS_MORE = {
    "tls_preconfigured": re.compile(r"tls[\s_]*preconfigured\s*\[\s*(\d+)\s*\]", re.IGNORECASE),
    "tls_alarm_days": re.compile(r"alarm[\s_]*time[\s_]*threshold\s*\[\s*(\d+)\s*\]", re.IGNORECASE),
}
_TLS_PART = re.compile(r"dev\w*\s*[:=]\s*(?P<dev>\d+)\s*[,\uff0c]\s*\[(?P<name>[^\]]+)\]\s*info\s*:.*", re.IGNORECASE)
_TLS_ENTRY = re.compile(
    r"(?P<key>subject|issuer|start_time|end_time|tls expiration status)\s*\[(?P<value>[^\]]*)\].*", re.IGNORECASE
)


def parse_tls_all(text: str) -> tuple:
    """``for i in ...; do hccn_tool -i $i -tls -g; done``, also with ``| grep switch``: a L(Tls) for each NPU."""
    heads: list = []
    certificates: list = []
    for _number, line in answer_lines(text):
        head, part, entry = _TLS.match(line), _TLS_PART.fullmatch(line), _TLS_ENTRY.fullmatch(line)
        if head:
            more = {key: pattern.search(head.group("rest")) for key, pattern in _TLS_MORE.items()}
            heads.append((int(head.group("dev")), int(head.group("switch")), more))
            certificates.append([])
        elif part and heads:
            certificates[-1].append({"name": part.group("name")})
        elif entry and heads and certificates[-1]:
            key, value = entry.group("key").lower(), entry.group("value")
            if key == "tls expiration status":
                key, value = "expiration_status", integer(value)
            certificates[-1][-1][key] = value
    return tuple(
        Tls(
            dev,
            switch,
            **{key: int(match.group(1)) if match else None for key, match in more.items()},
            certificates=tuple(found),
        )
        for (dev, switch, more), found in zip(heads, certificates)
    )


def parse_tls(text: str) -> Tls:
    """``-tls -g``, also with ``| grep switch``."""
    found = parse_tls_all(text)
    if not found:
        refuse(text, "no line with tls switch")
    if len(found) > 1:
        raise HccnParseError(f"answers of {len(found)} NPUs; parse_tls_all takes them", answer_lines(text)[-1][1])
    return found[0]


def parse_set(text: str, rc: int | None = None) -> SetResult:
    """Judge a set command by its text (stdout and stderr) and exit status, None if only text was kept."""
    lines = [line for _number, line in answer_lines(text)]
    said_so = any(line.lower().startswith(EXECUTED.lower().rstrip("!")) for line in lines)
    error = reported(text)
    if said_so and not rc:
        return SetResult(True, EXECUTED)
    if error is not None:
        return SetResult(False, error.error)
    if said_so:
        return SetResult(False, f"it said {EXECUTED!r} but ended with exit status {rc}")
    ended = "" if rc is None else f" and ended with exit status {rc}"
    return SetResult(False, (lines[-1] if lines else f"it said nothing{ended}"))


# The keys of one answer: where one comes again, the answer of the next NPU begins.
_KEYS = {
    parse_ip: (IP_KEY, "netmask"),
    parse_ip6: ("ipv6 address", "prefix length"),
    parse_link: ("link status",),
    parse_net_health: ("net health status",),
    parse_netdetect: (NETDETECT_KEY,),
    parse_gateway: (GATEWAY_KEY,),
    parse_vnic: ("vnic link status", f"vnic {IP_KEY}", "vnic netmask"),
    parse_speed: ("speed",),
    parse_mtu: ("mtu",),
    parse_mac: ("mac addr(?:ess)?",),
    parse_fec: ("fec mode",),
}


def parse_several(parse, text: str) -> tuple:
    """What ``parse``, one of the functions above, makes of each answer of a shell loop over NPUs."""
    return tuple(parse(answer) for answer in split_answers(text, *_KEYS[parse]))


def ipv4(value: str) -> str:
    """The IPv4 address in ``value``. Octets that a publisher has masked (``26.xx.xx.xx``) pass."""
    address = value.split()[0] if value.split() else ""
    octets = address.split(".")
    if len(octets) != 4 or not all(
        (octet.isdigit() and int(octet) < 256) or re.fullmatch(r"[xX*]{1,3}", octet) for octet in octets
    ):
        raise HccnParseError("this is no IPv4 address", value)
    return address


def address_of(value: str) -> str:
    """An IPv4 or IPv6 address."""
    return value.split()[0] if ":" in value else ipv4(value)


def integer(value: str) -> int:
    match = re.match(r"-?\d+", value)
    if not match:
        raise HccnParseError("this is no number", value)
    return int(match.group())


def _ipv4_or_none(value: str | None) -> str | None:
    return None if value in (None, "", "NA", "0.0.0.0") else ipv4(value)


def _needed(text: str, key: str) -> str:
    value = one_value(text, key)
    if not value:
        refuse(text, f"no line with {key}")
    return value


def _not_preset(text: str) -> bool:
    error = reported(text)
    return error is not None and re.search(r"no \S+ was preset", error.error, re.IGNORECASE) is not None


__all__ = [
    "NET_HEALTH",
    "Answer",
    "Gateway",
    "Ip",
    "Ip6",
    "SetResult",
    "Tls",
    "Vnic",
    "address_of",
    "integer",
    "ipv4",
    "parse_bandwidth",
    "parse_fec",
    "parse_gateway",
    "parse_gateways",
    "parse_ip",
    "parse_ip6",
    "parse_ips",
    "parse_link",
    "parse_mac",
    "parse_mtu",
    "parse_net_health",
    "parse_netdetect",
    "parse_set",
    "parse_several",
    "parse_speed",
    "parse_tls",
    "parse_tls_all",
    "parse_version",
    "parse_vnic",
    "parse_vnics",
]

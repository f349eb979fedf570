# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every hccn_tool answer and hccn.conf of the corpus against the values that it must give.

``READERS`` says for each name of a capture how to get its ``expect`` from the text. A capture without a reader fails.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.npuops.ascend.plugins.module_utils import _hccn_tool as hccn
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_conf import parse_conf
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_table import (
    parse_dev_info,
    parse_port_speed,
    parse_ub_connect,
)

CORPUS = Path(__file__).parents[3] / "fixtures" / "corpus"
INDEX = [
    entry
    for entry in yaml.load((CORPUS / "index.yaml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if "hccn" in entry["file"]
]


def renamed(values: dict, **names) -> dict:
    return {names.get(key, key): value for key, value in values.items()}


def ip(text: str) -> dict:
    found = hccn.parse_ip(text)
    return found.to_dict() if found else {"ipaddr": None, "error": "no ip was preset"}


def ips(text: str) -> dict:
    found = hccn.parse_ips(text)
    (mask,) = {each.netmask for each in found}
    return {"ips": [each.ipaddr for each in found], "netmask": mask}


def gateway(text: str) -> dict:
    found = hccn.parse_gateways(text)
    if len(found) == 1:
        return hccn.parse_gateway(text).to_dict()
    return {"gateways": [renamed(each.to_dict(), default_gateway="gateway") for each in found]}


def vnic(text: str) -> dict:
    found = hccn.parse_vnics(text)
    return hccn.parse_vnic(text).to_dict() if len(found) == 1 else {"vnics": [each.to_dict() for each in found]}


SHORT = {"tls_preconfigured": "preconfigured", "tls_alarm_days": "alarm_days"}


def tls_of_several(text: str) -> dict:
    return {"devices": [renamed(each.to_dict(), **SHORT) for each in hccn.parse_tls_all(text)]}


def tls_full(text: str) -> dict:
    if len(hccn.parse_tls_all(text)) > 1:
        return tls_of_several(text)
    found = hccn.parse_tls(text)
    return {**renamed(found.to_dict(), **SHORT), "crl_status": found.crl_status}


def link_stat(text: str) -> dict:
    found = hccn.parse_link_stat(text).to_dict()
    # The index only counts the rows of the 950's table.
    return {**found, "records": len(found["records"])} if "+---" in text else found


def ping(text: str) -> dict:
    found = hccn.parse_ping(text)
    return {**found.to_dict(), "ok": found.ok}


def route(text: str) -> dict:
    found = hccn.parse_route(text)
    return {**found.to_dict(), "routes": len(found.routes)}


def dev_info(text: str) -> dict:
    found = parse_dev_info(text).to_dict()
    # The index leaves the UB interfaces out.
    return {**found, "interfaces": [each for each in found["interfaces"] if "." in each["ip"]]}


READERS = {
    "hccn_conf": lambda text: {"devices": {str(phy): values for phy, values in parse_conf(text).items()}},
    "dev_info": dev_info,
    "fec": lambda text: {"fec_mode": hccn.parse_fec(text)},
    "gateway": gateway,
    "hw_stats": lambda text: hccn.parse_hw_stats(text).to_dict(),
    "ip": ip,
    "ip_all": ips,
    "ip_inet6": lambda text: hccn.parse_ip6(text).to_dict(),
    "link": lambda text: {"link_status": hccn.parse_link(text)},
    "link_stat": link_stat,
    "lldp": lambda text: hccn.parse_lldp(text).to_dict(),
    "lldp_ifname": lambda text: {"ifnames": list(hccn.lldp_ifnames(text))},
    "net_health": lambda text: {"net_health": hccn.parse_net_health(text)},
    "netdetect": lambda text: {"netdetect": hccn.parse_netdetect(text)},
    "optical": lambda text: hccn.parse_optical(text).to_dict(),
    "ping": ping,
    "roce_test": lambda text: hccn.parse_roce_test(text).to_dict(),
    "route": route,
    "speed": lambda text: (
        parse_port_speed(text).to_dict() if "+---" in text else {"speed_mbps": hccn.parse_speed(text)}
    ),
    "stat": lambda text: {"counters": hccn.parse_stat(text)},
    "status": lambda text: hccn.parse_status(text).to_dict(),
    "tls_full": tls_full,
    "tls_set": lambda text: hccn.parse_set(text).to_dict(),
    "tls_switch": lambda text: hccn.parse_tls(text).to_dict(),
    "tls_switch_mixed": tls_of_several,
    "ub_connect": lambda text: parse_ub_connect(text).to_dict(),
    "ub_ping": ping,
    "version": hccn.parse_version,
    "vnic": vnic,
}
# Where the index has all of a thing, not only some keys of it.
WHOLE = {"hccn_conf", "optical", "stat"}


def name_of(entry: dict) -> str:
    return re.match(r"(?:hccn_tool|file)__(\w+?)__", Path(entry["file"]).name).group(1)


def limited(found, wanted):
    """``found`` without the keys that ``wanted`` does not have, in dicts and lists of dicts."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {key: limited(found.get(key, "no such key"), value) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(found, (list, tuple)):
        if len(wanted) != len(found):
            return list(found)
        return [limited(one, other) for one, other in zip(found, wanted)]
    return found


def test_the_corpus_is_here():
    assert len(INDEX) >= 51
    assert {name_of(entry) for entry in INDEX} == set(READERS)


# What a terminal, a log and an editor do to a text.
DAMAGES = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "blanks at the ends": lambda text: "".join(f"  {line}\t \n" for line in text.splitlines()),
    "empty lines": lambda text: "\n\n" + text.replace("\n", "\n\n"),
    "log lines before": lambda text: (
        "\ufeff[ERROR] DRV(4711,hccn_tool):2026-01-02-03:04:05.678 [hccn_comm.c:88]\nWarning: no log directory\n" + text
    ),
    "no final line feed": lambda text: text.rstrip("\n"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)
def test_every_capture(entry, damage):
    name = name_of(entry)
    found = READERS[name](DAMAGES[damage]((CORPUS / entry["file"]).read_text()))
    wanted = entry["expect"]
    if name in WHOLE:
        assert {key: found[key] for key in wanted} == wanted
    else:
        assert limited(found, wanted) == wanted


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)
def test_odd_case(entry):
    """Keys in any case; values keep theirs, so those are compared in small letters."""
    name = name_of(entry)
    if name in ("hccn_conf", "stat", "hw_stats"):
        pytest.skip("these names are the tool's own, case and all")
    found = READERS[name]((CORPUS / entry["file"]).read_text().upper())
    assert limited(lowered(found), lowered(entry["expect"])) == lowered(entry["expect"])


def lowered(value):
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, dict):
        return {key.lower(): lowered(each) for key, each in value.items()}
    return [lowered(each) for each in value] if isinstance(value, (list, tuple)) else value

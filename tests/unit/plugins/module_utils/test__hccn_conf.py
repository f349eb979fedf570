# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_conf import (
    SEVERAL,
    HccnConfError,
    merge,
    oddities,
    parse_conf,
    render_conf,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError

CONF = """\
# site A, rack 3
address_0=10.0.0.10
netmask_0=255.255.0.0
arp_0=-i eth0 -s 10.0.0.1 bc:1e:85:d8:ca:dd
arp_0=-i eth0 -s 10.0.0.2 bc:1e:85:d8:ca:de

address_10=10.0.0.20
something of a newer driver
route_address_10.9.0.0_netmask_255.255.0.0_0=gateway_10.0.0.1
udp_port_mode_0=code:nslb_dp
#netdetect_0=10.0.0.1
"""


def test_parse():
    assert parse_conf(CONF) == {
        0: {
            "address": "10.0.0.10",
            "netmask": "255.255.0.0",
            "arp": "-i eth0 -s 10.0.0.1 bc:1e:85:d8:ca:dd\n-i eth0 -s 10.0.0.2 bc:1e:85:d8:ca:de",
            "route_address_10.9.0.0_netmask_255.255.0.0": "gateway_10.0.0.1",
            "udp_port_mode": "code:nslb_dp",
        },
        10: {"address": "10.0.0.20"},
    }
    assert parse_conf("") == {}


def test_the_first_line_counts_as_for_the_driver():
    assert parse_conf("address_0=10.0.0.1\naddress_0=10.0.0.2\n") == {0: {"address": "10.0.0.1"}}


def test_merge_changes_only_what_is_named():
    merged = merge(CONF, {0: {"address": "10.0.0.11", "netdetect": "10.0.0.1"}, 10: {"netmask": "255.255.0.0"}})
    assert merged == CONF.replace("address_0=10.0.0.10\n", "address_0=10.0.0.11\n").replace(
        "udp_port_mode_0=code:nslb_dp\n", "udp_port_mode_0=code:nslb_dp\nnetdetect_0=10.0.0.1\n"
    ).replace("address_10=10.0.0.20\n", "address_10=10.0.0.20\nnetmask_10=255.255.0.0\n")


def test_merge_removes_and_adds_npus():
    without = merge(CONF, {0: {"arp": None, "address": None, "mtu": None}})
    assert without == re.sub(r"(?m)^(arp|address)_0=.*\n", "", CONF)
    assert merge(CONF, {3: {"address": "10.0.0.13"}}) == CONF + "address_3=10.0.0.13\n"
    assert merge("", {3: {"tls_enable": 0}}) == "tls_enable_3=0\n"
    assert merge("address_3=1.2.3.4", {3: {"mtu": 4096}}) == "address_3=1.2.3.4\nmtu_3=4096\n"
    assert merge("address_3=1.2.3.4\n", {3: {"address": None}}) == ""


def test_merge_leaves_what_is_as_wished():
    for text in (CONF, CONF.rstrip("\n"), CONF.replace("\n", "\r\n"), "", "\n\n", "address_0 = 10.0.0.10"):
        assert merge(text, parse_conf(text)) == text
        assert merge(text, {}) == text
        assert merge(text, {0: {}, 5: {"address": None}}) == text


def test_merge_puts_right_what_the_driver_does_not_read():
    text = " address_0 = 10.0.0.1\r\naddress_0=10.0.0.2\nmtu_0=1500\n"
    assert [number for number, _line, _why in oddities(text)] == [1, 2]
    merged = merge(text, {0: {"address": "10.0.0.3"}})
    assert merged == "address_0=10.0.0.3\nmtu_0=1500\n"
    assert oddities(merged) == []


def test_oddities():
    assert oddities(CONF) == [(8, "something of a newer driver", "this is no KEY_N=VALUE")]
    assert oddities("address_0=" + 400 * "1")[0][2] == "the driver cuts lines of 384 bytes and more"
    assert oddities("address_0=1.2.3.4\naddress_0=1.2.3.4\n")[0][2] == "the driver takes the first line with this key"


@pytest.mark.parametrize(
    "changes",
    [
        {0: {"address": "10.0.0.1\naddress_1=10.0.0.2"}},
        {0: {"address": " 10.0.0.1"}},
        {0: {"address": "10.0.0.1\r"}},
        {0: {"arp": "-i eth0\n"}},
        {0: {"address": 373 * "1"}},
        {0: {"#address": "1"}},
        {0: {"address_1": "1"}},
        {0: {"add ress": "1"}},
        {-1: {"address": "1"}},
    ],
    ids=["line feed", "blank", "CR", "empty line", "long", "comment", "phy id", "blank in key", "negative"],
)
def test_what_cannot_stand_there(changes):
    with pytest.raises(HccnConfError, match=r"/etc/hccn.conf was not touched") as error:
        merge(CONF, changes)
    assert isinstance(error.value, VendorError)


def test_a_file_larger_than_the_driver_reads():
    full = "#" + (1024 * 1000 - 20) * "x" + "\n"
    assert merge(full, {0: {"mtu": "1"}}) == full + "mtu_0=1\n"
    with pytest.raises(HccnConfError, match="would be larger than the 1023999 bytes"):
        merge(full, {0: {"address": "10.0.0.1"}})


KEYS = st.sampled_from(
    ["address", "netmask", "gateway", "netdetect", "tls_enable", "mtu", "udp_port_mode", "IPv6address"]
)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
SEVERAL_VALUES = st.lists(VALUES, min_size=1, max_size=3).map("\n".join)
CONFS = st.dictionaries(
    st.integers(0, 15),
    st.dictionaries(KEYS, VALUES, max_size=5).flatmap(
        lambda plain: st.dictionaries(st.sampled_from(sorted(SEVERAL)), SEVERAL_VALUES, max_size=2).map(
            lambda several: {**plain, **several}
        )
    ),
    max_size=6,
)
LINES = st.one_of(
    st.just(""),
    st.just("..."),
    st.text(st.characters(blacklist_characters="\n", blacklist_categories=("Cs",)), max_size=30),
    st.builds("#{}".format, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)),
    st.builds("{}_{}={}".format, KEYS, st.integers(0, 15), VALUES),
    st.builds("{}_{}={}\r".format, KEYS, st.integers(0, 15), VALUES),
    st.builds(" {}_{} = {}".format, KEYS, st.integers(0, 15), VALUES),
    st.builds("arp_{}={}".format, st.integers(0, 15), VALUES),
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(LINES, max_size=30), st.sampled_from(["", "\n"]))
CHANGES = st.dictionaries(st.integers(0, 15), st.dictionaries(KEYS, st.none() | VALUES, max_size=4), max_size=5)


@given(CONFS)
def test_rendered_and_read_again(conf):
    assert parse_conf(render_conf(conf)) == {phy: values for phy, values in conf.items() if values}
    assert oddities(render_conf(conf)) == []


@given(TEXTS, CHANGES)
def test_merge_keeps_every_other_line(text, changes):
    merged = merge(text, changes)
    names = {(str(phy), key) for phy, values in changes.items() for key in values}

    def others(conf: str) -> list:
        found = []
        for line in conf.split("\n"):
            match = None if line.startswith("#") else re.fullmatch(r"\s*(\S+?)_(\d+)\s*=.*", line)
            if not (match and (match.group(2).lstrip("0") or "0", match.group(1)) in names):
                found.append(line)
        while found and found[-1] == "":
            found.pop()
        return found

    assert others(merged) == others(text)
    after = parse_conf(merged)
    for phy, values in changes.items():
        for key, value in values.items():
            assert after.get(phy, {}).get(key) == value
    assert merge(merged, changes) == merged
    assert merge(merged, after) == merged

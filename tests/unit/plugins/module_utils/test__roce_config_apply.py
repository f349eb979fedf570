# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is wished and whatever fails: done and stable, or as before, or said what stands."""

from __future__ import annotations

import copy
import threading

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_conf import merge, parse_conf
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_tool import Gateway, Ip, SetResult, Tls
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config import plan, to_read
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_apply import Failed, Work, read_ports
from ansible_collections.npuops.ascend.plugins.module_utils._roce_config_types import KEYS, NONE
from ansible_collections.npuops.ascend.plugins.module_utils._run import ToolTimeout

MASK = "255.255.0.0"
PHY_IDS = (0, 1, 2, 3)


class Conf:
    """hccn.conf in memory."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.lock = threading.RLock()

    def read(self):
        return self.text

    def change(self, function) -> bool:
        with self.lock:
            before, self.text = self.text, function(self.text or "")
            return before != self.text

    def remove(self) -> None:
        self.text = None


class Tool:
    """NPUs in memory that refuse what the driver's tool refuses, and write hccn.conf as it does.

    ``fault`` is (n, kind): the n'th change fails ("fails"), takes effect but says that it failed ("half"), says that it
    was done and was not ("lies"), or hangs ("hangs"); or the whole run is killed after it ("killed").
    """

    timeout = 60.0

    def __init__(self, ports: dict, conf: Conf, fault=None) -> None:
        self.ports = ports
        self.conf = conf
        self.fault = fault
        self.changes: list = []
        self.lock = threading.RLock()

    def get_ip(self, phy_id):
        port = self.ports[phy_id]
        return port["address"] and Ip(port["address"], port["netmask"])

    def get_gateway(self, phy_id):
        return self.ports[phy_id]["gateway"] and Gateway(self.ports[phy_id]["gateway"])

    def get_netdetect(self, phy_id):
        return self.ports[phy_id]["netdetect"]

    def get_tls(self, phy_id):
        return Tls(phy_id, int(self.ports[phy_id]["tls"]))

    def get_mtu(self, phy_id):
        return self.ports[phy_id]["mtu"]

    def set_ip(self, phy_id, address, netmask):
        taken = any(other != phy_id and port["address"] == address for other, port in self.ports.items())
        values = {"address": address, "netmask": netmask}
        gateway = self.ports[phy_id]["gateway"]
        if gateway and gateway.split(".")[1] != address.split(".")[1]:
            values["gateway"] = None
        return self._set(phy_id, values, taken)

    def set_gateway(self, phy_id, gateway):
        address = self.ports[phy_id]["address"]
        wrong = address is None or address.split(".")[1] != gateway.split(".")[1]
        return self._set(phy_id, {"gateway": gateway}, wrong)

    def set_netdetect(self, phy_id, address):
        return self._set(phy_id, {"netdetect": address})

    def set_tls(self, phy_id, enable):
        return self._set(phy_id, {"tls": enable})

    def set_mtu(self, phy_id, size):
        return self._set(phy_id, {"mtu": size})

    def _set(self, phy_id, values, wrong=False):
        with self.lock:
            self.changes.append((phy_id, values))
            kind = self.fault[1] if self.fault and len(self.changes) == self.fault[0] else None
            if kind == "hangs":
                raise ToolTimeout("did not end within 60 s and was stopped", "Look at dmesg.")
            if wrong or kind == "fails":
                return SetResult(False, "Command execute failed!")
            if kind != "lies":
                self.ports[phy_id].update(values)
                entries = {KEYS[name]: _text(name, value) for name, value in values.items()}
                self.conf.change(lambda text: merge(text, {phy_id: entries}))
            if kind == "killed":
                raise KeyboardInterrupt
            return SetResult(kind != "half", "Cmd executed successfully!")


def _text(name, value):
    if value is None:
        return NONE if name == "netdetect" else None
    return str(int(value)) if isinstance(value, bool) else str(value)


def addresses(nets=(77, 78)):
    return st.builds("10.{}.2.{}".format, st.sampled_from(nets), st.integers(10, 15))


@st.composite
def machines(draw):
    ports = {}
    given_out = draw(st.lists(addresses((77,)), min_size=4, max_size=4, unique=True))
    for phy_id, address in zip(PHY_IDS, given_out):
        has = draw(st.booleans())
        ports[phy_id] = {
            "address": address if has else None,
            "netmask": MASK if has else None,
            "gateway": draw(st.sampled_from([None, "10.77.0.1"])) if has else None,
            "netdetect": draw(st.sampled_from([None, "10.77.0.1"])),
            "tls": draw(st.booleans()),
            "mtu": 4096,
        }
    lines = [
        f"{KEYS[name]}_{phy_id}={_text(name, value)}\n"
        for phy_id, port in ports.items()
        for name, value in port.items()
        if value is not None and draw(st.sampled_from([True, True, True, False]))
    ]
    text = "# site\nudp_port_mode_0=nslb_dp\n" + "".join(draw(st.permutations(lines)))
    return ports, draw(st.sampled_from([text, text, None]))


@st.composite
def wishes(draw):
    """Mostly possible ones: an address with a gateway of its network, others than those that are there."""
    wanted = {}
    for phy_id in draw(st.sets(st.sampled_from(PHY_IDS), min_size=1)):
        net = draw(st.sampled_from([77, 77, 78]))
        last = draw(st.one_of(st.integers(30, 33), st.integers(10, 15)))
        possible = {
            "gateway": f"10.{net}.0.1",
            "netdetect": draw(st.sampled_from([None, "10.77.0.1", "10.77.0.9"])),
            "tls": draw(st.booleans()),
            "mtu": draw(st.sampled_from([1500, 4096])),
        }
        wanted[phy_id] = {name: value for name, value in possible.items() if draw(st.booleans())}
        if draw(st.integers(0, 3)):
            wanted[phy_id].update(address=f"10.{net}.2.{last}", netmask=MASK, gateway=f"10.{net}.0.1")
    return wanted


REASSIGN = st.one_of(st.just(set(PHY_IDS)), st.just(set(PHY_IDS)), st.sets(st.sampled_from(PHY_IDS)))
FAULTS = st.one_of(
    st.none(), st.tuples(st.integers(1, 6), st.sampled_from(["fails", "half", "lies", "hangs", "killed"]))
)


def decide(tool, conf, wanted, reassign):
    entries = None if conf.text is None else parse_conf(conf.text)
    names = to_read(PHY_IDS, wanted, entries or {})
    found = read_ports(tool, names)
    return plan(wanted, found, entries, reassign=reassign), found, names


def go_on(tool, conf, wanted, reassign) -> None:
    """The next run, in which nothing fails."""
    tool.fault = None
    decided, found, names = decide(tool, conf, wanted, reassign)
    assert not decided.refusals
    if decided.steps:
        Work(tool, conf, decided, found, names, conf.text).run()


@settings(max_examples=250, deadline=None)
@given(
    machines(),
    wishes(),
    REASSIGN,
    FAULTS,
)
def test_done_and_stable_or_as_before(machine, wanted, reassign, fault):
    ports, text = copy.deepcopy(machine)
    conf = Conf(text)
    tool = Tool(ports, conf, fault)
    decided, found, names = decide(tool, conf, wanted, reassign)
    before = copy.deepcopy(ports)
    if decided.refusals:
        event("refused")
        assert not decided.steps
        return
    try:
        if decided.steps:
            Work(tool, conf, decided, found, names, text).run()
    except Failed as failure:
        event("taken back" if failure.restored else "not all taken back")
        assert fault is not None
        changed = {(p, name) for p in PHY_IDS for name, value in before[p].items() if ports[p][name] != value}
        assert failure.restored == (not changed)
        # Only what the tool cannot take away may stand, and an NPU whose address such a one has. That is said.
        kept = {(p, name) for p, name in changed if before[p][name] is None}
        held = {ports[p]["address"] for p, name in kept if name == "address"}
        blocked = {p for p in PHY_IDS if before[p]["address"] in held}
        assert all(name in ("address", "netmask", "gateway") for _p, name in kept)
        assert all(p in blocked for p, _name in changed - kept)
        assert all(f"phy id {p} has " in " ".join(failure.standing) for p, _name in changed)
        assert conf.text == text
        go_on(tool, conf, wanted, reassign)
    except KeyboardInterrupt:
        event("killed")
        go_on(tool, conf, wanted, reassign)

    for phy_id, port in ports.items():
        values = wanted.get(phy_id, {})
        assert all(port[name] == value for name, value in values.items())
        untouched = {name for name in port if name not in values} - ({"netmask"} if "address" in values else set())
        assert all(port[name] == before[phy_id][name] for name in untouched)
        if before[phy_id]["address"] is not None and phy_id not in reassign:
            assert port["address"] == before[phy_id]["address"]
    if text is not None:
        assert conf.text.startswith("# site\nudp_port_mode_0=nslb_dp\n")
    entries = parse_conf(conf.text or "")
    for phy_id, values in wanted.items():
        for name, value in values.items():
            assert entries[phy_id][KEYS[name]] == _text(name, value)
    again, _found, _names = decide(tool, conf, wanted, reassign)
    assert again.steps == () and again.refusals == ()


def test_a_gateway_that_goes_with_a_new_address_is_set_again():
    """The driver drops a gateway that hccn.conf does not have when it sets an address in the same network."""
    ports = {0: {"address": "10.77.2.10", "netmask": MASK, "gateway": "10.77.0.1", "netdetect": None}}
    conf = Conf("")
    tool = Tool(ports, conf)
    change = tool._set

    def forgetful(phy_id, values, wrong=False):
        result = change(phy_id, values, wrong)
        if "address" in values:
            ports[0]["gateway"] = None
        return result

    tool._set = forgetful
    names = to_read([0], {}, {})
    found = read_ports(tool, names)
    decided = plan({0: {"address": "10.77.2.11"}}, found, {}, reassign=[0])
    Work(tool, conf, decided, found, names, "").run()
    assert ports[0]["gateway"] == "10.77.0.1" and ports[0]["address"] == "10.77.2.11"

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the NPU network: what hccn_tool says then, what the node's filter and routes become, and mending."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npusim import __main__ as npusim_cli
from npusim import cli_hccn_tool, fabric, faults, faults_roce, icmp, profiles, state, vnic, wire


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A standalone machine, the second node, with addresses and hccn.conf."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    assert npusim_cli.main(["new", "atlas-800i-a2-64g", "--node", "2", "--roce", "10.77.0.0/16"]) == 0
    return tmp_path


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))
    assert npusim_cli.main(["new", "atlas-800i-a3", "--node", "2", "--roce", "10.77.0.0/16"]) == 0
    return tmp_path


QUERIES = ("ip", "gateway", "netdetect", "link", "net_health", "tls", "lldp", "speed", "mtu", "optical", "vnic")


def tool(capfd: pytest.CaptureFixture, *args: str) -> tuple[int, str]:
    status = cli_hccn_tool.main(list(args))
    out, err = capfd.readouterr()
    return status, out + err


def answers(capfd: pytest.CaptureFixture) -> dict[str, str]:
    """Everything the tool says about the first eight ports."""
    told = {}
    for phy in range(8):
        for what in (
            "ip",
            "gateway",
            "netdetect",
            "link",
            "net_health",
            "tls",
            "lldp",
            "speed",
            "mtu",
            "optical",
            "vnic",
        ):
            told[f"{what} {phy}"] = tool(capfd, "-i", str(phy), f"-{what}", "-g")[1]
    return told


# Fault, its words on the command line, and a line of an answer that shows it.
SEEN = [
    (["link-down", "--phy", "3"], "link 3", "link status: DOWN"),
    (["netmask", "--phy", "3"], "ip 3", "netmask:255.255.255.0"),
    (["netmask", "--phy", "3", "--value", "255.255.255.128"], "ip 3", "netmask:255.255.255.128"),
    (["duplicate-address", "--phy", "3"], "ip 3", "ipaddr:10.77.1.13"),
    (["duplicate-address", "--phy", "3", "--value", "10.77.5.14"], "ip 3", "ipaddr:10.77.5.14"),
    (["tls", "--phy", "3"], "tls 3", "tls switch[1]"),
    (["swapped-cables", "--phy", "3", "--other", "6"], "lldp 3", "Ifname: 400GE1/1/11:1"),
    (["swapped-cables", "--phy", "3", "--other", "6", "--value", "flat"], "lldp 6", "Ifname: 400GE1/1/9:2"),
    (["netdetect-unset", "--phy", "3"], "net_health 3", "net health status: Init"),
    (["mtu", "--phy", "3"], "mtu 3", "mtu:1280"),
    (["speed", "--phy", "3"], "speed 3", "Speed: 100000 Mb/s"),
    (["optics", "--phy", "3"], "optical 3", "present              : not present"),
    (["optics", "--phy", "3", "--value", "missing"], "link 3", "link status: DOWN"),
    (["optics", "--phy", "3", "--value", "dim"], "optical 3", "Rx Power0            : 0.0200 mW"),
]


@pytest.mark.parametrize(
    ("words", "where", "line"), SEEN, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_fault_is_seen_and_mending_brings_everything_back(machine, capfd, words, where, line) -> None:
    before, conf = answers(capfd), (machine / "hccn.conf").read_text("utf-8")
    assert line not in before[where]
    assert npusim_cli.main(["fault", "add", *words]) == 0
    assert line in answers(capfd)[where]
    listed = faults.faults(state.load())
    assert any(entry.startswith(" ".join(words)) for entry in listed), listed
    assert npusim_cli.main(["fault", "clear", *words[:3]]) == 0
    assert faults.faults(state.load()) == []
    after = answers(capfd)
    assert {k: v for k, v in after.items() if v != before[k]} == {}
    assert (machine / "hccn.conf").read_text("utf-8") == conf


def test_all_at_once_and_all_mended(machine: Path, capfd: pytest.CaptureFixture) -> None:
    before, conf = answers(capfd), (machine / "hccn.conf").read_text("utf-8")
    for kind in ("netmask", "tls", "mtu", "speed", "netdetect-unset", "optics", "duplicate-address", "loss"):
        faults.add(kind, phy=1)
    faults.add("swapped-cables", phy=1, other=2)
    faults.add("no-hccn-conf")
    faults.add("driver")
    assert len(faults.faults(state.load())) == 12  # both ends of the swap
    faults.clear()
    assert faults.faults(state.load()) == []
    assert (answers(capfd), (machine / "hccn.conf").read_text("utf-8")) == (before, conf)


def test_only_the_port_with_the_fault_changes(machine: Path, capfd: pytest.CaptureFixture) -> None:
    before = answers(capfd)
    faults.add("netmask", phy=3)
    changed = [name for name, text in answers(capfd).items() if text != before[name]]
    assert changed == ["ip 3"]


def test_a_swap_is_mended_from_either_end(machine: Path) -> None:
    faults.add("swapped-cables", phy=3, other=6)
    faults.clear("swapped-cables", phy=6)
    assert faults.faults(state.load()) == []


def test_a_fault_made_twice_keeps_what_was_first(machine: Path, capfd: pytest.CaptureFixture) -> None:
    faults.add("mtu", phy=3, value="1280")
    faults.add("mtu", phy=3, value="4096")
    assert tool(capfd, "-i", "3", "-mtu", "-g") == (0, "mtu:4096\n")
    faults.clear("mtu")
    assert tool(capfd, "-i", "3", "-mtu", "-g") == (0, "mtu:1500\n")


def test_what_was_put_right_meanwhile_stays(machine: Path, capfd: pytest.CaptureFixture) -> None:
    faults.add("netmask", phy=3)
    assert tool(capfd, "-i", "3", "-ip", "-s", "address", "10.77.2.13", "netmask", "255.254.0.0")[0] == 0
    assert faults.faults(state.load()) == []
    faults.clear()
    assert tool(capfd, "-i", "3", "-ip", "-g")[1] == "ipaddr:10.77.2.13\nnetmask:255.254.0.0\n"
    assert wire.read_conf(wire.conf_path())["netmask_3"] == "255.254.0.0"


def test_hccn_conf_comes_back_with_what_was_set_since(machine: Path, capfd: pytest.CaptureFixture) -> None:
    conf = machine / "hccn.conf"
    conf.write_text("# by hand\n" + conf.read_text("utf-8"), "utf-8")
    faults.add("no-hccn-conf")
    assert not conf.exists()
    assert faults.faults(state.load()) == ["no-hccn-conf"]
    tool(capfd, "-i", "0", "-tls", "-s", "enable", "1")
    faults.clear("no-hccn-conf")
    assert conf.read_text("utf-8").startswith("# by hand\naddress_0=10.77.2.10\n")
    assert conf.read_text("utf-8").endswith("tls_enable_0=1\n")


def test_a_port_that_is_mended_while_the_file_is_gone_is_right_when_it_is_back(machine: Path) -> None:
    conf = (machine / "hccn.conf").read_text("utf-8")
    faults.add("netmask", phy=3)
    faults.add("no-hccn-conf")
    faults.clear("netmask", phy=3)
    faults.clear("no-hccn-conf")
    assert (machine / "hccn.conf").read_text("utf-8") == conf


def test_driver(machine: Path, capfd: pytest.CaptureFixture) -> None:
    npusim_cli.main(["fault", "add", "driver", "--value", "24.1.0"])
    assert (state.load().driver_version, state.load().tool_version) == ("24.1.0", "24.1.0")
    assert faults.faults(state.load()) == ["driver --value 24.1.0"]
    npusim_cli.main(["fault", "clear", "driver"])
    assert state.load().driver_version == "25.5.1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "mtu"}, "say which chip"),
        ({"kind": "mtu", "phy": 1, "value": "10"}, "an MTU is from 68 to 9702, not 10"),
        ({"kind": "loss", "phy": 1, "value": "x"}, "a share of packets"),
        ({"kind": "netmask", "phy": 1, "value": "255.0.255.0"}, "is no netmask"),
        ({"kind": "duplicate-address", "phy": 1, "value": "300.1.1.1"}, "is no address"),
        ({"kind": "swapped-cables", "phy": 1}, "say which other chip"),
        ({"kind": "swapped-cables", "phy": 1, "other": 1}, "say which other chip"),
        ({"kind": "optics", "phy": 1, "value": "bent"}, "missing or dim, not bent"),
        ({"kind": "hccs-down", "phy": 1}, "only servers of a super pod"),
    ],
)
def test_impossible_faults_change_nothing(machine: Path, arguments: dict, message: str) -> None:
    before = state.load()
    with pytest.raises(faults.FaultError, match=message):
        faults.add(**arguments)
    assert state.load() == before


def test_the_state_survives_writing_and_reading(machine: Path) -> None:
    for kind in ("netmask", "optics", "tls"):
        faults.add(kind, phy=1)
    stored = state.load()
    assert json.loads((machine / "state.json").read_text("utf-8"))["npus"][1]["chips"][0]["roce"]["was"]["tls"]
    assert faults_roce.faults(stored, stored.chip_by_phy(1)) == [
        "netmask --phy 1 --value 255.255.255.0", "optics --phy 1 --value missing", "tls --phy 1",
    ]  # fmt: skip


# --- what packets meet


def rules_of(kind: str, **options) -> list[str]:
    faults.add(kind, **options)
    return fabric.rules(state.load())


def test_a_healthy_node_has_no_rules_and_no_routes(machine: Path) -> None:
    assert (fabric.rules(state.load()), fabric.routes(state.load())) == ([], {})


def test_rules(machine: Path) -> None:
    to_port = "-A NPUSIM-IN -d 10.77.2.13/32"
    assert rules_of("link-down", phy=3) == [f"{to_port} -j DROP", "-A NPUSIM-OUT -s 10.77.2.13/32 -j DROP"]
    faults.clear()
    assert rules_of("loss", phy=3) == [f"{to_port} -i eth1 -m statistic --mode random --probability 0.3000 -j DROP"]
    faults.clear()
    assert rules_of("mtu", phy=3) == [f"{to_port} -i eth1 -m length --length 1281:65535 -j DROP"]
    faults.clear()
    assert rules_of("swapped-cables", phy=3, other=6)[:2] == [
        f"{to_port} -s 10.77.0.1/32 -j RETURN",
        f"{to_port} ! -s 0.0.0.16/0.0.0.255 -j DROP",
    ]
    faults.clear()
    assert rules_of("swapped-cables", phy=3, other=6, value="flat") == []


def test_a_narrow_netmask_puts_far_peers_and_the_gateway_out_of_reach(machine: Path) -> None:
    faults.add("netmask", phy=3)
    assert fabric.routes(state.load()) == {
        3: ("10.77.2.13", ["10.77.2.0/24 dev eth1 scope link", "unreachable default"])
    }


def test_a_gateway_in_the_network_is_used(machine: Path) -> None:
    faults.add("netmask", phy=3, value="255.248.0.0")
    assert fabric.routes(state.load())[3][1] == ["10.72.0.0/13 dev eth1 scope link", "default via 10.77.0.1 dev eth1"]


def test_a_port_sends_no_more_than_its_mtu(machine: Path) -> None:
    faults.add("mtu", phy=3)
    assert fabric.routes(state.load())[3][1][0] == "10.77.0.0/16 dev eth1 scope link mtu 1280"


def test_a_route_that_is_missing_is_an_unreachable_host() -> None:
    assert icmp.parse("ping: connect: No route to host\n", 3) == icmp.Echo([None] * 3, unreachable=True)


def test_loss_without_a_network(machine: Path, capfd: pytest.CaptureFixture) -> None:
    faults.add("loss", phy=3, value="100")
    assert tool(capfd, "-i", "3", "-ping", "-g", "address", "10.77.1.13")[1].endswith("100.00% packet loss\n")
    assert tool(capfd, "-i", "4", "-ping", "-g", "address", "10.77.1.13")[1].endswith(" 0.00% packet loss\n")


# --- MTU, and the super pod


def test_mtu_is_set_and_kept(machine: Path, capfd: pytest.CaptureFixture) -> None:
    assert tool(capfd, "-i", "3", "-mtu", "-s", "size", "9000") == (0, "Cmd executed successfully!\n")
    assert tool(capfd, "-i", "3", "-mtu", "-g") == (0, "mtu:9000\n")
    assert wire.read_conf(wire.conf_path())["mtu_3"] == "9000"
    assert tool(capfd, "-i", "3", "-mtu", "-s", "size", "67") == (
        13, "The value of mtu you input is out of the valid range!\n",
    )  # fmt: skip
    assert tool(capfd, "-i", "3", "-mtu", "-s", "size", "big")[0] == 1


def test_vnic_addresses_say_who_they_are(pod: Path, capfd: pytest.CaptureFixture) -> None:
    assert tool(capfd, "-i", "3", "-vnic", "-g")[1].splitlines()[1] == "vnic ipaddr: 192.2.3.196"
    machine = state.load()
    everybody = [vnic.address(machine, phy) for phy in range(16)]
    assert [vnic.owner(address) for address in everybody] == [(2, phy) for phy in range(16)]
    assert vnic.carrier(machine, 5, 15) == "10.77.5.115"


@pytest.mark.parametrize("address", ["10.77.1.10", "192.168.2.199", "192.2.2.196", "192.48.2.199", "192.2.2.200"])
def test_other_addresses_are_no_vnic(address: str) -> None:
    assert vnic.owner(address) is None


def test_hccs_ping(pod: Path, capfd: pytest.CaptureFixture) -> None:
    status, text = tool(capfd, "-i", "3", "-hccs_ping", "-g", "address", "192.1.3.196", "cnt", "2")
    assert (status, text.splitlines()) == (
        0,
        [
            "device 3 PING 192.1.3.196",
            "",
            "This pkt ping success!",
            "recv seq 0, time = 67.000us, L1 plane check result = 0x0",
            "This pkt ping success!",
            "recv seq 1, time = 67.000us, L1 plane check result = 0x0",
            "2 packets transmitted, 2 received, 0.00% packets loss",
            "max time 67.000us",
            "min time 67.000us",
            "average time 67.000us",
            "TP95 time 67.000us",
        ],
    )


def test_a_dead_vnic_loses_everything_and_the_status_does_not_say_so(pod: Path, capfd: pytest.CaptureFixture) -> None:
    faults.add("hccs-down", phy=3)
    assert "vnic link status: DOWN" in tool(capfd, "-i", "3", "-vnic", "-g")[1]
    status, text = tool(capfd, "-i", "3", "-hccs_ping", "-g", "address", "192.1.3.196")
    assert status == 0
    assert "3 packets transmitted, 0 received, 100.00% packets loss\nmax time 0.000us\n" in text
    assert fabric.rules(state.load()) == [
        "-A NPUSIM-IN -d 10.77.2.103/32 -j DROP",
        "-A NPUSIM-OUT -s 10.77.2.103/32 -j DROP",
    ]
    faults.clear()
    assert "100.00%" not in tool(capfd, "-i", "3", "-hccs_ping", "-g", "address", "192.1.3.196")[1]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["address", "10.77.1.13"], 6),
        (["address", "192.1.3.196", "pkt", "100"], 1),
        (["address", "192.1.3.196", "cnt", "1001"], 1),
        (["cnt", "3"], 1),
    ],
)
def test_hccs_ping_refuses(pod: Path, capfd: pytest.CaptureFixture, words: list[str], status: int) -> None:
    assert tool(capfd, "-i", "3", "-hccs_ping", "-g", *words)[0] == status


def test_an_a2_has_no_hccs_ping(machine: Path, capfd: pytest.CaptureFixture) -> None:
    assert tool(capfd, "-i", "3", "-hccs_ping", "-g", "address", "192.1.3.196")[0] == 13


def test_bandwidth(machine: Path, capfd: pytest.CaptureFixture) -> None:
    assert tool(capfd, "-i", "3", "-bandwidth", "-g") == (
        0,
        "Bandwidth TX:     0.00 MB/sec\nBandwidth RX:     0.00 MB/sec\n",
    )


def test_nodes_of_a_pod_do_not_share_addresses() -> None:
    seen: set[str] = set()
    for node in range(1, 48):
        built = profiles.build("atlas-800i-a3", node)
        seen |= {vnic.address(built, phy) for phy in range(16)}
    assert len(seen) == 47 * 16

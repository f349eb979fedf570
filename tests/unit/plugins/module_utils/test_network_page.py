# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network page: every fault is marked where it is, whatever the size of the fleet, in one file."""

from __future__ import annotations

import random
import re
import time
from html.parser import HTMLParser

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._network_page import render
from ansible_collections.npuops.ascend.plugins.module_utils._network_page_model import labels
from ansible_collections.npuops.ascend.plugins.module_utils._network_page_npus import HEADS
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check import judge
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_report import npu_result
from ansible_collections.npuops.ascend.plugins.module_utils._roce_check_types import Port
from ansible_collections.npuops.ascend.plugins.module_utils._roce_fleet import (
    ends_to_ping,
    ping_tool_for,
    pinged_by,
    report,
)
from ansible_collections.npuops.ascend.plugins.module_utils._roce_plan import Npu, plan

RNG = random.Random(3)
LIMITS = {"rx_power_low_mw": 0.0912, "rx_power_high_mw": 3.4673, "tx_power_low_mw": 0.1513, "tx_power_high_mw": 3.1623}


def port(node, phy_id, a3, rng, **more):
    """What a healthy NPU answers; node and phy id give its address and, each phy id on a leaf, its switch port."""
    values = {
        "ip": {"ipaddr": f"10.{77 + node // 250}.{node % 250}.{10 + phy_id}", "netmask": "255.0.0.0"},
        "gateway": None,
        "netdetect": "10.0.0.1",
        "link": "UP",
        "net_health": "Success",
        "tls": {"tls_switch": 0},
        "speed": 200000,
        "mtu": 4096,
        "lldp": {"port_ifname": f"400GE1/{node // 40}/{node % 40}", "system_name": f"leaf{phy_id + 1}"},
        "optical": {
            "present": True,
            "vendor_name": "HUAWEI",
            "part_number": "02314EHQ",
            "serial_number": f"SN{node:03}{phy_id:02}",
            "temperature_c": round(rng.uniform(41, 55), 1),
            "temperature_high_c": 75.0,
            "rx_power_mw": [round(rng.uniform(0.55, 1.1), 4) for _lane in range(4)],
            "tx_power_mw": [round(rng.uniform(0.8, 1.2), 4) for _lane in range(4)],
            "rx_los": 0,
            "tx_los": 0,
            **LIMITS,
        },
        "vnic": {"link": "UP", "ipaddr": f"192.168.{node + 1}.{199 - phy_id}", "netmask": "255.255.0.0"},
    }
    if not a3:
        del values["vnic"]
    values.update(more)
    return Port(phy_id, phy_id // 2 if a3 else phy_id, phy_id % 2 if a3 else 0, values)


def fleet(count, npus=8, edits=None, a3=False, name="node{}", seed=1):
    """What hccn_check returns for each of these nodes. C(edits): {(node number, phy id): {check: answer}}."""
    rng, width = random.Random(seed), len(str(count))
    found = {}
    for node in range(1, count + 1):
        ports = [port(node, i, a3, rng, **(edits or {}).get((node, i), {})) for i in range(npus)]
        causes = judge(ports, None, "A3" if a3 else "A2")
        found[name.format(f"{node:0{width}}")] = {
            "npus": [npu_result(one, causes[one.phy_id]) for one in ports],
            "node": {"driver_version": "25.2.0", "family": "A3" if a3 else "A2", "hccn_conf": {}},
            "problems": [],
        }
    return found


def answer(ping, received, rng):
    average = round(rng.gauss(0.06, 0.004), 3)
    return {
        **ping,
        "transmitted": 3,
        "received": received,
        "loss_pct": round(100 * (3 - received) / 3, 2),
        "avg_ms": average if received else None,
        "max_ms": round(average * 1.6, 3) if received else None,
        "unreachable": False,
        "too_long": False,
        "error": None,
        "duration_s": 2.0,
    }


def judged(nodes, mode="auto", received=lambda a, b: 3, hosts=None, groups=None, seed=2):
    """The report, by the real planner and the real judge. C(received): packets of three that come from a to b."""
    rng, tool = random.Random(seed), ping_tool_for(nodes)
    made = plan(ends_to_ping(nodes, tool), mode, groups)
    results = {
        host: [
            answer(ping, received((host, ping["phy_id"]), (ping["peer"], ping["peer_phy_id"])), rng)
            for ping in made.pings_of(host)
        ]
        for host in nodes
    }
    return {**report(nodes, made, results, hosts, pinged_by(tool)), "ping_tool": tool}


def cut(*ends):
    return lambda a, b: 0 if {a, b} & set(ends) else 3


def down():
    """A link without light; the NPU still has what LLDP told last."""
    dark = {"present": True, "rx_power_mw": [0.0] * 4, "tx_power_mw": [0.9] * 4, "rx_los": 15, "tx_los": 0, **LIMITS}
    return {"link": "DOWN", "net_health": "Fault", "speed": None, "optical": dark}


def leaf(number, port_number):
    return {"lldp": {"port_ifname": f"400GE1/0/{port_number}", "system_name": f"leaf{number}"}}


def healthy():
    return judged(fleet(2), "full")


def faulty():
    """A link down, a pair that loses packets, and two cables in each other's place."""
    nodes = fleet(2, edits={(2, 3): down(), (1, 5): leaf(7, 1), (1, 6): leaf(6, 1)})

    def received(a, b):
        if ("node2", 3) in (a, b):
            return 0
        return 2 if {a, b} == {("node1", 1), ("node2", 6)} else 3

    return judged(nodes, "full", received)


def large(mode="rail", count=64):
    """A dead NPU, a dead node, a lossy path, weak light, and a node that was not checked."""
    weak = port(30, 2, False, random.Random(5)).values["optical"]
    nodes = fleet(count, edits={(17, 3): down(), (30, 2): {"optical": {**weak, "rx_power_mw": [0.6, 0.07, 0.7, 0.8]}}})
    lossy = {("node05", 6), ("node44", 6)}

    def received(a, b):
        if ("node17", 3) in (a, b) or "node41" in (a[0], b[0]):
            return 0
        return 1 if {a, b} == lossy else 3

    hosts = list(nodes)
    del nodes["node23"]
    return judged(nodes, mode, received, hosts)


def super_pod():
    return judged(fleet(2, 16, a3=True), "full", cut(("node2", 11)))


def ring():
    nodes = fleet(512, edits={(100, 4): down(), (300, 0): {"tls": {"tls_switch": 1}}})
    return judged(nodes, "ring", cut(("node100", 4)))


class Page(HTMLParser):
    """A page as its elements: [tag, attributes, text up to the next tag]."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.elements = []
        self.inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.elements[-1][2] += data

    def find(self, tag, css=None, **attrs):
        return [
            element
            for element in self.elements
            if element[0] == tag
            and (css is None or css in (element[1].get("class") or "").split())
            and all(element[1].get(name) == value for name, value in attrs.items())
        ]

    def ids(self):
        return [attrs["id"] for _tag, attrs, _text in self.elements if "id" in attrs]


REPORTS = {build.__name__: build for build in (healthy, faulty, super_pod, large, ring)}


@pytest.fixture(scope="module")
def pages():
    made = {}
    for name, build in REPORTS.items():
        report_of = build()
        made[name] = (report_of, Page(render(report_of)))
    return made


def ends_marked(page, host_number):
    """{phy id: class} of a node's boxes on the map."""
    boxes = [e for e in page.find("a") if e[1].get("href", "").startswith(f"#n{host_number}-") and e[1].get("class")]
    return {int(e[1]["href"].rsplit("-", 1)[1]): e[1]["class"] for e in boxes}


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_needs_no_other_file_and_every_link_has_its_target(pages, name):
    _report, page = pages[name]
    assert not re.search(r"https?:|//[a-z]|@import|url\(|src=|<link|<img|<iframe", page.text)
    assert len(page.find("script")) == len(page.find("style")) == 1
    ids = page.ids()
    assert len(ids) == len(set(ids))
    targets = {e[1]["href"][1:] for e in page.find("a")}
    assert targets and targets <= set(ids) and all(e[1]["href"].startswith("#") for e in page.find("a"))


@pytest.mark.parametrize("name", REPORTS)
def test_everything_of_the_report_is_there(pages, name):
    found, page = pages[name]
    rows = [e for e in page.find("tr") if e[1].get("id")]
    assert len(rows) == len(found["npus"])
    assert sum("class" in e[1] for e in rows) == sum(row["verdict"] != "pass" for row in found["npus"])
    assert [e[1]["id"] for e in page.find("li")] == [f"p{number + 1}" for number in range(len(found["problems"]))]
    boxes = list(page.find("div", "n"))
    assert len(boxes) == len({row["host"] for row in found["hosts"]} | {p["host"] for p in found["problems"]})
    assert [e[2] for e in page.find("h1")] == ["NPU network"]
    words = {"pass": "✓ All is well", "fail": "× It does not work everywhere"}
    assert page.find("mark")[0][2] == words[found["verdict"]]


@pytest.mark.parametrize(("name", "most"), [("healthy", 60_000), ("super_pod", 120_000), ("large", 2e6), ("ring", 5e6)])
def test_size_and_time(pages, name, most):
    found, page = pages[name]
    started = time.process_time()
    text = render(found)
    assert time.process_time() - started < 5
    assert text == page.text, "the same report gives the same page"
    assert len(text.encode()) < most


def test_a_matrix_of_npus(pages):
    found, page = pages["faulty"]
    cells = [e for e in page.find("td") if e[1].get("title", "").count("phy id") == 2]
    assert len(cells) == 128
    dead = [e[1]["title"] for e in cells if e[1]["class"] == "x"]
    assert len(dead) == 16 and all("node2 phy id 3" in tip and tip.endswith("nothing comes back") for tip in dead)
    lossy = [e for e in cells if e[1]["class"] == "l"]
    assert {e[1]["title"].split(":")[0] for e in lossy} == {
        "node1 phy id 1 → node2 phy id 6",
        "node2 phy id 6 → node1 phy id 1",
    }
    assert [e[2].strip() for e in lossy] == ["~33%", "~33%"]
    # Every mark without colour: dead pings ×, fine ones their milliseconds.
    assert {e[2].strip() for e in cells if e[1]["class"] == "x"} == {"×"}
    assert all(re.fullmatch(r"\.\d{3}", e[2].strip()) for e in cells if e[1]["class"] in "abcde")
    assert ends_marked(page, 0) == {**dict.fromkeys(range(8), "a"), 1: "l", 5: "w", 6: "w"}
    assert ends_marked(page, 1) == {**dict.fromkeys(range(8), "a"), 3: "x", 6: "l"}
    assert [p["check"] for p in found["problems"]] == ["isolated", "path_loss", "swapped"]


def test_the_table_marks_the_value_that_is_wrong(pages):
    _found, page = pages["faulty"]
    rows = re.findall(r"<tr id=(n\d-\d)[^>]*>(.*?)(?=<tr |</tbody)", page.text, re.DOTALL)
    marked = {}
    for row, html in rows:
        cells = Page(html).find("td")
        wrong = {HEADS[number][0]: cell[1]["class"] for number, cell in enumerate(cells) if cell[1].get("class")}
        if wrong:
            marked[row] = wrong
    assert marked == {
        "n0-1": {"Peers": "l"},
        "n0-5": {"Switch port": "w"},
        "n0-6": {"Switch port": "w"},
        "n1-3": {"Link": "x", "Light received": "w", "Peers": "x"},
        "n1-6": {"Peers": "l"},
    }
    assert "<a href=#p1>1</a>" in dict(rows)["n1-3"] and "DOWN" in dict(rows)["n1-3"]


def test_a_large_fleet(pages):
    found, page = pages["large"]
    nodes = {e[1]["title"]: e[1]["class"] for e in page.find("th", "h") if "title" in e[1]}
    assert len(nodes) == 64
    bad = {"node05", "node17", "node23", "node41", "node44"}
    assert {host for host, css in nodes.items() if css == "h x"} == bad
    assert {host for host, css in nodes.items() if css == "h w"} == {"node30"}
    cells = [e for e in page.find("td") if " → " in e[1].get("title", "")]
    assert len(cells) == 63 * 62
    crosses = [e[1]["title"] for e in cells if e[1]["class"] == "x"]
    assert len(crosses) == 2 * 62 and all("node41" in tip for tip in crosses)
    some = [e for e in cells if e[1]["class"] == "p"]
    assert len(some) == 2 * 61 and {e[2].strip() for e in some} == {"1"}
    assert all("node17" in e[1]["title"] and "phy id 3: nothing comes back" in e[1]["title"] for e in some)
    assert [e[1]["title"].split(":")[0] for e in cells if e[1]["class"] == "l"] == [
        "node05 → node44",
        "node44 → node05",
    ]
    assert len(list(page.find("td", "u"))) == 2 * 63
    assert "<em>no result</em>" in page.text
    # For each phy id a picture: the path that loses packets is ringed on its own, and captions name the nodes.
    pictures = re.findall(r"<figure>(.*?)</figure>", page.text, re.DOTALL)
    assert [picture.count("<circle") for picture in pictures] == [0, 0, 0, 0, 0, 0, 2, 0]
    captions = [re.sub("<[^>]*>", "", picture.split("<figcaption>")[1]) for picture in pictures]
    assert captions[3] == "phy id 3 × node17, × node41" and captions[6] == "phy id 6 ~ node05, × node41, ~ node44"
    dead = [picture.count("<rect class=x ") for picture in pictures]
    assert dead == [124, 124, 124, 124 + 122, 124, 124, 124, 124]
    # Nodes without a fault are folded; those with one are not.
    open_part, folded = page.text.split("<summary>58 nodes without a fault")
    assert all(f"<b>{host}</b>" in open_part for host in bad | {"node30"}) and "<b>node01</b>" in folded
    assert found["counts"]["hosts"] == 63


def test_what_is_fine_is_drawn_whole_though_in_runs(pages):
    found, page = pages["large"]
    strokes = re.findall(r'<path class=[a-e] d="([^"]*)"', page.text)
    drawn = sum(int(width) for path in strokes for width in re.findall(r"h(\d+)", path))
    assert drawn == 2 * found["counts"]["pairs_pass"]


def test_a_ring(pages):
    _found, page = pages["ring"]
    bad = page.text.index("<div class=rx>")
    assert bad < page.text.index("<details><summary>510 links between nodes, fine")
    assert [e[1]["title"] for e in page.find("i", "x") if "title" in e[1]] == [
        "node099 – node100, phy id 4: nothing comes back",
        "node100 – node101, phy id 4: nothing comes back",
    ]
    assert page.text.count("<em>phy id 4</em>") == 2
    assert ends_marked(page, 299) == {**dict.fromkeys(range(1, 8), "a"), 0: "x"}


def test_one_way_has_an_arrow():
    page = Page(render(judged(fleet(3), "rail", lambda a, b: 0 if a == ("node2", 4) else 3)))
    assert [(e[1]["title"].split(",")[0], e[2]) for e in page.find("i", "x") if "title" in e[1]] == [
        ("node1 – node2", "←"),
        ("node2 – node3", "→"),
    ]


def test_slow_pairs_have_a_stronger_shade():
    found = judged(fleet(2), "full")
    for pair in found["pairs"]:
        pair["avg_ms"] = 0.1
    for pair, avg_ms in zip(found["pairs"], (0.15, 0.2, 0.4, 0.6)):
        pair["avg_ms"] = avg_ms
    page = Page(render(found))
    cells = [e for e in page.find("td") if " → " in e[1].get("title", "")]
    counts = {shade: sum(e[1]["class"] == shade for e in cells) for shade in "abcde"}
    assert counts == {"a": 120, "b": 2, "c": 2, "d": 2, "e": 2}
    assert "up to 0.125 ms" in page.text and "over 0.500" in page.text


def test_groups_have_a_matrix_each_and_who_is_in_none_is_not_fine_by_pings():
    found = judged(fleet(6), "full", cut(("node4", 3)), groups=[["node1", "node2"], ["node3", "node4"]])
    page = Page(render(found))
    assert [e[2] for e in page.find("h3")] == ["node3, node4", "node1, node2"]
    assert len(page.find("table", "m")) == 2
    assert set(ends_marked(page, 4).values()) == {"u"}


def test_many_groups_do_not_make_a_huge_page():
    names = [f"node{number:03}" for number in range(1, 513)]
    groups = [names[number : number + 2] for number in range(0, 512, 2)]
    page = Page(render(judged(fleet(512), "full", cut(("node300", 3)), groups=groups)))
    assert len(page.text.encode()) < 5e6
    assert page.find("h3")[0][2] == "node299, node300"
    assert "more groups, all of them fine" in page.text


@pytest.mark.parametrize(("count", "mode"), [(16, "full"), (120, "rail"), (16, "rail"), (100, "full")])
def test_other_sizes(count, mode):
    width = len(str(count))
    bad = (f"node{7:0{width}}", 1)
    page = Page(render(judged(fleet(count, 8 if count < 97 else 2), mode, cut(bad))))
    assert set(ends_marked(page, 6).items()) >= {(0, "a"), (1, "x")}
    if count < 97:
        cells = [e for e in page.find("td") if " → " in e[1].get("title", "")]
        assert sum(e[1]["class"] in "px" for e in cells) == 2 * (count - 1)
    else:
        whole = re.search(r"<figure class=whole>(.*?)</figure>", page.text, re.DOTALL).group(1)
        assert whole.count("<rect class=x ") == 2 * (count - 1)
        assert f"× {bad[0]}</text>" in whole


def test_nothing_to_ping():
    page = Page(render(judged(fleet(1))))
    assert "Nothing was pinged" in page.text and set(ends_marked(page, 0).values()) == {"u"}
    assert "Nothing to repair" in page.text


def test_no_results_are_unknown_and_never_fine():
    nodes = fleet(2)
    made = plan(ends_to_ping(nodes, "ping"), "full")
    found = report(nodes, made, {})
    page = Page(render(found))
    cells = [e for e in page.find("td") if " → " in e[1].get("title", "")]
    assert {e[1]["class"] for e in cells} == {"u"} and {e[2].strip() for e in cells} == {"?"}


def test_a_node_of_the_plan_without_a_result():
    nodes = fleet(6)
    made = plan(ends_to_ping(nodes, "ping"), "rail")
    results = {host: [answer(ping, 3, random.Random(1)) for ping in made.pings_of(host)] for host in nodes}
    del nodes["node6"], results["node6"]
    page = Page(render(report(nodes, made, results, [*nodes, "node6"])))
    assert "<em>no result</em>" in page.text and len(page.find("figure")) == 8


def test_light_below_its_limit_is_marked():
    optical = dict(port(1, 0, False, random.Random(1)).values["optical"], tx_power_mw=[0.9, 0.1, None, 0.8])
    page = Page(render(judged(fleet(2, edits={(1, 0): {"optical": optical}}))))
    weak = list(page.find("td", "w"))
    assert len(weak) == 1 and '<span title="0.9, 0.1, –, 0.8 mW">0.10</span>' in page.text


EVIL = "</style><script>alert(\"x\")</script><b onclick='y'>&amp;"


def test_nothing_gets_out_of_its_place():
    nodes = fleet(3, name=EVIL + "{}")
    for node in nodes.values():
        node["node"]["driver_version"] = EVIL
        node["node"]["family"] = EVIL
        for entry in node["npus"]:
            entry["lldp"] = {"port_ifname": EVIL, "system_name": EVIL}
            entry.update(net_health=EVIL, gateway=EVIL, tls_switch=EVIL, mtu=EVIL, netmask=EVIL)
            entry["causes"] = [{"check": EVIL, "severity": "fail", "sentence": EVIL, "problem": EVIL, "remedy": EVIL}]
    nodes[EVIL + "1"]["npus"][0].update(link=EVIL)
    lost = (EVIL + "2", 1)
    for mode in ("full", "rail", "ring"):
        made = plan({host: [Npu(n["phy_id"], n["ipaddr"]) for n in node["npus"]] for host, node in nodes.items()}, mode)
        results = {
            host: [
                answer(ping, 0 if lost in ((host, ping["phy_id"]), (ping["peer"], ping["peer_phy_id"])) else 3, RNG)
                for ping in made.pings_of(host)
            ]
            for host in nodes
        }
        page = Page(render(report(nodes, made, results, [*nodes, EVIL]), title=EVIL))
        assert len(page.find("script")) == len(page.find("style")) == 1
        known = {"class", "id", "style", "href", "title", "colspan", "rowspan", "name", "content", "lang", "charset"}
        known |= {"hidden", "type", "open", "start", "viewbox", "role", "x", "y", "width", "height", "d"}
        assert {name for _tag, attrs, _text in page.elements for name in attrs} <= known
        assert EVIL not in page.text


def test_names_are_cut_where_nodes_do_not_differ():
    assert labels(["node1", "node2"]) == {"node1": "node1", "node2": "node2"}
    long = [f"gpu-rack17-blue-node{number}.example.internal" for number in (1, 12)]
    assert list(labels(long).values()) == ["…node1", "…node12"]
    assert list(labels(["one.example", "two.example"]).values()) == ["one", "two"]
    assert labels(["a-very-long-name-of-a-node"]) == {"a-very-long-name-of-a-node": "…ame-of-a-node"}
    assert labels([]) == {} and labels(["node1"]) == {"node1": "node1"}

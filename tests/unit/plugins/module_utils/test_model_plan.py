# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models wanted on nodes: what is refused, who fetches, and in how many rounds a fleet has it."""

from __future__ import annotations

import math

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._model_plan import fan_out, moves, wishes

HOSTS = ["node1", "node2", "node3"]
PATH = "/data/models/tiny"
HUB = {"path": PATH, "source": "huggingface", "repo": "acme/tiny", "revision": "v1"}
SERVICES = [
    {"name": "chat", "model": PATH, "hosts": ["node1", "node2"]},
    {"name": "other", "model": PATH + "-32B", "hosts": ["node3"]},
    {"name": "broken"},
]
SOURCE = {"kind": "huggingface", "repo": "acme/tiny", "revision": "v1", "include": [], "exclude": []}
GOOD = {"complete": True, "source": SOURCE, "storage": ""}
GONE = {"complete": False, "source": None, "storage": "", "problem": f"{PATH} is not there", "remedy": "copy it"}


def wanted(model=None, services=None, hosts=None):
    found, problems = wishes([model or HUB], SERVICES if services is None else services, hosts or HOSTS)
    assert problems == []
    return found


def plan(seen, model=None, **more):
    return moves(
        wanted({**(model or HUB), "hosts": list(seen)}), {host: {PATH: one} for host, one in seen.items()}, **more
    )[0]


def test_a_model_goes_where_its_services_are():
    found = wanted()
    assert [len(found[host]) for host in HOSTS] == [1, 1, 0]
    assert found["node1"][0]["used_by"] == ["chat"] and found["node1"][0]["nodes"] == ["node1", "node2"]
    assert found["node1"][0]["source"] == SOURCE
    assert (found["node1"][0]["directory_mode"], found["node1"][0]["file_mode"]) == ("0755", "0644")


def test_modes_for_mindie_and_for_oneself():
    mindie = {**HUB, "permissions": "mindie"}
    assert (wanted(mindie)["node1"][0]["directory_mode"], wanted(mindie)["node1"][0]["file_mode"]) == ("0750", "0640")
    assert wanted({**mindie, "file_mode": "0600"})["node1"][0]["file_mode"] == "0600"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "models/tiny"}, "path is 'models/tiny'"),
        ({"path": "/data/../etc"}, "path is"),
        ({"path": "/data/models/a b"}, "path is"),
        ({"source": "github"}, "source is 'github'"),
        ({"repo": "tiny"}, "repo is 'tiny'"),
        ({"repo": "../x/y"}, "repo is"),
        ({"source": "directory", "repo": "acme/tiny"}, "repo says nothing"),
        ({"source": "nfs", "from": "filer"}, "from is 'filer'"),
        ({"revison": "v1"}, "write 'revision'"),
        ({"file_mode": 420}, "file_mode is 420"),
        ({"permissions": "tight"}, "permissions is 'tight'"),
        ({"state": "gone"}, "state is 'gone'"),
        ({"from_host": "node9", "source": "directory", "repo": None, "from": "/srv/tiny"}, "node9 is no node"),
    ],
)
def test_what_is_refused(change, words):
    model = {key: value for key, value in {**HUB, **change}.items() if value is not None}
    found, problems = wishes([model], SERVICES, HOSTS)
    assert any(words in problem.sentence() for problem in problems), problems


def test_what_nobody_uses_and_what_is_there_twice():
    assert "no service uses it" in wishes([HUB], [], HOSTS)[1][0].problem
    assert "there twice" in wishes([HUB, HUB], SERVICES, HOSTS)[1][0].problem
    assert "it is 'tiny'" in wishes(["tiny"], SERVICES, HOSTS)[1][0].problem


def test_one_node_fetches_and_the_others_copy():
    work = plan({"node1": GONE, "node2": GONE, "node3": GONE})
    assert list(work["fetches"]) == ["node1"]
    assert work["rounds"] == [
        [{"path": PATH, "from": "node1", "to": "node2", "source": PATH}],
        [{"path": PATH, "from": "node1", "to": "node3", "source": PATH}],
    ]
    assert work["needed"] == {PATH: ["node1", "node2", "node3"]}
    assert work["takes"]["node3"] == [[], [{"path": PATH, "from": "node1", "to": "node3", "source": PATH}]]
    assert work["gives"] == {"node1": [{"path": PATH, "to": "node2"}, {"path": PATH, "to": "node3"}]}


def test_nothing_to_do():
    work = plan({"node1": GOOD, "node2": GOOD})
    assert work == {**dict.fromkeys(("fetches", "shared", "needed", "sources", "takes", "gives"), {}), "rounds": []}


def test_who_has_it_sends_it_and_the_hub_is_left_alone():
    work = plan({"node1": GONE, "node2": GOOD, "node3": GONE})
    assert work["fetches"] == {}
    assert work["rounds"][0] == [{"path": PATH, "from": "node2", "to": "node1", "source": PATH}]


def test_a_revision_that_is_another_is_fetched():
    old = {**GOOD, "source": {**SOURCE, "revision": "v0"}}
    assert list(plan({"node1": old, "node2": old})["fetches"]) == ["node1"]


def test_a_directory_that_has_changed_is_copied_again():
    model = {"path": PATH, "source": "directory", "from": "/srv/tiny"}
    source = {"kind": "directory", "from": "/srv/tiny", "host": "", "fingerprint": "f1"}
    seen = {"node1": {**GOOD, "source": source}}
    assert plan(seen, model, sources={PATH: "f1"})["fetches"] == {}
    work = plan(seen, model, sources={PATH: "f2"})
    assert list(work["fetches"]) == ["node1"] and work["sources"][PATH]["fingerprint"] == "f2"


def test_a_directory_of_a_node_is_copied_there_first():
    model = {"path": PATH, "source": "directory", "from": "/srv/tiny", "from_host": "node2"}
    work = plan({"node1": GONE, "node2": GONE}, model)
    assert list(work["fetches"]) == ["node2"]
    assert work["rounds"] == [[{"path": PATH, "from": "node2", "to": "node1", "source": PATH}]]


def test_a_directory_of_a_node_that_does_not_serve_the_model():
    model = {"path": PATH, "source": "directory", "from": "/srv/tiny", "from_host": "node3"}
    work = plan({"node1": GONE, "node2": GONE}, model)
    assert work["fetches"] == {}
    assert work["rounds"][0] == [{"path": PATH, "from": "node3", "to": "node1", "source": "/srv/tiny"}]
    assert work["gives"]["node3"][0] == {"path": "/srv/tiny", "to": "node1"}


def test_a_branch_is_followed_on_request():
    assert list(plan({"node1": GOOD, "node2": GOOD}, refresh=True)["fetches"]) == ["node1"]


def test_the_writer_that_is_named():
    assert list(plan({"node1": GONE, "node2": GONE}, {**HUB, "writer": "node2"})["fetches"]) == ["node2"]


def test_nodes_that_share_a_file_system_write_once():
    shared = {**GONE, "storage": "nfs:filer:/export/models/tiny"}
    work = plan({"node1": shared, "node2": shared, "node3": GONE})
    assert list(work["fetches"]) == ["node1"] and work["shared"] == {"node2": {PATH: "node1"}}
    assert work["rounds"] == [[{"path": PATH, "from": "node1", "to": "node3", "source": PATH}]]


def test_a_model_without_a_source_must_be_there():
    model = {"path": PATH}
    found = wanted(model)
    work, problems = moves(found, {"node1": {PATH: {**GOOD, "source": None}}, "node2": {PATH: GONE}})
    assert work["fetches"] == {} and work["rounds"] == []
    assert [problem.sentence() for problem in problems] == [f"node2: model tiny: {PATH} is not there; copy it."]


def test_absence_goes_everywhere_unless_hosts_are_named():
    found, problems = wishes([{"path": PATH, "state": "absent"}], [], HOSTS)
    assert problems == [] and [len(found[host]) for host in HOSTS] == [1, 1, 1]
    assert moves(found, {})[0]["needed"] == {}


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 7, 8, 9, 64, 500])
def test_rounds_grow_with_the_logarithm(nodes):
    rounds = fan_out([0], list(range(1, nodes)))
    assert len(rounds) == math.ceil(math.log2(nodes))
    have = {0}
    for pairs in rounds:
        assert len({sender for sender, _taker in pairs}) == len(pairs) and {s for s, _t in pairs} <= have
        have |= {taker for _sender, taker in pairs}
    assert have == set(range(nodes))

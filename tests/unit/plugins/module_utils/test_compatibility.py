# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes and machines against the tables: tested rows pass, the refused come with rows, the unknown only warns."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils import _compatibility_data as data
from ansible_collections.npuops.ascend.plugins.module_utils._compatibility import (
    StackError,
    cann_accepts,
    fit_args,
    graph_mode,
    image,
    release_runs_on,
    show_row,
    stack,
    stack_versions,
)
from ansible_collections.npuops.ascend.plugins.module_utils._compatibility_rules import Case, check
from ansible_collections.npuops.ascend.plugins.module_utils._compatibility_versions import at_least, covers

UPSTREAM = "quay.io/ascend/vllm-ascend:"


@pytest.mark.parametrize(
    ("entry", "version", "meant"),
    [
        ("25.5.X", "25.5.1", True),
        ("25.5.X", "25.50.1", False),
        ("25.0.X", "25.0.rc1.1", True),
        ("25.0.X", "25.2.0", False),
        ("24.1.0", "24.1.0.3", True),
        ("24.1.0", "24.1.RC3", False),
        ("25.0.RC1", "25.0.RC1.1", True),
        ("25.0.RC1", "25.0.0", False),
        ("26.0.RC1/25.7.RC1", "25.7.RC1", True),
        ("25.2.0", "25.2", True),
        ("9.0.X", "9.1.0", False),
        ("25.5.X", None, False),
        ("25.5.X", "unknown", False),
    ],
)
def test_an_entry_of_a_table_means(entry, version, meant):
    assert covers(entry, version) is meant


def test_at_least():
    assert at_least("25.5.1", "25.5.1") and at_least("v0.23.0rc1", "v0.21.0rc1")
    assert not at_least("25.5.0", "25.5.1") and not at_least(None, "1") and not at_least("v0.21.0rc0", "v0.21.0rc1")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "25.5.0",
            {
                "hdk": "25.5.0",
                "cann": "8.3.RC2",
                "docker_runtime": "7.1.RC1",
                "mindie": "2.2.RC2",
                "mis_tei": "7.1.RC1",
                "docker": "18.09",
                "os": "openEuler 22.03 SP4",
            },
        ),
        ("24.1.0.3", {"hdk": "24.1.0.3", "vllm_ascend": "v0.11.0rc0", "os": "EulerOS 2.0 SP10"}),
        ("flexai", {"cann": "8.1.RC1", "vllm_ascend": "v0.8.5rc1"}),
    ],
)
def test_the_tested_rows_are_there_and_consistent(name, expected):
    row = stack(name)
    assert row.evidence == "tested"
    assert {key: getattr(row, key) for key in expected} == expected
    assert check(Case(stack_versions(name), {}, "A2")) == []


@pytest.mark.parametrize("row", data.STACKS, ids=lambda row: row.name)
def test_no_row_contradicts_the_tables(row):
    assert [f for f in check(Case(stack_versions(row.name), {}, "A2")) if f.level == "error"] == []


def test_the_releases_are_those_of_the_policy():
    assert len({release.version for release in data.RELEASES}) == len(data.RELEASES) == 40
    assert data.RELEASES[0].version == "v0.26.0rc1" and data.RELEASES[-1].version == "v0.7.3"


@pytest.mark.parametrize(
    ("cann", "hdk", "verdict"),
    [
        ("9.1.0", "25.5.0", True),
        ("9.1.0", "25.5.1", True),
        ("9.1.0", "25.0.RC1", False),
        ("9.1.0", "24.1.0.3", False),
        ("9.1.0", "27.0.0", None),
        ("9.0.1", "25.0.RC1.1", True),
        ("8.5.0", "25.0.0", True),
        ("8.5.0", "24.1.0", None),
        ("8.3.RC2", "25.5.0", True),
        ("8.3.RC2", "25.5.1", None),
        ("8.2.RC1", "24.1.0.3", True),
        ("8.1.RC1", "25.0.RC1", True),
        ("10.0.0", "25.5.0", None),
    ],
)
def test_cann_on_hdk(cann, hdk, verdict):
    assert cann_accepts(cann, hdk) is verdict


@pytest.mark.parametrize(
    ("version", "hdk", "verdict"),
    [
        ("v0.23.0", "25.5.1", True),
        ("v0.23.0", "25.0.RC1", False),
        ("v0.11.0rc0", "24.1.0.3", True),
        ("v0.22.1rc1", "25.0.RC1", True),
        ("v9.9.9", "25.5.1", None),
    ],
)
def test_release_on_hdk(version, hdk, verdict):
    assert release_runs_on(version, hdk) is verdict


@pytest.mark.parametrize(
    ("name", "release", "suffix"),
    [
        (UPSTREAM + "v0.23.0", "v0.23.0", ""),
        (UPSTREAM + "v0.23.0-a3-openeuler", "v0.23.0", "-a3"),
        (UPSTREAM + "v0.23.0.post1-310p", "v0.23.0.post1", "-310p"),
        (UPSTREAM + "v0.11.0rc0-openeuler", "v0.11.0rc0", ""),
        ("registry.example/mine:1", None, ""),
        (UPSTREAM + "main", None, ""),
    ],
)
def test_tag_of_an_image(name, release, suffix):
    assert image(name)[1:] == (release, suffix)


def case(wish=None, chip="A2", images=(), services=(), **found):
    return Case(stack_versions(wish), found, chip, tuple(UPSTREAM + tag for tag in images), tuple(services))


FULL = {"name": "chat", "args": {"compilation_config": {"cudagraph_mode": "FULL_AND_PIECEWISE"}}}
DRIVER = [["7.0.0", "7.1.99"]]
FIRMWARE = [["24.1", "24.1."], ["25.2", "25.2."]]


# (title, case, [(level, words of the sentence)], words of the rows that would work)
TABLE = [
    ("the lab: nothing", case(hdk="25.5.1", running="25.5.1", images=["v0.23.0"]), [], ""),
    ("nothing is there, nothing is wished", case(images=["v0.23.0"]), [], ""),
    (
        "v0.23 on 25.5.0 has a graph mode chosen",
        case("25.5.0", images=["v0.23.0"]),
        [("warning", "with HDK 25.5.0 services get FULL_DECODE_ONLY")],
        "",
    ),
    (
        "the same, when all say one",
        case("25.5.0", images=["v0.23.0"], services=[{"args": {"enforce_eager": True}}]),
        [],
        "",
    ),
    (
        "the same, when one asks for what the driver lacks",
        case("25.5.0", images=["v0.23.0"], services=[FULL]),
        [("error", "a service asks for FULL_AND_PIECEWISE, which needs HDK 25.5.1")],
        "HDK 25.5.1 + CANN 9.1.0 + vLLM-Ascend v0.23.0",
    ),
    (
        "an HDK that the release notes rule out",
        case({"hdk": "25.0.RC1"}, images=["v0.23.0"]),
        [
            ("error", "vLLM-Ascend v0.23.0 has CANN 9.1.0, which does not run on HDK 25.0.RC1"),
            ("warning", "services get FULL_DECODE_ONLY"),
        ],
        "HDK 25.2.X, 25.3.X, 25.5.X, 26.0.RC1/25.7.RC1, 26.1.0 + CANN 9.1.0 + vLLM-Ascend v0.23.0\n"
        "HDK 25.0.RC1 + CANN 8.5.1 + vLLM-Ascend v0.18.0",
    ),
    (
        "the same, when it is what is installed and nothing is wished",
        case(images=["v0.23.0"], hdk="25.0.RC1", services=[{"args": {"enforce_eager": True}}]),
        [("error", "does not run on HDK 25.0.RC1")],
        "HDK 25.0.RC1 + CANN 8.5.1 + vLLM-Ascend v0.18.0",
    ),
    (
        "the same, when the wish brings another one",
        case("26.1.0", images=["v0.23.0"], hdk="25.0.RC1"),
        [("warning", "25.0.RC1 is installed, 26.1.0 is wished")],
        "",
    ),
    (
        "CANN of the host and HDK",
        case({"hdk": "25.0.RC1", "cann": "9.1.0"}),
        [("error", "CANN 9.1.0 does not run on HDK 25.0.RC1")],
        "HDK 25.2.X",
    ),
    (
        "a stack of two releases",
        case({"cann": "8.1.RC1", "vllm_ascend": "v0.23.0"}),
        [("error", "vLLM-Ascend v0.23.0 is built on CANN 9.1.0, and the stack says CANN 8.1.RC1")],
        "CANN 9.1.0 + vLLM-Ascend v0.23.0\nCANN 8.1.RC1 + vLLM-Ascend v0.9.2rc1",
    ),
    (
        "CANN of the host beside an image of another",
        case({"hdk": "25.5.1", "cann": "8.5.0"}, images=["v0.23.0"]),
        [],
        "",
    ),
    (
        "versions that nobody has seen yet",
        case({"hdk": "31.0.0", "cann": "12.0.0"}, images=["v0.99.0"]),
        [
            ("warning", "no release note names CANN 12.0.0 with HDK 31.0.0"),
            ("warning", "the CANN of v0.99.0 is not known"),
        ],
        "",
    ),
    (
        "a release older than its documents",
        case(hdk="25.5.1", images=["v0.8.4rc2"]),
        [("warning", "no release note names HDK 25.5.1 with CANN 8.0.0 of vLLM-Ascend v0.8.4rc2")],
        "vLLM-Ascend v0.23.0",
    ),
    (
        "an image for other NPUs",
        case(hdk="25.5.1", chip="A2", images=["v0.23.0-a3"]),
        [("error", "v0.23.0-a3 is for A3, and the NPUs are A2")],
        "",
    ),
    ("an image for these NPUs", case(hdk="25.5.1", chip="A3", images=["v0.23.0-a3-openeuler", "v0.23.0"]), [], ""),
    ("an image for 310P", case(hdk="25.5.1", chip="310P", images=["v0.23.0-310p"]), [], ""),
    (
        "NPUs for which there was no image yet",
        case(hdk="25.2.0", chip="A3", images=["v0.9.1"]),
        [("error", "vLLM-Ascend v0.9.1 has no image for A3")],
        "CANN 9.1.0 + vLLM-Ascend v0.23.0",
    ),
    (
        "firmware that the driver does not take",
        case(hdk="24.1.0", firmware="7.7.0.6.236", driver_accepts=DRIVER),
        [("error", "driver 24.1.0 takes firmware 7.0.0 to 7.1.99, and 7.7.0.6.236 is installed")],
        "",
    ),
    (
        "a driver that the firmware does not take",
        case(hdk="25.5.0", firmware="7.1.0.1.1", driver_accepts=DRIVER, firmware_accepts=FIRMWARE),
        [("error", "firmware 7.1.0.1.1 takes driver 24.1 to 24.1., 25.2 to 25.2., and 25.5.0 is installed")],
        "",
    ),
    (
        "a pair that fits",
        case(hdk="25.2.0", firmware="7.1.0.1.1", driver_accepts=DRIVER, firmware_accepts=FIRMWARE),
        [],
        "",
    ),
    (
        "a driver that waits for its restart",
        case(hdk="25.5.1", running="25.2.0"),
        [("warning", "25.5.1 is installed and 25.2.0 runs")],
        "",
    ),
    (
        "a feature that the driver has not",
        case(hdk="25.3.RC1", services=[{"args": {}, "env": {"ASCEND_ENABLE_USE_FABRIC_MEM": "1"}}]),
        [("error", "needs HDK 25.5, and HDK 25.3.RC1 is there")],
        "",
    ),
    ("a feature that is off", case(hdk="25.3.RC1", services=[{"env": {"ASCEND_ENABLE_USE_FABRIC_MEM": "0"}}]), [], ""),
    ("an old engine", case("25.5.0", docker="17.12.1"), [("error", "engine 17.12.1 is older than 18.09")], ""),
    ("the oldest engine", case("25.5.0", docker="18.09.0"), [], ""),
    ("a new engine", case("25.5.0", docker="29.1.0"), [("warning", "engine 29.1.0 is newer than 28.5.1")], ""),
    ("a new engine without the runtime", case(hdk="25.5.1", docker="29.1.0"), [], ""),
]


@pytest.mark.parametrize(("given", "expected", "rows"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_findings(given, expected, rows):
    found = check(given)
    shown = [(finding.level, finding.sentence()) for finding in found]
    assert len(shown) == len(expected), shown
    for (level, words), (told, sentence) in zip(expected, shown):
        assert level == told and words in sentence, shown
    told_rows = "\n".join(show_row(row) for finding in found for row in finding.rows)
    for line in rows.splitlines():
        assert line in told_rows


def test_what_no_table_knows_never_blocks():
    """Every HDK and CANN that is in no table, against every one that is."""
    known = [row.version.replace(".X", ".0") for row in data.CANN_HDK]
    pairs = [(hdk, cann) for hdk in ("26.9.0", "99.0.0", "25.9.RC7") for cann in [*known, "13.0.0", "8.0.7"]]
    for hdk, cann in pairs:
        found = check(case({"hdk": hdk, "cann": cann}))
        assert [finding.level for finding in found] == ["warning"], (hdk, cann, found)


def test_every_error_between_versions_has_rows_that_really_work():
    for _title, given, _expected, _rows in TABLE:
        for finding in check(given):
            for row in finding.rows:
                for hdk in row.get("hdk") or []:
                    assert cann_accepts(row["cann"], hdk.split("/")[0].replace(".X", ".1")) is not False, row


@pytest.mark.parametrize(
    ("args", "hdk", "expected"),
    [
        ({}, "25.5.1", {}),
        ({}, None, {}),
        (
            {"max_model_len": 1},
            "25.5.0",
            {"max_model_len": 1, "compilation_config": {"cudagraph_mode": "FULL_DECODE_ONLY"}},
        ),
        (
            {"compilation_config": {"level": 3}},
            "25.5.0",
            {"compilation_config": {"level": 3, "cudagraph_mode": "FULL_DECODE_ONLY"}},
        ),
        ({"compilation_config": '{"level": 3}'}, "25.5.0", {"compilation_config": '{"level": 3}'}),
        ({"enforce_eager": True}, "25.5.0", {"enforce_eager": True}),
        (FULL["args"], "25.5.0", FULL["args"]),
    ],
)
def test_arguments_that_fit_the_driver(args, hdk, expected):
    assert fit_args(args, "v0.23.0", hdk) == expected


def test_releases_before_the_mode_are_left_alone():
    assert graph_mode("v0.20.2rc1", "25.0.RC1") is None and graph_mode("v0.21.0rc1", "25.5.0") == "FULL_DECODE_ONLY"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("newest", "the rows are 25.5.0"),
        ({"hkd": "25.5.0"}, "key 'hkd' is not known"),
        (["25.5.0"], "neither the name"),
    ],
)
def test_a_wish_that_cannot_be_understood(wish, words):
    with pytest.raises(StackError, match=words):
        stack_versions(wish)


def test_a_wish_goes_before_its_row():
    found = stack_versions({"stack": "25.5.0", "cann": "8.5.0"})
    assert (found["hdk"], found["cann"], found["evidence"], found["told"]) == ("25.5.0", "8.5.0", "unknown", ["cann"])
    assert stack_versions("25.5.7")["hdk"] == "25.5.7" and stack_versions("")["hdk"] is None

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps follow from which state of a node."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._hdk_plan import (
    Found,
    Note,
    Part,
    Plan,
    Wish,
    decide,
    unready,
    without_package,
)

OLD, NEW = ("25.2.0", "7.7.0.6.236"), ("25.5.0", "7.8.0.5.216")
UNIT = {"name": "npuops-chat.service", "enabled": True, "active": True}
SLICE = {"npu_id": 6, "chip_id": 0, "vnpu_id": 196, "template": "vir10_3c_32g", "service": "embedding"}
HALF = Part(None, complete=False)


def part(version, *running):
    return Part(version, running=running)


def node(driver=OLD[0], firmware=OLD[1], **more):
    """A node on which what is installed runs, in its start A."""
    values = {
        "driver": driver if isinstance(driver, Part) else part(driver, driver),
        "firmware": firmware if isinstance(firmware, Part) else part(firmware, firmware),
        "loaded": True,
        "boot": "A",
        "npus": 8,
        **more,
    }
    return Found(**values)


BARE = node(driver=Part(), firmware=Part(), loaded=False, npus=None)
TO_NEW = Wish(*NEW)
BEFORE = {"driver": OLD[0], "firmware": OLD[1]}


def note(boot="A", **more):
    return Note(boot=boot, **{"before": BEFORE, "npus": 8, **more})


UPGRADE = ("firmware", "driver", "reboot", "verify")
TABLE = {
    "nothing is there": (BARE, TO_NEW, "first_install", ("driver", "firmware", "reboot", "verify")),
    "nothing is there, the driver alone is wished": (
        BARE, Wish(driver=NEW[0]), "first_install", ("driver", "reboot", "verify"),
    ),
    "all is as wished": (node(*NEW), TO_NEW, "unchanged", ()),
    "nothing is wished": (node(), Wish(), "unchanged", ()),
    "a later driver is there than no wish": (node(*NEW), Wish(firmware=NEW[1]), "unchanged", ()),
    "a build of the wished release is there": (node("25.5.0.b070", NEW[1]), TO_NEW, "unchanged", ()),
    "old": (node(), TO_NEW, "upgrade", UPGRADE),
    "old driver, new firmware": (node(OLD[0], NEW[1]), TO_NEW, "upgrade", ("driver", "reboot", "verify")),
    "old firmware, new driver": (node(NEW[0], OLD[1]), TO_NEW, "upgrade", ("firmware", "reboot", "verify")),
    "driver without firmware": (
        node(firmware=part(None, "7.5.0.5.220")), Wish(OLD[0], OLD[1]), "upgrade", ("firmware", "reboot", "verify"),
    ),
    "driver only, not restarted since, firmware missing": (
        node(driver=part(NEW[0]), firmware=Part(), loaded=False, npus=None), TO_NEW,
        "upgrade", ("firmware", "reboot", "verify"),
    ),
    "installed by hand, not restarted: another version runs": (
        node(driver=part(NEW[0], OLD[0]), firmware=part(NEW[1], OLD[1])), TO_NEW, "reboot", ("reboot", "verify"),
    ),
    "installed by hand, not restarted: the firmware of one NPU is old": (
        node(NEW[0], part(NEW[1], OLD[1], NEW[1])), TO_NEW, "reboot", ("reboot", "verify"),
    ),
    "installed by hand, not restarted: no driver runs": (
        node(part(NEW[0]), part(NEW[1]), loaded=False, fresh=True), TO_NEW, "reboot", ("reboot", "verify"),
    ),
    "installed, and its installer wants a restart that has not been": (
        node(Part(NEW[0], running=(NEW[0],), restart="Reboot needed"), NEW[1]), TO_NEW, "reboot", ("reboot", "verify"),
    ),
    "its installer was cut after the version was written": (
        node(Part(NEW[0], False, (OLD[0],)), NEW[1]), TO_NEW, "repair", ("driver", "reboot", "verify"),
    ),
    "newer, and that is wanted": (
        node(*NEW), Wish(*OLD, allow_downgrade=True), "downgrade", UPGRADE,
    ),
    "driver half-way": (
        node(driver=Part(None, False, (OLD[0],)), firmware=part(NEW[1], OLD[1])), TO_NEW,
        "repair", ("driver", "reboot", "verify"),
    ),
    "driver half-way, old firmware: the driver goes first": (
        node(driver=HALF), TO_NEW, "repair", ("driver", "firmware", "reboot", "verify"),
    ),
    "firmware half-way": (node(firmware=HALF), TO_NEW, "repair", UPGRADE),
    "firmware half-way, the same version again": (
        node(firmware=HALF), Wish(*OLD), "repair", ("firmware", "reboot", "verify"),
    ),
    "cut before anything was installed": (node(note=note()), TO_NEW, "upgrade", UPGRADE),
    "cut after the firmware": (
        node(firmware=part(NEW[1], OLD[1]), note=note(changing=("firmware",))), TO_NEW,
        "upgrade", ("driver", "reboot", "verify"),
    ),
    "cut before the restart": (
        node(driver=part(NEW[0], OLD[0]), firmware=part(NEW[1], OLD[1]), note=note(changing=("driver", "firmware"))),
        TO_NEW, "reboot", ("reboot", "verify"),
    ),
    "cut before the restart, the tool already tells the new versions": (
        node(*NEW, note=note(changing=("driver",))), TO_NEW, "reboot", ("reboot", "verify"),
    ),
    "cut after the restart": (node(*NEW, boot="B", note=note(changing=("driver",))), TO_NEW, "resume", ("verify",)),
    "after the restart the driver does not run: no second restart": (
        node(part(NEW[0]), NEW[1], boot="B", loaded=False, note=note(changing=("driver",))), TO_NEW,
        "resume", ("verify",),
    ),
    "after the restart the old driver runs: no second restart": (
        node(part(NEW[0], OLD[0]), NEW[1], boot="B", note=note(changing=("driver",))), TO_NEW,
        "resume", ("verify",),
    ),
    "installed again after a restart": (
        node(boot="B", driver=HALF, note=note(changing=("driver",))), Wish(*OLD),
        "repair", ("driver", "reboot", "verify"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_steps(name):
    found, wish, kind, steps = TABLE[name]
    plan = decide("node1", wish, found)
    assert (plan.kind, plan.steps, plan.problems) == (kind, steps, ())
    assert (plan.note is None) == (not steps)


@pytest.mark.parametrize("name", TABLE)
def test_at_most_one_restart_and_it_comes_after_all_packages(name):
    found, wish, _kind, _steps = TABLE[name]
    steps = decide("node1", wish, found).steps
    assert steps.count("reboot") <= 1
    assert "reboot" not in steps or not set(steps[steps.index("reboot") :]) & {"driver", "firmware"}


@pytest.mark.parametrize("name", TABLE)
def test_a_restart_that_is_left_to_others(name):
    found, wish, _kind, steps = TABLE[name]
    plan = decide("node1", dataclasses.replace(wish, reboot=False), found)
    assert "reboot" not in plan.steps
    assert plan.reboot_left == ("reboot" in steps)
    if plan.reboot_left:
        assert not {"verify", "undrain"} & set(plan.steps)


def outcome(wish, found, steps):
    """The node after these steps: what is installed runs if it was restarted."""
    restarted = "reboot" in steps
    parts = {}
    for name in ("driver", "firmware"):
        one = found.part(name)
        version = wish.version(name) if name in steps else one.installed
        running = (version,) if restarted and version else one.running
        parts[name] = Part(version, one.complete or name in steps, running)
    boot = found.boot + "'" if restarted else found.boot
    return dataclasses.replace(found, **parts, boot=boot, loaded=found.loaded or restarted, note=None, npus=8)


@pytest.mark.parametrize("name", [name for name in TABLE if "no second restart" not in name])
def test_the_second_run_has_nothing_to_do(name):
    found, wish, _kind, steps = TABLE[name]
    after = outcome(wish, found, steps)
    assert decide("node1", wish, after).steps == ()
    assert unready("node1", wish, after, {(0, 0): "OK"}, ("OK",), None, 0) == ()


@pytest.mark.parametrize("done", range(4))
def test_a_run_that_is_cut_after_any_step_goes_on_there(done):
    found = node()
    first = decide("node1", TO_NEW, found)
    cut = outcome(TO_NEW, found, first.steps[:done])
    noted = dataclasses.replace(first.note, changing=tuple(s for s in first.steps[:done] if s != "reboot"))
    second = decide("node1", TO_NEW, dataclasses.replace(cut, note=noted))
    assert second.steps == first.steps[done:]
    assert second.note.before == BEFORE


def test_our_services_are_taken_away_and_come_back():
    plan = decide("node1", Wish(*NEW, drain=True), node(units=(UNIT,), slices=(SLICE,)))
    assert plan.steps == ("drain", *UPGRADE, "undrain")
    assert (plan.note.units, plan.note.slices, plan.note.npus) == ((UNIT,), (SLICE,), 8)
    assert plan.problems == ()


def test_what_an_earlier_run_has_stopped_comes_back_though_it_does_not_run_now():
    stopped = note(boot="A", units=(UNIT,), slices=(SLICE,), changing=("driver",))
    plan = decide("node1", TO_NEW, node(*NEW, boot="B", note=stopped))
    assert plan.steps == ("verify", "undrain")
    assert (plan.note.units, plan.note.slices, plan.note.boot) == ((UNIT,), (SLICE,), "A")


def test_a_unit_that_was_started_meanwhile_is_noted_once():
    plan = decide("node1", Wish(*NEW, drain=True), node(units=(UNIT,), note=note(units=(UNIT,))))
    assert plan.note.units == (UNIT,)


def test_without_drain_services_of_ours_forbid_a_change_and_say_how():
    (problem,) = decide("node1", TO_NEW, node(units=(UNIT,), slices=(SLICE,))).problems
    assert "npuops-chat.service, vNPU 196 of NPU 6" in problem.sentence()
    assert "hdk_drain: true" in problem.remedy


def test_services_and_strangers_forbid_nothing_where_nothing_changes():
    found = node(*NEW, units=(UNIT,), slices=(SLICE,), strangers=("NPU 1 is used by process 7 (python3)",))
    assert decide("node1", TO_NEW, found).problems == ()


@pytest.mark.parametrize("drain", [True, False])
@pytest.mark.parametrize(
    "found", [node(), node(driver=part(OLD[0], "25.0.0"))], ids=["an installation", "a restart alone"]
)
def test_strangers_forbid_a_change_even_with_drain(found, drain):
    held = dataclasses.replace(found, strangers=("NPU 1 is used by process 7 (python3)", "vNPU 196 is not ours"))
    wish = Wish(*(NEW if found == node() else OLD), drain=drain)
    sentences = [problem.sentence() for problem in decide("node1", wish, held).problems]
    assert len(sentences) == 2
    assert all(sentence.startswith("node1: NPUs: ") and "run this again" in sentence for sentence in sentences)


def test_a_later_version_is_not_replaced_unasked():
    plan = decide("node1", Wish(*OLD), node(*NEW))
    assert [problem.item for problem in plan.problems] == ["firmware", "driver"]
    assert all("hdk_allow_downgrade: true" in problem.remedy for problem in plan.problems)


def test_firmware_needs_a_driver():
    (problem,) = decide("node1", Wish(firmware=NEW[1]), BARE).problems
    assert "written through the driver" in problem.problem


def test_a_driver_left_half_way_is_no_state_to_stay_in():
    (problem,) = decide("node1", Wish(), node(driver=HALF)).problems
    assert "stopped in the middle" in problem.problem


def test_a_driver_that_runs_and_does_not_answer_is_a_problem_and_no_reason_to_restart():
    plan = decide("node1", TO_NEW, node(part(NEW[0]), part(NEW[1])))
    assert plan.steps == ()
    assert ["npu-smi tells no version" in problem.problem for problem in plan.problems] == [True]


def test_a_driver_that_this_start_could_not_load_is_a_problem_and_no_reason_for_another():
    plan = decide("node1", TO_NEW, node(part(NEW[0]), part(NEW[1]), loaded=False))
    assert plan.steps == ()
    assert ["could not load" in problem.problem for problem in plan.problems] == [True]


def test_an_installer_that_still_works_is_waited_for_by_the_operator():
    (problem,) = decide("node1", TO_NEW, node(busy="its installer still works (process 9)")).problems
    assert "process 9" in problem.sentence() and "let it end" in problem.remedy


def test_what_was_cut_is_no_version_to_go_back_to_but_what_still_runs_is():
    plan = decide("node1", TO_NEW, node(driver=Part(NEW[0], False, (OLD[0],))))
    assert plan.note.before == BEFORE
    plan = decide("node1", TO_NEW, node(driver=Part(NEW[0], False)))
    assert plan.note.before == {"driver": None, "firmware": OLD[1]}


def test_versions_before_and_after():
    assert decide("node1", TO_NEW, node()).changes == (
        "driver 25.2.0 -> 25.5.0",
        "firmware 7.7.0.6.236 -> 7.8.0.5.216",
    )
    assert decide("node1", TO_NEW, BARE).changes[0] == "driver none -> 25.5.0"
    assert decide("node1", TO_NEW, node(driver=HALF)).changes[0] == "driver half-way -> 25.5.0"
    waiting = node(driver=part(NEW[0], OLD[0]), firmware=part(NEW[1], NEW[1]))
    assert decide("node1", TO_NEW, waiting).changes == ("driver 25.2.0 (running) -> 25.5.0",)


def test_the_note_keeps_what_was_before_the_first_of_several_attempts():
    again = decide("node1", TO_NEW, node(driver=HALF, firmware=part(NEW[1], OLD[1]), note=note(), boot="B"))
    assert again.note.before == BEFORE
    assert again.note.wanted == {"driver": NEW[0], "firmware": NEW[1]}
    assert again.note.boot == "B"


def test_the_way_back_is_a_plan_like_any_other():
    back = Wish(*OLD, drain=True, allow_downgrade=True)
    half = node(
        driver=Part(None, False, (OLD[0],)), firmware=part(NEW[1], OLD[1]),
        note=note(units=(UNIT,), changing=("driver", "firmware")),
    )  # fmt: skip
    plan = decide("node1", back, half)
    assert plan.steps == ("driver", "firmware", "reboot", "verify", "undrain")
    assert plan.problems == ()


def test_the_way_back_from_a_refusal_that_touched_nothing_only_starts_the_services():
    plan = decide("node1", Wish(*OLD), node(note=note(units=(UNIT,))))
    assert plan.steps == ("verify", "undrain")


def test_a_way_back_without_its_package_says_where_to_put_it():
    plan = Plan("repair", ("driver", "reboot", "verify"), ())
    (problem,) = without_package("node1", plan, BEFORE, {"driver": None, "firmware": None}, "/keep")
    assert "25.2.0" in problem.sentence() and "/keep" in problem.sentence()
    assert without_package("node1", plan, BEFORE, {"driver": "/keep/x.run"}, "/keep") == []


UNREADY = {
    "sick": (node(*NEW), {(0, 0): "OK", (3, 0): "Alarm"}, {}, "NPU 3 chip 0: Alarm"),
    "silent": (node(part(NEW[0]), NEW[1]), {}, {}, "npu-smi does not answer"),
    "another runs": (node(part(NEW[0], OLD[0]), NEW[1]), {}, {}, "25.2.0 runs although 25.5.0 is installed"),
    "another is installed": (node(OLD[0], NEW[1]), {}, {}, "25.2.0 is installed instead of 25.5.0"),
    "fewer than before": (node(*NEW, npus=7, note=note()), {}, {}, "7 of 8 answer"),
    "fewer than told": (node(*NEW), {}, {"npus": 16}, "8 of 16 answer"),
    "fewer than on the bus": (node(*NEW), {(0, 0): "OK"}, {"chips": 8}, "1 of 8 chips on the PCI bus answer"),
    "not compatible": (node(*NEW), {}, {"compatible": ("NOK", "OK")}, "not compatible with the driver"),
}


@pytest.mark.parametrize("name", UNREADY)
def test_a_node_is_not_done_while(name):
    found, health, more, text = UNREADY[name]
    values = {"compatible": ("OK",), "npus": None, "chips": 0, **more}
    problems = unready("node1", TO_NEW, found, health, **values)
    assert len(problems) == 1 and text in problems[0].sentence()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out plans on a machine that fails anywhere: nothing in use is lost, the state before comes back, an
interrupted run is continued."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu import TEMPLATES, fits
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_apply import Failed, Setting, Work
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_plan import reconcile
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_state import StateFile, StateFileError, settle
from ansible_collections.npuops.ascend.plugins.module_utils._vnpu_types import ChipState, Owned, Slice, Step, Wish

KIND = TEMPLATES["910b_20c_64g"]
BIG, SMALL = "vir10_3c_32g", "vir05_1c_16g"
CHIPS = ((6, 0), (7, 0))


class PowerCut(BaseException):
    """Nothing runs any more, no handler either."""


@dataclass
class Answer:
    ok: bool
    message: str
    command: None = None


@dataclass
class FakeMachine:
    """Slices of two chips in a dict. ``faults`` maps the number of a changing call to what goes wrong in it:

    refuse (nothing happens), lie (nothing happens, "OK"), deny (it happens, "failed"), raise (it happens or not, and
    the tool is stopped), late (it happens, the device node does not come), cut (it happens or not, and power goes).
    """

    carries: dict
    faults: dict = field(default_factory=dict)
    calls: int = 0
    settings: dict = field(default_factory=lambda: {"mode": "docker", "cfg_recover": True})
    late: set = field(default_factory=set)
    warnings: list = field(default_factory=list)

    def look(self, key):
        return dict(self.carries[key])

    def _change(self, effect, created=None):
        self.calls += 1
        fault = self.faults.get(self.calls)
        happens = fault not in ("refuse", "lie", "raise before", "cut before") and effect() is not False
        if fault in ("raise before", "raise after"):
            raise VendorError("did not end within 60 s and was stopped", "Raise the timeout.")
        if fault in ("cut before", "cut after"):
            raise PowerCut
        if fault == "late" and happens:
            self.late |= created or set()
        ok = (happens and fault != "deny") or fault == "lie"
        return Answer(ok, "Create vnpu success" if ok else "create vnpu failed.")

    def create(self, key, template, vnpu_id=None, vgroup_id=None):
        first = key[0] * 16 + 100
        taken = self.carries[key]
        number = vnpu_id or next(n for n in range(first, first + 16) if n not in taken)

        def effect():
            pieces = [KIND.by_name[piece.template] for piece in taken.values()] + [KIND.by_name[template]]
            if number in taken or not fits(pieces, KIND.capacity):
                return False
            taken[number] = Slice(number, template)
            return True

        return self._change(effect, {number})

    def destroy(self, key, vnpu_id):
        def effect():
            if vnpu_id not in self.carries[key] or self.carries[key][vnpu_id].in_use:
                return False
            del self.carries[key][vnpu_id]
            self.late.discard(vnpu_id)
            return True

        return self._change(effect)

    def device(self, vnpu_id):
        return f"/dev/vdavinci{vnpu_id}"

    def wait_device(self, vnpu_id, there, timeout):
        return not (there and vnpu_id in self.late)

    def mode(self):
        return self.settings["mode"]

    def cfg_recover(self):
        return self.settings["cfg_recover"]

    def set_mode(self, mode):
        return self._change(lambda: self.settings.update(mode=mode))

    def set_cfg_recover(self, enable):
        return self._change(lambda: self.settings.update(cfg_recover=enable))

    def chips(self):
        return tuple(
            ChipState(*key, "910B4-1", "A2", KIND.templates, KIND.capacity, tuple(self.carries[key].values()))
            for key in CHIPS
        )


def run(machine, path, wanted):
    """What the module does, without Ansible; raises Failed, or PowerCut."""
    book = StateFile(path)
    with book.locked():
        chips = machine.chips()
        book.owned, _sentence = settle(book.owned, book.pending, chips)
        book.ended()
        plan = reconcile(wanted, chips, book.owned, "exact")
        assert not plan.refusals, plan.refusals
        Work(machine, book, chips, 1).run([], plan.steps)
        return book.owned


NAMES = st.sampled_from([(), (BIG,), (BIG, BIG), (SMALL,), (BIG, SMALL), (BIG, SMALL, SMALL), (SMALL,) * 4])
FAULT = st.sampled_from(["refuse", "lie", "deny", "raise before", "raise after", "late"])
CUT = st.sampled_from(["cut before", "cut after"])


@st.composite
def worlds(draw):
    """(what the chips carry, ownership, wish): slices in use and those of others are wished for too."""
    carries: dict = {}
    owned: dict = {}
    wanted: dict = {}
    for key in CHIPS:
        slices = {}
        for number, name in enumerate(draw(NAMES), key[0] * 16 + 100):
            fixed = draw(st.sampled_from(["", "", "in use", "not ours"]))
            slices[number] = Slice(number, name, fixed == "in use")
            if fixed != "not ours":
                owned[(*key, number)] = Owned(name, "old")
            if fixed:
                wanted.setdefault(key, []).append(Wish(name, vnpu_id=number))
        carries[key] = slices
        for name in draw(NAMES):
            pieces = [KIND.by_name[wish.template] for wish in wanted.get(key, [])]
            if fits([*pieces, KIND.by_name[name]], KIND.capacity):
                wanted.setdefault(key, []).append(Wish(name, service="new"))
    return carries, owned, {key: tuple(wishes) for key, wishes in wanted.items()}


def prepared(tmp_path_factory, world, faults):
    carries, owned, wanted = world
    path = str(tmp_path_factory.mktemp("state") / "vnpus.json")
    book = StateFile(path)
    book.owned = dict(owned)
    book.write()
    return FakeMachine({key: dict(slices) for key, slices in carries.items()}, faults), path, wanted


def saved(path):
    book = StateFile(path)
    book.read()
    return book


def templates(carries):
    return {key: sorted(piece.template for piece in slices.values()) for key, slices in carries.items()}


CALM = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@CALM
@given(worlds(), st.integers(1, 8), FAULT)
def test_one_fault_anywhere_leaves_the_state_before(tmp_path_factory, world, number, fault):
    machine, path, wanted = prepared(tmp_path_factory, world, {number: fault})
    before, owned = {key: dict(slices) for key, slices in machine.carries.items()}, saved(path).owned
    try:
        run(machine, path, wanted)
    except Failed as failed:
        assert failed.restored, failed.sentence
        assert machine.carries == before
        assert (saved(path).owned, saved(path).pending) == (owned, None)
        machine.faults, machine.late = {}, set()
        run(machine, path, wanted)
    asked = {key: sorted(wish.template for wish in wanted.get(key, ())) for key in CHIPS}
    foreign = [piece for key in CHIPS for piece in before[key] if (*key, piece) not in owned]
    assert templates(machine.carries) == asked
    assert all(
        (*key, piece) in saved(path).owned for key in CHIPS for piece in machine.carries[key] if piece not in foreign
    )


@CALM
@given(worlds(), st.dictionaries(st.integers(1, 14), st.one_of(FAULT, CUT), max_size=6))
def test_any_faults_lose_nothing_in_use_and_the_next_run_goes_on(tmp_path_factory, world, faults):
    machine, path, wanted = prepared(tmp_path_factory, world, faults)
    used = [(key, piece) for key in CHIPS for piece in machine.carries[key].values() if piece.in_use]
    foreign = {(*key, number) for key in CHIPS for number in machine.carries[key]} - set(saved(path).owned)
    for _attempt in range(8):
        try:
            run(machine, path, wanted)
            break
        except Failed as failed:
            assert failed.restored or len(failed.standing) > 0
        except PowerCut:
            pass
        assert all(machine.carries[key].get(piece.vnpu_id) == piece for key, piece in used)
        machine.late = set()
    else:
        machine.faults = {}
        run(machine, path, wanted)
    assert templates(machine.carries) == {key: sorted(wish.template for wish in wanted.get(key, ())) for key in CHIPS}
    there = {(*key, number) for key in CHIPS for number in machine.carries[key]}
    assert set(saved(path).owned) == there - foreign
    calls = machine.calls
    run(machine, path, wanted)
    assert machine.calls == calls


def test_what_failed_and_what_stands_is_said(tmp_path):
    machine = FakeMachine({key: {} for key in CHIPS}, {2: "refuse", 3: "refuse"})
    with pytest.raises(Failed) as caught:
        run(machine, str(tmp_path / "s"), {(6, 0): (Wish(BIG, service="one"),), (7, 0): (Wish(BIG),)})
    failed = "failed: npu-smi answered 'create vnpu failed.'. Look at dmesg on the node for the driver's reason;"
    failed += " a process that is still ending keeps a chip from being split."
    assert caught.value.sentence == (
        f"create {BIG} on NPU 7 chip 0 {failed} Taking back what had been done failed as well: "
        f"destroy vNPU 196 {BIG} on NPU 6 chip 0 {failed} Now stands: NPU 6 chip 0 carries vNPU 196 ({BIG}); "
        "NPU 7 chip 0 carries no vNPU. The next run goes on from there."
    )


@pytest.mark.parametrize("fault", ["refuse", "lie"])
def test_settings_come_back(tmp_path, fault):
    machine = FakeMachine({key: {} for key in CHIPS}, {2: fault}, settings={"mode": "vm", "cfg_recover": True})
    book = StateFile(str(tmp_path / "s"))
    with book.locked(), pytest.raises(Failed) as caught:
        changes = [Setting("mode", "vm", "docker"), Setting("cfg_recover", True, False)]
        Work(machine, book, machine.chips(), 1).run(changes, [])
    assert "set cfg_recover to false failed" in caught.value.sentence and caught.value.restored
    assert machine.settings == {"mode": "vm", "cfg_recover": True}


def test_the_group_of_a_310p_slice_is_restored(tmp_path):
    asked = []

    class Recorder(FakeMachine):
        def create(self, key, template, vnpu_id=None, vgroup_id=None):
            asked.append((vnpu_id, vgroup_id))
            return super().create(key, template, vnpu_id, vgroup_id)

    machine = Recorder({(6, 0): {196: Slice(196, BIG, vgroup_id=2)}, (7, 0): {}}, {2: "refuse"})
    chip = ChipState(6, 0, "310P3", "310P", KIND.templates, KIND.capacity, (Slice(196, BIG, vgroup_id=2),))
    book = StateFile(str(tmp_path / "s"))
    with book.locked(), pytest.raises(Failed):
        Work(machine, book, [chip], 1).run([], [Step("destroy", 6, 0, BIG, 196), Step("create", 6, 0, SMALL)])
    assert asked == [(None, None), (196, 2)]
    assert saved(str(tmp_path / "s")).owned == {}


def chip_with(*pieces):
    return ChipState(6, 0, "910B4-1", "A2", KIND.templates, KIND.capacity, pieces)


PENDING = {
    "action": "create",
    "npu_id": 6,
    "chip_id": 0,
    "template": BIG,
    "vnpu_id": None,
    "service": "x",
    "ids": [196],
}


@pytest.mark.parametrize(
    ("pending", "slices", "ours", "words"),
    [
        (PENDING, [Slice(196, BIG), Slice(197, BIG)], {197: "x"}, "vNPU 197 has come of it"),
        (PENDING, [Slice(196, BIG)], {}, "no slice has come of it"),
        (PENDING, [Slice(196, BIG), Slice(197, SMALL)], {}, "no slice has come of it"),
        (PENDING, [Slice(n, BIG) for n in (196, 197, 198)], {}, "cannot be told"),
        ({**PENDING, "ours": False}, [Slice(197, BIG)], {}, "vNPU 197 has come of it"),
        ({**PENDING, "action": "destroy", "vnpu_id": 196}, [], {}, "vNPU 196 on NPU 6 chip 0; the slice is gone"),
        ({**PENDING, "action": "destroy", "vnpu_id": 196}, [Slice(196, BIG)], {}, "the slice is still there"),
        (None, [Slice(196, BIG)], {}, None),
    ],
)
def test_settle(pending, slices, ours, words):
    pending = pending and {"ours": True, **pending}
    owned, sentence = settle({}, pending, [chip_with(*slices)])
    assert {key[2]: entry.service for key, entry in owned.items()} == ours
    assert (words in sentence) if words else sentence is None


def test_settle_forgets_what_is_gone_and_keeps_what_was_not_looked_at():
    owned = {(6, 0, 196): Owned(BIG), (6, 0, 197): Owned(BIG), (7, 0, 212): Owned(SMALL), (6, 0, 198): Owned(SMALL)}
    found, _sentence = settle(owned, None, [chip_with(Slice(196, BIG), Slice(198, BIG))])
    assert set(found) == {(6, 0, 196), (7, 0, 212)}


def test_the_file_is_for_root_and_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "vnpus.json"
    book = StateFile(str(path))
    with book.locked():
        book.created((6, 0), 196, BIG, "one")
    first = path.stat()
    assert first.st_mode & 0o777 == 0o600
    again = StateFile(str(path))
    with again.locked():
        assert again.owned == {(6, 0, 196): Owned(BIG, "one")}
        again.begin(Step("destroy", 6, 0, BIG, 196), [196])
    assert path.stat().st_ino != first.st_ino
    assert json.loads(path.read_text())["pending"]["vnpu_id"] == 196
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["vnpus.json", "vnpus.json.lock"]


def test_a_file_that_cannot_be_written_stops_before_the_change(tmp_path):
    machine = FakeMachine({key: {} for key in CHIPS})
    book = StateFile(str(tmp_path / "gone" / "s"))
    with pytest.raises(Failed, match="cannot be written") as caught:
        Work(machine, book, machine.chips(), 1).run([], [Step("create", 6, 0, BIG)])
    assert machine.calls == 0 and caught.value.sentence.endswith("Nothing was changed.")
    assert isinstance(caught.value.cause, StateFileError)

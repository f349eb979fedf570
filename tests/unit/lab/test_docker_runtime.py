# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated OCI runtime: what it understands of the environment, and what it makes of a container's config.json."""

from __future__ import annotations

import ast
import copy
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from npusim import profiles, state

PAYLOAD = Path(__file__).resolve().parents[2] / "lab" / "packages" / "docker_runtime" / "payload"
sys.path.insert(0, str(PAYLOAD / "lib"))

from ascend_runtime import common, dcmi, destroy, devices, hook, mounts, runtime, spec  # noqa: E402

TOOLS = "/opt/runtime"
HOOK = {"path": f"{TOOLS}/ascend-docker-hook", "args": [f"{TOOLS}/ascend-docker-hook"]}
NEW, OLD = (26, 1), (7, 1)
NO_LOG = common.Log("x", "/proc/nowhere")


# --- which devices


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", [0]),
        ("1,3", [1, 3]),
        ("0-2", [0, 1, 2]),
        ("0-2,4", [0, 1, 2, 4]),
        (" 2 , 0 - 1 ,2", [0, 1, 2]),
        ("100-128", list(range(100, 129))),
        ("180", [180]),  # a single number may be beyond the end of ranges
        ("Ascend910-0,Ascend910-5", [0, 5]),
        ("npu-1, npu-0", [0, 1]),
        ("", []),
        ("void", []),
    ],
)
def test_visible_devices(text, expected):
    assert devices.wanted([f"ASCEND_VISIBLE_DEVICES={text}"]) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("100-129", "invalid right boarder range parameter: 129"),
        ("3-1", "left boarder (3) should not be larger than the right one(1)"),
        ("1-2-3", "invalid device range: 1-2-3"),
        ("-1", "invalid left boarder range parameter: "),
        ("all", "invalid single device parameter: all"),
        ("0,", "invalid single device parameter: "),
        ("0,npu-1", "invalid device format: 0"),
        ("Ascend920-0", "invalid device format: Ascend920-0"),
    ],
)
def test_what_cannot_be_read_of_visible_devices_is_said(text, error):
    with pytest.raises(common.RuntimeFailure) as caught:
        devices.wanted([f"ASCEND_VISIBLE_DEVICES={text}"])
    assert str(caught.value).endswith(error)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Ascend310P-0", "chip type not match really: 310P"),
        ("Ascend910-0,Ascend310-1", "invalid device chip type: Ascend310-1"),
        ("npu-1", "invalid left boarder range parameter: npu"),
    ],
)
def test_old_releases_know_the_chips_own_name_only(text, error):
    with pytest.raises(common.RuntimeFailure, match=error):
        devices.wanted([f"ASCEND_VISIBLE_DEVICES={text}"], lambda: "Ascend910")
    assert devices.wanted(["ASCEND_VISIBLE_DEVICES=Ascend910-3"], lambda: "Ascend910") == [3]


def test_the_last_visible_devices_counts_and_an_entry_without_value_ends_the_search():
    assert devices.wanted(["ASCEND_VISIBLE_DEVICES=1", "ASCEND_VISIBLE_DEVICES=2"]) == [2]
    assert devices.wanted(["ASCEND_VISIBLE_DEVICES=1", "BROKEN"]) == []


# --- config.json


class Library:
    """Answers like the vendor's library; ``made`` are the calls of ``create``."""

    chip_type, product = "Ascend910", "Atlas 800I A2"

    def __init__(self, failure: str = "") -> None:
        self.made: list[tuple[int, str]] = []
        self._failure = failure

    def create(self, phy_id: int, template: str) -> tuple[int, int, int]:
        if self._failure:
            raise common.RuntimeFailure(self._failure)
        self.made.append((phy_id, template))
        return phy_id, 0, 100 + 16 * phy_id


def look(*names: str):
    """``os.stat`` of a /dev that has these character devices."""

    def stat_of(path: str) -> os.stat_result:
        if os.path.basename(path) not in names:
            raise FileNotFoundError(2, "No such file or directory", path)
        return os.stat("/dev/null")

    return stat_of


MANAGERS = ("davinci_manager", "devmm_svm", "hisi_hdc")
ALL = (*MANAGERS, *(f"davinci{number}" for number in range(8)), "vdavinci100", "vdavinci132")
PLAIN = {
    "ociVersion": "1.0.2",
    "process": {"args": ["sh"], "env": ["PATH=/bin"]},
    "root": {"path": "rootfs"},
    "linux": {"devices": [], "resources": {"devices": [{"allow": False, "access": "rwm"}]}},
}


def edited(*env: str, library: Library | None = None, version=NEW, there=ALL, base=None) -> dict:
    found = copy.deepcopy(base or PLAIN)
    found["process"]["env"] += env

    def open_library() -> Library:
        if library is None:
            raise dcmi.LibraryFailure("dcmi lib load failed", -1)
        return library

    spec.Editor(found, TOOLS, open_library, version, NO_LOG, look=look(*there)).edit()
    return found


def names(found: dict) -> list[str]:
    return [node["path"] for node in found["linux"]["devices"]]


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its libraries nor its logs."""
    monkeypatch.setattr(spec, "LD_FOLDERS", ())
    monkeypatch.setattr(common.Log, "write", lambda *_words: None)


def test_whole_chips_bring_their_nodes_the_managers_and_the_hook():
    found = edited("ASCEND_VISIBLE_DEVICES=1,3", library=Library())
    assert names(found) == ["/dev/davinci1", "/dev/davinci3", "/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"]
    node, rule = found["linux"]["devices"][0], found["linux"]["resources"]["devices"][1]
    assert node == {
        "path": "/dev/davinci1", "type": "c", "major": 1, "minor": 3, "uid": 0, "gid": 0,
        "fileMode": stat.S_IMODE(os.stat("/dev/null").st_mode),
    }  # fmt: skip
    assert rule == {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}
    assert found["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert found["hooks"] == {"prestart": [HOOK]}
    assert found["process"]["env"][-1] == "ASCEND_DOCKER_RUNTIME=True"


@pytest.mark.parametrize("env", [[], ["ASCEND_VISIBLE_DEVICES="], ["ASCEND_VISIBLE_DEVICES=void"]])
def test_without_devices_only_the_mark_is_added_and_no_driver_is_needed(env):
    wanted = copy.deepcopy(PLAIN)
    wanted["process"]["env"] += [*env, "ASCEND_DOCKER_RUNTIME=True"]
    assert edited(*env) == wanted


def test_a_hook_that_is_there_is_not_added_again():
    base = {**PLAIN, "hooks": {"prestart": [HOOK]}}
    assert edited("ASCEND_VISIBLE_DEVICES=0", library=Library(), base=base)["hooks"]["prestart"] == [HOOK]


def test_existing_vnpus_appear_as_chips_of_their_number():
    found = edited("ASCEND_VISIBLE_DEVICES=100", "ASCEND_RUNTIME_OPTIONS=VIRTUAL", library=Library())
    assert names(found)[0] == "/dev/davinci100"
    assert "poststop" not in found["hooks"]


def test_a_template_with_virtual_cuts_nothing():
    library = Library()
    edited(
        "ASCEND_VISIBLE_DEVICES=100",
        "ASCEND_RUNTIME_OPTIONS=VIRTUAL",
        "ASCEND_VNPU_SPECS=vir05_1c_16g",
        library=library,
    )
    assert library.made == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "ASCEND_RUNTIME_OPTIONS=VIRTUAL"),
        (["ASCEND_RUNTIME_OPTIONS=NODRV"], "ASCEND_RUNTIME_OPTIONS=NODRV,VIRTUAL"),
    ],
)
def test_a_dynamic_vnpu_is_cut_given_and_taken_back_at_the_end(options, expected):
    library = Library()
    found = edited("ASCEND_VISIBLE_DEVICES=2", "ASCEND_VNPU_SPECS=vir10_3c_32g", *options, library=library)
    assert library.made == [(2, "vir10_3c_32g")]
    assert names(found)[0] == "/dev/davinci132"
    path = f"{TOOLS}/ascend-docker-destroy"
    assert found["hooks"]["poststop"] == [{"path": path, "args": [path, "2", "0", "132"]}]
    assert expected in found["process"]["env"]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize(
    ("visible", "template", "error"),
    [
        ("2,3", "vir10_3c_32g", "failed to inject hook, err: invalid devices: [2 3]"),
        ("256", "vir10_3c_32g", "failed to inject hook, err: invalid devices: [256]"),
        ("2", "vir99", "failed to inject hook, err: cannot parse param : vir99"),
        ("2", "", "failed to inject hook, err: cannot parse param : "),
    ],
)
def test_a_dynamic_vnpu_needs_one_chip_and_a_known_template(version, visible, template, error):
    library = Library()
    with pytest.raises(common.RuntimeFailure) as caught:
        edited(f"ASCEND_VISIBLE_DEVICES={visible}", f"ASCEND_VNPU_SPECS={template}", library=library, version=version)
    assert str(caught.value) == error
    assert library.made == []


@pytest.mark.parametrize(
    ("version", "error"),
    [
        (NEW, "failed to find a valid manager"),
        (OLD, "failed to add device to env: failed to add davinci device to spec: failed to get /dev/davinci0 info : "
              "no such file or directory"),
    ],
)  # fmt: skip
def test_without_a_driver_each_release_has_its_own_sentence(version, error):
    with pytest.raises(common.RuntimeFailure) as caught:
        edited("ASCEND_VISIBLE_DEVICES=0", version=version, there=())
    assert str(caught.value) == error


def test_a_missing_manager_is_an_error_and_a_missing_dvpp_list_is_none():
    with pytest.raises(common.RuntimeFailure, match="failed to add Manager device to spec: .*/dev/hisi_hdc"):
        edited("ASCEND_VISIBLE_DEVICES=0", library=Library(), there=("davinci0", "davinci_manager", "devmm_svm"))


def test_a_file_in_place_of_a_device_is_refused(tmp_path: Path):
    (tmp_path / "davinci0").write_text("")
    found = copy.deepcopy(PLAIN)
    found["process"]["env"].append("ASCEND_VISIBLE_DEVICES=0")
    editor = spec.Editor(found, TOOLS, Library, NEW, NO_LOG, dev=str(tmp_path))
    with pytest.raises(common.RuntimeFailure, match="not a device node"):
        editor.edit()


def test_310b_has_other_devices():
    library = Library()
    library.chip_type = "Ascend310B"
    there = ("davinci0", "davinci_manager", "davinci_manager_docker", "svm0", "ts_aisle")
    found = edited("ASCEND_VISIBLE_DEVICES=0", library=library, there=there)
    assert names(found) == ["/dev/davinci0", "/dev/svm0", "/dev/ts_aisle", "/dev/davinci_manager"]


@pytest.mark.parametrize(
    ("version", "before", "after"),
    [
        (NEW, [], ["LD_LIBRARY_PATH={there}"]),
        (NEW, ["LD_LIBRARY_PATH=/a"], ["LD_LIBRARY_PATH={there}:/a"]),
        (NEW, ["LD_LIBRARY_PATH=/a:{there}"], ["LD_LIBRARY_PATH=/a:{there}"]),
        (OLD, [], []),
        ((26, 0), [], []),
    ],
)
def test_newer_releases_put_the_drivers_libraries_first(monkeypatch, tmp_path, version, before, after):
    monkeypatch.setattr(spec, "LD_FOLDERS", (str(tmp_path), "/nonexistent"))
    found = edited(*[entry.format(there=tmp_path) for entry in before], version=version)
    assert found["process"]["env"][1:-1] == [entry.format(there=tmp_path) for entry in after]


# --- the vendor's library


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine of a profile, whose library is returned."""
    monkeypatch.setenv("NPUSIM_STATE", str(tmp_path))

    def make(profile: str = "atlas-800i-a2-64g", **fields) -> dcmi.Library:
        made = profiles.build(profile)
        for name, value in fields.items():
            setattr(made, name, value)
        state.save(made)
        return dcmi.Library()

    return make


def vnpus(npu: int) -> list[tuple[int, str]]:
    found = next(npu_ for npu_ in state.load().npus if npu_.npu_id == npu)
    return [(vnpu.vnpu_id, vnpu.template) for vnpu in found.chips[0].vnpus]


def test_the_library_cuts_and_gives_back(machine, tmp_path):
    library = machine()
    assert library.chip_type == "Ascend910"
    assert library.create(2, "vir10_3c_32g") == (2, 0, 132)
    assert vnpus(2) == [(132, "vir10_3c_32g")]
    assert (tmp_path / "dev/vdavinci132").exists()
    library.destroy(2, 0, 132)
    assert vnpus(2) == []
    assert not (tmp_path / "dev/vdavinci132").exists()


@pytest.mark.parametrize(
    ("template", "fields", "code"),
    [
        ("vir04", {}, dcmi.BAD_PARAMETER),  # of another family
        ("vir10_3c_32g", {"vnpu_mode": "VM"}, dcmi.NOT_SUPPORTED),
    ],
)
def test_the_library_refuses(machine, template, fields, code):
    with pytest.raises(dcmi.LibraryFailure, match=f"create virtual device failed, error code: {code}"):
        machine(**fields).create(2, template)
    assert vnpus(2) == []


def test_a_full_chip_gives_no_more(machine):
    library = machine()
    for _time in range(2):
        library.create(2, "vir10_3c_32g")
    with pytest.raises(dcmi.LibraryFailure):
        library.create(2, "vir05_1c_16g")
    assert len(vnpus(2)) == 2


def test_a_vnpu_in_use_stays(machine):
    library = machine()
    library.create(2, "vir10_3c_32g")
    with state.changing() as stored:
        stored.chip_by_phy(2).vnpus[0].held = True
    with pytest.raises(dcmi.LibraryFailure):
        library.destroy(2, 0, 132)
    assert destroy.main(["x", "2", "0", "132"]) == 255
    assert vnpus(2) == [(132, "vir10_3c_32g")]


@pytest.mark.parametrize(
    "words", [[], ["2", "0"], ["2", "0", "-1"], ["2", "0", "x"], ["2", "0", "65536"], ["2", "0", "7"]]
)
def test_destroy_refuses_what_is_no_vnpu(machine, words):
    machine()
    assert destroy.main(["x", *words]) == 255


def test_a_machine_that_is_off_has_no_library(machine):
    with pytest.raises(dcmi.LibraryFailure, match="dcmi init failed, error code: -8005"):
        machine(powered=False)


def test_the_library_is_where_the_driver_says(tmp_path):
    info = tmp_path / "info"
    assert dcmi.library_path(str(info)) == "/usr/local/Ascend/driver/lib64"
    info.write_text("UserName=x\nDriver_Install_Path_Param=/opt/a\n")
    assert dcmi.library_path(str(info)) == "/opt/a/driver/lib64"


# --- the hook


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Returns the hook's call for a container with this environment and these mount lists."""
    monkeypatch.setattr(hook, "trusted", lambda path: path)  # a test's folder belongs to anybody

    def call(*env: str, version=OLD, **lists: str) -> list[str]:
        for name, text in lists.items():
            (tmp_path / f"{name}.list").write_text(text)
        config = {"process": {"env": list(env)}, "root": {"path": "rootfs"}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        return hook.command({"bundle": str(tmp_path), "pid": 7}, TOOLS, version, str(tmp_path))

    return call


def test_the_hook_asks_for_what_is_there_of_the_base_list(container, tmp_path):
    base = "/usr/bin\n/nonexistent\n/etc/passwd"
    assert container("ASCEND_VISIBLE_DEVICES=0", base=base) == [
        f"{TOOLS}/ascend-docker-cli", "--allow-link", "False", "--pid", "7", "--rootfs", f"{tmp_path}/rootfs",
        "--mount-file", "/etc/passwd", "--mount-dir", "/usr/bin",
    ]  # fmt: skip
    assert container("PATH=/bin", base=base) == []


def test_named_lists_stand_alone(container):
    call = container(
        "ASCEND_VISIBLE_DEVICES=0", "ASCEND_RUNTIME_MOUNTS= Mine ,other", mine="/usr/bin", other="/usr/lib", base="/etc"
    )
    assert [path for path in call if path in ("/usr/bin", "/usr/lib", "/etc")] == ["/usr/bin", "/usr/lib"]


def test_an_empty_line_is_the_working_folder(container):
    assert os.getcwd() in container("ASCEND_VISIBLE_DEVICES=0", base="/usr/bin\n\n/usr/lib\n")


def test_options_and_links_are_handed_on(container):
    call = container(
        "ASCEND_VISIBLE_DEVICES=0", "ASCEND_RUNTIME_OPTIONS=NODRV,VIRTUAL", "ASCEND_ALLOW_LINK=True", base="/usr/bin"
    )
    assert call[1:3] == ["--allow-link", "True"]
    assert call[-2:] == ["--options", "NODRV,VIRTUAL"]


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ("ASCEND_RUNTIME_OPTIONS=virtual", "invalid runtime option of invalid input value"),
        ("ASCEND_RUNTIME_OPTIONS=" + "x" * 129, "exceeds 128 characters"),
        ("ASCEND_ALLOW_LINK=yes", "invalid soft link option"),
    ],
)
def test_the_hook_refuses_other_values(container, entry, error):
    with pytest.raises(common.RuntimeFailure, match=error):
        container("ASCEND_VISIBLE_DEVICES=0", entry, base="/usr/bin")


def test_a_list_may_have_128_lines(container):
    assert container("ASCEND_VISIBLE_DEVICES=0", base="/usr/bin\n" * 128)
    with pytest.raises(common.RuntimeFailure, match="failed to process config base: mount list too long"):
        container("ASCEND_VISIBLE_DEVICES=0", base="/usr/bin\n" * 129)


def test_newer_releases_mount_what_hccl_wants(container, monkeypatch):
    monkeypatch.setattr(hook, "EXTRA", ("/etc/passwd", "/nonexistent"))
    assert "/etc/passwd" not in container("ASCEND_VISIBLE_DEVICES=0", base="/usr/bin", version=OLD)
    assert "/etc/passwd" in container("ASCEND_VISIBLE_DEVICES=0", base="/usr/bin", version=NEW)


def test_a_list_others_may_write_is_not_trusted(tmp_path):
    tmp_path.chmod(0o755)
    file = tmp_path / "base.list"
    file.write_text("/usr/bin\n")
    file.chmod(0o664)
    with pytest.raises(common.RuntimeFailure, match="permission not right"):
        common.trusted(str(file))
    link = tmp_path / "other.list"
    link.symlink_to("/etc/passwd")
    for path in (str(link), str(tmp_path / "absent"), "/etc/../etc/passwd"):
        with pytest.raises(common.RuntimeFailure):
            common.trusted(path)
    assert common.trusted("/etc/passwd") == "/etc/passwd"


# --- mounting


def test_nodrv_mounts_nothing():
    words = ["--allow-link", "False", "--pid", "1", "--rootfs", "/nonexistent", "--mount-file", "/nonexistent"]
    assert mounts.main(["ascend-docker-cli", *words, "--options", "NODRV"]) == 0


def test_only_what_root_alone_may_write_is_mounted(tmp_path):
    mounts.check("/etc/passwd", False)
    mounts.check("/etc/apt" if os.path.isdir("/etc/apt") else "/etc/security", False)
    (tmp_path / "open").mkdir(mode=0o777)
    os.chmod(tmp_path / "open", 0o777)
    with pytest.raises(common.RuntimeFailure, match="Please check the write permission!"):
        mounts.check(str(tmp_path / "open"), False)
    with pytest.raises(common.RuntimeFailure, match="illegal character"):
        mounts.check("/etc/pass wd", False)


def test_places_in_the_container_are_made(tmp_path):
    rootfs = tmp_path / "rootfs"
    assert mounts.inside(str(rootfs), "/etc/passwd") == f"{rootfs}/etc/passwd"
    assert (rootfs / "etc/passwd").read_text() == ""
    mounts.inside(str(rootfs), "/usr/bin")
    assert (rootfs / "usr/bin").is_dir()


# --- the runtime's own arguments


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--root /r --log l create --bundle /b id", "/b"),
        ("create -b /b id", "/b"),
        ("create id", os.getcwd()),
        ("start id", None),
        ("delete --force id", None),
        ("--version", None),
    ],
)
def test_only_create_has_a_bundle(line, expected):
    assert runtime.bundle(["ascend-docker-runtime", *line.split()]) == expected


def test_arguments_with_other_characters_are_refused(capsys):
    assert runtime.main(["ascend-docker-runtime", "create", "$(x)"]) == 1
    assert capsys.readouterr().err.endswith(" command error\n")


def test_config_json_is_rewritten_in_place(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PLAIN, indent=8))
    inode = path.stat().st_ino
    runtime.modify(str(path), NO_LOG)
    found = json.loads(path.read_text())
    assert found["process"]["env"][-1] == "ASCEND_DOCKER_RUNTIME=True"
    assert path.stat().st_ino == inode
    with pytest.raises(common.RuntimeFailure, match="spec file does not exist"):
        runtime.modify(str(tmp_path / "absent"), NO_LOG)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("version=v7.1.RC1\n", (7, 1)), ("arch=x\nversion=v26.1.0\n", (26, 1)), ("", (99, 0))],
)
def test_the_release_is_that_of_the_installation(tmp_path, text, expected):
    (tmp_path / common.INFO).write_text(text)
    assert common.version(str(tmp_path)) == expected


def test_the_programs_run_on_old_pythons():
    for path in sorted(PAYLOAD.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            ast.parse(path.read_text(), str(path), feature_version=(3, 8))
    for name in ("runtime", "hook", "cli", "destroy"):
        assert os.access(PAYLOAD / f"ascend-docker-{name}", os.X_OK)

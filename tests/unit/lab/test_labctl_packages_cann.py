# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated installers of Ascend Docker Runtime and CANN: questions, options, files."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("package_machine", Path(__file__).with_name("package_machine.py"))
package_machine = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(package_machine)

pytestmark = pytest.mark.skipif(not package_machine.may_install(), reason="the installers run as root")
RUNTIME = "usr/local/Ascend/Ascend-Docker-Runtime"
DAEMON = "etc/docker/daemon.json"
QUESTION = "Do you accept the EULA to install Ascend-docker-runtime?[Y/N]"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package_machine.build(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def machine(tmp_path: Path):
    return package_machine.PackageMachine(tmp_path)


def runtime(shop: Path, version: str, arch: str = "x86_64") -> Path:
    return shop / f"Ascend-docker-runtime_{version}_linux-{arch}.run"


def cann(shop: Path, name: str) -> Path:
    return shop / f"Ascend-cann-{name}_linux-x86_64.run"


@pytest.mark.parametrize(
    ("version", "stdin", "title"),
    [
        ("7.1.RC1", "", "Ascend Docker Runtime"),
        ("26.0.1", "", "ascend-docker-runtime"),
        ("26.1.0", "y\n", "ascend-docker-runtime"),
    ],
)
def test_runtime_installation(machine, shop: Path, version: str, stdin: str, title: str) -> None:
    (machine.root / "etc/docker").mkdir()
    (machine.root / DAEMON).write_text('{"live-restore": true, "runtimes": {"mine": {"path": "/x"}}}')
    status, text = machine.run(runtime(shop, version), "--install", stdin=stdin)
    assert status == 0, text
    assert f"[INFO] {title} install success" in text.splitlines()
    daemon = json.loads(machine.read(DAEMON))
    path = str(machine.root / RUNTIME / "ascend-docker-runtime")
    assert daemon == {
        "live-restore": True,
        "default-runtime": "ascend",
        "runtimes": {"mine": {"path": "/x"}, "ascend": {"path": path, "runtimeArgs": []}},
    }
    assert (machine.root / DAEMON).stat().st_mode & 0o777 == 0o600
    assert f"version=v{version}\narch=" in machine.read(f"{RUNTIME}/ascend_docker_runtime_install.info")
    base_list = machine.root / "etc/ascend-docker-runtime.d/base.list"
    assert base_list.stat().st_mode & 0o777 == 0o440
    assert base_list.read_text().splitlines()[0] == "/usr/local/Ascend/driver/lib64"
    for name in ("runtime", "hook", "cli", "destroy", "plugin-install-helper"):
        assert os.access(machine.root / RUNTIME / f"ascend-docker-{name}", os.X_OK)
    assert f"{title} install success" in machine.read("var/log/ascend-docker-runtime/installer.log")


def test_the_eula_without_an_answer_is_asked_for_ever(machine, shop: Path) -> None:
    status, text = machine.run(runtime(shop, "26.1.0"), "--install", timeout=1)
    assert (status, text.count(QUESTION) > 10) == (124, True)


def test_the_eula_declined_is_status_0(machine, shop: Path) -> None:
    status, text = machine.run(runtime(shop, "26.1.0"), "--install", stdin="maybe\nN\n")
    assert (status, text.count(QUESTION)) == (0, 2)
    assert text.splitlines()[-1] == "[INFO] install cancelled, user declined EULA"
    assert not (machine.root / "usr").exists() and not (machine.root / "etc/docker").exists()


@pytest.mark.parametrize("word", ["--quiet", "--check", "--nox11", "--bogus", "--noexec", "--ce=isula"])
def test_options_a_new_release_rejects(machine, shop: Path, word: str) -> None:
    status, text = machine.run(runtime(shop, "26.1.0"), "--install", word, stdin="y\n")
    assert (status, text.splitlines()[0]) == (1, "Error input")
    assert "All good" not in text and not (machine.root / "usr").exists()


def test_options_an_old_release_takes_with_a_warning(machine, shop: Path) -> None:
    status, text = machine.run(runtime(shop, "7.1.RC1"), "--install", "--quiet")
    assert status == 0
    assert "[WARNING]: --quiet is meaningless for Ascend-docker-runtime and will be discarded in the future" in text
    assert machine.run(runtime(shop, "7.1.RC1"), "--install", "--nox11")[0] == 1


def test_runtime_upgrade_replaces_base_list(machine, shop: Path) -> None:
    status, text = machine.run(runtime(shop, "7.1.RC1"), "--upgrade")
    assert (status, "the specified install path does not exist, stopping upgrading" in text) == (1, True)
    assert machine.run(runtime(shop, "7.1.RC1"), "--install")[0] == 0
    base_list = machine.root / "etc/ascend-docker-runtime.d/base.list"
    base_list.chmod(0o640)
    base_list.write_text("/etc/hccn.conf\n")
    status, text = machine.run(runtime(shop, "26.1.0"), "--upgrade", stdin="y\n")
    assert (status, "[INFO] ascend-docker-runtime upgrade success" in text.splitlines()) == (0, True), text
    assert "/etc/hccn.conf" not in base_list.read_text()
    assert "version=v26.1.0" in machine.read(f"{RUNTIME}/ascend_docker_runtime_install.info")


def test_runtime_uninstall(machine, shop: Path) -> None:
    status, text = machine.run(runtime(shop, "7.1.RC1"), "--uninstall")
    assert status == 0
    assert "[WARNING] uninstall skipping, the specified install path does not exist" in text
    assert machine.run(runtime(shop, "7.1.RC1"), "--install")[0] == 0
    status, text = machine.run(runtime(shop, "7.1.RC1"), "--uninstall")
    assert (status, text.splitlines()[-1]) == (0, "[INFO] Ascend Docker Runtime uninstall success")
    assert json.loads(machine.read(DAEMON)) == {"runtimes": {}}
    assert not (machine.root / RUNTIME).exists() and not (machine.root / "etc/ascend-docker-runtime.d").exists()


def test_isula_keeps_its_default_runtime(machine, shop: Path) -> None:
    assert machine.run(runtime(shop, "26.0.1"), "--install", "--install-scene=isula")[0] == 0
    assert "default-runtime" not in machine.read("etc/isulad/daemon.json")


@pytest.mark.parametrize(
    ("arch", "words", "expected"),
    [
        ("aarch64", ("--install",), "[ERROR] install failed, run package and os not matched in arch"),
        (
            "x86_64",
            ("--install", "--install-path=a"),
            "a/Ascend-Docker-Runtime is a relative path",
        ),
        ("x86_64", ("--install", "--install"), "install failed, '--install' Repeat parameter!"),
        ("x86_64", ("--install", "--install-scene=podman"), "please check the parameter of --install-scene=<scene>"),
        ("x86_64", ("--install", "--install-type=A9"), "please check the parameter of --install-type=<type>"),
        ("x86_64", ("--install", "--config-file-path=/no"), "failed, file '/no' does not exist."),
        ("x86_64", ("--install-path=/opt",), "failed, only input <install_path> command."),
    ],
)
def test_what_the_runtime_refuses(machine, shop: Path, arch: str, words: tuple, expected: str) -> None:
    status, text = machine.run(runtime(shop, "7.1.RC1", arch), *words)
    assert (status, expected in text) == (1, True), text
    assert not (machine.root / "etc/docker").exists()


def test_a_broken_daemon_json_stays_as_it_is(machine, shop: Path) -> None:
    (machine.root / "etc/docker").mkdir()
    (machine.root / DAEMON).write_text("{broken")
    status, text = machine.run(runtime(shop, "7.1.RC1"), "--install")
    assert (status, "ascend-docker-plugin-install-helper add" in text, "return non-zero" in text) == (1, True, True)
    assert machine.read(DAEMON) == "{broken"


def test_a_path_that_is_not_roots_alone(machine, shop: Path) -> None:
    home = machine.root / "usr/local/Ascend"
    home.mkdir(parents=True)
    home.chmod(0o777)
    status, text = machine.run(runtime(shop, "7.1.RC1"), "--install")
    assert (status, f"[ERROR] group or other of {home} has write permission" in text) == (1, True), text
    home.chmod(0o755)
    (machine.root / "etc/docker").mkdir()
    (machine.root / DAEMON).symlink_to("/nowhere")
    status, text = machine.run(runtime(shop, "7.1.RC1"), "--install")
    assert (status, "daemon.json is soft link" in text) == (1, True), text


def test_cann_old_layout(machine, shop: Path) -> None:
    base = "usr/local/Ascend/ascend-toolkit"
    status, text = machine.run(cann(shop, "kernels-910b_8.3.RC2"), "--install", "--quiet")
    assert (status, "toolkit 8.3.RC2 is not installed" in text) == (1, True), text
    status, text = machine.run(cann(shop, "toolkit_8.3.RC2"), "--install", "--quiet")
    assert status == 0
    assert "Toolkit:  Ascend-cann-toolkit_8.3.RC2_linux-x86_64 install success, installed in /usr/local/Ascend." in text
    assert 'source /usr/local/Ascend/ascend-toolkit/set_env.sh" to /etc/profile' in text
    info = machine.read(f"{base}/8.3.RC2/x86_64-linux/ascend_toolkit_install.info").splitlines()
    assert info[:2] == ["package_name=Ascend-cann-toolkit", "version=8.3.RC2"]
    assert info[-1] == "path=/usr/local/Ascend/ascend-toolkit/8.3.RC2/x86_64-linux"
    assert os.readlink(machine.root / base / "latest") == "8.3.RC2"
    status, text = machine.run(cann(shop, "kernels-910b_8.3.RC2"), "--install", "--quiet")
    assert status == 0
    assert text.splitlines()[-1] == (
        "[kernels_910b] [INFO] Ascend-cann-kernels-910b_8.3.RC2_linux-x86_64 install success. "
        "The installation path is /usr/local/Ascend/ascend-toolkit."
    )
    assert "version_dir=8.3.RC2" in machine.read(f"{base}/8.3.RC2/opp_kernel/version.info")


def test_several_versions_side_by_side(machine, shop: Path) -> None:
    for name in ("toolkit_8.1.RC1", "toolkit_8.3.RC2", "toolkit_8.5.0"):
        assert machine.run(cann(shop, name), "--install", "--quiet")[0] == 0
    infos = [name for name in machine.files() if name.endswith("ascend_toolkit_install.info") and "latest" not in name]
    assert [name.split("/")[-3] for name in infos if "/cann/" not in name] == ["8.1.RC1", "8.3.RC2", "cann-8.5.0"]
    assert "ASCEND_TOOLKIT_HOME=/usr/local/Ascend/cann-8.5.0" in machine.read("usr/local/Ascend/cann-8.5.0/set_env.sh")
    assert machine.run(cann(shop, "910b-ops_8.5.0"), "--install", "--quiet")[0] == 0
    assert (machine.root / "usr/local/Ascend/cann-8.5.0/x86_64-linux/ascend_ops_install.info").exists()
    status, text = machine.run(cann(shop, "toolkit_8.1.RC1"), "--uninstall")
    assert (status, "Ascend-cann-toolkit_8.1.RC1_linux-x86_64 uninstall success" in text) == (0, True)
    assert not (machine.root / "usr/local/Ascend/ascend-toolkit/8.1.RC1").exists()
    assert (machine.root / "usr/local/Ascend/ascend-toolkit/latest/toolkit").exists()


def test_cann_asks_once_and_takes_silence_for_a_no(machine, shop: Path) -> None:
    for stdin, expected in (("", 1), ("n\n", 1), ("Y\n", 0)):
        status, text = machine.run(cann(shop, "toolkit_8.5.0"), "--install", stdin=stdin)
        assert (status, text.count("Do you accept the EULA to install CANN?[Y/N]")) == (expected, 1), text
        assert ("install success" in text) == (expected == 0)


def test_nnal_needs_the_environment_of_a_toolkit(machine, shop: Path) -> None:
    assert machine.run(cann(shop, "toolkit_8.3.RC2"), "--install", "--quiet")[0] == 0
    status, text = machine.run(cann(shop, "nnal_8.3.RC2"), "--install", "--quiet")
    assert status == 1
    assert "Check owner failed, please check env ASCEND_TOOLKIT_HOME or ASCEND_NNAE_HOME is set." in text
    home = "/usr/local/Ascend/ascend-toolkit/latest"
    env = {"ASCEND_TOOLKIT_HOME": home, "ASCEND_HOME_PATH": home}
    status, text = machine.run(cann(shop, "nnal_8.3.RC2"), "--install", "--quiet", **env)
    assert (status, "Ascend-cann-nnal_8.3.RC2_linux-x86_64 install success" in text) == (0, True), text
    assert "    Ascend-cann-atb : 8.3.RC2\n" in machine.read("usr/local/Ascend/nnal/atb/8.3.RC2/version.info")


def test_another_place_for_cann(machine, shop: Path) -> None:
    status, text = machine.run(cann(shop, "toolkit_8.3.RC2"), "--install", "--quiet", "--install-path=/opt/ascend")
    assert status == 0
    assert (machine.root / "opt/ascend/ascend-toolkit/set_env.sh").exists()
    status, text = machine.run(cann(shop, "toolkit_8.3.RC2"), "--install", "--quiet", "--install-path=opt")
    assert (status, "The path is not an absolute path: opt" in text) == (1, True)
    status, text = machine.run(shop / "Ascend-cann-toolkit_8.3.RC2_linux-aarch64.run", "--install", "--quiet")
    assert (status, "arch:aarch64 is inconsistent with that of the current environment x86_64" in text) == (1, True)

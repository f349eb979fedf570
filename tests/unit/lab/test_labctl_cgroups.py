# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is cleaned of the cgroups of nodes, on folders laid out as cgroup hierarchies are."""

from __future__ import annotations

import contextlib

import pytest

from lab import cgroups

LIVE, DEAD = "a" * 64, "b" * 64
MOUNTS = """\
30 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw
"""


def test_hierarchies_only_a_node_has_mounted():
    groups = "13:perf_event:/\n10:net_cls,net_prio:/\n9:name=systemd:/\n1:cpu:/\n0::/\n"
    assert cgroups.unmounted(groups, MOUNTS) == ["perf_event", "net_cls,net_prio"]


@pytest.fixture
def hierarchy(tmp_path, monkeypatch):
    for path in (
        f"docker/{LIVE}/init.scope",
        f"docker/{DEAD}/{LIVE}",
        f"system.slice/docker-{DEAD}.scope",
        "user.slice",
    ):
        (tmp_path / path).mkdir(parents=True)
    monkeypatch.setattr(cgroups, "_hierarchies", lambda: contextlib.nullcontext([tmp_path]))
    return tmp_path


def folders(root) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir())


def test_only_cgroups_of_dead_containers_go(hierarchy):
    cgroups.sweep(lambda: {LIVE})
    assert folders(hierarchy) == ["docker", f"docker/{LIVE}", f"docker/{LIVE}/init.scope", "system.slice", "user.slice"]


def test_a_container_made_during_the_listing_is_not_touched(hierarchy):
    def listing() -> set[str]:
        (hierarchy / "docker" / ("c" * 64)).mkdir()
        return {LIVE}

    cgroups.sweep(listing)
    assert (hierarchy / "docker" / ("c" * 64)).is_dir()


def test_a_cgroup_with_processes_stays(hierarchy):
    # rmdir of a folder with a file fails, as that of a cgroup with processes does.
    (hierarchy / "docker" / DEAD / "tasks").write_text("1")
    cgroups.sweep(lambda: {LIVE})
    assert folders(hierarchy / "docker" / DEAD) == []
    assert (hierarchy / "docker" / DEAD).is_dir()


def test_left_mount_points_and_links_to_them_go(tmp_path):
    (tmp_path / "net_cls,net_prio").mkdir()
    (tmp_path / "net_cls").symlink_to("net_cls,net_prio")
    (tmp_path / "memory" / "group").mkdir(parents=True)
    cgroups.tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["memory"]


def test_on_v2_nothing_is_tidied(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "empty").mkdir()
    cgroups.tidy(tmp_path)
    assert (tmp_path / "empty").is_dir()

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._docker_config import (
    ConfigError,
    changed_keys,
    decide,
    flags,
    masked,
    merge,
    needs_restart,
    not_in_effect,
    parse,
    render,
)

ASCEND = {"path": "/usr/local/Ascend/Ascend-Docker-Runtime/ascend-docker-runtime", "runtimeArgs": []}


@pytest.mark.parametrize(
    ("found", "wanted", "merged"),
    [
        ({}, {"debug": True}, {"debug": True}),
        ({"bip": "10.1.0.1/24"}, {"debug": True}, {"bip": "10.1.0.1/24", "debug": True}),
        ({"dns": ["1.1.1.1"]}, {"dns": ["9.9.9.9", "1.1.1.1"]}, {"dns": ["1.1.1.1", "9.9.9.9"]}),
        (
            {"log-opts": {"max-size": "1g", "tag": "x"}},
            {"log-opts": {"max-size": "1m"}},
            {"log-opts": {"max-size": "1m", "tag": "x"}},
        ),
        ({"default-runtime": "ascend", "debug": True}, {"default-runtime": None}, {"debug": True}),
        (
            {"runtimes": {"ascend": ASCEND, "nv": {"path": "/nv"}}},
            {"runtimes": {"ascend": None}},
            {"runtimes": {"nv": {"path": "/nv"}}},
        ),
        ({"debug": True}, {"gone": None}, {"debug": True}),
        # What is empty after that goes, and does not come because of it.
        ({"runtimes": {"ascend": ASCEND}}, {"runtimes": {"ascend": None}}, {}),
        ({"debug": True}, {"runtimes": {"ascend": None}}, {"debug": True}),
        ({}, {"runtimes": {}}, {"runtimes": {}}),
        # What is of another kind is replaced, not joined.
        ({"dns": "1.1.1.1"}, {"dns": ["9.9.9.9"]}, {"dns": ["9.9.9.9"]}),
    ],
)
def test_merging(found, wanted, merged):
    before = json.dumps(found)
    assert merge(found, wanted) == merged
    assert json.dumps(found) == before
    assert merge(merge(found, wanted), wanted) == merged


@pytest.mark.parametrize(
    ("text", "config"),
    [("", {}), (" \n", {}), ("{}", {}), ('{"debug": true}', {"debug": True})],
)
def test_parsing(text, config):
    assert parse(text, "daemon.json") == config
    assert parse(render(config), "daemon.json") == config


@pytest.mark.parametrize("text", ["{", '{"debug": true,}', "[]", '"x"'])
def test_a_file_that_is_no_object_is_told_with_its_name(text):
    with pytest.raises(ConfigError, match="^/etc/docker/daemon.json "):
        parse(text, "/etc/docker/daemon.json")


DEBIAN = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock", "$DOCKER_OPTS")


@pytest.mark.parametrize(
    ("argv", "environment", "found"),
    [
        (DEBIAN, {}, {"hosts": ["fd://"], "containerd": "/run/containerd/containerd.sock"}),
        (
            DEBIAN,
            {
                "DOCKER_OPTS": "--live-restore --log-opt max-size=1m --registry-mirror https://a --registry-mirror=https://b"
            },
            {
                "hosts": ["fd://"],
                "containerd": "/run/containerd/containerd.sock",
                "live-restore": True,
                "log-opts": {"max-size": "1m"},
                "registry-mirrors": ["https://a", "https://b"],
            },
        ),
        # As docker-engine of openEuler starts it.
        (
            (
                "/usr/bin/dockerd",
                "$OPTIONS",
                "$DOCKER_STORAGE_OPTIONS",
                "$DOCKER_NETWORK_OPTIONS",
                "$INSECURE_REGISTRY",
            ),
            {"OPTIONS": "--live-restore", "INSECURE_REGISTRY": "--insecure-registry=a:5000"},
            {"live-restore": True, "insecure-registries": ["a:5000"]},
        ),
        (
            ("dockerd", "-D", "-g", "/data/docker", "--iptables=false"),
            {},
            {"debug": True, "data-root": "/data/docker", "iptables": False},
        ),
        (("dockerd", "--data-root=${ROOT}/docker"), {"ROOT": "/data"}, {"data-root": "/data/docker"}),
    ],
)
def test_flags(argv, environment, found):
    assert flags(argv, environment) == found


def test_a_key_that_a_flag_sets_to_the_same_value_is_left_to_the_flag():
    decision = decide({}, {"live-restore": True, "debug": True}, {}, {"live-restore": True})
    assert (decision.after, decision.skipped, decision.problems) == ({"debug": True}, ("live-restore",), ())


def test_a_key_that_a_flag_sets_otherwise_is_refused():
    ((key, sentence, remedy),) = decide({}, {"data-root": "/data"}, {}, {"data-root": "/var/lib/docker"}).problems
    assert key == "data-root"
    assert '"/var/lib/docker"' in sentence and '"/data"' in sentence
    assert "docker_daemon_options" in remedy


@pytest.mark.parametrize(
    ("found", "after"),
    [({"default-runtime": "ascend"}, {}), ({"default-runtime": "kata"}, {"default-runtime": "kata"}), ({}, {})],
)
def test_a_key_is_taken_away_only_with_that_value(found, after):
    assert decide(found, {}, {}, {}, {"default-runtime": "ascend"}).after == after


def test_a_key_is_taken_away_though_a_flag_sets_it():
    decision = decide({"live-restore": True}, {"live-restore": None}, {}, {"live-restore": True})
    assert (decision.after, decision.problems) == ({}, ())


@pytest.mark.parametrize(
    ("found", "flagged", "after"),
    [
        ({}, {}, {"log-driver": "json-file", "log-opts": {"max-size": "100m"}}),
        ({"log-driver": "journald"}, {}, {"log-driver": "journald"}),
        ({"log-opts": {"max-size": "1m"}}, {}, {"log-opts": {"max-size": "1m"}}),
        ({}, {"log-driver": "syslog"}, {}),
    ],
)
def test_defaults_are_for_a_node_that_says_nothing(found, flagged, after):
    defaults = {"log-driver": "json-file", "log-opts": {"max-size": "100m"}}
    assert decide(found, {}, defaults, flagged).after == after


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"live-restore": "yes"}, "true or false"),
        ({"registry-mirrors": "https://a"}, "a list"),
        ({"data-root": 3}, "text"),
        ({"log-opts": ["max-size=1m"]}, "a dictionary"),
        ({"runtimes": {"ascend": {}}}, "runtime ascend has no path"),
        ({"runtimes": {"ascend": "/x"}}, "runtime ascend has no path"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(options, words):
    ((_key, sentence, _remedy),) = decide({}, options, {}, {}).problems
    assert words in sentence


def test_what_others_wrote_wrongly_is_theirs():
    assert not decide({"live-restore": "yes"}, {"debug": True}, {}, {}).problems


@pytest.mark.parametrize(
    ("before", "after", "keys", "restart"),
    [
        ({}, {}, (), False),
        ({}, {"registry-mirrors": ["https://a"]}, ("registry-mirrors",), False),
        ({"default-runtime": "ascend", "runtimes": {"ascend": ASCEND}}, {}, ("default-runtime", "runtimes"), True),
        ({"debug": True}, {"debug": False, "data-root": "/data"}, ("data-root", "debug"), True),
        ({}, {"log-opts": {"max-size": "1m"}}, ("log-opts",), True),
    ],
)
def test_what_a_change_asks_of_the_engine(before, after, keys, restart):
    assert changed_keys(before, after) == keys
    assert needs_restart(before, after) is restart


INFO = {
    "LiveRestoreEnabled": True,
    "DefaultRuntime": "runc",
    "Runtimes": {"runc": {}, "ascend": {}},
    "DockerRootDir": "/var/lib/docker",
    "LoggingDriver": "json-file",
    "RegistryConfig": {
        "Mirrors": ["https://a/"],
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}, "r:5000": {"Secure": False}},
    },
}


@pytest.mark.parametrize(
    ("config", "behind"),
    [
        ({}, ()),
        (
            {
                "live-restore": True,
                "registry-mirrors": ["https://a"],
                "insecure-registries": ["http://r:5000", "127.0.0.0/8"],
            },
            (),
        ),
        ({"default-runtime": "ascend", "runtimes": {"ascend": ASCEND}}, ("default-runtime",)),
        ({"runtimes": {"other": ASCEND}, "insecure-registries": ["docker.io"]}, ("insecure-registries", "runtimes")),
        (
            {"data-root": "/data", "registry-mirrors": ["https://b"], "live-restore": False},
            ("data-root", "live-restore", "registry-mirrors"),
        ),
        ({"storage-driver": "anything that the answer is not compared with"}, ()),
    ],
)
def test_what_an_engine_does_not_follow(config, behind):
    assert not_in_effect(config, INFO) == behind


def test_passwords_in_urls_are_masked():
    text = render({"proxies": {"http-proxy": "http://ann:s3cret@proxy:3128"}, "registry-mirrors": ["https://a/@b"]})
    assert "s3cret" not in masked(text) and "ann" not in masked(text)
    assert "http://***@proxy:3128" in masked(text) and "https://a/@b" in masked(text)

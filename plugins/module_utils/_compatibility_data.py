# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to work together, as data. Each table says where it is from; what is in none of them is unknown.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from typing import NamedTuple

from ._vendor_version import version_key


class Stack(NamedTuple):
    """One row: versions that were tested, or are shipped, together. None: the row does not say.

    :ivar name: what C(ascend_stack) picks it by. :ivar docker: the oldest engine. :ivar evidence: C(tested) on
        machines, or C(vendor) for what the vendor puts together.
    """

    name: str
    hdk: str | None = None
    firmware: str | None = None
    cann: str | None = None
    docker_runtime: str | None = None
    mindie: str | None = None
    mis_tei: str | None = None
    vllm_ascend: str | None = None
    docker: str | None = None
    os: str | None = None
    evidence: str = "unknown"
    note: str = ""


STACKS = (
    # Machines on which these were run together (user reports that the collection was asked to keep working).
    Stack(
        "25.5.0",
        hdk="25.5.0",
        cann="8.3.RC2",
        docker_runtime="7.1.RC1",
        mindie="2.2.RC2",
        mis_tei="7.1.RC1",
        docker="18.09",
        os="openEuler 22.03 SP4",
        evidence="tested",
    ),
    Stack("24.1.0.3", hdk="24.1.0.3", vllm_ascend="v0.11.0rc0", os="EulerOS 2.0 SP10", evidence="tested"),
    Stack("flexai", cann="8.1.RC1", vllm_ascend="v0.8.5rc1", evidence="tested", note="time sharing with Flex:ai"),
    # required_soft in ascend-deployer's CANN_8.2.RC1.json and CANN_8.1.RC1.json; vLLM-Ascend: its Dockerfiles.
    Stack("25.2.0", hdk="25.2.0", cann="8.2.RC1", vllm_ascend="v0.10.2rc1", evidence="vendor"),
    Stack("25.0.RC1", hdk="25.0.RC1", cann="8.1.RC1", vllm_ascend="v0.7.3", evidence="vendor"),
    # ascend-deployer: CANN_9.0.0 and DL_26.0.0 name NPU 26.0.RC1; release notes: MindCluster, CANN 9.1.0, HDK 26.1.0.
    Stack(
        "26.0.RC1", hdk="26.0.RC1", cann="9.0.0", docker_runtime="26.0.0", vllm_ascend="v0.22.1rc1", evidence="vendor"
    ),
    Stack("26.1.0", hdk="26.1.0", cann="9.1.0", docker_runtime="26.1.0", vllm_ascend="v0.23.0", evidence="vendor"),
)


class Cann(NamedTuple):
    """HDK versions by a CANN version. ``compatible`` and ``incompatible`` are entries for C(covers)."""

    version: str
    compatible: tuple
    incompatible: tuple = ()


# Release notes of CANN community 9.1.0 and 9.1.1 and of CANN 8.5.0 on hiascend.com; 8.5.1 inferred from its neighbours;
# 8.2.RC1: MindIE 2.1.RC1 release note; 8.1.RC1: ascend-deployer and the docs of vLLM-Ascend v0.7.3 (HDK >= 24.1.RC1).
# 8.3.RC1: HDK 25.3.RC1 in the docs of vLLM-Ascend v0.13.0; of 8.3.RC2 only the tested row is known.
_SINCE_25_0 = ("25.0.X", "25.2.X", "25.3.X", "25.5.X")
_NEW = ("26.0.RC1/25.7.RC1",)
CANN_HDK = (
    Cann("9.1.1", ("25.2.X", "25.3.X", "25.5.X", *_NEW, "26.1.1"), ("25.0.X",)),
    Cann("9.1.0", ("25.2.X", "25.3.X", "25.5.X", *_NEW, "26.1.0"), ("25.0.X",)),
    Cann("9.0.X", (*_SINCE_25_0, *_NEW, "26.1.0")),
    Cann("8.5.2", (*_SINCE_25_0, *_NEW, "26.1.0")),
    Cann("8.5.1", _SINCE_25_0),
    Cann("8.5.0", _SINCE_25_0),
    Cann("8.3.RC1", ("25.3.RC1",)),
    Cann("8.2.RC1", ("25.2.0", "25.0.RC1", "24.1.0", "24.1.RC3", "24.1.RC2")),
    Cann("8.1.RC1", ("25.0.RC1", "24.1.0", "24.1.RC3", "24.1.RC2", "24.1.RC1")),
)


class Release(NamedTuple):
    """A release of vLLM-Ascend. ``chips`` are the families for which there is a Dockerfile at its tag."""

    version: str
    cann: str | None
    chips: tuple


_A2, _A2_310P, _A2_310P_A3 = ("A2",), ("A2", "310P"), ("A2", "310P", "A3")
_ALL = ("A2", "310P", "A3", "950")
# docs/source/community/versioning_policy.md of vLLM-Ascend 0.23.0.post1, and the Dockerfiles at each tag. v0.26.0rc1
# has PyPI metadata only.
_RELEASES = (
    ("9.1.0", _ALL, "v0.23.0.post1 v0.23.0"),
    ("9.0.1", _ALL, "v0.25.1rc1 v0.24.0rc1 v0.23.0rc1"),
    ("9.0.0", _ALL, "v0.22.1rc1 v0.21.0rc1"),
    ("9.0.0", _A2_310P_A3, "v0.20.2rc1"),
    ("8.5.1", _A2_310P_A3, "v0.19.1rc1 v0.18.0 v0.18.0rc1 v0.17.0rc1 v0.16.0rc1 v0.13.0rc3"),
    ("8.5.0", _A2_310P_A3, "v0.15.0rc1 v0.14.0rc1 v0.13.0 v0.13.0rc2"),
    ("8.3.RC2", _A2_310P_A3, "v0.13.0rc1 v0.12.0rc1 v0.11.0 v0.11.0rc3 v0.11.0rc2"),
    ("8.3.RC1", _A2_310P_A3, "v0.11.0rc1"),
    ("8.2.RC1", _A2_310P_A3, "v0.11.0rc0 v0.10.2rc1 v0.10.1rc1 v0.10.0rc1"),
    ("8.2.RC1", _A2, "v0.9.1 v0.9.1rc3 v0.9.1rc2"),
    ("8.1.RC1", _A2_310P, "v0.9.2rc1 v0.9.1rc1"),
    ("8.1.RC1", _A2, "v0.9.0rc2 v0.9.0rc1 v0.8.5rc1 v0.7.3.post1 v0.7.3"),
    ("8.0.0", _A2, "v0.8.4rc2"),
    (None, _ALL, "v0.26.0rc1"),
)
RELEASES = tuple(
    sorted(
        (Release(version, cann, chips) for cann, chips, versions in _RELEASES for version in versions.split()),
        key=lambda release: version_key(release.version),
        reverse=True,
    )
)


class Feature(NamedTuple):
    """What a feature of vLLM-Ascend needs of the HDK. ``level`` is what a smaller one means for a wish."""

    name: str
    hdk: str
    level: str
    remedy: str


# The default since this release, and what the driver must be (release_notes.md v0.21.0rc1: highlights, known issues).
FULL_GRAPH_SINCE = "v0.21.0rc1"
FULL_GRAPH_HDK = "25.5.1"
FULL_GRAPH = "FULL_AND_PIECEWISE"
# One graph for each size, not for each layer: older drivers have streams for these.
SMALL_GRAPH = "FULL_DECODE_ONLY"
# user_guide/feature_guide/kv_pool.md and Ai_QoS_introduction_en.md of vLLM-Ascend main, 2026-08.
FEATURES = {
    "kv_pool_fabric": Feature(
        "the KV pool in fabric memory (ASCEND_ENABLE_USE_FABRIC_MEM)",
        "25.5",
        "error",
        "unset ASCEND_ENABLE_USE_FABRIC_MEM",
    ),
    "kv_pool_roce": Feature("the KV pool over RoCE (HCCL_INTRA_ROCE_ENABLE)", "25.5", "warning", "unset the variable"),
    "ai_qos": Feature("AI QoS", "25.5.2", "error", "do without it"),
}
# Variables of a service's environment that ask for them.
FEATURE_OF_ENV = {"ASCEND_ENABLE_USE_FABRIC_MEM": "kv_pool_fabric", "HCCL_INTRA_ROCE_ENABLE": "kv_pool_roce"}

# Prerequisites of Ascend Docker Runtime (MindCluster documentation).
DOCKER_OLDEST, DOCKER_NEWEST = "18.09", "28.5.1"
ARCHITECTURES = ("aarch64", "x86_64")

# "Supported products and operating systems" of MindCluster (docs/zh/scheduling/01_introduction/03_…, 2026-08): all
# products of a family; and the tested rows. (ID of os-release, beginnings of its VERSION_ID).
_EULER = ("euleros", ("2.0", "2.12", "2.13", "2.15"))
_COMMON = (
    _EULER,
    ("openeuler", ("22.03", "24.03")),
    ("kylin", ("V10", "V11", "v10", "v11", "10", "11")),
    ("ctyunos", ("22.06", "23.01", "4.0", "2", "3", "4")),
    ("bclinux", ("21.10",)),
    ("hce", ("2.0",)),
    ("uos", ("20", "25")),
    ("centos", ("7",)),
)
SYSTEMS = {
    "A2": (
        *_COMMON,
        ("ubuntu", ("20.04", "22.04", "24.04")),
        ("debian", ("10", "11", "12")),
        ("tlinux", ("3.1", "3.2", "4.0")),
        ("velinux", ("1.2",)),
    ),
    "A3": (
        *_COMMON,
        ("debian", ("10",)),
        ("culinux", ("3.0", "4.0")),
        ("tlinux", ("3.1", "4.0")),
        ("velinux", ("1.4", "2.0")),
    ),
    "310P": (*_COMMON, ("openeuler", ("20.03",)), ("ubuntu", ("20.04",)), ("debian", ("10",))),
    "910": (*_COMMON, ("openeuler", ("20.03",)), ("ubuntu", ("18.04", "20.04"))),
    "950": (("openeuler", ("24.03",)),),
}

__all__ = [
    "ARCHITECTURES",
    "CANN_HDK",
    "DOCKER_NEWEST",
    "DOCKER_OLDEST",
    "FEATURES",
    "FEATURE_OF_ENV",
    "FULL_GRAPH",
    "FULL_GRAPH_HDK",
    "FULL_GRAPH_SINCE",
    "RELEASES",
    "SMALL_GRAPH",
    "STACKS",
    "SYSTEMS",
    "Cann",
    "Feature",
    "Release",
    "Stack",
]

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: from what a node has and is to get, to findings. One small function each.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from typing import NamedTuple

from . import _compatibility_data as data
from ._compatibility import (
    LEVELS,
    Finding,
    accepted,
    cann_accepts,
    chip_of_suffix,
    graph_mode,
    image,
    release,
    release_runs_on,
    rows_that_work,
    told_graph_mode,
)
from ._compatibility_versions import at_least, is_version
from ._vendor_version import same_version, version_key


class Case(NamedTuple):
    """A wish and what is there. A value that is not known is None.

    :ivar wish: what C(stack_versions) gives. :ivar found: the same keys as far as they are installed, and C(running)
        (the driver that the kernel has loaded), C(driver_accepts) and C(firmware_accepts) (spans of version.info).
    :ivar chip: family, as A2. :ivar images: images of services there. :ivar services: these services.
    """

    wish: dict
    found: dict
    chip: str | None = None
    images: tuple = ()
    services: tuple = ()

    def version(self, key):
        """What is wished, or else what is there."""
        return self.wish.get(key) or self.found.get(key)

    def releases(self):
        """Releases of vLLM-Ascend that shall run: those of images, or else the one of the wish."""
        found = [image(name).release for name in self.images]
        known = [version for version in dict.fromkeys(found) if version]
        return known or ([self.wish["vllm_ascend"]] if self.wish.get("vllm_ascend") else [])


def firmware_of_driver(case):
    """compatible_version_fw of the driver, compatible_version_drv of the firmware: for what is installed."""
    driver, firmware = case.found.get("hdk"), case.found.get("firmware")
    pairs = (
        (f"driver {driver}", "firmware", firmware, case.found.get("driver_accepts")),
        (f"firmware {firmware}", "driver", driver, case.found.get("firmware_accepts")),
    )
    for owner, other, version, spans in pairs:
        if driver and firmware and accepted(spans, version) is False:
            told = ", ".join(f"{low} to {high}" for low, high in spans)
            yield Finding(
                "error",
                "driver and firmware",
                f"{owner} takes {other} {told}, and {version} is installed",
                "install driver and firmware of one HDK release, firmware first",
            )


def driver_that_runs(case):
    driver, running = case.found.get("hdk"), case.found.get("running")
    if driver and running and not same_version(driver, running):
        yield Finding(
            "warning",
            "driver",
            f"{driver} is installed and {running} runs",
            "restart the node: a driver takes effect then",
        )


def as_wished(case):
    """What is installed is what the stack says; a role brings it there."""
    words = {"hdk": "HDK", "firmware": "firmware", "docker_runtime": "Ascend Docker Runtime"}
    for key, word in words.items():
        wished, found = case.wish.get(key), case.found.get(key)
        if wished and found and not same_version(wished, found):
            yield Finding(
                "warning",
                word,
                f"{found} is installed, {wished} is wished",
                "install it with the role for it, or correct ascend_stack",
            )


def hdk_of_cann(case):
    hdk, cann = case.version("hdk"), case.version("cann")
    if not hdk or not cann:
        return
    verdict = cann_accepts(cann, hdk)
    if verdict is False:
        yield Finding(
            "error",
            "HDK and CANN",
            f"CANN {cann} does not run on HDK {hdk}",
            "take versions that fit",
            rows_that_work(hdk=hdk, cann=cann, chip=case.chip),
        )
    elif verdict is None:
        yield Finding(
            "warning",
            "HDK and CANN",
            f"no release note names CANN {cann} with HDK {hdk}",
            "try a model before you rely on it",
            rows_that_work(hdk=hdk, chip=case.chip),
        )


def hdk_of_release(case):
    """An image brings its CANN, and runs on the driver of the node."""
    hdk = case.version("hdk")
    for version in case.releases():
        row = release(version)
        if row is None or row.cann is None:
            yield Finding(
                "warning",
                "vLLM-Ascend",
                f"the CANN of {version} is not known here",
                "compare it with the driver yourself",
            )
            continue
        verdict = release_runs_on(version, hdk) if hdk else True
        if verdict is False:
            yield Finding(
                "error",
                "HDK and vLLM-Ascend",
                f"vLLM-Ascend {version} has CANN {row.cann}, which does not run on HDK {hdk}",
                "take a release and an HDK that fit",
                rows_that_work(hdk=hdk, version=version, chip=case.chip),
            )
        elif verdict is None:
            yield Finding(
                "warning",
                "HDK and vLLM-Ascend",
                f"no release note names HDK {hdk} with CANN {row.cann} of vLLM-Ascend {version}",
                "try a model before you rely on it",
                rows_that_work(hdk=hdk, version=version, chip=case.chip),
            )


def cann_of_release(case):
    """A stack that names both says what they run in together. CANN of a host beside an image is another matter."""
    version, cann = case.wish.get("vllm_ascend"), case.wish.get("cann")
    if case.images or not {"cann", "vllm_ascend"} <= set(case.wish.get("told", ())):
        return
    row = release(version) if version else None
    if row and row.cann and not same_version(row.cann, cann):
        fit = [r for r in data.RELEASES if r.cann and same_version(r.cann, cann)]
        rows = [{"cann": row.cann, "vllm_ascend": version}] + [
            {"cann": cann, "vllm_ascend": r.version} for r in fit[:2]
        ]
        yield Finding(
            "error",
            "CANN and vLLM-Ascend",
            f"vLLM-Ascend {version} is built on CANN {row.cann}, and the stack says CANN {cann}",
            "take the pair of one release",
            tuple(rows),
        )


def chip_of_image(case):
    """A2 images have no suffix, A3 -a3, 310P -310p; a release tag without one gets it when services are placed."""
    if not case.chip:
        return
    for name in case.images:
        tag = image(name)
        row = release(tag.release) if tag.release else None
        meant = chip_of_suffix(tag.suffix)
        if tag.release and tag.suffix and meant and meant != case.chip:
            yield Finding(
                "error",
                "image and chip",
                f"{name} is for {meant}, and the NPUs are {case.chip}",
                "leave the suffix out: it is added for the NPUs of the node",
            )
        elif row and case.chip not in row.chips:
            fit = next((r for r in data.RELEASES if case.chip in r.chips and "rc" not in r.version), None)
            yield Finding(
                "error",
                "image and chip",
                f"vLLM-Ascend {row.version} has no image for {case.chip}",
                f"take one that has, such as {fit.version}" if fit else "serve on other NPUs",
                tuple([{"cann": fit.cann, "vllm_ascend": fit.version}] if fit else ()),
            )


def graphs_of_driver(case):
    hdk = case.version("hdk")
    needs = rows_that_work(version=case.releases()[0]) if case.releases() else ()
    for version in case.releases():
        if graph_mode(version, hdk) is None:
            continue
        modes = {told_graph_mode(service.get("args")) for service in case.services} or {None}
        if None in modes:
            yield Finding(
                "warning",
                "graph mode",
                f"vLLM-Ascend {version} uses {data.FULL_GRAPH}, which needs HDK {data.FULL_GRAPH_HDK}; "
                f"with HDK {hdk} services get {data.SMALL_GRAPH}",
                f"upgrade the HDK to {data.FULL_GRAPH_HDK} for the faster one",
            )
        if data.FULL_GRAPH in modes:
            yield Finding(
                "error",
                "graph mode",
                f"a service asks for {data.FULL_GRAPH}, which needs HDK {data.FULL_GRAPH_HDK}, and HDK {hdk} is there",
                f"ask for {data.SMALL_GRAPH}, or upgrade the HDK",
                tuple({**row, "hdk": [data.FULL_GRAPH_HDK]} for row in needs),
            )


def features_of_driver(case):
    hdk = case.version("hdk")
    if not is_version(hdk):
        return
    asked = {
        data.FEATURE_OF_ENV[name]
        for service in case.services
        for name, value in (service.get("env") or {}).items()
        if name in data.FEATURE_OF_ENV and str(value) == "1"
    }
    for key in sorted(asked):
        feature = data.FEATURES[key]
        if not at_least(hdk, feature.hdk):
            yield Finding(
                feature.level,
                "feature",
                f"{feature.name} needs HDK {feature.hdk}, and HDK {hdk} is there",
                f"upgrade the HDK, or {feature.remedy}",
            )


def docker_of_runtime(case):
    """Ascend Docker Runtime says which engines it works with."""
    engine = case.found.get("docker")
    if not is_version(engine) or not case.version("docker_runtime"):
        return
    oldest = case.wish.get("docker") or data.DOCKER_OLDEST
    if not at_least(engine, oldest):
        yield Finding(
            "error",
            "Docker",
            f"engine {engine} is older than {oldest}",
            "upgrade it: Ascend Docker Runtime needs that",
        )
    elif version_key(engine) > version_key(data.DOCKER_NEWEST):
        yield Finding(
            "warning",
            "Docker",
            f"engine {engine} is newer than {data.DOCKER_NEWEST}, the newest that Ascend Docker Runtime names",
            "start a container on an NPU before you rely on it",
        )


RULES = (
    firmware_of_driver,
    driver_that_runs,
    as_wished,
    hdk_of_cann,
    hdk_of_release,
    cann_of_release,
    chip_of_image,
    graphs_of_driver,
    features_of_driver,
    docker_of_runtime,
)


def check(case):
    """All findings of a case, errors first."""
    found = []
    for rule in RULES:
        found += [finding for finding in rule(case) if finding not in found]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))

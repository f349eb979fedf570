# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Captured outputs as test parameters: a test with an argument ``info_capture`` runs once per such capture."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

CORPUS = Path(__file__).parents[2] / "fixtures" / "corpus"

# Argument name -> regex of the names of such captures.
KINDS = {
    "info_capture": "npu-smi__info__",
    "list_capture": "npu-smi__info_l__",
    "mapping_capture": "npu-smi__info_m__",
    "error_capture": "npu-smi__error__dcmi",
    "topology_capture": "npu-smi__topo__(?!error)",
    # What `info -t TYPE` prints in sections; (_chip) stands for a call with -c.
    "query_capture": "npu-smi__(board|common|ecc|flash|health|memory|phyid-remap|power|proc-mem|product|temp|usages)_",
    "templates_capture": "npu-smi__template-info__",
    "vnpus_capture": "npu-smi__info-vnpu__",
    "vnpu_mode_capture": "npu-smi__vnpu-mode__",
    "cfg_recover_capture": "npu-smi__vnpu-cfg-recover__get",
    "set_capture": "npu-smi__(create-vnpu|destroy-vnpu|vnpu-cfg-recover__set)",
}


@dataclass(frozen=True)
class Capture:
    name: str
    # Not in reports of failures: too long.
    text: str = field(repr=False)
    expect: dict = field(repr=False)


@functools.lru_cache(maxsize=None)
def _index() -> tuple:
    entries = yaml.load((CORPUS / "index.yaml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return tuple(entries)


def captures(pattern: str) -> list:
    return [
        Capture(Path(entry["file"]).stem, (CORPUS / entry["file"]).read_text(), entry["expect"])
        for entry in _index()
        if re.match(pattern, Path(entry["file"]).name)
    ]


def pytest_generate_tests(metafunc) -> None:
    for argument, pattern in KINDS.items():
        if argument in metafunc.fixturenames:
            found = captures(pattern)
            assert found, f"no capture is named like {pattern}"
            metafunc.parametrize(argument, found, ids=lambda capture: capture.name)


@pytest.fixture(scope="session")
def info_capture_by_number():
    """A function from any number to a capture of npu-smi info: for property tests, which report their arguments."""
    found = captures(KINDS["info_capture"])
    return lambda number: found[number % len(found)]

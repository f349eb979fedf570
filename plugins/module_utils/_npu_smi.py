# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Runner of ``npu-smi``: argv, run, and the text to a parser. This module util is PRIVATE to the collection.

The parsers take text only: ``_npu_smi_info`` (the table), ``_npu_smi_list`` (-l, -m), ``_npu_smi_query`` (-t),
``_npu_smi_vnpu`` (vNPUs) and ``_npu_smi_set`` (what set answers).
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils._inside import prefix_of
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_info import Chip, Info, Process, parse_info
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_list import (
    ListedNpu,
    Mapping,
    MappingRow,
    NpuList,
    parse_list,
    parse_mapping,
)
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_query import (
    Answer,
    Topology,
    parse_query,
    parse_topology,
    query,
    topology,
)
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_set import SetResult, parse_set
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import (
    NotSupported,
    NpuSmiError,
    ParseError,
    ToolReportedError,
)
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_vnpu import (
    Template,
    Vnpu,
    VnpuInfo,
    parse_cfg_recover,
    parse_templates,
    parse_vnpu_mode,
    parse_vnpus,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed, VendorError, run

_MISSING = "Install the Ascend driver (it brings npu-smi), or give the path in the option npu_smi."


class NpuSmi:
    """One npu-smi executable. Each method runs one command and returns values.

    Raises L(ToolNotFound), L(ToolTimeout), L(ToolReportedError), L(ParseError), all L(VendorError), each with the run
    in ``command``. ``complaints`` collects what is odd but no failure: an exit status other than 0 with a good answer.
    With ``container`` it runs in that container and sees what its processes see.
    """

    def __init__(self, path: str = "npu-smi", timeout: float = 60, container: str | None = None) -> None:
        self.path = path
        self.program = (*prefix_of(container), path)
        self.timeout = timeout
        self.complaints: list = []

    def info(self) -> Info:
        """``npu-smi info``"""
        return self.ask(parse_info, "info")

    def list(self) -> NpuList:
        """``npu-smi info -l``"""
        return self.ask(parse_list, "info", "-l")

    def mapping(self) -> Mapping:
        """``npu-smi info -m``"""
        return self.ask(parse_mapping, "info", "-m")

    def query(self, kind: str, npu_id: int, chip_id: int | None = None) -> Answer:
        """``npu-smi info -t KIND -i NPU [-c CHIP]``; the kinds are those of L(parse_query)."""
        return query(self, kind, npu_id, chip_id)

    def topology(self) -> Topology:
        """``npu-smi info -t topo``"""
        return topology(self)

    def templates(self, npu_id: int | None = None) -> tuple:
        """``npu-smi info -t template-info [-i NPU]``: a L(Template) for each."""
        return self.ask(parse_templates, "info", "-t", "template-info", *([] if npu_id is None else ["-i", npu_id]))

    def vnpus(self, npu_id: int, chip_id: int | None) -> VnpuInfo:
        """``npu-smi info -t info-vnpu -i NPU -c CHIP``; no ``-c`` for a chip without id (Ascend 950)."""
        chip = [] if chip_id is None else ["-c", chip_id]
        return self.ask(parse_vnpus, "info", "-t", "info-vnpu", "-i", npu_id, *chip)

    def vnpu_mode(self) -> str:
        """``npu-smi info -t vnpu-mode``: "docker" or "vm"."""
        return self.ask(parse_vnpu_mode, "info", "-t", "vnpu-mode")

    def cfg_recover(self) -> bool:
        """``npu-smi info -t vnpu-cfg-recover``: whether vNPUs come back after a restart of the machine."""
        return self.ask(parse_cfg_recover, "info", "-t", "vnpu-cfg-recover")

    def create_vnpu(
        self, npu_id: int, chip_id: int, template: str, vnpu_id: int | None = None, vgroup_id: int | None = None
    ) -> SetResult:
        """``npu-smi set -t create-vnpu``. The tool does not print the new id: compare L(vnpus) before and after."""
        chosen = [] if vnpu_id is None else ["-v", vnpu_id]
        if vgroup_id is not None:
            chosen += ["-g", vgroup_id]
        return self.set("create-vnpu", "-i", npu_id, "-c", chip_id, "-f", template, *chosen)

    def destroy_vnpu(self, npu_id: int, chip_id: int, vnpu_id: int) -> SetResult:
        """``npu-smi set -t destroy-vnpu``"""
        return self.set("destroy-vnpu", "-i", npu_id, "-c", chip_id, "-v", vnpu_id)

    def set_vnpu_mode(self, docker: bool) -> SetResult:
        """``npu-smi set -t vnpu-mode``: vNPUs for containers, or for virtual machines."""
        return self.set("vnpu-mode", "-d", 0 if docker else 1)

    def set_cfg_recover(self, enable: bool) -> SetResult:
        """``npu-smi set -t vnpu-cfg-recover``"""
        return self.set("vnpu-cfg-recover", "-d", 1 if enable else 0)

    def set(self, kind: str, *arguments) -> SetResult:
        """Run ``npu-smi set -t KIND ARGUMENTS``. Refusals are in the answer, judged by the text, not the exit status.

        Raises L(VendorError) only if the tool could not be run or did not end in time.
        """
        done = run((*self.program, "set", "-t", kind, *arguments), self.timeout, missing=_MISSING)
        if not done.stdout.strip():
            return SetResult(False, _silent(done).reason, command=done)
        return replace(parse_set(done.stdout), command=done)

    def ask(self, parse, *arguments):
        """Run ``npu-smi ARGUMENTS`` and return what ``parse`` makes of its stdout."""
        done = run((*self.program, *arguments), self.timeout, missing=_MISSING)
        try:
            if not done.stdout.strip():
                raise _silent(done)
            answer = parse(done.stdout)
        except VendorError as error:
            error.command = done
            raise
        if done.rc != 0:
            self.complaints.append(f"{done.shown} printed its answer but ended with exit status {done.rc}")
        return answer


def read_info(path: str = "npu-smi", timeout: float = 60) -> dict:
    """Chips and processes under the keys of the module npu_info, from one command. Raises what L(NpuSmi) raises."""
    return NpuSmi(path, timeout).info().to_dict()


def _silent(done: Completed) -> NpuSmiError:
    said = done.stderr.strip().splitlines()
    what = f", and on stderr: {said[-1]!r}" if said else ""
    return NpuSmiError(
        f"npu-smi printed nothing, exit status {done.rc}{what}",
        "Run it by hand on the machine; a missing library means that the driver's installation is damaged.",
    )


__all__ = [
    "Answer",
    "Chip",
    "Completed",
    "Info",
    "ListedNpu",
    "Mapping",
    "MappingRow",
    "NotSupported",
    "NpuList",
    "NpuSmi",
    "NpuSmiError",
    "ParseError",
    "Process",
    "SetResult",
    "Template",
    "ToolReportedError",
    "Topology",
    "VendorError",
    "Vnpu",
    "VnpuInfo",
    "parse_cfg_recover",
    "parse_info",
    "parse_list",
    "parse_mapping",
    "parse_query",
    "parse_set",
    "parse_templates",
    "parse_topology",
    "parse_vnpu_mode",
    "parse_vnpus",
    "read_info",
]

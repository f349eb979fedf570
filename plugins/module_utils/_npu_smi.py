# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Runner of ``npu-smi``: argv, run, and the text to a parser. This module util is PRIVATE to the collection.

The parsers are in ``_npu_smi_info`` (the table), ``_npu_smi_list`` (-l, -m) and what follows; they take text only.
"""

from __future__ import annotations

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_info import Chip, Info, Process, parse_info
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_list import (
    ListedNpu,
    Mapping,
    MappingRow,
    NpuList,
    parse_list,
    parse_mapping,
)
from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import (
    NpuSmiError,
    ParseError,
    ToolReportedError,
)
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed, VendorError, run

_MISSING = "Install the Ascend driver (it brings npu-smi), or give the path in the option npu_smi."


class NpuSmi:
    """One npu-smi executable. Each method runs one command and returns values.

    Raises L(ToolNotFound), L(ToolTimeout), L(ToolReportedError), L(ParseError), all L(VendorError), each with the run
    in ``command``. ``complaints`` collects what is odd but no failure: an exit status other than 0 with a good answer.
    """

    def __init__(self, path: str = "npu-smi", timeout: float = 60) -> None:
        self.path = path
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

    def ask(self, parse, *arguments):
        """Run ``npu-smi ARGUMENTS`` and return what ``parse`` makes of its stdout."""
        done = run((self.path, *arguments), self.timeout, missing=_MISSING)
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
    "Chip",
    "Completed",
    "Info",
    "ListedNpu",
    "Mapping",
    "MappingRow",
    "NpuList",
    "NpuSmi",
    "NpuSmiError",
    "ParseError",
    "Process",
    "ToolReportedError",
    "VendorError",
    "parse_info",
    "parse_list",
    "parse_mapping",
    "read_info",
]

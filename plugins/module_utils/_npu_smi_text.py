# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What all npu-smi parsers share: errors and lines. This module util is PRIVATE to the collection."""

from __future__ import annotations

import re

from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

_DRIVER_REMEDY = (
    "The driver does not answer: check that it is installed and loaded (lsmod | grep drv_davinci), reboot if an "
    "installation is waiting for it, and in a container that the davinci devices are passed in."
)

# Sentences the tool prints instead of an answer, mostly with exit status 0, all on stdout.
# The regexes are searched in a stripped line; the text is the remedy.
_TOOL_ERRORS = (
    (
        r"^dcmi mod(?:ule|el) initiali[sz]ed? failed.*because the device is used",
        "Another container holds the device: stop it, or take another NPU.",
    ),
    (r"^dcmi mod(?:ule|el) initiali[sz]ed? failed", _DRIVER_REMEDY),
    (r"^npu get board type failed", _DRIVER_REMEDY),
    (r"^There is no NPU card on this server", "Check that the machine has NPUs and sees them: lspci -d 19e5:."),
    (r"^Invalid (?:card|chip) id", "Use the ids which `npu-smi info -m` lists."),
    (r"^Error parameter of -", "This npu-smi or this product does not know that parameter; see `npu-smi info -h`."),
    (r"^(?:Must input parameter of |This command must input )", "A parameter is missing; see `npu-smi -h`."),
    (r"^This device does not support ", "Do not ask this product for it."),
    (
        r"^The vnpu is not in docker mode, does not support ",
        "Destroy the vNPUs of virtual machines, then: npu-smi set -t vnpu-mode -d 0.",
    ),
    (
        r"^NPU is working in SMP mode, does not support ",
        "Only NPUs in AMP mode have vNPUs; the mode is set in iBMC (npuworkmode) while the machine is off.",
    ),
    (r"^Failed to get (?:vnpu|npu work) mode", "Query vNPUs on the machine itself, as root, not in a container."),
    (r"^Failed to query ", "Look at the health of the NPU (npu-smi info -t health) and at dmesg."),
    (r"^This command cannot be executed on a VM or container", "Run it on the machine itself."),
    (r"^Command or option is not found", "This npu-smi is too old for it, or the path names another program."),
    (r"^This command can be executed only by the root user", "Run it with become: true."),
)
# What libraries loaded into the tool, and the driver's own, print between its lines at any time. No row of a table and
# no line with a key begins like this; a line that ends in '|' is a damaged row.
_LOG = re.compile(
    r"(?:\[[A-Za-z][^\]]*\]|DrvMng\w+ failed\b|(?:WARNING|INFO|ERROR): |\d{4}-\d\d-\d\d[ T]\d\d:\d\d)(?:.*[^|])?"
)
_RET = re.compile(r"\bret(?: is |\s*=\s*)(-?\d+)")


class NpuSmiError(VendorError):
    """Base of what can go wrong between running npu-smi and having values."""


class ToolReportedError(NpuSmiError):
    """npu-smi printed an error sentence. ``error`` is that line, ``ret`` the driver's code in it (or None)."""

    def __init__(self, error: str, remedy: str, ret: int | None) -> None:
        super().__init__(f"npu-smi answered: {error!r}", remedy)
        self.error = error
        self.ret = ret


class NotSupported(ToolReportedError):
    """The product, or the mode it is in, does not have what was asked for: an answer rather than a fault."""


class ParseError(NpuSmiError):
    """The text is not what a parser knows. ``line`` is the offending line, ``number`` counts from 1 (0: the end)."""

    def __init__(self, why: str, line: str = "", number: int = 0) -> None:
        where = f"line {number}: {line!r}" if number else "the end of the output"
        super().__init__(
            f"output of npu-smi is not understood at {where}: {why}",
            "Compare with `npu-smi info` on the machine; if that looks complete, report it with the driver version.",
        )
        self.line = line
        self.number = number


def lines_of(text: str) -> list:
    """``(number, line)`` pairs, numbered from 1, without colours, carriage returns and blanks around the line.

    Blanks at both ends carry no meaning: the tool starts some lines with a TAB and publishers lose or widen it.
    """
    return [(number, _ANSI.sub("", line).strip()) for number, line in enumerate(text.split("\n"), 1)]


def raise_tool_error(lines) -> None:
    """Raise L(ToolReportedError) if one of the ``(number, line)`` pairs is an error sentence of npu-smi.

    It is the subclass L(NotSupported) if the sentence says that something is not supported.
    """
    for _number, line in lines:
        for pattern, remedy in _TOOL_ERRORS:
            if re.search(pattern, line, re.IGNORECASE):
                ret = _RET.search(line)
                error = NotSupported if "does not support " in line else ToolReportedError
                raise error(line, remedy, int(ret.group(1)) if ret else None)


def is_log(line: str) -> bool:
    """True for a line of a log, which may stand anywhere and means nothing to a parser."""
    return bool(_LOG.fullmatch(line))


def absent(value: str) -> bool:
    """True for what the tool prints in place of a value it does not have."""
    return value in ("NA", "N/A", "-", "- -", "")


__all__ = [
    "NotSupported",
    "NpuSmiError",
    "ParseError",
    "ToolReportedError",
    "absent",
    "is_log",
    "lines_of",
    "raise_tool_error",
]

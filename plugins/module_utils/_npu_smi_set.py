# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Parser of what ``npu-smi set`` answers. This module util is PRIVATE to the collection.

The exit status is 0 for several refusals, among them "not in docker mode", so only the text counts. A success is
two lines, ``Status : OK`` and ``Message : ...``; most failures are a sentence without any Status.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import ParseError, is_log, lines_of
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed

# Publishers squeeze both lines into one. A blank stands before the colon that separates.
_STATUS = re.compile(r"\bStatus\s+:\s*(?P<status>\S+)(?P<rest>.*)")
_MESSAGE = re.compile(r"\s*\bMessage\s+:\s*(?P<message>.*)")
_LOG = re.compile(r"\[(?:INFO|DEBUG).*")
_USAGE = re.compile(r"Usage\b.*", re.IGNORECASE)


@dataclass(frozen=True)
class SetResult:
    """``ok`` only if the tool said ``Status : OK``, and nothing else about status. Read back what was changed.

    ``message`` is what it said, without the help text it adds after some errors. ``status`` is None where none was
    printed. ``command`` is the run, or None while only text was parsed.
    """

    ok: bool
    message: str
    status: str | None = None
    command: Completed | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict:
        return {key: value for key, value in asdict(self).items() if key != "command"}


def parse_set(text: str) -> SetResult:
    """Parse the answer to any ``npu-smi set``. Raises L(ParseError) if there is no text at all."""
    statuses, messages, sentences, logs = [], [], [], []
    usage = False
    lines = lines_of(text)
    for _number, line in lines:
        status, message = _STATUS.match(line), _MESSAGE.fullmatch(line)
        if status:
            statuses.append(status.group("status"))
            line = status.group("rest").strip()
            message = _MESSAGE.fullmatch(line)
        if message:
            messages.append(message.group("message").strip())
        elif line and not _LOG.fullmatch(line):
            usage = usage or bool(_USAGE.fullmatch(line))
            if not usage:
                (logs if is_log(line) else sentences).append(line)
    first = next((line for _number, line in lines if line), None)
    if first is None:
        raise ParseError("npu-smi said nothing")
    ok = bool(statuses) and all(status == "OK" for status in statuses)
    said = messages if ok and messages else messages + sentences + logs
    return SetResult(ok, " ".join(said) or first, statuses[0] if statuses else None)


__all__ = ["SetResult", "parse_set"]

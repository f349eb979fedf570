# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What all hccn_tool parsers share: errors, lines, splitting. This module util is PRIVATE to the collection.

A parser takes the text of one answer (stdout, or stdout and stderr) and looks for lines by their key, wherever they
stand: log lines before, blanks, CRLF and odd case do not matter. Only where a value is missing, the tool's error
sentences are looked for: they say why. The sentences come on stdout or stderr, with an exit status which is the low
byte of a 16-bit code and may be 0.
"""

from __future__ import annotations

import re

from ansible_collections.npuops.ascend.plugins.module_utils._npu_smi_text import lines_of
from ansible_collections.npuops.ascend.plugins.module_utils._run import VendorError


class HccnError(VendorError):
    """Base of what can go wrong between running hccn_tool and having values."""


class HccnReported(HccnError):
    """hccn_tool printed an error sentence: ``error`` is that line."""

    def __init__(self, error: str, remedy: str) -> None:
        super().__init__(f"hccn_tool answered: {error!r}", remedy)
        self.error = error


class HccnUnsupported(HccnReported):
    """This product, module or version of the tool does not have what was asked for: no fault, only no value."""


class HccnBusy(HccnReported):
    """Something else uses the tool on this NPU. ``waited`` is how many seconds of retries went before."""

    waited: float = 0.0


class HccnParseError(HccnError):
    """The text is not what a parser knows. ``line`` is the offending line, ``number`` counts from 1 (0: the end)."""

    def __init__(self, why: str, line: str = "", number: int = 0) -> None:
        where = (
            f"line {number}: {line!r}" if number else f"the end of the output, after {line!r}" if line else "its end"
        )
        super().__init__(
            f"output of hccn_tool is not understood at {where}: {why}",
            "Compare with the same command on the machine; if that looks complete, report it with the driver version.",
        )
        self.line = line
        self.number = number


_UPDATE = "The driver of this machine does not have this command: update it, or do without the value."
_ROOT = "Run it as root on the machine itself (become: true)."
_CONF = "Look at /etc/hccn.conf: it must exist, belong to root and have mode 0640."
_ARGUMENTS = "The driver expects other arguments: see hccn_tool -h on the machine; report it with its version."

# Sentences in place of a value: (regex, class, remedy). The first that is found in a stripped line counts.
_SENTENCES = (
    (r"hccn_tool is busy|^I2c is busy|^The device is occupied|^Get lock failed|^Roce perftest is doing", HccnBusy,
     "Another hccn_tool works on this NPU (an exporter, a check): wait for it, or look with: pgrep -a hccn_tool."),
    (r"optical module initializing", HccnBusy, "Ask again in a minute."),
    (r"not supported on this|(?:does|do) not support|^Command unsupported", HccnUnsupported,
     "Do not ask this product for it."),
    (r"^Get invalid major cmd\b(?! (?:type|number))|^Get unknown option", HccnUnsupported, _UPDATE),
    (r"^permission denied", HccnReported, _ROOT),
    (r"^Get device health status failed", HccnReported,
     "The NPU is not ready: look at npu-smi info -t health and dmesg; a power cycle may be needed."),
    (r"^The device is not exist|^Get invalid device id", HccnReported,
     "No NPU has this phy id here: see npu-smi info -m."),
    (r"^Get ipconf failed", HccnReported, "Give this NPU an address: hccn_tool -i N -ip -s address A netmask M."),
    (r"^Get gateway failed", HccnReported, "Give this NPU a gateway: hccn_tool -i N -gateway -s gateway A."),
    (r"ip address configured is conflicted", HccnReported,
     "The address or its network is taken (192.168.1.0/24 and the vNIC network are the NPU's own): choose another."),
    (r"segment of configured (?:gateway|via)", HccnReported,
     "The gateway must lie in the network of the NPU's address and netmask."),
    (r"^Unable to configure gateway", HccnReported, "Set the address first, then the gateway."),
    (r"ip address you configured is invalid|^Inconsistent address and mask|^Can not config broadcast", HccnReported,
     "Check address and netmask."),
    (r"config(?:urations)? (?:to|from) config file failed|^Read file failed|^Open file failed"
     r"|conf(?: file)? can't access|^Parsing configurations|no enough space to save", HccnReported, _CONF),
    (r"^The cmd line execute timeout", HccnReported, "The NPU did not answer: look at its health and at dmesg."),
    (r"^Control link unreachable", HccnReported, "The NPU's management port does not answer: look at dmesg."),
    (r"Link status is down", HccnReported, "Bring the link up first: cable, optical module, switch port."),
    (r"^Optical module is not present", HccnReported, "Plug in an optical module, or seat it again."),
    (r"^The value of .* is out of the valid range|^Get invalid|^The total count of input parameters|^The mac address",
     HccnReported, _ARGUMENTS),
    (r"^Couldn't connect|^Unable to (?:init|connect|open)|^Connection (?:refused|timed out)", HccnReported,
     "Start the receiver first, on an NPU that answers a ping; then reset both (-roce_test reset)."),
    (r"\b(?:Cmd|Command) execut\w* failed|^Recovery failed", HccnReported,
     "The driver gives no reason: look at /var/log/hccn_tool/, npu-smi info -t health and dmesg."),
    (r"\bfailed\b|\bfail\b!?$|^Traceroute is running|\btry (?:again )?later", HccnReported,
     "Look at /var/log/hccn_tool/ and npu-smi info -t health."),
)  # fmt: skip

_DEVICE = re.compile(r"^\[\s*dev(?:ice|id|_id)?\s*[:=]?\s*(\d+)\s*\]\s*", re.IGNORECASE)


def answer_lines(text: str) -> list:
    """``(number, line)`` of the lines that are not empty, without colours, CR, blanks around and byte order mark."""
    return [(number, line) for number, line in lines_of(text.lstrip("\ufeff")) if line]


def reported(text: str) -> HccnReported | None:
    """The error sentence in ``text`` as an exception, or None. A reason outranks the general "execute failed"."""
    lines = answer_lines(text)
    for pattern, kind, remedy in _SENTENCES:
        for _number, line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return kind(line, remedy)
    return None


def refuse(text: str, why: str):
    """Raise what explains that a value is missing: the tool's own sentence, or L(HccnParseError) at the last line."""
    error = reported(text)
    if error is not None:
        raise error
    lines = answer_lines(text)
    raise HccnParseError(why, lines[-1][1] if lines else "", 0)


def split_device(line: str) -> tuple:
    """``(device or None, rest)`` of a line that may begin with ``[devid N]`` or ``[device N]``."""
    match = _DEVICE.match(line)
    return (int(match.group(1)), line[match.end() :]) if match else (None, line)


def key_line(key: str) -> re.Pattern:
    """Regex of ``key : value`` in any case; ``key`` is a regex in which a blank is blanks, underscores or nothing.

    Group ``value`` is the rest of the line. In front may stand ``[devid N]``.
    """
    loose = r"[\s_]*".join(key.split())
    return re.compile(rf"(?:\[\s*dev\w*\s*[:=]?\s*\d+\s*\]\s*)?(?:{loose})\s*[:=\uff1a]\s*(?P<value>.*)", re.IGNORECASE)


def values_of(text: str, pattern: re.Pattern) -> list:
    """``(number, line, match)`` of all lines which ``pattern`` matches."""
    found = []
    for number, line in answer_lines(text):
        match = pattern.fullmatch(line)
        if match:
            found.append((number, line, match))
    return found


def one_value(text: str, key: str) -> str | None:
    """The value of the only line with ``key``; None if there is no such line.

    Raises L(HccnParseError) if there are several different ones: the text has the answers of several NPUs.
    """
    found = values_of(text, key_line(key))
    if len({match.group("value") for _number, _line, match in found}) > 1:
        number, line, _match = found[1]
        raise HccnParseError("here begins a second answer; split_answers takes several NPUs", line, number)
    return found[0][2].group("value").strip() if found else None


def split_answers(text: str, *keys: str) -> tuple:
    """Cut the text of a loop over NPUs into one text for each NPU: a new answer begins where a key comes again.

    ``keys`` are those of an answer, as for L(key_line). The "not preset" sentences are answers of their own.
    """
    patterns = [key_line(key) for key in keys]
    blocks: list = [[]]
    seen: set = set()
    for _number, line in answer_lines(text):
        label = next((index for index, pattern in enumerate(patterns) if pattern.fullmatch(line)), None)
        if label is None and re.match(r"Get (?:ipconf|gateway) failed", line, re.IGNORECASE):
            label = -1
        if label is not None:
            if label in seen or -1 in seen or (label == -1 and seen):
                blocks.append([])
                seen = set()
            seen.add(label)
        blocks[-1].append(line)
    return tuple("\n".join(block) + "\n" for block in blocks if block)


__all__ = [
    "HccnBusy",
    "HccnError",
    "HccnParseError",
    "HccnReported",
    "HccnUnsupported",
    "answer_lines",
    "key_line",
    "one_value",
    "refuse",
    "reported",
    "split_answers",
    "split_device",
    "values_of",
]

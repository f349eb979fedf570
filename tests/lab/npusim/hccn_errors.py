# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``hccn_tool`` says when it refuses, and the exit status that goes with it."""

from __future__ import annotations


class Refusal:
    """Why the tool does not answer: the vendor's 16-bit code, its words, and where they go."""

    def __init__(self, code: int, text: str, stdout: bool = False) -> None:
        self.code = code
        self.text = text
        self.stdout = stdout


class HccnError(Exception):
    """The tool prints the refusal's text and exits with the low byte of its code."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


PING_BUSY = Refusal(0x301F, "The device is occupied. Please try again later.")
MAJOR_TYPE = Refusal(
    0x1001,
    'Get invalid major cmd type. The valid major cmd type should be "-a" or "-i".\n'
    "Enter [ hccn_tool -h ] for more details.",
)
MAJOR_NUMBER = Refusal(
    0x1002, "Get invalid major cmd number. Please check your input.\nEnter [ hccn_tool -h ] for more details."
)
MAJOR_INVALID = Refusal(0x1003, "Get invalid major cmd.\nEnter [ hccn_tool -h ] for more details.")
DEVICE_ID = Refusal(0x1004, "Get invalid device id.")
PARAM_INVALID = Refusal(0x2001, "Get invalid parameters!")
PARAM_OPTION = Refusal(0x2003, "Get unknown option!")
PARAM_COUNT = Refusal(0x2004, "The total count of input parameters is wrong!")
PARAM_IP = Refusal(0x2006, "The ip address you configured is invalid!")
PARAM_CONFLICT = Refusal(0x2007, "The ip address configured is conflicted!")
PARAM_SEGMENT = Refusal(0x2008, "The segment of configured gateway doesn't match that of the configured ip adress!")
PARAM_MTU = Refusal(0x200D, "The value of mtu you input is out of the valid range!")
WRITE_FAILED = Refusal(
    0x3004,
    "Write configurations to config file failed. User configurations cannot be persisted!"
    " pls check cmd run permission.",
)
BUSY = Refusal(0x300B, "hccn_tool is busy, please try again.", stdout=True)
NOT_ALLOWED = Refusal(0x300C, "permission denied: pls check this cmd run permission.")
UNSUPPORTED = Refusal(0x300D, "The command is not supported on this product.", stdout=True)
NO_TCP = Refusal(0x2000, 'Please add "-tcp"', stdout=True)  # a bare family code: the status is 0
TEST_DOING = Refusal(2, "Roce perftest is doing, please try later.")
TEST_FAILED = Refusal(-1, "Cmd execute failed!")
NO_IP_FOR_GATEWAY = Refusal(0x301A, "Unable to configure gateway, because ip is not configured!")
FAILED = Refusal(0x4001, "Command execute failed!")
NO_GATEWAY = Refusal(0x4002, "Get gateway failed, because no gateway was preset there!")
HEALTH_TIMEOUT = Refusal(0x4003, "Get device health status failed!")
NO_IP = Refusal(0x400D, "Get ipconf failed, because no ip was preset there!")

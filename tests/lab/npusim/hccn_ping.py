# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hccn_tool`` commands that reach other machines: ``-net_health``, ``-ping`` and ``-hccs_ping``."""

from __future__ import annotations

import sys

from . import icmp, render_hccn, state, vnic
from .hccn_call import Call, address_of
from .hccn_errors import FAILED, PARAM_COUNT, PARAM_INVALID, PARAM_IP, UNSUPPORTED, HccnError
from .versions import version_key

TYPE_CHECKING = False  # not from typing: importing that costs a call of hccn_tool more than answering
if TYPE_CHECKING:
    from .model import Roce

DEFAULT_PING_BYTES = 4096
MAX_PING_BYTES = 65507
HCCS_BYTES, HCCS_MAX_BYTES = 1792, 3000
HCCS_PACKETS, HCCS_MAX_PACKETS = 3, 1000
HCCS_MAX_INTERVAL_MS, HCCS_MAX_TIMEOUT_MS = 10, 20000


def health(roce: Roce) -> str:
    if roce.net_health is not None:
        return roce.net_health
    if roce.link != "UP":
        return "Fault"
    if roce.netdetect is None or roce.address is None:
        return "Init"
    answer = _echo(roce, roce.netdetect, 56, 1)
    return "Success" if answer.times_ms[0] is not None else "Receive timeout"


def ping(call: Call) -> str:
    values = call.pairs("address", "pkt")
    if "address" not in values:
        raise HccnError(PARAM_COUNT)
    target, size = address_of(values["address"]), values.get("pkt", str(DEFAULT_PING_BYTES))
    if not size.isdigit() or int(size) > MAX_PING_BYTES:
        raise HccnError(PARAM_INVALID)
    if call.roce.address is None:
        raise HccnError(FAILED)
    answer = _echo(call.roce, target, int(size))
    if answer.too_long:
        text = render_hccn.too_long(call.phy_id, target)
    else:
        text = render_hccn.ping(call.phy_id, target, answer.times_ms, answer.unreachable)
    if None in answer.times_ms and version_key(call.machine.tool_version) >= version_key("26.0.rc1"):
        sys.stdout.write(text)  # newer tools report a loss as a failure, after the answer
        raise HccnError(FAILED)
    return text


def hccs_ping(call: Call) -> str:
    """Over HCCS to a vNIC of the super pod. A loss never shows in the exit status."""
    if call.machine.family != "910_93":
        raise HccnError(UNSUPPORTED)
    values = call.pairs("address", "pkt", "cnt", "interval", "timeout")
    if "address" not in values:
        raise HccnError(PARAM_INVALID)
    target = address_of(values["address"])
    owner = vnic.owner(target)
    if owner is None:
        raise HccnError(PARAM_IP)
    size = _within(values.get("pkt"), HCCS_BYTES, HCCS_BYTES, HCCS_MAX_BYTES)
    count = _within(values.get("cnt"), HCCS_PACKETS, 1, HCCS_MAX_PACKETS)
    interval = _within(values.get("interval"), 0, 0, HCCS_MAX_INTERVAL_MS)
    _within(values.get("timeout"), 10, 1, HCCS_MAX_TIMEOUT_MS)
    if count * interval > 20000:
        raise HccnError(PARAM_INVALID)
    return render_hccn.hccs_ping(call.phy_id, target, _hccs_echo(call, owner, size, count).times_ms)


def _within(text: str | None, default: int, low: int, high: int) -> int:
    if text is None:
        return default
    if not text.isdigit() or not low <= int(text) <= high:
        raise HccnError(PARAM_INVALID)
    return int(text)


def _hccs_echo(call: Call, owner: tuple[int, int], size: int, packets: int) -> icmp.Echo:
    if call.roce.vnic_link != "UP" or not vnic.in_pod(call.machine):
        return icmp.Echo([None] * packets)
    if state.standalone():
        return _alone(call.roce, packets)
    source = vnic.carrier(call.machine, call.machine.node, call.phy_id)
    target = vnic.carrier(call.machine, *owner)
    if source is None or target is None:
        return icmp.Echo([None] * packets)
    return _send(source, target, size, packets)


def _echo(roce: Roce, target: str, size: int, packets: int = icmp.PACKETS) -> icmp.Echo:
    if roce.link != "UP" or roce.address is None:
        return icmp.Echo([None] * packets)
    if state.standalone():
        return _alone(roce, packets)
    return _send(roce.address, target, size, packets)


def _send(source: str, target: str, size: int, packets: int) -> icmp.Echo:
    try:
        return icmp.echo(source, target, size, packets)
    except icmp.NoPing as exc:
        print(f"npusim: {exc}", file=sys.stderr)
        raise HccnError(FAILED) from None


def _alone(roce: Roce, packets: int) -> icmp.Echo:
    """A machine that is a directory has no network: every peer answers, but for the port's own loss."""
    import random

    return icmp.Echo([
        None if random.random() * 100 < roce.loss_pct else icmp.STANDALONE_MS for _packet in range(packets)
    ])  # fmt: skip

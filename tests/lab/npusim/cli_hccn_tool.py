# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hccn_tool``: arguments, answers, exit status (low byte of the vendor's 16-bit code).

Answers go to stdout, most complaints to stderr, as the real tool does it.
"""

from __future__ import annotations

import sys
import time
from typing import Callable

from . import gate, hccn_pace, render_hccn, state
from .hccn_call import Call, address_of
from .hccn_errors import (
    BUSY,
    DEVICE_ID,
    FAILED,
    MAJOR_INVALID,
    MAJOR_NUMBER,
    MAJOR_TYPE,
    NO_GATEWAY,
    NO_IP,
    PARAM_COUNT,
    PARAM_INVALID,
    PARAM_OPTION,
    UNSUPPORTED,
    HccnError,
)
from .layouts import version_key
from .model import Machine, Roce

TOOL = "hccn_tool"
DEFAULT_PING_BYTES = 4096
MAX_PING_BYTES = 65507
PINGS = ("-ping",)


def main(argv: list[str] | None = None) -> int:
    args = sys.argv[1:] if argv is None else argv
    try:
        sys.stdout.write(run(args))
        sys.stdout.flush()
    except HccnError as exc:
        print(exc, file=sys.stdout if exc.refusal.stdout else sys.stderr)
        return exc.refusal.code & 0xFF
    return 0


def run(args: list[str]) -> str:
    """The answer on stdout. Raises ``HccnError``."""
    if args in (["-h"], ["--help"]):
        return _help()
    if len(args) < 2:
        raise HccnError(MAJOR_NUMBER)
    if args[0] not in ("-i", "-a"):
        raise HccnError(MAJOR_TYPE)
    if args[0] == "-a":
        if args[1:] != ["-cfg", "recovery"]:
            raise HccnError(MAJOR_INVALID)
        from .hccn_changes import recover

        return recover(_machine())
    if len(args) < 3 or args[2] not in COMMANDS:
        raise HccnError(MAJOR_INVALID)
    if not args[1].isdigit():
        raise HccnError(DEVICE_ID)
    machine = _machine()
    chip = machine.chip_by_phy(int(args[1]))
    if chip is None:
        raise HccnError(DEVICE_ID)
    if chip.roce is None:
        raise HccnError(UNSUPPORTED)
    if len(args) < 4:
        raise HccnError(PARAM_COUNT)
    hccn_pace.wait_ready(machine, chip.phy_id)
    seconds = machine.ping_s if args[2] in PINGS else machine.query_s
    with hccn_pace.alone(machine, chip.phy_id), hccn_pace.lasting(seconds):
        return _dispatch(COMMANDS[args[2]], Call(machine, chip, chip.roce, args[3:]))


def _machine() -> Machine:
    try:
        return gate.enter(TOOL)
    except state.NoState:
        raise HccnError(DEVICE_ID) from None
    except gate.Busy:
        raise HccnError(BUSY) from None


def _dispatch(verbs: dict[str, Callable[[Call], str]], call: Call) -> str:
    if not call.args:
        raise HccnError(PARAM_COUNT)
    if call.args[0] not in verbs:
        raise HccnError(PARAM_OPTION)
    return verbs[call.args[0]](call)


# --- queries


def _get_ip(call: Call) -> str:
    if call.inet6:
        if call.roce.address6 is None:
            raise HccnError(NO_IP)
        return render_hccn.ip6(call.roce)
    if call.roce.address is None:
        raise HccnError(NO_IP)
    return render_hccn.ip(call.roce)


def _get_gateway(call: Call) -> str:
    if call.roce.gateway is None:
        raise HccnError(NO_GATEWAY)
    return render_hccn.gateway(call.roce, call.phy_id)


def _get_health(call: Call) -> str:
    return render_hccn.net_health(_health(call.roce))


def _health(roce: Roce) -> str:
    if roce.net_health is not None:
        return roce.net_health
    if roce.link != "UP":
        return "Fault"
    if roce.netdetect is None or roce.address is None:
        return "Init"
    if state.standalone():
        return "Success"
    return "Success" if _echo(roce, roce.netdetect, 56, 1).times_ms[0] is not None else "Receive timeout"


def _get_ping(call: Call) -> str:
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


def _echo(roce: Roce, target: str, size: int, packets: int = 3):
    from . import icmp

    if roce.link != "UP" or roce.address is None:
        return icmp.Echo([None] * packets)
    if state.standalone():
        return icmp.Echo([icmp.STANDALONE_MS] * packets)
    try:
        return icmp.echo(roce.address, target, size, packets)
    except icmp.NoPing as exc:
        print(f"npusim: {exc}", file=sys.stderr)
        raise HccnError(FAILED) from None


def _later(name: str) -> Callable[[Call], str]:
    """A change, whose module is loaded only when one is made."""

    def run_it(call: Call) -> str:
        from . import hccn_changes

        return getattr(hccn_changes, name)(call)

    return run_it


COMMANDS: dict[str, dict[str, Callable[[Call], str]]] = {
    "-ip": {"-g": _get_ip, "-s": _later("set_ip")},
    "-gateway": {"-g": _get_gateway, "-s": _later("set_gateway")},
    "-netdetect": {
        "-g": lambda c: render_hccn.netdetect(c.roce, c.machine.tool_version),
        "-s": _later("set_netdetect"),
    },
    "-link": {"-g": lambda c: render_hccn.link(c.roce), "-s": _later("set_link")},
    "-net_health": {"-g": _get_health},
    "-lldp": {"-g": lambda c: render_hccn.lldp(c.roce)},
    "-ping": {"-g": _get_ping},
    "-mac": {"-g": lambda c: render_hccn.mac(c.roce)},
    "-speed": {"-g": lambda c: render_hccn.speed(c.roce)},
    "-fec": {"-g": lambda c: render_hccn.fec(c.roce)},
    "-vnic": {"-g": lambda c: render_hccn.vnic(c.phy_id)},
    "-tls": {"-g": lambda c: render_hccn.tls(c.roce, c.phy_id), "-s": _later("set_tls")},
    "-link_stat": {"-g": lambda c: render_hccn.link_stat(c.roce, c.phy_id, int(time.time()), c.machine.tool_version)},
    "-route": {"-g": lambda c: render_hccn.route(c.roce, c.phy_id)},
    "-optical": {"-g": lambda c: render_hccn.optical(c.roce)},
    "-hw_stats": {"-g": lambda c: render_hccn.hw_stats(c.roce, c.phy_id)},
    "-stat": {"-g": lambda c: render_hccn.stat(c.roce, c.machine.family)},
}


def _help() -> str:
    lines = []
    for name, verbs in COMMANDS.items():
        lines += [f"hccn_tool -i devid {name}"] + [f"   [{verb}]" for verb in verbs]
    return "\n".join(lines + ["hccn_tool -a -cfg", "   recovery    : recovery cfg"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())

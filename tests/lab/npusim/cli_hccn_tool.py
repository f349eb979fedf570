# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hccn_tool``: arguments, answers, exit status (low byte of the vendor's 16-bit code).

Answers go to stdout, most complaints to stderr, as the real tool does it.
"""

from __future__ import annotations

import sys
import time

from . import hccn_pace, render_hccn, state, vnic
from .hccn_call import Call
from .hccn_errors import (
    BUSY,
    DEVICE_ID,
    MAJOR_INVALID,
    MAJOR_NUMBER,
    MAJOR_TYPE,
    NO_GATEWAY,
    NO_IP,
    PARAM_COUNT,
    PARAM_OPTION,
    UNSUPPORTED,
    HccnError,
)
from .quick import Unusual, view

TYPE_CHECKING = False  # not from typing: importing that costs a call of hccn_tool more than answering
if TYPE_CHECKING:
    from typing import Callable

    from .model import Machine

TOOL = "hccn_tool"
PINGS = ("-ping", "-hccs_ping")
UNLOCKED = ("-roce_test",)  # goes on in the device while other calls are served


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
    if args[3:4] == ["-g"]:
        try:
            return _on_port(view(TOOL), args)
        except Unusual:
            pass  # what a query does before that can be done twice
    return _on_port(_machine(), args)


def _on_port(machine: Machine, args: list[str]) -> str:
    chip = machine.chip_by_phy(int(args[1]))
    if chip is None:
        raise HccnError(DEVICE_ID)
    if chip.roce is None:
        raise HccnError(UNSUPPORTED)
    if len(args) < 4:
        raise HccnError(PARAM_COUNT)
    hccn_pace.wait_ready(machine, chip.phy_id)
    seconds = machine.ping_s if args[2] in PINGS else machine.query_s
    if args[2] in UNLOCKED:
        with hccn_pace.alone(machine, chip.phy_id):
            pass
        return _dispatch(COMMANDS[args[2]], Call(machine, chip, chip.roce, args[3:]))
    with hccn_pace.alone(machine, chip.phy_id), hccn_pace.lasting(seconds):
        return _dispatch(COMMANDS[args[2]], Call(machine, chip, chip.roce, args[3:]))


def _machine() -> Machine:
    from . import gate

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


def _get_vnic(call: Call) -> str:
    return render_hccn.vnic(call.roce.vnic_link, vnic.address(call.machine, call.phy_id), vnic.netmask(call.machine))


def _bandwidth(call: Call) -> str:
    if len(call.args) != 1:
        raise HccnError(PARAM_OPTION)
    return render_hccn.bandwidth(call.roce)


def _later(name: str, module: str = "hccn_changes") -> Callable[[Call], str]:
    """A command whose module is loaded only when it is used."""

    def run_it(call: Call) -> str:
        from importlib import import_module

        return getattr(import_module(f".{module}", __package__), name)(call)

    return run_it


def _test(name: str) -> Callable[[Call], str]:
    def run_it(call: Call) -> str:
        from . import hccn_perftest

        return hccn_perftest.start(name, call)

    return run_it


COMMANDS: dict[str, dict[str, Callable[[Call], str]]] = {
    "-ip": {"-g": _get_ip, "-s": _later("set_ip")},
    "-gateway": {"-g": _get_gateway, "-s": _later("set_gateway")},
    "-netdetect": {
        "-g": lambda c: render_hccn.netdetect(c.roce, c.machine.tool_version),
        "-s": _later("set_netdetect"),
    },
    "-link": {"-g": lambda c: render_hccn.link(c.roce), "-s": _later("set_link")},
    "-net_health": {"-g": lambda c: render_hccn.net_health(_later("health", "hccn_ping")(c.roce))},
    "-lldp": {"-g": lambda c: render_hccn.lldp(c.roce)},
    "-ping": {"-g": _later("ping", "hccn_ping")},
    "-hccs_ping": {"-g": _later("hccs_ping", "hccn_ping")},
    "-mtu": {"-g": lambda c: render_hccn.mtu(c.roce), "-s": _later("set_mtu")},
    "-bandwidth": {"-g": _bandwidth},
    "-roce_test": {
        **{name: _test(name) for name in ("ib_send_bw", "ib_read_bw", "ib_write_bw")},
        "reset": _later("reset", "hccn_perftest"),
    },
    "-mac": {"-g": lambda c: render_hccn.mac(c.roce)},
    "-speed": {"-g": lambda c: render_hccn.speed(c.roce)},
    "-fec": {"-g": lambda c: render_hccn.fec(c.roce)},
    "-vnic": {"-g": _get_vnic},
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

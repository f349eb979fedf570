# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hccn_tool``: arguments, answers, exit status (low byte of the vendor's 16-bit code).

Answers go to stdout, most complaints to stderr, as the real tool does it.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import sys
import time
from typing import Callable, Iterator

from . import gate, render_hccn, state
from .layouts import version_key
from .model import Chip, Machine, Roce

TOOL = "hccn_tool"
HCCN_CONF = "/etc/hccn.conf"
LOCK_DIR = "/run/npusim"
DEFAULT_PING_BYTES = 4096
MAX_PING_BYTES = 65507


class HccnError(Exception):
    """The tool ends with ``code & 0xFF`` after printing ``text``."""

    def __init__(self, code: int, text: str, stdout: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.stdout = stdout


MAJOR_TYPE = HccnError(
    0x1001,
    'Get invalid major cmd type. The valid major cmd type should be "-a" or "-i".\n'
    "Enter [ hccn_tool -h ] for more details.",
)
MAJOR_NUMBER = HccnError(
    0x1002, "Get invalid major cmd number. Please check your input.\nEnter [ hccn_tool -h ] for more details."
)
MAJOR_INVALID = HccnError(0x1003, "Get invalid major cmd.\nEnter [ hccn_tool -h ] for more details.")
DEVICE_ID = HccnError(0x1004, "Get invalid device id.")
PARAM_INVALID = HccnError(0x2001, "Get invalid parameters!")
PARAM_OPTION = HccnError(0x2003, "Get unknown option!")
PARAM_COUNT = HccnError(0x2004, "The total count of input parameters is wrong!")
PARAM_IP = HccnError(0x2006, "The ip address you configured is invalid!")
PARAM_CONFLICT = HccnError(0x2007, "The ip address configured is conflicted!")
PARAM_SEGMENT = HccnError(0x2008, "The segment of configured gateway doesn't match that of the configured ip adress!")
WRITE_FAILED = HccnError(
    0x3004,
    "Write configurations to config file failed. User configurations cannot be persisted!"
    " pls check cmd run permission.",
)
BUSY = HccnError(0x300B, "hccn_tool is busy, please try again.", stdout=True)
NOT_ALLOWED = HccnError(0x300C, "permission denied: pls check this cmd run permission.")
UNSUPPORTED = HccnError(0x300D, "The command is not supported on this product.", stdout=True)
NO_IP_FOR_GATEWAY = HccnError(0x301A, "Unable to configure gateway, because ip is not configured!")
FAILED = HccnError(0x4001, "Command execute failed!")
NO_GATEWAY = HccnError(0x4002, "Get gateway failed, because no gateway was preset there!")
NO_IP = HccnError(0x400D, "Get ipconf failed, because no ip was preset there!")


class Call:
    """One call on one port."""

    def __init__(self, machine: Machine, chip: Chip, roce: Roce, args: list[str]) -> None:
        self.machine = machine
        self.chip = chip
        self.roce = roce
        self.inet6 = "-inet6" in args[:1]
        self.args = args[1:] if self.inet6 else args

    @property
    def phy_id(self) -> int:
        return self.chip.phy_id

    def pairs(self, *names: str) -> dict[str, str]:
        """``name value`` arguments after the verb; raises for odd counts and unknown names."""
        rest = self.args[1:]
        if len(rest) % 2:
            raise PARAM_COUNT
        found = dict(zip(rest[::2], rest[1::2]))
        if set(found) - set(names):
            raise PARAM_OPTION
        return found


def main(argv: list[str] | None = None) -> int:
    args = sys.argv[1:] if argv is None else argv
    try:
        sys.stdout.write(run(args))
        sys.stdout.flush()
    except HccnError as exc:
        print(exc, file=sys.stdout if exc.stdout else sys.stderr)
        return exc.code & 0xFF
    return 0


def run(args: list[str]) -> str:
    """The answer on stdout. Raises ``HccnError``."""
    if args in (["-h"], ["--help"]):
        return _help()
    if len(args) < 2:
        raise MAJOR_NUMBER
    if args[0] not in ("-i", "-a"):
        raise MAJOR_TYPE
    if args[0] == "-a":
        if args[1:] != ["-cfg", "recovery"]:
            raise MAJOR_INVALID
        return _recover(_machine())
    if len(args) < 3 or args[2] not in COMMANDS:
        raise MAJOR_INVALID
    if not args[1].isdigit():
        raise DEVICE_ID
    machine = _machine()
    chip = machine.chip_by_phy(int(args[1]))
    if chip is None:
        raise DEVICE_ID
    if chip.roce is None:
        raise UNSUPPORTED
    if len(args) < 4:
        raise PARAM_COUNT
    with _alone(chip.phy_id):
        return _dispatch(COMMANDS[args[2]], Call(machine, chip, chip.roce, args[3:]))


def _machine() -> Machine:
    try:
        return gate.enter(TOOL)
    except state.NoState:
        raise DEVICE_ID from None
    except gate.Busy:
        raise BUSY from None


def _dispatch(verbs: dict[str, Callable[[Call], str]], call: Call) -> str:
    if not call.args:
        raise PARAM_COUNT
    if call.args[0] not in verbs:
        raise PARAM_OPTION
    return verbs[call.args[0]](call)


@contextlib.contextmanager
def _alone(phy_id: int) -> Iterator[None]:
    """The port serves one call at a time; the second is told to come back."""
    directory = state.state_dir() if state.standalone() else LOCK_DIR
    try:
        os.makedirs(directory, exist_ok=True)
        lock = os.open(os.path.join(directory, f"hccn.{phy_id}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # a container without a writable /run: nothing to meet there
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BUSY from None
    finally:
        os.close(lock)


# --- queries


def _get_ip(call: Call) -> str:
    if call.inet6:
        if call.roce.address6 is None:
            raise NO_IP
        return render_hccn.ip6(call.roce)
    if call.roce.address is None:
        raise NO_IP
    return render_hccn.ip(call.roce)


def _get_gateway(call: Call) -> str:
    if call.roce.gateway is None:
        raise NO_GATEWAY
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
        raise PARAM_COUNT
    target, size = _address(values["address"]), values.get("pkt", str(DEFAULT_PING_BYTES))
    if not size.isdigit() or int(size) > MAX_PING_BYTES:
        raise PARAM_INVALID
    if call.roce.address is None:
        raise FAILED
    answer = _echo(call.roce, target, int(size))
    if answer.too_long:
        text = render_hccn.too_long(call.phy_id, target)
    else:
        text = render_hccn.ping(call.phy_id, target, answer.times_ms, answer.unreachable)
    if None in answer.times_ms and version_key(call.machine.tool_version) >= version_key("26.0.rc1"):
        sys.stdout.write(text)  # newer tools report a loss as a failure, after the answer
        raise FAILED
    return text


def _echo(roce: Roce, target: str, size: int, packets: int = 3):
    from . import icmp

    if roce.link != "UP" or roce.address is None:
        return icmp.Echo([None] * packets)
    try:
        return icmp.echo(roce.address, target, size, packets)
    except icmp.NoPing as exc:
        print(f"npusim: {exc}", file=sys.stderr)
        raise FAILED from None


# --- changes


def _set_ip(call: Call) -> str:
    values = call.pairs("address", "netmask")
    if set(values) != {"address", "netmask"}:
        raise PARAM_COUNT
    address = _address(values["address"])
    try:
        network = ipaddress.IPv4Interface(f"{address}/{values['netmask']}").network
    except ValueError:
        raise PARAM_INVALID from None
    if address.startswith("192.168.1.") or address in (str(network.network_address), str(network.broadcast_address)):
        raise PARAM_CONFLICT  # 192.168.1.0/24 belongs to the internal ports
    for other in (c for n in call.machine.npus for c in n.chips):
        if other.phy_id != call.phy_id and other.roce is not None and other.roce.address == address:
            raise PARAM_CONFLICT

    def change(roce: Roce) -> None:
        roce.address, roce.netmask = address, str(network.netmask)

    return _change(call, change, {"address": address, "netmask": str(network.netmask)})


def _set_gateway(call: Call) -> str:
    values = call.pairs("gateway")
    if "gateway" not in values:
        raise PARAM_COUNT
    gateway = _address(values["gateway"])
    if call.roce.address is None:
        raise NO_IP_FOR_GATEWAY
    network = ipaddress.IPv4Interface(f"{call.roce.address}/{call.roce.netmask}").network
    if ipaddress.IPv4Address(gateway) not in network:
        raise PARAM_SEGMENT
    return _change(call, lambda roce: setattr(roce, "gateway", gateway), {"gateway": gateway})


def _set_netdetect(call: Call) -> str:
    values = call.pairs("address")
    if "address" not in values:
        raise PARAM_COUNT
    address = _address(values["address"])
    wanted = None if address == "0.0.0.0" else address
    return _change(call, lambda roce: setattr(roce, "netdetect", wanted), {"netdetect": address})


def _set_tls(call: Call) -> str:
    values = call.pairs("enable")
    if values.get("enable") not in ("0", "1"):
        raise PARAM_INVALID if values else PARAM_COUNT
    switch = int(values["enable"])
    return _change(call, lambda roce: setattr(roce, "tls_switch", switch), {"tls_enable": str(switch)})


def _set_link(call: Call) -> str:
    if call.args[1:] not in (["up"], ["down"]):
        raise PARAM_COUNT if len(call.args) != 2 else PARAM_OPTION
    from . import faults

    _need_root()
    with _writable(), state.changing() as machine:
        faults.set_link(faults.chip_of(machine, call.phy_id), call.args[1].upper())
    faults.apply()
    return render_hccn.EXECUTED + "\n"


def _change(call: Call, change: Callable[[Roce], None], conf: dict[str, str]) -> str:
    """Change the port, the node's addresses, and ``/etc/hccn.conf``, where the real tool keeps it too."""
    from . import wire

    _need_root()
    with _writable(), state.changing() as machine:
        chip = machine.chip_by_phy(call.phy_id)
        assert chip is not None and chip.roce is not None
        before = chip.roce.address
        change(chip.roce)
        if not state.standalone() and chip.roce.address != before:
            if before is not None:
                wire.remove_address(before)
            wire.add_address(chip.roce)
            wire.apply_links(machine)
        wire.update_conf({f"{k}_{call.phy_id}": v for k, v in conf.items()}, _conf_path())
    return render_hccn.EXECUTED + "\n"


def _recover(machine: Machine) -> str:
    """``-a -cfg recovery``: bring every port to what ``/etc/hccn.conf`` says."""
    from . import wire

    _need_root()
    values = wire.read_conf(_conf_path())
    done: list[str] = []
    with _writable(), state.changing() as stored:
        before = {c.phy_id: r.address for c, r in wire.ports(stored)}
        for chip, roce in wire.ports(stored):
            for key in ("address", "netmask", "gateway", "netdetect"):
                setattr(roce, key, values.get(f"{key}_{chip.phy_id}"))
            roce.tls_switch = int(values.get(f"tls_enable_{chip.phy_id}", "0") == "1")
            done.append(f"dev:{chip.phy_id} recovery success")
        if not state.standalone():
            kept = {r.address for _c, r in wire.ports(stored)}
            for address in before.values():
                if address is not None and address not in kept:
                    wire.remove_address(address)
            wire.add_addresses(stored)
            wire.apply_links(stored)
    return "".join(line + "\n" for line in done)


@contextlib.contextmanager
def _writable() -> Iterator[None]:
    from . import wire

    try:
        yield
    except OSError:
        raise WRITE_FAILED from None
    except wire.WireError as exc:
        print(f"npusim: {exc}", file=sys.stderr)
        raise FAILED from None


def _need_root() -> None:
    if os.geteuid() != 0 and not state.standalone():
        raise NOT_ALLOWED


def _conf_path() -> str:
    return os.path.join(state.state_dir(), "hccn.conf") if state.standalone() else HCCN_CONF


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise PARAM_IP from None


COMMANDS: dict[str, dict[str, Callable[[Call], str]]] = {
    "-ip": {"-g": _get_ip, "-s": _set_ip},
    "-gateway": {"-g": _get_gateway, "-s": _set_gateway},
    "-netdetect": {
        "-g": lambda c: render_hccn.netdetect(c.roce, c.machine.tool_version),
        "-s": _set_netdetect,
    },
    "-link": {"-g": lambda c: render_hccn.link(c.roce), "-s": _set_link},
    "-net_health": {"-g": _get_health},
    "-lldp": {"-g": lambda c: render_hccn.lldp(c.roce)},
    "-ping": {"-g": _get_ping},
    "-mac": {"-g": lambda c: render_hccn.mac(c.roce)},
    "-speed": {"-g": lambda c: render_hccn.speed(c.roce)},
    "-fec": {"-g": lambda c: render_hccn.fec(c.roce)},
    "-vnic": {"-g": lambda c: render_hccn.vnic(c.phy_id)},
    "-tls": {"-g": lambda c: render_hccn.tls(c.roce, c.phy_id), "-s": _set_tls},
    "-link_stat": {"-g": lambda c: render_hccn.link_stat(c.roce, c.phy_id, int(time.time()), c.machine.tool_version)},
    "-route": {"-g": lambda c: render_hccn.route(c.roce, c.phy_id)},
    "-stat": {"-g": lambda c: render_hccn.stat(c.roce, c.machine.family)},
}


def _help() -> str:
    lines = []
    for name, verbs in COMMANDS.items():
        lines += [f"hccn_tool -i devid {name}"] + [f"   [{verb}]" for verb in verbs]
    return "\n".join(lines + ["hccn_tool -a -cfg", "   recovery    : recovery cfg"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the NPU network. What they replace is noted in the state, so that mending brings exactly that back.

A value that somebody has put right, or changed again, in the meantime is left as it is.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import time
from typing import Any, Callable

from . import vnic, wire
from .model import Chip, Machine

KINDS = {
    "link-down": "the RoCE cable of a chip (--phy) is pulled: DOWN, and no packet passes",
    "loss": "--value percent of the packets to a chip (--phy) are lost (30)",
    "hccs-down": "the internal port (vNIC) of a chip (--phy) is down; A3 only",
    "netmask": "a chip (--phy) has the netmask --value (255.255.255.0)",
    "duplicate-address": "a chip (--phy) has the address --value (that of its namesake on the node before or after)",
    "tls": "the TLS switch of a chip (--phy) is on",
    "swapped-cables": "the cables of two chips (--phy, --other) are swapped; --value rails (each reaches only the "
    "ports of the other's number) or flat (only LLDP shows it)",
    "netdetect-unset": "a chip (--phy) has no netdetect address: net health is Init",
    "no-hccn-conf": "/etc/hccn.conf is gone",
    "mtu": "a chip (--phy) has the MTU --value (1280)",
    "speed": "a chip (--phy) runs at --value Mb/s (100000)",
    "optics": "the transceiver of a chip (--phy) is --value missing or dim",
    "driver": "the driver is of version --value (25.0.rc1)",
}
DIM_MW = 0.02  # received; below the low threshold of every module
CONF_KEYS = {"address": "address", "netmask": "netmask", "netdetect": "netdetect", "tls_switch": "tls_enable",
             "mtu": "mtu"}  # fmt: skip


class FaultError(Exception):
    """The fault cannot be made as asked; the text says why."""


def add(machine: Machine, kind: str, chip: Chip | None, other: Chip | None, value: str | None) -> None:
    """Make a fault of ``KINDS``; ``chip`` and ``other`` are those asked for. Raises ``FaultError``."""
    if kind == "no-hccn-conf":
        if os.path.exists(wire.conf_path()):
            os.replace(wire.conf_path(), wire.lost_conf_path())
        return
    if kind == "driver":
        version = value or "25.0.rc1"
        _alter(machine, machine, kind, {"driver_version": version, "tool_version": version})
        return
    if chip is None or chip.roce is None:
        raise FaultError("say which chip: --phy N, of one with a RoCE port")
    if kind == "link-down":
        set_link(chip, "DOWN")
    elif kind == "swapped-cables":
        _swap(machine, chip, other, value or "rails")
    elif kind == "optics":
        _optics(machine, chip, value or "missing")
    else:
        _alter(machine, chip, kind, _SIMPLE[kind](machine, chip, value))


def heal(machine: Machine, kind: str | None, chip: Chip | None = None) -> None:
    """Take the faults of one chip, or (without one) those of the machine, out again."""
    if chip is None:
        if kind in (None, "no-hccn-conf"):
            _restore_conf()
        for name in [name for name in machine.was if kind in (None, name)]:
            _restore(machine, machine, name)
        return
    if chip.roce is None:
        return
    for name in [
        name for name in reversed(list(chip.roce.was)) if kind in (None, name)
    ]:  # lines go back where they were
        if name == "swapped-cables":
            _unswap(machine, chip)
        else:
            _restore(machine, chip, name)
    if kind in (None, "link-down"):
        set_link(chip, "UP")


def faults(machine: Machine, chip: Chip | None = None) -> list[str]:
    """The faults of one chip, or (without one) those of the machine."""
    if chip is None:
        lost = os.path.exists(wire.lost_conf_path()) and not os.path.exists(wire.conf_path())
        lines = ["no-hccn-conf"] if lost else []
        return lines + [f"{name} --value {_made(machine, machine, name)}" for name in _standing(machine, machine)]
    if chip.roce is None:
        return []
    standing = _standing(machine, chip)
    lines = [f"link-down --phy {chip.phy_id}"] if chip.roce.link != "UP" and "optics" not in standing else []
    return lines + [f"{name} --phy {chip.phy_id}{_detail(machine, chip, name)}" for name in standing]


def set_link(chip: Chip, link: str) -> None:
    """Turn a port up or down and note when, as ``hccn_tool -link_stat`` shows it."""
    if chip.roce is None:
        raise FaultError(f"chip {chip.phy_id} has no RoCE port")
    if chip.roce.link != link:
        chip.roce.link = link
        chip.roce.link_records.append((int(time.time()), link))


# --- what the kinds change


def _loss(machine: Machine, chip: Chip, value: str | None) -> dict[str, Any]:
    return {"loss_pct": _number("a share of packets", value or "30", 1, 100)}


def _hccs(machine: Machine, chip: Chip, value: str | None) -> dict[str, Any]:
    if not vnic.in_pod(machine):
        raise FaultError("only servers of a super pod (A3) have ports on HCCS")
    return {"vnic_link": "DOWN"}


def _netmask(machine: Machine, chip: Chip, value: str | None) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        return {"netmask": str(ipaddress.IPv4Network(f"0.0.0.0/{value or '255.255.255.0'}").netmask)}
    raise FaultError(f"{value} is no netmask")


def _duplicate(machine: Machine, chip: Chip, value: str | None) -> dict[str, Any]:
    if value is None:
        if machine.roce_network is None:
            raise FaultError("this machine is on no RoCE network: give the address, --value A")
        step = 256 if machine.node == 1 else -256
        node = int(ipaddress.IPv4Network(machine.roce_network).network_address) + machine.node * 256 + step
        value = str(ipaddress.IPv4Address(node + wire.FIRST_HOST + chip.phy_id))
    with contextlib.suppress(ValueError):
        return {"address": str(ipaddress.IPv4Address(value))}
    raise FaultError(f"{value} is no address")


def _optics(machine: Machine, chip: Chip, value: str) -> None:
    assert chip.roce is not None
    if value == "dim":
        _alter(machine, chip, "optics", {"optical.rx_power": [DIM_MW] * len(chip.roce.optical.rx_power)})
    elif value == "missing":
        _alter(machine, chip, "optics", {"optical.present": False})
        if chip.roce.link == "UP":
            chip.roce.was["optics"]["link"] = ["UP", "DOWN"]
        set_link(chip, "DOWN")
    else:
        raise FaultError(f"a transceiver is missing or dim, not {value}")


def _swap(machine: Machine, chip: Chip, other: Chip | None, value: str) -> None:
    if other is None or other.roce is None or other is chip or chip.roce is None:
        raise FaultError("say which other chip, with a RoCE port: --other N")
    if value not in ("rails", "flat"):
        raise FaultError(f"a fabric is rails or flat, not {value}")
    if any("swapped-cables" in port.was for port in (chip.roce, other.roce)):
        raise FaultError("these cables are swapped already")
    ends = [(c, {"switch_port": o.roce.switch_port, "switch_mac": o.roce.switch_mac}, o.phy_id)
            for c, o in ((chip, other), (other, chip)) if o.roce is not None]  # fmt: skip
    for end, made, rail in ends:
        _alter(machine, end, "swapped-cables", {**made, **({"rail": rail} if value == "rails" else {})})
        assert end.roce is not None
        end.roce.was["swapped-cables"]["other"] = [rail, rail]


def _unswap(machine: Machine, chip: Chip) -> None:
    """A swap is of two cables: both go back."""
    assert chip.roce is not None
    other = machine.chip_by_phy(chip.roce.was["swapped-cables"]["other"][0])
    for end in (chip, other):
        if end is not None and end.roce is not None and "swapped-cables" in end.roce.was:
            del end.roce.was["swapped-cables"]["other"]
            _restore(machine, end, "swapped-cables")


_SIMPLE: dict[str, Callable[[Machine, Chip, str | None], dict[str, Any]]] = {
    "loss": _loss,
    "hccs-down": _hccs,
    "netmask": _netmask,
    "duplicate-address": _duplicate,
    "tls": lambda machine, chip, value: {"tls_switch": 1},
    "netdetect-unset": lambda machine, chip, value: {"netdetect": None},
    "mtu": lambda machine, chip, value: {"mtu": int(_number("an MTU", value or "1280", 68, 9702))},
    "speed": lambda machine, chip, value: {"speed_mbps": int(_number("a speed", value or "100000", 0, 10**7))},
}  # fmt: skip


def _number(what: str, text: str, low: float, high: float) -> float:
    with contextlib.suppress(ValueError):
        if low <= float(text) <= high:
            return float(text)
    raise FaultError(f"{what} is from {low} to {high}, not {text}")


# --- noting what was before


def _place(owner: Machine | Chip) -> Any:
    return owner if isinstance(owner, Machine) else owner.roce


def _get(owner: Machine | Chip, name: str) -> Any:
    found = _place(owner)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _put(owner: Machine | Chip, name: str, value: Any) -> None:
    path = name.split(".")
    found = _place(owner)
    for part in path[:-1]:
        found = getattr(found, part)
    setattr(found, path[-1], value)


def _alter(machine: Machine, owner: Machine | Chip, kind: str, values: dict[str, Any]) -> None:
    """Change values and, of a port, the keys of ``hccn.conf`` that go with them; keep what was there first."""
    noted = _place(owner).was.setdefault(kind, {})
    for name, value in values.items():
        noted[name] = [noted.get(name, [_get(owner, name)])[0], value]
        _put(owner, name, value)
        key = _conf_key(owner, name)
        if key is not None:
            found = wire.read_conf(_conf_file())
            place = list(found).index(key) if key in found else None
            before, _made, place = noted.get(f"conf {key}", [found.get(key), None, place])
            noted[f"conf {key}"] = [before, value, place]
            _write_key(key, value)


def _restore(machine: Machine, owner: Machine | Chip, kind: str) -> None:
    for name, (before, made, *place) in _place(owner).was.pop(kind).items():
        if name.startswith("conf "):
            key = name[len("conf ") :]
            if wire.read_conf(_conf_file()).get(key) == (None if made is None else str(made)):
                _write_key(key, before, *place)
        elif _get(owner, name) == made:
            if name == "link" and isinstance(owner, Chip):
                set_link(owner, before)
            else:
                _put(owner, name, before)


def _standing(machine: Machine, owner: Machine | Chip) -> list[str]:
    return [
        kind
        for kind, noted in _place(owner).was.items()
        if any(_get(owner, n) == v[1] != v[0] for n, v in noted.items() if n != "other" and not n.startswith("conf "))
    ]


def _made(machine: Machine, owner: Machine | Chip, kind: str) -> Any:
    return next(iter(_place(owner).was[kind].values()))[1]


def _detail(machine: Machine, chip: Chip, kind: str) -> str:
    assert chip.roce is not None
    if kind == "swapped-cables":
        noted = chip.roce.was[kind]
        return f" --other {noted['other'][0]} --value {'rails' if 'rail' in noted else 'flat'}"
    if kind == "optics":
        return f" --value {'dim' if chip.roce.optical.present else 'missing'}"
    if kind in ("loss", "speed", "mtu"):
        return f" --value {_made(machine, chip, kind):g}"
    return f" --value {_made(machine, chip, kind)}" if kind in ("netmask", "duplicate-address") else ""


# --- /etc/hccn.conf


def _conf_key(owner: Machine | Chip, name: str) -> str | None:
    return f"{CONF_KEYS[name]}_{owner.phy_id}" if isinstance(owner, Chip) and name in CONF_KEYS else None


def _conf_file() -> str:
    """The file, or where it is while a fault has taken it away: it must come back in line with the port."""
    return wire.conf_path() if os.path.exists(wire.conf_path()) else wire.lost_conf_path()


def _write_key(key: str, value: Any, place: int | None = None) -> None:
    """Nothing without a file. ``place``: before which of the settings a new line goes."""
    if os.path.exists(_conf_file()):
        before = None if place is None else next(iter(list(wire.read_conf(_conf_file()))[place:]), None)
        wire.update_conf({key: None if value is None else str(value)}, _conf_file(), before)


def _restore_conf() -> None:
    """Put the file back; settings written since then stay."""
    if not os.path.exists(wire.lost_conf_path()):
        return
    since = wire.read_conf(wire.conf_path())
    os.replace(wire.lost_conf_path(), wire.conf_path())
    if since:
        wire.update_conf(dict(since), wire.conf_path())

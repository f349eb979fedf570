# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hccn_tool -roce_test``: bandwidth between two ports. The two ends meet over TCP, the figures follow from the ports.

A receiver waits for its sender. A test runs in the device, not in the tool: when the tool is killed, the device goes
on being busy with it until it is reset.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import NamedTuple

from . import hccn_pace, state
from .hccn_call import Call, address_of
from .hccn_errors import MAJOR_NUMBER, NO_TCP, PARAM_INVALID, PARAM_OPTION, TEST_DOING, TEST_FAILED, HccnError
from .render_hccn import EXECUTED

TESTS = {"ib_send_bw": "Send", "ib_read_bw": "RDMA_Read", "ib_write_bw": "RDMA_Write"}
# Option, lowest and highest value; what is not used here is checked all the same.
NUMBERS = {
    "-s": (1, 874736000), "-n": (5, 20000), "-D": (1, 500), "-f": (0, 250), "-l": (1, 1024), "-m": (256, 4096),
    "-ib": (1, 1), "-p": (0, 65535), "-q": (1, 100), "-Q": (1, 1024), "-t": (1, 15000), "-u": (0, 255), "-x": (0, 5),
    "-tclass": (0, 255), "-S": (0, 7),
}  # fmt: skip
FLAGS = ("-tcp", "-b", "-report_gbits")
PORT = 18515
WAIT = 1600.0  # seconds the tool waits for the end of a test
EFFICIENCY = 0.977  # of the line's rate (hccn_tool__roce_test__ib_read_bw__910B: 195.5 of 200 Gbit/s)


class Wish(NamedTuple):
    test: str
    size: int
    count: int
    seconds: int | None
    port: int
    target: str | None  # None: the receiver
    gbits: bool


def start(test: str, call: Call) -> str:
    """Run one end of a test. Raises ``HccnError``: 255 for a test that failed or was reset."""
    wish = _wish(test, call.args)
    mark = _mark(call.phy_id, wish.target is not None)
    sys.stdout.write(f"Dsmi get perftest status end. (status={2 if os.path.exists(mark) else 0})\n")
    if os.path.exists(mark):
        raise HccnError(TEST_DOING)
    with open(mark, "w", encoding="utf-8"):
        pass  # stays when this process is killed: only a reset takes it away then
    try:
        peer = _meet(call, wish, mark)
    except OSError as exc:
        sys.stdout.write(f"roce_report:\n{_complaint(wish, exc)}\n")
        raise HccnError(TEST_FAILED) from None
    finally:
        if os.path.exists(mark):
            os.unlink(mark)
    return f"roce_report:\n{_report(wish, min(call.roce.speed_mbps, peer['speed_mbps']), call.roce.mtu)}\n"


def reset(call: Call) -> str:
    """End the device's tests, whoever waits for them."""
    if len(call.args) > 1:
        raise HccnError(MAJOR_NUMBER)
    for sender in (False, True):
        if os.path.exists(_mark(call.phy_id, sender)):
            os.unlink(_mark(call.phy_id, sender))
    return EXECUTED + "\n"


def _wish(test: str, args: list[str]) -> Wish:
    given: dict[str, str] = {}
    rest = args[1:]
    while rest:
        name = rest.pop(0)
        if name in FLAGS:
            given[name] = ""
        elif (name in NUMBERS or name in ("address", "-bind_source_ip", "-d")) and rest:
            given[name] = rest.pop(0)
        else:
            raise HccnError(PARAM_INVALID if not rest else PARAM_OPTION)
    for name, (low, high) in NUMBERS.items():
        if name in given and not (given[name].isdigit() and low <= int(given[name]) <= high):
            raise HccnError(PARAM_INVALID)
    if "-tcp" not in given:
        raise HccnError(NO_TCP)
    return Wish(
        test=test,
        size=int(given.get("-s", 65536)),
        count=int(given.get("-n", 1000)),
        seconds=int(given["-D"]) if "-D" in given else None,
        port=int(given.get("-p", PORT)),
        target=address_of(given["address"]) if "address" in given else None,
        gbits="-report_gbits" in given,
    )


def _mark(phy_id: int, sender: bool) -> str:
    directory = hccn_pace.directory()
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, f"hccn.{phy_id}.{'sender' if sender else 'receiver'}.test")


def _meet(call: Call, wish: Wish, mark: str) -> dict[str, int]:
    """Exchange what the figures depend on with the other end. Raises ``OSError``: no peer, or reset meanwhile."""
    if call.roce.address is None or call.roce.link != "UP":
        raise OSError("the port has no link or no address")
    own = "127.0.0.1" if state.standalone() else call.roce.address
    facts = json.dumps({"speed_mbps": call.roce.speed_mbps, "mtu": call.roce.mtu}).encode() + b"\n"
    deadline = time.monotonic() + WAIT
    if wish.target is not None:
        target = "127.0.0.1" if state.standalone() else wish.target
        with socket.create_connection((target, wish.port), timeout=5, source_address=(own, 0)) as line:
            line.sendall(facts)
            return _answer(line)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((own, wish.port))
        server.listen(1)
        server.settimeout(0.2)
        while os.path.exists(mark) and time.monotonic() < deadline:
            try:
                line, _peer = server.accept()
            except socket.timeout:
                continue
            with line:
                line.settimeout(5)
                found = _answer(line)
                line.sendall(facts)
            return found
    raise OSError("the test was reset" if not os.path.exists(mark) else "no sender came")


def _answer(line: socket.socket) -> dict[str, int]:
    text = line.makefile().readline()
    try:
        return json.loads(text)
    except ValueError:
        raise OSError("the other end is gone") from None


def _complaint(wish: Wish, exc: OSError) -> str:
    if wish.target is None:
        return f" Unable to open file descriptor for socket connection ({exc})"
    return f"Couldn't connect to {wish.target}:{wish.port}\n Unable to open file descriptor for socket connection"


def _report(wish: Wish, speed_mbps: int, mtu: int) -> str:
    bytes_per_s = speed_mbps * 1e6 / 8 * EFFICIENCY
    count = wish.count if wish.seconds is None else int(wish.seconds * bytes_per_s / wish.size)
    time.sleep(min(wish.seconds or wish.size * count / bytes_per_s, 500))
    unit, figure = ("Gb/sec", bytes_per_s * 8 / 1e9) if wish.gbits else ("MB/sec", bytes_per_s / 2**20)
    path_mtu = max(size for size in (256, 512, 1024, 2048, 4096) if size == 256 or size <= mtu)
    lines = [
        f"{TESTS[wish.test]} BW Test",
        "Number of qps: 1      Connection type: RC",
        f"CQ Moderation: 1     Mtu: {path_mtu}[B]",
        *(["Outstand reads: 128"] if wish.test == "ib_read_bw" else []),
        f"#bytes       #iterations       BW average[{unit}]      MsgRate[Mpps]",
        f"{wish.size:<12} {count:<17} {figure:<23.2f} {bytes_per_s / wish.size / 1e6:.6f}",
    ]
    return "\n".join(lines)

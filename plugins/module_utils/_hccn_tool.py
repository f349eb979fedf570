# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Runner of ``hccn_tool``: argv, run, retry, and the text to a parser. This module util is PRIVATE to the collection.

Both exit status and text count: the tool ends with the low byte of a 16-bit code, prints errors on stdout or stderr,
and newer ones end with a failure after a good answer (a ping with losses).
"""

from __future__ import annotations

import time
from dataclasses import replace

from ansible_collections.npuops.ascend.plugins.module_utils._hccn_lldp import Lldp, lldp_ifnames, parse_lldp
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_optical import Optical, parse_optical, parse_opticals
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_perftest import RoceTest, parse_roce_test
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_ping import (
    Ping,
    parse_hccs_ping,
    parse_ping,
    parse_pings,
)
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_query import (
    Gateway,
    Ip,
    Ip6,
    SetResult,
    Tls,
    Vnic,
    parse_bandwidth,
    parse_fec,
    parse_gateway,
    parse_gateways,
    parse_ip,
    parse_ip6,
    parse_ips,
    parse_link,
    parse_mac,
    parse_mtu,
    parse_net_health,
    parse_netdetect,
    parse_set,
    parse_several,
    parse_speed,
    parse_tls,
    parse_tls_all,
    parse_version,
    parse_vnic,
    parse_vnics,
)
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_stats import (
    HwStats,
    LinkStat,
    Recovery,
    Route,
    Status,
    parse_cfg_status,
    parse_hw_stats,
    parse_link_stat,
    parse_recovery,
    parse_route,
    parse_stat,
    parse_status,
    split_devices,
)
from ansible_collections.npuops.ascend.plugins.module_utils._hccn_text import (
    HccnBusy,
    HccnError,
    HccnParseError,
    HccnReported,
    HccnUnsupported,
    reported,
    split_answers,
)
from ansible_collections.npuops.ascend.plugins.module_utils._inside import NO_COMMAND, prefix_of
from ansible_collections.npuops.ascend.plugins.module_utils._run import Completed, ToolNotFound, VendorError, run

HCCN_TOOL = "/usr/local/Ascend/driver/tools/hccn_tool"
_MISSING = "Install the Ascend driver (it brings hccn_tool), or give the path in the option hccn_tool."
_MISSING_INSIDE = "Mount it into the container, read-only, beside /etc/hccn.conf and the driver's lib64."
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 4.0
# -ping has no option for their number.
_PING_PACKETS = 3


class HccnTool:
    """One hccn_tool executable. Each method runs one command on one NPU (its phy id) and returns values.

    The tool serves one call per NPU at a time: run the commands of one NPU one after the other, NPUs side by side
    (L(side_by_side) with as many workers as NPUs). A "busy" answer is retried up to ``busy_retries`` times with growing
    waits, for that NPU alone: with 8 retries at most 19.75 s. ``waited`` maps each phy id (None for ``-a``) to seconds.

    Raises L(ToolNotFound), L(ToolTimeout) (after ``timeout`` seconds for one command), L(HccnReported) with its kinds
    L(HccnBusy) and L(HccnUnsupported), L(HccnParseError), all L(VendorError), each with the run in ``command``.
    ``complaints`` collects what is odd but no failure: an exit status other than 0 with a good answer.
    With ``container`` the tool of that running container is asked, as a process in it would.
    """

    def __init__(
        self,
        path: str = HCCN_TOOL,
        timeout: float = 60.0,
        busy_retries: int = 8,
        sleep=time.sleep,
        clock=time.monotonic,
        container: str | None = None,
    ) -> None:
        self.path = path
        self.container = container
        self.timeout = timeout
        self.busy_retries = busy_retries
        self.waited: dict = {}
        self.complaints: list = []
        self._sleep = sleep
        self._clock = clock

    def get_ip(self, phy_id: int) -> Ip | None:
        """``-ip -g``; None if the NPU has no address."""
        return self.ask(parse_ip, "-i", phy_id, "-ip", "-g")

    def get_ip6(self, phy_id: int) -> Ip6 | None:
        """``-ip -inet6 -g``; None if the NPU has no such address."""
        return self.ask(parse_ip6, "-i", phy_id, "-ip", "-inet6", "-g")

    def get_link(self, phy_id: int) -> str:
        """``-link -g``: "UP" or "DOWN"."""
        return self.ask(parse_link, "-i", phy_id, "-link", "-g")

    def get_net_health(self, phy_id: int) -> str:
        """``-net_health -g``: "Success", or why not; "Init" where no netdetect address is set."""
        return self.ask(parse_net_health, "-i", phy_id, "-net_health", "-g")

    def get_netdetect(self, phy_id: int) -> str | None:
        """``-netdetect -g``; None if none is set."""
        return self.ask(parse_netdetect, "-i", phy_id, "-netdetect", "-g")

    def get_gateway(self, phy_id: int) -> Gateway | None:
        """``-gateway -g``; None if none is set."""
        return self.ask(parse_gateway, "-i", phy_id, "-gateway", "-g")

    def get_tls(self, phy_id: int) -> Tls:
        """``-tls -g``"""
        return self.ask(parse_tls, "-i", phy_id, "-tls", "-g")

    def get_speed(self, phy_id: int) -> int | None:
        """``-speed -g`` in Mb/s; None if unknown."""
        return self.ask(parse_speed, "-i", phy_id, "-speed", "-g")

    def get_mtu(self, phy_id: int) -> int:
        """``-mtu -g`` in bytes."""
        return self.ask(parse_mtu, "-i", phy_id, "-mtu", "-g")

    def get_mac(self, phy_id: int) -> str:
        """``-mac -g``"""
        return self.ask(parse_mac, "-i", phy_id, "-mac", "-g")

    def get_fec(self, phy_id: int) -> str:
        """``-fec -g``"""
        return self.ask(parse_fec, "-i", phy_id, "-fec", "-g")

    def get_vnic(self, phy_id: int) -> Vnic:
        """``-vnic -g``"""
        return self.ask(parse_vnic, "-i", phy_id, "-vnic", "-g")

    def get_lldp(self, phy_id: int) -> Lldp | None:
        """``-lldp -g``; None if no neighbour speaks LLDP."""
        return self.ask(parse_lldp, "-i", phy_id, "-lldp", "-g")

    def get_link_stat(self, phy_id: int) -> LinkStat:
        """``-link_stat -g``"""
        return self.ask(parse_link_stat, "-i", phy_id, "-link_stat", "-g")

    def get_stat(self, phy_id: int) -> dict:
        """``-stat -g``: counters by name."""
        return self.ask(parse_stat, "-i", phy_id, "-stat", "-g")

    def get_hw_stats(self, phy_id: int) -> HwStats:
        """``-hw_stats -g``"""
        return self.ask(parse_hw_stats, "-i", phy_id, "-hw_stats", "-g")

    def get_optical(self, phy_id: int) -> Optical:
        """``-optical -g``; L(HccnUnsupported) on a copper cable."""
        return self.ask(parse_optical, "-i", phy_id, "-optical", "-g")

    def get_route(self, phy_id: int) -> Route:
        """``-route -g``"""
        return self.ask(parse_route, "-i", phy_id, "-route", "-g")

    def get_status(self, phy_id: int) -> Status:
        """``-status -g``"""
        return self.ask(parse_status, "-i", phy_id, "-status", "-g")

    def get_bandwidth(self, phy_id: int) -> dict:
        """``-bandwidth -g``: what goes over the port now, ``tx_mb_s`` and ``rx_mb_s``."""
        return self.ask(parse_bandwidth, "-i", phy_id, "-bandwidth", "-g")

    def get_version(self, phy_id: int) -> dict:
        """``-version -g``: driver and firmware of the network."""
        return self.ask(parse_version, "-i", phy_id, "-version", "-g")

    def get_cfg_status(self, phy_id: int) -> str:
        """``-cfg status``: how the recovery at boot ended, "SUCCESS", "NONE" …"""
        return self.ask(parse_cfg_status, "-i", phy_id, "-cfg", "status")

    def ping(self, phy_id: int, address: str, packets: int | None = None, size: int | None = None) -> Ping:
        """``-ping -g address ADDRESS [pkt SIZE]``; ``size`` is the payload in bytes (0 to 65507).

        The tool sends three packets; for more it is run again until ``packets`` are sent, and the results are summed.
        """
        arguments = ["address", address, *([] if size is None else ["pkt", size])]
        total = self.ask(parse_ping, "-i", phy_id, "-ping", "-g", *arguments)
        while packets is not None and 0 < total.transmitted < packets:
            total = total.plus(self.ask(parse_ping, "-i", phy_id, "-ping", "-g", *arguments))
        return total

    def hccs_ping(
        self,
        phy_id: int,
        address: str,
        packets: int | None = None,
        size: int | None = None,
        interval_ms: int | None = None,
        timeout_ms: int | None = None,
    ) -> Ping:
        """``-hccs_ping -g address ADDRESS``: A3, over the super pod's own network, to a vNIC address.

        ``packets`` 1 to 1000 (default 3), ``size`` 1792 to 3000 bytes.
        """
        options = {"pkt": size, "cnt": packets, "interval": interval_ms, "timeout": timeout_ms}
        given = [word for key, value in options.items() if value is not None for word in (key, value)]
        return self.ask(parse_hccs_ping, "-i", phy_id, "-hccs_ping", "-g", "address", address, *given)

    def set_ip(self, phy_id: int, address: str, netmask: str) -> SetResult:
        """``-ip -s``. The driver writes it into /etc/hccn.conf too, as with all set commands."""
        return self.set("-i", phy_id, "-ip", "-s", "address", address, "netmask", netmask)

    def set_gateway(self, phy_id: int, gateway: str) -> SetResult:
        """``-gateway -s``; must lie in the network of the NPU's address."""
        return self.set("-i", phy_id, "-gateway", "-s", "gateway", gateway)

    def set_netdetect(self, phy_id: int, address: str | None) -> SetResult:
        """``-netdetect -s``; None sets 0.0.0.0, which is none."""
        return self.set("-i", phy_id, "-netdetect", "-s", "address", address or "0.0.0.0")

    def set_tls(self, phy_id: int, enable: bool) -> SetResult:
        """``-tls -s enable 0|1``"""
        return self.set("-i", phy_id, "-tls", "-s", "enable", 1 if enable else 0)

    def set_mtu(self, phy_id: int, size: int) -> SetResult:
        """``-mtu -s size``: 68 to 9702 bytes."""
        return self.set("-i", phy_id, "-mtu", "-s", "size", size)

    def set_link(self, phy_id: int, up: bool) -> SetResult:
        """``-link -s up|down``"""
        return self.set("-i", phy_id, "-link", "-s", "up" if up else "down")

    def recovery(self, phy_id: int | None = None, timeout: float | None = None) -> Recovery:
        """``-cfg recovery``: set what /etc/hccn.conf says, for one NPU or for all. A sick NPU takes up to 300 s."""
        who = ["-a"] if phy_id is None else ["-i", phy_id]

        def judge(done: Completed) -> Recovery:
            _raise_busy(done)
            return parse_recovery(_said(done), done.rc)

        return self._run(judge, (*who, "-cfg", "recovery"), timeout)

    def roce_test(
        self,
        phy_id: int,
        test: str,
        address: str | None = None,
        size: int = 65536,
        iterations: int = 1000,
        tcp: bool = True,
        extra: tuple = (),
        timeout: float | None = None,
    ) -> RoceTest:
        """``-roce_test TEST``, TEST as ``ib_send_bw``. Without ``address`` the NPU receives: start it first.

        A receiver waits until its sender has come (the tool gives up after 1600 s, here ``timeout`` ends it earlier).
        After a receiver or sender that was ended so, and after the last test, call L(roce_test_reset) on both NPUs.
        """
        to = [] if address is None else ["address", address]
        words = ["-s", size, "-n", iterations, *extra, *to, *(["-tcp"] if tcp else [])]
        return self.ask(parse_roce_test, "-i", phy_id, "-roce_test", test, *words, timeout=timeout)

    def roce_test_receive(self, phy_id: int, test: str, **options) -> RoceTest:
        """The receiver of L(roce_test)."""
        return self.roce_test(phy_id, test, None, **options)

    def roce_test_send(self, phy_id: int, test: str, address: str, **options) -> RoceTest:
        """The sender of L(roce_test); ``address`` is the receiving NPU's."""
        return self.roce_test(phy_id, test, address, **options)

    def roce_test_reset(self, phy_id: int) -> SetResult:
        """``-roce_test reset``: end what is left of tests on this NPU."""
        return self.set("-i", phy_id, "-roce_test", "reset")

    def set(self, *arguments) -> SetResult:
        """Run a set command. Refusals are in the answer, judged by text and exit status.

        Raises L(VendorError) only if the tool could not be run, did not end in time or stayed busy.
        """

        def judge(done: Completed) -> SetResult:
            _raise_busy(done)
            return replace(parse_set(_said(done), done.rc), command=done)

        return self._run(judge, arguments)

    def ask(self, parse, *arguments, timeout: float | None = None):
        """Run ``hccn_tool ARGUMENTS`` and return what ``parse`` makes of its text (stdout, then stderr)."""

        def judge(done: Completed):
            if not _said(done).strip() and (done.rc or parse is not parse_lldp):
                raise HccnError(
                    f"printed nothing and ended with exit status {done.rc}",
                    "Run it by hand as root on the machine; the driver may be gone, or its version too old.",
                )
            answer = parse(_said(done))
            # "No ip was preset there!" is an answer, and its exit status the usual one.
            if done.rc and answer is not None:
                self.complaints.append(f"{done.shown} printed its answer but ended with exit status {done.rc}")
            return answer

        return self._run(judge, arguments, timeout)

    def _run(self, judge, arguments, timeout: float | None = None):
        """Run the command until it is not busy any more, and return what ``judge`` makes of the L(Completed)."""
        phy_id = arguments[1] if arguments[0] == "-i" else None
        began = self._clock()
        wait = _FIRST_WAIT
        for retries_left in range(self.busy_retries, -1, -1):
            argv = (*prefix_of(self.container), self.path, *arguments)
            done = run(argv, timeout or self.timeout, missing=_MISSING)
            if self.container and done.rc in NO_COMMAND:
                raise ToolNotFound(f"container {self.container} cannot run {self.path}", _MISSING_INSIDE, done)
            try:
                return judge(done)
            except HccnBusy as busy:
                busy.command = done
                if not retries_left:
                    busy.waited = round(self._clock() - began, 3)
                    asked = f"{self.busy_retries + 1} times in {busy.waited:g} s" if self.busy_retries else "once"
                    busy.reason = f"{busy.reason} (asked {asked})"
                    raise
            except VendorError as error:
                error.command = done
                raise
            self._sleep(wait)
            self.waited[phy_id] = self.waited.get(phy_id, 0.0) + wait
            wait = min(2 * wait, _LONGEST_WAIT)
        raise AssertionError("busy_retries is negative")


def _raise_busy(done: Completed) -> None:
    error = reported(_said(done))
    if isinstance(error, HccnBusy):
        raise error


def _said(done: Completed) -> str:
    return done.stdout + ("\n" if done.stdout and not done.stdout.endswith("\n") else "") + done.stderr


__all__ = [
    "Gateway", "HCCN_TOOL", "HccnBusy", "HccnError", "HccnParseError", "HccnReported", "HccnTool",
    "HccnUnsupported", "HwStats", "Ip", "Ip6", "LinkStat", "Lldp", "Optical", "Ping", "Recovery", "RoceTest",
    "Route", "SetResult", "Status", "Tls", "VendorError", "Vnic", "lldp_ifnames", "parse_bandwidth",
    "parse_cfg_status", "parse_fec", "parse_gateway", "parse_gateways", "parse_hccs_ping", "parse_hw_stats",
    "parse_ip", "parse_ip6", "parse_ips", "parse_link", "parse_link_stat", "parse_lldp", "parse_mac",
    "parse_mtu", "parse_net_health", "parse_netdetect", "parse_optical", "parse_opticals", "parse_ping",
    "parse_pings", "parse_recovery", "parse_roce_test", "parse_route", "parse_set", "parse_several", "parse_speed",
    "parse_stat", "parse_status", "parse_tls", "parse_tls_all", "parse_version", "parse_vnic", "parse_vnics",
    "split_answers", "split_devices",
]  # fmt: skip

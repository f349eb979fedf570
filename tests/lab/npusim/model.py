# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hardware model: what a server is made of, in typed values.

A ``Machine`` is what the state file stores (nothing running on it). ``npusim.processes.observe`` turns
it into the same type with the memory that running processes claim added; renderers take that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Tuple

HEALTH = ("OK", "Warning", "Alarm", "Critical", "UNKNOWN")
# Chip families as npu-smi tells them apart; the layout of every table depends on it.
FAMILIES = ("310", "310B", "310P", "910", "910B", "910_93", "950")
Pair = Tuple[int, int]


@dataclass
class Optical:
    """The transceiver of a port, as ``hccn_tool -optical`` lists it. Power in mW, bias in mA, voltage in mV.

    Lists go by lane. ``None`` for ``tx_lol``, ``rx_lol`` and the SNR lists: this module has no such line; ``None``
    in an SNR list: not supported.
    """

    temp_c: int = 50
    vendor: str = "INNOLIGHT"
    part_number: str = "TR-FC85S-N00"
    serial_number: str = "INKBA0000000"
    org_id: list[int] = field(default_factory=lambda: [0x44, 0x7C, 0x0])
    identifier: str = "QSFP28 or later"
    wave_nm: int = 850
    date: str = "2020.7.4"
    present: bool = True
    high_power: bool = True
    vcc_mv: float = 3257.8
    tx_power: list[float] = field(default_factory=lambda: [0.9585, 0.9483, 0.9417, 1.0090])
    rx_power: list[float] = field(default_factory=lambda: [0.5842, 0.7547, 0.8505, 0.8904])
    vcc_limits_mv: list[float] = field(default_factory=lambda: [3465.0, 3135.0])  # high, low
    temp_limits_c: list[int] = field(default_factory=lambda: [70, 0])
    tx_limits: list[float] = field(default_factory=lambda: [1.7378, 0.1445])
    rx_limits: list[float] = field(default_factory=lambda: [1.7378, 0.0933])
    tx_bias: list[float] = field(default_factory=lambda: [7.904, 7.904, 7.904, 7.904])
    tx_los: int = 0
    rx_los: int = 0
    tx_lol: int | None = None
    rx_lol: int | None = None
    host_snr_db: list[float | None] | None = None
    media_snr_db: list[float | None] | None = None


@dataclass
class Roce:
    """The network port of one chip, as hccn_tool sees it. Addresses are text, ``None`` when not set."""

    address: str | None = None
    netmask: str | None = None
    gateway: str | None = None
    netdetect: str | None = None
    address6: str | None = None
    prefix6: int | None = None
    mac: str = "00:00:00:00:00:00"
    link: str = "UP"  # UP | DOWN
    net_health: str | None = None  # forces the answer of -net_health; None = measured
    speed_mbps: int = 200000
    fec: str = "rs"  # rs | no | auto
    tls_switch: int = 0
    tls_preconfigured: int = 1
    tls_alarm_days: int = 60
    switch_port: str | None = None  # LLDP name of the port on the other side; None = no neighbour
    switch_mac: str = "00:00:00:00:00:00"
    switch_address: str | None = None
    link_records: list[tuple[int, str]] = field(default_factory=list)  # (seconds since the epoch, UP | DOWN), in order
    counters: dict[str, int] = field(default_factory=dict)  # of -stat and -hw_stats; what is missing is 0
    optical: Optical = field(default_factory=Optical)
    busy: int = 0  # calls of hccn_tool for this port still to be refused
    mtu: int = 1500
    loss_pct: float = 0  # of the packets that arrive
    rail: int | None = None  # phy id whose cable is plugged in instead of its own
    vnic_link: str = "UP"
    bandwidth_mb: tuple[float, float] = (0.0, 0.0)  # sent, received
    hang_s: float = 0  # seconds a call waits because the NPU is not ready; from 300 on it fails then
    was: dict[str, dict[str, list[Any]]] = field(default_factory=dict)  # fault -> value -> [before it, made by it]


@dataclass
class Vnpu:
    """A slice of a chip. ``node_at``: when its device node appears, in seconds since the epoch; 0 = at once."""

    vnpu_id: int
    template: str
    vgroup_id: int
    held: bool = False  # by a container, whether or not a process runs in it
    node_at: float = 0


@dataclass
class Chip:
    """One die. Memory in MB, ``(used, total)``; used is the idle baseline in a stored machine."""

    chip_id: int
    phy_id: int
    logic_id: int
    name: str
    bus_id: str | None  # None: not on PCIe (SoC), printed NA
    health: str = "OK"
    power_w: float | None = None  # None: this die has no power reading
    temp_c: int = 40
    hugepages: Pair = (0, 0)
    aicore_pct: int = 0
    memory_mb: Pair = (0, 0)
    hbm_mb: Pair | None = None  # None: this family has no HBM
    leak_mb: int = 0  # held by no process, as after a killed job
    error_codes: list[str] = field(default_factory=list)
    roce: Roce | None = None
    vnpus: list[Vnpu] = field(default_factory=list)  # by ascending id
    refuse_create: int = 0  # create-vnpu calls the kernel still refuses; -1 = all of them
    refuse_destroy: int = 0


@dataclass
class Npu:
    """One card as npu-smi counts it."""

    npu_id: int
    chips: list[Chip]
    absent: bool = False  # fell off the bus: neither listed nor usable
    slot_id: int = 0
    mcu: bool = True
    product_name: str = "NA"
    serial_number: str = "NA"


@dataclass
class Process:
    """A process on a chip. ``memory_mb`` is what it claims; ``container_pid`` only in layouts that show it."""

    pid: int
    name: str
    memory_mb: int
    container_pid: int | None = None


@dataclass
class Machine:
    """A server. ``board`` is ``server``, ``card`` or ``soc`` (npu-smi prints different keys for them)."""

    family: str
    tool_version: str
    driver_version: str
    npus: list[Npu]
    board: str = "server"
    profile: str = ""
    product: str = ""
    node: int = 1
    firmware_version: str = ""
    install_complete: bool = True  # Driver_Install_Status=complete in /etc/ascend_install.info
    compatible: bool = True  # the driver that runs accepts the firmware that runs
    hot_reset: str = "reboot"  # what a driver's installer achieves at once: reboot (nothing) | works | ko-abort
    install_stop: str = ""  # killed | disk-full | power-cut, at which percentage of the next installation: killed@50
    reboot_hangs: bool = False  # the next start never gets as far as SSH
    virtual: bool = False  # a VM or a container on a vNPU
    powered: bool = True  # False: a standalone machine that lost power
    vnpu_mode: str = "docker"  # docker | VM
    work_mode: str = "AMP"  # AMP | SMP; only servers with 910 or 310P chips look at it
    vnpu_node_delay: float = 0  # seconds until the device node of a new vNPU appears
    power_cut_after: int | None = None  # vNPUs still created before the power goes
    busy: dict[str, int] = field(default_factory=dict)  # tool name -> calls still to be refused
    slow: dict[str, float] = field(default_factory=dict)  # tool name -> seconds added to every call
    roce_network: str | None = None  # what the ports of all nodes share
    super_pod: int = 0  # A3: which super pod the server is in
    was: dict[str, dict[str, list[Any]]] = field(default_factory=dict)  # as for a port
    query_s: float = 0  # seconds every call of hccn_tool lasts in all, ports side by side; 0 = as long as it takes
    ping_s: float = 0  # the same for its pings

    def present(self) -> list[Npu]:
        return [npu for npu in self.npus if not npu.absent]

    def chip_by_phy(self, phy_id: int) -> Chip | None:
        return next((c for n in self.npus for c in n.chips if c.phy_id == phy_id), None)

    def chip_of_vnpu(self, vnpu_id: int) -> Chip | None:
        return next((c for n in self.npus for c in n.chips for v in c.vnpus if v.vnpu_id == vnpu_id), None)

    def npu_of_phy(self, phy_id: int) -> Npu | None:
        return next((n for n in self.npus for c in n.chips if c.phy_id == phy_id), None)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Machine:
        """Build from plain JSON data. Raises ``ValueError`` on unknown keys or values out of range."""
        data = dict(data)
        data["npus"] = [_npu(n) for n in data.get("npus", [])]
        machine = _build(cls, data)
        if machine.family not in FAMILIES:
            raise ValueError(f"unknown chip family {machine.family!r}")
        return machine


def _npu(data: dict[str, Any]) -> Npu:
    data = dict(data)
    data["chips"] = [_chip(c) for c in data.get("chips", [])]
    return _build(Npu, data)


def _chip(data: dict[str, Any]) -> Chip:
    data = dict(data)
    data["vnpus"] = [_build(Vnpu, v) for v in data.get("vnpus", [])]
    if data.get("roce") is not None:
        roce = dict(data["roce"])
        roce["link_records"] = [(int(at), str(link)) for at, link in roce.get("link_records", [])]
        if "bandwidth_mb" in roce:
            sent, received = roce["bandwidth_mb"]
            roce["bandwidth_mb"] = (float(sent), float(received))
        roce["optical"] = _build(Optical, roce.get("optical") or {})
        data["roce"] = _build(Roce, roce)
    for key in ("hugepages", "memory_mb", "hbm_mb"):
        if data.get(key) is not None:
            used, total = data[key]
            data[key] = (int(used), int(total))
    chip = _build(Chip, data)
    if chip.health not in HEALTH:
        raise ValueError(f"health is one of {', '.join(HEALTH)}, not {chip.health!r}")
    return chip


def _build(cls: Any, data: dict[str, Any]) -> Any:
    unknown = set(data) - {f.name for f in fields(cls)}
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
    return cls(**data)

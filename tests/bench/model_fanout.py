# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a model takes from one node to all others, beside the loop it replaces and its floor.

    .venv/bin/python tests/bench/model_fanout.py [--nodes 8] [--mb 64] [--rate 8] [--no-aria2]

A node is a directory, and its network card a limit on what it sends (rsync's own C(--bwlimit), shared by what it sends
at the same time), so that the wire and not this machine is what takes the time. All but SSH is real: rsync with its
protocol between two processes, C(_model_plan.fan_out), C(_model_examine.bring) with locks, checksums and renames.

"loop"    the first node sends to the others one after the other (a synchronize task in a loop, throttle 1).
"star"    all others copy from the first at the same time: its card is shared.
"tree"    what the role does: in each round every node that has the model sends it to one that has not.
"aria2"   a BitTorrent swarm of aria2 with a tracker, the same limit on each node's sending, without the verification.
"floor"   the rounds a fleet of this size needs, times the seconds that the bytes take through one card.

The target is tree / floor at most 1.25.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_to_bytes

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from ansible_collections.npuops.ascend.plugins.module_utils._model_examine import bring
from ansible_collections.npuops.ascend.plugins.module_utils._model_manifest import digests, sizes
from ansible_collections.npuops.ascend.plugins.module_utils._model_peer import rsync_argv
from ansible_collections.npuops.ascend.plugins.module_utils._model_plan import fan_out
from ansible_collections.npuops.ascend.plugins.module_utils._model_store import Store
from hub.make import write_model

TARGET = 1.25
# In SSH's place: the other side's rsync is started here.
SHELL = '#!/bin/sh\nshift 3\nexec "$@"\n'


class Fleet:
    """Nodes as directories; the first has the model."""

    def __init__(self, home: Path, nodes: int, size_mb: int, rate: float):
        self.home, self.nodes, self.rate = home, nodes, rate
        self.shell = home / "shell"
        self.shell.write_text(SHELL)
        self.shell.chmod(0o755)
        write_model(str(self.path(0)), shards=4, size=size_mb * 250_000)
        found = sizes(str(self.path(0)))
        sums = digests(str(self.path(0)), found)
        self.manifest = {name: {**entry, "sha256": sums[name]} for name, entry in found.items()}
        self.bytes = sum(entry["size"] for entry in found.values())

    def path(self, node: int) -> Path:
        return self.home / f"node{node}" / "models" / "model"

    def empty(self) -> None:
        for node in range(1, self.nodes):
            shutil.rmtree(self.home / f"node{node}", ignore_errors=True)

    def copy(self, sender: int, taker: int, share: int = 1) -> None:
        """What the module model_copy does on the node that takes; the sender sends to C(share) at the same time."""
        store = Store(str(self.path(taker)), str(self.home / f"node{taker}" / "records"))

        def fetch(names):
            where = {"address": "node", "port": 22, "user": "root", "key": "-", "known_hosts": "-"}
            argv = rsync_argv(str(self.path(sender)), store.partial, where)
            argv[argv.index("-e") + 1] = str(self.shell)
            # As KiB/s, which rsync takes with fractions.
            argv.insert(1, f"--bwlimit={self.rate * 1e6 / 1024 / share:.1f}")
            subprocess.run(argv, input="\0".join(names).encode(), check=True, capture_output=True)

        bring(store, self.manifest, fetch, None, None)

    def check(self) -> None:
        for node in range(self.nodes):
            if sizes(str(self.path(node))) != sizes(str(self.path(0))):
                raise SystemExit(f"node{node} does not have the model")


def loop(fleet: Fleet) -> None:
    for taker in range(1, fleet.nodes):
        fleet.copy(0, taker)


def star(fleet: Fleet) -> None:
    with ThreadPoolExecutor(fleet.nodes) as pool:
        list(pool.map(lambda taker: fleet.copy(0, taker, fleet.nodes - 1), range(1, fleet.nodes)))


def tree(fleet: Fleet) -> None:
    with ThreadPoolExecutor(fleet.nodes) as pool:
        for pairs in fan_out([0], list(range(1, fleet.nodes))):
            list(pool.map(lambda pair: fleet.copy(*pair), pairs))


def bencode(value) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, str):
        return bencode(value.encode())
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


class Tracker(BaseHTTPRequestHandler):
    """Tells each peer of all others."""

    peers: dict

    def do_GET(self):
        query = dict(part.split("=", 1) for part in self.path.partition("?")[2].split("&") if "=" in part)
        self.peers[unquote_to_bytes(query["peer_id"])] = (self.client_address[0], int(query["port"]))
        peers = b"".join(socket.inet_aton(host) + struct.pack(">H", port) for host, port in self.peers.values())
        body = bencode({"interval": 1, "min interval": 1, "peers": peers})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Quiet."""


def torrent(fleet: Fleet, announce: str, piece: int = 1 << 20) -> bytes:
    names = sorted(fleet.manifest)
    data = b"".join((fleet.path(0) / name).read_bytes() for name in names)
    pieces = b"".join(hashlib.sha1(data[at : at + piece]).digest() for at in range(0, len(data), piece))
    files = [{"length": fleet.manifest[name]["size"], "path": [name]} for name in names]
    info = {"files": files, "name": "model", "piece length": piece, "pieces": pieces}
    return bencode({"announce": announce, "info": info})


def done(path: Path) -> bool:
    return path.exists() and not path.with_name("model.aria2").exists()


def aria2(fleet: Fleet) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Tracker", (Tracker,), {"peers": {}}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = fleet.home / "model.torrent"
    file.write_bytes(torrent(fleet, f"http://127.0.0.1:{server.server_address[1]}/announce"))
    running = []
    for node in range(fleet.nodes):
        os.makedirs(fleet.path(node).parent, exist_ok=True)
        argv = ["aria2c", str(file), f"--dir={fleet.path(node).parent}", f"--max-upload-limit={int(fleet.rate * 1e6)}"]
        argv += ["--enable-dht=false", "--bt-enable-lpd=false", "--enable-peer-exchange=true", "--seed-ratio=0.0"]
        argv += ["--bt-tracker-interval=1", f"--listen-port={26000 + node}", "--file-allocation=none", "--quiet=true"]
        argv += [
            "--check-integrity=true",
            "--bt-request-peer-speed-limit=1000M",
            "--disable-ipv6=true",
            f"--interface=127.0.1.{node + 1}",
        ]
        running.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    deadline = time.monotonic() + 20 * fleet.bytes / fleet.rate / 1e6
    try:
        while not all(done(fleet.path(node)) for node in range(fleet.nodes)):
            if time.monotonic() > deadline:
                raise SystemExit("aria2 did not end in 20 times the seconds of one copy")
            time.sleep(0.1)
    finally:
        for process in running:
            process.kill()
            process.wait()
        server.shutdown()
        server.server_close()
    fleet.check()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--mb", type=int, default=64, help="size of the model")
    parser.add_argument("--rate", type=float, default=8.0, help="MB/s that a node's card sends")
    parser.add_argument("--no-aria2", action="store_true")
    asked = parser.parse_args()
    ways = {"tree": tree, "star": star, "loop": loop}
    if shutil.which("aria2c") and not asked.no_aria2:
        ways["aria2"] = aria2
    with tempfile.TemporaryDirectory() as home:
        fleet = Fleet(Path(home), asked.nodes, asked.mb, asked.rate)
        rounds = math.ceil(math.log2(asked.nodes))
        floor = rounds * fleet.bytes / asked.rate / 1e6
        print(f"{asked.nodes} nodes, {fleet.bytes / 1e6:.0f} MB, {asked.rate:g} MB/s a card, {rounds} rounds")
        print(f"  {'floor':6} {floor:6.1f} s")
        seconds = {}
        for name, way in ways.items():
            fleet.empty()
            started = time.monotonic()
            way(fleet)
            seconds[name] = time.monotonic() - started
            fleet.check()
            print(f"  {name:6} {seconds[name]:6.1f} s  {seconds[name] / floor:5.2f} of the floor", flush=True)
        ratio = seconds["tree"] / floor
        print(
            f"tree is {seconds['loop'] / seconds['tree']:.1f} times as fast as the loop; tree/floor {ratio:.2f}", end=""
        )
        print(f" (target {TARGET}: {'met' if ratio <= TARGET else 'MISSED'})")


if __name__ == "__main__":
    main()

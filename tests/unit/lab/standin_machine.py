# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder with eight NPUs, and the stand-in's servers on it, for tests."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

IMAGE = Path(__file__).resolve().parents[2] / "lab" / "images" / "vllm-ascend"
STANDIN = IMAGE / "rootfs" / "opt" / "standin"
MODEL_LEN = 256

# The part of the driver's interface a worker uses; HBM is a file of this folder, held while the process lives.
DRIVER = """
import os
from pathlib import Path
USED = Path(__file__).with_name("used")
class OutOfMemory(Exception):
    pass
class Device:
    hbm_total_mb = 65536
    def __init__(self, phy_id):
        self.path = USED / str(phy_id)
    @property
    def hbm_free_mb(self):
        return 62000 - (int(self.path.read_text()) if self.path.exists() else 0)
    def allocate(self, mb):
        if mb > self.hbm_free_mb:
            raise OutOfMemory(f"{mb} MiB")
        self.path.write_text(str(mb))
    def close(self):
        self.path.unlink(missing_ok=True)
def open_device(phy_id):
    if phy_id == 7:
        raise RuntimeError("DrvMngGetConsoleLogLevel failed: device 7 is not ready")
    return Device(phy_id)
"""


class Machine:
    """Eight NPUs in a folder, on which servers can be started."""

    def __init__(self, root: Path, release: str) -> None:
        self.used = root / "lib64" / "npusim" / "used"
        self.used.mkdir(parents=True)
        (root / "lib64" / "npusim" / "__init__.py").touch()
        (root / "lib64" / "npusim" / "device.py").write_text(DRIVER)
        (root / "dev").mkdir()
        for name in ("davinci_manager", *(f"davinci{number}" for number in (0, 1, 2, 3, 4, 5, 6, 7))):
            (root / "dev" / name).touch()
        (root / "home").mkdir()
        (root / "home" / "cli").symlink_to(STANDIN / "cli")
        (root / "home" / "release.json").write_text((IMAGE / "releases" / f"{release}.json").read_text())
        self.model = root / "model"
        self.model.mkdir()
        self.describe(max_position_embeddings=MODEL_LEN)
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ASCEND", "VLLM", "NPU"))},
            "PYTHONPATH": str(STANDIN),
            "PYTHONUNBUFFERED": "1",
            "NPUOPS_STANDIN_HOME": str(root / "home"),
            "NPUOPS_STANDIN_DRIVER_LIB": str(root / "lib64"),
            "NPUOPS_STANDIN_DEVICE_DIR": str(root / "dev"),
            "NPUOPS_STANDIN_LOAD_SECONDS": "0",
            "NPUOPS_STANDIN_TOKEN_SECONDS": "0.001",
        }

    def describe(self, **values: object) -> None:
        described = {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 28}
        (self.model / "config.json").write_text(json.dumps({**described, **values}))

    def command(self, *words: str) -> list[str]:
        start = "import sys; from vllm_standin.main import main; sys.exit(main())"
        return [sys.executable, "-c", start, *words]

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself; stdout and stderr together."""
        return subprocess.run(
            self.command(*words), env={**self.env, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    def held(self) -> dict[int, int]:
        """MiB held of each NPU in use."""
        return {int(path.name): int(path.read_text()) for path in self.used.iterdir()}


class Server:
    """A running `vllm serve`."""

    def __init__(self, machine: Machine, *words: str, **env: str) -> None:
        command = machine.command("serve", str(machine.model), "--host", "127.0.0.1", "--port", "0", *words)
        self.process = subprocess.Popen(
            command, env={**machine.env, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.log = ""
        while not (running := re.search(r"Uvicorn running on http://127.0.0.1:(\d+)", self.log)):
            line = self.process.stdout.readline()
            assert line, f"the server ended: {self.log}"
            self.log += line
        self.port = int(running[1])
        self.model = str(machine.model)

    def ask(self, method, path, body=None, **headers):
        """`(status, headers, text)` of one request; a body that is not text is sent as JSON."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            if body is not None and not isinstance(body, (str, bytes)):
                body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def post(self, path, body, **headers):
        status, _headers, text = self.ask("POST", path, body, **headers)
        return status, json.loads(text)

    def chat(self, text="Hello there", **more):
        return self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": text}], **more})

    def metrics(self):
        """Values by `name{labels}`."""
        lines = self.ask("GET", "/metrics")[2].splitlines()
        return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def metric(self, name, **labels):
        """The sum of a metric over its label sets, those with other values of `labels` left out."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        rows = self.metrics().items()
        return sum(value for key, value in rows if key.split("{")[0] == name and all(word in key for word in wanted))

    def end(self, number=signal.SIGTERM):
        """Send a signal, if the server still runs, and return `(exit code, rest of the log)`."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        rest = self.process.communicate(timeout=20)[0]
        return self.process.returncode, rest

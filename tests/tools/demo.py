# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make demo``: from nothing to a chat reply of a served model on lab nodes, one stage after the other.

Every stage is a command the user can type too. Its output goes to the terminal and to a log; the first stage that
fails ends the demo with that stage's exit code. All stages are idempotent, so running it again is quick and harmless.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

ROOT = Path(__file__).resolve().parents[2]
LABCTL = "tests/lab/labctl"
LOGS = ROOT / ".cache" / "demo"


class StageFailed(Exception):
    """A stage's command ended with a code other than 0; the message names the command and its log."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Stage:
    """One step: what the reader is told, and the command, run from the repository's root."""

    name: str
    title: str
    command: Sequence[str]


def stages(lab: str, nodes: int, profile: str) -> list[Stage]:
    """The demo's steps in order."""
    return [
        Stage("engine", "Make sure a Docker engine answers", (LABCTL, "engine", "ensure")),
        Stage("images", "Build the lab images", (LABCTL, "images")),
        Stage(
            "lab",
            f"Boot {nodes} bare nodes ({profile})",
            (LABCTL, "up", "--lab", lab, "--nodes", str(nodes), "--profile", profile),
        ),
        Stage("site", "ansible-playbook site.yml", ("ansible-playbook", "site.yml")),
    ]


def run_stage(stage: Stage, log_path: Path, env: dict[str, str]) -> float:
    """Run one stage, copying its output to the terminal and the log. Return its seconds; raise StageFailed."""
    print(f"\n=== {stage.title}", flush=True)
    started = time.monotonic()
    with log_path.open("wb") as log, subprocess.Popen(
        stage.command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        # read1: what is there, at once; a progress line must not wait for a full buffer.
        while chunk := process.stdout.read1(65536):  # type: ignore[attr-defined]
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            log.write(chunk)
        code = process.wait()
    if code:
        command = shlex.join(stage.command)
        raise StageFailed(f"{stage.title}: '{command}' ended with {code}; its output is in {log_path}", code)
    return time.monotonic() - started


def read_endpoints(path: Path) -> list[dict[str, Any]]:
    """What ``playbooks/verify.yml`` found; StageFailed when it has not written anything."""
    try:
        endpoints = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise StageFailed(f"site.yml ended well, but {path} cannot be read ({exc})", 1) from exc
    if not endpoints:
        raise StageFailed(f"site.yml ended well, but no service answered: {path} is empty", 1)
    return endpoints


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows, the first being the header, as aligned columns; ``right`` holds the columns aligned to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = (cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths)))
        return ("  " + "  ".join(cells)).rstrip()

    rule = "  " + "  ".join("-" * width for width in widths)
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def endpoint_table(endpoints: Sequence[dict[str, Any]]) -> str:
    """The endpoints as a table; ``nodes`` may be a number or a list of names."""
    rows = [["SERVICE", "MODEL", "NODES", "NPUS", "ENDPOINT", "REPLY AFTER"]]
    for endpoint in endpoints:
        nodes = endpoint["nodes"]
        rows.append(
            [
                str(endpoint["service"]),
                str(endpoint["model"]),
                ", ".join(nodes) if isinstance(nodes, list) else str(nodes),
                str(endpoint["npus"]),
                str(endpoint["url"]),
                f"{float(endpoint['seconds']):.2f} s",
            ]
        )
    return table(rows, right=(3, 5))


def duration(seconds: float) -> str:
    """``7.3 s`` or ``2 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def next_steps(lab: str, url: str) -> str:
    """What to type next, with the lab's name where it is not the default."""
    chosen = "" if lab == "lab" else f"NPUOPS_LAB={lab} "
    make = "" if lab == "lab" else f" LAB={lab}"
    labctl = LABCTL + " ssh" + ("" if lab == "lab" else f" --lab {lab}")
    base = url.rstrip("/")
    base = base[: -len("/v1")] if base.endswith("/v1") else base
    pairs = [
        (f"curl -s {base}/v1/models", "ask the service yourself"),
        (f"{labctl} node1 npu-smi info", "see who holds the NPUs"),
        (f". .venv/bin/activate; {chosen}ansible-playbook site.yml", "again: changed=0"),
        (f"make lab-status{make}", "what runs"),
        ("make test", "the tests CI runs"),
        ("make lab-down", "remove everything the lab made"),
    ]
    width = max(len(command) for command, _why in pairs)
    return "\n".join(f"  {command.ljust(width)}  # {why}" for command, why in pairs)


def demo(lab: str, nodes: int, profile: str, since: float | None) -> None:
    """Run all stages and print what came of them; raise StageFailed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "NPUOPS_LAB": lab, "PYTHONUNBUFFERED": "1"}
    if sys.stdout.isatty():
        # Its output goes through a pipe, where Ansible would leave colour out.
        env["ANSIBLE_FORCE_COLOR"] = "1"
    times = [("venv", time.time() - since)] if since is not None else []
    report = ROOT / ".lab" / lab / "endpoints.json"
    # Only an answer of this run may be shown.
    report.unlink(missing_ok=True)
    for stage in stages(lab, nodes, profile):
        times.append((stage.name, run_stage(stage, LOGS / f"{stage.name}.log", env)))
    endpoints = read_endpoints(report)

    print("\n=== Endpoints\n")
    print(endpoint_table(endpoints))
    for endpoint in endpoints:
        says = f"{endpoint['service']} says: {str(endpoint['reply']).strip()}"
        print("\n" + textwrap.fill(says, width=100, initial_indent="  ", subsequent_indent="  "))
    print("\n=== How long it took\n")
    rows = [["STAGE", "TIME"], *([name, duration(seconds)] for name, seconds in times)]
    rows.append(["total", duration(sum(seconds for _name, seconds in times))])
    print(table(rows, right=(1,)))
    print("\n=== What to type next\n")
    print(next_steps(lab, str(endpoints[0]["url"])), flush=True)


def main() -> int:
    """Parse the command line, run the demo, and turn a failed stage into one sentence and its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lab", default="lab", help="name of the lab (default: lab)")
    parser.add_argument("--nodes", type=int, default=2, help="how many nodes (default: 2)")
    parser.add_argument("--profile", default="atlas-800i-a2-64g", help="machine to emulate")
    parser.add_argument("--since", type=float, help="epoch seconds at which the environment began to be built")
    args = parser.parse_args()
    try:
        demo(args.lab, args.nodes, args.profile, args.since)
    except StageFailed as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        print("\ndemo: interrupted: 'make demo' goes on from here, 'make lab-down' removes it all", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

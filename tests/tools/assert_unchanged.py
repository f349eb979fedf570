#!/usr/bin/env python3
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a playbook with ``--check --diff`` and fail unless every host ends with changed=0, failed=0, unreachable=0.

Usage: assert_unchanged.py PLAYBOOK [further arguments of ansible-playbook]. What would change is printed with its diff.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Iterator


def main(arguments: list[str]) -> int:
    """Return 0 if nothing would change, 1 if something would, 2 if the run said nothing usable."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    command = [sys.executable, "-m", "ansible", "playbook", "--check", "--diff", *arguments]
    # The recap as data: text is coloured, wrapped and reworded between releases.
    env = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=False)
    try:
        # Callbacks that print times write behind it.
        report, _end = json.JSONDecoder().raw_decode(run.stdout, run.stdout.index("{"))
    except ValueError:
        print(f"{' '.join(command)} ended with {run.returncode} and no report:\n{run.stdout}", file=sys.stderr)
        return 2
    problems = list(find_problems(report))
    if not report["stats"]:
        problems.append("no host took part: is the inventory empty?")
    if run.returncode and not problems:
        problems.append(f"ansible-playbook ended with {run.returncode}")
    for problem in problems:
        print(problem)
    for host, stats in sorted(report["stats"].items()):
        print(f"{host}: " + " ".join(f"{key}={stats[key]}" for key in ("ok", "changed", "unreachable", "failures")))
    return 1 if problems else 0


def find_problems(report: dict[str, Any]) -> Iterator[str]:
    """Yield one text for each host and task which would change or failed, from the callback's report.

    The recap counts too: it is the contract, and a task the report left out must not hide.
    """
    for play in report["plays"]:
        for task in play["tasks"]:
            for host, result in task["hosts"].items():
                if result.get("changed"):
                    diff = json.dumps(result.get("diff", "no diff"), indent=1)
                    yield f"would change on {host}: {task['task']['name']}\n{diff}"
    for host, stats in report["stats"].items():
        for key in ("changed", "failures", "unreachable"):
            if stats[key]:
                yield f"{host}: {key}={stats[key]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

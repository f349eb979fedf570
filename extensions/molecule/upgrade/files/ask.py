# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask endpoints again and again, until a file appears, and write who answered: ``ask.py STOP REPORT URL...``.

REPORT is JSON: ``rounds``, ``silent`` (rounds in which nobody answered), and for each URL ``answered`` and ``gaps``
(how often it fell silent).
"""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import sys
import time
import urllib.error
import urllib.request

ROUND = 0.5


def answers(url: str) -> bool:
    """Whether the endpoint gives a completion, not only a sign of life."""
    body = json.dumps({"model": url.split("#")[1], "prompt": "hello", "max_tokens": 4}).encode()
    request = urllib.request.Request(
        url.split("#")[0] + "/v1/completions", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return bool(json.load(reply)["choices"])
    except (OSError, ValueError, KeyError):
        return False


def main() -> None:
    stop, report, urls = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    counts = {url: {"answered": 0, "gaps": 0} for url in urls}
    last = dict.fromkeys(urls, True)
    rounds = silent = 0
    with concurrent.futures.ThreadPoolExecutor(len(urls)) as pool:
        while not stop.exists():
            begun = time.monotonic()
            now = dict(zip(urls, pool.map(answers, urls), strict=True))
            rounds += 1
            silent += not any(now.values())
            for url, ok in now.items():
                counts[url]["answered"] += ok
                counts[url]["gaps"] += last[url] and not ok
            last = now
            time.sleep(max(0.0, ROUND - (time.monotonic() - begun)))
    report.write_text(json.dumps({"rounds": rounds, "silent": silent, "endpoints": counts}))


if __name__ == "__main__":
    main()

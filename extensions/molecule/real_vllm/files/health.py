# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /health says, ten times a second, until it is well again: health.py URL SECONDS.

Prints JSON, ``[[status, seconds since the start], ...]`` with one entry for each change; status 0 is no answer. Ends
when there was something else than 200 and then 200 again, or with code 1 after SECONDS.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
import urllib.parse


def status(address: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def main(url: str, seconds: float) -> int:
    address, start, seen = urllib.parse.urlsplit(url).netloc, time.monotonic(), []
    while time.monotonic() - start < seconds:
        now = status(address)
        if not seen or seen[-1][0] != now:
            seen.append([now, round(time.monotonic() - start, 1)])
        if now == 200 and len(seen) > 1:
            break
        time.sleep(0.1)
    print(json.dumps(seen))
    return 0 if len(seen) > 1 and seen[-1][0] == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))

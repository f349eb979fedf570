# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time of one check. This module util is PRIVATE to the collection. It can have breaking changes at any time."""

from __future__ import annotations

import time


class Over(Exception):
    """The deadline has passed, or would while waiting."""


class Clock:
    """Time of one call. ``left()`` until the deadline; without one there is always more."""

    def __init__(self, deadline: float | None = None, now=time.monotonic, sleep=time.sleep) -> None:
        self.deadline = deadline
        self._now = now
        self._sleep = sleep
        self._began = now()

    def elapsed(self) -> float:
        return self._now() - self._began

    def left(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - self.elapsed()

    def sleep(self, seconds: float) -> None:
        """Raises L(Over) at once if that is longer than what is left."""
        if seconds > self.left():
            raise Over
        if seconds > 0:
            self._sleep(seconds)


__all__ = ["Clock", "Over"]

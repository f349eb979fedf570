# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One side of a bandwidth test between two NPUs. The other side runs on another node at the same time.

The receiver has to be there first, and nothing tells the sender that it is: so the sender waits, and tries again
while it is refused. Afterwards both sides are reset, because an interrupted test goes on in the NPU.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._hccn_tool import HccnUnsupported
from ._roce_check_clock import Over
from ._run import ToolNotFound, ToolTimeout, VendorError

RECEIVER, SENDER = "receiver", "sender"
# Nodes begin a task within this time of each other; a receiver is ready at once.
HEAD_START_S = 3.0
RETRY_S = 2.0


def measure(talk, wish: dict, seconds: float) -> dict:
    """Receive or send once on the NPU of ``talk`` (a L(Conversation)), and reset it.

    :arg wish: mapping with phy_id, role, peer, peer_phy_id, address, test, size and iterations; ``address`` is that of
        the receiver, which only the sender needs.
    :arg seconds: after which a side that has found no other gives up.
    Raises L(ToolNotFound); whatever else goes wrong is in C(error).
    """
    result = {**wish, "gbits": None, "bw_avg": None, "bw_unit": None, "error": None, "remedy": None, "duration_s": 0.0}
    if talk.ended is not None:
        return {**result, "error": f"not tried: the NPU {talk.ended.reason}", "remedy": talk.ended.remedy}
    clock = talk.clock
    began = clock.elapsed()
    ends = began + min(seconds, clock.left())
    talk.tool.timeout = talk.timeout
    try:
        answer = _run(talk, wish, None, ends) if wish["role"] == RECEIVER else _send(talk, wish, ends)
        result.update(gbits=answer.gbits, bw_avg=answer.bw_avg, bw_unit=answer.bw_unit)
    except ToolNotFound:
        raise
    except ToolTimeout:
        other = "sender came" if wish["role"] == RECEIVER else "result"
        result.update(
            error=f"no {other} within {ends - began:g} s",
            remedy="run both sides in the same task, with as many forks as nodes, and see that a ping gets through",
        )
    except Over:
        result.update(error=f"{clock.deadline:g} s were over (deadline)", remedy="raise the deadline")
    except VendorError as error:
        result.update(error=error.reason, remedy=error.remedy.rstrip("."))
    result.update({key: value for key, value in _reset(talk).items() if result["error"] is None})
    result["duration_s"] = round(clock.elapsed() - began, 3)
    return result


def _run(talk, wish: dict, address: str | None, ends: float):
    return talk.tool.roce_test(
        talk.phy_id,
        wish["test"],
        address,
        size=wish["size"],
        iterations=wish["iterations"],
        timeout=max(ends - talk.clock.elapsed(), 0.1),
    )


def _send(talk, wish: dict, ends: float):
    clock = talk.clock
    clock.sleep(min(HEAD_START_S, max(ends - clock.elapsed(), 0)))
    while True:
        try:
            return _run(talk, wish, wish["address"], ends)
        except (ToolNotFound, ToolTimeout, HccnUnsupported):
            raise
        except VendorError:
            # Refused: its receiver is not there yet, or never will be.
            if clock.elapsed() + RETRY_S >= ends:
                raise
            clock.sleep(RETRY_S)


def _reset(talk) -> dict:
    """What went wrong with it, nothing if it is well."""
    by_hand = f"run `hccn_tool -i {talk.phy_id} -roce_test reset`"
    try:
        reset = talk.tool.roce_test_reset(talk.phy_id)
    except ToolNotFound:
        raise
    except Over:
        return {"error": "the test was not reset in time (deadline)", "remedy": by_hand}
    except VendorError as error:
        return {"error": f"the test was not reset: {error.reason}", "remedy": error.remedy.rstrip(".")}
    if reset.ok:
        return {}
    return {"error": f"the test was not reset: {reset.message}", "remedy": by_hand}


def bandwidth_problem(result: dict) -> tuple | None:
    """(problem, remedy) of a test without result, else None."""
    if result["error"] is None:
        return None
    peer = f"phy id {result['peer_phy_id']} of {result['peer']}" if result["peer"] else "its peer"
    way = "from" if result["role"] == RECEIVER else "to"
    return f"has no bandwidth {way} {peer}: {result['error']}", result["remedy"]


__all__ = ["RECEIVER", "SENDER", "bandwidth_problem", "measure"]

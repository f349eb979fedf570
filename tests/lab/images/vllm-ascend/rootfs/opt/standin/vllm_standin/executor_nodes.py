# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several nodes without Ray: the head's executor, and what a node does that was started with `--headless`."""

from __future__ import annotations

from .config import EngineConfig
from .device import Claim
from .executor import EngineFailed, LocalExecutor
from .log import logger
from .rendezvous import Guest, Head, NotMet


class NodesExecutor(LocalExecutor):
    """The head: its own NPUs, and those of the nodes that come to it."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self._head: Head | None = None

    def start(self) -> list[Claim]:
        meeting = self._config.meeting
        assert meeting is not None
        try:
            self._head = Head(meeting)
        except NotMet as error:
            raise EngineFailed(str(error)) from error
        own = super().start()
        others = meeting.nodes - 1
        if meeting.kind == "dp":
            local = self._config.local_engines
            logger.info("Waiting for %d local, %d remote core engine proc(s) to connect.", 0, self._config.data - local)
        else:
            logger.info("world_size=%d rank=0 distributed_init_method=tcp://%s:%d backend=hccl; waiting for %d nodes",
                        self._config.npus, meeting.host, meeting.port, others)  # fmt: skip
        try:
            return own + self._head.wait()
        except NotMet as error:
            raise EngineFailed(str(error)) from error

    def lost(self) -> str | None:
        return super().lost() or (self._head.lost() if self._head else None)

    def stop(self) -> None:
        super().stop()
        if self._head is not None:
            self._head.close()
            self._head = None


def run_headless(config: EngineConfig) -> None:
    """Hold this node's NPUs for a head elsewhere, until it or a worker is gone.

    :raises EngineFailed: the NPUs cannot be had, or the head was not met, or it or a worker is gone
    """
    meeting = config.meeting
    assert meeting is not None
    executor, guest = LocalExecutor(config), None
    try:
        claims = executor.start()
        guest = Guest(meeting, config.node, claims)
        for claim in claims:
            logger.info("rank %d: NPU %d (davinci%d) of %s, pid %d",
                        claim.rank, claim.logic_id, claim.phy_id, claim.host, claim.pid)  # fmt: skip
        logger.info("Joined %s:%d as node %d of %d", meeting.host, meeting.port, config.node, meeting.nodes)
        while True:
            if guest.lost():
                raise EngineFailed("Parent process exited: the head node is gone")
            reason = executor.lost()
            if reason:
                raise EngineFailed(reason)
    except NotMet as error:
        raise EngineFailed(str(error)) from error
    finally:
        if guest is not None:
            guest.close()
        executor.stop()

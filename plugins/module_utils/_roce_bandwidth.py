# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which NPU sends to which one when bandwidth is measured: each to the same NPU of the next node.

Sender and receiver of a test have to run at the same time, so tests go in steps. In a step an NPU has one test, and no
more nodes have any than Ansible runs side by side.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._roce_check_bandwidth import RECEIVER, SENDER
from ._roce_plan import PlanError, merge_groups


def bandwidth_steps(nodes, groups=None, at_once=0, dead=()):
    """Steps of tests, as C({host: [test]}), a test as C(hccn_check) takes it in C(bandwidth).

    :arg nodes: {host: [L(_roce_plan.Npu)]} with the RoCE addresses; those without one take no part.
    :arg groups: lists of hosts that serve together, as for the ping plan.
    :arg at_once: how many nodes may have tests at the same time, 0 for any number.
    :arg dead: pairs of ends C((host, phy_id)), as frozensets, of which it is known that they do not reach each other.
    :raises PlanError: for an C(at_once) of 1, with which no test can run.
    """
    if at_once == 1:
        raise PlanError("a bandwidth test needs two nodes at the same time; run Ansible with at least 2 forks")
    rounds = {}
    for group in merge_groups(groups, nodes):
        rails = {}
        for host in group:
            for npu in sorted(nodes[host]):
                if npu.address:
                    rails.setdefault(npu.phy_id, []).append((host, npu.address))
        for phy_id, ring in sorted(rails.items()):
            for turn, sender, receiver in _edges(ring):
                if frozenset({(sender[0], phy_id), (receiver[0], phy_id)}) not in dead:
                    # By nodes, so that all NPUs of two nodes are in the same step.
                    between = rounds.setdefault(turn, {}).setdefault((sender[0], receiver[0]), [])
                    between.append((phy_id, receiver[1]))
    return [step for turn in sorted(rounds) for step in _steps(rounds[turn], at_once)]


def _edges(ring):
    """(round, sender, receiver): everybody sends to the next one; neighbouring edges have different rounds."""
    count = len(ring)
    for edge in range(count if count > 1 else 0):
        yield 2 if count % 2 and edge == count - 1 else edge % 2, ring[edge], ring[(edge + 1) % count]


def _steps(tests, at_once):
    """The tests of a round in as few steps as the number of nodes allows; each node of a round has one partner."""
    step, busy = {}, set()
    for (sender, receiver), lanes in tests.items():
        # Rails with other members may pair a node with a second one.
        if busy & {sender, receiver} or at_once and len(busy) + 2 > at_once:
            yield step
            step, busy = {}, set()
        busy |= {sender, receiver}
        for phy_id, address in lanes:
            for host, role, peer in ((sender, SENDER, receiver), (receiver, RECEIVER, sender)):
                test = {"phy_id": phy_id, "role": role, "peer": peer, "peer_phy_id": phy_id, "address": address}
                step.setdefault(host, []).append(test)
    if step:
        yield step


__all__ = ["bandwidth_steps"]

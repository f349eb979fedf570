# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why pairs failed: the fewest causes that explain them, a whole node before its NPUs, an NPU before a path.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

An NPU that fails with all its peers has the fault itself; one that fails with a single peer while both reach others
has a path between them that does. Where two ends have nobody else, what their nodes say of them decides, and where that
says nothing, both are named.
"""

from __future__ import annotations

from collections import Counter

from ._roce_fleet_cables import port_words
from ._roce_fleet_compare import lacks_gateway
from ._roce_fleet_pairs import DEAD, LOSS, NONE, OK, silent, too_long
from ._roce_fleet_types import Finding, by_host, end_words, ends_words, plural, words

# What a node says of an NPU and how far that goes to explain that nobody reaches it.
HINTS = {
    "link": 3,
    "ip": 3,
    "vnic": 3,
    "netmask": 3,
    "duplicate": 3,
    "swapped": 3,
    "mtu": 2,
    "optical": 2,
    "gateway": 2,
}
# These follow from the same fault, so they need not be said beside it.
_WEAK = {"net_health": 1, "netdetect": 1}
# What the RoCE port says is no reason for a ping that went over HCCS.
_HCCS_HINTS = {"vnic": 3, "duplicate": 3}
# Findings of the comparison which a dead pair turns from a possible cause into the cause.
PROVEN_BY_PINGS = ("netmask", "duplicate", "swapped", "mtu")
# From that share of its pairs on an NPU is the cause of them and not its peers.
SHARE = 0.5
NODE_LOSS_SHARE = 0.75
# Fewer dead pairs between two halves of the fleet may be several faults at once.
SPLIT_LEAST = 4
# An NPU that loses packets with so many peers does so with all of them.
LOSSY_LEAST = 2
# Of so many NPUs a confirmed finding says what they do not reach.
CONFIRMED_SHOWN = 2


class Evidence:
    """All that is known when a pair is judged.

    :arg npus: {end: the NPU's mapping as C(hccn_check) returned it}.
    :arg findings: of the comparison between nodes. Those that explain dead pairs become failures here.
    :arg pinged: V(ipaddr) for pings over RoCE, V(vnic) for those over HCCS.
    """

    def __init__(self, pairs, npus, findings, pinged):
        self.hints = _HCCS_HINTS if pinged == "vnic" else HINTS
        self.weak = {} if pinged == "vnic" else _WEAK
        self.weights = {**self.hints, **self.weak}
        self.npus = npus
        self.pairs = pairs
        self.tried = Counter(end for pair in pairs if pair.state != NONE for end in (pair.a, pair.b))
        self.fine = Counter(end for pair in pairs if pair.state == OK for end in (pair.a, pair.b))
        self.dead = Counter(end for pair in pairs if pair.state == DEAD for end in (pair.a, pair.b))
        self.dead_peers = {}
        for pair in pairs:
            if pair.state == DEAD:
                self.dead_peers.setdefault(pair.a, []).append(pair.b)
                self.dead_peers.setdefault(pair.b, []).append(pair.a)
        # {end: checks of hccn_check whose causes are part of a finding, or follow from one}.
        self.explained = {}
        self.confirmed = Counter()
        self._named = {}
        for finding in findings:
            ends = [(finding.host, phy_id) for phy_id in finding.phy_ids]
            for end in ends + (finding.peers if finding.check == "duplicate" else []):
                self._named.setdefault(end, []).append(finding)
        self._strength = {}

    def causes(self, end):
        return [cause for cause in (self.npus.get(end) or {}).get("causes", ()) if cause["check"] in self.weights]

    def named(self, end):
        return self._named.get(end, [])

    def mtu_differs(self, end):
        return any(finding.check == "mtu" for finding in self.named(end))

    def strength(self, end):
        """How much speaks against this end, whatever its pings say."""
        if end not in self._strength:
            own = [self.weights[cause["check"]] for cause in self.causes(end) if cause["severity"] == "fail"]
            own += [self.hints.get(finding.check, 0) for finding in self.named(end)]
            own += [self.hints.get("gateway", 0)] if self.lacks_gateway(end) else []
            self._strength[end] = max(own, default=0)
        return self._strength[end]

    def lacks_gateway(self, end):
        """Whether it has no gateway, though some peer that it does not reach is in another network."""
        peers = [self.npus.get(peer) or {} for peer in self.dead_peers.get(end, ())]
        return lacks_gateway(self.npus.get(end) or {}, peers)

    def complaints(self, ends):
        """How many of these ends notice themselves that something is wrong with their network."""
        return sum(bool(self.causes(end)) for end in ends)

    def say(self, end, checks):
        self.explained.setdefault(end, set()).update(checks)


def judge(pairs, npus, findings, pinged="ipaddr"):
    """Findings about the pairs, beside those of the comparison, of which some become failures.

    :arg pairs: L(_roce_fleet_pairs.Pair) of the whole plan.
    :returns: (findings, {end: checks of hccn_check that need not be said again}).
    """
    known = Evidence(pairs, npus, findings, pinged)
    found = list(silent(pairs))
    dead = [pair for pair in pairs if pair.state == DEAD]
    for edges, finding in _splits(known, dead):
        found.append(finding)
        dead = _without(dead, edges)
    # Where many packets are lost, all of one pair may be.
    lossy = Counter(end for pair in pairs if pair.state == LOSS for end in (pair.a, pair.b))
    by_chance = [pair for pair in dead if max(lossy[pair.a], lossy[pair.b]) >= LOSSY_LEAST]
    dead = _without(dead, by_chance)
    for explain in (_of_nodes, _of_npus):
        for finding, edges in explain(known, dead, DEAD):
            found.extend(finding)
            dead = _without(dead, edges)
    found.extend(too_long(pairs, known.mtu_differs))
    bad = [pair for pair in pairs if pair.state == LOSS] + by_chance + dead
    for explain in (_of_nodes, _of_npus):
        for finding, edges in explain(known, bad, LOSS):
            found.extend(finding)
            bad = _without(bad, edges)
    for state in (DEAD, LOSS):
        found.extend(_of_paths(known, [pair for pair in bad if pair.state == state], state))
    return found, known.explained


def _without(pairs, gone):
    gone = {id(pair) for pair in gone}
    return [pair for pair in pairs if id(pair) not in gone]


def _splits(known, dead):
    """Parts of the fleet that work inside and have no way to each other: that is the switch between them."""
    part = _parts(pair for pair in known.pairs if pair.state in (OK, LOSS))
    spans = {}
    for end, head in part.items():
        spans.setdefault(head, set()).add(end)
    hosts = {head: tuple(sorted({host for host, _phy_id in ends})) for head, ends in spans.items()}
    between = {}
    for pair in dead:
        heads = sorted(
            (part.get(pair.a, pair.a), part.get(pair.b, pair.b)), key=lambda head: (hosts.get(head, ()), head)
        )
        if heads[0] != heads[1] and all(len(hosts.get(head, ())) > 1 for head in heads):
            between.setdefault(tuple(heads), []).append(pair)
    # The same nodes apart on several rails are apart once.
    groups = {}
    for (one, other), edges in between.items():
        if len(edges) >= SPLIT_LEAST:
            group = groups.setdefault((hosts[one], hosts[other]), (set(), set(), []))
            group[0].update(spans[one])
            group[1].update(spans[other])
            group[2].extend(edges)
    for (hosts_of_one, hosts_of_other), (one, other, edges) in groups.items():
        host = min(one)[0]
        if hosts_of_one == hosts_of_other:
            # Some sites separate the rails on purpose, and 910A wants it so.
            severity, phy_ids = "warn", by_host(one | other)[host]
            what = f"the network is in parts: of {ends_words(one | other)} each reaches only those of its part"
            remedy = "where the parts are meant, check in rail mode; else look at the switches and VLANs between them"
        else:
            severity, phy_ids = "fail", by_host(one)[host]
            what = f"the network is in parts: {ends_words(one)} reach each other, and {ends_words(other)} do"
            remedy = "look at the switches and VLANs between the two"
        what += f"; none of {len(edges)} pairs between the parts works"
        peers = {end for end in one | other if end[0] != host}
        yield edges, Finding("split", severity, host, phy_ids, what, remedy, peers)


def _parts(pairs):
    """{end: one end that stands for all that are connected with it}."""
    head = {}

    def find(end):
        while head.setdefault(end, end) != end:
            head[end] = head[head[end]]
            end = head[end]
        return end

    for pair in pairs:
        one, other = find(pair.a), find(pair.b)
        head[max(one, other)] = min(one, other)
    return {end: find(end) for end in list(head)}


def _of_nodes(known, bad, state):
    """Nodes of which all NPUs fail with all peers; two nodes that only have each other are named together."""
    tried, npus = Counter(), {}
    for end, count in known.tried.items():
        tried[end[0]] += count
        npus.setdefault(end[0], []).append(end)
    left = bad
    while left:
        wrong = Counter(host for pair in left for host in (pair.a[0], pair.b[0]))
        of_npu = Counter(end for pair in left for end in (pair.a, pair.b))
        open_ = Counter(h for pair in left if not _hinted(known, pair) for h in (pair.a[0], pair.b[0]))
        # Loss is chance: of the pairs of a lossy node a few come through.
        hosts = [
            host
            for host, count in wrong.items()
            if len(npus[host]) > 1
            and open_[host]
            and count >= (1.0 if state == DEAD else NODE_LOSS_SHARE) * tried[host]
            and all(of_npu[end] >= SHARE * known.tried[end] for end in npus[host])
        ]
        if not hosts:
            return
        host = min(hosts, key=lambda host: (-wrong[host], -known.complaints(npus[host]), host))
        edges = [pair for pair in left if host in (pair.a[0], pair.b[0])]
        left = _without(left, edges)
        yield [_node(known, host, npus[host], edges, state)], edges


def _hinted(known, pair):
    """Whether one of its ends has a reason of its own, as its node says."""
    return max(known.strength(pair.a), known.strength(pair.b)) > 1


def _node(known, host, ends, edges, state):
    peers = {pair.b if pair.a[0] == host else pair.a for pair in edges}
    hosts = sorted({peer[0] for peer in peers})
    nodes = hosts[0] if len(hosts) == 1 else f"{len(hosts)} other nodes"
    what = f"none of its NPUs reaches {nodes}"
    if state == LOSS:
        what = f"all its NPUs lose packets ({_loss(edges)}) with {nodes}"
    both = " or of the other node" if len(hosts) == 1 else ""
    for end in ends:
        known.say(end, known.weak)
    return Finding(
        "node_isolated" if state == DEAD else "node_loss",
        "fail",
        host,
        [phy_id for _host, phy_id in ends],
        f"{what}, in {plural(len(edges), 'pair')}",
        f"look at what the NPUs of the node{both} have in common: the switch, its VLAN and uplinks, their addresses",
        peers if len(hosts) == 1 else (),
    )


def _edges_of(edges, end):
    return [pair for pair in edges if end in (pair.a, pair.b)]


def _of_npus(known, bad, state):
    """NPUs that fail with all their peers, or with most of them; worst first."""
    total = Counter(end for pair in bad for end in (pair.a, pair.b))
    gone = Counter()
    left = bad
    while left:
        count = Counter(end for pair in left for end in (pair.a, pair.b))
        strength = {end: known.strength(end) for end in count}
        stronger = Counter()
        for pair in left:
            for end in (pair.a, pair.b):
                stronger[end] += strength[end] > strength[pair.other(end)]

        blamed = []
        for end in count:
            there = known.tried[end] - gone[end]
            most = count[end] >= 2 and count[end] >= SHARE * there
            all_of_them = total[end] >= 2 and count[end] == there
            if most or all_of_them or stronger[end] == count[end]:
                blamed.append(end)
        if not blamed:
            return
        end = min(blamed, key=lambda end: (-count[end], -strength[end], end))
        edges = _edges_of(left, end)
        gone.update(pair.other(end) for pair in edges)
        left = _without(left, edges)
        yield _npu(known, end, edges, state), edges


def _npu(known, end, edges, state):
    """What is wrong with an NPU that is to blame: a list of one finding, or of none if a present one says it now."""
    host, phy_id = end
    peers = [pair.other(end) for pair in edges]
    alone = state == DEAD and known.dead[end] == known.tried[end]
    of = f"{len(edges)} of {plural(known.tried[end], 'peer')} ({ends_words(peers)})"
    if state == LOSS:
        what = f"it loses packets ({_loss(edges)}) with {of}"
    elif not alone:
        what = f"it does not reach {of}" + _direction(end, edges)
    elif known.tried[end] > 1:
        sick = known.tried[end] - len(edges)
        faulty = f", and {sick} at fault themselves" if sick else ""
        what = f"it reaches none of {known.tried[end]} peers ({ends_words(peers)}{faulty})" + _direction(end, edges)
    else:
        what = f"it does not reach its only peer, {end_words(peers[0])}" + _direction(end, edges)
    present = [finding for finding in known.named(end) if finding.check in PROVEN_BY_PINGS and state == DEAD]
    if present:
        _confirm(known, present[0], end, what, peers)
        return []
    causes = sorted(known.causes(end), key=lambda cause: -known.weights[cause["check"]])
    reasons = [cause for cause in causes if cause["check"] in known.hints and cause["severity"] == "fail"]
    reasons += [cause for cause in causes if cause["check"] == "optical" and cause not in reasons]
    known.say(end, [*known.weak, *(cause["check"] for cause in reasons)])
    if reasons:
        what += "".join(f"; it {cause['problem']}" for cause in reasons)
        remedy = reasons[0]["remedy"].rstrip(".")
    elif state == DEAD and "gateway" in known.hints and known.lacks_gateway(end):
        what += "; it has no gateway, and they are in other networks"
        remedy = f"set one with hccn_config, or `hccn_tool -i {phy_id} -gateway -s gateway ADDRESS`"
    else:
        port = port_words(known.npus.get(end) or {})
        remedy = f"look at its cable and transceiver and at its switch port{f' ({port})' if port else ''}"
        counters = f", and at the error counters of both (`hccn_tool -i {phy_id} -stat -g`)"
        remedy += counters if state == LOSS else ", then at its address, netmask, gateway and VLAN"
    check = "loss" if state == LOSS else "isolated" if alone else "partial"
    return [Finding(check, "fail", host, [phy_id], what, remedy, peers)]


def _confirm(known, finding, end, what, peers):
    """A contradiction between nodes that might have done no harm did some: make it the cause."""
    finding.severity = "fail"
    finding.peers = sorted(set(finding.peers).union(peers))
    known.say(end, [*known.weak, finding.check, *(["ip"] if finding.check == "netmask" else [])])
    known.confirmed[id(finding)] += 1
    if known.confirmed[id(finding)] > CONFIRMED_SHOWN:
        return
    if finding.host != end[0]:
        what = f"{end_words(end)}: {what}"
    elif len(finding.phy_ids) > 1:
        what = f"{words([end[1]])}: {what}"
    finding.problem += f"; {what}"


def _direction(end, edges):
    """What it means that only one way of a pair fails."""
    out = sum(pair.way_from(end).state == DEAD and pair.way_from(pair.other(end)).state == OK for pair in edges)
    back = sum(pair.way_from(end).state == OK and pair.way_from(pair.other(end)).state == DEAD for pair in edges)
    if out == len(edges):
        return ", though they reach it"
    return ", or rather they do not reach it, while it reaches them" if back == len(edges) else ""


def _loss(edges):
    sent, received = (sum(numbers) for numbers in zip(*(pair.loss() for pair in edges)))
    if not sent:
        return "all of them"
    return f"{100.0 * (sent - received) / sent:.0f} %, {sent - received} of {sent}"


def _of_paths(known, bad, state):
    """What is left: single pairs of NPUs that work otherwise, or of which nobody can say."""
    between = {}
    for pair in bad:
        between.setdefault((pair.a[0], pair.b[0]), []).append(pair)
    for (host, peer), pairs in sorted(between.items()):
        for cleared in (True, False):
            edges = [pair for pair in pairs if bool(known.fine[pair.a] and known.fine[pair.b]) is cleared]
            if edges:
                yield _path(known, host, peer, edges, state, cleared)


def _path(known, host, peer, edges, state, cleared):
    names = [f"phy id {pair.a[1]} and phy id {pair.b[1]} of {peer}{_one_way(pair)}" for pair in edges[:4]]
    more = len(edges) - len(names)
    named = ", ".join(names) + (f" and {more} more" if more else "")
    what = f"no answer between {named}" if state == DEAD else f"packets are lost ({_loss(edges)}) between {named}"
    if cleared:
        what += ", though all of them reach others"
        ports = [port_words(known.npus.get(end) or {}) for end in (edges[0].a, edges[0].b)]
        where = f" from {ports[0]} to {ports[1]}" if all(ports) else ""
        remedy = f"look at the path{where}: uplinks, VLANs, access lists"
    else:
        what += "; which of the two ends is at fault cannot be told, neither reaches anybody else"
        remedy = "look at the cables and switch ports of both, or check in full mode, which tries more peers"
    check = "path" if state == DEAD else "path_loss"
    return Finding(check, "fail", host, {pair.a[1] for pair in edges}, what, remedy, {pair.b for pair in edges})


def _one_way(pair):
    if pair.there.state == DEAD and pair.back.state == OK:
        return f" (only from {pair.a[0]})"
    return f" (only from {pair.b[0]})" if pair.there.state == OK and pair.back.state == DEAD else ""

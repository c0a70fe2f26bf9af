"""The nemesis: what goes wrong, when and for how long, all of it drawn from the seed.

Leaders are what it likes best: it cuts one off in the very step in which it appends, so that an entry stands on it alone or
with one follower, kills it just then, holds its messages back until another leads. Paper: Raft, figure 7 and figure 8 show what
comes of that.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import permutations
from random import Random

from mq.core.entry import EntryKind
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.role import Role
from mq.sim.group.agenda import Agenda
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group
from mq.sim.group.network import Link, Network, NetworkOptions
from mq.sim.group.options import GroupOptions
from mq.sim.group.trace import GroupTrace
from mq.sim.group.watch import Checker

__all__ = ["Nemesis"]

_QUIET = NetworkOptions()
_STRIKES_MAX = 4
"""So many faults may come before the crash and the cut that each run must have; they wait for a leader if they can."""
_STORM = NetworkOptions(delay_ms=1, spread_ms=300, loss_probability=0.3, repeat_probability=0.3)


class Nemesis(Checker):
    """See the module. It looks over the checkers' shoulders for the moment of an append.

    counts: of what it did, by name. crashes: of members.
    """

    def __init__(
        self, agenda: Agenda, network: Network, trace: GroupTrace, hosts: dict[int, Host], rng: Random, options: GroupOptions
    ) -> None:
        self._agenda, self._network, self._note, self._hosts = agenda, network, trace.note, hosts
        self._rng, self._options = rng, options
        self.counts: dict[str, int] = dict.fromkeys(options.faults, 0)
        self._armed = ""
        self._is_over = False
        self._damaged = False
        self._under_way: Counter[tuple[str, int]] = Counter()
        self.crashes = 0
        self._owed_crash = self._one_of("kill", "power_loss", "blackout", "kill_leader")
        self._owed_cut = self._one_of("isolate", "split", "cut_pair")

    def _one_of(self, *names: str) -> str:
        return self._rng.choice([name for name in names if name in self._options.faults] or list(names))

    @property
    def owes(self) -> bool:
        """Whether the crash or the cut that each run must have is still to come: of a member, and of a link that was used."""
        return bool(self._options.faults) and bool(self._owed())

    def _owed(self) -> str:
        """The second time at the leader's cost: a link between two who have nothing to say can be cut for ever, to no effect."""
        if not self._network.counts["cuts"]:
            return "isolate_leader" if self.counts.get(self._owed_cut) else self._owed_cut
        if not self.crashes:
            return "kill_leader" if self.counts.get(self._owed_crash) else self._owed_crash
        return ""

    # --- when

    def begin(self) -> None:
        """The first fault comes soon."""
        if self._options.faults:
            self._agenda.at(self._agenda.now_ms + self._span(self._options.fault_every_ms), self._strike)

    def _span(self, about_ms: int) -> int:
        return 1 + int(self._rng.expovariate(1.0) * about_ms)

    def _strike(self, _: object, __: object) -> None:
        if self._is_over:
            return
        self._agenda.at(self._agenda.now_ms + self._span(self._options.fault_every_ms), self._strike)
        is_time = self._leader() is not None or sum(self.counts.values()) > _STRIKES_MAX
        name = (self._owed() if is_time else "") or self._rng.choice(self._options.faults)
        self.counts[name] = self.counts.get(name, 0) + 1
        fault: Callable[[], None] = getattr(self, f"_{name}")
        fault()

    def _later(self, about_ms: int, do: Callable[..., None], one: object = None, two: object = None) -> None:
        self._agenda.at(self._agenda.now_ms + self._span(about_ms), do, one, two)

    # --- whom

    def _any(self) -> Host:
        return self._rng.choice(list(self._hosts.values()))

    def _leader(self) -> Host | None:
        """The one of the highest term, if there is one: others may not know yet that they lead no more."""
        leaders = [host for host in self._hosts.values() if host.node is not None and host.role is Role.LEADER]
        return max(leaders, key=lambda host: host.term, default=None)

    def _leader_or_any(self) -> Host:
        return self._leader() or self._any()

    # --- processes

    def _stop(self, host: Host, *, is_power_lost: bool, about_ms: int = 800) -> None:
        if host.node is not None:
            self._die(host, is_power_lost=is_power_lost)
            self._later(about_ms, self._start, host)

    def _die(self, host: Host, *, is_power_lost: bool) -> None:
        self.crashes += host.node_id in host.configuration.members
        host.die(is_power_lost=is_power_lost)

    def _start(self, host: Host, _: object) -> None:
        if host.node is None:
            host.start()

    def _kill(self) -> None:
        self._stop(self._any(), is_power_lost=False)

    def _power_loss(self) -> None:
        self._stop(self._any(), is_power_lost=True)

    def _blackout(self) -> None:
        for host in self._hosts.values():
            self._stop(host, is_power_lost=True, about_ms=300)

    def _kill_leader(self) -> None:
        self._stop(self._leader_or_any(), is_power_lost=self._rng.random() < 0.5)

    def _hold_up(self, host: Host) -> None:
        if host.is_up:
            host.pause()
            self._later(1500, self._resume, host, host.life)

    def _resume(self, host: Host, life: int) -> None:
        if host.life == life and host.is_paused:
            host.resume()

    def _pause(self) -> None:
        self._hold_up(self._any())

    def _pause_leader(self) -> None:
        self._hold_up(self._leader_or_any())

    def _drift(self) -> None:
        host, percent = self._any(), self._rng.choice((40, 70, 150, 300))
        host.tick_ms = max(1, host.place.options.tick_ms * 100 // percent)
        self._note((self._agenda.now_ms, host.node_id, "drift", percent))

    # --- the network

    def _cut(self, links: Iterable[Link], about_ms: int = 1500) -> None:
        chosen = set(links)
        self._network.cut_off(chosen)
        self._later(about_ms, self._mend, chosen)

    def _mend(self, links: set[Link], _: object) -> None:
        self._network.mend(links)

    def _around(self, host: Host) -> set[Link]:
        """All links of a node: both ways, or only what it sends, or only what it hears."""
        ways = self._rng.choice(("both", "both", "out", "in"))
        others = [other for other in self._hosts if other != host.node_id]
        out = {(host.node_id, other) for other in others} if ways != "in" else set()
        return out | ({(other, host.node_id) for other in others} if ways != "out" else set())

    def _cut_one_way(self) -> None:
        self._cut([self._rng.choice(list(permutations(self._hosts, 2)))])

    def _cut_pair(self) -> None:
        one, other = self._rng.choice(list(permutations(self._hosts, 2)))
        self._cut([(one, other), (other, one)])

    def _isolate(self) -> None:
        self._cut(self._around(self._any()))

    def _isolate_leader(self) -> None:
        self._cut(self._around(self._leader_or_any()))

    def _split(self) -> None:
        side = {node_id for node_id in self._hosts if self._rng.random() < 0.5}
        self._cut([link for link in permutations(self._hosts, 2) if (link[0] in side) != (link[1] in side)])

    def _hold_back(self, links: Iterable[Link]) -> None:
        chosen = set(links)
        self._network.hold(chosen)
        self._later(1500, self._release, chosen)

    def _release(self, links: set[Link], _: object) -> None:
        self._network.release(links)

    def _hold(self) -> None:
        self._hold_back(self._rng.sample(list(permutations(self._hosts, 2)), 2))

    def _hold_leader(self) -> None:
        """What it says, or what is answered: that arrives when another one leads."""
        leader, is_out = self._leader_or_any().node_id, self._rng.random() < 0.5
        others = [other for other in self._hosts if other != leader and self._rng.random() < 0.7]
        self._hold_back([(leader, other) if is_out else (other, leader) for other in others])

    def _storm(self) -> None:
        self._network.options = _STORM
        self._under_way["storm", 0] += 1
        self._later(1000, self._calm)

    def _calm(self, _: object, __: object) -> None:
        if self._ends("storm"):
            self._network.options = _QUIET if self._is_over else self._options.network

    def _ends(self, name: str, node_id: int = 0) -> bool:
        """One fault of this kind ends. True when no other one goes on there."""
        self._under_way[name, node_id] -= 1
        return self._under_way[name, node_id] <= 0

    # --- disks

    def _slow_disk(self) -> None:
        host, extra_ms = self._any(), self._rng.choice((30, 200, 1000))
        host.weather.extra_ms = extra_ms
        self._note((self._agenda.now_ms, host.node_id, "slow-disk", extra_ms))
        self._under_way["slow", host.node_id] += 1
        self._later(2000, self._fast_disk, host)

    def _fast_disk(self, host: Host, _: object) -> None:
        if self._ends("slow", host.node_id):
            host.weather.extra_ms = 0

    def _failing_sync(self) -> None:
        """The node falls silent with it, and somebody starts it again."""
        host = self._any()
        host.weather.is_failing = True
        self._note((self._agenda.now_ms, host.node_id, "sync-fails"))
        self._later(2500, self._start_again, host)

    def _start_again(self, host: Host, _: object) -> None:
        host.weather.is_failing = False
        if host.role is Role.MUTE:
            self._stop(host, is_power_lost=self._rng.random() < 0.5, about_ms=100)

    def _full_disk(self) -> None:
        host = self._any()
        host.weather.is_full = True
        self._note((self._agenda.now_ms, host.node_id, "disk-full"))
        self._under_way["full", host.node_id] += 1
        self._later(1500, self._less_full, host)

    def _less_full(self, host: Host, _: object) -> None:
        if self._ends("full", host.node_id):
            self._free_disk(host)

    def _free_disk(self, host: Host) -> None:
        if host.weather.is_full:
            host.weather.is_full = False
            self._note((self._agenda.now_ms, host.node_id, "disk-free"))

    def _damage(self) -> None:
        """Of one node in a run: where more than a minority loses what it had on disk, no system can help."""
        host = self._any()
        if not self._damaged and host.node is not None:
            self._damaged = True
            self._die(host, is_power_lost=True)
            host.storage.damage()
            self._later(300, self._start, host)

    # --- the moment of an append

    def _lone_append(self) -> None:
        self._armed = "lone_append"

    def _kill_after_append(self) -> None:
        self._armed = "kill_after_append"

    def _kill_after_vote(self) -> None:
        self._armed = "kill_after_vote"

    def moved(self, host: Host) -> None:
        """See `Checker`. A voter dies when its vote may have left, and is there again while that term is still open."""
        node = host.node
        is_armed = self._armed == "kill_after_vote" and node is not None and node.vote not in {None, host.node_id}
        if is_armed and node is not None and (node.term, node.vote) != (host.term, host.vote):
            self._armed = ""
            self._agenda.at(self._agenda.now_ms + self._span(15), self._kill_voter, host, host.life)

    def _kill_voter(self, host: Host, life: int) -> None:
        if host.life == life:
            self._stop(host, is_power_lost=self._rng.random() < 0.5, about_ms=30)

    def _cut_change(self, host: Host, joint: Configuration) -> None:
        """Members are about to change: cut the leader off from some of the old majority, or of the new one."""
        side = self._rng.choice((joint.voters, joint.old_voters))
        away = {voter for voter in side if voter != host.node_id and self._rng.random() < 0.8}
        links = {(host.node_id, other) for other in away}
        self._cut(links | {(other, sender) for sender, other in links})

    def appended(self, host: Host, group: Group) -> None:
        """See `Checker`. Called before what was appended leaves the leader."""
        node = host.node
        if node is not None and node.role is Role.LEADER and node.configuration.is_joint and not self._is_over:
            is_new = any(entry.kind is EntryKind.CONFIGURATION for entry in group.entries)
            if is_new and self._rng.random() < 0.5:
                self._cut_change(host, node.configuration)
        if (
            self._armed not in {"lone_append", "kill_after_append"}
            or not group.entries
            or host.node is None
            or host.node.role is not Role.LEADER
        ):
            return
        armed, self._armed = self._armed, ""
        if armed == "lone_append":
            others = [other for other in self._hosts if other != host.node_id]
            friend = self._rng.choice([*others, 0])
            links = {(host.node_id, other) for other in others if other != friend}
            self._cut(links | {(other, sender) for sender, other in links})
        else:
            self._agenda.at(self._agenda.now_ms, self._kill_at_last, host, host.life)

    def _kill_at_last(self, host: Host, life: int) -> None:
        if host.life == life:
            self._stop(host, is_power_lost=self._rng.random() < 0.7)

    # --- orders

    def _campaign(self) -> None:
        host = self._any()
        if host.is_up and host.node is not None:
            self._note((self._agenda.now_ms, host.node_id, "campaign"))
            host.carry_out(host.node.campaign())

    def _transfer(self) -> None:
        host = self._leader()
        if host is None or host.node is None or host.is_paused:
            return
        to = self._rng.choice(list(self._hosts))
        self._note((self._agenda.now_ms, host.node_id, "transfer", f"n{to}"))
        try:
            output = host.node.transfer(to)
        except (NotLeaderError, ChangeRefusedError):
            return
        host.carry_out(output)

    def _change(self) -> None:
        """A step towards other members: new ones must learn first."""
        host = self._leader()
        if host is None or host.node is None or host.is_paused:
            return
        voters, learners = self._wanted(host.node.configuration)
        self._note((self._agenda.now_ms, host.node_id, "change", voters, learners))
        try:
            output = host.node.change_members(voters, learners)
        except (NotLeaderError, ChangeRefusedError):
            return
        host.carry_out(output)

    def _wanted(self, now: Configuration) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Voters and learners: mostly those who have learnt become voters, also many at once, so that two majorities differ."""
        size = max(2, self._rng.choice((self._options.nodes - 1, self._options.nodes, self._options.nodes)))
        candidates = sorted({*now.voters, *now.learners})
        if now.learners and self._rng.random() < 0.8 and len(candidates) >= size:
            voters = {*self._rng.sample(candidates, size), *(now.learners if self._rng.random() < 0.5 else ())}
            return tuple(sorted(voters)), tuple(sorted({*candidates} - voters if self._rng.random() < 0.5 else ()))
        new = [node_id for node_id in self._hosts if node_id not in candidates]
        return now.voters, tuple(sorted({*now.learners, *new[: self._rng.choice((1, 2))]}))

    def _snapshot(self) -> None:
        host = self._any()
        if host.is_up:
            host.take_snapshot()

    # --- the end

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._is_over, self._armed = True, ""
        self._network.options = _QUIET
        self._network.heal()
        for host in self._hosts.values():
            host.weather.extra_ms, host.weather.is_failing = 0, False
            self._free_disk(host)
            host.tick_ms = host.place.options.tick_ms
            if host.node is not None and host.is_paused:
                host.resume()
            if host.role is Role.MUTE and host.node is not None and not host.storage.is_damaged:
                host.die(is_power_lost=False)
            self._start(host, None)

"""The end of a run: everything is healed, and a group that is right must serve again, within a bound, and come to agree.

Paper: Raft, section 5.6: with a steady leader and a network much faster than the election time-outs there is progress.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.watch import Violation, ViolationError
from mq.sim.group.workload import Client

if TYPE_CHECKING:
    from mq.sim.group.world import GroupWorld

__all__ = ["LIVENESS", "come_to_rest"]

_SECTION = "Paper: Raft, section 5.6"
_TIMEOUTS_MAX = 40
"""So many of the longest election time-outs it may take."""

LIVENESS = (
    (
        f"when everything is healed, within {_TIMEOUTS_MAX} of the longest election time-outs each: a leader appears; its log is "
        "committed; a command is; a read is answered; every client has its answer; all members have applied the same log"
    ),
    _SECTION,
)
"""The promises of a run's end in a sentence, and where they stand."""


def come_to_rest(world: "GroupWorld") -> tuple[Host, ...]:
    """Heal everything, wait for a leader, a commit, an answer to each client, and equal nodes. Returns the members' hosts."""
    world.nemesis.heal()
    healed_ms = world.agenda.now_ms
    for client in world.clients:
        client.is_closing = True
    patience_ms = _TIMEOUTS_MAX * 2 * world.options.raft.election_ticks * world.options.host.tick_ms

    def wait(is_so: Callable[[], bool], what: str) -> None:
        until_ms, idle_ms = world.agenda.now_ms + patience_ms, 0
        while not is_so():
            if world.agenda.now_ms + idle_ms >= until_ms:
                promise = f"when everything is healed, {what} within {patience_ms} ms"
                states = "; ".join(_state(host) for host in world.hosts.values())
                raise ViolationError(
                    Violation(promise, (f"everything is healed since {healed_ms} ms", f"{until_ms} ms: {states}"), _SECTION)
                )
            steps = world.agenda.steps
            world.pass_time(world.agenda.now_ms + idle_ms + 50)
            # Where nothing is due the time of the last event stays: it must not stand still for ever.
            idle_ms = idle_ms + 50 if world.agenda.steps == steps else 0
            _stop_the_removed(world)

    wait(lambda: _leader(world) is not None, "a leader appears")
    wait(lambda: _is_committed(world), "what is in the leader's log is committed, and a change of members that was begun is done")
    last = Client("last", world.common)
    last.is_closing = True
    last.act()
    wait(lambda: _is_served(last, lambda: last.ask_for_commands(1)), "a command is committed")
    wait(lambda: _is_served(last, last.ask_for_a_read), "a read is answered")
    wait(lambda: all(client.is_idle for client in world.clients), "every client has its answer")
    wait(lambda: _are_equal(world), "all members hold and have applied the same log")
    return tuple(_members(world))


def _is_committed(world: "GroupWorld") -> bool:
    """Without a client that asks for more: a leader's first entry of its own commits what others left behind."""
    leader = _leader(world)
    is_done = leader is not None and leader.node is not None and not leader.node.configuration.is_joint
    return is_done and leader is not None and leader.commit_index == leader.log.last_index


def _is_served(client: Client, ask: Callable[[], None]) -> bool:
    """Whether it got what it asked for since this was last so; if not, and nothing is under way, it asks."""
    if client.served:
        client.served = 0
        return True
    if client.is_idle:
        ask()
    return False


def _leader(world: "GroupWorld") -> Host | None:
    leaders = [host for host in world.hosts.values() if host.node is not None and host.role is Role.LEADER]
    return max(leaders, key=lambda host: host.term, default=None)


def _members(world: "GroupWorld") -> list[Host]:
    leader = _leader(world)
    if leader is None or leader.node is None:
        return []
    return [world.hosts[member] for member in leader.node.configuration.members]


def _stop_the_removed(world: "GroupWorld") -> None:
    """A node that is a member no more may not know it, and campaign for ever; its owner switches it off."""
    leader = _leader(world)
    if leader is None or leader.node is None or leader.node.configuration.is_joint:
        return
    members = leader.node.configuration.members
    if leader.node_id in members and leader.commit_index == leader.log.last_index:
        for host in world.hosts.values():
            if host.node is not None and host.node_id not in members:
                host.die(is_power_lost=False)


def _are_equal(world: "GroupWorld") -> bool:
    leader, members = _leader(world), _members(world)
    well = [host for host in members if not host.storage.is_damaged]
    return (
        leader is not None
        and leader.commit_index == leader.log.last_index
        and all((host.applied, host.checksum) == (leader.applied, leader.checksum) for host in well)
        and leader.applied == leader.commit_index
    )


def _state(host: Host) -> str:
    node = host.node
    if node is None:
        return f"node {host.node_id} is dead"
    return (
        f"node {host.node_id} is {node.role} in term {node.term}, knows leader {node.leader}, log to {host.log.last_index},"
        f" committed {node.commit_index}, applied {host.applied}, members {node.configuration.members}"
    )

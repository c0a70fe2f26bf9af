"""What happens to a master and its slaves: stories for `mq.sim.replication.world`.

In the first two nothing that was acknowledged may be lost; in the third anything may happen, and only what holds always is looked
at. The others are the three ways in which this replication fails; `failures.py` names a seed of each.
"""

from collections.abc import Iterator

from mq.sim.replication.host import Replica
from mq.sim.replication.world import MasterSlaveWorld

__all__ = [
    "anything",
    "calm",
    "careful",
    "lagging_slave_promoted",
    "lost_with_its_disk",
    "no_slave",
    "two_masters",
    "two_people",
]


def calm(world: MasterSlaveWorld) -> Iterator[int]:
    """Nodes are killed and links are cut, and nobody promotes: what is acknowledged stays, however it is copied."""
    yield 500
    for _ in range(6):
        host = _one_of(world)
        if world.rng.random() < 0.6:
            world.crash(host)
            yield _some(world)
            world.start(host)
        else:
            world.cut(host, *_others(world, host))
            yield _some(world)
            world.heal()
        yield _some(world)


def careful(world: MasterSlaveWorld) -> Iterator[int]:
    """One node is lost at a time, and another one only when the first has all again. The person promotes who has most.

    With synchronous copy that loses nothing, also when a machine goes with its disk.
    """
    yield 500
    for _ in range(4):
        host = _one_of(world)
        was_master = host.is_master
        world.crash(host, with_disk=world.rng.random() < 0.4)
        yield _some(world)
        if was_master:
            world.promote(world.furthest(_others(world, host)))
            yield _some(world)
        world.start(host)
        yield from _until_equal(world)


def anything(world: MasterSlaveWorld) -> Iterator[int]:
    """Faults of all kinds, and a person who promotes at random: also two nodes, or one that lacks most."""
    yield 300
    for _ in range(12):
        host, chance = _one_of(world), world.rng.random()
        if chance < 0.25:
            world.crash(host, with_disk=world.rng.random() < 0.3)
        elif chance < 0.45:
            world.cut(host, *_others(world, host))
        elif chance < 0.65:
            world.promote(host, is_alone=world.rng.random() < 0.3)
        elif chance < 0.75 and host.is_master:
            world.go_alone(host)
        elif chance < 0.9:
            world.heal()
        else:
            host.weather.extra_ms = world.rng.choice((0, 0, 200))
        yield _some(world) // 2
        if world.rng.random() < 0.6:
            for other in world.hosts.values():
                world.start(other)
        yield _some(world) // 2


def two_people(world: MasterSlaveWorld) -> Iterator[int]:
    """The master dies while nobody hears anybody, and each slave has a person of its own who promotes it."""
    yield 500
    master = world.masters[-1]
    slaves = _others(world, master)
    world.crash(master)
    for slave in slaves:
        world.cut(slave, *_others(world, slave))
    yield _some(world)
    for slave in slaves:
        world.promote(slave)
    yield _some(world)
    world.heal()
    yield 1_000


def lost_with_its_disk(world: MasterSlaveWorld) -> Iterator[int]:
    """The master's machine is lost while its slaves are a little behind: with asynchronous copy that little is gone."""
    yield 1_000
    master = world.masters[-1]
    slaves = _others(world, master)
    world.crash(master, with_disk=True)
    yield 500
    world.promote(world.furthest(slaves))
    yield 1_000


def lagging_slave_promoted(world: MasterSlaveWorld) -> Iterator[int]:
    """A slave is cut off for a while; then the master dies, and a person promotes that slave: no disk was lost, messages are."""
    yield 500
    master = world.masters[-1]
    slave = _others(world, master)[0]
    world.cut(slave, *_others(world, slave))
    yield 1_000
    world.crash(master)
    world.heal()
    yield 300
    world.promote(slave)
    yield 500


def no_slave(world: MasterSlaveWorld) -> Iterator[int]:
    """With synchronous copy: all slaves die, and no message is taken, for as long as nobody acts. Then a person does."""
    yield 1_000
    master = world.masters[-1]
    for slave in _others(world, master):
        world.crash(slave)
    yield 2_000  # what was under way is acknowledged, or never
    before = world.done
    yield 10_000
    world.say(f"in 10 s without a slave {world.done - before} commands were acknowledged", *["silent"] * (world.done == before))
    world.go_alone(master)
    before = world.done
    yield 3_000
    world.say(f"in 3 s after that it were {world.done - before}", *["goes on"] * (world.done > before))


def two_masters(world: MasterSlaveWorld) -> Iterator[int]:
    """The master is cut off from its slaves, and a person, who takes it for dead, promotes one. Clients reach both."""
    yield 1_000
    master = world.masters[-1]
    slaves = _others(world, master)
    world.cut(master, *slaves)
    yield 300
    world.promote(slaves[0])
    world.add_clients(4)
    yield 4_000
    counts = world.acknowledged.by_epoch
    epochs = [host.decides.term for host in world.masters]
    told = ", ".join(f"{counts.get(epoch, 0)} in epoch {epoch}" for epoch in epochs)
    is_shown = len(epochs) == 2 and all(counts.get(epoch, 0) for epoch in epochs)
    world.say(f"{len(epochs)} masters; acknowledged: {told}", *["both acknowledge"] * is_shown)
    world.heal()
    yield 1_000


def _one_of(world: MasterSlaveWorld) -> Replica:
    return world.rng.choice(list(world.hosts.values()))


def _others(world: MasterSlaveWorld, host: Replica) -> list[Replica]:
    return [other for other in world.hosts.values() if other is not host]


def _some(world: MasterSlaveWorld) -> int:
    return 100 + int(world.rng.random() * 1500)


def _until_equal(world: MasterSlaveWorld) -> Iterator[int]:
    """Until all logs reach what the master's held when this began. A slave may take long, but it gets on."""
    yield 300
    wanted = world.masters[-1].decides.log.last.index if world.masters else 0
    while (least := _least(world)) < wanted:
        for _ in range(50):
            yield 100
            if _least(world) >= wanted:
                return
        if _least(world) <= least:
            raise AssertionError(f"a slave does not catch up: for 5 s its disk has held {least} entries of {wanted}")


def _least(world: MasterSlaveWorld) -> int:
    return min(host.storage.durable.last_index if host.is_up else -1 for host in world.hosts.values())

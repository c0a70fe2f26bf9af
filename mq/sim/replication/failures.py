"""The ways in which a master and its slaves fail, each by the seed of a run that shows it.

python -m mq.sim.replication                    all of them
python -m mq.sim.replication two-masters        what happened in that run, line by line
"""

from typing import NamedTuple

from mq.broker.replication.master_slave import Copy
from mq.sim.replication import stories
from mq.sim.replication.world import MasterSlaveWorld, Story, draw_options

__all__ = ["FAILURES", "Failure", "run_failure"]


class Failure(NamedTuple):
    """shows: what a run of it meets (`MasterSlaveWorld.met`)."""

    name: str
    what: str
    story: Story
    copy: Copy
    seed: int
    shows: tuple[str, ...]


FAILURES = (
    Failure(
        "lost-with-its-disk", "asynchronous copy: the master's machine is lost, and with it what no slave has yet",
        stories.lost_with_its_disk, Copy.ASYNC, 5, ("lost disks", "lost"),
    ),
    Failure(
        "lagging-slave", "asynchronous copy: a slave that lags is promoted; no disk is lost, messages are",
        stories.lagging_slave_promoted, Copy.ASYNC, 2, ("promotions", "lost", "set aside"),
    ),
    Failure(
        "wrong-slave", "synchronous copy, two slaves: one is enough for an answer, and a person promotes the other one",
        stories.lagging_slave_promoted, Copy.SYNC, 7, ("promotions", "lost"),
    ),
    Failure(
        "no-slave", "synchronous copy: without a slave no message is taken until a person acts",
        stories.no_slave, Copy.SYNC, 0, ("silent", "alone", "goes on"),
    ),
    Failure(
        "two-masters", "after a partition both acknowledge, and what one of them did vanishes when the links stand again",
        stories.two_masters, Copy.ASYNC, 3, ("both acknowledge", "lost", "set aside"),
    ),
)  # fmt: skip


def run_failure(failure: Failure, seed: int | None = None) -> MasterSlaveWorld:
    """Its run, which is over; of another seed where one is given. Raises: ViolationError, if it fails in another way, too."""
    seed = failure.seed if seed is None else seed
    world = MasterSlaveWorld(seed, failure.story, draw_options(seed, failure.copy))
    world.run()
    return world

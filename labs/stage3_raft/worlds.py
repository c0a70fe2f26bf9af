"""Seeded schedules of a whole group, as cases of a lab: the world, its faults and its checkers are out here, the Raft is not.

The same seed makes the same run, whether the Raft is in this process or in another one. (The trace tells of a node's members
when it has another object for them; of an equal one it may tell once more here than there.)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

from labs.grader.process import NotStartedError, ProcessGoneError
from labs.grader.remote import OrganRaisedError, WrongTypeError
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage3_raft.remote import raft_made_by
from mq.core.entry import HardState
from mq.core.errors import MqError
from mq.raft.messages import Message
from mq.sim.checkers import VacuousRunError
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group
from mq.sim.group.liveness import come_to_rest
from mq.sim.group.options import GroupOptions, draw_options
from mq.sim.group.watch import Checker, ViolationError
from mq.sim.group.world import GroupWorld, all_checkers

__all__ = ["lab_options", "world_case", "world_check", "world_of"]

_STEPS, _FAULTY_STEPS = 500, 360
"""Events of a run, and those of them that come before all is healed: at least so many."""
_LOOK_EVERY_MS, _MS_MAX = 20, 120_000
_ELECTION_TICKS_MAX, _SHARE = 10, 0.6
_CASES, _SWEEP, _POINTS = 8, 243, 3
"""1,004 seeds of four labs; `bench/raft_labs.py` says what they cost. Across the border a seed costs fifteen times as much."""
_LONG_ID = re.compile(r"EntryId\(term=(\d+), index=(\d+)\)")
_LONG_MESSAGE = re.compile(r"\b(\w+)\(sender=.*\)$")
"""How a violation names an entry, and a message with all that is in it."""


def lab_options(seed: int) -> GroupOptions:
    """As the world draws them, and then fewer clients, a shorter life, and no storms: more runs show more than longer ones."""
    drawn = draw_options(seed, steps=_STEPS)
    ticks = drawn.raft.election_ticks
    raft = replace(drawn.raft, election_ticks=min(_ELECTION_TICKS_MAX, ticks))
    share = _SHARE * raft.election_ticks / ticks
    load = replace(drawn.workload, clients=min(2, drawn.workload.clients), think_ms=max(150, drawn.workload.think_ms))
    return replace(
        drawn,
        raft=raft,
        workload=load,
        faults=tuple(fault for fault in drawn.faults if fault != "storm"),
        network=replace(drawn.network, repeat_probability=min(0.05, drawn.network.repeat_probability)),
        fault_every_ms=max(150, int(drawn.fault_every_ms * share)),
    )


class VotesStay(Checker):
    """No later write takes a vote off the disk: a loss of power would make it free again. By hand this is `watching.KEPT`."""

    promise = "a vote that is on a disk stays there as long as its term lasts"
    section = "Paper: Raft, figure 2"

    def __init__(self) -> None:
        self._seen: dict[int, HardState] = {}

    def started(self, host: Host) -> None:
        """See `Checker`."""
        self._look(host)

    def appended(self, host: Host, group: Group) -> None:  # noqa: ARG002  # what was written before it may be durable now
        """See `Checker`."""
        self._look(host)

    def leaves(self, host: Host, message: Message) -> None:  # noqa: ARG002  # often enough
        """See `Checker`."""
        self._look(host)

    def _look(self, host: Host) -> None:
        durable = host.storage.durable
        now = durable.hard_state
        if self._seen.get(host.node_id) is now:
            return
        self._seen[host.node_id] = now
        gone = [vote for term, vote in durable.votes if term == now.term and vote not in {None, now.vote}]
        if gone:
            left = "no vote" if now.vote is None else f"one for node {now.vote}"
            self.fail(
                f"the disk of node {host.node_id} held its vote for node {gone[0]} in term {now.term}",
                f"in the same term it holds {left}",
            )


def _checkers(hosts: dict[int, Host]) -> list[Checker]:
    return [*all_checkers(hosts), VotesStay()]


class LabWorld(GroupWorld):
    """A run that ends as soon as it has its events, and the crash and the cut that each run must have."""

    def _run(self) -> None:
        self.begin()
        until_ms = 0
        while (self.agenda.steps < _FAULTY_STEPS or self.nemesis.owes) and until_ms < _MS_MAX:
            until_ms += _LOOK_EVERY_MS
            self.pass_time(until_ms)
        members = come_to_rest(self)
        until_ms = self.agenda.now_ms
        while self.agenda.steps < _STEPS and until_ms < _MS_MAX:  # it was short, and nothing breaks any more
            until_ms += _LOOK_EVERY_MS
            self.pass_time(until_ms)
        for ends in self.watch.ends:
            ends(members)


def world_of(seed: int, make: Make, options: Callable[[int], GroupOptions] = lab_options) -> GroupWorld:
    """The run of a seed, with Rafts that `make` makes. options: those of a seed."""
    return LabWorld(seed, options(seed), make=raft_made_by(make), checkers=_checkers)  # type: ignore[arg-type]  # it makes nodes


def world_case(
    seed: int,
    *,
    options: Callable[[int], GroupOptions] = lab_options,
    also_met: Callable[[GroupWorld], Mapping[str, int]] = lambda _world: {},
) -> Case:
    """All promises, after every step of one seed. also_met: what is counted of a run besides `GroupWorld.met`."""

    def play(make: Make, _steps: tuple[object, ...], run: Run) -> None:
        world = world_of(seed, make, options)
        try:
            with suppress(VacuousRunError):  # what all seeds of a test together must have met, the test says
                world.run()
        except ViolationError as error:
            told = _told(error)
            _draw(run, world, told)
            raise told from error
        finally:
            run.met.update({**world.met(), **also_met(world)})

    return Case(str(seed), (), play)


def world_check(
    lab: str, name: str, section: str, case: Callable[[int], Case] = world_case, *, must_meet: Mapping[str, int]
) -> Check:
    """Test 2.1 of a lab: worlds by seeds of its own.

    must_meet: what these few seeds always come to with a right Raft, also a lazy one: what chance brings is no fault of it.
    """

    def cases(seeds: Seeds) -> Sequence[Case]:
        return [case(seed) for seed in seeds.draw(f"{lab}/2.1", _CASES)]

    return Check("2.1", name, section, cases, case, _POINTS, _SWEEP, must_meet=must_meet)


def _draw(run: Run, world: GroupWorld, told: Exception) -> None:
    """What led to the end of a run. told: what ended it.

    Where many seeds are run in a student's process, nobody looks, and no pictures lie there.
    """
    try:
        pictures = import_module("labs.stage3_raft.pictures")
    except ModuleNotFoundError:
        return
    title = f"seed {world.seed}: what led to it"
    broken = (told.promise, (told.expected, told.found)) if isinstance(told, PromiseBrokenError) else (pictures.RAISED,)
    picture = pictures.GroupPicture(world.trace.events, title, *broken)
    run.story[:], run.figure = picture.story(), picture


def _told(error: ViolationError) -> Exception:
    """What ended the run: a promise that broke, or what the student's process did or did not answer."""
    cause = error.__cause__
    if isinstance(cause, OrganRaisedError | WrongTypeError | ProcessGoneError | NotStartedError):
        return cause
    if isinstance(cause, MqError) and hasattr(cause, "__notes__"):  # over there: the note says by which call, and in which line
        return cause
    found = error.violation
    one, other = (_LONG_MESSAGE.sub(r"a \1", _LONG_ID.sub(r"entry \2 of term \1", fact)) for fact in found.facts)
    promise = found.promise[0].upper() + found.promise[1:]
    return PromiseBrokenError(promise, expected=one, found=other, section=found.section, are_facts=True)

"""Ring 3 of the Raft labs: a search from states that were reached, for any broken promise; driven from here, step by step.

What is found is played once more by nodes of which no copies are made, made short, and told as a trace. A search that finds
nothing says so only after some of the nodes' lives were lived again, and came to the same (see `labs.stage3_raft.shelf`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage3_raft.pictures import GroupPicture
from labs.stage3_raft.searched_group import MakeHost, SearchedGroup, SearchedHost
from labs.stage3_raft.shelf import Differing, Shelved, StumbledError
from labs.stage3_raft.snapshot_host import Book, SnapshotHost
from labs.stage3_raft.talks import Plan, Talks
from mq.raft.messages import Message, SnapshotRequest
from mq.raft.options import RaftOptions
from mq.sim.explore.group_model import GroupState, GroupStep
from mq.sim.explore.local import FAILURES, Kind
from mq.sim.explore.promises import PROMISES
from mq.sim.explore.scope import FIRST_ID, Scope
from mq.sim.explore.shrink import shrink
from mq.sim.explore.story import Story

__all__ = ["SAME_CALLS", "Search", "options_of", "scope_of", "search_check"]

SAME_CALLS = "The same calls always come to the same answers"
_SAME_ANSWERS = 'README, "The same answers"'
_LIVES = 10
"""So many are lived again at the end of a search."""
_UNREAL_MAX = 20
_TRIES_MAX, _PATIENCE = 1_500, 120


def options_of(**options: Any) -> RaftOptions:
    """Of the nodes of a search: one entry in a message, and no time passes, so that a leader cannot wait for a quorum in vain."""
    return RaftOptions(**{"entries_max": 1, "has_pre_vote": False, "has_check_quorum": False, **options})


def scope_of(*, is_disk_ready: bool = True, proposals: int = 0, entries: int = 4, nodes: int = 3, **options: Any) -> Scope:
    """Of a search. entries: no log gets longer. Its other limits are wider than any plan reaches."""
    return Scope(
        nodes=nodes, term_max=60, index_max=entries, proposals=proposals, crashes=200, heartbeats=200, in_flight_max=1_000,
        is_disk_ready=is_disk_ready, promises=tuple(PROMISES), options=options_of(**options),
    )  # fmt: skip


@dataclass(frozen=True)
class Search:
    """Where a search may go, and how it goes there."""

    scope: Scope
    plan: Plan
    snapshots_every: int = 0
    """A node takes a snapshot when it has applied so many entries since the last one; 0: never."""

    def host(self) -> MakeHost:
        """What makes hosts for the nodes of one search."""
        book = Book(self.snapshots_every)
        return partial(SnapshotHost, book=book) if self.snapshots_every else SearchedHost

    def play(self, seed: int, make: Make, _steps: Sequence[object], run: Run) -> None:
        """A case. Raises: PromiseBrokenError; what the student's code raised."""
        if _Searched(self, seed, make, run).differing() is not None:
            # What a copy shares with the node that it was made of may be no mistake: then it is made by doing all again.
            again = _Searched(self, seed, make, run, is_lived_again=True)
            if (differing := again.differing()) is not None:
                raise _not_the_same(differing)


def search_check(  # noqa: PLR0913 - what makes a test has a name each
    lab: str, number: str, name: str, section: str, search: Search, *, points: int, must_meet: Mapping[str, int]
) -> Check:
    """A test of ring 3. The seed says in which order it goes, and which of states that look alike it goes on from."""

    def case(seed: int) -> Case:
        return Case(str(seed), (), partial(search.play, seed))

    def cases(seeds: Seeds) -> Sequence[Case]:
        return [case(seed) for seed in seeds.draw(f"{lab}/{number}", 1)]

    return Check(number, name, section, cases, case, points, must_meet=must_meet)


class _Searched:
    """A search from begin to end."""

    def __init__(self, search: Search, seed: int, make: Make, run: Run, *, is_lived_again: bool = False) -> None:
        self._seed, self._run = seed, run
        try:
            self.group = SearchedGroup(search.scope, make, is_lived_again=is_lived_again, host=search.host())
            self._talks = Talks(self.group, search.plan, Random(seed))
        except StumbledError as error:
            raise error.cause from None

    def differing(self) -> Differing | None:
        """Search. None when no promise is broken and all lives come to the same. Raises: as `Search.play`."""
        run, talks = self._run, self._talks
        run.met.clear()
        unreal = 0
        try:
            for way in talks.broken():
                if self._is_lived(way):
                    self._fail(way)
                unreal += 1
                if unreal > _UNREAL_MAX or (differing := self._differing_of(self._ends(way))) is not None:
                    return differing
        except StumbledError as error:
            raise error.cause from None
        except Exception as error:
            if not isinstance(error, PromiseBrokenError):
                run.story[:] = [self.group.words(step) for step in talks.way]
            raise
        finally:
            installed = sum(isinstance(message, SnapshotRequest) and message.is_last for message in self.group.local.messages)
            leaders = sum(local.is_leader for local in self.group.local.states)
            run.met.update({"looks": talks.looks, "leaders": leaders, "snapshots": installed})
        lives = sorted((self._shelved(local) for local in range(len(self.group.local.states))), key=lambda one: -len(one.way()))
        return self._differing_of(lives[:_LIVES])

    # --- is it so

    def _is_lived(self, way: Sequence[GroupStep]) -> bool:
        """Whether nodes of which no copy is made come to the same. Raises: what ended a call of the last step."""
        group = self.group
        hosts = [group.local.make_host(node_id) for node_id in group.scope.ids]
        state = group.first()
        for step in way:
            after = group.after(state, step)
            if after is None:
                return False
            place, kind = _place(group, step), Kind(step & 7)
            number = step >> 3 if kind <= Kind.REPEAT else after.spent & 0xFF if kind is Kind.PROPOSE else 0
            host = hosts[place]
            assert isinstance(host, SearchedHost)
            try:
                group.local.do(host, kind, number)
                host.node.check()
            except FAILURES as error:
                if not after.wrong:
                    return False
                self._tell(way)
                raise (error.cause if isinstance(error, StumbledError) else error) from None
            broken = group.history.broken[after.wrong]
            has_stumbled = broken is not None and broken.promise == "own-invariants"  # and here it did not
            if has_stumbled or self._came_to(after, host) != host.look:
                return False
            if kind is not Kind.LOSE and self._sent(state.nodes[place], kind, number) != _counted(host.sent):
                return False
            state = after
        return bool(state.wrong)

    def _came_to(self, state: GroupState, host: SearchedHost) -> object:
        return self.group.local.states[state.nodes[host.node_id - FIRST_ID]].look

    def _sent(self, local: int, kind: Kind, number: int) -> Counter[tuple[type, Message]]:
        """What a copy of a node in this state sends then."""
        return _counted(self.group.local.messages[sent] for sent in self.group.local.move(local, kind, number).sent)

    def _ends(self, way: Sequence[GroupStep]) -> list[Shelved]:
        """The nodes' states behind these steps."""
        state = self.group.first()
        for step in way:
            state = self.group.after(state, step) or state
        return [self._shelved(local) for local in state.nodes]

    def _shelved(self, local: int) -> Shelved:
        return self.group.local.host(local).node.shelved

    def _differing_of(self, lives: Sequence[Shelved]) -> Differing | None:
        return next((found for life in lives if (found := self.group.keeper.differing(life)) is not None), None)

    # --- how it is told

    def _fail(self, way: Sequence[GroupStep]) -> None:
        group = self.group
        broken = group.history.broken[self._after(way).wrong]
        assert broken is not None

        def is_broken_so(state: GroupState) -> bool:
            now = group.history.broken[state.wrong]
            return now is not None and now.promise == broken.promise

        rng = Random(self._seed)
        short = shrink(group, way, is_broken_so, rng=rng, tries_max=_TRIES_MAX, patience=_PATIENCE)
        if self._is_lived(short):
            way = short
        raise self._tell(way)

    def _after(self, way: Sequence[GroupStep]) -> GroupState:
        state = self.group.first()
        for step in way:
            after = self.group.after(state, step)
            assert after is not None, "each of these steps happened before"
            state = after
        return state

    def _tell(self, way: Sequence[GroupStep]) -> PromiseBrokenError:
        """Into the story of the run, and as what broke."""
        story = Story(self.group, way)
        found = self.group.history.broken[story.state.wrong]
        assert found is not None
        promise, section = PROMISES[found.promise]
        applied = (
            event.node for event in story.trace.events() if event.name == "apply" and event.number("index") == found.applied_index
        )
        first = next(applied, "")
        facts = (found.before + (f"; {first} was the first to apply it" if first else ""), found.now)
        promise = promise[0].upper() + promise[1:]
        picture = GroupPicture(story.trace.events, f"found by a search: {len(way)} steps", promise, facts)
        self._run.story[:], self._run.figure = picture.story() or [self.group.words(step) for step in way], picture
        return PromiseBrokenError(promise, expected=facts[0], found=facts[1], section=section, are_facts=True)


def _place(group: SearchedGroup, step: GroupStep) -> int:
    """Of the node to which it happens."""
    return group.local.messages[step >> 3].to - FIRST_ID if step & 7 <= Kind.REPEAT else step >> 3


def _counted(messages: Iterable[Message]) -> Counter[tuple[type, Message]]:
    """In whatever order they were sent. Those of two kinds differ, whatever is in them."""
    return Counter((type(message), message) for message in messages)


def _not_the_same(differing: Differing) -> PromiseBrokenError:
    call = f"call {differing.number} in the life of a node, `{differing.name}`"
    return PromiseBrokenError(
        SAME_CALLS,
        expected=f"{call}, comes to the same when all calls before it were the same",
        found="it does not: something of the node is kept beside the object, in its class or its module say, or left to chance",
        section=_SAME_ANSWERS,
    )

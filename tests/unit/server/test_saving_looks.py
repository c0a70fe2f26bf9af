"""What a replaced Raft may not do with the saves of its log: leave one out, keep one for ever, or call it durable too early."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Appended, Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.parts import Parts
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.server.organs import OrganError, Organs
from mq.server.saving_looks import KEPT_TICKS_MAX

Make = Callable[[type[RaftNode]], RaftNode]


@pytest.fixture
def made() -> Iterator[Make]:
    """A guarded node 1 of three, as the host makes it."""
    organs: list[Organs] = []

    def make(raft_class: type[RaftNode]) -> RaftNode:
        organs.append(Organs(Parts(raft=raft_class)))
        log, options = FreshLog(CommitLog(segment_bytes=64 << 10)), RaftOptions(election_ticks=1000)
        return organs[-1].raft(1, log, random.Random(1), options=options, configuration=Configuration.of(1, 2, 3))

    yield make
    for one in organs:
        one.stop()


def request(index: int) -> AppendRequest:
    previous = EntryId(Term(int(index > 1)), LogIndex(index - 1))
    entry = Entry(LogIndex(index), Term(1), EntryKind.COMMAND, b"a loaf")
    return AppendRequest(2, 1, Term(1), previous, (entry,), LogIndex(0), 1)


def dropping(number: int, change: Callable[[Appended], Any] = lambda _save: ()) -> type[RaftNode]:
    class Wrong(RaftNode):
        """One of its saves gets lost, or changed."""

        __slots__ = ()

        def step(self, message: Any) -> Output:
            output = super().step(message)
            if output.saves and output.saves[0].sequence == number:
                return output._replace(saves=change(output.saves[0]))
            return output

    return Wrong


def test_a_save_that_is_left_out_is_missed_with_the_next_one_before_that_is_durable(made: Make) -> None:
    node = made(dropping(2))
    for index in (1, 2):
        node.step(request(index))
    complaint = "raft: `step` hands out save 3, and not save 2, which `step` put into the log before: what is in it is lost"
    with pytest.raises(OrganError, match=complaint):
        node.step(request(3))


def test_a_save_that_is_left_out_is_missed_also_when_none_follows_and_the_disk_is_done(made: Make) -> None:
    node = made(dropping(2))
    first = node.step(request(1))
    node.step(request(2))
    for _ in range(4 * KEPT_TICKS_MAX):
        node.tick()  # the disk hangs: it may be that the next one is to wait for it
    node.saved(first.saves[0].sequence)
    for _ in range(KEPT_TICKS_MAX):
        node.tick()
    with pytest.raises(OrganError, match="raft: `tick` keeps back save 2, which `step` put into the log, since 61 ticks"):
        node.tick()


def test_what_is_handed_out_is_what_the_log_gave(made: Make) -> None:
    node = made(dropping(1, lambda save: (save, save)))
    with pytest.raises(OrganError, match="hands out save 1, which is none that its log gave it, or an old one"):
        node.step(request(1))
    node = made(dropping(1, lambda save: (Appended(save.plan, save.places, 7),)))
    with pytest.raises(OrganError, match="hands out save 7, and not save 1, which `step` put into the log"):
        node.step(request(1))


def test_nothing_is_called_durable_before_the_disk_is_done(made: Make) -> None:
    class Hasty(RaftNode):
        __slots__ = ()

        def step(self, message: Any) -> Output:
            output = super().step(message)
            for save in output.saves:
                self.log.synced(save.sequence)
            return output

    with pytest.raises(OrganError, match="raft: `step` told its log that save 1 is durable, and the disk is done with none"):
        made(Hasty).step(request(1))


def test_the_log_is_told_what_the_disk_is_done_with(made: Make) -> None:
    class Silent(RaftNode):
        __slots__ = ()

        def saved(self, sequence: int) -> Output:
            return Output()

    node = made(Silent)
    node.saved(node.step(request(1)).saves[0].sequence)
    for _ in range(KEPT_TICKS_MAX):
        node.tick()
    with pytest.raises(OrganError, match=r"raft: `tick` has not told its log \(`synced`\) since 61 ticks that save 1 is durable"):
        node.tick()


# --- right ones


def test_a_raft_may_keep_saves_back_until_the_disk_is_done_with_those_before(made: Make) -> None:
    """However long that takes."""

    class OneAtATime(RaftNode):
        __slots__ = ("kept", "under_way")

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            self.kept: list[Appended] = []
            self.under_way = 0
            super().__init__(*arguments, **settings)

        def _finish(self) -> Output:
            output = super()._finish()
            self.kept += output.saves
            if self.under_way or not self.kept:
                return output._replace(saves=())
            save = self.kept.pop(0)
            self.under_way = save.sequence
            return output._replace(saves=(save,))

        def saved(self, sequence: int) -> Output:
            self.under_way = 0
            return super().saved(sequence)

    node = made(OneAtATime)
    under_way = node.step(request(1)).saves
    for index in (2, 3):
        assert not node.step(request(index)).saves
    for sequence in (1, 2, 3):
        for _ in range(4 * KEPT_TICKS_MAX):
            node.tick()
        (save,) = under_way
        assert save.sequence == sequence
        under_way = node.saved(sequence).saves
    assert node.view().durable_index == 3


def test_saves_that_were_taken_back_are_not_missed(made: Make) -> None:
    class Own(RaftNode):
        __slots__ = ()

    node = made(Own)
    for index in (1, 2, 3):
        node.step(request(index))
    node.saved(1)
    for sequence in (3, 2):
        node.save_failed(sequence)
    for index in (2, 3):
        save = node.step(request(index)).saves[-1]
        node.saved(save.sequence)
    for _ in range(4 * KEPT_TICKS_MAX):
        output = node.tick()
        if output.saves:
            node.saved(output.saves[-1].sequence)
    assert node.view().durable_index == 3

"""What a replaced Raft may not leave undone while it leads, and what may keep a right one from doing it."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.parts import Parts
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, SnapshotRequest, VoteReply
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.progress import PeerState
from mq.raft.role import Role
from mq.server.leading_looks import UNLED_TICKS_MAX
from mq.server.organs import OrganError, Organs

NONE = EntryId(Term(0), LogIndex(0))
MANY = 4 * UNLED_TICKS_MAX
Make = Callable[[type[RaftNode]], RaftNode]


class Own(RaftNode):
    """Somebody's own, and right."""

    __slots__ = ()


@pytest.fixture
def made() -> Iterator[Make]:
    """A guarded node 1 of three, as the host makes it."""
    organs: list[Organs] = []

    def make(raft_class: type[RaftNode]) -> RaftNode:
        organs.append(Organs(Parts(raft=raft_class)))
        log, options = FreshLog(CommitLog(segment_bytes=64 << 10)), RaftOptions(has_check_quorum=False)
        return organs[-1].raft(1, log, random.Random(1), options=options, configuration=Configuration.of(1, 2, 3))

    yield make
    for one in organs:
        one.stop()


def save(node: RaftNode, output: Output) -> Output:
    while output.saves:
        output = node.saved(output.saves[-1].sequence)
    return output


def lead(node: RaftNode, term: int = 1) -> RaftNode:
    save(node, node.campaign())
    for is_pre_vote in (True, False):
        save(node, node.step(VoteReply(2, 1, Term(term), is_granted=True, is_pre_vote=is_pre_vote)))
    assert node.view().role is Role.LEADER
    return node


def has(node: RaftNode, match: int, *, sender: int = 2, is_matching: bool = True) -> None:
    """What a follower answers."""
    view = node.view()
    rejected = LogIndex(0 if is_matching else view.last.index)
    match = LogIndex(match if is_matching else 0)
    save(node, node.step(AppendReply(sender, 1, view.term, is_matching, match, rejected, NONE, 1)))


def tick(node: RaftNode, answer: Callable[[], object] = lambda: None, times: int = MANY) -> None:
    for number in range(times):
        save(node, node.tick())
        if number % 2:
            answer()


# --- wrong ones


class OnlyBeats(RaftNode):
    __slots__ = ()

    def _finish(self) -> Output:
        output = super()._finish()
        return output._replace(send=tuple(one for one in output.send if not (isinstance(one, AppendRequest) and one.entries)))


def test_a_leader_sends_entries_to_who_answers_and_lacks_them(made: Make) -> None:
    node = lead(made(OnlyBeats))
    with pytest.raises(
        OrganError, match=r"raft: `tick` leads and sends no entries to node 2, which answered \d+ times and lacks "
    ):
        tick(node, lambda: has(node, 0))


def test_a_leader_heeds_who_says_that_something_is_missing(made: Make) -> None:
    class NeverAgain(RaftNode):
        """What was lost on its way is not sent again."""

        __slots__ = ()

        def on_append_reply(self, message: AppendReply) -> None:
            if message.is_matching:
                super().on_append_reply(message)

    node = lead(made(NeverAgain))
    save(node, node.propose((b"a loaf",)))

    def reject() -> None:
        has(node, 0, is_matching=False)
        has(node, 0, sender=3, is_matching=False)

    with pytest.raises(OrganError, match=r"`tick` leads and sends no entries to node 2 and node 3, which answered"):
        tick(node, reject)


def test_a_leader_that_asks_the_same_again_and_again_gets_nowhere(made: Make) -> None:
    class AsksInVain(RaftNode):
        """Where the logs may agree it asks at its log's end, one before it, and at the end again."""

        __slots__ = ()

        def _finish(self) -> Output:
            output = super()._finish()
            return output._replace(send=tuple(map(self._only_asks, output.send)))

        def _only_asks(self, message: Any) -> Any:
            if not isinstance(message, AppendRequest):
                return message
            return message._replace(entries=(), previous=EntryId(Term(1), LogIndex(self.view().last.index - message.round % 2)))

    node = lead(made(AsksInVain))
    save(node, node.propose(tuple(b"a loaf" for _ in range(40))))
    with pytest.raises(OrganError, match=r"`tick` leads and sends no entries to node 2, which answered"):
        tick(node, lambda: has(node, 0, is_matching=False))


def test_a_leader_says_that_it_leads(made: Make) -> None:
    class Silent(RaftNode):
        __slots__ = ()

        def _finish(self) -> Output:
            return super()._finish()._replace(changes=())

    node = lead(made(Silent))
    has(node, 1)
    with pytest.raises(OrganError, match="this node leads, as its `view` says, since 61 ticks, and no Output says so"):
        tick(node)


def test_a_leader_begins_with_an_entry_of_its_own(made: Make) -> None:
    class Bare(RaftNode):
        __slots__ = ()

        def _append_own(self, contents: Sequence[tuple[EntryKind, bytes]]) -> None:
            if contents[0][0] is not EntryKind.NOOP:
                super()._append_own(contents)

    node = made(Bare)
    old = Entry(LogIndex(1), Term(1), EntryKind.COMMAND, b"a loaf")
    save(node, node.step(AppendRequest(2, 1, Term(1), NONE, (old,), LogIndex(0), 1)))
    lead(node, 2)
    with pytest.raises(
        OrganError, match="`tick` leads term 2 since 61 ticks without an entry of that term in its log, which ends"
    ):
        tick(node, lambda: has(node, 1))


def test_a_leader_that_does_not_listen_to_its_followers_is_named(made: Make) -> None:
    class Deaf(RaftNode):
        __slots__ = ()

        def on_append_reply(self, message: AppendReply) -> None:
            pass

    node = lead(made(Deaf))
    with pytest.raises(
        OrganError, match="`tick` leaves entries unapplied: those up to 1 are durable with a quorum since 61 ticks"
    ):
        tick(node, lambda: has(node, 1))


def test_a_follower_applies_what_its_leader_says(made: Make) -> None:
    class Withholds(RaftNode):
        __slots__ = ()

        def _commit_to(self, index: int) -> None:
            pass

    node = made(Withholds)
    old = Entry(LogIndex(1), Term(1), EntryKind.COMMAND, b"a loaf")
    save(node, node.step(AppendRequest(2, 1, Term(1), NONE, (old,), LogIndex(0), 1)))
    beat = AppendRequest(2, 1, Term(1), EntryId(Term(1), LogIndex(1)), (), LogIndex(1), 2)
    with pytest.raises(
        OrganError, match="leaves entries unapplied: those up to 1 are durable here and committed, as a leader said"
    ):
        tick(node, lambda: save(node, node.step(beat)))


# --- right ones


def test_a_follower_that_does_not_answer_or_is_slow_to_save_is_no_fault_of_its_leader(made: Make) -> None:
    """It is cut off, stands still, or its disk hangs while it answers what it is asked."""
    node = lead(made(Own))
    tick(node)
    has(node, 1)
    save(node, node.propose((b"a loaf",)))
    tick(node)
    tick(node, lambda: has(node, 1))
    assert node.view().commit_index == 1
    has(node, 2)
    assert node.view().commit_index == 2


def test_a_leader_whose_own_disk_hangs_may_wait_for_it(made: Make) -> None:
    class SendsWhatIsDurable(RaftNode):
        """Nothing leaves before it is on the own disk."""

        __slots__ = ()

        def _feed(self, peer: Any) -> bool:
            return self.log.storage.durable_index >= peer.next_index and super()._feed(peer)

        def _on_saved(self) -> None:
            super()._on_saved()
            for peer in self.peers.values():
                self._feed(peer)

    node = lead(made(SendsWhatIsDurable))
    has(node, 1)
    output = node.propose((b"a loaf",))
    for _ in range(MANY):
        node.tick()
        node.step(AppendReply(2, 1, Term(1), True, LogIndex(1), LogIndex(0), NONE, 1))
    output = node.saved(output.saves[-1].sequence)
    assert [one.entries[0].index for one in output.send if isinstance(one, AppendRequest) and one.entries] == [2]


def test_a_burst_of_answers_behind_a_pause_is_no_proof(made: Make) -> None:
    """The process stood still: ticks were few, and what others said meanwhile comes at once."""
    node = lead(made(OnlyBeats))
    for _ in range(1000):
        has(node, 0)
    tick(node, times=UNLED_TICKS_MAX)
    assert node.view().role is Role.LEADER


class Probes(RaftNode):
    """Until it is found where the logs agree, its requests are like heartbeats, one entry further back with each refusal."""

    __slots__ = ()

    def _feed(self, peer: Any) -> bool:
        return peer.state is not PeerState.PROBE and super()._feed(peer)

    def on_append_reply(self, message: AppendReply) -> None:
        peer = self.peers[message.sender]
        if message.is_matching:
            super().on_append_reply(message)
        elif self._is_current_rejection(peer, message):
            peer.probe_from(message.rejected_index)


@pytest.mark.parametrize("has_of_it", [0, 1, 77])
def test_a_leader_may_ask_where_the_logs_agree_one_entry_back_at_a_time(made: Make, has_of_it: int) -> None:
    """As the thesis allows it, section 3.5. A follower that lacks many entries has refused often by then."""
    node = made(Probes)
    old = [Entry(LogIndex(number), Term(1), EntryKind.COMMAND, b"a loaf") for number in range(1, 151)]
    save(node, node.step(AppendRequest(2, 1, Term(1), NONE, tuple(old), LogIndex(0), 1)))
    lead(node, 2)
    logs = {2: has_of_it}

    def answer(message: Any) -> None:
        if isinstance(message, AppendRequest) and message.to in logs:
            previous, entries = message.previous.index, message.entries
            if previous > logs[message.to]:
                hint = EntryId(Term(1), LogIndex(logs[message.to]))
                reply = AppendReply(message.to, 1, message.term, False, LogIndex(0), previous, hint, message.round)
            else:
                match = entries[-1].index if entries else previous
                logs[message.to] = max(logs[message.to], match)
                reply = AppendReply(message.to, 1, message.term, True, match, LogIndex(0), NONE, message.round)
            carry_out(node.step(reply))

    def carry_out(output: Output) -> None:
        for wanted in output.fetch:
            first, last = wanted.first, wanted.last  # type: ignore[union-attr]
            carry_out(node.fetched(wanted, tuple(old[first - 1 : last])))  # type: ignore[arg-type]
        for message in output.send:
            answer(message)
        while output.saves:
            output = node.saved(output.saves[-1].sequence)

    for _ in range(12 * len(old)):
        carry_out(node.tick())
    assert node.view().commit_index == 151


def test_what_is_read_for_a_follower_may_take_its_time_and_a_snapshot_too(made: Make) -> None:
    class Patient(RaftNode):
        """Asks once for what it has to read, and sends each chunk once."""

        __slots__ = ()

        def _ask_again(self, peer: Any) -> None:
            pass

    node = lead(made(Patient))
    has(node, 1)
    save(node, node.propose((b"a loaf",)))
    has(node, 2)
    node.applied(LogIndex(2))
    snapshot = node.take_snapshot()
    assert snapshot is not None
    save(node, node.snapshot_saved(snapshot))
    node.log.storage.drop_before(LogIndex(2))
    save(node, node.propose((b"rye",)))
    node.peers[3].needs(snapshot)
    node._want_chunk(node.peers[3])
    (wanted,) = node.campaign().fetch
    tick(node, lambda: has(node, 0, sender=3, is_matching=False))
    output = node.chunk_fetched(wanted, b"state", is_last=True)  # type: ignore[arg-type]
    assert isinstance(output.send[0], SnapshotRequest)
    tick(node, lambda: has(node, 0, sender=3, is_matching=False))
    assert node.view().commit_index == 2

"""What a replaced Raft may not do: lose what it was given to propose, say what its log does not hold, apply nothing."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Appended, Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.parts import Parts, load_parts
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, TimeoutNow, VoteReply
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output, RoleChanged
from mq.raft.role import Role
from mq.server.organs import OrganError, Organs
from mq.server.raft_looks import UNAPPLIED_TICKS_MAX

ROOT = Path(__file__).resolve().parents[3]
NONE = EntryId(Term(0), LogIndex(0))
Make = Callable[..., RaftNode]


@pytest.fixture
def made() -> Iterator[Make]:
    """A guarded node of a class, as the host makes it."""
    organs: list[Organs] = []

    def make(raft_class: type[RaftNode], *voters: int) -> RaftNode:
        organs.append(Organs(Parts(raft=raft_class)))
        log = FreshLog(CommitLog(segment_bytes=64 << 10))
        configuration = Configuration.of(*(voters or (1,)))
        return organs[-1].raft(1, log, random.Random(1), options=RaftOptions(), configuration=configuration)

    yield make
    for one in organs:
        one.stop()


def leading(node: RaftNode) -> RaftNode:
    """Alone, and so at once."""
    save(node, node.campaign())
    assert node.view().leader == 1
    return node


def save(node: RaftNode, output: Output) -> Output:
    while output.saves:
        output = node.saved(output.saves[-1].sequence)
    return output


def proposing(change: Callable[[RaftNode, Any], Output]) -> type[RaftNode]:
    class Wrong(RaftNode):
        __slots__ = ()

        def propose(self, payloads: Any) -> Output:
            return change(self, payloads)

    return Wrong


def told(**changes: Any) -> Callable[[RaftNode, Any], Output]:
    return lambda node, payloads: RaftNode.propose(node, payloads)._replace(**changes)


def moved(by: int) -> Callable[[RaftNode, Any], Output]:
    def propose(node: RaftNode, payloads: Any) -> Output:
        output = RaftNode.propose(node, payloads)
        assert output.proposed is not None
        term, index = output.proposed
        return output._replace(proposed=EntryId(term, LogIndex(index + by)))

    return propose


def of_another_term(node: RaftNode, payloads: Any) -> Output:
    output = RaftNode.propose(node, payloads)
    assert output.proposed is not None
    return output._replace(proposed=output.proposed._replace(term=Term(7)))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda node, payloads: RaftNode.propose(node, payloads[1:]), "says that they are entries 2 to 3: its log holds 1 to 2"),
        (lambda node, payloads: RaftNode.propose(node, payloads[::-1]), "entry 2 of its log is not number 1 of them"),
        (lambda node, payloads: RaftNode.propose(node, (payloads[0], b"oats")), "entry 3 of its log is not number 2 of them"),
        (moved(5), "says that they are entries 7 to 8: its log holds 1 to 3"),
        (moved(1), "says that they are entries 3 to 4: its log holds 1 to 3"),
        (moved(-1), "entry 1 of its log is not number 1 of them: it is lost, or moved"),
        (of_another_term, "in term 7, and entry 2 of its log is of term 1"),
        (told(proposed=None), "does not say where the first one is: `proposed` is None"),
        (told(proposed=(1, 2)), r"whose `proposed` is \(1, 2\), expected EntryId or None"),
        (told(saves=()), "and its Output saves nothing: they are lost"),
        (told(send=((1, 2),)), r"whose `send` is \(\(1, 2\),\), expected a tuple of Message"),
        (told(send_after=((1, 2),)), r"whose `send_after` has \(1, 2\), expected pairs of a sequence and a message"),
        (told(reads=((1, 2),)), r"whose `reads` is \(\(1, 2\),\), expected a tuple of ReadReady"),
        (told(fetch=((1, 2),)), "expected a tuple of EntriesWanted or ChunkWanted"),
        (told(install="all"), "whose `install` is 'all', expected Snapshot or None"),
        (told(forget=("log/0",)), "returned the plan"),
        (told(proposed=EntryId(Term(1), "2")), "returned EntryId whose `index` is '2', expected int"),  # type: ignore[arg-type]
        (told(send=(TimeoutNow(1, 2, None),)), "returned TimeoutNow whose `term` is None, expected int"),  # type: ignore[arg-type]
        (told(changes=(RoleChanged(Role.LEADER, Term(1), "me"),)), "`leader` is 'me', expected int or NoneType"),  # type: ignore[arg-type]
        (told(saves=(Appended((), (), None),)), "a save whose sequence is None, expected int"),  # type: ignore[arg-type]
    ],
)
def test_what_was_proposed_is_in_the_log_where_the_output_says(made: Make, change: Any, complaint: str) -> None:
    node = leading(made(proposing(change)))
    with pytest.raises(OrganError, match=f"raft: `propose` .*{complaint}"):
        node.propose((b"a loaf", b"rye"))


def test_commands_in_a_list_that_is_changed_meanwhile_do_not_hide_the_loss(made: Make) -> None:
    def takes_one(node: RaftNode, payloads: Any) -> Output:
        return RaftNode.propose(node, tuple(payloads)[1:] or payloads)

    node = leading(made(proposing(takes_one)))
    assert node.propose((b"a loaf",)).proposed == (1, 2)
    with pytest.raises(OrganError, match="given 2 command"):
        node.propose((b"rye", b"spelt"))


# --- what is said to others


def request(*payloads: bytes) -> AppendRequest:
    entries = tuple(Entry(LogIndex(1 + i), Term(1), EntryKind.COMMAND, payload) for i, payload in enumerate(payloads))
    return AppendRequest(2, 1, Term(1), NONE, entries, LogIndex(0), 1)


def taking(change: Callable[[AppendRequest], AppendRequest]) -> type[RaftNode]:
    """A follower that takes something else, and acknowledges all of it."""

    class Wrong(RaftNode):
        __slots__ = ()

        def step(self, message: Any) -> Output:
            output = super().step(change(message))
            end, after = LogIndex(len(message.entries)), []
            for at, reply in output.send_after:
                assert isinstance(reply, AppendReply)
                after.append((at, reply._replace(match_index=end)))
            return output._replace(send_after=tuple(after))

    return Wrong


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda came: came._replace(entries=came.entries[:-1]), "acknowledges entries up to 2, and only those up to 1 are there"),
        (lambda came: came._replace(entries=()), "acknowledges entries up to 2, and only those up to 0 are there"),
        (
            lambda came: came._replace(entries=(came.entries[0], came.entries[1]._replace(payload=b"oats"))),
            "acknowledges entry 2, which is not in its log as it came: it is lost",
        ),
    ],
)
def test_what_is_acknowledged_is_in_the_log_as_it_came(made: Make, change: Any, complaint: str) -> None:
    node = made(taking(change), 1, 2, 3)
    with pytest.raises(OrganError, match=f"raft: `step` {complaint}"):
        node.step(request(b"a loaf", b"rye"))


def test_what_is_acknowledged_at_once_is_durable(made: Make) -> None:
    class Hasty(RaftNode):
        __slots__ = ()

        def step(self, message: Any) -> Output:
            output = super().step(message)
            return output._replace(send=tuple(reply for _, reply in output.send_after), send_after=())

    with pytest.raises(OrganError, match="raft: `step` acknowledges entries up to 1, and only those up to 0 are durable"):
        made(Hasty, 1, 2, 3).step(request(b"a loaf"))


def test_what_is_sent_is_what_the_own_log_holds(made: Make) -> None:
    class Wrong(RaftNode):
        __slots__ = ()

        def _tell(self, message: Any) -> None:
            if isinstance(message, AppendRequest):
                changed = [one._replace(payload=b"oats") if one.payload else one for one in message.entries]
                message = message._replace(entries=tuple(changed))
            super()._tell(message)

    node = made(Wrong, 1, 2)
    lead_two(node)
    with pytest.raises(OrganError, match="raft: `propose` sends entry 2 to node 2 as it is not in its own log"):
        node.propose((b"a loaf",))


def lead_two(node: RaftNode) -> None:
    """With the votes of node 2, which has the leader's first entry."""
    save(node, node.campaign())
    save(node, node.step(VoteReply(2, 1, Term(1), is_granted=True, is_pre_vote=True)))
    save(node, node.step(VoteReply(2, 1, Term(1), is_granted=True)))
    assert node.view().leader == 1
    reply(node, 1)


def reply(node: RaftNode, match: int) -> Output:
    return node.step(AppendReply(2, 1, Term(1), True, LogIndex(match), LogIndex(0), NONE, 1))


# --- what is applied


class Withholds(RaftNode):
    """Never says that more than its first entry is to be applied."""

    __slots__ = ()

    def _finish(self) -> Output:
        output = super()._finish()
        return output._replace(apply_to=LogIndex(min(output.apply_to, 1)))


def tick(node: RaftNode, answer: Callable[[], object] = lambda: None, times: int = UNAPPLIED_TICKS_MAX) -> None:
    for _ in range(times):
        save(node, node.tick())
        answer()


COMPLAINT = (
    f"raft: `tick` leaves entries unapplied: those up to 2 are durable with a quorum since {UNAPPLIED_TICKS_MAX + 1} ticks, "
    "and only those up to 1 were to be applied"
)


def test_alone_nothing_durable_stays_unapplied(made: Make) -> None:
    node = leading(made(Withholds))
    save(node, node.propose((b"a loaf",)))
    tick(node)
    with pytest.raises(OrganError, match=COMPLAINT):
        node.tick()


def test_what_a_quorum_has_does_not_stay_unapplied_and_what_it_lacks_may(made: Make) -> None:
    node = made(Withholds, 1, 2)
    lead_two(node)
    save(node, node.propose((b"a loaf",)))
    tick(node, lambda: reply(node, 1), times=4 * UNAPPLIED_TICKS_MAX)
    reply(node, 2)
    tick(node, lambda: reply(node, 2))
    with pytest.raises(OrganError, match=COMPLAINT):
        node.tick()


def test_an_entry_of_an_earlier_term_that_a_quorum_has_need_not_be_applied(made: Make) -> None:
    """Paper: Raft, section 5.4.2: it may be superseded yet, as long as none of the leader's own is there."""

    class Right(RaftNode):
        __slots__ = ()

    node = made(Right, 1, 2)
    save(node, node.step(request(b"a loaf")))
    save(node, node.campaign())
    save(node, node.step(VoteReply(2, 1, Term(2), is_granted=True, is_pre_vote=True)))
    save(node, node.step(VoteReply(2, 1, Term(2), is_granted=True)))
    matched = AppendReply(2, 1, Term(2), True, LogIndex(1), LogIndex(0), NONE, 1)
    tick(node, lambda: node.step(matched), times=4 * UNAPPLIED_TICKS_MAX)
    view = node.view()
    assert (view.leader, view.peers[0].match_index, view.commit_index) == (1, 1, 0)


def test_a_right_one_that_applies_and_has_nothing_more_to_do_is_let_be(made: Make) -> None:
    class Right(RaftNode):
        __slots__ = ()

    node = leading(made(Right))
    save(node, node.propose((b"a loaf",)))
    tick(node, times=4 * UNAPPLIED_TICKS_MAX)
    assert node.view().apply_to == 2


# --- right ones


@pytest.mark.parametrize("variant", ["eager", "lazy", "plain", "saving_up"])
def test_right_rafts_of_another_make_pass(variant: str) -> None:
    """As leaders and as followers, with each of the others, and what was given is in the log of both."""
    own = load_parts(str(ROOT / f"labs/stage3_raft/right/{variant}.py"))
    organs = [Organs(own), Organs(own)]
    nodes = {}
    for number, one in enumerate(organs, start=1):
        log = FreshLog(CommitLog(segment_bytes=64 << 10))
        configuration = Configuration.of(1, 2)
        nodes[number] = one.raft(number, log, random.Random(number), options=RaftOptions(), configuration=configuration)
    waiting: list[Any] = []

    def do(node: RaftNode, output: Output) -> None:
        waiting.extend(output.send)
        after = list(output.send_after)
        while output.saves:
            output = node.saved(output.saves[-1].sequence)
            waiting.extend(output.send)
            after += output.send_after
        waiting.extend(message for _, message in after)

    def settle() -> None:
        while waiting:
            message = waiting.pop(0)
            do(nodes[message.to], nodes[message.to].step(message))

    do(nodes[1], nodes[1].campaign())
    settle()
    for number in range(20):
        do(nodes[1], nodes[1].propose((b"a loaf %d" % number, b"rye", b"rye")))
        if number % 3:
            settle()
    for _ in range(2 * UNAPPLIED_TICKS_MAX):
        do(nodes[1], nodes[1].tick())
        settle()
    assert [node.view().commit_index for node in nodes.values()] == [61, 61]
    assert organs[1].calls["raft.step"] > 20
    for one in organs:
        one.stop()

"""Checkers of votes, acknowledgements, reads and histories, clause by clause: each is shown the one wrong thing."""

import pytest

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, Message, SnapshotReply, TimeoutNow, VoteReply, VoteRequest
from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.promises import (
    AcknowledgedIsKept,
    DamagedIsSilent,
    History,
    MonotoneTerms,
    OneVoteEachTerm,
    PromisesAfterSaves,
    ReadsAreFresh,
)
from tests.unit.sim.checker_hosts import appends, command, compacted, entry_id, fails, host, on_disk

NOWHERE = entry_id(0, 0)


def request(term: int, last: tuple[int, int] = (0, 0), *, is_pre_vote: bool = False) -> VoteRequest:
    """Node 1 asks for node 2's vote."""
    return VoteRequest(1, 2, Term(term), entry_id(*last), is_pre_vote)


def reply(term: int, to: int = 2, *, is_granted: bool = True, is_pre_vote: bool = False) -> VoteReply:
    return VoteReply(1, to, Term(term), is_granted, is_pre_vote)


def acknowledgement(term: int, index: int, *, is_matching: bool = True) -> AppendReply:
    return AppendReply(1, 2, Term(term), is_matching, LogIndex(index), LogIndex(0), NOWHERE, 0)


def installed(term: int, last: tuple[int, int], *, is_installed: bool = True) -> SnapshotReply:
    return SnapshotReply(1, 2, Term(term), entry_id(*last), 9, is_installed)


# ---------------------------------------------------------------- terms, votes and commit indexes only go one way


def test_a_term_never_falls() -> None:
    checker = MonotoneTerms()
    checker.moved(host(term=3, was_term=2))
    with fails(checker, "node 1 was in term 3", "it is in term 2 now"):
        checker.moved(host(term=2, was_term=3))


@pytest.mark.parametrize("now", [None, 3])
def test_a_vote_is_neither_changed_nor_taken_back_in_its_term(now: int | None) -> None:
    checker = MonotoneTerms()
    checker.moved(host(term=2, vote=2, was_vote=None))
    checker.moved(host(term=3, was_term=2, vote=now, was_vote=2))
    checker.moved(host(term=2, vote=2))
    with fails(checker, "node 1 gave its vote of term 2 to node 2", f"its vote of that term is {now} now"):
        checker.moved(host(term=2, vote=now, was_vote=2))


def test_a_commit_index_never_falls_but_on_a_full_disk() -> None:
    checker = MonotoneTerms()
    checker.moved(host(commit_index=5, was_commit_index=4))
    checker.moved(host(commit_index=4, was_commit_index=5, is_taking_back=True))
    checker.moved(host(commit_index=4, was_commit_index=5, is_down=True))
    with fails(checker, "node 1 held entry 5 to be committed", "its commit index is 4 now"):
        checker.moved(host(commit_index=4, was_commit_index=5))


def test_a_start_is_in_no_earlier_term_than_what_was_said_before() -> None:
    checker = MonotoneTerms()
    checker.leaves(host(term=4), TimeoutNow(1, 2, Term(4)))
    checker.leaves(host(term=4), request(9, is_pre_vote=True))  # nobody is in that term
    checker.leaves(host(term=4), reply(3))  # an answer that was late
    checker.leaves(host(2, term=7), TimeoutNow(2, 1, Term(7)))
    checker.started(host(term=4))
    checker.started(host(term=3, is_damaged=True))
    with fails(checker, "node 1 had sent a message of term 4", "it started again in term 3"):
        checker.started(host(term=3))


# ---------------------------------------------------------------- one vote each term


@pytest.mark.parametrize(("first", "voted"), [(reply(2, to=2), 2), (request(2), 1)], ids=["for another", "for itself"])
def test_a_node_votes_once_in_a_term(first: Message, voted: int) -> None:
    checker = OneVoteEachTerm()
    node = host()
    for message in (first, first, reply(2, to=3, is_granted=False), reply(2, to=3, is_pre_vote=True), reply(3, to=3)):
        checker.leaves(node, message)
    checker.leaves(host(2), VoteReply(2, 3, Term(2), is_granted=True))
    with fails(checker, f"node 1 voted for node {voted} in term 2", "it voted for node 3 in term 2, too"):
        checker.leaves(node, reply(2, to=3))


def test_who_voted_for_another_does_not_campaign_in_that_term() -> None:
    checker = OneVoteEachTerm()
    checker.leaves(host(), request(5, is_pre_vote=True))
    checker.leaves(host(), reply(5, to=3))
    checker.leaves(host(), request(5, is_pre_vote=True))
    with fails(checker, "node 1 voted for node 3 in term 5", "it voted for node 1 in term 5, too"):
        checker.leaves(host(), request(5))


# ---------------------------------------------------------------- promises after saves


@pytest.mark.parametrize(
    "message",
    [TimeoutNow(1, 2, Term(3)), acknowledgement(3, 1), reply(3, is_granted=False), request(3), installed(3, (1, 1))],
    ids=["a wish", "an acknowledgement", "a refusal", "a campaign", "a snapshot"],
)
def test_nothing_is_said_in_a_term_that_is_not_on_the_disk(message: Message) -> None:
    checker = PromisesAfterSaves()
    node = host(term=3, disk_term=2, saved=[1])
    checker.leaves(node, request(4, is_pre_vote=True))
    checker.leaves(node, reply(4, is_pre_vote=True))
    with fails(checker, "node 1 sends a message of term 3", "the term on its disk is 2"):
        checker.leaves(node, message)


def test_no_more_is_acknowledged_than_was_ever_on_the_disk() -> None:
    """Also of a term that is over: what is there now may differ, what was said had to be true then."""
    checker = PromisesAfterSaves()
    for node in (host(saved=[1, 2], unsaved=[2]), host(saved=[1, 2], unsaved=[3], term=3)):
        checker.leaves(node, acknowledgement(2, 2))
        checker.leaves(node, acknowledgement(2, 3, is_matching=False))
        with fails(checker, "acknowledges entries up to 3 to node 2 in term 2", "no more than 2 entries were on its disk"):
            checker.leaves(node, acknowledgement(2, 3))


def test_what_is_acknowledged_is_what_the_disk_holds_now() -> None:
    """Three entries are on the disk, and in memory another one stands in the place of the last two."""
    checker = PromisesAfterSaves()
    node = host(saved=[1, 1, 1], term=3)
    node.log.append(LogIndex(1), [command(2, 3)])
    checker.leaves(node, acknowledgement(3, 1))
    one = "acknowledges entries up to 2 to node 2 in term 3"
    with fails(checker, one, "its disk holds an entry of term 1 at 2, its memory an entry of term 3"):
        checker.leaves(node, acknowledgement(3, 2))
    with fails(checker, "up to 3 to node 2", "its disk holds an entry of term 1 at 3, its memory nothing"):
        checker.leaves(node, acknowledgement(3, 3))


def test_what_was_acknowledged_in_an_earlier_term_may_be_superseded_when_it_is_said() -> None:
    checker = PromisesAfterSaves()
    node = host(saved=[1, 1, 1], term=3)
    node.log.append(LogIndex(1), [command(2, 3)])
    checker.leaves(node, acknowledgement(2, 3))
    with fails(checker, "acknowledges entries up to 3", "its memory nothing"):
        checker.leaves(node, acknowledgement(3, 3))


def test_what_a_snapshot_on_the_disk_stands_for_may_be_acknowledged() -> None:
    checker = PromisesAfterSaves()
    node = compacted(host(saved=[1, 1]), 5, 2)
    on_disk(node)
    for index in (1, 4, 5):
        checker.leaves(node, acknowledgement(2, index))
    with fails(checker, "acknowledges entries up to 6", "no more than 5 entries were on its disk"):
        checker.leaves(node, acknowledgement(2, 6))


def test_what_was_on_the_disk_and_is_cut_off_is_not_acknowledged() -> None:
    """Once three entries were there; now there is one, in memory and on the disk."""
    checker = PromisesAfterSaves()
    node = host(saved=[1, 1, 1], term=3)
    node.log.append(LogIndex(1), [command(2, 3)])
    on_disk(node)
    checker.leaves(node, acknowledgement(3, 2))
    with fails(checker, "acknowledges entries up to 3", "its disk holds nothing at 3, its memory nothing"):
        checker.leaves(node, acknowledgement(3, 3))


def test_a_snapshot_is_said_to_be_installed_when_the_disk_holds_its_entry() -> None:
    checker = PromisesAfterSaves()
    node = compacted(host(saved=[1, 1]), 5, 2)
    checker.leaves(node, installed(2, (2, 1)))
    checker.leaves(node, installed(2, (5, 2), is_installed=False))
    with fails(checker, "has what the snapshot of EntryId(term=2, index=5) stands for", "it ends at 2"):
        checker.leaves(node, installed(2, (5, 2)))
    with fails(checker, "has what the snapshot of EntryId(term=2, index=2) stands for", "it ends at 2"):
        checker.leaves(node, installed(2, (2, 2)))
    on_disk(node)
    checker.leaves(node, installed(2, (5, 2)))


def test_a_vote_is_given_when_it_is_on_the_disk() -> None:
    checker = PromisesAfterSaves()
    node = host(vote=2)
    checker.leaves(node, reply(2, to=2))
    checker.leaves(node, reply(2, to=3, is_granted=False))
    checker.leaves(node, reply(2, to=3, is_pre_vote=True))
    with fails(checker, "node 1 votes for node 3 in term 2", "never on its disk, which holds term 2, vote 2"):
        checker.leaves(node, reply(2, to=3))
    with fails(checker, "node 1 votes for node 2 in term 1", "never on its disk, which holds term 2, vote 2"):
        checker.leaves(node, reply(1, to=2))


def test_who_asks_for_votes_has_its_own_on_the_disk() -> None:
    checker = PromisesAfterSaves()
    checker.leaves(host(role=Role.CANDIDATE, vote=1), request(2))
    with fails(checker, "node 1 votes for node 1 in term 2", "never on its disk, which holds term 2, vote None"):
        checker.leaves(host(role=Role.CANDIDATE), request(2))


@pytest.mark.parametrize("last", [(2, 2), (1, 2)], ids=["in memory only", "another one there"])
def test_a_candidate_speaks_of_the_log_that_is_on_its_disk(last: tuple[int, int]) -> None:
    checker = PromisesAfterSaves()
    node = host(role=Role.CANDIDATE, vote=1, saved=[1], unsaved=[2])
    checker.leaves(node, request(2, (1, 1)))
    with fails(checker, f"for a log that ends with EntryId(term={last[1]}, index={last[0]})", "does not hold that entry, but 1"):
        checker.leaves(node, request(2, last))


@pytest.mark.parametrize(
    "node",
    [
        host(role=Role.FOLLOWER, vote=1, saved=[1]),
        host(role=Role.CANDIDATE, term=3, disk_term=2, vote=1, saved=[1]),
        host(role=Role.CANDIDATE, vote=1, saved=[1], is_down=True),
    ],
    ids=["it follows a leader now", "it campaigns in another term now", "it is down"],
)
def test_of_a_campaign_that_is_over_the_log_may_have_changed(node: Host) -> None:
    checker = PromisesAfterSaves()
    checker.leaves(node, request(2, (7, 2)))
    with fails(checker, "asks for votes for a log", "does not hold that entry, but 1"):
        checker.leaves(host(role=Role.CANDIDATE, vote=1, saved=[1]), request(2, (7, 2)))


def test_of_a_campaign_of_a_term_that_the_disk_has_left_the_log_may_have_changed() -> None:
    checker = PromisesAfterSaves()
    node = host(role=Role.CANDIDATE, vote=1, saved=[1])
    node.log.append(LogIndex(1), (), HardState(Term(3), None))
    with fails(checker, "asks for votes for a log", "does not hold that entry, but 1"):
        checker.leaves(node, request(2, (7, 2)))
    on_disk(node)
    checker.leaves(node, request(2, (7, 2)))


def candidate_behind_a_snapshot(installed_index: int) -> Host:
    """It asked for votes for a log that ends with entry 3 of term 2; then its log began anew behind entry 2 of term 3."""
    node = compacted(host(role=Role.CANDIDATE, term=4, vote=1, saved=[1, 2, 2], installed_index=installed_index), 2, 3)
    on_disk(node)
    return node


def test_a_candidate_may_have_asked_for_a_log_that_a_snapshot_has_taken_the_place_of() -> None:
    """It lacked the entry that the snapshot stands for: whoever has that gives it no vote, and that is a majority."""
    checker = PromisesAfterSaves()
    checker.leaves(candidate_behind_a_snapshot(2), request(4, (3, 2)))
    for node, count in (
        (candidate_behind_a_snapshot(0), 2),
        (candidate_behind_a_snapshot(1), 2),
        (host(role=Role.CANDIDATE, term=4, vote=1), 0),
    ):
        with fails(checker, "asks for votes for a log", f"its disk does not hold that entry, but {count} entries"):
            checker.leaves(node, request(4, (3, 2)))


# ---------------------------------------------------------------- what was acknowledged is kept


def test_of_two_acknowledgements_the_one_that_goes_further_counts() -> None:
    checker = AcknowledgedIsKept()
    checker.leaves(host(), acknowledgement(2, 7))
    checker.leaves(host(), acknowledgement(2, 3))
    checker.leaves(host(), acknowledgement(2, 9, is_matching=False))
    checker.leaves(host(2), acknowledgement(2, 9))
    checker.appended(host(), appends(command(8, 2)))
    checker.appended(host(), appends(command(7, 2), is_reset=True))
    checker.appended(host(is_down=True), appends(command(7, 2)))
    for wrong in (appends(command(7, 2)), appends(command(6, 2), is_reset=True)):
        with fails(checker, "node 1 acknowledged entries up to 7 in term 2", "takes out of its log what stands behind 6"):
            checker.appended(host(), wrong)


def test_in_a_later_term_only_what_was_acknowledged_in_it_counts() -> None:
    checker = AcknowledgedIsKept()
    checker.leaves(host(), acknowledgement(2, 7))
    checker.appended(host(term=3), appends(command(4, 3)))
    checker.leaves(host(term=3), acknowledgement(3, 4))
    with fails(checker, "node 1 acknowledged entries up to 4 in term 3", "what stands behind 3"):
        checker.appended(host(term=3), appends(command(4, 3)))


# ---------------------------------------------------------------- damaged nodes, reads


@pytest.mark.parametrize("message", [reply(2), acknowledgement(2, 1, is_matching=False), request(2, is_pre_vote=True)])
def test_a_damaged_node_says_nothing_at_all(message: Message) -> None:
    checker = DamagedIsSilent()
    checker.leaves(host(), message)
    with fails(checker, "the log of node 1 is damaged", "it sends "):
        checker.leaves(host(is_damaged=True), message)


def test_a_read_shows_all_that_was_acknowledged_before_it() -> None:
    checker = ReadsAreFresh()
    checker.answered("r1", 5, 5)
    checker.answered("r1", 5, 6)
    with fails(checker, "entry 5 had been acknowledged", "read r2 was answered with the state behind entry 4"):
        checker.answered("r2", 5, 4)


# ---------------------------------------------------------------- histories


def applied() -> History:
    """A client asked for a and b; entry 1 is a."""
    checker = History()
    checker.proposes(b"a")
    checker.proposes(b"b")
    checker.applied(host(1), command(1, 1, b"a"), 0)
    checker.applied(host(2), command(1, 1, b"a"), 0)
    checker.done(b"a", 1, 1)
    return checker


def test_what_nobody_asked_for_is_not_applied() -> None:
    checker = applied()
    checker.applied(host(1), Entry(LogIndex(2), Term(1), EntryKind.NOOP, b""), 0)
    checker.applied(host(1), Entry(LogIndex(3), Term(1), EntryKind.CONFIGURATION, Configuration.of(1).to_bytes()), 0)
    checker.applied(host(1), Entry(LogIndex(4), Term(1), EntryKind.NOOP, b""), 0)
    with fails(checker, "node 1 applied b'c' at 5", "no client ever asked for that"):
        checker.applied(host(1), command(5, 1, b"c"), 0)


def test_nothing_is_applied_twice() -> None:
    checker = applied()
    with fails(checker, "command b'a' was applied at 1", "it was applied at 2, too"):
        checker.applied(host(1), command(2, 1, b"a"), 0)


@pytest.mark.parametrize(("body", "told", "place"), [(b"a", 2, 1), (b"b", 2, None)], ids=["another place", "not at all"])
def test_who_is_told_that_it_is_done_is_told_the_truth(body: bytes, told: int, place: int | None) -> None:
    checker = applied()
    with fails(checker, f"a client was told that {body!r} is committed at {told} in term 1", f"it was applied at {place}"):
        checker.done(body, told, 1)


def test_in_the_end_every_node_has_applied_all_that_was_acknowledged() -> None:
    """The highest of all, not the newest that a client was told of."""
    checker = History()
    for index, body in enumerate((b"a", b"b"), 1):
        checker.proposes(body)
        checker.applied(host(1), command(index, 1, body), 0)
    checker.done(b"b", 2, 1)
    checker.done(b"a", 1, 1)
    checker.ends((host(1, applied=2), host(2, applied=3), host(3, Role.MUTE), host(4, is_down=True)))
    with fails(checker, "entry 2 was acknowledged", "in the end node 2 has applied only 1"):
        checker.ends((host(1, applied=2), host(2, applied=1)))


def test_where_nothing_was_acknowledged_nothing_has_to_be_there_in_the_end() -> None:
    checker = History()
    checker.ends((host(1), host(2)))
    checker = applied()
    with fails(checker, "entry 1 was acknowledged", "node 2 has applied only 0"):
        checker.ends((host(1, applied=1), host(2)))

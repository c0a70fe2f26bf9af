"""What a node hears and says while it is on its way into its group, and the note that reminds it."""

from pathlib import Path

import pytest

from mq.core.errors import FormatError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Replace
from mq.raft.configuration import Configuration
from mq.raft.messages import (
    AppendReply,
    AppendRequest,
    Message,
    Snapshot,
    SnapshotReply,
    SnapshotRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from mq.server.disk import FileDisk
from mq.server.taking_part import NOTE_FILE, Note, Part, may_hear, may_say, read_note

LAST, TERM = EntryId(Term(1), LogIndex(1)), Term(5)
APPEND = AppendRequest(1, 2, TERM, LAST, (), LogIndex(0), 0)
ACKNOWLEDGED = AppendReply(2, 1, TERM, is_matching=True, match_index=LogIndex(1), rejected_index=LogIndex(0), hint=LAST, round=0)
CHUNK = SnapshotRequest(1, 2, TERM, Snapshot(LAST, Configuration.of(1)), 0, b"", is_last=True)
CHUNK_HERE = SnapshotReply(2, 1, TERM, LAST, 0, is_installed=True)
VOTING = (VoteRequest(1, 2, TERM, LAST), VoteReply(1, 2, TERM, is_granted=True), TimeoutNow(1, 2, TERM))
ALL: tuple[Message, ...] = (APPEND, ACKNOWLEDGED, CHUNK, CHUNK_HERE, *VOTING)


@pytest.mark.parametrize("part", [Part.ASKING, Part.REJOINING])
def test_a_node_that_may_have_forgotten_a_promise_is_silent(part: Part) -> None:
    assert [message for message in ALL if may_hear(part, message, Note()) or may_say(part, message)] == []


def test_a_learning_node_takes_the_log_and_has_no_part_in_elections() -> None:
    note = Note(learner_at=7, term=TERM)
    assert [message for message in ALL if may_hear(Part.LEARNING, message, note)] == [APPEND, CHUNK]
    assert [message for message in ALL if may_say(Part.LEARNING, message)] == [ACKNOWLEDGED, CHUNK_HERE]


def test_a_leader_of_an_older_term_may_count_a_learning_node_as_a_voter_and_is_not_heard() -> None:
    note = Note(learner_at=7, term=TERM + 1)
    assert [message for message in ALL if may_hear(Part.LEARNING, message, note)] == []
    assert may_hear(Part.LEARNING, APPEND._replace(term=Term(TERM + 1)), note)


def test_a_full_member_hears_and_says_everything() -> None:
    assert all(may_hear(Part.FULL, message, None) and may_say(Part.FULL, message) for message in ALL)


def test_a_note_says_how_far_the_way_is() -> None:
    assert Note().part is Part.REJOINING
    assert Note(was_voter=True).part is Part.REJOINING
    assert Note(was_voter=True, learner_at=0, term=1).part is Part.LEARNING


def test_a_note_that_nobody_wrote_is_no_note(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    assert read_note(disk) is None
    disk.perform(Replace(NOTE_FILE, b'{"was_voter": true, "learner_at": 3, "term": 2}'))
    assert read_note(disk) == Note(was_voter=True, learner_at=3, term=2)
    for data in (b"hello", b"[]", b'{"was_voter": true}', b'{"was_voter": true, "learner_at": "x", "term": 2}'):
        disk.perform(Replace(NOTE_FILE, data))
        with pytest.raises(FormatError, match=NOTE_FILE):
            read_note(disk)
    disk.close()

"""Traces written by hand for the judge: rules that real runs hardly ever come to, as others would be broken before."""

import pytest

from mq.sim.group.judge import judge, read_lines

START = "{node} start term={term} vote=- first=1 last={last} last_term={last_term} snapshot=0 members={members}"


def lines_of(*told: str) -> str:
    """Lines without their times."""
    return "\n".join(f"{number:010d}ms  {line}" for number, line in enumerate(told))


def start(node: str, members: str = "1,2,3", *, last: int = 0, term: int = 0) -> str:
    return START.format(node=node, members=members, last=last, last_term=term if last else 0, term=term)


def promise_of(*told: str) -> str:
    found = judge(read_lines(lines_of(*told)))
    return "" if found is None else found.promise


def campaign(node: str, *asked: str, term: int = 1, last: str = "last_index=0 last_term=0") -> list[str]:
    """A node becomes a candidate, saves that, and asks. Messages are numbered term, then who is asked."""
    number = node[1:]
    return [
        f"{node} role role=candidate term={term} leader=-",
        f"{node} append after=0 terms=- bodies=- sequence=1",
        f"{node} vote term={term} for={number}",
        f"{node} save sequence=1 term={term} vote={number} durable=0",
        *[
            f"{node} send id={term}{other[1:]}0 kind=vote-request to={other} term={term} {last} pre=0 transfer=0"
            for other in asked
        ],
    ]


def vote(node: str, candidate: str, *, term: int = 1, last: int = 0, is_received: bool = True) -> list[str]:
    """A node is asked, and grants its vote."""
    number = node[1:]
    reply = f"id={term}{number}1 kind=vote-reply"
    lines = [
        f"{node} receive id={term}{number}0 kind=vote-request sender={candidate}",
        f"{node} role role=follower term={term} leader=-",
        f"{node} append after={last} terms=- bodies=- sequence=1",
        f"{node} vote term={term} for={candidate[1:]}",
        f"{node} save sequence=1 term={term} vote={candidate[1:]} durable={last}",
        f"{node} send {reply} to={candidate} term={term} granted=1 pre=0",
    ]
    return [*lines, f"{candidate} receive {reply} sender={node}"] if is_received else lines


def win(node: str, *, term: int = 1) -> list[str]:
    """It leads, and puts an entry into its log, and that is durable."""
    number = node[1:]
    return [
        f"{node} role role=leader term={term} leader={number}",
        f"{node} append after=0 terms={term} bodies=x00000000 sequence=2",
        f"{node} save sequence=2 term={term} vote={number} durable=1",
    ]


REQUEST = (
    "n1 send id={id} kind=append-request to=n2 term={term} previous_index={index} previous_term={of} terms={terms}"
    " bodies={bodies} commit={commit} round=0"
)

STARTS = [start("n1"), start("n2"), start("n3")]
ELECTED = [*STARTS, *campaign("n1", "n2"), *vote("n2", "n1"), *win("n1")]
SENT = [
    *ELECTED,
    REQUEST.format(id=1, term=1, index=0, of=0, terms="1", bodies="x00000000", commit=0),
    "n2 receive id=1 kind=append-request sender=n1",
    "n2 role role=follower term=1 leader=1",
    "n2 append after=0 terms=1 bodies=x00000000 sequence=2",
]
ACKNOWLEDGED = [
    *SENT,
    "n2 save sequence=2 term=1 vote=1 durable=1",
    "n2 send id=2 kind=append-reply to=n1 term=1 matching=1 match=1 rejected=0 hint_index=0 hint_term=0 round=0",
    "n1 receive id=2 kind=append-reply sender=n2",
]
ALONE = [start("n1", "1"), *campaign("n1"), *win("n1"), "n1 commit index=1 term=1"]
"""A group of one: nobody is to be asked."""


def test_right_lines_are_right() -> None:
    assert promise_of(*ACKNOWLEDGED, "n1 commit index=1 term=1", "n1 apply index=1 term=1 body=x00000000") == ""
    assert promise_of(*ALONE) == ""


# ---------------------------------------------------------------- votes


def test_a_vote_of_ones_own_is_no_quorum() -> None:
    assert promise_of(*STARTS, *campaign("n1", "n2"), *win("n1")) == "a leader has the votes of a quorum"


def test_a_vote_that_was_given_and_did_not_arrive_does_not_count() -> None:
    lines = [*STARTS, *campaign("n1", "n2"), *vote("n2", "n1", is_received=False), *win("n1")]
    assert promise_of(*lines) == "a leader has the votes of a quorum"


def test_a_vote_of_an_earlier_life_does_not_count() -> None:
    again = "n1 start term=1 vote=1 first=1 last=0 last_term=0 snapshot=0 members=1,2,3"
    lines = [*STARTS, *campaign("n1", "n2"), *vote("n2", "n1"), again, *win("n1")]
    assert promise_of(*lines) == "only a candidate becomes a leader"


@pytest.mark.parametrize("voters", [("n2",), ("n4",), ("n2", "n3"), ("n4", "n5")])
def test_while_members_change_both_majorities_have_to_vote(voters: tuple[str, ...]) -> None:
    joint = ["n1 members voters=1,4,5 old=1,2,3 learners=-", *(start(node) for node in ("n4", "n5"))]
    lines = [*STARTS, *joint, *campaign("n1", "n2", "n3", "n4", "n5")]
    lines += [line for voter in voters for line in vote(voter, "n1")]
    assert promise_of(*lines, *win("n1")) == "a leader has the votes of a quorum"


def test_one_vote_of_each_majority_beside_the_own_is_enough() -> None:
    lines = [*STARTS, start("n4"), start("n5"), "n1 members voters=1,4,5 old=1,2,3 learners=-"]
    assert promise_of(*lines, *campaign("n1", "n2", "n4"), *vote("n2", "n1"), *vote("n4", "n1"), *win("n1")) == ""


def test_a_voter_looks_at_the_last_entry() -> None:
    lines = [start("n1", term=3), start("n2", last=2, term=3), start("n3", term=3), *campaign("n1", "n2", term=4)]
    assert promise_of(*lines, *vote("n2", "n1", term=4, last=2)) == "a vote goes only to a log that lacks nothing of the voter's"


def test_two_votes_of_one_term_are_found_over_a_restart() -> None:
    lines = [*STARTS, *campaign("n1", "n2"), *vote("n2", "n1"), *campaign("n3", "n2", term=1)]
    again = "n2 start term=1 vote=- first=1 last=0 last_term=0 snapshot=0 members=1,2,3"
    assert promise_of(*lines, again) == "a vote on the disk is the one that was given, and stays"


def test_two_leaders_of_one_term_are_found() -> None:
    """Each is in a group of its own, by mistake."""
    lines = [start("n1", "1"), start("n2", "2"), *campaign("n1"), *win("n1"), *campaign("n2"), *win("n2")]
    assert promise_of(*lines) == "in each term there is at most one leader"


# ---------------------------------------------------------------- logs and commits


def test_what_an_own_log_has_in_excess_is_not_acknowledged() -> None:
    """Its last entry is on its disk, and the leader never spoke of it."""
    lines = [
        start("n1", term=1), start("n2", last=1, term=1), start("n3", term=1),
        *campaign("n1", "n3", term=2), *vote("n3", "n1", term=2), *win("n1", term=2),
        REQUEST.format(id=1, term=2, index=0, of=0, terms="-", bodies="-", commit=0),
        "n2 receive id=1 kind=append-request sender=n1",
        "n2 role role=follower term=2 leader=1",
        "n2 append after=1 terms=- bodies=- sequence=1",
        "n2 save sequence=1 term=2 vote=- durable=1",
        "n2 send id=2 kind=append-reply to=n1 term=2 matching=1 match={} rejected=0 hint_index=0 hint_term=0 round=0",
    ]  # fmt: skip
    assert promise_of(*(line.format(0) for line in lines)) == ""
    assert promise_of(*(line.format(1) for line in lines)) == "only what agrees with a leader's request is acknowledged"


def test_what_is_acknowledged_is_on_the_disk() -> None:
    lines = [line for line in ACKNOWLEDGED if not line.startswith("n2 save sequence=2")]
    assert promise_of(*lines) == "nothing is acknowledged that is not on the disk"


def test_a_leader_counts_no_answer_that_did_not_come() -> None:
    assert promise_of(*ACKNOWLEDGED[:-1], "n1 commit index=1 term=1") == "a leader commits what a quorum acknowledged"


def test_a_leader_counts_its_own_entry_only_when_it_is_durable() -> None:
    lines = [line for line in ACKNOWLEDGED if not line.startswith("n1 save sequence=2")]
    assert promise_of(*lines, "n1 commit index=1 term=1") == "a leader commits what a quorum acknowledged"


def test_what_was_acknowledged_late_and_is_not_there_is_found() -> None:
    """The follower is in the next term already, where it lost the entry; it answers for the old one."""
    after = ["n2 role role=candidate term=2 leader=-", "n2 append after=1 terms=- bodies=- sequence=3", "n2 vote term=2 for=2"]
    late = ["n2 save sequence=2 term=2 vote=2 durable=0", *ACKNOWLEDGED[-2:], "n1 commit index=1 term=1"]
    assert promise_of(*SENT, *after, *late) == "what is committed is durable on a quorum"


def test_a_follower_commits_nothing_by_itself() -> None:
    expected = "a follower commits only what its leader's request tells and reaches"
    assert promise_of(*ACKNOWLEDGED, "n2 commit index=1 term=1") == expected


def test_a_commit_beyond_what_a_request_reaches_is_found() -> None:
    """The leader tells of two entries; its request ends behind the first."""
    own = ["n1 append after=1 terms=1 bodies=x00000001 sequence=3", "n1 save sequence=3 term=1 vote=1 durable=2"]
    lines = [
        *ACKNOWLEDGED,
        *own,
        REQUEST.format(id=3, term=1, index=1, of=1, terms="1", bodies="x00000001", commit=0),
        "n2 receive id=3 kind=append-request sender=n1",
        "n2 append after=1 terms=1 bodies=x00000001 sequence=3",
        "n2 save sequence=3 term=1 vote=1 durable=2",
        "n2 send id=4 kind=append-reply to=n1 term=1 matching=1 match=2 rejected=0 hint_index=0 hint_term=0 round=0",
        "n1 receive id=4 kind=append-reply sender=n2",
        "n1 commit index=2 term=1",
        REQUEST.format(id=5, term=1, index=1, of=1, terms="-", bodies="-", commit=2),
        "n2 receive id=5 kind=append-request sender=n1",
    ]
    assert promise_of(*lines, "n2 commit index=1 term=1") == ""
    expected = "a follower commits only what its leader's request tells and reaches"
    assert promise_of(*lines, "n2 commit index=2 term=1") == expected


def test_all_agree_on_what_is_committed() -> None:
    """Each is in a group of its own, by mistake."""
    other = [start("n2", "2", term=1), *campaign("n2", term=2), *win("n2", term=2), "n2 commit index=1 term=2"]
    older = [line for line in other if "commit" not in line]
    assert promise_of(*other, *ALONE) == "all agree on what is committed"
    assert promise_of(*ALONE, *older) == "a leader has every entry that was committed in an earlier term"


def test_an_entry_that_no_request_brought_is_found() -> None:
    expected = "a follower's entries come from its leader's request"
    assert promise_of(*SENT[:-1], SENT[-1].replace("x00000000", "x00000002")) == expected
    assert promise_of(*SENT, "n2 append after=1 terms=1 bodies=x00000001 sequence=3") == expected


def test_logs_with_the_same_entry_are_equal_up_to_it() -> None:
    """The follower's first entry is of term 1, the leader's of term 2; the second one is put behind both."""
    starts = [start("n1", term=1), start("n2", last=1, term=1), start("n3", term=1)]
    lines = [
        *starts, *campaign("n1", "n3", term=2), *vote("n3", "n1", term=2), *win("n1", term=2),
        "n1 append after=1 terms=2 bodies=x00000001 sequence=3",
        REQUEST.format(id=1, term=2, index=1, of=2, terms="2", bodies="x00000001", commit=0),
        "n2 receive id=1 kind=append-request sender=n1",
        "n2 role role=follower term=2 leader=1",
        "n2 append after=1 terms=2 bodies=x00000001 sequence=1",
    ]  # fmt: skip
    assert promise_of(*lines[:-1]) == ""
    assert promise_of(*lines) == "logs that hold the same entry are equal up to it"

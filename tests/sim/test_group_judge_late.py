"""Traces written by hand for the judge: what is done too late, by a node that is something else by then, or once too often."""

import pytest

from tests.sim.test_group_judge_by_hand import ACKNOWLEDGED, ELECTED, REQUEST, SENT, STARTS, campaign, promise_of, start, win

COMMITTED = [*ACKNOWLEDGED, "n1 commit index=1 term=1"]
REPLY = "n2 send id={id} kind=append-reply to=n1 term=1 matching=1 match={match} rejected=0 hint_index=0 hint_term=0 round=0"
HEARTBEAT = REQUEST.format(id=7, term=1, index=1, of=1, terms="-", bodies="-", commit=1)
STEPS_DOWN = "n1 role role=follower term=1 leader=-"

# ---------------------------------------------------------------- a leader that is none any more

SPEAKS = "only who leads a term speaks as its leader"


def test_a_leader_that_stepped_down_does_not_go_on_in_its_term() -> None:
    own = "n1 append after=1 terms=1 bodies=x0000000a sequence=3"
    saved = "n1 save sequence=3 term=1 vote=1 durable=2"
    assert promise_of(*COMMITTED, own, STEPS_DOWN, saved) == ""
    assert promise_of(*COMMITTED, STEPS_DOWN, own) == "a follower's entries come from its leader's request"
    assert promise_of(*COMMITTED, own, STEPS_DOWN, saved, HEARTBEAT) == SPEAKS


def test_a_leader_that_stepped_down_counts_nothing_that_comes_later() -> None:
    lines = [*ACKNOWLEDGED[:-1], STEPS_DOWN, ACKNOWLEDGED[-1], "n1 commit index=1 term=1"]
    assert promise_of(*lines) == "a follower commits only what its leader's request tells and reaches"


def test_the_step_in_which_a_leader_steps_down_may_end() -> None:
    """One that is removed tells of the commit behind its new role."""
    assert promise_of(*ACKNOWLEDGED, STEPS_DOWN, "n1 commit index=1 term=1", HEARTBEAT) == ""


def test_who_is_in_a_later_term_does_not_lead_the_older_one() -> None:
    later = "n1 role role=candidate term=2 leader=-"
    assert promise_of(*COMMITTED, later) == ""
    assert promise_of(*COMMITTED, later, HEARTBEAT) == SPEAKS


def test_nobody_leads_a_term_for_a_second_time() -> None:
    again = "n1 role role=leader term=1 leader=1"
    assert promise_of(*COMMITTED, STEPS_DOWN, again) == "only a candidate becomes a leader"
    anew = "n1 role role=candidate term=1 leader=-"
    assert promise_of(*COMMITTED, STEPS_DOWN, anew) == ""
    assert promise_of(*COMMITTED, STEPS_DOWN, anew, again) == "nobody comes to lead the same term again"


# ---------------------------------------------------------------- what is thrown away

TWO = [
    *ELECTED,
    "n1 append after=1 terms=1 bodies=x0000000a sequence=3",
    REQUEST.format(id=1, term=1, index=0, of=0, terms="1", bodies="x00000000", commit=0),
    REQUEST.format(id=3, term=1, index=0, of=0, terms="1,1", bodies="x00000000,x0000000a", commit=0),
    "n2 receive id=3 kind=append-request sender=n1",
    "n2 append after=0 terms=1,1 bodies=x00000000,x0000000a sequence=2",
    "n2 save sequence=2 term=1 vote=1 durable=2",
    "n2 receive id=1 kind=append-request sender=n1",
]
"""A request is overtaken by one with more entries."""


def test_a_request_that_was_overtaken_does_not_shorten_a_log() -> None:
    lines = [*TWO, "n2 append after=0 terms=1 bodies=x00000000 sequence=3"]
    assert promise_of(*TWO) == ""
    assert promise_of(*lines) == "a follower throws away only what contradicts its leader"


def test_what_was_acknowledged_is_kept_in_that_term() -> None:
    """It would contradict, if the entry had been of another term."""
    older = [line.replace(" term=0", " term=1").replace("last=0 last_term=0", "last=1 last_term=1") for line in STARTS]
    lead = [
        older[0].replace("last=1 last_term=1", "last=0 last_term=0"), *older[1:],
        "n1 role role=follower term=1 leader=-", *campaign("n1", term=2),
        "n1 members voters=1 old=- learners=-", *win("n1", term=2),
        REQUEST.format(id=1, term=2, index=0, of=0, terms="2", bodies="x00000000", commit=0),
        "n2 receive id=1 kind=append-request sender=n1",
        "n2 role role=follower term=2 leader=1",
    ]  # fmt: skip
    acknowledged = [
        "n2 append after=1 terms=- bodies=- sequence=1",
        "n2 save sequence=1 term=2 vote=- durable=1",
        REPLY.format(id=2, match=1).replace("term=1", "term=2", 1),
    ]
    takes = "n2 append after=0 terms=2 bodies=x00000000 sequence=2"
    assert promise_of(*lead, takes) == ""
    assert promise_of(*lead, *acknowledged, takes) == "what was acknowledged is kept in that term"


# ---------------------------------------------------------------- what leaves in a later term

LATER = ["n2 role role=candidate term=2 leader=-", "n2 append after={} terms=- bodies=- sequence=3", "n2 vote term=2 for=2"]


def later(last: int) -> list[str]:
    return [line.format(last) for line in LATER] + [f"n2 save sequence=3 term=2 vote=2 durable={last}"]


ASKED = [*STARTS, *campaign("n1", "n2"), "n2 receive id=120 kind=vote-request sender=n1"]
YES = "n2 send id=121 kind=vote-reply to=n1 term=1 granted=1 pre=0"


@pytest.mark.parametrize("is_given", [True, False])
def test_a_vote_that_leaves_in_a_later_term_was_given_and_saved(is_given: bool) -> None:
    given = ["n2 vote term=1 for=1"] if is_given else []
    lines = [*ASKED, "n2 role role=follower term=1 leader=-", "n2 append after=0 terms=- bodies=- sequence=1", *given, *later(0)]
    assert promise_of(*lines, YES) == ("" if is_given else "no vote leaves before it is on the disk")


def test_a_vote_of_a_term_before_the_first_start_was_never_saved() -> None:
    lines = [start("n2", term=3), YES]
    assert promise_of(*lines) == "no vote leaves before it is on the disk"


def test_a_vote_of_an_earlier_life_was_on_the_disk() -> None:
    role = "n2 role role=follower term=1 leader=-"
    given = [role, "n2 append after=0 terms=- bodies=- sequence=1", "n2 vote term=1 for=1"]
    again = "n2 start term=1 vote={} first=1 last=0 last_term=0 snapshot=0 members=1,2,3"
    asked = [ASKED[-1], role]
    assert promise_of(*ASKED, *given, again.format(1), *asked, *later(0), YES) == ""
    assert promise_of(*ASKED, *given, again.format("-"), *asked, *later(0), YES) == "no vote leaves before it is on the disk"


def test_an_acknowledgement_that_leaves_in_a_later_term_is_of_what_was_on_the_disk() -> None:
    unsaved, refused = [line.format(1) for line in LATER], "n2 save-failed sequence=2 definite=1"
    assert promise_of(*SENT, refused, *later(0), REPLY.format(id=2, match=1)) == "nothing is acknowledged that is not on the disk"
    assert promise_of(*SENT, *later(1), REPLY.format(id=2, match=1)) == ""
    assert promise_of(*SENT, *unsaved, REPLY.format(id=2, match=1)) == "nothing is acknowledged that is not on the disk"


def test_what_was_durable_before_a_restart_may_be_acknowledged_in_a_later_term() -> None:
    again = "n2 start term=1 vote=1 first=1 last=1 last_term=1 snapshot=0 members=1,2,3"
    lines = [*ACKNOWLEDGED, again, "n2 receive id=1 kind=append-request sender=n1", *(line.format(1) for line in LATER)]
    assert promise_of(*lines, REPLY.format(id=3, match=1)) == ""


def test_an_acknowledged_entry_may_be_superseded_when_its_acknowledgement_leaves() -> None:
    """One save covers both: for a moment the disk held the longer log."""
    unsaved = TWO[:-2]
    leads = [
        "n3 role role=candidate term=1 leader=-",
        "n3 role role=candidate term=2 leader=-", "n3 append after=0 terms=- bodies=- sequence=1", "n3 vote term=2 for=3",
        "n3 members voters=3 old=- learners=-", "n3 save sequence=1 term=2 vote=3 durable=0", *win("n3", term=2),
        REQUEST.format(id=9, term=2, index=0, of=0, terms="2", bodies="x00000000", commit=0).replace("n1", "n3"),
        "n2 receive id=9 kind=append-request sender=n3",
        "n2 role role=follower term=2 leader=3",
        "n2 append after=0 terms=2 bodies=x00000000 sequence=3",
    ]  # fmt: skip
    saved = "n2 save sequence=3 term=2 vote=- durable=1"
    assert promise_of(*unsaved, *leads, saved, REPLY.format(id=2, match=2)) == ""
    refused = "n2 save-failed sequence=3 definite=1"
    assert promise_of(*unsaved, *leads, refused, REPLY.format(id=2, match=2)) == "nothing is acknowledged that is not on the disk"


# ---------------------------------------------------------------- commits, silence


def test_a_commit_index_falls_only_when_the_disk_refused_something() -> None:
    failed = "n1 save-failed sequence=3 definite=1"
    falls = "n1 commit index=0 term=1"
    assert promise_of(*COMMITTED, falls) == "the commit index never falls"
    assert promise_of(*COMMITTED, failed, falls) == ""
    assert promise_of(*COMMITTED, failed, "n1 commit index=1 term=1", falls) == "the commit index never falls"
    applied = "n1 apply index=1 term=1 body=x00000000"
    assert promise_of(*COMMITTED, applied, failed, falls) == "the commit index never falls"


@pytest.mark.parametrize(
    "does", ["vote term=1 for=1", "append after=1 terms=- bodies=- sequence=3", SENT[-1][3:], "commit index=1 term=1"]
)
def test_a_mute_node_takes_part_in_nothing(does: str) -> None:
    lines = [*SENT[:-1], "n2 role role=mute term=1 leader=-"]
    assert promise_of(*lines) == ""
    assert promise_of(*lines, f"n2 {does}") == "a node that cannot trust its disk is silent"

"""A node that lost its disk: the judge lets it begin anew, and still holds it to what it had said."""

import pytest

from mq.sim.group.judge import judge, read_lines

BEGIN = [
    "n1 start term=0 vote=- first=1 last=0 last_term=0 snapshot=0 members=1,2,3",
    "n2 start term=0 vote=- first=1 last=0 last_term=0 snapshot=0 members=1,2,3",
    "n3 start term=0 vote=- first=1 last=0 last_term=0 snapshot=0 members=1,2,3",
]


def vote(candidate: int, number: int) -> list[str]:
    """`candidate` campaigns in term 1, and n3 gives it its vote."""
    return [
        f"n{candidate} role role=candidate term=1 leader=-",
        f"n{candidate} append after=0 terms=- bodies=- sequence=1",
        f"n{candidate} vote term=1 for={candidate}",
        f"n{candidate} save sequence=1 term=1 vote={candidate} durable=0",
        f"n{candidate} send id={number} kind=vote-request to=n3 term=1 last_index=0 last_term=0 pre=0 transfer=0",
        f"n3 receive id={number} kind=vote-request sender=n{candidate}",
        "n3 role role=follower term=1 leader=-",
        "n3 append after=0 terms=- bodies=- sequence=1",
        f"n3 vote term=1 for={candidate}",
        f"n3 save sequence=1 term=1 vote={candidate} durable=0",
        f"n3 send id={number + 1} kind=vote-reply to=n{candidate} term=1 granted=1 pre=0",
    ]


START_EMPTY = "n3 start term=0 vote=- first=1 last=0 last_term=0 snapshot=0 members=1,2,3"


def broken(lines: list[str]) -> str | None:
    found = judge(read_lines("\n".join(f"{at:010d}ms {line}" for at, line in enumerate(lines))))
    return None if found is None else found.to_text()


def test_what_was_on_a_lost_disk_is_not_missed() -> None:
    assert broken([*BEGIN, *vote(1, 1), "n3 kill", "n3 wipe", START_EMPTY]) is None


def test_without_the_loss_it_is_missed() -> None:
    assert "terms never fall, not even over a restart" in str(broken([*BEGIN, *vote(1, 1), "n3 kill", START_EMPTY]))


@pytest.mark.parametrize("again", [1, 2])
def test_a_vote_that_was_given_stays_given_also_when_its_giver_forgot_it(again: int) -> None:
    lines = [*BEGIN, *vote(1, 1), "n3 kill", "n3 wipe", START_EMPTY]
    if again == 2:
        assert "a node votes for at most one candidate in a term" in str(broken([*lines, *vote(2, 7)]))
    else:
        assert broken([*lines, *vote(1, 7)[4:]]) is None  # to the same one again

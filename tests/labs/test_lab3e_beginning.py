"""Lab 3e: with what a schedule may begin, and that no promise is broken before it does."""

import pytest

from labs.grader.lab import find_lab
from labs.stage3_raft.lab3e_write_the_test.judging import Worth, judged
from labs.stage3_raft.lab3e_write_the_test.language import LineError, parsed
from labs.stage3_raft.lab3e_write_the_test.rafts import TO_KILL

G = "group 1 2 3 pre-vote off check-quorum off"
G5 = "group 1 2 3 4 5"
NO_RUN = "no run of Raft leads to this beginning"
ELECTED = "so a majority elected its leader, and is in term"
KILLS = {kill.name: kill for kill in TO_KILL}
REFUSED = {
    f"{G}\nlogs 1: 1": f"line 2, `logs 1: 1`: {NO_RUN}: there is an entry of term 1, {ELECTED} 1 or a",
    f"{G}\nlogs 1: 2 term 3": "but node 1 is in term 3, node 2 is in term 0, node 3 is in term 0 (`term 2` behind a log says",
    f"{G}\nlogs 1: 2\nlogs 3: 3": f"line 3, `logs 3: 3`: {NO_RUN}: there is an entry of term 3, {ELECTED} 3",
    f"{G}\nlogs 1: 1 2\nlogs 2: 1 1\nlogs 3: 1": f"there is an entry of term 2, {ELECTED} 2",
    f"{G5}\nlogs 1: 1\nlogs 2: 1": f"there is an entry of term 1, {ELECTED} 1",
    f"{G}\nlogs 1: 1 3\nlogs 2: 2 3": "nodes 1 and 2 both hold entry 2 of term 3, and differ before it",
    f"{G}\nlogs 1: 1\nlogs 2: 1 vote 3": "its vote in term 1, and node 3, which is in term 0, never asked for it",
    f"{G}\nlogs 1: 1 vote 1\nlogs 2: 1 vote 2": "node 3 is in term 0, node 1 voted for 1, node 2 voted for 2",
    "group 1 2 learners 3\nlogs 1: 1\nlogs 3: 1": f"there is an entry of term 1, {ELECTED} 1",
}
FILLED_IN = {
    f"{G}\nlogs 1: 1\nlogs 2: 1": ["logs 1: 1 vote 1", "logs 2: 1 vote 1"],
    f"{G}\nlogs 2: 1 1\nlogs 1: 1": ["logs 2: 1 1 vote 2", "logs 1: 1 vote 2"],
    f"{G}\nlogs 1: 1\nlogs 2: 1 vote 2": ["logs 1: 1 vote 2", "logs 2: 1 vote 2"],
    f"{G}\nlogs 1: 2 term 3\nlogs 3: 3 term 4": ["logs 1: 2 term 3 vote 3", "logs 3: 3 term 4"],
    f"{G}\nlogs 1: 1 term 2\nlogs 2: 1 term 2": ["logs 1: 1 term 2", "logs 2: 1 term 2"],
    f"{G}\nlogs 1: 9\nlogs 1: 1\nlogs 2: 1": ["logs 1: 9", "logs 1: 1 vote 1", "logs 2: 1 vote 1"],
    "group 1 2 learners 3\nlogs 1: 1\nlogs 2: 1\nlogs 3: 1": ["logs 1: 1 vote 1", "logs 2: 1 vote 1", "logs 3: 1"],
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_beginning_that_raft_cannot_have_led_to_is_refused_and_it_is_said_why(text: str) -> None:
    with pytest.raises(LineError) as caught:
        parsed(text)
    assert REFUSED[text] in str(caught.value)


@pytest.mark.parametrize("text", FILLED_IN)
def test_who_is_in_a_term_that_had_a_leader_has_voted_in_it(text: str) -> None:
    assert parsed(text).text().split("\n")[1:] == FILLED_IN[text]


def test_no_second_leader_of_a_term_kills_that_had_one_before_the_schedule_began() -> None:
    text = f"{G}\nlogs 1: 1\nlogs 2: 1\ncampaign 3\nstabilize\n"
    assert judged(KILLS["no_log_check"], text).worth is Worth.LIVES


def test_the_readme_says_with_what_a_schedule_may_begin() -> None:
    text = (find_lab("lab3e").folder / "README.md").read_text(encoding="utf-8")
    assert "a majority of the nodes is in that term or a\nlater one" in text

"""The group that is moved by hand, and its language: what is wrong is told, with the line."""

import textwrap
from pathlib import Path

import pytest

from mq.core.entry import Entry, EntryKind
from mq.core.errors import IllegalArgumentError, StateError
from mq.core.ids import LogIndex, Term
from mq.raft.messages import VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.role import Role
from mq.sim.hand.commands import COMMANDS, check, usage
from mq.sim.hand.group import HandGroup
from mq.sim.hand.script import Script, run


class VotesForEveryone(RaftNode):
    """Two candidates of one term may both win."""

    __slots__ = ()

    def _may_vote_for(self, candidate: int) -> bool:
        return True


def a_group(raft_class: type[RaftNode] = RaftNode) -> HandGroup:
    return HandGroup((1, 2, 3), options=RaftOptions(has_pre_vote=False), raft_class=raft_class)


def test_two_leaders_of_a_term_are_noticed() -> None:
    nodes = a_group(VotesForEveryone)
    nodes.campaign(1)
    nodes.campaign(2)
    nodes.deliver("1>3")
    nodes.deliver("3>1")
    nodes.deliver("2>3")
    with pytest.raises(StateError, match="two leaders: node 1 and node 2"):
        nodes.deliver("3>2")


def test_another_entry_in_the_place_of_an_applied_one_is_noticed() -> None:
    nodes = a_group()
    nodes.check_applied(1, Entry(LogIndex(1), Term(1), EntryKind.COMMAND, b"a"))
    nodes.check_applied(2, Entry(LogIndex(1), Term(1), EntryKind.COMMAND, b"a"))
    with pytest.raises(StateError, match="node 3 applies entry 1 of term 2"):
        nodes.check_applied(3, Entry(LogIndex(1), Term(2), EntryKind.COMMAND, b"a"))


def test_messages_go_where_they_are_sent_and_only_when_they_are_told_to() -> None:
    nodes = a_group()
    nodes.campaign(1)
    assert [flight.message.to for flight in nodes.flights] == [2, 3]
    nodes.hold("1>*")
    nodes.stabilize()
    assert (nodes.node(2).term, nodes.node(3).term) == (0, 0)
    nodes.release("1>3")
    nodes.deliver("1>3")
    assert (nodes.node(2).term, nodes.node(3).term) == (0, 1)


def test_what_is_cut_is_lost_and_one_way_is_possible() -> None:
    nodes = a_group()
    nodes.cut(2, 1, is_one_way=True)
    nodes.cut(1, 3)
    nodes.campaign(1)
    nodes.stabilize()
    assert nodes.node(1).role is Role.CANDIDATE
    assert (nodes.node(2).vote, nodes.node(3).vote) == (1, None)
    assert [line for line in nodes.take_lines() if "lost" in line]
    nodes.heal()
    nodes.campaign(1)
    nodes.stabilize()
    assert nodes.node(1).role is Role.LEADER


def test_a_message_can_come_twice() -> None:
    nodes = a_group()
    nodes.campaign(1)
    nodes.duplicate("1>2")
    assert [type(flight.message) for flight in nodes.flights if flight.is_at("1>2")] == [VoteRequest] * 2


def test_a_disk_that_is_told_to_wait_keeps_promises_back() -> None:
    nodes = a_group()
    nodes.members[2].is_manual = True
    nodes.campaign(1)
    nodes.deliver("1>2")
    assert not [flight for flight in nodes.flights if flight.is_at("2>1")]
    nodes.save(2)
    assert [flight for flight in nodes.flights if flight.is_at("2>1")]
    with pytest.raises(IllegalArgumentError, match="nothing of node 2 waits"):
        nodes.save(2)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("jump 1", "no command"),
        ("deliver 1>2", "no such message"),
        ("campaign 9", "no node 9"),
        ("expect 1 colour red", "cannot be expected"),
        ("expect 1 role leader", "role of node 1 is follower, not leader"),
        ("campaign", "it is written: campaign ID - its election time-out is over"),
        ("campaign x", "it is written: campaign ID"),
        ("campaign 1 2", "it is written: campaign ID"),
        ("group 1 2 3 wrongopt 3", "OPTION: election-ticks, heartbeat-ticks"),
        ("group 1 2 3 pre-vote 3", r"SWITCH on\|off"),
        ("group 1 2 3 entries-max 0", "entries_max is 0"),
        ("group", "it is written: group IDS"),
        ("deliver 1-2", r"WAY: from whom to whom, as in 1>2, 1>\*"),
        ("deliver 1>2 vote", "KIND: vote-request vote-reply"),
        ("drop 1>2 0", "WHICH: first, last, all or a number from 1"),
        ("cut 1", r"cut ID ID \| ID>ID"),
        ("cut 1>*", r"cut ID ID \| ID>ID"),
        ("expect 1 role", "FACT: role, term, vote, leader"),
        ("logs 1", "logs ID: TERMS"),
        ("disk 1 slow", r"disk ID manual\|at-once"),
        ("crash 1 losing", r"crash ID \[losing unsaved\]"),
        ("change 1 voters", r"change ID voters IDS \[learners IDS\]"),
        ("quietly", "quietly COMMAND"),
        ("quietly campaign", "it is written: campaign ID"),
        ("heal 1", "it is written: heal - nothing"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_line(line: str, complaint: str) -> None:
    with pytest.raises(StateError, match=complaint) as error:
        run(f"# a comment\ngroup 1 2 3\n{line}\n----\n")
    assert str(error.value).startswith(f"line 3, {line!r}: ")


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_says_how_it_is_written_and_takes_no_other_words(verb: str) -> None:
    assert usage(verb).startswith(f"{verb} {COMMANDS[verb][0]}".rstrip() + " - ")
    if verb != "quietly":
        with pytest.raises(IllegalArgumentError, match="it is written: "):
            check(verb, ["?"])


def test_a_command_without_a_rule_behind_it_is_an_error_and_not_compared_with_nothing() -> None:
    with pytest.raises(StateError, match=r"line 5: no line '----' stands behind the commands from here on"):
        run("group 1 2 3\n----\nok\n\ncampaign 1\nstabilize\n")
    with pytest.raises(StateError, match=r"line 1: no line '----'"):
        run("group 1 2 3\n\n# nothing more\n")
    assert run("group 1 2 3\n----\n\n# nothing more\n   \n") == "group 1 2 3\n----\nok\n\n# nothing more\n   \n"


class Stumbles(RaftNode):
    """Has a mistake that Python notices."""

    __slots__ = ()

    def _may_vote_for(self, candidate: int) -> bool:
        return bool(candidate // 0)


def test_what_a_raft_stumbles_over_is_told_with_the_line_of_the_transcript_and_of_its_file() -> None:
    with pytest.raises(StateError) as error:
        run("group 1 2 3 pre-vote off\ncampaign 1\ndeliver 1>2\n----\n", Stumbles)
    first, *before = str(error.value).split("\n")
    assert first.startswith("line 3, 'deliver 1>2': tests/unit/raft/test_hand.py, line ")
    assert first.endswith(", in _may_vote_for: ZeroDivisionError: integer division or modulo by zero")
    assert before[0].startswith("1  ")


def test_a_transcript_begins_with_a_group() -> None:
    with pytest.raises(IllegalArgumentError, match="begin with: group"):
        Script().do("campaign 1")


def test_the_example_of_the_page_about_transcripts_runs_as_it_stands() -> None:
    page = Path("tests/transcripts/README.md").read_text(encoding="utf-8")
    begin = page.index("    group 1 2 3")
    example = textwrap.dedent(page[begin : page.index("\n\n", begin)]) + "\n"
    assert example.endswith("\n----\n")
    assert "1  is             leader in term 1" in run(example)


def test_a_transcript_is_the_same_when_it_is_run_again() -> None:
    text = "# why\ngroup 1 2 3 pre-vote off\n----\n\ncampaign 1\nstabilize\nlog\nstatus\n----\nwhatever stood here\n"
    once = run(text)
    assert "whatever" not in once
    assert once.startswith("# why\ngroup 1 2 3 pre-vote off\n----\nok\n\ncampaign 1\n")
    assert "1  is             leader in term 1" in once
    assert run(once) == once


def test_every_command_is_used_in_some_transcript() -> None:
    texts = "\n".join(file.read_text(encoding="utf-8") for file in Path("tests/transcripts").glob("*.txt"))
    words = {word for line in texts.splitlines() for word in line.replace("quietly ", "quietly\n").split("\n")}
    used = {line.split()[0] for line in words if line and not line.startswith(("#", "-"))}
    assert sorted(set(COMMANDS) - used - {"quietly"}) == []

"""Traces of several nodes become one: in the order of time, with messages that find each other."""

from itertools import pairwise
from pathlib import Path

import pytest

from mq.chaos.merging import judge_files, merge, read_events, told_s, write_trace
from mq.sim.group.judge import main
from mq.sim.trace import Event


def event(at_us: int, node: str, name: str, **details: int | str) -> Event:
    return Event(at_us // 1000, node, name, {**details, "us": at_us})


def beat(at_us: int, name: int) -> Event:
    return event(at_us, "n1", "send", id=name, kind="timeout-now", to="n2", term=1)


def got(at_us: int, name: int) -> Event:
    return event(at_us, "n2", "receive", id=name, kind="timeout-now", sender="n1")


def test_events_come_by_microseconds_and_lose_them() -> None:
    merged = list(merge([[event(1002, "n1", "kill"), event(1900, "n1", "kill")], [event(1001, "n2", "kill")]]))
    assert [one.node for one in merged] == ["n2", "n1", "n1"]
    assert all("us" not in one.details for one in merged)


def test_a_message_is_the_newest_of_its_name_that_left_before() -> None:
    merged = list(merge([[beat(10, 77), beat(30, 77), beat(50, 88)], [got(20, 77), got(40, 77), got(60, 88)]]))
    assert [one.details["id"] for one in merged] == [1, 1, 2, 2, 3, 3]


def test_a_message_that_never_left_is_nobodys() -> None:
    merged = list(merge([[beat(10, 77), beat(30, 88)], [got(20, 88)]]))
    assert [one.details["id"] for one in merged] == [1, 2, 3]


def test_the_same_name_on_another_link_is_another_message() -> None:
    other = event(5, "n3", "send", id=77, kind="timeout-now", to="n2", term=1)
    merged = list(merge([[beat(10, 77)], [got(20, 77)], [other]]))
    assert [(one.node, one.details["id"]) for one in merged] == [("n3", 1), ("n1", 2), ("n2", 2)]


def test_a_line_that_a_crash_cut_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "n1.trace"
    file.write_text("time node\n# a remark\n" + event(1, "n1", "kill").to_line() + "\n0000000001ms  n1    rol")
    assert [one.name for one in read_events(file)] == ["kill"]


LIFE = [
    "start term=0 vote=- first=1 last=0 last_term=0 snapshot=0 members=1",
    "members voters=1 old=- learners=-",
    "role role=candidate term=1 leader=-",
    "append after=0 terms=- bodies=- sequence=1",
    "vote term=1 for=1",
    "save sequence=1 term=1 vote=1 durable=0",
    "role role=leader term=1 leader=1",
    "append after=0 terms=1 bodies=x00000000 sequence=2",
    "save sequence=2 term=1 vote=1 durable=1",
    "commit index=1 term=1",
    "apply index=1 term=1 body=x00000000",
]


def life(tmp_path: Path, lines: list[str]) -> Path:
    file = tmp_path / "n1.trace"
    file.write_text("".join(f"{at:010d}ms  n1  {line} us={at * 1000}\n" for at, line in enumerate(lines, 10)))
    return file


def test_a_life_that_keeps_the_rules_is_judged_whole(tmp_path: Path) -> None:
    found = judge_files([life(tmp_path, LIFE)])
    assert (found.violation, found.events) == (None, len(LIFE))
    assert [(one.term, one.leader, one.began_s, one.won_s) for one in found.won] == [(1, "n1", 0.012, 0.016)]
    assert judge_files([life(tmp_path, LIFE)], since_s=0.017).won == []
    assert judge_files([life(tmp_path, LIFE)], until_s=0.015).won == []
    write_trace([tmp_path / "n1.trace"], tmp_path / "all.txt")
    assert main([str(tmp_path / "all.txt")]) == 0
    assert (tmp_path / "all.txt").read_text().splitlines()[1].startswith("0000000000ms  n1    start")


def test_what_took_its_time_tells_both_its_moments(tmp_path: Path) -> None:
    notes = tmp_path / "zz-notes.trace"
    notes.write_text(
        "".join(one.to_line() + "\n" for one in (event(10_000, "n1", "kill", by=30_500), event(40_000, "n1", "wipe")))
    )
    assert told_s(notes) == [0.01, 0.0305, 0.04]


def test_a_broken_rule_is_told(tmp_path: Path) -> None:
    found = judge_files([life(tmp_path, [line for line in LIFE if not line.startswith("save sequence=2")])])
    assert found.violation is not None
    assert "a leader commits what a quorum acknowledged" in found.violation


def test_a_line_that_lacks_what_it_must_tell_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"event 1 does not tell 'term'"):
        judge_files([life(tmp_path, ["start vote=-"])])


def test_an_end_is_behind_the_last_line_of_its_node_and_before_what_comes_of_it() -> None:
    dying = [event(10_000, "n1", "role"), event(10_400, "n1", "commit"), event(40_000, "n1", "start")]
    other = [event(10_200, "n2", "commit"), event(10_900, "n2", "role"), event(36_000, "n2", "role")]
    merged = list(merge([dying, other, [event(10_100, "n1", "kill", by=35_000)]]))
    assert [(one.node, one.name) for one in merged] == [
        ("n1", "role"), ("n2", "commit"), ("n1", "commit"), ("n1", "kill"), ("n2", "role"), ("n2", "role"), ("n1", "start"),
    ]  # fmt: skip
    assert all(one.at_ms <= later.at_ms for one, later in pairwise(merged))
    assert all("by" not in one.details for one in merged)


def test_an_end_of_a_node_that_said_nothing_more_is_where_it_began() -> None:
    ends = [event(10_000, "n1", "kill", by=30_000), event(30_000, "n3", "kill", by=50_000)]
    merged = list(merge([[event(20_000, "n2", "role"), event(40_000, "n2", "role")], ends]))
    assert [(one.node, one.name) for one in merged] == [("n1", "kill"), ("n2", "role"), ("n3", "kill"), ("n2", "role")]


def test_nodes_that_end_together_each_end_behind_their_own_last_line() -> None:
    """As when the power is cut: nobody knows which was the first."""
    ends = [event(10_000, node, "power-loss", by=30_000) for node in ("n1", "n2", "n3")]
    one = [event(11_000, "n1", "commit"), event(15_000, "n1", "commit"), event(40_000, "n1", "start")]
    two = [event(12_000, "n2", "commit"), event(31_000, "n2", "start")]
    merged = list(merge([one, two, ends]))
    assert [(one.node, one.name) for one in merged] == [
        ("n3", "power-loss"), ("n1", "commit"), ("n2", "commit"), ("n2", "power-loss"), ("n1", "commit"), ("n1", "power-loss"),
        ("n2", "start"), ("n1", "start"),
    ]  # fmt: skip
    assert all(one.at_ms <= later.at_ms for one, later in pairwise(merged))


def test_a_node_that_went_on_while_it_was_being_killed_broke_no_rule(tmp_path: Path) -> None:
    notes = tmp_path / "zz-notes.trace"
    notes.write_text(event(17_500, "n1", "kill", by=90_000).to_line() + "\n")
    files = [life(tmp_path, LIFE), notes]
    assert judge_files(files).violation is None
    notes.write_text(event(17_500, "n1", "kill").to_line() + "\n")
    assert judge_files(files).violation is not None, "without its second moment the note says that the node was dead"

"""A trace read as a story: logs through power losses, what is left out, which part is drawn, and in which rows."""

from itertools import combinations

import pytest

from mq.sim.spacetime.flightpath import LABEL_SIZE, Crossing, place_labels
from mq.sim.spacetime.logbook import Cell, LogBook
from mq.sim.spacetime.narrator import tell
from mq.sim.spacetime.rows import arrange
from mq.sim.spacetime.scene import Label, label_box, overlap
from mq.sim.spacetime.story import Condition
from mq.sim.spacetime.window import STEPS_MAX, NothingToDrawError, PictureTooLongError, Window, select
from mq.sim.spacetime.wording import pairs_text
from tests.unit.sim.spacetime_traces import Pen, figure_8, snapshot, split_vote


def terms(book: LogBook) -> list[int]:
    return [cell.term for cell in book.strip().cells]


def test_a_power_loss_brings_back_what_an_unsaved_append_had_superseded() -> None:
    book = LogBook()
    book.append(0, (1, 1), 1)
    book.saved(1)
    struck = book.append(1, (2, 2), 2)
    assert [(cell.index, cell.term) for cell in struck] == [(2, 1)]
    assert terms(book) == [1, 2, 2]
    assert [cell.is_durable for cell in book.strip().cells] == [True, False, False]
    book.started(1, 2, 1)
    assert terms(book) == [1, 1]


def test_a_power_loss_keeps_what_the_disk_had_taken_without_saying_so() -> None:
    book = LogBook()
    book.append(0, (1,), 1)
    book.append(1, (1, 2), 2)
    book.started(1, 3, 2)
    assert terms(book) == [1, 1, 2]
    assert all(cell.is_durable for cell in book.strip().cells)


def test_a_save_that_failed_for_good_takes_the_append_back() -> None:
    book = LogBook()
    book.append(0, (1,), 1)
    book.append(0, (2, 2), 2)
    book.abandoned(2)
    assert terms(book) == [1]
    book.saved(1)
    assert book.strip().cells == (Cell(1, 1, is_committed=False, is_durable=True),)


def test_a_log_behind_a_snapshot_begins_later() -> None:
    book = LogBook()
    book.append(0, (1, 1, 2), 1)
    book.commit_index = 2
    book.forgotten(3)
    assert book.strip().before_index == 2
    assert terms(book) == [2]
    book.installed(9)
    assert (book.strip().before_index, book.last_index, terms(book)) == (9, 9, [])
    book.append(9, (4,), 2)
    assert [(cell.index, cell.term, cell.is_committed) for cell in book.strip().cells] == [(10, 4, False)]


def test_a_log_that_the_trace_does_not_tell_is_unknown_but_for_its_end() -> None:
    book = LogBook()
    book.started(3, 5, 7)
    assert [(cell.index, cell.term) for cell in book.strip().cells] == [(3, 0), (4, 0), (5, 7)]
    assert terms(LogBook()) == []
    book = LogBook()
    book.append(6, (2,), 1)
    assert [(cell.index, cell.term) for cell in book.strip().cells] == [(7, 2)]


def test_ways_in_both_directions_are_one() -> None:
    assert pairs_text([("n1", "n2"), ("n2", "n1"), ("n3", "n1")]) == "n1 ↔ n2, n3 → n1"


def test_every_label_finds_room_however_many_messages_cross_a_gap() -> None:
    crossings = [Crossing(f"m{n}", 300.0, 380.0, 1.0, "again: +12 entries, old T2", "head") for n in range(40)]
    placed = place_labels(crossings, (300.0, 400.0), (58.0, 898.0))
    assert len(placed.middles) == 40
    frames = [label_box(Label(*middle, crossings[n].label, LABEL_SIZE, "", "middle")) for n, middle in placed.middles.items()]
    assert not any(overlap(one, other) for one, other in combinations(frames, 2))
    assert min(frame[1] for frame in frames) >= 0
    assert max(frame[3] for frame in frames) <= placed.height


def test_words_that_are_wider_than_the_picture_are_left_out() -> None:
    crossing = Crossing("m1", 300.0, 380.0, 1.0, "wide " * 200, "head")
    assert place_labels([crossing], (), (58.0, 898.0)).middles == {}


# ---------------------------------------------------------------- windows


def test_a_window_opens_with_what_the_nodes_are_then() -> None:
    story = tell(figure_8())
    found = select(story, Window(from_ms=300))
    assert found.openings["n1"].condition == Condition("down", 2)
    assert found.openings["n2"].condition == Condition("follower", 2)
    strip = found.openings["n2"].strip
    assert strip is not None
    assert [cell.term for cell in strip.cells] == [1, 2]
    assert select(story, Window()).openings == {}


def test_a_message_from_before_the_window_comes_from_its_opening() -> None:
    events = split_vote()
    story = tell(events)
    late = next(flight for flight in story.flights.values() if flight.is_overtaken or flight.is_stale)
    at_ms = next(event.at_ms for event in events if event.name == "receive" and event.text("id") == late.message)
    found = select(story, Window(from_ms=at_ms, to_ms=at_ms))
    assert [flight.message for flight in found.flights] == [late.message]
    rows = arrange(found)
    assert [card.row for card in rows.cards["n3"]] == [0, 1]


def test_events_and_nodes_can_be_chosen_too() -> None:
    events = figure_8()
    story = tell(events)
    kills = [number for number, event in enumerate(events, 1) if event.name == "kill"]
    found = select(story, Window(from_event=kills[0], to_event=kills[1], nodes=("n1", "n5")))
    assert found.nodes == ("n1", "n5")
    told = [event.name for step in found.steps for event in step.events if event.name == "kill"]
    assert told == ["kill", "kill"]
    assert all({flight.send.node, flight.to} <= {"n1", "n5"} for flight in found.flights)
    with pytest.raises(NothingToDrawError, match="the trace knows no node n9, only n1, n2, n3, n4, n5"):
        select(story, Window(nodes=("n9",)))
    with pytest.raises(NothingToDrawError, match="nothing happens"):
        select(story, Window(from_ms=10_000))


def test_the_last_moments_alone_are_the_end_of_the_whole() -> None:
    story = tell(figure_8())
    whole, end = select(story, Window()), select(story, Window(last=10))
    assert end.steps == whole.steps[-10:]
    assert set(end.openings) == set(whole.nodes)


def test_a_picture_that_nobody_could_read_is_refused_with_a_window_that_would_do() -> None:
    pen = Pen(1, 2, 3)
    for term in range(1, 60):
        pen.later(100)
        asked = pen.ask_votes(1, term, [2, 3])
        pen.later()
        answers = [pen.vote(message, term, becomes="follower") for message in asked]
        pen.later()
        for message in answers:
            pen.receive(message)
        pen.lead(1, term)
    story = tell(pen.events)
    with pytest.raises(
        PictureTooLongError, match=rf"more than the {STEPS_MAX} .* from 0 ms to \d+ ms; nodes became leader"
    ) as refused:
        select(story, Window())
    proposed = int(str(refused.value).split("instance from 0 ms to ")[1].split(" ")[0])
    assert len(select(story, Window(to_ms=proposed)).steps) <= STEPS_MAX


def test_more_nodes_than_fit_side_by_side_must_be_chosen_from() -> None:
    pen = Pen(*range(1, 10))
    with pytest.raises(PictureTooLongError, match="9 nodes are more than the 7"):
        select(tell(pen.events), Window())
    assert select(tell(pen.events), Window(nodes=("n1", "n9"))).nodes == ("n1", "n9")


def test_ten_comes_after_nine() -> None:
    assert tell(Pen(10, 9, 2).events).nodes == ["n2", "n9", "n10"]


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("trace", [split_vote, figure_8, snapshot])
def test_time_runs_downwards_along_each_node_and_each_message(trace: object) -> None:
    assert callable(trace)
    selection = select(tell(trace()), Window())
    rows = arrange(selection)
    for cards in rows.cards.values():
        levels = [card.row for card in cards]
        assert levels == sorted(set(levels)), "one card of a node in a row, in their order"
    met = 0
    for flight in selection.flights:
        for number in flight.arrivals:
            assert rows.card_of[number].row > rows.card_of[flight.sent].row
            met += 1
    assert met > 10


def test_what_happens_at_once_stands_side_by_side() -> None:
    selection = select(tell(figure_8()), Window())
    rows = arrange(selection)
    votes = [rows.card_of[step.number].row for step in selection.steps if any(event.name == "vote" for event in step.events)]
    assert votes[1:5] == [votes[1]] * 4, "the four votes of the first election"


def test_a_trace_that_lacks_what_it_must_tell_is_refused() -> None:
    events = split_vote()
    del next(event for event in events if event.name == "role").details["term"]
    with pytest.raises(KeyError, match="term"):
        tell(events)

"""What a reader of a drawing needs: no words cut off, none that touch, a legend of all that occurs, and where a promise broke."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations, pairwise

import pytest

from mq.sim.spacetime import Broken, Window, draw_svg, scene_of
from mq.sim.spacetime.cells import cell_width
from mq.sim.spacetime.flightpath import LABEL_SIZE, Crossing, place_labels
from mq.sim.spacetime.glossary import entries_of, is_plain
from mq.sim.spacetime.palette import FAULT
from mq.sim.spacetime.scene import Box, Group, Label, Line, Scene, label_box, overlap, text_width
from mq.sim.spacetime.typesetting import wrap
from mq.sim.trace import Event
from tests.unit.sim.spacetime_traces import TRACES, Pen, figure_8, split_vote

PROMISE = "no two nodes ever apply different entries at the same index"


def labels_of(group: Group) -> list[Label]:
    return [shape for shape in group.shapes if isinstance(shape, Label)]


def wide_group() -> list[Event]:
    """Seven nodes, long logs, and words of all lengths."""
    pen = Pen(1, 2, 3, 4, 5, 6, 7)
    for node in range(1, 8):
        pen.note(node, "start", term=26, vote="-", first=138, last=137, last_term=26, snapshot=137, members="1,2,3,4,5,6,7")
    pen.later()
    pen.note(2, "role", role="pre-candidate", term=126, leader="-")
    pen.lead(1, 26)
    pen.append(1, 137, "26,26,26", saved=False)
    sent = [pen.entries(1, other, 26, (137, 26), "26,26,26", commit=137) for other in range(2, 8)]
    pen.later()
    for message in sent[:2]:
        pen.take(message, 137, "26,26,26", 26)
    pen.lose(sent[2])
    pen.lose(sent[3])
    pen.later()
    pen.commit(1, 140, 26)
    pen.note(0, "done", request="r1", index=140, term=26)
    pen.note(4, "install", index=1234567, term=26)
    pen.note(5, "change", voters="1,2,3,4,5,6,7", old="1,2,3", learners="8,9")
    pen.note(6, "pause")
    pen.later()
    for one, other in combinations(range(1, 8), 2):
        pen.note(0, "cut", sender=one, to=other)
    return pen.events


def check_cards_hold_their_words(scene: Scene) -> int:
    """Returns how many words were looked at."""
    count = 0
    for group in scene.front:
        outline = group.shapes[0]
        assert isinstance(outline, Box)
        for label in labels_of(group):
            left, top, right, bottom = label_box(label)
            assert not label.text.endswith("…")
            assert left >= outline.x, f"{label.text!r} leaves its card"
            assert right <= outline.x + outline.width, f"{label.text!r} leaves its card"
            assert top >= outline.y, f"{label.text!r} leaves its card"
            assert bottom <= outline.y + outline.height, f"{label.text!r} leaves its card"
            count += 1
    return count


@pytest.mark.parametrize("name", [*TRACES, "wide group"])
def test_no_words_are_cut_or_wider_than_their_card(name: str) -> None:
    scene = scene_of(wide_group() if name == "wide group" else TRACES[name]())
    assert check_cards_hold_their_words(scene) > 5
    frames = [(label_box(label), label.text) for label in scene.labels()]
    for (one, text), (other, other_text) in combinations(frames, 2):
        assert not overlap(one, other), f"{text!r} lies on {other_text!r}"
    for (left, top, right, bottom), text in frames:
        assert min(left, top) >= 0, f"{text!r} leaves the picture"
        assert (right <= scene.width, bottom <= scene.height) == (True, True), f"{text!r} leaves the picture"


def test_what_is_too_long_for_a_lane_goes_on_in_the_next_line() -> None:
    scene = scene_of(wide_group())
    cards = [" ".join(label.text for label in labels_of(group)) for group in scene.front]
    for text in ("T126 pre-candidate", "commit 140", "client: entry 140 done", "installs snapshot 1234567"):
        assert sum(text in card for card in cards) == 1, text
    assert any("told: members n1 n2 n3 n4 n5 n6 n7 | n1 n2 n3 +learner n8 n9" in card for card in cards)
    banner = " ".join(label.text for group in scene.signs for label in labels_of(group))
    assert banner == "cut: " + ", ".join(f"n{one} → n{other}" for one, other in combinations(range(1, 8), 2))


def test_words_are_broken_between_words_and_only_then_within() -> None:
    assert wrap("commit 140", 11, 1000) == ("commit 140",)
    assert wrap("", 11, 100) == ()
    lines = wrap("installs snapshot 137", 11, 60)
    assert lines == ("installs", "snapshot", "137")
    pieces = wrap("a" * 50 + " b", 11, 60)
    assert "".join(pieces) == "a" * 50 + " b"
    assert all(text_width(line, 11) <= 60 for line in pieces)


def test_cells_are_wide_enough_for_their_terms() -> None:
    for term in (1, 26, 999, 12345):
        assert cell_width(term) - 2 >= text_width(str(term), 10.5) + 3, f"the edge keeps off the digits of {term}"
    pen = Pen(1)
    pen.later()
    pen.append(1, 0, "20,20,26", saved=False)
    dashed = [shape for group in scene_of(pen.events).front for shape in group.shapes if isinstance(shape, Box) and shape.dash]
    assert len(dashed) == 3
    gaps = [other.x - one.x - one.width for one, other in pairwise(dashed)]
    assert all(gap >= 2 for gap in gaps), "two dashed edges beside each other are two"


# ---------------------------------------------------------------- messages


def test_messages_that_do_not_arrive_say_where_to_and_end_before_another_lane() -> None:
    for events in (wide_group(), figure_8(), split_vote()):
        scene = scene_of(events)
        lanes = {label.text: label.x for label in scene.labels() if re.fullmatch(r"n\d", label.text) and label.size == 14}
        pitch = min(abs(lanes["n2"] - lanes["n1"]), 300)
        sent = {event.text("id"): event for event in events if event.name == "send"}
        gone = [face for face in scene.faces if face.kind in {"lost", "open"}]
        assert gone
        for face in gone:
            send = sent[face.message]
            assert face.label is not None
            assert face.label.text.endswith(f" → n{send.details['to']}")
            assert abs(face.ends[1][0] - lanes[send.node]) < pitch / 2, "in the space beside its sender's lane"
        assert not any(" → " in face.label.text for face in scene.faces if face.label and face not in gone)


def test_what_is_still_under_way_ends_in_dots_and_not_in_a_head() -> None:
    faces = [face for face in scene_of(wide_group()).faces if face.kind == "open"]
    assert len(faces) == 4, "two to the nodes that took nothing, and two answers"
    assert all([type(mark) for mark in face.marks] == [Line, Line, Line] for face in faces)


def test_words_of_messages_do_not_touch() -> None:
    for events in (wide_group(), figure_8(), split_vote()):
        frames = [label_box(face.label) for face in scene_of(events).faces if face.label]
        for one, other in combinations(frames, 2):
            assert not overlap((one[0] - 3, one[1] - 1, one[2] + 3, one[3] + 1), other)


# ---------------------------------------------------------------- legend


def legend_words(scene: Scene) -> set[str]:
    return {labels_of(group)[-1].text for group in scene.legend}


def boxes_of(scene: Scene) -> list[Box]:
    return [shape for group in scene.front for shape in group.shapes if isinstance(shape, Box)]


ROLES = {"follower", "pre-candidate", "candidate", "leader", "mute", "down"}
SIGNS: dict[str, Callable[[Scene], bool]] = {
    "just written": lambda scene: any(box.title.startswith("entry") and box.edge_width == 1.4 for box in boxes_of(scene)),
    "not durable yet": lambda scene: any(box.dash for box in boxes_of(scene)),
    "known here to be committed": lambda scene: any("committed" in box.title for box in boxes_of(scene)),
    "superseded": lambda scene: any("superseded" in box.title for box in boxes_of(scene)),
    "entry with its term": lambda scene: any(re.match(r"entry \d+ of term \d+:", box.title) for box in boxes_of(scene)),
    "took or sent messages, and no more": lambda scene: any(len(group.shapes) == 1 for group in scene.front),
    "late: slow, overtaken, or repeated": lambda scene: any(face.kind == "late" for face in scene.faces),
    "lost": lambda scene: any(face.kind == "lost" for face in scene.faces),
    "still under way when the picture ends": lambda scene: any(face.kind == "open" for face in scene.faces),
    "entries in the snapshot": lambda scene: "#66737f" in prefix_fills(scene),
    "entries that are left out here": lambda scene: "#f4f6f8" in prefix_fills(scene),
    "paused": lambda scene: any(
        isinstance(shape, Line) and shape.dash == (3.0, 3.0) for group in scene.back for shape in group.shapes
    ),
    "here the promise was broken": lambda scene: any(isinstance(shape, Box) for group in scene.signs for shape in group.shapes),
}


def prefix_fills(scene: Scene) -> set[str]:
    """The grounds of the boxes that say `1-81`."""
    found = set()
    for group in scene.front:
        for box, label in zip(group.shapes, group.shapes[1:], strict=False):
            if isinstance(label, Label) and isinstance(box, Box) and re.fullmatch(r"1-\d+", label.text):
                found.add(box.fill)
    return found


def scenes() -> dict[str, Scene]:
    drawn = {name: scene_of(trace()) for name, trace in TRACES.items()}
    long = Pen(1, 2)
    long.later()
    long.append(1, 0, ",".join("1" * 20))
    asked = Pen(1, 2)
    asked.later()
    asked.ask_votes(1, 1, [2])
    drawn |= {"asked": scene_of(asked.events), "wide": scene_of(wide_group()), "long": scene_of(long.events)}
    drawn |= {f"end of {name}": scene_of(trace(), window=Window(last=4)) for name, trace in TRACES.items()}
    return drawn | {"broken": scene_of(figure_8(), broken=Broken(PROMISE, 10**6))}


def test_the_legend_shows_exactly_what_occurs() -> None:
    met: Counter[str] = Counter()
    for name, scene in scenes().items():
        words = legend_words(scene)
        for sign, occurs in SIGNS.items():
            assert (sign in words) == occurs(scene), f"{sign!r} in {name}"
            met[sign] += sign in words
        rails = {group.title.split(": ")[1].split()[0] for group in scene.back if re.match(r"n\d from", group.title)}
        chips = {label.text.split()[-1] for group in scene.front for label in labels_of(group) if label.is_bold}
        shown = words & ROLES
        assert {rail.rstrip(",") for rail in rails} <= shown, name
        assert shown <= {rail.rstrip(",") for rail in rails} | chips, name
    assert all(0 < met[sign] < len(scenes()) for sign in SIGNS), f"each sign in some picture and not in all: {met}"


def kinds(meanings: Iterable[str]) -> set[str]:
    """Explanations without the numbers of their examples."""
    return {re.sub(r"\d+", "#", meaning) for meaning in meanings}


def test_every_word_is_explained_or_speaks_for_itself() -> None:
    explained: set[str] = set()
    for name in TRACES:
        scene = scene_of(TRACES[name]())
        needed: set[str] = set()
        words = [label for group in scene.front for label in labels_of(group) if not re.fullmatch(r"[\d?]+|1-\d+", label.text)]
        for label in words:
            is_chip = label.is_bold and label.size == 12
            found = kinds(entry.meaning for entry in entries_of([label.text] if is_chip else [], [label.text], []))
            assert found or is_plain(label.text), f"{label.text!r} in {name}"
            needed |= found
        for face in scene.faces:
            assert face.label is not None
            found = kinds(entry.meaning for entry in entries_of([], [], [face.label.text]))
            assert found, f"{face.label.text!r} in {name}"
            needed |= found
        meanings = {words for words in legend_words(scene) - {*SIGNS} - ROLES if "not drawn" not in words}
        assert needed == kinds(meanings), name
        explained |= needed
    assert len(explained) > 20


def test_words_that_differ_in_meaning_are_told_apart() -> None:
    texts = ["client: xd2c76", "client: state 88", "client: entry 7 done", "client: refused", "client reads", "commit 8", "saved"]
    meanings = [[entry.meaning for entry in entries_of([], [text], [])] for text in texts]
    assert [len(found) for found in meanings] == [1] * len(texts)
    assert len({found[0] for found in meanings}) == len(texts)
    assert [entry.sample for entry in entries_of([], [], ["again: old vote? T2", "ok 8, old T3"])] == [
        "vote? T2", "ok 8", "again: …", "old …", "…, old T",
    ]  # fmt: skip
    assert (is_plain("crash"), is_plain("commit 8")) == (True, False)


# ---------------------------------------------------------------- a broken promise


def test_the_card_in_which_a_promise_broke_is_framed_and_the_promise_stands_under_the_title() -> None:
    events = figure_8()
    whole = scene_of(events, "Figure 8", broken=Broken(PROMISE, events[-1].at_ms, ("one fact", "another fact")))
    (frame,) = [shape for group in whole.signs for shape in group.shapes if isinstance(shape, Box)]
    assert (frame.edge, frame.fill) == (FAULT, "none")
    (card,) = [group for group in whole.front if any(label.text == "broken here" for label in labels_of(group))]
    outline = card.shapes[0]
    assert isinstance(outline, Box)
    assert frame.x < outline.x < outline.x + outline.width < frame.x + frame.width
    assert any(label.text.startswith("commit 2") for label in labels_of(card)), "the last step of the trace"
    head = [label.text for group in whole.back for label in labels_of(group) if label.y < outline.y][:4]
    assert head == ["Figure 8", f"broken at {events[-1].at_ms} ms: {PROMISE}", "one fact", "another fact"]
    assert 'fill="none"' in draw_svg(events, broken=Broken(PROMISE, events[-1].at_ms))


def test_the_last_moments_of_named_nodes_are_framed() -> None:
    events = figure_8()
    at_ms = next(event.at_ms for event in events if event.name == "commit" and event.node == "n1" and event.number("index") == 2)
    scene = scene_of(events, broken=Broken(PROMISE, at_ms, nodes=("n1", "n3")))
    frames = [shape for group in scene.signs for shape in group.shapes if isinstance(shape, Box)]
    lanes = [label.x for label in scene.labels() if label.text in {"n1", "n3"} and label.size == 14]
    assert sorted(frame.x + frame.width / 2 for frame in frames) == pytest.approx(lanes)
    assert scene_of(events).signs == (), "none without a broken promise"


def test_a_window_around_a_time_has_it_in_its_middle() -> None:
    events = figure_8()
    crash = [event.at_ms for event in events if event.name == "kill"][1]
    scene = scene_of(events, window=Window(around_ms=crash, last=6))
    assert any("crash" in label.text for label in scene.labels())
    times = [int(label.text.split()[-2]) for label in scene.labels() if re.fullmatch(r"(\d+, )*\d+ ms", label.text)]
    assert min(times) <= crash <= max(times)
    whole = scene_of(events, window=Window(around_ms=crash, last=500))
    assert whole.labels()[1:] == scene_of(events).labels()[1:], "no more moments than there are"


@pytest.mark.parametrize("side", [1, -1])
def test_words_of_a_lost_message_do_not_lie_on_its_senders_rail(side: int) -> None:
    """However long they are for the space beside the lane: they stand above or below the line then."""
    rail, half = 300.0, 6.0
    for until in (0.325, 0.5, 0.7):
        stub = Crossing("m", rail + side * 1, rail + side * 121, until, "entries 23.1-24.1 → n2", "cross")
        placed = place_labels([stub], [rail, rail + side * 276], (0.0, 1000.0))
        reach = text_width(stub.label, LABEL_SIZE) / 2
        assert side * (placed.middles[0][0] - rail) - reach >= half

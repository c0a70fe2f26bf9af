"""The drawing of a group's trace: what stands where, that nothing lies on anything, and the two kinds of pictures."""

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from mq.sim.group.options import GroupOptions
from mq.sim.group.world import GroupWorld
from mq.sim.spacetime import Window, draw, draw_png, draw_svg, scene_of
from mq.sim.spacetime.glossary import entries_of
from mq.sim.spacetime.palette import COMMITTED
from mq.sim.spacetime.scene import Box, Face, Group, Line, Polygon, Scene, label_box, overlap, text_width
from mq.sim.spacetime.svg import to_html
from mq.sim.spacetime.wording import message_label, message_sentence
from mq.sim.trace import Event, Value
from tests.unit.sim.spacetime_traces import TRACES, Pen, figure_8, split_vote

Frame = tuple[float, float, float, float]
SVG = "{http://www.w3.org/2000/svg}"


def frame_of(box: Box) -> Frame:
    return (box.x, box.y, box.x + box.width, box.y + box.height)


def marks_of(face: Face) -> Frame:
    """Around the head or the cross."""
    corners = [corner for mark in face.marks for corner in mark.points]
    return (min(x for x, _ in corners), min(y for _, y in corners), max(x for x, _ in corners), max(y for _, y in corners))


def cards_of(scene: Scene) -> list[Frame]:
    """The outlines of cards and dots."""
    boxes = [group.shapes[0] for group in scene.front]
    return [frame_of(box) for box in boxes if isinstance(box, Box)]


def inner(frame: Frame, by: float) -> Frame:
    return (frame[0] + by, frame[1] + by, frame[2] - by, frame[3] - by)


def crossed(frame: Frame, line: Line) -> bool:
    """Whether a line goes through a frame, looked at every half pixel."""
    for (x, y), (to_x, to_y) in zip(line.points, line.points[1:], strict=False):
        steps = max(1, int(2 * max(abs(to_x - x), abs(to_y - y))))
        for step in range(steps + 1):
            at = (x + (to_x - x) * step / steps, y + (to_y - y) * step / steps)
            if frame[0] < at[0] < frame[2] and frame[1] < at[1] < frame[3]:
                return True
    return False


def check_readable(scene: Scene) -> None:
    """No words on words, none on heads, crosses or cards, no line through a card, all inside the picture."""
    labels = scene.labels()
    frames = [(label_box(label), label.text) for label in labels]
    for number, (frame, text) in enumerate(frames):
        assert frame[0] >= 0, f"{text!r} leaves the picture"
        assert frame[1] >= 0, f"{text!r} leaves the picture"
        assert frame[2] <= scene.width, f"{text!r} leaves the picture"
        assert frame[3] <= scene.height, f"{text!r} leaves the picture"
        for behind, other_text in frames[number + 1 :]:
            assert not overlap(frame, behind), f"{text!r} lies on {other_text!r}"
    cards = cards_of(scene)
    for face in scene.faces:
        assert face.label is not None, f"message {face.message} has no words"
        for other in scene.faces:
            assert not overlap(label_box(face.label), marks_of(other)), f"{face.label.text!r} lies on the end of {other.message}"
        for outline in cards:
            assert not overlap(label_box(face.label), outline), f"{face.label.text!r} lies on a card"
            assert not crossed(inner(outline, 1), face.way), f"message {face.message} goes through a card"


def words_of(scene: Scene) -> Counter[str]:
    """What is written in the drawing itself, without its legend."""
    return Counter(label.text for label in scene._replace(legend=()).labels())


def shapes_of(groups: tuple[Group, ...]) -> list[object]:
    return [shape for group in groups for shape in group.shapes]


@pytest.mark.parametrize("name", TRACES)
def test_nothing_lies_on_anything(name: str) -> None:
    check_readable(scene_of(TRACES[name]()))


@pytest.mark.sim
@pytest.mark.slow
@pytest.mark.parametrize(("seed", "nodes"), [(1, 3), (4, 5)])
def test_nothing_lies_on_anything_in_runs_of_the_world(seed: int, nodes: int) -> None:
    world = GroupWorld(seed, GroupOptions(nodes=nodes, steps=1200, chaos_ms=1500, wanted=()))
    world.run()
    events = list(world.trace.events())
    last_ms = events[-1].at_ms
    lost = drawn = 0
    for part in range(1, 5):
        scene = scene_of(events, window=Window(to_ms=last_ms * part // 4, last=70))
        check_readable(scene)
        drawn += len(scene.faces)
        lost += sum(face.kind == "lost" for face in scene.faces)
    print(f"seed {seed}: {drawn} messages drawn, {lost} of them lost")
    assert drawn > 100
    assert lost > 0


def test_matplotlib_is_loaded_only_when_a_png_is_written() -> None:
    script = "import sys; import mq.sim.spacetime.__main__; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", TRACES)
def test_the_widths_of_words_are_those_of_the_font(name: str) -> None:
    for label in scene_of(TRACES[name]()).labels():
        font = FontProperties(family="DejaVu Sans", weight="bold" if label.is_bold else "normal")
        drawn = TextPath((0, 0), label.text, size=label.size, prop=font).get_extents().width
        counted = text_width(label.text, label.size, is_bold=label.is_bold)
        assert drawn <= counted + 0.5, label.text
        assert counted <= 1.08 * drawn + 0.4 * label.size, label.text


# ---------------------------------------------------------------- messages


def test_every_message_has_its_line_from_its_sender_to_its_receiver() -> None:
    events = figure_8()
    scene = scene_of(events)
    lanes = {label.text: label.x for label in scene.labels() if re.fullmatch(r"n\d", label.text)}
    sent = {event.text("id"): event for event in events if event.name == "send"}
    received = {event.text("id") for event in events if event.name == "receive"}
    assert sorted(face.message for face in scene.faces) == sorted(sent)
    for face in scene.faces:
        send = sent[face.message]
        start, end = face.ends
        assert abs(start[0] - lanes[send.node]) <= 16, face.message
        if face.message in received:
            assert abs(end[0] - lanes[f"n{send.details['to']}"]) <= 60, face.message
            assert end[1] > start[1], "time runs downwards"
            assert [type(mark) for mark in face.marks] == [Polygon]


def test_a_lost_message_ends_in_a_cross_before_it_arrives() -> None:
    events = figure_8()
    scene = scene_of(events)
    lost = {event.text("id") for event in events if event.name == "lose"}
    assert len(lost) == 2
    for face in scene.faces:
        assert (face.kind == "lost") == (face.message in lost)
        if face.message in lost:
            assert [type(mark) for mark in face.marks] == [Line, Line]
            assert "lost: " in face.title


def test_a_late_message_is_dashed_and_says_that_its_term_is_over() -> None:
    scene = scene_of(split_vote())
    late = [face for face in scene.faces if face.kind == "late"]
    assert [face.label.text for face in late if face.label] == ["old vote? T1"]
    assert all(face.way.dash for face in late)
    assert not any(face.way.dash for face in scene.faces if face.kind != "late")


def test_a_message_that_a_later_one_overtook_is_dashed_and_says_so() -> None:
    pen = Pen(1, 2)
    pen.later()
    pen.lead(1, 1)
    slow = pen.entries(1, 2, 1, (0, 0), "1")
    pen.later()
    pen.note(1, "campaign")
    fast = pen.entries(1, 2, 1, (0, 0), "1,1")
    pen.later()
    pen.take(fast, 0, "1,1", 1)
    pen.later()
    pen.receive(slow)
    faces = {face.message: face for face in scene_of(pen.events).faces}
    assert (faces[slow].kind, faces[fast].kind) == ("late", "arrived")
    assert faces[slow].way.dash
    assert "after one that was sent later" in faces[slow].title


def test_messages_that_reach_one_card_have_their_heads_side_by_side() -> None:
    scene = scene_of(figure_8())
    heads = sorted((face.ends[1][1], face.ends[1][0]) for face in scene.faces if face.kind == "arrived")
    beside = [(one, other) for one, other in pairwise(heads) if one[0] == other[0] and other[1] - one[1] < 60]
    assert len(beside) >= 12, "four and four answers to the first leader, and those to the others"
    assert all(other[1] - one[1] >= 7 for one, other in beside)


def test_a_message_that_comes_twice_has_two_lines() -> None:
    pen = Pen(1, 2)
    pen.later()
    (asked,) = pen.ask_votes(1, 1, [2])
    pen.later()
    pen.vote(asked, 1)
    pen.later()
    pen.receive(asked)
    faces = [face for face in scene_of(pen.events).faces if face.message == asked]
    assert [face.label.text for face in faces if face.label] == ["vote? T1", "again: vote? T1"]
    assert [face.kind for face in faces] == ["arrived", "late"]


def test_heartbeats_of_which_nothing_comes_are_not_drawn() -> None:
    folded, whole = scene_of(split_vote()), scene_of(split_vote(), window=Window(has_heartbeats=True))
    assert words_of(folded)["committed 1"] == 2, "the heartbeats that tell of the commit are news"
    assert words_of(folded)["heartbeat"] == 0
    assert words_of(whole)["heartbeat"] == 4
    (note,) = [label.text for label in folded.labels() if "not drawn" in label.text]
    assert note.startswith(f"{len(whole.faces) - len(folded.faces)} messages")


# ---------------------------------------------------------------- nodes


def test_roles_terms_votes_and_commits_of_an_election_are_written() -> None:
    words = words_of(scene_of(split_vote()))
    assert [words[text] for text in ("T1 candidate", "T2 candidate", "T2 leader", "T2 follower")] == [2, 1, 1, 2]
    assert [words[text] for text in ("votes for itself", "votes for n1", "commit 1")] == [3, 2, 3]
    assert [words[text] for text in ("vote? T1", "vote? T2", "yes", "no", "entry 1.2", "ok 1")] == [2, 2, 2, 2, 2, 2]
    assert words["vote? T1 → n3"] == 1, "it is lost before its lane, so it says where it was to go"


def test_figure_8_shows_crashes_logs_and_the_entry_that_is_superseded() -> None:
    scene = scene_of(figure_8())
    words = words_of(scene)
    assert words["crash"] == 3
    assert words["starts again"] == 2
    titles = Counter(shape.title for shape in shapes_of(scene.front) if isinstance(shape, Box) and shape.title)
    assert titles["entry 2 of term 2 was superseded"] == 2, "on n2 and n3"
    assert titles["entry 2 of term 2: durable, known to be committed"] == 1, "on n1, wrongly"
    assert titles["entry 2 of term 3: durable, known to be committed"] == 1, "on n5"
    assert words["commit 2.2 in T4"] == 1, "the step that Raft forbids is told from other commits"
    bars = [shape for shape in shapes_of(scene.front) if isinstance(shape, Box) and (shape.fill, shape.height) == (COMMITTED, 3)]
    assert len(bars) == sum(count for title, count in titles.items() if title.endswith("known to be committed"))
    dotted = [shape for shape in shapes_of(scene.back) if isinstance(shape, Line) and shape.dash]
    assert len(dotted) == 3, "one gap in a rail for each crash"


def refusal(rejected: int) -> Event:
    details: dict[str, Value] = {"id": 1, "kind": "append-reply", "to": "n1", "term": 3, "matching": 0, "match": 0}
    return Event(0, "n2", "send", {**details, "rejected": rejected, "hint_index": 0, "hint_term": 0, "round": 1})


def test_a_refusal_says_whether_it_is_for_the_term_or_for_the_log() -> None:
    assert (message_label(refusal(0)), message_label(refusal(4))) == ("no, now T3", "no, try 0")
    assert "you lead an older term than mine, which is 3" in message_sentence(refusal(0), "")
    assert "entry 4 is missing here or of another term; try behind entry 0 of term 0" in message_sentence(refusal(4), "")
    meanings = [entry.meaning for entry in entries_of([], [], ["no, now T3", "no, try 0"])]
    assert meanings == [
        "you lead an older term, and I am in term 3", "my log is not like yours there; try behind entry 0",
    ]  # fmt: skip


def test_a_message_names_the_entries_that_it_brings() -> None:
    def asked(terms: int | str) -> str:
        details: dict[str, Value] = {"id": 1, "kind": "append-request", "to": "n1", "term": 5}
        details |= {"previous_index": 1, "previous_term": 1}
        return message_label(Event(0, "n2", "send", {**details, "terms": terms, "bodies": "-", "commit": 0, "round": 1}))

    assert [asked(2), asked("2,2,5"), asked("-")] == ["entry 2.2", "entries 2.2-4.5", "heartbeat"]


def test_a_snapshot_is_taken_streamed_and_installed() -> None:
    words = words_of(scene_of(TRACES["snapshot"]()))
    for text in (
        "snapshot of 1-4",
        "log from 5 on",
        "no, try 0",
        "snapshot 4",
        "got 64 B",
        "snapshot 4, end",
        "has 4",
        "client: entry 2 done",
    ):
        assert words[text] == 1, text
    assert words["installs snapshot 4"] == 1
    assert words["heartbeat"] == 1, "the one that was refused"
    assert words["1-4"] > 1, "logs that begin behind the snapshot"


def test_every_fault_leaves_a_mark() -> None:
    scene = scene_of(TRACES["faults"]())
    words = words_of(scene)
    expected = (
        "cut: n1 → n3, n1 ↔ n2", "held back: n1 → n2", "released: n1 → n2", "mended: n1 → n2", "paused", "goes on",
        "disk +200 ms", "next fsync fails", "disk full", "not saved: disk full", "disk has room", "fsync failed",
        "clock at 150 %", "power loss", "starts again", "T0 mute", "told to campaign", "told: n2 shall lead",
        "told: members n1 n2 +learner n3", "members n1 n2 | n1 n2 n3", "client: unknown", "client reads", "client: state 1",
    )  # fmt: skip
    assert [text for text in expected if not words[text]] == []
    paused = [shape for shape in shapes_of(scene.back) if isinstance(shape, Line) and shape.dash == (3.0, 3.0)]
    assert len(paused) == 1


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("name", TRACES)
def test_the_svg_is_well_formed_and_stands_by_itself(name: str) -> None:
    scene, text = scene_of(TRACES[name]()), draw_svg(TRACES[name]())
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert names <= {"svg", "style", "rect", "g", "title", "polyline", "polygon", "text", "circle"}, (
        "no script, no image, no link"
    )
    assert not any(key in element.attrib for element in root.iter() for key in ("id", "href", "src", "onclick"))
    assert re.findall(r"https?://[^\"' ]*", text) == ["http://www.w3.org/2000/svg"]
    texts = Counter(element.text for element in root.iter(f"{SVG}text"))
    assert texts == Counter(label.text for label in scene.labels()), "both pictures say the same"


def test_a_message_that_is_pointed_at_lights_up_with_its_ends_and_says_what_it_means() -> None:
    root = ElementTree.fromstring(draw_svg(split_vote()))
    groups = [group for group in root.iter(f"{SVG}g") if group.attrib["class"].startswith("message")]
    assert len(groups) == len(scene_of(split_vote()).faces)
    for group in groups:
        assert len(group.findall(f"{SVG}circle[@class='glow']")) == 2
        assert len(group.findall(f"{SVG}polyline[@class='glow']")) == 1
        assert len(group.findall(f"{SVG}polyline[@class='feel']")) == 1
    titles = [group.findtext(f"{SVG}title") for group in groups]
    assert "n1 to n2, term 2: put 1.2 (index.term) behind entry 0 of term 0; committed is 0\narrived at 360 ms" in titles
    assert "n1 to n3, term 1: vote for me? My last entry is 0 of term 0\nlost: loss" in titles
    order = [element.attrib.get("class", "") for element in root]
    assert order.index("lines") < min(n for n, name in enumerate(order) if name.startswith("message")), "no line on words"
    style = root.findtext(f"{SVG}style") or ""
    assert ".message:hover .glow" in style


def test_a_card_that_is_pointed_at_shows_the_lines_of_the_trace() -> None:
    root = ElementTree.fromstring(draw_svg(split_vote()))
    titles = [group.findtext(f"{SVG}title") or "" for group in root.iter(f"{SVG}g") if group.attrib["class"] == "card"]
    assert any("n1 role role=leader term=2 leader=1" in title and "n1 append after=0 terms=2" in title for title in titles)


def test_words_that_mean_something_to_xml_are_escaped() -> None:
    title = 'a < b & "c"'
    assert ElementTree.fromstring(draw_svg(split_vote(), title)).attrib["aria-label"] == title
    assert "<title>a &lt; b &amp; " in to_html(scene_of(split_vote(), title))


def test_equal_traces_give_equal_bytes(tmp_path: Path) -> None:
    events = TRACES["snapshot"]()
    read_back = [Event.from_line(event.to_line()) for event in events]
    assert draw_svg(events) == draw_svg(read_back)
    for name, trace in (("one.png", events), ("other.png", read_back)):
        draw_png(tmp_path / name, trace)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_a_png_has_twice_the_width_of_a_notebook_and_shows_something(tmp_path: Path) -> None:
    from matplotlib.image import imread  # noqa: PLC0415 - slow to load

    picture = tmp_path / "election.png"
    draw(picture, split_vote(), "An election")
    pixels = imread(picture)
    scene = scene_of(split_vote())
    assert pixels.shape[:2] == (2 * scene.height, 2 * 900)
    leader = (abs(pixels[:, :, :3] - (0.0, 0.447, 0.698)).sum(axis=2) < 0.02).sum()
    assert leader > 2000, "the leader's rail and chip"


def test_the_file_name_says_which_picture(tmp_path: Path) -> None:
    draw(tmp_path / "a.svg", split_vote())
    draw(tmp_path / "a.html", split_vote())
    svg, page = (tmp_path / "a.svg").read_text(), (tmp_path / "a.html").read_text()
    assert svg == draw_svg(split_vote())
    assert page.startswith("<!DOCTYPE html>")
    assert svg in page
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg or \.html, not in \.gif"):
        draw(tmp_path / "a.gif", split_vote())


def test_time_can_be_drawn_to_scale() -> None:
    in_order, scaled = scene_of(split_vote()), scene_of(split_vote(), window=Window(pixels_per_ms=6))
    check_readable(scaled)
    assert words_of(scaled) - words_of(in_order) == Counter({"~ ~": 3}), "long silences are cut short, and marked"
    at = {label.text: label.y for label in scaled.labels() if label.text.endswith(" ms")}
    assert at["354 ms"] - at["348 ms"] < at["424 ms"] - at["372 ms"]
    assert at["150 ms"] - at["0 ms"] >= 150

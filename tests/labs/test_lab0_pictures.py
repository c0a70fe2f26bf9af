"""The picture of a run between a few parties: a row for each line of the story, an arrow for each message."""

from xml.etree import ElementTree as ET

import pytest

from labs.grader.space_time import SpaceTime

LEGEND = (
    "--m1--> a message   x it was lost on its way   ~~ it is late, and arrives further down   "
    "X a process ended, and began anew   <== here the promise is broken"
)
STORY = ["anna asks", "the answer is lost", "a copy is kept", "the machine begins anew", "the copy arrives"]


def picture(rows: int = 5) -> SpaceTime:
    """Of the first rows of the story."""
    story: list[str] = []
    drawn = SpaceTime(("anna", "the machine", "ben"), story)
    copy = -1
    for number, line in enumerate(STORY[:rows]):
        story.append(line)
        match number:
            case 0:
                drawn.arrow("m1", "anna", "the machine")
            case 1:
                drawn.arrow("m2", "the machine", "anna", is_lost=True)
            case 2:
                copy = drawn.delayed("m1'", "anna", "the machine")
            case 3:
                drawn.mark("the machine", "restart", is_end=True)
            case _:
                drawn.arrives(copy)
                drawn.wrong = drawn.row
    return drawn


def test_each_row_of_the_text_is_a_line_of_the_story() -> None:
    assert picture().lines() == [
        "step   anna                the machine         ben",
        "   1    |--------m1-------->|                   |",
        "   2    |      x-----m2-----|                   |",
        "   3    |~~~~m1'~~~~~~      |                   |",
        "   4    |                   Xrestart            |",
        "   5    |-------m1'-------->|                   |   <== here",
        "",
        LEGEND,
    ]


def test_an_arrow_may_pass_over_somebody_and_leftwards() -> None:
    story = ["ben asks anna", "and hears"]
    drawn = SpaceTime(("anna", "the machine", "ben"), story)
    drawn.arrow("m1", "ben", "anna")
    assert drawn.lines()[2] == f"   2    |<{'m1':-^38}|"


def test_what_never_arrives_is_late_for_ever_and_still_drawn() -> None:
    drawn = picture(3)
    assert drawn.lines()[3] == "   3    |~~~~m1'~~~~~~      |                   |"
    root = ET.fromstring(drawn.svg())
    dashed = [line for line in root.iter("{http://www.w3.org/2000/svg}line") if line.get("stroke-dasharray")]
    assert [(line.get("y1"), line.get("y2")) for line in dashed] == [("120", "120")]


def test_the_svg_needs_nothing_else_and_escapes_what_it_is_told() -> None:
    drawn = picture()
    drawn.story[0] = "<script>alert('&')</script>"  # type: ignore[index]
    svg = drawn.svg()
    assert "<script>" not in svg
    root = ET.fromstring(svg)
    assert {element.tag.partition("}")[2] for element in root.iter()} <= {"svg", "rect", "text", "line", "g", "polygon", "circle"}
    assert "href" not in svg


@pytest.mark.parametrize("ask", ["lines", "svg"])
def test_nothing_is_drawn_of_nothing(ask: str) -> None:
    assert not getattr(SpaceTime(("anna", "ben"), []), ask)()

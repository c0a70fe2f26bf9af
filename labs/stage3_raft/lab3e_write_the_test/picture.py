"""What came of a schedule: a story, and a picture with a line for each node and an arrow for each message that arrives."""

import re
from collections.abc import Sequence

from labs.grader.space_time import SpaceTime
from labs.grader.suite import Run

__all__ = ["show"]

_COMMAND = re.compile(r" *(\d+): (.*)")
_HEARS = re.compile(r"(\d+) hears from (\d+) ([\w-]+).*")
_LOST = re.compile(r"(\d+) to (\d+), lost ([\w-]+).*")
_DOWN = re.compile(r"(\d+) is down, lost from (\d+) ([\w-]+).*")
_MARKS = (
    (re.compile(r"(\d+) crashes.*"), "crashes", True),
    (re.compile(r"(\d+) starts.*"), "starts", False),
    (re.compile(r"(\d+) is leader in (term \d+)"), "leads {}", False),
    (re.compile(r"(\d+) applies (.*)"), "applies {}", False),
    (re.compile(r"(\d+) answers (read \d+).*"), "{}", False),
)
"""What befalls one node: what is said of it in the picture, and whether its process ended."""
_SENDS = re.compile(r"\d+ sends to .*")
_WAY = re.compile(r"(\d+) (?:(?:sends to|hears from|to|is down, lost from) (\d+))?")
"""Who does something, and with whom."""
_ROWS_MAX, _NODES_MAX = 70, 5
_BARE = re.compile(r" *\d+ +[| ]+")


class _Picture(SpaceTime):
    """In text, only the rows in which something is to be seen; their numbers are those of the story's lines."""

    __slots__ = ()

    def lines(self) -> list[str]:
        """See `Figure`."""
        return [line for line in super().lines() if not _BARE.fullmatch(line)]


def show(story: Sequence[str], run: Run, broken: str = "") -> None:
    """Tell a run what happened, and how it is drawn. broken: which promise broke in the end, and how."""
    lines = [_line(told) for told in story]
    if len(lines) > _ROWS_MAX:  # what is sent is heard later, or is lost
        lines = [line for line in lines if not _SENDS.fullmatch(line)]
    left_out = max(0, len(lines) - _ROWS_MAX)
    picture = _Picture([f"node {node}" for node in range(1, _nodes_in(lines) + 1)], run.story)
    if left_out:
        run.tell(f"({left_out} lines before this one are left out)")
    for line in lines[left_out:]:
        run.tell(_for_people(line))
        _draw(line, picture)
    if broken:
        run.tell(broken)
        picture.wrong = picture.row
    run.figure = picture


def _line(told: str) -> str:
    command = _COMMAND.fullmatch(told)
    return f"line {command[1]}: `{command[2]}`" if command is not None else " ".join(told.split())


def _for_people(line: str) -> str:
    """Who is told of is a node, and what it says to another one is set apart."""
    told = re.sub(r"^(\d+) (sends to \d+|hears from \d+|to \d+, lost|is down, lost from \d+) ", r"node \1 \2: ", line)
    return re.sub(r"^(\d+) (?=[a-z])", r"node \1 ", told)


def _nodes_in(lines: Sequence[str]) -> int:
    """The highest number of a node."""
    found = (match for line in lines if (match := _WAY.match(line)) is not None)
    return min(max((int(node) for match in found for node in match.groups() if node), default=1), _NODES_MAX)


def _draw(line: str, picture: SpaceTime) -> None:
    if (found := _HEARS.fullmatch(line)) is not None:
        picture.arrow(found[3], f"node {found[2]}", f"node {found[1]}")
    elif (found := _LOST.fullmatch(line)) is not None:
        picture.arrow(found[3], f"node {found[1]}", f"node {found[2]}", is_lost=True)
    elif (found := _DOWN.fullmatch(line)) is not None:
        picture.arrow(found[3], f"node {found[2]}", f"node {found[1]}", is_lost=True)
    for pattern, sign, is_end in _MARKS:
        if (found := pattern.fullmatch(line)) is not None:
            picture.mark(f"node {found[1]}", sign.format(*found.groups()[1:]), is_end=is_end)

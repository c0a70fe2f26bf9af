"""What lab 1b asks of the border: methods that read, among several calls in one crossing."""

from collections.abc import Iterator

import pytest

from labs.grader.box import Box
from labs.grader.decoding import MisfitError
from labs.grader.process import WorkerProcess
from labs.grader.remote import OrganRaisedError, RemoteMaker, WrongTypeError, opening_of
from labs.grader.seams import Call, Seam, at_once, drive_on
from labs.grader.submission import Submission
from mq.core.ports import Read, Steps, Write, drive
from mq.sim.disk import SimDisk

SOURCE = b"""
from mq.core.ports import Read

class Shelf:
    def __init__(self):
        self.at = 0

    def move(self, at):
        self.at = at
        return at

    def first(self, size_bytes):
        if size_bytes == 13:
            raise ValueError("no")
        if size_bytes == 0:
            return b"at once"
        data = yield Read("a", self.at, size_bytes)
        return data if size_bytes < 100 else data.decode()

    def second(self, size_bytes):
        return self.first(size_bytes)

    def plain(self, size_bytes):
        return b"x" * size_bytes

    def before(self, size_bytes):
        data = yield Read("a", -size_bytes, 2)
        return data

    def backwards(self, size_bytes):
        return (yield Read("a", 4, -size_bytes))

    def endless(self, size_bytes):
        while True:
            yield Read("a", 0, size_bytes)
"""


class Shelf:
    """What the seam's signatures are read off."""

    at = 0

    def move(self, at: int) -> int:
        """Where reading begins."""
        self.at = at
        return at

    def first(self, size_bytes: int) -> Steps[bytes]:
        """Reads."""
        return (yield Read("a", self.at, size_bytes))

    second = first
    plain = first
    endless = first

    def before(self, size_bytes: int) -> Steps[bytes]:
        """Reads what is before the file."""
        return (yield Read("a", -size_bytes, 2))

    def backwards(self, size_bytes: int) -> Steps[bytes]:
        """Reads less than nothing."""
        return (yield Read("a", 4, -size_bytes))


SEAM = Seam(Shelf, "Shelf", "shelf", methods=("move", "first", "second", "plain", "endless", "before", "backwards"),
            observed=(), classes=(Read,))  # fmt: skip


@pytest.fixture(scope="module")
def maker() -> Iterator[RemoteMaker]:
    with Box("box", Submission({"shelf.py": SOURCE}), ("mq/core/ports.py",)) as box:
        worker = WorkerProcess(box.folder, opening_of(SEAM, "box"))
        yield RemoteMaker(SEAM, worker)
        worker.end()


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.perform(Write("a", 0, b"bread and cake"))
    return disk


def test_what_reads_is_answered_from_the_disk_in_the_same_crossing(maker: RemoteMaker, disk: SimDisk) -> None:
    calls = [Call("first", (5,)), Call("move", (10,)), Call("first", (5,)), Call("second", (2,)), Call("first", (0,))]
    maker.begin()
    assert at_once(maker.make(), calls, disk) == [b"bread", 10, b"cake", b"ca", b"at once"]
    assert len(maker.record) == 1
    assert at_once(Shelf(), calls[:4], disk) == [b"bread", 10, b"cake", b"ca"]


def test_what_is_no_generator_or_never_ends_or_returns_something_else_is_told(maker: RemoteMaker, disk: SimDisk) -> None:
    with pytest.raises(WrongTypeError, match="`plain` is no generator"):
        at_once(maker.make(), [Call("move", (1,)), Call("plain", (3,))], disk)
    with pytest.raises(WrongTypeError, match="`endless` wants to read for ever"):
        at_once(maker.make(), [Call("endless", (3,))], disk)
    with pytest.raises(WrongTypeError, match="`first` returned str, expected bytes"):
        at_once(maker.make(), [Call("first", (100,))], disk)


def test_what_is_raised_while_reading_names_the_call(maker: RemoteMaker, disk: SimDisk) -> None:
    with pytest.raises(OrganRaisedError, match="ValueError: no"):
        at_once(maker.make(), [Call("move", (1,)), Call("first", (13,))], disk)


@pytest.mark.parametrize(("name", "field"), [("before", "at"), ("backwards", "size_bytes")])
def test_a_read_that_no_real_disk_can_answer_is_refused_however_it_is_asked(
    maker: RemoteMaker, disk: SimDisk, name: str, field: str
) -> None:
    """Our files in memory would answer it: to them a negative byte is one that is counted from the end."""
    told = f"something whose `{field}` is -3, expected 0 or more"
    with pytest.raises(WrongTypeError, match=f"`{name}` yielded {told}"):
        at_once(maker.make(), [Call("move", (1,)), Call(name, (3,))], disk)
    with pytest.raises(WrongTypeError, match=f"`{name}` yielded {told}"):
        drive_on(maker.make(), name, disk, 3)
    with pytest.raises(WrongTypeError, match=f"`{name}` yielded {told}"):
        drive(getattr(maker.make(), name)(3), disk)
    for ask in (lambda: at_once(Shelf(), [Call(name, (3,))], disk), lambda: drive_on(Shelf(), name, disk, 3)):
        with pytest.raises(MisfitError, match=f"{field} is -3, expected 0 or more"):
            ask()

"""A disk that is slow: a snapshot came and took the place of the log, and what was decided before that leaves only now."""

import pytest

from mq.sim.group.book import Book
from mq.sim.group.judge import Judge, judge, read_lines
from mq.sim.group.watch import ViolationError
from mq.sim.group.world import GroupWorld
from tools.killers import class_of

THREE = ("1", "2", "2"), ("x0", "x1", "x2")


def book_of_three() -> Book:
    """With three entries on the disk, and a vote on its way there."""
    book = Book("n3")
    book.append(0, *THREE, 1)
    book.save(1, 2, "-", 3)
    book.append(3, (), (), 2)
    return book


def test_a_log_on_the_disk_is_the_old_one_until_the_one_behind_the_snapshot_is_there() -> None:
    book = book_of_three()
    book.append(2, (), (), 3)
    book.reset(2, 3)
    assert (book.last, book.installed, book.term_at(2)) == (2, 2, 3)
    assert book.has_durable(3, 2)
    assert not book.has_durable(2, 3)
    book.save(2, 4, "n3", 3)  # an older one, by itself
    assert book.has_durable(3, 2)
    assert not book.has_durable(2, 3)
    book.save(3, 4, "n3", 2)
    assert not book.has_durable(3, 2)
    assert book.has_durable(2, 3)


def test_what_is_behind_a_second_snapshot_waits_for_its_own_save() -> None:
    book = book_of_three()
    for index, sequence in ((5, 3), (9, 4)):
        book.append(index, (), (), sequence)
        book.reset(index, 3)
    for sequence, durable in ((2, (3, 2)), (3, (5, 3)), (4, (9, 3))):
        book.save(sequence, 4, "n3", durable[0])
        assert [at for at in ((3, 2), (5, 3), (9, 3)) if book.disk_term_at(at[0]) == at[1]] == [durable]


BEGINS = """\
0000000000ms  n3    start   term=3 vote=- first=1 last=3 last_term=2 snapshot=0 members=1,2,3
0000000001ms  n3    role    role=candidate term=4 leader=-
0000000001ms  n3    append  after=3 terms=- bodies=- sequence=1
0000000001ms  n3    vote    term=4 for=3
0000000002ms  n3    append  after=2 terms=- bodies=- sequence=2
"""
ASKS = """\
0000000003ms  n3    save    sequence=2 term=4 vote=3 durable=2
0000000003ms  n3    send    id=1 kind=vote-request to=n1 term=4 last_index=3 last_term=2 pre=0 transfer=0
"""


@pytest.mark.parametrize("is_installed", [True, False])
def test_the_judge_knows_it_too(is_installed: bool) -> None:
    """In between its log begins anew behind entry 2, or only a shorter one is on its disk."""
    found = Judge()
    for event in read_lines(BEGINS):
        found.observe(event)
    if is_installed:
        found.book("n3").reset(2, 3)
    saves, asks = read_lines(ASKS)
    found.observe(saves)
    if is_installed:
        found.observe(asks)
    else:
        with pytest.raises(ViolationError, match="asks for a log that ends with entry 3 of term 2"):
            found.observe(asks)


@pytest.mark.sim
def test_an_answer_that_waited_for_the_disk_may_be_about_what_a_snapshot_stands_for_by_now() -> None:
    """In seed 13861 a disk takes a second; meanwhile a snapshot comes, and the log begins anew in memory, not yet on the disk.

    And the snapshot that the node took itself is durable only when the newer one is installed.
    """
    world = GroupWorld(13861, make=class_of("right", "eager"))
    assert judge(world.run().events()) is None
    assert world.met()["snapshots installed"] > 0

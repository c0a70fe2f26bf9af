"""What all rules of the judge share: a book for each node, what each was told, and how a broken rule is told."""

from typing import NoReturn

from mq.sim.group.book import Book
from mq.sim.group.judge_heard import Heard, Post
from mq.sim.group.watch import Violation, ViolationError
from mq.sim.trace import Event

__all__ = ["JudgeBase", "is_majority"]


def is_majority(some: int, voters: tuple[str, ...]) -> bool:
    """Whether so many of them decide. Of nobody, nobody does."""
    return 2 * some > len(voters)


class JudgeBase:
    """number, now: the event that is judged. floor: the newest entry that a client knows of. post: the messages."""

    def __init__(self) -> None:
        self.number = self.floor = 0
        self.now = Event(0, "-", "start", {})
        self.post = Post()
        self._books: dict[str, Book] = {}
        self._heard: dict[str, Heard] = {}

    def book(self, node: str) -> Book:
        """Of a node."""
        if node not in self._books:
            self._books[node] = Book(node)
        return self._books[node]

    def heard(self, node: str) -> Heard:
        """What this node was told in this life."""
        if node not in self._heard:
            self._heard[node] = Heard()
        return self._heard[node]

    @property
    def books(self) -> tuple[Book, ...]:
        """Of all nodes that were ever started."""
        return tuple(book for book in self._books.values() if book.is_known)

    def fail(self, promise: str, section: str, one: str, other: str) -> NoReturn:
        """Raises: ViolationError."""
        raise ViolationError(Violation(promise, (one, other), section, self.number, self.now.at_ms))

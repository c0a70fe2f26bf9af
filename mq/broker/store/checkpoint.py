"""The checkpoint of a commit log: what a snapshot remembers of it, so that opening reads only what came later."""

from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error
from zlib import crc32

from mq.core.entry import HardState
from mq.core.errors import DamageError, FormatError
from mq.core.ids import Term

__all__ = ["Checkpoint"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place from which a later recovery may begin: everything before `position` is durable.

    terms: (first index, term) of each run of entries with one term. heads: (base position, index) of each segment
    and the lowest entry that it holds, which is below the one it began with where entries were superseded.
    """

    position: int
    next_index: int
    hard_state: HardState
    terms: tuple[tuple[int, int], ...]
    heads: tuple[tuple[int, int], ...]

    def to_bytes(self) -> bytes:
        """With version and checksum: version u8, position, next index, term, vote + 1 (0: none), number of terms, pairs."""
        state = self.hard_state
        numbers = [self.position, self.next_index, state.term, 0 if state.vote is None else state.vote + 1, len(self.terms)]
        numbers += [number for pair in self.terms + self.heads for number in pair]
        body = Struct(f"<B{len(numbers)}Q").pack(_VERSION, *numbers)
        return body + crc32(body).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint":
        """Raises: DamageError, FormatError."""
        body, checksum = data[:-4], int.from_bytes(data[-4:], "little")
        if not body or crc32(body) != checksum:
            raise DamageError("checkpoint", 0, "the checkpoint of the commit log is damaged")
        if body[0] != _VERSION:
            raise FormatError(f"checkpoint version {body[0]} is not known to this program (it knows {_VERSION})")
        try:
            position, next_index, term, vote, runs, *rest = Struct(f"<{(len(body) - 1) // 8}Q").unpack(body[1:])
            pairs = tuple(zip(rest[::2], rest[1::2], strict=True))
        except (struct_error, ValueError) as error:
            raise DamageError("checkpoint", 0, f"the checkpoint of the commit log is damaged: {error}") from error
        return cls(position, next_index, HardState(Term(term), vote - 1 if vote else None), pairs[:runs], pairs[runs:])

"""The arithmetic of majorities, also of two at once. Pure numbers: no log, no network, no time.

Paper: Raft, sections 5.2 and 6.
"""

from collections.abc import Callable, Collection, Mapping

__all__ = ["has_majority", "is_won", "majority", "quorum_value"]


def majority(count: int) -> int:
    """The smallest number of voters so that any two groups of this size share one. 1 of 1, 2 of 3, 3 of 4, 3 of 5."""
    return count // 2 + 1


def has_majority(voters: Collection[int], is_for: Callable[[int], bool]) -> bool:
    """Whether a majority of the voters is for it. False without voters."""
    return sum(1 for voter in voters if is_for(voter)) >= majority(len(voters))


def quorum_value(voters: Collection[int], value_of: Callable[[int], int]) -> int:
    """The highest value that a majority of the voters has reached. 0 without voters.

    Sorted from the highest, it is the one that stands at the majority's place.
    """
    if not voters:
        return 0
    values = sorted(map(value_of, voters), reverse=True)
    return values[majority(len(values)) - 1]


def is_won(voters: Collection[int], votes: Mapping[int, bool]) -> bool | None:
    """True: won. False: it cannot be won any more. None: open. votes: by voter, of those who answered."""
    needed = majority(len(voters))
    if sum(1 for voter in voters if votes.get(voter) is True) >= needed:
        return True
    if sum(1 for voter in voters if votes.get(voter) is not False) < needed:
        return False
    return None

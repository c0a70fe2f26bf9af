"""The Rafts that schedules are tried on: five wrong ones, each with one mistake, and five right ones that differ."""

from collections.abc import Mapping
from dataclasses import dataclass

from labs.stage3_raft.right.eager import Raft as Eager
from labs.stage3_raft.right.lazy import Raft as Lazy
from labs.stage3_raft.right.plain import Raft as Plain
from labs.stage3_raft.right.saving_up import Raft as SavingUp
from labs.stage3_raft.wrong.figure8 import Raft as Figure8
from labs.stage3_raft.wrong.no_log_check import Raft as NoLogCheck
from labs.stage3_raft.wrong.read_before_own_commit import Raft as ReadBeforeOwnCommit
from labs.stage3_raft.wrong.vote_before_fsync import Raft as VoteBeforeFsync
from labs.stage3_raft.wrong.votes_for_everyone import Raft as VotesForEveryone
from mq.raft.node import RaftNode

__all__ = ["OURS", "RIGHT", "TO_KILL", "ToKill"]

OURS = "ours"
"""The right Raft that the wrong ones are made of."""

RIGHT: Mapping[str, type[RaftNode]] = {
    f"{OURS}, of which the wrong ones are made": RaftNode,
    "eager, which tells of each commit at once": Eager,
    "lazy, which sends fewer heartbeats and waits longer": Lazy,
    "plain, which sends one request at a time and takes no hints": Plain,
    "saving up, which answers once for several requests": SavingUp,
}
"""By how they are called, with what is different."""


@dataclass(frozen=True, slots=True)
class ToKill:
    """A wrong Raft. mistake: in a sentence, without its full stop. section: where the rule stands that it breaks.

    short, tight: so many commands a schedule may have for the points of shortness; ours has two to four fewer than `tight`.
    points: for telling it from right ones, for a broken promise, for `short`, for `tight`.
    """

    name: str
    raft: type[RaftNode]
    mistake: str
    section: str
    short: int
    tight: int
    points: tuple[int, int, int, int]

    @property
    def file(self) -> str:
        """The student's schedule for it."""
        return f"{self.name}.txt"


TO_KILL = (
    ToKill(
        "votes_for_everyone", VotesForEveryone, "it gives its vote in a term to all who ask",
        "Paper: Raft, figure 2, RequestVote 2", 10, 6, (4, 5, 2, 2),
    ),
    ToKill(
        "no_log_check", NoLogCheck, "it votes for whoever asks first, whatever the candidate's log lacks",
        "Paper: Raft, section 5.4.1", 16, 9, (5, 7, 2, 3),
    ),
    ToKill(
        "vote_before_fsync", VoteBeforeFsync, "its vote leaves before it is on its disk",
        'Paper: Raft, figure 2, "before responding to RPCs"', 18, 11, (5, 8, 3, 3),
    ),
    ToKill(
        "read_before_own_commit", ReadBeforeOwnCommit,
        "a new leader answers reads before anything of its own term is committed",
        "Paper: Raft, section 8", 20, 12, (6, 9, 3, 3),
    ),
    ToKill(
        "figure8", Figure8, "a leader commits whatever a quorum has on disk, of whatever term",
        "Paper: Raft, section 5.4.2 and figure 8", 32, 18, (8, 13, 4, 5),
    ),
)  # fmt: skip
"""In the order in which they become harder."""

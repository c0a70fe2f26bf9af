"""Which search a story is of: written in front of its steps, and read from there when it is replayed.

For instance: `# goal: figure8`, then `# core: figure8`, then `# seed: 1`.
"""

import re
from types import FunctionType
from typing import NamedTuple

from mq.raft.node import RaftNode
from mq.sim.explore.scope import Scope
from mq.sim.explore.wrong_cores import LEFT_OUT

__all__ = ["Origin", "rule_of", "scope_words"]

_LINE = re.compile(r"# (goal|core|scope|seed): (.+)")


class Origin(NamedTuple):
    """goal, core: as on the command line; "" where the story does not say. is_tiny: the smaller of the small scopes.

    seed: None where there is none to tell.
    """

    goal: str = ""
    core: str = ""
    is_tiny: bool = False
    seed: int | None = None

    @classmethod
    def of_text(cls, text: str) -> "Origin":
        """From the remarks of a trace; what stands behind its first event is none of them."""
        found = {match[1]: match[2].strip() for line in text.splitlines() if (match := _LINE.fullmatch(line.rstrip()))}
        seed = found.get("seed", "")
        return cls(
            found.get("goal", ""), found.get("core", ""), found.get("scope") == "tiny", int(seed) if seed.isdecimal() else None
        )

    def to_remarks(self) -> list[str]:
        """The lines, without their `#`."""
        lines = [f"goal: {self.goal}", f"core: {self.core}"]
        lines += ["scope: tiny"] if self.is_tiny else []
        return lines + ([f"seed: {self.seed}"] if self.seed is not None else [])

    def to_flags(self) -> str:
        """For the command line."""
        tiny = " --tiny" if self.is_tiny else ""
        seed = f" --seed {self.seed}" if self.seed is not None else ""
        return f"--goal {self.goal} --core {self.core}{tiny}{seed}"


def scope_words(scope: Scope) -> str:
    """What can happen in a search, in a sentence."""
    entries = scope.options.entries_max
    carries = "carries one entry at most" if entries == 1 else "carries as many entries as are wanted"
    full = "; what does not fit is lost, that of the lowest terms first" if scope.is_full_lossy else ""
    counts = (
        _count(scope.proposals, "command of a client", "commands of clients"),
        _count(scope.crashes, "crash", "crashes"),
        _count(scope.heartbeats, "heartbeat", "heartbeats"),
    )
    return (
        f"{scope.nodes} nodes, terms up to {scope.term_max}, {', '.join(counts)}; a message {carries}; "
        f"{scope.in_flight_max} messages at most are under way{full}; what is saved is durable at once; "
        "no pre-vote, and a time-out comes whenever the search wants it"
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number or 'no'} {one if number == 1 else many}"


def rule_of(make: type[RaftNode]) -> str:
    """What a wrong Raft lacks, in words, or what it says of itself; "" for ours."""
    if make in LEFT_OUT:
        return f"the rule that this Raft lacks: {LEFT_OUT[make]}"
    own = make.__doc__ if "__doc__" in vars(make) and make is not RaftNode else None
    if own and "see above" in own.lower():
        file = next((method.__globals__ for method in vars(make).values() if isinstance(method, FunctionType)), {})
        own = str(file.get("__doc__") or "").partition("\n\n")[0]
    said = " ".join((own or "").split())
    return f"what this Raft says of itself: {said}" if said else ""

"""What a test has to meet, or it proves nothing: how it is counted, and what is told when too little of it came."""

from collections import Counter
from collections.abc import Mapping, Sequence

from labs.grader.result import Failure
from labs.grader.suite import Case, Check

__all__ = ["NOT_MET", "counted", "not_met", "poorest"]

NOT_MET = "With your code too little happened in this test to prove anything, though no promise broke"
_WORDS = {
    "looks": "states that were looked at",
    "leaders": "states of a leader",
    "states": "states that were reached",
    "ways": "ways that were tried",
    "read": "answers that could be read",
    "killed": "wrong solutions that your text kills",
    "judged": "texts that were judged",
}
"""Where the word that is counted by says too little. All others are told as they are."""


def counted(met: Mapping[str, int], names: Sequence[str]) -> str:
    """Such as "elections: 3, commits: 12"."""
    return ", ".join(f"{_WORDS.get(name, name)}: {met.get(name, 0)}" for name in names)


def not_met(check: Check, met: Mapping[str, int], count: int) -> Failure | None:
    """Why a test failed in which nothing broke; None when it met all that it must. met: in all its cases; count: of these."""
    lacking = [name for name, least in check.must_meet.items() if met.get(name, 0) < least]
    if not count:
        return Failure(NOT_MET, found="it has no cases")
    if not lacking:
        return None
    where = f"its {count} cases together" if count > 1 else "it"
    return Failure(
        NOT_MET,
        expected=f"any right solution brings {where} to at least {counted(check.must_meet, lacking)}",
        found=f"yours comes to {counted(met, lacking)}: see in a replay how far it gets, and what never happens there",
        section=check.section,
    )


def poorest(check: Check, cases: Sequence[tuple[Case, Counter[str]]]) -> Case | None:
    """Of those that were run, with what each met, the one to look at: it met least of what the test is about."""
    if not cases:
        return None
    return min(cases, key=lambda one: sum(min(one[1][name], least) for name, least in check.must_meet.items()))[0]

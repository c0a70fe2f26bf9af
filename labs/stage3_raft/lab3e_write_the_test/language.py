"""How a student's schedule is read: plain text, line by line, within limits. Nothing of it runs, and nothing of it is a path.

The commands are those of transcripts (`mq.sim.hand.commands`). What is refused here never reaches a Raft: each error names the
line, the word, and what is allowed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from labs.stage3_raft.lab3e_write_the_test.beginning import begun
from labs.stage3_raft.lab3e_write_the_test.lines import LINE_CHARS_MAX, Command, LineError
from mq.core.errors import IllegalArgumentError
from mq.sim.hand.commands import COMMANDS, check, usage
from mq.sim.hand.report import FACTS

__all__ = ["LIMITS", "LOOKS", "Command", "LineError", "Schedule", "parsed"]

LIMITS = {"commands": 60, "looks": 60, "ticks": 200, "entries": 60}
"""Of one schedule, in all. looks: commands in which nothing happens; entries: of `logs` and of `propose`."""
_LINES_MAX, _DIGITS_MAX, _NODES_MAX = 300, 4, 5
LOOKS = ("expect", "log", "status", "members")
"""Commands in which nothing happens."""
_TABLE = {verb: told for verb, told in COMMANDS.items() if verb != "quietly"}
_SAMPLES = ("1", "1:", "1>2", "all", "vote-request", "manual", "on", "pre-vote", "entries-max", "voters", "learners", "a")
"""Words that fit somewhere: so the one that does not fit is found."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a file says, without comments."""

    commands: tuple[Command, ...]

    @property
    def costs(self) -> int:
        """How many commands it has, without those that only look: by this it is long or short."""
        return sum(command.verb not in LOOKS for command in self.commands)

    def text(self, *, with_expectations: bool = True) -> str:
        """For the player: each command in the line in which it stands in the file."""
        lines = [""] * (self.commands[-1].number if self.commands else 0)
        for command in self.commands:
            if with_expectations or command.verb != "expect":
                lines[command.number - 1] = command.text
        return "\n".join(lines)


def parsed(text: str) -> Schedule:
    """Read a file. Raises: LineError."""
    commands: list[Command] = []
    spent: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        said = line.strip()
        if number > _LINES_MAX:
            raise LineError(number, said, f"a file has at most {_LINES_MAX} lines")
        if not said or said.startswith("#"):
            continue
        command = _command(number, said)
        _check_place(command, commands)
        spent += _spends(command)
        for what, most in LIMITS.items():
            if spent[what] > most:
                raise LineError(number, command.text, f"that makes {spent[what]} {what}; a schedule has at most {most} in all")
        commands.append(command)
    return Schedule(begun(commands))


# --- one line


def _command(number: int, said: str) -> Command:
    strange = next((sign for sign in said if not (" " <= sign <= "~" or sign == "\t")), None)
    if strange is not None:
        raise LineError(number, ascii(said)[1:-1], f"{strange!a} is none of the signs of the language, which are those of ASCII")
    if len(said) > LINE_CHARS_MAX:
        raise LineError(number, said, f"it has {len(said)} characters; a line has at most {LINE_CHARS_MAX}")
    verb, *words = said.split()
    command = Command(number, verb, tuple(words))
    why = next(_wrong_with(verb, words), None)
    if why is not None:
        raise LineError(number, command.text, why)
    return command


def _wrong_with(verb: str, words: Sequence[str]) -> Iterator[str]:
    """What is wrong with a command by itself, the gravest first."""
    if verb not in _TABLE:
        note = " (what comes of commands is not written into a schedule)" if verb == "----" else ""
        yield f"{verb!r} is no command{note}; there are: {' '.join(_TABLE)}"
        return
    large = next((word for word in words if verb != "propose" and any(map(_is_long, re.findall(r"\d+", word)))), None)
    if large is not None:
        yield f"{large!r} is too large: a number has at most {_DIGITS_MAX} digits"
    if not _fits(verb, words):
        yield f"{_misfit(verb, words)}; it is written: {usage(verb)}"
    stranger = next((node for node in _nodes_of(verb, words) if not 1 <= int(node) <= _NODES_MAX), None)
    if stranger is not None:
        yield f"there is no node {stranger!r}: the nodes of a group are some of 1 to {_NODES_MAX}"
    if verb == "expect" and words[1] not in FACTS:
        yield f"{words[1]!r} cannot be expected; these can: {' '.join(FACTS)}"
    if verb == "duplicate" and words[-1] == "all":
        yield "'all' is too much: one message at a time is duplicated, as first, last, or a number from 1"


def _is_long(digits: str) -> bool:
    return len(digits) > _DIGITS_MAX


def _fits(verb: str, words: Sequence[str]) -> bool:
    try:
        check(verb, words, _TABLE)
    except IllegalArgumentError:
        return False
    return True


def _misfit(verb: str, words: Sequence[str]) -> str:
    """The word that does not fit, if there is one alone."""
    if "#" in words:
        return "'#' stands within a line, and a comment has a line of its own"
    for place, word in enumerate(words):
        if any(_fits(verb, (*words[:place], sample, *words[place + 1 :])) for sample in _SAMPLES):
            return f"{word!r} does not fit where it stands"
    for place, word in reversed([*enumerate(words)]):
        if _fits(verb, (*words[:place], *words[place + 1 :])):
            return f"{word!r} is a word too many"
    for place in reversed(range(len(words) + 1)):
        if any(_fits(verb, (*words[:place], sample, *words[place:])) for sample in _SAMPLES):
            return f"behind {(verb, *words)[place]!r} a word is missing"
    return f"the words behind {verb!r} do not fit"


def _nodes_of(verb: str, words: Sequence[str]) -> Iterator[str]:
    """The nodes of which a group is made."""
    is_node = verb == "group"
    for word in words if verb in ("group", "change") else ():
        is_node = word in ("voters", "learners") or (is_node and word.isdigit())
        if is_node and word.isdigit():
            yield word


def _spends(command: Command) -> Counter[str]:
    """What it takes of the limits."""
    spent = Counter({"looks" if command.verb in LOOKS else "commands": 1})
    if command.verb == "tick":
        spent["ticks"] = int(command.words[1]) if len(command.words) > 1 else 1
    elif command.verb == "propose":
        spent["entries"] = len(command.words) - 1
    elif command.verb == "logs":
        spent["entries"] = len([*takewhile(str.isdigit, command.words[1:])])
    return spent


def _check_place(command: Command, before: Sequence[Command]) -> None:
    """Raises: LineError when it stands where it means nothing."""
    if not before and command.verb != "group":
        raise LineError(command.number, command.text, f"a schedule begins with `group 1 2 3`, say, not with {command.verb!r}")
    if before and command.verb == "group":
        first = before[0].number
        raise LineError(command.number, command.text, f"there is a 'group' in line {first}; a schedule is about one group")
    if command.verb == "logs" and any(other.verb not in ("group", "logs") for other in before):
        raise LineError(command.number, command.text, "'logs' says with what a node begins; it stands right behind `group`")

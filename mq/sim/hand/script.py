"""The language of transcripts: one verb a line, as `HandGroup` has them. `mq.sim.hand.commands` lists them all.

    campaign 1
    deliver 1>2 vote-request
    propose 1 a b
    drop 1>3 append-request last
    expect 1 commit 3

A transcript is a text file of blocks: commands, a line `----`, and what came of them. A line that begins with `#` explains.
`run` gives the file as it should be; a person reads the difference.
"""

from collections.abc import Callable
from itertools import pairwise

from mq.core.errors import IllegalArgumentError, MqError, StateError
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.sim.group.events import MESSAGE_KINDS
from mq.sim.hand.commands import SWITCHES, check
from mq.sim.hand.group import HandGroup
from mq.sim.hand.report import expect, log_lines, member_lines, status_lines
from mq.sim.raised import raised

__all__ = ["RULE", "Script", "run"]

RULE = "----"
_TICKS_MAX = 10_000
"""Of one command: a thousand of the longest election time-outs, done in a second or two."""


class Script:
    """Runs commands, and collects what comes of them. raft_class: what the nodes are made of."""

    def __init__(self, raft_class: type[RaftNode] = RaftNode) -> None:
        self._raft_class = raft_class
        self._group: HandGroup | None = None
        self._lines: list[str] = []
        self._verbs: dict[str, Callable[[list[str]], None]] = {
            "group": self._begin, "logs": self._give_log, "tick": self._tick, "propose": self._propose,
            "cut": self._cut, "disk": self._disk, "save": self._save, "damage": self._damage, "crash": self._crash,
            "change": self._change, "transfer": self._transfer, "stabilize": self._stabilize, "expect": self._expect,
        }  # fmt: skip

    @property
    def group(self) -> HandGroup:
        """Raises: IllegalArgumentError before the first `group`."""
        if self._group is None:
            raise IllegalArgumentError("begin with: group 1 2 3")
        return self._group

    def do(self, line: str) -> list[str]:
        """One command; returns what came of it. Raises: IllegalArgumentError when it is none, or cannot be done."""
        verb, *words = line.split()
        check(verb, words)
        self._lines = []
        if verb == "quietly":
            self.do(" ".join(words))
            return []
        if verb in self._verbs:
            self._verbs[verb](words)
        elif verb in {"deliver", "drop", "duplicate", "hold", "release"}:
            self._move(verb, words)
        elif verb in {"log", "status", "members"}:
            self._show(verb, [int(word) for word in words])
        elif verb == "heal":
            self.group.heal()
        else:
            getattr(self.group, verb.replace("-", "_"))(int(words[0]))
        return [*self.group.take_lines(), *self._lines]

    # --- verbs with more than a node's number

    def _begin(self, words: list[str]) -> None:
        voters, words = _ids(words)
        learners: list[int] = []
        options: dict[str, int | bool] = {}
        is_manual = False
        while words:
            word, *words = words
            if word == "learners":
                learners, words = _ids(words)
            elif word == "disk":
                is_manual, words = words[0] == "manual", words[1:]
            elif word in SWITCHES:
                options[SWITCHES[word]], words = words[0] == "on", words[1:]
            else:
                options[word.replace("-", "_")], words = int(words[0]), words[1:]
        _check_new(voters, learners)
        settings = RaftOptions(**options)  # type: ignore[arg-type]  # a wrong name is refused by the class itself
        self._group = HandGroup(voters, learners, options=settings, raft_class=self._raft_class)
        for member in self._group.members.values():
            member.is_manual = is_manual

    def _give_log(self, words: list[str]) -> None:
        terms, words = _ids(words[1:], first=words[0])
        facts = {word: int(value) for word, value in zip(words[::2], words[1::2], strict=True)}
        _check_terms(terms[1:], facts.get("term"))
        self.group.member(terms[0])
        self.group.give_log(terms[0], terms[1:], term=facts.get("term"), vote=facts.get("vote"))

    def _tick(self, words: list[str]) -> None:
        count = int(words[1]) if len(words) > 1 else 1
        if not 1 <= count <= _TICKS_MAX:
            raise IllegalArgumentError(f"a command is from 1 to {_TICKS_MAX} ticks, not {count}")
        self.group.tick(int(words[0]), count)

    def _propose(self, words: list[str]) -> None:
        self.group.propose(int(words[0]), *(word.encode() for word in words[1:]))

    def _move(self, verb: str, words: list[str]) -> None:
        way, *rest = words
        kind = next((word for word in rest if word in MESSAGE_KINDS.values()), None)
        which = [word for word in rest if word != kind]
        getattr(self.group, verb)(way, kind, *which)

    def _cut(self, words: list[str]) -> None:
        is_one_way = ">" in words[0]
        one, other = (self.group.member(int(word)).node_id for word in (words[0].split(">") if is_one_way else words))
        if one == other:
            raise IllegalArgumentError(f"node {one} sends nothing to itself")
        self.group.cut(one, other, is_one_way=is_one_way)

    def _disk(self, words: list[str]) -> None:
        self.group.member(int(words[0])).is_manual = words[1] == "manual"

    def _save(self, words: list[str]) -> None:
        save = self.group.save_all if words[1:] == ["all"] else self.group.save
        save(int(words[0]))

    def _damage(self, words: list[str]) -> None:
        self.group.member(int(words[0])).log.is_damaged = True

    def _crash(self, words: list[str]) -> None:
        self.group.crash(int(words[0]), loses_unsaved=words[1:] == ["losing", "unsaved"])

    def _change(self, words: list[str]) -> None:
        voters, rest = _ids(words[2:])
        learners = _ids(rest[1:])[0] if rest else []
        _check_new(voters, learners)
        self.group.change(int(words[0]), voters, learners)

    def _transfer(self, words: list[str]) -> None:
        self.group.transfer(int(words[0]), int(words[1]))

    def _stabilize(self, words: list[str]) -> None:
        self.group.stabilize([self.group.member(int(word)).node_id for word in words])

    def _expect(self, words: list[str]) -> None:
        expect(self.group, int(words[0]), words[1], " ".join(words[2:]))

    def _show(self, verb: str, ids: list[int]) -> None:
        show = {"log": log_lines, "status": status_lines, "members": member_lines}[verb]
        self._lines = show(self.group, ids)


def _ids(words: list[str], first: str = "") -> tuple[list[int], list[str]]:
    """The numbers at the beginning, and the rest. first: one more, in front, which may end in a colon."""
    count = next((place for place, word in enumerate(words) if not word.isdigit()), len(words))
    numbers = [int(word) for word in words[:count]]
    return ([int(first.rstrip(":")), *numbers] if first else numbers), words[count:]


def _check_new(voters: list[int], learners: list[int]) -> None:
    """Raises: IllegalArgumentError unless these numbers can be those of a group."""
    ids = [*voters, *learners]
    if 0 in ids:
        raise IllegalArgumentError("nodes are numbered from 1")
    twice = sorted({node_id for node_id in ids if ids.count(node_id) > 1})
    if twice:
        raise IllegalArgumentError(f"node {twice[0]} is named twice: each is a voter or a learner, once")


def _check_terms(terms: list[int], current: int | None) -> None:
    """Raises: IllegalArgumentError unless a log can hold these. Paper: Raft, section 5.1: terms only rise."""
    if 0 in terms:
        raise IllegalArgumentError("the terms of entries begin at 1")
    for place, (one, other) in enumerate(pairwise(terms), 2):
        if other < one:
            raise IllegalArgumentError(f"terms of a log never fall: entry {place} is of term {other}, the one before it of {one}")
    if current is not None and terms and current < terms[-1]:
        raise IllegalArgumentError(f"a node that holds an entry of term {terms[-1]} is not in term {current}")


def run(text: str, raft_class: type[RaftNode] = RaftNode) -> str:
    """A transcript with what comes of its commands, whatever stood there.

    Raises: StateError naming the line: with what had come of its block, when a command fails or an expectation is not met; and
    when commands have no line `----` behind them, or there are none, so that nothing would be compared.
    """
    script, lines, is_output, outcome = Script(raft_class), list[str](), False, list[str]()
    open_since = 0
    for number, line in enumerate(text.splitlines(), 1):
        if is_output and line:
            continue
        is_output = line == RULE
        lines.append(line)
        if is_output:
            lines += outcome or ["ok"]
            outcome, open_since = [], 0
        elif line.strip() and not line.startswith("#"):
            open_since = open_since or number
            outcome += _done(script, line, number, outcome)
    if open_since:
        raise StateError(
            f"line {open_since}: no line {RULE!r} stands behind the commands from here on, so that nothing would be compared"
        )
    if RULE not in lines:
        raise StateError(f"line 1: there is no command here, and no line {RULE!r}: nothing would be compared")
    return "\n".join(lines) + "\n"


def _done(script: Script, line: str, number: int, before: list[str]) -> list[str]:
    """What came of one command. before: what came of its block so far."""
    try:
        return script.do(line)
    except MqError as error:
        raise StateError("\n".join([f"line {number}, {line!r}: {error}", *before])) from error
    except Exception as error:
        raise StateError("\n".join([f"line {number}, {line!r}: {raised(error)}", *before])) from error

"""The language of transcripts: one verb a line, as `HandGroup` has them. `COMMANDS` lists them all.

    campaign 1
    deliver 1>2 vote-request
    propose 1 a b
    drop 1>3 append-request last
    expect 1 commit 3

A transcript is a text file of blocks: commands, a line `----`, and what came of them. A line that begins with `#` explains.
`run` gives the file as it should be; a person reads the difference.
"""

from collections.abc import Callable

from mq.core.errors import IllegalArgumentError, MqError, StateError
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.sim.group.events import MESSAGE_KINDS
from mq.sim.hand.group import HandGroup
from mq.sim.hand.report import expect, log_lines, member_lines, status_lines

__all__ = ["COMMANDS", "RULE", "Script", "run"]

RULE = "----"

COMMANDS: dict[str, tuple[str, str]] = {
    "group": ("VOTERS [learners IDS] [disk manual] [OPTION VALUE]...", "begin; options are such as `pre-vote off`"),
    "quietly": ("COMMAND", "do it, and tell nothing"),
    "logs": ("ID: TERMS [term N] [vote ID]", "a node begins with a log of entries of these terms"),
    "campaign": ("ID", "its election time-out is over"),
    "tick": ("ID [COUNT]", "time passes for it"),
    "propose": ("ID COMMANDS", "a client asks it for these commands, together"),
    "read": ("ID", "a client asks it for the state as it is now"),
    "deliver": ("WAY [KIND] [first|last|all|N]", "messages arrive; WAY: 1>2, 1>*, *>2 or *>*"),
    "drop": ("WAY [KIND] [WHICH]", "messages are lost"),
    "duplicate": ("WAY [KIND] [WHICH]", "messages will arrive twice"),
    "hold": ("WAY [KIND] [WHICH]", "messages are late: stabilize leaves them alone"),
    "release": ("WAY [KIND] [WHICH]", "they are like all others again"),
    "stabilize": ("[IDS]", "deliver, the oldest first, until nothing is on its way (among these)"),
    "cut": ("ID ID | WAY", "messages between two nodes (or one way) are lost from now on"),
    "isolate": ("ID", "cut a node from all others"),
    "heal": ("", "nothing is cut any more"),
    "disk": ("ID manual|at-once", "when its disk says yes: with save, or at once"),
    "save": ("ID [all]", "its disk says yes to the oldest write, or to all"),
    "save-fails": ("ID", "its disk is full"),
    "disk-fails": ("ID", "its disk cannot be trusted any more"),
    "damage": ("ID", "entries that were durable cannot be read any more; noticed at the next start"),
    "crash": ("ID [losing unsaved]", "the process ends; or the power, and with it what was not saved"),
    "restart": ("ID", "start it from what is on its disk"),
    "snapshot": ("ID", "it saves its state as a snapshot, and lets its log go before that"),
    "change": ("ID voters IDS [learners IDS]", "ask it to change the members"),
    "transfer": ("ID ID", "ask the first to hand over to the second"),
    "log": ("", "show all logs, as rows of terms"),
    "status": ("[IDS]", "show terms, votes, roles, and what a leader knows of its followers"),
    "members": ("", "show the configuration that is in force at each node"),
    "expect": ("ID role|term|vote|leader|commit|applied|log|state VALUE", "stop unless it is so"),
}  # fmt: skip
"""Of each verb its arguments and its meaning."""

_SWITCHES = {"pre-vote": "has_pre_vote", "check-quorum": "has_check_quorum"}


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
        if verb not in COMMANDS:
            raise IllegalArgumentError(f"{verb!r} is no command; there are: {' '.join(COMMANDS)}")
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
            elif word in _SWITCHES:
                options[_SWITCHES[word]], words = words[0] == "on", words[1:]
            else:
                options[word.replace("-", "_")], words = int(words[0]), words[1:]
        settings = RaftOptions(**options)  # type: ignore[arg-type]  # a wrong name is refused by the class itself
        self._group = HandGroup(voters, learners, options=settings, raft_class=self._raft_class)
        for member in self._group.members.values():
            member.is_manual = is_manual

    def _give_log(self, words: list[str]) -> None:
        terms, words = _ids(words[1:], first=words[0])
        facts = {word: int(value) for word, value in zip(words[::2], words[1::2], strict=True)}
        self.group.give_log(terms[0], terms[1:], term=facts.get("term"), vote=facts.get("vote"))

    def _tick(self, words: list[str]) -> None:
        self.group.tick(int(words[0]), int(words[1]) if len(words) > 1 else 1)

    def _propose(self, words: list[str]) -> None:
        self.group.propose(int(words[0]), *(word.encode() for word in words[1:]))

    def _move(self, verb: str, words: list[str]) -> None:
        way, *rest = words
        kind = next((word for word in rest if word in MESSAGE_KINDS.values()), None)
        which = [word for word in rest if word != kind]
        getattr(self.group, verb)(way, kind, *which)

    def _cut(self, words: list[str]) -> None:
        if ">" in words[0]:
            sender, to = words[0].split(">")
            self.group.cut(int(sender), int(to), is_one_way=True)
        else:
            self.group.cut(int(words[0]), int(words[1]))

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
        self.group.change(int(words[0]), voters, learners)

    def _transfer(self, words: list[str]) -> None:
        self.group.transfer(int(words[0]), int(words[1]))

    def _stabilize(self, words: list[str]) -> None:
        self.group.stabilize([int(word) for word in words])

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


def run(text: str, raft_class: type[RaftNode] = RaftNode) -> str:
    """A transcript with what comes of its commands, whatever stood there.

    Raises: StateError naming the line, with what had come of its block, when a command fails or an expectation is not met.
    """
    script, lines, is_output, outcome = Script(raft_class), list[str](), False, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if is_output and line:
            continue
        is_output = line == RULE
        lines.append(line)
        if is_output:
            lines += outcome or ["ok"]
            outcome = []
        elif line and not line.startswith("#"):
            try:
                outcome += script.do(line)
            except MqError as error:
                raise StateError("\n".join([f"line {number}, {line!r}: {error}", *outcome])) from error
    return "\n".join(lines) + "\n"

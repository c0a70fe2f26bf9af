"""The commands of transcripts: of each verb its arguments and its meaning, and whether a line is written like that.

The arguments' own notation is what a line is held against, so that what is told and what is checked cannot differ:
capitals stand for something (`_WORDS`), `[ ]` may be left out, `[ ]...` may come often, `a|b` is one word or the other, and a `|`
between spaces parts two ways to write it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import TypeAlias

from mq.core.errors import IllegalArgumentError
from mq.raft.options import RaftOptions
from mq.sim.group.events import MESSAGE_KINDS

__all__ = ["COMMANDS", "SWITCHES", "Table", "check", "usage"]

Table: TypeAlias = Mapping[str, tuple[str, str]]
"""Of each verb its arguments and its meaning."""

COMMANDS: Table = {
    "group": ("IDS [learners IDS] [disk manual|at-once | SWITCH on|off | OPTION N]...", "begin, with these voters"),
    "quietly": ("COMMAND", "do it, and tell nothing"),
    "logs": ("ID: TERMS [term N] [vote ID]", "a node begins with a log of entries of these terms"),
    "campaign": ("ID", "its election time-out is over"),
    "tick": ("ID [N]", "time passes for it, so many ticks"),
    "propose": ("ID TEXTS", "a client asks it for these commands, together"),
    "read": ("ID", "a client asks it for the state as it is now"),
    "deliver": ("WAY [KIND] [WHICH]", "messages arrive, the first if nothing else is said"),
    "drop": ("WAY [KIND] [WHICH]", "messages are lost"),
    "duplicate": ("WAY [KIND] [WHICH]", "messages will arrive twice"),
    "hold": ("WAY [KIND] [WHICH]", "messages are late, all if nothing else is said: stabilize leaves them alone"),
    "release": ("WAY [KIND] [WHICH]", "they are like all others again"),
    "stabilize": ("[IDS]", "deliver, the oldest first, until nothing is on its way (among these)"),
    "cut": ("ID ID | ID>ID", "messages between two nodes (or one way) are lost from now on, and those on their way"),
    "isolate": ("ID", "cut a node from all others, each way"),
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
    "log": ("[IDS]", "show all logs (or these), as rows of terms"),
    "status": ("[IDS]", "show terms, votes, roles, and what a leader knows of its followers"),
    "members": ("[IDS]", "show the configuration that is in force at each node"),
    "expect": ("ID FACT VALUE", "stop unless it is so"),
}

SWITCHES = {"pre-vote": "has_pre_vote", "check-quorum": "has_check_quorum"}
_OPTIONS = [field.name.replace("_", "-") for field in fields(RaftOptions) if field.name not in SWITCHES.values()]

_ID, _SOME = r"\d+", r"\d+(?: \d+)*"
_WORDS: dict[str, tuple[str, str]] = {
    "ID": (_ID, "a node's number"),
    "IDS": (_SOME, "nodes' numbers"),
    "N": (_ID, "a number"),
    "TERMS": (_SOME, "a term for each entry"),
    "TEXTS": (r"\S+(?: \S+)*", "one word or more"),
    "COMMAND": (r"\S.*", "any other command"),
    "WAY": (r"(?:\d+|\*)>(?:\d+|\*)", "from whom to whom, as in 1>2, 1>*, *>2 or *>*"),
    "ID>ID": (r"\d+>\d+", "as in 1>2"),
    "KIND": ("|".join(MESSAGE_KINDS.values()), " ".join(MESSAGE_KINDS.values())),
    "WHICH": (r"first|last|all|[1-9]\d*", "first, last, all or a number from 1"),
    "FACT": (r"\S+", "role, term, vote, leader, commit, applied, log, state or members"),
    "VALUE": (r"\S.*", "what it must be"),
    "SWITCH": ("|".join(SWITCHES), " or ".join(SWITCHES)),
    "OPTION": ("|".join(_OPTIONS), ", ".join(_OPTIONS)),
}
"""Of each word in capitals what it may be, and how that is told."""


@cache
def _pattern(arguments: str) -> re.Pattern[str]:
    """Of a line without its verb, each word with a space in front."""
    parts = []
    for word in arguments.replace("[", "[ ").replace("]", " ]").split():
        bare = word.rstrip(":")
        if word == "[":
            parts.append("(?:")
        elif word in {"]", "]..."}:
            parts.append(")*" if word.endswith("...") else ")?")
        elif word == "|":
            parts.append("|")
        else:
            parts.append(f" (?:{_WORDS[bare][0] if bare in _WORDS else bare}){word[len(bare) :]}")
    return re.compile("".join(parts))


def usage(verb: str, table: Table = COMMANDS) -> str:
    """How it is written, in a line for people."""
    arguments, meaning = table[verb]
    told = "; ".join(f"{word}: {_WORDS[word][1]}" for word in _WORDS if word in re.findall(r"ID>ID|[A-Z]+", arguments))
    return f"{verb} {arguments}".rstrip() + f" - {meaning}" + (f". {told}" if told else "")


def check(verb: str, words: Sequence[str], table: Table = COMMANDS) -> None:
    """Raises: IllegalArgumentError unless it is a command of the table, and is written as it should be."""
    if verb not in table:
        raise IllegalArgumentError(f"{verb!r} is no command; there are: {' '.join(table)}")
    if _pattern(table[verb][0]).fullmatch("".join(f" {word}" for word in words)) is None:
        raise IllegalArgumentError(f"it is written: {usage(verb, table)}")

"""The words of a drawing: short labels for messages, and whole sentences for those who point at one.

The kinds and details are those of `mq.sim.group.events`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from mq.sim.trace import Event, Value

__all__ = ["flag", "members_text", "message_label", "message_sentence", "name_of", "numbers", "pairs_text", "short_body"]

_BODY_LETTERS_MAX = 6


def name_of(value: Value) -> str:
    """The name of a node that a detail speaks of: ids are numbers, names begin with `n`."""
    return f"n{value}" if str(value).isdigit() else str(value)


def flag(value: Value) -> bool:
    """A detail that is yes or no."""
    return str(value).lower() in {"1", "true", "yes"}


def numbers(value: Value) -> tuple[int, ...]:
    """A list such as `3,3,4`; `-` when it is empty."""
    return () if str(value) in {"-", ""} else tuple(int(part) for part in str(value).split(","))


def short_body(event: Event) -> str:
    """The checksum that stands for a client's command, cut to what tells commands apart."""
    return str(event.details.get("body", ""))[:_BODY_LETTERS_MAX]


def message_label(send: Event) -> str:
    """What is written at a message's line."""
    kind = send.text("kind")
    return _LABELS[kind](send.details) if kind in _LABELS else kind


def message_sentence(send: Event, fate: str) -> str:
    """What a message says, and what became of it."""
    kind = send.text("kind")
    meaning = _MEANINGS[kind](send.details) if kind in _MEANINGS else kind
    return f"{send.node} to {name_of(send.details['to'])}, term {send.details['term']}: {meaning}\n{fate}"


_Details: TypeAlias = Mapping[str, Value]


def _vote_request_label(details: _Details) -> str:
    return f"{'pre-vote' if flag(details['pre']) else 'vote'}? T{details['term']}"


def _vote_reply_label(details: _Details) -> str:
    return ("pre-" if flag(details["pre"]) else "") + ("yes" if flag(details["granted"]) else "no")


def _append_request_label(details: _Details) -> str:
    names = _entry_names(details)
    return f"entries {names[0]}-{names[-1]}" if len(names) > 1 else f"entry {names[0]}" if names else "heartbeat"


def _entry_names(details: _Details) -> list[str]:
    """Index and term of each entry of a request."""
    first = int(details["previous_index"]) + 1
    return [f"{index}.{term}" for index, term in enumerate(numbers(details["terms"]), first)]


def _append_reply_label(details: _Details) -> str:
    if flag(details["matching"]):
        return f"ok {details['match']}"
    return f"no, try {details['hint_index']}" if int(details["rejected"]) else f"no, now T{details['term']}"


def _snapshot_request_label(details: _Details) -> str:
    at = int(details["at"])
    part = (", end" if flag(details["is_last"]) else f" from {at} B") if at else ""
    return f"snapshot {details['index']}{part}"


def _snapshot_reply_label(details: _Details) -> str:
    return f"has {details['index']}" if flag(details["installed"]) else f"got {details['received']} B"


_LABELS: dict[str, Callable[[_Details], str]] = {
    "vote-request": _vote_request_label,
    "vote-reply": _vote_reply_label,
    "append-request": _append_request_label,
    "append-reply": _append_reply_label,
    "snapshot-request": _snapshot_request_label,
    "snapshot-reply": _snapshot_reply_label,
    "timeout-now": lambda _: "campaign now",
}


def _vote_request(details: _Details) -> str:
    asked = "would you vote for me" if flag(details["pre"]) else "vote for me"
    why = ", my leader told me to campaign" if flag(details["transfer"]) else ""
    return f"{asked}? My last entry is {details['last_index']} of term {details['last_term']}{why}"


def _vote_reply(details: _Details) -> str:
    would = ("I would vote for you", "I would not vote for you")
    does = ("my vote is yours", "no vote for you")
    return (would if flag(details["pre"]) else does)[not flag(details["granted"])]


def _append_request(details: _Details) -> str:
    place = f"entry {details['previous_index']} of term {details['previous_term']}"
    names = ", ".join(_entry_names(details))
    asked = f"put {names} (index.term) behind {place}" if names else f"heartbeat; do you have {place}?"
    return f"{asked}; committed is {details['commit']}"


def _append_reply(details: _Details) -> str:
    if flag(details["matching"]):
        return f"my log is like yours up to {details['match']}, and that is durable"
    if not int(details["rejected"]):  # entry 0 is in every log: it is the term that is refused
        return f"no: you lead an older term than mine, which is {details['term']}"
    hint = f"entry {details['hint_index']} of term {details['hint_term']}"
    return f"entry {details['rejected']} is missing here or of another term; try behind {hint}"


def _snapshot_request(details: _Details) -> str:
    last = " (the end of it)" if flag(details["is_last"]) else ""
    state = f"the state behind entry {details['index']} of term {details['snapshot_term']}"
    return f"{details['size']} bytes of {state}, from byte {details['at']} on{last}"


def _snapshot_reply(details: _Details) -> str:
    done = "it is installed" if flag(details["installed"]) else f"{details['received']} bytes are here"
    return f"snapshot behind entry {details['index']}: {done}"


_MEANINGS: dict[str, Callable[[_Details], str]] = {
    "vote-request": _vote_request,
    "vote-reply": _vote_reply,
    "append-request": _append_request,
    "append-reply": _append_reply,
    "snapshot-request": _snapshot_request,
    "snapshot-reply": _snapshot_reply,
    "timeout-now": lambda _: "you are as far as I am; campaign at once",
}


def members_text(event: Event) -> str:
    """Who belongs to the group: voters, in a joint configuration the old ones behind a stroke, and learners."""
    voters, old, learners = (_names(event.details.get(key, "-")) for key in ("voters", "old", "learners"))
    return voters + (f" | {old}" if old else "") + (f" +learner {learners}" if learners else "")


def _names(value: Value) -> str:
    return "" if str(value) == "-" else " ".join(name_of(part) for part in str(value).split(","))


def pairs_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Ways between nodes: both ways as `n1 ↔ n2`, one way as `n1 → n2`."""
    left = list(dict.fromkeys(pairs))
    words: list[str] = []
    while left:
        sender, to = left.pop(0)
        if (to, sender) in left:
            left.remove((to, sender))
            words.append(f"{min(sender, to)} ↔ {max(sender, to)}")
        else:
            words.append(f"{sender} → {to}")
    return ", ".join(sorted(words))

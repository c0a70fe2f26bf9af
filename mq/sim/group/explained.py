"""What a trace's lines and details mean, in words: `docs/traces.md` is made from this and from `mq.sim.group.events`.

`.venv/bin/python -m mq.sim.group.explained` prints the tables that stand in that page.
"""

import sys
from collections.abc import Iterable, Mapping

from mq.sim.group.events import GROUP_EVENTS, MESSAGE_DETAILS
from mq.sim.trace import EVENTS

__all__ = ["DETAILS", "explanation_of", "main", "tables"]

DETAILS: dict[str, str] = {
    "after": "the index behind which the entries stand; what stood there before is superseded",
    "answer index": "the state that was shown is the one behind this entry",
    "append terms": "of the entries, in order; `-`: no entries, only term and vote are to be saved",
    "apply term": "the entry's: it may be older than that of the `commit` before it",
    "at": "from which byte of the snapshot on",
    "bodies": "of the entries, in order: a checksum of what each holds",
    "body": "a checksum of what the entry holds; `x00000000` is the checksum of nothing, so a noop",
    "commit": "so far entries are committed, as the leader knows",
    "commit term": "the term that the **node** is in; the entry itself may be of an older one",
    "definite": "1: there was no room, and the append is taken back; 0: nobody knows what is on the disk, and the node is mute",
    "done term": "the entry's",
    "durable": "the last index of the log that is durable now",
    "first": "the first index that the log holds; what stood before is in a snapshot",
    "floor": "the newest entry that any client knew of when this one asked: an answer from before it would be stale",
    "for": "the number of the node that gets it",
    "granted": "1: yes, 0: no",
    "hint_index": "of a refusal: the follower's last entry that may agree with the leader's log; it goes on behind that",
    "hint_term": "the term of that entry",
    "id": "the message's number: its `send`, `receive` and `lose` have the same one",
    "index": "the entry's place in the log, from 1",
    "installed": "1: the state is in place, 0: parts are missing",
    "is_last": "1: no further part follows",
    "kept": "so many appends that were not durable arrived on the disk all the same",
    "kind": "see the messages below",
    "last": "the last index of the log",
    "last_index": "of the candidate's last entry",
    "last_term": "of that last entry",
    "leader": "whom the node follows; `-`: it knows no leader in this term",
    "learners": "nodes that copy the log and have no vote; `-`: none",
    "lost": "so many appends were lost with the power",
    "match": "the logs are equal up to this index, and that is durable",
    "matching": "1: the follower's log agrees where the leader's entries begin, and took them; 0: refused",
    "members": "the voters that the node knows of",
    "ms": "milliseconds more for each sync",
    "old": "while members change: the voters before the change; `-`: no change is under way",
    "percent": "100 is right; 300: its time-outs come after a third of their time",
    "pre": "1: only asked whether, or said that, one would (pre-vote)",
    "previous_index": "the entry that stands before the new ones, and that the follower must have",
    "previous_term": "its term",
    "proposed term": "the entry's",
    "received": "so many bytes of it are here",
    "rejected": "of a refusal: the entry that the follower lacks, or has of another term; 0: the leader's *term* is older",
    "request": "the client's name for what it asked, such as `c2-17`; it asks again under the same name",
    "role": "`follower`, `pre-candidate`, `candidate`, `leader`, or `mute` (its disk failed or is damaged: it is silent)",
    "round": "the number of a round of heartbeats; an answer names the round that it answers, and reads wait for one",
    "sender": "who sent it; of a cut or a hold: from whom",
    "sequence": "the append's number in this life of the node, from 1; a `save` of 7 makes all up to the 7th durable",
    "size": "so many bytes",
    "snapshot": "the newest snapshot stands for the entries up to this one; 0: there is none",
    "snapshot_term": "the term of the last entry that the snapshot stands for",
    "term": "of a node or a message: that the node is in, or asks about in a pre-vote; of an entry: the one it was made in",
    "terms": "of the entries, in order; `-`: no entries, a heartbeat",
    "to": "to whom",
    "transfer": "1: the leader asked for this campaign, so that followers do not protect the leader from it",
    "vote": "the number of the node that has this node's vote in this term; `-`: none",
    "voters": "the nodes that have a vote",
    "why": "`chance`: drawn by the seed; `cut`: no way through; `full`: in a search, more were under way than its network holds",
}
"""By the detail's name; where it means something else for one event or kind of message, by that one and the name."""


def explanation_of(where: str, detail: str) -> str:
    """Of a detail of this event or kind of message. Raises: KeyError when nobody wrote one."""
    return DETAILS.get(f"{where} {detail}") or DETAILS[detail]


def _events(events: Mapping[str, tuple[str, str]]) -> Iterable[str]:
    yield "| event | what happened | its details |"
    yield "|---|---|---|"
    for name, (meaning, details) in events.items():
        yield f"| `{name}` | {meaning} | {' '.join(f'`{detail}`' for detail in details.split()) or '-'} |"


def _messages() -> Iterable[str]:
    yield "| kind | its details, behind `id`, `kind`, `to` and `term` |"
    yield "|---|---|"
    for kind, details in MESSAGE_DETAILS.items():
        yield f"| `{kind}` | {' '.join(f'`{detail}`' for detail in details.split()) or '-'} |"


def _details() -> Iterable[str]:
    yield "| detail | what it says |"
    yield "|---|---|"
    for name, meaning in sorted(DETAILS.items(), key=lambda item: (item[0].split()[-1], " " in item[0])):
        where, _, detail = name.rpartition(" ")
        yield f"| `{detail}`{f' of `{where}`' if where else ''} | {meaning} |"


def tables() -> dict[str, str]:
    """By heading: each table of the page, as Markdown."""
    return {
        "The events of a Raft group": "\n".join(_events(GROUP_EVENTS)),
        "What a message says": "\n".join(_messages()),
        "The details": "\n".join(_details()),
        "The events of a single broker": "\n".join(_events(EVENTS)),
    }


def main() -> None:
    """Print the tables."""
    for heading, table in tables().items():
        sys.stdout.write(f"## {heading}\n\n{table}\n\n")


if __name__ == "__main__":
    main()

"""What the sentences of this lab look at: a node whose disk says yes only when it is told to, and what it said meanwhile."""

from collections.abc import Callable, Sequence

from labs.stage3_raft.lone import Bench, Lone, of_kind
from mq.raft.messages import AppendReply, Message, VoteReply

__all__ = [
    "acknowledged", "answered", "disk_fails", "propose", "save_one", "saves_fail", "says_nothing", "sent_while",
    "with_slow_disk",
]  # fmt: skip


def with_slow_disk(node: Lone) -> Lone:
    """From now on its disk is at work until it is told to be done."""
    node.member.is_manual = True
    return node


# --- what happens to it; each returns what it sends


def sent_while(node: Lone, do: Callable[[], None]) -> list[Message]:
    """What it sends while something is done."""
    node.group.flights.clear()
    do()
    sent = [flight.message for flight in node.group.flights if flight.message.sender == 1]
    node.group.flights.clear()
    return sent


def save_one(node: Lone) -> list[Message]:
    """Its disk is done with the oldest write, if one waits."""
    return sent_while(node, lambda: node.group.save(1)) if node.member.log.waiting else []


def saves_fail(node: Lone) -> list[Message]:
    """There is no room for anything that waits."""
    return sent_while(node, lambda: node.group.save_fails(1))


def disk_fails(node: Lone) -> list[Message]:
    """Its disk cannot be trusted any more."""
    return sent_while(node, lambda: node.group.disk_fails(1))


def propose(node: Lone, *payloads: bytes) -> list[Message]:
    """Clients want something of it."""
    return sent_while(node, lambda: node.group.propose(1, *payloads))


# --- what is seen of it


def acknowledged(sent: Sequence[Message]) -> int:
    """The last entry that it says it has: one answer may speak for many requests."""
    return max((reply.match_index for reply in of_kind(sent, AppendReply) if reply.is_matching), default=0)


def answered(bench: Bench, sent: Sequence[Message], to: int) -> VoteReply:
    """What a candidate was answered; the same more than once is the same. Raises: PromiseBrokenError."""
    replies = {reply for reply in of_kind(sent, VoteReply) if reply.to == to}
    bench.see(len(replies) == 1, f"the request of node {to} is answered", f"the answers are {sorted(replies) or 'none'}")
    return replies.pop()


def says_nothing(bench: Bench, sent: Sequence[Message], *, because: str) -> None:
    """Raises: PromiseBrokenError."""
    kinds = sorted({type(message).__name__ for message in sent})
    bench.see(not sent, f"{because}: it says nothing", f"it sent {len(sent)} messages: {', '.join(kinds)}")

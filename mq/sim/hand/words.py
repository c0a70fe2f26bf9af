"""Messages, entries and logs as a person reads them. An entry is written `index@term`, so `4@2` is entry 4, of term 2."""

from collections.abc import Iterable, Sequence

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.ids import EntryId
from mq.raft.configuration import Configuration
from mq.raft.messages import (
    AppendReply,
    AppendRequest,
    Message,
    SnapshotReply,
    SnapshotRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from mq.sim.group.events import MESSAGE_KINDS
from mq.sim.hand.hand_log import Waiting

__all__ = ["configuration_text", "entries_text", "id_text", "kind_of", "message_text", "table", "waiting_text"]


def kind_of(message: Message) -> str:
    """The word for its kind."""
    return MESSAGE_KINDS[type(message)]


def id_text(entry: EntryId) -> str:
    """Such as `4@2`; `the start` for the place before the first entry."""
    return f"{entry.index}@{entry.term}" if entry.index else "the start"


def configuration_text(configuration: Configuration) -> str:
    """Such as `voters 1 2 4, leaving 1 2 3, learners 5`."""
    text = f"voters {_ids(configuration.voters)}"
    if configuration.old_voters:
        text += f", leaving {_ids(configuration.old_voters)}"
    if configuration.learners:
        text += f", learners {_ids(configuration.learners)}"
    return text


def _ids(ids: Iterable[int]) -> str:
    return " ".join(map(str, ids))


def _entry_text(entry: Entry) -> str:
    place = f"{entry.index}@{entry.term}"
    if entry.kind == EntryKind.NOOP:
        return f"{place} no-op"
    if entry.kind == EntryKind.CONFIGURATION:
        return f"{place} ({configuration_text(Configuration.from_bytes(entry.payload))})"
    return f"{place} {entry.payload.decode()}".rstrip()


def entries_text(entries: Sequence[Entry]) -> str:
    """Such as `4@2 a, 5@2 b`; `nothing` without entries."""
    return ", ".join(map(_entry_text, entries)) or "nothing"


def _hard_state_text(hard_state: HardState) -> str:
    return f"term {hard_state.term}, " + ("no vote" if hard_state.vote is None else f"vote for {hard_state.vote}")


def waiting_text(waiting: Waiting) -> str:
    """What a save brings to the disk."""
    parts = []
    if waiting.is_reset:
        parts.append(f"a log that begins behind {waiting.after}")
    if waiting.entries:
        gone = "" if waiting.superseded_to is None else f" in place of all from {waiting.entries[0].index} on"
        parts.append(entries_text(waiting.entries) + gone)
    if waiting.hard_state is not None:
        parts.append(_hard_state_text(waiting.hard_state))
    return "; ".join(parts)


def message_text(message: Message) -> str:
    """Kind and content, without sender and receiver."""
    return f"{kind_of(message)} {_content(message)}".rstrip()


def _content(message: Message) -> str:
    match message:
        case VoteRequest() | VoteReply():
            return _vote_text(message)
        case AppendRequest():
            what = f"term {message.term}, behind {id_text(message.previous)}: {entries_text(message.entries)}"
            return f"{what}; commit {message.commit_index}, round {message.round}"
        case AppendReply():
            return f"term {message.term}, {_agreement(message)}"
        case SnapshotRequest() | SnapshotReply():
            return _snapshot_text(message)
        case TimeoutNow():
            return f"term {message.term}"


def _vote_text(message: VoteRequest | VoteReply) -> str:
    """A pre-vote's term has a question mark: nobody has entered it."""
    term = f"term {message.term}{'?' if message.is_pre_vote else ''}"
    if isinstance(message, VoteRequest):
        return f"{term}, my log ends with {id_text(message.last)}{', the leader wants it' if message.is_transfer else ''}"
    return f"{term}, {'would ' if message.is_pre_vote else ''}{'yes' if message.is_granted else 'no'}"


def _snapshot_text(message: SnapshotRequest | SnapshotReply) -> str:
    if isinstance(message, SnapshotRequest):
        what = f"bytes {message.at} to {message.at + len(message.data)}{', the last' if message.is_last else ''}"
        return f"term {message.term}, state behind {id_text(message.snapshot.last)}: {what}"
    how_far = "it is installed" if message.is_installed else f"{message.received_bytes} bytes are here"
    return f"term {message.term}, state behind {id_text(message.last)}: {how_far}"


def _agreement(message: AppendReply) -> str:
    if message.is_matching:
        return f"durable and equal up to {message.match_index}, round {message.round}"
    if message.rejected_index == 0:
        return "no"
    hint = id_text(message.hint)
    return f"no, I lack what is before: {message.rejected_index} does not match, {hint} may; round {message.round}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words, in columns."""
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(max(map(len, rows)))]
    return [" ".join(f"{word:<{width}}" for word, width in zip(row, widths, strict=False)).rstrip() for row in rows]

"""The events of a group's trace: what each line means and which details it has, in their order.

The columns are those of `mq.sim.trace`: virtual time, node, event, details as `key=value`. Real clusters write the same
lines, so that drawings and `mq.sim.group.judge` serve them, too. Lists hold no blanks: `terms=3,3,4`, and `-` when empty.
Bodies are told apart by a checksum: an `x` and eight hexadecimal digits.
"""

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

__all__ = ["GROUP_EVENTS", "MESSAGE_DETAILS", "MESSAGE_KINDS"]

GROUP_EVENTS: dict[str, tuple[str, str]] = {
    # --- one node
    "start": ("a node starts or starts again", "term vote first last last_term snapshot members"),
    "role": ("the node has another role or term, or knows another leader", "role term leader"),
    "vote": ("the node gave its vote, in memory", "term for"),
    "append": ("entries were put into the log behind an index, superseding what stood there", "after terms bodies sequence"),
    "save": ("the disk says that appends up to this one are durable", "sequence term vote durable"),
    "save-failed": ("the disk did not take an append", "sequence definite"),
    "members": ("another configuration is in force on the node from now on", "voters old learners"),
    "commit": ("the node, which is in this term, knows entries to be committed up to this one", "index term"),
    "apply": ("an entry went into the state machine", "index term body"),
    "snapshot": ("the state behind this entry is saved as a snapshot", "index term"),
    "install": ("a snapshot took the place of log and state", "index term"),
    "forget": ("the log begins here from now on", "first"),
    # --- messages; what else a "send" tells depends on its kind, see MESSAGE_DETAILS
    "send": ("a message left", "id kind to term"),
    "receive": ("a message arrived", "id kind sender"),
    "lose": ("a message was lost", "id why"),
    # --- clients
    "propose": ("a client asks a node for a command", "request body"),
    "proposed": ("the leader put it into its log", "request index term"),
    "refuse": ("the node refused; nothing was done", "request"),
    "done": ("the client was told that its command is committed and applied", "request index term"),
    "unknown": ("the client was told that the outcome is not known", "request"),
    "read": ("a client asks for the state as it is now", "request floor"),
    "answer": ("the read was answered with the state behind this entry", "request index"),
    # --- faults; node "-" where they concern the network
    "kill": ("the process died; what was written stays", ""),
    "power-loss": ("process and unsynced writes are gone", "kept lost"),
    "pause": ("the process stands still", ""),
    "resume": ("the process goes on", ""),
    "cut": ("messages from one node to another are lost from now on", "sender to"),
    "mend": ("they get through again", "sender to"),
    "hold": ("messages from one node to another are held back from now on", "sender to"),
    "release": ("what was held back arrives", "sender to"),
    "slow-disk": ("syncs take so much longer", "ms"),
    "sync-fails": ("the next sync will fail", ""),
    "disk-full": ("the disk takes nothing more", ""),
    "disk-free": ("there is room again", ""),
    "drift": ("the node's clock runs at so many percent", "percent"),
    # --- orders from outside
    "campaign": ("the node was told to campaign at once", ""),
    "transfer": ("the leader was asked to hand over", "to"),
    "change": ("the leader was asked to change the members", "voters learners"),
}

MESSAGE_DETAILS: dict[str, str] = {
    "vote-request": "last_index last_term pre transfer",
    "vote-reply": "granted pre",
    "append-request": "previous_index previous_term terms bodies commit round",
    "append-reply": "matching match rejected hint_index hint_term round",
    "snapshot-request": "index snapshot_term at size is_last",
    "snapshot-reply": "index snapshot_term received installed",
    "timeout-now": "",
}
"""What follows id, kind, to and term in a "send"."""

MESSAGE_KINDS: dict[type[Message], str] = {
    VoteRequest: "vote-request",
    VoteReply: "vote-reply",
    AppendRequest: "append-request",
    AppendReply: "append-reply",
    SnapshotRequest: "snapshot-request",
    SnapshotReply: "snapshot-reply",
    TimeoutNow: "timeout-now",
}
"""The word for each kind of message."""

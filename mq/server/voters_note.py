"""Who votes in a node's group, in a small file in its data folder: known also when the log that says so can no longer be read.

Without it a node would have to go by the `--peers` of its start, and a group may have become smaller since. Its last voter must
not put its data aside for others to give it back: there are none.
"""

import json
import logging
from contextlib import suppress
from pathlib import Path

from mq.raft.configuration import Configuration
from mq.server.node import BrokerNode
from mq.server.synced import write_synced

__all__ = ["VOTERS_FILE", "is_majority_without", "keep_noted", "noted_voters"]

VOTERS_FILE = "voters"
"""In the data folder of a group's member."""
_log = logging.getLogger(__name__)


def noted_voters(folder: Path) -> Configuration | None:
    """The members as the node knew them last; None when nothing is noted, or nothing that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads((folder / VOTERS_FILE).read_bytes())
        return Configuration(tuple(map(int, found["voters"])), tuple(map(int, found["old_voters"])))
    return None


def is_majority_without(members: Configuration, node_id: int) -> bool:
    """Whether the others decide without this node, so that what the group has promised does not hang on it."""
    return bool(members.voters) and members.has_quorum(lambda voter: voter != node_id)


async def keep_noted(node: BrokerNode, folder: Path) -> None:
    """Until it is cancelled: each change, as soon as the node's log holds it, durably.

    A folder in which nothing can be written keeps its old note: the log cannot go on there either, and says so.
    """
    noted = noted_voters(folder)
    while True:
        seen = _voters_of(node)
        if seen != noted:
            noted = seen
            try:
                write_synced(folder / VOTERS_FILE, json.dumps({"voters": seen.voters, "old_voters": seen.old_voters}).encode())
            except OSError as error:
                _log.warning("%s cannot be kept: %s", folder / VOTERS_FILE, error)
        await node.until(lambda seen=seen: _voters_of(node) != seen)  # type: ignore[misc]


def _voters_of(node: BrokerNode) -> Configuration:
    """Without the learners, on whom no decision hangs."""
    now = node.core.configuration
    return Configuration(now.voters, now.old_voters)

"""Who votes in a node's group and where they are, in a small file in its data folder: known also when its log cannot be read.

Without it a node would have to go by the `--peers` of its start, and the group may have changed since. The last voter of one
that became smaller must not put its data aside for others to give it back; the first of one that grew must.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mq.core.address import Address, parse_address, show_address
from mq.core.errors import IllegalArgumentError
from mq.raft.configuration import Configuration
from mq.server.config import BrokerConfig
from mq.server.core import GroupSettings
from mq.server.node import BrokerNode
from mq.server.synced import write_synced
from mq.server.taking_part import NOTE_FILE

__all__ = ["VOTERS_FILE", "VotersNote", "is_majority_without", "keep_noted", "noted_voters", "settings_of"]

VOTERS_FILE = "voters"
"""In the data folder of a group's member."""
_LOOK_EVERY_S = 1.0
_log = logging.getLogger(__name__)


class VotersNote(NamedTuple):
    """members: without the learners, on whom no decision hangs. peers: where the others are reached, as far as that is known."""

    members: Configuration
    peers: Mapping[int, Address]


def noted_voters(folder: Path) -> VotersNote | None:
    """As the node knew them last; None when nothing is noted, or nothing that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, IllegalArgumentError):
        found = json.loads((folder / VOTERS_FILE).read_bytes())
        members = Configuration(tuple(map(int, found["voters"])), tuple(map(int, found["old_voters"])))
        peers = {int(node): parse_address(address, VOTERS_FILE) for node, address in found.get("peers", {}).items()}
        return VotersNote(members, peers) if members.voters else None
    return None


def _noted_master(folder: Path) -> bool:
    """Whether the note is of a group in which a person names who leads."""
    with suppress(OSError, ValueError, AttributeError):
        return json.loads((folder / VOTERS_FILE).read_bytes()).get("has_master") is True
    return False


def is_majority_without(members: Configuration, node_id: int, reached: Mapping[int, Address]) -> bool:
    """Whether the others decide without this node, so that what the group has promised does not hang on it.

    reached: where others are; whoever is not among them cannot be asked.
    """
    return bool(members.voters) and members.has_quorum(lambda voter: voter != node_id and voter in reached)


def settings_of(config: BrokerConfig) -> GroupSettings | None:
    """This node's part in its group. One that is on its way back goes by its note: its start may have known fewer nodes.

    Raises: IllegalArgumentError when the folder is of a group that copies in another way, or has other nodes for good.
    """
    settings = config.group_settings
    if settings is not None and (known := noted_voters(config.data)) is not None:
        _check_is_same(settings, known.members.voters, has_master=_noted_master(config.data))
    if settings is None or not (config.data / NOTE_FILE).exists() or (noted := noted_voters(config.data)) is None:
        return settings
    return replace(settings, voters=tuple(sorted({*noted.members.voters, *noted.members.old_voters})))


def _check_is_same(settings: GroupSettings, nodes: tuple[int, ...], *, has_master: bool) -> None:
    if settings.has_master != has_master:
        kind = "master_slave" if has_master else "raft"
        raise IllegalArgumentError(f"replication: this data folder is of a group that copies by {kind}")
    if has_master and settings.voters != nodes:
        told = ", ".join(map(str, nodes))
        raise IllegalArgumentError(f"peers: this data folder is of a group of nodes {told}; the epochs are shared out among them")


async def keep_noted(
    node: BrokerNode,
    folder: Path,
    reached: Callable[[], Mapping[int, Address]],
    is_full: Callable[[], bool],
    *,
    has_master: bool = False,
) -> None:
    """Until it is cancelled: who votes, as soon as the node's log says so, and where they are, soon after. Durably.

    reached: where the other nodes are, as of now. is_full: whether this node is a full member; the log of one that comes back
    speaks of earlier times, and its note is the newer one. What cannot be
    written is tried again. has_master: whether a person names who leads.
    """
    noted, is_told = noted_voters(folder), False
    while True:
        seen = _seen(node, reached())
        if seen != noted and is_full():
            try:
                write_synced(folder / VOTERS_FILE, _encoded(seen, has_master=has_master))
                noted, is_told = seen, False
            except OSError as error:
                if not is_told:
                    _log.warning("%s cannot be kept, and is tried again: %s", folder / VOTERS_FILE, error)
                is_told = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await node.until(lambda seen=seen: _members(node) != seen.members)  # type: ignore[misc]


def _members(node: BrokerNode) -> Configuration:
    now = node.core.configuration
    return Configuration(now.voters, now.old_voters)


def _seen(node: BrokerNode, reached: Mapping[int, Address]) -> VotersNote:
    members = _members(node)
    return VotersNote(members, {voter: reached[voter] for voter in members.members if voter in reached})


def _encoded(note: VotersNote, *, has_master: bool = False) -> bytes:
    peers = {str(node): show_address(address) for node, address in note.peers.items()}
    told = {"voters": note.members.voters, "old_voters": note.members.old_voters, "peers": peers}
    return json.dumps({**told, "has_master": True} if has_master else told).encode()

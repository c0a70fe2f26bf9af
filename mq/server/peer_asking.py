"""Small questions between nodes alone, in JSON. Who does not answer in time says nothing, and so does one of another version."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from mq.core.errors import MqError
from mq.server.peer_calling import OutgoingCall
from mq.server.peer_network import PeerNetwork

__all__ = ["ask_peer"]

_log = logging.getLogger(__name__)


async def ask_peer(
    network: PeerNetwork, node: int, name: str, question: Mapping[str, Any], *, timeout_s: float
) -> dict[str, Any] | None:
    """What a node answers to a call of that name; None when there is no answer, or none that makes sense."""
    try:
        found = json.loads(await network.call(node, OutgoingCall(name, (), json.dumps(question).encode(), timeout_s)))
    except (MqError, ValueError) as error:
        _log.debug("%s: node %d does not answer: %s", name, node, error)
        return None
    return found if isinstance(found, dict) else None
